#!/usr/bin/perl
# Copyright (C) The im authors
#
# What README.md and conf/nginx.conf.example show works as it is, with its paths
# and ports, and each curl line of the documents works with README's: in mounts and
# a network of its own, where what `make install` makes is in its place and /run is
# as empty as after a boot.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::INET;
use Test::Im::Docs qw(block commands);
use Test::Im::File qw(slurp spew);
use Test::More;
use Time::HiRes qw(sleep time);

my $top = Cwd::cwd();
my $build = $ENV{IM_BUILD} || "$top/build";

$ENV{PATH} .= ':/usr/sbin:/sbin';

if (!$ENV{IM_EXAMPLE}) {
    plan skip_all => 'needs root' if $> != 0;
    plan skip_all => 'the module of the installed nginx has no sanitizers'
        if $ENV{IM_PRELOAD};
    plan skip_all => 'unshare(1) makes no mounts and networks here'
        if system('unshare -m -n true 2> /dev/null') != 0;

    $ENV{IM_EXAMPLE} = File::Temp::tempdir('im-example-XXXXXX', TMPDIR => 1);
    my $status = system('unshare', '-m', '-n', '--', $^X, $0);
    system('rm', '-rf', $ENV{IM_EXAMPLE});
    exit($status ? 1 : 0);
}

my $dir = $ENV{IM_EXAMPLE};
my @pids;


sub sh {
    my ($command) = @_;

    # not a pipe, which a daemon would keep
    is(system("$command > $dir/out 2>&1"), 0, $command)
        or diag(slurp("$dir/out"));
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


sub listens {
    my ($port) = @_;

    return until_true(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    });
}


sub start {
    my (@command) = @_;
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>>', "$dir/log");
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        exec(@command);
        exit 127;
    }

    push @pids, $pid;

    return $pid;
}


sub stop {
    my ($pid, $signal) = @_;

    kill $signal || 'TERM', $pid;
    waitpid($pid, 0);
    @pids = grep { $_ != $pid } @pids;
}


# (status, body) of a request, repeated until the service answers
sub request {
    my ($method, $path, $body, @headers) = @_;
    my ($status, $answer);

    until_true(sub {
        my $out = join ' ', map { "'$_'" } 'curl', '-s', '-w', '\n%{http_code}',
            '-X', $method, "http://127.0.0.1:8080$path",
            map({ ('-H', $_) } @headers),
            defined $body ? ('-d', $body) : ();

        ($answer, $status) = `$out` =~ /\A(.*)\n(\d+)\z/s;
        defined $status && $status !~ /^(?:000|50[23])$/;
    });

    return ($status, $answer);
}


# a folder of its own that begins as the one there, or as nothing
sub cover {
    my ($path, $copy) = @_;

    make_path("$dir/copy", $path);
    system("cp -a $path/. $dir/copy") if $copy;
    system('mount', '-t', 'tmpfs', 'tmpfs', $path) == 0 or die "mount $path\n";
    system("cp -a $dir/copy/. $path") if $copy;
    system('rm', '-rf', "$dir/copy");
}


sub boot {
    system('umount', '/run');
    cover('/run');
}


sub nginx {
    sh("nginx -t");
    sh("nginx");
    ok(listens(8080), 'nginx listens');

    my $pid = slurp('/run/nginx.pid');
    chomp $pid;

    return $pid;
}


# what fork() left of nginx and the shell's "&"
sub by_name {
    my ($name) = @_;

    return grep {
        slurp("/proc/$_/cmdline") =~ m{\A(?:[^\0]*/)?\Q$name\E[\0 ]}
            && readlink("/proc/$_/ns/net") eq readlink('/proc/self/ns/net');
    } map { m{/(\d+)\z} } glob('/proc/[0-9]*');
}


sub end {
    my ($name) = @_;

    my @ended = by_name($name);

    kill 'TERM', @ended;
    until_true(sub {
        waitpid(-1, 1);
        !grep { -d "/proc/$_" && slurp("/proc/$_/stat") !~ /\) Z/ } @ended;
    }) or kill 'KILL', @ended;
}

END {
    my $status = $?;
    if ($ENV{IM_EXAMPLE} && $dir) {
        end($_) for 'nginx:', 'im_logic', 'im_job';
        kill 'KILL', @pids;
    }
    $? = $status;
}

system('ip link set lo up') == 0 or die "no loopback\n";

cover('/run');
cover($_, 1) for '/etc/nginx', '/usr/lib/nginx/modules';
cover($_) for '/var/log/nginx', '/usr/share/im';
cover('/usr/local/bin');
$ENV{PATH} = "/usr/local/bin:$ENV{PATH}";

my $put = "$dir/put";

{
    delete local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};
    sh("make -s -C '$top' install DESTDIR='$put'");
}

system("cp $put/usr/lib/nginx/modules/* /usr/lib/nginx/modules/"
       . " && cp $put/usr/sbin/* /usr/local/bin/"
       . " && cp $put/etc/nginx/* /etc/nginx/"
       . " && cp -r $put/usr/share/im /usr/share/") == 0 or die "no install\n";

# what docs/operations.md starts, in that order
my @order = commands(block('docs/operations.md', 'redis-server /etc/redis'));

make_path("$dir/redis", '/etc/redis');
cover('/etc/redis');
spew('/etc/redis/redis.conf', "dir $dir/redis\nsave \"\"\nappendonly yes\n");
start(split ' ', shift @order);
ok(listens(6379), 'Redis listens');

# README.md

my $readme = slurp('README.md');
my ($conf) = $readme =~ /^```nginx\n(.*?)^```/ms;
my @lines = split /\n/, block('README.md', 'im_logic --redis');
my @curls = $readme =~ /^    (curl (?:.*\\\n)*.*)$/mg;

is(scalar @lines, 2, 'README.md starts both daemons');
ok(@curls > 2, 'and shows pushes');
spew("/etc/nginx/nginx.conf", $conf);

# nginx may be there first
nginx();
system("cd $dir; $_") for map { s/&\s*\z/>> $dir\/log 2>&1 &/r } @lines;
ok(until_true(sub { -S '/run/im/logic.sock' }), 'im_logic listens')
    or diag(slurp("$dir/log"));
is((request('GET', '/im/health'))[0], 200, 'and is asked by nginx');

like((request('GET', '/'))[1], qr/<html/i, 'the page is there');
like((request('GET', '/im/status'))[1], qr/"workers":/, 'and the status');

for my $page ('README.md', sort glob('docs/*.md')) {
    my $text = slurp($page) =~ s/ *\\\n\s*/ /gr;

    while ($text =~ /^ *(curl .*127\.0\.0\.1:8080.*)$/mg) {
        my $command = $1;
        my $answer = `$command -s`;

        like($answer, qr/\A\{"(?:code":0|result|replies|node)/,
             "$page: $command");
    }
}

end($_) for 'nginx:', 'im_logic', 'im_job';

# the example; its rates would depend on the machine, so they are so low that only
# the bursts get through

my $example = slurp('conf/nginx.conf.example');

is($example =~ s{\brate=\d+r/s;}{rate=1r/m;}g, 2, 'the example limits two rates');
spew("/etc/nginx/nginx.conf", $example);
nginx();
system("cd $dir; $_") for map { s/&\s*\z/>> $dir\/log 2>&1 &/r } @lines;
is((request('GET', '/im/health'))[0], 200, 'the example asks im_logic');
like((request('GET', '/'))[1], qr/<html/i, 'and shows the page');

my $account = '{"UserName":"ann","Password":"sesame-7"}';
is((request('POST', '/v1/user/register', $account))[0], 200, 'a new name');
my ($status, $body) = request('POST', '/v1/user/login', $account);
my ($token) = $body =~ /"Auth":"(\w+)"/;
ok($token, 'and its token') or diag($body);

# all that nginx writes of a request with a token in its query
my $path = "/api/v1/pushRoom?rid=1&auth=$token";
my $json = 'Content-Type: application/json';
my %seen;

my $many = join ' ', "curl -s -o /dev/null -w '%{http_code}\\n'",
    "-d '{\"msg\":\"x\"}' -H '$json' 'http://127.0.0.1:8080$path&n=[1-400]'";

$seen{$_}++ for split /\n/, `$many`;
ok($seen{200} && $seen{429}, 'some of 400 sends are too many')
    or diag(explain(\%seen));

spew("$dir/large", 'x' x 100_000);
is((request('POST', $path, "\@$dir/large", $json))[0], 413, 'one is too long');

end('im_logic');
`curl -s 'http://127.0.0.1:8080$path' -d x` for 1 .. 3;
`curl -s -m 1 'http://127.0.0.1:8080$path' -H 'Content-Length: 9' -d x`;
`curl -s 'http://127.0.0.1:8080$_?auth=$token' -d x`
    for '/v1/user/logout', '/v1/user/check_auth', '/v1/users/logout', '/ws',
    '/api/v2/push', '/css/';
`curl -s 'http://127.0.0.1:8080/v1/user/logout?auth=$token&n=[1-50]'`;

for my $log ('error', 'access') {
    my $text = slurp("/var/log/nginx/$log.log");
    ok($text ne '', "there is an $log log");
    my ($line) = $text =~ /^(.*\Q$token\E.*)$/m;
    is($line, undef, "and it has no token");
}

end($_) for 'nginx:', 'im_job';

# what a boot leaves of /run

boot();
ok(!-e '/run/im', 'nothing is left in /run');
is(pop @order, 'nginx', 'nginx comes last');
system("cd $dir; $_ >> $dir/log 2>&1 &") for @order;
nginx();
is((request('GET', '/im/health'))[0], 200, 'all of it works again');

end($_) for 'nginx:', 'im_logic', 'im_job';
stop($_) for @pids;

done_testing();
