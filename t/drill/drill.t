#!/usr/bin/perl
# Copyright (C) The im authors
#
# Drills: pushes from several publishers while something dies, stalls or
# forgets.  Each client records what it gets; each push that was accepted must
# have reached each of its followers once and in order.  Where Redis really lost
# messages, the client must have heard of the hole.
#
#   prove t/drill/drill.t                    a few seconds each
#   IM_DRILL=long perl t/drill/drill.t       long ones, and a table
#   IM_DRILLS=redis-kill,storm ...           these only
#
#   IM_BUILD=build IM_DRILL_CLIENTS=N
#   IM_DRILL_PROTOCOL=both|centrifuge|im

use strict;
use warnings;

use lib 't/lib';

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $long = ($ENV{IM_DRILL} || '') eq 'long';
my $build = $ENV{IM_BUILD} || Cwd::cwd() . '/build';
my $nclients = $ENV{IM_DRILL_CLIENTS} || ($long ? 1000 : 200);
my $nrooms = $long ? 20 : 10;
my $nusers = int $nclients / 5;
my $npublishers = 3;                    # and the drill itself is one more
my $rate = $long ? 150 : 90;            # pushes a second, of all publishers
my $settle = 40;
my $protocol = $ENV{IM_DRILL_PROTOCOL} || 'both';
my $lease = 12;

my %only = map { $_ => 1 } split /,/, $ENV{IM_DRILLS} || '';

$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(TERM INT HUP);

# what was accepted: "TOPIC PUBLISHER" => N; how pushes were answered
my (%accepted, %load, @pids, $over, $number, $pad, $everywhere);
my ($to_client, $from_client, $client_pid);

my @logics = qw(logic1 logic2 logic3);
my $stack = Test::Im::Stack->new(
    build => $build, level => 'info', access => 0,
    nodes => [ qw(nginx1 nginx2) ], logics => \@logics,
    jobs => [ qw(job1 job2) ], http => 'keepalive_requests 100000; im_per_address off; im_handover off; ',
    main => 'worker_rlimit_nofile 16384; worker_shutdown_timeout 60s; ',
    drain => $long ? '5s' : '1s',
    rules => 'im_room * history=5000 ttl=1h; '
        . 'im_room 99* history=5 ttl=1h; '
        . 'im_inbox history=5000 ttl=1h; '
        . 'im_broadcast history=5000 ttl=1h; '
        . 'im_ping 3s timeout=' . ($long ? '9s;' : '30s;'),
    server => join '', map { "
        location = /$_/user {
            im_comet protocol=$_;
            im_auth token;
            im_connect /im_connect;
        }
        location = /$_/guest { im_comet protocol=$_; im_auth none; }" }
        qw(centrifuge im),
);


# The drills.  "run" is called while pushes go on; what it returns is a fault.
# number: part of the names of rooms; whole: no client is cut.

my @drills = (
    [ 'redis-late', 'Redis comes after all others', sub {}, before => sub {
        $stack->start(@logics, qw(job1 job2 nginx1 nginx2));
        wait_for(2, 20);
        $stack->start('redis');
        tokens();
    } ],

    [ 'job-kill', 'kill -9 of a job, then of the other', sub {
        for my $i (1 .. ($long ? 10 : 2)) {
            my $name = 'job' . (1 + $i % 2);
            $stack->stop('KILL', $name);
            wait_for(0.5, 1.5);
            $stack->start($name);
            wait_for(0.5, 1.5);
        }
    } ],

    [ 'job-stop', 'a job stands still, another takes over', sub {
        $stack->signal('STOP', 'job1');
        wait_for(7, 10);
        $stack->signal('CONT', 'job1');
        wait_for(0.5, 5);
    } ],

    [ 'logic-kill', 'kill -9 of one logic, then of the other', sub {
        for my $i (1 .. ($long ? 10 : 2)) {
            my $name = 'logic' . (1 + $i % 2);
            $stack->stop('KILL', $name);
            wait_for(0.7, 1);
            $stack->start($name);
            wait_for(0.7, 1);
        }
    } ],

    [ 'worker-kill', 'kill -9 of an nginx worker, clients go elsewhere', sub {
        for my $i (1 .. ($long ? 4 : 1)) {
            my $name = 'nginx' . (1 + $i % 2);
            $stack->kill_worker($name, busiest($name));
            wait_for(1, 5);
        }
        return $long ? counts($lease + 2) : undef;
    }, resume => 1 ],

    [ 'worker-stop', 'an nginx worker stands still, clients go elsewhere', sub {
        my ($worker) = $stack->workers('nginx1');
        kill 'STOP', $worker;
        wait_for(2, $lease + 4);
        kill 'CONT', $worker;
        wait_for(1, 10);
        return $long ? counts($lease + 2) : undef;
    }, resume => $long ],

    [ 'redis-kill', 'kill -9 of Redis, each write is on disk', \&redis_kill,
      always => 1 ],

    # Redis loses writes that it delayed while the disk was busy
    [ 'redis-everysec', 'kill -9 of Redis, AOF everysec', \&redis_kill,
      loss => 1, long => 1 ],

    [ 'redis-away', 'Redis is away for a while', sub {
        $stack->stop('TERM', 'redis');
        wait_for(2, 20);
        $stack->start('redis');
        wait_for(1, 5);
        return $long ? counts($lease + 2) : undef;
    } ],

    [ 'redis-pause', 'CLIENT PAUSE, of writes and of all', sub {
        for my $what (qw(WRITE ALL)) {
            $stack->redis('CLIENT', 'PAUSE', $long ? 3000 : 1000, $what);
            wait_for(1.5, 5);
        }
    } ],

    [ 'redis-stop', 'Redis takes connections and says nothing', sub {
        $stack->signal('STOP', 'redis');
        my $fault = answered(503);
        wait_for(1, 8);
        $stack->signal('CONT', 'redis');
        wait_for(1, 5);
        return $fault;
    }, check => sub {
        my ($load) = @_;
        # a busy machine may be slower
        my $most = $long ? 4 : 30;
        return "an answer took $load->{slowest} s\n" if $load->{slowest} > $most;
        return undef;
    } ],

    [ 'pubsub-kill', 'pub/sub connections are cut again and again', sub {
        for (1 .. ($long ? 40 : 5)) {
            $stack->redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
            sleep(0.5);
        }
    } ],

    [ 'pubsub-full', 'a worker stands still, Redis drops its pub/sub', sub {
        $stack->redis('CONFIG', 'SET', 'client-output-buffer-limit',
                      'pubsub 64kb 64kb 60');
        my ($worker) = $stack->workers('nginx1');
        my $since = length Test::Im::Stack::slurp("$stack->{dir}/redis.log");
        kill 'STOP', $worker;
        my $dropped = Test::Im::Stack::until_true(60, sub {
            substr(Test::Im::Stack::slurp("$stack->{dir}/redis.log"), $since)
                =~ /output buffer limits/;
        });
        kill 'CONT', $worker;
        $stack->redis('CONFIG', 'SET', 'client-output-buffer-limit',
                      'pubsub 256mb 64mb 60');
        wait_for(0.5, 5);
        return $dropped ? undef : "Redis dropped nobody\n";
    }, pad => 8000 ],

    [ 'script-flush', 'Redis forgets the scripts', sub {
        for (1 .. ($long ? 10 : 3)) {
            $stack->redis('SCRIPT', 'FLUSH');
            wait_for(0.5, 1);
        }
    } ],

    [ 'redis-old', 'Redis is killed and has what it had a while ago', sub {
        load_stop();
        $stack->redis('CONFIG', 'SET', 'appendonly', 'no');
        my %before = %accepted;
        load_start();
        wait_for(1.5, 5);
        load_stop();
        wait_for(0.5, 1);
        my %lost = map { s/ .*//r => 1 }
            grep { $accepted{$_} != ($before{$_} || 0) } keys %accepted;
        client("forgotten $_") for sort keys %lost;
        $stack->stop('KILL', 'redis');
        $stack->start('redis');
        load_start();
        wait_for(2, 10);
    }, holes => 1 ],

    [ 'flushall', 'Redis forgets everything', sub {
        load_stop();
        wait_for(0.5, 1);
        $stack->redis('FLUSHALL');
        client('forgotten');
        tokens();
        load_start();
        wait_for(2, 10);
    }, everywhere => 1, resume => 1, holes => 1 ],

    [ 'window', 'away for longer than the history reaches', sub {
        load_stop();
        clients_away() or return "clients don't go\n";
        load_start();
        my $pushed = pushed('r:' . $number * 1000, 20);
        kill 'CONT', $client_pid;
        wait_for(2.5, 5);
        return $pushed ? undef : "nothing is pushed\n";
    }, number => 99, resume => 1, holes => 1, before => sub {
        # history is trimmed by whole nodes of the stream
        $stack->redis('CONFIG', 'SET', 'stream-node-max-entries', 4);
    } ],

    [ 'storm', 'all clients are cut at once and resume', sub {
        for (1 .. ($long ? 5 : 1)) {
            client('cut 200');
            wait_for(1.5, 5);
        }
    }, resume => 1 ],

    [ 'queue-full', 'no job: the queue is full, pushes get 503', sub {
        $stack->stop('TERM', 'job1', 'job2');
        my $fault = answered(503);
        wait_for(1, 5);
        $stack->start('job1', 'job2');
        wait_for(1, 3);
        return $fault;
    }, logic => [ '--queue-cap=5' ] ],

    [ 'same-id', 'one push, 100 times at once', \&same_id ],

    [ 'clock', 'the wall clock jumps an hour, to and fro', sub {
        for my $ahead (3600, -3600, 0) {
            # in place: it is mapped
            open(my $fh, '+<:raw', "$stack->{dir}/clock") or die $!;
            syswrite $fh, pack 'q', $ahead;
            close $fh;
            wait_for(1, 5);
        }
        return $long ? counts($lease + 2) : undef;
    }, clock => 1, whole => 1 ],

    [ 'memory', 'Redis at maxmemory, without eviction', sub {
        $stack->redis('CONFIG', 'SET', 'maxmemory', '1mb');
        my $fault = answered(503);
        wait_for(1, 10);
        $stack->redis('CONFIG', 'SET', 'maxmemory', 0);
        wait_for(1, 3);
        return $fault;
    } ],

    [ 'reload', 'nginx is reloaded, one node after the other', sub {
        for my $i (1 .. ($long ? 4 : 2)) {
            $stack->reload('nginx' . (1 + $i % 2));
            wait_for(0.7, 3);
        }
    }, resume => 1 ],

    [ 'chaos', 'all of it, in no order', \&chaos, always => 1 ],

    [ 'network', 'a network swallows all, for some of the clients', sub {
        my ($proxy) = @_;
        kill 'USR1', $proxy;
        wait_for(3, 30);
        kill 'USR1', $proxy;
        wait_for(1, 5);
    }, proxy => 1, resume => $long ],
);


sub wait_for {
    my ($short_s, $long_s) = @_;

    sleep($long ? $long_s : $short_s);

    return;
}


sub tokens {
    my $socket = IO::Socket::UNIX->new(Peer => "$stack->{dir}/redis.sock")
        or die "redis: $!\n";

    for my $i (0 .. $nusers - 1) {
        print $socket join '', "*6\r\n", map { '$' . length($_) . "\r\n$_\r\n" }
            'HSET', sprintf('im_drl%013x', $i), 'UserId', "u$i", 'UserName',
            "User $i";
    }

    Test::Im::Stack::reply($socket) for 1 .. $nusers;
}


sub sessions {
    my ($name) = @_;
    my $n = $stack->port($name) - $stack->{port} + 1;
    my ($status, $body) = $stack->http($n, 'GET', '/im/status');

    return $status == 200 ? JSON::PP::decode_json($body) : {};
}


# The worker of a node that has the most sessions.
sub busiest {
    my ($name) = @_;
    my @workers = sort { $b->{sessions} <=> $a->{sessions} }
        @{sessions($name)->{workers} || []};

    return $workers[0]{pid};
}


# All clients are cut, and stand still.
sub clients_away {
    my $away = sub {
        2 == grep { (sessions($_)->{total}{sessions} // 1) == 0 } @{$stack->{nodes}};
    };

    return Test::Im::Stack::until_true(60, sub {
        client('cut 2500');
        Test::Im::Stack::until_true(2, $away) or return 0;
        kill 'STOP', $client_pid;
        return 1 if $away->();
        kill 'CONT', $client_pid;
        return 0;
    });
}


# So many more messages to a topic.
sub pushed {
    my ($topic, $n) = @_;
    my ($key) = $stack->keys("im:*:$topic:m");
    my $seq = sub { $stack->redis('HGET', $key, 's') // 0 };
    my $before = $seq->();

    return Test::Im::Stack::until_true(60, sub { $seq->() >= $before + $n });
}


# Sessions, and those of each room, as many as there are within a time.
sub counts {
    my ($seconds) = @_;
    my $answer = '';

    return undef if Test::Im::Stack::until_true($seconds, sub {
        $answer = ($stack->http(1, 'GET', '/im/online'))[1];
        $answer =~ /"connections":$nclients\b/;
    });

    return "count: $answer\n";
}


# clients

sub clients_start {
    my ($number, @ports) = @_;

    pipe(my $in, $to_client) && pipe($from_client, my $out) or die $!;
    $client_pid = fork();
    die "fork: $!" unless defined $client_pid;

    if ($client_pid == 0) {
        open(STDIN, '<&', $in);
        open(STDOUT, '>&', $out);
        close $to_client;
        close $from_client;
        exec("$build/t/client", $protocol, $number, $nclients, $nrooms,
             $nusers, $npublishers + 1, @ports) or POSIX::_exit(127);
    }

    $to_client->autoflush(1);

    my $line = <$from_client>;
    die 'clients: ' . ($line || "gone\n") if ($line || '') ne "ready\n";
}


sub client {
    print $to_client "$_[0]\n";
}


sub clients_end {
    my %want = @_;

    client("want $_ $want{$_}") for sort keys %want;
    client("end $settle");

    my $line = <$from_client>;

    close $to_client;
    close $from_client;
    waitpid($client_pid, 0);
    $client_pid = undef;

    return JSON::PP::decode_json(defined $line ? $line : '{}');
}


# pushes

sub load_start {
    $over = 0;
    unlink glob "$stack->{dir}/answer.*";
    local $SIG{TERM} = sub { $over = 1 };

    for my $p (0 .. $npublishers - 1) {
        my $pid = fork();

        die "fork: $!" unless defined $pid;
        if ($pid == 0) {
            $stack->{kept} = {};
            close $to_client;
            publisher($p);
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }

    # each has begun
    die "pushes are not accepted\n" if answered(200, $npublishers);
}


# Waits until as many publishers as that had such an answer; or a fault.
sub answered {
    my ($status, $n) = @_;

    return undef if Test::Im::Stack::until_true(60, sub {
        ($n || 1) <= (() = glob "$stack->{dir}/answer.*.$status");
    });

    return "no $status\n";
}


sub load_stop {
    my @now = splice @pids;

    kill 'TERM', @now;

    for my $pid (@now) {
        waitpid($pid, 0);
        $load{failed}++ if $? != 0;
    }

    for my $file (glob("$stack->{dir}/load.*")) {
        for my $line (split /\n/, Test::Im::Stack::slurp($file)) {
            my ($what, $key, $value) = split / /, $line, 3;

            if ($what eq 'accepted') {
                $accepted{$key =~ tr/,/ /r} = $value;

            } elsif ($what eq 'status') {
                $load{$key} += $value;

            } elsif (($load{slowest} || 0) < $value) {
                $load{slowest} = $value;
            }
        }
        unlink $file;
    }
}


# Pushes until SIGTERM; it ends only after its last push is accepted.
sub publisher {
    my ($p) = @_;
    my (%n, %status);
    my $i = 0;
    my $slowest = 0;
    my $begin = time();

    for my $key (grep { / $p\z/ } keys %accepted) {
        $n{$key =~ s/ .*//r} = $accepted{$key};
    }

    srand($p + $number);

    # each topic once, so that all have a position to lose
    my @all = $everywhere
        ? ('b', (map { "r:$_" } map { $number * 1000 + $_ } 0 .. $nrooms - 1),
           map { "u:u$_" } 0 .. $nusers - 1) : ();

    while (!$over || @all) {
        my $early = $begin + $i / $rate * $npublishers - time();
        sleep($early) if $early > 0 && !@all;

        my $kind = $i++ % 40;
        my $topic = shift @all;
        $topic = $kind == 39 ? 'b'
               : $kind % 5 == 4 ? 'u:u' . int rand $nusers
               : 'r:' . ($number * 1000 + int rand $nrooms) if !defined $topic;

        my $limit = time() + 60;
        my $body = body($topic, $p, ++$n{$topic});

        for (my $try = $p; ; $try++) {
            my $since = time();
            my ($status, $answer) = $stack->http(1 + $try % 2, 'POST',
                                                 '/im/push', $body);
            Test::Im::Stack::spew("$stack->{dir}/answer.$p.$status", '')
                unless $status{$status}++;
            $slowest = time() - $since if time() - $since > $slowest;
            last if $status == 200;

            if (time() > $limit || ($status && $status < 500)) {
                print STDERR "# push: $status $answer\n";
                POSIX::_exit(1);
            }
            sleep(0.1);
        }
    }

    Test::Im::Stack::spew("$stack->{dir}/load.$p", join '',
        map({ "accepted $_,$p $n{$_}\n" } keys %n),
        map({ "status $_ $status{$_}\n" } keys %status),
        "slowest - $slowest\n");
}


sub body {
    my ($topic, $p, $n) = @_;
    my ($kind, $name) = $topic =~ /\A(.)(?::(.*))?\z/;
    my $to = $kind eq 'b' ? '"all":true'
           : $kind eq 'u' ? "\"users\":[\"$name\"]" : "\"rooms\":[\"$name\"]";

    return "{\"id\":\"d$number-$p-$topic-$n\",$to,\"data\":{\"msg\":"
        . "{\"d\":\"$number\",\"t\":\"$topic\",\"p\":$p,\"n\":$n}"
        . ($pad ? ',"pad":"' . 'x' x $pad . '"' : '') . '}}';
}


# One message by 100 connections to both nodes, and so to all of im_logic.
sub same_id {
    for my $round (1 .. ($long ? 10 : 2)) {
        my $topic = 'r:' . ($number * 1000);
        my $body = body($topic, $npublishers, $round);
        my (%seq, @sockets);

        for my $i (0 .. 99) {
            my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                PeerPort => $stack->{port} + $i % 2) or return "connect: $!\n";
            push @sockets, $socket;
        }

        syswrite $_, "POST /im/push HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\nContent-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body"
            for @sockets;

        for my $socket (@sockets) {
            local $/;
            my $answer = <$socket>;
            $answer = '' unless defined $answer;
            $seq{$answer =~ /"seq":(\d+)/ ? $1 : "none: $answer"}++;
        }

        return 'numbers: ' . join(', ', keys %seq) . "\n" if keys %seq != 1;
        $accepted{"$topic $npublishers"} = $round;
    }

    return undef;
}


sub redis_kill {
    for my $i (1 .. ($long ? 5 : 1)) {
        $stack->stop('KILL', 'redis');
        $stack->start('redis');
        wait_for(2, 5);
    }

    return $long ? counts($lease + 2) : undef;
}


# IM_DRILL_SEED repeats the order of one that was bad.
sub chaos {
    my $seed = $ENV{IM_DRILL_SEED} || int rand 1e6;
    my $end = time() + ($long ? 60 : 4);
    my $n = sub { 1 + int rand 2 };
    my @all = (
        sub { my $job = 'job' . $n->();
              $stack->stop('KILL', $job);
              $stack->start($job) },
        sub { my $logic = 'logic' . $n->();
              $stack->stop('KILL', $logic);
              $stack->start($logic) },
        sub { $stack->kill_worker('nginx' . $n->()) },
        sub { $stack->reload('nginx' . $n->()) },
        sub { $stack->stop('KILL', 'redis');
              sleep(rand 1);
              $stack->start('redis') },
        sub { $stack->redis('CLIENT', 'KILL', 'TYPE', 'pubsub') },
        sub { $stack->redis('CLIENT', 'KILL', 'TYPE', 'normal') },
        sub { $stack->redis('CLIENT', 'PAUSE', int rand 1000, 'ALL') },
        sub { $stack->redis('SCRIPT', 'FLUSH') },
        sub { client('cut ' . int rand 1000) },
    );

    srand($seed);
    note("chaos: seed $seed");

    while (time() < $end) {
        $all[rand @all]->();
        sleep(rand 1.5);
    }

    srand();

    return undef;
}


# A proxy to the second node; between two USR1 nothing passes it.
sub proxy {
    my $listen = IO::Socket::INET->new(Listen => 512,
        LocalAddr => '127.0.0.1') or die "proxy: $!\n";
    my $black;
    local $SIG{USR1} = sub { $black = !$black };
    my $pid = fork();

    die "fork: $!" unless defined $pid;
    return ($pid, $listen->sockport) if $pid;

    my (%peer, $bytes);
    my $select = IO::Select->new($listen);
    my $parent = getppid();

    while (getppid() == $parent) {

        if ($black) {
            sleep(0.05);
            next;
        }

        for my $socket ($select->can_read(0.2)) {
            if ($socket == $listen) {
                my $one = $listen->accept or next;
                my $two = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                    PeerPort => $stack->{port} + 1) or next;
                @peer{$one, $two} = ($two, $one);
                $select->add($one, $two);
                next;
            }

            my $other = $peer{$socket} or next;

            if (sysread($socket, $bytes, 65536)
                && defined syswrite($other, $bytes))
            {
                next;
            }

            $select->remove($socket, $other);
            delete @peer{$socket, $other};
            close $socket;
            close $other;
        }
    }

    POSIX::_exit(0);
}


# One drill: (row, fault)
sub drill {
    my ($name, $title, $run, %o) = @_;
    my @ports = map { $stack->{port} + $_ } 0, 1;
    my $why = '';
    my $proxy;

    (%accepted, %load) = ();
    $pad = $o{pad};
    $everywhere = $o{everywhere};

    if ($o{logic}) {
        $stack->{logic} = $o{logic};
        $stack->stop('TERM', @logics);
        $stack->start(@logics);
    }

    if ($o{clock}) {
        my @these = qw(nginx2 logic2 job2);
        my $file = "$stack->{dir}/clock";
        Test::Im::Stack::spew($file, pack 'q', 0);
        $stack->stop($_ eq 'nginx2' ? 'QUIT' : 'TERM', $_) for @these;
        $stack->{env} = { map { $_ => {
            IM_CLOCK => $file, LD_PRELOAD => join ' ', $ENV{IM_PRELOAD} || (),
            "$build/t/clock.so",
        } } @these };
        $stack->start(@these);
    }

    $stack->{appendfsync} = $o{always} ? 'always' : 'everysec';
    $stack->redis('CONFIG', 'SET', 'appendfsync', $stack->{appendfsync});

    $o{before}->() if $o{before};
    $stack->ready or die "pushes are not accepted\n";
    ($proxy, $ports[2]) = proxy() if $o{proxy};

    clients_start($number, @ports);
    load_start();
    wait_for(0.5, 2);
    $why = $run->($proxy) || '';
    load_stop();

    my $accepted = 0;
    $accepted += $_ for values %accepted;

    my $v = clients_end(%accepted);
    $why .= $o{check}->(\%load) || '' if $o{check};
    kill 'KILL', $proxy if $proxy;
    waitpid($proxy, 0) if $proxy;

    if ($o{logic} || $o{clock}) {
        delete @{$stack}{qw(logic env)};
        for my $this ($o{clock} ? qw(nginx2 logic2 job2) : @logics) {
            $stack->stop($this eq 'nginx2' ? 'QUIT' : 'TERM', $this);
            $stack->start($this);
        }
    }

    $why .= "a push was not accepted\n" if $load{failed};
    $why .= "$v->{joined} of $nclients are there\n"
        if $v->{joined} != $nclients;
    $why .= "$_: $v->{$_}\n"
        for grep { $v->{$_} } qw(lost duplicated reordered faults);
    $why .= "holes: $v->{real}, told: $v->{told}\n"
        if $o{loss} ? $v->{real} > $v->{told} : $v->{real} != $v->{told};
    $why .= "cuts: $v->{cuts}\n" if $o{whole} && $v->{cuts};
    $why .= "no hole\n" if $o{holes} && !$v->{real};
    $why .= "nobody resumed\n" if $o{resume} && !$v->{recovered}
                                  && !$o{holes};
    $why .= "delivered: $v->{delivered} of $v->{due} and $v->{excused}\n"
        if $v->{delivered} + $v->{excused} != $v->{due};
    $why .= "first: $v->{first}\n" if $v->{first};

    return ({ %$v, name => $name, accepted => $accepted,
              refused => $load{503} || 0 }, $why);
}


my @columns = (
    [ drill => '%-14s', 'name' ], [ clients => '%7d', 'clients' ],
    [ accepted => '%8d', 'accepted' ], [ refused => '%7d', 'refused' ],
    [ due => '%8d', 'due' ], [ delivered => '%9d', 'delivered' ],
    [ lost => '%4d', 'lost' ], [ duplicated => '%10d', 'duplicated' ],
    [ reordered => '%9d', 'reordered' ], [ cuts => '%5d', 'cuts' ],
    [ resumed => '%7d', 'recovered' ], [ 'holes real' => '%10d', 'real' ],
    [ 'holes told' => '%10d', 'told' ], [ verdict => '%s', 'verdict' ],
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


my @rows;

# without Redis at first: its drill starts the rest
unless (%only && !$only{'redis-late'}) {
    shift @drills while $drills[0][0] ne 'redis-late';

} else {
    $stack->start('redis', @logics, qw(job1 job2 nginx1 nginx2));
    tokens();
}

for my $i (0 .. $#drills) {
    my ($name, $title, $run, %o) = @{$drills[$i]};

    next if %only ? !$only{$name} : $o{long} && !$long;

    $number = $o{number} || $i + 1;

    my $begin = time();
    my ($row, $why) = eval { drill($name, $title, $run, %o) };

    if ($@) {
        ($row, $why) = ({ name => $name }, $@);
        kill 'TERM', @pids if @pids;
        load_stop();
        kill 'KILL', $client_pid if $client_pid;
        waitpid($client_pid, 0) if $client_pid;
    }

    $row->{verdict} = $why eq '' ? 'good' : 'BAD';
    push @rows, $row;

    ok($why eq '', sprintf '%s: %s (%.1f s)', $name, $title, time() - $begin)
        or diag($why, JSON::PP->new->canonical->encode($row));
}

my @keys = grep { $stack->redis('TTL', $_) == -1 }
    grep { !/\Aim_drl|\Aim:\{(?:reg\}:(?:conf|nodes|jobs|s:\w+|names)
             |\d+-\d+\}:q)\z/x }
    $stack->keys('*');
is(scalar @keys, 0, 'what is in Redis ends some day') or diag("@keys");

my @alerts = $stack->alerts;
is(scalar @alerts, 0, 'no alert') or diag(@alerts[0 .. ($#alerts > 4 ? 4
                                                        : $#alerts)]);

my @findings = $stack->findings;
is(scalar @findings, 0, 'no finding of a sanitizer') or diag(@findings);

done_testing();

print "\n", row(), row() =~ s/[^|\n]/-/gr, map { row($_) } @rows if $long;

$stack->end(Test::More->builder->is_passing);

END {
    my $status = $?;
    if ($stack && $$ == $stack->{owner}) {
        kill 'KILL', grep { $_ } @pids, $client_pid;
        $stack->end(0);
    }
    $? = $status;
}
