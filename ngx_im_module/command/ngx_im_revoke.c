/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 *
 * What Redis has is read when a renewal of the lease says that it has changed,
 * and sessions of those users are closed then: a kick that got lost is made
 * up for.  Ends are kept by this worker's clock.
 */

#include "ngx_im_control.h"
#include "ngx_im_follow.h"
#include "ngx_im_revoke.h"
#include "ngx_im_sync.h"


#define NGX_IM_REVOKED_MAX   20000
#define NGX_IM_REVOKED_WALK  64


typedef struct {
    im_hash_node_t  node;
    ngx_msec_t      end;
    ngx_msec_t      added;        /* by a kick */
    unsigned        kicked:1;
    uint8_t         len;
    u_char          user[1];
} ngx_im_revoked_t;


typedef struct ngx_im_revoke_s  ngx_im_revoke_t;

typedef int (*ngx_im_revoke_stays_pt)(ngx_im_revoke_t *revoke,
    ngx_im_revoked_t *r);


/* Owned by the worker. */
struct ngx_im_revoke_s {
    im_hash_t       users;
    im_buf_t        revision;     /* of Redis' list, as lease.lua tells it */
    ngx_msec_t      asked_at;     /* when the list was asked for */
    uint64_t        asked_ms;     /* the same by Redis' clock */
};


/* What is to be removed, found in one walk. */
typedef struct {
    ngx_im_revoke_t         *revoke;
    ngx_im_revoke_stays_pt   stays;
    ngx_im_revoked_t        *found[NGX_IM_REVOKED_WALK];
    ngx_uint_t               n;
} ngx_im_revoke_walk_t;


static im_str_t ngx_im_revoke_name(const im_hash_node_t *node);
static void ngx_im_revoke_load(ngx_im_worker_t *w);
static void ngx_im_revoke_handler(const im_link_reply_t *reply, void *data);
static ngx_im_revoked_t *ngx_im_revoke_set(ngx_im_revoke_t *revoke,
    im_str_t user, ngx_msec_t end);
static void ngx_im_revoke_remove(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r);
static void ngx_im_revoke_purge(ngx_im_revoke_t *revoke,
    ngx_im_revoke_stays_pt stays);
static im_int_t ngx_im_revoke_look(im_hash_node_t *node, void *data);
static int ngx_im_revoke_none(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r);
static int ngx_im_revoke_lasts(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r);
static int ngx_im_revoke_newer(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r);


ngx_int_t
ngx_im_revoke_init(ngx_im_worker_t *w)
{
    w->revoke = im_calloc(sizeof(ngx_im_revoke_t));
    if (w->revoke == NULL) {
        return NGX_ERROR;
    }

    im_buf_init(&w->revoke->revision, 32);

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

    ngx_im_revoke_purge(revoke, ngx_im_revoke_none);

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

    if (ngx_im_revoke_lasts(w->revoke, r)) {
        return 1;
    }

    ngx_im_revoke_remove(w->revoke, r);

    return 0;
}


void
ngx_im_revoke(ngx_im_worker_t *w, im_str_t user, ngx_uint_t seconds)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    if (seconds == 0) {
        node = im_hash_find(&w->revoke->users, user);

        if (node != NULL) {
            ngx_im_revoke_remove(w->revoke,
                                 im_list_data(node, ngx_im_revoked_t, node));
        }

        return;
    }

    r = ngx_im_revoke_set(w->revoke, user, ngx_current_msec + seconds * 1000);

    if (r != NULL) {
        r->kicked = 1;
        r->added = ngx_current_msec;
    }
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

    ngx_im_revoke_purge(revoke, ngx_im_revoke_newer);

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
            ngx_im_control_kick(w, user);
        }
    }
}


static ngx_im_revoked_t *
ngx_im_revoke_set(ngx_im_revoke_t *revoke, im_str_t user, ngx_msec_t end)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    node = im_hash_find(&revoke->users, user);

    if (node != NULL) {
        r = im_list_data(node, ngx_im_revoked_t, node);
        r->end = end;
        return r;
    }

    if (revoke->users.count >= NGX_IM_REVOKED_MAX) {
        ngx_im_revoke_purge(revoke, ngx_im_revoke_lasts);
    }

    if (revoke->users.count >= NGX_IM_REVOKED_MAX) {
        return NULL;
    }

    r = im_calloc(sizeof(ngx_im_revoked_t) + user.len);
    if (r == NULL) {
        return NULL;
    }

    r->end = end;
    r->len = user.len;
    ngx_memcpy(r->user, user.data, user.len);

    im_hash_add(&revoke->users, &r->node);

    return r;
}


static void
ngx_im_revoke_remove(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r)
{
    im_hash_remove(&revoke->users, &r->node);
    im_free(r);
}


static void
ngx_im_revoke_purge(ngx_im_revoke_t *revoke, ngx_im_revoke_stays_pt stays)
{
    ngx_uint_t            i;
    ngx_im_revoke_walk_t  walk;

    walk.revoke = revoke;
    walk.stays = stays;

    do {
        walk.n = 0;

        (void) im_hash_each(&revoke->users, ngx_im_revoke_look, &walk);

        for (i = 0; i < walk.n; i++) {
            ngx_im_revoke_remove(revoke, walk.found[i]);
        }

    } while (walk.n == NGX_IM_REVOKED_WALK);
}


static im_int_t
ngx_im_revoke_look(im_hash_node_t *node, void *data)
{
    ngx_im_revoked_t      *r;
    ngx_im_revoke_walk_t  *walk;

    r = im_list_data(node, ngx_im_revoked_t, node);
    walk = data;

    if (walk->stays(walk->revoke, r)) {
        return IM_OK;
    }

    walk->found[walk->n++] = r;

    return walk->n == NGX_IM_REVOKED_WALK ? IM_DECLINED : IM_OK;
}


static int
ngx_im_revoke_none(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r)
{
    (void) revoke;
    (void) r;

    return 0;
}


static int
ngx_im_revoke_lasts(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r)
{
    (void) revoke;

    return (ngx_msec_int_t) (r->end - ngx_current_msec) > 0;
}


/* The answer was made before this kick came. */
static int
ngx_im_revoke_newer(ngx_im_revoke_t *revoke, ngx_im_revoked_t *r)
{
    return r->kicked
           && (ngx_msec_int_t) (r->added - revoke->asked_at) >= 0;
}
