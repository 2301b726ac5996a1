/*
 * Copyright (C) The im authors
 *
 * Which workers live, their rules and totals: read from the registry about
 * once a second.
 */

#include <stdlib.h>

#include "im_logic_nodes.h"
#include "im_hash.h"
#include "im_key.h"
#include "im_record.h"
#include "im_sketch.h"


/* A look under way: its results replace those of the last one when it ends. */
struct im_logic_look_s {
    im_logic_t        *logic;
    im_logic_nodes_t   nodes;
    im_sketch_t        users;
    uint64_t           last;       /* hash of the rules merged last */
    im_uint_t          left;       /* records to come */
    unsigned           failed:1;
};


static void im_logic_look_jobs_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_look_nodes_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_look_live(im_logic_look_t *look, const im_buf_t *key,
    const char *length, im_daemon_reply_pt fn);
static im_int_t im_logic_look_add(im_logic_look_t *look, im_str_t worker);
static im_int_t im_logic_look_record(im_logic_look_t *look, im_str_t worker);
static void im_logic_look_record_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_look_rules(im_logic_look_t *look, im_str_t json);
static void im_logic_look_done(im_logic_look_t *look);
static void im_logic_look_free(im_logic_look_t *look);
static void im_logic_nodes_clear(im_logic_nodes_t *nodes);
static int im_logic_worker_cmp(const void *a, const void *b);


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


void
im_logic_nodes_look(im_logic_t *logic)
{
    im_buf_t          key;
    im_logic_look_t  *look;

    if (logic->nodes->look != NULL || !im_daemon_redis_ready(logic->redis)) {
        return;
    }

    look = im_calloc(sizeof(im_logic_look_t));
    if (look == NULL) {
        return;
    }

    look->logic = logic;
    im_sketch_init(&look->users);
    im_rules_init(&look->nodes.rules);

    logic->nodes->look = look;

    im_buf_init(&key, 256);
    im_key_jobs(&key, logic->prefix);
    im_logic_look_live(look, &key, im_text(IM_LEASE_JOB),
                       im_logic_look_jobs_handler);
    im_buf_cleanup(&key);
}


static void
im_logic_look_jobs_handler(const im_daemon_reply_t *reply, void *data)
{
    im_buf_t          key;
    im_logic_look_t  *look = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        look->failed = 1;
        im_logic_look_done(look);
        return;
    }

    look->nodes.jobs = im_daemon_reply_len(reply);

    im_buf_init(&key, 256);
    im_key_nodes(&key, look->logic->prefix);
    im_logic_look_live(look, &key, im_text(IM_LEASE_WORKER),
                       im_logic_look_nodes_handler);
    im_buf_cleanup(&key);
}


/* Who holds a lease; without a command there is no reply: the look ends. */
static void
im_logic_look_live(im_logic_look_t *look, const im_buf_t *key,
    const char *length, im_daemon_reply_pt fn)
{
    im_str_t  args[4];

    args[0] = im_buf_str(key);
    args[1] = im_str_z(length);
    args[2] = im_str_set("", 0);
    args[3] = im_str_z(im_text(IM_WORKERS_MAX));

    if (key->failed
        || im_daemon_redis_script(look->logic->redis, IM_PARTITION_REG,
                                  &im_script_live, args, 4, 1, fn, look)
           != IM_OK)
    {
        look->failed = 1;
        im_logic_look_done(look);
    }
}


static void
im_logic_look_nodes_handler(const im_daemon_reply_t *reply, void *data)
{
    im_uint_t         i, n;
    im_logic_look_t  *look = data;

    n = im_daemon_reply_len(reply);

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        look->failed = 1;
        n = 0;
    }

    look->left = 1;

    for (i = 0; i < n; i++) {
        if (im_logic_look_add(look, im_daemon_reply_str(
                                        im_daemon_reply_at(reply, i)))
            != IM_OK)
        {
            look->failed = 1;
            break;
        }
    }

    if (--look->left == 0) {
        im_logic_look_done(look);
    }
}


static im_int_t
im_logic_look_add(im_logic_look_t *look, im_str_t worker)
{
    im_str_t          *s;
    im_logic_nodes_t  *nodes;

    nodes = &look->nodes;

    if (worker.len == 0 || worker.len > IM_WORKER_MAX) {
        return IM_OK;
    }

    s = im_realloc(nodes->workers, (nodes->nworkers + 1) * sizeof(im_str_t));
    if (s == NULL) {
        return IM_ERROR;
    }

    nodes->workers = s;
    s += nodes->nworkers;

    s->data = im_alloc(worker.len);
    if (s->data == NULL) {
        return IM_ERROR;
    }

    memcpy(s->data, worker.data, worker.len);
    s->len = worker.len;
    nodes->nworkers++;

    return im_logic_look_record(look, worker);
}


static im_int_t
im_logic_look_record(im_logic_look_t *look, im_str_t worker)
{
    im_buf_t     b;
    im_int_t     rc;
    im_str_t     args[2 + IM_RECORD_FIELDS];
    im_logic_t  *logic;

    logic = look->logic;

    im_buf_init(&b, 1024);
    im_key_record(&b, logic->prefix, worker);

    args[0] = im_str_z("HMGET");
    args[1] = im_buf_str(&b);
    memcpy(&args[2], im_record_names, sizeof(im_record_names));

    rc = b.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, IM_PARTITION_REG, args,
                                   2 + IM_RECORD_FIELDS,
                                   im_logic_look_record_handler, look);
    if (rc == IM_OK) {
        look->left++;
    }

    im_buf_cleanup(&b);

    return rc;
}


static void
im_logic_look_record_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t          values[IM_RECORD_FIELDS];
    im_uint_t         i;
    im_sketch_t       users;
    im_record_t       record;
    im_logic_look_t  *look = data;

    if (im_daemon_reply_len(reply) != IM_RECORD_FIELDS) {
        look->failed = 1;
        goto done;
    }

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        values[i] = im_daemon_reply_str(im_daemon_reply_at(reply, i));
    }

    im_record_decode(values, &record);

    look->nodes.sessions += record.sessions;

    im_sketch_init(&users);

    if (record.users.len != 0
        && im_sketch_decode(record.users, &users) == IM_OK)
    {
        (void) im_sketch_merge(&look->users, &users);
    }

    im_sketch_cleanup(&users);

    im_logic_look_rules(look, record.rules);

done:

    if (--look->left == 0) {
        im_logic_look_done(look);
    }
}


/* Workers of one configuration say the same: it is merged once. */
static void
im_logic_look_rules(im_logic_look_t *look, im_str_t json)
{
    uint64_t    hash;
    im_rules_t  rules;

    if (json.len == 0) {
        return;
    }

    hash = im_siphash(look->logic->seed, json.data, json.len);

    if (hash == look->last) {
        return;
    }

    look->last = hash;

    im_rules_init(&rules);

    if (im_rules_decode(json, &rules) != IM_OK) {
        im_daemon_log(IM_LOG_WARN, "a worker publishes rules that can't be "
                      "read");

    } else if (im_rules_merge(&look->nodes.rules, &rules) != IM_OK) {
        look->failed = 1;
    }

    im_rules_cleanup(&rules);
}


static void
im_logic_look_done(im_logic_look_t *look)
{
    im_logic_t  *logic;

    logic = look->logic;
    logic->nodes->look = NULL;

    if (!look->failed && im_daemon_redis_ready(logic->redis)) {
        look->nodes.users = im_sketch_count(&look->users);
        look->nodes.known = 1;

        if (look->nodes.nworkers > 1) {
            qsort(look->nodes.workers, look->nodes.nworkers, sizeof(im_str_t),
                  im_logic_worker_cmp);
        }

        im_logic_nodes_clear(logic->nodes);
        *logic->nodes = look->nodes;
        memset(&look->nodes, 0, sizeof(im_logic_nodes_t));
    }

    im_logic_look_free(look);
}


static void
im_logic_look_free(im_logic_look_t *look)
{
    im_sketch_cleanup(&look->users);
    im_logic_nodes_clear(&look->nodes);
    im_free(look);
}


int
im_logic_nodes_live(const im_logic_t *logic, im_str_t worker)
{
    if (logic->nodes->nworkers == 0) {
        return 0;
    }

    return bsearch(&worker, logic->nodes->workers, logic->nodes->nworkers,
                   sizeof(im_str_t), im_logic_worker_cmp)
           != NULL;
}


void
im_logic_nodes_forget(im_logic_t *logic)
{
    logic->nodes->known = 0;
}


void
im_logic_nodes_cleanup(im_logic_t *logic)
{
    if (logic->nodes != NULL) {
        im_logic_nodes_clear(logic->nodes);
        im_free(logic->nodes);
    }
}


static void
im_logic_nodes_clear(im_logic_nodes_t *nodes)
{
    im_uint_t  i;

    for (i = 0; i < nodes->nworkers; i++) {
        im_free(nodes->workers[i].data);
    }

    im_free(nodes->workers);
    im_rules_cleanup(&nodes->rules);
    memset(nodes, 0, sizeof(im_logic_nodes_t));
}


static int
im_logic_worker_cmp(const void *a, const void *b)
{
    int              rc;
    const im_str_t  *one = a, *two = b;

    rc = memcmp(one->data, two->data, im_min(one->len, two->len));

    if (rc != 0) {
        return rc;
    }

    return one->len < two->len ? -1 : one->len > two->len;
}


const char *
im_logic_unready(const im_logic_t *logic)
{
    const char  *why;

    why = im_logic_unknown(logic);

    if (why != NULL) {
        return why;
    }

    if (logic->nodes->nworkers == 0) {
        return "no nginx worker lives";
    }

    return NULL;
}


const char *
im_logic_unknown(const im_logic_t *logic)
{
    if (!im_daemon_redis_ready(logic->redis)) {
        return im_daemon_redis_why(logic->redis);
    }

    return logic->nodes->known ? NULL : "the workers are not known yet";
}
