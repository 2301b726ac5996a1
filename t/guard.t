# Who may use /im/ and /api/, and what a request must be: pages of other
# origins, keys, declared types, lengths, names in paths.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: pages of other origins are refused, those of the host are not
--- http_config
    im_room *  history=10 ttl=1h;
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location /bare/ {
        fastcgi_pass_request_headers off;
        rewrite ^/bare/(.*) /im/$1 break;
        fastcgi_pass im_logic;
        include im_params;
    }
    location = /ws { im_comet protocol=im; im_auth none; }
--- websocket
until: /im/health ^200
http: POST /im/push 403 (Origin: https://evil.example) {"rooms":["1"],"data":1} => ^\{"code":403,"msg":"pages of \\"https://evil.example\\" may not ask this
http: POST /im/push?all=1 403 (Origin: https://evil.example) x
http: POST /api/publish 403 (Origin: https://evil.example) {"channel":"1","data":1} => ^\{"code":403,
http: POST /api/info 403 (Origin: https://evil.example) {}
http: GET /im/rooms/1 403 (Origin: https://evil.example)
http: GET /im/health 403 (Origin: https://evil.example)
http: DELETE /im/users/u1 403 (Origin: https://evil.example)
http: OPTIONS /im/users/u1 403 (Origin: https://evil.example|Access-Control-Request-Method: DELETE)
http: PUT /im/push 403 (Origin: https://evil.example) {}
http: POST /bare/push 403 (Origin: https://evil.example) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Origin: null) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Origin: https://localhost.evil.example) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Origin: http://localhost:8080) {"rooms":["1"],"data":1}
http: POST /im/push 400|403 (Origin: http://localhost|Origin: https://evil.example) {"rooms":["1"],"data":1}
http: POST /im/push 400|403 (Origin: https://evil.example|Origin: http://localhost) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Origin: http://localhost, https://evil.example) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Sec-Fetch-Site: cross-site) {"rooms":["1"],"data":1} => Sec-Fetch-Site
http: POST /im/push 403 (Sec-Fetch-Site: same-site) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Sec-Fetch-Site: other) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Origin: http://localhost|Sec-Fetch-Site: cross-site) {"rooms":["1"],"data":1}
http: POST /im/push 403 (Origin: https://evil.example|Sec-Fetch-Site: same-origin) {"rooms":["1"],"data":1}
http: GET /im/online 403 (Sec-Fetch-Site: cross-site)
http: GET /bare/online 403 (Sec-Fetch-Site: cross-site)
http: POST /im/push 200 (Origin: http://localhost) {"rooms":["1"],"data":1} => "seq":1\b
http: POST /im/push 200 (Origin: HTTPS://LOCALHOST:443|Sec-Fetch-Site: same-origin) {"rooms":["1"],"data":1} => "seq":2\b
http: POST /im/push 200 (Origin: http://localhost:80|Sec-Fetch-Site: none) {"rooms":["1"],"data":1} => "seq":3\b
http: POST /bare/push 200 (Origin: http://localhost) {"rooms":["1"],"data":1} => "seq":4\b
http: GET /im/online 200 (Sec-Fetch-Site: none)
--- no_error_log
[error]
[alert]



=== TEST 2: the same on the HTTP listener
--- websocket
http: :$TEST_NGINX_IM_HTTP POST /im/push 403 (Origin: https://evil.example) {"rooms":["1"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /api/publish 403 (Origin: https://evil.example) {"channel":"1","data":1}
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/1 403 (Origin: https://evil.example)
http: :$TEST_NGINX_IM_HTTP DELETE /im/users/u1 403 (Origin: https://evil.example)
http: :$TEST_NGINX_IM_HTTP POST /im/push 403 (Origin: null) {"rooms":["1"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push 403 (Sec-Fetch-Site: cross-site) {"rooms":["1"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push 403 (Sec-Fetch-Site: same-site) {"rooms":["1"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 (Origin: http://localhost) {"rooms":["1"],"data":1} => "seq":5\b
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 (Origin: https://localhost|Sec-Fetch-Site: same-origin) {"rooms":["1"],"data":1} => "seq":6\b
--- no_error_log
[error]
[alert]



=== TEST 3: origins and hosts that are named
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis
--- not_ready
--- websocket
start: logic --allow-origin=https://a.example,https://b.example:8443
until: /im/health ^200
http: POST /im/push 200 (Origin: https://a.example|Sec-Fetch-Site: cross-site) {"rooms":["2"],"data":1}
http: POST /im/push 200 (Origin: https://b.example:8443) {"rooms":["2"],"data":1}
http: POST /im/push 200 (Origin: http://localhost) {"rooms":["2"],"data":1}
http: OPTIONS /im/push 204 (Origin: https://a.example|Sec-Fetch-Site: cross-site|Access-Control-Request-Method: POST)
http: :$TEST_NGINX_IM_HTTP OPTIONS /im/push 204 (Origin: https://b.example:8443|Access-Control-Request-Method: POST)
http: OPTIONS /im/push 403 (Origin: https://b.example|Access-Control-Request-Method: POST)
http: POST /im/push 403 (Origin: https://b.example) {"rooms":["2"],"data":1}
http: POST /im/push 403 (Sec-Fetch-Site: cross-site) {"rooms":["2"],"data":1}
stop: logic
start: logic --allow-host=a.example,localhost:1
http: POST /im/push 421 {"rooms":["2"],"data":1} => --allow-host
http: POST /im/push 421 (Origin: http://localhost) {"rooms":["2"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push 421 {"rooms":["2"],"data":1}
stop: logic
start: logic --allow-host=localhost
until: /im/health ^200
http: POST /im/push 200 {"rooms":["2"],"data":1}
stop: logic
--- no_error_log
[alert]



=== TEST 4: a body is what it is declared to be
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- websocket
until: /im/health ^200
http: POST /im/push 415 (Content-Type: text/plain) {"rooms":["1"],"data":1} => text/plain.*application/json
http: POST /im/push 415 (Content-Type: application/x-www-form-urlencoded) {"rooms":["1"],"data":1} => application/x-www-form-urlencoded.*application/json
http: POST /im/push 415 (Content-Type: multipart/form-data; boundary=x) {"rooms":["1"],"data":1}
http: POST /im/push 415 (Content-Type: ) {"rooms":["1"],"data":1}
http: POST /im/push 415 (Content-Type: application/json; charset=utf-16) {"rooms":["1"],"data":1} => UTF-8
http: POST /im/push 415 (Content-Type: application/json|Content-Encoding: gzip) {"rooms":["1"],"data":1} => Content-Encoding.*gzip
http: POST /im/push 415 (Content-Type: application/json|Content-Encoding: identity, gzip) {"rooms":["1"],"data":1}
http: POST /im/push 200 (Content-Type: application/json|Content-Encoding: identity) {"rooms":["3"],"data":1}
http: POST /im/push 200 (Content-Type: Application/JSON; charset="UTF-8") {"rooms":["3"],"data":1}
http: POST /im/push 200 (Content-Type: application/vnd.x+json) {"rooms":["3"],"data":1}
http: POST /im/push?room=3 415 (Content-Type: application/x-www-form-urlencoded) hello => application/x-www-form-urlencoded.*text/plain
http: POST /im/push?room=3 415 (Content-Type: multipart/form-data) hello
http: POST /im/push?room=3 415 (Content-Type: ) hello
http: POST /im/push?room=3 415 (Content-Type: text/plain; charset=latin1) hello
http: POST /im/push?room=3 415 (Content-Type: text/plain|Content-Encoding: br) hello
http: POST /im/push?room=3 200 (Content-Type: text/plain; charset=utf-8) hello
http: POST /im/push?room=3 200 (Content-Type: application/octet-stream) hello
http: POST /im/push 415 (Content-Type: application/octet-stream) {"rooms":["1"],"data":1} => application/json
http: POST /api/publish 415 (Content-Type: application/octet-stream) {"channel":"3","data":1}
http: POST /api/publish 415 (Content-Type: text/plain) {"channel":"3","data":1} => application/json
http: POST /api/publish 415 (Content-Type: application/x-www-form-urlencoded) {"channel":"3","data":1}
http: POST /api/publish 415 (Content-Encoding: deflate) {"channel":"3","data":1}
http: POST /api/publish 200 (Content-Type: application/json; charset=utf-8) {"channel":"3","data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push 415 (Content-Type: text/plain) {"rooms":["3"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push 415 (Content-Encoding: gzip) {"rooms":["3"],"data":1}
http: :$TEST_NGINX_IM_HTTP POST /im/push?room=3 200 (Content-Type: text/plain) hello
--- no_error_log
[error]
[alert]



=== TEST 5: keys: of /im/ too
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis
--- not_ready
--- websocket
file: api_keys 01234567\nfedcba9876543210-two\nx weak\n
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
until: /im/health ^200
http: POST /im/push 401 {"rooms":["4"],"data":1} => ^\{"code":401,.*X-API-Key
http: GET /im/online 401
http: GET /im/rooms/4 401
http: GET /im/rooms/4/history 401
http: DELETE /im/users/u1 401 (X-API-Key: 0123456)
http: :$TEST_NGINX_IM_HTTP POST /im/push 401 {"rooms":["4"],"data":1}
http: POST /im/push 401 (X-API-Key: 01234567|X-API-Key: other) {"rooms":["4"],"data":1}
http: POST /im/push 403 (X-API-Key: 01234567|Origin: https://evil.example) {"rooms":["4"],"data":1}
http: POST /im/push 200 (X-API-Key: 01234567) {"rooms":["4"],"data":1} => "seq":1\b
http: POST /im/push 200 (X-API-Key: x) {"rooms":["4"],"data":1} => "seq":2\b
http: POST /im/push 200 (Authorization: apikey fedcba9876543210-two) {"rooms":["4"],"data":1} => "seq":3\b
http: POST /im/push?api_key=01234567 200 {"rooms":["4"],"data":1} => "seq":4\b
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 (X-API-Key: 01234567) {"rooms":["4"],"data":1} => "seq":5\b
http: GET /im/online 200 (X-API-Key: 01234567)
http: DELETE /im/users/u1 200 (X-API-Key: 01234567)
stop: logic
--- no_error_log
[alert]



=== TEST 6: lengths that lie, by FastCGI
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /length {
        fastcgi_param REQUEST_METHOD POST;
        fastcgi_param IM_URI /im/push;
        fastcgi_param CONTENT_TYPE application/json;
        fastcgi_param CONTENT_LENGTH $arg_n;
        fastcgi_pass im_logic;
    }
    location = /twice {
        fastcgi_param CONTENT_LENGTH 3;
        fastcgi_pass im_logic;
        include im_params;
        fastcgi_param IM_URI /im/push;
    }
    location = /ws { im_comet protocol=im; im_auth none; }
--- websocket
until: /im/health ^200
http: POST /length?n=24 200 {"rooms":["5"],"data":1}
http: POST /length?n=0024 200 {"rooms":["5"],"data":1}
http: POST /length?n= 200 {"rooms":["5"],"data":1}
http: POST /length?n=-1 400 {"rooms":["5"],"data":1} => Content-Length
http: POST /length?n=+24 400 {"rooms":["5"],"data":1}
http: POST /length?n=0x18 400 {"rooms":["5"],"data":1}
http: POST /length?n=24, 400 {"rooms":["5"],"data":1}
http: POST /length?n=23 400 {"rooms":["5"],"data":1}
http: POST /length?n=25 400 {"rooms":["5"],"data":1}
http: POST /length?n=18446744073709551640 400 {"rooms":["5"],"data":1}
http: POST /twice 400 {"rooms":["5"],"data":1} => two Content-Length
--- no_error_log
[error]
[alert]



=== TEST 7: a name in a path is that of one resource, however it is written
--- http_config
    merge_slashes off;
    im_room *  history=10 ttl=1h;
--- config
    location ~ ^/+im/ { fastcgi_pass im_logic; include im_params; }
    location /push/ {
        rewrite ^/push/(.*) /im/$1 break;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /history/ {
        rewrite ^/history/(.*) /im/rooms/$1/history break;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /proxied/ { proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP/im/; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- websocket
until: /im/health ^200
push: room 1 "one"
push: room 1/history "two"
push: room a//b "three"
http: GET /im/rooms/1/history 200 => "room":"1",.*"data":"one"
http: GET //im/rooms/1/history 200 => "room":"1",.*"data":"one"
http: GET /im//rooms///1/history/ 200 => "room":"1",.*"data":"one"
http: GET /push/rooms/1/history 200 => "room":"1",.*"data":"one"
http: GET /push//rooms/1/history 200 => "room":"1",.*"data":"one"
http: GET /history/1 200 => "room":"1",.*"data":"one"
http: GET /proxied/rooms/1/history 200 => "room":"1",.*"data":"one"
http: GET /im/rooms/1%2Fhistory 200 => "room":"1/history","count":0
http: GET /push/rooms/1%2fhistory 200 => "room":"1/history","count":0
http: GET //im/rooms/1%2Fhistory/history 200 => "room":"1/history",.*"data":"two"
http: GET /push/rooms/1%2Fhistory/history 200 => "room":"1/history",.*"data":"two"
http: GET /history/1%2Fhistory 404
http: GET /im/rooms/a%2F%2Fb/history 200 => "room":"a//b",.*"data":"three"
http: GET /im/rooms/1/2/history 404
http: GET /im/rooms/x/../1/history 400
http: GET /im/rooms/x%2F..%2F1/history 400
http: GET /im/rooms/%2e%2e 400|404
http: GET /im/users/a/b 404
http: DELETE /im/users/a/b 404
http: DELETE //im/users/a%2Fb 200
http: DELETE /push/users/a%2Fb 200
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/1/history 200 => "room":"1",.*"data":"one"
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/1%2Fhistory 200 => "room":"1/history","count":0
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/1%2Fhistory/history 200 => "room":"1/history",.*"data":"two"
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/x/../1 400
http: :$TEST_NGINX_IM_HTTP GET /im/rooms/%zz 400
http: :$TEST_NGINX_IM_HTTP GET /im%2Fpush 404
--- no_error_log
[error]
[alert]
