# Reload and quit: sessions are closed with 1012, nothing is left open.

use Test::Nginx::Socket 'no_plan';
use Test::Im;

master_on();
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
