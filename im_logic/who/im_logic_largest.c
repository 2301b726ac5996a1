/*
 * Copyright (C) The im authors
 *
 * The largest rooms: names of the workers' records, then a count of each.
 */

#include <stdlib.h>

#include "im_logic_largest.h"
#include "im_logic_nodes.h"
#include "im_board.h"
#include "im_key.h"


static im_str_t
im_logic_largest_name(const im_hash_node_t *node)
{
    return ((const im_logic_largest_room_t *) node)->name;
}


static im_int_t
im_logic_largest_add(im_logic_largest_t *largest, im_str_t name,
    uint64_t followers)
{
    im_logic_largest_room_t  *room;

    room = im_daemon_alloc(largest->r, sizeof(im_logic_largest_room_t));
    if (room == NULL) {
        return IM_ERROR;
    }

    room->largest = largest;
    room->reported = followers;
    room->name = im_daemon_copy(largest->r, name);

    if (room->name.data == NULL) {
        return IM_ERROR;
    }

    im_hash_add(&largest->names, &room->node);
    largest->rooms[largest->n++] = room;

    return IM_OK;
}


static im_int_t
im_logic_largest_read(im_logic_largest_t *largest, im_str_t rooms,
    im_logic_largest_match_pt match, im_str_t pattern)
{
    size_t           at;
    uint64_t         followers;
    im_str_t         name;
    im_uint_t        n;
    im_hash_node_t  *node;

    at = 0;

    for (n = 0; im_board_decode(rooms, &at, &followers, &name) == IM_OK; n++) {
        if (pattern.len != 0 && !match(pattern, name)) {
            continue;
        }

        node = im_hash_find(&largest->names, name);

        if (node != NULL) {
            ((im_logic_largest_room_t *) node)->reported += followers;

        } else if (largest->n == IM_LARGEST_READ) {
            largest->more = 1;

        } else if (im_logic_largest_add(largest, name, followers) != IM_OK) {
            return IM_ERROR;
        }
    }

    if (n == IM_BOARD_MAX) {
        largest->more = 1;
    }

    return IM_OK;
}


/* By counts, or before these are known by what was reported. */
static int
im_logic_largest_cmp(const void *one, const void *two)
{
    const im_logic_largest_room_t *const  *a = one;
    const im_logic_largest_room_t *const  *b = two;

    if ((*a)->count != (*b)->count) {
        return (*a)->count < (*b)->count ? 1 : -1;
    }

    if ((*a)->reported != (*b)->reported) {
        return (*a)->reported < (*b)->reported ? 1 : -1;
    }

    return im_str_compare((*a)->name, (*b)->name);
}


static void
im_logic_largest_replied(im_logic_largest_t *largest)
{
    if (--largest->left > 0) {
        return;
    }

    qsort(largest->rooms, largest->n, sizeof(void *), im_logic_largest_cmp);

    largest->n = im_min(largest->n, largest->most);

    largest->handler(largest->failed ? NULL : largest, largest->data);
}


static void
im_logic_largest_count_handler(const im_members_t *members, void *data)
{
    im_logic_largest_room_t  *room = data;

    if (members != NULL) {
        room->count = members->count;

    } else {
        room->largest->failed = 1;
    }

    im_logic_largest_replied(room->largest);
}


static im_str_t
im_logic_largest_slot(const im_logic_worker_t *worker)
{
    u_char    *dot;
    im_str_t   id;

    id = worker->id;
    dot = memrchr(id.data, '.', id.len);

    return dot != NULL ? im_str_set(id.data, (size_t) (dot - id.data)) : id;
}


/*
 * How many workers there are of one slot of a node: while sessions move from
 * the older to the younger ones, a room may be in the records of all.  Workers
 * are sorted by their ids.
 */
static im_uint_t
im_logic_largest_generations(const im_logic_nodes_t *nodes)
{
    im_uint_t  i, n, most;

    for (i = 0, n = 0, most = 1; i < nodes->nworkers; i++) {
        n = i > 0 && im_str_eq(im_logic_largest_slot(nodes->workers[i - 1]),
                               im_logic_largest_slot(nodes->workers[i]))
            ? n + 1 : 1;
        most = im_max(most, n);
    }

    return most;
}


/*
 * How many rooms have to be counted, to know those that have most followers:
 * what was reported of a room may be so many times too much.
 */
static im_uint_t
im_logic_largest_choose(const im_logic_largest_t *largest, im_uint_t times)
{
    uint64_t   least;
    im_uint_t  n;

    if (largest->n <= largest->most) {
        return largest->n;
    }

    n = largest->most;
    least = largest->rooms[n - 1]->reported;

    while (times > 1 && n < largest->n && n < IM_LARGEST_MAX
           && largest->rooms[n]->reported * times >= least)
    {
        n++;
    }

    return n;
}


void
im_logic_largest(im_daemon_request_t *r, im_logic_largest_match_pt match,
    im_str_t pattern, uint64_t most, im_logic_largest_pt handler, void *data)
{
    im_uint_t                 i;
    im_logic_t               *logic;
    im_logic_largest_t       *largest;
    const im_logic_worker_t  *worker;

    logic = r->data;

    largest = im_daemon_alloc(r, sizeof(im_logic_largest_t));

    if (largest != NULL) {
        largest->rooms = im_daemon_alloc(r, IM_LARGEST_READ * sizeof(void *));
    }

    if (largest == NULL || largest->rooms == NULL
        || im_logic_hash(r, &largest->names, im_logic_largest_name) != IM_OK)
    {
        handler(NULL, data);
        return;
    }

    largest->r = r;
    largest->handler = handler;
    largest->data = data;

    for (i = 0; i < logic->nodes->nworkers; i++) {
        worker = logic->nodes->workers[i];

        if (im_logic_largest_read(largest, worker->record.rooms, match,
                                  pattern)
            != IM_OK)
        {
            handler(NULL, data);
            return;
        }
    }

    qsort(largest->rooms, largest->n, sizeof(void *), im_logic_largest_cmp);

    largest->most = most;
    largest->more |= largest->n > most;

    largest->n = im_logic_largest_choose(largest,
                                   im_logic_largest_generations(logic->nodes));

    /* one more, so that it doesn't finish before all are asked */
    largest->left = largest->n + 1;

    for (i = 0; i < largest->n; i++) {
        im_logic_members(logic, im_logic_topic(r, im_topic_room,
                                               largest->rooms[i]->name),
                         IM_LINK_MEMBERS_COUNTS,
                         im_logic_largest_count_handler, largest->rooms[i]);
    }

    im_logic_largest_replied(largest);
}
