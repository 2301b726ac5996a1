#!/usr/bin/perl
# Copyright (C) The im authors
#
# Messages that their pusher keeps out of the history have no number.  They come
# fast, in rooms with and without a history, while nginx is reloaded again and
# again: each client gets each of them once, and in the order in which they were
# accepted.
#
# Users come and go meanwhile.  In the end all clients know who is there.
#
# Then the same with a cluster of three masters.
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
use Test::Im::File qw(slurp);
use Test::Im::Jwt;
use Test::Im::Ports qw(ports);
use Test::Im::Protobuf;
use Test::Im::Stack;
use Test::Im::Stream;
use Test::More;
use Time::HiRes qw(time sleep);

my $nreloads = $ENV{IM_HANDOVER_RELOADS} || 8;
my $port = ports();
my $http = $port + 3;
my @rooms = ('1', '2', 'live://1');
my @pids;
my $parent = $$;
my $keys = File::Temp->newdir;

# a process that has ended is a failure of its own
$SIG{PIPE} = 'IGNORE';

Test::Im::Jwt::folder("$keys");
Test::Im::Jwt::key('hs256');

my $stack = Test::Im::Stack->new(
    port => $port, workers => 2, access => 0, logic => [ "--http=127.0.0.1:$http" ],
    $ENV{IM_HANDOVER_REDIS} ? (redis_kind => $ENV{IM_HANDOVER_REDIS}, redis_set => { replicas => 0 }) : (),
    rules => "im_room 2 history=0 presence;\nim_room * history=10 ttl=1m presence;\n",
    http => "im_jwt_key HS256 file=$keys/hs256; im_per_address off; im_ping 1000s timeout=2000s; ",
    server => "im_listen 127.0.0.1:" . ($port + 4) . " protocol=goim; im_auth none;\n"
        . "location = /cf { im_comet protocol=centrifuge transport=websocket,sse,http_stream; im_auth none; }\n"
        . "location = /uni { im_comet protocol=centrifuge_uni; im_auth none; }\n"
        . "location = /user { im_comet protocol=centrifuge; im_auth jwt; }\n"
        . "location = /im { im_comet protocol=im; im_auth none; }\n"
        . "location = /goim { im_comet protocol=goim; im_auth none; }\n"
        . "location = /plain { im_comet protocol=plain; im_join \$arg_room; }\n",
);

END {
    my $status = $?;
    if (@pids) { kill 'KILL', @pids; waitpid($_, 0) for @pids }
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

$stack->start(qw(redis logic job nginx));
$stack->ready or die "pushes are not accepted\n";

# A client keeps what it got, byte for byte.
my $select = IO::Select->new;
my (@clients, %of);

sub take {
    my ($c) = @_;
    my $n = sysread($c->{socket}, my $bytes, 65536);

    if (!$n) {
        $c->{closed} = 1;
        $select->remove($c->{socket});
        return;
    }
    $c->{got} .= $bytes;
}

sub look {
    my ($s) = @_;
    take($of{$_}) for $select->can_read($s);
}

# It reads the answer to each of these before the next one.
sub enter {
    my ($c, $kind, $room, $send, $wait) = @_;

    $c->{kind} = $kind;
    $c->{room} = $room;
    $c->{got} = delete $c->{in} // '';
    $of{$c->{socket}} = $c;
    $select->add($c->{socket});
    push @clients, $c if $room;
    for (0 .. $#$wait) {
        $c->write($send->[$_]) if defined $send->[$_];
        my $end = time() + 30;
        while ($c->{got} !~ $wait->[$_]) { time() < $end or die "$kind: no answer\n"; look(0.05) }
    }
    return $c;
}

sub client {
    my ($kind, $room, $path, $send, $wait, @headers) = @_;
    my $c = Test::Im::Client->new(port => $port);

    die "handshake of $kind\n" if $c->handshake($path, @headers) ne '101';
    return enter($c, $kind, $room, $send, $wait);
}

# over HTTP, or packets over TCP
sub stream {
    my ($kind, $room, $wait, @request) = @_;
    my $c = Test::Im::Stream->new(port => $port);

    die "request of $kind\n" if $c->request(@request) ne '200';
    return enter($c, $kind, $room, [], [ $wait ]);
}

sub tcp {
    my ($kind, $room, $send, $wait) = @_;

    return enter(Test::Im::Client->new(port => $port + 4), $kind, $room, $send, $wait);
}

my $frame = \&Test::Im::Client::frame;

sub cf {
    my ($room, $more) = @_;
    return client('centrifuge', $room, '/cf',
        [ $frame->(1, '{"id":1,"connect":{}}'), $room ? $frame->(1, qq({"id":2,"subscribe":{"channel":"$room"$more}})) : () ],
        [ qr/"id":1,/, qr/"id":2,/ ]);
}

sub packet { return Test::Im::Client::packet(@_) }

sub uri { return $_[0] =~ s/([^\w])/sprintf '%%%02X', ord $1/ger }

my @events = 'Accept: text/event-stream';
my $bytes = 'Content-Type: application/octet-stream';

for my $room (@rooms) {
    my @both = ('{"id":1,"connect":{}}', qq({"id":2,"subscribe":{"channel":"$room"}}));
    my ($lines, $protobuf) = (join("\n", @both), Test::Im::Protobuf::commands(join ' | ', @both));
    my $subs = qq({"subs":{"$room":{}}});

    for (1 .. 3) {
        cf($room, '');
        cf($room, ',"recoverable":true,"positioned":true,"join_leave":true');
        client('centrifuge in protobuf', $room, '/cf?format=protobuf', [ $frame->(2, $protobuf) ], [ qr/\x08\x02/ ]);
        stream('centrifuge by SSE', $room, qr/"id":2,/, 'GET', '/cf?cf_connect=' . uri($lines), undef, @events);
        stream('centrifuge in lines', $room, qr/"id":2,/, 'POST', '/cf', $lines);
        stream('centrifuge in protobuf, by HTTP', $room, qr/\x08\x02/, 'POST', '/cf', $protobuf, $bytes);
        client('centrifuge_uni', $room, '/uni', [ $frame->(1, $subs) ], [ qr/"connect":/ ]);
        stream('centrifuge_uni by SSE', $room, qr/"connect":/, 'GET', '/uni?cf_connect=' . uri($subs), undef, @events);
        client('plain', $room, "/plain?room=$room", [], []);
        stream('plain by SSE', $room, qr/^/, 'GET', "/plain?room=$room", undef, @events);
        stream('plain in lines', $room, qr/^/, 'GET', "/plain?room=$room", undef);
        next if $room =~ /live/;
        client('im', $room, '/im', [ $frame->(1, qq({"auth":null,"roomId":$room})) ], [ qr/"op":4/ ]);
        client('im with positions', $room, '/im', [ $frame->(1, qq({"auth":null,"roomId":$room,"positions":true})) ],
               [ qr/"op":4/ ]);
    }
}

my $auth = packet(7, '{"mid":0,"room_id":"live://1","platform":"web","accepts":[1000]}');
for (1 .. 3) {
    client('goim', 'live://1', '/goim', [ $frame->(2, $auth) ], [ qr/./s ]);
    tcp('goim by TCP', 'live://1', [ $auth ], [ qr/./s ]);
}

# Numbers 1, 2, 3 ... of each room; three of four are kept out of the history.
sub http {
    my ($sock, $path, $body) = @_;
    my $bytes = '';

    print {$sock} "POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    $sock->flush;
    while ($bytes !~ /\r\n\r\n/) { sysread($sock, $bytes, 65536, length $bytes) or die "im_logic has hung up\n" }
    my ($head, $rest) = split /\r\n\r\n/, $bytes, 2;
    my ($length) = $head =~ /^content-length: (\d+)/mi or die "no length: $head\n";
    while (length $rest < $length) { sysread($sock, $rest, 65536, length $rest) or die "im_logic has hung up\n" }
    die "$path: $head $rest\n" if $head !~ m{\AHTTP/1.1 200} || $rest =~ /"error"/;
}

sub process {
    my ($code) = @_;
    pipe(my $in, my $out) or die "pipe: $!\n";
    pipe(my $stop, my $go) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        close $_ for $in, $go;
        @pids = ();
        $stack = undef;
        my $stops = sub { my $r = ''; vec($r, fileno $stop, 1) = 1; select($r, undef, undef, $_[0]) };
        my $ok = eval { syswrite $out, $code->($stops, $out) . "\n"; 1 };
        print STDERR "# $@" if !$ok;
        POSIX::_exit($ok ? 0 : 1);
    }
    close $_ for $out, $stop;
    push @pids, $pid;
    return { pid => $pid, in => $in, go => $go };
}

sub ended {
    my ($p) = @_;
    syswrite $p->{go}, ".";
    my $all = '';
    while (1) {
        my $r = '';
        vec($r, fileno $p->{in}, 1) = 1;
        look(0.01);
        next if !select($r, undef, undef, 0.01);
        last if !sysread($p->{in}, $all, 65536, length $all) || $all =~ /\n/;
    }
    die "a process has ended\n" if $all !~ /\A(\d+)\n/;
    return $1;
}

my @pushers = map {
    my $room = $_;
    process(sub {
        my ($stop) = @_;
        my $n = 0;
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $http) or die "http: $!\n";
        do {
            $n++;
            http($sock, '/api/publish', qq({"channel":"$room","data":{"msg":"<$n>"})
                . ($n % 4 ? ',"skip_history":true}' : '}'));
        } while (!$stop->(0.002) || $n <= 100);
        return $n;
    });
} @rooms;

# A user follows and leaves a room, and connects anew after some turns.  In the
# end every second one is there.
sub answer {
    my ($c, $json) = @_;
    my $n = ++$c->{id};

    $c->write($frame->(1, qq({"id":$n,$json})));
    while (1) {
        my $m = $c->next_message(time() + 30) or die "no answer to $json\n";
        for my $reply (map { JSON::PP::decode_json($_) } split /\n/, $m->{payload}) {
            next if ($reply->{id} || 0) != $n;
            die JSON::PP::encode_json($reply) if $reply->{error};
            return $reply;
        }
    }
}

my @users = map {
    my $i = $_;
    process(sub {
        my ($stop, $out) = @_;
        my $turns = 0;

        while (1) {
            my $c = Test::Im::Client->new(port => $port, timeout => 30);
            # a worker that has just come has no Redis yet
            if ($c->handshake('/user') != 101) { $stop->(0.05); next }
            my $token = Test::Im::Jwt::token('HS256 hs256 {"sub":"u' . $i . '"}');
            answer($c, qq("connect":{"token":"$token"}));
            for (1 .. 10) {
                answer($c, '"subscribe":{"channel":"1"}');
                my $end = $stop->(rand 0.05) && $turns >= 10;
                $turns++;
                if ($end && $i % 2) { syswrite $out, "$turns\n"; sleep 1 while getppid() == $parent; return 0 }
                answer($c, '"unsubscribe":{"channel":"1"}');
                return $turns if $end;
                $stop->(rand 0.05);
            }
            $c->write($frame->(8, pack 'n', 1000));
            close $c->{socket};
        }
    });
} 1 .. 6;

sub workers { return Test::Im::Stack::children($stack->{pids}{nginx}) }

for my $reload (1 .. $nreloads) {
    my %old = map { ($_ => 1) } workers();

    $stack->signal('HUP', 'nginx');
    # every third one at once behind the last: three generations
    next if $reload % 3 == 1;
    my $end = time() + 60;
    do { look(0.02) } while (time() < $end && grep { $old{$_} } workers());
    ok(!(grep { $old{$_} } workers()), "reload $reload: the old workers have ended");
    $end = time() + 0.2;
    look(0.02) while time() < $end;
}

my %n;
@n{@rooms} = map { ended($_) } @pushers;
cmp_ok($n{$_}, '>', 100, "room $_: $n{$_} messages") for @rooms;

my $end = time() + 30;
look(0.05) while time() < $end && grep { !$_->{closed} && $_->{got} !~ /<$n{$_->{room}}>/ } @clients;

is(scalar(grep { $_->{closed} } @clients), 0, 'no client was closed');

# Those that are there know of the others, each in its way.
my $turns = 0;
$turns += ended($_) for @users;
cmp_ok($turns, '>', 50, "users came and went: $turns times");

sub said {
    my ($c) = @_;
    my ($users) = $c->{got} =~ /.*"op":4,"roomId":1,"count":\d+,"roomUserInfo":(\{[^}]*\})/s or return 'nothing';
    return join ' ', sort keys %{JSON::PP::decode_json($users)};
}

my @im = grep { $_->{kind} =~ /^im/ && $_->{room} eq '1' } @clients;
$end = time() + 30;
look(0.05) while time() < $end && grep { said($_) ne 'u1 u3 u5' } @im;
is_deeply([ map { said($_) } @im ], [ ('u1 u3 u5') x @im ], 'the last room info is right');

my (%right, %all);
for my $c (@clients) {
    my @got = $c->{got} =~ /<(\d+)>/g;
    my $want = 0;
    my $what = "$c->{kind} in $c->{room}";
    $all{$what}++;
    for my $n (@got) {
        last if $n != ++$want;
    }
    if (@got == $n{$c->{room}} && $want == @got) { $right{$what}++; next }
    my $at = 0;
    $at++ while $at < @got && $got[$at] == $at + 1;
    my $from = $at > 3 ? $at - 3 : 0;
    my $to = $at + 6 < $#got ? $at + 6 : $#got;
    diag("$what: " . scalar(@got) . " of $n{$c->{room}}: ... @got[$from .. $to]");
}
is($right{$_} || 0, $all{$_}, "$_: each message once and in order") for sort keys %all;

my @lines = slurp($stack->node('nginx') . '/error.log') =~ /(\d+) sessions moved .*?(\d+) stay/g;
my ($moved, $stay) = (0, 0);
while (my ($m, $s) = splice @lines, 0, 2) { $moved += $m; $stay += $s }
cmp_ok($moved, '>=', @clients * $nreloads / 2, "$moved moves");
is($stay, 0, 'none stayed');
is_deeply([ $stack->alerts ], [], 'no alert');

if (!$ENV{IM_HANDOVER_REDIS} && Test::More->builder->is_passing) {
    $stack->end(1);
    local $ENV{IM_HANDOVER_REDIS} = 'cluster';
    my @libs = map { "-I$_" } grep { /\bt\/\w+\z/ } @INC;
    my $out = `$^X @libs $0 2>&1`;
    is($?, 0, 'with a cluster') or diag($out);
}

done_testing();
