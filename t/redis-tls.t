#!/usr/bin/perl
# Copyright (C) The im authors
#
# TLS to Redis: what nginx, im_logic and im_job accept, and what they say of what
# they don't.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Redis;
use Test::Im::Stack;
use Test::More;

my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
my @programs = qw(logic job nginx);
my ($stack, $redis, $tls);


# A Redis of one server, and a stack that isn't started, with these words.
sub service {
    my ($words, %set) = @_;

    $stack = Test::Im::Stack->new(build => $build, workers => 1,
                                  redis_kind => 'one', redis_set => \%set);
    $redis = $stack->{set};
    $tls = "$redis->{dir}/tls";
    words($words);
    $redis->start;
}


# ADDRESS, PORT and TLS stand for what they are.
sub words {
    my ($words) = @_;
    my $port = $redis->port('redis1');

    $words =~ s/ADDRESS/127.0.0.1:PORT/;
    $words =~ s/PORT/$port/g;
    $words =~ s/TLS/$tls/g;
    $stack->{link} = $words;
}


sub wrote {
    my ($name) = @_;

    return slurp("$stack->{dir}/" . ($name eq 'nginx' ? 'error' : $name)
                 . '.log');
}


# Each program, since it was last started.
sub all_say {
    my ($what, $re) = @_;

    for my $name (@programs) {
        ok(Test::Im::Stack::until_true(60, sub { wrote($name) =~ $re }),
           "$name: $what") or diag(wrote($name));
    }
}


# Messages go from a push by Redis to a client.
sub delivers {
    my ($what) = @_;
    my $client;

    ok($stack->ready, "$what: pushes are accepted") or diag(wrote('nginx'));

    my $open = eval {
        $client = Test::Im::Client->new(port => $stack->{port});
        $client->handshake('/ws') == 101 or die "no session\n";
        $client->write(Test::Im::Client::frame(1,
                                               '{"auth":null,"roomId":1}'));
        $client->next_message(Time::HiRes::time() + 60);
    };

    ok($open, "$what: a client") or diag($@);

    # longer than a record of TLS
    my $text = 'x' x 40000;
    my ($status) = $stack->http(1, 'POST', '/im/push',
                                "{\"rooms\":[\"1\"],\"data\":\"$text\"}");
    is($status, 200, "$what: a push");

    my $frame;
    do {
        $frame = $client->next_message(Time::HiRes::time() + 60);
    } while ($frame && $frame->{payload} !~ /"$text"/);
    ok($frame, "$what: is delivered");
    $client->shut;
}


sub ended {
    my ($what) = @_;
    my @faults = ($stack->stop_all, $stack->alerts, $stack->findings);

    is("@faults", '', "$what: all end well");
    $stack->end(Test::More->builder->is_passing);
}


# A service that can't reach Redis: each says so, once.
sub refused {
    my ($what, $words, $re, %set) = @_;

    service($words, %set);
    $stack->start(@programs);
    all_say($what, qr/Redis at "127\.0\.0\.1:\d+" is away \(commands\): $re/);

    # after some attempts
    my ($status, $body);
    Test::Im::Stack::until_true(60, sub {
        ($status, $body) = $stack->http(1, 'GET', '/im/health');
        $body =~ s/\\"/"/g;
        $body =~ $re;
    });
    is($status, 503, "$what: health is bad");
    like($body, qr/redis: $re/, "$what: and says why");

    is(scalar(() = wrote($_) =~ /is away/g), 1, "$_: $what: one line")
        for @programs;
    unlike(wrote($_), qr/secret word/, "$_: no password") for @programs;

    # and another way leads to it
    if ($set{cure}) {
        $stack->stop('TERM', reverse @programs);
        words($set{cure});
        $stack->start(@programs);
        delivers("$what, mended");
    }

    ended($what);
}


my $verify = qr/certificate verify failed: /;
my $unknown = qr/(?:unable to get local issuer certificate|self-signed certificate in certificate chain)/;

# what works

service('', tls => 2, password => 'secret_word');
words(join ' ', $redis->words);
$stack->start(@programs);
delivers('both have certificates');
all_say('it is there', qr/Redis at "127\.0\.0\.1:\d+" is there/);

my $leases = sub { $redis->command('redis1', 'ZCARD', 'im:{reg}:nodes') };
is($leases->(), 1, 'the worker has a lease');

# an end, over TLS
$stack->stop('QUIT', 'nginx');
is($leases->(), 0, 'what a worker sends at its end reaches Redis');
$stack->start('nginx');

# the server comes back
$redis->crash('redis1');
$redis->start('redis1');
delivers('a new server');
unlike(wrote($_), qr/secret_word/, "$_: no password in the log") for @programs;
ended('both have certificates');

# TLS 1.2 alone

service('localhost:PORT tls=on ca=TLS/ca.pem', tls => 1,
        settings => [ 'tls-protocols "TLSv1.2"' ]);
$stack->start(@programs);
delivers('TLS 1.2, and a host name');

# the cause of what keeps it away is in the log at once

$redis->crash('redis1');
$redis->{certificate} = 'expired';
$redis->renew('redis1');
$redis->start('redis1');
all_say('its certificate is over', qr/is away \(commands.*\): certificate verify failed: certificate has expired/);
ended('TLS 1.2');

# what the certificate of the server has

refused('an unknown CA', 'ADDRESS tls=on ca=TLS/other-ca.pem',
        qr/$verify$unknown; ca= must have the CA that signed it/, tls => 1);
refused('no CA of the system', 'ADDRESS tls=on',
        qr/$verify$unknown; ca= must have the CA that signed it/, tls => 1,
        cure => 'ADDRESS tls=on ca=TLS/ca.pem');
refused('an expired certificate', 'ADDRESS tls=on ca=TLS/ca.pem',
        qr/${verify}certificate has expired/, tls => 1,
        certificate => 'expired');
refused('another name', 'ADDRESS tls=on ca=TLS/ca.pem',
        qr/${verify}it is for "elsewhere\.test", not for "127\.0\.0\.1"; name= says which name it must have/,
        tls => 1, certificate => 'elsewhere',
        cure => 'ADDRESS tls=on ca=TLS/ca.pem name=elsewhere.test');
refused('another name than name=', 'ADDRESS tls=on ca=TLS/ca.pem name=a.test',
        qr/${verify}it is for "127\.0\.0\.1, localhost", not for "a\.test"/,
        tls => 1);

# and the client's

refused('no certificate of ours', 'ADDRESS tls=on ca=TLS/ca.pem',
        qr/TLS: tlsv13 alert certificate required/, tls => 2,
        cure => 'ADDRESS tls=on ca=TLS/ca.pem cert=TLS/client.pem key=TLS/client.key');
refused('no certificate of ours, TLS 1.2', 'ADDRESS tls=on ca=TLS/ca.pem',
        qr/TLS: (?:sslv3|tlsv1) alert /, tls => 2,
        settings => [ 'tls-protocols "TLSv1.2"' ]);
refused('a certificate of another CA',
        'ADDRESS tls=on ca=TLS/ca.pem cert=TLS/other.pem key=TLS/other.key',
        qr/TLS: \S+ alert unknown ca/, tls => 2);

# one has TLS, the other doesn't

refused('TLS to a plain port', 'ADDRESS tls=on timeout=300ms',
        qr/timed out in the TLS handshake: does the server speak TLS on this port\?/,
        cure => 'ADDRESS');
refused('plain to a port of TLS', 'ADDRESS',
        qr/.+ before its first answer: does this port want TLS \(tls=on\)\?/,
        tls => 1);

# sentinels, and a cluster: each connection has TLS

for my $kind (qw(sentinel cluster)) {
    $stack = Test::Im::Stack->new(build => $build, workers => 1,
        redis_kind => $kind, redis_set => { tls => 2, password => 'secret', timeout => 5000 });
    $redis = $stack->{set};
    $stack->start($stack->all);
    delivers($kind);

    my $master = $redis->master_of('im:{reg}:nodes');
    $redis->owned($master) if $kind eq 'cluster';
    $redis->crash($master);
    $redis->until_replaced($master);
    delivers("$kind, another master");
    ended($kind);
}

# files are read again: by a reload, and by the daemons as they change

service('ADDRESS tls=on ca=TLS/mine.pem', tls => 1);
spew("$tls/mine.pem", slurp("$tls/other-ca.pem"));
$stack->start(@programs);
all_say('the wrong CA', qr/is away \(commands\): $verify/);
spew("$tls/mine.pem", slurp("$tls/ca.pem"));
$stack->signal('HUP', 'nginx');
delivers('with the right CA');
like(wrote($_), qr/\[notice\].*redis: files of TLS have changed, and were read again/,
     "$_ says so") for qw(logic job);

spew("$tls/mine.pem", 'nothing');
@programs = qw(logic job);
all_say('a file that is none', qr/\[warn\].*redis: "ca=\S+" has no certificate in PEM form: what was read before is kept/);
$redis->crash('redis1');
$redis->start('redis1');
delivers('with what was read before');
ended('files that change');

done_testing();
