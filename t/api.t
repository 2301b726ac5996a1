# Centrifugo's server API.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: publish
--- http_config
    im_room 1          history=10 ttl=1h;
    im_room 2          history=0;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=0;
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
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location /centrifugo/ {
        rewrite ^/centrifugo(/api/.*) $1 break;
        fastcgi_pass im_logic;
        include im_params;
    }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: /im/health ^200
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
http: POST /api/publish 200 {"channel":"1","data":{"msg":"one"}} => ^\{"result":\{"offset":1,"epoch":"[0-9a-z]+"\}\}\n$
a: recv msg "one"
http: POST /api/publish 200 {"channel":"1","data":[2],"tags":{"a":"b"},"delta":true} => "offset":2,
a: recv msg [2]
http: POST /api/publish 200 {"channel":"2","data":null} => ^\{"result":\{\}\}\n$
http: POST /api/publish 200 {"channel":"#u1","data":"inbox"} => "offset":1,
a: recv msg "inbox"
http: POST /api/publish 200 {"channel":"#","data":"all"} => ^\{"result":\{\}\}\n$
a: recv msg "all"
http: POST /api/publish 200 {"channel":"1","b64data":"eyJtc2ciOiJiNjQifQ=="} => "offset":3,
a: recv msg "b64"
http: POST /api/publish 200 {"channel":"1","b64data":"/wD+"} => "offset":4,
a: recv msg "/wD+"
http: POST /api/publish 200 {"channel":"#","b64data":"aGk="} => ^\{"result":\{\}\}\n$
a: recv msg "hi"
http: POST /centrifugo/api/publish 200 {"channel":"1","data":5} => "offset":5,
a: recv msg 5
http: POST /api/publish?x=1 200 {"channel":"1","data":6,"unknown":[]} => "offset":6,
a: recv msg 6
a: close
--- no_error_log
[error]
[alert]



=== TEST 2: idempotency_key: once; with other data a conflict
--- websocket
a: open /ws
a: send {"auth":null,"roomId":1}
a: recv op 4
http: POST /api/publish 200 {"channel":"1","data":7,"idempotency_key":"k"} => "offset":7,
http: POST /api/publish 200 {"channel":"1","data":7,"idempotency_key":"k"} => "offset":7,
http: POST /api/publish 200 {"channel":"#u1","data":7,"idempotency_key":"k"} => "offset":2,
http: POST /api/publish 200 {"channel":"1","data":8,"idempotency_key":"k"} => ^\{"error":\{"code":113,
http: POST /api/publish 409 (X-Centrifugo-Error-Mode: transport) {"channel":"1","data":8,"idempotency_key":"k"} => ^\{"code":113,"message":
a: recv msg 7
a: silent
a: close
--- no_error_log
[error]
[alert]



=== TEST 3: what is refused
--- websocket
http: POST /api/publish 200 {"data":1} => ^\{"error":\{"code":107,"message":"bad request: no channel"\}\}\n$
http: POST /api/publish 200 {"channel":"","data":1} => "code":107
http: POST /api/publish 200 {"channel":"1"} => "code":107
http: POST /api/publish 200 {"channel":"a\u0000","data":1} => "code":107
http: POST /api/publish 200 {"channel":"#\u0001","data":1} => "code":107
http: POST /api/publish 200 {"channel":"3","data":1} => "code":102
http: POST /api/publish 200 {"channel":"1","data":1,"tags":{"a":1}} => "code":107
http: POST /api/publish 200 {"channel":"1","b64data":"?"} => "code":107
http: POST /api/publish 200 {"channel":"3","data":1,"skip_history":true} => "code":102
http: POST /api/publish 200 {"channel":"2","data":1,"skip_history":true} => "result":\{\}
http: POST /api/publish 200 {"channel":"1","data":1,"version":1} => "code":108
http: POST /api/publish 200 {"channel":"1","data":1,"idempotency_key":"0123456789012345678901234567890123456789012345678901234567890123456789"} => "code":107
http: POST /api/publish 400 {"channel":1,"data":1}
http: POST /api/publish 400 {"channel":"1","data":1,"tags":[]}
http: POST /api/publish 400 {"channel":"1","data":nonsense}
http: POST /api/publish 400 (Content-Type: application/json) nonsense
http: POST /api/publish 400
http: GET /api/publish 405 => (?i)Allow: POST
http: POST /api/rpc 200 {"method":"m","data":1} => ^\{"error":\{"code":104,"message":"not found"\}\}\n$
http: POST /api/map_publish 200 {} => "code":104
http: POST /api/nothing 200 {} => "code":104
http: POST /api/publish/more 404 {}
http: POST /api/publish 400 (X-Centrifugo-Error-Mode: transport) {"channel":"1"} => ^\{"code":107,
http: POST /api/publish 404 (X-Centrifugo-Error-Mode: transport) {"channel":"3","data":1} => ^\{"code":102,
http: POST /api/nothing 404 (X-Centrifugo-Error-Mode: transport) {} => ^\{"code":104,
http: POST /api/publish 400 (X-Centrifugo-Error-Mode: transport) {"channel":"1","data":1,"version":1} => ^\{"code":108,
--- no_error_log
[alert]



=== TEST 4: broadcast: an answer for each channel, in order
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
http: POST /api/broadcast 200 {"channels":["1","3","a\u0000","#u1","2","1"],"data":"b","idempotency_key":"b"} => ^\{"result":\{"responses":\[\{"result":\{"offset":8,"epoch":"\w+"\}\},\{"error":\{"code":102,[^}]*\}\},\{"error":\{"code":107,[^}]*\}\},\{"result":\{"offset":3,"epoch":"\w+"\}\},\{"result":\{\}\},\{"result":\{"offset":8,"epoch":"\w+"\}\}\]\}\}\n$
a: recv msg "b"
a: recv msg "b"
a: silent
a: close
http: POST /api/broadcast 200 {"channels":[],"data":1} => "code":107
http: POST /api/broadcast 200 {"data":1} => "code":107
http: POST /api/broadcast 200 {"channels":["1"]} => "code":107
http: POST /api/broadcast 200 {"channels":["1"],"data":1,"version":2} => "code":108
http: POST /api/broadcast 413 {"data":1,"channels":["x"MANY(1001)]}
http: POST /api/broadcast 400 {"channels":"1","data":1}
http: POST /api/broadcast 400 {"channels":["1",1],"data":1}
--- no_error_log
[alert]



=== TEST 5: batch
--- websocket
a: open /ws
a: send {"auth":null,"roomId":1}
a: recv op 4
http: POST /api/batch 200 {"commands":[{"publish":{"channel":"1","data":"x"}},{"publish":{"channel":"1","data":"x"}},{"publish":{"channel":"3","data":1}},{"rpc":{"method":"m"}},{"nothing":{}},7,{},{"publish":[]},{"publish":{"channel":3}},{"broadcast":{"channels":["2"],"data":1}}]} => ^\{"replies":\[\{"publish":\{"offset":9,"epoch":"\w+"\}\},\{"publish":\{"offset":10,"epoch":"\w+"\}\},\{"error":\{"code":102,[^}]*\}\},\{"error":\{"code":104,[^}]*\}\},\{"error":\{"code":104,[^}]*\}\},\{"error":\{"code":104,[^}]*\}\},\{"error":\{"code":104,[^}]*\}\},\{"error":\{"code":104,[^}]*\}\},\{"error":\{"code":107,[^}]*\}\},\{"broadcast":\{"responses":\[\{"result":\{\}\}\]\}\}\]\}\n$
a: recv msg "x"
a: recv msg "x"
http: POST /api/batch 200 {"parallel":true,"commands":[{"publish":{"channel":"1","data":"1"}},{"publish":{"channel":"2","data":"2"}}]} => ^\{"replies":\[\{"publish":\{"offset":11,"epoch":"\w+"\}\},\{"publish":\{\}\}\]\}\n$
a: recv msg "1"
a: silent
a: close
http: POST /api/batch 200 {"commands":[]} => ^\{"replies":\[\]\}\n$
http: POST /api/batch 200 {} => ^\{"replies":\[\]\}\n$
http: POST /api/batch 200 {"commands":[{"batch":{"commands":[]}}]} => "code":104
http: POST /api/batch 200 (X-Centrifugo-Error-Mode: transport) {"commands":[{"rpc":{}}]} => "code":104
http: POST /api/batch 400 {"commands":{}}
http: POST /api/batch 400 (Content-Type: application/json) nonsense
http: POST /api/batch 413 {"commands":[{}MANY(1001)]}
--- no_error_log
[alert]



=== TEST 6: keys
--- http_config
    im_room 1          history=10 ttl=1h;
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis
--- not_ready
--- websocket
file: api_keys 0123456789abcdef-one\n\nfedcba9876543210-two\r\n
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
until: /im/health ^200
http: POST /api/publish 401 {"channel":"1","data":1} => ^$
http: POST /api/publish 401 (X-API-Key: 0123456789abcdef-on) {"channel":"1","data":1}
http: POST /api/publish 401 (X-API-Key: 0123456789abcdef-onf) {"channel":"1","data":1}
http: POST /api/publish 401 (Authorization: Bearer 0123456789abcdef-one) {"channel":"1","data":1}
http: POST /api/publish 401 (Authorization: apikey) {"channel":"1","data":1}
http: POST /api/publish?api_key= 401 {"channel":"1","data":1}
http: POST /api/publish?api_key=0123456789abcdef 401 {"channel":"1","data":1}
http: POST /api/nothing 401 {}
http: POST /api/publish 200 (X-API-Key: 0123456789abcdef-one) {"channel":"1","data":1} => "offset":1
http: POST /api/publish 200 (X-API-Key: fedcba9876543210-two) {"channel":"1","data":1} => "offset":2
http: POST /api/publish 200 (Authorization: apikey 0123456789abcdef-one) {"channel":"1","data":1} => "offset":3
http: POST /api/publish?a=b&api_key=fedcba9876543210%2Dtwo 200 {"channel":"1","data":1} => "offset":4
http: :$TEST_NGINX_IM_HTTP POST /api/publish 401 {"channel":"1","data":1}
http: :$TEST_NGINX_IM_HTTP POST /api/publish 200 (X-API-Key: 0123456789abcdef-one) {"channel":"1","data":1} => "offset":5
http: :$TEST_NGINX_IM_HTTP POST /api/publish 200 (Authorization: apikey 0123456789abcdef-one) {"channel":"1","data":1} => "offset":6
http: :$TEST_NGINX_IM_HTTP POST /api/publish 400 (X-API-Key: 0123456789abcdef-one|X-Centrifugo-Error-Mode: transport) {"channel":"a\u0000","data":1} => ^\{"code":107,
stop: logic
--- no_error_log
[alert]



=== TEST 7: files of keys that are no good
--- http_config
    im_room 1          history=10 ttl=1h;
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis
--- not_ready
--- websocket
file: api_keys \n\n
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
exit: logic 2
output: logic holds no key
file: api_keys short
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
exit: logic 2
output: logic 8 to 256 characters.*weak
file: api_keys 0123456789abcdef one
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
exit: logic 2
file: api_keys FILL(9000)
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
exit: logic 2
output: logic longer than 8 kB
start: logic --api-key-file=$TEST_NGINX_IM_DIR/nothing
exit: logic 2
output: logic No such file
--- no_error_log
[alert]



=== TEST 8: whom a control concerns, and with what
--- http_config
    im_room 1          history=10 ttl=1h;
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis logic
--- websocket
until: /im/health ^200
http: POST /api/disconnect 200 {} => "code":107
http: POST /api/disconnect 200 {"user":""} => "code":107
http: POST /api/disconnect 200 {"user":"a\u0000"} => "code":107
http: POST /api/disconnect 200 {"user":"u","client":"\n"} => "code":107
http: POST /api/disconnect 200 {"user":"u","disconnect":{"code":2999,"reason":""}} => "code":107
http: POST /api/disconnect 200 {"user":"u","disconnect":{"code":5000,"reason":""}} => "code":107
http: POST /api/disconnect 200 {"user":"u","disconnect":{"code":4000,"reason":"FILL(124)"}} => "code":107
http: POST /api/disconnect 200 {"user":"u","disconnect":{"code":"x"}} => "code":107
http: POST /api/disconnect 400 {"user":"u","disconnect":4000}
http: POST /api/disconnect 413 {"user":"u","whitelist":["x"MANY(128)]}
http: POST /api/disconnect 400 {"user":1}
http: POST /api/disconnect 200 {"user":"u"} => ^\{"result":\{\}\}\n$
http: POST /api/subscribe 200 {"user":"u"} => "code":107
http: POST /api/subscribe 200 {"channel":"1"} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"#u"} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"2"} => "code":102
http: POST /api/subscribe 200 {"user":"u","channel":"1","override":{"presence":{"value":true}}} => "code":108,"message":"not available: override: the rule
http: POST /api/subscribe 200 {"user":"u","channel":"1","b64info":"?"} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"1","recover_since":{"offset":-1}} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"1","recover_since":{"offset":"1"}} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"1","info":"FILL(65600)"} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"1","b64data":"e30"} => "code":107
http: POST /api/subscribe 200 {"user":"u","channel":"1","b64info":"eyJhIjoxfQ==","b64data":"WzJd"} => ^\{"result":\{\}\}\n$
redis: XREVRANGE im:{4}:q + - COUNT 1 => (?s)u:u.*\{"room":"1","info":\{"a":1\},"data":\[2\]\}
http: POST /api/subscribe 200 {"user":"u","channel":"1","b64info":"/wD+","b64data":"aGk="} => ^\{"result":\{\}\}\n$
redis: XREVRANGE im:{4}:q + - COUNT 1 => (?s)u:u.*\{"room":"1","b64info":"/wD\+","b64data":"aGk="\}
http: POST /api/subscribe 200 {"user":"u","channel":"1","expire_at":-1} => "code":107
http: POST /api/subscribe 400 {"user":"u","channel":"1","recover_since":1}
http: POST /api/subscribe 200 {"user":"u","channel":"1"} => ^\{"result":\{\}\}\n$
http: POST /api/subscribe 200 {"user":"u","client":"c","channel":"1","info":{"a":1},"data":[2],"recover_since":{"offset":3,"epoch":"e"},"expire_at":1900000000} => ^\{"result":\{\}\}\n$
redis: XREVRANGE im:{4}:q + - COUNT 1 => (?s)u:u.*\{"room":"1","epoch":"e","seq":3,"info":\{"a":1\},"data":\[2\],"expire_at":1900000000\}
http: POST /api/unsubscribe 200 {"user":"u"} => ^\{"result":\{\}\}\n$
http: POST /api/unsubscribe 200 {"channel":"1"} => "code":107
http: POST /api/unsubscribe 200 {"user":"u","channel":"#"} => "code":107
http: POST /api/unsubscribe 200 {"user":"u","channel":"2"} => "code":102
http: POST /api/unsubscribe 200 {"user":"u","channel":"1"} => ^\{"result":\{\}\}\n$
redis: XREVRANGE im:{4}:q + - COUNT 1 => (?s)u:u.*\{"room":"1","code":2000,"reason":"server unsubscribe"\}
http: POST /api/refresh 200 {} => "code":107
http: POST /api/refresh 200 {"user":"u","expire_at":-1} => "code":107
http: POST /api/refresh 200 {"user":"u","info":"FILL(65600)"} => "code":107
http: POST /api/refresh 400 {"user":"u","expired":1}
http: POST /api/refresh 200 {"user":"u","expired":true} => ^\{"result":\{\}\}\n$
redis: XREVRANGE im:{4}:q + - COUNT 1 => (?s)u:u.*\{"expired":true\}
http: POST /api/refresh 200 {"user":"u","expire_at":1900000000,"info":null} => ^\{"result":\{\}\}\n$
redis: XREVRANGE im:{4}:q + - COUNT 1 => (?s)u:u.*\{"expired":false,"expire_at":1900000000\}
--- no_error_log
[alert]



=== TEST 9: the queue is full, Redis is away, no worker is known
--- services: redis logic
--- websocket
stop: logic
start: logic --queue-cap=1
until: /im/health ^200
http: POST /api/disconnect 200 {"user":"u"} => "code":100.*the queue is full
http: POST /api/disconnect 500 (X-Centrifugo-Error-Mode: transport) {"user":"u"} => ^\{"code":100,
kill: redis
until: /im/health ^503.*(?i)redis
http: POST /api/disconnect 200 {"user":"u"} => "code":100
http: POST /api/publish 200 {"channel":"1","data":1} => "code":10[02]
http: POST /api/broadcast 200 {"channels":["#u"],"data":1} => "code":100
http: POST /api/batch 200 {"commands":[{"disconnect":{"user":"u"}}]} => "code":100
--- no_error_log
[alert]



=== TEST 10: messages that are in no history go to those that follow now
--- http_config
    im_room 1          history=10 ttl=1h publish=member;
--- config
    location = /im {
        im_comet protocol=im;
        im_auth none;
    }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /skip {
        im_comet protocol=centrifuge;
        im_auth none;
        im_connect /im_connect;
        im_webhook publish /hook;
    }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location = /hook {
        internal;
        default_type application/json;
        return 200 '{"result":{"skip_history":true}}';
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
http: POST /api/publish 200 {"channel":"1","data":{"msg":1}} => "offset":1,"epoch":"(?<e>\w+)"
a: open /im
a: send {"auth":"","roomId":1,"seq":1,"epoch":"$e"}
a: recv op 7
a: recv op 4
b: open /cf
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":.*"offset":1,
http: POST /api/publish 200 {"channel":"1","data":{"msg":"live"},"skip_history":true,"idempotency_key":"k"} => ^\{"result":\{\}\}\n$
http: POST /api/publish 200 {"channel":"1","data":{"msg":"live"},"skip_history":true,"idempotency_key":"k"} => ^\{"result":\{\}\}\n$
a: like ^\{"code":0,"msg":"live","fuid":"","fname":"","op":3(?!.*"seq")
b: recv_text {"push":{"channel":"1","pub":{"data":{"msg":"live"}}}}
http: POST /api/broadcast 200 {"channels":["1"],"data":{"msg":"both"},"skip_history":true} => ^\{"result":\{"responses":\[\{"result":\{\}\}\]\}\}\n$
a: like ^\{"code":0,"msg":"both","fuid":"","fname":"","op":3(?!.*"seq")
b: recv_text {"push":{"channel":"1","pub":{"data":{"msg":"both"}}}}
http: POST /api/publish 200 {"channel":"1","data":{"msg":2}} => "offset":2,
a: like ^\{"code":0,"msg":2,"fuid":"","fname":"","op":3(?=.*"seq":2,"epoch":"$e")
b: recv_text {"push":{"channel":"1","pub":{"data":{"msg":2},"offset":2}}}
c: open /skip
c: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1"},"id":2} | {"publish":{"channel":"1","data":{"msg":"typing"}},"id":3}
c: like ^\{"id":1,"connect":
c: like ^\{"id":2,"subscribe":.*"offset":2,
c: like_set ^\{"id":3,"publish":\{\}\}$ || "pub":\{"data":\{"msg":"typing"\},"info":\{[^}]*\}\}\}\}$
a: recv msg "typing"
b: like "pub":\{"data":\{"msg":"typing"\},"info":\{[^}]*\}\}\}\}$
http: POST /api/history 200 {"channel":"1","limit":10} => "publications":\[\{"data":\{"msg":1\},"offset":1\},\{"data":\{"msg":2\},"offset":2\}\],"epoch":"$e","offset":2\}
b: cut
b: open /cf
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"1","recover":true,"epoch":"$e","offset":1},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":.*"recovered":true.*"publications":\[\{"data":\{"msg":2\},"offset":2\}\]
--- no_error_log
[error]
[alert]



=== TEST 11: locations without im_params
--- config
    location /im/          { fastcgi_pass im_logic; }
    location = /ws         { im_comet protocol=im; im_auth token; im_connect /im_connect; }
    location = /im_connect { internal; fastcgi_pass im_logic; }
--- not_ready
--- websocket
until: /im/online "msg":"no such path: add \\"include im_params;\\" beside fastcgi_pass"
a: open /ws
a: send {"auth":"x","roomId":1}
a: recv_close 1013
log: the backend "/im_connect" can't tell who a token is: status 404 \(has it "include im_params;"\?\), the backend can't be understood
--- no_error_log
[alert]
