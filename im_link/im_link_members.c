/*
 * Copyright (C) The im authors
 *
 * The members of topics.  Live workers are read first, unless they are known;
 * then come the pages.
 *
 * A page has routes and members of the same moment.  If it has a route of a
 * worker whose keys were not named, or that isn't known to live, it is read
 * again.  Of several pages each is of its own moment.  Sessions move to younger
 * workers only, and the keys of younger ones come later: so a session that
 * moves meanwhile is read once at least.
 */

#include "im_link_members.h"
#include "im_link_living.h"
#include "im_id.h"
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
#define IM_LINK_MEMBERS_AGAIN   8            /* first pages of a question */


typedef enum {
    IM_LINK_ASKED_LIVE = 0,      /* waits for a list of those that live */
    IM_LINK_ASKED_FIRST,         /* the page with routes is out */
    IM_LINK_ASKED_NEXT,          /* another page is out */
    IM_LINK_ASKED_KEPT
} im_link_asked_e;


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
    uint64_t             list;       /* it waits for this one, or was sent */
                                     /* behind it */
    uint64_t             total;      /* members that the keys have */
    im_uint_t            key;        /* where the next page begins */
    uint32_t             nsessions;  /* 0: all */
    uint8_t              nagain;
    uint8_t              cursor_len;
    u_char               cursor[IM_LINK_MEMBERS_CURSOR];
    im_str_t             topic;      /* in this block */
    im_str_t             sessions;   /* too, IM_UUID_LEN bytes each */
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
    im_link_living_t     living;
};


static im_int_t im_link_asked_page(im_link_asked_t *asked);


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

    im_link_living_cleanup(&members->living);
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
            && asked->how != IM_LINK_MEMBERS_FIND
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


/* Names keys of workers, and reads the first page with them. */
static im_int_t
im_link_asked_first(im_link_asked_t *asked, im_link_names_t *workers)
{
    im_link_names_unref(asked->workers);
    im_members_cleanup(&asked->members);

    asked->workers = workers;
    asked->state = IM_LINK_ASKED_FIRST;
    asked->list = asked->owner->living.lists;
    asked->total = 0;
    asked->key = 2;
    asked->cursor_len = 1;
    asked->cursor[0] = '0';

    return im_link_asked_page(asked);
}


static im_int_t
im_link_asked_begin(im_link_asked_t *asked)
{
    im_link_names_t  *live;

    live = asked->owner->living.names;

    if (live->n > IM_LINK_MEMBERS_FEW || asked->how == IM_LINK_MEMBERS_COUNTS) {
        live = NULL;

    } else {
        live->refs++;
    }

    return im_link_asked_first(asked, live);
}


/*
 * Waits for a list of workers, the number of which is asked->list.  IM_ERROR:
 * there will be none.
 */
static im_int_t
im_link_asked_wait(im_link_asked_t *asked, uint64_t now)
{
    asked->state = IM_LINK_ASKED_LIVE;

    return im_link_living_ask(&asked->owner->living, now);
}


/*
 * Waits if there are routes of workers that are not known.  While the registry
 * is away those that were known before are good enough.
 */
static im_int_t
im_link_asked_strangers(im_link_asked_t *asked, const im_link_reply_t *routes)
{
    uint64_t           list, last;
    im_str_t           worker;
    im_uint_t          i;
    im_link_living_t  *living;

    living = &asked->owner->living;

    if (asked->nagain == IM_LINK_MEMBERS_AGAIN
        || !im_link_ready(living->link, IM_LINK_REGISTRY))
    {
        return IM_OK;
    }

    for (i = 0, last = 0; i + 1 < im_link_reply_len(routes); i += 2) {
        worker = im_link_reply_str_at(routes, i);

        if (!im_link_living_has(living, worker)) {
            list = im_link_living_stranger(living, worker, asked->list);
            last = im_max(last, list);
        }
    }

    if (last == 0) {
        return IM_OK;
    }

    asked->nagain++;
    asked->list = last;

    return im_link_asked_wait(asked, asked->asked) == IM_OK ? IM_AGAIN
                                                            : IM_ERROR;
}


/* Workers that live, and whose keys were not named. */
static int
im_link_asked_unnamed(const im_link_asked_t *asked,
    const im_link_reply_t *routes)
{
    im_str_t   worker;
    im_uint_t  i;

    for (i = 0; i + 1 < im_link_reply_len(routes); i += 2) {
        worker = im_link_reply_str_at(routes, i);

        if (im_link_living_has(&asked->owner->living, worker)
            && (asked->workers == NULL
                || !im_link_names_have(asked->workers, worker)))
        {
            return 1;
        }
    }

    return 0;
}


/* IM_AGAIN: it is begun anew, now or later. */
static im_int_t
im_link_asked_check(im_link_asked_t *asked, const im_link_reply_t *routes)
{
    im_int_t          rc;
    im_link_names_t  *names;

    rc = im_link_asked_strangers(asked, routes);

    if (rc != IM_OK || asked->how == IM_LINK_MEMBERS_COUNTS
        || asked->nagain == IM_LINK_MEMBERS_AGAIN
        || !im_link_asked_unnamed(asked, routes))
    {
        return rc;
    }

    asked->nagain++;
    names = im_link_names_create(routes, 2, &asked->owner->living);

    return names != NULL && im_link_asked_first(asked, names) == IM_OK
           ? IM_AGAIN : IM_ERROR;
}


static void
im_link_asked_count(im_link_asked_t *asked, const im_link_reply_t *routes)
{
    im_uint_t  i;

    for (i = 0; i + 1 < im_link_reply_len(routes); i += 2) {
        if (im_link_living_has(&asked->owner->living,
                               im_link_reply_str_at(routes, i)))
        {
            im_members_add_route(&asked->members,
                                 im_link_reply_str_at(routes, i + 1));
        }
    }
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

    if (failed || asked->how == IM_LINK_MEMBERS_COUNTS
        || asked->how == IM_LINK_MEMBERS_FIND)
    {
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

    if (rc == IM_OK) {
        rc = im_link_asked_check(asked, im_link_reply_at(reply, 0));
    }

    if (rc == IM_AGAIN) {
        return;
    }

    if (rc == IM_OK && asked->state == IM_LINK_ASKED_FIRST) {
        asked->total = (uint64_t) im_link_reply_int_at(reply, 1, 0);
        im_link_asked_count(asked, im_link_reply_at(reply, 0));
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

    for (i = 0; i < asked->nsessions; i++) {
        im_link_call_str(call, im_str_set(asked->sessions.data
                                          + i * IM_UUID_LEN, IM_UUID_LEN));
    }

    return im_link_send(link, im_link_asked_page_handler, asked);
}


/* A list has come: questions that waited for it go on. */
static void
im_link_members_listed(void *data)
{
    im_list_t           waiting;
    im_link_asked_t    *asked;
    im_link_living_t   *living;
    im_link_members_t  *members = data;

    living = &members->living;

    im_list_init(&waiting);
    im_list_splice(&waiting, &members->asked);

    while (!im_list_empty(&waiting)) {
        asked = im_list_data(im_list_first(&waiting), im_link_asked_t, link);

        im_list_remove(&asked->link);
        im_list_insert_tail(&members->asked, &asked->link);

        if (asked->state != IM_LINK_ASKED_LIVE) {
            continue;
        }

        if (asked->list > living->lists
            ? im_link_asked_wait(asked, asked->asked) != IM_OK
            : !im_link_living_known(living, asked->asked, IM_LEASE_WORKER)
              || im_link_asked_begin(asked) != IM_OK)
        {
            im_link_asked_done(asked, 1);
        }
    }
}


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

    im_link_living_init(&members->living, link, im_link_members_listed,
                        members);

    return members;
}


/*
 * While younger names are asked for, the older ones are good enough; while the
 * registry is away, for as long as leases last.
 */
static im_int_t
im_link_asked_start(im_link_asked_t *asked)
{
    im_link_living_t   *living;
    im_link_members_t  *members;

    members = asked->owner;
    living = &members->living;

    if ((living->names != NULL && im_link_living_out(living))
        || im_link_living_known(living, asked->asked,
                                im_link_ready(members->link, IM_LINK_REGISTRY)
                                ? IM_LINK_MEMBERS_KEEP : IM_LEASE_WORKER))
    {
        return im_link_asked_begin(asked);
    }

    return im_link_asked_wait(asked, asked->asked);
}


static im_link_asked_t *
im_link_asked_create(im_link_members_t *members, im_str_t topic,
    im_link_members_e how, const im_str_t *sessions, im_uint_t n, uint64_t now)
{
    im_uint_t         i;
    im_link_asked_t  *asked;

    asked = im_calloc(sizeof(im_link_asked_t) + topic.len + n * IM_UUID_LEN);
    if (asked == NULL) {
        return NULL;
    }

    asked->owner = members;
    asked->how = how;
    asked->asked = now;

    asked->topic = im_str_set(asked + 1, topic.len);
    im_copy(asked->topic.data, topic.data, topic.len);

    asked->sessions = im_str_set(asked->topic.data + topic.len,
                                 n * IM_UUID_LEN);

    for (i = 0; i < n; i++) {
        if (sessions[i].len == IM_UUID_LEN) {
            im_copy(asked->sessions.data + asked->nsessions++ * IM_UUID_LEN,
                    sessions[i].data, IM_UUID_LEN);
        }
    }

    im_list_init(&asked->waiters);
    im_list_insert_tail(&members->asked, &asked->link);

    if (im_link_asked_start(asked) != IM_OK) {
        im_link_asked_destroy(asked);
        return NULL;
    }

    return asked;
}


static im_link_waiter_t *
im_link_waiter_create(im_link_members_pt handler, void *data)
{
    im_link_waiter_t  *waiter;

    waiter = im_alloc(sizeof(im_link_waiter_t));

    if (waiter != NULL) {
        waiter->handler = handler;
        waiter->data = data;
    }

    return waiter;
}


im_int_t
im_link_members_ask(im_link_members_t *members, im_str_t topic,
    im_link_members_e how, uint64_t now, im_link_members_pt handler,
    void *data)
{
    im_link_asked_t   *asked;
    im_link_waiter_t  *waiter;

    waiter = im_link_waiter_create(handler, data);
    if (waiter == NULL) {
        return IM_ERROR;
    }

    asked = how == IM_LINK_MEMBERS_KEPT
            ? im_link_asked_find(&members->asked, topic, now) : NULL;

    if (asked == NULL) {
        asked = im_link_asked_create(members, topic, how, NULL, 0, now);
    }

    if (asked == NULL) {
        im_free(waiter);
        return IM_ERROR;
    }

    im_list_insert_tail(&asked->waiters, &waiter->link);

    return IM_OK;
}


im_int_t
im_link_members_find(im_link_members_t *members,
    const im_link_find_t *find, uint64_t now, im_link_members_pt handler,
    void *data)
{
    im_link_asked_t   *asked;
    im_link_waiter_t  *waiter;

    waiter = im_link_waiter_create(handler, data);
    if (waiter == NULL) {
        return IM_ERROR;
    }

    asked = im_link_asked_create(members, find->topic, IM_LINK_MEMBERS_FIND,
                                 find->sessions, find->n, now);
    if (asked == NULL) {
        im_free(waiter);
        return IM_ERROR;
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
    im_link_living_given(&members->living, reply);
}
