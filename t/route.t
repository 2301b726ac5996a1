#!/usr/bin/perl

# Reports of several topics of a partition go to Redis as one call: each has the
# reply that it would have had alone, and one that fails stops no other.

use strict;
use warnings;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use Test::Im::Stack;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $text = join '', map { slurp("redis/$_.lua") } qw(meta queue route);
my $gen = 'g' x 24;
my ($pid, $conn);

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
        open(STDOUT, '>', "$dir/redis.log");
        exec('redis-server', '--port', 0, '--unixsocket', "$dir/redis.sock",
             '--dir', $dir, '--save', '');
        exit(127);
    }

    Test::Im::Stack::until_true(60, sub {
        $conn = IO::Socket::UNIX->new(Peer => "$dir/redis.sock");
        return $conn && (r('PING') // '') eq 'PONG';
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

# each is [ TOPIC, COUNT, VERSION, LIFE, NOTICE, pairs ... ]; a list of replies
sub routes {
    my ($w, @reports) = @_;
    my (@keys, @args);

    for (@reports) {
        my ($t, $count, $version, $life, $notice, @pairs) = @$_;
        my @names = map { "{1}:$t:$_" } 'w', "k:$w", 'm', 'h', "x:$w";

        push @args, '.' if @keys;
        push @args, @keys ? ($count, $version, $life, $t, $notice)
            : ($w, $count, $version, 1000, $life, $gen, $t, $notice, 100);
        push @args, @pairs;
        push @keys, @keys ? @names : (@names, '{1}:q');
    }

    my $all = r('EVAL', $text, scalar @keys, @keys, @args);

    return $all unless ref $all;
    return map { [ (splice @$all, 0, 7)[0 .. 5] ] } @reports;
}

start();

subtest 'each as alone' => sub {
    my @r = routes('w1', [ 'r:a', 2, 1, 2000, '', '=', '', '+s1', '{}' ],
                   [ 'r:b', 1, 2, 2000, '' ],
                   [ 'u:c', 1, 3, 2000, '', '+s2', '{}', '+s3', '{}' ]);

    is(scalar @r, 3, 'three replies');
    is_deeply([ map { @$_[0, 2 .. 5] } @r ], [ (1, 0, '', '', 1) x 3 ],
              'all joined');
    is(r('HGET', '{1}:r:a:w', 'w1'), '2:1', 'the first one');
    is(r('HGET', '{1}:r:b:w', 'w1'), '1:2', 'the second one');
    is(r('HLEN', '{1}:u:c:k:w1'), 2, 'members of the third one');
    is(r('HGET', '{1}:r:b:m', 'e'), $r[1][1], 'its epoch');

    for my $key (qw(r:a:w r:a:m r:a:k:w1 r:b:w r:b:m u:c:w u:c:m u:c:k:w1)) {
        cmp_ok(r('TTL', "{1}:$key"), '>', 900, "$key lives");
    }

    @r = routes('w1', [ 'r:a', '', 4, 2000, '' ], [ 'r:none', '', 5, 2000, '' ],
                [ 'r:b', '-', 6, 2000, '' ], [ 'u:c', 1, 7, 2000, '', '-s2', '' ],
                [ 'r:a', 5, 1, 2000, '' ]);

    is_deeply([ @{$r[0]}[0, 2, 5] ], [ 0, 0, 1 ], 'one only asked');
    is_deeply($r[1], [ 0, '', 0, '', '', 1 ], 'or for nothing');
    is(r('EXISTS', '{1}:r:none:m'), 0, 'which makes no key');
    is_deeply($r[2], [ 1, '', 0, '', '', 1 ], 'another left');
    is(r('EXISTS', '{1}:r:b:w'), 0, 'its route has gone');
    is_deeply(r('HKEYS', '{1}:u:c:k:w1'), ['s3'], 'a member left');
    is_deeply([ @{$r[4]}[0, 4] ], [ 0, '2:1' ], 'an old one is refused');

    @r = routes('w1', [ 'r:d', 1, 8, 2000, '' ], [ 'r:b', 1, 5, 2000, '' ],
                [ 'r:b', 1, 9, 2000, '' ]);
    is_deeply([ map { $_->[0] } @r ], [ 1, 0, 1 ],
              'a late join is kept out, a new one is not');
};

subtest 'lives are renewed where it is due' => sub {
    my @keys = map { "{1}:r:a:$_" } qw(w m k:w1);

    r('EXPIRE', $_, 20) for @keys;
    routes('w1', [ 'r:d', 1, 20, 2000, '' ],
           [ 'r:a', 3, 21, -2000, '', '-s1', '', '+s1', '{}' ]);
    is(r('HGET', '{1}:r:a:w', 'w1'), '3:21', 'a count');
    cmp_ok(r('TTL', $keys[0]), '<=', 20, 'which renews nothing');
    cmp_ok(r('TTL', $keys[1]), '<=', 20, 'of the meta neither');

    r('HDEL', $keys[0], 'w1');
    routes('w1', [ 'r:d', 1, 22, 2000, '' ], [ 'r:a', 3, 23, -2000, '' ]);
    cmp_ok(r('TTL', $_), '>', 900, "$_ is made anew") for @keys[0, 1];

    r('EXPIRE', $_, 20) for @keys;
    routes('w1', [ 'r:d', 1, 24, 2000, '' ], [ 'r:a', 3, 25, 2000, '' ]);
    cmp_ok(r('TTL', $_), '>', 900, "$_ is renewed") for @keys[0, 1];
};

subtest 'one that fails' => sub {
    r('HSET', '{1}:r:bad:w', 'w1', 'rubbish');
    my @r = routes('w1', [ 'r:e', 1, 30, 2000, '' ],
                   [ 'r:bad', 1, 31, 2000, '', '+s', '{}' ],
                   [ 'r:f', 1, 32, 2000, '', '+s', '{}' ]);

    is_deeply([ map { $_->[0] } @r ], [ 1, -1, 1 ], 'stops no other');
    like($r[1][1], qr/attempt to compare/, 'and says why');
    is(r('HLEN', '{1}:r:f:k:w1'), 1, 'members of one behind it');
    like(routes('w1', [ 'r:bad', 1, 33, 2000, '' ]), qr/attempt to compare/,
         'alone it is an error');

    r('SET', "{1}:r:g:$_", 'text') for qw(w m k:w1);
    @r = routes('w1', [ 'r:g', 1, 34, 2000, '', '+s', '{}' ],
                [ 'r:e', 1, 35, 2000, '' ]);
    is_deeply([ map { $_->[0] } @r ], [ 1, 1 ], 'other types make way');
};

subtest 'other workers hear of members' => sub {
    routes('w2', [ 'r:h', 1, 1, 2000, '' ]);
    my @r = routes('w1', [ 'r:h', 1, 40, 2000, 'one' ],
                   [ 'r:i', 1, 41, 2000, 'two' ], [ 'r:h', 1, 42, 2000, 'x' ]);
    my $queue = r('XRANGE', '{1}:q', '-', '+');

    is_deeply([ map { $_->[5] } @r ], [ 1, 1, 1 ], 'told');
    is_deeply([ map { +{ @{$_->[1]} } } @$queue ],
              [ map { { t => 'r:h', i => '', w => 'w2', d => $_ } } 'one', 'x' ],
              'where there are others');

    r('XADD', '{1}:q', '*', 'x', $_) for 1 .. 100;
    @r = routes('w1', [ 'r:h', 1, 43, 2000, 'one' ], [ 'r:i', 1, 44, 2000, '' ]);
    is_deeply([ map { $_->[5] } @r ], [ 0, 1 ], 'the queue is full');
    r('DEL', '{1}:q');
};

subtest 'a full Redis refuses none' => sub {
    r('CONFIG', 'SET', 'maxmemory', 1);
    my @r = routes('w1', [ 'r:j', 1, 50, 2000, '' ],
                   [ 'u:k', 1, 51, 2000, '', '+s', '{}' ],
                   [ 'r:a', 4, 52, -2000, '', '+s9', '{}' ]);

    is_deeply([ map { ref $_ ? $_->[0] : $_ } @r ], [ 1, 1, 1 ], 'joins');
    is(r('HLEN', '{1}:u:k:k:w1'), 1, 'and members');
    r('CONFIG', 'SET', 'maxmemory', 0);
};

done_testing();
