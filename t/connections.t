# All connections of a worker are in use.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

worker_connections(300);

run_tests();

__DATA__

=== TEST 1: connections are left to Redis, pushes and status
--- http_config
    im_drain 0;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
until: /status "link":"up"
a: many 101=236,503=4 /cf
each: a send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"c"}}
each: a upto "id":2,"subscribe"
knock: refused /cf
redis: CLIENT KILL TYPE pubsub
redis: CLIENT KILL TYPE normal
until: POST /im/push {"rooms":["c"],"data":1,"id":"p1"} => "code":0
each: a upto "data":1
until: /status "sessions":236,
knock: stop
--- no_error_log
[alert]
[emerg]



=== TEST 2: no connection is free, but those that are kept for Redis
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
until: /status "link":"up"
a: many 101=200 /none
each: a send {"roomId":1}
each: a upto "op":4
knock: slow
stop: redis
log: \[alert\] .*: 300 worker_connections are not enough$
start: redis
until: :$TEST_NGINX_IM_HTTP POST /im/push {"rooms":["1"],"data":{"msg":2},"id":"p2"} => "code":0
each: a upto "msg":2
knock: stop
--- error_log
[alert]
--- no_error_log
[emerg]



=== TEST 3: the same by connections that say nothing
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
until: /status "link":"up"
a: many 101=200 /none
each: a send {"roomId":1}
each: a upto "op":4
knock: silent
stop: redis
start: redis
until: POST /im/push {"rooms":["1"],"data":{"msg":2},"id":"p1"} => "code":0
each: a upto "msg":2
until: /status "sessions":200,
knock: stop
--- no_error_log
[emerg]
