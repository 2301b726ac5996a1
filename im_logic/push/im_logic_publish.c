/*
 * Copyright (C) The im authors
 *
 * Publishing: what pushes, calls of clients and the server API share.
 */

#include "im_logic_accept.h"
#include "im_logic_nodes.h"
#include "im_daemon_time.h"


#define IM_PUBLISH_TTL    86400       /* s, of topics without a rule */
#define IM_PUBLISH_SLICE  32          /* targets under way */
#define IM_PUBLISH_RETRY  30          /* s: conf/im_params repeats no longer */

#define IM_PUBLISH_NAME                                                       \
    " is not a valid name: 1 to 253 bytes of UTF-8 without control characters"


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


static im_int_t
im_logic_publish_refuse_as(im_logic_publish_t *publish,
    im_logic_refused_e reason, im_uint_t status, const char *msg)
{
    publish->logic->counters.pushes_refused[reason]++;

    publish->status = status;
    publish->msg = msg;

    return IM_ERROR;
}


im_int_t
im_logic_publish_refuse(im_logic_publish_t *publish, im_uint_t status,
    const char *msg)
{
    im_logic_refused_e  reason;

    reason = status == 503 ? IM_REFUSED_NO_MEMORY
             : status == 413 ? IM_REFUSED_TOO_LARGE : IM_REFUSED_BAD_REQUEST;

    return im_logic_publish_refuse_as(publish, reason, status, msg);
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


/* add is NULL: the name is the topic.  why: a pattern of the name. */
static im_logic_target_t *
im_logic_publish_target(im_logic_publish_t *publish,
    void (*add)(im_buf_t *b, im_str_t name), im_str_t name, const char *why)
{
    im_str_t            topic;
    im_hash_node_t     *node;
    im_logic_target_t  *t;

    if (add != NULL && !im_name_valid(name)) {
        (void) im_logic_publish_refuse(publish, 400,
                                       im_logic_text(publish->r, why, name));
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
        (void) im_logic_publish_refuse(publish, 413,
                                       "more targets than --max-targets");
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
                                   "the room %j" IM_PUBLISH_NAME);
}


im_logic_target_t *
im_logic_publish_user(im_logic_publish_t *publish, im_str_t id)
{
    return im_logic_publish_target(publish, im_topic_user, id,
                                   "the user %j" IM_PUBLISH_NAME);
}


im_logic_target_t *
im_logic_publish_key(im_logic_publish_t *publish, im_str_t key)
{
    return im_logic_publish_target(publish, im_topic_key, key,
                                   "the key %j" IM_PUBLISH_NAME);
}


im_logic_target_t *
im_logic_publish_all(im_logic_publish_t *publish)
{
    return im_logic_publish_target(publish, NULL, im_str_z("b"), NULL);
}


/* Its id is the message's own, else the request's, else it has none. */
static im_int_t
im_logic_publish_encode(im_logic_publish_t *publish, im_str_t id)
{
    im_envelope_t  *message;

    message = &publish->message;
    publish->id = message->id;
    publish->life = publish->logic->conf.idem_ttl;

    if (publish->id.len > IM_PUSH_MAX_ID
        || (publish->id.len != 0 && !im_name_valid(publish->id)))
    {
        return im_logic_publish_refuse(publish, 400, "an id has 1 to 64 "
                                       "bytes and no control characters");
    }

    if (publish->id.len == 0 && id.len > 0 && id.len <= IM_PUSH_MAX_ID) {
        publish->id = id;
        publish->life = im_min(publish->life, IM_PUBLISH_RETRY);
    }

    if (publish->id.len == 0) {
        publish->life = 0;
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
im_logic_target_refuse(im_logic_target_t *t, im_logic_refused_e reason,
    im_uint_t status, const char *msg)
{
    t->reason = reason;
    t->status = status;
    t->msg = msg;
    t->publish->done(t);
}


static void im_logic_target_ready_handler(const char *why, void *data);


/*
 * By the rules of now: it may have waited for its link.  While im_logic ends,
 * calls that are given up make room for targets, and the links go.
 */
static void
im_logic_target_send(im_logic_target_t *t)
{
    uint16_t          p;
    im_str_t          why;
    im_logic_t       *logic;
    const im_rule_t  *rule;

    static const im_rule_t  live = { .ttl = IM_PUBLISH_TTL };

    logic = t->publish->logic;

    if (logic->accept == NULL) {
        im_logic_target_refuse(t, IM_REFUSED_STOPPING, 503,
                               "im_logic is stopping");
        return;
    }

    p = im_logic_partition(logic, t->topic);
    rule = im_rules_topic(&logic->nodes->rules, t->topic);

    if (rule == NULL && (t->topic.data[0] == 'r' || t->topic.data[0] == 'b')) {
        im_logic_target_refuse(t, IM_REFUSED_NO_RULE, 404,
                               t->topic.data[0] == 'r'
                               ? "no im_room rule" : "no im_broadcast");
        return;
    }

    if (rule == NULL) {
        rule = &live;
    }

    t->numbered = rule->history != 0 && !t->unnumbered;
    t->history = rule->history;
    t->ttl = im_max(rule->ttl, 1);
    t->meta_ttl = im_rule_meta_ttl(rule);

    if (!im_link_ready(logic->link, p)) {
        why = im_str_z(im_link_why(logic->link, p));
        im_logic_target_refuse(t, IM_REFUSED_REDIS_AWAY, 503,
                               im_logic_text(t->publish->r, "%s", why));
        return;
    }

    t->wait.handler = im_logic_target_ready_handler;
    t->wait.data = t;
    t->on = t->publish->durable ? im_logic_durable_link(logic, p, &t->wait)
                                : logic->link;

    if (t->on != NULL) {
        im_logic_accept(t);
    }
}


static void
im_logic_target_ready_handler(const char *why, void *data)
{
    im_logic_target_t  *t = data;

    if (why == NULL) {
        im_logic_target_send(t);

    } else {
        im_logic_target_refuse(t, IM_REFUSED_UNCONFIRMED, 503, why);
    }
}


static void
im_logic_publish_go_on(im_logic_publish_t *publish)
{
    im_uint_t             i;
    im_logic_counters_t  *c;

    publish->sending = 1;

    while (publish->next < publish->ntargets
           && publish->out < IM_PUBLISH_SLICE)
    {
        i = publish->next++;
        publish->out++;

        im_logic_target_send(publish->order != NULL ? publish->order[i]
                                                    : &publish->targets[i]);
    }

    publish->sending = 0;

    if (publish->left > 0) {
        return;
    }

    c = &publish->logic->counters;

    if (publish->accepted > 0) {
        c->pushes++;

    } else {
        c->pushes_refused[publish->reason]++;
    }

    publish->handler(publish, publish->data);
}


static void
im_logic_publish_done(im_logic_target_t *t)
{
    im_logic_publish_t   *publish;
    im_logic_counters_t  *c;

    publish = t->publish;
    c = &publish->logic->counters;

    if (t->status == 200) {
        c->messages++;
        c->bytes += publish->message.data.len;
        publish->accepted++;

    } else {
        c->messages_refused[t->reason]++;
        publish->reason = t->reason;
    }

    publish->out--;
    publish->left--;

    if (!publish->sending) {
        im_logic_publish_go_on(publish);
    }
}


/* Many targets go by partition: those of one share their calls. */
static im_int_t
im_logic_publish_order(im_logic_publish_t *publish)
{
    uint32_t     p, n;
    im_uint_t    i, k;
    im_logic_t  *logic;
    im_uint_t   *first;

    if (publish->ntargets <= IM_PUBLISH_SLICE) {
        return IM_OK;
    }

    logic = publish->logic;
    n = im_link_partitions(logic->link);

    first = im_daemon_alloc(publish->r, (n + 1) * sizeof(im_uint_t));
    publish->order = im_daemon_alloc(publish->r, publish->ntargets
                                                 * sizeof(im_logic_target_t *));

    if (first == NULL || publish->order == NULL) {
        return im_logic_publish_refuse(publish, 503, "no memory");
    }

    for (i = 0; i < publish->ntargets; i++) {
        p = im_logic_partition(logic, publish->targets[i].topic);
        first[p + 1]++;
    }

    for (p = 0; p < n; p++) {
        first[p + 1] += first[p];
    }

    for (i = 0; i < publish->ntargets; i++) {
        p = im_logic_partition(logic, publish->targets[i].topic);
        k = first[p]++;
        publish->order[k] = &publish->targets[i];
    }

    return IM_OK;
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
    const char  *why;

    if (im_logic_publish_encode(publish, id) != IM_OK) {
        return IM_ERROR;
    }

    why = im_logic_unready(publish->logic);

    if (why != NULL) {
        return im_logic_publish_refuse_as(publish,
                   im_link_ready(publish->logic->link, IM_LINK_REGISTRY)
                   ? IM_REFUSED_NO_WORKER : IM_REFUSED_REDIS_AWAY, 503, why);
    }

    why = im_logic_publish_away(publish);

    if (why != NULL) {
        return im_logic_publish_refuse_as(publish, IM_REFUSED_REDIS_AWAY, 503,
                                          why);
    }

    if (im_logic_publish_order(publish) != IM_OK) {
        return IM_ERROR;
    }

    publish->handler = handler;
    publish->data = data;
    publish->done = im_logic_publish_done;
    publish->left = publish->ntargets;

    im_logic_publish_go_on(publish);

    return IM_OK;
}
