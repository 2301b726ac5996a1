#!/usr/bin/perl
# Copyright (C) The im authors
#
# Where the sockets of im_handover may be: `nginx -t` tries it and leaves nothing
# behind, and no other file gets the workers' user as its owner.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use Test::Im::Daemon qw(until_true);
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::More;

$ENV{PATH} .= ':/usr/sbin:/sbin';

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
my $root = File::Temp::tempdir('im-sockets-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $port = ports();
my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $load = -e "$build/ngx_im_module.so" ? "load_module $build/ngx_im_module.so;\n" : '';
my ($n, $master) = (0);

chmod 0755, $root;

END {
    my $status = $?;
    kill 'KILL', $master if $master;
    $? = $status;
}


# A prefix of its own.
sub prefix {
    my $dir = "$root/" . ++$n;

    mkdir $_ or die "$_: $!\n" for $dir, "$dir/sockets";
    return $dir;
}


sub nginx {
    my ($dir, $handover, $command) = @_;

    spew("$dir/nginx.conf", $load . ($> == 0 ? "user nobody nogroup;\n" : '')
         . "pid $dir/nginx.pid;\nerror_log $dir/error.log notice;\nevents {}\nhttp {\n"
         . join('', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi))
         . "access_log off;\n$handover\nserver { listen 127.0.0.1:$port; location / { im_comet protocol=echo; } } }\n");

    local $ENV{LD_PRELOAD} = join ' ', grep { $_ } $ENV{IM_PRELOAD}, $ENV{LD_PRELOAD};
    local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} || '') . ':detect_leaks=0';
    my $said = `$command -p $dir -c $dir/nginx.conf -e $dir/error.log 2>&1`;

    return ($? >> 8, $said . slurp("$dir/error.log"));
}

sub test {
    my ($dir, $handover, @by) = @_;

    return nginx($dir, $handover, "@by $binary -t");
}


sub files {
    my ($dir) = @_;

    return join ' ', map { s{.*/}{}r } glob("$dir/sockets/{.*,*}");
}


{
    my $dir = prefix();
    my $before = files($dir);
    my ($status, $said) = test($dir, "im_handover $dir/sockets/im;");

    is($status, 0, 'nginx -t accepts a folder') or diag($said);
    is(files($dir), $before, 'and leaves nothing there');
}

SKIP: {
    skip 'another user has no rights there', 2 if $>;
    my $dir = prefix();
    my ($status, $said) = test($dir, 'im_handover /proc/x;');

    is($status, 1, 'nginx -t refuses a folder that takes no sockets');
    like($said, qr{\[emerg\].* im_handover: "/proc/x" can't be made in "/proc" \(\d+: [\w ]+\): name a path in a directory that nginx can write to, such as /run/nginx\.im in }, 'and says so');
}

SKIP: {
    skip 'only root can be another user', 2 if $>;
    my $dir = prefix();

    chmod 0777, $dir;
    my ($status, $said) = test($dir, "im_handover $dir/sockets/im;", 'setpriv', '--reuid=65534', '--clear-groups');
    is($status, 1, 'nginx -t by a user without rights there');
    like($said, qr{\[emerg\].* im_handover: "\S+/im" can't be made in "\S+/sockets" by user 65534 \(13: Permission denied\)}, 'says by whom');
}

{
    my $dir = prefix();

    chmod 0777, "$dir/sockets";
    my ($status, $said) = test($dir, "im_handover $dir/sockets/im;");
    is($status, 1, 'nginx -t refuses a folder that all can write to');
    like($said, qr{\[emerg\].* im_handover: "\S+/im" is in "\S+/sockets", where any user can replace it: take that right away, by "chmod o-w", or name a path such as /run/nginx\.im in }, 'and says so');

    chmod 01777, "$dir/sockets";
    ($status, $said) = test($dir, "im_handover $dir/sockets/im;");
    is($status, 0, 'but not if each can remove their own files alone') or diag($said);

    chmod 0777, $dir;
    ($status, $said) = test($dir, '');
    is($status, 0, 'nor the folder of the pid file') or diag($said);
    like($said, qr{\[notice\].* im_handover: "\S+/nginx\.im" is in "\S+", where any user can replace it: .*, or set "im_handover off"}, 'of which it says so');
}

SKIP: {
    skip 'only root gives files away', 4 if $>;
    my $dir = prefix();
    my $victim = "$dir/victim";

    spew($victim, 'secret');
    chmod 0600, $victim;

    {
        local $ENV{LD_PRELOAD} = "$build/t/swap.so";
        local $ENV{IM_SWAP} = $victim;
        my ($status, $said) = nginx($dir, "im_handover $dir/sockets/im;", $binary);
        ($master) = slurp("$dir/nginx.pid") =~ /(\d+)/;
        is($status, 0, 'nginx starts where another file takes the name of a socket') or diag($said);
    }

    is((stat $victim)[4], 0, 'it has its owner still');
    like(slurp("$dir/error.log"), qr{\[error\].* im_handover: a check of "\S+/im\.0" failed: sessions will not move to this worker; .* \(17: File exists\)}, 'the log says so');
    kill 'QUIT', $master;
    ok(until_true(sub { !-e "$dir/nginx.pid" }), 'nginx ends');
    undef $master;
}

done_testing();
