# wss: the same over TLS.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: echo and a push over TLS
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_TLS ssl;
    ssl_certificate $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;
    location = /echo { im_comet protocol=echo; im_limit message=16m; }
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
a: open tls /echo
a: send over TLS
a: recv_text over TLS
a: send_big 70000
a: recv_big 70000
a: frame 1- a
a: ping p
a: recv_pong p
a: frame 0 b
a: recv_text ab
a: close 1000
b: open tls /ws
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv op 4 count=1
c: open /ws
c: send {"auth":"fedcba9876543210","roomId":1}
c: recv op 4
b: recv op 4 count=2
push: room 1 "tls"
b: recv msg "tls"
c: recv msg "tls"
http: POST /im/push 200 {"rooms":["1"],"data":"FILL(60000)"}
b: recv op 3
c: recv op 3
b: frame 1r4 wrong
b: recv_close 1002
c: close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: 16 MB over TLS
--- websocket
a: open tls /echo
a: send_big 16777216
a: recv_big 16777216
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 3: gone in the middle
--- websocket
a: open tls /echo
a: frame 1l5000 half
a: cut
b: open tls /none
b: send {"roomId":2}
b: cut
until: /status "total":\{"workers":1,"sessions":0,
--- no_error_log
[error]
[alert]
