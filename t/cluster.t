#!/usr/bin/perl
# Copyright (C) The im authors
#
# A link to a real cluster: nodes that name the others, slots that move while
# calls go on, masters that die, and one that is demoted and promoted again.
# What these do to clients is in cluster-parts.t and drill/failover.t.

use strict;
use warnings;

use lib 't/lib';

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Test::Im::File qw(slurp);
use Test::Im::Ports qw(more_ports);
use Test::Im::Stack;
use Test::Im::Tag qw(slot tag);
use Test::More;

my ($none) = more_ports(1);
my $stack = Test::Im::Stack->new(
    redis_kind => 'cluster', workers => 1,
    rules => 'im_room * history=1000 ttl=1h; im_inbox history=100 ttl=1h; '
        . 'im_broadcast history=100 ttl=1h;');
my $redis = $stack->{set};
my $conf;

END {
    my $status = $?;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


sub until_true {
    return Test::Im::Stack::until_true(60, $_[0]);
}


sub address {
    return $redis->address($_[0]);
}


sub wrote {
    return slurp("$stack->{dir}/logic.log");
}


# im_logic writes that.
sub writes {
    my ($like, $name) = @_;

    until_true(sub { wrote() =~ $like });
    like(wrote(), $like, $name);
}


sub key {
    my ($topic) = @_;
    my ($n) = $conf =~ /\A(\d+)/;

    return 'im:{' . tag(slot($topic) % $n, $conf) . "}:$topic:m";
}


# A room whose topic is on that server, in a slot of no room before.
my %used;

sub room_of {
    my ($server) = @_;

    for my $n (1 .. 1000) {
        my $slot = slot(key("r:$n"));
        next if $used{$slot} || $redis->master_of(key("r:$n")) ne $server;
        $used{$slot} = 1;
        return $n;
    }

    die "no room is on $server\n";
}


# Asks, and gives the socket for answer().
sub ask {
    my ($method, $path, $data) = @_;
    my $body = defined $data ? JSON::PP->new->encode($data) : '';
    my $socket = IO::Socket::INET->new("127.0.0.1:$stack->{port}")
        or die "nginx: $!\n";

    print {$socket} "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";

    return $socket;
}


sub answer {
    my ($socket) = @_;
    my $bytes = do { local $/; readline $socket };
    my ($status, $body) = $bytes =~ m{\AHTTP/1.1 (\d+).*?\r\n\r\n(.*)\z}s
        or return (0, $bytes);

    return ($status, $body);
}


sub push_to {
    my ($room) = @_;

    return ask('POST', '/im/push', { rooms => [ "$room" ], data => 1 });
}


# The epoch and the number; or the status and what was wrong.
sub pushed {
    my ($status, $body) = answer(@_);

    return $status == 200
        && $body =~ /"epoch":"(\w+)","seq":(\d+)/ ? ($1, $2) : ($status, $body);
}


# How many of these errors a server has given.
sub errors {
    my ($server, $word) = @_;
    my ($n) = $redis->command($server, 'INFO', 'errorstats')
        =~ /errorstat_$word:count=(\d+)/;

    return $n || 0;
}


sub calls {
    my ($server, $word) = @_;
    my ($n) = $redis->command($server, 'INFO', 'commandstats')
        =~ /cmdstat_$word:calls=(\d+)/;

    return $n || 0;
}


# the nodes

$stack->start('redis');
$redis->until_healed;

my @masters = $redis->masters;

$stack->{link} = "cluster 127.0.0.1:$none " . address($masters[1]);
$stack->start('logic', 'job', 'nginx');
writes(qr/Redis at "127.0.0.1:$none" is away \(commands\b.*\): Connection refused/,
       'a node that is away');

for my $master (@masters) {
    my $address = address($master);
    writes(qr/Redis at "$address" is there, 546\d slots/,
           "$master is known by another one");
}

$conf = $redis->any('GET', 'im:{reg}:conf');
is($conf, '16e', 'tags are even');

$used{slot(key('r:1'))} = 1;
until_true(sub { (pushed(push_to(1)))[0] ne '503' });

for my $master (@masters) {
    is((pushed(push_to(room_of($master))))[1], 1, "a push to $master");
}

# A slot moves: calls wait for their keys.  They wait for two seconds, so that a
# machine that is busy may need another try.

my ($from, $to) = @masters;
my $room = room_of($from);
my $slot = slot(key("r:$room"));
my ($epoch, $seq) = pushed(push_to($room));
my @got;

for my $try (1 .. 5) {
    my $before = errors($from, 'TRYAGAIN');

    $redis->move_begin($slot, $from, $to);
    $redis->command($to, 'SCRIPT', 'FLUSH');

    my @pushes = map { push_to($room) } 1 .. 3;

    until_true(sub { errors($from, 'TRYAGAIN') >= $before + 3 });
    1 while $redis->move_keys($slot, $from, $to, 10);
    $redis->move_end($slot, $from, $to);

    @got = map { [ pushed($_) ] } @pushes;
    last if !grep { $_->[0] eq '503' } @got;

    ($from, $to) = ($to, $from);
    ($epoch, $seq) = pushed(push_to($room));
}

is_deeply([ sort { $a <=> $b } map { $_->[1] } @got ], [ $seq + 1 .. $seq + 3 ],
          'pushes while a slot moves') or diag explain \@got;
is(scalar(grep { $_->[0] ne $epoch } @got), 3, 'at the new server');

# a question whose keys have moved is for the server that gets the slot; it does
# not have the script yet, which nothing else needs; im_job has questions of its own

$stack->stop('TERM', 'job');
$redis->move_begin($slot, $to, $from);
1 while $redis->move_keys($slot, $to, $from, 10);
$redis->command($from, 'SCRIPT', 'FLUSH');

my $asked = calls($from, 'asking');
my $unknown = errors($from, 'NOSCRIPT');
my ($said_status) = answer(ask('GET', "/im/rooms/$room/history"));

is($said_status, 200, 'a question about a slot that moves');
is(calls($from, 'asking'), $asked + 2, 'ASKING, twice');
cmp_ok(errors($from, 'NOSCRIPT'), '>', $unknown, 'since it had not the script');
$stack->start('job');

$redis->move_end($slot, $to, $from);
is((pushed(push_to($room)))[0] =~ /\A\w{10,}\z/, 1, 'the slot is back');

# a slot that nobody has finished to move

$redis->move_begin($slot, $from, $to);
until_true(sub {
    ($epoch, $seq) = pushed(push_to($room));
    $epoch ne '503' || $seq =~ /slot $slot is being moved/;
});
is($epoch, 503, 'a push does not wait for ever');
like($seq, qr/slot $slot is being moved: its keys are on two servers/,
     'and says why');
my $another = room_of($from);

ok((pushed(push_to($another)))[1], 'one to another slot does not wait');
1 while $redis->move_keys($slot, $from, $to, 10);
$redis->move_end($slot, $from, $to);

# a slot without a master

$redis->unassign($slot);
until_true(sub {
    ($epoch, $seq) = pushed(push_to($room));
    $seq =~ /redis: slot $slot has no master/;
});
like("$epoch $seq", qr/^503 .*redis: slot $slot has no master/,
     'a slot without a master');
ok((pushed(push_to($another)))[1], 'others go on');
$redis->command($from, 'CLUSTER', 'ADDSLOTS', $slot);
writes(qr/1 slot of Redis has no master.*all slots of Redis have masters/s,
       'the log has both');
is(scalar(() = wrote() =~ /has no master/g), 1, 'once');
until_true(sub { (pushed(push_to($room)))[0] ne '503' });
ok((pushed(push_to($room)))[1], 'it has one again');

# a program that takes the node of the registry for all of Redis

my $registry = address($redis->master_of('im:{reg}:conf'));
my $alone = "--redis=$registry --fcgi='unix:$stack->{dir}/alone.sock'";
my $said = `timeout 20 '$stack->{build}/im_logic' $alone 2>&1`;

is($? >> 8, 1, 'one node is not all of Redis');
like($said, qr/it is a node of a cluster: configure it with "cluster"/,
     'and the log says what to do');

# Demoted and promoted again, without the last writes: what it gave out then is
# not given out again, though the connection has lived through it all.

my $master = $masters[2];
my ($replica) = $redis->replicas_of($master);

$room = room_of($master);

for my $try (1 .. 3) {
    my %seen;

    ($epoch, $seq) = pushed(push_to($room));
    $seen{"$epoch $seq"} = 1;
    $redis->until_healed;

    $redis->command($replica, 'CONFIG', 'SET', 'masterauth', 'none');
    $redis->command($master, 'CLIENT', 'KILL', 'TYPE', 'replica');
    until_true(sub {
        $redis->command($replica, 'INFO', 'replication')
            =~ /master_link_status:down/;
    });

    for (1 .. 2) {
        ($epoch, $seq) = pushed(push_to($room));
        $seen{"$epoch $seq"} = 1;
    }

    $redis->failover($replica, 'TAKEOVER');
    $redis->command($replica, 'CONFIG', 'SET', 'masterauth', '');
    until_true(sub {
        $redis->command($master, 'INFO', 'replication')
            =~ /role:slave.*master_link_status:up/s;
    });
    $redis->failover($master, 'TAKEOVER');

    my @again;

    until_true(sub { @again = pushed(push_to($room)); $again[0] ne '503' });
    ok(!$seen{"@again"}, "no number is given out twice ($try)")
        or diag("@again");

    delete $redis->{owners};
    $redis->until_healed;
}

# a master without a replica dies

my ($dead) = $redis->masters;
my $address = address($dead);
my ($live) = grep { $_ ne $dead } $redis->masters;
my ($lost, $kept) = (room_of($dead), room_of($live));

$redis->crash($redis->replicas_of($dead));
$redis->crash($dead);
writes(qr/Redis at "$address" is away \(/, 'it is away');

my ($status, $body) = answer(push_to($lost));
is($status, 503, 'its pushes are refused');
like($body, qr/redis: $address: /, 'and why');
ok((pushed(push_to($kept)))[1], 'others go on');

until_true(sub { errors($live, 'CLUSTERDOWN')
                 || $redis->command($live, 'CLUSTER', 'NODES') =~ /\bfail\b/ });
ok((pushed(push_to($kept)))[1], 'others go on when all know it');
is(scalar(() = wrote() =~ /Redis at "$address" is away/g), 1,
   'the log has it once');

$redis->start($dead);
writes(qr/is away.*Redis at "$address" is there/s, 'it is back');
until_true(sub { (pushed(push_to($lost)))[0] ne '503' });
ok((pushed(push_to($lost)))[1], 'and takes pushes');

unlike(wrote(), qr/\[(?:alert|warn)\](?!.*redis (?:at|has))/, 'no alert');
done_testing();
