# Which clients may connect: tokens, guests, allowed rooms.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: rules of rooms and of a token
--- http_config
    im_room 1          history=10 ttl=1h;
    im_room private:*  history=10 ttl=1h join=user;
    im_room 9          history=10 ttl=1h join=user;
    im_room 5          history=0;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
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
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
00000000000000a1 u1 Ann
00000000000000b1 u3 Bo 1,chat:*
--- websocket
a: open /ws
a: send {"auth":"00000000000000b1","roomId":1}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"00000000000000b1","roomId":9}
b: recv_close 1008
c: open /ws
c: send {"auth":null,"roomId":9}
c: recv_close 1008
d: open /ws
d: send {"auth":"0123456789abcdef","roomId":9}
d: recv op 4 count=1
e: open /ws
e: send {"auth":null,"roomId":77}
e: recv_close 1008
f: open /none
f: send {"auth":"0123456789abcdef","roomId":9}
f: recv_close 1008
g: open /none
g: send {"auth":null,"roomId":5}
g: recv op 4 roomId=5
push: room 5 "no history"
g: recv msg "no history"
--- no_error_log
[error]
[alert]



=== TEST 2: tokens that name other keys, or none
--- websocket
redis: SET im_00000000000000c1 string
redis: HSET im_room_user_1 UserId u9 UserName Eve
redis: HSET im_00000000000000c2 Other x
a: open /ws
a: send {"auth":"00000000000000c1","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"room_user_1","roomId":1}
b: recv op 4
c: open /ws
c: send {"auth":"00000000000000c2","roomId":1}
c: recv op 4
d: open /ws
d: send {"auth":"../{0}:x\u0000","roomId":1}
d: recv op 4
push: user u9 "secret"
push: room 1 "public"
a: recv msg "public"
b: recv msg "public"
c: recv msg "public"
d: recv msg "public"
b: silent
http: GET /im/users/u9 200 => "online":\s*false
--- no_error_log
[error]
[alert]



=== TEST 3: the connect call is not served to strangers
--- websocket
http: POST /im_connect 404 {"protocol":"im","token":"0123456789abcdef","room":"1","ip":"","node":""}
http: :$TEST_NGINX_IM_HTTP POST /im_connect 404 {"protocol":"im","token":"0123456789abcdef","room":"1","ip":"","node":""}
--- no_error_log
[error]
[alert]



=== TEST 4: logic away: with a token closed with 1013, open sessions stay
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
kill: logic
b: open /ws
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv_close 1013
c: open /none
c: send {"auth":null,"roomId":1}
c: recv op 4
a: silent
start: logic
until: /im/health ^200
d: open /ws
d: send {"auth":"0123456789abcdef","roomId":1}
d: recv op 4
push: room 1 "on"
a: recv msg "on"
c: recv msg "on"
d: recv msg "on"
--- no_error_log
[alert]



=== TEST 5: im_connect that leads nowhere, which nginx -t could not know
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_conect; }
    location ~ ^/im_(connect|status)$ {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv_close 1013
log: \[error\].*the backend "/im_conect" can't tell who a token is: status 40
b: open /ws
b: send {"auth":"","roomId":1}
b: recv op 4
--- no_error_log
[alert]



=== TEST 6: answers of another program than im_logic
--- http_config
    log_format who escape=none '$uri $status $request_body';

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /who/user  { return 200 '{"code":0,"data":{"user":"u1","name":"Ann"}}'; }
        location = /who/guest { return 200 '{"code":0,"data":{"user":""}}'; }
        location = /who/401   { return 401 'who?'; }
        location = /who/403   { return 403; }
        location = /who/code  { return 200 '{"code":401,"msg":"no"}'; }
        location = /who/503   { return 200 '{"code":503,"msg":"later"}'; }
        location = /who/500   { return 500; }
        location = /who/404   { return 404; }
        location = /who/302   { return 302 http://127.0.0.1/login; }
        location = /who/html  { return 200 '<html><title>Sign in</title>'; }
        location = /who/empty { return 200 ''; }
        location = /who/other { return 200 '{"result":{"user":"u1"}}'; }
        location = /who/type  { return 200 '{"code":0,"data":{"user":17}}'; }
        location = /who/list  { return 200 '{"code":0,"data":[]}'; }
    }
    im_room * history=0;
--- config
    im_auth token;

    location = /user  { im_comet protocol=im; im_connect /who/user; }
    location = /guest { im_comet protocol=im; im_connect /who/guest; }
    location = /401   { im_comet protocol=im; im_connect /who/401; }
    location = /403   { im_comet protocol=im; im_connect /who/403; }
    location = /code  { im_comet protocol=im; im_connect /who/code; }
    location = /503   { im_comet protocol=im; im_connect /who/503; }
    location = /500   { im_comet protocol=im; im_connect /who/500; }
    location = /404   { im_comet protocol=im; im_connect /who/404; }
    location = /302   { im_comet protocol=im; im_connect /who/302; }
    location = /html  { im_comet protocol=im; im_connect /who/html; }
    location = /empty { im_comet protocol=im; im_connect /who/empty; }
    location = /other { im_comet protocol=im; im_connect /who/other; }
    location = /type  { im_comet protocol=im; im_connect /who/type; }
    location = /list  { im_comet protocol=im; im_connect /who/list; }
    location = /cf    { im_comet protocol=centrifuge; im_connect /who/user; }
    location = /cf401 { im_comet protocol=centrifuge; im_connect /who/401; }
    location = /cf404 { im_comet protocol=centrifuge; im_connect /who/404; }

    location /who/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        log_subrequest on;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log who;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /user
a: send {"auth":"BEGIN-FILL(8182)-END","roomId":1}
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
access: /who/user 200 .*"token":"BEGIN-x{8182}-END"
b: open /user
b: send {"auth":"FILL(8193)","roomId":1}
b: recv_close 1008 /auth is too long/
c: open /cf
c: send {"connect":{"token":"BEGIN-FILL(8182)-END"},"id":1}
c: like "id":1,"connect":.*"#u1"
d: open /cf
d: send {"connect":{"token":"FILL(8193)"},"id":1}
d: recv_close 3500 /auth is too long/
e: open /401
e: send {"auth":"t","roomId":1}
e: recv_close 1008 /refused by the backend/
f: open /403
f: send {"auth":"t","roomId":1}
f: recv_close 1008 /refused by the backend/
g: open /code
g: send {"auth":"t","roomId":1}
g: recv_close 1008 /refused by the backend/
h: open /503
h: send {"auth":"t","roomId":1}
h: recv_close 1013 /the backend can't be reached/
i: open /500
i: send {"auth":"t","roomId":1}
i: recv_close 1013 /the backend can't be reached/
log: backend "/who/500" can't tell who a token is: status 500, the backend can't be reached
j: open /404
j: send {"auth":"t","roomId":1}
j: recv_close 1013 /the backend can't be understood/
k: open /302
k: send {"auth":"t","roomId":1}
k: recv_close 1013 /the backend can't be understood/
l: open /html
l: send {"auth":"t","roomId":1}
l: recv_close 1013 /the backend can't be understood/
log: backend "/who/html" can't tell who a token is: status 200, the backend can't be understood, it begins with "<html><title>Sign in</title>"
m: open /empty
m: send {"auth":"t","roomId":1}
m: recv_close 1013 /the backend can't be understood/
n: open /other
n: send {"auth":"t","roomId":1}
n: recv_close 1013 /the backend can't be understood/
o: open /type
o: send {"auth":"t","roomId":1}
o: recv_close 1013 /the backend can't be understood/
p: open /list
p: send {"auth":"t","roomId":1}
p: recv_close 1013 /the backend can't be understood/
q: open /guest
q: send {"auth":"t","roomId":5}
q: recv op 4 count=0
r: open /cf401
r: send {"connect":{"token":"t"},"id":1}
r: recv_close 3507 /refused by the backend/
s: open /cf404
s: send {"connect":{"token":"t"},"id":1}
s: recv_close 3004 /the backend can't be understood/
--- no_error_log
[alert]



=== TEST 7: bad tokens cost their address
--- http_config
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/es256.pub;
    im_per_address failures=1;
    im_room * history=0;
--- config
    location = /ws    { im_comet protocol=im; im_auth jwt; }
    location = /token { im_comet protocol=im; im_auth token; im_connect /im_connect; }
    location = /status { im_status; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
logins: 120 ES256 es256b {"sub":"u1","n":COUNT} => \A1008.*1013
log: too many bad tokens|im_per_address failures=
until: /status "address_failures":\s*[1-9]
a: tries /token {"auth":"00000000000000d1","roomId":1} => ^close 1013 too many bad tokens from this address
b: open from=127.0.0.2 /ws
b: send {"auth":"JWT(ES256 es256 {"sub":"u2"})","roomId":1}
b: recv op 4
--- no_error_log
[error]
[alert]
