/*
 * Copyright (C) The im authors
 *
 * What fills Redis.
 *
 * When maxmemory is used for nine tenths, and when it is used wholly, keys of
 * the fullest server are looked at: all of them, or the first ones of a walk,
 * which are a fair sample as their order is that of their hashes.  The log gets
 * the share of each kind of keys, the largest keys, and the cure.  The process
 * that should own the first partition does it.
 */

#include <stdio.h>

#include "im_job.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


#define IM_JOB_MEMORY_KEYS   20000        /* of a sample */
#define IM_JOB_MEMORY_AGAIN  600000       /* ms, while it stays so */
#define IM_JOB_MEMORY_OFTEN  60000        /* ms, where it changes */
#define IM_JOB_MEMORY_LINE   900
#define IM_JOB_MEMORY_NAME   80           /* bytes of a name in the log */
#define IM_JOB_MEMORY_MB     (1024 * 1024)


/* A key whose size is asked for. */
typedef struct {
    im_job_t       *job;
    im_key_kind_e   kind;
    im_str_t        key;       /* stored after the struct */
} im_job_memory_key_t;


static const char *const  im_job_memory_cures[IM_KINDS] = {
    "lower history= or ttl= of im_room, im_inbox, im_broadcast",
    "bound new rooms by im_per_address and im_limit new_rooms=",
    "bound new rooms by im_per_address and im_limit new_rooms=",
    "bound sessions by im_per_address and im_limit sessions=",
    "bound new rooms by im_per_address and im_limit new_rooms=",
    "lower --idem-ttl of im_logic, or the rate of pushes",
    "im_job can't follow: look at its log and its CPU",
    "lower --token-life and --register-limit of im_logic",
    "lower --limit-period of im_logic",
    "look at the nodes in /im/status",
    "give im a Redis of its own"
};


/* Keeps the largest ones in order. */
static void
im_job_memory_largest(im_job_memory_t *m, im_key_kind_e kind, im_str_t key,
    uint64_t bytes)
{
    im_uint_t             i;
    im_job_memory_top_t  *top;

    for (i = IM_JOB_MEMORY_TOPS; i > 0 && m->tops[i - 1].bytes < bytes; i--) {

        if (i < IM_JOB_MEMORY_TOPS) {
            m->tops[i] = m->tops[i - 1];
        }
    }

    if (i == IM_JOB_MEMORY_TOPS) {
        return;
    }

    top = &m->tops[i];
    top->bytes = bytes;
    top->kind = kind;
    top->len = im_min(key.len, sizeof(top->key));
    memcpy(top->key, key.data, top->len);
}


static void
im_job_memory_size(const im_link_reply_t *reply, void *data)
{
    uint64_t              bytes;
    im_job_memory_t      *m;
    im_job_memory_key_t  *k = data;

    m = &k->job->memory;

    if (reply == NULL) {
        im_job_walk_stop(&m->walk);

    } else {
        bytes = (uint64_t) im_max(im_link_reply_int(reply, 0), 0);

        m->nkeys++;
        m->bytes += bytes;
        m->kinds[k->kind] += bytes;

        im_job_memory_largest(m, k->kind, k->key, bytes);
    }

    im_job_walk_release(&m->walk);
    im_free(k);
}


static void
im_job_memory_key(im_job_t *job, im_str_t key)
{
    uint16_t              p;
    im_str_t              topic;
    im_link_call_t       *call;
    im_job_memory_t      *m;
    im_job_memory_key_t  *k;

    m = &job->memory;

    if (m->nkeys >= IM_JOB_MEMORY_KEYS) {
        m->sampled = 1;
        im_job_walk_finish(&m->walk);
        return;
    }

    k = im_alloc(sizeof(im_job_memory_key_t) + key.len);
    if (k == NULL) {
        im_job_walk_stop(&m->walk);
        return;
    }

    k->job = job;
    k->kind = im_key_kind(im_link_keys(job->link), key, &p, &topic);
    k->key = im_str_set((u_char *) (k + 1), key.len);
    memcpy(k->key.data, key.data, key.len);

    call = im_link_command(job->link, "MEMORY USAGE");

    im_buf_add_str(&call->bytes, key);
    im_link_call_key(call);

    if (im_job_walk_call(&m->walk, im_job_memory_size, k) != IM_OK) {
        im_free(k);
        im_job_walk_stop(&m->walk);
    }
}


/* Keys of other programs may have any bytes. */
static void
im_job_memory_name(const im_job_memory_top_t *top, char *name)
{
    size_t  i, n;

    n = im_min(top->len, IM_JOB_MEMORY_NAME);

    for (i = 0; i < n; i++) {
        name[i] = (char) (top->key[i] < 0x20 || top->key[i] == 0x7f
                          || top->key[i] == '"' ? '?' : top->key[i]);
    }

    name[n] = '\0';
}


/* The kinds, those with most bytes first. */
static void
im_job_memory_order(const im_job_memory_t *m, im_key_kind_e *order)
{
    im_uint_t  i, j;

    order[0] = IM_KIND_HISTORY;

    for (i = 1; i < IM_KINDS; i++) {

        for (j = i; j > 0 && m->kinds[order[j - 1]] < m->kinds[i]; j--) {
            order[j] = order[j - 1];
        }

        order[j] = (im_key_kind_e) i;
    }
}


static void
im_job_memory_log_kinds(const im_job_memory_t *m, const im_key_kind_e *order,
    int level)
{
    int        n;
    char       line[IM_JOB_MEMORY_LINE];
    uint64_t   percent;
    im_uint_t  i;

    n = 0;

    for (i = 0; i < IM_KINDS; i++) {
        percent = m->bytes > 0 ? m->kinds[order[i]] * 100 / m->bytes : 0;

        if (i > 0 && percent == 0) {
            break;
        }

        n += snprintf(line + n, sizeof(line) - (size_t) n, "%s%llu %% %s",
                      i > 0 ? ", " : "", (unsigned long long) percent,
                      im_key_kind_name(order[i]));
    }

    im_daemon_log(level, "redis: of %s%llu keys with %llu MB, %s",
                  m->sampled ? "a sample of " : "",
                  (unsigned long long) m->nkeys,
                  (unsigned long long) m->bytes / IM_JOB_MEMORY_MB, line);
}


static void
im_job_memory_log_largest(const im_job_memory_t *m, int level)
{
    char       name[IM_JOB_MEMORY_NAME + 1];
    im_uint_t  i;

    for (i = 0; i < IM_JOB_MEMORY_TOPS && m->tops[i].bytes > 0; i++) {
        im_job_memory_name(&m->tops[i], name);

        im_daemon_log(level, "redis: a large key: %llu kB, %s, \"%s\"",
                      (unsigned long long) m->tops[i].bytes / 1024,
                      im_key_kind_name(m->tops[i].kind), name);
    }
}


static void
im_job_memory_log(im_job_t *job)
{
    int                        level;
    im_key_kind_e              order[IM_KINDS];
    im_job_memory_t           *m;
    im_link_server_info_t      info;
    const im_link_settings_t  *s;

    m = &job->memory;
    s = im_link_watch_settings(job->watch);
    level = m->state == IM_JOB_MEMORY_FULL ? IM_LOG_ERROR : IM_LOG_WARN;

    im_job_memory_order(m, order);
    im_job_memory_log_kinds(m, order, level);
    im_job_memory_log_largest(m, level);

    if (!m->sampled && m->bytes < s->used / 2) {
        im_daemon_log(level, "redis: the rest of %llu MB is not in keys of "
                      "this database: see INFO memory and INFO keyspace",
                      (unsigned long long) s->used / IM_JOB_MEMORY_MB);
    }

    im_link_server_info(job->link, im_link_watch_fullest(job->watch), &info);

    if (im_link_servers(job->link) == 1) {
        info.name.len = 0;
    }

    im_daemon_log(level, "redis uses %llu of %llu MB (maxmemory)%s%.*s%s; %s, "
                  "or CONFIG SET maxmemory, also in redis.conf",
                  (unsigned long long) s->used / IM_JOB_MEMORY_MB,
                  (unsigned long long) s->max / IM_JOB_MEMORY_MB,
                  info.name.len > 0 ? " at " : "", (int) info.name.len,
                  (char *) info.name.data,
                  m->state == IM_JOB_MEMORY_FULL ? ": it refuses pushes" : "",
                  im_job_memory_cures[order[0]]);
}


static void
im_job_memory_end(im_job_t *job, int whole)
{
    if (whole) {
        im_job_memory_log(job);

    } else {
        job->memory.state = IM_JOB_MEMORY_FINE;
    }
}


const im_job_walk_events_t  im_job_memory_events = {
    im_job_memory_key,
    im_job_memory_end
};


static im_job_memory_e
im_job_memory_state(const im_job_t *job)
{
    im_uint_t  set;

    set = im_link_watch_warnings(job->watch);

    if (set & ((im_uint_t) 1 << IM_SETTING_FULL)) {
        return IM_JOB_MEMORY_FULL;
    }

    return set & ((im_uint_t) 1 << IM_SETTING_NEARLY) ? IM_JOB_MEMORY_NEARLY
                                                      : IM_JOB_MEMORY_FINE;
}


/* A report, where it is fuller than in the last one, or that one is old. */
void
im_job_memory_tick(im_job_t *job)
{
    uint64_t          since;
    im_uint_t         server;
    im_job_memory_t  *m;
    im_job_memory_e   state;

    m = &job->memory;

    if (m->walk.state != IM_JOB_WALK_NONE || job->npartitions == 0
        || !job->partitions[0].wanted)
    {
        return;
    }

    state = im_job_memory_state(job);
    since = im_daemon_now() - m->walk.ended;

    if (state == IM_JOB_MEMORY_FINE
        || (m->state == IM_JOB_MEMORY_FINE ? m->walk.ended != 0
                                             && since < IM_JOB_MEMORY_OFTEN
                                           : state <= m->state
                                             && since < IM_JOB_MEMORY_AGAIN))
    {
        m->state = im_min(m->state, state);
        return;
    }

    m->state = state;
    m->sampled = 0;
    m->nkeys = 0;
    m->bytes = 0;
    memset(m->kinds, 0, sizeof(m->kinds));
    memset(m->tops, 0, sizeof(m->tops));

    server = im_link_watch_fullest(job->watch);
    im_job_walk_start(&m->walk, server, server + 1);
}
