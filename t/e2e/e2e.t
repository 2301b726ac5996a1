#!/usr/bin/perl
# Copyright (C) The im authors
#
# End to end: two nginx nodes with two workers each, two im_logic, two im_job,
# one Redis; 2,000 clients in 50 rooms, 10,000 pushes, while one job, one logic
# and one worker are killed with -9.  Every client that stayed connected must
# get every message once and in order, and counts must be right again within a
# lease.
#
#   IM_BUILD=build IM_E2E_PORT=21700 IM_E2E_CLIENTS=2000 IM_E2E_PUSHES=10000

use strict;
use warnings;

use Cwd ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $top = Cwd::cwd();
my $build = $ENV{IM_BUILD} || "$top/build";
my $port = $ENV{IM_E2E_PORT} || 21700;
my $nclients = $ENV{IM_E2E_CLIENTS} || 2000;
my $npushes = $ENV{IM_E2E_PUSHES} || 10000;
my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $nrooms = 50;
my $nusers = int $nclients / 2;
my $npushers = 4;
my $nall = int $npushes / 200;          # each costs a delivery per client
my $ninbox = int $npushes / 5 - $nall;
my $seconds = 25;                       # in which all is pushed
my $lease = 12;

my $dir = File::Temp::tempdir('im-e2e-XXXXXX', TMPDIR => 1);
my $owner = $$;
my (%pids, $client_pid, $to_client, $from_client);

chmod 0755, $dir;

if ($ENV{IM_PRELOAD}) {
    open(my $fh, '>', "$dir/nginx") or die $!;
    print $fh "#!/bin/sh\nexec env LD_PRELOAD=\"$ENV{IM_PRELOAD}\" "
        . "ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$dir/asan "
        . "UBSAN_OPTIONS=halt_on_error=1:log_path=$dir/ubsan "
        . "$binary \"\$@\"\n";
    close $fh;
    chmod 0755, "$dir/nginx";
    $binary = "$dir/nginx";
}
$ENV{PATH} .= ':/usr/sbin:/sbin';
$SIG{PIPE} = 'IGNORE';


sub slurp {
    my ($file) = @_;
    open(my $fh, '<:raw', $file) or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}


sub until_true {
    my ($limit, $code) = @_;
    my $end = time() + $limit;

    while (1) {
        return 1 if $code->();
        return 0 if time() > $end;
        sleep(0.05);
    }
}


sub start {
    my ($name, @command) = @_;
    my $pid = fork();

    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open(STDOUT, '>>', "$dir/$name.log");
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        exec(@command) or POSIX::_exit(127);
    }

    $pids{$name} = $pid;
}


sub logic { start("logic$_[0]", "$build/im_logic",
                  "--redis=unix:$dir/redis.sock",
                  "--fcgi=unix:$dir/logic$_[0].sock") }
sub job { start("job$_[0]", "$build/im_job",
                "--redis=unix:$dir/redis.sock") }


sub node {
    my ($n) = @_;
    my $listen = $port + $n;
    my $user = $> == 0 ? 'user root;' : '';

    mkdir "$dir/node$n";
    open(my $fh, '>', "$dir/node$n/nginx.conf") or die $!;
    print $fh <<CONF;
load_module $build/ngx_im_module.so;
$user
daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
pid $dir/node$n/nginx.pid;
error_log $dir/node$n/error.log info;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $dir/node$n/body;
    proxy_temp_path $dir/node$n/proxy;
    fastcgi_temp_path $dir/node$n/fastcgi;
    uwsgi_temp_path $dir/node$n/uwsgi;
    scgi_temp_path $dir/node$n/scgi;
    keepalive_requests 100000;
    upstream im_logic {
        server unix:$dir/logic1.sock max_fails=0;
        server unix:$dir/logic2.sock max_fails=0;
        keepalive 8;
    }
    im_redis unix:$dir/redis.sock;
    im_node node-$n;
    im_drain 0;
    im_room      * history=1000 ttl=1h;
    im_inbox       history=1000 ttl=1h;
    im_broadcast   history=1000 ttl=1h;
    server {
        listen 127.0.0.1:$listen;
        location = /ws {
            im_comet protocol=im;
            im_auth token;
            im_connect /im_connect;
        }
        location = /im_connect {
            internal;
            fastcgi_pass im_logic;
            include $top/conf/im_params;
        }
        location = /status { im_status; }
        location /im/ {
            fastcgi_pass im_logic;
            include $top/conf/im_params;
        }
    }
}
CONF
    close $fh;

    start("nginx$n", $binary, '-p', "$dir/node$n/", '-c',
          "$dir/node$n/nginx.conf", '-e', "$dir/node$n/error.log");
}


sub redis {
    my @args = @_;
    my $socket = IO::Socket::UNIX->new(Peer => "$dir/redis.sock")
        or return undef;

    print $socket join '', '*' . @args . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @args;

    return reply($socket);
}


sub reply {
    my ($socket) = @_;
    my $line = <$socket>;

    return undef unless defined $line;
    $line =~ s/\r\n\z//;
    my ($type, $rest) = $line =~ /\A(.)(.*)\z/;

    return $rest if $type =~ /[-+:]/;
    return [ map { reply($socket) } 1 .. $rest ] if $type eq '*';
    return undef if $rest < 0;
    read $socket, my $bytes, $rest + 2;

    return substr $bytes, 0, $rest;
}


# One request on a connection that is kept: (status, body); 0 on failure.
my %kept;

sub http {
    my ($port, $method, $path, $body) = @_;
    my $socket = $kept{$port} ||= IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
        or return (0, '');
    my $bytes = '';
    my $end = time() + 20;

    $body = '' unless defined $body;
    my $request = "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    syswrite $socket, $request;

    while (time() < $end) {
        IO::Select->new($socket)->can_read($end - time()) or last;
        sysread($socket, $bytes, 65536, length $bytes) or last;

        next unless $bytes =~ /\A(.*?)\r\n\r\n(.*)\z/s;
        my ($head, $rest) = ($1, $2);
        my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)};

        if ($head =~ /^Content-Length: (\d+)/mi) {
            next if length $rest < $1;

        } elsif ($head =~ /^Transfer-Encoding: chunked/mi) {
            next unless $rest =~ /(?:\A|\r\n)0\r\n\r\n\z/;
            my $out = '';
            while ($rest =~ s/\A([0-9a-fA-F]+)\r\n//) {
                my $n = hex $1 or last;
                $out .= substr $rest, 0, $n, '';
                $rest =~ s/\A\r\n//;
            }
            $rest = $out;
        }

        delete $kept{$port} if $head =~ /^Connection: close/mi;
        return ($status, $rest);
    }

    delete $kept{$port};

    return (0, '');
}


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
        my $body = "{\"id\":\"p$i\",$to,\"data\":{\"msg\":{\"t\":\"$target\","
            . "\"n\":$number}}}";
        my $early = $begin + $seconds * $i / $npushes - time();
        my $end = time() + 30;

        sleep($early) if $early > 0;

        while (1) {
            my ($status, $answer) = http($port + 1 + ($i + $retries) % 2,
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
    my ($status, $body) = http($port + 1, 'GET', $path);

    return $status == 200 ? JSON::PP::decode_json($body) : {};
}


sub workers {
    my ($pid) = @_;

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}


sub ended {
    my ($pid) = @_;

    return until_true(10, sub { waitpid($pid, POSIX::WNOHANG()) != 0 });
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
    diag(map { my $text = slurp($_); "$_:\n" . substr($text, -1500) . "\n" }
         grep { -s } glob("$dir/*.log $dir/node*/error.log"));
    done_testing();
    exit 1;
}


END {
    if ($$ == $owner) {
        my $status = $?;
        my @nginx = map { ($_, workers($_)) }
            map { $pids{$_} || () } qw(nginx1 nginx2);
        kill 'KILL', $_ for grep { $_ } values %pids, $client_pid, @nginx;
        system('rm', '-rf', $dir) if $status == 0;
        diag("logs are in $dir") if $status != 0;
        $? = $status;
    }
}


start('redis', 'redis-server', '--port', 0, '--unixsocket',
      "$dir/redis.sock", '--dir', $dir, '--save', '', '--appendonly', 'yes',
      '--client-output-buffer-limit', 'pubsub 256mb 64mb 60',
      '--repl-backlog-ttl', 0);
until_true(10, sub { (redis('PING') || '') eq 'PONG' })
    or give_up("redis doesn't answer");

logic($_) for 1, 2;
job($_) for 1, 2;
node($_) for 1, 2;

for my $i (0 .. $nusers - 1) {
    redis('HSET', sprintf('im_e2e%013x', $i), 'UserId', "u$i", 'UserName',
          "User $i");
}

until_true(20, sub {
    my ($status) = http($port + 1, 'POST', '/im/push',
                        '{"rooms":["_ready"],"data":0}');
    my ($other) = http($port + 2, 'GET', '/im/health');
    $status == 200 && $other == 200;
}) or give_up("pushes are not accepted");

{
    pipe(my $in, $to_client) && pipe($from_client, my $out) or die $!;
    $client_pid = fork();
    if ($client_pid == 0) {
        open(STDIN, '<&', $in);
        open(STDOUT, '>&', $out);
        close $to_client;
        close $from_client;
        exec("$build/t/client", $nclients, $nrooms, $nusers, $port + 1,
             $port + 2) or POSIX::_exit(127);
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
ok(until_true(20, sub {
    my ($cursor, $n) = (0, 0);
    do {
        my $answer = redis('SCAN', $cursor, 'MATCH', 'im:*:u:*:w', 'COUNT',
                           1000);
        $cursor = $answer->[0];
        $n += @{$answer->[1]};
    } while ($cursor);
    $n == $nusers;
}), "$nusers inboxes have a route");

ok(until_true($lease, sub {
    my $online = json('/im/online')->{data}{connections};
    defined $online && $online == $nclients;
}), "$nclients are online");

my @pushers;

for my $k (0 .. $npushers - 1) {
    my $pid = fork();
    if ($pid == 0) {
        close $to_client;
        %kept = ();
        %pids = ();
        pusher($k);
    }
    push @pushers, $pid;
}

sleep($seconds * 0.2);
kill 'KILL', $pids{job1};
ok(ended($pids{job1}), 'a job is killed');
sleep(1);
job(1);

sleep($seconds * 0.15);
kill 'KILL', $pids{logic1};
ok(ended($pids{logic1}), 'a logic is killed');
sleep(1);
unlink "$dir/logic1.sock";
logic(1);

sleep($seconds * 0.15);
my @before = workers($pids{nginx1});
kill 'KILL', $before[0];
my $killed = time();
ok(until_true(10, sub {
    my @now = workers($pids{nginx1});
    @now == @before && !grep { $_ == $before[0] } @now;
}), 'a worker is killed and another one comes');

my $bad = 0;
for my $pid (@pushers) {
    waitpid($pid, 0);
    $bad++ if $? != 0;
}
is($bad, 0, "$npushes pushes are accepted");

my (undef, $n) = plan_of(0);
print $to_client map { "$_ $n->{$_}\n" } sort keys %$n;
print $to_client "end\n";

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
is($verdict->{gaps}, 0, 'none has a gap');
is($verdict->{repeated}, 0, 'none got one twice or out of order');
is($verdict->{strangers}, 0, 'none got one for somebody else');
is($verdict->{faults}, 0, 'all frames were good');
diag("first: $verdict->{first}") if $verdict->{first};

my $left = $killed + $lease + 3 - time();
$left = 3 if $left < 3;
ok(until_true($left, sub {
    my $online = json('/im/online')->{data}{connections};
    defined $online && $online == $nclients;
}), 'the count of all is right again within a lease');
ok(until_true(3, \&rooms_right), 'so are those of the rooms');
is(json('/im/users/u1')->{data}{online} ? 1 : 0, 1, 'a user is online');

close $to_client;
waitpid($client_pid, 0);
$client_pid = undef;

ok(until_true($lease, sub {
    my $online = json('/im/online')->{data}{connections};
    defined $online && $online == 0;
}), 'nobody is online once all have left');

my @nginx = map { ($pids{$_}, workers($pids{$_})) } qw(nginx1 nginx2);
kill 'QUIT', $pids{nginx1}, $pids{nginx2};
ok(ended($pids{$_}), "$_ ends") for qw(nginx1 nginx2);
delete @pids{qw(nginx1 nginx2)};

for my $name (qw(logic1 logic2 job1 job2)) {
    kill 'TERM', $pids{$name};
    ok(ended($pids{$name}) && $? == 0, "$name ends");
    delete $pids{$name};
}

my @alerts = grep { /\[(?:alert|emerg)\]/ && !/exited on signal 9/ }
    map { split /\n/, slurp("$dir/node$_/error.log") } 1, 2;
is(scalar @alerts, 0, 'no alert') or diag(@alerts[0 .. ($#alerts > 4 ? 4
                                                        : $#alerts)]);

my @found = glob("$dir/asan.* $dir/ubsan.*");
is(scalar @found, 0, 'no finding of a sanitizer')
    or diag(map { slurp($_) } @found);

done_testing();
