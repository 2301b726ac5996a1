# /api/v1/: what pages of the seed system send.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a room: who sends is what the token says
--- http_config
    im_room 0       history=100 ttl=1h;
    im_room 1       history=100 ttl=1h;
    im_room 7*      history=100 ttl=1h;
    im_inbox        history=100 ttl=1h;
    im_broadcast    history=100 ttl=1h;
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
    location /v1/user/ { fastcgi_pass im_logic; include im_params; }
--- tokens
aaaaaaaaaaaaaaaa u1 Ann
bbbbbbbbbbbbbbbb u2 <b>"小明"</b>
cccccccccccccccc u3 Carl 7*,1
--- websocket
redis: HSET im_eeeeeeeeeeeeeeee UserId u5
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
a: recv op 4
g: open /ws
g: send {"auth":null,"roomId":1}
g: recv op 4
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"op":3,"msg":"hi","rid":1} => \A\{"code":0,"msg":"success"\}\s*\z
a: recv {"code":0,"msg":"hi","fuid":"u1","fname":"Ann","op":3}
g: recv {"code":0,"msg":"hi","fuid":"u1","fname":"Ann","op":3}
http: POST /api/v1/pushRoom?auth=bbbbbbbbbbbbbbbb&rid=1 200 (Content-Type: application/x-www-form-urlencoded; charset=UTF-8) {"CODE":5,"Msg":"你好 😀 \"x\" <b>&</b> \u2028","fuid":"forged","fname":"forged","op":9} => "code":0,
a: recv {"code":5,"msg":"你好 😀 \"x\" <b>&</b>  ","fuid":"u2","fname":"<b>\"小明\"</b>","op":3}
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {} => "code":0,
a: recv {"code":0,"msg":"","fuid":"u1","fname":"Ann","op":3}
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":null} => "code":0,
a: recv {"code":0,"msg":"","fuid":"u1","fname":"Ann","op":3}
http: POST /api/v1/pushRoom?rid=1&auth=eeeeeeeeeeeeeeee&auth=x 200 {"msg":"no name"} => "code":0,
a: recv {"code":0,"msg":"no name","fuid":"u5","fname":"","op":3}
http: :$TEST_NGINX_IM_HTTP POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=0000000001 200 {"msg":"plain"} => "code":0,
a: recv {"code":0,"msg":"plain","fuid":"u1","fname":"Ann","op":3}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 2: room 0 is a room
--- websocket
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":0}
a: recv op 4
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=0 200 {"msg":"zero"} => "code":0,
a: recv {"code":0,"msg":"zero","fuid":"u1","fname":"Ann","op":3}
--- no_error_log
[error]
[alert]



=== TEST 3: a user, at all of the user's connections
--- websocket
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"bbbbbbbbbbbbbbbb","roomId":-1}
b2: open /ws
b2: send {"auth":"bbbbbbbbbbbbbbbb","roomId":1}
b2: recv op 4 count=2
a: recv op 4 count=2
until: /im/users/u2 "sessions":\[\{[^\]]*\},\{
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u2 200 {"msg":"to you","code":3} => \A\{"code":0,"msg":"success"\}\s*\z
b: recv {"code":3,"msg":"to you","fuid":"u1","fname":"Ann","op":2}
b2: recv {"code":3,"msg":"to you","fuid":"u1","fname":"Ann","op":2}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 4: a message to a user that is away waits in the inbox
--- websocket
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u3 200 {"msg":"first"} => \A\{"code":0,"msg":"success"\}\s*\z
http: POST /api/v1/push?auth=bbbbbbbbbbbbbbbb&userId=u3 200 {"msg":"second"} => "code":0,
c: open /ws
c: send {"auth":"cccccccccccccccc","roomId":-1,"inbox":{"last":10}}
c: recv op 7 broadcast=true
c: recv op 7 inbox=true seq=0
c: recv msg "first"
c: recv msg "second"
old: open /ws
old: send {"auth":"cccccccccccccccc","roomId":-1}
until: /im/users/u3 "sessions":\[\{[^\]]*\},\{
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u3 200 {"msg":"now"} => "code":0,
c: recv msg "now"
old: recv {"code":0,"msg":"now","fuid":"u1","fname":"Ann","op":2}
old: silent
--- no_error_log
[error]
[alert]



=== TEST 5: who isn't signed in can't send
--- websocket
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
a: recv op 4
http: POST /api/v1/pushRoom?rid=1 200 {"msg":"x"} => \A\{"code":-11,"msg":"发送失败"\}\s*\z
http: POST /api/v1/pushRoom?auth=&rid=1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=null&rid=1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=dddddddddddddddd&rid=1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=a%2ab&rid=1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=room_user_1&rid=1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/push?userId=u1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/push?auth=dddddddddddddddd&userId=u1 200 {"msg":"x"} => "code":-11,
http: POST /v1/user/register 200 {"UserName":"dave","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"dave","Password":"secret1"} => "Auth":"(?<token>\w+)","UserId":"(?<uid>\w+)"
http: POST /api/v1/pushRoom?auth=$token&rid=1 200 {"msg":"in"} => "code":0,
a: recv {"code":0,"msg":"in","fuid":"$uid","fname":"dave","op":3}
http: GET /v1/user/logout?auth=$token 200 => "code":0,
http: POST /api/v1/pushRoom?auth=$token&rid=1 200 {"msg":"out"} => "code":-11,
a: silent
--- no_error_log
[error]
[alert]



=== TEST 6: rooms that aren't, or aren't the token's
--- websocket
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid= 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=x 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1x 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=+1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=%001 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1%00 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1.0 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=-1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=2147483648 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=99999999999999999999 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=2 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=71 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=cccccccccccccccc&rid=71 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=cccccccccccccccc&rid=1 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=cccccccccccccccc&rid=0 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId= 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=a%00b 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=%ff 200 {"msg":"x"} => "code":-11,
--- no_error_log
[error]
[alert]



=== TEST 7: bodies that aren't a message: -1
--- websocket
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 => \A\{"code":-1,"msg":"网络请求出错"\}\s*\z
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 x => "code":-1,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 null => "code":-1,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 [] => "code":-1,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 "x" => "code":-1,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x" => "code":-1,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":7} => "code":-1,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"code":"1"} => "code":-1,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u1 200 x => "code":-1,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u1 200 x => \A(?s)(?!.*Retry-After).*HTTP
--- no_error_log
[error]
[alert]



=== TEST 8: origins, preflights and methods
--- websocket
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => (?i)Access-Control-Allow-Origin: \*\s
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => (?i)Access-Control-Allow-Headers: Content-Type\s*\z
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => (?i)Content-Type: application/json\s
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=x 200 {"msg":"x"} => (?i)Access-Control-Allow-Origin: \*\s
http: POST /api/v1/pushRoom 200 => (?i)Access-Control-Allow-Origin: \*\s
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=nobody 200 {"msg":"x"} => (?i)Access-Control-Allow-Origin: \*\s
http: POST /api/v1/count?rid=1 200 => (?i)Access-Control-Allow-Origin: \*\s
http: POST /api/v1/getRoomInfo?rid=x 200 => (?i)Access-Control-Allow-Origin: \*\s
http: OPTIONS /api/v1/push 204 => (?i)Access-Control-Allow-Origin: \*\s
http: OPTIONS /api/v1/pushRoom?auth=x 204 => (?i)Access-Control-Allow-Headers: Content-Type, Authorization\s
http: OPTIONS /api/v1/count 204 => (?i)Access-Control-Allow-Methods: POST, OPTIONS\s
http: OPTIONS /api/v1/getRoomInfo 204 => (?i)Access-Control-Allow-Origin: \*\s
http: :$TEST_NGINX_IM_HTTP OPTIONS /api/v1/push 204 => (?i)Access-Control-Allow-Headers: Content-Type, Authorization\s
http: GET /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u1 405 => \A\{"code":-1,"msg":"网络请求出错"\}\s*\z
http: GET /api/v1/push 405 => (?i)Allow: POST\s
http: GET /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 405 => (?i)Access-Control-Allow-Origin: \*\s
http: PUT /api/v1/count?rid=1 405 => (?i)Allow: POST\s
http: DELETE /api/v1/getRoomInfo?rid=1 405 => (?i)Allow: POST\s
http: POST /api/v1/nothing 404
http: POST /api/v1/publish 404 {"channel":"1","data":1}
--- no_error_log
[error]
[alert]



=== TEST 9: questions about rooms: those in them are told who is there
--- websocket
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
g: open /ws
g: send {"auth":null,"roomId":1}
g: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
z: open /ws
z: send {"auth":"aaaaaaaaaaaaaaaa","roomId":0}
z: recv op 4
http: POST /api/v1/count?rid=1 200 => \A\{"code":0,"msg":"success"\}\s*\z
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
g: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
http: POST /api/v1/getRoomInfo?rid=1 200 => \A\{"code":0,"msg":"success"\}\s*\z
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
g: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
z: silent
http: POST /api/v1/count?rid=0 200 {} => "code":0,
http: POST /api/v1/getRoomInfo?rid=71 200 x => "code":0,
http: POST /api/v1/count 200 => \A\{"code":-11,"msg":"发送失败"\}\s*\z
http: POST /api/v1/count?rid=x 200 => "code":-11,
http: POST /api/v1/count?rid=-1 200 => "code":-11,
http: POST /api/v1/count?rid=2 200 => "code":-11,
http: POST /api/v1/getRoomInfo 200 => "code":-11,
http: POST /api/v1/getRoomInfo?rid=1x 200 => "code":-11,
http: POST /api/v1/getRoomInfo?rid=2 200 => "code":-11,
--- no_error_log
[error]
[alert]



=== TEST 10: Redis is away: a code all the same
--- websocket
kill: redis
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => \A\{"code":-1,"msg":"网络请求出错"\}\s*\z
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => (?i)Access-Control-Allow-Origin: \*\s
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => (?i)Retry-After: 1\s
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u1 200 {"msg":"x"} => "code":-1,
http: POST /api/v1/count?rid=1 200 => "code":-1,
http: POST /api/v1/getRoomInfo?rid=1 200 => (?i)Access-Control-Allow-Origin: \*\s
start: redis
until: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 {"msg":"x"} => "code":0,
--- no_error_log
[alert]



=== TEST 11: Redis is full: not sent
--- websocket
redis: CONFIG SET maxmemory 1
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => "code":-1,
redis: CONFIG SET maxmemory 0
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"x"} => "code":0,
--- no_error_log
[alert]



=== TEST 12: too many requests, and a body that is too large
--- websocket
stop: logic
start: logic --max-requests=1 --max-body=1024
until: /im/health ^200
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 200 {"msg":"FILL(2000)"} => \A\{"code":-1,
http: POST /v1/user/register 200 {"UserName":"FILL(2000)"} => \A\{"code":-1,
same: 30 POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 {"msg":"x"} => 30 \A\{"code":(0|-1),
until: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 {"msg":"x"} => "code":0,
--- no_error_log
[alert]



=== TEST 13: a user that is kept out sends nothing and asks nothing
--- websocket
stop: logic
start: logic
until: /im/health ^200
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
a: recv op 4
http: DELETE /im/users/u2?for=600 200
http: POST /api/v1/pushRoom?auth=bbbbbbbbbbbbbbbb&rid=1 200 {"msg":"x"} => \A\{"code":-11,"msg":"发送失败"\}\s*\z
http: POST /api/v1/pushRoom?rid=1 200 (Authorization: Bearer bbbbbbbbbbbbbbbb) {"msg":"x"} => "code":-11,
http: POST /api/v1/push?auth=bbbbbbbbbbbbbbbb&userId=u1 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/count?auth=bbbbbbbbbbbbbbbb&rid=1 200 => "code":-11,
http: POST /api/v1/getRoomInfo?auth=bbbbbbbbbbbbbbbb&rid=1 200 => "code":-11,
http: POST /api/v1/getRoomInfo?rid=1 200 (Authorization: Bearer bbbbbbbbbbbbbbbb) => "code":-11,
http: :$TEST_NGINX_IM_HTTP POST /api/v1/pushRoom?auth=bbbbbbbbbbbbbbbb&rid=1 200 {"msg":"x"} => "code":-11,
http: GET /im/rooms/1/history 200 => (?s)\A(?!.*"msg":"x"\}\}\]).*
http: DELETE /im/users/u2?for=0 200
http: POST /api/v1/pushRoom?auth=bbbbbbbbbbbbbbbb&rid=1 200 {"msg":"again"} => "code":0,
a: upto "msg":"again"
a: silent
--- no_error_log
[alert]



=== TEST 14: a token in the head of the request
--- websocket
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
a: recv op 4
http: POST /api/v1/pushRoom?rid=1 200 (Authorization: Bearer aaaaaaaaaaaaaaaa) {"msg":"head"} => "code":0,
a: recv {"code":0,"msg":"head","fuid":"u1","fname":"Ann","op":3}
http: POST /api/v1/pushRoom?rid=1&auth=aaaaaaaaaaaaaaaa 200 (Authorization: Bearer nobody) {"msg":"x"} => "code":-11,
http: POST /api/v1/push?userId=u1 200 (Authorization: Bearer bbbbbbbbbbbbbbbb) {"msg":"me"} => "code":0,
a: recv op 2 msg="me"
http: OPTIONS /api/v1/pushRoom 204 => (?i)Access-Control-Allow-Headers: Content-Type, Authorization\s
--- no_error_log
[alert]



=== TEST 15: what is asked of a room often is one request to its workers
--- websocket
http: GET /im/health 200
stop: job
until: /im/health jobs":0
redis: DEL im:{13}:q
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
until: /im/rooms/1 "count":[1-9]
same: 60 POST /api/v1/getRoomInfo?rid=1 => 60 \A\{"code":0,"msg":"success"\}
redis: EVAL local--[[]]n=0--[[]]for--[[]]_,q--[[]]in--[[]]ipairs(redis.call('KEYS','im:{*}:q'))do--[[]]for--[[]]_,e--[[]]in--[[]]ipairs(redis.call('XRANGE',q,'-','+'))do--[[]]if--[[]]e[2][2]=='r:1'then--[[]]n=n+1--[[]]end--[[]]end--[[]]end--[[]]return(n) 0 => ^([1-9]|1\d)$
start: job
--- no_error_log
[alert]



=== TEST 16: numbers that many ask for are one read, and reads of a room have a limit
--- websocket
until: POST /api/v1/online?rid=1 {} => "sessions":0\}
a: open /ws
a: send {"auth":"aaaaaaaaaaaaaaaa","roomId":1}
until: POST /api/v1/online?rid=1 {} => "data":\{"users":1,"guests":0,"sessions":1\}
same: 60 POST /api/v1/online?rid=1 => 60 "data":\{"users":1,"guests":0,"sessions":1\}
redis: SET im:{2}:l:o:1 9e15
until: POST /api/v1/online?rid=1 {} => "code":-1,
http: POST /api/v1/online?rid=1 200 => (?i)Retry-After: \d
redis: DEL im:{2}:l:o:1 => ^1$
http: POST /api/v1/online?rid=1 200 => "data":\{"users":1,"guests":0,"sessions":1\}
--- no_error_log
[alert]



=== TEST 17: rules of rooms are for these paths too
--- http_config
    im_room 1       history=100 ttl=1h;
    im_room 2       history=100 ttl=1h publish=none;
    im_room 3       history=100 ttl=1h publish=user;
    im_room 4       history=100 ttl=1h publish=member;
    im_room 5       history=100 ttl=1h publish=api;
    im_room 6       history=100 ttl=1h join=user;
    im_room 7       history=100 ttl=1h publish=none join=user;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /connection/websocket {
        im_comet protocol=centrifuge;
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
aaaaaaaaaaaaaaaa u1 Ann
bbbbbbbbbbbbbbbb u2 Bob
cccccccccccccccc u3 Carl 3,5
--- websocket
until: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=1 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=2 200 {"msg":"x"} => \A\{"code":-11,"msg":"发送失败"\}\s*\z
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=3 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=5 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=6 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=7 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?auth=cccccccccccccccc&rid=3 200 {"msg":"x"} => "code":0,
http: POST /api/v1/pushRoom?auth=cccccccccccccccc&rid=6 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/pushRoom?rid=6 200 {"msg":"x"} => "code":-11,
http: POST /api/v1/getRoomInfo?rid=6 200 => "code":-11,
http: POST /api/v1/getRoomInfo?rid=6&auth=nobody 200 => "code":-11,
http: POST /api/v1/getRoomInfo?rid=6&auth=aaaaaaaaaaaaaaaa 200 => "code":0,
http: POST /api/v1/count?rid=6&auth=cccccccccccccccc 200 => "code":-11,
http: POST /api/v1/online?rid=6 200 => \A\{"code":-11,"msg":"发送失败"\}\s*\z
http: POST /api/v1/online?rid=6&auth=cccccccccccccccc 200 => "code":-11,
http: POST /api/v1/online?rid=6&auth=aaaaaaaaaaaaaaaa 200 => \A\{"code":0,"msg":"success","data":\{"users":0,"guests":0,"sessions":0\}\}\s*\z
http: POST /api/v1/online 200 => "code":-11,
http: POST /api/v1/count?rid=1&auth=nobody 200 => "code":0,
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=4 200 {"msg":"x"} => "code":-11,
b: open /ws
b: send {"auth":"bbbbbbbbbbbbbbbb","roomId":4}
b: recv op 4
a: open /connection/websocket
a: send {"id":1,"connect":{"token":"aaaaaaaaaaaaaaaa"}}
a: like "connect":
http: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=4 200 {"msg":"x"} => "code":-11,
until: POST /api/v1/pushRoom?auth=bbbbbbbbbbbbbbbb&rid=4 {"msg":"in"} => "code":0,
b: recv msg "in"
a: send {"id":2,"subscribe":{"channel":"4"}}
a: like \A\{"id":2,"subscribe":
until: POST /api/v1/pushRoom?auth=aaaaaaaaaaaaaaaa&rid=4 {"msg":"too"} => "code":0,
b: upto "msg":"too"
b: close
until: POST /api/v1/pushRoom?auth=bbbbbbbbbbbbbbbb&rid=4 {"msg":"gone"} => "code":-11,
a: send {"id":3,"publish":{"channel":"1","data":1}}
a: upto "id":3,"error":\{"code":103
a: send {"id":4,"publish":{"channel":"2","data":1}}
a: upto "id":4,"error":\{"code":103
u: open /ws
u: send {"auth":"aaaaaaaaaaaaaaaa","roomId":5}
u: recv op 4
v: open /ws
v: send {"auth":"aaaaaaaaaaaaaaaa","roomId":5}
v: recv op 4
w: open /ws
w: send {"auth":"bbbbbbbbbbbbbbbb","room":"5"}
w: recv op 4
g: open /ws
g: send {"roomId":5}
g: recv op 4
until: POST /api/v1/online?room=5 {} => "data":\{"users":2,"guests":1,"sessions":4\}
g: close
until: POST /api/v1/online?rid=5 {} => "data":\{"users":2,"guests":0,"sessions":3\}
--- no_error_log
[alert]


=== TEST 18: an inbox without history keeps nothing
--- http_config
    im_room 1       history=100 ttl=1h;
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
aaaaaaaaaaaaaaaa u1 Ann
bbbbbbbbbbbbbbbb u2 Bob
dddddddddddddddd u4 Dan
--- websocket
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=nobody 200 {"msg":"x"} => \A\{"code":-11,"msg":"发送失败"\}\s*\z
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u4 200 {"msg":"x"} => "code":-11,
c: open /ws
c: send {"auth":"dddddddddddddddd","roomId":1}
c: recv op 4
until: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=u4 {"msg":"now"} => "code":0,
c: recv {"code":0,"msg":"now","fuid":"u1","fname":"Ann","op":2}
c: silent
--- no_error_log
[error]
[alert]



=== TEST 19: what a sender has kept for users that are away is bounded
--- http_config
    im_room 1       history=100 ttl=1h;
    im_inbox        history=5 ttl=1h;
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
aaaaaaaaaaaaaaaa u1 Ann
bbbbbbbbbbbbbbbb u2 Bob
dddddddddddddddd u4 Dan
--- websocket
until: POST /api/v1/push?auth=bbbbbbbbbbbbbbbb&userId=far {"msg":"x"} => "code":0,
same: 99 POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=away => 99 \A\{"code":-1,
same: 99 POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=away {"msg":"x"} => 99 \A\{"code":0,
until: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=away {"msg":"x"} => "code":-1,
http: POST /api/v1/push?auth=aaaaaaaaaaaaaaaa&userId=away2 200 {"msg":"x"} => (?i)Retry-After: \d
http: POST /api/v1/push?auth=bbbbbbbbbbbbbbbb&userId=away 200 {"msg":"x"} => "code":0,
--- no_error_log
[alert]
