/*
 * Copyright (C) The im authors
 *
 * Which list of users each follower of a room has got, as a hash.
 *
 * Most have the same one.  Others are those that have just come, here or from
 * another worker, until all get the next list.
 */

#include "ngx_im_heard.h"
#include "ngx_im_send.h"


static ngx_uint_t
ngx_im_heard_n(const ngx_im_topic_t *t)
{
    return t->heard.len / sizeof(ngx_im_heard_t);
}


static ngx_im_heard_t *
ngx_im_heard_find(const ngx_im_topic_t *t, ngx_im_session_t *s)
{
    ngx_uint_t        i;
    ngx_im_handle_t   handle;
    ngx_im_heard_t   *other;

    other = (ngx_im_heard_t *) t->heard.data;
    handle = ngx_im_session_handle(s);

    for (i = 0; i < ngx_im_heard_n(t); i++) {
        if (other[i].session == handle) {
            return &other[i];
        }
    }

    return NULL;
}


uint64_t
ngx_im_heard(const ngx_im_topic_t *t, ngx_im_session_t *s)
{
    const ngx_im_heard_t  *other;

    if (t->mixed) {
        return 0;
    }

    other = ngx_im_heard_find(t, s);

    return other != NULL ? other->hash : t->info_hash;
}


/* The last one takes its place. */
static void
ngx_im_heard_remove(ngx_im_topic_t *t, ngx_im_heard_t *other)
{
    t->heard.len -= sizeof(ngx_im_heard_t);

    *other = *(ngx_im_heard_t *) (t->heard.data + t->heard.len);
}


void
ngx_im_heard_forget(ngx_im_topic_t *t, ngx_im_session_t *s)
{
    ngx_im_heard_t  *other;

    other = ngx_im_heard_find(t, s);

    if (other != NULL) {
        ngx_im_heard_remove(t, other);
    }
}


void
ngx_im_heard_set(ngx_im_topic_t *t, ngx_im_session_t *s, uint64_t hash)
{
    ngx_im_heard_t  other;

    if (t->mixed) {
        return;
    }

    ngx_im_heard_forget(t, s);

    if (hash != 0 && (t->info_hash == 0 || t->info_hash == hash)) {
        t->info_hash = hash;
        return;
    }

    other.session = ngx_im_session_handle(s);
    other.hash = hash;

    im_buf_add(&t->heard, &other, sizeof(ngx_im_heard_t));

    if (t->heard.failed) {
        im_buf_reset(&t->heard, 0);
        t->mixed = 1;
    }
}


void
ngx_im_heard_all(ngx_im_topic_t *t, uint64_t hash)
{
    im_buf_reset(&t->heard, 0);

    t->info_hash = hash;
    t->mixed = 0;
}


ngx_uint_t
ngx_im_heard_differs(const ngx_im_topic_t *t, uint64_t hash)
{
    return t->mixed || t->info_hash != hash;
}


/* NULL: it has not got all before that is in the log. */
static im_sub_t *
ngx_im_heard_sub(ngx_im_topic_t *t, const ngx_im_heard_t *other)
{
    ngx_im_session_t  *s;

    s = ngx_im_session_find(ngx_im_worker, other->session);

    return s != NULL ? ngx_im_send_sub(s, t->topic) : NULL;
}


void
ngx_im_heard_before(ngx_im_topic_t *t, uint64_t hash)
{
    ngx_uint_t       i;
    ngx_im_heard_t  *other;

    other = (ngx_im_heard_t *) t->heard.data;

    for (i = 0; i < ngx_im_heard_n(t); i++) {
        if (other[i].hash == hash && ngx_im_heard_sub(t, &other[i]) == NULL) {
            other[i].hash = 0;
        }
    }
}


void
ngx_im_heard_behind(ngx_im_topic_t *t, uint64_t hash)
{
    im_sub_t          *sub;
    ngx_uint_t         i;
    ngx_im_heard_t    *other;
    ngx_im_session_t  *s;

    other = (ngx_im_heard_t *) t->heard.data;

    for (i = 0; i < ngx_im_heard_n(t); i++) {

        if (other[i].hash != hash) {
            continue;
        }

        s = ngx_im_session_find(ngx_im_worker, other[i].session);
        sub = s != NULL
              ? ngx_im_session_find_sub(s, im_topic_name(t->topic)) : NULL;

        if (sub != NULL) {
            im_sub_advance(sub, im_sub_behind(sub));
        }
    }
}


/* One that is in flight may come back. */
ngx_im_session_t *
ngx_im_heard_next(ngx_im_topic_t *t, uint64_t hash, ngx_uint_t *index)
{
    ngx_uint_t         lacks;
    ngx_im_heard_t    *other;
    ngx_im_session_t  *s;

    while (*index < ngx_im_heard_n(t)) {
        other = (ngx_im_heard_t *) t->heard.data + *index;

        s = ngx_im_session_find(ngx_im_worker, other->session);
        lacks = s != NULL && other->hash != hash;

        if (lacks && s->phase == NGX_IM_MOVING) {
            (*index)++;
            continue;
        }

        ngx_im_heard_remove(t, other);

        if (lacks && s->phase == NGX_IM_OPEN) {
            return s;
        }
    }

    return NULL;
}
