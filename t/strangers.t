# What one address may cost: others get their places and their share.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';
run_tests();

__DATA__

=== TEST 1: who holds most sessions gives up the oldest
--- http_config
    im_limit sessions=4;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: many 101=4,503=1 /echo
b: open from=127.0.0.2 /echo
a1: recv_close 1013 /place/
a1: eof
b: send b
b: recv_text b
# two and two: a third one has no better right
c: open from=127.0.0.2 /echo
a2: gone
d: refused 503 /Retry-After: \d/ from=127.0.0.2 /echo
# and a third address with one has it
e: open from=127.0.0.3 /echo
a3: gone
d: refused 503 from=127.0.0.3 /echo
f: open from=127.0.0.4 /echo
b: gone
a4: send a
a4: recv_text a
until: /status "total":.*"sessions":4,
until: /status "total":.*"refused":3,.*"refusals":\{.*"sessions":3,.*"closed_for_others":4\b
log: \[warn\] .* im: 127.0.0.1 loses its oldest session to a client of another address; \d+ more since
log: \[warn\] .* im: 127.0.0.1 is refused: im_limit sessions= is reached
--- no_error_log
[error]
[alert]



=== TEST 2: places before the first frame
--- http_config
    im_limit unauthenticated=3;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket
until: /status "link":"up"
a: many 101=3,503=1 /none
b: open from=127.0.0.2 /none
a1: recv_close 1013 /place/
b: send {"roomId":1}
b: recv op 4
# there is a place again, and sessions that are open are not concerned
a4: open /none
c: open from=127.0.0.3 /none
a2: recv_close 1013
d: open from=127.0.0.3 /none
a3: recv_close 1013
b: silent
until: /status "total":.*"unauthenticated":3,.*"unauthenticated":1,.*"closed_for_others":3\b
--- no_error_log
[error]
[alert]



=== TEST 3: a session that lingers makes way first
--- http_config
    im_limit sessions=3;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: many 101=3 /echo
a3: frame 3 x
a3: recv_close 1002
b: open from=127.0.0.2 /echo
a3: gone
a1: send a
a1: recv_text a
a2: send a
a2: recv_text a
until: /status "total":.*"sessions":3,
--- no_error_log
[error]
[alert]



=== TEST 4: which addresses are one, and which have no limit
--- http_config
    im_per_address sessions=1 except=10.0.0.0/8 except=2001:db8:ffff::/48;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Real-IP;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: many 101=1,429=1 /echo X-Real-IP: 192.0.2.1
b: many 101=1,429=1 /echo X-Real-IP: 192.0.2.2
c: many 429=1 /echo X-Real-IP: ::ffff:192.0.2.1
c: many 429=1 /echo X-Real-IP: 64:ff9b::192.0.2.1
d: many 101=1 /echo X-Real-IP: 2001:db8:0:1::1
d: many 429=1 /echo X-Real-IP: 2001:db8:0:1:ffff::2
d: many 101=1 /echo X-Real-IP: 2001:db8:0:2::1
d: many 101=1,429=1 /echo X-Real-IP: ::1
e: many 101=3 /echo X-Real-IP: 10.1.2.3
f: many 101=3 /echo X-Real-IP: ::ffff:10.1.2.3
g: many 101=3 /echo X-Real-IP: 2001:db8:ffff:1::1
--- no_error_log
[error]
[alert]



=== TEST 5: a unix socket is one peer without a limit
--- http_config
    im_per_address sessions=1 handshakes=1;
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/front.sock;
        location = /echo { im_comet protocol=echo; }
    }
--- config
    location = /echo { im_comet protocol=echo; }
    location = /front/echo {
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/front.sock:/echo;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
    }
--- websocket
a: many 101=12 /front/echo
b: many 101=1,429=1 /echo
--- no_error_log
[error]
[alert]



=== TEST 6: no limit at all
--- http_config
    im_limit sessions=2;
    im_per_address off;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: many 101=2,503=1 /echo
b: refused 503 from=127.0.0.2 /echo
--- no_error_log
[error]
[alert]



=== TEST 7: bad tokens of a session
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs.pub;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room * history=0;
--- config
    location = /cf  { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /cf
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
a: send {"subscribe":{"channel":"x","token":"JWT(RS256 rs.other {"channel":"x"})"},"id":2}
a: like ^\{"id":2,"error":\{"code":103,
a: send {"subscribe":{"channel":"x","token":"nonsense"},"id":3}
a: like ^\{"id":3,"error":\{"code":103,
# an old one is no fault
a: send {"subscribe":{"channel":"x","token":"JWT(RS256 rs {"channel":"x","exp":now-60})"},"id":4}
a: like ^\{"id":4,"error":\{"code":109,
a: send {"subscribe":{"channel":"x","token":"JWT(RS256 rs {"channel":"x"})"},"id":5}
a: like ^\{"id":5,"subscribe":
a: send {"subscribe":{"channel":"y","token":"JWT(HS256 hs256.other {"channel":"y"})"},"id":6}
a: recv_close 3500
--- no_error_log
[error]
[alert]



=== TEST 8: bad tokens of an address, and half of the signatures for others
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs.pub;
    im_limit signatures=400;
    im_per_address failures=1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth jwt; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /ws
a: send {"auth":"JWT(RS256 rs {"sub":"u1"})","roomId":1}
a: recv op 4
logins: 120 RS256 rs.other {"sub":"u1","n":COUNT} => 1008 1013
until: /status "address_failures":[1-9]
b: open from=127.0.0.2 /ws
b: send {"auth":"JWT(RS256 rs {"sub":"u2"})","roomId":1}
b: recv op 4
a: recv op 4
log: \[warn\] .* im: 127.0.0.1 is refused: im_per_address failures= is reached
--- no_error_log
[error]
[alert]



=== TEST 9: tokens that logic doesn't know
--- tokens
t1 u1 Ann
--- http_config
    im_per_address failures=1;
--- config
    location = /ws {
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
    location = /status { im_status; }
--- websocket
logins: 120 HS256 hs {"n":COUNT} => ok 1013
until: /status "address_failures":[1-9]
b: open from=127.0.0.2 /ws
b: send {"auth":"t1","roomId":1}
b: recv op 4
--- no_error_log
[error]
[alert]



=== TEST 10: new rooms of an address
--- http_config
    im_per_address rooms=1;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /cf
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
# a bucket has forty seconds
a: subscribe 40 x
a: send {"subscribe":{"channel":"x1","recover":false},"id":2}
a: like ^\{"id":2,"error":\{"code":105,
until: /status "address_rooms":0,
a: cut
# a room that is there costs nothing
b: open from=127.0.0.2 /cf
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: subscribe 20 y
c: open /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,"connect":
c: subscribe 20 y
--- no_error_log
[error]
[alert]



=== TEST 11: rooms that guests brought
--- tokens
t1 u1 Ann
--- http_config
    im_per_address guest_rooms=3;
    im_limit       guest_rooms=4;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /user {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /cf
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
a: subscribe 3 x
a: send {"subscribe":{"channel":"x4"},"id":2}
a: like ^\{"id":2,"error":\{"code":111,
# another session of the address, and a user, whose rooms don't count
b: open /cf
b: send {"connect":{},"id":1}
b: like ^\{"id":1,"connect":
b: send {"subscribe":{"channel":"x4"},"id":2}
b: like ^\{"id":2,"error":\{"code":111,
b: subscribe 3 x
u: open /user
u: send {"connect":{"token":"t1"},"id":1}
u: like ^\{"id":1,"connect":
u: subscribe 5 u
# the fourth of the node
c: open from=127.0.0.2 /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,"connect":
c: subscribe 1 y
c: send {"subscribe":{"channel":"y2"},"id":2}
c: like ^\{"id":2,"error":\{"code":111,
# given back at the leave and at the end
a: send {"unsubscribe":{"channel":"x1"},"id":3}
a: like ^\{"id":3,"unsubscribe":
a: subscribe 1 z
a: cut
until: /status "sessions":3,
b: send {"subscribe":{"channel":"x4"},"id":4}
b: like ^\{"id":4,"subscribe":
until: /status "address_guest_rooms":2,.*"guest_rooms":1,
--- no_error_log
[error]
[alert]



=== TEST 12: places without an epoch, and other things that are empty
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /cf
a: send {"id":1,"connect":{"token":"","data":{},"name":"","version":"","subs":{"#":{"recover":true,"offset":1},"x":{"recover":true}}}}
a: like ^\{"id":1,"connect":
a: send {"id":2,"subscribe":{"channel":"y","recover":true,"offset":1,"token":""}}
a: like ^\{"id":2,"subscribe":
a: send {"id":3,"history":{"channel":"y","since":{"offset":1},"limit":1}}
a: like ^\{"id":3,"(history|error)":
a: send {"id":4,"history":{"channel":"y","since":{},"limit":1}}
a: like ^\{"id":4,"(history|error)":
a: send {"id":5,"publish":{"channel":"y","data":""}}
a: like ^\{"id":5,"error":
a: send {"id":6,"rpc":{"method":"","data":null}}
a: like ^\{"id":6,"error":
b: open /none
b: send {"roomId":1,"seq":1,"auth":""}
b: recv op 7 broadcast=true
a: ping
a: recv_pong
c: open /cf
c: send {"id":1,"connect":{"subs":{"":{"recover":true,"offset":1}}}}
c: like ^\{"id":1,"connect":
--- no_error_log
[alert]
