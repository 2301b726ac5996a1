#!/usr/bin/perl
# Copyright (C) The im authors
#
# Pushes wait while im_job is away.  It comes back while more are pushed: all
# queues become empty under this load, and from then on scripts publish by
# themselves; each follower gets all in order.

use strict;
use warnings;

use lib 't/lib';

use POSIX ();
use Test::Im::Client;
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time);

my $limit = 60;         # seconds, for what never comes
my @rooms = 1 .. 4;
my $waiting = 1250;     # in each room, before im_job comes back
my $straight = 3000;    # messages behind the last queued one
my ($stack, %pushers, %clients, %seen);

END {
    my $status = $?;
    kill 'KILL', map { $_->{pid} } values %pushers;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


# Pushes 1, 2 ... to a room until SIGTERM; says when enough of them wait, and in
# the end how many there were.
sub pusher {
    my ($room) = @_;
    my $n = 0;
    my $term = POSIX::SigSet->new(POSIX::SIGTERM());
    my $pending = POSIX::SigSet->new;

    pipe(my $in, my $out) or die "pipe: $!\n";
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid) {
        close $out;
        return { pid => $pid, in => $in };
    }

    $stack->{owner} = 0;
    $stack->{kept} = {};
    $out->autoflush(1);
    POSIX::sigprocmask(POSIX::SIG_BLOCK(), $term);    # no answer is cut short

    while (!$pending->ismember(POSIX::SIGTERM())) {
        my ($status) = $stack->http(1, 'POST', '/im/push',
            sprintf '{"rooms":["%s"],"data":%u}', $room, $n + 1);
        POSIX::_exit(1) if $status != 200;
        print $out "waiting\n" if ++$n == $waiting;
        POSIX::sigpending($pending);
    }

    print $out "$n\n";
    POSIX::_exit(0);
}


sub follow {
    my ($room) = @_;
    my $client = Test::Im::Client->new(port => $stack->{port});
    my $status = $client->handshake("/p?room=$room");

    die "status $status\n" if $status != 101;

    return $client;
}


# Reads until a follower has got so many messages more, in order.
sub follow_on {
    my ($room, $n) = @_;
    my $client = $clients{$room};

    while ($n-- > 0) {
        my $frame = $client->next_message(time() + $limit)
            or die "room $room: nothing behind $seen{$room}\n";
        die "room $room: $frame->{payload} behind $seen{$room}\n"
            if $frame->{payload} != ++$seen{$room};
    }
}


# Of all queues: "length", or "entries-added" since the first one.
sub queued {
    my ($what) = @_;
    my $n = 0;

    for my $queue ($stack->keys('im:*:q')) {
        my %info = @{$stack->redis('XINFO', 'STREAM', $queue)};
        $n += $info{$what};
    }

    return $n;
}


sub commands {
    my ($name) = @_;

    return $stack->redis('INFO', 'commandstats')
        =~ /^cmdstat_$name:calls=(\d+)/m ? $1 : 0;
}


$stack = Test::Im::Stack->new(
    workers => 1, access => 0,
    rules => "im_room * history=100000 ttl=1h;\n",
    http => 'im_ping 1000s timeout=2000s; ',
    server => 'location = /p { im_comet protocol=plain; im_join $arg_room; }');
$stack->start($stack->all);
$stack->ready or die "pushes are not accepted\n";

for my $room (@rooms) {
    $clients{$room} = follow($room);
    $seen{$room} = 0;
}

# until the worker's routes are there
Test::Im::Stack::until_true($limit, sub {
    @{[ $stack->keys('im:*:r:*:w') ]} == @rooms
}) or die "no routes\n";

$stack->stop('TERM', 'job');
$pushers{$_} = pusher($_) for @rooms;
readline $_->{in} for values %pushers;
cmp_ok(queued('length'), '>=', @rooms * $waiting, 'pushes wait');

$stack->start('job');

my $end = time() + $limit;
my $left;

do {
    follow_on($_, 50) for @rooms;
    $left = queued('length');
} while ($left > 0 && time() < $end);

is($left, 0, 'the queues become empty while pushes go on');

my $added = queued('entries-added');

$stack->redis('CONFIG', 'RESETSTAT');
follow_on($_, $straight / @rooms) for @rooms;
ok(Test::Im::Stack::until_true($limit, sub {
    # those before may have been on their way to the followers
    follow_on($_, 50) for @rooms;
    commands('spublish') > 0;
}), 'scripts publish');
is(queued('entries-added'), $added, 'no push is queued');
is(commands('xtrim'), 0, 'im_job has nothing to do');

for my $room (@rooms) {
    my $pusher = $pushers{$room};

    kill 'TERM', $pusher->{pid};
    my $n = readline $pusher->{in};
    waitpid $pusher->{pid}, 0;
    delete $pushers{$room};
    is($?, 0, "room $room: all are accepted");

    follow_on($room, $n - $seen{$room});
    is($seen{$room}, $n + 0, "room $room: each message came, in order");
}

is(queued('length'), 0, 'nothing waits');

my @wrong = ($stack->stop_all, $stack->findings);
is("@wrong", '', 'it ends well');
$stack->end(!@wrong);
undef $stack;

done_testing();
