#!/usr/bin/perl
# Copyright (C) The im authors
#
# What may go wrong in a reload beside processes that die (handover_kills.t) and such
# that stand still (handover_waits.t): limits, memory, other reloads, other
# configurations, other binaries, and commands of the API while sessions move.
#
#   IM_FAULTS="few descriptors" prove t/handover_faults.t

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::Im::File qw(slurp spew);
use Test::Im::Moves;
use Test::More;
use Time::HiRes qw(sleep);

my $m = Test::Im::Moves->new(clients => { im => 4, cf => 8, sse => 4, ws => 4, plain => 4, goim => 4, echo => 4 });
my $stack = $m->{stack};

# where workers share a socket
my $shared = $m->{port} + 8;
$stack->{server} .= "listen 127.0.0.1:$shared;\n";

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}


sub names { return map { $_->{name} } @{$m->{clients}} }

sub client { my ($name) = @_; return (grep { $_->{name} eq $name } @{$m->{clients}})[0] }


# How a row ends: who was cut, what was lost, what the log has above a notice.
sub judge {
    my ($name, $cut, @expected) = @_;

    $m->aside;
    $m->settled;
    is_deeply([ $m->cut ], [ sort @$cut ], "$name: " . @$cut . ' sessions are closed, ' . (names() - @$cut) . ' stay');
    is_deeply([ $m->faults ], [], "$name: no message is lost or doubled");

    # a machine may be as slow as that in any row, and a worker that has just begun to
    # listen may end before it accepts
    my @lines = grep { !/the lease had lapsed|said nothing for 5 s; 0 sessions were in flight/ } $m->lines;
    for my $re (@expected) {
        ok(scalar(grep { /$re/ } @lines), "$name: the log has $re");
        @lines = grep { !/$re/ } @lines;
    }
    is_deeply([ grep { /\[(?:alert|emerg|crit|error|warn)\]/ } @lines ], [], "$name: and nothing else");
}


# Until workers of the last reload alone are there.
sub reloaded {
    my (@old) = @_;

    $m->await_gone(@old);
    $m->until(sub { ($m->slot($_) // -1) >= 0 || return 0 for $m->workers; 1 }, 'not all workers are there');
}


sub reload {
    my @old = $m->workers;

    $stack->reload('nginx');
    reloaded(@old);
}


# How often a process has waited.
sub turns { return slurp("/proc/$_[0]/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : die "$_[0] is gone\n" }


# Workers that end are ended by worker_shutdown_timeout, which must not run out before
# all sessions but these have moved.
sub reload_in_time {
    my (@but) = @_;
    my @old = $m->workers;
    my @move = grep { my $c = $_; !grep { $_ eq $c->{name} } @but } @{$m->{clients}};

    $m->slow_motion(20);
    $stack->reload('nginx');
    $m->until(sub { !grep { @$_ } values %{$m->owners(\@move, @old)} }, 'some do not move');
    $m->slow_motion(1);
    reloaded(@old);
}


sub api {
    my ($method, $body) = @_;
    my ($status, $answer) = $stack->http(5, 'POST', "/api/$method", $body);

    die "$method: $status $answer\n" if $status != 200 || $answer =~ /"error"/;
}


# Handshakes, one after the other, from a reload on until the old workers accept no
# more, and some later.  Redis answers behind these.  Gives how many were answered by
# what.
sub handshakes {
    my ($port) = @_;
    my @old = $m->workers;
    my (@clients, %answers);

    my $knock = sub {
        push @clients, Test::Im::Client->new(port => $port);
        $clients[-1]->write("GET /of/im HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            . "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n");
        sleep 0.005;
    };

    $m->lines;
    local $m->{silent} = 1;
    # a new worker waits for Redis for a second
    $m->slow_motion(20);
    $stack->signal('STOP', 'redis');
    $stack->signal('HUP', 'nginx');
    $knock->() while @clients < 200 && grep { !$m->log_has(qr/ $_#\d+: gracefully shutting down/) } @old;
    $knock->() for 1 .. 20;
    $stack->signal('CONT', 'redis');
    $answers{$_->answer}++ for @clients;
    $m->slow_motion(1);
    $_->shut for @clients;
    reloaded(@old);

    return \%answers;
}


# of a handshake, at the worker of that slot
sub half_request {
    my ($slot) = @_;
    my $worker = $m->of_slot($slot);
    my ($client, $has);

    do {
        $client->shut if $client;
        $client = Test::Im::Client->new(port => $m->{port});
        $client->write("GET /of/echo HTTP/1.1\r\nHost: localhost\r\n");
        my $c = { name => 'late', client => $client };
        $m->until(sub { @{$has = $m->owners([ $c ], $m->workers)->{late}} }, 'no worker accepts');
    } while ($has->[0] != $worker);

    return $client;
}


# Another binary runs beside this one: the masters of both.
sub upgraded {
    my $master = $stack->{pids}{nginx};

    kill 'USR2', $master;
    $m->until(sub { $m->pid && $m->pid != $master && Test::Im::Stack::children($m->pid) == 2 }, 'no new binary');

    return ($master, $m->pid);
}


# A reload of that master; its workers before are gone in the end.
sub reload_of {
    my ($master) = @_;
    my @old = grep { slurp("/proc/$_/cmdline") =~ /worker process/ } Test::Im::Stack::children($master);

    kill 'HUP', $master;
    $m->until(sub {
        my %old = map { ($_ => 1) } @old;
        return 2 == grep { !$old{$_} && ($m->slot($_) // -1) >= 0 } Test::Im::Stack::children($master);
    }, 'no new workers');
    $m->await_gone(@old);
}


# As long as there is a newer binary, a reload of the old one starts as many workers
# again, and ends none.
sub more_workers {
    my ($master) = @_;

    kill 'HUP', $master;
    $m->until(sub { 5 == Test::Im::Stack::children($master) }, 'no new workers');
}


# { REASON => N } of sessions that stayed, by the log
sub stayed {
    my %stayed;

    for my $text ($m->log_text =~ /im: \d+ sessions moved to worker process \d+ in \d+ ms, \d+ stay \((.*?)\)/g) {
        $stayed{$1} += $2 while $text =~ /(\w+): (\d+)/g;
    }

    return \%stayed;
}


# The same by im_status, in both formats, with what has moved.
sub counters {
    my $total = $m->status->{total};
    my %json = ((map { ($_ => $total->{$_}) } qw(moved_in moved_out)), %{$total->{stayed}});
    my $text = $m->get('/of/metrics');
    my %prometheus;

    $prometheus{$1} = $2 while $text =~ /^im_sessions_(moved_in|moved_out)_total(?:\{[^}]*\})? (\d+)$/mg;
    $prometheus{$1} = $2 while $text =~ /^im_sessions_stayed_total\{[^}]*reason="(\w+)"[^}]*\} (\d+)$/mg;

    return (\%json, \%prometheus);
}


my @rows = (

    # two more generations while sessions are on their way
    [ 'two reloads meanwhile', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('sessions', 2);
        my @before = $m->workers;

        for (1, 2) {
            my @now = $m->workers;
            $stack->reload('nginx');
            $m->until(sub { $m->of_slot(0, @now) && $m->of_slot(1, @now) }, 'no new workers');
            push @before, $m->workers;
        }

        my %last = map { ($_ => 1) } $m->of_slot(0, @before[0 .. 3]);
        $m->go;
        $m->until(sub { $m->workers == 2 }, 'older workers stay');
        judge($name, []);
    } ],

    [ 'a configuration that is refused', sub {
        my ($name) = @_;
        my @old = $m->workers;
        my $conf = slurp("$stack->{dir}/nginx.conf");

        $m->edit(sub { s/im_room 1 /im_room 1 histery=3 / });
        $stack->signal('HUP', 'nginx');
        $m->until(sub { $m->log_has(qr/\[emerg\].*histery/) }, 'the configuration is not refused');
        is_deeply([ $m->workers ], \@old, "$name: nginx goes on with its workers");
        spew("$stack->{dir}/nginx.conf", $conf);
        judge($name, [], qr/\[emerg\].*histery/);
        reload();
        judge("$name, and is right again", []);
    } ],

    [ 'a location that goes and comes back', sub {
        my ($name) = @_;
        my $conf = slurp("$stack->{dir}/nginx.conf");
        my @cut = grep { /^echo/ } names();
        my ($before) = counters();

        $m->edit(sub { s{location = /of/echo \{.*\}}{} });
        my @old = $m->workers;
        $stack->reload('nginx');
        $m->until(sub { @cut == grep { $_->{cut} } @{$m->{clients}} }, 'sessions of the location stay');
        is_deeply([ map { client($_)->{code} } @cut ], [ map { 1012 } @cut ], "$name: its sessions are told to come back");
        reloaded(@old);
        is_deeply(stayed(), { place => scalar @cut }, "$name: the log says which ones");

        my ($json, $prometheus) = counters();
        is_deeply($json, $prometheus, "$name: im_status has the same in both formats");
        is($json->{place} - $before->{place}, scalar @cut, "$name: and counts those that stay");
        is($json->{moved_in} - $before->{moved_in}, names() - @cut, "$name: and those that move");

        spew("$stack->{dir}/nginx.conf", $conf);
        reload();
        judge($name, \@cut);
    } ],

    # new workers leave them to the old ones, and to the kernel, until they have Redis
    (map {
        my ($mutex, $where, $port) = @$_;
        [ "handshakes with accept_mutex $mutex on $where", sub {
            my ($name) = @_;
            my $conf = slurp("$stack->{dir}/nginx.conf");

            $m->edit(sub { s/events \{/events { accept_mutex $mutex;/ });
            reload();
            my $answers = handshakes($port);
            is_deeply([ keys %$answers ], [ 101 ], "$name: none is refused")
                or diag(join ', ', map { "$_: $answers->{$_}" } sort keys %$answers);
            spew("$stack->{dir}/nginx.conf", $conf);
            reload();
            judge($name, []);
        } ]
    } [ 'off', 'a shared socket', $shared ], [ 'on', 'a shared socket', $shared ],
      [ 'on', 'a socket of its own', $m->{port} ]),

    # Half of a request is there when the worker ends.  The rest comes while sessions
    # move, or when they have.
    (map {
        my ($at, $status) = @$_;
        [ "a request under way at $at", sub {
            my ($name) = @_;
            my $late = half_request(0);
            my ($old, $new) = $m->interpose($at);

            $late->write("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                . "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
            is($late->answer, $status, "$name: status $status");
            $m->go;
            $m->await_gone($old);
            if ($status == 101) {
                $late->write(Test::Im::Client::frame(1, 'late'));
                my $answer = $late->next_message(Time::HiRes::time() + 60);
                is($answer && $answer->{payload}, 'late', "$name: the session has moved");
            }
            $late->shut;
            judge($name, []);
        } ]
    } [ 'sessions', 101 ], [ 'end', 503 ]),

    [ 'few descriptors', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('sessions');
        my ($limits) = slurp("/proc/$new/limits") =~ /^Max open files +(\d+)/m;
        my $open = () = glob("/proc/$new/fd/*");

        system('prlimit', '--pid', $new, '--nofile=' . ($open + 4) . ":$limits") == 0 or die "prlimit\n";
        $m->go;
        $m->await_gone($old);
        system('prlimit', '--pid', $new, "--nofile=$limits:$limits") == 0 or die "prlimit\n";

        my $stayed = stayed();
        my @cut = grep { client($_)->{cut} } names();
        is_deeply($stayed, { limit => scalar @cut }, "$name: those that stay are closed");
        cmp_ok(scalar @cut, '>', 0, "$name: some stay");
        is_deeply([ grep { $_ && $_ !~ /^(?:1012|1001|3001)$/ } map { client($_)->{code} } @cut ], [],
                  "$name: they are told to come back");
        judge($name, \@cut);
    } ],

    # a connection waits at each worker's socket meanwhile
    [ 'no descriptor for a connection', sub {
        my ($name) = @_;
        my $new = $m->of_slot(0);
        my ($limits) = slurp("/proc/$new/limits") =~ /^Max open files +(\d+)/m;
        my $failed = qr/\[crit\] $new#\d+: im: accept\(\) of a handover failed, and is tried again; no sessions come until then \(24: Too many open files\)/;
        my $over = qr/\[notice\] $new#\d+: im: accept\(\) of a handover succeeds again, after \d+ ms and (\d+) tries/;

        system('prlimit', '--pid', $new, "--nofile=10:$limits") == 0 or die "prlimit\n";
        my @waits = map { IO::Socket::UNIX->new(Type => SOCK_SEQPACKET, Peer => $m->path(0)) || die "connect: $!\n" } 1, 2;
        $m->until(sub { $m->log_has($failed) }, 'accept() does not fail');
        for (1 .. 3) {
            $m->time_passes(0.1);
            my $turns = turns($new);
            $m->until(sub { turns($new) > $turns + 1 }, "$new stands still");
        }
        system('prlimit', '--pid', $new, "--nofile=$limits:$limits") == 0 or die "prlimit\n";
        $m->until(sub { $m->log_has($over) }, 'accept() does not succeed again');
        my ($tries) = $m->log_text =~ $over;
        cmp_ok($tries, '>', 1, "$name: it was tried $tries times");
        is(scalar(() = $m->log_text =~ /accept\(\) of a handover failed/g), 1, "$name: and failed in one line");
        close $_ for @waits;
        judge($name, [], $failed);
    } ],

    [ 'few connections', sub {
        my ($name) = @_;
        my $conf = slurp("$stack->{dir}/nginx.conf");
        my @old = $m->workers;

        $m->edit(sub { s/worker_connections 1024/worker_connections 24/ });
        $stack->reload('nginx');
        reloaded(@old);
        my @cut = grep { client($_)->{cut} } names();
        is_deeply(stayed(), { limit => scalar @cut }, "$name: those that stay are closed");
        cmp_ok(scalar @cut, '>', 0, "$name: some stay");
        spew("$stack->{dir}/nginx.conf", $conf);
        reload();
        judge($name, \@cut);
    } ],

    # While sessions are on their way, and when the new worker has them.
    (map {
        my $step = $_;
        [ "the API at $step", sub {
            my ($name) = @_;
            my ($cf2, $cf4, $cf6, $cf8) = map { client("cf$_") } 2, 4, 6, 8;

            api('subscribe', '{"user":"cf6","channel":"extra"}');
            $m->until(sub { grep { /"subscribe"/ } @{$cf6->{pushes}} }, 'cf6 has not its other room');
            $_->{pushes} = [] for $cf4, $cf6;
            my ($old, $new) = $m->interpose(split ' ', $step);
            api('disconnect', '{"user":"cf2","disconnect":{"code":4000,"reason":"blocked"}}');
            api('subscribe', '{"user":"cf4","channel":"more"}');
            api('refresh', '{"user":"cf4","expire_at":' . (time() + 3600) . '}');
            api('unsubscribe', '{"user":"cf6","channel":"extra"}');
            my ($status) = $stack->http(5, 'DELETE', '/im/users/cf8?for=2&code=4001');
            is($status, 200, "$name: a user is kept out");
            $m->came('entries', 5);
            $m->go;
            $m->await_gone($old);
            $m->until(sub { $cf2->{cut} && $cf8->{cut} }, 'they are not disconnected');
            is_deeply([ $cf2->{code}, $cf8->{code} ], [ 4000, 4001 ], "$name: two are disconnected");
            for my $what ('subscribe', 'refresh') {
                $m->until(sub { grep { /"$what"/ } @{$cf4->{pushes}} }, "cf4 has no $what");
            }
            is(scalar(grep { /"subscribe"/ } @{$cf4->{pushes}}), 1, "$name: one has a room more, once");
            $m->until(sub { grep { /"unsubscribe"/ } @{$cf6->{pushes}} }, 'cf6 is not unsubscribed');
            api('unsubscribe', '{"user":"cf4","channel":"more"}');
            $m->until(sub { grep { /"unsubscribe"/ } @{$cf4->{pushes}} }, 'cf4 is not unsubscribed');
            judge($name, [ 'cf2', 'cf8' ]);
        } ]
    } 'sessions 2', 'verdicts 2'),

    # as systemd does it, for Debian's nginx
    [ 'systemctl reload', sub {
        my ($name) = @_;
        my @old = $m->workers;
        my ($binary, @where) = $stack->nginx('nginx');

        is(system($binary, @where, '-g', 'daemon on; master_process on;', '-s', 'reload'), 0, "$name: nginx does it");
        reloaded(@old);
        judge($name, []);
    } ],

    [ 'a new binary', sub {
        my ($name) = @_;
        my $master = $stack->{pids}{nginx};
        my @old = $m->workers;

        kill 'USR2', $master;
        $m->until(sub { $m->pid && $m->pid != $master && Test::Im::Stack::children($m->pid) == 2 }, 'no new binary');
        $stack->{pids}{nginx} = $m->pid;
        kill 'WINCH', $master;
        $m->await_gone(@old);
        kill 'QUIT', $master;
        $m->await_gone($master);
        judge($name, []);
    } ],

    [ 'a new binary, and back', sub {
        my ($name) = @_;
        my $master = $stack->{pids}{nginx};
        my @old = $m->workers;

        kill 'USR2', $master;
        $m->until(sub { $m->pid && $m->pid != $master && Test::Im::Stack::children($m->pid) == 2 }, 'no new binary');
        my $other = $m->pid;
        my @others = Test::Im::Stack::children($other);
        kill 'WINCH', $master;
        $m->await_gone(@old);
        kill 'HUP', $master;
        $m->until(sub { $m->workers == 2 }, 'the old binary has no workers');
        kill 'QUIT', $other;
        $m->await_gone($other, @others);
        $m->until(sub { $m->pid == $master }, 'the pid file is another one');
        judge($name, []);
        reload();
        judge("$name, and a reload", []);
    } ],

    # the masters of both live, and have workers
    [ 'a reload of the new binary and the old one ends', sub {
        my ($name) = @_;
        my ($master, $other) = upgraded();

        reload_of($other);
        $stack->{pids}{nginx} = $other;
        kill 'QUIT', $master;
        $m->await_gone($master);
        judge($name, []);
    } ],

    [ 'a reload of the new binary and it ends', sub {
        my ($name) = @_;
        my ($master, $other) = upgraded();

        reload_of($other);
        kill 'QUIT', $other;
        $m->await_gone($other);
        $m->until(sub { $m->pid == $master }, 'the pid file is another one');
        judge($name, []);
        reload();
        judge("$name, and a reload", []);
    } ],

    [ 'a reload of the old binary and the new one ends', sub {
        my ($name) = @_;
        my ($master, $other) = upgraded();

        more_workers($master);
        kill 'QUIT', $other;
        $m->await_gone($other);
        $m->until(sub { $m->pid == $master }, 'the pid file is another one');
        judge($name, []);
        reload();
        judge("$name, and a reload", []);
    } ],

    [ 'a reload of the old binary and it ends', sub {
        my ($name) = @_;
        my ($master, $other) = upgraded();

        more_workers($master);
        $stack->{pids}{nginx} = $other;
        kill 'QUIT', $master;
        $m->await_gone($master);
        judge($name, []);
        reload();
        judge("$name, and a reload", []);
    } ],

    # it ends what stays, however long im_drain is
    (map {
        my ($timeout, $drain, $code) = @$_;
        [ "worker_shutdown_timeout $timeout and im_drain $drain", sub {
            my ($name) = @_;
            my $conf = slurp("$stack->{dir}/nginx.conf");
            my @cut = grep { /^echo/ } names();

            $m->edit(sub { s/^worker_processes /worker_shutdown_timeout $timeout;\n$&/m; s/im_drain \S+;/im_drain $drain;/ });
            reload();
            judge("$name: all move", []);
            delete client($_)->{code} for @cut;
            $m->edit(sub { s{location = /of/echo \{.*\}}{} });
            reload_in_time(@cut);
            $m->until(sub { @cut == grep { $_->{cut} } @{$m->{clients}} }, 'sessions of the location stay');
            is_deeply([ map { client($_)->{code} } @cut ], [ map { $code } @cut ], "$name: how they are closed");
            spew("$stack->{dir}/nginx.conf", $conf);
            reload_in_time(@cut);
            judge($name, \@cut);
        } ]
    } [ '1s', '1h', undef ], [ '1h', '1s', 1012 ]),

    # those that are on their way are cut as well
    [ 'worker_shutdown_timeout while sessions move', sub {
        my ($name) = @_;
        my $conf = slurp("$stack->{dir}/nginx.conf");
        my @cut = map { $_->{slot} == 0 ? $_->{name} : () } @{$m->{clients}};

        $m->edit(sub { s/^worker_processes /worker_shutdown_timeout 1s;\n$&/m });
        reload();
        $m->slow_motion(5);
        my ($old, $new) = $m->interpose('sessions');
        my $held = $m->owners($m->{clients}, $m->{between}{pid});
        my @stay = grep { !@{$held->{$_}} } @cut;
        $m->time_passes(1);
        $m->until(sub { !grep { !client($_)->{cut} } @stay }, 'some are not cut');
        $m->go;
        $m->await_gone($old);
        spew("$stack->{dir}/nginx.conf", $conf);
        reload_in_time();
        judge($name, \@cut);
    } ],

    # the rest of it comes when the new limit is there
    [ 'a message that is too big now', sub {
        my ($name) = @_;
        my $conf = slurp("$stack->{dir}/nginx.conf");
        my $frame = \&Test::Im::Client::frame;
        my ($big, $small) = map { client($_) } 'echo1', 'echo2';

        $big->{client}->write($frame->(1, 'x' x 3000, fin => 0));
        $small->{client}->write($frame->(1, 'x' x 500, fin => 0));
        $m->edit(sub { s{(location = /of/echo \{)}{$1 im_limit message=1k;} });
        reload();
        delete $small->{echoed};
        $big->{client}->write($frame->(0, 'x' x 10));
        $small->{client}->write($frame->(0, 'x' x 100));
        $m->until(sub { $big->{cut} }, 'it is not closed');
        is($big->{code}, 1009, "$name: it is closed as too big");
        $m->until(sub { $small->{echoed} }, 'the other one gets no answer');
        is($small->{echoed}, 'x' x 600, "$name: a shorter one is whole");
        spew("$stack->{dir}/nginx.conf", $conf);
        reload();
        judge($name, [ 'echo1' ]);
    } ],

    # the folder of the pid file has too long a name for sockets in it
    [ 'no place for sockets', sub {
        my ($name) = @_;
        my $dir = "$stack->{dir}/" . 'x' x 100;
        my $port = $m->{port} + 7;

        mkdir $dir or die "$dir: $!\n";
        spew("$dir/nginx.conf", (-e "$stack->{build}/ngx_im_module.so" ? "load_module $stack->{build}/ngx_im_module.so;\n" : '')
            . ($> == 0 ? "user root;\n" : '') . "pid $dir/nginx.pid;\nerror_log $dir/error.log notice;\nevents {}\nhttp {\n"
            . "im_drain 0;\n" . join('', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi))
            . "access_log off;\nserver { listen 127.0.0.1:$port; location / { im_comet protocol=echo; } } }\n");
        is(system($stack->{nginx}, '-p', $dir, '-c', "$dir/nginx.conf", '-e', "$dir/error.log"), 0, "$name: nginx starts");
        my ($pid) = slurp("$dir/nginx.pid") =~ /(\d+)/;
        like(slurp("$dir/error.log"), qr/\[notice\].* im_handover: "\Q$dir\E\/nginx\.im" is \d+ bytes long, and 98 fit into the name of a unix socket: name a shorter one, such as \/run\/nginx\.im, or set "im_handover off"/, "$name: it says why");

        my $client = Test::Im::Client->new(port => $port);
        is($client->handshake('/'), 101, "$name: it serves");
        kill 'HUP', $pid;
        my $end = $client->next_frame(Time::HiRes::time() + 60);
        is($end && unpack('n', $end->{payload}), 1012, "$name: a reload closes sessions");
        kill 'QUIT', $pid;
        $m->await_gone($pid);
        judge($name, []);
    } ],

    # one worker, four, two, as many as CPUs: workers that come after others have their sessions
    [ 'other numbers of workers', sub {
        my ($name) = @_;

        # the master looks for sockets of workers that died, and living ones don't notice
        my $looks = sub {
            scalar(() = slurp("$stack->{dir}/error.log")
                   =~ /handover from worker process 0 was cut off|wanted to hand sessions over/g);
        };
        my $before = $looks->();

        delete $_->{slot} for @{$m->{clients}};
        for my $n (1, 4, 'auto', 1, 2) {
            my @old = $m->workers;
            $m->edit(sub { s/^worker_processes .*;/worker_processes $n;/m });
            $stack->reload('nginx');
            reloaded(@old);
            is(scalar(() = $m->workers), $n eq 'auto' ? POSIX::sysconf(84) : $n, "$name: now $n");
            judge("$name, $n", []);
        }
        is($looks->(), $before, "$name: no worker says that the master looked for dead ones");
    } ],
);

my @wanted = split /,/, $ENV{IM_FAULTS} || '';
@rows = grep { my $name = $_->[0]; grep { $_ eq $name } @wanted } @rows if @wanted;

$m->start;
$m->reload;
$m->settled;
my $size = $m->rest;
is_deeply([ $m->cut, $m->faults ], [], 'all move in a reload');
$m->lines;

$_->[1]->($_->[0]) for @rows;

my ($counts, $grown);
ok($m->pump(30, sub { ($counts = $m->counts) eq $m->right_counts }), 'counts are right')
    or diag("$counts\ninstead of\n" . $m->right_counts);
ok($m->pump(30, sub { !($grown = $m->grown($size)) }), 'nothing has grown') or diag($grown);

done_testing();
