/*
 * Copyright (C) The im authors
 *
 * Publishing: what pushes, calls of clients and the server API share.
 */

#include <stdio.h>
#include <sys/time.h>

#include "im_logic_publish.h"
#include "im_logic_nodes.h"
#include "im_key.h"


#define IM_PUBLISH_DEFAULT_TTL  86400
#define IM_PUBLISH_KEYS         5
#define IM_PUBLISH_ARGS         14


static im_logic_target_t *im_logic_publish_target(
    im_logic_publish_t *publish, im_str_t kind, im_str_t name);
static im_int_t im_logic_publish_id(im_logic_publish_t *publish, im_str_t id);
static im_int_t im_logic_publish_encode(im_logic_publish_t *publish);
static void im_logic_target_send(im_logic_target_t *t);
static im_int_t im_logic_target_keys(im_logic_target_t *t, uint16_t p,
    im_buf_t *b, im_str_t keys[IM_PUBLISH_KEYS]);
static void im_logic_target_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_target_accepted(im_logic_target_t *t, im_str_t position);
static void im_logic_target_done(im_logic_target_t *t, im_uint_t status,
    const char *msg);
static im_str_t im_logic_target_name(const im_hash_node_t *node);


im_logic_publish_t *
im_logic_publish_create(im_logic_t *logic, im_uint_t max, size_t bytes)
{
    im_logic_publish_t  *publish;

    publish = im_calloc(sizeof(im_logic_publish_t));
    if (publish == NULL) {
        return NULL;
    }

    if (im_hash_init(&publish->seen, im_logic_target_name, logic->seed)
        != IM_OK)
    {
        im_free(publish);
        return NULL;
    }

    publish->logic = logic;
    publish->max = max;

    /* a topic is 2 bytes longer than its name */
    bytes += 2 * max;

    im_buf_init(&publish->arena, bytes);
    im_buf_init(&publish->envelope, IM_PUSH_MAX_DATA + 256 * 1024);

    publish->targets = im_calloc(max * sizeof(im_logic_target_t));

    if (publish->targets == NULL
        || im_buf_reserve(&publish->arena, bytes) == NULL)
    {
        im_logic_publish_free(publish);
        return NULL;
    }

    publish->arena.len = 0;

    return publish;
}


void
im_logic_publish_free(im_logic_publish_t *publish)
{
    im_hash_cleanup(&publish->seen);
    im_buf_cleanup(&publish->arena);
    im_buf_cleanup(&publish->envelope);
    im_free(publish->targets);
    im_free(publish);
}


im_int_t
im_logic_publish_refuse(im_logic_publish_t *publish, im_uint_t status,
    const char *msg)
{
    publish->status = status;
    publish->msg = msg;

    return IM_ERROR;
}


im_logic_target_t *
im_logic_publish_room(im_logic_publish_t *publish, im_str_t name)
{
    im_str_t  kind = im_str("r:");

    if (!im_name_valid(name)) {
        (void) im_logic_publish_refuse(publish, 400,
                                       "a room name is not valid");
        return NULL;
    }

    return im_logic_publish_target(publish, kind, name);
}


im_logic_target_t *
im_logic_publish_user(im_logic_publish_t *publish, im_str_t id)
{
    im_str_t  kind = im_str("u:");

    if (!im_name_valid(id)) {
        (void) im_logic_publish_refuse(publish, 400,
                                       "a user id is not valid");
        return NULL;
    }

    return im_logic_publish_target(publish, kind, id);
}


im_logic_target_t *
im_logic_publish_all(im_logic_publish_t *publish)
{
    im_str_t  kind = im_str("b"), none = im_null_str;

    return im_logic_publish_target(publish, kind, none);
}


static im_logic_target_t *
im_logic_publish_target(im_logic_publish_t *publish, im_str_t kind,
    im_str_t name)
{
    size_t              start;
    im_str_t            topic;
    im_hash_node_t     *node;
    im_logic_target_t  *t;

    start = publish->arena.len;

    im_buf_add_str(&publish->arena, kind);
    im_buf_add_str(&publish->arena, name);

    if (publish->arena.failed) {
        (void) im_logic_publish_refuse(publish, 503, "no memory");
        return NULL;
    }

    topic = im_str_set(publish->arena.data + start,
                       publish->arena.len - start);

    node = im_hash_find(&publish->seen, topic);

    if (node != NULL) {
        publish->arena.len = start;
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


im_int_t
im_logic_publish_start(im_logic_publish_t *publish, im_str_t id,
    im_logic_publish_pt handler, void *data)
{
    im_uint_t    i;
    const char  *why;

    if (im_logic_publish_id(publish, id) != IM_OK
        || im_logic_publish_encode(publish) != IM_OK)
    {
        return IM_ERROR;
    }

    why = im_logic_unready(publish->logic);

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


/* The message's own, else what the caller has, else a new one. */
static im_int_t
im_logic_publish_id(im_logic_publish_t *publish, im_str_t id)
{
    u_char    random[16];
    im_str_t  own;

    own = publish->message.id;

    if (own.len != 0) {
        if (own.len > IM_PUSH_MAX_ID || !im_name_valid(own)) {
            return im_logic_publish_refuse(publish, 400, "an id has 1 to 64 "
                                           "bytes and no control characters");
        }

        publish->id = own;

        return IM_OK;
    }

    if (id.len != 0 && id.len <= IM_PUSH_MAX_ID) {
        publish->id = id;
        return IM_OK;
    }

    im_daemon_random(random, sizeof(random));
    im_id_uuid(publish->uuid, random);

    publish->id = im_str_set(publish->uuid, IM_UUID_LEN);

    return IM_OK;
}


static im_int_t
im_logic_publish_encode(im_logic_publish_t *publish)
{
    im_envelope_t   *message;
    struct timeval   tv;

    message = &publish->message;

    if (message->data.len > IM_PUSH_MAX_DATA) {
        return im_logic_publish_refuse(publish, 413,
                                       "the message is too large");
    }

    if (message->info.len > UINT16_MAX || message->tags.len > UINT16_MAX) {
        return im_logic_publish_refuse(publish, 413,
                                       "info or tags are too large");
    }

    (void) gettimeofday(&tv, NULL);

    message->kind = IM_PUSH_MESSAGE;
    message->time = (uint64_t) tv.tv_sec * 1000
                    + (uint64_t) tv.tv_usec / 1000;

    im_envelope_encode(&publish->envelope, message);

    if (publish->envelope.failed) {
        return im_logic_publish_refuse(publish, 503, "no memory");
    }

    im_envelope_hash(message, publish->hash);

    return IM_OK;
}


static void
im_logic_target_send(im_logic_target_t *t)
{
    char                 numbers[5][24];
    uint16_t             p;
    im_buf_t             b;
    im_int_t             rc;
    im_str_t             args[IM_PUBLISH_ARGS];
    im_uint_t            i;
    im_logic_t          *logic;
    const im_rule_t     *rule;
    im_logic_publish_t  *publish;

    static const im_rule_t  live = { .ttl = IM_PUBLISH_DEFAULT_TTL };

    publish = t->publish;
    logic = publish->logic;

    rule = im_rules_topic(&logic->nodes->rules, t->topic);

    if (rule == NULL && t->topic.data[0] == 'r') {
        im_logic_target_done(t, 404, "no im_room rule");
        return;
    }

    if (rule == NULL) {
        rule = &live;
    }

    t->numbered = rule->history != 0;

    if (t->numbered && t->unnumbered) {
        im_logic_target_done(t, 501, "the topic keeps a history");
        return;
    }

    p = im_partition(t->topic, im_daemon_redis_partitions(logic->redis));

    im_buf_init(&b, 8192);

    if (im_logic_target_keys(t, p, &b, args) != IM_OK) {
        im_buf_cleanup(&b);
        im_logic_target_done(t, 503, "no memory");
        return;
    }

    (void) snprintf(numbers[0], 24, "%u", (unsigned) rule->history);
    (void) snprintf(numbers[1], 24, "%u", (unsigned) im_max(rule->ttl, 1));
    (void) snprintf(numbers[2], 24, "%u", (unsigned) im_rule_meta_ttl(rule));
    (void) snprintf(numbers[3], 24, "%u", (unsigned) logic->conf.idem_ttl);
    (void) snprintf(numbers[4], 24, "%u", (unsigned) logic->conf.queue_cap);

    args[5] = t->topic;
    args[6] = im_buf_str(&publish->envelope);
    args[7] = im_str_set(publish->hash, IM_PUSH_HASH);
    args[8] = im_daemon_redis_generation;

    for (i = 0; i < 5; i++) {
        args[9 + i] = im_str_z(numbers[i]);
    }

    rc = im_daemon_redis_script(logic->redis, p, &im_script_pub, args,
                                IM_PUBLISH_ARGS, IM_PUBLISH_KEYS,
                                im_logic_target_handler, t);

    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_logic_target_done(t, 503, "redis is away");
    }
}


static im_int_t
im_logic_target_keys(im_logic_target_t *t, uint16_t p, im_buf_t *b,
    im_str_t keys[IM_PUBLISH_KEYS])
{
    size_t     ends[IM_PUBLISH_KEYS + 1];
    im_str_t   prefix;
    im_uint_t  i;

    prefix = t->publish->logic->prefix;

    ends[0] = 0;
    im_key_topic(b, prefix, p, t->topic, IM_KEY_META);
    ends[1] = b->len;
    im_key_topic(b, prefix, p, t->topic, IM_KEY_HISTORY);
    ends[2] = b->len;
    im_key_queue(b, prefix, p);
    ends[3] = b->len;
    im_key_idem(b, prefix, p, t->topic, t->publish->id);
    ends[4] = b->len;
    im_key_topic(b, prefix, p, t->topic, IM_KEY_ROUTES);
    ends[5] = b->len;

    if (b->failed) {
        return IM_ERROR;
    }

    for (i = 0; i < IM_PUBLISH_KEYS; i++) {
        keys[i] = im_str_set(b->data + ends[i], ends[i + 1] - ends[i]);
    }

    return IM_OK;
}


static void
im_logic_target_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t            s, oom = im_str("OOM");
    im_logic_target_t  *t = data;

    if (reply == NULL) {
        im_logic_target_done(t, 503, "redis is away");
        return;
    }

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);

        if (memmem(s.data, s.len, oom.data, oom.len) != NULL) {
            im_logic_target_done(t, 503, "redis is out of memory");
            return;
        }

        im_daemon_log(IM_LOG_ERROR, "pub.lua failed: %.*s", (int) s.len,
                      (char *) s.data);
        im_logic_target_done(t, 503, "redis refused it");
        return;
    }

    s = im_daemon_reply_str(im_daemon_reply_at(reply, 1));

    switch (im_daemon_reply_int(im_daemon_reply_at(reply, 0), -1)) {

    case 0:
    case 1:
        im_logic_target_accepted(t, s);
        return;

    case 2:
        im_logic_target_done(t, 503, "the queue is full");
        return;

    case 3:
        im_logic_target_done(t, 409, "the id was used for another message");
        return;

    default:
        im_daemon_log(IM_LOG_ERROR, "pub.lua: unknown reply");
        im_logic_target_done(t, 503, "redis answered nonsense");
        return;
    }
}


static void
im_logic_target_accepted(im_logic_target_t *t, im_str_t position)
{
    im_str_t  s;

    s = im_str_set(t->position, im_min(position.len, sizeof(t->position)));
    memcpy(t->position, position.data, s.len);

    if (im_position_decode(s, &t->epoch, &t->seq) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "pub.lua: unknown position");
        im_logic_target_done(t, 503, "redis answered nonsense");
        return;
    }

    im_logic_target_done(t, 200, NULL);
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


static im_str_t
im_logic_target_name(const im_hash_node_t *node)
{
    return ((const im_logic_target_t *) node)->topic;
}
