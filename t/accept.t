# Many messages in one call of pub.lua: counts of calls, results of each, order.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: messages share calls
--- http_config
    im_room *   history=100 ttl=1h;
    im_inbox    history=10 ttl=1h;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /cf { im_comet protocol=centrifuge; im_auth none; im_connect /im_connect; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic
--- websocket
http: POST /im/push 200 {"users":["u"],"data":1}
redis: CONFIG RESETSTAT
http: POST /im/push 200 {"users":["x"MANY(399)],"data":2} => "code":0
redis: INFO commandstats => cmdstat_evalsha:calls=\d\d?,
redis: CONFIG RESETSTAT
http: POST /im/push 200 {"rooms":["x"MANY(199)],"data":3} => "code":0
redis: INFO commandstats => cmdstat_evalsha:calls=\d\d?,
--- no_error_log
[alert]
[error]



=== TEST 2: one that fails doesn't fail the others
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- http_config
    im_room *   history=100 ttl=1h;
--- websocket
http: POST /im/push 200 {"id":"a","rooms":["66"],"data":1}
http: POST /im/push 200 {"id":"a","rooms":["66","77","89"],"data":2} => \{"topic":"r:66","code":409,"msg":"[^"]+"\},\{"topic":"r:77","epoch":"[^"]+","seq":1\},\{"topic":"r:89","epoch":"[^"]+","seq":1\}
redis: HSET im:{15}:r:66:m s junk => ^0$
http: POST /im/push 200 {"rooms":["66","77","89"],"data":3} => \{"topic":"r:66","code":503,"msg":"[^"]+"\},\{"topic":"r:77","epoch":"[^"]+","seq":2\},\{"topic":"r:89","epoch":"[^"]+","seq":2\}
redis: DEL im:{15}:r:66:m => ^1$
http: POST /im/push 200 {"rooms":["66","77","89"],"data":4} => (?:"seq":\d+\}.*){3}
redis: CONFIG SET maxmemory 1
until: POST /im/push {"rooms":["66","77","89"],"data":5} => "code":503,"msg":"redis is out of memory"
redis: CONFIG SET maxmemory 0
until: POST /im/push {"rooms":["66","77","89"],"data":6} => "code":0
--- no_error_log
[alert]



=== TEST 3: the queue gets full within a call
--- websocket
a: open /ws
a: send {"roomId":11}
a: recv op 4
b: open /ws
b: send {"roomId":22}
b: recv op 4
c: open /ws
c: send {"roomId":33}
c: recv op 4
kill: job
stop: logic
start: logic --queue-cap=2
until: /im/health ^(200|503)
until: /im/online "connections":3\b
http: POST /im/push 200 {"rooms":["11","22","33"],"data":{"n":1}} => \{"topic":"r:11","epoch":"[^"]+","seq":\d+\},\{"topic":"r:22","epoch":"[^"]+","seq":\d+\},\{"topic":"r:33","code":503,"msg":"the queue is full"\}
a: silent
start: job
a: recv msg {"n":1}
b: recv msg {"n":1}
until: POST /im/push {"rooms":["33"],"data":{"n":2}} => "seq":
c: recv msg {"n":2}
--- no_error_log
[alert]



=== TEST 4: many targets go in slices, with others between
--- http_config
    im_room *   history=100 ttl=1h;
    im_inbox    history=10 ttl=1h;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
--- websocket
a: open /cf
a: send {"id":1,"connect":{}}
a: like ^\{"id":1,
a: send {"id":2,"subscribe":{"channel":"44"}}
a: like ^\{"id":2,
pause: redis
ask: :$TEST_NGINX_IM_HTTP POST /im/push {"rooms":["44"],"users":["u1","u2","u3","u4","u5","u6","u7","u8","u9","u10","u11","u12","u13","u14","u15","u16","u17","u18","u19","u20","u21","u22","u23","u24","u25","u26","u27","u28","u29","u30","u31","u32","u33","u34","u35","u36","u37","u38","u39","u40","u41","u42","u43","u44","u45","u46","u47","u48","u49","u50","u51","u52","u53","u54","u55","u56","u57","u58","u59","u60","u61","u62","u63","u64"],"data":"many"}
ask: :$TEST_NGINX_IM_HTTP POST /im/push {"rooms":["44"],"data":"one"}
until: :$TEST_NGINX_IM_HTTP /im/health ^
resume: redis
answer: 200 "topic":"r:44","epoch":"[^"]+","seq":2\b
answer: 200 "topic":"r:44","epoch":"[^"]+","seq":1\b
a: upto "data":"one".*"offset":1\b
a: upto "data":"many".*"offset":2\b
--- no_error_log
[alert]



=== TEST 5: idempotency keys: as long as they can help
--- http_config
    im_room *   history=100 ttl=1h;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic logic2 job
--- websocket
until: POST /im/push {"rooms":["11"],"data":0} => "code":0
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('KEYS','im:*:d:*'))do--[[]]redis.call('DEL',k)end 0
redis: CONFIG RESETSTAT
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["11"],"data":1}
redis: INFO commandstats => cmdstat_xadd:calls=1,
redis: KEYS im:*:d:* => ^$
http: POST /im/push 200 {"rooms":["11"],"data":2}
redis: EVAL return(redis.call('TTL',redis.call('KEYS','im:*:d:*')[1])) 0 => ^(?:[12]?\d|30)$
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('KEYS','im:*:d:*'))do--[[]]redis.call('DEL',k)end 0
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"id":"a","rooms":["11"],"data":3}
redis: EVAL return(redis.call('TTL',redis.call('KEYS','im:*:d:*')[1])) 0 => ^(?:300|2\d\d)$
--- no_error_log
[alert]



=== TEST 6: an im_logic dies behind what it has sent: nginx asks the other one, and the message is there once
--- websocket
a: open /ws
a: send {"roomId":12}
a: recv op 4
pause: redis
ask: POST /im/push {"rooms":["12"],"data":{"n":1}}
until: :$TEST_NGINX_IM_HTTP /im/health ^
kill: logic
resume: redis
answer: 200 "code":0
a: recv msg {"n":1}
start: logic
until: :$TEST_NGINX_IM_HTTP /im/health ^200
pause: redis
ask: POST /im/push {"rooms":["12"],"data":{"n":2}}
until: :$TEST_NGINX_IM_HTTP /im/health ^
kill: logic
resume: redis
answer: 200 "code":0
a: recv msg {"n":2}
redis: XLEN im:{12}:r:12:h => ^2$
a: silent
--- no_error_log
[alert]
