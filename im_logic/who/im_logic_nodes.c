/*
 * Copyright (C) The im authors
 *
 * The registry is read about once a second: which processes hold a lease, then
 * the record of each worker, and at last what these count, as one step.
 *
 * Sessions move from one worker to a younger one.  Records of older workers are
 * read before, so users and rooms are in one of the two at least.  If there is
 * another worker at the end, all of it is read again.
 */

#include <stdlib.h>

#include "im_logic_nodes.h"
#include "im_hash.h"
#include "im_link_leases.h"
#include "im_link_living.h"
#include "im_record.h"
#include "im_sketch.h"
#include "im_daemon_time.h"


#define IM_POLL_ROUNDS  4           /* of polls, as workers come */


/* A poll under way: its results replace those of the last one at its end. */
struct im_logic_poll_s {
    im_logic_t        *logic;
    im_logic_nodes_t   nodes;
    im_sketch_t        users;
    uint64_t           last;       /* hash of the rules merged last */
    im_uint_t          left;       /* replies to come */
    im_uint_t          rounds;     /* polls before, that are of no use */
    unsigned           again:1;    /* there are other workers now */
    unsigned           failed:1;
};


static void im_logic_poll_start(im_logic_t *logic, im_uint_t rounds);


im_int_t
im_logic_nodes_init(im_logic_t *logic)
{
    logic->nodes = im_calloc(sizeof(im_logic_nodes_t));
    if (logic->nodes == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return IM_ERROR;
    }

    im_rules_init(&logic->nodes->rules);

    return IM_OK;
}


static void
im_logic_worker_free(im_logic_worker_t *worker)
{
    im_buf_cleanup(&worker->text);
    im_buf_cleanup(&worker->protocols);
    im_free(worker);
}


static void
im_logic_nodes_clear(im_logic_nodes_t *nodes)
{
    im_uint_t  i;

    for (i = 0; i < nodes->nworkers; i++) {
        im_logic_worker_free(nodes->workers[i]);
    }

    im_free(nodes->workers);
    im_buf_cleanup(&nodes->job_names);
    im_rules_cleanup(&nodes->rules);
    memset(nodes, 0, sizeof(im_logic_nodes_t));
}


void
im_logic_nodes_cleanup(im_logic_t *logic)
{
    if (logic->nodes != NULL) {
        im_logic_nodes_clear(logic->nodes);
        im_free(logic->nodes);
    }
}


/* The processes that hold a lease. */
static void
im_logic_poll_leases(im_logic_poll_t *poll, im_link_leases_e whose,
    im_link_reply_pt handler)
{
    (void) im_link_leases_live(poll->logic->link, whose, im_str_z(""),
                               IM_WORKERS_MAX);

    poll->left++;
    im_logic_send(poll->logic, handler, poll);
}


/* Some have no record any more: the registry was away for long. */
static void
im_logic_poll_recorded(im_logic_nodes_t *nodes)
{
    im_uint_t           i, n;
    im_logic_worker_t  *worker;

    for (i = 0, n = 0; i < nodes->nworkers; i++) {
        worker = nodes->workers[i];

        if (worker->record.node.len != 0) {
            nodes->workers[n++] = worker;

        } else {
            im_logic_worker_free(worker);
        }
    }

    nodes->nworkers = n;
}


static int
im_logic_worker_cmp(const void *a, const void *b)
{
    im_logic_worker_t  *const *one = a, *const *two = b;

    return im_str_compare((*one)->id, (*two)->id);
}


/*
 * The registry is back without its leases, and no worker has renewed its own
 * one yet: those that were known count for as long as one lasts.
 */
static int
im_logic_poll_early(const im_logic_poll_t *poll)
{
    const im_logic_nodes_t  *nodes;

    nodes = poll->logic->nodes;

    return poll->nodes.nworkers == 0 && nodes->known && nodes->nworkers > 0
           && poll->nodes.polled - nodes->up < IM_LEASE_WORKER
           && nodes->polled < nodes->up;
}


/* Without workers nothing says other rules than those of the last ones. */
static void
im_logic_poll_rules(im_logic_nodes_t *nodes, im_logic_nodes_t *last)
{
    im_rules_t  rules;

    if (nodes->nworkers > 0) {
        nodes->lived = nodes->polled;
        return;
    }

    rules = nodes->rules;
    nodes->rules = last->rules;
    last->rules = rules;

    nodes->lived = last->lived;
}


static void
im_logic_poll_end(im_logic_poll_t *poll)
{
    im_uint_t          again;
    im_logic_t        *logic;
    im_logic_nodes_t  *nodes;

    logic = poll->logic;
    nodes = &poll->nodes;
    again = poll->again && !poll->failed ? poll->rounds + 1 : 0;

    logic->nodes->poll = NULL;
    im_logic_poll_recorded(nodes);

    if (!poll->failed && again == 0
        && im_link_ready(logic->link, IM_LINK_REGISTRY)
        && !im_logic_poll_early(poll))
    {
        nodes->up = logic->nodes->up;
        nodes->users = im_sketch_count(&poll->users);
        nodes->known = 1;

        im_logic_poll_rules(nodes, logic->nodes);

        qsort(nodes->workers, nodes->nworkers, sizeof(im_logic_worker_t *),
              im_logic_worker_cmp);

        im_logic_nodes_clear(logic->nodes);
        *logic->nodes = *nodes;
        memset(nodes, 0, sizeof(im_logic_nodes_t));
    }

    im_sketch_cleanup(&poll->users);
    im_logic_nodes_clear(nodes);
    im_free(poll);

    if (again > 0) {
        im_logic_poll_start(logic, again);
    }
}


/* What a worker counts, instead of what its record said before. */
static void
im_logic_poll_counted(im_logic_poll_t *poll, im_logic_worker_t *worker,
    const im_link_reply_t *counts)
{
    im_str_t      values[IM_COUNTS];
    im_uint_t     i;
    im_record_t  *record;

    for (i = 0; i < IM_COUNTS; i++) {
        values[i] = im_link_reply_str_at(counts, i);
    }

    record = &worker->record;
    im_record_count(values, record);

    im_buf_init(&worker->protocols, record->protocols.len);
    im_buf_add_str(&worker->protocols, record->protocols);

    poll->failed |= worker->protocols.failed;
    record->protocols = im_buf_str(&worker->protocols);

    poll->nodes.sessions += (uint64_t) record->sessions;
    poll->nodes.addresses += (uint64_t) record->addresses;
}


/* Of workers that live still; what the others had may be elsewhere by now. */
static void
im_logic_poll_count_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t               i, n;
    im_link_names_t        *living;
    im_logic_poll_t        *poll = data;
    im_logic_worker_t      *worker;
    const im_link_reply_t  *counts;

    counts = im_link_reply_at(reply, 1);
    living = im_logic_fault(reply, "online.lua") == NULL
             ? im_link_names_create(im_link_reply_at(reply, 0), 1, NULL)
             : NULL;

    if (living == NULL) {
        poll->failed = 1;
        im_logic_poll_end(poll);
        return;
    }

    for (i = 0, n = 0; i < poll->nodes.nworkers; i++) {
        worker = poll->nodes.workers[i];

        if (im_link_names_have(living, worker->id)) {
            im_logic_poll_counted(poll, worker, im_link_reply_at(counts, i));
            n++;

        } else {
            worker->record.node = im_str_z("");
        }
    }

    poll->again = n < living->n && poll->rounds < IM_POLL_ROUNDS;

    im_link_names_unref(living);
    im_link_members_workers(poll->logic->members, im_link_reply_at(reply, 0));

    im_logic_poll_end(poll);
}


static void
im_logic_poll_count(im_logic_poll_t *poll)
{
    im_uint_t        i;
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = poll->logic;
    call = im_link_script(logic->link, &im_script_online);

    im_link_leases_key(logic->link, call, IM_LINK_WORKERS);
    im_link_leases_seen(logic->link, call, IM_LINK_WORKERS);

    for (i = 0; i < poll->nodes.nworkers; i++) {
        im_key_record(&call->bytes, im_link_keys(logic->link),
                      poll->nodes.workers[i]->id);
        im_link_call_key(call);
    }

    im_link_call_uint(call, IM_LEASE_WORKER);
    im_link_call_uint(call, IM_WORKERS_MAX);
    im_link_call_generation(call);

    for (i = 0; i < IM_COUNTS; i++) {
        im_link_call_str(call, im_record_counts[i].name);
    }

    im_logic_send(logic, im_logic_poll_count_handler, poll);
}


static void
im_logic_poll_replied(im_logic_poll_t *poll)
{
    if (--poll->left > 0) {
        return;
    }

    if (poll->failed) {
        im_logic_poll_end(poll);

    } else {
        im_logic_poll_count(poll);
    }
}


static void
im_logic_poll_jobs_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t         i;
    im_logic_poll_t  *poll = data;

    im_daemon_metrics_answer(&poll->logic->metrics, reply);

    if (im_logic_fault(reply, "live.lua") != NULL) {
        poll->failed = 1;
    }

    poll->nodes.jobs = im_link_reply_len(reply);

    for (i = 0; i < poll->nodes.jobs; i++) {
        im_buf_add_str(&poll->nodes.job_names, im_link_reply_str_at(reply, i));
        im_buf_add_z(&poll->nodes.job_names, "\n");
    }

    /* half a list is none */

    if (poll->nodes.job_names.failed) {
        poll->failed = 1;
    }

    im_logic_poll_replied(poll);
}


/* Workers of one configuration publish the same rules: these merge once. */
static void
im_logic_poll_merge(im_logic_worker_t *worker, const im_record_t *record)
{
    im_str_t          json;
    uint64_t          hash;
    im_rules_t        rules;
    im_sketch_t       users;
    im_logic_poll_t  *poll;

    poll = worker->poll;
    json = record->rules;

    im_sketch_init(&users);

    if (record->users.len != 0
        && im_sketch_decode(record->users, &users) == IM_OK)
    {
        worker->users = im_sketch_count(&users);
        (void) im_sketch_merge(&poll->users, &users);
    }

    im_sketch_cleanup(&users);

    hash = json.len != 0
           ? im_siphash(poll->logic->seed, json.data, json.len) : poll->last;

    if (hash == poll->last) {
        return;
    }

    poll->last = hash;

    im_rules_init(&rules);

    if (im_rules_decode(json, &rules) != IM_OK) {
        im_daemon_log(IM_LOG_WARN, "a worker publishes rules that can't be "
                      "read");

    } else if (im_rules_merge(&poll->nodes.rules, &rules) != IM_OK) {
        poll->failed = 1;
    }

    im_rules_cleanup(&rules);
}


/* A string of the record, in the worker's own memory, which has room for it. */
static void
im_logic_poll_keep(im_logic_worker_t *worker, im_str_t *s)
{
    size_t  at;

    at = worker->text.len;
    im_buf_add_str(&worker->text, *s);

    s->data = worker->text.data + at;
}


static void
im_logic_poll_record_handler(const im_link_reply_t *reply, void *data)
{
    size_t              len;
    im_str_t            values[IM_RECORD_FIELDS];
    im_uint_t           i;
    im_record_t         record;
    im_logic_poll_t    *poll;
    im_logic_worker_t  *worker = data;

    poll = worker->poll;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        values[i] = im_link_reply_str_at(reply, i);
    }

    im_record_decode(values, &record);

    len = record.node.len + record.rooms.len + record.version.len;

    im_buf_init(&worker->text, len);

    if (im_link_reply_len(reply) != IM_RECORD_FIELDS
        || (len > 0 && im_buf_reserve(&worker->text, len) == NULL))
    {
        poll->failed = 1;

    } else {
        im_logic_poll_merge(worker, &record);

        worker->text.len = 0;
        im_logic_poll_keep(worker, &record.node);
        im_logic_poll_keep(worker, &record.rooms);
        im_logic_poll_keep(worker, &record.version);

        worker->record = record;
        worker->record.rules = im_str_z("");
        worker->record.users = im_str_z("");
        worker->record.protocols = im_str_z("");
    }

    im_logic_poll_replied(poll);
}


static im_int_t
im_logic_poll_worker(im_logic_poll_t *poll, im_str_t id)
{
    im_logic_worker_t  *worker;

    if (id.len == 0 || id.len > IM_WORKER_MAX) {
        return IM_OK;
    }

    worker = im_calloc(sizeof(im_logic_worker_t) + id.len);
    if (worker == NULL) {
        return IM_ERROR;
    }

    worker->poll = poll;
    worker->id = im_str_set(worker->id_data, id.len);
    im_copy(worker->id_data, id.data, id.len);

    poll->nodes.workers[poll->nodes.nworkers++] = worker;

    return IM_OK;
}


static void
im_logic_poll_record(im_logic_poll_t *poll, im_logic_worker_t *worker)
{
    im_uint_t        i;
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = poll->logic;
    call = im_link_command(logic->link, "HMGET");

    im_key_record(&call->bytes, im_link_keys(logic->link), worker->id);
    im_link_call_key(call);

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        im_link_call_str(call, im_record_fields[i].name);
    }

    poll->left++;
    im_logic_send(logic, im_logic_poll_record_handler, worker);
}


static int
im_logic_poll_order(const void *a, const void *b)
{
    im_logic_worker_t  *const *one = a, *const *two = b;

    return im_worker_compare((*one)->id, (*two)->id);
}


static void
im_logic_poll_nodes_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t         i, n;
    im_logic_poll_t  *poll = data;

    n = im_link_reply_len(reply);

    poll->nodes.workers = im_calloc(im_max(n, 1) * sizeof(im_logic_worker_t *));

    if (im_logic_fault(reply, "live.lua") != NULL
        || poll->nodes.workers == NULL)
    {
        poll->failed = 1;
    }

    for (i = 0; i < n && !poll->failed; i++) {
        if (im_logic_poll_worker(poll, im_link_reply_str_at(reply, i))
            != IM_OK)
        {
            poll->failed = 1;
        }
    }

    if (!poll->failed) {
        n = poll->nodes.nworkers;
        qsort(poll->nodes.workers, n, sizeof(im_logic_worker_t *),
              im_logic_poll_order);

        for (i = 0; i < n; i++) {
            im_logic_poll_record(poll, poll->nodes.workers[i]);
        }
    }

    /* behind the records: what is read by these workers comes later */
    im_link_members_workers(poll->logic->members, reply);

    im_logic_poll_replied(poll);
}


/* NODE.SLOT.START, START: ms in base 36 */
uint64_t
im_logic_worker_uptime(im_str_t id, uint64_t now)
{
    u_char    c;
    size_t    i;
    uint64_t  start;

    for (i = id.len; i > 0 && id.data[i - 1] != '.'; i--) {
        /* void */
    }

    start = 0;

    for ( /* void */ ; i < id.len && start < UINT64_MAX / 64; i++) {
        c = id.data[i];
        start = start * 36 + (uint64_t) (c >= 'a' ? c - 'a' + 10 : c - '0');
    }

    return start > 0 && start < now ? (now - start) / 1000 : 0;
}


static void
im_logic_poll_start(im_logic_t *logic, im_uint_t rounds)
{
    im_logic_poll_t  *poll;

    poll = im_calloc(sizeof(im_logic_poll_t));
    if (poll == NULL) {
        return;
    }

    poll->logic = logic;
    poll->rounds = rounds;
    poll->nodes.polled = im_daemon_now();
    im_buf_init(&poll->nodes.job_names, IM_WORKERS_MAX * 128);
    im_sketch_init(&poll->users);
    im_rules_init(&poll->nodes.rules);

    logic->nodes->poll = poll;

    /* one more, so that it doesn't end before both are sent */
    poll->left = 1;

    im_daemon_metrics_ask(&logic->metrics);
    im_logic_poll_leases(poll, IM_LINK_JOBS, im_logic_poll_jobs_handler);
    im_logic_poll_leases(poll, IM_LINK_WORKERS, im_logic_poll_nodes_handler);

    im_logic_poll_replied(poll);
}


void
im_logic_nodes_poll(im_logic_t *logic)
{
    if (logic->nodes->poll == NULL
        && im_link_ready(logic->link, IM_LINK_REGISTRY))
    {
        im_logic_poll_start(logic, 0);
    }
}


void
im_logic_nodes_up(im_logic_t *logic)
{
    logic->nodes->up = im_daemon_now();

    im_logic_nodes_poll(logic);
}


/* With all of Redis away, what is known may be over when it is back. */
void
im_logic_nodes_down(im_logic_t *logic)
{
    im_uint_t  p;

    for (p = 0; p < im_link_partitions(logic->link); p++) {
        if (im_link_ready(logic->link, p)) {
            return;
        }
    }

    logic->nodes->known = 0;
}


const char *
im_logic_unknown(const im_logic_t *logic)
{
    int  ready;

    ready = im_link_ready(logic->link, IM_LINK_REGISTRY);

    if (logic->nodes->known
        && (ready || im_daemon_now() - logic->nodes->polled < IM_LEASE_WORKER))
    {
        return NULL;
    }

    return ready ? "the workers are not known yet"
                 : im_link_why(logic->link, IM_LINK_REGISTRY);
}


/*
 * After a reload the last workers may have ended before the next ones had a
 * lease; and those that live renew theirs some time after the registry is back.
 */
const char *
im_logic_unready(const im_logic_t *logic)
{
    const im_logic_nodes_t  *nodes;

    nodes = logic->nodes;

    if (!nodes->known) {
        return im_logic_unknown(logic);
    }

    if (nodes->nworkers > 0
        || (nodes->lived > 0
            && im_daemon_now() - im_max(nodes->lived, nodes->up)
               < IM_LEASE_WORKER))
    {
        return NULL;
    }

    return "no nginx worker lives at this Redis: is im_redis of nginx the "
           "same, with its prefix= and db=?";
}
