# The goim protocol: packets over WebSocket and over TCP, byte by byte.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: auth, rooms, keys, users and all over WebSocket
--- http_config
    im_room live://*   history=0;
    im_room test://*   history=0;
    im_room users://*  history=0 join=user;
    im_broadcast history=0;
--- config
    location = /sub { im_comet protocol=goim; im_auth mid; }
    location = /ws  { im_comet protocol=im; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /sub
a: packet 7,1,1 {"mid":123, "room_id":"live://1000", "platform":"web", "accepts":[1000,1001,1002]}
a: recv_packet 8,1,1
a: packet 2,1,2
a: recv_packet 3,1,2 \x00\x00\x00\x01
http: POST /im/push?user=123&operation=1000 200 (Content-Type: text/plain) héllo
a: pushed 1000 héllo
http: POST /im/push 200 {"rooms":["live://1000"],"operation":77,"data":{"test":1}}
a: pushed 77 {"test":1}
http: POST /im/push?all=1&operation=1002 200 (Content-Type: text/plain) all
a: pushed 1002 all

# what it doesn't accept, but in rooms
http: POST /im/push?user=123&operation=999 200 (Content-Type: text/plain) no
http: POST /im/push?all=1&operation=999 200 (Content-Type: text/plain) no
http: POST /im/push?room=live://1000 200 (Content-Type: text/plain) none
a: pushed 0 none

# a key is of one session; a mid may have many
b: open /sub?x=1
b: packet 7,0,0 {"mid":123,"key":"k1","room_id":"test://1","accepts":[1000]}
b: recv_packet 8,0,0
http: POST /im/push?key=k1&operation=1000 200 (Content-Type: text/plain) to k1
b: pushed 1000 to k1
http: POST /im/push 200 {"keys":["k1","k2"],"operation":-5,"data":1}
http: POST /im/push?user=123&operation=1000 200 (Content-Type: text/plain) both
a: pushed 1000 both
b: pushed 1000 both
c: open /sub
c: packet 7,1,9 {"mid":7,"key":"k1","accepts":[1000]}
c: recv_packet 8,1,9
b: recv_close 1008 /same key/
http: POST /im/push?key=k1&operation=1000 200 (Content-Type: text/plain) to c
c: pushed 1000 to c

# a room after the other
c: packet 12,1,10 live://1000
c: recv_packet 13,1,10 live://1000
a: heartbeat 2
c: heartbeat 2
http: POST /im/push?room=live://1000&operation=5 200 (Content-Type: text/plain) two
a: pushed 5 two
c: pushed 5 two
c: packet 12,1,11 live://1000
c: recv_packet 13,1,11 live://1000
c: packet 12,1,12
c: recv_packet 13,1,12
c: heartbeat 0
a: heartbeat 1
c: packet 12,1,13 other
c: recv_packet 13,1,13 other
c: heartbeat 0
c: packet 12,1,14 test://1
c: packet 12,1,15 test://2
c: packet 12,1,16 users://3
c: recv_packet 13,1,14 test://1
c: recv_packet 13,1,15 test://2
c: recv_packet 13,1,16 users://3
http: POST /im/push?room=test://2 200 (Content-Type: text/plain) x
http: POST /im/push?room=users://3 200 (Content-Type: text/plain) in 3
c: pushed 0 in 3

# other operations
a: packet 1000,3,17 body
a: recv_packet 1000,3,17
a: packet 7,1,18 {}
a: recv_packet 7,1,18
a: packet 9,1,19
a: recv_packet 9,1,19
a: packet -1,1,-2 x
a: recv_packet -1,1,-2
--- no_error_log
[error]



=== TEST 2: operations that come and go, with messages on the way
--- websocket
a: open /sub
a: packet 7,1,1 {"mid":5,"accepts":[]}
a: recv_packet 8,1,1
b: open /sub
b: packet 7,1,1 {"mid":5,"accepts":[1000,1001,1002,1003]}
b: recv_packet 8,1,1
http: POST /im/push?user=5&operation=1000 200 (Content-Type: text/plain) 1
b: pushed 1000 1
a: packet 14,1,2 1000,1001
a: recv_packet 15,1,2 1000,1001
http: POST /im/push?user=5&operation=1000 200 (Content-Type: text/plain) 2
http: POST /im/push?all=1&operation=1001 200 (Content-Type: text/plain) 3
http: POST /im/push?user=5&operation=1002 200 (Content-Type: text/plain) 4
b: pushed_set 1000 2 || 1001 3 || 1002 4
a: pushed_set 1000 2 || 1001 3
a: packet 16,1,3 1001,7
a: recv_packet 17,1,3 1001,7
a: packet 14,1,4 1003,x
a: recv_packet 15,1,4 1003,x
http: POST /im/push?user=5&operation=1001 200 (Content-Type: text/plain) 5
http: POST /im/push?user=5&operation=1003 200 (Content-Type: text/plain) 6
http: POST /im/push?user=5&operation=1000 200 (Content-Type: text/plain) 7
b: pushed 1001 5
b: pushed 1003 6
b: pushed 1000 7
a: pushed 1000 7
a: packet 16,1,5 1000
a: recv_packet 17,1,5 1000
http: POST /im/push?user=5&operation=1000 200 (Content-Type: text/plain) 8
b: pushed 1000 8
a: heartbeat 0
--- no_error_log
[error]



=== TEST 3: what is no packet, and who may be who
--- http_config
    im_room *  history=0;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location = /who/7     { return 200 '{"code":0,"data":{"user":"7","name":"Ann","rooms":["live://*"]}}'; }
        location = /who/guest { return 200 '{"code":0,"data":{"user":""}}'; }
        location = /who/no    { return 403; }
    }
    log_format hook escape=none '$uri $request_body';
--- config
    location = /mid   { im_comet protocol=goim; im_auth mid; }
    location = /none  { im_comet protocol=goim; }
    location = /jwt   { im_comet protocol=goim; im_auth jwt; }
    location = /seven { im_comet protocol=goim; im_auth token; im_connect /who/7; }
    location = /guest { im_comet protocol=goim; im_auth token; im_connect /who/guest; }
    location = /no    { im_comet protocol=goim; im_auth token; im_connect /who/no; }
    location /who/    { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; log_subrequest on;
                        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook; }
    location /im/     { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
# before auth nothing counts
a: open /mid
a: packet 2,1,1
a: packet 14,1,2 1000
a: packet 7,1,3 {}
a: recv_packet 8,1,3

# a header and a length that are not so, a short one, a long one
a: packet h15 2,1,1
a: recv_close 1008 /header/
b: open /mid
b: packet l17 2,1,1
b: recv_close 1008 /length/
c: open /mid
c: packet l5 2,1,1 abc
c: recv_close 1008 /length/
d: open /mid
d: send_binary short
d: recv_close 1008 /shorter/
e: open /mid
e: packet 7,1,1 FILL(4096)
e: recv_close 1008 /JSON/
f: open /mid
f: packet 7,1,1 FILL(4097)
f: recv_close 1009
g: open /mid
g: packet l-3 7,1,1
g: recv_close 1008 /JSON/

# as the client says; as nobody says
h: open /mid
h: packet 7,1,1 {"mid":9,"accepts":[1]}
h: recv_packet 8,1,1
http: POST /im/push?user=9&operation=1 200 (Content-Type: text/plain) 9
h: pushed 1 9
i: open /none
i: packet 7,1,1 {"mid":9,"accepts":[1]}
i: recv_close 1008 /no answer or token/
j: open /none
j: packet 7,1,1 {"accepts":[1],"room_id":"x"}
j: recv_packet 8,1,1

# as a backend says
k: open /seven
k: packet 7,1,1 {"mid":8,"key":"k","room_id":"live://1","accepts":[1]}
access: /who/7 \{"protocol":"goim","token":"\{\\"mid\\":8,.*","room":"live://1","ip":"127.0.0.1","node":"[^"]+","mid":"8","key":"k"}
k: recv_packet 8,1,1
http: POST /im/push?user=7&operation=1 200 (Content-Type: text/plain) 7
k: pushed 1 7
k: packet 12,1,2 dead://1
k: recv_packet 13,1,2 dead://1
k: heartbeat 0
l: open /guest
l: packet 7,1,1 {"mid":8}
l: recv_close 1008 /no answer or token/
m: open /guest
m: packet 7,1,1 {}
m: recv_packet 8,1,1
n: open /no
n: packet 7,1,1 {}
n: recv_close 1008 /refused/
o: open /seven
o: packet 7,1,1 {"room_id":"dead://1"}
o: recv_close 1008 /not allowed/

# by a token
p: open /jwt
p: packet 7,1,1 {"mid":8,"token":"JWT(HS256 hs {"sub":"u5"})","accepts":[1]}
p: recv_packet 8,1,1
http: POST /im/push?user=u5&operation=1 200 (Content-Type: text/plain) 5
p: pushed 1 5
q: open /jwt
q: packet 7,1,1 {"mid":8}
q: recv_close 1008
r: open /mid
r: packet 7,1,1 {"room_id":"$secret"}
r: recv_close 1008 /token/



=== TEST 4: Redis is away: connections are closed, and a line says so, one a minute
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
--- config
    location = /x { return 204; }
--- services:
--- not_ready
--- websocket
a: connect :$TEST_NGINX_IM_HTTP2
a: gone
log: \[warn\] .*connections are closed at once: Redis has not been reached yet; 0 more
b: connect :$TEST_NGINX_IM_HTTP2
b: gone
c: connect :$TEST_NGINX_IM_HTTP2
c: gone
d: connect :$TEST_NGINX_IM_HTTP2
d: gone
http: GET /x 204
logged: 1 connections are closed at once
--- no_error_log
[alert]
