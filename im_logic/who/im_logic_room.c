/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME and /im/users/ID: who is there.
 *
 * The list of users is capped; the counts are not.
 */

#include "im_logic_who.h"
#include "im_logic_members.h"
#include "im_logic_nodes.h"
#include "im_hash.h"
#include "im_logic_url.h"
#include "im_json.h"
#include "im_key.h"


#define IM_LOGIC_MAX_USERS  1000      /* in the answer about a room */


/* A user of a room; sessions are counted. */
typedef struct {
    im_hash_node_t  node;
    im_str_t        user;          /* in this block */
    im_str_t        name;
    uint64_t        sessions;
} im_logic_person_t;


/* A question under way; freed with its answer. */
typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_hash_t             people;
    im_buf_t              sessions;   /* of a user: JSON, ready */
    im_str_t              name;
    u_char                name_data[IM_NAME_MAX];
    im_buf_t              topic;
    im_uint_t             nsessions;
    unsigned              room:1;
    unsigned              more:1;     /* the list is not whole */
    unsigned              failed:1;
} im_logic_who_t;


static void im_logic_who(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest, int room);
static im_int_t im_logic_who_name(im_logic_who_t *who, im_str_t rest);
static void im_logic_who_person(void *data, im_str_t worker,
    const im_member_t *m);
static void im_logic_who_device(void *data, im_str_t worker,
    const im_member_t *m);
static void im_logic_who_done(void *data, const im_logic_counted_t *counted);
static void im_logic_who_answer(im_logic_who_t *who, im_buf_t *b,
    uint64_t count);
static im_int_t im_logic_who_add_person(im_hash_node_t *node, void *data);
static im_int_t im_logic_who_free_person(im_hash_node_t *node, void *data);
static void im_logic_who_free(im_logic_who_t *who);
static im_str_t im_logic_person_name(const im_hash_node_t *node);


void
im_logic_room(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    if (im_logic_room_history(logic, r) == IM_OK) {
        return;
    }

    im_logic_who(logic, r, rest, 1);
}


void
im_logic_user(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_who(logic, r, rest, 0);
}


static void
im_logic_who(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest,
    int room)
{
    const char      *why;
    im_logic_who_t  *who;

    why = im_logic_unknown(logic);

    if (why != NULL) {
        im_logic_reply_error(logic, r, 503, why);
        return;
    }

    who = im_calloc(sizeof(im_logic_who_t));
    if (who == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    who->logic = logic;
    who->r = r;
    who->room = room;

    im_buf_init(&who->topic, IM_NAME_MAX + 2);
    im_buf_init(&who->sessions, IM_LOGIC_MAX_REPLY / 2);

    if (im_hash_init(&who->people, im_logic_person_name, logic->seed)
        != IM_OK)
    {
        im_free(who);
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    if (im_logic_who_name(who, rest) != IM_OK) {
        im_logic_who_free(who);
        im_logic_reply_error(logic, r, 400, "the name is not valid");
        return;
    }

    if (im_logic_members_read(logic, im_buf_str(&who->topic),
                              room ? im_logic_who_person
                                   : im_logic_who_device,
                              im_logic_who_done, who)
        != IM_OK)
    {
        im_logic_who_free(who);
        im_logic_reply_error(logic, r, 503, "redis is away");
    }
}


/* From the path as it was sent: nginx' own is decoded and merges slashes. */
static im_int_t
im_logic_who_name(im_logic_who_t *who, im_str_t rest)
{
    im_buf_t  b;
    im_str_t  sent;

    im_buf_init(&b, IM_NAME_MAX);

    if (im_logic_url_behind(who->r->path, who->room ? "/im/rooms/"
                            : "/im/users/", &sent)
        == IM_OK)
    {
        im_logic_url_decode(&b, sent, 0);

    } else {
        im_buf_add_str(&b, rest);
    }

    if (b.failed || !im_name_valid(im_buf_str(&b))) {
        im_buf_cleanup(&b);
        return IM_ERROR;
    }

    memcpy(who->name_data, b.data, b.len);
    who->name = im_str_set(who->name_data, b.len);

    im_buf_cleanup(&b);

    if (who->room) {
        im_topic_room(&who->topic, who->name);

    } else {
        im_topic_user(&who->topic, who->name);
    }

    return who->topic.failed ? IM_ERROR : IM_OK;
}


static void
im_logic_who_person(void *data, im_str_t worker,
    const im_member_t *m)
{
    u_char             *p;
    im_logic_who_t     *who = data;
    im_logic_person_t  *person;

    (void) worker;

    if (m->user.len == 0) {
        return;
    }

    person = (im_logic_person_t *) im_hash_find(&who->people, m->user);

    if (person != NULL) {
        person->sessions++;
        return;
    }

    if (who->people.count == IM_LOGIC_MAX_USERS) {
        who->more = 1;
        return;
    }

    person = im_calloc(sizeof(im_logic_person_t) + m->user.len
                       + m->name.len);
    if (person == NULL) {
        who->failed = 1;
        return;
    }

    p = (u_char *) (person + 1);
    person->user = im_str_set(p, m->user.len);
    person->name = im_str_set(p + m->user.len, m->name.len);
    person->sessions = 1;

    memcpy(p, m->user.data, m->user.len);

    if (m->name.len != 0) {
        memcpy(p + m->user.len, m->name.data, m->name.len);
    }

    im_hash_add(&who->people, &person->node);
}


static void
im_logic_who_device(void *data, im_str_t worker,
    const im_member_t *m)
{
    u_char          *dot;
    im_buf_t        *b;
    im_str_t         node;
    im_logic_who_t  *who = data;

    b = &who->sessions;

    if (++who->nsessions > IM_LOGIC_MAX_USERS) {
        who->more = 1;
        return;
    }

    node = worker;
    dot = memchr(node.data, '.', node.len);

    if (dot != NULL) {
        node.len = (size_t) (dot - node.data);
    }

    im_buf_add_z(b, b->len == 0 ? "{\"session\":" : ",{\"session\":");
    im_json_add_string(b, m->session);
    im_buf_add_z(b, ",\"node\":");
    im_json_add_string(b, node);
    im_buf_add_z(b, ",\"worker\":");
    im_json_add_string(b, worker);

    if (m->ip.len != 0) {
        im_buf_add_z(b, ",\"ip\":");
        im_json_add_string(b, m->ip);
    }

    if (m->since >= 0) {
        im_buf_add_z(b, ",\"since\":");
        im_buf_add_int(b, m->since);
    }

    im_buf_add_z(b, "}");
}


static void
im_logic_who_done(void *data, const im_logic_counted_t *counted)
{
    im_buf_t              b;
    im_logic_t           *logic;
    im_logic_who_t       *who = data;
    im_daemon_request_t  *r;

    logic = who->logic;
    r = who->r;

    if (who->failed || counted->failed) {
        im_logic_who_free(who);
        im_logic_reply_error(logic, r, 503, "redis is away");
        return;
    }

    who->more |= counted->more;

    im_buf_init(&b, IM_LOGIC_MAX_REPLY);
    im_logic_who_answer(who, &b, counted->count);
    im_logic_who_free(who);

    im_logic_reply_data(logic, r, &b);
    im_buf_cleanup(&b);
}


static void
im_logic_who_answer(im_logic_who_t *who, im_buf_t *b, uint64_t count)
{
    im_buf_add_z(b, who->room ? "{\"room\":" : "{\"user\":");
    im_json_add_string(b, who->name);

    if (who->room) {
        im_buf_add_z(b, ",\"count\":");
        im_buf_add_uint(b, count);
        im_buf_add_z(b, ",\"users\":[");
        (void) im_hash_each(&who->people, im_logic_who_add_person, b);

    } else {
        im_buf_add_z(b, ",\"online\":");
        im_buf_add_z(b, count != 0 ? "true" : "false");
        im_buf_add_z(b, ",\"sessions\":[");
        im_buf_add_str(b, im_buf_str(&who->sessions));
    }

    im_buf_add_z(b, "]");

    if (who->more) {
        im_buf_add_z(b, ",\"more\":true");
    }

    im_buf_add_z(b, "}");
}


static im_int_t
im_logic_who_add_person(im_hash_node_t *node, void *data)
{
    im_buf_t           *b = data;
    im_logic_person_t  *m;

    m = (im_logic_person_t *) node;

    im_buf_add_z(b, b->data != NULL && b->data[b->len - 1] == '['
                    ? "{\"user\":" : ",{\"user\":");
    im_json_add_string(b, m->user);
    im_buf_add_z(b, ",\"name\":");
    im_json_add_string(b, m->name);
    im_buf_add_z(b, ",\"sessions\":");
    im_buf_add_uint(b, m->sessions);
    im_buf_add_z(b, "}");

    return IM_OK;
}


static im_int_t
im_logic_who_free_person(im_hash_node_t *node, void *data)
{
    (void) data;

    im_free(node);

    return IM_OK;
}


static void
im_logic_who_free(im_logic_who_t *who)
{
    (void) im_hash_each(&who->people, im_logic_who_free_person, NULL);
    im_hash_cleanup(&who->people);
    im_buf_cleanup(&who->sessions);
    im_buf_cleanup(&who->topic);
    im_free(who);
}


static im_str_t
im_logic_person_name(const im_hash_node_t *node)
{
    return ((const im_logic_person_t *) node)->user;
}
