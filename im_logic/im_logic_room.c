/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME and /im/users/ID: who follows a topic, over all workers
 * that live.
 *
 * The routes first, then the members of each live worker, in pages.  The list
 * of users is capped; the counts are not.
 */

#include <stdlib.h>

#include "im_logic.h"
#include "im_logic_url.h"
#include "im_json.h"
#include "im_key.h"


#define IM_MEMBERS_PAGE  "1000"
#define IM_MEMBERS_MAX   20000     /* sessions looked at, of one topic */


/* A user of a room; sessions are counted. */
typedef struct {
    im_hash_node_t  node;
    im_str_t        user;          /* in this block */
    im_str_t        name;
    uint64_t        sessions;
} im_logic_member_t;


/* A question under way; freed with its answer. */
typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_hash_t             members;
    im_buf_t              sessions;   /* of a user: JSON, ready */
    im_str_t              name;
    u_char                name_data[IM_NAME_MAX];
    im_buf_t              topic;
    uint64_t              count;
    im_uint_t             looked;     /* sessions seen */
    im_uint_t             left;       /* replies to come */
    uint16_t              p;
    unsigned              room:1;
    unsigned              more:1;     /* the list is not whole */
    unsigned              failed:1;
} im_logic_who_t;


/* One worker's members, page by page. */
typedef struct {
    im_logic_who_t  *who;
    im_str_t         worker;
    u_char           worker_data[IM_WORKER_MAX];
} im_logic_page_t;


/* What a worker writes for a session. */
typedef struct {
    im_str_t  user;
    im_str_t  name;
    im_str_t  ip;
    im_str_t  since;
} im_logic_info_t;


static void im_logic_who(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest, int room);
static im_int_t im_logic_who_name(im_logic_who_t *who, im_str_t rest);
static void im_logic_who_routes_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_who_route(im_logic_who_t *who, im_str_t worker,
    im_str_t value);
static im_int_t im_logic_page_ask(im_logic_page_t *page, im_str_t cursor);
static void im_logic_page_handler(const im_daemon_reply_t *reply, void *data);
static void im_logic_who_session(im_logic_page_t *page, im_str_t session,
    im_str_t json);
static void im_logic_who_member(im_logic_who_t *who,
    const im_logic_info_t *info);
static void im_logic_who_device(im_logic_page_t *page, im_str_t session,
    const im_logic_info_t *info);
static void im_logic_who_done(im_logic_who_t *who);
static void im_logic_who_answer(im_logic_who_t *who, im_buf_t *b);
static im_int_t im_logic_who_add_user(im_hash_node_t *node, void *data);
static im_int_t im_logic_who_free_user(im_hash_node_t *node, void *data);
static void im_logic_who_free(im_logic_who_t *who);
static im_str_t im_logic_member_name(const im_hash_node_t *node);


static const im_json_field_t  im_logic_info_fields[] = {
    { im_str("user"), IM_JSON_STRING, offsetof(im_logic_info_t, user) },
    { im_str("name"), IM_JSON_STRING, offsetof(im_logic_info_t, name) },
    { im_str("ip"), IM_JSON_STRING, offsetof(im_logic_info_t, ip) },
    { im_str("since"), IM_JSON_RAW, offsetof(im_logic_info_t, since) },
    im_json_end
};


void
im_logic_room(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_who(logic, r, rest, 1);
}


void
im_logic_user(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_who(logic, r, rest, 0);
}


static void
im_logic_who(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest,
    int room)
{
    im_buf_t         key;
    im_int_t         rc;
    im_str_t         args[2];
    const char      *why;
    im_logic_who_t  *who;

    why = im_daemon_redis_ready(logic->redis) && !logic->nodes.known
          ? "the workers are not known yet"
          : im_daemon_redis_why(logic->redis);

    if (!im_daemon_redis_ready(logic->redis) || !logic->nodes.known) {
        im_logic_reply_error(logic, r, 503, why);
        return;
    }

    who = im_calloc(sizeof(im_logic_who_t));
    if (who == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    who->logic = logic;
    who->r = r;
    who->room = room;

    im_buf_init(&who->topic, IM_NAME_MAX + 2);
    im_buf_init(&who->sessions, IM_LOGIC_MAX_REPLY / 2);

    if (im_hash_init(&who->members, im_logic_member_name, logic->seed)
        != IM_OK)
    {
        im_free(who);
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    if (im_logic_who_name(who, rest) != IM_OK) {
        im_logic_who_free(who);
        im_logic_reply_error(logic, r, 400, "the name is not valid");
        return;
    }

    im_buf_init(&key, 1024);
    im_key_topic(&key, logic->prefix, who->p, im_buf_str(&who->topic),
                 IM_KEY_ROUTES);

    args[0] = im_str_z("HGETALL");
    args[1] = im_buf_str(&key);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, who->p, args, 2,
                                   im_logic_who_routes_handler, who);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_logic_who_free(who);
        im_logic_reply_error(logic, r, 503, "redis is away");
    }
}


/* From the path as it was sent: nginx' own is decoded and merges slashes. */
static im_int_t
im_logic_who_name(im_logic_who_t *who, im_str_t rest)
{
    im_buf_t  b;
    im_str_t  sent;

    im_buf_init(&b, IM_NAME_MAX);

    if (im_logic_url_behind(who->r->path, who->room ? "/im/rooms/"
                            : "/im/users/", &sent)
        == IM_OK)
    {
        im_logic_url_decode(&b, sent, 0);

    } else {
        im_buf_add_str(&b, rest);
    }

    if (b.failed || !im_name_valid(im_buf_str(&b))) {
        im_buf_cleanup(&b);
        return IM_ERROR;
    }

    memcpy(who->name_data, b.data, b.len);
    who->name = im_str_set(who->name_data, b.len);

    im_buf_cleanup(&b);

    if (who->room) {
        im_topic_room(&who->topic, who->name);

    } else {
        im_topic_user(&who->topic, who->name);
    }

    who->p = im_partition(im_buf_str(&who->topic),
                          im_daemon_redis_partitions(who->logic->redis));

    return who->topic.failed ? IM_ERROR : IM_OK;
}


static void
im_logic_who_routes_handler(const im_daemon_reply_t *reply, void *data)
{
    im_uint_t        i;
    im_logic_who_t  *who = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        who->failed = 1;
    }

    who->left = 1;

    for (i = 0; i + 1 < im_daemon_reply_len(reply); i += 2) {
        im_logic_who_route(who,
                           im_daemon_reply_str(im_daemon_reply_at(reply, i)),
                           im_daemon_reply_str(im_daemon_reply_at(reply,
                                                                  i + 1)));
    }

    if (--who->left == 0) {
        im_logic_who_done(who);
    }
}


/* value is "count:version". */
static void
im_logic_who_route(im_logic_who_t *who, im_str_t worker, im_str_t value)
{
    im_str_t          start = im_str("0");
    uint64_t          count;
    im_uint_t         i;
    im_logic_page_t  *page;

    if (worker.len > IM_WORKER_MAX
        || !im_logic_nodes_live(who->logic, worker))
    {
        return;
    }

    count = 0;

    for (i = 0; i < value.len && i < 18; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        count = count * 10 + value.data[i] - '0';
    }

    who->count += count;

    page = im_calloc(sizeof(im_logic_page_t));
    if (page == NULL) {
        who->failed = 1;
        return;
    }

    page->who = who;
    memcpy(page->worker_data, worker.data, worker.len);
    page->worker = im_str_set(page->worker_data, worker.len);

    if (im_logic_page_ask(page, start) != IM_OK) {
        im_free(page);
        who->failed = 1;
        return;
    }

    who->left++;
}


static im_int_t
im_logic_page_ask(im_logic_page_t *page, im_str_t cursor)
{
    im_buf_t         key;
    im_int_t         rc;
    im_str_t         args[5];
    im_logic_who_t  *who;

    who = page->who;

    im_buf_init(&key, 1024);
    im_key_members(&key, who->logic->prefix, who->p, im_buf_str(&who->topic),
                   page->worker);

    args[0] = im_str_z("HSCAN");
    args[1] = im_buf_str(&key);
    args[2] = cursor;
    args[3] = im_str_z("COUNT");
    args[4] = im_str_z(IM_MEMBERS_PAGE);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(who->logic->redis, who->p, args, 5,
                                   im_logic_page_handler, page);

    im_buf_cleanup(&key);

    return rc;
}


static void
im_logic_page_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t                  cursor, end = im_str("0");
    im_uint_t                 i;
    im_logic_who_t           *who;
    im_logic_page_t          *page = data;
    const im_daemon_reply_t  *pairs;

    who = page->who;
    cursor = im_daemon_reply_str(im_daemon_reply_at(reply, 0));
    pairs = im_daemon_reply_at(reply, 1);

    if (im_daemon_reply_len(reply) != 2) {
        who->failed = 1;
        cursor = end;
    }

    for (i = 0; i + 1 < im_daemon_reply_len(pairs); i += 2) {
        im_logic_who_session(page,
                             im_daemon_reply_str(im_daemon_reply_at(pairs, i)),
                             im_daemon_reply_str(im_daemon_reply_at(pairs,
                                                                    i + 1)));
    }

    if (!im_str_eq(cursor, end)) {

        if (who->looked < IM_MEMBERS_MAX) {
            if (im_logic_page_ask(page, cursor) == IM_OK) {
                return;
            }

            who->failed = 1;
        }

        who->more = 1;
    }

    im_free(page);

    if (--who->left == 0) {
        im_logic_who_done(who);
    }
}


static void
im_logic_who_session(im_logic_page_t *page, im_str_t session, im_str_t json)
{
    im_buf_t         arena;
    const char      *why;
    im_logic_info_t  info;
    im_logic_who_t  *who;

    who = page->who;
    who->looked++;

    memset(&info, 0, sizeof(im_logic_info_t));
    im_buf_init(&arena, json.len + 1);

    if (im_json_decode(json, im_logic_info_fields, IM_JSON_LAX, &arena, &info,
                       &why)
        == IM_OK)
    {
        if (!who->room) {
            im_logic_who_device(page, session, &info);

        } else if (info.user.len != 0) {
            im_logic_who_member(who, &info);
        }
    }

    im_buf_cleanup(&arena);
}


static void
im_logic_who_member(im_logic_who_t *who, const im_logic_info_t *info)
{
    u_char             *p;
    im_logic_member_t  *m;

    m = (im_logic_member_t *) im_hash_find(&who->members, info->user);

    if (m != NULL) {
        m->sessions++;
        return;
    }

    if (who->members.count == IM_LOGIC_MAX_USERS) {
        who->more = 1;
        return;
    }

    m = im_calloc(sizeof(im_logic_member_t) + info->user.len
                  + info->name.len);
    if (m == NULL) {
        who->failed = 1;
        return;
    }

    p = (u_char *) (m + 1);
    m->user = im_str_set(p, info->user.len);
    m->name = im_str_set(p + info->user.len, info->name.len);
    m->sessions = 1;

    memcpy(p, info->user.data, info->user.len);

    if (info->name.len != 0) {
        memcpy(p + info->user.len, info->name.data, info->name.len);
    }

    im_hash_add(&who->members, &m->node);
}


static void
im_logic_who_device(im_logic_page_t *page, im_str_t session,
    const im_logic_info_t *info)
{
    u_char          *dot;
    im_buf_t        *b;
    im_str_t         node;
    im_logic_who_t  *who;

    who = page->who;
    b = &who->sessions;

    if (who->looked > IM_LOGIC_MAX_USERS) {
        who->more = 1;
        return;
    }

    node = page->worker;
    dot = memchr(node.data, '.', node.len);

    if (dot != NULL) {
        node.len = (size_t) (dot - node.data);
    }

    im_buf_add_z(b, b->len == 0 ? "{\"session\":" : ",{\"session\":");
    im_json_add_string(b, session);
    im_buf_add_z(b, ",\"node\":");
    im_json_add_string(b, node);
    im_buf_add_z(b, ",\"worker\":");
    im_json_add_string(b, page->worker);

    if (info->ip.len != 0) {
        im_buf_add_z(b, ",\"ip\":");
        im_json_add_string(b, info->ip);
    }

    if (info->since.len != 0) {
        im_buf_add_z(b, ",\"since\":");
        im_buf_add_str(b, info->since);
    }

    im_buf_add_z(b, "}");
}


static void
im_logic_who_done(im_logic_who_t *who)
{
    im_buf_t              b;
    im_logic_t           *logic;
    im_daemon_request_t  *r;

    logic = who->logic;
    r = who->r;

    if (who->failed) {
        im_logic_who_free(who);
        im_logic_reply_error(logic, r, 503, "redis is away");
        return;
    }

    im_buf_init(&b, IM_LOGIC_MAX_REPLY);
    im_logic_who_answer(who, &b);
    im_logic_who_free(who);

    im_logic_reply_data(logic, r, &b);
    im_buf_cleanup(&b);
}


static void
im_logic_who_answer(im_logic_who_t *who, im_buf_t *b)
{
    im_buf_add_z(b, who->room ? "{\"room\":" : "{\"user\":");
    im_json_add_string(b, who->name);

    if (who->room) {
        im_buf_add_z(b, ",\"count\":");
        im_buf_add_uint(b, who->count);
        im_buf_add_z(b, ",\"users\":[");
        (void) im_hash_each(&who->members, im_logic_who_add_user, b);

    } else {
        im_buf_add_z(b, ",\"online\":");
        im_buf_add_z(b, who->count != 0 ? "true" : "false");
        im_buf_add_z(b, ",\"sessions\":[");
        im_buf_add_str(b, im_buf_str(&who->sessions));
    }

    im_buf_add_z(b, "]");

    if (who->more) {
        im_buf_add_z(b, ",\"more\":true");
    }

    im_buf_add_z(b, "}");
}


static im_int_t
im_logic_who_add_user(im_hash_node_t *node, void *data)
{
    im_buf_t           *b = data;
    im_logic_member_t  *m;

    m = (im_logic_member_t *) node;

    im_buf_add_z(b, b->data != NULL && b->data[b->len - 1] == '['
                    ? "{\"user\":" : ",{\"user\":");
    im_json_add_string(b, m->user);
    im_buf_add_z(b, ",\"name\":");
    im_json_add_string(b, m->name);
    im_buf_add_z(b, ",\"sessions\":");
    im_buf_add_uint(b, m->sessions);
    im_buf_add_z(b, "}");

    return IM_OK;
}


static im_int_t
im_logic_who_free_user(im_hash_node_t *node, void *data)
{
    (void) data;

    im_free(node);

    return IM_OK;
}


static void
im_logic_who_free(im_logic_who_t *who)
{
    (void) im_hash_each(&who->members, im_logic_who_free_user, NULL);
    im_hash_cleanup(&who->members);
    im_buf_cleanup(&who->sessions);
    im_buf_cleanup(&who->topic);
    im_free(who);
}


static im_str_t
im_logic_member_name(const im_hash_node_t *node)
{
    return ((const im_logic_member_t *) node)->user;
}
