/*
 * Copyright (C) The im authors
 *
 * Directives and variables of the module, and its hooks.
 *
 * What can't work is refused here, so that nginx -t says it.
 */

#include "ngx_im_worker.h"
#include "ngx_im_backend.h"
#include "ngx_im_handshake.h"
#include "ngx_im_jwt.h"
#include "ngx_im_status.h"
#include "im_id.h"
#include "im_key.h"


static void *ngx_im_create_main_conf(ngx_conf_t *cf);
static char *ngx_im_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_im_create_loc_conf(ngx_conf_t *cf);
static char *ngx_im_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t ngx_im_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_im_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_im_leads(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf,
    const char *directive, ngx_str_t *uri, const char *cure);
static ngx_int_t ngx_im_init_process(ngx_cycle_t *cycle);

static char *ngx_im_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_room(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_topic(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_rule(ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t first,
    im_rule_t *rule);
static char *ngx_im_comet(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_connect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_im_allow_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_im_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static ngx_uint_t ngx_im_origin_valid(ngx_str_t *origin);
static ngx_uint_t ngx_im_option(ngx_str_t *arg, const char *name,
    ngx_str_t *value);
static char *ngx_im_invalid(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg,
    const char *cure);
static void ngx_im_rules_free(void *data);

static ngx_int_t ngx_im_node_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_im_sessions_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_im_session_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_command_t  ngx_im_commands[] = {

    { ngx_string("im_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_im_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_im_node,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_room"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_im_room,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_inbox"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_im_topic,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_broadcast"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_im_topic,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_im_jwt_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_drain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_im_main_conf_t, drain),
      NULL },

    { ngx_string("im_comet"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_im_comet,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_im_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_connect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_im_connect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_webhook"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_im_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_ping"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_im_ping,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_im_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_allow_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_im_allow_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_im_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_im_module_ctx = {
    ngx_im_add_variables,          /* preconfiguration */
    ngx_im_postconfiguration,      /* postconfiguration */

    ngx_im_create_main_conf,       /* create main configuration */
    ngx_im_init_main_conf,         /* init main configuration */

    NULL,                          /* create server configuration */
    NULL,                          /* merge server configuration */

    ngx_im_create_loc_conf,        /* create location configuration */
    ngx_im_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_im_module = {
    NGX_MODULE_V1,
    &ngx_im_module_ctx,            /* module context */
    ngx_im_commands,               /* module directives */
    NGX_HTTP_MODULE,               /* module type */
    NULL,                          /* init master */
    NULL,                          /* init module */
    ngx_im_init_process,           /* init process */
    NULL,                          /* init thread */
    NULL,                          /* exit thread */
    ngx_im_worker_exit,            /* exit process */
    NULL,                          /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * im_limit's options; those of http{} only have main set.  The least is 0 where
 * 0 means that there is no limit.
 */
typedef enum {
    NGX_IM_NUMBER = 0,
    NGX_IM_SIZE,
    NGX_IM_TIME
} ngx_im_limit_e;


typedef struct {
    ngx_str_t       name;
    ngx_im_limit_e  type;
    ngx_int_t       least;
    ngx_uint_t      main;
    size_t          offset;
} ngx_im_limit_t;

#define ngx_im_main_limit(n, type, least, field)                              \
    { ngx_string(n), type, least, 1, offsetof(ngx_im_main_conf_t, field) }
#define ngx_im_loc_limit(n, type, least, field)                               \
    { ngx_string(n), type, least, 0, offsetof(ngx_im_loc_conf_t, field) }


static ngx_im_limit_t  ngx_im_limits[] = {
    ngx_im_main_limit("sessions", NGX_IM_NUMBER, 0, max_sessions),
    ngx_im_main_limit("per_ip", NGX_IM_NUMBER, 0, max_sessions_per_ip),
    ngx_im_main_limit("per_user", NGX_IM_NUMBER, 0, max_sessions_per_user),
    ngx_im_main_limit("unauthenticated", NGX_IM_NUMBER, 0,
                      max_unauthenticated),
    ngx_im_main_limit("handshakes", NGX_IM_NUMBER, 0, handshakes),
    ngx_im_main_limit("signatures", NGX_IM_NUMBER, 0, signatures),
    ngx_im_main_limit("commands", NGX_IM_NUMBER, 0, commands),
    ngx_im_main_limit("topics", NGX_IM_NUMBER, 1, topics_per_session),
    ngx_im_main_limit("new_rooms", NGX_IM_NUMBER, 0, new_rooms),
    ngx_im_main_limit("budget", NGX_IM_NUMBER, 1, budget),
    ngx_im_main_limit("topic_log", NGX_IM_SIZE, 16384, log_bytes),
    ngx_im_main_limit("logs", NGX_IM_SIZE, 1048576, logs_bytes),
    ngx_im_main_limit("recovery", NGX_IM_SIZE, 1024, recovery_bytes),
    ngx_im_main_limit("windows", NGX_IM_SIZE, 65536, windows_bytes),
    ngx_im_loc_limit("message", NGX_IM_SIZE, 1, max_message),
    ngx_im_loc_limit("replies", NGX_IM_SIZE, 1, max_replies),
    ngx_im_loc_limit("auth_timeout", NGX_IM_TIME, 1000, auth_timeout),
    ngx_im_loc_limit("refresh", NGX_IM_TIME, 1000, refresh),
    { ngx_null_string, 0, 0, 0, 0 }
};


static ngx_http_variable_t  ngx_im_vars[] = {

    { ngx_string("im_node"), NULL, ngx_im_node_variable, 0, 0, 0 },

    { ngx_string("im_sessions"), NULL, ngx_im_sessions_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("im_session"), NULL, ngx_im_session_variable, 0, 0, 0 },

      ngx_http_null_variable
};


static void *
ngx_im_create_main_conf(ngx_conf_t *cf)
{
    ngx_im_main_conf_t  *imcf;
    ngx_pool_cleanup_t  *cln;

    imcf = ngx_pcalloc(cf->pool, sizeof(ngx_im_main_conf_t));
    if (imcf == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    if (ngx_array_init(&imcf->comets, cf->pool, 4, sizeof(void *)) != NGX_OK) {
        return NULL;
    }

    im_rules_init(&imcf->rules);

    cln->handler = ngx_im_rules_free;
    cln->data = &imcf->rules;

    imcf->max_sessions = NGX_CONF_UNSET_UINT;
    imcf->max_sessions_per_ip = NGX_CONF_UNSET_UINT;
    imcf->max_sessions_per_user = NGX_CONF_UNSET_UINT;
    imcf->max_unauthenticated = NGX_CONF_UNSET_UINT;
    imcf->handshakes = NGX_CONF_UNSET_UINT;
    imcf->signatures = NGX_CONF_UNSET_UINT;
    imcf->commands = NGX_CONF_UNSET_UINT;
    imcf->topics_per_session = NGX_CONF_UNSET_UINT;
    imcf->new_rooms = NGX_CONF_UNSET_UINT;
    imcf->budget = NGX_CONF_UNSET_UINT;
    imcf->log_bytes = NGX_CONF_UNSET_SIZE;
    imcf->logs_bytes = NGX_CONF_UNSET_SIZE;
    imcf->recovery_bytes = NGX_CONF_UNSET_SIZE;
    imcf->windows_bytes = NGX_CONF_UNSET_SIZE;
    imcf->drain = NGX_CONF_UNSET_MSEC;

    return imcf;
}


static void
ngx_im_rules_free(void *data)
{
    im_rules_cleanup(data);
}


static char *
ngx_im_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_im_main_conf_t *imcf = conf;

    u_char     *p;
    ngx_str_t  *host;

    ngx_conf_init_uint_value(imcf->max_sessions, 0);
    ngx_conf_init_uint_value(imcf->max_sessions_per_ip, 0);
    ngx_conf_init_uint_value(imcf->max_sessions_per_user, 32);
    ngx_conf_init_uint_value(imcf->max_unauthenticated, 1024);
    ngx_conf_init_uint_value(imcf->handshakes, 2000);
    ngx_conf_init_uint_value(imcf->signatures, 1000);
    ngx_conf_init_uint_value(imcf->commands, 200);
    ngx_conf_init_uint_value(imcf->topics_per_session, 128);
    ngx_conf_init_uint_value(imcf->new_rooms, 2000);
    ngx_conf_init_uint_value(imcf->budget, 256);
    ngx_conf_init_size_value(imcf->log_bytes, 1024 * 1024);
    ngx_conf_init_size_value(imcf->logs_bytes, 256 * 1024 * 1024);
    ngx_conf_init_size_value(imcf->recovery_bytes, 1024 * 1024);
    ngx_conf_init_size_value(imcf->windows_bytes, 64 * 1024 * 1024);
    ngx_conf_init_msec_value(imcf->drain, 30000);

    if (imcf->budget == 0) {
        imcf->budget = 1;
    }

    if (imcf->node.len == 0) {
        host = &cf->cycle->hostname;
        p = ngx_strlchr(host->data, host->data + host->len, '.');

        imcf->node.data = host->data;
        imcf->node.len = p ? (size_t) (p - host->data) : host->len;

        if (!im_node_valid(im_str_set(imcf->node.data, imcf->node.len))) {
            ngx_str_set(&imcf->node, "node");
        }
    }

    imcf->token.len = NGX_IM_TOKEN_LEN;
    imcf->token.data = ngx_pnalloc(cf->pool, NGX_IM_TOKEN_LEN + 1);
    if (imcf->token.data == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_sprintf(imcf->token.data, "%08xD%08xD",
                       (uint32_t) ngx_random() ^ (uint32_t) ngx_pid,
                       (uint32_t) ngx_random() ^ (uint32_t) ngx_time());

    if (ngx_im_zone_init(cf, imcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_im_create_loc_conf(ngx_conf_t *cf)
{
    ngx_im_loc_conf_t  *ilcf;

    ilcf = ngx_pcalloc(cf->pool, sizeof(ngx_im_loc_conf_t));
    if (ilcf == NULL) {
        return NULL;
    }

    ilcf->auth = NGX_CONF_UNSET_UINT;
    ilcf->ping = NGX_CONF_UNSET_MSEC;
    ilcf->pong = NGX_CONF_UNSET_MSEC;
    ilcf->auth_timeout = NGX_CONF_UNSET_MSEC;
    ilcf->refresh = NGX_CONF_UNSET_MSEC;
    ilcf->max_message = NGX_CONF_UNSET_SIZE;
    ilcf->max_replies = NGX_CONF_UNSET_SIZE;
    ilcf->origins = NGX_CONF_UNSET_PTR;

    return ilcf;
}


static char *
ngx_im_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_im_loc_conf_t *prev = parent;
    ngx_im_loc_conf_t *conf = child;

    ngx_uint_t            i;
    ngx_im_loc_conf_t   **comet;
    ngx_im_main_conf_t   *imcf;

    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_IM_AUTH_NONE);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 25000);
    ngx_conf_merge_msec_value(conf->pong, prev->pong, 60000);
    ngx_conf_merge_msec_value(conf->auth_timeout, prev->auth_timeout, 10000);
    ngx_conf_merge_msec_value(conf->refresh, prev->refresh, 25000);
    ngx_conf_merge_size_value(conf->max_message, prev->max_message, 64 * 1024);
    ngx_conf_merge_size_value(conf->max_replies, prev->max_replies, 64 * 1024);
    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_str_value(conf->connect, prev->connect, "");

    for (i = 0; i < IM_WEBHOOKS; i++) {
        if (conf->webhooks[i].len && conf->proto && !conf->proto->commands) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "im_webhook: \"%s\" is of no use to "
                               "\"im_comet protocol=%s\", which has no such "
                               "command: it is for protocol=centrifuge",
                               im_webhook_names[i].data, conf->proto->name);
            return NGX_CONF_ERROR;
        }

        ngx_conf_merge_str_value(conf->webhooks[i], prev->webhooks[i], "");
    }

    if (conf->proto == NULL) {
        return NGX_CONF_OK;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);

    conf->main = imcf;
    conf->grace = conf->refresh / 1000;
    conf->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    conf->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (conf->clcf->handler != ngx_im_handshake_handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"im_comet protocol=%s\" shares its location with "
                           "proxy_pass or the like: give it a location of its "
                           "own", conf->proto->name);
        return NGX_CONF_ERROR;
    }

    if (conf->pong <= conf->ping) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_ping: the timeout %M ms must be longer than "
                           "the interval %M ms", conf->pong, conf->ping);
        return NGX_CONF_ERROR;
    }

    if (!conf->proto->topics) {
        return NGX_CONF_OK;
    }

    imcf->enabled = 1;

    if (imcf->redis.addr == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"im_comet protocol=%s\" needs Redis: add "
                           "\"im_redis 127.0.0.1:6379;\" to http{}",
                           conf->proto->name);
        return NGX_CONF_ERROR;
    }

    if (imcf->rules.nrooms == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"im_comet protocol=%s\" has no room to join: add "
                           "\"im_room * history=0;\" to http{}",
                           conf->proto->name);
        return NGX_CONF_ERROR;
    }

    if (conf->auth == NGX_IM_AUTH_TOKEN && conf->connect.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"im_auth token\" asks im_logic who a token is: "
                           "name the internal location by "
                           "\"im_connect /im_connect;\"");
        return NGX_CONF_ERROR;
    }

    if (conf->auth == NGX_IM_AUTH_JWT && imcf->jwt_keys == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"im_auth jwt\" has no key to check tokens with: "
                           "add \"im_jwt_key HS256 file=/etc/im/jwt.key;\" to "
                           "http{}");
        return NGX_CONF_ERROR;
    }

    comet = ngx_array_push(&imcf->comets);
    if (comet == NULL) {
        return NGX_CONF_ERROR;
    }

    *comet = conf;

    return NGX_CONF_OK;
}


/* Locations can be looked up now: do im_connect and im_webhook lead to one? */
static ngx_int_t
ngx_im_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t            i, k;
    ngx_im_loc_conf_t   **comets, *ilcf;
    ngx_im_main_conf_t   *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);
    comets = imcf->comets.elts;

    for (i = 0; i < imcf->comets.nelts; i++) {
        ilcf = comets[i];

        if (ngx_im_leads(cf, ilcf, "im_connect", &ilcf->connect,
                         "fastcgi_pass im_logic; include im_params;")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        for (k = 0; k < IM_WEBHOOKS; k++) {
            if (ngx_im_leads(cf, ilcf, "im_webhook", &ilcf->webhooks[k],
                             "proxy_pass http://backend;")
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_leads(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf, const char *directive,
    ngx_str_t *uri, const char *cure)
{
    if (uri->len == 0 || ngx_im_backend_location(ilcf->cscf, uri) == NGX_OK) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s: \"%V\" leads to no location that answers: add "
                       "\"location = %V { internal; %s }\" to the server that "
                       "has \"location %V\"",
                       directive, uri, uri, cure, &ilcf->clcf->name);

    return NGX_ERROR;
}


static char *
ngx_im_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t *imcf = conf;

    ngx_int_t             n;
    ngx_str_t            *args, value;
    ngx_url_t             u;
    ngx_uint_t            i;
    ngx_im_redis_conf_t  *rcf;

    rcf = &imcf->redis;

    if (rcf->addr != NULL) {
        return "is duplicate";
    }

    args = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = args[1];
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_redis: %s in \"%V\"; use HOST:PORT or "
                           "unix:/PATH", u.err ? u.err : "error", &args[1]);
        return NGX_CONF_ERROR;
    }

    rcf->addr = u.addrs;
    rcf->name = args[1];
    rcf->timeout = 5000;
    rcf->refresh = 600000;
    ngx_str_set(&rcf->prefix, "im:");

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_im_option(&args[i], "password=", &value)) {
            rcf->password = value;

        } else if (ngx_im_option(&args[i], "user=", &value)) {
            rcf->user = value;

        } else if (ngx_im_option(&args[i], "prefix=", &value)) {
            if (!im_prefix_valid(im_str_set(value.data, value.len))) {
                return ngx_im_invalid(cf, cmd, &args[i], "must be 1 to 32 "
                                 "printable bytes without \"{}\" and spaces");
            }

            rcf->prefix = value;

        } else if (ngx_im_option(&args[i], "db=", &value)) {
            n = ngx_atoi(value.data, value.len);
            if (n == NGX_ERROR) {
                return ngx_im_invalid(cf, cmd, &args[i], "is not a number");
            }

            rcf->db = n;

        } else if (ngx_im_option(&args[i], "partitions=", &value)) {
            n = ngx_atoi(value.data, value.len);
            if (n < 1 || n > IM_PARTITIONS_MAX) {
                return ngx_im_invalid(cf, cmd, &args[i],
                                      "must be from 1 to 1024");
            }

            rcf->partitions = n;

        } else if (ngx_im_option(&args[i], "timeout=", &value)) {
            n = ngx_parse_time(&value, 0);
            if (n == NGX_ERROR || n == 0) {
                return ngx_im_invalid(cf, cmd, &args[i], "is not a time");
            }

            rcf->timeout = n;

        } else if (ngx_im_option(&args[i], "refresh=", &value)) {
            n = ngx_parse_time(&value, 0);
            if (n == NGX_ERROR || n < 1000 || n > 86400000) {
                return ngx_im_invalid(cf, cmd, &args[i],
                                      "must be a time from 1s to 24h");
            }

            rcf->refresh = n;

        } else if (ngx_im_option(&args[i], "tls=", &value)) {
            return ngx_im_invalid(cf, cmd, &args[i], "is not available: use "
                           "a unix socket, or a TLS proxy on this machine");

        } else {
            return ngx_im_invalid(cf, cmd, &args[i], "is unknown; there are "
                       "user= password= db= prefix= partitions= timeout= "
                       "refresh=");
        }
    }

    if (rcf->user.len && rcf->password.len == 0) {
        return "has user= but no password=";
    }

    return NGX_CONF_OK;
}


static char *
ngx_im_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t *imcf = conf;

    ngx_str_t  *args;

    if (imcf->node.len) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (!im_node_valid(im_str_set(args[1].data, args[1].len))) {
        return ngx_im_invalid(cf, cmd, &args[1], "must be 1 to 200 bytes of "
                              "UTF-8 without \".:{}\" and spaces");
    }

    imcf->node = args[1];

    return NGX_CONF_OK;
}


static char *
ngx_im_room(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t *imcf = conf;

    char       *rv;
    im_int_t    rc;
    im_rule_t   rule;
    ngx_str_t  *args;

    args = cf->args->elts;

    ngx_memzero(&rule, sizeof(im_rule_t));

    rv = ngx_im_rule(cf, cmd, 2, &rule);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rule.pattern = im_str_set(args[1].data, args[1].len);

    if (!im_name_valid(rule.pattern)) {
        return ngx_im_invalid(cf, cmd, &args[1], "must be 1 to 253 bytes of "
                              "UTF-8 without control characters");
    }

    rc = im_rules_add(&imcf->rules, &rule);

    if (rc == IM_DECLINED) {
        return ngx_im_invalid(cf, cmd, &args[1], "is there twice, or has a "
                              "\"*\" that is not its last byte");
    }

    if (rc != IM_OK) {
        return ngx_im_invalid(cf, cmd, &args[1], "does not fit: at most 1024 "
                              "rules");
    }

    return NGX_CONF_OK;
}


/* im_inbox and im_broadcast: rules without a pattern. */
static char *
ngx_im_topic(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t *imcf = conf;

    char       *rv;
    im_rule_t   rule;

    ngx_memzero(&rule, sizeof(im_rule_t));

    rv = ngx_im_rule(cf, cmd, 1, &rule);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_strcmp(cmd->name.data, "im_inbox") == 0) {
        if (imcf->rules.has_inbox) {
            return "is duplicate";
        }

        imcf->rules.inbox = rule;
        imcf->rules.has_inbox = 1;

        return NGX_CONF_OK;
    }

    if (imcf->rules.has_broadcast) {
        return "is duplicate";
    }

    imcf->rules.broadcast = rule;
    imcf->rules.has_broadcast = 1;

    return NGX_CONF_OK;
}


/* The options of a rule, from argument first on. */
static char *
ngx_im_rule(ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t first,
    im_rule_t *rule)
{
    ngx_int_t    n;
    ngx_str_t   *args, value;
    ngx_uint_t   i, room;

    args = cf->args->elts;
    room = (first == 2);

    for (i = first; i < cf->args->nelts; i++) {

        if (ngx_im_option(&args[i], "history=", &value)) {
            n = ngx_atoi(value.data, value.len);
            if (n == NGX_ERROR || n > IM_RULE_HISTORY_MAX) {
                return ngx_im_invalid(cf, cmd, &args[i],
                                      "must be from 0 to 100000 messages");
            }

            rule->history = n;

        } else if (ngx_im_option(&args[i], "ttl=", &value)) {
            n = ngx_parse_time(&value, 1);
            if (n == NGX_ERROR || n < 1 || n > 366 * 86400) {
                return ngx_im_invalid(cf, cmd, &args[i],
                                      "must be a time from 1s to 366d");
            }

            rule->ttl = n;

        } else if (room && ngx_strcmp(args[i].data, "presence") == 0) {
            rule->presence = 1;

        } else if (room && ngx_strcmp(args[i].data, "join=anyone") == 0) {
            rule->join_user = 0;

        } else if (room && ngx_strcmp(args[i].data, "join=user") == 0) {
            rule->join_user = 1;

        } else if (room && ngx_strcmp(args[i].data, "publish=none") == 0) {
            rule->publish = IM_RULE_NONE;

        } else if (room && ngx_strcmp(args[i].data, "publish=member") == 0) {
            rule->publish = IM_RULE_MEMBER;

        } else if (room && ngx_strcmp(args[i].data, "publish=user") == 0) {
            rule->publish = IM_RULE_USER;

        } else {
            return ngx_im_invalid(cf, cmd, &args[i],
                                  room ? "is unknown; there are history= ttl= "
                                         "presence join=anyone|user "
                                         "publish=none|member|user"
                                       : "is unknown; there are history= ttl=");
        }
    }

    if (rule->history && rule->ttl == 0) {
        return "has history= without ttl=: say how long messages are kept, "
               "for example ttl=24h";
    }

    if (rule->ttl && rule->history == 0) {
        return "has ttl= without history=: say how many messages are kept, "
               "for example history=100";
    }

    return NGX_CONF_OK;
}


static char *
ngx_im_comet(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t *ilcf = conf;

    ngx_str_t                 *args, value;
    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->proto != NULL) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (ngx_im_option(&args[1], "protocol=", &value)) {
        ilcf->proto = im_proto_find(im_str_set(value.data, value.len));
    }

    if (ilcf->proto == NULL) {
        return ngx_im_invalid(cf, cmd, &args[1], "must be protocol=im, "
                              "protocol=centrifuge or protocol=echo");
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "shares its location with proxy_pass or the like: give it a "
               "location of its own";
    }

    clcf->handler = ngx_im_handshake_handler;

    return NGX_CONF_OK;
}


static char *
ngx_im_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t *ilcf = conf;

    ngx_str_t  *args;

    if (ilcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (ngx_strcmp(args[1].data, "none") == 0) {
        ilcf->auth = NGX_IM_AUTH_NONE;

    } else if (ngx_strcmp(args[1].data, "token") == 0) {
        ilcf->auth = NGX_IM_AUTH_TOKEN;

    } else if (ngx_strcmp(args[1].data, "jwt") == 0) {
        ilcf->auth = NGX_IM_AUTH_JWT;

    } else {
        return ngx_im_invalid(cf, cmd, &args[1],
                              "must be none, token or jwt");
    }

    return NGX_CONF_OK;
}


static char *
ngx_im_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t *imcf = conf;

    ngx_str_t         *args, value;
    ngx_uint_t         i;
    ngx_im_jwt_key_t  *key;

    args = cf->args->elts;

    key = ngx_pcalloc(cf->pool, sizeof(ngx_im_jwt_key_t));
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    key->alg = im_jwt_alg(im_str_set(args[1].data, args[1].len));

    if (key->alg == IM_JWT_ALGS) {
        return ngx_im_invalid(cf, cmd, &args[1], "is no algorithm; there are "
                              "HS256 HS384 HS512 RS256 RS384 RS512 ES256 "
                              "ES384 ES512");
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(args[i].data, "weak") == 0) {
            key->weak = 1;
            continue;
        }

        if (ngx_im_option(&args[i], "file=", &value)) {
            key->file = args[i];

        } else if (ngx_im_option(&args[i], "kid=", &value)) {
            key->kid = im_str_set(value.data, value.len);

        } else if (ngx_im_option(&args[i], "aud=", &value)) {
            key->audience = im_str_set(value.data, value.len);

        } else if (ngx_im_option(&args[i], "iss=", &value)) {
            key->issuer = im_str_set(value.data, value.len);

        } else {
            return ngx_im_invalid(cf, cmd, &args[i], "is unknown; there are "
                                  "file= kid= aud= iss= weak");
        }

        if (value.len == 0 || value.len > IM_JWT_MAX_KID) {
            return ngx_im_invalid(cf, cmd, &args[i],
                                  "must have a value of 1 to 255 bytes");
        }
    }

    if (key->file.len == 0) {
        return ngx_im_invalid(cf, cmd, &args[1], "has no key: name the file "
                              "that holds it by file=");
    }

    return ngx_im_jwt_key_add(cf, imcf, key);
}


static char *
ngx_im_connect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t *ilcf = conf;

    ngx_str_t  *args;

    if (ilcf->connect.data != NULL) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (args[1].len == 0 || args[1].data[0] != '/') {
        return ngx_im_invalid(cf, cmd, &args[1],
                              "must be the URI of an internal location");
    }

    ilcf->connect = args[1];

    return NGX_CONF_OK;
}


static char *
ngx_im_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t *ilcf = conf;

    ngx_str_t   *args;
    ngx_uint_t   i;

    args = cf->args->elts;

    for (i = 0; i < IM_WEBHOOKS; i++) {
        if (im_str_eq(im_str_set(args[1].data, args[1].len),
                      im_webhook_names[i]))
        {
            break;
        }
    }

    if (i == IM_WEBHOOKS) {
        return ngx_im_invalid(cf, cmd, &args[1], "is no event; there are "
                              "connect subscribe publish rpc refresh "
                              "sub_refresh");
    }

    if (ilcf->webhooks[i].data != NULL) {
        return ngx_im_invalid(cf, cmd, &args[1], "is there twice");
    }

    if (args[2].len == 0 || args[2].data[0] != '/') {
        return ngx_im_invalid(cf, cmd, &args[2],
                              "must be the URI of an internal location");
    }

    ilcf->webhooks[i] = args[2];

    return NGX_CONF_OK;
}


static char *
ngx_im_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t *ilcf = conf;

    ngx_int_t   n;
    ngx_str_t  *args, value;

    if (ilcf->ping != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    args = cf->args->elts;

    n = ngx_parse_time(&args[1], 0);
    if (n == NGX_ERROR || n < 1000) {
        return ngx_im_invalid(cf, cmd, &args[1],
                              "must be a time of at least 1s");
    }

    ilcf->ping = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (!ngx_im_option(&args[2], "timeout=", &value)) {
        return ngx_im_invalid(cf, cmd, &args[2], "must be timeout=TIME");
    }

    n = ngx_parse_time(&value, 0);
    if (n == NGX_ERROR || n < 1000) {
        return ngx_im_invalid(cf, cmd, &args[2],
                              "must be a time of at least 1s");
    }

    ilcf->pong = n;

    return NGX_CONF_OK;
}


static char *
ngx_im_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    void                *base;
    size_t              *field;
    ssize_t              n;
    ngx_str_t           *args, value;
    ngx_uint_t           i;
    ngx_im_limit_t      *limit;
    ngx_im_main_conf_t  *imcf;

    args = cf->args->elts;
    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);

    for (i = 1; i < cf->args->nelts; i++) {

        for (limit = ngx_im_limits; limit->name.len; limit++) {
            if (args[i].len > limit->name.len
                && args[i].data[limit->name.len] == '='
                && ngx_strncmp(args[i].data, limit->name.data,
                               limit->name.len) == 0)
            {
                break;
            }
        }

        if (limit->name.len == 0) {
            return ngx_im_invalid(cf, cmd, &args[i], "is unknown; there are "
                       "sessions= per_ip= per_user= unauthenticated= "
                       "handshakes= signatures= commands= topics= new_rooms= "
                       "budget= topic_log= logs= recovery= windows= message= "
                       "replies= auth_timeout= refresh=");
        }

        if (limit->main && cf->cmd_type != NGX_HTTP_MAIN_CONF) {
            return ngx_im_invalid(cf, cmd, &args[i],
                                  "holds for all servers: set it in http{}");
        }

        value.data = args[i].data + limit->name.len + 1;
        value.len = args[i].len - limit->name.len - 1;

        switch (limit->type) {

        case NGX_IM_SIZE:
            n = ngx_parse_size(&value);
            break;

        case NGX_IM_TIME:
            n = ngx_parse_time(&value, 0);
            break;

        default:
            n = ngx_atoi(value.data, value.len);
        }

        if (n == NGX_ERROR) {
            return ngx_im_invalid(cf, cmd, &args[i], "has no valid value");
        }

        if (n < limit->least) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "im_limit: \"%V\" is below %i, the least "
                               "that works", &args[i], limit->least);
            return NGX_CONF_ERROR;
        }

        /* sizes, times and numbers have the size of a word */

        base = limit->main ? (void *) imcf : conf;
        field = (size_t *) ((u_char *) base + limit->offset);

        if (*field != NGX_CONF_UNSET_SIZE) {
            return ngx_im_invalid(cf, cmd, &args[i], "is there twice");
        }

        *field = n;
    }

    return NGX_CONF_OK;
}


static char *
ngx_im_allow_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t *ilcf = conf;

    ngx_str_t   *args, *origin;
    ngx_uint_t   i;

    args = cf->args->elts;

    if (ilcf->origins == NGX_CONF_UNSET_PTR) {
        ilcf->origins = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (ilcf->origins == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_im_origin_valid(&args[i])) {
            return ngx_im_invalid(cf, cmd, &args[i], "must look like "
                                  "https://example.com (no path), or be *");
        }

        origin = ngx_array_push(ilcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = args[i];
    }

    return NGX_CONF_OK;
}


/* A scheme and an authority, as browsers send it (RFC 6454, section 7). */
static ngx_uint_t
ngx_im_origin_valid(ngx_str_t *origin)
{
    u_char  *p;

    if (ngx_strcmp(origin->data, "*") == 0
        || ngx_strcmp(origin->data, "null") == 0)
    {
        return 1;
    }

    p = (u_char *) ngx_strstr(origin->data, "://");

    return p != NULL && p != origin->data && p[3] != '\0'
           && ngx_strchr(p + 3, '/') == NULL;
}


static char *
ngx_im_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_im_status_handler;

    return NGX_CONF_OK;
}


/* True if arg is name (which ends in '=') and a value, which may be empty. */
static ngx_uint_t
ngx_im_option(ngx_str_t *arg, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->data = arg->data + len;
    value->len = arg->len - len;

    return 1;
}


static char *
ngx_im_invalid(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg,
    const char *cure)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: \"%V\" %s",
                       &cmd->name, arg, cure);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_im_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_im_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_node_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_im_module);

    v->data = imcf->node.data;
    v->len = imcf->node.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* How many sessions this worker has. */
static ngx_int_t
ngx_im_sessions_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%ui", ngx_im_worker ? ngx_im_worker->nsessions
                                                 : 0)
             - p;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/* The id of the session that this request became. */
static ngx_int_t
ngx_im_session_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char  *id;

    id = ngx_http_get_module_ctx(r, ngx_im_module);

    if (id == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, IM_UUID_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    im_id_uuid(v->data, id);

    v->len = IM_UUID_LEN;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* Not in the cache processes, and not where nothing uses the module. */
static ngx_int_t
ngx_im_init_process(ngx_cycle_t *cycle)
{
    ngx_im_main_conf_t  *imcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_im_module);

    if (imcf == NULL) {
        return NGX_OK;
    }

    return ngx_im_worker_init(cycle, imcf);
}
