/*
 * Copyright (C) The im authors
 *
 * The parts of a request by their names.
 */

#include <strings.h>

#include "im_daemon_param.h"


typedef struct {
    im_str_t     param;        /* FastCGI's name */
    im_str_t     header;       /* HTTP's name; empty: FastCGI only */
    size_t       offset;
    const char  *twice;        /* NULL: the last one counts */
} im_daemon_param_t;


#define im_daemon_param_row(param, header, member, twice)                      \
    { im_str(param), im_str(header), offsetof(im_daemon_request_t, member),   \
      twice }


/*
 * What nginx is told to send may be there twice, by an include and beside it:
 * the last one counts.  Headers are what the client wrote; im_params sends some
 * a second time, for a location that passes no headers.
 */
static const im_daemon_param_t  im_daemon_params[] = {
    im_daemon_param_row("REQUEST_METHOD", "", method, NULL),
    im_daemon_param_row("IM_URI", "", uri, NULL),
    im_daemon_param_row("REQUEST_URI", "", path, NULL),
    im_daemon_param_row("QUERY_STRING", "", query, NULL),
    im_daemon_param_row("IM_REQUEST_ID", "IM-Request-Id", id, NULL),
    im_daemon_param_row("IM_SCHEME", "", scheme, NULL),
    im_daemon_param_row("REMOTE_ADDR", "", address, NULL),
    im_daemon_param_row("CONTENT_TYPE", "Content-Type", type,
                        "two Content-Type headers"),
    im_daemon_param_row("CONTENT_LENGTH", "Content-Length", length,
                        "two Content-Length headers"),
    im_daemon_param_row("HTTP_CONTENT_ENCODING", "Content-Encoding", encoding,
                        "two Content-Encoding headers"),
    im_daemon_param_row("HTTP_HOST", "Host", host, NULL),
    im_daemon_param_row("IM_HOST", "", host, NULL),
    im_daemon_param_row("HTTP_ORIGIN", "Origin", origin, "two Origin headers"),
    im_daemon_param_row("IM_ORIGIN", "", origin, "two Origin headers"),
    im_daemon_param_row("HTTP_SEC_FETCH_SITE", "Sec-Fetch-Site", site,
                        "two Sec-Fetch-Site headers"),
    im_daemon_param_row("IM_SITE", "", site, "two Sec-Fetch-Site headers"),
    im_daemon_param_row("HTTP_X_API_KEY", "X-API-Key", api_key,
                        "two X-API-Key headers"),
    im_daemon_param_row("HTTP_AUTHORIZATION", "Authorization", authorization,
                        "two Authorization headers"),
    im_daemon_param_row("HTTP_X_CENTRIFUGO_ERROR_MODE",
                        "X-Centrifugo-Error-Mode", error_mode, NULL),
    im_daemon_param_row("HTTP_X_FORWARDED_PROTO", "X-Forwarded-Proto",
                        forwarded_proto, NULL),
    { im_null_str, im_null_str, 0, NULL }
};


void
im_daemon_param_fault(im_daemon_request_t *r, im_uint_t status, const char *why)
{
    if (r->fault == 0) {
        r->fault = status;
        r->why = why;
    }
}


static void
im_daemon_param_set(im_daemon_request_t *r, const im_daemon_param_t *row,
    im_str_t value)
{
    im_str_t  *dst;

    dst = (void *) ((u_char *) r + row->offset);

    if (value.len == 0) {
        return;
    }

    if (row->twice != NULL && dst->len != 0 && !im_str_eq(*dst, value)) {
        im_daemon_param_fault(r, 400, row->twice);
    }

    *dst = value;
}


void
im_daemon_param(im_daemon_request_t *r, im_str_t name, im_str_t value)
{
    const im_daemon_param_t  *row;

    for (row = im_daemon_params; row->param.data != NULL; row++) {
        if (im_str_eq(name, row->param)) {
            im_daemon_param_set(r, row, value);
            return;
        }
    }
}


void
im_daemon_param_header(im_daemon_request_t *r, im_str_t name, im_str_t value)
{
    const im_daemon_param_t  *row;

    for (row = im_daemon_params; row->param.data != NULL; row++) {
        if (name.len != 0 && name.len == row->header.len
            && strncasecmp((char *) name.data, (char *) row->header.data,
                           name.len)
               == 0)
        {
            im_daemon_param_set(r, row, value);
            return;
        }
    }
}


void
im_daemon_param_target(im_daemon_request_t *r)
{
    size_t   len;
    u_char  *p;

    len = r->path.len;
    p = len != 0 ? memchr(r->path.data, '?', len) : NULL;

    if (p == NULL) {
        return;
    }

    r->path.len = (size_t) (p - r->path.data);

    if (r->query.len == 0 && !r->internal) {
        r->query = im_str_set(p + 1, len - r->path.len - 1);
    }
}


im_int_t
im_daemon_param_length(im_str_t text, uint64_t *n)
{
    size_t  i;

    *n = 0;

    if (text.len == 0) {
        return IM_DECLINED;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return IM_ERROR;
        }
    }

    if (im_decimal_decode(text, n) != IM_OK) {
        *n = UINT64_MAX;
    }

    return IM_OK;
}
