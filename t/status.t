# im_status, variables of the access log, the line at the end of a session.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: counters, per worker and summed
--- http_config
    log_format im '$status $uri node=$im_node sessions=$im_sessions id=$im_session';
    access_log logs/im.log im;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
00000000000000a1 u1 Ann
00000000000000b1 u3 Bo 1,chat:*
--- websocket
http: GET /status 200 => (?s)Content-Type: application/json
http: GET /status 200 => "node":"test-1"
until: /status "link":"up"
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":null,"roomId":1}
b: recv op 4
until: /status "total":\{"workers":1,"sessions":2,
until: /status "users":1\b
until: /status "unauthenticated":0\b
push: room 1 "x"
a: recv msg "x"
b: recv msg "x"
until: /status "messages_out":[1-9]
until: /status "pushes":[1-9]
until: /status "messages_in":2\b
a: close 1000
b: close 1000
until: /status "total":\{"workers":1,"sessions":0,.*"users":0,.*"topics":0,
until: /status "closed":2\b
http: POST /status 405
log: im: session ended: client: 127\.0\.0\.1, user: "u1", protocol: im, .*code: 1000
log: im: session ended: client: 127\.0\.0\.1, user: -, protocol: im, .*code: 1000
im_log: 101 /ws node=test-1 sessions=\d+ id=[0-9a-f]{8}-[0-9a-f-]{27}
--- no_error_log
[error]
[alert]

=== TEST 2: a node's name is a JSON string
--- http_config
    im_node 'a"b\\c';
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /status { im_status; }
--- websocket
http: GET /status 200 => \{"node":"a\\"b\\\\c","workers":\[
--- no_error_log
[error]
[alert]



=== TEST 3: how the worker that answers sees Redis
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /status { im_status; }
    location = /im/health { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /status "link":"up"
http: GET /status 200 => "link":\{"pid":\d+,"redis":\{"kind":"one","tls":false,"unserved":0,"servers":\[\{"name":"[^"]+","state":"ready","seconds":\d+,"role":"master","slots":16384,"replicas":0,"generation":"[0-9a-f]{24}"\}\]\}\}\}$
until: /im/health ^200 .*"redis":"up",.*"durability":"memory","replicas":1,"link":\{"kind":"one","tls":false,"unserved":0,"servers":\[\{"name":"[^"]+","state":"ready",.*"role":"master","slots":16384,
kill: redis
until: /status "unserved":16384,.*"state":"away",.*"why":"(?!")
until: /im/health ^503.*(?i)redis
start: redis
until: /status "unserved":0,.*"state":"ready",
until: /im/health ^200 .*"redis":"up"
--- no_error_log
[alert]
