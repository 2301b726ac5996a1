/*
 * Copyright (C) The im authors
 *
 * Where a client is in each of its topics, for protocols whose messages can't
 * say it.
 */

#ifndef NGX_IM_MARK_H
#define NGX_IM_MARK_H


#include "ngx_im_session.h"


/* Bytes of a mark, at most. */
#define NGX_IM_MARK_MAX  65536


/* n bytes of topics were sent. */
static inline void
ngx_im_mark_sent(ngx_im_session_t *s, size_t n)
{
    if (s->class->proto->ids && n > 0 && s->ext != NULL && s->ext->mark) {
        s->ext->mark = NGX_IM_MARK_DUE;
    }
}


/* All is sent: a mark is to follow. */
static inline ngx_uint_t
ngx_im_mark_due(const ngx_im_session_t *s)
{
    return s->class->proto->ids && s->ext != NULL
           && s->ext->mark == NGX_IM_MARK_DUE && !s->ext->connecting;
}


/* Appends it, or nothing. */
void ngx_im_mark_encode(ngx_im_session_t *s, im_buf_t *b);


#endif /* NGX_IM_MARK_H */
