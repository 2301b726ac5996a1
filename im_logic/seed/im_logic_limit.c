/*
 * Copyright (C) The im authors
 *
 * How often something may be tried, over all processes: counted in Redis.
 */

#include <arpa/inet.h>

#include "im_logic_limit.h"


#define IM_LIMIT_TEXT  64


void
im_logic_limit_key(im_logic_t *logic, im_link_call_t *call, char kind,
    im_str_t subject)
{
    im_key_limit(&call->bytes, im_link_keys(logic->link),
                 im_logic_partition(logic, subject), kind, subject);
    im_link_call_key(call);
}


void
im_logic_limit(im_logic_t *logic, const im_logic_limit_t *limit,
    im_link_reply_pt handler, void *data)
{
    im_link_call_t  *call;

    call = im_link_script(logic->link, &im_script_limit);

    im_logic_limit_key(logic, call, limit->kind, limit->subject);
    im_link_call_uint(call, limit->n);
    im_link_call_uint(call, limit->period * 1000);

    im_logic_send(logic, handler, data);
}


im_int_t
im_logic_limit_read(const im_link_reply_t *reply, im_uint_t *seconds)
{
    int64_t  ms;

    ms = im_link_reply_int(reply, -1);

    if (im_logic_fault(reply, "limit.lua") != NULL || ms < 0) {
        return IM_ERROR;
    }

    *seconds = (im_uint_t) (ms + 999) / 1000;

    return ms == 0 ? IM_OK : IM_DECLINED;
}


void
im_logic_limit_clear(im_logic_t *logic, char kind, im_str_t subject)
{
    im_link_call_t  *call;

    call = im_link_command(logic->link, "DEL");
    im_logic_limit_key(logic, call, kind, subject);

    /* if it fails, attempts count a while longer */
    im_logic_send(logic, NULL, NULL);
}


/*
 * "[IPV6]:PORT", "IPV4:PORT" and "IPV6%ZONE", as proxies write them, without
 * what stands behind: each port would be another client.
 */
static im_str_t
im_logic_limit_host(im_str_t address)
{
    u_char  *end, *colon;

    if (address.len != 0 && address.data[0] == '[') {
        end = im_str_chr(address, ']');

        if (end == NULL) {
            return address;
        }

        address = im_str_set(address.data + 1,
                             (size_t) (end - address.data) - 1);
    }

    colon = im_str_chr(address, ':');
    end = im_str_chr(address, '%');

    if (colon != NULL && im_str_chr(address, '.') != NULL
        && memrchr(address.data, ':', address.len) == colon)
    {
        end = colon;
    }

    return end != NULL
           ? im_str_set(address.data, (size_t) (end - address.data)) : address;
}


void
im_logic_limit_address(im_buf_t *b, im_str_t address)
{
    char             text[IM_LIMIT_TEXT];
    struct in6_addr  in6;

    static const u_char  mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255,
                                        255 };

    address = im_logic_limit_host(address);

    if (address.len == 0 || address.len >= sizeof(text)) {
        im_buf_add_z(b, "-");
        return;
    }

    im_copy(text, address.data, address.len);
    text[address.len] = '\0';

    if (inet_pton(AF_INET6, text, &in6) != 1) {
        im_buf_add_str(b, address);
        return;
    }

    if (memcmp(in6.s6_addr, mapped, sizeof(mapped)) == 0) {
        (void) inet_ntop(AF_INET, in6.s6_addr + 12, text, sizeof(text));

    } else {
        memset(in6.s6_addr + 8, 0, 8);
        (void) inet_ntop(AF_INET6, &in6, text, sizeof(text));
    }

    im_buf_add_z(b, text);
}


void
im_logic_limit_network(im_buf_t *b, im_str_t address)
{
    u_char    *dot;
    size_t     at;
    im_str_t   rest;

    at = b->len;
    im_logic_limit_address(b, address);

    rest = im_str_set(b->data + at, b->failed ? 0 : b->len - at);
    dot = rest.len != 0 ? memrchr(rest.data, '.', rest.len) : NULL;

    if (dot != NULL && im_str_chr(rest, ':') == NULL) {
        b->len -= (size_t) (rest.data + rest.len - dot);
        im_buf_add_z(b, ".0/24");
    }
}
