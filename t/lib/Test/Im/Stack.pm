# Copyright (C) The im authors
#
# The whole service in a folder of its own: a private Redis, some im_logic, two
# im_job, two nginx nodes, each of which can be started, stopped and killed
# while the others go on.

package Test::Im::Stack;

use strict;
use warnings;

use Cwd ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);

my $Top = Cwd::cwd();


# build, workers, logics, drain, rules (of http{}), locations (of server{}),
# clock (a library to preload)
sub new {
    my ($class, %args) = @_;
    my $self = bless {
        build => "$Top/build", workers => 2, logics => 2, drain => '1s',
        rules => '', locations => '', appendfsync => 'everysec', %args,
        dir => File::Temp::tempdir('im-stack-XXXXXX', TMPDIR => 1),
        port => ports(), owner => $$, pids => {}, kept => {},
    }, $class;

    chmod 0755, $self->{dir};
    $ENV{PATH} .= ':/usr/sbin:/sbin' if $ENV{PATH} !~ m{/usr/sbin};
    $self->{nginx} = $ENV{TEST_NGINX_BINARY} || 'nginx';
    $self->preload if $ENV{IM_PRELOAD};

    return $self;
}


# The sanitizers of a module in a stock nginx; their findings are files.
sub preload {
    my ($self) = @_;
    my $dir = $self->{dir};

    spew("$dir/nginx", "#!/bin/sh\nexec env "
         . "LD_PRELOAD=\"$ENV{IM_PRELOAD} \$LD_PRELOAD\" "
         . "ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$dir/asan "
         . "UBSAN_OPTIONS=halt_on_error=1:log_path=$dir/ubsan "
         . "$self->{nginx} \"\$@\"\n");
    chmod 0755, "$dir/nginx";
    $self->{nginx} = "$dir/nginx";
}


# processes, by name: redis logic1 logic2 ... job1 job2 nginx1 nginx2

sub start {
    my ($self, @names) = @_;

    for my $name (@names) {
        my ($kind, $n) = $name =~ /\A(\D+)(\d*)\z/ or die "$name?\n";
        my $dir = $self->{dir};

        die "$name runs already\n" if $self->{pids}{$name};

        if ($kind eq 'redis') {
            $self->run($name, 'redis-server', '--port', 0, '--unixsocket',
                       "$dir/redis.sock", '--dir', $dir, '--save', '',
                       '--appendonly', 'yes', '--appendfsync',
                       $self->{appendfsync}, '--client-output-buffer-limit',
                       'pubsub 256mb 64mb 60', '--repl-backlog-ttl', 0,
                       '--maxmemory-policy', 'noeviction');
            until_true(30, sub {
                my $answer = $self->redis('PING');
                defined $answer && $answer eq 'PONG';
            }) or die "redis doesn't answer\n";

        } elsif ($kind eq 'logic') {
            unlink "$dir/$name.sock";
            $self->run($name, "$self->{build}/im_logic",
                       "--redis=unix:$dir/redis.sock",
                       "--fcgi=unix:$dir/$name.sock",
                       @{$self->{logic} || []});
            until_true(10, sub {
                IO::Socket::UNIX->new("$dir/$name.sock");
            })
                or die "$name doesn't listen\n";

        } elsif ($kind eq 'job') {
            $self->run($name, "$self->{build}/im_job",
                       "--redis=unix:$dir/redis.sock");

        } else {
            $self->conf($n);
            unlink "$dir/node$n/nginx.pid";
            $self->run($name, $self->{nginx}, '-p', "$dir/node$n/", '-c',
                       "$dir/node$n/nginx.conf", '-e',
                       "$dir/node$n/error.log");
            until_true(10, sub { -s "$dir/node$n/nginx.pid" })
                or die "$name doesn't start\n", grep { /\[emerg\]/ }
                       slurp("$dir/node$n/error.log") =~ /.*\n/g;
        }
    }

    return 1;
}


sub run {
    my ($self, $name, @command) = @_;
    my $pid = fork();

    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>>', "$self->{dir}/$name.log");
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        if (my $clock = $self->{clocks}{$name}) {
            $ENV{IM_CLOCK} = $clock;
            $ENV{LD_PRELOAD} = join ' ', $ENV{IM_PRELOAD} || (),
                $self->{clock};
        }
        exec(@command) or POSIX::_exit(127);
    }

    return $self->{pids}{$name} = $pid;
}


sub signal {
    my ($self, $signal, @names) = @_;

    for my $name (@names) {
        my $pid = $self->{pids}{$name} or die "$name doesn't run\n";
        kill $signal, $pid;
    }
}


sub stop {
    my ($self, $signal, @names) = @_;

    for my $name (@names) {
        my $pid = delete $self->{pids}{$name} or die "$name doesn't run\n";
        my @workers = $signal eq 'KILL' ? children($pid) : ();

        kill $signal, $pid, @workers;

        until_true(20, sub { waitpid($pid, POSIX::WNOHANG()) != 0 })
            or die "$name doesn't end\n";
        die "$name ended with $?\n" if $signal ne 'KILL' && $? != 0;
    }

    return 1;
}


# The workers of a node, by pid.
sub workers {
    my ($self, $name) = @_;

    return children($self->{pids}{$name});
}


# kill -9 of one that isn't ending; its successor is awaited
sub kill_worker {
    my ($self, $name) = @_;
    my %before = map { $_ => 1 } $self->workers($name);
    my ($newest) = sort { $b <=> $a } keys %before;

    kill 'KILL', $newest;

    return until_true(10, sub { grep { !$before{$_} } $self->workers($name) })
        || die "no new worker\n";
}


sub reload {
    my ($self, $name) = @_;
    my %before = map { $_ => 1 } $self->workers($name);

    $self->signal('HUP', $name);

    until_true(10, sub { grep { !$before{$_} } $self->workers($name) })
        or die "no new workers\n";
}


sub ready {
    my ($self) = @_;

    return until_true(20, sub {
        my @nodes = grep { $self->{pids}{"nginx$_"} } 1, 2;

        for my $n (@nodes) {
            my ($status) = $self->http($n, 'POST', '/im/push',
                                       '{"rooms":["_ready"],"data":0}');
            return 0 if $status != 200;
            my ($code, $body) = $self->http($n, 'GET', '/status');
            return 0 if $code != 200 || $body =~ /"link":"down"/;
        }

        return 1;
    });
}


sub conf {
    my ($self, $n) = @_;
    my $dir = $self->{dir};
    my $listen = $self->{port} + $n - 1;
    my $user = $> == 0 ? 'user root;' : '';
    my $logics = join ' ', map { "server unix:$dir/logic$_.sock max_fails=0;" }
        1 .. $self->{logics};

    mkdir "$dir/node$n";
    spew("$dir/node$n/nginx.conf", <<CONF);
load_module $self->{build}/ngx_im_module.so;
$user
daemon off;
worker_processes $self->{workers};
worker_rlimit_nofile 16384;
worker_shutdown_timeout 60s;
pid $dir/node$n/nginx.pid;
error_log $dir/node$n/error.log info;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $dir/node$n/body;
    proxy_temp_path $dir/node$n/proxy;
    fastcgi_temp_path $dir/node$n/fastcgi;
    uwsgi_temp_path $dir/node$n/uwsgi;
    scgi_temp_path $dir/node$n/scgi;
    keepalive_requests 100000;
    upstream im_logic {
        $logics
        keepalive 8;
    }
    im_redis unix:$dir/redis.sock;
    im_node node-$n;
    im_drain $self->{drain};
    $self->{rules}
    server {
        listen 127.0.0.1:$listen;
        $self->{locations}
        location = /im_connect {
            internal;
            fastcgi_pass im_logic;
            include $Top/conf/im_params;
        }
        location = /status { im_status; }
        location /im/ {
            fastcgi_pass im_logic;
            include $Top/conf/im_params;
        }
    }
}
CONF
}


# Each is ended by its own pid; what failed keeps its logs.
sub end {
    my ($self, $passed) = @_;

    return if $$ != $self->{owner} || $self->{ended}++;

    for my $pid (grep { $_ } values %{$self->{pids}}) {
        my @all = ($pid, children($pid));   # or the first starts new ones
        kill 'KILL', @all;
        waitpid($pid, 0);
    }

    $self->{pids} = {};

    if ($passed) {
        system('rm', '-rf', $self->{dir});
    } else {
        print STDERR "# logs are in $self->{dir}\n";
    }
}


sub alerts {
    my ($self) = @_;

    return grep { /\[(?:alert|emerg)\]/ && !/exited on signal 9/ }
        map { split /\n/, slurp("$self->{dir}/node$_/error.log") } 1, 2;
}


sub findings {
    my ($self) = @_;
    my $dir = $self->{dir};

    return (map({ slurp($_) } glob("$dir/asan.* $dir/ubsan.*")),
            grep { /ERROR: \w+Sanitizer|runtime error:/ }
            map { split /\n/, slurp($_) } glob("$dir/logic*.log $dir/job*.log"));
}


# Redis, by its own protocol; undef: away

sub redis {
    my ($self, @args) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/redis.sock")
        or return undef;

    print $socket join '', '*' . @args . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @args;

    return reply($socket);
}


sub reply {
    my ($socket) = @_;
    my $line = <$socket>;

    return undef unless defined $line;
    $line =~ s/\r\n\z//;
    my ($type, $rest) = $line =~ /\A(.)(.*)\z/;

    return $rest if $type =~ /[-+:]/;
    return [ map { reply($socket) } 1 .. $rest ] if $type eq '*';
    return undef if $rest < 0;
    read $socket, my $bytes, $rest + 2;

    return substr $bytes, 0, $rest;
}


sub keys {
    my ($self, $match) = @_;
    my ($cursor, @keys) = (0);

    do {
        my $answer = $self->redis('SCAN', $cursor, 'MATCH', $match, 'COUNT',
                                  1000) or return ();
        $cursor = $answer->[0];
        push @keys, @{$answer->[1]};
    } while ($cursor);

    return @keys;
}


# One request to a node, on a connection that is kept: (status, body, head);
# status 0: no answer.
sub http {
    my ($self, $n, $method, $path, $body) = @_;
    my $socket = delete $self->{kept}{$n};
    my $end = time() + 20;
    my $bytes = '';

    $socket ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{port} + $n - 1, Timeout => 5)
        or return (0, '', '');

    $body = '' unless defined $body;
    syswrite $socket, "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body" or return (0, '', '');

    while (time() < $end) {
        IO::Select->new($socket)->can_read($end - time()) or last;
        sysread($socket, $bytes, 65536, length $bytes) or last;

        next unless $bytes =~ /\A(.*?)\r\n\r\n(.*)\z/s;
        my ($head, $rest) = ($1, $2);
        my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)};

        if ($head =~ /^Content-Length: (\d+)/mi) {
            next if length $rest < $1;

        } elsif ($head =~ /^Transfer-Encoding: chunked/mi) {
            next unless $rest =~ /(?:\A|\r\n)0\r\n\r\n\z/;
            my $out = '';
            while ($rest =~ s/\A([0-9a-fA-F]+)\r\n//) {
                my $len = hex $1 or last;
                $out .= substr $rest, 0, $len, '';
                $rest =~ s/\A\r\n//;
            }
            $rest = $out;
        }

        $self->{kept}{$n} = $socket if $head !~ /^Connection: close/mi;
        return ($status, $rest, $head);
    }

    return (0, '', '');
}


sub children {
    my ($pid) = @_;

    return defined $pid ? split(' ', slurp("/proc/$pid/task/$pid/children"))
                        : ();
}


sub until_true {
    my ($limit, $code) = @_;
    my $end = time() + $limit;

    while (1) {
        return 1 if $code->();
        return 0 if time() > $end;
        sleep(0.05);
    }
}


1;
