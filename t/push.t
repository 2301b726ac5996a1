# POST /im/push: forms, results, idempotency, and the status of each fault.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: results
--- http_config
    im_room 1       history=100 ttl=1h;
    im_room chat:*  history=100 ttl=1h;
    im_inbox        history=100 ttl=1h;
    im_broadcast    history=100 ttl=1h;
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
--- websocket
http: POST /im/push 200 {"rooms":["1"],"data":{"msg":"x"}} => \{"code":0,"msg":"success","data":\{"results":\[\{"topic":"r:1","epoch":"[^"]+","seq":1\}\]\}\}
http: POST /im/push 200 {"rooms":["1"],"data":{"msg":"x"}} => "seq":2\b
http: POST /im/push 200 {"rooms":["1","nope","chat:a"],"users":["u1"],"all":true,"data":1} => "seq":3\b
http: POST /im/push 200 {"rooms":["1","nope"],"data":1} => "topic":"r:nope","code":404,"msg":"
http: POST /im/push 404 {"rooms":["nope"],"data":1}
http: POST /im/push?room=1 200 plain text => "seq":5\b
http: POST /im/push?room=1 200 (Content-Type: application/json) [1,2] => "seq":6\b
http: POST /im/push?all=1 200 text => "topic":"b"
http: POST /im/push?user=u%201 200 text => "topic":"u:u 1"
http: POST /im/push?room=chat%3A%E4%B8%96 200 text => "topic":"r:chat:世"
http: :$TEST_NGINX_IM_HTTP POST /im/push 200 {"rooms":["1"],"data":0} => "seq":7\b
http: POST /im/push 200 {"rooms":["1","1"],"data":0} => "seq":8\b
--- no_error_log
[error]
[alert]



=== TEST 2: idempotency
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
http: POST /im/push 200 {"id":"k1","rooms":["1"],"data":"once"}
a: recv msg "once"
http: POST /im/push 200 {"id":"k1","rooms":["1"],"data":"once"}
http: POST /im/push 200 {"id":"k1","rooms":["1","chat:b"],"data":"once"} => r:chat:b
http: POST /im/push 409 {"id":"k1","rooms":["1"],"data":"other"}
http: POST /im/push 409 {"id":"k1","rooms":["1"],"from":{"user":"u","name":"n"},"data":"once"}
http: POST /im/push 200 {"id":"k2","rooms":["1"],"data":"two"}
a: recv msg "two"
a: silent
--- no_error_log
[error]
[alert]



=== TEST 3: the same id has the same number
--- websocket
http: POST /im/push 200 {"id":"n","rooms":["chat:n"],"data":1} => "seq":1\b
http: POST /im/push 200 {"rooms":["chat:n"],"data":1} => "seq":2\b
http: POST /im/push 200 {"id":"n","rooms":["chat:n"],"data":1} => "seq":1\b
--- no_error_log
[error]
[alert]



=== TEST 4: faults of the body: 400
--- websocket
http: POST /im/push 400 {
http: POST /im/push 400 (Content-Type: application/json) [1]
http: POST /im/push 400 (Content-Type: application/json) "x"
http: POST /im/push 400 (Content-Type: application/json)
http: POST /im/push 400 {}
http: POST /im/push 400 {"rooms":["1"]}
http: POST /im/push 400 {"data":1}
http: POST /im/push 400 {"rooms":[],"data":1}
http: POST /im/push 400 {"rooms":"1","data":1}
http: POST /im/push 400 {"rooms":[1],"data":1}
http: POST /im/push 400 {"rooms":[""],"data":1}
http: POST /im/push 400 {"rooms":["a\u0000b"],"data":1}
http: POST /im/push 400 {"users":["a\nb"],"data":1}
http: POST /im/push 400 {"all":1,"data":1}
http: POST /im/push 400 {"all":false,"data":1}
http: POST /im/push 400 {"rooms":["1"],"id":"","data":1}
http: POST /im/push 400 {"rooms":["1"],"id":5,"data":1}
http: POST /im/push 400 {"rooms":["1"],"id":"01234567890123456789012345678901234567890123456789012345678901234","data":1}
http: POST /im/push 400 {"rooms":["1"],"from":"x","data":1}
http: POST /im/push 400 {"rooms":["1"],"data":1} x
http: POST /im/push 400 {"rooms":["1"],"data":01}
http: POST /im/push?room= 400 text
http: POST /im/push?room=%ff 400 text
http: POST /im/push?room=%zz 404 text
http: POST /im/push?room=1 400 (Content-Type: application/json) {"broken":
http: POST /im/push?room=1&all=2 400 text
--- no_error_log
[error]
[alert]



=== TEST 5: other statuses
--- websocket
http: GET /im/push 405 => (?i)Allow: POST
http: DELETE /im/online 405 => (?i)Allow: GET
http: GET /im/nothing 404
http: GET /im/ 404
http: GET /im/rooms/ 200 "rooms":
http: POST /im/push 413 {"rooms":["1"],"data":"FILL(1100000)"}
--- no_error_log
[error]
[alert]



=== TEST 6: too many targets
--- websocket
http: POST /im/push 413|400 {"rooms":["1"MANY(20000)],"data":1}
--- no_error_log
[error]
[alert]



=== TEST 7: a queue that is full: 503 with Retry-After, and nothing lost
--- websocket
a: open /none
a: send {"roomId":1}
a: recv op 4
kill: job
stop: logic
start: logic --queue-cap=5
until: /im/health ^(200|503)
until: :$TEST_NGINX_IM_HTTP /im/online "connections":1\b
http: POST /im/push 200 {"rooms":["1"],"data":1}
http: POST /im/push 200 {"rooms":["1"],"data":2}
http: POST /im/push 200 {"rooms":["1"],"data":3}
http: POST /im/push 200 {"rooms":["1"],"data":4}
http: POST /im/push 200 {"rooms":["1"],"data":5}
http: POST /im/push 503 {"id":"full","rooms":["1"],"data":6} => (?i)Retry-After:
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_pushes_refused_total\{reason="queue_full"\} 1\b
until: :$TEST_NGINX_IM_HTTP /metrics im_logic_queue_entries\{partition="\d+"\} 5\b
start: job
a: recv msg 1
a: recv msg 2
a: recv msg 3
a: recv msg 4
a: recv msg 5
until: POST /im/push {"id":"full","rooms":["1"],"data":6} => "code":0
a: recv msg 6
a: silent
--- no_error_log
[alert]



=== TEST 8: errors name the culprit
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
http: POST /im/push 400 {"rooms":"1","data":1} => "msg":"\\"rooms\\" must be an array of strings, not a string"
http: POST /im/push 400 {"users":["a",1],"data":1} => "msg":"\\"users\\" must be an array of strings, not an array with other elements"
http: POST /im/push 400 {"rooms":["1"],"id":5,"data":1} => "msg":"\\"id\\" must be a string, not a number"
http: POST /im/push 400 {"rooms":["1"],"all":1,"data":1} => "msg":"\\"all\\" must be true or false, not a number"
http: POST /im/push 400 {"rooms":["1"],"from":"x","data":1} => "msg":"\\"from\\" must be an object, not a string"
http: POST /im/push 400 {"rooms":["1"],"from":{"user":[]},"data":1} => "msg":"\\"from.user\\" must be a string, not an array"
http: POST /im/push 400 {"rooms":["1"],"data":1,"ttl":5} => "msg":"a push has no member \\"ttl\\", but id, rooms, users, keys, all, operation, from, durability, data"
http: POST /im/push 400 {"room":["1"],"data":1} => "msg":"a push has no member \\"room\\": did you mean \\"rooms\\"\?"
http: POST /im/push 400 {"rooms":["1"],"data":1,"from":{"user":7}} => "msg":"\\"from.user\\" must be a string, not a number"
http: POST /im/push 400 {"rooms":["1"],"data":1,"from":{"name":"a\u0001"}} => "msg":"\\"from.name\\" is not a valid name: 1 to 253 bytes
http: POST /im/push 400 {"rooms":["1"],"data":1,"from":{"usr":"a"}} => "msg":"a push has no member \\"from.usr\\": did you mean \\"from.user\\"\?"
http: POST /im/push?rom=1 400 {"a":1} => "msg":"the query has no \\"rom\\": did you mean \\"room\\"\?"
http: POST /im/push 400 {"room":"1","data":1} => no member \\"room\\"
http: POST /im/push 400 {"rooms":["1"],"from":{"id":"u"},"data":1} => "msg":"a push has no member \\"from.id\\", but user, name"
http: POST /im/push 413 {"data":1,"rooms":["1"MANY(2000)]} => "msg":"\\"rooms\\" may have 1000 elements at most"
http: POST /im/push 400 {"rooms":["1","a\u0001b","2"],"data":1} => "msg":"the room \\"a\\\\u0001b\\" is not a valid name: 1 to 253 bytes of UTF-8
http: POST /im/push 400 {"users":["1",""],"data":1} => "msg":"the user \\"\\" is not a valid name
http: POST /im/push 400 {"keys":[""],"data":1} => "msg":"the key \\"\\" is not a valid name
http: POST /im/push 400 {"rooms":["1"],"data":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]} => "msg":"nested deeper than 32 levels"
http: POST /im/push 413 {"rooms":["1"MANY(998)],"users":["a","b","c","d"],"data":1} => "msg":"more targets than --max-targets"
http: POST /im/push 400 {"rooms":["1"],"data":01} => "msg":"not valid JSON, near byte \d+"
http: POST /im/push 400 {"rooms":["1"] => not valid JSON, near byte 14"
http: POST /im/push 400 {"rooms":["1"]} => no data
http: POST /im/push?rooms=1 400 text => "msg":"the query has no \\"rooms\\": did you mean \\"room\\"\?"
http: POST /im/push?room=1&ttl=5 400 text => the query has no \\"ttl\\"
http: POST /im/push?id=7 400 {"rooms":["1"],"data":1} => id= in the query
http: GET /im/push 405 => "msg":"/im/push takes POST, not GET"
http: POST /im/users/u1 405 => "msg":"/im/users/\* takes GET, DELETE, HEAD, not POST"
--- no_error_log
[alert]
