# Copyright (C) The im authors
#
# What Linux says of a process.

package Test::Im::Process;

use strict;
use warnings;

use Config;
use Exporter 'import';
use Test::Im::File qw(slurp);

our @EXPORT_OK = qw(handles);

my %Numbers;

@Numbers{split ' ', $Config{sig_name}} = split ' ', $Config{sig_num};


# It has a handler for that signal, which would end it before; or it has ended.
sub handles {
    my ($pid, $signal) = @_;
    my $exe = readlink "/proc/$pid/exe" or return 1;
    my ($caught) = slurp("/proc/$pid/status") =~ /^SigCgt:\s*(\w+)$/m
        or return 1;

    # until it executes its program, it has the handlers of the one before
    return $exe ne readlink('/proc/self/exe')
           && hex(substr $caught, -8) >> $Numbers{$signal} - 1 & 1;
}


1;
