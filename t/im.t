# The `im` protocol: the first frame, and what a client then receives.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: the first frame and its room-info frame
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
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
b: open /ws
b: send {"auth":null,"roomId":1}
b: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
c: open /ws
c: send {"Auth":"fedcba9876543210","RoomId":1}
c: recv {"op":4,"roomId":1,"count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
a: close 1000
b: close 1000
c: close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: op 3 to a room: every shape of payload
--- websocket
a: open /ws
a: send {"auth":null,"roomId":2}
a: recv op 4 roomId=2 count=0
push: room 2 {"msg":"hi"}
a: recv_text {"code":0,"msg":"hi","fuid":"","fname":"","op":3}
push: room 2 {"code":7,"msg":{"deep":[1,2.50,"x"]},"more":1}
a: recv_text {"code":7,"msg":{"deep":[1,2.50,"x"]},"fuid":"","fname":"","op":3}
push: room 2 {"text":"an object without msg"}
a: recv_text {"code":0,"msg":{"text":"an object without msg"},"fuid":"","fname":"","op":3}
push: room 2 [1, 2]
a: recv_text {"code":0,"msg":[1, 2],"fuid":"","fname":"","op":3}
push: room 2 "a string"
a: recv_text {"code":0,"msg":"a string","fuid":"","fname":"","op":3}
push: room 2 12345678901234567890.10
a: recv_text {"code":0,"msg":12345678901234567890.10,"fuid":"","fname":"","op":3}
push: room 2 null
a: recv_text {"code":0,"msg":null,"fuid":"","fname":"","op":3}
push: room 2 {"msg":"世界 \u0041 \" <b>"}
a: recv {"code":0,"msg":"世界 A \" <b>","fuid":"","fname":"","op":3}
http: POST /im/push 200 {"rooms":["2"],"from":{"user":"u7","name":"Shop \"x\""},"data":{"msg":"paid"}}
a: recv {"code":0,"msg":"paid","fuid":"u7","fname":"Shop \"x\"","op":3}
http: POST /im/push?room=2 200 (Content-Type: text/plain) raw "text" \ 世界
a: recv {"code":0,"msg":"raw \"text\" \\ 世界","fuid":"","fname":"","op":3}
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 3: op 2 to a user: all of his connections, and nobody else
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":3}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"00000000000000a1","roomId":-1}
c: open /ws
c: send {"auth":"fedcba9876543210","roomId":3}
c: recv op 4 count=2
a: recv op 4 count=2
until: /im/users/u1 "online":\s*true.*session.*session
push: user u1 {"msg":"for u1"}
a: recv {"code":0,"msg":"for u1","fuid":"","fname":"","op":2}
b: recv {"code":0,"msg":"for u1","fuid":"","fname":"","op":2}
push: user u2 {"msg":"for u2"}
c: recv {"code":0,"msg":"for u2","fuid":"","fname":"","op":2}
push: room 3 {"msg":"room"}
a: recv msg "room"
c: recv msg "room"
push: all {"msg":"all"}
a: recv {"code":0,"msg":"all","fuid":"","fname":"","op":3}
b: recv {"code":0,"msg":"all","fuid":"","fname":"","op":3}
c: recv {"code":0,"msg":"all","fuid":"","fname":"","op":3}
b: silent
--- no_error_log
[error]
[alert]



=== TEST 4: variants of the first frame
--- websocket
a: open /ws
a: send {"auth":null}
a: recv op 4 roomId=0 count=0
b: open /ws
b: send {}
b: recv op 4 roomId=0 count=0
c: open /ws
c: send {"auth":null,"roomId":null,"serverId":"x"}
c: recv op 4 roomId=0 count=0
d: open /ws
d: send  { "x" : [ { } ] , "AUTH" : "" , "ROOMID" : 4 } 
d: recv op 4 roomId=4 count=0
e: open /ws
e: send {"auth":"ffffffffffffffff","roomId":5}
e: recv op 4 roomId=5 count=0
f: open /ws
f: send_binary {"auth":null,"roomId":6}
f: recv op 4 roomId=6 count=0
g: open /ws
g: chop {"auth":null,"roomId":7}
g: recv op 4 roomId=7 count=0
h: open /ws
h: frame 1- {"auth":null,
h: ping between
h: recv_pong between
h: frame 0 "roomId":8}
h: recv op 4 roomId=8 count=0
i: open /ws
i: send {"auth":null,"roomId":2147483647}
i: recv op 4 roomId=2147483647
push: room 0 {"msg":"room nought"}
a: recv msg "room nought"
b: recv msg "room nought"
c: recv msg "room nought"
push: room 2147483647 {"msg":"far"}
i: recv msg "far"
d: silent
e: silent
--- no_error_log
[error]
[alert]



=== TEST 5: roomId -1: no room, but the broadcast
--- websocket
a: open /ws
a: send {"auth":null,"roomId":-1}
a: silent
until: /im/online "connections":\s*1\b
push: all {"msg":"to all"}
a: recv msg "to all"
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 6: bad first frames end the session, not the worker
--- websocket
a: open /ws
a: send null
a: recv_close 1008
b: open /ws
b: send [1]
b: recv_close 1008
c: open /ws
c: send hello
c: recv_close 1008
d: open /ws
d: send
d: recv_close 1008
e: open /ws
e: send {"auth":
e: recv_close 1008
f: open /ws
f: send {"auth":null,"roomId":1} x
f: recv_close 1008
g: open /ws
g: send {"auth":"FILL(8193)","roomId":1}
g: recv_close 1008
h: open /ws
h: send [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
h: recv_close 1008
i: open /ws
i: cut
j: open /ws
j: close 1000
k: open /ws
k: send {"auth":null,"roomId":1}
k: recv op 4
k: close 1000
--- no_error_log
[error]
[alert]



=== TEST 7: later frames are ignored, the first one again too
--- websocket
a: open /ws
a: send {"auth":null,"roomId":11}
a: recv op 4
a: send {"auth":null,"roomId":11}
a: send {"auth":null,"roomId":12}
a: send not json
a: send_binary x
a: silent
push: room 12 {"msg":"other"}
push: room 11 {"msg":"once"}
a: recv msg "once"
a: silent
until: /im/rooms/11 "count":\s*1\b
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 8: two first frames in one packet
--- websocket
a: open /ws
a: raw 81 9c 00 00 00 00 7b 22 61 75 74 68 22 3a 6e 75 6c 6c 2c 22 72 6f 6f 6d 49 64 22 3a 31 33 7d 20 20 20 81 9c 00 00 00 00 7b 22 61 75 74 68 22 3a 6e 75 6c 6c 2c 22 72 6f 6f 6d 49 64 22 3a 31 33 7d 20 20 20
a: recv op 4 roomId=13
a: silent
push: room 13 {"msg":"once"}
a: recv msg "once"
a: silent
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 9: gone while logic is asked
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":14}
a: cut
b: open /ws
b: send {"auth":"0123456789abcdef","roomId":14}
b: close 1000
until: /im/rooms/14 "count":\s*0\b
c: open /ws
c: send {"auth":null,"roomId":14}
c: recv op 4
c: close 1000
--- no_error_log
[error]
[alert]



=== TEST 10: a member of the wrong type is refused, and the reason names it
--- websocket
a: open /ws
a: send {"auth":null,"roomId":"1"}
a: recv_close 1008 /^roomId must be a 32-bit integer$/
b: open /ws
b: send {"auth":17,"roomId":1}
b: recv_close 1008 /^auth must be a string$/
c: open /ws
c: send {"auth":null,"roomId":1.5}
c: recv_close 1008 /^roomId/
d: open /ws
d: send {"auth":null,"roomId":2147483648}
d: recv_close 1008 /^roomId/
e: open /ws
e: send {"auth":null,"ROOMID":[1]}
e: recv_close 1008 /^roomId/
f: open /ws
f: send {"auth":null,"roomId":1,"seq":"7"}
f: recv_close 1008 /^seq/
g: open /ws
g: send {"auth":null,"roomId":1,"epoch":7}
g: recv_close 1008 /^epoch/
h: open /ws
h: send {"auth":null,"roomId":1,"inbox":[]}
h: recv_close 1008 /^inbox/
i: open /ws
i: send {"auth":null,"roomId":1,"broadcast":{"seq":-1}}
i: recv_close 1008 /seq/
j: open /ws
j: send {"auth":null,"roomId":3,"roomId":4,"x":"1"}
j: recv op 4 roomId=4
--- no_error_log
[error]
[alert]



=== TEST 11: rooms by any name
--- http_config
    im_room 1          history=10 ttl=1h;
    im_room chat:*     history=10 ttl=1h;
    im_room $$*        history=10 ttl=1h;
    im_room vip        history=10 ttl=1h join=user;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
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
    location /api/v1/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob 1,chat:*
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","room":"chat:a b"}
a: recv {"op":4,"roomId":-1,"room":"chat:a b","count":1,"roomUserInfo":{"u1":"Ann"}}
b: open /ws
b: send {"AUTH":"fedcba9876543210","ROOM":"chat:a b","roomId":1}
b: recv {"op":4,"roomId":-1,"room":"chat:a b","count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
a: recv op 4 count=2 room="chat:a\u0020b"
push: room 1 "not here"
http: POST /api/v1/pushRoom?auth=0123456789abcdef&room=chat%3Aa%20b 200 {"msg":"hi"} => "code":0,
a: recv_text {"code":0,"msg":"hi","fuid":"u1","fname":"Ann","op":3}
b: recv_text {"code":0,"msg":"hi","fuid":"u1","fname":"Ann","op":3}
http: POST /api/v1/getRoomInfo?room=chat:a+b 200 => "code":0,
b: recv {"op":4,"roomId":-1,"room":"chat:a b","count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
http: POST /api/v1/count?room=none 200 => "code":-11,
http: POST /api/v1/pushRoom?auth=fedcba9876543210&room=vip 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=0123456789abcdef&room= 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=0123456789abcdef&rid=1&room=a%00 200 {"msg":"x"} => "code":-11,
c: open /ws
c: send {"room":"none"}
c: recv_close 1008 /no such room/
d: open /ws
d: send {"room":"vip"}
d: recv_close 1008 /the room is for signed-in users/
e: open /ws
e: send {"auth":"fedcba9876543210","room":"vip"}
e: recv_close 1008 /the room is not allowed/
f: open /ws
f: send {"room":5}
f: recv_close 1008 /room must be a string/
g: open /ws
g: send {"room":"FILL(254)"}
g: recv_close 1008 /room is too long/
h: open /ws
h: send {"auth":"0123456789abcdef","room":"$$a"}
h: recv_close 1008 /the room is for clients with a token for it/
i: open /ws
i: send {"room":"","roomId":1}
i: recv {"op":4,"roomId":1,"count":0,"roomUserInfo":{}}
--- no_error_log
[error]
[alert]



=== TEST 12: a message to a user that is away is kept, and its sender has a copy
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":-1,"seq":0}
a: recv op 7 broadcast=true
a: like "op":7,"inbox":true,"session":"(?<session>[0-9a-f-]{36})","seq":0,
a2: open /ws
a2: send {"auth":"0123456789abcdef","roomId":-1,"seq":0}
a2: recv op 7 broadcast=true
a2: recv op 7 inbox=true
old: open /ws
old: send {"auth":"0123456789abcdef","roomId":-1}
http: POST /api/v1/push?auth=0123456789abcdef&userId=u2&session=$session 200 {"msg":"hello","code":3} => \A\{"code":0,"msg":"success","data":\{"kept":true\}\}\s*\z
a2: like ^\{"code":3,"msg":"hello","fuid":"u1","fname":"Ann","op":2,"tuid":"u2","session":"$session","seq":1,"epoch":"\w+","time":\d{13}\}$
http: POST /api/v1/push?auth=0123456789abcdef&userId=u2 200 {"msg":"again"} => \A\{"code":0,"msg":"success"\}\s*\z
a: like "msg":"again","fuid":"u1","fname":"Ann","op":2,"tuid":"u2","seq":2,"epoch":"\w+","time":\d{13}\}
a2: recv msg "again"
b: open /ws
b: send {"auth":"fedcba9876543210","roomId":-1,"inbox":{"last":10}}
b: recv op 7 broadcast=true
b: recv op 7 inbox=true seq=0
b: like "msg":"hello","fuid":"u1","fname":"Ann","op":2,"seq":1,"epoch":"\w+","time":\d{13}\}
b: like "msg":"again","fuid":"u1","fname":"Ann","op":2,"seq":2,"epoch":"\w+","time":\d{13}\}
http: POST /api/v1/push?auth=fedcba9876543210&userId=u1 200 {"msg":"to you"} => "code":0,
a: like "msg":"to you","fuid":"u2","fname":"Bob","op":2,"seq":3,
a2: like "msg":"to you","fuid":"u2","fname":"Bob","op":2,"seq":3,
old: recv_text {"code":0,"msg":"to you","fuid":"u2","fname":"Bob","op":2}
b: like "msg":"to you","fuid":"u2","fname":"Bob","op":2,"tuid":"u1","seq":3,
http: POST /api/v1/push?auth=0123456789abcdef&userId=u1 200 {"msg":"to myself"} => "code":0,
a: like "msg":"to myself","fuid":"u1","fname":"Ann","op":2,"seq":4,
old: recv_text {"code":0,"msg":"to myself","fuid":"u1","fname":"Ann","op":2}
http: POST /api/v1/push?auth=0123456789abcdef&userId=u2&session=$session 200 {"msg":"there"} => "data":\{"kept":false\}
a2: recv msg "to myself"
a2: recv msg "there"
b: recv msg "there"
http: POST /api/v1/push?auth=0123456789abcdef&userId=u2&session=x 200 {"msg":"x"} => "code":-11,
a: silent
old: silent
--- no_error_log
[error]
[alert]
