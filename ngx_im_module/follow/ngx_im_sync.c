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
#include "im_link_members.h"
#include "im_record.h"
#include "im_sketch.h"


#define NGX_IM_SKETCH_OFTEN  100000     /* users: above, every tenth time */
#define NGX_IM_RECORD_MAX    (4 * 1024 * 1024)


static ngx_int_t ngx_im_sync_worker_id(ngx_im_sync_t *sync);
static void ngx_im_sync_connected(void *data);
static void ngx_im_sync_channels(ngx_im_worker_t *w);
static void ngx_im_sync_up(void *data);
static void ngx_im_sync_down(void *data);
static void ngx_im_sync_heartbeat(void *data, im_uint_t partition, int lost);
static void ngx_im_sync_message(void *data, im_uint_t partition,
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
static void ngx_im_sync_fresh_handler(const im_link_reply_t *reply,
    void *data);
static void ngx_im_sync_lease_handler(const im_link_reply_t *reply,
    void *data);
static uint64_t ngx_im_sync_renewed(ngx_im_sync_t *sync,
    const im_link_reply_t *reply, int fresh);
static void ngx_im_sync_dead(ngx_im_sync_t *sync, const im_link_reply_t *dead,
    int fresh);
static void ngx_im_sync_tokens(ngx_im_sync_t *sync, uint64_t n);
static void ngx_im_sync_give_up(ngx_im_sync_t *sync);
static im_link_call_t *ngx_im_sync_lease(ngx_im_sync_t *sync, const char *ms);
static void ngx_im_sync_record(ngx_im_sync_t *sync, im_link_call_t *call,
    int full);
static void ngx_im_sync_users(ngx_im_sync_t *sync);
static im_int_t ngx_im_sync_user(im_hash_node_t *node, void *data);


static const im_link_events_t  ngx_im_sync_events = {
    ngx_im_sync_connected,
    ngx_im_sync_up,
    ngx_im_sync_down,
    NULL,
    ngx_im_sync_message,
    ngx_im_sync_heartbeat,
    NULL
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

    im_buf_init(&sync->users, NGX_IM_RECORD_MAX);

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

    w->link = ngx_im_link_create(&w->conf->redis, w->log, &ngx_im_sync_events,
                                 w);
    if (w->link == NULL) {
        goto failed;
    }

    w->members = im_link_members_create(w->link);
    if (w->members == NULL) {
        ngx_im_link_destroy(w->link);
        w->link = NULL;
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

    ngx_im_link_destroy(w->link);
    w->link = NULL;

    im_link_members_destroy(w->members);
    w->members = NULL;

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
    im_buf_cleanup(&sync->users);
    im_free(sync);

    w->sync = NULL;
}


const char *
ngx_im_follow_unready(ngx_im_worker_t *w)
{
    if (w->sync != NULL && im_link_unusable(w->link)) {
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


/* What an earlier connection has sent may not have reached Redis. */
static void
ngx_im_sync_connected(void *data)
{
    ngx_im_worker_t  *w;

    w = data;
    w->sync->assert = 1;

    im_hub_partitions(&w->hub, im_link_partitions(w->link));
    ngx_im_sync_channels(w);
}


/* Two of each partition: of this worker, and of all with the heartbeats. */
static void
ngx_im_sync_channels(ngx_im_worker_t *w)
{
    im_buf_t    b;
    im_int_t    rc;
    im_str_t    prefix;
    ngx_uint_t  p;

    rc = IM_OK;
    prefix = ngx_im_sync_prefix(w->sync);

    im_buf_init(&b, IM_PREFIX_MAX + IM_WORKER_MAX + 64);

    for (p = 0; p < im_link_partitions(w->link); p++) {
        im_buf_reset(&b, b.max);
        im_key_channel(&b, prefix, p, ngx_im_sync_id(w->sync));
        rc |= b.failed ? IM_ERROR
                       : im_link_subscribe(w->link, im_buf_str(&b), p, 0);

        im_buf_reset(&b, b.max);
        im_key_channel_all(&b, prefix, p);
        rc |= b.failed ? IM_ERROR
                       : im_link_subscribe(w->link, im_buf_str(&b), p, 1);
    }

    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_link_break(w->link, "no memory");
    }
}


/* The lease goes first: routes of a worker without one are removed. */
static void
ngx_im_sync_up(void *data)
{
    ngx_im_sync_t  *sync;

    sync = ((ngx_im_worker_t *) data)->sync;

    sync->up = 1;
    sync->ready = 1;
    sync->nlost = 0;

    ngx_im_sync_link_state(sync);
    ngx_im_sync_renew(sync, 1);

    ngx_im_route_all(sync, sync->assert);
    sync->assert = 0;

    ngx_im_route_pump(sync);
}


static void
ngx_im_sync_down(void *data)
{
    ngx_im_sync_t  *sync;

    sync = ((ngx_im_worker_t *) data)->sync;

    sync->up = 0;
    sync->nlost = 0;

    ngx_im_sync_link_state(sync);
}


/* Job is away or back.  What it had published meanwhile may be lost. */
static void
ngx_im_sync_heartbeat(void *data, im_uint_t partition, int lost)
{
    ngx_im_sync_t    *sync;
    ngx_im_worker_t  *w;

    w = data;
    sync = w->sync;

    if (lost) {
        if (sync->nlost++ == 0) {
            ngx_log_error(NGX_LOG_WARN, w->log, 0,
                          "im: no heartbeat of partition %ui: "
                          "is im_job running?", partition);
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
ngx_im_sync_message(void *data, im_uint_t partition, im_str_t batch)
{
    im_int_t          rc;
    im_entry_t        entry;
    im_reader_t       reader;
    ngx_im_worker_t  *w;

    w = data;

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
                      "im: malformed batch of partition %ui", partition);
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
    im_link_members_tick(sync->worker->members, ngx_current_msec);

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
    im_link_call_t  *call;

    ngx_im_sync_users(sync);

    sync->nrenewals++;

    call = ngx_im_sync_lease(sync, im_text(IM_LEASE_WORKER));
    ngx_im_sync_record(sync, call, fresh);

    if (im_link_send(sync->worker->link, fresh ? ngx_im_sync_fresh_handler
                                               : ngx_im_sync_lease_handler,
                     sync)
        != IM_OK)
    {
        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: the lease couldn't be renewed");
    }
}


static void
ngx_im_sync_fresh_handler(const im_link_reply_t *reply, void *data)
{
    (void) ngx_im_sync_renewed(data, reply, 1);
}


static void
ngx_im_sync_lease_handler(const im_link_reply_t *reply, void *data)
{
    uint64_t        state;
    ngx_im_sync_t  *sync;

    sync = data;
    state = ngx_im_sync_renewed(sync, reply, 0);

    if (state == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, sync->worker->log, 0,
                  "im: the lease %s: all routes are told again",
                  state == 1 ? "had lapsed" : "was not there");

    ngx_im_sync_renew(sync, 1);
    ngx_im_route_all(sync, 1);
    ngx_im_route_pump(sync);
}


/* What had become of the lease; 0: it went on, or there is no reply. */
static uint64_t
ngx_im_sync_renewed(ngx_im_sync_t *sync, const im_link_reply_t *reply,
    int fresh)
{
    if (reply == NULL || sync->exiting) {
        return 0;
    }

    if (!im_link_reply_is_array(reply, 5)) {
        ngx_im_link_complain(sync->worker->log, reply, "lease");
        return 0;
    }

    sync->redis_ms = im_link_reply_int_at(reply, 1, 0);
    sync->redis_at = ngx_current_msec;

    ngx_im_sync_tokens(sync, im_link_reply_int_at(reply, 2, 0));
    ngx_im_sync_dead(sync, im_link_reply_at(reply, 3), fresh);
    sync->events->revoked(sync->worker, im_link_reply_str_at(reply, 4));

    return im_link_reply_int_at(reply, 0, 0);
}


/* The first list, after the link came up, is no news. */
static void
ngx_im_sync_dead(ngx_im_sync_t *sync, const im_link_reply_t *dead, int fresh)
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
    (void) ngx_im_sync_lease(sync, "0");

    (void) im_link_send(sync->worker->link, NULL, NULL);
}


static im_link_call_t *
ngx_im_sync_lease(ngx_im_sync_t *sync, const char *ms)
{
    im_str_t             prefix;
    im_link_call_t      *call;
    ngx_im_main_conf_t  *conf;

    prefix = ngx_im_sync_prefix(sync);
    conf = sync->worker->conf;

    call = im_link_script(sync->worker->link, &im_script_lease);

    im_key_nodes(&call->bytes, prefix);
    im_link_call_key(call);

    im_key_record(&call->bytes, prefix, ngx_im_sync_id(sync));
    im_link_call_key(call);

    im_key_tokens(&call->bytes, prefix,
                  im_str_set(conf->node.data, conf->node.len));
    im_link_call_key(call);

    im_key_revoked(&call->bytes, prefix);
    im_link_call_key(call);

    im_link_call_str(call, ngx_im_sync_id(sync));
    im_link_call_z(call, ms);
    im_link_call_str(call, im_str_set(conf->token.data, conf->token.len));

    return call;
}


/* The fields of the lease record; those that never change only when full. */
static void
ngx_im_sync_record(ngx_im_sync_t *sync, im_link_call_t *call, int full)
{
    im_buf_t          rules, rooms, numbers;
    im_str_t          values[IM_RECORD_FIELDS];
    ngx_uint_t        i;
    im_record_t       record;
    ngx_im_worker_t  *w;

    w = sync->worker;

    ngx_memzero(&record, sizeof(im_record_t));

    im_buf_init(&rules, NGX_IM_RECORD_MAX);
    im_buf_init(&rooms, NGX_IM_RECORD_MAX);
    im_buf_init(&numbers, NGX_IM_RECORD_MAX);

    if (full) {
        im_rules_encode(&rules, &w->conf->rules);
        record.node = im_str_set(w->conf->node.data, w->conf->node.len);
        record.rules = im_buf_str(&rules);
    }

    im_board_look(&w->hub.board);
    im_board_encode(&rooms, &w->hub.board);

    record.rooms = im_str_set(rooms.len > 0 ? rooms.data : (u_char *) "",
                              rooms.len);
    record.users = im_str_set(sync->users.len > 0 ? sync->users.data
                              : (u_char *) "", sync->users.len);
    record.sessions = w->nsessions;
    record.topics = w->hub.topics.count;
    record.subs = w->hub.nsubs;
    record.draining = w->draining;

    im_record_encode(&numbers, &record, values);

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        if (values[i].data != NULL) {
            im_link_call_str(call, im_record_names[i]);
            im_link_call_str(call, values[i]);
        }
    }

    if (rules.failed || rooms.failed || numbers.failed) {
        call->bytes.failed = 1;
    }

    im_buf_cleanup(&rules);
    im_buf_cleanup(&rooms);
    im_buf_cleanup(&numbers);
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
