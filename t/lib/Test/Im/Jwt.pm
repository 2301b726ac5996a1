# Copyright (C) The im authors
#
# Keys and signed tokens for tests, by what perl and openssl bring along.
#
# Keys are files of one folder and are made when they are first named; the name
# says what they are: hs..., short, empty are secrets; rsNNNN, es256, es384,
# es512, secp256k1, ed25519 are private keys; with .pub they are public ones.

package Test::Im::Jwt;

use strict;
use warnings;

use Digest::SHA ();
use MIME::Base64 ();

my $Dir;

sub folder { $Dir = shift; mkdir $Dir }


# Of all names in a configuration, "DIR/NAME".
sub keys_in {
    my ($text) = @_;

    key($1) while $text =~ m{TEST_NGINX_IM_KEYS/([\w.]+)}g;
}


sub key {
    my ($name) = @_;
    my $file = "$Dir/$name";
    my ($kind, $bits) = $name =~ /\A([a-z]+)(\d*)/;

    $bits ||= 0;
    return $file if -e $file || $name =~ /\A(?:missing|folder)\z/;

    if ($name =~ s/\.pub\z//) {
        system("openssl pkey -in " . key($name) . " -pubout -out $file") == 0
            or die "openssl makes no public key\n";
        return $file;
    }

    my %secrets = (
        hs    => join('', map { sprintf '%08x', rand 2**32 } 1 .. 8) . "\n",
        short => "secret\n",
        empty => "\n",
        dots  => "not a key, " x 10,
        huge  => 'x' x 65536,
    );
    my %algorithms = (
        rs   => 'RSA -pkeyopt rsa_keygen_bits:' . ($bits > 9 ? $bits : 2048),
        pss  => 'RSA-PSS -pkeyopt rsa_keygen_bits:2048',
        es   => 'EC -pkeyopt ec_paramgen_curve:P-'
                . ($bits == 512 ? 521 : $bits || 256),
        secp => 'EC -pkeyopt ec_paramgen_curve:secp256k1',
        ed   => 'ED25519',
    );

    if (defined $secrets{$kind}) {
        open(my $fh, '>:raw', $file) or die "$file: $!\n";
        print $fh $secrets{$kind};
        close $fh;

    } else {
        my $algorithm = $algorithms{$kind} or die "no key \"$name\"\n";
        system("openssl genpkey -algorithm $algorithm -out $file"
               . " 2> /dev/null") == 0 or die "openssl makes no key\n";
    }

    return $file;
}


# NAME [OTHER]: NAME becomes NAME.old, and NAME (and NAME.pub) is another key,
# or the same as OTHER.
sub renew {
    my ($name, $other) = split ' ', $_[0];

    rename "$Dir/$name", "$Dir/$name.old" or die "$name: $!\n";

    if (defined $other) {
        link(key($other), "$Dir/$name") or die "$other: $!\n";

    } else {
        key(unlink("$Dir/$name.pub") ? "$name.pub" : $name);
    }

    return 1;
}


# "ALG[,OPTION...] KEY CLAIMS": KEY signs.  now+N and now-N in the claims are
# times, FILL(N) is N bytes.  Options: kid=TEXT; what is wrong: crit (in the
# header), claims (changed once they were signed), cut, empty, der, zero, swap
# (of the signature).
sub token {
    my ($spec) = @_;
    my ($options, $key, $claims) = split ' ', $spec, 3;
    my ($alg, @options) = split /,/, $options;
    my $kid = (map { /\Akid=(.*)/ } @options)[0];
    my %is = map { $_ => 1 } @options;
    my $header = '{"alg":"' . $alg . '","typ":"JWT"'
        . (defined $kid ? ",\"kid\":\"$kid\"" : '')
        . ($is{crit} ? ',"crit":["exp"]' : '') . '}';

    $claims =~ s/now([+-]\d+)/time() + $1/ge;
    $claims =~ s/FILL\((\d+)\)/'x' x $1/ge;

    my $signing = base64($header) . '.' . base64($claims);
    my $signature = sign($alg, $key, $signing, \%is);

    $signing = base64($header) . '.' . base64($claims =~ s/\}\z/,"x":1}/r)
        if $is{claims};

    chop $signature if $is{cut};
    $signature = '' if $is{empty};
    $signature = "\0" x length $signature if $is{zero};

    return "$signing." . base64($signature);
}


sub base64 { return MIME::Base64::encode($_[0], '') =~ tr{+/=}{-_}dr }


sub sign {
    my ($alg, $key, $signing, $is) = @_;

    return '' if $alg !~ /\A([A-Z]S)(\d+)\z/;

    my ($family, $bits) = ($1, $2);

    if ($family eq 'HS') {
        my $secret = slurp(key($key));
        $secret =~ s/\n\z//;
        no strict 'refs';
        return &{"Digest::SHA::hmac_sha$bits"}($signing, $secret);
    }

    open(my $fh, '>:raw', "$Dir/signing") or die "$Dir/signing: $!\n";
    print $fh $signing;
    close $fh;

    my $file = key($key);
    my $signature = `openssl dgst -sha$bits -sign $file $Dir/signing`;
    die "openssl doesn't sign\n" if $signature eq '';

    return $signature if $family eq 'RS' || $is->{der};

    # DER to two numbers of equal length

    my $length = { 256 => 32, 384 => 48, 512 => 66 }->{$bits};
    my $at = ord(substr $signature, 1, 1) & 0x80 ? 3 : 2;
    my @numbers;

    for (1, 2) {
        my $n = ord substr $signature, $at + 1, 1;
        my $number = substr $signature, $at + 2, $n;
        $number =~ s/\A\0+//;
        push @numbers, ("\0" x ($length - length $number)) . $number;
        $at += 2 + $n;
    }

    @numbers = reverse @numbers if $is->{swap};

    return join '', @numbers;
}


sub slurp {
    my ($file) = @_;

    open(my $fh, '<:raw', $file) or die "$file: $!\n";
    local $/;

    return <$fh>;
}


1;
