#!/usr/bin/perl
# Copyright (C) The im authors
#
# Commands of the API, and what clients of one-way streams send, while sessions are
# on their way to a new worker: each takes effect once and in order, wherever the
# session lands.
#
#   IM_FAULTS="refused" prove t/handover_commands.t

use strict;
use warnings;

use lib 't/lib';

use Test::Im::File qw(slurp spew);
use Test::Im::Moves;
use Test::More;
use Time::HiRes qw(time);

my $m = Test::Im::Moves->new(workers => 1, drain => '10s', clients => { cf => 6, em => 2 },
                            # clients of one-way streams don't answer pings here
                            http => 'im_ping 1000s timeout=2000s; ');
my $stack = $m->{stack};
my $conf;

END {
    my $status = $?;
    $m->end($status == 0 && Test::More->builder->is_passing) if $m;
    $? = $status;
}


sub client { my ($name) = @_; return (grep { $_->{name} eq $name } @{$m->{clients}})[0] }

sub names { return map { $_->{name} } @{$m->{clients}} }


sub api {
    my ($method, $body) = @_;
    my ($status, $answer) = $stack->http(5, 'POST', "/api/$method", $body);

    die "$method: $status $answer\n" if $status != 200 || $answer =~ /"error"/;
}


# Before a handover: each user is in a room that it can be taken out of.
sub prepare {
    api('subscribe', qq({"user":"$_","channel":"extra"})) for names();
    for my $c (@{$m->{clients}}) {
        $m->until(sub { grep { /"extra"/ } @{$c->{pushes}} }, "$c->{name} has not its other room");
        @$c{qw(pushes replies)} = ([], []);
    }
}


# In that order.  Gives how many entries these are.
sub commands {
    my (@names) = @_;

    for my $name (@names) {
        my $c = client($name);
        api('refresh', qq({"user":"$name","expire_at":) . int(time() + 3600) . '}');
        api('subscribe', qq({"user":"$name","channel":"more"}));
        api('unsubscribe', qq({"user":"$name","channel":"extra"}));
        api('refresh', qq({"user":"$name","expire_at":) . int(time() + 7200) . '}');
        next if $c->{kind} ne 'em';
        $m->input($c, qq({"id":$_,"unsubscribe":{"channel":"$_"}})) for 11, 12, 13;
    }

    return 4 * @names + 3 * grep { client($_)->{kind} eq 'em' } @names;
}


# While that worker stands still: it gives up a new one that says nothing for 5 s, and
# a slow machine needs as long for some requests.
sub at_once {
    my ($old, $code) = @_;

    $m->freeze($old);
    my $n = $code->();
    $m->thaw($old);

    return $n;
}

# The old worker has forwarded them.
sub command {
    my ($old, @names) = @_;

    $m->came('entries', at_once($old, sub { commands(@names) }));
}


# What has come of them, one a word.
sub effects {
    my ($c) = @_;
    my @effects = map { /"(refresh|subscribe|unsubscribe)"/ ? $1 : () } @{$c->{pushes}};

    # a room is joined when Redis says where it is
    my @joined = grep { $_ eq 'subscribe' } @effects;
    @effects = ((grep { $_ ne 'subscribe' } @effects), @joined);

    return join ' ', @effects, map { /"id":(1[123]),/ ? $1 : () } @{$c->{replies}};
}

sub right { return 'refresh unsubscribe refresh subscribe' . ($_[0]{kind} eq 'em' ? ' 11 12 13' : '') }

sub once {
    my ($name, @names) = @_;

    for my $c (map { client($_) } @names) {
        $m->pump(20, sub { effects($c) eq right($c) });
    }
    # what comes twice comes soon
    $m->pump(0.5);
    is(effects(client($_)), right(client($_)), "$name: $_ has all of it, once and in order") for @names;
}


sub judge {
    my ($name, $cut, @expected) = @_;

    $m->aside;
    if (slurp("$stack->{dir}/nginx.conf") ne $conf) {
        spew("$stack->{dir}/nginx.conf", $conf);
        $m->reload;
    }
    $m->settled;
    is_deeply([ $m->cut ], [ sort @$cut ], "$name: " . @$cut . ' sessions are closed');
    is_deeply([ $m->faults ], [], "$name: no message is lost or doubled");

    my @lines = grep { !/the lease had lapsed/ } $m->lines;
    for my $re (@expected) {
        ok(scalar(grep { /$re/ } @lines), "$name: the log has $re");
        @lines = grep { !/$re/ } @lines;
    }
    is_deeply([ grep { /\[(?:alert|emerg|crit|error|warn)\]/ } @lines ], [], "$name: and nothing else");

    for my $c (@{$m->{clients}}) { @$c{qw(pushes replies)} = ([], []) }
    for my $room ('more', 'extra', 'two') {
        api('unsubscribe', qq({"user":"$_","channel":"$room"})) for names();
    }
    $m->reload;
    $m->settled;
    is_deeply([ $m->cut, $m->faults ], [], "$name: all move in the next reload");
    for my $c (@{$m->{clients}}) { @$c{qw(pushes replies)} = ([], []) }
    $m->lines;
}


# A part of a message, which makes a record so long that it has packets of its own.
# The worker has it when it answers the ping behind it.
sub lengthen {
    my ($size, @names) = @_;

    for my $c (map { client($_) } @names) {
        @$c{qw(partial pongs)} = (1, 0);
        $c->{client}->write(Test::Im::Client::frame(1, ' ' x $size, fin => 0) . Test::Im::Client::frame(9, ''));
        $m->until(sub { $c->{pongs} }, "$c->{name}: no answer to a ping");
    }
}

sub shorten {
    for my $c (grep { $_->{client} } map { client($_) } @_) {
        $c->{client}->write(Test::Im::Client::frame(0, '{"id":90,"unsubscribe":{"channel":"none"}}'));
        delete $c->{partial};
        $m->until(sub { grep { /"id":90,/ } @{$c->{replies}} }, "$c->{name}: no answer to a long message");
    }
}


# These join a room whose position no other topic has.  Gives the bytes of that
# position, and of the next one.
sub position {
    my (@names) = @_;
    my ($seq, $epoch) = (0, '');

    for (1 .. 7) {
        my ($status, $answer) = $stack->http(5, 'POST', '/im/push', '{"rooms":["two"],"data":{}}');
        ($epoch, $seq) = $answer =~ /"epoch":"(\w+)","seq":(\d+)/ or die "push: $status $answer\n";
    }

    for my $name (@names) {
        api('subscribe', qq({"user":"$name","channel":"two"}));
        $m->until(sub { grep { /"two"/ } @{client($name)->{pushes}} }, "$name has not the room of the two");
    }

    return map { unpack 'H*', $epoch . pack 'Q>', $_ } $seq, $seq + 1;
}


my @rows = (

    (map {
        my $step = $_;
        [ "moved at $step", sub {
            my ($name) = @_;

            prepare();
            my ($old) = $m->interpose($step);
            command($old, names());
            $m->go;
            $m->await_gone($old);
            once($name, names());
            judge($name, []);
        } ]
    } 'sessions', 'verdicts'),

    (map {
        my $step = $_;
        [ "refused at $step", sub {
            my ($name) = @_;

            prepare();
            $m->edit(sub { s{location = /of/(?:cf|em) \{.*\n}{}g });
            my ($old) = $m->interpose($step);
            command($old, names());
            # they stay, and are closed in the end
            $m->say('go');
            once($name, names());
            $m->slow_motion(1);
            $m->await_gone($old);
            judge($name, [ names() ]);
        } ]
    } 'sessions', 'verdicts'),

    # The new worker has a place for one of them.
    (map {
        my $step = $_;
        [ "no place at $step", sub {
            my ($name) = @_;

            prepare();
            $m->edit(sub { s/im_limit handshakes=0/im_limit handshakes=0 sessions=1/ });
            my ($old) = $m->interpose($step);
            command($old, names());
            $m->say('go');
            once($name, names());
            $m->slow_motion(1);
            $m->await_gone($old);
            my @cut = grep { client($_)->{cut} } names();
            is(@cut, names() - 1, "$name: one has moved");
            judge($name, \@cut, qr/1 sessions moved .*, 7 stay \(limit: 7\)/);
        } ]
    } 'sessions', 'verdicts'),

    # The old worker can't keep all of them, and doesn't know for whom they are.
    [ 'more than 8 MB', sub {
        my ($name) = @_;
        my $size = 900_000;

        prepare();
        delete client($_)->{code} for names();
        $m->edit(sub { s{location = /of/(?:cf|em) \{.*\n}{}g });
        my ($old) = $m->interpose('sessions');
        at_once($old, sub {
            commands(names());
            api('subscribe', '{"user":"none","channel":"1","data":"' . 'x' x $size . '"}') for 1 .. 10;
        });
        $m->came_bytes('entries', 10 * $size);
        $m->go;
        $m->until(sub { !grep { !client($_)->{cut} } names() }, 'some are not closed');
        for my $c (map { client($_) } names()) {
            is(effects($c) . ($c->{code} || ''), $c->{kind} eq 'cf' ? '3001' : '', "$name: $c->{name} comes back without them");
        }
        $m->await_gone($old);
        judge($name, [ names() ]);
    } ],

    # The old worker has had them before it can forward anything, and keeps them no
    # longer.  The new one gets them by itself, and doesn't know these sessions yet.
    [ 'long before', sub {
        my ($name) = @_;
        my $last = client('cf1');

        prepare();
        my ($old) = $m->interpose('welcome');
        at_once($old, sub { commands(names()) });
        once($name, names());
        my $n = @{$last->{pushes}};
        at_once($old, sub {
            # an entry is kept for a second, and looked at with a later one
            $m->time_passes(1.1);
            api('refresh', '{"user":"cf1","expire_at":' . int(time() + 1800) . '}');
        });
        $m->until(sub { @{$last->{pushes}} > $n }, 'no last command');
        for my $c (@{$m->{clients}}) { @$c{qw(pushes replies)} = ([], []) }
        $m->go;
        $m->await_gone($old);
        # what comes twice comes soon
        $m->pump(0.5);
        is(effects(client($_)), '', "$name: $_ has nothing of it again") for names();
        judge($name, []);
    } ],

    # The new worker gets the first one by the old worker alone, and the second one alone.
    [ 'the same input again', sub {
        my ($name) = @_;
        my @em = grep { $_->{kind} eq 'em' } @{$m->{clients}};
        my $input = '{"id":11,"unsubscribe":{"channel":"11"}}';
        my $answers = sub { scalar grep { /"id":11,/ } @{$_[0]{replies}} };

        my ($old) = $m->interpose('sessions');
        at_once($old, sub { $m->input($_, $input) for @em });
        $m->came('entries', scalar @em);
        $m->go;
        $m->await_gone($old);
        $m->until(sub { !grep { !$answers->($_) } @em }, 'the first input is not answered');
        $m->input($_, $input) for @em;
        $m->pump(20, sub { !grep { $answers->($_) < 2 } @em });
        is($answers->($_), 2, "$name: $_->{name} has both answers") for @em;
        judge($name, []);
    } ],

    # For longer than a worker waits for a new one that does nothing, no session moves:
    # each follows another room, which the new worker doesn't have yet.
    [ 'one room after the other', sub {
        my ($name) = @_;
        my @rooms = map { "late$_" } 1 .. 5;

        my ($old) = $m->interpose('ready');
        for my $room (@rooms) {
            at_once($old, sub { api('subscribe', qq({"user":"$_","channel":"$room"})) for names() });
            for my $c (@{$m->{clients}}) {
                $m->until(sub { grep { /"subscribe".*"$room"|"$room".*"subscribe"/ } @{$c->{pushes}} },
                          "$c->{name} has not $room");
            }
            $m->time_passes(1.5);
            $m->next_one('ready');
        }
        $m->go;
        $m->await_gone($old);
        for my $room (@rooms) {
            api('unsubscribe', qq({"user":"$_","channel":"$room"})) for names();
        }
        judge($name, [], qr/ 8 sessions moved .*, 0 stay/);
    } ],

    # Both are ahead of a room at the new worker, which sends them back; the first one
    # is there for good while the second one still waits, with the commands behind it.
    [ 'sent back', sub {
        my ($name) = @_;
        my @two = ('cf1', 'cf3');

        my ($from, $to) = position(@two);

        prepare();
        lengthen(60_000, @two);
        $m->settled;

        my ($old) = $m->interpose('welcome');
        $m->say("change $from $to");
        $m->say("change $from $to hold");
        $m->say('go');
        $m->says("held\n(?s:.*)held");
        # the new worker keeps each for a second
        $m->time_passes(1.1);
        command($old, @two);
        $m->slow_motion(100);
        $m->say('go');
        my $records = sub {
            my $n = 0;
            $n += $_ for $m->heard =~ /^\d+ $Test::Im::Moves::Types{sessions} \d+ (\d+)$/mg;
            return $n;
        };
        $m->until(sub { $records->() == names() + 1 }, 'the first one does not come again');
        $m->slow_motion(1);
        $m->await_gone($old);
        once($name, @two);
        is($records->(), names() + 2, "$name: two went twice");
        shorten(@two);
        judge($name, []);
    } ],

    # All are ahead, and the new worker keeps 32 MB of sessions that wait.
    [ 'more than may wait', sub {
        my ($name) = @_;
        my @long = grep { /^cf/ } names();
        my ($from, $to) = position(@long);

        $m->edit(sub { s{(location = /of/cf \{)}{$1 im_limit message=7m;} });
        $m->reload;
        lengthen(5_900_000, @long);
        $m->settled;

        my ($old) = $m->interpose('welcome');
        $m->say("change $from $to") for @long;
        # the new worker keeps each for a second
        $m->slow_motion(100);
        $m->say('go');
        $m->answered(names() - 5);
        $m->slow_motion(1);
        $m->await_gone($old);
        my @cut = grep { client($_)->{cut} } names();
        is(scalar @cut, 1, "$name: one is closed") or diag("@cut");
        shorten(grep { !client($_)->{cut} } @long);
        judge($name, \@cut, qr/7 sessions moved .*, 1 stay \(limit: 1\)/);
    } ],

    # The new worker has them, and the old one doesn't know.
    [ 'the channel is lost behind them', sub {
        my ($name) = @_;

        prepare();
        my ($old) = $m->interpose('verdicts');
        command($old, names());
        $m->say('cut');
        $m->await_gone($old);
        my @cut = grep { client($_)->{cut} } names();
        my @stay = grep { !client($_)->{cut} } names();
        cmp_ok(scalar @stay, '>', 0, "$name: some have moved");
        once($name, @stay);
        judge($name, \@cut, qr/the channel to the next worker of slot 0 is lost: it closed the channel/);
    } ],

    # The old worker has packed them, and could not send them.
    [ 'the channel is lost before them', sub {
        my ($name) = @_;
        my @all = grep { /^cf/ } names();

        prepare();
        lengthen(60_000, @all);
        $m->settled;
        delete client($_)->{code} for names();
        my ($old) = $m->interpose('ready');
        $m->next_one('sessions', 'last');
        commands(@all);
        kill 'KILL', $m->{between}{pid};
        $m->slow_motion(1);
        $m->await_gone($old);
        my @back = grep { (client($_)->{code} || 0) == 3001 } @all;
        cmp_ok(scalar @back, '>', 0, "$name: some come back: @back");
        is(effects(client($_)), right(client($_)), "$name: $_ has all of it, once and in order") for @back;
        judge($name, [ names() ], qr/the channel to the next worker of slot 0 is lost: /,
              qr/sessions can't be handed over to the next worker of slot 0: connect\(\) failed/);
    } ],
);

my @wanted = split /,/, $ENV{IM_FAULTS} || '';
@rows = grep { my $name = $_->[0]; grep { $_ eq $name } @wanted } @rows if @wanted;

$m->start;
$conf = slurp("$stack->{dir}/nginx.conf");
$m->lines;

$_->[1]->($_->[0]) for @rows;

done_testing();
