/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME: the users in a room; GET /im/users/ID: the sessions of a
 * user.
 *
 * The list is capped; the count is not.
 */

#include "im_logic_who.h"
#include "im_logic_members.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"


#define IM_ROOM_MAX  1000          /* users or sessions in an answer */


typedef struct {
    im_daemon_request_t  *r;
    im_str_t              name;       /* of the room or user */
    im_hash_t             users;
    im_buf_t             *list;       /* JSON, of sessions or users */
    im_uint_t             nsessions;
    unsigned              room:1;
    unsigned              more:1;     /* the list is not whole */
    unsigned              failed:1;
} im_logic_room_t;


/* A user in a room. */
typedef struct {
    im_hash_node_t  node;
    im_str_t        user;
    im_str_t        name;
    uint64_t        sessions;
} im_logic_room_user_t;


static void im_logic_room_read(im_daemon_request_t *r, const char *prefix,
    int room);
static void im_logic_room_user(void *data, im_str_t worker,
    const im_member_t *m);
static void im_logic_room_session(void *data, im_str_t worker,
    const im_member_t *m);
static void im_logic_room_done(void *data, const im_logic_counted_t *counted);
static im_int_t im_logic_room_add_user(im_hash_node_t *node, void *data);
static im_str_t im_logic_room_user_id(const im_hash_node_t *node);


void
im_logic_room_handler(im_daemon_request_t *r)
{
    if (im_logic_room_history(r) != IM_OK) {
        im_logic_room_read(r, "/im/rooms/", 1);
    }
}


void
im_logic_user_handler(im_daemon_request_t *r)
{
    im_logic_room_read(r, "/im/users/", 0);
}


static void
im_logic_room_read(im_daemon_request_t *r, const char *prefix, int room)
{
    im_str_t          topic;
    const char       *why;
    im_logic_room_t  *q;

    why = im_logic_unknown(r->data);
    q = im_daemon_alloc(r, sizeof(im_logic_room_t));

    if (why == NULL
        && (q == NULL
            || im_logic_hash(r, &q->users, im_logic_room_user_id) != IM_OK))
    {
        why = "no memory";
    }

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    q->r = r;
    q->room = room != 0;
    q->name = im_logic_path_name(r, prefix);
    q->list = im_daemon_buf(r, IM_LOGIC_MAX_REPLY / 2);

    if (!im_name_valid(q->name)) {
        im_logic_reply_error(r, 400, "the name is not valid");
        return;
    }

    topic = im_logic_topic(r, room ? im_topic_room : im_topic_user, q->name);

    im_logic_members_read(r, topic, room ? im_logic_room_user
                                         : im_logic_room_session,
                          im_logic_room_done, q);
}


static void
im_logic_room_user(void *data, im_str_t worker, const im_member_t *m)
{
    im_logic_room_t       *q = data;
    im_logic_room_user_t  *user;

    (void) worker;

    if (m->user.len == 0) {
        return;
    }

    user = (im_logic_room_user_t *) im_hash_find(&q->users, m->user);

    if (user != NULL) {
        user->sessions++;
        return;
    }

    if (q->users.count == IM_ROOM_MAX) {
        q->more = 1;
        return;
    }

    user = im_daemon_alloc(q->r, sizeof(im_logic_room_user_t));
    if (user == NULL) {
        q->failed = 1;
        return;
    }

    user->user = im_daemon_copy(q->r, m->user);
    user->name = im_daemon_copy(q->r, m->name);
    user->sessions = 1;

    if (user->user.data == NULL || user->name.data == NULL) {
        q->failed = 1;
        return;
    }

    im_hash_add(&q->users, &user->node);
}


static void
im_logic_room_session(void *data, im_str_t worker, const im_member_t *m)
{
    u_char           *dot;
    im_buf_t         *b;
    im_str_t          node;
    im_logic_room_t  *q = data;

    b = q->list;

    if (++q->nsessions > IM_ROOM_MAX) {
        q->more = 1;
        return;
    }

    node = worker;
    dot = memchr(node.data, '.', node.len);

    if (dot != NULL) {
        node.len = (size_t) (dot - node.data);
    }

    im_logic_print(b, "%z{\"session\":%j,\"node\":%j,\"worker\":%j",
                   b->len == 0 ? "" : ",", m->session, node, worker);

    if (m->ip.len != 0) {
        im_logic_print(b, ",\"ip\":%j", m->ip);
    }

    if (m->since >= 0) {
        im_logic_print(b, ",\"since\":%d", m->since);
    }

    im_buf_add_z(b, "}");
}


static void
im_logic_room_done(void *data, const im_logic_counted_t *counted)
{
    im_buf_t         *b;
    im_str_t          list;
    im_logic_room_t  *q = data;

    if (counted->failed || q->failed) {
        im_logic_reply_error(q->r, 503, "redis is away");
        return;
    }

    (void) im_hash_each(&q->users, im_logic_room_add_user, q->list);

    b = im_daemon_buf(q->r, IM_LOGIC_MAX_REPLY);
    list = im_buf_str(q->list);

    if (q->room) {
        im_logic_print(b, "{\"room\":%j,\"count\":%u,\"users\":[%s]", q->name,
                       counted->count, list);

    } else {
        im_logic_print(b, "{\"user\":%j,\"online\":%z,\"sessions\":[%s]",
                       q->name, counted->count != 0 ? "true" : "false", list);
    }

    im_buf_add_z(b, q->more || counted->more ? ",\"more\":true}" : "}");

    if (q->list->failed) {
        b->failed = 1;
    }

    im_logic_reply_data(q->r, b);
}


static im_int_t
im_logic_room_add_user(im_hash_node_t *node, void *data)
{
    im_buf_t              *b = data;
    im_logic_room_user_t  *user = (im_logic_room_user_t *) node;

    im_logic_print(b, "%z{\"user\":%j,\"name\":%j,\"sessions\":%u}",
                   b->len == 0 ? "" : ",", user->user, user->name,
                   user->sessions);

    return IM_OK;
}


static im_str_t
im_logic_room_user_id(const im_hash_node_t *node)
{
    return ((const im_logic_room_user_t *) node)->user;
}
