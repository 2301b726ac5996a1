# Many join at once: their reports to Redis share calls, guests share what a
# worker knows, and each gets an answer.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(1);

run_tests();

__DATA__

=== TEST 1: topics of a partition share a call
--- http_config
    im_limit topics=300;
--- config
    location = /cf { im_comet protocol=centrifuge; }
    location /im/  { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /cf
a: send {"id":1,"connect":{}}
a: like "id":1,"connect"
redis: CONFIG RESETSTAT
a: subscribe 200 x
redis: INFO commandstats => cmdstat_evalsha:calls=\d\d?,
redis: INFO commandstats => cmdstat_hsetnx:calls=200,
push: room x200 {"msg":"a"}
a: like "channel":"x200","pub":\{"data":\{"msg":"a"\}
b: open /cf
b: send {"id":1,"connect":{}}
b: like "id":1,"connect"
redis: CONFIG RESETSTAT
b: subscribe 200 y
redis: INFO commandstats => cmdstat_evalsha:calls=\d\d?,
b: cut
push: room x1 {"msg":"b"}
a: like "channel":"x1","pub":\{"data":\{"msg":"b"\}
--- no_error_log
[error]
[alert]



=== TEST 2: guests get the room info that the worker has
--- config
    location = /ws { im_comet protocol=im; im_user $arg_user; }
    location /im/  { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":null,"roomId":7}
a: recv {"op":4,"roomId":7,"count":0,"roomUserInfo":{}}
redis: CONFIG RESETSTAT
g: many 101=50 /ws
each: g send {"auth":null,"roomId":7}
each: g recv {"op":4,"roomId":7,"count":0,"roomUserInfo":{}}
redis: INFO commandstats => (?s)\A(?!.*cmdstat_hgetall:)
u: open /ws?user=u1
u: send {"auth":null,"roomId":7}
u: recv {"op":4,"roomId":7,"count":1,"roomUserInfo":{"u1":""}}
a: recv {"op":4,"roomId":7,"count":1,"roomUserInfo":{"u1":""}}
each: g recv {"op":4,"roomId":7,"count":1,"roomUserInfo":{"u1":""}}
h: open /ws
h: send {"auth":null,"roomId":7}
h: recv {"op":4,"roomId":7,"count":1,"roomUserInfo":{"u1":""}}
u: cut
a: recv {"op":4,"roomId":7,"count":0,"roomUserInfo":{}}
h: recv {"op":4,"roomId":7,"count":0,"roomUserInfo":{}}
i: open /ws
i: send {"auth":null,"roomId":7}
i: recv {"op":4,"roomId":7,"count":0,"roomUserInfo":{}}
--- no_error_log
[error]
[alert]



=== TEST 3: clients that speak at once, after the worker stood still
--- config
    location = /ws { im_comet protocol=im; im_user $arg_user; }
--- websocket
g: many 101=300 /ws
pause: worker
each: g send {"auth":null,"roomId":8}
resume: worker
each: g recv {"op":4,"roomId":8,"count":0,"roomUserInfo":{}}
--- no_error_log
[error]
[alert]



=== TEST 4: of very many joins and leaves some are left out
--- http_config
    im_room * presence;
    im_limit joins=1;
--- config
    location = /cf     { im_comet protocol=centrifuge; im_auth none; }
    location = /status { im_status; }
--- websocket
a: open /cf
a: send {"id":1,"connect":{}}
a: like "id":1,"connect"
a: send {"id":2,"subscribe":{"channel":"9","join_leave":true}}
a: upto "id":2,"subscribe"
g: many 101=300 /cf
each: g send {"id":1,"connect":{}}
each: g like "id":1,"connect"
pause: worker
each: g send {"id":2,"subscribe":{"channel":"9"}}
resume: worker
each: g like "id":2,"subscribe"
log: im: some joins or leaves are left out: im_limit joins= is reached; 0 more
until: /status "joins":[1-9]
--- no_error_log
[error]
[alert]



=== TEST 5: a client that has gone when others are told of its join
The worker reads both in one turn.
--- http_config
    im_room * presence;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
--- websocket
start: nginx2
a: open :$TEST_NGINX_IM_PORT2 /cf
a: send {"id":1,"connect":{}}
a: like "id":1,"connect"
a: send {"id":2,"subscribe":{"channel":"11","join_leave":true}}
a: upto "id":2,"subscribe"
b: open /cf
b: send {"id":1,"connect":{}}
b: like "client":"(?<b>[^"]+)"
pause: worker
b: send {"id":2,"subscribe":{"channel":"11"}}
b: cut
resume: worker
a: upto "channel":"11","join":\{"info":\{"user":"","client":"$b"
a: like "channel":"11","leave":\{"info":\{"user":"","client":"$b"
--- no_error_log
[error]
[alert]
