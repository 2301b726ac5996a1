#!/usr/bin/perl
# Copyright (C) The im authors
#
# What a handover waits for: a worker that stands still, and a Redis that is away or
# stands still, at its begin, in its middle and at its end.
#
#   IM_FAULTS="redis at begin" prove t/handover_waits.t

use strict;
use warnings;

use lib 't/lib';

use Test::Im::Moves;
use Test::More;

# or a Redis that is killed during an fsync loses what it has accepted meanwhile
my $m = Test::Im::Moves->new(appendfsync => 'always');
my $stack = $m->{stack};

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}


my $away = qr/Redis at .* (?:is away|can't be used)/;
my $lapsed = qr/the lease had lapsed/;

sub names { return map { $_->{name} } @{$m->{clients}} }


# How a row ends: who was cut, what was lost, what the log has above a notice.
sub judge {
    my ($name, $ncut, @expected) = @_;

    $m->aside;
    $m->settled;
    my @cut = $m->cut;
    is(scalar @cut, $ncut, "$name: $ncut sessions are closed") or diag("@cut");
    is(join(', ', $m->faults), '', "$name: no message is lost or doubled");

    # a machine may be as slow as that in any row
    my @lines = grep { /\[(?:alert|emerg|crit|error|warn)\]/ && !/$lapsed/ } $m->lines;
    for my $re (@expected) {
        my @those = grep { /$re/ } @lines;
        ok(scalar @those, "$name: the log has $re");
        @lines = grep { !/$re/ } @lines;
    }
    is_deeply(\@lines, [], "$name: and nothing else");

    $m->reload;
    $m->settled;
    is(join(', ', $m->cut, $m->faults), '', "$name: all move in the next reload");
    $m->lines;
}


# Redis goes away, and pushes with it.
sub redis_away {
    $m->{silent} = 1;
    $stack->stop('KILL', 'redis');
}

sub redis_back {
    # no child of this process
    delete local $stack->{pids}{nginx};
    $stack->start('redis');
    $stack->ready or die "pushes are not accepted\n";
    $m->{silent} = 0;
}

# of slot 0, once it is known
sub stay {
    my ($pid) = @_;
    my $n;

    $m->until(sub { ($n) = $m->log_text =~ /\d+#$pid: im: \d+ sessions moved to worker process \d+ in \d+ ms, (\d+) stay/; defined $n },
              'the log does not say how many stay');

    return $n;
}


my @rows = (

    # Sessions that are on their way are the new worker's when it goes on.
    [ 'new stands still', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('sessions');
        my $has = $m->still;
        my $n = @{$has->{old}} + @{$has->{new}};

        $m->go;
        $m->thaw($old);
        $m->until(sub { $m->log_has(qr/the channel to the next worker of slot 0 is lost: it said nothing for 5 s/) },
                  'the old worker waits');
        my $stay = stay($old);
        $m->await_gone($old);
        $m->thaw($new);
        ok($stay < $n, "$name: " . ($n - $stay) . ' sessions were on their way, and stay open');
        my $lost = 'the channel to the next worker of slot 0 is lost: it said nothing for 5 s;';
        my $flew = $n - $stay;
        ok($m->log_has(qr/$lost $flew sessions were in flight/), "$name: the log has how many");
        # and of a second channel, if the first one had all
        judge($name, $stay, qr/$lost (?:$flew|0) sessions were in flight/);
    } ],

    [ 'old stands still for 6 s', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('verdicts');

        $m->freeze($old);
        $m->say('go');
        $m->time_passes(6);
        $m->thaw($old);
        $m->slow_motion(1);
        $m->await_gone($old);
        judge($name, 0);
    } ],

    # The new worker goes its way; the old one comes again.
    [ 'old stands still for longer', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('verdicts');

        $m->freeze($old);
        $m->go;
        $m->until(sub { $m->log_has(qr/handover from worker process $old was cut off: it said nothing for 15 s/) },
                  'the new worker waits');
        $m->sync;
        $m->thaw($old);
        $m->await_gone($old);
        judge($name, 0, qr/the channel to the next worker of slot 0 is lost: it closed the channel; 0 sessions were in flight/);
    } ],

    [ 'redis at begin', sub {
        my ($name) = @_;
        my @old = $m->workers;

        redis_away();
        $stack->reload('nginx');
        my $stay = 0;
        $stay += stay($_) for @old;
        $m->await_gone(@old);
        redis_back();
        judge($name, $stay, $away);
        is($stay, scalar names(), "$name: no session has moved");
    } ],

    [ 'redis for a moment', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('sessions', 2);

        $m->{silent} = 1;
        $stack->signal('STOP', 'redis');
        $m->say('go');
        $m->time_passes(0.5);
        $stack->signal('CONT', 'redis');
        $m->slow_motion(1);
        $m->{silent} = 0;
        $m->await_gone($old);
        judge($name, 0);
    } ],

    # Nothing is said of the new worker's topics, of leases, or of what has come, for
    # less than the time in which some must move.
    (map {
        my $at = $_;
        [ "redis stands still at $at", sub {
            my ($name) = @_;
            my ($old, $new) = $m->interpose($at);

            $m->{silent} = 1;
            $stack->signal('STOP', 'redis');
            $m->say('go');
            $m->time_passes(2);
            $stack->signal('CONT', 'redis');
            $m->slow_motion(1);
            $m->{silent} = 0;
            $m->await_gone($old);
            judge($name, 0);
        } ]
    } 'topics', 'sessions', 'end'),

    [ 'redis in the middle', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('sessions');
        my $has = $m->still;
        my $n = @{$has->{old}} + @{$has->{new}};

        redis_away();
        $m->thaw($_) for $old, $new;
        $m->go;
        my $stay = stay($old);
        $m->await_gone($old);
        redis_back();
        judge($name, $stay, $away, qr/the channel to the next worker of slot \d is lost: it said nothing for 5 s; 0 sessions were in flight/);
    } ],

    [ 'redis at end', sub {
        my ($name) = @_;
        my ($old, $new) = $m->interpose('end');

        redis_away();
        $m->go;
        $m->await_gone($old);
        redis_back();
        judge($name, 0, $away, qr/the channel to the next worker of slot \d is lost: it said nothing for 5 s; 0 sessions were in flight/);
    } ],
);

my @wanted = split /,/, $ENV{IM_FAULTS} || '';
@rows = grep { my $name = $_->[0]; grep { $_ eq $name } @wanted } @rows if @wanted;

$m->start;
$m->reload;
$m->settled;
my $size = $m->rest;
is_deeply([ $m->cut, $m->faults ], [], 'all move in a reload');
$m->lines;

$_->[1]->($_->[0]) for @rows;

my ($counts, $grown);
ok($m->pump(30, sub { ($counts = $m->counts) eq $m->right_counts }), 'counts are right')
    or diag("$counts\ninstead of\n" . $m->right_counts);
ok($m->pump(30, sub { !($grown = $m->grown($size)) }), 'nothing has grown') or diag($grown);

done_testing();
