# Copyright (C) The im authors
#
# Commands and replies of centrifuge in Protobuf, by the product's own schema but
# with an encoder and a decoder of their own.
#
# Commands are written as JSON; a string is bytes, one a character up to U+00FF,
# and an object or a list in the place of bytes is JSON.  Replies are read as
# text: id=1 connect{client=.. version=im}, maps as subs{key=a value{..}}.

package Test::Im::Protobuf;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::Im::File qw(slurp);

our @EXPORT_OK = qw(commands replies);

my %Requests = (
    connect => 'ConnectRequest', subscribe => 'SubscribeRequest',
    unsubscribe => 'ChannelRequest', publish => 'PublishRequest',
    presence => 'ChannelRequest', presence_stats => 'ChannelRequest',
    history => 'HistoryRequest', ping => 'Nothing', send => 'Data',
    rpc => 'RpcRequest', refresh => 'RefreshRequest',
    sub_refresh => 'SubRefreshRequest',
);

my $Json = JSON::PP->new->canonical->allow_nonref;
my %Schema;      # message => [ { name, type, number, list } ]


sub schema {
    my ($message) = @_;

    unless (%Schema) {
        my $text = slurp('im_core/im_proto_centrifuge.proto');

        while ($text =~ /^message (\w+) \{(.*?)^\}/msg) {
            my ($name, $body) = ($1, $2);
            $Schema{$name} = [];
            push @{$Schema{$name}}, { list => $1, type => $2, name => $3,
                                      number => $4 }
                while $body =~ /^\s+(repeated )?(\w+) (\w+) = (\d+);/mg;
        }

        for my $field (@{$Schema{Command}}) {
            $field->{type} = $Requests{$field->{name}}
                if $Requests{$field->{name}};
        }

        push @{$Schema{Reply}}, @{$Schema{Pushed}};
    }

    return $Schema{$message} || die "no message $message\n";
}


sub varint {
    my ($n) = @_;
    my $bytes = '';

    while ($n > 127) {
        $bytes .= chr($n & 127 | 128);
        $n >>= 7;
    }

    return $bytes . chr $n;
}


sub bytes {
    my ($value) = @_;

    return $Json->encode($value) if ref $value;
    utf8::encode($value) unless utf8::downgrade($value, 1);

    return $value;
}


sub encode {
    my ($message, $value) = @_;
    my $out = '';
    my %left = %$value;

    for my $field (@{schema($message)}) {
        my ($name, $type) = @$field{qw(name type)};
        next unless exists $left{$name};
        my $v = delete $left{$name};

        $v = [ map { { key => $_, value => $v->{$_} } } sort keys %$v ]
            if $field->{list} && ref $v eq 'HASH';

        for my $item ($field->{list} ? @$v : $v) {
            if ($type =~ /\A(?:u?int(?:32|64)|bool)\z/) {
                $out .= varint($field->{number} << 3) . varint($item + 0);
                next;
            }

            my $part = $type eq 'bytes' ? bytes($item) : encode($type, $item);
            $out .= varint($field->{number} << 3 | 2) . varint(length $part)
                    . $part;
        }
    }

    die "$message has no " . join(', ', sort keys %left) . "\n" if %left;

    return $out;
}


sub commands {
    my ($text) = @_;

    return join '', map {
        my $part = encode('Command', $Json->decode($_));
        varint(length $part) . $part;
    } split / \| /, $text;
}


sub take {
    my ($bytes) = @_;
    my ($n, $shift, $byte) = (0, 0, 128);

    while ($byte & 128) {
        die "cut\n" if $$bytes eq '';
        $byte = ord substr $$bytes, 0, 1, '';
        $n |= ($byte & 127) << $shift;
        $shift += 7;
    }

    return $n;
}


sub decode {
    my ($message, $bytes) = @_;
    my %fields = map { $_->{number} => $_ } @{schema($message)};
    my @out;

    while ($bytes ne '') {
        my $tag = take(\$bytes);
        my $field = $fields{$tag >> 3} or die "unknown tag $tag\n";
        my ($name, $type) = @$field{qw(name type)};
        my $n = take(\$bytes);

        if (($tag & 7) == 0) {
            push @out, "$name=$n";
            next;
        }

        die "wire type of $name\n" if ($tag & 7) != 2 || $n > length $bytes;
        my $part = substr $bytes, 0, $n, '';

        push @out, $type eq 'bytes'
            ? "$name=" . $part =~ s/([^\x20-\x7e])/sprintf '\x%02x', ord $1/ger
            : "$name\{" . decode($type, $part) . '}';
    }

    return join ' ', @out;
}


# A line for each.
sub replies {
    my ($bytes) = @_;
    my @out;

    while ($bytes ne '') {
        my $n = take(\$bytes);
        die "cut\n" if $n > length $bytes;
        push @out, decode('Reply', substr $bytes, 0, $n, '');
    }

    return join "\n", @out;
}


1;
