# Copyright (C) The im authors
#
# A whole service whose sessions move, for tests of what fails meanwhile: clients
# of every protocol that come back from where they were, publishers, and what
# stands between two workers (t/lib/between.c), so that a test can stop a
# handover at each of its packets.

package Test::Im::Moves;

# nginx executes itself by the name that it was started with
BEGIN {
    $ENV{TEST_NGINX_BINARY} ||= (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];
}

use strict;
use warnings;

use Errno qw(EAGAIN);
use IO::Handle;
use IO::Select;
use IPC::Open2;
use JSON::PP ();
use POSIX ();
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Jwt;
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::Im::Stream;
use Test::More;
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime sleep time);

# packets, by im_core/im_handover.h
our %Types = (hello => 1, welcome => 2, topics => 3, ready => 4, sessions => 5, verdicts => 6, late => 7, entries => 8,
              end => 9, settled => 10, heard => 11);

my $Limit = $ENV{IM_LIMIT} || 60;
my $frame = \&Test::Im::Client::frame;
my $json = JSON::PP->new;

# of each kind: its rooms, and whether it comes back from where it was
my %Kinds = (
    im => { rooms => [ '1', '2' ], resumes => 1 },
    cf => { rooms => [ '1', '2' ], resumes => 1 },
    sse => { rooms => [ '1', '2' ], resumes => 1 },
    ws => { rooms => [ '1', '2' ], resumes => 1 },
    plain => { rooms => [ 'n1' ] },
    goim => { rooms => [ 'live://1' ] },
    echo => { rooms => [] },
    # by emulation; not unless a test wants them
    em => { rooms => [ '1', '2' ], asked => 1 },
);


# clients      { KIND => NUMBER }
# env          { NAME => VALUE } of nginx
# workers, http, main, locations, rules, redis, drain, appendfsync   as of Test::Im::Stack
sub new {
    my ($class, %args) = @_;
    my $port = ports();
    my $self = bless {
        clients => [], sent => {}, port => $port, owner => $$, env => $args{env},
        counts => $args{clients} || { map { $_ => 4 } grep { !$Kinds{$_}{asked} } keys %Kinds },
    }, $class;

    my $stack = $self->{stack} = Test::Im::Stack->new(
        port => $port, workers => $args{workers} || 2, access => 0, drain => $args{drain} || '1s', level => 'info',
        connections => $args{connections} || 1024,
        main => $args{main} || '', listen => $args{listen} || "listen 127.0.0.1:$port reuseport",
        logic => [ "--http=127.0.0.1:" . ($port + 4) ], $args{redis} ? (redis => $args{redis}) : (),
        $args{appendfsync} ? (appendfsync => $args{appendfsync}) : (),
        rules => $args{rules} || "im_room 1 history=2000 ttl=1h presence;\nim_room 2 history=2000 ttl=1h presence;\nim_room * history=0;\nim_inbox history=10 ttl=1h;\n",
    );

    $ENV{TEST_NGINX_IM_KEYS} = $stack->{dir};
    Test::Im::Jwt::folder($stack->{dir});
    Test::Im::Jwt::key('hs256');

    $stack->{http} = "im_jwt_key HS256 file=$stack->{dir}/hs256; im_per_address off; im_limit handshakes=0; "
        . ($args{http} || '');
    $stack->{server} = "im_listen 127.0.0.1:" . ($port + 3) . " protocol=goim reuseport; im_auth none;\n"
        . "location = /of/im { im_comet protocol=im; }\n"
        . "location = /of/cf { im_comet protocol=centrifuge; im_auth jwt; }\n"
        . "location = /of/em { im_comet protocol=centrifuge transport=sse; im_auth jwt; }\n"
        . "location = /emulation { im_emulation; }\n"
        . "location = /of/sub { im_comet protocol=plain; im_join \$arg_room; }\n"
        . "location = /of/echo { im_comet protocol=echo; }\n"
        . "location = /of/metrics { im_status format=prometheus; }\n" . ($args{locations} || '');

    $self->clock;

    return $self;
}


# What all programs take for the time (t/drill/clock.c).
sub clock {
    my ($self) = @_;
    my $stack = $self->{stack};

    $self->{clock} = "$stack->{dir}/clock";
    $self->{pace} = { n => 0, real => 0, at => 0, slowness => 1 };
    spew($self->{clock}, pack 'q5', (0) x 5);

    for my $name ('redis', 'logic', 'job', 'nginx') {
        # that of nginx comes by its script
        my @sanitizers = $name eq 'logic' || $name eq 'job' ? $ENV{IM_PRELOAD} : ();
        $stack->{env}{$name} = {
            IM_CLOCK => $self->{clock},
            LD_PRELOAD => join ' ', grep { $_ } @sanitizers, "$stack->{build}/t/clock.so", $ENV{LD_PRELOAD},
        };
    }
}


# From now on time goes so many times slower for all programs.  They do the same as
# on a machine that is faster by as much, so none of their limits runs out, however
# slow the machine is.  1: as it is
sub slow_motion {
    my ($self, $slowness) = @_;

    $self->turn_clock($slowness, 0) if $slowness != $self->{pace}{slowness};
}


# So many seconds pass for all programs, in steps: they don't take it for a time in
# which they stood still.
sub time_passes {
    my ($self, $seconds) = @_;

    for (1 .. $seconds * 10) {
        $self->turn_clock($self->{pace}{slowness}, 0.1);
        $self->pump(0.02);
    }
}


sub turn_clock {
    my ($self, $slowness, $ahead) = @_;
    my $p = $self->{pace};
    my $now = int(clock_gettime(CLOCK_MONOTONIC) * 1e9);

    $p->{at} += int(($now - $p->{real}) / $p->{slowness} + $ahead * 1e9);
    @$p{qw(n real slowness)} = (($p->{n} + 1) % 128, $now, $slowness);

    CORE::open my $file, '+<', $self->{clock} or die "$self->{clock}: $!\n";
    for ([ 16 + 24 * $p->{n}, @$p{qw(real at slowness)} ], [ 8, $p->{n} ]) {
        my ($place, @numbers) = @$_;
        sysseek $file, $place, 0;
        syswrite $file, pack 'q*', @numbers;
    }
}


sub start {
    my ($self) = @_;
    my $stack = $self->{stack};

    $stack->start('redis', 'logic', 'job');
    $self->start_nginx;
    $stack->ready or die "pushes are not accepted\n";
    $self->until(sub { ($stack->http(1, 'GET', '/im/status'))[1] !~ /"link":"(?!up)/ }, 'a link is not up');

    for my $kind (sort keys %{$self->{counts}}) {
        for my $i (1 .. $self->{counts}{$kind}) {
            my $rooms = $Kinds{$kind}{rooms};
            my $c = { kind => $kind, name => "$kind$i", room => @$rooms ? $rooms->[$i % @$rooms] : undef,
                      slot => $i % $self->{stack}{workers}, cut => 0, lost => 0, doubled => 0, holes => 0, told => 0 };
            push @{$self->{clients}}, $c;
            $self->open($c);
        }
    }

    $self->settled;
}


# As a daemon: its binary can be upgraded then.
sub start_nginx {
    my ($self) = @_;

    my ($env, $own) = ($self->{stack}{env}{nginx}, $self->{env} || {});

    local %ENV = (%ENV, %$env, %$own, LD_PRELOAD => join ' ', grep { $_ } $own->{LD_PRELOAD}, $env->{LD_PRELOAD});
    $self->{stack}->daemon('nginx');
}


sub pid { return $_[0]{stack}->pid('nginx') }


# Changes the configuration, for the next reload.
sub edit {
    my ($self, $code) = @_;
    my $file = "$self->{stack}{dir}/nginx.conf";

    local $_ = slurp($file);
    my $before = $_;
    $code->();
    die "$file is the same\n" if $_ eq $before;
    spew($file, $_);
}


# clients

# Until the handshake is answered; the rest is read by pump().
sub open {
    my ($self, $c) = @_;
    my $end = time() + $Limit;
    my $error;

    while (time() < $end) {
        return 1 if eval {
            $self->can("open_$c->{kind}")->($self, $c);
            $self->placed($c) or die "at another worker\n";
        };
        $error = $@;
        $c->{client}->shut if $c->{client};
        delete $c->{client};
        $self->pump(0.01);
    }

    die "$c->{name} doesn't come in: $error";
}


# A client has a slot, so that each worker always has its share; its packets come to
# a worker by chance.
sub placed {
    my ($self, $c) = @_;

    return 1 if !defined $c->{slot};
    $c->{client}->fill(time() + $Limit) if $c->{kind} eq 'goim';
    my $has = $self->owners([ $c ], $self->workers)->{$c->{name}};

    return grep { ($self->slot($_) // -1) == $c->{slot} } @$has;
}


sub handshake {
    my ($self, $c, $path, @headers) = @_;

    $c->{client} = Test::Im::Client->new(port => $self->{port});
    my $status = $c->{client}->handshake($path, @headers);
    die "status $status\n" if $status != 101;
    $c->{joined} = 0;
    return $c->{client};
}


sub open_im {
    my ($self, $c) = @_;
    my ($seq, $epoch) = @{$c->{position} || [ 0, '' ]};

    $self->handshake($c, '/of/im')->write($frame->(1, qq({"auth":null,"roomId":$c->{room},"seq":$seq,"epoch":"$epoch"})));
}


sub subscribe_cf {
    my ($c) = @_;
    my ($seq, $epoch) = @{$c->{position} || []};
    my $from = $epoch ? qq(,"recover":true,"epoch":"$epoch","offset":$seq) : '';

    return qq({"id":2,"subscribe":{"channel":"$c->{room}","positioned":true,"recoverable":true$from}});
}


sub open_cf {
    my ($self, $c) = @_;
    my $token = Test::Im::Jwt::token(qq(HS256 hs256 {"sub":"$c->{name}"}));

    $self->handshake($c, '/of/cf')->write($frame->(1, qq({"id":1,"connect":{"token":"$token"}}\n) . subscribe_cf($c)));
}


sub open_em {
    my ($self, $c) = @_;
    my $token = Test::Im::Jwt::token(qq(HS256 hs256 {"sub":"$c->{name}"}));
    my $connect = qq({"id":1,"connect":{"token":"$token"}}) =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger;

    $c->{client} = Test::Im::Stream->new(port => $self->{port});
    my $status = $c->{client}->request('GET', "/of/em?cf_connect=$connect");
    die "status $status\n" if $status != 200;
    my $reply = $c->{client}->next_message(time() + $Limit) or die "no answer\n";
    @$c{qw(session node)} = @{$json->decode($reply->{payload})->{connect}}{qw(session node)};
    $c->{joined} = 0;
    $self->input($c, subscribe_cf($c));
}


# What the client of a one-way stream sends.
sub input {
    my ($self, $c, $command) = @_;
    my $body = $json->encode({ session => $c->{session}, node => $c->{node}, data => $command });
    my $status;

    # a reload ends connections that are kept
    $self->until(sub {
        delete $self->{stack}{kept}{1};
        ($status) = $self->{stack}->http(1, 'POST', '/emulation', $body);
        $status;
    }, 'no answer to an input');
    die "input: $status\n" if $status != 204;
}


sub open_ws {
    my ($self, $c) = @_;

    $self->handshake($c, "/of/sub?room=$c->{room}" . ($c->{position} ? "&last_event_id=$c->{position}" : ''),
                     'Sec-WebSocket-Protocol: ws+meta.nchan');
    $c->{joined} = 1;
}


sub open_plain {
    my ($self, $c) = @_;

    $self->handshake($c, "/of/sub?room=$c->{room}");
    $c->{joined} = 1;
}


sub open_echo {
    my ($self, $c) = @_;

    $self->handshake($c, '/of/echo');
    $c->{joined} = 1;
}


sub open_sse {
    my ($self, $c) = @_;

    $c->{client} = Test::Im::Stream->new(port => $self->{port});
    $c->{client}{fields} = 1;
    my $status = $c->{client}->request('GET', "/of/sub?room=$c->{room}", undef, 'Accept: text/event-stream',
        defined $c->{position} ? "Last-Event-ID: $c->{position}" : ());
    die "status $status\n" if $status != 200;
    $c->{joined} = 0;
}


sub open_goim {
    my ($self, $c) = @_;

    $c->{client} = Test::Im::Client->new(port => $self->{port} + 3);
    $c->{client}{bare} = 1;
    $c->{joined} = 0;
    $c->{client}->write(Test::Im::Client::packet(7, qq({"mid":0,"room_id":"$c->{room}","accepts":[]})));
}


# A message with a number came.
sub got {
    my ($c, $n) = @_;

    if (!defined $c->{next}) {
        $c->{next} = $n;
        $c->{doubled}++ if defined $c->{least} && $n < $c->{least};
    }

    if ($n < $c->{next}) {
        $c->{doubled}++;

    } else {
        $c->{lost} += $n - $c->{next};
        push @{$c->{gaps}}, [ $c->{next}, $n ] if $n > $c->{next};
        $c->{next} = $n + 1;
    }
}


sub read_im {
    my ($c, $payload) = @_;
    my $m = $json->decode($payload);

    if ($m->{op} == 7) {
        $c->{holes}++ if $c->{position} && !$m->{recovered};
        $c->{joined} = 1;
        $c->{position} = [ $m->{seq}, $m->{epoch} ] if !$c->{position} || !$m->{recovered};

    } elsif ($m->{op} == 3) {
        got($c, $m->{msg}{n});
        $c->{position} = [ $m->{seq}, $m->{epoch} ];

    } elsif ($m->{op} == 4) {
        $c->{told}++;
    }
}


sub read_cf {
    my ($c, $payload) = @_;

    for my $line (split /\n/, $payload) {
        my $m = $json->decode($line);

        if (!%$m) {
            # no message may be inside another one
            $c->{client}->write($frame->(1, '{}')) if !$c->{partial};
            next;
        }

        # it is kept out, or Redis is away
        if ($m->{error}) {
            $c->{error} = $line;
            return shutdown $c->{client}{socket}, 2;
        }

        if (my $s = $m->{subscribe}) {
            $c->{holes}++ if $c->{position} && !$s->{recovered};
            got($c, $_->{data}{n}) for @{$s->{publications} || []};
            $c->{position} = [ $s->{offset}, $s->{epoch} ];
            $c->{joined} = 1;
        }

        # Redis is another one: it goes on from its position
        if ($m->{push} && $m->{push}{unsubscribe} && $m->{push}{unsubscribe}{code} >= 2500) {
            $c->{joined} = 0;
            $c->{client}->write($frame->(1, subscribe_cf($c)));
        }

        if (my $pub = $m->{push} && $m->{push}{pub}) {
            got($c, $pub->{data}{n});
            $c->{position}[0] = $pub->{offset};
        }

        $c->{told}++ if $m->{push} && ($m->{push}{join} || $m->{push}{leave});
        push @{$c->{pushes}}, $line if $m->{push};
        push @{$c->{replies}}, $line if $m->{id};
    }
}


sub read_em { goto &read_cf }


sub read_ws {
    my ($c, $payload) = @_;
    my ($head, $body) = split /\n\n/, $payload, 2;

    ($c->{position}) = $head =~ /^id: (\S+)/m or die "$c->{name}: $payload\n";
    got($c, $json->decode($body)->{n});
}


sub read_plain { got($_[0], $json->decode($_[1])->{n}) }

sub read_echo { $_[0]{echoed} = $_[1] }


sub read_sse {
    my ($c, $payload, $frame) = @_;

    $c->{position} = $1 if $frame->{raw} =~ /(?:\A|\|)id: (\S+?)(?:\||\z)/;
    $c->{joined} = 1;
    $c->{holes}++ if $frame->{raw} =~ /event: reset/;
    got($c, $json->decode($payload)->{n}) if $payload =~ /\A\{"n":/;
}


sub read_goim {
    my ($c, $packet) = @_;
    my $op = unpack 'x8 N', $packet;

    $c->{joined} = 1 if $op == 8;
    got($c, $1) if $packet =~ /\{"n":(\d+)\}/;
}


# What has come of one client.
sub read_of {
    my ($c) = @_;
    my $client = $c->{client};
    my $reader = __PACKAGE__->can("read_$c->{kind}");

    $client->{socket}->blocking(0);
    $client->fill(0, 1);

    if ($client->{bare}) {
        while (length $client->{in} >= 16 && length $client->{in} >= (my $n = unpack 'N', $client->{in})) {
            $reader->($c, substr $client->{in}, 0, $n, '');
        }

    } else {
        while (my $f = $client->parse) {
            if ($f->{opcode} == 8) {
                $c->{code} = length $f->{payload} ? unpack 'n', $f->{payload} : 0;

            } elsif ($f->{opcode} == 9) {
                $client->write($frame->(10, $f->{payload})) if !$client->{events};

            } elsif ($f->{opcode} == 10) {
                $c->{pongs}++;

            } else {
                $reader->($c, $f->{payload}, $f);
            }
        }
    }

    return if !$client->{eof};

    $c->{cut}++;
    $client->shut;
    delete @$c{'client', 'partial'};
    $c->{joined} = 0;

    if (!$Kinds{$c->{kind}}{resumes}) {
        $c->{least} = $c->{next};
        delete $c->{next};
    }
}


# Reads for some seconds, or until the code is true, and publishes meanwhile.
sub pump {
    my ($self, $seconds, $code) = @_;
    my $end = time() + $seconds;

    do {
        $self->tick;
        my %of = map { $_->{client} ? ($_->{client}{socket} => $_) : () } @{$self->{clients}};
        my $select = IO::Select->new(map { $_->{client} ? $_->{client}{socket} : () } @{$self->{clients}});
        read_of($of{$_}) for $select->can_read(0.01);
        sleep 0.01 if !%of;
        return 1 if $code && $code->();
    } while (time() < $end);

    return 0;
}


sub until {
    my ($self, $code, $why) = @_;

    $self->pump($Limit, $code) or die "$why\n";
}


# Each room gets a message each 50 ms, less often where that takes long; a message
# that isn't accepted is repeated.
sub tick {
    my ($self) = @_;
    my $now = time();

    return if $self->{silent} || $now < ($self->{next_tick} || 0);
    $self->publish($_) for $self->rooms;
    $self->{next_tick} = time() + 0.05 + 5 * (time() - $now);

    # goim closes clients without heartbeats
    return if $now < ($self->{next_heartbeat} ||= $now + 60);
    $self->{next_heartbeat} = $now + 60;
    $_->{client}->write(Test::Im::Client::packet(2, '')) for grep { $_->{kind} eq 'goim' && $_->{client} } @{$self->{clients}};
}


sub rooms {
    my ($self) = @_;
    my %rooms = map { $_->{room} ? ($_->{room} => 1) : () } @{$self->{clients}};

    return sort keys %rooms;
}


sub publish {
    my ($self, $room) = @_;
    my $n = $self->{sent}{$room} || 0;
    my ($status) = $self->{stack}->http(5, 'POST', '/im/push', qq({"rooms":["$room"],"id":"$room-$n","data":{"n":$n}}));

    $self->{sent}{$room}++ if $status == 200;
    $self->{refused}{$status}++ if $status != 200;
    return $status;
}


# All that are away come back.
sub reconnect {
    my ($self) = @_;

    for my $c (grep { !$_->{client} } @{$self->{clients}}) {
        $self->open($c);
    }
}


# All are there, and each has had the last message of its room.  Who is cut meanwhile
# comes back, and has a later one.
sub settled {
    my ($self) = @_;
    my $end = time() + $Limit;
    my %last;

    my $away = sub { grep { !$_->{joined} } @{$self->{clients}} };
    my $late = sub {
        grep { $_->{room} ? ($_->{next} || 0) < $last{$_->{room}} : !$_->{echoed} } @{$self->{clients}};
    };

    do {
        # each has all the time, as they come one after the other
        while (my @before = $away->()) {
            $self->pump($Limit, sub { $self->reconnect; $away->() < @before })
                or die 'not joined: ' . join(' ', map { $_->{name} } $away->()) . "\n";
        }

        for my $room ($self->rooms) {
            my $n = $self->{sent}{$room} || 0;
            $self->until(sub { $self->{sent}{$room} > $n || ($self->{silent} && $self->publish($room) == 200) },
                         "no push to $room is accepted");
        }

        %last = %{$self->{sent}};
        for my $c (grep { $_->{kind} eq 'echo' && $_->{client} } @{$self->{clients}}) {
            delete $c->{echoed};
            $c->{client}->write($frame->(1, 'there'));
        }

        $self->pump($Limit, sub { $away->() || !$late->() })
            or die 'without the last message: ' . join(', ', map { "$_->{name} (" . ($_->{next} // '-') . ')' } $late->()) . "\n";
    } while ($away->() && time() < $end);

    die 'cut again and again: ' . join(' ', map { $_->{name} } $away->()) . "\n" if $away->();
}


# What has come wrongly since the last call; the names of clients that were cut.
# A worker that was without Redis misses what has no history.
sub faults {
    my ($self) = @_;
    my $away = $self->log_has(qr/lease had lapsed|Redis at .* is away/);
    my @faults;

    for my $c (@{$self->{clients}}) {
        if ($away && !$Kinds{$c->{kind}}{resumes}) {
            $c->{lost} = 0;
            $c->{gaps} = [];
        }

        for my $what (qw(lost doubled holes)) {
            push @faults, "$c->{name}: $what $c->{$what}" if $c->{$what};
            $c->{$what} = 0;
        }
        push @faults, map { "$c->{name}: $_->[0] to $_->[1]" } @{$c->{gaps} || []};
        $c->{gaps} = [];
    }

    return @faults;
}


sub cut {
    my ($self) = @_;
    my @cut = map { $_->{cut} ? $_->{name} : () } @{$self->{clients}};

    $_->{cut} = 0 for @{$self->{clients}};
    return sort @cut;
}


# Counts of Redis: connections and users, and of each room.
sub counts {
    my ($self) = @_;
    my $online = $json->decode(($self->{stack}->http(5, 'GET', '/im/online'))[1])->{data};
    my @counts = ("connections $online->{connections}", "users $online->{users}");

    for my $room ($self->rooms) {
        my ($status, $body) = $self->{stack}->http(5, 'GET', '/im/rooms/' . ($room =~ s/([^\w])/sprintf '%%%02X', ord $1/ger));
        push @counts, "$room $status " . ($status == 200 ? $json->decode($body)->{data}{count} : '');
    }

    return join ', ', @counts;
}


sub right_counts {
    my ($self) = @_;
    my @clients = @{$self->{clients}};

    return join ', ', 'connections ' . @clients, 'users ' . grep({ $_->{kind} eq 'cf' } @clients),
        map { my $room = $_; "$room 200 " . grep { ($_->{room} || '') eq $room } @clients } $self->rooms;
}


# processes

# the master of a new binary is a child, too
sub workers {
    return grep { slurp("/proc/$_/cmdline") =~ /worker process/ } $_[0]{stack}->workers('nginx');
}

sub path { return "$_[0]{stack}{dir}/nginx.im.$_[1]" }


# { FD => INODE of a socket }
sub sockets {
    my ($pid) = @_;
    my %sockets;

    opendir my $dir, "/proc/$pid/fd" or return {};
    for my $fd (readdir $dir) {
        my $to = readlink "/proc/$pid/fd/$fd" or next;
        $sockets{$fd} = $1 if $to =~ /\Asocket:\[(\d+)\]/;
    }

    return \%sockets;
}


# The slot of a worker: whose socket of im_handover it listens on; undef: none.
sub slot {
    my ($self, $pid) = @_;
    my %inodes = map { ($_ => 1) } values %{sockets($pid)};

    for my $line (split /\n/, slurp('/proc/net/unix')) {
        my @fields = split ' ', $line;
        return $1 if $fields[7] && $inodes{$fields[6]} && $fields[7] =~ /\Q$self->{stack}{dir}\E\/nginx\.im\.(\d+)/;
    }

    return undef;
}


sub of_slot {
    my ($self, $slot, @but) = @_;
    my %but = map { ($_ => 1) } @but;

    for my $pid (grep { !$but{$_} } $self->workers) {
        my $its = $self->slot($pid);
        return $pid if defined $its && $its == $slot;
    }

    return undef;
}


# { NAME of a client => [ PID of these, which have its connection ] }
sub owners {
    my ($self, $clients, @pids) = @_;
    my (%inodes, %owners);

    for my $line (split /\n/, slurp('/proc/net/tcp')) {
        my @fields = split ' ', $line;
        my ($local) = $fields[1] =~ /:([0-9A-F]{4})\z/ or next;
        my ($peer) = $fields[2] =~ /:([0-9A-F]{4})\z/ or next;
        $inodes{hex($local) . ' ' . hex $peer} = $fields[9];
    }

    my %of;
    for my $pid (@pids) {
        push @{$of{$_}}, $pid for values %{sockets($pid)};
    }

    for my $c (grep { $_->{client} } @$clients) {
        my $socket = $c->{client}{socket};
        my $inode = $inodes{$socket->peerport . ' ' . $socket->sockport};
        $owners{$c->{name}} = $inode ? $of{$inode} || [] : [];
    }

    return \%owners;
}


# So many packets of a type have come to what stands between.
sub came {
    my ($self, $type, $n) = @_;

    $self->until(sub { $n <= (() = $self->heard =~ /^\d+ came $Types{$type} /mg) }, "$n packets $type don't come");
}

# So many sessions have an answer.
sub answered {
    my ($self, $n) = @_;

    $self->until(sub {
        my $verdicts = 0;
        $verdicts += ($_ - 2) / 5 for $self->heard =~ /^\d+ $Types{verdicts} (\d+) \d+$/mg;
        $n <= $verdicts;
    }, "$n verdicts don't come");
}

sub came_bytes {
    my ($self, $type, $n) = @_;

    $self->until(sub {
        my $bytes = 0;
        $bytes += $_ for $self->heard =~ /^\d+ came $Types{$type} (\d+)$/mg;
        $n <= $bytes;
    }, "$n bytes of packets $type don't come");
}


sub stopped { return slurp("/proc/$_[0]/stat") =~ /\) T / }

sub freeze {
    my ($self, $pid) = @_;

    kill 'STOP', $pid;
    $self->until(sub { stopped($pid) }, "$pid doesn't stop");
}

sub thaw { kill 'CONT', $_[1] }

sub gone { return slurp("/proc/$_[0]/stat") !~ /\) [^ZX] / }

sub await_gone {
    my ($self, @pids) = @_;

    $self->until(sub { !grep { !gone($_) } @pids }, "still there: @pids");
}


# A reload up to where new workers accept; what stands between the workers of slot
# 0 holds the first packet of that type, or the Nth.  The old one goes on in the end;
# those of other slots have gone before.  From then on all is in slow motion.
sub interpose {
    my ($self, $type, $n) = @_;
    my $path = $self->path(0);
    my @old = $self->workers;
    my %old = map { ($_ => 1) } @old;
    my $old = $self->of_slot(0) or die "no worker of slot 0\n";
    my $inode = (stat $path)[1];
    my $time = (stat _)[10];

    $self->freeze($old);
    $self->{stack}->signal('HUP', 'nginx');

    my $new;
    $self->until(sub {
        my @now = stat $path or return 0;
        return ($now[1] != $inode || $now[10] != $time) && ($new = $self->of_slot(0, @old));
    }, 'no new worker of slot 0');

    rename $path, "$path.real" or die "$path: $!\n";

    my $pid = open2(my $out, my $in, "$self->{stack}{build}/t/between", $path, "$path.real");
    $in->autoflush;
    $out->blocking(0);
    $self->{between} = { pid => $pid, in => $in, out => $out, text => '', old => $old, new => $new, path => $path,
                         all => \@old };
    $self->says('here');
    $self->{between}{inode} = (stat $path)[1];
    $self->say("hold $Types{$type} " . ($n || 1)) if $type;
    $self->await_gone(grep { $_ != $old } @old);
    $self->slow_motion(20);
    $self->thaw($old);
    $self->says('held') if $type;

    return ($old, $new);
}


sub say { print { $_[0]{between}{in} } "$_[1]\n" }


# All that waits goes on, and time with it.
sub go {
    my ($self) = @_;

    $self->slow_motion(1);
    $self->say('go');
}


# What waits goes on, up to the next packet of that type, or the last one that is read.
sub next_one {
    my ($self, $type, $word) = @_;

    $self->heard;
    $self->{between}{text} =~ s/^held\n//mg;
    $self->say(($word || 'next') . " $Types{$type}");
    $self->says('held');
}


# Waits for such a line of what stands between.
sub says {
    my ($self, $re) = @_;
    my $b = $self->{between};

    $self->until(sub { $self->heard; $b->{text} =~ /^$re$/m }, "what stands between doesn't say $re");
}


sub heard {
    my ($self) = @_;
    my $b = $self->{between};

    while (sysread $b->{out}, my $bytes, 65536) { $b->{text} .= $bytes }
    return $b->{text};
}


# What stands between has read all that was sent, and knows who is gone.
sub sync {
    my ($self) = @_;

    $self->{between}{text} =~ s/^synced\n//mg;
    $self->say('sync');
    $self->says('synced');
}


# Both workers stand still; all packets are read, and what was passed on is done.
# Soon, as they stand still for themselves and the lease as well.
sub still {
    my ($self) = @_;
    my $b = $self->{between};

    local $self->{silent} = 1;
    $self->freeze($b->{old});
    $self->sync;

    my ($passed, $text) = (0, $self->heard);
    $passed += $1 while $text =~ /^\d+ $Types{sessions} \d+ (\d+)$/mg;
    $self->until(sub {
        my $owners = $self->owners($self->{clients}, $b->{new});
        my $mine = 0;
        for (values %$owners) { $mine++ if @$_ }
        $mine >= $passed;
    }, 'the new worker has not all sessions');
    $self->freeze($b->{new});

    my %has;
    for my $who (qw(old new pid)) {
        my $owners = $self->owners($self->{clients}, $b->{$who});
        $has{$who} = [ sort grep { @{$owners->{$_}} } keys %$owners ];
    }

    return \%has;
}


# The path leads to the workers again; later ones have made another one.
sub aside {
    my ($self) = @_;
    my $b = delete $self->{between} or return;

    $self->slow_motion(1);

    if (((stat $b->{path})[1] // 0) == $b->{inode}) {
        rename "$b->{path}.real", $b->{path};

    } else {
        unlink "$b->{path}.real";
    }

    close $b->{in};
    waitpid $b->{pid}, 0;
}


# A reload in which all sessions move: none is cut.
sub reload {
    my ($self) = @_;
    my @old = $self->workers;

    $self->{stack}->reload('nginx');
    $self->await_gone(@old);
}


# A reload ends connections that are kept.
sub get {
    my ($self, $path) = @_;
    my ($status, $body);

    $self->until(sub {
        delete $self->{stack}{kept}{1};
        ($status, $body) = $self->{stack}->http(1, 'GET', $path);
        $status == 200;
    }, "no answer to $path");

    return $body;
}

sub status { return $json->decode($_[0]->get('/im/status')) }


# What a service that does the same has as much of: workers, sessions, topics,
# descriptors, kinds of keys in Redis that have no life, files of im_handover.
sub size {
    my ($self) = @_;
    my $status = $self->status;
    my %size = map { ($_ => $status->{total}{$_}) } qw(workers sessions unauthenticated users);

    for my $key ($self->{stack}->keys('im:*')) {
        next if $key =~ /\}:d:|\}:q\z/ || $self->{stack}->redis('TTL', $key) != -1;
        $key =~ s/\bcomet-1\.\d+\.\w+/WORKER/;
        $size{$key}++;
    }

    $size{topics} = 0;
    $size{topics} += $_->{topics} for @{$status->{workers}};
    $size{descriptors} = 0;
    $size{descriptors} += values %{sockets($_)} for $self->workers;
    $size{files} = join ' ', map { s/.*\///r } grep { /nginx\.im/ } glob("$self->{stack}{dir}/*");

    return join ', ', map { "$_ $size{$_}" } sort keys %size;
}


# What differs from that size, or ''.  A room of clients that are at one worker now
# counts once there.
sub grown {
    my ($self, $before) = @_;
    my ($topics) = $before =~ /\btopics (\d+)/;
    my $now = $self->size =~ s/\btopics \K(\d+)/$1 > $topics ? $1 : $topics/er;

    return $now eq $before ? '' : "$now\ninstead of\n$before";
}


# Until it is the same for a second.
sub rest {
    my ($self) = @_;
    my ($last, $since) = ('', time());

    $self->until(sub {
        my $now = $self->size;
        ($last, $since) = ($now, time()) if $now ne $last;
        $self->pump(0.1);
        time() - $since > 1;
    }, "it doesn't come to rest");

    return $last;
}


# lines of the error log since the last call
sub lines {
    my ($self) = @_;
    my $log = slurp("$self->{stack}{dir}/error.log");
    my $from = $self->{logged} || 0;

    $self->{logged} = length $log;
    return split /\n/, substr $log, $from;
}


# the same, which come again
sub log_text {
    my ($self) = @_;

    return substr slurp("$self->{stack}{dir}/error.log"), $self->{logged} || 0;
}

sub log_has { return $_[0]->log_text =~ /$_[1]/ }


sub end {
    my ($self, $passed) = @_;

    return if $$ != $self->{owner};
    $self->slow_motion(1);
    if ($self->{between}) {
        kill 'KILL', $self->{between}{pid};
        waitpid $self->{between}{pid}, 0;
    }
    $self->{stack}->end($passed);
}


1;
