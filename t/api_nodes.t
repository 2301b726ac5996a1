# Centrifugo's server API: what reaches sessions on two nodes.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

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
b: send {"auth":"0123456789abcdef","roomId":2}
b: recv op 4
c: open :$TEST_NGINX_IM_PORT2 /ws
c: send {"auth":"fedcba9876543210","roomId":3}
c: recv op 4
http: POST /api/disconnect 200 {"user":"u1","whitelist":["$session","x"]} => ^\{"result":\{\}\}\n$
b: recv_close 3503 /^force disconnect$/
push: all "first"
a: recv msg "first"
c: recv msg "first"
http: POST /api/disconnect 200 {"user":"u2","client":"$session"} => ^\{"result":\{\}\}\n$
push: all "second"
a: recv msg "second"
c: recv msg "second"
http: POST /api/disconnect 200 {"user":"u1","client":"$session","disconnect":{"code":4001,"reason":"bye"}} => ^\{"result":\{\}\}\n$
a: recv_close 4001 /^bye$/
push: all "third"
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



=== TEST 2: subscribe, unsubscribe, refresh: all of a user's sessions
--- http_config
    im_room h     history=100 ttl=1h;
    im_room $vip  history=0 join=user;
    im_room 1     history=0;
    im_room pres  history=0 presence;
    im_limit      topics=5;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /im {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
--- websocket
until: /im/health ^200
start: nginx2
http: POST /api/publish 200 {"channel":"h","data":1} => "offset":1,"epoch":"(?<epoch>\w+)"
http: POST /api/publish 200 {"channel":"h","data":2} => "offset":2
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like "client":"(?<one>[0-9a-f-]{36})"
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: like "client":
c: open /ws
c: send {"connect":{"token":"fedcba9876543210"},"id":1}
c: like "client":
d: open /im
d: send {"auth":"0123456789abcdef","roomId":1}
d: recv op 4
http: POST /api/subscribe 200 {"user":"u1","channel":"h","data":{"x":1}} => "result":\{\}
a: recv {"push":{"channel":"h","subscribe":{"recoverable":true,"epoch":"$epoch","offset":2,"positioned":true,"data":{"x":1}}}}
b: recv {"push":{"channel":"h","subscribe":{"recoverable":true,"epoch":"$epoch","offset":2,"positioned":true,"data":{"x":1}}}}
http: POST /api/subscribe 200 {"user":"u1","channel":"h"} => "result":\{\}
http: POST /api/publish 200 {"channel":"h","data":3} => "offset":3
a: recv {"push":{"channel":"h","pub":{"data":3,"offset":3}}}
b: recv {"push":{"channel":"h","pub":{"data":3,"offset":3}}}
http: POST /api/subscribe 200 {"user":"u1","client":"$one","channel":"$vip"} => "result":\{\}
a: recv {"push":{"channel":"$vip","subscribe":{}}}
http: POST /api/publish 200 {"channel":"$vip","data":4} => "result":\{\}
a: recv {"push":{"channel":"$vip","pub":{"data":4}}}
b: silent
http: POST /api/unsubscribe 200 {"user":"u1","channel":"h"} => "result":\{\}
a: recv {"push":{"channel":"h","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}
b: recv {"push":{"channel":"h","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}
http: POST /api/publish 200 {"channel":"h","data":5} => "offset":4
a: silent
b: silent
http: POST /api/subscribe 200 {"user":"u1","channel":"h","recover_since":{"offset":2,"epoch":"$epoch"}} => "result":\{\}
a: recv {"push":{"channel":"h","subscribe":{"recoverable":true,"epoch":"$epoch","offset":2,"positioned":true}}}
a: recv {"push":{"channel":"h","pub":{"data":3,"offset":3}}}
a: recv {"push":{"channel":"h","pub":{"data":5,"offset":4}}}
b: like "subscribe":\{.*"offset":2
b: recv {"push":{"channel":"h","pub":{"data":3,"offset":3}}}
b: recv {"push":{"channel":"h","pub":{"data":5,"offset":4}}}
http: POST /api/publish 200 {"channel":"h","data":6} => "offset":5
a: recv {"push":{"channel":"h","pub":{"data":6,"offset":5}}}
b: recv {"push":{"channel":"h","pub":{"data":6,"offset":5}}}
http: POST /api/subscribe 200 {"user":"u1","client":"$one","channel":"pres","info":{"role":"x"}} => "result":\{\}
a: recv {"push":{"channel":"pres","subscribe":{}}}
until: POST /api/presence {"channel":"pres"} => "presence":\{"$one":\{"user":"u1","client":"$one","chan_info":\{"role":"x"\}\}\}
http: POST /api/refresh 200 {"user":"u1","client":"$one","expire_at":2000000000} => "result":\{\}
a: like ^\{"push":\{"refresh":\{"expires":true,"ttl":\d+\}\}\}$
http: POST /api/refresh 200 {"user":"u1","expired":true} => "result":\{\}
a: recv_close 3005
b: recv_close 3005
d: recv_close 1008
c: silent
c: close
--- no_error_log
[error]
[alert]



=== TEST 3: a position that is gone, and who has as many as allowed
--- websocket
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like "client":
http: POST /api/subscribe 200 {"user":"u1","channel":"h","recover_since":{"offset":1,"epoch":"other"}} => "result":\{\}
a: like ^\{"push":\{"channel":"h","subscribe":\{.*"offset":5
a: send {"subscribe":{"channel":"h"},"id":2}
a: like ^\{"id":2,"error":\{"code":105,
http: POST /api/history_remove 200 {"channel":"h"} => "result":\{\}
http: POST /api/unsubscribe 200 {"user":"u1","channel":"h"} => "result":\{\}
a: like "unsubscribe":\{"code":2000
a: send {"subscribe":{"channel":"h","recover":true,"offset":4,"epoch":"x"},"id":3}
a: like ^\{"id":3,"subscribe":\{(?=.*"was_recovering":true)(?!.*"recovered":true)
a: close
--- no_error_log
[error]
[alert]
