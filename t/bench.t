#!/usr/bin/perl
# Copyright (C) The im authors
#
# The load generator and the floor of bench/: what the floor loses, doubles and
# swaps on demand is what the generator reports, exactly; and with a whole
# service, by each protocol, each client gets each message once and in order.
# Nothing here is about time.

use strict;
use warnings;

use lib 't/lib';

use IPC::Open2 qw(open2);
use JSON::PP ();
use Test::Im::Docs qw(block commands);
use Test::Im::File qw(spew);
use Test::Im::Ports qw(ports more_ports);
use Test::Im::Stack;
use Test::More;

my $build = $ENV{IM_BUILD} || 'build';
my $load = "$build/bench/im_load";
my ($port) = more_ports(1);
my ($floor, $floor_out, $stack);

END {
    my $status = $?;
    kill 'KILL', $floor if $floor;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


sub decoded {
    my ($line) = @_;

    return eval { JSON::PP::decode_json($line) } || {};
}


# The floor's first line, or undef where it doesn't run.
sub start_floor {
    my (@options) = @_;

    $floor = open($floor_out, '-|', "$build/bench/im_floor", "--port=$port",
                  @options) or die "im_floor: $!\n";
    my $line = <$floor_out>;

    return defined $line ? decoded($line) : undef;
}


# Its last line.
sub end_floor {
    kill 'TERM', $floor;
    my $stats = decoded(scalar <$floor_out>);
    close $floor_out;
    $floor = undef;

    return $stats;
}


# Exit status, result, marks.
sub load {
    my (@options) = @_;
    my $result;

    open(my $out, '-|', $load, '--seconds=1', '--drain=15', @options)
        or die "im_load: $!\n";
    my @lines = map { decoded($_) } <$out>;
    close $out;

    return ($? >> 8, (pop @lines)->{result} || {}, map { $_->{mark} } @lines);
}


# The same, with a call at each mark, before it goes on.
sub load_waiting {
    my ($at, @options) = @_;
    my $pid = open2(my $out, my $in, $load, '--wait', '--seconds=1', @options);
    my $result;

    while (my $line = <$out>) {
        $result = decoded($line);
        next unless $result->{mark};
        $at->($result->{mark});
        print $in "\n";
    }

    waitpid($pid, 0);

    return ($? >> 8, $result->{result} || {});
}


# Each follower of each message has it, once and in order.
sub all_good {
    my ($name, $clients_per_message, $status, $result, @marks) = @_;
    my $published = $result->{publish}{published};

    diag("$name: ", join '; ', map { $result->{$_}{error} || () }
                               qw(connect publish)) if $status;

    is($status, 0, "$name: exit status");
    is("@marks", 'start connected begin end', "$name: marks");
    ok($published > 0, "$name: published $published");
    is($result->{deliveries}, $published * $clients_per_message,
       "$name: deliveries");
    is(join(' ', map { "$_ $result->{$_}" } qw(lost duplicated reordered
                                               unknown foreign)),
       'lost 0 duplicated 0 reordered 0 unknown 0 foreign 0', "$name: check");
    is($result->{other_order}, 0, "$name: one order for all")
        unless $name eq 'workers';
    is($result->{delivery_us}{count}, $result->{deliveries},
       "$name: a latency for each delivery");
    is($result->{complete_us}{count}, $published,
       "$name: a latency for each message");
    is($result->{connect}{failed}, 0, "$name: all have joined");
    is($result->{publish}{accept_us}{count}, $published,
       "$name: an answer for each publish");
}


# Of the floor with these options, and the generator with those.
sub good_floor {
    my ($name, $options, $clients_per_message, @load) = @_;

    start_floor(@$options);
    all_good($name, $clients_per_message,
             load('--protocol=floor', "--port=$port", @load));

    return end_floor();
}


sub faults {
    my ($option, $lost, $duplicated, $reordered) = @_;

    start_floor("--$option=7");
    my ($status, $result) = load('--protocol=floor', "--port=$port",
                                 '--clients=20', '--rooms=2',
                                 '--connections=2', '--push-rate=300',
                                 '--drain=1', '--ungreeted');
    my $stats = end_floor();

    is($status, 1, "$option: exit status");
    is($result->{publish}{published}, $stats->{published},
       "$option: published");
    is($result->{lost}, $lost->($stats), "$option: lost");
    # it ends once each client has each message: a second copy of the last one
    # may still be on its way to each of the 20
    my $late = $duplicated->($stats) - $result->{duplicated};
    ok($late >= 0 && $late <= ($option eq 'double' ? 20 : 0),
       "$option: duplicated") or diag("$result->{duplicated}, $late missing");
    is($result->{reordered}, $reordered->($stats), "$option: reordered");
    ok($stats->{dropped} + $stats->{doubled} + $stats->{held} > 0,
       "$option: of $stats->{deliveries}");
}


# What the program says where it can't run.
sub refused {
    my ($name, $says, @command) = @_;
    open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command)
        or die "$command[0]: $!\n";
    my $said = join '', <$out>;

    close $out;
    is($? >> 8, 2, "$name: exit status");
    like($said, $says, "$name: what it says");
}


# Its options, each with a line.
sub helps {
    my ($name, $program, @options) = @_;
    my $said = `$program --help`;

    is($? >> 8, 0, "$name, help: exit status");
    is(join(' ', grep { $said =~ /^  --$_ +\S/m } @options), "@options",
       "$name, help: options");
}


my $none = sub { 0 };

good_floor('floor', [], 50, '--clients=50', '--outstanding=4', '--warm=1');
good_floor('rooms', [], 10, '--clients=200', '--rooms=20', '--outstanding=8',
           '--spread=block');
good_floor('lanes', [], 30, '--clients=30', '--outstanding=16',
           '--processes=3');
good_floor('open loop', [], 10, '--clients=10', '--push-rate=200');
good_floor('long messages', [], 20, '--clients=20', '--outstanding=2',
           '--size=300000');
good_floor('coalesced', ['--coalesced'], 50, '--clients=50', '--outstanding=16');
good_floor('workers', ['--workers=3'], 20, '--clients=100', '--rooms=5',
           '--outstanding=8', '--processes=2');

SKIP: {
    my $ready = start_floor('--uring');

    if ($ready) {
        end_floor();
        good_floor('io_uring', ['--uring'], 50, '--clients=50', '--outstanding=4');
        good_floor('io_uring, long messages', ['--uring'], 20, '--clients=20',
                   '--outstanding=2', '--size=300000');
    } else {
        close $floor_out;
        $floor = undef;
        skip 'no io_uring', 20;
    }
}

faults('drop', sub { $_[0]{dropped} }, $none, $none);
faults('double', $none, sub { $_[0]{doubled} }, $none);
faults('swap', sub { $_[0]{held} }, $none, sub { $_[0]{swapped} });

# messages of two publishing connections, of which only the followers can say
# that their order differs
start_floor('--swap=7');
my (undef, $swapped) = load('--protocol=floor', "--port=$port", '--clients=20',
                            '--connections=20', '--push-rate=300',
                            '--drain=1', '--ungreeted');
ok($swapped->{other_order} > 0, 'swap: orders differ');
end_floor();

refused('nothing there', qr/connect\(\) to 127.0.0.1:$port failed: Connection refused/,
        $load, '--protocol=floor', "--port=$port");
refused('a wrong option', qr/no option --cleints, see --help/,
        $load, '--cleints=1');
refused('a wrong number', qr/--size=5: must be a number from 80 to 1048576/,
        $load, '--size=5');
refused('too few files', qr/the hard limit is 100: give --processes=\d+,/,
        'sh', '-c', 'ulimit -n 100; exec "$@"', 'sh', $load,
        '--protocol=floor', "--port=$port", '--clients=1000');
refused('two loops', qr/give one of them/, $load, '--protocol=floor',
        "--port=$port", '--outstanding=1', '--push-rate=1');
refused('two faults', qr/give one/, "$build/bench/im_floor", '--port=1',
        '--drop=2', '--swap=2');
refused('the floor, a wrong option', qr/no option --prot, see --help/,
        "$build/bench/im_floor", '--prot=1');
refused('the floor, a wrong number',
        qr/--workers=x: must be a number from 1 to 64/,
        "$build/bench/im_floor", '--port=1', '--workers=x');
helps('generator', $load, qw(port protocol outstanding help));
helps('floor', "$build/bench/im_floor", qw(port workers coalesced uring swap
                                           help));


# the whole service

my $secret = 'a secret of 32 bytes for this test';

$stack = Test::Im::Stack->new(
    build => $build, access => 0,
    rules => "    im_room * history=10 ttl=1h;\n"
        . "    im_inbox history=10 ttl=1h;\n"
        . "    im_broadcast history=10 ttl=1h;\n"
        . "    im_limit handshakes=0 unauthenticated=0;\n"
        . "    im_per_address off;\n",
    server => "        location = /plain { im_comet protocol=plain;"
        . " im_join \$arg_room; }\n"
        . "        location = /guest { im_comet protocol=im; }\n"
        . "        location = /jwt { im_comet protocol=im; im_auth jwt; }\n"
        . "        location = /cf { im_comet protocol=centrifuge; }\n"
        . "        location = /cf-jwt { im_comet protocol=centrifuge;"
        . " im_auth jwt; }\n");
spew("$stack->{dir}/secret", $secret);
$stack->{http} = "    im_jwt_key HS256 file=$stack->{dir}/secret;\n";
$stack->{listen} = "listen 127.0.0.1:$stack->{port} sndbuf=64k";
$stack->start($stack->all);
$stack->ready or die "pushes are not accepted\n";

my @im = ("--port=$stack->{port}", '--outstanding=4', '--drain=15');
my @signed = ("--jwt-secret=$secret");

all_good('plain', 20, load(@im, '--protocol=plain', '--path=/plain?room=%r',
                           '--clients=100', '--rooms=5'));
all_good('im', 20, load(@im, '--protocol=im', '--path=/guest', '--clients=100',
                        '--rooms=5', '--prefix=im'));
all_good('im, signed in', 50, load(@im, '--protocol=im', '--path=/jwt',
                                   '--clients=50', @signed, '--prefix=jwt'));
all_good('inboxes', 2, load(@im, '--protocol=im', '--path=/jwt', '--clients=40',
                            '--users=20', '--to=user', '--rooms=0', @signed));
all_good('everybody', 50, load(@im, '--protocol=im', '--path=/guest',
                               '--clients=50', '--to=all'));
all_good('centrifuge', 20, load(@im, '--protocol=centrifuge', '--path=/cf',
                                '--clients=100', '--rooms=5', '--prefix=cf',
                                '--processes=2'));
all_good('centrifuge, signed in', 50,
         load(@im, '--protocol=centrifuge', '--path=/cf-jwt', '--clients=50',
              @signed, '--prefix=cf-jwt'));
all_good('Centrifugo\'s API', 50,
         load(@im, '--protocol=centrifugo', '--path=/cf', '--clients=50',
              '--prefix=api'));

# a storm with a probe, and one caller that pushes to many users

my ($status, $result) = load(@im, '--protocol=im', '--path=/guest',
                             '--clients=300', '--rooms=10', '--prefix=probed',
                             '--probe=100', '--bulk=100');

is($status, 0, 'probe: exit status');

for my $phase (qw(connect publish)) {
    my $probe = $result->{probe}{$phase};

    ok($probe->{sent} > 0, "probe: published in the phase $phase");
    is($probe->{lost}, 0, "probe: and got all");
    is($probe->{us}{count}, $probe->{sent}, "probe: a latency for each");
}

ok($result->{bulk}{calls} > 0, 'bulk: calls were answered');
is($result->{bulk}{refused}, 0, 'bulk: and none refused');

# those that stop reading are closed by the service, told why where their socket
# has room, and no others wait for them

($status, $result) = load_waiting(sub {
    return unless $_[0] eq 'end';
    Test::Im::Stack::until_true(60, sub {
        my (undef, $body) = $stack->http(1, 'GET', '/im/status');
        return $body =~ /"total":\{.*"slow":5[,}]/;
    });
}, @im, '--protocol=im', '--path=/guest', '--clients=20', '--stalled=5',
   '--rcvbuf=4096', '--size=200000', '--seconds=3', '--prefix=stalled');

my $published = $result->{publish}{published};

is($status, 0, 'stalled: exit status');
is($result->{deliveries}, $published * 15, 'stalled: the others have all');
is($result->{closed}{clients}, 0, 'stalled: the others stay');
is(join(' ', map { "$_ $result->{stalled}{$_}" } qw(clients closed open)),
   'clients 5 closed 5 open 0', 'stalled: closed');

# refusals are counted and said

refused('a wrong path', qr/could connect: .* answered with status 404$/m,
        $load, @im, '--protocol=im', '--path=/nowhere', '--clients=3');
refused('a wrong API', qr/3 clients get no messages: status 404: <html>$/m,
        $load, @im, '--protocol=im', '--path=/guest', '--clients=3',
        '--api=floor');

# docs/performance.md: its names are there, and make knows what it does

my @rows = map { /^(\S+)/ } split /\n/, `bench/run --list`;

is($?, 0, 'bench/run --list');

for my $command (commands(block('docs/performance.md', 'make bench '))) {
    my ($rows) = $command =~ /ROWS="([^"]*)"|--build \S+ ([a-z]\S*)\z/
        ? (defined $1 ? $1 : $2) : '';
    my %unknown = map { $_ => 1 } split ' ', $rows;

    delete @unknown{@rows};
    is(join(' ', keys %unknown), '', $command);

    next unless $command =~ s/\Amake //;
    delete local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};
    like(scalar `make -n $command 2>&1`, qr{bench/(?:run|million) }, 'by make');
}

done_testing();
