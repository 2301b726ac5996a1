/*
 * Copyright (C) The im authors
 *
 * Who comes to a room and goes, told to those who asked for it, where the
 * room's rule has presence.
 *
 * Sessions of this worker are told of one another at once, other workers by
 * the control entry that goes with the change of members.  It is a hint: of
 * very many changes not all are told.
 */

#include "ngx_im_sync.h"


#define NGX_IM_PRESENCE_LIST   64             /* changes of one entry */
#define NGX_IM_PRESENCE_BYTES  (64 * 1024)
#define NGX_IM_PRESENCE_RATE   200            /* pushes a second, of a room */


typedef struct {
    im_str_t           op;
    im_str_t           session;
    im_str_t           member;
} ngx_im_presence_change_t;


static void ngx_im_presence_one(im_buf_t *b, ngx_im_route_t *route,
    ngx_im_change_t *change);
static void ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic,
    im_str_t json);
static void ngx_im_presence_push(ngx_im_worker_t *w, im_topic_t *topic,
    const im_client_t *client, int joined);
static int ngx_im_presence_wanted(im_topic_t *topic);
static int ngx_im_presence_allowed(ngx_im_route_t *route);


static const im_json_field_t  ngx_im_presence_fields[] = {
    { im_str("changes"), IM_JSON_RAWS, 0 },
    im_json_end
};


static const im_json_field_t  ngx_im_presence_change_fields[] = {
    { im_str("op"), IM_JSON_STRING, offsetof(ngx_im_presence_change_t, op) },
    { im_str("session"), IM_JSON_STRING,
      offsetof(ngx_im_presence_change_t, session) },
    { im_str("member"), IM_JSON_OBJECT,
      offsetof(ngx_im_presence_change_t, member) },
    im_json_end
};


static const im_json_field_t  ngx_im_presence_member_fields[] = {
    { im_str("user"), IM_JSON_STRING, offsetof(im_client_t, user) },
    { im_str("info"), IM_JSON_RAW, offsetof(im_client_t, info) },
    { im_str("room_info"), IM_JSON_RAW, offsetof(im_client_t, room_info) },
    im_json_end
};


void
ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined)
{
    u_char             id[IM_UUID_LEN];
    im_topic_t        *topic;
    im_client_t        client;
    ngx_im_route_t    *route;
    ngx_im_session_t  *s;

    s = sub->session;
    topic = sub->log->topic;
    route = topic->data;

    if (route == NULL || !route->presence || !ngx_im_presence_wanted(topic)) {
        return;
    }

    ngx_memzero(&client, sizeof(im_client_t));

    im_id_uuid(id, s->peer.id);
    client.session = im_str_set(id, IM_UUID_LEN);

    if (s->user != NULL) {
        client.user = im_str_set(s->user->id, s->user->id_len);
    }

    client.info = ngx_im_session_info(s);
    client.room_info = ngx_im_session_sub_info(sub);

    ngx_im_presence_push(w, topic, &client, joined);
}


/* Some log of the topic is of who asked for it. */
static int
ngx_im_presence_wanted(im_topic_t *topic)
{
    im_log_t  *log;

    for (log = topic->logs; log != NULL; log = log->next) {
        if (log->nsubs > 0 && im_wire(log->wire).form->presence != NULL) {
            return 1;
        }
    }

    return 0;
}


/* It may be called amid a walk over sessions: the flush comes later. */
static void
ngx_im_presence_push(ngx_im_worker_t *w, im_topic_t *topic,
    const im_client_t *client, int joined)
{
    im_log_t    *log;
    im_wire_t    wire;
    im_reply_t   reply;

    if (!ngx_im_presence_allowed(topic->data)) {
        return;
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = joined ? IM_REPLY_PUSH_JOIN : IM_REPLY_PUSH_LEAVE;
    reply.topic = im_topic_name(topic);
    reply.clients = client;
    reply.nclients = 1;

    for (log = topic->logs; log != NULL; log = log->next) {

        wire = im_wire(log->wire);

        if (log->nsubs == 0 || wire.form->presence == NULL) {
            continue;
        }

        im_buf_reset(&w->scratch, 65536);
        wire.form->presence(&w->scratch, wire.transport, &reply);

        if (!w->scratch.failed) {
            (void) ngx_im_send_log(w, log, im_buf_str(&w->scratch), 0);
        }
    }

    if (!w->flush_event.posted) {
        ngx_post_event(&w->flush_event, &ngx_posted_events);
    }
}


static int
ngx_im_presence_allowed(ngx_im_route_t *route)
{
    if (route->push_time != ngx_time()) {
        route->push_time = ngx_time();
        route->npushes = 0;
    }

    return route->npushes++ < NGX_IM_PRESENCE_RATE;
}


/* The data of a control entry; {} where there is too much to tell. */
void
ngx_im_presence_encode(im_buf_t *b, ngx_im_route_t *route)
{
    im_list_t  *q;

    if (route->presence && route->nchanges > 0
        && route->nchanges <= NGX_IM_PRESENCE_LIST
        && (!route->assert || !route->told))
    {
        im_buf_add_z(b, "{\"changes\":[");

        for (q = im_list_first(&route->changes);
             q != im_list_sentinel(&route->changes);
             q = im_list_next(q))
        {
            ngx_im_presence_one(b, route,
                                im_list_data(q, ngx_im_change_t, link));
        }

        im_buf_add_z(b, "]}");
    }

    if (b->failed || b->len == 0) {
        im_buf_reset(b, b->size);
        im_buf_add_z(b, "{}");
    }
}


/* Who is gone before it was told has not been there. */
static void
ngx_im_presence_one(im_buf_t *b, ngx_im_route_t *route,
    ngx_im_change_t *change)
{
    u_char     id[IM_UUID_LEN];
    im_sub_t  *sub;

    sub = NULL;

    if (change->joined) {
        sub = ngx_im_route_joined(route, change);

        if (sub == NULL) {
            return;
        }

    } else if (change->len == 0) {
        return;
    }

    im_id_uuid(id, change->id);

    if (b->failed) {
        return;
    }

    im_buf_add_z(b, b->data[b->len - 1] == '[' ? "" : ",");
    im_buf_add_z(b, change->joined ? "{\"op\":\"+\",\"session\":\""
                                   : "{\"op\":\"-\",\"session\":\"");
    im_buf_add(b, id, IM_UUID_LEN);
    im_buf_add_z(b, "\",\"member\":");

    if (sub != NULL) {
        ngx_im_route_describe(b, route, sub);

    } else {
        im_buf_add(b, change->member, change->len);
    }

    im_buf_add_z(b, "}");
}


void
ngx_im_presence_decode(ngx_im_worker_t *w, im_topic_t *topic, im_str_t data)
{
    const char         *why;
    ngx_uint_t          i;
    im_json_strings_t   changes;

    if (!ngx_im_presence_wanted(topic)) {
        return;
    }

    ngx_memzero(&changes, sizeof(im_json_strings_t));
    changes.max = NGX_IM_PRESENCE_LIST;

    if (im_json_decode(data, ngx_im_presence_fields, 0, NULL, &changes, &why)
        != IM_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: changes of topic \"%*s\" are not valid: %s",
                      (size_t) topic->name_len, topic->name, why);
        return;
    }

    for (i = 0; i < changes.n; i++) {
        ngx_im_presence_changed(w, topic, changes.elts[i]);
    }

    im_json_strings_free(&changes);
}


static void
ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic, im_str_t json)
{
    im_buf_t                   arena, other;
    const char                *why;
    im_client_t                client;
    ngx_im_presence_change_t   change;

    ngx_memzero(&client, sizeof(im_client_t));
    ngx_memzero(&change, sizeof(ngx_im_presence_change_t));

    im_buf_init(&arena, NGX_IM_PRESENCE_BYTES);
    im_buf_init(&other, NGX_IM_PRESENCE_BYTES);

    if (im_json_decode(json, ngx_im_presence_change_fields, 0, &arena, &change,
                       &why)
        == IM_OK
        && change.op.len == 1
        && im_json_decode(change.member, ngx_im_presence_member_fields, 0,
                          &other, &client, &why)
           == IM_OK)
    {
        client.session = change.session;

        ngx_im_presence_push(w, topic, &client, change.op.data[0] == '+');
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&other);
}
