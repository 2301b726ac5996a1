# Clients that come back: what they have missed, once and in order, or that
# something is missing.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: im: positions, and what came meanwhile
--- http_config
    im_room 1          history=100 ttl=1h;
    im_room 2          history=4 ttl=1h;
    im_room 3          history=0;
    im_room 4          history=1000 ttl=1h;
    im_room room:*     history=100 ttl=1h;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
    im_limit           recovery=4k;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
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
a: open /none
a: send {"roomId":1,"seq":0}
a: like ^\{"op":7,"broadcast":true,"seq":\d+,"epoch":"\w+","recovered":true\}$
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)","recovered":true\}$
a: recv op 4 roomId=1
push: room 1 "one"
a: recv {"code":0,"msg":"one","fuid":"","fname":"","op":3,"seq":$seq,"epoch":"$epoch"}
a: cut
push: room 1 "two"
push: room 1 "three"
b: open /none
b: send {"roomId":1,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":1,"room":"1","seq":$s,"epoch":"$e","recovered":true}
b: recv msg "one"
b: recv msg "two"
b: recv {"code":0,"msg":"three","fuid":"","fname":"","op":3,"seq":$seq,"epoch":"$epoch"}
b: recv op 4
push: room 1 "four"
b: recv msg "four"
b: silent
--- no_error_log
[error]
[alert]



=== TEST 2: history is read once for all
--- websocket
a: open /none
a: send {"roomId":1,"epoch":""}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
push: room 1 1
push: room 1 2
a: recv msg 1
a: recv msg 2
redis: CONFIG RESETSTAT
b: open /none
b: send {"roomId":1,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv op 7 roomId=1 recovered=true
b: recv msg 1
b: recv msg 2
b: recv op 4
c: open /none
c: send {"roomId":1,"seq":$s,"epoch":"$e"}
c: recv op 7 broadcast=true
c: recv op 7 roomId=1 recovered=true
c: recv msg 1
c: recv msg 2
c: recv op 4
push: room 1 3
a: recv msg 3
d: open /none
d: send {"roomId":1,"seq":$s,"epoch":"$e"}
d: recv op 7 broadcast=true
d: recv op 7 roomId=1 recovered=true
d: recv msg 1
d: recv msg 2
d: recv msg 3
d: recv op 4
redis: INFO commandstats => cmdstat_xrevrange:calls=1,
until: /status "recovered":4\b
--- no_error_log
[alert]



=== TEST 3: what is gone from history is told, once
--- websocket
a: open /none
a: send {"roomId":2,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":2,"room":"2","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
push: room 2 1
push: room 2 2
a: recv msg 1
a: recv msg 2
a: close
until: /im/rooms/2 "count":\s*0\b
redis: EVAL return(redis.call('xtrim',redis.call('keys','*r:2:h')[1],'MAXLEN',1)) 0 => ^1$
b: open /none
b: send {"roomId":2,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":2,"room":"2","seq":$seq,"epoch":"$e","recovered":false}
b: recv op 4
push: room 2 3
b: recv msg 3
b: silent
--- no_error_log
[alert]



=== TEST 4: a place that is not known, nor to Redis
--- websocket
a: open /none
a: send {"roomId":1,"seq":9999,"epoch":"nosuchepoch"}
a: recv op 7 broadcast=true
a: recv op 7 roomId=1 recovered=false
a: recv op 4
push: room 1 1
a: recv msg 1
b: open /none
b: send {"roomId":1,"seq":9999999,"epoch":"$epoch"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":1,"room":"1","seq":$seq,"epoch":"$epoch","recovered":false}
b: recv op 4
c: open /none
c: send {"roomId":3,"seq":9999999,"epoch":"xx"}
c: recv op 7 broadcast=true
c: recv op 7 roomId=3 recovered=false
c: recv op 4
push: room 3 1
c: recv msg 1
c: silent
--- no_error_log
[alert]



=== TEST 5: more than an answer may be long is a hole
--- websocket
a: open /none
a: send {"roomId":4,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":4,"room":"4","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
http: POST /im/push 200 {"rooms":["4"],"data":"FILL(1500)"}
http: POST /im/push 200 {"rooms":["4"],"data":"FILL(1500)"}
push: room 4 "small"
a: like ^\{"code":0,"msg":"x{1500}"
a: like ^\{"code":0,"msg":"x{1500}"
a: recv msg "small"
b: open /none
b: send {"roomId":4,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":4,"room":"4","seq":$s,"epoch":"$e","recovered":true}
b: like ^\{"code":0,"msg":"x{1500}"
b: like ^\{"code":0,"msg":"x{1500}"
b: recv msg "small"
b: recv op 4
http: POST /im/push 200 {"rooms":["4"],"data":"FILL(1500)"}
push: room 4 "small"
b: like ^\{"code":0,"msg":"x{1500}"
b: recv msg "small"
c: open /none
c: send {"roomId":4,"seq":$s,"epoch":"$e"}
c: recv op 7 broadcast=true
c: recv {"op":7,"roomId":4,"room":"4","seq":$seq,"epoch":"$e","recovered":false}
c: recv op 4
c: silent
--- no_error_log
[alert]



=== TEST 6: the inbox of who was away, and everybody's
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":-1,"seq":0}
a: recv op 7 broadcast=true
a: like "op":7,"inbox":true,"session":"[0-9a-f-]{36}","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
push: user u1 "first"
a: like ^\{"code":0,"msg":"first",.*"op":2,"seq":$seq,"epoch":"$epoch"
a: close
push: user u1 "mail"
push: all "news"
b: open /ws
b: send {"auth":"0123456789abcdef","roomId":-1,"seq":0,"inbox":{"seq":$s,"epoch":"$e"}}
b: recv op 7 broadcast=true
b: like "op":7,"inbox":true,"session":"[0-9a-f-]{36}","seq":$s,"epoch":"$e","recovered":true\}
b: recv msg "first"
b: recv msg "mail"
push: user u1 "now"
b: recv msg "now"
b: silent
--- no_error_log
[alert]


=== TEST 7: Redis killed and back: an epoch that goes on
--- websocket
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":\d+,"epoch":"(?<old>\w+)"
a: recv op 4
c: open /cf
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2}
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":\{"recoverable":true,"epoch":"$old",.*"offset":(?<o>\d+)
push: room 1 "before"
a: recv msg "before"
c: like ^\{"push":\{"channel":"1","pub":\{"data":"before","offset":(?<at>\d+)\}\}\}$
kill: redis
start: redis
until: /im/health ^200
a: like_set ^\{"op":7,"broadcast":true,"seq":\d+,"epoch":"\w+","recovered":true\}$ || ^\{"op":7,"roomId":1,"room":"1","seq":$at,"epoch":"(?!$old)(?<e>\w+)","recovered":true\}$
push: room 1 "after"
a: recv {"code":0,"msg":"after","fuid":"","fname":"","op":3,"seq":$seq,"epoch":"$e"}
c: like_set ^\{"push":\{"channel":"#","subscribe":\{"recoverable":true,"epoch":"\w+","offset":\d+,"positioned":true\}\}\}$ || ^\{"push":\{"channel":"1","unsubscribe":\{"code":2500,"reason":"insufficient state"\}\}\}$
c: send {"subscribe":{"channel":"1","recover":true,"epoch":"$old","offset":$at},"id":3}
c: recv {"id":3,"subscribe":{"recoverable":true,"epoch":"$e","publications":[{"data":"after","offset":$seq}],"recovered":true,"offset":$at,"positioned":true,"was_recovering":true}}
b: open /none
b: send {"roomId":1,"seq":$at,"epoch":"$old"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":1,"room":"1","seq":$at,"epoch":"$e","recovered":true}
b: recv msg "after"
b: recv op 4
push: room 1 "end"
a: recv msg "end"
b: recv msg "end"
c: like ^\{"push":\{"channel":"1","pub":\{"data":"end"
until: /status "holes":0\b
--- no_error_log
[alert]



=== TEST 8: Redis that lost everything: a hole, told to all who can be told
--- websocket
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":\d+,"epoch":"(?<old>\w+)"
a: recv op 4
c: open /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,"connect":.*"epoch":"(?<all>\w+)"
push: all "everybody"
a: recv msg "everybody"
c: like ^\{"push":\{"channel":"#","pub":\{"data":"everybody","offset":(?<allat>\d+)\}\}\}$
push: room 1 "before"
a: recv msg "before"
kill: redis
wipe: redis
start: redis
until: /im/health ^200
a: like_set ^\{"op":7,"broadcast":true,"seq":0,"epoch":"\w+","recovered":false\}$ || ^\{"op":7,"roomId":1,"room":"1","seq":0,"epoch":"(?!$old)\w+","recovered":false\}$
c: recv_close 3010
push: room 1 "after"
a: recv msg "after"
b: open /none
b: send {"roomId":1,"seq":1,"epoch":"$old"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":1,"room":"1","seq":$seq,"epoch":"$epoch","recovered":false}
b: recv op 4
d: open /cf
d: send {"connect":{"subs":{"#":{"recover":true,"epoch":"$all","offset":$allat}}},"id":1}
d: like ^\{"id":1,"connect":\{.*"#":\{"recoverable":true,"epoch":"(?!$all)\w+","positioned":true,"was_recovering":true\}
d: send {"subscribe":{"channel":"1","recover":true,"epoch":"$old","offset":1,"flag":2},"id":2}
d: recv {"id":2,"error":{"code":112,"message":"unrecoverable position"}}
d: send {"subscribe":{"channel":"1","recover":true,"epoch":"$old","offset":1},"id":3}
d: recv {"id":3,"subscribe":{"recoverable":true,"epoch":"$epoch","offset":$seq,"positioned":true,"was_recovering":true}}
push: room 1 "end"
a: recv msg "end"
b: recv msg "end"
d: like ^\{"push":\{"channel":"1","pub":\{"data":"end"
--- no_error_log
[alert]



=== TEST 9: a topic is left in the middle of its message: that is finished
--- http_config
    im_limit topic_log=4m;
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
        location = /cf { im_comet protocol=centrifuge; im_auth none; }
    }
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open :$TEST_NGINX_IM_PORT2 /cf
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2} | {"subscribe":{"channel":"2"},"id":3}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
a: like ^\{"id":3,"subscribe":
http: POST /im/push 200 {"rooms":["1"],"data":"FILL(900000)"}
http: POST /im/push 200 {"rooms":["1"],"data":"FILL(900000)"}
push: room 2 "two"
until: /status "pushes":3\b
a: send_lines {"unsubscribe":{"channel":"1"},"id":4} | {"subscribe":{"channel":"1"},"id":5}
until: /status "messages_in":2\b
a: like ^\{"push":\{"channel":"1","pub":\{"data":"x{9,}","offset":1\}\}\}$
a: recv {"id":4,"unsubscribe":{}}
a: like_set ^\{"id":5,"subscribe":\{.*"offset":2 || "channel":"2","pub":\{"data":"two"
push: room 1 "end"
a: like ^\{"push":\{"channel":"1","pub":\{"data":"end","offset":3\}\}\}$
--- no_error_log
[alert]



=== TEST 10: a session that waits for its identity is not read from
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
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
--- websocket
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: send {"subscribe":{"channel":"1"},"id":2}
a: send_lines {"unsubscribe":{"channel":"1"},"id":3} | {"subscribe":{"channel":"1"},"id":4}
a: ping early
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
a: recv {"id":3,"unsubscribe":{}}
a: recv_pong early
a: like ^\{"id":4,"subscribe":
b: open /ws
b: send {"connect":{"token":"ffffffffffffffff"},"id":1}
b: send {"subscribe":{"channel":"1"},"id":2}
b: recv_close 3500
c: open /ws
c: send {"connect":{},"id":1}
c: recv_close 3501
--- no_error_log
[alert]



=== TEST 11: many at once, while there are pushes: history is read once
--- http_config
    im_room 1          history=1000 ttl=1h;
    im_broadcast       history=0;
    im_limit           unauthenticated=0 handshakes=0 auth_timeout=1h;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
push: room 1 1
push: room 1 2
push: room 1 3
a: recv msg 1
a: recv msg 2
a: recv msg 3
redis: CONFIG RESETSTAT
storm: 300 1 $s $e /none
redis: INFO commandstats => cmdstat_xrevrange:calls=1,
until: /status "recovered":300,"unrecovered":0,
--- no_error_log
[error]
[alert]



=== TEST 12: lost between Redis and the worker, and gone from history
--- http_config
    im_room 1          history=100 ttl=1h;
    im_room 3          history=0;
    im_broadcast       history=0;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
b: open /none
b: send {"roomId":1}
b: recv op 4
c: open /cf
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2} | {"subscribe":{"channel":"3"},"id":3}
c: like ^\{"id":1,"connect":
c: like_set ^\{"id":2,"subscribe": || ^\{"id":3,"subscribe":
d: open /none
d: send {"roomId":3,"seq":0}
d: recv op 7 broadcast=true
d: recv op 7 roomId=3
d: recv op 4
push: room 1 "seen"
a: recv msg "seen"
b: recv msg "seen"
c: like "data":"seen","offset":1\}
stop: job
push: room 1 "lost"
push: room 1 "lost"
push: room 3 "lost"
redis: EVAL return(redis.call('del',redis.call('keys','*r:1:h')[1])) 0
redis: EVAL return(redis.call('del',unpack(redis.call('keys','*}:q')))) 0
start: job
# from now on messages go straight to the worker, which may compare positions before
await: PUBSUB SHARDNUMSUB im:{4}:q => \b1$
push: room 1 "next"
a: recv {"op":7,"roomId":1,"room":"1","seq":3,"epoch":"$e","recovered":false}
a: recv msg "next"
b: recv msg "next"
c: recv {"push":{"channel":"1","unsubscribe":{"code":2500,"reason":"insufficient state"}}}
c: send {"subscribe":{"channel":"1","recover":true,"epoch":"$e","offset":1},"id":4}
c: recv {"id":4,"subscribe":{"recoverable":true,"positioned":true,"epoch":"$e","offset":4,"was_recovering":true}}
push: room 1 "end"
a: recv msg "end"
b: recv msg "end"
c: like "data":"end","offset":5\}
until: /status "holes":[12]\b
push: room 3 "end"
c: recv {"push":{"channel":"3","pub":{"data":"end"}}}
d: like ^\{"op":7,"roomId":3,"room":"3","seq":1,.*"recovered":false
d: recv msg "end"
c: silent
--- no_error_log
[alert]



=== TEST 13: more than may be kept: who was there first is read again
--- http_config
    im_room *          history=100 ttl=1h;
    im_broadcast       history=0;
    im_limit           windows=64k recovery=40k;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a1: open /none
a1: send {"roomId":1,"seq":0}
a1: recv op 7 broadcast=true
a1: like ^\{"op":7,"roomId":1,"room":"1","seq":0,"epoch":"(?<e1>\w+)"
a1: recv op 4
a2: open /none
a2: send {"roomId":2,"seq":0}
a2: recv op 7 broadcast=true
a2: like ^\{"op":7,"roomId":2,"room":"2","seq":0,"epoch":"(?<e2>\w+)"
a2: recv op 4
a3: open /none
a3: send {"roomId":3,"seq":0}
a3: recv op 7 broadcast=true
a3: like ^\{"op":7,"roomId":3,"room":"3","seq":0,"epoch":"(?<e3>\w+)"
a3: recv op 4
a4: open /none
a4: send {"roomId":4,"seq":0}
a4: recv op 7 broadcast=true
a4: like ^\{"op":7,"roomId":4,"room":"4","seq":0,"epoch":"(?<e4>\w+)"
a4: recv op 4
http: POST /im/push 200 {"rooms":["1","2","3","4"],"data":"FILL(15000)"}
http: POST /im/push 200 {"rooms":["1","2","3","4"],"data":"FILL(15000)"}
a1: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
a1: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
a2: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
a2: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
a3: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
a3: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
a4: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
a4: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
redis: CONFIG RESETSTAT
b0: open /none
b0: send {"roomId":1,"seq":0,"epoch":"$e1"}
b0: recv op 7 broadcast=true
b0: recv {"op":7,"roomId":1,"room":"1","seq":0,"epoch":"$e1","recovered":true}
b0: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
b0: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
b0: recv op 4
b1: open /none
b1: send {"roomId":2,"seq":0,"epoch":"$e2"}
b1: recv op 7 broadcast=true
b1: recv {"op":7,"roomId":2,"room":"2","seq":0,"epoch":"$e2","recovered":true}
b1: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
b1: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
b1: recv op 4
b2: open /none
b2: send {"roomId":3,"seq":0,"epoch":"$e3"}
b2: recv op 7 broadcast=true
b2: recv {"op":7,"roomId":3,"room":"3","seq":0,"epoch":"$e3","recovered":true}
b2: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
b2: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
b2: recv op 4
b3: open /none
b3: send {"roomId":4,"seq":0,"epoch":"$e4"}
b3: recv op 7 broadcast=true
b3: recv {"op":7,"roomId":4,"room":"4","seq":0,"epoch":"$e4","recovered":true}
b3: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
b3: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
b3: recv op 4
b4: open /none
b4: send {"roomId":4,"seq":0,"epoch":"$e4"}
b4: recv op 7 broadcast=true
b4: recv {"op":7,"roomId":4,"room":"4","seq":0,"epoch":"$e4","recovered":true}
b4: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
b4: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
b4: recv op 4
b5: open /none
b5: send {"roomId":1,"seq":0,"epoch":"$e1"}
b5: recv op 7 broadcast=true
b5: recv {"op":7,"roomId":1,"room":"1","seq":0,"epoch":"$e1","recovered":true}
b5: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":1,
b5: like ^\{"code":0,"msg":"x+","fuid":"","fname":"","op":3,"seq":2,
b5: recv op 4
redis: INFO commandstats => cmdstat_xrevrange:calls=5,
until: /status "recovered":6,"unrecovered":0,"window_bytes":[1-6]\d{4}\b
--- no_error_log
[error]
[alert]



=== TEST 14: recovery=cache: the last message, unless the client has it
--- http_config
    im_room now:*  history=5 ttl=1h recovery=cache;
    im_room one    history=1 ttl=1h recovery=cache;
    im_room shut:* history=5 ttl=1h history_for=none;
    im_room late:* history=5 ttl=1h recovery=latest;
    im_inbox       history=10 ttl=1h;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /im { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
http: POST /api/publish 200 {"channel":"now:1","data":1} => "epoch":"(?<e>\w+)"
push: room now:1 2
push: room now:1 3
push: room one 7
push: room shut:1 1
a: open /cf
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"now:1"},"id":2}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":\{"recoverable":true,"epoch":"$e","offset":3,"positioned":true\}\}$
a: send {"unsubscribe":{"channel":"now:1"},"id":3}
a: recv {"id":3,"unsubscribe":{}}
a: send {"subscribe":{"channel":"now:1","recover":true},"id":4}
a: recv {"id":4,"subscribe":{"recoverable":true,"epoch":"$e","publications":[{"data":3,"offset":3}],"recovered":true,"offset":2,"positioned":true,"was_recovering":true}}
b: open /cf
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"now:1","recover":true,"epoch":"$e","offset":1},"id":2} | {"subscribe":{"channel":"now:empty","recover":true},"id":3} | {"subscribe":{"channel":"one","recover":true,"epoch":"unknown","offset":99},"id":4} | {"subscribe":{"channel":"now:none","recover":true,"flag":2},"id":5}
b: like ^\{"id":1,"connect":
b: like_set ^\{"id":2,"subscribe":(?=.*"publications":\[\{"data":3,"offset":3\}\])(?=.*"recovered":true)(?=.*"offset":2,) || ^\{"id":3,"subscribe":(?!.*publications)(?!.*"recovered")(?=.*"was_recovering":true) || ^\{"id":4,"subscribe":(?=.*"publications":\[\{"data":7,"offset":1\}\])(?=.*"recovered":true) || ^\{"id":5,"error":\{"code":112,
c: open /cf
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"now:1","recover":true,"epoch":"$e","offset":3},"id":2}
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":(?!.*publications)(?=.*"recovered":true)(?=.*"offset":3,)
push: room now:1 4
a: recv {"push":{"channel":"now:1","pub":{"data":4,"offset":4}}}
c: recv {"push":{"channel":"now:1","pub":{"data":4,"offset":4}}}
push: room now:9 1
http: POST /api/history_remove 200 {"channel":"now:9"}
d: open /cf
d: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"now:9","recover":true},"id":2}
d: like ^\{"id":1,"connect":
d: like ^\{"id":2,"subscribe":(?!.*"recovered")(?=.*"was_recovering":true)(?=.*"offset":1,)
push: room late:1 1
push: room late:1 2
e: open /cf
e: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"late:1"},"id":2}
e: like ^\{"id":1,"connect":
e: like ^\{"id":2,"subscribe":(?=.*"publications":\[\{"data":2,"offset":2\}\])(?=.*"recovered":true)(?=.*"was_recovering":true)(?=.*"offset":1,)
i: open /im
i: send {"auth":"","room":"one","seq":0,"epoch":"","last":3}
i: upto "msg":7\b
j: open /im
j: send {"auth":"","room":"shut:1","last":3}
j: recv op 7 room="shut:1" seq=1
j: recv op 4
j: silent
--- no_error_log
[error]
[alert]
