#!/usr/bin/perl
# Copyright (C) The im authors
#
# Redis by a name: nginx, im_logic and im_job try all its addresses, and look it
# up again each time that they connect.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;

my $port = ports();
my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
my @programs = qw(nginx logic job);
# the linker takes a blank for the end of a path
my $names = File::Temp->new(SUFFIX => '.so');
my $preload = ($ENV{IM_PRELOAD} ? "$ENV{IM_PRELOAD} " : '') . $names;
my $stack;

system('cp', "$build/t/names.so", "$names") == 0 or die "cp: $?\n";


# Where the name leads from now on.
sub names {
    my ($addresses) = @_;

    spew("$stack->{dir}/names.new", "redis.test $addresses\n");
    rename "$stack->{dir}/names.new", "$stack->{dir}/names" or die $!;
}


sub service {
    my ($addresses) = @_;

    $stack = Test::Im::Stack->new(build => $build, port => $port + 1,
        workers => 2, main => "env IM_NAMES;\n", link => "redis.test:$port",
        redis => [ '--port', $port, '--bind', '127.0.0.1' ]);
    $stack->{env}{$_} = { LD_PRELOAD => $preload,
                          IM_NAMES => "$stack->{dir}/names" } for @programs;
    names($addresses);
}


sub restart_redis {
    my ($address) = @_;

    $stack->stop('TERM', 'redis');
    $stack->{redis}[-1] = $address;
    $stack->start('redis');
}


# What a program has written.
sub wrote {
    my ($name) = @_;

    return slurp("$stack->{dir}/" . ($name eq 'nginx' ? 'error' : $name)
                 . '.log');
}


# All of them have a line like that, since they had written so much.
sub all_say {
    my ($what, $re) = @_;

    for my $name (@programs) {
        ok(Test::Im::Stack::until_true(60, sub { wrote($name) =~ $re }),
           "$name: $what") or diag(wrote($name));
    }
}


sub ended {
    my ($name) = @_;
    my @faults = ($stack->stop_all, $stack->alerts, $stack->findings);

    is("@faults", '', "$name: all end well");
    $stack->end(Test::More->builder->is_passing);
}


# one address of three lives

service('::2 127.0.0.9 127.0.0.1');
$stack->start($stack->all);
ok($stack->ready, 'the third address is the one');
all_say('a dead address is named', qr/Redis at "redis\.test:$port" is away \(commands, at (?:::2|127\.0\.0\.9)\): /);
all_say('and the living one used', qr/Redis at "redis\.test:$port" is there/);

# the name leads elsewhere, where Redis is after a restart

names('127.0.0.2');
restart_redis('127.0.0.2');
ok($stack->ready, 'another address after the loss of the connection');

# the resolver is away: the address that was known

names('?');
restart_redis('127.0.0.2');
ok($stack->ready, 'the known address, while names can\'t be looked up');

names('!');
restart_redis('127.0.0.2');
ok($stack->ready, 'and while a lookup hangs');

# and names come back

names('127.0.0.2 127.0.0.3');
restart_redis('127.0.0.3');
ok($stack->ready, 'the name again');
ended('several addresses');

# an unknown name at the start

service('');
$stack->conf('nginx');
my $out = `LD_PRELOAD='$preload' IM_NAMES=$stack->{dir}/names @{[ $stack->nginx('nginx') ]} -t 2>&1`;
is($?, 0, 'nginx -t takes a name that is unknown now');
like($out, qr/\[warn\].*im_redis: the host of "redis\.test:$port" is unknown now \(Name or service not known\); workers look it up again/,
     'and warns');

$stack->start($stack->all);
all_say('an unknown name', qr/Redis at "redis\.test:$port" is away \(commands\): Name or service not known/);

my ($status, $body) = $stack->http(1, 'GET', '/im/health');
is($status, 503, 'health is bad');
like($body, qr/redis: Name or service not known/, 'and says why');

names('127.0.0.1');
ok($stack->ready, 'until it is known');
ended('an unknown name');

# a lookup that takes its time blocks nothing

service('!');
$stack->start(grep { $_ ne 'nginx' } $stack->all);
($status, $body) = (0, '');
Test::Im::Stack::until_true(60, sub {
    wrote('logic') =~ /its name could not be looked up in time/;
});
like(wrote('logic'), qr/its name could not be looked up in time/,
     'a lookup that hangs is reported');
names('127.0.0.1');
$stack->start('nginx');
names('!');
$stack->stop('KILL', 'redis');
$stack->{redis}[-1] = '127.0.0.2';
$stack->start('redis');
ok(Test::Im::Stack::until_true(60, sub {
    ($status, $body) = $stack->http(1, 'GET', '/im/status');
    my $down = () = $body =~ /"link":"down"/g;
    $down == 2;
}), 'workers answer while theirs hangs') or diag($body);
names('127.0.0.2');
ok($stack->ready, 'it goes on behind that');

# and is left alone at the end
names('!');
$stack->stop('KILL', 'redis');
all_say('lost', qr/Redis at "redis\.test:$port" is there(?:.*\n)*.*is away/);
my @faults;
for my $name (@programs) {
    eval { $stack->stop($name eq 'nginx' ? 'QUIT' : 'TERM', $name) }
        or push @faults, $@;
}
is("@faults", '', 'all end while a lookup is under way');
ended('a lookup that hangs');

done_testing();
