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
#define NGX_IM_LEASE_HELD    1000       /* ms */


/* What another worker gets from this one.  Owned by sync->lends. */
struct ngx_im_lease_lend_s {
    im_list_t         link;
    uint64_t          fence;       /* of the last channel to it */
    ngx_im_lend_e     state;
    size_t            len;
    u_char            to[1];
};


/* A renewal that is out. */
typedef struct {
    ngx_im_sync_t    *sync;
    uint64_t          moves;       /* with moves up to this number */
    unsigned          full:1;
    unsigned          counts:1;    /* its counts replace earlier ones */
} ngx_im_lease_out_t;


/* What is counted of some sessions. */
typedef struct {
    int64_t           sessions;
    int64_t           subs;
    int64_t           addresses;
    int64_t           protocols[IM_PROTOS];
} ngx_im_lease_sum_t;


/* Text of a record. */
typedef struct {
    im_buf_t            rules;
    im_buf_t            rooms;
    im_buf_t            protocols;
    im_buf_t            numbers;
} ngx_im_lease_bufs_t;


typedef enum {
    NGX_IM_MOVE_OPEN = 0,          /* more may come */
    NGX_IM_MOVE_LAST,              /* what is due is the last of it, */
    NGX_IM_MOVE_OVER               /* and what is out is */
} ngx_im_lease_move_e;


/*
 * What moves here from another worker's record, of one channel.  Owned by
 * sync->moves.
 */
typedef struct {
    im_list_t           link;
    uint64_t            fence;     /* of the channel */
    uint64_t            number;    /* of what is out; 0: nothing is */
    ngx_im_lease_move_e state;
    ngx_im_lease_sum_t  out;
    ngx_im_lease_sum_t  due;       /* with a renewal behind that */
    size_t              len;
    u_char              from[1];
} ngx_im_lease_move_t;


static im_int_t
ngx_im_lease_user(im_hash_node_t *node, void *data)
{
    im_user_t  *user;

    user = im_list_data(node, im_user_t, node);

    return im_sketch_add(data, im_str_set(user->id, user->id_len));
}


static ngx_im_lease_move_t *
ngx_im_lease_move_next(ngx_im_sync_t *sync, ngx_im_lease_move_t *move)
{
    im_list_t  *q;

    q = move == NULL ? im_list_first(&sync->moves) : im_list_next(&move->link);

    return q == im_list_sentinel(&sync->moves)
           ? NULL : im_list_data(q, ngx_im_lease_move_t, link);
}


static ngx_im_lease_move_t *
ngx_im_lease_move_find(ngx_im_sync_t *sync, im_str_t from, uint64_t fence)
{
    ngx_im_lease_move_t  *move;

    for (move = ngx_im_lease_move_next(sync, NULL);
         move != NULL;
         move = ngx_im_lease_move_next(sync, move))
    {
        if (move->fence == fence
            && im_str_eq(im_str_set(move->from, move->len), from))
        {
            break;
        }
    }

    return move;
}


/* NULL: no memory. */
static ngx_im_lease_move_t *
ngx_im_lease_move(ngx_im_sync_t *sync, im_str_t from, uint64_t fence)
{
    ngx_im_lease_move_t  *move;

    move = ngx_im_lease_move_find(sync, from, fence);
    if (move != NULL) {
        return move;
    }

    move = im_calloc(sizeof(ngx_im_lease_move_t) + from.len);
    if (move == NULL) {
        return NULL;
    }

    move->fence = fence;
    move->len = from.len;
    im_copy(move->from, from.data, from.len);
    im_list_insert_tail(&sync->moves, &move->link);

    return move;
}


/* The next worker that may not count yet what it has got, or NULL. */
static ngx_im_lease_lend_t *
ngx_im_lease_lend_next(ngx_im_sync_t *sync, ngx_im_lease_lend_t *lend)
{
    im_list_t  *q;

    q = lend == NULL ? im_list_first(&sync->lends) : im_list_next(&lend->link);

    for ( /* void */ ; q != im_list_sentinel(&sync->lends);
         q = im_list_next(q))
    {
        lend = im_list_data(q, ngx_im_lease_lend_t, link);

        if (lend->state == NGX_IM_LEND_OPEN) {
            return lend;
        }
    }

    return NULL;
}


/* What is due goes with the next renewal, unless an earlier move is out. */
static void
ngx_im_lease_moves_begin(ngx_im_sync_t *sync)
{
    ngx_im_lease_move_t  *move;

    for (move = ngx_im_lease_move_next(sync, NULL);
         move != NULL;
         move = ngx_im_lease_move_next(sync, move))
    {
        if (move->number == 0
            && (move->due.sessions > 0 || move->state == NGX_IM_MOVE_LAST))
        {
            move->number = ++sync->nmoves;
            move->state = move->state == NGX_IM_MOVE_LAST ? NGX_IM_MOVE_OVER
                                                          : move->state;
            move->out = move->due;
            ngx_memzero(&move->due, sizeof(ngx_im_lease_sum_t));
        }
    }
}


/* moves: with the records where sessions went, and where they came from. */
static im_link_call_t *
ngx_im_lease_call(ngx_im_sync_t *sync, const char *ms, int moves)
{
    const im_keys_t      *keys;
    im_link_call_t       *call;
    ngx_im_main_conf_t   *conf;
    ngx_im_lease_lend_t  *lend;
    ngx_im_lease_move_t  *move;

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

    for (lend = moves ? ngx_im_lease_lend_next(sync, NULL) : NULL;
         lend != NULL;
         lend = ngx_im_lease_lend_next(sync, lend))
    {
        im_key_record(&call->bytes, keys, im_str_set(lend->to, lend->len));
        im_link_call_key(call);
    }

    for (move = moves ? ngx_im_lease_move_next(sync, NULL) : NULL;
         move != NULL;
         move = ngx_im_lease_move_next(sync, move))
    {
        if (move->number > 0) {
            im_key_record(&call->bytes, keys,
                          im_str_set(move->from, move->len));
            im_link_call_key(call);
        }
    }

    im_link_call_str(call, im_buf_str(&sync->worker->id));
    im_link_call_z(call, ms);
    im_link_call_str(call, ngx_im_str(conf->token));
    im_link_call_generation(call);

    return call;
}


/* "NAME SESSIONS", with commas between: protocols that have sessions. */
static void
ngx_im_lease_protocols(im_buf_t *b, const int64_t *sessions)
{
    ngx_uint_t  p;

    for (p = 0; p < IM_PROTOS; p++) {
        if (sessions[p] > 0) {
            im_buf_add_z(b, b->len > 0 ? "," : "");
            im_buf_add_z(b, im_proto_name(p));
            im_buf_add_z(b, " ");
            im_buf_add_int(b, sessions[p]);
        }
    }
}


/* What the record counts: not what another one counts still. */
static void
ngx_im_lease_sum(ngx_im_sync_t *sync, ngx_im_lease_sum_t *sum)
{
    ngx_uint_t            p, k, i;
    ngx_im_worker_t      *w;
    ngx_im_counters_t    *c;
    ngx_im_lease_move_t  *move;

    w = sync->worker;
    c = w->counters;

    ngx_memzero(sum, sizeof(ngx_im_lease_sum_t));

    sum->sessions = w->nsessions;
    sum->subs = w->hub.nsubs;
    sum->addresses = w->hosts.count;

    for (p = 0; p < IM_PROTOS; p++) {
        for (k = 0; k < NGX_IM_KINDS; k++) {
            for (i = 0; i < NGX_IM_LIVE; i++) {
                sum->protocols[p] += c->live[p][k][i];
            }
        }
    }

    for (move = ngx_im_lease_move_next(sync, NULL);
         move != NULL;
         move = ngx_im_lease_move_next(sync, move))
    {
        sum->sessions -= move->due.sessions;
        sum->subs -= move->due.subs;
        sum->addresses -= move->due.addresses;

        for (p = 0; p < IM_PROTOS; p++) {
            sum->protocols[p] -= move->due.protocols[p];
        }
    }

    sum->sessions = ngx_max(sum->sessions, 0);
    sum->subs = ngx_max(sum->subs, 0);
    sum->addresses = ngx_max(sum->addresses, 0);
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


/* Those fields that depend on sessions (moves), or the others. */
static void
ngx_im_lease_fields(im_link_call_t *call, const im_str_t *values, int moves)
{
    ngx_uint_t  i;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        if (values[i].data != NULL && !im_record_moves(i) == !moves) {
            im_link_call_str(call, im_record_fields[i].name);
            im_link_call_str(call, values[i]);
        }
    }
}


/* Those that never change only when full.  Text lies in bufs. */
static void
ngx_im_lease_fill(ngx_im_sync_t *sync, ngx_uint_t full, im_record_t *record,
    ngx_im_lease_bufs_t *bufs)
{
    ngx_im_worker_t     *w;
    ngx_im_lease_sum_t   sum;

    w = sync->worker;

    if (full) {
        im_rules_encode(&bufs->rules, &w->conf->rules);
        record->node = ngx_im_str(w->conf->node);
        record->rules = im_buf_str(&bufs->rules);
        record->version = im_str_z(IM_VERSION);
    }

    im_board_look(&w->hub.board);
    im_board_encode(&bufs->rooms, &w->hub.board);

    ngx_im_lease_sum(sync, &sum);
    ngx_im_lease_protocols(&bufs->protocols, sum.protocols);

    record->rooms = ngx_im_lease_text(&bufs->rooms);
    record->users = ngx_im_lease_text(&sync->users);
    record->protocols = ngx_im_lease_text(&bufs->protocols);
    record->sessions = sum.sessions;
    record->addresses = sum.addresses;
    record->topics = w->hub.topics.count;
    record->subs = sum.subs;
    record->draining = w->draining;

    ngx_im_lease_counters(record, w->counters);
}


/* The workers that may not count yet what they have got. */
static void
ngx_im_lease_lends(ngx_im_sync_t *sync, im_link_call_t *call)
{
    ngx_im_lease_lend_t  *lend;

    for (lend = ngx_im_lease_lend_next(sync, NULL);
         lend != NULL;
         lend = ngx_im_lease_lend_next(sync, lend))
    {
        im_link_call_z(call, ">");
        im_link_call_str(call, im_str_set(lend->to, lend->len));
        im_link_call_uint(call, lend->fence);
    }
}


/*
 * The fields of the lease record.  What depends on sessions stays as it is,
 * unless out->counts, and until the workers that got some count them.
 */
static void
ngx_im_lease_record(im_link_call_t *call, const ngx_im_lease_out_t *out)
{
    im_str_t              values[IM_RECORD_FIELDS];
    im_record_t           record;
    ngx_im_lease_bufs_t   bufs;

    ngx_memzero(&record, sizeof(im_record_t));

    im_buf_init(&bufs.rules, NGX_IM_RECORD_MAX);
    im_buf_init(&bufs.rooms, NGX_IM_RECORD_MAX);
    im_buf_init(&bufs.protocols, NGX_IM_RECORD_MAX);
    im_buf_init(&bufs.numbers, NGX_IM_RECORD_MAX);

    ngx_im_lease_fill(out->sync, out->full, &record, &bufs);

    im_record_encode(&bufs.numbers, &record, values);

    ngx_im_lease_fields(call, values, 0);
    ngx_im_lease_lends(out->sync, call);

    im_link_call_z(call, "=");
    im_link_call_z(call, out->counts ? "0" : "1");
    im_link_call_uint(call, out->sync->fence);
    ngx_im_lease_fields(call, values, 1);

    call->bytes.failed |= bufs.rules.failed | bufs.rooms.failed
                          | bufs.protocols.failed | bufs.numbers.failed;

    im_buf_cleanup(&bufs.rules);
    im_buf_cleanup(&bufs.rooms);
    im_buf_cleanup(&bufs.protocols);
    im_buf_cleanup(&bufs.numbers);
}


/* What moves from other workers' records, with the number of each move. */
static void
ngx_im_lease_moves(ngx_im_sync_t *sync, im_link_call_t *call)
{
    im_buf_t                   b;
    ngx_im_lease_move_t       *move;
    const ngx_im_lease_sum_t  *sum;

    im_buf_init(&b, NGX_IM_RECORD_MAX);

    for (move = ngx_im_lease_move_next(sync, NULL);
         move != NULL;
         move = ngx_im_lease_move_next(sync, move))
    {
        if (move->number == 0) {
            continue;
        }

        sum = &move->out;

        im_link_call_z(call, "<");
        im_link_call_uint(call, move->number);
        im_link_call_uint(call, move->fence);
        im_link_call_z(call, move->state == NGX_IM_MOVE_OVER ? "1" : "0");

        im_link_call_str(call, im_record_counts[IM_COUNT_SESSIONS].name);
        im_link_call_uint(call, sum->sessions);
        im_link_call_str(call, im_record_counts[IM_COUNT_SUBS].name);
        im_link_call_uint(call, sum->subs);
        im_link_call_str(call, im_record_counts[IM_COUNT_ADDRESSES].name);
        im_link_call_uint(call, sum->addresses);

        im_buf_reset(&b, b.max);
        ngx_im_lease_protocols(&b, sum->protocols);

        im_link_call_str(call, im_record_counts[IM_COUNT_PROTOCOLS].name);
        im_link_call_str(call, im_buf_str(&b));
    }

    call->bytes.failed |= b.failed;
    im_buf_cleanup(&b);
}


/* Redis has the moves of a renewal.  The last ones go at once. */
static void
ngx_im_lease_moved(ngx_im_sync_t *sync, uint64_t number)
{
    ngx_uint_t            n, nlast;
    ngx_im_lease_move_t  *move, *next;

    n = 0;
    nlast = 0;

    for (move = ngx_im_lease_move_next(sync, NULL); move != NULL; move = next) {
        next = ngx_im_lease_move_next(sync, move);

        if (move->number == 0 || move->number > number) {
            continue;
        }

        n++;
        move->number = 0;
        ngx_memzero(&move->out, sizeof(ngx_im_lease_sum_t));

        if (move->state == NGX_IM_MOVE_LAST) {
            nlast++;

        } else if (move->due.sessions == 0) {
            im_list_remove(&move->link);
            im_free(move);
        }
    }

    if (nlast > 0) {
        ngx_im_lease_renew(sync, 0);
    }

    if (n > 0 && sync->events->counted != NULL) {
        sync->events->counted(sync->worker);
    }
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


/* Three elements for each worker that may not have counted all. */
static void
ngx_im_lease_taken(ngx_im_sync_t *sync, const im_link_reply_t *taken)
{
    int64_t               what;
    uint64_t              fence;
    ngx_uint_t            i;
    ngx_im_lease_lend_t  *lend, *next;

    for (lend = ngx_im_lease_lend_next(sync, NULL); lend != NULL; lend = next) {
        next = ngx_im_lease_lend_next(sync, lend);

        for (i = 0; i + 2 < im_link_reply_len(taken); i += 3) {
            what = im_link_reply_int_at(taken, i + 2, 0);

            if (what > 0
                && im_str_eq(im_link_reply_str_at(taken, i),
                             im_str_set(lend->to, lend->len))
                && im_decimal_decode(im_link_reply_str_at(taken, i + 1), &fence)
                   == IM_OK
                && fence == lend->fence)
            {
                lend->state = what == 1 ? NGX_IM_LEND_TAKEN : NGX_IM_LEND_DEAD;
            }
        }
    }
}


/* What had become of the lease; 0: it went on, or there is no reply. */
static uint64_t
ngx_im_lease_renewed(ngx_im_sync_t *sync, const im_link_reply_t *reply)
{
    ngx_im_lease_answered(sync, reply);

    if (reply == NULL) {
        return 0;
    }

    if (!im_link_reply_is_array(reply, 6)) {
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


/* Redis has lost the records, so it does not know who counts what. */
static void
ngx_im_lease_forgotten(ngx_im_sync_t *sync)
{
    ngx_im_lease_lend_t  *lend;

    while ((lend = ngx_im_lease_lend_next(sync, NULL)) != NULL) {
        lend->state = NGX_IM_LEND_DEAD;
    }
}


static void
ngx_im_lease_handler(const im_link_reply_t *reply, void *data)
{
    uint64_t             state;
    ngx_im_sync_t       *sync;
    ngx_im_lease_out_t  *out;

    out = data;
    sync = out->sync;
    sync->ncounts -= out->counts;

    state = ngx_im_lease_renewed(sync, reply);

    if (im_link_reply_is_array(reply, 6)) {
        ngx_im_lease_moved(sync, out->moves);
        ngx_im_lease_taken(sync, im_link_reply_at(reply, 5));
    }

    if (state == 2) {
        ngx_im_lease_forgotten(sync);
    }

    if (state > 0 && !out->full) {
        ngx_log_error(NGX_LOG_WARN, sync->worker->log, 0,
                      "im: the lease %s: all routes are told again",
                      state == 1 ? "had lapsed" : "was not there");

        ngx_im_lease_renew(sync, 1);
        im_follow_compare(&sync->follow, -1, 1);
    }

    im_free(out);
}


/* A sketch can't forget, so it is made anew; less often when that is much. */
static void
ngx_im_lease_users(ngx_im_sync_t *sync)
{
    im_hash_t    *users;
    im_sketch_t   sketch;

    users = &sync->worker->hub.users;

    if (users->count > NGX_IM_SKETCH_OFTEN && sync->nrenewals++ % 10 != 0
        && im_list_empty(&sync->moves))
    {
        return;
    }

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


void
ngx_im_lease_renew(ngx_im_sync_t *sync, int full)
{
    im_link_call_t      *call;
    ngx_im_lease_out_t  *out;

    out = im_alloc(sizeof(ngx_im_lease_out_t));

    if (out != NULL) {
        ngx_im_lease_users(sync);
        ngx_im_lease_moves_begin(sync);

        out->sync = sync;
        out->moves = sync->nmoves;
        out->full = full != 0;
        out->counts = !sync->held;

        call = ngx_im_lease_call(sync, im_text(IM_LEASE_WORKER), 1);
        ngx_im_lease_record(call, out);
        ngx_im_lease_moves(sync, call);

        sync->ncounts += out->counts;
    }

    if (sync->asked == 0) {
        sync->asked = ngx_im_lease_clock();
    }

    if (out == NULL
        || im_link_send(sync->worker->link, ngx_im_lease_handler, out)
           != IM_OK)
    {
        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: the lease couldn't be renewed");

        sync->ncounts -= out != NULL ? out->counts : 0;
        im_free(out);
    }
}


void
ngx_im_lease_give_up(ngx_im_sync_t *sync)
{
    (void) ngx_im_lease_call(sync, "0", 0);

    (void) im_link_send(sync->worker->link, NULL, NULL);
}


void
ngx_im_lease_cleanup(ngx_im_sync_t *sync)
{
    im_list_t            *q;
    ngx_im_lease_move_t  *move;

    while ((move = ngx_im_lease_move_next(sync, NULL)) != NULL) {
        im_list_remove(&move->link);
        im_free(move);
    }

    while (!im_list_empty(&sync->lends)) {
        q = im_list_first(&sync->lends);

        im_list_remove(q);
        im_free(im_list_data(q, ngx_im_lease_lend_t, link));
    }
}


/* NULL: it got nothing. */
static ngx_im_lease_lend_t *
ngx_im_lease_lend_find(ngx_im_sync_t *sync, im_str_t to)
{
    im_list_t            *q;
    ngx_im_lease_lend_t  *lend;

    im_list_each(q, &sync->lends) {
        lend = im_list_data(q, ngx_im_lease_lend_t, link);

        if (im_str_eq(im_str_set(lend->to, lend->len), to)) {
            return lend;
        }
    }

    return NULL;
}


ngx_im_lease_lend_t *
ngx_im_lease_lend(ngx_im_worker_t *w, im_str_t to, uint64_t fence)
{
    ngx_im_lease_lend_t  *lend;

    lend = ngx_im_lease_lend_find(w->sync, to);

    if (lend == NULL) {
        lend = im_calloc(sizeof(ngx_im_lease_lend_t) + to.len);
        if (lend == NULL) {
            return NULL;
        }

        lend->len = to.len;
        im_copy(lend->to, to.data, to.len);
        im_list_insert_tail(&w->sync->lends, &lend->link);
    }

    lend->fence = fence;
    lend->state = NGX_IM_LEND_OPEN;
    w->sync->fence = fence;

    return lend;
}


ngx_im_lend_e
ngx_im_lease_lent(const ngx_im_lease_lend_t *lend)
{
    return lend->state;
}


void
ngx_im_lease_ask(ngx_im_worker_t *w)
{
    if (w->sync->registry && w->sync->asked == 0) {
        ngx_im_lease_renew(w->sync, 0);
    }
}


void
ngx_im_lease_repaid(ngx_im_lease_lend_t *lend)
{
    if (lend->state == NGX_IM_LEND_OPEN) {
        lend->state = NGX_IM_LEND_TAKEN;
    }
}


ngx_int_t
ngx_im_lease_took(ngx_im_worker_t *w, im_str_t from, uint64_t fence,
    const ngx_im_lent_t *lent)
{
    ngx_im_lease_move_t  *move;

    move = ngx_im_lease_move(w->sync, from, fence);
    if (move == NULL) {
        return NGX_ERROR;
    }

    move->due.sessions++;
    move->due.subs += lent->nsubs;
    move->due.addresses += lent->nhosts;
    move->due.protocols[lent->proto]++;

    return NGX_OK;
}


void
ngx_im_lease_settle(ngx_im_worker_t *w, im_str_t from, uint64_t fence)
{
    ngx_im_lease_move_t  *move;

    move = ngx_im_lease_move(w->sync, from, fence);

    if (move != NULL) {
        move->state = NGX_IM_MOVE_LAST;
    }

    if (move != NULL && w->sync->registry) {
        ngx_im_lease_renew(w->sync, 0);
    }
}


ngx_uint_t
ngx_im_lease_settled(ngx_im_worker_t *w, im_str_t from, uint64_t fence)
{
    return ngx_im_lease_move_find(w->sync, from, fence) == NULL;
}


ngx_int_t
ngx_im_lease_hold(ngx_im_worker_t *w, ngx_uint_t hold)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (hold || sync->held) {
        sync->held_at = ngx_current_msec;
    }

    if (!hold && sync->held) {
        sync->held = 0;

        if (sync->registry) {
            ngx_im_lease_renew(sync, 0);
        }
    }

    sync->held = hold != 0;

    return hold && sync->ncounts > 0 ? NGX_AGAIN : NGX_OK;
}


ngx_uint_t
ngx_im_lease_holding(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    return sync->held
           || (sync->held_at != 0
               && ngx_current_msec - sync->held_at < NGX_IM_LEASE_HELD);
}
