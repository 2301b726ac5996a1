# Copyright (C) The im authors
#
# A client of an HTTP stream: server-sent events, read as the HTML standard
# says, or lines.  Its messages look like frames of text.  An event also has
# its lines ("raw"); a comment looks like a ping.  Over HTTP/2 it is curl.

package Test::Im::Stream;

use strict;
use warnings;

use parent 'Test::Im::Client';


# As of Test::Im::Client; http2: curl is started by the request
sub new {
    my ($class, %args) = @_;

    return $class->SUPER::new(%args) unless $args{http2};

    return bless { %args, in => '', eof => 0, timeout => $args{timeout} || 10 },
                 $class;
}


sub curl {
    my ($self, $method, $path, $body, @headers) = @_;
    my @command = ('curl', '-s', '-S', '-N', '-i', '-k', '-X', $method,
                   $self->{tls} ? '--http2' : '--http2-prior-knowledge');

    push @command, '--data-binary', $body if defined $body;
    push @command, map { ('-H', $_) } @headers;
    push @command, ($self->{tls} ? 'https' : 'http')
                   . "://127.0.0.1:$self->{port}$path";

    $self->{pid} = open($self->{socket}, '-|', @command)
        or die "curl: $!\n";
}


sub shut {
    my ($self) = @_;

    kill 'KILL', $self->{pid} if $self->{pid};
    $self->{pid} = undef;

    return $self->SUPER::shut;
}


# The status; the head and the beginning of the body are read.
sub request {
    my ($self, $method, $path, $body, @headers) = @_;

    if ($self->{http2}) {
        $self->curl($method, $path, $body, @headers);

    } else {
        $self->ask($method, $path, $body, @headers);
    }

    my $status = $self->answer;

    $self->{events} = $self->{head} =~ m{^Content-Type: text/event-stream}mi;
    $self->{chunks} = $self->{head} =~ /^Transfer-Encoding: chunked/mi;
    $self->{body} = '';
    $self->{lines} = [];

    return $status;
}


sub ask {
    my ($self, $method, $path, $body, @headers) = @_;
    my %have = map { /\A([^:\s]+):/ ? (lc $1 => 1) : () } @headers;
    my $version = 'HTTP/1.1';
    my ($chop, @lines);

    for my $header (@headers) {
        if ($header =~ m{\A(HTTP/1\.\d)\z}) {
            $version = $1;

        } elsif ($header eq 'CHOP') {
            $chop = 1;

        } elsif ($header !~ /\A!/) {
            push @lines, $header;
        }
    }

    push @lines, 'Content-Length: ' . length $body
        if $method eq 'POST' && !$have{'transfer-encoding'}
           && !$have{'content-length'};
    push @lines, "Host: localhost:$self->{port}" unless $have{host};

    my $bytes = join "\r\n", "$method $path $version", @lines, '',
                     defined $body ? $body : '';

    $self->SUPER::write($_) for $chop ? split //, $bytes : $bytes;
}


# Without the chunks of a proxy.
sub body {
    my ($self) = @_;

    if (!$self->{chunks}) {
        $self->{body} .= $self->{in};
        $self->{in} = '';
        return;
    }

    while ($self->{in} =~ /\A([0-9a-fA-F]+)\r\n/) {
        my ($n, $at) = (hex $1, $+[0]);

        return if length $self->{in} < $at + $n + 2;

        $self->{body} .= substr $self->{in}, $at, $n;
        substr $self->{in}, 0, $at + $n + 2, '';
        $self->{eof} = 1 if $n == 0;
    }
}


sub parse {
    my ($self) = @_;

    $self->body;

    return $self->event if $self->{events};
    return undef unless $self->{body} =~ s/\A([^\n]*)\n//;

    return { opcode => 1, fin => 1, rsv => 0, payload => $1 };
}


sub event {
    my ($self) = @_;

    # a CR at the end may be half of a CRLF, but an empty line needs no more
    while ($self->{body} =~ s/\A([^\r\n]*)(\r\n|\n|\r(?!\z))//) {
        my $line = $1;

        return { opcode => 9, fin => 1, rsv => 0, payload => $1 }
            if $line =~ /\A:(.*)/s;

        if ($line ne '') {
            push @{ $self->{lines} }, $line;
            next;
        }

        my @lines = @{ $self->{lines} };
        my @data = map { /\Adata(?:: ?(.*))?\z/s
                         ? (defined $1 ? $1 : '') : () } @lines;

        $self->{lines} = [];

        # no event, but its id and retry count
        next unless @data || (@lines && $self->{fields});

        return { opcode => 1, fin => 1, rsv => 0, payload => join("\n", @data),
                 raw => join "|", @lines };
    }

    return undef;
}


# Nothing that is sent now is a message.
sub write { 1 }

sub garbage {
    my ($self, $bytes) = @_;

    return $self->SUPER::write($bytes);
}


sub end {
    my ($self, $end) = @_;

    while (!$self->{eof}) {
        $self->fill($end) or last;
        $self->body;
    }

    return $self->{eof};
}


1;
