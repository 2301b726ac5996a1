# Clients that begin with the last messages of a topic.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: the last messages, and then what is live
--- http_config
    im_room 1          history=100 ttl=1h;
    im_room 2          history=4 ttl=1h;
    im_room 3          history=0;
    im_room 4          history=300 ttl=1h;
    im_room 5          history=100 ttl=1h;
    im_room vip        history=100 ttl=1h join=user;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=10 ttl=1h;
    im_limit           recovery=4k;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
push: room 1 "one"
push: room 1 "two"
push: room 1 "three"
a: open /none
a: send {"roomId":1,"last":2}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":1,"room":"1","seq":1,"epoch":"(?<e>\w+)","recovered":true\}$
a: recv {"code":0,"msg":"two","fuid":"","fname":"","op":3,"seq":2,"epoch":"$e"}
a: recv {"code":0,"msg":"three","fuid":"","fname":"","op":3,"seq":3,"epoch":"$e"}
a: recv op 4 roomId=1
push: room 1 "four"
a: recv msg "four"
b: open /none
b: send {"roomId":1,"LAST":300}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":1,"room":"1","seq":0,"epoch":"$e","recovered":true}
b: recv msg "one"
b: recv msg "two"
b: recv msg "three"
b: recv msg "four"
b: recv op 4 roomId=1
push: room 1 "five"
a: recv msg "five"
b: recv msg "five"
a: silent
b: silent
--- no_error_log
[error]
[alert]



=== TEST 2: a position that continues counts, and one that does not is a hole
--- websocket
a: open /none
a: send {"roomId":5,"last":300}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":5,"room":"5","seq":0,"epoch":"(?<e>\w+)","recovered":true\}$
a: recv op 4
push: room 5 1
push: room 5 2
push: room 5 3
a: recv msg 1
a: recv msg 2
a: recv msg 3
b: open /none
b: send {"roomId":5,"seq":2,"epoch":"$e","last":3}
b: recv op 7 broadcast=true
b: recv {"op":7,"roomId":5,"room":"5","seq":2,"epoch":"$e","recovered":true}
b: recv msg 3
b: recv op 4
c: open /none
c: send {"roomId":5,"seq":3,"epoch":"$e","last":3}
c: recv op 7 broadcast=true
c: recv {"op":7,"roomId":5,"room":"5","seq":3,"epoch":"$e","recovered":true}
c: recv op 4
d: open /none
d: send {"roomId":5,"seq":2,"epoch":"other","last":2}
d: recv op 7 broadcast=true
d: recv {"op":7,"roomId":5,"room":"5","seq":1,"epoch":"$e","recovered":false}
d: recv msg 2
d: recv msg 3
d: recv op 4
push: room 5 4
b: recv msg 4
c: recv msg 4
d: recv msg 4
--- no_error_log
[alert]



=== TEST 3: as many as there are: of a short history, of none, of an empty room
--- websocket
push: room 2 1
push: room 2 2
push: room 2 3
push: room 2 4
push: room 2 5
push: room 2 6
a: open /none
a: send {"roomId":2,"last":300}
a: recv op 7 broadcast=true
a: recv {"op":7,"roomId":2,"room":"2","seq":2,"epoch":"$epoch","recovered":true}
a: recv msg 3
a: recv msg 4
a: recv msg 5
a: recv msg 6
a: recv op 4
push: room 3 1
b: open /none
b: send {"roomId":3,"last":300}
b: recv op 7 broadcast=true
b: recv op 7 roomId=3
b: recv op 4
push: room 3 2
b: recv msg 2
c: open /none
c: send {"roomId":4,"last":300}
c: recv op 7 broadcast=true
c: recv op 7 roomId=4 seq=0
c: recv op 4
push: room 4 1
c: recv msg 1
--- no_error_log
[alert]



=== TEST 4: history is read once for all, and paid for
--- websocket
redis: CONFIG RESETSTAT
a: open /none
a: send {"roomId":5,"last":2}
a: recv op 7 broadcast=true
a: recv op 7 roomId=5 seq=2
a: recv msg 3
a: recv msg 4
a: recv op 4
b: open /none
b: send {"roomId":5,"last":2}
b: recv op 7 broadcast=true
b: recv op 7 roomId=5 seq=2
b: recv msg 3
b: recv msg 4
b: recv op 4
push: room 5 5
a: recv msg 5
b: recv msg 5
c: open /none
c: send {"roomId":5,"last":2}
c: recv op 7 broadcast=true
c: recv op 7 roomId=5 seq=3
c: recv msg 4
c: recv msg 5
c: recv op 4
redis: INFO commandstats => cmdstat_xrevrange:calls=1,
--- no_error_log
[alert]



=== TEST 5: what an answer may not hold is left out, the oldest first
--- websocket
http: POST /im/push 200 {"rooms":["4"],"data":"FILL(2500)"}
http: POST /im/push 200 {"rooms":["4"],"data":"FILL(2500)"}
push: room 4 "small"
a: open /none
a: send {"roomId":4,"last":300}
a: recv op 7 broadcast=true
a: like ^\{"op":7,"roomId":4,"room":"4","seq":2,"epoch":"(?<e>\w+)","recovered":true\}$
a: like ^\{"code":0,"msg":"x{2500}"
a: recv msg "small"
a: recv op 4
b: open /none
b: send {"roomId":4,"seq":0,"epoch":"$e","last":1}
b: recv op 7 broadcast=true
b: recv op 7 roomId=4 seq=3 recovered=false
b: recv msg "small"
b: recv op 4
--- no_error_log
[alert]



=== TEST 6: of the inbox and of the broadcast
--- websocket
push: user u1 "mail"
push: user u1 "more"
push: all "news"
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":-1,"inbox":{"last":1},"broadcast":{"last":5}}
a: recv op 7 broadcast=true seq=0
a: recv msg "news"
a: recv op 7 inbox=true seq=1
a: recv msg "more"
push: user u1 "now"
a: recv msg "now"
b: open /none
b: send {"auth":null,"roomId":-1,"inbox":{"last":9}}
b: recv op 7 broadcast=true seq=1
b: silent
--- no_error_log
[error]
[alert]



=== TEST 7: a guest gets nothing of a room of signed-in users, and faults have a reason
--- websocket
a: open /none
a: send {"roomId":1,"last":301}
a: recv_close 1008 /last must be an integer from 1 to 300/
b: open /none
b: send {"roomId":1,"last":0}
b: recv_close 1008 /last must be an integer from 1 to 300/
c: open /none
c: send {"roomId":1,"last":"5"}
c: recv_close 1008 /last must be an integer from 1 to 300/
d: open /none
d: send {"roomId":99,"last":5}
d: recv_close 1008 /no such room/
--- no_error_log
[error]
[alert]



=== TEST 8: many at once, while there are pushes: in order, each once
--- http_config
    im_room 1          history=1000 ttl=1h;
    im_limit           unauthenticated=0 handshakes=0 auth_timeout=1h;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
push: room 1 1
push: room 1 2
push: room 1 3
push: room 1 4
push: room 1 5
redis: CONFIG RESETSTAT
storm: 300 1 last=5 - /none
redis: INFO commandstats => cmdstat_xrevrange:calls=1,
--- no_error_log
[error]
[alert]



=== TEST 9: the last messages count by bytes, and the address owes them
--- http_config
    im_room 1          history=100 ttl=1h;
    im_per_address     read=1k;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
http: POST /im/push 200 {"rooms":["1"],"data":"FILL(12000)"}
http: POST /im/push 200 {"rooms":["1"],"data":"FILL(12000)"}
push: room 1 "small"
w: open from=127.0.0.9 /none
w: send {"roomId":1}
w: recv op 4
a: open /none
a: send {"roomId":1,"last":300}
a: recv op 7 roomId=1 seq=0
a: like ^\{"code":0,"msg":"x{12000}"
a: like ^\{"code":0,"msg":"x{12000}"
a: recv msg "small"
a: recv op 4
b: open /none
b: send {"roomId":1,"last":1}
until: /status "address_read":1\b
c: open /none
c: send {"roomId":1}
c: recv op 4
d: open from=127.0.0.2 /none
d: send {"roomId":1,"last":1}
d: recv op 7 roomId=1 seq=2
d: recv msg "small"
d: recv op 4
--- no_error_log
[error]
[alert]
