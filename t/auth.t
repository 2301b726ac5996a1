# Which clients may connect: tokens, guests, allowed rooms.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: rules of rooms and of a token
--- http_config
    im_room 1          history=10 ttl=1h;
    im_room private:*  history=10 ttl=1h join=user;
    im_room 9          history=10 ttl=1h join=user;
    im_room 5          history=0;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
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
a: send {"auth":"00000000000000b1","roomId":1}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"00000000000000b1","roomId":9}
b: recv_close 1008
c: open /ws
c: send {"auth":null,"roomId":9}
c: recv_close 1008
d: open /ws
d: send {"auth":"0123456789abcdef","roomId":9}
d: recv op 4 count=1
e: open /ws
e: send {"auth":null,"roomId":77}
e: recv_close 1008
f: open /none
f: send {"auth":"0123456789abcdef","roomId":9}
f: recv_close 1008
g: open /none
g: send {"auth":null,"roomId":5}
g: recv op 4 roomId=5
push: room 5 "no history"
g: recv msg "no history"
--- no_error_log
[error]
[alert]



=== TEST 2: tokens that name other keys, or none
--- websocket
redis: SET im_00000000000000c1 string
redis: HSET im_room_user_1 UserId u9 UserName Eve
redis: HSET im_00000000000000c2 Other x
a: open /ws
a: send {"auth":"00000000000000c1","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"room_user_1","roomId":1}
b: recv op 4
c: open /ws
c: send {"auth":"00000000000000c2","roomId":1}
c: recv op 4
d: open /ws
d: send {"auth":"../{0}:x\u0000","roomId":1}
d: recv op 4
push: user u9 "secret"
push: room 1 "public"
a: recv msg "public"
b: recv msg "public"
c: recv msg "public"
d: recv msg "public"
b: silent
http: GET /im/users/u9 200 => "online":\s*false
--- no_error_log
[error]
[alert]



=== TEST 3: the connect call is not served to strangers
--- websocket
http: POST /im_connect 404 {"protocol":"im","token":"0123456789abcdef","room":"1","ip":"","node":""}
http: :$TEST_NGINX_IM_HTTP POST /im_connect 404 {"protocol":"im","token":"0123456789abcdef","room":"1","ip":"","node":""}
--- no_error_log
[error]
[alert]



=== TEST 4: logic away: with a token closed with 1013, open sessions stay
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
kill: logic
b: open /ws
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv_close 1013
c: open /none
c: send {"auth":null,"roomId":1}
c: recv op 4
a: silent
start: logic
until: /im/health ^200
d: open /ws
d: send {"auth":"0123456789abcdef","roomId":1}
d: recv op 4
push: room 1 "on"
a: recv msg "on"
c: recv msg "on"
d: recv msg "on"
--- no_error_log
[alert]



=== TEST 5: im_connect that leads nowhere, which nginx -t could not know
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_conect; }
    location ~ ^/im_(connect|status)$ {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv_close 1013
log: \[error\].*the backend "/im_conect" can't tell who a token is: status 40
b: open /ws
b: send {"auth":"","roomId":1}
b: recv op 4
--- no_error_log
[alert]
