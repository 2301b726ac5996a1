/*
 * Copyright (C) The im authors
 *
 * POST /im/push: one pub.lua for each topic, pipelined, one answer.
 */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/time.h>

#include "im_logic.h"
#include "im_logic_url.h"
#include "im_id.h"
#include "im_json.h"
#include "im_key.h"
#include "im_push.h"
#include "im_utf8.h"


#define IM_PUSH_DEFAULT_TTL  86400
#define IM_PUSH_KEYS         5


/* A topic that is pushed to, and what became of it. */
typedef struct {
    im_hash_node_t   node;
    struct im_logic_push_s  *push;
    im_str_t         topic;        /* in the arena */
    im_uint_t        status;       /* 0: under way, 200: accepted */
    const char      *msg;          /* of a failed one */
    char             position[64]; /* "epoch:seq" */
} im_logic_target_t;


typedef struct im_logic_push_s {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_logic_target_t    *targets;
    im_uint_t             ntargets;
    im_uint_t             max;          /* allocated targets */
    im_uint_t             left;         /* under way */
    im_buf_t              arena;        /* decoded strings and topics */
    im_buf_t              envelope;
    im_hash_t             seen;
    im_envelope_t         message;
    im_str_t              id;           /* the idempotency key */
    u_char                uuid[IM_UUID_LEN];
    u_char                hash[IM_PUSH_HASH];
    im_uint_t             status;       /* of a refused request */
    const char           *msg;
    unsigned              hashed:1;     /* seen is there */
} im_logic_push_t;


/* The JSON form. */
typedef struct {
    im_str_t           id;
    im_json_strings_t  rooms;
    im_json_strings_t  users;
    int                all;
    im_str_t           from;
    im_str_t           data;
} im_logic_push_body_t;


typedef struct {
    im_str_t  user;
    im_str_t  name;
} im_logic_push_from_t;


static im_int_t im_logic_push_read(im_logic_push_t *push);
static int im_logic_push_by_query(im_str_t query);
static im_int_t im_logic_push_query(im_logic_push_t *push);
static im_int_t im_logic_push_query_arg(im_logic_push_t *push, im_str_t name,
    im_str_t value);
static im_int_t im_logic_push_raw(im_logic_push_t *push);
static im_int_t im_logic_push_json(im_logic_push_t *push);
static im_int_t im_logic_push_body(im_logic_push_t *push,
    const im_logic_push_body_t *body);
static im_int_t im_logic_push_from(im_logic_push_t *push, im_str_t from);
static im_int_t im_logic_push_id(im_logic_push_t *push);
static im_int_t im_logic_push_target(im_logic_push_t *push, char kind,
    im_str_t name);
static im_int_t im_logic_push_encode(im_logic_push_t *push);
static void im_logic_push_send(im_logic_target_t *t);
static void im_logic_push_handler(const im_daemon_reply_t *reply, void *data);
static void im_logic_target_done(im_logic_target_t *t, im_uint_t status,
    const char *msg);
static void im_logic_push_finish(im_logic_push_t *push);
static const im_logic_target_t *im_logic_push_worst(
    const im_logic_push_t *push);
static void im_logic_push_results(const im_logic_push_t *push, im_buf_t *b);
static im_int_t im_logic_push_refuse(im_logic_push_t *push, im_uint_t status,
    const char *msg);
static void im_logic_push_free(im_logic_push_t *push);
static im_str_t im_logic_target_name(const im_hash_node_t *node);


static const im_json_field_t  im_logic_push_fields[] = {
    { im_str("id"), IM_JSON_STRING, offsetof(im_logic_push_body_t, id) },
    { im_str("rooms"), IM_JSON_STRINGS,
      offsetof(im_logic_push_body_t, rooms) },
    { im_str("users"), IM_JSON_STRINGS,
      offsetof(im_logic_push_body_t, users) },
    { im_str("all"), IM_JSON_BOOL, offsetof(im_logic_push_body_t, all) },
    { im_str("from"), IM_JSON_OBJECT, offsetof(im_logic_push_body_t, from) },
    { im_str("data"), IM_JSON_RAW, offsetof(im_logic_push_body_t, data) },
    im_json_end
};


static const im_json_field_t  im_logic_from_fields[] = {
    { im_str("user"), IM_JSON_STRING, offsetof(im_logic_push_from_t, user) },
    { im_str("name"), IM_JSON_STRING, offsetof(im_logic_push_from_t, name) },
    im_json_end
};


void
im_logic_push(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_uint_t         i;
    const char       *why;
    im_logic_push_t  *push;

    (void) rest;

    push = im_calloc(sizeof(im_logic_push_t));
    if (push == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    push->logic = logic;
    push->r = r;

    /* decoded strings are no longer than they came, topics 2 bytes more */
    im_buf_init(&push->arena, 2 * (r->body.len + r->query.len) + 4096
                              + 2 * logic->conf.max_targets);
    im_buf_init(&push->envelope, IM_PUSH_MAX_DATA + 2048);

    if (im_logic_push_read(push) != IM_OK
        || im_logic_push_id(push) != IM_OK
        || im_logic_push_encode(push) != IM_OK)
    {
        im_logic_reply_error(logic, r, push->status, push->msg);
        im_logic_push_free(push);
        return;
    }

    why = im_logic_unready(logic);

    if (why != NULL) {
        im_logic_reply_error(logic, r, 503, why);
        im_logic_push_free(push);
        return;
    }

    /* one more, so that it doesn't finish before all are sent */
    push->left = push->ntargets + 1;

    for (i = 0; i < push->ntargets; i++) {
        im_logic_push_send(&push->targets[i]);
    }

    if (--push->left == 0) {
        im_logic_push_finish(push);
    }
}


static im_int_t
im_logic_push_read(im_logic_push_t *push)
{
    im_int_t      rc;
    im_uint_t     max;
    im_logic_t   *logic;

    logic = push->logic;
    max = logic->conf.max_targets;

    push->targets = im_calloc(max * sizeof(im_logic_target_t));

    if (push->targets == NULL
        || im_hash_init(&push->seen, im_logic_target_name, logic->seed)
           != IM_OK)
    {
        return im_logic_push_refuse(push, 503, "no memory");
    }

    push->hashed = 1;
    push->max = max;

    rc = im_logic_push_by_query(push->r->query) ? im_logic_push_query(push)
                                                : im_logic_push_json(push);
    if (rc != IM_OK) {
        return IM_ERROR;
    }

    if (push->ntargets == 0) {
        return im_logic_push_refuse(push, 400, "no target: name rooms, users "
                                    "or all");
    }

    return IM_OK;
}


/* Targets in the query say that the body is the message itself. */
static int
im_logic_push_by_query(im_str_t query)
{
    size_t    at;
    im_str_t  name, value, room = im_str("room"), user = im_str("user");
    im_str_t  all = im_str("all");

    at = 0;

    while (im_logic_url_arg(query, &at, &name, &value) == IM_OK) {
        if (im_str_eq(name, room) || im_str_eq(name, user)
            || im_str_eq(name, all))
        {
            return 1;
        }
    }

    return 0;
}


static im_int_t
im_logic_push_query(im_logic_push_t *push)
{
    size_t     at, start;
    im_str_t   name, value;
    im_buf_t  *arena;

    arena = &push->arena;

    /* room for all of it at once: it must not move under its strings */
    if (im_buf_reserve(arena, 2 * push->r->query.len + 1024
                              + 2 * push->max)
        == NULL)
    {
        return im_logic_push_refuse(push, 503, "no memory");
    }

    arena->len = 0;
    at = 0;

    while (im_logic_url_arg(push->r->query, &at, &name, &value) == IM_OK) {
        start = arena->len;
        im_logic_url_decode(arena, value, 1);

        value = im_str_set(arena->data + start, arena->len - start);

        if (im_logic_push_query_arg(push, name, value) != IM_OK) {
            return IM_ERROR;
        }
    }

    return im_logic_push_raw(push);
}


static im_int_t
im_logic_push_query_arg(im_logic_push_t *push, im_str_t name, im_str_t value)
{
    im_str_t  none = im_null_str, room = im_str("room"), id = im_str("id");
    im_str_t  user = im_str("user"), all = im_str("all"), one = im_str("1");
    im_str_t  yes = im_str("true");

    if (im_str_eq(name, room)) {
        return im_logic_push_target(push, 'r', value);
    }

    if (im_str_eq(name, user)) {
        return im_logic_push_target(push, 'u', value);
    }

    if (im_str_eq(name, all)) {
        if (!im_str_eq(value, one) && !im_str_eq(value, yes)) {
            return im_logic_push_refuse(push, 400, "all is 1 or not there");
        }

        return im_logic_push_target(push, 'b', none);
    }

    if (im_str_eq(name, id)) {
        if (value.len == 0) {
            return im_logic_push_refuse(push, 400, "an id has 1 to 64 bytes");
        }

        push->message.id = value;
    }

    return IM_OK;
}


static im_int_t
im_logic_push_raw(im_logic_push_t *push)
{
    size_t      n;
    im_str_t    type, json = im_str("application/json");

    type = push->r->type;
    n = json.len;

    if (push->r->body.len == 0) {
        return im_logic_push_refuse(push, 400, "the body is empty");
    }

    push->message.data = push->r->body;

    if (type.len >= n && strncasecmp((char *) type.data, (char *) json.data, n)
                         == 0
        && (type.len == n || type.data[n] == ';' || type.data[n] == ' '))
    {
        push->message.type = IM_PUSH_JSON;

        return im_json_valid(push->r->body) ? IM_OK
               : im_logic_push_refuse(push, 400, "the body is not JSON");
    }

    push->message.type = IM_PUSH_TEXT;

    return im_utf8_valid(push->r->body) ? IM_OK
           : im_logic_push_refuse(push, 400, "the body is not UTF-8");
}


static im_int_t
im_logic_push_json(im_logic_push_t *push)
{
    im_int_t              rc;
    const char           *why;
    im_logic_push_body_t  body;

    memset(&body, 0, sizeof(im_logic_push_body_t));

    body.rooms.max = push->max;
    body.users.max = push->max;

    /* strings and, behind them, topics: it must not move in between */
    if (im_buf_reserve(&push->arena, 2 * push->r->body.len + 1024
                                     + 2 * push->max)
        == NULL)
    {
        return im_logic_push_refuse(push, 503, "no memory");
    }

    push->arena.len = 0;

    if (im_json_decode(push->r->body, im_logic_push_fields, 0, &push->arena,
                       &body, &why)
        != IM_OK)
    {
        return im_logic_push_refuse(push, why == im_json_no_memory ? 503
                                    : strcmp(why, "too many elements") == 0
                                      ? 413 : 400, why);
    }

    rc = im_logic_push_body(push, &body);

    im_json_strings_free(&body.rooms);
    im_json_strings_free(&body.users);

    return rc;
}


static im_int_t
im_logic_push_body(im_logic_push_t *push, const im_logic_push_body_t *body)
{
    im_str_t   none = im_null_str;
    im_uint_t  i;

    if (body->data.len == 0) {
        return im_logic_push_refuse(push, 400, "no data");
    }

    push->message.type = IM_PUSH_JSON;
    push->message.data = body->data;

    if (body->id.data != NULL) {
        if (body->id.len == 0) {
            return im_logic_push_refuse(push, 400, "an id has 1 to 64 bytes");
        }

        push->message.id = body->id;
    }

    for (i = 0; i < body->rooms.n; i++) {
        if (im_logic_push_target(push, 'r', body->rooms.elts[i]) != IM_OK) {
            return IM_ERROR;
        }
    }

    for (i = 0; i < body->users.n; i++) {
        if (im_logic_push_target(push, 'u', body->users.elts[i]) != IM_OK) {
            return IM_ERROR;
        }
    }

    if (body->all && im_logic_push_target(push, 'b', none) != IM_OK) {
        return IM_ERROR;
    }

    return body->from.len != 0 ? im_logic_push_from(push, body->from) : IM_OK;
}


static im_int_t
im_logic_push_from(im_logic_push_t *push, im_str_t from)
{
    size_t                start;
    im_buf_t              strings;
    const char           *why;
    im_logic_push_from_t  sender;

    memset(&sender, 0, sizeof(im_logic_push_from_t));
    im_buf_init(&strings, from.len + 1);

    if (im_json_decode(from, im_logic_from_fields, 0, &strings, &sender, &why)
        != IM_OK)
    {
        im_buf_cleanup(&strings);
        return im_logic_push_refuse(push, why == im_json_no_memory ? 503
                                    : 400, why);
    }

    /* into the arena, which has room for it and doesn't move */
    start = push->arena.len;
    im_buf_add_str(&push->arena, sender.user);
    im_buf_add_str(&push->arena, sender.name);

    im_buf_cleanup(&strings);

    if (push->arena.failed) {
        return im_logic_push_refuse(push, 503, "no memory");
    }

    push->message.user = im_str_set(push->arena.data + start,
                                    sender.user.len);
    push->message.name = im_str_set(push->arena.data + start
                                    + sender.user.len, sender.name.len);

    if ((sender.user.len != 0 && !im_name_valid(push->message.user))
        || (sender.name.len != 0 && !im_name_valid(push->message.name)))
    {
        return im_logic_push_refuse(push, 400, "from holds a name that is "
                                    "not valid");
    }

    return IM_OK;
}


/* The caller's id, else the request's, else one of its own. */
static im_int_t
im_logic_push_id(im_logic_push_t *push)
{
    u_char    random[16];
    im_str_t  id;

    id = push->message.id;

    if (id.len != 0) {
        if (id.len > IM_PUSH_MAX_ID || !im_name_valid(id)) {
            return im_logic_push_refuse(push, 400, "an id has 1 to 64 bytes "
                                        "and no control characters");
        }

        push->id = id;

        return IM_OK;
    }

    if (push->r->id.len != 0 && push->r->id.len <= IM_PUSH_MAX_ID) {
        push->id = push->r->id;
        return IM_OK;
    }

    im_daemon_random(random, sizeof(random));
    im_id_uuid(push->uuid, random);

    push->id = im_str_set(push->uuid, IM_UUID_LEN);

    return IM_OK;
}


/* A topic that is named twice is one target. */
static im_int_t
im_logic_push_target(im_logic_push_t *push, char kind, im_str_t name)
{
    size_t              start;
    im_str_t            topic, b = im_str("b");
    im_logic_target_t  *t;

    if (kind != 'b' && !im_name_valid(name)) {
        return im_logic_push_refuse(push, 400, kind == 'r'
                                    ? "a room name is not valid"
                                    : "a user id is not valid");
    }

    topic = b;

    if (kind != 'b') {
        start = push->arena.len;

        if (kind == 'r') {
            im_topic_room(&push->arena, name);

        } else {
            im_topic_user(&push->arena, name);
        }

        if (push->arena.failed) {
            return im_logic_push_refuse(push, 503, "no memory");
        }

        topic = im_str_set(push->arena.data + start,
                           push->arena.len - start);
    }

    if (im_hash_find(&push->seen, topic) != NULL) {
        return IM_OK;
    }

    if (push->ntargets == push->max) {
        return im_logic_push_refuse(push, 413, "too many targets");
    }

    t = &push->targets[push->ntargets++];
    t->push = push;
    t->topic = topic;

    im_hash_add(&push->seen, &t->node);

    return IM_OK;
}


static im_int_t
im_logic_push_encode(im_logic_push_t *push)
{
    struct timeval  tv;

    if (push->message.data.len > IM_PUSH_MAX_DATA) {
        return im_logic_push_refuse(push, 413, "the message is too large");
    }

    (void) gettimeofday(&tv, NULL);

    push->message.kind = IM_PUSH_MESSAGE;
    push->message.time = (uint64_t) tv.tv_sec * 1000
                         + (uint64_t) tv.tv_usec / 1000;

    im_envelope_encode(&push->envelope, &push->message);

    if (push->envelope.failed) {
        return im_logic_push_refuse(push, 503, "no memory");
    }

    im_envelope_hash(&push->message, push->hash);

    return IM_OK;
}


static void
im_logic_push_send(im_logic_target_t *t)
{
    char              numbers[5][24];
    size_t            ends[IM_PUSH_KEYS + 1];
    uint16_t          p;
    im_buf_t          b;
    im_str_t          args[14], prefix;
    im_uint_t         i;
    im_logic_t       *logic;
    im_logic_push_t  *push;
    const im_rule_t  *rule;

    static const im_rule_t  live = { .ttl = IM_PUSH_DEFAULT_TTL };

    push = t->push;
    logic = push->logic;
    prefix = logic->prefix;

    rule = im_rules_topic(&logic->nodes.rules, t->topic);

    if (rule == NULL && t->topic.data[0] == 'r') {
        im_logic_target_done(t, 404, "no im_room rule");
        return;
    }

    if (rule == NULL) {
        rule = &live;
    }

    p = im_partition(t->topic, im_daemon_redis_partitions(logic->redis));

    im_buf_init(&b, 8192);

    ends[0] = 0;
    im_key_topic(&b, prefix, p, t->topic, IM_KEY_META);
    ends[1] = b.len;
    im_key_topic(&b, prefix, p, t->topic, IM_KEY_HISTORY);
    ends[2] = b.len;
    im_key_queue(&b, prefix, p);
    ends[3] = b.len;
    im_key_idem(&b, prefix, p, t->topic, push->id);
    ends[4] = b.len;
    im_key_topic(&b, prefix, p, t->topic, IM_KEY_ROUTES);
    ends[5] = b.len;

    if (b.failed) {
        im_buf_cleanup(&b);
        im_logic_target_done(t, 503, "no memory");
        return;
    }

    for (i = 0; i < IM_PUSH_KEYS; i++) {
        args[i] = im_str_set(b.data + ends[i], ends[i + 1] - ends[i]);
    }

    (void) snprintf(numbers[0], 24, "%u", (unsigned) rule->history);
    (void) snprintf(numbers[1], 24, "%u",
                    (unsigned) im_max(rule->ttl, 1));
    (void) snprintf(numbers[2], 24, "%u", (unsigned) im_rule_meta_ttl(rule));
    (void) snprintf(numbers[3], 24, "%u", (unsigned) logic->conf.idem_ttl);
    (void) snprintf(numbers[4], 24, "%u", (unsigned) logic->conf.queue_cap);

    args[5] = t->topic;
    args[6] = im_buf_str(&push->envelope);
    args[7] = im_str_set(push->hash, IM_PUSH_HASH);
    args[8] = im_daemon_redis_generation;

    for (i = 0; i < 5; i++) {
        args[9 + i] = im_str_z(numbers[i]);
    }

    if (im_daemon_redis_script(logic->redis, p, &im_script_pub, args, 14,
                               IM_PUSH_KEYS, im_logic_push_handler, t)
        != IM_OK)
    {
        im_logic_target_done(t, 503, "redis is away");
    }

    im_buf_cleanup(&b);
}


static void
im_logic_push_handler(const im_daemon_reply_t *reply, void *data)
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
        (void) snprintf(t->position, sizeof(t->position), "%.*s",
                        (int) s.len, (char *) s.data);
        im_logic_target_done(t, 200, NULL);
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
im_logic_target_done(im_logic_target_t *t, im_uint_t status, const char *msg)
{
    im_logic_push_t  *push;

    push = t->push;

    t->status = status;
    t->msg = msg;

    if (--push->left == 0) {
        im_logic_push_finish(push);
    }
}


static void
im_logic_push_finish(im_logic_push_t *push)
{
    im_buf_t                  b;
    const im_logic_target_t  *worst;

    im_buf_init(&b, IM_LOGIC_MAX_REPLY);

    worst = im_logic_push_worst(push);

    if (worst == NULL) {
        im_buf_add_z(&b, "{\"results\":[");
        im_logic_push_results(push, &b);
        im_buf_add_z(&b, "]}");

        im_logic_reply_data(push->logic, push->r, &b);

    } else if (push->ntargets == 1) {
        im_logic_reply_error(push->logic, push->r, worst->status, worst->msg);

    } else {
        push->r->retry = worst->status == 503;

        im_buf_add_z(&b, "{\"code\":");
        im_buf_add_uint(&b, worst->status);
        im_buf_add_z(&b, ",\"msg\":");
        im_json_add_string(&b, im_str_z(worst->msg));
        im_buf_add_z(&b, ",\"data\":{\"results\":[");
        im_logic_push_results(push, &b);
        im_buf_add_z(&b, "]}}\n");

        im_logic_reply(push->logic, push->r, worst->status, &b);
    }

    im_buf_cleanup(&b);
    im_logic_push_free(push);
}


/* NULL: one was accepted.  A 503 counts most: trying again may help. */
static const im_logic_target_t *
im_logic_push_worst(const im_logic_push_t *push)
{
    im_uint_t                 i;
    const im_logic_target_t  *t, *worst;

    worst = &push->targets[0];

    for (i = 0; i < push->ntargets; i++) {
        t = &push->targets[i];

        if (t->status == 200) {
            return NULL;
        }

        if (t->status > worst->status) {
            worst = t;
        }
    }

    return worst;
}


static void
im_logic_push_results(const im_logic_push_t *push, im_buf_t *b)
{
    im_str_t                  epoch;
    uint64_t                  seq;
    im_uint_t                 i;
    const im_logic_target_t  *t;

    for (i = 0; i < push->ntargets; i++) {
        t = &push->targets[i];

        im_buf_add_z(b, i == 0 ? "{\"topic\":" : ",{\"topic\":");
        im_json_add_string(b, t->topic);

        if (t->status == 200
            && im_position_decode(im_str_z(t->position), &epoch, &seq)
               == IM_OK)
        {
            im_buf_add_z(b, ",\"epoch\":");
            im_json_add_string(b, epoch);
            im_buf_add_z(b, ",\"seq\":");
            im_buf_add_uint(b, seq);

        } else {
            im_buf_add_z(b, ",\"code\":");
            im_buf_add_uint(b, t->status);
            im_buf_add_z(b, ",\"msg\":");
            im_json_add_string(b, im_str_z(t->msg != NULL ? t->msg : ""));
        }

        im_buf_add_z(b, "}");
    }
}


static im_int_t
im_logic_push_refuse(im_logic_push_t *push, im_uint_t status, const char *msg)
{
    push->status = status;
    push->msg = msg;

    return IM_ERROR;
}


static void
im_logic_push_free(im_logic_push_t *push)
{
    if (push->hashed) {
        im_hash_cleanup(&push->seen);
    }

    im_buf_cleanup(&push->arena);
    im_buf_cleanup(&push->envelope);
    im_free(push->targets);
    im_free(push);
}


static im_str_t
im_logic_target_name(const im_hash_node_t *node)
{
    return ((const im_logic_target_t *) node)->topic;
}
