#!/usr/bin/perl
# Copyright (C) The im authors
#
# docs/openapi.yaml against im_logic: the file is valid OpenAPI; it has the paths
# and methods that im_logic has, and no others; each example is sent, and each
# answer is one that the file describes, without a member more; a request that
# the file doesn't allow is refused.

use strict;
use warnings;

use lib 't/lib';

use HTTP::Tiny ();
use JSON::PP ();
use JSON::Validator ();
use Storable qw(dclone);
use Test::Im::Client;
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::Im::Stack;
use Test::More;
use Time::HiRes ();

my $file = 'docs/openapi.yaml';
my $key = 'openapi-test';
my $token = '9f2c4d1e8a7b6c50';

# Each operation once at least; those that end what others need come last.
my @order = qw(
    register login account changePassword setPassword deleteAccount
    register removeAccount checkAuth
    push online nodes rooms room history user bans health healthOfLogic metrics
    sendToRoom sendToUser tellMembers tellRoomInfo roomOnline
    apiPublish apiBroadcast apiSubscribe apiPresence apiPresenceStats
    apiHistory apiChannels apiInfo apiBatch apiCommand apiRefresh
    goimPushKeys goimPushMids goimPushRoom goimPushAll
    goimTop goimRooms goimTotal goimWeighted goimInstances
    apiUnsubscribe apiDisconnect apiHistoryRemove logout
    kickSession kickUser bans
);

# What the examples don't show: an operation, its status, and what is different.
my @faults = (
    [ push => 404, body => { rooms => [ 'nowhere' ], data => 1 } ],
    [ push => 409, body => { id => 'order-17-paid', rooms => [ '1' ],
                             data => 'another' } ],
    [ push => 413, body => { rooms => [ map { "$_" } 0 .. 1000 ],
                             data => 1 } ],
    [ push => 503, body => { rooms => [ '1' ], data => 1,
                             durability => 'replica' } ],
    [ push => 400, body => { data => 1 } ],
    [ history => 404, path => { room => 'quiet' } ],
    [ account => 404, path => { name => 'nobody' } ],
    [ kickSession => 400, path => { session => 'no-uuid' } ],
    [ login => 200, body => { UserName => 'nobody', Password => 'secret1' } ],
    [ checkAuth => 200, body => { Auth => '0' x 16 } ],
    [ apiPublish => 404, transport => 1,
      body => { channel => 'nowhere', data => 1 } ],
    [ apiPublish => 400, transport => 1, body => { channel => '1' } ],
    [ apiPublish => 409, transport => 1,
      body => { channel => '1', data => 1,
                idempotency_key => 'order-17-paid' } ],
    [ apiPublish => 503, transport => 1,
      body => { channel => '1', data => 1, durability => 'replica' } ],
    [ apiHistory => 416, transport => 1,
      body => { channel => '1', since => { offset => 1, epoch => 'x' } } ],
    [ apiBatch => 413, body => { commands => [ ({}) x 1001 ] } ],
    [ goimPushRoom => 404, query => { operation => 1, type => 'other',
                                      room => 1 } ],
);

my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my $port = ports();
# it writes head and body one after the other: on a connection that is kept, the
# second one would wait for an ACK
my $http = HTTP::Tiny->new(timeout => 30, keep_alive => 0);
my ($stack, $client, %operations, %seen);

END {
    my $status = $?;
    $stack->end($status == 0) if $stack;
    $? = $status;
}


# the file

my $doc = JSON::Validator->new->schema($file)->schema;
my $strict = JSON::Validator->new->schema($file)->schema;

is_deeply([ map { "$_" } @{$doc->errors} ], [],
          "$file is valid OpenAPI 3.0");

# Clients ignore members of answers that they don't know; this test doesn't.
sub closed {
    my ($schema) = @_;

    if (ref $schema eq 'ARRAY') {
        closed($_) for @$schema;
    }

    return unless ref $schema eq 'HASH';

    $schema->{additionalProperties} = JSON::PP::false
        if $schema->{properties} && !exists $schema->{additionalProperties};
    closed($_) for values %$schema;
}

closed($strict->data->{components}{schemas});


# What a part of the file stands for.
sub resolved {
    my ($from, $part) = @_;

    while (ref $part eq 'HASH' && $part->{'$ref'}) {
        $part = $from->get($part->{'$ref'} =~ s/\A#//r);
    }

    return $part;
}


sub faults_of {
    my ($from, $value, $schema) = @_;

    return join "\n", $from->validate($value, resolved($from, $schema));
}


for my $path (sort keys %{$doc->data->{paths}}) {
    my $item = $doc->data->{paths}{$path};

    for my $method (grep { $item->{$_} } qw(get post put delete)) {
        my $op = $item->{$method};
        my $id = $op->{operationId};

        ok(!$operations{$id}, "$id is one operation");
        $operations{$id} = {
            id => $id, path => $path, method => uc $method, op => $op,
            responses => $strict->data->{paths}{$path}{$method}{responses},
            parameters => [ map { resolved($doc, $_) }
                            @{$item->{parameters} || []},
                            @{$op->{parameters} || []} ],
            security => [ map { sort keys %$_ }
                          @{$op->{security} || $doc->data->{security}} ],
            content => $op->{requestBody}{content} || {},
        };
    }
}

is_deeply([ sort keys %operations ],
          [ sort keys %{{ map { $_ => 1 } @order }} ],
          'each operation has its turn');


# im_logic's own table

my $table = slurp('im_logic/im_logic_routes.c');
my ($rows) = $table =~ /im_logic_routes\[\] = \{(.*?)^\};/ms;
my @methods = slurp('im_logic/api/im_logic_api.c')
    =~ /\{ im_str\("(\w+)"\), im_logic_api_\w+ \}/g;
my %routes;

while ($rows =~ /\{ "([^"]+)", "(\w+)", \w+,\s*(\w+)/g) {
    my ($path, $method, $asker) = ($1, $2, $3);

    next if $asker eq 'IM_ASKER_NGINX';

    $routes{"$method " . ($path eq '/api/*' ? "/api/$_" : $path)} = 1
        for $path eq '/api/*' ? (@methods, 'batch') : '';
}

is_deeply([ sort map { "$_->{method} $_->{path}" =~ s/\{\w+\}/*/gr }
            values %operations ],
          [ sort keys %routes ], 'paths and methods are those of im_logic');


# requests

sub encoded {
    my ($text) = @_;

    utf8::encode($text);

    return $text =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger;
}


# An operation with its examples; %o has what is different.
sub ask {
    my ($o, %o) = @_;
    my $path = $o->{path};
    my ($type) = $o{type} || sort keys %{$o->{content}};
    my $content = $type && $o->{content}{$type};
    my %headers = %{$o{headers} || {}};
    my @query;

    for my $p (@{$o->{parameters}}) {
        my $name = $p->{name};
        my $in = $o{$p->{in}} || {};
        my $value = exists $in->{$name} ? $in->{$name} : $p->{example};

        if ($p->{in} eq 'path') {
            $value = encoded($value);
            $path =~ s/\{$name\}/$value/;

        } elsif ($p->{in} eq 'query' && defined $value) {

            # a push in JSON has its targets in the body
            next if $o->{id} eq 'push' && $type eq 'application/json';

            push @query, "$name=" . encoded($_)
                for ref $value ? @$value : $value;
        }
    }

    $headers{'X-API-Key'} = $key
        if !$o{stranger} && grep { $_ eq 'key' } @{$o->{security}};
    $headers{Authorization} = "Bearer $token"
        if !$o{stranger} && $o->{id} ne 'checkAuth'
           && grep { $_ eq 'token' } @{$o->{security}};
    $headers{'X-Centrifugo-Error-Mode'} = 'transport' if $o{transport};

    my %request = (headers => \%headers, peer => '127.0.0.1');

    if ($content) {
        $headers{'Content-Type'} = $o{as} || $type;
        $request{content} = exists $o{text} ? $o{text}
            : $type =~ /json/ ? $json->encode(exists $o{body} ? $o{body}
                                              : $content->{example})
            : $content->{example};
    }

    my $answer = $http->request($o{method} || $o->{method}, 'http://'
        . ($o{host} || '127.0.0.1') . ':' . ($port + 1) . $path
        . (@query ? '?' . join '&', @query : ''), \%request);

    my $text = $answer->{content};
    $answer->{value} = $text =~ /\A[\[{]/ ? eval { $json->decode($text) }
                                          : $text;

    return $answer;
}


# '', or what the file doesn't say of this answer.
sub undescribed {
    my ($o, $answer) = @_;
    my $status = $answer->{status};
    my $response = resolved($strict, $o->{responses}{$status})
        or return "status $status";

    $seen{$status} = 1;

    return 'no Allow' if $status == 405 && !$answer->{headers}{allow};
    return 'no Retry-After'
        if $status == 503 && !$answer->{headers}{'retry-after'};

    my $content = $response->{content};

    return $answer->{content} eq '' ? '' : 'a body' unless $content;

    my ($type) = ($answer->{headers}{'content-type'} || '') =~ /\A([^;]+)/;
    my $media = $content->{$type || ''} or return 'type ' . ($type || '-');

    return faults_of($strict, $answer->{value}, $media->{schema});
}


sub succeeded {
    my ($o, $answer) = @_;
    my $value = $answer->{value};

    return 0 if $answer->{status} != 200;
    return 1 if $o->{id} eq 'metrics';
    return ref $value && ($value->{result} || $value->{replies}) ? 1 : 0
        if $o->{id} =~ /\Aapi/;
    return $value->{code} == 0 ? 1 : 0;
}


sub described {
    my ($o, $answer, $name) = @_;
    my $fault = undescribed($o, $answer);

    return is($fault, '', "$o->{id}: $name")
        || diag("$answer->{status} $answer->{content}");
}


sub refused {
    my ($o, $name, %o) = @_;
    my $answer = ask($o, %o);
    my $fault = undescribed($o, $answer);

    $fault = 'it was accepted' if $fault eq '' && succeeded($o, $answer);

    is($fault, '', "$o->{id}: $name")
        or diag("$answer->{status} $answer->{content}");

    return $answer;
}


# the service

$stack = Test::Im::Stack->new(
    port => $port, workers => 1,
    key => $key,
    rules => "    im_room _ready history=0;\n    im_room quiet history=0;\n"
             . "    im_room 1 history=100 ttl=1h presence;\n"
             . "    im_room live://* history=10 ttl=1h;\n"
             . "    im_inbox history=100 ttl=1h;\n"
             . "    im_broadcast history=100 ttl=1h;\n",
);

spew("$stack->{dir}/keys", "$key\n");
$stack->{logic} = [ '--http=127.0.0.1:' . ($port + 1),
                    "--api-key-file=$stack->{dir}/keys",
                    '--allow-host=127.0.0.1,localhost', '--replica-timeout=10',
                    '--goim-domain=conn.example.com' ];

$stack->start($stack->all);
$stack->redis('HSET', "im_$token", 'UserId', 'u7', 'UserName', 'Ann');
$stack->ready or BAIL_OUT('the stack is not ready');

# one user in a room, so that no list is empty
$client = Test::Im::Client->new(port => $port);
$client->handshake('/ws');
$client->write(Test::Im::Client::frame(1,
    $json->encode({ auth => $token, roomId => 1 })));

Test::Im::Stack::until_true(60, sub {
    my $rooms = ask($operations{rooms})->{value}{data}{rooms};

    return $rooms && @$rooms;
}) or BAIL_OUT('no client is in the room');


# examples

for my $o (map { $operations{$_} } sort keys %operations) {
    for my $type (sort keys %{$o->{content}}) {
        my $media = $o->{content}{$type};

        is(faults_of($doc, $media->{example}, $media->{schema}), '',
           "$o->{id}: the example in $type suits its schema");
    }

    for my $status (sort keys %{$o->{responses}}) {
        my $response = resolved($strict, $o->{responses}{$status});

        for my $media (values %{$response->{content} || {}}) {
            next unless exists $media->{example};
            is(faults_of($strict, $media->{example}, $media->{schema}), '',
               "$o->{id}: the example of an answer $status suits its schema");
        }
    }
}

for my $o (map { $operations{$_} } @order) {
    for my $type (keys %{$o->{content}} ? sort keys %{$o->{content}} : undef) {
        my $answer = ask($o, type => $type);

        described($o, $answer, 'the answer is as described'
                  . ($type ? ", to $type" : ''));
        ok(succeeded($o, $answer), "$o->{id}: the example is accepted")
            or diag("$answer->{status} $answer->{content}");

        is($answer->{value}{data}{logic}{version}, $doc->data->{info}{version},
           'the file is of this version') if $o->{id} eq 'nodes';
    }
}


# what isn't allowed

# Values of no such type.
my %others = (
    string => [ 5, [] ], integer => [ 'x', 1.5 ], boolean => [ 'x', 1 ],
    array => [ 'x', {} ], object => [ 'x', [] ],
);


# Pairs: what is wrong, and the value.
sub mutations {
    my ($value, $schema) = @_;
    my $properties;
    my @all;

    $schema = resolved($doc, $schema);
    $properties = $schema->{properties} or return ();

    for my $name (@{$schema->{required} || []}) {
        my $copy = dclone($value);
        delete $copy->{$name};
        push @all, [ "without $name", $copy ];
    }

    push @all, [ 'with a member that is unknown', { %$value, unknown => 1 } ]
        if exists $schema->{additionalProperties};

    for my $name (sort keys %$properties) {
        my $property = resolved($doc, $properties->{$name});
        my @wrong = @{$others{$property->{type} || ''} || []};

        push @wrong, 'x' if $property->{enum};
        push @all, [ "$name is " . $json->encode($_),
                     { %$value, $name => $_ } ] for @wrong;

        push @all, map { [ "$name: $_->[0]", { %$value, $name => $_->[1] } ] }
            mutations($value->{$name}, $property)
            if ref $value->{$name} eq 'HASH';
    }

    return @all;
}


for my $o (map { $operations{$_} } sort keys %operations) {
    my $media = $o->{content}{'application/json'};

    if ($media) {
        for (mutations($media->{example}, $media->{schema})) {
            my ($name, $body) = @$_;
            my $answer = refused($o, $name, body => $body,
                                 type => 'application/json');
            next if $o->{path} !~ m{\A/im/};

            is($answer->{status}, 400, "$o->{id}: $name gets 400");
            like($answer->{value}{msg}, qr/unknown/, "$o->{id}: and its name")
                if $name =~ /unknown/;
        }

        # pages' members are checked by their codes alone
        if ($o->{path} =~ m{\A/(?:im|api)\b(?!/v1)}) {
            my $answer = ask($o, type => 'application/json', body =>
                             { %{$media->{example}}, unknown => 1 });
            my $closed = exists resolved($doc, $media->{schema})
                ->{additionalProperties};

            is($answer->{status} == 400 ? 1 : 0, $closed ? 1 : 0,
               "$o->{id}: unknown members are as the schema says")
                or diag($answer->{content});
        }

        refused($o, 'no JSON', text => '{', type => 'application/json');
        is(refused($o, 'XML', as => 'text/xml', type => 'application/json')
           ->{status}, 415, "$o->{id}: XML gets 415") if $o->{responses}{415};
    }

    for my $p (grep { $_->{in} eq 'query' } @{$o->{parameters}}) {
        my %type = $o->{id} eq 'push' ? (type => 'text/plain') : ();

        refused($o, "$p->{name}=x", query => { $p->{name} => 'x' }, %type)
            if ($p->{schema}{type} || '') eq 'integer';
        refused($o, "no $p->{name}=", query => { $p->{name} => undef })
            if $p->{required};
    }

    my %may = map { $_ => 1 } @{$o->{security}};
    is(refused($o, 'without a key', stranger => 1)->{status}, 401,
       "$o->{id}: without a key 401") if $may{key};
    ok(!$may{key} == !$o->{responses}{401}, "$o->{id}: a key, or no 401");
    is(refused($o, 'a page of another origin',
               headers => { Origin => 'https://evil.example' })->{status}, 403,
       "$o->{id}: another origin gets 403") if $o->{responses}{403};
    is(refused($o, 'another host', host => 'evil.example')->{status}, 421,
       "$o->{id}: another host gets 421") if $o->{responses}{421};

    my $answer = refused($o, 'PATCH', method => 'PATCH');
    my @allowed = map { $_->{method} }
        grep { $_->{path} eq $o->{path} } values %operations;
    push @allowed, 'HEAD'
        if "@allowed" =~ /GET/ && $o->{path} !~ m{\A/v1/};
    is($answer->{status}, 405, "$o->{id}: PATCH gets 405");
    is_deeply([ sort split /, /, $answer->{headers}{allow} || '' ],
              [ sort @allowed ], "$o->{id}: the methods of its path");
}

for (@faults) {
    my ($id, $status, @what) = @$_;

    is(refused($operations{$id}, "a fault with $status", @what)->{status},
       $status, "$id: $status");
}


# Redis is away

$stack->stop('TERM', 'redis');
Test::Im::Stack::until_true(60, sub {
    ask($operations{health})->{status} == 503;
});

for my $o (map { $operations{$_} } grep { $_ ne 'metrics' } @order) {
    described($o, ask($o), 'without Redis the answer is as described');
}

is(refused($operations{apiPublish}, 'without Redis', transport => 1)->{status},
   500, 'apiPublish: without Redis 500');

my %statuses = map { $_ => 1 } map { keys %{$_->{responses}} }
    values %operations;
is_deeply([ sort keys %seen ], [ sort keys %statuses ],
          'each status of the file was seen');

$stack->start('redis');
is_deeply([ $stack->stop_all ], [], 'all of it ends well');
is_deeply([ $stack->findings ], [], 'no finding of a sanitizer');

done_testing();
