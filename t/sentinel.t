#!/usr/bin/perl
# Copyright (C) The im authors
#
# Redis behind sentinels: who is asked, what is wrong with them, and what the log
# says of it.  What failovers do to pushes and clients is in drill/failover.t.

use strict;
use warnings;

use lib 't/lib';

use Test::Im::Daemon qw(start stop ended wrote until_true);
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports more_ports);
use Test::Im::Redis;
use Test::More;

my ($none) = more_ports(1);
my $http = ports();

# so slow that a busy machine has no failovers but those that the test makes,
# and so fast that programs don't warn of it
my $redis = Test::Im::Redis->new(kind => 'sentinel', password => 'secret',
                                 timeout => 5000);
my @sentinels = map { $redis->address($_) } $redis->sentinels;
my $names = join ', ', map { "\"$_\"" } @sentinels;
my $passwords = 'password=secret sentinel_password=secret';

# never a master
$redis->conf('redis3');
spew("$redis->{dir}/redis3/conf", slurp("$redis->{dir}/redis3/conf")
                                  . "replica-priority 0\n");
$redis->start;


sub job {
    my ($words) = @_;

    return start('im_job', "--redis=$words");
}


# It writes that.
sub writes {
    my ($daemon, $like, $name) = @_;

    until_true(sub { wrote($daemon) =~ $like || ended($daemon) });
    like(wrote($daemon), $like, $name);
}


sub lines {
    my ($daemon, $like) = @_;

    return scalar(() = wrote($daemon) =~ /$like/g);
}


# Connections that the first sentinel has had.
sub knocks {
    my ($n) = $redis->command('sentinel1', 'INFO', 'stats')
        =~ /total_connections_received:(\d+)/;

    return $n;
}


# Words that can't work: one line says why, however often it tries.
sub fails {
    my ($name, $words, $why) = @_;
    my $daemon = job($words);
    my $before = knocks();

    # while one of them is late, there may be a line about the others
    my $line = qr/\[error\] \d+: Redis: 0 of \d sentinels answer for "\w+"; $why\n/;

    writes($daemon, $line, $name);

    until_true(sub { knocks() > $before + 20 }) if $words =~ /\Q$sentinels[0]/;
    is(lines($daemon, $line), 1, "$name: once");
    is(stop($daemon), 0, "$name: it ends when told to");
}


# which master

my $first = $redis->announced;
my $job = job("sentinel=mymaster @sentinels $passwords");
my $address = $redis->address($first);

writes($job, qr/Redis at "$address" is there, 16 partitions/, 'it is found');
like(wrote($job), qr/Redis: the sentinels name "$address" as master of "mymaster", epoch 0\n/,
     'they said so');

$redis->crash($first);
$redis->until_replaced($first);
my $second = $redis->announced;
$address = $redis->address($second);

writes($job, qr/the sentinels name "$address" as master of "mymaster", epoch \d+\n/,
       'another one takes over');
writes($job, qr/Redis at "$address" is there, 16 partitions/, 'it is used');

# the old one says that it is the master, and takes what it gets
$redis->start($first);
my $old = $redis->address($first);
$redis->command($second, 'CLIENT', 'KILL', 'TYPE', 'normal');
until_true(sub { lines($job, qr/Redis at "$address" is there/) == 2 });
is(lines($job, qr/Redis at "$address" is there/), 2, 'it is connected to anew');
is(lines($job, qr/Redis at "$old" is there/), 1,
   'the old one is left alone, whatever it says');

# a new master may have no replica for a moment
unlike(wrote($job) =~ s/^.*has no replica: .*\n//mgr,
       qr/redis (has|at)|sentinels of|sentinels? watch/, 'settings are right');
is(stop($job), 0, 'it ends when told to');
$redis->until_healed;

# some of them are away

my $name = 'localhost:' . $redis->port('sentinel2');

$job = job("sentinel=mymaster 127.0.0.1:$none $sentinels[0] $name $passwords");
writes($job, qr/Redis at "[\d.:]+" is there, 16 partitions/,
       'one of three can be away');
writes($job, qr/Redis: 2 of 3 sentinels answer for "mymaster"; "127.0.0.1:$none": Connection refused\n/,
       'the log says which');
$redis->crash('sentinel1');
writes($job, qr/Redis: 1 of 3 sentinels answer for "mymaster"; "127.0.0.1:$none", "$sentinels[0]": Connection refused\n/,
       'and that there are two now');
$redis->start('sentinel1');
writes($job, qr/Redis: 1 of 3 .*\n(?:.*\n)*.*Redis: 2 of 3 sentinels answer/,
       'it is back');
$redis->crash('sentinel2');
writes($job, qr/Redis: 1 of 3 .*"127.0.0.1:$none", "$name": Connection refused\n/,
       'one that has a name, and no address of it answers');
$redis->start('sentinel2');
writes($job, qr/"$name": .*\n(?:.*\n)*.*Redis: 2 of 3 sentinels answer/,
       'it is back, too');
stop($job);

# what is wrong with the words

fails('another name', "sentinel=other @sentinels $passwords",
      qr/$names: it watches no master of this name \("sentinel="\): other/);
fails('no password', "sentinel=mymaster @sentinels password=secret",
      qr/$names: it wants a password \("sentinel_password="\)/);
fails('wrong password',
      "sentinel=mymaster @sentinels password=secret sentinel_password=x",
      qr/$names: it refuses "sentinel_user=" and "sentinel_password=": WRONGPASS .*/);
fails('a server', "sentinel=mymaster " . $redis->address('redis1')
      . " $passwords", qr/"[\d.:]+": it is not a sentinel/);
fails('nothing there', "sentinel=mymaster 127.0.0.1:$none $passwords",
      qr/"127.0.0.1:$none": Connection refused/);

$job = job("sentinel=mymaster @sentinels sentinel_password=secret");
writes($job, qr/Redis at "[\d.:]+" can't be used: NOAUTH/,
       'the server has a password of its own');
stop($job);

# settings

$redis->command($_, 'SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds',
                30000) for $redis->sentinels;
$redis->until_healed;
my $master = $redis->announced;
my @replicas = $redis->replicas_of($master);
$redis->command($master, 'CONFIG', 'SET', 'min-replicas-to-write', 1);
$redis->command($master, 'CONFIG', 'SET', 'appendonly', 'no');
$redis->crash($replicas[0]);
until_true(sub { $redis->replicas_of($master) == 1 });
until_true(sub { $redis->command($master, 'INFO', 'replication')
                 =~ /connected_slaves:1\b/ });

my $logic = start('im_logic', "--http=127.0.0.1:$http",
                  "--redis=sentinel=mymaster @sentinels $passwords");
$address = $redis->address($master);
writes($logic, qr/\[warn\] \d+: sentinels of "mymaster" have "down-after-milliseconds 30000": for so long .*; SENTINEL SET mymaster down-after-milliseconds 5000,/,
       'a long down-after is warned of');
like(wrote($logic), qr/\[warn\] \d+: redis at "$address" has "min-replicas-to-write 1" and 1 replica: without one of them it refuses/,
     'and replicas that are too few');
like(wrote($logic), qr/\[warn\] \d+: redis at "$address" has "appendonly no": started again before a replica takes over, it is empty/,
     'and a master without AOF');

is(stop($logic), 0, 'it ends when told to');

$redis->crash($replicas[1]);
$redis->command($master, 'CONFIG', 'SET', 'min-replicas-to-write', 0);
until_true(sub { $redis->command($master, 'INFO', 'replication')
                 =~ /connected_slaves:0\b/ });
$job = job("sentinel=mymaster @sentinels $passwords");
writes($job, qr/\[warn\] \d+: redis at "$address" has no replica/,
       'a master without a replica is warned of');

# a failover that has a new master, and waits for a replica that stands still

my $before = $redis->sentinel('sentinel1')->{'config-epoch'};
my ($next) = grep { $_ ne $master } qw(redis1 redis2);

$redis->command($_, 'SENTINEL', 'SET', 'mymaster', 'failover-timeout', 600000)
    for $redis->sentinels;
$redis->start(@replicas);
$redis->until_healed;
$redis->pause('redis3');
until_true(sub { eval { $redis->failover($master) } });
until_true(sub {
    $redis->sentinel('sentinel1')->{'config-epoch'} > $before;
});

my %leader = %{$redis->sentinel('sentinel1')};

like($leader{flags}, qr/\bfailover_in_progress\b/, 'the failover goes on');
is($leader{port}, $redis->port($master),
   'SENTINEL MASTER has the address of the old master');
is($redis->announced, $next, 'the tests know the new one');
$address = $redis->address($next);
writes($job, qr/the sentinels name "$address" as master of "mymaster", epoch \d+\n/,
       'programs know it, too');
stop($job);

done_testing();
