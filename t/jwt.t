# Tokens that the worker checks itself.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();

run_tests();

__DATA__

=== TEST 1: each algorithm
--- http_config
    im_handover off;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_jwt_key HS384 file=$TEST_NGINX_IM_KEYS/hs384;
    im_jwt_key HS512 file=$TEST_NGINX_IM_KEYS/hs512;
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs.pub;
    im_jwt_key RS384 file=$TEST_NGINX_IM_KEYS/rs3072.pub;
    im_jwt_key RS512 file=$TEST_NGINX_IM_KEYS/rs4096.pub;
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/es256.pub;
    im_jwt_key ES384 file=$TEST_NGINX_IM_KEYS/es384.pub;
    im_jwt_key ES512 file=$TEST_NGINX_IM_KEYS/es512.pub;
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs2.pub kid=r2;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs2 kid=h2 aud=chat iss=login;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/short kid=s weak;
    im_room 9 history=10 ttl=1h join=user;
    im_room * history=10 ttl=1h;
    im_inbox  history=10 ttl=1h;
--- config
    location = /ws  { im_comet protocol=im; im_auth jwt; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1","exp":now+60})","roomId":9}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"JWT(HS384 hs384 {"sub":"u2"})","roomId":9}
b: recv op 4
c: open /ws
c: send {"auth":"JWT(HS512 hs512 {"sub":"u3"})","roomId":9}
c: recv op 4
d: open /ws
d: send {"auth":"JWT(RS256 rs {"sub":"u4"})","roomId":9}
d: recv op 4
e: open /ws
e: send {"auth":"JWT(RS384 rs3072 {"sub":"u5"})","roomId":9}
e: recv op 4
f: open /ws
f: send {"auth":"JWT(RS512 rs4096 {"sub":"u6"})","roomId":9}
f: recv op 4
g: open /ws
g: send {"auth":"JWT(ES256 es256 {"sub":"u7"})","roomId":9}
g: recv op 4
h: open /ws
h: send {"auth":"JWT(ES384 es384 {"sub":"u8"})","roomId":9}
h: recv op 4
i: open /ws
i: send {"auth":"JWT(ES512 es512 {"sub":"u9"})","roomId":9}
i: recv op 4
j: open /ws
j: send {"auth":"JWT(RS256,kid=r2 rs2 {"sub":"u10"})","roomId":9}
j: recv op 4
k: open /ws
k: send {"auth":"JWT(HS256,kid=s short {"sub":"u11"})","roomId":9}
k: recv op 4
until: /im/rooms/9 "count":\s*11\b
g: infos 11 11
push: user u7 "for u7"
g: recv msg "for u7"
--- no_error_log
[error]
[alert]



=== TEST 2: who a token makes of a session
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1","info":{"name":"Änn","x":1}})","roomId":9}
a: recv {"op":4,"roomId":9,"count":1,"roomUserInfo":{"u1":"Änn"}}
b: open /ws
b: send {"auth":"JWT(HS256 hs256 {"sub":"u2","b64info":"eyJuYW1lIjoiQm9iIn0="})","roomId":8}
b: recv op 4 roomUserInfo={"u2":"Bob"}
c: open /ws
c: send {"auth":"JWT(HS256 hs256 {"sub":"u3","info":["name"]})","roomId":7}
c: recv op 4 roomUserInfo={"u3":""}
d: open /ws
d: send {"auth":"JWT(HS256 hs256 {"sub":"u4","info":{"name":5}})","roomId":6}
d: recv op 4 roomUserInfo={"u4":""}
e: open /ws
e: send {"auth":"JWT(HS256 hs256 {})","roomId":9}
e: recv_close 1008 /signed-in/
f: open /ws
f: send {"auth":"JWT(HS256 hs256 {"sub":""})","roomId":5}
f: recv op 4 roomUserInfo={}
g: open /ws
g: send {"auth":null,"roomId":5}
g: recv op 4
h: open /ws
h: send {"auth":"JWT(HS256 hs256 {"sub":"u5","info":{"name":"FILL(4000)"}})","roomId":5}
h: recv op 4
--- no_error_log
[error]
[alert]



=== TEST 3: signatures that are not good
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs384 {"sub":"u1"})","roomId":1}
a: recv_close 1008 /signature is wrong/
b: open /ws
b: send {"auth":"JWT(HS256,claims hs256 {"sub":"u1"})","roomId":1}
b: recv_close 1008 /signature is wrong/
c: open /ws
c: send {"auth":"JWT(HS256,cut hs256 {"sub":"u1"})","roomId":1}
c: recv_close 1008 /signature is wrong/
d: open /ws
d: send {"auth":"JWT(HS256,empty hs256 {"sub":"u1"})","roomId":1}
d: recv_close 1008 /signature is wrong/
e: open /ws
e: send {"auth":"JWT(RS256 rs2 {"sub":"u1"})","roomId":1}
e: recv_close 1008 /signature is wrong/
f: open /ws
f: send {"auth":"JWT(RS256,claims rs {"sub":"u1"})","roomId":1}
f: recv_close 1008 /signature is wrong/
g: open /ws
g: send {"auth":"JWT(RS256,cut rs {"sub":"u1"})","roomId":1}
g: recv_close 1008 /signature is wrong/
h: open /ws
h: send {"auth":"JWT(RS256,zero rs {"sub":"u1"})","roomId":1}
h: recv_close 1008 /signature is wrong/
i: open /ws
i: send {"auth":"JWT(ES256,claims es256 {"sub":"u1"})","roomId":1}
i: recv_close 1008 /signature is wrong/
j: open /ws
j: send {"auth":"JWT(ES256,zero es256 {"sub":"u1"})","roomId":1}
j: recv_close 1008 /signature is wrong/
k: open /ws
k: send {"auth":"JWT(ES256,der es256 {"sub":"u1"})","roomId":1}
k: recv_close 1008 /signature is wrong/
l: open /ws
l: send {"auth":"JWT(ES384,swap es384 {"sub":"u1"})","roomId":1}
l: recv_close 1008 /signature is wrong/
m: open /ws
m: send {"auth":"JWT(ES512,empty es512 {"sub":"u1"})","roomId":1}
m: recv_close 1008 /signature is wrong/
--- no_error_log
[error]
[alert]



=== TEST 4: the algorithm is the key's
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256,kid=r2 rs2.pub {"sub":"u1"})","roomId":1}
a: recv_close 1008 /algorithm is not its key's/
b: open /ws
b: send {"auth":"JWT(HS256 rs.pub {"sub":"u1"})","roomId":1}
b: recv_close 1008 /signature is wrong/
c: open /ws
c: send {"auth":"JWT(none hs256 {"sub":"u1"})","roomId":1}
c: recv_close 1008 /algorithm is not served/
d: open /ws
d: send {"auth":"JWT(NONE hs256 {"sub":"u1"})","roomId":1}
d: recv_close 1008 /algorithm is not served/
e: open /ws
e: send {"auth":"JWT(RS384,kid=r2 rs2 {"sub":"u1"})","roomId":1}
e: recv_close 1008 /algorithm is not its key's/
f: open /ws
f: send {"auth":"JWT(HS256,kid=nobody hs256 {"sub":"u1"})","roomId":1}
f: recv_close 1008 /key is unknown/
g: open /ws
g: send {"auth":"JWT(HS256,kid=R2 hs256 {"sub":"u1"})","roomId":1}
g: recv_close 1008 /key is unknown/
h: open /ws
h: send {"auth":"JWT(HS256,crit hs256 {"sub":"u1"})","roomId":1}
h: recv_close 1008 /critical header/
i: open /ws
i: send {"auth":"JWT(HS256,kid=h2 hs256 {"sub":"u1","aud":"chat","iss":"login"})","roomId":1}
i: recv_close 1008 /signature is wrong/
--- no_error_log
[error]
[alert]



=== TEST 5: claims that do not hold
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1","exp":now-6})","roomId":1}
a: recv_close 1008 /expired/
b: open /ws
b: send {"auth":"JWT(HS256 hs256 {"sub":"u1","exp":now+100,"expire_at":now-6})","roomId":1}
b: recv_close 1008 /expired/
c: open /ws
c: send {"auth":"JWT(HS256 hs256 {"sub":"u1","nbf":now+100})","roomId":1}
c: recv_close 1008 /not valid yet/
d: open /ws
d: send {"auth":"JWT(HS256,kid=h2 hs2 {"sub":"u1","iss":"login"})","roomId":1}
d: recv_close 1008 /audience/
e: open /ws
e: send {"auth":"JWT(HS256,kid=h2 hs2 {"sub":"u1","iss":"login","aud":["x","Chat"]})","roomId":1}
e: recv_close 1008 /audience/
f: open /ws
f: send {"auth":"JWT(HS256,kid=h2 hs2 {"sub":"u1","iss":"other","aud":"chat"})","roomId":1}
f: recv_close 1008 /issuer/
g: open /ws
g: send {"auth":"JWT(HS256,kid=h2 hs2 {"sub":"u1","iss":"login","aud":["x","chat"]})","roomId":1}
g: recv op 4
h: open /ws
h: send {"auth":"JWT(HS256 hs256 {"sub":"u1","channel":"c"})","roomId":1}
h: recv_close 1008 /subscription/
i: open /ws
i: send {"auth":"JWT(HS256 hs256 {"sub":"u\u0001"})","roomId":1}
i: recv_close 1008 /user/
j: open /ws
j: send {"auth":"JWT(HS256 hs256 {"sub":17})","roomId":1}
j: recv_close 1008 /sub is not a string/
k: open /ws
k: send {"auth":"JWT(HS256 hs256 {"sub":"u1","exp":"soon"})","roomId":1}
k: recv_close 1008 /time/
l: open /ws
l: send {"auth":"JWT(HS256 hs256 {"sub":"FILL(300)"})","roomId":1}
l: recv_close 1008 /user/
--- no_error_log
[error]
[alert]



=== TEST 6: what is no token, or a huge one
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv_close 1008 /three parts/
b: open /ws
b: send {"auth":"a.b.c.d","roomId":1}
b: recv_close 1008
c: open /ws
c: send {"auth":"...","roomId":1}
c: recv_close 1008
d: open /ws
d: send {"auth":"JWT(HS256 hs256 {"sub":"u1","x":"FILL(5900)"})","roomId":1}
d: recv op 4
e: open /ws
e: send {"auth":"JWT(HS256 hs256 {"sub":"u1","x":"FILL(6200)"})","roomId":1}
e: recv_close 1008 /too long/
f: open /ws
f: send {"auth":"JWT(HS256 hs256 {"sub":"u1","x":"FILL(20000)"})","roomId":1}
f: recv_close 1009
--- no_error_log
[error]
[alert]



=== TEST 7: the session ends with its token
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1","exp":now+4})","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"JWT(HS256 hs256 {"sub":"u2","exp":now+4,"expire_at":0})","roomId":2}
b: recv op 4
a: recv_close 1008 /expired/
log: user: "u1".*code: 1008, why: the token has expired
b: silent
--- no_error_log
[error]
[alert]



=== TEST 8: another key after a reload
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1}
a: recv op 4
renew: hs256
renew: rs2
b: open /ws
b: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1}
b: recv_close 1008 /signature is wrong/
c: open /ws
c: send {"auth":"JWT(HS256 hs256.old {"sub":"u1"})","roomId":1}
c: recv op 4
reload:
a: recv_close 1012
c: recv_close 1012
d: open /ws
d: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1}
d: recv op 4
e: open /ws
e: send {"auth":"JWT(HS256 hs256.old {"sub":"u1"})","roomId":1}
e: recv_close 1008 /signature is wrong/
renew: hs384 short
reload: im_jwt_key: "HS384" with "file=.*hs384" is too short
d: silent
f: open /ws
f: send {"auth":"JWT(HS384 hs384.old {"sub":"u1"})","roomId":1}
f: recv op 4
f: cut
f: open /ws
f: send {"auth":"JWT(RS256,kid=r2 rs2 {"sub":"u1"})","roomId":1}
f: recv op 4
g: open /ws
g: send {"auth":"JWT(RS256,kid=r2 rs2.old {"sub":"u1"})","roomId":1}
g: recv_close 1008 /signature is wrong/
--- no_error_log
[alert]



=== TEST 9: signatures of public keys are limited, good ones are remembered
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs.pub;
    im_limit signatures=1;
    im_room * history=0;
--- config
    location = /ws  { im_comet protocol=im; im_auth jwt; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"JWT(RS256 rs {"sub":"u1"})","roomId":2}
a: recv op 4
# bad ones, since a good one may take the place of another that is remembered
logins: 6 RS256 rs2 {"sub":"u1","n":COUNT} => 1013
logins: 20 RS256 rs {"sub":"u1"} => \A(?:ok ?){20}\z
logins: 20 HS256 hs256 {"sub":"u2","n":COUNT} => \A(?:ok ?){20}\z
a: silent
--- no_error_log
[error]
[alert]



=== TEST 10: no such algorithm
--- http_config
    im_jwt_key none file=$TEST_NGINX_IM_KEYS/hs;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "none" is no algorithm; there are HS256/



=== TEST 11: an algorithm that is not served
--- http_config
    im_jwt_key ES256K file=$TEST_NGINX_IM_KEYS/es256.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES256K" is no algorithm/



=== TEST 12: no file
--- http_config
    im_jwt_key HS256 kid=k;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" has no key: .*file=/



=== TEST 13: an empty value
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs kid=;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "kid=" must have a value/



=== TEST 14: an unknown option
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs key=1;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "key=1" is unknown: do you mean kid=\?/



=== TEST 15: a file that is not there
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/missing;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "file=.*missing" can\'t be opened \(2: No such file/



=== TEST 16: a folder
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "file=.*keys" can\'t be read \(21: /



=== TEST 17: an empty secret
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/empty weak;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" with "file=.*empty" is empty/



=== TEST 18: a secret that is too short
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/short;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" with "file=.*short" is too short: .*weak/



=== TEST 19: a secret that is too long
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/huge;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" with "file=.*huge" is longer/



=== TEST 20: a public key as a secret
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/rs.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" with "file=.*rs\.pub" is a PEM key/



=== TEST 21: a secret as a public key
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/dots;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS256" with "file=.*dots" is not a public key/



=== TEST 22: a private key
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS256" with "file=.*rs" is a private key/



=== TEST 23: a weak public key
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs.pub weak;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS256" with .* can\'t be weak/



=== TEST 24: an EC key for RSA
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/es256.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS256" with .* is not an RSA key/



=== TEST 25: a key that is for PSS only
--- http_config
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/pss.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS256" with .* is not an RSA key/



=== TEST 26: a small RSA key
--- http_config
    im_jwt_key RS512 file=$TEST_NGINX_IM_KEYS/rs1024.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS512" with .* less than 2048/



=== TEST 27: an RSA key for ECDSA
--- http_config
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/rs.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES256" with .* is not an EC key/



=== TEST 28: an Edwards key for ECDSA
--- http_config
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/ed.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES256" with .* is not an EC key/



=== TEST 29: another curve
--- http_config
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/es384.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES256" with .* is not on the curve P-256/



=== TEST 30: another curve of the same size
--- http_config
    im_jwt_key ES256 file=$TEST_NGINX_IM_KEYS/secp.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES256" with .* is not on the curve P-256/



=== TEST 31: the curve of another algorithm
--- http_config
    im_jwt_key ES512 file=$TEST_NGINX_IM_KEYS/es384.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES512" with .* is not on the curve P-521/



=== TEST 32: ES384 with P-256
--- http_config
    im_jwt_key ES384 file=$TEST_NGINX_IM_KEYS/es256.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "ES384" with .* is not on the curve P-384/



=== TEST 33: one kid for two keys
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs kid=k;
    im_jwt_key RS256 file=$TEST_NGINX_IM_KEYS/rs.pub kid=k;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "RS256" with "file=.*rs\.pub" has the kid of another/



=== TEST 34: two keys without a kid
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs2;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" with "file=.*hs2" is the second key.*kid=/



=== TEST 35: im_auth jwt without a key
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth jwt; }
--- must_die
--- error_log eval
qr/"im_auth jwt" has no key .*im_jwt_key/



=== TEST 36: Edwards curves, and RSA with PSS
--- http_config
    im_jwt_key EdDSA   file=$TEST_NGINX_IM_KEYS/ed.pub;
    im_jwt_key EdDSA   file=$TEST_NGINX_IM_KEYS/ed448.pub kid=448;
    im_jwt_key Ed25519 file=$TEST_NGINX_IM_KEYS/ed2.pub kid=ed2;
    im_jwt_key PS256   file=$TEST_NGINX_IM_KEYS/rs.pub;
    im_jwt_key PS384   file=$TEST_NGINX_IM_KEYS/rs.pub;
    im_jwt_key PS512   file=$TEST_NGINX_IM_KEYS/pss.pub;
    im_jwt_key RS256   file=$TEST_NGINX_IM_KEYS/rs2.pub;
    im_room * history=0;
--- config
    location = /ws  { im_comet protocol=im; im_auth jwt; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"JWT(EdDSA ed {"sub":"u1"})","roomId":1}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"JWT(Ed25519 ed {"sub":"u2"})","roomId":2}
b: recv op 4 count=1
c: open /ws
c: send {"auth":"JWT(EdDSA,kid=448 ed448 {"sub":"u3"})","roomId":3}
c: recv op 4 count=1
d: open /ws
d: send {"auth":"JWT(Ed448,kid=448 ed448 {"sub":"u3"})","roomId":4}
d: recv op 4 count=1
e: open /ws
e: send {"auth":"JWT(EdDSA,kid=ed2 ed2 {"sub":"u3"})","roomId":5}
e: recv op 4 count=1
f: open /ws
f: send {"auth":"JWT(PS256 rs {"sub":"u4"})","roomId":6}
f: recv op 4 count=1
g: open /ws
g: send {"auth":"JWT(PS384 rs {"sub":"u4"})","roomId":7}
g: recv op 4 count=1
h: open /ws
h: send {"auth":"JWT(PS512 pss {"sub":"u4"})","roomId":8}
h: recv op 4 count=1
i: open /ws
i: send {"auth":"JWT(EdDSA ed2 {"sub":"u1"})","roomId":1}
i: recv_close 1008 /signature is wrong/
j: open /ws
j: send {"auth":"JWT(EdDSA,claims ed {"sub":"u1"})","roomId":1}
j: recv_close 1008 /signature is wrong/
k: open /ws
k: send {"auth":"JWT(EdDSA,cut ed {"sub":"u1"})","roomId":1}
k: recv_close 1008 /signature is wrong/
l: open /ws
l: send {"auth":"JWT(EdDSA,zero ed {"sub":"u1"})","roomId":1}
l: recv_close 1008 /signature is wrong/
m: open /ws
m: send {"auth":"JWT(Ed448 ed {"sub":"u1"})","roomId":1}
m: recv_close 1008 /algorithm is not its key's/
n: open /ws
n: send {"auth":"JWT(PS256,salt rs {"sub":"u1"})","roomId":1}
n: recv_close 1008 /signature is wrong/
o: open /ws
o: send {"auth":"JWT(PS256 rs2 {"sub":"u1"})","roomId":1}
o: recv_close 1008 /signature is wrong/
p: open /ws
p: send {"auth":"JWT(RS256 rs {"sub":"u1"})","roomId":1}
p: recv_close 1008 /signature is wrong/
q: open /ws
q: send {"auth":"JWT(RS384 rs2 {"sub":"u1"})","roomId":1}
q: recv_close 1008 /key's|unknown/
--- no_error_log
[error]
[alert]



=== TEST 37: clocks that differ by less than the leeway
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs2 kid=none leeway=0;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs3 kid=long leeway=2m;
    im_room * history=0;
--- config
    location = /ws  { im_comet protocol=im; im_auth jwt; }
    location = /cf  { im_comet protocol=centrifuge; im_auth jwt; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
a: tries /cf {"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","exp":now-1})"},"id":1} => "id":1,"connect":.*"ttl":1\b
b: open /cf
b: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","nbf":now+2,"iat":now+2})"},"id":1}
b: like "id":1,"connect"
c: open /cf
c: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","exp":now-5})"},"id":1}
c: recv {"id":1,"error":{"code":109,"message":"token expired"}}
d: open /cf
d: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"u1","nbf":now+60})"},"id":1}
d: recv {"id":1,"error":{"code":109,"message":"token expired"}}
e: open /cf
e: send {"connect":{"token":"JWT(HS256,kid=none hs2 {"sub":"u1","exp":now-1})"},"id":1}
e: like "code":109
f: open /cf
f: send {"connect":{"token":"JWT(HS256,kid=long hs3 {"sub":"u1","exp":now-100,"nbf":now+100})"},"id":1}
f: like "id":1,"connect"
g: open /cf
g: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"u2","iat":now+6000})"},"id":1}
g: like "id":1,"connect"
g: send {"subscribe":{"channel":"c","token":"JWT(HS256 hs256 {"sub":"u2","channel":"c","nbf":now+60})"},"id":2}
g: recv {"id":2,"error":{"code":109,"message":"token expired"}}
g: send {"subscribe":{"channel":"c","token":"JWT(HS256 hs256 {"sub":"u2","channel":"c","nbf":now+2,"exp":now+600})"},"id":3}
g: like "id":3,"subscribe":.*"ttl":(?:600|5\d\d)\b
g: send {"sub_refresh":{"channel":"c","token":"JWT(HS256 hs256 {"sub":"u2","channel":"c","nbf":now+60})"},"id":4}
g: recv {"id":4,"error":{"code":109,"message":"token expired"}}
g: send {"refresh":{"token":"JWT(HS256 hs256 {"sub":"u2","nbf":now+60})"},"id":5}
g: recv_close 3005 /not valid yet/
h: open /ws
h: send {"auth":"JWT(HS256 hs256 {"sub":"u3","exp":now-1})","roomId":1}
h: recv op 4
h: recv_close 1008 /expired/
i: open /ws
i: send {"auth":"JWT(HS256 hs256 {"sub":"u3","nbf":now+60})","roomId":1}
i: recv_close 1008 /not valid yet/
--- no_error_log
[error]
[alert]



=== TEST 38: a key set
--- http_config
    im_jwt_key jwks  file=$TEST_NGINX_IM_KEYS/set.es256.es384.es512.rs.rs2.ed.ed448.hs2 iss=login check=1s;
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_room * history=0;
--- config
    location = /ws  { im_comet protocol=im; im_auth jwt; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"JWT(ES256,kid=es256 es256 {"sub":"u1","iss":"login"})","roomId":1}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"JWT(ES384,kid=es384 es384 {"sub":"u1","iss":"login"})","roomId":1}
b: recv op 4 count=1
c: open /ws
c: send {"auth":"JWT(ES512,kid=es512 es512 {"sub":"u1","iss":"login"})","roomId":1}
c: recv op 4 count=1
d: open /ws
d: send {"auth":"JWT(RS256,kid=rs rs {"sub":"u1","iss":"login"})","roomId":1}
d: recv op 4 count=1
e: open /ws
e: send {"auth":"JWT(RS256,kid=rs2 rs2 {"sub":"u1","iss":"login"})","roomId":1}
e: recv op 4 count=1
f: open /ws
f: send {"auth":"JWT(EdDSA,kid=ed ed {"sub":"u1","iss":"login"})","roomId":1}
f: recv op 4 count=1
g: open /ws
g: send {"auth":"JWT(EdDSA,kid=ed448 ed448 {"sub":"u1","iss":"login"})","roomId":1}
g: recv op 4 count=1
h: open /ws
h: send {"auth":"JWT(HS256,kid=hs2 hs2 {"sub":"u1","iss":"login"})","roomId":1}
h: recv op 4 count=1
i: open /ws
i: send {"auth":"JWT(HS256 hs256 {"sub":"u1"})","roomId":1}
i: recv op 4 count=1
j: open /ws
j: send {"auth":"JWT(RS256 rs2 {"sub":"u1","iss":"login"})","roomId":1}
j: recv op 4 count=1
k: open /ws
k: send {"auth":"JWT(RS256,kid=rs rs {"sub":"u1","iss":"other"})","roomId":1}
k: recv_close 1008 /issuer/
l: open /ws
l: send {"auth":"JWT(RS256,kid=rs rs2 {"sub":"u1","iss":"login"})","roomId":1}
l: recv_close 1008 /signature is wrong/
m: open /ws
m: send {"auth":"JWT(RS384,kid=rs rs {"sub":"u1","iss":"login"})","roomId":1}
m: recv_close 1008 /algorithm is not its key's/
n: open /ws
n: send {"auth":"JWT(HS256,kid=rs rs.pub {"sub":"u1","iss":"login"})","roomId":1}
n: recv_close 1008 /algorithm is not its key's/
o: open /ws
o: send {"auth":"JWT(ES256,kid=nobody es256 {"sub":"u1","iss":"login"})","roomId":1}
o: recv_close 1008 /key is unknown/
p: open /ws
p: send {"auth":"JWT(ES256,der,kid=es256 es256 {"sub":"u1","iss":"login"})","roomId":1}
p: recv_close 1008 /signature is wrong/
--- no_error_log
[error]
[alert]



=== TEST 39: keys of a set come and go without a reload
--- http_config
    im_handover off;
    im_jwt_key jwks file=$TEST_NGINX_IM_KEYS/set.rs.rs2 check=1s;
    im_room * history=0;
--- config
    location = /ws  { im_comet protocol=im; im_auth jwt; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"auth":"JWT(RS256,kid=rs rs {"sub":"u9"})","roomId":9}
a: recv op 4
jwks: set.rs.rs2 rs2 es256,alg=-,use=- rs3,alg=PS256 rs4,alg=-
log: set.rs.rs2" has been read again: 4 of its 4 keys are in use
b: open /ws
b: send {"auth":"JWT(RS256,kid=rs rs {"sub":"u1"})","roomId":1}
b: recv_close 1008 /key is unknown/
c: open /ws
c: send {"auth":"JWT(RS256,kid=rs2 rs2 {"sub":"u1"})","roomId":1}
c: recv op 4
d: open /ws
d: send {"auth":"JWT(ES256,kid=es256 es256 {"sub":"u1"})","roomId":1}
d: recv op 4
e: open /ws
e: send {"auth":"JWT(PS256,kid=rs3 rs3 {"sub":"u1"})","roomId":1}
e: recv op 4
f: open /ws
f: send {"auth":"JWT(RS256,kid=rs3 rs3 {"sub":"u1"})","roomId":1}
f: recv_close 1008 /algorithm is not its key's/
g: open /ws
g: send {"auth":"JWT(RS512,kid=rs4 rs4 {"sub":"u1"})","roomId":1}
g: recv op 4
h: open /ws
h: send {"auth":"JWT(PS256,kid=rs4 rs4 {"sub":"u1"})","roomId":1}
h: recv_close 1008 /algorithm is not its key's/
jwks: set.rs.rs2 = {"keys":[
log: \[error\].*the keys in ".*set.rs.rs2" stay as they were: the file is not an object with "keys"
i: open /ws
i: send {"auth":"JWT(RS256,kid=rs2 rs2 {"sub":"u2"})","roomId":1}
i: recv op 4
jwks: set.rs.rs2 es256,use=enc rs,crv=x,kty=new ed,crv=X25519 hs2,k=AAAA rs2,key_ops=["encrypt"] rs3,d=AQAB rs4,n=+ rs5,e=AA
log: \[error\].*set.rs.rs2" stay as they were: the file has no key that can be used
jwks: set.rs.rs2 es256,use=enc rs,kty=new rs2,kid=-
log: set.rs.rs2" has been read again: 1 of its 3 keys are in use, one is left out: its kty is not served
j: open /ws
j: send {"auth":"JWT(RS256 rs2 {"sub":"u2"})","roomId":1}
j: recv op 4
k: open /ws
k: send {"auth":"JWT(RS256,kid=rs2 rs2 {"sub":"u2"})","roomId":1}
k: recv_close 1008 /key is unknown/
a: silent
reload:
a: recv_close 1012
l: open /ws
l: send {"auth":"JWT(RS256 rs2 {"sub":"u2"})","roomId":1}
l: recv op 4
jwks: set.rs.rs2 = {}
reload: im_jwt_key: "jwks" with "file=.*set.rs.rs2" has no key that can be used
l: silent
--- no_error_log
[alert]



=== TEST 40: a set with kid=
--- http_config
    im_jwt_key jwks file=$TEST_NGINX_IM_KEYS/set.es256 kid=1;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "jwks" has kid=: each key of a set has its own/



=== TEST 41: a key where a set is wanted
--- http_config
    im_jwt_key jwks file=$TEST_NGINX_IM_KEYS/es256.pub;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "jwks" with "file=.*es256.pub" is not an object with "keys", a list of at most 64 keys/



=== TEST 42: a leeway that is too long
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs leeway=2h;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "leeway=2h" must be a time from 0s to 1h/



=== TEST 43: a long name is cut before a character
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256;
--- config
    location = /ws { im_comet protocol=im; im_auth jwt; }
--- services: redis
--- not_ready
--- websocket
a: open /ws
a: send {"auth":"JWT(HS256 hs256 {"sub":"u1","info":{"name":"éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"}})","roomId":1}
a: recv op 4 roomUserInfo={"u1":"ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"}
--- no_error_log
[error]
[alert]



=== TEST 44: a key that is looked at
--- http_config
    im_jwt_key HS256 file=$TEST_NGINX_IM_KEYS/hs256 check=5s;
--- config
    location = /ws { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_jwt_key: "HS256" has check=, which is for jwks/
