/*
 * Copyright (C) The im authors
 *
 * The lease, by which this worker lives for others, and its record.
 */

#include "ngx_im_sync.h"
#include "im_link_leases.h"
#include "im_record.h"
#include "im_sketch.h"


#define NGX_IM_SKETCH_OFTEN  100000     /* users: above, every tenth time */


static im_int_t
ngx_im_lease_user(im_hash_node_t *node, void *data)
{
    im_user_t  *user;

    user = im_list_data(node, im_user_t, node);

    return im_sketch_add(data, im_str_set(user->id, user->id_len));
}


static im_link_call_t *
ngx_im_lease_call(ngx_im_sync_t *sync, const char *ms)
{
    const im_keys_t     *keys;
    im_link_call_t      *call;
    ngx_im_main_conf_t  *conf;

    keys = im_link_keys(sync->worker->link);
    conf = sync->worker->conf;

    call = im_link_script(sync->worker->link, &im_script_lease);

    im_link_leases_key(sync->worker->link, call, IM_LINK_WORKERS);

    im_key_record(&call->bytes, keys, im_buf_str(&sync->worker->id));
    im_link_call_key(call);

    im_key_tokens(&call->bytes, keys, ngx_im_str(conf->node));
    im_link_call_key(call);

    im_key_revoked(&call->bytes, keys);
    im_link_call_key(call);

    im_link_leases_seen(sync->worker->link, call, IM_LINK_WORKERS);

    im_link_call_str(call, im_buf_str(&sync->worker->id));
    im_link_call_z(call, ms);
    im_link_call_str(call, ngx_im_str(conf->token));
    im_link_call_generation(call);

    return call;
}


/* "NAME SESSIONS", with commas between: protocols that have sessions. */
static void
ngx_im_lease_protocols(im_buf_t *b, const ngx_im_counters_t *c)
{
    uint64_t    n;
    ngx_uint_t  p, k, i;

    for (p = 0; p < IM_PROTOS; p++) {
        n = 0;

        for (k = 0; k < NGX_IM_KINDS; k++) {
            for (i = 0; i < NGX_IM_LIVE; i++) {
                n += c->live[p][k][i];
            }
        }

        if (n > 0) {
            im_buf_add_z(b, b->len > 0 ? "," : "");
            im_buf_add_z(b, im_proto_name(p));
            im_buf_add_z(b, " ");
            im_buf_add_uint(b, n);
        }
    }
}


static void
ngx_im_lease_counters(im_record_t *record, const ngx_im_counters_t *c)
{
    ngx_time_t  *now;

    now = ngx_timeofday();

    record->time = (int64_t) now->sec * 1000 + now->msec;
    record->away = (int64_t) c->away;
    record->accepted = (int64_t) c->accepted;
    record->refused = (int64_t) c->refused;
    record->messages_in = (int64_t) c->messages_in;
    record->messages_out = (int64_t) c->messages_out;
    record->bytes_out = (int64_t) c->bytes_out;
}


/* A string that is written, also if it is empty. */
static im_str_t
ngx_im_lease_text(const im_buf_t *b)
{
    return im_str_set(b->len > 0 ? b->data : (u_char *) "", b->len);
}


/* The fields of the lease record; those that never change only when full. */
static void
ngx_im_lease_record(ngx_im_sync_t *sync, im_link_call_t *call, int full)
{
    im_buf_t          rules, rooms, protocols, numbers;
    im_str_t          values[IM_RECORD_FIELDS];
    ngx_uint_t        i;
    im_record_t       record;
    ngx_im_worker_t  *w;

    w = sync->worker;

    ngx_memzero(&record, sizeof(im_record_t));

    im_buf_init(&rules, NGX_IM_RECORD_MAX);
    im_buf_init(&rooms, NGX_IM_RECORD_MAX);
    im_buf_init(&protocols, NGX_IM_RECORD_MAX);
    im_buf_init(&numbers, NGX_IM_RECORD_MAX);

    if (full) {
        im_rules_encode(&rules, &w->conf->rules);
        record.node = im_str_set(w->conf->node.data, w->conf->node.len);
        record.rules = im_buf_str(&rules);
        record.version = im_str_z(IM_VERSION);
    }

    im_board_look(&w->hub.board);
    im_board_encode(&rooms, &w->hub.board);

    ngx_im_lease_protocols(&protocols, w->counters);

    record.rooms = ngx_im_lease_text(&rooms);
    record.users = ngx_im_lease_text(&sync->users);
    record.protocols = ngx_im_lease_text(&protocols);
    record.sessions = w->nsessions;
    record.addresses = w->hosts.count;
    record.topics = w->hub.topics.count;
    record.subs = w->hub.nsubs;
    record.draining = w->draining;

    ngx_im_lease_counters(&record, w->counters);

    im_record_encode(&numbers, &record, values);

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        if (values[i].data != NULL) {
            im_link_call_str(call, im_record_fields[i].name);
            im_link_call_str(call, values[i]);
        }
    }

    call->bytes.failed |= rules.failed | rooms.failed | protocols.failed
                          | numbers.failed;

    im_buf_cleanup(&rules);
    im_buf_cleanup(&rooms);
    im_buf_cleanup(&protocols);
    im_buf_cleanup(&numbers);
}


/* The first list, after the link came up, is no news. */
static void
ngx_im_lease_dead(ngx_im_sync_t *sync, const im_link_reply_t *dead)
{
    size_t      i, j;
    im_str_t    name;
    uint64_t    hashes[NGX_IM_DEAD_MAX];
    ngx_uint_t  n, nnew;

    if (!im_link_reply_is_array(dead, 0)) {
        return;
    }

    n = ngx_min(im_link_reply_len(dead), NGX_IM_DEAD_MAX);

    for (i = 0, nnew = 0; i < n; i++) {
        name = im_link_reply_str_at(dead, i);
        hashes[i] = im_siphash(sync->worker->hub.users.seed, name.data,
                               name.len);

        for (j = 0; j < sync->ndead && sync->dead[j] != hashes[i]; j++) {
            /* void */
        }

        nnew += j == sync->ndead;
    }

    ngx_memcpy(sync->dead, hashes, n * sizeof(uint64_t));
    sync->ndead = n;

    if (nnew > 0 && !sync->first) {
        sync->events->dead(sync->worker, nnew);
    }
}


static uint64_t
ngx_im_lease_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* The way to Redis and back: of one renewal at a time. */
static void
ngx_im_lease_answered(ngx_im_sync_t *sync, const im_link_reply_t *reply)
{
    if (sync->asked != 0 && reply != NULL) {
        im_metric_observe(&sync->worker->counters->round_trip, &im_metric_us,
                          ngx_im_lease_clock() - sync->asked);
    }

    sync->asked = 0;
}


/* What had become of the lease; 0: it went on, or there is no reply. */
static uint64_t
ngx_im_lease_renewed(ngx_im_sync_t *sync, const im_link_reply_t *reply)
{
    ngx_im_lease_answered(sync, reply);

    if (reply == NULL) {
        return 0;
    }

    if (!im_link_reply_is_array(reply, 5)) {
        ngx_im_link_complain(sync->worker->log, reply, "lease");
        return 0;
    }

    sync->redis_ms = im_link_reply_int_at(reply, 1, 0);
    sync->redis_at = ngx_current_msec;

    /* an old token is over within a lease: then it was only a restart */

    if (im_link_reply_int_at(reply, 2, 0) <= 1) {
        sync->tokens = 0;
        sync->tokens_told = 0;

    } else if (sync->tokens == 0) {
        sync->tokens = ngx_current_msec;

    } else if (!sync->tokens_told
               && ngx_current_msec - sync->tokens > IM_LEASE_WORKER)
    {
        sync->tokens_told = 1;

        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: another nginx uses the node name \"%V\": "
                      "give each its own by im_node",
                      &sync->worker->conf->node);
    }

    ngx_im_lease_dead(sync, im_link_reply_at(reply, 3));
    sync->first = 0;

    sync->events->revoked(sync->worker, im_link_reply_str_at(reply, 4));

    return im_link_reply_int_at(reply, 0, 0);
}


static void
ngx_im_lease_full_handler(const im_link_reply_t *reply, void *data)
{
    (void) ngx_im_lease_renewed(data, reply);
}


static void
ngx_im_lease_handler(const im_link_reply_t *reply, void *data)
{
    uint64_t        state;
    ngx_im_sync_t  *sync;

    sync = data;
    state = ngx_im_lease_renewed(sync, reply);

    if (state == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, sync->worker->log, 0,
                  "im: the lease %s: all routes are told again",
                  state == 1 ? "had lapsed" : "was not there");

    ngx_im_lease_renew(sync, 1);
    im_follow_compare(&sync->follow, -1, 1);
}


/* A sketch can't forget, so it is made anew; less often when that is much. */
void
ngx_im_lease_renew(ngx_im_sync_t *sync, int full)
{
    im_hash_t       *users;
    im_sketch_t      sketch;
    im_link_call_t  *call;

    users = &sync->worker->hub.users;

    if (users->count <= NGX_IM_SKETCH_OFTEN || sync->nrenewals++ % 10 == 0) {
        im_sketch_init(&sketch);
        im_buf_reset(&sync->users, 65536);

        if (im_hash_each(users, ngx_im_lease_user, &sketch) == IM_OK) {
            im_sketch_encode(&sync->users, &sketch);
        }

        if (sync->users.failed) {
            im_buf_reset(&sync->users, 65536);
        }

        im_sketch_cleanup(&sketch);
    }

    call = ngx_im_lease_call(sync, im_text(IM_LEASE_WORKER));
    ngx_im_lease_record(sync, call, full);

    if (sync->asked == 0) {
        sync->asked = ngx_im_lease_clock();
    }

    if (im_link_send(sync->worker->link, full ? ngx_im_lease_full_handler
                                              : ngx_im_lease_handler,
                     sync)
        != IM_OK)
    {
        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: the lease couldn't be renewed");
    }
}


void
ngx_im_lease_give_up(ngx_im_sync_t *sync)
{
    (void) ngx_im_lease_call(sync, "0");

    (void) im_link_send(sync->worker->link, NULL, NULL);
}
