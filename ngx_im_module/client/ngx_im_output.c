/*
 * Copyright (C) The im authors
 *
 * Where the bytes of a session go.
 */

#include "ngx_im_output.h"
#include "ngx_im_kept.h"


#define NGX_IM_OUTPUT_MAX  (1024 * 1024)
#define NGX_IM_OUTPUT_TLS  16384


static ngx_int_t
ngx_im_output_one(ngx_connection_t *c, u_char *p, size_t len, size_t *sent)
{
    ssize_t  size;

    size = c->send(c, p, len);

    if (size < 0) {
        return size;
    }

    *sent = size;

    return NGX_OK;
}


static ngx_int_t
ngx_im_output_plain(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent)
{
    ssize_t            size;
    ngx_uint_t         i;
    struct iovec       iov[NGX_IM_PIECES];
    ngx_connection_t  *c;

    c = s->connection;

    if (n == 1) {
        return ngx_im_output_one(c, pieces[0].data, pieces[0].len, sent);
    }

    for (i = 0; i < n; i++) {
        iov[i].iov_base = pieces[i].data;
        iov[i].iov_len = pieces[i].len;
    }

    do {
        size = writev(c->fd, iov, n);
    } while (size == -1 && ngx_errno == NGX_EINTR);

    if (size == -1) {
        if (ngx_errno != NGX_EAGAIN) {
            c->write->error = 1;
            return NGX_ERROR;
        }

        c->write->ready = 0;
        return NGX_AGAIN;
    }

    c->sent += size;
    *sent = size;

    return NGX_OK;
}


ngx_int_t
ngx_im_output_sent(ngx_im_session_t *s, size_t len, int result, size_t *sent)
{
    ngx_connection_t  *c;

    c = s->connection;
    *sent = 0;

    if (result > 0) {
        c->write->ready = (size_t) result == len;
        c->sent += result;
        *sent = result;

        return NGX_OK;
    }

    if (result == -NGX_EAGAIN || result == -NGX_EINTR) {
        c->write->ready = 0;
        return result == -NGX_EAGAIN ? NGX_AGAIN : NGX_OK;
    }

    c->write->error = 1;
    (void) ngx_connection_error(c, -result, "send() failed");

    return NGX_ERROR;
}


static void
ngx_im_output_end_plain(ngx_im_session_t *s)
{
    (void) ngx_shutdown_socket(s->connection->fd, NGX_WRITE_SHUTDOWN);
}


static void
ngx_im_output_close(ngx_im_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->pool != NULL) {
        ngx_http_close_connection(c);
        return;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    ngx_close_connection(c);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_im_output_tls(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent)
{
    size_t      len, part;
    u_char      buf[NGX_IM_OUTPUT_TLS];
    ngx_uint_t  i;

    if (n == 1) {
        return ngx_im_output_one(s->connection, pieces[0].data,
                                 ngx_min(pieces[0].len, NGX_IM_OUTPUT_TLS),
                                 sent);
    }

    for (i = 0, len = 0; i < n && len < sizeof(buf); i++) {
        part = ngx_min(pieces[i].len, sizeof(buf) - len);
        im_copy(buf + len, pieces[i].data, part);
        len += part;
    }

    return ngx_im_output_one(s->connection, buf, len, sent);
}


/* What the peer still sends can be read after it. */
static void
ngx_im_output_end_tls(ngx_im_session_t *s)
{
    ERR_clear_error();

    if (SSL_shutdown(s->connection->ssl->connection) < 0) {
        ERR_clear_error();
    }

    ngx_im_output_end_plain(s);
}


static const ngx_im_output_t  ngx_im_output_row_tls = {
    NGX_IM_OUTPUT_TLS, 1, 0,
    ngx_im_output_tls, ngx_im_output_end_tls, ngx_im_output_close
};

#endif


static const ngx_im_output_t  ngx_im_output_row_plain = {
    NGX_IM_OUTPUT_MAX, 0, 1,
    ngx_im_output_plain, ngx_im_output_end_plain, ngx_im_output_close
};


static ngx_int_t
ngx_im_output_lost(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent)
{
    return NGX_ERROR;
}


static void
ngx_im_output_nothing(ngx_im_session_t *s)
{
}


static const ngx_im_output_t  ngx_im_output_row_lost = {
    NGX_IM_OUTPUT_MAX, 0, 0,
    ngx_im_output_lost, ngx_im_output_nothing, ngx_im_output_nothing
};


static const ngx_im_output_t  ngx_im_output_row_kept = {
    NGX_IM_KEPT_MAX, 0, 0,
    ngx_im_kept_send, ngx_im_kept_end, ngx_im_kept_close
};


const ngx_im_output_t *
ngx_im_output(ngx_im_session_t *s)
{
    if (s->ext != NULL && s->ext->kept != NULL) {
        return &ngx_im_output_row_kept;
    }

    if (s->connection == &ngx_im_session_lost) {
        return &ngx_im_output_row_lost;
    }

#if (NGX_HTTP_SSL)

    if (ngx_im_tls(s->connection)) {
        return &ngx_im_output_row_tls;
    }

#endif

    return &ngx_im_output_row_plain;
}
