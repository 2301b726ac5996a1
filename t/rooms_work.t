#!/usr/bin/perl
# Copyright (C) The im authors
#
# What a message and the end of a subscription cost a session that has many rooms, counted in
# basic blocks of the worker's code (t/lib/work.c) and not in time.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use JSON::PP ();
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(time);

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
plan skip_all => 'there is no module that counts' unless -e "$build/t/work/ngx_im_module.so";

my @nrooms = (1, 16, 128, 1000);
my $nrounds = 5;
my $n = 10;             # times that each thing is done in a round
my $Limit = 60;

my ($stack, $work);

END {
    my $status = $?;
    $stack->end($status == 0 && Test::More->builder->is_passing) if $stack;
    $? = $status;
}


sub row {
    my ($pid) = @_;
    my @numbers = unpack 'Q*', slurp($work);

    while (my ($of, @row) = splice @numbers, 0, 4) {
        return { blocks => $row[1] } if $of == $pid;
    }

    return { blocks => 0 };
}


# All that the worker has done is counted.
sub blocks {
    my ($pid) = @_;

    # what comes now is of a later turn
    $stack->http(1, 'GET', '/none');
    return row($pid)->{blocks};
}


# A session with rooms of its own.
sub session {
    my ($name, $nrooms) = @_;
    my $c = { name => $name, id => 1, client => Test::Im::Client->new(port => $stack->{port}) };

    die "no session\n" if $c->{client}->handshake('/cf') != 101;
    command($c, '"connect":{}');
    subscribe($c, $_) for 1 .. $nrooms;

    return $c;
}


# What comes next, of a frame that may have several.
sub next_line {
    my ($c) = @_;

    until (@{$c->{lines} || []}) {
        my $m = $c->{client}->next_message(time() + $Limit) or die "$c->{name}: nothing comes\n";
        push @{$c->{lines}}, grep { $_ ne '{}' } split /\n/, $m->{payload};
    }

    return shift @{$c->{lines}};
}


sub command {
    my ($c, $text) = @_;
    my $id = ++$c->{id};

    $c->{client}->write(Test::Im::Client::frame(1, qq({"id":$id,$text})));
    my $line = next_line($c);
    die "$c->{name}: $line\n" if $line !~ /"id":$id\b/ || $line =~ /"error"/;
}


sub enter       { command($_[0], qq("subscribe":{"channel":"$_[1]"})) }
sub leave       { command($_[0], qq("unsubscribe":{"channel":"$_[1]"})) }
sub subscribe   { enter($_[0], "$_[0]{name}.$_[1]") }
sub unsubscribe { leave($_[0], "$_[0]{name}.$_[1]") }


# To rooms, of which the session has the first one.
sub deliver {
    my ($c, @rooms) = @_;
    my $body = JSON::PP->new->canonical->encode({ rooms => \@rooms, data => 'm' });
    my ($status, $answer) = $stack->http(1, 'POST', '/im/push', $body);

    die "$status $answer\n" if $status != 200;
    my $line = next_line($c);
    die "$c->{name}: $line\n" if $line !~ /"channel":"\Q$rooms[0]\E"/;
}


# System calls of a worker that gets messages of n rooms of a session at once.
sub sends {
    my ($pid, $c, $nrooms) = @_;
    my $sends = sub { ($stack->http(1, 'GET', '/metrics'))[1] =~ /^im_sends_total\S* (\d+)/m ? $1 : die "no metrics\n" };
    my $from = $sends->();
    my $body = JSON::PP->new->encode({ rooms => [ map { "$c->{name}.$_" } 1 .. $nrooms ], data => 'm' });

    kill 'STOP', $pid;
    my ($status, $answer) = $stack->http(5, 'POST', '/im/push', $body);
    kill 'CONT', $pid;
    die "$status $answer\n" if $status != 200;
    next_line($c) for 1 .. $nrooms;

    return $sends->() - $from;
}


# Blocks of one time of what is done n times; the least of some rounds, as the worker
# does other things now and then.
sub cost {
    my ($pid, $code) = @_;
    my $least;

    for my $round (0 .. $nrounds - 1) {
        my $from = blocks($pid);
        $code->($round * $n + $_) for 1 .. $n;
        my $cost = (blocks($pid) - $from) / $n;
        $least = $cost if !defined $least || $cost < $least;
    }

    return $least;
}


# Clients read and answer only when it is their turn, so nothing pings them.
# A worker with clients that the backend has put into a room with history, whose messages are
# lost: it tells each of them, and closes it.
sub lose {
    my ($pid) = @_;
    my @all = map { { name => $_, client => Test::Im::Client->new(port => $stack->{port}) } } 1 .. 100;

    for my $c (@all) {
        die "no session\n" if $c->{client}->handshake('/user?u=u') != 101;
        command($c, '"connect":{}');
    }

    my ($status, $answer) = $stack->http(5, 'POST', '/api/subscribe', '{"user":"u","channel":"kept"}');
    die "$status $answer\n" if $status != 200 || $answer =~ /"error"/;
    next_line($_) for @all;

    my $from = blocks($pid);
    $stack->redis('FLUSHALL');
    for my $c (@all) {
        my $m = $c->{client}->next_message(time() + $Limit) or die "$c->{name} stays\n";
        redo if $m->{payload} eq '{}';
        die "got $m->{opcode} $m->{payload}\n" if $m->{opcode} != 8 || unpack('n', $m->{payload}) != 3010;
    }

    return (blocks($pid) - $from) / @all;
}


sub start {
    my ($uring) = @_;
    my $port = ports();

    $stack = Test::Im::Stack->new(
        port => $port, workers => 1, access => 0,
        rules => 'im_room kept history=10 ttl=1m; im_room * history=0;',
        logic => [ "--http=127.0.0.1:" . ($port + 4) ],
        http => "im_io_uring $uring; im_limit commands=0 new_rooms=0 per_user=100 topics=" . ($nrooms[-1] + 1) . ';',
        server => 'location = /cf { im_comet protocol=centrifuge; im_auth none; im_ping 1h timeout=2h; }'
            . 'location = /user { im_comet protocol=centrifuge; im_auth none; im_user $arg_u; }'
            . 'location = /metrics { im_status format=prometheus; }');
    $work = "$stack->{dir}/work";
    spew($work, "\0" x (256 * 32));
    $stack->{edit} = sub { s{^load_module .*}{load_module "$build/t/work/ngx_im_module.so";}m };

    $stack->start('redis', 'logic', 'job');
    {
        local %ENV = (%ENV, LD_PRELOAD => "$build/t/work.so", IM_WORK => $work);
        $stack->daemon('nginx');
    }
    $stack->ready or die "pushes are not accepted\n";

    return $stack->workers('nginx');
}


sub compare {
    my ($pid) = @_;
    my (%cost, $c);

    my $other = session('other', 1);
    my @crowd = map { session("crowd$_", 0) } 1 .. 300;
    enter($_, 'crowd') for @crowd;

    for my $nrooms (@nrooms) {
        $c = session($nrooms, $nrooms);

        $cost{message}{$nrooms} = cost($pid, sub { deliver($c, "$nrooms.1") });
        $cost{beside}{$nrooms} = cost($pid, sub { deliver($c, "$nrooms.1", 'other.1') });
        # the one that it has had for longest
        $cost{change}{$nrooms} = cost($pid, sub {
            my $room = ($_[0] - 1) % $nrooms + 1;
            unsubscribe($c, $room);
            subscribe($c, $room);
        });
        # one that many others have
        $cost{crowd}{$nrooms} = cost($pid, sub { enter($c, 'crowd'); leave($c, 'crowd') });
    }

    for my $what (sort keys %cost) {
        note(sprintf "$what: %s", join ', ', map { sprintf '%d rooms %.0f', $_, $cost{$what}{$_} } @nrooms);

        for my $nrooms (@nrooms[2 .. $#nrooms]) {
            cmp_ok($cost{$what}{$nrooms}, '<', $cost{$what}{1} * 1.2, "$what: $nrooms rooms cost what one costs");
        }
    }

    # where many of all rooms have news, one send has those of several
    my $sends = sends($pid, $c, 100);
    note("$sends sends");
    cmp_ok($sends, '<', 25, 'messages of 100 rooms share sends');

    # and where few have
    $sends = sends($pid, session('some', 128), 8);
    note("$sends sends");
    cmp_ok($sends, '<', 5, 'messages of 8 of 128 rooms share sends');

    my $lost = lose($pid);
    note(sprintf '%.0f blocks of each that is closed', $lost);
    cmp_ok($lost, '<', 3000, 'one that is to close has no second turn in a flush');
}


for my $uring ('off', 'auto') {
    subtest "im_io_uring $uring" => sub {
        my ($pid) = start($uring);

        if ($uring eq 'auto' && ($stack->http(1, 'GET', '/im/status'))[1] !~ /"io_uring":true/) {
            plan skip_all => 'there is no io_uring';
        }

        compare($pid);
    };

    $stack->end(Test::More->builder->is_passing);
    undef $stack;
}

done_testing();
