# The two listeners of im_logic: they answer alike, take nothing that could be
# understood in two ways, and one peer can't hold all their connections.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: all methods on all paths
--- http_config
    im_room *  history=10 ttl=1h;
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location /v1/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- websocket
until: /im/health ^200
push: room 1 "x"
alike: GET /im/health 200
alike: HEAD /im/health 200 => \A\z
alike: POST /im/health 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PUT /im/health 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PATCH /im/health 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: DELETE /im/health 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: OPTIONS /im/health 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PROPFIND /im/health 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: GET /im/online 200
alike: HEAD /im/online 200 => \A\z
alike: POST /im/online 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PUT /im/online 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PATCH /im/online 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: DELETE /im/online 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: OPTIONS /im/online 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PROPFIND /im/online 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: GET /im/rooms/1 200
alike: HEAD /im/rooms/1 200 => \A\z
alike: POST /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PUT /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PATCH /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: DELETE /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: OPTIONS /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PROPFIND /im/rooms/1 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: GET /im/rooms/1/history 200
alike: HEAD /im/rooms/1/history 200 => \A\z
alike: POST /im/rooms/1/history 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PUT /im/rooms/1/history 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PATCH /im/rooms/1/history 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: DELETE /im/rooms/1/history 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: OPTIONS /im/rooms/1/history 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: PROPFIND /im/rooms/1/history 405 => (?i)Allow: GET, HEAD\b(?!,)
alike: GET /im/users/u1 200
alike: HEAD /im/users/u1 200 => \A\z
alike: POST /im/users/u1 405 => (?i)Allow: GET, DELETE, HEAD\b(?!,)
alike: PUT /im/users/u1 405 => (?i)Allow: GET, DELETE, HEAD\b(?!,)
alike: PATCH /im/users/u1 405 => (?i)Allow: GET, DELETE, HEAD\b(?!,)
alike: DELETE /im/users/u1 200
alike: OPTIONS /im/users/u1 405 => (?i)Allow: GET, DELETE, HEAD\b(?!,)
alike: PROPFIND /im/users/u1 405 => (?i)Allow: GET, DELETE, HEAD\b(?!,)
alike: GET /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b(?!,)
alike: HEAD /im/sessions/00000000-0000-4000-8000-000000000000 405
alike: POST /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b(?!,)
alike: PUT /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b(?!,)
alike: PATCH /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b(?!,)
alike: DELETE /im/sessions/00000000-0000-4000-8000-000000000000 200
alike: OPTIONS /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b(?!,)
alike: PROPFIND /im/sessions/00000000-0000-4000-8000-000000000000 405 => (?i)Allow: DELETE\b(?!,)
alike: GET /im/push 405 => (?i)Allow: POST\b(?!,)
alike: HEAD /im/push 405
alike: POST /im/push 200 {"rooms":["1"],"data":1}
alike: PUT /im/push 405 {"rooms":["1"],"data":1} => (?i)Allow: POST\b(?!,)
alike: PATCH /im/push 405 {"rooms":["1"],"data":1} => (?i)Allow: POST\b(?!,)
alike: DELETE /im/push 405 => (?i)Allow: POST\b(?!,)
alike: OPTIONS /im/push 405 => (?i)Allow: POST\b(?!,)
alike: PROPFIND /im/push 405 => (?i)Allow: POST\b(?!,)
alike: GET /api/publish 405 => (?i)Allow: POST\b(?!,)
alike: HEAD /api/publish 405
alike: POST /api/publish 200 {"channel":"1","data":1}
alike: PUT /api/publish 405 {"channel":"1","data":1} => (?i)Allow: POST\b(?!,)
alike: PATCH /api/publish 405 {"channel":"1","data":1} => (?i)Allow: POST\b(?!,)
alike: DELETE /api/publish 405 => (?i)Allow: POST\b(?!,)
alike: OPTIONS /api/publish 405 => (?i)Allow: POST\b(?!,)
alike: PROPFIND /api/publish 405 => (?i)Allow: POST\b(?!,)
alike: GET /api/v1/getRoomInfo?rid=1 405 => (?i)Allow: POST\b(?!,)
alike: HEAD /api/v1/getRoomInfo?rid=1 405
alike: POST /api/v1/getRoomInfo?rid=1 200
alike: PUT /api/v1/getRoomInfo?rid=1 405 => (?i)Allow: POST\b(?!,)
alike: PATCH /api/v1/getRoomInfo?rid=1 405 => (?i)Allow: POST\b(?!,)
alike: DELETE /api/v1/getRoomInfo?rid=1 405 => (?i)Allow: POST\b(?!,)
alike: OPTIONS /api/v1/getRoomInfo?rid=1 200|204
alike: PROPFIND /api/v1/getRoomInfo?rid=1 405 => (?i)Allow: POST\b(?!,)
alike: GET /v1/user/check_auth 405 => (?i)Allow: POST\b(?!,)
alike: HEAD /v1/user/check_auth 405
alike: POST /v1/user/check_auth 200 {"Auth":"0123456789abcdef"}
alike: PUT /v1/user/check_auth 405 {"Auth":"0123456789abcdef"} => (?i)Allow: POST\b(?!,)
alike: PATCH /v1/user/check_auth 405 {"Auth":"0123456789abcdef"} => (?i)Allow: POST\b(?!,)
alike: DELETE /v1/user/check_auth 405 => (?i)Allow: POST\b(?!,)
alike: OPTIONS /v1/user/check_auth 200|204
alike: PROPFIND /v1/user/check_auth 405 => (?i)Allow: POST\b(?!,)
alike: GET /v1/user/logout?auth=0123456789abcdef 200
alike: HEAD /v1/user/logout?auth=0123456789abcdef 405
alike: POST /v1/user/logout?auth=0123456789abcdef 405 => (?i)Allow: GET\b(?!,)
alike: PUT /v1/user/logout?auth=0123456789abcdef 405 => (?i)Allow: GET\b(?!,)
alike: PATCH /v1/user/logout?auth=0123456789abcdef 405 => (?i)Allow: GET\b(?!,)
alike: DELETE /v1/user/logout?auth=0123456789abcdef 405 => (?i)Allow: GET\b(?!,)
alike: OPTIONS /v1/user/logout?auth=0123456789abcdef 200|204
alike: PROPFIND /v1/user/logout?auth=0123456789abcdef 405 => (?i)Allow: GET\b(?!,)
alike: GET /im/nothing 404
alike: HEAD /im/nothing 404
alike: POST /im/nothing 404
alike: PUT /im/nothing 404
alike: PATCH /im/nothing 404
alike: DELETE /im/nothing 404
alike: OPTIONS /im/nothing 404
alike: PROPFIND /im/nothing 404
alike: GET /api/v1/nothing 404
alike: HEAD /api/v1/nothing 404
alike: POST /api/v1/nothing 404
alike: PUT /api/v1/nothing 404
alike: PATCH /api/v1/nothing 404
alike: DELETE /api/v1/nothing 404
alike: OPTIONS /api/v1/nothing 404
alike: PROPFIND /api/v1/nothing 404
--- no_error_log
[error]
[alert]



=== TEST 2: what is refused
--- websocket
alike: GET /im/rooms/%ff 400
alike: GET /im/rooms/x/../1 400
alike: GET /im/rooms/1/2 404
alike: GET //im//rooms/1/history/ 200 => "room":"1"
alike: GET /im/rooms/1%2Fhistory 200 => "room":"1/history"
alike: POST /im/push 400 {"rooms":["1"]}
alike: POST /im/push 403 (Origin: null) {"rooms":["1"],"data":1}
alike: POST /im/push 413 {"rooms":["1"],"data":"FILL(1100000)"}
alike: POST /im/push 415 (Content-Type: text/plain) {"rooms":["1"],"data":1}
alike: POST /im/push 415 (Content-Encoding: gzip) {"rooms":["1"],"data":1}
alike: POST /im/push?room=1 200 (Content-Type: text/plain) hello
alike: POST /im/push?room=1 415 (Content-Type: application/x-www-form-urlencoded) hello
alike: POST /api/publish 200 (X-Centrifugo-Error-Mode: transport) {"channel":"1","data":1}
alike: POST /api/publish 400 (X-Centrifugo-Error-Mode: transport) {"channel":"a\u0000","data":1}
alike: POST /v1/user/login 200 {"UserName":"ann"}
--- no_error_log
[error]
[alert]



=== TEST 3: the HTTP listener: bodies, pipelines, the end of the input
--- websocket
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\n\r\n => \AHTTP/1\.1 200 OK\r\n.*\r\nContent-Length: \d+\r\n\r\n\{"code":0.*\}\n\z
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.0\r\n\r\n => 200 OK.*Connection: close
raw: :$TEST_NGINX_IM_HTTP GET http://b/im/health HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n => 200 OK
raw: :$TEST_NGINX_IM_HTTP GET http://b/im/health HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n => 403
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\n\r\nHEAD /im/online HTTP/1.1\r\nHost: a\r\n\r\nGET /im/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /im/health HTTP/1.1\r\n => \AHTTP/1.1 200 .*"code":0.*\nHTTP/1.1 200 [^{]*HTTP/1.1 404 [^{]*\{"code":404,[^{]*\z
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=c HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n => 200 OK.*"seq":1\b
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=c HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n => \AHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=c HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n => \AHTTP/1.1 413 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=c HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello => \AHTTP/1.1 400 .*"the request ends before its end"
http: GET /im/rooms/c/history 200 => "seq":1,"messages":\[\{"seq":1,"time":\d+,"data":"hello"\}\]
--- no_error_log
[error]
[alert]



=== TEST 4: ids of requests, clients that go
--- websocket
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 (IM-Request-Id: 7) {"rooms":["e"],"data":1} => "seq":1\b
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 (IM-Request-Id: 7) {"rooms":["e"],"data":1} => "seq":1\b
http: :$TEST_NGINX_IM_HTTP POST /im/push 409 (IM-Request-Id: 7) {"rooms":["e"],"data":2}
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 (IM-Request-Id: 7) {"id":"8","rooms":["e"],"data":2} => "seq":2\b
http: :$TEST_NGINX_IM_HTTP POST /im/push 400 (IM-Request-Id: 01234567890123456789012345678901234567890123456789012345678901234) {"rooms":["e"],"data":1} => IM-Request-Id
http: POST /im/push 200 (IM-Request-Id: 7) {"rooms":["e"],"data":3} => "seq":3\b
pause: redis
hold: 30 :$TEST_NGINX_IM_HTTP GET /im/users/gone HTTP/1.1\r\nHost: a\r\n\r\n
hold: 30 :$TEST_NGINX_IM_HTTP GET /im/users/gone HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n
hold: 0 logic
resume: redis
until: /im/health ^200
http: :$TEST_NGINX_IM_HTTP GET /im/users/gone 200 => "online":false
--- no_error_log
[alert]



=== TEST 5: the HTTP listener: what another reader could understand otherwise
--- websocket
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello! => \AHTTP/1.1 400 .*Connection: close
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: +5\r\n\r\nhello => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: -5\r\n\r\nhello => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 0x5\r\n\r\nhello => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 18446744073709551621\r\n\r\nhello => \AHTTP/1.1 413 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n => \AHTTP/1.1 400 .*Connection: close
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: gzip\r\n\r\n => \AHTTP/1.1 501 
raw: :$TEST_NGINX_IM_HTTP POST /im/push?room=d HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length:\r\n 5\r\n\r\nhello => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n => \AHTTP/1.1 400 .*folded
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\nHost: a\n\n => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\n\r\n => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n => \AHTTP/1.1 40[03] 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\nX: FILL(40000)\r\n\r\n => \AHTTP/1.1 431 
raw: :$TEST_NGINX_IM_HTTP GET /im/health\r\n\r\n => \AHTTP/1.1 400 
raw: :$TEST_NGINX_IM_HTTP GET /im/health HTTP/2.0\r\n\r\n => \AHTTP/1.1 505 
raw: :$TEST_NGINX_IM_HTTP \x16\x03\x01\x02\x00 => \A(HTTP/1.1 400 .*)?\z
http: GET /im/rooms/d/history 200 => "seq":0,"messages":\[\]
--- no_error_log
[error]
[alert]



=== TEST 6: one peer can't hold all connections
--- websocket
hold: 4300 logic
http: GET /im/health 200
closed: 204
http: GET /im/health 200
hold: 4300 logic \x01\x01\x00\x01\x00\x08\x00\x00
http: GET /im/health 200
closed: 204
hold: 4300 :$TEST_NGINX_IM_HTTP
http: :$TEST_NGINX_IM_HTTP GET /im/health 200
closed: 204
hold: 4300 :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\n
http: :$TEST_NGINX_IM_HTTP GET /im/health 200
closed: 204
hold: 0 logic
--- no_error_log
[error]
[alert]



=== TEST 7: connections that are idle, slow or silent are closed
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis
--- not_ready
--- websocket
start: logic --idle-timeout=1 --request-timeout=1
hold: 3 logic
closed: 3
hold: 3 logic \x01\x01\x00\x01\x00\x08\x00\x00
closed: 3
hold: 3 :$TEST_NGINX_IM_HTTP
closed: 3
hold: 3 :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\n
closed: 3
hold: 3 :$TEST_NGINX_IM_HTTP GET /im/health HTTP/1.1\r\nHost: a\r\n\r\n
closed: 3
hold: 0 logic
until: /im/health ^200
stop: logic
--- no_error_log
[error]
[alert]



=== TEST 8: a proxy says who the client is
--- config
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=im; im_auth none; }
--- services: redis
--- not_ready
--- websocket
start: logic --real-ip-header=X-Forwarded-For --address-limit=1 --limit-period=600
until: /im/health ^200
http: :$TEST_NGINX_IM_HTTP POST /v1/user/login 200 (X-Forwarded-For: 192.0.2.1) {"UserName":"ann","Password":"secret1"} => -1002
http: :$TEST_NGINX_IM_HTTP POST /v1/user/login 200 (X-Forwarded-For: 192.0.2.1) {"UserName":"bob","Password":"secret1"} => -1005
http: :$TEST_NGINX_IM_HTTP POST /v1/user/login 200 (X-Forwarded-For: 192.0.2.1, 192.0.2.2) {"UserName":"bob","Password":"secret1"} => -1002
stop: logic
--- no_error_log
[alert]
