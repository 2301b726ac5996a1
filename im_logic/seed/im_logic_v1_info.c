/*
 * Copyright (C) The im authors
 *
 * /api/v1/count and getRoomInfo: the followers of a room get its room info.
 * /api/v1/online: the answer has the numbers of users and guests in a room.
 *
 * Pages ask without a token.  So what many ask of one room is one request to
 * its workers: they tell a room at most once a second anyway.  The numbers come
 * from one read of the members, which is kept for half a second.
 */

#include "im_logic_seed.h"
#include "im_logic_control.h"
#include "im_logic_limit.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_logic_token.h"
#include "im_logic_v1.h"
#include "im_daemon_time.h"


#define IM_V1_INFO_MAX     10      /* requests at once, of a room */
#define IM_V1_INFO_PERIOD  10      /* s: they are refilled in */
#define IM_V1_READS_MAX    40      /* the same of reads of its members */
#define IM_V1_READS_PERIOD  10


typedef struct im_logic_v1_info_s  im_logic_v1_info_t;

struct im_logic_v1_info_s {
    im_daemon_request_t  *r;
    im_str_t              room;
    im_str_t              topic;
    void                (*allowed)(im_logic_v1_info_t *info);
    unsigned              users:1;    /* the room is for users alone */
};


static void
im_logic_v1_info_control_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_v1_reply(data, 200, im_logic_control_read(reply) == NULL
                                 ? IM_V1_OK : IM_V1_AWAY);
}


static void
im_logic_v1_info_limit_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t             seconds;
    im_control_t          control;
    im_logic_v1_info_t   *info = data;
    im_daemon_request_t  *r;

    r = info->r;

    switch (im_logic_limit_read(reply, &seconds)) {

    case IM_OK:
        break;

    case IM_DECLINED:

        /* its followers have just been told */
        im_logic_v1_reply(r, 200, IM_V1_OK);
        return;

    default:
        im_logic_v1_reply(r, 200, IM_V1_AWAY);
        return;
    }

    im_control_init(&control, IM_CONTROL_ROOM_INFO);
    control.topic = im_logic_topic(r, im_topic_room, info->room);

    if (control.topic.data == NULL) {
        im_logic_v1_reply(r, 200, IM_V1_AWAY);
        return;
    }

    im_logic_control(r, &control, im_logic_v1_info_control_handler, r);
}


static void
im_logic_v1_info_tell(im_logic_v1_info_t *info)
{
    im_logic_limit_t  limit;

    limit.kind = IM_LIMIT_INFO;
    limit.n = IM_V1_INFO_MAX;
    limit.period = IM_V1_INFO_PERIOD;
    limit.subject = info->room;

    im_logic_limit(info->r->data, &limit, im_logic_v1_info_limit_handler,
                   info);
}


static void
im_logic_v1_info_members_handler(const im_members_t *members, void *data)
{
    im_buf_t             *b;
    uint64_t              guests;
    im_daemon_request_t  *r = data;

    if (members == NULL) {
        im_logic_v1_reply(r, 200, IM_V1_AWAY);
        return;
    }

    /* members that were only counted are as good as users */

    guests = members->count - im_min(members->rest, members->count);

    guests -= im_min(members->named, guests);

    b = im_daemon_buf(r, 128);
    im_logic_print(b, "{\"users\":%u,\"guests\":%u,\"sessions\":%u}",
                   members->users + members->rest, guests, members->count);

    im_logic_v1_reply_data(r, b);
}


static void
im_logic_v1_info_read(im_logic_v1_info_t *info)
{
    im_logic_members(info->r->data, info->topic, IM_LINK_MEMBERS_KEPT,
                     im_logic_v1_info_members_handler, info->r);
}


/* What came together with the first question shares its read. */
static void
im_logic_v1_info_reads_handler(const im_link_reply_t *reply, void *data)
{
    im_int_t             rc;
    im_uint_t            seconds;
    im_logic_t          *logic;
    im_logic_v1_info_t  *info = data;

    logic = info->r->data;
    rc = im_logic_limit_read(reply, &seconds);

    if (rc == IM_OK
        || (rc == IM_DECLINED
            && im_link_members_near(logic->members, info->topic,
                                    im_daemon_now())))
    {
        im_logic_v1_info_read(info);

    } else {
        im_logic_v1_reply(info->r, 200, IM_V1_AWAY);
    }
}


static void
im_logic_v1_info_count(im_logic_v1_info_t *info)
{
    im_logic_t        *logic;
    im_logic_limit_t   limit;

    logic = info->r->data;
    info->topic = im_logic_topic(info->r, im_topic_room, info->room);

    if (info->topic.data == NULL) {
        im_logic_v1_reply(info->r, 200, IM_V1_AWAY);
        return;
    }

    if (im_link_members_near(logic->members, info->topic, im_daemon_now())) {
        im_logic_v1_info_read(info);
        return;
    }

    limit.kind = IM_LIMIT_ONLINE;
    limit.n = IM_V1_READS_MAX;
    limit.period = IM_V1_READS_PERIOD;
    limit.subject = info->room;

    im_logic_limit(logic, &limit, im_logic_v1_info_reads_handler, info);
}


/* A guest gets no answer where the room is for users. */
static void
im_logic_v1_info_guest(im_logic_v1_info_t *info)
{
    if (info->users) {
        im_logic_v1_reply(info->r, 200, IM_V1_SEND);

    } else {
        info->allowed(info);
    }
}


static void
im_logic_v1_info_login_handler(im_login_e rc, const im_logic_login_t *login,
    void *data)
{
    im_logic_v1_info_t  *info = data;

    switch (rc) {

    case IM_LOGIN_FOUND:

        if (im_logic_token_room(login->rooms, info->room)) {
            info->allowed(info);
            return;
        }

        break;

    case IM_LOGIN_NONE:
        im_logic_v1_info_guest(info);
        return;

    case IM_LOGIN_KEPT_OUT:
        break;

    default:
        im_logic_v1_reply(info->r, 200, IM_V1_AWAY);
        return;
    }

    im_logic_v1_reply(info->r, 200, IM_V1_SEND);
}


static void
im_logic_v1_info_start(im_daemon_request_t *r,
    void (*allowed)(im_logic_v1_info_t *info))
{
    im_str_t             token;
    im_logic_t          *logic;
    const im_rule_t     *rule;
    im_logic_v1_info_t  *info;

    logic = r->data;
    info = im_daemon_alloc(r, sizeof(im_logic_v1_info_t));

    if (info == NULL || im_logic_unready(logic) != NULL) {
        im_logic_v1_reply(r, 200, IM_V1_AWAY);
        return;
    }

    info->r = r;
    info->allowed = allowed;

    rule = im_logic_v1_room(r, &info->room) == IM_OK
           ? im_rules_room(&logic->nodes->rules, info->room) : NULL;

    if (rule == NULL) {
        im_logic_v1_reply(r, 200, IM_V1_SEND);
        return;
    }

    info->users = rule->join != IM_RULE_JOIN_ANYONE;

    if (im_logic_token_shown(r, &token) == IM_OK
        && im_logic_token_valid(token))
    {
        im_logic_token_find(r, token, im_logic_v1_info_login_handler, info);

    } else {
        im_logic_v1_info_guest(info);
    }
}


void
im_logic_v1_info_handler(im_daemon_request_t *r)
{
    im_logic_v1_info_start(r, im_logic_v1_info_tell);
}


void
im_logic_v1_online_handler(im_daemon_request_t *r)
{
    im_logic_v1_info_start(r, im_logic_v1_info_count);
}
