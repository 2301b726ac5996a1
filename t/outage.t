#!/usr/bin/perl
# Copyright (C) The im authors
#
# A master of a cluster is away: what /im/health, im_status and the logs say.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP qw(decode_json);
use Test::Im::File qw(slurp);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $stack = Test::Im::Stack->new(
    redis_kind => 'cluster', redis_set => { timeout => 5000 },
    nodes => [ 'nginx' ], workers => 2);
my $redis = $stack->{set};
my @logs = ("$stack->{dir}/logic.log", "$stack->{dir}/job.log",
            "$stack->{dir}/error.log");
my %from;


# What came since the last call, of all programs.
sub news {
    my $all = '';

    for my $log (@logs) {
        my $text = slurp($log);
        $all .= substr $text, $from{$log} || 0;
        $from{$log} = length $text;
    }

    return $all;
}


# Repeated, until it is so.
sub until_ok {
    my ($name, $code) = @_;
    my $end = time() + 60;
    my $last;

    sleep(0.05) until ($last = $code->()) && !ref $last || time() > $end;
    ok($last && !ref $last, $name) or diag(explain($last));
}


sub health {
    my ($status, $body) = $stack->http(1, 'GET', '/im/health');

    return ($status, $body ? decode_json($body)->{data} : undef);
}


sub server {
    my ($link, $name) = @_;

    return (grep { $_->{name} eq $redis->address($name) }
            @{$link->{servers}})[0] || {};
}


$stack->start($stack->all);
$stack->ready or die "pushes are not accepted\n";
until_ok('all is up', sub {
    my ($status, $h) = health();
    $status == 200 && $h->{redis} eq 'up' && $h->{link}{unserved} == 0
        && @{$h->{link}{servers}} == 3 && !$h->{reasons} || [ $h ];
});

my $registry = $redis->master_of('im:{reg}:nodes');
my ($m) = grep { $_ ne $registry } $redis->masters;
my ($replica) = $redis->replicas_of($m);
my $slots = $redis->owned($m);
my $old = $redis->address($m);
my $new = $redis->address($replica);

news();
$redis->crash($m);

until_ok('/im/health is degraded, and says why', sub {
    my ($status, $h) = health();
    my $server = server($h->{link}, $m);
    $status == 200 && $h->{redis} eq 'degraded'
        && $h->{link}{unserved} == $slots && $server->{state} eq 'away'
        && $server->{slots} == $slots && $server->{why} ne ''
        && "@{$h->{reasons}}"
           =~ /^$slots slots: Redis at "\Q$old\E" is away: \S/ || [ $h ];
});
until_ok('im_status says it too', sub {
    my ($status, $body) = $stack->http(1, 'GET', '/im/status');
    my $s = decode_json($body);
    $s->{link}{redis}{unserved} == $slots
        && server($s->{link}{redis}, $m)->{state} eq 'away'
        && !(grep { $_->{link} ne 'degraded' || !$_->{away} }
             @{$s->{workers}}) || [ $s ];
});

$redis->until_replaced($m);
until_ok('/im/health is up again', sub {
    my ($status, $h) = health();
    my $server = server($h->{link}, $replica);
    $status == 200 && $h->{redis} eq 'up' && !$h->{reasons}
        && ($server->{slots} || 0) == $slots && $server->{role} eq 'master'
        && length $server->{generation} == 24 || [ $h ];
});

my $log = '';

until_ok('each program and worker has heard of the new master', sub {
    $log .= news();
    (() = $log =~ /Redis at "\Q$new\E" is there, $slots slots$/mg) == 4
        || [ $log ];
});
is(scalar(() = $log =~ /is away \([^)]*, $slots slots\): \S/g), 4,
   'each has told of it once') or diag($log);
is(scalar(() = $log =~ /\[error\]/g), 4, 'and of nothing else') or diag($log);

is(scalar $stack->stop_all, 0, 'all end in order');
is(scalar $stack->alerts, 0, 'no alert');
$stack->end(Test::More->builder->is_passing);

done_testing();
