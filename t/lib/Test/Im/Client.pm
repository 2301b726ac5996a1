# Copyright (C) The im authors
#
# A WebSocket client that can do everything wrong: frames are put together by
# hand, so that tests can cut, mask and number them as they like.

package Test::Im::Client;

use strict;
use warnings;

use Digest::SHA ();
use Errno qw(EAGAIN EWOULDBLOCK);
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 ();
use Time::HiRes ();


# path, port, tls, cert (NAME of NAME.pem and NAME.key), headers (array of lines), method, version, key, raw
sub new {
    my ($class, %args) = @_;
    my $socket;

    if ($args{tls}) {
        require IO::Socket::SSL;
        $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
            PeerPort => $args{port}, SSL_verify_mode => 0, Timeout => 30,
            $args{from} ? (LocalAddr => $args{from}) : (),
            $args{cert} ? (SSL_cert_file => "$args{cert}.pem",
                           SSL_key_file => "$args{cert}.key") : ());
        die "connect to $args{port}: " . IO::Socket::SSL::errstr() . "\n"
            unless $socket;

    } else {
        $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $args{port}, Proto => 'tcp', Timeout => 30,
            LocalAddr => $args{from})
            or die "connect to $args{port}: $!\n";
    }

    binmode $socket;

    return bless { socket => $socket, in => '', eof => 0, tls => $args{tls},
                   port => $args{port}, timeout => $args{timeout} || 30,
                   opened => Time::HiRes::time() },
                 $class;
}


# The status; $self->{head} is the whole head.
sub handshake {
    my ($self, $path, @headers) = @_;
    my $key = MIME::Base64::encode_base64(pack('N4', map { rand 2 ** 32 }
                                                1 .. 4), '');
    my %have = map { /\A([^:\s]+):/ ? (lc $1 => 1) : () } @headers;
    my $method = 'GET';
    my $version = 'HTTP/1.1';
    my @lines;

    for my $header (@headers) {
        if ($header =~ /\A!(\S+)\z/) {
            $have{lc $1} = 1;

        } elsif ($header =~ /\A=(\S+)\z/) {
            $method = $1;

        } elsif ($header =~ m{\A(HTTP/1\.\d)\z}) {
            $version = $1;

        } else {
            push @lines, $header;
        }
    }

    unshift @lines, grep { /\A([^:]+):/ && !$have{lc $1} }
        ("Host: localhost:$self->{port}", "Upgrade: websocket",
         "Connection: Upgrade", "Sec-WebSocket-Key: $key",
         "Sec-WebSocket-Version: 13");

    $self->write(join "\r\n", "$method $path $version", @lines, '', '');

    return $self->answer($key);
}


sub answer {
    my ($self, $key) = @_;
    my $end = Time::HiRes::time() + $self->{timeout};

    while ($self->{in} !~ /\r\n\r\n/) {
        $self->fill($end) or die "no answer to the handshake\n";
    }

    ($self->{head}, $self->{in}) = split /\r\n\r\n/, $self->{in}, 2;
    my ($status) = $self->{head} =~ m{\AHTTP/(?:1\.\d|2) (\d+)}
        or die "not HTTP: $self->{head}\n";

    return $status if $status != 101 || !defined $key;

    my $want = MIME::Base64::encode_base64(Digest::SHA::sha1($key
        . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'), '');
    my ($got) = $self->{head} =~ /^Sec-WebSocket-Accept: *(\S+)\r?$/mi;

    die "wrong Sec-WebSocket-Accept\n"
        unless defined $got && $got eq $want;

    return $status;
}


sub write {
    my ($self, $bytes) = @_;
    my $at = 0;
    my $end = Time::HiRes::time() + $self->{timeout};
    local $SIG{PIPE} = 'IGNORE';

    # it reads while it writes, or both ends wait for each other
    $self->{socket}->blocking(0);

    while ($at < length $bytes) {
        my $n = syswrite($self->{socket}, $bytes,
                         length($bytes) - $at > 65536 ? 65536
                                                     : length($bytes) - $at,
                         $at);
        if (defined $n) {
            $at += $n;
            next;
        }

        unless ($! == EAGAIN || $! == EWOULDBLOCK) {
            $self->{socket}->blocking(1);
            return 0;
        }

        my $select = IO::Select->new($self->{socket});
        my ($r) = IO::Select->select($select, $select, undef, 1);
        $self->fill($end, 1) if $r && @$r;
        die "write: nothing moves\n" if Time::HiRes::time() > $end;
    }

    $self->{socket}->blocking(1);

    return 1;
}


# Reads some; 0: the end, or nothing until then.
sub fill {
    my ($self, $end, $once) = @_;

    return 0 if $self->{eof};

    my $pending = $self->{socket}->can('pending')
        ? $self->{socket}->pending : 0;

    if (!$pending && !$once) {
        my $left = $end - Time::HiRes::time();
        return 0 if $left <= 0;
        IO::Select->new($self->{socket})->can_read($left) or return 0;
    }

    my $n = sysread($self->{socket}, $self->{in}, 262144,
                    length $self->{in});

    if (!defined $n) {
        return 1 if $! == EAGAIN || $! == EWOULDBLOCK;
        $self->{reset} = 1;
    }

    if (!$n) {
        $self->{eof} = 1;
        return 0;
    }

    return 1;
}


# opcode, payload; fin 1, rsv 0, mask "\1\2\3\4", unmasked, length: a lie
sub frame {
    my ($opcode, $payload, %o) = @_;
    my $fin = defined $o{fin} ? $o{fin} : 1;
    my $mask = defined $o{mask} ? $o{mask} : "\x9d\x01\xfe\x33";
    my $n = defined $o{length} ? $o{length} : length $payload;
    my $bit = $o{unmasked} ? 0 : 0x80;
    my $head = chr(($fin ? 0x80 : 0) | ($o{rsv} || 0) << 4 | $opcode);

    if (($o{form} || 0) < 16 && $n < 126) {
        $head .= chr($bit | $n);

    } elsif (($o{form} || 0) < 64 && $n < 65536) {
        $head .= chr($bit | 126) . pack('n', $n);

    } else {
        $head .= chr($bit | 127) . pack('Q>', $n);
    }

    return $head . $payload if $o{unmasked};

    my $key = $mask x (int(length($payload) / 4) + 1);

    return $head . $mask . ($payload ^ substr($key, 0, length $payload));
}


# The next frame of any kind: { opcode, fin, rsv, payload }, or undef.
sub next_frame {
    my ($self, $end) = @_;

    while (1) {
        my $frame = $self->parse;
        return $frame if $frame;
        $self->fill($end) or return undef;
    }
}


sub parse {
    my ($self) = @_;

    return undef if length $self->{in} < 2;

    my ($first, $n) = unpack 'CC', $self->{in};
    my $at = 2;

    die "the server masks\n" if $n & 0x80;

    if ($n == 126) {
        return undef if length $self->{in} < 4;
        $n = unpack 'n', substr $self->{in}, 2, 2;
        $at = 4;

    } elsif ($n == 127) {
        return undef if length $self->{in} < 10;
        $n = unpack 'Q>', substr $self->{in}, 2, 8;
        $at = 10;
    }

    return undef if length $self->{in} < $at + $n;

    my $payload = substr $self->{in}, $at, $n;
    substr $self->{in}, 0, $at + $n, '';

    return { opcode => $first & 15, fin => $first >> 7,
             rsv => $first >> 4 & 7, payload => $payload };
}


# The next that isn't a ping of the server, which is answered.
sub next_message {
    my ($self, $end) = @_;

    while (1) {
        my $frame = $self->next_frame($end) or return undef;
        return $frame if $frame->{opcode} != 9;
        $self->write(frame(10, $frame->{payload})) unless $self->{mute};
    }
}


# A packet of goim's: operation, body, version, sequence; length, header: lies
sub packet {
    my ($op, $body, %o) = @_;

    return pack('l>s>s>l>l>', defined $o{length} ? $o{length}
                                                 : 16 + length $body,
                defined $o{header} ? $o{header} : 16,
                defined $o{version} ? $o{version} : 1, $op,
                defined $o{seq} ? $o{seq} : 1)
           . $body;
}


# In a frame of its own, or as it is.
sub send_packet {
    my ($self, $packet) = @_;

    return $self->write($self->{bare} ? $packet : frame(2, $packet));
}


# The next packet, or undef: a message of a WebSocket, or by its length.
sub next_packet {
    my ($self, $end) = @_;

    if (!$self->{bare}) {
        my $frame = $self->next_message($end) or return undef;
        die "opcode $frame->{opcode}\n" if $frame->{opcode} != 2;
        return $frame->{payload};
    }

    while (1) {
        my $n = length $self->{in} >= 4 ? unpack 'l>', $self->{in} : 0;

        return substr $self->{in}, 0, $n, ''
            if $n && length $self->{in} >= $n;
        $self->fill($end) or return undef;
    }
}


# The next push, or undef: the packets in a batch, or a packet.
sub next_push {
    my ($self, $end) = @_;

    return $self->next_packet($end) if $self->{bare};

    $self->{batch} = '' unless defined $self->{batch};

    if ($self->{batch} eq '') {
        my $packet = $self->next_packet($end);

        return undef unless defined $packet;
        die 'not a batch: ' . unpack('H*', $packet) . "\n"
            unless length $packet >= 32 && substr($packet, 0, 16)
                   eq substr(packet(9, substr($packet, 16), seq => 0), 0, 16);
        $self->{batch} = substr $packet, 16;
    }

    my $n = unpack 'l>', $self->{batch};

    die "a packet of $n bytes in a batch\n"
        if $n < 16 || $n > length $self->{batch};

    return substr $self->{batch}, 0, $n, '';
}


sub end {
    my ($self, $end) = @_;

    while (!$self->{eof}) {
        $self->fill($end) or last;
    }

    return $self->{eof};
}


sub shut {
    my ($self) = @_;

    close $self->{socket} if $self->{socket};
    $self->{socket} = undef;
}


1;
