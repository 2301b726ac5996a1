/*
 * Copyright (C) The im authors
 *
 * Topics of the worker that ends.  The other worker follows those that this one
 * names, and says from where on it has their messages.  Meanwhile this one
 * holds what it would tell Redis of them.
 */

#include "ngx_im_out_topics.h"


/* A topic that is named.  It stays in the hub while it is held. */
struct ngx_im_out_topic_s {
    im_hash_node_t      node;            /* in out->topics */
    im_topic_t         *topic;
    im_handover_ready_t ready;           /* of the other worker */
    unsigned            is_ready:1;
};


static im_str_t
ngx_im_out_topic_name(const im_hash_node_t *node)
{
    return im_topic_name(im_list_data(node, ngx_im_out_topic_t, node)->topic);
}


ngx_int_t
ngx_im_out_topics_init(ngx_im_handover_out_t *out)
{
    uint64_t  seed[2];

    ngx_im_random((u_char *) seed);

    im_buf_init(&out->names, IM_HANDOVER_MAX);

    return im_hash_init(&out->topics, ngx_im_out_topic_name, seed) == IM_OK
           ? NGX_OK : NGX_ERROR;
}


/* NULL: it isn't named. */
static ngx_im_out_topic_t *
ngx_im_out_topic(ngx_im_handover_out_t *out, im_topic_t *topic)
{
    im_hash_node_t  *node;

    node = im_hash_find(&out->topics, im_topic_name(topic));

    return node != NULL ? im_list_data(node, ngx_im_out_topic_t, node) : NULL;
}


uint32_t
ngx_im_out_number(im_topic_t *topic, void *data)
{
    return ngx_im_out_topic(data, topic)->ready.number;
}


static ngx_int_t
ngx_im_out_room(ngx_im_handover_out_t *out)
{
    ngx_uint_t            size;
    ngx_im_out_topic_t  **numbers;

    if (out->ntopics < out->size) {
        return NGX_OK;
    }

    size = ngx_max(out->size * 2, 64);
    numbers = im_realloc(out->numbers, size * sizeof(ngx_im_out_topic_t *));

    if (numbers == NULL) {
        return NGX_ERROR;
    }

    out->numbers = numbers;
    out->size = size;

    return NGX_OK;
}


void
ngx_im_out_names_send(ngx_im_handover_out_t *out)
{
    if (out->names.len > 0) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_TOPICS, &out->names,
                            NULL, 0, 0);
    }
}


/* The other worker is to follow it.  Without memory its sessions stay. */
static void
ngx_im_out_name(ngx_im_handover_out_t *out, im_topic_t *topic)
{
    ngx_im_out_topic_t   *t;
    im_handover_topic_t   name;

    if (ngx_im_out_room(out) != NGX_OK) {
        return;
    }

    t = im_calloc(sizeof(ngx_im_out_topic_t));
    if (t == NULL) {
        return;
    }

    (void) im_follow_hold(topic);

    t->topic = topic;
    t->ready.number = (uint32_t) out->ntopics;

    out->numbers[out->ntopics++] = t;
    im_hash_add(&out->topics, &t->node);

    ngx_memzero(&name, sizeof(im_handover_topic_t));

    name.number = t->ready.number;
    name.name = im_topic_name(topic);

    im_handover_topic_encode(&out->names, &name);

    if (out->names.len >= NGX_IM_OUT_BODY) {
        ngx_im_out_names_send(out);
    }
}


static im_int_t
ngx_im_out_each_topic(im_topic_t *topic, void *data)
{
    ngx_im_out_name(data, topic);

    return IM_OK;
}


void
ngx_im_out_name_all(ngx_im_handover_out_t *out)
{
    (void) im_hub_each_topic(&out->worker->hub, ngx_im_out_each_topic, out);
}


static ngx_uint_t
ngx_im_out_epoch(im_topic_t *topic, im_epoch_t *epoch)
{
    return topic->epoch.len == epoch->len
           && ngx_memcmp(topic->epoch.data, epoch->data, epoch->len) == 0;
}


im_int_t
ngx_im_out_topics_ready(ngx_im_handover_out_t *out, im_str_t body)
{
    im_int_t             rc;
    im_reader_t          r;
    ngx_im_out_topic_t  *t;
    im_handover_ready_t  ready;

    im_reader_init(&r, body);

    while ((rc = im_handover_ready_decode(&r, &ready)) == IM_OK) {

        if (ready.number >= out->ntopics) {
            return IM_ERROR;
        }

        t = out->numbers[ready.number];
        t->ready = ready;
        t->is_ready = 1;

        /* Redis has lost what it knew of it, and this worker doesn't know */

        if (!ngx_im_out_epoch(t->topic, &ready.epoch)) {
            (void) im_follow_ask(t->topic);
        }
    }

    return rc;
}


/*
 * Redis knows all that has happened here.  A session that has left a room may
 * join it again at the other worker, and others hear of it in this order.
 */
static ngx_uint_t
ngx_im_out_reported(ngx_im_handover_out_t *out)
{
    ngx_uint_t  i;

    for (i = 0; i < out->ntopics; i++) {
        if (im_follow_hold(out->numbers[i]->topic) != IM_OK) {
            return 0;
        }
    }

    return im_follow_left(out->worker->follow);
}


ngx_uint_t
ngx_im_out_ready(ngx_im_handover_out_t *out, ngx_im_session_t *s)
{
    im_sub_t            *sub;
    ngx_uint_t           ready;
    im_topic_t          *topic;
    ngx_im_out_topic_t  *t;

    ready = 1;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        topic = sub->log->topic;
        t = ngx_im_out_topic(out, topic);

        if (t == NULL) {
            ngx_im_out_name(out, topic);
            ready = 0;

        } else if (!t->is_ready) {
            return 0;

        } else if (im_follow_hold(topic) != IM_OK
                   || topic->seq < t->ready.seq
                   || im_follow_mark(topic) < t->ready.mark
                   || !ngx_im_out_epoch(topic, &t->ready.epoch))
        {
            ready = 0;
        }
    }

    if (ready && s->left) {
        ready = ngx_im_out_reported(out);
        s->left = !ready;
    }

    return ready;
}


ngx_uint_t
ngx_im_out_frozen(ngx_im_handover_out_t *out)
{
    ngx_uint_t  i, frozen;

    frozen = 1;

    for (i = 0; i < out->ntopics; i++) {
        if (im_follow_freeze(out->numbers[i]->topic) != IM_OK) {
            frozen = 0;
        }
    }

    return frozen;
}


void
ngx_im_out_release(ngx_im_handover_out_t *out, int moved)
{
    ngx_uint_t           i;
    im_topic_t          *topic;
    ngx_im_out_topic_t  *t;

    if (out->lend != NULL) {
        im_follow_pass(out->worker->follow, out->fence);
        ngx_im_lease_repaid(out->lend);
    }

    for (i = 0; i < out->ntopics; i++) {
        t = out->numbers[i];
        topic = t->topic;

        im_hash_remove(&out->topics, &t->node);
        im_free(t);

        im_follow_release(out->worker->follow, topic, moved);
    }

    out->ntopics = 0;

    im_buf_reset(&out->names, 0);
}
