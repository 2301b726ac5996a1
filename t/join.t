# Joins and leaves of a room, for clients that ask for them.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: join and leave, on both nodes
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room chat:*  history=10 ttl=1h presence;
    im_room 5       history=0 presence;
    im_room quiet   history=10 ttl=1h;
    im_inbox        history=10 ttl=1h;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth jwt; }
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location = /im { im_comet protocol=im; im_auth jwt; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
start: nginx2
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","info":{"name":"Ann"}})"}}
a: like "connect":\{"client":"(?<a>[-0-9a-f]{36})"
a: send {"id":2,"subscribe":{"channel":"chat:1","join_leave":true}}
a: like ^\{"id":2,"subscribe":\{
a: recv {"push":{"channel":"chat:1","join":{"info":{"user":"u1","client":"$a","conn_info":{"name":"Ann"}}}}}
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}}
b: like "connect":\{"client":"(?<b>[-0-9a-f]{36})"
b: send {"id":2,"subscribe":{"channel":"chat:1"}}
b: like ^\{"id":2,"subscribe":\{
a: recv {"push":{"channel":"chat:1","join":{"info":{"user":"u2","client":"$b"}}}}
c: open /ws
c: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u3"})"}}
c: like "connect":\{"client":"(?<c>[-0-9a-f]{36})"
c: send {"id":2,"subscribe":{"channel":"chat:1"}}
c: like ^\{"id":2,"subscribe":\{
a: recv {"push":{"channel":"chat:1","join":{"info":{"user":"u3","client":"$c"}}}}
push: room chat:1 {"n":1}
a: like "channel":"chat:1","pub":\{"data":\{"n":1\}
b: like "channel":"chat:1","pub":\{"data":\{"n":1\}
c: like "channel":"chat:1","pub":\{"data":\{"n":1\}
b: send {"id":3,"unsubscribe":{"channel":"chat:1"}}
b: recv {"id":3,"unsubscribe":{}}
a: recv {"push":{"channel":"chat:1","leave":{"info":{"user":"u2","client":"$b"}}}}
c: close 1000
a: recv {"push":{"channel":"chat:1","leave":{"info":{"user":"u3","client":"$c"}}}}
b: send {"id":4,"subscribe":{"channel":"chat:1","join_leave":true}}
b: like ^\{"id":4,"subscribe":\{
b: upto "join":\{"info":\{"user":"u2","client":"$b"\}
a: recv {"push":{"channel":"chat:1","join":{"info":{"user":"u2","client":"$b"}}}}
a: cut
b: upto "leave":\{"info":\{"user":"u1","client":"$a","conn_info":\{"name":"Ann"\}\}
b: silent
--- no_error_log
[error]
[alert]



=== TEST 2: where the rule has no presence, nobody is told
--- websocket
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1"})"}}
a: like "connect":\{"client":"
a: send {"id":2,"subscribe":{"channel":"quiet","join_leave":true}}
a: like ^\{"id":2,"subscribe":\{
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}}
b: like "connect":\{"client":"
b: send {"id":2,"subscribe":{"channel":"quiet","join_leave":true}}
b: like ^\{"id":2,"subscribe":\{
until: /im/rooms/quiet "count":\s*2\b
b: close 1000
until: /im/rooms/quiet "count":\s*1\b
a: silent
--- no_error_log
[error]
[alert]



=== TEST 3: guests, and im clients beside centrifuge
--- websocket
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1"})"}}
a: like "connect":\{"client":"(?<a>[-0-9a-f]{36})"
a: send {"id":2,"subscribe":{"channel":"5","join_leave":true}}
a: like ^\{"id":2,"subscribe":\{
a: like "join":\{"info":\{"user":"u1"
g: open :$TEST_NGINX_IM_PORT2 /none
g: send {"id":1,"connect":{}}
g: like "connect":\{"client":"(?<g>[-0-9a-f]{36})"
g: send {"id":2,"subscribe":{"channel":"5"}}
g: like ^\{"id":2,"subscribe":\{
a: recv {"push":{"channel":"5","join":{"info":{"user":"","client":"$g"}}}}
i: open :$TEST_NGINX_IM_PORT2 /im
i: send {"auth":"JWT(HS256 hs256 {"sub":"u4","info":{"name":"Di"}})","roomId":5}
i: info {"u1":"","u4":"Di"}
a: like "join":\{"info":\{"user":"u4",
i: close 1000
a: like "leave":\{"info":\{"user":"u4",
g: close 1000
a: recv {"push":{"channel":"5","leave":{"info":{"user":"","client":"$g"}}}}
--- no_error_log
[error]
[alert]



=== TEST 4: what others are told of a subscription
--- websocket
a: open /none
a: send {"id":1,"connect":{}}
a: like "connect":\{"client":"(?<a>[-0-9a-f]{36})"
a: send {"id":2,"subscribe":{"channel":"chat:4","join_leave":true}}
a: like ^\{"id":2,"subscribe":\{
a: like "join":
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2","info":{"name":"Bo"}})"}}
b: like "connect":\{"client":"(?<b>[-0-9a-f]{36})"
http: POST /api/subscribe 200 {"user":"u2","channel":"chat:4","info":{"seat":[4]}} => "result":\{\}
b: like ^\{"push":\{"channel":"chat:4","subscribe":\{
a: recv {"push":{"channel":"chat:4","join":{"info":{"user":"u2","client":"$b","conn_info":{"name":"Bo"},"chan_info":{"seat":[4]}}}}}
a: send {"id":3,"presence":{"channel":"chat:4"}}
a: recv {"id":3,"presence":{"presence":{"$a":{"user":"","client":"$a"},"$b":{"user":"u2","client":"$b","conn_info":{"name":"Bo"},"chan_info":{"seat":[4]}}}}}
b: send {"id":3,"presence":{"channel":"chat:4"}}
b: recv {"id":3,"presence":{"presence":{"$a":{"user":"","client":"$a"},"$b":{"user":"u2","client":"$b","conn_info":{"name":"Bo"},"chan_info":{"seat":[4]}}}}}
http: POST /api/unsubscribe 200 {"user":"u2","channel":"chat:4"} => "result":\{\}
b: like "unsubscribe":
a: recv {"push":{"channel":"chat:4","leave":{"info":{"user":"u2","client":"$b","conn_info":{"name":"Bo"},"chan_info":{"seat":[4]}}}}}
--- no_error_log
[error]
[alert]



=== TEST 5: very many at once: not all are told
--- http_config
    im_room 6 history=0 presence;
    im_ping 25s timeout=1h;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
start: nginx2
a: open /none
a: send {"id":1,"connect":{}}
a: like "connect":\{"client":"
a: send {"id":2,"subscribe":{"channel":"6","join_leave":true}}
a: like ^\{"id":2,"subscribe":\{
a: like "join":
users: x 150 :$TEST_NGINX_IM_PORT2 /ws 6
x149: infos 20 150
until: /im/rooms/6 "count":\s*151\b
part: x
until: /im/rooms/6 "count":\s*1\b
push: room 6 "end"
a: upto "pub":\{"data":"end"
--- no_error_log
[error]
[alert]
