#!/usr/bin/perl

# What scripts publish by themselves, byte for byte, and what they leave to the
# queue; several messages in one call; lives of what they write.

use strict;
use warnings;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = tempdir(CLEANUP => 1);
my $sock = "$dir/redis.sock";
my ($pid, $conn);
my $gen = 'g' x 24;

my %text = (pub => join('', map { slurp($_) } qw(meta queue pub)),
            control => join('', map { slurp($_) } qw(queue control)),
            forget => slurp('forget'));

sub slurp {
    open(my $fh, '<', "redis/$_[0].lua") or die "$_[0]: $!\n";
    local $/;
    return scalar <$fh>;
}

sub connected { return IO::Socket::UNIX->new(Peer => $sock) }

sub start {
    $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open(STDOUT, '>>', "$dir/redis.log");
        exec('redis-server', '--port', 0, '--unixsocket', $sock, '--dir', $dir,
             '--save', '');
        exit(127);
    }

    Test::Im::Stack::until_true(60, sub {
        ($conn = connected()) && (r('PING') // '') eq 'PONG';
    }) or die "redis doesn't answer\n";
}

END {
    my $status = $?;

    if ($pid) {
        kill('KILL', $pid);
        waitpid($pid, 0);
    }

    $? = $status;
}

sub say_to {
    my ($to, @words) = @_;

    print {$to} '*' . @words . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @words;
    $to->flush();
}

sub reply_of {
    my ($from) = @_;
    my $line = <$from>;

    return undef unless defined $line;
    $line =~ s/\r\n$//;
    my $type = substr($line, 0, 1, '');

    return "ERR $line" if $type eq '-';
    return $line if $type eq '+' || $type eq ':';
    return undef if $line < 0;
    return [ map { reply_of($from) } 1 .. $line ] if $type eq '*';

    read($from, my $data, $line + 2);
    return substr($data, 0, $line);
}

sub r { say_to($conn, @_); return reply_of($conn) }

# One that is subscribed to channels; its next payload, with the channel.
sub listener {
    my $c = connected();

    say_to($c, 'SSUBSCRIBE', $_), reply_of($c) for @_;
    return $c;
}

sub heard { my $m = reply_of($_[0]); return [ @{$m}[1, 2] ] }

# What is heard next is this: nothing came before it.
sub silent {
    my ($c, $channel) = @_;

    r('SPUBLISH', $channel, 'mark');
    is_deeply(heard($c), [$channel, 'mark'], $_[2]);
}

# [topic, data, %other] ...
sub pub {
    my (@keys, @args);

    for (@_) {
        my ($t, $data, %a) = @$_;
        my $p = $a{p} // 1;

        push @keys, "{$p}:$t:m", "{$p}:$t:h", "{$p}:q",
            $a{id} ? "{$p}:d:$a{id}" : "{$p}:q", "{$p}:$t:w";
        push @args, $t, $data, $a{hash} // 'h', $gen, $a{history} // 100, $a{ttl} // 800,
            1600, $a{id} ? 60 : 0, $a{cap} // 1000;
    }

    return r('EVAL', $text{pub}, @keys + 2, @keys, '{1}:all', '{1}:w:', @args);
}

sub control {
    return r('EVAL', $text{control}, 4, '{1}:q', "{1}:$_[0]:w", '{1}:all', '{1}:w:', $_[0],
             $_[1], 1000, $_[2] // '');
}

sub item {
    my ($topic, $position, $data) = @_;
    my ($epoch, $n) = $position =~ /^(.*):(\d+)$/;

    return pack('N/a', pack('CC/aC/aQ>a*', 0, $topic, $epoch, $n, $data));
}

start();

my $bell = listener('{1}:q');
my $w1 = listener('{1}:w:w1', '{1}:all');
my $w2 = listener('{1}:w:w2', '{1}:all');

r('HSET', '{1}:r:a:w', 'w1', '1:1');
r('HSET', '{1}:r:b:w', 'w1', '1:1', 'w2', '1:1');
r('HSET', '{1}:r:deaf:w', 'w1', '1:1', 'w3', '1:1');

subtest 'one message' => sub {
    my $p = pub(['r:a', 'x']);

    is($p->[0], 0, 'accepted');
    is_deeply(heard($w1), ['{1}:w:w1', item('r:a', $p->[1], 'x')], 'is heard');
    is(r('XLEN', '{1}:q'), 0, 'nothing waits');
    silent($bell, '{1}:q', 'and no bell rings');
    silent($w2, '{1}:w:w2', 'nor is it sent to others');
};

subtest 'several in one call' => sub {
    my $p = pub(['r:a', 'x'], ['r:b', 'y'], ['r:none', 'n'], ['r:a', 'z']);

    is_deeply([ @{$p}[0, 3, 6, 9] ], [0, 0, 0, 0], 'accepted');
    is_deeply([ @{$p}[2, 5, 8, 11] ], [1, 2, 0, 1], 'for so many workers');
    is_deeply(heard($w1), ['{1}:w:w1', item('r:a', $p->[1], 'x') . item('r:b', $p->[4], 'y')
                                       . item('r:a', $p->[10], 'z')], 'a batch for each worker');
    is_deeply(heard($w2), ['{1}:w:w2', item('r:b', $p->[4], 'y')], 'of what it follows');

    $p = pub(['r:a', 1], ['b', 2], ['r:a', 3]);
    is_deeply([ map { heard($w1) } 1 .. 3 ],
              [ ['{1}:w:w1', item('r:a', $p->[1], 1)], ['{1}:all', item('b', $p->[4], 2)],
                ['{1}:w:w1', item('r:a', $p->[7], 3)] ], 'what is for all keeps its place');
    is(heard($w2)->[0], '{1}:all', 'and is for all');
};

subtest 'a worker that does not listen' => sub {
    my $p = pub(['r:deaf', 'x'], ['r:a', 'y']);

    is_deeply(heard($w1), ['{1}:w:w1', item('r:deaf', $p->[1], 'x') . item('r:a', $p->[4], 'y')],
              'the others have it');
    my $q = r('XRANGE', '{1}:q', '-', '+');
    is(@$q, 1, 'one entry waits');
    is_deeply($q->[0][1], ['t', 'r:deaf', 'i', $p->[1], 'w', 'w3', 'd', 'x'], 'for that one');
    is(unpack('N', heard($bell)->[1]), 0, 'and the bell rings');

    $p = pub(['r:a', 'late']);
    is(r('XLEN', '{1}:q'), 2, 'now others wait behind it');
    is(unpack('N', heard($bell)->[1]), 1, 'and ring');
    silent($w1, '{1}:w:w1', 'nothing overtakes');
    r('XTRIM', '{1}:q', 'MAXLEN', 0);
    $p = pub(['r:a', 'again']);
    is_deeply(heard($w1), ['{1}:w:w1', item('r:a', $p->[1], 'again')], 'straight again');
};

subtest 'control entries' => sub {
    is_deeply(control('r:a', 'who'), [0, 1], 'to those that follow');
    my ($channel, $bytes) = @{ heard($w1) };
    my ($rest) = unpack('N/a', $bytes);
    my ($kind, $topic, $epoch, $ms, $data) = unpack('CC/aC/aQ>a*', $rest);
    is_deeply([$kind, $topic, $epoch, $data], [1, 'r:a', '', 'who'], 'as it is');
    cmp_ok(abs($ms / 1000 - time()), '<', 3600, 'with its time');
    is_deeply(control('u:k', 'kick', '*'), [0, 1], 'to all');
    is(heard($_)->[0], '{1}:all', 'each') for $w1, $w2;
    is_deeply(control('r:none', 'who'), [0, 0], 'to none');
};

subtest 'Redis is full' => sub {
    r('HSET', '{1}:r:far:w', 'w3', '1:1');
    r('CONFIG', 'SET', 'maxmemory', 1);

    my @to = map { [$_, 'x', history => ''] } 'r:deaf', 'r:far', 'r:a';
    my $p = pub(@to);

    is_deeply([ @{$p}[0, 3, 6] ], [0, 4, 0], 'refused is what was sent to none');
    like($p->[4], qr/^OOM /, 'for that reason');
    is_deeply(heard($w1), ['{1}:w:w1', item('r:deaf', '-:0', 'x') . item('r:a', '-:0', 'x')],
              'the others are heard');

    is(pub($to[0])->[0], 0, 'what was sent to some is accepted alone, too');
    is(heard($w1)->[0], '{1}:w:w1', 'and heard once');
    like(pub($to[1]), qr/^ERR OOM /, 'what was sent to none is not');
    like(control('r:far', 'who'), qr/^ERR OOM /, 'nor is a control entry');

    r('CONFIG', 'SET', 'maxmemory', 0);
    is(r('XLEN', '{1}:q'), 0, 'nothing waits');
};

subtest 'no owner' => sub {
    close($bell);
    sleep(0.01) while r('PUBSUB', 'SHARDNUMSUB', '{1}:q')->[1] > 0;
    pub(['r:a', 1], ['r:b', 2], ['b', 3]);
    control('u:k', 'kick', '*');
    is_deeply([ map { $_->[1][5] } @{ r('XRANGE', '{1}:q', '-', '+') } ],
              ['w1', 'w1 w2', '', '*'], 'all of it waits, in order');
    silent($w1, '{1}:w:w1', 'nothing is sent');
    is_deeply([ @{ pub(['r:a', 4, cap => 5], ['r:a', 5, cap => 5]) }[0, 3] ], [0, 2],
              'up to the cap');
    r('DEL', '{1}:q');
    $bell = listener('{1}:q');
};

subtest 'one that fails' => sub {
    pub(['r:a', 'x', id => 'i', hash => 'one']);
    heard($w1);
    r('HSET', '{1}:r:junk:m', 's', 'junk');
    my $p = pub(['r:a', 'x', id => 'i', hash => 'two'], ['r:junk', 'y'],
                ['r:a', 'x', id => 'i', hash => 'one'], ['r:a', 'z']);
    is_deeply([ @{$p}[0, 3, 6, 9] ], [3, 4, 1, 0], 'each has its result');
    like($p->[4], qr/compare/, 'and its error');
    is_deeply(heard($w1), ['{1}:w:w1', item('r:a', $p->[10], 'z')], 'what was accepted is sent');

    r('CONFIG', 'SET', 'maxmemory', 1);
    like(pub(['r:a', 1], ['r:b', 2]), qr/^ERR OOM /, 'what concerns all is an error of the call');
    r('CONFIG', 'SET', 'maxmemory', 0);
};

subtest 'lives' => sub {
    my @keys = map { "{1}:r:life:$_" } qw(m h);
    my $ttl = sub { [ map { r('TTL', $_) } @keys ] };
    my $between = sub {
        my ($m, $h) = @{ $ttl->() };
        ok($m >= 1590 && $m <= 1800 && $h >= 790 && $h <= 900, $_[0]) or diag("$m $h");
    };

    pub(['r:life', 1]);
    $between->('an eighth longer');
    r('EXPIRE', $_, 50) for @keys;
    pub(['r:life', 2]);
    is_deeply([ grep { $_ > 50 } @{ $ttl->() } ], [], 'not renewed by each push');
    r('HSET', $keys[0], 'x', 1);
    pub(['r:life', 3]);
    $between->('but when an eighth is over');
    r('HSET', $keys[0], 'x', 4e9);
    pub(['r:life', 4]);
    $between->('or the clock was set back');
    r('EVAL', $text{forget}, 2, @keys);
    pub(['r:life', 5]);
    $between->('or the history is new');
    is(r('XLEN', $keys[1]), 1, 'as it is');
    r('DEL', $keys[1]);
    r('SET', $keys[1], 'x');
    pub(['r:life', 6]);
    $between->('or something else was there');
    pub(['r:life', 7, ttl => 80]);
    cmp_ok(r('TTL', $keys[1]), '<=', 90, 'a shorter ttl= holds at once');
    is_deeply([ grep { r('TTL', $_) < 0 } grep { /r:life/ } @{ r('KEYS', '*') } ], [],
              'nothing stays for ever');
};

done_testing();
