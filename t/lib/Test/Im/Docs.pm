# Copyright (C) The im authors
#
# The code blocks of README.md and docs/, for the tests that run them.  A block
# is what stands between ``` and ```, or lines with four blanks before them.
#
# docs.t runs most blocks by their language, and finds the test of any other one
# by its call of block(), here or in t/lib/docs.js.  A block of the language
# "text" is not run: it shows output, or what only its reader has.

package Test::Im::Docs;

use strict;
use warnings;

use Cwd ();
use Exporter qw(import);
use File::Basename qw(dirname);
use List::Util qw(min);
use Test::Im::File qw(slurp);

our @EXPORT_OK = qw(block blocks commands pages);

my $Top = Cwd::abs_path(dirname(__FILE__) . '/../../../..');


sub pages {
    opendir(my $dh, "$Top/docs") or die "$Top/docs: $!\n";

    return ('README.md', sort map { "docs/$_" } grep { /\.md\z/ } readdir $dh);
}


# In their order: { page, line, language, text }; without a language it is ''.
sub blocks {
    my ($page) = @_;
    my @lines = split /\n/, slurp("$Top/$page");
    my (@blocks, $block, $blank);

    for my $i (0 .. $#lines) {
        my $line = $lines[$i];

        if ($line =~ /^ *```(\S*)/) {
            if ($block && $block->{fence}) {
                undef $block;

            } else {
                push @blocks, $block = { page => $page, line => $i + 1,
                    language => $1, text => '', fence => 1 };
            }

        } elsif ($block && $block->{fence} || $line =~ /^    / && $block) {
            $block->{text} .= "$line\n";

        } elsif ($line =~ /^    / && $blank) {
            push @blocks, $block = { page => $page, line => $i + 1,
                language => '', text => "$line\n" };

        } elsif ($block && $line eq '') {
            $block->{text} .= "\n";

        } else {
            undef $block;
        }

        $blank = $line eq '';
    }

    for my $b (@blocks) {
        my $indent = min map { length } $b->{text} =~ /^( *)\S/mg;

        $b->{text} =~ s/^ {$indent}//mg if $indent;
        $b->{text} =~ s/\n*\z/\n/;
    }

    return @blocks;
}


# The text of the only block of a page with a line that begins so.
sub block {
    my ($page, $start) = @_;
    my @found = grep { $_->{text} =~ /^\Q$start\E/m } blocks($page);

    die "$page has ", scalar @found, " blocks with \"$start\"\n" if @found != 1;

    return $found[0]{text};
}


# The commands of a text, each of them in one line, without comments.
sub commands {
    my ($text) = @_;

    return grep { $_ ne '' } map { s/(?:^| +)# .*//r } split /\n/,
        $text =~ s/ *\\\n\s*/ /gr;
}


1;
