# Another binary takes over from a running nginx: USR2, WINCH, and back.

# nginx executes itself by the name that it was started with
BEGIN {
    $ENV{TEST_NGINX_BINARY} ||=
        (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];
}

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
no_handover();

run_tests();

__DATA__

=== TEST 1: both binaries are one instance
--- main_config
    env LD_PRELOAD;
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
--- http_config
    im_room * history=10 ttl=1h;
--- config
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /none
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"subscribe":{"channel":"1"}}
a: like "id":2,"subscribe"
await: ZCARD im:{reg}:t:test-1 => ^1$
await: ZCARD im:{reg}:nodes => ^1$
push: room 1 1
a: like "data":1
upgrade:
a: recv_close 3001
b: open /none
b: send {"id":1,"connect":{}}
b: like "client"
b: send {"id":2,"subscribe":{"channel":"1"}}
b: like "id":2,"subscribe"
push: room 1 2
b: like "data":2
await: ZCARD im:{reg}:nodes => ^1$
redis: ZCARD im:{reg}:t:test-1 => ^1$
downgrade:
b: recv_close 3001
c: open /none
c: send {"id":1,"connect":{}}
c: like "client"
await: ZCARD im:{reg}:nodes => ^1$
redis: ZCARD im:{reg}:t:test-1 => ^1$
c: close
--- no_error_log
[error]
[alert]



=== TEST 2: sockets of im_listen go on with the other binary
--- main_config
    env LD_PRELOAD;
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
--- http_config
    im_room * history=0;
    im_auth mid;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 1
a: pushed 1 1
upgrade:
a: eof
b: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 2
b: pushed 1 2
downgrade:
b: eof
c: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 3
c: pushed 1 3
--- no_error_log
[error]
