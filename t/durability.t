# Pushes that are accepted when replicas have them.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: without a replica: stored, not confirmed; with one, the same id is accepted
--- http_config
    im_room *  history=100 ttl=1h publish=user;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth token; im_connect /im_connect; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location /v1/user/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
push: room 1 1
until: /im/health ^200 (?!.*replicas online)
http: POST /im/push 503 {"id":"a","rooms":["1"],"durability":"replica","data":2} => ^\{"code":5031,"msg":"stored, not confirmed; repeat with the same id: 0 of 1 replicas have it"\}$
http: POST /im/push 503 {"id":"a","rooms":["1"],"durability":"replica","data":2} => (?i)Retry-After: 1
push: room 1 3
until: /im/health ^200 .*redis has 0 of 1 replicas online.*REPLICAOF
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_durability_unconfirmed_total 2\b
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_pushes_refused_total\{reason="unconfirmed"\} 2\b
output: logic \[warn\].*pushes with durability=replica are answered with 503: 0 of 1 replicas have it
output: logic \[warn\].*redis has 0 of 1 replicas online
start: replica
await: INFO replication => state=online
until: POST /im/push {"id":"a","rooms":["1"],"durability":"replica","data":2} => ^200 .*"seq":2\b
http: POST /im/push 200 {"id":"a","rooms":["1"],"durability":"memory","data":2} => "seq":2\b
until: POST /im/push {"id":"b","rooms":["1"],"durability":"replica","data":4} => ^200 .*"seq":4\b
redis: :$TEST_NGINX_IM_REPLICA EVAL local\_n=0\_for\__,k\_in\_ipairs(redis.call('KEYS','im:*:r:1:h'))\_do\_n=n+redis.call('XLEN',k)\_end\_return\_n 0 => ^4$
output: logic \[notice\].*pushes with durability=replica are accepted again
until: /im/health ^200 (?!.*replicas online)
output: logic redis' settings are as they should be again
--- no_error_log
[alert]



=== TEST 2: a replica that stands still: 503, and all else goes on
--- websocket
pause: replica
amid: POST /im/push {"id":"p-COUNT","rooms":["2"],"durability":"replica","data":1} => POST /im/push 200 {"rooms":["2"],"data":2}
amid: POST /im/push {"id":"q-COUNT","rooms":["2"],"durability":"replica","data":1} => GET /im/rooms/2/history 200
amid: POST /im/push {"id":"r-COUNT","rooms":["2"],"durability":"replica","data":1} => POST /v1/user/check_auth 200 {"Auth":"0123456789abcdef"}
ask: POST /im/push {"id":"s","rooms":["3"],"durability":"replica","data":3}
await: INFO clients => blocked_clients:1
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":
a: send {"subscribe":{"channel":"2"},"id":2}
a: like ^\{"id":2,"subscribe":
push: room 2 "memory"
a: like "memory"
answer: 503 "code":5031,"msg":"stored, not confirmed; repeat with the same id: 0 of 1 replicas
resume: replica
until: POST /im/push {"id":"s","rooms":["3"],"durability":"replica","data":3} => ^200 .*"seq":1\b
--- no_error_log
[alert]



=== TEST 3: all replicas that are online count, and those that are demanded
--- websocket
start: replica2
await: INFO replication => (?s)state=online.*state=online
until: POST /im/push {"id":"1","rooms":["4"],"durability":"replica","data":1} => ^200 .*"seq":1\b
until: /im/health ^200 .*redis has 2 replicas online.*--replicas=2
pause: replica2
until: POST /im/push {"id":"2","rooms":["4"],"durability":"replica","data":2} => ^503 .*"code":5031,.*: 1 of 2 replicas have it
kill: replica2
await: INFO replication => connected_slaves:1
until: POST /im/push {"id":"2","rooms":["4"],"durability":"replica","data":2} => ^200 .*"seq":2\b
stop: logic
start: logic --replicas=2
until: /im/health ^200
until: POST /im/push {"id":"3","rooms":["4"],"durability":"replica","data":3} => ^503 .*"code":5031,.*: 1 of 2 replicas have it
until: /im/health ^200 .*redis has 1 of 2 replicas online
start: replica2
await: INFO replication => (?s)state=online.*state=online
until: POST /im/push {"id":"3","rooms":["4"],"durability":"replica","data":3} => ^200 .*"seq":3\b
kill: replica2
--- no_error_log
[alert]



=== TEST 4: a replica that is not online yet doesn't confirm
--- websocket
stop: logic
start: logic
until: /im/health ^200
kill: replica
redis: CONFIG SET repl-diskless-sync-delay 1000
start: replica
await: INFO replication => state=wait_bgsave
http: POST /im/push 503 {"id":"1","rooms":["5"],"durability":"replica","data":1} => "code":5031,.*: 0 of 1 replicas have it
redis: CONFIG SET repl-diskless-sync-delay 0
await: INFO replication => state=online
until: POST /im/push {"id":"1","rooms":["5"],"durability":"replica","data":1} => ^200 .*"seq":1\b
--- no_error_log
[alert]



=== TEST 5: many topics, one answer for each; the forms of the server API
--- websocket
pause: replica
http: POST /im/push 503 {"id":"m","rooms":["6","7"],"users":["u1"],"durability":"replica","data":1} => ^\{"code":5031,"msg":"stored.*"results":\[\{"topic":"r:6","code":5031,"msg":"stored, [^}]*\},\{"topic":"r:7","code":5031,[^}]*\},\{"topic":"u:u1","code":5031,
http: POST /im/push?room=6&id=q&durability=replica 503 (Content-Type: text/plain) hi => "code":5031
http: POST /api/publish 200 {"channel":"6","durability":"replica","data":1} => ^\{"error":\{"code":503,"message":"not confirmed: stored, not confirmed; repeat
http: POST /api/publish 503 (X-Centrifugo-Error-Mode: transport | Content-Type: application/json) {"channel":"6","durability":"replica","data":1} => ^\{"code":503,
http: POST /api/broadcast 200 {"channels":["6","#u1"],"durability":"replica","data":1,"idempotency_key":"b"} => ^\{"result":\{"responses":\[\{"error":\{"code":503,.*\{"error":\{"code":503,
http: POST /api/batch 200 {"commands":[{"publish":{"channel":"6","data":1}},{"publish":{"channel":"6","data":1,"durability":"replica"}}],"parallel":true} => ^\{"replies":\[\{"publish":\{.*\},\{"error":\{"code":503,
resume: replica
until: POST /im/push {"id":"m","rooms":["6","7"],"users":["u1"],"durability":"replica","data":1} => ^200 .*"topic":"r:6","epoch":"\w+","seq":1\}.*"seq":1\}.*"seq":1\}
until: POST /api/broadcast {"channels":["6","#u1"],"durability":"replica","data":1,"idempotency_key":"b"} => ^200 \{"result":\{"responses":\[\{"result":.*\{"result":
http: POST /im/push 400 {"rooms":["6"],"durability":"disk","data":1} => durability is \\"memory\\" or \\"replica\\", not \\"disk\\"
http: POST /im/push 400 {"rooms":["6"],"durability":"","data":1} => durability is
http: POST /im/push 400 {"rooms":["6"],"durability":1,"data":1} => durability
http: POST /im/push?room=6&durability=2 400 (Content-Type: text/plain) hi => durability is \\"memory\\" or
http: POST /im/push?durability=replica 400 {"rooms":["6"],"data":1} => durability= in the query goes with room=
http: POST /api/publish 200 {"channel":"6","durability":"all","data":1} => "code":107,"message":"bad request: durability is
http: POST /api/broadcast 400 (X-Centrifugo-Error-Mode: transport | Content-Type: application/json) {"channels":["6"],"durability":"all","data":1} => "code":107,"message":"bad request: durability is
--- no_error_log
[alert]



=== TEST 6: the master is killed meanwhile, and a replica promoted
--- websocket
until: POST /im/push {"id":"1","rooms":["8"],"durability":"replica","data":1} => ^200 .*"seq":1\b
http: POST /im/push 200 {"id":"1","rooms":["8"],"durability":"memory","data":1} => "epoch":"(?<first>\w+)","seq":1\b
pause: replica
ask: POST /im/push {"id":"2","rooms":["8"],"durability":"replica","data":2}
await: INFO clients => blocked_clients:1
kill: redis
answer: 503 ^\{"code":5031,"msg":"stored, not confirmed; repeat with the same id: redis is away"\}
resume: replica
promote: replica
until: /im/health ^200
http: POST /im/push 503 {"id":"1","rooms":["8"],"durability":"replica","data":1} => "code":5031,.*: 0 of 1 replicas have it
start: replica2 $TEST_NGINX_IM_REPLICA
await: :$TEST_NGINX_IM_REPLICA INFO replication => state=online
until: POST /im/push {"id":"1","rooms":["8"],"durability":"replica","data":1} => ^200 .*"epoch":"$first","seq":1\b
until: POST /im/push {"id":"2","rooms":["8"],"durability":"replica","data":2} => ^200 .*"seq":2\b
until: POST /im/push {"id":"3","rooms":["8"],"durability":"replica","data":3} => ^200 .*"seq":3\b
http: GET /im/rooms/8/history 200 => "seq":1,[^}]*"data":1\},\{"seq":2,[^}]*"data":2\},\{"seq":3,[^}]*"data":3\}\]
--- no_error_log
[alert]



=== TEST 7: by default, as configured; what clients publish too
--- http_config
    im_room *  history=100 ttl=1h publish=user;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth token; im_connect /im_connect; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- services: redis job
--- not_ready
--- tokens
0123456789abcdef u1 Ann
--- websocket
start: logic --durability=replica --replica-timeout=1500
until: /im/health ^200 .*redis has 0 of 1 replicas online
http: POST /im/push 503 {"id":"1","rooms":["1"],"data":1} => "code":5031,.*: 0 of 1 replicas have it
http: POST /im/push 200 {"id":"1","rooms":["1"],"durability":"memory","data":1} => "seq":1\b
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":
a: send {"publish":{"channel":"1","data":2},"id":2}
a: like ^\{"id":2,"error":\{"code":100,.*"temporary":true
log: the backend "/im_connect" can't publish: status 503, code 5031
start: replica
await: INFO replication => state=online
until: POST /im/push {"id":"1","rooms":["1"],"data":1} => ^200 .*"seq":1\b
a: send {"publish":{"channel":"1","data":3},"id":3}
a: recv {"id":3,"publish":{}}
until: POST /api/publish {"channel":"1","data":4,"idempotency_key":"k"} => "offset":4\b
logged: 0 \[alert\]
--- no_error_log
[alert]



=== TEST 8: connections for such pushes are opened when they are needed
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
push: room 1 1
start: replica
await: INFO replication => state=online
hide: redis
http: POST /im/push 503 {"id":"1","rooms":["1"],"durability":"replica","data":1} => "code":503,"msg":"redis is away"
output: logic \[warn\].*pushes with durability=replica are answered with 503: redis: No such file or directory
push: room 1 2
show: redis
until: POST /im/push {"id":"1","rooms":["1"],"durability":"replica","data":1} => ^200 .*"seq":3\b
output: logic \[notice\].*pushes with durability=replica are accepted again
--- no_error_log
[alert]



=== TEST 9: values of the options
--- config
    location = /x { return 204; }
--- services: redis
--- not_ready
--- websocket
start: logic2 --durability=disk
exit: logic2 2
output: logic2 durability.*disk.*must be memory or replica
start: logic2 --replicas=0
exit: logic2 2
output: logic2 replicas.*must be a number from 1 to 100
start: logic2 --replica-timeout=2000
exit: logic2 2
output: logic2 replica-timeout.*must be a number from 10 to 1500
--- no_error_log
[alert]
