# What a session keeps when it moves to a new worker, and what a new
# configuration changes for it.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: ids, users and their ends; commands of the API find them
--- http_config
    im_handover on;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room h:* history=100 ttl=1h presence;
    im_room *   history=0;
    im_inbox    history=100 ttl=1h;
    im_broadcast history=10 ttl=1h;
--- config
    location = /cent { im_comet protocol=centrifuge transport=websocket,sse,http_stream; im_auth jwt; }
    location = /im   { im_comet protocol=im; im_auth jwt; }
    location = /pb   { im_comet protocol=centrifuge; im_auth jwt; }
    location = /uni  { im_comet protocol=centrifuge_uni transport=sse; im_auth jwt; }
    location = /emulation { im_emulation; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location /api/   { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /cent
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","exp":now+60,"info":{"n":"One"}})"}}
a: like ^\{"id":1,"connect":\{.*"client":"(?<one>[0-9a-f-]{36})"
a: send {"id":2,"subscribe":{"channel":"h:1","recoverable":true,"positioned":true,"join_leave":true}}
a: like ^\{"id":2,"subscribe"
a: like "join":\{.*"client":"$one"
b: open /im
b: send {"auth":"JWT(HS256 hs256 {"sub":"u2","exp":now+60})","roomId":2,"positions":true}
b: recv op 4
c: get /cent?cf_connect=URI({"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","exp":now+60})"}})
c: like ^\{"id":1,"connect":\{"client":"(?<two>[0-9a-f-]{36})",.*"session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"subscribe\":{\"channel\":\"h:1\"}}"}
c: like ^\{"id":2,"subscribe"
a: like "join":\{.*"client":"$two"
until: POST /api/presence {"channel":"h:1"} => "$two"(?s:.*)"$one"|"$one"(?s:.*)"$two"
reload:
until: /status "moved_in":3,"moved_out":3\b
until: POST /api/presence {"channel":"h:1"} => "$one":\{"user":"u1","client":"$one","conn_info":\{"n":"One"\}
http: POST /api/presence 200 {"channel":"h:1"} => "$two"
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"presence_stats\":{\"channel\":\"h:1\"}}"}
c: like ^\{"id":3,"presence_stats":\{"num_clients":2,"num_users":1\}\}$
push: user u1 {"to":"u1"}
a: like "to":"u1"
c: like "to":"u1"
push: user u2 {"to":"u2"}
b: recv msg {"to":"u2"}
push: all {"to":"all"}
a: like "to":"all"
b: recv msg {"to":"all"}
c: like "to":"all"
a: send {"id":4,"refresh":{"token":"JWT(HS256 hs256 {"sub":"u1","exp":now+90})"}}
a: like ^\{"id":4,"refresh":\{"client":"$one",.*"expires":true
reload:
until: /status "moved_in":6,"moved_out":6\b
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":5,\"presence_stats\":{\"channel\":\"h:1\"}}"}
c: like ^\{"id":5,"presence_stats":\{"num_clients":2,"num_users":1\}\}$
http: POST /api/disconnect 200 {"user":"u1","client":"$two"}
c: like "disconnect"
a: like "leave":\{.*"client":"$two"
http: POST /api/subscribe 200 {"user":"u1","channel":"more","client":"$one"}
a: like "subscribe"
http: POST /api/unsubscribe 200 {"user":"u1","channel":"more"}
a: like "unsubscribe"
http: POST /api/disconnect 200 {"user":"u2"}
b: recv_close 3503
reload:
until: /status "moved_in":7,"moved_out":7\b
a: send {"id":6,"presence_stats":{"channel":"h:1"}}
a: like ^\{"id":6,"presence_stats":\{"num_clients":1,"num_users":1\}\}$
--- no_error_log
[alert]
[error]



=== TEST 2: what is cut: frames of a client, a message in fragments, compressed
--- http_config
    im_handover on;
    im_room * history=0;
    im_deflate min=1;
--- config
    location = /echo { im_comet protocol=echo; im_deflate on; }
    location = /plain { im_comet protocol=echo; }
    location = /im   { im_comet protocol=im; im_auth none; im_deflate on; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /plain
a: raw 8a8000000000818548656c6c0000
b: open /plain
b: frame 1- one
b: frame 0- two
b: raw 89
c: open /echo Sec-WebSocket-Extensions: permessage-deflate
d: open /im Sec-WebSocket-Extensions: permessage-deflate
d: send_packed {"roomId":1}
d: recv_packed /"op":4/
reload:
until: /status "moved_in":4,"moved_out":4\b
a: raw 000027
a: recv_text Hello
b: raw 8000000000
b: recv_pong 
b: frame 0 three
b: recv_text onetwothree
c: send_packed aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
c: recv_packed aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
push: room 1 "packed"
d: recv_packed /packed/
--- no_error_log
[alert]
[error]



=== TEST 3: one line at the end, with all its bytes and its time
--- http_config
    im_handover on;
    log_format im '$im_session $im_protocol $im_reason $im_code $im_bytes_in $im_bytes_out';
    access_log logs/im.log im;
    im_session_log on;
    im_room * history=0;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; access_log off; }
--- websocket
a: open /echo
a: send 12345
a: recv_text 12345
reload:
until: /status "moved_in":1,"moved_out":1\b
a: send 67890
a: recv_text 67890
unlogged: session ended
reload:
until: /status "moved_in":2,"moved_out":2\b
until: /status "accepted":1,.*"closed":0
a: close 1000
log: session ended: .* protocol: echo, .* in: 30, out: 18, reason: client, code: 1000
logged: 1 session ended
im_log: (?m)^[0-9a-f-]{36} echo client 1000 30 18$
until: /status "accepted":1,.*"closed":1
--- no_error_log
[alert]
[error]



=== TEST 4: places of an address move with its sessions
--- http_config
    im_handover on;
    im_per_address sessions=2 handshakes=0;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /echo
b: open /echo
c: refused 429 /echo
reload:
until: /status "moved_in":2,"moved_out":2\b
c: refused 429 /echo
reload:
until: /status "moved_in":4,"moved_out":4\b
c: refused 429 /echo
b: close
c: open /echo
d: refused 429 /echo
a: send x
a: recv_text x
--- no_error_log
[alert]
[error]



=== TEST 5: other settings: a room that is not there any more, a topic too many, a ping
--- http_config
    im_handover on;
    im_room a:* history=0;
    im_room b:* history=0;
    im_room *   history=0 join=user;
    im_room 1   history=0;
    im_broadcast history=0;
--- config
    location = /cent { im_comet protocol=centrifuge; im_auth none; im_ping 30s timeout=60s; }
    location = /im   { im_comet protocol=im; im_auth none; }
    location = /gone { im_comet protocol=echo; }
    location = /other { im_comet protocol=echo; }
    location = /sse  { im_comet protocol=plain transport=sse; im_join a:1; im_ping 40s timeout=80s; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /cent
a: send {"id":1,"connect":{}}
a: like "connect"
s: get /sse
patience: s 80000
a: send {"id":2,"subscribe":{"channel":"a:1"}}
a: like "subscribe"
a: send {"id":3,"subscribe":{"channel":"b:1"}}
a: like "subscribe"
b: open /im
b: send {"roomId":1}
b: recv op 4
g: open /gone
o: open /other
edit: im_room b:* history=0; =>
edit: im_room 1   history=0; =>
edit: im_broadcast history=0; =>
edit: location = /gone { im_comet protocol=echo; } =>
edit: location = /other { im_comet protocol=echo; } => location = /other { im_comet protocol=im; im_auth none; }
edit: im_ping 30s timeout=60s => im_ping 2s timeout=4s
edit: im_ping 40s timeout=80s => im_ping 20s timeout=50s
reload:
a: like ^\{"push":\{"channel":"b:1","unsubscribe":\{"code":2000,"reason":"the room is for signed-in users"\}\}\}$
b: recv_close 1008 /the room is for signed-in users/
g: recv_close 1012
o: recv_close 1012
log: , 2 stay
patience: s 50000
a: like ^\{\}$
a: send {}
push: room a:1 "still"
a: like "still"
--- no_error_log
[alert]
[error]



=== TEST 6: what waits: commands that are held, replies and messages behind a full socket
--- http_config
    im_handover on;
    im_limit commands=2 topic_log=8m logs=64m;
    im_room * history=0;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
    location = /cent { im_comet protocol=centrifuge; im_auth none; }
    location = /pb   { im_comet protocol=centrifuge; im_auth none; }
    location = /uni  { im_comet protocol=centrifuge_uni; im_auth none; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /cent
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
a: send_lines {"unsubscribe":{"channel":"open"},"id":2} | {"unsubscribe":{"channel":"open"},"id":3} | {"unsubscribe":{"channel":"open"},"id":4} | {"unsubscribe":{"channel":"open"},"id":5} | {"unsubscribe":{"channel":"open"},"id":6}
a: send {"unsubscribe":{"channel":"open"},"id":7}
a: frame 1- {"unsubscribe":{"channel":"open"}
a: ping late
b: open :$TEST_NGINX_IM_PORT2 /cent
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"long"},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":
p: open /pb?format=protobuf
p: send_pb {"connect":{},"id":1}
p: like_pb ^id=1 connect
p: send_pb {"subscribe":{"channel":"1"},"id":2}
p: like_pb ^id=2 subscribe
u: open /uni
u: send {"subs":{"1":{}}}
u: like ^\{"connect":
flood: 60x60000 room long
reload:
until: /status "moved_in":4,"moved_out":4\b
push: room long "behind"
push: room 1 "next"
p: like_pb next
u: like "next"
b: recv_long 60x60000
b: like "behind"
a: frame 0 ,"id":8}
a: recv {"id":2,"unsubscribe":{}}
a: recv {"id":3,"unsubscribe":{}}
a: recv {"id":4,"unsubscribe":{}}
a: recv {"id":5,"unsubscribe":{}}
a: recv {"id":6,"unsubscribe":{}}
a: recv {"id":7,"unsubscribe":{}}
a: recv_pong late
a: recv {"id":8,"unsubscribe":{}}
--- no_error_log
[alert]
[error]



=== TEST 7: clients that have said nothing yet
--- http_config
    im_handover on;
    im_per_address pending=1 handshakes=0;
    im_room * history=0;
--- config
    location = /cent { im_comet protocol=centrifuge; im_auth none; }
    location = /status { im_status; }
--- websocket
a: open /cent
b: refused 429 /cent
reload:
until: /status "unauthenticated":1,.*"moved_in":1,"moved_out":1\b
b: refused 429 /cent
a: send {"id":1,"connect":{}}
a: like ^\{"id":1,"connect":
b: open /cent
reload:
until: /status "unauthenticated":1,.*"moved_in":3,"moved_out":3\b
c: refused 429 /cent
b: send {"id":1,"connect":{}}
b: like ^\{"id":1,"connect":
c: open /cent
a: send {"id":2,"unsubscribe":{"channel":"1"}}
a: recv {"id":2,"unsubscribe":{}}
--- no_error_log
[alert]
[error]



=== TEST 8: a limit that is lower now
--- http_config
    im_handover on;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_limit topics=8;
    im_room * history=0;
    im_inbox  history=0;
--- config
    location = /cent { im_comet protocol=centrifuge; im_auth jwt; }
    location = /free { im_comet protocol=centrifuge; im_auth none; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /free
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"1"}} | {"id":3,"subscribe":{"channel":"2"}}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
a: like ^\{"id":3,"subscribe":
b: open /cent
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1"})"}}
b: like ^\{"id":1,"connect":
edit: topics=8 => topics=1
reload:
until: /status "moved_in":2,"moved_out":2\b
a: recv_close 3507 /too many topics/
push: user u1 "one"
b: like "one"
--- no_error_log
[alert]
[error]



=== TEST 9: a question that the worker asks itself: the session moves with its answer
--- http_config
    log_format hook escape=none '$uri $status $request_body';
    im_handover on;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room * history=0;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        access_log off;
        location = /hook/slow { mirror /asked; limit_rate 60; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2/bye; }
        location = /bye       { return 200 '{"disconnect":{"code":4501,"reason":"bye"}}'; }
        # when it begins
        location = /asked {
            internal;
            log_subrequest on;
            access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook;
            return 204;
        }
    }
--- config
    location = /ws   { im_comet protocol=centrifuge; im_auth jwt; im_webhook refresh /hook/slow; }
    location /hook/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        log_subrequest on;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook;
    }
    location = /status { im_status; }
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","exp":now+1})"},"id":1}
a: like "connect"
access: /asked
reload:
reload:
a: recv_close 4501 /^bye$/
access: /hook/slow 200
logged: 1 access.log /hook/slow
--- no_error_log
[alert]
[error]



=== TEST 10: who may come in: other keys of tokens, another variable, another webhook
--- http_config
    im_handover on;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    # later: $TEST_NGINX_IM_KEYS/hs384
    im_room * history=0;
    im_inbox history=0;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location = /hook/one { return 200 '{"disconnect":{"code":4501,"reason":"one"}}'; }
        location = /hook/two { return 200 '{"disconnect":{"code":4502,"reason":"two"}}'; }
    }
--- config
    location = /jwt  { im_comet protocol=im; im_auth jwt; }
    location = /hook { im_comet protocol=centrifuge; im_auth jwt; im_webhook refresh /hook/one; }
    location = /user { im_comet protocol=im; im_user $arg_user; }
    location = /free { im_comet protocol=im; im_auth none; }
    location /hook/  { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /jwt
a: send {"auth":"JWT(HS256 hs256 {"sub":"a"})","roomId":3}
a: recv op 4
b: open /user?user=b
b: send {"roomId":2}
b: recv op 4
c: open /free
c: send {"roomId":1}
c: recv op 4
d: open /hook
d: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"d","exp":now+6})"},"id":1}
d: like "connect"
edit: im_room * history=0; => im_jwt_key HS384 file=$TEST_NGINX_IM_KEYS/hs384; im_room * history=0;
edit: im_webhook refresh /hook/one => im_webhook refresh /hook/two
reload:
until: /status "moved_in":4,"moved_out":4\b
d: recv_close 4502 /^two$/
edit: $arg_user => $arg_who
reload:
b: recv_close 1012
until: /status "moved_in":6,"moved_out":6\b.*"stayed":\{"tls":0,"http2":0,"time":0,"place":1,
edit: im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256; =>
reload:
a: recv_close 1012
until: /status "moved_in":7,"moved_out":7\b.*"stayed":\{"tls":0,"http2":0,"time":0,"place":2,
push: room 1 "still"
c: recv msg "still"
--- no_error_log
[alert]
[error]



=== TEST 11: Redis has lost the last mark of a topic, and gives lower ones
--- http_config
    im_handover on;
    im_room * history=10 ttl=1h;
--- config
    location = /im   { im_comet protocol=im; im_auth none; }
    location /api/   { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /im
a: send {"roomId":8}
a: recv op 4
http: POST /api/publish 200 {"channel":"8","data":{"msg":"one"},"skip_history":true}
a: recv msg "one"
redis: DEL im:{13}:r:8:m => ^1$
await: HGET im:{13}:r:8:m e => ^[0-9a-f]{17}$
redis: HSET im:{13}:r:8:m u 1000
http: POST /api/publish 200 {"channel":"8","data":{"msg":"two"},"skip_history":true}
a: recv msg "two"
reload:
until: /status "moved_in":1,"moved_out":1\b
http: POST /api/publish 200 {"channel":"8","data":{"msg":"three"},"skip_history":true}
a: recv msg "three"
--- no_error_log
[alert]
[error]



=== TEST 12: Redis has lost a topic, and the worker doesn't know it yet
--- http_config
    im_handover on;
    im_room * history=10 ttl=1h;
--- config
    location = /im   { im_comet protocol=im; im_auth none; }
    location /api/   { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /im
a: send {"roomId":8}
a: recv op 4
http: POST /api/publish 200 {"channel":"8","data":{"msg":"one"}}
a: recv msg "one"
redis: DEL im:{13}:r:8:m im:{13}:r:8:h => ^2$
reload:
until: /status "moved_in":1,"moved_out":1\b
until: /status "total":.*"topics":1,
http: POST /api/publish 200 {"channel":"8","data":{"msg":"two"}}
a: recv msg "two"
--- no_error_log
[alert]
[error]
