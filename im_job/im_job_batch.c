/*
 * Copyright (C) The im authors
 *
 * The targets of a batch, in the order of their first entries.
 */

#include "im_job_batch.h"


/* What one worker, or all of them, get of a batch. */
typedef struct {
    im_hash_node_t  node;
    im_list_t       link;
    im_buf_t        bytes;
    uint16_t        p;            /* of the first entry */
    im_str_t        worker;       /* "" all; behind the struct */
} im_job_target_t;


static im_int_t im_job_batch_one(im_job_batch_t *b, uint16_t p,
    im_str_t worker, const im_entry_t *e, im_job_publish_pt publish,
    void *data);
static im_job_target_t *im_job_batch_target(im_job_batch_t *b, uint16_t p,
    im_str_t worker);
static im_str_t im_job_batch_name(const im_hash_node_t *node);


im_int_t
im_job_batch_init(im_job_batch_t *b, const uint64_t seed[2])
{
    b->n = 0;
    im_list_init(&b->order);

    return im_hash_init(&b->targets, im_job_batch_name, seed);
}


static im_str_t
im_job_batch_name(const im_hash_node_t *node)
{
    return im_list_data(node, im_job_target_t, node)->worker;
}


void
im_job_batch_cleanup(im_job_batch_t *b)
{
    im_job_batch_flush(b, NULL, NULL);
    im_hash_cleanup(&b->targets);
}


im_int_t
im_job_batch_add(im_job_batch_t *b, uint16_t p, im_str_t workers,
    const im_entry_t *e, im_job_publish_pt publish, void *data)
{
    u_char    *name, *end, *last;
    im_str_t   all = im_str("");

    if (e->topic.len == 1
        || (workers.len == 1 && workers.data[0] == '*'))
    {
        return im_job_batch_one(b, p, all, e, publish, data);
    }

    name = workers.data;
    end = workers.data + workers.len;

    while (name < end) {
        last = memchr(name, ' ', end - name);

        if (last == NULL) {
            last = end;
        }

        if (last > name
            && im_job_batch_one(b, p, im_str_set(name, last - name), e,
                                publish, data)
               != IM_OK)
        {
            return IM_ERROR;
        }

        name = last + 1;
    }

    return IM_OK;
}


static im_int_t
im_job_batch_one(im_job_batch_t *b, uint16_t p, im_str_t worker,
    const im_entry_t *e, im_job_publish_pt publish, void *data)
{
    im_job_target_t  *t;

    t = im_job_batch_target(b, p, worker);
    if (t == NULL) {
        return IM_ERROR;
    }

    if (t->bytes.len > 0
        && t->bytes.len + e->envelope.len + e->topic.len > IM_PUSH_MAX_BATCH)
    {
        publish(data, t->p, t->worker, im_buf_str(&t->bytes));
        im_buf_reset(&t->bytes, IM_PUSH_MAX_BATCH);
    }

    im_entry_encode(&t->bytes, e);

    return t->bytes.failed ? IM_ERROR : IM_OK;
}


static im_job_target_t *
im_job_batch_target(im_job_batch_t *b, uint16_t p, im_str_t worker)
{
    im_hash_node_t   *node;
    im_job_target_t  *t;

    node = im_hash_find(&b->targets, worker);

    if (node != NULL) {
        return im_list_data(node, im_job_target_t, node);
    }

    t = im_calloc(sizeof(im_job_target_t) + worker.len);
    if (t == NULL) {
        return NULL;
    }

    t->p = p;
    t->worker = im_str_set(t + 1, worker.len);
    memcpy(t->worker.data, worker.data, worker.len);

    im_buf_init(&t->bytes, 2 * (IM_PUSH_MAX_DATA + IM_PUSH_MAX_BATCH));

    t->node.hash = 0;
    im_hash_add(&b->targets, &t->node);
    im_list_insert_tail(&b->order, &t->link);
    b->n++;

    return t;
}


/* Workers come and go: a target lives as long as its batch. */
void
im_job_batch_flush(im_job_batch_t *b, im_job_publish_pt publish, void *data)
{
    im_list_t        *q;
    im_job_target_t  *t;

    while (!im_list_empty(&b->order)) {
        q = im_list_first(&b->order);
        im_list_remove(q);

        t = im_list_data(q, im_job_target_t, link);

        if (t->bytes.len > 0 && publish != NULL) {
            publish(data, t->p, t->worker, im_buf_str(&t->bytes));
        }

        im_hash_remove(&b->targets, &t->node);
        im_buf_cleanup(&t->bytes);
        im_free(t);
    }

    b->n = 0;
}
