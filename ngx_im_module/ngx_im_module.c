/*
 * Copyright (C) The im authors
 *
 * Directives and variables of the module, and its hooks.
 *
 * Configurations that can't work are refused here, so that nginx -t reports
 * them.
 */

#include "ngx_im_worker.h"
#include "ngx_im_access.h"
#include "ngx_im_check.h"
#include "ngx_im_client.h"
#include "ngx_im_emulation.h"
#include "ngx_im_handover.h"
#include "ngx_im_hooks.h"
#include "ngx_im_jwt_key.h"
#include "ngx_im_listen.h"
#include "ngx_im_option.h"
#include "ngx_im_place.h"
#include "ngx_im_reserve.h"
#include "im_header.h"
#include "im_id.h"
#include "im_key.h"
#include "im_origin.h"
#include "im_wire.h"


/* im_per_address sessions= by default: the larger one of these */
#define NGX_IM_SESSIONS_MIN   1000
#define NGX_IM_SESSIONS_PART  4       /* of all workers' */

#define NGX_IM_BACKEND_TIMEOUT  10000        /* ms */


/* im_limit: the least is 0 if 0 means "no limit". */
#define ngx_im_main_limit(n, kind, least, value, member)                      \
    { ngx_string(n "="), NGX_IM_OPTION_##kind, least, NGX_IM_MAX,             \
      offsetof(ngx_im_main_conf_t, member), NULL,                             \
      NGX_IM_OPTION_ONCE|NGX_IM_OPTION_MAIN, value }
#define ngx_im_loc_limit(n, kind, least, member)                              \
    ngx_im_option(n "=", kind, least, NGX_IM_MAX, ngx_im_loc_conf_t,          \
                  member, NULL, NGX_IM_OPTION_ONCE)
#define ngx_im_loc_choice(n, member, is)                                      \
    ngx_im_option(n, WORD, is, is, ngx_im_loc_conf_t, member, NULL,           \
                  NGX_IM_OPTION_ONCE)


static const ngx_im_option_t  ngx_im_limit_options[] = {
    ngx_im_main_limit("sessions", NUMBER, 0, NGX_CONF_UNSET_UINT, max_sessions),
    ngx_im_main_limit("per_ip", NUMBER, 0, NGX_CONF_UNSET_UINT,
                      per_address.sessions),
    ngx_im_main_limit("per_user", NUMBER, 0, 32, max_sessions_per_user),
    ngx_im_main_limit("unauthenticated", NUMBER, 0, 1024, max_unauthenticated),
    ngx_im_main_limit("handshakes", NUMBER, 0, 2000, handshakes),
    ngx_im_main_limit("signatures", NUMBER, 0, 1000, signatures),
    ngx_im_main_limit("commands", NUMBER, 0, 200, commands),
    { ngx_string("topics="), NGX_IM_OPTION_NUMBER, 1, 65000,
      offsetof(ngx_im_main_conf_t, topics_per_session),
      "must be from 1 to 65000", NGX_IM_OPTION_ONCE|NGX_IM_OPTION_MAIN, 128 },
    ngx_im_main_limit("new_rooms", NUMBER, 0, 2000, new_rooms),
    ngx_im_main_limit("guest_rooms", NUMBER, 0, 100000, guest_rooms),
    ngx_im_main_limit("joins", NUMBER, 0, 100000, joins),
    ngx_im_main_limit("budget", NUMBER, 1, 256, budget),
    ngx_im_main_limit("topic_log", SIZE, 16384, 1024 * 1024, log_bytes),
    ngx_im_main_limit("logs", SIZE, 1048576, 256 * 1024 * 1024, logs_bytes),
    ngx_im_main_limit("recovery", SIZE, 1024, 1024 * 1024, recovery_bytes),
    ngx_im_main_limit("windows", SIZE, 65536, 64 * 1024 * 1024, windows_bytes),
    ngx_im_loc_limit("message", SIZE, 1, max_message),
    ngx_im_loc_limit("replies", SIZE, 1, max_replies),
    ngx_im_loc_limit("auth_timeout", MSEC, 1000, auth_timeout),
    ngx_im_loc_limit("refresh", MSEC, 1000, refresh),
    ngx_im_loc_choice("policy=refuse", policy, NGX_IM_POLICY_REFUSE),
    ngx_im_loc_choice("policy=newest", policy, NGX_IM_POLICY_NEWEST),
    ngx_im_option_end
};


static const ngx_im_option_t  ngx_im_deflate_options[] = {
    ngx_im_loc_choice("off", deflate, 0),
    ngx_im_loc_choice("on", deflate, 1),
    ngx_im_main_limit("min", SIZE, 1, 256, deflate_min),
    { ngx_string("level="), NGX_IM_OPTION_NUMBER, 1, 9,
      offsetof(ngx_im_main_conf_t, deflate_level), "must be from 1 to 9",
      NGX_IM_OPTION_ONCE|NGX_IM_OPTION_MAIN, 6 },
    ngx_im_option_end
};


#define ngx_im_address_limit(n, kind, value)                                  \
    ngx_im_main_limit(#n, kind, 0, value, per_address.n)


static const ngx_im_option_t  ngx_im_per_address_options[] = {
    ngx_im_address_limit(sessions, NUMBER, NGX_CONF_UNSET_UINT),
    ngx_im_address_limit(pending, NUMBER, 1000),
    ngx_im_address_limit(guest_rooms, NUMBER, 10000),
    ngx_im_address_limit(handshakes, NUMBER, 500),
    ngx_im_address_limit(rooms, NUMBER, 200),
    ngx_im_address_limit(failures, NUMBER, 20),
    ngx_im_address_limit(read, SIZE, 4 * 1024 * 1024),
    ngx_im_address_limit(frames, NUMBER, 5000),
    ngx_im_address_limit(bytes, SIZE, 4 * 1024 * 1024),
    ngx_im_main_limit("zone", SIZE, 1024 * 1024, 32 * 1024 * 1024, zone_size),
    ngx_im_option("except=", CIDR, 0, 0, ngx_im_main_conf_t,
                  per_address.except, NULL, 0),
    ngx_im_option("off", WORD, 1, 1, ngx_im_main_conf_t, per_address.off, NULL,
                  0),
    ngx_im_option_end
};


/* The interval of im_ping has no name. */
#define ngx_im_ping_option(n, member)                                         \
    ngx_im_option(n, MSEC, 1000, NGX_IM_MAX, ngx_im_loc_conf_t, member,       \
                  "must be a time of at least 1s", 0)


static const ngx_im_option_t  ngx_im_ping_options[] = {
    ngx_im_ping_option("timeout=", pong),
    ngx_im_ping_option("", ping),
    ngx_im_option_end
};


static const ngx_im_option_t  ngx_im_timeout_options[] = {
    { ngx_string("timeout="), NGX_IM_OPTION_MSEC, 1, NGX_IM_MAX, 0,
      "must be a time, for example timeout=10s", 0, 0 },
    ngx_im_option_end
};


#define ngx_im_word(n, conf, member, is)                                      \
    ngx_im_option(n, WORD, is, is, conf, member, NULL, 0)


#define ngx_im_who(n, member)                                                 \
    ngx_im_word(n "=none", im_rule_t, member, IM_RULE_NONE),                  \
    ngx_im_word(n "=member", im_rule_t, member, IM_RULE_MEMBER),              \
    ngx_im_word(n "=user", im_rule_t, member, IM_RULE_USER),                  \
    ngx_im_word(n "=anyone", im_rule_t, member, IM_RULE_ANYONE)


/* Of im_room, im_inbox and im_broadcast. */
#define NGX_IM_TOPIC_OPTIONS                                                  \
    ngx_im_option("history=", NUMBER, 0, IM_RULE_HISTORY_MAX, im_rule_t,      \
                  history, "must be from 0 to 100000 messages", 0),           \
    ngx_im_option("ttl=", SEC, 1, 366 * 86400, im_rule_t, ttl,                \
                  "must be a time from 1s to 366d", 0),


static const ngx_im_option_t  ngx_im_room_options[] = {
    ngx_im_word("presence", im_rule_t, presence, 1),
    ngx_im_word("join=anyone", im_rule_t, join, IM_RULE_JOIN_ANYONE),
    ngx_im_word("join=user", im_rule_t, join, IM_RULE_JOIN_USER),
    ngx_im_word("join=token", im_rule_t, join, IM_RULE_JOIN_TOKEN),
    ngx_im_word("join_leave=asked", im_rule_t, joins_all, 0),
    ngx_im_word("join_leave=all", im_rule_t, joins_all, 1),
    ngx_im_word("recovery=stream", im_rule_t, recovery, IM_RULE_STREAM),
    ngx_im_word("recovery=cache", im_rule_t, recovery, IM_RULE_CACHE),
    ngx_im_word("recovery=latest", im_rule_t, recovery, IM_RULE_LATEST),
    ngx_im_word("namespace=any", im_rule_t, bare, 0),
    ngx_im_word("namespace=none", im_rule_t, bare, 1),
    ngx_im_word("publish=api", im_rule_t, publish, IM_RULE_API),
    ngx_im_option("batch=", MSEC, 10, IM_RULE_BATCH_MAX, im_rule_t, batch,
                  "must be a time from 10ms to 10s", 0),
    ngx_im_who("publish", publish),
    ngx_im_who("history_for", history_for),
    ngx_im_who("presence_for", presence_for),
    NGX_IM_TOPIC_OPTIONS
    ngx_im_option_end
};


static const ngx_im_option_t  ngx_im_topic_options[] = {
    NGX_IM_TOPIC_OPTIONS
    ngx_im_option_end
};


static const ngx_im_option_t  ngx_im_auth_options[] = {
    ngx_im_word("none", ngx_im_loc_conf_t, auth, NGX_IM_AUTH_NONE),
    ngx_im_word("token", ngx_im_loc_conf_t, auth, NGX_IM_AUTH_TOKEN),
    ngx_im_word("jwt", ngx_im_loc_conf_t, auth, NGX_IM_AUTH_JWT),
    ngx_im_word("mid", ngx_im_loc_conf_t, auth, NGX_IM_AUTH_MID),
    ngx_im_option_end
};


#define NGX_IM_JWT_LEEWAY   5        /* s */
#define NGX_IM_JWT_CHECK    10       /* s */

/* of im_forward: names, and bytes of one */
#define NGX_IM_HEADERS_MAX  16
#define NGX_IM_HEADER_MAX   255


#define ngx_im_jwt_key_option(n, member)                                      \
    ngx_im_option(n, STRING, 1, IM_JWT_MAX_KID, ngx_im_jwt_source_t, member,  \
                  "must have a value of 1 to 255 bytes", 0)


static const ngx_im_option_t  ngx_im_jwt_key_options[] = {
    ngx_im_jwt_key_option("file=", file),
    ngx_im_jwt_key_option("kid=", kid),
    ngx_im_jwt_key_option("aud=", audience),
    ngx_im_jwt_key_option("iss=", issuer),
    ngx_im_option("leeway=", SEC, 0, 3600, ngx_im_jwt_source_t, leeway,
                  "must be a time from 0s to 1h", 0),
    ngx_im_option("check=", SEC, 1, 86400, ngx_im_jwt_source_t, check,
                  "must be a time from 1s to 24h", 0),
    ngx_im_word("weak", ngx_im_jwt_source_t, weak, 1),
    ngx_im_option_end
};


static char *
ngx_im_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    ngx_str_t  *args;

    if (imcf->node.len) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (!im_node_valid(ngx_im_str(args[1]))) {
        return ngx_im_invalid(cf, cmd, &args[1], "must be 1 to 200 bytes of "
                              "UTF-8 without \".:{}\" and spaces");
    }

    imcf->node = args[1];

    return NGX_CONF_OK;
}


/* What goes together in a rule.  NULL: it is good. */
static const char *
ngx_im_rule_fault(const im_rule_t *rule)
{
    if (rule->history && rule->ttl == 0) {
        return "has history= without ttl=: say how long messages are kept, "
               "for example ttl=24h";
    }

    if (rule->ttl && rule->history == 0) {
        return "has ttl= without history=: say how many messages are kept, "
               "for example history=100";
    }

    if (rule->history_for != IM_RULE_MEMBER && rule->history == 0) {
        return "has history_for= without a history: say how many messages are "
               "kept and how long, for example history=100 ttl=24h";
    }

    if (rule->recovery != IM_RULE_STREAM && rule->history == 0) {
        return "has recovery=cache or latest without a history: say how many "
               "messages are kept and how long, for example history=1 ttl=24h";
    }

    if (rule->presence_for != IM_RULE_MEMBER && !rule->presence) {
        return "has presence_for= without presence: add presence";
    }

    if (rule->joins_all && !rule->presence) {
        return "has join_leave=all without presence: add presence";
    }

    if (rule->join == IM_RULE_JOIN_USER
        && (rule->publish == IM_RULE_ANYONE
            || rule->history_for == IM_RULE_ANYONE
            || rule->presence_for == IM_RULE_ANYONE))
    {
        return "has join=user, which turns guests away, beside publish=, "
               "history_for= or presence_for=anyone, which lets them in: say "
               "user in place of anyone, or join=anyone";
    }

    return NULL;
}


/* The options of a rule, from argument first on. */
static char *
ngx_im_rule(ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t first,
    im_rule_t *rule)
{
    char        *rv;
    const char  *fault;

    im_rule_init(rule);

    rv = first == 2
         ? ngx_im_options(cf, cmd, 2, ngx_im_room_options, rule,
                          "is unknown; there are history= ttl= presence "
                          "join=anyone|user|token "
                          "publish=api|none|member|user|anyone "
                          "history_for=none|member|user|anyone "
                          "presence_for=none|member|user|anyone "
                          "join_leave=asked|all recovery=stream|cache|latest "
                          "namespace=any|none")
         : ngx_im_options(cf, cmd, 1, ngx_im_topic_options, rule,
                          "is unknown; there are history= ttl=");

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    fault = ngx_im_rule_fault(rule);

    return fault != NULL ? (char *) fault : NGX_CONF_OK;
}


static char *
ngx_im_room(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    char       *rv;
    im_int_t    rc;
    im_rule_t   rule;
    ngx_str_t  *args;

    args = cf->args->elts;

    rv = ngx_im_rule(cf, cmd, 2, &rule);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rule.pattern = ngx_im_str(args[1]);

    if (!im_name_valid(rule.pattern)) {
        return ngx_im_invalid(cf, cmd, &args[1], "must be 1 to 253 bytes of "
                              "UTF-8 without control characters");
    }

    if (rule.bare
        && (rule.pattern.data[rule.pattern.len - 1] != '*'
            || im_str_chr(rule.pattern, ':') != NULL))
    {
        return ngx_im_invalid(cf, cmd, &args[1], "has namespace=none, which is "
                              "for patterns with \"*\" at their end and no "
                              "\":\", such as \"im_room * namespace=none\"");
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
    ngx_im_main_conf_t  *imcf = conf;

    char       *rv;
    im_rule_t   rule;

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


static char *
ngx_im_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    char                 *rv;
    ngx_str_t            *args;
    ngx_uint_t            jwks;
    ngx_im_jwt_source_t  *source;

    args = cf->args->elts;

    source = ngx_pcalloc(cf->pool, sizeof(ngx_im_jwt_source_t));
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    source->leeway = NGX_IM_JWT_LEEWAY;

    jwks = ngx_strcmp(args[1].data, "jwks") == 0;
    source->format = jwks ? NGX_IM_JWT_JWKS : im_jwt_alg(ngx_im_str(args[1]));

    if (!jwks && source->format == IM_JWT_ALGS) {
        return ngx_im_invalid(cf, cmd, &args[1], "is no algorithm; there are "
                              "HS256 HS384 HS512 RS256 RS384 RS512 ES256 "
                              "ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 "
                              "Ed448, and jwks");
    }

    rv = ngx_im_options(cf, cmd, 2, ngx_im_jwt_key_options, source,
                        "is unknown; there are file= kid= aud= iss= leeway= "
                        "check= weak");
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (source->file.len == 0) {
        return ngx_im_invalid(cf, cmd, &args[1], "has no key: name the file "
                              "that holds it by file=");
    }

    if (jwks && source->kid.len) {
        return ngx_im_invalid(cf, cmd, &args[1], "has kid=: each key of a set "
                              "has its own");
    }

    if (!jwks && source->check) {
        return ngx_im_invalid(cf, cmd, &args[1], "has check=, which is for "
                              "jwks: a changed key is taken by nginx -s "
                              "reload");
    }

    if (source->check == 0) {
        source->check = NGX_IM_JWT_CHECK;
    }

    return ngx_im_jwt_source_add(cf, imcf, source);
}


/* "transport=websocket,sse" */
static char *
ngx_im_comet_transports(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf, ngx_str_t *arg)
{
    u_char                 names[NGX_MAX_CONF_ERRSTR / 2];
    im_buf_t               b;
    im_str_t               list, item;
    ngx_uint_t             kinds;
    const im_transport_t  *transport;

    kinds = ilcf->proto->transports & IM_TRANSPORTS_HTTP;

    if (arg->len < 10 || ngx_strncmp(arg->data, "transport=", 10) != 0) {
        return ngx_im_refuse(cf, "im_comet: \"%V\" is unknown: it must be "
                             "transport=", arg);
    }

    ilcf->transports = 0;
    list = im_str_set(arg->data + 10, arg->len - 10);

    do {
        item = im_str_set("", 0);
        (void) im_header_next(&list, &item);

        transport = im_transport_find(item);

        if (transport == NULL || !(transport->kind & kinds)) {
            im_buf_fixed(&b, names, sizeof(names));
            im_transport_names(&b, kinds);

            return ngx_im_refuse(cf, "im_comet: \"%*s\" in \"%V\" is no "
                                 "transport of protocol=%s: it must be %*s",
                                 item.len, item.data, arg, ilcf->proto->name,
                                 b.len, b.data);
        }

        if (ilcf->transports & transport->kind) {
            return ngx_im_refuse(cf, "im_comet: \"%*s\" in \"%V\" is there "
                                 "twice", item.len, item.data, arg);
        }

        ilcf->transports |= transport->kind;

    } while (list.len > 0);

    return NGX_CONF_OK;
}


static char *
ngx_im_comet(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    u_char                     names[NGX_MAX_CONF_ERRSTR / 2];
    im_buf_t                   b;
    ngx_str_t                 *args;
    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->proto != NULL) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (ngx_strncmp(args[1].data, "protocol=", 9) == 0) {
        ilcf->proto = im_proto_find(im_str_set(args[1].data + 9,
                                               args[1].len - 9));
    }

    if (ilcf->proto == NULL) {
        im_buf_fixed(&b, names, sizeof(names));
        im_proto_names(&b, 0, 0);

        return ngx_im_refuse(cf, "im_comet: \"%V\" must be %*s", &args[1],
                             b.len, b.data);
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "shares its location with proxy_pass or the like: give it a "
               "location of its own";
    }

    clcf->handler = ngx_im_handshake_handler;
    ilcf->transports = ilcf->proto->usual;

    return cf->args->nelts > 2 ? ngx_im_comet_transports(cf, ilcf, &args[2])
                               : NGX_CONF_OK;
}


static char *
ngx_im_emulation(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->emulation) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "shares its location with im_comet, proxy_pass or the like: "
               "give it a location of its own";
    }

    ilcf->emulation = 1;
    clcf->handler = ngx_im_emulation_handler;

    return NGX_CONF_OK;
}


/* One that is a constant would be the same for all clients. */
static char *
ngx_im_value(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg,
    ngx_str_t *text, ngx_http_complex_value_t **value)
{
    ngx_http_compile_complex_value_t  ccv;

    *value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return (*value)->lengths != NULL
           ? NGX_CONF_OK
           : ngx_im_invalid(cf, cmd, arg, "has no variable: all clients would "
                            "have that value");
}


static char *
ngx_im_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    char       *rv;
    ngx_str_t  *args, from;

    if (ilcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    args = cf->args->elts;
    ilcf->token = NULL;

    if (cf->args->nelts == 2) {
        return ngx_im_options(cf, cmd, 1, ngx_im_auth_options, ilcf,
                              "must be none, token, jwt or mid");
    }

    if (ngx_strncmp(args[2].data, "from=", 5) != 0) {
        return ngx_im_invalid(cf, cmd, &args[2], "must be from=$VARIABLE, such "
                              "as from=$arg_token");
    }

    from.data = args[2].data + 5;
    from.len = args[2].len - 5;

    rv = ngx_im_value(cf, cmd, &args[2], &from, &ilcf->token);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cf->args->nelts = 2;

    rv = ngx_im_options(cf, cmd, 1, ngx_im_auth_options, ilcf,
                        "must be token or jwt, beside from=");

    return rv == NGX_CONF_OK && ilcf->auth != NGX_IM_AUTH_TOKEN
           && ilcf->auth != NGX_IM_AUTH_JWT
           ? ngx_im_invalid(cf, cmd, &args[1], "must be token or jwt, beside "
                            "from=") : rv;
}


/* Names with commas between, or variables of such. */
static char *
ngx_im_rooms(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    ngx_str_t                         *args;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *value;
    ngx_http_compile_complex_value_t   ccv;

    if (ilcf->joins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    args = cf->args->elts;

    ilcf->joins = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                   sizeof(ngx_http_complex_value_t));
    if (ilcf->joins == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        value = ngx_array_push(ilcf->joins);
        if (value == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &args[i];
        ccv.complex_value = value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* URI [timeout=TIME], from argument n on. */
static char *
ngx_im_uri(ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t n, ngx_str_t *uri,
    ngx_msec_t *timeout)
{
    ngx_str_t  *arg;

    arg = (ngx_str_t *) cf->args->elts + n;

    if (arg->len == 0 || arg->data[0] != '/') {
        return ngx_im_invalid(cf, cmd, arg,
                              "must be the URI of an internal location");
    }

    if (ngx_strlchr(arg->data, arg->data + arg->len, '?') != NULL) {
        return ngx_im_invalid(cf, cmd, arg,
                              "has arguments, which questions don't have: put "
                              "them into the location, such as \"proxy_pass "
                              "http://backend/path?x=1\"");
    }

    *uri = *arg;
    *timeout = NGX_IM_BACKEND_TIMEOUT;

    return ngx_im_options(cf, cmd, n + 1, ngx_im_timeout_options, timeout,
                          "must be timeout=TIME");
}


static char *
ngx_im_connect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    if (ilcf->connect.data != NULL) {
        return "is duplicate";
    }

    return ngx_im_uri(cf, cmd, 1, &ilcf->connect, &ilcf->connect_timeout);
}


static char *
ngx_im_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    ngx_str_t   *args;
    ngx_uint_t   i;

    args = cf->args->elts;

    for (i = 0; i < IM_WEBHOOKS; i++) {
        if (im_str_eq(ngx_im_str(args[1]), im_webhook_names[i])) {
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

    return ngx_im_uri(cf, cmd, 2, &ilcf->webhooks[i],
                      &ilcf->webhook_timeouts[i]);
}


static char *
ngx_im_user(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    char       *rv;
    ngx_str_t  *args, name;

    if (ilcf->user != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    args = cf->args->elts;

    ilcf->user = NULL;
    ilcf->user_name = NULL;

    if (cf->args->nelts == 2 && ngx_strcmp(args[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    rv = ngx_im_value(cf, cmd, &args[1], &args[1], &ilcf->user);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    if (ngx_strncmp(args[2].data, "name=", 5) != 0) {
        return ngx_im_invalid(cf, cmd, &args[2], "must be name=$VARIABLE");
    }

    name.data = args[2].data + 5;
    name.len = args[2].len - 5;

    return ngx_im_value(cf, cmd, &args[2], &name, &ilcf->user_name);
}


/* Those that a question has of its own, or that change what an answer is. */
static const char *
ngx_im_unforwarded(ngx_str_t *name)
{
    const char *const  *p;

    static const char *const  names[] = {
        "host", "connection", "upgrade", "keep-alive", "proxy-connection",
        "proxy-authorization", "http2-settings", "te", "trailer",
        "transfer-encoding", "content-length", "content-type",
        "content-encoding", "content-range", "expect", "range", "if-range",
        "if-match", "if-none-match", "if-modified-since",
        "if-unmodified-since", "accept-encoding", NULL
    };

    for (p = names; *p != NULL; p++) {
        if (ngx_strcmp(name->data, *p) == 0) {
            return "can't be forwarded: it is about the connection or the "
                   "body, and a question has its own";
        }
    }

    if (ngx_strncmp(name->data, "sec-websocket-", 14) == 0) {
        return "can't be forwarded: it is about the handshake alone";
    }

    if (name->data[0] == '$' || ngx_strcmp(name->data, "*") == 0) {
        return "is no name of a header: name each one, such as Cookie for "
               "$http_cookie";
    }

    if (ngx_strcmp(name->data, "off") == 0) {
        return "stands alone: it forwards no header";
    }

    if (name->len == 0 || name->len > NGX_IM_HEADER_MAX
        || strspn((char *) name->data, "abcdefghijklmnopqrstuvwxyz0123456789"
                                  "!#$%&'*+-.^_`|~")
           != name->len)
    {
        return "is no name of a header";
    }

    return NULL;
}


static char *
ngx_im_forward(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    ngx_str_t   *args, *name;
    ngx_uint_t   i, k;
    const char  *why;

    if (ilcf->forward != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    args = cf->args->elts;
    ilcf->forward = NULL;

    if (cf->args->nelts == 2 && ngx_strcmp(args[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts - 1 > NGX_IM_HEADERS_MAX) {
        return "has too many headers: at most 16";
    }

    ilcf->forward = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (ilcf->forward == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        ngx_strlow(args[i].data, args[i].data, args[i].len);

        why = ngx_im_unforwarded(&args[i]);
        name = ilcf->forward->elts;

        for (k = 0; why == NULL && k < ilcf->forward->nelts; k++) {
            if (im_str_eq(ngx_im_str(name[k]), ngx_im_str(args[i]))) {
                why = "is there twice";
            }
        }

        if (why != NULL) {
            return ngx_im_invalid(cf, cmd, &args[i], why);
        }

        name = ngx_array_push(ilcf->forward);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = args[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_im_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    char       *rv;
    ngx_str_t  *args;

    if (ilcf->ping != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    args = cf->args->elts;

    rv = ngx_im_option_set(cf, cmd, &ngx_im_ping_options[1], &args[1], conf);

    return rv == NGX_CONF_OK
           ? ngx_im_options(cf, cmd, 2, ngx_im_ping_options, conf,
                            "must be timeout=TIME")
           : rv;
}


static char *
ngx_im_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_im_options(cf, cmd, 1, ngx_im_limit_options, conf,
                          "is unknown; there are sessions= per_ip= per_user= "
                          "policy=refuse policy=newest unauthenticated= "
                          "handshakes= signatures= commands= topics= "
                          "new_rooms= guest_rooms= joins= budget= topic_log= "
                          "logs= recovery= windows= message= replies= "
                          "auth_timeout= refresh=");
}


static char *
ngx_im_per_address(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    char  *rv;

    rv = ngx_im_options(cf, cmd, 1, ngx_im_per_address_options, conf,
                        "is unknown; there are sessions= pending= "
                        "guest_rooms= handshakes= rooms= failures= read= "
                        "frames= bytes= except= zone= off");

    return rv == NGX_CONF_OK && imcf->per_address.off && cf->args->nelts > 2
           ? "has other options beside \"off\"" : rv;
}


static char *
ngx_im_deflate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_im_options(cf, cmd, 1, ngx_im_deflate_options, conf,
                          "is unknown; there are on off min= level=");
}


static char *
ngx_im_allow_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t  *ilcf = conf;

    ngx_str_t    *args;
    ngx_uint_t    i;
    const char   *why;
    im_origin_t  *origin;

    args = cf->args->elts;

    if (ilcf->origins == NGX_CONF_UNSET_PTR) {
        ilcf->origins = ngx_array_create(cf->pool, 4, sizeof(im_origin_t));
        if (ilcf->origins == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {
        origin = ngx_array_push(ilcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        if (im_origin_pattern(ngx_im_str(args[i]), origin, &why) != IM_OK) {
            return ngx_im_invalid(cf, cmd, &args[i], why);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_im_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_loc_conf_t         *ilcf = conf;

    ngx_str_t                 *args;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    static const char  *words[] = {
        "format=json", "format=prometheus", "ready"
    };

    args = cf->args->elts;

    for (i = 0; cf->args->nelts > 1 && i < 3; i++) {
        if (im_str_eq(ngx_im_str(args[1]), im_str_z(words[i]))) {
            break;
        }
    }

    if (i == 3) {
        return ngx_im_invalid(cf, cmd, &args[1],
                              "is not format=json, format=prometheus or ready");
    }

    ilcf->status = i;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_im_status_handler;

    return NGX_CONF_OK;
}


static ngx_conf_enum_t  ngx_im_io_uring[] = {
    { ngx_string("auto"), NGX_IM_URING_AUTO },
    { ngx_string("on"), NGX_IM_URING_ON },
    { ngx_string("off"), NGX_IM_URING_OFF },
    { ngx_null_string, 0 }
};


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

    { ngx_string("im_handover"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_im_handover,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_io_uring"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_im_main_conf_t, io_uring),
      ngx_im_io_uring },

    { ngx_string("im_comet"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_im_comet,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_emulation"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_im_emulation,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_listen"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_2MORE,
      ngx_im_listen,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_im_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_join"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_im_rooms,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_user"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_im_user,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_forward"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_im_forward,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_connect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_im_connect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_webhook"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
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

    { ngx_string("im_per_address"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_im_per_address,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_deflate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_im_deflate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_allow_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_im_allow_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_session_log"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_im_loc_conf_t, session_log),
      NULL },

    { ngx_string("im_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_im_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


/* Of a session, for the access log. */
typedef enum {
    NGX_IM_VAR_SESSION = 0,
    NGX_IM_VAR_PROTOCOL,
    NGX_IM_VAR_TRANSPORT,
    NGX_IM_VAR_USER,
    NGX_IM_VAR_REASON,
    NGX_IM_VAR_WHY,
    NGX_IM_VAR_CODE,
    NGX_IM_VAR_DURATION,
    NGX_IM_VAR_IN,
    NGX_IM_VAR_OUT
} ngx_im_var_e;

#define ngx_im_access_row(name, kind, which)                                  \
    { ngx_string(name), NULL, ngx_im_##kind##_variable, NGX_IM_VAR_##which,   \
      NGX_HTTP_VAR_NOCACHEABLE, 0 }


/* nginx sets no_cacheable by the flags of the variable. */
static ngx_int_t
ngx_im_variable(ngx_http_variable_value_t *v, u_char *data, size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_im_node_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_im_module);

    return ngx_im_variable(v, imcf->node.data, imcf->node.len);
}


/* The number of sessions of this worker. */
static ngx_int_t
ngx_im_sessions_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_im_variable(v, p, ngx_sprintf(p, "%ui", ngx_im_worker
                                                  ? ngx_im_worker->nsessions
                                                  : 0)
                                 - p);
}


/* Not found: the request became no session, or that has not ended. */
static ngx_int_t
ngx_im_access_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_im_access_t  *a;

    a = ngx_http_get_module_ctx(r->main, ngx_im_module);

    v->not_found = 1;

    if (a == NULL || a->proto == NULL) {
        return NGX_OK;
    }

    switch (data) {

    case NGX_IM_VAR_SESSION:
        return ngx_im_variable(v, a->id, IM_UUID_LEN);

    case NGX_IM_VAR_PROTOCOL:
        return ngx_im_variable(v, (u_char *) a->proto->name,
                               ngx_strlen(a->proto->name));

    case NGX_IM_VAR_TRANSPORT:
        return ngx_im_variable(v, (u_char *) a->transport->name,
                               ngx_strlen(a->transport->name));

    default:
        return a->user.len > 0
               ? ngx_im_variable(v, a->user.data, a->user.len) : NGX_OK;
    }
}


/* What is known at the end. */
static ngx_int_t
ngx_im_end_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char           *p;
    const char       *text;
    ngx_im_access_t  *a;

    a = ngx_http_get_module_ctx(r->main, ngx_im_module);

    v->not_found = 1;

    if (a == NULL || a->proto == NULL || a->reason == NULL) {
        return NGX_OK;
    }

    if (data == NGX_IM_VAR_REASON || data == NGX_IM_VAR_WHY) {
        text = data == NGX_IM_VAR_WHY ? a->why : a->reason;

        return text != NULL
               ? ngx_im_variable(v, (u_char *) text, ngx_strlen(text))
               : NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_im_variable(v, p,
                           ngx_sprintf(p, "%uL",
                                       data == NGX_IM_VAR_CODE ? a->code
                                       : data == NGX_IM_VAR_DURATION
                                       ? a->seconds
                                       : data == NGX_IM_VAR_IN ? a->bytes_in
                                       : a->bytes_out)
                           - p);
}


static ngx_http_variable_t  ngx_im_vars[] = {

    { ngx_string("im_node"), NULL, ngx_im_node_variable, 0, 0, 0 },

    { ngx_string("im_sessions"), NULL, ngx_im_sessions_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    ngx_im_access_row("im_session", access, SESSION),
    ngx_im_access_row("im_protocol", access, PROTOCOL),
    ngx_im_access_row("im_transport", access, TRANSPORT),
    ngx_im_access_row("im_user", access, USER),
    ngx_im_access_row("im_reason", end, REASON),
    ngx_im_access_row("im_why", end, WHY),
    ngx_im_access_row("im_code", end, CODE),
    ngx_im_access_row("im_duration", end, DURATION),
    ngx_im_access_row("im_bytes_in", end, IN),
    ngx_im_access_row("im_bytes_out", end, OUT),

      ngx_http_null_variable
};


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


static void
ngx_im_rules_free(void *data)
{
    im_rules_cleanup(data);
}


/* What has its default in a table. */
static const ngx_im_option_t  *ngx_im_limits[] = {
    ngx_im_limit_options, ngx_im_per_address_options, ngx_im_deflate_options
};

#define NGX_IM_LIMITS  (sizeof(ngx_im_limits) / sizeof(ngx_im_limits[0]))


static void *
ngx_im_create_main_conf(ngx_conf_t *cf)
{
    ngx_uint_t              i;
    ngx_im_main_conf_t     *imcf;
    ngx_pool_cleanup_t     *cln;
    const ngx_im_option_t  *option;

    imcf = ngx_pcalloc(cf->pool, sizeof(ngx_im_main_conf_t));
    if (imcf == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    if (ngx_array_init(&imcf->comets, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&imcf->listens, cf->pool, 1, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    im_rules_init(&imcf->rules);

    cln->handler = ngx_im_rules_free;
    cln->data = &imcf->rules;

    imcf->drain = NGX_CONF_UNSET_MSEC;
    imcf->io_uring = NGX_CONF_UNSET_UINT;

    for (i = 0; i < NGX_IM_LIMITS; i++) {
        for (option = ngx_im_limits[i]; option->name.len > 0; option++) {
            if (option->flags & NGX_IM_OPTION_MAIN) {
                *ngx_im_option_field(imcf, option) = NGX_CONF_UNSET_UINT;
            }
        }
    }

    return imcf;
}


static char *
ngx_im_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    u_char                 *p;
    ngx_str_t              *host;
    ngx_uint_t              i;
    const ngx_im_option_t  *option;

    ngx_conf_init_msec_value(imcf->drain, 30000);
    ngx_conf_init_uint_value(imcf->io_uring, NGX_IM_URING_AUTO);

    for (i = 0; i < NGX_IM_LIMITS; i++) {
        for (option = ngx_im_limits[i]; option->name.len > 0; option++) {
            if (option->flags & NGX_IM_OPTION_MAIN) {
                ngx_conf_init_uint_value(*ngx_im_option_field(imcf, option),
                                         option->value);
            }
        }
    }

    if (imcf->node.len == 0) {
        host = &cf->cycle->hostname;
        p = ngx_strlchr(host->data, host->data + host->len, '.');

        imcf->node.data = host->data;
        imcf->node.len = p ? (size_t) (p - host->data) : host->len;

        if (!im_node_valid(ngx_im_str(imcf->node))) {
            ngx_str_set(&imcf->node, "node");
        }
    }

    return ngx_im_zone_init(cf, imcf) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
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
    ilcf->policy = NGX_CONF_UNSET_UINT;
    ilcf->max_message = NGX_CONF_UNSET_SIZE;
    ilcf->max_replies = NGX_CONF_UNSET_SIZE;
    ilcf->deflate = NGX_CONF_UNSET_UINT;
    ilcf->session_log = NGX_CONF_UNSET;
    ilcf->origins = NGX_CONF_UNSET_PTR;
    ilcf->joins = NGX_CONF_UNSET_PTR;
    ilcf->token = NGX_CONF_UNSET_PTR;
    ilcf->user = NGX_CONF_UNSET_PTR;
    ilcf->user_name = NGX_CONF_UNSET_PTR;
    ilcf->forward = NGX_CONF_UNSET_PTR;

    return ilcf;
}


/* Where sessions with these settings begin, for messages. */
static const char *
ngx_im_directive(ngx_im_loc_conf_t *conf)
{
    return conf->clcf->handler == ngx_im_handshake_handler ? "im_comet"
                                                           : "im_listen ...";
}


static char *
ngx_im_check_topics(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    ngx_im_main_conf_t  *imcf;

    imcf = conf->main;
    imcf->enabled = 1;

    if (imcf->redis.link.nseeds == 0) {
        return ngx_im_refuse(cf, "\"%s protocol=%s\" needs Redis: add "
                             "\"im_redis 127.0.0.1:6379;\" to http{}",
                             ngx_im_directive(conf), conf->proto->name);
    }

    if (imcf->rules.nrooms == 0) {
        return ngx_im_refuse(cf, "\"%s protocol=%s\" has no room to "
                             "join: add \"im_room * history=0;\" to http{}",
                             ngx_im_directive(conf), conf->proto->name);
    }

    if (conf->auth == NGX_IM_AUTH_TOKEN && conf->connect.len == 0) {
        return ngx_im_refuse(cf, "\"im_auth token\" asks im_logic who a token "
                             "is: name the internal location by "
                             "\"im_connect /im_connect;\"");
    }

    if (conf->auth == NGX_IM_AUTH_MID && conf->proto->claim == NULL) {
        return ngx_im_refuse(cf, "\"im_auth mid\" takes a client's word for "
                             "who it is, and clients of \"protocol=%s\" say "
                             "nothing of the kind", conf->proto->name);
    }

    if (conf->auth == NGX_IM_AUTH_JWT && imcf->jwt_keys == NULL) {
        return ngx_im_refuse(cf, "\"im_auth jwt\" has no key to check tokens "
                             "with: add \"im_jwt_key HS256 "
                             "file=/etc/im/jwt.key;\" to http{}");
    }

    return NGX_CONF_OK;
}


/* The location asks a backend something. */
static ngx_uint_t
ngx_im_asks(ngx_im_loc_conf_t *conf)
{
    ngx_uint_t  i;

    for (i = 0; i < IM_WEBHOOKS; i++) {
        if (conf->webhooks[i].len > 0) {
            return 1;
        }
    }

    return conf->connect.len > 0;
}


/* What a protocol has of its own where nothing is configured. */
static void
ngx_im_proto_defaults(ngx_im_loc_conf_t *conf)
{
    const im_proto_t  *proto;

    proto = conf->proto;

    ngx_conf_init_msec_value(conf->ping,
                             proto->ping ? proto->ping * 1000 : 25000);
    ngx_conf_init_msec_value(conf->pong,
                             proto->pong ? proto->pong * 1000 : 60000);

    if (proto->max_message > 0) {
        conf->max_message = ngx_min(conf->max_message, proto->max_message);
    }
}


/* Rooms that are no variables must be there. */
static char *
ngx_im_check_joins(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    im_str_t                   list, room;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *value;

    if (!conf->proto->request) {
        return NGX_CONF_OK;
    }

    if (conf->joins == NULL) {
        return ngx_im_refuse(cf, "\"im_comet protocol=%s\" has no im_join: "
                             "name the rooms, for example \"im_join "
                             "$arg_room;\"", conf->proto->name);
    }

    value = conf->joins->elts;

    for (i = 0; i < conf->joins->nelts; i++) {
        list = ngx_im_str(value[i].value);

        while (value[i].lengths == NULL && im_header_next(&list, &room)) {
            if (im_rules_room(&conf->main->rules, room) == NULL) {
                return ngx_im_refuse(cf, "im_join: no im_room matches \"%*s\"",
                                     room.len, room.data);
            }
        }
    }

    return NGX_CONF_OK;
}


/* The settings of sessions, wherever they begin. */
static char *
ngx_im_check_settings(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    conf->grace = conf->refresh / 1000;

    if (ngx_im_check_joins(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_im_asks(conf)) {
        conf->forward = NULL;
    }

    ngx_im_proto_defaults(conf);

    if (conf->pong <= conf->ping) {
        return ngx_im_refuse(cf, "im_ping: the timeout %M ms must be longer "
                             "than the interval %M ms", conf->pong, conf->ping);
    }

    return conf->proto->topics ? ngx_im_check_topics(cf, conf) : NGX_CONF_OK;
}


static char *
ngx_im_check_comet(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    ngx_im_loc_conf_t  **comet;

    conf->main = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);
    conf->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    conf->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (conf->clcf->handler != ngx_im_handshake_handler) {
        return ngx_im_refuse(cf, "\"im_comet protocol=%s\" shares its location "
                             "with proxy_pass or the like: give it a location "
                             "of its own", conf->proto->name);
    }

    comet = ngx_array_push(&conf->main->comets);
    if (comet == NULL) {
        return NGX_CONF_ERROR;
    }

    *comet = conf;

    return ngx_im_check_settings(cf, conf);
}


/* A body is in memory, and no longer than a message may be. */
static char *
ngx_im_check_emulation(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    conf->main = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);
    conf->clcf = clcf;

    if (clcf->handler != ngx_im_emulation_handler) {
        return ngx_im_refuse(cf, "im_emulation shares its location with "
                             "proxy_pass or the like: give it a location of "
                             "its own");
    }

    if (conf->main->redis.link.nseeds == 0) {
        return ngx_im_refuse(cf, "im_emulation needs Redis: add \"im_redis "
                             "127.0.0.1:6379;\" to http{}");
    }

    if (clcf->client_max_body_size == 0
        || clcf->client_max_body_size > (off_t) conf->max_message)
    {
        clcf->client_max_body_size = conf->max_message;
    }

    clcf->client_body_buffer_size = conf->max_message;
    clcf->client_body_in_file_only = 0;

    conf->main->enabled = 1;
    conf->main->emulation = 1;

    return NGX_CONF_OK;
}


/* A URI and its time-out go together. */
static void
ngx_im_merge_uri(ngx_str_t *uri, ngx_msec_t *timeout, ngx_str_t *prev,
    ngx_msec_t prev_timeout)
{
    if (uri->data == NULL) {
        *uri = *prev;
        *timeout = prev_timeout;
    }
}


/* The default of im_allow_origin. */
static ngx_int_t
ngx_im_own_origin(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    im_origin_t  *origin;

    conf->origins = ngx_array_create(cf->pool, 1, sizeof(im_origin_t));
    if (conf->origins == NULL) {
        return NGX_ERROR;
    }

    origin = ngx_array_push(conf->origins);
    ngx_memzero(origin, sizeof(im_origin_t));
    origin->kind = IM_ORIGIN_SELF;

    return NGX_OK;
}


/* A block of "if" or limit_except in a location is one too. */
static void
ngx_im_inherit_comet(ngx_conf_t *cf, ngx_im_loc_conf_t *prev,
    ngx_im_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->proto == NULL && prev->proto != NULL
        && clcf->handler == NULL)
    {
        conf->proto = prev->proto;
        conf->transports = prev->transports;
        clcf->handler = ngx_im_handshake_handler;
    }

    if (clcf->noname && prev->emulation && clcf->handler == NULL) {
        conf->emulation = 1;
        clcf->handler = ngx_im_emulation_handler;
    }
}


/* What is for requests that say all is of no use elsewhere. */
static char *
ngx_im_check_request(ngx_conf_t *cf, ngx_im_loc_conf_t *conf)
{
    const char  *directive;

    directive = conf->joins != NGX_CONF_UNSET_PTR ? "im_join"
                : conf->token != NGX_CONF_UNSET_PTR && conf->token != NULL
                ? "im_auth: from=" : NULL;

    return conf->proto != NULL && !conf->proto->request && directive != NULL
           ? ngx_im_refuse(cf, "%s is of no use to \"im_comet protocol=%s\", "
                           "whose clients say it themselves: it is for "
                           "protocol=plain", directive, conf->proto->name)
           : NGX_CONF_OK;
}


static char *
ngx_im_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_im_loc_conf_t  *prev = parent;
    ngx_im_loc_conf_t  *conf = child;

    u_char      names[NGX_MAX_CONF_ERRSTR / 2];
    im_buf_t    b;
    ngx_uint_t  i;

    ngx_im_inherit_comet(cf, prev, conf);

    if (ngx_im_check_request(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_IM_AUTH_NONE);
    ngx_conf_merge_ptr_value(conf->token, prev->token, NULL);
    ngx_conf_merge_ptr_value(conf->joins, prev->joins, NULL);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, NGX_CONF_UNSET_MSEC);
    ngx_conf_merge_msec_value(conf->pong, prev->pong, NGX_CONF_UNSET_MSEC);
    ngx_conf_merge_msec_value(conf->auth_timeout, prev->auth_timeout, 10000);
    ngx_conf_merge_msec_value(conf->refresh, prev->refresh, 25000);
    ngx_conf_merge_uint_value(conf->policy, prev->policy, NGX_IM_POLICY_REFUSE);
    ngx_conf_merge_size_value(conf->max_message, prev->max_message, 64 * 1024);
    ngx_conf_merge_size_value(conf->max_replies, prev->max_replies, 64 * 1024);
    ngx_conf_merge_uint_value(conf->deflate, prev->deflate, 0);
    ngx_conf_merge_value(conf->session_log, prev->session_log, 0);
    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);
    ngx_conf_merge_ptr_value(conf->user_name, prev->user_name, NULL);
    ngx_conf_merge_ptr_value(conf->forward, prev->forward, NULL);
    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);

    if (conf->origins == NULL && (conf->proto != NULL || conf->emulation)
        && ngx_im_own_origin(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }


    ngx_im_merge_uri(&conf->connect, &conf->connect_timeout, &prev->connect,
                     prev->connect_timeout);

    for (i = 0; i < IM_WEBHOOKS; i++) {
        if (conf->webhooks[i].len && conf->proto && !conf->proto->commands) {
            im_buf_fixed(&b, names, sizeof(names));
            im_proto_names(&b, 1, 0);

            return ngx_im_refuse(cf, "im_webhook: \"%s\" is of no use to "
                                 "\"im_comet protocol=%s\", which has no such "
                                 "command: it is for %*s",
                                 im_webhook_names[i].data, conf->proto->name,
                                 b.len, b.data);
        }

        ngx_im_merge_uri(&conf->webhooks[i], &conf->webhook_timeouts[i],
                         &prev->webhooks[i], prev->webhook_timeouts[i]);
    }

    if (conf->emulation) {
        return ngx_im_check_emulation(cf, conf);
    }

    return conf->proto != NULL ? ngx_im_check_comet(cf, conf) : NGX_CONF_OK;
}


static ngx_int_t
ngx_im_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_im_listen_t     **listens;
    ngx_im_main_conf_t   *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);
    listens = imcf->listens.elts;

    for (i = 0; i < imcf->listens.nelts; i++) {
        if (ngx_im_listen_conf(cf, listens[i]) != NGX_CONF_OK
            || ngx_im_check_settings(cf, listens[i]->conf) != NGX_CONF_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_im_guard_init();

    return ngx_im_place_init(cf, imcf) == NGX_OK ? ngx_im_check(cf, imcf)
                                                 : NGX_ERROR;
}


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


/* What depends on the whole cycle: connections, workers, the zone. */
static ngx_int_t
ngx_im_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t           n, all;
    ngx_log_t           *log;
    ngx_core_conf_t     *ccf;
    ngx_im_main_conf_t  *imcf;

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_im_module);
    if (imcf == NULL) {
        return NGX_OK;
    }

    if (ngx_im_zone_bequeath(cycle, imcf) != NGX_OK
        || ngx_im_listen_check(cycle) != NGX_OK
        || ngx_im_handover_init(cycle, imcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_im_stale_check(cycle);

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    n = cycle->connection_n;

    if (imcf->max_sessions == NGX_CONF_UNSET_UINT) {
        imcf->max_sessions = ngx_max(n - ngx_im_reserve_default(n), 1);

    } else if (imcf->max_sessions > n) {
        /* error_log may hide warnings from nginx -t */

        log = ngx_is_init_cycle(cycle->old_cycle) ? cycle->old_cycle->log
                                                  : cycle->log;

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "im_limit: \"sessions=%ui\" is above "
                      "\"worker_connections %ui\": raise the latter to %ui",
                      imcf->max_sessions, n,
                      imcf->max_sessions + NGX_IM_RESERVE_MIN);
    }

    if (imcf->per_address.sessions == NGX_CONF_UNSET_UINT) {
        all = ccf->worker_processes
              * (imcf->max_sessions ? imcf->max_sessions : n);

        imcf->per_address.sessions = ngx_max(NGX_IM_SESSIONS_MIN,
                                             all / NGX_IM_SESSIONS_PART);
    }

    return NGX_OK;
}


/* Cache processes and configurations without http{} have no worker. */
static ngx_int_t
ngx_im_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t           works;
    ngx_im_main_conf_t  *imcf;

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_im_module);
    if (imcf == NULL) {
        return NGX_OK;
    }

    works = ngx_process == NGX_PROCESS_WORKER
            || ngx_process == NGX_PROCESS_SINGLE;

    ngx_im_handover_keep(imcf, works ? (ngx_int_t) ngx_worker : -1);

    return works ? ngx_im_worker_init(cycle, imcf) : NGX_OK;
}


ngx_module_t  ngx_im_module = {
    NGX_MODULE_V1,
    &ngx_im_module_ctx,            /* module context */
    ngx_im_commands,               /* module directives */
    NGX_HTTP_MODULE,               /* module type */
    NULL,                          /* init master */
    ngx_im_init_module,            /* init module */
    ngx_im_init_process,           /* init process */
    NULL,                          /* init thread */
    NULL,                          /* exit thread */
    ngx_im_worker_exit,            /* exit process */
    NULL,                          /* exit master */
    NGX_MODULE_V1_PADDING
};
