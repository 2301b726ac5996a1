/*
 * Copyright (C) The im authors
 *
 * How often something may be tried, over all processes: counted in Redis.
 */

#include <arpa/inet.h>

#include "im_logic_limit.h"


#define IM_LIMIT_ADDRESS  64


typedef struct {
    im_logic_limit_pt   fn;
    void               *data;
} im_logic_limit_t;


static void im_logic_limit_handler(const im_link_reply_t *reply, void *data);
static void im_logic_limit_key(im_logic_t *logic, im_link_call_t *call,
    char kind, im_str_t subject);


im_int_t
im_logic_limit(im_daemon_request_t *r, char kind, im_str_t subject, uint64_t n,
    im_logic_limit_pt fn, void *data)
{
    im_logic_t        *logic;
    im_link_call_t    *call;
    im_logic_limit_t  *limit;

    limit = im_daemon_alloc(r, sizeof(im_logic_limit_t));
    if (limit == NULL) {
        return IM_ERROR;
    }

    limit->fn = fn;
    limit->data = data;

    logic = r->data;
    call = im_link_script(logic->link, &im_script_limit);

    im_logic_limit_key(logic, call, kind, subject);
    im_link_call_uint(call, n);
    im_link_call_uint(call, logic->conf.limit_period * 1000);

    return im_link_send(logic->link, im_logic_limit_handler, limit);
}


static void
im_logic_limit_handler(const im_link_reply_t *reply, void *data)
{
    int64_t            ms;
    im_logic_limit_t  *limit = data;

    ms = im_link_reply_int(reply, -1);

    if (im_logic_fault(reply, "limit.lua") != NULL || ms < 0) {
        limit->fn(limit->data, IM_ERROR, 0);

    } else if (ms > 0) {
        limit->fn(limit->data, IM_DECLINED, (im_uint_t) (ms + 999) / 1000);

    } else {
        limit->fn(limit->data, IM_OK, 0);
    }
}


void
im_logic_limit_clear(im_logic_t *logic, char kind, im_str_t subject)
{
    im_link_call_t  *call;

    call = im_link_command(logic->link, "DEL");
    im_logic_limit_key(logic, call, kind, subject);

    /* if it fails, attempts count a while longer */
    (void) im_link_send(logic->link, NULL, NULL);
}


static void
im_logic_limit_key(im_logic_t *logic, im_link_call_t *call, char kind,
    im_str_t subject)
{
    im_key_limit(&call->bytes, logic->prefix,
                 im_logic_partition(logic, subject), kind, subject);
    im_link_call_key(call);
}


void
im_logic_limit_address(im_buf_t *b, im_str_t address)
{
    char             text[IM_LIMIT_ADDRESS];
    struct in6_addr  in6;

    static const u_char  mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255,
                                        255 };

    if (address.len == 0 || address.len >= sizeof(text)) {
        im_buf_add_z(b, "-");
        return;
    }

    memcpy(text, address.data, address.len);
    text[address.len] = '\0';

    if (inet_pton(AF_INET6, text, &in6) != 1) {
        im_buf_add_str(b, address);
        return;
    }

    if (memcmp(in6.s6_addr, mapped, sizeof(mapped)) == 0) {
        if (inet_ntop(AF_INET, in6.s6_addr + 12, text, sizeof(text)) != NULL) {
            im_buf_add_z(b, text);
        }

        return;
    }

    memset(in6.s6_addr + 8, 0, 8);

    if (inet_ntop(AF_INET6, &in6, text, sizeof(text)) != NULL) {
        im_buf_add_z(b, text);
    }
}
