# What logic tells: /im/online, /im/rooms, /im/users, /im/health.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: counts and lists
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
http: GET /im/online 200 => "connections":\s*0\b.*"users":\s*0\b
http: GET /im/rooms/1 200 => "room":"1","count":0
http: GET /im/users/u1 200 => "online":\s*false
http: GET /im/health 200 => "code":0
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"00000000000000a1","roomId":1}
b: recv op 4
c: open /ws
c: send {"auth":"fedcba9876543210","roomId":1}
c: recv op 4
d: open /ws
d: send {"roomId":1}
d: recv op 4
e: open /ws
e: send {"roomId":2}
e: recv op 4
until: /im/online "connections":\s*5\b.*"users":\s*2\b
until: /im/rooms/1 "count":\s*4\b
until: /im/rooms/1 "user":"u1","name":"Ann","sessions":2
until: /im/rooms/1 "user":"u2","name":"Bob","sessions":1
until: /im/rooms/2 "count":\s*1\b.*"users":\[\]
until: /im/users/u1 "online":\s*true
a: close 1000
until: /im/rooms/1 "count":\s*3\b
until: /im/rooms/1 "user":"u1","name":"Ann","sessions":1
until: /im/users/u1 "online":\s*true
b: cut
until: /im/users/u1 "online":\s*false
c: close
d: close
e: close
until: /im/online "connections":\s*0\b.*"users":\s*0\b
until: /im/rooms/1 "count":\s*0\b
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/1 200 => "count":\s*0
http: :$TEST_NGINX_IM_HTTP GET /im/health 200 => "code":0
--- no_error_log
[error]
[alert]



=== TEST 2: bad names
--- websocket
http: GET /im/rooms/%ff 400
http: GET /im/users/%00 400
http: GET /im/rooms/a%0Ab 400
--- no_error_log
[alert]



=== TEST 3: Redis away: 503, and health says so
--- websocket
kill: redis
until: /im/health ^503.*(?i)redis
http: POST /im/push 503 {"rooms":["1"],"data":1} => (?i)Retry-After:
http: GET /im/rooms/1 503 => (?i)Retry-After:
http: GET /im/users/u1 503
start: redis
until: /im/health ^200
push: room 1 "back"
--- no_error_log
[alert]



=== TEST 4: a room's history
--- http_config
    im_room 1    history=100 ttl=1h;
    im_room a/b  history=100 ttl=1h;
    im_room 2    history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
http: GET /im/rooms/1/history 200 => "data":\{"room":"1","epoch":"","seq":0,"messages":\[\]\}
http: GET /im/rooms/1/history?since=:0 200 => "epoch":"","seq":0,"messages":\[\]\}
http: POST /im/push 200 {"rooms":["1"],"id":"i1","from":{"user":"u7","name":"Bo"},"data":{"msg":1}}
http: POST /im/push?room=1 200 (Content-Type: text/plain) a "text"
http: POST /im/push 200 {"rooms":["1"],"data":[3]}
http: GET /im/rooms/1/history 200 => "epoch":"(?<began>\w+)","seq":3,"messages":\[\{"seq":1,"time":\d{13},"id":"i1","from":\{"user":"u7","name":"Bo"\},"data":\{"msg":1\}\},\{"seq":2,"time":\d{13},"data":"a \\"text\\""\},\{"seq":3,"time":\d{13},"data":\[3\]\}\]\}\}
http: GET /im/rooms/1/history?limit=1 200 => "messages":\[\{"seq":3,[^{}]*\}\]\}\}
http: GET /im/rooms/1/history?limit=0 200 => "epoch":"$began","seq":3,"messages":\[\]\}\}
http: GET /im/rooms/1/history?since=$began:1 200 => "messages":\[\{"seq":2,[^{}]*\},\{"seq":3,[^{}]*\}\]\}\}
http: GET /im/rooms/1/history?since=$began%3A0&limit=2 200 => "seq":2,"time":\d+,"data":"a \\"text\\""\}\],"more":true\}\}
http: GET /im/rooms/1/history?since=%3A0 200 => "messages":\[\{"seq":1,.*\{"seq":3,[^{}]*\}\]\}\}
http: GET /im/rooms/1/history?since=$began:3 200 => "messages":\[\]\}\}
http: GET /im/rooms/1/history?since=$began:4 200 => "messages":\[\],"hole":true\}\}
http: GET /im/rooms/1/history?since=other:1 200 => "messages":\[\],"hole":true\}\}
redis: XDEL im:{4}:r:1:h 1-1
http: GET /im/rooms/1/history?since=$began:0 200 => "messages":\[\{"seq":2,.*\],"hole":true\}\}
redis: DEL im:{4}:r:1:h
http: GET /im/rooms/1/history?since=$began:1 200 => "messages":\[\],"hole":true\}\}
push: room a/b "slash"
http: GET /im/rooms/a%2Fb/history 200 => "room":"a/b",.*"data":"slash"
http: GET /im/rooms/1/history?since=:0 200 => "messages":\[\],"hole":true\}\}
http: GET /im/rooms/1/history?since=nonsense 400 => since
http: GET /im/rooms/1/history?since=:1 400 => since
http: GET /im/rooms/1/history?limit=301 400 => limit
http: GET /im/rooms/1/history?limit= 400 => limit
http: GET /im/rooms/1/history?limit=1x 400 => limit
http: GET /im/rooms/1/history?limt=5 400 => "msg":"the query has no \\"limt\\": did you mean \\"limit\\"\?"
http: GET /im/rooms/1/history?limit=1&page=2 400 => "msg":"the query has no \\"page\\", but limit, since"
http: GET /im/rooms/1/history?limit=1&&_=123 400 => has no \\"_\\"
http: GET /im/rooms/1/history?api_key=x&limit=1 200
http: HEAD /im/rooms/1/history?limt=5 400
http: GET /im/rooms?to=5 400 => did you mean \\"top\\"\?
http: GET /im/rooms/1?limit=5 400 => "msg":"the query has no \\"limit\\": this path takes no query"
http: GET /im/online?x 400 => has no \\"x\\"
http: GET /im/nodes?x=1 400 => has no \\"x\\"
http: GET /im/bans?x=1 400 => has no \\"x\\"
http: GET /im/users/u1?x=1 400 => has no \\"x\\"
http: DELETE /im/users/u1?fro=600 400 => has no \\"fro\\", but code, reason, for"
http: GET /im/bans 200 => "bans":\[\]
http: DELETE /im/sessions/00000000-0000-4000-8000-000000000000?cod=3000 400 => did you mean \\"code\\"\?
http: GET /im/health?_=123 200
until: /im/rooms/3/history ^404.*no im_room rule
http: GET /im/rooms/2/history 404 => keeps no history
http: GET /im/rooms/%ff/history 400
http: POST /im/rooms/1/history 405
redis: SET im:{4}:r:1:h string
http: GET /im/rooms/1/history?since=$began:1 503 => redis refused it
redis: DEL im:{4}:r:1:h
redis: XADD im:{4}:r:1:h 3-1 d nonsense
http: GET /im/rooms/1/history 503 => nonsense
kill: redis
until: /im/health ^503.*(?i)redis
http: GET /im/rooms/1/history 503 => (?i)Retry-After:
--- no_error_log
[alert]
