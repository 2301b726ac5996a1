/*
 * Copyright (C) The im authors
 *
 * The index of subscriptions: linear probing.  What is removed leaves no mark:
 * those behind it that were pushed on move up.
 */

#include "im_sub_index.h"


#define IM_SUB_INDEX_SIZE  64       /* initially */
#define IM_SUB_INDEX_MOVE  4        /* cells of the old table a call moves */


/* Neither a topic's address nor a session's number is chosen by a client. */
static size_t
im_sub_index_hash(uint32_t session, const im_topic_t *topic)
{
    uint64_t  h;

    h = (uint64_t) (uintptr_t) topic ^ (uint64_t) session << 40;
    h *= 0x9e3779b97f4a7c15;
    h ^= h >> 32;
    h *= 0xbf58476d1ce4e5b9;

    return (size_t) (h ^ h >> 29);
}


static im_sub_t *
im_sub_index_sub(const im_logs_t *logs, uint32_t index)
{
    return im_slab_object(&logs->subs, index);
}


/* Where it is, or NULL. */
static uint32_t *
im_sub_index_cell(uint32_t *table, size_t size, const im_logs_t *logs,
    uint32_t session, const im_topic_t *topic)
{
    size_t     i;
    im_sub_t  *sub;

    if (table == NULL) {
        return NULL;
    }

    i = im_sub_index_hash(session, topic) & (size - 1);

    while (table[i] != IM_SLAB_NONE) {
        sub = im_sub_index_sub(logs, table[i]);

        if (sub->session == session && sub->log->topic == topic) {
            return &table[i];
        }

        i = (i + 1) & (size - 1);
    }

    return NULL;
}


static void
im_sub_index_put(uint32_t *table, size_t size, const im_sub_t *sub)
{
    size_t  i;

    i = im_sub_index_hash(sub->session, sub->log->topic) & (size - 1);

    while (table[i] != IM_SLAB_NONE) {
        i = (i + 1) & (size - 1);
    }

    table[i] = sub->index;
}


/* One behind it moves up, unless that is before the cell where it belongs. */
static void
im_sub_index_clear(uint32_t *table, size_t size, const im_logs_t *logs,
    size_t i)
{
    size_t     j, home;
    im_sub_t  *sub;

    for (j = (i + 1) & (size - 1); table[j] != IM_SLAB_NONE;
         j = (j + 1) & (size - 1))
    {
        sub = im_sub_index_sub(logs, table[j]);
        home = im_sub_index_hash(sub->session, sub->log->topic);

        if (((j - home) & (size - 1)) >= ((j - i) & (size - 1))) {
            table[i] = table[j];
            i = j;
        }
    }

    table[i] = IM_SLAB_NONE;
}


/* Each cell of old is done once it is empty. */
static void
im_sub_index_move(im_sub_index_t *x, const im_logs_t *logs)
{
    im_uint_t  i;

    for (i = 0; x->old != NULL && i < IM_SUB_INDEX_MOVE; i++) {

        if (x->old[x->moved] != IM_SLAB_NONE) {
            im_sub_index_put(x->table, x->size,
                             im_sub_index_sub(logs, x->old[x->moved]));
            im_sub_index_clear(x->old, x->old_size, logs, x->moved);

        } else if (++x->moved == x->old_size) {
            im_free(x->old);
            x->old = NULL;
        }
    }
}


static im_int_t
im_sub_index_grow(im_sub_index_t *x)
{
    size_t     size;
    uint32_t  *table;

    size = x->size > 0 ? x->size * 2 : IM_SUB_INDEX_SIZE;

    table = im_alloc(size * sizeof(uint32_t));
    if (table == NULL) {
        return IM_ERROR;
    }

    memset(table, 0xff, size * sizeof(uint32_t));

    x->old = x->table;
    x->old_size = x->size;
    x->moved = 0;
    x->table = table;
    x->size = size;

    return IM_OK;
}


im_int_t
im_sub_index_add(im_sub_index_t *x, const im_logs_t *logs, const im_sub_t *sub)
{
    im_sub_index_move(x, logs);

    if (x->count >= x->size / 4 * 3 && x->old == NULL
        && im_sub_index_grow(x) != IM_OK && x->count + 1 >= x->size)
    {
        return IM_ERROR;
    }

    im_sub_index_put(x->table, x->size, sub);
    x->count++;

    return IM_OK;
}


void
im_sub_index_remove(im_sub_index_t *x, const im_logs_t *logs,
    const im_sub_t *sub)
{
    size_t             size;
    uint32_t          *table, *cell;
    const im_topic_t  *topic;

    topic = sub->log->topic;
    table = x->table;
    size = x->size;

    cell = im_sub_index_cell(table, size, logs, sub->session, topic);

    if (cell == NULL) {
        table = x->old;
        size = x->old_size;

        cell = im_sub_index_cell(table, size, logs, sub->session, topic);
    }

    im_sub_index_clear(table, size, logs, cell - table);
    x->count--;

    im_sub_index_move(x, logs);
}


im_sub_t *
im_sub_index_find(const im_sub_index_t *x, const im_logs_t *logs,
    uint32_t session, const im_topic_t *topic)
{
    uint32_t  *cell;

    cell = im_sub_index_cell(x->table, x->size, logs, session, topic);

    if (cell == NULL) {
        cell = im_sub_index_cell(x->old, x->old_size, logs, session, topic);
    }

    return cell != NULL ? im_sub_index_sub(logs, *cell) : NULL;
}


void
im_sub_index_cleanup(im_sub_index_t *x)
{
    im_free(x->old);
    im_free(x->table);

    memset(x, 0, sizeof(im_sub_index_t));
}
