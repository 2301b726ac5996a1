# What the module asks of logic: publishing for a client.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a client's message
--- http_config
    im_room 1          history=10 ttl=1h;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
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
    location = /call { rewrite ^ /im_connect; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: /im/health ^200
a: open /ws
a: send {"auth":null,"roomId":1}
a: recv op 4
http: POST /call 200 {"call":"publish","room":"1","data":{"msg":"hi"},"user":"u7","name":"Bo","session":"s-1","info":{"x":1},"id":"k1"} => "data":\{"epoch":"[0-9a-z]+","seq":1\}
a: recv {"code":0,"msg":"hi","fuid":"u7","fname":"Bo","op":3}
http: POST /call 200 {"call":"publish","room":"1","data":[1,"x"]} => "seq":2\}
a: recv {"code":0,"msg":[1,"x"],"fuid":"","fname":"","op":3}
redis: XRANGE im:{4}:r:1:h 1-1 1-1 => u7.*Bo.*s-1.*\{"x":1\}
a: close
--- no_error_log
[error]
[alert]



=== TEST 2: the same id twice, and with another message
--- websocket
a: open /ws
a: send {"auth":null,"roomId":1}
a: recv op 4
http: POST /call 200 {"call":"publish","room":"1","data":3,"id":"twice"} => "seq":3\}
http: POST /call 200 {"call":"publish","room":"1","data":3,"id":"twice","info":null} => "seq":3\}
http: POST /call 409 {"call":"publish","room":"1","data":4,"id":"twice"}
a: recv msg 3
a: silent
a: close
--- no_error_log
[error]
[alert]



=== TEST 3: what is refused
--- websocket
http: POST /call 400 {"call":"publish","room":"1"} => no data
http: POST /call 400 {"call":"publish","data":1} => the room \\"\\" is not a valid name
http: POST /call 400 {"call":"publish","room":"a\u0001","data":1} => the room \\".*\\" is not a valid name
http: POST /call 400 {"call":"publish","room":"1","data":1,"user":"\u0000"} => sender
http: POST /call 400 {"call":"publish","room":"1","data":1,"name":"\u0007"} => sender
http: POST /call 400 {"call":"publish","room":"1","data":1,"session":"\n"} => sender
http: POST /call 400 {"call":"publish","room":1,"data":1}
http: POST /call 400 {"call":"publish","room":"1","data":nonsense}
http: POST /call 400 {"call":"publish","room":"1","data":1,"id":"0123456789012345678901234567890123456789012345678901234567890123456789"} => an id has
http: POST /call 413 {"call":"publish","room":"1","data":1,"info":"FILL(65600)"} => info
http: POST /call 400 {"call":"unknown"} => no such call
http: POST /call 400 nonsense
http: POST /call 400 {"call":1}
http: GET /call 405
--- no_error_log
[alert]



=== TEST 4: who is this: with and without its name
--- websocket
http: POST /call 200 {"call":"connect","protocol":"im","token":"0123456789abcdef"} => "user":"u1","name":"Ann"
http: POST /call 200 {"protocol":"im","token":"0123456789abcdef"} => "user":"u1","name":"Ann"
http: POST /call 200 {"call":"connect","token":"0123456789abcdee"} => "user":""
http: POST /call 413 {"call":"connect","token":"FILL(16400)"}
--- no_error_log
[error]
[alert]



=== TEST 5: calls are not served to strangers
--- websocket
http: POST /im_connect 404 {"call":"publish","room":"1","data":1}
http: :$TEST_NGINX_IM_HTTP POST /im_connect 404 {"call":"publish","room":"1","data":1}
--- no_error_log
[error]
[alert]



=== TEST 6: a room without a rule, a full queue, Redis away
--- http_config
    im_room 1  history=10 ttl=1h;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location = /call { rewrite ^ /im_connect; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis logic
--- websocket
stop: logic
start: logic --queue-cap=1
until: /im/health ^200
http: POST /call 404 {"call":"publish","room":"2","data":1} => no im_room rule
a: open /ws
a: send {"roomId":1}
a: recv op 4
http: POST /call 200 {"call":"publish","room":"1","data":1}
http: POST /call 503 {"call":"publish","room":"1","data":2} => the queue is full
a: close
kill: redis
until: /im/health ^503.*(?i)redis
http: POST /call 503 {"call":"publish","room":"1","data":2} => (?i)Retry-After:
--- no_error_log
[alert]



=== TEST 7: a user that was kept out a moment ago
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location = /call { rewrite ^ /im_connect; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: /im/health ^200
http: DELETE /im/users/u1?for=600 200
http: POST /call 403 {"call":"publish","room":"1","data":1,"user":"u1"} => the user is kept out
http: POST /call 403 {"token":"0123456789abcdef"} => the user is kept out
http: POST /call 200 {"call":"publish","room":"1","data":1,"user":"u2"}
http: POST /call 200 {"call":"publish","room":"1","data":1}
http: DELETE /im/users/u1?for=0 200
http: POST /call 200 {"call":"publish","room":"1","data":1,"user":"u1"}
http: POST /call 200 {"token":"0123456789abcdef"} => "user":"u1"
--- no_error_log
[alert]
