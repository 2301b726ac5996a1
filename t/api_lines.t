# POST /api: the server API in the form of Centrifugo's versions before 5, as
# their libraries send it.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: one command, several, an answer a line
--- http_config
    im_room 1     history=10 ttl=1h presence;
    im_room live  history=0;
    im_inbox      history=10 ttl=1h;
--- config
    location ~ ^/api(/|$) { fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
--- websocket
until: /im/health ^200
http: POST /api 200 {"method":"publish","params":{"channel":"1","data":{"n":1}}} => ^\{"result":\{"offset":1,"epoch":"(?<e>\w+)"\}\}\n$
http: POST /api 200 {"id":7,"method":"PUBLISH","params":{"channel":"live","data":1}} => ^\{"id":7,"result":\{\}\}\n$
http: POST /api 200 {"method":"publish","params":{"channel":"1","data":2}}{"method":"history","params":{"channel":"1","limit":10}} {"method":"presence_stats","params":{"channel":"1"}} => ^\{"result":\{"offset":2,"epoch":"$e"\}\}\n\{"result":\{"publications":\[\{"data":\{"n":1\},"offset":1\},\{"data":2,"offset":2\}\],"epoch":"$e","offset":2\}\}\n\{"result":\{"num_clients":0,"num_users":0\}\}\n$
http: POST /api 200 {"id":1,"method":"broadcast","params":{"channels":["1","#u1","none"],"data":3}}{"id":2,"method":"history_remove","params":{"channel":"1"}} => ^\{"id":1,"result":\{"responses":\[\{"result":\{"offset":3,"epoch":"$e"\}\},\{"result":\{"offset":1,"epoch":"\w+"\}\},\{"error":\{"code":102,"message":"[^"]+"\}\}\]\}\}\n\{"id":2,"result":\{\}\}\n$
http: POST /api 200 {"method":"info"}{"method":"channels","params":{}}{"method":"channels","params":null} => ^\{"result":\{"nodes":\[.*\]\}\}\n\{"result":\{"channels":\{\}\}\}\n\{"result":\{"channels":\{\}\}\}\n$
raw: :$TEST_NGINX_IM_HTTP POST /api HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 110\r\n\r\n{"method":"publish","params":{"channel":"1","data":4}}\n{"method":"publish","params":{"channel":"1","data":5}}\n => \{"result":\{"offset":4,"epoch":"$e"\}\}\n\{"result":\{"offset":5,"epoch":"$e"\}\}\n
--- no_error_log
[error]
[alert]



=== TEST 2: errors: of a command, and of the whole
--- websocket
http: POST /api 200 {"id":3,"method":"fly","params":{}} => ^\{"id":3,"error":\{"code":104,"message":"not found"\}\}\n$
http: POST /api 200 {"params":{}} => ^\{"error":\{"code":104,
http: POST /api 200 {"method":"publish","params":{"channel":"none","data":1}} => ^\{"error":\{"code":102,"message":"unknown channel: no im_room rule"\}\}\n$
http: POST /api 200 (X-Centrifugo-Error-Mode: transport) {"method":"publish","params":{"channel":"none","data":1}} => ^\{"error":\{"code":102,
http: POST /api 200 {"method":"publish"} => ^\{"error":\{"code":107,
http: POST /api 200 {"method":"publish","params":[]} => ^\{"error":\{"code":107,
http: POST /api 200 {"method":"publish","params":{"channel":1}}{"method":"publish","params":{"channel":"live","data":1}} => ^\{"error":\{"code":107,"message":"bad request: [^\n]+\}\}\n\{"result":\{\}\}\n$
http: POST /api 400 {"method":"publish","params":{"channel":"1","data":1}} x => objects with
http: POST /api 400 [{"method":"publish","params":{"channel":"1","data":1}}] => objects with
http: POST /api 400 {"method":"publish","params":{"channel":"1","data":1}}{"method": => objects with
http: POST /api 400 {"method":"publish","params":{"channel":"1","data":x}} => not valid JSON
http: POST /api 400 {"method":["publish"],"params":{}} => method
http: POST /api 400  => .
http: GET /api 405
http: POST /api/ 200 {"method":"presence_stats","params":{"channel":"1"}} => "num_clients":0
http: POST /api/history 200 {"channel":"1"} => "offset":5\}
--- no_error_log
[error]
[alert]



=== TEST 3: as many commands as targets
--- config
    location ~ ^/api(/|$) { fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
--- services: redis job
--- not_ready
--- websocket
start: logic --max-targets=2
until: /im/health ^200
http: POST /api 200 {"method":"info"}{"method":"info"} => ^\{"result".*\}\n\{"result".*\}\n$
http: POST /api 413 {"method":"info"}{"method":"info"}{"method":"info"} => \\"body\\" may have 2 elements at most
stop: logic
--- no_error_log
[alert]



=== TEST 4: with a key
--- config
    location ~ ^/api(/|$) { fastcgi_pass im_logic; include im_params; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location = /ws { im_comet protocol=centrifuge; im_auth none; }
--- services: redis
--- not_ready
--- websocket
file: api_keys 0123456789abcdef-one\n
start: logic --api-key-file=$TEST_NGINX_IM_DIR/api_keys
until: /im/health ^200
http: POST /api 401 {"method":"info"} => ^$
http: POST /api 401 (X-API-Key: another) {"method":"info"} => ^$
http: POST /api 200 (Authorization: apikey 0123456789abcdef-one) {"method":"info"} => ^\{"result":
http: POST /api?api_key=0123456789abcdef-one 200 {"method":"info"} => ^\{"result":
stop: logic
--- no_error_log
[alert]
