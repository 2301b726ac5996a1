# Copyright (C) The im authors
#
# What processes use, as Linux says it: CPU, memory, descriptors.  A process
# that is gone uses nothing.

package Test::Im::Usage;

use strict;
use warnings;

use Exporter qw(import);
use Test::Im::File qw(slurp);

our @EXPORT_OK = qw(cpu memory files ends sockets median);


# us of CPU, of all threads
sub cpu {
    my ($pid) = @_;
    my $sum = 0;

    $sum += (split ' ', slurp($_))[0] || 0
        for glob "/proc/$pid/task/*/schedstat";

    return $sum / 1000;
}


# kB that are no file's: how much of a library counts for a process depends on
# which other processes of the machine use it
sub memory {
    my ($pid) = @_;

    return slurp("/proc/$pid/smaps_rollup") =~ /^Anonymous:\s+(\d+)/m ? $1 : 0;
}


sub files {
    my ($pid) = @_;

    opendir my $dir, "/proc/$pid/fd" or return 0;
    return scalar grep { /\d/ } readdir $dir;
}


# Has this worker of nginx heard that it is to end?
sub ends {
    my ($pid) = @_;

    return slurp("/proc/$pid/cmdline") =~ /shutting down/;
}


# unix sockets that are bound to a path in a folder, and their connections
sub sockets {
    my ($dir) = @_;

    return scalar(() = slurp('/proc/net/unix') =~ m{ \Q$dir\E/}g);
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[$#sorted / 2];
}


1;
