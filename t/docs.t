#!/usr/bin/perl
# Copyright (C) The im authors
#
# What README.md and docs/ show is run: each nginx block by nginx -t, each curl
# line against what `make run COMPAT=1` starts, the sh blocks of a page one after
# the other in one shell.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use Test::Im::Jwt;
use Test::Im::Ports qw(ports);
use Test::More;
use Time::HiRes qw(sleep time);

my $top = Cwd::cwd();
my $build = $ENV{IM_BUILD} || "$top/build";
my $port = ports();
my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $dir = File::Temp::tempdir('im-docs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @pages = ('README.md', sort glob('docs/*.md'));
my %compat = (1999 => $port + 1, 8911 => $port + 2, 6921 => $port + 3,
              8080 => $port + 4);
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


sub slurp {
    my ($file) = @_;
    open(my $fh, '<', $file) or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}


sub jwt_key {
    my ($algorithm) = @_;

    Test::Im::Jwt::folder($dir);

    return Test::Im::Jwt::key($algorithm =~ /^H/ ? 'hs'
                              : $algorithm eq 'jwks' ? 'set.rs'
                              : lc "$algorithm.pub" =~ s/^rs\d+/rs/ir);
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

    open(my $fh, '>', "$dir/nginx.conf") or die "$dir/nginx.conf: $!\n";
    print $fh -e "$build/ngx_im_module.so"
        ? "load_module \"$build/ngx_im_module.so\";\n" : '', "pid $dir/nginx.pid;\n"
        . $text;
    close $fh;

    unlink "$dir/test.sock";
    my $out = `$binary -t -p $dir -c $dir/nginx.conf -e $dir/error.log 2>&1`;
    is($?, 0, $name) or diag($out, $text);
}


for my $page (@pages) {
    my $text = slurp($page);
    my $n = 0;

    while ($text =~ /^```nginx\n(.*?)^```/msg) {
        nginx_ok($1, "$page: nginx block " . ++$n);
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

my $end = time() + 30;
sleep 0.2 until slurp("$dir/run.log") =~ /^ready:/m || time() > $end;
like(slurp("$dir/run.log"), qr/^ready: http/m, 'make run is ready');

for my $page (@pages) {
    my $text = slurp($page);

    $text =~ s/ *\\\n\s*/ /g;

    while ($text =~ /^ *(curl .*127\.0\.0\.1:8080.*)$/mg) {
        my $command = $1;

        $command =~ s/127\.0\.0\.1:8080/127.0.0.1:$port/g;
        my $answer = `$command -s`;
        like($answer, qr/\A\{"(?:code":0|result|replies|node)/, "$page: $command");
    }
}

for my $page (@pages) {
    my $text = slurp($page);
    my $script = '';

    $script .= $1 while $text =~ /^```sh\n(.*?)^```/msg;
    next if $script eq '';

    $script =~ s/localhost:(\d+)/127.0.0.1:$compat{$1}/g;

    open(my $fh, '>', "$dir/page.sh") or die "$dir/page.sh: $!\n";
    print $fh "set -e -o pipefail\n$script";
    close $fh;

    my $out = `bash -x $dir/page.sh 2>&1`;
    is($?, 0, "$page: sh blocks") or diag($out);
}

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
