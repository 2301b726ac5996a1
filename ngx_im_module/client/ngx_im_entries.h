/*
 * Copyright (C) The im authors
 *
 * Copies of entries, in the order in which they came.
 */

#ifndef NGX_IM_ENTRIES_H
#define NGX_IM_ENTRIES_H


#include "ngx_im_worker.h"


#define NGX_IM_ENTRIES_MAX  (8 * 1024 * 1024)    /* bytes of a list */


typedef struct {
    im_list_t     list;          /* of ngx_im_copy_t */
    size_t        bytes;
} ngx_im_entries_t;


typedef struct {
    im_list_t     link;
    ngx_msec_t    time;          /* it came then */
    uint64_t      number;        /* the caller's */
    size_t        len;
    u_char        bytes[1];      /* by im_entry_encode() */
} ngx_im_copy_t;


void ngx_im_entries_init(ngx_im_entries_t *entries);

/* NULL: no memory, or there are too many. */
ngx_im_copy_t *ngx_im_entries_add(ngx_im_entries_t *entries, im_str_t bytes);
void ngx_im_entries_remove(ngx_im_entries_t *entries, ngx_im_copy_t *copy);
void ngx_im_entries_clear(ngx_im_entries_t *entries);

/* NULL: there is none, or no other one behind it. */
ngx_im_copy_t *ngx_im_entries_first(ngx_im_entries_t *entries);
ngx_im_copy_t *ngx_im_entries_next(ngx_im_entries_t *entries,
    ngx_im_copy_t *copy);

/* The first one that is the same.  NULL: there is none. */
ngx_im_copy_t *ngx_im_entries_find(ngx_im_entries_t *entries, im_str_t bytes);


#endif /* NGX_IM_ENTRIES_H */
