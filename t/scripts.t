#!/usr/bin/perl

# The scripts that run inside Redis, alone: numbers, epochs, history, routes,
# leases and sweeps, through restarts and losses.

use strict;
use warnings;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use Test::Im::Redis;
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = tempdir(CLEANUP => 1);
my $sock = "$dir/redis.sock";
my ($pid, $conn, %sha, $gen);

my %text = map { $_ => slurp("redis/$_.lua") }
    qw(meta queue backlog seen live online pub route take check hist page members forget lease sweep own jobs control revoke limit
       register login token kept names);
$text{$_} = $text{queue} . $text{$_} for qw(pub route control);
$text{$_} = $text{meta} . $text{$_} for qw(pub route take);
$text{$_} = $text{seen} . $text{$_} for qw(lease live online jobs);

sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub start {
    $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>>', "$dir/redis.log");
        exec('redis-server', '--port', 0, '--unixsocket', $sock, '--dir', $dir,
             '--save', '', '--appendonly', 'yes', '--appendfsync', 'always',
             '--repl-backlog-ttl', 0);
        exit(127);
    }

    Test::Im::Stack::until_true(60, sub {
        $conn = IO::Socket::UNIX->new(Peer => $sock);
        return $conn && (r('PING') // '') eq 'PONG';
    }) or die "redis doesn't answer\n";

    my ($run) = r('INFO', 'server') =~ /run_id:(.{16})/;
    my ($two) = r('INFO', 'replication') =~ /master_replid2:(.{8})/;
    $gen = "$run$two";
}

sub stop {
    my ($signal) = @_;

    return unless $pid;
    kill($signal, $pid);
    waitpid($pid, 0);
    unlink($sock);
    $pid = 0;
}

END { my $status = $?; stop('KILL'); $? = $status; }

sub r {
    my $out = '*' . @_ . "\r\n";

    $out .= '$' . length($_) . "\r\n$_\r\n" for @_;
    print {$conn} $out or return undef;
    $conn->flush();

    return reply();
}

sub reply {
    my $line = <$conn>;

    return undef unless defined $line;
    $line =~ s/\r\n$//;
    my $type = substr($line, 0, 1, '');

    return "ERR $line" if $type eq '-';
    return $line if $type eq '+' || $type eq ':';

    return undef if $line < 0;
    return [ map { reply() } 1 .. $line ] if $type eq '*';

    read($conn, my $data, $line + 2);
    return substr($data, 0, $line);
}

sub script {
    my ($name, $nkeys, @args) = @_;

    return r('EVAL', $text{$name}, $nkeys, @args);
}

my %o = (history => 100, ttl => 1000, cap => 1000, hash => 'h');

sub pub {
    my ($t, $id, %a) = (@_);

    %a = (%o, %a);
    return script('pub', 5, "{1}:$t:m", "{1}:$t:h", '{1}:q', "{1}:d:$t:$id",
                  "{1}:$t:w", $t, $a{data} // "data $id", $a{hash},
                  $a{gen} // $gen, $a{history}, $a{ttl}, 2000, 60, $a{cap});
}

sub route {
    my ($t, $w, $count, $version, @members) = @_;
    my %a = (control => '', cap => 1000);

    %a = (%a, %{ pop @members }) if ref $members[-1];
    return script('route', 6, "{1}:$t:w", "{1}:$t:k:$w", "{1}:$t:m",
                  "{1}:$t:h", "{1}:$t:x:$w", '{1}:q', $w, $count, $version,
                  1000, 2000, $gen, $t, @a{qw(control cap)}, @members);
}

sub hist {
    my ($t, $epoch, $seq, $limit) = @_;

    my $h = script('hist', 2, "{1}:$t:m", "{1}:$t:h", $epoch, $seq,
                   $limit // 100);
    return ref $h ? ($h->[0], scalar @{ $h->[4] }, $h) : $h;
}

sub status { return (hist(@_))[0] }

sub lease {
    my ($w, $ms, $token) = @_;

    return script('lease', 5, '{reg}:nodes', "{reg}:n:$w", '{reg}:t:n',
                  '{reg}:revoked', '{reg}:s:nodes', $w, $ms, $token // 'tok',
                  $gen, 'sessions', 1);
}

sub live {
    return script('live', 2, '{reg}:nodes', '{reg}:s:nodes', @_);
}

sub jobs {
    return script('jobs', 2, '{reg}:jobs', '{reg}:s:jobs', @_, $gen);
}

sub now {
    my $t = r('TIME');

    return $t->[0] * 1000 + int($t->[1] / 1000);
}

# No lease is in doubt any more.
sub settle { r('HSET', '{reg}:s:nodes', 'h', 0) }

# The last call was so many ms ago, when live.lua is run; with leases that are
# as much older.
sub paused {
    my ($ms, @args) = @_;

    return r('EVAL', <<"    LUA" . $text{live}, 2, '{reg}:nodes',
    do
      local t = redis.call('TIME')
      local last = tonumber(redis.call('HGET', KEYS[2], 't'))
      local to = t[1] * 1000 + math.floor(t[2] / 1000) - $ms
      redis.call('HSET', KEYS[2], 't', to)
      for _, who in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
        redis.call('ZINCRBY', KEYS[1], to - last, who)
      end
    end
    LUA
             '{reg}:s:nodes', 12000, @args);
}

my $n = 0;
sub ids { return map { 'i' . ++$n } 1 .. $_[0] }

start();

my $p;

subtest 'history is as long as it should be' => sub {
    pub('r:len', $_, history => 3) for ids(250);
    is(r('XLEN', '{1}:r:len:h'), 3, 'three');
    is_deeply([ map { $_->[0] } @{ r('XRANGE', '{1}:r:len:h', '-', '+') } ],
              [qw(248-1 249-1 250-1)], 'the last ones');
    pub('r:len', $_, history => 1000) for ids(1300);
    my $len = r('XLEN', '{1}:r:len:h');
    ok($len >= 1000 && $len <= 1100, 'a thousand, and up to 100 more')
        or diag($len);
};

subtest 'a push and its repetition' => sub {
    $p = pub('r:a', 'x');
    is($p->[0], 0, 'accepted');
    like($p->[1], qr/^[0-9a-f]{17}:1$/, 'the first number is 1');
    r('EXPIRE', '{1}:d:r:a:x', 5);
    my $again = pub('r:a', 'x');
    is_deeply($again, [1, $p->[1], 0], 'same id: same number');
    cmp_ok(r('TTL', '{1}:d:r:a:x'), '>', 5, 'it writes, for WAIT: a new life');
    is(pub('r:a', 'x', hash => 'other')->[0], 3, 'another payload');
    my $gone = pub('r:gone', 'x');
    r('DEL', '{1}:r:gone:m', '{1}:r:gone:h');
    is_deeply(pub('r:gone', 'x'), [1, $gone->[1], 0], 'same id, without numbers');
    is(pub('r:gone', 'x', hash => 'other')->[0], 3, 'and another payload');
    is(r('EXISTS', '{1}:r:gone:m'), 0, 'a repetition begins no epoch');
    is(pub('r:b', 'x')->[0], 0, 'the same id of another topic');
    is(r('XLEN', '{1}:q'), 0, 'nobody follows: not queued');
};

subtest 'a message outside of the history' => sub {
    is(route('r:live', 'w1', 1, 1)->[0], 1, 'joined');
    pub('r:live', ids(1));
    my $meta = r('HGETALL', '{1}:r:live:m');
    my $n = r('XLEN', '{1}:q');
    my $live = pub('r:live', 'live', history => '');
    is_deeply($live, [0, '-:0', 1], 'accepted, without a number');
    is_deeply(pub('r:live', 'live', history => ''), [1, '-:0', 0],
              'same id: not again');
    is(pub('r:live', 'live', history => '', hash => 'other')->[0], 3,
       'another payload');
    is(r('XLEN', '{1}:q'), $n + 1, 'queued once');
    is(r('XLEN', '{1}:r:live:h'), 1, 'not stored');
    my $mark = r('HGET', '{1}:r:live:m', 'u');
    is_deeply({ @{ r('HGETALL', '{1}:r:live:m') } }, { @$meta, u => $mark }, 'numbers are as before');
    is(r('XREVRANGE', '{1}:q', '+', '-')->[0][1][3], "-$mark:0", 'it has a mark');
    cmp_ok($mark, '>', time() * 1e6 - 1e9, 'which was never given before');
    pub('r:live', ids(1), history => '');
    is(r('XREVRANGE', '{1}:q', '+', '-')->[0][1][3], '-' . ($mark + 1) . ':0', 'the next one follows');
    is(route('r:live', 'w2', 1, 1)->[6], $mark + 1, 'who joins knows it');
    is(route('r:live', '', '', 0)->[6], $mark + 1, 'and who asks');
    r('DEL', '{1}:r:live:m');
    pub('r:live', ids(1), history => '');
    cmp_ok(r('HGET', '{1}:r:live:m', 'u'), '>', $mark + 1, 'marks rise without meta');
    cmp_ok(r('TTL', '{1}:r:live:m'), '>', 0, 'which has a life');
    $mark = r('HGET', '{1}:r:live:m', 'u');
    r('HSET', '{1}:r:live:m', 'e', 'e', 's', 1, 'g', 'another', 'p', '');
    my $all = $mark + 5e6;
    is(r('HSET', '{1}:r:live:m', 'u', $all), 0, 'the clock was set back');
    is(route('r:live', '', '', 0)->[6], $all, 'nothing is on its way behind the last mark');
    is(route('r:live', '', '', 0)->[6], $all, 'as long as none is given');
    is(route('r:live', 'w2', 1, 1)->[6], $all, 'in any answer');
    pub('r:live', ids(1), history => '');
    is(r('HGET', '{1}:r:live:m', 'u'), $all + 1e6, 'Redis may have lost some: they are skipped');
    pub('r:live', ids(1), history => '');
    is(r('HGET', '{1}:r:live:m', 'u'), $all + 1e6 + 1, 'once');
    route('r:live', 'w2', '-', 2);
    is(pub('r:live', 'full', history => '', cap => 1)->[0], 2, 'full: refused');
    is(pub('r:nobody', 'live', history => '')->[0], 0, 'nobody follows');
    is(r('EXISTS', '{1}:r:nobody:m'), 0, 'and nothing of the room is left');
    r('DEL', '{1}:q');
};

subtest 'the queue' => sub {
    is(route('r:q', 'w1', 1, 1)->[0], 1, 'joined');
    is(pub('r:q', ids(1))->[2], 1, 'one worker');
    is(pub('r:q', 'full', cap => 1)->[0], 2, 'full: refused');
    is(r('HGET', '{1}:r:q:m', 's'), 1, 'and nothing written');
    is(pub('r:free', ids(1), cap => 1)->[0], 0, 'what is not queued passes');
    is(pub('b', ids(1), cap => 1)->[0], 2, 'b is always queued');
    my $e = r('XRANGE', '{1}:q', '-', '+');
    is_deeply([ @{ $e->[0][1] }[0, 1, 4, 5] ], [qw(t r:q w w1)], 'entry');
};

subtest 'the bell' => sub {
    my $calls = $conn;
    my $pubsub = IO::Socket::UNIX->new(Peer => $sock);
    my $heard = sub { $conn = $pubsub; my $m = reply(); $conn = $calls; $m->[2] };
    my $id = sub { r('XREVRANGE', '{1}:q', '+', '-', 'COUNT', 1)->[0][0] };
    my $bell = sub { pack 'NC/aC/aC/aN/aa*', $_[0], $id->(), @_[1 .. 4] };

    print {$pubsub} "SSUBSCRIBE {1}:q\r\n";
    is($heard->(), 1, 'listens');

    r('DEL', '{1}:q');
    route('r:bell', 'w1', 1, 1);
    my $p = pub('r:bell', ids(1), data => 'x y');
    is($heard->(), $bell->(0, 'r:bell', $p->[1], 'w1', 'x y'), 'has the entry');

    pub('r:bell', ids(1), data => 'z' x 9000);
    is($heard->(), pack('NC/a', 1, $id->()), 'but for a long one');

    script('control', 2, '{1}:q', '{1}:r:bell:w', 'r:bell', 'who', 1000, '*');
    is($heard->(), $bell->(2, 'r:bell', '', '*', 'who'), 'of control.lua');

    route('r:bell', 'w2', 1, 1, { control => 'who' });
    is($heard->(), $bell->(3, 'r:bell', '', 'w1', 'who'), 'of route.lua');

    pub('r:unheard', ids(1));
    pub('r:bell', 'full', cap => 4);
    pub('r:bell', 'twice', data => 'a');
    pub('r:bell', 'twice', data => 'a');
    is(unpack('N', $heard->()), 4, 'not for what is not queued');

    pub('r:bell', ids(1)) for 5 .. 64;
    is(unpack('N', $heard->()), $_, "bell $_") for 5 .. 63;
    is(r('XLEN', '{1}:q'), 65, 'a long queue');
    r('DEL', '{1}:q');
    pub('r:bell', ids(1));
    is(unpack('N', $heard->()), 0, "doesn't ring");
    r('DEL', '{1}:q');
};

subtest 'history' => sub {
    my ($e) = $p->[1] =~ /^(.*):/;

    pub('r:a', $_) for ids(9);
    is_deeply([ (hist('r:a', $e, 3))[0, 1] ], [0, 7], 'complete');
    is_deeply([ (hist('r:a', $e, 3, 5))[0, 1] ], [1, 5], 'more');
    is_deeply([ (hist('r:a', $e, 10))[0, 1] ], [0, 0], 'at top');
    is(status('r:a', $e, 11), 2, 'ahead of top: hole');
    is(status('r:a', 'nonsense', 1), 2, 'unknown epoch: hole');
    is_deeply([ (hist('r:a', '', 0))[0, 1] ], [0, 10], 'a window');
    is(status('r:none', '', 0), 0, 'a topic that never was');
    is(status('r:none', 'e', 1), 2, 'and a position in it');

    pub('r:t', $_) for ids(1000);
    my ($te) = r('HGET', '{1}:r:t:m', 'e');
    my (undef, $got, $w) = hist('r:t', '', 0, 1000);
    my ($first) = $w->[4][0][0] =~ /^(\d+)/;
    cmp_ok($got, '>=', 100, 'at least what is configured is kept');
    is(status('r:t', $te, $first - 1, 1000), 0, 'from its start');
    is(status('r:t', $te, $first - 2, 1000), 2, 'before its start: hole');

    pub('r:j', $_) for ids(5);
    pub('r:j', $_, history => 0) for ids(4);
    pub('r:j', $_) for ids(1);
    my $je = r('HGET', '{1}:r:j:m', 'e');
    is(status('r:j', $je, 3), 2, 'a jump inside: hole');
    is(status('r:j', $je, 9), 0, 'behind the jump: complete');
};

subtest 'pages' => sub {
    my $page = sub {
        my $v = script('page', 2, '{1}:r:p:m', '{1}:r:p:h', @_);
        return join ' ', map { $_->[0] =~ /^(\d+)/ } @{ $v->[3] };
    };

    is_deeply(script('page', 2, '{1}:r:p:m', '{1}:r:p:h', '', '', 9, 1000),
              ['', 0, '', []], 'a topic that never was');
    pub('r:p', $_) for ids(30);
    my $e = r('HGET', '{1}:r:p:m', 'e');
    is_deeply(script('page', 2, '{1}:r:p:m', '{1}:r:p:h', '', '', 0, 1000),
              [$e, 30, '', []], 'where it stands');
    is($page->('', '', 100, 100000), join(' ', 1 .. 30), 'upwards');
    is($page->('', '', 3, 100000), '1 2 3', 'some');
    is($page->('', 4, 9, 100000), join(' ', 5 .. 13), 'behind a number');
    is($page->('', 29, 9, 100000), '30', 'the last one');
    is($page->('', 30, 9, 100000), '', 'nothing behind the last');
    is($page->('', 99, 9, 100000), '', 'nor behind what never was');
    is($page->('1', '', 3, 100000), '30 29 28', 'downwards');
    is($page->('1', 12, 10, 100000), join(' ', reverse 2 .. 11),
       'before a number');
    is($page->('1', 1, 10, 100000), '', 'nothing before the first');
    is($page->('', '', 100, 1), '1', 'one at least');
    my $n = () = $page->('', '', 100, 60) =~ /\d+/g;
    cmp_ok($n, '<', 30, 'about so many bytes');
};

subtest 'a history is emptied' => sub {
    my $forget = sub { script('forget', 2, "{1}:$_[0]:m", "{1}:$_[0]:h")->[0] };

    is($forget->('r:nobody'), 0, 'of a topic that nobody knows');
    is(r('EXISTS', '{1}:r:nobody:m'), 0, 'which stays so');

    my $at;

    $at = pub('r:f', $_)->[1] for 1 .. 3;
    my ($epoch) = split /:/, $at;

    is($forget->('r:f'), 3, 'up to the last one');
    is(r('EXISTS', '{1}:r:f:h'), 0, 'is gone');
    is((hist('r:f', $epoch, 2))[0], 2, 'who was behind has a hole');
    is((hist('r:f', $epoch, 3))[0], 0, 'who was not has none');
    is(pub('r:f', 4)->[1], "$epoch:4", 'epoch and numbers go on');
    is((hist('r:f', $epoch, 3))[1], 1, 'from there');
    is((hist('r:f', $epoch, 2))[0], 2, 'only');
};


subtest 'routes' => sub {
    my $queued = sub {
        pub($_[0], ids(1));
        return {@{ r('XREVRANGE', '{1}:q', '+', '-', 'COUNT', 1)->[0][1] }}->{w};
    };
    my $v = route('r:m', 'w1', 2, 5, '+s1', 'a', '+s2', 'b');
    is($v->[0], 1, 'joined');
    is(route('r:m', 'w1', 1, 5)->[0], 0, 'the same version: refused');
    is(route('r:m', 'w1', 1, 4)->[4], '2:5', 'an older one is told');
    is(r('HLEN', '{1}:r:m:k:w1'), 2, 'members');
    r('EXPIRE', $_, 5) for '{1}:r:m:k:w1', '{1}:r:m:w';
    route('r:m', 'w1', 2, 6);
    cmp_ok(r('TTL', $_), '>', 5, "$_ is kept when its count is told again")
        for '{1}:r:m:k:w1', '{1}:r:m:w';
    route('r:m', 'w1', 2, 7, '-s1', '', '+s3', 'c');
    is_deeply([ sort @{ r('HKEYS', '{1}:r:m:k:w1') } ], [qw(s2 s3)],
              'changed');
    route('r:m', 'w1', 1, 8, '=', '', '+s9', 'z');
    is_deeply(r('HKEYS', '{1}:r:m:k:w1'), ['s9'], 'asserted again');
    is(route('r:m', 'w1', '-', 9)->[0], 1, 'left');
    is(r('EXISTS', '{1}:r:m:w', '{1}:r:m:k:w1'), 0, 'nothing is left behind');
    is(route('r:m', 'w1', 1, 8)->[0], 0, 'a late join does not come back');
    is(route('r:m', 'w1', 1, 10)->[0], 1, 'a new one does');
    is(route('r:m', 'w1', 0, 11)->[0], 1, 'there, with no follower yet');
    is(r('HGET', '{1}:r:m:w', 'w1'), '0:11', 'which is a route');
    is($queued->('r:m'), 'w1', 'that gets messages');
    is(route('r:m', 'w1', 1, 12)->[0], 1, 'until followers come');

    my $j = route('r:new', 'w1', 1, 1);
    my $q = pub('r:new', ids(1));
    is("$j->[1]:" . ($j->[2] + 1), $q->[1], 'join, then push: one numbering');
    is(route('r:new', '', 0, 0)->[2], 1, 'only asked');
};

# Versions of reports pass a multiple of this where sessions that went through a channel count no more.
my $fence = 2 ** 32;

# Sessions of each topic move from one worker to another: [topic, count, version, moved, members ...] each.
sub take { return take_through($fence, @_) }

sub take_through {
    my ($before, $new, $old, @topics) = @_;

    return script('take', 4 * @topics,
                  (map { my $t = $_->[0];
                         ("{1}:$t:w", "{1}:$t:k:$new", "{1}:$t:k:$old", "{1}:$t:x:$new") } @topics),
                  $new, $old, 1000, $before,
                  map { my (undef, $count, $version, $moved, @members) = @$_;
                        ($count, $version, $moved, @members / 2, @members) } @topics);
}

# A topic's routes, and the members of a worker.
sub routes { return { @{ r('HGETALL', "{1}:$_[0]:w") } } }
sub members { return { @{ r('HGETALL', "{1}:$_[0]:k:$_[1]") } } }

subtest 'sessions move to another worker' => sub {
    route('r:mv', 'old', 5, 7, map { ("+s$_", "j$_") } 1 .. 4);
    route('r:mv', 'new', 0, 1);
    r('EXPIRE', '{1}:r:mv:w', 5);

    is_deeply(take('new', 'old', ['r:mv', 3, 2, 3, s1 => 'j1', s3 => 'j3']), [1, ''], 'three, two of them members');
    is_deeply(routes('r:mv'), { old => '2:7:3', new => '3:2' }, 'their count went with them');
    is_deeply(members('r:mv', 'old'), { s2 => 'j2', s4 => 'j4' }, 'members that stay');
    is_deeply(members('r:mv', 'new'), { s1 => 'j1', s3 => 'j3' }, 'and those that went');
    cmp_ok(r('TTL', $_), '>', 900, "$_ lives") for '{1}:r:mv:w', '{1}:r:mv:k:new';

    my $again = sub { is_deeply(routes('r:mv'), { old => '2:7:3', new => '3:2' }, "$_[0]: nothing is done") };
    is_deeply(take('new', 'old', ['r:mv', 3, 2, 3, s1 => 'j1']), [1, ''], 'the same version again');
    $again->('again');
    is_deeply(take('new', 'old', ['r:mv', 9, 1, 2]), [0, '3:2'], 'an older version');
    $again->('older');

    is_deeply(take('new', 'old', ['r:mv', 4, 3, 2, s2 => '', s4 => 'j4b']), [1, ''], 'the rest; one has left since');
    is_deeply(routes('r:mv'), { old => '0:7:5', new => '4:3' }, 'the old worker is there with nobody');
    is(r('EXISTS', '{1}:r:mv:k:old'), 0, 'and has no member');
    is_deeply(members('r:mv', 'new'), { s1 => 'j1', s3 => 'j3', s4 => 'j4b' }, 'all that are left');
    is_deeply(take('new', 'old', ['r:mv', 4, 4, 9]), [1, ''], 'more than there were');
    is_deeply(routes('r:mv'), { old => '0:7:14', new => '4:4' }, 'is nobody');

    is(route('r:mv', 'old', '-', 8)->[0], 1, 'the old worker leaves');
    is_deeply(take('new', 'old', ['r:mv', 5, 5, 1, s5 => 'j5']), [1, ''], 'a move from a worker that left');
    is_deeply(routes('r:mv'), { new => '5:5' }, 'which stays away');
    is(members('r:mv', 'new')->{s5}, 'j5', 'and its member is here');
    is(route('r:mv', 'new', '-', 6)->[0], 1, 'the new worker leaves');
    is_deeply(take('new', 'old', ['r:mv', 5, 5, 1, s5 => 'j5']), [0, '0:6'], 'a late call comes');
    is(r('EXISTS', '{1}:r:mv:w', '{1}:r:mv:k:new'), 0, 'and makes nothing');

    # several topics, one of which can't be moved, and values of another type

    route("r:mv$_", 'old', 1, 1, '+s', 'j') for 1 .. 3;
    r('SET', '{1}:r:mv1:k:new', 'x');
    r('SET', '{1}:r:mv2:w', 'x');
    is_deeply(take('new', 'old', map { ["r:mv$_", 1, 2, 1, s => 'j'] } 1 .. 3), [(1, '') x 3], 'three topics');
    is_deeply(routes('r:mv1'), { old => '0:1:1', new => '1:2' }, 'members of another type: moved');
    is_deeply(members('r:mv1', 'new'), { s => 'j' }, 'with its member');
    is_deeply(routes('r:mv2'), { new => '1:2' }, 'routes of another type made way');
    is_deeply(routes('r:mv3'), { old => '0:1:1', new => '1:2' }, 'the third one');
    like(take('new', 'old', ['r:mv3', 2, 'x', 1], ['r:mv1', 3, 5, 0])->[1], qr/nil/, 'a wrong argument is an error');
    is(routes('r:mv1')->{new}, '3:5', 'of its topic alone');

    # chains: what one has taken the next one takes

    route('r:mvc', 'w1', 2, 1, '+a', '1', '+b', '2');
    for my $n (2 .. 5) {
        route('r:mvc', "w$n", 0, 1);
        take("w$n", 'w' . ($n - 1), ['r:mvc', 1, 2, 1, a => '1']);
        take("w$n", 'w' . ($n - 1), ['r:mvc', 2, 3, 1, b => '2']);
    }
    is_deeply(routes('r:mvc'), { w1 => '0:1:2', (map { ("w$_" => '0:3:2') } 2 .. 4), w5 => '2:3' }, 'through four workers');
    is_deeply(members('r:mvc', 'w5'), { a => 1, b => 2 }, 'all are with the last');
    r('DEL', '{1}:q');
};

# A worker reports sessions that have gone until it passes the fence of their channel.
subtest 'what an old worker reports while sessions are taken' => sub {
    route('r:fe', 'old', 5, 7);
    route('r:fe', 'new', 0, 1);
    my $old = sub { return routes('r:fe')->{old} };

    is_deeply(take('new', 'old', ['r:fe', 2, 2, 2]), [1, ''], 'two are taken');
    is($old->(), '3:7:2', 'and count there no more');
    is(route('r:fe', 'old', 6, 8, '+x', '{}')->[0], 1, 'a report from before it knew that');
    is($old->(), '4:8:2', 'does not count them again');
    take('new', 'old', ['r:fe', 3, 3, 1]);
    is($old->(), '3:8:3', 'one more');
    is_deeply(route('r:fe', 'old', 7, 8)->[4], '3:8:3', 'an old report is told what there is');
    is(route('r:fe', 'old', 2, 9)->[0], 1, 'less than were taken');
    is($old->(), '0:9:3', 'is nobody');
    is(route('r:fe', 'old', 3, $fence + 1)->[0], 1, 'behind the fence it knows');
    is($old->(), '3:' . ($fence + 1), 'so that counts');
    is_deeply(take('new', 'old', ['r:fe', 4, 4, 1]), [1, ''], 'one that is taken late');
    is($old->(), '3:' . ($fence + 1), 'was not counted there any more');
    is(routes('r:fe')->{new}, '4:4', 'but here');

    is_deeply(take_through(2 * $fence, 'new', 'old', ['r:fe', 5, 5, 1]), [1, ''], 'another channel');
    is($old->(), '2:' . ($fence + 1) . ':1', 'lends again');
    route('r:fe', 'old', 4, $fence + 2);
    is($old->(), '3:' . ($fence + 2) . ':1', 'up to its fence');
    take_through(4 * $fence, 'new', 'old', ['r:fe', 6, 6, 1]);
    is($old->(), '2:' . 3 * $fence . ':1', 'a later one: what an earlier one lent was over');
    is(route('r:fe', 'old', 3, 3 * $fence + 1)->[0], 1, 'also before the next report');
    is($old->(), '2:' . (3 * $fence + 1) . ':1', 'which counts');
    is(route('r:fe', 'old', '-', 5 * $fence)->[0], 1, 'it leaves');
    is(route('r:fe', 'old', 3, 5 * $fence + 1)->[0], 1, 'and comes back');
    is($old->(), '3:' . (5 * $fence + 1), 'whole');

    # a worker that gives some away takes others

    take('new', 'other', ['r:fe', 7, 7, 1]);
    take('next', 'new', ['r:fe', 2, 1, 2]);
    is(routes('r:fe')->{new}, '5:7:2', 'two of it have gone');
    take('new', 'other', ['r:fe', 9, 8, 2]);
    is(routes('r:fe')->{new}, '7:8:2', 'and do not come back with others');
    r('DEL', '{1}:q');
};

subtest 'a topic without a message leaves nothing' => sub {
    my ($routes, $members, $meta, $history, $left)
        = map { "{1}:r:e:$_" } qw(w k:w1 m h x:w1);
    my $keys = sub { [ sort @{ r('KEYS', '{1}:r:e:*') } ] };
    my $soon = sub {
        is_deeply([ grep { r('TTL', $_) < 0 || r('TTL', $_) > 60 }
                    @{ $keys->() } ], [], $_[0]);
    };

    is_deeply(route('r:e', '', 0, 0), [0, '', 0, '', '', 1, 0], 'to ask');
    is((hist('r:e', '', 0))[1], 0, 'or to read');
    is(script('forget', 2, $meta, $history)->[0], 0, 'or to empty it');
    script('members', 2, $routes, $members, 10, 1000, 2, 0, 'w1');
    script('control', 2, '{1}:q', $routes, 'r:e', 'e', 1000, '');
    is_deeply(route('r:e', 'w1', '-', 1)->[0], 1, 'or to leave');
    is_deeply($keys->(), [$left], 'makes nothing but the mark');
    is_deeply(route('r:e', 'w1', 1, 1), [0, '', 0, '', '0:1', 1, 0],
              'a late join is refused');
    is_deeply($keys->(), [$left], 'and makes nothing');
    $soon->('the mark goes');

    my $e = route('r:e', 'w1', 2, 2, '+s1', '{}')->[1];
    cmp_ok(r('TTL', $_), '>', 900, "$_ lives with its followers")
        for $routes, $members, $meta;
    is(route('r:e', '', 0, 0)->[1], $e, 'whoever asks');
    is(route('r:e', 'w2', 1, 1)->[1], $e, 'another worker');
    route('r:e', 'w1', '-', 3);
    cmp_ok(r('TTL', $meta), '>', 900, 'one of two has left');
    is(route('r:e', 'w2', '-', 2)->[0], 1, 'and the other');
    $soon->('all of it goes');
    route('r:e', '', 0, 0);
    $soon->('whoever asks meanwhile');
    is((hist('r:e', $e, 0))[0], 0, 'its position is good until then');
    is(route('r:e', 'w1', 1, 4)->[1], $e, 'also for who comes back');
    cmp_ok(r('TTL', $meta), '>', 900, 'which keeps it');

    is(script('sweep', 3, $routes, $members, $meta, 'w1', '1:4'), 1, 'killed');
    $soon->('all of it goes');
    cmp_ok(r('TTL', $meta), '<=', 40, 'a minute after the worker');

    route('r:e', 'w1', 1, 5);
    is(pub('r:e', ids(1))->[1], "$e:1", 'a message');
    route('r:e', 'w1', '-', 6);
    cmp_ok(r('TTL', $meta), '>', 1500, 'is kept for those that come back');
    is(script('route', 6, $routes, $members, $meta, $history, $left, '{1}:q',
              'w1', 1, 7, 100, 2000, $gen, 'r:e', '', 100)->[2], 1, 'by them');
    cmp_ok(r('TTL', $meta), '>', 1500, 'longer than routes');
    is(script('sweep', 3, $routes, $members, $meta, 'w1', '1:7'), 1, 'killed');
    cmp_ok(r('TTL', $meta), '>', 1500, 'too');

    r('DEL', $meta);
    is(route('r:e', '', 0, 0)->[2], 1, 'meta lost alone: the history knows');
    cmp_ok(r('TTL', $meta), '>', 1500, 'and it is kept again');
};

subtest 'what Redis has of topics is checked' => sub {
    my @t = map { "r:c$_" } 1 .. 3;
    my %at = map { my $v = route($_, 'w1', 1, 1, $_ eq 'r:c1' ? ('+s', '{}') : ());
                   $_ => [ @{$v}[1, 2], $_ eq 'r:c1' ? 1 : '' ] } @t;
    my $check = sub {
        return script('check', 9, (map { my $t = $_; map { "{1}:$t:$_" }
                                         qw(w k:w1 m) } @t),
                      'w1', map { @{ $at{$_} } } @t);
    };

    is_deeply($check->(), [], 'nothing differs');
    pub('r:c2', ids(1));
    is_deeply($check->(), ['r:c2', 1, 1], 'a message');
    $at{'r:c2'}[1] = 2;
    is_deeply($check->(), ['r:c2', 2, 1], 'a position behind the last one');
    $at{'r:c2'}[0] = 'other';
    is_deeply($check->(), ['r:c2', 0, 1], 'another epoch');
    $at{'r:c2'} = [ r('HMGET', '{1}:r:c2:m', 'e'), 1, '' ];
    $at{'r:c2'}[0] = $at{'r:c2'}[0][0];
    is_deeply($check->(), [], 'nothing differs again');
    route('r:c3', 'w2', 1, 1);

    for my $key (qw(r:c1:w r:c1:k:w1 r:c1:m r:c3:w r:c3:m)) {
        my ($t) = $key =~ /^(r:c\d)/;
        my $dump = r('DUMP', "{1}:$key");
        my %spoil = (gone => sub { r('DEL', "{1}:$key") },
                     spoiled => sub { r('SET', "{1}:$key", 'x') });
        $spoil{left} = sub { r('HDEL', "{1}:$key", 'w1') } if $key eq 'r:c3:w';
        for my $how (sort keys %spoil) {
            $spoil{$how}->();
            is_deeply($check->(), [$t, 0, 0], "$key $how");
            r('RESTORE', "{1}:$key", 0, $dump, 'REPLACE');
        }
    }
    is_deeply($check->(), [], 'all is there again');
};

subtest 'without a history' => sub {
    my $hist = sub { script('hist', 3, '{1}:r:w0:m', '{1}:r:w0:h', '{1}:q', @_)->[0] };

    r('DEL', '{1}:q');
    pub('r:w0', ids(1), history => 0) for 1 .. 3;
    my $epoch = r('HGET', '{1}:r:w0:m', 'e');
    is($hist->($epoch, 3, 10), 0, 'nothing is missing');
    is($hist->($epoch, 1, 10), 2, 'what is not in the queue is lost');
    route('r:w0', 'w1', 1, ++$n);
    pub('r:w0', ids(1), history => 0);
    is(r('XLEN', '{1}:q'), 1, 'what waits');
    is($hist->($epoch, 3, 10), 3, 'is not');
    is($hist->('other', 3, 10), 2, 'nor known in another epoch');
    is((hist('r:w0', $epoch, 3))[0], 2, 'but where a history is kept');
    r('DEL', '{1}:q');
    is($hist->($epoch, 3, 10), 2, 'until it was taken');
    r('SET', '{1}:q', 'x');
    is($hist->($epoch, 3, 10), 2, 'a queue of another type has nothing');
    r('DEL', '{1}:q');
};

subtest 'values of another type make way' => sub {
    my %key = map { $_ => "{1}:r:y:$_" } qw(w k:w1 m h);

    route('r:y', 'w1', 1, 1, '+s1', '{}');
    for my $what (sort keys %key) {
        my $spoil = sub { r('DEL', $key{$what}); r('SET', $key{$what}, 'x') };

        $spoil->();
        is(route('r:y', 'w1', 1, ++$n, '+s1', '{}')->[0], 1, "$what: joined");
        $spoil->();
        is(pub('r:y', ids(1))->[0], 0, "$what: pushed");
        $spoil->();
        is(route('r:y', 'w1', 1, ++$n, '-s1', '')->[0], 1, "$what: changed");
        $spoil->();
        is(route('r:y', 'w1', '-', ++$n)->[0], 1, "$what: left");
    }

    my $spoil = sub { r('DEL', '{1}:q'); r('SET', '{1}:q', 'x') };
    my $control = sub { script('control', 2, '{1}:q', '{1}:r:y:w', 'r:y', 'e', 1000, '*') };

    route('r:y', $_, 1, ++$n, '+s', '{}') for 'w1', 'w2';
    for my $call (sub { pub('r:y', ids(1))->[0] == 0 }, sub { $control->()->[0] == 0 },
                  sub { route('r:y', 'w1', 1, ++$n, { control => 'c' })->[5] == 1 })
    {
        $spoil->();
        ok($call->(), 'queue: sent');
        is(r('XLEN', '{1}:q'), 1, 'and it waits there');
    }

    r('HSET', '{1}:d:r:y:hash', 'a', 'b');
    is(pub('r:y', 'hash')->[0], 0, 'an id: pushed');
    is(pub('r:y', 'hash')->[0], 1, 'and seen');
    r('DEL', '{1}:q');
};

subtest 'a message that fails takes no id' => sub {
    pub('r:fails', ids(1));
    r('XADD', '{1}:r:fails:h', '999-1', 'd', 'later');
    like(pub('r:fails', 'again'), qr/^ERR /, 'the history refuses it');
    r('DEL', '{1}:r:fails:h');
    is(pub('r:fails', 'again')->[0], 0, 'it is not known as accepted');
    is(pub('r:fails', 'again')->[0], 1, 'but then');
    r('DEL', '{1}:q');
};

subtest 'members' => sub {
    my $ask = sub {
        my ($workers, $most, $bytes, $key, $cursor) = @_;

        return script('members', 1 + @$workers, '{1}:r:who:w',
                      map({ "{1}:r:who:k:$_" } @$workers),
                      $most // 100, $bytes // 10000, $key // 2, $cursor // 0,
                      @$workers);
    };

    is_deeply($ask->([]), [[], 0, 0, '0', []], 'nobody, and no workers');
    is_deeply($ask->(['w1', 'w2']), [[], 0, 0, '0', []], 'nobody');

    route('r:who', 'w1', 3, 1, '+s1', '{"user":"a"}', '+s2', '{}');
    route('r:who', 'w3', 1, 7, '+s3', '{"user":"c"}');

    my $m = $ask->(['w1', 'w2', 'w3', 'w4']);
    is_deeply({ @{ $m->[0] } }, { w1 => '3:1', w3 => '1:7' }, 'routes');
    is($m->[1], 3, 'how many are members');
    is($m->[2], 0, 'one page');
    is($m->[4][0][0], 2, 'which key');
    is_deeply({ @{ $m->[4][0][1] } }, { s1 => '{"user":"a"}', s2 => '{}' },
              'its members');
    is_deeply($m->[4][1], [4, ['s3', '{"user":"c"}']], 'and another one');
    is_deeply($ask->([])->[4], [], 'only routes');

    is_deeply([@{ $ask->(['w1', 'w3'], 100, 1) }[2, 3]], [3, '0'],
              'at most so many bytes');
    $m = $ask->(['w1', 'w3'], 100, 10000, 3);
    is_deeply({ @{ $m->[0] } }, { w1 => '3:1', w3 => '1:7' }, 'the last page has the routes, too');
    is_deeply([@$m[1 .. 4]], [0, 0, '0', [[3, ['s3', '{"user":"c"}']]]], 'and no number');
    is_deeply([@{ $ask->(['w1', 'w3', 'w4'], 1, 1, 3) }[0, 2]], [[], 4], 'a page between has none');

    my $find = sub { script('members', 4, map({ "{1}:r:who:$_" } qw(w k:w1 k:w2 k:w3)), 100, 10000, 2, 0,
                            qw(w1 w2 w3), @_) };
    is_deeply([@{ $find->(qw(s3 s9 s1)) }[1 .. 4]],
              [3, 0, '0', [[2, ['s1', '{"user":"a"}']], [4, ['s3', '{"user":"c"}']]]], 'sessions that are looked for');
    is_deeply($find->('s9')->[4], [], 'one that is not there');

    route('r:who', 'w5', 1000, 1, map { ("+m$_", 'x' x 100) } 1 .. 1000);

    my (%seen, $pages);
    my ($key, $cursor) = (2, 0);

    while ($key) {
        $m = $ask->(['w5', 'w1'], 300, 1e6, $key, $cursor);
        ($key, $cursor) = @$m[2, 3];
        $seen{$_}++ for map { my %h = @{ $_->[1] }; keys %h } @{ $m->[4] };
        cmp_ok(scalar(map { @{ $_->[1] } } @{ $m->[4] }), '<=', 2 * 450,
               'about so many') if $pages++ < 2;
    }

    is(keys %seen, 1002, 'all in pages');
    cmp_ok($pages, '>=', 4, 'several');
    script('route', 6, '{1}:r:who:w', "{1}:r:who:k:$_", '{1}:r:who:m',
           '{1}:r:who:h', "{1}:r:who:x:$_", '{1}:q', $_, '-', 9, 1000, 2000,
           $gen, 'r:who', '', 1000) for qw(w1 w3 w5);
    is_deeply($ask->(['w1', 'w3', 'w5']), [[], 0, 0, '0', []], 'all have left');
    r('HSET', '{1}:r:who:k:w9', 's9', '{}');
    is_deeply($ask->(['w9']), [[], 0, 0, '0', []], 'no member without a route');
    r('DEL', '{1}:r:who:k:w9');
};

subtest 'sweep' => sub {
    route('r:s', 'dead', 1, 1, '+x', 'y');
    my @keys = ('{1}:r:s:w', '{1}:r:s:k:dead', 'dead');
    is(script('sweep', 2, @keys, '1:0'), 0, 'another value: stays');
    is(script('sweep', 2, @keys, '1:1'), 1, 'removed');
    is(r('EXISTS', @keys[0, 1]), 0, 'with its members');
};

subtest 'control entries' => sub {
    my $at = r('XLEN', '{1}:q');
    my $ask = sub {
        my ($t, $where, $cap) = @_;
        return script('control', 2, '{1}:q', "{1}:$t:w", $t, 'envelope',
                      $cap // 1000, $where);
    };

    is_deeply($ask->('r:nobody', ''), [0, 0], 'nobody holds the topic');
    is(r('XLEN', '{1}:q'), $at, 'nothing was queued');

    route('r:c', $_, 1, 1) for qw(w1 w2);
    is_deeply($ask->('r:c', ''), [0, 2], 'for those who hold it');
    is_deeply($ask->('u:x', '*'), [0, 1], 'for all');

    my $e = r('XREVRANGE', '{1}:q', '+', '-', 'COUNT', 2);
    is_deeply($e->[1][1], ['t', 'r:c', 'i', '', 'w', 'w1 w2', 'd', 'envelope'],
              'entry for some');
    is_deeply($e->[0][1], ['t', 'u:x', 'i', '', 'w', '*', 'd', 'envelope'],
              'entry for all');

    is_deeply($ask->('u:x', '*', $at + 2), [1, 0], 'queue full');
    is_deeply($ask->('r:nobody', '', 1), [0, 0], 'but nothing to queue');
    is(r('XLEN', '{1}:q'), $at + 2, 'nothing more was queued');
    is(r('EXISTS', '{1}:r:nobody:m', '{1}:u:x:m'), 0, 'no topic was made');
};

subtest 'members are told' => sub {
    my $at = r('XLEN', '{1}:q');
    my $last = sub { r('XREVRANGE', '{1}:q', '+', '-', 'COUNT', 1)->[0][1] };
    my $v = 0;
    my $move = sub {
        my ($w, $count, %a) = @_;
        return route('r:n', $w, $count, ++$v, { control => 'who', %a })->[5];
    };

    is($move->('w1', 1), 1, 'the first worker');
    is(r('XLEN', '{1}:q'), $at, 'has nobody to tell');
    is($move->('w2', 1), 1, 'the second tells');
    is_deeply($last->(), ['t', 'r:n', 'i', '', 'w', 'w1', 'd', 'who'],
              'the first');
    $move->('w3', 1);
    is_deeply([ sort split(/ /, $last->()->[5]) ], [qw(w1 w2)],
              'the third tells both');
    is(route('r:n', 'w3', 2, ++$v)->[5], 1, 'a guest');
    is(r('XLEN', '{1}:q'), $at + 2, 'is not told of');
    is($move->('w2', '-'), 1, 'a worker leaves');
    is_deeply([ sort split(/ /, $last->()->[5]) ], [qw(w1 w3)],
              'the others know');
    is(route('r:n', 'w3', 1, 1, { control => 'who' })->[0], 0,
       'an old version');
    is(r('XLEN', '{1}:q'), $at + 3, 'tells nobody');
    is($move->('w3', 3, cap => $at + 3), 0, 'the queue is full');
    is(r('XLEN', '{1}:q'), $at + 3, 'nothing was queued');
    like(r('HGET', '{1}:r:n:w', 'w3'), qr/^3:/, 'and yet it was applied');

    # one with joins and leaves has a mark, and comes to who reports it

    my $mark = $move->('w3', 4, control => '+joins');
    is(r('HGET', '{1}:r:n:m', 'u'), $mark, 'a mark');
    cmp_ok($mark, '>', time() * 1e6 - 1e9, 'which was never given before');
    is_deeply([ @{ $last->() }[2, 3, 6, 7] ], ['i', "-$mark", 'd', 'joins'], 'of the entry');
    is_deeply([ sort split(/ /, $last->()->[5]) ], [qw(w1 w3)], 'which goes to the worker itself, too');
    my $r = route('r:n', 'w1', 2, ++$v, { control => '+more' });
    is_deeply([ @$r[5, 6] ], [ $mark + 1, $mark ], 'the next one, and where the topic was before');
    is(route('r:n', 'w1', 2, ++$v, { control => 'none' })->[5], 1, 'one without has none');
    is($move->('w3', '-', control => '+leaves'), $mark + 2, 'a worker leaves');
    is($last->()->[5], 'w1', 'and does not hear of it');
    is(r('XLEN', '{1}:q'), $at + 7, 'so many entries');
    is($move->('w1', 3, control => '+joins'), 1, 'nobody to tell');
    is(r('XLEN', '{1}:q'), $at + 7, 'none');
    is(r('HGET', '{1}:r:n:m', 'u'), $mark + 2, 'and no mark');
    is(route('r:n', 'w2', 1, ++$v)->[0], 1, 'another one');
    is($move->('w1', 4, control => '+joins', cap => 1), 0, 'the queue is full');
    is(r('HGET', '{1}:r:n:m', 'u'), $mark + 2, 'no mark');
};

subtest 'leases' => sub {
    is(lease('w1', 60_000)->[0], 2, 'was not there');
    settle();
    is(lease('w1', 60_000)->[0], 0, 'held');
    is(lease('w1', 60_000, 'other')->[2], 2, 'two tokens');
    r('ZADD', '{reg}:nodes', now() - 1000, 'w1');
    is(lease('w1', 60_000)->[0], 1, 'had lapsed');
    r('ZADD', '{reg}:nodes', 9e12, 'w1');
    is(lease('w1', 60_000)->[0], 1, 'too far ahead: the clock was set back');
    r('DEL', '{reg}:n:w1');
    is(lease('w1', 60_000)->[0], 2, 'the record was lost');
    lease('w1', 0);
    is(r('ZSCORE', '{reg}:nodes', 'w1'), undef, 'given up');

    my $live = sub { live(60_000, @_, 10, $gen) };
    lease('w1', 60_000);
    lease('w3', 60_000);
    is_deeply([ sort @{ $live->('') } ], [qw(w1 w3)], 'both live');
    is_deeply($live->('w1'), ['w1'], 'one of them does');
    is_deeply($live->('w4'), [], 'nobody');
    r('ZADD', '{reg}:nodes', 1, 'w1');
    r('ZADD', '{reg}:nodes', 9e12, 'w3');
    is_deeply($live->(''), [], 'over, and too far ahead');
    is_deeply([ map { @{ $live->($_) } } qw(w1 w3) ], [], 'one by one too');
    lease($_, 0) for qw(w1 w3);

    is_deeply(lease('w1', 60_000)->[3], [], 'nobody has died');
    lease('w2', 1);
    sleep(0.01);
    is_deeply(lease('w1', 60_000)->[3], ['w2'], 'a dead worker is told');
    lease("dead$_", 1) for 1 .. 70;
    sleep(0.01);
    my $dead = lease('w1', 60_000)->[3];
    is(scalar @$dead, 64, 'not too many of them');
    ok(!(grep { $_ eq 'w2' } @$dead), 'the latest ones');
    lease('w1', 0);

    is(script('own', 1, '{1}:own', 'a', 60_000), 1, 'a partition is taken');
    is(script('own', 1, '{1}:own', 'b', 60_000), 0, 'by one');
    is(script('own', 1, '{1}:own', 'b', 0), 0, 'and not given up by another');
    is(script('own', 1, '{1}:own', 'a', 60_000), 1, 'renewed');
    cmp_ok(r('PTTL', '{1}:own'), '>', 40_000, 'with its length');
    is(script('own', 1, '{1}:own', 'a', 0), 1, 'given up');
    is(r('EXISTS', '{1}:own'), 0, 'and free');
};

subtest 'records of workers whose sessions move' => sub {
    my $renew = sub {
        my ($w, $fields, @moves) = @_;
        return script('lease', 5 + @moves, '{reg}:nodes', "{reg}:n:$w", '{reg}:t:n', '{reg}:revoked', '{reg}:s:nodes',
                      (map { "{reg}:n:$_->[0]" } @moves), $w, 12000, 'tok', $gen, @$fields,
                      map { my (undef, $n, @what) = @$_; ('<', ref $n ? @$n : ($n, 5, 0), @what) } @moves)->[0];
    };
    my $has = sub { return join ' ', map { $_ // '-' } @{ r('HMGET', "{reg}:n:$_[0]", qw(sessions subs protocols)) } };
    my @first = (sessions => 10, subs => 20, protocols => 'goim 3,im 7');

    $renew->('o', \@first);
    $renew->('n', [sessions => 0, subs => 0, protocols => '']);

    my @move = (sessions => 4, subs => 8, protocols => 'goim 3,im 1');
    is($renew->('n', [sessions => 4, subs => 8, protocols => 'goim 3,im 1'], ['o', 1, @move]), 0, 'four move');
    is($has->('o'), '6 12 im 6', 'the old one has less');
    is($has->('n'), '4 8 goim 3,im 1', 'the new one has what it says');
    $renew->('n', [sessions => 4], ['o', 1, @move]) for 1 .. 2;
    is($has->('o'), '6 12 im 6', 'once');

    is($renew->('n', ['time', 1], ['o', 1, @move], ['o', 2, sessions => 6, protocols => 'im 6,sse 1']), 0, 'the rest');
    is($has->('o'), '0 12 ', 'is all');
    is($has->('n'), '10 8 goim 3,im 7,sse 1', 'and more where nothing else is said');
    $renew->('n', ['time', 1], ['o', 1, @move], ['o', 2, sessions => 6]);
    is($has->('n'), '10 8 goim 3,im 7,sse 1', 'once');
    $renew->('n', ['time', 1], ['o', 3, sessions => 1]);
    is($has->('o'), '0 12 ', 'never below 0');

    $renew->('o', \@first);
    is($has->('o'), '10 20 goim 3,im 7', 'it writes its own');
    lease('o', 0);
    $renew->('n', [sessions => 3, subs => 1], ['o', 4, sessions => 1, subs => 1, protocols => 'im 1']);
    is(r('EXISTS', '{reg}:n:o'), 0, 'a record that is gone stays so');
    is($has->('n'), '3 1 goim 3,im 8,sse 1', 'and its sessions are here');

    # what others got is counted here until they count all that came through a channel

    my $taken;
    my $lend = sub {
        my ($channel, $keep, @fields) = @_;
        my $got = script('lease', 6, '{reg}:nodes', '{reg}:n:o', '{reg}:t:n', '{reg}:revoked', '{reg}:s:nodes', '{reg}:n:m',
                         'o', 12000, 'tok', $gen, 'time', 1, '>', 'm', $channel, '=', $keep, $channel, @fields);
        $taken = join ' ', @{$got->[5]};
        return $got->[0];
    };
    my @left = (sessions => 6, subs => 12, protocols => 'im 6');
    my $took = sub {
        my ($number, $channel, $last, $n) = @_;
        $renew->('m', ['sessions', 0], ['o', [$number, $channel, $last], $n ? (sessions => $n, subs => 2, protocols => 'goim 1') : ()]);
    };

    $renew->('o', \@first);
    is($lend->(10, 1, sessions => 9, topics => 5), 0, 'it gives some away');
    is($has->('o'), '10 20 goim 3,im 7', 'meanwhile the counts stay');
    is(r('HGET', '{reg}:n:o', 'topics'), 5, 'what is not there is written');
    is($taken, 'm 10 2', 'the other one does not live yet');
    lease('m', 12000);
    $lend->(10, 0, @left);
    is($has->('o'), '10 20 goim 3,im 7', 'and as long as the other one does not count them');
    is($taken, 'm 10 0', 'which is told');
    $took->(11, 10, 0, 3);
    is($has->('o'), '7 18 goim 2,im 7', 'three move');
    $lend->(10, 0, @left);
    is($has->('o'), '7 18 goim 2,im 7', 'more may come');
    $took->($_, 10, 1, 1) for 12, 12;
    is($has->('o'), '6 16 goim 1,im 7', 'the last one moves once');
    $lend->(10, 0, @left);
    is($has->('o'), '6 12 im 6', 'the old one writes its own');
    is($taken, 'm 10 1', 'and knows that it may');
    $took->(13, 10, 0, 1);
    is($has->('o'), '6 12 im 6', 'what comes late was not counted there any more');
    is(r('HGET', '{reg}:n:m', 'sessions'), 0, 'but is here as the record says');

    $lend->(20, 0, sessions => 1);
    is($has->('o'), '6 12 im 6', 'another channel');
    $took->(14, 20, 1, 0);
    $lend->(20, 0, sessions => 5);
    is($has->('o'), '5 12 im 6', 'through which nothing came');
    $lend->(30, 0, sessions => 1);
    r('ZADD', '{reg}:nodes', now() - 1, 'm');
    $lend->(30, 0, sessions => 1);
    is($has->('o'), '1 12 im 6', 'nothing comes of a worker that is dead');
    is($taken, 'm 30 2', 'which is told, too');
    $took->(15, 30, 1, 1);
    is($has->('o'), '1 12 im 6', 'or only later');
    lease('m', 0);

    # online.lua: several at once

    $renew->('o', \@first);
    my $online = sub {
        my $got = script('online', 2 + @_, '{reg}:nodes', '{reg}:s:nodes', (map { "{reg}:n:$_" } @_),
                         12000, 4096, $gen, 'sessions', 'subs');
        return [[sort @{ $got->[0] }], $got->[1]];
    };
    r('DEL', '{reg}:nodes');
    $renew->($_, ['time', 1]) for 'o', 'n';
    is_deeply($online->(), [['n', 'o'], []], 'those that live');
    is_deeply($online->('o', 'x', 'n'), [['n', 'o'], [[10, 20], [undef, undef], [3, 1]]], 'and what they count');
    lease($_, 0) for 'o', 'n';
    is_deeply($online->(), [[], []], 'none');
};

subtest 'leases that could not be renewed' => sub {
    my $all = sub { [ sort @{ live(12000, '', 10, $gen) } ] };
    my $sure = sub { live(12000, '', 10, $_[0] // $gen, 1) };

    r('DEL', '{reg}:nodes', '{reg}:s:nodes', '{reg}:jobs', '{reg}:s:jobs');
    is($sure->(), undef, 'nothing is sure at first');
    is_deeply(live(12000, 'w9', 1, $gen), ['w9'], 'so none is over');
    lease($_, 12000) for qw(w1 w2);
    r('ZADD', '{reg}:nodes', now() - 1000, 'w3');
    is_deeply($all->(), [qw(w1 w2)], 'two hold');
    settle();
    is_deeply([ sort @{ $sure->() } ], [qw(w1 w2)], 'that is sure');
    is_deeply(live(12000, 'w3', 1, $gen), [], 'and one that is over');

    is(scalar @{ paused(4900, '', 10, $gen, 1) }, 2, 'no longer pause');
    is(paused(5001, '', 10, $gen, 1), undef, 'a longer one: Redis was away');
    settle();

    is_deeply([ sort @{ paused(60000, '', 10, $gen) } ], [qw(w1 w2)],
              'those that held do, for a while');
    is($sure->(), undef, 'perhaps');
    is_deeply(live(12000, 'w3', 1, $gen), ['w3'], 'and nothing is swept');
    is(lease('w1', 12000)->[0], 0, 'so a renewal has nothing to assert');
    is_deeply(lease('w1', 12000)->[3], ['w3'], 'and no other has died');
    r('ZADD', '{reg}:nodes', now() - 1, 'w2');
    settle();
    is_deeply($sure->(), ['w1'], 'who does not renew is over then');

    lease('w2', 12000);
    is_deeply([ sort @{ paused(-60000, '', 10, $gen) } ], [qw(w1 w2)],
              'the clock was set back');
    is(lease('w1', 12000)->[0], 0, 'held');

    settle();
    is($sure->('another'), undef, 'another generation');
    is_deeply($all->(), [qw(w1 w2)], 'and back');
    r('DEL', '{reg}:nodes', '{reg}:s:nodes');
    is($sure->(), undef, 'all was lost');
    is_deeply(live(12000, 'w1', 1, $gen), ['w1'], 'which says nothing');

    jobs($_, 6000) for qw(a b);
    r('ZADD', '{reg}:jobs', now() - 30000, $_) for qw(a b);
    r('HSET', '{reg}:s:jobs', 't', now() - 36000);
    is_deeply([ sort @{ jobs('a', 6000) } ], [qw(a b)], 'jobs hold too');
    r('ZADD', '{reg}:jobs', now() - 1, 'b');
    is_deeply(jobs('a', 6000), ['a'], 'and end');
    is_deeply(jobs('a', 0), [], 'given up');
};

subtest 'a failover' => sub {
    my $set = Test::Im::Redis->new(kind => 'replicas', replicas => 1);
    my $on = 'redis1';
    my $run = sub {
        my ($name, $nkeys, @args) = @_;
        my $info = $set->command($on, 'INFO', 'everything');
        my $g = join '', $info =~ /^run_id:(.{16})/m,
                         $info =~ /^master_replid2:(.{8})/m;

        return $set->command($on, 'EVAL', $text{$name}, $nkeys,
                             map { ref $_ ? $g : $_ } @args);
    };
    my $lease = sub {
        return $run->('lease', 5, 'n', "n:$_[0]", 't', 'r', 's', $_[0], 60000,
                      'tok', \1, 'x', 1);
    };
    my $live = sub { $run->('live', 2, 'n', 's', 60000, @_) };

    $set->start;
    $lease->($_) for qw(w1 w2);

    # a minute and a half ago; one was over then
    my $ago = $set->command($on, 'TIME')->[0] * 1000 - 90000;
    my @answers = $set->commands($on,
        [ 'ZADD', 'n', $ago + 50000, 'w1', $ago + 60000, 'w2', $ago - 1, 'w3' ],
        [ 'HSET', 's', 't', $ago, 'h', 0 ], [ 'WAIT', 1, 5000 ]);
    is($answers[2], 1, 'replicated');

    $set->crash($on);
    $on = 'redis2';
    $set->command($on, 'REPLICAOF', 'NO', 'ONE');

    is_deeply([ sort @{ $live->('', 10, \1) } ], [qw(w1 w2)],
              'all were over, and hold for one length');
    is($live->('', 10, \1, 1), undef, 'no walk');
    is_deeply($live->('w3', 1, \1), ['w3'], 'no sweep');
    is($lease->('w1')->[0], 0, 'renewed as if nothing had been');

    $set->command($on, 'ZADD', 'n', $ago, 'w2');
    $set->command($on, 'HSET', 's', 'h', $ago);
    is_deeply($live->('', 10, \1, 1), ['w1'], 'one length later it is sure');
    is_deeply($live->('w2', 1, \1), [], 'that the other one has died');
    $set->end;
};

subtest 'revocations' => sub {
    my $key = '{reg}:revoked';
    my $revoke = sub { script('revoke', 1, $key, @_, 3) };
    my %seen;
    my $changed = sub { !$seen{ lease('w1', 12_000)->[4] }++ };

    ok($changed->(), 'none');
    is($revoke->('u1', 1), 1, 'one');
    ok($changed->(), 'workers see that');
    ok(!$changed->(), 'once');
    is($revoke->("u$_", 60), 1, "u$_") for 1 .. 3;
    ok($changed->(), 'there are three');
    is($revoke->('u4', 60), 0, 'too many');
    ok(!$changed->(), 'that is no change');
    is($revoke->('u1', 0), 1, 'let in');
    ok($changed->(), 'which is one');
    is($revoke->('u1', 0), 1, 'let in again');
    ok(!$changed->(), 'which is none');
    is(r('ZCOUNT', $key, 1, '+inf'), 2, 'two are left');
    r('ZADD', $key, 5, 'u2');
    is($revoke->('u5', 60), 1, 'what is over makes room');
    is(r('ZSCORE', $key, 'u2'), undef, 'and goes');
    cmp_ok(r('TTL', $key), '>', 3600, 'as all of it does');
};

subtest 'restarts' => sub {
    my @epochs = ((split(/:/, $p->[1]))[0]);
    my $old = $gen;

    stop('KILL');
    start();
    isnt($gen, $old, 'another generation');

    my $q = pub('r:a', ids(1));
    my ($e, $s) = split(/:/, $q->[1]);
    isnt($e, $epochs[0], 'another epoch');
    is($s, 11, 'the number goes on');
    is(status('r:a', $epochs[0], $_), 0, "old position $_ goes on")
        for 3, 10;
    is(status('r:a', $epochs[0], 11), 2, 'what Redis has not: hole');

    for (1 .. 16) {
        stop('KILL');
        start();
        push @epochs, route('r:a', '', 0, 0)->[1];
    }

    my @past = map { status('r:a', $_, 10) } @epochs;
    is($past[0], 2, 'the 17th epoch back is forgotten');
    is_deeply([ @past[1 .. 16] ], [ (0) x 16 ], 'the last 16 go on');

    my $once = pub('r:a', 'again');
    is(pub('r:a', 'again')->[1], $once->[1], 'ids survive');
};

subtest 'losses' => sub {
    my $e = r('HGET', '{1}:r:a:m', 'e');
    my $top = r('HGET', '{1}:r:a:m', 's');

    r('DEL', '{1}:r:a:m');
    my ($e2, $s) = split(/:/, pub('r:a', ids(1))->[1]);
    is($s, $top + 1, 'meta lost: goes on behind the last entry');
    is(status('r:a', $e, $top), 2, 'old positions: hole');

    r('DEL', '{1}:r:a:h');
    is(status('r:a', $e2, $s), 0, 'history lost: at top nothing is missing');
    is(status('r:a', $e2, $s - 1), 2, 'below it is');

    r('FLUSHALL');
    my ($e3, $one) = split(/:/, pub('r:a', ids(1))->[1]);
    is($one, 1, 'all lost: from 1');
    isnt($e3, $e2, 'in another epoch');
    is(status('r:a', $e2, 1), 2, 'old positions: hole');
};

subtest 'attempts' => sub {
    my $try = sub { return script('limit', 1, "l:$_[0]", $_[1], $_[2]) };

    is_deeply([ map { $try->('a', 7, 600_000) } 1 .. 7 ], [ (0) x 7 ],
              'so many at once');
    my $wait = $try->('a', 7, 600_000);
    cmp_ok($wait, '>', 60_000, 'then not');
    cmp_ok($wait, '<=', 85_715, 'until one is due');
    cmp_ok(r('PTTL', 'l:a'), '<=', 600_001, 'no longer than a period, in ms');
    is($try->('b', 7, 600_000), 0, 'another subject');

    is($try->('c', 1, 600_000), 0, 'one');
    cmp_ok($try->('c', 1, 600_000), '>', 0, 'and not two');
    is($try->('c2', 1, 50), 0, 'one of a short period');
    ok(Test::Im::Stack::until_true(60, sub { $try->('c2', 1, 50) == 0 }), 'later again');

    r('SET', 'l:d', '9' x 13);
    cmp_ok($try->('d', 2, 1000), '<=', 1000, 'the clock was set back');
    r('SET', 'l:e', 'nonsense');
    is($try->('e', 2, 1000), 0, 'a value that is none');
};

subtest 'accounts' => sub {
    my $register = sub { return script('register', 1, "a:$_[0]", @_[1 .. $#_])
    };

    is($register->('n', 'new', 'u1', 'n', 'h1', 5), 1, 'made');
    is($register->('n', 'new', 'u2', 'n', 'h2', 6), 0, 'once');
    is_deeply(r('HMGET', 'a:n', qw(id name hash created)), [qw(u1 n h1 5)],
              'the first stays');
    is(r('TTL', 'a:n'), -1, 'for ever');
    is($register->('n', 'hash', 'u1', 'h3', 'h2'), 0, 'not this hash');
    is($register->('n', 'hash', 'u2', 'h3', 'h1'), 0, 'not this user');
    is($register->('n', 'hash', 'u1', 'h3', 'h1'), 1, 'another hash');
    is_deeply(r('HMGET', 'a:n', qw(id name hash created)), [qw(u1 n h3 5)],
              'and nothing else');
    is($register->('m', 'hash', 'u1', 'h', 'h1'), 0, 'no account');
    is($register->('m', 'hash', 'u1', 'h', ''), 0, 'of any hash');
    is(r('EXISTS', 'a:m'), 0, 'is made by it');
    is($register->('n', 'hash', 'u1', 'h4', ''), 1, 'whatever hash it had');
    is($register->('n', 'del', 'u2'), 0, 'not of another user');
    is($register->('n', 'del', 'u1'), 1, 'removed');
    is($register->('n', 'del', 'u1'), 0, 'once');
    is(r('EXISTS', 'a:n'), 0, 'and gone');
};

subtest 'names' => sub {
    my $names = sub { return script('names', 1, 'names', @_) };

    is($names->('take', 'Ann', 'Ann', 'ann'), 1, 'free');
    is($names->('take', 'Ann', 'Ann', 'ann'), 1, 'its own');
    is($names->('take', 'ann', 'ann', 'ann'), 0, 'another\'s');
    is($names->('take', 'ANN', 'ANN', 'ann'), 0, 'one of them is');
    is(r('HGET', 'names', 'ANN'), undef, 'nothing was taken');
    is($names->('keep', 'ANN', 'ANN', 'ann'), 1, 'what is free');
    is(r('HGET', 'names', 'ANN'), 'ANN', 'is kept');
    is(r('HGET', 'names', 'ann'), 'Ann', 'and not what isn\'t');
    is($names->('free', 'ANN', 'ANN', 'ann'), 1, 'freed');
    is_deeply(r('HKEYS', 'names'), [qw(Ann ann)], 'its own alone');
    is($names->('free', 'Ann', 'Ann', 'ann'), 1, 'all');
    is(r('EXISTS', 'names'), 0, 'nothing is left');
};

subtest 'who is kept out' => sub {
    is(script('kept', 1, 'rev', 'u2'), 0, 'not kept out');
    script('revoke', 1, 'rev', 'u2', 60, 10);
    is(script('kept', 1, 'rev', 'u2'), 1, 'kept out');
    is(script('kept', 1, 'rev', 'u1'), 0, 'and no other');
    is(script('kept', 1, 'rev', ''), 0, 'nor nobody');
    r('ZADD', 'rev', 5, 'u2');
    is(script('kept', 1, 'rev', 'u2'), 0, 'until then');
};

subtest 'tokens' => sub {
    my $login = sub { return script('login', 1, 'u:l', @_) };
    my $set = sub { return script('token', 1, "im_$_[0]", 'set', @_[1 .. 3]) };
    my $del = sub { return script('token', 1, "im_$_[0]", 'del', @_[1, 2]) };

    is_deeply($login->('t1', 100_000, 2), [], 'one');
    is_deeply($login->('t2', 500_000, 2), [], 'two');
    is_deeply($login->('t3', 300_000, 2), ['t1'], 'the first to end goes');
    is_deeply(r('ZRANGE', 'u:l', 0, -1), [qw(t3 t2)], 'those stay');
    cmp_ok(r('PTTL', 'u:l'), '>', 350_000, 'as long as the longest');
    is_deeply($login->('', 0, 5), [], 'only asked');
    is_deeply($login->('', 0, 0), [qw(t3 t2)], 'all go');
    is(r('EXISTS', 'u:l'), 0, 'nothing is left behind');
    is_deeply($login->('', 0, 0), [], 'of nobody');

    $login->('t4', 90_000, 5);
    r('ZADD', 'u:l', 1, 't5');
    is_deeply($login->('t6', 100_000, 1), ['t4'], 'ended ones are not told');

    is($set->('x', 'u1', 'Ann', 50_000), 1, 'written');
    is($set->('x', 'u2', 'Bob', 50_000), 0, 'not over another');
    is_deeply(r('HMGET', 'im_x', qw(UserId UserName Im)), [qw(u1 Ann 1)],
              'what it holds');
    cmp_ok(r('PTTL', 'im_x'), '<=', 50_000, 'it ends');
    is($del->('x', 'u2', '1'), '', 'not for another user');
    is($del->('x', 'u1', '1'), 'u1', 'for this one');
    is($del->('x', 'u1', '1'), '', 'once');
    is($del->('none', '', '0'), '', 'nobody\'s');

    r('HSET', 'im_f', 'UserId', 'u7');
    is($del->('f', '', '1'), '', 'another program\'s is not ours');
    is($del->('f', '', '0'), 'u7', 'unless it may be');
    r('SET', 'im_s', 3);
    is($del->('s', '', '0'), '', 'a key of another type is no login');
    is(r('GET', 'im_s'), 3, 'and stays');
    r('HSET', 'im_e', 'x', 1);
    is($del->('e', '', '0'), '', 'a hash without a user');
    is($set->('s', 'u', 'n', 1), 0, 'nor written over');
};

subtest 'out of memory' => sub {
    pub('r:a', 'before');
    r('CONFIG', 'SET', 'maxmemory', 1);
    like(script('control', 2, '{1}:q', '{1}:u:x:w', 'u:x', 'e', 1000, '*'),
         qr/OOM/, 'so is a control entry');
    like(pub('r:a', ids(1)), qr/OOM/, 'a push is refused');
    is(pub('r:a', 'before')->[0], 1, 'one that was accepted is not');
    is(route('r:a', 'w1', 1, 1)->[0], 1, 'a join is not');
    is(lease('w1', 12_000)->[0], 2, 'nor a lease');
    is(lease('w1', 12_000)->[0], 0, 'nor its renewal');
    is(route('r:a', 'w1', '-', 2)->[0], 1, 'nor a leave');
    is(route('r:oom', 'w1', 1, 1, '+s', '{}')->[0], 1, 'nor a first join');
    is_deeply(take('w2', 'w1', ['r:oom', 1, 1, 1, s => '{}']), [1, ''], 'nor a move');
    is(route('r:oom', 'w1', '-', 2)->[0], 1, 'and its leave');
    is(script('own', 1, '{1}:own', 'a', 60_000), 1, 'nor is a partition');
    is(script('own', 1, '{1}:own', 'a', 60_000), 1, 'nor its renewal');
    is_deeply(jobs('a', 60_000), ['a'], 'nor a job');
    is_deeply(jobs('a', 0), [], 'and its end');
    like(script('limit', 1, 'l:m', 5, 1000), qr/OOM/, 'an attempt is');
    like(script('register', 1, 'a:m', 'new', qw(u n h 1)), qr/OOM/, 'an account');
    like(script('login', 1, 'u:m', 't', 100_000, 2), qr/OOM/, 'a token');
    r('CONFIG', 'SET', 'maxmemory', 0);
    script('token', 1, 'im_m', 'set', 'u', 'n', 100_000);
    script('login', 1, 'u:m', 'm', 100_000, 2);
    r('CONFIG', 'SET', 'maxmemory', 1);
    is(script('token', 1, 'im_m', 'del', '', '0'), 'u', 'a logout is not');
    is_deeply(script('login', 1, 'u:m', '', 0, 0), ['m'], 'of all');
    r('CONFIG', 'SET', 'maxmemory', 0);
};

subtest 'what waits in a queue' => sub {
    r('FLUSHALL');
    is_deeply(script('backlog', 2, '{1}:q', '{1}:own'), [0, 0, ''], 'nothing');
    r('XADD', '{1}:q', (time() - 60) * 1000 . '-0', 'd', 'x');
    r('XADD', '{1}:q', '*', 'd', 'x');
    my $q = script('backlog', 2, '{1}:q', '{1}:own');
    is($q->[0], 2, 'two entries');
    cmp_ok($q->[1], '>=', 59000, 'the older one counts');
    r('XTRIM', '{1}:q', 'MAXLEN', 0);
    is_deeply(script('backlog', 2, '{1}:q', '{1}:own'), [0, 0, ''], 'nothing again');
    script('own', 1, '{1}:own', 'a', 60_000);
    r('XADD', '{1}:q', '99999999999999-0', 'd', 'x');
    is_deeply(script('backlog', 2, '{1}:q', '{1}:own'), [1, 0, 'a'], 'one of the future, and its owner');
    r('SET', '{1}:x', 1);
    like(script('backlog', 2, '{1}:x', '{1}:own'), qr/WRONGTYPE/, 'no queue');
};

subtest 'nothing without a life' => sub {
    r('FLUSHALL');
    route('r:l', 'w1', 1, 1, '+s', 'x');
    pub('r:l', ids(1));
    route('r:l2', 'w1', '-', 1);
    lease('w1', 12_000);
    script('limit', 1, 'l:m', 5, 1000);
    script('token', 1, 'im_m', 'set', 'u', 'n', 100_000);
    script('login', 1, 'u:m', 'm', 100_000, 2);
    my @endless = grep { r('TTL', $_) == -1 } @{ r('KEYS', '*') };
    is_deeply([ sort @endless ], ['{1}:q', '{reg}:nodes', '{reg}:s:nodes'],
              'but the queue and the leases');
};

done_testing();
