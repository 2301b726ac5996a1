/*
 * Copyright (C) The im authors
 *
 * Control entries: what workers are told to do besides delivering messages.
 *
 * They share the partition's queue with pushes, so that what is said of a room
 * comes behind the messages that were accepted before it.
 */

#include <stdio.h>
#include <sys/time.h>

#include "im_logic_control.h"
#include "im_key.h"
#include "im_push.h"


/* One that Redis has been asked to queue. */
typedef struct {
    im_logic_control_pt   handler;
    void                 *data;
} im_logic_asked_t;


static im_int_t im_logic_control_send(im_logic_t *logic, im_str_t topic,
    im_str_t envelope, int everywhere, im_logic_asked_t *asked);
static void im_logic_control_handler(const im_daemon_reply_t *reply,
    void *data);


void
im_logic_control(im_logic_t *logic, const im_control_t *control,
    im_logic_control_pt handler, void *data)
{
    size_t             topic;
    im_buf_t           b;
    im_int_t           rc;
    struct timeval     tv;
    im_logic_asked_t  *asked;

    if (!im_daemon_redis_ready(logic->redis)) {
        handler(data, 503, im_daemon_redis_why(logic->redis), 0);
        return;
    }

    (void) gettimeofday(&tv, NULL);

    im_buf_init(&b, 2 * IM_PUSH_MAX_DATA);
    im_control_queue(&b, control);
    topic = b.len;
    im_control_encode(&b, control, (uint64_t) tv.tv_sec * 1000
                                   + (uint64_t) tv.tv_usec / 1000);

    asked = im_alloc(sizeof(im_logic_asked_t));

    if (asked == NULL || b.failed) {
        im_buf_cleanup(&b);
        im_free(asked);
        handler(data, 503, "no memory", 0);
        return;
    }

    asked->handler = handler;
    asked->data = data;

    rc = im_logic_control_send(logic, im_str_set(b.data, topic),
                               im_str_set(b.data + topic, b.len - topic),
                               im_control_everywhere(control), asked);

    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_free(asked);
        handler(data, 503, "redis is away", 0);
    }
}


static im_int_t
im_logic_control_send(im_logic_t *logic, im_str_t topic,
    im_str_t envelope, int everywhere, im_logic_asked_t *asked)
{
    char       cap[24];
    size_t     queue;
    uint16_t   p;
    im_buf_t   keys;
    im_int_t   rc;
    im_str_t   args[6];

    p = im_partition(topic, im_daemon_redis_partitions(logic->redis));

    im_buf_init(&keys, 2048);
    im_key_queue(&keys, logic->prefix, p);
    queue = keys.len;
    im_key_topic(&keys, logic->prefix, p, topic, IM_KEY_ROUTES);

    (void) snprintf(cap, sizeof(cap), "%llu",
                    (unsigned long long) logic->conf.queue_cap);

    args[0] = im_str_set(keys.data, queue);
    args[1] = im_str_set(keys.data + queue, keys.len - queue);
    args[2] = topic;
    args[3] = envelope;
    args[4] = im_str_z(cap);
    args[5] = im_str_z(everywhere ? "*" : "");

    rc = keys.failed ? IM_ERROR
         : im_daemon_redis_script(logic->redis, p, &im_script_control, args,
                                  6, 2, im_logic_control_handler, asked);

    im_buf_cleanup(&keys);

    return rc;
}


static void
im_logic_control_handler(const im_daemon_reply_t *reply, void *data)
{
    int64_t            workers;
    im_str_t           s, oom = im_str("OOM");
    im_uint_t          status;
    const char        *msg;
    im_logic_asked_t  *asked = data;

    status = 503;
    workers = 0;

    if (reply == NULL) {
        msg = "redis is away";

    } else if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);
        msg = "redis refused it";

        if (memmem(s.data, s.len, oom.data, oom.len) != NULL) {
            msg = "redis is out of memory";

        } else {
            im_daemon_log(IM_LOG_ERROR, "control.lua failed: %.*s",
                          (int) s.len, (char *) s.data);
        }

    } else if (im_daemon_reply_int(im_daemon_reply_at(reply, 0), -1) != 0) {
        msg = "the queue is full";

    } else {
        status = 200;
        msg = NULL;
        workers = im_daemon_reply_int(im_daemon_reply_at(reply, 1), 0);
    }

    asked->handler(asked->data, status, msg, (im_uint_t) workers);
    im_free(asked);
}
