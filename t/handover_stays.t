#!/usr/bin/perl
# Copyright (C) The im authors
#
# Counts and lists of users while some sessions move and others stay: in reloads,
# in upgrades, when the old binary takes over again, and when workers are killed
# in the middle.  They are asked for all the time.  Each answer is exact.  Sessions
# that were killed may count until their worker's lease is over.
#
#   IM_HANDOVER_KILLS=1

use strict;
use warnings;

use lib 't/lib';

use File::Temp ();
use JSON::PP ();
use List::Util qw(min max sum0);
use POSIX ();
use Test::Im::Client;
use Test::Im::File qw(slurp);
use Test::Im::Jwt;
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time sleep);

my ($nusers, $nrooms) = (20, 3);
my $nkills = $ENV{IM_HANDOVER_KILLS} || 1;
my $port = ports();
my ($http, $tls) = ($port + 3, $port + 4);
my $keys = File::Temp->newdir;
my @masters;

# nginx upgrades itself only if its parent has ended: it is no child at first
my $upgrades = (POSIX::uname())[4] eq 'x86_64' && syscall(157, 36, 1, 0, 0, 0) == 0;
$ENV{TEST_NGINX_BINARY} ||= (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];

Test::Im::Jwt::folder("$keys");
Test::Im::Jwt::key('hs256');
system("openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -keyout $keys/key.pem "
    . "-out $keys/cert.pem 2>$keys/openssl.log") == 0 or die slurp("$keys/openssl.log");

my $location = 'location = /cf { im_comet protocol=centrifuge; im_auth jwt; im_ping 1000s timeout=2000s; }';
my $stack = Test::Im::Stack->new(
    port => $port, workers => 2, access => 0, drain => '1h', logic => [ "--http=127.0.0.1:$http" ],
    rules => "im_room * history=10 ttl=1m presence;\nim_inbox history=1 ttl=1m;\n",
    http => "im_jwt_key HS256 file=$keys/hs256; im_per_address off;\n"
        . "server { listen 127.0.0.1:$tls ssl; ssl_certificate $keys/cert.pem; ssl_certificate_key $keys/key.pem;\n"
        . "$location }\n",
    server => "$location\n",
);

END {
    my $status = $?;
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

sub pid { return $stack->pid('nginx', @_) }

$stack->start(qw(redis logic job));
push @masters, $stack->daemon('nginx');
$stack->ready or die "pushes are not accepted\n";


# Clients: each follows a large room and one of some others.
my $frame = \&Test::Im::Client::frame;
my (@clients, @heard);

sub command {
    my ($c, $json) = @_;
    my $n = ++$c->{id};

    $c->write($frame->(1, qq({"id":$n,$json})));
    while (1) {
        my $m = $c->next_message(time() + 30) or die "no answer to $json\n";
        for my $reply (map { JSON::PP::decode_json($_) } split /\n/, $m->{payload}) {
            push @heard, JSON::PP::encode_json($reply) if $reply->{push};
            next if ($reply->{id} || 0) != $n;
            die JSON::PP::encode_json($reply) if $reply->{error};
            return;
        }
    }
}

sub client {
    my ($secure) = @_;
    my $i = @clients;
    my $c;

    # a worker that has just come has no Redis yet
    Test::Im::Stack::until_true(60, sub {
        $c = Test::Im::Client->new(port => $secure ? $tls : $port, tls => $secure);
        $c->handshake('/cf') == 101;
    }) or die "handshake\n";
    my $token = Test::Im::Jwt::token('HS256 hs256 {"sub":"u' . $i % $nusers . '"}');
    command($c, qq("connect":{"token":"$token"}));
    command($c, qq("subscribe":{"channel":"$_"})) for 'big', $i % $nrooms;
    $c->{i} = $i;
    push @clients, $c;
}

# Those that were killed are gone; nothing else is sent to any of them.
sub look {
    for my $c (grep { !$_->{gone} && !$_->{tls} } @clients) {
        my $r = '';
        vec($r, fileno $c->{socket}, 1) = 1;
        next if !select($r, undef, undef, 0);
        my $n = sysread $c->{socket}, my $bytes, 4096;
        if ($n) { push @heard, $bytes } else { $c->{gone} = 1 }
    }
}


# What is counted now; the same in the end, of those that are there.
sub ask {
    my ($path) = @_;
    my ($status, $body) = $stack->http($http - $port + 1, 'GET', $path);
    die "$path: $status $body\n" if $status != 200;
    return JSON::PP::decode_json($body)->{data};
}

sub counts {
    my $online = ask('/im/online');
    my $big = ask('/im/rooms/big');
    my %rooms = map { ("room $_->{room}" => $_->{count}) } @{ask('/im/rooms?top=100')->{rooms}};

    return { connections => $online->{connections}, users => $online->{users}, %rooms, big => $big->{count},
             'users of big' => scalar @{$big->{users}}, 'sessions of big' => sum0(map { $_->{sessions} } @{$big->{users}}) };
}

sub truth {
    my @there = grep { !$_->{gone} } @clients;
    my (%users, %rooms);
    for (@there) { $users{$_->{i} % $nusers} = 1; $rooms{$_->{i} % $nrooms}++ }
    return { connections => scalar @there, users => scalar keys %users, (map { ("room $_" => $rooms{$_}) } keys %rooms),
             'room big' => scalar @there, big => scalar @there, 'users of big' => scalar keys %users,
             'sessions of big' => scalar @there };
}

sub text { my ($h) = @_; return join ' ', map { "$_:" . ($h->{$_} // 'none') . ',' } sort keys %$h }

# Each number is between the two; without the first one, not below those that are
# there afterwards.
my ($npolls, @wrong) = (0);

sub poll {
    my ($from, $to) = @_;
    my $got = counts();

    look() if !$from;
    $from ||= truth();
    $npolls++;
    for my $what (keys %{{ %$from, %$got }}) {
        my ($least, $most) = map { $_->{$what} // 0 } $from, $to;
        next if ($got->{$what} // 0) >= $least && ($got->{$what} // 0) <= $most;
        push @wrong, "$what: " . ($got->{$what} // 'none') . " instead of $least to $most" if @wrong < 20;
    }
    return $got;
}

# The sessions of these workers have moved or stay.
sub moved {
    my (@pids) = @_;
    my $log = slurp("$stack->{dir}/error.log");
    return !grep { my $pid = $_; -d "/proc/$pid" && $log !~ /^\S+ \S+ \[notice\] $pid#\S+ im: \d+ sessions moved/m } @pids;
}

sub exact {
    my ($what, $cond) = @_;
    my $truth = truth();
    my ($n, $end, $over) = ($npolls, time() + 60);

    @wrong = ();
    while (time() < $end && !$over) {
        $over = $cond->();
        poll($truth, $truth);
        sleep(0.02);
        look();
    }
    for (1 .. 5) { poll($truth, $truth); sleep(0.1) }
    ok($over, "$what: it is done");
    is_deeply(\@wrong, [], "$what: each of " . ($npolls - $n) . ' polls is exact');
}

sub settled {
    my $truth = truth();
    my $got;
    my $end = time() + 60;
    do {
        sleep(0.1) if $got;
        $got = counts();
        return pass('counted: ' . text($truth)) if text($got) eq text($truth);
    } while (time() < $end);
    is(text($got), text($truth), 'counted');
}

sub workers { return Test::Im::Stack::children($masters[-1]) }

my %before;

# The workers that have come since.
sub young { my @all = grep { !$before{$_} } workers(); return @all }

client($_ % 6 == 0) for 0 .. 59;
settled();

# Sessions over TLS stay at workers of two generations.
for my $n (1, 2) {
    my @old = grep { !$before{$_} } workers();
    $before{$_} = 1 for @old;
    kill 'HUP', $masters[-1];
    exact("reload $n", sub { young() >= 2 && moved(@old) });
    client(1) for 1 .. 5;
    settled();
}

if ($upgrades) {
    for my $what ('an upgrade that is taken back', 'an upgrade') {
        my @old = young();
        my $old = $masters[-1];

        kill 'USR2', $old;
        exact("$what begins", sub {
            pid() && pid() != $old && pid('.oldbin') == $old && Test::Im::Stack::children(pid()) >= 2
        });
        push @masters, pid();
        $before{$_} = 1 for @old;
        kill $what eq 'an upgrade' ? 'QUIT' : 'WINCH', $old;
        exact($what, sub { moved(@old) });
        next if $what eq 'an upgrade';

        my $new = pop @masters;
        my @new = Test::Im::Stack::children($new);
        unshift @masters, $new;
        kill 'HUP', $old;
        exact('the old binary begins again', sub { young() >= 2 });
        kill 'QUIT', $new;
        exact('the old binary again', sub { moved(@new) && !-d "/proc/$new" });
        @masters = grep { $_ != $new } @masters;
    }
    $stack->{pids}{nginx} = $masters[-1];
}

# One worker that ends and one that begins are killed, at some moment.  There is one
# at which neither has a session.
my ($rounds, $cut) = (0, 0);

while ($rounds++ < $nkills || (!$cut && $rounds <= 10)) {
    my $most = truth();
    my @old = sort { $a <=> $b } young();
    my $end = time() + 90;

    $before{$_} = 1 for @old;
    @wrong = ();
    my $n = $npolls;
    kill 'HUP', $masters[-1];
    while (!young()) { time() < $end or die "no new worker\n" }
    sleep(rand 0.05);
    my @killed = ($old[0], (young())[-1]);
    kill 'KILL', @killed;
    # they have closed all then
    ok(Test::Im::Stack::until_true(60, sub { !grep { slurp("/proc/$_/stat") =~ /\) [^ZX] / } @killed }), 'killed: they are gone');
    my ($got, $truth);
    do {
        sleep(0.1);
        $got = text(poll(undef, $most));
        $truth = truth();
    } while (time() < $end && !(moved($old[1]) && $got eq text($truth)));
    is_deeply(\@wrong, [], 'killed: no number of ' . ($npolls - $n) . ' polls is below that of those that are there, or '
              . 'above what was');
    is($got, text($truth), "killed: $truth->{connections} of $most->{connections} are there, and counted");
    $cut += $most->{connections} - $truth->{connections};
    exact('after that', sub { young() >= 2 && moved($old[1]) });
    client(0) while grep({ !$_->{gone} } @clients) < 60;
    settled();
}

cmp_ok($cut, '>', 0, 'killed: some were cut');

# all are in one more reload
{
    my @old = young();
    $before{$_} = 1 for @old;
    kill 'HUP', $masters[-1];
    exact('the last reload', sub { young() >= 2 && moved(@old) });
}

is_deeply(\@heard, [], 'nobody heard of anything');
is_deeply([ grep { !/signal 9|exited with/ } $stack->alerts ], [], 'no alert');

done_testing();
