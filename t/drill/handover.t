#!/usr/bin/perl
# Copyright (C) The im authors
#
# Reloads and upgrades while clients of many kinds get messages: no client is
# disconnected, and none gets a message twice, never, late or anything that tells
# of the move.  Counts are polled all the time, and are always the same.
# Meanwhile others come and go, in rooms of their own: each of them joins, gets a
# message, and then leaves or is cut.
#
#   prove t/drill/handover.t
#   IM_DRILL=long perl t/drill/handover.t   a minute of quiet, ten reloads, two
#                                           upgrades, 15,000 clients; a table
#   IM_DRILL=day perl t/drill/handover.t    200 reloads, 100 clients a second come
#                                           and go, 8 minutes; what the processes
#                                           use after each reload doesn't grow
#   IM_DRILL=beat perl t/drill/handover.t   a push each 50 ms in each room: how
#                                           long a client waits for one
#
#   IM_BUILD=build IM_DRILL_CLIENTS=N IM_DRILL_RELOADS=N IM_DRILL_UPGRADES=N
#   IM_DRILL_CHURN=N (a second) IM_DRILL_QUIET=N (s, before all)

use strict;
use warnings;

use lib 't/lib';

use IO::Handle;
use IPC::Open2;
use JSON::PP ();
use POSIX ();
use Test::Im::Stack;
use Test::Im::Usage qw(cpu memory files ends sockets median);
use Test::More;
use Time::HiRes qw(sleep time);

# rate is of pushes, of all rooms; churn of clients; each is the time from one
# reload to the next
my %forms = (
    short => { clients => 400, rooms => 12, rate => 120, churn => 60,
               reloads => 10, upgrades => 1, quiet => 3, each => 1.2 },
    long => { clients => 15000, rooms => 150, rate => 150, churn => 0,
              reloads => 10, upgrades => 2, quiet => 60, each => 5 },
    day => { clients => 600, rooms => 30, rate => 60, churn => 100,
             reloads => 200, upgrades => 0, quiet => 5, each => 2.2 },
    beat => { clients => 500, rooms => 5, rate => 100, churn => 0,
              reloads => 6, upgrades => 1, quiet => 20, each => 4 },
);

my $form = $ENV{IM_DRILL} || 'short';
my %set = %{$forms{$form} or die "IM_DRILL=$form: must be long, day or beat\n"};
my $table = $form ne 'short';

for my $name (qw(clients churn reloads upgrades quiet)) {
    $set{$name} = $ENV{"IM_DRILL_\U$name"} // $set{$name};
}

my $build = $ENV{IM_BUILD} || Cwd::cwd() . '/build';
my $load = "$build/bench/im_load";
my $lives = 40;                         # clients of a kind that come and go

# nginx upgrades itself only if its parent has ended: it is no child at first
my $PR_SET_CHILD_SUBREAPER = 36;
my $SYS_prctl = 157;
(POSIX::uname())[4] eq 'x86_64' && syscall($SYS_prctl,
    $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or $set{upgrades} = 0;

# and is executed by the name that it was started with
$ENV{TEST_NGINX_BINARY} ||=
    (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];

$SIG{$_} = sub { exit 1 } for qw(INT TERM);

my $json = JSON::PP->new;
my $key = 'a key of at least thirty-two bytes';
my (@runs, @churns, $poller);

my @kinds = qw(positions centrifuge sse goim plain);

# of each kind, rooms whose number begins with 1 or 2 keep no history
my $stack = Test::Im::Stack->new(
    build => $build, level => 'info', access => 0, drain => '10s',
    connections => $set{clients} + 4096,
    main => "worker_rlimit_nofile 20000;\n    env LD_PRELOAD;\n"
        . "env ASAN_OPTIONS;\n    env UBSAN_OPTIONS;\n",
    # rates have no limit; sessions that stayed counted would reach theirs
    http => 'im_per_address handshakes=0 pending=0 rooms=0 guest_rooms=0 failures=0'
        . ' read=0 frames=0 bytes=0 sessions=' . ($set{clients} + 1000)
        . ";\n    im_limit handshakes=0;\n",
    rules => join('', map {
            my $name = substr($_, 0, 2) . 'x';
            map { "im_room $name$_* history=0 presence join_leave=all; " } 1, 2
        } @kinds)
        . 'im_room * history=200 ttl=1h presence join_leave=all;'
        . ' im_inbox history=20 ttl=1h; im_broadcast history=0;',
);
# pushes and questions go to im_logic itself: a reload closes idle connections
my ($goim, $logic) = map { $stack->{port} + $_ } 3, 4;
$stack->{logic} = ["--http=127.0.0.1:$logic"];

Test::Im::Stack::spew("$stack->{dir}/secret", $key);
$stack->{http} .= "im_jwt_key HS256 file=$stack->{dir}/secret;\n";
$stack->{server} = "
    im_listen 127.0.0.1:$goim protocol=goim;
    im_auth none;
    location = /of/metrics { im_status format=prometheus; }
    location = /of/positions { im_comet protocol=im; im_ping 2s timeout=20s; }
    location = /of/centrifuge {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_ping 2s timeout=20s;
    }
    location = /sub {
        im_comet protocol=plain transport=websocket,sse;
        im_join \$arg_room;
        im_ping 2s timeout=20s;
    }\n";


# The load generator, for clients of a kind.
sub generator {
    my ($kind, @options) = @_;

    push @options, "--jwt-secret=$key" if $kind eq 'centrifuge';
    push @options, "--path=/of/$kind" if $kind =~ /\A(?:positions|centrifuge)\z/;

    my $pid = open2(my $out, my $in, $load, "--protocol=$kind",
        "--port=" . ($kind eq 'goim' ? $goim : $stack->{port}),
        "--push-port=$logic", '--size=200', '--drain=30', '--wait', @options);
    $in->autoflush;

    return { kind => $kind, pid => $pid, in => $in, out => $out };
}


# A kind of clients with rooms of its own.
sub run {
    my ($kind, $seconds) = @_;
    my $n = int $set{clients} / @kinds;
    my $run = generator($kind, "--clients=$n",
        '--rooms=' . int($set{rooms} / @kinds),
        '--prefix=' . substr($kind, 0, 2) . 'x',
        '--push-rate=' . int($set{rate} / @kinds), "--warm=$set{quiet}",
        "--seconds=$seconds");

    $run->{clients} = $n;
    return $run;
}


# And those that come and go.
sub churn {
    my ($kind, $seconds) = @_;

    return generator($kind, "--clients=$lives", '--rooms=2',
        '--prefix=' . substr($kind, 0, 2) . 'y', '--push-rate=20',
        '--churn=' . int($set{churn} / @kinds), "--seconds=$seconds");
}


# What a run says at its next mark; or at its end.
sub said {
    my ($run) = @_;
    my $line = readline $run->{out};

    die "$run->{kind}: the load generator has ended\n" unless defined $line;
    return $json->decode($line);
}


sub go_on { print { $_[0]{in} } "\n" }


# Asks for counts until it is killed; each line of the file is another answer.
sub poll {
    my ($file) = @_;
    my $pid = fork();

    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    open my $out, '>', $file or POSIX::_exit(1);
    $out->autoflush;

    my $before = { map { $_ => (counts($_))[1] } paths() };

    while (getppid() != 1) {
        for my $path (paths()) {
            my ($status, $body) = counts($path);
            next if $status == 200 && $body eq $before->{$path};
            printf $out "%.3f ", time();
            print $out "$path: $status $body instead of $before->{$path}\n";
        }
        print $out ".\n";
        sleep 0.1;
    }

    POSIX::_exit(0);
}


sub paths {
    my @rooms = map { '/im/rooms/' . substr($_, 0, 2) . 'x1' } @kinds;

    return $set{churn} ? @rooms : ('/im/online', @rooms);
}


sub counts {
    my ($path) = @_;

    delete $stack->{kept}{5};
    my ($status, $body) = $stack->http(5, 'GET', $path);
    $body =~ s/\n|"time":\d+,?//g;
    return ($status, $body);
}


# us of CPU a second of the workers, and of Redis, while nothing else happens
sub pace {
    my @pids = $stack->workers('nginx');
    my $redis = $stack->{pids}{redis};
    my $begin = time();
    my @before = (sum(map { cpu($_) } @pids), cpu($redis));

    sleep 1;

    my $seconds = time() - $begin;

    return (pace => (sum(map { cpu($_) } @pids) - $before[0]) / $seconds,
            redis_pace => (cpu($redis) - $before[1]) / $seconds);
}


sub sum {
    my $sum = 0;

    $sum += $_ for @_;
    return $sum;
}


# Until the workers before are gone, with their CPU from now on, and
# that of all new ones.
sub gone {
    my ($move, @old) = @_;
    my $begin = time();
    my %cpu = map { ($_ => cpu($_)) } @old;
    my (%ends, %gone);

    $move->{begin} = $begin;
    $move->{before} = sum(values %cpu);
    $move->{redis} = -cpu($stack->{pids}{redis});

    while (my @left = grep { !$gone{$_} } @old) {
        die "old workers stay\n" if time() > $begin + 60;

        for my $pid (@left) {
            $cpu{$pid} = cpu($pid) || $cpu{$pid};
            $ends{$pid} ||= time() if ends($pid);
            $gone{$pid} = time() unless -d "/proc/$pid";
        }

        sleep 0.004;
    }

    $move->{seconds} = time() - $begin;
    $move->{old} = sum(values %cpu) - $move->{before};
    $move->{new} = sum(map { cpu($_) } grep { !$gone{$_} }
                       $stack->workers('nginx'));
    $move->{redis} += cpu($stack->{pids}{redis});
    $move->{ends} = \%ends;
    $move->{gone} = \%gone;

    return $move;
}


sub reload {
    my ($move) = @_;
    my @old = $stack->workers('nginx');

    $stack->signal('HUP', 'nginx');
    return gone($move, @old);
}


# A binary upgrade as docs/deploy.md has it: USR2, then QUIT.
sub upgrade {
    my ($move) = @_;
    my $old = $stack->{pids}{nginx};
    my @old = $stack->workers('nginx');

    kill 'USR2', $old;
    my $new;

    # while its file has another name, there is none
    Test::Im::Stack::until_true(60, sub { ($new = $stack->pid('nginx')) && $new != $old })
        or die "no new binary\n";
    Test::Im::Stack::until_true(60, sub {
        Test::Im::Stack::children($new) >= 2
    }) or die "no new workers\n";

    kill 'QUIT', $old;
    $stack->{pids}{nginx} = $new;
    gone($move, @old);
    waitpid $old, 0;

    return $move;
}


# What the processes use between two moves.
sub usage {
    my %pids = (
        master => [ $stack->{pids}{nginx} ], workers => [ $stack->workers('nginx') ],
        map { $_ => [ $stack->{pids}{$_} ] } qw(logic job redis),
    );
    my ($used) = $stack->redis('INFO', 'memory') =~ /^used_memory:(\d+)/m;
    delete $stack->{kept}{1};           # it was of a worker that is gone
    my (undef, $metrics) = $stack->http(1, 'GET', '/of/metrics');
    my %usage = (
        'keys in Redis' => $stack->redis('DBSIZE'),
        'kB in Redis' => int $used / 1024,
        'unix sockets' => sockets($stack->{dir}),
        'sockets of workers' => scalar(my @paths = glob "$stack->{dir}/nginx.im*"),
        'addresses in the zone', $metrics =~ /^im_zone_addresses (\d+)/m,
    );

    for my $name (keys %pids) {
        $usage{"$name, kB"} = sum(map { memory($_) } @{$pids{$name}});
        $usage{"$name, descriptors"} = sum(map { files($_) } @{$pids{$name}});
    }

    # those of clients that are there are no growth
    $usage{'workers, descriptors'} -= sum($metrics =~ /^im_sessions\{.*\} (\d+)/mg);

    return \%usage;
}


# Is it flat?  The last quarter of the time beside the second one, as the first
# one fills caches and histories, and marks in Redis live for 50 s.  A number may
# be 8 greater.  Memory may be 5 % and 128 kB greater, as the allocator doesn't
# give back all that is free: the smallest leak that shows is 2 kB a move.
sub flat {
    my ($name, @usages) = @_;
    my $quarter = int @usages / 4;
    my @numbers = map { $_->{$name} } @usages;
    my $second = median(@numbers[$quarter .. 2 * $quarter - 1]);
    my $last = median(@numbers[-$quarter .. -1]);
    my $bound = $name =~ /kB|keys/ ? $second * 1.05 + 128 : $second + 8;

    ok($last <= $bound, "$name: $second, then $last")
        or diag("@numbers");

    return [ $name, $numbers[0], $second, $last ];
}


# us of CPU a session, of the old workers and of the new ones, in all, and of
# Redis; what workers without a session need is no part of it
sub cost {
    my ($move, $idle) = @_;
    my $n = 0;
    my @workers = values %{$move->{workers}};
    my $pace = $move->{pace};

    $n += $_->{sessions} for @workers;
    return unless $n;

    # up to half of its moves a worker has its sessions
    my $while = sum(map { ($_->{begin} + $_->{end}) / 2 } @workers) / @workers;
    my $old = $move->{old} - $idle->{old} - $pace * $while;
    my $new = $move->{new} - $idle->{new} - $pace * ($move->{seconds} - $while);

    my $redis = $move->{redis} - $idle->{redis}
        - $move->{redis_pace} * $move->{seconds};

    return [ map { $_ / $n } $old, $new, $old + $new, $redis ];
}


# What the log says of the moves of a worker.
sub logged {
    my (@moves) = @_;
    my %said;

    for (split /\n/, Test::Im::Stack::slurp("$stack->{dir}/error.log")) {
        $said{$1} = [ $2, $3, $4 ]
            if /\] (\d+)#.* (\d+) sessions moved .* in (\d+) ms, (\d+) stay/;
    }

    for my $move (@moves) {
        for my $pid (grep { $said{$_} } keys %{$move->{gone}}) {
            my ($n, $ms, $stay) = @{$said{$pid}};
            my $begin = ($move->{ends}{$pid} || next) - $move->{begin};

            $move->{workers}{$pid} = {
                sessions => $n, stay => $stay, ms => $ms, begin => $begin,
                end => $begin + $ms / 1000,
                rest => $move->{gone}{$pid} - $move->{begin} - $begin - $ms / 1000,
            };
        }
    }

    return map { values %{$_->{workers}} } @moves;
}


sub each_of {
    my ($move) = @_;

    return sprintf '%s%.2f (%s)', $move->{upgrade} ? 'upgrade ' : '',
        $move->{seconds}, join ' ', map { $_->{ms} } values %{$move->{workers}};
}


sub range {
    my ($format, @numbers) = @_;
    my @sorted = sort { $a <=> $b } @numbers;

    return @sorted ? sprintf("$format to $format, median $format", $sorted[0],
                             $sorted[-1], median(@sorted)) : 'none';
}


sub ms { sprintf '%.1f', $_[0] / 1000 }


$stack->start('redis', 'logic', 'job');
$stack->daemon('nginx');
$stack->ready or die "pushes are not accepted\n";
Test::Im::Stack::until_true(60, sub {
    ($stack->http(1, 'GET', '/im/status'))[1] !~ /"link":"(?!up)/
}) or die "a link isn't up\n";

# what a reload costs without sessions
my @idle = $table ? map { reload({}) } 1 .. 3 : ();

my $moves = $set{reloads} + $set{upgrades};
my $seconds = int(($moves + 1) * $set{each});
@runs = map { run($_, $seconds) } @kinds;
@churns = $set{churn} ? map { churn($_, $seconds) } @kinds : ();

for my $mark (qw(start connected)) {
    for my $run (@runs, @churns) {
        my $said = said($run);
        is($said->{mark}, $mark, "$run->{kind}: $mark") if $table;
        go_on($run);
    }
}

# the quiet time is over for all of them
said($_) for @runs, @churns;
my $polls = "$stack->{dir}/polls";
my $there = @runs * int($set{clients} / @kinds);
$set{churn} || Test::Im::Stack::until_true(60, sub {
    return (counts('/im/online'))[1] =~ /"connections":$there\b/;
}) or die "not all are counted\n";
$poller = poll($polls);
sleep 1;
go_on($_) for @runs, @churns;

my (@moves, @usages);
my $begin = time();

# upgrades are spread among reloads
my %upgrades = map { int($_ * $moves / ($set{upgrades} + 1)) => 1 }
    1 .. $set{upgrades};

for my $i (0 .. $moves - 1) {
    my $move = { upgrade => $upgrades{$i},
                 $table && $form ne 'day' ? pace() : () };

    push @moves, $upgrades{$i} ? upgrade($move) : reload($move);
    push @usages, usage() if $set{churn};

    my $rest = $begin + ($i + 1) * $set{each} - time();
    sleep $rest if $rest > 0;
}

# clients are there until all runs have ended, and none comes any more
said($_) for @runs, @churns;
kill 'TERM', $poller;
waitpid $poller, 0;
$poller = 0;

my $all = $there + @churns * $lives;
my $online;
ok(Test::Im::Stack::until_true(60, sub {
    $online = (counts('/im/online'))[1];
    return $online =~ /"connections":$all\b/;
}), "$all connections are counted in the end") or diag($online);

for my $run (@runs, @churns) {
    go_on($run);
    $run->{result} = said($run)->{result};
    waitpid $run->{pid}, 0;
    $run->{pid} = 0;
}

for my $run (@runs, @churns) {
    my $r = $run->{result};
    my %faults = (
        'not there' => $r->{connect}{failed}, closed => $r->{closed}{clients},
        refused => $r->{publish}{refused} + $r->{publish}{unanswered},
        map { $_ => $r->{$_} } qw(lost duplicated reordered unknown foreign others),
    );

    # others: joins and leaves, which those who come and go make
    delete $faults{others} if $run->{kind} eq 'goim' || $r->{churn};

    if ($r->{churn}) {
        $faults{silent} = $r->{churn}{silent};
        $faults{'none came'} = 1 unless $r->{churn}{came};
        $run->{clients} = "$r->{churn}{came} of $lives";
    }

    ok(!(grep { $_ } values %faults), "$run->{kind}: $r->{deliveries} messages,"
       . " none lost, doubled or reordered, $run->{clients} clients on")
        or diag($json->canonical->encode(\%faults), ' ',
                $json->encode($r->{closed}), $r->{connect}{error} || '');
}

my @polls = split /\n/, Test::Im::Stack::slurp($polls);
my @wrong = grep { $_ ne '.' } @polls;
ok(@polls > @wrong, 'counts were polled: ' . (@polls - @wrong) . ' times');
is(scalar @wrong, 0, 'they are always the same')
    or diag(join "\n", @wrong[0 .. ($#wrong > 9 ? 9 : $#wrong)]);

# in a short time memory grows
my @flat = @usages < 8 ? () : map { flat($_, @usages) }
    grep { $form eq 'day' || /sockets|(?<!workers), descriptors/ } sort keys %{$usages[0]};

my @workers = logged(@idle, @moves);

$stack->stop_all;
my @alerts = $stack->alerts;
is(scalar @alerts, 0, 'no alert')
    or diag(@alerts[0 .. ($#alerts > 4 ? 4 : $#alerts)]);
my @findings = $stack->findings;
is(scalar @findings, 0, 'no finding of a sanitizer') or diag(@findings);

done_testing();

if ($table) {
    printf "\n%-12s | clients | deliveries | gap ms, quiet | gap ms, moves |"
         . " delivery ms, p99 | delivery ms, max\n", 'kind';
    printf "%-12s | %7d | %10d | %13s | %13s | %16s | %s\n", $_->{kind},
           $_->{clients}, $_->{result}{deliveries},
           ms($_->{result}{quiet_gap_us}{max}), ms($_->{result}{gap_us}{max}),
           ms($_->{result}{delivery_us}{p99}),
           ms($_->{result}{delivery_us}{max}) for @runs;

    printf "%-12s | %d came, %d left, %d were cut, %d before they had joined, "
         . "%d were refused\n", $_->{kind},
           @{$_->{result}{churn}}{qw(came left cut hasty failed)} for @churns;

    printf "\nold workers, s: gone after %s\n",
           range('%.2f', map { $_->{seconds} } @moves);
    printf "each of them, and ms in which sessions moved: %s\n",
           join ', ', map { each_of($_) } @moves if @moves < 20;
    printf "gone after the last move: %s\n",
           range('%.2f', map { $_->{rest} } @workers);
    printf "sessions of a worker: %s; stayed: %d\n",
           range('%d', map { $_->{sessions} } @workers),
           sum(map { $_->{stay} } @workers);
    printf "ms in which they moved: %s\n", range('%d', map { $_->{ms} } @workers);

    # an upgrade's new workers have begun before
    my ($idle) = sort { $a->{old} + $a->{new} <=> $b->{old} + $b->{new} } @idle;
    my @costs = map { cost($moves[$_], $idle) }
        grep { !$upgrades{$_} && $moves[$_]{pace} } 0 .. $#moves;
    my @sides = ('old side', 'new side', 'both', 'Redis');

    for my $i (@costs ? 0 .. 3 : ()) {
        printf "CPU us of a session that moves, %s: %s\n", $sides[$i],
               range('%.0f', map { $_->[$i] } @costs);
    }

    print "\n", sprintf('%-24s | first | 2nd quarter | last quarter', 'use'), "\n"
        if @flat;
    printf "%-24s | %8d | %8d | %8d\n", @$_ for @flat;
}

$stack->end(Test::More->builder->is_passing);

END {
    my $status = $?;
    if ($stack && $$ == $stack->{owner}) {
        kill 'KILL', grep { $_ } $poller, map { $_->{pid} } @runs, @churns;
        $stack->end(0);
    }
    $? = $status;
}
