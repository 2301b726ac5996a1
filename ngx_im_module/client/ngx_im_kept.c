/*
 * Copyright (C) The im authors
 *
 * Requests that sessions keep.
 *
 * A session has at most one buffer under way, and none while it is idle.  While
 * the filters hold a part of it, the session is blocked as with a full socket.
 */

#include "ngx_im_kept.h"


#define NGX_IM_KEPT_WATCH  1000          /* ms */


ngx_int_t
ngx_im_kept_begin(ngx_im_session_t *s, ngx_im_kept_t *kept,
    ngx_http_request_t *r)
{
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (ngx_im_session_ext(s) == NULL) {
        s->connection = &ngx_im_session_lost;
        return NGX_ERROR;
    }

    kept->request = r;
    kept->session = s;
    s->ext->kept = kept;

    if (w->nkept++ == 0) {
        ngx_add_timer(&w->kept, NGX_IM_KEPT_WATCH);
    }

    return NGX_OK;
}


void
ngx_im_kept_watch(ngx_event_t *ev)
{
    ngx_im_worker_t  *w;

    w = ev->data;

    if (ngx_exiting) {
        w->events->quit(w);

    } else if (w->nkept > 0) {
        ngx_add_timer(ev, NGX_IM_KEPT_WATCH);
    }
}


static void
ngx_im_kept_forget(ngx_im_kept_t *kept)
{
    im_free(kept->data);
    kept->data = NULL;

    ngx_memzero(&kept->buf, sizeof(ngx_buf_t));
}


/* NGX_AGAIN: a part is still under way. */
static ngx_int_t
ngx_im_kept_push(ngx_im_kept_t *kept, ngx_chain_t *out)
{
    ngx_http_request_t  *r;

    r = kept->request;

    if (ngx_http_output_filter(r, out) == NGX_ERROR || r->connection->error) {
        return NGX_ERROR;
    }

    if (kept->buf.pos < kept->buf.last) {
        return NGX_AGAIN;
    }

    ngx_im_kept_forget(kept);

    return NGX_OK;
}


ngx_int_t
ngx_im_kept_send(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent)
{
    size_t          len, part;
    ngx_uint_t      i;
    ngx_chain_t     out;
    ngx_im_kept_t  *kept;

    kept = s->ext->kept;

    if (kept->data != NULL) {
        return NGX_AGAIN;
    }

    for (i = 0, len = 0; i < n && len < NGX_IM_KEPT_MAX; i++) {
        len += ngx_min(pieces[i].len, NGX_IM_KEPT_MAX - len);
    }

    kept->data = im_alloc(len);
    if (kept->data == NULL) {
        return NGX_ERROR;
    }

    kept->buf.pos = kept->data;
    kept->buf.last = kept->data;
    kept->buf.memory = 1;
    kept->buf.flush = 1;

    for (i = 0; i < n && *sent < len; i++) {
        part = ngx_min(pieces[i].len, len - *sent);
        kept->buf.last = im_copy(kept->buf.last, pieces[i].data, part);
        *sent += part;
    }

    out.buf = &kept->buf;
    out.next = NULL;

    return ngx_im_kept_push(kept, &out) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_im_kept_flush(ngx_im_session_t *s)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = s->connection;

    rc = ngx_im_kept_push(s->ext->kept, NULL);

    if (rc == NGX_AGAIN && ngx_handle_write_event(c->write, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return rc;
}


void
ngx_im_kept_end(ngx_im_session_t *s)
{
    s->ext->kept->ended = 1;

    ngx_im_session_close(s, IM_REASON_LOST, s->why);
}


/* Nothing can be sent any more. */
static void
ngx_im_kept_leave(ngx_im_session_t *s)
{
    s->ext->kept->session = NULL;
    s->ext->kept = NULL;
    s->connection = &ngx_im_session_lost;

    ngx_im_worker->nkept--;
}


void
ngx_im_kept_close(ngx_im_session_t *s)
{
    ngx_int_t            rc;
    ngx_im_kept_t       *kept;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    kept = s->ext->kept;
    r = kept->request;
    c = r->connection;

    ngx_im_kept_leave(s);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    rc = kept->ended && !c->error ? ngx_http_send_special(r, NGX_HTTP_LAST)
                                  : NGX_ERROR;

    /* what is left goes out as of any other answer: send_timeout */

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


void
ngx_im_kept_cleanup(ngx_im_kept_t *kept)
{
    ngx_im_session_t  *s;

    s = kept->session;

    if (s != NULL) {
        ngx_im_kept_leave(s);
        ngx_im_session_close(s, IM_REASON_LOST, "connection lost");
    }

    im_free(kept->data);
    kept->data = NULL;
}
