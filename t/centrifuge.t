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
