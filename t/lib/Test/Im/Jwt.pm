# Copyright (C) The im authors
#
# Keys and signed tokens for tests, by what perl and openssl bring along.
#
# Keys are files of one folder and are made when they are first named; the name
# says what they are: hs..., short, empty are secrets; rsNNNN, es256, es384,
# es512, secp256k1, ed..., ed448 are private keys; with .pub they are public ones;
# set.KEY.KEY... is a JSON Web Key Set of these.

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

    if ($name =~ /\Aset\.(.+)/) {
        jwks("$name " . join ' ', split /\./, $1);
        return $file;
    }

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
        ed   => $bits == 448 ? 'ED448' : 'ED25519',
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


# "NAME KEY[,MEMBER=VALUE...] ...": NAME becomes a set of these keys, each with
# its name as kid; a member of the value "-" is left out.  "NAME = TEXT": the
# file has that text.  It is written aside and renamed, as a cron job should.
sub jwks {
    my ($name, $spec) = split ' ', $_[0], 2;
    my $text = $spec =~ s/\A= //
        ? $spec
        : '{"keys":[' . join(',', map { jwk($_) } split ' ', $spec) . ']}';

    $text =~ s/FILL\((\d+)\)/' ' x $1/ge;
    $text =~ s/JWK\((\S+)\)/jwk($1)/ge;

    open(my $fh, '>:raw', "$Dir/$name.new") or die "$name: $!\n";
    print $fh $text;
    close $fh;

    rename "$Dir/$name.new", "$Dir/$name" or die "$name: $!\n";

    return 1;
}


sub jwk {
    my ($name, @members) = split /,/, $_[0];
    my %jwk = (kid => $name, use => 'sig', material($name));

    for my $member (@members) {
        my ($key, $value) = split /=/, $member, 2;

        $jwk{$key} = $value;
        delete $jwk{$key} if $value eq '-';
    }

    return '{' . join(',', map {
        "\"$_\":" . ($jwk{$_} =~ /\A[\[{]/ ? $jwk{$_} : "\"$jwk{$_}\"")
    } sort keys %jwk) . '}';
}


sub material {
    my ($name) = @_;
    my ($kind, $bits) = $name =~ /\A([a-z]+)(\d*)/;

    if ($kind eq 'hs' || $kind eq 'short') {
        my $secret = slurp(key($name));
        $secret =~ s/\n\z//;
        return (kty => 'oct', alg => 'HS256', k => base64($secret));
    }

    my $file = key("$name.pub");

    if ($kind eq 'rs') {
        my ($n) = `openssl rsa -pubin -in $file -noout -modulus`
            =~ /Modulus=([0-9A-F]+)/;
        return (kty => 'RSA', alg => 'RS256', e => 'AQAB',
                n => base64(pack 'H*', $n));
    }

    my $der = `openssl pkey -pubin -in $file -outform DER`;

    if ($kind eq 'ed') {
        return (kty => 'OKP', alg => 'EdDSA',
                crv => $bits && $bits == 448 ? 'Ed448' : 'Ed25519',
                x => base64(substr $der, $bits && $bits == 448 ? -57 : -32));
    }

    $bits ||= 256;
    my $length = { 256 => 32, 384 => 48, 512 => 66 }->{$bits};

    return (kty => 'EC', alg => "ES$bits",
            crv => 'P-' . ($bits == 512 ? 521 : $bits),
            x => base64(substr $der, -2 * $length, $length),
            y => base64(substr $der, -$length));
}


# "ALG[,OPTION...] KEY CLAIMS": KEY signs.  now+N and now-N in the claims are
# times, FILL(N) is N bytes.  Options: kid=TEXT; what is wrong: crit (in the
# header), claims (changed once they were signed), cut, empty, der, zero, swap
# (of the signature), salt (of another length).
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

    return '' if $alg !~ /\A([A-Z]S)(\d+)\z|\A(Ed)/;

    my ($family, $bits) = ($1 // $3, $2 // 0);

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
    my $pss = $family eq 'PS'
        ? '-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:'
          . ($is->{salt} ? '8' : 'digest')
        : '';
    my $signature = $family eq 'Ed'
        ? `openssl pkeyutl -sign -rawin -inkey $file -in $Dir/signing`
        : `openssl dgst -sha$bits $pss -sign $file $Dir/signing`;
    die "openssl doesn't sign\n" if $signature eq '';

    return $signature if $family ne 'ES' || $is->{der};

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
