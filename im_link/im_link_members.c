/*
 * Copyright (C) The im authors
 *
 * The members of topics.  Live workers are read first, unless they are known;
 * then come the pages.
 */

#include <stdlib.h>

#include "im_link_members.h"
#include "im_link_leases.h"
#include "im_key.h"
#include "im_list.h"
#include "im_record.h"


#define IM_LINK_MEMBERS_KEEP    500          /* ms */
#define IM_LINK_MEMBERS_COST    (512 * 1024) /* of a topic, besides its bytes */
#define IM_LINK_MEMBERS_PAGE    1000
#define IM_LINK_MEMBERS_BYTES   (1024 * 1024)    /* of a page, about */

/*
 * Of so many workers all keys are named; of more only the keys of those that
 * have a route, which takes a page without keys first.
 */
#define IM_LINK_MEMBERS_FEW     64
#define IM_LINK_MEMBERS_KEYS    1000
#define IM_LINK_MEMBERS_CURSOR  20           /* digits */


typedef enum {
    IM_LINK_ASKED_LIVE = 0,      /* asks for the workers that live */
    IM_LINK_ASKED_FIRST,         /* the page with routes is out */
    IM_LINK_ASKED_NEXT,          /* another page is out */
    IM_LINK_ASKED_KEPT
} im_link_asked_e;


/* Workers, sorted; one block. */
typedef struct {
    im_uint_t            refs;
    im_uint_t            n;
    im_str_t             elts[1];
} im_link_names_t;


/* A question, and its result.  Owned by the list it is in. */
typedef struct {
    im_list_t            link;
    im_list_t            waiters;
    im_link_members_t   *owner;
    im_link_asked_e      state;
    im_link_members_e    how;
    im_members_t         members;
    im_link_names_t     *workers;    /* whose keys are named, or NULL */
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
    size_t               cost;       /* of those */
    im_link_names_t     *live;       /* or NULL */
    uint64_t             live_at;    /* when they were asked for */
    int                  live_out;   /* they are asked for */
    int                  live_given; /* by im_link_members_workers() */
};


static im_int_t im_link_asked_page(im_link_asked_t *asked);


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


static void
im_link_names_unref(im_link_names_t *names)
{
    if (names != NULL && --names->refs == 0) {
        im_free(names);
    }
}


static void
im_link_asked_destroy(im_link_asked_t *asked)
{
    if (asked->state == IM_LINK_ASKED_KEPT) {
        asked->owner->cost -= asked->members.bytes + IM_LINK_MEMBERS_COST;
    }

    im_list_remove(&asked->link);
    im_members_cleanup(&asked->members);
    im_link_names_unref(asked->workers);
    im_free(asked);
}


void
im_link_members_destroy(im_link_members_t *members)
{
    im_link_asked_t  *asked;

    if (members == NULL) {
        return;
    }

    while (!im_list_empty(&members->kept)) {
        asked = im_list_data(im_list_first(&members->kept), im_link_asked_t,
                             link);
        im_link_asked_destroy(asked);
    }

    im_link_names_unref(members->live);
    im_free(members);
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


const im_members_t *
im_link_members_kept(im_link_members_t *members, im_str_t topic, uint64_t now)
{
    im_link_asked_t  *asked;

    asked = im_link_asked_find(&members->kept, topic, now);

    return asked != NULL ? &asked->members : NULL;
}


int
im_link_members_near(im_link_members_t *members, im_str_t topic, uint64_t now)
{
    return im_link_asked_find(&members->kept, topic, now) != NULL
           || im_link_asked_find(&members->asked, topic, now) != NULL;
}


static int
im_link_names_compare(const void *one, const void *two)
{
    return im_str_compare(*(const im_str_t *) one, *(const im_str_t *) two);
}


static int
im_link_names_have(const im_link_names_t *names, im_str_t name)
{
    return bsearch(&name, names->elts, names->n, sizeof(im_str_t),
                   im_link_names_compare)
           != NULL;
}


/* Of each step'th string of a reply, those that are among the others. */
static im_link_names_t *
im_link_names_create(const im_link_reply_t *reply, im_uint_t step,
    const im_link_names_t *among)
{
    size_t            bytes;
    u_char           *p;
    im_str_t          name;
    im_uint_t         i, n;
    im_link_names_t  *names;

    if (!im_link_reply_is_array(reply, 0)) {
        return NULL;
    }

    n = im_link_reply_len(reply);

    for (i = 0, bytes = 0; i < n; i += step) {
        bytes += im_link_reply_str_at(reply, i).len;
    }

    names = im_alloc(sizeof(im_link_names_t) + n * sizeof(im_str_t) + bytes);
    if (names == NULL) {
        return NULL;
    }

    names->refs = 1;
    names->n = 0;
    p = (u_char *) &names->elts[n];

    for (i = 0; i < n; i += step) {
        name = im_link_reply_str_at(reply, i);

        if (name.len > 0
            && (among == NULL || im_link_names_have(among, name)))
        {
            im_copy(p, name.data, name.len);
            names->elts[names->n++] = im_str_set(p, name.len);
            p += name.len;
        }
    }

    qsort(names->elts, names->n, sizeof(im_str_t), im_link_names_compare);

    return names;
}


/* IM_AGAIN: the routes have the keys to name, and another page is out. */
static im_int_t
im_link_asked_routes(im_link_asked_t *asked, const im_link_reply_t *routes)
{
    im_uint_t  i;

    if (asked->workers == NULL && asked->how != IM_LINK_MEMBERS_COUNTS) {

        asked->workers = im_link_names_create(routes, 2, asked->owner->live);

        if (asked->workers == NULL) {
            return IM_ERROR;
        }

        if (asked->workers->n > 0) {
            return im_link_asked_page(asked) == IM_OK ? IM_AGAIN : IM_ERROR;
        }
    }

    for (i = 0; i + 1 < im_link_reply_len(routes); i += 2) {
        if (im_link_names_have(asked->owner->live,
                               im_link_reply_str_at(routes, i)))
        {
            im_members_add_route(&asked->members,
                                 im_link_reply_str_at(routes, i + 1));
        }
    }

    return IM_OK;
}


/* IM_DECLINED: they are too many bytes, and only counted. */
static im_int_t
im_link_asked_members(im_link_asked_t *asked, const im_link_reply_t *all)
{
    im_int_t                rc;
    im_uint_t               i, j, key;
    im_members_t           *m;
    const im_link_reply_t  *list;

    m = &asked->members;
    rc = IM_OK;

    for (i = 0; i < im_link_reply_len(all); i++) {
        list = im_link_reply_at(all, i);
        key = (im_uint_t) im_link_reply_int_at(list, 0, 0) - 2;
        list = im_link_reply_at(list, 1);

        if (asked->workers == NULL || key >= asked->workers->n) {
            continue;
        }

        for (j = 0; j + 1 < im_link_reply_len(list) && rc == IM_OK; j += 2) {
            rc = im_members_add(m, asked->workers->elts[key],
                                im_link_reply_str_at(list, j),
                                im_link_reply_str_at(list, j + 1));
        }
    }

    return rc;
}


static void
im_link_asked_done(im_link_asked_t *asked, int failed)
{
    im_list_t           waiters;
    im_link_waiter_t   *waiter;
    im_link_members_t  *members;

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
        return;
    }

    members = asked->owner;

    asked->state = IM_LINK_ASKED_KEPT;
    im_list_insert_tail(&members->kept, &asked->link);

    members->cost += asked->members.bytes + IM_LINK_MEMBERS_COST;

    while (members->cost > IM_MEMBERS_BYTES) {
        im_link_asked_destroy(im_list_data(im_list_first(&members->kept),
                                           im_link_asked_t, link));
    }
}


static void
im_link_asked_page_handler(const im_link_reply_t *reply, void *data)
{
    im_int_t          rc;
    im_str_t          cursor;
    im_members_t     *m;
    im_link_asked_t  *asked = data;

    m = &asked->members;
    rc = im_link_reply_is_array(reply, 5) ? IM_OK : IM_ERROR;

    if (rc == IM_OK && asked->state == IM_LINK_ASKED_FIRST) {
        asked->total = (uint64_t) im_link_reply_int_at(reply, 1, 0);
        rc = im_link_asked_routes(asked, im_link_reply_at(reply, 0));
    }

    if (rc == IM_AGAIN) {
        return;
    }

    if (rc == IM_OK) {
        rc = im_link_asked_members(asked, im_link_reply_at(reply, 4));
    }

    asked->key = (im_uint_t) im_link_reply_int_at(reply, 2, 0);
    cursor = im_link_reply_str_at(reply, 3);

    if (rc == IM_OK && asked->key >= 2 && m->n < IM_LINK_MEMBERS_MAX
        && cursor.len <= IM_LINK_MEMBERS_CURSOR)
    {
        im_copy(asked->cursor, cursor.data, cursor.len);
        asked->cursor_len = (uint8_t) cursor.len;
        asked->state = IM_LINK_ASKED_NEXT;

        if (im_link_asked_page(asked) == IM_OK) {
            return;
        }

        rc = IM_ERROR;
    }

    if ((asked->key != 0 || rc == IM_DECLINED) && asked->total > m->n) {
        m->rest = asked->total - m->n;
    }

    im_link_asked_done(asked, rc == IM_ERROR);
}


static im_int_t
im_link_asked_page(im_link_asked_t *asked)
{
    uint16_t          p;
    im_str_t         *names;
    im_uint_t         i, n;
    im_link_t        *link;
    im_link_call_t   *call;
    const im_keys_t  *keys;

    link = asked->owner->link;
    keys = im_link_keys(link);
    p = im_partition(asked->topic, im_link_partitions(link));

    names = asked->workers != NULL ? asked->workers->elts : NULL;
    n = names != NULL ? im_min(asked->workers->n, IM_LINK_MEMBERS_KEYS) : 0;

    call = im_link_script(link, &im_script_members);

    im_key_topic(&call->bytes, keys, p, asked->topic, IM_KEY_ROUTES);
    im_link_call_key(call);

    for (i = 0; i < n; i++) {
        im_key_members(&call->bytes, keys, p, asked->topic, names[i]);
        im_link_call_key(call);
    }

    im_link_call_uint(call, im_min(IM_LINK_MEMBERS_PAGE,
                                   IM_LINK_MEMBERS_MAX - asked->members.n));
    im_link_call_uint(call, IM_LINK_MEMBERS_BYTES);
    im_link_call_uint(call, asked->key);
    im_link_call_str(call, im_str_set(asked->cursor, asked->cursor_len));

    for (i = 0; i < n; i++) {
        im_link_call_str(call, names[i]);
    }

    return im_link_send(link, im_link_asked_page_handler, asked);
}


static im_int_t
im_link_asked_begin(im_link_asked_t *asked)
{
    im_link_names_t  *live;

    live = asked->owner->live;
    asked->state = IM_LINK_ASKED_FIRST;

    if (live->n <= IM_LINK_MEMBERS_FEW
        && asked->how != IM_LINK_MEMBERS_COUNTS)
    {
        asked->workers = live;
        live->refs++;
    }

    return im_link_asked_page(asked);
}


static int
im_link_members_recent(const im_link_members_t *members, uint64_t now,
    uint64_t age)
{
    return members->live != NULL && now - members->live_at < age;
}


static void
im_link_asked_live_handler(const im_link_reply_t *reply, void *data)
{
    im_link_names_t    *live;
    im_link_asked_t    *asked = data;
    im_link_members_t  *members;

    members = asked->owner;
    members->live_out = 0;

    live = im_link_names_create(reply, 1, NULL);

    if (live != NULL) {
        im_link_names_unref(members->live);
        members->live = live;
        members->live_at = asked->asked;
    }

    if (!im_link_members_recent(members, asked->asked, IM_LEASE_WORKER)
        || im_link_asked_begin(asked) != IM_OK)
    {
        im_link_asked_done(asked, 1);
    }
}


/*
 * While younger names are asked for, the older ones are good enough; while the
 * registry is away, for as long as leases last.
 */
static im_int_t
im_link_asked_start(im_link_asked_t *asked)
{
    im_link_members_t  *members;

    members = asked->owner;

    if (members->live != NULL && (members->live_given || members->live_out)) {
        return im_link_asked_begin(asked);
    }

    if (im_link_members_recent(members, asked->asked,
                               im_link_ready(members->link, IM_LINK_REGISTRY)
                               ? IM_LINK_MEMBERS_KEEP : IM_LEASE_WORKER))
    {
        return im_link_asked_begin(asked);
    }

    members->live_out = 1;

    (void) im_link_leases_live(members->link, IM_LINK_WORKERS, im_str_z(""),
                               IM_WORKERS_MAX);

    if (im_link_send(members->link, im_link_asked_live_handler, asked)
        != IM_OK)
    {
        members->live_out = 0;
        return IM_ERROR;
    }

    return IM_OK;
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
        asked = im_calloc(sizeof(im_link_asked_t) + topic.len);
        if (asked == NULL) {
            im_free(waiter);
            return IM_ERROR;
        }

        asked->owner = members;
        asked->how = how;
        asked->asked = now;
        asked->key = 2;
        asked->cursor_len = 1;
        asked->cursor[0] = '0';
        asked->topic = im_str_set(asked + 1, topic.len);
        im_copy(asked->topic.data, topic.data, topic.len);

        im_list_init(&asked->waiters);
        im_list_insert_tail(&members->asked, &asked->link);

        if (im_link_asked_start(asked) != IM_OK) {
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


void
im_link_members_workers(im_link_members_t *members,
    const im_link_reply_t *reply)
{
    im_link_names_t  *live;

    live = im_link_names_create(reply, 1, NULL);

    if (live != NULL) {
        im_link_names_unref(members->live);
        members->live = live;
        members->live_given = 1;
    }
}
