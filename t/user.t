# Identities that nginx already knows (im_user), and headers of the handshake
# that questions to backends bring (im_forward).

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: the user of a variable
--- http_config
    log_format hook escape=none '$uri $status $request_body';

    map $http_x_who $who {
        default  $http_x_who;
        "none"   "";
        "bad"    "a\tb";
    }

    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
    im_room users   history=10 ttl=1h join=user publish=user presence;
    im_room *       history=10 ttl=1h;
    im_inbox        history=10 ttl=1h;
    im_limit per_user=2;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /who/u1      { return 200 '{"code":0,"data":{"user":"u1","name":"Token"}}'; }
        location = /who/u2      { return 200 '{"code":0,"data":{"user":"u2"}}'; }
        location = /who/none    { return 200 '{"code":0,"data":{"user":""}}'; }
        location = /hook/u1     { return 200 '{"result":{"user":"u1","data":{"x":1}}}'; }
        location = /hook/u2     { return 200 '{"result":{"user":"u2"}}'; }
        location = /hook/empty  { return 200 '{"result":{}}'; }
        location = /hook/nobody { return 200 '{}'; }
        location = /accel       { add_header X-Accel-Redirect /checked; return 204; }
        location = /auth        { add_header X-User $cookie_session; return 204; }
    }
--- config
    im_user $who name=$http_x_name;

    location = /ws     { im_comet protocol=im; }
    location = /jwt    { im_comet protocol=im; im_auth jwt; }
    location = /token1 { im_comet protocol=im; im_auth token; im_connect /who/u1; }
    location = /token2 { im_comet protocol=im; im_auth token; im_connect /who/u2; }
    location = /token0 { im_comet protocol=im; im_auth token; im_connect /who/none; }
    location = /cf     { im_comet protocol=centrifuge; im_auth jwt; im_connect /im_connect; im_webhook rpc /hook/empty; }
    location = /cf0    { im_comet protocol=centrifuge; im_auth token; im_connect /who/none; }
    location = /hook1  { im_comet protocol=centrifuge; im_webhook connect /hook/u1; }
    location = /hook2  { im_comet protocol=centrifuge; im_webhook connect /hook/u2; }
    location = /hook0  { im_comet protocol=centrifuge; im_webhook connect /hook/empty; }
    location = /hookn  { im_comet protocol=centrifuge; im_auth jwt; im_webhook connect /hook/nobody; }
    location = /off    { im_comet protocol=im; im_user off; }
    location = /cookie { im_comet protocol=im; im_user $cookie_session; }
    location = /remote { im_comet protocol=im; im_user $remote_user; auth_basic x; auth_basic_user_file passwords; }

    location = /checked {
        auth_request /auth;
        auth_request_set $checked $upstream_http_x_user;
        im_comet protocol=im;
        im_user $checked;
    }
    location = /rewritten { rewrite ^ /checked last; }
    location = /accel     { proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location = /auth {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }

    location ~ ^/(hook|who)/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
        log_subrequest on;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook;
    }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- user_files
>>> ../conf/passwords
remote:{PLAIN}secret
--- websocket
a: open /ws X-Who: u1 | X-Name: Änn
a: send {"auth":null,"roomId":1}
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Änn"}}
push: user u1 "for u1"
a: recv msg "for u1"
b: open /ws
b: send {"auth":null,"roomId":2}
b: recv op 4 count=0
c: open /ws X-Who: none
c: send {"auth":null,"roomId":3}
c: recv op 4 count=0
d: open /jwt X-Who: u3
d: send {"auth":null,"roomId":4}
d: recv op 4 roomUserInfo={"u3":""}
e: open /jwt X-Who: u3
e: send {"auth":"JWT(HS256 hs {"sub":"u3","info":{"name":"Cid"}})","roomId":5}
e: recv op 4 roomUserInfo={"u3":"Cid"}
f: open /jwt X-Who: u4
f: send {"auth":"JWT(HS256 hs {"sub":"u3"})","roomId":6}
f: recv_close 1008 /another user's/
g: open /jwt X-Who: u4
g: send {"auth":"JWT(HS256 hs {})","roomId":6}
g: recv_close 1008 /another user's/
h: open /jwt X-Who: u4
h: send {"auth":"JWT(HS256 hs {"sub":"u4","exp":now-60})","roomId":6}
h: recv_close 1008 /expired/
i: open /token1 X-Who: u1
i: send {"auth":"t","roomId":7}
i: recv op 4 roomUserInfo={"u1":"Token"}
access: /who/u1 200 .*"token":"t".*"user":"u1"
j: open /token2 X-Who: u1
j: send {"auth":"t","roomId":7}
j: recv_close 1008 /another user's/
k: open /token0 X-Who: u5
k: send {"auth":"t","roomId":8}
k: recv op 4 roomUserInfo={"u5":""}
l: open /token2 X-Who: u5
l: send {"auth":"","roomId":9}
l: recv op 4 roomUserInfo={"u5":""}
m: open /off X-Who: u6
m: send {"auth":null,"roomId":10}
m: recv op 4 count=0
n: open /cookie Cookie: a=b; session=CN=ann,O=x
n: send {"auth":null,"roomId":11}
n: recv op 4 roomUserInfo={"CN=ann,O=x":""}
o: open /checked Cookie: session=u7
o: send {"auth":null,"roomId":12}
o: recv op 4 roomUserInfo={"u7":""}
p: open /rewritten Cookie: session=u8
p: send {"auth":null,"roomId":13}
p: recv op 4 roomUserInfo={"u8":""}
w: open /accel Cookie: session=u10
w: send {"auth":null,"roomId":17}
w: recv op 4 roomUserInfo={"u10":""}
q: refused 401 /remote
r: open /remote Authorization: Basic cmVtb3RlOnNlY3JldA==
r: send {"auth":null,"roomId":14}
r: recv op 4 roomUserInfo={"remote":""}
s: refused 403 /ws X-Who: bad
log: handshake refused with 403: im_user gives no valid user
t: refused 403 /ws X-Who: FILL(254)
u: open /ws X-Who: FILL(253)
u: send {"auth":null,"roomId":15}
u: recv op 4 count=1
v: open /ws X-Who: u9 | X-Name: FILL(300)
v: send {"auth":null,"roomId":16}
v: like "u9":"x{253}"
--- no_error_log
[error]
[alert]



=== TEST 2: centrifuge: the user before any token, in webhooks and limits
--- websocket
a: open /cf X-Who: u1
a: send {"connect":{},"id":1}
a: like "id":1,"connect":.*"#u1"
a: send {"subscribe":{"channel":"users"},"id":2}
a: like "id":2,"subscribe"
a: send {"presence":{"channel":"users"},"id":3}
a: like "user":"u1"
a: send {"publish":{"channel":"users","data":{"n":1}},"id":4}
a: like_set "pub":\{"data":\{"n":1\},"info":\{"user":"u1" || "id":4,"publish"
a: send {"rpc":{"method":"m"},"id":5}
a: like "id":5,"rpc"
access: /hook/empty 200 .*"user":"u1","method":"m"
a: send {"subscribe":{"channel":"$p","token":"JWT(HS256 hs {"sub":"u1","channel":"$p"})"},"id":6}
a: like "id":6,"subscribe"
a: send {"refresh":{"token":"JWT(HS256 hs {"sub":"u1","exp":now+600})"},"id":7}
a: like "id":7,"refresh"
b: open /cf X-Who: u1
b: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1","channels":["x"]})"},"id":1}
b: like "id":1,"connect":.*"x":
c: open /cf X-Who: u1
c: send {"connect":{},"id":1}
c: recv_close 3504
d: open /cf X-Who: u2
d: send {"connect":{"token":"JWT(HS256 hs {"sub":"u1"})"},"id":1}
d: recv_close 3500 /another user's/
e: open /cf
e: send {"connect":{},"id":1}
e: recv_close 3501 /no token/
f: open /cf0 X-Who: u2
f: send {"connect":{"token":"t"},"id":1}
f: recv_close 3500 /invalid token/
g: open /hook1 X-Who: u1
g: send {"connect":{},"id":1}
g: recv_close 3504
access: /hook/u1 200 \{"client":"[0-9a-f-]{36}","transport":"websocket","protocol":"json","encoding":"json","user":"u1"\}
h: open /hook2 X-Who: u1
h: send {"connect":{},"id":1}
h: recv_close 3500 /another user's/
i: open /hook0 X-Who: u3
i: send {"connect":{},"id":1}
i: like "id":1,"connect":.*"#u3"
j: open /hookn X-Who: u4
j: send {"connect":{},"id":1}
j: like "id":1,"connect":.*"#u4"
k: open /hook0
k: send {"connect":{},"id":1}
k: like "id":1,"connect":\{(?!.*"#u)
http: DELETE /im/users/u4?for=600 200
j: recv_close 3503
l: open /hookn X-Who: u4
l: send {"connect":{},"id":1}
l: recv_close 3503
m: open /ws X-Who: u4
m: send {"auth":null,"roomId":1}
m: recv_close 1008 /kept out/
--- no_error_log
[error]
[alert]



=== TEST 3: headers of the handshake reach the backends
--- http_config
    log_format seen escape=none '$uri cookie=$http_cookie one=$cookie_a two=$cookie_b auth=$http_authorization user=$remote_user xff=$http_x_forwarded_for ua=$http_user_agent custom=$http_x_custom key=$http_sec_websocket_key host=$http_host type=$http_content_type .';

    im_room * history=10 ttl=1h publish=member;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log seen;
        location = /who { return 200 '{"code":0,"data":{"user":"u1"}}'; }
        location /hook/ { return 200 '{"result":{"expire_at":4000000000}}'; }
    }
--- config
    im_forward Cookie Authorization X-Forwarded-For USER-AGENT X-Custom;

    location = /ws { im_comet protocol=im; im_auth token; im_connect /who; }
    location = /cf {
        im_comet protocol=centrifuge;
        im_webhook connect /hook/connect;
        im_webhook rpc /hook/rpc;
        im_webhook subscribe /hook/subscribe;
    }
    location = /one  { im_comet protocol=im; im_auth token; im_connect /who; im_forward X-Custom; }
    location = /off  { im_comet protocol=im; im_auth token; im_connect /who; im_forward off; }
    location = /logic { im_comet protocol=im; im_auth token; im_connect /im_connect; im_forward Cookie Origin Authorization; im_allow_origin *; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location = /none { im_comet protocol=im; }
    location ~ ^/(who|hook) { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: open /ws Cookie: a=1 | Cookie: b=2 | Authorization: Basic dTpw | X-Forwarded-For: 192.0.2.1 | X-Forwarded-For: 192.0.2.2 | User-Agent: test/1 | X-Custom: c | X-Other: o
a: send {"auth":"t","roomId":1}
a: recv op 4 count=1
access: /who cookie=a=1; b=2 one=1 two=2 auth=Basic dTpw user=u xff=192.0.2.1, 192.0.2.2 ua=test/1 custom=c key= host=127.0.0.1:\d+ type=application/json \.
b: open /cf Cookie: a=3 | User-Agent: test/2 | X-Custom: d
b: send {"connect":{},"id":1}
b: like "id":1,"connect"
access: /hook/connect cookie=a=3 one=3 two= auth= user= xff= ua=test/2 custom=d
b: send {"subscribe":{"channel":"r"},"id":2}
b: like "id":2,"subscribe"
access: /hook/subscribe cookie=a=3 one=3 two= auth= user= xff= ua=test/2 custom=d
b: send {"rpc":{"method":"m"},"id":3}
b: like "id":3,"rpc"
access: /hook/rpc cookie=a=3 one=3 two= auth= user= xff= ua=test/2 custom=d
c: open /one Cookie: a=4 | X-Custom: e
c: send {"auth":"t","roomId":1}
c: recv op 4
access: /who cookie= one= two= auth= user= xff= ua= custom=e
d: open /off Cookie: a=5 | X-Custom: f
d: send {"auth":"t","roomId":1}
d: recv op 4
access: /who cookie= one= two= auth= user= xff= ua= custom= key
i: open /logic Cookie: a=6 | Cookie: b=7 | Origin: https://example.com | Authorization: Bearer x
i: send {"auth":"0123456789abcdef0123456789abcdef","roomId":1}
i: recv op 4
e: refused 431 /431 Request Header Fields Too Large/ /ws Cookie: a=FILL(4000) | X-Custom: FILL(4200)
f: open /ws Cookie: a=FILL(4000) | X-Custom: FILL(4100)
f: send {"auth":"t","roomId":1}
f: recv op 4
g: open /one Cookie: a=FILL(4000) | X-Other: FILL(4200)
g: send {"auth":"t","roomId":1}
g: recv op 4
h: open /none Cookie: a=FILL(4000) | X-Custom: FILL(4200)
h: send {"auth":"t","roomId":1}
h: recv op 4
--- no_error_log
[error]
[alert]



=== TEST 4: no such variable
--- config
    location = /ws { im_comet protocol=echo; im_user $nothing_like_it; }
--- must_die
--- error_log eval
qr/unknown "nothing_like_it" variable/



=== TEST 5: no variable
--- config
    location = /ws { im_comet protocol=echo; im_user ann; }
--- must_die
--- error_log eval
qr/im_user: "ann" has no variable: all clients would have that value/



=== TEST 6: another option
--- config
    location = /ws { im_comet protocol=echo; im_user $remote_user nick=$remote_user; }
--- must_die
--- error_log eval
qr/im_user: "nick=\$remote_user" must be name=/



=== TEST 7: twice
--- config
    location = /ws { im_comet protocol=echo; im_user $remote_user; im_user $remote_user; }
--- must_die
--- error_log eval
qr/"im_user" directive is duplicate/



=== TEST 8: a header of the connection
--- config
    location = /ws { im_comet protocol=echo; im_forward Cookie Transfer-Encoding; }
--- must_die
--- error_log eval
qr/im_forward: "transfer-encoding" can't be forwarded: it is about the connection/



=== TEST 9: a header of the handshake
--- config
    location = /ws { im_comet protocol=echo; im_forward Sec-WebSocket-Protocol; }
--- must_die
--- error_log eval
qr/im_forward: "sec-websocket-protocol" can't be forwarded/



=== TEST 10: a header twice
--- config
    location = /ws { im_comet protocol=echo; im_forward Cookie COOKIE; }
--- must_die
--- error_log eval
qr/im_forward: "cookie" is there twice/



=== TEST 11: no name of a header
--- config
    location = /ws { im_comet protocol=echo; im_forward "X-A: b"; }
--- must_die
--- error_log eval
qr/im_forward: "x-a: b" is no name of a header/



=== TEST 12: Host is the client's anyway
--- config
    location = /ws { im_comet protocol=echo; im_forward Host; }
--- must_die
--- error_log eval
qr/im_forward: "host" can't be forwarded/



=== TEST 13: too many headers
--- config
    location = /ws { im_comet protocol=echo; im_forward a b c d e f g h i j k l m n o p q; }
--- must_die
--- error_log eval
qr/"im_forward" directive has too many headers: at most 16/



=== TEST 14: a variable is no name of a header
--- config
    location = /ws { im_comet protocol=echo; im_forward $http_cookie; }
--- must_die
--- error_log eval
qr/im_forward: "\$http_cookie" is no name of a header: name each one/



=== TEST 15: all headers
--- config
    location = /ws { im_comet protocol=echo; im_forward *; }
--- must_die
--- error_log eval
qr/im_forward: "\*" is no name of a header: name each one/



=== TEST 16: off with a header
--- config
    location = /ws { im_comet protocol=echo; im_forward off Cookie; }
--- must_die
--- error_log eval
qr/im_forward: "off" stands alone/
