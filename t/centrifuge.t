# The centrifuge protocol: commands, their answers and errors.

use Test::Nginx::Socket 'no_plan';
use Test::Im;

run_tests();

__DATA__

=== TEST 1: connect, subscribe, unsubscribe
--- http_config
    im_room open       history=10 ttl=1h;
    im_room plain:*    history=0;
    im_room users      history=10 ttl=1h join=user;
    im_room $*         history=10 ttl=1h;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
    im_limit           topics=6;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location = /short {
        im_comet protocol=centrifuge;
        im_auth none;
        im_limit auth_timeout=1s;
        im_ping 1s timeout=2s;
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
00000000000000b1 u3 Bo open,plain:*
--- websocket
a: open /none
a: send {"connect":{"name":"js"},"id":1}
a: like ^\{"id":1,"connect":\{"client":"(?<client>[0-9a-f-]{36})",.*"subs":\{"#":\{.*"ping":25,"pong":true
a: send {"subscribe":{"channel":"open"},"id":2}
a: like ^\{"id":2,"subscribe":\{.*"epoch":"\w+"
push: room open {"n":1}
a: like ^\{"push":\{"channel":"open","pub":\{"data":\{"n":1\},"offset":\d+
a: send {"unsubscribe":{"channel":"open"},"id":3}
a: recv {"id":3,"unsubscribe":{}}
push: room open {"n":2}
a: send {"unsubscribe":{"channel":"open"},"id":4}
a: recv {"id":4,"unsubscribe":{}}
a: send {"subscribe":{"channel":"plain:1"},"id":5}
a: recv {"id":5,"subscribe":{}}
push: room plain:1 {"n":3}
a: recv {"push":{"channel":"plain:1","pub":{"data":{"n":3}}}}
push: all {"n":4}
a: like ^\{"push":\{"channel":"#","pub":\{"data":\{"n":4\},"offset":\d+
--- no_error_log
[error]
[alert]



=== TEST 2: many commands in a message, in order
--- websocket
a: open /none
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"open"},"id":2} | {"subscribe":{"channel":"plain:1"},"id":3} | {"unsubscribe":{"channel":"open"},"id":4} | {"subscribe":{"channel":"open"},"id":5}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
a: recv {"id":3,"subscribe":{}}
a: recv {"id":4,"unsubscribe":{}}
a: like ^\{"id":5,"subscribe":
--- no_error_log
[alert]



=== TEST 40: publish
--- http_config
    im_room member:*   history=10 ttl=1h publish=member;
    im_room user:*     history=10 ttl=1h publish=user;
    im_room none:*     history=10 ttl=1h;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /guest {
        im_comet protocol=centrifuge;
        im_auth none;
        im_connect /im_connect;
    }
    location = /alone { im_comet protocol=centrifuge; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":\{"client":"(?<client>[0-9a-f-]{36})"
b: open /guest
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"member:1"},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":
a: send {"publish":{"channel":"member:1","data":1},"id":2}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"publish":{"channel":"user:1","data":{"n":[1]}},"id":3}
a: recv {"id":3,"publish":{}}
a: send {"publish":{"channel":"none:1","data":1},"id":4}
a: recv {"id":4,"error":{"code":103,"message":"permission denied"}}
a: send {"publish":{"channel":"other","data":1},"id":5}
a: recv {"id":5,"error":{"code":102,"message":"unknown channel"}}
a: send {"publish":{"channel":"user:1"},"id":6}
a: recv {"id":6,"error":{"code":107,"message":"bad request"}}
a: send_lines {"subscribe":{"channel":"member:1"},"id":7} | {"publish":{"channel":"member:1","data":{"n":2}},"id":8} | {"unsubscribe":{"channel":"none:1"},"id":9}
a: like ^\{"id":7,"subscribe":
b: like ^\{"push":\{"channel":"member:1","pub":\{"data":\{"n":2\},"info":\{"user":"u1","client":"[0-9a-f-]{36}"\},"offset":1\}\}\}$
b: send {"publish":{"channel":"user:1","data":1},"id":3}
b: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
b: send {"publish":{"channel":"member:1","data":"from b"},"id":4}
b: like "publish":\{\}|"data":"from b","info":\{"user":"","client":"[0-9a-f-]{36}"\},"offset":2
b: like "publish":\{\}|"data":"from b","info":\{"user":"","client":"[0-9a-f-]{36}"\},"offset":2
c: open /alone
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"member:2"},"id":2} | {"publish":{"channel":"member:2","data":1},"id":3}
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":
c: recv {"id":3,"error":{"code":108,"message":"not available"}}
--- no_error_log
[error]
[alert]



=== TEST 41: nobody to publish by
--- websocket
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":
stop: logic
a: send_lines {"publish":{"channel":"user:1","data":1},"id":2} | {"publish":{"channel":"none:1","data":1},"id":3}
a: recv {"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
start: logic
until: /im/rooms/user:1 "code":0
a: send {"publish":{"channel":"user:1","data":1},"id":4}
a: recv {"id":4,"publish":{}}
log: the backend "/im_connect" can't publish: status 502
--- no_error_log
[alert]
