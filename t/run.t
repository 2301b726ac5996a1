#!/usr/bin/perl
# Copyright (C) The im authors
#
# conf/run, which is `make run`: what it refuses, and which ports it serves
# with COMPAT=1.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use IO::Socket::INET;
use Test::Im::Ports qw(ports);
use Test::More;
use Time::HiRes qw(sleep time);

my $top = Cwd::cwd();
my $build = $ENV{IM_BUILD} || "$top/build";
my $port = ports();
my $dir = File::Temp::tempdir('im-run-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @compat = map { $port + $_ } 1 .. 4;
my $pid;

$ENV{PATH} .= ':/usr/sbin:/sbin';
chmod 0755, $dir;


sub slurp {
    my ($file) = @_;
    open(my $fh, '<', $file) or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}


sub start {
    my (%env) = @_;
    my $command = delete $env{command};

    unlink "$dir/log";
    $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        %ENV = (%ENV, PORT => $port, WORKERS => 1, RUN => "$dir/run", %env);
        open(STDOUT, '>', "$dir/log");
        open(STDERR, '>&', \*STDOUT);
        my @command = $command ? @$command : ("$top/conf/run", $build);
        exec({ $command[0] } @command);
        exit 127;
    }
}


sub refused {
    my ($name, $like, %env) = @_;

    start(%env);
    waitpid($pid, 0);
    isnt($?, 0, "$name: refused");
    like(slurp("$dir/log"), $like, "$name: the message");
}


sub ready {
    my ($name, %env) = @_;

    start(%env);

    my $end = time() + 60;
    sleep 0.1 until slurp("$dir/log") =~ /^ready:.*\n(?:.*\n)*\z/m
                    && (!$env{COMPAT} || slurp("$dir/log") =~ /^they find:.*\n/m)
                    || time() > $end;
    like(slurp("$dir/log"), qr/^ready: http/m, "$name: ready");
}


sub ended {
    my ($name) = @_;

    kill 'TERM', $pid;
    waitpid($pid, 0);
    is($?, 0, "$name: ends when told to");
}


sub get {
    my ($port, $path, @options) = @_;
    return scalar `curl -s -i --max-time 60 @options http://127.0.0.1:$port$path`;
}


refused('a port that is none', qr/PORT=x is not a number/, PORT => 'x');
refused('COMPAT', qr/COMPAT=yes is neither 0 nor 1/, COMPAT => 'yes');
refused('PAGES without COMPAT', qr/PAGES= is for COMPAT=1/, PAGES => $dir);
refused('three ports', qr/are not four ports/, COMPAT => 1,
        COMPAT_PORTS => '1 2 3');
refused('a port twice', qr/has $compat[0] twice/, COMPAT => 1,
        COMPAT_PORTS => "$compat[0] $compat[0] $compat[1] $compat[2]");
refused('a port too high', qr/COMPAT_PORTS=70000 is not between/,
        COMPAT => 1, COMPAT_PORTS => "70000 @compat[1 .. 3]");
refused('no pages there', qr/no index\.html that can be read/, COMPAT => 1,
        COMPAT_PORTS => "@compat", PAGES => $dir);

{
    my $other = IO::Socket::INET->new(Listen => 5, ReuseAddr => 1,
                                      LocalAddr => '127.0.0.1',
                                      LocalPort => $compat[2])
        or die "port $compat[2]: $!\n";

    refused('a taken port', qr/port $compat[2] of COMPAT=1 is taken/,
            COMPAT => 1, COMPAT_PORTS => "@compat");
}

open(my $fh, '>', "$dir/index.html") or die $!;
print $fh "a page of somebody's\n";
close $fh;

refused('the pages\' port as PORT', qr/port $port is the pages'/, COMPAT => 1,
        COMPAT_PORTS => "$port @compat[1 .. 3]", PAGES => $dir);

# four listeners beside the main one, and a folder of pages

ready('pages', COMPAT => 1, COMPAT_PORTS => "@compat", PAGES => $dir);
like(slurp("$dir/log"), qr/^pages: http:\/\/localhost:$compat[0]\/ \(\Q$dir\E\)/m,
     'it says which pages');
like(get($compat[0], '/'), qr/200 OK.*a page of somebody's/s,
     'somebody\'s pages');
is(sprintf('%04o', (stat "$dir/run")[2] & 07777), '0700',
   'no other user looks into the folder of the run');
is(join(' ', grep { (stat)[2] & 077 && -f }
        glob("$dir/run/redis/*/* $dir/run/redis.log $dir/run/logic.log")), '',
   'nor into files with tokens in them');
like(get($compat[1], '/ws'), qr/ 4\d\d /, 'a WebSocket location');
like(get($compat[1], '/'), qr/ 404 /, 'and nothing else');
like(get($compat[2], '/api/v1/count?rid=1', '-X POST'), qr/\{"code":0,/,
     'the API');
like(get($compat[2], '/im/push', '-d x'), qr/ 404 /, 'and nothing else');
like(get($compat[3], '/v1/user/check_auth', q(-d '{"Auth":"nobody"}')),
     qr/"code":-1004/, 'accounts');
like(get($port, '/'), qr/app\.js/, 'the chat page beside them');
like(get($port, '/v1/user/check_auth', q(-d '{"Auth":"nobody"}')),
     qr/"code":-1004/, 'its accounts');
unlike(join('', map { slurp("$dir/run/$_.log") } qw(error logic job)),
       qr/redis (?:has|hides|uses)/, 'no warning of Redis');
ended('pages');

# PORT is one of the four, as 8080 is by default; no pages

ready('one server for both', COMPAT => 1,
      COMPAT_PORTS => "@compat[0 .. 2] $port");
is(() = slurp("$dir/run/im-compat.conf") =~ /^server \{/mg, 2,
   'two servers beside the main one');
unlike(slurp("$dir/run/error.log"), qr/conflicting server name/,
       'none of them is in vain');
like(get($compat[0], '/'), qr/app\.js/, 'without pages, the chat page');
like(get($compat[0], '/v1/user/check_auth', q(-d '{"Auth":"nobody"}')),
     qr/"code":-1004/, 'and what it asks for');
like(get($port, '/v1/user/check_auth', q(-d '{"Auth":"nobody"}')),
     qr/"code":-1004/, 'accounts on the main port');
ended('one server for both');

# what nginx itself refuses has the form that the pages read

ready('limits', COMPAT => 1, COMPAT_PORTS => "@compat");
like(get($compat[2], '/api/v1/pushRoom?auth=x&rid=1',
         '-H "Content-Length: 99999"', '-d x'),
     qr/200 OK.*Access-Control-Allow-Origin: \*.*\{"code":-11,/s,
     'a body that is too long');
ended('limits');

# several servers instead of one Redis

refused('REDIS', qr/REDIS=x is neither sentinel nor cluster/, REDIS => 'x');

for my $kind (qw(sentinel cluster)) {
    ready($kind, REDIS => $kind);
    is(() = slurp("$dir/run/pids") =~ /^\d+ /mg, 9, "$kind: nine processes");
    like(get($port, '/im/push', '-H "Content-Type: application/json"',
             q(-d '{"rooms":["1"],"data":1}')), qr/200 OK.*"seq":1/s,
         "$kind: a push is accepted");
    ended($kind);
}

# a tree whose path nginx.conf and a shell would take for something else

my $odd = "$dir/a b#c";
mkdir $_ for $odd, "$odd/build", "$odd/t";
system('cp', '-r', 'conf', 'web', $odd);
system('cp', '-r', 't/lib', "$odd/t");
system('cp', '-r', grep({ -e } map { "$build/$_" }
                        qw(im_logic im_job ngx_im_module.so sbin)),
       "$odd/build");
ready('an odd path', command => [ "$odd/conf/run" ], RUN => '', COMPAT => 1,
      COMPAT_PORTS => "@compat", PAGES => $dir);
like(get($port, '/'), qr/app\.js/, 'the chat page of the odd path');
like(get($compat[0], '/'), qr/a page of somebody's/, 'pages beside it');
ended('an odd path');

# SIGTERM to make

ready('make run', command => [ 'make', 'run' ], MAKEFLAGS => '');
my @pids = slurp("$dir/run/pids") =~ /^(\d+) /mg;
is(scalar @pids, 4, 'four processes');
kill 'TERM', $pid;
waitpid($pid, 0);
my $end = time() + 60;
sleep 0.1 until !grep({ kill 0, $_ } @pids) || time() > $end;
is(scalar(grep { kill 0, $_ } @pids), 0, 'SIGTERM to make ends all of them');
ok(!-e "$dir/run/pids", 'in their order');

done_testing();
