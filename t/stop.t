# An im_logic that stops before its calls are answered.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: calls that are given up bring no other target to links that have gone
--- http_config
    im_room *  history=100 ttl=1h publish=user;
--- config
    location = /ws { im_comet protocol=im; im_auth none; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
start: replica
await: INFO replication => state=online
until: POST /im/push {"id":"a","rooms":["1"],"durability":"replica","data":1} => ^200 .*"seq":1\b
pause: replica
ask: POST /im/push {"id":"b","rooms":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17","18","19","20","21","22","23","24","25","26","27","28","29","30","31","32","33","34","35","36","37","38","39","40","41","42","43","44","45","46","47","48","49","50","51","52","53","54","55","56","57","58","59","60","61","62","63","64","65","66","67","68","69","70"],"durability":"replica","data":2}
await: INFO clients => blocked_clients:[1-9]
term: logic
output: logic stopping, 1 requests under way
stop: logic
answer: 503 "code":503,"msg":"im_logic is stopping"
resume: replica
--- no_error_log
[alert]
