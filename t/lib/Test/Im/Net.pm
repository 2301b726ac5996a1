# Copyright (C) The im authors
#
# A network between servers of a test that can be parted, without rights of any
# kind: a process that hands on what comes to a server's port, and knows by the
# address of its other end from where it comes.  Between parts no byte passes,
# no connection ends, and new ones are taken and wait, as where packets vanish.

package Test::Im::Net;

use strict;
use warnings;

use IO::Handle;
use IO::Socket::INET;
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

my $Full = 1024 * 1024;         # bytes that wait for one end


# [ NAME, SOURCE, PORT, TARGET ]...: what comes to PORT goes to TARGET; what
# comes from the address SOURCE is NAME's.
sub new {
    my ($class, @ways) = @_;
    my $self = bless { owner => $$ }, $class;

    socketpair($self->{control}, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair: $!\n";

    my @listeners = map { listener(@$_) } @ways;
    my %names = map { $_->[1] => $_->[0] } @ways;
    my $parent = $$;

    $self->{pid} = fork();
    die "fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        POSIX::setpgid(0, 0);
        $SIG{PIPE} = 'IGNORE';
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP USR1);
        close $self->{control};
        eval { serve($parent, $there, \%names, @listeners) };
        print STDERR "net: $@" if $@;
        POSIX::_exit(0);
    }

    $self->{control}->autoflush(1);

    return $self;
}


sub listener {
    my ($name, $source, $port, $target) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 512, ReuseAddr => 1)
        or die "net: port $port: $!\n";

    $socket->blocking(0);

    return { socket => $socket, to => $name, target => $target };
}


# Groups of names and of addresses; names of different groups don't reach each
# other.  Without a group all reach all.  It is so when this returns.
sub part {
    my ($self, @groups) = @_;
    my $control = $self->{control};

    print $control join(' ', map { join ',', @$_ } @groups), "\n";
    my $answer = <$control>;

    die "net: gone\n" unless defined $answer;
}


sub end {
    my ($self) = @_;

    return if $$ != $self->{owner} || $self->{over}++;

    kill 'KILL', $self->{pid};
    waitpid($self->{pid}, 0);
}


# the process

sub serve {
    my ($parent, $control, $names, @listeners) = @_;
    my (%group, @pairs);

    $control->autoflush(1);

    while (getppid() == $parent) {
        my ($in, $out) = ('', '');

        vec($in, fileno $control, 1) = 1;
        vec($in, fileno $_->{socket}, 1) = 1 for @listeners;

        for my $pair (@pairs) {
            $pair->{parted} = parted(\%group, $pair) and next;
            open_target($pair) unless $pair->{ends}[1];

            for my $i (0, 1) {
                vec($in, fileno $pair->{ends}[$i], 1) = 1
                    if length $pair->{waits}[1 - $i] < $Full;
                vec($out, fileno $pair->{ends}[$i], 1) = 1
                    if length $pair->{waits}[$i];
            }
        }

        select($in, $out, undef, 1) > 0 or next;

        for my $listener (grep { vec($in, fileno $_->{socket}, 1) }
                          @listeners)
        {
            push @pairs, take($listener, $names);
        }

        for my $pair (grep { !$_->{parted} && $_->{ends}[1] } @pairs) {
            move($pair, $in, $out);
        }

        @pairs = grep { !$_->{over} } @pairs;

        if (vec($in, fileno $control, 1)) {
            my $line = <$control>;
            return unless defined $line;

            my $n = 0;
            %group = map { $n++; map { $_ => $n } split /,/ } split ' ', $line;
            print $control "done\n";
        }
    }
}


sub take {
    my ($listener, $names) = @_;
    my $socket = $listener->{socket}->accept or return ();
    my $from = $socket->peerhost;

    return () unless defined $from;
    $socket->blocking(0);

    return { ends => [ $socket ], waits => [ '', '' ],
             from => $names->{$from} || $from, to => $listener->{to},
             target => $listener->{target} };
}


sub parted {
    my ($group, $pair) = @_;
    my ($from, $to) = @{$group}{$pair->{from}, $pair->{to}};

    return defined $from && defined $to && $from != $to;
}


sub open_target {
    my ($pair) = @_;

    $pair->{ends}[1] = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $pair->{target}, Timeout => 1);

    if ($pair->{ends}[1]) {
        $pair->{ends}[1]->blocking(0);

    } else {
        # refused there, and so here
        $pair->{over} = 1;
        $pair->{ends}[1] = $pair->{ends}[0];
    }
}


sub move {
    my ($pair, $in, $out) = @_;

    return if $pair->{over};

    for my $i (0, 1) {
        my $end = $pair->{ends}[$i];
        my $waits = \$pair->{waits}[1 - $i];

        if (vec($in, fileno $end, 1)) {
            my $n = sysread($end, $$waits, 65536, length $$waits);
            $pair->{last} = 1 if defined $n ? $n == 0 : !$!{EAGAIN};
        }

        if (length $$waits) {
            my $n = syswrite($pair->{ends}[1 - $i], $$waits);
            substr($$waits, 0, $n, '') if defined $n;
            $pair->{over} = 1 if !defined $n && !$!{EAGAIN};
        }
    }

    $pair->{over} = 1 if $pair->{last};
}


1;
