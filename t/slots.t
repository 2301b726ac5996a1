# One key slot a call: other tests, against a Redis that has all slots of a
# cluster and refuses calls whose keys are in two.

use strict;
use warnings;

use Test::More;

my @files = qw(accounts admin api-v1 calls centrifuge emulation_nodes failures join queries);
my @settings = grep { /\A(?:IM_PORTS\z|TEST_NGINX_)/
                      && !/\ATEST_NGINX_(?:BINARY|IM_TIMEOUT)\z/ } keys %ENV;
my @libs = map { "-I$_" } grep { /\bt\/\w+\z/ } @INC;

delete @ENV{@settings};
$ENV{IM_TEST_REDIS} = 'cluster';

my %runs = map { $_ => start($_) } @files;

for my $file (@files) {
    my $out = do { local $/; readline $runs{$file} };
    my $good = close $runs{$file};

    ok($good, "t/$file.t") or diag(grep { !/\Aok / } $out =~ /^.*\n/mg);
}

done_testing();


sub start {
    my ($file) = @_;

    open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $^X, @libs,
         "t/$file.t") or die "$file: $!\n";

    return $out;
}
