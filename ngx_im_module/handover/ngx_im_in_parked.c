/*
 * Copyright (C) The im authors
 *
 * A session that is ahead of a topic is parked for a moment, and so are entries
 * that came behind it.
 */

#include "ngx_im_in_parked.h"
#include "ngx_im_handover_apply.h"


/* of what is parked in a worker; sessions leave room for entries */
#define NGX_IM_IN_BYTES     (64 * 1024 * 1024)
#define NGX_IM_IN_SESSIONS  (NGX_IM_IN_BYTES / 2)


static size_t
ngx_im_in_parked_size(size_t len)
{
    return sizeof(ngx_im_in_parked_t) + len;
}


void
ngx_im_in_parked_free(ngx_im_in_t *from, ngx_im_in_parked_t *parked)
{
    from->in->nbytes -= ngx_im_in_parked_size(parked->len);

    if (parked->fd != (ngx_socket_t) -1) {
        (void) ngx_close_socket(parked->fd);
    }

    im_list_remove(&parked->link);
    im_free(parked);
}


static ngx_im_in_parked_t *
ngx_im_in_first(ngx_im_in_t *from)
{
    return im_list_data(im_list_first(&from->parked), ngx_im_in_parked_t, link);
}


/* For sessions that the other worker had when it came there. */
static void
ngx_im_in_entry(ngx_im_in_t *from, im_str_t bytes, uint32_t last)
{
    ngx_im_reach_t  reach;

    reach.only = NULL;
    reach.from = from->who;
    reach.last = last;

    (void) ngx_im_handover_apply(from->in->worker, bytes, &reach);
}


void
ngx_im_in_parked_entry(ngx_im_in_t *from, ngx_im_in_parked_t *parked)
{
    ngx_im_in_entry(from, im_str_set(parked->bytes, parked->len),
                    parked->last);

    ngx_im_in_parked_free(from, parked);
}


void
ngx_im_in_entries_end(ngx_im_in_t *from)
{
    ngx_im_copy_t       *copy;
    ngx_im_in_parked_t  *parked;

    while (!im_list_empty(&from->parked)) {
        parked = ngx_im_in_first(from);

        if (parked->entry) {
            ngx_im_in_parked_entry(from, parked);

        } else {
            ngx_im_in_parked_free(from, parked);
        }
    }

    if (from->who == NULL) {
        return;
    }

    ngx_im_from_end(from->who);

    for (copy = ngx_im_entries_first(&from->who->here);
         copy != NULL;
         copy = ngx_im_entries_next(&from->who->here, copy))
    {
        ngx_im_in_entry(from, im_str_set(copy->bytes, copy->len), UINT32_MAX);
    }

    ngx_im_entries_clear(&from->who->here);
}


/* NULL: most bytes are there, or no memory. */
static ngx_im_in_parked_t *
ngx_im_in_park(ngx_im_in_t *from, im_str_t bytes, size_t most)
{
    size_t               size;
    ngx_im_in_parked_t  *parked;

    size = ngx_im_in_parked_size(bytes.len);

    parked = from->in->nbytes + size <= most ? im_alloc(size) : NULL;
    if (parked == NULL) {
        return NULL;
    }

    parked->since = ngx_current_msec;
    parked->entry = 0;
    parked->last = 0;
    parked->fd = (ngx_socket_t) -1;
    parked->len = bytes.len;

    im_copy(parked->bytes, bytes.data, bytes.len);
    im_list_insert_tail(&from->parked, &parked->link);

    from->in->nbytes += size;

    return parked;
}


ngx_int_t
ngx_im_in_park_session(ngx_im_in_t *from, im_str_t bytes, ngx_socket_t *fd)
{
    ngx_im_in_parked_t  *parked;

    parked = ngx_im_in_park(from, bytes, NGX_IM_IN_SESSIONS);
    if (parked == NULL) {
        return NGX_ERROR;
    }

    parked->fd = *fd;
    *fd = (ngx_socket_t) -1;

    return NGX_OK;
}


static ngx_int_t
ngx_im_in_park_entry(ngx_im_in_t *from, im_str_t bytes)
{
    ngx_im_in_parked_t  *parked;

    parked = ngx_im_in_park(from, bytes, NGX_IM_IN_BYTES);
    if (parked == NULL) {
        return NGX_ERROR;
    }

    parked->entry = 1;
    parked->last = (uint32_t) from->nsessions;

    return NGX_OK;
}


const char *
ngx_im_in_entries(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    im_int_t      rc;
    im_str_t      bytes;
    im_entry_t    entry;
    im_reader_t   r;

    im_reader_init(&r, body->bytes);

    for ( ;; ) {
        bytes.data = (u_char *) r.p;

        rc = im_entry_decode(&r, &entry);
        if (rc != IM_OK) {
            break;
        }

        bytes.len = r.p - bytes.data;

        if (im_list_empty(&from->parked)) {
            ngx_im_in_entry(from, bytes, (uint32_t) from->nsessions);

        } else if (ngx_im_in_park_entry(from, bytes) != NGX_OK) {
            return "has no place here";
        }
    }

    return rc == IM_ERROR ? "is malformed" : NULL;
}
