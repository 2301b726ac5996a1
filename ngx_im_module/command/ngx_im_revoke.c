/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 *
 * Redis' list is the truth.  The worker reads the whole of it when a renewal
 * of the lease says that it has changed, and one user of it when a control
 * entry says so.  Replies come in the order of Redis' state, so the latest one
 * counts.  Each closes the sessions of the users that it has.
 */

#include "ngx_im_revoke.h"
#include "ngx_im_follow.h"
#include "ngx_im_link.h"
#include "im_key.h"


#define NGX_IM_REVOKED_MAX   20000


typedef struct {
    im_hash_node_t  node;
    ngx_msec_t      end;
    uint8_t         len;
    u_char          user[1];
} ngx_im_revoked_t;


typedef struct ngx_im_revoke_s  ngx_im_revoke_t;

/* Owned by the worker. */
struct ngx_im_revoke_s {
    im_hash_t       users;
    im_buf_t        revision;     /* of the list that was read last */
};


static im_str_t
ngx_im_revoke_name(const im_hash_node_t *node)
{
    ngx_im_revoked_t  *r;

    r = im_list_data(node, ngx_im_revoked_t, node);

    return im_str_set(r->user, r->len);
}


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


static im_int_t
ngx_im_revoke_free(im_hash_node_t *node, void *data)
{
    (void) data;

    im_free(im_list_data(node, ngx_im_revoked_t, node));

    return IM_OK;
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

    (void) im_hash_each(&revoke->users, ngx_im_revoke_free, NULL);

    im_hash_cleanup(&revoke->users);
    im_buf_cleanup(&revoke->revision);
    im_free(revoke);
}


int
ngx_im_revoked(ngx_im_worker_t *w, im_str_t user)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    node = w->revoke != NULL ? im_hash_find(&w->revoke->users, user) : NULL;

    if (node == NULL) {
        return 0;
    }

    r = im_list_data(node, ngx_im_revoked_t, node);

    return (ngx_msec_int_t) (r->end - ngx_current_msec) > 0;
}


static ngx_im_revoked_t *
ngx_im_revoke_create(im_str_t user)
{
    ngx_im_revoked_t  *r;

    if (!im_name_valid(user)) {
        return NULL;
    }

    r = im_calloc(sizeof(ngx_im_revoked_t) + user.len);

    if (r != NULL) {
        r->len = user.len;
        im_copy(r->user, user.data, user.len);
    }

    return r;
}


/* end is ms by Redis' clock.  0: it is over, or there are too many: freed. */
static int
ngx_im_revoke_add(im_hash_t *users, ngx_im_revoked_t *r, uint64_t end)
{
    uint64_t  now;

    now = ngx_im_follow_clock(ngx_im_worker);

    if (end <= now || users->count >= NGX_IM_REVOKED_MAX) {
        im_free(r);
        return 0;
    }

    r->end = ngx_current_msec + (ngx_msec_t) (end - now);

    im_hash_add(users, &r->node);

    return 1;
}


static void
ngx_im_revoke_close(ngx_im_worker_t *w, im_str_t user)
{
    im_list_t  *q;
    im_user_t  *u;

    u = ngx_im_revoked(w, user) ? im_hub_user(&w->hub, user) : NULL;

    if (u == NULL) {
        return;
    }

    im_list_each(q, &u->sessions) {
        ngx_im_session_close(ngx_im_session_linked(q), IM_REASON_KICKED,
                             "the user is kept out");
    }
}


static void
ngx_im_revoke_list_handler(const im_link_reply_t *reply, void *data)
{
    size_t             i;
    im_hash_t          users;
    ngx_im_worker_t   *w;
    ngx_im_revoke_t   *revoke;
    ngx_im_revoked_t  *r;

    w = data;
    revoke = w->revoke;

    if (revoke == NULL) {
        return;
    }

    /* it is read again with the next renewal */

    if (!im_link_reply_is_array(reply, 0)
        || im_hash_init(&users, ngx_im_revoke_name, w->hub.users.seed)
           != IM_OK)
    {
        im_buf_reset(&revoke->revision, 32);
        return;
    }

    for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
        r = ngx_im_revoke_create(im_link_reply_str_at(reply, i));

        if (r != NULL) {
            (void) ngx_im_revoke_add(&users, r,
                                     im_link_reply_int_at(reply, i + 1, 0));
        }
    }

    (void) im_hash_each(&revoke->users, ngx_im_revoke_free, NULL);
    im_hash_cleanup(&revoke->users);

    revoke->users = users;

    for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
        ngx_im_revoke_close(w, im_link_reply_str_at(reply, i));
    }
}


void
ngx_im_revoke_revision(ngx_im_worker_t *w, im_str_t revision)
{
    im_buf_t        *b;
    im_link_call_t  *call;

    b = &w->revoke->revision;

    if (im_str_eq(im_buf_str(b), revision)) {
        return;
    }

    im_buf_reset(b, 32);
    im_buf_add_str(b, revision);

    call = im_link_command(w->link, "ZRANGEBYSCORE");

    im_key_revoked(&call->bytes, im_link_keys(w->link));
    im_link_call_key(call);
    im_link_call_uint(call, ngx_im_follow_clock(w));
    im_link_call_z(call, "+inf");
    im_link_call_z(call, "WITHSCORES");
    im_link_call_z(call, "LIMIT");
    im_link_call_z(call, "0");
    im_link_call_uint(call, NGX_IM_REVOKED_MAX);

    if (im_link_send(w->link, ngx_im_revoke_list_handler, w) != IM_OK) {
        im_buf_reset(b, 32);
    }
}


/* Without a reply, the next renewal says that the list has changed. */
static void
ngx_im_revoke_user_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t           user;
    im_hash_t         *users;
    im_hash_node_t    *node;
    ngx_im_worker_t   *w;
    ngx_im_revoked_t  *r;

    r = data;
    w = ngx_im_worker;

    if (reply == NULL || im_link_reply_is_error(reply) || w->revoke == NULL) {
        im_free(r);
        return;
    }

    users = &w->revoke->users;
    user = im_str_set(r->user, r->len);
    node = im_hash_find(users, user);

    if (node != NULL) {
        im_hash_remove(users, node);
        (void) ngx_im_revoke_free(node, NULL);
    }

    if (ngx_im_revoke_add(users, r, im_link_reply_int(reply, 0))) {
        ngx_im_revoke_close(w, user);
    }
}


void
ngx_im_revoke_look(ngx_im_worker_t *w, im_str_t user)
{
    im_link_call_t    *call;
    ngx_im_revoked_t  *r;

    r = ngx_im_revoke_create(user);
    if (r == NULL) {
        return;
    }

    call = im_link_command(w->link, "ZSCORE");

    im_key_revoked(&call->bytes, im_link_keys(w->link));
    im_link_call_key(call);
    im_link_call_str(call, user);

    if (im_link_send(w->link, ngx_im_revoke_user_handler, r) != IM_OK) {
        im_free(r);
    }
}
