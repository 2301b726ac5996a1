# `nginx -t` refuses what can't work, and names the directive and the value.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: an unknown protocol
--- config
    location = /ws { im_comet protocol=xmpp; }
--- must_die
--- error_log eval
qr/im_comet.*protocol=xmpp/



=== TEST 2: no protocol
--- config
    location = /ws { im_comet; }
--- must_die
--- error_log eval
qr/im_comet/



=== TEST 3: im_comet twice
--- config
    location = /ws { im_comet protocol=echo; im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_comet.*duplicate/



=== TEST 4: unknown authentication
--- config
    location = /ws { im_comet protocol=echo; im_auth maybe; }
--- must_die
--- error_log eval
qr/maybe/



=== TEST 5: im without Redis
--- http_config
    im_room * history=0;
    # im_redis is missing
--- no_redis
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
--- must_die
--- error_log eval
qr/im_redis/



=== TEST 6: im without a room
--- http_config
    im_redis 127.0.0.1:1;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
--- must_die
--- error_log eval
qr/im_room/



=== TEST 7: token without im_connect
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth token; }
--- must_die
--- error_log eval
qr/im_connect/



=== TEST 8: im_connect that is no URI
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect nowhere; }
--- must_die
--- error_log eval
qr/im_connect.*nowhere/



=== TEST 9: im_connect that leads nowhere
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_conect; }
    location = /im_connect { internal; return 204; }
    location = /im_conect2 { internal; return 204; }
    location = /im_cone { internal; return 204; }
--- must_die
--- error_log eval
qr/im_connect: "\/im_conect" leads to no location/



=== TEST 10: im_connect that leads to files
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_conect; }
    location /im_ {
        root html;
        location /im_con { root html; }
    }
    location = /im_connect { internal; return 204; }
--- must_die
--- error_log eval
qr/im_connect: "\/im_conect" leads to no location/



=== TEST 11: im_connect whose location is of another server
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
    im_connect /im_connect;
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2;
        location = /im_connect { internal; return 204; }
    }
--- config
    location = /ws { im_comet protocol=im; im_auth token; }
--- must_die
--- error_log eval
qr/im_connect: "\/im_connect" leads to no location/



=== TEST 12: im_connect that leads somewhere: exactly, by prefix, nested
--- http_config
    im_redis unix:/nowhere.sock;
    im_room * history=0;
    upstream im_logic { server 127.0.0.1:1; }
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2;
        im_connect /backend/im/connect;
        location = /ws { im_comet protocol=im; im_auth token; }
        location /backend/ {
            location /backend/im { fastcgi_pass im_logic; }
            location /backend/other { root html; }
        }
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        im_connect /x/connect;
        location = /ws { im_comet protocol=im; im_auth token; }
        location ~ ^/[a-z]/connect$ { fastcgi_pass im_logic; }
    }
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_connect; }
    location = /im_connect { internal; return 200 "{}"; }
    location = /none { return 204; }
--- request
GET /none
--- error_code: 204
--- no_error_log
[emerg]



=== TEST 13: two rules for one pattern
--- http_config
    im_redis 127.0.0.1:1;
    im_room chat:* history=1 ttl=1h;
    im_room chat:* history=0;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*chat:\*/



=== TEST 14: two rules for one room
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0;
    im_room a history=0;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*"a"/



=== TEST 15: history without ttl
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=10;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*ttl/



=== TEST 16: ttl without history
--- http_config
    im_redis 127.0.0.1:1;
    im_room a ttl=1h;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*history/



=== TEST 17: an unknown option
--- http_config
    im_redis 127.0.0.1:1;
    im_room a histroy=10;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room: "histroy=10" is unknown: do you mean history=\? in /



=== TEST 18: too much history
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=100001 ttl=1h;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*history=100001.*100000/



=== TEST 19: history that is no number
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=ten ttl=1h;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*history=ten/



=== TEST 20: a negative history
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=-1 ttl=1h;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*history=-1/



=== TEST 21: a bad ttl
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=1 ttl=soon;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*ttl=soon/



=== TEST 22: a star in the middle
--- http_config
    im_redis 127.0.0.1:1;
    im_room a*b history=0;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*a\*b/



=== TEST 23: an empty room name
--- http_config
    im_redis 127.0.0.1:1;
    im_room "" history=0;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room/



=== TEST 24: who joins
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 join=nobody;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*join=nobody/



=== TEST 25: who publishes
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 publish=all;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*publish=all/



=== TEST 26: im_inbox twice
--- http_config
    im_redis 127.0.0.1:1;
    im_inbox history=1 ttl=1h;
    im_inbox history=1 ttl=1h;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_inbox.*duplicate/



=== TEST 27: an option of rooms for the inbox
--- http_config
    im_redis 127.0.0.1:1;
    im_inbox history=1 ttl=1h presence;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_inbox.*presence/



=== TEST 28: im_broadcast twice
--- http_config
    im_redis 127.0.0.1:1;
    im_broadcast history=1 ttl=1h;
    im_broadcast history=1 ttl=1h;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_broadcast.*duplicate/



=== TEST 29: im_redis twice
--- http_config
    im_redis 127.0.0.1:1;
    im_redis 127.0.0.1:2;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*duplicate/



=== TEST 30: im_node twice
--- http_config
    im_redis 127.0.0.1:1;
    im_node a;
    im_node b;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_node.*duplicate/



=== TEST 31: a node name with a dot
--- http_config
    im_redis 127.0.0.1:1;
    im_node a.b;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_node.*a\.b/



=== TEST 32: a node name with braces
--- http_config
    im_redis 127.0.0.1:1;
    im_node a{1};
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_node|unexpected/



=== TEST 33: a limit that is unknown
--- http_config
    im_redis 127.0.0.1:1;
    im_limit sesions=5;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_limit: "sesions=5" is unknown: do you mean sessions=\? in /



=== TEST 34: a limit that is no number
--- http_config
    im_redis 127.0.0.1:1;
    im_limit sessions=many;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_limit.*sessions=many/



=== TEST 35: a limit without a value
--- http_config
    im_redis 127.0.0.1:1;
    im_limit message;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_limit.*message/



=== TEST 36: a drain that is no time
--- http_config
    im_redis 127.0.0.1:1;
    im_drain later;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_drain|invalid value/



=== TEST 37: Redis without a port
--- http_config
    im_redis 127.0.0.1:x;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*127\.0\.0\.1:x/



=== TEST 38: an unknown option of Redis
--- http_config
    im_redis 127.0.0.1:1 speed=5;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*speed=/



=== TEST 39: a bad prefix
--- http_config
    im_redis 127.0.0.1:1 prefix={x};
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis|unexpected/



=== TEST 40: a prefix in quotes
--- http_config
    im_redis 127.0.0.1:1 "prefix={x}";
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*prefix=\{x\}/



=== TEST 41: too many partitions
--- http_config
    im_redis 127.0.0.1:1 partitions=1025;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*partitions=1025/



=== TEST 42: no partitions
--- http_config
    im_redis 127.0.0.1:1 partitions=0;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*partitions=0/



=== TEST 43: a user without a password
--- http_config
    im_redis 127.0.0.1:1 user=im;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*password/



=== TEST 44: TLS to a unix socket
--- http_config
    im_redis unix:/run/redis.sock tls=on;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*tls=on/



=== TEST 45: a limit of all servers in a location
--- config
    location = /ws { im_comet protocol=echo; im_limit sessions=5; }
--- must_die
--- error_log eval
qr/im_limit.*sessions=5/



=== TEST 46: a timeout below the ping
--- config
    location = /ws { im_comet protocol=echo; im_ping 30s timeout=10s; }
--- must_die
--- error_log eval
qr/im_ping/



=== TEST 47: a ping that is no time
--- config
    location = /ws { im_comet protocol=echo; im_ping often; }
--- must_die
--- error_log eval
qr/im_ping.*often/



=== TEST 48: an origin with a path
--- config
    location = /ws { im_comet protocol=echo; im_allow_origin https://a.example/x; }
--- must_die
--- error_log eval
qr/im_allow_origin.*https:\/\/a\.example\/x/



=== TEST 49: an origin without a scheme
--- config
    location = /ws { im_comet protocol=echo; im_allow_origin a.example; }
--- must_die
--- error_log eval
qr/im_allow_origin.*a\.example/



=== TEST 50: im_room in a location
--- config
    location = /ws { im_room a history=0; }
--- must_die
--- error_log eval
qr/im_room.*not allowed here/



=== TEST 51: im_comet in http
--- http_config
    im_comet protocol=echo;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_comet.*not allowed here/



=== TEST 52: a whole configuration is good
--- http_config
    im_redis 127.0.0.1:1 db=3 prefix=chat: partitions=64 timeout=3s refresh=1m;
    im_node comet-1;
    im_room chat:* history=100 ttl=24h presence publish=member;
    im_room ticker history=1 ttl=1m join=user publish=user history_for=user;
    im_room talk:* history=9 ttl=1m publish=anyone history_for=anyone recovery=cache
                   presence presence_for=none join_leave=all;
    im_room * history=0 join=token join_leave=asked namespace=any;
    im_room * history=1 ttl=1m namespace=none;
    im_inbox history=100000 ttl=366d;
    im_broadcast history=0;
    im_drain 10s;
    im_limit sessions=1000 per_ip=100 per_user=10 unauthenticated=100;
    im_limit handshakes=500 topics=8 topic_log=64k logs=16m;
--- config
    im_allow_origin https://a.example http://b.example:8080;
    location = /ws {
        im_comet protocol=im;
        im_auth none;
        im_ping 25s timeout=60s;
        im_limit message=16m replies=64k auth_timeout=5s;
    }
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- services
--- not_ready
--- websocket
a: open /echo
a: close 1000
http: GET /status 200
b: refused 503 /(?i)Retry-After:/ /ws
--- no_error_log
[alert]
[emerg]



=== TEST 53: routes told again too often
--- http_config
    im_redis 127.0.0.1:1 refresh=999ms;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_redis.*refresh=999ms/



=== TEST 54: what can never work is warned of (the last location is refused)
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0 publish=user;
    limit_conn_zone $binary_remote_addr zone=conn:1m;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        return 301 https://$host$request_uri;
        location = /first { im_comet protocol=echo; }
    }
--- config
    location = /a { im_comet protocol=centrifuge; im_connect /connect; limit_conn conn 1; }
    location = /b { im_comet protocol=centrifuge; if ($arg_x) { set $x 1; } }
    location = /connect { return 200; }
    location = /z { im_comet protocol=echo; return 200; }
--- must_die
--- error_log eval
[qr/"return" of the server answers before location "\/first"/,
 qr/clients can ask the location "\/connect" themselves: add "internal;"/,
 qr/limit_conn in location "\/a" counts handshakes, not sessions/,
 qr/publish= lets clients publish, but the location "\/b" has no im_connect/,
 qr/"return" in location "\/z" answers before it/]



=== TEST 55: im_webhook publish where no client may publish
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /a { im_comet protocol=centrifuge; im_webhook publish /hook; }
    location = /hook { internal; return 200; }
    location = /z { im_comet protocol=echo; return 200; }
--- must_die
--- error_log eval
qr/im_webhook: "publish" of location "\/a" is never asked/



=== TEST 56: a question to a WebSocket location
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /a { im_comet protocol=centrifuge; im_connect /a; }
--- must_die
--- error_log eval
qr/im_connect: "\/a" leads to a location of im_comet/



=== TEST 57: a time-out that is none
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /a { im_comet protocol=centrifuge; im_connect /c timeout=soon; }
--- must_die
--- error_log eval
qr/im_connect: "timeout=soon" must be a time/



=== TEST 58: a time-out of zero
--- config
    location = /a { im_comet protocol=centrifuge; im_webhook rpc /c timeout=0; }
--- must_die
--- error_log eval
qr/im_webhook: "timeout=0" must be a time/



=== TEST 59: an unknown parameter of a question
--- config
    location = /a { im_comet protocol=centrifuge; im_webhook rpc /c wait=1s; }
--- must_die
--- error_log eval
qr/im_webhook: "wait=1s" must be timeout=TIME/



=== TEST 60: an origin with the scheme of the socket
--- config
    location = /a { im_comet protocol=echo; im_allow_origin wss://a.example; }
--- must_die
--- error_log eval
qr/im_allow_origin: "wss:\/\/a\.example" has the scheme of the socket/



=== TEST 61: a star inside of an origin
--- config
    location = /a { im_comet protocol=echo; im_allow_origin https://a.*.example; }
--- must_die
--- error_log eval
qr/im_allow_origin: "https:\/\/a\.\*\.example" .*https:\/\/\*\.example\.com/



=== TEST 62: an origin without a host
--- config
    location = /a { im_comet protocol=echo; im_allow_origin self https://; }
--- must_die
--- error_log eval
qr/im_allow_origin: "https:\/\/" has no valid host/



=== TEST 63: an origin with a user, a query, a blank, a wrong port
--- config
    location = /a { im_comet protocol=echo; im_allow_origin https://a.example:99999; }
--- must_die
--- error_log eval
qr/im_allow_origin: "https:\/\/a\.example:99999" has a port/



=== TEST 64: an origin with an empty label
--- config
    location = /a { im_comet protocol=echo; im_allow_origin https://.a.example; }
--- must_die
--- error_log eval
qr/im_allow_origin: "https:\/\/\.a\.example" has no valid host/



=== TEST 65: a question with arguments
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
--- config
    location = /a { im_comet protocol=centrifuge; im_connect /b?c=d; }
    location /b { internal; return 200; }
--- must_die
--- error_log eval
qr/im_connect: "\/b\?c=d" has arguments, which questions don't have/



=== TEST 66: more sessions than connections, where the log has errors only
--- log_level: error
--- http_config
    im_limit sessions=1000000;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: open /echo
a: close 1000
--- error_log eval
qr/im_limit: "sessions=1000000" is above "worker_connections \d+": raise the latter/



=== TEST 67: a size that is none
--- http_config
    im_per_address read=4g;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_per_address: "read=4g" must be a number of bytes, such as 4096, 64k or 16m/



=== TEST 68: a number with a unit
--- http_config
    im_per_address sessions=5k;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_per_address: "sessions=5k" must be a number/



=== TEST 69: readers without a history
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 history_for=user;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*history_for= without a history: say/



=== TEST 70: readers of another kind
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=1 ttl=1h history_for=all;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*"history_for=all" is unknown; there are .*history_for=none\|member\|user\|anyone/



=== TEST 71: askers without presence
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 presence_for=anyone;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*presence_for= without presence: add presence/



=== TEST 72: joins for all without presence
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 join_leave=all;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*join_leave=all without presence: add presence/



=== TEST 73: guests kept out and let in
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 join=user publish=anyone;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*join=user.*say user in place of anyone/



=== TEST 74: who publishes, twice
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 publish=api publish=anyone;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*"publish=anyone" is there twice/



=== TEST 75: a name in a namespace without one
--- http_config
    im_redis 127.0.0.1:1;
    im_room a:* history=0 namespace=none;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*"a:\*" has namespace=none, which is for patterns/



=== TEST 76: an exact name without a namespace
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 namespace=none;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*"a" has namespace=none/



=== TEST 77: names without a namespace, twice
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0 namespace=none;
    im_room * history=1 ttl=1h namespace=none;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*"\*" is there twice/



=== TEST 78: a transport that there isn't
--- config
    location = /ws { im_comet protocol=centrifuge transport=sse,carrier; }
--- must_die
--- error_log eval
qr/im_comet: "carrier" in "transport=sse,carrier" is no transport of protocol=centrifuge: it must be websocket, sse or http_stream/



=== TEST 79: a transport that the protocol can't be spoken on
--- config
    location = /ws { im_comet protocol=im transport=sse; }
--- must_die
--- error_log eval
qr/im_comet: "sse" in "transport=sse" is no transport of protocol=im: it must be websocket/



=== TEST 80: no transport
--- config
    location = /ws { im_comet protocol=centrifuge transport=; }
--- must_die
--- error_log eval
qr/im_comet: "" in "transport=" is no transport of protocol=centrifuge/



=== TEST 81: a transport twice
--- config
    location = /ws { im_comet protocol=centrifuge transport=sse,sse; }
--- must_die
--- error_log eval
qr/im_comet: "sse" in "transport=sse,sse" is there twice/



=== TEST 82: im_comet with another option
--- config
    location = /ws { im_comet protocol=centrifuge transports=sse; }
--- must_die
--- error_log eval
qr/im_comet: "transports=sse" is unknown: it must be transport=/



=== TEST 83: the last message of no history
--- http_config
    im_redis 127.0.0.1:1;
    im_room a history=0 recovery=cache;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_room.*recovery=cache or latest without a history: say/



=== TEST 84: more topics than a session can count
--- http_config
    im_redis 127.0.0.1:1;
    im_limit topics=65001;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_limit: "topics=65001" must be from 1 to 65000/
