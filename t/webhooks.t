# A backend of the operator's is asked about commands of clients.

use Test::Nginx::Socket 'no_plan';
use Test::Im;

use IO::Socket::INET;

# takes connections and never answers
my $Mute = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
    or die "no socket: $!\n";

$ENV{TEST_NGINX_MUTE} = $Mute->sockport;

run_tests();

__DATA__

=== TEST 1: rpc
--- http_config
    log_format hook escape=none '$uri $status $request_body';

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /rpc/data    { return 200 '{"result":{"data":{"answer": 42}}}'; }
        location = /rpc/b64     { return 200 '{"result":{"b64data":"eyJhIjoxfQ=="}}'; }
        location = /rpc/empty   { return 200 '{"result":{}}'; }
        location = /rpc/lines   { return 200 "{\n\"result\":\n{\"data\":{\n\"a\":\n1}}}\n"; }
        location = /rpc/error   { return 200 '{"error":{"code":1005,"message":"no way","temporary":true}}'; }
        location = /rpc/denied  { return 200 '{"error":{"code":103}}'; }
        location = /rpc/bye     { return 200 '{"disconnect":{"code":4100,"reason":"bye"}}'; }
        location = /rpc/nothing { return 200 '{}'; }
        location = /rpc/text    { return 200 'ok'; }
        location = /rpc/range   { return 200 '{"error":{"code":5}}'; }
        location = /rpc/500     { return 500 '{"result":{}}'; }
        location = /rpc/403     { return 403; }
    }
--- config
    im_ping 5s timeout=60s;

    location = /ws      { im_comet protocol=centrifuge; im_webhook rpc /rpc/data; }
    location = /none    { im_comet protocol=centrifuge; }
    location = /b64     { im_comet protocol=centrifuge; im_webhook rpc /rpc/b64; }
    location = /empty   { im_comet protocol=centrifuge; im_webhook rpc /rpc/empty; }
    location = /lines   { im_comet protocol=centrifuge; im_webhook rpc /rpc/lines; }
    location = /error   { im_comet protocol=centrifuge; im_webhook rpc /rpc/error; }
    location = /denied  { im_comet protocol=centrifuge; im_webhook rpc /rpc/denied; }
    location = /bye     { im_comet protocol=centrifuge; im_webhook rpc /rpc/bye; }
    location = /nothing { im_comet protocol=centrifuge; im_webhook rpc /rpc/nothing; }
    location = /text    { im_comet protocol=centrifuge; im_webhook rpc /rpc/text; }
    location = /range   { im_comet protocol=centrifuge; im_webhook rpc /rpc/range; }
    location = /500     { im_comet protocol=centrifuge; im_webhook rpc /rpc/500; }
    location = /403     { im_comet protocol=centrifuge; im_webhook rpc /rpc/403; }
    location = /here    { im_comet protocol=centrifuge; im_webhook rpc /rpc/here; }
    location = /long    { im_comet protocol=centrifuge; im_webhook rpc /rpc/long; }
    location = /long_up { im_comet protocol=centrifuge; im_webhook rpc /rpc/long_up; }
    location = /mute    { im_comet protocol=centrifuge; im_webhook rpc /rpc/mute; }
    location = /down    { im_comet protocol=centrifuge; im_webhook rpc /rpc/down; }

    location /rpc/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        proxy_set_header X-Real-IP $remote_addr;
        log_subrequest on;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook;
    }

    location = /rpc/here { internal; return 200 '{"result":{"data":"here"}}'; }
    location = /rpc/long {
        internal;
        subrequest_output_buffer_size 16;
        return 200 '{"result":{"data":"longer"}}';
    }
    location = /rpc/long_up {
        internal;
        subrequest_output_buffer_size 16;
        rewrite ^ /rpc/data break;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
    }
    location = /rpc/mute {
        internal;
        proxy_read_timeout 1s;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MUTE;
    }
    location = /rpc/down { internal; proxy_pass http://127.0.0.1:1; }
--- services: redis logic job
--- not_ready
--- websocket
a: open /ws
a: send {"connect":{},"id":1}
a: like "connect"
a: send {"rpc":{"method":"say","data":{"x":"y\n"}},"id":2}
a: recv {"id":2,"rpc":{"data":{"answer":42}}}
access: /rpc/data 200 \{"client":"[0-9a-f-]{36}","transport":"websocket","protocol":"json","encoding":"json","user":"","method":"say","data":\{"x":"y\\n"\}\}
a: send {"rpc":{"method":"1"},"id":3}
a: send {"rpc":{"method":"2"},"id":4}
a: recv {"id":3,"rpc":{"data":{"answer":42}}}
a: recv {"id":4,"rpc":{"data":{"answer":42}}}
b: open /none
b: send {"connect":{},"id":1}
b: like "connect"
b: send {"rpc":{"method":"m","data":1},"id":2}
b: recv {"id":2,"error":{"code":108,"message":"not available"}}
c: open /b64
c: send {"connect":{},"id":1}
c: like "connect"
c: send {"rpc":{"data":1},"id":2}
c: recv {"id":2,"rpc":{"data":{"a":1}}}
d: open /empty
d: send {"connect":{},"id":1}
d: like "connect"
d: send {"rpc":{"data":1},"id":2}
d: recv_text {"id":2,"rpc":{}}
e: open /lines
e: send {"connect":{},"id":1}
e: like "connect"
e: send {"rpc":{"data":1},"id":2}
e: recv_text {"id":2,"rpc":{"data":{"a":1}}}
f: open /error
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"data":1},"id":2}
f: recv {"id":2,"error":{"code":1005,"message":"no way","temporary":true}}
f: send {"rpc":{"data":1},"id":3}
f: like "id":3,"error"
g: open /denied
g: send {"connect":{},"id":1}
g: like "connect"
g: send {"rpc":{"data":1},"id":2}
g: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
h: open /bye
h: send {"connect":{},"id":1}
h: like "connect"
h: send {"rpc":{"data":1},"id":2}
h: recv_close 4100 /^bye$/
log: code: 4100, why: disconnected by a webhook
i: open /nothing
i: send {"connect":{},"id":1}
i: like "connect"
i: send {"rpc":{"data":1},"id":2}
i: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
j: open /here
j: send {"connect":{},"id":1}
j: like "connect"
j: send {"rpc":{"data":1},"id":2}
j: recv {"id":2,"rpc":{"data":"here"}}
--- no_error_log
[error]
[alert]



=== TEST 2: answers that are none: error 100, and the session goes on
--- websocket
a: open /text
a: send {"connect":{},"id":1}
a: like "connect"
a: send {"rpc":{"data":1},"id":2}
a: recv {"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}
log: webhook "/rpc/text" can't be understood: the answer is not a JSON object \(status 200\)
a: send {"rpc":{"data":1},"id":3}
a: like "id":3,"error":\{"code":100
b: open /range
b: send {"connect":{},"id":1}
b: like "connect"
b: send {"rpc":{"data":1},"id":2}
b: like "id":2,"error":\{"code":100
log: webhook "/rpc/range" can't be understood: the answer's code is out of range
c: open /500
c: send {"connect":{},"id":1}
c: like "connect"
c: send {"rpc":{"data":1},"id":2}
c: like "id":2,"error":\{"code":100
log: webhook "/rpc/500" can't be understood: the status is not 200 \(status 500\)
d: open /403
d: send {"connect":{},"id":1}
d: like "connect"
d: send {"rpc":{"data":1},"id":2}
d: like "id":2,"error":\{"code":100
e: open /long
e: send {"connect":{},"id":1}
e: like "connect"
e: send {"rpc":{"data":1},"id":2}
e: like "id":2,"error":\{"code":100
log: webhook "/rpc/long" can't be understood
f: open /long_up
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"data":1},"id":2}
f: like "id":2,"error":\{"code":100
log: webhook "/rpc/long_up" can't be understood
g: open /mute
g: send {"connect":{},"id":1}
g: like "connect"
g: send {"rpc":{"data":1},"id":2}
g: silent
g: send {"rpc":{"data":1},"id":3}
g: like "id":2,"error":\{"code":100
log: webhook "/rpc/mute" can't be understood: the status is not 200 \(status 504\)
g: like "id":3,"error":\{"code":100
h: open /down
h: send {"connect":{},"id":1}
h: like "connect"
h: send {"rpc":{"data":1},"id":2}
h: like "id":2,"error":\{"code":100
--- no_error_log
[alert]



=== TEST 3: who hangs up while the backend thinks
--- websocket
a: open /mute
a: send {"connect":{},"id":1}
a: like "connect"
a: send {"rpc":{"data":1},"id":2}
a: silent
a: cut
b: open /mute
b: send {"connect":{},"id":1}
b: like "connect"
b: send {"rpc":{"data":1},"id":2}
b: silent
b: close 1000
c: open /ws
c: send {"connect":{},"id":1}
c: like "connect"
c: send {"rpc":{"data":1},"id":2}
c: like "id":2,"rpc"
--- no_error_log
[alert]



=== TEST 4: no such event
--- config
    location = /ws { im_comet protocol=echo; im_webhook message /hook; }
--- must_die
--- error_log eval
qr/im_webhook: "message" is no event; there are connect/



=== TEST 5: no URI
--- config
    location = /ws { im_comet protocol=echo; im_webhook rpc http:x; }
--- must_die
--- error_log eval
qr/im_webhook: "http:x" must be the URI/



=== TEST 6: twice
--- config
    location = /ws { im_comet protocol=echo; im_webhook rpc /x; im_webhook rpc /x; }
--- must_die
--- error_log eval
qr/im_webhook: "rpc" is there twice/



=== TEST 7: a protocol without commands
--- config
    location = /ws { im_comet protocol=echo; im_webhook rpc /hook; }
--- must_die
--- error_log eval
qr/im_webhook: "rpc" is of no use to "im_comet protocol=echo"/



=== TEST 8: a webhook that leads nowhere
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=centrifuge; im_webhook rpc /hook; }
--- must_die
--- error_log eval
qr/im_webhook: "\/hook" leads to no location that answers/
