# Copyright (C) The im authors
#
# Certificates for tests of TLS, in a folder: NAME.pem and NAME.key of
#
#   ca        signs all but these two: other-ca, other
#   server    127.0.0.1 and localhost
#   elsewhere a server of another name
#   expired   a server's whose time is over
#   client    a client's
#   other     a server's or client's, signed by other-ca

package Test::Im::Cert;

use strict;
use warnings;

use Exporter 'import';
use Test::Im::File qw(slurp spew);

our @EXPORT_OK = qw(certificates);

my $Names = 'IP:127.0.0.1,DNS:localhost';


# Makes all of them, once.
sub certificates {
    my ($dir) = @_;

    return $dir if -e "$dir/other.pem";

    mkdir $dir;
    authority($dir, $_) for qw(ca other-ca);
    signed($dir, 'ca', 'server', $Names);
    signed($dir, 'ca', 'elsewhere', 'DNS:elsewhere.test');
    signed($dir, 'ca', 'expired', $Names,
           -startdate => '20200101000000Z', -enddate => '20200102000000Z');
    signed($dir, 'ca', 'client', 'DNS:client.test');
    signed($dir, 'other-ca', 'other', $Names);

    return $dir;
}


sub authority {
    my ($dir, $name) = @_;

    openssl($dir, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256
            -nodes -days 2 -subj), "/CN=$name", '-keyout', "$dir/$name.key",
            '-out', "$dir/$name.pem");
}


# openssl x509 -req can't make one whose time is over.
sub signed {
    my ($dir, $ca, $name, $names, @time) = @_;

    @time = (-days => 2) unless @time;

    spew("$dir/$name.cnf", "[ca]\ndefault_ca=this\n[this]\n"
         . "new_certs_dir=$dir\ndatabase=$dir/$name.index\nrand_serial=yes\n"
         . "default_md=sha256\npolicy=any\nx509_extensions=more\n"
         . "unique_subject=no\n[any]\ncommonName=supplied\n"
         . "[more]\nsubjectAltName=$names\n");
    spew("$dir/$name.index", '');

    openssl($dir, qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
            -subj), "/CN=$name", '-keyout', "$dir/$name.key", '-out',
            "$dir/$name.csr");
    openssl($dir, 'ca', '-batch', '-notext', '-config', "$dir/$name.cnf",
            '-cert', "$dir/$ca.pem", '-keyfile', "$dir/$ca.key", '-in',
            "$dir/$name.csr", '-out', "$dir/$name.pem", @time);
    unlink glob("$dir/$name.cnf $dir/$name.csr $dir/$name.index* $dir/[0-9]*.pem");
}


sub openssl {
    my ($dir, @args) = @_;
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>', "$dir/openssl.log");
        open(STDERR, '>&', \*STDOUT);
        exec('openssl', @args);
        exit 127;
    }

    waitpid($pid, 0);
    die "openssl @args: " . slurp("$dir/openssl.log") if $?;
}


1;
