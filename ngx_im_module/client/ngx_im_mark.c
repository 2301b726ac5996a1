/*
 * Copyright (C) The im authors
 *
 * The positions of a session, in the order of its request: the rooms of
 * im_join, the inbox, the broadcast.
 */

#include "ngx_im_mark.h"
#include "im_follow.h"


static im_sub_t *
ngx_im_mark_sub(ngx_im_session_t *s, const im_resume_t *resume)
{
    im_sub_t  *sub;

    if (resume->join) {
        return ngx_im_session_find_sub(s, resume->topic);
    }

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (sub->log->topic->name[0] == resume->topic.data[0]) {
            break;
        }
    }

    return sub;
}


/* One that has not begun is where the client said. */
static void
ngx_im_mark_position(im_sub_t *sub, im_subscribed_t *at)
{
    im_topic_t     *topic;
    ngx_im_join_t  *join;

    if (sub == NULL) {
        return;
    }

    join = ngx_im_sub_joining(sub);
    topic = sub->log->topic;

    if (im_sub_state(sub) != IM_SUB_JOINING) {
        if (im_followed(topic)->numbered) {
            at->positioned = 1;
            at->at.epoch = im_str_set(topic->epoch.data, topic->epoch.len);
            at->at.seq = topic->seq;
        }

    } else if (join != NULL && join->recover) {
        at->positioned = 1;
        at->at.epoch = im_str_set(join->epoch.data, join->epoch.len);
        at->at.seq = join->seq;
    }
}


/* The log ends before the last message of the topic: the session ends. */
static ngx_uint_t
ngx_im_mark_behind(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (im_sub_state(sub) != IM_SUB_JOINING && im_sub_behind(sub) > 0) {
            return 1;
        }
    }

    return 0;
}


void
ngx_im_mark_encode(ngx_im_session_t *s, im_buf_t *b)
{
    ngx_uint_t        i, n;
    im_reply_t        reply;
    im_resume_t       own[2];
    ngx_im_ext_t     *ext;
    im_subscribed_t  *at;

    ext = s->ext;
    ext->mark = NGX_IM_MARK_SENT;

    if (ngx_im_mark_behind(s)) {
        return;
    }

    for (n = 0; n < ext->nresumes && ext->resumes[n].join; n++) { /* void */ }

    at = im_calloc((n + 2) * sizeof(im_subscribed_t));
    if (at == NULL) {
        b->failed = 1;
        return;
    }

    ngx_memzero(own, sizeof(own));
    own[0].topic = im_str_z("u");
    own[1].topic = im_str_z("b");

    for (i = 0; i < n + 2; i++) {
        ngx_im_mark_position(ngx_im_mark_sub(s, i < n ? &ext->resumes[i]
                                                      : &own[i - n]),
                             &at[i]);
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = IM_REPLY_POSITIONS;
    reply.subs = at;
    reply.nsubs = n + 2;

    s->class->proto->reply(b, s->class->transport, &reply);

    im_free(at);
}
