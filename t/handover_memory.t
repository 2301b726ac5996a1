#!/usr/bin/perl
# Copyright (C) The im authors
#
# A worker has no memory for sessions that come to it, or no room for what they
# need: such a session stays at the old worker, whole.  Allocations fail at every
# place in turn, at the new worker or at the old one.
#
#   IM_FAULTS="1 of 7,old 1 of 29" IM_TIMES=5 prove t/handover_memory.t

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use IO::Select;
use IO::Socket::INET;
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Moves;
use Test::More;

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
plan skip_all => 'the module is a part of nginx' unless -e "$build/ngx_im_module.so";
my $nsets = 4096;       # IM_ACCEPT_SETS of im_core/im_accept.h
my $nclients = $nsets + 300;

plan skip_all => 'the sanitizers have an allocator of their own' if $ENV{IM_PRELOAD};

# this process has as many sockets
system('prlimit', '--pid', $$, '--nofile=' . ($nclients + 200) . ':') == 0 or die "prlimit\n";

my $m = Test::Im::Moves->new(connections => $nclients + 512, main => 'worker_rlimit_nofile ' . ($nclients + 1024) . ";\n");
my $stack = $m->{stack};
my $memory = "$stack->{dir}/memory";

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}


my $nfailed = 0;

# Each Nth allocation of that process fails; 0: none any more.
sub fails {
    my ($n, $pid) = @_;

    open my $file, '+<:raw', $memory or die "$memory: $!\n";
    sysseek $file, 4, 0;
    syswrite $file, pack 'LL', $pid, 0;
    sysseek $file, 0, 0;
    syswrite $file, pack 'L', $n;
    return 1;
}

sub failed { return (unpack 'LLL', slurp($memory))[2] }


# Of a log: what is worse than an error of ours.
sub faults { return grep { /\[(?:alert|emerg)\]/ } $m->lines }


sub one_of {
    my ($n, $who) = @_;
    my $name = $who eq 'new' ? "1 of $n" : "$who 1 of $n";
    my ($old, $new) = $m->interpose('sessions', 2);

    my $before = () = $m->heard =~ /^\d+ 6 /mg;
    fails($n, $who eq 'new' ? $new : $old);
    $m->go;
    # verdicts, or the channel's end
    $m->until(sub { $before < (() = $m->heard =~ /^\d+ (?:6 |closed)/mg) }, "$name: no verdicts");
    my $failed = failed();
    fails(0, 0);
    $m->await_gone($old);

    $nfailed += $failed;
    $m->aside;
    $m->settled;
    my @cut = $m->cut;
    # what comes while a worker has no memory for it may be missing where there is no history
    my ($missing, @others) = (0);
    /\A(?:plain|goim)\d+: (?:lost \d|\d+ to)/ ? $missing++ : push @others, $_ for $m->faults;
    note("$name: clients of rooms without a history miss messages: $missing") if $missing;
    is_deeply(\@others, [], "$name: no message is doubled, and none with a history is lost; " . @cut . ' sessions are closed');
    is_deeply([ faults() ], [], "$name: no worker dies");

    $m->reload;
    $m->settled;
    is_deeply([ $m->cut, $m->faults ], [], "$name: all move in the next reload");
    $m->lines;
}


# Clients of goim that accept an operation each, which no other one does: all their
# sets have room in two workers, and not in one.
sub sets {
    my $packet = \&Test::Im::Client::packet;
    my ($total, @sockets) = $m->status->{total}{stayed}{limit};

    for my $i (1 .. $nclients) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $m->{port} + 3) or die "connect: $!\n";
        local $SIG{PIPE} = 'IGNORE';
        syswrite $socket, $packet->(7, qq({"mid":0,"room_id":"","accepts":[$i]}));
        push @sockets, $socket;
        $m->tick if $i % 100 == 0;
    }

    for my $socket (@sockets) {
        IO::Select->new($socket)->can_read(60) && sysread $socket, my $answer, 4096 or die "no answer to auth\n";
    }

    delete $_->{slot} for @{$m->{clients}};
    $m->edit(sub { s/^worker_processes .*;/worker_processes 1;/m });
    my @old = $m->workers;
    $stack->reload('nginx');
    $m->await_gone(@old);

    $m->until(sub { $m->status->{total}{sessions} <= $nsets + @{$m->{clients}} }, 'sessions stay');
    my $closed = 0;
    my $select = IO::Select->new(@sockets);
    for my $socket ($select->can_read(0)) {
        $closed++ if !sysread $socket, my $bytes, 4096;
    }

    # the empty set of other clients may have no room as well
    my @cut = grep { /^goim/ } $m->cut;
    is($closed, $nclients - $nsets + (@cut ? 0 : 1), 'sets of operations: sessions without room for theirs are closed');
    is($m->status->{total}{stayed}{limit} - $total, $closed + @cut, 'and im_status counts them');
    ok($m->log_has(qr/sessions moved to worker process \d+ in \d+ ms, \d+ stay \(limit: \d+\)/), 'and the log says so');
    close $_ for @sockets;
    $m->settled;
    is_deeply([ $m->cut, $m->faults ], [], 'other sessions move, and those come back');
    $m->until(sub { $m->status->{total}{sessions} == @{$m->{clients}} }, 'sessions stay');
    $m->edit(sub { s/^worker_processes .*;/worker_processes 2;/m });
    $m->reload;
    $m->settled;
    is_deeply([ $m->cut, $m->faults ], [], 'all move in the next reload');
    is_deeply([ faults() ], [], 'no worker has died');
}


# How many sessions more the address of the clients may have.
sub free_places {
    my @sockets;

    while (@sockets < 100) {
        my $client = Test::Im::Client->new(port => $m->{port});
        last if $client->handshake('/of/echo') != 101;
        push @sockets, $client;
    }

    $_->shut for @sockets;
    return scalar @sockets;
}


# A session that was refused has its place still.
sub places {
    my $n = @{$m->{clients}};
    my $off = 'im_per_address off;';
    my $limit = 'im_per_address sessions=' . ($n + 5) . ' handshakes=0;';

    $m->edit(sub { s/\Q$off/$limit/ and s/im_drain\s+1s/im_drain 60s/ });
    $m->reload;
    $m->settled;

    my $refused = $m->status->{total}{stayed}{limit};
    my ($old, $new) = $m->interpose('sessions', 2);
    fails(3, $new);
    $m->go;
    $m->until(sub { $m->log_has(qr/sessions moved to worker process $new in/) }, 'no sessions have moved');
    $nfailed += failed();
    fails(0, 0);
    cmp_ok($m->status->{total}{stayed}{limit}, '>', $refused, 'places: sessions were refused');
    # some are closed instead, and each of these gives its place back
    my $open = sub { scalar grep { $_->{client} } @{$m->{clients}} };
    $m->until(sub { $m->status->{total}{sessions} == $open->() }, 'sessions stay');
    is(free_places(), 5 + $n - $open->(), 'and have their places');
    is_deeply([ faults() ], [], 'no worker has died');

    # the next worker gives the places of a dead one back
    kill 'KILL', $old;
    $m->await_gone($old);
    $m->aside;
    $m->edit(sub { s/\Q$limit/$off/ and s/im_drain 60s/im_drain 1s/ });
    $m->reload;
    $m->settled;
    $m->cut;
    $m->faults;
    $m->lines;
}


my @rows = ((map { my $n = $_; [ "1 of $n", sub { one_of($n, 'new') } ] } 2, 3, 5, 7, 11, 17, 29),
            (map { my $n = $_; [ "old 1 of $n", sub { one_of($n, 'old') } ] } 3, 7, 29), [ 'places', \&places ], [ 'sets', \&sets ]);
my @wanted = split /,/, $ENV{IM_FAULTS} || '';
@rows = grep { my $name = $_->[0]; grep { $_ eq $name } @wanted } @rows if @wanted;
@rows = (@rows) x ($ENV{IM_TIMES} || 1);

spew($memory, "\0" x 12);
$m->{env} = { LD_PRELOAD => "$build/t/nomem.so", IM_NOMEM => $memory };
$m->start;
$m->reload;
$m->settled;
my $size = $m->rest;
is_deeply([ $m->cut, $m->faults ], [], 'all move in a reload');
$m->lines;

$_->[1]->() for @rows;
cmp_ok($nfailed, '>', 10, 'allocations have failed');
cmp_ok($m->status->{total}{stayed}{limit}, '>', 0, 'and sessions were refused');

my ($counts, $grown);
ok($m->pump(30, sub { ($counts = $m->counts) eq $m->right_counts }), 'counts are right')
    or diag("$counts\ninstead of\n" . $m->right_counts);
ok($m->pump(30, sub { !($grown = $m->grown($size)) }), 'nothing has grown') or diag($grown);

done_testing();
