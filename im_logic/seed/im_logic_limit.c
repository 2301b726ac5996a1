/*
 * Copyright (C) The im authors
 *
 * How often something may be tried, over all processes: counted in Redis.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "im_logic_limit.h"
#include "im_key.h"


#define IM_LIMIT_KEY      512
#define IM_LIMIT_ADDRESS  64


typedef struct {
    im_logic_limit_pt   fn;
    void               *data;
} im_logic_limit_t;


static void im_logic_limit_handler(const im_daemon_reply_t *reply,
    void *data);
static uint16_t im_logic_limit_key(im_logic_t *logic, im_buf_t *key,
    char kind, im_str_t subject);


im_int_t
im_logic_limit(im_logic_t *logic, char kind, im_str_t subject, uint64_t n,
    im_logic_limit_pt fn, void *data)
{
    char               attempts[24], period[24];
    uint16_t           p;
    im_buf_t           key;
    im_int_t           rc;
    im_str_t           args[3];
    im_logic_limit_t  *limit;

    limit = im_alloc(sizeof(im_logic_limit_t));
    if (limit == NULL) {
        return IM_ERROR;
    }

    limit->fn = fn;
    limit->data = data;

    p = im_logic_limit_key(logic, &key, kind, subject);

    (void) snprintf(attempts, sizeof(attempts), "%u", (unsigned) n);
    (void) snprintf(period, sizeof(period), "%u",
                    (unsigned) logic->conf.limit_period * 1000);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z(attempts);
    args[2] = im_str_z(period);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(logic->redis, p, &im_script_limit, args, 3,
                                  1, im_logic_limit_handler, limit);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_free(limit);
    }

    return rc;
}


static void
im_logic_limit_handler(const im_daemon_reply_t *reply, void *data)
{
    int64_t            ms;
    im_str_t           s;
    im_logic_limit_t  *limit = data;

    ms = im_daemon_reply_int(reply, -1);

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);
        im_daemon_log(IM_LOG_ERROR, "limit.lua failed: %.*s", (int) s.len,
                      (char *) s.data);
    }

    if (ms < 0) {
        limit->fn(limit->data, IM_ERROR, 0);

    } else if (ms > 0) {
        limit->fn(limit->data, IM_DECLINED, (im_uint_t) (ms + 999) / 1000);

    } else {
        limit->fn(limit->data, IM_OK, 0);
    }

    im_free(limit);
}


void
im_logic_limit_clear(im_logic_t *logic, char kind, im_str_t subject)
{
    uint16_t  p;
    im_buf_t  key;
    im_str_t  args[2];

    p = im_logic_limit_key(logic, &key, kind, subject);

    args[0] = im_str_z("DEL");
    args[1] = im_buf_str(&key);

    /* if it fails, attempts count a while longer */
    if (!key.failed) {
        (void) im_daemon_redis_command(logic->redis, p, args, 2, NULL, NULL);
    }

    im_buf_cleanup(&key);
}


static uint16_t
im_logic_limit_key(im_logic_t *logic, im_buf_t *key, char kind,
    im_str_t subject)
{
    uint16_t  p;

    p = im_partition(subject, im_daemon_redis_partitions(logic->redis));

    im_buf_init(key, IM_LIMIT_KEY);
    im_key_limit(key, logic->prefix, p, kind, subject);

    return p;
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
