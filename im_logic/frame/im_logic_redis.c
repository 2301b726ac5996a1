/*
 * Copyright (C) The im authors
 *
 * What calls to Redis share.
 */

#include "im_logic.h"
#include "im_daemon_time.h"


void
im_logic_send(im_logic_t *logic, im_link_reply_pt handler, void *data)
{
    if (im_link_send(logic->link, handler, data) != IM_OK && handler != NULL) {
        handler(NULL, data);
    }
}


void
im_logic_key(im_logic_t *logic, im_link_call_t *call, im_str_t topic,
    im_key_topic_e what)
{
    im_key_topic(&call->bytes, im_link_keys(logic->link),
                 im_logic_partition(logic, topic), topic, what);
    im_link_call_key(call);
}


uint16_t
im_logic_partition(const im_logic_t *logic, im_str_t name)
{
    return im_partition(name, im_link_partitions(logic->link));
}


void
im_logic_members(im_logic_t *logic, im_str_t topic, im_link_members_e how,
    im_link_members_pt handler, void *data)
{
    uint64_t             now;
    const im_members_t  *kept;

    now = im_daemon_now();
    kept = how == IM_LINK_MEMBERS_KEPT && topic.data != NULL
           ? im_link_members_kept(logic->members, topic, now) : NULL;

    if (kept != NULL || topic.data == NULL
        || im_link_members_ask(logic->members, topic, how, now, handler, data)
           != IM_OK)
    {
        handler(kept, data);
    }
}


void
im_logic_find(im_logic_t *logic, const im_link_find_t *find,
    im_link_members_pt handler, void *data)
{
    if (im_link_members_find(logic->members, find, im_daemon_now(), handler,
                             data)
        != IM_OK)
    {
        handler(NULL, data);
    }
}


const char *
im_logic_fault(const im_link_reply_t *reply, const char *what)
{
    im_str_t  s, oom = im_str("OOM");

    if (reply == NULL) {
        return "redis is away";
    }

    if (!im_link_reply_is_error(reply)) {
        return NULL;
    }

    s = im_link_reply_str(reply);

    if (memmem(s.data, s.len, oom.data, oom.len) != NULL) {
        return "redis is out of memory";
    }

    im_daemon_log(IM_LOG_ERROR, "%s failed: %.*s", what, (int) s.len,
                  (char *) s.data);

    return "redis refused it";
}
