#!/usr/bin/perl
# Copyright (C) The im authors
#
# Reloads and upgrades while clients of many kinds get messages: no client is
# disconnected, and none gets a message twice, never, late or anything that tells
# of the move.  Counts are polled all the time, and are always the same.
#
#   prove t/drill/handover.t
#   IM_DRILL=long perl t/drill/handover.t     a minute of quiet, ten reloads, two
#                                             upgrades, and a table
#
#   IM_BUILD=build IM_DRILL_CLIENTS=N IM_DRILL_RELOADS=N IM_DRILL_UPGRADES=N

use strict;
use warnings;

use lib 't/lib';

use IO::Handle;
use IPC::Open2;
use JSON::PP ();
use POSIX ();
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $long = ($ENV{IM_DRILL} || '') eq 'long';
my $build = $ENV{IM_BUILD} || Cwd::cwd() . '/build';
my $load = "$build/bench/im_load";
my $nclients = $ENV{IM_DRILL_CLIENTS} || ($long ? 15000 : 400);
my $nrooms = $long ? 150 : 12;
my $rate = $long ? 150 : 120;           # pushes a second, of all rooms
my $reloads = $ENV{IM_DRILL_RELOADS} // ($long ? 10 : 3);
my $upgrades = $ENV{IM_DRILL_UPGRADES} // ($long ? 2 : 1);
my $quiet = $long ? 60 : 3;
my $each = $long ? 5 : 2;               # s, from one reload to the next

# nginx upgrades itself only if its parent has ended: it is no child at first
my $PR_SET_CHILD_SUBREAPER = 36;
my $SYS_prctl = 157;
(POSIX::uname())[4] eq 'x86_64' && syscall($SYS_prctl,
    $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or $upgrades = 0;

# and is executed by the name that it was started with
$ENV{TEST_NGINX_BINARY} ||=
    (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];

my $json = JSON::PP->new;
my $key = 'a key of at least thirty-two bytes';
my (@runs, $poller);

my @kinds = qw(positions centrifuge sse goim plain);

# of each kind, rooms whose number begins with 1 or 2 keep no history
my $stack = Test::Im::Stack->new(
    build => $build, level => 'info', access => 0, drain => '10s',
    connections => $nclients + 4096,
    main => "worker_rlimit_nofile 20000;\n    env LD_PRELOAD;\n"
        . "env ASAN_OPTIONS;\n    env UBSAN_OPTIONS;\n",
    http => "im_per_address off;\n    im_limit handshakes=0;\n",
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


# A kind of clients with rooms of its own, by the load generator.
sub run {
    my ($kind, $seconds) = @_;
    my $n = int $nclients / @kinds;
    my $rooms = int $nrooms / @kinds;
    my @options = ("--port=" . ($kind eq 'goim' ? $goim : $stack->{port}),
        "--push-port=$logic", "--protocol=$kind", "--clients=$n",
        "--rooms=$rooms", "--prefix=" . substr($kind, 0, 2) . 'x',
        '--push-rate=' . int($rate / @kinds), "--warm=$quiet",
        "--seconds=$seconds", '--size=200', '--drain=10', '--wait');

    push @options, "--jwt-secret=$key" if $kind eq 'centrifuge';
    push @options, "--path=/of/$kind" if $kind =~ /\A(?:positions|centrifuge)\z/;

    my $pid = open2(my $out, my $in, $load, @options);
    $in->autoflush;

    return { kind => $kind, clients => $n, pid => $pid, in => $in, out => $out };
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


sub paths { ('/im/online', map { '/im/rooms/' . substr($_, 0, 2) . 'x1' } @kinds) }


sub counts {
    my ($path) = @_;

    delete $stack->{kept}{5};
    my ($status, $body) = $stack->http(5, 'GET', $path);
    $body =~ s/\n|"time":\d+,?//g;
    return ($status, $body);
}


# Until the workers before are gone: how long that takes.
sub gone {
    my (@old) = @_;
    my $begin = time();

    Test::Im::Stack::until_true(60, sub { !grep { -d "/proc/$_" } @old })
        or die "old workers stay\n";

    return time() - $begin;
}


sub reload {
    my @old = $stack->workers('nginx');

    $stack->reload('nginx');
    return gone(@old);
}


sub start_nginx {
    $stack->conf('nginx');
    system($stack->nginx('nginx'), '-g', 'daemon on;') == 0
        or die "nginx doesn't start\n";
    $stack->{pids}{nginx} = pid();
}


sub pid {
    my $file = "$stack->{dir}/nginx.pid";

    return -s $file && Test::Im::Stack::slurp($file) =~ /(\d+)/ ? $1 : 0;
}


# A binary upgrade as docs/deploy.md has it: USR2, then QUIT.
sub upgrade {
    my $old = $stack->{pids}{nginx};
    my @old = $stack->workers('nginx');

    kill 'USR2', $old;
    Test::Im::Stack::until_true(20, sub { pid() && pid() != $old })
        or die "no new binary\n";

    my $new = pid();
    Test::Im::Stack::until_true(20, sub {
        Test::Im::Stack::children($new) >= 2
    }) or die "no new workers\n";

    kill 'QUIT', $old;
    my $time = gone(@old);
    waitpid $old, 0;
    $stack->{pids}{nginx} = $new;

    return $time;
}


sub ms { sprintf '%.1f', $_[0] / 1000 }


$stack->start('redis', 'logic', 'job');
start_nginx();
$stack->ready or die "pushes are not accepted\n";
Test::Im::Stack::until_true(20, sub {
    ($stack->http(1, 'GET', '/im/status'))[1] !~ /"link":"(?!up)/
}) or die "a link isn't up\n";

my $seconds = ($reloads + $upgrades + 1) * $each;
@runs = map { run($_, $seconds) } @kinds;

for my $mark (qw(start connected)) {
    for my $run (@runs) {
        my $said = said($run);
        $run->{failed} = $said->{failed} if $mark eq 'connected';
        is($said->{mark}, $mark, "$run->{kind}: $mark") if $long;
        go_on($run);
    }
}

# the quiet time is over for all of them
said($_) for @runs;
my $polls = "$stack->{dir}/polls";
$poller = poll($polls);
sleep 1;
go_on($_) for @runs;

my @times;
my $begin = time();

# upgrades are spread among reloads
my $moves = $reloads + $upgrades;
my %upgrades = map { int($_ * $moves / ($upgrades + 1)) => 1 } 1 .. $upgrades;

for my $i (0 .. $moves - 1) {
    push @times, $upgrades{$i} ? upgrade() : reload();
    my $rest = $begin + ($i + 1) * $each - time();
    sleep $rest if $rest > 0;
}

# clients are there until all runs have ended
said($_) for @runs;
kill 'TERM', $poller;
waitpid $poller, 0;
$poller = 0;

for my $run (@runs) {
    go_on($run);
    $run->{result} = said($run)->{result};
    waitpid $run->{pid}, 0;
    $run->{pid} = 0;
}

for my $run (@runs) {
    my $r = $run->{result};
    my %faults = (
        'not there' => $r->{connect}{failed}, closed => $r->{closed}{clients},
        refused => $r->{publish}{refused} + $r->{publish}{unanswered},
        map { $_ => $r->{$_} } qw(lost duplicated reordered unknown foreign others),
    );

    delete $faults{others} if $run->{kind} eq 'goim';
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

$stack->stop_all;
my @alerts = $stack->alerts;
is(scalar @alerts, 0, 'no alert')
    or diag(@alerts[0 .. ($#alerts > 4 ? 4 : $#alerts)]);
my @findings = $stack->findings;
is(scalar @findings, 0, 'no finding of a sanitizer') or diag(@findings);

done_testing();

if ($long) {
    printf "\n%-12s | clients | deliveries | gap ms, quiet | gap ms, moves |"
         . " delivery ms, p99 | delivery ms, max\n", 'kind';
    printf "%-12s | %7d | %10d | %13s | %13s | %16s | %s\n", $_->{kind},
           $_->{clients}, $_->{result}{deliveries},
           ms($_->{result}{quiet_gap_us}{max}), ms($_->{result}{gap_us}{max}),
           ms($_->{result}{delivery_us}{p99}),
           ms($_->{result}{delivery_us}{max}) for @runs;
    printf "old workers gone after %s s\n",
           join ', ', map { sprintf '%.2f', $_ } @times;
}

$stack->end(Test::More->builder->is_passing);

END {
    my $status = $?;
    if ($stack && $$ == $stack->{owner}) {
        kill 'KILL', grep { $_ } $poller, map { $_->{pid} } @runs;
        $stack->end(0);
    }
    $? = $status;
}
