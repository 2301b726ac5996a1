# Sessions of one user, and how many topics a session follows.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

our $Auth = <<'CONF';
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
CONF

our $Tokens = <<'TOKENS';
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
TOKENS

run_tests();

__DATA__

=== TEST 1: the newest sessions of a user stay, the oldest is closed for good
--- http_config
    im_limit per_user=2;
--- config eval
"    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
        im_limit policy=newest;
    }
    location = /cf {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
        im_limit policy=newest;
    }
$::Auth"
--- tokens eval
$::Tokens
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /cf
b: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: like ^\{"id":1,"connect":
o: open /ws
o: send {"auth":"fedcba9876543210","roomId":2}
o: recv op 4
c: open /ws
c: send {"auth":"0123456789abcdef","roomId":2}
a: recv_close 1008 /newer session/
c: recv op 4
d: open /cf
d: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: recv_close 3504 /newer session/
d: like ^\{"id":1,"connect":
push: user u1 {"msg":"both"}
c: upto "both"
d: like "msg":"both"
e: open /cf
e: send {"connect":{"token":"0123456789abcdef"},"id":1}
c: recv_close 1008 /newer session/
e: like ^\{"id":1,"connect":
until: /status "sessions":3\b
push: user u1 {"msg":"again"}
d: like "msg":"again"
e: like "msg":"again"
push: user u2 {"msg":"other"}
o: upto "other"
--- no_error_log
[error]
[alert]



=== TEST 2: by location; guests and other users make no room for each other
--- http_config
    im_limit per_user=1 policy=newest;
--- config eval
"    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /refuse {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
        im_limit policy=refuse;
    }
    location = /cf {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
        im_limit policy=refuse;
    }
    location = /none { im_comet protocol=im; im_auth none; }
$::Auth"
--- tokens eval
$::Tokens
--- websocket
g: open /none
g: send {"roomId":1}
g: recv op 4
h: open /none
h: send {"roomId":1}
h: upto "op":4
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":3}
a: recv op 4
b: open /refuse
b: send {"auth":"0123456789abcdef","roomId":3}
b: recv_close 1013 /too many sessions/
b: open /cf
b: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: recv_close 3504 /too many sessions/
c: open /ws
c: send {"auth":"fedcba9876543210","roomId":4}
c: recv op 4
d: open /ws
d: send {"auth":"0123456789abcdef","roomId":5}
a: recv_close 1008 /newer session/
d: recv op 4
b: open /refuse
b: send {"auth":"0123456789abcdef","roomId":3}
b: recv_close 1013 /too many sessions/
d: close 1000
b: open /refuse
b: send {"auth":"0123456789abcdef","roomId":6}
b: recv op 4
push: room 4 {"msg":"there"}
c: recv msg "there"
push: all {"msg":"all"}
g: upto "all"
h: upto "all"
--- no_error_log
[error]
[alert]



=== TEST 3: a guest of centrifuge follows topics= rooms
--- http_config
    im_limit topics=3;
    im_room * history=10 ttl=1h;
--- config eval
"    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /token {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
$::Auth"
--- tokens eval
$::Tokens
--- websocket
a: open /cf
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
a: send_lines {"subscribe":{"channel":"1"},"id":2} | {"subscribe":{"channel":"2"},"id":3} | {"subscribe":{"channel":"3"},"id":4}
a: like_set ^\{"id":2,"subscribe": || ^\{"id":3,"subscribe": || ^\{"id":4,"subscribe":
a: send {"subscribe":{"channel":"4"},"id":5}
a: like ^\{"id":5,"error":\{"code":106,
a: send {"unsubscribe":{"channel":"2"},"id":6}
a: like ^\{"id":6,"unsubscribe":
a: send {"subscribe":{"channel":"4"},"id":7}
a: like ^\{"id":7,"subscribe":
b: open /token
b: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: like ^\{"id":1,"connect":.*"#u1"
b: send_lines {"subscribe":{"channel":"1"},"id":2} | {"subscribe":{"channel":"2"},"id":3}
b: like_set ^\{"id":2,"subscribe": || ^\{"id":3,"subscribe":
b: send {"subscribe":{"channel":"3"},"id":4}
b: like ^\{"id":4,"error":\{"code":106,
--- no_error_log
[error]
[alert]



=== TEST 4: the channels of a token are topics, and the inbox of its user is one
--- http_config
    im_limit topics=3;
    im_room * history=10 ttl=1h;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
--- config
    location = /jwt { im_comet protocol=centrifuge; im_auth jwt; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /jwt
a: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","channels":["1","2"]})"},"id":1}
a: like ^\{"id":1,"connect":
a: send {"subscribe":{"channel":"3"},"id":2}
a: like ^\{"id":2,"error":\{"code":106,
b: open /jwt
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","channels":["1","2","3"]})"},"id":1}
b: like ^\{"id":1,"error":\{"code":106,
c: open /jwt
c: send {"connect":{"token":"JWT(HS256 hs {"sub":"","channels":["1","2","3"]})"},"id":1}
c: like ^\{"id":1,"connect":
c: send {"subscribe":{"channel":"4"},"id":2}
c: like ^\{"id":2,"error":\{"code":106,
d: open /jwt
d: send {"connect":{"token":"JWT(HS256 hs {"sub":"","channels":["1","2","3","4"]})"},"id":1}
d: like ^\{"id":1,"error":\{"code":106,
--- no_error_log
[error]
[alert]



=== TEST 5: one topic is enough for a guest of im, not for a user in a room
--- http_config
    im_limit topics=1;
--- config eval
"    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
$::Auth"
--- tokens eval
$::Tokens
--- websocket
a: open /ws
a: send {"roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv_close 1008 /too many topics/
c: open /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,"connect":
c: send {"subscribe":{"channel":"1"},"id":2}
c: like ^\{"id":2,"subscribe":
c: send {"subscribe":{"channel":"2"},"id":3}
c: like ^\{"id":3,"error":\{"code":106,
push: room 1 {"msg":"in"}
a: upto "in"
c: like "in"
--- no_error_log
[error]
[alert]
