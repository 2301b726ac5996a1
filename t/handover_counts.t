#!/usr/bin/perl
# Copyright (C) The im authors
#
# Live sessions move to the next workers again and again, also while they have
# not all come from the last ones, and every question about counts and members
# is asked meanwhile.  Each answer must be the same.
#
# Then the same with a cluster, where the registry and the topics are on several
# servers.
#
#   IM_HANDOVER_RELOADS=8 IM_HANDOVER_REDIS=cluster

use strict;
use warnings;

use lib 't/lib';

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::Im::Client;
use Test::Im::Jwt;
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time sleep);

my $nreloads = $ENV{IM_HANDOVER_RELOADS} || 8;
my ($nclients, $nusers, $nrooms) = (120, 40, 4);
my $port = ports();
my $keys = File::Temp->newdir;
my @clients;

Test::Im::Jwt::folder("$keys");
Test::Im::Jwt::key('hs256');

my $stack = Test::Im::Stack->new(
    $ENV{IM_HANDOVER_REDIS} ? (redis_kind => $ENV{IM_HANDOVER_REDIS}, redis_set => { replicas => 0 }) : (),
    port => $port, workers => 2, access => 0, logic => [ '--http=127.0.0.1:' . ($port + 3) ],
    rules => "im_room * history=10 ttl=1m presence;\nim_inbox history=1 ttl=1m;\n",
    http => "im_jwt_key HS256 file=$keys/hs256; im_per_address off; im_handover $keys/im; ",
    server => "location = /cf { im_comet protocol=centrifuge; im_auth jwt; }\n"
        . "location = /goim { im_comet protocol=goim; im_auth none; }\n",
);

END {
    my $status = $?;
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

$stack->start(qw(redis logic job nginx));
$stack->ready or die "pushes are not accepted\n";


# Clients: centrifuge, whose users follow a room each and all a large one, and
# goim's, which are guests of a room that are counted alone.
my $frame = \&Test::Im::Client::frame;

sub command {
    my ($c, $json) = @_;
    my $n = ++$c->{id};

    $c->write($frame->(1, qq({"id":$n,$json})));
    while (1) {
        my $m = $c->next_message(time() + 20) or die "no answer to $json\n";
        next if $m->{opcode} != 1;
        my $answer;
        for my $line (split /\n/, $m->{payload}) {
            my $reply = JSON::PP::decode_json($line);
            $answer = $reply if ($reply->{id} || 0) == $n;
            $c->write($frame->(1, '{}')) if !%$reply;
            push @{$c->{pushes}}, $line if $reply->{push};
        }
        return $answer if $answer;
    }
}

for my $i (0 .. $nclients - 1) {
    my $c = Test::Im::Client->new(port => $port);

    die "handshake\n" if $c->handshake('/cf') != 101;
    my $token = Test::Im::Jwt::token('HS256 hs256 {"sub":"u' . $i % $nusers . '"}');
    my $reply = command($c, qq("connect":{"token":"$token"}));
    die JSON::PP::encode_json($reply) if $reply->{error};
    $c->{session} = $reply->{connect}{client};
    for my $room ('big', $i % $nrooms + 1) {
        $reply = command($c, qq("subscribe":{"channel":"$room"}));
        die JSON::PP::encode_json($reply) if $reply->{error};
    }
    push @clients, $c;
}

my $ngoim = 12;
my @goim = map {
    my $c = Test::Im::Client->new(port => $port);
    die "handshake\n" if $c->handshake('/goim') != 101;
    $c->write($frame->(2, Test::Im::Client::packet(7, '{"mid":0,"room_id":"live://1","platform":"web","accepts":[1000]}')));
    my $m = $c->next_message(time() + 20) or die "no answer of goim\n";
    $c;
} 1 .. $ngoim;


# questions
my $http;

sub ask {
    my ($method, $path, $body) = @_;
    my $bytes = '';

    $http ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port + 3) or die "http: $!\n";
    $body = '' unless defined $body;
    print {$http} "$method $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    $http->flush;
    while ($bytes !~ /\r\n\r\n/) { sysread($http, $bytes, 65536, length $bytes) or die "im_logic has hung up\n" }
    my ($head, $rest) = split /\r\n\r\n/, $bytes, 2;
    my ($length) = $head =~ /^content-length: (\d+)/mi or die "no length: $head\n";
    while (length $rest < $length) { sysread($http, $rest, 65536, length $rest) or die "im_logic has hung up\n" }
    die "$method $path: $head $rest\n" if $head !~ m{\AHTTP/1.1 200};
    my $answer = JSON::PP::decode_json($rest);
    return $path =~ m{\A/api/} ? $answer->{result} : $answer->{data};
}

sub sum { my $n = 0; $n += $_ for @_; return $n }
sub api { my ($command, $channel) = @_; return ask('POST', "/api/$command", qq({"channel":"$channel"})) }

my $all = $nclients + $ngoim;
my $per_room = $nclients / $nrooms;
my @of_room2 = sort map { $clients[$_]{session} } grep { $_ % $nrooms == 1 } 0 .. $#clients;
my @of_user3 = sort map { $clients[$_]{session} } grep { $_ % $nusers == 3 } 0 .. $#clients;
my $stats = sub { my $s = command($clients[rand @clients], '"presence_stats":{"channel":"big"}')->{presence_stats};
                  "$s->{num_clients} $s->{num_users}" };

my %ask = (
    'GET /im/online' => [ sub { my $a = ask('GET', '/im/online'); "$a->{connections} $a->{users}" }, "$all $nusers" ],
    'GET /im/rooms' => [ sub { join ' ', sort map { "$_->{room}=$_->{count}" } @{ask('GET', '/im/rooms?top=100')->{rooms}} },
                         join ' ', sort "big=$nclients", "live://1=$ngoim", map { "$_=$per_room" } 1 .. $nrooms ],
    'GET /im/rooms, the largest' => [ sub { join ' ', map { "$_->{room}=$_->{count}" } @{ask('GET', '/im/rooms?top=1')->{rooms}} },
                         "big=$nclients" ],
    'GET /im/nodes' => [ sub { my $a = ask('GET', '/im/nodes');
                               my @live = grep { $_->{state} ne 'away' } map { @{$_->{workers}} } @{$a->{nodes}};
                               join ' ', $a->{sessions}, sum(map { $_->{sessions} } @live),
                                   map { my $p = $_; sum(map { $_->{protocols}{$p} || 0 } @live) } qw(centrifuge goim) },
                         "$all $all $nclients $ngoim" ],
    'GET /im/rooms/big' => [ sub { my $a = ask('GET', '/im/rooms/big');
                             join ' ', $a->{count}, scalar @{$a->{users}}, sum(map { $_->{sessions} } @{$a->{users}}) },
                             "$nclients $nusers $nclients" ],
    'GET /im/users/u3' => [ sub { my $a = ask('GET', '/im/users/u3');
                                  join ' ', $a->{online} ? 1 : 0, sort map { $_->{session} } @{$a->{sessions}} },
                            join ' ', 1, @of_user3 ],
    'presence of /api' => [ sub { join ' ', sort keys %{api('presence', 2)->{presence}} }, "@of_room2" ],
    'presence_stats of /api' => [ sub { my $s = api('presence_stats', 'big'); "$s->{num_clients} $s->{num_users}" },
                                  "$nclients $nusers" ],
    'total of goim' => [ sub { ask('GET', '/goim/online/total')->{conn_count} }, $all ],
    'presence, asked by a client' => [ sub {
        my @of = grep { $_ % $nrooms == 1 } 0 .. $#clients;
        join ' ', sort keys %{command($clients[$of[rand @of]], '"presence":{"channel":"2"}')->{presence}{presence}} },
                                       "@of_room2" ],
    'presence_stats, asked by a client' => [ $stats, "$nclients $nusers" ],
    'the same, by another one' => [ $stats, "$nclients $nusers" ],
    'count of goim, by a heartbeat' => [ sub {
        my $c = $goim[rand @goim];
        $c->write($frame->(2, Test::Im::Client::packet(2, '')));
        my $m = $c->next_message(time() + 20) or die "no answer to a heartbeat\n";
        unpack 'N', substr $m->{payload}, 16 }, $ngoim ],
);

# At first im_logic has to read the records, and workers to write them.  A worker
# counts a room for goim each ten seconds: first when all know all.
sub settled {
    my (@what) = @_;

    for (1 .. 400) {
        return 1 if !grep { $ask{$_}[0]->() ne $ask{$_}[1] } @what;
        sleep(0.05);
    }
    diag("$_: " . $ask{$_}[0]->() . " instead of $ask{$_}[1]") for @what;
    return 0;
}

my $heartbeat = 'count of goim, by a heartbeat';
ok(settled(grep { $_ ne $heartbeat } sort keys %ask), 'all are counted');
for (1 .. 20) { $ask{$heartbeat}[0]->() }
ok(settled(($heartbeat) x 20), 'also by heartbeats');

my (%wrong, %seen);

sub round {
    my ($reload) = @_;

    for my $what (sort keys %ask) {
        my ($code, $want) = @{$ask{$what}};
        my $got = $code->();

        $seen{$what}++;
        next if $got eq $want;
        $wrong{$what}++ or diag("$what, reload $reload: " . substr($got, 0, 300) . " instead of " . substr($want, 0, 300));
    }
}

sub workers { return Test::Im::Stack::children($stack->{pids}{nginx}) }

for my $reload (1 .. $nreloads) {
    my %old = map { ($_ => 1) } workers();

    $stack->signal('HUP', 'nginx');
    # every third one at once behind the last: three generations
    next if $reload % 3 == 1;
    my $end = time() + 30;
    do { round($reload) } while (time() < $end && grep { $old{$_} } workers());
    ok(!(grep { $old{$_} } workers()), "reload $reload: the old workers have ended");
    round($reload);
}

is($wrong{$_} || 0, 0, "$_: the same in each of $seen{$_} answers") for sort keys %ask;
is(scalar(map { @{$_->{pushes} || []} } @clients), 0, 'nobody heard of a join or leave');

if (!$ENV{IM_HANDOVER_REDIS} && Test::More->builder->is_passing) {
    $stack->end(1);
    local $ENV{IM_HANDOVER_REDIS} = 'cluster';
    my @libs = map { "-I$_" } grep { /\bt\/\w+\z/ } @INC;
    my $out = `$^X @libs $0 2>&1`;
    is($?, 0, 'with a cluster') or diag($out);
}

done_testing();
