/*
 * Copyright (C) The im authors
 *
 * The answer to a handshake that is refused: a status, and the reason in words.
 */

#include "ngx_im_refused.h"
#include "ngx_im_cors.h"
#include "im_wire.h"


#define NGX_IM_REFUSED_TEXT  512


/* The operator's own page for this status. */
static ngx_uint_t
ngx_im_refused_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *pages;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL) {
        return 0;
    }

    pages = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (pages[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


/* In words, since people open the address in a browser. */
static void
ngx_im_refused_intro(im_buf_t *b, ngx_im_loc_conf_t *ilcf)
{
    if (ilcf->transports == IM_TRANSPORT_WEBSOCKET) {
        im_buf_add_z(b, "This is a WebSocket address, for clients that connect "
                     "with the scheme ws or wss.\n");
        return;
    }

    im_buf_add_z(b, "This address is for clients of the protocol ");
    im_buf_add_z(b, ilcf->proto->name);
    im_buf_add_z(b, ", by ");
    im_transport_names(b, ilcf->transports);
    im_buf_add_z(b, ".\n");
}


static ngx_int_t
ngx_im_refused_text(ngx_http_request_t *r, const ngx_im_refused_t *no)
{
    u_char                   *p;
    im_buf_t                  b;
    ngx_str_t                 type;
    ngx_http_complex_value_t  text;

    p = ngx_pnalloc(r->pool, NGX_IM_REFUSED_TEXT);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    im_buf_fixed(&b, p, NGX_IM_REFUSED_TEXT);

    ngx_im_refused_intro(&b, ngx_http_get_module_loc_conf(r, ngx_im_module));
    im_buf_add_uint(&b, no->status);
    im_buf_add_z(&b, ": ");
    im_buf_add_z(&b, no->why);
    im_buf_add_z(&b, "\n");

    ngx_memzero(&text, sizeof(ngx_http_complex_value_t));
    text.value.data = b.data;
    text.value.len = b.len;

    ngx_str_set(&type, "text/plain");

    /* nginx has no words for these */

    if (no->status == NGX_IM_UPGRADE_REQUIRED) {
        ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");

    } else if (no->status == NGX_IM_HEADERS_TOO_LARGE) {
        ngx_str_set(&r->headers_out.status_line,
                    "431 Request Header Fields Too Large");
    }

    return ngx_http_send_response(r, no->status, &type, &text);
}


void
ngx_im_refused_count(ngx_im_worker_t *w, ngx_im_refusal_e why)
{
    w->counters->refused++;
    w->counters->refusals[why]++;
}


ngx_int_t
ngx_im_refused_answer(ngx_http_request_t *r, const ngx_im_refused_t *no)
{
    ngx_im_refused_count(ngx_im_worker, no->reason);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "im: handshake refused with %ui: %s", no->status, no->why);

    if ((no->header != NULL
         && ngx_im_cors_header(r, no->header, im_str_z(no->value)) != NGX_OK)
        || (no->status == NGX_IM_UPGRADE_REQUIRED
            && ngx_im_cors_header(r, "Upgrade", im_str_z("websocket"))
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_discard_request_body(r) != NGX_OK
        || no->status == NGX_HTTP_BAD_REQUEST)
    {
        r->keepalive = 0;
    }

    return ngx_im_refused_page(r, no->status)
           ? (ngx_int_t) no->status : ngx_im_refused_text(r, no);
}
