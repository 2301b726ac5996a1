# The centrifuge protocol in Protobuf, beside JSON in one location.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: which encoding a client gets
--- http_config
    im_room *    history=10 ttl=1h presence publish=anyone;
    im_room off  history=0;
    im_room jl:* history=10 ttl=1h presence;
    im_inbox     history=10 ttl=1h;
    im_jwt_key   HS256 file=$TEST_NGINX_IM_KEYS/hs256;
    im_limit     message=2m topic_log=8m logs=64m replies=64;

    log_format hook escape=none '$uri $status $request_body';

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;

        location = /hook/rpc       { return 200 '{"result":{"b64data":"AQL/"}}'; }
        location = /hook/publish   { return 200 '{"result":{}}'; }
        location = /hook/subscribe { return 200 '{"result":{"b64info":"/wE=","b64data":"aGk="}}'; }
    }
--- config
    location = /c {
        im_comet   protocol=centrifuge;
        im_auth    none;
        im_connect /im_connect;
    }
    location = /user {
        im_comet   protocol=centrifuge;
        im_auth    jwt;
        im_connect /im_connect;
        im_webhook rpc     /hook/rpc;
        im_webhook connect /hook/connect;
    }
    location = /hooked {
        im_comet   protocol=centrifuge;
        im_auth    none;
        im_connect /im_connect;
        im_webhook rpc       /hook/rpc;
        im_webhook publish   /hook/publish;
        im_webhook subscribe /hook/subscribe;
    }
    location = /hook/rpc       { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; log_subrequest on; access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook; }
    location = /hook/publish   { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; log_subrequest on; access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook; }
    location = /hook/subscribe { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; log_subrequest on; access_log $TEST_NGINX_SERVER_ROOT/logs/access.log hook; }
    location = /hook/connect   { internal; return 200 '{"result":{"user":"bo","b64info":"/wA=","b64data":"AQL/"}}'; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/  { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /c
a: unanswered Sec-WebSocket-Protocol
a: send {"connect":{},"id":1}
a: like ^\{"id":1,"connect":
b: open /c?format=protobuf
b: unanswered Sec-WebSocket-Protocol
b: send_pb {"connect":{},"id":1}
b: like_pb ^id=1 connect\{client=[0-9a-f-]{36} version=im
c: open /c?cf_protocol=protobuf
c: unanswered Sec-WebSocket-Protocol
c: send_pb {"connect":{},"id":1}
c: like_pb ^id=1 connect\{
d: open /c Sec-WebSocket-Protocol: centrifuge-protobuf
d: answered (?m)^Sec-WebSocket-Protocol: centrifuge-protobuf\r?$
d: send_pb {"connect":{},"id":1}
d: like_pb ^id=1 connect\{
e: open /c Sec-WebSocket-Protocol: centrifuge-protobuf, centrifuge-json
e: answered (?m)^Sec-WebSocket-Protocol: centrifuge-protobuf\r?$
e: send_pb {"connect":{},"id":1}
e: like_pb ^id=1 connect\{
f: open /c Sec-WebSocket-Protocol: centrifuge-json, centrifuge-protobuf
f: answered (?m)^Sec-WebSocket-Protocol: centrifuge-json\r?$
f: send {"connect":{},"id":1}
f: like ^\{"id":1,"connect":
g: open /c?cf_protocol=protobuf Sec-WebSocket-Protocol: centrifuge-json
g: answered (?m)^Sec-WebSocket-Protocol: centrifuge-json\r?$
g: send_pb {"connect":{},"id":1}
g: like_pb ^id=1 connect\{
h: open /c?cf_protocol=json Sec-WebSocket-Protocol: centrifuge-protobuf
h: answered (?m)^Sec-WebSocket-Protocol: centrifuge-protobuf\r?$
h: send_pb {"connect":{},"id":1}
h: like_pb ^id=1 connect\{
i: open /c Sec-WebSocket-Protocol: chat
i: unanswered Sec-WebSocket-Protocol
i: send {"connect":{},"id":1}
i: like ^\{"id":1,"connect":
j: open /c?format=json
j: send {"connect":{},"id":1}
j: like ^\{"id":1,"connect":
k: open /c?format=protobuf
k: frame 1x 0408012200
k: like_pb ^id=1 connect\{
--- no_error_log
[error]
[alert]



=== TEST 2: frames with faults: what stands before is done and answered
--- websocket
a: open /c?format=protobuf
a: frame 2x
a: recv_close 3501
b: open /c?format=protobuf
b: frame 2x 040801220080
b: like_pb ^id=1 connect\{
b: recv_close 3501 /a length is cut/
c: open /c?format=protobuf
c: frame 2x 0408012200050802
c: like_pb ^id=1 connect\{
c: recv_close 3501 /a command is cut/
d: open /c?format=protobuf
d: frame 2x 04080122000408026a00ffffffffffffffffff01
d: like_pb ^id=1 connect\{
d: recv_pb id=2 error{code=108 message=not available}
d: recv_close 3501 /a command is cut/
e: open /c?format=protobuf
e: frame 2x 04080122000408036a000308ff
e: like_pb ^id=1 connect\{
e: recv_pb id=3 error{code=108 message=not available}
e: recv_close 3501
f: open /c?format=protobuf
f: send {"connect":{},"id":1}
f: recv_close 3501
g: open /c?format=protobuf
g: frame 2x 00
g: recv_close 3501 /the first command is not connect/
h: open /c?format=protobuf
h: frame 2x 04080122008a00080252060a04ff020304
h: like_pb ^id=1 connect\{
h: recv_pb id=2 error{code=107 message=bad request}
h: frame 2x 0408022200
h: recv_close 3501 /connected already/
i: open /c
i: frame 2x 0408012200
i: recv_close 3501
--- no_error_log
[alert]



=== TEST 3: one room, two encodings, three classes of payloads
--- websocket
j: open /c
j: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"mix"},"id":2}
j: like ^\{"id":1,"connect":
j: like ^\{"id":2,"subscribe":
p: open /c Sec-WebSocket-Protocol: centrifuge-protobuf
p: send_pb {"connect":{},"id":1} | {"subscribe":{"channel":"mix"},"id":2}
p: like_pb ^id=1
p: like_pb ^id=2 subscribe\{recoverable=1 epoch=(?<epoch>\w+) positioned=1\}$
w: open /c?cf_protocol=protobuf
w: send_pb {"connect":{},"id":1}
w: like_pb ^id=1 connect\{client=(?<pb>[0-9a-f-]{36})
x: open /c
x: send {"connect":{},"id":1}
x: like ^\{"id":1,"connect":
w: send_pb {"publish":{"channel":"mix","data":"{\"a\": [1,\n2] }"},"id":3}
p: like_pb ^push\{channel=mix pub\{data=\{"a": \[1,\\x0a2\] \} info\{client=$pb\} offset=1\}\}$
w: recv_pb id=3 publish{}
j: like ^\{"push":\{"channel":"mix","pub":\{"data":\{"a": \[1,2\] \},"info":\{"user":"","client":"$pb"\},"offset":1\}\}\}$
w: send_pb {"publish":{"channel":"mix","data":"not \"JSON\""},"id":4}
p: like_pb pub\{data=not "JSON" .*offset=2\}\}$
w: recv_pb id=4 publish{}
j: like "data":"not \\"JSON\\"",.*"offset":2\}
w: send_pb {"publish":{"channel":"mix","data":"\u0001\u0000\u00ff"},"id":5}
p: like_pb pub\{data=\\x01\\x00\\xff .*offset=3\}\}$
w: recv_pb id=5 publish{}
j: like "data":"AQD/",.*"offset":3\}
w: send_pb {"publish":{"channel":"mix","data":" 7\n"},"id":6}
p: like_pb pub\{data= 7\\x0a .*offset=4\}\}$
w: recv_pb id=6 publish{}
j: like "data": ?7,.*"offset":4\}
w: send_pb {"publish":{"channel":"mix","data":""},"id":7}
w: recv_pb id=7 error{code=107 message=bad request}
x: send {"publish":{"channel":"mix","data":{"from": "json"}},"id":3}
j: like "data":\{"from": "json"\},"info":.*"offset":5\}
x: recv {"id":3,"publish":{}}
p: like_pb pub\{data=\{"from": "json"\} info\{client=[0-9a-f-]{36}\} offset=5\}\}$
x: send {"publish":{"channel":"mix","data":"a string"},"id":4}
j: like "data":"a string",
x: recv {"id":4,"publish":{}}
p: like_pb pub\{data="a string" info
http: POST /api/publish 200 {"channel":"mix","b64data":"AQL/","tags":{"a":"b","k":"\u00e4"}} => "offset":7
p: recv_pb push{channel=mix pub{data=\x01\x02\xff offset=7 tags{key=a value=b} tags{key=k value=\xc3\xa4}}}
j: recv {"push":{"channel":"mix","pub":{"data":"AQL/","offset":7,"tags":{"a":"b","k":"\u00e4"}}}}
http: POST /im/push?room=mix 200 (Content-Type: text/plain) plain text
p: recv_pb push{channel=mix pub{data=plain text offset=8}}
j: recv {"push":{"channel":"mix","pub":{"data":"plain text","offset":8}}}
p: send_pb {"history":{"channel":"mix","limit":10,"since":{"offset":1}},"id":8}
p: like_pb ^id=8 history\{publications\{data=not "JSON" .*offset=2\} publications\{data=\\x01\\x00\\xff .*offset=3\} publications\{data= 7\\x0a .*publications\{data=plain text offset=8\} epoch=$epoch offset=8\}$
j: send {"history":{"channel":"mix","limit":10,"since":{"offset":1}},"id":5}
j: like ^\{"id":5,"history":\{"publications":\[\{"data":"not \\"JSON\\"".*\{"data":"AQD/".*\{"data":"plain text","offset":8\}\],
http: GET /im/rooms/mix/history 200 => "seq":2,.*"data":"not \\"JSON\\"".*"seq":3,.*"data":"AQD/"
q: open /c?format=protobuf
q: send_pb {"connect":{},"id":1}
q: like_pb ^id=1
q: send_pb {"subscribe":{"channel":"mix","recover":1,"epoch":"$epoch","offset":6},"id":2}
q: recv_pb id=2 subscribe{recoverable=1 epoch=$epoch publications{data=\x01\x02\xff offset=7 tags{key=a value=b} tags{key=k value=\xc3\xa4}} publications{data=plain text offset=8} recovered=1 offset=6 positioned=1 was_recovering=1}
r: open /c?format=protobuf
r: send_pb {"connect":{},"id":1}
r: like_pb ^id=1
r: send_pb {"subscribe":{"channel":"mix","recover":1,"epoch":"x","offset":6},"id":2}
r: recv_pb id=2 subscribe{recoverable=1 epoch=$epoch offset=8 positioned=1 was_recovering=1}
r: send_pb {"subscribe":{"channel":"off"},"id":3} | {"unsubscribe":{"channel":"off"},"id":4} | {"unsubscribe":{"channel":"off"},"id":5}
r: recv_pb id=3 subscribe{}
r: recv_pb id=4 unsubscribe{}
r: recv_pb id=5 unsubscribe{}
--- no_error_log
[error]
[alert]



=== TEST 4: presence, joins, claims as bytes
--- websocket
a: open /user Sec-WebSocket-Protocol: centrifuge-protobuf
a: send_pb {"connect":{"token":"JWT(HS256 hs256 {"sub":"ann","info":{"n": 1},"b64data":"AAE="})"},"id":1}
a: like_pb ^id=1 connect\{client=(?<ann>[0-9a-f-]{36}) version=im data=\\x00\\x01 subs\{key=\#ann value\{recoverable=1 epoch=\w+ positioned=1\}\}
a: send_pb {"subscribe":{"channel":"jl:1","join_leave":1},"id":2}
a: like_pb ^id=2 subscribe\{
a: like_pb ^push\{channel=jl:1 join\{info\{user=ann client=$ann conn_info=\{"n": 1\}\}\}\}$
j: open /user
j: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"jo","b64info":"aGk="})"},"id":1}
j: like ^\{"id":1,"connect":
j: send {"subscribe":{"channel":"jl:1","join_leave":true},"id":2}
j: like ^\{"id":2,"subscribe":
j: like "join":\{"info":\{"user":"jo","client":"[0-9a-f-]{36}","conn_info":"hi"\}
a: like_pb join\{info\{user=jo client=[0-9a-f-]{36} conn_info=hi\}
b: open /user?format=protobuf
b: send_pb {"connect":{},"id":1}
b: like_pb ^id=1 connect\{client=(?<bo>[0-9a-f-]{36}) version=im data=\\x01\\x02\\xff subs\{
b: send_pb {"subscribe":{"channel":"jl:1"},"id":2}
b: like_pb ^id=2 subscribe\{
a: recv_pb push{channel=jl:1 join{info{user=bo client=$bo conn_info=\xff\x00}}}
j: like "join":\{"info":\{"user":"bo","client":"$bo","conn_info":"/wA="\}
b: send_pb {"presence":{"channel":"jl:1"},"id":3} | {"presence_stats":{"channel":"jl:1"},"id":4}
b: like_pb ^id=3 presence\{presence\{.*presence\{.*presence\{
b: recv_pb id=4 presence_stats{num_clients=3 num_users=3}
b: send_pb {"presence":{"channel":"jl:1"},"id":5}
b: like_pb presence\{key=$bo value\{user=bo client=$bo conn_info=\\xff\\x00\}\}
j: send {"presence":{"channel":"jl:1"},"id":3}
j: like "$bo":\{"user":"bo","client":"$bo","conn_info":"/wA="\}
until: POST /api/presence {"channel":"jl:1"} => "$bo":\{"user":"bo","client":"$bo","conn_info":"/wA="\}
b: close
a: recv_pb push{channel=jl:1 leave{info{user=bo client=$bo conn_info=\xff\x00}}}
http: POST /api/unsubscribe 200 {"user":"ann","channel":"jl:1"}
a: recv_pb push{channel=jl:1 unsubscribe{code=2000 reason=server unsubscribe}}
http: POST /api/subscribe 200 {"user":"ann","channel":"sub","b64data":"AQL/","b64info":"/wA="}
a: like_pb ^push\{channel=sub subscribe\{recoverable=1 epoch=\w+ positioned=1 data=\\x01\\x02\\xff\}\}$
k: open /user
k: send {"connect":{"token":"JWT(HS256 hs256 {"sub":"kim","info":{"n": 2}})"},"id":1}
k: like ^\{"id":1,"connect":\{"client":"(?<kim>[0-9a-f-]{36})"
k: send {"publish":{"channel":"sub","data":"x"},"id":2}
k: recv {"id":2,"publish":{}}
a: recv_pb push{channel=sub pub{data="x" info{user=kim client=$kim conn_info={"n": 2}} offset=1}}
http: POST /api/disconnect 200 {"user":"ann"}
a: recv_close 3503
--- no_error_log
[alert]



=== TEST 5: webhooks get what is not JSON in base64, and may answer so
--- websocket
a: open /hooked Sec-WebSocket-Protocol: centrifuge-protobuf
a: send_pb {"connect":{},"id":1}
a: like_pb ^id=1 connect\{
a: send_pb {"rpc":{"method":"m","data":"\u0000\u00ff"},"id":2}
a: recv_pb id=2 rpc{data=\x01\x02\xff}
access: /hook/rpc 200 \{"client":"[0-9a-f-]{36}","transport":"websocket","protocol":"protobuf","encoding":"binary","user":"","method":"m","b64data":"AP8="\}
a: send_pb {"rpc":{"method":"m","data":"{\"x\": 1}"},"id":3}
a: recv_pb id=3 rpc{data=\x01\x02\xff}
access: /hook/rpc 200 \{"client":"[0-9a-f-]{36}","transport":"websocket","protocol":"protobuf","encoding":"json","user":"","method":"m","data":\{"x": 1\}\}
a: send_pb {"subscribe":{"channel":"h","data":"text"},"id":4}
a: like_pb ^id=4 subscribe\{.*data=hi\}$
access: /hook/subscribe 200 .*"protocol":"protobuf","encoding":"binary",.*"b64data":"dGV4dA=="\}
b: open /hooked?format=protobuf
b: send_pb {"connect":{},"id":1}
b: like_pb ^id=1 connect\{
b: send_pb {"publish":{"channel":"h","data":"bytes \u00ff"},"id":5}
b: recv_pb id=5 publish{}
a: like_pb pub\{data=bytes \\xff info
access: /hook/publish 200 .*"protocol":"protobuf","encoding":"binary",.*"channel":"h","b64data":"Ynl0ZXMg/w=="\}
j: open /hooked
j: send {"connect":{},"id":1}
j: like ^\{"id":1,"connect":
j: send {"rpc":{"method":"m","data":[1]},"id":2}
j: recv {"id":2,"rpc":{"data":"AQL/"}}
access: /hook/rpc 200 .*"protocol":"json","encoding":"json",.*"data":\[1\]\}
--- no_error_log
[error]
[alert]



=== TEST 6: a message is framed once for each encoding
--- http_config
    im_room * history=10 ttl=1h;
--- config
    location = /c { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
j1: open /c
j1: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"count"},"id":2}
j1: upto "id":2
j2: open /c
j2: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"count"},"id":2}
j2: upto "id":2
p1: open /c?format=protobuf
p1: send_pb {"connect":{},"id":1} | {"subscribe":{"channel":"count"},"id":2}
p1: like_pb ^id=1
p1: like_pb ^id=2
p2: open /c?format=protobuf
p2: send_pb {"connect":{},"id":1} | {"subscribe":{"channel":"count"},"id":2}
p2: like_pb ^id=1
p2: like_pb ^id=2
push: room count 1
push: room count 2
push: room count 3
j1: upto "offset":3
j2: upto "offset":3
p1: recv_pb push{channel=count pub{data=1 offset=1}}
p1: recv_pb push{channel=count pub{data=2 offset=2}}
p1: recv_pb push{channel=count pub{data=3 offset=3}}
p2: recv_pb push{channel=count pub{data=1 offset=1}}
p2: recv_pb push{channel=count pub{data=2 offset=2}}
p2: recv_pb push{channel=count pub{data=3 offset=3}}
http: GET /status 200 => "messages_out":12,"framed":6,
--- no_error_log
[alert]



=== TEST 7: a message of 1 MB; a thousand commands in a frame
--- http_config
    im_room  *  history=10 ttl=1h presence publish=anyone;
    im_limit message=2m topic_log=8m logs=64m replies=2000;
--- config
    location = /c {
        im_comet   protocol=centrifuge;
        im_auth    none;
        im_connect /im_connect;
    }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; client_max_body_size 2m; }
    location /im/  { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /c Sec-WebSocket-Protocol: centrifuge-protobuf
a: send_pb {"connect":{},"id":1} | {"subscribe":{"channel":"big"},"id":2}
a: like_pb ^id=1
a: like_pb ^id=2
http: POST /api/publish 200 {"channel":"big","data":"FILL(1048000)"} => "offset":1
a: like_pb ^push\{channel=big pub\{data="(?:x{1000}){1048}" offset=1\}\}$
a: many_pb 1000 {"rpc":{"method":"m"}} => error\{code=108
a: many_pb 20 {"publish":{"channel":"off","data":"1"}} => publish\{\}
--- no_error_log
[alert]
