# Limits: of a worker, of an address, before authentication, of a message.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: sessions of a worker
--- http_config
    im_limit sessions=3;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /echo
b: open /echo
c: open /echo
d: refused 503 /(?i)Retry-After:/ /echo
a: close 1000
until: /status "sessions":2\b
d: open /echo
d: send in
d: recv_text in
until: /status "refused":1\b
--- no_error_log
[alert]



=== TEST 2: sessions of an address
--- http_config
    im_limit per_ip=2;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /echo
b: open /echo
c: refused 429 /echo
d: open from=127.0.0.2 /echo
d: send another address
d: recv_text another address
b: cut
until: /status "sessions":2\b
c: open /echo
e: refused 429 /echo
--- no_error_log
[alert]



=== TEST 3: sessions that have not said who they are
--- http_config
    im_limit unauthenticated=2;
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
--- websocket
a: open /none
b: open /none
c: refused 503 /none
a: send {"roomId":1}
a: recv op 4
c: open /none
c: send {"roomId":1}
c: recv op 4
until: /status "unauthenticated":1\b
--- no_error_log
[alert]



=== TEST 4: no first frame in time
--- config
    location = /none { im_comet protocol=im; im_auth none; im_limit auth_timeout=1s; }
--- services: redis
--- not_ready
--- websocket
b: tries /none {"roomId":1} => "op":4
a: open /none
a: recv_close 1008
b: silent
--- no_error_log
[alert]



=== TEST 5: sessions of a user
--- http_config
    im_limit per_user=2;
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
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"00000000000000a1","roomId":1}
b: recv op 4
c: open /ws
c: send {"auth":"0123456789abcdef","roomId":1}
c: recv_close 1013 /user/
d: open /ws
d: send {"auth":"fedcba9876543210","roomId":1}
d: recv op 4
--- no_error_log
[alert]



=== TEST 6: handshakes a second
--- http_config
    im_limit handshakes=2;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: burst 100 /echo
b: open /echo
b: close 1000
--- no_error_log
[alert]



=== TEST 7: a first frame that is too long
--- config
    location = /none { im_comet protocol=im; im_auth none; im_limit message=100; }
--- services: redis
--- not_ready
--- websocket
a: open /none
a: send {"auth":null,"roomId":1,"x":"01234567890123456789012345678901234567890123456789012345678901234567890123456789"}
a: recv_close 1009
--- no_error_log
[alert]



=== TEST 8: a slow session is closed, others go on
--- http_config
    im_limit topic_log=64k;
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
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
b: open /none
b: send {"roomId":1}
b: recv op 4
a: stall
flood: 400 room 1 b
until: /status "slow":1\b
push: room 1 "end"
b: recv msg "end"
a: gone
--- no_error_log
[alert]



=== TEST 9: a socket that is full for a moment is not slow
--- http_config
    im_limit topic_log=64k;
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
        location = /none { im_comet protocol=im; im_auth none; }
    }
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open :$TEST_NGINX_IM_PORT2 /none
a: send {"roomId":1}
a: recv op 4
b: open /none
b: send {"roomId":1}
b: recv op 4
flood: 4x900000 room 1 b a
push: room 1 "end"
a: recv msg "end"
b: recv msg "end"
until: /status "slow":0\b
--- no_error_log
[alert]



=== TEST 10: too much for the worker: who is furthest behind goes at once
--- http_config
    im_limit topic_log=4m logs=2m;
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
        location = /none { im_comet protocol=im; im_auth none; }
    }
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open :$TEST_NGINX_IM_PORT2 /none
a: send {"roomId":1}
a: recv op 4
b: open :$TEST_NGINX_IM_PORT2 /none
b: send {"roomId":2}
b: recv op 4
flood: 1x700000 room 2
flood: 4x900000 room 1
until: /status "slow":1\b
a: gone
b: recv_long 1x700000
push: room 2 "end"
b: recv msg "end"
until: /status "slow":1\b
--- no_error_log
[alert]



=== TEST 11: a frame that is cut by a full socket is finished first
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
        location = /none { im_comet protocol=im; im_auth none; }
    }
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open :$TEST_NGINX_IM_PORT2 /none
a: send {"roomId":1}
a: recv op 4
b: open /none
b: send {"roomId":1}
b: recv op 4
flood: 1x900000 room 1 b
push: all "all"
b: recv msg "all"
a: ping answer me
a: recv_long 1x900000
a: recv_any pong "all"
push: room 1 "end"
a: recv msg "end"
--- no_error_log
[alert]



=== TEST 12: new rooms of a worker
--- http_config
    im_limit new_rooms=1;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /cf
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
# a bucket has four seconds
a: subscribe 4 x
b: open /cf
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send_lines {"subscribe":{"channel":"1"},"id":2} | {"subscribe":{"channel":"2"},"id":3} | {"subscribe":{"channel":"3"},"id":4} | {"subscribe":{"channel":"4"},"id":5} | {"subscribe":{"channel":"5"},"id":6} | {"subscribe":{"channel":"6"},"id":7}
b: like ^\{"id":[2-7],"error":\{"code":111,.*"temporary":true
log: room "6" is refused: too many new ones \(im_limit new_rooms=\)
c: open /none
c: send {"roomId":1}
c: recv op 4
--- no_error_log
[error]
[alert]



=== TEST 13: new rooms of a session
--- http_config
    im_limit topics=2;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /cf
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
# all at once: ten seconds later it may have others
a: send_lines {"subscribe":{"channel":"1"},"id":2} | {"unsubscribe":{"channel":"1"},"id":3} | {"subscribe":{"channel":"2"},"id":4} | {"unsubscribe":{"channel":"2"},"id":5} | {"subscribe":{"channel":"3"},"id":6} | {"unsubscribe":{"channel":"3"},"id":7} | {"subscribe":{"channel":"4"},"id":8} | {"unsubscribe":{"channel":"4"},"id":9} | {"subscribe":{"channel":"5"},"id":10}
a: like_set ^\{"id":2, || ^\{"id":3,"unsubscribe": || ^\{"id":4, || ^\{"id":5,"unsubscribe": || ^\{"id":6, || ^\{"id":7,"unsubscribe": || ^\{"id":8, || ^\{"id":9,"unsubscribe": || ^\{"id":10,"error":\{"code":111,.*"temporary":true
log: room "5" is refused: too many new ones \(one session\)
b: open /cf
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"subscribe":{"channel":"5"},"id":2}
b: like ^\{"id":2,"subscribe":
a: send {"subscribe":{"channel":"5"},"id":11}
a: like ^\{"id":11,"subscribe":
--- no_error_log
[error]
[alert]



=== TEST 14: a client has all of that time
--- config
    location = /none { im_comet protocol=im; im_auth none; im_limit auth_timeout=1s; }
--- services: redis
--- not_ready
--- websocket
a: open /none
pass: 0.3
b: open /none
pass: 0.3
c: open /none
a: recv_close 1008
a: lived 1
b: recv_close 1008
b: lived 1
c: recv_close 1008
c: lived 1
--- no_error_log
[alert]
