# Hash tags of partitions, as an installation has them: im_core/im_keys.h.
package Test::Im::Tag;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(slot tag tags);

my %Tags;


# The slot of a key in Redis Cluster.
sub slot {
    my ($key) = @_;
    my $crc = 0;

    $key = $1 if $key =~ /\A[^{]*\{([^}]+)\}/s;

    for my $byte (unpack 'C*', $key) {
        $crc ^= $byte << 8;
        $crc = ($crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1) & 0xffff
            for 1 .. 8;
    }

    return $crc % 16384;
}


# tag(3, '16e'): "3-17" or the like; tag(3, '16'): "3"
sub tag {
    my ($p, $conf) = @_;
    my ($n) = $conf =~ /\A(\d+)e\z/ or return $p;

    return $Tags{"$p of $n"} ||= do {
        my $s = 0;

        while (1) {
            my $at = slot("$p-$s") * 4 * $n - $p * 4 * 16384;
            last if $at >= 16384 && $at < 3 * 16384;
            $s++;
        }

        "$p-$s";
    };
}


# In the texts, "im:{3}:" becomes what it is in that installation.
sub tags {
    my ($conf, @texts) = @_;

    s/\bim:\{\K(\d+)(?=\}:)/tag($1, $conf)/ge for @texts;

    return @texts;
}


1;
