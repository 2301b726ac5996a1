# Copyright (C) The im authors
#
# A small stand-in for openresty's Test::Nginx::Socket, written from the
# description of its sections, for machines that don't have it.  It knows what
# t/*.t use.

package Test::Nginx::Socket;

use strict;
use warnings;

use Test::Base -base;
use Test::Builder;
use Cwd ();
use File::Path ();
use IO::Select;
use IO::Socket::INET;
use List::Util ();
use POSIX ();
use Time::HiRes ();

our $VERSION = '0.01';

our @EXPORT = qw(
    repeat_each run_tests no_shuffle no_long_string workers master_on
    worker_connections log_level server_root html_dir server_port
    server_port_for_client timeout env_to_nginx add_block_preprocessor
    add_response_body_check add_cleanup_handler bail_out
);

my $Root = $ENV{TEST_NGINX_SERVROOT} || Cwd::cwd() . "/t/servroot";
my $Port = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;
my $ClientPort = $ENV{TEST_NGINX_CLIENT_PORT} || $Port;
my $UseHup = $ENV{TEST_NGINX_USE_HUP};
my $Verbose = $ENV{TEST_NGINX_VERBOSE};
my $NoShuffle = $ENV{TEST_NGINX_NO_SHUFFLE} || 0;
my $Repeat = 1;
my $Workers = 1;
my $Master = ($ENV{TEST_NGINX_MASTER_PROCESS} || '') eq 'on' ? 1 : 0;
my $Connections = 64;
my $Level = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';
my $Timeout = $ENV{TEST_NGINX_TIMEOUT} || 3;
my (@Env, @Preprocessors, @BodyChecks, @Cleanups);

my $Owner = $$;
my $Pid;                # of the nginx that runs, or undef
my $Seen = 0;           # bytes of error.log that were looked at
my ($Stopped, $StoppedName);    # checks for after the next stop
my $Conf = '';          # of the nginx that runs

$ENV{TEST_NGINX_SERVER_PORT} = $Port;
$ENV{TEST_NGINX_HTML_DIR} ||= "$Root/html";
$ENV{TEST_NGINX_SERVER_ROOT} ||= $Root;

$ENV{PATH} .= ':/usr/sbin:/sbin';
$SIG{PIPE} = 'IGNORE';


# in list context, a missing section is an empty list
sub each_of($$);
sub patterns($);
sub check_patterns($$$$$);


sub repeat_each { $Repeat = shift if @_; $Repeat }
sub no_shuffle { $NoShuffle = 1 }
sub no_long_string { }
sub workers { $Workers = shift if @_; $Workers }
sub master_on { $Master = 1 }
sub worker_connections { $Connections = shift if @_; $Connections }
sub log_level { $Level = shift if @_; $Level }
sub server_root { $Root }
sub html_dir { "$Root/html" }
sub server_port { $Port = $ClientPort = shift if @_; $Port }
sub server_port_for_client { $ClientPort = shift if @_; $ClientPort }
sub timeout { $Timeout = shift if @_; $Timeout }
sub env_to_nginx { push @Env, @_ }
sub add_block_preprocessor { unshift @Preprocessors, shift }
sub add_response_body_check { push @BodyChecks, shift }
sub add_cleanup_handler { unshift @Cleanups, shift }


sub bail_out {
    stop_nginx();
    Test::More::BAIL_OUT(join '', @_);
}


sub run_tests {
    my @blocks = Test::Base::blocks();

    @blocks = List::Util::shuffle(@blocks) unless $NoShuffle;

    run_block($_) for @blocks;

    finish();
    $_->() for @Cleanups;
    @Cleanups = ();
}


# Stops nginx, then checks what it logged at its end.
sub finish {
    my ($failed) = stop_nginx();

    return unless $Stopped;

    my ($no, $yes, $name) = @$Stopped;
    my @lines = log_lines("$Root/logs/error.log", 0);

    check_patterns($name, 'shutdown_error_log', $yes, \@lines, 1);
    check_patterns($name, 'no_shutdown_error_log', $no, \@lines, 0);
    $Stopped = undef;
}


sub run_block {
    my ($block) = @_;
    my $name = do { $0 =~ m{([^/]+)\z}; "$1 " } . $block->name;

    $block->set_value(name => $name);
    $_->($block) for @Preprocessors;

    for my $section (qw(config http_config main_config post_main_config
                        user_files response_body grep_error_log_out))
    {
        my $value = $block->$section;
        $block->set_value($section => expand($value, $name))
            if defined $value && !ref $value;
    }

    if (defined $block->skip_eval) {
        my ($n, $code) = $block->skip_eval =~ /\A\s*(\d+):\s*(.*)\z/s
            or bail_out("$name: bad skip_eval");
        if (eval $code) {
            my $builder = Test::Builder->new;
            $builder->skip("skip_eval") for 1 .. $n;
            return;
        }
    }

    return check_death($block, $name) if defined $block->must_die;

    if (defined $block->config) {
        finish();
        start_nginx($block, $name);
    }

    if (defined $block->shutdown_error_log
        || defined $block->no_shutdown_error_log)
    {
        $Stopped = [ scalar $block->no_shutdown_error_log,
                     scalar $block->shutdown_error_log, $name ];
    }

    # a block without a configuration sees what nginx logged in earlier blocks
    $Seen = 0;

    run_requests($block, $name, $_) for 0 .. $Repeat - 1;
}


sub expand {
    my ($text, $name) = @_;

    $text =~ s/\$(TEST_NGINX_\w+)/expand_one($1, $name)/ge;

    return $text;
}


sub expand_one {
    my ($var, $name) = @_;

    bail_out("$name: \$$var is not in the environment")
        unless defined $ENV{$var};

    return $ENV{$var};
}


# nginx

sub write_conf {
    my ($block) = @_;

    File::Path::remove_tree($Root) unless $UseHup && $Pid;
    File::Path::make_path(map { "$Root/$_" } qw(conf logs html tmp));

    my $text = sub { my $v = shift; defined $v ? "$v\n" : '' };
    my $modules = join '', map { "load_module \"$_\";\n" }
        grep { /\S/ } split /\n/, $ENV{TEST_NGINX_LOAD_MODULES} || '';
    my $user = $> == 0 ? "user root;\n" : '';
    my $env = join '', map { "env $_;\n" } @Env;
    my $location = defined $block->no_root_location ? ''
        : "location / { root $Root/html; index index.html index.htm; }\n";
    my $temp = join '', map { "${_}_temp_path $Root/tmp/$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);

    my $conf = "worker_processes $Workers;\n"
        . "daemon on;\nmaster_process " . ($Master ? 'on' : 'off') . ";\n"
        . "error_log $Root/logs/error.log "
        . ($block->log_level || $Level) . ";\n"
        . "pid $Root/logs/nginx.pid;\n$user$env$modules"
        . $text->($block->main_config)
        . "http {\naccess_log $Root/logs/access.log;\n"
        . "default_type text/plain;\nkeepalive_timeout 68;\n$temp"
        . $text->($block->http_config)
        . "server {\nlisten $Port;\nserver_name localhost;\n"
        . "client_max_body_size 30M;\n"
        . $text->($block->config) . "$location}\n}\n"
        . $text->($block->post_main_config)
        . "events {\naccept_mutex off;\nworker_connections $Connections;\n}\n";

    spew("$Root/conf/nginx.conf", $conf);
    user_files($block->user_files) if defined $block->user_files;

    return $conf;
}


sub user_files {
    my ($text) = @_;
    my @parts = split /^>>> +(\S+)[^\n]*\n/m, $text;

    shift @parts;

    while (my ($file, $body) = splice @parts, 0, 2) {
        $file = "$Root/html/$file" unless $file =~ m{^/};
        my ($dir) = $file =~ m{(.*)/};
        File::Path::make_path($dir);
        spew($file, defined $body ? $body : '');
    }
}


sub spew {
    my ($file, $text) = @_;

    open(my $fh, '>:raw', $file) or bail_out("$file: $!");
    print $fh $text;
    close($fh) or bail_out("$file: $!");
}


sub slurp {
    my ($file) = @_;

    open(my $fh, '<:raw', $file) or return '';
    local $/;
    my $text = <$fh>;

    return defined $text ? $text : '';
}


sub command {
    return ($ENV{TEST_NGINX_BINARY} || 'nginx', '-p', "$Root/", '-c',
            "$Root/conf/nginx.conf", '-e', "$Root/logs/error.log");
}


sub start_nginx {
    my ($block, $name) = @_;

    write_conf($block);

    if ($UseHup && $Pid) {
        kill HUP => $Pid;
        Time::HiRes::sleep(0.2);
        return;
    }

    # a socket of the last nginx may still be there for a moment
    my $status = system(command());
    bail_out("$name: nginx doesn't start:\n"
             . slurp("$Root/logs/error.log")) if $status != 0;

    until_true(60, sub { slurp("$Root/logs/nginx.pid") =~ /\A(\d+)\n/ })
        or bail_out("$name: nginx wrote no pid file");
    ($Pid) = slurp("$Root/logs/nginx.pid") =~ /(\d+)/;

    until_true(60, sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                              PeerPort => $ClientPort);
    }) or bail_out("$name: nothing listens on port $ClientPort:\n"
                   . slurp("$Root/logs/error.log"));
}


sub alive {
    my ($pid) = @_;

    return 0 unless kill 0, $pid;

    # where pid 1 reaps no orphans, an ended process stays
    return slurp("/proc/$pid/stat") !~ /\A\d+ \(.*\) Z/;
}


sub stop_nginx {
    return unless $Pid && $$ == $Owner;

    my $pid = slurp("$Root/logs/nginx.pid") =~ /(\d+)/ ? $1 : $Pid;
    my @pids = ($pid, children($pid));

    $Pid = undef;

    for my $try ([ QUIT => 30 ], [ TERM => 30 ], [ KILL => 30 ]) {
        my ($signal, $seconds) = @$try;

        kill $signal, $signal eq 'KILL' ? @pids : $pid;
        return if until_true($seconds, sub {
            !grep { alive($_) } @pids;
        });
        Test::Base::diag("nginx ($pid) ignores $signal for $seconds s");
    }
}


sub children {
    my ($pid) = @_;
    my $list = slurp("/proc/$pid/task/$pid/children");

    return split ' ', $list;
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


sub check_death {
    my ($block, $name) = @_;

    finish();
    write_conf($block);

    # a SIGCHLD handler of a test must not take the status
    my $pid = fork();
    bail_out("fork: $!") unless defined $pid;

    if ($pid == 0) {
        if (defined $block->suppress_stderr || !$Verbose) {
            open(STDERR, '>', "$Root/logs/stderr.log");
        }
        exec(command()) or POSIX::_exit(0);
    }

    waitpid($pid, 0);
    my $status = $? >> 8;
    my $want = $block->must_die;

    if (defined $want && $want =~ /\A\d+\z/) {
        Test::Base::is($status, $want, "$name - must die with $want");

    } else {
        Test::Base::ok($status != 0, "$name - must die");
    }

    if ($status == 0
        && slurp("$Root/logs/nginx.pid") =~ /(\d+)/)
    {
        $Pid = $1;
        stop_nginx();
    }

    my @lines = log_lines("$Root/logs/error.log", 0);
    check_log_sections($block, $name, \@lines, []);
}


# requests

sub run_requests {
    my ($block, $name, $repeat) = @_;
    my @requests = requests($block, $name);

    for my $i (0 .. $#requests) {
        my $label = @requests > 1 ? "$name - req $i" : $name;
        my ($bytes, $early) = talk($block, $label, $requests[$i]);
        my $response = parse_response($bytes);

        check_response($block, $label, $response, $i, $repeat, \@requests)
            unless defined $block->ignore_response;

        Time::HiRes::sleep($block->wait) if defined $block->wait;
        Time::HiRes::sleep(0.045);

        my $file = "$Root/logs/error.log";
        my (@lines, @access);

        until_true($Timeout, sub {
            @lines = log_lines($file, $Seen);
            @access = log_lines("$Root/logs/access.log", 0);
            logged($block, \@lines, \@access);
        });
        $Seen += length join '', @lines;

        check_log_sections($block, $label, \@lines, \@access);
    }
}


sub each_of($$) {
    my ($value, $i) = @_;

    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}


sub requests {
    my ($block, $name) = @_;

    if (defined $block->raw_request) {
        my $raw = $block->raw_request;
        my $delay = $block->raw_request_middle_delay || 0;
        my @packets = ref $raw eq 'ARRAY' ? @$raw : ($raw);

        return [ map { [ $packets[$_], $_ ? $delay : 0 ] } 0 .. $#packets ];
    }

    my $request = $block->request;

    if (!defined $request) {
        my $list = $block->pipelined_requests;
        bail_out("$name: no request") unless defined $list;
        my $all = '';
        for my $i (0 .. $#$list) {
            $all .= make_request($block, $list->[$i], $i,
                                 $i == $#$list ? 'close' : 'keep-alive');
        }
        return [ [ $all, 0 ] ];
    }

    my @list = ref $request eq 'ARRAY' ? @$request : ($request);
    my $i = 0;

    return map { [ [ make_request($block, $_, $i++, 'close'), 0 ] ] } @list;
}


sub make_request {
    my ($block, $text, $i, $connection) = @_;

    if (ref $text eq 'ARRAY') {
        $text = join '', map { ref $_ ? $_->{value} : $_ } @$text;
    }

    $text =~ s/\A(?:\s+|#[^\n]*\n)+//;
    my ($line, $body) = split /\r?\n/, $text, 2;
    my ($method, $url, $version) = split ' ', $line;

    $url = '/' unless defined $url;
    $version = 'HTTP/1.1' unless defined $version;
    $body = '' unless defined $body;

    my $more = each_of($block->more_headers, $i);
    $more = '' unless defined $more;
    my $head = "$method $url $version\r\n";

    $head .= "Host: localhost\r\n" unless $more =~ /^Host:/mi;
    $head .= "Connection: $connection\r\n" unless $more =~ /^Connection:/mi;

    for my $header (split /\r?\n/, $more) {
        $head .= "$header\r\n" if $header =~ /\S/;
    }

    if ($body ne '' && $more !~ /^(?:Content-Length|Transfer-Encoding):/mi) {
        $body =~ s/\A\s+|\s+\z//g;
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }

    return "$head\r\n$body";
}


sub seconds {
    my ($value) = @_;

    return $1 / 1000 if $value =~ /\A([\d.]+)\s*ms\z/;
    return $1 if $value =~ /\A([\d.]+)\s*s?\z/;

    return 3;
}


sub talk {
    my ($block, $name, $packets) = @_;
    my $limit = seconds(defined $block->timeout ? $block->timeout : $Timeout);
    my $bytes = '';

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $ClientPort, Proto => 'tcp');

    if (!$socket) {
        Test::Base::ok(0, "$name - connect to $ClientPort: $!");
        return $bytes;
    }

    for my $packet (@$packets) {
        my ($value, $delay) = @$packet;
        Time::HiRes::sleep($delay) if $delay;
        my $at = 0;
        while ($at < length $value) {
            my $n = syswrite($socket, $value, length($value) - $at, $at);
            last unless defined $n;
            $at += $n;
        }
    }

    if (defined $block->shutdown) {
        shutdown($socket, $block->shutdown =~ /\A(\d)/ ? $1 : 1);
    }

    my $select = IO::Select->new($socket);

    while (1) {
        if (!$select->can_read($limit)) {
            Test::Base::ok(0, "$name - no answer for $limit s")
                unless defined $block->abort;
            last;
        }

        my $n = sysread($socket, $bytes, 65536, length $bytes);
        last unless $n;
    }

    close($socket);

    return $bytes;
}


sub parse_response {
    my ($bytes) = @_;
    my ($raw, $body) = split /\r\n\r\n/, $bytes, 2;
    my (%headers, $status);

    return { raw => '', body => '', headers => {} } unless defined $body;

    my ($first, @lines) = split /\r\n/, $raw;
    ($status) = $first =~ m{\AHTTP/\d\.\d (\d+)};

    for my $line (@lines) {
        my ($key, $value) = $line =~ /\A([^:]+):\s*(.*?)\s*\z/ or next;
        push @{$headers{lc $key}}, $value;
    }

    if ($status && $status != 101 && $status != 304
        && join(',', @{$headers{'transfer-encoding'} || []}) =~ /chunked/)
    {
        $body = unchunk($body);
    }

    return { raw => "$raw\r\n", body => $body, headers => \%headers,
             status => $status };
}


sub unchunk {
    my ($body) = @_;
    my $out = '';

    while ($body =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $n = hex $1;
        last if $n == 0;
        $out .= substr($body, 0, $n, '');
        $body =~ s/\A\r\n//;
    }

    return $out;
}


# checks

sub check_response {
    my ($block, $name, $response, $i, $repeat, $requests) = @_;
    my $status = defined $response->{status} ? $response->{status} : '';

    if (defined $block->error_code_like) {
        my $re = each_of($block->error_code_like, $i);
        Test::Base::like($status, qr/$re/, "$name - status code");

    } else {
        my $want = each_of($block->error_code, $i);
        Test::Base::is($status, defined $want ? $want : 200,
                       "$name - status code");
    }

    my $like = each_of($block->raw_response_headers_like, $i);
    Test::Base::like($response->{raw}, qr/$like/s,
                     "$name - raw response headers") if defined $like;

    my $unlike = each_of($block->raw_response_headers_unlike, $i);
    Test::Base::unlike($response->{raw}, qr/$unlike/s,
                       "$name - raw response headers") if defined $unlike;

    check_headers($block, $name, $response, $i);
    check_body($block, $name, $response, $i);

    for my $check (@BodyChecks) {
        die "$name: no response, so the body can't be checked\n"
            unless $response->{status};
        $check->($block, $response->{body}, $i, $repeat, 0);
    }
}


sub check_headers {
    my ($block, $name, $response, $i) = @_;
    my $exact = each_of($block->response_headers, $i);
    my $list = defined $exact ? $exact
                              : each_of($block->response_headers_like, $i);

    return unless defined $list;

    for my $line (split /\n/, $list) {
        next unless $line =~ /\S/;

        if ($line =~ /\A\s*!\s*([^:\s]+)/) {
            Test::Base::ok(!$response->{headers}{lc $1},
                           "$name - header $1 absent");
            next;
        }

        my ($key, $want) = $line =~ /\A\s*([^:\s]+):\s*(.*?)\s*\z/ or next;
        my $got = join ', ', @{$response->{headers}{lc $key} || []};

        if (defined $exact) {
            Test::Base::is($got, $want, "$name - header $key");

        } else {
            Test::Base::like($got, qr/^(?:$want)$/, "$name - header $key");
        }
    }
}


sub check_body {
    my ($block, $name, $response, $i) = @_;
    my $body = $response->{body};
    my $filter = each_of($block->response_body_filters, $i);

    $body = $filter->($body) if ref $filter eq 'CODE';

    my $want = each_of($block->response_body, $i);

    if (defined $want) {
        if (ref $want) {
            Test::Base::like($body, $want, "$name - response body");

        } else {
            Test::Base::is($body, $want, "$name - response body");
        }

        return;
    }

    my $like = each_of($block->response_body_like, $i);

    if (defined $like) {
        $like =~ s/\n\z// unless ref $like;
        Test::Base::like($body, qr/$like/s, "$name - response body");
        return;
    }

    my $unlike = each_of($block->response_body_unlike, $i);

    if (defined $unlike) {
        $unlike =~ s/\n\z// unless ref $unlike;
        Test::Base::unlike($body, qr/$unlike/s, "$name - response body");
    }
}


sub log_lines {
    my ($file, $from) = @_;

    return split /(?<=\n)/, substr(slurp($file), $from);
}


sub patterns($) {
    my ($value) = @_;

    return () unless defined $value;
    return @$value if ref $value eq 'ARRAY';
    return ($value) if ref $value;

    return grep { /\S/ } split /\n/, $value;
}


sub matches {
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ $pattern : index($line, $pattern) >= 0;
}


# All lines are there that a block waits for.
sub logged {
    my ($block, $lines, $access) = @_;

    for ([ scalar $block->error_log, $lines ], [ scalar $block->access_log, $access ]) {
        my ($value, $has) = @$_;

        for my $pattern (patterns($value)) {
            return 0 unless grep { matches($_, $pattern) } @$has;
        }
    }

    return 1;
}


sub check_patterns($$$$$) {
    my ($name, $section, $value, $lines, $want) = @_;

    for my $pattern (patterns($value)) {
        my @found = grep { matches($_, $pattern) } @$lines;

        if ($want) {
            Test::Base::ok(@found > 0, "$name - $section has \"$pattern\"")
                or Test::Base::diag(@$lines > 20 ? @$lines[-20 .. -1]
                                                 : @$lines);
            next;
        }

        if (@found == 0) {
            Test::Base::ok(1, "$name - $section: no \"$pattern\"");
        }

        Test::Base::ok(0, "$name - $section: \"$pattern\" in $_") for @found;
    }
}


sub check_log_sections {
    my ($block, $name, $lines, $access) = @_;

    if (defined $block->grep_error_log) {
        my $re = $block->grep_error_log;
        $re = ref $re ? $re : qr/\Q$re\E/;
        my $got = join '', map { "$_\n" } join('', @$lines) =~ /($re)/g;
        my $want = $block->grep_error_log_out;
        Test::Base::is($got, defined $want ? $want : '',
                       "$name - grep_error_log");
    }

    check_patterns($name, 'error_log', $block->error_log, $lines, 1);
    check_patterns($name, 'no_error_log', $block->no_error_log, $lines, 0);
    check_patterns($name, 'access_log', $block->access_log, $access, 1);
    check_patterns($name, 'no_access_log', $block->no_access_log, $access, 0);

    my $asked = join ' ', map { "$_" } patterns($block->error_log);

    for my $line (@$lines) {
        if ($line =~ /Assertion .* failed/) {
            Test::Base::ok(0, "$name - $line");
        }

        next unless $line =~ /\[(alert|crit|emerg)\]/;
        next if defined $block->must_die || $asked =~ /\b$1\b/;
        Test::Base::diag("$name: WARNING: $line");
    }
}


END {
    if ($$ == $Owner) {
        my $status = $?;
        stop_nginx();
        $_->() for @Cleanups;
        File::Path::remove_tree($Root)
            if -d $Root && !$ENV{TEST_NGINX_NO_CLEAN} && $status == 0
               && Test::Builder->new->is_passing;
        $? = $status;
    }
}


1;
