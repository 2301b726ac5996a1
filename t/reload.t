# Reload and quit: sessions are closed with 1012, nothing is left open.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
no_handover();
workers(2);

run_tests();

__DATA__

=== TEST 1: reload
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /echo2 { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
b: open /none
c: open /echo2
push: room 1 "before"
a: recv msg "before"
reload:
a: recv_close 1012
b: recv_close 1012
c: recv_close 1012
d: open /none
d: send {"roomId":1}
d: recv op 4
push: room 1 "after"
d: recv msg "after"
until: /im/rooms/1 "count":\s*1\b
until: /status "total":\{"workers":2,
--- no_error_log
[alert]
open socket



=== TEST 2: quit
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
b: open /echo2
b: frame 1l100 half a message
c: open /none
quit:
a: recv_close 1012
b: recv_close 1012
c: recv_close 1012
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 3: quit while nobody is there
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /echo2 { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
a: close 1000
quit:
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 4: a client that never answers doesn't hold up the end
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /echo2 { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
quit:
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 5: im_drain: sessions go over its time and lose nothing meanwhile
--- http_config
    im_drain 3s;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
crowd: 50 7 /none
reload:
record: draining 1
redis: ZCARD im:{reg}:t:test-1 => ^1$
until: /status "draining":true
a: open /none
a: send {"roomId":8}
a: recv op 4
drained: 7 2.5 8
until: /status "total":\{"workers":2,
a: silent
push: room 8 "new"
a: recv msg "new"
until: /im/rooms/8 "count":\s*1\b
--- no_error_log
[alert]
open socket



=== TEST 6: while Redis is slow it takes longer
--- http_config
    im_drain 1s;
    im_redis $TEST_NGINX_IM_REDIS timeout=20s;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
crowd: 40 1 /none
redis: CLIENT PAUSE 3500 ALL
reload:
drained: - 2.4 10
until: /im/health ^200
a: open /none
a: send {"roomId":1}
a: recv op 4
--- no_error_log
[alert]
open socket



=== TEST 7: worker_shutdown_timeout ends it
--- main_config
    worker_shutdown_timeout 1s;
--- http_config
    im_drain 1h;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
crowd: 2 1 /none
a: open /none
a: send {"roomId":1}
a: recv op 4
quit:
a: eof
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 8: quit waits for the time of im_drain, not for its end
--- http_config
    im_drain 1h;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
quit:
log: closing 1 sessions in 3600000 ms
a: silent
a: close 1000
exit: nginx
--- no_shutdown_error_log
[alert]
open socket
