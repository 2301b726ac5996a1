#!/usr/bin/perl
# Copyright (C) The im authors
#
# kill -9 of a worker at each step of a handover: of the old one, and of the new
# one.  The step is a packet that waits between the two workers, and has not come.
#
# A session is where its connection is, which Linux tells.  The sessions of a killed
# worker are cut, and those that were on their way to it.  All others stay.  Clients
# that were cut come back from where they were, and miss nothing.
#
#   IM_FAULTS="new at ready,old at end" prove t/handover_kills.t

use strict;
use warnings;

use lib 't/lib';

use Test::Im::Moves;
use Test::More;

my $m = Test::Im::Moves->new(clients => { map { $_ => 2 } qw(im cf sse ws plain goim echo) });

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}

# Step, what dies, and the line of the log that says it, with OLD and NEW for the
# processes.  The old worker has connected before HELLO.
my $closed = '(?:it closed the channel|it said nothing for \d+ s)';
my $lost = "the channel to the next worker of slot 0 is lost: $closed";
my $cut_off = "handover from worker process OLD was cut off: $closed";

my @rows = (
    [ 'hello', 'new', "$lost; 0 sessions were in flight" ],
    [ 'hello', 'old', "handover from worker process (?:OLD|0) was cut off: $closed" ],
    [ 'welcome', 'new', "$lost; 0 sessions were in flight" ],
    [ 'welcome', 'old', $cut_off ],
    # sessions without a room are in flight before
    [ 'topics', 'new', "$lost; \\d+ sessions were in flight" ],
    [ 'topics', 'old', $cut_off ],
    [ 'ready', 'new', "$lost; \\d+ sessions were in flight" ],
    [ 'ready', 'old', $cut_off ],
    [ 'sessions', 'new', "$lost; [1-9]\\d* sessions were in flight" ],
    [ 'sessions', 'old', $cut_off ],
    [ 'sessions 2', 'new', "$lost; [1-9]\\d* sessions were in flight" ],
    [ 'sessions 2', 'old', $cut_off ],
    [ 'verdicts', 'new', "$lost; \\d+ sessions were in flight" ],
    [ 'verdicts', 'old', $cut_off ],
    [ 'end', 'new', "$lost; 0 sessions were in flight" ],
    [ 'end', 'old', $cut_off ],
    # the old worker has done all
    [ 'settled', 'new', '\\d+ sessions moved to worker process NEW in \\d+ ms, 0 stay' ],
    [ 'settled', 'old', '\\d+ sessions came from worker process OLD, 0 were refused' ],
);

my @wanted = split /,/, $ENV{IM_FAULTS} || '';
@rows = grep { my $name = "$_->[1] at $_->[0]"; grep { $_ eq $name } @wanted } @rows if @wanted;

# Sessions that have moved are at the new worker; others have no place but the old one.
sub row {
    my ($step, $victim, $line) = @_;
    my $name = "$victim at $step";
    my ($old, $new) = $m->interpose(split ' ', $step);
    my $has = $m->still;
    my %pids = (OLD => $old, NEW => $new);
    my $re = $line =~ s/\b(OLD|NEW)\b/$pids{$1}/gr;
    my %at = map { my $who = $_; ($who => { map { ($_ => 1) } @{$has->{$who}} }) } qw(old new pid);
    my @cut = $victim eq 'new' ? grep { $at{new}{$_} || $at{pid}{$_} } map { $_->{name} } @{$m->{clients}}
                               : grep { !$at{new}{$_} && !$at{pid}{$_} } @{$has->{old}};

    my $dies = $victim eq 'new' ? $new : $old;
    kill 'KILL', $dies;
    $m->await_gone($dies);
    $m->sync;
    $m->thaw($victim eq 'new' ? $old : $new);
    $m->go;
    $m->await_gone(@{$m->{between}{all}});
    $m->until(sub { $m->of_slot(0) && $m->log_has($re) }, "$name: the log doesn't say $re");
    $m->until(sub { @cut <= grep { $_->{cut} } @{$m->{clients}} }, "$name: sessions are not cut");
    $m->aside;
    $m->settled;

    is_deeply([ $m->cut ], [ sort @cut ], "$name: " . @cut . ' sessions are cut, '
              . (@{$m->{clients}} - @cut) . ' stay');
    is_deeply([ $m->faults ], [], "$name: no message is lost or doubled");

    my @lines = $m->lines;
    is(scalar(grep { /exited on signal/ } @lines), 1, "$name: one worker has died");
    is_deeply([ grep { /\[(?:alert|emerg|crit|error)\]/ && !/exited on signal 9/ } @lines ], [], "$name: and nothing else");

    $m->reload;
    $m->settled;
    is_deeply([ $m->cut, $m->faults ], [], "$name: all move in the next reload");
    $m->lines;
}


$m->start;
$m->reload;
$m->settled;
my $size = $m->rest;
is_deeply([ $m->cut, $m->faults ], [], 'all move in a reload');
$m->lines;

row(@$_) for @rows;

my $counts;
ok($m->pump(30, sub { ($counts = $m->counts) eq $m->right_counts }), 'counts are right') or diag($counts, ' instead of ', $m->right_counts);
my $grown;
ok($m->pump(60, sub { !($grown = $m->grown($size)) }), 'nothing has grown') or diag($grown);

done_testing();
