# im_status format=prometheus and im_status ready.

use lib 't/lib';
use IO::Socket::INET;
use Test::Im;
use Test::Nginx::Socket 'no_plan';

# a backend that never answers
my $Mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "listen: $!\n";

$ENV{TEST_NGINX_MUTE} = $Mute->sockport;

master_on();

run_tests();

__DATA__

=== TEST 1: each metric moves by the event that it names
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_connect; im_limit message=1k; }
    location = /cf {
        im_comet protocol=centrifuge transport=websocket,sse,http_stream;
        im_webhook rpc /hook/ok;
        im_webhook refresh /hook/ok;
    }
    location = /refused { im_comet protocol=centrifuge; im_webhook rpc /hook/403; }
    location = /error   { im_comet protocol=centrifuge; im_webhook rpc /hook/text; }
    location = /away    { im_comet protocol=centrifuge; im_webhook rpc /hook/502; }
    location = /late    { im_comet protocol=centrifuge; im_webhook rpc /hook/late timeout=1s; }
    location = /emulation { im_emulation; }
    location = /hook/ok   { internal; return 200 '{"result":{"data":1}}'; }
    location = /hook/403  { internal; return 403; }
    location = /hook/text { internal; return 200 'no'; }
    location = /hook/502  { internal; return 502; }
    location = /hook/late { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_MUTE; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /status  { im_status; }
    location = /json    { im_status format=json; }
    location = /metrics { im_status format=prometheus; }
    location = /ready   { im_status ready; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
http: GET /json 200 => "node":"test-1"
until: /ready ^200 ready$
until: /status "link":"up"
metrics: /metrics
moves: /metrics im_workers 1
moves: /metrics im_start_time_seconds >1600000000
moves: /metrics im_connections >0
moves: /metrics im_connections_limit 512
moves: /metrics im_connections_used_ratio >0
moves: /metrics im_zone_addresses_limit >4095
moves: /metrics im_link_workers{state="up"} 1
moves: /metrics im_link_workers{state="down"} 0
moves: /metrics im_partitions_away 0
moves: /metrics im_redis_round_trip_seconds_count >0
http: GET /metrics 200 => im_build_info\{version="[0-9.]+",nginx="[0-9.]+"\} 1
http: GET /metrics 200 => im_redis_server_up\{server="[^"]+",role="master"\} 1
a: open /ws
moves: /metrics im_handshakes_total{protocol="im",transport="websocket"} +1
moves: /metrics im_zone_addresses 1
moves: /metrics im_sessions{protocol="im",transport="websocket",state="connecting"} 1
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
moves: /metrics im_sessions{protocol="im",transport="websocket",state="connecting"} 0
moves: /metrics im_sessions{protocol="im",transport="websocket",state="open"} 1
moves: /metrics im_messages_received_total +1
moves: /metrics im_received_bytes_total +44
moves: /metrics im_users 1
moves: /metrics im_topics >0
moves: /metrics im_backend_requests_total{hook="im_connect",result="ok"} +1
moves: /metrics im_backend_request_seconds_count{hook="im_connect"} +1
metrics: /metrics
push: room 1 "x"
a: recv msg "x"
moves: /metrics im_entries_received_total +1
moves: /metrics im_messages_sent_total +1
moves: /metrics im_messages_encoded_total +1
moves: /metrics im_sends_total +1
moves: /metrics im_flush_sessions_count +1
moves: /metrics im_flush_sessions_sum +1
moves: /metrics im_push_to_send_seconds_count +1
metrics: /metrics
redis: EVAL local--[[]]h=redis.call('keys','*r:1:h')[1]local--[[]]r=redis.call('XREVRANGE',h,'+','-','COUNT',1)[1]local--[[]]n=string.match(r[1],'^%d+')+1--[[]]redis.call('HSET',string.match(h,'^(.*})')..':r:1:m','s',n)redis.call('XADD',h,n..'-1','d',r[2][2]) 0
a: recv msg "x"
moves: /metrics im_entries_healed_total +1
moves: /metrics im_messages_sent_total +1
moves: /metrics im_push_to_send_seconds_count +0
metrics: /metrics
a: send_big 2000
a: recv_close 1009
moves: /metrics im_sessions_closed_total{reason="too_big"} +1
moves: /metrics im_sessions{protocol="im",transport="websocket",state="open"} 0
b: open /ws
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv op 4
http: DELETE /im/users/u1 200
b: recv_close 1008
moves: /metrics im_sessions_closed_total{reason="kicked"} +1
c: open /ws
c: close 1000
moves: /metrics im_sessions_closed_total{reason="client"} +1
d: open /ws
d: frame 3 x
d: recv_close 1002
moves: /metrics im_sessions_closed_total{reason="protocol"} +1
e: refused 405 /ws =POST
moves: /metrics im_handshakes_refused_total{reason="method"} +1
http: GET /ws 400
moves: /metrics im_handshakes_refused_total{reason="no_upgrade"} +1
e: refused 403 /ws Origin: http://elsewhere.example
moves: /metrics im_handshakes_refused_total{reason="origin"} +1
e: refused 426 /ws Sec-WebSocket-Version: 12
moves: /metrics im_handshakes_refused_total{reason="bad_request"} +1
metrics: /metrics
f: open /cf
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"method":"x"},"id":2}
f: recv {"id":2,"rpc":{"data":1}}
moves: /metrics im_backend_requests_total{hook="rpc",result="ok"} +1
f: close 1000
f: open /refused
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"method":"x"},"id":2}
f: like "error"
moves: /metrics im_backend_requests_total{hook="rpc",result="refused"} +1
f: close 1000
f: open /error
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"method":"x"},"id":2}
f: like "error"
moves: /metrics im_backend_requests_total{hook="rpc",result="error"} +1
f: close 1000
f: open /away
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"method":"x"},"id":2}
f: like "error"
moves: /metrics im_backend_requests_total{hook="rpc",result="unanswered"} +1
f: close 1000
f: open /late
f: send {"connect":{},"id":1}
f: like "connect"
f: send {"rpc":{"method":"x"},"id":2}
f: like "error"
moves: /metrics im_backend_requests_total{hook="rpc",result="timeout"} +1
moves: /metrics im_backend_request_seconds_count{hook="rpc"} +5
moves: /metrics im_backend_request_seconds_bucket{hook="rpc",le="0.5"} <5
f: close 1000
g: get /cf?cf_connect=URI({"id":1,"connect":{}}) Accept: text/event-stream
moves: /metrics im_sessions{protocol="centrifuge",transport="sse",state="open"} 1
metrics: /metrics
stop: redis
until: /ready ^503 Redis is away$
moves: /metrics im_link_workers{state="down"} 1
moves: /metrics im_link_losses_total +1
moves: /metrics im_partitions_away >0
http: GET /metrics 200 => im_redis_server_up\{server="[^"]+",role="master"\} 0
start: redis
until: /ready ^200 ready$
moves: /metrics im_link_workers{state="up"} 1
moves: /metrics im_partitions_away 0
stop: job
until: 90 /ready ^503 no im_job lives
moves: /metrics im_partitions_silent >0
moves: /metrics im_link_workers{state="degraded"} 1
start: job
until: /ready ^200 ready$
moves: /metrics im_partitions_silent 0
metrics: /metrics
http: POST /metrics 405
http: POST /ready 405
--- no_error_log
[alert]



=== TEST 2: limits
--- http_config
    im_per_address sessions=2;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /status  { im_status; }
    location = /metrics { im_status format=prometheus; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
metrics: /metrics
a: open /ws
b: open /ws
c: refused 429 /ws
moves: /metrics im_limits_total{limit="address_sessions"} +1
moves: /metrics im_handshakes_refused_total{reason="address_sessions"} +1
http: GET /status 200 => "address_sessions":1\b
metrics: /metrics
--- no_error_log
[alert]



=== TEST 3: a reload and a killed worker keep what was counted
--- http_config
    im_handover off;
    im_drain 3s;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /status  { im_status; }
    location = /metrics { im_status format=prometheus; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
metrics: /metrics
scrape: /metrics
a: open /ws
a: send {"roomId":1}
a: recv op 4
b: open /ws
push: room 1 "x"
a: recv msg "x"
moves: /metrics im_messages_sent_total +1
reload:
a: recv_close 1012
b: recv_close 1012
moves: /metrics im_workers 1
moves: /metrics im_messages_sent_total +1
moves: /metrics im_messages_received_total +1
moves: /metrics im_handshakes_total{protocol="im",transport="websocket"} +2
moves: /metrics im_sessions_closed_total{reason="drain"} +2
moves: /metrics im_sessions{protocol="im",transport="websocket",state="open"} 0
http: GET /status 200 => "total":\{"workers":1,"sessions":0,.*"accepted":2,
reload:
reload:
c: open /ws
c: send {"roomId":1}
c: recv op 4
moves: /metrics im_messages_received_total +2
kill: worker
moves: /metrics im_workers 1
moves: /metrics im_workers_lost_total +1
moves: /metrics im_messages_received_total +2
moves: /metrics im_handshakes_total{protocol="im",transport="websocket"} +3
moves: /metrics im_sessions{protocol="im",transport="websocket",state="open"} 0
scrape: stop 20
metrics: /metrics



=== TEST 4: a worker that drains
--- http_config
    im_handover off;
    im_drain 1h;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location = /metrics { im_status format=prometheus; }
--- websocket
until: /metrics ^200
a: open /ws
b: open /ws
reload:
moves: /metrics im_workers 2
moves: /metrics im_workers_draining 1
moves: /metrics im_draining_sessions 2
moves: /metrics im_drain_seconds >0
a: close 1000
b: close 1000
moves: /metrics im_workers 1
moves: /metrics im_workers_draining 0
moves: /metrics im_drain_seconds 0
moves: /metrics im_draining_sessions 0
--- no_error_log
[error]
[alert]



=== TEST 5: a worker that ends is not ready
--- http_config
    im_room *  history=10 ttl=1h;
--- config
    location = /ready   { im_status ready; }
--- websocket
until: /ready ^200 ready$
hold: 1 :$TEST_NGINX_SERVER_PORT GET /ready HTTP/1.1\r\nHost: a\r\n\r\nGET /ready HTTP/1.1\r\nHost: a\r\n => 200 OK
reload:
finish: Connection: close\r\n\r\n => ^503 this worker ends$
until: /ready ^200 ready$
--- no_error_log
[error]
[alert]
