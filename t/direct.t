# Scripts publish by themselves while nothing waits in the queue; counts, not
# times.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: a push goes straight to the workers that follow, and im_job has nothing to do
--- http_config
    im_room 1       history=0;
    im_room 2       history=100 ttl=1h;
    im_room 3       history=0;
    im_inbox        history=100 ttl=1h;
    im_broadcast    history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /signed { im_comet protocol=im; im_auth token; im_connect /im_connect; }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: /status "link":"up".*"link":"up"
a: open /ws
a: send {"roomId":1}
a: recv op 4
b: open /signed
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv op 4
a: recv op 4
redis: CONFIG RESETSTAT
push: room 1 {"n":1}
push: room 1 {"n":2}
push: all {"n":3}
a: recv msg {"n":1}
a: recv msg {"n":2}
a: recv msg {"n":3}
b: recv msg {"n":1}
b: recv msg {"n":2}
b: recv msg {"n":3}
redis: INFO commandstats => (?s)\A(?!.*cmdstat_(?:xadd|xtrim):).*cmdstat_evalsha:
redis: XLEN im:{4}:q => ^0$
--- no_error_log
[alert]
[error]



=== TEST 2: without im_job pushes wait; with it they go straight again, in order
--- websocket
a: open /ws
a: send {"roomId":2}
a: recv op 4
push: room 2 {"n":1}
a: recv msg {"n":1}
kill: job
push: room 2 {"n":2}
push: room 2 {"n":3}
a: silent
redis: XLEN im:{7}:q => ^2$
start: job
push: room 2 {"n":4}
push: room 2 {"n":5}
push: room 2 {"n":6}
push: room 2 {"n":7}
a: recv msg {"n":2}
a: recv msg {"n":3}
a: recv msg {"n":4}
a: recv msg {"n":5}
a: recv msg {"n":6}
a: recv msg {"n":7}
await: XLEN im:{7}:q => ^0$
redis: CONFIG RESETSTAT
push: room 2 {"n":8}
a: recv msg {"n":8}
redis: INFO commandstats => (?s)\A(?!.*cmdstat_xtrim:).*cmdstat_xadd:calls=1,
--- no_error_log
[alert]



=== TEST 3: a worker that is dead gets an entry in the queue, the others have the message at once; im_job sweeps
--- websocket
a: open /ws
a: send {"roomId":2}
a: recv op 4
redis: HSET im:{7}:r:2:w dead.0.x 1:1 => ^1$
push: room 2 {"n":11}
push: room 2 {"n":12}
push: room 2 {"n":13}
a: recv msg {"n":11}
a: recv msg {"n":12}
a: recv msg {"n":13}
until: POST /im/push {"rooms":["2"],"data":"again"} => "code":0
await: HEXISTS im:{7}:r:2:w dead.0.x => ^0$
a: recv msg "again"
await: XLEN im:{7}:q => ^0$
--- no_error_log
[alert]



=== TEST 4: control entries go straight too, behind the messages before them
--- websocket
b: open /signed
b: send {"auth":"0123456789abcdef","roomId":3}
b: recv op 4
redis: CONFIG RESETSTAT
push: user u1 {"n":1}
push: user u1 {"n":2}
http: DELETE /im/users/u1 200
b: recv msg {"n":1}
b: recv msg {"n":2}
b: recv_close 1008
--- no_error_log
[alert]
