#!/usr/bin/perl
# Copyright (C) The im authors
#
# The settings of the masters of a cluster: what is wrong is said once for all
# that have it, and of servers that become masters later too.  What keeps
# programs from their start, and what does not.

use strict;
use warnings;

use lib 't/lib';

use Test::Im::Daemon qw(start stop ended wrote until_true);
use Test::Im::Redis;
use Test::More;

# so slow that a busy machine has no failovers but the one that the test makes
my $redis = Test::Im::Redis->new(kind => 'cluster', timeout => 5000);

$redis->start;
$redis->command($_, 'CONFIG', 'SET', 'cluster-node-timeout', 15000)
    for qw(redis1 redis3);
$redis->command($_, 'CONFIG', 'SET', 'cluster-require-full-coverage', 'yes')
    for qw(redis1 redis2 redis3);
$redis->command('redis5', 'CONFIG', 'SET', 'appendonly', 'no');

my ($one, $two, $three, $five) = map { $redis->address($_) }
    qw(redis1 redis2 redis3 redis5);
my $single = Test::Im::Redis->new;
my $words = join ' ', $redis->words;
my $job;


sub writes {
    my ($like, $name) = @_;

    until_true(sub { wrote($job) =~ $like || ended($job) });
    like(wrote($job), $like, $name);
}


sub refused {
    my ($like, $name) = @_;

    until_true(sub { ended($job) });
    is(stop($job), 1, "$name: it ends");
    like(wrote($job), $like, "$name: it says why");
}


sub policy {
    my ($server, $policy) = @_;

    $redis->command($server, 'CONFIG', 'SET', 'maxmemory-policy', $policy);
}


# at the start

$single->start;

my $away = $single->address('redis1');

is($redis->master_of('im:{reg}:conf'), 'redis2', 'redis2 has the registry');
policy('redis3', 'allkeys-lru');

(my $mixed = $words) =~ s/\Acluster /cluster $away /;
$job = start('im_job', "--redis=$mixed");
writes(qr/Redis at "\Q$away\E" can't be used: it is not a node of a cluster: name nodes of one/,
       'a seed that is no node');
writes(qr/Redis at "\Q$two\E" is there/, 'the next seed leads to the cluster');
writes(qr/Redis at "\Q$three\E" can't be used: its "maxmemory-policy"/,
       'a master that evicts');
policy('redis3', 'noeviction');
writes(qr/Redis at "\Q$three\E" is there/, 'it is taken when it is right');
is(stop($job), 0, 'the others were used');

policy('redis2', 'allkeys-lru');
$job = start('im_job', "--redis=$words");
refused(qr/Redis at "\Q$two\E" can't be used: its "maxmemory-policy"/,
        'the one of the registry evicts');
policy('redis2', 'noeviction');

$job = start('im_job', "--redis=cluster $away");
refused(qr/it is not a node of a cluster: name nodes of one, or leave "cluster" away/,
        'no seed is a node');

$redis->command($_, 'ACL', 'SETUSER', 'lame', 'on', '>secret', '~*', '&*',
                '+@all', '-ssubscribe') for qw(redis1 redis2 redis3);
$job = start('im_job', "--redis=$words user=lame password=secret");
writes(qr/is away \(pub\/sub.*: NOPERM(?:.*\n)*.*is away \(pub\/sub/,
       'channels are refused by two masters');
like(wrote($job), qr/refuses a command: NOPERM .*'ssubscribe' command; ACL SETUSER lame ~im:\* ~im_\* &im:\* \+\@all -\@dangerous \+info \+config\|get, at each server$/m,
     'the log has the cause and the cure');
is(scalar(() = wrote($job) =~ /refuses a command/g), 1, 'once for all masters');
stop($job);

# later

$job = start('im_job', "--redis=$words");


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
