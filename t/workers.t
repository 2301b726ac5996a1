# What one address may cost holds for all workers, and however many there are.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';
master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: places of an address that are not signed in, at all workers
--- http_config
    im_per_address pending=2;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket
until: /status "link":"up".*"link":"up"
a: many 101=2,429=2 /none
b: many 101=2,429=1 from=127.0.0.2 /none
a1: send {"roomId":1}
a1: recv op 4
a3: open /none
c: refused 429 /Retry-After: 5/ /none
until: /status "total":.*"address_pending":4\b
kill: worker
kill: worker
until: /status "link":"up".*"link":"up"
d: many 101=2,429=1 /none
--- no_error_log
[error]



=== TEST 2: the worker that refuses an address has no place of it
--- http_config
    im_per_address pending=2;
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket
until: /status "link":"up".*"link":"up"
pause: worker
a: many 101=2,429=1 /none
resume: worker
pause: worker2
b: many 429=3 /none
resume: worker2
each: a close 1000
until: /status "total":.*"sessions":0,
c: many 101=2,429=1 /none
--- no_error_log
[error]
[alert]



=== TEST 3: handshakes of an address: smooth, over reconnects and a reload
--- http_config
    im_per_address handshakes=1;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: rated 12 1 4 /echo
c: refused 429 /Retry-After: \d/ /echo
reload:
a: rated 12 1 4 /echo
b: open from=127.0.0.2 /echo
until: /status "refusals":\{"address_handshakes":[1-9]
log: \[warn\] .* im: 127.0.0.1 is refused: im_per_address handshakes= is reached
--- no_error_log
[error]
[alert]
