/*
 * Copyright (C) The im authors
 *
 * The routes first, then the members of each live worker, in pages.
 */

#include "im_logic_members.h"
#include "im_logic_nodes.h"
#include "im_key.h"


#define IM_MEMBERS_PAGE  "1000"


/* A question under way. */
typedef struct {
    im_logic_t           *logic;
    im_logic_member_pt    member;
    im_logic_counted_pt   done;
    void                 *data;
    im_logic_counted_t    counted;
    im_buf_t              topic;
    im_uint_t             looked;     /* sessions seen */
    im_uint_t             left;       /* replies to come */
    uint16_t              p;
} im_logic_members_t;


/* One worker's members, page by page. */
typedef struct {
    im_logic_members_t   *members;
    im_str_t              worker;
    u_char                worker_data[IM_WORKER_MAX];
} im_logic_page_t;


static im_int_t im_logic_members_routes(im_logic_members_t *members);
static void im_logic_members_routes_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_members_route(im_logic_members_t *members,
    im_str_t worker, im_str_t value);
static void im_logic_members_worker(im_logic_members_t *members,
    im_str_t worker);
static im_int_t im_logic_page_ask(im_logic_page_t *page, im_str_t cursor);
static void im_logic_page_handler(const im_daemon_reply_t *reply, void *data);
static void im_logic_page_member(im_logic_page_t *page, im_str_t session,
    im_str_t json);
static void im_logic_members_done(im_logic_members_t *members);
static void im_logic_members_free(im_logic_members_t *members);


im_int_t
im_logic_members_read(im_logic_t *logic, im_str_t topic,
    im_logic_member_pt member, im_logic_counted_pt done, void *data)
{
    im_logic_members_t  *members;

    members = im_calloc(sizeof(im_logic_members_t));
    if (members == NULL) {
        return IM_ERROR;
    }

    members->logic = logic;
    members->member = member;
    members->done = done;
    members->data = data;
    members->p = im_partition(topic,
                              im_daemon_redis_partitions(logic->redis));

    im_buf_init(&members->topic, topic.len);
    im_buf_add_str(&members->topic, topic);

    if (members->topic.failed || im_logic_members_routes(members) != IM_OK) {
        im_logic_members_free(members);
        return IM_ERROR;
    }

    return IM_OK;
}


static im_int_t
im_logic_members_routes(im_logic_members_t *members)
{
    im_buf_t     key;
    im_int_t     rc;
    im_str_t     args[2];
    im_logic_t  *logic;

    logic = members->logic;

    im_buf_init(&key, 1024);
    im_key_topic(&key, logic->prefix, members->p,
                 im_buf_str(&members->topic), IM_KEY_ROUTES);

    args[0] = im_str_z("HGETALL");
    args[1] = im_buf_str(&key);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, members->p, args, 2,
                                   im_logic_members_routes_handler, members);

    im_buf_cleanup(&key);

    return rc;
}


static void
im_logic_members_routes_handler(const im_daemon_reply_t *reply, void *data)
{
    im_uint_t                 i;
    im_logic_members_t       *members = data;
    const im_daemon_reply_t  *worker, *value;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        members->counted.failed = 1;
    }

    members->left = 1;

    for (i = 0; i + 1 < im_daemon_reply_len(reply); i += 2) {
        worker = im_daemon_reply_at(reply, i);
        value = im_daemon_reply_at(reply, i + 1);

        im_logic_members_route(members, im_daemon_reply_str(worker),
                               im_daemon_reply_str(value));
    }

    if (--members->left == 0) {
        im_logic_members_done(members);
    }
}


/* value is "count:version". */
static void
im_logic_members_route(im_logic_members_t *members, im_str_t worker,
    im_str_t value)
{
    uint64_t   count;
    im_uint_t  i;

    if (worker.len > IM_WORKER_MAX
        || !im_logic_nodes_live(members->logic, worker))
    {
        return;
    }

    count = 0;

    for (i = 0; i < value.len && i < 18; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        count = count * 10 + value.data[i] - '0';
    }

    members->counted.count += count;

    if (members->member != NULL) {
        im_logic_members_worker(members, worker);
    }
}


static void
im_logic_members_worker(im_logic_members_t *members, im_str_t worker)
{
    im_str_t          start = im_str("0");
    im_logic_page_t  *page;

    page = im_calloc(sizeof(im_logic_page_t));
    if (page == NULL) {
        members->counted.failed = 1;
        return;
    }

    page->members = members;
    memcpy(page->worker_data, worker.data, worker.len);
    page->worker = im_str_set(page->worker_data, worker.len);

    if (im_logic_page_ask(page, start) != IM_OK) {
        im_free(page);
        members->counted.failed = 1;
        return;
    }

    members->left++;
}


static im_int_t
im_logic_page_ask(im_logic_page_t *page, im_str_t cursor)
{
    im_buf_t             key;
    im_int_t             rc;
    im_str_t             args[5];
    im_logic_t          *logic;
    im_logic_members_t  *members;

    members = page->members;
    logic = members->logic;

    im_buf_init(&key, 1024);
    im_key_members(&key, logic->prefix, members->p,
                   im_buf_str(&members->topic), page->worker);

    args[0] = im_str_z("HSCAN");
    args[1] = im_buf_str(&key);
    args[2] = cursor;
    args[3] = im_str_z("COUNT");
    args[4] = im_str_z(IM_MEMBERS_PAGE);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, members->p, args, 5,
                                   im_logic_page_handler, page);

    im_buf_cleanup(&key);

    return rc;
}


static void
im_logic_page_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t                  cursor, end = im_str("0");
    im_uint_t                 i;
    im_logic_page_t          *page = data;
    im_logic_members_t       *members;
    const im_daemon_reply_t  *pairs;

    members = page->members;
    cursor = im_daemon_reply_str(im_daemon_reply_at(reply, 0));
    pairs = im_daemon_reply_at(reply, 1);

    if (im_daemon_reply_len(reply) != 2) {
        members->counted.failed = 1;
        cursor = end;
    }

    for (i = 0; i + 1 < im_daemon_reply_len(pairs); i += 2) {
        im_logic_page_member(page,
                             im_daemon_reply_str(im_daemon_reply_at(pairs, i)),
                             im_daemon_reply_str(im_daemon_reply_at(pairs,
                                                                    i + 1)));
    }

    if (!im_str_eq(cursor, end)) {

        if (members->looked < IM_MEMBERS_MAX) {
            if (im_logic_page_ask(page, cursor) == IM_OK) {
                return;
            }

            members->counted.failed = 1;
        }

        members->counted.more = 1;
    }

    im_free(page);

    if (--members->left == 0) {
        im_logic_members_done(members);
    }
}


static void
im_logic_page_member(im_logic_page_t *page, im_str_t session, im_str_t json)
{
    im_buf_t             arena;
    im_member_t          m;
    im_logic_members_t  *members;

    members = page->members;
    members->looked++;

    im_buf_init(&arena, json.len + 1);

    if (im_member_decode(json, &arena, &m) == IM_OK) {
        m.session = session;
        members->member(members->data, page->worker, &m);
    }

    im_buf_cleanup(&arena);
}


static void
im_logic_members_done(im_logic_members_t *members)
{
    members->done(members->data, &members->counted);

    im_logic_members_free(members);
}


static void
im_logic_members_free(im_logic_members_t *members)
{
    im_buf_cleanup(&members->topic);
    im_free(members);
}
