#!/usr/bin/perl
# Copyright (C) The im authors
#
# A flush to many clients: by io_uring, without it, and where it is forbidden; its
# turns, clients that do not read, clients that are gone.

use strict;
use warnings;

use lib 't/lib';

use File::Temp ();
use JSON::PP qw(decode_json);
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $limit = 30;         # seconds, for what never comes
my $stack;

END {
    my $status = $?;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


sub begin {
    my ($http, %args) = @_;
    my $port = ports();
    my $slow = delete $args{slow};

    $stack = Test::Im::Stack->new(
        workers => 1, port => $port,
        level => 'notice', http => "$http\n", listen =>
        "listen 127.0.0.1:$port sndbuf=16k", server => '
            location = /p { im_comet protocol=plain; im_join $arg_room; }
            location = /s { im_status; }
        ', %args);
    $stack->{env}{nginx} = { IM_SLOW => $slow, LD_PRELOAD => join ' ',
                             "$stack->{build}/t/slow.so", $ENV{LD_PRELOAD} || () }
        if $slow;
    $stack->start($stack->all);
    $stack->ready or die "pushes are not accepted\n";
}


# What is wrong with the end of a stack.
sub finish {
    my @wrong = ($stack->stop_all, $stack->findings);

    is("@wrong", '', 'it ends well');
    $stack->end(!@wrong);
    undef $stack;
}


sub status {
    return decode_json(($stack->http(1, 'GET', '/s'))[1])->{workers}[0];
}


# A status that satisfies the code, as soon as there is one.
sub until_status {
    my ($code) = @_;
    my $end = time() + $limit;

    while (1) {
        my $now = status();
        return $now if $code->($now) || time() > $end;
    }
}


sub follow {
    my ($n, $room) = @_;

    return map {
        my $client = Test::Im::Client->new(port => $stack->{port},
                                           timeout => $limit);
        my $answer = $client->handshake("/p?room=$room");
        die "handshake: $answer\n" if $answer != 101;
        $client;
    } 1 .. $n;
}


sub push_to {
    my ($room, $text) = @_;
    my ($answer, $body) = $stack->http(1, 'POST', "/im/push?room=$room",
                                       "\"$text\"");
    die "push: $answer $body\n" if $answer != 200;
}


# The texts that a client gets until it has n, or its close frame, or its end.
sub texts {
    my ($client, $n) = @_;
    my $end = time() + $limit;
    my @got;

    while (@got < $n) {
        my $frame = $client->next_message($end) or last;
        last if $frame->{opcode} == 8;
        push @got, $frame->{payload} =~ /(\w+)/;
    }

    return @got;
}


# Reads whole messages up to the end: the close code, or none.
sub ending {
    my ($client) = @_;
    my $end = time() + $limit;

    while (my $frame = $client->next_message($end)) {
        return unpack 'n', $frame->{payload} if $frame->{opcode} == 8;
        die "cut\n" if length $frame->{payload} < 4096;
    }

    return $client->{eof} ? 'none' : 'no end';
}


sub logged {
    my ($regex) = @_;
    my @lines = grep { /$regex/ } split /\n/, slurp("$stack->{dir}/error.log");

    return scalar @lines;
}


sub together {
    my ($uring) = @_;
    my @clients = follow(200, 'a');
    my $before = status();

    is($before->{io_uring} ? 1 : 0, $uring, 'io_uring is used or not');

    push_to('a', 'm1');
    my @got = map { texts($_, 1) } @clients;
    my $after = status();

    is(scalar(grep { $_ eq 'm1' } @got), 200, 'each has the message');
    is($after->{sends} - $before->{sends}, 200, 'a send for each');
    is($after->{submits} - $before->{submits}, $uring,
       'one system call for all');

    push_to('a', "n$_") for 1 .. 20;

    my $wanted = join ' ', map { "n$_" } 1 .. 20;
    is(scalar(grep { join(' ', texts($_, 20)) eq $wanted } @clients), 200,
       'all messages in order');
}


# Clients that end without a word, at about the time of a flush.
sub gone {
    my @clients = follow(60, 'b');
    my @dead = splice @clients, 0, 20;
    my $before = status()->{sessions};

    setsockopt($_->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0) for @dead;

    close $_->{socket} for @dead;
    push_to('b', 'm1');

    is(scalar(grep { (texts($_, 1))[0] eq 'm1' } @clients), 40,
       'the others have the message');
    my $now = until_status(sub { $_[0]{sessions} == $before - 20 });
    is($now->{sessions}, $before - 20, 'and only the others are left');
}


# With one session a turn, and turns that are slow: a status between the turns says
# that not all are sent.
sub turns {
    my @crowd = follow(300, 'c');
    my ($other) = follow(1, 'd');
    my $before = status();
    my $unsent = sub {
        my $now = status();
        my $sends = $now->{sends} - $before->{sends};
        return $sends < $now->{messages_out} - $before->{messages_out};
    };

    push_to('c', 'c1');
    ok($unsent->(), 'a request is answered between the turns of a flush');
    push_to('d', 'd1');
    is((texts($other, 1))[0], 'd1', 'a message of another room comes');
    ok($unsent->(), 'between the turns, too');

    is(scalar(grep { (texts($_, 1))[0] eq 'c1' } @crowd), 300,
       'each has the message');
}


# Some of the clients do not read.
sub stalled {
    my @clients = follow(200, 'e');
    my @slow = splice @clients, 0, 20;
    my $before = status();
    my $text = 'x' x 4096;
    my $most = 0;
    my $n = 0;
    my @lost;

    my $closed = sub { $_[0]{slow} - $before->{slow} };
    my $end = time() + 2 * $limit;

    while (1) {
        my $now = status();

        $most = $now->{log_bytes} if $now->{log_bytes} > $most;
        last if $closed->($now) == 20 || time() > $end;

        # when all of their sockets are full, a little goes on
        sleep 0.2 if $n++ > 150;
        push_to('e', "m$n$text");

        for my $client (@clients) {
            push @lost, $n if (texts($client, 1))[0] ne "m$n$text";
        }
    }

    is($closed->(status()), 20, 'each slow client is closed');
    is(scalar(@lost), 0, 'the others have all messages in order');
    cmp_ok($most, '<=', 1024 * 1024, 'logs are bounded');

    my %ends;

    $ends{ending($_)}++ for @slow;
    my ($told, $cut) = map { $ends{$_} || 0 } 1013, 'none';

    is($told + $cut, 20, 'a slow client gets what its socket had, and its end');
    cmp_ok($told, '>', 0, 'and one that reads on in time the reason');
    diag("$told were told") if $told < 20;

    until_status(sub { $_[0]{sessions} == $before->{sessions} - 20 });
    is(logged(qr/too slow/), 20, 'a line in the log says so of each');
    until_status(sub { $_[0]{log_bytes} <= 17 * 16384 });
    cmp_ok(status()->{log_bytes}, '<=', 17 * 16384, 'logs are empty again');
}


# An nginx whose io_uring_setup() fails with EPERM, as in a container.
sub sealed {
    my $dir = File::Temp::tempdir('im-sealed-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

    spew("$dir/nginx", <<SCRIPT);
#!/usr/bin/perl
# io_uring_setup is 425 everywhere: load its number, compare, refuse or allow
my \$code = pack '(SCCL)4', 0x20, 0, 0, 0, 0x15, 0, 1, 425,
                  0x06, 0, 0, 0x00050001, 0x06, 0, 0, 0x7fff0000;
my \$filter = pack 'S x![P] P', 4, \$code;
my \$prctl = { x86_64 => 157, aarch64 => 167 }->{(POSIX::uname())[4]};
use POSIX ();
syscall(\$prctl, 38, 1, 0, 0, 0) == 0 && syscall(\$prctl, 22, 2, \$filter) == 0
    or die "seccomp: \$!\\n";
exec '$nginx', \@ARGV;
SCRIPT
    chmod 0755, "$dir/nginx";

    return "$dir/nginx";
}


sub refused {
    my ($word, $level) = @_;
    local $ENV{TEST_NGINX_BINARY} = sealed();

    begin("im_io_uring $word;", level => 'info');

    ok(!status()->{io_uring}, 'it is not used');
    is(logged(qr/\[$level\] .*im: io_uring is not used: .* \(1: /), 1,
       'the log says why');

    my @clients = follow(20, 'a');
    push_to('a', 'm1');
    is(scalar(grep { (texts($_, 1))[0] eq 'm1' } @clients), 20,
       'each has the message');
    finish();
}


# Why it can't be used by this build or on this machine; or nothing.
sub missing {
    begin('im_io_uring auto;', level => 'info');

    my $used = status()->{io_uring};
    my ($why) = slurp("$stack->{dir}/error.log")
        =~ /im: io_uring is not used: (.*)/;
    finish();

    return $used ? '' : $why || 'and nothing says why';
}


my $missing = missing();

for my $uring (1, 0) {
    my $word = $uring ? 'on' : 'off';

    subtest "im_io_uring $word" => sub {
        plan skip_all => $missing if $uring && $missing;
        begin("im_io_uring $word; im_limit topic_log=64k;");
        together($uring);
        gone();
        stalled();
        finish();
    };

    subtest "im_io_uring $word, a session a turn" => sub {
        plan skip_all => $missing if $uring && $missing;
        begin("im_io_uring $word; im_limit budget=1;", slow => '1 10000');
        turns();
        finish();
    };
}

for my $word (qw(auto on)) {
    subtest "io_uring is forbidden, $word" => sub {
        plan skip_all => $missing if $missing =~ /without liburing/;
        refused($word, $word eq 'on' ? 'error' : 'info');
    };
}

done_testing();
