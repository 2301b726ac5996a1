/*
 * Copyright (C) The im authors
 *
 * Copies of entries, in the order in which they came.
 */

#include "ngx_im_entries.h"


void
ngx_im_entries_init(ngx_im_entries_t *entries)
{
    im_list_init(&entries->list);
    entries->bytes = 0;
}


ngx_im_copy_t *
ngx_im_entries_add(ngx_im_entries_t *entries, im_str_t bytes)
{
    ngx_im_copy_t  *copy;

    if (entries->bytes + bytes.len > NGX_IM_ENTRIES_MAX) {
        return NULL;
    }

    copy = im_alloc(sizeof(ngx_im_copy_t) + bytes.len);
    if (copy == NULL) {
        return NULL;
    }

    copy->time = ngx_current_msec;
    copy->number = 0;
    copy->len = bytes.len;
    im_copy(copy->bytes, bytes.data, bytes.len);

    im_list_insert_tail(&entries->list, &copy->link);
    entries->bytes += bytes.len;

    return copy;
}


void
ngx_im_entries_remove(ngx_im_entries_t *entries, ngx_im_copy_t *copy)
{
    entries->bytes -= copy->len;

    im_list_remove(&copy->link);
    im_free(copy);
}


void
ngx_im_entries_clear(ngx_im_entries_t *entries)
{
    ngx_im_copy_t  *copy;

    while ((copy = ngx_im_entries_first(entries)) != NULL) {
        ngx_im_entries_remove(entries, copy);
    }
}


static ngx_im_copy_t *
ngx_im_entries_at(ngx_im_entries_t *entries, im_list_t *q)
{
    return q != &entries->list ? im_list_data(q, ngx_im_copy_t, link) : NULL;
}


ngx_im_copy_t *
ngx_im_entries_first(ngx_im_entries_t *entries)
{
    return ngx_im_entries_at(entries, im_list_first(&entries->list));
}


ngx_im_copy_t *
ngx_im_entries_next(ngx_im_entries_t *entries, ngx_im_copy_t *copy)
{
    return ngx_im_entries_at(entries, im_list_next(&copy->link));
}


ngx_im_copy_t *
ngx_im_entries_find(ngx_im_entries_t *entries, im_str_t bytes)
{
    ngx_im_copy_t  *copy;

    for (copy = ngx_im_entries_first(entries);
         copy != NULL;
         copy = ngx_im_entries_next(entries, copy))
    {
        if (im_str_eq(im_str_set(copy->bytes, copy->len), bytes)) {
            break;
        }
    }

    return copy;
}
