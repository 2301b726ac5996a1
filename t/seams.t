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

    location = /ws { im_comet protocol=im; im_auth token; im_connect /im_connect; }
    location = /centrifuge {
        im_comet protocol=centrifuge;
        im_connect /im_connect;
        im_webhook connect /hook;
        im_webhook rpc /hook/rpc;
    }
    location = /im_connect { internal; fastcgi_pass im_logic; include im_params; }
    location = /hook { internal; return 200 '{"result":{"user":"u7"}}'; }
    location = /hook/rpc { internal; return 200 '{"result":{"data":"here"}}'; }
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
b: like "id":4,"rpc".*"here"
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
        return 200 '{"result":{"user":"u","data":"$scheme $host $http_host $remote_addr $server_addr:$server_port $https $ssl_protocol $ssl_cipher $connection|$remote_port|$request_id"}}';
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
a: like "data":"http one.example.com One.Example.com:8080 127.0.0.1 127.0.0.1:\d+    \d+\|\d+\|[0-9a-f]{32}"
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
