/*
 * Copyright (C) The im authors
 *
 * The addresses that have sessions at this worker.
 */

#include "ngx_im_host.h"


#define NGX_IM_HOSTS_BLOCK  128


static im_str_t
ngx_im_host_name(const im_hash_node_t *node)
{
    return im_str_set(&im_list_data(node, ngx_im_host_t, node)->key,
                      sizeof(ngx_im_zone_key_t));
}


/* Of equal ones the first stays last, so that it goes first. */
static void
ngx_im_host_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;

    for ( ;; ) {
        p = node->key <= temp->key ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


ngx_int_t
ngx_im_host_init(ngx_im_worker_t *w)
{
    uint64_t    seed[2];
    ngx_uint_t  i;

    ngx_im_random((u_char *) seed);

    im_slab_init(&w->hosts_slab, sizeof(ngx_im_host_t), NGX_IM_HOSTS_BLOCK);

    ngx_rbtree_sentinel_init(&w->ranks_sentinel);

    for (i = 0; i < NGX_IM_POOLS; i++) {
        ngx_rbtree_init(&w->ranks[i], &w->ranks_sentinel, ngx_im_host_insert);
    }

    return im_hash_init(&w->hosts, ngx_im_host_name, seed);
}


ngx_im_host_t *
ngx_im_host_find(ngx_im_worker_t *w, const ngx_im_zone_key_t *key)
{
    im_hash_node_t  *node;

    node = im_hash_find(&w->hosts, im_str_set(key, sizeof(*key)));

    return node != NULL ? im_list_data(node, ngx_im_host_t, node) : NULL;
}


/* Its share of the zone; without one it has no limit. */
static ngx_im_share_t *
ngx_im_host_share(ngx_im_worker_t *w, const ngx_im_zone_key_t *key)
{
    ngx_im_share_t  *share;

    share = ngx_im_zone_share(w, key);

    if (share == NULL && w->in_zone && !w->zone_full) {
        w->zone_full = 1;

        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: the zone is full: further addresses have no limit; "
                      "raise im_per_address zone=");
    }

    return share;
}


ngx_im_host_t *
ngx_im_host_get(ngx_im_worker_t *w, const ngx_im_zone_key_t *key)
{
    uint32_t        index;
    ngx_uint_t      i;
    ngx_im_host_t  *host;

    host = ngx_im_host_find(w, key);

    if (host != NULL) {
        return host;
    }

    host = im_slab_alloc(&w->hosts_slab, &index);
    if (host == NULL) {
        return NULL;
    }

    ngx_memzero(host, sizeof(ngx_im_host_t));

    host->index = index;
    host->key = *key;
    host->share = ngx_im_host_share(w, key);

    for (i = 0; i < NGX_IM_POOLS; i++) {
        im_list_init(&host->ranks[i].list);
    }

    im_hash_add(&w->hosts, &host->node);

    return host;
}


/* Frees a host that holds nothing. */
static void
ngx_im_host_check(ngx_im_worker_t *w, ngx_im_host_t *host)
{
    if (ngx_im_host_places(host, NGX_IM_POOL_SESSIONS) > 0
        || ngx_im_host_places(host, NGX_IM_POOL_PENDING) > 0
        || host->nrooms > 0)
    {
        return;
    }

    im_hash_remove(&w->hosts, &host->node);

    if (host->share != NULL) {
        ngx_im_zone_unshare(w, host->share);
    }

    im_slab_free(&w->hosts_slab, host->index);
}


static void
ngx_im_host_move(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_im_pool_e pool,
    ngx_uint_t places)
{
    ngx_rbtree_node_t  *node;

    node = &host->ranks[pool].node;

    if (node->key > 0 && !ngx_im_host_exempt(host)) {
        ngx_rbtree_delete(&w->ranks[pool], node);
    }

    node->key = places;

    if (node->key > 0 && !ngx_im_host_exempt(host)) {
        ngx_rbtree_insert(&w->ranks[pool], node);
    }
}


/* A pool of the worker as the zone counts it. */
static const ngx_im_held_e  ngx_im_host_held[NGX_IM_POOLS] = {
    [NGX_IM_POOL_SESSIONS] = NGX_IM_HELD_SESSIONS,
    [NGX_IM_POOL_PENDING] = NGX_IM_HELD_PENDING
};


ngx_int_t
ngx_im_host_hold(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_im_pool_e pool,
    ngx_uint_t max)
{
    if (host->share != NULL
        && ngx_im_zone_hold(w, host->share, ngx_im_host_held[pool], max)
           != NGX_OK)
    {
        ngx_im_host_check(w, host);
        return NGX_BUSY;
    }

    ngx_im_host_move(w, host, pool, ngx_im_host_places(host, pool) + 1);

    w->places[pool]++;

    return NGX_OK;
}


void
ngx_im_host_take(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_im_pool_e pool)
{
    ngx_im_host_move(w, host, pool, ngx_im_host_places(host, pool) + 1);

    w->places[pool]++;
}


void
ngx_im_host_taken(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_im_pool_e pool,
    ngx_pid_t pid)
{
    if (host->share != NULL) {
        ngx_im_zone_move(w, host->share, ngx_im_host_held[pool], pid);
    }
}


void
ngx_im_host_release(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_im_pool_e pool, ngx_uint_t taken)
{
    if (host->share != NULL && !taken) {
        ngx_im_zone_release(w, host->share, ngx_im_host_held[pool]);
    }

    ngx_im_host_move(w, host, pool, ngx_im_host_places(host, pool) - 1);

    w->places[pool]--;

    ngx_im_host_check(w, host);
}


void
ngx_im_host_hold_room(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_pid_t pid)
{
    if (host->share != NULL) {
        ngx_im_zone_move(w, host->share, NGX_IM_HELD_ROOMS, pid);
    }

    host->nrooms++;
}


void
ngx_im_host_release_room(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_uint_t taken)
{
    if (host->share != NULL && !taken) {
        ngx_im_zone_release(w, host->share, NGX_IM_HELD_ROOMS);
    }

    host->nrooms--;

    ngx_im_host_check(w, host);
}


ngx_im_host_t *
ngx_im_host_most(ngx_im_worker_t *w, ngx_im_pool_e pool)
{
    ngx_rbtree_node_t  *node;

    node = w->ranks[pool].root;

    if (node == &w->ranks_sentinel) {
        return NULL;
    }

    while (node->right != &w->ranks_sentinel) {
        node = node->right;
    }

    return im_list_data(node, ngx_im_host_t, ranks[pool].node);
}
