/*
 * Copyright (C) The im authors
 *
 * Workers from which sessions come.
 *
 * An entry for sessions comes to both workers by pub/sub, at different times,
 * and the old one forwards it.  The channel has it before or behind the record
 * of a session, so that the session gets it once: at the old worker, or here.
 * So a session that has come gets what the old worker forwards, and what comes
 * here waits until the same entry has come that way.  When the old worker has
 * ended, its sessions get what it has not forwarded.
 *
 * What the old worker had before it greeted, it doesn't forward.  Of control
 * entries it says how far it has heard, by the time when they were sent.
 */

#include "ngx_im_from.h"


#define NGX_IM_FROM_FORGET  10000    /* ms: the same entry comes until then */


const ngx_im_reach_t  ngx_im_reach_here;


static void
ngx_im_from_forget_handler(ngx_event_t *ev)
{
    ngx_im_from_t  *from;

    from = ev->data;

    im_list_remove(&from->link);
    ngx_im_entries_clear(&from->there);
    from->had = 0;

    ngx_im_from_unref(from);
}


ngx_im_from_t *
ngx_im_from_create(ngx_im_worker_t *w, im_str_t id, ngx_pid_t pid,
    uint64_t fence)
{
    ngx_im_from_t  *from;

    from = im_alloc(sizeof(ngx_im_from_t) + id.len);
    if (from == NULL) {
        return NULL;
    }

    ngx_memzero(from, sizeof(ngx_im_from_t));

    from->refs = 1;
    from->pid = pid;
    from->fence = fence;
    from->forwards = 1;
    from->id = im_str_set(from + 1, id.len);
    im_copy(from + 1, id.data, id.len);

    from->forget.handler = ngx_im_from_forget_handler;
    from->forget.data = from;
    from->forget.log = w->log;
    from->forget.cancelable = 1;

    ngx_im_entries_init(&from->here);
    ngx_im_entries_init(&from->there);
    im_list_insert_tail(&w->froms, &from->link);

    return from;
}


void
ngx_im_from_ref(ngx_im_from_t *from)
{
    from->refs++;
}


void
ngx_im_from_unref(ngx_im_from_t *from)
{
    if (from != NULL && --from->refs == 0) {
        im_free(from);
    }
}


void
ngx_im_from_end(ngx_im_from_t *from)
{
    from->forwards = 0;
    from->had = 0;
}


/* Entries that it has forwarded may still come here. */
void
ngx_im_from_close(ngx_im_from_t *from)
{
    ngx_im_from_end(from);
    ngx_im_entries_clear(&from->here);

    ngx_add_timer(&from->forget, NGX_IM_FROM_FORGET);
}


static void
ngx_im_from_expire(ngx_im_from_t *from)
{
    ngx_im_copy_t  *copy;

    while ((copy = ngx_im_entries_first(&from->there)) != NULL
           && ngx_current_msec - copy->time >= NGX_IM_FROM_FORGET)
    {
        ngx_im_entries_remove(&from->there, copy);
    }
}


/* Two same ones in a row are two. */
static ngx_uint_t
ngx_im_from_match(ngx_im_entries_t *other, im_str_t bytes)
{
    ngx_im_copy_t  *copy;

    copy = ngx_im_entries_find(other, bytes);

    if (copy == NULL) {
        return 0;
    }

    ngx_im_entries_remove(other, copy);

    return 1;
}


/* Before it greeted. */
static ngx_uint_t
ngx_im_from_had(ngx_im_worker_t *w, ngx_im_from_t *from,
    const im_entry_t *entry)
{
    return entry->kind == IM_PUSH_CONTROL
           && entry->seq <= from->heard[im_partition(entry->topic,
                                                     w->hub.npartitions)];
}


void
ngx_im_from_heard(ngx_im_worker_t *w, ngx_im_from_t *from)
{
    im_entry_t      entry;
    im_reader_t     r;
    ngx_im_copy_t  *copy, *next;

    for (copy = ngx_im_entries_first(&from->here); copy != NULL; copy = next) {
        next = ngx_im_entries_next(&from->here, copy);

        im_reader_init(&r, im_str_set(copy->bytes, copy->len));

        if (im_entry_decode(&r, &entry) == IM_OK
            && ngx_im_from_had(w, from, &entry))
        {
            ngx_im_entries_remove(&from->here, copy);
        }
    }
}


static void
ngx_im_from_here(ngx_im_worker_t *w, ngx_im_from_t *from,
    const im_entry_t *entry, im_str_t bytes)
{
    ngx_im_from_expire(from);

    from->had = ngx_im_from_match(&from->there, bytes)
                || ngx_im_from_had(w, from, entry);

    if (!from->had && from->forwards) {
        (void) ngx_im_entries_add(&from->here, bytes);
    }
}


static void
ngx_im_from_there(ngx_im_from_t *from, im_str_t bytes)
{
    ngx_im_from_expire(from);

    if (from->forwards && !ngx_im_from_match(&from->here, bytes)) {
        (void) ngx_im_entries_add(&from->there, bytes);
    }
}


void
ngx_im_from_note(ngx_im_worker_t *w, const ngx_im_reach_t *reach,
    const im_entry_t *entry)
{
    im_buf_t    b;
    im_list_t  *q;

    if (reach->only != NULL || im_list_empty(&w->froms)) {
        return;
    }

    im_buf_init(&b, NGX_IM_ENTRIES_MAX);
    im_entry_encode(&b, entry);

    if (b.failed) {
        return;
    }

    if (reach->from != NULL) {
        ngx_im_from_there(reach->from, im_buf_str(&b));

    } else {
        im_list_each(q, &w->froms) {
            ngx_im_from_here(w, im_list_data(q, ngx_im_from_t, link), entry,
                             im_buf_str(&b));
        }
    }

    im_buf_cleanup(&b);
}
