/*
 * Copyright (C) The im authors
 *
 * What is read from Redis for clients, and who pays for it.
 *
 * All clients share Redis.  So bytes count, of messages that are read and of
 * messages that are sent again, and a call counts as some more.  The address of
 * the client owes them, over reconnects; while it does, its next command waits.
 * An address has few calls out at a time: others don't queue behind them.
 */

#include "ngx_im_read.h"
#include "ngx_im_flow.h"


#define NGX_IM_READS          64     /* calls of a worker at a time */
#define NGX_IM_READS_ADDRESS  4      /* of an address */
#define NGX_IM_READ_CALL      4096   /* bytes that a call is worth */


ngx_int_t
ngx_im_read_pay(ngx_im_session_t *s)
{
    if (ngx_im_session_ext(s) == NULL) {
        return ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
    }

    return ngx_im_flow_credit(s) == NGX_OK
           ? NGX_OK : ngx_im_flow_wait(s, NGX_IM_WAIT_READ);
}


void
ngx_im_read_paid(ngx_im_session_t *s)
{
    s->ext->credit = 0;
}


void
ngx_im_read_charge(const ngx_im_peer_t *peer, size_t bytes)
{
    if (bytes > 0) {
        (void) ngx_im_budget_charge(ngx_im_worker, peer, NGX_IM_COST_READ,
                                    ngx_min(bytes, NGX_MAX_INT32_VALUE));
    }
}


void
ngx_im_read_charge_call(const ngx_im_peer_t *peer)
{
    ngx_im_read_charge(peer, NGX_IM_READ_CALL);
}


ngx_uint_t
ngx_im_read_owes(const ngx_im_peer_t *peer)
{
    return ngx_im_budget_wait(ngx_im_worker, peer, NGX_IM_COST_READ) > 0;
}


static ngx_uint_t
ngx_im_read_same(const ngx_im_zone_key_t *a, const ngx_im_zone_key_t *b)
{
    return a->addr == b->addr && a->family == b->family;
}


/* How many more calls the address may have out. */
static ngx_uint_t
ngx_im_read_free(ngx_im_worker_t *w, const ngx_im_zone_key_t *key)
{
    im_list_t           *q;
    ngx_uint_t           n;
    const ngx_im_read_t *read;

    if (key->family == AF_UNSPEC || w->conf->per_address.read == 0) {
        return NGX_IM_READS;
    }

    n = NGX_IM_READS_ADDRESS;

    im_list_each(q, &w->reads) {
        read = im_list_data(q, ngx_im_read_t, link);

        if (n > 0 && ngx_im_read_same(&read->key, key)) {
            n--;
        }
    }

    return n;
}


ngx_int_t
ngx_im_read_begin(ngx_im_worker_t *w, ngx_im_read_t *read,
    const ngx_im_peer_t *peer)
{
    ngx_im_budget_key(w, peer, &read->key);

    if (w->nreads >= NGX_IM_READS || ngx_im_read_free(w, &read->key) == 0) {
        return NGX_BUSY;
    }

    ngx_im_read_charge_call(peer);

    read->peer = *peer;

    im_list_insert_tail(&w->reads, &read->link);
    w->nreads++;
    w->counters->reads = w->nreads;

    return NGX_OK;
}


void
ngx_im_read_wait(ngx_im_session_t *s)
{
    im_list_insert_tail(&ngx_im_worker->queries, &s->ext->waiting);

    ngx_im_session_stop(s, NGX_IM_WAIT_READ);
}


/* Sessions of that address, and of others if all waited. */
static void
ngx_im_read_wake(ngx_im_worker_t *w, const ngx_im_zone_key_t *key,
    ngx_uint_t others)
{
    im_list_t          *q;
    ngx_uint_t          own, *n;
    ngx_im_session_t   *s;
    ngx_im_zone_key_t   other;

    own = ngx_im_read_free(w, key);
    q = im_list_first(&w->queries);

    while (q != im_list_sentinel(&w->queries) && own + others > 0) {
        s = im_list_data(q, ngx_im_ext_t, waiting)->session;
        q = im_list_next(q);

        ngx_im_budget_key(w, &s->peer, &other);

        n = ngx_im_read_same(key, &other) ? &own : &others;

        if (*n > 0 && (n == &own || ngx_im_read_free(w, &other) > 0)) {
            (*n)--;

            im_list_remove(&s->ext->waiting);
            ngx_im_session_continue(s);
        }
    }
}


void
ngx_im_read_end(ngx_im_worker_t *w, ngx_im_read_t *read)
{
    ngx_uint_t  all;

    all = w->nreads == NGX_IM_READS;

    im_list_remove(&read->link);
    w->nreads--;
    w->counters->reads = w->nreads;

    if (!im_list_empty(&w->queries)) {
        ngx_im_read_wake(w, &read->key, all);
    }
}


/* One that was woken may not have asked. */
void
ngx_im_read_tick(ngx_im_worker_t *w)
{
    ngx_im_session_wake(&w->queries, NGX_IM_READS - w->nreads);
}
