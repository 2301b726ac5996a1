/*
 * Copyright (C) The im authors
 *
 * A window: a ring of copies, each with its length before it.
 */

#include "im_window.h"


#define IM_WINDOW_MIN  16


void
im_window_init(im_window_t *w, im_windows_t *all, uint64_t seq)
{
    memset(w, 0, sizeof(im_window_t));

    w->all = all;
    w->from = seq;
}


void
im_window_reset(im_window_t *w, uint64_t seq)
{
    im_window_trim(w, 0, 0);

    w->from = seq;
}


void
im_window_cleanup(im_window_t *w)
{
    im_window_trim(w, 0, 0);
    im_free(w->entries);

    w->entries = NULL;
    w->size = 0;
    w->first = 0;
}


/* A copy, and room for it in the ring.  NULL: no memory. */
static u_char *
im_window_copy(im_window_t *w, im_str_t entry)
{
    size_t     i, size;
    u_char    *copy, **entries;
    uint32_t   len;

    if (w->n == w->size) {
        size = im_max(w->size * 2, IM_WINDOW_MIN);

        entries = im_alloc(size * sizeof(u_char *));
        if (entries == NULL) {
            return NULL;
        }

        for (i = 0; i < w->n; i++) {
            entries[i] = w->entries[(w->first + i) & (w->size - 1)];
        }

        im_free(w->entries);

        w->entries = entries;
        w->size = size;
        w->first = 0;
    }

    len = (uint32_t) entry.len;

    copy = len == entry.len ? im_alloc(sizeof(uint32_t) + len) : NULL;
    if (copy == NULL) {
        return NULL;
    }

    memcpy(copy, &len, sizeof(uint32_t));

    if (len > 0) {
        memcpy(copy + sizeof(uint32_t), entry.data, len);
    }

    w->bytes += len + IM_WINDOW_OVERHEAD;
    w->all->bytes += len + IM_WINDOW_OVERHEAD;

    return copy;
}


im_int_t
im_window_append(im_window_t *w, uint64_t seq, im_str_t entry)
{
    u_char  *copy;

    if (seq != im_window_top(w) + 1) {
        im_window_reset(w, seq - 1);
    }

    copy = im_window_copy(w, entry);
    if (copy == NULL) {
        im_window_reset(w, seq);
        return IM_ERROR;
    }

    w->entries[(w->first + w->n) & (w->size - 1)] = copy;
    w->n++;

    return IM_OK;
}


im_int_t
im_window_prepend(im_window_t *w, uint64_t seq, im_str_t entry)
{
    u_char  *copy;

    if (seq != w->from || seq == 0) {
        return IM_DECLINED;
    }

    copy = im_window_copy(w, entry);
    if (copy == NULL) {
        return IM_ERROR;
    }

    w->first = (w->first + w->size - 1) & (w->size - 1);
    w->entries[w->first] = copy;
    w->n++;
    w->from--;

    return IM_OK;
}


void
im_window_trim(im_window_t *w, size_t bytes, size_t n)
{
    u_char    *entry;
    uint32_t   len;

    while (w->n > 0 && (w->bytes > bytes || w->n > n)) {
        entry = w->entries[w->first];
        memcpy(&len, entry, sizeof(uint32_t));

        w->bytes -= len + IM_WINDOW_OVERHEAD;
        w->all->bytes -= len + IM_WINDOW_OVERHEAD;

        im_free(entry);

        w->first = (w->first + 1) & (w->size - 1);
        w->n--;
        w->from++;
    }
}


im_str_t
im_window_get(const im_window_t *w, uint64_t seq)
{
    u_char    *entry;
    uint32_t   len;

    entry = w->entries[(w->first + (seq - w->from - 1)) & (w->size - 1)];
    memcpy(&len, entry, sizeof(uint32_t));

    return im_str_set(entry + sizeof(uint32_t), len);
}
