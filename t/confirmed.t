#!/usr/bin/perl
# Copyright (C) The im authors
#
# Pushes with durability=replica while masters are replaced and slots move: each
# that was accepted is in the history of the last master, once, with the number
# that its answer had.

use strict;
use warnings;

use lib 't/lib';

use File::Temp ();
use JSON::PP ();
use Test::Im::File qw(slurp);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep);

my $npublishers = 6;
my $nrooms = 8;
my ($stack, $dir, @pids);

END {
    my $status = $?;
    kill 'KILL', @pids;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


sub begin {
    my ($kind, @options) = @_;

    $dir = File::Temp::tempdir('im-confirmed-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    $stack = Test::Im::Stack->new(
        redis_kind => $kind, workers => 1, access => 0,
        logic => [ '--durability=replica', @options ],
        rules => "im_room * history=100000 ttl=1h;\n");
    $stack->start(qw(redis logic job nginx));
    $stack->{set}->until_healed;
    $stack->ready or die "pushes are not accepted\n";

    @pids = map { publisher($_) } 1 .. $npublishers;
}


# One push after the other, each with its id until it is accepted; what was
# accepted, and with what number, is a line of a file.
sub publisher {
    my ($n) = @_;
    my $over = 0;
    local $SIG{TERM} = sub { $over = 1 };
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;
    return $pid if $pid != 0;

    $stack->{owner} = $stack->{set}{owner} = 0;
    $stack->{kept} = {};
    open(my $log, '>', "$dir/$n") or POSIX::_exit(1);
    $log->autoflush(1);

    for (my $i = 1; !$over; $i++) {
        my $room = 'room' . $i % $nrooms;
        my ($status, $body);

        while (1) {
            ($status, $body) = $stack->http(1, 'POST', '/im/push',
                qq({"id":"p$n-$i","rooms":["$room"],"data":$i}));
            last if $status == 200;
            print $log 'unconfirmed ' x ($body =~ /"code":5031/), "$status\n";
            sleep(0.01);
        }

        my $result = JSON::PP::decode_json($body)->{data}{results}[0];
        print $log "accepted p$n-$i $room $result->{seq}\n";
        sleep(0.005);
    }

    POSIX::_exit(0);
}


sub lines {
    my ($word) = @_;

    return grep { /^$word / } map { split /\n/, slurp("$dir/$_") }
        1 .. $npublishers;
}


# So many more are accepted.
sub more {
    my ($n) = @_;
    my $before = lines('accepted');

    Test::Im::Stack::until_true(60, sub { lines('accepted') >= $before + $n })
        or die "pushes are not accepted any more\n";
}


# Ids of a room by number, as the master has them now.
sub history {
    my ($room) = @_;
    my ($key) = $stack->keys("im:*:r:$room:h");
    my %ids;

    for my $entry (@{$stack->redis('XRANGE', $key, '-', '+')}) {
        my ($seq) = $entry->[0] =~ /^(\d+)-/;
        (undef, undef, $ids{$seq}) = unpack 'CCC/a', $entry->[1][1];
    }

    return \%ids;
}


sub verdict {
    my ($name) = @_;

    kill 'TERM', @pids;
    waitpid($_, 0) for splice @pids;

    my (%history, %times);
    my ($lost, $accepted) = (0, 0);

    for my $room (map { "room$_" } 0 .. $nrooms - 1) {
        $history{$room} = history($room);
        $times{$_}++ for values %{$history{$room}};
    }

    for (lines('accepted')) {
        my (undef, $id, $room, $seq) = split ' ';
        my $there = $history{$room}{$seq};

        $accepted++;
        next if defined $there && $there eq $id && $times{$id} == 1;
        diag("$id was accepted as number $seq of $room, which is "
             . (defined $there ? $there : 'not there')) if ++$lost <= 5;
    }

    note("$name: $accepted accepted, " . lines('unconfirmed')
         . ' answers "not confirmed"');
    is($lost, 0, "$name: each of $accepted accepted pushes is there, once");
}


sub finish {
    is(join('', $stack->stop_all), '', 'all end well');
    is(join("\n", $stack->alerts, $stack->findings), '', 'no alert');
    $stack->end(Test::More->builder->is_passing);
    undef $stack;
}


# One push to all rooms while a master's replica stands still: a result for
# each, and all of them once the push is repeated.
sub partly {
    my $set = $stack->{set};
    my (%master, %seq);

    for my $room (map { "room$_" } 0 .. $nrooms - 1) {
        my ($key) = $stack->keys("im:*:r:$room:h");
        $master{"r:$room"} = $set->master_of($key);
    }

    my $push = '{"id":"all","rooms":[' . join(',', map { "\"room$_\"" }
        0 .. $nrooms - 1) . '],"data":0}';
    my $still = $master{'r:room0'};
    my @replicas = $set->replicas_of($still);

    is(@replicas, 1, "$still has one replica");
    $set->pause(@replicas);
    my ($status, $body) = $stack->http(1, 'POST', '/im/push', $push);
    $set->resume(@replicas);

    is($status, 200, 'some are accepted');

    for (@{JSON::PP::decode_json($body)->{data}{results}}) {
        $seq{$_->{topic}} = $_->{seq};
        is($_->{code} || 0, $master{$_->{topic}} eq $still ? 5031 : 0,
           "$_->{topic} of $master{$_->{topic}}");
    }

    Test::Im::Stack::until_true(60, sub {
        ($status, $body) = $stack->http(1, 'POST', '/im/push', $push);
        return $status == 200 && $body !~ /5031/;
    });

    for (@{JSON::PP::decode_json($body)->{data}{results}}) {
        ok($_->{seq} == ($seq{$_->{topic}} || $_->{seq}),
           "$_->{topic} is accepted with the same number");
    }
}


begin('sentinel', '--replicas=2');
my $set = $stack->{set};

more(100);
my $old = $set->announced;
$set->failover($old);
$set->until_replaced($old);
$set->until_healed;
more(100);

$old = $set->announced;
$set->crash($old);
$set->until_replaced($old);
$set->start($old);
$set->until_healed;
more(100);

verdict('sentinels');

my %named;
$named{$_}++ for slurp("$stack->{dir}/logic.log")
    =~ /the sentinels name (\S+ as master of \S+ epoch \d+)/g;
is(join(', ', grep { $named{$_} > 1 } keys %named), '',
   'each master is logged once');
cmp_ok(scalar(keys %named), '>=', 3, 'and there were three');
finish();

begin('cluster');
$set = $stack->{set};

more(100);

# planned, and by force while the master goes on
for my $how ('', 'FORCE') {
    my ($master) = $set->masters;
    my ($replica) = $set->replicas_of($master);

    $set->owned($master);
    $set->failover($replica, $how || ());
    $set->until_replaced($master);
    $set->until_healed;
    more(100);
}

($old) = $set->masters;
$set->owned($old);
$set->crash($old);
$set->until_replaced($old);
$set->start($old);
$set->until_healed;
more(100);

my ($key) = $stack->keys('im:*:r:room0:h');
my $from = $set->master_of($key);
my ($to) = grep { $_ ne $from } $set->masters;
$set->move_slot(Test::Im::Redis::slot($key), $from, $to);
more(100);

verdict('cluster');
partly();
finish();

done_testing();
