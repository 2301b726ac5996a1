/*
 * Copyright (C) The im authors
 *
 * Whether a user follows a room: a room may have very many members, a user has
 * few sessions.  So the user's sessions are read, and each is looked for among
 * the members that its worker has in the room.
 */

#include "im_logic_follows.h"


#define IM_FOLLOWS_MAX  128        /* sessions that are looked for */


typedef struct {
    im_logic_t           *logic;
    im_str_t              topic;    /* the room's */
    im_logic_follows_pt   handler;
    void                 *data;
    im_uint_t             left;     /* replies to come */
    unsigned              found:1;
    unsigned              failed:1;
} im_logic_follows_t;


static void
im_logic_follows_replied(im_logic_follows_t *f)
{
    if (--f->left == 0) {
        f->handler(f->found ? 1 : f->failed ? -1 : 0, f->data);
    }
}


static void
im_logic_follows_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_follows_t  *f = data;

    if (im_logic_fault(reply, "reading a member") != NULL) {
        f->failed = 1;

    } else if (im_link_reply_int(reply, 0) == 1) {
        f->found = 1;
    }

    im_logic_follows_replied(f);
}


static void
im_logic_follows_members_handler(const im_members_t *members, void *data)
{
    im_uint_t            i;
    im_logic_t          *logic;
    im_link_call_t      *call;
    const im_member_t   *m;
    im_logic_follows_t  *f = data;

    if (members == NULL) {
        f->handler(-1, f->data);
        return;
    }

    logic = f->logic;

    /* one more, so that it doesn't end before all are sent */
    f->left = 1;

    for (i = 0; i < members->n && i < IM_FOLLOWS_MAX; i++) {
        m = &members->elts[i];
        call = im_link_command(logic->link, "HEXISTS");

        im_key_members(&call->bytes, im_link_keys(logic->link),
                       im_logic_partition(logic, f->topic), f->topic,
                       m->worker);
        im_link_call_key(call);
        im_link_call_str(call, m->session);

        f->left++;
        im_logic_send(logic, im_logic_follows_handler, f);
    }

    im_logic_follows_replied(f);
}


void
im_logic_follows(im_daemon_request_t *r, im_str_t user, im_str_t room,
    im_logic_follows_pt handler, void *data)
{
    im_logic_follows_t  *f;

    f = im_daemon_alloc(r, sizeof(im_logic_follows_t));

    if (f == NULL) {
        handler(-1, data);
        return;
    }

    f->logic = r->data;
    f->topic = im_logic_topic(r, im_topic_room, room);
    f->handler = handler;
    f->data = data;

    if (f->topic.data == NULL) {
        handler(-1, data);
        return;
    }

    im_logic_members(f->logic, im_logic_topic(r, im_topic_user, user),
                     IM_LINK_MEMBERS_FRESH, im_logic_follows_members_handler,
                     f);
}
