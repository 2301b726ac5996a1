# Redis away: at the start, in the middle, with and without what it knew.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: nginx starts without Redis, and serves when it comes
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
--- services: logic job
--- not_ready
--- websocket
a: refused 503 /(?i)Retry-After:/ /none
http: POST /im/push 503 {"rooms":["1"],"data":1} => (?i)Retry-After:
http: GET /im/health 503 => (?i)redis
log: Redis at ".*" is away \(commands\): No such file or directory
start: redis
until: /im/health ^200
a: open /none
a: send {"roomId":1}
a: recv op 4
until: :$TEST_NGINX_IM_HTTP /im/online "connections":\s*1\b
push: room 1 "here"
a: recv msg "here"
unlogged: redis (has|hides|uses)
--- no_error_log
[alert]



=== TEST 2: killed and back: sessions stay, nothing is lost or doubled
--- websocket
a: open /none
a: send {"roomId":2}
a: recv op 4
push: room 2 1
a: recv msg 1
kill: redis
a: silent
http: POST /im/push 503 {"id":"during","rooms":["2"],"data":2}
start: redis
until: /im/health ^200
http: POST /im/push 200 {"id":"during","rooms":["2"],"data":2}
push: room 2 3
a: recv msg 2
a: recv msg 3
a: silent
until: /im/rooms/2 "count":\s*1\b
b: open /none
b: send {"roomId":2}
b: recv op 4
push: room 2 4
a: recv msg 4
b: recv msg 4
until: /status "holes":0\b
--- no_error_log
[alert]



=== TEST 3: Redis that lost everything: new numbers, sessions go on
--- websocket
a: open /none
a: send {"roomId":3}
a: recv op 4
push: room 3 1
a: recv msg 1
kill: redis
wipe: redis
start: redis
until: /im/health ^200
until: /im/rooms/3 "count":\s*1\b
push: room 3 2
a: recv msg 2
a: silent
--- no_error_log
[alert]



=== TEST 4: connections cut by Redis: what was pushed meanwhile arrives
--- websocket
a: open /none
a: send {"roomId":4}
a: recv op 4
push: room 4 1
a: recv msg 1
redis: CLIENT KILL TYPE pubsub
push: room 4 2
push: room 4 3
a: recv msg 2
a: recv msg 3
redis: CLIENT KILL TYPE normal SKIPME yes
until: POST /im/push {"id":"redis-4","rooms":["4"],"data":4} => "code":0
a: recv msg 4
a: silent
--- no_error_log
[alert]



=== TEST 5: a policy that evicts: nginx answers 503, logic and job refuse
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis
--- redis
CONFIG SET maxmemory-policy allkeys-lru
--- not_ready
--- websocket
start: logic
output: logic (?i)maxmemory-policy
exit: logic 1
start: job
output: job (?i)maxmemory-policy
exit: job 1
log: can't be used: its "maxmemory-policy" is "allkeys-lru", not
a: refused 503 /(?i)Retry-After:/ /none
logged: 1 \[error\].*can't be used
redis: CONFIG SET maxmemory-policy noeviction
start: logic
start: job
until: /im/health ^200
a: open /none
a: send {"roomId":5}
a: recv op 4
until: /im/rooms/5 "count":\s*1\b
push: room 5 1
a: recv msg 1
--- no_error_log
[alert]



=== TEST 6: the policy is changed later: who is there stays
--- websocket
a: open /none
a: send {"roomId":6}
a: recv op 4
redis: CONFIG SET maxmemory-policy volatile-ttl
redis: CLIENT KILL TYPE normal SKIPME yes
log: can't be used: its "maxmemory-policy" is "volatile-ttl", not
b: refused 503 /(?i)Retry-After:/ /none
a: silent
redis: CONFIG SET maxmemory-policy noeviction
b: open /none
b: send {"roomId":6}
b: recv op 4
--- no_error_log
[alert]



=== TEST 7: nginx takes the number of partitions that is there
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis logic job
--- redis
SET im:{reg}:conf 5
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
push: room 1 1
a: recv msg 1
log: is there, 5 partitions
redis: GET im:{reg}:conf => ^5$
redis: EXISTS im:{0}:r:1:w => ^1$
--- no_error_log
[alert]



=== TEST 8: another number than nginx, logic and job were told
--- http_config
    im_redis $TEST_NGINX_IM_REDIS partitions=16;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis
--- redis
SET im:{reg}:conf 32
--- not_ready
--- websocket
start: logic --partitions=16
output: logic (?i)partitions
exit: logic 1
start: job --partitions=16
output: job (?i)partitions
exit: job 1
log: can't be used: .* another number of partitions: leave "partitions=" out to take that one
a: refused 503 /(?i)Retry-After:/ /none
logged: 1 \[error\].*can't be used
redis: SET im:{reg}:conf 16
start: logic --partitions=16
start: job --partitions=16
until: /im/health ^200
a: open /none
a: send {"roomId":1}
a: recv op 4
push: room 1 1
a: recv msg 1
--- no_error_log
[alert]



=== TEST 9: the number changes under nginx: it minds until it is right again
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
redis: SET im:{reg}:conf 32
redis: CLIENT KILL TYPE normal SKIPME yes
log: can't be used: its number of partitions has changed
b: refused 503 /(?i)Retry-After:/ /none
a: silent
redis: DEL im:{reg}:conf
b: open /none
redis: GET im:{reg}:conf => ^16e$
--- no_error_log
[alert]



=== TEST 10: data under decimal tags goes on, in all programs
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
    location /v1/user/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis logic job
--- redis
SET im:{reg}:conf 16
HSET im:{4}:r:1:m e 0123456789abcdef0 s 7 g 0123456789abcdef01234567 p \_
EVAL redis.call('XADD',KEYS[1],'7-1','d','\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\5"old"') 1 im:{4}:r:1:h
HSET im:{1}:t:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f UserId u7 UserName Old Im 1
HSET im:{0}:a:imported id u-imported name imported hash $6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxEcxV6d4J6.
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
push: room 1 "new"
a: recv msg "new"
http: GET /im/rooms/1/history 200 => "seq":7,[^{}]*"data":"old"\},\{"seq":8,[^{}]*"data":"new"
http: GET /im/rooms/1/history?since=0123456789abcdef0:7 200 => "messages":\[\{"seq":8,[^{}]*"data":"new"\}\]\}\}
http: POST /v1/user/login 200 {"UserName":"imported","Password":"secret1"} => "UserId":"u-imported","UserName":"imported"
redis: GET im:{reg}:conf => ^16$
redis: KEYS im:{*-*}:* => ^$
redis: PUBSUB CHANNELS im:{*-*}:* => ^$
redis: EXISTS im:{4}:r:1:w im:{4}:own => ^2$
redis: FLUSHALL
await: GET im:{reg}:conf => ^16$
await: EXISTS im:{4}:r:1:w => ^1$
until: POST /im/push {"rooms":["1"],"data":"again"} => ^200
a: recv msg "again"
redis: KEYS im:{*-*}:* => ^$
--- no_error_log
[alert]



=== TEST 11: new tags are even; others are refused while programs run
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis logic job
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
push: room 1 1
a: recv msg 1
log: is there, 16 partitions
redis: GET im:{reg}:conf => ^16e$
redis: EXISTS im:{4}:r:1:w im:{4}:own => ^2$
redis: KEYS im:{4-*}:r:1:w => .
redis: FLUSHALL
log: the lease was not there: all routes are told again
await: GET im:{reg}:conf => ^16e$
await: EXISTS im:{4}:r:1:w => ^1$
until: POST /im/push {"rooms":["1"],"data":2} => ^200
a: recv msg 2
redis: SET im:{reg}:conf 16
log: can't be used: the hash tags of its partitions have changed
until: /im/health ^503.*the hash tags of its partitions have changed
output: job can't be used: the hash tags of its partitions have changed
b: refused 503 /(?i)Retry-After:/ /none
redis: SET im:{reg}:conf 16e
until: /im/health ^200
b: open /none
until: POST /im/push {"rooms":["1"],"data":3} => ^200
a: recv msg 3
--- no_error_log
[alert]



=== TEST 12: a user of its own, a password, a database, a prefix
--- http_config
    im_redis $TEST_NGINX_IM_REDIS user=im password_file=$TEST_NGINX_SERVER_ROOT/html/password db=3 prefix=chat:;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- user_files
>>> password
secret
--- services: redis
--- redis
ACL SETUSER im on >secret ~chat:* ~im_* &chat:* +@all -@dangerous +info +config|get
--- not_ready
--- websocket
start: logic --redis-user=im --redis-password=secret --redis-db=3 --prefix=chat:
start: job --redis-user=im --redis-password-file=$TEST_NGINX_SERVER_ROOT/html/password --redis-db=3 --prefix=chat:
until: /im/health ^200
a: open /none
a: send {"roomId":1}
a: recv op 4
push: room 1 1
push: all 2
a: recv_set 1 2
until: /im/rooms/1 "count":\s*1\b
redis: DBSIZE => ^0$
--- no_error_log
[error]
[alert]



=== TEST 13: the wrong password, until it is right
--- http_config
    im_redis $TEST_NGINX_IM_REDIS user=im password=other prefix=chat:;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis
--- redis
ACL SETUSER im on >secret ~chat:* ~im_* &chat:* +@all -@dangerous +info +config|get
--- not_ready
--- websocket
a: refused 503 /(?i)Retry-After:/ /none
log: can't be used: WRONGPASS
redis: ACL SETUSER im >other
a: open /none
a: send {"roomId":1}
a: recv op 4
--- no_error_log
[alert]



=== TEST 14: settings that break a promise: each program warns, and health does
--- http_config
    im_redis $TEST_NGINX_IM_REDIS;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis logic job
--- redis
CONFIG SET appendonly no
CONFIG SET client-output-buffer-limit pubsub\_33554432\_8388608\_60
--- websocket
log: \[warn\].*redis has "appendonly no": when it ends, all messages and numbers are lost; CONFIG SET appendonly yes, also in redis.conf
log: \[warn\].*redis has "client-output-buffer-limit pubsub 33554432 8388608 60": .*; CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60", also
output: logic \[warn\].*redis has "appendonly no"
output: logic \[warn\].*redis has "client-output-buffer-limit
output: job \[warn\].*redis has "appendonly no"
until: /im/health "memory":\{"used":\d+,"max":0\},"warnings":\["redis has \\"appendonly no\\": [^"]*","redis has \\"client-output
logged: 1 redis has "appendonly no"
redis: CONFIG SET save 3600\_1
redis: CLIENT KILL TYPE normal SKIPME yes
log: redis has "appendonly no": when it ends, all since its last snapshot is lost
redis: CONFIG SET appendonly yes
redis: CONFIG SET client-output-buffer-limit pubsub\_268435456\_67108864\_60
redis: CONFIG SET timeout 3
redis: CLIENT KILL TYPE normal SKIPME yes
log: redis has "timeout 3": it closes connections that are in use; CONFIG SET timeout 0
redis: CONFIG SET timeout 0
redis: CONFIG SET no-appendfsync-on-rewrite yes
redis: CLIENT KILL TYPE normal SKIPME yes
log: redis has "no-appendfsync-on-rewrite yes"
redis: CONFIG SET no-appendfsync-on-rewrite no
redis: CONFIG SET appendfsync no
redis: CLIENT KILL TYPE normal SKIPME yes
log: redis has "appendfsync no"
redis: CONFIG SET appendfsync everysec
redis: CLIENT KILL TYPE normal SKIPME yes
log: \[notice\].*redis' settings are as they should be again
until: /im/health ^200(?!.*warnings)
--- no_error_log
[alert]



=== TEST 15: a Redis that hides its settings says so once, and what INFO tells counts
--- http_config
    im_redis $TEST_NGINX_IM_REDIS user=im password=secret prefix=chat:;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis
--- redis
CONFIG SET appendonly no
ACL SETUSER im on >secret ~chat:* ~im_* &chat:* +@all -@dangerous +info
--- not_ready
--- websocket
start: logic --redis-user=im --redis-password=secret --prefix=chat:
log: \[notice\].*redis hides its settings \(CONFIG GET is refused\): they are not checked
log: \[warn\].*redis has "appendonly no"
output: logic \[notice\].*redis hides its settings
logged: 1 redis hides its settings
--- no_error_log
[error]
[alert]



=== TEST 16: at maxmemory the log says what fills it
--- http_config
    im_redis $TEST_NGINX_IM_REDIS;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis logic
--- redis
EVAL for\_i=1,500\_do\_redis.call('SET','shop:'..i,string.rep('x',20000))end\_redis.call('SET','big"key',string.rep('x',9000000)) 0
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
push: room 1 1
a: recv msg 1
redis: CONFIG SET maxmemory 8388608
start: job
output: job \[error\].*redis: of \d+ keys with \d+ MB, (9\d|100) % keys of other programs
output: job \[error\].*redis: a large key: \d+ kB, keys of other programs, "big\?key"
output: job \[error\].*redis uses \d+ of 8 MB \(maxmemory\): it refuses pushes; give im a Redis of its own, or CONFIG SET maxmemory
until: /im/health "max":8388608\},"warnings":\["redis uses \d+ of 8 MB \(maxmemory\): pushes are refused; im_job's log
http: POST /im/push 503 {"rooms":["1"],"data":2}
b: open /none
b: send {"roomId":2}
b: recv op 4
b: close 1000
log: \[warn\].*redis uses \d+ of 8 MB \(maxmemory\): pushes are refused
redis: CONFIG SET maxmemory 0
push: room 1 3
a: recv msg 3
until: /im/health ^200(?!.*warnings)
--- no_error_log
[error]
[alert]
