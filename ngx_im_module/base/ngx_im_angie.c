/*
 * Copyright (C) The im authors
 *
 * Angie's forms: several locations may share a configuration, and a line of the
 * error log may be JSON.
 */

#include "ngx_im_nginx.h"

#include <angie.h>


ngx_http_core_loc_conf_t *
ngx_im_nginx_location(ngx_http_location_tree_node_t *node, ngx_uint_t exact)
{
    ngx_http_core_loc_t  *loc;

    loc = exact && node->exact != NULL ? node->exact : node->inclusive;

    return loc != NULL ? loc->conf : NULL;
}


ngx_uint_t
ngx_im_nginx_upgraded(void)
{
    return getenv(ANGIE_VAR) != NULL;
}


/* As ngx_http_log_error() does. */
u_char *
ngx_im_nginx_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char              *p, *last;
    ngx_http_log_ctx_t  *ctx;

    ctx = log->data;
    p = buf;
    last = buf + len;

    if (log->action != NULL) {
        p = ngx_log_action(log, p, last, log->action);
    }

    p = ngx_log_property(log, p, last, ngx_http_log_prop(CLIENT), "%V",
                         &ctx->connection->addr_text);

    if (ctx->request == NULL) {
        return p;
    }

    return ngx_log_object(log, p, last, ngx_http_log_prop(REQUEST),
                          ctx->request->log_handler, ctx);
}
