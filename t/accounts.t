# /v1/user/: accounts and tokens.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: register, log in, check, log out
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
    location /v1/user/ { fastcgi_pass im_logic; include im_params; }
--- websocket
http: POST /v1/user/register 200 {"UserName":"ann","Password":"secret1"} => \A\{"code":0,"msg":"请求成功","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => \A\{"code":0,"msg":"请求成功","data":\{"Auth":"(?<token>[0-9a-f]{32})","UserId":"(?<uid>[0-9a-f]{16})","UserName":"ann"\}\}\s*\z
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => \A\{"code":0,"msg":"请求成功","data":\{"Auth":"$token","UserId":"$uid","UserName":"ann"\}\}\s*\z
redis: KEYS im_* => ^$
redis: KEYS *$token* => ^$
redis: KEYS im:{[0-9]*}:t:* => ^im:\{\d+-\d+\}:t:[0-9a-f]{64}$
redis: EVAL return{redis.call('HGETALL',redis.call('KEYS','im:{[0-9]*}:t:*')[1])} 0 => UserId $uid UserName ann Im 1
redis: EVAL return{redis.call('TTL',redis.call('KEYS','im:{[0-9]*}:t:*')[1])} 0 => ^(2592000|25919\d\d)$
redis: EVAL return{redis.call('ZRANGE',redis.call('KEYS','im:{*}:u:*:l')[1],0,-1)} 0 => ^[0-9a-f]{64}$
http: GET /v1/user/logout?auth=$token 200 => \A\{"code":0,"msg":"请求成功","data":\{\}\}\s*\z
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => \A\{"code":-1004,"msg":"用户AUTH失效","data":\{"Auth":"","UserId":"","UserName":""\}\}\s*\z
http: GET /v1/user/logout?auth=$token 200 => "code":0,
--- no_error_log
[error]
[alert]



=== TEST 2: the same on the plain listener
--- websocket
http: :$TEST_NGINX_IM_HTTP POST /v1/user/register 200 {"UserName":"bob","Password":"secret1"} => "code":0,
http: :$TEST_NGINX_IM_HTTP POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})"
http: :$TEST_NGINX_IM_HTTP POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":0,
http: :$TEST_NGINX_IM_HTTP GET /v1/user/logout?auth=$token 200 => "code":0,
--- no_error_log
[error]
[alert]



=== TEST 3: what the pages send: any Content-Type, any case of the names
--- websocket
http: POST /v1/user/register 200 (Content-Type: application/x-www-form-urlencoded) {"username":"page","PASSWORD":"secret1","x":[1]} => "code":0,
http: POST /v1/user/login 200 (Content-Type: text/plain) {"userName":"page","password":"secret1"} => "code":0,
--- no_error_log
[error]
[alert]



=== TEST 4: the answer's head
--- websocket
http: POST /v1/user/login 200 {"UserName":"page","Password":"secret1"} => (?i)Content-Type: application/json; charset=utf-8
http: POST /v1/user/login 200 {"UserName":"page","Password":"secret1"} => (?i)Set-Cookie: auth=[0-9a-f]{32}; Max-Age=86400; Path=/;
http: POST /v1/user/login 200 {"UserName":"page","Password":"secret1"} => (?i)Access-Control-Allow-Origin: \*\r
http: POST /v1/user/login 200 {"UserName":"page","Password":"wrong1"} => (?i)Access-Control-Allow-Origin: \*\r
http: POST /v1/user/register 200 {"UserName":"page","Password":"x"} => (?i)Access-Control-Allow-Origin: \*\r
http: POST /v1/user/register 200 {"UserName":"page","Password":"x"} => (?i)Access-Control-Allow-Credentials: true\r
http: POST /v1/user/register 200 {"UserName":"page","Password":"x"} => (?i)Access-Control-Expose-Headers: Content-Length, Access-Control-Allow-Origin, Access-Control-Allow-Headers, Content-Type\s*\z
http: GET /v1/user/logout?auth=abc 200 => (?i)Access-Control-Allow-Origin: \*\r
--- no_error_log
[error]
[alert]



=== TEST 5: preflights and wrong methods
--- websocket
http: OPTIONS /v1/user/check_auth 200 => (?i)Access-Control-Allow-Headers: Origin, Authorization, Access-Control-Allow-Origin, Access-Control-Allow-Headers, Content-Type\r
http: OPTIONS /v1/user/check_auth 200 => (?i)Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r
http: OPTIONS /v1/user/check_auth 200 => (?i)Access-Control-Allow-Origin: \*\r
http: OPTIONS /v1/user/register 200 => (?i)Access-Control-Allow-Origin: \*\r
http: OPTIONS /v1/user/login 200 => (?i)Access-Control-Allow-Origin: \*\r
http: OPTIONS /v1/user/logout 200 => (?i)Access-Control-Allow-Origin: \*\r
http: :$TEST_NGINX_IM_HTTP OPTIONS /v1/user/check_auth 200 => (?i)Access-Control-Allow-Headers: Origin, .*Content-Type\r
http: GET /v1/user/register 405 => \A\{"code":-1,
http: GET /v1/user/register 405 => (?i)Allow: POST\r
http: GET /v1/user/login 405 => (?i)Access-Control-Allow-Origin: \*\r
http: PUT /v1/user/check_auth 405 => \A\{"code":-1,
http: POST /v1/user/logout?auth=abc 405 => (?i)Allow: GET\r
http: :$TEST_NGINX_IM_HTTP DELETE /v1/user/login 405 => (?i)Access-Control-Allow-Origin: \*\r
http: GET /v1/user/nothing 404
http: GET /v1/user/ 404
--- no_error_log
[error]
[alert]



=== TEST 6: what is refused: -1
--- websocket
http: POST /v1/user/register 200 => \A\{"code":-1,"msg":"参数验证出错","data":\{\}\}\s*\z
http: POST /v1/user/register 200 x => \A\{"code":-1,
http: POST /v1/user/register 200 [] => \A\{"code":-1,
http: POST /v1/user/register 200 null => \A\{"code":-1,
http: POST /v1/user/register 200 {"UserName":"bad" => \A\{"code":-1,
http: POST /v1/user/register 200 {"UserName":"bad1","Password":"secret1"} x => \A\{"code":-1,
http: POST /v1/user/register 200 {} => \A\{"code":-1,"msg":"UserName\.
http: POST /v1/user/register 200 {"Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Required:
http: POST /v1/user/register 200 {"UserName":"","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Required:
http: POST /v1/user/register 200 {"UserName":7,"Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Required:
http: POST /v1/user/register 200 {"UserName":null,"Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Required:
http: POST /v1/user/register 200 {"UserName":"ab","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.MinSize:
http: POST /v1/user/register 200 {"UserName":"123456789012345678901","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.MaxSize:
http: POST /v1/user/register 200 {"UserName":"a\u0000bc","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:
http: POST /v1/user/register 200 {"UserName":"a\nbc","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:
http: POST /v1/user/register 200 {"UserName":"a\u0085bc","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:
http: POST /v1/user/register 200 {"UserName":"bad1"} => \A\{"code":-1,"msg":"Password\.Required:
http: POST /v1/user/register 200 {"UserName":"bad1","Password":["secret1"]} => \A\{"code":-1,"msg":"Password\.Required:
http: POST /v1/user/register 200 {"UserName":"bad1","Password":"12345"} => \A\{"code":-1,"msg":"Password\.MinSize:
http: POST /v1/user/register 200 {"UserName":"bad1","Password":"FILL(1025)"} => \A\{"code":-1,"msg":"Password\.MaxSize:
http: POST /v1/user/register 200 {"UserName":"bad1","Password":"secret\u00001"} => \A\{"code":-1,"msg":"Password\.Text:
http: POST /v1/user/register 200 {"UserName":"bad1","Password":"FILL(5000)"} => \A\{"code":-1,
http: POST /v1/user/login 200 {"UserName":"bad1","Password":"12345"} => \A\{"code":-1,"msg":"Password\.MinSize:
http: POST /v1/user/login 200 x => \A\{"code":-1,"msg":"参数验证出错","data":\{\}\}\s*\z
http: POST /v1/user/check_auth 200 x => \A\{"code":-1,"msg":"参数验证出错","data":\{\}\}\s*\z
http: POST /v1/user/check_auth 200 {} => \A\{"code":-1,"msg":"Auth\.Required:[^"]*","data":\{\}\}\s*\z
http: POST /v1/user/check_auth 200 {"Auth":null} => \A\{"code":-1,
http: POST /v1/user/check_auth 200 {"Auth":"ab"} => \A\{"code":-1,"msg":"Auth\.MinSize:
http: POST /v1/user/check_auth 200 {"Auth":"FILL(8193)"} => \A\{"code":-1,"msg":"Auth\.MaxSize:
http: POST /v1/user/check_auth 200 {"Auth":"abc"} => \A\{"code":-1004,
http: POST /v1/user/check_auth 200 {"Auth":"a*c"} => \A\{"code":-1004,
http: GET /v1/user/logout 200 => \A\{"code":-1,"msg":"参数验证出错","data":\{\}\}\s*\z
http: GET /v1/user/logout?auth= 200 => \A\{"code":-1,"msg":"参数验证出错","data":\{\}\}\s*\z
http: GET /v1/user/logout?auth=a%20b 200 => \A\{"code":0,
http: POST /v1/user/login 200 {"UserName":"nobody","Password":"secret1"} => \A\{"code":-1002,"msg":"用户名密码有误","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"ann","Password":"Secret1"} => \A\{"code":-1002,"msg":"用户名密码有误","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"Ann","Password":"secret1"} => \A\{"code":-1002,
redis: KEYS im:{*}:a:bad* => ^$
--- no_error_log
[error]
[alert]



=== TEST 7: names are any text, counted in characters
--- websocket
http: POST /v1/user/register 200 {"UserName":"小明明","Password":"密码密码密码"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"\u5c0f\u660e\u660e","Password":"\u5bc6\u7801密码密码"} => "UserName":"小明明"
http: POST /v1/user/register 200 {"UserName":"小明","Password":"secret1"} => "code":-1,
http: POST /v1/user/register 200 {"UserName":"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀","Password":"😃😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀\ud83d\ude00","Password":"😃😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀","Password":"secret1"} => "code":-1,
http: POST /v1/user/register 200 {"UserName":"<b>\"x\"&'\\</b>","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"<b>\"x\"&'\\</b>","Password":"secret1"} => "UserName":"<b>\\"x\\"&'\\\\</b>"
http: POST /v1/user/register 200 {"UserName":"a{}:b*","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"a{}:b*","Password":"secret1"} => "code":-1001,
http: POST /v1/user/login 200 {"UserName":"a{}:b*","Password":"secret1"} => "UserName":"a\{\}:b\*"
http: POST /v1/user/register 200 {"UserName":"a\ud800bc","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"a\ufffdbc","Password":"secret1"} => "UserName":"a\xef\xbf\xbdbc"
--- no_error_log
[error]
[alert]



=== TEST 8: a name is one account's, also when many ask at once
--- websocket
stop: logic
start: logic --register-limit=0
until: /im/health ^200
same: 12 POST /v1/user/register {"UserName":"race","Password":"secret1"} => 1 "code":0,
same: 12 POST /v1/user/register {"UserName":"race","Password":"secret2"} => 12 "code":-1001,"msg":"用户名已存在","data":\{\}
http: POST /v1/user/login 200 {"UserName":"race","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"race","Password":"secret2"} => "code":-1002,
--- no_error_log
[alert]



=== TEST 9: passwords are yescrypt; other hashes of libcrypt are checked
--- websocket
stop: logic
start: logic --register-limit=0 --hash-cost=5
until: /im/health ^200
http: POST /v1/user/register 200 {"UserName":"hash","Password":"secret1"} => "code":0,
redis: EVAL return{redis.call('HGET',redis.call('KEYS','im:{*}:a:hash')[1],'hash')} 0 => ^\$y\$j9T\$[./0-9A-Za-z]+\$[./0-9A-Za-z]{43}$
redis: EVAL return{redis.call('TTL',redis.call('KEYS','im:{*}:a:hash')[1])} 0 => ^-1$
redis: HSET im:{0}:a:imported id u-imported name imported hash $6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxEcxV6d4J6.
http: POST /v1/user/login 200 {"UserName":"imported","Password":"secret1"} => "UserId":"u-imported","UserName":"imported"
await: HGET im:{0}:a:imported hash => ^\$y\$j9T\$
http: POST /v1/user/login 200 {"UserName":"imported","Password":"secret1"} => "UserId":"u-imported"
http: POST /v1/user/login 200 {"UserName":"imported","Password":"secret2"} => "code":-1002,
redis: HSET im:{10}:a:imported2 id u2 name imported2 hash e52d98c459819a11775936d8dfbb7929
http: POST /v1/user/login 200 {"UserName":"imported2","Password":"secret1"} => "code":-1002,
redis: HSET im:{10}:a:imported2 hash *0
http: POST /v1/user/login 200 {"UserName":"imported2","Password":"secret1"} => "code":-1002,
redis: HDEL im:{10}:a:imported2 hash
http: POST /v1/user/login 200 {"UserName":"imported2","Password":"secret1"} => "code":-1002,
redis: HDEL im:{0}:a:imported id
http: POST /v1/user/login 200 {"UserName":"imported","Password":"secret1"} => "code":-1002,
--- no_error_log
[error]
[alert]



=== TEST 10: several tokens of a user, each with its own end
--- websocket
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<one>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<two>[0-9a-f]{32})","UserId":"$uid"
http: GET /v1/user/logout?auth=$one 200 => "code":0,
http: POST /v1/user/check_auth 200 {"Auth":"$one"} => "code":-1004,
http: POST /v1/user/check_auth 200 {"Auth":"$two"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<three>[0-9a-f]{32})"
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "Auth":"(?<bob>[0-9a-f]{32})"
a: open /ws
a: send {"auth":"$three","roomId":1}
a: recv op 4 count=1
b: open /ws
b: send {"auth":"$bob","roomId":2}
b: recv op 4 count=1
http: GET /v1/user/logout?auth=$two&all=1 200 => "code":0,
a: recv_close 1008 /logged out/
b: silent
http: POST /v1/user/check_auth 200 {"Auth":"$two"} => "code":-1004,
http: POST /v1/user/check_auth 200 {"Auth":"$three"} => "code":-1004,
http: POST /v1/user/check_auth 200 {"Auth":"$bob"} => "code":0,
redis: KEYS im:{*}:u:$uid:l => ^$
--- no_error_log
[error]
[alert]



=== TEST 11: the oldest token ends where there are too many
--- websocket
stop: logic
start: logic --user-tokens=2
until: /im/health ^200
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<one>[0-9a-f]{32})"
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<two>[0-9a-f]{32})"
http: POST /v1/user/check_auth 200 {"Auth":"$one"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<three>[0-9a-f]{32})"
http: POST /v1/user/check_auth 200 {"Auth":"$one"} => "code":-1004,
http: POST /v1/user/check_auth 200 {"Auth":"$two"} => "code":0,
http: POST /v1/user/check_auth 200 {"Auth":"$three"} => "code":0,
--- no_error_log
[alert]



=== TEST 12: a token lives as long as is configured
--- websocket
stop: logic
start: logic --token-life=2
until: /im/health ^200
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => (?i)Set-Cookie: auth=(?<token>[0-9a-f]{32}); Max-Age=2;
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":0,
redis: EVAL local--[[]]m=9e9--[[]]for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('KEYS','im:{[0-9]*}:t:*'))do--[[]]m=math.min(m,redis.call('PTTL',k))end--[[]]return(m) 0 => ^(1\d{3}|2000)$
until: POST /v1/user/check_auth {"Auth":"$token"} => "code":-1004,
--- no_error_log
[alert]



=== TEST 13: tokens that another program wrote are read, not touched
--- websocket
redis: HSET im_0123456789abcdef UserId u7 UserName Ann
redis: HSET im_an-own_Token.no UserId u8 UserName Bad
redis: HSET im_own-Token_with-36-characters-1234567 UserId u9 UserName 你好
stop: logic
start: logic
until: /im/health ^200
http: POST /v1/user/check_auth 200 {"Auth":"0123456789abcdef"} => "data":\{"Auth":"0123456789abcdef","UserId":"u7","UserName":"Ann"\}
http: POST /v1/user/check_auth 200 {"Auth":"own-Token_with-36-characters-1234567"} => "UserId":"u9","UserName":"你好"
http: POST /v1/user/check_auth 200 {"Auth":"an-own_Token.no"} => "code":-1004,
redis: TTL im_0123456789abcdef => ^-1$
redis: HGETALL im_0123456789abcdef => ^(UserId u7 UserName Ann|UserName Ann UserId u7)$
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4 roomUserInfo={"u7":"Ann"}
http: GET /v1/user/logout?auth=0123456789abcdef 200 => "code":0,
redis: EXISTS im_0123456789abcdef => ^0$
redis: SET im_fedcba9876543210 3
http: POST /v1/user/check_auth 200 {"Auth":"fedcba9876543210"} => "code":-1004,
http: GET /v1/user/logout?auth=fedcba9876543210 200 => "code":0,
redis: GET im_fedcba9876543210 => ^3$
redis: SET im_1 5
http: GET /v1/user/logout?auth=1 200 => "code":0,
redis: GET im_1 => ^5$
--- no_error_log
[alert]



=== TEST 14: or not even read
--- websocket
redis: HSET im_0123456789abcdef UserId u7 UserName Ann
stop: logic
start: logic --foreign-tokens=off
until: /im/health ^200
http: POST /v1/user/check_auth 200 {"Auth":"0123456789abcdef"} => "code":-1004,
http: GET /v1/user/logout?auth=0123456789abcdef 200 => "code":0,
redis: EXISTS im_0123456789abcdef => ^1$
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4 roomUserInfo={}
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
b: open /ws
b: send {"auth":"$token","roomId":2}
b: recv op 4 roomUserInfo={"$uid":"ann"}
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":0,
http: GET /v1/user/logout?auth=$token 200 => "code":0,
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
--- no_error_log
[alert]



=== TEST 15: logins of a name are limited, a right one starts again
--- websocket
stop: logic
start: logic --login-limit=3 --limit-period=3000
until: /im/health ^200
http: POST /v1/user/login 200 {"UserName":"ann","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"ann","Password":"wrong1"} => \A\{"code":-1005,"msg":"尝试次数过多，请稍后再试","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"ann","Password":"secret1"} => (?i)Retry-After: (9\d\d|1000)\s
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "code":0,
same: 5 POST /v1/user/login {"UserName":"nobody2","Password":"secret1"} => 3 "code":-1002,
http: POST /v1/user/login 200 {"UserName":"nobody2","Password":"secret1"} => "code":-1005,
redis: EVAL return(redis.call('TTL',redis.call('KEYS','im:{*}:l:[pt]:ann*')[1])) 0 => ^(2\d{3}|3000)$
--- no_error_log
[alert]



=== TEST 16: so are logins and accounts of an address
--- websocket
stop: logic
redis: DEL im:{13}:l:i:127.0.0.1 im:{13}:l:r:127.0.0.1
start: logic --address-limit=4 --register-limit=2
until: /im/health ^200
http: POST /v1/user/login 200 {"UserName":"name1","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"name2","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"name3","Password":"wrong1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "code":-1005,
http: :$TEST_NGINX_IM_HTTP POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "code":-1005,
http: POST /v1/user/register 200 {"UserName":"limit1","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"limit2","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"limit3","Password":"secret1"} => "code":-1005,
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_limits_total\{limit="logins_of_address"\} 2\b
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_limits_total\{limit="accounts_of_address"\} 1\b
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_accounts_total\{route="/v1/user/register",result="ok"\} 2\b
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_accounts_total\{route="/v1/user/register",result="too_often"\} 1\b
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_accounts_total\{route="/v1/user/login",result="wrong"\} 3\b
redis: EXISTS im:{13}:l:i:127.0.0.1 im:{13}:l:r:127.0.0.1 => ^2$
--- no_error_log
[alert]



=== TEST 17: as many passwords as may wait
--- websocket
stop: logic
start: logic --hash-queue=1 --hash-cost=6 --register-limit=0 --address-limit=0
until: /im/health ^200
same: 8 POST /v1/user/login {"UserName":"many","Password":"secret1"} => 1-7 \A\{"code":-1002,
same: 8 POST /v1/user/login {"UserName":"many","Password":"secret1"} => 1-7 \A\{"code":-11,"msg":"系统异常","data":\{\}\}
http: POST /v1/user/login 200 {"UserName":"many","Password":"secret1"} => "code":-1002,
--- no_error_log
[alert]



=== TEST 18: requests under way end before im_logic does
--- websocket
stop: logic
start: logic --hash-cost=6
until: /im/health ^200
redis: DEL im:{13}:l:i:127.0.0.1
http: POST /v1/user/login 200 {"UserName":"race","Password":"secret1"} => "code":0,
await: HGET im:{12}:a:race hash => ^\$y\$jAT\$
http: POST /v1/user/login 200 {"UserName":"race","Password":"secret1"} => "code":0,
pause: redis
ask: :$TEST_NGINX_IM_HTTP POST /v1/user/login {"UserName":"slow","Password":"secret2"}
until: :$TEST_NGINX_IM_HTTP /im/health ^
term: logic
output: logic stopping, 1 requests under way
resume: redis
answer: 200 \A\{"code":-1002,
exit: logic 0
start: logic
until: /im/health ^200
--- no_error_log
[alert]



=== TEST 19: Redis is full
--- websocket
redis: DEL im:{13}:l:r:127.0.0.1
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})"
redis: CONFIG SET maxmemory 1
http: POST /v1/user/register 200 {"UserName":"full","Password":"secret1"} => \A\{"code":-12,"msg":"数据库操作异常","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => \A\{"code":-12,
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":0,
http: GET /v1/user/logout?auth=$token 200 => "code":0,
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
redis: CONFIG SET maxmemory 0
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "code":0,
--- no_error_log
[alert]



=== TEST 20: Redis is away: answers all the same
--- websocket
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})"
kill: redis
http: POST /v1/user/register 200 {"UserName":"away","Password":"secret1"} => \A\{"code":-12,"msg":"数据库操作异常","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => \A\{"code":-12,
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => (?i)Retry-After: 1\s
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => \A\{"code":-1003,"msg":"用户不存在","data":\{\}\}\s*\z
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => (?i)Access-Control-Allow-Origin: \*
http: GET /v1/user/logout?auth=$token 200 => \A\{"code":-12,
start: redis
until: POST /v1/user/check_auth {"Auth":"$token"} => "code":0,
until: /im/health ^200
http: POST /v1/user/login 200 {"UserName":"bob","Password":"secret1"} => "code":0,
--- no_error_log
[alert]



=== TEST 21: a token in the head of the request, in any case of the scheme
--- websocket
http: POST /v1/user/register 200 {"UserName":"header","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"header","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
http: POST /v1/user/check_auth 200 (Authorization: Bearer $token) => "code":0,.*"UserId":"$uid"
http: POST /v1/user/check_auth 200 (Authorization: bearer   $token) {"Auth":"abc"} => "code":0,
http: :$TEST_NGINX_IM_HTTP POST /v1/user/check_auth 200 (Authorization: BEARER $token) => "code":0,
http: POST /v1/user/check_auth 200 (Authorization: Basic $token) {"Auth":"abc"} => "code":-1004,
http: POST /v1/user/check_auth 200 (Authorization: Bearer) {"Auth":"$token"} => "code":0,
http: POST /v1/user/check_auth 200 (Authorization: Bearer x$token) {"Auth":"$token"} => "code":-1004,
http: GET /v1/user/logout 200 (Authorization: Bearer $token) => "code":0,
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
--- no_error_log
[alert]



=== TEST 22: a user that is kept out can't log in, nor be asked for
--- websocket
http: POST /v1/user/register 200 {"UserName":"keptout","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"keptout","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
http: DELETE /im/users/$uid?for=600 200
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => \A\{"code":-1006,"msg":"用户已被暂时禁止","data":\{"Auth":"","UserId":"","UserName":""\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"keptout","Password":"secret1"} => \A\{"code":-1006,"msg":"用户已被暂时禁止","data":\{\}\}\s*\z
http: POST /v1/user/login 200 {"UserName":"keptout","Password":"wrong12"} => "code":-1002,
http: DELETE /im/users/$uid?for=0 200
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"keptout","Password":"secret1"} => "code":0,
http: DELETE /im/users/$uid?for=600 200
http: GET /v1/user/logout?auth=$token 200 => "code":0,
http: DELETE /im/users/$uid?for=0 200
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
--- no_error_log
[alert]



=== TEST 23: a token that an older im_logic has made goes on to work
--- websocket
http: POST /v1/user/login 200 {"UserName":"header","Password":"secret1"} => "UserId":"(?<uid>\w+)"
redis: HSET im_0123456789abcd00 UserId $uid UserName header Im 1
redis: EVAL redis.call('ZADD',redis.call('KEYS','im:{*}:u:$uid:l')[1],9e12,'0123456789abcd00') 0
stop: logic
start: logic --foreign-tokens=off
until: /im/health ^200
http: POST /v1/user/check_auth 200 {"Auth":"0123456789abcd00"} => "UserId":"$uid"
http: POST /v1/user/login 200 {"UserName":"header","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})"
http: GET /v1/user/logout?auth=$token&all=1 200 => "code":0,
http: POST /v1/user/check_auth 200 {"Auth":"0123456789abcd00"} => "code":-1004,
redis: EXISTS im_0123456789abcd00 => ^0$
--- no_error_log
[alert]



=== TEST 24: names that look alike are one account's
--- websocket
stop: logic
start: logic --register-limit=0 --foreign-tokens=1
until: /im/health ^200
http: POST /v1/user/register 200 {"UserName":"Alice Bell","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"alice bell","Password":"secret1"} => \A\{"code":-1001,"msg":"用户名已存在"
http: POST /v1/user/register 200 {"UserName":"ALICE BELL","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"\u0410lice Bell","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"Alice Be11","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"Alice BeII","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"\uff21lice Bell","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"A\ufe0flice Bell","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"Alice\u00a0Bell","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:Must have no other blanks
http: POST /v1/user/register 200 {"UserName":"Alice Bell ","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:Must have no spaces
http: POST /v1/user/register 200 {"UserName":" Alice Bell","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:Must have no spaces
http: POST /v1/user/register 200 {"UserName":"Alice  Bell","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:Must have no spaces
http: POST /v1/user/register 200 {"UserName":"Alice\u200b Bell","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:Must have no invisible
http: POST /v1/user/register 200 {"UserName":"\u202elleB ecilA","Password":"secret1"} => \A\{"code":-1,"msg":"UserName\.Text:Must have no invisible
http: POST /v1/user/register 200 {"UserName":"Alice Belle","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"Μαρία Ω","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"محمد علي","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"Zoe\u0308","Password":"secret1"} => "code":0,
http: POST /v1/user/register 200 {"UserName":"Zo\u00eb","Password":"secret1"} => "code":-1001,
http: POST /v1/user/login 200 {"UserName":"Zo\u00eb","Password":"secret1"} => "UserName":"Zoë"
http: POST /v1/user/login 200 {"UserName":"Zoe\u0308","Password":"secret1"} => "UserName":"Zoë"
http: POST /v1/user/login 200 {"UserName":"Alice Bell","Password":"secret1"} => "UserName":"Alice Bell"
http: POST /v1/user/login 200 {"UserName":"alice bell","Password":"secret1"} => "code":-1002,
same: 8 POST /v1/user/register {"UserName":"Looks Like","Password":"secret1"} => 1 "code":0,
same: 8 POST /v1/user/register {"UserName":"looks like","Password":"secret1"} => 8 "code":-1001,
--- no_error_log
[alert]



=== TEST 25: accounts that are older than that go on, and keep their look
--- websocket
redis: HSET im:{4}:a:oldname id u-old0 name oldname hash $6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxEcxV6d4J6.
redis: HSET im:{12}:a:OldName id u-old1 name OldName hash $6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxEcxV6d4J6.
redis: HSET im:{12}:a:Zoëx id u-old2 name Zoëx hash $6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxEcxV6d4J6.
redis: HSET im:{15}:a:x​y id u-old3 name x​y hash $6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxEcxV6d4J6.
http: POST /v1/user/login 200 {"UserName":"oldname","Password":"secret1"} => "UserId":"u-old0"
http: POST /v1/user/login 200 {"UserName":"OldName","Password":"secret1"} => "UserId":"u-old1"
http: POST /v1/user/login 200 {"UserName":"Zoe\u0308x","Password":"secret1"} => "UserId":"u-old2"
http: POST /v1/user/login 200 {"UserName":"x\u200by","Password":"secret1"} => "UserId":"u-old3"
http: POST /v1/user/register 200 {"UserName":"OLDNAME","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"o1dname","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"Zo\u00ebx","Password":"secret1"} => "code":-1001,
http: POST /v1/user/login 200 {"UserName":"oldname","Password":"secret1"} => "UserId":"u-old0"
http: POST /v1/user/login 200 {"UserName":"OldName","Password":"secret1"} => "UserId":"u-old1"
--- no_error_log
[alert]



=== TEST 26: passwords
--- websocket
http: POST /v1/user/register 200 {"UserName":"longpass","Password":"FILL(1024)"} => \A\{"code":-1,"msg":"Password\.Weak:Must not be one character repeated"
http: POST /v1/user/register 200 {"UserName":"longpass","Password":"yFILL(1023)"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"longpass","Password":"yFILL(1023)"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"longpass","Password":"yFILL(1022)"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"longpass","Password":"yFILL(1022)z"} => "code":-1002,
http: POST /v1/user/register 200 {"UserName":"weak pass","Password":"weak pass"} => \A\{"code":-1,"msg":"Password\.Weak:Must not be the name"
http: POST /v1/user/register 200 {"UserName":"weak pass","Password":"WEAK Pass"} => "code":-1,"msg":"Password\.Weak
http: POST /v1/user/register 200 {"UserName":"weak pass","Password":"111111"} => "code":-1,"msg":"Password\.Weak
http: POST /v1/user/register 200 {"UserName":"weak pass","Password":"密密密密密密"} => "code":-1,"msg":"Password\.Weak
http: POST /v1/user/register 200 {"UserName":"weak pass","Password":"111112"} => "code":0,
--- no_error_log
[alert]



=== TEST 27: a password is changed by the old one: tokens and sessions end
--- websocket
http: POST /v1/user/register 200 {"UserName":"changer","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"changer","Password":"secret1"} => "Auth":"(?<one>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
a: open /ws
a: send {"auth":"$one","roomId":1}
a: recv op 4
http: POST /v1/user/password 200 {"UserName":"changer","Password":"secret1"} => \A\{"code":-1,"msg":"Password\.Required
http: POST /v1/user/password 200 {"UserName":"changer","Password":"secret1","NewPassword":"changer"} => \A\{"code":-1,"msg":"Password\.Weak
http: POST /v1/user/password 200 {"UserName":"changer","Password":"secret1","NewPassword":"12345"} => \A\{"code":-1,"msg":"Password\.MinSize
http: POST /v1/user/password 200 {"UserName":"changer","Password":"secret2","NewPassword":"secret3"} => \A\{"code":-1002,
http: POST /v1/user/password 200 {"UserName":"nobody at all","Password":"secret2","NewPassword":"secret3"} => \A\{"code":-1002,
http: POST /v1/user/check_auth 200 {"Auth":"$one"} => "code":0,
http: POST /v1/user/password 200 {"UserName":"changer","Password":"secret1","NewPassword":"secret3"} => \A\{"code":0,.*"Auth":"(?<two>[0-9a-f]{32})","UserId":"$uid","UserName":"changer"
a: recv_close 1008 /the password was changed/
http: POST /v1/user/check_auth 200 {"Auth":"$one"} => "code":-1004,
http: POST /v1/user/check_auth 200 {"Auth":"$two"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"changer","Password":"secret1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"changer","Password":"secret3"} => "code":0,
http: OPTIONS /v1/user/password 200 => (?i)Access-Control-Allow-Origin: \*
http: GET /v1/user/password 405 => (?i)Allow: POST
http: DELETE /im/users/$uid?for=600 200
http: POST /v1/user/password 200 {"UserName":"changer","Password":"secret3","NewPassword":"secret4"} => \A\{"code":-1006,
http: POST /v1/user/delete 200 {"UserName":"changer","Password":"secret3"} => \A\{"code":-1006,
http: DELETE /im/users/$uid?for=0 200
http: POST /v1/user/login 200 {"UserName":"changer","Password":"secret3"} => "code":0,
--- no_error_log
[alert]



=== TEST 28: an account is deleted by its owner: the name is free again
--- websocket
http: POST /v1/user/register 200 {"UserName":"Leaver","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"Leaver","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
a: open /ws
a: send {"auth":"$token","roomId":1}
a: recv op 4
http: POST /v1/user/delete 200 {"UserName":"Leaver","Password":"secret2"} => "code":-1002,
http: POST /v1/user/delete 200 {"UserName":"Leaver"} => "code":-1,"msg":"Password\.Required
http: POST /v1/user/register 200 {"UserName":"leaver","Password":"secret1"} => "code":-1001,
http: POST /v1/user/delete 200 {"UserName":"Leaver","Password":"secret1"} => \A\{"code":0,"msg":"请求成功","data":\{\}\}
a: recv_close 1008 /the account was deleted/
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
http: POST /v1/user/login 200 {"UserName":"Leaver","Password":"secret1"} => "code":-1002,
redis: KEYS im:{*}:a:*eaver => ^$
redis: HVALS im:{reg}:names => ^(?!.*[Ll]eaver)
http: POST /v1/user/register 200 {"UserName":"leaver","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"leaver","Password":"secret1"} => \A(?!.*$uid).*"code":0,
--- no_error_log
[alert]



=== TEST 29: what an operator does with an account
--- websocket
http: POST /v1/user/register 200 {"UserName":"Oper a/b","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"Oper a/b","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})","UserId":"(?<uid>\w+)"
http: GET /im/accounts/Oper%20a%2Fb 200 => \A\{"code":0,"msg":"success","data":\{"name":"Oper a/b","user":"$uid","created":\d{13}\}\}
http: GET /im/accounts/nobody 404 => no such account
http: POST /im/accounts/nobody 404 {"password":"secret2"} => no such account
http: DELETE /im/accounts/nobody 404 => no such account
http: PUT /im/accounts/nobody 405 => (?i)Allow: GET, POST, DELETE
http: GET /im/accounts/a%00bc 400
http: GET /im/accounts/a 400
a: open /ws
a: send {"auth":"$token","roomId":1}
a: recv op 4
http: POST /im/accounts/Oper%20a%2Fb 400 {"password":"12345"} => Password\.MinSize
http: POST /im/accounts/Oper%20a%2Fb 400 {"password":"oper a/b"} => Password\.Weak
http: POST /im/accounts/Oper%20a%2Fb 400 {} => Password\.Required
http: POST /im/accounts/Oper%20a%2Fb 400 {"password":5}
http: POST /im/accounts/Oper%20a%2Fb 400 {"password"
http: POST /im/accounts/Oper%20a%2Fb 415 x
http: POST /im/accounts/Oper%20a%2Fb 200 {"password":"secret2"} => \A\{"code":0,"msg":"success","data":\{\}\}
a: recv_close 1008 /the password was changed/
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
http: POST /v1/user/login 200 {"UserName":"Oper a/b","Password":"secret1"} => "code":-1002,
http: POST /v1/user/login 200 {"UserName":"Oper a/b","Password":"secret2"} => "Auth":"(?<token>[0-9a-f]{32})"
http: :$TEST_NGINX_IM_HTTP GET /im/accounts/Oper%20a%2Fb 200 => "user":"$uid"
http: DELETE /im/accounts/Oper%20a%2Fb 200
http: POST /v1/user/check_auth 200 {"Auth":"$token"} => "code":-1004,
http: GET /im/accounts/Oper%20a%2Fb 404
http: POST /v1/user/register 200 {"UserName":"oper a/b","Password":"secret1"} => "code":0,
--- no_error_log
[alert]



=== TEST 30: strangers who guess don't keep the owner out
--- config
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Real-IP;
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /v1/user/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- websocket
stop: logic
start: logic --login-limit=4 --name-limit=10 --limit-period=6000
until: /im/health ^200
http: POST /v1/user/register 200 {"UserName":"owner","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 (X-Real-IP: 198.51.100.1) {"UserName":"owner","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})"
same: 4 POST /v1/user/login {"UserName":"owner","Password":"wrong12"} => 4 "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 127.0.0.9) {"UserName":"owner","Password":"wrong12"} => "code":-1005,
http: POST /v1/user/login 200 {"UserName":"owner","Password":"secret1"} => "code":-1005,
http: POST /v1/user/login 200 {"UserName":"owner","Password":"secret1"} => (?i)Retry-After: (14\d\d|1500)\s
http: POST /v1/user/login 200 (X-Real-IP: 203.0.113.5) {"UserName":"owner","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8::1) {"UserName":"owner","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8::2) {"UserName":"owner","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:1::1) {"UserName":"owner","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 192.0.2.1) {"UserName":"owner","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 192.0.3.1) {"UserName":"owner","Password":"secret1"} => \A\{"code":-1005,
http: POST /v1/user/login 200 (X-Real-IP: 192.0.4.1) {"UserName":"owner","Password":"secret1"} => (?i)Retry-After: (5\d\d|600)\s
http: POST /v1/user/login 200 (X-Real-IP: 198.51.100.1) {"UserName":"owner","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 (X-Real-IP: 203.0.113.5) {"UserName":"owner","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 (X-Real-IP: 203.0.113.6) {"UserName":"owner","Password":"secret1"} => "code":-1005,
http: POST /v1/user/login?auth=$token 200 (X-Real-IP: 203.0.113.6) {"UserName":"owner","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 (X-Real-IP: 203.0.113.7) {"UserName":"owner","Password":"secret1","Auth":"$token"} => "code":0,
http: POST /v1/user/login?auth=no$token 200 (X-Real-IP: 203.0.113.8) {"UserName":"owner","Password":"secret1"} => "code":-1005,
same: 4 POST /v1/user/login?auth=$token {"UserName":"owner","Password":"wrong12"} => 4 "code":-1002,
http: POST /v1/user/login?auth=$token 200 {"UserName":"owner","Password":"secret1"} => "code":-1005,
--- no_error_log
[alert]



=== TEST 31: nor strangers at the same address, where the owner has a token
--- websocket
stop: logic
start: logic --login-limit=4 --address-limit=6 --limit-period=6000
until: /im/health ^200
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('KEYS','im:{*}:l:*'))do--[[]]redis.call('DEL',k)end--[[]]return--[[]]1 0
http: POST /v1/user/login 200 {"UserName":"owner","Password":"secret1"} => "Auth":"(?<token>[0-9a-f]{32})"
same: 12 POST /v1/user/login {"UserName":"owner","Password":"wrong12"} => 12 "code":-100[25],
http: POST /v1/user/login 200 {"UserName":"owner","Password":"secret1"} => "code":-1005,
http: POST /v1/user/login 200 {"UserName":"another","Password":"secret1"} => "code":-1005,
http: POST /v1/user/login?auth=$token 200 {"UserName":"owner","Password":"secret1"} => "code":0,
http: POST /v1/user/login?auth=$token 200 {"UserName":"another","Password":"secret1"} => "code":-1005,
redis: EVAL for--[[]]_,k--[[]]in--[[]]ipairs(redis.call('KEYS','im:{*}:l:*'))do--[[]]redis.call('DEL',k)end--[[]]return--[[]]1 0
stop: logic
start: logic --login-limit=4 --name-limit=10 --limit-period=6000
until: /im/health ^200
--- no_error_log
[alert]



=== TEST 32: a name without an account is limited alike
--- websocket
same: 4 POST /v1/user/login {"UserName":"noone","Password":"wrong12"} => 4 "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 127.0.0.9) {"UserName":"noone","Password":"wrong12"} => (?i)Retry-After: (14\d\d|1500)\s
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8::1) {"UserName":"noone","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:1::1) {"UserName":"noone","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:2::1) {"UserName":"noone","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:3::1) {"UserName":"noone","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:4::1) {"UserName":"noone","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:5::1) {"UserName":"noone","Password":"wrong12"} => "code":-1002,
http: POST /v1/user/login 200 (X-Real-IP: 2001:db8:6::1) {"UserName":"noone","Password":"wrong12"} => (?i)Retry-After: (5\d\d|600)\s
--- no_error_log
[alert]



=== TEST 33: the cookie is for https where the request came by it
--- websocket
http: POST /v1/user/register 200 {"UserName":"cookie1","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"cookie1","Password":"secret1"} => (?i)Set-Cookie: auth=[0-9a-f]{32}; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax\r
http: POST /v1/user/login 200 (X-Forwarded-Proto: https) {"UserName":"cookie1","Password":"secret1"} => (?i)Set-Cookie: auth=[0-9a-f]{32}; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax; Secure\r
http: :$TEST_NGINX_IM_HTTP POST /v1/user/login 200 (X-Forwarded-Proto: https) {"UserName":"cookie1","Password":"secret1"} => ; Secure\r
--- no_error_log
[alert]



=== TEST 34: looks of older accounts are taken at the start, once
--- websocket
stop: logic
redis: DEL im:{reg}:names
redis: HSET im:{15}:a:veteran id u-vet name veteran hash x
start: logic --register-limit=0
until: /im/health ^200
await: EVAL return(redis.call('HGET','im:{reg}:names','')or'no') 0 => ^1$
redis: HVALS im:{reg}:names => veteran
http: POST /v1/user/register 200 {"UserName":"Veteran","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"\u0475eteran","Password":"secret1"} => "code":-1001,
http: POST /v1/user/register 200 {"UserName":"OWNER","Password":"secret1"} => "code":-1001,
stop: logic
start: logic --register-limit=0 --prefix=im:
until: /im/health ^200
http: POST /v1/user/register 200 {"UserName":"Cookie1","Password":"secret1"} => "code":-1001,
--- no_error_log
[alert]



=== TEST 35: a session ends with the login that has opened it
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /connection/websocket {
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
    location /v1/user/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u7 Ann
fedcba9876543210 u7 Ann
--- websocket
stop: logic
start: logic --user-tokens=2
until: /im/health ^200
http: POST /v1/user/register 200 {"UserName":"twice","Password":"secret1"} => "code":0,
http: POST /v1/user/login 200 {"UserName":"twice","Password":"secret1"} => "Auth":"(?<one>[0-9a-f]{32})"
http: POST /v1/user/login 200 {"UserName":"twice","Password":"secret1"} => "Auth":"(?<two>[0-9a-f]{32})"
a: open /ws
a: send {"auth":"$one","roomId":1}
a: recv op 4
b: open /ws
b: send {"auth":"$two","roomId":2}
b: recv op 4
c: open /connection/websocket
c: send {"id":1,"connect":{"token":"$one"}}
c: like "connect":
http: GET /v1/user/logout 200 (Authorization: Bearer $one) => "code":0,
a: recv_close 1008 /logged out/
c: recv_close 3503 /logged out/
b: silent
http: POST /v1/user/login 200 {"UserName":"twice","Password":"secret1"} => "Auth":"(?<three>[0-9a-f]{32})"
a: open /ws
a: send {"auth":"$three","roomId":1}
a: recv op 4
http: POST /v1/user/login 200 {"UserName":"twice","Password":"secret1"} => "Auth":"(?<four>[0-9a-f]{32})"
b: recv_close 1008 /logged out/
a: silent
d: open /ws
d: send {"auth":"0123456789abcdef","roomId":3}
d: recv op 4
e: open /ws
e: send {"auth":"fedcba9876543210","roomId":4}
e: recv op 4
http: GET /v1/user/logout?auth=0123456789abcdef 200 => "code":0,
d: recv_close 1008 /logged out/
e: silent
a: silent
--- no_error_log
[alert]
