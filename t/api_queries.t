# Centrifugo's server API: what it tells.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: history
--- http_config
    im_room h          history=1000 ttl=1h;
    im_room p          history=10 ttl=1h presence;
    im_room live       history=0 presence;
    im_room many:*     history=0;
    im_inbox           history=10 ttl=1h;
    im_broadcast       history=0;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /none { im_comet protocol=centrifuge; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location = /call { rewrite ^ /im_connect; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
fedcba9876543210 u2 Bob
--- websocket
until: /im/health ^200
http: POST /api/history 200 {"channel":"h"} => ^\{"result":\{"publications":\[\],"epoch":"","offset":0\}\}\n$
http: POST /api/history 200 {"channel":"h","limit":-1} => ^\{"result":\{"publications":\[\],"epoch":"","offset":0\}\}\n$
redis: KEYS *:r:h:* => ^$
http: POST /api/publish 200 {"channel":"h","data":{"n":1}} => ^\{"result":\{"offset":1,"epoch":"(?<epoch>\w+)"\}\}
http: POST /api/history 200 {"channel":"h","limit":-1,"since":{"offset":0,"epoch":""}} => \[\{"data":\{"n":1\},"offset":1\}\],"epoch":"$epoch"
http: POST /api/publish 200 {"channel":"h","data":2,"tags":{"a":"b"}} => "offset":2
http: POST /call 200 {"call":"publish","room":"h","data":3,"user":"u1","name":"Ann","session":"s1","info":{"x":1}} => "seq":3
http: POST /api/publish 200 {"channel":"h","b64data":"/wD+"} => "offset":4
http: POST /api/history 200 {"channel":"h"} => ^\{"result":\{"publications":\[\],"epoch":"$epoch","offset":4\}\}\n$
http: POST /api/history 200 {"channel":"h","limit":0} => "publications":\[\]
http: POST /api/history 200 {"channel":"h","limit":-1} => "publications":\[\{"data":\{"n":1\},"offset":1\},\{"data":2,"offset":2,"tags":\{"a":"b"\}\},\{"data":3,"info":\{"user":"u1","client":"s1","conn_info":\{"x":1\}\},"offset":3\},\{"data":"/wD\+","offset":4\}\],"epoch":"$epoch","offset":4\}
http: POST /api/history 200 {"channel":"h","limit":2} => \[\{"data":\{"n":1\},"offset":1\},\{"data":2,"offset":2,[^]]*\],"epoch"
http: POST /api/history 200 {"channel":"h","limit":2,"since":{"offset":1,"epoch":"$epoch"}} => \[\{"data":2,"offset":2,[^]]*\},\{"data":3,[^]]*\],"epoch"
http: POST /api/history 200 {"channel":"h","limit":10,"since":{"offset":3}} => \[\{"data":"/wD\+","offset":4\}\],
http: POST /api/history 200 {"channel":"h","limit":10,"since":{"offset":4,"epoch":"$epoch"}} => "publications":\[\],
http: POST /api/history 200 {"channel":"h","limit":2,"reverse":true} => \[\{"data":"/wD\+","offset":4\},\{"data":3,[^]]*\],"epoch":"$epoch","offset":4\}
http: POST /api/history 200 {"channel":"h","limit":1,"reverse":true,"since":{"offset":3,"epoch":"$epoch"}} => \[\{"data":2,[^]]*\],"epoch":"$epoch","offset":4\}
http: POST /api/history 200 {"channel":"h","limit":9,"reverse":true,"since":{"offset":1,"epoch":"$epoch"}} => "publications":\[\],
--- no_error_log
[error]
[alert]



=== TEST 2: what history refuses
--- websocket
http: POST /api/history 200 {"channel":"h","limit":1,"since":{"offset":1,"epoch":"other"}} => "code":112,
http: POST /api/history 416 (X-Centrifugo-Error-Mode: transport) {"channel":"h","limit":1,"since":{"offset":1,"epoch":"other"}} => ^\{"code":112,
http: POST /api/history 200 {"channel":"h","limit":1,"reverse":true,"since":{"offset":0}} => "code":107,
http: POST /api/history 200 {"channel":"h","limit":1,"since":{"offset":-1}} => "code":107,
http: POST /api/history 200 {"channel":"h","limit":1,"since":{"offset":"1"}} => "code":107,
http: POST /api/history 400 {"channel":"h","limit":"1"}
http: POST /api/history 400 {"channel":"h","since":1}
http: POST /api/history 200 {} => "code":107,
http: POST /api/history 200 {"channel":"\u0001"} => "code":107,
http: POST /api/history 200 {"channel":"none"} => "code":102,
http: POST /api/history 200 {"channel":"live"} => "code":108,
http: POST /api/history 200 {"channel":"#"} => "code":108,
http: POST /api/history_remove 200 {"channel":"live"} => "code":108,
http: POST /api/history_remove 200 {"channel":"none"} => "code":102,
http: POST /api/history_remove 200 {} => "code":107,
--- no_error_log
[error]
[alert]



=== TEST 3: history_remove: the numbers go on; inboxes have a history too
--- websocket
http: POST /api/history_remove 200 {"channel":"h"} => ^\{"result":\{\}\}\n$
http: POST /api/history 200 {"channel":"h","limit":-1} => "publications":\[\],"epoch":"(?<epoch>\w+)","offset":4\}
http: POST /api/publish 200 {"channel":"h","data":5} => "offset":5,"epoch":"$epoch"
http: POST /api/history 200 {"channel":"h","limit":-1} => \[\{"data":5,"offset":5\}\],"epoch":"$epoch","offset":5\}
http: POST /api/history_remove 200 {"channel":"p"} => ^\{"result":\{\}\}\n$
http: POST /api/publish 200 {"channel":"#u1","data":1} => "offset":1,
http: POST /api/history 200 {"channel":"#u1","limit":-1} => \[\{"data":1,"offset":1\}\]
--- no_error_log
[error]
[alert]



=== TEST 4: pages, and an answer's largest size
--- websocket
flood: 50 room h
http: POST /api/history 200 {"channel":"h","limit":1,"reverse":true} => "offset":55\}\],"epoch":"\w+","offset":55\}
http: POST /api/history 200 {"channel":"h","limit":-1} => ^\{"result":\{"publications":\[\{"data":5,"offset":5\},.*"offset":40\}\],"epoch":"\w+","offset":55\}
http: POST /api/history 200 {"channel":"h","limit":-1,"since":{"offset":40}} => ^\{"result":\{"publications":\[\{"data":"x+","offset":41\},.*"offset":55\}\],"epoch":"\w+","offset":55\}
http: POST /api/history 200 {"channel":"h","limit":-1,"reverse":true} => "publications":\[\{"data":"x+","offset":55\},.*"offset":21\}\],"epoch":"\w+","offset":55\}
http: POST /api/batch 200 {"commands":[{"history":{"channel":"h","limit":-1}},{"history":{"channel":"h","limit":-1}},{"history":{"channel":"h"}}]} => \{"error":\{"code":100,"message":"internal server error: the answers are too large"\}\},\{"history":\{"publications":\[\],
--- no_error_log
[error]
[alert]



=== TEST 5: presence and presence_stats
--- websocket
http: POST /api/presence 200 {"channel":"p"} => ^\{"result":\{"presence":\{\}\}\}\n$
http: POST /api/presence_stats 200 {"channel":"p"} => ^\{"result":\{"num_clients":0,"num_users":0\}\}\n$
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like "client":"(?<one>[0-9a-f-]{36})"
a: send {"subscribe":{"channel":"p"},"id":2}
a: like ^\{"id":2,"subscribe":
b: open /ws
b: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: like "client":"(?<two>[0-9a-f-]{36})"
b: send {"subscribe":{"channel":"p"},"id":2}
b: like ^\{"id":2,"subscribe":
until: POST /api/presence {"channel":"p"} => \{(?=.*"$one":\{"user":"u1","client":"$one"\})(?=.*"$two":\{"user":"u1","client":"$two"\})
http: POST /api/presence_stats 200 {"channel":"p"} => ^\{"result":\{"num_clients":2,"num_users":1\}\}\n$
c: open /ws
c: send {"connect":{"token":"fedcba9876543210"},"id":1}
c: like "client":
c: send {"subscribe":{"channel":"p"},"id":2}
c: like ^\{"id":2,"subscribe":
until: POST /api/presence_stats {"channel":"p"} => \{"num_clients":3,"num_users":2\}
http: POST /api/presence 200 {"channel":"#u2"} => ^\{"result":\{"presence":\{"[0-9a-f-]{36}":\{"user":"u2","client":"[0-9a-f-]{36}"\}\}\}\}\n$
http: POST /api/presence_stats 200 {"channel":"#u1"} => ^\{"result":\{"num_clients":2,"num_users":1\}\}\n$
a: close
b: cut
until: POST /api/presence_stats {"channel":"p"} => \{"num_clients":1,"num_users":1\}
c: close
http: POST /api/presence 200 {"channel":"h"} => "code":108,
http: POST /api/presence_stats 200 {"channel":"h"} => "code":108,
http: POST /api/presence 200 {"channel":"#"} => "code":108,
http: POST /api/presence 200 {"channel":"none"} => "code":102,
http: POST /api/presence 200 {} => "code":107,
http: POST /api/presence_stats 200 {"channel":"a\u0000"} => "code":107,
http: POST /api/presence 400 {"channel":[]}
--- no_error_log
[error]
[alert]



=== TEST 6: channels and info
--- websocket
until: POST /api/channels {} => ^200 \{"result":\{"channels":\{\}\}\}\n$
a: open /none
a: send {"connect":{},"id":1}
a: like "client":
a: send {"subscribe":{"channel":"p"},"id":2}
a: like ^\{"id":2
a: send {"subscribe":{"channel":"many:1"},"id":3}
a: like ^\{"id":3
b: open /ws
b: send {"connect":{"token":"0123456789abcdef"},"id":1}
b: like "client":
b: send {"subscribe":{"channel":"many:1"},"id":2}
b: like ^\{"id":2
until: POST /api/channels {} => ^200 \{"result":\{"channels":\{(?=.*"p":\{"num_clients":1\})(?=.*"many:1":\{"num_clients":2\})
until: POST /api/presence {"channel":"p"} => "presence":\{"[0-9a-f-]{36}":\{"user":"","client":"[0-9a-f-]{36}"\}\}
http: POST /api/presence_stats 200 {"channel":"p"} => \{"num_clients":1,"num_users":1\}
http: POST /api/channels 200 {"pattern":"many:*"} => ^\{"result":\{"channels":\{"many:1":\{"num_clients":2\}\}\}\}\n$
http: POST /api/channels 200 {"pattern":"x*"} => ^\{"result":\{"channels":\{\}\}\}\n$
http: POST /api/channels 200 {"pattern":"[a-z]"} => ^\{"result":\{"channels":\{"p":\{"num_clients":1\}\}\}\}\n$
http: POST /api/channels 200 {"pattern":"FILL(254)"} => "code":107,
http: POST /api/channels 400 {"pattern":1}
until: POST /api/info {} => ^200 \{"result":\{"nodes":\[\{"uid":"test-1\.0\.\w+","name":"test-1","version":"im [\d.]+","num_clients":2,"num_users":1,"num_channels":4,"num_subs":6,"uptime":\d+\}\]\}\}\n$
http: POST /api/info 400 (Content-Type: application/json) nonsense
a: close
b: close
--- no_error_log
[error]
[alert]



=== TEST 7: more channels than are listed
--- websocket
a: open /none
a: send {"connect":{},"id":1}
a: like "client":
a: subscribe 101 many:
until: POST /api/channels {"pattern":"many:*"} => "more":true
a: close
--- no_error_log
[error]
[alert]



=== TEST 8: Redis away
--- websocket
kill: redis
until: /im/health ^503.*(?i)redis
http: POST /api/history 200 {"channel":"h"} => "code":100,
http: POST /api/history_remove 200 {"channel":"h"} => "code":100,
http: POST /api/presence 200 {"channel":"p"} => "code":100,
http: POST /api/presence_stats 200 {"channel":"p"} => "code":100,
http: POST /api/channels 200 {} => "code":100,
http: POST /api/info 200 {} => "code":100,
http: POST /api/info 500 (X-Centrifugo-Error-Mode: transport) {} => ^\{"code":100,
--- no_error_log
[alert]



=== TEST 9: history_remove: a worker doesn't keep what has gone
--- http_config
    im_room h  history=100 ttl=1h;
--- config
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- websocket
until: /im/health ^200
a: open /ws
a: send {"connect":{},"id":1}
a: like "client":
a: send {"subscribe":{"channel":"h"},"id":2}
a: like "epoch":"(?<epoch>\w+)"
http: POST /api/publish 200 {"channel":"h","data":1} => "offset":1
http: POST /api/publish 200 {"channel":"h","data":2} => "offset":2
a: like "data":1
a: like "data":2
b: open /ws
b: send {"connect":{},"id":1}
b: like "client":
b: send {"subscribe":{"channel":"h","recover":true,"offset":1,"epoch":"$epoch"},"id":2}
b: like "recovered":true,.*"publications":\[\{"data":2,"offset":2\}\]
http: POST /api/history_remove 200 {"channel":"h"} => "result":\{\}
http: POST /api/publish 200 {"channel":"h","data":3} => "offset":3,"epoch":"$epoch"
a: like "data":3
b: like "data":3
c: open /ws
c: send {"connect":{},"id":1}
c: like "client":
c: send {"subscribe":{"channel":"h","recover":true,"offset":1,"epoch":"$epoch"},"id":2}
c: like ^\{"id":2,"subscribe":\{(?!.*"recovered":true)(?!.*"publications")(?=.*"was_recovering":true)(?=.*"offset":3)
d: open /ws
d: send {"connect":{},"id":1}
d: like "client":
d: send {"subscribe":{"channel":"h","recover":true,"offset":2,"epoch":"$epoch"},"id":2}
d: like "recovered":true,.*"publications":\[\{"data":3,"offset":3\}\]
a: close
b: close
c: close
d: close
--- no_error_log
[error]
[alert]
