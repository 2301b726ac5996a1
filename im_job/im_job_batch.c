/*
 * Copyright (C) The im authors
 *
 * The targets of a batch, in the order of their first entries.
 */

#include "im_job_batch.h"
#include "im_job_entry.h"


/* One PUBLISH to be.  One that is long enough is not in the hash any more. */
typedef struct {
    im_hash_node_t  node;
    im_list_t       link;
    im_buf_t        bytes;
    int             full;
    uint16_t        p;            /* of the first entry */
    im_str_t        worker;       /* "" all; behind the struct */
} im_job_target_t;


static im_str_t
im_job_batch_name(const im_hash_node_t *node)
{
    return im_list_data(node, im_job_target_t, node)->worker;
}


im_int_t
im_job_batch_init(im_job_batch_t *b, const uint64_t seed[2])
{
    b->n = 0;
    b->out = 0;
    im_list_init(&b->order);

    return im_hash_init(&b->targets, im_job_batch_name, seed);
}


void
im_job_batch_cleanup(im_job_batch_t *b)
{
    im_job_batch_clear(b);
    im_hash_cleanup(&b->targets);
}


static void
im_job_batch_remove(im_job_batch_t *b, im_job_target_t *t)
{
    if (!t->full) {
        im_hash_remove(&b->targets, &t->node);
    }

    im_list_remove(&t->link);
    im_buf_cleanup(&t->bytes);
    im_free(t);
    b->n--;
}


void
im_job_batch_clear(im_job_batch_t *b)
{
    while (!im_list_empty(&b->order)) {
        im_job_batch_remove(b, im_list_data(im_list_first(&b->order),
                                            im_job_target_t, link));
    }
}


static im_int_t
im_job_batch_one(im_job_batch_t *b, uint16_t p, im_str_t worker,
    const im_entry_t *e)
{
    im_hash_node_t   *node;
    im_job_target_t  *t;

    node = im_hash_find(&b->targets, worker);
    t = node != NULL ? im_list_data(node, im_job_target_t, node) : NULL;

    if (t != NULL && t->bytes.len + e->envelope.len + e->topic.len
                     > IM_PUSH_MAX_BATCH)
    {
        t->full = 1;
        im_hash_remove(&b->targets, node);
        t = NULL;
    }

    if (t == NULL) {
        t = im_calloc(sizeof(im_job_target_t) + worker.len);
        if (t == NULL) {
            return IM_ERROR;
        }

        t->p = p;
        t->worker = im_str_set(t + 1, worker.len);
        im_copy(t->worker.data, worker.data, worker.len);

        im_buf_init(&t->bytes, 2 * (IM_PUSH_MAX_DATA + IM_PUSH_MAX_BATCH));

        im_hash_add(&b->targets, &t->node);
        im_list_insert_tail(&b->order, &t->link);
        b->n++;
    }

    im_entry_encode(&t->bytes, e);

    return t->bytes.failed ? IM_ERROR : IM_OK;
}


im_int_t
im_job_batch_add(im_job_batch_t *b, uint16_t p, im_str_t workers,
    const im_entry_t *e)
{
    im_str_t  worker;

    if (e->topic.len == 1 || (workers.len == 1 && workers.data[0] == '*')) {
        return im_job_batch_one(b, p, im_str_z(""), e);
    }

    for ( ;; ) {
        worker = im_job_name_next(&workers);

        if (worker.len == 0) {
            return IM_OK;
        }

        if (im_job_batch_one(b, p, worker, e) != IM_OK) {
            return IM_ERROR;
        }
    }
}


im_int_t
im_job_batch_flush(im_job_batch_t *b, im_job_publish_pt publish, void *data)
{
    im_int_t          rc;
    im_job_target_t  *t;

    while (!im_list_empty(&b->order)) {
        t = im_list_data(im_list_first(&b->order), im_job_target_t, link);

        rc = publish(data, t->p, t->worker, im_buf_str(&t->bytes));
        if (rc != IM_OK) {
            return rc;
        }

        im_job_batch_remove(b, t);
    }

    return IM_OK;
}
