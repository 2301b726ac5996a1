# Copyright (C) The im authors
#
# Whole files.

package Test::Im::File;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(slurp spew);


# '' where it can't be read
sub slurp {
    my ($file) = @_;

    open(my $fh, '<:raw', $file) or return '';
    local $/;
    my $text = <$fh>;

    return defined $text ? $text : '';
}


sub spew {
    my ($file, $text) = @_;

    open(my $fh, '>:raw', $file) or die "$file: $!\n";
    print $fh $text;
    close($fh) or die "$file: $!\n";
}


1;
