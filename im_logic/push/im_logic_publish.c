/*
 * Copyright (C) The im authors
 *
 * Publishing: what pushes, calls of clients and the server API share.
 */

#include "im_logic_publish.h"
#include "im_logic_nodes.h"
#include "im_daemon_time.h"


#define IM_PUBLISH_TTL  86400


static im_str_t
im_logic_target_name(const im_hash_node_t *node)
{
    return ((const im_logic_target_t *) node)->topic;
}


im_logic_publish_t *
im_logic_publish_create(im_daemon_request_t *r, im_uint_t max)
{
    im_logic_publish_t  *publish;

    publish = im_daemon_alloc(r, sizeof(im_logic_publish_t));

    if (publish == NULL
        || im_logic_hash(r, &publish->seen, im_logic_target_name) != IM_OK)
    {
        return NULL;
    }

    publish->targets = im_daemon_alloc(r, max * sizeof(im_logic_target_t));
    if (publish->targets == NULL) {
        return NULL;
    }

    publish->r = r;
    publish->logic = r->data;
    publish->max = max;
    publish->durable = publish->logic->conf.durable;
    publish->envelope = im_daemon_buf(r, IM_PUSH_MAX_DATA + 256 * 1024);

    return publish;
}


im_int_t
im_logic_publish_refuse(im_logic_publish_t *publish, im_uint_t status,
    const char *msg)
{
    publish->status = status;
    publish->msg = msg;

    return IM_ERROR;
}


im_int_t
im_logic_publish_durability(im_logic_publish_t *publish, im_str_t value)
{
    const char  *why;

    if (im_logic_durable_decode(value, &publish->durable) == IM_OK) {
        return IM_OK;
    }

    why = im_logic_text(publish->r, "durability is \"memory\" or "
                        "\"replica\", not %j", value);

    return im_logic_publish_refuse(publish, 400, why);
}


/* add is NULL: the name is the topic. */
static im_logic_target_t *
im_logic_publish_target(im_logic_publish_t *publish,
    void (*add)(im_buf_t *b, im_str_t name), im_str_t name, const char *why)
{
    im_str_t            topic;
    im_hash_node_t     *node;
    im_logic_target_t  *t;

    if (add != NULL && !im_name_valid(name)) {
        (void) im_logic_publish_refuse(publish, 400, why);
        return NULL;
    }

    topic = add != NULL ? im_logic_topic(publish->r, add, name) : name;

    if (topic.data == NULL) {
        (void) im_logic_publish_refuse(publish, 503, "no memory");
        return NULL;
    }

    node = im_hash_find(&publish->seen, topic);

    if (node != NULL) {
        return (im_logic_target_t *) node;
    }

    if (publish->ntargets == publish->max) {
        (void) im_logic_publish_refuse(publish, 413, "too many targets");
        return NULL;
    }

    t = &publish->targets[publish->ntargets++];
    t->publish = publish;
    t->topic = topic;

    im_hash_add(&publish->seen, &t->node);

    return t;
}


im_logic_target_t *
im_logic_publish_room(im_logic_publish_t *publish, im_str_t name)
{
    return im_logic_publish_target(publish, im_topic_room, name,
                                   "a room name is not valid");
}


im_logic_target_t *
im_logic_publish_user(im_logic_publish_t *publish, im_str_t id)
{
    return im_logic_publish_target(publish, im_topic_user, id,
                                   "a user id is not valid");
}


im_logic_target_t *
im_logic_publish_key(im_logic_publish_t *publish, im_str_t key)
{
    return im_logic_publish_target(publish, im_topic_key, key,
                                   "a key is not valid");
}


im_logic_target_t *
im_logic_publish_all(im_logic_publish_t *publish)
{
    return im_logic_publish_target(publish, NULL, im_str_z("b"), NULL);
}


/* Its id is the message's own, else the caller's, else a new one. */
static im_int_t
im_logic_publish_encode(im_logic_publish_t *publish, im_str_t id)
{
    u_char          random[16];
    im_envelope_t  *message;

    message = &publish->message;
    publish->id = message->id;

    if (publish->id.len > IM_PUSH_MAX_ID
        || (publish->id.len != 0 && !im_name_valid(publish->id)))
    {
        return im_logic_publish_refuse(publish, 400, "an id has 1 to 64 "
                                       "bytes and no control characters");
    }

    if (publish->id.len == 0 && id.len <= IM_PUSH_MAX_ID) {
        publish->id = id;
    }

    if (publish->id.len == 0) {
        im_daemon_random(random, sizeof(random));
        im_id_uuid(publish->uuid, random);
        publish->id = im_str_set(publish->uuid, IM_UUID_LEN);
    }

    if (message->data.len > IM_PUSH_MAX_DATA) {
        return im_logic_publish_refuse(publish, 413,
                                       "the message is too large");
    }

    if (message->info.len > UINT16_MAX || message->tags.len > UINT16_MAX) {
        return im_logic_publish_refuse(publish, 413,
                                       "info or tags are too large");
    }

    message->kind = IM_PUSH_MESSAGE;
    message->time = im_logic_time();

    im_envelope_encode(publish->envelope, message);

    if (publish->envelope->failed) {
        return im_logic_publish_refuse(publish, 503, "no memory");
    }

    im_envelope_hash(message, publish->hash);

    return IM_OK;
}


static void
im_logic_target_done(im_logic_target_t *t, im_uint_t status, const char *msg)
{
    im_logic_publish_t  *publish;

    publish = t->publish;

    t->status = status;
    t->msg = msg;

    if (--publish->left == 0) {
        publish->handler(publish, publish->data);
    }
}


static void
im_logic_target_confirmed(const char *why, void *data)
{
    im_logic_target_t  *t = data;

    im_logic_durable_log(t->publish->logic, why);

    if (why == NULL) {
        im_logic_target_done(t, 200, NULL);

    } else {
        im_logic_target_done(t, IM_LOGIC_UNCONFIRMED,
                             im_logic_text(t->publish->r, "stored, not "
                             "confirmed; repeat with the same id: %s",
                             im_str_z(why)));
    }
}


/* It is stored at one server. */
static void
im_logic_target_stored(im_logic_target_t *t)
{
    if (!t->publish->durable) {
        im_logic_target_done(t, 200, NULL);

    } else if (im_link_confirm(t->link, im_logic_target_confirmed, t) != IM_OK)
    {
        im_logic_target_confirmed("no memory", t);
    }
}


static void
im_logic_target_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t            position;
    const char         *why;
    im_logic_target_t  *t = data;

    why = im_logic_fault(reply, "pub.lua");

    if (reply == NULL) {
        why = im_logic_text(t->publish->r, "%s",
                            im_str_z(im_link_excuse(t->link)));
    }

    if (why != NULL) {
        im_logic_target_done(t, 503, why);
        return;
    }

    switch (im_link_reply_int_at(reply, 0, -1)) {

    case 0:
    case 1:
        position = im_link_reply_str_at(reply, 1);
        position.len = im_min(position.len, sizeof(t->position));
        im_copy(t->position, position.data, position.len);
        position.data = (u_char *) t->position;

        if (im_position_decode(position, &t->epoch, &t->seq) == IM_OK) {
            im_logic_target_stored(t);
            return;
        }

        why = "position";
        break;

    case 2:
        im_logic_target_done(t, 503, "the queue is full");
        return;

    case 3:
        im_logic_target_done(t, 409, "the id was used for another message");
        return;

    default:
        why = "reply";
    }

    im_daemon_log(IM_LOG_ERROR, "pub.lua: unknown %s", why);
    im_logic_target_done(t, 503, "redis answered nonsense");
}


static void
im_logic_target_call(im_logic_target_t *t, const im_rule_t *rule)
{
    uint16_t             p;
    im_logic_t          *logic;
    im_link_call_t      *call;
    im_logic_publish_t  *publish;

    publish = t->publish;
    logic = publish->logic;
    p = im_logic_partition(logic, t->topic);

    call = im_link_script(t->link, &im_script_pub);

    im_logic_key(logic, call, t->topic, IM_KEY_META);
    im_logic_key(logic, call, t->topic, IM_KEY_HISTORY);
    im_key_queue(&call->bytes, im_link_keys(logic->link), p);
    im_link_call_key(call);
    im_key_idem(&call->bytes, im_link_keys(logic->link), p, t->topic,
                publish->id);
    im_link_call_key(call);
    im_logic_key(logic, call, t->topic, IM_KEY_ROUTES);
    im_link_call_channels(call, im_link_keys(logic->link), p);
    im_link_call_str(call, t->topic);
    im_link_call_str(call, im_buf_str(publish->envelope));
    im_link_call_str(call, im_str_set(publish->hash, IM_PUSH_HASH));
    im_link_call_generation(call);

    if (t->numbered || rule->history == 0) {
        im_link_call_uint(call, rule->history);

    } else {
        im_link_call_z(call, "");
    }

    im_link_call_uint(call, im_max(rule->ttl, 1));
    im_link_call_uint(call, im_rule_meta_ttl(rule));
    im_link_call_uint(call, logic->conf.idem_ttl);
    im_link_call_uint(call, logic->conf.queue_cap);

    if (im_link_send(t->link, im_logic_target_handler, t) != IM_OK) {
        im_logic_target_handler(NULL, t);
    }
}


static void im_logic_target_ready_handler(const char *why, void *data);


/* By the rules of now: it may have waited for its link. */
static void
im_logic_target_send(im_logic_target_t *t)
{
    uint16_t          p;
    im_str_t          why;
    im_logic_t       *logic;
    const im_rule_t  *rule;

    static const im_rule_t  live = { .ttl = IM_PUBLISH_TTL };

    logic = t->publish->logic;
    p = im_logic_partition(logic, t->topic);
    rule = im_rules_topic(&logic->nodes->rules, t->topic);

    if (rule == NULL && (t->topic.data[0] == 'r' || t->topic.data[0] == 'b')) {
        im_logic_target_done(t, 404, t->topic.data[0] == 'r'
                                     ? "no im_room rule" : "no im_broadcast");
        return;
    }

    if (rule == NULL) {
        rule = &live;
    }

    t->numbered = rule->history != 0 && !t->unnumbered;

    if (!im_link_ready(logic->link, p)) {
        why = im_str_z(im_link_why(logic->link, p));
        im_logic_target_done(t, 503, im_logic_text(t->publish->r, "%s", why));
        return;
    }

    t->wait.handler = im_logic_target_ready_handler;
    t->wait.data = t;
    t->link = t->publish->durable ? im_logic_durable_link(logic, p, &t->wait)
                                  : logic->link;

    if (t->link != NULL) {
        im_logic_target_call(t, rule);
    }
}


static void
im_logic_target_ready_handler(const char *why, void *data)
{
    im_logic_target_t  *t = data;

    if (why == NULL) {
        im_logic_target_send(t);

    } else {
        im_logic_target_done(t, 503, why);
    }
}


/* NULL, or why none of the targets can be reached. */
static const char *
im_logic_publish_away(im_logic_publish_t *publish)
{
    uint16_t     p;
    im_uint_t    i;
    im_link_t   *link;
    const char  *why;

    link = publish->logic->link;
    why = NULL;

    for (i = 0; i < publish->ntargets; i++) {
        p = im_logic_partition(publish->logic, publish->targets[i].topic);

        if (im_link_ready(link, p)) {
            return NULL;
        }

        why = im_link_why(link, p);
    }

    return why;
}


im_int_t
im_logic_publish_start(im_logic_publish_t *publish, im_str_t id,
    im_logic_publish_pt handler, void *data)
{
    im_uint_t    i;
    const char  *why;

    if (im_logic_publish_encode(publish, id) != IM_OK) {
        return IM_ERROR;
    }

    why = im_logic_unready(publish->logic);

    if (why == NULL) {
        why = im_logic_publish_away(publish);
    }

    if (why != NULL) {
        return im_logic_publish_refuse(publish, 503, why);
    }

    publish->handler = handler;
    publish->data = data;

    /* one more, so that it doesn't finish before all are sent */
    publish->left = publish->ntargets + 1;

    for (i = 0; i < publish->ntargets; i++) {
        im_logic_target_send(&publish->targets[i]);
    }

    if (--publish->left == 0) {
        handler(publish, data);
    }

    return IM_OK;
}
