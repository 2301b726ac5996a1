# Server-sent events and HTTP streaming: what a request gets, what comes in the
# stream, and how it ends.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: events
--- http_config
    im_room open       history=10 ttl=1h;
    im_room plain:*    history=0;
    im_inbox           history=10 ttl=1h;
--- config
    location = /sse {
        im_comet protocol=centrifuge transport=sse;
        im_auth token;
        im_connect /im_connect;
        im_allow_origin self http://ok.example;
    }
    location = /stream {
        im_comet protocol=centrifuge transport=http_stream;
        im_auth none;
        im_allow_origin self http://ok.example;
    }
    location = /all {
        im_comet protocol=centrifuge transport=websocket,sse,http_stream;
        im_auth none;
    }
    location = /both {
        im_comet protocol=centrifuge transport=http_stream,sse;
        im_auth none;
    }
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
    location = /small {
        im_comet protocol=centrifuge transport=sse,http_stream;
        im_auth none;
        im_limit message=100;
    }
    location = /short {
        im_comet protocol=centrifuge transport=sse;
        im_auth none;
        im_ping 1s timeout=2s;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location /proxy/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}\n{"id":2,"subscribe":{"channel":"open"}}) Accept: text/event-stream
a: answered ^HTTP/1.1 200 OK\r\n
a: answered (?m)^Content-Type: text/event-stream; charset=utf-8\r?$
a: answered (?m)^Cache-Control: private, no-cache, no-store, must-revalidate, max-age=0\r?$
a: answered (?m)^Pragma: no-cache\r?$
a: answered (?m)^X-Accel-Buffering: no\r?$
a: answered (?m)^Connection: close\r?$
a: answered (?m)^Vary: Origin\r?$
a: unanswered (?mi)^(?:Transfer-Encoding|Content-Length|Access-Control-Allow-Origin):
a: event ^data: \{"id":1,"connect":\{"client":"[0-9a-f-]{36}",.*"ping":1000,"pong":true
a: like ^\{"id":2,"subscribe":\{.*"epoch":"\w+"
push: room open {"n":1}
a: event ^data: \{"push":\{"channel":"open","pub":\{"data":\{"n":1\},"offset":1
push: user u1 "for you"
a: like ^\{"push":\{"channel":"#u1","pub":\{"data":"for you"
until: /im/rooms/open "count":\s*1\b
a: cut
until: /im/rooms/open "count":\s*0\b
log: session ended: .* protocol: centrifuge, transport: sse, .*why: closed by client
--- no_error_log
[alert]



=== TEST 2: the first bytes, and the disconnect message behind which the stream ends
--- websocket
http: GET /sse?cf_connect=URI({"id":1,"subscribe":{"channel":"open"}}) 200 => \A\ndata: \{"push":\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}\}\n\n\z
http: GET /sse?cf_connect=garbage 200 => \A\ndata: \{"push":\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}\}\n\n\z
http: GET /sse?cf_connect=URI({}) 200 => "disconnect":\{"code":3501,
http: GET /sse?cf_connect=URI({"name":"x"}) 200 => "disconnect":\{"code":3501,
http: GET /sse?cf_connect=URI({"id":1,"connect":{"token":"no"}}) 200 => \A\ndata: \{"push":\{"disconnect":\{"code":3500,"reason":"invalid token"\}\}\}\n\n\z
http: POST /stream 200 {"id":1,"subscribe":{"channel":"open"}} => \A\{"push":\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}\}\n\z
http: POST /stream 200 => \A\{"push":\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}\}\n\z
http: POST /sse 200 {"id":1,"connect":{"token":"no"}} => \A\ndata: \{"push":\{"disconnect":\{"code":3500,
--- no_error_log
[alert]



=== TEST 3: refusals
--- websocket
http: GET /sse 400 => "cf_connect", which has the first message, is missing
http: GET /sse?cf_connect= 400 => is missing
http: GET /sse?cf_connect=%7 400 => a % without two hexadecimal digits
http: PUT /sse 405 => Allow: GET, POST
http: OPTIONS /sse 405
http: HEAD /sse 405
http: GET /sse/ 404
http: GET /stream 405 => Allow: POST, OPTIONS
http: HEAD /stream 405
http: PUT /stream 405
http: POST /stream 413 FILL(65537)
http: POST /sse 413 FILL(65537)
http: GET /sse?cf_connect=1 403 (Origin: http://foreign.example) => Vary: Origin
http: POST /stream 403 (Origin: http://foreign.example) {}
http: GET /sse?cf_connect=1 400 (Origin: http://ok.example | Origin: http://ok.example)
http: GET /sse?cf_connect=1 400 (Content-Length: 1) x
a: refused 400 /Upgrade|close/ /sse
http: GET /small?cf_connect=URI({"id":1,"connect":{"name":"FILL(80)"}}) 413
http: POST /small 413 FILL(101)
a: post /small << {"id":1,"connect":{}}
a: like ^\{"id":1,"connect":
b: refused 405 /Allow: GET/ /ws =POST
b: refused 405 /^HTTP/ /ws =OPTIONS
raw: GET /sse?cf_connect=1 HTTP/0.9\r\n\r\n => ^(?:HTTP/1.1 (?:400|505)|$|<html>)
raw: POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n => ^HTTP/1.1 400
--- no_error_log
[alert]



=== TEST 4: pages of other origins
--- websocket
a: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}) Origin: http://ok.example
a: answered (?m)^Access-Control-Allow-Origin: http://ok\.example\r?$
a: answered (?m)^Access-Control-Allow-Credentials: true\r?$
a: answered (?m)^Vary: Origin\r?$
a: like ^\{"id":1,"connect":
http: GET /sse 400 (Origin: http://ok.example) => Access-Control-Allow-Origin: http://ok\.example\r
http: OPTIONS /stream 204 (Origin: http://ok.example | Access-Control-Request-Headers: x-a, content-type) => Access-Control-Allow-Headers: x-a, content-type
http: OPTIONS /stream 204 (Origin: http://ok.example) => Access-Control-Allow-Methods: POST, OPTIONS\r
http: OPTIONS /stream 204 (Origin: http://ok.example) => Access-Control-Max-Age: 300
http: OPTIONS /stream 204 (Origin: http://ok.example) => Access-Control-Allow-Origin: http://ok\.example\r
b: refused 204 /Access-Control-Allow-Methods/ /stream =OPTIONS | Origin: http://foreign.example
--- no_error_log
[alert]



=== TEST 5: HTTP streaming
--- websocket
a: post /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"open"}}
a: answered (?m)^Content-Type: text/plain; charset=utf-8\r?$
a: answered (?m)^X-Accel-Buffering: no\r?$
a: answered (?m)^Connection: close\r?$
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
push: room open {"s":1}
a: like ^\{"push":\{"channel":"open","pub":\{"data":\{"s":1\},
b: post /stream << CHUNKS({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:1"}})
b: like ^\{"id":1,"connect":
b: recv {"id":2,"subscribe":{}}
push: room plain:1 {"s":2}
b: recv {"push":{"channel":"plain:1","pub":{"data":{"s":2}}}}
c: post /stream << {"id":1,"connect":{"name":"FILL(60000)"}}
c: like .
d: post /stream HTTP/1.0 << {"id":1,"connect":{}}
d: answered ^HTTP/1.[01] 200 OK\r\n
d: answered (?m)^Connection: close\r?$
d: like ^\{"id":1,"connect":
e: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}) HTTP/1.0
e: unanswered (?mi)^Transfer-Encoding:
e: like ^\{"id":1,"connect":
--- no_error_log
[alert]



=== TEST 6: a location that serves all
--- websocket
a: get /all?cf_connect=URI({"id":1,"connect":{}}) Accept: text/event-stream
a: event ^data: \{"id":1,"connect":
b: get /all?cf_connect=URI({"id":1,"connect":{}})
b: event ^data: \{"id":1,"connect":
c: post /all << {"id":1,"connect":{}}
c: like ^\{"id":1,"connect":
c: answered Content-Type: text/plain
d: open /all
d: send {"id":1,"connect":{}}
d: like ^\{"id":1,"connect":
e: post /all Accept: text/event-stream << {"id":1,"connect":{}}
e: event ^data: \{"id":1,"connect":
f: get /all?cf_connect=URI({"id":1,"connect":{}}) Upgrade: h2c | Connection: Upgrade
f: event ^data: \{"id":1,"connect":
g: refused 400 /^HTTP/ /both?cf_connect=1
http: OPTIONS /all 204
--- no_error_log
[alert]



=== TEST 7: what a client sends behind its request means nothing; a half-close ends
--- websocket
a: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}\n{"id":2,"subscribe":{"channel":"plain:2"}})
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
a: garbage {"id":3,"unsubscribe":{"channel":"plain:2"}}FILL(100000)
push: room plain:2 1
a: recv {"push":{"channel":"plain:2","pub":{"data":1}}}
a: half
a: eof
until: /im/rooms/plain:2 "count":\s*0\b
--- no_error_log
[alert]



=== TEST 8: pings, and no pong in time
--- websocket
a: get /short?cf_connect=URI({"id":1,"connect":{}})
a: like ^\{"id":1,"connect":
a: event ^data: \{\}$
a: like ^\{"push":\{"disconnect":\{"code":3012,"reason":"no answer to ping"\}\}\}$
a: eof
--- no_error_log
[alert]



=== TEST 9: a client that is thrown out
--- websocket
a: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}})
a: like ^\{"id":1,"connect":
http: POST /api/disconnect 200 {"user":"u1","disconnect":{"code":4100,"reason":"else\"where"}} => "result":\{\}
a: recv {"push":{"disconnect":{"code":4100,"reason":"else\"where"}}}
a: eof
--- no_error_log
[alert]



=== TEST 10: behind an nginx with its defaults
--- websocket
a: get /proxy/sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}\n{"id":2,"subscribe":{"channel":"plain:4"}})
a: answered (?m)^Transfer-Encoding: chunked
a: unanswered (?mi)^X-Accel-Buffering:
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
push: room plain:4 1
a: recv {"push":{"channel":"plain:4","pub":{"data":1}}}
b: post /proxy/stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:4"}}
b: like ^\{"id":1,"connect":
b: recv {"id":2,"subscribe":{}}
push: room plain:4 2
a: recv {"push":{"channel":"plain:4","pub":{"data":2}}}
b: recv {"push":{"channel":"plain:4","pub":{"data":2}}}
b: cut
until: /im/rooms/plain:4 "count":\s*1\b
http: POST /api/disconnect 200 {"user":"u1"} => "result":\{\}
a: like ^\{"push":\{"disconnect":\{"code":3503,
a: eof
until: /im/rooms/plain:4 "count":\s*0\b
--- no_error_log
[alert]



=== TEST 11: a request that comes byte by byte, and what is behind it
--- websocket
a: post /stream CHOP << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:5"}}
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
b: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}) CHOP
b: like ^\{"id":1,"connect":
raw: GET /sse?cf_connect=%7B%7D HTTP/1.1\r\nHost: a\r\n\r\nGET /status HTTP/1.1\r\nHost: a\r\n\r\n => \A[^\x00]*\r\n\r\n\n(?:data: \{"push":\{"disconnect":\{[^\n]*\n\n)?\z
--- no_error_log
[alert]



=== TEST 12: clients that go at once
--- websocket
raw: POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"id":1 => \A(?:HTTP/1.1 400[^\x00]*)?\z
raw: POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n{"id":1,"connect":{}} => \A(?:HTTP/1.1 200[^\x00]*)?\z
raw: GET /sse?cf_connect=%7B%7D HTTP/1.1\r\nHost: a\r\n\r\n => \A(?:HTTP/1.1 200[^\x00]*)?\z
until: /status "sessions":0,
--- no_error_log
[alert]
