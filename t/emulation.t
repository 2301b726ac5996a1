# Emulation: requests that carry messages of sessions without a way back.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: what is refused, and how
--- services: redis
--- config
    location = /emulation { im_emulation; }
    location = /small { im_emulation; im_limit message=200; }
    location = /pages {
        im_emulation;
        im_allow_origin https://chat.example.com;
    }
--- websocket
http: GET /emulation 405 => (?i)Allow: POST, OPTIONS
http: HEAD /emulation 405
http: PUT /emulation 405 {}
http: POST /emulation 400
http: POST /emulation 400 {
http: POST /emulation 400 null
http: POST /emulation 400 [] => 400:
http: POST /emulation 400 {} => 400: no session
http: POST /emulation 400 {"node":"n","data":"{}"} => 400: no session
http: POST /emulation 400 {"session":"s","data":"{}"} => 400: no node
http: POST /emulation 400 {"session":"s","node":null,"data":"{}"} => no node
http: POST /emulation 400 {"session":1,"node":"n","data":"{}"}
http: POST /emulation 400 {"session":"s","node":"n","data":{}}
http: POST /emulation 404 {"session":"s","node":"n","data":"{}"} => 404: no such node
until: POST /emulation {"session":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","node":"00112233-4455-4677-8899-aabbccddeeff","data":"{}"} => 404: no such node
http: POST /emulation 413 {"data":"FILL(66000)"}
http: POST /small 400 {"data":"FILL(180)"} => no session
http: POST /small 413 {"data":"FILL(190)"}
raw: POST /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"data":"FILL(91)\r\n64\r\nFILL(100)\r\n1\r\n"\r\n0\r\n\r\n => ^HTTP/1.1 413
raw: POST /emulation HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n => ^HTTP/1.1 400(?s:.*)no session
--- no_error_log
[alert]



=== TEST 2: pages of other origins
--- websocket
http: POST /emulation 400 (Origin: http://localhost) {} => (?i)Access-Control-Allow-Origin: http://localhost
http: POST /emulation 400 (Origin: http://localhost) {} => (?i)Access-Control-Allow-Credentials: true
http: POST /emulation 400 (Origin: http://localhost) {} => (?i)Vary: Origin
http: POST /emulation 400 {} => \A(?!(?is:.*)Access-Control)
http: POST /emulation 403 (Origin: https://evil.example) {} => 403: pages of this origin
log: a page of "https://evil.example" is refused: if it may come in, add "im_allow_origin self https://evil.example;"
http: POST /emulation 403 (Origin: null) {}
http: POST /pages 403 (Origin: http://localhost) {}
http: POST /pages 400 (Origin: https://chat.example.com) {} => (?i)Access-Control-Allow-Origin: https://chat.example.com
http: POST /pages 400 (Origin: https://chat.example.com|Origin: https://chat.example.com) {} => more than one Origin
http: OPTIONS /pages 204 (Origin: https://chat.example.com|Access-Control-Request-Headers: x-a,content-type) => (?i)Access-Control-Allow-Headers: x-a,content-type
http: OPTIONS /pages 204 (Origin: https://chat.example.com) => (?i)Access-Control-Allow-Origin: https://chat.example.com
http: OPTIONS /pages 204 (Origin: https://chat.example.com) => (?i)Access-Control-Allow-Methods: POST, OPTIONS
http: OPTIONS /pages 204 (Origin: https://chat.example.com) => (?i)Access-Control-Max-Age: 300
http: OPTIONS /pages 204 (Origin: https://evil.example|Access-Control-Request-Headers: x-a) => \A(?!(?is:.*)Access-Control-Allow-(Origin|Headers|Credentials))
http: OPTIONS /pages 204 (Origin: https://evil.example) => (?i)Access-Control-Allow-Methods: POST, OPTIONS
--- no_error_log
[alert]



=== TEST 3: the address pays
--- http_config
    im_per_address frames=1;
--- config
    location = /emulation { im_emulation; }
--- websocket
until: POST /emulation {} => 429: im_per_address frames=
--- no_error_log
[alert]



=== TEST 4: bytes count too
--- http_config
    im_per_address bytes=1k;
--- config
    location = /emulation { im_emulation; }
--- websocket
http: POST /emulation 400 {"data":"FILL(60000)"}
http: POST /emulation 429 {} => 429: im_per_address bytes=
http: POST /emulation 429 {} => (?i)Retry-After: \d+
--- no_error_log
[alert]



=== TEST 5: without Redis
--- services:
--- http_config
    im_redis 127.0.0.1:1;
--- not_ready
--- config
    location = /emulation { im_emulation; }
--- websocket
http: POST /emulation 503 {"session":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","node":"00112233-4455-4677-8899-aabbccddeeff","data":"{}"} => (?i)Retry-After: 1
http: POST /emulation 404 {"session":"s","node":"n","data":"{}"}
--- no_error_log
[alert]



=== TEST 6: beside im_comet
--- config
    location = /ws { im_comet protocol=echo; im_emulation; }
--- must_die
--- error_log eval
qr/"im_emulation" directive shares its location with im_comet, proxy_pass or the like: give it a location of its own/



=== TEST 7: before proxy_pass
--- config
    location = /emulation { im_emulation; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log eval
qr/im_emulation shares its location with proxy_pass/



=== TEST 8: twice
--- config
    location = /emulation { im_emulation; im_emulation; }
--- must_die
--- error_log eval
qr/"im_emulation" directive is duplicate/



=== TEST 9: commands of a session over HTTP
--- http_config
    im_room open       history=10 ttl=1h presence publish=member;
    im_room plain:*    history=0;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
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
    location = /ping {
        im_comet protocol=centrifuge transport=http_stream;
        im_auth none;
        im_connect /im_connect;
        im_ping 1s timeout=2s;
    }
    location = /pong {
        im_comet protocol=centrifuge transport=http_stream;
        im_auth none;
        im_connect /im_connect;
        im_ping 4s timeout=60s;
    }
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth none;
        im_connect /im_connect;
    }
    location = /slow {
        im_comet protocol=centrifuge transport=http_stream;
        im_auth none;
        im_connect /im_connect;
        im_limit message=1000;
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
a: get /sse?cf_connect=URI({"id":1,"connect":{}})
a: like ^\{"id":1,"connect":\{"client":"(?<client>[0-9a-f-]{36})",.*"pong":true,"session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"\}\}$
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"subscribe\":{\"channel\":\"open\"}}"} => \A\z
a: like ^\{"id":2,"subscribe":\{.*"epoch":"\w+"
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"publish\":{\"channel\":\"open\",\"data\":{\"n\":1}}}\n{\"id\":4,\"presence_stats\":{\"channel\":\"open\"}}\n"}
a: like_set ^\{"push":\{"channel":"open","pub":\{"data":\{"n":1\},"info":\{"user":"","client":"$client"\},"offset":1\}\}\}$ || ^\{"id":3,"publish":\{\}\}$ || ^\{"id":4,"presence_stats":\{"num_clients":1,"num_users":1\}\}$
http: POST /emulation 204 (Content-Type: text/plain;charset=UTF-8) {"session":"$session","node":"$node","data":"{\"id\":5,\"history\":{\"channel\":\"open\",\"limit\":1}}"}
a: like ^\{"id":5,"history":\{"publications":\[\{"data":\{"n":1\}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":6,\"rpc\":{\"method\":\"x\"}}"}
a: recv {"id":6,"error":{"code":108,"message":"not available"}}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":7,\"connect\":{}}"}
a: like ^\{"push":\{"disconnect":\{"code":3501,"reason":"[^"]+"\}\}\}$
a: eof
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":8,\"presence\":{\"channel\":\"open\"}}"}
until: POST /api/presence {"channel":"open"} => "presence":\{\}
--- no_error_log
[error]
[alert]



=== TEST 10: only whoever knows the secret speaks for a session
--- websocket
a: post /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"open"}}
a: like "client":"(?<client>[0-9a-f-]{36})",.*"session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
a: like ^\{"id":2,
b: post /stream << {"id":1,"connect":{}}
b: like "session":"(?<other>[0-9a-f]{64})"
w: open /ws
w: send {"id":1,"connect":{}}
w: like ^\{"id":1,"connect":\{(?!.*"session")(?!.*"node").*"client":"(?<ws>[0-9a-f-]{36})"
http: POST /emulation 204 {"session":"$client","node":"$node","data":"{\"id\":3,\"publish\":{\"channel\":\"open\",\"data\":1}}"}
http: POST /emulation 204 {"session":"$client$client","node":"$node","data":"hello"}
http: POST /emulation 204 {"session":"$ws","node":"$node","data":"hello"}
http: POST /emulation 204 {"session":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","node":"$node","data":"hello"}
http: POST /emulation 204 {"session":"$session ","node":"$node","data":"hello"}
http: POST /emulation 404 {"session":"$session","node":"$node ","data":"hello"}
http: POST /emulation 404 {"session":"$session","node":"00112233-4455-4677-8899-aabbccddeeff","data":"hello"}
http: POST /emulation 204 {"session":"$other","node":"$node","data":"hello"}
b: like ^\{"push":\{"disconnect":\{"code":3501,
push: room open "end"
a: like ^\{"push":\{"channel":"open","pub":\{"data":"end",
w: silent
a: cut
w: close 1000
unlogged: $session
unlogged: $other
--- no_error_log
[error]
[alert]



=== TEST 11: pongs
--- websocket
a: post /pong << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
a: recv_text {}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{}"}
a: recv_text {}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{}"}
a: recv_text {}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{}"}
a: like ^\{"push":\{"disconnect":\{"code":3501,"reason":"pong without a ping"\}\}\}$
a: eof
b: post /ping << {"id":1,"connect":{}}
b: like ^\{"id":1,
b: recv_text {}
b: like ^\{"push":\{"disconnect":\{"code":3012,"reason":"no answer to ping"\}\}\}$
b: eof
--- no_error_log
[error]
[alert]



=== TEST 12: while a command is under way others wait, in order and not without end
--- websocket
a: post /slow << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"open"}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
a: like ^\{"id":2,
pause: logic
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"publish\":{\"channel\":\"open\",\"data\":3}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":4,\"unsubscribe\":{\"channel\":\"open\"}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":5,\"publish\":{\"channel\":\"open\",\"data\":5}}\n{\"id\":6,\"unsubscribe\":{\"channel\":\"open\"}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":7,\"unsubscribe\":{\"channel\":\"plain:1\"}}"}
resume: logic
a: upto ^\{"id":3,"publish":\{\}\}
a: recv {"id":4,"unsubscribe":{}}
a: recv {"id":5,"error":{"code":103,"message":"permission denied"}}
a: recv {"id":6,"unsubscribe":{}}
a: recv {"id":7,"unsubscribe":{}}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":8,\"subscribe\":{\"channel\":\"open\"}}"}
a: like ^\{"id":8,
pause: logic
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":9,\"publish\":{\"channel\":\"open\",\"data\":9}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":10,\"publish\":{\"channel\":\"open\",\"data\":10}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":11,\"publish\":{\"channel\":\"open\",\"data\":\"FILL(900)\"}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":12,\"publish\":{\"channel\":\"open\",\"data\":\"FILL(100)\"}}"}
a: recv {"push":{"disconnect":{"code":3013,"reason":"too many commands wait"}}}
a: eof
resume: logic
--- no_error_log
[alert]



=== TEST 13: commands of a second
--- http_config
    im_room open  history=0;
    im_limit commands=3;
--- config
    location = /stream { im_comet protocol=centrifuge transport=http_stream; im_auth none; }
    location = /emulation { im_emulation; }
--- websocket
a: post /stream << {"id":1,"connect":{}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":4,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":5,\"unsubscribe\":{\"channel\":\"a\"}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":6,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":7,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":8,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":9,\"unsubscribe\":{\"channel\":\"a\"}}"}
a: recv {"id":2,"unsubscribe":{}}
a: recv {"id":3,"unsubscribe":{}}
a: recv {"id":4,"unsubscribe":{}}
a: recv {"id":5,"unsubscribe":{}}
a: recv {"id":6,"unsubscribe":{}}
a: recv {"id":7,"unsubscribe":{}}
a: recv {"id":8,"unsubscribe":{}}
a: recv {"id":9,"unsubscribe":{}}
elapsed: 1
--- no_error_log
[error]
[alert]



=== TEST 14: streams without a way back
--- http_config
    im_room open  history=0;
--- config
    location = /stream { im_comet protocol=centrifuge transport=http_stream; im_auth none; }
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
    location = /uni { im_comet protocol=centrifuge_uni; im_auth none; }
--- websocket
log: clients of location "/stream" send what they have to say to a location of im_emulation, and there is none: add "location = /emulation \{ im_emulation; \}"
logged: 1 im_emulation
--- no_error_log
[error]
[alert]



=== TEST 15: a stream over HTTP/2: the same, and what was held goes on
--- http_config
    im_room open  history=10 ttl=1h publish=member;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 http2;
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
    location = /emulation { im_emulation; }
--- websocket
a: post h2 :$TEST_NGINX_IM_PORT2 /stream << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"open"}}
a: like "session":"(?<session>[0-9a-f]{64})","node":"(?<node>[0-9a-f-]{36})"
a: like ^\{"id":2,
pause: logic
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":3,\"publish\":{\"channel\":\"open\",\"data\":3}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":4,\"unsubscribe\":{\"channel\":\"open\"}}"}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":5,\"unsubscribe\":{\"channel\":\"open\"}}"}
resume: logic
a: upto ^\{"id":3,"publish":\{\}\}
a: recv {"id":4,"unsubscribe":{}}
a: recv {"id":5,"unsubscribe":{}}
http: POST /emulation 204 {"session":"$session","node":"$node","data":"{\"id\":6,\"connect\":{}}"}
a: like ^\{"push":\{"disconnect":\{"code":3501,
--- no_error_log
[error]
[alert]
