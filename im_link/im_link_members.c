/*
 * Copyright (C) The im authors
 *
 * Who is in a topic.  Which workers live is asked first, unless that is known;
 * then come the pages.
 */

#include <stdlib.h>

#include "im_link_members.h"
#include "im_key.h"
#include "im_list.h"
#include "im_record.h"


#define IM_LINK_MEMBERS_KEEP    500          /* ms */
#define IM_LINK_MEMBERS_TOPICS  32           /* that are kept */
#define IM_LINK_MEMBERS_PAGE    1000
#define IM_LINK_MEMBERS_BYTES   (1024 * 1024)    /* of a page, about */

/*
 * Of so many workers all keys are named; of more only the keys of those that
 * have a route, which takes a page without keys first.
 */
#define IM_LINK_MEMBERS_FEW     64
#define IM_LINK_MEMBERS_KEYS    1024
#define IM_LINK_MEMBERS_CURSOR  20           /* digits */


typedef enum {
    IM_LINK_ASKED_LIVE = 0,      /* waits for the workers that live */
    IM_LINK_ASKED_ROUTES,        /* the first page is out */
    IM_LINK_ASKED_PAGES,         /* another page is out */
    IM_LINK_ASKED_KEPT
} im_link_asked_e;


typedef struct {
    im_str_t             name;
    int                  routed;
} im_link_worker_t;


/* A question, and its result.  Owned by the list it is in. */
typedef struct {
    im_list_t            link;
    im_list_t            waiters;
    im_link_members_t   *owner;
    im_link_asked_e      state;
    im_link_members_e    how;
    im_members_t         members;
    im_link_worker_t    *workers;    /* whose keys are named, sorted; one block
                                        with their names */
    im_uint_t            nworkers;
    uint64_t             asked;      /* when */
    uint64_t             total;      /* members that the keys have */
    im_uint_t            key;        /* where the next page begins */
    uint8_t              cursor_len;
    u_char               cursor[IM_LINK_MEMBERS_CURSOR];
    im_str_t             topic;      /* in this block */
} im_link_asked_t;


typedef struct {
    im_list_t            link;
    im_link_members_pt   handler;
    void                *data;
} im_link_waiter_t;


struct im_link_members_s {
    im_link_t           *link;
    im_list_t            asked;      /* under way */
    im_list_t            kept;       /* the oldest one first */
    im_uint_t            nkept;
    size_t               bytes;      /* of those */
    im_link_worker_t    *live;       /* sorted; one block with their names */
    im_uint_t            nlive;
    uint64_t             live_at;    /* when they were asked for; 0: never */
    int                  live_out;   /* they are asked for */
};


static im_link_asked_t *im_link_asked_find(const im_list_t *list,
    im_str_t topic, uint64_t now);
static im_link_asked_t *im_link_asked_create(im_link_members_t *members,
    im_str_t topic, im_link_members_e how, uint64_t now);
static void im_link_asked_destroy(im_link_asked_t *asked);
static im_int_t im_link_asked_start(im_link_asked_t *asked);
static im_int_t im_link_members_live(im_link_members_t *members,
    uint64_t now);
static void im_link_members_live_handler(const im_link_reply_t *reply,
    void *data);
static im_int_t im_link_asked_routes(im_link_asked_t *asked);
static im_int_t im_link_asked_page(im_link_asked_t *asked);
static void im_link_asked_page_handler(const im_link_reply_t *reply,
    void *data);
static im_int_t im_link_asked_first(im_link_asked_t *asked,
    const im_link_reply_t *routes, const im_link_reply_t *counts);
static im_int_t im_link_asked_name(im_link_asked_t *asked,
    const im_link_reply_t *routes);
static im_int_t im_link_asked_members(im_link_asked_t *asked,
    const im_link_reply_t *list, im_link_worker_t *worker);
static void im_link_asked_done(im_link_asked_t *asked, int failed);
static void im_link_asked_keep(im_link_asked_t *asked);
static im_link_worker_t *im_link_workers_create(const im_str_t *names,
    im_uint_t n);
static im_link_worker_t *im_link_workers_find(im_link_worker_t *workers,
    im_uint_t n, im_str_t name);
static int im_link_worker_compare(const void *one, const void *two);


im_link_members_t *
im_link_members_create(im_link_t *link)
{
    im_link_members_t  *members;

    members = im_calloc(sizeof(im_link_members_t));
    if (members == NULL) {
        return NULL;
    }

    members->link = link;
    im_list_init(&members->asked);
    im_list_init(&members->kept);

    return members;
}


void
im_link_members_destroy(im_link_members_t *members)
{
    im_link_asked_t  *asked;

    while (!im_list_empty(&members->kept)) {
        asked = im_list_data(im_list_first(&members->kept), im_link_asked_t,
                             link);
        im_link_asked_destroy(asked);
    }

    im_free(members->live);
    im_free(members);
}


const im_members_t *
im_link_members_kept(im_link_members_t *members, im_str_t topic, uint64_t now)
{
    im_link_asked_t  *asked;

    asked = im_link_asked_find(&members->kept, topic, now);

    return asked != NULL ? &asked->members : NULL;
}


im_int_t
im_link_members_ask(im_link_members_t *members, im_str_t topic,
    im_link_members_e how, uint64_t now, im_link_members_pt handler,
    void *data)
{
    im_link_asked_t   *asked;
    im_link_waiter_t  *waiter;

    waiter = im_alloc(sizeof(im_link_waiter_t));
    if (waiter == NULL) {
        return IM_ERROR;
    }

    waiter->handler = handler;
    waiter->data = data;

    asked = how == IM_LINK_MEMBERS_KEPT
            ? im_link_asked_find(&members->asked, topic, now) : NULL;

    if (asked == NULL) {
        asked = im_link_asked_create(members, topic, how, now);

        if (asked == NULL || im_link_asked_start(asked) != IM_OK) {
            im_link_asked_destroy(asked);
            im_free(waiter);
            return IM_ERROR;
        }
    }

    im_list_insert_tail(&asked->waiters, &waiter->link);

    return IM_OK;
}


void
im_link_members_tick(im_link_members_t *members, uint64_t now)
{
    im_link_asked_t  *asked;

    while (!im_list_empty(&members->kept)) {
        asked = im_list_data(im_list_first(&members->kept), im_link_asked_t,
                             link);

        if (now - asked->asked < IM_LINK_MEMBERS_KEEP) {
            break;
        }

        im_link_asked_destroy(asked);
    }
}


/* The latest one that is young enough. */
static im_link_asked_t *
im_link_asked_find(const im_list_t *list, im_str_t topic, uint64_t now)
{
    im_list_t        *q;
    im_link_asked_t  *asked;

    for (q = im_list_last(list); q != list; q = q->prev) {
        asked = im_list_data(q, im_link_asked_t, link);

        if (now - asked->asked < IM_LINK_MEMBERS_KEEP
            && asked->how != IM_LINK_MEMBERS_COUNTS
            && im_str_eq(asked->topic, topic))
        {
            return asked;
        }
    }

    return NULL;
}


static im_link_asked_t *
im_link_asked_create(im_link_members_t *members, im_str_t topic,
    im_link_members_e how, uint64_t now)
{
    im_link_asked_t  *asked;

    asked = im_calloc(sizeof(im_link_asked_t) + topic.len);
    if (asked == NULL) {
        return NULL;
    }

    asked->owner = members;
    asked->how = how;
    asked->asked = now;
    asked->topic = im_str_set(asked + 1, topic.len);
    memcpy(asked->topic.data, topic.data, topic.len);

    im_members_init(&asked->members);
    im_list_init(&asked->waiters);
    im_list_insert_tail(&members->asked, &asked->link);

    return asked;
}


static void
im_link_asked_destroy(im_link_asked_t *asked)
{
    if (asked == NULL) {
        return;
    }

    if (asked->state == IM_LINK_ASKED_KEPT) {
        asked->owner->nkept--;
        asked->owner->bytes -= asked->members.bytes;
    }

    im_list_remove(&asked->link);
    im_members_cleanup(&asked->members);
    im_free(asked->workers);
    im_free(asked);
}


static im_int_t
im_link_asked_start(im_link_asked_t *asked)
{
    im_link_members_t  *members;

    members = asked->owner;

    if (members->live_out) {
        return IM_OK;
    }

    if (members->live_at == 0
        || asked->asked - members->live_at >= IM_LINK_MEMBERS_KEEP)
    {
        return im_link_members_live(members, asked->asked);
    }

    return im_link_asked_routes(asked);
}


static im_int_t
im_link_members_live(im_link_members_t *members, uint64_t now)
{
    im_link_call_t  *call;

    call = im_link_script(members->link, &im_script_live);

    im_key_nodes(&call->bytes, im_link_prefix(members->link));
    im_link_call_key(call);

    im_link_call_uint(call, IM_LEASE_WORKER);
    im_link_call_z(call, "");
    im_link_call_uint(call, IM_WORKERS_MAX);

    if (im_link_send(members->link, im_link_members_live_handler, members)
        != IM_OK)
    {
        return IM_ERROR;
    }

    members->live_at = now;
    members->live_out = 1;

    return IM_OK;
}


static void
im_link_members_live_handler(const im_link_reply_t *reply, void *data)
{
    int                 failed;
    im_str_t           *names;
    im_list_t           waiting;
    im_uint_t           i, n;
    im_link_asked_t    *asked;
    im_link_members_t  *members = data;

    n = im_link_reply_len(reply);
    names = im_alloc((n + 1) * sizeof(im_str_t));
    failed = names == NULL || !im_link_reply_is_array(reply, 0);

    im_free(members->live);
    members->live = NULL;
    members->nlive = 0;
    members->live_out = 0;

    if (!failed) {
        for (i = 0; i < n; i++) {
            names[i] = im_link_reply_str_at(reply, i);
        }

        members->live = im_link_workers_create(names, n);
        members->nlive = n;
        failed = members->live == NULL;
    }

    im_free(names);

    if (failed) {
        members->nlive = 0;
        members->live_at = 0;
    }

    /* handlers may ask again: that goes to the list, behind these */

    im_list_init(&waiting);
    im_list_splice(&waiting, &members->asked);

    while (!im_list_empty(&waiting)) {
        asked = im_list_data(im_list_first(&waiting), im_link_asked_t, link);

        im_list_remove(&asked->link);
        im_list_insert_tail(&members->asked, &asked->link);

        if (asked->state == IM_LINK_ASKED_LIVE
            && (failed || im_link_asked_routes(asked) != IM_OK))
        {
            im_link_asked_done(asked, 1);
        }
    }
}


static im_int_t
im_link_asked_routes(im_link_asked_t *asked)
{
    im_str_t           *names;
    im_uint_t           i, n;
    im_link_members_t  *members;

    members = asked->owner;
    n = members->nlive;

    asked->state = IM_LINK_ASKED_ROUTES;

    if (asked->how != IM_LINK_MEMBERS_COUNTS && n <= IM_LINK_MEMBERS_FEW) {

        names = im_alloc((n + 1) * sizeof(im_str_t));
        if (names == NULL) {
            return IM_ERROR;
        }

        for (i = 0; i < n; i++) {
            names[i] = members->live[i].name;
        }

        asked->workers = im_link_workers_create(names, n);
        asked->nworkers = n;
        im_free(names);

        if (asked->workers == NULL) {
            return IM_ERROR;
        }
    }

    return im_link_asked_page(asked);
}


static im_int_t
im_link_asked_page(im_link_asked_t *asked)
{
    uint16_t         p;
    im_str_t         prefix;
    im_uint_t        i;
    im_link_t       *link;
    im_link_call_t  *call;

    link = asked->owner->link;
    prefix = im_link_prefix(link);
    p = im_partition(asked->topic, im_link_partitions(link));

    call = im_link_script(link, &im_script_members);

    im_key_topic(&call->bytes, prefix, p, asked->topic, IM_KEY_ROUTES);
    im_link_call_key(call);

    for (i = 0; i < asked->nworkers; i++) {
        im_key_members(&call->bytes, prefix, p, asked->topic,
                       asked->workers[i].name);
        im_link_call_key(call);
    }

    im_link_call_uint(call, im_min(IM_LINK_MEMBERS_PAGE,
                                   IM_LINK_MEMBERS_MAX - asked->members.n));
    im_link_call_uint(call, IM_LINK_MEMBERS_BYTES);

    if (asked->state == IM_LINK_ASKED_ROUTES) {
        im_link_call_z(call, "2");
        im_link_call_z(call, "0");

    } else {
        im_link_call_uint(call, asked->key);
        im_link_call_str(call, im_str_set(asked->cursor, asked->cursor_len));
    }

    return im_link_send(link, im_link_asked_page_handler, asked);
}


static void
im_link_asked_page_handler(const im_link_reply_t *reply, void *data)
{
    im_int_t                rc;
    im_str_t                cursor;
    im_uint_t               i, key;
    im_members_t           *m;
    im_link_asked_t        *asked = data;
    const im_link_reply_t  *all, *one;

    m = &asked->members;
    all = im_link_reply_at(reply, 4);
    rc = im_link_reply_is_array(reply, 5) ? IM_OK : IM_ERROR;

    if (rc == IM_OK && asked->state == IM_LINK_ASKED_ROUTES) {
        rc = im_link_asked_first(asked, im_link_reply_at(reply, 0),
                                 im_link_reply_at(reply, 1));
        if (rc == IM_AGAIN) {
            return;
        }
    }

    for (i = 0; rc == IM_OK && i < im_link_reply_len(all); i++) {
        one = im_link_reply_at(all, i);
        key = (im_uint_t) im_link_reply_int_at(one, 0, 0);

        if (key >= 2 && key - 2 < asked->nworkers) {
            rc = im_link_asked_members(asked, im_link_reply_at(one, 1),
                                       &asked->workers[key - 2]);
        }
    }

    asked->key = (im_uint_t) im_link_reply_int_at(reply, 2, 0);

    if (rc == IM_OK && asked->key >= 2 && m->n < IM_LINK_MEMBERS_MAX) {
        cursor = im_link_reply_str_at(reply, 3);
        asked->cursor_len = (uint8_t) im_min(cursor.len,
                                             IM_LINK_MEMBERS_CURSOR);
        memcpy(asked->cursor, cursor.data, asked->cursor_len);

        asked->state = IM_LINK_ASKED_PAGES;
        rc = im_link_asked_page(asked);

        if (rc == IM_OK) {
            return;
        }
    }

    if (asked->key != 0 || rc == IM_DECLINED) {
        m->rest = asked->total > m->n ? asked->total - m->n : 0;
    }

    im_link_asked_done(asked, rc == IM_ERROR);
}


/* IM_AGAIN: the routes say whose keys to name, and another page is out. */
static im_int_t
im_link_asked_first(im_link_asked_t *asked, const im_link_reply_t *routes,
    const im_link_reply_t *counts)
{
    im_str_t            name;
    im_uint_t           i;
    im_link_worker_t   *worker;
    im_link_members_t  *members;

    members = asked->owner;

    if (asked->how != IM_LINK_MEMBERS_COUNTS && asked->workers == NULL
        && im_link_reply_len(routes) > 0)
    {
        return im_link_asked_name(asked, routes);
    }

    for (i = 0; i + 1 < im_link_reply_len(routes); i += 2) {
        name = im_link_reply_str_at(routes, i);

        worker = im_link_workers_find(asked->workers, asked->nworkers, name);

        if (worker != NULL) {
            worker->routed = 1;

        } else if (im_link_workers_find(members->live, members->nlive, name)
                   == NULL)
        {
            continue;
        }

        im_members_add_route(&asked->members,
                             im_link_reply_str_at(routes, i + 1));
    }

    for (i = 0; i < asked->nworkers; i++) {
        if (asked->workers[i].routed) {
            asked->total += (uint64_t) im_link_reply_int_at(counts, i, 0);
        }
    }

    return IM_OK;
}


static im_int_t
im_link_asked_name(im_link_asked_t *asked, const im_link_reply_t *routes)
{
    im_str_t           *names, name;
    im_uint_t           i, n;
    im_link_members_t  *members;

    members = asked->owner;

    names = im_alloc(IM_LINK_MEMBERS_KEYS * sizeof(im_str_t));
    if (names == NULL) {
        return IM_ERROR;
    }

    for (i = 0, n = 0;
         i < im_link_reply_len(routes) && n < IM_LINK_MEMBERS_KEYS;
         i += 2)
    {
        name = im_link_reply_str_at(routes, i);

        if (im_link_workers_find(members->live, members->nlive, name)
            != NULL)
        {
            names[n++] = name;
        }
    }

    asked->workers = im_link_workers_create(names, n);
    asked->nworkers = n;
    im_free(names);

    if (asked->workers == NULL || im_link_asked_page(asked) != IM_OK) {
        return IM_ERROR;
    }

    return IM_AGAIN;
}


/* IM_DECLINED: they are too many bytes, and only counted. */
static im_int_t
im_link_asked_members(im_link_asked_t *asked, const im_link_reply_t *list,
    im_link_worker_t *worker)
{
    size_t         bytes;
    im_int_t       rc;
    im_str_t       name;
    im_uint_t      i, n;
    im_members_t  *m;

    m = &asked->members;
    n = im_link_reply_len(list);

    if (!worker->routed) {
        return IM_OK;
    }

    for (i = 0, bytes = worker->name.len; i < n; i++) {
        bytes += im_link_reply_str_at(list, i).len;
    }

    rc = im_members_add_page(m, n / 2, bytes);
    if (rc != IM_OK) {
        return rc;
    }

    name = im_members_add_worker(m, worker->name);

    for (i = 0; i + 1 < n; i += 2) {
        im_members_add(m, name, im_link_reply_str_at(list, i),
                       im_link_reply_str_at(list, i + 1));
    }

    return IM_OK;
}


static void
im_link_asked_done(im_link_asked_t *asked, int failed)
{
    im_list_t          waiters;
    im_link_waiter_t  *waiter;

    im_list_init(&waiters);
    im_list_splice(&waiters, &asked->waiters);
    im_list_remove(&asked->link);

    im_members_sort(&asked->members);

    while (!im_list_empty(&waiters)) {
        waiter = im_list_data(im_list_first(&waiters), im_link_waiter_t, link);
        im_list_remove(&waiter->link);

        waiter->handler(failed ? NULL : &asked->members, waiter->data);
        im_free(waiter);
    }

    if (failed || asked->how == IM_LINK_MEMBERS_COUNTS) {
        im_link_asked_destroy(asked);

    } else {
        im_link_asked_keep(asked);
    }
}


static void
im_link_asked_keep(im_link_asked_t *asked)
{
    im_link_members_t  *members;

    members = asked->owner;

    im_free(asked->workers);
    asked->workers = NULL;

    asked->state = IM_LINK_ASKED_KEPT;
    im_list_insert_tail(&members->kept, &asked->link);

    members->nkept++;
    members->bytes += asked->members.bytes;

    while (members->nkept > IM_LINK_MEMBERS_TOPICS
           || members->bytes > IM_MEMBERS_BYTES)
    {
        im_link_asked_destroy(im_list_data(im_list_first(&members->kept),
                                           im_link_asked_t, link));
    }
}


/* Sorted copies, in one block. */
static im_link_worker_t *
im_link_workers_create(const im_str_t *names, im_uint_t n)
{
    size_t             bytes;
    u_char            *p;
    im_uint_t          i;
    im_link_worker_t  *workers;

    for (i = 0, bytes = 0; i < n; i++) {
        bytes += names[i].len;
    }

    workers = im_calloc((n + 1) * sizeof(im_link_worker_t) + bytes);
    if (workers == NULL) {
        return NULL;
    }

    p = (u_char *) (workers + n);

    for (i = 0; i < n; i++) {
        workers[i].name = im_str_set(p, names[i].len);

        if (names[i].len > 0) {
            memcpy(p, names[i].data, names[i].len);
        }

        p += names[i].len;
    }

    qsort(workers, n, sizeof(im_link_worker_t), im_link_worker_compare);

    return workers;
}


static im_link_worker_t *
im_link_workers_find(im_link_worker_t *workers, im_uint_t n, im_str_t name)
{
    im_link_worker_t  key;

    key.name = name;

    return n == 0 ? NULL : bsearch(&key, workers, n, sizeof(im_link_worker_t),
                                   im_link_worker_compare);
}


static int
im_link_worker_compare(const void *one, const void *two)
{
    int                      rc;
    size_t                   len;
    const im_link_worker_t  *a = one, *b = two;

    len = im_min(a->name.len, b->name.len);
    rc = len == 0 ? 0 : memcmp(a->name.data, b->name.data, len);

    return rc != 0 ? rc
           : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}
