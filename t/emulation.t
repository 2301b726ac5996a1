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
same: 30 POST /emulation {} => 4-6 no session
http: POST /emulation 429 {} => (?i)Retry-After: \d+
http: POST /emulation 429 {} => 429: im_per_address frames=
--- no_error_log
[alert]



=== TEST 4: bytes count too
--- http_config
    im_per_address bytes=1k;
--- config
    location = /emulation { im_emulation; }
--- websocket
http: POST /emulation 400 {"data":"FILL(20000)"}
http: POST /emulation 429 {} => 429: im_per_address bytes=
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
