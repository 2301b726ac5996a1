#!/usr/bin/perl
# Copyright (C) The im authors
#
# The Debian packages from their build to their purge, in a system of their own:
# a chroot with mounts, processes and a network that end with this test.  The
# commands of docs/getting-started.md and docs/deploy.md are typed there.  A
# client stays there and gets each message while packages are upgraded, Redis is
# restarted, nginx's binary is changed, and after a boot.  In the end the same
# system has what `make install` puts.
#
# t/packages/systemctl starts the units there.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Path qw(make_path);
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::Im::Cert qw(certificates);
use Test::Im::Client;
use Test::Im::Docs qw(block blocks commands);
use Test::Im::File qw(slurp spew);
use Test::Im::Pushes;
use Test::More;
use Time::HiRes qw(sleep time);

my $top = Cwd::cwd();
# from here, so that a blank in the name of this folder is in no command
my $dir = 'build/packages';
my $root = "$dir/root";
my $stage = $ENV{IM_PACKAGES} || 'begin';
my $module = '/usr/lib/nginx/modules/ngx_im_module.so';
my $next = '0.1.0+1';
my $limit = 30;
my $owner = $$;

$ENV{PATH} .= ':/usr/sbin:/sbin';
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};


# Each stage has something more of its own.
sub enter {
    my ($name, @with) = @_;

    $ENV{IM_PACKAGES} = $name;
    exec('unshare', @with, '--', $^X, $0) or die "unshare: $!\n";
}


sub until_true {
    my ($code) = @_;
    my $end = time() + $limit;

    while (time() < $end) {
        return 1 if $code->();
        sleep 0.05;
    }

    return 0;
}


# in the stage "build"

sub build {
    my ($folder, $version) = @_;

    $ENV{DEB_BUILD_OPTIONS} = 'noautodbgsym';
    $ENV{MAINTAINER} = 'Ann <ann@example.com>';
    $ENV{HOMEPAGE} = 'https://example.com/im';
    system('make', '-s', 'deb', "VERSION=$version", "DEB=$folder") == 0
        or die "no packages\n";
}


# What the packages need, without themselves.
sub needs {
    my ($folder) = @_;
    my %needs;

    for my $deb (glob("$folder/*.deb")) {
        # by name alone; without alternatives
        $needs{$_} = 1 for map { s/ .*//sr } split /, */,
            `dpkg-deb -f '$deb' Depends`;
    }

    # the small ones of systemd
    delete @needs{qw(systemd)};
    delete $needs{$_} for grep { /^nginx-abi/ } keys %needs;

    return sort keys %needs, qw(curl nginx redis-server
                                systemd-standalone-sysusers
                                systemd-standalone-tmpfiles);
}


# Debian as it is configured here, wherever its packages come from.
sub system_of_its_own {
    my $release = slurp('/etc/os-release') =~ /^VERSION_CODENAME=(\w+)/m
        ? $1 : die "no name of this release of Debian\n";
    my @sources = grep { -s } '/etc/apt/sources.list',
        glob('/etc/apt/sources.list.d/*.list'),
        glob('/etc/apt/sources.list.d/*.sources');
    my @options = grep { slurp($_) =~ /\bAcquire\b/ }
        glob('/etc/apt/apt.conf.d/*');

    make_path($root);
    system('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', $root) == 0
        or die "mount: $!\n";
    system('mmdebstrap', '--quiet', '--mode=root', '--variant=apt',
           '--skip=cleanup/reproducible',
           '--aptopt=APT::Install-Recommends "false"',
           map({ "--aptopt=$_" } @options),
           map({ "--dpkgopt=$_" }
               'force-unsafe-io', 'path-exclude=/usr/share/man/*/man*',
               'path-exclude=/usr/share/locale/*'),
           '--include=' . join(',', needs("$dir/1")), $release, $root,
           @sources) == 0 or die "mmdebstrap: $?\n";
}


# in the stage "test"

sub inside {
    my (@command) = @_;

    delete local @ENV{qw(IM_PACKAGES LD_PRELOAD)};
    local $ENV{DEBIAN_FRONTEND} = 'noninteractive';
    local $ENV{LC_ALL} = 'C.UTF-8';

    return system('chroot', $root, 'sh', '-c',
                  'exec "$@" > /tmp/out 2>&1 < /dev/null', 'sh', @command);
}


sub run_ok {
    my ($name, @command) = @_;

    is(inside(@command), 0, $name) or diag(slurp("$root/tmp/out"));
}


# Commands as a page has them, in the folder of a clone.
sub typed {
    my ($page, @commands) = @_;

    run_ok("$page: $_", 'bash', '-c', "cd /root/im && $_")
        for map { commands($_) } @commands;
}


sub healthy {
    return until_true(sub {
        my ($status, $answer) = http('/im/health');

        $status == 200
            && $answer =~ /"redis":"up".*"workers":[1-9].*"jobs":[1-9]/;
    });
}


# As it is typed, each line when the last one has had its effect.
sub by_hand {
    my ($page, @commands) = @_;
    my $old = pid_of('nginx');

    for my $command (@commands) {
        typed($page, $command);
        until_true(sub { pid_of('nginx') != $old && pid_of('nginx')
                         && -e "$root/run/nginx.pid.oldbin" })
            if $command =~ /USR2/;
    }

    ok(until_true(sub { !-d "/proc/$old" }), 'the old nginx ends');
}


sub systemctl {
    run_ok("systemctl @_", 'systemctl', @_);
}


# Clients of `curl -N`: what one gets is a file.
sub stream {
    my ($command) = @_;
    my $pid = fork();

    exec('chroot', $root, 'sh', '-c',
         "exec > /tmp/shown 2> /tmp/said; exec $command") if $pid == 0;

    return $pid;
}


# docs/getting-started.md from its second step on.
sub get_started {
    my $page = 'docs/getting-started.md';
    my $news = block('docs/getting-started.md', "curl -N 'http://localhost");
    my $again = block('docs/getting-started.md',
                      "curl 'http://127.0.0.1:8080/im/push?room=news&id=");
    my $shown = quotemeta block('docs/getting-started.md',
                                '{"code":0,"msg":"success"');

    typed($page, block('docs/getting-started.md', 'redis-cli CONFIG SET'));
    spew("$root/etc/nginx/conf.d/chat.conf",
         block('docs/getting-started.md', '# /etc/nginx/conf.d/chat.conf'));
    typed($page, block('docs/getting-started.md', 'nginx -t'));
    ok(healthy(), 'health is what the page says') or diag(http('/im/health'));

    my $terminal = stream(commands($news));

    ok(until_true(sub { (http('/im/status'))[1] =~ /"sessions":\s*1\b/ }),
       'a terminal follows the room');
    typed($page, block('docs/getting-started.md',
                       "curl 'http://127.0.0.1:8080/im/push?room=news'"));
    $shown =~ s/a6866\w+/\\w+/;
    $shown =~ s/\\\n\z//;
    like(slurp("$root/tmp/out"), qr/^$shown/m, 'the answer is as shown');
    typed($page, $again, $again);
    ok(until_true(sub {
        slurp("$root/tmp/shown") eq "hello\norder 17 is paid\n";
    }), 'it shows both, once') or diag(slurp("$root/tmp/shown"));
    kill 'TERM', $terminal;
    waitpid($terminal, 0);

    typed($page, block('docs/getting-started.md', 'mkdir -p /var/www/chat'));
    like((http('/'))[1], qr{<title>Chat</title>}, 'the page is there');
    like((http('/chat.js'))[1], qr/^const room/, 'with its program');

    typed($page, 'curl -f http://127.0.0.1:8080/v1/user/register'
                 . q( -d '{"UserName":"ann","Password":"secret1"}'));
    typed($page, map { $_->{text} =~ s/^curl/curl -f/mgr }
          grep { $_->{text} =~ m{^curl \S+/im/(?:rooms|accounts)/} }
          blocks($page));

    my ($id) = slurp("$root/tmp/out") =~ /"user":"(\w+)"/;

    ok($id, 'the account has an id') or diag(slurp("$root/tmp/out"));
    typed($page, map { $_->{text} =~ s/5d0c6a7b8c9d0e1f/$id/gr
                                  =~ s/^curl/curl -f/mgr }
          grep { $_->{text} =~ m{^curl \S+/im/push -H} } blocks($page));

    # the next file listens at another address of the same port
    unlink "$root/etc/nginx/conf.d/chat.conf";
    systemctl('restart', 'nginx');
}


sub pid_of {
    my ($unit) = @_;
    my $file = $unit eq 'nginx' ? 'run/nginx.pid'
                                : "run/systemctl/$unit.service.pid";
    my ($pid) = slurp("$root/$file") =~ /(\d+)/;

    return $pid || 0;
}


sub status_of {
    my ($pid, $field) = @_;
    my ($value) = slurp("/proc/$pid/status") =~ /^$field:\s*(.*)/m;

    return defined $value ? $value : '';
}


# Numbers of users and groups there.
sub id {
    my ($kind, $name) = @_;
    my ($id) = slurp("$root/etc/$kind") =~ /^\Q$name\E:[^:]*:(\d+)/m;

    return defined $id ? $id : -1;
}


sub http {
    my ($path, @options) = @_;
    my $url = "http://127.0.0.1:8080$path";
    my $out = `curl -s -m 5 -w '\\n%{http_code}' '$url' @options`;

    return $out =~ /\A(.*)\n(\d+)\z/s ? ($2, $1) : (0, '');
}


# The folders in /proc of what runs there.
sub alive {
    return grep { (readlink("$_/root") || '') eq "$top/$root"
                  && slurp("$_/stat") =~ /\) [^ZX] / } glob('/proc/[0-9]*');
}


# The inode of the module that nginx's master has loaded.
sub loaded {
    my ($pid) = @_;
    my ($inode) = slurp("/proc/$pid/maps")
        =~ /^\S+ \S+ \S+ \S+ (\d+) +.*ngx_im_module\.so/m;

    return $inode || 0;
}


# A client that connects again whenever its connection ends, from where it was,
# in a process of its own.  It writes the numbers that it gets into its file.
sub follow {
    my ($file) = @_;
    my $pid = fork();

    return $pid if $pid;

    my ($seq, $epoch) = (0, '');

    open(my $out, '>>', $file) or POSIX::_exit(1);
    $out->autoflush(1);

    while (1) {
        my $client = eval {
            my $c = Test::Im::Client->new(port => 8080);
            $c->handshake('/ws') == 101 or die "refused\n";
            $c->write(Test::Im::Client::frame(1, '{"auth":null,"room":"1",'
                . "\"seq\":$seq,\"epoch\":\"$epoch\"}"));
            $c;
        };

        while ($client) {
            my $frame = eval { $client->next_message(time() + 60) } or last;
            last if $frame->{opcode} != 1;

            my $m = decode_json($frame->{payload});

            $seq = $m->{seq} if defined $m->{seq};
            $epoch = $m->{epoch} if defined $m->{epoch};
            print $out "msg $m->{msg}{n}\n" if ref $m->{msg};
            print $out "place $m->{recovered}\n" if ($m->{op} || 0) == 7;
        }

        print $out "again\n" if $client;
        sleep 0.05;
    }
}


# During all of CODE there are pushes, which the client gets.
my ($drills, $got) = (0, "$dir/got");

sub pushed_during {
    my ($name, $code) = @_;
    my $before = slurp($got);
    my $pushes = Test::Im::Pushes->start(ports => [ 8080 ],
        topics => [ 'r:1' ], publisher => 1, drill => ++$drills, rate => 20,
        file => "$dir/pushes");

    ok(until_true(sub { substr(slurp($got), length $before) =~ /^msg/m }),
       "$name: a client gets messages before");
    $code->();

    my $result = $pushes->stop;
    my @numbers = map { $_->[3] } @{$result->{accepted}};

    until_true(sub {
        ((slurp($got) =~ /^msg (\d+)$/mg)[-1] || 0) == $numbers[-1];
    }) if @numbers;

    my @seen = substr(slurp($got), length $before) =~ /^msg (\d+)/mg;

    cmp_ok(scalar @numbers, '>', 1, "$name: pushes are accepted");
    is("@seen", "@numbers", 'and each comes once and in order');

    return $result;
}


sub places {
    my (@files) = map { s/^\.//r } grep { !m{/$} }
        map { (split ' ')[5] } map { split /\n/, `dpkg-deb -c '$_'` } @_;

    return @files;
}


my @children;

END {
    if ($stage eq 'test' && $$ == $owner) {
        my $status = $?;
        kill 'KILL', @children;
        system("cp -r $root/var/log $root/tmp/out $dir/");
        $? = $status;
    }
}

if ($stage eq 'begin') {
    plan skip_all => 'needs root' if $> != 0;
    plan skip_all => 'packages are built without sanitizers'
        if $ENV{IM_PRELOAD};
    plan skip_all => 'unshare(1) makes no mounts, processes and networks here'
        if system('unshare -m -p -f -n true 2> /dev/null') != 0;
    plan skip_all => "$_ is not there: conf/packages test"
        for grep { system("command -v $_ > /dev/null") != 0 }
            qw(mmdebstrap dpkg-buildpackage);

    make_path($dir);
    enter('build', '--mount', '--pid', '--fork', '--kill-child',
          '--mount-proc');

} elsif ($stage eq 'build') {
    # the first process: it reaps all others, and they end with it
    my $pid = fork();

    if ($pid != 0) {
        my $ended;
        $ended = wait() until defined $ended && $ended == $pid;
        POSIX::_exit($? >> 8 || ($? & 127));
    }

    my $from = time();

    system('rm', '-rf', map { "$dir/$_" } qw(1 2 log out got pushes));
    build("$dir/1", '0.1.0');
    printf "# packages: %d s\n", time() - $from;

    # another version of them, while the system is set up
    my $other = fork();
    if ($other == 0) {
        my $ok = eval { build("$dir/2", $next); 1 };
        POSIX::_exit($ok ? 0 : 1);
    }

    $from = time();
    system_of_its_own();
    waitpid($other, 0);
    die "no packages of another version\n" if $? != 0;
    printf "# a system: %d s\n", time() - $from;

    enter('test', '--net');
}


# all is there; nothing outside of it is used from here

system('ip link set lo up') == 0 or die "no loopback\n";
system('mount', '-t', 'proc', 'proc', "$root/proc") == 0 or die "no /proc\n";
unlink "$root/usr/sbin/policy-rc.d";
system("mkdir -p $root/root/im/build && cp -r '$dir/1' '$dir/2' $root/root/ "
       . "&& ln -s ../../1 $root/root/im/build/deb "
       . "&& cp -r '$top/examples' $root/root/im/ "
       . "&& cp '$top/t/packages/systemctl' $root/usr/bin/ "
       . "&& mkdir -p $root/run/systemd/system") == 0 or die "no copies\n";

# without one invoke-rc.d does nothing
spew("$root/sbin/init", '');
chmod 0755, "$root/sbin/init";

my @old = map { s/^\Q$root\E//r } glob("$root/root/1/*.deb");
my @new = map { s/^\Q$root\E//r } glob("$root/root/2/*.deb");

is(@old, 3, 'three packages');
is(join('', map { `dpkg-deb -f '$root$_' Maintainer Homepage` } @old),
   "Maintainer: Ann <ann\@example.com>\nHomepage: https://example.com/im\n" x 3,
   'of whom and from where');

# there is no terminal
spew("$root/etc/apt/apt.conf.d/yes", "APT::Get::Assume-Yes \"true\";\n");

# installed

systemctl('start', 'redis-server', 'nginx');
my $first = pid_of('nginx');
is(loaded($first), 0, 'nginx runs without im');

typed('README.md', block('README.md', 'make deb && sudo')
      =~ s/^make deb && sudo //r);
is(pid_of('nginx'), $first, 'the same nginx');
ok(until_true(sub { loaded($first) == (stat "$root$module")[1] }),
   'has loaded the module');

for my $name (qw(logic job)) {
    my $pid = pid_of("im-$name");
    my $uid = id('passwd', 'im');

    like(slurp("/proc/$pid/cmdline"),
         qr{\A/usr/sbin/im_$name\0--conf=/etc/im/$name\.conf\0\z},
         "im_$name runs");
    is(status_of($pid, 'Uid'), join("\t", ($uid) x 4), 'as im');
    cmp_ok($uid, '>', 0, 'which is not root');
    like(slurp("$root/var/log/systemctl/said"),
         qr/^im-$name\.service: READY=1/m, 'it has said that it is ready');
}

my @socket = stat "$root/run/im/logic.sock";
my @folder = stat "$root/run/im";
is(sprintf('%o %o', $socket[2] & 07777, $folder[2] & 07777), '660 750',
   'modes of the socket and its folder');
is("@socket[4, 5] @folder[4, 5]", join(' ', (id('passwd', 'im'),
   id('group', 'www-data')) x 2), 'both are for nginx');

# the pages' own words: all is there already

for my $page ('docs/getting-started.md', 'docs/deploy.md') {
    my ($first, @lines) = commands($page =~ /deploy/
        ? block('docs/deploy.md', 'apt install git')
        : block('docs/getting-started.md', 'apt install git'));

    typed($page, grep { !/^(?:git|make) / } @lines);
    like($first, qr/\bcurl\b/, 'curl, too');
}

get_started();
typed('docs/deploy.md', block('docs/deploy.md', 'cp /usr/share/im/im.conf'));
run_ok('with a second im_logic', 'sed', '-i',
       's,^ *server unix:/run/im/logic.sock max_fails=0;,&'
       . ' server unix:/run/im/logic-2.sock max_fails=0;,;'
       . 's,^im_node .*,&\nim_drain 2s;,', '/etc/nginx/conf.d/im.conf');
typed('docs/deploy.md',
      block('docs/deploy.md', 'systemctl enable --now im-logic@2'));
systemctl('reload', 'nginx');
ok(until_true(sub {
    # nginx asks the two of them in turns, and both know its workers' rules
    my @text = ('-H Content-Type:text/plain', '-d text');

    !grep { $_ != 200 } map({ (http('/im/health'))[0] } 1 .. 4),
        map({ (http('/im/push?room=1', @text))[0] } 1 .. 4);
}), 'all is well')
    or BAIL_OUT(join "\n", http('/im/health'),
                slurp("$root/var/log/systemctl/said"));
like((http('/'))[1], qr/<html/i, 'the page is there');
is((http('/im/status'))[0], 200, 'the status is there');

push @children, follow($got);
ok(until_true(sub { slurp($got) =~ /^place/m }), 'a client has a room');

# upgraded, with clients and pushes

my $master = pid_of('nginx');
my %before = map { $_ => pid_of($_) }
    qw(im-logic im-job im-logic@2 im-job@2);

my $result = pushed_during('upgrade', sub {
    run_ok('dpkg -i of another version', 'dpkg', '-i', @new);
    ok(until_true(sub { !-d "/proc/$master" }), 'the old nginx ends');
});

is_deeply($result->{refused}, [], 'no push was refused')
    or diag(explain($result->{refused}));
like(`chroot $root dpkg-query -W im-server libnginx-mod-im`,
     qr/\Aim-server\t\Q$next\E\nlibnginx-mod-im(?::\w+)?\t\Q$next\E\n\z/,
     'it is the other version');
is(loaded(pid_of('nginx')), (stat "$root$module")[1],
   'nginx has loaded its module');
is(scalar(grep { pid_of($_) == $before{$_} } keys %before), 0,
   'all daemons are new ones');
cmp_ok(scalar(() = slurp($got) =~ /^again/mg), '<=', 1,
       'clients connect again once at most');
unlike(slurp("$root/var/log/nginx/error.log"),
       qr/has changed since nginx loaded it/, 'no reload kept the old module');

my @acts = slurp("$root/var/log/systemctl/said")
    =~ /^(\S+)\.service: (?:stop|READY=1)$/mg;
is("@acts[-8 .. -1]",
   join(' ', map { ($_, $_) } qw(im-logic im-job im-logic@2 im-job@2)),
   'one after the other, the next when the last is ready') or diag("@acts");

# a reload warns of another file

run_ok('another file', 'cp', '--remove-destination',
       "/root/1/module.so", $module)
    if system("cp $root$module $root/root/1/module.so") == 0;
systemctl('reload', 'nginx');
ok(until_true(sub {
    slurp("$root/var/log/nginx/error.log")
        =~ /im: "[^"]*ngx_im_module.so" has changed since nginx loaded it/
}), 'a reload of nginx warns');

# nginx upgrades itself, Redis is restarted

$master = pid_of('nginx');
pushed_during('upgrade of nginx', sub {
    run_ok("nginx's postinst", '/var/lib/dpkg/info/nginx.postinst',
           'configure', '1.0');
    ok(until_true(sub { !-d "/proc/$master" }), 'the old nginx ends');
});
is(loaded(pid_of('nginx')), (stat "$root$module")[1],
   'it has loaded the file that is there');

pushed_during('restart of Redis', sub {
    systemctl('restart', 'redis-server');
});

pushed_during('upgrade by hand', sub {
    by_hand('docs/operations.md',
            commands(block('docs/operations.md', 'kill -USR2')));
});

my ($abi) = `dpkg-deb -f $root$new[2] Depends` =~ /(nginx-abi-[^\s,]+)/;
like(`chroot $root dpkg-query -W -f '\${Provides}' nginx`,
     qr/\Q$abi\E(?:,|\z)/, "only a nginx with $abi can be there");

# booted

systemctl('stop', 'nginx', 'im-job@2', 'im-logic@2', 'im-job', 'im-logic',
          'redis-server');
ok(until_true(sub { !alive() }), 'all is stopped')
    or diag(map { slurp("$_/cmdline") . "\n" } alive());
like(slurp("$root/var/log/systemctl/said"),
     qr/^\Q$_\E\.service: STOPPING=1\n(?s:.*)^\Q$_\E\.service: ended with 0\n/m,
     "$_ has said so and ended well") for qw(im-logic im-job);
system("rm -rf $root/run/* && mkdir -p $root/run/systemd/system") == 0
    or die "no /run\n";
run_ok('systemd-tmpfiles', 'systemd-tmpfiles', '--create', '--boot', 'im.conf');
pushed_during('boot', sub {}) if do {
    systemctl('start', 'nginx', 'im-logic', 'im-job', 'redis-server');
    1;
};

# purged

my @places = places(map { "$root$_" } @new);
cmp_ok(scalar @places, '>', 40, 'the packages have files');
is_deeply([ grep { !/\.gz$/ && !-e "$root$_" && !m{^/usr/share/man} } @places ],
          [], 'which are there');

typed('docs/deploy.md',
      block('docs/deploy.md', 'rm /etc/nginx/conf.d/im.conf   '));
my @warnings = grep { /warning/i && !/stable CLI/ } split /\n/,
    slurp("$root/tmp/out");
is("@warnings", '', 'without a warning');
is_deeply([ grep { -e "$root$_" || -l "$root$_" } @places, '/etc/im',
            '/run/im', '/usr/share/im', '/usr/share/doc/im',
            '/etc/systemd/system/multi-user.target.wants/im-logic.service' ],
          [], 'nothing of it is left');
is_deeply([ glob("$root/etc/nginx/modules-enabled/*im*") ], [],
          'nor is it enabled in nginx');
is_deeply([ grep { slurp("$_/cmdline") =~ m{im_(?:logic|job)} }
            glob('/proc/[0-9]*') ], [], 'nor runs');
cmp_ok(id('passwd', 'im'), '>', 0, 'its user stays');
systemctl('restart', 'nginx');
is(loaded(pid_of('nginx')), 0, 'nginx runs without it');

# the same without packages

my $make = "make -s -C '$top' DESTDIR='$root'";

is(system("$make install"), 0, 'make install');
run_ok('its user goes, too', 'userdel', 'im');
typed('docs/deploy.md', block('docs/deploy.md', 'ln -s /usr/share/nginx'),
      (commands(block('docs/deploy.md', 'cp /usr/share/im/im.conf')))[0]);
run_ok('whose sessions end soon', 'sed', '-i', 's,^im_node .*,&\nim_drain 2s;,',
       '/etc/nginx/conf.d/im.conf');
typed('docs/deploy.md',
      (commands(block('docs/deploy.md', 'cp /usr/share/im/im.conf')))[1],
      block('docs/deploy.md', 'curl http://127.0.0.1:8080/im/push'));
ok(healthy(), 'all is well again');
is(loaded(pid_of('nginx')), (stat "$root$module")[1],
   'nginx has loaded the module');
pushed_during('make install', sub {
    by_hand('docs/deploy.md', commands(block('docs/deploy.md', 'kill -USR2')));
});

# with TLS

my $tls = certificates("$dir/tls");

system("mkdir $root/etc/nginx/tls "
       . "&& cp $tls/server.pem $root/etc/nginx/tls/im.pem "
       . "&& cp $tls/server.key $root/etc/nginx/tls/im.key "
       . "&& cp $root/etc/nginx/nginx.conf $root/root") == 0
    or die "no copies\n";
typed('docs/deploy.md', block('docs/deploy.md', 'cp /usr/share/im/nginx-tls'));
is(scalar `curl -sk -o $dir/page -w '%{http_code}' https://127.0.0.1/`, 200,
   'its page');
typed('docs/deploy.md',
      block('docs/deploy.md', 'curl http://127.0.0.1:8080/im/push'));
system("cp $root/root/nginx.conf $root/etc/nginx/") == 0 or die "no copy\n";

# and it goes again

typed('docs/deploy.md', block('docs/deploy.md', 'systemctl disable --now'));
is(system("$make uninstall"), 0, 'make uninstall');
typed('docs/deploy.md', 'nginx -t && systemctl restart nginx');
is(loaded(pid_of('nginx')), 0, 'nginx runs without it');
is_deeply([ grep { -e "$root$_" } @places ], [], 'nothing of it is left');

my $errors = slurp("$root/var/log/nginx/error.log");
unlike($errors, qr/\[(?:alert|emerg)\]/, 'no alert') or diag($errors);

systemctl('stop', 'nginx', 'redis-server');
ok(until_true(sub { !alive() }), 'no process is left');

done_testing();
