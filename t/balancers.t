#!/usr/bin/perl
# Copyright (C) The im authors
#
# The examples of conf/ with TLS, behind a proxy, and the two balancers, with other
# paths and ports: two nodes and one Redis behind nginx and behind HAProxy.  A node
# without Redis, one that drains and one that is killed get no clients.

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use Test::Im::Cert qw(certificates);
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(more_ports ports);
use Test::Im::Stack;
use Test::Im::Stream;
use Test::More;
use Time::HiRes qw(time);

my $stack = Test::Im::Stack->new(example => 'nginx-behind-proxy.conf.example',
                                 nodes => [ 'nginx1', 'nginx2' ],
                                 workers => 1, edit => \&edit_node);
my ($dir, $address) = ($stack->{dir}, '127.0.0.21');
my %port;

@port{qw(nginx nginx_http haproxy haproxy_http tls tls_http)} = more_ports(6);
my $cert = certificates("$dir/cert");
my @balancers = qw(nginx haproxy);


# The second node's way to Redis can be missing.
sub edit_node {
    my ($name) = @_;

    s{redis\.sock}{redis2.sock} if $name eq 'nginx2';
}


sub edit_tls {
    s{listen 443}{listen 127.0.0.1:$port{tls}};
    s{listen 80;}{listen 127.0.0.1:$port{tls_http};};
    s{/etc/nginx/tls/im\.(pem|key)}{$cert/server.$1}g;
}


sub nodes {
    s{10\.0\.0\.1([12]):8080}{'127.0.0.1:' . $stack->port("nginx$1")}ge;
}


sub start_nginx_balancer {
    my $node = "$dir/balancer";

    local $_ = slurp('conf/balancer-nginx.conf.example');

    s{^user .*\n}{$> == 0 ? "user root;\n" : ''}me;
    s{worker_connections \d+}{worker_connections 1024};
    s{^worker_(processes) .*}{worker_$1 1;}m;
    s{^worker_rlimit_nofile .*\n}{}m;
    s{listen 443}{listen 127.0.0.1:$port{nginx}};
    s{listen 80;}{listen 127.0.0.1:$port{nginx_http};};
    s{/etc/nginx/tls/im\.(pem|key)}{$cert/server.$1}g;
    s{/(?:run|var/log/nginx)/([\w.]+)}{$node/$1}g;
    s{fail_timeout=5s}{fail_timeout=1s}g;
    s{^( +server_tokens .*\n)}{$1 . join '', map { "    ${_}_temp_path $node/$_;\n" }
                               qw(client_body proxy fastcgi uwsgi scgi)}me;
    nodes();

    mkdir $node;
    spew("$node/nginx.conf", $_);
    $stack->run('balancer', 'nginx', '-p', "$node/", '-c', "$node/nginx.conf",
                '-e', "$node/error.log", '-g', 'daemon off;');
}


sub start_haproxy {
    local $_ = slurp('conf/balancer-haproxy.cfg.example');

    s{^ +(?:user|group) .*\n}{}mg;
    s{/dev/log}{127.0.0.1:9};
    s{/run/haproxy}{$dir}g;
    s{maxconn \d+}{maxconn 500};
    s{bind :443}{bind 127.0.0.1:$port{haproxy}};
    s{bind :80}{bind 127.0.0.1:$port{haproxy_http}};
    s{/etc/haproxy/im\.pem}{$dir/haproxy.pem};
    s{inter 2s fastinter 500ms}{inter 100ms};
    nodes();

    spew("$dir/haproxy.cfg", $_);
    spew("$dir/haproxy.pem", slurp("$cert/server.pem")
                             . slurp("$cert/server.key"));
    $stack->run('haproxy', 'haproxy', '-db', '-f', "$dir/haproxy.cfg");
}


END {
    my $status = $?;
    $stack->end(0) if $stack;
    $? = $status;
}


sub until_true { return Test::Im::Stack::until_true(60, @_) }


# (status, body, head) of a request with TLS, whose certificate is checked
sub ask {
    my ($at, $path, @args) = @_;
    my $from = @args && $args[0] =~ /^127/ ? shift @args : $address;

    return curl('--cacert', "$cert/ca.pem", '--interface', $from,
                @args, "https://localhost:$port{$at}$path");
}


sub curl {
    my $pid = open(my $fh, '-|', 'curl', '-s', '-i', '-m', 60, '-4', @_)
        or die "curl: $!\n";
    local $/;
    my ($head, $body) = split /\r\n\r\n/, (scalar <$fh>) || '', 2;

    return ($head && $head =~ m{\AHTTP/\S+ (\d+)} ? $1 : 0, $body || '',
            $head || '');
}


sub state_of {
    my ($name) = @_;
    my $socket = IO::Socket::UNIX->new("$dir/admin.sock") or return '';
    my $answer = '';

    print {$socket} "show stat\n";
    $socket->flush;
    1 while sysread $socket, $answer, 65536, length $answer;

    return $answer =~ /^im_nodes,$name,(?:[^,]*,){15}(\w+)/m ? $1 : '';
}


# The status of a handshake, and the client.
sub open_ws {
    my ($at, $path, @headers) = @_;
    my $client = Test::Im::Client->new(port => $port{$at}, tls => 1,
                                       from => $address);

    return ($client->handshake($path, @headers), $client);
}


# A client in room 1, as the user of the token.
sub join_room {
    my ($at, $token, @headers) = @_;
    my ($status, $client) = open_ws($at, '/ws', @headers);

    die "$at: $status\n" if $status != 101;
    $client->write(Test::Im::Client::frame(1,
        qq({"auth":"$token","roomId":1})));
    $client->next_message(time() + 60) or die "$at: no answer\n";

    return $client;
}


sub sse {
    my ($at) = @_;
    my $client = Test::Im::Stream->new(port => $port{$at}, tls => 1,
                                       from => $address);
    my $first = '{"id":1,"connect":{}}' . "\n"
        . '{"id":2,"subscribe":{"channel":"1"}}';
    my $path = '/connection/sse?cf_connect='
        . $first =~ s/([^\w])/sprintf '%%%02X', ord $1/ger;

    is($client->request('GET', $path, undef, 'Accept: text/event-stream'), 200,
       "$at: an event stream");
    ok(gets($client, '"subscribe"'), "$at: which follows a room");

    return $client;
}


# Whether a client gets a text soon.
sub gets {
    my ($client, $text) = @_;
    my $end = time() + 60;

    while (my $frame = $client->next_message($end)) {
        return 1 if $frame->{payload} =~ /\Q$text\E/;
    }

    return 0;
}


sub push_room {
    my ($at, $text) = @_;

    return ask($at, '/im/push', '127.0.0.1',
               '-H', 'Content-Type: application/json',
               '-d', qq({"rooms":["1"],"data":"$text"}));
}


# Which nodes have the user's sessions, and their addresses.
sub sessions {
    my ($at, $user) = @_;
    my (undef, $body) = ask($at, "/im/users/$user", '127.0.0.1');
    my $data = eval { decode_json($body)->{data} } || {};

    return @{$data->{sessions} || []};
}


sub names {
    my ($at, $user) = @_;
    my %seen = map { $_->{node} => 1 } sessions($at, $user);

    return join ' ', sort keys %seen;
}


sub none_refused {
    my ($what) = @_;

    for my $at (@balancers) {
        my @status = map { (open_ws($at, '/ws'))[0] } 1 .. 8;
        is("@status", join(' ', (101) x 8), "$at: $what");
    }
}


# Clients join until both nodes have some.
sub spread {
    my ($what, $token, $user) = @_;
    my %clients;

    for my $at (@balancers) {
        ok(until_true(sub {
            push @{$clients{$at}}, join_room($at, $token->{$at})
                if @{$clients{$at} || []} < 20;
            names($at, $user->{$at}) eq 'nginx1 nginx2';
        }), "$at: $what") or diag(names($at, $user->{$at}));
    }

    return \%clients;
}


sub shut { $_->shut for map { @$_ } values %{$_[0]} }


$stack->start(qw(redis logic job nginx1 nginx2));
start_nginx_balancer();
start_haproxy();

ok(until_true(sub {
    !grep { (ask($_, '/im/health', '127.0.0.1'))[0] != 200 } @balancers;
}), 'both balancers pass requests') or BAIL_OUT(slurp("$dir/haproxy.log"));

# a node without Redis

ok(until_true(sub {
    state_of('comet-1') eq 'UP' && state_of('comet-2') eq 'DOWN'
}), 'haproxy: a node without Redis is out');
none_refused('clients get the node with Redis');

symlink "redis.sock", "$dir/redis2.sock" or die "redis2.sock: $!\n";
ok(until_true(sub { state_of('comet-2') eq 'UP' }), 'haproxy: it is back');

# accounts, addresses, pushes

my (%token, %user);

for my $at (@balancers) {
    my $account = qq({"UserName":"ann-$at","Password":"sesame-7"});
    my @origin = ('-H', "Origin: https://localhost");

    is((ask($at, '/v1/user/register', '-d', $account, @origin))[0], 200,
       "$at: a new account");
    (my ($status, $body)) = ask($at, '/v1/user/login', '-d', $account);
    ($token{$at}) = $body =~ /"Auth":"(\w+)"/ or diag($body);

    my $client = join_room($at, $token{$at}, 'X-Forwarded-For: 192.0.2.9',
                           "Origin: https://localhost:$port{$at}");
    ok(until_true(sub {
        my (undef, $room) = ask($at, '/im/rooms/1', '127.0.0.1');
        ($user{$at}) = $room =~ /"user":"([^"]+)","name":"ann-$at"/;
        $user{$at};
    }), "$at: a user in the room");

    my @ips = map { $_->{ip} } sessions($at, $user{$at});
    is("@ips", $address, "$at: the address is the client's own");
    $client->shut;

    is((open_ws($at, '/ws', 'Origin: https://elsewhere.test'))[0], 403,
       "$at: no page of another origin");
    is((ask($at, '/im/push'))[0], 403, "$at: clients can't push");
    is((ask($at, $_, '127.0.0.1'))[0], 404, "$at: no $_ for clients")
        for '/ready', '/metrics';
    is((ask($at, '/admin.html'))[0], 403, "$at: no admin page for clients");
    like((ask($at, '/'))[1], qr/<html/i, "$at: the page");

    my (undef, undef, $head) = curl("http://localhost:$port{$at . '_http'}/x");
    like($head, qr{\AHTTP/1.1 301.*^Location: https://localhost}msi,
         "$at: http leads to https");
}

my $clients = spread('clients of both nodes', \%token, \%user);

for my $at (@balancers) {
    my @streams = map { sse($at) } 1 .. 2;
    my ($status, $body) = push_room($at, "to all by $at");

    is($status, 200, "$at: a push") or diag($body);

    my @all = (@streams, map { @$_ } values %$clients);
    is(scalar(grep { gets($_, "to all by $at") } @all), scalar @all,
       "$at: reaches clients of both balancers and nodes");
    $_->shut for @streams;
}

like(slurp("$dir/$_/access.log"), qr{^\Q$address\E \[.*"GET /ws" 101}m,
     "$_: the log has the client's address") for qw(nginx1 nginx2);

# a node that drains: its clients are closed, and the others stay

$stack->stop('QUIT', 'nginx2');
none_refused('a node that has drained gets no clients');
ok(until_true(sub { state_of('comet-2') eq 'DOWN' }), 'haproxy: it is out');
shut($clients);

$stack->start('nginx2');
$clients = spread('it gets clients again', \%token, \%user);

# a node that is killed

$stack->stop('KILL', 'nginx2');
none_refused('a node that was killed gets no clients');

for my $at (@balancers) {
    my $client = join_room($at, $token{$at});

    is((push_room($at, "after $at"))[0], 200, "$at: a push");
    ok(gets($client, "after $at"), "$at: reaches a client that came back");
}

shut($clients);
$stack->stop('QUIT', 'balancer');
$stack->stop('KILL', 'haproxy', 'nginx1');

# a node with TLS of its own

$stack->{example} = 'nginx-tls.conf.example';
$stack->{edit} = \&edit_tls;
$stack->start('nginx1');
ok(until_true(sub {
    ($stack->http(1, 'GET', '/im/health'))[0] == 200
}), 'TLS: the node answers');

like((ask('tls', '/'))[1], qr/<html/i, 'TLS: the page');
like((ask('tls', '/', '--http2'))[2], qr{\AHTTP/2 200}, 'TLS: HTTP/2');
like((curl("http://localhost:$port{tls_http}/a?b"))[2],
     qr{^Location: https://localhost/a\?b\r?$}m, 'TLS: http leads to https');
is((ask('tls', $_, '127.0.0.1'))[0], 404, "TLS: no $_ there")
    for '/im/status', '/admin.html';

my $client = join_room('tls', $token{nginx},
                       "Origin: https://localhost:$port{tls}");
is(($stack->http(1, 'POST', '/im/push', '{"rooms":["1"],"data":"wss"}'))[0],
   200, 'TLS: a push');
ok(gets($client, 'wss'), 'TLS: reaches a client by wss');
$client->shut;

is(join('', $stack->alerts), '', 'no alerts');
is(join('', $stack->stop_all), '', 'all of it ends well');
$stack->end(Test::More->builder->is_passing);
done_testing();
