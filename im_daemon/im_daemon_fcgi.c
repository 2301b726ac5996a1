/*
 * Copyright (C) The im authors
 *
 * FastCGI records (specification 1.0, sections 3 and 6.2).
 */

#include "im_daemon_fcgi.h"


#define IM_FCGI_VERSION     1

#define IM_FCGI_BEGIN       1
#define IM_FCGI_ABORT       2
#define IM_FCGI_END         3
#define IM_FCGI_PARAMS      4
#define IM_FCGI_STDIN       5
#define IM_FCGI_STDOUT      6

#define IM_FCGI_RESPONDER   1
#define IM_FCGI_KEEP        1

#define IM_FCGI_HEADER      8
#define IM_FCGI_MAX_RECORD  65528    /* a multiple of 8: no padding */
#define IM_FCGI_KEPT        4096


void
im_daemon_fcgi_init(im_daemon_fcgi_t *f, size_t max_body)
{
    memset(f, 0, sizeof(im_daemon_fcgi_t));

    f->max_body = max_body;

    im_buf_init(&f->params, IM_FCGI_MAX_PARAMS);
    im_buf_init(&f->body, max_body);
}


void
im_daemon_fcgi_cleanup(im_daemon_fcgi_t *f)
{
    im_buf_cleanup(&f->params);
    im_buf_cleanup(&f->body);
}


/* A record is complete; empty ones end their stream. */
static im_int_t
im_daemon_fcgi_record(im_daemon_fcgi_t *f)
{
    if (f->type == IM_FCGI_BEGIN) {
        f->keep = f->begin[2] & IM_FCGI_KEEP;

        return f->begin[0] == 0 && f->begin[1] == IM_FCGI_RESPONDER
               ? IM_OK : IM_ERROR;
    }

    if (f->header[4] == 0 && f->header[5] == 0) {
        f->done = f->type == IM_FCGI_STDIN;
        f->got_params = 1;
    }

    return IM_OK;
}


static im_int_t
im_daemon_fcgi_header(im_daemon_fcgi_t *f)
{
    uint16_t  id;

    f->type = f->header[1];
    id = (uint16_t) (f->header[2] << 8 | f->header[3]);
    f->left = (uint32_t) (f->header[4] << 8 | f->header[5]);
    f->padding = f->header[6];

    if (f->header[0] != IM_FCGI_VERSION || id == 0) {
        return IM_ERROR;
    }

    switch (f->type) {

    case IM_FCGI_BEGIN:

        if (f->id != 0 || f->left != sizeof(f->begin)) {
            return IM_ERROR;
        }

        f->id = id;

        return IM_OK;

    case IM_FCGI_PARAMS:
        return id == f->id && !f->got_params ? IM_OK : IM_ERROR;

    case IM_FCGI_STDIN:
        return id == f->id && f->got_params ? IM_OK : IM_ERROR;

    default:

        /* an aborted request ends its connection */
        return IM_ERROR;
    }
}


static im_int_t
im_daemon_fcgi_content(im_daemon_fcgi_t *f, const u_char *p, size_t len)
{
    switch (f->type) {

    case IM_FCGI_BEGIN:
        memcpy(f->begin + f->nbegin, p, len);
        f->nbegin += (uint8_t) len;
        return IM_OK;

    case IM_FCGI_PARAMS:
        im_buf_add(&f->params, p, len);
        return f->params.failed ? IM_ERROR : IM_OK;

    default:

        if (len > f->max_body - f->body.len) {
            f->too_large = 1;
            im_buf_reset(&f->body, IM_FCGI_KEPT);
        }

        if (!f->too_large) {
            im_buf_add(&f->body, p, len);
        }

        return f->body.failed ? IM_ERROR : IM_OK;
    }
}


im_int_t
im_daemon_fcgi_decode(im_daemon_fcgi_t *f, const u_char **p, const u_char *end)
{
    size_t  n;

    while (!f->done) {

        if (f->nheader == IM_FCGI_HEADER && f->left == 0 && f->padding == 0) {
            f->nheader = 0;

            if (im_daemon_fcgi_record(f) != IM_OK) {
                return IM_ERROR;
            }

            continue;
        }

        if (*p == end) {
            return IM_AGAIN;
        }

        if (f->nheader < IM_FCGI_HEADER) {
            f->header[f->nheader++] = *(*p)++;

            if (f->nheader == IM_FCGI_HEADER
                && im_daemon_fcgi_header(f) != IM_OK)
            {
                return IM_ERROR;
            }

        } else if (f->left != 0) {
            n = im_min((size_t) (end - *p), f->left);

            if (im_daemon_fcgi_content(f, *p, n) != IM_OK) {
                return IM_ERROR;
            }

            *p += n;
            f->left -= (uint32_t) n;

        } else {
            n = im_min((size_t) (end - *p), f->padding);
            *p += n;
            f->padding -= (uint8_t) n;
        }
    }

    return IM_OK;
}


void
im_daemon_fcgi_next(im_daemon_fcgi_t *f)
{
    im_buf_reset(&f->params, IM_FCGI_KEPT);
    im_buf_reset(&f->body, IM_FCGI_KEPT);

    f->id = 0;
    f->nbegin = 0;
    f->too_large = 0;
    f->got_params = 0;
    f->done = 0;
}


int
im_daemon_fcgi_idle(const im_daemon_fcgi_t *f)
{
    return f->id == 0 && f->nheader == 0;
}


static im_int_t
im_daemon_fcgi_length(im_str_t params, size_t *at, size_t *len)
{
    const u_char  *p;

    if (*at == params.len) {
        return IM_ERROR;
    }

    p = params.data + *at;

    if (p[0] < 0x80) {
        *len = p[0];
        *at += 1;
        return IM_OK;
    }

    if (params.len - *at < 4) {
        return IM_ERROR;
    }

    *len = (size_t) (p[0] & 0x7f) << 24 | (size_t) p[1] << 16
           | (size_t) p[2] << 8 | p[3];
    *at += 4;

    return IM_OK;
}


im_int_t
im_daemon_fcgi_param(im_str_t params, size_t *at, im_str_t *name,
    im_str_t *value)
{
    size_t  nlen, vlen;

    if (*at == params.len) {
        return IM_DECLINED;
    }

    if (im_daemon_fcgi_length(params, at, &nlen) != IM_OK
        || im_daemon_fcgi_length(params, at, &vlen) != IM_OK
        || nlen > params.len - *at || vlen > params.len - *at - nlen)
    {
        return IM_ERROR;
    }

    *name = im_str_set(params.data + *at, nlen);
    *value = im_str_set(params.data + *at + nlen, vlen);
    *at += nlen + vlen;

    return IM_OK;
}


static void
im_daemon_fcgi_add_header(im_buf_t *b, uint8_t type, uint16_t id, size_t len)
{
    im_buf_add_u8(b, IM_FCGI_VERSION);
    im_buf_add_u8(b, type);
    im_buf_add_u16(b, id);
    im_buf_add_u16(b, (uint16_t) len);
    im_buf_add_u16(b, 0);
}


static void
im_daemon_fcgi_add(im_buf_t *b, uint16_t id, im_str_t s)
{
    size_t  n;

    while (s.len != 0) {
        n = im_min(s.len, IM_FCGI_MAX_RECORD);

        im_daemon_fcgi_add_header(b, IM_FCGI_STDOUT, id, n);
        im_buf_add(b, s.data, n);

        s.data += n;
        s.len -= n;
    }
}


void
im_daemon_fcgi_encode(im_buf_t *b, uint16_t id, im_str_t head, im_str_t body)
{
    im_daemon_fcgi_add(b, id, head);
    im_daemon_fcgi_add(b, id, body);

    im_daemon_fcgi_add_header(b, IM_FCGI_STDOUT, id, 0);

    im_daemon_fcgi_add_header(b, IM_FCGI_END, id, 8);
    im_buf_add(b, "\0\0\0\0\0\0\0\0", 8);
}
