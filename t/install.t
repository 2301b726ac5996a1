#!/usr/bin/perl
# Copyright (C) The im authors
#
# What `make install` puts and `make uninstall` removes, units, man pages, and
# that debian/control needs what conf/packages installs.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use Test::Im::File qw(slurp spew);
use Test::More;

my $top = Cwd::cwd();
my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build') =~ s{^\Q$top\E/}{}r;
my $dir = File::Temp::tempdir('im-install-XXXXXX', TMPDIR => 1, CLEANUP => 1);

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};


sub make {
    my (@arguments) = @_;
    my $out = `make -s @{[ $build =~ /san/ ? 'SAN=1' : '' ]} @arguments 2>&1`;

    is($?, 0, "make @arguments") or diag($out);

    return $out;
}


# The files below a folder.
sub found {
    my ($folder) = @_;

    return sort map { s/^\Q$folder\E//r } split /\n/,
        `find '$folder' -type f`;
}


for my $prefix ('/usr', '/usr/local') {
    my $root = "$dir$prefix";
    my @listed = sort split /\n/,
        `PREFIX=$prefix BUILD=$build conf/install list`;

    make('install', "PREFIX=$prefix", "DESTDIR=$root");
    is_deeply([ found($root) ], \@listed, "$prefix: what conf/files lists");
    cmp_ok(scalar @listed, '>', 40, 'and that is a lot');
    is(scalar(grep { m{^$prefix/sbin/im_} && -x "$root$_" } @listed), 2,
       'both daemons');

    my ($unit) = grep { m{/im-logic\.service$} } @listed;
    like(slurp("$root$unit"), qr{^ExecStart=$prefix/sbin/im_logic }m,
         'units start them');
    like(slurp("$root$prefix/share/im/nginx.conf.example"),
         qr{root $prefix/share/im/web;}, 'the example shows their pages');

    # files of the owner

    spew("$root/etc/im/logic.conf", "redis 10.0.0.1;\n");
    like(make('install', "PREFIX=$prefix", "DESTDIR=$root"),
         qr{/etc/im/logic\.conf is kept}, 'a file that was changed');
    is(slurp("$root/etc/im/logic.conf"), "redis 10.0.0.1;\n", 'is kept');
    is(slurp("$root/etc/im/logic.conf.new"), slurp('conf/logic.conf'),
       'and the new one is beside it');

    like(make('uninstall', "PREFIX=$prefix", "DESTDIR=$root"),
         qr{/etc/im/logic\.conf was changed and is kept}, 'uninstall says so');
    is_deeply([ found($root) ], [ '/etc/im/logic.conf' ], 'it alone is left');
    unlink "$root/etc/im/logic.conf";
    make('uninstall', "PREFIX=$prefix", "DESTDIR=$root");
    is_deeply([ grep { -e "$root$_" } '/etc/im', "$prefix/share/im",
                "$prefix/share/doc/im" ], [], 'no folder of im is left');
}

make('install', 'PARTS=doc', "DESTDIR=$dir/doc");
is_deeply([ grep { !m{^/usr/share/doc/} } found("$dir/doc") ], [],
          'one part alone');

# man pages can't lag behind

for my $program (qw(im_logic im_job)) {
    my $page = slurp("$build/man/$program.8");
    my @options = `$build/$program --help` =~ /^  (-\S.*?)(?:  |$)/mg;
    my @shown = $page =~ /^\.TP\n\\fB(\\-.*)\\fR$/mg;

    s/\\-/-/g for @shown;
    is_deeply(\@shown, \@options, "$program(8) has the options of --help");
    cmp_ok(scalar @options, '>', 10, 'and there are some');
}

my $page = slurp("$build/man/ngx_im_module.5") =~ s/\\-/-/gr;
my @directives = slurp('ngx_im_module/ngx_im_module.c')
    =~ /^    \{ ngx_string\("(im_\w+)"\),\n/mg;
my %sections = map { $_ => 1 } $page =~ /^\.S[HS] .*?(im_\w+)/mg;

cmp_ok(scalar @directives, '>', 15, 'there are directives');
is_deeply([ grep { !$sections{$_} } @directives ], [],
          'ngx_im_module(5) has a section for each');

SKIP: {
    skip 'man(1) is not there', 1 if system('command -v man > /dev/null') != 0;

    my $man = 'LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -Tutf8 -l';
    my @warned = map { `$man '$_' 2>&1 > /dev/null` } glob("$build/man/*");

    is("@warned", '', 'roff has no warning');
}

# units

SKIP: {
    skip 'systemd-analyze(1) is not there', 2
        if system('command -v systemd-analyze > /dev/null') != 0;

    mkdir "$dir/units";

    for my $file (glob('conf/systemd/system/*')) {
        my $name = $file =~ s{.*/}{}r =~ s/\@/\@1/r;
        spew("$dir/units/$name", slurp($file)
             =~ s{ExecStart=/usr/sbin/(\S+)}{ExecStart="$top/$build/$1"}r
             =~ s/%i/1/gr);
    }

    my $out = `systemd-analyze verify --man=no $dir/units/* 2>&1`;
    is(join('', grep { /im-/ } $out =~ /^.*\n/mg), '', 'units are right');

    $out = `systemd-analyze security --offline=yes --no-pager \\
        --threshold=20 $dir/units/* 2>&1`;
    is($?, 0, 'and give little to an intruder') or diag($out);
}

# who builds packages, and from where

{
    local $ENV{GIT_DIR} = "$dir/git";
    local @ENV{qw(GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM)} = ('/dev/null') x 2;
    delete local @ENV{qw(MAINTAINER HOMEPAGE DEBFULLNAME DEBEMAIL)};

    is(`conf/origin maintainer; conf/origin homepage`, '', 'it is not known');
    system('git', 'init', '-q', '--bare', $ENV{GIT_DIR});
    system('git', 'config', 'user.name', 'Bob');
    is(`conf/origin maintainer`, '', 'a name is not enough');
    system('git', 'config', 'user.email', 'bob@example.com');
    is(`conf/origin maintainer`, 'Bob <bob@example.com>', "git's user");
    system('git', 'remote', 'add', 'origin', $ENV{GIT_DIR});
    is(`conf/origin homepage`, '', 'a folder is no web page');
    system('git', 'remote', 'set-url', 'origin',
           'https://bob:secret@example.com/im.git');
    is(`conf/origin homepage`, 'https://example.com/im', "git's origin");
    is(`DEBFULLNAME=Ann DEBEMAIL=a\@example.com conf/origin maintainer`,
       'Ann <a@example.com>', "Debian's variables");
    is(`MAINTAINER='Eve <e\@example.com>' conf/origin maintainer`,
       'Eve <e@example.com>', 'what make was told');
}

# what the packages need is what conf/packages installs

my ($needs) = slurp('debian/control') =~ /^Build-Depends:(.*?)^\S/ms;
my ($installs) = slurp('conf/packages') =~ /^build="(.*?)"/ms;
my %debian = map { $_ => 1 } grep { !/^(?:debhelper-compat|dh-sequence)/ }
    $needs =~ /([a-z][\w.+-]+)/g;
my %ours = map { $_ => 1 } grep { !/^(?:gcc|make|libc6-dev|nginx)$/ }
    split ' ', $installs =~ s/\\\n//gr;

# of each package that is built, whatever it needs itself
like(slurp('conf/packages'), qr/^deb="build-essential /m,
     'dpkg-buildpackage finds build-essential');
is_deeply([ sort keys %debian ], [ sort keys %ours ],
          'debian/control builds with the packages of conf/packages');

done_testing();
