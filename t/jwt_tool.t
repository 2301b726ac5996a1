#!/usr/bin/perl
# Copyright (C) The im authors
#
# "im_logic token", and the programs of docs/auth.md that make tokens: nginx's
# words for good and bad tokens are t/jwt.t's.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use Test::Im::Docs qw(block commands);
use Test::Im::File qw(slurp spew);
use Test::Im::Jwt;
use Test::More;

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
my $dir = File::Temp::tempdir('im-token-XXXXXX', TMPDIR => 1, CLEANUP => 1);

Test::Im::Jwt::folder("$dir/keys");


# (status, what it wrote)
sub token {
    my (@options) = @_;
    my $pid = open(my $fh, '-|');

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        exec("$build/im_logic", 'token', @options);
        exit 127;
    }

    local $/;
    my $out = <$fh>;
    close $fh;

    return ($? >> 8, defined $out ? $out : '');
}


sub key { return Test::Im::Jwt::key(@_) }


sub is_taken {
    my ($name, $key, $token, @options) = @_;
    my ($status, $out) = token("--key=$key", "--check=$token", @options);

    is($status, 0, "$name: is taken");
    like($out, qr/^nginx +takes it$/m, "$name: and it says so");

    return $out;
}


sub is_refused {
    my ($name, $why, $key, $token, @options) = @_;
    my ($status, $out) = token("--key=$key", "--check=$token", @options);

    is($status, 1, "$name: is refused");
    like($out, qr/^nginx +refused: $why$/m, "$name: with the reason") or diag($out);
}


sub made {
    my ($key, @options) = @_;
    my ($status, $out) = token("--key=$key", @options);

    is($status, 0, "made: @options") or diag($out);
    chomp $out;

    return $out;
}


# each kind of key

for my $case (['hs', 'hs'], ['rs', 'rs.pub'], ['rs', 'rs.pub', '--alg=PS384'],
              ['es256', 'es256.pub'], ['es384', 'es384.pub'],
              ['es512', 'es512.pub'], ['ed', 'ed.pub'], ['ed448', 'ed448.pub'],
              ['hs', 'hs', '--alg=HS512'])
{
    my ($private, $public, @alg) = @$case;

    is_taken("$private @alg", key($public), made(key($private), '--sub=ann', @alg),
             @alg);
}

my $all = made(key('hs'), '--sub=ann', '--name=Ann "A"', '--rooms=a,b', '--kid=k1',
               '--aud=chat', '--iss=login', '--exp=10m',
               '--claims={"meta":{"n":1}}');
my $out = is_taken('all claims', key('hs'), $all, '--aud=chat', '--iss=login',
                   '--kid=k1');

like($out, qr/^claims +\{"sub":"ann","aud":"chat","iss":"login","channels":\["a","b"\],"info":\{"name":"Ann \\"A\\""\},"meta":\{"n":1\},"iat":\d+,"exp":\d+\}$/m,
     'it has them');
like($out, qr/^kid +k1\nsignature +made by the key in ".*"\n/m, 'and the key');
like($out, qr/^user +ann\nroom +a\nroom +b\nissued +\d+ \(.* UTC, /m, 'in words');
like($out, qr/^expires +\d+ \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in (?:600|599) s\)$/m,
     'with the time that is left');
like(is_taken('a guest', key('hs'), made(key('hs'), '--exp=0')),
     qr/^user +a guest \(no sub\)\n(?!.*^expires)/ms, 'a guest, for ever');

# what is wrong, in nginx's words

is_refused('another secret', "the token's signature is wrong", key('hs2'), $all);
is_refused('a changed token', "the token's signature is wrong", key('hs'), "${all}x");
is_refused('another algorithm', "the token's algorithm is not its key's",
           key('rs.pub'), $all);
is_refused('another kid', "the token's key is unknown", key('hs'), $all, '--kid=k2');
is_refused('another audience', 'the token is for another audience', key('hs'), $all,
           '--aud=other');
is_refused('another issuer', 'the token is from another issuer', key('hs'), $all,
           '--iss=other');
is_refused('no token', 'the token has not three parts', key('hs'), 'abc');
is_refused('no base64url', 'a part of the token is not base64url', key('hs'),
           'a=.b.c');

for my $case (['{"sub":17}', "the token's sub is not a string"],
              ['{"channel":{}}', "the token's channel is not a string"],
              ['{"exp":"soon"}', "the token's exp is not a time in seconds"],
              ['{"nbf":[]}', "the token's nbf is not a time in seconds"],
              ['{"subs":[]}', "the token's subs are not an object"],
              ['{"channels":1}', "the token's channels are not valid"])
{
    my ($claims, $why) = @$case;
    my $token = Test::Im::Jwt::token("HS256 hs $claims");

    is_refused($claims, $why, key('hs'), $token);

    my ($status, $said) = token('--key=' . key('hs'), "--claims=$claims", '--exp=0');
    is($status, 1, "$claims: no such token is made");
    like($said, qr/\Q$why\E$/m, "$claims: with the reason");
}

is_refused('expired', 'the token has expired', key('hs'),
           Test::Im::Jwt::token('HS256 hs {"exp":now-60}'));
is_refused('too early', 'the token is not valid yet', key('hs'),
           Test::Im::Jwt::token('HS256 hs {"nbf":now+60}'));
is_taken('too early, and a leeway', key('hs'),
         Test::Im::Jwt::token('HS256 hs {"nbf":now+60}'), '--leeway=2m');

# options

for my $case ([2, qr/no key: give --key=FILE/], [1, qr/No such file/, '--key=/none'],
              [1, qr/public key: a private one signs/, '--key=' . key('rs.pub')],
              [1, qr/shorter than the hash.*--weak/, '--key=' . key('short')],
              [1, qr/is empty/, '--weak', '--key=' . key('empty')],
              [1, qr/another kind/, '--alg=ES256', '--key=' . key('rs')],
              [1, qr/not a key in PEM/, '--alg=ES256', '--key=' . key('hs')],
              [1, qr/--alg is/, '--alg=none', '--key=' . key('hs')],
              [2, qr/--claims has "sub", which is written by --sub: give it/,
               '--claims={"meta":1,"s\u0075b":"eve"}', '--sub=ann'],
              [2, qr/--claims has "exp", which is written by --exp/,
               '--claims={"exp":1}'],
              [2, qr/--claims has "iat", which is written by im_logic token/,
               '--claims={"iat":1}'],
              [2, qr/--claims has "a" twice: give it once/,
               '--claims={"a":1,"b":2,"a":3}'],
              [2, qr/"\[\]" must be a JSON object/, '--claims=[]',
               '--key=' . key('hs')])
{
    my ($status, $like, @options) = @$case;
    my ($got, $said) = token(@options);

    is($got, $status, "status of @options");
    like($said, $like, "and the reason");
}

is_taken('a weak secret', key('short'), made(key('short'), '--weak'), '--weak');

my ($status, $said) = token("--check=$all");
is($status, 0, 'without a key');
like($said, qr/^signature +not checked: give --key=FILE$/m, 'the signature is open');

# docs/auth.md

sub shell {
    my ($command) = @_;

    local $ENV{PATH} = "$build:$ENV{PATH}";
    $command =~ s{/etc/im}{$dir/im}g;

    return scalar `$command 2>&1`;
}

for my $command (commands(block('docs/auth.md', 'mkdir -p /etc/im'))) {
    $command =~ s{root:BACKEND}{@{[ $> . ':' . ($) + 0) ]}};
    my $said = shell($command);
    is($?, 0, $command) or diag($said);
}

my ($command) = block('docs/auth.md', '$ im_logic token --key /etc/im/secret --sub')
    =~ /^\$ (.*)/m;
chomp(my $made = shell($command));
like($made, qr/\AeyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.eyJzdWIiOiJhbm4iLCJpYXQi/,
     $command);

my $shown = block('docs/auth.md', '$ im_logic token --key /etc/im/secret --check');
my ($check, $explained) = $shown =~ /\A\$ ([^\n]*)\n(.*)\z/s;
my $said_of_it = shell($check =~ s/eyJ\S+/$made/r);
my $form = quotemeta($explained =~ s{/etc/im}{$dir/im}gr) =~ s/\d+/\\d+/gr
    =~ s/\\d\+\\ s\\ ago/(?:\\d+ s ago|in 0 s)/r;
like($said_of_it, qr/\A$form\z/, $check);

my $secret = "$dir/im/secret";
my %programs = (
    node   => [ block('docs/auth.md', 'const crypto'), 'js', 'node' ],
    python => [ block('docs/auth.md', 'import base64'), 'py', 'python3' ],
    php    => [ block('docs/auth.md', '<?php'), 'php', 'php' ],
    go     => [ block('docs/auth.md', 'package main'), 'go', 'go', 'run' ],
    ruby   => [ block('docs/auth.md', "require 'base64'"), 'rb', 'ruby' ],
);

for my $language (sort keys %programs) {
    my ($code, $suffix, @command) = @{$programs{$language}};
    my $needs = $command[0];

  SKIP: {
        skip "$needs is not on this machine", 2
            if system("command -v $needs > /dev/null 2>&1") != 0;

        $code =~ s{/etc/im/secret}{$secret}g;
        spew("$dir/token.$suffix", $code);

        local $ENV{GOCACHE} = "$dir/go";
        local $ENV{GOFLAGS} = '-mod=mod';
        my $made = `cd $dir && @command token.$suffix`;
        chomp $made;

        like(is_taken("docs/auth.md, $language", $secret, $made), qr/^user +ann$/m,
             "docs/auth.md, $language: for ann");
    }
}

done_testing();
