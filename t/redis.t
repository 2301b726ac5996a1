# Redis away: at the start, in the middle, with and without what it knew.

use Test::Nginx::Socket 'no_plan';
use Test::Im;

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
start: redis
until: /im/health ^200
a: open /none
a: send {"roomId":1}
a: recv op 4
until: :$TEST_NGINX_IM_HTTP /im/online "connections":\s*1\b
push: room 1 "here"
a: recv msg "here"
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
until: 20 /im/rooms/3 "count":\s*1\b
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
until: /im/health ^200
push: room 4 4
a: recv msg 4
a: silent
--- no_error_log
[alert]



=== TEST 5: a policy that evicts: nginx answers 503, logic and job refuse
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
--- services: redis
--- not_ready
--- websocket
redis: CONFIG SET maxmemory-policy allkeys-lru
start: logic
output: logic (?i)maxmemory-policy
exit: logic 1
start: job
output: job (?i)maxmemory-policy
exit: job 1
--- no_error_log
[alert]



=== TEST 6: another number of partitions
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
--- services: redis
--- not_ready
--- websocket
redis: SET im:{reg}:conf 32
start: logic --partitions=16
output: logic (?i)partitions
exit: logic 1
start: job --partitions=16
output: job (?i)partitions
exit: job 1
--- no_error_log
[alert]
