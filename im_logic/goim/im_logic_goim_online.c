/*
 * Copyright (C) The im authors
 *
 * /goim/online/: how many connections there are, in rooms and in all.
 */

#include "im_logic_goim.h"
#include "im_logic_largest.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_key.h"


typedef struct {
    im_daemon_request_t  *r;
    im_str_t              type;       /* "TYPE://" */
    uint64_t              limit;
} im_logic_goim_top_t;


typedef struct im_logic_goim_count_s  im_logic_goim_count_t;

/* One of the rooms that are asked for. */
typedef struct {
    im_logic_goim_count_t  *question;
    im_str_t                name;
    uint64_t                count;
} im_logic_goim_room_t;


struct im_logic_goim_count_s {
    im_daemon_request_t   *r;
    im_logic_goim_room_t  *rooms;
    im_uint_t              n;
    im_uint_t              left;
    unsigned               failed:1;
};


/* NULL, or it has been answered. */
static int
im_logic_goim_unknown(im_daemon_request_t *r)
{
    const char  *why;

    why = im_logic_unknown(r->data);

    if (why != NULL) {
        im_logic_goim_refuse(r, 503, why);
    }

    return why != NULL;
}


static void
im_logic_goim_top_read(const im_logic_largest_t *largest, void *data)
{
    im_buf_t             *b;
    im_str_t              name;
    im_uint_t             i, n;
    im_logic_goim_top_t  *top = data;

    if (largest == NULL) {
        im_logic_goim_refuse(top->r, 503, "redis is away");
        return;
    }

    b = im_daemon_buf(top->r, IM_LOGIC_MAX_REPLY);
    im_buf_add_z(b, "[");

    for (i = 0, n = 0; i < largest->n && n < top->limit; i++) {
        if (largest->rooms[i]->count == 0) {
            break;
        }

        name = largest->rooms[i]->name;
        name.data += top->type.len;
        name.len -= top->type.len;

        im_logic_print(b, "%z{\"room_id\":%j,\"count\":%u}",
                       n++ == 0 ? "" : ",", name, largest->rooms[i]->count);
    }

    im_buf_add_z(b, "]");

    im_logic_goim_reply(top->r, b);
}


static int
im_logic_goim_of_type(im_str_t type, im_str_t name)
{
    return im_str_begins(name, type);
}


void
im_logic_goim_top_handler(im_daemon_request_t *r)
{
    im_str_t              type;
    uint64_t              limit;
    im_logic_goim_top_t  *top;

    if (im_logic_goim_arg(r, "type", &type) != IM_OK
        || im_logic_goim_number(r, "limit", 1, &limit) != IM_OK
        || im_logic_goim_unknown(r))
    {
        return;
    }

    top = im_daemon_alloc(r, sizeof(im_logic_goim_top_t));

    if (top != NULL) {
        top->r = r;
        top->limit = limit;
        top->type = im_logic_goim_name(r, type, im_str_set("", 0));
    }

    if (top == NULL || top->type.data == NULL) {
        im_logic_goim_refuse(r, 503, "no memory");
        return;
    }

    im_logic_largest(r, im_logic_goim_of_type, top->type, IM_LARGEST_MAX,
                     im_logic_goim_top_read, top);
}


static void
im_logic_goim_counted(im_logic_goim_count_t *count)
{
    im_buf_t   *b;
    im_uint_t   i;

    if (--count->left > 0) {
        return;
    }

    if (count->failed) {
        im_logic_goim_refuse(count->r, 503, "redis is away");
        return;
    }

    b = im_daemon_buf(count->r, IM_LOGIC_MAX_REPLY);
    im_buf_add_z(b, "{");

    for (i = 0; i < count->n; i++) {
        im_logic_print(b, "%z%j:%u", i == 0 ? "" : ",", count->rooms[i].name,
                       count->rooms[i].count);
    }

    im_buf_add_z(b, "}");

    im_logic_goim_reply(count->r, b);
}


static void
im_logic_goim_count_handler(const im_members_t *members, void *data)
{
    im_logic_goim_room_t  *room = data;

    if (members != NULL) {
        room->count = members->count;

    } else {
        room->question->failed = 1;
    }

    im_logic_goim_counted(room->question);
}


static void
im_logic_goim_count_ask(im_logic_goim_count_t *count, im_str_t type)
{
    im_uint_t  i;
    im_str_t   name;

    /* one more, so that it doesn't finish before all are asked */
    count->left = count->n + 1;

    for (i = 0; i < count->n; i++) {
        name = im_logic_goim_name(count->r, type, count->rooms[i].name);

        if (!im_name_valid(name)) {
            im_logic_goim_counted(count);
            continue;
        }

        im_logic_members(count->r->data,
                         im_logic_topic(count->r, im_topic_room, name),
                         IM_LINK_MEMBERS_COUNTS, im_logic_goim_count_handler,
                         &count->rooms[i]);
    }

    im_logic_goim_counted(count);
}


void
im_logic_goim_rooms_handler(im_daemon_request_t *r)
{
    size_t                  at;
    im_int_t                rc;
    im_str_t                type, name;
    im_uint_t               max;
    im_logic_goim_count_t  *count;

    if (im_logic_goim_arg(r, "type", &type) != IM_OK
        || im_logic_goim_unknown(r))
    {
        return;
    }

    max = im_min(1 + r->query.len / 7, IM_GOIM_ROOMS);     /* of "&rooms=" */

    count = im_daemon_alloc(r, sizeof(im_logic_goim_count_t));

    if (count != NULL) {
        count->r = r;
        count->rooms = im_daemon_alloc(r, max * sizeof(im_logic_goim_room_t));
    }

    if (count == NULL || count->rooms == NULL) {
        im_logic_goim_refuse(r, 503, "no memory");
        return;
    }

    at = 0;

    while ((rc = im_logic_goim_next(r, "rooms", &at, &name)) == IM_OK) {

        if (count->n == max) {
            im_logic_goim_refuse(r, 400, "more than 1000 rooms=");
            return;
        }

        count->rooms[count->n].question = count;
        count->rooms[count->n++].name = name;
    }

    if (rc == IM_ERROR) {
        im_logic_goim_refuse(r, 503, "no memory");

    } else if (count->n == 0) {
        im_logic_goim_refuse(r, 400, "no rooms=");

    } else {
        im_logic_goim_count_ask(count, type);
    }
}


/* An address that has connections at several workers counts at each. */
void
im_logic_goim_total_handler(im_daemon_request_t *r)
{
    im_buf_t    *b;
    im_logic_t  *logic;

    logic = r->data;

    if (im_logic_goim_unknown(r)) {
        return;
    }

    b = im_daemon_buf(r, 128);

    im_logic_print(b, "{\"conn_count\":%u,\"ip_count\":%u}",
                   logic->nodes->sessions, logic->nodes->addresses);
    im_logic_goim_reply(r, b);
}
