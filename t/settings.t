#!/usr/bin/perl
# Copyright (C) The im authors
#
# The settings of the masters of a cluster: what is wrong is said once for all
# that have it, and of servers that become masters later too.

use strict;
use warnings;

use lib 't/lib';

use Test::Im::Daemon qw(start stop ended wrote until_true);
use Test::Im::Redis;
use Test::More;

my $redis = Test::Im::Redis->new(kind => 'cluster');

$redis->start;
$redis->command($_, 'CONFIG', 'SET', 'cluster-node-timeout', 15000)
    for qw(redis1 redis3);
$redis->command($_, 'CONFIG', 'SET', 'cluster-require-full-coverage', 'yes')
    for qw(redis1 redis2 redis3);
$redis->command('redis5', 'CONFIG', 'SET', 'appendonly', 'no');

my ($one, $two, $three, $five) = map { $redis->address($_) }
    qw(redis1 redis2 redis3 redis5);
my $job = start('im_job', '--redis=' . join ' ', $redis->words);


sub writes {
    my ($like, $name) = @_;

    until_true(sub { wrote($job) =~ $like || ended($job) });
    like(wrote($job), $like, $name);
}


writes(qr/\[warn\] \d+: redis at "\Q$one\E", "\Q$three\E" has "cluster-node-timeout 15000": .*; CONFIG SET cluster-node-timeout 5000,/,
       'a long node-timeout of two masters is one line');
writes(qr/\[warn\] \d+: redis at "\Q$one\E", "\Q$two\E", "\Q$three\E" has "cluster-require-full-coverage yes": .*; CONFIG SET cluster-require-full-coverage no,/,
       'full coverage of all too');

$redis->command('redis2', 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
$redis->command('redis2', 'CLIENT', 'KILL', 'TYPE', 'normal');
writes(qr/Redis at "\Q$two\E" can't be used: its "maxmemory-policy" is "allkeys-lru", not "noeviction"/,
       'a master that evicts is refused with its next connection');
ok(!ended($job), 'the others are used');
$redis->command('redis2', 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
writes(qr/can't be used(?:.*\n)*.*Redis at "\Q$two\E" is there/,
       'it is taken when it is right');

$redis->owned('redis2');
$redis->failover('redis5');
$redis->until_replaced('redis2');
writes(qr/\[warn\] \d+: redis at "\Q$five\E" has "appendonly no": started again before a replica takes over/,
       'a new master is looked at');

is(stop($job), 0, 'it ends when told to');

done_testing();
