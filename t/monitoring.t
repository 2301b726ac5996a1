#!/usr/bin/perl
# Copyright (C) The im authors
#
# /metrics and /health of im_logic and im_job: what they count, what they say
# while Redis is away, and that a slow client holds up nothing.  Dashboard and
# alerts use only names and labels that there are, and the alerts do as their
# tests say.

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use Socket qw(SOCK_DGRAM);
use Test::Im::Daemon qw(refused);
use Test::Im::Docs qw(block commands);
use Test::Im::File qw(slurp spew);
use Test::Im::Metrics;
use Test::Im::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $stack = Test::Im::Stack->new(workers => 1, server => '        location '
                                     . '= /metrics { im_status '
                                     . "format=prometheus; }\n");
my $dir = $stack->{dir};

$stack->{logic} = [ "--http=unix:$dir/logic.http" ];
$stack->{job} = [ "--http=unix:$dir/job.http", '--queue-age=5' ];

$stack->start($_) for $stack->all;
$stack->ready or BAIL_OUT('the stack does not start');


# An answer of a daemon: (status, body, head).
sub ask {
    my ($program, $path, $method, $send) = @_;
    my $socket = IO::Socket::UNIX->new("$dir/$program.http") or return (0, '');
    my $bytes = '';

    $method ||= 'GET';
    print {$socket} "$method $path HTTP/1.1\r\nHost: a\r\n"
        . (defined $send ? "Content-Type: application/json\r\nContent-Length: "
                           . length($send) . "\r\n" : '')
        . "Connection: close\r\n\r\n" . (defined $send ? $send : '');
    $socket->flush;
    1 while sysread $socket, $bytes, 65536, length $bytes;

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;

    return ($head =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 0, $body, $head);
}


# A sample, by its name with labels; undef: there is none.
sub sample {
    my ($program, $name) = @_;
    my (undef, $body) = ask($program, '/metrics');

    return $body =~ /^\Q$name\E (\S+)$/m ? $1 : undef;
}


# Samples that were read before, from which on they count.
my %before;

# Repeated, until it is so.
sub until_ok {
    my ($name, $code) = @_;
    my $end = time() + 60;
    my $ok;

    sleep(0.05) until ($ok = $code->()) || time() > $end;
    ok($ok, $name);
}


sub until_is {
    my ($program, $sample, $value) = @_;
    my $before = $before{$sample} || 0;
    my $last;

    until_ok("$sample is $value", sub {
        $last = sample($program, $sample);
        $last -= $before if defined $last;
        return defined $last && $last == $value;
    }) or diag("it is " . (defined $last ? $last : 'not there'));
}


sub push_one {
    my ($body) = @_;

    return ($stack->http(1, 'POST', '/im/push', $body))[0];
}


sub redis { return $stack->redis(@_) }


# Each family has its HELP and TYPE once, in front of its samples.
sub well_formed {
    my ($program) = @_;
    my ($status, $body, $head) = ask($program, '/metrics');
    my (%help, %type, @faults);

    is($status, 200, "$program: /metrics answers");
    like($head, qr{^Content-Type: text/plain; version=0\.0\.4; charset=utf-8\r?$}m,
         "$program: as Prometheus' text format");

    for my $line (split /\n/, $body) {
        if ($line =~ /^# HELP (\w+) \S/) {
            push @faults, $line if $help{$1}++;

        } elsif ($line =~ /^# TYPE (\w+) (counter|gauge|histogram)$/) {
            push @faults, $line if $type{$1} || !$help{$1};
            $type{$1} = $2;
            push @faults, $line if ($2 eq 'counter') != ($1 =~ /_total$/);

        } elsif ($line =~ /^(\w+?)(_bucket|_sum|_count)?(\{.*\})? [\d.]+$/) {
            my $of = $type{$1} || $type{$1 . ($2 || '')};
            push @faults, $line unless $of;
            push @faults, $line unless "$1" =~ /^im_$program\_/;

        } else {
            push @faults, $line;
        }
    }

    is(join("\n", @faults), '', "$program: each line is well-formed");
    cmp_ok(scalar(keys %type), '>', 20, "$program: with many families");
}


# The names in a JSON text, which has no numbers of its own.
sub members {
    my ($json) = @_;
    my $value = decode_json($json);

    return [ $value->{code}, sort(keys %$value), sort keys %{$value->{data}} ];
}


# forms

for my $program (qw(logic job)) {
    well_formed($program);

    my ($status, $body, $head) = ask($program, '/health');
    is($status, 200, "$program: /health answers 200");
    is(decode_json($body)->{data}{redis}, 'up', "$program: Redis is up");

    ($status, $body) = ask($program, '/metrics', 'HEAD');
    is($status, 200, "$program: HEAD");
    is($body, '', "$program: has no body");

    ($status, $body) = ask($program, '/none');
    is($status, 404, "$program: no such path");

    ($status, $body, $head) = ask($program, '/health', 'POST');
    is($status, 405, "$program: POST is refused");
    like($head, qr/^Allow: GET, HEAD\r?$/m, "$program: with what it takes");
}

is((ask('job', '/metrics/'))[0], 404, 'job: no other path is like it');


# What systemd hears, for whom the next one is restarted then: it takes pushes.

for my $n (1 .. 3) {
    my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM,
                                       Local => "$dir/notify$n")
        or die "$dir/notify$n: $!\n";

    local $ENV{NOTIFY_SOCKET} = "$dir/notify$n";
    push @{$stack->{logics}}, "logic$n";
    $stack->run("logic$n", "$stack->{build}/im_logic", $stack->option,
                "--fcgi=unix:$dir/ready$n.sock",
                "--http=unix:$dir/ready$n.http");
    $notify->recv(my $said, 512);
    is($said, 'READY=1', 'im_logic is ready');
    is((ask("ready$n", '/im/push', 'POST', '{"rooms":["1"],"data":1}'))[0], 200,
       'and takes pushes from then on');
    $stack->stop('TERM', "logic$n");
    pop @{$stack->{logics}};
}


# dashboard and alerts

my (%served, %values);

sub scraped {
    my ($name, $text) = @_;
    my (%type, @faults);

    for my $line (split /\n/, $text) {
        if ($line =~ /^# TYPE (\w+) (\w+)$/) {
            $type{$1} = $2;
            $served{$_} = 1 for $2 eq 'histogram'
                ? map { "$1$_" } qw(_bucket _sum _count) : $1;

        } elsif ($line =~ /^(\w+)\{(.*)\} \S+$/) {
            my ($of, $labels) = ($1, $2);
            $values{$of}{$1}{$2} = 1 while $labels =~ /(\w+)="([^"]*)"/g;
        }
    }

    spew("$dir/$name.metrics", $text);
    my ($status, $said) = promtool("check metrics < $dir/$name.metrics");
    is("$status $said", '0 ', "promtool finds no fault in what $name tells");
}


# (status, what it says); it finds no fault where it isn't on this machine
sub promtool {
    my ($arguments) = @_;
    my $path = Test::Im::Metrics::promtool_path();

    return (0, '') if $path eq '';

    my $said = `$path $arguments 2>&1`;

    return ($?, $said);
}


note('promtool is not on this machine')
    if Test::Im::Metrics::promtool_path() eq '';


# What an expression uses that isn't there.
sub missing {
    my ($expr) = @_;
    my @missing;

    while ($expr =~ /\b(im_\w+)(?:\{([^}]*)\})?/g) {
        my ($name, $labels) = ($1, $2 || '');

        push @missing, $name unless $served{$name};

        while ($labels =~ /(\w+)(=~|!~|!=|=)"([^"]*)"/g) {
            my ($label, $value) = ($1, $3);

            next if $label eq 'instance';
            push @missing, map { "$name\{$label=$_\}" }
                grep { !$values{$name}{$label}{$_} } split /\|/, $value;
        }
    }

    return @missing;
}

scraped('logic', (ask('logic', '/metrics'))[1]);
scraped('job', (ask('job', '/metrics'))[1]);
scraped('nginx', ($stack->http(1, 'GET', '/metrics'))[1]);

my $dashboard = decode_json(slurp('contrib/grafana.json'));
my @exprs = map { map { $_->{expr} } @{$_->{targets} || []} }
    @{$dashboard->{panels}};
my %titles = map { $_->{title} => 1 } @{$dashboard->{panels}};

cmp_ok(scalar(@exprs), '>', 60, 'the dashboard has many lines');
is(join("\n", map { missing($_) } @exprs), '',
   'each name and label of the dashboard is there');
is(join(' ', grep { !$titles{$_} }
        qw(Clients Messages Latency Push Queue Redis Faults)), '',
   'it has all rows');
is(join(' ', missing('im_none{a="b"} im_logic_pushes_refused_total{reason="x"}')),
   'im_none im_none{a=b} im_logic_pushes_refused_total{reason=x}',
   'what is not there is found');

my $alerts = slurp('contrib/alerts.yml');
my $tests = slurp('contrib/alerts_test.yml');
my $page = slurp('docs/monitoring.md');
my ($intro, @alerts) = split /^      - alert: /m, $alerts;

cmp_ok(scalar(@alerts), '>', 15, 'there are many alerts');

for my $alert (@alerts) {
    my ($name) = $alert =~ /\A(\w+)/;
    my ($expr) = $alert =~ /^        expr: >-\n(.*?)^        for: /ms;
    my ($anchor) = $alert =~ m{runbook: docs/monitoring\.md#(\w+)$}m;

    is(join(' ', missing($expr)), '', "$name: each name and label is there");
    like($alert, qr/severity:[ ](?:critical|warning)\n.*summary:[ ]'.*
                    description:[ ]'.*action:[ ]'/sx, "$name: says what to do");
    is($anchor, lc $name, "$name: names its section");
    like($page, qr/^### $name$/m, "$name: which is there");
    like($tests, qr/alertname="$name"/, "$name: has a test");
}

for my $check (commands(block('docs/monitoring.md', 'promtool check'))) {
    my ($status, $said) = promtool($check =~ s/\Apromtool //r);
    is($status, 0, $check) or diag($said);
}

spew("$dir/prometheus.yml", block('docs/monitoring.md', 'rule_files:')
     =~ s{/etc/prometheus/im-alerts\.yml}{im-alerts.yml}r);
spew("$dir/im-alerts.yml", $alerts);

my ($status, $said) = promtool("check config $dir/prometheus.yml");
is($status, 0, "promtool takes the page's prometheus.yml") or diag($said);
like($said, qr/\A\z|^ *SUCCESS: [0-9]+ rules found/m, 'with its rules');

# the log line that another page shows is found

my ($grep) = commands(block('docs/monitoring.md', 'grep '));
spew("$dir/ended.log", block('docs/operations.md', 'im: session ended:')
     =~ s/\n(?!\z)/ /gr);
like(scalar `@{[ $grep =~ s{error\.log}{$dir/ended.log}r ]}`,
     qr/reason: drain, code: 1012/, $grep);


# a partition that another process has: seen at the end

redis('SET', 'im:{15-43}:own', 'another', 'PX', 600000);


# pushes

my @counted = ('im_logic_pushes_accepted_total',
               'im_logic_messages_accepted_total',
               'im_logic_message_bytes_total',
               'im_logic_script_messages_sum',
               'im_logic_requests_total{route="/im/push",result="ok"}');

$before{$_} = sample('logic', $_) for @counted;

is(push_one('{"rooms":["1","2"],"data":"12345","id":"a"}'), 200, 'a push');
is(push_one('{"rooms":["1","2"],"data":"12345","id":"a"}'), 200, 'again');
is(push_one('{"rooms":["1","2"],"data":"other","id":"a"}'), 409,
   'its id with other data');
is(push_one('{"rooms":["1"]}'), 400, 'without data');

until_is('logic', 'im_logic_pushes_accepted_total', 2);
until_is('logic', 'im_logic_messages_accepted_total', 4);
until_is('logic', 'im_logic_messages_repeated_total', 2);
until_is('logic', 'im_logic_message_bytes_total', 4 * length '"12345"');
until_is('logic', 'im_logic_pushes_refused_total{reason="id_reused"}', 1);
until_is('logic', 'im_logic_messages_refused_total{reason="id_reused"}', 2);
until_is('logic', 'im_logic_pushes_refused_total{reason="bad_request"}', 1);
until_is('logic', 'im_logic_requests_total{route="/im/push",result="ok"}', 2);
until_is('logic',
         'im_logic_requests_total{route="/im/push",result="refused"}', 2);
until_is('logic', 'im_logic_script_messages_sum', 6);
until_is('logic', 'im_logic_workers', 1);
until_is('logic', 'im_logic_jobs', 1);
until_is('logic', 'im_logic_queue_entries{partition="0"}', 0);
cmp_ok(sample('logic', 'im_logic_redis_round_trip_seconds_count'), '>', 0,
       'round trips are measured');


# accounts

is((ask('logic', '/v1/user/login', 'POST',
        '{"UserName":"nobody1","Password":"secret1"}'))[0], 200, 'a login');
until_is('logic',
         'im_logic_accounts_total{route="/v1/user/login",result="wrong"}', 1);


# a client that is slow

my @slow = map { IO::Socket::UNIX->new("$dir/job.http") } 1 .. 3;

for my $socket (@slow) {
    print {$socket} "GET /metrics HTTP/1.1\r\nHo";
    $socket->flush;
}

until_is('job', 'im_job_connections{listener="http"}', 4);
is((ask('job', '/health'))[0], 200, 'half a request holds up nothing');
close $_ for @slow;
until_is('job', 'im_job_connections{listener="http"}', 1);


# a queue that is old: Redis lets no job trim it

redis('ACL', 'SETUSER', 'default', '-xtrim');
redis('XADD', 'im:{3-48}:q', '1-1', 't', 'r:1', 'i', '', 'w', '*', 'd', 'x');

until_ok('job: a queue is old', sub {
    my ($status, $body) = ask('job', '/health');
    return $status == 503
           && $body =~ /the\ queue\ of\ partition\ 3\ has\ 1\ entries,\ the
                        \ oldest\ waits\ for\ \d+\ s\ \(--queue-age=5\)/x;
});
until_is('job', 'im_job_queue_entries{partition="3"}', 1);
until_is('logic', 'im_logic_queue_entries{partition="3"}', 1);
cmp_ok(sample('job', 'im_job_queue_age_seconds{partition="3"}'), '>', 5,
       'and says how old');
cmp_ok(sample('job', 'im_job_entries_total'), '>', 0, 'its entry is counted');
redis('ACL', 'SETUSER', 'default', '+xtrim');
until_is('job', 'im_job_queue_entries{partition="3"}', 0);


# the partition that is another's

until_ok('job: a partition is missing', sub {
    my ($status, $body) = ask('job', '/health');
    return $status == 503
           && $body =~ /1\ partition\ should\ be\ served\ here,\ and\ is\ not:
                        \ partition\ 15\ for\ \d+\ s/x;
});
until_is('job', 'im_job_partitions_held', 15);
until_is('job', 'im_job_partitions_wanted', 16);
until_is('job', 'im_job_partitions_lost_total', 1);
redis('DEL', 'im:{15-43}:own');
until_ok('job: it is there again', sub { (ask('job', '/health'))[0] == 200 });
until_is('job', 'im_job_partitions_held', 16);


# without Redis

$stack->stop('TERM', 'redis');

for my $program (qw(logic job)) {
    until_is($program, "im_$program\_link_up", 0);
    until_ok("$program: /health answers 503", sub {
        my ($status, $body) = ask($program, '/health');
        return $status == 503 && decode_json($body)->{msg} =~ /redis/i;
    });
    well_formed($program);
    until_is($program, "im_$program\_partitions_away", 16);
    until_is($program, "im_$program\_link_losses_total", 1);
}

my ($curl, $answer) = split /\n/,
    block('docs/monitoring.md', 'curl -i http://127.0.0.1:8092/health');
my $got = `@{[ $curl =~ s{^curl}{curl -s --unix-socket $dir/job.http}r ]}`;
like($got, qr{\AHTTP/1\.1 503 }, $curl);
is_deeply(members($got =~ s/.*\r\n\r\n//sr), members($answer),
          'the page shows such an answer');

isnt(push_one('{"rooms":["1"],"data":1}'), 200, 'a push is refused');
cmp_ok(sample('logic', 'im_logic_pushes_refused_total{reason="redis_away"}'),
       '>', 0, 'and counted');

$stack->start('redis');

for my $program (qw(logic job)) {
    until_ok("$program: /health answers 200 again",
             sub { (ask($program, '/health'))[0] == 200 });
    until_is($program, "im_$program\_link_up", 1);
}


# A client of another machine reads no address of Redis.  The machine is a
# network of its own, in which 192.0.2.1 is an address of no loopback.

SKIP: {
    skip 'root makes networks', 15 if $> != 0;

    for my $program (qw(logic job)) {
        spew("$dir/keys", "0123456789abcdef0123456789abcdef\n");
        chmod 0600, "$dir/keys";

        my $log = "$dir/far-$program.log";
        my $build = $ENV{IM_BUILD} || 'build';
        my $pid = fork // die "fork: $!\n";

        if ($pid == 0) {
            open STDERR, '>', $log or die "$log: $!\n";
            exec qw(unshare -n sh -c), 'ip link set lo up'
                . ' && ip addr add 192.0.2.1/32 dev lo && exec "$0" "$@"',
                "$build/im_$program", "--redis=unix:$dir/redis.sock",
                '--http=192.0.2.1:8091',
                $program eq 'logic' ? "--api-key-file=$dir/keys" : ();
            die "unshare: $!\n";
        }

        my $far = sub {
            my ($host, $path) = @_;
            open my $curl, '-|', qw(nsenter -n -t), $pid, qw(curl -s -m 60),
                "http://$host:8091$path" or die "nsenter: $!\n";
            return join '', <$curl>;
        };

        until_ok("$program: it listens for other machines", sub {
            $far->('192.0.2.1', '/health') =~ /"redis":"up"/;
        });

        my $health = $far->('192.0.2.1', '/health');
        like($health, qr/"servers":\[\{"state":"ready",/, 'states are shown');
        unlike($health, qr/unix:|"(?:name|address|generation|why)"/,
               'and neither addresses nor generations');

        my $metrics = $far->('192.0.2.1', '/metrics');
        like($metrics, qr/^im_$program\_link_up 1$/m, 'numbers are shown');
        unlike($metrics, qr/unix:|_redis_server_up/, 'and no servers');

        like(slurp($log), qr/\[warn\].*--http=192\.0\.2\.1:8091: .*need no/,
             'the log warns');

        kill 'TERM', $pid;
        waitpid $pid, 0;
        is($?, 0, 'it ends');
    }

    my (undef, $near) = ask('job', '/health');
    like($near, qr/"name":"unix:.*"generation":"[0-9a-f]+"/,
         'a client of this machine reads all');
}


# a port that is taken

my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
    or die "listen: $!\n";
my $port = $socket->sockport;

refused('a taken port', 1,
        qr/can't listen on "127\.0\.0\.1:$port": a program listens there/,
        'im_job', "--redis=unix:$dir/redis.sock", "--http=127.0.0.1:$port");
refused('a bad address', 2, qr/--http="nowhere" has no port/,
        'im_job', "--redis=unix:$dir/redis.sock", '--http=nowhere');


$stack->end(Test::More->builder->is_passing);

done_testing();
