# What the nginx of the tests is like: it may be another one than Debian's.
package Test::Im::Nginx;

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();

use Test::Im::File qw(spew);

our @EXPORT_OK = qw(foreign);


# Why that nginx can't load a module that was built for another one; nothing
# where it can.
sub foreign {
    my (@modules) = @_;
    my $dir = File::Temp::tempdir('im-nginx-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

    spew("$dir/nginx.conf", join('', map { "load_module \"$_\";\n" } @modules)
         . "pid $dir/pid;\nerror_log stderr;\nevents {}\n");
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
    my $out = `$binary -t -p $dir -e $dir/error.log -c $dir/nginx.conf 2>&1`;

    return $out =~ m{\b(module "\S+" (?:version|is not binary compatible).*)}
        ? $1 =~ s/ in \S+$//r : undef;
}


1;
