/*
 * Copyright (C) The im authors
 *
 * Which settings of a Redis break a promise.
 */

#include <stdio.h>

#include "im_link_settings.h"
#include "im_buf.h"


#define IM_SETTING_MB        (1024 * 1024)
#define IM_SETTING_HARD      (256 * (uint64_t) IM_SETTING_MB)    /* pub/sub */
#define IM_SETTING_SOFT      (64 * (uint64_t) IM_SETTING_MB)
#define IM_SETTING_SECONDS   60
#define IM_SETTING_REPLIES   (64 * (uint64_t) IM_SETTING_MB)     /* normal */
#define IM_SETTING_IDLE      10       /* s; links ask every 2 to 5 s */
#define IM_SETTING_FAILOVER  5000     /* ms, so that leases outlive it */
#define IM_SETTING_NAME      64       /* bytes of a master's name */
#define IM_SETTING_ENOUGH    3        /* sentinels: a majority outlives one */


void
im_link_settings_init(im_link_settings_t *s)
{
    memset(s, 0, sizeof(im_link_settings_t));
}


static im_setting_value_e
im_link_settings_yes(im_str_t value)
{
    if (im_str_eq(value, im_str_z("yes")) || im_str_eq(value, im_str_z("1"))) {
        return IM_SETTING_YES;
    }

    return im_str_eq(value, im_str_z("no")) || im_str_eq(value, im_str_z("0"))
           ? IM_SETTING_NO : IM_SETTING_UNKNOWN;
}


/* What isn't a number is 0. */
static uint64_t
im_link_settings_number(im_str_t value)
{
    uint64_t  n;

    return im_decimal_decode(value, &n) == IM_OK ? n : 0;
}


/* Up to the next mark; s is what follows. */
static im_str_t
im_link_settings_word(im_str_t *s, u_char mark)
{
    size_t    n;
    im_str_t  word;

    for (n = 0; n < s->len && s->data[n] != mark; n++) { /* void */ }

    word = im_str_set(s->data, n);
    n += n < s->len;
    *s = im_str_set(s->data + n, s->len - n);

    return word;
}


/* CLASS HARD SOFT SECONDS, several times. */
static void
im_link_settings_buffers(im_link_settings_t *s, im_str_t value)
{
    im_str_t              class;
    im_setting_buffer_t   b;

    while (value.len > 0) {
        class = im_link_settings_word(&value, ' ');
        b.hard = im_link_settings_number(im_link_settings_word(&value, ' '));
        b.soft = im_link_settings_number(im_link_settings_word(&value, ' '));
        b.seconds = im_link_settings_number(im_link_settings_word(&value, ' '));

        if (im_str_eq(class, im_str_z("pubsub"))) {
            s->pubsub = b;

        } else if (im_str_eq(class, im_str_z("normal"))) {
            s->normal = b;
        }
    }
}


static void
im_link_settings_cluster(im_link_settings_t *s, im_str_t name, im_str_t value)
{
    if (im_str_eq(name, im_str_z("cluster-enabled"))) {
        s->cluster = im_link_settings_yes(value);

    } else if (im_str_eq(name, im_str_z("cluster-node-timeout"))) {
        s->node_timeout = im_link_settings_number(value);

    } else if (im_str_eq(name, im_str_z("cluster-require-full-coverage"))) {
        s->coverage = im_link_settings_yes(value);
    }
}


void
im_link_settings_config(im_link_settings_t *s, im_str_t name, im_str_t value)
{
    size_t  n;

    if (im_str_eq(name, im_str_z("appendonly"))) {
        s->appendonly = im_link_settings_yes(value);

    } else if (im_str_eq(name, im_str_z("appendfsync"))) {
        s->fsync = im_str_eq(value, im_str_z("no")) ? IM_SETTING_NO
                                                    : IM_SETTING_YES;

    } else if (im_str_eq(name, im_str_z("no-appendfsync-on-rewrite"))) {
        s->rewrite = im_link_settings_yes(value);

    } else if (im_str_eq(name, im_str_z("save"))) {
        s->snapshots = value.len > 0 ? IM_SETTING_YES : IM_SETTING_NO;

    } else if (im_str_eq(name, im_str_z("client-output-buffer-limit"))) {
        im_link_settings_buffers(s, value);

    } else if (im_str_eq(name, im_str_z("maxmemory-policy"))) {
        n = im_min(value.len, sizeof(s->policy) - 1);
        memcpy(s->policy, value.data, n);
        s->policy[n] = '\0';

    } else if (im_str_eq(name, im_str_z("repl-backlog-ttl"))) {
        s->backlog = im_link_settings_number(value);

    } else if (im_str_eq(name, im_str_z("timeout"))) {
        s->timeout = im_link_settings_number(value);

    } else if (im_str_eq(name, im_str_z("min-replicas-to-write"))) {
        s->min_replicas = im_link_settings_number(value);

    } else {
        im_link_settings_cluster(s, name, value);
    }
}


/* "slave0:ip=...,port=...,state=online,offset=...,lag=..." */
static int
im_link_settings_online(im_str_t name, im_str_t value)
{
    im_str_t  word, slave = im_str("slave");

    if (name.len <= slave.len || memcmp(name.data, slave.data, slave.len) != 0
        || name.data[slave.len] < '0' || name.data[slave.len] > '9')
    {
        return 0;
    }

    while (value.len > 0) {
        word = im_link_settings_word(&value, ',');

        if (im_str_eq(word, im_str_z("state=online"))) {
            return 1;
        }
    }

    return 0;
}


/* Redis counts neither the output of replicas nor the buffer of the AOF. */
static void
im_link_settings_field(im_link_settings_t *s, im_str_t name, im_str_t value)
{
    uint64_t  n;

    n = im_link_settings_number(value);

    if (im_str_eq(name, im_str_z("aof_enabled"))) {
        s->appendonly = im_link_settings_yes(value);

    } else if (im_str_eq(name, im_str_z("connected_slaves"))) {
        s->replicas = n;
        s->counted = IM_SETTING_YES;

    } else if (im_link_settings_online(name, value)) {
        s->online++;

    } else if (im_str_eq(name, im_str_z("used_memory"))) {
        s->used = n;

    } else if (im_str_eq(name, im_str_z("mem_not_counted_for_evict"))) {
        s->used -= im_min(s->used, n);

    } else if (im_str_eq(name, im_str_z("maxmemory"))) {
        s->max = n;
    }
}


void
im_link_settings_info(im_link_settings_t *s, im_str_t info)
{
    u_char  *p, *end, *eol, *colon;

    for (p = info.data, end = p + info.len; p < end; p = eol + 1) {
        eol = memchr(p, '\n', end - p);

        if (eol == NULL) {
            return;
        }

        colon = memchr(p, ':', eol - p);

        if (colon != NULL) {
            im_link_settings_field(s, im_str_set(p, colon - p),
                                   im_str_set(colon + 1, eol - colon - 1
                                              - (eol[-1] == '\r')));
        }
    }
}


static int
im_link_settings_less(const im_setting_buffer_t *b, uint64_t hard,
    uint64_t soft, uint64_t seconds)
{
    return (b->hard != 0 && b->hard < hard)
           || (b->soft != 0 && (b->soft < soft || (b->soft < hard
                                                   && b->seconds < seconds)));
}


/* What lets another server take over, and how soon. */
static void
im_link_settings_judge_failover(const im_link_settings_t *s, int *wrong)
{
    int  cluster;

    cluster = s->cluster == IM_SETTING_YES;

    wrong[IM_SETTING_COVERAGE] = cluster && s->coverage == IM_SETTING_YES;
    wrong[IM_SETTING_NODE_TIMEOUT] = cluster
                                     && s->node_timeout > IM_SETTING_FAILOVER;
    wrong[IM_SETTING_ALONE] = (cluster || s->sentinels > 0)
                              && s->counted == IM_SETTING_YES
                              && s->replicas == 0;
    wrong[IM_SETTING_MIN_REPLICAS] = s->min_replicas > 0
                                     && s->counted == IM_SETTING_YES
                                     && s->replicas <= s->min_replicas;
    wrong[IM_SETTING_DOWN_AFTER] = s->down_after > IM_SETTING_FAILOVER;
    wrong[IM_SETTING_SENTINELS] = s->sentinels > 0
                                  && s->sentinels < IM_SETTING_ENOUGH;
    wrong[IM_SETTING_QUORUM] = s->sentinels >= IM_SETTING_ENOUGH
                               && s->quorum > s->sentinels;
}


im_uint_t
im_link_settings_judge(const im_link_settings_t *s)
{
    im_uint_t  i, set;
    int        wrong[IM_SETTINGS];

    memset(wrong, 0, sizeof(wrong));

    wrong[IM_SETTING_APPENDONLY] = s->appendonly == IM_SETTING_NO;
    wrong[IM_SETTING_FSYNC] = s->appendonly == IM_SETTING_YES
                              && s->fsync == IM_SETTING_NO;
    wrong[IM_SETTING_REWRITE] = s->appendonly == IM_SETTING_YES
                                && s->fsync != IM_SETTING_NO
                                && s->rewrite == IM_SETTING_YES;
    wrong[IM_SETTING_PUBSUB] = im_link_settings_less(&s->pubsub,
                                   IM_SETTING_HARD, IM_SETTING_SOFT,
                                   IM_SETTING_SECONDS);
    wrong[IM_SETTING_NORMAL] = im_link_settings_less(&s->normal,
                                   IM_SETTING_REPLIES, IM_SETTING_REPLIES, 0);
    wrong[IM_SETTING_POLICY] = s->policy[0] != '\0'
                               && strcmp(s->policy, "noeviction") != 0;
    wrong[IM_SETTING_BACKLOG] = s->replicas > 0 && s->backlog > 0;
    wrong[IM_SETTING_TIMEOUT] = s->timeout > 0 && s->timeout < IM_SETTING_IDLE;
    wrong[IM_SETTING_FULL] = s->max > 0 && s->used >= s->max;
    wrong[IM_SETTING_NEARLY] = s->max > 0 && s->used < s->max
                               && s->used >= s->max / 10 * 9;
    wrong[IM_SETTING_DURABLE] = s->demanded > 0 && s->online != s->demanded;
    wrong[IM_SETTING_HIDDEN] = s->hidden == IM_SETTING_YES;

    im_link_settings_judge_failover(s, wrong);

    for (i = 0, set = 0; i < IM_SETTINGS; i++) {
        set |= wrong[i] ? (im_uint_t) 1 << i : 0;
    }

    return set;
}


static void
im_link_settings_text_buffer(const im_setting_buffer_t *b, const char *class,
    const char *limits, const char *what, char *text)
{
    (void) snprintf(text, IM_LINK_SETTINGS_TEXT,
                    "redis has \"client-output-buffer-limit %s %llu %llu "
                    "%llu\": %s; CONFIG SET client-output-buffer-limit "
                    "\"%s %s\", also in redis.conf",
                    class, (unsigned long long) b->hard,
                    (unsigned long long) b->soft,
                    (unsigned long long) b->seconds, what, class, limits);
}


static void
im_link_settings_text_memory(const im_link_settings_t *s, const char *what,
    char *text)
{
    (void) snprintf(text, IM_LINK_SETTINGS_TEXT,
                    "redis uses %llu of %llu MB (maxmemory): %s; im_job's log "
                    "says what fills it, CONFIG SET maxmemory gives it more",
                    (unsigned long long) s->used / IM_SETTING_MB,
                    (unsigned long long) s->max / IM_SETTING_MB, what);
}


static void
im_link_settings_text_wrong(const char *setting, const char *value,
    const char *what, const char *right, char *text)
{
    (void) snprintf(text, IM_LINK_SETTINGS_TEXT,
                    "redis has \"%s %s\": %s; CONFIG SET %s %s, also in "
                    "redis.conf", setting, value, what, setting, right);
}


static void
im_link_settings_text_number(const char *setting, uint64_t n, const char *what,
    const char *right, char *text)
{
    char  value[32];

    (void) snprintf(value, sizeof(value), "%llu", (unsigned long long) n);
    im_link_settings_text_wrong(setting, value, what, right, text);
}


static void
im_link_settings_text_sentinel(const im_link_settings_t *s,
    im_setting_e warning, char *text)
{
    int                 len;
    char               *name;
    unsigned long long  n;

    len = (int) im_min(s->master.len, IM_SETTING_NAME);
    name = (char *) s->master.data;
    n = s->sentinels;

    if (warning == IM_SETTING_DOWN_AFTER) {
        (void) snprintf(text, IM_LINK_SETTINGS_TEXT, "sentinels of \"%.*s\" "
                        "have \"down-after-milliseconds %llu\": for so long "
                        "nothing is accepted when the master stalls; SENTINEL "
                        "SET %.*s down-after-milliseconds %d, at each of them",
                        len, name, (unsigned long long) s->down_after, len,
                        name, IM_SETTING_FAILOVER);

    } else if (warning == IM_SETTING_QUORUM) {
        (void) snprintf(text, IM_LINK_SETTINGS_TEXT, "%llu sentinels watch "
                        "\"%.*s\", and its quorum is %llu: no other server "
                        "ever takes over; SENTINEL SET %.*s quorum %llu, at "
                        "each of them", n, len, name,
                        (unsigned long long) s->quorum, len, name, n / 2 + 1);

    } else {
        (void) snprintf(text, IM_LINK_SETTINGS_TEXT, "%llu sentinel%s "
                        "\"%.*s\": without %s no other server takes over; "
                        "start %d on machines that don't fail together",
                        n, n == 1 ? " watches" : "s watch", len, name,
                        n == 1 ? "it" : "one of them", IM_SETTING_ENOUGH);
    }
}


static void
im_link_settings_text_replicas(const im_link_settings_t *s, char *text)
{
    (void) snprintf(text, IM_LINK_SETTINGS_TEXT, "redis has "
                    "\"min-replicas-to-write %llu\" and %llu replica%s: "
                    "without one of them it refuses pushes, joins and leases "
                    "of workers; add a replica, or CONFIG SET "
                    "min-replicas-to-write 0, also in redis.conf",
                    (unsigned long long) s->min_replicas,
                    (unsigned long long) s->replicas,
                    s->replicas == 1 ? "" : "s");
}


static const char *
im_link_settings_lost(const im_link_settings_t *s)
{
    if (s->replicas > 0 || s->cluster == IM_SETTING_YES) {
        return s->snapshots == IM_SETTING_NO
               ? "started again before a replica takes over, it is empty, and "
                 "so are its replicas then"
               : "started again before a replica takes over, it and its "
                 "replicas have lost all since its last snapshot";
    }

    return s->snapshots == IM_SETTING_NO
           ? "when it ends, all messages and numbers are lost"
           : "when it ends, all since its last snapshot is lost";
}


/* A replica that isn't demanded may be promoted while another one confirms. */
static void
im_link_settings_text_durable(const im_link_settings_t *s, char *text)
{
    if (s->online < s->demanded) {
        (void) snprintf(text, IM_LINK_SETTINGS_TEXT,
                        "redis has %llu of %llu replicas online: pushes with "
                        "durability=replica are answered with 503; start one "
                        "(REPLICAOF), or give im_logic a lower --replicas=",
                        (unsigned long long) s->online,
                        (unsigned long long) s->demanded);

    } else {
        (void) snprintf(text, IM_LINK_SETTINGS_TEXT,
                        "redis has %llu replicas online, im_logic asks for "
                        "%llu: one that is promoted may lack what the others "
                        "have confirmed; give im_logic --replicas=%llu",
                        (unsigned long long) s->online,
                        (unsigned long long) s->demanded,
                        (unsigned long long) s->online);
    }
}


void
im_link_settings_text(const im_link_settings_t *s, im_setting_e warning,
    char *text)
{
    switch (warning) {

    case IM_SETTING_APPENDONLY:
        im_link_settings_text_wrong("appendonly", "no",
            im_link_settings_lost(s), "yes", text);
        return;

    case IM_SETTING_FSYNC:
        im_link_settings_text_wrong("appendfsync", "no",
            "half a minute is lost when its machine ends", "everysec", text);
        return;

    case IM_SETTING_REWRITE:
        im_link_settings_text_wrong("no-appendfsync-on-rewrite", "yes",
            "half a minute is lost when its machine ends during a rewrite",
            "no", text);
        return;

    case IM_SETTING_PUBSUB:
        im_link_settings_text_buffer(&s->pubsub, "pubsub", "256mb 64mb 60",
            "a worker that stalls for a moment is cut off", text);
        return;

    case IM_SETTING_NORMAL:
        im_link_settings_text_buffer(&s->normal, "normal", "0 0 0",
            "a worker that reads much history is cut off", text);
        return;

    case IM_SETTING_POLICY:
        im_link_settings_text_wrong("maxmemory-policy", s->policy,
            "an evicted key is a lost message or number", "noeviction", text);
        return;

    case IM_SETTING_BACKLOG:
        im_link_settings_text_number("repl-backlog-ttl", s->backlog,
            "with its last replica it forgets its own history", "0", text);
        return;

    case IM_SETTING_TIMEOUT:
        im_link_settings_text_number("timeout", s->timeout,
            "it closes connections that are in use", "0", text);
        return;

    case IM_SETTING_NEARLY:
        im_link_settings_text_memory(s, "pushes will be refused soon", text);
        return;

    case IM_SETTING_FULL:
        im_link_settings_text_memory(s, "pushes are refused", text);
        return;

    case IM_SETTING_COVERAGE:
        im_link_settings_text_wrong("cluster-require-full-coverage", "yes",
            "one master that is away stops all others", "no", text);
        return;

    case IM_SETTING_NODE_TIMEOUT:
        im_link_settings_text_number("cluster-node-timeout", s->node_timeout,
            "for longer than leases live nothing is accepted when it ends",
            im_text(IM_SETTING_FAILOVER), text);
        return;

    case IM_SETTING_ALONE:
        (void) snprintf(text, IM_LINK_SETTINGS_TEXT, "redis has no replica: "
                        "when it ends, no other server takes over, and its "
                        "partitions are away; add a replica");
        return;

    case IM_SETTING_MIN_REPLICAS:
        im_link_settings_text_replicas(s, text);
        return;

    case IM_SETTING_DOWN_AFTER:
    case IM_SETTING_SENTINELS:
    case IM_SETTING_QUORUM:
        im_link_settings_text_sentinel(s, warning, text);
        return;

    case IM_SETTING_DURABLE:
        im_link_settings_text_durable(s, text);
        return;

    case IM_SETTING_HIDDEN:
    case IM_SETTINGS:
        break;
    }

    (void) snprintf(text, IM_LINK_SETTINGS_TEXT, "redis hides its settings "
                    "(CONFIG GET is refused): they are not checked");
}
