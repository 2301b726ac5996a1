# A program that is stopped for longer than its deadlines: that is no silence of
# Redis, and no connection is cut.  A Redis that stands still is away.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();

run_tests();

__DATA__

=== TEST 1: a worker that stands still
--- http_config
    im_redis $TEST_NGINX_IM_REDIS timeout=2s;
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
redis: CLIENT LIST TYPE normal => (?s)id=(?<c1>\d+) addr=/.*?id=(?<c2>\d+) addr=/.*?id=(?<c3>\d+) addr=/
redis: CLIENT LIST TYPE pubsub => (?s)id=(?<p1>\d+) addr=/.*?id=(?<p2>\d+) addr=/
pause: worker
redis: SET standstill 1 PX 8000
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["7"],"data":2}
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["7"],"data":3}
await: EXISTS standstill => ^0$
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["7"],"data":4}
resume: worker
a: recv msg 2
a: recv msg 3
a: recv msg 4
push: room 7 5
a: recv msg 5
a: silent
redis: CLIENT LIST ID $c1 $c2 $c3 => (?s)id=.*\nid=.*\nid=
redis: CLIENT LIST ID $p1 $p2 => (?s)id=.*\nid=
unlogged: is away|no heartbeat|\[(warn|error|alert)\]



=== TEST 2: daemons that stand still
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 1
a: recv msg 1
redis: CLIENT LIST TYPE normal => (?s)id=(?<c1>\d+) addr=/.*?id=(?<c2>\d+) addr=/.*?id=(?<c3>\d+) addr=/
redis: CLIENT LIST TYPE pubsub => (?s)id=(?<p1>\d+) addr=/.*?id=(?<p2>\d+) addr=/
pause: job
redis: SET standstill 1 PX 8000
push: room 7 2
pause: logic
await: EXISTS standstill => ^0$
resume: logic
push: room 7 3
resume: job
a: recv msg 2
a: recv msg 3
push: room 7 4
a: recv msg 4
a: silent
redis: CLIENT LIST ID $c1 $c2 $c3 => (?s)id=.*\nid=.*\nid=
redis: CLIENT LIST ID $p1 $p2 => (?s)id=.*\nid=
--- no_error_log
[alert]



=== TEST 3: a Redis that stands still
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 1
a: recv msg 1
pause: redis
log: Redis at .* is away \((commands|pub/sub)\): no answer in time
resume: redis
log: Redis at .* is there
until: POST /im/push {"rooms":["7"],"data":2} => ^200
a: recv msg 2
push: room 7 3
a: recv msg 3
a: silent
--- no_error_log
[alert]
