# Centrifugo's server API: what reaches sessions on two nodes.

use Test::Nginx::Socket 'no_plan';
use Test::Im;

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: disconnect: all of a user's sessions but those on the list
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
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
--- websocket
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
until: /im/users/u1 "online":true
http: GET /im/users/u1 200 => "session":"(?<session>[0-9a-f-]{36})"
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv op 4
c: open :$TEST_NGINX_IM_PORT2 /ws
c: send {"auth":"fedcba9876543210","roomId":1}
c: recv op 4
http: POST /api/disconnect 200 {"user":"u1","whitelist":["$session","x"]} => ^\{"result":\{\}\}\n$
b: recv_close 3503 /^force disconnect$/
push: room 1 "first"
a: recv msg "first"
c: recv msg "first"
http: POST /api/disconnect 200 {"user":"u2","client":"$session"} => ^\{"result":\{\}\}\n$
push: room 1 "second"
a: recv msg "second"
c: recv msg "second"
http: POST /api/disconnect 200 {"user":"u1","client":"$session","disconnect":{"code":4001,"reason":"bye"}} => ^\{"result":\{\}\}\n$
a: recv_close 4001 /^bye$/
push: room 1 "third"
c: recv msg "third"
http: POST /api/disconnect 200 {"user":"nobody"} => ^\{"result":\{\}\}\n$
c: silent
until: /im/users/u2 "online":true
http: GET /im/users/u2 200 => "session":"(?<session>[0-9a-f-]{36})"
http: POST /api/disconnect 200 {"session":"$session"} => ^\{"result":\{\}\}\n$
c: recv_close 3503
--- no_error_log
[error]
[alert]
