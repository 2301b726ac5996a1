/*
 * Copyright (C) The im authors
 *
 * A set is found by its operations, sorted: they are its name in the hash.
 */

#include <stdlib.h>

#include "im_accept.h"
#include "im_list.h"


#define IM_ACCEPT_FIRST  16


struct im_accept_set_s {
    im_hash_node_t  node;
    uint32_t        refs;
    uint16_t        id;
    uint16_t        n;
    int32_t         ops[1];      /* n of them, the smallest first */
};


static im_str_t
im_accept_name(const im_hash_node_t *node)
{
    im_accept_set_t  *set;

    set = im_list_data(node, im_accept_set_t, node);

    return im_str_set(set->ops, set->n * sizeof(int32_t));
}


im_int_t
im_accepts_init(im_accepts_t *accepts, const uint64_t seed[2])
{
    memset(accepts, 0, sizeof(im_accepts_t));

    return im_hash_init(&accepts->names, im_accept_name, seed);
}


void
im_accepts_cleanup(im_accepts_t *accepts)
{
    uint32_t  i;

    for (i = 0; i < accepts->size; i++) {
        im_free(accepts->sets[i]);
    }

    im_free(accepts->sets);
    im_hash_cleanup(&accepts->names);

    memset(accepts, 0, sizeof(im_accepts_t));
}


/* The lowest number that is free; 0: there is none. */
static uint16_t
im_accept_number(im_accepts_t *accepts)
{
    uint32_t           id, size;
    im_accept_set_t  **sets;

    if (accepts->n == IM_ACCEPT_SETS) {
        return 0;
    }

    for (id = 1; id < accepts->size; id++) {
        if (accepts->sets[id] == NULL) {
            return (uint16_t) id;
        }
    }

    size = im_max(2 * accepts->size, IM_ACCEPT_FIRST);

    sets = im_realloc(accepts->sets, size * sizeof(im_accept_set_t *));
    if (sets == NULL) {
        return 0;
    }

    memset(sets + accepts->size, 0,
           (size - accepts->size) * sizeof(im_accept_set_t *));

    id = im_max(accepts->size, 1);

    accepts->sets = sets;
    accepts->size = size;

    return (uint16_t) id;
}


static uint16_t
im_accept_intern(im_accepts_t *accepts, const int32_t *ops, im_uint_t n)
{
    size_t            len;
    uint16_t          id;
    im_hash_node_t   *node;
    im_accept_set_t  *set;

    len = n * sizeof(int32_t);
    node = im_hash_find(&accepts->names, im_str_set(ops, len));

    if (node != NULL) {
        set = im_list_data(node, im_accept_set_t, node);
        set->refs++;

        return set->id;
    }

    id = im_accept_number(accepts);

    if (id == 0) {
        return 0;
    }

    set = im_alloc(sizeof(im_accept_set_t) + len);
    if (set == NULL) {
        return 0;
    }

    set->refs = 1;
    set->id = id;
    set->n = (uint16_t) n;
    im_copy(set->ops, ops, len);

    accepts->sets[id] = set;
    accepts->n++;

    im_hash_add(&accepts->names, &set->node);

    return id;
}


static int
im_accept_compare(const void *one, const void *two)
{
    int32_t  a, b;

    a = *(const int32_t *) one;
    b = *(const int32_t *) two;

    return (a > b) - (a < b);
}


static int
im_accept_find(const int32_t *ops, im_uint_t n, int32_t op)
{
    return n > 0
           && bsearch(&op, ops, n, sizeof(int32_t), im_accept_compare) != NULL;
}


/* Sorted, each one once; how many there are. */
static im_uint_t
im_accept_sort(int32_t *ops, im_uint_t n)
{
    im_uint_t  i, k;

    if (n == 0) {
        return 0;
    }

    qsort(ops, n, sizeof(int32_t), im_accept_compare);

    for (i = 1, k = 1; i < n; i++) {
        if (ops[i] != ops[k - 1]) {
            ops[k++] = ops[i];
        }
    }

    return k;
}


uint16_t
im_accepts_get(im_accepts_t *accepts, uint16_t id, const int32_t *ops,
    im_uint_t n, int add)
{
    int32_t                 given[IM_ACCEPT_OPS], all[2 * IM_ACCEPT_OPS];
    im_uint_t               i, k;
    const im_accept_set_t  *set;

    if (n > IM_ACCEPT_OPS) {
        return 0;
    }

    im_copy(given, ops, n * sizeof(int32_t));
    n = im_accept_sort(given, n);

    set = id == 0 ? NULL : accepts->sets[id];
    k = 0;

    for (i = 0; set != NULL && i < set->n; i++) {
        if (add || !im_accept_find(given, n, set->ops[i])) {
            all[k++] = set->ops[i];
        }
    }

    if (add) {
        im_copy(all + k, given, n * sizeof(int32_t));
        k = im_accept_sort(all, k + n);
    }

    return k > IM_ACCEPT_OPS ? 0 : im_accept_intern(accepts, all, k);
}


void
im_accepts_unref(im_accepts_t *accepts, uint16_t id)
{
    im_accept_set_t  *set;

    if (id == 0) {
        return;
    }

    set = accepts->sets[id];

    if (--set->refs > 0) {
        return;
    }

    im_hash_remove(&accepts->names, &set->node);

    accepts->sets[id] = NULL;
    accepts->n--;

    im_free(set);
}


const int32_t *
im_accepts_ops(const im_accepts_t *accepts, uint16_t id, im_uint_t *n)
{
    im_accept_set_t  *set;

    set = accepts->sets[id];
    *n = set->n;

    return set->ops;
}


int
im_accepts_has(const im_accepts_t *accepts, uint16_t id, int32_t op)
{
    const im_accept_set_t  *set;

    set = accepts->sets[id];

    return im_accept_find(set->ops, set->n, op);
}
