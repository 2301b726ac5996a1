# Many workers, those of several reloads side by side.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
no_handover();
workers(70);

run_tests();

__DATA__

=== TEST 1: more than 256 of them
--- http_config
    im_drain       1h;
    im_per_address handshakes=0;
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2 reuseport;
        location = /echo { im_comet protocol=echo; }
    }
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
generations: 4 250 :$TEST_NGINX_IM_PORT2 /echo
a: open :$TEST_NGINX_IM_PORT2 /echo
a: send a
a: recv_text a
b: open /echo
b: send b
b: recv_text b
until: /status "total":\{"workers":(?:2[6-9]\d|3\d\d),"sessions":1002,
unlogged: cannot be respawned
--- no_error_log
[error]
