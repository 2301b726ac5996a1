#!/usr/bin/perl
# Copyright (C) The im authors
#
# The file of the module changes below a running nginx: a reload goes on with the
# old one and says so, another binary takes the new one.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Copy qw(copy);
use File::Temp ();
use Test::Im::Daemon qw(until_true);
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::More;

$ENV{PATH} .= ':/usr/sbin:/sbin';

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
plan skip_all => 'the module is a part of nginx'
    unless -e "$build/ngx_im_module.so";
my $dir = File::Temp::tempdir('im-stale-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $port = ports();
my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $module = "$dir/ngx_im_module.so";
my $Owner = $$;

# nginx executes itself by the name that it was started with
$binary = (grep { -x } map { "$_/$binary" } split(/:/, $ENV{PATH}))[0]
    unless $binary =~ m{/};


sub master {
    my ($pid) = slurp("$dir/nginx.pid") =~ /(\d+)/;

    return $pid;
}


# It waits for signals once it has workers.
sub serves {
    my ($pid) = master();

    return $pid && slurp("/proc/$pid/task/$pid/children") ne '';
}


sub gone {
    my ($pid) = @_;

    return !-d "/proc/$pid";
}

END {
    if ($$ == $Owner) {
        my $status = $?;
        my $pid = master();
        if ($pid && kill('TERM', $pid)) {
            until_true(sub { gone($pid) });
        }
        $? = $status;
    }
}


sub another_file {
    copy("$build/ngx_im_module.so", "$module.new") or die "$module.new: $!\n";
    rename("$module.new", $module) or die "$module: $!\n";
}


# What a reload writes above the level "notice".
sub reload {
    my $before = slurp("$dir/error.log");
    my $starts = () = $before =~ /start worker processes/g;

    kill 'HUP', master();
    until_true(sub {
        (() = slurp("$dir/error.log") =~ /start worker processes/g) > $starts;
    }) or diag(slurp("$dir/error.log"));

    return grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
        split /\n/, substr(slurp("$dir/error.log"), length $before);
}


spew("$dir/nginx.conf", "load_module \"$module\";\n"
     . ($> == 0 ? "user root;\n" : '')
     . join('', map { "env $_;\n" } qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS))
     . "worker_processes 1;\npid $dir/nginx.pid;\n"
     . "error_log $dir/error.log notice;\nevents {}\nhttp { access_log off;\n"
     . join('', map { "${_}_temp_path $dir/$_;\n" }
            qw(client_body proxy fastcgi uwsgi scgi))
     . "server { listen 127.0.0.1:$port;\n"
     . "location / { im_comet protocol=echo; } } }\n");

another_file();

# what nginx itself never frees is no finding
$ENV{LD_PRELOAD} = $ENV{IM_PRELOAD} if $ENV{IM_PRELOAD};
$ENV{ASAN_OPTIONS} .= ':detect_leaks=0' if $ENV{IM_PRELOAD};
is(system($binary, '-p', $dir, '-c', "$dir/nginx.conf", '-e',
          "$dir/error.log"), 0, 'nginx starts');
until_true(\&serves);
delete $ENV{LD_PRELOAD};

is_deeply([ reload() ], [], 'a reload with the file as it was');

another_file();

my $old = master();
my $re = qr/\[error\] $old#\d+: im: "\Q$module\E" has changed since nginx loaded it: a reload goes on with the old module; for the new one run "kill -USR2 $old" and then "kill -QUIT $old", or restart nginx/;

for (1, 2) {
    my @lines = reload();
    is(@lines, 1, 'with another file: one line') or diag(@lines);
    like($lines[0], $re, 'which says what to do');
}

rename($module, "$module.away");
like((reload())[0], qr/\[error\].*im: the file of the module, "\Q$module\E", can't be found: nginx goes on with what is loaded.*\(2: No such file/,
     'without the file');
rename("$module.away", $module);

kill 'USR2', $old;
ok(until_true(sub { my $new = master(); $new && $new != $old && serves() }),
   'another binary takes over') or diag(slurp("$dir/error.log"));
kill 'QUIT', $old;
ok(until_true(sub { gone($old) }), 'and the old one ends');

is_deeply([ reload() ], [], 'it has loaded the file that is there');

done_testing();
