# Clients that don't read, in a reload: what they lack is in a log for all of them
# before it, and bytes of each of them behind it.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();

run_tests();

__DATA__

=== TEST 1: a half of logs= is for them; others stay
--- http_config
    im_handover on;
    im_drain 3s;
    im_limit topic_log=8m logs=8m;
    im_room * history=0;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
    location = /cent { im_comet protocol=centrifuge; im_auth none; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open :$TEST_NGINX_IM_PORT2 /cent
a: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"long"},"id":2}
a: like ^\{"id":1,"connect":
a: like ^\{"id":2,"subscribe":
b: open :$TEST_NGINX_IM_PORT2 /cent
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"long"},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":
c: open /cent
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2}
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":
flood: 45x60000 room long
reload:
until: /status "moved_in":2,"moved_out":2,"stayed":\{[^}]*"limit":1,
push: room long "behind"
push: room 1 "next"
c: like "next"
a: recv_long 45x60000
a: like "behind"
b: recv_long 45x60000
b: like "behind"
log: session ended: .* out: 27\d{5}, reason: drain, code: 3001, why: worker ends
--- no_error_log
[alert]
[error]
