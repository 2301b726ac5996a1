# The module asks the operator's backend about commands of clients.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

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
        location = /rpc/text64  { return 200 '{"result":{"b64data":"aGk="}}'; }
        location = /rpc/bytes   { return 200 '{"result":{"b64data":"/wD+"}}'; }
        location = /rpc/empty   { return 200 '{"result":{}}'; }
        location = /rpc/lines   { return 200 "{\n\"result\":\n{\"data\":{\n\"a\":\n1}}}\n"; }
        location = /rpc/chunks  {
            ssi on;
            ssi_types text/plain;
            return 200 '{"result":{"data":[<!--# echo var="arg_x" default="1" -->,<!--# echo var="arg_x" default="2" -->]}}';
        }
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
    location = /large   { im_comet protocol=centrifuge; im_limit message=4m; im_webhook rpc /rpc/data; im_webhook connect /rpc/empty; }
    location = /b64     { im_comet protocol=centrifuge; im_webhook rpc /rpc/b64; }
    location = /text64  { im_comet protocol=centrifuge; im_webhook rpc /rpc/text64; }
    location = /bytes   { im_comet protocol=centrifuge; im_webhook rpc /rpc/bytes; }
    location = /empty   { im_comet protocol=centrifuge; im_webhook rpc /rpc/empty; }
    location = /lines   { im_comet protocol=centrifuge; im_webhook rpc /rpc/lines; }
    location = /chunks  { im_comet protocol=centrifuge; im_webhook rpc /rpc/chunks; }
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
        proxy_http_version 1.1;
        proxy_set_header Connection "";
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
t: open /text64
t: send {"connect":{},"id":1}
t: like "connect"
t: send {"rpc":{"data":1},"id":2}
t: recv {"id":2,"rpc":{"data":"hi"}}
y: open /bytes
y: send {"connect":{},"id":1}
y: like "connect"
y: send {"rpc":{"data":1},"id":2}
y: recv {"id":2,"rpc":{"data":"/wD+"}}
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
k: open /chunks
k: send {"connect":{},"id":1}
k: like "connect"
k: send {"rpc":{"data":1},"id":2}
k: recv {"id":2,"rpc":{"data":[1,2]}}
k: send {"rpc":{"data":1},"id":3}
k: recv {"id":3,"rpc":{"data":[1,2]}}
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
d: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
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
i: open /large
i: send {"connect":{"data":"FILL(200000)"},"id":1}
i: like "connect"
i: send {"rpc":{"data":"FILL(1000000)"},"id":2}
i: recv {"id":2,"rpc":{"data":{"answer":42}}}
i: send {"rpc":{"data":"FILL(2100000)"},"id":3}
i: recv {"id":3,"error":{"code":111,"message":"too many requests","temporary":true}}
j: open /large
j: send {"connect":{"data":"FILL(2100000)"},"id":1}
j: recv_close 3004 /too much to do/
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



=== TEST 4: connect
--- http_config
    log_format hook escape=none '$uri $status $request_body';

    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
    im_room users   history=10 ttl=1h join=user publish=member presence;
    im_room open    history=10 ttl=1h publish=user;
    im_room shut    history=10 ttl=1h;
    im_room bare    history=0 publish=user;
    im_inbox        history=10 ttl=1h;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /hook/user    { return 200 '{"result":{"user":"u1","info":{"name":"Ann"},"data":{"hello":1},"channels":["open"],"meta":{"m":1}}}'; }
        location = /hook/guest   { return 200 '{"result":{}}'; }
        location = /hook/nothing { return 200 '{}'; }
        location = /hook/error   { return 200 '{"error":{"code":1000,"message":"no","temporary":true}}'; }
        location = /hook/denied  { return 200 '{"error":{"code":101}}'; }
        location = /hook/bye     { return 200 '{"disconnect":{"code":4501,"reason":"bye"}}'; }
        location = /hook/broken  { return 200 'x'; }
        location = /hook/name    { return 200 '{"result":{"user":"u\u0001"}}'; }
        location = /hook/info    {
            set $a 0123456789abcdef;
            set $a "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a";
            set $a "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a";
            set $a "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a";
            return 200 '{"result":{"user":"u8","info":"$a"}}';
        }
        location = /hook/room    { return 200 '{"result":{"channels":["nowhere"]}}'; }
        location = /hook/ok      { return 200 '{"result":{}}'; }
        location = /hook/data    { return 200 '{"result":{"data":{"changed":1},"idempotency_key":"same","tags":{"t":"1"}}}'; }
        location = /hook/skip    { return 200 '{"result":{"skip_history":true}}'; }
        location = /hook/sub     { return 200 '{"result":{"data":{"welcome":1},"info":{"boss":1}}}'; }
    }
--- config
    im_webhook publish   /hook/ok;
    im_webhook subscribe /hook/sub;
    im_auth jwt;

    location = /ws      { im_comet protocol=centrifuge; im_connect /im_connect; im_webhook connect /hook/user; im_webhook publish /hook/data; }
    location = /guest   { im_comet protocol=centrifuge; im_connect /im_connect; im_webhook connect /hook/guest; im_auth none; }
    location = /nobody  { im_comet protocol=centrifuge; im_webhook connect /hook/nothing; im_auth none; }
    location = /nothing { im_comet protocol=centrifuge; im_webhook connect /hook/nothing; }
    location = /error   { im_comet protocol=centrifuge; im_webhook connect /hook/error; }
    location = /denied  { im_comet protocol=centrifuge; im_webhook connect /hook/denied; }
    location = /bye     { im_comet protocol=centrifuge; im_webhook connect /hook/bye; }
    location = /broken  { im_comet protocol=centrifuge; im_webhook connect /hook/broken; }
    location = /name    { im_comet protocol=centrifuge; im_webhook connect /hook/name; }
    location = /info    { im_comet protocol=centrifuge; im_webhook connect /hook/info; }
    location = /room    { im_comet protocol=centrifuge; im_webhook connect /hook/room; }
    location = /sub_denied  { im_comet protocol=centrifuge; im_connect /im_connect; im_webhook subscribe /hook/denied; im_webhook publish /hook/denied; }
    location = /sub_nothing { im_comet protocol=centrifuge; im_connect /im_connect; im_webhook subscribe /hook/nothing; im_webhook publish /hook/nothing; }
    location = /pub_skip    { im_comet protocol=centrifuge; im_connect /im_connect; im_webhook publish /hook/skip; }
    location = /sub_bye     { im_comet protocol=centrifuge; im_webhook subscribe /hook/bye; }
    location = /sub_broken  { im_comet protocol=centrifuge; im_connect /im_connect; im_webhook subscribe /hook/broken; im_webhook publish /hook/broken; }

    location /hook/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        subrequest_output_buffer_size 128k;
        log_subrequest on;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook;
    }

    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /ws
a: send {"connect":{"name":"js","version":"5","data":{"cookie":"x"}},"id":1}
a: like ^\{"id":1,"connect":\{.*"data":\{"hello":1\},"subs":\{(?=.*"#u1":\{).*"open":\{
access: /hook/user 200 \{"client":"[0-9a-f-]{36}","transport":"websocket","protocol":"json","encoding":"json","name":"js","version":"5","data":\{"cookie":"x"\}\}
a: send {"subscribe":{"channel":"users","data":{"d":1}},"id":2}
a: like ^\{"id":2,"subscribe":\{.*"data":\{"welcome":1\}
access: /hook/sub 200 \{"client":"[0-9a-f-]{36}",.*"user":"u1","meta":\{"m":1\},"channel":"users","data":\{"d":1\}\}
a: send {"presence":{"channel":"users"},"id":3}
a: like "id":3,"presence":.*"conn_info":\{"name":"Ann"\},"chan_info":\{"boss":1\}
push: user u1 {"n":1}
a: like "channel":"#u1","pub":\{"data":\{"n":1\}
b: open /guest
b: send {"connect":{"token":"ignored"},"id":1}
b: like "id":1,"connect"
b: send {"subscribe":{"channel":"users"},"id":2}
b: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
b: send {"subscribe":{"channel":"nowhere"},"id":3}
b: recv {"id":3,"error":{"code":102,"message":"unknown channel"}}
c: open /nobody
c: send {"connect":{},"id":1}
c: like "id":1,"connect"
d: open /nothing
d: send {"connect":{},"id":1}
d: recv_close 3501 /no token/
e: open /error
e: send {"connect":{},"id":1}
e: recv {"id":1,"error":{"code":1000,"message":"no","temporary":true}}
e: send {"subscribe":{"channel":"open"},"id":2}
e: recv_close 3501
f: open /denied
f: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"open"},"id":2}
f: recv {"id":1,"error":{"code":101,"message":"unauthorized"}}
f: recv_close 3501
g: open /bye
g: send {"connect":{},"id":1}
g: recv_close 4501 /^bye$/
h: open /ws
h: send {"connect":{"token":"JWT(HS256 hs {"sub":"u9"})"},"id":1}
h: like "subs":\{.*"#u9"
i: open /ws
i: send {"connect":{"token":"bad"},"id":1}
i: recv_close 3500
j: open /room
j: send {"connect":{},"id":1}
j: recv {"id":1,"error":{"code":102,"message":"unknown channel"}}
k: open /ws
k: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"users"},"id":2} | {"unsubscribe":{"channel":"users"},"id":3}
k: like "id":1,"connect"
k: like "id":2,"subscribe"
k: like "id":3,"unsubscribe"
--- no_error_log
[error]
[alert]



=== TEST 5: subscribe and publish
--- websocket
a: open /ws
a: send {"connect":{},"id":1}
a: like "connect"
p: open /ws
p: send {"connect":{"token":"JWT(HS256 hs {"sub":"u7","meta":{"m":2}})"},"id":1}
p: like "connect"
p: send {"publish":{"channel":"open","data":{"mine":1}},"id":2}
p: recv {"id":2,"publish":{}}
a: like "channel":"open","pub":\{"data":\{"changed":1\},.*"user":"u7".*"tags":\{"t":"1"\}
access: /hook/data 200 .*"user":"u7","meta":\{"m":2\},"channel":"open","data":\{"mine":1\}\}
p: send {"publish":{"channel":"open","data":{"mine":2}},"id":3}
p: recv {"id":3,"publish":{}}
p: send {"publish":{"channel":"shut","data":{"mine":2}},"id":4}
p: recv {"id":4,"error":{"code":103,"message":"permission denied"}}
push: room open {"next":1}
a: like "channel":"open","pub":\{"data":\{"next":1\}
b: open /sub_denied
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
b: like "connect"
b: send {"subscribe":{"channel":"open"},"id":2}
b: recv {"id":2,"error":{"code":101,"message":"unauthorized"}}
b: send {"publish":{"channel":"open","data":1},"id":3}
b: recv {"id":3,"error":{"code":101,"message":"unauthorized"}}
b: send {"subscribe":{"channel":"open","token":"JWT(HS256 hs {"sub":"u2","channel":"open"})"},"id":4}
b: like "id":4,"subscribe"
c: open /sub_nothing
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
c: like "connect"
c: send {"subscribe":{"channel":"open"},"id":2}
c: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
c: send {"publish":{"channel":"open","data":1},"id":3}
c: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
d: open /sub_bye
d: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
d: like "connect"
d: send {"subscribe":{"channel":"open"},"id":2}
d: recv_close 4501 /^bye$/
e: open /pub_skip
e: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
e: like "connect"
e: send {"publish":{"channel":"open","data":1},"id":2}
e: recv {"id":2,"publish":{}}
e: send {"publish":{"channel":"bare","data":1},"id":3}
e: recv {"id":3,"publish":{}}
--- no_error_log
[error]
[alert]



=== TEST 6: answers to connect, subscribe and publish that are none
--- websocket
a: open /broken
a: send {"connect":{},"id":1}
a: recv {"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}
b: open /name
b: send {"connect":{},"id":1}
b: recv {"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}
log: webhook "/hook/name" gave an invalid identity
d: open /info
d: send {"connect":{},"id":1}
d: recv {"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}
log: webhook "/hook/info" gave an invalid identity
c: open /sub_broken
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2"})"},"id":1}
c: like "connect"
c: send {"subscribe":{"channel":"open"},"id":2}
c: like "id":2,"error":\{"code":100
c: send {"publish":{"channel":"open","data":1},"id":3}
c: like "id":3,"error":\{"code":100
--- no_error_log
[alert]



=== TEST 7: refresh and sub_refresh: the server asks
--- http_config
    log_format hook escape=none '$uri $status $request_body';

    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
    im_room * history=10 ttl=1h;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /hook/later   { return 200 '{"result":{"expire_at":4000000000}}'; }
        location = /hook/expired { return 200 '{"result":{"expired":true}}'; }
        location = /hook/past    { return 200 '{"result":{"expire_at":1}}'; }
        location = /hook/never   { return 200 '{"result":{"expire_at":0}}'; }
        location = /hook/bye     { return 200 '{"disconnect":{"code":4501,"reason":"bye"}}'; }
        location = /hook/broken  { return 500; }
    }
--- config
    im_auth jwt;
    im_limit refresh=1s;

    location = /ws      { im_comet protocol=centrifuge; im_webhook refresh /hook/later;   im_webhook sub_refresh /hook/later; }
    location = /expired { im_comet protocol=centrifuge; im_webhook refresh /hook/expired; im_webhook sub_refresh /hook/expired; }
    location = /past    { im_comet protocol=centrifuge; im_webhook refresh /hook/past; }
    location = /bye     { im_comet protocol=centrifuge; im_webhook refresh /hook/bye; }
    location = /broken  { im_comet protocol=centrifuge; im_webhook refresh /hook/broken; im_webhook sub_refresh /hook/broken; }

    location /hook/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        log_subrequest on;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook;
    }

    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /ws
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","exp":now+3,"meta":[1]})"},"id":1}
a: like ^\{"id":1,"connect":\{(?!.*"expires")
a: send {"subscribe":{"channel":"c","token":"JWT(HS256 hs {"sub":"u1","channel":"c","exp":now+3})"},"id":2}
a: like ^\{"id":2,"subscribe":\{(?!.*"expires")
b: open /expired
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2","exp":now+3})"},"id":1}
b: like "connect"
c: open /past
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2","exp":now+3})"},"id":1}
c: like "connect"
d: open /bye
d: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2","exp":now+3})"},"id":1}
d: like "connect"
e: open /expired
e: send {"connect":{"token":"JWT(HS256 hs {"sub":"u3"})"},"id":1}
e: like "connect"
e: send {"subscribe":{"channel":"c","token":"JWT(HS256 hs {"sub":"u3","channel":"c","exp":now+3})"},"id":2}
e: like "id":2,"subscribe"
f: open /broken
f: send {"connect":{"token":"JWT(HS256 hs {"sub":"u4","exp":now+3})"},"id":1}
f: like "connect"
f: send {"subscribe":{"channel":"c","token":"JWT(HS256 hs {"sub":"u4","channel":"c","exp":now+3})"},"id":2}
f: like "id":2,"subscribe"
access: /hook/later 200 \{"client":"[0-9a-f-]{36}",.*"user":"u1","meta":\[1\]\}
access: /hook/later 200 \{"client":"[0-9a-f-]{36}",.*"user":"u1","meta":\[1\],"channel":"c"\}
b: recv_close 3005 /expire/
c: recv_close 3005 /expire/
d: recv_close 4501 /^bye$/
e: recv {"push":{"channel":"c","unsubscribe":{"code":2501,"reason":"subscription expired"}}}
access: /hook/broken 500 .*"channel":"c"\}
push: room c {"n":1}
a: like "channel":"c","pub":\{"data":\{"n":1\}
f: like "channel":"c","pub":\{"data":\{"n":1\}
e: silent
--- no_error_log
[alert]



=== TEST 8: no such event
--- config
    location = /ws { im_comet protocol=echo; im_webhook message /hook; }
--- must_die
--- error_log eval
qr/im_webhook: "message" is no event; there are connect/



=== TEST 9: no URI
--- config
    location = /ws { im_comet protocol=echo; im_webhook rpc http:x; }
--- must_die
--- error_log eval
qr/im_webhook: "http:x" must be the URI/



=== TEST 10: twice
--- config
    location = /ws { im_comet protocol=echo; im_webhook rpc /x; im_webhook rpc /x; }
--- must_die
--- error_log eval
qr/im_webhook: "rpc" is there twice/



=== TEST 11: a protocol without commands
--- config
    location = /ws { im_comet protocol=echo; im_webhook rpc /hook; }
--- must_die
--- error_log eval
qr/im_webhook: "rpc" is of no use to "im_comet protocol=echo"/



=== TEST 12: a webhook that leads nowhere
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=centrifuge; im_webhook rpc /hook; }
--- must_die
--- error_log eval
qr/im_webhook: "\/hook" leads to no location that answers/



=== TEST 13: 401 and 403 are final, other answers are not
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
    im_room * history=10 ttl=1h publish=user;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /hook/401   { return 401 'who?'; }
        location = /hook/403   { return 403 '{"result":{}}'; }
        location = /hook/404   { return 404; }
        location = /hook/302   { return 302 http://127.0.0.1/login; }
        location = /hook/503   { return 503; }
        location = /hook/429   { return 429; }
        location = /hook/201   { return 201 '{"result":{}}'; }
        location = /hook/204   { return 204; }
        location = /hook/html  { default_type text/html; return 200 '<html><title>Sign in</title>'; }
        location = /hook/token { return 200 'bad token eyJhbGciOiJIUzI1NiJ9.e30.x'; }
        location = /hook/list  { return 200 '[{"result":{"user":"secret"}}]'; }
        location = /hook/type  { return 200 '{"result":{"user":17}}'; }
        location = /hook/empty { return 200 ''; }
    }
--- config
    im_limit refresh=1s;

    location ~ ^/c(\w+)$ {
        im_comet protocol=centrifuge;
        im_webhook connect /hook/403;
    }
    location = /401   { im_comet protocol=centrifuge; im_webhook connect /hook/401; }
    location = /404   { im_comet protocol=centrifuge; im_webhook connect /hook/404; }
    location = /302   { im_comet protocol=centrifuge; im_webhook connect /hook/302; }
    location = /503   { im_comet protocol=centrifuge; im_webhook connect /hook/503; }
    location = /429   { im_comet protocol=centrifuge; im_webhook connect /hook/429; }
    location = /201   { im_comet protocol=centrifuge; im_webhook connect /hook/201; }
    location = /204   { im_comet protocol=centrifuge; im_webhook connect /hook/204; }
    location = /html  { im_comet protocol=centrifuge; im_webhook connect /hook/html; }
    location = /token { im_comet protocol=centrifuge; im_webhook connect /hook/token; }
    location = /list  { im_comet protocol=centrifuge; im_webhook connect /hook/list; }
    location = /type  { im_comet protocol=centrifuge; im_webhook connect /hook/type; }
    location = /empty { im_comet protocol=centrifuge; im_webhook connect /hook/empty; }
    location = /later {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_connect /im_connect;
        im_webhook subscribe   /hook/403;
        im_webhook publish     /hook/401;
        im_webhook rpc         /hook/401;
        im_webhook sub_refresh /hook/401;
    }
    location = /renew {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_webhook refresh     /hook/403;
        im_webhook sub_refresh /hook/403;
    }
    location = /nonsense {
        im_comet protocol=centrifuge;
        im_auth jwt;
        im_connect /im_connect;
        im_webhook subscribe   /hook/404;
        im_webhook publish     /hook/html;
        im_webhook rpc         /hook/302;
    }

    location /hook/ { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /c1
a: send {"connect":{},"id":1}
a: recv_close 3507 /refused by the backend/
b: open /401
b: send {"connect":{},"id":1}
b: recv_close 3507 /refused by the backend/
c: open /404
c: send {"connect":{},"id":1}
c: recv {"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}
log: webhook "/hook/404" can't be understood: the status is not 200 \(status 404\), it begins with "<html>
d: open /302
d: send {"connect":{},"id":1}
d: like "code":100,.*"temporary":true
e: open /503
e: send {"connect":{},"id":1}
e: like "code":100,.*"temporary":true
f: open /429
f: send {"connect":{},"id":1}
f: like "code":100,.*"temporary":true
g: open /201
g: send {"connect":{},"id":1}
g: like "code":100,.*"temporary":true
h: open /204
h: send {"connect":{},"id":1}
h: like "code":100,.*"temporary":true
i: open /html
i: send {"connect":{},"id":1}
i: like "code":100,.*"temporary":true
log: webhook "/hook/html" can't be understood: the answer is not a JSON object \(status 200\), it begins with "<html><title>Sign in</title>"
j: open /token
j: send {"connect":{},"id":1}
j: like "code":100,.*"temporary":true
log: "/hook/token" can't be understood: .* it begins with "bad token eyJhbGciOiJIUzI1\.\."
k: open /list
k: send {"connect":{},"id":1}
k: like "code":100,.*"temporary":true
log: "/hook/list" can't be understood: .*, it looks like JSON$
l: open /type
l: send {"connect":{},"id":1}
l: like "code":100,.*"temporary":true
log: "/hook/type" can't be understood
m: open /empty
m: send {"connect":{},"id":1}
m: like "code":100,.*"temporary":true
n: open /later
n: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
n: like "id":1,"connect"
n: send {"subscribe":{"channel":"a"},"id":2}
n: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
n: send {"publish":{"channel":"a","data":1},"id":3}
n: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
n: send {"rpc":{"method":"m"},"id":4}
n: recv {"id":4,"error":{"code":103,"message":"permission denied"}}
n: send {"subscribe":{"channel":"b","token":"JWT(HS256 hs {"sub":"u1","channel":"b","exp":now+2})"},"id":5}
n: like "id":5,"subscribe"
n: recv {"push":{"channel":"b","unsubscribe":{"code":2000,"reason":"refused by the backend"}}}
o: open /renew
o: send {"connect":{"token":"JWT(HS256 hs {"sub":"u2","exp":now+2})"},"id":1}
o: like "id":1,"connect"
o: recv_close 3507 /refused by the backend/
p: open /renew
p: send {"connect":{"token":"JWT(HS256 hs {"sub":"u3","channels":["x"]})"},"id":1}
p: like "id":1,"connect"
q: open /nonsense
q: send {"connect":{"token":"JWT(HS256 hs {"sub":"u4"})"},"id":1}
q: like "id":1,"connect"
q: send {"subscribe":{"channel":"a"},"id":2}
q: like "id":2,"error":\{"code":100
q: send {"publish":{"channel":"a","data":1},"id":3}
q: like "id":3,"error":\{"code":100
q: send {"rpc":{"method":"m"},"id":4}
q: like "id":4,"error":\{"code":100
unlogged: secret
unlogged: NiJ9
--- no_error_log
[alert]
