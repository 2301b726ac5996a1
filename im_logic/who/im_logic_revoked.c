/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 */

#include <sys/time.h>

#include "im_logic_revoked.h"
#include "im_key.h"


typedef struct {
    im_logic_revoked_pt   fn;
    void                 *data;
} im_logic_revoked_t;


static void im_logic_revoked_count(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_revoked_handler(const im_daemon_reply_t *reply,
    void *data);


void
im_logic_revoked_look(im_logic_t *logic)
{
    im_buf_t  key;
    im_str_t  args[2];

    if (!im_daemon_redis_ready(logic->redis)) {
        return;
    }

    im_buf_init(&key, 256);
    im_key_revoked(&key, logic->prefix);

    args[0] = im_str_z("EXISTS");
    args[1] = im_buf_str(&key);

    (void) im_daemon_redis_command(logic->redis, IM_PARTITION_REG, args, 2,
                                   im_logic_revoked_count, logic);

    im_buf_cleanup(&key);
}


static void
im_logic_revoked_count(const im_daemon_reply_t *reply, void *data)
{
    im_logic_t  *logic = data;

    if (reply != NULL && !im_daemon_reply_is_error(reply)) {
        logic->revoked = im_daemon_reply_int(reply, 0) != 0;
    }
}


void
im_logic_revoked(im_logic_t *logic, im_str_t user, im_logic_revoked_pt fn,
    void *data)
{
    im_buf_t           key;
    im_int_t           rc;
    im_str_t           args[3];
    im_logic_revoked_t  *asked;

    if (!logic->revoked || user.len == 0) {
        fn(data, 0);
        return;
    }

    asked = im_alloc(sizeof(im_logic_revoked_t));
    if (asked == NULL) {
        fn(data, -1);
        return;
    }

    asked->fn = fn;
    asked->data = data;

    im_buf_init(&key, 256);
    im_key_revoked(&key, logic->prefix);

    args[0] = im_str_z("ZSCORE");
    args[1] = im_buf_str(&key);
    args[2] = user;

    rc = im_daemon_redis_command(logic->redis, IM_PARTITION_REG, args, 3,
                                 im_logic_revoked_handler, asked);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_free(asked);
        fn(data, -1);
    }
}


static void
im_logic_revoked_handler(const im_daemon_reply_t *reply, void *data)
{
    int                revoked;
    struct timeval     tv;
    im_logic_revoked_t  *asked = data;

    revoked = -1;

    if (reply != NULL && !im_daemon_reply_is_error(reply)) {
        (void) gettimeofday(&tv, NULL);

        revoked = im_daemon_reply_int(reply, 0)
                  > (int64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
    }

    asked->fn(asked->data, revoked);
    im_free(asked);
}
