# Copyright (C) The im authors
#
# Ports that no other test on this machine has.  They come in blocks, below
# the ports that the kernel gives to clients.  A listener on the first port of
# a block holds the block: the kernel lets one process have it, and frees it
# when the last process that inherited it ends, however it ends.

package Test::Im::Ports;

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(F_GETFD F_SETFD FD_CLOEXEC);
use IO::Socket::INET;

our @EXPORT_OK = qw(ports more_ports);

my $Size = 20;
my $First = 12000;
my $End = 32000;

my (@Held, @Free);


# The first of 19 ports: those of IM_PORTS, or else new ones, which this
# process holds while it lives.  With the name of a variable, the programs
# that this process executes hold them too, and find them there.
sub ports {
    my ($variable) = @_;

    return $ENV{IM_PORTS} if $ENV{IM_PORTS} && !$variable;

    my ($port, $holder) = block();

    if ($variable) {
        fcntl($holder, F_SETFD, fcntl($holder, F_GETFD, 0) & ~FD_CLOEXEC)
            or die "fcntl: $!\n";
        $ENV{$variable} = $port;
    }

    return $port;
}


# Any number of other ports, which this process holds while it lives.
sub more_ports {
    my ($n) = @_;

    while (@Free < $n) {
        my ($port) = block();
        push @Free, $port .. $port + $Size - 2;
    }

    return splice @Free, 0, $n;
}


# The first port of a new block, and what holds the block.
sub block {
    my $blocks = ($End - $First) / $Size;
    my $from = $$ % $blocks;

    for my $i (0 .. $blocks - 1) {
        my $base = $First + ($from + $i) % $blocks * $Size;
        my $holder = listener($base, 1) or next;

        next if grep { !listener($_) } $base + 1 .. $base + $Size - 1;

        push @Held, $holder;

        return ($base + 1, $holder);
    }

    die "no free ports between $First and $End\n";
}


# On all addresses, so that a listener on any of them is noticed.
sub listener {
    my ($port) = @_;

    return IO::Socket::INET->new(LocalPort => $port, Listen => 1,
                                 ReuseAddr => 1);
}


1;
