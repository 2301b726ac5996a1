# What a rule lets clients do: publish, read history and ask who is there,
# also in rooms that they don't follow; joins for all; names without ":".

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: who publishes
--- http_config
    im_room none:*     history=10 ttl=1h publish=none;
    im_room member:*   history=10 ttl=1h publish=member;
    im_room user:*     history=10 ttl=1h publish=user;
    im_room anyone:*   history=10 ttl=1h publish=anyone;
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
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
00000000000000c1 u2 Cid user:2,anyone:2
--- websocket
until: /im/rooms/user:1 ^200
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":\{"client":"(?<a>[0-9a-f-]{36})"
a: send {"publish":{"channel":"none:1","data":1},"id":2}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"publish":{"channel":"member:1","data":1},"id":3}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
a: send {"publish":{"channel":"user:1","data":1},"id":4}
a: recv {"id":4,"publish":{}}
a: send {"subscribe":{"channel":"anyone:1"},"id":5}
a: like ^\{"id":5,"subscribe":
b: open /guest
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":\{"client":"(?<b>[0-9a-f-]{36})"
b: send {"publish":{"channel":"none:1","data":1},"id":2}
b: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
b: send {"publish":{"channel":"member:1","data":1},"id":3}
b: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
b: send {"publish":{"channel":"user:1","data":1},"id":4}
b: recv {"id":4,"error":{"code":103,"message":"permission denied"}}
b: send {"publish":{"channel":"anyone:1","data":{"n":1}},"id":5}
b: recv {"id":5,"publish":{}}
a: recv {"push":{"channel":"anyone:1","pub":{"data":{"n":1},"info":{"user":"","client":"$b"},"offset":1}}}
c: open /ws
c: send_lines {"connect":{"token":"00000000000000c1"},"id":1} | {"publish":{"channel":"anyone:1","data":1},"id":2} | {"publish":{"channel":"anyone:2","data":1},"id":3}
c: like ^\{"id":1,"connect":
c: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
c: recv {"id":3,"publish":{}}
--- no_error_log
[error]
[alert]



=== TEST 2: who reads history
--- http_config
    im_room none:*     history=10 ttl=1h history_for=none;
    im_room member:*   history=10 ttl=1h history_for=member;
    im_room user:*     history=10 ttl=1h history_for=user;
    im_room anyone:*   history=10 ttl=1h history_for=anyone;
    im_room $private   history=10 ttl=1h history_for=anyone;
    im_room silent     history=0 presence presence_for=anyone;
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
00000000000000c1 u2 Cid user:2,member:*
--- websocket
push: room none:1 1
push: room member:1 1
push: room user:1 {"n":1}
push: room user:1 {"n":2}
push: room anyone:1 {"n":1}
push: room $private 1
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":
a: send {"history":{"channel":"none:1","limit":1},"id":2}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"history":{"channel":"member:1","limit":1},"id":3}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
a: send {"history":{"channel":"user:1","limit":10},"id":4}
a: like ^\{"id":4,"history":\{"publications":\[\{"data":\{"n":1\},"offset":1\},\{"data":\{"n":2\},"offset":2\}\],"epoch":"(?<epoch>\w+)","offset":2\}\}$
a: send {"history":{"channel":"user:1","limit":10,"since":{"offset":1,"epoch":"$epoch"}},"id":5}
a: like ^\{"id":5,"history":\{"publications":\[\{"data":\{"n":2\},"offset":2\}\],"epoch":"$epoch","offset":2\}\}$
a: send {"history":{"channel":"user:1","limit":10,"since":{"offset":1,"epoch":"other"}},"id":6}
a: recv {"id":6,"error":{"code":112,"message":"unrecoverable position"}}
a: send {"history":{"channel":"anyone:1","limit":1},"id":7}
a: like ^\{"id":7,"history":\{"publications":\[\{"data":\{"n":1\},"offset":1\}\]
a: send {"history":{"channel":"anyone:new","limit":1},"id":8}
a: like ^\{"id":8,"history":\{"publications":\[\],"epoch":"","offset":0\}\}$
a: send {"history":{"channel":"$private","limit":1},"id":9}
a: recv {"id":9,"error":{"code":103,"message":"permission denied"}}
a: send_lines {"subscribe":{"channel":"none:1"},"id":10} | {"history":{"channel":"none:1","limit":1},"id":11}
a: like_set ^\{"id":10,"subscribe": || ^\{"id":11,"error":\{"code":103,
a: send_lines {"subscribe":{"channel":"member:1"},"id":12} | {"history":{"channel":"member:1","limit":1},"id":13}
a: like ^\{"id":12,"subscribe":
a: like ^\{"id":13,"history":\{"publications":\[\{"data":1,"offset":1\}\]
b: open /guest
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"history":{"channel":"user:1","limit":1},"id":2}
b: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
b: send {"history":{"channel":"anyone:1","limit":1},"id":3}
b: like ^\{"id":3,"history":\{"publications":\[\{"data":\{"n":1\},"offset":1\}\]
b: send {"history":{"channel":"silent","limit":1},"id":4}
b: recv {"id":4,"error":{"code":108,"message":"not available"}}
b: send {"history":{"channel":"unknown","limit":1},"id":5}
b: recv {"id":5,"error":{"code":102,"message":"unknown channel"}}
c: open /ws
c: send_lines {"connect":{"token":"00000000000000c1"},"id":1} | {"history":{"channel":"user:1","limit":1},"id":2} | {"history":{"channel":"user:2","limit":1},"id":3}
c: like ^\{"id":1,"connect":
c: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
c: like ^\{"id":3,"history":\{"publications":\[\]
--- no_error_log
[error]
[alert]



=== TEST 3: who asks who is there, on either node
--- http_config
    im_room none:*     history=0 presence presence_for=none;
    im_room member:*   history=0 presence;
    im_room user:*     history=0 presence presence_for=user;
    im_room anyone:*   history=0 presence presence_for=anyone;
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
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
start: nginx2
a: open /ws
a: send_lines {"connect":{"token":"0123456789abcdef"},"id":1} | {"subscribe":{"channel":"none:1","join_leave":true},"id":2} | {"subscribe":{"channel":"user:1"},"id":3} | {"subscribe":{"channel":"anyone:1"},"id":4}
a: like ^\{"id":1,"connect":\{"client":"(?<a>[0-9a-f-]{36})"
a: like ^\{"id":2,"subscribe":
a: like ^\{"id":3,"subscribe":
a: like ^\{"id":4,"subscribe":
until: POST /api/presence {"channel":"none:1"} => "user":"u1"
until: POST /api/presence {"channel":"user:1"} => "user":"u1"
until: POST /api/presence {"channel":"anyone:1"} => "user":"u1"
a: send {"presence":{"channel":"none:1"},"id":5}
a: recv {"id":5,"error":{"code":103,"message":"permission denied"}}
a: send {"presence_stats":{"channel":"none:1"},"id":6}
a: recv {"id":6,"error":{"code":103,"message":"permission denied"}}
b: open :$TEST_NGINX_IM_PORT2 /guest
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"presence":{"channel":"member:1"},"id":2}
b: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
b: send {"presence":{"channel":"user:1"},"id":3}
b: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
b: send {"presence":{"channel":"anyone:1"},"id":4}
b: recv {"id":4,"presence":{"presence":{"$a":{"user":"u1","client":"$a"}}}}
b: send {"presence_stats":{"channel":"anyone:1"},"id":5}
b: recv {"id":5,"presence_stats":{"num_clients":1,"num_users":1}}
b: send {"presence_stats":{"channel":"anyone:empty"},"id":6}
b: recv {"id":6,"presence_stats":{"num_clients":0,"num_users":0}}
c: open :$TEST_NGINX_IM_PORT2 /ws
c: send {"connect":{"token":"0123456789abcdef"},"id":1}
c: like ^\{"id":1,"connect":
c: send {"presence":{"channel":"user:1"},"id":2}
c: recv {"id":2,"presence":{"presence":{"$a":{"user":"u1","client":"$a"}}}}
c: send {"presence":{"channel":"none:1"},"id":3}
c: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
c: send {"subscribe":{"channel":"none:1"},"id":4}
c: like ^\{"id":4,"subscribe":
a: silent
--- no_error_log
[error]
[alert]



=== TEST 4: joins and leaves for all
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room all:*   history=10 ttl=1h presence join_leave=all;
    im_room shut:*  history=0 presence presence_for=none join_leave=all;
    im_room asked:* history=10 ttl=1h presence join_leave=asked;
    im_room 5       history=0 presence join_leave=all;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth jwt; }
    location = /im { im_comet protocol=im; im_auth jwt; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
start: nginx2
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","channels":["all:1"]})"}}
a: like "connect":\{"client":"(?<a>[-0-9a-f]{36})"
a: recv {"push":{"channel":"all:1","join":{"info":{"user":"u1","client":"$a"}}}}
a: send {"id":2,"subscribe":{"channel":"shut:1"}}
a: like ^\{"id":2,"subscribe":
a: recv {"push":{"channel":"shut:1","join":{"info":{"user":"u1","client":"$a"}}}}
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}}
b: like "connect":\{"client":"(?<b>[-0-9a-f]{36})"
b: send {"id":2,"subscribe":{"channel":"all:1"}}
b: like ^\{"id":2,"subscribe":
b: upto "join":\{"info":\{"user":"u2","client":"$b"\}
a: recv {"push":{"channel":"all:1","join":{"info":{"user":"u2","client":"$b"}}}}
http: POST /api/subscribe 200 {"user":"u2","channel":"shut:1"}
b: upto "channel":"shut:1","join":\{"info":\{"user":"u2","client":"$b"\}
a: recv {"push":{"channel":"shut:1","join":{"info":{"user":"u2","client":"$b"}}}}
b: send {"id":3,"unsubscribe":{"channel":"all:1"}}
b: upto ^\{"id":3,"unsubscribe":
a: recv {"push":{"channel":"all:1","leave":{"info":{"user":"u2","client":"$b"}}}}
b: send {"id":4,"subscribe":{"channel":"asked:1"}}
b: upto ^\{"id":4,"subscribe":
a: send {"id":3,"subscribe":{"channel":"asked:1"}}
a: like ^\{"id":3,"subscribe":
b: silent
a: silent
--- no_error_log
[error]
[alert]



=== TEST 5: pages of another protocol in such a room see nothing new
--- websocket
c: open /im
c: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":5}
c: upto "u1"
d: open /ws
d: send_lines {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}} | {"id":2,"subscribe":{"channel":"5"}}
d: like "connect":\{"client":"(?<d>[-0-9a-f]{36})"
d: like ^\{"id":2,"subscribe":
d: upto "join":\{"info":\{"user":"u2","client":"$d"\}
push: room 5 {"msg":"x"}
c: upto "msg":"x"
--- no_error_log
[error]
[alert]



=== TEST 6: names without a namespace
--- http_config
    im_room *       history=1 ttl=1h namespace=none;
    im_room news*   history=2 ttl=1h namespace=none;
    im_room chat:*  history=0;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
push: room plain 1
push: room chat:1 1
push: room news1 1
http: POST /im/push?room=other:1 404 x
http: POST /im/push?room=news:1 404 x
http: POST /api/history 200 {"channel":"plain","limit":1} => "offset":1
http: POST /api/history 200 {"channel":"chat:1","limit":1} => "code":108
http: POST /api/history 200 {"channel":"news:1","limit":1} => "code":102
a: open /ws
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"plain"},"id":2} | {"subscribe":{"channel":"chat:1"},"id":3} | {"subscribe":{"channel":"other:1"},"id":4}
a: like ^\{"id":1,"connect":
a: like_set ^\{"id":2,"subscribe":\{"recoverable":true || ^\{"id":3,"subscribe":\{\}\}$ || ^\{"id":4,"error":\{"code":102,
--- no_error_log
[error]
[alert]



=== TEST 7: all names, and those without a namespace
--- http_config
    im_room *       history=0;
    im_room *       history=1 ttl=1h namespace=none;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
push: room plain 1
http: POST /api/history 200 {"channel":"plain","limit":1} => "offset":1
http: POST /api/history 200 {"channel":"a:b","limit":1} => "code":108
a: open /ws
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"plain"},"id":2} | {"subscribe":{"channel":"a:b"},"id":3}
a: like ^\{"id":1,"connect":
a: like_set ^\{"id":2,"subscribe":\{"recoverable":true || ^\{"id":3,"subscribe":\{\}\}$
--- no_error_log
[error]
[alert]



=== TEST 8: who joins
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room token:*  history=10 ttl=1h join=token publish=anyone;
    im_room hooked   history=0 join=token;
    im_room 5        history=0 join=token;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_connect /im_connect;
    }
    location = /hooked {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_webhook subscribe /hook;
    }
    location = /hook {
        internal;
        default_type application/json;
        return 200 '{"result":{}}';
    }
    location = /im { im_comet protocol=im; im_auth jwt; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","channels":["token:2"]})"}}
a: like ^\{"id":1,"connect":.*"token:2":
a: send {"id":2,"subscribe":{"channel":"token:1"}}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"id":3,"publish":{"channel":"token:1","data":1}}
a: recv {"id":3,"publish":{}}
a: send {"id":4,"subscribe":{"channel":"token:1","token":"JWT(HS256 hs256 {"sub":"u1","channel":"token:1"})"}}
a: like ^\{"id":4,"subscribe":
http: POST /api/subscribe 200 {"user":"u1","channel":"token:3"} => ^\{"result":\{\}\}
a: like ^\{"push":\{"channel":"token:3","subscribe":
b: open /hooked
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}}
b: like ^\{"id":1,"connect":
b: send {"id":2,"subscribe":{"channel":"hooked"}}
b: like ^\{"id":2,"subscribe":
c: open /im
c: send {"auth":"JWT(HS256 hs256 {"sub":"u3"})","roomId":5}
c: recv_close 1008 /token/
--- no_error_log
[error]
[alert]
