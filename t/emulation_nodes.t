# Emulation on two nodes with two workers each: any of them takes a message and
# hands it to the worker that has the session.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: from each worker, in order
--- http_config
    im_room open       history=10 ttl=1h presence publish=member;
    im_room plain:*    history=0;
--- config
    location = /sse {
        im_comet protocol=centrifuge transport=sse;
        im_auth none;
        im_connect /im_connect;
    }
    location = /stream {
        im_comet protocol=centrifuge transport=http_stream;
        im_auth none;
        im_connect /im_connect;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
    location = /emulation { im_emulation; }
--- websocket
start: nginx2
until: /status "link":"up".*"link":"up"
until: :$TEST_NGINX_IM_PORT2 /status "link":"up".*"link":"up"
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"subscribe\":{\"channel\":\"open\"}}"}
a: like ^\{"id":2,"subscribe":
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"publish\":{\"channel\":\"open\",\"data\":3}}\n{\"id\":4,\"unsubscribe\":{\"channel\":\"open\"}}"}
a: upto ^\{"id":3,"publish":\{\}\}
a: recv {"id":4,"unsubscribe":{}}
same: 40 POST /emulation {"session":"$session","node":"$node","data":"{\"id\":5,\"unsubscribe\":{\"channel\":\"a\"}}"} => 40 \A\z
same: 40 :$TEST_NGINX_IM_PORT2 POST /emulation {"session":"$session","node":"$node","data":"{\"id\":5,\"unsubscribe\":{\"channel\":\"a\"}}"} => 40 \A\z
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":6,\"unsubscribe\":{\"channel\":\"a\"}}"}
a: upto ^\{"id":6,"unsubscribe":\{\}\}
b: get :$TEST_NGINX_IM_PORT2 /sse?cf_connect=URI({"id":1,"connect":{}})
b: like "session":"(?<other>[0-9a-f]{64})","node":"(?<node2>[0-9a-f-]{36})"
http: POST /emulation 204 {"session":"$other","node":"$node2","data":"{\"id\":2,\"subscribe\":{\"channel\":\"plain:1\"}}"}
b: recv {"id":2,"subscribe":{}}
push: room plain:1 "x"
b: recv {"push":{"channel":"plain:1","pub":{"data":"x"}}}
http: POST /emulation 204 {"session":"$other","node":"$node2","data":"{\"id\":2,\"connect\":{}}"}
b: like ^\{"push":\{"disconnect":\{"code":3501,
b: eof
--- no_error_log
[error]
[alert]



=== TEST 2: messages wait in order while the worker stands still
--- websocket
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
pause: worker
pause: worker2
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}"}
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}"}
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":4,\"unsubscribe\":{\"channel\":\"a\"}}"}
resume: worker
resume: worker2
a: recv {"id":2,"unsubscribe":{}}
a: recv {"id":3,"unsubscribe":{}}
a: recv {"id":4,"unsubscribe":{}}
a: cut
--- no_error_log
[alert]



=== TEST 3: a worker that dies
--- websocket
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
kill: worker
kill: worker
a: eof
until: POST /emulation {"session":"$session","node":"$node","data":"{}"} => 404: no such node
http: :$TEST_NGINX_IM_PORT2 POST /emulation 404 {"session":"$session","node":"$node","data":"{}"}
until: /status "link":"up".*"link":"up"
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}"}
a: recv {"id":2,"unsubscribe":{}}
--- no_error_log
[error]



=== TEST 4: Redis goes and comes back
--- websocket
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
stop: redis
until: :$TEST_NGINX_IM_PORT2 POST /emulation {"session":"$session","node":"$node","data":"{}"} => 503: Redis is away
start: redis
until: /status "link":"up".*"link":"up"
until: :$TEST_NGINX_IM_PORT2 /status "link":"up".*"link":"up"
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}"}
a: recv {"id":2,"unsubscribe":{}}
unlogged: \[alert\]



=== TEST 5: a reload: sessions of the old workers get theirs until they are closed
--- http_config
    im_room open  history=0;
    im_drain      60s;
--- config
    location = /stream { im_comet protocol=centrifuge transport=http_stream; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
    location = /emulation { im_emulation; }
--- websocket
start: nginx2
until: :$TEST_NGINX_IM_PORT2 /status "link":"up".*"link":"up"
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
reload:
http: :$TEST_NGINX_IM_PORT2 POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}"}
a: recv {"id":2,"unsubscribe":{}}
until: /status "link":"up".*"link":"up"
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}"}
a: recv {"id":3,"unsubscribe":{}}
a: cut
until: POST /emulation {"session":"$session","node":"$node","data":"{}"} => 404: no such node
--- no_error_log
[alert]
