# Copyright (C) The im authors
#
# What the tests of im add to Test::Nginx::Socket, by what that exports alone:
# scenarios of WebSocket clients, pushes and kills (section "websocket", one TAP
# result a step), and a private Redis, im_logic and im_job for each block that
# has a "config" and needs them.  The steps are listed in t/README.md.

package Test::Im;

use strict;
use warnings;

use Cwd ();
use Encode ();
use File::Temp ();
use IO::Handle;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::Builder;
use Test::Im::Cert qw(certificates);
use Test::Im::Client;
use Test::Im::Deflate qw(pack_message unpack_message);
use Test::Im::File qw(slurp spew);
use Test::Im::Jwt;
use Test::Im::Metrics ();
use Test::Im::Ports qw(ports);
use Test::Im::Process qw(handles);
use Test::Im::Protobuf ();
use Test::Im::Stream;
use Test::Im::Tag qw(tags);
use List::Util ();
use Time::HiRes ();

our @EXPORT = qw(hex_frame no_handover);

my ($Top, $Build, $Dir, $Owner, $Base, $Passed, %Pids);

# the harness reads these when it is loaded, so .t files load it after this
BEGIN {
    die "use Test::Im comes before use Test::Nginx::Socket\n"
        if $INC{'Test/Nginx/Socket.pm'};

    $Top = Cwd::cwd();
    push @INC, "$Top/t/stub";       # where the real harness isn't installed
    $Build = $ENV{IM_BUILD} || "$Top/build";
    $Dir = File::Temp::tempdir('im-test-XXXXXX', TMPDIR => 1, CLEANUP => 0);
    $Owner = $$;
    $Base = ports();
    $ENV{TEST_NGINX_PORT} = $Base;
    $ENV{TEST_NGINX_SERVROOT} = "$Dir/servroot";
    $ENV{TEST_NGINX_IM_MODULE} = "$Build/ngx_im_module.so";
    # without it, the module is a part of nginx
    $ENV{TEST_NGINX_LOAD_MODULES} = -e $ENV{TEST_NGINX_IM_MODULE}
        ? $ENV{TEST_NGINX_IM_MODULE} : ' '
        unless $ENV{TEST_NGINX_LOAD_MODULES};
}

# this stands above the END of the harness, so it runs after that
END {
    if ($$ == $Owner) {
        my $status = $?;
        kill 'KILL', $_ for grep { $_ } values %Pids;
        system("rm -rf $Dir") if $Passed && $status == 0;
        $? = $status;
    }
}

use Test::Nginx::Socket ();

my $Json = JSON::PP->new->canonical->allow_nonref;
my $Limit = $ENV{TEST_NGINX_IM_TIMEOUT} || 45;     # of any one step
my $Test = Test::Builder->new;

my $No_handover;
my (%Ended, %Started, %Clients, %Saved, @Crowd, @Asked, @Channels, $Began);
my $Logged = 0;             # bytes of error.log when the block began
my $Ready;                  # pushes are accepted
my $Cluster = ($ENV{IM_TEST_REDIS} || '') eq 'cluster';     # of one server

$ENV{TEST_NGINX_IM_TLS} = $Base + 1;
$ENV{TEST_NGINX_IM_PORT2} = $Base + 2;
$ENV{TEST_NGINX_IM_REDIS_PORT} = $Base + 4;
$ENV{TEST_NGINX_IM_REDIS} = $Cluster
    ? "cluster 127.0.0.1:$ENV{TEST_NGINX_IM_REDIS_PORT}"
    : "unix:$Dir/redis.sock";
$ENV{TEST_NGINX_IM_LOGIC} = "unix:$Dir/logic.sock";
$ENV{TEST_NGINX_IM_HTTP} = $Base + 3;
$ENV{TEST_NGINX_IM_HTTP2} = $Base + 5;
$ENV{TEST_NGINX_IM_REPLICA} = $Base + 7;
$ENV{TEST_NGINX_IM_REPLICA2} = $Base + 8;
$ENV{TEST_NGINX_IM_DIR} = $Dir;
$ENV{TEST_NGINX_IM_CERT} = "$Dir/cert.pem";
$ENV{TEST_NGINX_IM_KEY} = "$Dir/key.pem";
$ENV{TEST_NGINX_IM_CERTS} = "$Dir/certs";
$ENV{TEST_NGINX_IM_TOP} = $Top;
$ENV{TEST_NGINX_IM_NCHAN} = '/usr/lib/nginx/modules/ngx_nchan_module.so';
$ENV{TEST_NGINX_IM_KEYS} = "$Dir/keys";

chmod 0755, $Dir;
Test::Im::Jwt::folder("$Dir/keys");
preload() if $ENV{IM_PRELOAD};

# shared by all files: the level at which the module logs the end of a session
Test::Nginx::Socket::log_level('info');
Test::Nginx::Socket::no_shuffle();
Test::Nginx::Socket::no_long_string();
Test::Nginx::Socket::timeout($Limit);
Test::Nginx::Socket::worker_connections(512);
Test::Nginx::Socket::add_block_preprocessor(\&prepare);
Test::Nginx::Socket::add_response_body_check(\&scenario);
Test::Nginx::Socket::add_cleanup_handler(\&clean);


sub import {
    no strict 'refs';
    my $caller = caller;
    *{"${caller}::$_"} = \&$_ for @EXPORT;
}


# For raw_request and the like: the bytes of a masked frame, in hex.
sub hex_frame {
    return unpack 'H*', Test::Im::Client::frame(@_);
}


# The sanitizers of a module in a stock nginx; their findings are files.
sub preload {
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

    spew("$Dir/nginx", <<SCRIPT);
#!/bin/sh
exec env LD_PRELOAD="$ENV{IM_PRELOAD}" \\
    ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$Dir/asan \\
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=$Dir/ubsan \\
    $nginx "\$@"
SCRIPT
    chmod 0755, "$Dir/nginx";
    $ENV{TEST_NGINX_BINARY} = "$Dir/nginx";
}


# blocks

sub prepare {
    my ($block) = @_;
    my $config = $block->config;
    my $http = $block->http_config;
    my $both = (defined $config ? $config : '') . (defined $http ? $http : '');

    $Logged = defined $config ? 0 : length slurp(error_log());

    if (defined $config) {
        my $services = $block->services;

        if (!defined $services) {
            $services = $both =~ /protocol=(?!echo)\w|\bim_logic\b/
                && !defined $block->must_die ? 'redis logic job' : '';
        }

        # it would tell the next one's Redis of its rules
        stop_nginx();
        sanitizers('nginx', error_log());

        stop_all();
        certificate() if $both =~ /TEST_NGINX_IM_CERT\b/;
        certificates($ENV{TEST_NGINX_IM_CERTS})
            if $both =~ /TEST_NGINX_IM_CERTS\b/;
        Test::Im::Jwt::keys_in($both);
        $config =~ s/\binclude im_params;/include "$Top\/conf\/im_params";/g;
        $block->set_value(config => "$config\n"
                          . "location = /_ready { return 204; }\n");
        $block->set_value(http_config =>
                          http_config($both, $http, $services, defined $block->deadlines))
            unless defined $block->must_die;

        for my $service (split ' ', $services) {
            start($service);
            next if $service ne 'redis';
            redis(words($_)) for split /\n/, $block->redis || '';
        }

        tokens($block->tokens) if defined $block->tokens;
        $Ready = $services =~ /logic/ ? 0 : 1;
    }

    if (defined $block->websocket && !defined $block->request
        && !defined $block->raw_request)
    {
        $block->set_value(request => 'GET /_ready');
        $block->set_value(error_code => 204);
    }
}


sub stop_nginx {
    my $file = Test::Nginx::Socket::server_root() . '/logs/nginx.pid';
    my ($pid) = slurp($file) =~ /(\d+)/ or return;
    my @pids = ($pid, children($pid));

    for my $signal (qw(QUIT TERM KILL)) {
        kill $signal, $signal eq 'KILL' ? @pids : $pid;
        return if until_true($Limit, sub { !grep { alive($_) } @pids });
        $Test->diag("nginx ($pid) ignores SIG$signal");
    }
}


# Sessions don't move in a reload: they drain.
sub no_handover {
    $No_handover = 1;
}


sub http_config {
    my ($both, $http, $services, $deadlines) = @_;
    my $add = '';

    $http = '' unless defined $http;

    # the turn of a client may come only minutes later
    if (!$deadlines && $both =~ /\bim_(?:comet|listen)\b/) {
        $add .= "im_ping 1000s timeout=2000s;\n" if $http !~ /^\s*im_ping\b/m;
        $add .= "im_limit auth_timeout=1000s;\n" if $http !~ /\bauth_timeout=/;
    }

    if ($both =~ /\bim_logic\b/ && $both !~ /upstream\s+im_logic/) {
        my $second = $services =~ /\blogic2\b/
            ? " server unix:$Dir/logic2.sock max_fails=0;" : '';
        $add .= "upstream im_logic { server "
            . "$ENV{TEST_NGINX_IM_LOGIC} max_fails=0;"
            . "$second keepalive 8; }\n";
    }

    $add .= "im_handover off;\n"
        if $No_handover && $both =~ /\bim_(?:comet|listen)\b/
           && $both !~ /^\s*im_handover\b/m;

    # a test that quits nginx or reloads it doesn't want to wait
    $add .= "im_drain 0;\n" if $both !~ /^\s*im_drain\b/m;

    if ($both =~ /protocol=(?!echo)\w|\bim_emulation\b/) {
        $add .= "im_redis $ENV{TEST_NGINX_IM_REDIS};\n"
            unless $both =~ /^\s*im_redis\b/m;
        $add .= "im_node test-1;\n" unless $both =~ /^\s*im_node\b/m;
        $add .= "im_io_uring $ENV{IM_TEST_IO_URING};\n"
            if $ENV{IM_TEST_IO_URING};

        unless ($both =~ /^\s*im_room\b/m) {
            $add .= "im_room * history=1000 ttl=1h;\n"
                . "im_inbox history=1000 ttl=1h;\n"
                . "im_broadcast history=1000 ttl=1h;\n";
        }
    }

    return $add . $http;
}


sub certificate {
    return if -e $ENV{TEST_NGINX_IM_CERT};

    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
           . "-subj /CN=localhost -keyout $ENV{TEST_NGINX_IM_KEY} "
           . "-out $ENV{TEST_NGINX_IM_CERT} > /dev/null 2>&1") == 0
        or die "openssl can't make a certificate\n";
}


sub tokens {
    my ($text) = @_;

    for my $line (split /\n/, $text) {
        my ($token, $user, $name, $rooms) = split ' ', $line or next;
        my @fields = (UserId => $user, UserName => $name);
        push @fields, Rooms => $rooms if defined $rooms;
        redis('HSET', "im_$token", @fields);
    }
}


# processes

# NAME.sock and a port; a replica gets its copy at once.
sub redis_server {
    my ($name, $port, $dir, @more) = @_;

    return ('redis-server', '--port', $port,
            '--bind', '127.0.0.1', '--unixsocket', "$Dir/$name.sock",
            '--dir', $dir, '--save', '', '--appendonly', 'yes',
            '--appendfsync', 'always',
            '--client-output-buffer-limit', 'pubsub 256mb 64mb 60',
            '--repl-backlog-ttl', '0', '--repl-diskless-sync-delay', '0',
            '--maxmemory-policy', $ENV{TEST_NGINX_IM_POLICY} || 'noeviction',
            @more);
}


# It has nothing at first; the argument is its master's port.
sub replica {
    my ($name, $port, $master) = @_;

    system("rm -rf $Dir/$name.d");
    mkdir "$Dir/$name.d";

    return redis_server($name, $port, "$Dir/$name.d", '--replicaof',
        '127.0.0.1', $master || $ENV{TEST_NGINX_IM_REDIS_PORT});
}


# Passwords are hashed at the lowest priority: on a busy machine an expensive
# one takes longer than nginx waits.
sub cheap {
    return @_ if grep { /^--hash-cost=/ } @_;
    return ('--hash-cost=1', @_);
}


my %Commands = (
    redis => sub {
        return redis_server('redis', $ENV{TEST_NGINX_IM_REDIS_PORT}, $Dir,
            !$Cluster ? () :
            ('--cluster-enabled', 'yes', '--cluster-port', $Base + 6,
             '--cluster-require-full-coverage', 'no'));
    },
    replica => sub {
        return replica('replica', $ENV{TEST_NGINX_IM_REPLICA}, @_);
    },
    replica2 => sub {
        return replica('replica2', $ENV{TEST_NGINX_IM_REPLICA2}, @_);
    },
    logic => sub {
        return ("$Build/im_logic", "--redis=$ENV{TEST_NGINX_IM_REDIS}",
                "--fcgi=$ENV{TEST_NGINX_IM_LOGIC}",
                "--http=127.0.0.1:$ENV{TEST_NGINX_IM_HTTP}", cheap(@_));
    },
    logic2 => sub {
        my @words = grep { !/^-/ } @_;          # of --redis

        return ("$Build/im_logic",
                "--redis=@{[ $ENV{TEST_NGINX_IM_REDIS}, @words ]}",
                "--fcgi=unix:$Dir/logic2.sock",
                "--http=127.0.0.1:$ENV{TEST_NGINX_IM_HTTP2}",
                cheap(grep { /^-/ } @_));
    },
    job => sub {
        return ("$Build/im_job", "--redis=$ENV{TEST_NGINX_IM_REDIS}", @_);
    },
    job2 => sub {
        return ("$Build/im_job", "--redis=$ENV{TEST_NGINX_IM_REDIS}", @_);
    },
    nginx2 => sub {
        return ($ENV{TEST_NGINX_BINARY} || 'nginx', '-p', "$Dir/node2/",
                '-c', "$Dir/node2/nginx.conf", '-e',
                "$Dir/node2/error.log", '-g', 'daemon off;');
    },
);


sub start {
    my ($name, @args) = @_;
    my $command = $Commands{$name} or die "no program \"$name\"\n";

    die "$name runs already\n" if $Pids{$name};
    node2(splice @args) if $name eq 'nginx2';

    delete $Ended{$name};

    my @command = $command->(@args);
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>>', "$Dir/$name.log");
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        POSIX::setpgid(0, 0);
        exec(@command) or POSIX::_exit(127);
    }

    $Pids{$name} = $pid;
    $Started{$name} = 1;

    if ($name eq 'redis') {
        until_true($Limit, sub {
            my $answer = eval { redis('PING') };
            defined $answer && $answer eq 'PONG';
        }) or die "redis doesn't answer: " . slurp("$Dir/redis.log") . "\n";

        all_slots() if $Cluster;
    }

    if ($name =~ /\Alogic/) {
        until_true($Limit, sub {
            IO::Socket::UNIX->new("$Dir/$name.sock") || ended($name, $pid);
        }) or die "$name doesn't listen\n";
    }

    if ($name eq 'nginx2') {
        until_true($Limit, sub {
            IO::Socket::INET->new("127.0.0.1:$ENV{TEST_NGINX_IM_PORT2}")
                || waitpid($pid, POSIX::WNOHANG()) != 0;
        }) or die "$name doesn't listen\n";
    }

    return 1;
}


# The server is a cluster by itself, two seconds after its start.
sub all_slots {
    redis(qw(CLUSTER ADDSLOTSRANGE 0 16383))
        unless redis(qw(CLUSTER INFO)) =~ /^cluster_slots_assigned:16384\r$/m;

    until_true($Limit, sub {
        redis(qw(CLUSTER INFO)) =~ /^cluster_state:ok\r$/m;
    }) or die "redis has no slots\n";
}


# What a program asked for, and only a server alone would do.
sub slots_kept {
    my $stats = eval { redis(qw(INFO errorstats)) } || '';

    $Test->ok(0, "redis in a cluster: $1")
        if $stats =~ /^errorstat_(CROSSSLOT:\N*|MOVED:\N*|ERR_\w*slot\w*:\N*)/m;
}


# By itself; its status is kept for the step that asks.
sub ended {
    my ($name, $pid) = @_;

    $Ended{$name} = $? if waitpid($pid, POSIX::WNOHANG()) > 0;

    return defined $Ended{$name};
}


# A second node with the configuration of the first, on another port.
sub node2 {
    my $node = $_[0] || 'test-2';
    my $root = Test::Nginx::Socket::server_root();
    my $port = Test::Nginx::Socket::server_port();
    my $conf = slurp("$root/conf/nginx.conf");

    mkdir "$Dir/node2";
    $conf =~ s/\blisten\s+$port\b/listen $ENV{TEST_NGINX_IM_PORT2}/;
    $conf =~ s/^\s*listen \S+ ssl;$//mg;
    $conf =~ s/\bim_node test-1;/im_node $node;/;
    $conf =~ s/^daemon on;$//m;
    $conf =~ s/\Q$root\E\/logs/$Dir\/node2/g;
    spew("$Dir/node2/nginx.conf", $conf);
}


sub stop {
    my ($name, $signal) = @_;
    my $pid = delete $Pids{$name} or die "$name doesn't run\n";
    my @children = $name eq 'nginx2' ? children($pid) : ();

    slots_kept() if $Cluster && $name eq 'redis'
        && slurp("/proc/$pid/stat") !~ /\) T /;
    until_true($Limit, sub { handles($pid, $signal) }) if $signal ne 'KILL';
    kill $signal, $pid;

    if ($signal eq 'KILL') {
        kill $signal, $_ for @children;
    }

    my $ended = until_true($Limit, sub { waitpid($pid, POSIX::WNOHANG()) != 0 });
    my $status = $?;

    unless ($ended) {
        kill 'KILL', $pid, @children;
        waitpid($pid, 0);
        die "$name ignores SIG$signal\n";
    }

    unlink "$Dir/$name.sock" if $name eq 'redis';

    # when Redis answers it, it has read that connections of im_job are closed, so
    # what is pushed from now on has to wait
    eval { redis('PING') }
        if $name =~ /\Ajob/ && $Pids{redis}
           && slurp("/proc/$Pids{redis}/stat") !~ /\) T /;

    # the next test must not meet a worker at its port
    until_true($Limit, sub { !grep { alive($_) } @children });

    die sprintf("%s ended with status %d, signal %d: %s\n", $name,
                $status >> 8, $status & 127, tail("$Dir/$name.log"))
        if $signal ne 'KILL' && $status != 0;

    return 1;
}


sub stop_all {
    $_->shut for values %Clients;
    %Clients = ();

    for my $name (qw(nginx2 logic logic2 job job2 replica replica2 redis)) {
        next unless $Pids{$name};
        eval { stop($name, 'TERM') };
        $Test->ok(0, "end of $name: $@") if $@;
        sanitizers($name, output_of($name));
    }

    unlink "$Dir/logic.sock", "$Dir/logic2.sock", "$Dir/redis.sock";
    system("rm -rf $Dir/appendonlydir $Dir/nodes.conf $Dir/replica*");
    %Started = %Saved = ();
}


# Where a program writes to.  Of nginx that is the error log, stderr too.
sub output_of {
    my ($name) = @_;

    return $name eq 'nginx2' ? "$Dir/node2/error.log" : "$Dir/$name.log";
}


sub sanitizers {
    my ($name, $path) = @_;

    $Test->ok(0, "sanitizer in $name: $1")
        if slurp($path) =~ /((?:ERROR: \w+Sanitizer|runtime error:).*)/;
}


sub clean {
    return unless $$ == $Owner;

    sanitizers('nginx', error_log());
    stop_all();

    for my $file (glob("$Dir/asan.* $Dir/ubsan.*")) {
        $Test->ok(0, "sanitizer: $file") or $Test->diag(slurp($file));
    }

    $Passed = $Test->is_passing && !$ENV{TEST_NGINX_NO_CLEAN};
    $Test->diag("logs are in $Dir") unless $Passed;
}


# Redis, by its own protocol

# A space of an argument is written as \_.
sub words {
    return map { s/\\_/ /gr } split ' ', $_[0];
}


# [:PORT] COMMAND ...; of a key "im:{3}:...", 3 is a partition: it becomes the tag
# that it has.
sub redis {
    my @args = @_;
    my $port = $args[0] =~ /\A:(\d+)\z/ ? shift(@args) =~ s/://r
             : $ENV{TEST_NGINX_IM_REDIS_PORT};

    @args = tags(redis(":$port", 'GET', 'im:{reg}:conf') || '16e', @args)
        if grep { /\bim:\{\d+\}:/ } @args;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port) or die "redis: $!\n";

    print $socket join '', '*' . @args . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @args;

    return redis_reply($socket);
}


sub redis_reply {
    my ($socket) = @_;
    my $line = <$socket>;

    die "redis: no answer\n" unless defined $line;
    $line =~ s/\r\n\z//;
    my ($type, $rest) = $line =~ /\A(.)(.*)\z/;

    return $rest if $type eq '+' || $type eq ':';
    die "redis: $rest\n" if $type eq '-';

    if ($type eq '$') {
        return undef if $rest < 0;
        read $socket, my $bytes, $rest + 2;
        return substr $bytes, 0, $rest;
    }

    return join ' ', map { my $v = redis_reply($socket);
                           defined $v ? $v : 'nil' } 1 .. $rest;
}


# HTTP: (status, body, head); status 0: no answer

sub http {
    my $socket = http_send(@_) or return (0, "connect: $!", '');

    return http_recv($socket);
}


sub http_send {
    my ($port, $method, $path, $body, @headers) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => $Limit) or return;

    local $SIG{PIPE} = 'IGNORE';

    $body = '' unless defined $body;
    unshift @headers, 'Content-Type: ' . ($body =~ /\A\s*[\[{]/
                                          ? 'application/json' : 'text/plain')
        unless grep { /\AContent-Type:/i } @headers;

    syswrite $socket, join("\r\n", "$method $path HTTP/1.1",
        'Host: localhost', 'Connection: close',
        $body ne '' || $method eq 'POST'
            ? 'Content-Length: ' . length $body : (),
        @headers, '', '') . $body;

    return $socket;
}


sub http_recv {
    my ($socket) = @_;
    my $bytes = '';
    my $end = Time::HiRes::time() + $Limit;

    while (1) {
        my $left = $end - Time::HiRes::time();
        last if $left <= 0;
        IO::Select->new($socket)->can_read($left) or last;
        sysread($socket, $bytes, 65536, length $bytes) or last;
    }

    my ($head, $rest) = split /\r\n\r\n/, $bytes, 2;
    return (0, '', '') unless defined $rest;
    my ($status) = $head =~ m{\AHTTP/1\.\d (\d+)} or return (0, '', '');

    if ($head =~ /^Transfer-Encoding:.*chunked/mi) {
        my $out = '';
        while ($rest =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
            my $n = hex $1;
            last if $n == 0;
            $out .= substr $rest, 0, $n, '';
            $rest =~ s/\A\r\n//;
        }
        $rest = $out;
    }

    return ($status, $rest, $head);
}


# scenarios

my %Steps = (
    push    => \&step_push,
    http    => \&step_http,
    alike   => \&step_alike,
    raw     => \&step_raw,
    hold    => \&step_hold,
    closed  => \&step_closed,
    finish  => \&step_finish,
    same    => \&step_same,
    ask     => \&step_ask,
    answer  => \&step_answer,
    amid    => \&step_amid,
    promote => \&step_promote,
    hide    => sub { step_hide(1) },
    show    => sub { step_hide(0) },
    until   => \&step_until,
    redis   => \&step_redis,
    await   => \&step_await,
    start   => sub { start(split ' ', $_[0]) },
    stop    => sub { stop($_[0], 'TERM') },
    term    => \&step_term,
    kill    => \&step_kill,
    pause   => sub { step_pause('STOP', @_) },
    resume  => sub { step_pause('CONT', @_) },
    reload  => \&step_reload,
    edit    => \&step_edit,
    each    => \&step_each,
    knock   => \&step_knock,
    generations => \&step_generations,
    upgrade => \&step_upgrade,
    downgrade => \&step_downgrade,
    quit    => \&step_quit,
    channel => \&step_channel,
    hold_channel => sub { push @Channels, channel(@_) },
    stale   => \&step_stale,
    sockets => \&step_sockets,
    patience => \&step_patience,
    blocking => \&step_blocking,
    successor => \&step_successor,
    conf    => \&step_conf,
    log     => sub { step_log('error.log', 1, @_) },
    access  => sub { step_log('access.log', 1, @_) },
    output  => \&step_output,
    exit    => \&step_exit,
    age     => \&step_age,
    wipe    => sub { system("rm -rf $Dir/appendonlydir"); 1 },
    im_log  => sub { step_log('im.log', 1, @_) },
    logged  => \&step_logged,
    unlogged => \&step_unlogged,
    elapsed => \&step_elapsed,
    pass    => sub { Time::HiRes::sleep($_[0]); 1 },
    record  => \&step_record,
    crowd   => \&step_crowd,
    storm   => \&step_storm,
    drained => \&step_drained,
    renew   => \&Test::Im::Jwt::renew,
    jwks    => \&Test::Im::Jwt::jwks,
    logins  => \&step_logins,
    flood   => \&step_flood,
    users   => \&step_users,
    part    => \&step_part,
    clog    => \&step_clog,
    kept_out => \&step_kept_out,
    file    => \&step_file,
    running => sub {
        spew($ENV{IM_TEST_LOADAVG}, "0.10 0.10 0.10 $_[0]/1000001 1000\n");
        1;
    },
    metrics => \&step_metrics,
    moves   => \&step_moves,
    scrape  => \&step_scrape,
);

my %Verbs = (
    open        => \&client_open,
    tries       => \&client_tries,
    refused     => \&client_refused,
    answered    => \&client_answered,
    unanswered  => \&client_unanswered,
    send        => sub { $_[0]->write(frame(1, fill($_[1]))) },
    send_lines  => sub { $_[0]->write(frame(1, $_[1] =~ s/ \| /\n/gr)) },
    send_binary => sub { $_[0]->write(frame(2, $_[1])) },
    send_pb     => sub { $_[0]->write(frame(2, Test::Im::Protobuf::commands($_[1]))) },
    recv_pb     => sub { client_pb($_[0], qr/\A\Q$_[1]\E\z/) },
    like_pb     => \&client_pb,
    many_pb     => \&client_many_pb,
    send_big    => \&client_send_big,
    recv_big    => \&client_recv_big,
    frame       => \&client_frame,
    send_packed => \&client_send_packed,
    recv_packed => \&client_recv_packed,
    chop        => \&client_chop,
    raw         => sub { $_[0]->write(pack 'H*', $_[1] =~ s/\s+//gr) },
    ping        => sub { $_[0]->write(frame(9, $_[1])) },
    pong        => sub { $_[0]->write(frame(10, $_[1])) },
    recv        => \&client_recv,
    subscribe   => \&client_subscribe,
    like        => \&client_like,
    like_set    => \&client_like_set,
    recv_binary => sub { expect($_[0], 2, $_[1]) },
    recv_text   => sub { expect($_[0], 1, $_[1]) },
    recv_hex    => sub { expect($_[0], 2, pack 'H*', $_[1]) },
    recv_pong   => sub { expect($_[0], 10, $_[1]) },
    recv_ping   => \&client_recv_ping,
    silent      => \&client_silent,
    mute        => sub { $_[0]{mute} = 1 },
    close       => \&client_close,
    recv_close  => \&client_recv_close,
    eof         => \&client_eof,
    cut         => sub { $_[0]->shut; 1 },
    lived       => \&client_lived,
    burst       => \&client_burst,
    many        => \&client_many,
    rated       => \&client_rated,
    recv_set    => \&client_recv_set,
    recv_long   => \&client_recv_long,
    recv_any    => \&client_recv_any,
    stall       => sub { 1 },
    gone        => \&client_gone,
    info        => \&client_info,
    infos       => \&client_infos,
    upto        => \&client_upto,
    amid        => \&client_amid,
    get         => sub { client_stream('GET', @_) },
    post        => sub { client_stream('POST', @_) },
    event       => \&client_event,
    garbage     => sub { $_[0]->garbage(fill($_[1])) },
    half        => sub { shutdown $_[0]->{socket}, 1 },
    connect     => \&client_connect,
    login       => \&client_login,
    packet      => \&client_packet,
    cuts        => \&client_cuts,
    recv_packet => \&client_recv_packet,
    pushed      => \&client_pushed,
    pushed_set  => \&client_pushed_set,
    heartbeat   => \&client_heartbeat,
    pause       => sub { kill 'STOP', $_[0]->{pid} },
    resume      => sub { kill 'CONT', $_[0]->{pid} },
);


my %Rated;
my $Knocker;
my (%Metrics, $Scraper);


sub scenario {
    my ($block, $body, $request, $repeat, $dry) = @_;
    my $text = $block->websocket;

    return unless defined $text;

    my @steps = grep { /\S/ && !/\A\s*#/ } split /\n/, $text;
    my $name = $block->name;

    if ($dry) {
        $Test->skip("websocket") for @steps;
        return;
    }

    $_->shut for values %Clients, @Crowd;
    %Clients = ();
    %Saved = %Rated = %Metrics = ();
    @Crowd = @Channels = ();

    if (!$Ready && !defined $block->not_ready) {
        $Ready = until_true($Limit, \&accepts_pushes);
        $Test->diag("$name: pushes are not accepted: "
                    . join ' ', last_push()) unless $Ready;
    }

    my $dead;

    $Began = Time::HiRes::time();

    for my $step (@steps) {
        $step = expand($step);

        # what follows a failure would wait for nothing
        if ($dead) {
            $Test->skip("after a failed step");
            next;
        }

        my $ok = eval { run_step($step) };
        my $why = $@;
        my $label = length $step > 120 ? substr($step, 0, 120) . '...' : $step;
        $label =~ s/#/\\#/g;

        unless ($Test->ok($ok, "$name - $label")) {
            $Test->diag($why || 'not so');
            $dead = 1;
        }
    }

    if ($dead) {
        for my $log (error_log(), map { "$Dir/$_.log" } sort keys %Started) {
            $Test->diag("$log:\n" . tail($log)) if -s $log;
        }

        # one that was paused would not end
        kill 'CONT', eval { children(nginx_pid()) };
    }

    step_knock('stop') if $Knocker;
    eval { step_scrape('stop 0') } if $Scraper;
    $_->shut for values %Clients, @Crowd;
    %Clients = ();
    @Crowd = @Channels = ();
}


sub expand {
    my ($text) = @_;

    $text =~ s/\A\s+|\s+\z//g;
    $text =~ s/\$(TEST_NGINX_\w+)/defined $ENV{$1} ? $ENV{$1} : "\$$1"/ge;
    $text =~ s/\$(\w+)/defined $Saved{$1} ? $Saved{$1} : "\$$1"/ge;
    # each try has a token of its own
    $text =~ s/JWT\(([^{]*\{.*?\})\)(?=["\s]|\z)/Test::Im::Jwt::token($1)/ge
        unless $text =~ /\A\w+: tries /;
    $text =~ s/URI\(((?:[^()]|\([^()]*\))*)\)/uri($1)/ge;

    return $text;
}


# As URLSearchParams encodes it; \n is a line feed.
sub uri {
    my ($text) = @_;

    $text = fill($text) =~ s/\\n/\n/gr;
    $text =~ s/([^\w.* -])/sprintf '%%%02X', ord $1/ge;

    return $text =~ s/ /+/gr;
}


sub run_step {
    my ($step) = @_;
    my ($who, $rest) = $step =~ /\A(\w+):\s*(.*)\z/s
        or die "not a step: $step\n";

    return $Steps{$who}->($rest) if $Steps{$who};

    my ($verb, $arg) = $rest =~ /\A(\w+)(?: (.*))?\z/s
        or die "no verb: $step\n";
    my $code = $Verbs{$verb} or die "no verb \"$verb\"\n";

    $arg = '' unless defined $arg;

    return $code->($who, $arg)
        if $verb =~ /\A(?:open|tries|connect|login|get|post|refused|burst|many|rated)\z/;

    my $client = $Clients{$who} or die "$who is not open\n";

    return $code->($client, $arg);
}


sub frame { Test::Im::Client::frame(@_) }
sub fill { return $_[0] =~ s/FILL\((\d+)\)/'x' x $1/gre }
sub deadline { Time::HiRes::time() + ($_[0] || $Limit) }


sub last_push {
    return http(Test::Nginx::Socket::server_port_for_client(), 'POST',
                '/im/push', '{"rooms":["_ready"],"data":0}');
}


# Of every im_logic.  A room without a rule is an answer too: logic has read
# the rules.
sub accepts_pushes {
    my @ports = map { $ENV{$_->[1]} } grep { $Pids{$_->[0]} }
        ([ logic => 'TEST_NGINX_IM_HTTP' ], [ logic2 => 'TEST_NGINX_IM_HTTP2' ]);

    for my $port (@ports) {
        my ($status) = http($port, 'POST', '/im/push',
                            '{"rooms":["_ready"],"data":0}');
        return 0 unless $status == 200 || $status == 404;
    }

    return 1;
}


# [tls] [:PORT] [from=ADDRESS] PATH ...: arguments of a client, path, the rest
sub place {
    my ($arg) = @_;
    my %args = (port => Test::Nginx::Socket::server_port_for_client(),
                timeout => $Limit);
    my $path = '/ws';

    while ($arg =~ s/\A(\S+)\s*//) {
        my $word = $1;

        if ($word eq 'tls') {
            $args{tls} = 1;
            $args{port} = $ENV{TEST_NGINX_IM_TLS};

        } elsif ($word eq 'h2') {
            $args{http2} = 1;

        } elsif ($word =~ /\A:(\d+)\z/) {
            $args{port} = $1;

        } elsif ($word =~ /\Afrom=(\S+)\z/) {
            $args{from} = $1;

        } else {
            $path = $word;
            last;
        }
    }

    return (\%args, $path, $arg);
}


# [tls] [:PORT] [from=ADDRESS] PATH [header | header ...]
sub connect_to {
    my ($args, $path, $headers) = place(@_);
    my $client = Test::Im::Client->new(%$args);

    return ($client, $client->handshake($path, split /\s*\|\s*/, $headers));
}


# Where Redis is not reached yet, the answer is 503: this asks again.
sub client_open {
    my ($who, $arg) = @_;
    my $end = deadline();

    while (1) {
        my ($client, $status) = connect_to(fill($arg));

        if ($status == 101) {
            $Clients{$who} = $client;
            return 1;
        }

        die "status $status: $client->{head}\n"
            if $status != 503 || Time::HiRes::time() > $end;
        $client->shut;
        Time::HiRes::sleep(0.05);
    }
}


# ARGUMENTS of open [<< BODY]: a stream; \n and \r in BODY, CHUNKS(BODY)
sub client_stream {
    my ($method, $who, $arg) = @_;
    my $body = $arg =~ s/\s*<<(?: (.*))?\z//s ? defined $1 ? $1 : '' : undef;
    my ($args, $path, $headers) = place($arg);
    my @headers = split /\s*\|\s*/, $headers;
    my $end = deadline();

    $body = fill($body =~ s/\\n/\n/gr =~ s/\\r/\r/gr) if defined $body;

    if (defined $body && $body =~ /\ACHUNKS\((.*)\)\z/s) {
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                             $1 =~ /(.{1,7})/gs, '';
        push @headers, 'Transfer-Encoding: chunked';
    }

    while (1) {
        my $client = Test::Im::Stream->new(%$args);
        my $status = $client->request($method, $path, $body, @headers);

        if ($status == 200) {
            $Clients{$who} = $client;
            return 1;
        }

        die "status $status: $client->{head}\n"
            if $status != 503 || Time::HiRes::time() > $end;
        $client->shut;
        Time::HiRes::sleep(0.05);
    }
}


# REGEX of the lines of the next event, with | between them
sub client_event {
    my ($client, $re) = @_;

    local $client->{fields} = 1;

    my $frame = next_news($client, 1) or die "got nothing\n";

    die "got $frame->{raw}\n" unless $frame->{raw} =~ /$re/;

    $Saved{$_} = $+{$_} for keys %+;

    return 1;
}


# STATUS [/REGEX of head/] ARGUMENTS of open
sub client_refused {
    my ($who, $arg) = @_;
    my ($want, $re, $rest) = $arg =~ m{\A(\d+)(?:\ /((?:[^/\\]|\\.)+)/(?=\ |\z))?
                                        \s*(.*)\z}x or die "STATUS PATH\n";
    my ($client, $status) = connect_to(fill($rest));

    die "status $status, not $want\n$client->{head}\n" if $status != $want;
    die "no $re in\n$client->{head}\n"
        if defined $re && $client->{head} !~ /$re/;
    $client->shut;

    return 1;
}


# REGEX of the head of the answer to its handshake
sub client_answered {
    my ($client, $re) = @_;

    die "no $re in\n$client->{head}\n" if $client->{head} !~ /$re/;

    return 1;
}


sub client_unanswered {
    my ($client, $re) = @_;

    die "$re in\n$client->{head}\n" if $client->{head} =~ /$re/;

    return 1;
}


# [tls [cert=NAME]] :PORT [from=ADDRESS]: packets without frames
sub client_connect {
    my ($who, $arg) = @_;
    my %args = (timeout => $Limit);

    for my $word (split ' ', $arg) {
        $args{tls} = 1 if $word eq 'tls';
        $args{port} = $1 if $word =~ /\A:(\d+)\z/;
        $args{from} = $1 if $word =~ /\Afrom=(\S+)\z/;
        $args{cert} = "$ENV{TEST_NGINX_IM_CERTS}/$1"
            if $word =~ /\Acert=(\S+)\z/;
    }

    $Clients{$who} = Test::Im::Client->new(%args);
    $Clients{$who}{bare} = 1;

    return 1;
}


# ARGUMENTS of connect, and the body of auth: again while it is hung up on
sub client_login {
    my ($who, $arg) = @_;
    my ($where, $auth) = $arg =~ /\A(.*?) (\{.*)\z/ or die "WHERE BODY\n";
    my $end = deadline();

    while (Time::HiRes::time() < $end) {
        if (eval { client_connect($who, $where) }) {
            my $client = $Clients{$who};
            $client->send_packet(Test::Im::Client::packet(7, $auth));
            my $got = $client->next_packet($end);
            return same_packet($client, $got, Test::Im::Client::packet(8, ''))
                if defined $got;
            $client->shut;
        }

        Time::HiRes::sleep(0.1);
    }

    die "no answer to auth\n";
}


# OP[,VERSION[,SEQUENCE]] BODY
sub packet_of {
    my ($arg, %o) = @_;
    my ($op, $version, $seq, $body) =
        $arg =~ /\A(-?\d+)(?:,(\d+)(?:,(-?\d+))?)?(?: (.*))?\z/s
        or die "OP[,VERSION[,SEQUENCE]] BODY\n";

    $o{version} = $version if defined $version;
    $o{seq} = $seq if defined $seq;

    return Test::Im::Client::packet($op, fill(defined $body ? $body : ''), %o);
}


# [lN] [hN] as packet_of(): N is what the packet says of itself
sub client_packet {
    my ($client, $arg) = @_;
    my %o;

    while ($arg =~ s/\A([lh])(-?\d+) //) {
        $o{$1 eq 'l' ? 'length' : 'header'} = $2;
    }

    return $client->send_packet(packet_of($arg, %o));
}


sub same_packet {
    my ($client, $got, $want) = @_;

    die 'got ' . ($client->{eof} ? 'the end' : 'nothing') . "\n"
        unless defined $got;
    die 'got ' . unpack('H*', $got) . "\n" if $got ne $want;

    return 1;
}


# PACKET || PACKET ... => ANSWER || ANSWER ...: cut at each byte.  What is before
# the cut comes with a heartbeat, whose answer says that it was read.
sub client_cuts {
    my ($client, $arg) = @_;
    my ($packets, $answers) = map { join '', map { packet_of($_) }
                                             split / \|\| / }
                              split / => /, $arg, 2;

    for my $at (0 .. length $packets) {
        $client->send_packet(Test::Im::Client::packet(2, '', seq => 77)
                             . substr $packets, 0, $at);
        my $beat = $client->next_packet(deadline());
        die "cut at $at: no answer to a heartbeat\n"
            unless defined $beat && unpack('x8 N', $beat) == 3;
        $client->send_packet(substr $packets, $at) if $at < length $packets;

        my $got = '';

        while (length $got < length $answers) {
            my $next = $client->next_packet(deadline());
            die "cut at $at: got " . unpack('H*', $got) . "\n"
                unless defined $next;
            $got .= $next;
        }

        die "cut at $at: got " . unpack('H*', $got) . "\n"
            if $got ne $answers;
    }

    return 1;
}


sub client_recv_packet {
    my ($client, $arg) = @_;

    return same_packet($client, $client->next_packet(deadline()),
                       packet_of($arg =~ s/\\x(..)/chr hex $1/ger));
}


# OP BODY
sub client_pushed {
    my ($client, $arg) = @_;
    my ($op, $body) = split ' ', $arg, 2;

    return same_packet($client, $client->next_push(deadline()),
                       packet_of("$op,1,0 " . (defined $body ? $body : '')));
}


# OP BODY || OP BODY ...
sub client_pushed_set {
    my ($client, $arg) = @_;
    my %want = map { my ($op, $body) = split ' ', $_, 2;
                     (packet_of("$op,1,0 $body") => 1) } split / \|\| /, $arg;

    while (%want) {
        my $got = $client->next_push(deadline());
        die "got the end or nothing\n" unless defined $got;
        die 'got ' . unpack('H*', $got) . "\n" unless delete $want{$got};
    }

    return 1;
}


# COUNT: repeats heartbeats until so many are in its room; nothing else comes
sub client_heartbeat {
    my ($client, $count) = @_;
    my $end = deadline();
    my $n = -1;

    while (Time::HiRes::time() < $end) {
        $client->send_packet(Test::Im::Client::packet(2, '', seq => 77));
        my $got = $client->next_packet($end);
        die "got the end or nothing\n" unless defined $got;
        $n = length $got == 20 ? unpack 'N', substr $got, 16 : -1;
        same_packet($client, $got,
                    Test::Im::Client::packet(3, pack('N', $n), seq => 77));
        return 1 if $n == $count;
        Time::HiRes::sleep(0.1);
    }

    die "count $n\n";
}


my %Big;

sub big {
    my ($n) = @_;

    return $Big{$n} ||= substr('0123456789abcdefghijklmnopqrstuvwxyz,'
                               x int($n / 37 + 1), 0, $n);
}


# N [bytes of a fragment]
sub client_send_big {
    my ($client, $arg) = @_;
    my ($n, $piece) = split ' ', $arg;
    my $bytes = big($n);

    return $client->write(frame(2, $bytes)) unless $piece;

    for (my $at = 0; $at < $n; $at += $piece) {
        $client->write(frame($at ? 0 : 2, substr($bytes, $at, $piece),
                             fin => $at + $piece >= $n));
    }

    return 1;
}


sub client_recv_big {
    my ($client, $n) = @_;
    my $frame = $client->next_message(deadline()) or die "nothing came\n";

    die "opcode $frame->{opcode}, " . length($frame->{payload}) . " bytes\n"
        if $frame->{opcode} != 2 || length $frame->{payload} != $n;
    die "other bytes\n" if $frame->{payload} ne big($n);

    return 1;
}


# OPCODE[-][u][rN] PAYLOAD; - no FIN, u unmasked, rN reserved bits, xHEX bytes,
# lN declares N bytes, fN at least the 16 or 64 bit form
sub client_frame {
    my ($client, $arg) = @_;
    my ($opcode, $flags, $payload) =
        $arg =~ /\A(\d+)((?:-|u|z|r\d|l\d+|f\d+|x)*)(?: (.*))?\z/s
        or die "OPCODE FLAGS PAYLOAD\n";
    my %o;

    $payload = '' unless defined $payload;
    $payload = pack 'H*', $payload if $flags =~ /x/;
    $o{fin} = 0 if $flags =~ /-/;
    $o{unmasked} = 1 if $flags =~ /u/;
    $o{mask} = "\0\0\0\0" if $flags =~ /z/;
    $o{rsv} = $1 if $flags =~ /r(\d)/;
    $o{length} = $1 if $flags =~ /l(\d+)/;
    $o{form} = $1 if $flags =~ /f(\d+)/;

    return $client->write(frame($opcode, $payload, %o));
}


# [NAME=VALUE ...:] TEXT; options of pack_message(), and opcode=2,
# pieces=N: fragments of N bytes, times=N: so many messages in one write
sub client_send_packed {
    my ($client, $arg) = @_;
    my %o = (opcode => 1, times => 1);
    my $out = '';

    %o = (%o, map { split /=/ } split ' ', $1)
        if $arg =~ s/\A((?:[a-z]+=\d+ ?)+): //;

    my $bytes = pack_message(fill($arg), %o);
    my @pieces = $o{pieces} ? $bytes =~ /.{1,$o{pieces}}/gs : $bytes;

    for my $i (0 .. $#pieces) {
        $out .= frame($i ? 0 : $o{opcode}, $pieces[$i], fin => $i == $#pieces,
                      rsv => $i ? 0 : 4);
    }

    return $client->write($out x $o{times});
}


# [window=N: ]TEXT, in a compressed frame, or what matches /REGEX/
sub client_recv_packed {
    my ($client, $want) = @_;
    my $window = $want =~ s/\Awindow=(\d+): // ? $1 : 15;
    my $frame = next_news($client) or die "nothing came\n";

    die 'got ' . show($frame) . "\n"
        unless $frame->{rsv} == 4 && $frame->{fin} && $frame->{opcode} < 3;

    my $got = unpack_message($frame->{payload}, $window);

    die 'got ' . substr($got, 0, 300) . "\n"
        unless $want =~ m{\A/(.*)/\z}s ? $got =~ /$1/s : $got eq fill($want);

    return 1;
}


# One byte a write
sub client_chop {
    my ($client, $text) = @_;

    $client->write($_) for split //, frame(1, $text);

    return 1;
}


sub show {
    my ($frame) = @_;

    return 'the end' unless $frame;

    my $payload = substr $frame->{payload}, 0, 300;

    return sprintf "close %d %s", unpack('n', $payload), substr($payload, 2)
        if $frame->{opcode} == 8 && length $payload >= 2;

    return "opcode $frame->{opcode} \"$payload\"";
}


# The next message.  A ping of centrifuge, which comes when it is time for it,
# is answered and read over, but where it is what is waited for.
sub next_news {
    my ($client, $ping) = @_;
    my $end = deadline();

    while (my $frame = $client->next_message($end)) {
        return $frame if $ping || $frame->{payload} !~ /\A(?:\{\}|\0)\z/;
        $client->write(frame($frame->{opcode}, $frame->{payload}));
    }

    return undef;
}


sub expect {
    my ($client, $opcode, $payload) = @_;
    my $frame = next_news($client, $payload eq '{}');

    die 'got ' . ($client->{eof} ? 'the end' : $frame ? '' : 'nothing')
        . ($frame ? show($frame) : '') . "\n"
        unless $frame && $frame->{opcode} == $opcode
               && $frame->{payload} eq $payload
               && $frame->{fin} && !$frame->{rsv};

    return 1;
}


# a message of im without its time, which is about now, if that isn't wanted
sub timeless {
    my ($value, $want) = @_;

    return $value unless ref $value eq 'HASH' && defined $value->{op}
        && defined $value->{time} && $want !~ /"time":/;

    die "its time is $value->{time}\n"
        if abs($value->{time} / 1000 - Time::HiRes::time()) > 3600;

    delete $value->{time};

    return $value;
}


# JSON, as a value | op N [MEMBER=VALUE ...] | msg JSON | TEXT
sub client_recv {
    my ($client, $want) = @_;
    my $frame = next_news($client, $want eq '{}');

    die($client->{eof} ? "got the end\n" : "got nothing\n") unless $frame;
    die 'got ' . show($frame) . "\n" if $frame->{opcode} != 1;

    my $got = $frame->{payload};
    die "fragmented or reserved bits\n" if !$frame->{fin} || $frame->{rsv};
    die "not UTF-8\n"
        unless eval { Encode::decode('UTF-8', my $copy = $got, 1); 1 };

    if ($want =~ /\Aop (\d+)(?: (.*))?\z/) {
        my ($op, $members) = ($1, $2);
        my $value = $Json->decode($got);
        die "got $got\n" unless $value->{op} == $op;
        for my $pair (split ' ', defined $members ? $members : '') {
            my ($key, $text) = split /=/, $pair, 2;
            my $have = $Json->encode($value->{$key});
            die "got $got\n"
                unless $have eq $Json->encode($Json->decode($text));
        }
        return 1;
    }

    if ($want =~ /\Amsg (.*)\z/s) {
        my $have = $Json->encode($Json->decode($got)->{msg});
        die "got $got\n" unless $have eq $Json->encode($Json->decode($1));
        return 1;
    }

    if ($want =~ /\A[\[{]/) {
        my $have = eval { $Json->encode(timeless($Json->decode($got), $want)) };
        die "got $got\n" unless defined $have
            && $have eq $Json->encode($Json->decode($want));
        return 1;
    }

    die "got $got\n" unless $got eq $want;

    return 1;
}


# a pattern of the next message; what it names is kept for later steps
sub client_like {
    my ($client, $pattern) = @_;
    my $frame = next_news($client, '{}' =~ /$pattern/);

    die($client->{eof} ? "got the end\n" : "got nothing\n") unless $frame;
    die "got $frame->{payload}\n" unless $frame->{payload} =~ /$pattern/;

    $Saved{$_} = $+{$_} for keys %+;

    return 1;
}


# The next message of centrifuge in Protobuf, as text; "" is a ping.
sub client_pb {
    my ($client, $pattern) = @_;
    my $frame = next_news($client, '' =~ /$pattern/);

    die($client->{eof} ? "got the end\n" : "got nothing\n") unless $frame;
    die 'got ' . show($frame) . "\n"
        if $frame->{opcode} != 2 || !$frame->{fin} || $frame->{rsv};

    my $got = Test::Im::Protobuf::replies($frame->{payload});
    die "got $got\n" unless $got =~ /$pattern/;

    $Saved{$_} = $+{$_} for keys %+;

    return 1;
}


# N COMMAND => REGEX: N times in one frame, with an answer to each, in order
sub client_many_pb {
    my ($client, $arg) = @_;
    my ($n, $command, $re) = $arg =~ /\A(\d+) \{(.*)\} => (.*)\z/s
        or die "N JSON => REGEX\n";

    $client->write(frame(2, join '', map {
        Test::Im::Protobuf::commands("{\"id\":$_,$command}")
    } 1 .. $n));

    client_pb($client, qr/\Aid=$_ $re/) for 1 .. $n;

    return 1;
}


# N PREFIX, of centrifuge: channels PREFIX1 to PREFIXN in one message
sub client_subscribe {
    my ($client, $arg) = @_;
    my ($n, $prefix) = split ' ', $arg;
    my $end = deadline();
    my $left = $n;

    $client->write(frame(1, join "\n", map {
        "{\"id\":" . (1000 + $_) . ",\"subscribe\":{\"channel\":\"$prefix$_\"}}"
    } 1 .. $n));

    while ($left > 0) {
        my $frame = $client->next_message($end)
            or die "$left answers are missing\n";
        for my $reply (split /\n/, $frame->{payload}) {
            die "got $reply\n" unless $reply =~ /"subscribe":/;
            $left--;
        }
    }

    return 1;
}


# PATTERN || PATTERN...: of the next messages, in any order
sub client_like_set {
    my ($client, $arg) = @_;
    my @patterns = split /\s+\|\|\s+/, $arg;

    while (@patterns) {
        my $frame = $client->next_message(deadline())
            or die "got nothing, not @patterns\n";
        my ($i) = grep { $frame->{payload} =~ /$patterns[$_]/ } 0 .. $#patterns;

        die "got $frame->{payload}\n" unless defined $i;

        $frame->{payload} =~ /$patterns[$i]/;
        $Saved{$_} = $+{$_} for keys %+;
        splice @patterns, $i, 1;
    }

    return 1;
}


sub client_recv_ping {
    my ($client) = @_;
    my $frame = $client->next_frame(deadline());

    die 'got ' . show($frame) . "\n" unless $frame && $frame->{opcode} == 9;

    return 1;
}


# Messages in any order: VALUE...
sub client_recv_set {
    my ($client, $arg) = @_;
    my @want = sort split ' ', $arg;
    my @got;

    for (@want) {
        my $frame = $client->next_message(deadline())
            or die "got only @got\n";
        push @got, $Json->encode($Json->decode($frame->{payload})->{msg});
    }

    @got = sort @got;
    die "got @got\n" if "@got" ne "@want";

    return 1;
}


# N ARGUMENTS: of N handshakes at once some are accepted, some get 503
sub client_burst {
    my ($who, $arg) = @_;
    my ($n, $rest) = split ' ', $arg, 2;
    my (%count, @clients);

    for (1 .. $n) {
        my ($client, $status) = connect_to(fill($rest));
        $count{$status}++;
        push @clients, $client;
    }

    $_->shut for @clients;

    return 1 if $count{101} && $count{503} && keys %count == 2;

    die join(', ', map { "$_: $count{$_}" } sort keys %count) . "\n";
}


# STATUS=COUNT,... ARGUMENTS: as many handshakes, one after the other, have these
# answers.  The sessions are NAME1, NAME2 ...
sub client_many {
    my ($who, $arg) = @_;
    my ($want, $rest) = split ' ', $arg, 2;
    my %want = split /[=,]/, $want;
    my (%got, $open);

    for (1 .. List::Util::sum(values %want)) {
        my ($client, $status) = connect_to(fill($rest));
        $got{$status}++;

        if ($status == 101) {
            $Clients{$who . ++$open} = $client;

        } else {
            $client->shut;
        }
    }

    my ($is, $was) = map { my $n = $_; join ',', map { "$_=$n->{$_}" }
                           sort keys %$n } \%got, \%want;

    return 1 if $is eq $was;

    die "$is\n";
}


# N RATE SIZE ARGUMENTS: of N handshakes at least SIZE are accepted, and of all
# since the first such step no more than SIZE and RATE a second; the rest get 429
sub client_rated {
    my ($who, $arg) = @_;
    my ($n, $rate, $size, $rest) = split ' ', $arg, 4;
    my $rated = $Rated{$who} ||= { began => Time::HiRes::time(), n => 0 };

    for (1 .. $n) {
        my ($client, $status) = connect_to(fill($rest));
        $client->shut;
        $rated->{n}++ if $status == 101;
        die "status $status\n" unless $status =~ /\A(?:101|429)\z/;
    }

    my $most = $size + $rate * (Time::HiRes::time() - $rated->{began}) + 1;

    return 1 if $rated->{n} >= $size && $rated->{n} <= $most;

    die "$rated->{n} accepted, not $size to $most\n";
}


# A session that read nothing: closed, by 1013 or without a word.
sub client_gone {
    my ($client) = @_;
    my $end = deadline();
    my $frame;

    while (defined($frame = $client->next_frame($end))) {
        last if $frame->{opcode} == 8;
    }

    die 'got ' . show($frame) . "\n"
        if $frame && unpack('n', $frame->{payload}) != 1013;
    die "the connection stays open\n" unless $client->end($end);

    return 1;
}


# N[xBYTES] room NAME CLIENT...: N pushes of 60,000 bytes, which the clients read
sub step_flood {
    my ($what, $kind, $name, @who) = split ' ', $_[0];
    my ($n, $bytes) = split /x/, $what;
    my $data = 'x' x ($bytes || 60000);

    for my $i (1 .. $n) {
        my ($status, $body) = http(
            Test::Nginx::Socket::server_port_for_client(), 'POST',
            '/im/push', "{\"${kind}s\":[\"$name\"],\"data\":\"$data\"}");
        die "status $status: $body\n" if $status != 200;

        for my $who (@who) {
            my $frame = $Clients{$who}->next_message(deadline())
                or die "$who got nothing\n";
            die "$who got " . show($frame) . "\n"
                if index($frame->{payload}, $data) < 0;
        }
    }

    return 1;
}


# NxBYTES: as many long messages
sub client_recv_long {
    my ($client, $arg) = @_;
    my ($n, $bytes) = split /x/, $arg;
    my $data = 'x' x $bytes;

    for my $i (1 .. $n) {
        my $frame = $client->next_message(deadline())
            or die "got $i of $n\n";
        die 'got ' . show($frame) . "\n"
            if index($frame->{payload}, $data) < 0;
    }

    return 1;
}


# NAME N [:PORT] PATH ROOM: users NAME0 ... join at once
sub step_users {
    my ($name, $n, @open) = split ' ', $_[0];
    my $room = pop @open;
    my @who = map { "$name$_" } 0 .. $n - 1;

    redis('HSET', "im_$_", 'UserId', $_, 'UserName', "N$_") for @who;
    client_open($_, "@open") for @who;
    $Clients{$_}->write(frame(1, "{\"auth\":\"$_\",\"roomId\":$room}"))
        for @who;

    return 1;
}


# NAME: they leave without a word
sub step_part {
    my ($name) = @_;

    for my $who (grep { /\A\Q$name\E\d+\z/ } keys %Clients) {
        (delete $Clients{$who})->shut;
    }

    return 1;
}


# N: entries without a reader in each queue; one by one, as a script that adds
# all of them keeps Redis away for long
sub step_clog {
    my ($n) = @_;

    redis('EVAL', "for i = 1, $n do redis.call('XADD', KEYS[1], '*', 't', "
          . "'x', 'i', '', 'w', 'nobody', 'd', 'x') end", 1, "im:{$_}:q")
        for 0 .. 15;

    return 1;
}


# ARGUMENTS of open, TEXT {...} => REGEX: sessions that send it, one after the
# other, until the first answer of one is like that: the client is that one
sub client_tries {
    my ($who, $arg) = @_;
    my ($path, $text, $re) = $arg =~ /\A([^{]+?)\s*(\{.*) => (.*)\z/s
        or die "PATH TEXT => REGEX\n";
    my $last = 'no session';

    return 1 if until_true($Limit, sub {
        my ($client, $status) = connect_to($path);

        if ($status == 101) {
            $client->write(frame(1, expand($text)));
            $last = show($client->next_message(deadline()));
        }

        if ($last =~ /$re/) {
            $Clients{$who} = $client;
            return 1;
        }

        $client->shut;
        Time::HiRes::sleep(0.1);
        return 0;
    });

    die "got $last\n";
}


# N: so many users are, for a minute
sub step_kept_out {
    my ($n) = @_;
    my $end = int(Time::HiRes::time() * 1000) + 60000;

    redis('ZADD', 'im:{reg}:revoked', map { ($end, "out$_") } 1 .. $n);

    return 1;
}


# Reads room info until fn says that it is right; their number.
sub read_infos {
    my ($client, $end, $fn) = @_;
    my ($got, $n) = ('nothing', 0);

    while (my $frame = $client->next_message($end)) {
        my $value = $frame->{opcode} == 1 && $Json->decode($frame->{payload});

        die 'got ' . show($frame) . "\n" unless $value && $value->{op} == 4;
        $n++;
        return $n if $fn->($value);
        $got = $frame->{payload};
    }

    die "$n frames, the last one: " . substr($got, 0, 300) . "\n";
}


# [SECONDS] {"ID":"NAME",...}: the list becomes this one
sub client_info {
    my ($client, $arg) = @_;
    my $seconds = $arg =~ s/\A(\d+)\s+// ? $1 : $Limit;
    my $want = $Json->decode($arg);

    return read_infos($client, deadline($seconds), sub {
        my ($value) = @_;
        return $Json->encode($value->{roomUserInfo}) eq $Json->encode($want)
            && $value->{count} == keys %$want;
    });
}


# REGEX: what comes before a message that is like it is read over
sub client_upto {
    my ($client, $re) = @_;
    my $end = deadline();
    my $last;

    while (my $frame = $client->next_message($end)) {
        return 1 if $frame->{opcode} == 1 && $frame->{payload} =~ /$re/;
        $last = $frame;
    }

    die 'the last one: ' . show($last) . "\n";
}


# N PATH {...} => REGEX: such a message comes while up to N others join, one by
# one
sub client_amid {
    my ($client, $arg) = @_;
    my ($n, $path, $text, $re) = $arg =~ /\A(\d+) (\S+) (\{.*\}) => (.*)\z/
        or die "N PATH {...} => REGEX\n";

    for (1 .. $n) {
        my ($other, $status) = connect_to($path);

        die "status $status\n" if $status != 101;
        $other->write(frame(1, $text));
        push @Crowd, $other;

        my $frame = $client->next_message(deadline(0.3)) or next;
        return 1 if $frame->{payload} =~ /$re/;
    }

    die "$n have joined\n";
}


# MAX COUNT: reads until COUNT members are there; it takes at most MAX frames,
# and one more for each second since the client joined
sub client_infos {
    my ($client, $arg) = @_;
    my ($max, $count) = split ' ', $arg;
    my $n = read_infos($client, deadline(), sub { $_[0]{count} == $count });
    my $seconds = Time::HiRes::time() - $client->{opened};

    die sprintf "%d frames after %.1f s\n", $n, $seconds
        if $n > $max + $seconds;

    return 1;
}


# pong JSON: a pong and a message, in any order
sub client_recv_any {
    my ($client, $arg) = @_;
    my (undef, $want) = split ' ', $arg, 2;
    my %got;

    for (1 .. 2) {
        my $frame = $client->next_message(deadline())
            or die "nothing came\n";
        my $kind = $frame->{opcode} == 10 ? 'pong' : 'message';
        $got{$kind} = $frame->{payload};
    }

    die 'got ' . join(', ', %got) . "\n"
        unless defined $got{pong} && defined $got{message}
               && $Json->encode($Json->decode($got{message})->{msg}) eq $want;

    return 1;
}


# A frame that the server sent before its pong would come before the pong.
sub client_silent {
    my ($client) = @_;
    my $mark = 'mark' . int rand 1e9;

    $client->write(frame(9, $mark));

    return expect($client, 10, $mark);
}


# [CODE [REASON]]: a close of ours, its answer, and the end
sub client_close {
    my ($client, $arg) = @_;
    my ($code, $reason) = split ' ', $arg, 2;

    $client->write(frame(8, defined $code
        ? pack('n', $code) . (defined $reason ? $reason : '') : ''));

    my $frame;
    my $end = deadline();

    do {
        $frame = $client->next_message($end) or die "no close frame\n";
    } while ($frame->{opcode} != 8);

    if (defined $code) {
        die 'got ' . show($frame) . "\n"
            unless length $frame->{payload} >= 2
                   && unpack('n', $frame->{payload}) == $code;
    }

    die "the connection stays open\n" unless $client->end($end);

    return 1;
}


# CODE [/REGEX of reason/]; then the end, once we have answered
sub client_recv_close {
    my ($client, $arg) = @_;
    my ($code, $re) = $arg =~ m{\A(\d+)(?: /(.*)/)?\z}
        or die "CODE /REASON/\n";
    my $end = deadline();
    my $frame = $client->next_message($end)
        or die $client->{eof} ? "the end came first\n" : "nothing came\n";

    die 'got ' . show($frame) . "\n"
        unless $frame->{opcode} == 8 && length $frame->{payload} >= 2
               && unpack('n', $frame->{payload}) == $code;
    die 'reason: ' . substr($frame->{payload}, 2) . "\n"
        if defined $re && substr($frame->{payload}, 2) !~ /$re/;

    # the server waits a while for our end, so that its close frame isn't lost
    eval {
        $client->write(frame(8, pack 'n', $code));
        shutdown($client->{socket}, 1) unless $client->{tls};
    };
    die "the connection stays open\n" unless $client->end($end);

    return 1;
}


# The end without a close frame; frames before it are ignored, pings are not
# answered.
sub client_eof {
    my ($client) = @_;
    my $end = deadline();

    while (my $frame = $client->next_frame($end)) {
        die 'got ' . show($frame) . "\n" if $frame->{opcode} == 8;
    }

    die "the connection stays open\n" unless $client->{eof};

    return 1;
}


# so many seconds at least since it connected
sub client_lived {
    my ($client, $seconds) = @_;
    my $lived = Time::HiRes::time() - $client->{opened};

    die "$lived s\n" if $lived < $seconds - 0.05;

    return 1;
}


# NAME TEXT, with \n and \r in it; FILL(N) is N bytes
sub step_file {
    my ($name, $text) = split ' ', $_[0], 2;
    my %escapes = (n => "\n", r => "\r");

    $text =~ s/\\([nr])/$escapes{$1}/g;
    $text =~ s/FILL\((\d+)\)/'x' x $1/e;
    spew("$Dir/$name", $text);

    return 1;
}


# PATH: in the right form, and no counter is less than the last time
sub step_metrics {
    my ($path) = @_;
    my ($status, $body, $head)
        = http(Test::Nginx::Socket::server_port_for_client(), 'GET', $path);

    die "status $status: $body\n" unless $status == 200;

    my ($value, $type) = Test::Im::Metrics::parse($body, $head);
    my $old = $Metrics{$path};

    Test::Im::Metrics::risen($old, $value, $type) if $old;
    Test::Im::Metrics::promtool($body) unless $old;
    $Metrics{$path} = $value;

    return 1;
}


# PATH NAME{LABELS} NUMBER | +NUMBER | <NUMBER | >NUMBER: waits until it is so; +
# and <: since the last step metrics: PATH
sub step_moves {
    my ($path, $key, $sign, $want) = $_[0] =~ /\A(\S+) (\S+) ([+<>]?)([\d.]+)\z/
        or die "PATH NAME{LABELS} NUMBER\n";
    my $port = Test::Nginx::Socket::server_port_for_client();
    my ($before, $is) = (0);

    if ($sign =~ /[+<]/) {
        $before = $Metrics{$path}{$key};
        die "no $key in the last step metrics: $path\n" unless defined $before;
    }

    return 1 if until_true($Limit, sub {
        my ($status, $body) = http($port, 'GET', $path);
        my ($value) = eval { Test::Im::Metrics::parse($body) };

        die "status $status: $@\n" unless $value;
        die "there is no $key\n" unless exists $value->{$key};

        $is = $value->{$key} - $before;
        return 1 if $sign eq '>' ? $is > $want
                  : $sign eq '<' ? $is < $want : $is == $want;
        return 0;
    });

    die "it is $is\n";
}


# PATH: scrapes it again and again, in the background, and looks that no counter
# goes down.  stop N: it has seen N scrapes at least.
sub step_scrape {
    my ($arg) = @_;
    my $file = "$Dir/scraped";

    if ($arg =~ /\Astop (\d+)\z/) {
        my $least = $1;
        my ($n, $fault);

        until_true($Limit, sub {
            return 0 unless -e $file;
            ($n, $fault) = split /\n/, slurp($file), 2;
            return 1 if $fault || ($n || 0) >= $least;
            return 0;
        });

        kill 'KILL', $Scraper;
        waitpid $Scraper, 0;
        undef $Scraper;

        die $fault if $fault;
        return ($n || 0) >= $least;
    }

    my $port = Test::Nginx::Socket::server_port_for_client();

    unlink $file;
    $Scraper = fork;
    die "fork: $!\n" unless defined $Scraper;
    return 1 if $Scraper;

    my ($n, $old, $fault) = (0);

    until ($fault) {
        my ($status, $body, $head) = http($port, 'GET', $arg);

        # the worker was killed
        next if $status == 0;

        eval {
            my ($value, $type) = Test::Im::Metrics::parse($body, $head);
            Test::Im::Metrics::risen($old, $value, $type) if $old;
            $old = $value;
            $n++;
        };
        $fault = $@ ? "scrape $n: status $status: $@" : '';

        open my $out, '>', "$file.new";
        print $out "$n\n$fault";
        close $out;
        rename "$file.new", $file;
    }

    POSIX::_exit(0);
}


# so many seconds at least have passed since the scenario began; nginx's clock
# may be that of the last event
sub step_elapsed {
    my ($seconds) = @_;
    my $passed = Time::HiRes::time() - $Began;

    die "$passed s\n" if $passed < $seconds - 0.05;

    return 1;
}


# room NAME DATA | user ID DATA | all DATA
sub step_push {
    my ($arg) = @_;
    my ($kind, $rest) = split ' ', $arg, 2;
    my $target = $kind eq 'all' ? '"all":true' : do {
        (my $name, $rest) = split ' ', $rest, 2;
        "\"${kind}s\":[" . JSON::PP->new->allow_nonref->encode($name) . ']';
    };
    my ($status, $body) = http(
        Test::Nginx::Socket::server_port_for_client(), 'POST', '/im/push',
        "{$target,\"data\":$rest}");

    die "status $status: $body\n" unless $status == 200;

    my $answer = $Json->decode($body);
    my $result = $answer->{data}{results}[0];

    die "answer: $body\n" unless $answer->{code} == 0 && $result->{seq};
    $Saved{seq} = $result->{seq};
    $Saved{epoch} = $result->{epoch};

    return 1;
}


# [:PORT] METHOD PATH STATUS[|STATUS] [(header|header)] [BODY] [=> REGEX];
# in BODY FILL(N) is N bytes, MANY(N) the strings 1 to N
sub step_http {
    my ($arg) = @_;
    my $port = $arg =~ s/\A:(\d+)\s+// ? $1
             : Test::Nginx::Socket::server_port_for_client();
    my $re = $arg =~ s/\s+=>\s+(.*)\z//s ? $1 : undef;
    my ($method, $path, $want, $rest) = split ' ', $arg, 4;
    my @headers;

    $rest = '' unless defined $rest;
    @headers = split /\s*\|\s*/, $1 if $rest =~ s/\A\(([^)]*)\)\s*//;
    $rest = $1 . 'x' x $2 . $3 if $rest =~ /\A(.*)FILL\((\d+)\)(.*)\z/s;

    $rest =~ s/MANY\((\d+)\)/join '', map { ",\"$_\"" } 1 .. $1/e;

    my ($status, $body, $head) = http($port, $method, $path, $rest, @headers);

    die "status $status: $body\n" unless $status =~ /\A(?:$want)\z/;
    die "answer: $head\n$body\n"
        if defined $re && $body !~ /$re/ && $head !~ /$re/;
    $Saved{$_} = $+{$_} for keys %+;

    if ($body =~ /\A\{/ && $path =~ m{\A/im/}) {
        my $value = eval { $Json->decode($body) };
        die "not JSON: $body\n" unless ref $value eq 'HASH';
        die "code of the body: $body\n"
            if exists $value->{code}
               && $value->{code} !~ ($status == 200 ? qr/\A0\z/
                                                    : qr/\A$status\d?\z/);
    }

    return [$status, $body, $head];
}


# METHOD PATH STATUS ...: as http, through nginx and on the HTTP listener, with
# the same answer but for numbers and epochs
sub step_alike {
    my ($arg) = @_;
    my @answers;

    for my $port ('', ":$ENV{TEST_NGINX_IM_HTTP} ") {
        my ($status, $body, $head) = @{ step_http("$port$arg") };
        my @headers = $head =~ /^((?:Allow|Content-Type|Content-Length|Retry-After|Access-Control-[-\w]+|Set-Cookie):[^\r]*)/gmi;

        # nginx writes a charset of its own, and lengths of numbers differ
        my $answer = join("\n", $status, sort(map { s/:\s+/: /r } @headers),
                          $body);
        $answer =~ s/"epoch":"\w+"/"epoch":""/g;
        $answer =~ s/(?<=[:, ])\d+//g;
        push @answers, $answer;
    }

    die "nginx: $answers[0]\nHTTP listener: $answers[1]\n"
        if $answers[0] ne $answers[1];

    return 1;
}


# [:PORT] BYTES => REGEX: sent with \r, \n and \xHH, then no more; the whole of
# what comes back
sub step_raw {
    my ($arg) = @_;
    my $port = $arg =~ s/\A:(\d+)\s+// ? $1
             : Test::Nginx::Socket::server_port_for_client();
    my ($bytes, $re) = $arg =~ /\A(.*) => (.*)\z/s
        or die "BYTES => REGEX\n";
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => $Limit) or die "connect: $!\n";
    my ($answer, $end) = ('', Time::HiRes::time() + $Limit);

    $bytes =~ s/\\r/\r/g;
    $bytes =~ s/\\n/\n/g;
    $bytes =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
    $bytes =~ s/FILL\((\d+)\)/'x' x $1/ge;

    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, $bytes;
    shutdown $socket, 1;

    while ((my $left = $end - Time::HiRes::time()) > 0) {
        IO::Select->new($socket)->can_read($left) or last;
        sysread($socket, $answer, 65536, length $answer) or last;
    }

    die "answer: $answer\n" unless $answer =~ /$re/s;

    return 1;
}


# Reads until what came fits.
sub gets_bytes {
    my ($socket, $re) = @_;
    my $got = '';
    my $end = deadline();

    while ($got !~ /$re/) {
        my $left = $end - Time::HiRes::time();
        die "got: $got\n" unless $left > 0
            && IO::Select->new($socket)->can_read($left)
            && sysread $socket, $got, 65536, length $got;
    }
}


# N logic|:PORT [BYTES [=> REGEX]]: that many connections, what each sends and gets
my @Held;

sub step_hold {
    my ($n, $to, $rest) = split ' ', $_[0], 3;
    my ($bytes, $re) = split / => /, defined $rest ? $rest : '', 2;

    $bytes = '' unless defined $bytes;
    $bytes =~ s/\\r/\r/g;
    $bytes =~ s/\\n/\n/g;
    $bytes =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
    @Held = ();
    local $SIG{PIPE} = 'IGNORE';

    for (1 .. $n) {
        my $socket = $to =~ /\A:(\d+)\z/
            ? IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $1)
            : IO::Socket::UNIX->new(Peer => "$Dir/$to.sock");
        die "connection $_: $!\n" unless $socket;
        syswrite $socket, $bytes if $bytes ne '';
        push @Held, $socket;
        gets_bytes($socket, $re) if defined $re;
    }

    return 1;
}


# BYTES => REGEX: the rest of the request of the only one of those; its answer
# is "STATUS BODY"
sub step_finish {
    my ($bytes, $regex) = $_[0] =~ /\A(.*) => (.*)\z/s or die "finish?\n";

    $bytes =~ s/\\r/\r/g;
    $bytes =~ s/\\n/\n/g;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $Held[0], $bytes;
    my ($status, $body) = http_recv($Held[0]);
    chomp $body;

    die "answer: $status $body\n" unless "$status $body" =~ /$regex/;

    return 1;
}


# N: that many of those were closed by the other end, at once or later
sub step_closed {
    my ($n) = @_;
    my $end = Time::HiRes::time() + $Limit;
    my @open = @Held;

    while (@Held - @open < $n && Time::HiRes::time() < $end) {
        my @ready = IO::Select->new(@open)->can_read($end - Time::HiRes::time());
        for my $socket (@ready) {
            my $got = sysread $socket, my $bytes, 65536;
            @open = grep { $_ != $socket } @open unless $got;
        }
    }

    my $closed = @Held - @open;
    @Held = @open;
    die "$closed were closed\n" if $closed < $n;

    return 1;
}


# [SECONDS] [:PORT] PATH REGEX
# N [:PORT] METHOD PATH [BODY] => COUNT[-COUNT] REGEX: all are sent before the
# first answer is read
sub step_same {
    my ($arg) = @_;
    my ($n, $rest, $min, $max, $re) = $arg
        =~ /\A(\d+) (.*) => (\d+)(?:-(\d+))? (.*)\z/s
        or die "N METHOD PATH [BODY] => COUNT REGEX\n";
    my $port = $rest =~ s/\A:(\d+)\s+// ? $1
             : Test::Nginx::Socket::server_port_for_client();
    my ($method, $path, $body) = split ' ', $rest, 3;
    my @sockets = map {
        http_send($port, $method, $path, $body) || die "connect: $!\n"
    } 1 .. $n;
    my @answers = map { (http_recv($_))[1] } @sockets;
    my $count = grep { /$re/ } @answers;

    die "$count of:\n" . join '', @answers
        if $count < $min || $count > (defined $max ? $max : $min);

    return 1;
}


# METHOD PATH [BODY]: sent; STATUS REGEX: what answer: waits for.
sub step_ask {
    my ($arg) = @_;
    my $port = $arg =~ s/\A:(\d+)\s+// ? $1
             : Test::Nginx::Socket::server_port_for_client();
    my ($method, $path, $body) = split ' ', $arg, 3;

    push @Asked, http_send($port, $method, $path, $body) || die "connect: $!\n";

    return 1;
}


sub step_answer {
    my ($want, $re) = split ' ', $_[0], 2;
    my ($status, $body) = http_recv(shift @Asked);

    die "status $status: $body\n" if $status != $want || $body !~ /$re/;

    return 1;
}


# [SECONDS] [:PORT] PATH REGEX, or POST PATH BODY => REGEX
sub step_until {
    my ($arg) = @_;
    my $seconds = $arg =~ s/\A(\d+)\s+// ? $1 : $Limit;
    my $port = $arg =~ s/\A:(\d+)\s+// ? $1
             : Test::Nginx::Socket::server_port_for_client();
    my @request = $arg =~ s/\A(POST) (\S+) (.*) => // ? ($1, $2, $3) : ();
    my ($status, $body);

    unless (@request) {
        my $path = $arg =~ s/\A(\S+)\s+// ? $1 : die "PATH REGEX\n";
        @request = ('GET', $path);
    }

    my $re = $arg;

    return 1 if until_true($seconds, sub {
        ($status, $body) = http($port, @request);
        return "$status $body" =~ /$re/ || do { Time::HiRes::sleep(0.05); 0 };
    });

    die "last answer: $status $body\n";
}


# N ALG KEY CLAIMS => REGEX: N sessions, one after the other, with that token;
# COUNT in it is their number.  REGEX on the results: "ok" or the close code.
sub step_logins {
    my ($n, $spec, $re) = $_[0] =~ /\A(\d+) (.*) => (.*)\z/ or die "N TOKEN\n";
    my @results;

    # what a limit takes back a second must not cover the time that they take
    my @tokens = map { Test::Im::Jwt::token($spec =~ s/COUNT/$_/gr) } 1 .. $n;

    for my $token (@tokens) {
        my ($client) = connect_to('/ws');

        $client->write(frame(1, "{\"auth\":\"$token\",\"roomId\":1}"));
        my $frame = $client->next_message(deadline()) or die "nothing came\n";
        push @results, $frame->{opcode} == 8
            ? unpack('n', $frame->{payload}) : 'ok';
        $client->shut;
    }

    return "@results" =~ /$re/ || die "@results\n";
}


# METHOD PATH BODY => METHOD PATH STATUS [BODY]: the second is answered while
# Redis blocks a connection for the first, in whose body COUNT counts.  Tried
# several times: a second later the first is answered too.
sub step_amid {
    my ($first, $second) = split / => /, $_[0], 2;
    my ($method, $path, $body) = split ' ', $first, 3;
    my @second = split ' ', $second, 4;
    my $port = Test::Nginx::Socket::server_port_for_client();
    my $count = 0;

    return until_true($Limit, sub {
        $count++;

        my $socket = http_send($port, $method, $path, $body =~ s/COUNT/$count/r)
            or die "connect: $!\n";

        step_await('INFO clients => blocked_clients:[1-9]');

        my ($status, $text) = http($port, @second[0, 1], $second[3] || '');
        my $amid = !IO::Select->new($socket)->can_read(0);

        die "status $status: $text\n" if $status != $second[2];
        http_recv($socket);

        return $amid;
    }) || die "the first is always answered before\n";
}


# [:PORT] COMMAND ARG... [=> REGEX]
# [:PORT] COMMAND ... => REGEX: repeated until it is so
sub step_await {
    my ($arg) = @_;

    return 1 if until_true($Limit, sub {
        eval { step_redis($arg) } || do { Time::HiRes::sleep(0.02); 0 };
    });

    die $@;
}


sub step_redis {
    my ($arg) = @_;
    my $re = $arg =~ s/\s+=>\s*(.*)\z//s ? $1 : undef;
    my $answer = redis(words($arg));

    $answer = 'nil' unless defined $answer;
    die "answer: $answer\n" if defined $re && $answer !~ /$re/;
    $Saved{$_} = $+{$_} for keys %+;

    return 1;
}


sub nginx_pid {
    my ($pid) = slurp(Test::Nginx::Socket::server_root()
                      . '/logs/nginx.pid') =~ /(\d+)/
        or die "nginx doesn't run\n";

    return $pid;
}


sub children {
    my ($pid) = @_;

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}


# A process that has ended but was not reaped is not alive.
sub alive {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my $stat = <$fh> // '';

    return $stat !~ /\) [ZX] /;
}


# PROGRAM | worker (the first of nginx that doesn't end; its successor is
# awaited) | old (the binary before, with its workers)
sub step_kill {
    my ($name) = @_;

    if ($name eq 'old') {
        my $root = Test::Nginx::Socket::server_root();
        my ($old) = slurp("$root/logs/nginx.pid.oldbin") =~ /(\d+)/
            or die "no upgrade\n";
        my $new = nginx_pid();
        my @pids = ($old, grep { $_ != $new } children($old));

        kill 'KILL', @pids;
        return until_true($Limit, sub { !grep { alive($_) } @pids });
    }

    return stop($name, 'KILL') if $name ne 'worker';

    my $pid = nginx_pid();
    my @workers = grep { title($_) eq 'accepts' } children($pid)
        or die "no workers: master_on()?\n";

    kill 'KILL', $workers[0];

    return until_true($Limit, sub {
        @workers == grep { $_ != $workers[0] && title($_) eq 'accepts' }
                    children($pid);
    }) || die "no new worker\n";
}


# PROGRAM: it is told to end
sub step_term {
    my ($name) = @_;
    my $pid = $Pids{$name} or die "$name doesn't run\n";

    until_true($Limit, sub { handles($pid, 'TERM') });

    return kill 'TERM', $pid;
}


# Its unix socket is there, or isn't; connections stay.
sub step_hide {
    my ($hide) = @_;
    my @names = ("$Dir/redis.sock", "$Dir/redis.hidden");

    return $hide ? rename($names[0], $names[1]) : rename($names[1], $names[0]);
}


# PROGRAM, a replica: a master from now on, to which all new connections go but
# those of the steps of redis
sub step_promote {
    my ($name) = @_;

    redis(":$ENV{'TEST_NGINX_IM_' . uc $name}", 'REPLICAOF', 'NO', 'ONE');
    unlink "$Dir/redis.sock";

    return symlink "$name.sock", "$Dir/redis.sock";
}


# PROGRAM | worker | worker2: stops it by SIGSTOP, and continues it
sub step_pause {
    my ($signal, $name) = @_;
    my $pid = $name =~ /\Aworker(\d?)\z/
        ? (children(nginx_pid()))[($1 || 1) - 1] : $Pids{$name};

    return $pid && kill($signal, $pid) && until_true($Limit, sub {
        (slurp("/proc/$pid/stat") =~ /\) T /) == ($signal eq 'STOP');
    });
}


# SECONDS: as long ago is now what the redis that is stopped has
sub step_age {
    my ($seconds) = @_;
    my $socket = "$Dir/age.sock";
    my $pid = fork();

    die "redis runs\n" if $Pids{redis};
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>>', "$Dir/redis.log");
        exec('redis-server', '--port', 0, '--unixsocket', $socket, '--dir',
             $Dir, '--save', '', '--appendonly', 'yes') or POSIX::_exit(127);
    }

    my $answer = until_true($Limit, sub {
        open(my $cli, '-|', 'redis-cli', '-s', $socket, 'EVAL',
             slurp("$Top/t/lib/age.lua"), 0, $seconds) or return;
        <$cli> =~ /aged/;
    });

    system("redis-cli -s $socket SHUTDOWN > /dev/null 2>&1");
    waitpid($pid, 0);

    return $answer;
}


# [REGEX]: refused, with that line in the log
sub step_reload {
    my ($re) = @_;
    my $pid = nginx_pid();
    my @workers = children($pid) or die "no workers: master_on()?\n";

    return reload($pid) unless defined $re && $re ne '';

    my %were = map { $_ => 1 } @workers;

    kill 'HUP', $pid;

    # no new ones; an older one may end meanwhile
    step_log('error.log', 1, $re);
    return !grep { !$were{$_} } children($pid);
}


# OLD => NEW: in nginx's configuration, for the next reload
sub step_edit {
    my ($old, $new) = split / => ?/, $_[0], 2;
    my $file = Test::Nginx::Socket::server_root() . '/conf/nginx.conf';
    my $conf = slurp($file);

    $conf =~ s/\Q$old\E/$new/ or die "$file has no \"$old\"\n";
    spew($file, $conf);

    return 1;
}


# Until as many new workers as there were accept connections, and the older ones
# don't.
sub reload {
    my ($pid) = @_;
    my %were = map { $_ => title($_) } children($pid);
    # one that has just ended and is still listed has no title
    my $workers = grep { $_ eq 'accepts' } values %were;

    kill 'HUP', $pid;

    until_true($Limit, sub {
        my %now = map { $_ => title($_) } children($pid);
        my @old = grep { defined $were{$_} && $now{$_} ne 'ends' } keys %now;
        my @new = grep { !defined $were{$_} && $now{$_} eq 'accepts' }
                  keys %now;
        !@old && @new >= $workers;
    }) or die "no new workers\n";

    return 1;
}


# A worker's title is its own once it is set up, and another one from before it
# closes its sockets: accepts, ends, or '' of one that isn't set up.
sub title {
    my $title = slurp("/proc/$_[0]/cmdline") =~ s/\0+\z//r;

    # Angie's has the number of the configuration
    return $title =~ /\A(?:nginx|angie): worker process( is shutting down)?(?: #\d+)?\z/
         ? $1 ? 'ends' : 'accepts' : '';
}


# N M ARGUMENTS of open: N reloads, each with as many new workers as there were
# at first; before each of them M sessions that stay
sub step_generations {
    my ($n, $m, $rest) = split ' ', $_[0], 3;
    my $pid = nginx_pid();

    die "no workers: master_on()?\n" unless children($pid);

    for (1 .. $n) {
        for (1 .. $m) {
            until_true($Limit, sub {
                eval { client_open('generation', $rest) };
            }) or die "no session: $@";
            push @Crowd, delete $Clients{generation};
        }

        reload($pid);
    }

    return 1;
}


# NAME VERB ARGUMENTS: of each of NAME1, NAME2 ...
sub step_each {
    my ($name, $verb, $arg) = split ' ', $_[0], 3;
    my @who = grep { /\A$name\d+\z/ } keys %Clients or die "no $name\n";

    for my $who (@who) {
        eval { $Verbs{$verb}->($Clients{$who}, $arg) } or die "$who: $@";
    }

    return 1;
}


# A request whose body nginx waits for, as it has said; undef where it has no place.
# Without that word nginx might not have read the request, and would close it for the
# next one.
sub half_asked {
    my ($port, $parent) = @_;
    my $socket = IO::Socket::INET->new("127.0.0.1:$port") or return undef;

    syswrite $socket, "POST /im/push HTTP/1.1\r\nHost: x\r\n"
        . "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n";

    1 until IO::Select->new($socket)->can_read(1) || getppid != $parent;

    return sysread($socket, my $got, 100) ? $socket : undef;
}


# silent|slow|refused ARGUMENTS of open: a connection each 4 ms that says
# nothing, a part of a request, or asks for a session; stop: no more of them
sub step_knock {
    my ($kind, $arg) = split ' ', $_[0], 2;

    if ($kind eq 'stop') {
        kill 'KILL', $Knocker;
        waitpid $Knocker, 0;
        $Knocker = undef;
        return 1;
    }

    pipe my $out, my $in or die "pipe: $!\n";
    $Knocker = fork;
    return <$out> =~ /^knocks/ if $Knocker;

    # it ends with the test, however that ends
    my $parent = getppid;
    my $port = Test::Nginx::Socket::server_port_for_client();
    my @held;

    $SIG{PIPE} = 'IGNORE';

    for (my $n = 0; getppid == $parent; $n++) {
        my $full = $n >= 400;

        if ($kind eq 'refused') {
            eval { (connect_to($arg))[0]->shut };

        } elsif ($kind eq 'slow') {
            my $socket = half_asked($port, $parent);
            push @held, $socket || ();
            $full = !$socket;

        } elsif (my $socket = IO::Socket::INET->new(Blocking => 0,
                     PeerAddr => '127.0.0.1', PeerPort => $port))
        {
            push @held, $socket;
            shift(@held)->close if @held > 2000;
        }

        # it knocks when all places may be taken
        syswrite $in, "knocks\n" if $full;
        Time::HiRes::sleep(0.004);
    }

    POSIX::_exit(0);
}


# A new binary takes over, and the old one's workers end: USR2, WINCH
sub step_upgrade {
    my $root = Test::Nginx::Socket::server_root();
    my $pid = nginx_pid();
    my @workers = children($pid);

    kill 'USR2', $pid;

    until_true($Limit, sub {
        my $new = eval { nginx_pid() } || $pid;
        $new != $pid && slurp("$root/logs/nginx.pid.oldbin") =~ /\A$pid\s/
            && children($new);
    }) or die "no new binary:\n" . tail("$root/logs/error.log") . "\n";

    kill 'WINCH', $pid;

    return 1;
}


# The old binary goes on: HUP, and QUIT for the new one
sub step_downgrade {
    my $root = Test::Nginx::Socket::server_root();
    my $new = nginx_pid();
    my ($old) = slurp("$root/logs/nginx.pid.oldbin") =~ /(\d+)/
        or die "no upgrade\n";

    kill 'HUP', $old;
    kill 'QUIT', $new;

    until_true($Limit, sub {
        !alive($new) && (eval { nginx_pid() } || 0) == $old && children($old);
    }) or die "no old binary:\n" . tail("$root/logs/error.log") . "\n";

    return 1;
}


# [wait]: wait until all of it has ended
sub step_quit {
    my ($arg) = @_;
    my $pid = nginx_pid();
    my @pids = ($pid, children($pid));

    $Saved{quit} = join ' ', @pids;
    kill 'QUIT', $pid;

    return 1;
}


# The socket of that slot, by which workers find those that come after them.
sub handover {
    return Test::Nginx::Socket::server_root() . "/logs/nginx.im.$_[0]";
}


# SLOT [uid=N] [HEX ...]: connects to the worker of that slot, as the user N, and
# says these packets
sub channel {
    my ($slot, @packets) = split ' ', $_[0];
    my $uid = @packets && $packets[0] =~ /\Auid=(\d+)\z/ ? $1 : undef;
    my $file = handover($slot);
    my $mode = (stat $file)[2] or die "$file: $!\n";

    die sprintf("%s has mode %o\n", $file, $mode) if $mode & 077;
    shift @packets if defined $uid;

    socket(my $socket, Socket::AF_UNIX(), Socket::SOCK_SEQPACKET(), 0)
        or die "socket: $!\n";

    # what the mode of the file would forbid
    chmod 0666, $file if defined $uid;

    my $connected = do {
        local $> = $uid if defined $uid;
        connect($socket, Socket::pack_sockaddr_un($file));
    } or die "$file: $!\n";

    chmod 0600, $file if defined $uid;

    for my $packet (@packets) {
        local $SIG{PIPE} = 'IGNORE';
        defined send($socket, pack('H*', $packet), 0) or last;
    }

    return $socket;
}


# The same, and the worker closes the connection, whatever it says before.
sub step_channel {
    my $socket = channel(@_);
    my $end = deadline();

    do {
        IO::Select->new($socket)->can_read($end - Time::HiRes::time())
            or die "it stays open\n";
    } while (sysread($socket, my $packet, 65536));

    return 1;
}


sub handover_socket {
    my ($slot) = @_;
    my $file = handover($slot);

    unlink $file;

    socket(my $socket, Socket::AF_UNIX(), Socket::SOCK_SEQPACKET(), 0)
        or die "socket: $!\n";
    bind($socket, Socket::pack_sockaddr_un($file)) or die "$file: $!\n";
    chmod 0600, $file or die "$file: $!\n";

    return $socket;
}


# NAME [MODE]: a socket that nobody listens to is in the place of that one
sub step_stale {
    my ($name, $mode) = split ' ', $_[0];

    handover_socket($name);
    chmod oct $mode, handover($name) if defined $mode;

    return 1;
}


# NAME ...: there are these sockets of im_handover, and no others
sub step_sockets {
    my $names = join ' ', sort split ' ', $_[0];
    my $found = '';

    return until_true($Limit, sub {
        $found = join ' ', sort map { /\.im\.(.*)/ } glob handover('*');
        $found eq $names;
    }) || die "there are $found\n";
}


# A worker's end of a client's connection, by pidfd_open and pidfd_getfd.
sub worker_end {
    my ($name) = @_;
    my $port = $Clients{$name}{socket}->sockport;

    for my $pid (children(nginx_pid())) {
        my $pidfd = syscall(434, $pid + 0, 0);
        die "pidfd_open: $!\n" if $pidfd == -1;
        my $held = IO::Handle->new_from_fd($pidfd, 'r');

        for my $fd (map { /(\d+)\z/ } grep { (readlink || '') =~ /\Asocket:/ } glob "/proc/$pid/fd/*") {
            my $copy = syscall(438, $pidfd, $fd + 0, 0);
            next if $copy == -1;
            my $socket = IO::Socket->new_from_fd($copy, 'r+') or die "descriptor $copy: $!\n";
            my $peer = getpeername($socket) or next;
            next if sockaddr_family($peer) != AF_INET || (unpack_sockaddr_in($peer))[0] != $port;

            return $socket;
        }
    }

    die "no worker has it\n";
}


# NAME MS: how long a worker waits until the client acknowledges bytes, by
# TCP_USER_TIMEOUT
sub step_patience {
    my ($name, $ms) = split ' ', $_[0];
    my $has = unpack 'i', getsockopt(worker_end($name), 6, 18);

    return $has == $ms || die "it has $has ms\n";
}


# NAME [0]: calls of its worker wait for the client from now on; 0: they don't
sub step_blocking {
    my ($name, $is) = split ' ', $_[0];
    my $end = worker_end($name);

    return $end->blocking == $is || die "they do\n" if defined $is;
    return defined $end->blocking(1) || die "fcntl: $!\n";
}


# WORDS: in the place of all workers that come after these is a process that
# does this with each connection: get a packet, say HEX, hang, or close it
sub step_successor {
    my @words = split ' ', $_[0];
    my $parent = $$;

    my @workers = grep { title($_) eq 'accepts' } children(nginx_pid());

    for my $slot (0 .. $#workers) {
        my $socket = handover_socket($slot);

        listen($socket, 64) or die "listen: $!\n";

        my $pid = fork();

        die "fork: $!\n" unless defined $pid;
        next if $pid;

        while (getppid() == $parent) {
            IO::Select->new($socket)->can_read(1) or next;
            accept(my $channel, $socket) or last;

            for my $word (@words) {
                if ($word eq 'get') {
                    sysread($channel, my $packet, 65536) or last;

                } elsif ($word eq 'hang') {
                    push @Channels, $channel;

                } else {
                    send($channel, pack('H*', $word), Socket::MSG_NOSIGNAL())
                        or last;
                }
            }
        }

        POSIX::_exit(0);
    }

    return 1;
}


# N REGEX => TEXT: changes nginx.conf, and reloads it; then N new workers accept
sub step_conf {
    my ($n, $from, $to) = $_[0] =~ /\A(\d+) (.*?) => (.*)\z/
        or die "N REGEX => TEXT\n";
    my $file = Test::Nginx::Socket::server_root() . '/conf/nginx.conf';
    my $conf = slurp($file);
    my $pid = nginx_pid();
    my %were = map { $_ => title($_) } children($pid);

    $conf =~ s/$from/$to/ or die "not in nginx.conf: $from\n";
    spew($file, $conf);
    kill 'HUP', $pid;

    return until_true($Limit, sub {
        my %now = map { $_ => title($_) } children($pid);

        !(grep { defined $were{$_} && $now{$_} ne 'ends' } keys %now)
            && $n == grep { !defined $were{$_} && $now{$_} eq 'accepts' }
                     keys %now;
    }) || die "no $n new workers\n";
}


# [SECONDS] REGEX
sub step_log {
    my ($file, $want, $re) = @_;
    my $path = Test::Nginx::Socket::server_root() . "/logs/$file";
    my $seconds = $re =~ s/\A(\d+) // ? $1 : $Limit;

    until_true($seconds, sub {
        slurp($path) =~ /$re/m or return 0;
        $Saved{$_} = $+{$_} for keys %+;
        return 1;
    }) or die "not in $file:\n" . tail($path) . "\n";

    return 1;
}


# FIELD VALUE: some worker's record in Redis says so
sub step_record {
    my ($field, $value) = split ' ', $_[0];

    return 1 if until_true($Limit, sub {
        grep { my $have = redis('HGET', $_, $field);
               defined $have && $have eq $value }
            split ' ', redis('KEYS', 'im:{reg}:n:*');
    });

    die redis('KEYS', 'im:{reg}:n:*') . "\n";
}


# N ROOM PATH: so many clients more, in a room
sub step_crowd {
    my ($n, $room, $path) = split ' ', $_[0];

    for (1 .. $n) {
        my ($client, $status) = connect_to($path);

        die "status $status\n" if $status != 101;
        $client->write(frame(1, "{\"roomId\":$room}"));
        push @Crowd, $client;
    }

    for my $client (@Crowd) {
        my $frame = $client->next_message(deadline())
            or die "nothing came\n";
        die 'got ' . show($frame) . "\n" if $frame->{payload} !~ /"op":4/;
    }

    return 1;
}


# N ROOM SEQ EPOCH PATH: so many clients resume a room at once, while there are
# pushes; each gets all of them, in order and once.  With a SEQ of last=M they
# begin with the last M messages.
sub step_storm {
    my ($n, $room, $since, $epoch, $path) = split ' ', $_[0];
    my $begin = $since =~ /^last=(\d+)$/ ? $1 : 0;
    my @clients;

    for (1 .. $n) {
        my ($client, $status) = connect_to($path);

        die "status $status\n" if $status != 101;
        push @clients, $client;
    }

    for my $i (0 .. $#clients) {
        $clients[$i]->write(frame(1, "{\"roomId\":$room,"
                                     . ($begin ? "\"last\":$begin}"
                                        : "\"seq\":$since,"
                                          . "\"epoch\":\"$epoch\"}")));
        step_push("room $room $i") if $i % 25 == 0;
    }

    step_push("room $room \"end\"");

    for my $client (@clients) {
        my ($last, $n) = ($begin ? 0 : $since, 0);

        while ($last < $Saved{seq}) {
            my $frame = $client->next_message(deadline())
                or die "nothing came behind $last\n";
            my $value = $Json->decode($frame->{payload});

            die "got $frame->{payload}\n" if $value->{op} == 7
                && defined $value->{roomId} && !$value->{recovered};
            $last = $value->{seq} if $value->{op} == 7
                && defined $value->{roomId} && $begin;
            next if $value->{op} != 3;
            $n++;
            die "got $value->{seq} behind $last\n"
                if $value->{seq} != $last + 1;
            $last = $value->{seq};
        }

        die "$n messages\n" if $n < $begin;
    }

    $_->shut for @clients;

    return 1;
}


# ROOM MIN MAX: the server closes the crowd's connections with 1012: the last
# one between MIN and MAX seconds from now, some in each quarter of MIN, in no
# order.  Until then each client gets all messages of the room.  With room -
# the step pushes nothing.
sub step_drained {
    my ($room, $min, $max) = split ' ', $_[0];
    my $begin = Time::HiRes::time();
    my (@seen, @ended, @accepted);

    while (grep { !$ended[$_] } 0 .. $#Crowd) {
        my $now = Time::HiRes::time() - $begin;
        die scalar(grep { !$ended[$_] } 0 .. $#Crowd) . " are left\n"
            if $now > $max;

        if ($room ne '-') {
            my ($status, $body) = http(
                Test::Nginx::Socket::server_port_for_client(), 'POST',
                '/im/push', "{\"rooms\":[\"$room\"],\"data\":"
                . (@accepted + 1) . '}');
            die "status $status: $body\n" if $status != 200;
            push @accepted, Time::HiRes::time() - $begin;
        }

        for my $i (grep { !$ended[$_] } 0 .. $#Crowd) {
            drained_read($Crowd[$i], \$seen[$i]) or next;
            $ended[$i] = Time::HiRes::time() - $begin;
            $Crowd[$i]->write(frame(8, pack 'n', 1012));
        }

        Time::HiRes::sleep(0.02);
    }

    my @last = sort { $a <=> $b } @ended;
    die "the last one ended after $last[-1] s\n" if $last[-1] < $min;

    for my $quarter (1 .. 4) {
        my $n = grep { $_ > $min * ($quarter - 1) / 4
                       && $_ <= $min * $quarter / 4 } @ended;
        die "$n in quarter $quarter: @last\n"
            if $min && ($n == 0 || $n > @Crowd / 2);
    }

    die "in order: @ended\n" if $min && "@last" eq "@ended";

    for my $i (0 .. $#Crowd) {
        my $had = grep { $_ < $ended[$i] - 1 } @accepted;
        die "$i got " . ($seen[$i] || 0) . ", not $had\n"
            if ($seen[$i] || 0) < $had;
    }

    return 1;
}


# Reads messages, which come in order and once; true after a close with 1012.
sub drained_read {
    my ($client, $seen) = @_;

    $$seen = 0 unless defined $$seen;

    while (my $frame = $client->next_message(Time::HiRes::time() + 0.001)) {

        if ($frame->{opcode} == 8) {
            return 1 if unpack('n', $frame->{payload}) == 1012;
            die 'got ' . show($frame) . "\n";
        }

        my $value = $Json->decode($frame->{payload});
        next if $value->{op} == 4;
        die "got $value->{msg} after $$seen\n"
            if $value->{msg} != $$seen + 1;
        $$seen = $value->{msg};
    }

    die "the end without a frame\n" if $client->{eof};

    return 0;
}


sub error_log {
    return Test::Nginx::Socket::server_root() . '/logs/error.log';
}


# REGEX: no such line in the error log since the block began, where an earlier
# block has left some that no_error_log would see
sub step_unlogged {
    my ($re) = @_;
    my @lines = grep { /$re/ } split /\n/, substr slurp(error_log()), $Logged;

    die "line: $lines[0]\n" if @lines;

    return 1;
}


# N [FILE.log] REGEX: so many lines of the error log, or of that one, no more
sub step_logged {
    my ($n, $re) = split ' ', $_[0], 2;
    my $path = $re =~ s/\A(\w+\.log) // ? Test::Nginx::Socket::server_root() . "/logs/$1" : error_log();
    my @lines;

    until_true($Limit, sub { @lines = grep { /$re/ } split /\n/, slurp($path); @lines >= $n });
    die scalar(@lines) . " lines:\n" . join("\n", @lines) . "\n"
        if @lines != $n;

    return 1;
}


# PROGRAM REGEX: what it wrote
sub step_output {
    my ($arg) = @_;
    my ($name, $re) = split ' ', $arg, 2;
    my $path = output_of($name);

    until_true($Limit, sub { slurp($path) =~ /$re/m })
        or die "wrote:\n" . tail($path) . "\n";

    return 1;
}


# PROGRAM STATUS: ends by itself
sub step_exit {
    my ($arg) = @_;
    my ($name, $want) = split ' ', $arg;

    if ($name eq 'nginx') {
        my @pids = split ' ', $Saved{quit} || '';
        return 1 if until_true($Limit, sub { !grep { alive($_) } @pids });
        die "still there: @pids\n";
    }

    my $pid = $Pids{$name} or die "$name doesn't run\n";

    until_true($Limit, sub { ended($name, $pid) }) or die "$name goes on\n";
    delete $Pids{$name};
    my $status = delete($Ended{$name}) >> 8;

    return $status == $want || die "status $status\n";
}


sub until_true {
    my ($seconds, $code) = @_;
    my $end = Time::HiRes::time() + $seconds;

    while (1) {
        return 1 if $code->();
        return 0 if Time::HiRes::time() > $end;
        Time::HiRes::sleep(0.01);
    }
}


sub tail {
    my @lines = split /\n/, slurp($_[0]);

    @lines = @lines[-12 .. -1] if @lines > 12;

    return join "\n", @lines;
}


1;
