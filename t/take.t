#!/usr/bin/perl
# Copyright (C) The im authors
#
# Sessions move between workers, and nobody who counts them sees it: the scripts
# are called by hand for workers that don't exist, up to three generations of
# them alive, while every question about counts and members is asked again and
# again.  Each answer must be the same.
#
#   IM_TAKE_MOVES=3000

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::Im::Client;
use Test::Im::File qw(slurp);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::Im::Tag qw(slot tag);
use Test::More;
use Time::HiRes qw(time);

my $nmoves = $ENV{IM_TAKE_MOVES} || 3000;
my $nrounds = 40;
my ($nsessions, $nusers, $nrooms, $uncounted) = (1200, 400, 4, 7);

my %script = map { $_ => slurp("redis/$_.lua") } qw(meta queue seen route take lease online);
$script{route} = $script{meta} . $script{queue} . $script{route};
$script{take} = $script{meta} . $script{take};
$script{$_} = $script{seen} . $script{$_} for qw(lease online);

my @sessions = map { sprintf '%08x-0000-4000-8000-0000000000aa', $_ } 1 .. $nsessions;
my %user = map { $sessions[$_] => 'u' . $_ % $nusers } 0 .. $#sessions;

# Who is in a topic.  In room 1 there are also sessions that are only counted.
my %topics = ('r:big' => [ @sessions ]);
push @{$topics{'r:' . ($_ % $nrooms + 1)}}, $sessions[$_] for 0 .. $#sessions;
push @{$topics{"u:$user{$sessions[$_]}"}}, $sessions[$_] for grep { $_ % $nusers < 3 } 0 .. $#sessions;
push @{$topics{'r:1'}}, map { "-$_" } 1 .. $uncounted;

my $port = ports();
my $stack = Test::Im::Stack->new(
    port => $port, workers => 1, access => 0, logic => [ '--http=127.0.0.1:' . ($port + 3) ],
    rules => "im_room * history=10 ttl=1m presence;\nim_inbox history=1 ttl=1m;\n",
    server => "location = /cf { im_comet protocol=centrifuge; im_auth none; }\n",
);
my $mover;

END {
    my $status = $?;
    if ($mover) { kill 'KILL', $mover; waitpid($mover, 0) }
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

$stack->start(qw(redis logic job nginx));
$stack->ready or die "pushes are not accepted\n";

my ($redis, $gen);

sub connect_redis {
    $redis = IO::Socket::UNIX->new(Peer => "$stack->{dir}/redis.sock") or die "redis: $!\n";
    my ($run) = r('INFO', 'server') =~ /run_id:(.{16})/;
    my ($two) = r('INFO', 'replication') =~ /master_replid2:(.{8})/;
    $gen = "$run$two";
}

sub r {
    print {$redis} join('', '*' . @_ . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @_) or die "redis: $!\n";
    $redis->flush;
    return Test::Im::Stack::reply($redis);
}

my %known;

sub script {
    my ($name, $nkeys, @args) = @_;

    $known{$name} ||= r('SCRIPT', 'LOAD', $script{$name});
    my $reply = r('EVALSHA', $known{$name}, $nkeys, @args);
    die "$name: $reply\n" if !ref $reply;
    return $reply;
}

sub key { my ($topic, $what) = @_; return 'im:{' . tag(slot($topic) % 16, '16e') . "}:$topic:$what" }
sub record { return "im:{reg}:n:$_[0]" }


# The workers: which sessions are where, as topics have it (%at) and as records do
# (%in), what each has written, and what it still reports of those that have gone.
my (@alive, %version, %at, %in, %gone, $start, $number);
my $fences = 2 ** 32;

sub worker { my $w = 'fake.0.' . base36(++$start + 1e9); push @alive, $w; return $w }

sub base36 {
    my ($n) = @_;
    my $text = '';

    do { $text = substr('0123456789abcdefghijklmnopqrstuvwxyz', $n % 36, 1) . $text; $n = int($n / 36) } while $n;
    return $text;
}

sub sketch {
    my %users = map { my ($n) = $user{$_} =~ /(\d+)/; ($n => 1) } @_;
    return pack 'C n (Q>)*', 1, scalar(keys %users), map { ($_ + 1) * 1_000_003 * 4_000_000_007 } sort { $a <=> $b } keys %users;
}

sub renew {
    my ($w, @moves) = @_;
    my @own = grep { ($in{$_} || '') eq $w } @sessions;
    my $rooms = join '', map { my $t = $_; my $n = grep { $_ eq $w } values %{$at{$t}};
                               $n ? "$n " . substr($t, 2) . "\n" : () } grep { /^r:/ } sort keys %topics;
    my @counts = @own ? (sessions => scalar @own, subs => 3 * @own, protocols => 'im ' . @own)
                      : (sessions => 0, subs => 0, protocols => '');

    # a worker that gives sessions away itself writes no counts
    @counts = () if @moves && rand() < 0.5;
    script('lease', 5 + @moves, 'im:{reg}:nodes', record($w), 'im:{reg}:t:fake', 'im:{reg}:revoked',
           'im:{reg}:s:nodes', (map { record($_->[0]) } @moves), $w, 12000, 'token', $gen, node => 'fake',
           users => sketch(@own), rooms => $rooms, @counts,
           map { my ($from, $n) = @$_; ('<', ++$number, $fences, 0, sessions => $n, subs => 3 * $n, protocols => "im $n") } @moves);
}

sub route {
    my ($w, $topic, $count, @members) = @_;
    my $v = ++$version{$w};

    script('route', 6, key($topic, 'w'), key($topic, "k:$w"), key($topic, 'm'), key($topic, 'h'), key($topic, "x:$w"),
           'im:{' . tag(slot($topic) % 16, '16e') . '}:q', $w, $count, $v, 1000, 2000, $gen, $topic, '', 1000,
           @members)->[0] == 1 or die "route of $w, $topic\n";
}

sub member { my ($s) = @_; return qq({"user":"$user{$s}","name":"N$user{$s}"}) }

# A new worker: its lease, then a route of each topic, with nobody.
sub begin {
    my $w = worker();

    r('SET', 'test:start', $start);
    renew($w);
    route($w, $_, 0) for sort keys %topics;
    return $w;
}

sub fence { my ($w) = @_; return (int($version{$w} / $fences) + 1) * $fences }

sub number { my ($w, $topic) = @_; return scalar grep { $_ eq $w } values %{$at{$topic}} }

# A worker reports topics as if none had gone since it has passed a fence.
sub report { my ($w, @topics) = @_; route($w, $_, number($w, $_) + ($gone{$w}{$_} || 0)) for @topics }

# It knows that all have gone that went before a fence.
sub passes {
    my ($w) = @_;
    my @lent = sort keys %{$gone{$w}};

    $version{$w} = fence($w);
    delete $gone{$w};
    report($w, @lent);
}

# Some sessions of topics go from one worker to another; each topic has a step of its own.
sub take {
    my ($from, $to, $most, @topics) = @_;
    my $moved = 0;

    for my $topic (@topics) {
        my $at = $at{$topic};
        my @go = grep { $at->{$_} eq $from } keys %$at;

        splice @go, $most if @go > $most;
        next unless @go;
        $at->{$_} = $to for @go;
        $gone{$from}{$topic} += @go;
        my @members = map { ($_ => member($_)) } grep { !/^-/ } @go;
        my $reply = script('take', 4, key($topic, 'w'), key($topic, "k:$to"), key($topic, "k:$from"),
                           key($topic, "x:$to"), $to, $from, 1000, fence($from), number($to, $topic) + ($gone{$to}{$topic} || 0),
                           ++$version{$to}, scalar @go, @members / 2, @members);
        die "take: @$reply\n" if $reply->[0] != 1;
        $moved++;
    }

    return $moved;
}

# The same of what their records count.
sub count {
    my ($from, $to, $most) = @_;
    my @go = grep { $in{$_} eq $from } @sessions;

    splice @go, $most if @go > $most;
    return 0 unless @go;
    $in{$_} = $to for @go;
    renew($to, [ $from, scalar @go ]);
    return 1;
}

# A worker whose sessions have all gone leaves, and gives up its lease.
sub leave {
    my ($w) = @_;

    renew($_) for grep { $_ ne $w } @alive;
    route($w, $_, '-') for sort keys %topics;
    script('lease', 5, 'im:{reg}:nodes', record($w), 'im:{reg}:t:fake', 'im:{reg}:revoked', 'im:{reg}:s:nodes', $w, 0,
           'token', $gen);
    @alive = grep { $_ ne $w } @alive;
}

sub move {
    my @names = sort keys %topics;
    my ($moves, $next) = (0, 30);

    while (1) {
        my $i = int rand $#alive;
        my ($from, $to) = @alive[$i, $i + 1 + int rand($#alive - $i)];

        $moves += take($from, $to, 1 + int rand 60, $names[rand @names]);
        $moves += count($from, $to, 1 + int rand 60) if rand() < 0.3;

        # reports that cross what others take, and some behind that
        report($alive[rand @alive], $names[rand @names]) if rand() < 0.3;
        passes($alive[rand @alive]) if rand() < 0.1;

        # an older worker writes what it has, once younger ones have written theirs
        if (rand() < 0.05) { renew($_) for reverse @alive }

        if ($moves >= $next) {
            if (@alive == 3) {
                my ($old, @to) = @alive;
                while (take($old, $to[rand @to], 200, @names)) { $moves++ }
                count($old, $to[0], $nsessions);
                leave($old);
            }
            begin();
            $next = $moves + 30;
        }

        r('SET', 'test:moves', $moves);
    }
}


connect_redis();
begin();
$at{$_} = { map { ($_ => $alive[0]) } @{$topics{$_}} } for keys %topics;
%in = map { ($_ => $alive[0]) } @sessions;
for my $topic (sort keys %topics) {
    my @all = @{$topics{$topic}};
    my @members = map { ("+$_" => member($_)) } grep { !/^-/ } @all;
    route($alive[0], $topic, scalar @all, splice @members, 0, 500) while @members;
}
renew($alive[0]);
begin();


# What is asked, and what the answer says.
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

my $client = Test::Im::Client->new(port => $port);
my $id = 0;

sub command {
    my ($json) = @_;
    my $n = ++$id;

    $client->write(Test::Im::Client::frame(1, qq({"id":$n,$json})));
    while (1) {
        my $m = $client->next_message(time() + 20) or die "no answer to $json\n";
        next if $m->{opcode} != 1;
        for my $line (split /\n/, $m->{payload}) {
            my $reply = JSON::PP::decode_json($line);
            return $reply if ($reply->{id} || 0) == $n;
            $client->write(Test::Im::Client::frame(1, '{}')) if !%$reply;
        }
    }
}

is($client->handshake('/cf'), 101, 'a client of another worker');
command('"connect":{}');
ok(!command('"subscribe":{"channel":"' . $_ . '"}')->{error}, "follows $_") for 1, 'big';

my $per_room = $nsessions / $nrooms;
my $users_of_room = 100;                     # each user's sessions are in one room
my %rooms = (big => $nsessions + 1, 1 => $per_room + $uncounted + 1, map { ($_ => $per_room) } 2 .. $nrooms);

sub rooms { my ($list) = @_; return join ' ', sort map { "$_->{room}=$_->{count}" } @$list }
sub sum { my $n = 0; $n += $_ for @_; return $n }
sub api { my ($command, $channel) = @_; return ask('POST', "/api/$command", qq({"channel":"$channel"})) }

# Records of all workers that may live now, by their names.
sub records { my $n = r('GET', 'test:start'); return map { record('fake.0.' . base36($_ + 1e9)) } $n - 9 .. $n + 20 }

my %ask = (
    'GET /im/online' => [ sub { my $a = ask('GET', '/im/online'); "$a->{connections} $a->{users}" },
                          ($nsessions + 1) . " $nusers" ],
    'GET /im/rooms' => [ sub { rooms(ask('GET', '/im/rooms?top=100')->{rooms}) },
                         join ' ', sort map { "$_=$rooms{$_}" } keys %rooms ],
    'GET /im/rooms, the largest' => [ sub { rooms(ask('GET', '/im/rooms?top=2')->{rooms}) },
                                      "1=$rooms{1} big=$rooms{big}" ],
    'GET /im/nodes' => [ sub { my $a = ask('GET', '/im/nodes');
                               my ($fake) = grep { $_->{node} eq 'fake' } @{$a->{nodes}};
                               my @live = grep { $_->{state} ne 'away' } @{$fake->{workers}};
                               join ' ', $a->{sessions}, $fake->{sessions},
                                   map { my $what = $_; sum(map { $_->{$what} } @live) } qw(sessions subscriptions) },
                         join ' ', $nsessions + 1, $nsessions, $nsessions, 3 * $nsessions ],
    'protocols of /im/nodes' => [ sub { my $a = ask('GET', '/im/nodes');
                               sum(map { $_->{protocols}{im} || 0 } map { @{$_->{workers}} } @{$a->{nodes}}) },
                           $nsessions ],
    'GET /im/rooms/1' => [ sub { my $a = ask('GET', '/im/rooms/1');
                                 join ' ', $a->{count}, scalar @{$a->{users}}, sum(map { $_->{sessions} } @{$a->{users}}) },
                           "$rooms{1} $users_of_room $per_room" ],
    'GET /im/rooms/big, in pages' => [ sub { my $a = ask('GET', '/im/rooms/big');
                                 join ' ', $a->{count}, scalar @{$a->{users}}, sum(map { $_->{sessions} } @{$a->{users}}) },
                           "$rooms{big} $nusers $nsessions" ],
    (map { my $u = $_; ("GET /im/users/$u" => [ sub { my $a = ask('GET', "/im/users/$u");
                                 join ' ', $a->{online} ? 1 : 0, sort map { $_->{session} } @{$a->{sessions}} },
                           join ' ', 1, sort @{$topics{"u:$u"}} ]) } 'u0', 'u2'),
    'presence of /api' => [ sub { my $p = api('presence', 2)->{presence}; join ' ', sort keys %$p },
                            join ' ', sort @{$topics{'r:2'}} ],
    'presence_stats of /api' => [ sub { my $s = api('presence_stats', 2); "$s->{num_clients} $s->{num_users}" },
                                  "$per_room $users_of_room" ],
    'channels of /api' => [ sub { my $c = ask('POST', '/api/channels', '{}')->{channels};
                                  join ' ', sort map { "$_=$c->{$_}{num_clients}" } keys %$c },
                            join ' ', sort map { "$_=$rooms{$_}" } keys %rooms ],
    'info of /api' => [ sub { sum(map { $_->{num_clients} } @{ask('POST', '/api/info', '{}')->{nodes}}) },
                        $nsessions + 1 ],
    'total of goim' => [ sub { ask('GET', '/goim/online/total')->{conn_count} }, $nsessions + 1 ],
    'presence, asked by a client' => [ sub { my $p = command('"presence":{"channel":"1"}')->{presence}{presence};
                                             scalar keys %$p },
                                       $per_room + 1 ],
    'presence_stats, asked by a client' => [ sub { my $s = command('"presence_stats":{"channel":"big"}')->{presence_stats};
                                                   "$s->{num_clients} $s->{num_users}" },
                                             ($nsessions + 1) . ' ' . ($nusers + 1) ],
    'records, as one step' => [ sub {
        my @records = records();
        my $a = script('online', 2 + @records, 'im:{reg}:nodes', 'im:{reg}:s:nodes', @records, 12000, 4096, $gen,
                       'sessions', 'subs');
        join ' ', map { my $i = $_; sum(map { $_->[$i] || 0 } @{$a->[1]}) } 0, 1 },
        $nsessions . ' ' . 3 * $nsessions ],
);


# At first im_logic has to read the registry.
my $first;
for (1 .. 200) {
    $first = $ask{'GET /im/online'}[0]->();
    last if $first eq $ask{'GET /im/online'}[1];
    select(undef, undef, undef, 0.05);
}
is($first, $ask{'GET /im/online'}[1], 'all are counted');

$mover = fork();
die "fork: $!\n" unless defined $mover;
if ($mover == 0) {
    $SIG{TERM} = sub { POSIX::_exit(0) };
    eval { connect_redis(); %known = (); srand(1); move() };
    print STDERR "mover: $@";
    POSIX::_exit(1);
}

my (%wrong, %seen);
my $moves = 0;
my $rounds = 0;

while ($moves < $nmoves || $rounds < $nrounds) {
    for my $what (sort keys %ask) {
        my ($code, $want) = @{$ask{$what}};
        my $got = $code->();

        $seen{$what}++;
        next if $got eq $want;
        $wrong{$what}++ or diag("$what, move $moves: " . substr($got, 0, 300) . " instead of " . substr($want, 0, 300));
    }

    $rounds++;
    $moves = r('GET', 'test:moves') || 0;
    last if waitpid($mover, POSIX::WNOHANG()) != 0;
}

ok(kill('TERM', $mover), "sessions moved $moves times");
is($wrong{$_} || 0, 0, "$_: the same in each of $seen{$_} answers") for sort keys %ask;
ok($stack->{pids}{nginx}, 'nginx');
done_testing();
