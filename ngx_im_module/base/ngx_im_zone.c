/*
 * Copyright (C) The im authors
 *
 * The node's shared memory: a slot of counters for each living worker, and the
 * number of sessions of each address.
 *
 * It survives a reload, when old and new workers live side by side.  Counts of
 * an address are kept by slot: a killed worker can not take them back, so the
 * next owner of the slot does.
 */

#include "ngx_im_zone.h"
#include "ngx_im_worker.h"


#define NGX_IM_ZONE_SIZE     (16 * 1024 * 1024)
#define NGX_IM_ZONE_BUCKETS  8192


typedef struct ngx_im_ip_use_s  ngx_im_ip_use_t;
typedef struct ngx_im_ip_s      ngx_im_ip_t;

struct ngx_im_ip_use_s {
    ngx_im_ip_use_t    *next;
    uint32_t            slot;
    uint32_t            count;
};


struct ngx_im_ip_s {
    ngx_im_ip_t        *next;
    ngx_im_ip_use_t    *uses;
    uint32_t            total;
    u_char              family;
    u_char              addr[16];
};


typedef struct {
    ngx_im_counters_t   slots[NGX_IM_MAX_SLOTS];
    ngx_im_ip_t        *buckets[NGX_IM_ZONE_BUCKETS];
    u_char              token[NGX_IM_TOKEN_LEN];
} ngx_im_zone_t;


static ngx_int_t
ngx_im_zone_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_im_zone_t       *iz;
    ngx_slab_pool_t     *shpool;
    ngx_im_main_conf_t  *imcf;

    imcf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    /* a reload keeps the zone and is the same instance */

    if (data != NULL || zone->shm.exists) {
        iz = shpool->data;
        ngx_memcpy(imcf->token.data, iz->token, NGX_IM_TOKEN_LEN);

        return NGX_OK;
    }

    iz = ngx_slab_calloc(shpool, sizeof(ngx_im_zone_t));
    if (iz == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(iz->token, imcf->token.data, NGX_IM_TOKEN_LEN);

    shpool->data = iz;
    shpool->log_nomem = 0;

    return NGX_OK;
}


ngx_int_t
ngx_im_zone_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf)
{
    ngx_str_t  name = ngx_string("im");

    imcf->zone = ngx_shared_memory_add(cf, &name, NGX_IM_ZONE_SIZE,
                                       &ngx_im_module);
    if (imcf->zone == NULL) {
        return NGX_ERROR;
    }

    imcf->zone->init = ngx_im_zone_init_zone;
    imcf->zone->data = imcf;

    return NGX_OK;
}


/* Takes off up to count sessions of a slot; frees empty entries. */
static void
ngx_im_zone_drop(ngx_slab_pool_t *shpool, ngx_im_ip_t **link, ngx_uint_t slot,
    uint32_t count)
{
    ngx_im_ip_t       *ip;
    ngx_im_ip_use_t  **at, *use;

    ip = *link;

    for (at = &ip->uses; *at != NULL; at = &(*at)->next) {
        use = *at;

        if (use->slot != slot) {
            continue;
        }

        count = ngx_min(count, use->count);
        use->count -= count;
        ip->total -= count;

        if (use->count == 0) {
            *at = use->next;
            ngx_slab_free_locked(shpool, use);
        }

        break;
    }

    if (ip->uses == NULL) {
        *link = ip->next;
        ngx_slab_free_locked(shpool, ip);
    }
}


static void
ngx_im_zone_forget(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool, ngx_uint_t slot)
{
    ngx_uint_t     i;
    ngx_im_ip_t  **link, *ip;

    for (i = 0; i < NGX_IM_ZONE_BUCKETS; i++) {
        link = &iz->buckets[i];

        while (*link != NULL) {
            ip = *link;

            ngx_im_zone_drop(shpool, link, slot, (uint32_t) -1);

            if (*link == ip) {
                link = &ip->next;
            }
        }
    }
}


static ngx_uint_t
ngx_im_zone_claim(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool)
{
    ngx_pid_t   pid;
    ngx_uint_t  i, slot;

    slot = NGX_IM_MAX_SLOTS;

    for (i = 0; i < NGX_IM_MAX_SLOTS; i++) {
        pid = (ngx_pid_t) iz->slots[i].pid;

        /* its worker was killed */

        if (pid != 0 && kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
            ngx_im_zone_forget(iz, shpool, i);
            iz->slots[i].pid = 0;
            pid = 0;
        }

        if (pid == 0 && slot == NGX_IM_MAX_SLOTS) {
            slot = i;
        }
    }

    return slot;
}


ngx_int_t
ngx_im_zone_attach(ngx_im_worker_t *w)
{
    ngx_uint_t          slot;
    ngx_time_t         *tp;
    ngx_im_zone_t      *iz;
    ngx_slab_pool_t    *shpool;
    ngx_im_counters_t  *counters;

    shpool = (ngx_slab_pool_t *) w->conf->zone->shm.addr;
    iz = shpool->data;

    ngx_shmtx_lock(&shpool->mutex);

    slot = ngx_im_zone_claim(iz, shpool);

    if (slot < NGX_IM_MAX_SLOTS) {
        tp = ngx_timeofday();
        counters = &iz->slots[slot];

        ngx_memzero(counters, sizeof(ngx_im_counters_t));
        counters->pid = ngx_pid;
        counters->slot = ngx_worker;
        counters->start = (ngx_atomic_uint_t) tp->sec * 1000 + tp->msec;

        w->counters = counters;
        w->zone_slot = slot;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (slot == NGX_IM_MAX_SLOTS) {
        ngx_log_error(NGX_LOG_ALERT, w->log, 0,
                      "im: more than %d workers of this node are alive",
                      NGX_IM_MAX_SLOTS);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_im_zone_detach(ngx_im_worker_t *w)
{
    ngx_slab_pool_t  *shpool;

    if (w->counters == NULL) {
        return;
    }

    shpool = (ngx_slab_pool_t *) w->conf->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    ngx_im_zone_forget(shpool->data, shpool, w->zone_slot);
    w->counters->pid = 0;

    ngx_shmtx_unlock(&shpool->mutex);

    w->counters = NULL;
}


/* One host usually has a whole IPv6 /64: it counts as one address. */
static void
ngx_im_zone_key(ngx_im_ip_t *key, ngx_uint_t family, const u_char *addr)
{
    ngx_memzero(key, sizeof(ngx_im_ip_t));

    key->family = (u_char) family;
    ngx_memcpy(key->addr, addr, family == AF_INET ? 4 : 8);
}


/* The link that points to the entry, or the last one, which points to NULL. */
static ngx_im_ip_t **
ngx_im_zone_lookup(ngx_im_zone_t *iz, ngx_im_ip_t *key)
{
    uint32_t       hash;
    ngx_im_ip_t  **link;

    hash = ngx_murmur_hash2(key->addr, sizeof(key->addr));
    link = &iz->buckets[hash % NGX_IM_ZONE_BUCKETS];

    while (*link != NULL) {
        if ((*link)->family == key->family
            && ngx_memcmp((*link)->addr, key->addr, sizeof(key->addr)) == 0)
        {
            break;
        }

        link = &(*link)->next;
    }

    return link;
}


/* Under the mutex. */
static ngx_int_t
ngx_im_zone_count(ngx_im_worker_t *w, ngx_im_ip_t *key)
{
    ngx_im_ip_t      **link, *ip;
    ngx_slab_pool_t   *shpool;
    ngx_im_ip_use_t   *use;

    shpool = (ngx_slab_pool_t *) w->conf->zone->shm.addr;

    link = ngx_im_zone_lookup(shpool->data, key);
    ip = *link;

    if (ip == NULL) {
        ip = ngx_slab_alloc_locked(shpool, sizeof(ngx_im_ip_t));
        if (ip == NULL) {
            return NGX_ERROR;
        }

        *ip = *key;
        *link = ip;
    }

    if (ip->total >= w->conf->max_sessions_per_ip) {
        return NGX_BUSY;
    }

    for (use = ip->uses; use != NULL; use = use->next) {
        if (use->slot == w->zone_slot) {
            break;
        }
    }

    if (use == NULL) {
        use = ngx_slab_calloc_locked(shpool, sizeof(ngx_im_ip_use_t));

        if (use == NULL) {
            ngx_im_zone_drop(shpool, link, w->zone_slot, 0);
            return NGX_ERROR;
        }

        use->slot = w->zone_slot;
        use->next = ip->uses;
        ip->uses = use;
    }

    use->count++;
    ip->total++;

    return NGX_OK;
}


ngx_int_t
ngx_im_zone_ip_add(ngx_im_worker_t *w, ngx_uint_t family, const u_char *addr)
{
    ngx_int_t         rc;
    ngx_im_ip_t       key;
    ngx_slab_pool_t  *shpool;

    if (w->conf->max_sessions_per_ip == 0 || family == AF_UNIX) {
        return NGX_OK;
    }

    ngx_im_zone_key(&key, family, addr);

    shpool = (ngx_slab_pool_t *) w->conf->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    rc = ngx_im_zone_count(w, &key);

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


void
ngx_im_zone_ip_remove(ngx_im_worker_t *w, ngx_uint_t family, const u_char *addr)
{
    ngx_im_ip_t       key, **link;
    ngx_slab_pool_t  *shpool;

    if (w->conf->max_sessions_per_ip == 0 || family == AF_UNIX) {
        return;
    }

    ngx_im_zone_key(&key, family, addr);

    shpool = (ngx_slab_pool_t *) w->conf->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    link = ngx_im_zone_lookup(shpool->data, &key);

    if (*link != NULL) {
        ngx_im_zone_drop(shpool, link, w->zone_slot, 1);
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


/* The counters of all slots, for the status. */
const ngx_im_counters_t *
ngx_im_zone_slots(ngx_im_main_conf_t *imcf)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) imcf->zone->shm.addr;

    return ((ngx_im_zone_t *) shpool->data)->slots;
}
