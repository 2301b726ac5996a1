#!/usr/bin/perl
# Copyright (C) The im authors
#
# A cluster of three masters without replicas.  One dies: rooms of its slots
# wait, clients stay connected, and all other rooms go on.  It comes back:
# nothing that was accepted is lost.  Then the same with the master of the
# registry, which has the leases of workers.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP ();
use File::Temp ();
use Test::Im::Client;
use Test::Im::Jwt;
use Test::Im::Stack;
use Test::Im::Tag qw(slot tag);
use Test::More;
use Time::HiRes qw(time);

my $json = JSON::PP->new->canonical;
my $keys = File::Temp->newdir;

Test::Im::Jwt::folder("$keys");
Test::Im::Jwt::key('hs256');

my $stack = Test::Im::Stack->new(
    redis_kind => 'cluster',
    redis_set => { replicas => 0,
                   settings => [ 'appendfsync always' ] },
    rules => 'im_room * history=1000 ttl=1h publish=member presence; '
        . 'im_inbox history=100 ttl=1h; im_broadcast history=100 ttl=1h;',
    http => "im_jwt_key HS256 file=$keys/hs256; im_ping 1000s timeout=2000s; ",
    server => '
        location = /im { im_comet protocol=im; im_auth none; }
        location = /user { im_comet protocol=centrifuge; im_auth jwt; }
        location = /guest {
            im_comet protocol=centrifuge;
            im_auth none;
            im_connect /im_connect;
        }',
);
my $set = $stack->{set};
my (%accepted, $conf);

END {
    my $status = $?;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


# clients of centrifuge

sub client {
    my ($user) = @_;
    my $c = Test::Im::Client->new(port => $stack->{port});
    my %params = defined $user
        ? (token => Test::Im::Jwt::token("HS256 hs256 {\"sub\":\"$user\"}"))
        : ();

    is($c->handshake(defined $user ? '/user' : '/guest'), 101, 'a handshake');
    my $answer = ask($c, 'connect', \%params)
        or die "no answer to connect\n";
    $c->{subs} = $answer->{connect}{subs};

    return $c;
}


# Reads what is there, or until something is true; its value.
sub listen_until {
    my ($c, $limit, $true) = @_;
    my $end = time() + $limit;

    while (1) {
        my $value = $true->();
        return $value if $value || time() > $end;

        my $frame = $c->next_message(time() + 0.05);
        if (!$frame) {
            die "the client is closed\n" if $c->{eof};
            next;
        }

        die "a frame $frame->{opcode}: $frame->{payload}\n"
            if $frame->{opcode} != 1;
        heard($c, $json->decode($_)) for split /\n/, $frame->{payload};
    }
}


sub heard {
    my ($c, $reply) = @_;
    my ($id, $push) = @$reply{qw(id push)};

    if ($id) {
        $c->{replies}{$id} = $reply;
        begun($c, $c->{asked}{$id}, $reply->{subscribe})
            if $reply->{subscribe};

    } elsif (!%$reply) {
        $c->write(Test::Im::Client::frame(1, '{}'));

    } elsif ($push && $push->{subscribe}) {
        $c->{subs}{$push->{channel}} = $push->{subscribe};

    } elsif ($push && $push->{pub}) {
        published($c, $push->{channel}, $push->{pub});

    } elsif ($push && $push->{unsubscribe}) {

        # Redis is another one: what came meanwhile is asked for

        my $room = $push->{channel};
        my $at = $c->{at}{$room};

        die "unsubscribed from $room\n" if $push->{unsubscribe}{code} != 2500;
        send_to($c, 'subscribe', { channel => $room, recover => JSON::PP::true,
                                   epoch => $at->{epoch},
                                   offset => $at->{offset} });
    }
}


sub begun {
    my ($c, $room, $begin) = @_;

    die "$room: a hole\n" if $begin->{was_recovering} && !$begin->{recovered};

    $c->{at}{$room} = { epoch => $begin->{epoch},
                        offset => $begin->{offset} || 0 };
    published($c, $room, $_) for @{$begin->{publications} || []};
}


sub published {
    my ($c, $room, $pub) = @_;

    push @{$c->{got}{$room}}, $pub->{data}{n};
    $c->{at}{$room}{offset} = $pub->{offset};
}


sub send_to {
    my ($c, $method, $params) = @_;
    my $id = ++$c->{id};

    $c->{asked}{$id} = $params->{channel};
    $c->write(Test::Im::Client::frame(1,
        $json->encode({ id => $id, $method => $params })));

    return $id;
}


sub ask {
    my ($c, $method, $params) = @_;
    my $id = send_to($c, $method, $params);

    return listen_until($c, 60, sub { $c->{replies}{$id} });
}


sub subscribe {
    my ($c, $room) = @_;

    return ask($c, 'subscribe', { channel => $room });
}


# A client of im in a room; what it has got of messages, by number.
sub im_client {
    my ($room) = @_;
    my $c = Test::Im::Client->new(port => $stack->{port});

    is($c->handshake('/im'), 101, 'a handshake of im');
    $c->write(Test::Im::Client::frame(1, $json->encode({ roomId => int $room })));

    return $c;
}


sub im_got {
    my ($c, $number) = @_;

    return until_true(60, sub {
        my $frame = $c->next_message(time() + 0.05);
        die "the client of im is closed\n" if $c->{eof};
        $frame && $frame->{payload} =~ /"n":$number\b/;
    });
}


# pushes

my $n = 0;

sub push_to {
    my (@rooms) = @_;
    my ($status, $body, $head) = $stack->http(1, 'POST', '/im/push',
        $json->encode({ rooms => \@rooms, data => { n => ++$n } }));
    my $answer = eval { $json->decode($body) } || {};
    my @results = $answer->{data} ? @{$answer->{data}{results}} : ();

    for my $i (0 .. $#rooms) {
        push @{$accepted{$rooms[$i]}}, $n
            if $results[$i] && $results[$i]{seq};
    }

    return ($status, $answer, $head);
}


# The client has got each message of the room once, and in order.
sub got_all {
    my ($c, $room, $what) = @_;
    my $want = join ' ', @{$accepted{$room} || []};

    listen_until($c, 60, sub {
        join(' ', @{$c->{got}{$room} || []}) eq $want;
    });
    is(join(' ', @{$c->{got}{$room} || []}), $want, $what);
}


# places

# A room, or a user, whose partition is on that server.
sub place_on {
    my ($server, $kind, $name) = @_;
    my ($partitions) = $conf =~ /\A(\d+)/;

    for my $i (1 .. 1000) {
        my $p = slot("$kind:$name$i") % $partitions;
        return "$name$i"
            if $set->master_of('im:{' . tag($p, $conf) . '}:q') eq $server;
    }

    die "no $kind:$name on $server\n";
}


sub status_of {
    my ($method, $path) = @_;
    my ($status, $body) = $stack->http(1, $method, $path);

    return $status;
}


sub until_true {
    return Test::Im::Stack::until_true(@_);
}


$stack->start('redis', 'logic', 'job', 'nginx');
ok($stack->ready, 'pushes are accepted');

$conf = $set->by_key('im:{reg}:conf', 'GET', 'im:{reg}:conf');
my $registry = $set->master_of('im:{reg}:nodes');
my ($victim, $other) = grep { $_ ne $registry } $set->masters;
my %room = map { $_ => place_on($_, 'r', '') }
           ($registry, $victim, $other);
my ($dead, $alive) = @room{$victim, $other};

my $user = place_on($victim, 'u', 'user');
my $c = client();

for my $room (values %room) {
    ok(subscribe($c, $room)->{subscribe}, "subscribes to $room");
    is((push_to($room))[0], 200, "a push to $room");
}

got_all($c, $_, "$_ arrives") for values %room;


# one of three masters dies

$set->crash($victim);
ok(until_true(60, sub { (push_to($dead))[0] == 503 }),
   'rooms of a dead master: 503');

my ($status, $answer, $head) = push_to($dead);

is($status, 503, 'a push to it fails,');
like($answer->{msg}, qr/^redis/, 'with a reason');
like($head, qr/^Retry-After: /mi, 'and Retry-After');

($status, $answer) = push_to($alive, $dead, $room{$registry});
is($status, 200, 'a push to rooms of all: accepted where it can be');
is($answer->{data}{results}[1]{code}, 503, 'and 503 for the other one');
ok($answer->{data}{results}[1]{msg}, 'with a reason too');

for my $room ($alive, $room{$registry}) {
    is((push_to($room))[0], 200, "$room goes on");
    got_all($c, $room, "$room arrives");
}

my $late = client();

ok(subscribe($late, $alive)->{subscribe}, 'a new client joins a room');
ok(ask($late, 'publish', { channel => $alive, data => { n => ++$n } })
   ->{publish}, 'publishes');
push @{$accepted{$alive}}, $n;
ok(ask($late, 'presence_stats', { channel => $alive })->{presence_stats},
   'and sees who is there');
got_all($c, $alive, 'what it published arrives');

my $error = subscribe($late, $dead)->{error};

is($error->{code}, 100, 'a room of the dead master: an error');
ok($error->{temporary}, 'that is temporary');

$error = ask($c, 'publish', { channel => $dead, data => { n => 0 } })->{error};
is($error->{code}, 100, 'the same for a publish');
$error = ask($c, 'presence', { channel => $dead })->{error};
is($error->{code}, 100, 'and for presence');

my $in = client($user);

ok(!$in->{subs}{"#$user"}, 'a user whose inbox is there comes in without it');
ok(subscribe($in, $alive)->{subscribe}, 'and joins a room');

my $waits = im_client($dead);
my $joins = im_client($alive);

ok(until_true(60, sub {
       my ($code, $body) = $stack->http(1, 'GET', "/im/rooms/$alive");
       $body =~ /"count":4\b/;
   }), 'a client of im joins a room');
push_to($alive);
ok(im_got($joins, $n), 'and gets its messages');

is(status_of('GET', "/im/rooms/$alive/history"), 200, 'history of a room');
is(status_of('GET', "/im/rooms/$dead/history"), 503, 'and none of the other');
is(status_of('GET', "/im/rooms/$alive"), 200, 'who is in a room');
is(status_of('GET', "/im/rooms/$dead"), 503, 'and 503 for the other');
is(status_of('GET', '/im/online'), 200, 'who is online');
like(($stack->http(1, 'GET', '/im/status'))[1],
     qr/"link":"degraded","away":[1-9]/, 'the status says it');

$set->start($victim);
ok(until_true(60, sub { (push_to($dead))[0] == 200 }), 'it is back');
got_all($c, $dead, 'and nothing is lost');
ok(until_true(60, sub { subscribe($late, $dead)->{subscribe} }),
   'the new client joins it');
ok(until_true(60, sub {
       my ($code, $body) = $stack->http(1, 'GET', "/im/rooms/$dead");
       $body =~ /"count":3\b/;
   }), 'and the client of im that waited');
push_to($dead);
ok(im_got($waits, $n), 'which gets its messages');
ok(listen_until($in, 60, sub { $in->{subs}{"#$user"} }),
   'the inbox of the user follows');
is(($stack->http(1, 'POST', '/im/push', $json->encode({ users => [ $user ],
                                                        data => { n => 1 } })))[0],
   200, 'a push to it');
ok(listen_until($in, 60, sub { $in->{got}{"#$user"} }), 'arrives');
ok(until_true(60, sub {
       my ($code, $body) = $stack->http(1, 'GET', '/im/status');
       $body =~ /"link":"up","away":0/ && $body !~ /"link":"d/;
   }), 'all is well');


# the master of the registry dies: leases can't be renewed

$set->crash($registry);
ok(until_true(60, sub { (push_to($room{$registry}))[0] == 503 }),
   'the registry and its rooms are away');

is((push_to($alive))[0], 200, 'a room of another master goes on');
got_all($c, $alive, 'a message arrives');

ok(until_true(60, sub { status_of('GET', '/im/online') == 503 }),
   'leases are over: who is online is not known');

for my $room ($alive, $dead) {
    is((push_to($room))[0], 200, "$room goes on without leases");
    got_all($c, $room, 'and a message arrives');
}

my $new = client();

ok(subscribe($new, $alive)->{subscribe}, 'a new client joins a room');

$set->start($registry);
ok(until_true(60, sub { (push_to($room{$registry}))[0] == 200 }),
   'the registry is back');
ok(until_true(60, sub { status_of('GET', '/im/online') == 200 }),
   'who is online is known');

for my $room (values %room) {
    is((push_to($room))[0], 200, "a push to $room");
    got_all($c, $room, 'nothing is lost');
}


# one master after the other, until none is left

$set->crash($registry);
ok(until_true(60, sub { (push_to($room{$registry}))[0] == 503 }),
   'the registry is away again');
is(status_of('GET', '/im/health'), 200, 'health: others take pushes');
$set->crash($set->running);
ok(until_true(60, sub { status_of('GET', '/im/health') == 503 }),
   'health: none does');

is(scalar($stack->alerts), 0, 'no alerts');
is(scalar($stack->findings), 0, 'no findings');

done_testing();
