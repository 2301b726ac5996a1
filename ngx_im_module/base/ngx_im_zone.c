/*
 * Copyright (C) The im authors
 *
 * The node's shared memory: counters of each living worker, the sum of those
 * that have ended, and an account of each address.
 *
 * It survives a reload, when old and new workers live side by side.  What a
 * worker holds of an address is its share: a killed worker can not give it
 * back, so the next one that starts does.  An account without shares is idle.
 * It goes when its buckets are full again, or when memory is short and it has
 * been idle for the longest time.
 *
 * Without memory the zone refuses no address: it doesn't count it.
 */

#include "ngx_im_zone.h"
#include "ngx_im_nginx.h"
#include "ngx_im_worker.h"

#include <sys/random.h>


#define NGX_IM_ZONE_ENV     "NGX_IM_TOKEN"
#define NGX_IM_ZONE_CHAINS  16384
#define NGX_IM_ZONE_CELL    128      /* of the slab, for an account */
#define NGX_IM_ZONE_EXPIRE  2        /* idle ones looked at for a new one */


typedef struct {
    ngx_im_counters_t  *counters;
    ngx_im_counters_t  *last;
    ngx_im_counters_t   ended;           /* what ended workers have counted */
    uint64_t            start;           /* ms */
    ngx_im_account_t   *chains[NGX_IM_ZONE_CHAINS];
    ngx_queue_t         idle;            /* the longest first */
    ngx_uint_t          naccounts;
    ngx_uint_t          max_accounts;
    ngx_uint_t          held[NGX_IM_HELD];
    uint64_t            seed[2];
    uint64_t            id;              /* random, not 0 */
    u_char              token[NGX_IM_TOKEN_LEN];
} ngx_im_zone_t;


void
ngx_im_random(u_char *bytes)
{
    ngx_uint_t  i;
    uint32_t    r;

    if (getrandom(bytes, 16, GRND_NONBLOCK) == 16) {
        return;
    }

    for (i = 0; i < 16; i += 4) {
        r = (uint32_t) ngx_random() ^ (uint32_t) ngx_current_msec;
        ngx_memcpy(bytes + i, &r, 4);
    }
}


static ngx_slab_pool_t *
ngx_im_zone_pool(ngx_im_main_conf_t *imcf)
{
    return (ngx_slab_pool_t *) imcf->zone->shm.addr;
}


static ngx_int_t
ngx_im_zone_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_im_zone_t       *iz;
    ngx_slab_pool_t     *shpool;
    ngx_im_main_conf_t  *imcf;

    imcf = zone->data;
    shpool = ngx_im_zone_pool(imcf);

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

    /* accounts leave the other half to shares and counters */

    iz->start = (uint64_t) ngx_time() * 1000;
    iz->max_accounts = zone->shm.size / 2 / NGX_IM_ZONE_CELL;

    ngx_queue_init(&iz->idle);
    ngx_im_random((u_char *) iz->seed);
    iz->id = im_siphash(iz->seed, "id", 2) | 1;
    ngx_memcpy(iz->token, imcf->token.data, NGX_IM_TOKEN_LEN);

    shpool->data = iz;
    shpool->log_nomem = 0;

    return NGX_OK;
}


/* A binary that takes over is the same instance as the one before. */
static ngx_int_t
ngx_im_zone_token(ngx_conf_t *cf, ngx_im_main_conf_t *imcf)
{
    const char  *token;

    imcf->token.len = NGX_IM_TOKEN_LEN;
    imcf->token.data = ngx_pnalloc(cf->pool, NGX_IM_TOKEN_LEN + 1);
    if (imcf->token.data == NULL) {
        return NGX_ERROR;
    }

    token = getenv(NGX_IM_ZONE_ENV);

    if (token != NULL && ngx_im_nginx_upgraded()
        && ngx_strlen(token) == NGX_IM_TOKEN_LEN)
    {
        ngx_memcpy(imcf->token.data, token, NGX_IM_TOKEN_LEN);
        return NGX_OK;
    }

    (void) ngx_sprintf(imcf->token.data, "%08xD%08xD",
                       (uint32_t) ngx_random() ^ (uint32_t) ngx_pid,
                       (uint32_t) ngx_random() ^ (uint32_t) ngx_time());

    return NGX_OK;
}


/* As "env NAME=VALUE;" does. */
ngx_int_t
ngx_im_zone_bequeath(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf)
{
    size_t            len;
    ngx_str_t        *env;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    env = ngx_array_push(&ccf->env);
    if (env == NULL) {
        return NGX_ERROR;
    }

    len = sizeof(NGX_IM_ZONE_ENV "=") + NGX_IM_TOKEN_LEN;

    env->len = sizeof(NGX_IM_ZONE_ENV) - 1;
    env->data = ngx_pnalloc(cycle->pool, len);
    if (env->data == NULL) {
        return NGX_ERROR;
    }

    *ngx_sprintf(env->data, NGX_IM_ZONE_ENV "=%V", &imcf->token) = '\0';

    return NGX_OK;
}


ngx_int_t
ngx_im_zone_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf)
{
    ngx_str_t  name = ngx_string("im");

    if (ngx_im_zone_token(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    imcf->zone = ngx_shared_memory_add(cf, &name, imcf->zone_size,
                                       &ngx_im_module);
    if (imcf->zone == NULL) {
        return NGX_ERROR;
    }

    imcf->zone->init = ngx_im_zone_init_zone;
    imcf->zone->data = imcf;

    return NGX_OK;
}


/* The caller of these has the mutex. */

static ngx_im_account_t **
ngx_im_zone_chain(ngx_im_zone_t *iz, const ngx_im_zone_key_t *key)
{
    uint64_t  hash;

    hash = im_siphash(iz->seed, key, sizeof(ngx_im_zone_key_t));

    return &iz->chains[hash % NGX_IM_ZONE_CHAINS];
}


static void
ngx_im_zone_account_free(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool,
    ngx_im_account_t *account)
{
    ngx_im_account_t  **link;

    link = ngx_im_zone_chain(iz, &account->key);

    while (*link != account) {
        link = &(*link)->next;
    }

    *link = account->next;
    ngx_queue_remove(&account->idle);
    ngx_slab_free_locked(shpool, account);

    iz->naccounts--;
}


static void
ngx_im_zone_touch(ngx_im_zone_t *iz, ngx_im_account_t *account)
{
    ngx_queue_remove(&account->idle);
    ngx_queue_insert_tail(&iz->idle, &account->idle);
}


static ngx_uint_t
ngx_im_zone_unused(const ngx_im_account_t *account)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_IM_COSTS; i++) {
        if (!im_bucket_full(&account->buckets[i], ngx_current_msec)) {
            return 0;
        }
    }

    return 1;
}


/* Frees idle accounts that have used up nothing. */
static void
ngx_im_zone_expire(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool)
{
    ngx_uint_t         i;
    ngx_im_account_t  *account;

    for (i = 0; i < NGX_IM_ZONE_EXPIRE && !ngx_queue_empty(&iz->idle); i++) {
        account = ngx_queue_data(ngx_queue_head(&iz->idle), ngx_im_account_t,
                                 idle);

        if (ngx_im_zone_unused(account)) {
            ngx_im_zone_account_free(iz, shpool, account);

        } else {
            ngx_im_zone_touch(iz, account);
        }
    }
}


static ngx_im_account_t *
ngx_im_zone_find(ngx_im_zone_t *iz, const ngx_im_zone_key_t *key)
{
    ngx_im_account_t  *account;

    for (account = *ngx_im_zone_chain(iz, key); account != NULL;
         account = account->next)
    {
        if (account->key.addr == key->addr
            && account->key.family == key->family)
        {
            break;
        }
    }

    return account;
}


/* An idle one, if it is new.  NULL: no memory. */
static ngx_im_account_t *
ngx_im_zone_account(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool,
    const ngx_im_zone_key_t *key)
{
    ngx_im_account_t  *account, **chain;

    account = ngx_im_zone_find(iz, key);

    if (account != NULL) {
        if (account->shares == NULL) {
            ngx_im_zone_touch(iz, account);
        }

        return account;
    }

    ngx_im_zone_expire(iz, shpool);

    account = iz->naccounts < iz->max_accounts
              ? ngx_slab_calloc_locked(shpool, sizeof(ngx_im_account_t)) : NULL;

    if (account == NULL && !ngx_queue_empty(&iz->idle)) {
        ngx_im_zone_account_free(iz, shpool,
                                 ngx_queue_data(ngx_queue_head(&iz->idle),
                                                ngx_im_account_t, idle));

        account = ngx_slab_calloc_locked(shpool, sizeof(ngx_im_account_t));
    }

    if (account == NULL) {
        return NULL;
    }

    iz->naccounts++;

    chain = ngx_im_zone_chain(iz, key);

    account->key = *key;
    account->next = *chain;
    *chain = account;

    ngx_queue_insert_tail(&iz->idle, &account->idle);

    return account;
}


static void
ngx_im_zone_share_free(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool,
    ngx_im_share_t *share)
{
    ngx_uint_t          i;
    ngx_im_share_t    **link;
    ngx_im_account_t   *account;

    account = share->account;

    for (i = 0; i < NGX_IM_HELD; i++) {
        account->held[i] -= share->held[i];
        iz->held[i] -= share->held[i];
    }

    for (link = &account->shares; *link != share; link = &(*link)->next) {
        /* void */
    }

    *link = share->next;

    if (account->shares == NULL) {
        ngx_queue_insert_tail(&iz->idle, &account->idle);
    }

    ngx_queue_remove(&share->link);
    ngx_slab_free_locked(shpool, share);
}


static void
ngx_im_zone_free(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool,
    ngx_im_counters_t *counters)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&counters->shares)) {
        q = ngx_queue_head(&counters->shares);

        ngx_im_zone_share_free(iz, shpool,
                               ngx_queue_data(q, ngx_im_share_t, link));
    }

    ngx_im_counters_add(&iz->ended, counters, 0);
    ngx_im_counters_clear(counters);
}


static ngx_uint_t
ngx_im_zone_lives(ngx_pid_t pid)
{
    return kill(pid, 0) == 0 || ngx_errno != NGX_ESRCH;
}


/* Counters that no worker has; NULL: no memory. */
static ngx_im_counters_t *
ngx_im_zone_claim(ngx_im_zone_t *iz, ngx_slab_pool_t *shpool)
{
    ngx_pid_t           pid;
    ngx_im_counters_t  *counters, *found;

    found = NULL;

    for (counters = iz->counters; counters != NULL; counters = counters->next) {
        pid = (ngx_pid_t) counters->pid;

        /* its worker was killed */

        if (pid != 0 && !ngx_im_zone_lives(pid)) {
            ngx_im_zone_free(iz, shpool, counters);
            iz->ended.lost++;
        }

        if (counters->pid == 0 && found == NULL) {
            found = counters;
        }
    }

    if (found != NULL) {
        return found;
    }

    found = ngx_slab_calloc_locked(shpool, sizeof(ngx_im_counters_t));
    if (found == NULL) {
        return NULL;
    }

    ngx_queue_init(&found->shares);

    if (iz->last != NULL) {
        iz->last->next = found;

    } else {
        iz->counters = found;
    }

    iz->last = found;

    return found;
}


/* These take it. */

ngx_int_t
ngx_im_zone_attach(ngx_im_worker_t *w)
{
    ngx_time_t         *tp;
    ngx_slab_pool_t    *shpool;
    ngx_im_counters_t  *counters;

    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    counters = ngx_im_zone_claim(shpool->data, shpool);

    if (counters != NULL) {
        w->in_zone = 1;
        counters->pid = ngx_pid;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (counters == NULL) {
        counters = im_calloc(sizeof(ngx_im_counters_t));
        if (counters == NULL) {
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: the zone is full: this worker is not in im_status, "
                      "and counts no addresses; raise im_per_address zone=");
    }

    tp = ngx_timeofday();

    counters->slot = ngx_worker;
    counters->start = (ngx_atomic_uint_t) tp->sec * 1000 + tp->msec;

    w->counters = counters;

    return NGX_OK;
}


void
ngx_im_zone_detach(ngx_im_worker_t *w)
{
    ngx_slab_pool_t  *shpool;

    if (w->counters == NULL || !w->in_zone) {
        return;
    }

    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    ngx_im_zone_free(shpool->data, shpool, w->counters);

    ngx_shmtx_unlock(&shpool->mutex);

    w->counters = NULL;
}


ngx_im_share_t *
ngx_im_zone_share(ngx_im_worker_t *w, const ngx_im_zone_key_t *key)
{
    ngx_im_zone_t     *iz;
    ngx_im_share_t    *share;
    ngx_slab_pool_t   *shpool;
    ngx_im_account_t  *account;

    if (!w->in_zone) {
        return NULL;
    }

    shpool = ngx_im_zone_pool(w->conf);
    iz = shpool->data;

    ngx_shmtx_lock(&shpool->mutex);

    account = ngx_im_zone_account(iz, shpool, key);
    share = account != NULL
            ? ngx_slab_calloc_locked(shpool, sizeof(ngx_im_share_t)) : NULL;

    if (share != NULL) {
        if (account->shares == NULL) {
            ngx_queue_remove(&account->idle);
        }

        share->next = account->shares;
        account->shares = share;

        share->account = account;
        share->counters = w->counters;
        ngx_queue_insert_tail(&w->counters->shares, &share->link);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return share;
}


void
ngx_im_zone_unshare(ngx_im_worker_t *w, ngx_im_share_t *share)
{
    ngx_slab_pool_t  *shpool;

    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    ngx_im_zone_share_free(shpool->data, shpool, share);

    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_int_t
ngx_im_zone_hold(ngx_im_worker_t *w, ngx_im_share_t *share, ngx_im_held_e what,
    ngx_uint_t max)
{
    ngx_int_t         rc;
    ngx_im_zone_t    *iz;
    ngx_slab_pool_t  *shpool;

    shpool = ngx_im_zone_pool(w->conf);
    iz = shpool->data;
    rc = NGX_BUSY;

    ngx_shmtx_lock(&shpool->mutex);

    if (max == 0 || share->account->held[what] < max) {
        iz->held[what]++;
        share->account->held[what]++;
        share->held[what]++;
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


/* Another worker may have moved it to itself, and died before it said so. */
void
ngx_im_zone_release(ngx_im_worker_t *w, ngx_im_share_t *share,
    ngx_im_held_e what)
{
    ngx_im_zone_t    *iz;
    ngx_slab_pool_t  *shpool;

    shpool = ngx_im_zone_pool(w->conf);
    iz = shpool->data;

    ngx_shmtx_lock(&shpool->mutex);

    if (share->held[what] > 0) {
        iz->held[what]--;
        share->account->held[what]--;
        share->held[what]--;
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


/* Those of an address are as many as workers that have its sessions. */
void
ngx_im_zone_move(ngx_im_worker_t *w, ngx_im_share_t *share, ngx_im_held_e what,
    ngx_pid_t pid)
{
    ngx_im_zone_t    *iz;
    ngx_im_share_t   *other;
    ngx_slab_pool_t  *shpool;

    shpool = ngx_im_zone_pool(w->conf);
    iz = shpool->data;

    ngx_shmtx_lock(&shpool->mutex);

    for (other = share->account->shares; other != NULL; other = other->next) {
        if (other != share && (ngx_pid_t) other->counters->pid == pid
            && other->held[what] > 0)
        {
            break;
        }
    }

    if (other != NULL) {
        other->held[what]--;

    } else {
        iz->held[what]++;
        share->account->held[what]++;
    }

    share->held[what]++;

    ngx_shmtx_unlock(&shpool->mutex);
}


uint64_t
ngx_im_zone_id(ngx_im_worker_t *w)
{
    ngx_im_zone_t  *iz;

    iz = ngx_im_zone_pool(w->conf)->data;

    return w->in_zone ? iz->id : 0;
}


/* One word each: no mutex is needed to read them. */
ngx_uint_t
ngx_im_zone_held(ngx_im_worker_t *w, ngx_im_share_t *share, ngx_im_held_e what)
{
    return share != NULL
           ? share->account->held[what]
           : ((ngx_im_zone_t *) ngx_im_zone_pool(w->conf)->data)->held[what];
}


ngx_int_t
ngx_im_zone_take(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size, uint32_t n)
{
    im_int_t           rc;
    ngx_slab_pool_t   *shpool;
    ngx_im_account_t  *account;

    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    account = share != NULL ? share->account
                            : ngx_im_zone_account(shpool->data, shpool, key);

    rc = account == NULL ? IM_OK
         : im_bucket_take(&account->buckets[cost], rate, size,
                          ngx_current_msec, n);

    ngx_shmtx_unlock(&shpool->mutex);

    return rc == IM_OK ? NGX_OK : NGX_BUSY;
}


ngx_msec_t
ngx_im_zone_charge(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size, uint32_t n)
{
    ngx_msec_t         wait;
    im_bucket_t       *bucket;
    ngx_slab_pool_t   *shpool;
    ngx_im_account_t  *account;

    wait = 0;
    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    account = share != NULL ? share->account
                            : ngx_im_zone_account(shpool->data, shpool, key);

    if (account != NULL) {
        bucket = &account->buckets[cost];

        im_bucket_charge(bucket, rate, size, ngx_current_msec, n);
        wait = im_bucket_wait(bucket, rate, size, ngx_current_msec);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return wait;
}


ngx_msec_t
ngx_im_zone_wait(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size)
{
    ngx_msec_t         wait;
    ngx_slab_pool_t   *shpool;
    ngx_im_account_t  *account;

    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    account = share != NULL ? share->account
                            : ngx_im_zone_find(shpool->data, key);

    wait = account == NULL ? 0
           : im_bucket_wait(&account->buckets[cost], rate, size,
                            ngx_current_msec);

    ngx_shmtx_unlock(&shpool->mutex);

    return wait;
}


ngx_uint_t
ngx_im_zone_low(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size)
{
    ngx_uint_t         low;
    ngx_slab_pool_t   *shpool;
    ngx_im_account_t  *account;

    shpool = ngx_im_zone_pool(w->conf);

    ngx_shmtx_lock(&shpool->mutex);

    account = share != NULL ? share->account
                            : ngx_im_zone_find(shpool->data, key);

    low = account != NULL
          && im_bucket_low(&account->buckets[cost], rate, size,
                           ngx_current_msec);

    ngx_shmtx_unlock(&shpool->mutex);

    return low;
}


/*
 * The mutex keeps a worker's counters from being counted twice, or not at all,
 * while it ends.
 */
ngx_int_t
ngx_im_zone_node(ngx_im_main_conf_t *imcf, ngx_pool_t *pool,
    ngx_im_node_t *node)
{
    ngx_uint_t          i, n, lives;
    ngx_im_zone_t      *iz;
    ngx_slab_pool_t    *shpool;
    ngx_im_counters_t  *c, *copies;

    shpool = ngx_im_zone_pool(imcf);
    iz = shpool->data;

    ngx_shmtx_lock(&shpool->mutex);

    for (n = 0, c = iz->counters; c != NULL; c = c->next) {
        n += c->pid != 0;
    }

    copies = ngx_palloc(pool, n * sizeof(ngx_im_counters_t));

    for (i = 0, c = iz->counters; c != NULL && copies != NULL; c = c->next) {
        if (c->pid != 0) {
            copies[i++] = *c;
        }
    }

    node->start = iz->start;
    node->addresses = iz->naccounts;
    node->max_addresses = iz->max_accounts;
    node->total = iz->ended;

    ngx_shmtx_unlock(&shpool->mutex);

    if (copies == NULL) {
        return NGX_ERROR;
    }

    node->workers = copies;
    node->nworkers = 0;

    for (i = 0; i < n; i++) {
        lives = ngx_im_zone_lives((ngx_pid_t) copies[i].pid);

        ngx_im_counters_add(&node->total, &copies[i], lives);

        if (lives) {
            copies[node->nworkers++] = copies[i];
        }
    }

    return NGX_OK;
}
