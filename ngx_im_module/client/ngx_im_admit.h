/*
 * Copyright (C) The im authors
 *
 * Who gets in: a place for each session, and room for new rooms.
 */

#ifndef NGX_IM_ADMIT_H
#define NGX_IM_ADMIT_H


#include "ngx_im_session.h"


/* A place for a handshake, until a session has it. */
typedef struct {
    uint32_t            host;            /* in worker->hosts_slab */
    unsigned            held:1;
    unsigned            pending:1;       /* among those not signed in */
} ngx_im_place_t;


/* Why this worker takes no session now; NGX_IM_REFUSALS: it does. */
ngx_im_refusal_e ngx_im_admit_unready(ngx_im_worker_t *w,
    ngx_im_loc_conf_t *ilcf);

/*
 * Takes a place.  Where a pool of the worker is short, the oldest place of the
 * address that holds most goes for it, if that is another address.  Else the
 * status of the refusal, which is counted and logged, and why.
 */
ngx_int_t ngx_im_admit(ngx_im_worker_t *w, ngx_im_loc_conf_t *ilcf,
    const ngx_im_peer_t *peer, ngx_im_place_t *place, ngx_im_refusal_e *why);

/* Seconds after which a refused handshake may come again. */
ngx_uint_t ngx_im_admit_retry(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e why);

/* The handshake gave no session. */
void ngx_im_admit_cancel(ngx_im_worker_t *w, ngx_im_place_t *place);

/*
 * A room that is new to this worker costs Redis keys.  NGX_BUSY: this worker,
 * this session or its address has brought too many of them lately, or guests
 * hold too many.
 */
ngx_int_t ngx_im_admit_room(ngx_im_session_t *s, im_str_t topic);


#endif /* NGX_IM_ADMIT_H */
