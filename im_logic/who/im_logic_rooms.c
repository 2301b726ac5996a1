/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms: the largest rooms; GET /im/bans: users that are kept out.
 */

#include "im_logic_who.h"
#include "im_logic_largest.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"


#define IM_ROOMS_TOP  20             /* unless the request says */
#define IM_BANS_MAX   1000           /* in an answer */


static void
im_logic_rooms_read(const im_logic_largest_t *largest, void *data)
{
    im_buf_t             *b;
    im_uint_t             i, n;
    im_daemon_request_t  *r = data;

    if (largest == NULL) {
        im_logic_reply_error(r, 503, "redis is away");
        return;
    }

    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);
    im_buf_add_z(b, "{\"rooms\":[");

    for (i = 0, n = 0; i < largest->n && largest->rooms[i]->count > 0; i++) {
        im_logic_print(b, "%z{\"room\":%j,\"count\":%u}",
                       n++ > 0 ? "," : "", largest->rooms[i]->name,
                       largest->rooms[i]->count);
    }

    im_buf_add_z(b, largest->more ? "],\"more\":true}" : "]}");

    im_logic_reply_data(r, b);
}


void
im_logic_rooms_handler(im_daemon_request_t *r)
{
    im_int_t     rc;
    uint64_t     top;
    const char  *why;

    why = im_logic_unknown(r->data);

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    rc = im_logic_query_number(r, "top", IM_LARGEST_MAX, &top);

    if (rc == IM_ERROR || (rc == IM_OK && top == 0)) {
        im_logic_reply_error(r, 400, "top is 1 to "
                             im_text(IM_LARGEST_MAX));
        return;
    }

    im_logic_largest(r, NULL, im_str_z(""), rc == IM_OK ? top : IM_ROOMS_TOP,
                     im_logic_rooms_read, r);
}


/* Pairs: a user, and the end in ms. */
static void
im_logic_bans_read(const im_link_reply_t *reply, void *data)
{
    int64_t               end, now;
    im_buf_t             *b;
    im_uint_t             i, n;
    const char           *why;
    im_daemon_request_t  *r = data;

    why = im_logic_fault(reply, "ZRANGEBYSCORE");

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    now = (int64_t) im_logic_time();

    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);
    im_buf_add_z(b, "{\"bans\":[");

    for (i = 0, n = 0; i + 1 < im_link_reply_len(reply) && n < IM_BANS_MAX;
         i += 2)
    {
        end = im_link_reply_int_at(reply, i + 1, 0);

        im_logic_print(b, "%z{\"user\":%j,\"until\":%d,\"seconds\":%d}",
                       n++ > 0 ? "," : "", im_link_reply_str_at(reply, i), end,
                       im_max((end - now) / 1000, 0));
    }

    im_buf_add_z(b, im_link_reply_len(reply) > 2 * IM_BANS_MAX
                    ? "],\"more\":true}" : "]}");

    im_logic_reply_data(r, b);
}


void
im_logic_bans_handler(im_daemon_request_t *r)
{
    u_char           now[32];
    im_buf_t         b;
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = r->data;

    im_buf_fixed(&b, now, sizeof(now));
    im_buf_add_z(&b, "(");
    im_buf_add_uint(&b, im_logic_time());

    call = im_link_command(logic->link, "ZRANGEBYSCORE");

    im_key_revoked(&call->bytes, im_link_keys(logic->link));
    im_link_call_key(call);
    im_link_call_str(call, im_buf_str(&b));
    im_link_call_z(call, "+inf");
    im_link_call_z(call, "WITHSCORES");
    im_link_call_z(call, "LIMIT");
    im_link_call_z(call, "0");
    im_link_call_uint(call, IM_BANS_MAX + 1);

    im_logic_send(logic, im_logic_bans_read, r);
}
