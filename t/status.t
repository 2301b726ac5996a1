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



=== TEST 4: the access log has a line at the end of a session, as JSON too
--- http_config
    log_format im escape=json
        '{"session":"$im_session","protocol":"$im_protocol","transport":"$im_transport",'
        '"user":"$im_user","reason":"$im_reason","why":"$im_why","code":"$im_code",'
        '"seconds":"$im_duration","in":"$im_bytes_in","out":"$im_bytes_out",'
        '"status":$status,"client":"$remote_addr","uri":"$uri","time":$request_time}';
    access_log logs/im.log im;
    im_session_log on;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 http2;
    listen 127.0.0.1:$TEST_NGINX_IM_TLS ssl;
    ssl_certificate $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;
    im_listen 127.0.0.1:$TEST_NGINX_IM_REPLICA protocol=goim;
    im_auth none;

    location = /cf { im_comet protocol=centrifuge transport=http_stream; }
    location = /emulation { im_emulation; }
    location = /only {
        im_comet protocol=im;
        im_auth none;
        access_log logs/access.log im if=$im_reason;
    }
    location = /off { im_comet protocol=im; im_auth none; im_session_log off; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef guest Ann
abcdefabcdefabcd \\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\n Eve
--- websocket
a: open /ws
im_log: \{"session":"(?<id>[0-9a-f]{8}-[0-9a-f-]{27})","protocol":"im","transport":"websocket","user":"","reason":"","why":"","code":"","seconds":"","in":"","out":"","status":101,"client":"127\.0\.0\.1","uri":"/ws","time":\d+\.\d+\}
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
http: GET /im/users/guest 200 => $id
a: close 1000
im_log: \{"session":"$id","protocol":"im","transport":"websocket","user":"guest","reason":"client","why":"closed by client","code":"1000","seconds":"\d+","in":"\d\d","out":"\d+","status":101,"client":"127\.0\.0\.1","uri":"/ws","time":\d+\.\d+\}
log: im: session ended: client: 127\.0\.0\.1, user: "guest", protocol: im, transport: websocket, session: $id, .*reason: client, code: 1000, why: closed by client
b: open /only
b: send {"roomId":1}
b: recv op 4
b: close 1000
access: \{"session":"[0-9a-f-]{36}","protocol":"im","transport":"websocket","user":"","reason":"client",.*"uri":"/only"
log: im: session ended: client: 127\.0\.0\.1, user: -, protocol: im,
c: open /off
c: close 1000
log: session ended.* in: 8,.*code: 1000
d: post h2 :$TEST_NGINX_IM_PORT2 /cf << {"connect":{},"id":1}
d: like "connect"
d: cut
im_log: \{"session":"[0-9a-f-]{36}","protocol":"centrifuge","transport":"http_stream","user":"","reason":"(?:lost|client)","why":"[^"]+","code":"0","seconds":"\d+","in":"\d+","out":"\d+","status":200,.*"uri":"/cf"
e: open tls :$TEST_NGINX_IM_TLS /off
e: close 1000
e: open tls :$TEST_NGINX_IM_TLS /ws
e: send {"auth":"0123456789abcdef","roomId":1}
e: recv op 4
http: DELETE /im/users/guest 200
e: recv_close 1008
im_log: "user":"guest","reason":"kicked","why":"disconnected by the backend","code":"1008",.*"uri":"/ws"
e: open /ws
e: send {"auth":"abcdefabcdefabcd","roomId":1}
e: recv op 4
e: close 1000
log: session ended: client: 127\.0\.0\.1, user: "(?:\\\\){252}n", protocol: im, .*, why: closed by client
f: connect :$TEST_NGINX_IM_REPLICA
f: cut
im_log: "protocol":"goim","transport":"tcp","user":"","reason":"client",
--- no_error_log
[error]
[alert]
