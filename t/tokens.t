# Tokens in the centrifuge protocol: of the connection, of subscriptions, and
# those that renew them.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: connect
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/es256.pub kid=e;
    im_limit        topics=7;
    im_room seen    history=10 ttl=1h presence;
    im_room users   history=10 ttl=1h join=user presence;
    im_room a       history=10 ttl=1h;
    im_room b:*     history=10 ttl=1h;
    im_room $*      history=10 ttl=1h;
    im_room "#*"    history=10 ttl=1h;
    im_inbox        history=10 ttl=1h;
--- config
    im_ping 20s timeout=60s;

    location = /ws {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_limit refresh=2s;
    }

    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","exp":now+600,"info":{"name":"Ann"}})"},"id":1}
a: like "id":1,"connect":\{"client":"[0-9a-f-]{36}".*"expires":true,"ttl":(?:600|5\d\d)\b
a: send {"subscribe":{"channel":"users"},"id":2}
a: like "id":2,"subscribe"
push: user u1 {"to":"u1"}
a: like "channel":"#u1","pub":\{"data":\{"to":"u1"\}
b: open /ws
b: send {"connect":{"token":"JWT(ES256,kid=e es256 {"sub":"u2","channels":["a","b:1"]})"},"id":1}
b: like "subs":\{.*"a":\{.*\}
push: room b:1 {"n":1}
b: like "channel":"b:1","pub":\{"data":\{"n":1\}
c: open /ws
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","exp":now-6})"},"id":1}
c: recv {"id":1,"error":{"code":109,"message":"token expired"}}
c: send {"subscribe":{"channel":"a"},"id":2}
c: recv_close 3501
d: open /ws
d: send {"connect":{"token":"JWT(HS256 hs.other {"sub":"u1"})"},"id":1}
d: recv_close 3500
e: open /ws
e: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","channel":"a"})"},"id":1}
e: recv_close 3500 /subscription/
f: open /ws
f: send {"connect":{},"id":1}
f: recv_close 3501 /no token/
h: open /ws
h: send {"connect":{"token":"JWT(HS256 hs {"sub":"u3","channels":["b:1","b:2","b:3","b:4","b:5","b:6"]})"},"id":1}
h: like "id":1,"connect"
i: open /ws
i: send {"connect":{"token":"JWT(HS256 hs {"sub":"u3","channels":["b:1","b:2","b:3","b:4","b:5","b:6","b:7"]})"},"id":1}
i: recv {"id":1,"error":{"code":106,"message":"limit exceeded"}}
k: open /ws
k: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","channels":["#u2"]})"},"id":1}
k: recv {"id":1,"error":{"code":102,"message":"unknown channel"}}
g: open /ws
g: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","channels":["nowhere"]})"},"id":1}
g: recv {"id":1,"error":{"code":102,"message":"unknown channel"}}
--- no_error_log
[error]
[alert]



=== TEST 2: refresh
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","exp":now+60,"channels":["a"]})"},"id":1}
a: like "expires":true,"ttl":(?:60|[1-5]?\d)\b
a: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u1","exp":now+600,"channels":["a"]})"},"id":2}
a: like ^\{"id":2,"refresh":\{"client":"[0-9a-f-]{36}",.*"expires":true,"ttl":(?:600|5\d\d)\}
a: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u1","channels":["a"]})"},"id":3}
a: like ^\{"id":3,"refresh":\{"client":"[0-9a-f-]{36}","version":"[^"]*"\}\}
b: open /ws
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
b: like "connect"
b: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":2}
b: recv_close 3500 /another user/
c: open /ws
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
c: like "connect"
c: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u2","exp":now-6})"},"id":2}
c: recv_close 3005 /expired/
d: open /ws
d: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
d: like "connect"
d: send {"refresh":{"token":"JWT(HS256 hs.other {"sub":"u2"})"},"id":2}
d: recv_close 3500
e: open /ws
e: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2","channels":["a"]})"},"id":1}
e: like "connect"
e: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u2","channels":["b:1"]})"},"id":2}
e: recv_close 3010 /other channels/
f: open /ws
f: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2","channels":["a"]})"},"id":1}
f: like "connect"
f: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":2}
f: recv_close 3010 /other channels/
g: open /none
g: send {"connect":{},"id":1}
g: like "connect"
g: send {"refresh":{"token":"x"},"id":2}
g: recv {"id":2,"error":{"code":108,"message":"not available"}}
--- no_error_log
[error]
[alert]



=== TEST 3: a connection ends some seconds behind its token
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","exp":now+3})"},"id":1}
a: like "expires":true
a: recv_close 3005 /expired/
log: user: "u1", protocol: centrifuge.*code: 3005, why: the token has expired
--- no_error_log
[error]
[alert]



=== TEST 4: tokens of subscriptions
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
a: like "client":"(?<id>[0-9a-f-]{36})"
a: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1","channel":"$p","data":{"hello":1}})"},"id":2}
a: like "id":2,"subscribe":\{.*"data":\{"hello":1\}
push: room $p {"n":1}
a: like "channel":"\$p","pub":\{"data":\{"n":1\}
a: send {"subscribe":{"channel":"$q"},"id":3}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"$q","token":"JWT(HS256 hs {"sub":"u1","channel":"$q","exp":now-6})"},"id":4}
a: recv {"id":4,"error":{"code":109,"message":"token expired"}}
a: send {"subscribe":{"channel":"$q","token":"JWT(HS256 hs.other {"sub":"u1","channel":"$q"})"},"id":5}
a: recv {"id":5,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"$q","token":"garbage"},"id":6}
a: recv {"id":6,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"$q","token":"JWT(HS256 hs {"sub":"u1","channel":"$q","client":"$id"})"},"id":7}
a: like "id":7,"subscribe"
a: send {"subscribe":{"channel":"a","token":"JWT(HS256 hs {"sub":"u1","channel":"a","exp":now+600})"},"id":8}
a: like "id":8,"subscribe":\{.*"expires":true,"ttl":(?:600|5\d\d)
b: open /ws
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
b: like "connect"
b: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1","channel":"$q"})"},"id":2}
b: recv_close 3500 /another channel/
c: open /ws
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
c: like "connect"
c: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u2","channel":"$p"})"},"id":2}
c: recv_close 3500 /another user/
d: open /ws
d: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
d: like "connect"
d: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1","channel":"$p","client":"$id"})"},"id":2}
d: recv_close 3500 /another client/
e: open /ws
e: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
e: like "connect"
e: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1"})"},"id":2}
e: recv_close 3500 /another channel/
f: open /none
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"channel":"$p"})"},"id":2}
f: like "id":2,"subscribe"
f: send {"subscribe":{"channel":"users","token":"JWT(HS256 hs {"channel":"users"})"},"id":3}
f: like "id":3,"subscribe"
--- no_error_log
[error]
[alert]



=== TEST 5: sub_refresh, and a subscription that nobody renews
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
a: like "connect"
a: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1","channel":"$p","exp":now+8})"},"id":2}
a: like "id":2,"subscribe":\{.*"expires":true,"ttl":\d\b
a: send {"subscribe":{"channel":"a","token":"JWT(HS256 hs {"sub":"u1","channel":"a","exp":now+8})"},"id":3}
a: like "id":3,"subscribe"
a: send {"sub_refresh":{"channel":"a","token":"JWT(HS256 hs {"sub":"u1","channel":"a","exp":now+600})"},"id":4}
a: like ^\{"id":4,"sub_refresh":\{"expires":true,"ttl":(?:600|5\d\d)\}\}
a: send {"sub_refresh":{"channel":"a","token":"JWT(HS256 hs {"sub":"u1","channel":"a","exp":now-6})"},"id":5}
a: recv {"id":5,"error":{"code":109,"message":"token expired"}}
a: send {"sub_refresh":{"channel":"a","token":"bad"},"id":6}
a: recv {"id":6,"error":{"code":103,"message":"permission denied"}}
a: send {"sub_refresh":{"channel":"b:1","token":"JWT(HS256 hs {"sub":"u1","channel":"b:1"})"},"id":7}
a: recv {"id":7,"error":{"code":103,"message":"permission denied"}}
a: recv {"push":{"channel":"$p","unsubscribe":{"code":2501,"reason":"subscription expired"}}}
push: room $p {"n":1}
push: room a {"n":2}
a: like "channel":"a","pub":\{"data":\{"n":2\}
a: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1","channel":"$p"})"},"id":8}
a: like "id":8,"subscribe"
a: send {"sub_refresh":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u2","channel":"$p"})"},"id":9}
a: recv_close 3500 /another user/
--- no_error_log
[error]
[alert]



=== TEST 6: what others are told
--- websocket
b: open /ws
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
b: like "connect"
b: send {"subscribe":{"channel":"seen","join_leave":true},"id":2}
b: like "id":2,"subscribe"
b: like "push":\{"channel":"seen","join":\{"info":\{"user":"u2",
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","info":{"name":"Ann"}})"},"id":1}
a: like "connect"
a: send {"subscribe":{"channel":"seen","token":"JWT(HS256 hs {"sub":"u1","channel":"seen","info":["boss"]})"},"id":2}
a: like "id":2,"subscribe"
b: like "channel":"seen","join":\{"info":\{"user":"u1","client":"[^"]+","conn_info":\{"name":"Ann"\},"chan_info":\["boss"\]\}
b: send {"presence":{"channel":"seen"},"id":3}
b: like "id":3,"presence":\{"presence":\{.*"user":"u1","client":"[^"]+","conn_info":\{"name":"Ann"\},"chan_info":\["boss"\]\}
a: send {"unsubscribe":{"channel":"seen"},"id":3}
a: like "id":3,"unsubscribe"
b: like "channel":"seen","leave":\{"info":\{"user":"u1",.*"chan_info":\["boss"\]
a: send {"subscribe":{"channel":"seen"},"id":4}
a: like "id":4,"subscribe"
b: like "channel":"seen","join":\{"info":\{"user":"u1","client":"[^"]+","conn_info":\{"name":"Ann"\}\}
--- no_error_log
[error]
[alert]



=== TEST 7: the third invalid token ends the session
--- websocket
a: open /none
a: send {"connect":{},"id":1}
a: like "connect"
a: send {"subscribe":{"channel":"$p","token":"JWT(ES256,kid=e es256b {"channel":"$p"})"},"id":2}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"$p","token":"garbage"},"id":3}
a: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
a: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"channel":"$p","exp":now-60})"},"id":4}
a: like "id":4,"error":\{"code":109
a: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs.other {"channel":"$p"})"},"id":5}
a: recv_close 3500 /too many invalid tokens/
--- no_error_log
[error]
[alert]
