# What one subscription has other than its room's rule says: "override" of the
# server API, of tokens and of webhooks.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: by the server API, on both nodes
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room seen:*  history=10 ttl=1h presence;
    im_room all:*   history=10 ttl=1h presence join_leave=all;
    im_room bare    history=0;
    im_room shut    history=0 presence presence_for=none;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth jwt; }
    location = /hooked {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_webhook subscribe /hook;
    }
    location = /hook {
        internal;
        default_type application/json;
        return 200 '{"result":{"override":{"presence":{"value":false},"force_recovery":{"value":false}}}}';
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
start: nginx2
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1"})"}}
a: like "connect":\{"client":"(?<a>[-0-9a-f]{36})"
a: send {"id":2,"subscribe":{"channel":"seen:1","join_leave":true}}
a: like ^\{"id":2,"subscribe":\{
a: recv {"push":{"channel":"seen:1","join":{"info":{"user":"u1","client":"$a"}}}}
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}}
b: like "connect":\{"client":"(?<b>[-0-9a-f]{36})"
http: POST /api/subscribe 200 {"user":"u2","channel":"seen:1","override":{"presence":{"value":false},"force_recovery":{"value":false},"force_positioning":{"value":false}}} => ^\{"result":\{\}\}
b: like ^\{"push":\{"channel":"seen:1","subscribe":\{(?!.*recoverable)(?!.*positioned)
c: open /ws
c: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u3"})"}}
c: like "connect":\{"client":"(?<c>[-0-9a-f]{36})"
http: POST /api/subscribe 200 {"user":"u3","channel":"seen:1","override":{"join_leave":{"value":false},"force_push_join_leave":{"value":true}}} => ^\{"result":\{\}\}
c: like ^\{"push":\{"channel":"seen:1","subscribe":\{(?=.*"recoverable":true)(?=.*"positioned":true)
until: POST /api/presence {"channel":"seen:1"} => (?=.*"u1")(?=.*"u3")
d: open :$TEST_NGINX_IM_PORT2 /ws
d: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u4"})"}}
d: like "connect":\{"client":"(?<d>[-0-9a-f]{36})"
d: send {"id":2,"subscribe":{"channel":"seen:1"}}
d: like ^\{"id":2,"subscribe":\{
a: recv {"push":{"channel":"seen:1","join":{"info":{"user":"u4","client":"$d"}}}}
c: recv {"push":{"channel":"seen:1","join":{"info":{"user":"u4","client":"$d"}}}}
a: send {"id":3,"presence":{"channel":"seen:1"}}
a: like ^\{"id":3,"presence":(?=.*"u1")(?=.*"u3")(?=.*"u4")(?!.*"u2")
b: send {"id":3,"presence_stats":{"channel":"seen:1"}}
b: recv {"id":3,"presence_stats":{"num_clients":3,"num_users":3}}
until: POST /api/presence_stats {"channel":"seen:1"} => \{"num_clients":3,"num_users":3\}
b: close 1000
c: close 1000
push: room seen:1 {"n":1}
a: like "pub":\{"data":\{"n":1\}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 2: by tokens and by a webhook
--- websocket
a: open /ws
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","subs":{"all:1":{"override":{"force_push_join_leave":{"value":false}},"info":{"seat":1},"data":{"hi":1}}}})"}}
a: like "connect":\{"client":"(?<a>[-0-9a-f]{36})".*"all:1":\{.*"data":\{"hi":1\}
b: open /ws
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u2"})"}}
b: like "connect":\{"client":"(?<b>[-0-9a-f]{36})"
b: send {"id":2,"subscribe":{"channel":"all:1","token":"JWT(HS256 hs256 {"sub":"u2","channel":"all:1","override":{"presence":{"value":false}}})"}}
b: like ^\{"id":2,"subscribe":\{
b: send {"id":3,"presence":{"channel":"all:1"}}
b: recv {"id":3,"presence":{"presence":{"$a":{"user":"u1","client":"$a","chan_info":{"seat":1}}}}}
c: open /hooked
c: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u3"})"}}
c: like "connect":\{"client":"
c: send {"id":2,"subscribe":{"channel":"all:1"}}
c: like ^\{"id":2,"subscribe":\{(?!.*recoverable)(?=.*"positioned":true)
c: send {"id":3,"presence_stats":{"channel":"all:1"}}
c: recv {"id":3,"presence_stats":{"num_clients":1,"num_users":1}}
d: open /ws
d: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"u4"})"}}
d: like "connect":\{"client":"(?<d>[-0-9a-f]{36})"
d: send {"id":2,"subscribe":{"channel":"shut","token":"JWT(HS256 hs256 {"sub":"u4","channel":"shut","override":{"force_push_join_leave":{"value":true}}})"}}
d: like ^\{"id":2,"subscribe":\{
d: upto "join":\{"info":\{"user":"u4","client":"$d"\}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 3: what is refused
--- websocket
http: POST /api/subscribe 200 {"user":"u","channel":"bare","override":{"presence":{"value":true}}} => "code":108,"message":"not available: override: the rule of the room has no presence"
http: POST /api/subscribe 200 {"user":"u","channel":"bare","override":{"force_push_join_leave":{"value":true}}} => "code":108
http: POST /api/subscribe 200 {"user":"u","channel":"bare","override":{"force_recovery":{"value":true}}} => "code":108,"message":"not available: override: the rule of the room has no history"
http: POST /api/subscribe 200 {"user":"u","channel":"bare","override":{"presence":{"value":false},"force_recovery":{"value":false}}} => ^\{"result":\{\}\}
http: POST /api/subscribe 200 {"user":"u","channel":"seen:1","override":{"presence":{"value":true},"force_recovery":{"value":true}}} => ^\{"result":\{\}\}
http: POST /api/subscribe 200 {"user":"u","channel":"seen:1","override":{"presence":true}} => "code":107,"message":"bad request: override has members like
http: POST /api/subscribe 400 {"user":"u","channel":"seen:1","override":[]}
--- no_error_log
[error]
[alert]
