/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that takes sessions: its state.
 */

#include "ngx_im_in.h"


#define NGX_IM_IN_LOOK      5        /* ms: what waits is looked at again */


void
ngx_im_in_state(ngx_im_in_t *from, ngx_im_in_state_e state)
{
    from->state = state;
}


void
ngx_im_in_look(ngx_im_handover_in_t *in)
{
    if (!in->look.timer_set) {
        ngx_add_timer(&in->look, NGX_IM_IN_LOOK);
    }
}


ngx_int_t
ngx_im_in_room(void *array, ngx_uint_t *room, ngx_uint_t n, size_t size)
{
    void       **to;
    u_char      *p;
    ngx_uint_t   more;

    if (n < *room) {
        return NGX_OK;
    }

    to = array;
    more = ngx_max(n + 1, *room * 2);

    p = im_realloc(*to, more * size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(p + *room * size, (more - *room) * size);

    *to = p;
    *room = more;

    return NGX_OK;
}


ngx_uint_t
ngx_im_in_leased(ngx_im_worker_t *w)
{
    return w->follow == NULL
           || (ngx_im_follow_clock(w) != 0 && !ngx_im_follow_begins(w));
}
