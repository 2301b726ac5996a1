#!/usr/bin/perl
# Copyright (C) The im authors
#
# What README.md and docs/ show is run: each nginx block by nginx -t, files of
# other programs by these, each line of curl and redis-cli against what `make run
# COMPAT=1` starts, the sh blocks of a page one after the other in one shell.
# Each other block has a test that runs it.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::Im::Cert qw(certificates);
use Test::Im::Client;
use Test::Im::Docs qw(blocks commands pages);
use Test::Im::File qw(slurp spew);
use Test::Im::Jwt;
use Test::Im::Nginx qw(foreign);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $top = Cwd::cwd();
my $build = $ENV{IM_BUILD} || "$top/build";
my $port = ports();
my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $dir = File::Temp::tempdir('im-docs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my %compat = (1999 => $port + 1, 8911 => $port + 2, 6921 => $port + 3,
              8080 => $port + 4);
my @blocks = map { blocks($_) } pages();
my $nchan = '/usr/lib/nginx/modules/ngx_nchan_module.so';
my $run;

$ENV{PATH} .= ':/usr/sbin:/sbin';

# the sanitizers of a module in a stock nginx, for `make run` too
if ($ENV{IM_PRELOAD}) {
    mkdir "$dir/bin";
    open(my $fh, '>', "$dir/bin/nginx") or die "$dir/bin/nginx: $!\n";
    print $fh "#!/bin/sh\nPATH=\${PATH#$dir/bin:}\n"
        . "exec env LD_PRELOAD=\"$ENV{IM_PRELOAD}\" "
        . "ASAN_OPTIONS=detect_leaks=0 $binary \"\$@\"\n";
    close $fh;
    chmod 0755, "$dir/bin/nginx";
    $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    $binary = "$dir/bin/nginx";
}


sub jwt_key {
    my ($algorithm) = @_;

    Test::Im::Jwt::folder($dir);

    return Test::Im::Jwt::key($algorithm =~ /^H/ ? 'hs'
                              : $algorithm eq 'jwks' ? 'set.rs'
                              : lc "$algorithm.pub" =~ s/^rs\d+/rs/ir);
}


# Files that pages name in /etc/im are here.
sub etc {
    my ($text) = @_;

    make_path("$dir/etc");
    spew("$dir/etc/redis-ca.pem", slurp(certificates("$dir/tls") . '/ca.pem'))
        if $text =~ /redis-ca/ && !-e "$dir/etc/redis-ca.pem";

    for my $file (qw(redis.password keys api.keys)) {
        next if -e "$dir/etc/$file";
        spew("$dir/etc/$file", "0123456789abcdef\n");
        chmod 0600, "$dir/etc/$file";
    }

    return $text =~ s{/etc/im/}{$dir/etc/}gr;
}


sub nginx_ok {
    my ($text, $name) = @_;

    # a block may be a whole file, http{}, lines of http or of a server, or
    # lines beside http
    if ($text =~ /^\s*events \{/m && $text !~ /^\s*http \{/m) {
        $text .= "http {}\n";
    }

    $text = "server {\n$text\n}"
        if $text =~ /\blocation / && $text !~ /\b(?:http|server) \{/;
    $text = "http {\n"
        . ($text =~ /^\s*upstream im_logic /m ? ''
           : "upstream im_logic { server unix:/nowhere; }\n")
        . ($text =~ /^\s*im_redis /m ? '' : "im_redis unix:/nowhere;\n")
        . ($text =~ /^\s*im_room \*\s/m ? '' : "im_room * history=0;\n")
        . "$text\n}"
        unless $text =~ /^\s*http \{/m;
    $text = "events {}\n$text" unless $text =~ /^\s*events \{/m;
    $text =~ s/^load_module .*//mg;
    $text =~ s/\blisten\s+\S+;/listen unix:$dir\/test.sock;/g;
    $text =~ s/\binclude im_params\b/include "$top\/conf\/im_params"/g;
    $text =~ s/(im_jwt_key\s+(\w+)\s+file=)[^\s;]+/$1 . jwt_key($2)/ge;
    $text =~ s/^(\s*http \{)/$1\naccess_log off; client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;/m;

    my @modules = grep { -e } "$build/ngx_im_module.so",
        $text =~ /\bnchan_/ ? $nchan : ();

    spew("$dir/nginx.conf", join '', map({ "load_module \"$_\";\n" } @modules),
         "pid $dir/nginx.pid;\n", etc($text));

    unlink "$dir/test.sock";
    my $out = `$binary -t -p $dir -c $dir/nginx.conf -e $dir/error.log 2>&1`;
    is($?, 0, $name) or diag($out, $text);
}


# by language

sub nginx {
    my ($text, $name) = @_;

    if ($text =~ /\bnchan_/ && (my $why = foreign($nchan))) {
      SKIP: { skip $why, 1 }
        return;
    }

    # one is enough for nginx
    my @each = $text =~ /\A(?:im_redis .*\n){2,}\z/ ? $text =~ /^.*\n/mg : $text;

    nginx_ok($_, $name) for @each;
}


sub json {
    my ($text, $name) = @_;

    ok(eval { JSON::PP->new->utf8->decode($text); 1 }, "$name is JSON")
        or diag($@);
}


# a file of a daemon
sub conf {
    my ($text, $name) = @_;
    my ($program) = $text =~ m{\A# /etc/im/(logic|job)\.conf$}m
        or return fail("$name: names its file");

    spew("$dir/daemon.conf", etc($text));
    chmod 0600, "$dir/daemon.conf";
    runs($name, "$build/im_$program -t -c $dir/daemon.conf");
}


# lines of redis.conf, or of a sentinel's: a server starts with them
sub redis {
    my ($text, $name) = @_;
    my $folder = "$dir/redis";
    my @sentinel = $text =~ /^sentinel /m ? '--sentinel' : ();

    system('rm', '-rf', $folder);
    make_path($folder);
    spew("$folder/conf", "port 0\ndir $folder\nunixsocket $folder/socket\n"
         . "save \"\"\n$text");

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>', "$folder/log");
        open(STDERR, '>&', \*STDOUT);
        exec('redis-server', "$folder/conf", @sentinel) or POSIX::_exit(127);
    }

    my ($ended, $socket, $answer);

    until_true(sub {
        $ended = waitpid($pid, POSIX::WNOHANG()) == $pid;
        $socket = IO::Socket::UNIX->new("$folder/socket");
        $ended || $socket;
    });
    $answer = print($socket "PING\r\n") && readline $socket if $socket;
    like($answer, qr/^\+PONG/, $name) or diag(slurp("$folder/log"));

    kill 'KILL', $pid unless $ended;
    waitpid($pid, 0);
}


sub sysctl {
    my ($text, $name) = @_;
    my @keys = $text =~ /^([\w.-]+) = \d[\d ]*$/mg;

    # a network of its own may not have all of net
    is(join(' ', grep { !-e "/proc/sys/" . tr{.}{/}r && !/^net\.core\./ } @keys),
       '', "$name: Linux has these");
    is(@keys, $text =~ tr/\n// - 1, "$name: and no other lines");
}


# its command, with what it fetches in a file
sub cron {
    my ($text, $name) = @_;
    my ($when, $command) = $text =~ m{^(\S+(?: \S+){4}) [\w-]+ (.*)$}m;

    like($when, qr{^[*\d/, -]+$}, "$name: when");
    spew("$dir/jwks.json", '{"keys":[]}');
    $command =~ s{https://\S+}{file://$dir/jwks.json};
    $command =~ s{/var/lib/im}{$dir}g;
    runs($name, $command);
    is(slurp("$dir/provider.json"), '{"keys":[]}', "$name: the file is there");
}


# Lines of a page, and what is shown of their answers; these are run further down.
sub lines {
    my ($text, $name) = @_;
    my @commands = commands($text);

    return if $text =~ /\ASyntax: |\Apython3 - <</;

    while (@commands && $commands[0] !~ /^[{"]/) {
        my $command = shift @commands;

        if ($command =~ /^im_(logic|job) +--/) {
            runs("$name: $command",
                 etc("$build/" . ($command =~ s/ *&\z//r) . ' -t'));

        } elsif ($command =~ /^make /) {
            runs("$name: $command", "make -n -C '$top' " . substr $command, 5);

        } elsif ($command !~ /^curl .*127\.0\.0\.1:(?:8080|3111)|^redis-cli /) {
            return fail("$name: no test runs \"$command\"");
        }
    }

    return unless @commands;

    my $answers = join "\n", @commands;

    ok(eval { my @all = JSON::PP->new->utf8->incr_parse($answers); 1 },
       "$name: JSON") or diag($@);
}


# The names in the first JSON text, and those in its data.
sub members {
    my ($text) = @_;
    my $value = eval {
        JSON::PP->new->utf8->incr_parse($text =~ s/\Acurl .*\n\s*//r);
    };
    my $data = ref $value eq 'HASH' ? $value->{data} || $value->{result} : '';

    return join ' ', map { sort keys %$_ } grep { ref eq 'HASH' } $value, $data;
}


sub runs {
    my ($name, $command) = @_;

    delete local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};

    my $out = `($command) 2>&1`;
    is($?, 0, $name) or diag($out);
}


sub until_true {
    my ($code) = @_;
    my $end = time() + 60;

    while (time() < $end) {
        return 1 if $code->();
        sleep 0.05;
    }

    return 0;
}


# The calls of block() in other tests, by page.
sub claims {
    my %claims;

    for my $file (split /\n/, `find t -name node_modules -prune -o -type f -print`) {
        next if $file =~ m{/(?:corpus|unit)/|/docs\.t\z|/Docs\.pm\z};

        my $text = slurp($file);
        push @{$claims{$1}}, $3
            while $text =~ /\bblock\('([^']+)',\s+(['"])(.+?)\2\)/g;
    }

    return %claims;
}

my %claims = claims();
my %runs = (nginx => \&nginx, json => \&json, conf => \&conf, redis => \&redis,
            sysctl => \&sysctl, cron => \&cron, '' => \&lines);

cmp_ok(scalar(map { @$_ } values %claims), '>', 20, 'other tests run blocks');

for my $block (@blocks) {
    my ($language, $text) = @{$block}{qw(language text)};
    my $name = "$block->{page}:$block->{line}: " . ($language || 'lines');
    my @others = grep { $text =~ /^\Q$_\E/m } @{$claims{$block->{page}} || []};

    next if $language eq 'text' || $language eq 'sh';

    $block->{other} = @others;

    if ($runs{$language} && ($language eq 'nginx' || !@others)) {
        $runs{$language}->($text, $name);

    } else {
        ok(@others > 0, "$name: a test runs it") or diag($text);
    }
}


$run = fork();
die "fork: $!\n" unless defined $run;

if ($run == 0) {
    $ENV{PORT} = $port;
    $ENV{WORKERS} = 1;
    $ENV{COMPAT} = 1;
    $ENV{RUN} = "$dir/run";
    $ENV{COMPAT_PORTS} = join ' ', map { $compat{$_} } 1999, 8911, 6921, 8080;
    open(STDOUT, '>', "$dir/run.log");
    open(STDERR, '>&', \*STDOUT);
    exec("$top/conf/run", $build);
    exit 127;
}

until_true(sub { slurp("$dir/run.log") =~ /^ready:/m });
like(slurp("$dir/run.log"), qr/^ready: http/m, 'make run is ready');

# beside it, what few pages have
my $stack = Test::Im::Stack->new(build => $build, workers => 1,
    port => $port + 5, logic => [ '--goim-domain=conn.example.com' ],
    server => <<"EOF");
        location /goim/ { fastcgi_pass im_logic; include "$top/conf/im_params"; }
        location = /echo { im_comet protocol=echo; }
EOF

$stack->start($_) for $stack->all;
ok($stack->ready, 'another one is ready');

# redis-cli asks that of `make run`, which is no cluster (-c)
make_path("$dir/bin");
spew("$dir/bin/redis-cli", "#!/bin/sh\n[ \"\$1\" != -c ] || shift\n"
     . "exec /usr/bin/redis-cli -s '$dir/run/redis.sock' \"\$@\"\n");
chmod 0755, "$dir/bin/redis-cli";

# the user of whom docs/api.md asks
my $client = Test::Im::Client->new(port => $port);

runs('a login', "$dir/bin/redis-cli HSET im_9f2c4d1e8a7b6c50 "
     . 'UserId u7 UserName Ann');
is($client->handshake('/ws'), 101, 'a session');
$client->write(Test::Im::Client::frame(1, '{"auth":"9f2c4d1e8a7b6c50",'
                                          . '"room":"1"}'));
ok(until_true(sub {
    `curl -s http://127.0.0.1:$port/im/rooms/1` =~ /"user":"u7"/;
}), 'of a user');

for my $block (@blocks) {
    my $text = $block->{text};

    next if $block->{language} ne '';

    if ($text =~ /^python3 - <</) {
      SKIP: {
            my ($python) = grep {
                system("$_ -c 'import websockets' 2> /dev/null") == 0
            } qw(python3 /usr/bin/python3);

            skip 'no websockets', 1 unless $python;

            runs("$block->{page}: python3",
                 $text =~ s/127\.0\.0\.1:8080/127.0.0.1:$stack->{port}/r
                       =~ s/\Apython3/$python/r);
        }

        next;
    }

    for my $command (commands($text)) {
        my $shown = $command;
        my $name = "$block->{page}: $command";

        if ($command =~ s/^(curl .*)127\.0\.0\.1:8080/${1}127.0.0.1:$port/) {
            my $answer = `$command -s`;

            like($answer, qr/\A\{"(?:code":0|result|replies|node)/, $name);
            is(members($answer), members($text), "$name: as shown")
                if $text =~ /\A(?:curl .*\n)\n*\{/;

        } elsif ($command
                 =~ s/^(curl .*)127\.0\.0\.1:3111/${1}127.0.0.1:$stack->{port}/)
        {
            like(`$command -s`, qr/\A\{"code":0,/, $name);

        } elsif ($command =~ /^redis-cli / && !$block->{other}) {
            local $ENV{PATH} = "$dir/bin:$ENV{PATH}";

            runs($name, $command);
        }
    }
}

for my $page (pages()) {
    my $script = join '', map { $_->{text} }
        grep { $_->{page} eq $page && $_->{language} eq 'sh' } @blocks;

    next if $script eq '';

    $script =~ s/localhost:(\d+)/127.0.0.1:$compat{$1}/g;
    spew("$dir/page.sh", "set -e -o pipefail\n$script");
    runs("$page: sh blocks", "bash -x $dir/page.sh");
}

$stack->end(!$stack->stop_all);
kill 'TERM', $run;
waitpid($run, 0);
is($?, 0, 'and ends when told to');

# the log lines of a page are made of words that programs log; names in quotes, and
# what OpenSSL and the system say behind "TLS: " and a quoted name, are not theirs
my %logged = map { $_ => 1 } map { /[A-Za-z_]{4,}/g } map { /"((?:[^"\\\n]|\\.)*)"/g }
    map { slurp($_) =~ s/'"'//gr }
    glob('{ngx_im_module,im_logic}/{.,*}/*.[ch] im_{link,daemon,job,core}/*.[ch]');

for my $line (slurp('docs/troubleshooting.md') =~ /^\| `([^`|]+)` \| /mg) {
    my $ours = $line =~ s/(TLS: |listen on "\.\.\.": ).*//r;
    my @unknown = grep { !$logged{$_} }
        $ours =~ s/"[^"]*"//gr =~ /\b(?!REASON|NOPERM|slots=)[A-Za-z_]{4,}/g;

    is("@unknown", '', "troubleshooting.md: $line");
}

done_testing();
