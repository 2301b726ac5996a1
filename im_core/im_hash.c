/*
 * Copyright (C) The im authors
 *
 * The hash table.  While it grows, a name belongs into its bucket of the old
 * table until that bucket has been moved, then into the new table.
 */

#include <endian.h>

#include "im_hash.h"


#define IM_HASH_SIZE  16      /* initially */
#define IM_HASH_MOVE  4       /* buckets of the old table a call moves */


im_int_t
im_hash_init(im_hash_t *h, im_hash_name_pt name, const uint64_t seed[2])
{
    memset(h, 0, sizeof(im_hash_t));

    h->table = im_calloc(IM_HASH_SIZE * sizeof(im_hash_node_t *));
    if (h->table == NULL) {
        return IM_ERROR;
    }

    h->size = IM_HASH_SIZE;
    h->seed[0] = seed[0];
    h->seed[1] = seed[1];
    h->name = name;

    return IM_OK;
}


void
im_hash_cleanup(im_hash_t *h)
{
    im_free(h->old);
    im_free(h->table);

    memset(h, 0, sizeof(im_hash_t));
}


static void
im_hash_insert(im_hash_node_t **bucket, im_hash_node_t *node)
{
    node->next = *bucket;
    *bucket = node;
}


static im_hash_node_t **
im_hash_bucket(im_hash_t *h, uint64_t hash)
{
    size_t  n;

    n = hash & (h->old_size - 1);

    if (h->old != NULL && n >= h->moved) {
        return &h->old[n];
    }

    return &h->table[hash & (h->size - 1)];
}


/* A node has no hash: it takes less memory, and few move or leave. */
static uint64_t
im_hash_of(const im_hash_t *h, const im_hash_node_t *node)
{
    im_str_t  name;

    name = h->name(node);

    return im_siphash(h->seed, name.data, name.len);
}


static void
im_hash_move(im_hash_t *h)
{
    im_uint_t        i;
    im_hash_node_t  *node, *next;

    if (h->old == NULL) {
        return;
    }

    for (i = 0; i < IM_HASH_MOVE && h->moved < h->old_size; i++) {
        node = h->old[h->moved];
        h->old[h->moved++] = NULL;

        for ( /* void */ ; node != NULL; node = next) {
            next = node->next;
            im_hash_insert(im_hash_bucket(h, im_hash_of(h, node)), node);
        }
    }

    if (h->moved == h->old_size) {
        im_free(h->old);

        h->old = NULL;
        h->old_size = 0;
        h->moved = 0;
    }
}


im_hash_node_t *
im_hash_find(im_hash_t *h, im_str_t name)
{
    uint64_t         hash;
    im_hash_node_t  *node;

    im_hash_move(h);

    hash = im_siphash(h->seed, name.data, name.len);

    for (node = *im_hash_bucket(h, hash); node != NULL; node = node->next) {
        if (im_str_eq(h->name(node), name)) {
            return node;
        }
    }

    return NULL;
}


void
im_hash_add(im_hash_t *h, im_hash_node_t *node)
{
    im_hash_node_t  **table;

    im_hash_move(h);

    if (h->count >= h->size && h->old == NULL
        && h->size <= SIZE_MAX / 2 / sizeof(im_hash_node_t *))
    {
        table = im_calloc(h->size * 2 * sizeof(im_hash_node_t *));

        if (table != NULL) {
            h->old = h->table;
            h->old_size = h->size;
            h->table = table;
            h->size *= 2;
        }
    }

    im_hash_insert(im_hash_bucket(h, im_hash_of(h, node)), node);
    h->count++;
}


void
im_hash_remove(im_hash_t *h, im_hash_node_t *node)
{
    im_hash_node_t  **link;

    im_hash_move(h);

    for (link = im_hash_bucket(h, im_hash_of(h, node)); *link != NULL;
         link = &(*link)->next)
    {
        if (*link == node) {
            *link = node->next;
            node->next = NULL;
            h->count--;
            return;
        }
    }
}


static im_int_t
im_hash_each_in(im_hash_node_t **table, size_t size,
    im_int_t (*fn)(im_hash_node_t *node, void *data), void *data)
{
    size_t           i;
    im_int_t         rc;
    im_hash_node_t  *node, *next;

    for (i = 0; i < size; i++) {
        for (node = table[i]; node != NULL; node = next) {
            next = node->next;

            rc = fn(node, data);
            if (rc != IM_OK) {
                return rc;
            }
        }
    }

    return IM_OK;
}


im_int_t
im_hash_each(im_hash_t *h, im_int_t (*fn)(im_hash_node_t *node, void *data),
    void *data)
{
    im_int_t  rc;

    rc = im_hash_each_in(h->table, h->size, fn, data);

    return rc == IM_OK ? im_hash_each_in(h->old, h->old_size, fn, data) : rc;
}


static inline uint64_t
im_siphash_rotate(uint64_t n, unsigned bits)
{
    return (n << bits) | (n >> (64 - bits));
}


static inline void
im_siphash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = im_siphash_rotate(v[1], 13) ^ v[0];
    v[3] = im_siphash_rotate(v[3], 16) ^ v[2];
    v[0] = im_siphash_rotate(v[0], 32);

    v[2] += v[1];
    v[0] += v[3];
    v[1] = im_siphash_rotate(v[1], 17) ^ v[2];
    v[3] = im_siphash_rotate(v[3], 21) ^ v[0];
    v[2] = im_siphash_rotate(v[2], 32);
}


static inline void
im_siphash_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;

    im_siphash_round(v);
    im_siphash_round(v);

    v[0] ^= word;
}


uint64_t
im_siphash(const uint64_t seed[2], const void *data, size_t len)
{
    size_t         i, n;
    uint64_t       v[4], word;
    const u_char  *p;

    v[0] = seed[0] ^ 0x736f6d6570736575;
    v[1] = seed[1] ^ 0x646f72616e646f6d;
    v[2] = seed[0] ^ 0x6c7967656e657261;
    v[3] = seed[1] ^ 0x7465646279746573;

    p = data;

    for (n = len; n >= 8; n -= 8) {
        memcpy(&word, p, 8);
        im_siphash_word(v, le64toh(word));
        p += 8;
    }

    word = (uint64_t) len << 56;

    for (i = 0; i < n; i++) {
        word |= (uint64_t) p[i] << (8 * i);
    }

    im_siphash_word(v, word);

    v[2] ^= 0xff;

    for (i = 0; i < 4; i++) {
        im_siphash_round(v);
    }

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
