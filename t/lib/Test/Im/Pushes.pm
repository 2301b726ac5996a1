# Copyright (C) The im authors
#
# A publisher to many topics, in a process of its own: each topic has one push
# under way at most, which is repeated with its id until it is accepted, while
# those to other topics go on.  It keeps what each was answered with, and how
# long each had to wait.

package Test::Im::Pushes;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

use Test::Im::File qw(slurp spew);

my $Answer = 6;                 # seconds until a push is sent again
my $Again = 0.05;               # between two tries
my $Limit = 90;                 # seconds until a push is given up


# ports        of nginx: a try that failed is repeated at the next one
# topics       "r:NAME", "u:NAME", "b"
# publisher, drill   numbers, of the ids and of the payloads
# rate         pushes a second to each topic
# members      more members of the request, such as ',"durability":"replica"'
# file         what it keeps
sub start {
    my ($class, %args) = @_;
    my $self = bless { members => '', %args }, $class;

    # it may be told to end before it has begun
    local $SIG{TERM} = sub { $self->{ends} = 1 };
    $self->{pid} = fork();
    die "fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{INT} = 'DEFAULT';
        eval { $self->push_all; 1 } or print STDERR "# pushes: $@";
        POSIX::_exit($@ ? 1 : 0);
    }

    return $self;
}


# Ends once each topic has had one push more, which is accepted.  What it kept:
# { accepted => [ [ TOPIC, EPOCH, SEQ, N, FIRST, LAST, TRIES ] ... ], status => {},
#   refused => [ [ TOPIC, TIME, STATUS, TEXT ] ... ] }
sub stop {
    my ($self) = @_;

    kill 'TERM', $self->{pid};
    waitpid($self->{pid}, 0);
    $self->{failed} = $? != 0;
    $self->{pid} = 0;

    my (@accepted, @refused, %status);

    for my $line (split /\n/, slurp($self->{file})) {
        my ($what, @words) = split ' ', $line;

        if ($what eq 'accepted') {
            push @accepted, \@words;

        } elsif ($what eq 'refused') {
            push @refused, [ @words[0 .. 2], "@words[3 .. $#words]" ];

        } else {
            $status{$words[0]} += $words[1];
        }
    }

    return { accepted => \@accepted, refused => \@refused, status => \%status,
             failed => $self->{failed} };
}


sub abandon {
    my ($self) = @_;

    kill 'KILL', $self->{pid} or return if $self->{pid};
    waitpid($self->{pid}, 0) if $self->{pid};
    $self->{pid} = 0;
}


# the process

sub push_all {
    my ($self) = @_;
    my $now = time();
    my @topics = map { { name => $self->{topics}[$_], n => 0, tries => 0,
                         due => $now + $_ / @{$self->{topics}}
                                       / $self->{rate} } }
        0 .. $#{$self->{topics}};

    while (grep { !$_->{over} } @topics) {
        my ($in, $next) = ('', time() + 0.1);

        for my $topic (grep { !$_->{over} } @topics) {
            $self->next_try($topic);
            vec($in, fileno $topic->{socket}, 1) = 1 if $topic->{socket};
            $next = $topic->{due} if $topic->{due} < $next;
        }

        my $wait = $next - time();

        select($in, undef, undef, $wait > 0 ? $wait : 0) > 0 or next;

        for my $topic (grep { $_->{socket} } @topics) {
            $self->receive($topic) if vec($in, fileno $topic->{socket}, 1);
        }
    }

    open(my $fh, '>', $self->{file}) or die "$self->{file}: $!\n";
    print $fh "status $_ $self->{status}{$_}\n" for keys %{$self->{status}};
    print $fh join(' ', 'accepted', @$_), "\n" for @{$self->{accepted}};
    print $fh join(' ', 'refused', @$_), "\n" for @{$self->{refused}};
    close $fh;
}


sub next_try {
    my ($self, $topic) = @_;
    my $now = time();

    if ($topic->{socket} && $now > $topic->{until}) {
        $self->failed($topic, 'silent');
    }

    return if $topic->{socket} || $now < $topic->{due};

    # nginx closes idle connections when it is reloaded: that is no answer
    if (delete $topic->{again}) {
        delete $topic->{kept};

    } elsif (!$topic->{tries}++) {
        $topic->{last_one} = $self->{ends};
        $topic->{n}++;
        $topic->{first} = $now;
    }

    die "$topic->{name}: not accepted in $Limit s\n"
        if $now > $topic->{first} + $Limit;

    my $ports = $self->{ports};
    my $port = $ports->[($topic->{tries} - 1) % @$ports];
    my $body = $self->body($topic);
    my $socket = delete $topic->{kept}{$port};

    $topic->{idle} = defined $socket;
    $socket ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);

    return $self->failed($topic, 'refused') unless $socket;

    $topic->{socket} = $socket;
    $topic->{port} = $port;
    $topic->{bytes} = '';
    $topic->{until} = $now + $Answer;
    $topic->{due} = $topic->{until};

    syswrite $socket, "POST /im/push HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body"
        or $self->cut($topic);
}


sub body {
    my ($self, $topic) = @_;
    my ($kind, $name) = $topic->{name} =~ /\A(.)(?::(.*))?\z/;
    my $to = $kind eq 'b' ? '"all":true'
           : $kind eq 'u' ? "\"users\":[\"$name\"]" : "\"rooms\":[\"$name\"]";
    my ($d, $p) = @{$self}{qw(drill publisher)};

    return "{\"id\":\"d$d-$p-$topic->{name}-$topic->{n}\",$to,\"data\":"
        . "{\"msg\":{\"d\":\"$d\",\"t\":\"$topic->{name}\",\"p\":$p,"
        . "\"n\":$topic->{n}}}$self->{members}}";
}


sub receive {
    my ($self, $topic) = @_;
    my $n = sysread($topic->{socket}, $topic->{bytes}, 65536,
                    length $topic->{bytes});

    return $self->cut($topic) unless $n;

    my ($head, $rest) = $topic->{bytes} =~ /\A(.*?\r\n\r\n)(.*)\z/s or return;
    my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)};

    if ($head =~ /^Content-Length: (\d+)/mi) {
        return if length $rest < $1;

    } elsif ($head =~ /^Transfer-Encoding: chunked/mi) {
        return unless $rest =~ /(?:\A|\r\n)0\r\n\r\n\z/;
    }

    $topic->{kept}{$topic->{port}} = $topic->{socket}
        if $head !~ /^Connection: close/mi;

    return $self->failed($topic, $status, $rest) if $status != 200;

    my ($epoch, $seq) = $rest =~ /"epoch":"([^"]+)","seq":(\d+)/
        or die "push: $rest\n";
    my $now = time();

    push @{$self->{accepted}},
        [ $topic->{name}, $epoch, $seq, $topic->{n}, $topic->{first}, $now,
          $topic->{tries} ];
    $self->{status}{200}++;
    $topic->{socket} = undef;
    $topic->{tries} = 0;
    $topic->{due} = $topic->{first} + 1 / $self->{rate};
    $topic->{over} = $topic->{last_one};
    $topic->{due} = $now if $self->{ends};
}


# One that was kept may have been closed before the request came.
sub cut {
    my ($self, $topic) = @_;

    return $self->failed($topic, 'cut')
        unless $topic->{idle} && $topic->{bytes} eq '';

    $topic->{again} = 1;
    $topic->{socket} = undef;
    $topic->{due} = time();
}


sub failed {
    my ($self, $topic, $why, $rest) = @_;

    # it is refused for good
    die "push: $why $rest\n" if $why =~ /\A4/;

    my $now = time();

    $self->{status}{$why}++;
    push @{$self->{refused}},
        [ $topic->{name}, $now, $why, (defined $rest ? $rest : '')
                                          =~ s/\s+/ /gr ];
    $topic->{socket} = undef;
    $topic->{due} = $now + $Again;
}


1;
