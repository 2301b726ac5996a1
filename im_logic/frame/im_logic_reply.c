/*
 * Copyright (C) The im authors
 *
 * The forms of answers, and the end of the last request.
 */

#include "im_logic.h"
#include "im_json.h"
#include "im_key.h"


void
im_logic_reply_data(im_logic_t *logic, im_daemon_request_t *r,
    const im_buf_t *data)
{
    im_buf_t  b;

    im_buf_init(&b, IM_LOGIC_MAX_REPLY + 64);

    im_buf_add_z(&b, "{\"code\":0,\"msg\":\"success\",\"data\":");
    im_buf_add_str(&b, im_buf_str(data));
    im_buf_add_z(&b, "}\n");

    if (data->failed) {
        b.failed = 1;
    }

    im_logic_reply(logic, r, 200, &b);
    im_buf_cleanup(&b);
}


void
im_logic_reply_error(im_logic_t *logic, im_daemon_request_t *r,
    im_uint_t status, const char *msg)
{
    im_buf_t  b;

    if (status == 503) {
        r->retry = 1;
    }

    im_buf_init(&b, 4096);

    im_buf_add_z(&b, "{\"code\":");
    im_buf_add_uint(&b, status);
    im_buf_add_z(&b, ",\"msg\":");
    im_json_add_string(&b, im_str_z(msg));
    im_buf_add_z(&b, "}\n");

    im_logic_reply(logic, r, status, &b);
    im_buf_cleanup(&b);
}


void
im_logic_reply(im_logic_t *logic, im_daemon_request_t *r, im_uint_t status,
    const im_buf_t *json)
{
    static const im_str_t  failed = im_str("{\"code\":503,"
                                           "\"msg\":\"no memory\"}\n");

    if (json->failed) {
        r->retry = 1;
        r->reply(r, 503, failed);

    } else {
        r->reply(r, status, im_buf_str(json));
    }

    logic->nrequests--;
    im_logic_stop(logic);
}


/* Answers that have been written to buffers still go out. */
void
im_logic_stop(im_logic_t *logic)
{
    struct timeval  tv;

    if (logic->stopping && logic->nrequests == 0) {
        tv.tv_sec = 0;
        tv.tv_usec = 100000;

        (void) event_base_loopexit(logic->base, &tv);
    }
}


im_uint_t
im_logic_json_status(const char *why)
{
    if (why == im_json_no_memory) {
        return 503;
    }

    return strcmp(why, "too many elements") == 0 ? 413 : 400;
}


int
im_logic_name_or_none(im_str_t name)
{
    return name.len == 0 || im_name_valid(name);
}
