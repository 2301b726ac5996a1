/*
 * Copyright (C) The im authors
 *
 * nginx's own forms.
 */

#include "ngx_im_nginx.h"

#include <nginx.h>


ngx_http_core_loc_conf_t *
ngx_im_nginx_location(ngx_http_location_tree_node_t *node, ngx_uint_t exact)
{
    return exact && node->exact != NULL ? node->exact : node->inclusive;
}


ngx_uint_t
ngx_im_nginx_upgraded(void)
{
    return getenv(NGINX_VAR) != NULL;
}


/* As ngx_http_log_error() does. */
u_char *
ngx_im_nginx_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char              *p;
    ngx_http_request_t  *r;
    ngx_http_log_ctx_t  *ctx;

    ctx = log->data;
    r = ctx->request;

    if (log->action != NULL) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(buf, len, ", client: %V", &ctx->connection->addr_text);
    len -= p - buf;

    return r != NULL ? r->log_handler(r, ctx->current_request, p, len) : p;
}
