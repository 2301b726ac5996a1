# Copyright (C) The im authors
#
# One daemon by itself, with what it writes and its status, for tests of its
# options and sockets.

package Test::Im::Daemon;

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Test::Im::File qw(slurp);
use Test::Im::Process qw(handles);

our @EXPORT_OK = qw(start stop ended wrote until_true refused);

my $Top = Cwd::abs_path(dirname(__FILE__) . '/../../../..');
my $Build = Cwd::abs_path($ENV{IM_BUILD} || "$Top/build");
my $Dir = File::Temp::tempdir('im-daemon-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $Owner = $$;
my ($Number, %Pids) = (0);

END {
    if ($$ == $Owner) {
        my $status = $?;
        kill 'KILL', keys %Pids;
        $? = $status;
    }
}


# Where the first argument is a hash: user => UID, env => { NAME => VALUE }, in
# => what it reads.
sub start {
    my $how = ref $_[0] ? shift : {};
    my ($program, @options) = @_;
    my $log = "$Dir/" . ++$Number . ".log";

    # before it changes its user
    open(my $out, '>', $log) or die "$log: $!\n";
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>&', $out);
        open(STDERR, '>&', $out);
        open(STDIN, '<', '/dev/null');
        %ENV = (%ENV, %{$how->{env} || {}});

        if (defined $how->{user}) {
            my $gid = (getpwuid $how->{user})[3];
            $) = "$gid $gid";
            $( = $gid;
            POSIX::setuid($how->{user});
        }

        my @command = (@{$how->{by} || []}, "$Build/$program", @options);
        exec({ $command[0] } @command)
            or POSIX::_exit(127);
    }

    $Pids{$pid} = 1;

    return { pid => $pid, log => $log };
}


# Its status, where it has ended.
sub ended {
    my ($daemon) = @_;

    if (!defined $daemon->{status}
        && waitpid($daemon->{pid}, POSIX::WNOHANG()) != 0)
    {
        $daemon->{status} = $? & 127 ? "signal " . ($? & 127) : $? >> 8;
        delete $Pids{$daemon->{pid}};
    }

    return defined $daemon->{status};
}


# Ends it by SIGTERM; its status.
sub stop {
    my ($daemon) = @_;

    until_true(sub { ended($daemon) || handles($daemon->{pid}, 'TERM') });
    kill 'TERM', $daemon->{pid} unless ended($daemon);
    until_true(sub { ended($daemon) })
        or die "a daemon doesn't end: " . wrote($daemon);

    return $daemon->{status};
}


sub wrote {
    return slurp($_[0]{log});
}


sub until_true {
    my ($code) = @_;
    my $end = time() + 60;

    while (1) {
        return 1 if $code->();
        return 0 if time() > $end;
        sleep(0.02);
    }
}


# It ends by itself, with one line that says why.
sub refused {
    my ($name, $status, $like, @command) = @_;
    my $daemon = start(@command);

    Test::More::ok(until_true(sub { ended($daemon) }), "$name: it ends");
    stop($daemon);
    Test::More::is($daemon->{status}, $status, "$name: status $status");
    Test::More::like(wrote($daemon), $like, "$name: it says why");

    my @lines = grep { /\[(?:error|warn)\]/ } split /\n/, wrote($daemon);
    Test::More::is(scalar(@lines), 1, "$name: in one line")
        or Test::More::diag(wrote($daemon));
}


1;
