# The unidirectional form of the centrifuge protocol, on each transport.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: WebSocket: the first message says all
--- http_config
    im_room open       history=10 ttl=1h presence;
    im_room other      history=10 ttl=1h;
    im_room plain:*    history=0;
    im_room users      history=10 ttl=1h join=user;
    im_room $*         history=10 ttl=1h;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
    im_limit           topics=5;
    im_jwt_key         HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_jwt_key         HS384 file=$TEST_NGINX_IM_KEYS/hs384;
--- config
    location = /uni { im_comet protocol=centrifuge_uni; im_auth none; }
    location = /jwt { im_comet protocol=centrifuge_uni; im_auth jwt; }
    location = /late {
        im_comet protocol=centrifuge_uni;
        im_auth none;
        im_limit auth_timeout=1s;
    }
    location = /short {
        im_comet protocol=centrifuge_uni;
        im_auth none;
        im_ping 1s timeout=3s;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /uni
a: unanswered (?i)Sec-WebSocket-Protocol
a: send {"subs":{"open":{},"plain:1":{}},"name":"u","version":"1"}
a: like ^\{"connect":\{"client":"(?<client>[0-9a-f-]{36})","version":"im","subs":\{(?=.*"#":\{"recoverable":true)(?=.*"plain:1":\{\})(?=.*"open":\{"recoverable":true,"epoch":"\w+","positioned":true\}).*"ping":1000\}\}$
push: room open {"n":1}
a: recv {"channel":"open","pub":{"data":{"n":1},"offset":1}}
push: room plain:1 "x"
a: recv {"channel":"plain:1","pub":{"data":"x"}}
push: all {"n":2}
a: recv {"channel":"#","pub":{"data":{"n":2},"offset":1}}
a: send {"id":1,"subscribe":{"channel":"other"}}
a: send what ever
a: send {}
http: POST /api/presence 200 {"channel":"open"} => "$client"
push: room open {"n":3}
a: recv {"channel":"open","pub":{"data":{"n":3},"offset":2}}
a: close 1000
b: open /uni
b: send null
b: like ^\{"connect":\{.*"subs":\{"#":\{[^{}]*\}\},"ping":1000\}\}$
b: close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: recovery from a position
--- websocket
a: open /uni
a: send {"subs":{"open":{"recover":true,"offset":1}}}
a: like "open":\{"recoverable":true,"epoch":"(?<epoch>\w+)","offset":1,"positioned":true,"was_recovering":true,"recovered":true,"publications":\[\{"data":\{"n":3\},"offset":2\}\]\}
a: close 1000
b: open /uni
b: send {"subs":{"open":{"recover":true,"offset":1,"epoch":"none"}}}
b: like "open":\{"recoverable":true,"epoch":"$epoch","offset":2,"positioned":true,"was_recovering":true\}
b: close 1000
c: open /uni
c: send {"subs":{"open":{"recover":true,"offset":2,"epoch":"$epoch"}}}
c: like "offset":2,"positioned":true,"was_recovering":true,"recovered":true\}
push: room open {"n":4}
c: recv {"channel":"open","pub":{"data":{"n":4},"offset":3}}
c: close 1000
--- no_error_log
[error]
[alert]



=== TEST 3: rooms that the client may not follow are left out
--- websocket
a: open /uni
a: send {"subs":{"open":{},"users":{},"$secret":{},"#u1":{}}}
a: like ^\{"connect":\{(?!.*(users|secret|#u1)).*"open":\{
a: close 1000
b: open /jwt
b: send {"token":"JWT(HS256 hs256 {"sub":"u1"})","subs":{"users":{}}}
b: like ^\{"connect":\{(?=.*"users":\{)(?=.*"#u1":\{)
push: user u1 1
b: recv {"channel":"#u1","pub":{"data":1,"offset":1}}
b: close 1000
--- no_error_log
[error]
[alert]



=== TEST 4: faults
--- websocket
a: open /uni
a: send hello
a: like ^\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}$
a: recv_close 3501
b: open /uni
b: send {"subs":{"nothing":{}}}
b: like ^\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}$
b: recv_close 3501
c: open /uni
c: send {"subs":{"open":{"offset":-1}}}
c: like ^\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}$
c: recv_close 3501
d: open /jwt
d: send {"token":"nonsense"}
d: like ^\{"disconnect":\{"code":3500,"reason":"[^"]+"\}\}$
d: recv_close 3500
e: open /jwt
e: send {"token":"JWT(HS256 hs256 {"sub":"u1","exp":now-60})"}
e: like ^\{"disconnect":\{"code":3005,"reason":"[^"]+"\}\}$
e: recv_close 3005 /connection expired/
f: open /jwt
f: send {}
f: like ^\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}$
f: recv_close 3501
g: open /jwt
g: send {"token":"JWT(HS256 hs256 {"sub":"u1","channels":["nothing"]})"}
g: like ^\{"disconnect":\{"code":3004,"reason":"[^"]+"\}\}$
g: recv_close 3004
h: open /late
h: like ^\{"disconnect":\{"code":3502,"reason":"[^"]+"\}\}$
h: recv_close 3502
i: open /uni
i: send {"subs":{"plain:1":{},"plain:2":{},"plain:3":{},"plain:4":{},"plain:5":{},"plain:6":{}}}
i: like ^\{"disconnect":\{"code":3507,"reason":"[^"]+"\}\}$
i: recv_close 3507 /too many topics/
--- no_error_log
[error]
[alert]



=== TEST 5: what the server does to a client
--- websocket
a: open /jwt
a: send {"token":"JWT(HS256 hs256 {"sub":"u7"})"}
a: like ^\{"connect":\{
http: POST /api/subscribe 200 {"user":"u7","channel":"other"} => \{"result":\{\}\}
a: like ^\{"channel":"other","subscribe":\{"recoverable":true
push: room other 1
a: recv {"channel":"other","pub":{"data":1,"offset":1}}
http: POST /api/unsubscribe 200 {"user":"u7","channel":"other"} => \{"result":\{\}\}
a: recv {"channel":"other","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}
http: POST /api/disconnect 200 {"user":"u7","disconnect":{"code":4001,"reason":"go"}} => \{"result":\{\}\}
a: like ^\{"disconnect":\{"code":4001,"reason":"[^"]+"\}\}$
a: recv_close 4001 /go/
--- no_error_log
[error]
[alert]



=== TEST 6: a request of an upgrade
--- websocket
a: open /uni?cf_connect=URI({"subs":{"open":{}}})
a: like ^\{"connect":\{.*"open":\{"recoverable":true
push: room open 6
a: like ^\{"channel":"open","pub":\{"data":6,
a: close 1000
b: open /uni?cf_connect=
b: send {}
b: like ^\{"connect":
b: close 1000
c: refused 400 /uni?cf_connect=hello
log: refused with 400: invalid connect request: a field has the wrong type
d: refused 400 /uni?cf_connect=%x
log: refused with 400: .* has a % without two hexadecimal digits
e: open /jwt?cf_connect=URI({"token":"nonsense"})
e: like ^\{"disconnect":\{"code":3500,
e: recv_close 3500
f: refused 403 /uni Origin: https://evil.example
--- no_error_log
[alert]



=== TEST 7: events
--- websocket
a: get /uni?cf_connect=URI({"subs":{"open":{},"plain:1":{}},"name":"u"}) Accept: text/event-stream
a: answered ^HTTP/1.1 200 OK\r\n
a: answered (?m)^Content-Type: text/event-stream; charset=utf-8\r?$
a: event ^data: \{"connect":\{"client":"(?<client>[0-9a-f-]{36})","version":"im","subs":\{(?=.*"open":\{"recoverable":true).*\},"ping":1000,"session":"[0-9a-f]{64}"\}\}$
push: room open "e"
a: event ^data: \{"channel":"open","pub":\{"data":"e","offset":\d+\}\}$
push: room plain:1 {"b":2}
a: event ^data: \{"channel":"plain:1","pub":\{"data":\{"b":2\}\}\}$
http: POST /api/presence 200 {"channel":"open"} => "$client"
a: cut
until: POST /api/presence {"channel":"open"} => "presence":\{\}
b: get /uni Accept: text/event-stream
b: like ^\{"connect":\{(?!.*"node")(?!.*"pong").*"subs":\{"#":
b: cut
c: post /uni Accept: text/event-stream << {"subs":{"open":{"recover":true,"offset":1}}}
c: like "was_recovering":true,"recovered":true,"publications":\[
c: cut
d: get /jwt?cf_connect=URI({"token":"JWT(HS256 hs256 {"sub":"u8"})"}) Accept: text/event-stream
d: like ^\{"connect":\{
http: POST /api/disconnect 200 {"user":"u8","disconnect":{"code":4001,"reason":"go"}} => \{"result":\{\}\}
d: event ^data: \{"disconnect":\{"code":4001,"reason":"go"\}\}$
d: eof
--- no_error_log
[alert]



=== TEST 8: what a request for a stream gets
--- websocket
http: GET /uni?cf_connect=hello 400 (Accept: text/event-stream) => invalid connect request: a field has the wrong type
http: GET /uni?cf_connect=URI({"subs":[]}) 400 (Accept: text/event-stream) => subs is not an object
http: POST /uni 400 => invalid connect request
http: POST /uni 400 hello
http: POST /uni 400 {"subs":{"":1,"a":1}}
http: GET /jwt?cf_connect=URI({"token":"no"}) 200 (Accept: text/event-stream) => \A\ndata: \{"disconnect":\{"code":3500,"reason":"[^"]+"\}\}\n\n\z
http: POST /jwt 200 {"token":"no"} => \A\{"disconnect":\{"code":3500,"reason":"[^"]+"\}\}\n\z
http: POST /jwt 200 {} => \A\{"disconnect":\{"code":3501,"reason":"no token"\}\}\n\z
http: POST /jwt 200 {"token":"JWT(HS256 hs256 {"sub":"u1","exp":now-60})"} => \A\{"disconnect":\{"code":3005,"reason":"connection expired"\}\}\n\z
http: POST /uni 200 {"subs":{"nothing":{}}} => \A\{"disconnect":\{"code":3501,"reason":"no such room"\}\}\n\z
http: PUT /uni 405 {} (Accept: text/event-stream)
http: HEAD /uni 405
http: OPTIONS /uni 204 => (?i)Access-Control-Allow-Methods: POST, OPTIONS
http: POST /uni 403 (Origin: https://evil.example) {} => pages of this origin
http: POST /uni 413 {"name":"FILL(66000)"}
--- no_error_log
[alert]



=== TEST 9: a stream of lines
--- websocket
a: post /uni << {"subs":{"open":{}}}
a: answered ^HTTP/1.1 200 OK\r\n
a: like ^\{"connect":\{.*"open":\{"recoverable":true.*"session":"[0-9a-f]{64}"\}\}$
push: room open "line"
a: like ^\{"channel":"open","pub":\{"data":"line","offset":\d+\}\}$
a: garbage hello
push: room open "more"
a: like ^\{"channel":"open","pub":\{"data":"more",
a: cut
b: post /uni << null
b: like ^\{"connect":\{
b: cut
--- no_error_log
[alert]



=== TEST 10: pings want no answer
--- websocket
a: get /short Accept: text/event-stream
a: like ^\{"connect":\{.*"ping":1,
a: recv_text {}
a: recv_text {}
a: recv_text {}
a: recv_text {}
b: post /short << {}
b: like ^\{"connect":\{
b: recv_text {}
b: recv_text {}
b: recv_text {}
b: recv_text {}
c: open /short
c: send {}
c: like ^\{"connect":\{
c: recv_text {}
c: recv_ping
c: pong
c: recv_text {}
c: recv_ping
a: cut
b: cut
c: cut
d: open /short
d: mute
d: send {}
d: like ^\{"connect":\{
d: recv_text {}
d: recv_ping
d: upto ^\{"disconnect":\{"code":3012,"reason":"no answer to ping"\}\}$
d: recv_close 3012
--- no_error_log
[alert]
