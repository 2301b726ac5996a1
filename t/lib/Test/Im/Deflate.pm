# Copyright (C) The im authors
#
# Messages compressed one by one, as clients of permessage-deflate (RFC 7692) do.

package Test::Im::Deflate;

use strict;
use warnings;

use Compress::Raw::Zlib;
use Exporter 'import';

our @EXPORT_OK = qw(pack_message unpack_message);


# level, window, memory: zlib's; final: the last block says so; every => N: a
# block each N bytes
sub pack_message {
    my ($text, %o) = @_;
    my ($z, $status) = Compress::Raw::Zlib::Deflate->new(
        -WindowBits => -($o{window} || 15), -AppendOutput => 1,
        -Level => defined $o{level} ? $o{level} : 6,
        -MemLevel => $o{memory} || 8);
    my $out = '';

    die "zlib: $status\n" unless $z;

    for my $piece ($o{every} ? $text =~ /.{1,$o{every}}/gs : $text) {
        $z->deflate($piece, $out);
        $z->flush($out, Z_FULL_FLUSH) if $o{every};
    }

    $z->flush($out, $o{final} ? Z_FINISH : Z_SYNC_FLUSH);

    return "$out\0" if $o{final};
    die "no tail\n" unless $out =~ s/\0\0\xff\xff\z//;

    return $out;
}


# With no context but a window's
sub unpack_message {
    my ($bytes, $window) = @_;
    my ($z, $status) = Compress::Raw::Zlib::Inflate->new(
        -WindowBits => -($window || 15), -AppendOutput => 1);
    my $out = '';

    die "zlib: $status\n" unless $z;

    $status = $z->inflate(my $in = "$bytes\0\0\xff\xff", $out);
    die "the message is not compressed well: $status\n"
        unless $status == Z_OK || $status == Z_BUF_ERROR;

    return $out;
}


1;
