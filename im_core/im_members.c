/*
 * Copyright (C) The im authors
 *
 * The members of one topic.
 */

#include <stdlib.h>

#include "im_members.h"


/* JSON is copied for what borrows from it, and its strings are decoded. */
#define im_members_room(bytes)  (2 * (bytes))


void
im_members_init(im_members_t *ms)
{
    memset(ms, 0, sizeof(im_members_t));
}


void
im_members_cleanup(im_members_t *ms)
{
    im_uint_t  i;

    for (i = 0; i < ms->npages; i++) {
        im_buf_cleanup(&ms->pages[i]);
    }

    im_free(ms->pages);
    im_free(ms->elts);

    im_members_init(ms);
}


void
im_members_add_route(im_members_t *ms, im_str_t value)
{
    size_t    i;
    uint64_t  count;

    count = 0;

    for (i = 0; i < value.len && i < 18; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        count = count * 10 + value.data[i] - '0';
    }

    ms->count += count;
    ms->nworkers++;
}


im_int_t
im_members_add_page(im_members_t *ms, im_uint_t n, size_t bytes)
{
    im_buf_t     *page;
    im_member_t  *elts;

    bytes = im_members_room(bytes);

    if (bytes > IM_MEMBERS_BYTES - ms->bytes) {
        return IM_DECLINED;
    }

    elts = im_realloc(ms->elts, (ms->n + n + 1) * sizeof(im_member_t));
    if (elts == NULL) {
        return IM_ERROR;
    }

    ms->elts = elts;
    ms->size = ms->n + n;

    page = im_realloc(ms->pages, (ms->npages + 1) * sizeof(im_buf_t));
    if (page == NULL) {
        return IM_ERROR;
    }

    ms->pages = page;
    page += ms->npages;

    im_buf_init(page, bytes);

    if (bytes > 0 && im_buf_reserve(page, bytes) == NULL) {
        return IM_ERROR;
    }

    page->len = 0;
    ms->npages++;
    ms->bytes += bytes;

    return IM_OK;
}


im_str_t
im_members_add_worker(im_members_t *ms, im_str_t worker)
{
    im_buf_t  *page;
    im_str_t   copy;

    page = &ms->pages[ms->npages - 1];

    copy = im_str_set(page->data + page->len, worker.len);
    im_buf_add_str(page, worker);

    return copy;
}


void
im_members_add(im_members_t *ms, im_str_t worker, im_str_t session,
    im_str_t json)
{
    im_str_t      text, id;
    im_member_t  *m;

    if (ms->n == ms->size) {
        return;
    }

    m = &ms->elts[ms->n];

    id = im_members_add_worker(ms, session);
    text = im_members_add_worker(ms, json);

    if (im_member_decode(text, &ms->pages[ms->npages - 1], m) == IM_OK) {
        m->session = id;
        m->worker = worker;
        ms->n++;
    }
}


void
im_members_sort(im_members_t *ms)
{
    if (ms->n > 1) {
        qsort(ms->elts, ms->n, sizeof(im_member_t), im_member_compare);
    }
}


int
im_member_compare(const void *one, const void *two)
{
    int                 rc;
    const im_member_t  *a = one, *b = two;

    rc = im_str_compare(a->user, b->user);

    return rc != 0 ? rc : im_str_compare(a->session, b->session);
}


im_uint_t
im_members_users(const im_member_t *elts, im_uint_t n, im_member_t *users,
    im_uint_t max)
{
    im_uint_t  i, found;

    for (i = 0, found = 0; i < n; i++) {

        if (elts[i].user.len == 0
            || (i > 0 && im_str_eq(elts[i].user, elts[i - 1].user)))
        {
            continue;
        }

        if (users != NULL && found < max) {
            users[found] = elts[i];
        }

        found++;
    }

    return found;
}
