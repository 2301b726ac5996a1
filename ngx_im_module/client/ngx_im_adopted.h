/*
 * Copyright (C) The im authors
 *
 * Sessions that another worker has opened: their ids, and the workers that
 * their clients name.
 */

#ifndef NGX_IM_ADOPTED_H
#define NGX_IM_ADOPTED_H


#include "ngx_im_from.h"
#include "ngx_im_session.h"


/* A worker that clients of one-way streams name in what they send. */
typedef struct {
    im_list_t            link;           /* in worker->earlier */
    ngx_uint_t           refs;
    u_char               name[16];
    im_emulation_keys_t  secrets;        /* of its sessions */
} ngx_im_earlier_t;


typedef struct {
    im_hash_node_t       by_id;          /* in worker->adopted */
    im_hash_node_t       by_index;       /* in worker->adopted_places */
    ngx_im_earlier_t    *earlier;        /* a reference, or NULL: they send */
    ngx_im_from_t       *from;           /* a reference */
    uint32_t             number;         /* of its record, there */
    uint32_t             index;          /* of the session */
    u_char               id[16];
} ngx_im_adopted_t;


ngx_int_t ngx_im_adopted_init(ngx_im_worker_t *w);

/*
 * earlier, NULL where clients don't send by requests, becomes its own.  NULL:
 * no memory.
 */
ngx_im_adopted_t *ngx_im_adopted_add(ngx_im_worker_t *w, uint32_t index,
    const u_char id[16], ngx_im_earlier_t *earlier, ngx_im_from_t *from);
void ngx_im_adopted_remove(ngx_im_worker_t *w, uint32_t index);

/* NULL: there is none. */
ngx_im_adopted_t *ngx_im_adopted_find(ngx_im_worker_t *w, const u_char id[16]);
ngx_im_adopted_t *ngx_im_adopted_at(ngx_im_worker_t *w, uint32_t index);

/* Entries for it may still be on their way from its earlier worker. */
ngx_uint_t ngx_im_adopted_awaits(const ngx_im_session_t *s);

/* An entry, of which from was told, is for it. */
ngx_uint_t ngx_im_adopted_reach(ngx_im_session_t *s,
    const ngx_im_reach_t *reach);

/*
 * A reference to a worker of that name; while there is one, what clients send
 * there comes here, too.  NULL: no memory.
 */
ngx_im_earlier_t *ngx_im_earlier_get(ngx_im_worker_t *w,
    const u_char name[16], const im_emulation_keys_t *secrets);

/* e may be NULL. */
void ngx_im_earlier_unref(ngx_im_worker_t *w, ngx_im_earlier_t *e);


#endif /* NGX_IM_ADOPTED_H */
