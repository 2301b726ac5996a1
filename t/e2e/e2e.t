#!/usr/bin/perl
# Copyright (C) The im authors
#
# End to end: two nginx nodes with two workers each, two im_logic, two im_job,
# one Redis; 2,000 clients in 50 rooms, 10,000 pushes, while one job, one logic
# and one worker are killed with -9.  Every client that stayed connected must
# get every message once and in order, and counts must be right again within a
# lease.
#
#   IM_BUILD=build IM_E2E_CLIENTS=2000 IM_E2E_PUSHES=10000

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use JSON::PP ();
use POSIX ();
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $build = $ENV{IM_BUILD} || Cwd::cwd() . '/build';
my $nclients = $ENV{IM_E2E_CLIENTS} || 2000;
my $npushes = $ENV{IM_E2E_PUSHES} || 10000;
my $nrooms = 50;
my $nusers = int $nclients / 2;
my $npushers = 4;
my $nall = int $npushes / 200;          # each costs a delivery per client
my $ninbox = int $npushes / 5 - $nall;
my $seconds = 25;                       # in which all is pushed
my $lease = 12;

my ($client_pid, $to_client, $from_client);

$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(TERM INT HUP);

my $stack = Test::Im::Stack->new(
    build => $build, level => 'info', access => 0,
    nodes => [ qw(nginx1 nginx2) ], logics => [ qw(logic1 logic2) ],
    jobs => [ qw(job1 job2) ], http => 'keepalive_requests 100000; im_per_address off; ',
    main => 'worker_rlimit_nofile 16384; worker_shutdown_timeout 60s; ',
    rules => 'im_room * history=1000 ttl=1h; im_inbox history=1000 ttl=1h; '
        . 'im_broadcast history=1000 ttl=1h;',
    server => join '', map { "location = /plain/$_ { im_comet protocol=im; "
        . "im_auth token; im_connect /im_connect; }\n" } qw(user guest),
);

sub until_true { Test::Im::Stack::until_true(@_) }


# What each pusher pushes: topics are split among them, so that each topic's
# messages have one source and a definite order.
sub plan_of {
    my ($k) = @_;
    my (@list, %n);

    for my $i (0 .. $npushes - 1) {
        my $target;

        if ($i % 200 == 199) {
            $target = 'b';

        } elsif ($i % 5 == 4) {
            $target = 'u:u' . int($i / 5) % $nusers;

        } else {
            $target = 'r:' . (4 * int($i / 5) + $i % 5) % $nrooms;
        }

        my $source = $target eq 'b' ? 0 : ($target =~ /(\d+)/)[0] % $npushers;
        my $number = ++$n{$target};

        push @list, [ $i, $target, $number ] if $source == $k;
    }

    return (\@list, \%n);
}


sub pusher {
    my ($k) = @_;
    my ($list) = plan_of($k);
    my $begin = time();
    my $retries = 0;

    for my $push (@$list) {
        my ($i, $target, $number) = @$push;
        my ($kind, $name) = $target =~ /\A(.)(?::(.*))?\z/;
        my $to = $kind eq 'b' ? '"all":true'
               : $kind eq 'u' ? "\"users\":[\"$name\"]"
                              : "\"rooms\":[\"$name\"]";
        my $body = "{\"id\":\"p$i\",$to,\"data\":{\"msg\":{\"d\":\"0\","
            . "\"t\":\"$target\",\"p\":0,\"n\":$number}}}";
        my $early = $begin + $seconds * $i / $npushes - time();
        my $end = time() + 60;

        sleep($early) if $early > 0;

        while (1) {
            my ($status, $answer) = $stack->http(1 + ($i + $retries) % 2,
                                                 'POST', '/im/push', $body);
            last if $status == 200;

            $retries++;
            if (time() > $end || ($status && $status < 500)) {
                print STDERR "# push $i: $status $answer\n";
                POSIX::_exit(1);
            }
            sleep(0.1);
        }
    }

    print STDERR "# pusher $k: " . @$list . " pushes, $retries repeated, "
        . sprintf("%.1f s\n", time() - $begin);
    POSIX::_exit(0);
}


sub json {
    my ($path) = @_;
    my ($status, $body) = $stack->http(1, 'GET', $path);

    return $status == 200 ? JSON::PP::decode_json($body) : {};
}


sub rooms_right {
    for my $room (0 .. $nrooms - 1) {
        my $clients = grep { $_ % $nrooms == $room } 0 .. $nclients - 1;
        my $count = json("/im/rooms/$room")->{data}{count};
        return 0 unless defined $count && $count == $clients;
    }

    return 1;
}


sub give_up {
    my ($why) = @_;

    fail($why);
    diag(map { my $text = Test::Im::Stack::slurp($_);
               "$_:\n" . substr($text, -1500) . "\n" }
         grep { -s } glob("$stack->{dir}/*.log $stack->{dir}/nginx*/error.log"));
    done_testing();
    exit 1;
}


END {
    my $status = $?;
    if ($$ == $stack->{owner}) {
        kill 'KILL', $client_pid if $client_pid;
        $stack->end(0);
    }
    $? = $status;
}


$stack->start($stack->all);

for my $i (0 .. $nusers - 1) {
    $stack->redis('HSET', sprintf('im_drl%013x', $i), 'UserId', "u$i",
                  'UserName', "User $i");
}

$stack->ready or give_up("pushes are not accepted");

{
    pipe(my $in, $to_client) && pipe($from_client, my $out) or die $!;
    $client_pid = fork();
    if ($client_pid == 0) {
        open(STDIN, '<&', $in);
        open(STDOUT, '>&', $out);
        close $to_client;
        close $from_client;
        exec("$build/t/client", 'plain', 0, $nclients, $nrooms, $nusers, 1,
             $stack->{port}, $stack->{port} + 1) or POSIX::_exit(127);
    }
    $to_client->autoflush(1);
}

my $begin = time();
my $line = <$from_client>;
$line = '' unless defined $line;
chomp $line;
$line eq 'ready' or give_up("clients: $line");
pass(sprintf "%d clients have joined in %.1f s", $nclients, time() - $begin);

# inboxes join after the room-info frame
ok(until_true(60, sub { $nusers == $stack->keys('im:*:u:*:w') }),
   "$nusers inboxes have a route");

ok(until_true($lease + 60, sub {
    my $online = json('/im/online')->{data}{connections};
    defined $online && $online == $nclients;
}), "$nclients are online");

my @pushers;

for my $k (0 .. $npushers - 1) {
    my $pid = fork();
    if ($pid == 0) {
        close $to_client;
        $stack->{kept} = {};
        pusher($k);
    }
    push @pushers, $pid;
}

sleep($seconds * 0.2);
ok($stack->stop('KILL', 'job1'), 'a job is killed');
sleep(1);
$stack->start('job1');

sleep($seconds * 0.15);
ok($stack->stop('KILL', 'logic1'), 'a logic is killed');
sleep(1);
$stack->start('logic1');

sleep($seconds * 0.15);
ok($stack->kill_worker('nginx1'), 'a worker is killed and another one comes');

my $bad = 0;
for my $pid (@pushers) {
    waitpid($pid, 0);
    $bad++ if $? != 0;
}
is($bad, 0, "$npushes pushes are accepted");

my (undef, $n) = plan_of(0);
print $to_client map { "want $_ 0 $n->{$_}\n" } sort keys %$n;
print $to_client "end 45\n";

$line = <$from_client>;
$line = '' unless defined $line;
my $verdict = eval { JSON::PP::decode_json($line) }
    or give_up("verdict: $line");
chomp $line;
note($line);

is($verdict->{joined}, $nclients, 'all clients are connected again');
cmp_ok($verdict->{stayed}, '>=', $nclients / 2,
       "$verdict->{stayed} have stayed connected");
is($verdict->{missing}, 0, 'each of them got the last message of its topics');
is($verdict->{lost}, 0, 'none has a gap');
is($verdict->{duplicated} + $verdict->{reordered}, 0,
   'none got one twice or out of order');
is($verdict->{strangers}, 0, 'none got one for somebody else');
is($verdict->{faults}, 0, 'all frames were good');
diag("first: $verdict->{first}") if $verdict->{first};

ok(until_true($lease + 60, sub {
    my $online = json('/im/online')->{data}{connections};
    defined $online && $online == $nclients;
}), 'the count of all is right again after a lease');
ok(until_true(60, \&rooms_right), 'so are those of the rooms');
is(json('/im/users/u1')->{data}{online} ? 1 : 0, 1, 'a user is online');

close $to_client;
waitpid($client_pid, 0);
$client_pid = undef;

ok(until_true($lease + 60, sub {
    my $online = json('/im/online')->{data}{connections};
    defined $online && $online == 0;
}), 'nobody is online once all have left');

ok($stack->stop('QUIT', $_), "$_ ends") for qw(nginx1 nginx2);
ok($stack->stop('TERM', $_), "$_ ends") for qw(logic1 logic2 job1 job2);

my @alerts = $stack->alerts;
is(scalar @alerts, 0, 'no alert') or diag(@alerts[0 .. ($#alerts > 4 ? 4
                                                        : $#alerts)]);

my @found = $stack->findings;
is(scalar @found, 0, 'no finding of a sanitizer') or diag(@found);

done_testing();

$stack->end(Test::More->builder->is_passing);
