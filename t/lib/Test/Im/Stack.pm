# Copyright (C) The im authors
#
# The whole service in a folder of its own: a private Redis, some im_logic, some
# im_job, some nginx nodes, each of which can be started, stopped and killed
# while the others go on.  `make run`, the tests and bench/ start it by this:
# in Perl, or as a process, t/stack.

package Test::Im::Stack;

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Path ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::Im::Process qw(handles);
use Test::Im::Redis;

my $Top = Cwd::abs_path(dirname(__FILE__) . '/../../../..');

# seconds; how long matters only where what is waited for never comes
my $Limit = 60;


# build        folder of the programs, where it isn't IM_BUILD or build/
# dir          folder of the stack; without it, a new one, which end() removes
# address, port   of the first node; each other one has the next port
# nodes, logics, jobs   their names: nginx, or nginx1 ... where there are several
# logics_of    { NODE => [ LOGIC ] }: where a node asks not all of them
# workers, drain, level   of nginx.conf.example, where it has another value
# connections, backlog, access   the same; access => 0: no access log
# example, edit   another file of conf/, and code that changes more of it: it gets
#              the name of the node, and the text is $_
# text         instead of such a file
# rules        instead of the example's im_room, im_inbox and im_broadcast
# main, http, server   more lines; those of server precede its locations
# pages, compat   folder of pages, and the four ports of im-compat.conf
# redis, logic, job   options more of redis-server, im_logic and im_job
# redis_kind   replicas, sentinel or cluster: Redis is these servers and not one
#              alone; redis_set has more options of Test::Im::Redis, and $stack->{set}
#              is that
# key          one of im_logic's keys, where its options ask for one
# link         how all reach Redis, where not by its unix socket: the words of
#              im_redis
# env          { PROGRAM => { NAME => VALUE } }
sub new {
    my ($class, %args) = @_;
    my $self = bless {
        build => $ENV{IM_BUILD} || "$Top/build", address => '127.0.0.1', workers => 2,
        example => 'nginx.conf.example', nodes => [ 'nginx' ], logics => [ 'logic' ], jobs => [ 'job' ],
        drain => '0',
        level => 'notice', connections => 8192, access => 1,
        main => '', http => '', server => '', appendfsync => 'everysec',
        %args, owner => $$, pids => {}, kept => {},
    }, $class;

    $self->{port} ||= ports();
    $self->{temporary} = !$self->{dir};
    $self->{dir} ||= File::Temp::tempdir('im-stack-XXXXXX', TMPDIR => 1);
    $self->{build} = Cwd::abs_path($self->{build});

    File::Path::make_path("$self->{dir}/redis");
    chmod 0700, $self->{dir};
    $self->{set} = Test::Im::Redis->new(kind => $self->{redis_kind},
                                        dir => "$self->{dir}/redis",
                                        %{$self->{redis_set} || {}})
        if $self->{redis_kind};
    $ENV{PATH} .= ':/usr/sbin:/sbin' if $ENV{PATH} !~ m{/usr/sbin};
    $self->{nginx} = $ENV{TEST_NGINX_BINARY} || 'nginx';
    $self->preload if $ENV{IM_PRELOAD};

    return $self;
}


# The sanitizers of a module in a stock nginx; their findings are files.
sub preload {
    my ($self) = @_;
    my $dir = $self->{dir};

    spew("$dir/nginx.sh", "#!/bin/sh\nexec env "
         . "LD_PRELOAD=\"$ENV{IM_PRELOAD} \$LD_PRELOAD\" "
         . "ASAN_OPTIONS=\"detect_leaks=0:abort_on_error=1:"
         . "log_path='$dir/asan'\" "
         . "UBSAN_OPTIONS=\"halt_on_error=1:log_path='$dir/ubsan'\" "
         . "$self->{nginx} \"\$@\"\n");
    chmod 0755, "$dir/nginx.sh";
    $self->{nginx} = "$dir/nginx.sh";
}


# configuration

# The folder of a node: its own where it has a number.
sub node {
    my ($self, $name) = @_;

    return $name =~ /\d\z/ ? "$self->{dir}/$name" : $self->{dir};
}


# What all but this connect to, as words of im_redis and --redis.
sub link {
    my ($self) = @_;

    return $self->{link} ? split ' ', $self->{link}
         : $self->{set} ? $self->{set}->words
         : "unix:$self->{dir}/redis.sock";
}


# The same for the daemons: a word may have blanks in it.
sub option {
    my ($self) = @_;
    my @words = $self->link;

    return '--redis=' . join '', map { "\n$_" } @words if grep { /\s/ } @words;
    return "--redis=@words";
}


# Which port a node listens on.
sub port {
    my ($self, $name) = @_;
    my ($n) = $name =~ /(\d*)\z/;

    return $self->{port} + ($n || 1) - 1;
}


# conf/nginx.conf.example with what this stack has otherwise.
sub conf {
    my ($self, $name) = @_;
    my ($dir, $node) = ($self->{dir}, $self->node($name));
    my $listen = $self->{listen}
        || "listen $self->{address}:" . $self->port($name);
    my $logics = join "\n        ",
        map { "server \"unix:$dir/$_.sock\" max_fails=0;" }
        @{$self->{logics_of}{$name} || $self->{logics}};
    my $temp = join '', map { "    ${_}_temp_path \"$node/tmp/$_\";\n" }
        qw(client_body proxy fastcgi uwsgi scgi);
    my $rules = $self->{rules};
    my $env = join '', map { "env $_;\n" } qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS IM_CLOCK);

    $listen .= " backlog=$self->{backlog}" if $self->{backlog};

    local $_ = defined $self->{text} ? $self->{text}
                                     : slurp("$Top/conf/$self->{example}");

    s{^load_module .*}{-e "$self->{build}/ngx_im_module.so"
        ? "load_module \"$self->{build}/ngx_im_module.so\";" : ''}me;
    s{^user .*\n}{$> == 0 ? "user root;\n" : ''}me;
    # a new binary has the sanitizers and the clock, too
    s{^(worker_processes) .*\n}{$1 $self->{workers};\n$env$self->{main}}m;
    s{(worker_connections) \d+}{$1 $self->{connections}};
    s{^(error_log .*) notice;}{$1 $self->{level};}m;
    s{^(    access_log) .*}{$1 off;}m unless $self->{access};
    s{server unix:/run/im/logic.sock max_fails=0;}{$logics};
    s{127.0.0.1:6379}{join ' ', map { "\"$_\"" } $self->link}e;
    s{(?<=\s)/(?:run|var/log/nginx)/([\w.]+)}{"$node/$1"}g;
    s{comet-1}{$name} if $name =~ /\d/;
    s{^ +im_(room|inbox|broadcast)\b.*\n}{}mg if defined $rules;
    s{^ +default_type .*\n}{$& . "    im_drain $self->{drain};\n$temp"
      . ($rules || '') . $self->{http}}me;
    s{^ +\# include .*im-compat.conf;\n}{$self->compat}me;
    s{^( +)listen (?:127.0.0.1:)?8080;\n}{$1$listen;\n$self->{server}}m;
    s{/usr/share/im/web}{"$Top/web"};
    s{/usr/share/doc/im/docs/}{"$Top/docs/"};
    s{include im_params}{include "$Top/conf/im_params"}g;

    $self->{edit}->($name) if $self->{edit};

    File::Path::make_path("$node/tmp");
    spew("$node/nginx.conf", $_);
}


# The four ports, without those that the first node serves itself.
sub compat {
    my ($self) = @_;
    my @ports = @{$self->{compat} || []} or return '';
    my @built_in = (1999, 8911, 6921, 8080);
    my $pages = $self->{pages};

    my ($intro, @servers) = split /^(?=server \{)/m,
        slurp("$Top/conf/im-compat.conf.example");

    for my $server (@servers) {
        my ($port) = $server =~ /listen 127\.0\.0\.1:(\d+);/;
        my ($i) = grep { $built_in[$_] == $port } 0 .. 3;

        $server =~ s{127\.0\.0\.1:$port}{$self->{address}:$ports[$i]};
        $server = '' if $ports[$i] == $self->{port} || $i == 0 && !$pages;
    }

    local $_ = join '', @servers;

    s{/usr/share/im/pages}{"$pages"} if $pages;
    s{include im_params}{include "$Top/conf/im_params"}g;
    spew("$self->{dir}/im-compat.conf", $_);

    $self->{server} .= "        listen $self->{address}:$ports[0];\n"
        if !$pages && $ports[0] != $self->{port}
           && $self->{server} !~ /:$ports[0];/;

    return "    include \"$self->{dir}/im-compat.conf\";\n";
}


# processes, by name: redis, logic or logic1 logic2 ..., job ..., nginx ...; where
# Redis is a set of servers, redis is all of it, and {set} has operations on each

sub all {
    my ($self) = @_;

    return ('redis', @{$self->{logics}}, @{$self->{jobs}}, @{$self->{nodes}});
}


sub start {
    my ($self, @names) = @_;

    for my $name (@names) {
        my ($kind) = $name =~ /\A(redis|logic|job|nginx)\d*\z/
            or die "$name?\n";

        if ($kind eq 'redis' && $self->{set}) {
            $self->{set}->start;
            next;
        }

        die "$name runs already\n" if $self->{pids}{$name};
        $self->can("start_$kind")->($self, $name);
    }

    return 1;
}


sub start_redis {
    my ($self, $name) = @_;
    my $dir = $self->{dir};

    unlink "$dir/redis.sock";
    $self->run($name, 'redis-server', '--port', 0, '--unixsocket',
               "$dir/redis.sock", '--unixsocketperm', 700, '--dir',
               "$dir/redis", '--save', '', '--appendonly', 'yes',
               '--appendfsync', $self->{appendfsync}, '--maxmemory-policy',
               'noeviction', '--client-output-buffer-limit',
               'pubsub 256mb 64mb 60', '--repl-backlog-ttl', 0,
               @{$self->{redis} || []});
    $self->await($name, sub { ($self->redis('PING') || '') eq 'PONG' });
}


sub start_logic {
    my ($self, $name) = @_;
    my $dir = $self->{dir};

    # nginx's workers have this user, and so this group
    $self->run($name, "$self->{build}/im_logic", $self->option,
               "--fcgi=unix:$dir/$name.sock", '--socket-group=' . ($) + 0),
               @{$self->{logic} || []});
    $self->await($name, sub { IO::Socket::UNIX->new("$dir/$name.sock") });
}


sub start_job {
    my ($self, $name) = @_;

    $self->run($name, "$self->{build}/im_job", $self->option,
               @{$self->{job} || []});
}


sub start_nginx {
    my ($self, $name) = @_;
    my $node = $self->node($name);

    $self->conf($name);
    unlink "$node/nginx.pid";
    $self->run($name, $self->nginx($name), '-g', 'daemon off;');
    # a signal that comes before it waits for some would be left for the next one
    $self->await($name, sub { children($self->pid($name)) });
}


# As a daemon: its binary can be upgraded then.  The command may end before the
# pid is written.
sub daemon {
    my ($self, $name) = @_;

    $self->conf($name);
    unlink $self->node($name) . '/nginx.pid';
    system($self->nginx($name), '-g', 'daemon on;') == 0
        or die "$name doesn't start\n";
    until_true($Limit, sub { $self->pid($name) }) or die "$name has no pid\n";

    return $self->started($name, $self->pid($name));
}


# What a pid file says, or with '.oldbin' that of the binary before; or 0.
sub pid {
    my ($self, $name, $suffix) = @_;
    my $file = $self->node($name) . '/nginx.pid' . ($suffix // '');

    return -s $file && slurp($file) =~ /(\d+)/ ? $1 : 0;
}


# The command of a node.
sub nginx {
    my ($self, $name) = @_;
    my $node = $self->node($name);

    return ($self->{nginx}, '-p', "$node/", '-c', "$node/nginx.conf", '-e',
            "$node/error.log");
}


# In a process group of its own: Ctrl-C reaches the stack alone, which ends its
# processes in order.  What they write, such as Redis' files with tokens in them,
# is for their user alone.
sub run {
    my ($self, $name, @command) = @_;
    my $pid = fork();

    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        POSIX::setpgid(0, 0);
        umask 077;
        open(STDOUT, '>>', "$self->{dir}/$name.log");
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        %ENV = (%ENV, %{$self->{env}{$name} || {}});
        exec(@command) or POSIX::_exit(127);
    }

    return $self->started($name, $pid);
}


# It is the leader of a process group, as daemons are, too.
sub started {
    my ($self, $name, $pid) = @_;

    $self->{groups}{$pid} = 1;

    return $self->{pids}{$name} = $pid;
}


# Waits until the code is true; dies when a process has ended.
sub await {
    my ($self, $name, $code) = @_;
    my $broken;

    until_true($Limit, sub { ($broken = $self->ended) || $code->() })
        or die $self->why($name, "doesn't answer");
    die $self->why($broken, 'has ended') if $broken;
}


# The name of a process that has ended by itself.
sub ended {
    my ($self) = @_;

    for my $name (grep { $self->{pids}{$_} } $self->all) {
        next if waitpid($self->{pids}{$name}, POSIX::WNOHANG()) == 0;
        delete $self->{pids}{$name};

        return $name;
    }

    return $self->{set} && $self->{set}->ended;
}


sub why {
    my ($self, $name, $what) = @_;
    my @lines = (split(/^/, slurp("$self->{dir}/$name.log")),
                 $name =~ /nginx/ ? grep { /\[emerg\]/ }
                 split(/^/, slurp($self->node($name) . '/error.log')) : ());

    @lines = @lines[-5 .. -1] if @lines > 5;

    return "$name $what; the end of $name.log:\n" . join '', @lines;
}


sub signal {
    my ($self, $signal, @names) = @_;

    for my $name (@names) {
        if ($name eq 'redis' && $self->{set}) {
            $self->{set}->signal($signal, $self->{set}->running);
            next;
        }

        my $pid = $self->{pids}{$name} or die "$name doesn't run\n";
        kill $signal, $pid;
    }
}


sub stop {
    my ($self, $signal, @names) = @_;

    for my $name (@names) {
        if ($name eq 'redis' && $self->{set}) {
            my @all = $self->{set}->running;
            $signal eq 'KILL' ? $self->{set}->crash(@all)
                              : $self->{set}->stop(@all);
            next;
        }

        my $pid = delete $self->{pids}{$name} or die "$name doesn't run\n";
        my @workers = $signal eq 'KILL' ? children($pid) : ();

        until_true($Limit, sub { handles($pid, $signal) }) if $signal ne 'KILL';
        kill $signal, $pid, @workers;

        until_true($Limit, sub { waitpid($pid, POSIX::WNOHANG()) != 0 })
            or die "$name doesn't end\n";
        die "$name ended with $?\n" if $signal ne 'KILL' && $? != 0;
    }

    return 1;
}


# Stops all in the order in which work flows, so that no work is lost; returns
# what did not end well.
sub stop_all {
    my ($self) = @_;
    my @faults;

    for my $name (reverse $self->all) {
        if ($name eq 'redis' && $self->{set}) {
            push @faults, $@ unless eval { $self->stop('TERM', 'redis') };
            next;
        }

        my $pid = $self->{pids}{$name} or next;
        my @all = ($pid, children($pid));

        next if eval { $self->stop($name =~ /nginx/ ? 'QUIT' : 'TERM', $name) };

        push @faults, $@;
        kill 'KILL', @all;
        waitpid($pid, 0);
    }

    return @faults;
}


# Of a name: one, or those of a set.
sub pids {
    my ($self, $name) = @_;

    return $name eq 'redis' && $self->{set} ? values %{$self->{set}{pids}}
                                            : $self->{pids}{$name};
}


# The workers of a node, by pid.
sub workers {
    my ($self, $name) = @_;

    return children($self->{pids}{$name});
}


# kill -9 of that worker, or of the newest; waits for its successor
sub kill_worker {
    my ($self, $name, $pid) = @_;
    my %before = map { $_ => 1 } $self->workers($name);

    kill 'KILL', $pid || (sort { $b <=> $a } keys %before)[0];

    return until_true($Limit, sub { grep { !$before{$_} } $self->workers($name) })
        || die "no new worker\n";
}


sub reload {
    my ($self, $name) = @_;
    my %before = map { $_ => 1 } $self->workers($name);

    $self->signal('HUP', $name);

    until_true($Limit, sub { grep { !$before{$_} } $self->workers($name) })
        or die "no new workers\n";
}


# Pushes are accepted by each node that runs.
sub ready {
    my ($self) = @_;

    return until_true($Limit, sub {
        for my $name (grep { $self->{pids}{$_} } @{$self->{nodes}}) {
            my $n = $self->port($name) - $self->{port} + 1;
            my ($status) = $self->http($n, 'POST', '/im/push',
                                       '{"rooms":["_ready"],"data":0}');
            return 0 if $status != 200;
            my ($code, $body) = $self->http($n, 'GET', '/im/status');
            return 0 if $code != 200 || $body =~ /"link":"down"/;
        }

        return 1;
    });
}


# Each is ended by its own pid; what failed keeps its logs.
sub end {
    my ($self, $passed) = @_;

    return if $$ != $self->{owner} || $self->{over}++;

    # workers may have lost their master, or it may be starting another one
    my @pids = grep { $_ } values %{$self->{pids}};
    kill 'KILL', @pids, map { -$_ } keys %{$self->{groups}};
    waitpid($_, 0) for @pids;

    $self->{pids} = {};
    $self->{set}->end(1) if $self->{set};

    if ($passed) {
        system('rm', '-rf', $self->{dir}) if $self->{temporary};
    } else {
        print STDERR "# logs are in $self->{dir}\n";
    }
}


sub alerts {
    my ($self) = @_;

    return grep { /\[(?:alert|emerg)\]/ && !/exited on signal 9/ }
        map { split /\n/, slurp($self->node($_) . '/error.log') }
        @{$self->{nodes}};
}


sub findings {
    my ($self) = @_;
    my $dir = $self->{dir};

    return (map({ slurp($_) } glob("$dir/asan.* $dir/ubsan.*")),
            grep { /ERROR: \w+Sanitizer|runtime error:/ }
            map { split /\n/, slurp($_) } glob("$dir/logic*.log $dir/job*.log"),
            map { $self->node($_) . '/error.log' } @{$self->{nodes}});
}


# Redis, by its own protocol; undef: away.  Of a set, the master of the key
# that comes first, or all masters, and then the answer is the last one's.

sub redis {
    my ($self, @args) = @_;

    return $self->{set}->any(@args) if $self->{set};

    my $socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/redis.sock")
        or return undef;

    local $SIG{PIPE} = 'IGNORE';
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

    return $self->{set}->all_keys($match) if $self->{set};

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
    my $end = time() + $Limit;
    my $bytes = '';

    $socket ||= IO::Socket::INET->new(PeerAddr => $self->{address},
        PeerPort => $self->{port} + $n - 1, Timeout => $Limit)
        or return (0, '', '');

    # a kept one may have been closed
    local $SIG{PIPE} = 'IGNORE';
    my $key = defined $self->{key} ? "X-API-Key: $self->{key}\r\n" : '';

    $body = '' unless defined $body;
    syswrite $socket, "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . "${key}Content-Type: application/json\r\nContent-Length: "
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
