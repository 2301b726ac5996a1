/*
 * Copyright (C) The im authors
 *
 * What clients may send: frames, bytes and commands.
 *
 * A session counts its frames, control frames and empty ones too, and pays for
 * them in blocks from the budget of its address, so that the zone is locked
 * once a block.  One session gets a part of what its address has, and leaves
 * the rest to its neighbours.  Without credit nothing is read: the socket
 * fills, and the client waits.
 *
 * Sessions that wait are looked at in turns, first those that wait longest, and
 * pay for a block before they go on.  epoll reports bytes only once, so the
 * read event of a session that goes on is posted.
 */

#include "ngx_im_flow.h"


#define NGX_IM_FLOW_BLOCK    64          /* frames */
#define NGX_IM_FLOW_BYTES    65536       /* a block of bytes, 1 << SHIFT */
#define NGX_IM_FLOW_SHIFT    16
#define NGX_IM_FLOW_UNPACKED 1024        /* below, frames are the limit */
#define NGX_IM_FLOW_SHARE    4           /* a session gets a quarter */
#define NGX_IM_FLOW_BURST    4000        /* ms of its rate at once */
#define NGX_IM_FLOW_LONGEST  3600000     /* ms */
#define NGX_IM_FLOW_READ     256         /* bytes: a command that may read */


static const ngx_im_refusal_e  ngx_im_flow_refusals[] = {
    [NGX_IM_WAIT_FRAMES] = NGX_IM_REFUSED_FRAMES,
    [NGX_IM_WAIT_BYTES] = NGX_IM_REFUSED_BYTES,
    [NGX_IM_WAIT_READ] = NGX_IM_REFUSED_READ
};


/* A block is a small part of what a second has. */
ngx_uint_t
ngx_im_flow_block(ngx_im_worker_t *w)
{
    const ngx_im_per_address_t  *conf;

    conf = &w->conf->per_address;

    return conf->off || conf->frames == 0
           ? 0 : ngx_min(conf->frames / NGX_IM_FLOW_BLOCK + 1,
                         NGX_IM_FLOW_BLOCK);
}


/* ms by which it is ahead of its rate. */
static uint32_t
ngx_im_flow_ahead(ngx_im_session_t *s)
{
    uint32_t  ahead;

    ahead = ngx_im_session_flow(s) - (uint32_t) ngx_current_msec;

    return ahead <= NGX_IM_FLOW_LONGEST ? ahead : 0;
}


static void
ngx_im_flow_count(ngx_im_session_t *s, ngx_im_cost_e cost, uint64_t n)
{
    uint64_t    ahead;
    ngx_uint_t  rate;

    rate = ngx_im_budget_per_second(ngx_im_worker, &s->peer, cost);

    if (rate > 0) {
        ahead = ngx_im_flow_ahead(s) + n * 1000 * NGX_IM_FLOW_SHARE / rate;

        ngx_im_session_flow(s) = (uint32_t) ngx_current_msec
                  + (uint32_t) ngx_min(ahead, NGX_IM_FLOW_LONGEST);
    }
}


ngx_int_t
ngx_im_flow_wait(ngx_im_session_t *s, ngx_im_wait_e why)
{
    ngx_im_ext_t  *ext;

    ext = ngx_im_session_ext(s);

    if (ext == NULL) {
        return ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
    }

    if (why != NGX_IM_WAIT_COMMANDS) {
        ngx_im_budget_refused(ngx_im_worker, &s->peer,
                              ngx_im_flow_refusals[why]);
    }

    ngx_im_turn_later(&ngx_im_worker->throttled, &ext->waiting);

    ngx_im_session_stop(s, why);

    return NGX_AGAIN;
}


ngx_int_t
ngx_im_flow_begin(ngx_im_session_t *s)
{
    if (ngx_im_flow_block(ngx_im_worker) == 0
        || ngx_im_budget_wait(ngx_im_worker, &s->peer, NGX_IM_COST_FRAME) == 0)
    {
        return NGX_OK;
    }

    s->frames = 1;

    return ngx_im_flow_wait(s, NGX_IM_WAIT_FRAMES);
}


ngx_int_t
ngx_im_flow_frames(ngx_im_session_t *s)
{
    uint32_t  n;

    n = s->frames;

    ngx_im_flow_count(s, NGX_IM_COST_FRAME, n);

    if (ngx_im_budget_take(ngx_im_worker, &s->peer, NGX_IM_COST_FRAME, n)
        != NGX_OK)
    {
        return ngx_im_flow_wait(s, NGX_IM_WAIT_FRAMES);
    }

    s->frames = 0;

    return ngx_im_flow_ahead(s) > NGX_IM_FLOW_BURST
           ? ngx_im_flow_wait(s, NGX_IM_WAIT_FRAMES) : NGX_OK;
}


ngx_int_t
ngx_im_flow_bytes(ngx_im_session_t *s, size_t n)
{
    uint64_t    blocks;
    ngx_msec_t  wait;

    blocks = (s->bytes_in + n) >> NGX_IM_FLOW_SHIFT;
    blocks -= s->bytes_in >> NGX_IM_FLOW_SHIFT;

    s->bytes_in += n;

    if (blocks == 0) {
        return NGX_OK;
    }

    ngx_im_flow_count(s, NGX_IM_COST_BYTE, blocks << NGX_IM_FLOW_SHIFT);

    if (s->ext != NULL && s->ext->prepaid) {
        s->ext->prepaid = 0;
        blocks--;
    }

    wait = blocks == 0 ? 0
           : ngx_im_budget_charge(ngx_im_worker, &s->peer, NGX_IM_COST_BYTE,
                                  blocks << NGX_IM_FLOW_SHIFT);

    return wait > 0 || ngx_im_flow_ahead(s) > NGX_IM_FLOW_BURST ? NGX_AGAIN
                                                                : NGX_OK;
}


ngx_int_t
ngx_im_flow_unpacked(ngx_im_session_t *s, size_t n, size_t cost)
{
    ngx_msec_t  wait;

    cost -= ngx_min(cost, n);

    if (cost < NGX_IM_FLOW_UNPACKED) {
        return NGX_OK;
    }

    ngx_im_flow_count(s, NGX_IM_COST_BYTE, cost);

    if (s->ext != NULL && s->ext->prepaid) {
        s->ext->prepaid = 0;
        cost -= ngx_min(cost, NGX_IM_FLOW_BYTES);
    }

    wait = cost == 0 ? 0 : ngx_im_budget_charge(ngx_im_worker, &s->peer,
                                                NGX_IM_COST_BYTE, cost);

    return wait > 0 || ngx_im_flow_ahead(s) > NGX_IM_FLOW_BURST ? NGX_AGAIN
                                                                : NGX_OK;
}


void
ngx_im_flow_end(ngx_im_session_t *s)
{
    uint32_t          bytes;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    bytes = s->bytes_in & (NGX_IM_FLOW_BYTES - 1);

    if (s->frames > 0) {
        (void) ngx_im_budget_charge(w, &s->peer, NGX_IM_COST_FRAME,
                                    s->frames);
    }

    if (bytes > 0) {
        (void) ngx_im_budget_charge(w, &s->peer, NGX_IM_COST_BYTE, bytes);
    }
}


ngx_int_t
ngx_im_flow_credit(ngx_im_session_t *s)
{
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (!ext->credit) {
        ext->credit = ngx_im_budget_take(ngx_im_worker, &s->peer,
                                         NGX_IM_COST_READ, NGX_IM_FLOW_READ)
                      == NGX_OK;
    }

    return ext->credit ? NGX_OK : NGX_AGAIN;
}


/* Its frames, and a block that comes next. */
static ngx_int_t
ngx_im_flow_prepay_frames(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_uint_t  block;

    if (s->frames <= 0) {
        return NGX_OK;
    }

    block = ngx_im_flow_block(w);

    if (ngx_im_budget_take(w, &s->peer, NGX_IM_COST_FRAME,
                           s->frames + block)
        != NGX_OK)
    {
        return NGX_AGAIN;
    }

    s->frames = -(int32_t) block;

    return NGX_OK;
}


static ngx_int_t
ngx_im_flow_prepay(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_im_ext_t  *ext;

    ext = s->ext;

    switch (ext->wait) {

    case NGX_IM_WAIT_FRAMES:
        return ngx_im_flow_ahead(s) <= NGX_IM_FLOW_BURST
               ? ngx_im_flow_prepay_frames(w, s) : NGX_AGAIN;

    case NGX_IM_WAIT_BYTES:
        ext->prepaid = ngx_im_flow_ahead(s) <= NGX_IM_FLOW_BURST
                       && ngx_im_budget_take(w, &s->peer, NGX_IM_COST_BYTE,
                                             NGX_IM_FLOW_BYTES)
                          == NGX_OK;

        return ext->prepaid ? NGX_OK : NGX_AGAIN;

    case NGX_IM_WAIT_COMMANDS:
        return im_bucket_wait(&s->commands, w->conf->commands,
                              w->conf->commands, ngx_current_msec) > 0
               ? NGX_AGAIN : NGX_OK;

    default:
        return ngx_im_flow_credit(s);
    }
}


ngx_int_t
ngx_im_flow_serve(im_list_t *q, void *data)
{
    ngx_im_session_t  *s;

    s = im_list_data(q, ngx_im_ext_t, waiting)->session;

    if (s->phase < NGX_IM_ENDING && ngx_im_flow_prepay(data, s) != NGX_OK) {
        return NGX_AGAIN;
    }

    /* bytes that were not read seem late */

    s->seen = ngx_im_worker->wheel.time;

    ngx_im_session_continue(s);

    return NGX_OK;
}
