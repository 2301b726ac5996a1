#!/usr/bin/perl
# Copyright (C) The im authors
#
# The channel between an old worker and a new one breaks while both live: at each
# step of a handover, so before, among and behind sessions that have moved.  Counts
# and lists of users are asked for all the time.  Each answer is exact; sessions that
# were lost on their way may count until the new worker has told Redis what it has.
# One of the two stands still meanwhile, so that the other one hears of it first.
#
#   IM_CUTS="verdicts,sessions 2" prove t/handover_cuts.t

use strict;
use warnings;

use lib 't/lib';

use JSON::PP ();
use List::Util qw(sum0);
use Test::Im::Moves;
use Test::More;
use Time::HiRes qw(time);

my $m = Test::Im::Moves->new(clients => { im => 8, cf => 100, sse => 8, ws => 8, plain => 8, goim => 8 });

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}

# Where it breaks: a packet that waits and is lost.  Are sessions lost behind it (or
# perhaps)?
my @rows = (
    [ 'topics', '' ], [ 'ready', '' ], [ 'sessions', 'lost' ], [ 'sessions 2', 'lost' ], [ 'verdicts', 'perhaps' ],
    [ 'verdicts 2', 'perhaps' ], [ 'end', '' ], [ 'settled', '' ],
);

my @wanted = split /,/, $ENV{IM_CUTS} || '';
@rows = grep { my $name = $_->[0]; grep { $_ eq $name } @wanted } @rows if @wanted;


# What Redis counts, and what is there.
sub ask {
    my ($path) = @_;
    my ($status, $body) = $m->{stack}->http(5, 'GET', $path);

    die "$path: $status $body\n" if $status != 200;
    return JSON::PP::decode_json($body)->{data};
}

sub counts {
    my $online = ask('/im/online');
    my %counts = (connections => $online->{connections}, users => $online->{users});

    for my $room ($m->rooms) {
        my $r = ask('/im/rooms/' . ($room =~ s/([^\w])/sprintf '%%%02X', ord $1/ger));
        $counts{"room $room"} = $r->{count};
        $counts{"users of $room"} = scalar @{$r->{users}};
        $counts{"sessions of $room"} = sum0(map { $_->{sessions} } @{$r->{users}});
    }

    $counts{"top $_->{room}"} = $_->{count} for @{ask('/im/rooms?top=100')->{rooms}};
    return \%counts;
}

sub truth {
    my @there = grep { $_->{client} } @{$m->{clients}};
    my %truth = (connections => scalar @there, users => scalar grep { $_->{kind} eq 'cf' } @there);

    for my $room ($m->rooms) {
        my @of = grep { ($_->{room} // '') eq $room } @there;
        my $users = grep { $_->{kind} eq 'cf' } @of;
        $truth{"$_ $room"} = @of for 'room', 'top';
        $truth{"$_ $room"} = $users for 'users of', 'sessions of';
    }

    return \%truth;
}

sub text { my ($h) = @_; return join ', ', map { $h->{$_} ? "$_ $h->{$_}" : () } sort keys %$h }


my ($npolls, $next, @wrong) = (0, 0);

# Not less than is there, and not more than there was.
sub poll {
    my ($most, $what) = @_;

    return if time() < $next;
    my $got = counts();
    $m->pump(0);
    my $least = truth();
    $npolls++;
    for my $key (sort keys %{{ %$most, %$got }}) {
        my ($n, $from, $to) = map { $_->{$key} // 0 } $got, $least, $most;
        push @wrong, "$what: $key $n instead of $from to $to" if ($n < $from || $n > $to) && @wrong < 30;
    }
    $next = time() + 0.02;
    return text($got) eq text($least);
}

sub until_exact {
    my ($most, $what, $code) = @_;

    $m->until(sub { poll($most, $what); $code->() }, $what);
}


sub row {
    my ($step, $lost, $first) = @_;
    my $name = "$step, the $first one is first";
    my $most = truth();
    my ($n, $same) = ($npolls, 0);

    @wrong = ();
    my ($old, $new) = $m->interpose(split ' ', $step);
    until_exact($most, 'a packet waits', sub { $npolls >= $n + 3 });
    my $second = $first eq 'old' ? $new : $old;
    my $lost_by = { old => qr/ $old#\S+ im: the channel to the next worker of slot 0 is lost: it closed the channel/,
                    new => qr/ $new#\S+ im: (?:handover from worker process $old was cut off: it closed the channel|\d+ sessions came from worker process $old)/ };
    $m->freeze($second);
    $m->slow_motion(1);
    $m->say('cut');
    until_exact($most, 'the channel is broken', sub { $m->log_has($lost_by->{$first}) });
    # workers report changes each second
    my $end = time() + 2;
    until_exact($most, "the $first one knows it", sub { time() >= $end });
    $m->thaw($second);
    until_exact($most, 'both know it', sub { $m->log_has($lost_by->{old}) && $m->log_has($lost_by->{new}) });
    until_exact($most, 'all move', sub { !grep { !Test::Im::Moves::gone($_) } @{$m->{between}{all}} });
    $m->pump(20, sub { $same = poll($most, 'none is left') });
    is(text(counts()), text(truth()), "$name: counts are right") if !$same;
    $n = $npolls - $n;
    is_deeply(\@wrong, [], "$name: each of $n polls is exact");

    $m->aside;
    $m->settled;
    my @cut = $m->cut;
    ok($lost eq 'perhaps' || !$lost == !@cut, "$name: " . @cut . ' sessions are lost');
    is_deeply([ $m->faults ], [], "$name: no message is lost or doubled");
    is_deeply([ grep { /\[(?:alert|emerg|crit|error)\]/ } $m->lines ], [], "$name: no error");
    $m->until(sub { text(counts()) eq text(truth()) }, "$name: counts don't become right when all are back");
}


$m->start;
$m->reload;
$m->settled;
$m->until(sub { text(counts()) eq text(truth()) }, 'counts are not right at first');
is_deeply([ $m->cut, $m->faults ], [], 'all move in a reload');
$m->lines;

for my $first ('old', 'new') {
    row(@$_, $first) for @rows;
}

done_testing();
