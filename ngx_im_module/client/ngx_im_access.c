/*
 * Copyright (C) The im authors
 *
 * What the access log gets to know of sessions.
 */

#include "ngx_im_access.h"
#include "ngx_im_kept.h"
#include "ngx_im_opening.h"
#include "ngx_im_request.h"


static void
ngx_im_access_user(ngx_im_access_t *a, ngx_pool_t *pool, ngx_im_session_t *s)
{
    im_str_t  user, name;

    user = ngx_im_session_user_id(s);

    if (user.len == 0 && s->opening != NULL) {
        ngx_im_opening_user(s->opening, &user, &name);
    }

    ngx_str_null(&a->user);

    if (user.len == 0) {
        return;
    }

    a->user.data = ngx_pnalloc(pool, user.len);

    if (a->user.data != NULL) {
        a->user.len = user.len;
        im_copy(a->user.data, user.data, user.len);
    }
}


void
ngx_im_access_begin(ngx_http_request_t *r, ngx_im_session_t *s)
{
    ngx_im_access_t  *a;

    a = ngx_http_get_module_ctx(r, ngx_im_module);

    a->proto = s->class->proto;
    a->transport = s->class->transport;
    ngx_im_session_uuid(s, a->id);
    ngx_im_access_user(a, r->pool, s);
}


static void
ngx_im_access_ended(ngx_http_request_t *r, ngx_im_session_t *s)
{
    ngx_im_access_t  *a;

    a = ngx_http_get_module_ctx(r, ngx_im_module);

    ngx_im_access_begin(r, s);

    a->code = s->close_code;
    a->reason = im_reason_names[s->reason];
    a->why = s->why;
    a->seconds = (uint32_t) ngx_time() - s->start;
    a->bytes_in = s->bytes_in;
    a->bytes_out = s->bytes_out;
}


/* Before its line is written. */
static void
ngx_im_access_gone(void *data)
{
    ngx_im_kept_t     *kept = data;
    ngx_im_session_t  *s;

    s = kept->session;

    if (s != NULL) {
        ngx_im_session_close(s, IM_REASON_LOST, "connection lost");
        ngx_im_access_ended(kept->request, s);
        s->ext->logged = 1;
    }
}


ngx_int_t
ngx_im_access_keep(ngx_http_request_t *r, ngx_im_kept_t *kept)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);

    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_im_access_gone;
    cln->data = kept;

    return NGX_OK;
}


/* A request that is there for the log alone. */
static void
ngx_im_access_line(ngx_im_session_t *s)
{
    ngx_im_access_t     *a;
    ngx_http_request_t  *r;

    r = ngx_im_request_past(s);
    if (r == NULL) {
        return;
    }

    a = ngx_pcalloc(r->pool, sizeof(ngx_im_access_t));

    if (a != NULL) {
        ngx_http_set_ctx(r, a, ngx_im_module);
        ngx_im_access_ended(r, s);
    }

    ngx_im_request_past_end(r, a != NULL);
}


void
ngx_im_access_end(ngx_im_session_t *s)
{
    if (s->ext != NULL && s->ext->kept != NULL) {
        ngx_im_access_ended(s->ext->kept->request, s);

    } else if (s->ext != NULL && s->ext->logged) {
        return;

    } else if (s->class->conf->session_log) {
        ngx_im_access_line(s);
    }
}
