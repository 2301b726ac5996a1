# Where im meets nginx's own machinery: the rules of a server, redirects,
# delays, copies of requests.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

use IO::Socket::INET;

# takes connections and never answers
my $Mute = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
    or die "no socket: $!\n";

$ENV{TEST_NGINX_MUTE} = $Mute->sockport;

# refuses connections
my $Dead = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1',
                                 LocalPort => 0)
    or die "no socket: $!\n";

$ENV{TEST_NGINX_IM_DEAD} = $Dead->sockport;

run_tests();

__DATA__

=== TEST 1: rules of the server are for clients, not for questions
--- http_config
    im_room * history=10 ttl=1h publish=member;
--- config
    if ($http_user_agent = "") { return 403; }
    if ($http_x_forwarded_proto != https) { return 301 https://$host$request_uri; }
    if ($request_method = POST) { return 405; }
    rewrite ^/im_connect$ /elsewhere;
    rewrite ^/hook /elsewhere;

    set $logic im_logic;
    set $host_of $host;
    if ($host ~ ^(lo)cal) { set $part $1; }
    if ($host = other) { set $part no; }
    rewrite ^/hook/rpc /elsewhere last;
    set $after yes;

    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_connect; }
    location = /centrifuge {
        im_comet protocol=centrifuge;
        im_connect /im_connect;
        im_webhook connect /hook;
        im_webhook rpc /hook/rpc;
    }
    location = /im_connect { internal; fastcgi_pass $logic; include im_params; }
    location = /hook { internal; return 200 '{"result":{"user":"u7"}}'; }
    location = /hook/rpc { internal; return 200 '{"result":{"data":"here $host_of $part $after"}}'; }
    location /elsewhere { return 410; }
--- tokens
0123456789abcdef u1 Ann
--- request
GET /_ready
--- error_code: 403
--- websocket
until: :$TEST_NGINX_IM_HTTP /im/health ^200
a: refused 403 /ws
a: refused 301 /ws User-Agent: x
a: open /ws User-Agent: x | X-Forwarded-Proto: https
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /centrifuge User-Agent: x | X-Forwarded-Proto: https
b: send {"id":1,"connect":{}}
b: like "client"
b: send {"id":2,"subscribe":{"channel":"1"}}
b: like "id":2,"subscribe"
b: send {"id":3,"publish":{"channel":"1","data":{"msg":"hi"}}}
b: like_set "id":3,"publish" || "pub".*"hi"
a: upto "msg":"hi"
b: send {"id":4,"rpc":{"method":"m","data":1}}
b: like "id":4,"rpc".*"here localhost lo yes"
--- no_error_log
[error]
[alert]



=== TEST 2: a question has the scheme, the host and the addresses of its client
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_TLS ssl;
    server_name ~^(?<sub>\w+)\.example\.com$ _;
    ssl_certificate $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;

    location = /ws { im_comet protocol=centrifuge; im_webhook connect /hook; im_webhook rpc /proxied; }
    location = /hook {
        internal;
        return 200 '{"result":{"user":"u","data":"$scheme $host $http_host $remote_addr $server_addr:$server_port $https $ssl_protocol $ssl_cipher $connection|$remote_port|$request_id|$sub"}}';
    }
    location = /proxied {
        internal;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location / { return 200 '{"result":{"data":"$http_host $http_x_forwarded_proto $http_x_forwarded_for"}}'; }
    }
--- websocket
a: open /ws Host: One.Example.com:8080
a: send {"id":1,"connect":{}}
a: like "data":"http one.example.com One.Example.com:8080 127.0.0.1 127.0.0.1:\d+    \d+\|\d+\|[0-9a-f]{32}\|one"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc":\{"data":"one.example.com http 127.0.0.1"
b: open tls /ws Host: two.example.com
b: send {"id":1,"connect":{}}
b: like "data":"https two.example.com two.example.com 127.0.0.1 127.0.0.1:$TEST_NGINX_IM_TLS on TLSv1\S+ \S+ \d+\|
b: send {"id":2,"rpc":{"method":"m","data":1}}
b: like "id":2,"rpc":\{"data":"two.example.com https 127.0.0.1"
c: open from=127.0.0.9 /ws Host: [::1]:80
c: send {"id":1,"connect":{}}
c: like "data":"http \[::1\] \[::1\]:80 127.0.0.9 127.0.0.1:
d: refused 400 /ws Host: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
--- no_error_log
[error]
[alert]



=== TEST 3: a backend that never answers
--- config
    location = /ws { im_comet protocol=im; im_auth token; im_connect /mute timeout=300ms; }
    location = /centrifuge {
        im_comet protocol=centrifuge;
        im_webhook rpc /mute timeout=200ms;
        im_webhook subscribe /mute/subscribe timeout=200ms;
    }
    location = /connect { im_comet protocol=centrifuge; im_webhook connect /mute timeout=1; }
    location /mute { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_MUTE; }
--- websocket
a: open /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv_close 1013
b: open /centrifuge
b: send {"id":1,"connect":{}}
b: like "client"
b: send {"id":2,"rpc":{"method":"m","data":1}}
b: like "id":2,"error":\{"code":100,
b: send {"id":3,"subscribe":{"channel":"1"}}
b: like "id":3,"error":\{"code":100,
b: send {"id":4,"rpc":{"method":"m","data":1}}
b: cut
c: open /connect
c: send {"id":1,"connect":{}}
c: like "id":1,"error":\{"code":100,
log: "/mute" can't tell who a token is: status 504
log: "/mute" can't be understood: the status is not 200 \(status 504\)
--- no_error_log
[alert]



=== TEST 4: every kind of internal redirect leads to a session
--- config
    error_page 418 /echo;
    error_page 419 = @named;
    error_page 421 =200 /echo;
    error_page 422 =101 @named;

    location = /echo { im_comet protocol=echo; }
    location = /internal { internal; im_comet protocol=echo; }
    location @named { im_comet protocol=echo; }

    location = /accel {
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2/accel;
    }
    location = /accel_named {
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2/named;
    }
    location = /418 { return 418; }
    location = /419 { return 419; }
    location = /421 { return 421; }
    location = /422 { return 422; }
    location = /intercept {
        proxy_intercept_errors on;
        error_page 404 500 = /internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2/none;
    }
    location = /down {
        error_page 502 = /internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_IM_DEAD;
    }
    location = /try       { try_files /nothing.here /internal; }
    location = /try_named { try_files /nothing.here @named; }
    location = /rewrite   { rewrite ^ /internal last; }
    location = /break     { rewrite ^ /x break; im_comet protocol=echo; }
    location /index/      { index /internal; }
    location = /denied    { error_page 403 = @named; deny all; }
    location = /auth {
        auth_request /no;
        error_page 401 = /internal;
    }
    location = /no { internal; return 401; }
    location = /if { if ($arg_x) { rewrite ^ /internal last; } return 404; }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location = /accel {
            add_header X-Accel-Redirect /internal;
            add_header Cache-Control private;
            add_header X-Accel-Limit-Rate 10;
            default_type text/x-upstream;
            return 200 "a body";
        }
        location = /named { add_header X-Accel-Redirect @named; return 200 "a body"; }
        location / { return 404; }
    }
--- websocket
a: open /echo
a: send 1
a: recv_text 1
a: close 1000
a: open /accel
a: send accel
a: recv_text accel
a: close 1000
a: open /accel_named
a: send accel_named
a: recv_text accel_named
a: close 1000
a: open /418
a: send 418
a: recv_text 418
a: close 1000
a: open /419
a: send 419
a: recv_text 419
a: close 1000
a: open /421
a: send 421
a: recv_text 421
a: close 1000
a: open /422
a: send 422
a: recv_text 422
a: close 1000
a: open /intercept
a: send intercept
a: recv_text intercept
a: close 1000
a: open /down
a: send down
a: recv_text down
a: close 1000
a: open /try
a: send try
a: recv_text try
a: close 1000
a: open /try_named
a: send try_named
a: recv_text try_named
a: close 1000
a: open /rewrite
a: send rewrite
a: recv_text rewrite
a: close 1000
a: open /break
a: send break
a: recv_text break
a: close 1000
a: open /index/
a: send index
a: recv_text index
a: close 1000
a: open /denied
a: send denied
a: recv_text denied
a: close 1000
a: open /auth
a: send auth
a: recv_text auth
a: close 1000
a: open /if?x=1
a: send if
a: recv_text if
a: close 1000
a: refused 404 /internal
--- no_error_log
[alert]



=== TEST 5: conditional blocks, nested and regular expression locations
--- http_config
    im_room * history=10 ttl=1h;
--- config
    if ($arg_server) { set $y 1; }

    location = /echo {
        if ($arg_v) { set $x 1; }
        if ($arg_deny) { return 403; }
        if ($arg_else) { rewrite ^ /other last; }
        if ($http_x_one = 1) { add_header X-One yes always; }
        im_comet protocol=echo;
        im_limit message=1k;
        im_allow_origin https://a.example;
        limit_except GET { deny all; }
    }
    location = /other { return 410; }
    location /outer {
        if ($arg_v) { set $x 1; }
        im_comet protocol=echo;
        location ~ ^/outer/(\w+)$ {
            if ($arg_w) { set $z $1; }
            im_comet protocol=echo;
        }
        location /outer/plain/ { return 411; }
    }
    location = /ws {
        if ($arg_v) { set $x 1; }
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /proxied {
        if ($arg_p) { return 412; }
        if ($arg_q) { proxy_pass http://127.0.0.1:$TEST_NGINX_IM_DEAD; }
        im_comet protocol=echo;
    }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: :$TEST_NGINX_IM_HTTP /im/health ^200
a: open /echo?v=1
a: send hi
a: recv_text hi
a: send_big 2000
a: recv_close 1009
a: open /echo?server=1
a: send hi
a: recv_text hi
a: close 1000
a: refused 403 /echo?deny=1
a: refused 410 /echo?else=1
a: refused 403 /echo?v=1 Origin: https://b.example
a: open /echo?v=1 Origin: https://a.example
a: send hi
a: recv_text hi
a: close 1000
a: open /echo X-One: 1
a: close 1000
a: refused 403 /echo =POST | Content-Length: 0
a: open /outer?v=1
a: send hi
a: recv_text hi
a: close 1000
a: open /outer/any?w=1
a: send hi
a: recv_text hi
a: close 1000
a: refused 411 /outer/plain/
b: open /ws?v=1
b: send {"auth":"0123456789abcdef","roomId":1}
b: recv op 4
a: refused 412 /proxied?p=1
a: refused 502 /proxied?q=1
a: open /proxied
a: close 1000
--- no_error_log
[alert]



=== TEST 6: beside what delays, limits, copies and checks requests
--- http_config
    limit_req_zone $binary_remote_addr zone=slow:1m rate=10r/s;
    limit_conn_zone $binary_remote_addr zone=conn:1m;
    map $http_x_user $who { default nobody; ann ann; }
    geo $ok { default 0; 127.0.0.1 1; }
    split_clients $request_id $half { 50% a; * b; }

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location /ok { return 204; }
        location /copy { return 200 "copied"; }
    }
--- config
    location = /req     { im_comet protocol=echo; limit_req zone=slow burst=20; }
    location = /delay   { im_comet protocol=echo; limit_req zone=slow burst=20 delay=1; }
    location = /conn    { im_comet protocol=echo; limit_conn conn 100; }
    location = /mirror  { im_comet protocol=echo; mirror /copy; }
    location = /mirrors { im_comet protocol=echo; mirror /copy; mirror /down; mirror_request_body off; }
    location = /mute    { im_comet protocol=echo; mirror /mute_copy; }
    location = /auth    { im_comet protocol=echo; auth_request /ok; auth_request_set $u $upstream_status; add_header X-U $u always; }
    location = /any     { im_comet protocol=echo; satisfy any; deny all; auth_request /ok; }
    location = /no      { im_comet protocol=echo; auth_delay 100ms; auth_request /401; }
    location = /rate    { im_comet protocol=echo; limit_rate 10; }
    location = /after   { im_comet protocol=echo; post_action /ok; }
    location = /body    { im_comet protocol=echo; client_body_in_file_only on; slice 1k; add_after_body /ok; sub_filter a b; sub_filter_types *; gzip on; gzip_types *; chunked_transfer_encoding on; expires max; userid on; }
    location = /cond    { im_comet protocol=echo; add_header X-Who $who$ok$half always; dav_methods PUT; autoindex on; }
    location /ok   { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location /401  { internal; return 401; }
    location /copy { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location /down { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_DEAD; }
    location /mute_copy { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_MUTE; proxy_read_timeout 300ms; }
--- websocket
a: open /req
b: open /req
c: open /req
a: send 1
a: recv_text 1
b: send 2
b: recv_text 2
c: send 3
c: recv_text 3
a: close 1000
b: close 1000
c: close 1000
a: open /delay
b: open /delay
c: open /delay
c: send 3
c: recv_text 3
a: open /conn
a: send conn
a: recv_text conn
a: open /mirror
a: send mirror
a: recv_text mirror
a: close 1000
a: open /mirrors
a: send mirrors
a: recv_text mirrors
a: close 1000
a: open /mute
a: send mute
a: recv_text mute
a: close 1000
b: open /mute
b: cut
a: open /auth
a: send auth
a: recv_text auth
a: open /any
a: send any
a: recv_text any
a: refused 401 /no
a: open /rate
a: send rate
a: recv_text rate
a: open /after
a: send after
a: recv_text after
a: open /body
a: send body
a: recv_text body
a: open /cond X-User: ann
a: send cond
a: recv_text cond
a: close 1000
--- no_error_log
[alert]



=== TEST 7: what nginx can do in the location of a question
--- http_config
    im_room * history=10 ttl=1h;
    limit_req_zone $server_name zone=asked:1m rate=20r/s;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location = /accel { add_header X-Accel-Redirect /hook/inner; return 200 no; }
        location = /500 { return 500; }
        location / { return 200 '{"result":{"data":"$uri"}}'; }
    }
--- config
    deny all;
    auth_basic closed;
    auth_basic_user_file /nonexistent;
    mirror /copy;

    location = /delay { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/delay; }
    location = /page  { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/page; }
    location = /named { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/named; }
    location = /try   { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/try; }
    location = /accel { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/accel; }
    location = /last  { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/last; }
    location = /444   { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/444; }
    location = /204   { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/204; }
    location = /down  { allow all; auth_basic off; im_comet protocol=centrifuge; im_webhook rpc /hook/down; }

    location = /hook/delay { internal; limit_req zone=asked burst=10; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2; }
    location = /hook/page  { internal; error_page 500 =200 /hook/inner; proxy_intercept_errors on; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2/500; }
    location = /hook/named { internal; error_page 502 =200 @inner; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_DEAD; }
    location = /hook/try   { internal; try_files /nothing @inner; }
    location = /hook/accel { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_HTTP2/accel; }
    location = /hook/last  { internal; rewrite ^ /hook/inner last; }
    location = /hook/444   { internal; return 444; }
    location = /hook/204   { internal; return 204; }
    location = /hook/down  { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_DEAD; }
    location = /hook/inner { internal; return 200 '{"result":{"data":"inner"}}'; }
    location @inner        { return 200 '{"result":{"data":"at inner"}}'; }
    location = /copy       { internal; return 204; }
--- request
GET /_ready
--- error_code: 204
--- websocket
a: open /delay
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc".*"/hook/delay"
a: send {"id":3,"rpc":{"method":"m","data":1}}
a: like "id":3,"rpc".*"/hook/delay"
a: send {"id":4,"rpc":{"method":"m","data":1}}
a: like "id":4,"rpc".*"/hook/delay"
a: close
a: open /page
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc".*"inner"
a: close
a: open /named
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc".*"at inner"
a: close
a: open /try
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc".*"at inner"
a: close
a: open /accel
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc".*"inner"
a: close
a: open /last
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"rpc".*"inner"
a: close
a: open /444
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"error":\{"code":100
a: close
a: open /204
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"error":\{"code":100
a: close
a: open /down
a: send {"id":1,"connect":{}}
a: like "client"
a: send {"id":2,"rpc":{"method":"m","data":1}}
a: like "id":2,"error":\{"code":100
a: close
--- no_error_log
[alert]
