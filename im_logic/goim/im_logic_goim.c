/*
 * Copyright (C) The im authors
 *
 * What the handlers of goim's API share: arguments and answers.
 */

#include "im_logic_goim.h"
#include "im_logic_print.h"
#include "im_logic_url.h"


void
im_logic_goim_reply(im_daemon_request_t *r, const im_buf_t *data)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, 64 + (data != NULL ? data->len : 0));

    im_buf_add_z(b, "{\"code\":0,\"message\":\"\"");

    if (data != NULL) {
        im_buf_add_z(b, ",\"data\":");
        im_buf_add_str(b, im_buf_str(data));
        b->failed |= data->failed;
    }

    im_buf_add_z(b, "}");

    im_logic_reply(r, 200, b);
}


void
im_logic_goim_refuse(im_daemon_request_t *r, im_uint_t status, const char *msg)
{
    im_buf_t  *b;

    status = im_logic_status(status);

    b = im_daemon_buf(r, 64 + 6 * strlen(msg));

    im_logic_print(b, "{\"code\":%d,\"message\":%J}",
                   (int64_t) (status < 500 ? IM_GOIM_REQUEST : IM_GOIM_SERVER),
                   msg);

    im_logic_reply(r, status, b);
}


im_int_t
im_logic_goim_number(im_daemon_request_t *r, const char *name, int required,
    uint64_t *n)
{
    im_int_t  rc;

    rc = im_logic_query_number(r, name, INT32_MAX, n);

    if (rc == IM_ERROR || (required && *n == 0)) {
        im_logic_goim_refuse(r, 400, im_logic_text(r, required
                             ? "%s must be a number from 1 to 2147483647"
                             : "%s must be a number up to 2147483647",
                             im_str_z(name)));
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_logic_goim_arg(im_daemon_request_t *r, const char *name, im_str_t *value)
{
    if (im_logic_query(r, name, IM_GOIM_ARG, value) != IM_OK
        || value->len == 0)
    {
        im_logic_goim_refuse(r, 400, im_logic_text(r, "%s must have a value "
                             "of 1 to 253 bytes", im_str_z(name)));
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_logic_goim_next(im_daemon_request_t *r, const char *name, size_t *at,
    im_str_t *value)
{
    im_buf_t  *b;
    im_str_t   key, text;

    while (im_logic_url_arg(r->query, at, &key, &text) == IM_OK) {

        if (!im_str_eq(key, im_str_z(name))) {
            continue;
        }

        b = im_daemon_buf(r, im_max(text.len, 1));
        im_logic_url_decode(b, text, 1);

        *value = im_buf_str(b);

        return b->failed ? IM_ERROR : IM_OK;
    }

    return IM_DECLINED;
}


im_str_t
im_logic_goim_name(im_daemon_request_t *r, im_str_t type, im_str_t room)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, type.len + 3 + room.len);

    im_buf_add_str(b, type);
    im_buf_add_z(b, "://");
    im_buf_add_str(b, room);

    return b->failed ? im_str_set(NULL, 0) : im_buf_str(b);
}
