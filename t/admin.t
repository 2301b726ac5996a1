# What the admin page reads: nodes and workers, queues, rooms, bans.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: two nodes, their workers and what these count
--- http_config
    im_handover off;
    im_drain 600s;
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
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
--- websocket
until: /im/health ^200
start: nginx2
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open :$TEST_NGINX_IM_PORT2 /ws
b: send {"auth":"fedcba9876543210","roomId":1}
b: recv op 4
c: open :$TEST_NGINX_IM_PORT2 /none
c: send {"roomId":2}
c: recv op 4
push: room 1 "one"
a: recv msg "one"
b: recv msg "one"
until: /im/nodes ^200\b.*"time":\d{13},"sessions":3,"users":2,"nodes":\[\{"node":"test-1","state":"live","sessions":1,"workers":\[.*\]\},\{"node":"test-2","state":"live","sessions":2,"workers":\[
until: /im/nodes "node":"test-1".*"messages_out":[1-9].*"node":"test-2".*"messages_out":[1-9]
http: GET /im/nodes 200 => "worker":"test-1\.\d\.\w+","state":"live","version":"\d+\.\d+\.\d+","uptime":\d+,"time":\d{13},"link":"up","away":0,"sessions":\d+,"users":\d,"topics":\d+,"subscriptions":\d+,"addresses":\d,"protocols":\{(?:"im":\d)?\},"accepted":\d+,"refused":0,"messages_in":\d+,"messages_out":\d+,"bytes_out":\d+\}
until: /im/nodes "node":"test-1".*"protocols":\{"im":1\}.*"node":"test-2".*"protocols":\{"im":[12]\}
http: GET /im/nodes 200 => "queue":\{"length":0,"age":0,"partitions":\[\]\}
until: /im/nodes "jobs":\[\{"job":"job-[\w-]+","partitions":16\}\],"logic":\{"version":"\d+\.\d+\.\d+","uptime":\d+,"requests":1\}
http: GET /im/users/u1 200 => "user":"u1","online":true,"name":"Ann","sessions":\[\{.*"ip":"127.0.0.1","protocol":"im","since":\d+\}
until: /im/rooms "data":\{"rooms":\[\{"room":"1","count":2\},\{"room":"2","count":1\}\]\}
alike: GET /im/rooms 200 => "data":\{"rooms":\[\{"room":"1","count":2\},\{"room":"2","count":1\}\]\}
http: GET /im/rooms?top=1 200 => "data":\{"rooms":\[\{"room":"1","count":2\}\],"more":true\}
http: GET /im/rooms?top=1000 200 => "room":"2"
http: GET /im/rooms?top=0 400 => top is 1 to 1000
http: GET /im/rooms?top=1001 400 => top is 1 to 1000
http: GET /im/rooms?top=x 400 => top is 1 to 1000
http: POST /im/rooms 405 => (?i)Allow: GET, HEAD\b
http: DELETE /im/nodes 405
c: close 1000
until: /im/rooms "rooms":\[\{"room":"1","count":2\}\]
--- no_error_log
[error]
[alert]



=== TEST 2: a worker that ends, beside the next ones
--- websocket
d: open /none
d: send {"roomId":1}
d: recv op 4
reload:
until: /im/nodes "node":"test-1","state":"live","sessions":\d+,"workers":\[[^\]]*"state":"draining"[^\]]*"state":"live"|"node":"test-1","state":"live","sessions":\d+,"workers":\[[^\]]*"state":"live"[^\]]*"state":"draining"
d: close 1000
until: /im/nodes "node":"test-1","state":"live","sessions":0,"workers":\[\{"worker":"test-1.0.\w+","state":"live"[^\]]*\{"worker":"test-1.1.\w+","state":"live"[^{]*\{\}[^{]*\}\]
--- no_error_log
[alert]



=== TEST 3: what waits while no im_job lives
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/nodes "partitions":16
a: open /none
a: send {"roomId":7}
a: recv op 4
stop: job
until: /im/nodes "jobs":\[\]
push: room 7 "x"
push: room 7 "y"
until: /im/nodes "queue":\{"length":2,"age":[1-9]\d*,"partitions":\[\{"partition":\d+,"length":2,"age":\d+,"job":""\}\]\}
start: job
a: recv msg "x"
a: recv msg "y"
until: /im/nodes "queue":\{"length":0,"age":0,"partitions":\[\]\},"jobs":\[\{"job":"job-[\w-]+","partitions":16\}\]
--- no_error_log
[error]
[alert]



=== TEST 4: bans
--- websocket
http: GET /im/bans 200 => "data":\{"bans":\[\]\}
http: DELETE /im/users/u1?for=600 200
http: DELETE /im/users/a%2Fb%22?for=60 200
http: GET /im/bans 200 => "bans":\[\{"user":"a/b\\"","until":\d{13},"seconds":(?:60|[1-5]?\d)\},\{"user":"u1","until":\d{13},"seconds":(?:600|5\d\d)\}\]
http: DELETE /im/users/u1?for=0 200
http: GET /im/bans 200 => "bans":\[\{"user":"a/b\\"","until":\d{13},"seconds":(?:60|[1-5]?\d)\}\]
http: DELETE /im/users/a%2Fb%22?for=0 200
http: GET /im/bans 200 => "bans":\[\]
--- no_error_log
[error]
[alert]



=== TEST 5: only with a key, where there are some; not to other pages
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- services: redis
--- not_ready
--- websocket
file: api_keys 01234567\n
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
until: /im/health ^200
http: GET /im/nodes 401 => X-API-Key
http: GET /im/rooms 401 => X-API-Key
http: GET /im/bans 401 => X-API-Key
http: GET /im/nodes 200 (X-API-Key: 01234567)
http: GET /im/nodes 403 (X-API-Key: 01234567|Origin: https://evil.example)
stop: logic
--- no_error_log
[alert]



=== TEST 6: Redis is away
--- config
    location = /none { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/nodes ^200
kill: redis
until: /im/nodes ^503\b.*"code":503
until: /im/rooms ^503
until: /im/bans ^503
start: redis
until: /im/nodes ^200
--- no_error_log
[alert]
