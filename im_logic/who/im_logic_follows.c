/*
 * Copyright (C) The im authors
 *
 * Whether a user follows a room: a room may have very many members, a user has
 * few sessions.  So the user's sessions are read, and then looked for among the
 * members that all workers have in the room: between the two they may have
 * moved to another worker.
 */

#include "im_logic_follows.h"


#define IM_FOLLOWS_MAX  128        /* sessions that are looked for */


typedef struct {
    im_logic_t           *logic;
    im_str_t              topic;    /* the room's */
    im_logic_follows_pt   handler;
    void                 *data;
} im_logic_follows_t;


static void
im_logic_follows_handler(const im_members_t *members, void *data)
{
    im_logic_follows_t  *f = data;

    f->handler(members == NULL ? -1 : members->n > 0, f->data);
}


static void
im_logic_follows_members_handler(const im_members_t *members, void *data)
{
    im_str_t             sessions[IM_FOLLOWS_MAX];
    im_uint_t            i;
    im_link_find_t       find;
    im_logic_follows_t  *f = data;

    if (members == NULL || members->n == 0) {
        f->handler(members == NULL ? -1 : 0, f->data);
        return;
    }

    find.topic = f->topic;
    find.sessions = sessions;
    find.n = im_min(members->n, IM_FOLLOWS_MAX);

    for (i = 0; i < find.n; i++) {
        sessions[i] = members->elts[i].session;
    }

    im_logic_find(f->logic, &find, im_logic_follows_handler, f);
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
