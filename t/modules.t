# Modules of others in the same nginx: lua's phases, echo, perl, njs,
# headers-more and set-misc, beside sessions and in the locations of questions.

BEGIN { $ENV{TEST_NGINX_LOAD_MODULES} = ' ' }

my @Missing;

BEGIN {
    my $dir = $ENV{TEST_NGINX_MODULES} ||= '/usr/lib/nginx/modules';

    @Missing = grep { !-e "$dir/$_.so" } qw(
        ndk_http_module ngx_http_lua_module ngx_http_echo_module
        ngx_http_perl_module ngx_http_js_module ngx_http_set_misc_module
        ngx_http_headers_more_filter_module);
}

use lib 't/lib';
use Test::Im;
use Test::Im::Nginx qw(foreign);

my $Foreign;
BEGIN { $Foreign = foreign("$ENV{TEST_NGINX_MODULES}/ndk_http_module.so") }

use Test::Nginx::Socket @Missing ? (skip_all => "not installed: @Missing")
    : $Foreign ? (skip_all => $Foreign) : 'no_plan';

use IO::Socket::INET;

# takes connections and never answers
my $Mute = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
    or die "no socket: $!\n";

$ENV{TEST_NGINX_MUTE} = $Mute->sockport;

run_tests();

__DATA__

=== TEST 1: lua's phases in the locations of questions
--- main_config
    load_module $TEST_NGINX_MODULES/ndk_http_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_lua_module.so;
    load_module "$TEST_NGINX_IM_MODULE";
--- http_config
    im_room * history=10 ttl=1h publish=member;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location / { content_by_lua_block { ngx.sleep(0.05) ngx.say('{"result":{"data":"cosocket"}}') } }
    }
--- config
    server_rewrite_by_lua_block { if ngx.var.http_user_agent ~= "x" and not ngx.var.uri:match("^/_ready") and ngx.var.uri ~= "/lua/inner" then ngx.exit(403) end }
    rewrite_by_lua_block { ngx.sleep(0.001) ngx.ctx.server = 1 }
    header_filter_by_lua_block { ngx.header["X-Lua"] = ngx.var.uri }
    body_filter_by_lua_block { ngx.ctx.body = 1 }
    log_by_lua_block { ngx.log(ngx.INFO, "logged ", ngx.var.uri) }

    location = /ws {
        access_by_lua_block { ngx.sleep(0.01) }
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /centrifuge {
        rewrite_by_lua_block { ngx.sleep(0.01) }
        im_comet protocol=centrifuge;
        im_connect /im_connect;
        im_webhook connect /lua/connect;
        im_webhook rpc /lua/rpc;
        im_webhook subscribe /lua/subscribe;
    }
    location = /denied { access_by_lua_block { ngx.exit(403) } im_comet protocol=echo; }
    location = /late { im_comet protocol=centrifuge; im_webhook rpc /lua/late timeout=200ms; }
    location = /im_connect {
        internal;
        rewrite_by_lua_block { ngx.sleep(0.01) ngx.req.set_header("X-Lua", "1") }
        log_by_lua_block { ngx.log(ngx.INFO, "asked") }
        fastcgi_pass im_logic;
        include im_params;
    }
    location = /lua/connect {
        internal;
        content_by_lua_block {
            ngx.sleep(0.02)
            ngx.req.read_body()
            ngx.say('{"result":{"user":"u7","data":"', ngx.var.scheme, ' ', ngx.var.remote_addr, ' ', #ngx.req.get_body_data() > 10, '"}}')
        }
    }
    location = /lua/subscribe {
        internal;
        content_by_lua_block {
            local res = ngx.location.capture("/lua/inner")
            ngx.print(res.body)
        }
    }
    location = /lua/inner { internal; content_by_lua_block { ngx.sleep(0.01) ngx.say('{"result":{}}') } }
    location = /lua/rpc {
        internal;
        content_by_lua_block {
            local s = ngx.socket.tcp()
            assert(s:connect("127.0.0.1", $TEST_NGINX_IM_HTTP2))
            s:send("GET / HTTP/1.0\r\n\r\n")
            local all = s:receive("*a")
            ngx.print(all:match("\r\n\r\n(.*)"))
        }
    }
    location = /lua/late {
        internal;
        lua_check_client_abort on;
        content_by_lua_block {
            ngx.on_abort(function() end)
            local s = ngx.socket.tcp()
            s:settimeout(60000)
            s:connect("127.0.0.1", $TEST_NGINX_MUTE)
            s:receive("*l")
            ngx.sleep(60)
        }
    }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: :$TEST_NGINX_IM_HTTP /im/health ^200
a: refused 403 /ws
a: refused 403 /denied User-Agent: x
a: open /ws User-Agent: x
a: answered (?i)X-Lua: /ws
a: send {"auth":"0123456789abcdef","roomId":1}
a: recv op 4
b: open /centrifuge User-Agent: x
b: send {"id":1,"connect":{}}
b: like "data":"http 127.0.0.1 true"
b: send {"id":2,"subscribe":{"channel":"1"}}
b: like "id":2,"subscribe"
b: send {"id":3,"publish":{"channel":"1","data":{"msg":"hi"}}}
b: like_set "id":3,"publish" || "pub".*"hi"
a: upto "msg":"hi"
b: send {"id":4,"rpc":{"method":"m","data":1}}
b: like "id":4,"rpc".*"cosocket"
c: open /late User-Agent: x
c: send {"id":1,"connect":{}}
c: like "client"
c: send {"id":2,"rpc":{"method":"m","data":1}}
c: like "id":2,"error":\{"code":100,
c: send {"id":3,"rpc":{"method":"m","data":1}}
c: like "id":3,"error":\{"code":100,
c: send {"id":4,"rpc":{"method":"m","data":1}}
c: cut
b: close
a: close
--- no_error_log
[alert]



=== TEST 2: redirects and content of lua, echo and perl lead to a session
--- main_config
    load_module $TEST_NGINX_MODULES/ndk_http_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_lua_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_echo_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_perl_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_js_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_set_misc_module.so;
    load_module $TEST_NGINX_MODULES/ngx_http_headers_more_filter_module.so;
    load_module "$TEST_NGINX_IM_MODULE";
--- http_config
    js_import im from seams.js;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_HTTP2;
        location / { return 200 '{"result":{}}'; }
    }
    perl_set $of_perl 'sub { my $r = shift; return "perl" . $r->uri; }';
--- user_files
>>> ../conf/seams.js
async function hook(r) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    r.return(200, JSON.stringify({ result: { data: 'njs ' + r.method } }));
}

async function asks(r) {
    const reply = await ngx.fetch(`http://127.0.0.1:${r.variables.fetch_port}/`);
    const text = await reply.text();
    r.return(200, text);
}

function accept(r) { r.internalRedirect('/echo'); }
function set(r) { return 'js'; }

export default { hook, asks, accept, set };
--- config
    more_set_headers "X-More: $uri";
    js_set $of_js im.set;

    location = /echo {
        set_unescape_uri $x $arg_x;
        more_set_headers "X-Of: $of_js$of_perl$x";
        more_set_input_headers "X-In: 1";
        im_comet protocol=echo;
    }
    location = /lua    { rewrite_by_lua_block { ngx.exec("/echo") } }
    location = /lua2   { access_by_lua_block { ngx.sleep(0.01) ngx.exec("/echo", "x=1") } }
    location = /lua3   { content_by_lua_block { ngx.sleep(0.01) return ngx.exec("@named") } }
    location = /lua4   { rewrite_by_lua_block { ngx.req.set_uri("/echo", true) } }
    location = /echo_exec { echo_exec /echo; }
    location = /echo_exec2 { echo_sleep 0.01; echo_exec @named; }
    location = /perl   { perl 'sub { my $r = shift; $r->internal_redirect("/echo"); return 200; }'; }
    location = /js     { js_content im.accept; }
    location @named    { im_comet protocol=echo; }

    location = /c {
        im_comet protocol=centrifuge;
        im_webhook rpc /hook/js;
        im_webhook subscribe /hook/asks;
    }
    location = /c2 { im_comet protocol=centrifuge; im_webhook rpc /hook/echo; }
    location = /c3 { im_comet protocol=centrifuge; im_webhook rpc /hook/perl; }
    location = /hook/js   { internal; js_content im.hook; }
    location = /hook/asks { internal; set $fetch_port $TEST_NGINX_IM_HTTP2; js_content im.asks; }
    location = /hook/echo { internal; echo_sleep 0.01; echo '{"result":{"data":"echo $echo_request_method"}}'; }
    location = /hook/perl {
        internal;
        perl 'sub {
            my $r = shift;
            $r->sleep(10, sub {
                my $r = shift;
                $r->send_http_header("application/json");
                $r->print(q({"result":{"data":"perl ), $r->remote_addr, q("}}));
                return 0;
            });
            return 0;
        }';
    }
--- websocket
a: open /echo?x=a%20b
a: answered (?i)X-More: /echo
a: answered X-Of: jsperl/echoa b
a: send hi
a: recv_text hi
a: close 1000
a: open /lua
a: send lua
a: recv_text lua
a: close 1000
a: open /lua2
a: send lua2
a: recv_text lua2
a: close 1000
a: open /lua3
a: send lua3
a: recv_text lua3
a: close 1000
a: open /lua4
a: send lua4
a: recv_text lua4
a: close 1000
a: open /echo_exec
a: send echo_exec
a: recv_text echo_exec
a: close 1000
a: open /echo_exec2
a: send echo_exec2
a: recv_text echo_exec2
a: close 1000
a: open /perl
a: send perl
a: recv_text perl
a: close 1000
a: open /js
a: send js
a: recv_text js
a: close 1000
b: open /c
b: send {"id":1,"connect":{}}
b: like "client"
b: send {"id":2,"rpc":{"method":"m","data":1}}
b: like "id":2,"rpc".*"njs POST"
b: send {"id":3,"subscribe":{"channel":"1"}}
b: like "id":3,"subscribe"
b: close
b: open /c2
b: send {"id":1,"connect":{}}
b: like "client"
b: send {"id":2,"rpc":{"method":"m","data":1}}
b: like "id":2,"rpc".*"echo POST"
b: close
b: open /c3
b: send {"id":1,"connect":{}}
b: like "client"
b: send {"id":2,"rpc":{"method":"m","data":1}}
b: like "id":2,"rpc".*"perl 127.0.0.1"
b: close
--- no_error_log
[alert]
