#!/usr/bin/perl
# Copyright (C) The im authors
#
# Joins and leaves of other clients, while nginx is reloaded again and again.
# Clients come to rooms, go, follow and leave them at both workers and at another
# node.  Those that stay hear of each of these once, and in order.
#
#   IM_HANDOVER_RELOADS=8

use strict;
use warnings;

use lib 't/lib';

use IO::Select;
use JSON::PP ();
use POSIX ();
use Test::Im::Client;
use Test::Im::File qw(slurp);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time sleep);

my $nreloads = $ENV{IM_HANDOVER_RELOADS} || 8;
my $port = ports();
my @rooms = (1 .. 4);
my @pids;

my $stack = Test::Im::Stack->new(
    port => $port, workers => 2, access => 0, nodes => [ 'nginx1', 'nginx2' ],
    rules => "im_room 4 history=10 ttl=1m presence;\nim_room * history=0 presence;\n",
    http => 'im_per_address off; im_ping 1000s timeout=2000s; ',
    server => "location = /cf { im_comet protocol=centrifuge; im_auth none; }\n",
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
my $frame = \&Test::Im::Client::frame;

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

# Commands of centrifuge; the answer to each.
sub answer {
    my ($c, $json) = @_;
    my $n = ++$c->{id};

    $c->write($frame->(1, qq({"id":$n,$json})));
    while (1) {
        my $m = $c->next_message(time() + 30) or die "no answer to $json\n";
        for my $reply (map { JSON::PP::decode_json($_) } split /\n/, $m->{payload}) {
            next if ($reply->{id} || 0) != $n;
            die JSON::PP::encode_json($reply) if $reply->{error};
            return $reply;
        }
    }
}

sub connected {
    my ($node, $stop) = @_;

    while (1) {
        my $c = Test::Im::Client->new(port => $port{$node}, timeout => 30);
        # a worker that has just come has no Redis yet
        if ($c->handshake('/cf') != 101) { $stop->(0.05); next }
        $c->{client} = answer($c, '"connect":{}')->{connect}{client};
        return $c;
    }
}

for my $room (@rooms) {
    for my $node (('nginx1') x 4, 'nginx2') {
        my $c = connected($node, sub { sleep 0.05 });
        answer($c, qq("subscribe":{"channel":"$room","join_leave":true}));
        $c->{room} = $room;
        $c->{node} = $node;
        $c->{got} = delete $c->{in} // '';
        $of{$c->{socket}} = $c;
        $select->add($c->{socket});
        push @stayers, $c;
    }
}

# Clients that come and go, so slowly that no report has more changes than it tells: one line for each, its room, its name, and how often it has followed the room.
sub process {
    my ($code) = @_;
    pipe(my $in, my $out) or die "pipe: $!\n";
    pipe(my $stop, my $go) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        close $_ for $in, $go;
        @pids = ();
        $stack = undef;
        my $stops = sub { my $r = ''; vec($r, fileno $stop, 1) = 1; select($r, undef, undef, $_[0]) };
        my $ok = eval { syswrite $out, join('', map { "$_\n" } $code->($stops), 'end'); 1 };
        print STDERR "# $@" if !$ok;
        POSIX::_exit($ok ? 0 : 1);
    }
    close $_ for $out, $stop;
    push @pids, $pid;
    return { pid => $pid, in => $in, go => $go, all => '' };
}

sub ended {
    my ($p) = @_;
    while ($p->{all} !~ /^end$/m) {
        my $r = '';
        vec($r, fileno $p->{in}, 1) = 1;
        look(0.01);
        next if !select($r, undef, undef, 0.01);
        last if !sysread($p->{in}, $p->{all}, 65536, length $p->{all});
    }
    die "a process has ended\n" if $p->{all} !~ s/^end\n\z//m;
    return split /\n/, $p->{all};
}

my @churners = map {
    my ($node, $room) = @$_;
    process(sub {
        my ($stop) = @_;
        my @done;

        srand($$);
        while (1) {
            my $c = connected($node, $stop);
            my $turns = 0;
            my $most = 1 + int(rand 6);
            my $end = 0;
            for (1 .. $most) {
                answer($c, qq("subscribe":{"channel":"$room"}));
                $turns++;
                $end = $stop->(rand 0.15);
                last if $end || $_ == $most && rand() < 0.5;
                answer($c, '"unsubscribe":{"channel":"' . $room . '"}');
                $end = $stop->(rand 0.15);
                last if $end;
            }
            push @done, "$room $c->{client} $turns";
            close $c->{socket};
            return @done if $end;
        }
    });
} map { my $room = $_; map { [ $_, $room ] } qw(nginx1 nginx1 nginx2) } @rooms;

sub workers { return Test::Im::Stack::children($stack->{pids}{nginx1}) }

for my $reload (1 .. $nreloads) {
    my %old = map { ($_ => 1) } workers();

    $stack->signal('HUP', 'nginx1');
    # every third one at once behind the last: three generations
    next if $reload % 3 == 1 && $reload < $nreloads;
    my $end = time() + 60;
    do { look(0.02) } while (time() < $end && grep { $old{$_} } workers());
    ok(!(grep { $old{$_} } workers()), "reload $reload: the old workers have ended");
    $end = time() + rand 0.6;
    look(0.02) while time() < $end;
}

syswrite $_->{go}, '.' for @churners;
my (%turns, $n);
for (map { ended($_) } @churners) {
    my ($room, $client, $turns) = split / /;
    $turns{$room}{$client} = $turns;
    $n += $turns;
}
cmp_ok($n, '>', 100, "clients came and went: $n times");

# What one has heard of each other client: +-+-
sub heard {
    my ($c) = @_;
    my %heard;

    while ($c->{got} =~ /"(join|leave)":\{"info":\{"user":"","client":"([^"]+)"/g) {
        $heard{$2} .= $1 eq 'join' ? '+' : '-' if exists $turns{$c->{room}}{$2};
    }
    return \%heard;
}

sub wrong {
    my ($c) = @_;
    my $turns = $turns{$c->{room}};
    my $heard = heard($c);

    return grep { ($heard->{$_} // '') ne '+-' x $turns->{$_} } sort keys %$turns;
}

my $end = time() + 30;
look(0.1) while time() < $end && grep { !$_->{closed} && wrong($_) } @stayers;

is(scalar(grep { $_->{closed} } @stayers), 0, 'no client was closed');

for my $c (@stayers) {
    my @wrong = wrong($c);
    my $heard = heard($c);
    is(scalar @wrong, 0, "$c->{room} at $c->{node}: each join and leave once and in order");
    diag("$_: " . ($heard->{$_} // 'nothing') . " of $turns{$c->{room}}{$_}")
        for @wrong > 5 ? @wrong[0 .. 4] : @wrong;
}

my ($moved, $stay) = (0, 0);
my @lines = slurp($stack->node('nginx1') . '/error.log') =~ /(\d+) sessions moved .*?(\d+) stay/g;
while (my ($m, $s) = splice @lines, 0, 2) { $moved += $m; $stay += $s }
cmp_ok($moved, '>=', @stayers * $nreloads / 2, "$moved moves");
is($stay, 0, 'none stayed');
is_deeply([ $stack->alerts ], [], 'no alert');

done_testing();
