/*
 * Copyright (C) The im authors
 *
 * Topics that a worker that ends has named.  They are pinned, so that no
 * message of them is missed.
 */

#include "ngx_im_in_topics.h"
#include "ngx_im_info.h"


#define NGX_IM_IN_TOPICS    4096     /* that are looked at, at a time */


/* The topic has a position. */
static ngx_uint_t
ngx_im_in_is_ready(ngx_im_in_t *from, uint32_t number,
    im_handover_ready_t *ready)
{
    im_topic_t  *topic;

    topic = from->topics[number];

    ready->number = number;
    ready->epoch = topic->epoch;

    return im_follow_ready(topic) == IM_OK
           && im_follow_kept(topic, &ready->seq, &ready->mark) == IM_OK;
}


void
ngx_im_in_ready(ngx_im_in_t *from)
{
    im_buf_t             b;
    uint32_t            *unready;
    ngx_uint_t           n;
    im_handover_ready_t  ready;

    unready = from->unready;
    n = ngx_im_in_leased(from->in->worker)
        ? ngx_min(from->nunready, NGX_IM_IN_TOPICS) : 0;

    im_buf_init(&b, IM_HANDOVER_MAX);

    for ( /* void */ ; n > 0; n--) {

        if (from->at >= from->nunready) {
            from->at = 0;
        }

        if (!ngx_im_in_is_ready(from, unready[from->at], &ready)) {
            from->at++;
            continue;
        }

        unready[from->at] = unready[--from->nunready];
        im_handover_ready_encode(&b, &ready);
    }

    if (b.len > 0) {
        ngx_im_channel_send(from->channel, IM_HANDOVER_READY, &b, NULL, 0, 0);
    }

    if (from->nunready > 0) {
        ngx_im_in_look(from->in);
    }

    im_buf_cleanup(&b);
}


/* NGX_ERROR: no memory, or there is no Redis here. */
static ngx_int_t
ngx_im_in_topic(ngx_im_in_t *from, const im_handover_topic_t *name)
{
    ngx_uint_t        room;
    im_topic_t       *topic;
    ngx_im_worker_t  *w;

    w = from->in->worker;
    room = from->size;

    if (w->follow == NULL
        || ngx_im_in_room(&from->unready, &room, from->ntopics,
                          sizeof(uint32_t)) != NGX_OK
        || ngx_im_in_room(&from->topics, &from->size, from->ntopics,
                          sizeof(im_topic_t *)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    topic = im_follow_pin(w->follow, name->name);
    if (topic == NULL) {
        return NGX_ERROR;
    }

    from->unready[from->nunready++] = (uint32_t) from->ntopics;
    from->topics[from->ntopics++] = topic;

    return NGX_OK;
}


const char *
ngx_im_in_topics(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    im_int_t             rc;
    im_reader_t          r;
    im_handover_topic_t  name;

    im_reader_init(&r, body->bytes);

    while ((rc = im_handover_topic_decode(&r, &name)) == IM_OK) {

        if (name.number != from->ntopics) {
            rc = IM_ERROR;
            break;
        }

        if (ngx_im_in_topic(from, &name) != NGX_OK) {
            return "has no place here";
        }
    }

    if (rc == IM_ERROR) {
        return "is malformed";
    }

    ngx_im_in_ready(from);

    return NULL;
}


void
ngx_im_in_infos(ngx_im_in_t *from)
{
    ngx_uint_t  i;

    for (i = 0; i < from->ntopics; i++) {
        ngx_im_info_look(from->topics[i]);
    }
}


void
ngx_im_in_topics_unpin(ngx_im_in_t *from)
{
    ngx_uint_t  i;

    for (i = 0; i < from->ntopics; i++) {
        im_follow_unpin(from->in->worker->follow, from->topics[i]);
    }
}
