/*
 * Copyright (C) The im authors
 *
 * The members of one topic.
 */

#include <stdlib.h>

#include "im_members.h"


#define IM_MEMBERS_FIRST  16


void
im_members_init(im_members_t *ms)
{
    memset(ms, 0, sizeof(im_members_t));
}


/* The strings of a member are one block, and the worker's name stands first. */
void
im_members_cleanup(im_members_t *ms)
{
    im_uint_t  i;

    for (i = 0; i < ms->n; i++) {
        im_free(ms->elts[i].worker.data);
    }

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
    ms->nworkers += count > 0;
}


static im_str_t
im_members_copy(im_buf_t *b, im_str_t s)
{
    im_str_t  copy;

    copy = im_str_set(b->data + b->len, s.len);
    im_buf_add_str(b, s);

    return copy;
}


im_int_t
im_members_add(im_members_t *ms, im_str_t worker, im_str_t session,
    im_str_t json)
{
    size_t        len;
    im_buf_t      b;
    im_uint_t     size;
    im_member_t  *m;

    /* JSON is copied for what borrows from it, and its strings are decoded */

    len = worker.len + session.len + 2 * json.len;

    if (len > IM_MEMBERS_BYTES - ms->bytes) {
        return IM_DECLINED;
    }

    if (ms->n == ms->size) {
        size = im_max(2 * ms->size, IM_MEMBERS_FIRST);

        m = im_realloc(ms->elts, size * sizeof(im_member_t));
        if (m == NULL) {
            return IM_ERROR;
        }

        ms->elts = m;
        ms->size = size;
    }

    im_buf_init(&b, len);

    if (len == 0 || im_buf_reserve(&b, len) == NULL) {
        return len == 0 ? IM_OK : IM_ERROR;
    }

    b.len = 0;
    m = &ms->elts[ms->n];

    worker = im_members_copy(&b, worker);
    session = im_members_copy(&b, session);
    json = im_members_copy(&b, json);

    if (im_member_decode(json, &b, m) != IM_OK) {
        im_buf_cleanup(&b);
        return IM_OK;
    }

    m->worker = worker;
    m->session = session;

    ms->n++;
    ms->bytes += len;

    return IM_OK;
}


/* The start of NODE.SLOT.START is in base 36. */
static im_str_t
im_worker_start(im_str_t worker)
{
    size_t  i;

    for (i = worker.len; i > 0 && worker.data[i - 1] != '.'; i--) {
        /* void */
    }

    return i == 0 ? im_str_set(worker.data, 0)
                  : im_str_set(worker.data + i, worker.len - i);
}


int
im_worker_compare(im_str_t one, im_str_t two)
{
    int       rc;
    im_str_t  a, b;

    a = im_worker_start(one);
    b = im_worker_start(two);

    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }

    rc = im_str_compare(a, b);

    return rc != 0 ? rc : im_str_compare(one, two);
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


/* Of a session that is there twice the newer worker's stays. */
static void
im_members_once(im_members_t *ms)
{
    im_uint_t     i, n;
    im_member_t  *last, *m, older;

    for (i = 1, n = 1; i < ms->n; i++) {
        last = &ms->elts[n - 1];
        m = &ms->elts[i];

        if (im_member_compare(last, m) != 0) {
            ms->elts[n++] = *m;
            continue;
        }

        older = *m;

        if (im_worker_compare(last->worker, m->worker) < 0) {
            older = *last;
            *last = *m;
        }

        im_free(older.worker.data);
    }

    ms->n = n;
}


void
im_members_sort(im_members_t *ms)
{
    im_uint_t  guests;

    if (ms->n > 1) {
        qsort(ms->elts, ms->n, sizeof(im_member_t), im_member_compare);
        im_members_once(ms);
    }

    for (guests = 0; guests < ms->n; guests++) {
        if (ms->elts[guests].user.len > 0) {
            break;
        }
    }

    ms->named = ms->n - guests;
    ms->users = im_members_users(ms->elts, ms->n, NULL, 0);
}
