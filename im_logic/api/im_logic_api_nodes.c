/*
 * Copyright (C) The im authors
 *
 * The server API's info and channels: what the workers' records say.
 *
 * A record lists a worker's largest rooms only; how many are in each of them
 * is then read from its routes.
 */

#include <stdlib.h>
#include <sys/time.h>

#include "im_logic_api.h"
#include "im_logic_nodes.h"
#include "im_logic_members.h"
#include "im_board.h"
#include "im_daemon_option.h"
#include "im_glob.h"
#include "im_id.h"
#include "im_key.h"
#include "im_record.h"
#include "im_sketch.h"


#define IM_API_CHANNELS  1000       /* in an answer */
#define IM_API_PATTERN   253


typedef struct im_logic_records_s  im_logic_records_t;

/* The records of all live workers under way. */
struct im_logic_records_s {
    im_logic_command_t   *command;
    void                (*record)(im_logic_records_t *records,
                             im_str_t worker, const im_record_t *record);
    void                (*done)(im_logic_records_t *records);
    im_hash_t             rooms;
    im_str_t              pattern;
    uint64_t              now;      /* ms since 1970 */
    im_uint_t             n;
    im_uint_t             left;     /* replies to come */
    unsigned              more:1;
    unsigned              failed:1;
};


/* One worker's. */
typedef struct {
    im_logic_records_t  *records;
    im_str_t             worker;
    u_char               worker_data[IM_WORKER_MAX];
} im_logic_recorded_t;


/* A room that matches. */
typedef struct {
    im_hash_node_t       node;
    im_logic_records_t  *records;
    im_str_t             name;
    uint64_t             count;
    u_char               name_data[1];
} im_logic_found_t;


typedef struct {
    im_str_t  pattern;
} im_logic_api_pattern_t;


static im_logic_records_t *im_logic_records_create(im_logic_command_t *c);
static void im_logic_records_read(im_logic_records_t *records);
static im_int_t im_logic_record_ask(im_logic_records_t *records,
    im_str_t worker);
static void im_logic_record_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_records_replied(im_logic_records_t *records);
static void im_logic_records_free(im_logic_records_t *records);
static void im_logic_api_node(im_logic_records_t *records,
    im_str_t worker, const im_record_t *record);
static uint64_t im_logic_api_uptime(im_str_t worker, uint64_t now);
static void im_logic_api_nodes_done(im_logic_records_t *records);
static void im_logic_api_rooms(im_logic_records_t *records,
    im_str_t worker, const im_record_t *record);
static void im_logic_api_found(im_logic_records_t *records, im_str_t name);
static void im_logic_api_rooms_done(im_logic_records_t *records);
static im_int_t im_logic_api_count(im_hash_node_t *node, void *data);
static void im_logic_api_counted(void *data,
    const im_logic_counted_t *counted);
static void im_logic_api_channels_done(im_logic_records_t *records);
static im_int_t im_logic_api_add_channel(im_hash_node_t *node, void *data);
static im_int_t im_logic_found_free(im_hash_node_t *node, void *data);
static im_str_t im_logic_found_name(const im_hash_node_t *node);


static const im_json_field_t  im_logic_api_pattern_fields[] = {
    { im_str("pattern"), IM_JSON_STRING,
      offsetof(im_logic_api_pattern_t, pattern) },
    im_json_end
};


static const im_json_field_t  im_logic_api_no_fields[] = {
    im_json_end
};


void
im_logic_api_info(im_logic_command_t *c)
{
    im_logic_records_t  *records;

    if (im_logic_command_params(c, im_logic_api_no_fields, NULL) != IM_OK) {
        return;
    }

    records = im_logic_records_create(c);
    if (records == NULL) {
        return;
    }

    records->record = im_logic_api_node;
    records->done = im_logic_api_nodes_done;

    im_buf_add_z(&c->result, "{\"nodes\":[");
    im_logic_records_read(records);
}


void
im_logic_api_channels(im_logic_command_t *c)
{
    im_logic_records_t      *records;
    im_logic_api_pattern_t   p;

    memset(&p, 0, sizeof(im_logic_api_pattern_t));

    if (im_logic_command_params(c, im_logic_api_pattern_fields, &p) != IM_OK) {
        return;
    }

    if (p.pattern.len > IM_API_PATTERN) {
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                              "the pattern is too long");
        return;
    }

    records = im_logic_records_create(c);
    if (records == NULL) {
        return;
    }

    records->pattern = p.pattern;
    records->record = im_logic_api_rooms;
    records->done = im_logic_api_rooms_done;

    im_logic_records_read(records);
}


/* NULL: the command has failed. */
static im_logic_records_t *
im_logic_records_create(im_logic_command_t *c)
{
    const char          *why;
    struct timeval       tv;
    im_logic_records_t  *records;

    why = im_logic_unknown(c->logic);

    if (why != NULL) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, why);
        return NULL;
    }

    records = im_calloc(sizeof(im_logic_records_t));

    if (records == NULL
        || im_hash_init(&records->rooms, im_logic_found_name, c->logic->seed)
           != IM_OK)
    {
        im_free(records);
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return NULL;
    }

    (void) gettimeofday(&tv, NULL);

    records->command = c;
    records->now = (uint64_t) tv.tv_sec * 1000 + (uint64_t) tv.tv_usec / 1000;

    return records;
}


static void
im_logic_records_read(im_logic_records_t *records)
{
    im_uint_t                i;
    const im_logic_nodes_t  *nodes;

    nodes = records->command->logic->nodes;

    /* one more, so that it doesn't end before all are asked */
    records->left = 1;

    for (i = 0; i < nodes->nworkers; i++) {
        if (im_logic_record_ask(records, nodes->workers[i]) != IM_OK) {
            records->failed = 1;
            break;
        }
    }

    im_logic_records_replied(records);
}


static im_int_t
im_logic_record_ask(im_logic_records_t *records, im_str_t worker)
{
    im_buf_t              key;
    im_int_t              rc;
    im_str_t              args[2 + IM_RECORD_FIELDS];
    im_logic_t           *logic;
    im_logic_recorded_t  *recorded;

    logic = records->command->logic;

    recorded = im_calloc(sizeof(im_logic_recorded_t));
    if (recorded == NULL) {
        return IM_ERROR;
    }

    recorded->records = records;
    memcpy(recorded->worker_data, worker.data, worker.len);
    recorded->worker = im_str_set(recorded->worker_data, worker.len);

    im_buf_init(&key, 1024);
    im_key_record(&key, logic->prefix, worker);

    args[0] = im_str_z("HMGET");
    args[1] = im_buf_str(&key);
    memcpy(&args[2], im_record_names, sizeof(im_record_names));

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, IM_PARTITION_REG, args,
                                   2 + IM_RECORD_FIELDS,
                                   im_logic_record_handler, recorded);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_free(recorded);
        return IM_ERROR;
    }

    records->left++;

    return IM_OK;
}


static void
im_logic_record_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t              values[IM_RECORD_FIELDS];
    im_uint_t             i;
    im_record_t           record;
    im_logic_records_t   *records;
    im_logic_recorded_t  *recorded = data;

    records = recorded->records;

    if (im_daemon_reply_len(reply) != IM_RECORD_FIELDS) {
        records->failed = 1;

    } else {
        for (i = 0; i < IM_RECORD_FIELDS; i++) {
            values[i] = im_daemon_reply_str(im_daemon_reply_at(reply, i));
        }

        im_record_decode(values, &record);

        /* else it has ended meanwhile */

        if (record.node.len != 0) {
            records->record(records, recorded->worker, &record);
        }
    }

    im_free(recorded);
    im_logic_records_replied(records);
}


static void
im_logic_records_replied(im_logic_records_t *records)
{
    im_logic_command_t  *c;

    if (--records->left > 0) {
        return;
    }

    if (!records->failed) {
        records->done(records);
        return;
    }

    c = records->command;

    im_logic_records_free(records);
    im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
}


static void
im_logic_records_free(im_logic_records_t *records)
{
    (void) im_hash_each(&records->rooms, im_logic_found_free, NULL);
    im_hash_cleanup(&records->rooms);
    im_free(records);
}


static void
im_logic_api_node(im_logic_records_t *records,
    im_str_t worker, const im_record_t *record)
{
    im_buf_t     *b;
    im_sketch_t   users;

    b = &records->command->result;

    im_sketch_init(&users);

    if (record->users.len != 0) {
        (void) im_sketch_decode(record->users, &users);
    }

    im_buf_add_z(b, records->n++ == 0 ? "{\"uid\":" : ",{\"uid\":");
    im_json_add_string(b, worker);
    im_buf_add_z(b, ",\"name\":");
    im_json_add_string(b, record->node);
    im_buf_add_z(b, ",\"version\":\"im " IM_DAEMON_VERSION
                    "\",\"num_clients\":");
    im_buf_add_uint(b, record->sessions);
    im_buf_add_z(b, ",\"num_users\":");
    im_buf_add_uint(b, im_sketch_count(&users));
    im_buf_add_z(b, ",\"num_channels\":");
    im_buf_add_uint(b, record->topics);
    im_buf_add_z(b, ",\"num_subs\":");
    im_buf_add_uint(b, record->subs);
    im_buf_add_z(b, ",\"uptime\":");
    im_buf_add_uint(b, im_logic_api_uptime(worker, records->now));
    im_buf_add_z(b, "}");

    im_sketch_cleanup(&users);
}


/* In s; a worker's id ends in its start, ms in base 36. */
static uint64_t
im_logic_api_uptime(im_str_t worker, uint64_t now)
{
    u_char    c;
    size_t    i;
    uint64_t  start;

    for (i = worker.len; i > 0 && worker.data[i - 1] != '.'; i--) {
        /* void */
    }

    start = 0;

    for ( /* void */ ; i < worker.len && start < UINT64_MAX / 64; i++) {
        c = worker.data[i];
        start = start * 36 + (uint64_t) (c >= 'a' ? c - 'a' + 10 : c - '0');
    }

    return start > 0 && start < now ? (now - start) / 1000 : 0;
}


static void
im_logic_api_nodes_done(im_logic_records_t *records)
{
    im_logic_command_t  *c;

    c = records->command;

    im_logic_records_free(records);

    im_buf_add_z(&c->result, "]}");
    im_logic_command_done(c);
}


static void
im_logic_api_rooms(im_logic_records_t *records,
    im_str_t worker, const im_record_t *record)
{
    size_t     at;
    uint64_t   followers;
    im_str_t   name;
    im_uint_t  n;

    (void) worker;

    at = 0;
    n = 0;

    while (im_board_decode(record->rooms, &at, &followers, &name) == IM_OK) {
        n++;

        if (records->pattern.len == 0
            || im_glob_match(records->pattern, name))
        {
            im_logic_api_found(records, name);
        }
    }

    if (n == IM_BOARD_MAX) {
        records->more = 1;
    }
}


static void
im_logic_api_found(im_logic_records_t *records, im_str_t name)
{
    im_logic_found_t  *found;

    if (im_hash_find(&records->rooms, name) != NULL) {
        return;
    }

    if (records->rooms.count == IM_API_CHANNELS) {
        records->more = 1;
        return;
    }

    found = im_calloc(sizeof(im_logic_found_t) + name.len);
    if (found == NULL) {
        records->failed = 1;
        return;
    }

    found->records = records;
    found->name = im_str_set(found->name_data, name.len);
    memcpy(found->name_data, name.data, name.len);

    im_hash_add(&records->rooms, &found->node);
}


static void
im_logic_api_rooms_done(im_logic_records_t *records)
{
    records->done = im_logic_api_channels_done;
    records->left = 1;

    if (im_hash_each(&records->rooms, im_logic_api_count, records) != IM_OK) {
        records->failed = 1;
    }

    im_logic_records_replied(records);
}


static im_int_t
im_logic_api_count(im_hash_node_t *node, void *data)
{
    im_buf_t             topic;
    im_int_t             rc;
    im_logic_found_t    *found;
    im_logic_records_t  *records = data;

    found = (im_logic_found_t *) node;

    im_buf_init(&topic, IM_NAME_MAX + 2);
    im_topic_room(&topic, found->name);

    rc = topic.failed ? IM_ERROR
         : im_logic_members_read(records->command->logic, im_buf_str(&topic),
                                 NULL, im_logic_api_counted, found);
    if (rc == IM_OK) {
        records->left++;
    }

    im_buf_cleanup(&topic);

    return rc;
}


static void
im_logic_api_counted(void *data, const im_logic_counted_t *counted)
{
    im_logic_found_t    *found = data;
    im_logic_records_t  *records;

    records = found->records;
    found->count = counted->count;

    if (counted->failed) {
        records->failed = 1;
    }

    im_logic_records_replied(records);
}


static void
im_logic_api_channels_done(im_logic_records_t *records)
{
    im_buf_t            *b;
    im_logic_command_t  *c;

    c = records->command;
    b = &c->result;

    records->n = 0;

    im_buf_add_z(b, "{\"channels\":{");
    (void) im_hash_each(&records->rooms, im_logic_api_add_channel, records);
    im_buf_add_z(b, records->more ? "},\"more\":true}" : "}}");

    im_logic_records_free(records);
    im_logic_command_done(c);
}


/* One that all have left meanwhile isn't there any more. */
static im_int_t
im_logic_api_add_channel(im_hash_node_t *node, void *data)
{
    im_buf_t            *b;
    im_logic_found_t    *found;
    im_logic_records_t  *records = data;

    found = (im_logic_found_t *) node;
    b = &records->command->result;

    if (found->count > 0) {
        im_buf_add_z(b, records->n++ == 0 ? "" : ",");
        im_json_add_string(b, found->name);
        im_buf_add_z(b, ":{\"num_clients\":");
        im_buf_add_uint(b, found->count);
        im_buf_add_z(b, "}");
    }

    return IM_OK;
}


static im_int_t
im_logic_found_free(im_hash_node_t *node, void *data)
{
    (void) data;

    im_free(node);

    return IM_OK;
}


static im_str_t
im_logic_found_name(const im_hash_node_t *node)
{
    return ((const im_logic_found_t *) node)->name;
}
