#!/usr/bin/perl
# Copyright (C) The im authors
#
# A reload with a cluster of three masters, one of which answers late: no client of
# the new worker is refused a room of that master.

use strict;
use warnings;

use lib 't/lib';

use IO::Select;
use Test::Im::Client;
use Test::Im::File qw(slurp);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;

my $port = ports();
my $stack = Test::Im::Stack->new(
    port => $port, workers => 1, access => 0, redis_kind => 'cluster',
    redis_set => { replicas => 0, settings => [ 'cluster-node-timeout 240000' ] },
    http => 'im_per_address off; ',
    server => "location = /cf { im_comet protocol=centrifuge; im_auth none; }\n",
);
my $set = $stack->{set};

# where the slots are is asked of others; a new worker waits for a quarter of the time
my ($first, $second, $late) = $set->servers;
$stack->{link} = join ' ', 'cluster', (map { $set->address($_) } $first, $second), 'timeout=240s';

END {
    my $status = $?;
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

my $frame = \&Test::Im::Client::frame;

sub until_true {
    my ($code, $why) = @_;

    Test::Im::Stack::until_true(60, $code) or die "$why\n";
}

sub worker { return (Test::Im::Stack::children($stack->{pids}{nginx}))[-1] }

# Which listen at a master.
sub workers_at {
    my ($master) = @_;

    return { map { /(comet-1\.\d+\.\w+)/ ? ($1 => 1) : () } @{$set->command($master, 'PUBSUB', 'SHARDCHANNELS')} };
}

sub log_text { return slurp($stack->node('nginx') . '/error.log') }

# Clients subscribe to so many rooms that each master has some.
my $n = 40;

sub asks {
    my ($c) = @_;

    $c->write($frame->(1, join "\n", map { qq({"id":$_,"subscribe":{"channel":"$_"}}) } 2 .. $n));
}

sub answers {
    my ($c) = @_;
    my %answers;

    while (keys %answers < $n - 1 and my $m = $c->next_message(time() + 60)) {
        last if $m->{opcode} == 8;
        for my $reply (split /\n/, $m->{payload}) {
            my ($id) = $reply =~ /"id":(\d+)/ or next;
            $answers{$id} = $reply =~ /"error"/ ? 'an error' : 'fine';
        }
    }

    return \%answers;
}

my $fine = { map { ($_ => 'fine') } 2 .. $n };

sub connected {
    my ($c) = @_;

    $c->write($frame->(1, '{"id":1,"connect":{}}'));
    my $m = $c->next_message(time() + 60);
    return $m ? $m->{payload} : 'nothing';
}

$stack->start(qw(redis logic job nginx));
$stack->ready or die "pushes are not accepted\n";

isnt($set->master_of('im:{reg}:nodes'), $late, 'the registry is elsewhere');
my $old = worker();
my %here = map { ($_ => workers_at($_)) } $first, $second;
$set->pause($late);
$stack->signal('HUP', 'nginx');
until_true(sub { log_text() =~ / $old#\d+: gracefully shutting down/ }, 'the old worker goes on');

for my $master ($first, $second) {
    until_true(sub { grep { !$here{$master}{$_} } keys %{workers_at($master)} }, "the new worker is not at $master");
}

my $new = Test::Im::Client->new(port => $port);
$new->write("GET /cf HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    . "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n");
my $early = IO::Select->new($new->{socket})->can_read(0.5);
ok(!$early, 'a client of the new worker waits for all masters');
if ($early) {
    $new->answer;
    connected($new);
    asks($new);
    is_deeply(answers($new), $fine, 'none of its rooms is refused');
}

$set->resume($late);
if (!$early) {
    is($new->answer, 101, 'then it is let in');
    like(connected($new), qr/"connect"/, 'is connected');
    asks($new);
    is_deeply(answers($new), $fine, 'and none of its rooms is refused');
}
is_deeply([ $stack->alerts ], [], 'no alert');

done_testing();
