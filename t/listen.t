#!/usr/bin/perl
# Copyright (C) The im authors
#
# Where im_logic listens: modes, groups and folders of unix sockets, what stands
# in their place, taken ports, all addresses.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Test::Im::Daemon qw(start stop ended wrote until_true refused);
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::More;

my $port = ports();
my $dir = File::Temp::tempdir('im-listen-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $root = $> == 0;
my $group = getgrgid($) + 0);
my $nginx = (grep { defined getgrnam $_ } 'nginx', 'www-data')[0];
my $path = "$dir/run/logic.sock";

chmod 0755, $dir;


sub logic {
    return start('im_logic', "--redis=unix:$dir/none.sock", @_);
}


# It listens, or it has ended.
sub listening {
    my ($daemon) = @_;

    until_true(sub { wrote($daemon) =~ /im_logic \S+ started/
                     || ended($daemon) });

    return wrote($daemon) =~ /listens on/ || Test::More::diag(wrote($daemon))
        && 0;
}


sub no_logic {
    my ($name, $status, $like, @options) = @_;

    refused($name, $status, $like, 'im_logic', "--redis=unix:$dir/none.sock",
            @options);
}


sub mode {
    my @st = lstat $_[0] or return "$_[0] isn't there";

    return sprintf '%04o', $st[2] & 07777;
}


sub group {
    return getgrgid((lstat $_[0])[5]);
}


sub health {
    my ($host, $p) = @_;
    my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $p,
                                     Timeout => 5) or return "$host: $@";

    print $socket "GET /im/health HTTP/1.0\r\n\r\n";

    return join '', <$socket>;
}


# A connect() as another user of this machine; its errno.
sub stranger {
    my ($socket) = @_;
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        my ($uid, $gid) = (65534, (getpwuid 65534)[3] || 65534);

        $) = "$gid $gid";
        $( = $gid;
        POSIX::setuid($uid) && POSIX::getuid() == $uid or POSIX::_exit(1);
        POSIX::_exit(IO::Socket::UNIX->new(Peer => $socket) ? 0 : $! + 0);
    }

    waitpid($pid, 0);

    return $? >> 8;
}


# modes and groups

my $logic = logic("--fcgi=unix:$path");
ok(listening($logic), 'a socket in a folder that was not there');
is(mode("$dir/run"), '0750', 'the folder');
is(mode($path), '0660', 'the socket');
is(group($path), $root && $nginx ? $nginx : $group, 'its group');
is(group("$dir/run"), group($path), 'the group of the folder');
like(wrote($logic), qr/listens on "unix:\Q$path\E", mode 0660, group "\S+"; nginx's workers must be in it \(--socket-group=\)/,
     'it says how to change that');

SKIP: {
    skip 'only root can become another user', 3 unless $root;

    is(stranger($path), POSIX::EACCES(), 'the folder keeps strangers out');
    chmod 0755, "$dir/run";
    is(stranger($path), POSIX::EACCES(), 'and so does the socket');
    chmod 0666, $path;
    is(stranger($path), 0, '(by its mode)');
}

stop($logic);

$logic = logic("--fcgi=unix:$path", "--socket-group=$group",
               '--socket-mode=0600');
ok(listening($logic), 'a socket that was left behind is replaced');
is(mode($path), '0600', '--socket-mode');
like(wrote($logic), qr/mode 0600, group "\S+"; nginx's workers must run as this user/,
     'which is of no use to a group');
is(group($path), $group, '--socket-group');
is(mode("$dir/run"), $root ? '0755' : '0750', 'a folder stays as it is');
stop($logic);

{
    my $mask = umask 0;
    $logic = logic("--http=unix:$path", '--socket-mode=0666',
                   '--socket-group=' . ($) + 0));
    ok(listening($logic), '--http');
    is(mode($path), '0666', 'as wide as asked for');
    like(wrote($logic), qr/\[warn\].*any local user may do everything/,
         'with a warning');
    stop($logic);
    umask $mask;
}

SKIP: {
    skip 'only root can become another user', 4 unless $root;

    mkdir "$dir/other";
    chown 65534, -1, "$dir/other";
    chmod 0755, $dir, "$dir/other";

    my $own = getgrgid((getpwuid 65534)[3] || 65534);
    my $daemon = start({ user => 65534 }, 'im_logic',
                       "--redis=unix:$dir/none.sock",
                       "--fcgi=unix:$dir/other/logic.sock");
    ok(listening($daemon), 'started by a user');
    is(group("$dir/other/logic.sock"), $own, 'has the group of that user');
    stop($daemon);

    $daemon = start({ user => 65534 }, 'im_logic',
                    "--redis=unix:$dir/none.sock",
                    "--fcgi=unix:$dir/other/logic.sock",
                    '--socket-group=root');
    until_true(sub { ended($daemon) });
    like(wrote($daemon), qr/its group can't be set: use a group of this user/,
         "another user's group");
    ok(!-e "$dir/other/logic.sock", 'leaves nothing behind');
}

# what stands in its place

$logic = logic("--fcgi=unix:$path", "--socket-group=$group");
ok(listening($logic), 'one that listens');
my $inode = (stat $path)[1];
no_logic('a second one there', 1, qr/a program listens there: end it, or use another path/,
         "--fcgi=unix:$path");
no_logic('a second one there by HTTP', 1, qr/a program listens there/,
         "--http=unix:$path");
is((stat $path)[1], $inode, 'the first one keeps its socket');
ok(IO::Socket::UNIX->new(Peer => $path), 'and answers');
stop($logic);

spew("$dir/file", "kept\n");
no_logic('a file', 1, qr/what is there is no socket: remove it/,
         "--fcgi=unix:$dir/file");
is(slurp("$dir/file"), "kept\n", 'the file is kept');
symlink $path, "$dir/link" or die $!;
no_logic('a symbolic link', 1, qr/what is there is no socket/,
         "--fcgi=unix:$dir/link");
ok(-l "$dir/link" && -S $path, 'the link is kept, and what it leads to');
symlink "$dir/nowhere", "$dir/dangling" or die $!;
no_logic('one that leads nowhere', 1, qr/what is there is no socket/,
         "--fcgi=unix:$dir/dangling");
mkdir "$dir/folder";
no_logic('a folder', 1, qr/what is there is no socket/,
         "--fcgi=unix:$dir/folder");
no_logic('two folders that are missing', 1, qr/its folder is missing, and so is the one above/,
         "--fcgi=unix:$dir/a/b/logic.sock");
no_logic('a folder that is a file', 1, qr/Not a directory/,
         "--fcgi=unix:$dir/file/logic.sock");
no_logic('one socket for both', 1, qr/a program listens there/,
         "--fcgi=unix:$path", "--http=unix:$path");

# ports

my $v6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);

spew("$dir/keys", "01234567\n");
my $keys = "--api-key-file=$dir/keys";

no_logic("other machines without keys: $_", 2, qr/--http=\Q$_\E:$port: other machines may do everything there: have keys \(--api-key-file=\)/,
         "--http=$_:$port") for '*', '0.0.0.0', $v6 ? '[::]' : ();
for my $near ('127.8.9.1', 'localhost', $v6 ? '[::1]' : ()) {
    $logic = logic("--http=$near:$port");
    ok(listening($logic), "no keys are needed: $near");
    stop($logic);
}

$logic = logic("--http=*:$port", $keys);
ok(listening($logic), 'all addresses');
like(health('127.0.0.1', $port), qr/"code":503/, 'IPv4 answers');

SKIP: {
    skip 'no IPv6 here', 3 unless $v6;
    like(health('::1', $port), qr/"code":503/, 'IPv6 answers');
    no_logic("taken: [::1]", 1, qr/"\[::1\]:$port": a program listens there/,
             "--http=[::1]:$port");
    no_logic("taken: [::]", 1, qr/a program listens there/,
             "--http=[::]:$port", $keys);
}

no_logic("taken: $_", 1, qr/"\Q$_\E:$port": a program listens there: end it, or use another port \(--reuseport shares one\)/,
         "--http=$_:$port", $keys) for '*', '127.0.0.1', '0.0.0.0', 'localhost',
                                '127.0.0.2';
no_logic('taken for FastCGI', 1, qr/a program listens there/,
         "--fcgi=127.0.0.1:$port");
stop($logic);

$logic = logic("--http=127.0.0.1:$port");
ok(listening($logic), 'the port again, at once');
no_logic('taken: one address of all', 1, qr/a program listens there/,
         "--http=*:$port", $keys);
my $second = logic("--http=127.0.0.2:$port");
ok(listening($second), 'another address is not taken');
stop($second);
no_logic('--reuseport on one side only', 1, qr/a program listens there/,
         "--http=127.0.0.1:$port", '--reuseport');
stop($logic);

$logic = logic("--http=127.0.0.1:$port", '--reuseport');
$second = logic("--http=127.0.0.1:$port", '--reuseport');
ok(listening($logic) && listening($second), '--reuseport on both');
stop($second);
no_logic('without it beside', 1, qr/a program listens there/,
         "--http=127.0.0.1:$port");
stop($logic);

no_logic("another machine's address", 1, qr/Cannot assign requested address/,
         "--http=192.0.2.1:$port", $keys);
no_logic('one port for both', 1, qr/a program listens there/,
         "--fcgi=127.0.0.1:$port", "--http=127.0.0.1:$port");

# No descriptor is free for some time.  It is tried twice a second.
$logic = logic("--http=127.0.0.1:$port");
ok(listening($logic), 'it listens');
my ($limits) = slurp("/proc/$logic->{pid}/limits") =~ /^Max open files +(\d+)/m;
system('prlimit', '--pid', $logic->{pid}, "--nofile=5:$limits") == 0
    or die "prlimit\n";
my $waits = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
    or die "connect: $!\n";
print $waits "GET /im/health HTTP/1.0\r\n\r\n";
ok(until_true(sub { wrote($logic) =~ /accept\(\) failed/ }),
   'without descriptors accept() fails');
sleep 2;
system('prlimit', '--pid', $logic->{pid}, "--nofile=$limits:$limits") == 0
    or die "prlimit\n";
like(join('', <$waits>), qr/"code":503/, 'a client that waited is answered');
ok(until_true(sub { wrote($logic) =~ /\[notice\].*accept\(\) succeeds again, after \d{4,} ms/ }),
   'it says when that is over') or diag(wrote($logic));
is(scalar(() = wrote($logic) =~ /\[error\].*accept\(\) failed, and is tried again: Too many open files/g),
   1, 'the fault was one line');
stop($logic);

done_testing();
