# Kills of job, logic and workers: others take over, counts are right again.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();

run_tests();

__DATA__

=== TEST 1: a killed job: the other takes over within its lease
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /brief {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
        im_ping 8s timeout=16s;
    }
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
--- services: redis logic logic2 job job2
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
push: room 1 1
a: recv msg 1
kill: job
push: room 1 2
push: user u1 3
push: all 4
a: recv_set 2 3 4
start: job
push: room 1 5
a: recv msg 5
a: silent
--- no_error_log
[error]
[alert]



=== TEST 2: SIGTERM hands over at once
--- websocket
a: open /none
a: send {"roomId":2}
a: recv op 4
stop: job2
push: room 2 1
push: all 2
a: recv_set 1 2
start: job2
push: room 2 3
a: recv msg 3
a: silent
--- no_error_log
[error]
[alert]



=== TEST 3: all jobs away: pushes are accepted and come later
--- websocket
a: open /none
a: send {"roomId":3}
a: recv op 4
kill: job
kill: job2
push: room 3 1
push: room 3 2
a: silent
until: /status "link":"degraded"
logged: 1 Redis at .* is there
start: job
push: room 3 3
a: recv msg 1
a: recv msg 2
a: recv msg 3
a: silent
until: /status "link":"up"
logged: 1 Redis at .* is there
start: job2
--- no_error_log
[error]
[alert]



=== TEST 4: a killed logic: the other one answers
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":4}
a: recv op 4
kill: logic
push: room 4 1
push: room 4 2
push: room 4 3
a: recv msg 1
a: recv msg 2
a: recv msg 3
b: open /ws
b: send {"auth":"fedcba9876543210","roomId":4}
b: recv op 4
a: recv op 4 count=2
a: silent
start: logic
push: room 4 4
a: recv msg 4
b: recv msg 4
--- no_error_log
[alert]



=== TEST 5: SIGTERM of logic loses nothing
--- websocket
a: open /none
a: send {"roomId":5}
a: recv op 4
stop: logic2
push: room 5 1
push: room 5 2
start: logic2
push: room 5 3
a: recv msg 1
a: recv msg 2
a: recv msg 3
a: silent
pause: redis
stop: logic2
start: logic2 timeout=60s
stop: logic
ask: POST /im/push?room=5 4
resume: redis
answer: 200 "code":0,
start: logic
a: like "msg":"4"
until: :$TEST_NGINX_IM_HTTP /im/health ^200
until: :$TEST_NGINX_IM_HTTP2 /im/health ^200
--- no_error_log
[alert]



=== TEST 6: a killed worker: its counts are gone within a lease, the next one serves
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":6}
a: recv op 4
until: /im/rooms/6 "count":\s*1\b
kill: worker
a: eof
b: open /ws
b: send {"auth":"fedcba9876543210","roomId":6}
b: recv op 4
push: room 6 1
b: recv msg 1
until: /im/rooms/6 "count":\s*1\b
until: /im/online "connections":\s*1\b
until: /im/users/u1 "online":\s*false
until: /status "total":\{"workers":1,"sessions":1,
b: info {"u2":"Bob"}
b: silent
unlogged: \[error\]



=== TEST 7: a lease that is gone: all routes and members are told again
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":7}
a: recv op 4
until: /im/rooms/7 "user":"u1"
redis: ZREMRANGEBYRANK im:{reg}:nodes 0 -1
redis: DEL im:{2}:r:7:w => ^1$
log: the lease was not there: all routes are told again
until: :$TEST_NGINX_IM_HTTP /im/health "workers":1
until: :$TEST_NGINX_IM_HTTP2 /im/health "workers":1
until: /im/rooms/7 "count":\s*1\b
until: /im/rooms/7 "user":"u1"
push: room 7 1
# without routes the room had no members for a moment: the client may hear of it
a: upto "msg":1\b
unlogged: \[(error|alert)\]



=== TEST 8: a worker that stands still for longer than its lease and its pings
--- websocket
a: open /brief
a: send {"auth":"0123456789abcdef","roomId":7}
a: info {"u1":"Ann"}
b: open /ws
b: send {"auth":"fedcba9876543210","roomId":7}
a: info {"u1":"Ann","u2":"Bob"}
b: close 1000
a: info {"u1":"Ann"}
push: room 7 1
a: recv msg 1
pause: worker
until: :$TEST_NGINX_IM_HTTP /im/rooms/7 "count":\s*0\b
until: :$TEST_NGINX_IM_HTTP /im/health ^503
until: :$TEST_NGINX_IM_HTTP2 /im/health ^503
http: :$TEST_NGINX_IM_HTTP POST /im/push 503 {"rooms":["7"],"data":0}
pass: 10
resume: worker
log: the lease had lapsed: all routes are told again
a: ping there
a: recv_pong there
until: :$TEST_NGINX_IM_HTTP /im/health "workers":1
until: :$TEST_NGINX_IM_HTTP2 /im/health "workers":1
until: /im/rooms/7 "count":\s*1\b
push: room 7 2
a: recv msg 2
a: silent
unlogged: \[(error|alert)\]



=== TEST 9: a route that vanished is told again
--- http_config
    im_redis $TEST_NGINX_IM_REDIS refresh=1s;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 1
a: recv msg 1
redis: DEL im:{2}:r:7:w => ^1$
until: /im/rooms/7 "count":\s*1\b
push: room 7 2
a: recv msg 2
a: silent
redis: DEL im:{2}:r:7:w => ^1$
push: room 7 3
a: recv msg 3
a: silent
--- no_error_log
[error]
[alert]



=== TEST 10: a lost message is missed in a room that is never at rest
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 1
a: recv msg 1
redis: DEL im:{2}:r:7:w => ^1$
push: room 7 2
a: amid 40 /none {"roomId":7} => "msg":2\b
--- no_error_log
[error]
[alert]



=== TEST 11: an entry whose bell was lost arrives, and the order stays
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
push: room 1 "one"
a: recv msg "one"
redis: EVAL local--[[]]h=redis.call('keys','*r:1:h')[1]local--[[]]p=string.match(h,'^(.*})')local--[[]]d=redis.call('XRANGE',h,'-','+')[1][2][2]local--[[]]e=redis.call('HGET',p..':r:1:m','e')redis.call('HSET',p..':r:1:m','s',2)redis.call('XADD',h,'2-1','d',d)redis.call('XADD',p..':q','*','t','r:1','i',e..':2','w',redis.call('HKEYS',p..':r:1:w')[1],'d',d) 0
a: recv msg "one"
push: room 1 "three"
a: recv msg "three"
redis: EVAL local--[[]]h=redis.call('keys','*r:1:h')[1]local--[[]]p=string.match(h,'^(.*})')local--[[]]d=redis.call('XRANGE',h,'-','+')[1][2][2]local--[[]]e=redis.call('HGET',p..':r:1:m','e')redis.call('HSET',p..':r:1:m','s',4)redis.call('XADD',h,'4-1','d',d)redis.call('XADD',p..':q','*','t','r:1','i',e..':4','w',redis.call('HKEYS',p..':r:1:w')[1],'d',d) 0
push: room 1 "five"
a: recv msg "one"
a: recv msg "five"
a: silent
redis: CLIENT KILL TYPE pubsub
push: room 1 "six"
a: recv msg "six"
await: EVAL local--[[]]n=0--[[]]for--[[]]_,q--[[]]in--[[]]ipairs(redis.call('keys','*:q'))do--[[]]n=n+redis.call('XLEN',q)end--[[]]return(n) 0 => ^0$
--- no_error_log
[alert]



=== TEST 12: a queue with the consumer group of earlier versions
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
stop: job
redis: XGROUP CREATE im:{4}:q job $ MKSTREAM
push: room 1 "one"
push: room 1 "two"
redis: XREADGROUP GROUP job job-1-0 COUNT 1 STREAMS im:{4}:q >
start: job
a: recv msg "one"
a: recv msg "two"
push: room 1 "three"
a: recv msg "three"
a: silent
await: EVAL local--[[]]n=0--[[]]for--[[]]_,q--[[]]in--[[]]ipairs(redis.call('keys','*:q'))do--[[]]n=n+#redis.call('XINFO','GROUPS',q)+redis.call('XLEN',q)end--[[]]return(n) 0 => ^0$
unlogged: \[(error|alert)\]



=== TEST 13: what others delete or spoil is noticed within seconds
--- http_config
    im_room p:*  history=10 ttl=1h presence;
    im_room *    history=10 ttl=1h;
    im_inbox     history=10 ttl=1h;
    im_broadcast history=10 ttl=1h;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":8}
a: recv op 4
b: open /cf
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"subscribe":{"channel":"8"},"id":2}
b: like "id":2,"subscribe":
push: room 8 1
a: recv msg 1
b: like "offset":1
await: HVALS im:{13}:r:8:w => ^2:
redis: DEL im:{13}:r:8:w => ^1$
push: room 8 2
a: recv msg 2
b: like "offset":2
await: EXISTS im:{13}:r:8:w => ^1$
push: room 8 3
a: recv msg 3
b: like "offset":3
redis: SET im:{13}:r:8:w x
push: room 8 4
a: recv msg 4
b: like "offset":4
await: TYPE im:{13}:r:8:w => ^hash$
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('keys','*:r:8:k:*'))do--[[]]redis.call('DEL',k)end 0
await: EVAL return(#redis.call('keys','*:r:8:k:*')) 0 => ^1$
until: /im/rooms/8 "user":"u1"
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('keys','*:r:8:k:*'))do--[[]]redis.call('SET',k,'x')end 0
await: EVAL return(redis.call('TYPE',redis.call('keys','*:r:8:k:*')[1]).ok) 0 => ^hash$
until: /im/rooms/8 "user":"u1"
redis: DEL im:{13}:r:8:m => ^1$
await: HGET im:{13}:r:8:m s => ^4$
push: room 8 5
a: recv msg 5
b: like "code":2500
b: send {"subscribe":{"channel":"8"},"id":3}
b: like "id":3,"subscribe":
redis: SET im:{13}:r:8:m x
push: room 8 6
a: recv msg 6
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('keys','*:u:u1:w'))do--[[]]redis.call('DEL',k)end 0
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('keys','*:b:[wm]'))do--[[]]redis.call('DEL',k)end 0
push: user u1 7
push: all 8
a: recv_set 7 8
until: /im/users/u1 "online":\s*true
await: EVAL return(#redis.call('keys','*:b:[wm]')) 0 => ^2$
--- no_error_log
[error]
[alert]



=== TEST 14: an earlier position that was put back
--- websocket
b: open /cf
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"subscribe":{"channel":"9"},"id":2}
b: like "id":2,"subscribe":
push: room 9 1
push: room 9 2
b: like "offset":1
b: like "offset":2
redis: EVAL local--[[]]k=redis.call('keys','*:r:9:m')[1]redis.call('HSET',k,'s',1)redis.call('DEL',redis.call('keys','*:r:9:h')[1]) 0
b: like "code":2500
push: room 9 3
b: send {"subscribe":{"channel":"9"},"id":3}
b: like "id":3,"subscribe":.*"offset":2
--- no_error_log
[alert]



=== TEST 15: Redis was away for longer than leases last, and is there before the workers
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 1
a: recv msg 1
pause: worker
kill: redis
age: 60
start: redis
until: :$TEST_NGINX_IM_HTTP /im/health ^200.*"workers":1
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/7 200 => "count":\s*1\b
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["7"],"data":2}
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["7"],"data":3}
await: XLEN im:{2}:q => ^0$
redis: HLEN im:{2}:r:7:w => ^1$
resume: worker
a: recv msg 2
a: recv msg 3
until: POST /im/push {"rooms":["7"],"data":4} => ^200
a: recv msg 4
--- no_error_log
[alert]



=== TEST 16: workers of before have ended, and the next ones have no lease yet
--- websocket
a: open /none
a: send {"roomId":8}
a: recv op 4
push: room 8 1
a: recv msg 1
pause: worker
redis: ZREMRANGEBYRANK im:{reg}:nodes 0 -1 => ^1$
until: :$TEST_NGINX_IM_HTTP /im/health ^200.*"workers":0
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["8"],"data":2}
stop: logic
start: logic
until: :$TEST_NGINX_IM_HTTP /im/health ^503.*no nginx worker lives at this Redis: is im_redis of nginx the same, with its prefix= and db=\?
http: :$TEST_NGINX_IM_HTTP POST /im/push 503 {"rooms":["8"],"data":0}
resume: worker
a: recv msg 2
until: :$TEST_NGINX_IM_HTTP /im/health ^200.*"workers":1
--- no_error_log
[alert]



=== TEST 17: a route that is deleted while Redis is slow
--- http_config
    im_redis $TEST_NGINX_IM_REDIS timeout=20s;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /none
a: send {"roomId":8}
a: recv op 4
push: room 8 1
a: recv msg 1
redis: CLIENT PAUSE 6000 ALL
redis: DEL im:{13}:r:8:w => ^1$
until: 8 /im/rooms/8 "count":\s*1\b
push: room 8 2
a: recv msg 2
--- no_error_log
[alert]
