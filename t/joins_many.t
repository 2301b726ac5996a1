#!/usr/bin/perl
# Copyright (C) The im authors
#
# Many clients come to a room at once, and leave it at once.  Others hear of each
# of them, at all workers of two nodes, also where none stays at a worker.

use strict;
use warnings;

use lib 't/lib';

use IO::Select;
use JSON::PP ();
use Test::Im::Client;
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time sleep);

my $n = 400;
my $port = ports();

my $stack = Test::Im::Stack->new(
    port => $port, workers => 2, access => 0, nodes => [ 'nginx1', 'nginx2' ],
    rules => "im_room * history=0 presence;\n",
    http => 'im_per_address off; im_ping 1000s timeout=2000s; ',
    server => "location = /cf { im_comet protocol=centrifuge; im_auth none; }\n",
);

END {
    my $status = $?;
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

$stack->start(qw(redis logic job nginx1 nginx2));
$stack->ready or die "pushes are not accepted\n";

sub command { $_[0]->write(Test::Im::Client::frame(1, $_[1])) }

# The answer to a command; what comes before it is kept.
sub answer {
    my ($c, $id) = @_;

    while (1) {
        my $m = $c->next_message(time() + 45) or die "no answer\n";
        for my $text (split /\n/, $m->{payload}) {
            my $reply = JSON::PP::decode_json($text);
            die $text if $reply->{error};
            $c->{got} .= $text;
            return $reply if ($reply->{id} || 0) == $id;
        }
    }
}

sub connected {
    my ($node) = @_;

    while (1) {
        my $c = Test::Im::Client->new(port => $stack->port($node), timeout => 45);
        if ($c->handshake('/cf') != 101) { sleep 0.05; next }
        $c->{got} = '';
        command($c, '{"id":1,"connect":{}}');
        $c->{client} = answer($c, 1)->{connect}{client};
        return $c;
    }
}

my $select = IO::Select->new;
my (%of, @watchers);

# a: some stay at each worker; b: only those of the other node
for (([ 'a', 'nginx1' ]) x 4, ([ 'a', 'nginx2' ]) x 2, ([ 'b', 'nginx2' ]) x 2) {
    my ($room, $node) = @$_;
    my $c = connected($node);
    command($c, qq({"id":2,"subscribe":{"channel":"$room","join_leave":true}}));
    answer($c, 2);
    @$c{qw(room node)} = ($room, $node);
    $c->{got} = delete $c->{in} // '';
    $of{$c->{socket}} = $c;
    $select->add($c->{socket});
    push @watchers, $c;
}

sub look {
    for my $socket ($select->can_read($_[0])) {
        my $c = $of{$socket};
        sysread($socket, $c->{got}, 65536, length $c->{got}) or die "a client was closed\n";
    }
}

my @clients = map { connected('nginx1') } 1 .. $n;
my %is = map { ($_->{client} => 1) } @clients;

# How many of them one has heard of, and how many more than once.
sub heard {
    my ($c, $what) = @_;
    my %heard;

    $heard{$1}++ while $c->{got} =~ /"$what":\{"info":\{"user":"","client":"([^"]+)"/g;
    return scalar(grep { $is{$_} } keys %heard), scalar(grep { $heard{$_} > 1 && $is{$_} } keys %heard);
}

sub all_hear {
    my ($what) = @_;
    my $end = time() + 45;

    look(0.1) while time() < $end && grep { (heard($_, $what))[0] < $n } @watchers;

    for my $c (@watchers) {
        is_deeply([ heard($c, $what) ], [ $n, 0 ], "$c->{room} at $c->{node}: each $what once");
    }
}

for my $room (qw(a b)) {
    my $id = $room eq 'a' ? 2 : 3;
    command($_, qq({"id":$id,"subscribe":{"channel":"$room"}})) for @clients;
    answer($_, $id) for @clients;
}

all_hear('join');

# all at once, and no one is left in b there
my @workers = Test::Im::Stack::children($stack->{pids}{nginx1});
kill 'STOP', @workers;
close $_->{socket} for @clients;
kill 'CONT', @workers;

all_hear('leave');

is_deeply([ $stack->alerts ], [], 'no alert');

done_testing();
