#!/usr/bin/perl
# Copyright (C) The im authors
#
# A server becomes a cluster of one, in place: with keys in another database, as
# docs/redis.md has it.  With programs and clients this is a drill:
# t/drill/failover.t, moving-cluster and moving-sentinel.

use strict;
use warnings;

use lib 't/lib';

use Test::Im::Docs qw(block commands);
use Test::Im::File qw(spew);
use Test::Im::Redis;
use Test::More;

my $redis = Test::Im::Redis->new(kind => 'one');


sub rewrite {
    my (@commands) = @_;

    $redis->commands('redis1', @commands, [ 'BGREWRITEAOF' ]);
    $redis->wait_until(60, 'the AOF is rewritten', sub {
        my $info = $redis->command('redis1', 'INFO', 'persistence');
        $info =~ /aof_rewrite_in_progress:0/
            && $info =~ /aof_rewrite_scheduled:0/;
    });
}


# Stopped, and started as what it is to be.
sub become {
    my (%how) = @_;

    $redis->stop('redis1');
    $redis->grow(masters => 1, replicas => 0, %how);
    $redis->renew('redis1');

    return eval { $redis->start('redis1') };
}


$redis->start;
rewrite([ 'SELECT', 2 ], [ 'SET', 'im:{reg}:conf', '16e' ],
        [ 'HSET', 'im:{3-17}:r:1:m', 'e', 'x' ]);

ok(!become(kind => 'cluster'), 'keys in another database: it does not start');
delete $redis->{pids}{redis1};

$redis->grow(kind => 'one');
$redis->renew('redis1');
$redis->start('redis1');

my ($swap, $then) = map { s/^redis-cli -p 6399 //r }
    commands(block('docs/redis.md', 'redis-cli -p 6399 SWAPDB'));

rewrite([ split ' ', $swap ]);
is($then, 'BGREWRITEAOF', 'which is rewritten then');
ok(become(kind => 'cluster'), 'it starts when they are in database 0');

my ($how) = block('docs/redis.md', 'redis-cli CLUSTER NODES')
    =~ /NODES \| (awk .*?) \| xargs redis-cli CLUSTER ADDSLOTSRANGE$/
    or die "docs/redis.md doesn't say how slots are given\n";
my $nodes = $redis->command('redis1', 'CLUSTER', 'NODES');

spew("$redis->{dir}/nodes", $nodes);
like($nodes, qr/ connected 946 7926$/, 'it has the slots of its keys');
$redis->command('redis1', 'CLUSTER', 'ADDSLOTSRANGE',
                split ' ', `$how $redis->{dir}/nodes`);
$redis->wait_until(60, 'all slots are served', sub {
    my $info = $redis->command('redis1', 'CLUSTER', 'INFO');
    $info =~ /cluster_state:ok/ && $info =~ /slots_ok:16384/;
});
pass('and gets all others');
is($redis->command('redis1', 'GET', 'im:{reg}:conf'), '16e', 'with its keys');

ok(become(kind => 'one'), 'and back');
is($redis->command('redis1', 'HGET', 'im:{3-17}:r:1:m', 'e'), 'x',
   'with its keys');

done_testing();
