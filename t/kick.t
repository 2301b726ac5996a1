# Sessions that the backend closes, and users that it keeps out.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: all sessions of a user, on both nodes, and nobody else's
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
    location = /guest { im_comet protocol=centrifuge; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
00000000000000a1 u1 Ann
00000000000000f4 u/4 Dan
--- websocket
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"00000000000000a1","roomId":2}
b: recv op 4
c: open /ws
c: send {"auth":"fedcba9876543210","roomId":3}
c: recv op 4
http: DELETE /im/users/u1 200 => \A\{"code":0,"msg":"success","data":\{\}\}
a: recv_close 1008 /disconnected by the backend/
b: recv_close 1008
log: user: "u1".*code: 1008, why: disconnected by the backend
until: /im/users/u1 "online":\s*false
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
http: DELETE /im/users/u1?code=4001&reason=go%20away%20%E2%9C%93 200
a: recv_close 4001 /\Ago away \xE2\x9C\x93\z/
http: DELETE /im/users/nobody 200
c: silent
d: open :$TEST_NGINX_IM_PORT2 /ws
d: send {"auth":"00000000000000f4","roomId":4}
d: recv op 4
http: DELETE /im/users/u%2F4?code=1000 200
d: recv_close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: one session
--- websocket
until: /im/users/u1 "online":\s*false
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
until: /im/users/u1 "session":"[-0-9a-f]{36}"
http: GET /im/users/u1 200 => "session":"(?<sid>[-0-9a-f]{36})"
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"00000000000000a1","roomId":2}
b: recv op 4
http: DELETE /im/sessions/00000000-0000-4000-8000-000000000000 200
http: DELETE /im/sessions/$sid?reason=you 200
a: recv_close 1008 /\Ayou\z/
b: silent
http: DELETE /im/sessions/$sid 200
--- no_error_log
[error]
[alert]



=== TEST 3: a user that is kept out
--- websocket
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"00000000000000a1","roomId":2}
b: recv op 4
http: DELETE /im/users/u1?for=60 200
b: recv_close 1008
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv_close 1008
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"00000000000000a1","roomId":2}
b: recv_close 1008
c: open /connection/websocket
c: send {"id":1,"connect":{"token":"0123456789abcdef"}}
c: recv_close 3507
d: open /ws
d: send {"auth":"fedcba9876543210","roomId":3}
d: recv op 4
stop: nginx2
start: nginx2
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"00000000000000a1","roomId":2}
b: recv_close 1008
http: DELETE /im/users/u1?for=0 200
a: tries /ws {"auth":"0123456789abcdef","roomId":1} => "op":4
b: tries :$TEST_NGINX_IM_PORT2 /ws {"auth":"00000000000000a1","roomId":2} => "op":4
http: DELETE /im/users/u1?for=1 200
a: recv_close 1008
b: recv_close 1008
until: /im/users/u1 "online":\s*false
a: tries /ws {"auth":"0123456789abcdef","roomId":1} => "op":4
d: silent
--- no_error_log
[alert]



=== TEST 4: a kick that gets lost is made up for
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
stop: job
http: DELETE /im/users/u1?for=30 200
a: recv_close 1008 /kept out/
start: job
http: DELETE /im/users/u1?for=0 200
a: tries /ws {"auth":"0123456789abcdef","roomId":1} => "op":4
--- no_error_log
[alert]



=== TEST 5: centrifuge: disconnect, unsubscribe, refresh
--- websocket
a: open /connection/websocket
a: send {"id":1,"connect":{"token":"0123456789abcdef"}}
a: like "id":1,"connect":\{"client":"
a: send {"id":2,"subscribe":{"channel":"news"}}
a: like \A\{"id":2,"subscribe":\{
b: open :$TEST_NGINX_IM_PORT2 /connection/websocket
b: send {"id":1,"connect":{"token":"fedcba9876543210"}}
b: like "id":1,"connect":\{"client":"
b: send {"id":2,"subscribe":{"channel":"news"}}
b: like \A\{"id":2,"subscribe":\{
http: POST /api/unsubscribe 200 {"user":"u1","channel":"news"} => "result":\{\}
a: recv {"push":{"channel":"news","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}
push: room news {"x":1}
b: like "channel":"news","pub":
a: silent
http: POST /api/refresh 200 {"user":"u2","expire_at":2000000000} => "result":\{\}
b: like \A\{"push":\{"refresh":\{"expires":true,"ttl":\d+
http: POST /api/refresh 200 {"user":"u2","expired":true} => "result":\{\}
b: recv_close 3005
http: POST /api/disconnect 200 {"user":"u1"} => "result":\{\}
a: recv_close 3503 /force disconnect/
a: open /connection/websocket
a: send {"id":1,"connect":{"token":"0123456789abcdef"}}
a: like "id":1,"connect":\{"client":"(?<me>[-0-9a-f]{36})"
b: open :$TEST_NGINX_IM_PORT2 /connection/websocket
b: send {"id":1,"connect":{"token":"00000000000000a1"}}
b: like "id":1,"connect":\{"client":"
http: POST /api/disconnect 200 {"user":"u1","disconnect":{"code":4100,"reason":"elsewhere"},"whitelist":["$me"]} => "result":\{\}
b: recv_close 4100 /elsewhere/
a: silent
http: DELETE /im/sessions/$me 200
a: recv_close 3503
c: open /guest
c: send {"id":1,"connect":{}}
c: like "id":1,"connect":\{"client":"(?<guest>[-0-9a-f]{36})"
http: POST /api/disconnect 200 {"user":"nobody","client":"$guest"} => "result":\{\}
http: POST /api/disconnect 200 {"user":"nobody","client":"$guest","disconnect":{"code":4002,"reason":"not you"}} => "result":\{\}
c: silent
http: DELETE /im/sessions/$guest?code=4001&reason=you 200
c: recv_close 4001 /\Ayou\z/
--- no_error_log
[error]
[alert]



=== TEST 6: centrifuge: the server subscribes
--- websocket
a: open /connection/websocket
a: send {"id":1,"connect":{"token":"0123456789abcdef"}}
a: like "id":1,"connect":\{"client":"
push: room 61 {"n":1}
push: room 61 {"n":2}
push: room 61 {"n":3}
http: POST /api/subscribe 200 {"user":"u1","channel":"60","data":{"why":"x"}} => "result":\{\}
a: like ^\{"push":\{"channel":"60","subscribe":\{.*"data":\{"why":"x"\}
push: room 60 {"n":0}
a: like "channel":"60","pub":\{"data":\{"n":0\},"offset":1
http: POST /api/subscribe 200 {"user":"u1","channel":"60"} => "result":\{\}
http: POST /api/subscribe 200 {"user":"u1","channel":"61","recover_since":{"offset":1,"epoch":"$epoch"}} => "result":\{\}
a: like ^\{"push":\{"channel":"61","subscribe":\{
a: silent
http: POST /api/unsubscribe 200 {"user":"u1","channel":"61"} => "result":\{\}
a: like "channel":"61","unsubscribe":
push: room 61 {"n":4}
http: POST /api/subscribe 200 {"user":"u1","channel":"61","recover_since":{"offset":2,"epoch":"$epoch"}} => "result":\{\}
a: like ^\{"push":\{"channel":"61","subscribe":\{(?!.*publications).*"offset":2
a: like "channel":"61","pub":\{"data":\{"n":3\},"offset":3
a: like "channel":"61","pub":\{"data":\{"n":4\},"offset":4
push: room 61 {"n":5}
a: like "channel":"61","pub":\{"data":\{"n":5\},"offset":5
i: open /ws
i: send {"auth":"0123456789abcdef","roomId":1}
i: recv op 4
http: POST /api/subscribe 200 {"user":"u1","channel":"62"} => "result":\{\}
a: like ^\{"push":\{"channel":"62","subscribe":\{
push: room 62 {"n":6}
a: like "channel":"62","pub":
i: silent
--- no_error_log
[error]
[alert]



=== TEST 7: what isn't valid
--- websocket
http: DELETE /im/users/u1?code=1 400
http: DELETE /im/users/u1?code=5000 400
http: DELETE /im/users/u1?code=1001 400
http: DELETE /im/users/u1?code=x 400
http: DELETE /im/users/u1?code= 400
http: DELETE /im/users/u1?for=3601 400
http: DELETE /im/users/u1?for=-1 400
http: DELETE /im/users/u1?for=99999999999999999999 400
http: DELETE /im/users/u1?reason=%00 400
http: DELETE /im/users/u1?reason=%ff 400
http: DELETE /im/users/%00 400
http: DELETE /im/sessions/none 400
http: DELETE /im/sessions/00000000-0000-4000-8000-000000000000?for=5 400
http: POST /im/users/u1 405 => (?i)Allow: GET, DELETE, HEAD\b(?!,)
http: GET /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b
http: DELETE /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
http: DELETE /im/users/ 404
--- no_error_log
[error]
[alert]



=== TEST 8: the queue is full, too many are kept out, Redis is away
--- websocket
stop: logic
start: logic --queue-cap=1
until: /im/health "redis":
stop: job
http: DELETE /im/users/u9 200
http: DELETE /im/users/u9 503 => the queue is full
kept_out: 10001
http: DELETE /im/users/u9?for=5 503 => too many users are kept out
stop: redis
until: /im/health 503
http: DELETE /im/users/u9 503
--- no_error_log
[alert]



=== TEST 9: a token that logic never sees
--- http_config
    im_handover off;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth jwt; }
    location = /connection/websocket {
        im_comet protocol=centrifuge;
        im_auth jwt;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1}
a: recv op 4
http: DELETE /im/users/u1?for=60 200
a: recv_close 1008 /disconnected/
# the other worker may hear of it later
a: tries /ws {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1} => ^close 1008 .*kept out
b: tries /connection/websocket {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1"})"}} => ^close 3503
c: open /ws
c: send {"auth":"JWT(HS256 hs256 {"sub":"u2"})","roomId":1}
c: recv op 4
reload:
c: recv_close 1012
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1}
a: recv_close 1008 /kept out/
--- no_error_log
[error]
[alert]



=== TEST 10: a kick that comes late is not for who came since
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
fedcba9876543210 u2 Bob
--- websocket
stop: job
http: DELETE /im/users/u2 200
redis: EVAL for--[[]]_,q--[[]]in--[[]]ipairs(redis.call('KEYS','im:{*}:q'))do--[[]]local--[[]]e=redis.call('XRANGE',q,'-','+')[1]if--[[]]e--[[]]then--[[]]redis.call('DEL',q)redis.call('XGROUP','CREATE',q,'job','0','MKSTREAM')redis.call('XADD',q,(tonumber(string.match(e[1],'%d+'))-10000)..'-0',unpack(e[2]))end--[[]]end 0
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"fedcba9876543210","roomId":1}
b: recv op 4
start: job
push: user u2 "still"
b: recv op 2 msg="still"
a: recv op 4
http: DELETE /im/users/u1 200
a: recv_close 1008
b: info {"u2":"Bob"}
b: silent
--- no_error_log
[error]
[alert]



=== TEST 11: control entries that aren't valid
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /centrifuge { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- http_config
    im_room * history=0 presence;
--- websocket
a: open /ws
a: send {"roomId":1}
a: recv op 4
b: open /centrifuge
b: send {"id":1,"connect":{}}
b: like "connect":
b: send {"id":2,"subscribe":{"channel":"1","join_leave":true}}
b: like "subscribe":
b: like "join":
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:x','i','','w','*','d','garbage') 1 im:{0}:q
log: malformed control entry of topic "u:x"
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:x','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\99\0\0\0\0\0\0\2{}') 1 im:{0}:q
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:3','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\2[]') 1 im:{0}:q
log: control entry 3 of topic "u:3" is not valid
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:4','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0\0\0\0\2[]') 1 im:{0}:q
log: control entry 4 of topic "u:4" is not valid
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:5','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\2[]') 1 im:{0}:q
log: control entry 5 of topic "u:5" is not valid
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:6','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\6\0\0\0\0\0\0\2[]') 1 im:{0}:q
log: control entry 6 of topic "u:6" is not valid
redis: EVAL redis.call('XADD',KEYS[1],'*','t','r:1','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\2[]') 1 im:{0}:q
log: control entry 1 of topic "r:1" is not valid
redis: EVAL redis.call('XADD',KEYS[1],'*','t','r:1','i','','w','*','d','\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\20{"changes":[5,{}]}\32\32') 1 im:{0}:q
redis: EVAL redis.call('XADD',KEYS[1],'*','t','u:x','i','','w','*') 1 im:{0}:q
output: job entry is not a push, skipped
push: room 1 "after"
a: recv msg "after"
b: like "after"
b: silent
--- no_error_log
[alert]
