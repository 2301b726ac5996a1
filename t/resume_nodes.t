# Clients that come back to another worker or another node.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: from one node to the other, and back
--- http_config
    im_room 1          history=100 ttl=1h;
    im_room *          history=0;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
start: nginx2
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
push: room 1 1
push: room 1 2
a: recv msg 1
a: recv msg 2
a: cut
push: room 1 3
b: open :$TEST_NGINX_IM_PORT2 /none
b: send {"roomId":1,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":1,"room":"1","seq":$s,"epoch":"$e","recovered":true}
b: recv msg 1
b: recv msg 2
b: recv msg 3
b: recv op 4
push: room 1 4
b: recv msg 4
c: open /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,
c: send {"subscribe":{"channel":"1","recover":true,"epoch":"$e","offset":$s},"id":2}
c: recv {"id":2,"subscribe":{"recoverable":true,"positioned":true,"epoch":"$e","was_recovering":true,"recovered":true,"publications":[{"data":1,"offset":1},{"data":2,"offset":2},{"data":3,"offset":3},{"data":4,"offset":4}]}}
push: room 1 5
b: recv msg 5
c: recv {"push":{"channel":"1","pub":{"data":5,"offset":5}}}
b: silent
--- no_error_log
[alert]



=== TEST 2: a worker is killed: its clients resume at another
--- websocket
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
push: room 1 "before"
a: recv msg "before"
kill: worker
push: room 1 "while"
b: open /none
b: send {"roomId":1,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv op 7 roomId=1 recovered=true
b: recv msg "before"
b: recv msg "while"
b: recv op 4
push: room 1 "after"
b: recv msg "after"



=== TEST 3: a reload: the new workers know what the old ones did
--- websocket
a: open /none
a: send {"roomId":1,"seq":0}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":(?<s>\d+),"epoch":"(?<e>\w+)"
a: recv op 4
push: room 1 "before"
a: recv msg "before"
reload:
b: open /none
b: send {"roomId":1,"seq":$s,"epoch":"$e"}
b: recv op 7 broadcast=true
b: recv op 7 roomId=1 recovered=true
b: recv msg "before"
b: recv op 4
push: room 1 "after"
b: recv msg "after"
unlogged: \[alert\]
