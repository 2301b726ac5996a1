# A message is framed once for each wire of its room's followers, however many
# they are; and each protocol shows the payloads of the others in its own way.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: twelve followers of six wires
--- http_config
    im_room r  history=0;
--- config
    location = /ws { im_comet protocol=im; }
    location = /c {
        im_comet protocol=centrifuge transport=websocket,sse,http_stream;
    }
    location = /sub { im_comet protocol=goim; im_auth mid; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
i1: open /ws
i1: send {"room":"r"}
i1: recv op 4
i2: open /ws
i2: send {"room":"r"}
i2: recv op 4
j1: open /c
j1: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"r"},"id":2}
j1: upto "id":2
j2: open /c
j2: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"r"},"id":2}
j2: upto "id":2
p1: open /c?format=protobuf
p1: send_pb {"connect":{},"id":1} | {"subscribe":{"channel":"r"},"id":2}
p1: like_pb ^id=1
p1: like_pb ^id=2
p2: open /c?format=protobuf
p2: send_pb {"connect":{},"id":1} | {"subscribe":{"channel":"r"},"id":2}
p2: like_pb ^id=1
p2: like_pb ^id=2
e1: get /c?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"r"}}) Accept: text/event-stream
e1: like ^\{"id":1
e1: like ^\{"id":2
e2: get /c?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"r"}}) Accept: text/event-stream
e2: like ^\{"id":1
e2: like ^\{"id":2
s1: post /c << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"r"}}
s1: like ^\{"id":1
s1: like ^\{"id":2
s2: post /c << {"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"r"}}
s2: like ^\{"id":1
s2: like ^\{"id":2
g1: open /sub
g1: packet 7,1,1 {"mid":1,"room_id":"r","accepts":[1,2]}
g1: recv_packet 8,1,1
g2: open /sub
g2: packet 7,1,1 {"mid":2,"room_id":"r","accepts":[3]}
g2: recv_packet 8,1,1
until: /status "framed":0,
http: POST /im/push 200 {"rooms":["r"],"data":{"n":1}}
j1: recv {"push":{"channel":"r","pub":{"data":{"n":1}}}}
j2: recv {"push":{"channel":"r","pub":{"data":{"n":1}}}}
p1: recv_pb push{channel=r pub{data={"n":1}}}
p2: recv_pb push{channel=r pub{data={"n":1}}}
e1: recv {"push":{"channel":"r","pub":{"data":{"n":1}}}}
e2: recv {"push":{"channel":"r","pub":{"data":{"n":1}}}}
s1: recv {"push":{"channel":"r","pub":{"data":{"n":1}}}}
s2: recv {"push":{"channel":"r","pub":{"data":{"n":1}}}}
g1: pushed 0 {"n":1}
g2: pushed 0 {"n":1}
i1: upto "msg":\{"n":1\}
i2: upto "msg":\{"n":1\}
http: GET /status 200 => "framed":6,
http: POST /im/push?room=r 200 (Content-Type: text/plain) a text
j1: recv {"push":{"channel":"r","pub":{"data":"a text"}}}
p1: recv_pb push{channel=r pub{data=a text}}
e1: recv {"push":{"channel":"r","pub":{"data":"a text"}}}
s1: recv {"push":{"channel":"r","pub":{"data":"a text"}}}
g1: pushed 0 a text
i1: upto "msg":"a text"
http: GET /status 200 => "framed":12,
--- no_error_log
[error]
[alert]
