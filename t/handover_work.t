#!/usr/bin/perl
# Copyright (C) The im authors
#
# How much workers do in a handover of many topics, counted in basic blocks of their
# code (t/lib/work.c) and not in time.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Moves;
use Test::More;

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
plan skip_all => 'there is no module that counts' unless -e "$build/t/work/ngx_im_module.so";

my $nclients = 40;
my $nrooms = 250;       # of each of them, besides one that all have
my $nmany = 5000;       # of one more
my $ntopics = $nclients * $nrooms + $nmany;
my $nlooked = 4096;     # NGX_IM_IN_TOPICS of ngx_im_in_topics.c
# a look at one costs, at most
my $blocks = 10;

my $m = Test::Im::Moves->new(workers => 1, drain => '10s', clients => { cf => $nclients + 1 },
                             http => "im_limit commands=0 topics=" . ($nmany + 10) . " new_rooms=0;");
my $stack = $m->{stack};
my $work = "$stack->{dir}/work";

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}


sub row {
    my ($pid) = @_;
    my @numbers = unpack 'Q*', slurp($work);

    while (my ($of, @row) = splice @numbers, 0, 4) {
        return { turns => $row[0], blocks => $row[1], most => $row[2] } if $of == $pid;
    }

    return { turns => 0, blocks => 0, most => 0 };
}


# It has turned its event loop so often.
sub turned {
    my ($n, @pids) = @_;

    for my $pid (@pids) {
        my $from = row($pid)->{turns};
        $m->until(sub { row($pid)->{turns} >= $from + $n }, "$pid stands still");
    }
}


# Of a process, in a turn, while what it waits for doesn't come.
sub turn {
    my ($pid) = @_;

    turned(20, $pid);
    my $from = row($pid);
    turned(40, $pid);
    my $to = row($pid);

    return ($to->{blocks} - $from->{blocks}) / ($to->{turns} - $from->{turns});
}


sub follow {
    my ($c, $n) = @_;
    my @commands = map { qq({"id":$_,"subscribe":{"channel":"$c->{name}.$_"}}) } 10 .. $n + 9;

    while (@commands) {
        $c->{replies} = [];
        my @some = splice @commands, 0, 250;
        $c->{client}->write(Test::Im::Client::frame(1, join "\n", @some));
        $m->until(sub { @{$c->{replies}} == @some }, "$c->{name}: no answers");
    }

    die "$c->{name}: @{$c->{replies}}\n" if grep { /"error"/ } @{$c->{replies}};
}


spew($work, "\0" x (256 * 32));
$m->{env} = { LD_PRELOAD => "$build/t/work.so", IM_WORK => $work };
$stack->{edit} = sub { s{^load_module .*}{load_module "$build/t/work/ngx_im_module.so";}m };
$m->start;

my ($first, @others) = @{$m->{clients}};
follow($first, $nmany);
follow($_, $nrooms) for @others;
$m->lines;

# the new worker waits for Redis
$m->{silent} = 1;
my ($old, $new) = $m->interpose('topics');
$stack->signal('STOP', 'redis');
$m->go;
$m->sync;
my $of_new = turn($new);

# the old worker waits for the new one
$m->{between}{text} =~ s/^held\n//mg;
$m->say("hold $Test::Im::Moves::Types{ready}");
$stack->signal('CONT', 'redis');
$m->says('held');
my $of_old = turn($old);

$m->go;
$m->{silent} = 0;
$m->await_gone($old);
my $most = row($new)->{most};

# not at the rest of its topics, when one isn't ready
cmp_ok($of_old, '<', ($nclients + 1) * $blocks * 4, 'the old worker looks at a topic of each session that waits');
cmp_ok($of_old, '>', $nclients, 'and does so in each turn');
cmp_ok($of_new, '<', $nlooked * $blocks, "the new worker looks at $nlooked of $ntopics topics in a turn");
cmp_ok($of_new, '>', $nlooked, 'and does so in each turn');
# not at each pair of them
cmp_ok($most, '<', $nmany * $nmany / 10, "a session with $nmany topics is taken with less work than one for each two of them");
cmp_ok($most, '>', $nmany, 'and with some for each of them');
note(sprintf 'blocks of a turn: %.0f at the old worker, %.0f at the new one, %d at most', $of_old, $of_new, $most);

$m->aside;
$m->settled;
is_deeply([ $m->cut ], [], 'no session is closed');
ok($m->log_has(qr/im: @{[ $nclients + 1 ]} sessions moved to worker process $new in \d+ ms, 0 stay/), 'all have moved');

done_testing();
