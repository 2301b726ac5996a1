/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 *
 * What Redis has is read when a renewal of the lease says that it has changed,
 * and sessions of those users are closed then: a kick that got lost is made
 * up for.  Ends are kept by this worker's clock.
 */

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


typedef int (*ngx_im_revoke_stays_pt)(ngx_im_sync_t *sync,
    ngx_im_revoked_t *r);


/* What is to be removed, found in one walk. */
typedef struct {
    ngx_im_sync_t           *sync;
    ngx_im_revoke_stays_pt   stays;
    ngx_im_revoked_t        *found[NGX_IM_REVOKED_WALK];
    ngx_uint_t               n;
} ngx_im_revoke_walk_t;


static im_str_t ngx_im_revoke_name(const im_hash_node_t *node);
static void ngx_im_revoke_load(ngx_im_sync_t *sync);
static void ngx_im_revoke_handler(ngx_im_worker_t *w, void *data, void *ctx);
static ngx_im_revoked_t *ngx_im_revoke_set(ngx_im_sync_t *sync, im_str_t user,
    ngx_msec_t end);
static void ngx_im_revoke_remove(ngx_im_sync_t *sync, ngx_im_revoked_t *r);
static void ngx_im_revoke_purge(ngx_im_sync_t *sync,
    ngx_im_revoke_stays_pt stays);
static im_int_t ngx_im_revoke_look(im_hash_node_t *node, void *data);
static int ngx_im_revoke_none(ngx_im_sync_t *sync, ngx_im_revoked_t *r);
static int ngx_im_revoke_lasts(ngx_im_sync_t *sync, ngx_im_revoked_t *r);
static int ngx_im_revoke_newer(ngx_im_sync_t *sync, ngx_im_revoked_t *r);


ngx_int_t
ngx_im_revoke_init(ngx_im_sync_t *sync)
{
    im_buf_init(&sync->revision, 32);

    return im_hash_init(&sync->revoked, ngx_im_revoke_name,
                        sync->worker->hub.users.seed);
}


static im_str_t
ngx_im_revoke_name(const im_hash_node_t *node)
{
    ngx_im_revoked_t  *r;

    r = im_list_data(node, ngx_im_revoked_t, node);

    return im_str_set(r->user, r->len);
}


void
ngx_im_revoke_cleanup(ngx_im_sync_t *sync)
{
    ngx_im_revoke_purge(sync, ngx_im_revoke_none);

    im_hash_cleanup(&sync->revoked);
    im_buf_cleanup(&sync->revision);
}


int
ngx_im_revoked(ngx_im_worker_t *w, im_str_t user)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    if (w->sync == NULL || w->sync->revoked.count == 0) {
        return 0;
    }

    node = im_hash_find(&w->sync->revoked, user);
    if (node == NULL) {
        return 0;
    }

    r = im_list_data(node, ngx_im_revoked_t, node);

    if (ngx_im_revoke_lasts(w->sync, r)) {
        return 1;
    }

    ngx_im_revoke_remove(w->sync, r);

    return 0;
}


void
ngx_im_revoke(ngx_im_worker_t *w, im_str_t user, ngx_uint_t seconds)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    if (seconds == 0) {
        node = im_hash_find(&w->sync->revoked, user);

        if (node != NULL) {
            ngx_im_revoke_remove(w->sync,
                                 im_list_data(node, ngx_im_revoked_t, node));
        }

        return;
    }

    r = ngx_im_revoke_set(w->sync, user, ngx_current_msec + seconds * 1000);

    if (r != NULL) {
        r->kicked = 1;
        r->added = ngx_current_msec;
    }
}


void
ngx_im_revoke_revision(ngx_im_sync_t *sync, im_str_t revision)
{
    if (im_str_eq(im_buf_str(&sync->revision), revision)) {
        return;
    }

    im_buf_reset(&sync->revision, 32);
    im_buf_add_str(&sync->revision, revision);

    ngx_im_revoke_load(sync);
}


static void
ngx_im_revoke_load(ngx_im_sync_t *sync)
{
    ngx_uint_t  n;

    ngx_im_args_start(sync);
    ngx_im_args_add(sync, im_str_z("ZRANGEBYSCORE"));

    im_key_revoked(&sync->args, ngx_im_sync_prefix(sync));
    ngx_im_args_end(sync);

    im_buf_add_uint(&sync->args, sync->redis_ms);
    ngx_im_args_end(sync);

    ngx_im_args_add(sync, im_str_z("+inf"));
    ngx_im_args_add(sync, im_str_z("WITHSCORES"));
    ngx_im_args_add(sync, im_str_z("LIMIT"));
    ngx_im_args_add(sync, im_str_z("0"));
    im_buf_add_uint(&sync->args, NGX_IM_REVOKED_MAX);
    ngx_im_args_end(sync);

    n = ngx_im_args_done(sync);

    sync->revoked_at = ngx_current_msec;
    sync->revoked_ms = sync->redis_ms;

    if (n == 0
        || ngx_im_redis_command(sync->worker->redis, IM_PARTITIONS_MAX,
                                ngx_im_revoke_handler, NULL, n, sync->argv)
           != NGX_OK)
    {
        im_buf_reset(&sync->revision, 32);
    }
}


static void
ngx_im_revoke_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    size_t          i;
    im_str_t        user;
    uint64_t        end;
    redisReply     *reply;
    ngx_im_sync_t  *sync;

    reply = data;
    sync = w->sync;

    (void) ctx;

    if (sync->exiting) {
        return;
    }

    /* asked again with the next renewal */

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        im_buf_reset(&sync->revision, 32);
        return;
    }

    ngx_im_revoke_purge(sync, ngx_im_revoke_newer);

    for (i = 0; i + 1 < reply->elements; i += 2) {
        user = ngx_im_reply_str(reply, i);
        end = ngx_im_reply_int(reply, i + 1);

        if (!im_name_valid(user) || end <= sync->revoked_ms) {
            continue;
        }

        if (ngx_im_revoke_set(sync, user,
                              sync->revoked_at + (end - sync->revoked_ms))
            != NULL)
        {
            ngx_im_control_kick(w, user);
        }
    }
}


static ngx_im_revoked_t *
ngx_im_revoke_set(ngx_im_sync_t *sync, im_str_t user, ngx_msec_t end)
{
    im_hash_node_t    *node;
    ngx_im_revoked_t  *r;

    node = im_hash_find(&sync->revoked, user);

    if (node != NULL) {
        r = im_list_data(node, ngx_im_revoked_t, node);
        r->end = end;
        return r;
    }

    if (sync->revoked.count >= NGX_IM_REVOKED_MAX) {
        ngx_im_revoke_purge(sync, ngx_im_revoke_lasts);
    }

    if (sync->revoked.count >= NGX_IM_REVOKED_MAX) {
        return NULL;
    }

    r = im_calloc(sizeof(ngx_im_revoked_t) + user.len);
    if (r == NULL) {
        return NULL;
    }

    r->end = end;
    r->len = user.len;
    ngx_memcpy(r->user, user.data, user.len);

    im_hash_add(&sync->revoked, &r->node);

    return r;
}


static void
ngx_im_revoke_remove(ngx_im_sync_t *sync, ngx_im_revoked_t *r)
{
    im_hash_remove(&sync->revoked, &r->node);
    im_free(r);
}


static void
ngx_im_revoke_purge(ngx_im_sync_t *sync, ngx_im_revoke_stays_pt stays)
{
    ngx_uint_t            i;
    ngx_im_revoke_walk_t  walk;

    walk.sync = sync;
    walk.stays = stays;

    do {
        walk.n = 0;

        (void) im_hash_each(&sync->revoked, ngx_im_revoke_look, &walk);

        for (i = 0; i < walk.n; i++) {
            ngx_im_revoke_remove(sync, walk.found[i]);
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

    if (walk->stays(walk->sync, r)) {
        return IM_OK;
    }

    walk->found[walk->n++] = r;

    return walk->n == NGX_IM_REVOKED_WALK ? IM_DECLINED : IM_OK;
}


static int
ngx_im_revoke_none(ngx_im_sync_t *sync, ngx_im_revoked_t *r)
{
    (void) sync;
    (void) r;

    return 0;
}


static int
ngx_im_revoke_lasts(ngx_im_sync_t *sync, ngx_im_revoked_t *r)
{
    (void) sync;

    return (ngx_msec_int_t) (r->end - ngx_current_msec) > 0;
}


/* The answer was made before this kick came. */
static int
ngx_im_revoke_newer(ngx_im_sync_t *sync, ngx_im_revoked_t *r)
{
    return r->kicked
           && (ngx_msec_int_t) (r->added - sync->revoked_at) >= 0;
}
