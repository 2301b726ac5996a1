# Streams through a reload: the disconnect message, the end of the body, and the
# client comes again.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
no_handover();
workers(1);

run_tests();

__DATA__

=== TEST 1: reload
--- http_config
    im_room plain:*    history=0;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 http2;
    listen 127.0.0.1:$TEST_NGINX_IM_TLS ssl http2;
    ssl_certificate $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;
    location = /all {
        im_comet protocol=centrifuge transport=sse,http_stream;
        im_auth none;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: get /all?cf_connect=URI({"id":1,"connect":{}})
b: post /all << {"id":1,"connect":{}}
c: get tls /all?cf_connect=URI({"id":1,"connect":{}})
d: get h2 :$TEST_NGINX_IM_PORT2 /all?cf_connect=URI({"id":1,"connect":{}})
e: post h2 tls /all << {"id":1,"connect":{}}
a: like ^\{"id":1,"connect":
b: like ^\{"id":1,"connect":
c: like ^\{"id":1,"connect":
d: like ^\{"id":1,"connect":
e: like ^\{"id":1,"connect":
reload:
a: recv {"push":{"disconnect":{"code":3001,"reason":"worker ends"}}}
a: eof
b: recv {"push":{"disconnect":{"code":3001,"reason":"worker ends"}}}
b: eof
c: recv {"push":{"disconnect":{"code":3001,"reason":"worker ends"}}}
c: eof
d: recv {"push":{"disconnect":{"code":3001,"reason":"worker ends"}}}
d: eof
e: recv {"push":{"disconnect":{"code":3001,"reason":"worker ends"}}}
e: eof
a: get /all?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:1"}})
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
push: room plain:1 "after"
a: like "after"
--- no_error_log
[alert]
open socket



=== TEST 2: only sessions over HTTP/2
--- websocket
a: get h2 :$TEST_NGINX_IM_PORT2 /all?cf_connect=URI({"id":1,"connect":{}})
a: like ^\{"id":1,"connect":
reload:
a: recv {"push":{"disconnect":{"code":3001,"reason":"worker ends"}}}
a: eof
--- no_error_log
[alert]
open socket



=== TEST 3: worker_shutdown_timeout, and a client that stands still: each has one line of its end
--- main_config
    worker_shutdown_timeout 1s;
--- http_config
    im_room plain:*    history=0;
    im_drain           30s;
    log_format im escape=json '$im_session $uri $im_reason "$im_why" $status';
    access_log logs/im.log im;
    im_session_log on;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 http2 sndbuf=32k;
    location = /all {
        im_comet protocol=centrifuge transport=sse,http_stream;
        im_auth none;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: get h2 :$TEST_NGINX_IM_PORT2 /all?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:1"}})
b: get /all?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"plain:1"}})
a: like ^\{"id":1,"connect":
a: recv {"id":2,"subscribe":{}}
b: like ^\{"id":1,"connect":
b: recv {"id":2,"subscribe":{}}
a: pause
flood: 20x60000 room plain:1
reload:
b: eof
log: worker process \d+ exited with code 0
until: /im/rooms/plain:1 "count":\s*0\b
logged: 3 im.log ^[0-9a-f-]{36} /all
logged: 2 im.log ^[0-9a-f-]{36} /all [a-z]+ "
--- no_error_log
[alert]
open socket
