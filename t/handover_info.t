#!/usr/bin/perl
# Copyright (C) The im authors
#
# Room info, while nginx is reloaded again and again.  In an idle room no client
# gets any.  In a room to which users come and which they leave, no client gets
# twice what it has, and each one has the right list in the end.
#
#   IM_HANDOVER_RELOADS=8

use strict;
use warnings;

use lib 't/lib';

use IO::Select;
use POSIX ();
use Test::Im::Client;
use Test::Im::File qw(slurp);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time sleep);

my $nreloads = $ENV{IM_HANDOVER_RELOADS} || 8;
my $port = ports();
my @idle = (1 .. 4);
my @busy = (5 .. 8);
my @pids;

my $stack = Test::Im::Stack->new(
    port => $port, workers => 2, access => 0, nodes => [ 'nginx1', 'nginx2' ],
    rules => "im_room 2 history=10 ttl=1m presence;\nim_room 6 history=10 ttl=1m;\n"
           . "im_room * history=0;\n",
    http => 'im_per_address off; im_ping 1000s timeout=2000s; ',
    server => "location = /im { im_comet protocol=im; im_user \$arg_user; }\n",
);

END {
    my $status = $?;
    if (@pids) { kill 'KILL', @pids; waitpid($_, 0) for @pids }
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}

$stack->start(qw(redis logic job nginx1 nginx2));
$stack->ready or die "pushes are not accepted\n";

my %port = map { ($_ => $stack->port($_)) } qw(nginx1 nginx2);

# Those that stay keep what they get.
my $select = IO::Select->new;
my (@stayers, %of);

sub look {
    my ($s) = @_;

    for my $socket ($select->can_read($s)) {
        my $c = $of{$socket};
        next if sysread($socket, $c->{got}, 65536, length $c->{got});
        $c->{closed} = 1;
        $select->remove($socket);
    }
}

sub connected {
    my ($node, $room, $user, $stop) = @_;

    while (1) {
        my $c = Test::Im::Client->new(port => $port{$node}, timeout => 30);
        # a worker that has just come has no Redis yet
        if ($c->handshake("/im?user=$user") != 101) { $stop->(0.05); next }
        $c->write(Test::Im::Client::frame(1, qq({"auth":null,"roomId":$room})));
        return $c;
    }
}

# The lists that a client has got, one after the other.
sub lists {
    my ($c) = @_;
    return $c->{got} =~ /"op":4,"roomId":\d+,"count":(\d+,"roomUserInfo":\{[^}]*\})/g;
}

for my $room (@idle, @busy) {
    for my $node (('nginx1') x 4, ('nginx2') x 2) {
        for my $user ('', "u" . @stayers) {
            my $c = connected($node, $room, $user, sub { sleep 0.05 });
            $c->{room} = $room;
            $c->{node} = $node;
            $c->{user} = $user;
            $c->{got} = delete $c->{in} // '';
            $of{$c->{socket}} = $c;
            $select->add($c->{socket});
            push @stayers, $c;
        }
    }
}

# All have the list of those that stay.
sub last_list { return (lists($_[0]))[-1] // '' }
sub nlists { return scalar(my @lists = lists($_[0])) }

sub lacks {
    my ($room) = @_;
    my @users = sort map { $_->{user} || () } grep { $_->{room} == $room } @stayers;
    my $list = scalar(@users) . ',"roomUserInfo":{' . join(',', map { qq("$_":"") } @users) . '}';
    return grep { $_->{room} == $room && last_list($_) ne $list } @stayers;
}

my $end = time() + 30;
look(0.05) while time() < $end && grep { lacks($_) } @idle, @busy;
is(scalar(map { lacks($_) } @idle, @busy), 0, 'all have the list');

# what is due within a second has come
$end = time() + 1.5;
look(0.05) while time() < $end;
$_->{before} = nlists($_) for @stayers;

sub process {
    my ($code) = @_;
    pipe(my $stop, my $go) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        close $go;
        @pids = ();
        $stack = undef;
        my $stops = sub { my $r = ''; vec($r, fileno $stop, 1) = 1; select($r, undef, undef, $_[0]) };
        my $ok = eval { $code->($stops); 1 };
        print STDERR "# $@" if !$ok;
        POSIX::_exit($ok ? 0 : 1);
    }
    close $stop;
    push @pids, $pid;
    return { pid => $pid, go => $go };
}

# Users and guests come and go.
my @churners = map {
    my ($node, $room) = @$_;
    process(sub {
        my ($stop) = @_;
        my $n = 0;

        srand($$);
        while (1) {
            my $c = connected($node, $room, rand() < 0.6 ? "v$$." . $n++ : '', $stop);
            my $end = $stop->(rand 1.5);
            close $c->{socket};
            return if $end || $stop->(rand 0.5);
        }
    });
} map { my $room = $_; map { [ $_, $room ] } qw(nginx1 nginx2) } @busy;

sub workers { return Test::Im::Stack::children($stack->{pids}{nginx1}) }

for my $reload (1 .. $nreloads) {
    my %old = map { ($_ => 1) } workers();

    $stack->signal('HUP', 'nginx1');
    # every third one at once behind the last: three generations
    next if $reload % 3 == 1 && $reload < $nreloads;
    my $end = time() + 60;
    do { look(0.02) } while (time() < $end && grep { $old{$_} } workers());
    ok(!(grep { $old{$_} } workers()), "reload $reload: the old workers have ended");
    $end = time() + rand 1.2;
    look(0.02) while time() < $end;
}

close $_->{go} for @churners;
for my $p (@churners) { look(0.05) until waitpid($p->{pid}, POSIX::WNOHANG()) }
is($?, 0, 'clients came and went');
@pids = ();

$end = time() + 30;
look(0.05) while time() < $end && grep { lacks($_) } @idle, @busy;
is(scalar(map { lacks($_) } @idle, @busy), 0, 'all have the right list in the end');
$end = time() + 1.5;
look(0.05) while time() < $end;

is(scalar(grep { $_->{closed} } @stayers), 0, 'no client was closed');

for my $room (@idle) {
    for my $node (qw(nginx1 nginx2)) {
        my @got = map { nlists($_) - $_->{before} }
                  grep { $_->{room} == $room && $_->{node} eq $node } @stayers;
        is(scalar(grep { $_ != 0 } @got), 0, "$room at $node is idle: no room info") or diag("@got");
    }
}

for my $room (@busy) {
    for my $node (qw(nginx1 nginx2)) {
        my ($n, $twice) = (0, 0);
        for my $c (grep { $_->{room} == $room && $_->{node} eq $node } @stayers) {
            my @lists = lists($c);
            $n += @lists - $c->{before};
            for my $i (grep { $lists[$_] eq $lists[$_ - 1] } $c->{before} .. $#lists) {
                $twice++;
                diag("$room at $node, \"$c->{user}\": $i of $#lists twice: ",
                     join ' ', map { substr $_, 0, 90 } @lists[$i - 2 .. $i + 1]);
            }
        }
        cmp_ok($n, '>', 0, "$room at $node is busy: $n times room info");
        is($twice, 0, 'none is what the client has');
    }
}

my ($moved, $stay) = (0, 0);
my @lines = slurp($stack->node('nginx1') . '/error.log') =~ /(\d+) sessions moved .*?(\d+) stay/g;
while (my ($m, $s) = splice @lines, 0, 2) { $moved += $m; $stay += $s }
cmp_ok($moved, '>=', @stayers * $nreloads / 3, "$moved moves");
is($stay, 0, 'none stayed');
is_deeply([ $stack->alerts ], [], 'no alert');

done_testing();
