/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME: the users in a room; GET /im/users/ID: the sessions of a
 * user.
 *
 * The list is capped; the count is not.
 */

#include "im_logic_who.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"


#define IM_ROOM_MAX  1000          /* users or sessions in an answer */


typedef struct {
    im_daemon_request_t  *r;
    im_str_t              name;       /* of the room or user */
    int                   room;
} im_logic_room_t;


/* How many there are; the first IM_ROOM_MAX are in the answer. */
static im_uint_t
im_logic_room_users(im_buf_t *b, const im_members_t *members)
{
    im_uint_t           i, n, last;
    const im_member_t  *m;

    m = members->elts;

    for (i = 0, n = 0; i < members->n; i = last) {

        for (last = i + 1; last < members->n; last++) {
            if (!im_str_eq(m[last].user, m[i].user)) {
                break;
            }
        }

        if (m[i].user.len != 0 && n++ < IM_ROOM_MAX) {
            im_logic_print(b, "%z{\"user\":%j,\"name\":%j,\"sessions\":%u}",
                           n == 1 ? "" : ",", m[i].user, m[i].name, last - i);
        }
    }

    return n;
}


static im_uint_t
im_logic_room_sessions(im_buf_t *b, const im_members_t *members)
{
    u_char             *dot;
    im_str_t            node;
    im_uint_t           i;
    const im_member_t  *m;

    for (i = 0; i < members->n && i < IM_ROOM_MAX; i++) {
        m = &members->elts[i];

        node = m->worker;
        dot = im_str_chr(node, '.');

        if (dot != NULL) {
            node.len = (size_t) (dot - node.data);
        }

        im_logic_print(b, "%z{\"session\":%j,\"node\":%j,\"worker\":%j",
                       i == 0 ? "" : ",", m->session, node, m->worker);

        if (m->ip.len != 0) {
            im_logic_print(b, ",\"ip\":%j", m->ip);
        }

        if (m->protocol.len != 0) {
            im_logic_print(b, ",\"protocol\":%j", m->protocol);
        }

        if (m->since >= 0) {
            im_logic_print(b, ",\"since\":%d", m->since);
        }

        im_buf_add_z(b, "}");
    }

    return members->n;
}


static void
im_logic_room_members_handler(const im_members_t *members, void *data)
{
    im_buf_t         *b;
    im_uint_t         n;
    im_logic_room_t  *q = data;

    if (members == NULL) {
        im_logic_reply_error(q->r, 503, "redis is away");
        return;
    }

    b = im_daemon_buf(q->r, IM_LOGIC_MAX_REPLY);

    if (q->room) {
        im_logic_print(b, "{\"room\":%j,\"count\":%u,\"users\":[", q->name,
                       members->count);
        n = im_logic_room_users(b, members);

    } else {
        im_logic_print(b, "{\"user\":%j,\"online\":%z", q->name,
                       members->count != 0 ? "true" : "false");

        if (members->n > 0 && members->elts[0].name.len != 0) {
            im_logic_print(b, ",\"name\":%j", members->elts[0].name);
        }

        im_buf_add_z(b, ",\"sessions\":[");
        n = im_logic_room_sessions(b, members);
    }

    im_buf_add_z(b, n > IM_ROOM_MAX || members->rest > 0
                    ? "],\"more\":true}" : "]}");

    im_logic_reply_data(q->r, b);
}


static void
im_logic_room_read(im_daemon_request_t *r, int room)
{
    const char       *why;
    im_logic_room_t  *q;

    why = im_logic_unknown(r->data);
    q = im_daemon_alloc(r, sizeof(im_logic_room_t));

    if (why != NULL || q == NULL) {
        im_logic_reply_error(r, 503, why != NULL ? why : "no memory");
        return;
    }

    q->r = r;
    q->room = room;
    q->name = r->name;

    if (!im_name_valid(q->name)) {
        im_logic_reply_error(r, 400, "the name is not valid");
        return;
    }

    im_logic_members(r->data, im_logic_topic(r, room ? im_topic_room
                                                     : im_topic_user, q->name),
                     IM_LINK_MEMBERS_KEPT, im_logic_room_members_handler, q);
}


void
im_logic_room_handler(im_daemon_request_t *r)
{
    im_logic_room_read(r, 1);
}


void
im_logic_user_handler(im_daemon_request_t *r)
{
    im_logic_room_read(r, 0);
}
