/*
 * Copyright (C) The im authors
 *
 * GET /im/nodes: nodes with their workers, queues, im_job processes, and this
 * im_logic.
 *
 * Workers that live are those of the last poll, and queues are those of the
 * last seconds.  Redis is asked for workers that have died, and for their
 * versions.
 */

#include <stdlib.h>

#include "im_logic_who.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_link_leases.h"
#include "im_daemon_time.h"


#define IM_SHOW_DEAD    64           /* workers, at most */


typedef struct im_logic_show_s  im_logic_show_t;

/* A worker, alive or dead. */
typedef struct {
    im_logic_show_t  *show;
    im_str_t          id;
    im_str_t          node;
    im_record_t       record;
    uint64_t          users;
    uint64_t          gone;          /* ms since the end of its lease, or 0 */
} im_logic_shown_t;


struct im_logic_show_s {
    im_daemon_request_t      *r;
    im_buf_t                 *b;
    im_logic_shown_t         *workers;
    im_uint_t                 nworkers;
    im_uint_t                 left;  /* replies to come */
    const char               *why;   /* something could not be read */
};


static const char *
im_logic_show_state(const im_logic_shown_t *worker)
{
    return worker->gone > 0 ? "away"
           : worker->record.draining ? "draining" : "live";
}


/* "NAME SESSIONS", with commas between. */
static void
im_logic_show_protocols(im_buf_t *b, im_str_t text)
{
    u_char      *p, *end, *next, *blank;
    uint64_t     n;
    const char  *comma;

    comma = "";
    end = text.data + text.len;

    im_buf_add_z(b, ",\"protocols\":{");

    for (p = text.data; p < end; p = next + 1) {
        next = memchr(p, ',', (size_t) (end - p));
        next = next != NULL ? next : end;
        blank = memchr(p, ' ', (size_t) (next - p));

        if (blank != NULL
            && im_decimal_decode(im_str_set(blank + 1,
                                            (size_t) (next - blank) - 1), &n)
               == IM_OK)
        {
            im_logic_print(b, "%z%j:%u", comma,
                           im_str_set(p, (size_t) (blank - p)), n);
            comma = ",";
        }
    }

    im_buf_add_z(b, "}");
}


static void
im_logic_show_worker(im_buf_t *b, const im_logic_shown_t *worker, uint64_t now)
{
    const im_record_t  *record;

    record = &worker->record;

    im_logic_print(b, "{\"worker\":%j,\"state\":\"%z\",\"version\":%j",
                   worker->id, im_logic_show_state(worker), record->version);

    if (worker->gone > 0) {
        im_logic_print(b, ",\"gone\":%u}", worker->gone / 1000);
        return;
    }

    im_logic_print(b, ",\"uptime\":%u,\"time\":%d,\"link\":\"%z\","
                   "\"away\":%d,\"sessions\":%d,\"users\":%u,\"topics\":%d,"
                   "\"subscriptions\":%d,\"addresses\":%d",
                   im_logic_worker_uptime(worker->id, now), record->time,
                   record->away > 0 ? "degraded" : "up", record->away,
                   record->sessions, worker->users, record->topics,
                   record->subs, record->addresses);

    im_logic_show_protocols(b, record->protocols);

    im_logic_print(b, ",\"accepted\":%d,\"refused\":%d,\"messages_in\":%d,"
                   "\"messages_out\":%d,\"bytes_out\":%d}",
                   record->accepted, record->refused, record->messages_in,
                   record->messages_out, record->bytes_out);
}


/* A node is what the best of its workers is. */
static void
im_logic_show_node(im_buf_t *b, const im_logic_shown_t *workers, im_uint_t n,
    uint64_t now)
{
    int64_t      sessions;
    im_uint_t    i, live, draining;
    const char  *state;

    sessions = 0;
    live = 0;
    draining = 0;

    for (i = 0; i < n; i++) {
        state = im_logic_show_state(&workers[i]);

        live += strcmp(state, "live") == 0;
        draining += strcmp(state, "draining") == 0;
        sessions += workers[i].gone > 0 ? 0 : workers[i].record.sessions;
    }

    state = live > 0 ? "live" : draining > 0 ? "draining" : "away";

    im_logic_print(b, "{\"node\":%j,\"state\":\"%z\",\"sessions\":%d,"
                   "\"workers\":[", workers[0].node, state, sessions);

    for (i = 0; i < n; i++) {
        im_buf_add_z(b, i > 0 ? "," : "");
        im_logic_show_worker(b, &workers[i], now);
    }

    im_buf_add_z(b, "]}");
}


static int
im_logic_show_cmp(const void *a, const void *b)
{
    const im_logic_shown_t  *one = a, *two = b;

    return im_str_compare(one->id, two->id);
}


/* The id of a worker begins with its node and a dot: sorted by one, sorted. */
static void
im_logic_show_nodes(im_logic_show_t *show, uint64_t now)
{
    im_uint_t          i, last;
    im_logic_shown_t  *w;

    w = show->workers;

    qsort(w, show->nworkers, sizeof(im_logic_shown_t), im_logic_show_cmp);

    im_buf_add_z(show->b, ",\"nodes\":[");

    for (i = 0; i < show->nworkers; i = last) {

        for (last = i + 1; last < show->nworkers; last++) {
            if (!im_str_eq(w[last].node, w[i].node)) {
                break;
            }
        }

        im_buf_add_z(show->b, i > 0 ? "," : "");
        im_logic_show_node(show->b, &w[i], last - i, now);
    }

    im_buf_add_z(show->b, "]");
}


/* Only partitions that need a look are listed. */
static void
im_logic_show_queue(im_buf_t *b, const im_logic_t *logic)
{
    uint32_t                   p;
    uint64_t                   entries, age;
    const char                *comma;
    const im_daemon_queue_t   *queue;
    const im_daemon_queues_t  *q;

    q = &logic->queues;
    entries = 0;
    age = 0;

    for (p = 0; p < q->n; p++) {
        if (q->queues[p].known) {
            entries += q->queues[p].entries;
            age = im_max(age, q->queues[p].age);
        }
    }

    im_logic_print(b, ",\"queue\":{\"length\":%u,\"age\":%u,\"partitions\":[",
                   entries, age);

    comma = "";

    for (p = 0; p < q->n; p++) {
        queue = &q->queues[p];

        if (!queue->known && !im_link_ready(logic->link, p)) {
            im_logic_print(b, "%z{\"partition\":%u,\"away\":true}", comma,
                           (uint64_t) p);

        } else if (queue->known && queue->entries > 0) {
            im_logic_print(b, "%z{\"partition\":%u,\"length\":%u,\"age\":%u,"
                           "\"job\":%j}", comma, (uint64_t) p, queue->entries,
                           queue->age, im_str_set(queue->owner,
                                                  queue->owner_len));

        } else {
            continue;
        }

        comma = ",";
    }

    im_buf_add_z(b, "]}");
}


static uint64_t
im_logic_show_owned(const im_daemon_queues_t *q, im_str_t job)
{
    uint32_t                  p;
    uint64_t                  n;
    const im_daemon_queue_t  *queue;

    for (p = 0, n = 0; p < q->n; p++) {
        queue = &q->queues[p];
        n += queue->known && im_str_eq(im_str_set(queue->owner,
                                                  queue->owner_len), job);
    }

    return n;
}


static void
im_logic_show_jobs(im_buf_t *b, im_str_t names, const im_daemon_queues_t *q)
{
    u_char    *p, *end;
    im_str_t   name;

    im_buf_add_z(b, ",\"jobs\":[");

    for (p = names.data; p < names.data + names.len; p = end + 1) {
        end = memchr(p, '\n', (size_t) (names.data + names.len - p));

        name = im_str_set(p, (size_t) (end - p));

        im_logic_print(b, "%z{\"job\":%j,\"partitions\":%u}",
                       p != names.data ? "," : "", name,
                       im_logic_show_owned(q, name));
    }

    im_buf_add_z(b, "]");
}


static void
im_logic_show_replied(im_logic_show_t *show)
{
    uint64_t           now;
    im_logic_t        *logic;
    im_logic_nodes_t  *nodes;

    if (--show->left > 0) {
        return;
    }

    if (show->why != NULL) {
        im_logic_reply_error(show->r, 503, show->why);
        return;
    }

    logic = show->r->data;
    nodes = logic->nodes;
    now = im_logic_time();

    im_logic_print(show->b, "{\"time\":%u,\"sessions\":%u,\"users\":%u", now,
                   nodes->sessions, nodes->users);

    im_logic_show_nodes(show, now);
    im_logic_show_queue(show->b, logic);
    im_logic_show_jobs(show->b, im_buf_str(&nodes->job_names),
                       &logic->queues);

    im_logic_print(show->b, ",\"logic\":{\"version\":\"" IM_VERSION "\","
                   "\"uptime\":%u,\"requests\":%u}}",
                   (im_daemon_now() - logic->started) / 1000,
                   logic->nrequests);

    im_logic_reply_data(show->r, show->b);
}


/* What it said last may have gone by now: only the id is sure. */
static void
im_logic_show_record_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_shown_t  *worker = data;

    worker->record.version = im_daemon_copy(worker->show->r,
                                            im_link_reply_str_at(reply, 0));

    if (worker->record.version.data == NULL) {
        worker->record.version = im_str_z("");
    }

    im_logic_show_replied(worker->show);
}


static void
im_logic_show_dead(im_logic_show_t *show, im_str_t id, int64_t gone)
{
    u_char            *dot;
    im_uint_t          i;
    im_logic_t        *logic;
    im_link_call_t    *call;
    im_logic_shown_t  *worker;

    for (i = 0; i < show->nworkers; i++) {
        if (im_str_eq(show->workers[i].id, id)) {
            return;
        }
    }

    worker = &show->workers[show->nworkers];

    worker->id = im_daemon_copy(show->r, id);

    if (worker->id.data == NULL) {
        show->why = "no memory";
        return;
    }

    show->nworkers++;

    dot = im_str_chr(worker->id, '.');

    worker->show = show;
    worker->gone = (uint64_t) im_max(gone, 1);
    worker->node = worker->id;

    if (dot != NULL) {
        worker->node.len = (size_t) (dot - worker->id.data);
    }

    logic = show->r->data;
    call = im_link_command(logic->link, "HMGET");

    im_key_record(&call->bytes, im_link_keys(logic->link), worker->id);
    im_link_call_key(call);
    im_link_call_z(call, "version");

    show->left++;
    im_logic_send(logic, im_logic_show_record_handler, worker);
}


static void
im_logic_show_dead_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t         i;
    const char       *why;
    im_logic_show_t  *show = data;

    why = im_logic_fault(reply, "dead.lua");

    if (why != NULL) {
        show->why = why;
    }

    for (i = 0; i + 1 < im_link_reply_len(reply) && i < 2 * IM_SHOW_DEAD;
         i += 2)
    {
        im_logic_show_dead(show, im_link_reply_str_at(reply, i),
                           im_link_reply_int_at(reply, i + 1, 0));
    }

    im_logic_show_replied(show);
}


/* They are copied: another poll may end before all is known. */
static im_int_t
im_logic_show_live(im_logic_show_t *show)
{
    im_uint_t           i;
    im_logic_t         *logic;
    im_logic_shown_t   *shown;
    im_logic_worker_t  *worker;

    logic = show->r->data;

    for (i = 0; i < logic->nodes->nworkers; i++) {
        worker = logic->nodes->workers[i];
        shown = &show->workers[show->nworkers++];

        shown->show = show;
        shown->record = worker->record;
        shown->users = worker->users;
        shown->record.rooms = im_str_z("");
        shown->id = im_daemon_copy(show->r, worker->id);
        shown->node = im_daemon_copy(show->r, worker->record.node);
        shown->record.version = im_daemon_copy(show->r,
                                               worker->record.version);
        shown->record.protocols = im_daemon_copy(show->r,
                                                 worker->record.protocols);

        if (shown->id.data == NULL || shown->node.data == NULL
            || shown->record.version.data == NULL
            || shown->record.protocols.data == NULL)
        {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


void
im_logic_nodes_handler(im_daemon_request_t *r)
{
    im_logic_t       *logic;
    const char       *why;
    im_link_call_t   *call;
    im_logic_show_t  *show;

    logic = r->data;
    why = im_logic_unknown(logic);

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    show = im_daemon_alloc(r, sizeof(im_logic_show_t));

    if (show != NULL) {
        show->r = r;
        show->workers = im_daemon_alloc(r, (logic->nodes->nworkers
                                            + IM_SHOW_DEAD)
                                           * sizeof(im_logic_shown_t));
    }

    if (show == NULL || show->workers == NULL
        || im_logic_show_live(show) != IM_OK)
    {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    show->b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);
    show->left = 1;

    call = im_link_script(logic->link, &im_script_dead);

    im_link_leases_key(logic->link, call, IM_LINK_WORKERS);
    im_link_call_uint(call, IM_SHOW_DEAD);
    im_logic_send(logic, im_logic_show_dead_handler, show);
}
