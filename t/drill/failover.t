#!/usr/bin/perl
# Copyright (C) The im authors
#
# Drills of more than one Redis: Sentinel and Cluster lose, replace, part and
# move servers while pushes go on.  Redis may lose what it accepted, as its
# replicas lag; all else is judged by the history that it has in the end:
#
#   lost      messages of the history that a follower neither got nor missed in a
#             hole it was told of
#   twice, out of order   of the messages that are in the history
#   forged    a number that a client or a pusher knows with another message
#   forked    an epoch and number that stood for two messages, ever
#   holes     real: a client stood where the history has no place any more;
#             told: it heard of it
#   forgot    accepted pushes that aren't in the history: Redis lost them.  None
#             where no server fails, or where pushes wait for replicas
#   others    pushes that were refused although their master had no fault
#
#   prove t/drill/failover.t                 a few seconds each
#   IM_DRILL=long perl t/drill/failover.t    longer ones, all, and a table
#   IM_DRILL=times perl t/drill/failover.t   how long failovers take
#   IM_DRILLS=cluster-kill,sentinel-kill ... these only

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use JSON::PP ();
use POSIX ();
use Test::Im::Docs qw(block commands);
use Test::Im::File qw(slurp spew);
use Test::Im::Pushes;
use Test::Im::Redis;
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $mode = $ENV{IM_DRILL} || '';
my $long = $mode ne '';
my $build = $ENV{IM_BUILD} || Cwd::cwd() . '/build';
my $nclients = $long ? 300 : 80;
my $nrooms = 18;
my $nusers = 6;
my $rate = $long ? 2 : 1.2;             # pushes a second of each of 2 x 25
my $settle = 60;
my $left = '127.0.1.101';               # of a parted network
my $right = '127.0.1.102';

my %only = map { $_ => 1 } split /,/, $ENV{IM_DRILLS} || '';
my ($stack, $redis, $number, @clients, @pushes, $fault);

$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(TERM INT HUP);

# Their stacks; the scenarios of one run one after the other.
my %kinds = (
    cluster => { redis_kind => 'cluster' },
    sentinel => { redis_kind => 'sentinel' },
    'cluster-parted' => { redis_kind => 'cluster', redis_set => { net => 1 } },
    'sentinel-parted' => { redis_kind => 'sentinel',
                           redis_set => { net => 1 } },
    'cluster-tls' => { redis_kind => 'cluster', redis_set => { tls => 2, acl => 1 } },
    # an older installation, with decimal tags
    'moving-cluster' => { redis_kind => 'one', conf => 16,
                          redis_set => { timeout => 2000, acl => 1 } },
    'moving-sentinel' => { redis_kind => 'one', redis_set => { acl => 1 } },
    'cluster-sure' => { redis_kind => 'cluster', redis_set => { acl => 1 },
                        logic => [ '--durability=replica' ] },
    'sentinel-sure' => { redis_kind => 'sentinel',
                         logic => [ '--durability=replica' ] },
);

# Name, kind, title, what happens while pushes go on.  short: make test has it;
# whole: Redis may forget nothing; others: topics of other masters feel nothing;
# holes: there must be some; reloads: nothing but these closes a session.  late:
# what happens while clients are judged; it gets what the drill returned.
my @drills = (
    [ 'cluster-kill', 'cluster', 'kill -9 of a master', sub {
        my $m = victim();
        $redis->crash($m);
        replaced($m);
        back($m);
    }, others => 1 ],

    [ 'cluster-stop', 'cluster', 'a master stands still, and goes on', sub {
        my $m = victim();
        $redis->pause($m);
        replaced($m);
        $redis->resume($m);
        wait_for(1, 3);
        $redis->until_healed;
    }, others => 1 ],

    [ 'cluster-lag', 'cluster', 'kill -9 of a master whose replica lags', sub {
        my $m = victim();
        lag($m, sub { $redis->crash($m) });
        replaced($m);
        back($m);
    }, short => 1, holes => 1, others => 1 ],

    [ 'cluster-two', 'cluster', 'kill -9 of two masters of three', sub {
        my $m = victim();
        my ($other) = grep { $_ ne $m } $redis->masters;
        $redis->crash($m, $other);
        wait_for(3, 8);
        back($m, $other);
    }, whole => 1 ],

    [ 'cluster-registry', 'cluster', 'kill -9 of the registry\'s master', sub {
        my $m = victim($redis->master_of('im:{reg}:nodes'));
        $redis->crash($m);
        replaced($m);
        back($m);
    }, others => 1 ],

    [ 'cluster-planned', 'cluster', 'CLUSTER FAILOVER of each master', sub {
        for my $m ($redis->masters) {
            my ($replica) = $redis->replicas_of($m);
            $redis->owned($m);
            fault($m) unless $fault;
            $redis->failover($replica);
            replaced($m);
            $redis->until_healed;
        }
        wait_for(0.5, 3);
    }, short => 1, whole => 1 ],

    [ 'cluster-to-and-fro', 'cluster', 'TAKEOVER, and back at once', sub {
        for (1 .. ($long ? 6 : 2)) {
            to_and_fro(victim());
            $redis->until_healed;
            wait_for(1, 2);
        }
    }, short => 1, holes => 1, others => 1 ],

    [ 'cluster-lonely', 'cluster', 'a master without a replica dies', sub {
        my $m = victim();
        my @replicas = $redis->replicas_of($m);
        $redis->crash(@replicas);
        $redis->crash($m);
        wait_for(4, 10);
        $redis->start($m);
        wait_for(1, 3);
        back(@replicas);
    }, others => 1, whole => 1 ],

    [ 'cluster-reload', 'cluster', 'nginx is reloaded in a failover', sub {
        my $m = victim();
        $redis->crash($m);
        $stack->reload('nginx1');
        $stack->reload('nginx2');
        replaced($m);
        back($m);
    }, others => 1 ],

    [ 'cluster-reshard', 'cluster', '1000 slots move', sub {
        my $m = victim();
        my ($to) = grep { $_ ne $m } $redis->masters;
        my $first = ($redis->owned($m))[0];
        my ($slot) = sort { $a <=> $b } map { slot_of($_) } topics_of($m);
        my $n = $slot - $first + 1;
        $redis->finish($redis->reshard($m, $to, $n > 1000 ? $n : 1000));
        $redis->until_healed;
        wait_for(1, 3);
        die "no topic has moved\n"
            unless grep { slot_of($_) == $slot } topics_of($to);
    }, short => 1, whole => 1 ],

    [ 'cluster-big-slot', 'cluster', 'a slot of 20,000 keys moves', sub {
        my $topic = 'r:' . ($number * 1000);
        my $slot = slot_of($topic);
        my $m = $redis->master_of(key_of($topic));
        my ($to) = grep { $_ ne $m } $redis->masters;
        fill($topic, 20000);
        fault($m, grep { slot_of($_) == $slot } topics());
        $redis->move_slot($slot, $m, $to);
        $redis->until_healed;
        wait_for(1, 3);
        $redis->move_slot($slot, $to, $m);
        $redis->until_healed;
    }, whole => 1, others => 1 ],

    [ 'cluster-restart', 'cluster', 'all are killed and started again', sub {
        my @all = $redis->servers;
        fault();
        $redis->crash(@all);
        back(@all);
    }, whole => 1 ],

    [ 'cluster-parted', 'cluster-parted',
      'a master and half of all are parted from the rest', sub {
        my $m = victim();
        $redis->part([ $m, $left ],
                     [ $right, grep { $_ ne $m } $redis->servers ]);
        replaced($m);
        wait_for(1, 4);
        $redis->mend;
        $redis->until_healed;
        wait_for(1, 3);
    }, short => 1, holes => 1 ],

    [ 'cluster-tls', 'cluster-tls', 'kill -9 of a master, TLS', sub {
        my $m = victim();
        $redis->crash($m);
        replaced($m);
        back($m);
    }, others => 1 ],

    [ 'cluster-sure', 'cluster-sure',
      'kill -9 of a master, pushes wait for replicas', sub {
        my $m = victim();
        lag($m, sub { $redis->crash($m) });
        replaced($m);
        back($m);
    }, whole => 1 ],

    [ 'sentinel-kill', 'sentinel', 'kill -9 of the master, it comes back', sub {
        my $m = victim();
        $redis->crash($m);
        replaced($m);
        # for 10 s it says that it is the master
        $redis->start($m);
        wait_for(3, 15);
    } ],

    [ 'sentinel-stop', 'sentinel', 'the master stands still, and goes on', sub {
        my $m = victim();
        $redis->pause($m);
        replaced($m);
        wait_for(1, 3);
        $redis->resume($m);
        wait_for(3, 15);
    } ],

    [ 'sentinel-lag', 'sentinel', 'kill -9, and no replica has all', sub {
        my $m = victim();
        lag($m, sub { $redis->crash($m) });
        replaced($m);
        $redis->start($m);
        wait_for(1, 15);
    }, short => 1, holes => 1 ],

    [ 'sentinel-late', 'sentinel', 'kill -9 when pushes have ended', sub {
        my $m = victim();
        my @behind = behind($m);
        wait_for(0.7, 1);
        return ($m, @behind);
    }, late => sub {
        my ($m, @behind) = @_;
        $redis->crash($m);
        follow_again(@behind);
        replaced($m);
    }, holes => 1 ],

    [ 'sentinel-one', 'sentinel', 'kill -9 of a sentinel, then the master', sub {
        my $m = victim();
        $redis->crash('sentinel1');
        wait_for(1, 3);
        $redis->crash($m);
        replaced($m);
        $redis->start('sentinel1', $m);
        wait_for(2, 15);
    } ],

    [ 'sentinel-two', 'sentinel', 'kill -9 of two sentinels and the master', sub {
        my $m = victim();
        $redis->crash('sentinel1', 'sentinel2');
        $redis->crash($m);
        wait_for(4, 10);
        $redis->start('sentinel1', 'sentinel2');
        replaced($m);
        $redis->start($m);
        wait_for(2, 15);
    } ],

    [ 'sentinel-planned', 'sentinel', 'SENTINEL FAILOVER', sub {
        my $m = victim();
        $redis->failover($m);
        replaced($m);
        wait_for(2, 15);
    } ],

    [ 'sentinel-reload', 'sentinel', 'nginx is reloaded in a failover', sub {
        my $m = victim();
        $redis->crash($m);
        $stack->reload('nginx1');
        $stack->reload('nginx2');
        replaced($m);
        $redis->start($m);
        wait_for(2, 15);
    } ],

    [ 'sentinel-restart', 'sentinel', 'all are killed and started again', sub {
        my @all = ($redis->servers, $redis->sentinels);
        fault();
        $redis->crash(@all);
        back(@all);
    } ],

    [ 'sentinel-parted', 'sentinel-parted',
      'the master and half of all are parted from the rest', sub {
        my $m = victim();
        $redis->part([ $m, $left ],
                     [ $right, $redis->sentinels,
                       grep { $_ ne $m } $redis->servers ]);
        replaced($m);
        wait_for(2, 5);
        $redis->mend;
        wait_for(2, 15);
    }, short => 1, holes => 1 ],

    [ 'sentinel-sure', 'sentinel-sure',
      'SENTINEL FAILOVER, pushes wait for replicas', sub {
        my $m = victim();
        $redis->failover($m);
        replaced($m);
        wait_for(2, 15);
    }, whole => 1 ],

    [ 'sentinel-paused', 'sentinel', 'SENTINEL FAILOVER while writes are paused',
      sub {
        my $m = victim();
        fail_over_paused($m);
        wait_for(2, 5);
    }, whole => 1 ],

    # docs/redis.md, "Moving"; each step back is one of the procedure, too
    [ 'moving-cluster', 'moving-cluster', 'one becomes a cluster, and back', sub {
        fault();
        become_cluster();
        programs_move();
        grow_cluster();
        wait_for(2, 5);
        shrink_cluster();
        $redis->grow(kind => 'one');
        programs_move();
        restart_redis();
        wait_for(1, 3);
    }, short => 1, whole => 1, reloads => 2 ],

    [ 'moving-sentinel', 'moving-sentinel', 'one gets sentinels, and back',
      sub {
        fault();
        $redis->grow(kind => 'sentinel', replicas => 1, sentinels => 3);
        $redis->start('redis2');
        $redis->wait_until(60, 'redis2 is a replica', sub {
            $redis->replicas_of('redis1');
        });
        $redis->start($redis->sentinels);
        $redis->until_healed;
        programs_move();
        wait_for(1, 3);
        $redis->crash($redis->sentinels);
        $redis->grow(kind => 'one', replicas => 0);
        programs_move();
        wait_for(1, 3);
    }, short => 1, whole => 1, reloads => 2 ],
);


sub wait_for {
    my ($short_s, $long_s) = @_;

    sleep($long ? $long_s : $short_s);

    return;
}


# faults

# From here on clients and pushers measure; the topics are those of a master.
sub fault {
    my ($master, @topics) = @_;

    @topics = topics_of($master) unless @topics;
    tell_all("watch\n");
    $fault = { time => time(), topics => { map { $_ => 1 } @topics } };
}


# A master to do harm to: not the registry's, which all others need.
sub victim {
    my ($m) = @_;

    if (!defined $m) {
        my $registry = $redis->master_of('im:{reg}:nodes');
        my @masters = $redis->masters;

        ($m) = grep { @masters == 1 || $_ ne $registry }
            map { $redis->master_of(key_of($_)) } rooms();
    }

    die "no master without the registry has a room\n" unless defined $m;
    $redis->owned($m) if $redis->{kind} eq 'cluster';
    fault($m);

    return $m;
}


sub replaced {
    my ($m) = @_;

    $redis->until_replaced($m, 90);
    delete $redis->{owners};
}


# Servers start again, and all is as it was.
sub back {
    my (@names) = @_;

    $redis->start(@names);
    $redis->until_healed(60);
    wait_for(1, 3);
}


# No replica of the master gets its writes any more: they were cut off, and show
# a password that it refuses.
sub behind {
    my ($m) = @_;
    my @replicas = $redis->replicas_of($m);

    $redis->command($_, 'CONFIG', 'SET', 'masterauth', 'none') for @replicas;
    $redis->command($m, 'CLIENT', 'KILL', 'TYPE', 'replica');

    return @replicas;
}


sub follow_again {
    my (@replicas) = @_;

    $redis->command($_, 'CONFIG', 'SET', 'masterauth', '') for @replicas;
}


# Something happens while no replica of the master has its last writes.
sub lag {
    my ($m, $code) = @_;
    my @replicas = behind($m);
    my @commands = map { [ 'HGET', key_of($_), 's' ] } topics_of($m);
    my $before = join ' ', $redis->commands($m, @commands);

    wait_for(0.7, 1);
    $redis->wait_until(60, "a push to $m", sub {
        $before ne join ' ', $redis->commands($m, @commands);
    });
    $code->();
    follow_again(@replicas);
}


# The replica takes over without the last writes, and the old master again as soon
# as it has lost them too.
sub to_and_fro {
    my ($m) = @_;
    my ($replica) = $redis->replicas_of($m);
    my $end = time() + 60;
    my ($role, $since);

    lag($m, sub { $redis->failover($replica, 'TAKEOVER') });
    $since = time();

    do {
        $role = $redis->command($m, 'ROLE');
    } until $role->[0] eq 'slave' && $role->[3] eq 'connected'
            || time() > $end;

    $redis->failover($m, 'TAKEOVER');
    note(sprintf 'back after %.3f s', time() - $since);
    $redis->wait_until(60, "$replica is demoted", sub {
        $redis->says($replica)->{role} eq 'slave';
    });
    delete $redis->{owners};
}


# Keys of nothing in the slot of a topic.
sub fill {
    my ($topic, $n) = @_;
    my $key = key_of($topic);
    my ($tag) = $key =~ /(\{[^}]*\})/;
    my $m = $redis->master_of($key);

    for my $i (1 .. $n / 1000) {
        $redis->commands($m, map { [ 'SET', "x:$tag:$i:$_", 'x' x 100,
                                     'EX', 600 ] } 1 .. 1000);
    }
}


# moving

# All programs get to know where Redis is now, one after the other.
sub programs_move {
    for my $name (@{$stack->{nodes}}) {
        $stack->conf($name);
        $stack->reload($name);
    }

    for my $name (@{$stack->{logics}}, @{$stack->{jobs}}) {
        $stack->stop('TERM', $name);
        $stack->start($name);
    }
}


# In place, with what it has and other settings.
sub restart_redis {
    $redis->stop('redis1');
    $redis->renew('redis1');
    $redis->start('redis1');
}


# A cluster of one; slots without a key are nobody's at first.
sub become_cluster {
    $redis->grow(kind => 'cluster', masters => 1, replicas => 0);
    restart_redis();

    # as docs/redis.md shows it
    my ($how) = block('docs/redis.md', 'redis-cli CLUSTER NODES')
        =~ /NODES \| (awk .*?) \| xargs redis-cli CLUSTER ADDSLOTSRANGE$/
        or die "docs/redis.md doesn't say how slots are given\n";

    spew("$redis->{dir}/nodes", $redis->command('redis1', 'CLUSTER', 'NODES'));
    $redis->command('redis1', 'CLUSTER', 'ADDSLOTSRANGE',
                    split ' ', `$how $redis->{dir}/nodes`);
}


sub cluster_cli {
    my (@args) = @_;
    my $log = "$redis->{dir}/cli.log";

    $redis->finish($redis->cli($log, '--cluster', @args), $log);
}


sub until_known {
    my (@names) = @_;

    $redis->wait_until(60, "@names know each other", sub {
        my $known = 0;

        for my $name (@names) {
            my $info = $redis->command($name, 'CLUSTER', 'INFO');
            my $nodes = $redis->command($name, 'CLUSTER', 'NODES');
            $known += $info =~ /known_nodes:@{[scalar @names]}\b/
                && $nodes !~ /handshake|noaddr/;
        }

        $known == @names;
    });
}


# A line of docs/redis.md, of which some words are others here.
sub cluster_cli_as {
    my ($line, %here) = @_;
    my ($redis_cli, $cluster, @words) = split ' ', $line;

    die "$line?\n" unless "$redis_cli $cluster" eq 'redis-cli --cluster';
    $here{'10.0.0.1:6379'} = $redis->address('redis1');
    cluster_cli(map { defined $here{$_} ? $here{$_} : $_ } @words);
}


sub grow_cluster {
    my ($master, $replica)
        = commands(block('docs/redis.md', 'redis-cli --cluster add-node'));

    $redis->grow(masters => 2, replicas => 1);
    $redis->start(qw(redis2 redis3 redis4));

    # one replicates a master that it knows
    for my $n (2 .. 4) {
        my $done = eval {
            cluster_cli_as($n == 4 ? $replica : $master,
                           '10.0.0.2:6379' => $redis->address("redis$n"),
                           '10.0.0.4:6379' => $redis->address("redis$n"),
                           ID => $redis->id('redis2'));
            1;
        };

        # redis-cli doesn't wait until the new one has heard of its master
        die $@ if !$done && ($n != 4 || $@ !~ /ERR Unknown node/);
        until_known(map { "redis$_" } 1 .. $n);
        $redis->command('redis4', 'CLUSTER', 'REPLICATE', $redis->id('redis2'))
            unless $done;
    }

    $redis->command('redis3', 'CLUSTER', 'REPLICATE', $redis->id('redis1'));
    $redis->until_healed(60);

    if ($long) {
        cluster_cli_as(commands(block('docs/redis.md',
                                      'redis-cli --cluster rebalance')));

    } else {
        $redis->finish($redis->reshard('redis1', 'redis2', 800,
                                       '--cluster-pipeline', 1000));
    }

    $redis->until_healed(60);
}


sub shrink_cluster {
    my @slots = $redis->owned('redis2');

    $redis->finish($redis->reshard('redis2', 'redis1', scalar @slots,
                                   '--cluster-pipeline', 1000));

    for my $name (qw(redis4 redis3 redis2)) {
        cluster_cli('del-node', $redis->address('redis1'), $redis->id($name));
        $redis->crash($name);
    }

    $redis->grow(masters => 1, replicas => 0);
}


# Nothing is accepted while a replica that has all of it is promoted.
sub fail_over_paused {
    my ($m) = @_;
    my @replicas = $redis->replicas_of($m);
    my ($pause, $info, $over)
        = commands(block('docs/redis.md', 'redis-cli -h MASTER CLIENT'));

    s/^redis-cli -h \w+(?: -p \d+)? // for $pause, $info, $over;
    $redis->command($m, split ' ', $pause);
    $redis->wait_until(60, "@replicas have all of $m", sub {
        my $said = $redis->command($m, split ' ', $info);
        my ($end) = $said =~ /^master_repl_offset:(\d+)/m;

        @replicas == grep { $_ >= $end } $said =~ /\boffset=(\d+)/g;
    });
    die "$over?\n" unless $over eq 'SENTINEL FAILOVER mymaster';
    $redis->failover($m);
    $redis->until_replaced($m, 90);
    $redis->until_healed(60);
}


# Sessions that ended, but not with their worker; one that no im_logic could
# let in yet had not begun.
sub closed_otherwise {
    return grep { !/why: worker ends|rooms: 0/ }
        map { slurp($stack->node($_) . '/error.log') =~ /^.*session ended:.*$/mg }
        @{$stack->{nodes}};
}


# topics

sub rooms {
    return map { 'r:' . ($number * 1000 + $_) } 0 .. $nrooms - 1;
}


sub topics {
    return (rooms(), map({ "u:u$_" } 0 .. $nusers - 1), 'b');
}


# The key with a topic's position, as it is in Redis.
sub key_of {
    my ($topic) = @_;

    return $stack->{keys}{$topic} ||= do {
        my ($key) = $redis->all_keys("im:*:$topic:m");
        defined $key ? $key : die "$topic isn't in Redis\n";
    };
}


sub slot_of {
    return Test::Im::Redis::slot(key_of($_[0]));
}


sub topics_of {
    my ($master) = @_;

    return topics() unless defined $master;
    return grep { $redis->master_of(key_of($_)) eq $master } topics();
}


# processes

sub tokens {
    $redis->by_key($_->[1], @$_)
        for map { [ 'HSET', sprintf('im_drl%013x', $_), 'UserId', "u$_",
                    'UserName', "User $_" ] } 0 .. $nusers - 1;
}


# Those of one process at the ports of some nodes.
sub clients_start {
    my ($n, @ports) = @_;
    my $c = {};

    pipe(my $in, $c->{to}) && pipe($c->{from}, my $out) or die $!;
    $c->{pid} = fork();
    die "fork: $!" unless defined $c->{pid};

    if ($c->{pid} == 0) {
        open(STDIN, '<&', $in);
        open(STDOUT, '>&', $out);
        close $c->{to};
        close $c->{from};
        exec("$build/t/client", '-h', 'both', $number, $n, $nrooms, $nusers, 2,
             @ports) or POSIX::_exit(127);
    }

    $c->{to}->autoflush(1);
    push @clients, $c;
}


sub tell_all {
    my ($text) = @_;

    print { $_->{to} } $text for @clients;
}


sub answers {
    return map {
        my $line = readline $_->{from};
        JSON::PP::decode_json(defined $line ? $line : '{}');
    } @clients;
}


sub start_all {
    my ($parted) = @_;
    my @ports = map { $stack->{port} + $_ } 0, 1;
    my @groups = $parted ? map({ [ $_ ] } @ports) : ([ @ports ]);

    clients_start(int($nclients / @groups), @$_) for @groups;

    for my $c (@clients) {
        my $line = readline $c->{from};
        die 'clients: ' . (defined $line ? $line : "gone\n")
            if ($line || '') ne "ready\n";
    }

    for my $p (0, 1) {
        push @pushes, Test::Im::Pushes->start(
            ports => $parted ? $groups[$p] : [ @ports[$p, 1 - $p] ],
            topics => [ topics() ], publisher => $p, drill => $number,
            rate => $rate, file => "$stack->{dir}/pushes.$p");
    }
}


sub abandon_all {
    $_->abandon for splice @pushes;

    for my $c (splice @clients) {
        kill 'KILL', $c->{pid};
        waitpid($c->{pid}, 0);
    }
}


# What Redis has in the end: each topic's epochs and messages.
sub history {
    my @lines;

    for my $topic (topics()) {
        my $key = key_of($topic);
        my ($meta, $all) = $redis->commands($redis->master_of($key),
            [ 'HMGET', $key, qw(e s p) ],
            [ 'XRANGE', $key =~ s/m\z/h/r, '-', '+' ]);

        push @lines, map { /\A(.*):(\d+)\z/ ? "past $topic $1 $2\n" : () }
            "$meta->[0]:$meta->[1]", split ' ', $meta->[2] || '';

        for my $entry (@$all) {
            my ($seq) = $entry->[0] =~ /\A(\d+)/;
            my ($d, $t, $p, $n) = "@{$entry->[1]}"
                =~ /"d":"(\d+)","t":"([^"]*)","p":(\d+),"n":(\d+)/ or next;

            push @lines, "is $topic $seq $p $n\n" if $d == $number;
        }
    }

    return @lines;
}


# What the clients have, by Redis' history: they are judged again where that has
# changed meanwhile, as sentinels on a machine under load may replace a master that
# is well.
sub verdicts {
    my ($ended, $late) = @_;
    my $limit = time() + $settle;
    my ($over, @answers);

    do {
        my $history = eval { join '', history() };
        my $why = $@;

        if (defined $late) {
            $late->();
            $late = undef;
        }

        if (defined $history) {
            tell_all(join '', "history\n", $history, @$ended, "end 2\n");
            @answers = answers();
            die "clients are gone\n" if grep { !defined $_->{complete} } @answers;
            $over = !grep({ !$_->{complete} } @answers)
                && $history eq (eval { join '', history() } || '');

        } elsif (time() > $limit) {
            die $why;

        } else {
            sleep(0.1);
        }
    } until $over || (@answers && time() > $limit);

    return @answers;
}


# One drill: (row, what was wrong)
sub drill {
    my ($name, $kind, $title, $run, %o) = @_;
    my $why = '';

    $fault = undef;
    $stack->{keys} = {};
    $stack->ready or die "pushes are not accepted\n";
    start_all($kinds{$kind}{redis_set}{net});
    wait_for(1.5, 3);

    my @state = $run->();
    my @closed = $o{reloads} ? closed_otherwise() : ();
    my ($row, $others, $ended) = measure();

    my $v = {};

    for my $answer (verdicts($ended, $o{late} && sub { $o{late}->(@state) })) {
        $v->{$_} = $answer->{$_} =~ /\A\d+\z/ && defined $v->{$_}
            ? $v->{$_} + $answer->{$_} : $v->{$_} || $answer->{$_}
            for keys %$answer;
    }

    # each group of clients has heard of all of them
    $v->{forgot} /= @clients if $v->{forgot};

    for my $c (splice @clients) {
        close $c->{to};
        waitpid($c->{pid}, 0);
    }

    $why .= "$_: $v->{$_}\n" for grep { $v->{$_} }
        qw(lost duplicated reordered untold forged forked faults);
    $why .= "holes: $v->{real}, told: $v->{told}\n"
        if $v->{real} != $v->{told};
    $why .= "$v->{joined} of $v->{clients} are there\n"
        if $v->{joined} != $v->{clients};
    $why .= "delivered: $v->{delivered} of $v->{due} and $v->{excused}\n"
        if $v->{delivered} + $v->{excused} != $v->{due};
    $why .= "Redis forgot $v->{forgot} pushes\n" if $o{whole} && $v->{forgot};
    $why .= "sessions were closed: @closed[0 .. ($#closed > 2 ? 2 : $#closed)]\n"
        if @closed;
    # closed by one node, and by the other, where it went
    $why .= "$v->{cuts} cuts of $v->{clients} clients\n"
        if $o{reloads} && $v->{cuts} > 2 * $o{reloads} * $v->{clients};
    $why .= "no hole\n" if $o{holes} && !$v->{real};
    $why .= "$others pushes to other masters were refused:\n$row->{whys}"
        if $o{others} && $others;
    $why .= "a push was not accepted\n" if $row->{failed};
    $why .= "first: $v->{first}\n" if $v->{first};

    return ({ %$v, %$row, name => $name, others => $others }, $why);
}


# Ends the pushes; (row, pushes refused without a fault of their master, lines
# that say what was accepted).
sub measure {
    my (@lines, %row, %wait, %whys, @gaps);
    my $others = 0;

    for my $p (0, 1) {
        my $kept = $pushes[$p]->stop;

        $row{failed} ||= $kept->{failed};
        $row{accepted} += @{$kept->{accepted}};
        $row{refused} += $kept->{status}{503} || 0;

        for my $push (@{$kept->{accepted}}) {
            my ($topic, $epoch, $seq, $n, $first, $last, $tries) = @$push;

            push @lines, "accepted $topic $epoch $seq $p $n\n";
            next if !$fault || $last < $fault->{time};

            $others += $tries - 1 unless $fault->{topics}{$topic};
            $wait{$topic} = $last - $first
                if $fault->{topics}{$topic}
                   && $last - $first > ($wait{$topic} || 0);
        }

        for my $refused (@{$kept->{refused}}) {
            my ($topic, $time, @why) = @$refused;

            $whys{"@why"}++ if $fault && $time >= $fault->{time}
                               && !$fault->{topics}{$topic};
        }
    }

    $row{whys} = join '', map { "$whys{$_} times $_\n" } sort keys %whys;

    @pushes = ();
    tell_all("gaps\n");

    my @answers = answers();

    for my $topic (keys %{$fault->{topics}}) {
        push @gaps, (sort { $b <=> $a } map { $_->{$topic} } @answers)[0]
            / 1000;
    }

    @gaps = sort { $a <=> $b } @gaps;

    my @waits = sort { $a <=> $b } values %wait;

    @row{qw(gap50 gap push50 push)} = ($gaps[$#gaps / 2], $gaps[-1],
                                       $waits[$#waits / 2], $waits[-1]);

    return (\%row, $others, \@lines);
}


my @columns = (
    [ drill => '%-18s', 'name' ], [ clients => '%7d', 'clients' ],
    [ accepted => '%8d', 'accepted' ], [ refused => '%7d', 'refused' ],
    [ others => '%6d', 'others' ], [ due => '%7d', 'due' ],
    [ delivered => '%9d', 'delivered' ], [ lost => '%4d', 'lost' ],
    [ twice => '%5d', 'duplicated' ], [ 'out of order' => '%12d', 'reordered' ],
    [ forgot => '%6d', 'forgot' ], [ seen => '%5d', 'gone' ],
    [ cuts => '%4d', 'cuts' ],
    [ 'holes real' => '%10d', 'real' ], [ 'told' => '%5d', 'told' ],
    [ 'gap p50' => '%7.2f', 'gap50' ], [ 'max' => '%6.2f', 'gap' ],
    [ 'push p50' => '%8.2f', 'push50' ], [ max => '%6.2f', 'push' ],
    [ verdict => '%s', 'verdict' ],
);

sub row {
    my ($row) = @_;

    return join(' | ', map {
        my ($title, $format, $key) = @$_;
        my ($width) = $format =~ /(-?\d+)/;
        $row ? sprintf($format, defined $row->{$key} ? $row->{$key} : 0)
             : sprintf('%' . ($width || '') . 's', $title);
    } @columns) . "\n";
}


sub stack_start {
    my ($kind, %more) = @_;
    my %o = %{$kinds{$kind}};
    my $parted = ($o{redis_set} || {})->{net};

    $stack = Test::Im::Stack->new(
        build => $build, level => 'info', access => 0, drain => '1s',
        nodes => [ qw(nginx1 nginx2) ], logics => [ qw(logic1 logic2) ],
        jobs => [ qw(job1 job2) ],
        http => 'keepalive_requests 100000; im_per_address off; im_handover off; ',
        main => 'worker_rlimit_nofile 16384; ',
        rules => 'im_room * history=5000 ttl=1h; '
            . 'im_inbox history=5000 ttl=1h; '
            . 'im_broadcast history=5000 ttl=1h; im_ping 3s timeout=30s;',
        server => join('', map { "
            location = /$_/user {
                im_comet protocol=$_;
                im_auth token;
                im_connect /im_connect;
            }
            location = /$_/guest { im_comet protocol=$_; im_auth none; }" }
            qw(centrifuge im)),
        $parted ? (logics_of => { nginx1 => [ 'logic1' ],
                                  nginx2 => [ 'logic2' ] },
                   env => { map({ $_ . 1 => source($left),
                                  $_ . 2 => source($right) }
                                qw(nginx logic job)) }) : (),
        %o,
        # a busy machine has no failovers but those of the drill
        $long ? () : (redis_set => { %{$o{redis_set} || {}}, timeout => 5000 }),
        %more,
    );
    $redis = $stack->{set};
    $stack->start('redis');
    $redis->command('redis1', 'SET', 'im:{reg}:conf', $o{conf}) if $o{conf};
    $stack->start(grep { $_ ne 'redis' } $stack->all);
    tokens();
}


sub source {
    my ($address) = @_;

    return { IM_SOURCE => $address, LD_PRELOAD => join ' ',
             $ENV{IM_PRELOAD} || (), "$build/t/source.so" };
}


# What is wrong with the processes at the end.
sub stack_end {
    my ($kind) = @_;
    my @refusals = $redis->refusals;
    my @faults = $stack->stop_all;
    my @alerts = $stack->alerts;
    my @findings = $stack->findings;

    is(scalar @faults, 0, "$kind: all end in order") or diag(@faults);
    is(scalar @alerts, 0, "$kind: no alert") or diag(@alerts[0 .. ($#alerts > 4
                                                         ? 4 : $#alerts)]);
    is(scalar @refusals, 0, "$kind: all rights that are used are there")
        or diag(@refusals);
    is(scalar @findings, 0, "$kind: no finding of a sanitizer")
        or diag(@findings);
    $stack->end(Test::More->builder->is_passing);
    $stack = undef;
}


sub run_drill {
    my ($name, $kind, $title, @how) = @_;
    my $begin = time();
    my ($row, $why) = eval { drill($name, $kind, $title, @how) };

    ($row, $why) = ({ name => $name }, $@) if $@;
    abandon_all();
    $row->{verdict} = $why eq '' ? 'good' : 'BAD';

    ok($why eq '', sprintf '%s: %s (%.1f s)', $name, $title, time() - $begin)
        or diag($why, JSON::PP->new->canonical->encode($row));

    return $row;
}


# Drills one after the other, with the same processes.
sub run_group {
    my ($kind, @these) = @_;
    my $started = eval { stack_start($kind); 1 };
    my @rows;

    ok($started, "$kind: all start") or diag($@);

    for my $drill ($started ? @these : ()) {
        $number++;
        push @rows, run_drill(@$drill);

        next if @these == 1 || eval { $redis->until_healed(40) };
        diag("$drill->[0]: $@");
        last;
    }

    stack_end($kind);

    return @rows;
}


# How long failovers take, with default and with other timeouts.
sub time_failovers {
    my @rows;

    $rate = 4;

    for my $case ([ cluster => 15000 ], [ cluster => 5000 ],
                  [ cluster => 2000 ], [ sentinel => 30000 ],
                  [ sentinel => 5000 ], [ sentinel => 1000 ])
    {
        my ($kind, $timeout) = @$case;
        my ($drill) = grep { $_->[0] eq "$kind-kill" } @drills;

        next if %only && !$only{$drill->[0]};
        stack_start($kind, redis_set => { timeout => $timeout });
        $number++;
        push @rows, run_drill(@$drill);
        $rows[-1]{name} = "$kind $timeout";
        stack_end($kind);
    }

    return @rows;
}


my @rows = $mode eq 'times' ? time_failovers() : ();

$number ||= 0;

for my $kind (sort keys %kinds) {
    my @these = grep { $_->[1] eq $kind
                       && (%only ? $only{$_->[0]}
                           : $long || { @{$_}[4 .. $#$_] }->{short}) } @drills;

    next if $mode eq 'times';

    # sentinels take half a minute until they see all as it is
    my @groups = $kind =~ /sentinel/ ? map({ [ $_ ] } @these)
               : @these ? [ @these ] : ();

    push @rows, run_group($kind, @$_) for @groups;
}

done_testing();

print "\n", row(), row() =~ s{[^|\n]}{-}gr, map { row($_) } @rows
    if $long || %only;

END {
    my $status = $?;
    abandon_all();
    $stack->end(0) if $stack;
    $? = $status;
}
