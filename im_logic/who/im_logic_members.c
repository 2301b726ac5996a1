/*
 * Copyright (C) The im authors
 *
 * The routes first, then the members of each live worker, in pages.
 */

#include "im_logic_members.h"
#include "im_logic_nodes.h"


#define IM_MEMBERS_PAGE  1000


/* A topic that is read. */
typedef struct {
    im_daemon_request_t  *r;
    im_logic_t           *logic;
    im_str_t              topic;
    im_logic_member_pt    member;
    im_logic_counted_pt   done;
    void                 *data;
    im_logic_counted_t    counted;
    im_uint_t             seen;       /* sessions */
    im_uint_t             left;       /* replies to come */
} im_logic_members_t;


/* The members of one worker, page by page. */
typedef struct {
    im_logic_members_t   *members;
    im_str_t              worker;
    im_buf_t             *strings;    /* of one member */
} im_logic_page_t;


static void im_logic_members_handler(const im_link_reply_t *reply, void *data);
static void im_logic_members_route(im_logic_members_t *members,
    im_str_t worker, im_str_t value);
static void im_logic_members_worker(im_logic_members_t *members,
    im_str_t worker);
static void im_logic_page_read(im_logic_page_t *page, im_str_t cursor);
static void im_logic_page_handler(const im_link_reply_t *reply, void *data);
static void im_logic_page_member(im_logic_page_t *page, im_str_t session,
    im_str_t json);
static void im_logic_members_replied(im_logic_members_t *members);


void
im_logic_members_read(im_daemon_request_t *r, im_str_t topic,
    im_logic_member_pt member, im_logic_counted_pt done, void *data)
{
    im_link_call_t      *call;
    im_logic_members_t  *members;

    static const im_logic_counted_t  none = { .failed = 1 };

    members = im_daemon_alloc(r, sizeof(im_logic_members_t));

    if (members == NULL || topic.data == NULL) {
        done(data, &none);
        return;
    }

    members->r = r;
    members->logic = r->data;
    members->topic = topic;
    members->member = member;
    members->done = done;
    members->data = data;

    call = im_link_command(members->logic->link, "HGETALL");
    im_logic_key(members->logic, call, topic, IM_KEY_ROUTES);

    im_logic_send(members->logic, im_logic_members_handler, members);
}


static void
im_logic_members_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t            i;
    im_logic_members_t  *members = data;

    if (im_logic_fault(reply, "reading routes") != NULL) {
        members->counted.failed = 1;
    }

    /* one more, so that it doesn't end before all are sent */
    members->left = 1;

    for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
        im_logic_members_route(members, im_link_reply_str_at(reply, i),
                               im_link_reply_str_at(reply, i + 1));
    }

    im_logic_members_replied(members);
}


/* value is "count:version". */
static void
im_logic_members_route(im_logic_members_t *members, im_str_t worker,
    im_str_t value)
{
    uint64_t   count;
    im_uint_t  i;

    if (!im_logic_nodes_live(members->logic, worker)) {
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

    page = im_daemon_alloc(members->r, sizeof(im_logic_page_t));

    if (page != NULL) {
        page->members = members;
        page->worker = im_daemon_copy(members->r, worker);
        page->strings = im_daemon_buf(members->r, IM_LOGIC_MAX_REPLY);
    }

    if (page == NULL || page->worker.data == NULL) {
        members->counted.failed = 1;
        return;
    }

    members->left++;
    im_logic_page_read(page, start);
}


static void
im_logic_page_read(im_logic_page_t *page, im_str_t cursor)
{
    im_logic_t          *logic;
    im_link_call_t      *call;
    im_logic_members_t  *members;

    members = page->members;
    logic = members->logic;

    call = im_link_command(logic->link, "HSCAN");

    im_key_members(&call->bytes, logic->prefix,
                   im_logic_partition(logic, members->topic), members->topic,
                   page->worker);
    im_link_call_key(call);
    im_link_call_str(call, cursor);
    im_link_call_z(call, "COUNT");
    im_link_call_uint(call, IM_MEMBERS_PAGE);

    im_logic_send(logic, im_logic_page_handler, page);
}


static void
im_logic_page_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t                cursor, end = im_str("0");
    im_uint_t               i;
    im_logic_page_t        *page = data;
    im_logic_members_t     *members;
    const im_link_reply_t  *pairs;

    members = page->members;
    cursor = im_link_reply_str_at(reply, 0);
    pairs = im_link_reply_at(reply, 1);

    if (im_link_reply_len(reply) != 2) {
        members->counted.failed = 1;
        cursor = end;
    }

    for (i = 0; i + 1 < im_link_reply_len(pairs); i += 2) {
        im_logic_page_member(page, im_link_reply_str_at(pairs, i),
                             im_link_reply_str_at(pairs, i + 1));
    }

    if (!im_str_eq(cursor, end)) {
        if (members->seen < IM_MEMBERS_MAX) {
            im_logic_page_read(page, cursor);
            return;
        }

        members->counted.more = 1;
    }

    im_logic_members_replied(members);
}


static void
im_logic_page_member(im_logic_page_t *page, im_str_t session, im_str_t json)
{
    im_member_t          m;
    im_logic_members_t  *members;

    members = page->members;
    members->seen++;

    im_buf_reset(page->strings, 4096);

    if (im_member_decode(json, page->strings, &m) == IM_OK) {
        m.session = session;
        members->member(members->data, page->worker, &m);
    }
}


static void
im_logic_members_replied(im_logic_members_t *members)
{
    if (--members->left == 0) {
        members->done(members->data, &members->counted);
    }
}
