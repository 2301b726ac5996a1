# Streams over HTTP/2: the request stays, the session is the same.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: events and lines
--- http_config
    im_room open       history=10 ttl=1h;
    im_room plain:*    history=0;
    im_inbox           history=10 ttl=1h;
    im_limit           topic_log=128k;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 http2 sndbuf=32k;
    listen 127.0.0.1:$TEST_NGINX_IM_TLS ssl http2;
    listen 127.0.0.1:$TEST_NGINX_IM_REPLICA sndbuf=32k;
    ssl_certificate $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;
    location = /sse {
        im_comet protocol=centrifuge transport=sse;
        im_auth token;
        im_connect /im_connect;
        im_allow_origin self http://ok.example;
    }
    location = /stream {
        im_comet protocol=centrifuge transport=http_stream,websocket;
        im_auth none;
    }
    location = /short {
        im_comet protocol=centrifuge transport=sse;
        im_auth none;
        im_ping 1s timeout=2s;
    }
    location = /zip {
        gzip on;
        gzip_types *;
        gzip_min_length 0;
        im_comet protocol=centrifuge transport=http_stream;
        im_auth none;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: get h2 :$TEST_NGINX_IM_PORT2 /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}\n{"id":2,"subscribe":{"channel":"open"}}) Origin: http://ok.example
a: answered ^HTTP/2 200
a: answered (?m)^content-type: text/event-stream; charset=utf-8
a: answered (?m)^access-control-allow-origin: http://ok\.example
a: unanswered (?m)^(?:connection|transfer-encoding|content-length):
a: event ^data: \{"id":1,"connect":
a: like ^\{"id":2,"subscribe":\{.*"epoch":"\w+"
push: room open {"n":1}
a: event ^data: \{"push":\{"channel":"open","pub":\{"data":\{"n":1\},"offset":1
b: post h2 tls /stream << {"id":1,"connect":{}}
b: answered (?m)^content-type: text/plain; charset=utf-8
b: like ^\{"id":1,"connect":
c: post h2 :$TEST_NGINX_IM_PORT2 /zip Accept-Encoding: gzip << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"open"}}
c: unanswered (?m)^content-encoding:
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":
push: room open {"n":2}
a: like "n":2
c: like "n":2
until: /im/rooms/open "count":\s*2\b
a: cut
until: /im/rooms/open "count":\s*1\b
c: cut
until: /im/rooms/open "count":\s*0\b
--- no_error_log
[alert]
[crit]



=== TEST 2: a disconnect message ends the stream
--- websocket
a: get h2 :$TEST_NGINX_IM_PORT2 /sse?cf_connect=URI({"id":1,"connect":{"token":"no"}})
a: recv {"push":{"disconnect":{"code":3500,"reason":"invalid token"}}}
a: eof
a: post h2 tls /stream << {}
a: like ^\{"push":\{"disconnect":\{"code":3501,
a: eof
a: get h2 tls /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}})
a: like ^\{"id":1,"connect":
http: POST /api/disconnect 200 {"user":"u1"} => "result":\{\}
a: like ^\{"push":\{"disconnect":\{"code":3503,
a: eof
a: get h2 tls /short?cf_connect=URI({"id":1,"connect":{}})
a: like ^\{"id":1,"connect":
a: event ^data: \{\}$
a: like ^\{"push":\{"disconnect":\{"code":3012,
a: eof
--- no_error_log
[alert]
[crit]



=== TEST 3: long messages, and a client that stands still
--- websocket
a: post h2 :$TEST_NGINX_IM_PORT2 /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:1"}}
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
http: POST /im/push 200 {"rooms":["plain:1"],"data":"FILL(60000)"}
a: like ^\{"push":\{"channel":"plain:1","pub":\{"data":"x{60000}"\}\}\}$
a: pause
flood: 2x500000 room plain:1
a: resume
a: recv_long 2x500000
push: room plain:1 "end"
a: recv {"push":{"channel":"plain:1","pub":{"data":"end"}}}
--- no_error_log
[alert]
[crit]



=== TEST 4: two that stand still for too long, over HTTP/2 and HTTP/1.1
--- websocket
b: post :$TEST_NGINX_IM_REPLICA /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:2"}}
b: like ^\{"id":1,"connect":
b: recv {"id":2,"subscribe":{}}
a: post h2 :$TEST_NGINX_IM_PORT2 /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:2"}}
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
a: pause
flood: 40x60000 room plain:2
log: transport: http_stream, .*why: too slow
until: /im/rooms/plain:2 "count":\s*0\b
a: resume
a: upto x{60000}
b: upto x{60000}
--- no_error_log
[alert]
[crit]



=== TEST 5: a client that goes while its token is asked for, and in the middle of a message
--- websocket
pause: logic
a: get h2 :$TEST_NGINX_IM_PORT2 /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}\n{"id":2,"subscribe":{"channel":"plain:3"}})
b: get /sse?cf_connect=URI({"id":1,"connect":{"token":"0123456789abcdef"}}\n{"id":2,"subscribe":{"channel":"plain:3"}})
a: cut
b: cut
until: /status "sessions":0,
resume: logic
until: /im/rooms/plain:3 "count":\s*0\b
c: post h2 :$TEST_NGINX_IM_PORT2 /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:3"}}
c: like ^\{"id":1,"connect":
c: recv {"id":2,"subscribe":{}}
until: /im/rooms/plain:3 "count":\s*1\b
c: pause
flood: 10x60000 room plain:3
c: cut
until: /im/rooms/plain:3 "count":\s*0\b
--- no_error_log
[alert]
[crit]
