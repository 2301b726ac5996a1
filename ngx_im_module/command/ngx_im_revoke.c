/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 *
 * What Redis has is read when a renewal of the lease says that it has changed,
 * and sessions of those users are closed then: a kick that got lost is made
 * up for.  Ends are kept by this worker's clock.
 */

#include "ngx_im_revoke.h"
#include "ngx_im_follow.h"
#include "ngx_im_sync.h"


#define NGX_IM_REVOKED_MAX   20000


typedef struct {
    im_hash_node_t  node;
    im_list_t       link;         /* in all */
    ngx_msec_t      end;
    uint32_t        round;        /* of the list that has it, or is to */
    uint8_t         len;
    u_char          user[1];
} ngx_im_revoked_t;


typedef struct ngx_im_revoke_s  ngx_im_revoke_t;

/* Owned by the worker. */
struct ngx_im_revoke_s {
    im_hash_t       users;
    im_list_t       all;
    im_buf_t        revision;     /* of Redis' list, as lease.lua tells it */
    uint32_t        round;        /* of the list that was asked for last */
    ngx_msec_t      asked_at;     /* when that was */
    uint64_t        asked_ms;     /* the same by Redis' clock */
};


static im_str_t ngx_im_revoke_name(const im_hash_node_t *node);
static void ngx_im_revoke_load(ngx_im_worker_t *w);
static void ngx_im_revoke_handler(const im_link_reply_t *reply, void *data);
static ngx_im_revoked_t *ngx_im_revoke_set(ngx_im_revoke_t *revoke,
    im_str_t user, ngx_msec_t end);
static void ngx_im_revoke_remove(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r);
static void ngx_im_revoke_purge(ngx_im_revoke_t *revoke, uint32_t round);
static int ngx_im_revoke_lasts(ngx_im_revoked_t *r);
static void ngx_im_revoke_close(ngx_im_worker_t *w, im_str_t user);


ngx_int_t
ngx_im_revoke_init(ngx_im_worker_t *w)
{
    w->revoke = im_calloc(sizeof(ngx_im_revoke_t));
    if (w->revoke == NULL) {
        return NGX_ERROR;
    }

    im_buf_init(&w->revoke->revision, 32);
    im_list_init(&w->revoke->all);

    return im_hash_init(&w->revoke->users, ngx_im_revoke_name,
                        w->hub.users.seed);
}


static im_str_t
ngx_im_revoke_name(const im_hash_node_t *node)
{
    ngx_im_revoked_t  *r;

    r = im_list_data(node, ngx_im_revoked_t, node);

    return im_str_set(r->user, r->len);
}


void
ngx_im_revoke_cleanup(ngx_im_worker_t *w)
{
    ngx_im_revoke_t  *revoke;

    revoke = w->revoke;

    if (revoke == NULL) {
        return;
    }

    w->revoke = NULL;

    ngx_im_revoke_purge(revoke, revoke->round + 1);

    im_hash_cleanup(&revoke->users);
    im_buf_cleanup(&revoke->revision);
    im_free(revoke);
}


int
ngx_im_revoked(ngx_im_worker_t *w, im_str_t user)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    if (w->revoke == NULL || w->revoke->users.count == 0) {
        return 0;
    }

    node = im_hash_find(&w->revoke->users, user);
    if (node == NULL) {
        return 0;
    }

    r = im_list_data(node, ngx_im_revoked_t, node);

    if (ngx_im_revoke_lasts(r)) {
        return 1;
    }

    ngx_im_revoke_remove(w->revoke, r);

    return 0;
}


void
ngx_im_revoke(ngx_im_worker_t *w, im_str_t user, ngx_uint_t seconds)
{
    im_hash_node_t  *node;

    if (seconds == 0) {
        node = im_hash_find(&w->revoke->users, user);

        if (node != NULL) {
            ngx_im_revoke_remove(w->revoke,
                                 im_list_data(node, ngx_im_revoked_t, node));
        }

        return;
    }

    (void) ngx_im_revoke_set(w->revoke, user,
                             ngx_current_msec + seconds * 1000);
}


void
ngx_im_revoke_revision(ngx_im_worker_t *w, im_str_t revision)
{
    if (im_str_eq(im_buf_str(&w->revoke->revision), revision)) {
        return;
    }

    im_buf_reset(&w->revoke->revision, 32);
    im_buf_add_str(&w->revoke->revision, revision);

    ngx_im_revoke_load(w);
}


static void
ngx_im_revoke_load(ngx_im_worker_t *w)
{
    im_link_call_t   *call;
    ngx_im_revoke_t  *revoke;

    revoke = w->revoke;

    revoke->round++;
    revoke->asked_at = ngx_current_msec;
    revoke->asked_ms = ngx_im_follow_clock(w);

    call = im_link_command(w->link, "ZRANGEBYSCORE");

    im_key_revoked(&call->bytes, im_link_prefix(w->link));
    im_link_call_key(call);

    im_link_call_uint(call, revoke->asked_ms);
    im_link_call_z(call, "+inf");
    im_link_call_z(call, "WITHSCORES");
    im_link_call_z(call, "LIMIT");
    im_link_call_z(call, "0");
    im_link_call_uint(call, NGX_IM_REVOKED_MAX);

    if (im_link_send(w->link, ngx_im_revoke_handler, w) != IM_OK) {
        im_buf_reset(&revoke->revision, 32);
    }
}


static void
ngx_im_revoke_handler(const im_link_reply_t *reply, void *data)
{
    size_t            i;
    im_str_t          user;
    uint64_t          end;
    ngx_im_worker_t  *w;
    ngx_im_revoke_t  *revoke;

    w = data;
    revoke = w->revoke;

    /* asked again with the next renewal */

    if (!im_link_reply_is_array(reply, 0)) {
        im_buf_reset(&revoke->revision, 32);
        return;
    }

    for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
        user = im_link_reply_str_at(reply, i);
        end = im_link_reply_int_at(reply, i + 1, 0);

        if (!im_name_valid(user) || end <= revoke->asked_ms) {
            continue;
        }

        if (ngx_im_revoke_set(revoke, user,
                              revoke->asked_at + (end - revoke->asked_ms))
            != NULL)
        {
            ngx_im_revoke_close(w, user);
        }
    }

    ngx_im_revoke_purge(revoke, revoke->round);
}


/* Of the round that was asked for last: it stays when that is answered. */
static ngx_im_revoked_t *
ngx_im_revoke_set(ngx_im_revoke_t *revoke, im_str_t user, ngx_msec_t end)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    node = im_hash_find(&revoke->users, user);

    if (node != NULL) {
        r = im_list_data(node, ngx_im_revoked_t, node);
        r->end = end;
        r->round = revoke->round;
        return r;
    }

    if (revoke->users.count >= NGX_IM_REVOKED_MAX) {
        ngx_im_revoke_purge(revoke, revoke->round);
    }

    if (revoke->users.count >= NGX_IM_REVOKED_MAX) {
        return NULL;
    }

    r = im_calloc(sizeof(ngx_im_revoked_t) + user.len);
    if (r == NULL) {
        return NULL;
    }

    r->end = end;
    r->round = revoke->round;
    r->len = user.len;
    ngx_memcpy(r->user, user.data, user.len);

    im_hash_add(&revoke->users, &r->node);
    im_list_insert_tail(&revoke->all, &r->link);

    return r;
}


static void
ngx_im_revoke_remove(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r)
{
    im_hash_remove(&revoke->users, &r->node);
    im_list_remove(&r->link);
    im_free(r);
}


/* What has ended goes, and what the list of a round doesn't have. */
static void
ngx_im_revoke_purge(ngx_im_revoke_t *revoke, uint32_t round)
{
    im_list_t         *q;
    ngx_im_revoked_t  *r;

    q = im_list_first(&revoke->all);

    while (q != im_list_sentinel(&revoke->all)) {
        r = im_list_data(q, ngx_im_revoked_t, link);
        q = im_list_next(q);

        if (r->round != round || !ngx_im_revoke_lasts(r)) {
            ngx_im_revoke_remove(revoke, r);
        }
    }
}


static int
ngx_im_revoke_lasts(ngx_im_revoked_t *r)
{
    return (ngx_msec_int_t) (r->end - ngx_current_msec) > 0;
}


static void
ngx_im_revoke_close(ngx_im_worker_t *w, im_str_t user)
{
    im_list_t  *q;
    im_user_t  *u;

    u = im_hub_user(&w->hub, user);

    if (u == NULL) {
        return;
    }

    for (q = im_list_first(&u->sessions);
         q != im_list_sentinel(&u->sessions);
         q = im_list_next(q))
    {
        ngx_im_session_close(im_list_data(q, ngx_im_session_t, user_link),
                             IM_REASON_KICKED, "the user is kept out");
    }
}
