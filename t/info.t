# The members of a room: all its clients get the list, on any node, and not too
# often.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);
worker_connections(2048);      # one worker may get all of a crowd

run_tests();

__DATA__

=== TEST 1: who comes and goes is told to the others, on both nodes
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
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
00000000000000a1 u1 Ann
00000000000000c3 u3 Cy
--- websocket
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv {"op":4,"roomId":1,"count":1,"roomUserInfo":{"u1":"Ann"}}
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":1}
b: recv {"op":4,"roomId":1,"count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
a: recv {"op":4,"roomId":1,"count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
c: open /ws
c: send {"auth":"00000000000000c3","roomId":1}
c: info {"u1":"Ann","u2":"Bob","u3":"Cy"}
a: info {"u1":"Ann","u2":"Bob","u3":"Cy"}
b: info {"u1":"Ann","u2":"Bob","u3":"Cy"}
b: close 1000
a: info {"u1":"Ann","u3":"Cy"}
c: info {"u1":"Ann","u3":"Cy"}
c: cut
a: info {"u1":"Ann"}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 2: a second tab changes nothing, and the user stays until the last one goes
--- websocket
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":2}
b: info {"u2":"Bob"}
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":2}
a: info {"u1":"Ann","u2":"Bob"}
b: info {"u1":"Ann","u2":"Bob"}
t: open :$TEST_NGINX_IM_PORT2 /ws
t: send {"auth":"00000000000000a1","roomId":2}
t: info {"u1":"Ann","u2":"Bob"}
u: open /ws
u: send {"auth":"00000000000000a1","roomId":2}
u: info {"u1":"Ann","u2":"Bob"}
t: close 1000
u: close 1000
until: /im/rooms/2 "user":"u1","name":"Ann","sessions":1\}
push: room 2 "still"
a: recv msg "still"
b: recv msg "still"
a: close 1000
b: info {"u2":"Bob"}
--- no_error_log
[error]
[alert]



=== TEST 3: guests are told, and are not told of
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":3}
a: info {"u1":"Ann"}
g: open /ws
g: send {"auth":null,"roomId":3}
g: recv {"op":4,"roomId":3,"count":1,"roomUserInfo":{"u1":"Ann"}}
h: open :$TEST_NGINX_IM_PORT2 /ws
h: send {"auth":null,"roomId":3}
h: recv {"op":4,"roomId":3,"count":1,"roomUserInfo":{"u1":"Ann"}}
h: close 1000
until: /im/rooms/3 "count":\s*2\b
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":3}
b: info {"u1":"Ann","u2":"Bob"}
a: recv {"op":4,"roomId":3,"count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
g: recv {"op":4,"roomId":3,"count":2,"roomUserInfo":{"u1":"Ann","u2":"Bob"}}
--- no_error_log
[error]
[alert]



=== TEST 4: a crowd that comes and goes costs some frames
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":4}
a: info {"u1":"Ann"}
users: x 500 /ws 4
users: y 500 :$TEST_NGINX_IM_PORT2 /ws 4
a: infos 4 1001
x0: infos 4 1001
y499: infos 4 1001
part: x
part: y
a: infos 4 1
a: silent
--- no_error_log
[error]
[alert]



=== TEST 5: a node that is killed: its users leave the lists
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":5}
a: info {"u1":"Ann"}
g: open /ws
g: send {"roomId":5}
g: info {"u1":"Ann"}
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":5}
b: info {"u1":"Ann","u2":"Bob"}
a: info {"u1":"Ann","u2":"Bob"}
g: info {"u1":"Ann","u2":"Bob"}
kill: nginx2
a: info {"u1":"Ann"}
g: info {"u1":"Ann"}
--- no_error_log
[error]
[alert]



=== TEST 6: names are delivered as they are
--- websocket
redis: HSET im_00000000000000d4 UserId <b>u4</b> UserName <b>"汉字😀"</b>&amp;\'
a: open /ws
a: send {"auth":"00000000000000d4","roomId":6}
a: info {"<b>u4</b>":"<b>\"汉字😀\"</b>&amp;\\'"}
--- no_error_log
[error]
[alert]



=== TEST 7: the queue is full: the others are told later
--- websocket
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":7}
a: info {"u1":"Ann"}
stop: job
clog: 10000
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":7}
b: info {"u1":"Ann","u2":"Bob"}
start: job
a: info {"u1":"Ann","u2":"Bob"}
--- no_error_log
[alert]



=== TEST 8: what changes while Redis is away
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
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
00000000000000c3 u3 Cy
--- websocket
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":8}
a: info {"u1":"Ann"}
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":8}
b: info {"u1":"Ann","u2":"Bob"}
c: open :$TEST_NGINX_IM_PORT2 /ws
c: send {"auth":"00000000000000c3","roomId":8}
c: info {"u1":"Ann","u2":"Bob","u3":"Cy"}
a: info {"u1":"Ann","u2":"Bob","u3":"Cy"}
b: info {"u1":"Ann","u2":"Bob","u3":"Cy"}
stop: redis
c: close 1000
a: silent
start: redis
a: info {"u1":"Ann","u2":"Bob"}
b: info {"u1":"Ann","u2":"Bob"}
--- no_error_log
[alert]
