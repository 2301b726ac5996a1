/*
 * Copyright (C) The im authors
 *
 * The worker's side of Redis: events of the link, the lease, and batches of
 * messages.
 *
 * Pub/sub is a hint: whatever is missed there, by a lost connection, a lapsed
 * lease or a heartbeat that stayed away, is found by comparing positions and
 * read from history.
 */

#include "ngx_im_sync.h"
#include "im_record.h"
#include "im_sketch.h"


#define NGX_IM_SKETCH_OFTEN  100000     /* users: above, every tenth time */
#define NGX_IM_RECORD_MAX    (4 * 1024 * 1024)


static ngx_int_t ngx_im_sync_worker_id(ngx_im_sync_t *sync);
static void ngx_im_sync_up(ngx_im_worker_t *w);
static void ngx_im_sync_down(ngx_im_worker_t *w);
static void ngx_im_sync_generation(ngx_im_worker_t *w);
static void ngx_im_sync_heartbeat(ngx_im_worker_t *w, uint16_t partition,
    int lost);
static void ngx_im_sync_message(ngx_im_worker_t *w, uint16_t partition,
    im_str_t batch);
static void ngx_im_sync_entry(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry);
static ngx_int_t ngx_im_sync_append(ngx_im_route_t *route,
    const im_entry_t *entry);

static im_str_t ngx_im_sync_epoch(im_topic_t *topic);

static void ngx_im_sync_tick_handler(ngx_event_t *ev);
static void ngx_im_sync_pump_handler(ngx_event_t *ev);
static void ngx_im_sync_renew_handler(ngx_event_t *ev);
static void ngx_im_sync_renew(ngx_im_sync_t *sync, int fresh);
static void ngx_im_sync_renewed(ngx_im_worker_t *w, void *data, void *ctx);
static void ngx_im_sync_dead(ngx_im_sync_t *sync, redisReply *dead,
    ngx_uint_t fresh);
static void ngx_im_sync_tokens(ngx_im_sync_t *sync, uint64_t n);
static void ngx_im_sync_give_up(ngx_im_sync_t *sync);
static ngx_uint_t ngx_im_sync_lease_keys(ngx_im_sync_t *sync, im_str_t *argv);
static ngx_uint_t ngx_im_sync_record(ngx_im_sync_t *sync, im_str_t *argv,
    im_buf_t *b, im_buf_t *more, int full);
static void ngx_im_sync_users(ngx_im_sync_t *sync);
static im_int_t ngx_im_sync_user(im_hash_node_t *node, void *data);


static const ngx_im_redis_events_t  ngx_im_sync_events = {
    ngx_im_sync_up,
    ngx_im_sync_down,
    ngx_im_sync_message,
    ngx_im_sync_heartbeat,
    ngx_im_sync_generation
};


ngx_int_t
ngx_im_follow_init(ngx_im_worker_t *w, const ngx_im_follow_events_t *events)
{
    ngx_im_sync_t  *sync;

    sync = im_calloc(sizeof(ngx_im_sync_t));
    if (sync == NULL) {
        return NGX_ERROR;
    }

    sync->worker = w;
    sync->events = events;

    im_list_init(&sync->urgent);
    im_list_init(&sync->due);
    im_list_init(&sync->changed);
    im_list_init(&sync->watch);
    im_list_init(&sync->aged);
    im_list_init(&sync->left);
    im_list_init(&sync->windows);

    im_buf_init(&sync->keys, NGX_IM_RECORD_MAX);
    im_buf_init(&sync->users, NGX_IM_RECORD_MAX);
    im_buf_init(&sync->live, NGX_IM_RECORD_MAX);
    im_buf_init(&sync->args, NGX_IM_ARGS_BYTES);

    sync->tick.handler = ngx_im_sync_tick_handler;
    sync->tick.data = sync;
    sync->tick.log = w->log;
    sync->tick.cancelable = 1;

    sync->renew.handler = ngx_im_sync_renew_handler;
    sync->renew.data = sync;
    sync->renew.log = w->log;
    sync->renew.cancelable = 1;

    sync->pump.handler = ngx_im_sync_pump_handler;
    sync->pump.data = sync;
    sync->pump.log = w->log;

    w->sync = sync;

    if (ngx_im_sync_worker_id(sync) != NGX_OK) {
        goto failed;
    }

    w->redis = ngx_im_redis_create(w, &ngx_im_sync_events);
    if (w->redis == NULL) {
        goto failed;
    }

    ngx_add_timer(&sync->tick, 1000);
    ngx_add_timer(&sync->renew, NGX_IM_RENEW_MS);

    return NGX_OK;

failed:

    im_buf_cleanup(&sync->id);
    im_free(sync);
    w->sync = NULL;

    return NGX_ERROR;
}


/* Never used again: the time it started is part of it. */
static ngx_int_t
ngx_im_sync_worker_id(ngx_im_sync_t *sync)
{
    uint64_t          start;
    ngx_time_t       *now;
    ngx_im_worker_t  *w;

    w = sync->worker;
    now = ngx_timeofday();
    start = (uint64_t) now->sec * 1000 + now->msec;

    im_buf_init(&sync->id, IM_WORKER_MAX);
    im_worker_id(&sync->id, im_str_set(w->conf->node.data, w->conf->node.len),
                 ngx_worker, start);

    if (sync->id.failed) {
        return NGX_ERROR;
    }

    w->id.data = sync->id.data;
    w->id.len = sync->id.len;

    return NGX_OK;
}


void
ngx_im_follow_exit(ngx_im_worker_t *w)
{
    ngx_im_sync_t   *sync;
    ngx_im_route_t  *route;

    sync = w->sync;

    if (sync == NULL) {
        return;
    }

    sync->exiting = 1;

    if (sync->up) {
        ngx_im_sync_give_up(sync);
    }

    ngx_im_redis_destroy(w->redis);
    w->redis = NULL;

    while (!im_list_empty(&sync->left)) {
        route = im_list_data(im_list_first(&sync->left), ngx_im_route_t, link);
        ngx_im_route_destroy(route);
    }

    if (sync->tick.timer_set) {
        ngx_del_timer(&sync->tick);
    }

    if (sync->renew.timer_set) {
        ngx_del_timer(&sync->renew);
    }

    if (sync->pump.posted) {
        ngx_delete_posted_event(&sync->pump);
    }

    ngx_str_null(&w->id);

    im_buf_cleanup(&sync->id);
    im_buf_cleanup(&sync->keys);
    im_buf_cleanup(&sync->users);
    im_buf_cleanup(&sync->live);
    im_buf_cleanup(&sync->args);
    im_free(sync);

    w->sync = NULL;
}


const char *
ngx_im_follow_unready(ngx_im_worker_t *w)
{
    if (w->sync != NULL && ngx_im_redis_unusable(w->redis)) {
        return "Redis can't be used";
    }

    if (w->sync == NULL || !w->sync->ready) {
        return "Redis has not been reached yet";
    }

    return NULL;
}


ngx_im_link_e
ngx_im_follow_link(ngx_im_worker_t *w)
{
    if (w->sync == NULL || !w->sync->up) {
        return NGX_IM_LINK_DOWN;
    }

    return w->sync->nlost > 0 ? NGX_IM_LINK_DEGRADED : NGX_IM_LINK_UP;
}


void
ngx_im_follow_draining(ngx_im_worker_t *w)
{
    if (w->sync != NULL && w->sync->up) {
        ngx_im_sync_renew(w->sync, 0);
    }
}


uint64_t
ngx_im_follow_clock(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (sync->redis_ms == 0) {
        return 0;
    }

    return sync->redis_ms + (ngx_current_msec - sync->redis_at);
}


void
ngx_im_sync_link_state(ngx_im_sync_t *sync)
{
    if (sync->worker->counters != NULL) {
        sync->worker->counters->link = ngx_im_follow_link(sync->worker);
    }
}


im_str_t
ngx_im_sync_prefix(ngx_im_sync_t *sync)
{
    return im_str_set(sync->worker->conf->redis.prefix.data,
                      sync->worker->conf->redis.prefix.len);
}


im_str_t
ngx_im_sync_id(ngx_im_sync_t *sync)
{
    return im_str_set(sync->worker->id.data, sync->worker->id.len);
}


/* A new connection for commands: what was told may not have been heard. */
static void
ngx_im_sync_generation(ngx_im_worker_t *w)
{
    w->sync->assert = 1;
}


/* The lease goes first: routes of a worker without one are removed. */
static void
ngx_im_sync_up(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    sync->up = 1;
    sync->ready = 1;
    sync->nlost = 0;
    sync->live_time = 0;

    ngx_im_sync_link_state(sync);
    ngx_im_sync_renew(sync, 1);

    ngx_im_route_all(sync, sync->assert);
    sync->assert = 0;

    ngx_im_route_pump(sync);
}


static void
ngx_im_sync_down(ngx_im_worker_t *w)
{
    w->sync->up = 0;
    w->sync->nlost = 0;

    ngx_im_sync_link_state(w->sync);
}


/* Job is away or back.  What it had published meanwhile may be lost. */
static void
ngx_im_sync_heartbeat(ngx_im_worker_t *w, uint16_t partition, int lost)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (lost) {
        if (sync->nlost++ == 0) {
            ngx_log_error(NGX_LOG_WARN, w->log, 0,
                          "im: no heartbeat of partition %ui: "
                          "is im_job running?", (ngx_uint_t) partition);
        }

    } else if (sync->nlost > 0) {
        if (--sync->nlost == 0) {
            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "im: all partitions have heartbeats");
        }

        ngx_im_route_partition(sync, partition);
        ngx_im_route_pump(sync);
    }

    ngx_im_sync_link_state(sync);
}


static void
ngx_im_sync_message(ngx_im_worker_t *w, uint16_t partition, im_str_t batch)
{
    im_int_t     rc;
    im_entry_t   entry;
    im_reader_t  reader;

    if (w->sync->exiting) {
        return;
    }

    im_reader_init(&reader, batch);

    while ((rc = im_entry_decode(&reader, &entry)) == IM_OK) {
        w->counters->pushes++;
        ngx_im_sync_entry(w, partition, &entry);
    }

    if (rc == IM_ERROR) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: malformed batch of partition %ui",
                      (ngx_uint_t) partition);
    }

    w->sync->events->flush(w);
}


static void
ngx_im_sync_entry(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry)
{
    im_topic_t  *topic;

    /* a batch has entries of several partitions */

    partition = im_partition(entry->topic, w->hub.npartitions);

    if (entry->kind != IM_PUSH_MESSAGE) {
        w->sync->events->control(w, partition, entry);
        return;
    }

    topic = im_hub_topic(&w->hub, entry->topic);

    if (topic != NULL && topic->data != NULL) {
        ngx_im_sync_deliver(topic->data, entry, 0);
        return;
    }

    ngx_im_follow_stale(w, entry->topic, partition);
}


/*
 * Appends an entry in its order, or holds it until what is missing before it
 * was read.  jump: history has nothing more, so a gap is passed over.
 */
void
ngx_im_sync_deliver(ngx_im_route_t *route, const im_entry_t *entry, int jump)
{
    im_offer_e        offer;
    im_topic_t       *topic;
    ngx_im_worker_t  *w;

    w = route->sync->worker;
    topic = route->topic;

    route->largest = ngx_max(route->largest, entry->envelope.len);

    if (topic->state != IM_TOPIC_LIVE || route->healing) {
        ngx_im_heal_hold(route, entry);
        return;
    }

    offer = im_topic_offer(topic, entry->epoch, entry->seq);

    if (offer == IM_OFFER_DROP) {
        return;
    }

    if (offer == IM_OFFER_GAP) {
        /* without history nobody can tell what was missed */

        if ((jump || !route->numbered)
            && ngx_im_heal_moved(route, ngx_im_sync_epoch(topic),
                                 entry->seq - 1, 0)
               == NGX_OK)
        {
            w->counters->holes++;
            topic->seq = entry->seq - 1;
            offer = IM_OFFER_APPEND;
        }
    }

    if (offer == IM_OFFER_APPEND
        && ngx_im_sync_append(route, entry) == NGX_OK)
    {
        return;
    }

    ngx_im_heal_hold(route, entry);
    ngx_im_heal_start(route);
}


static ngx_int_t
ngx_im_sync_append(ngx_im_route_t *route, const im_entry_t *entry)
{
    im_topic_t       *topic;
    im_message_t      m;
    im_envelope_t     envelope;
    ngx_im_worker_t  *w;

    w = route->sync->worker;
    topic = route->topic;

    if (im_envelope_decode(entry->envelope, &envelope) != IM_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: malformed message %uL of topic \"%*s\" is skipped",
                      entry->seq, (size_t) topic->name_len, topic->name);
        topic->seq = entry->seq;
        return NGX_OK;
    }

    /* an entry of an earlier epoch has its place in the present one */

    m.topic = im_topic_name(topic);
    m.epoch = ngx_im_sync_epoch(topic);
    m.seq = entry->seq;
    m.envelope = &envelope;
    m.numbered = route->numbered;

    if (w->sync->events->message(w, topic, &m) != NGX_OK) {
        return NGX_ERROR;
    }

    topic->seq = entry->seq;

    if (route->window != NULL) {
        ngx_im_window_append(route, entry);
    }

    return NGX_OK;
}


static im_str_t
ngx_im_sync_epoch(im_topic_t *topic)
{
    return im_str_set(topic->epoch.data, topic->epoch.len);
}


static void
ngx_im_sync_tick_handler(ngx_event_t *ev)
{
    ngx_im_sync_t  *sync;

    sync = ev->data;

    ngx_add_timer(ev, 1000);

    sync->nstale = 0;

    ngx_im_window_tick(sync);

    if (sync->up) {
        ngx_im_route_tick(sync);
        ngx_im_route_pump(sync);
    }
}


static void
ngx_im_sync_pump_handler(ngx_event_t *ev)
{
    ngx_im_route_pump(ev->data);
}


static void
ngx_im_sync_renew_handler(ngx_event_t *ev)
{
    ngx_im_sync_t  *sync;

    sync = ev->data;

    ngx_add_timer(ev, NGX_IM_RENEW_MS);

    if (sync->up) {
        ngx_im_sync_renew(sync, 0);
    }
}


/* fresh: all routes are told behind it anyway. */
static void
ngx_im_sync_renew(ngx_im_sync_t *sync, int fresh)
{
    im_str_t    argv[7 + 2 * IM_RECORD_FIELDS];
    im_buf_t    b, more;
    ngx_uint_t  n;

    ngx_im_sync_users(sync);

    im_buf_init(&b, NGX_IM_RECORD_MAX);
    im_buf_init(&more, NGX_IM_RECORD_MAX);

    n = ngx_im_sync_lease_keys(sync, argv);

    argv[n++] = ngx_im_sync_id(sync);
    argv[n++] = im_str_z(im_text(IM_LEASE_WORKER));
    argv[n++] = im_str_set(sync->worker->conf->token.data,
                           sync->worker->conf->token.len);
    n += ngx_im_sync_record(sync, argv + n, &b, &more, fresh);

    sync->nrenewals++;

    if (b.failed
        || ngx_im_redis_script(sync->worker->redis, IM_PARTITIONS_MAX,
                               &im_script_lease, ngx_im_sync_renewed,
                               (void *) (uintptr_t) fresh, 4, n, argv)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: the lease couldn't be renewed");
    }

    im_buf_cleanup(&more);
    im_buf_cleanup(&b);
}


static void
ngx_im_sync_renewed(ngx_im_worker_t *w, void *data, void *ctx)
{
    uint64_t        state;
    redisReply     *reply;
    ngx_im_sync_t  *sync;

    reply = data;
    sync = w->sync;

    if (reply == NULL || sync->exiting) {
        return;
    }

    if (!ngx_im_reply_array(reply, 5)) {
        ngx_im_reply_complain(sync, reply, "lease");
        return;
    }

    state = ngx_im_reply_int(reply, 0);
    sync->redis_ms = ngx_im_reply_int(reply, 1);
    sync->redis_at = ngx_current_msec;

    ngx_im_sync_tokens(sync, ngx_im_reply_int(reply, 2));
    ngx_im_sync_dead(sync, reply->element[3], (uintptr_t) ctx);
    sync->events->revoked(w, ngx_im_reply_str(reply, 4));

    if (state == 0 || (uintptr_t) ctx) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, w->log, 0,
                  "im: the lease %s: all routes are told again",
                  state == 1 ? "had lapsed" : "was not there");

    ngx_im_sync_renew(sync, 1);
    ngx_im_route_all(sync, 1);
    ngx_im_route_pump(sync);
}


/* The first list, after the link came up, is no news. */
static void
ngx_im_sync_dead(ngx_im_sync_t *sync, redisReply *dead, ngx_uint_t fresh)
{
    size_t      i, j;
    im_str_t    name;
    uint64_t    hashes[NGX_IM_DEAD_MAX];
    ngx_uint_t  n, nnew;

    if (dead->type != REDIS_REPLY_ARRAY) {
        return;
    }

    n = ngx_min(dead->elements, NGX_IM_DEAD_MAX);

    for (i = 0, nnew = 0; i < n; i++) {
        name = ngx_im_reply_str(dead, i);
        hashes[i] = im_siphash(sync->worker->hub.users.seed, name.data,
                               name.len);

        for (j = 0; j < sync->ndead && sync->dead[j] != hashes[i]; j++) {
            /* void */
        }

        nnew += j == sync->ndead;
    }

    ngx_memcpy(sync->dead, hashes, n * sizeof(uint64_t));
    sync->ndead = n;

    if (nnew > 0 && !fresh) {
        sync->events->dead(sync->worker, nnew);
    }
}


/* An old token is over within a lease: then it was only a restart. */
static void
ngx_im_sync_tokens(ngx_im_sync_t *sync, uint64_t n)
{
    ngx_im_worker_t  *w;

    w = sync->worker;

    if (n <= 1) {
        sync->tokens = 0;
        sync->tokens_told = 0;
        return;
    }

    if (sync->tokens == 0) {
        sync->tokens = ngx_current_msec;
        return;
    }

    if (!sync->tokens_told
        && ngx_current_msec - sync->tokens > IM_LEASE_WORKER)
    {
        sync->tokens_told = 1;

        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: another nginx uses the node name \"%V\": "
                      "give each its own by im_node", &w->conf->node);
    }
}


static void
ngx_im_sync_give_up(ngx_im_sync_t *sync)
{
    im_str_t    argv[7];
    ngx_uint_t  n;

    n = ngx_im_sync_lease_keys(sync, argv);

    argv[n++] = ngx_im_sync_id(sync);
    argv[n++] = im_str_z("0");
    argv[n++] = im_str_set(sync->worker->conf->token.data,
                           sync->worker->conf->token.len);

    (void) ngx_im_redis_script(sync->worker->redis, IM_PARTITIONS_MAX,
                               &im_script_lease, ngx_im_sync_renewed,
                               NULL, 4, n, argv);
}


static ngx_uint_t
ngx_im_sync_lease_keys(ngx_im_sync_t *sync, im_str_t *argv)
{
    size_t      at[3];
    im_buf_t   *b;
    ngx_str_t  *node;

    b = &sync->keys;
    node = &sync->worker->conf->node;

    im_buf_reset(b, 65536);

    im_key_nodes(b, ngx_im_sync_prefix(sync));
    at[0] = b->len;
    im_key_record(b, ngx_im_sync_prefix(sync), ngx_im_sync_id(sync));
    at[1] = b->len;
    im_key_tokens(b, ngx_im_sync_prefix(sync),
                  im_str_set(node->data, node->len));
    at[2] = b->len;
    im_key_revoked(b, ngx_im_sync_prefix(sync));

    argv[0] = im_str_set(b->data, at[0]);
    argv[1] = im_str_set(b->data + at[0], at[1] - at[0]);
    argv[2] = im_str_set(b->data + at[1], at[2] - at[1]);
    argv[3] = im_str_set(b->data + at[2], b->len - at[2]);

    return 4;
}


/*
 * The fields of the lease record, and their values in b and more; those that
 * never change only when full.
 */
static ngx_uint_t
ngx_im_sync_record(ngx_im_sync_t *sync, im_str_t *argv, im_buf_t *b,
    im_buf_t *more, int full)
{
    size_t            rules;
    im_str_t          values[IM_RECORD_FIELDS];
    ngx_uint_t        i, n;
    im_record_t       record;
    ngx_im_worker_t  *w;

    w = sync->worker;

    ngx_memzero(&record, sizeof(im_record_t));

    if (full) {
        im_rules_encode(b, &w->conf->rules);
    }

    rules = b->len;

    im_board_look(&w->hub.board);
    im_board_encode(b, &w->hub.board);

    if (full) {
        record.node = im_str_set(w->conf->node.data, w->conf->node.len);
        record.rules = im_str_set(b->data, rules);
    }

    record.rooms = im_str_set(b->data + rules, b->len - rules);
    record.users = im_str_set(sync->users.len > 0 ? sync->users.data
                              : (u_char *) "", sync->users.len);
    record.sessions = w->nsessions;
    record.topics = w->hub.topics.count;
    record.subs = w->hub.nsubs;
    record.draining = w->draining;

    im_record_encode(more, &record, values);

    if (b->failed || more->failed) {
        b->failed = 1;
        return 0;
    }

    for (i = 0, n = 0; i < IM_RECORD_FIELDS; i++) {
        if (values[i].data != NULL) {
            argv[n++] = im_record_names[i];
            argv[n++] = values[i];
        }
    }

    return n;
}


/* A sketch can't forget, so it is made anew; less often when that is much. */
static void
ngx_im_sync_users(ngx_im_sync_t *sync)
{
    im_sketch_t  sketch;

    if (sync->worker->hub.users.count > NGX_IM_SKETCH_OFTEN
        && sync->nrenewals % 10 != 0)
    {
        return;
    }

    im_sketch_init(&sketch);
    im_buf_reset(&sync->users, 65536);

    if (im_hash_each(&sync->worker->hub.users, ngx_im_sync_user, &sketch)
        == IM_OK)
    {
        im_sketch_encode(&sync->users, &sketch);
    }

    if (sync->users.failed) {
        im_buf_reset(&sync->users, 65536);
    }

    im_sketch_cleanup(&sketch);
}


static im_int_t
ngx_im_sync_user(im_hash_node_t *node, void *data)
{
    im_user_t  *user;

    user = im_list_data(node, im_user_t, node);

    return im_sketch_add(data, im_str_set(user->id, user->id_len));
}


void
ngx_im_args_start(ngx_im_sync_t *sync)
{
    im_buf_reset(&sync->args, 65536);
    sync->argc = 0;
    sync->arg = 0;
}


/* The bytes may still move: until all are there, data is an offset. */
void
ngx_im_args_end(ngx_im_sync_t *sync)
{
    if (sync->argc == NGX_IM_ARGS_MAX) {
        sync->args.failed = 1;
        return;
    }

    sync->argv[sync->argc].len = sync->args.len - sync->arg;
    sync->argv[sync->argc].data = (u_char *) (uintptr_t) (sync->arg + 1);

    sync->argc++;
    sync->arg = sync->args.len;
}


void
ngx_im_args_add(ngx_im_sync_t *sync, im_str_t arg)
{
    im_buf_add_str(&sync->args, arg);
    ngx_im_args_end(sync);
}


/* Filled in by the link. */
void
ngx_im_args_generation(ngx_im_sync_t *sync)
{
    ngx_im_args_end(sync);

    if (!sync->args.failed) {
        sync->argv[sync->argc - 1].data = NULL;
    }
}


ngx_uint_t
ngx_im_args_done(ngx_im_sync_t *sync)
{
    im_str_t    *arg;
    ngx_uint_t   i;

    if (sync->args.failed) {
        return 0;
    }

    for (i = 0; i < sync->argc; i++) {
        arg = &sync->argv[i];

        if (arg->data != NULL) {
            arg->data = sync->args.data + ((uintptr_t) arg->data - 1);
        }
    }

    return sync->argc;
}


im_str_t
ngx_im_reply_str(redisReply *reply, size_t i)
{
    redisReply  *element;

    if (i < reply->elements) {
        element = reply->element[i];

        if (element->type == REDIS_REPLY_STRING
            || element->type == REDIS_REPLY_STATUS)
        {
            return im_str_set(element->str, element->len);
        }
    }

    return im_str_set("", 0);
}


uint64_t
ngx_im_reply_int(redisReply *reply, size_t i)
{
    redisReply  *element;
    ngx_int_t    n;

    if (i >= reply->elements) {
        return 0;
    }

    element = reply->element[i];

    if (element->type == REDIS_REPLY_INTEGER) {
        return element->integer < 0 ? 0 : element->integer;
    }

    if (element->type == REDIS_REPLY_STRING) {
        n = ngx_atoi((u_char *) element->str, element->len);
        return n == NGX_ERROR ? 0 : n;
    }

    return 0;
}


int
ngx_im_reply_array(redisReply *reply, size_t n)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= n;
}


void
ngx_im_reply_complain(ngx_im_sync_t *sync, redisReply *reply, const char *what)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: %s script failed: \"%*s\"", what,
                      (size_t) reply->len, reply->str);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                  "im: %s script gave an unknown reply", what);
}
