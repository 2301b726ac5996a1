# Which clients get a message: rooms, inboxes, broadcast; in order and once.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a message to a room reaches its members only
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
a: open /none
b: open /none
a: send {"auth":null,"roomId":1}
b: send {"auth":null,"roomId":2}
a: recv op 4
b: recv op 4
push: room 1 {"msg":"hi"}
push: room 2 {"msg":"yo"}
a: recv {"code":0,"msg":"hi","fuid":"","fname":"","op":3}
b: recv {"code":0,"msg":"yo","fuid":"","fname":"","op":3}
a: silent
b: silent
--- no_error_log
[error]
[alert]



=== TEST 2: many in a row, in order and once
--- websocket
a: open /none
a: send {"roomId":20}
a: recv op 4
b: open /none
b: send {"roomId":20}
b: recv op 4
push: room 20 0
push: room 20 1
push: room 20 2
push: room 20 3
push: room 20 4
push: room 20 5
push: room 20 6
push: room 20 7
push: room 20 8
push: room 20 9
push: room 20 10
push: room 20 11
push: room 20 12
push: room 20 13
push: room 20 14
push: room 20 15
push: room 20 16
push: room 20 17
push: room 20 18
push: room 20 19
push: room 20 20
push: room 20 21
push: room 20 22
push: room 20 23
push: room 20 24
push: room 20 25
push: room 20 26
push: room 20 27
push: room 20 28
push: room 20 29
a: recv msg 0
a: recv msg 1
a: recv msg 2
a: recv msg 3
a: recv msg 4
a: recv msg 5
a: recv msg 6
a: recv msg 7
a: recv msg 8
a: recv msg 9
a: recv msg 10
a: recv msg 11
a: recv msg 12
a: recv msg 13
a: recv msg 14
a: recv msg 15
a: recv msg 16
a: recv msg 17
a: recv msg 18
a: recv msg 19
a: recv msg 20
a: recv msg 21
a: recv msg 22
a: recv msg 23
a: recv msg 24
a: recv msg 25
a: recv msg 26
a: recv msg 27
a: recv msg 28
a: recv msg 29
b: recv msg 0
b: recv msg 1
b: recv msg 2
b: recv msg 3
b: recv msg 4
b: recv msg 5
b: recv msg 6
b: recv msg 7
b: recv msg 8
b: recv msg 9
b: recv msg 10
b: recv msg 11
b: recv msg 12
b: recv msg 13
b: recv msg 14
b: recv msg 15
b: recv msg 16
b: recv msg 17
b: recv msg 18
b: recv msg 19
b: recv msg 20
b: recv msg 21
b: recv msg 22
b: recv msg 23
b: recv msg 24
b: recv msg 25
b: recv msg 26
b: recv msg 27
b: recv msg 28
b: recv msg 29
a: silent
b: silent
--- no_error_log
[error]
[alert]



=== TEST 3: nothing of before the join, all of after it
--- websocket
push: room 21 "before"
a: open /none
a: send {"roomId":21}
a: recv op 4
push: room 21 "after"
a: recv msg "after"
a: close 1000
push: room 21 "between"
b: open /none
b: send {"roomId":21}
b: recv op 4
push: room 21 "again"
b: recv msg "again"
b: silent
--- no_error_log
[error]
[alert]



=== TEST 4: one push to several targets
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":22}
a: recv op 4
b: open /ws
b: send {"auth":"fedcba9876543210","roomId":23}
b: recv op 4
http: POST /im/push 200 {"rooms":["22","23"],"data":"rooms"} => r:22.*r:23
a: recv msg "rooms"
b: recv msg "rooms"
http: POST /im/push 200 {"users":["u1","u2"],"data":"users"}
a: recv op 2 msg="users"
b: recv op 2 msg="users"
http: POST /im/push?room=22&room=23&user=u2 200 text
a: recv op 3 msg="text"
b: recv_set "text" "text"
a: silent
b: silent
--- no_error_log
[error]
[alert]



=== TEST 5: a guest has no inbox
--- websocket
a: open /none
a: send {"auth":"0123456789abcdef","roomId":24}
a: recv op 4 count=0
push: user u1 "private"
push: room 24 "public"
a: recv msg "public"
a: silent
--- no_error_log
[error]
[alert]



=== TEST 6: names beyond numbers
--- websocket
http: POST /im/push 200 {"rooms":["chat:Grüße/a b"],"data":1} => "topic":"r:chat:
http: GET /im/rooms/chat%3AGr%C3%BC%C3%9Fe%2Fa%20b 200 => "count":\s*0
--- no_error_log
[error]
[alert]



=== TEST 7: large messages
--- websocket
a: open /none
a: send {"roomId":25}
a: recv op 4
http: POST /im/push 200 {"rooms":["25"],"data":"FILL(60000)"}
http: POST /im/push 200 {"rooms":["25"],"data":"small"}
a: recv op 3
a: recv msg "small"
--- no_error_log
[error]
[alert]



=== TEST 8: who has left gets nothing more, others do
--- websocket
a: open /none
a: send {"roomId":26}
a: recv op 4
b: open /none
b: send {"roomId":26}
b: recv op 4
a: close 1000
push: room 26 "x"
b: recv msg "x"
b: cut
push: room 26 "nobody"
c: open /none
c: send {"roomId":26}
c: recv op 4
push: room 26 "y"
c: recv msg "y"
--- no_error_log
[error]
[alert]



=== TEST 9: the inbox needs no directive of its own, the broadcast does
--- http_config
    im_room * history=0;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":-1}
until: /im/online "connections":1\b
until: /im/users/u1 "online":true
push: user u1 {"msg":"yours"}
a: recv {"code":0,"msg":"yours","fuid":"","fname":"","op":2}
http: POST /im/push 404 {"all":true,"data":{"msg":"all"}} => ^\{"code":404,"msg":"no im_broadcast"\}
http: POST /im/push?all=1 404 all => "msg":"no im_broadcast"
http: POST /im/push 200 {"all":true,"users":["u1"],"data":{"msg":"both"}} => (?=.*"topic":"u:u1","epoch":)(?=.*"topic":"b","code":404,"msg":"no im_broadcast")
a: recv {"code":0,"msg":"both","fuid":"","fname":"","op":2}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 10: a broadcast, of which nothing is kept
--- http_config
    im_room * history=0;
    im_broadcast history=0;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":-1}
b: open /ws
b: send {"auth":"","roomId":-1}
until: /im/online "connections":2\b
push: all {"msg":"all"}
a: recv {"code":0,"msg":"all","fuid":"","fname":"","op":3}
b: recv {"code":0,"msg":"all","fuid":"","fname":"","op":3}
--- no_error_log
[error]
[alert]



=== TEST 11: without im_broadcast, clients of centrifuge have no "#"
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room * history=10 ttl=1h;
    im_limit topics=3;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth jwt; }
    location = /guest { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
g: open /guest
g: send {"id":1,"connect":{}}
g: like ^\{"id":1,"connect":\{"client":"[0-9a-f-]{36}","version":"[^"]+","ping":1000,"pong":true\}\}$
g: send_lines {"id":2,"subscribe":{"channel":"1"}} | {"id":3,"subscribe":{"channel":"2"}} | {"id":4,"subscribe":{"channel":"3"}} | {"id":5,"subscribe":{"channel":"4"}}
g: like_set ^\{"id":2,"subscribe": || ^\{"id":3,"subscribe": || ^\{"id":4,"subscribe": || ^\{"id":5,"error":\{"code":106,
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1"})","subs":{"#":{"recover":true,"epoch":"x"}}}}
a: like ^\{"id":1,"connect":\{"client":"[0-9a-f-]{36}","version":"[^"]+","subs":\{"#u1":\{\}\},"ping":1000,"pong":true\}\}$
http: POST /api/publish 200 {"channel":"#","data":1} => ^\{"error":\{"code":102,"message":"unknown channel: no im_broadcast"\}\}
http: POST /api/broadcast 200 {"channels":["#","1"],"data":{"n":1}} => ^\{"result":\{"responses":\[\{"error":\{"code":102,"message":"unknown channel: no im_broadcast"\}\},\{"result":\{"offset":1,
http: POST /api/unsubscribe 200 {"user":"u1","channel":"#"}
http: POST /api/disconnect 200 {"user":"u1"}
a: recv_close 3503
g: like "channel":"1","pub":\{"data":\{"n":1\},"offset":1\}
--- no_error_log
[error]
[alert]



=== TEST 12: what a room collects goes with another message
--- http_config
    im_room calm  history=0 batch=10s;
    im_room *     history=0;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
until: /im/health ^200
a: open /ws
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"1"}} | {"id":3,"subscribe":{"channel":"calm"}}
a: like_set ^\{"id":1,"connect": || ^\{"id":2,"subscribe": || ^\{"id":3,"subscribe":
push: room calm 1
push: room 1 2
a: like_set "channel":"calm","pub":\{"data":1\} || "channel":"1","pub":\{"data":2\}
push: room calm 3
until: /status "pushes":3\b
push: room 1 4
a: like "channel":"calm","pub":\{"data":3\}
a: like "channel":"1","pub":\{"data":4\}
--- no_error_log
[error]
[alert]
