/*
 * Copyright (C) The im authors
 *
 * Pages of other origins: requests of those that aren't allowed are refused,
 * preflights are answered, and the others may read what they get.
 */

#include "ngx_im_cors.h"
#include "ngx_im_opening.h"
#include "ngx_im_worker.h"
#include "im_header.h"
#include "im_origin.h"


#define NGX_IM_CORS_AGE     "300"       /* s */
#define NGX_IM_CORS_LOGGED  256         /* bytes of an origin */


ngx_int_t
ngx_im_cors_header(ngx_http_request_t *r, const char *name, im_str_t value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = value.data;
    h->value.len = value.len;

    return NGX_OK;
}


/* The last header of a name, and how many there are; empty ones are none. */
static ngx_uint_t
ngx_im_cors_find(ngx_http_request_t *r, const char *name, im_str_t *value)
{
    size_t            len;
    im_str_t          s;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *elt;

    n = 0;
    len = ngx_strlen(name);
    *value = im_str_set("", 0);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        elt = part->elts;

        for (i = 0; i < part->nelts; i++) {
            s = im_header_trim(ngx_im_str(elt[i].value));

            if (s.len > 0 && elt[i].key.len == len
                && ngx_strncasecmp(elt[i].key.data, (u_char *) name, len) == 0)
            {
                *value = s;
                n++;
            }
        }
    }

    return n;
}


ngx_uint_t
ngx_im_cors_origin(ngx_http_request_t *r, im_str_t *origin)
{
    return ngx_im_cors_find(r, "origin", origin);
}


/*
 * Operators look for it where their page stops working.  The client chooses the
 * origin: a long one must not push the advice out of the line.
 */
static void
ngx_im_cors_log(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    im_str_t origin)
{
    ngx_uint_t  level;

    level = NGX_LOG_INFO;
    origin.len = ngx_min(origin.len, NGX_IM_CORS_LOGGED);

    if (ngx_im_worker != NULL && ngx_im_rate_take(&ngx_im_worker->origins, 1)) {
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, r->connection->log, 0,
                  "im: a page of \"%*s\" is refused: if it may come in, add "
                  "\"im_allow_origin self %*s;\" to the location \"%V\"",
                  origin.len, origin.data, origin.len, origin.data,
                  &ilcf->clcf->name);
}


static ngx_uint_t
ngx_im_cors_match(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    im_str_t value)
{
    ngx_str_t     host;
    ngx_uint_t    i;
    im_origin_t   origin, *allowed;

    host = ngx_im_opening_host(r);

    /* what has no known form is admitted by "*" alone */

    if (im_origin_decode(value, &origin) != IM_OK) {
        ngx_memzero(&origin, sizeof(im_origin_t));
    }

    allowed = ilcf->origins->elts;

    for (i = 0; i < ilcf->origins->nelts; i++) {
        if (im_origin_match(&allowed[i], &origin, ngx_im_str(host))) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_im_cors_allowed(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    im_str_t origin)
{
    if (origin.len == 0 || ngx_im_cors_match(r, ilcf, origin)) {
        return 1;
    }

    ngx_im_cors_log(r, ilcf, origin);

    return 0;
}


/* Caches must not give the answer for one origin to pages of another. */
ngx_int_t
ngx_im_cors_answer(ngx_http_request_t *r, im_str_t origin)
{
    if (ngx_im_cors_header(r, "Vary", im_str_z("Origin")) != NGX_OK) {
        return NGX_ERROR;
    }

    return origin.len == 0
           || (ngx_im_cors_header(r, "Access-Control-Allow-Origin", origin)
               == NGX_OK
               && ngx_im_cors_header(r, "Access-Control-Allow-Credentials",
                                     im_str_z("true"))
                  == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


/* What nginx itself does to an answer without a body. */
static ngx_int_t
ngx_im_cors_empty(ngx_http_request_t *r)
{
    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_im_cors_preflight(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    const char *methods)
{
    im_str_t    origin, headers;
    ngx_int_t   rc;
    ngx_uint_t  n;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    n = ngx_im_cors_origin(r, &origin);

    if (n > 1 || !ngx_im_cors_match(r, ilcf, origin)) {
        origin.len = 0;
    }

    (void) ngx_im_cors_find(r, "access-control-request-headers", &headers);

    if (ngx_im_cors_answer(r, origin) != NGX_OK
        || ngx_im_cors_header(r, "Access-Control-Allow-Methods",
                              im_str_z(methods))
           != NGX_OK
        || ngx_im_cors_header(r, "Access-Control-Max-Age",
                              im_str_z(NGX_IM_CORS_AGE))
           != NGX_OK
        || (origin.len > 0 && headers.len > 0
            && ngx_im_cors_header(r, "Access-Control-Allow-Headers", headers)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_im_cors_empty(r);
}
