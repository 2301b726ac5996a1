# The centrifuge protocol: commands, their answers and errors.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

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
    im_limit           topics=5;
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
        im_ping 1s timeout=2s;
    }
    location = /answers {
        im_comet protocol=centrifuge;
        im_auth none;
        im_ping 4s timeout=60s;
    }
    location = /late {
        im_comet protocol=centrifuge;
        im_auth none;
        im_limit auth_timeout=1s;
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
a: like ^\{"id":1,"connect":\{"client":"(?<client>[0-9a-f-]{36})",.*"subs":\{"#":\{.*"ping":1000,"pong":true
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



=== TEST 3: what a subscription is refused for
--- websocket
a: open /none
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
a: send {"subscribe":{"channel":"nothing"},"id":2}
a: recv {"id":2,"error":{"code":102,"message":"unknown channel"}}
a: send {"subscribe":{"channel":"users"},"id":3}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"$private"},"id":4}
a: recv {"id":4,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"#"},"id":5}
a: recv {"id":5,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"#u1"},"id":6}
a: recv {"id":6,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"open\u0001"},"id":7}
a: recv {"id":7,"error":{"code":107,"message":"bad request"}}
a: send {"subscribe":{"channel":"open","tf":{}},"id":8}
a: recv {"id":8,"error":{"code":107,"message":"bad request"}}
a: send {"subscribe":{"channel":"open","type":1},"id":9}
a: recv {"id":9,"error":{"code":108,"message":"not available"}}
a: send {"subscribe":{"channel":"open","delta":"fossil","flag":1},"id":10}
a: like ^\{"id":10,"subscribe":\{(?!.*delta)
a: send {"subscribe":{"channel":"open"},"id":11}
a: recv {"id":11,"error":{"code":105,"message":"already subscribed"}}
a: send {"subscribe":{"channel":"plain:1"},"id":12}
a: recv {"id":12,"subscribe":{}}
a: send {"subscribe":{"channel":"plain:2"},"id":13}
a: recv {"id":13,"subscribe":{}}
a: send {"subscribe":{"channel":"plain:3"},"id":14}
a: recv {"id":14,"subscribe":{}}
a: send {"subscribe":{"channel":"plain:4"},"id":15}
a: recv {"id":15,"subscribe":{}}
a: send {"subscribe":{"channel":"plain:5"},"id":16}
a: recv {"id":16,"error":{"code":106,"message":"limit exceeded"}}
a: send_lines {"unsubscribe":{"channel":"plain:1"},"id":17} | {"subscribe":{"channel":"plain:5"},"id":18}
a: recv {"id":17,"unsubscribe":{}}
a: recv {"id":18,"subscribe":{}}
a: send {"rpc":{"method":"m"},"id":19}
a: recv {"id":19,"error":{"code":108,"message":"not available"}}
a: send {"subscribe":{"channel":"open","recover":true,"epoch":"gone","offset":3,"flag":2},"id":20}
a: recv {"id":20,"error":{"code":105,"message":"already subscribed"}}
b: open /none
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"subscribe":{"channel":"open","recover":true,"epoch":"gone","offset":3,"flag":2},"id":22}
b: recv {"id":22,"error":{"code":112,"message":"unrecoverable position"}}
b: send {"subscribe":{"channel":"open","recover":true,"epoch":"gone","offset":3},"id":23}
b: like ^\{"id":23,"subscribe":\{(?!.*"recovered").*"was_recovering":true
--- no_error_log
[error]
[alert]



=== TEST 4: what ends a connection
--- websocket
a: open /none
a: send hello
a: recv_close 3501 /JSON/
a: open /none
a: send {}
a: recv_close 3501 /not connect/
a: open /none
a: send {"id":1,"subscribe":{"channel":"open"}}
a: recv_close 3501 /not connect/
a: open /none
a: send {"connect":{}}
a: recv_close 3501 /no id/
a: open /none
a: send {"id":1,"connect":{"token":5}}
a: recv_close 3501 /wrong type/
a: open /none
a: send_lines {"id":1,"connect":{}} | {"id":2,"connect":{}}
a: like ^\{"id":1,"connect":
a: recv_close 3501 /connected already/
a: open /none
a: send_lines {"id":1,"connect":{}} | {"id":2,"ping":{}}
a: like ^\{"id":1,"connect":
a: recv_close 3501 /ping/
a: open /none
a: send_lines {"id":1,"connect":{}} | {}
a: like ^\{"id":1,"connect":
a: recv_close 3501 /pong without a ping/
a: open /none
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{}}
a: like ^\{"id":1,"connect":
a: recv_close 3501 /no channel/
a: open /none
a: send_lines {"id":1,"connect":{}} | {"send":{"data":1}}
a: like ^\{"id":1,"connect":
a: recv_close 3508 /not available/
a: open /none
a: frame 1
a: recv_close 3501 /JSON/
--- no_error_log
[error]
[alert]



=== TEST 5: tokens that im_logic knows
--- websocket
a: open /ws
a: send {"id":1,"connect":{}}
a: recv_close 3501 /no token/
a: open /ws
a: send {"id":1,"connect":{"token":"unknown"}}
a: recv_close 3500 /token/
a: open /ws
a: send_lines {"id":1,"connect":{"token":"0123456789abcdef"}} | {"id":2,"subscribe":{"channel":"users"}}
a: like ^\{"id":1,"connect":\{.*"#u1":
a: like ^\{"id":2,"subscribe":\{
push: user u1 {"n":1}
a: recv {"push":{"channel":"#u1","pub":{"data":{"n":1},"offset":1}}}
b: open /ws
b: send_lines {"id":1,"connect":{"token":"00000000000000b1"}} | {"id":2,"subscribe":{"channel":"users"}} | {"id":3,"subscribe":{"channel":"plain:7"}}
b: like ^\{"id":1,"connect":\{.*"#u3":
b: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
b: recv {"id":3,"subscribe":{}}
--- no_error_log
[error]
[alert]



=== TEST 6: pings, and connects that don't come
--- websocket
b: open /short
b: send {"id":1,"connect":{}}
b: like ^\{"id":1,"connect":\{.*"ping":1,"pong":true
c: open /late
a: open /answers
a: send {"id":1,"connect":{}}
a: like ^\{"id":1,"connect":\{.*"ping":4,"pong":true
a: recv {}
a: send {}
a: recv {}
a: send {}
b: recv {}
b: recv_close 3012 /ping/
c: recv_close 3502 /in time/
a: recv {}
a: send {}
a: send {"id":2,"subscribe":{"channel":"plain:1"}}
a: recv {"id":2,"subscribe":{}}
--- no_error_log
[error]
[alert]



=== TEST 7: publish
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
00000000000000c1 u2 Cid user:2,member:*
--- websocket
until: /im/rooms/user:1 ^200
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
d: open /ws
d: send_lines {"connect":{"token":"00000000000000c1"},"id":1} | {"publish":{"channel":"user:1","data":1},"id":2} | {"publish":{"channel":"user:2","data":1},"id":3}
d: like ^\{"id":1,"connect":
d: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
d: recv {"id":3,"publish":{}}
--- no_error_log
[error]
[alert]



=== TEST 8: nobody to publish by
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



=== TEST 9: presence and history
--- http_config
    im_room p:*     history=10 ttl=1h presence;
    im_room bare    history=0;
    im_inbox        history=10 ttl=1h;
    im_broadcast    history=10 ttl=1h;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /guest { im_comet protocol=centrifuge; im_auth none; }
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
a: like ^\{"id":1,"connect":
a: send {"presence":{"channel":"p:1"},"id":2}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"history":{"channel":"p:1"},"id":3}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
a: send {"presence_stats":{"channel":"none"},"id":4}
a: recv {"id":4,"error":{"code":102,"message":"unknown channel"}}
a: send_lines {"subscribe":{"channel":"p:1"},"id":5} | {"presence_stats":{"channel":"p:1"},"id":6} | {"presence":{"channel":"p:1"},"id":7} | {"subscribe":{"channel":"bare"},"id":8}
a: like ^\{"id":5,"subscribe":
a: recv {"id":6,"presence_stats":{"num_clients":1,"num_users":1}}
a: like ^\{"id":7,"presence":\{"presence":\{"[0-9a-f-]{36}":\{"user":"u1","client":"[0-9a-f-]{36}"\}\}\}\}$
a: recv {"id":8,"subscribe":{}}
b: open /guest
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"p:1"},"id":2} | {"presence_stats":{"channel":"p:1"},"id":3}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":
b: recv {"id":3,"presence_stats":{"num_clients":2,"num_users":2}}
b: cut
a: send_lines {"history":{"channel":"p:1"},"id":9} | {"presence":{"channel":"bare"},"id":10} | {"history":{"channel":"bare"},"id":11} | {"history":{"channel":"#bob"},"id":12} | {"presence":{"channel":"#"},"id":13}
a: like ^\{"id":9,"history":\{"publications":\[\],"epoch":"\w+","offset":0\}\}$
a: recv {"id":10,"error":{"code":108,"message":"not available"}}
a: recv {"id":11,"error":{"code":108,"message":"not available"}}
a: recv {"id":12,"error":{"code":103,"message":"permission denied"}}
a: recv {"id":13,"error":{"code":108,"message":"not available"}}
push: user u1 {"n":1}
a: like "channel":"#u1"
push: all {"n":2}
a: like "channel":"#"
a: send {"history":{"channel":"#u1","limit":5},"id":14}
a: like ^\{"id":14,"history":\{"publications":\[\{"data":\{"n":1\},"offset":1\}\],
a: send {"history":{"channel":"#","limit":5,"reverse":true},"id":15}
a: like ^\{"id":15,"history":\{"publications":\[\{"data":\{"n":2\},"offset":1\}\],
a: send {"history":{"channel":"#","limit":5,"since":{"offset":1,"epoch":"other"}},"id":16}
a: recv {"id":16,"error":{"code":112,"message":"unrecoverable position"}}
a: send {"history":{"channel":"#","limit":5,"since":{"offset":1}},"id":17}
a: like ^\{"id":17,"history":\{"publications":\[\],
--- no_error_log
[error]
[alert]



=== TEST 10: nobody to ask
--- websocket
a: open /guest
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"p:1"},"id":2}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
stop: redis
log: lost|refused|connect
a: send_lines {"presence":{"channel":"p:1"},"id":3} | {"history":{"channel":"p:1"},"id":4} | {"unsubscribe":{"channel":"none"},"id":5}
a: recv {"id":3,"error":{"code":100,"message":"internal server error","temporary":true}}
a: recv {"id":4,"error":{"code":100,"message":"internal server error","temporary":true}}
a: recv {"id":5,"unsubscribe":{}}
start: redis
until: /im/rooms/p:1 "code":0
--- no_error_log
[alert]



=== TEST 11: more commands than a session may send wait, in order
--- http_config
    im_room open       history=10 ttl=1h;
    im_limit           commands=2;
--- config
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"connect":{},"id":1}
a: send_lines {"unsubscribe":{"channel":"open"},"id":2} | {"unsubscribe":{"channel":"open"},"id":3} | {"unsubscribe":{"channel":"open"},"id":4} | {"unsubscribe":{"channel":"open"},"id":5} | {"unsubscribe":{"channel":"open"},"id":6}
a: send_lines {"unsubscribe":{"channel":"open"},"id":7} | {"unsubscribe":{"channel":"open"},"id":8}
a: send {"unsubscribe":{"channel":"open"},"id":9}
a: ping late
a: like ^\{"id":1,"connect":
b: open /none
b: send {"connect":{},"id":1}
b: send {"unsubscribe":{"channel":"open"},"id":2}
b: like ^\{"id":1,"connect":
b: cut
a: recv {"id":2,"unsubscribe":{}}
a: recv {"id":3,"unsubscribe":{}}
a: recv {"id":4,"unsubscribe":{}}
a: recv {"id":5,"unsubscribe":{}}
a: recv {"id":6,"unsubscribe":{}}
a: recv {"id":7,"unsubscribe":{}}
a: recv {"id":8,"unsubscribe":{}}
a: recv {"id":9,"unsubscribe":{}}
elapsed: 2
a: recv_pong late
--- no_error_log
[error]
[alert]



=== TEST 12: long answers that are read late
--- http_config
    im_room long  history=20 ttl=1h;
    im_room other history=0;
--- config
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /none
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"long"},"id":2}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
flood: 15x60000 room long a
a: send_lines {"history":{"channel":"long","limit":-1},"id":10} | {"history":{"channel":"long","limit":-1},"id":11} | {"history":{"channel":"long","limit":-1},"id":12} | {"history":{"channel":"long","limit":-1},"id":13} | {"history":{"channel":"long","limit":-1},"id":14} | {"history":{"channel":"long","limit":-1},"id":15} | {"history":{"channel":"long","limit":-1},"id":16} | {"history":{"channel":"long","limit":-1},"id":17} | {"history":{"channel":"long","limit":-1},"id":18} | {"history":{"channel":"long","limit":-1},"id":19} | {"history":{"channel":"long","limit":-1},"id":20} | {"history":{"channel":"long","limit":-1},"id":21} | {"history":{"channel":"long","limit":-1},"id":22} | {"history":{"channel":"long","limit":-1},"id":23} | {"history":{"channel":"long","limit":-1},"id":24} | {"history":{"channel":"long","limit":-1},"id":25} | {"history":{"channel":"long","limit":-1},"id":26} | {"history":{"channel":"long","limit":-1},"id":27} | {"history":{"channel":"long","limit":-1},"id":28} | {"history":{"channel":"long","limit":-1},"id":29} | {"history":{"channel":"long","limit":-1},"id":30} | {"history":{"channel":"long","limit":-1},"id":31} | {"history":{"channel":"long","limit":-1},"id":32} | {"history":{"channel":"long","limit":-1},"id":33} | {"history":{"channel":"long","limit":-1},"id":34} | {"history":{"channel":"long","limit":-1},"id":35} | {"history":{"channel":"long","limit":-1},"id":36} | {"history":{"channel":"long","limit":-1},"id":37} | {"history":{"channel":"long","limit":-1},"id":38} | {"history":{"channel":"long","limit":-1},"id":39} | {"history":{"channel":"long","limit":-1},"id":40} | {"history":{"channel":"long","limit":-1},"id":41} | {"history":{"channel":"long","limit":-1},"id":42} | {"history":{"channel":"long","limit":-1},"id":43} | {"history":{"channel":"long","limit":-1},"id":44} | {"history":{"channel":"long","limit":-1},"id":45} | {"history":{"channel":"long","limit":-1},"id":46} | {"history":{"channel":"long","limit":-1},"id":47} | {"history":{"channel":"long","limit":-1},"id":48} | {"history":{"channel":"long","limit":-1},"id":49} | {"history":{"channel":"long","limit":-1},"id":50} | {"history":{"channel":"long","limit":-1},"id":51} | {"history":{"channel":"long","limit":-1},"id":52} | {"history":{"channel":"long","limit":-1},"id":53} | {"history":{"channel":"long","limit":-1},"id":54} | {"history":{"channel":"long","limit":-1},"id":55} | {"history":{"channel":"long","limit":-1},"id":56} | {"history":{"channel":"long","limit":-1},"id":57} | {"history":{"channel":"long","limit":-1},"id":58} | {"history":{"channel":"long","limit":-1},"id":59} | {"unsubscribe":{"channel":"long"},"id":99}
flood: 150x10 room other
a: upto ^\{"id":58,
a: like ^\{"id":59,"history":\{"publications":\[\{"data":.*"offset":15\}\}$
a: recv {"id":99,"unsubscribe":{}}
--- no_error_log
[error]
[alert]



=== TEST 13: Redis is away: what is followed here already goes on
--- http_config
    im_room open       history=10 ttl=1h;
    im_broadcast       history=0;
--- config
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location = /short {
        im_comet protocol=centrifuge;
        im_auth none;
        im_ping 1s timeout=2s;
        im_limit auth_timeout=10s;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
stop: redis
log: lost|refused|connect|away
a: open /short
a: send {"connect":{},"id":1}
a: recv_close 3004
start: redis
until: /im/health ^200
b: open /none
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"open"},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":.*"epoch":"(?<e>\w+)"
push: room open {"n":1}
b: like "offset":1\}
stop: redis
log: lost|refused|connect|away
c: open /none
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"open","recover":true,"epoch":"$e","offset":1},"id":2}
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":.*"recovered":true
start: redis
until: /im/health ^200
--- no_error_log
[alert]



=== TEST 14: history behind a place that the worker has is not read again
--- http_config
    im_room 1          history=10 ttl=1h;
--- config
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /none
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":.*"epoch":"(?<e>\w+)"
push: room 1 {"n":1}
push: room 1 {"n":2}
push: room 1 {"n":3}
a: like "offset":1\}
a: like "offset":2\}
a: like "offset":3\}
a: send_lines {"unsubscribe":{"channel":"1"},"id":3} | {"subscribe":{"channel":"1","recover":true,"epoch":"$e","offset":1},"id":4}
a: like ^\{"id":3,"unsubscribe":
a: like ^\{"id":4,"subscribe":.*"recovered":true.*"n":2.*"n":3
redis: DEL im:{4}:r:1:h => ^1$
a: send {"history":{"channel":"1","limit":5,"since":{"offset":1,"epoch":"$e"}},"id":5}
a: recv {"id":5,"history":{"publications":[{"data":{"n":2},"offset":2},{"data":{"n":3},"offset":3}],"epoch":"$e","offset":3}}
a: send {"history":{"channel":"1","limit":1,"since":{"offset":1,"epoch":"$e"}},"id":6}
a: recv {"id":6,"history":{"publications":[{"data":{"n":2},"offset":2}],"epoch":"$e","offset":3}}
a: send {"history":{"channel":"1","limit":5,"since":{"offset":3,"epoch":"$e"}},"id":7}
a: recv {"id":7,"history":{"publications":[],"epoch":"$e","offset":3}}
a: send {"history":{"channel":"1","limit":5,"reverse":true,"since":{"offset":3,"epoch":"$e"}},"id":8}
a: recv {"id":8,"history":{"publications":[],"epoch":"$e","offset":3}}
--- no_error_log
[error]



=== TEST 15: topics may take longer than pings are apart
--- http_config
    im_ping            1s timeout=30s;
--- config
    location = /user { im_comet protocol=centrifuge; im_auth none; im_user $arg_u; }
    location = /echo { im_comet protocol=echo; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
b: open /echo
pause: redis
a: open /user?u=ann
a: send {"connect":{},"id":1}
b: recv_ping
b: recv_ping
b: recv_ping
resume: redis
a: like ^\{"id":1,"connect":\{.*"ping":1
--- no_error_log
[alert]



=== TEST 16: pings are 25 s apart by default
--- config
    location = /none { im_comet protocol=centrifuge; im_auth none; }
--- deadlines
--- websocket
a: open /none
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":\{.*"ping":25,"pong":true
--- no_error_log
[alert]
