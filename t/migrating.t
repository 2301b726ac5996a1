# The configuration of docs/migrating-from-centrifugo.md, as it stands there: its
# namespaces do what Centrifugo's did.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

# The blocks below have @http@ and @server@ of the page.

open(my $page, '<', 'docs/migrating-from-centrifugo.md')
    or die "docs/migrating-from-centrifugo.md: $!\n";
my $text = do { local $/; <$page> };
my ($http, $server)
    = $text =~ /^```nginx\nhttp \{\n(.*?)^    server \{\n(.*?)^    \}\n\}\n```/ms
    or die "the page has no such configuration\n";

# what the test has elsewhere
$http =~ s/^ +upstream im_logic .*\n//m;
$http =~ s/^ +im_redis .*\n//m;
$http =~ s{file=/etc/im/secret}{file=\$TEST_NGINX_IM_KEYS/hs256};
$server =~ s/^ +listen .*\n//m;

my $data = do { local $/; <DATA> };
$data =~ s/^\@http\@\n/$http/mg;
$data =~ s/^\@server\@\n/$server/mg;
close DATA;
open(DATA, '<', \$data) or die "DATA: $!\n";

run_tests();

__DATA__

=== TEST 1: chat, news, score
--- http_config
@http@
--- config
@server@
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
http: POST /api/publish 200 {"channel":"news:1","data":{"n":1}} => "offset":1,
http: POST /api 200 {"method":"publish","params":{"channel":"score:1","data":{"goals":1}}} => "offset":1,
http: POST /api 200 {"method":"publish","params":{"channel":"score:1","data":{"goals":2}}} => "offset":2,
http: POST /api/publish 200 {"channel":"other:1","data":1} => "code":102
a: open /connection/websocket Origin: https://chat.example.com
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"ann"})"}}
a: like ^\{"id":1,"connect":\{"client":"(?<a>[^"]+)",.*"subs":\{"#ann":
a: send {"id":2,"subscribe":{"channel":"chat:1"}}
a: like ^\{"id":2,"subscribe":\{"recoverable":true,
a: recv {"push":{"channel":"chat:1","join":{"info":{"user":"ann","client":"$a"}}}}
b: open /connection/websocket Origin: https://chat.example.com
b: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"bob"})"}}
b: like ^\{"id":1,"connect":\{"client":"(?<b>[^"]+)"
b: send {"id":2,"publish":{"channel":"chat:1","data":1}}
b: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
b: send {"id":3,"history":{"channel":"chat:1","limit":1}}
b: recv {"id":3,"error":{"code":103,"message":"permission denied"}}
b: send {"id":4,"history":{"channel":"news:1","limit":1}}
b: like ^\{"id":4,"history":\{"publications":\[\{"data":\{"n":1\},"offset":1\}\]
b: send {"id":5,"subscribe":{"channel":"score:1","recover":true}}
b: like ^\{"id":5,"subscribe":.*"publications":\[\{"data":\{"goals":2\},"offset":2\}\]
b: send {"id":6,"history":{"channel":"score:1","limit":1}}
b: recv {"id":6,"error":{"code":103,"message":"permission denied"}}
b: send {"id":7,"subscribe":{"channel":"chat:1"}}
b: like ^\{"id":7,"subscribe":\{"recoverable":true,
b: upto "join":\{"info":\{"user":"bob","client":"$b"\}
a: recv {"push":{"channel":"chat:1","join":{"info":{"user":"bob","client":"$b"}}}}
b: send {"id":8,"publish":{"channel":"chat:1","data":{"input":"hello"}}}
b: like_set ^\{"id":8,"publish":\{\}\}$ || "pub":\{"data":\{"input":"hello"\}
a: like "channel":"chat:1","pub":\{"data":\{"input":"hello"\},"info":\{"user":"bob","client":"$b"\},"offset":1\}
b: send {"id":9,"presence_stats":{"channel":"chat:1"}}
b: recv {"id":9,"presence_stats":{"num_clients":2,"num_users":2}}
http: POST /api/publish 200 {"channel":"#ann","data":{"for":"ann"}} => "offset":1,
a: like "channel":"#ann","pub":\{"data":\{"for":"ann"\}
--- no_error_log
[error]
[alert]



=== TEST 2: team, feedback, names without a namespace, other pages
--- websocket
a: open /connection/websocket Origin: https://chat.example.com
a: send {"id":1,"connect":{"token":"JWT(HS256 hs256 {"sub":"ann"})"}}
a: like ^\{"id":1,"connect":
a: send {"id":2,"subscribe":{"channel":"team:1"}}
a: recv {"id":2,"error":{"code":103,"message":"permission denied"}}
a: send {"id":3,"subscribe":{"channel":"team:1","token":"JWT(HS256 hs256 {"sub":"ann","channel":"team:1"})"}}
a: like ^\{"id":3,"subscribe":\{"recoverable":true,
a: send {"id":4,"presence":{"channel":"team:1"}}
a: recv {"id":4,"error":{"code":103,"message":"permission denied"}}
until: POST /api/presence {"channel":"team:1"} => "user":"ann"
a: send {"id":5,"publish":{"channel":"team:1","data":1}}
a: recv {"id":5,"error":{"code":103,"message":"permission denied"}}
a: send {"id":6,"subscribe":{"channel":"feedback:1"}}
a: recv {"id":6,"error":{"code":103,"message":"permission denied"}}
a: send {"id":7,"publish":{"channel":"feedback:1","data":{"stars":5}}}
a: recv {"id":7,"publish":{}}
a: send {"id":8,"subscribe":{"channel":"lobby"}}
a: recv {"id":8,"subscribe":{}}
a: send {"id":9,"subscribe":{"channel":"unknown:1"}}
a: recv {"id":9,"error":{"code":102,"message":"unknown channel"}}
e: refused 403 /./ /connection/websocket Origin: https://evil.example
--- no_error_log
[alert]
