# Two nodes with two workers each, on one Redis.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: a push reaches clients of both
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
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
00000000000000a1 u1 Ann
00000000000000b1 u3 Bo 1,chat:*
--- websocket
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"00000000000000a1","roomId":1}
b: recv op 4
c: open :$TEST_NGINX_IM_PORT2 /none
c: send {"roomId":2}
c: recv op 4
d: open /none
d: send {"roomId":1}
d: recv op 4
push: room 1 "room"
a: recv msg "room"
b: recv msg "room"
d: recv msg "room"
push: user u1 "user"
a: recv op 2 msg="user"
b: recv op 2 msg="user"
push: all "all"
a: recv msg "all"
b: recv msg "all"
c: recv msg "all"
d: recv msg "all"
until: /im/online "connections":\s*4\b.*"users":\s*1\b
until: /im/rooms/1 "count":\s*3\b
until: /im/rooms/1 "user":"u1","name":"Ann","sessions":2
until: :$TEST_NGINX_IM_PORT2 /status "node":"test-2".*"total":\{"workers":2,"sessions":2,
until: /status "node":"test-1".*"total":\{"workers":2,"sessions":2,
a: silent
c: silent
--- no_error_log
[error]
[alert]



=== TEST 2: a node that is killed: its clients are gone within a lease
--- websocket
a: open /none
a: send {"roomId":3}
a: recv op 4
b: open :$TEST_NGINX_IM_PORT2 /none
b: send {"roomId":3}
b: recv op 4
until: /im/rooms/3 "count":\s*2\b
kill: nginx2
b: eof
until: /im/rooms/3 "count":\s*1\b
until: /im/nodes "node":"test-2","state":"away","sessions":0,"workers":\[(?:\{"worker":"test-2\.\d\.\w+","state":"away","version":"\d+\.\d+\.\d+","gone":\d+\},?){2}\]
push: room 3 "x"
a: recv msg "x"
a: silent
--- no_error_log
[error]
[alert]



=== TEST 3: two nodes with one name: both say so, nobody is stopped
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
start: nginx2 test-1
a: open /none
a: send {"roomId":1}
a: recv op 4
b: open :$TEST_NGINX_IM_PORT2 /none
b: send {"roomId":1}
b: recv op 4
push: room 1 1
a: recv msg 1
b: recv msg 1
until: /im/rooms/1 "count":\s*2\b
log: another nginx uses the node name "test-1"
output: nginx2 another nginx uses the node name "test-1"
push: room 1 2
a: recv msg 2
b: recv msg 2
--- no_error_log
[alert]
