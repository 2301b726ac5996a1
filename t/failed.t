#!/usr/bin/perl
# Copyright (C) The im authors
#
# t/failed, which says in the end of t/run what failed: of Test::More, of TAP
# that has its diagnostics on standard output, and of what is no TAP.

use strict;
use warnings;

use Cwd ();
use File::Temp ();
use Test::More;

my $top = Cwd::cwd();
my $dir = File::Temp::tempdir('im-failed-XXXXXX', TMPDIR => 1, CLEANUP => 1);


sub spew {
    my ($name, $text) = @_;
    open(my $fh, '>', "$dir/$name") or die "$dir/$name: $!\n";
    print $fh $text;
    close($fh) or die "$dir/$name: $!\n";
}


# What it says of prove's output for these files.
sub said {
    my ($lines, @prove) = @_;

    spew('log', scalar `cd '$dir' && prove -f @prove 2>&1`);
    return scalar `t/failed '$dir/log' $lines`;
}


spew('more.t', <<'END');
use Test::More tests => 3;
ok(1, 'good');
is(1, 2, 'one # two');
diag("\nsaid of it");
ok(1, 'good too');
END

is(said(12, 'more.t'), <<'END', 'Test::More');
more.t: 1 of 3 failed, wstat 256: 2
#   Failed test 'one # two'
#          got: '1'
#     expected: '2'
# said of it
END

spew('tap', <<'END');
ok 1 - good
not ok 2 - of C
# 0x1 != 0x2
# c.c:6: error: Failure!
not ok 3 - to do # TODO some day
ok 4 - good
1..4
END

is(said(12, '-o -e cat tap'), <<'END', 'TAP with comments');
tap: 1 of 4 failed, wstat 0: 2
not ok 2 - of C
# 0x1 != 0x2
# c.c:6: error: Failure!
END

spew('many', join '', map { ("not ok $_ - test $_\n", map { "# line $_\n" }
                             1 .. 9) } 1 .. 5);

my @many = split /\n/, said(12, '-o -e cat many');

is(scalar @many, 12, 'no more lines than asked for');
is($many[0], 'many: 5 of 5 failed, wstat 0: 1-5, No plan found in TAP output',
   'a file without a plan');
is(scalar(grep { /^not ok/ } @many), 4, 'several tests have a share of them');

spew('dies.t', "print qq{1..2\\nok 1\\n}; die 'no reason ', 'x' x 300, qq{\\n};");
my @dies = split /\n/, said(12, 'dies.t');

like($dies[0], qr/^dies\.t: 0 of 1 failed, wstat \d+, Bad plan/,
     'one that dies: its plan');
is($dies[1], 'no reason ' . 'x' x 150, 'its words, cut to the width');
is(scalar @dies, 2, 'and no more');


# Side by side: which words are whose, also where a process is left behind.

spew('a.t', <<'END');
use Test::More;
ok(1, 'good');
my $pid = fork;
open(STDOUT, '>', '/dev/null'), exec 'sleep 600' if !$pid;
open my $file, '>', 'left'; print $file $pid; close $file;
warn "a\n" for 1 .. 9;
$! = 0;
die "redis1 is\nsilent\n";
END
spew('b.t', "warn qq{b\\n}; print qq{1..1\\nnot ok 1 - of b\\n};");
spew('c.t', "close STDERR; \$| = 1; print qq{1..1\\nok 1\\n}; kill 'KILL', \$\$;");

my $text = said(12, '-j3', "--exec '$top/t/said perl'", 'a.t b.t c.t');

is(join('', sort split /^(?=\S)/m, $text), <<'END', 'those of several files');
a.t: 0 of 1 failed, wstat 65280, No plan found in TAP output
  redis1 is
  silent
b.t: 1 of 1 failed, wstat 0: 1
c.t: 0 of 1 failed, wstat 9
not ok 1 - of b
END

open(my $left, '<', "$dir/left") or die "$dir/left: $!\n";
is(kill('KILL', <$left>), 1, 'nobody waits for what is left');

spew('log', join '', map { "$_\n" } 1 .. 20);
is(`t/failed '$dir/log'`, join('', map { "$_\n" } 15 .. 20), 'no TAP at all');

done_testing();
