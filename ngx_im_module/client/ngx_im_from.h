/*
 * Copyright (C) The im authors
 *
 * Workers from which sessions come, and which entries these have had.
 */

#ifndef NGX_IM_FROM_H
#define NGX_IM_FROM_H


#include "ngx_im_entries.h"
#include "im_keys.h"
#include "im_push.h"


/* Its sessions get what it forwards, and nothing else, as long as it does. */
typedef struct {
    im_list_t            link;           /* in worker->froms */
    ngx_uint_t           refs;
    ngx_pid_t            pid;            /* 0: it has another zone */
    uint64_t             fence;          /* of its channel */
    im_str_t             id;             /* NODE.SLOT.START, behind this */
    ngx_im_entries_t     here;           /* came here, and not yet by it */
    ngx_im_entries_t     there;          /* came by it, and not yet here */
    ngx_event_t          forget;
    uint64_t             heard[IM_PARTITIONS_MAX];   /* im_handover_heard_t */
    unsigned             forwards:1;
    unsigned             had:1;          /* its sessions had the last entry */
} ngx_im_from_t;


/* Which sessions of this worker an entry may be for. */
typedef struct {
    struct ngx_im_session_s *only;       /* it missed it; NULL: all of them */
    ngx_im_from_t       *from;           /* NULL: it came to this worker */
    uint32_t             last;           /* from: those up to this number */
} ngx_im_reach_t;

extern const ngx_im_reach_t  ngx_im_reach_here;


/* For as long as it hands over.  NULL: no memory. */
ngx_im_from_t *ngx_im_from_create(ngx_im_worker_t *w, im_str_t id,
    ngx_pid_t pid, uint64_t fence);

/* from->heard has changed. */
void ngx_im_from_heard(ngx_im_worker_t *w, ngx_im_from_t *from);

/* It forwards nothing more: its sessions lack what is in from->here. */
void ngx_im_from_end(ngx_im_from_t *from);
void ngx_im_from_close(ngx_im_from_t *from);

void ngx_im_from_ref(ngx_im_from_t *from);

/* from may be NULL. */
void ngx_im_from_unref(ngx_im_from_t *from);

/* Before it is applied.  An entry that comes on both ways is one. */
void ngx_im_from_note(ngx_im_worker_t *w, const ngx_im_reach_t *reach,
    const im_entry_t *entry);


#endif /* NGX_IM_FROM_H */
