# nchan in the same nginx, loaded before and after us.  It brings a hiredis of
# its own and exports it: each of the two must work with its own.

# the blocks name the modules, in their order
BEGIN { $ENV{TEST_NGINX_LOAD_MODULES} = ' ' }

use lib 't/lib';
use Test::Im;
use Test::Im::Nginx qw(foreign);

my $Foreign;
BEGIN { $Foreign = foreign($ENV{TEST_NGINX_IM_NCHAN}) }

# nchan frees memory twice when a single process ends: sanitizers abort then
use Test::Nginx::Socket !-e $ENV{TEST_NGINX_IM_NCHAN}
    ? (skip_all => 'nchan is not installed')
    : $Foreign ? (skip_all => $Foreign)
    : $ENV{IM_PRELOAD} ? (skip_all => 'nchan frees memory twice') : 'no_plan';

run_tests();

__DATA__

=== TEST 1: nchan first
--- main_config
    load_module $TEST_NGINX_IM_NCHAN;
    load_module "$TEST_NGINX_IM_MODULE";
--- http_config
    upstream nchan_redis {
        nchan_redis_server redis://127.0.0.1:$TEST_NGINX_IM_REDIS_PORT;
    }
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /pub {
        nchan_publisher;
        nchan_channel_id c;
        nchan_redis_pass nchan_redis;
    }
    location = /sub {
        nchan_subscriber;
        nchan_channel_id c;
        nchan_redis_pass nchan_redis;
    }
--- websocket
a: open /ws
a: send {"auth":null,"roomId":1}
a: recv op 4
b: open /sub
push: room 1 {"msg":"one"}
a: recv msg "one"
until: /pub active subscribers: 1
http: POST /pub 201 two
b: recv_text two
redis: KEYS * => \{channel:
push: room 1 {"msg":"three"}
a: recv msg "three"
--- no_error_log
[error]
[alert]


=== TEST 2: nchan behind us
--- main_config
    load_module "$TEST_NGINX_IM_MODULE";
    load_module $TEST_NGINX_IM_NCHAN;
--- http_config
    upstream nchan_redis {
        nchan_redis_server redis://127.0.0.1:$TEST_NGINX_IM_REDIS_PORT;
    }
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /pub {
        nchan_publisher;
        nchan_channel_id c;
        nchan_redis_pass nchan_redis;
    }
    location = /sub {
        nchan_subscriber;
        nchan_channel_id c;
        nchan_redis_pass nchan_redis;
    }
--- websocket
a: open /ws
a: send {"auth":null,"roomId":1}
a: recv op 4
b: open /sub
push: room 1 {"msg":"one"}
a: recv msg "one"
until: /pub active subscribers: 1
http: POST /pub 201 two
b: recv_text two
redis: KEYS * => \{channel:
push: room 1 {"msg":"three"}
a: recv msg "three"
--- no_error_log
[error]
[alert]
