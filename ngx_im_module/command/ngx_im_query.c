/*
 * Copyright (C) The im authors
 *
 * Presence and history of topics, for clients that the rule lets ask.
 *
 * A worker knows its own sessions best; other sessions and the history are in
 * Redis.  A session has one question out at a time, and its address and the
 * worker a limited number of them (ngx_im_read.c): other sessions wait for
 * their turn, and nothing is read from them.
 */

#include "ngx_im_follow.h"
#include "ngx_im_command.h"
#include "ngx_im_identity.h"
#include "ngx_im_send.h"
#include "ngx_im_reply.h"
#include "ngx_im_read.h"
#include "ngx_im_resume.h"
#include "im_link_history.h"
#include "im_link_members.h"


#define NGX_IM_QUERY_BYTES    (1024 * 1024)   /* of history, about */
#define NGX_IM_QUERY_CLIENTS  20000
#define NGX_IM_QUERY_SHARE    20       /* entries that count as a command */
#define NGX_IM_QUERY_ANSWER   (8 * 1024 * 1024)
#define NGX_IM_QUERY_ENTRY    64       /* bytes beside its envelope */


/* A question that is out; owned by the call. */
typedef struct {
    ngx_im_read_t     read;
    ngx_im_handle_t   session;
    im_command_e      type;
    im_position_t     since;
    unsigned          recover:1;
    uint8_t           topic_len;
    u_char            topic[IM_TOPIC_MAX];
    u_char            epoch[1];
} ngx_im_query_t;


typedef struct {
    im_member_t      *elts;
    ngx_uint_t        n;
    u_char           *ids;         /* UUIDs of our own sessions */
    size_t            bytes;       /* of an answer, about */
} ngx_im_query_clients_t;


/*
 * A client that does not follow the room may ask if the rule says so.  Private
 * rooms are for followers, which had a token for them.
 */
static ngx_uint_t
ngx_im_query_stranger(ngx_im_session_t *s, im_str_t topic, im_rule_who_e who)
{
    im_str_t  room;

    if (topic.data[0] != 'r' || topic.len < 3 || topic.data[2] == '$') {
        return 0;
    }

    room = im_str_set(topic.data + 2, topic.len - 2);

    return (who == IM_RULE_ANYONE
            || (who == IM_RULE_USER && ngx_im_session_user(s) != NULL))
           && ngx_im_identity_may(s, room);
}


/* 0: the rule of the topic lets the client ask. */
static im_error_e
ngx_im_query_allowed(ngx_im_session_t *s, im_str_t topic, im_command_e type)
{
    im_rule_who_e     who;
    const im_rule_t  *rule;

    rule = im_rules_topic(&s->class->conf->main->rules, topic);

    if (rule == NULL && topic.data[0] == 'r') {
        return IM_ERROR_UNKNOWN_CHANNEL;
    }

    if (rule == NULL
        || (type == IM_COMMAND_HISTORY ? rule->history == 0 : !rule->presence))
    {
        return IM_ERROR_NOT_AVAILABLE;
    }

    who = type == IM_COMMAND_HISTORY ? rule->history_for : rule->presence_for;

    if (who == IM_RULE_NONE
        || (ngx_im_session_find_sub(s, topic) == NULL
            && !ngx_im_query_stranger(s, topic, who)))
    {
        return IM_ERROR_PERMISSION;
    }

    return 0;
}


/* It waits while the subscription is not answered yet. */
static ngx_int_t
ngx_im_query_may(ngx_im_session_t *s, const im_command_t *command,
    im_error_e *error)
{
    im_sub_t    *sub;
    ngx_uint_t   joining;

    *error = ngx_im_query_allowed(s, command->topic, command->type);

    if (*error != 0) {
        return NGX_DECLINED;
    }

    sub = ngx_im_session_find_sub(s, command->topic);
    joining = sub != NULL && im_sub_state(sub) == IM_SUB_JOINING;

    *error = IM_ERROR_INTERNAL;

    if (ngx_im_session_ext(s) == NULL
        || ngx_im_follow_link(ngx_im_worker) == NGX_IM_LINK_DOWN
        || ((joining || sub == NULL)
            && ngx_im_follow_apart(ngx_im_worker, command->topic)))
    {
        return NGX_DECLINED;
    }

    *error = IM_ERROR_TOO_MANY;

    if (ngx_im_worker->reply_bytes > ngx_im_worker->conf->logs_bytes) {
        return NGX_DECLINED;
    }

    /* answers are long: the client reads earlier ones first */

    return joining || ngx_im_send_waiting(s) > s->class->conf->max_replies
           ? NGX_AGAIN : NGX_OK;
}


/* Some members or messages of an answer count as a command. */
static void
ngx_im_query_count(ngx_im_session_t *s, ngx_uint_t n)
{
    ngx_uint_t  max;

    max = s->class->conf->main->commands;

    im_bucket_charge(&s->commands, max, max, ngx_current_msec,
                     n / NGX_IM_QUERY_SHARE);
}


static void
ngx_im_query_page(ngx_im_session_t *s, uint32_t id,
    const im_subscribed_t *page)
{
    im_reply_t  answer;

    ngx_im_query_count(s, page->nmessages);

    ngx_im_reply_init(&answer, IM_REPLY_HISTORY, id);
    answer.subs = page;
    answer.nsubs = 1;

    (void) ngx_im_reply_send(s, &answer);
}


/*
 * Messages behind a place, if the worker has them all: it is NGX_OK and the
 * answer says how far this worker is.  Redis may be ahead: it is asked if
 * nothing is behind the place yet.
 */
static ngx_int_t
ngx_im_query_window(ngx_im_session_t *s, const im_command_t *command,
    im_topic_t *topic)
{
    size_t           len;
    uint64_t         seq, n;
    im_str_t         epoch;
    im_subscribed_t  page;

    seq = command->since.seq;
    epoch = im_str_set(topic->epoch.data, topic->epoch.len);

    if (!command->recover || command->reverse || command->limit == 0
        || topic->state != IM_TOPIC_LIVE || seq >= topic->seq
        || !im_str_eq(command->since.epoch, epoch)
        || im_follow_window(topic, seq) != IM_OK)
    {
        return NGX_DECLINED;
    }

    n = ngx_min((uint64_t) command->limit, topic->seq - seq);

    ngx_memzero(&page, sizeof(im_subscribed_t));

    page.topic = im_topic_name(topic);
    page.at.epoch = epoch;
    page.at.seq = seq;

    for (len = 0; page.nmessages < n && len < NGX_IM_QUERY_BYTES; /* void */) {
        len += im_follow_envelope(topic, seq + ++page.nmessages).len;
    }

    if (ngx_im_resume_messages(ngx_im_worker, &page, 1) != NGX_OK) {
        return NGX_DECLINED;
    }

    page.at.seq = topic->seq;
    ngx_im_read_charge(&s->peer, len);
    ngx_im_query_page(s, command->id, &page);

    return NGX_OK;
}


/* Sessions whose subscription has begun. */
static void
ngx_im_query_own(ngx_im_query_clients_t *clients, im_topic_t *topic)
{
    u_char     *id;
    im_sub_t   *sub;
    im_logs_t  *logs;

    logs = &ngx_im_worker->hub.logs;

    for (sub = im_topic_next_sub(logs, topic, NULL);
         sub != NULL;
         sub = im_topic_next_sub(logs, topic, sub))
    {
        if (im_sub_state(sub) == IM_SUB_JOINING
            || (sub->flags & NGX_IM_SUB_HIDDEN))
        {
            continue;
        }

        id = clients->ids + clients->n * IM_UUID_LEN;

        ngx_im_session_member(ngx_im_sub_session(sub), sub, id,
                              &clients->elts[clients->n++]);
    }
}


/* A session of this worker, among those above. */
static ngx_uint_t
ngx_im_query_here(im_topic_t *topic, const im_member_t *member)
{
    u_char             id[16];
    im_sub_t          *sub;
    ngx_im_session_t  *s;

    s = im_id_uuid_decode(member->session, id) == IM_OK
        ? ngx_im_session_by_id(ngx_im_worker, id) : NULL;

    sub = s != NULL ? ngx_im_session_sub(s, topic) : NULL;

    return sub != NULL && im_sub_state(sub) != IM_SUB_JOINING;
}


/*
 * A member that Redis has, and that isn't among our own sessions.  While
 * sessions move, it may have one that is here as another worker's, and one that
 * is elsewhere as ours.
 */
static ngx_uint_t
ngx_im_query_elsewhere(im_topic_t *topic, const im_member_t *member)
{
    ngx_uint_t        ours;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    ours = im_str_eq(member->worker, im_buf_str(&w->id));

    if (ours ? !ngx_im_lease_holding(w) : w->adopted.count == 0) {
        return !ours;
    }

    return topic == NULL || !ngx_im_query_here(topic, member);
}


/* Our own sessions (topic NULL: none), and those of the other workers. */
static ngx_int_t
ngx_im_query_clients(ngx_im_query_clients_t *clients, im_topic_t *topic,
    const im_members_t *members)
{
    ngx_uint_t    i, nsubs;
    im_member_t  *m;

    nsubs = topic != NULL ? topic->nsubs : 0;

    clients->n = 0;
    clients->bytes = 0;
    clients->elts = im_alloc((members->n + nsubs + 1) * sizeof(im_member_t));
    clients->ids = im_alloc((nsubs + 1) * IM_UUID_LEN);

    if (clients->elts == NULL || clients->ids == NULL) {
        im_free(clients->elts);
        im_free(clients->ids);
        return NGX_ERROR;
    }

    if (topic != NULL) {
        ngx_im_query_own(clients, topic);
    }

    for (i = 0; i < members->n; i++) {
        if (ngx_im_query_elsewhere(topic, &members->elts[i])) {
            clients->elts[clients->n++] = members->elts[i];
        }
    }

    for (i = 0; i < clients->n; i++) {
        m = &clients->elts[i];
        clients->bytes += m->session.len + m->user.len + m->info.len
                          + m->room_info.len;
    }

    return NGX_OK;
}


/* 0: it is answered. */
static im_error_e
ngx_im_query_presence(ngx_im_session_t *s, uint32_t id, im_command_e type,
    im_topic_t *topic, const im_members_t *members)
{
    uint64_t                rest;
    im_reply_t              answer;
    im_error_e              error;
    ngx_im_query_clients_t  clients;

    ngx_im_query_count(s, members->n);

    if (ngx_im_query_clients(&clients, topic, members) != NGX_OK) {
        return IM_ERROR_INTERNAL;
    }

    /* our own sessions are in both, if not all could be read */

    rest = members->n + members->rest;
    rest = members->rest > 0 && rest > clients.n ? rest - clients.n : 0;

    ngx_im_reply_init(&answer, type == IM_COMMAND_PRESENCE
                               ? IM_REPLY_PRESENCE : IM_REPLY_PRESENCE_STATS,
                      id);
    answer.clients = clients.elts;
    answer.nclients = clients.n;
    error = 0;

    if (type == IM_COMMAND_PRESENCE_STATS) {
        ngx_qsort(clients.elts, clients.n, sizeof(im_member_t),
                  im_member_compare);

        /* all guests count as one user */

        answer.nclients += rest;
        answer.nusers = im_members_users(clients.elts, clients.n, NULL, 0)
                        + (clients.n > 0 && clients.elts[0].user.len == 0)
                        + rest;

    } else if (clients.n + rest > NGX_IM_QUERY_CLIENTS
               || clients.bytes > NGX_IM_QUERY_ANSWER)
    {
        error = IM_ERROR_LIMIT;
    }

    if (error == 0) {
        ngx_im_read_charge(&s->peer, type == IM_COMMAND_PRESENCE
                                     ? clients.bytes : 0);
        (void) ngx_im_reply_send(s, &answer);
    }

    im_free(clients.elts);
    im_free(clients.ids);

    return error;
}


/* Answers from what the worker has; NGX_DECLINED: it is asked of Redis. */
static ngx_int_t
ngx_im_query_kept(ngx_im_session_t *s, const im_command_t *command)
{
    im_error_e           error;
    im_topic_t          *topic;
    const im_members_t  *members;

    topic = im_hub_topic(&ngx_im_worker->hub, command->topic);

    if (command->type == IM_COMMAND_HISTORY) {
        return topic == NULL ? NGX_DECLINED
                             : ngx_im_query_window(s, command, topic);
    }

    members = im_link_members_kept(ngx_im_worker->members, command->topic,
                                   ngx_current_msec);
    if (members == NULL) {
        return NGX_DECLINED;
    }

    error = ngx_im_query_presence(s, command->id, command->type, topic,
                                  members);

    return error == 0 ? NGX_OK : ngx_im_reply_error(s, command->id, error);
}


static im_str_t
ngx_im_query_name(ngx_im_query_t *query)
{
    return im_str_set(query->topic, query->topic_len);
}


static ngx_im_query_t *
ngx_im_query_create(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_query_t  *query;

    query = im_alloc(sizeof(ngx_im_query_t) + command->since.epoch.len);
    if (query == NULL) {
        return NULL;
    }

    query->session = ngx_im_session_handle(s);
    query->type = command->type;
    query->recover = command->recover;
    query->since.seq = command->since.seq;
    query->since.epoch = im_str_set(query->epoch, command->since.epoch.len);

    if (command->since.epoch.len > 0) {
        im_copy(query->epoch, command->since.epoch.data,
                command->since.epoch.len);
    }

    query->topic_len = command->topic.len;
    im_copy(query->topic, command->topic.data, command->topic.len);

    return query;
}


/*
 * A query has its reply.  NULL: the session has ended, and the query is freed.
 * *error: it may not ask any more.
 */
static ngx_im_session_t *
ngx_im_query_session(ngx_im_query_t *query, im_error_e *error)
{
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    w = ngx_im_worker;

    ngx_im_read_end(w, &query->read);

    s = ngx_im_session_find(w, query->session);

    if (s == NULL) {
        im_free(query);
        return NULL;
    }

    s->ext->busy = 0;

    *error = ngx_im_query_allowed(s, ngx_im_query_name(query), query->type);

    return s;
}


static void
ngx_im_query_done(ngx_im_query_t *query, ngx_im_session_t *s,
    im_error_e error)
{
    im_free(query);

    if (error != 0
        && ngx_im_reply_error(s, s->ext->busy_id, error) != NGX_OK)
    {
        return;
    }

    ngx_im_session_continue(s);
}


static size_t
ngx_im_query_bytes(const im_link_page_t *page)
{
    size_t                len;
    ngx_uint_t            i;
    const im_envelope_t  *envelope;

    for (len = 0, i = 0; i < page->n; i++) {
        envelope = page->messages[i].envelope;
        len += NGX_IM_QUERY_ENTRY + envelope->data.len + envelope->info.len
               + envelope->tags.len;
    }

    return len;
}


/* The client's place is of this epoch, or nothing behind it was lost. */
static int
ngx_im_query_goes_on(ngx_im_query_t *query, const im_link_page_t *page)
{
    return !query->recover || query->since.epoch.len == 0
           || im_str_eq(query->since.epoch, page->epoch)
           || im_link_page_continues(page, query->since.epoch,
                                     query->since.seq);
}


static void
ngx_im_query_history_handler(const im_link_page_t *page, void *data)
{
    im_error_e         error;
    ngx_im_query_t    *query;
    im_subscribed_t    sub;
    ngx_im_session_t  *s;

    query = data;

    /* also where the client has left */

    ngx_im_read_charge(&query->read.peer, ngx_im_query_bytes(page));

    s = ngx_im_query_session(query, &error);
    if (s == NULL) {
        return;
    }

    if (page->why != NULL) {
        error = IM_ERROR_INTERNAL;

        if (page->error.len > 0) {
            ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                          "im: page script failed: \"%*s\"",
                          page->error.len, page->error.data);
        }

    } else if (error == 0 && !ngx_im_query_goes_on(query, page)) {
        error = IM_ERROR_POSITION;

    } else if (error == 0) {
        ngx_memzero(&sub, sizeof(im_subscribed_t));

        sub.topic = ngx_im_query_name(query);
        sub.at.epoch = page->epoch;
        sub.at.seq = page->top;
        sub.messages = page->messages;
        sub.nmessages = page->n;

        ngx_im_query_page(s, s->ext->busy_id, &sub);
    }

    ngx_im_query_done(query, s, error);
}


static im_int_t
ngx_im_query_history(ngx_im_query_t *query, const im_command_t *command)
{
    im_link_range_t  range;

    range.topic = command->topic;
    range.since = command->recover ? command->since.seq : 0;
    range.limit = command->limit;
    range.bytes = NGX_IM_QUERY_BYTES;
    range.reverse = command->reverse;

    return im_link_history_read(ngx_im_worker->history, &range,
                                ngx_im_query_history_handler, query);
}


static void
ngx_im_query_presence_handler(const im_members_t *members, void *data)
{
    im_error_e         error;
    im_topic_t        *topic;
    ngx_im_query_t    *query;
    ngx_im_session_t  *s;

    query = data;

    s = ngx_im_query_session(query, &error);
    if (s == NULL) {
        return;
    }

    if (members == NULL) {
        error = IM_ERROR_INTERNAL;

    } else if (error == 0) {
        topic = im_hub_topic(&ngx_im_worker->hub, ngx_im_query_name(query));
        error = ngx_im_query_presence(s, s->ext->busy_id, query->type, topic,
                                      members);
    }

    ngx_im_query_done(query, s, error);
}


/* Asks Redis.  NGX_ERROR: it is freed. */
static ngx_int_t
ngx_im_query_start(ngx_im_query_t *query, const im_command_t *command)
{
    ngx_int_t         rc;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    rc = command->type == IM_COMMAND_HISTORY
         ? ngx_im_query_history(query, command)
         : im_link_members_ask(w->members, command->topic,
                               IM_LINK_MEMBERS_KEPT, ngx_current_msec,
                               ngx_im_query_presence_handler, query);

    if (rc != NGX_OK) {
        ngx_im_read_end(w, &query->read);
        im_free(query);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_query_command(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_int_t         rc;
    im_error_e        error;
    ngx_im_query_t   *query;
    ngx_im_worker_t  *w;

    rc = ngx_im_query_may(s, command, &error);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_im_reply_error(s, command->id, error)
                                  : rc;
    }

    rc = ngx_im_read_pay(s);

    if (rc != NGX_OK) {
        return rc;
    }

    w = ngx_im_worker;
    rc = ngx_im_query_kept(s, command);

    if (rc != NGX_DECLINED) {
        ngx_im_read_paid(s);
        return rc;
    }

    query = ngx_im_query_create(s, command);

    if (query != NULL && ngx_im_read_begin(w, &query->read, &s->peer) != NGX_OK)
    {
        im_free(query);
        ngx_im_read_wait(s);
        return NGX_AGAIN;
    }

    ngx_im_read_paid(s);

    if (query == NULL || ngx_im_query_start(query, command) != NGX_OK) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    ngx_im_session_busy(s, command->id);

    return NGX_OK;
}
