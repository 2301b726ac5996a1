/*
 * Copyright (C) The im authors
 *
 * Sessions: their phases, topics, timer and end; and the worker that has them.
 *
 * A session lives in a slab and is named by handle across turns.  It is closed
 * in one place, which detaches it at once and frees it in a posted event.
 */

#include "ngx_im_follow.h"
#include "ngx_im_info.h"
#include "ngx_im_presence.h"
#include "ngx_im_recv.h"
#include "ngx_im_resume.h"
#include "ngx_im_revoke.h"
#include "ngx_im_send.h"
#include "ngx_im_command.h"
#include "ngx_im_token.h"
#include "im_key.h"

#include <sys/random.h>


#define NGX_IM_NEW_PERIOD  10        /* s: topics= new rooms in it */
#define NGX_IM_LINGER      2         /* s: for the peer's close frame */


static void ngx_im_session_free(ngx_im_worker_t *w, ngx_im_session_t *s);
static void ngx_im_session_log(ngx_im_worker_t *w, ngx_im_session_t *s);
static void ngx_im_session_connection(ngx_connection_t *c);
static ngx_int_t ngx_im_session_user(ngx_im_session_t *s, im_str_t user,
    im_str_t name);
static void ngx_im_session_stamp(ngx_im_worker_t *w, u_char *id,
    uint32_t index);
static uint32_t ngx_im_session_obfuscate(ngx_im_worker_t *w, const u_char *id);
static im_sub_t *ngx_im_session_sub(ngx_im_session_t *s, im_str_t topic);
static ngx_uint_t ngx_im_session_first_ping(ngx_im_session_t *s);
static ngx_int_t ngx_im_session_keep(ngx_im_session_t *s,
    const ngx_im_identity_t *id);
static ngx_int_t ngx_im_session_copy(u_char **to, size_t *len, im_str_t s);
static ngx_int_t ngx_im_session_topics(ngx_im_session_t *s,
    const ngx_im_identity_t *id);
static ngx_int_t ngx_im_session_follow(ngx_im_session_t *s, im_str_t topic);
static const im_position_t *ngx_im_session_since(ngx_im_session_t *s,
    im_str_t topic);
static void ngx_im_session_ext_free(ngx_im_ext_t *ext);
static void ngx_im_session_sub_free(im_sub_t *sub);
static void ngx_im_session_half_close(ngx_im_session_t *s);
static ngx_uint_t ngx_im_session_left(ngx_im_session_t *s);
static void ngx_im_session_ping(ngx_im_session_t *s);


void
ngx_im_session_random(u_char *id)
{
    ngx_uint_t  i;
    uint32_t    r;

    if (getrandom(id, 16, GRND_NONBLOCK) == 16) {
        return;
    }

    for (i = 0; i < 16; i += 4) {
        r = (uint32_t) ngx_random() ^ (uint32_t) ngx_current_msec;
        ngx_memcpy(id + i, &r, 4);
    }
}


const char *
ngx_im_session_limit(ngx_im_worker_t *w)
{
    ngx_im_main_conf_t  *imcf;

    imcf = w->conf;

    if (w->handshake_time != ngx_time()) {
        w->handshake_time = ngx_time();
        w->nhandshakes = 0;
    }

    if (imcf->max_sessions && w->nsessions >= imcf->max_sessions) {
        return "im_limit sessions= is reached";
    }

    if (imcf->max_unauthenticated
        && w->nunauthenticated >= imcf->max_unauthenticated)
    {
        return "im_limit unauthenticated= is reached";
    }

    if (imcf->handshakes && w->nhandshakes >= imcf->handshakes) {
        return "im_limit handshakes= is reached";
    }

    w->nhandshakes++;

    return NULL;
}


ngx_int_t
ngx_im_session_new_room(ngx_im_session_t *s, im_str_t topic)
{
    time_t            now;
    ngx_uint_t        max;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    max = w->conf->new_rooms;

    if (max == 0 || topic.data[0] != 'r'
        || im_hub_topic(&w->hub, topic) != NULL)
    {
        return NGX_OK;
    }

    now = ngx_time();

    if (w->new_time != now) {
        w->new_time = now;
        w->nnew = 0;
    }

    if ((uint32_t) now - s->new_time >= NGX_IM_NEW_PERIOD) {
        s->new_time = (uint32_t) now;
        s->nnew = 0;
    }

    if (w->nnew >= max
        || s->nnew >= 2 * w->conf->topics_per_session)
    {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "im: room \"%*s\" is refused: too many new ones (%s)",
                      topic.len - 2, topic.data + 2,
                      w->nnew >= max ? "im_limit new_rooms=" : "one session");
        return NGX_BUSY;
    }

    w->nnew++;
    s->nnew++;

    return NGX_OK;
}


ngx_im_session_t *
ngx_im_session_create(ngx_im_worker_t *w, ngx_connection_t *c,
    ngx_im_loc_conf_t *ilcf, const im_transport_t *transport,
    ngx_im_peer_t *peer)
{
    uint32_t           index, generation;
    ngx_im_session_t  *s;

    s = im_slab_alloc(&w->sessions_slab, &index);
    if (s == NULL) {
        return NULL;
    }

    generation = s->generation + 1;

    ngx_memzero(s, sizeof(ngx_im_session_t));

    s->generation = generation ? generation : 1;
    s->index = index;
    s->connection = c;
    s->conf = ilcf;
    s->transport = transport;
    s->peer = *peer;
    s->start = ngx_time();
    s->seen = w->wheel.time;

    ngx_im_session_stamp(w, s->peer.id, index);

    ngx_im_timer_init(&s->deadline);
    im_list_init(&s->blocked);
    im_list_init(&s->user_link);
    im_list_insert_tail(&w->sessions, &s->all);

    w->nsessions++;
    w->counters->accepted++;
    w->counters->sessions = w->nsessions;

    if (ilcf->proto->connects) {
        ngx_im_session_phase(s, NGX_IM_CONNECTING);
        ngx_im_session_deadline(s, (ilcf->auth_timeout + 999) / 1000);

    } else {
        ngx_im_session_phase(s, NGX_IM_OPEN);
        ngx_im_session_deadline(s, ilcf->ping / 1000);
    }

    return s;
}


ngx_im_handle_t
ngx_im_session_handle(ngx_im_session_t *s)
{
    return (ngx_im_handle_t) s->generation << 32 | s->index;
}


ngx_im_session_t *
ngx_im_session_find(ngx_im_worker_t *w, ngx_im_handle_t h)
{
    ngx_im_session_t  *s;

    s = im_slab_get(&w->sessions_slab, (uint32_t) h);

    if (s == NULL || s->generation != h >> 32 || s->phase == NGX_IM_FREE
        || s->phase == NGX_IM_CLOSED)
    {
        return NULL;
    }

    return s;
}


/*
 * The end of the UUID is the session's place, obfuscated by a hash of the
 * rest: it is found by it without a table.
 */
static void
ngx_im_session_stamp(ngx_im_worker_t *w, u_char *id, uint32_t index)
{
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;

    index ^= ngx_im_session_obfuscate(w, id);

    ngx_memcpy(id + 12, &index, 4);
}


static uint32_t
ngx_im_session_obfuscate(ngx_im_worker_t *w, const u_char *id)
{
    return (uint32_t) im_siphash(w->hub.users.seed, id, 12);
}


ngx_im_session_t *
ngx_im_session_by_id(ngx_im_worker_t *w, const u_char id[16])
{
    uint32_t           index;
    ngx_im_session_t  *s;

    ngx_memcpy(&index, id + 12, 4);

    s = im_slab_get(&w->sessions_slab, index ^ ngx_im_session_obfuscate(w, id));

    if (s == NULL || s->phase == NGX_IM_FREE || s->phase == NGX_IM_CLOSED
        || ngx_memcmp(s->peer.id, id, 16) != 0)
    {
        return NULL;
    }

    return s;
}


void
ngx_im_session_phase(ngx_im_session_t *s, ngx_im_phase_e phase)
{
    ngx_uint_t        was, is;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    was = s->phase == NGX_IM_CONNECTING || s->phase == NGX_IM_AUTHENTICATING;
    is = phase == NGX_IM_CONNECTING || phase == NGX_IM_AUTHENTICATING;

    w->nunauthenticated += is - was;
    w->counters->unauthenticated = w->nunauthenticated;

    s->phase = phase;
}


ngx_im_ext_t *
ngx_im_session_ext(ngx_im_session_t *s)
{
    if (s->ext == NULL) {
        s->ext = im_calloc(sizeof(ngx_im_ext_t));

        if (s->ext != NULL) {
            ngx_im_timer_init(&s->ext->expiry);
            im_list_init(&s->ext->throttled);
            im_list_init(&s->ext->turn);
        }
    }

    return s->ext;
}


static void
ngx_im_session_ext_free(ngx_im_ext_t *ext)
{
    if (ext == NULL) {
        return;
    }

    ngx_im_timer_unset(&ext->expiry);
    im_list_remove(&ext->turn);
    im_list_remove(&ext->throttled);

    im_free(ext->held);
    im_free(ext->resumes);
    im_free(ext->info);
    im_free(ext->meta);
    im_free(ext->rooms);
    im_free(ext->data);
    im_free(ext);
}


im_str_t
ngx_im_session_info(ngx_im_session_t *s)
{
    if (s->ext == NULL || s->ext->info == NULL) {
        return im_str_set("", 0);
    }

    return im_str_set(s->ext->info, s->ext->info_len);
}


void
ngx_im_session_open(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    ngx_im_handle_t   h;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    h = ngx_im_session_handle(s);

    if (id->user.len && ngx_im_revoked(w, id->user)) {
        ngx_im_session_close(s, IM_REASON_KICKED, "the user is kept out");
        return;
    }

    if (id->user.len
        && ngx_im_session_user(s, id->user, id->name) != NGX_OK)
    {
        ngx_im_session_close(s, IM_REASON_LIMIT,
                             "too many sessions of this user");
        return;
    }

    ngx_im_session_phase(s, NGX_IM_OPEN);
    ngx_im_session_deadline(s, ngx_im_session_first_ping(s));

    if (ngx_im_session_keep(s, id) != NGX_OK
        || ngx_im_session_topics(s, id) != NGX_OK)
    {
        ngx_im_session_close(s, IM_REASON_BUSY, "can't join now");
        return;
    }

    if (ngx_im_session_find(w, h) == s && s->ext != NULL) {
        ngx_im_resume_opened(s);
    }
}


void
ngx_im_session_renew(ngx_im_session_t *s, int64_t expires, im_str_t info)
{
    ngx_im_token_expires(s, expires);

    if (info.len > 0 && s->ext != NULL) {
        (void) ngx_im_session_copy(&s->ext->info, &s->ext->info_len, info);
    }
}


/* Who came together isn't asked together. */
static ngx_uint_t
ngx_im_session_first_ping(ngx_im_session_t *s)
{
    ngx_uint_t  seconds;

    seconds = s->conf->ping / 1000;

    if (!s->conf->proto->pings) {
        return seconds;
    }

    return seconds - (ngx_uint_t) ngx_random() % (seconds / 2 + 1);
}


static ngx_int_t
ngx_im_session_keep(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    im_str_t       none = im_null_str;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (id->expires) {
        ngx_im_session_renew(s, id->expires, none);
    }

    if (ext == NULL) {
        return NGX_OK;
    }

    if (ngx_im_session_copy(&ext->info, &ext->info_len, id->info) != NGX_OK
        || ngx_im_session_copy(&ext->data, &ext->data_len, id->data)
           != NGX_OK
        || ngx_im_session_copy(&ext->meta, &ext->meta_len, id->meta)
           != NGX_OK
        || ngx_im_session_copy(&ext->rooms, &ext->rooms_len, id->rooms)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_session_copy(u_char **to, size_t *len, im_str_t s)
{
    im_free(*to);

    *to = NULL;
    *len = 0;

    if (s.len == 0) {
        return NGX_OK;
    }

    *to = im_alloc(s.len);
    if (*to == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(*to, s.data, s.len);
    *len = s.len;

    return NGX_OK;
}


static ngx_int_t
ngx_im_session_topics(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    im_buf_t    b;
    im_str_t    everybody = im_str("b");
    ngx_int_t   rc;
    ngx_uint_t  i;

    im_buf_init(&b, IM_TOPIC_MAX);

    rc = ngx_im_session_follow(s, everybody);

    if (rc == NGX_OK && s->user != NULL) {
        im_topic_user(&b, id->user);
        rc = ngx_im_session_follow(s, im_buf_str(&b));
    }

    if (rc == NGX_OK && id->room.len > 0) {
        im_buf_reset(&b, b.size);
        im_topic_room(&b, id->room);
        rc = ngx_im_session_follow(s, im_buf_str(&b));
    }

    for (i = 0; rc == NGX_OK && i < id->nchannels; i++) {
        rc = ngx_im_session_follow(s, id->channels[i]);
    }

    im_buf_cleanup(&b);

    return rc;
}


/* A topic that the client doesn't subscribe to itself. */
static ngx_int_t
ngx_im_session_follow(ngx_im_session_t *s, im_str_t topic)
{
    ngx_im_ext_t         *ext;
    ngx_im_join_t        *join;
    const im_position_t  *since;

    if (s->phase != NGX_IM_OPEN
        || ngx_im_session_find_sub(s, topic) != NULL)
    {
        return NGX_OK;
    }

    if (ngx_im_session_new_room(s, topic) != NGX_OK) {
        return NGX_ERROR;
    }

    join = NULL;
    ext = s->ext;

    if (ext != NULL && (ext->connecting || s->positions)) {

        join = im_calloc(sizeof(ngx_im_join_t));
        if (join == NULL) {
            return NGX_ERROR;
        }

        since = ngx_im_session_since(s, topic);

        if (since != NULL) {
            ngx_im_join_since(join, since);
        }

        join->connect = ext->connecting;
        ext->nsubs += ext->connecting;
    }

    return ngx_im_session_join(s, topic, join,
                               NGX_IM_SUB_SERVER|NGX_IM_SUB_CONNECT)
           != NULL
               ? NGX_OK : NGX_ERROR;
}


/* "u:" is the inbox, whosever it is. */
static const im_position_t *
ngx_im_session_since(ngx_im_session_t *s, im_str_t topic)
{
    im_str_t       name;
    ngx_uint_t     i;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    for (i = 0; i < ext->nresumes; i++) {
        name = ext->resumes[i].topic;

        if (im_str_eq(name, topic)
            || (name.len == 2 && topic.data[0] == 'u' && name.data[0] == 'u'))
        {
            return &ext->resumes[i].since;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_im_session_user(ngx_im_session_t *s, im_str_t user, im_str_t name)
{
    int                  first;
    im_user_t           *u;
    ngx_im_worker_t     *w;
    ngx_im_main_conf_t  *imcf;

    w = ngx_im_worker;
    imcf = w->conf;

    u = im_hub_user(&w->hub, user);

    if (u != NULL && imcf->max_sessions_per_user
        && u->nsessions >= imcf->max_sessions_per_user)
    {
        return NGX_BUSY;
    }

    if (name.len > 255) {
        name.len = 255;
    }

    s->name = im_alloc(1 + name.len);
    if (s->name == NULL) {
        return NGX_ERROR;
    }

    s->name[0] = (u_char) name.len;

    if (name.len > 0) {
        ngx_memcpy(s->name + 1, name.data, name.len);
    }

    s->user = im_hub_user_add(&w->hub, user, &s->user_link, &first);

    if (s->user == NULL) {
        return NGX_ERROR;
    }

    if (first) {
        w->nusers++;
        w->counters->users = w->nusers;
    }

    return NGX_OK;
}


im_sub_t *
ngx_im_session_join(ngx_im_session_t *s, im_str_t topic, ngx_im_join_t *join,
    ngx_uint_t flags)
{
    int               first;
    im_sub_t         *sub;
    im_form_e         form;
    im_topic_t       *t;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    sub = ngx_im_session_sub(s, topic);
    if (sub == NULL) {
        im_free(join);
        return NULL;
    }

    form = s->positions ? IM_FORM_POSITIONS : IM_FORM_PLAIN;

    if (flags & NGX_IM_SUB_JOIN_LEAVE) {
        form = IM_FORM_JOINS;
    }

    t = im_hub_join(&w->hub, topic,
                    im_wire_id(s->conf->proto, form, s->transport), sub,
                    &first);

    if (t == NULL) {
        if (sub != &s->everybody) {
            ngx_im_session_sub_free(sub);
        }

        im_free(join);
        return NULL;
    }

    sub->flags = flags;
    sub->data = join;

    if (join != NULL) {
        im_list_init(&join->link);
        join->sub = sub;
    }

    sub->next = s->subs;
    s->subs = sub;

    if (first) {
        w->ntopics++;
        w->counters->topics = w->ntopics;

        if (ngx_im_follow_start(w, t) != NGX_OK) {
            ngx_im_session_leave(s, sub);
            return NULL;
        }
    }

    s->nrooms += (topic.data[0] == 'r');

    ngx_im_follow_member(w, sub, 1);

    if (t->state != IM_TOPIC_NEW) {
        ngx_im_session_joined(s, sub);
    }

    return sub;
}


im_sub_t *
ngx_im_session_find_sub(ngx_im_session_t *s, im_str_t topic)
{
    im_sub_t  *sub;

    for (sub = s->subs; sub; sub = sub->next) {
        if (im_str_eq(im_topic_name(sub->log->topic), topic)) {
            return sub;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_im_session_full(ngx_im_session_t *s)
{
    im_sub_t    *sub;
    ngx_uint_t   n;

    for (n = 0, sub = s->subs; sub; sub = sub->next) {
        n++;
    }

    return n >= ngx_im_worker->conf->topics_per_session;
}


/* The broadcast's is part of the session, since each has it. */
static im_sub_t *
ngx_im_session_sub(ngx_im_session_t *s, im_str_t topic)
{
    uint32_t          index;
    ngx_im_sub_t     *is;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (topic.len == 1) {
        ngx_memzero(&s->everybody, sizeof(im_sub_t));
        s->everybody.session = s;
        return &s->everybody;
    }

    if (ngx_im_session_full(s)) {
        return NULL;
    }

    is = im_slab_alloc(&w->subs_slab, &index);
    if (is == NULL) {
        return NULL;
    }

    ngx_memzero(is, sizeof(ngx_im_sub_t));

    is->sub.session = s;
    is->index = index;

    return &is->sub;
}


static void
ngx_im_session_sub_free(im_sub_t *sub)
{
    ngx_im_sub_t  *is;

    is = im_list_data(sub, ngx_im_sub_t, sub);

    im_free(is->info);
    im_slab_free(&ngx_im_worker->subs_slab, is->index);
}


im_str_t
ngx_im_session_sub_info(im_sub_t *sub)
{
    u_char    *info;
    uint16_t   len;

    info = im_list_data(sub, ngx_im_sub_t, sub)->info;

    if (info == NULL) {
        return im_str_set("", 0);
    }

    ngx_memcpy(&len, info, sizeof(uint16_t));

    return im_str_set(info + sizeof(uint16_t), len);
}


void
ngx_im_session_member(ngx_im_session_t *s, im_sub_t *sub, u_char *id,
    im_member_t *m)
{
    im_member_init(m);

    im_id_uuid(id, s->peer.id);

    m->session = im_str_set(id, IM_UUID_LEN);
    m->user = im_str_set("", 0);
    m->name = im_str_set("", 0);
    m->info = ngx_im_session_info(s);

    if (s->user != NULL) {
        m->user = im_str_set(s->user->id, s->user->id_len);
    }

    if (s->name != NULL) {
        m->name = im_str_set(s->name + 1, s->name[0]);
    }

    if (sub != NULL) {
        m->room_info = ngx_im_session_sub_info(sub);
    }
}


void
ngx_im_session_set_sub_info(im_sub_t *sub, im_str_t info)
{
    uint16_t       len;
    ngx_im_sub_t  *is;

    is = im_list_data(sub, ngx_im_sub_t, sub);

    im_free(is->info);
    is->info = NULL;

    if (info.len == 0 || info.len > UINT16_MAX) {
        return;
    }

    is->info = im_alloc(sizeof(uint16_t) + info.len);

    if (is->info != NULL) {
        len = info.len;
        ngx_memcpy(is->info, &len, sizeof(uint16_t));
        ngx_memcpy(is->info + sizeof(uint16_t), info.data, info.len);
    }
}


void
ngx_im_session_joined(ngx_im_session_t *s, im_sub_t *sub)
{
    im_topic_t  *topic;

    if (sub->data != NULL) {
        ngx_im_resume_add(sub);
        return;
    }

    topic = sub->log->topic;

    im_sub_live(sub);

    if (topic->name[0] != 'r') {
        return;
    }

    ngx_im_presence_tell(ngx_im_worker, sub, 1);

    if (im_wire(sub->log->wire).form->room_info != NULL) {
        ngx_im_info_session(topic, s);
    }
}


void
ngx_im_session_leave_all(ngx_im_session_t *s)
{
    while (s->subs != NULL) {
        ngx_im_session_leave(s, s->subs);
    }
}


void
ngx_im_session_leave(ngx_im_session_t *s, im_sub_t *sub)
{
    int                last;
    im_sub_t         **p;
    im_topic_t        *topic;
    ngx_im_worker_t   *w;

    w = ngx_im_worker;

    if (im_sub_state(sub) != IM_SUB_JOINING) {
        ngx_im_presence_tell(w, sub, 0);
    }

    for (p = &s->subs; *p != sub; p = &(*p)->next) { /* void */ }

    *p = sub->next;

    ngx_im_send_leave(s, sub);
    ngx_im_resume_forget(sub);

    ngx_im_follow_member(w, sub, 0);

    topic = im_hub_leave(&w->hub, sub, &last);

    if (sub != &s->everybody) {
        ngx_im_session_sub_free(sub);
    }

    if (last) {
        w->ntopics--;
        w->counters->topics = w->ntopics;

        ngx_im_follow_stop(w, topic);
    }
}


void
ngx_im_session_close(ngx_im_session_t *s, im_reason_e reason, const char *why)
{
    ngx_im_session_close_code(s, im_wire_code(s->conf->proto, s->transport,
                                              reason),
                              im_str_set("", 0), why);
}


void
ngx_im_session_close_code(ngx_im_session_t *s, ngx_uint_t code,
    im_str_t text, const char *why)
{
    u_char            bytes[IM_CONTROL_MAX];
    im_buf_t          b;
    ngx_int_t         rc;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (s->phase == NGX_IM_CLOSED) {
        return;
    }

    if (s->why == NULL) {
        s->why = why;
        s->close_code = code;
    }

    if (code != 0 && !s->close_sent && !s->connection->error) {
        s->close_sent = 1;

        if (text.len == 0) {
            text = im_str_z(why);
        }

        /* the answer to a close has its code and no text */

        if (s->close_received) {
            text.len = 0;
        }

        im_buf_fixed(&b, bytes, sizeof(bytes));

        s->transport->close(&b, (uint16_t) code, text);

        rc = ngx_im_send_close(s, im_buf_str(&b));

        if (s->phase == NGX_IM_CLOSED) {
            return;
        }

        if (rc == NGX_AGAIN) {
            ngx_im_session_half_close(s);
            ngx_im_session_phase(s, NGX_IM_CLOSING);
            ngx_im_session_leave_all(s);
            ngx_im_session_deadline(s, NGX_IM_LINGER);
            ngx_im_recv_continue(s);
            return;
        }
    }

    ngx_im_session_phase(s, NGX_IM_CLOSED);
    ngx_im_session_leave_all(s);

    ngx_im_timer_unset(&s->deadline);
    im_list_remove(&s->blocked);
    im_list_remove(&s->all);
    im_list_insert_tail(&w->closed, &s->all);

    ngx_post_event(&w->close_event, &ngx_posted_events);
}


/*
 * Behind a broken frame nothing can be read, the peer's close frame neither:
 * an end of file makes it hang up without that.  TLS has no half close.
 */
static void
ngx_im_session_half_close(ngx_im_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (s->input.failed && !ngx_im_tls(c) && s->replies == NULL) {
        (void) ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN);
    }
}


void
ngx_im_session_closed_handler(ngx_event_t *ev)
{
    im_list_t        *q;
    ngx_im_worker_t  *w;

    w = ev->data;

    while (!im_list_empty(&w->closed)) {
        q = im_list_first(&w->closed);
        im_list_remove(q);

        ngx_im_session_free(w, im_list_data(q, ngx_im_session_t, all));
    }
}


static void
ngx_im_session_free(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    int  last;

    ngx_im_session_log(w, s);

    if (s->user != NULL) {
        im_hub_user_remove(&w->hub, s->user, &s->user_link, &last);
        w->nusers -= last ? 1 : 0;
        w->counters->users = w->nusers;
    }

    ngx_im_zone_ip_remove(w, s->peer.family, s->peer.addr);
    ngx_im_session_connection(s->connection);

    if (s->message != NULL) {
        im_buf_cleanup(s->message);
        im_free(s->message);
    }

    ngx_im_send_forget(s);

    im_input_cleanup(&s->input);
    im_free(s->name);
    ngx_im_session_ext_free(s->ext);

    w->nsessions--;
    w->counters->sessions = w->nsessions;
    w->counters->closed++;

    s->phase = NGX_IM_FREE;

    im_slab_free(&w->sessions_slab, s->index);
}


static void
ngx_im_session_log(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    size_t     len;
    u_char     addr[NGX_SOCKADDR_STRLEN];
    ngx_str_t  user;

    ngx_str_set(&user, "guest");

    if (s->user != NULL) {
        user.data = s->user->id;
        user.len = s->user->id_len;
    }

    len = ngx_im_session_addr(s, addr);

    ngx_log_error(NGX_LOG_INFO, w->log, 0,
                  "im: session ended: client: %*s, user: \"%V\", "
                  "protocol: %s, rooms: %ui, seconds: %uD, in: %uL, out: %uL, "
                  "code: %ui, why: %s",
                  len, addr, &user, s->conf->proto->name,
                  (ngx_uint_t) s->nrooms, (uint32_t) ngx_time() - s->start,
                  s->bytes_in, s->bytes_out, (ngx_uint_t) s->close_code,
                  s->why);
}


static void
ngx_im_session_connection(ngx_connection_t *c)
{
    if (c->pool != NULL) {
        ngx_http_close_connection(c);
        return;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    ngx_close_connection(c);
}


size_t
ngx_im_session_addr(ngx_im_session_t *s, u_char *buf)
{
    switch (s->peer.family) {

    case AF_INET:
        return ngx_inet_ntop(AF_INET, s->peer.addr, buf, NGX_SOCKADDR_STRLEN);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        return ngx_inet_ntop(AF_INET6, s->peer.addr, buf,
                             NGX_SOCKADDR_STRLEN);
#endif

    default:
        return ngx_sprintf(buf, "unix:") - buf;
    }
}


/*
 * The time of the wheel is the worker's own: it goes on with each tick.  So a
 * client doesn't seem silent after a jump of the clock, nor after a standstill
 * of the worker that left answers unread.
 */
void
ngx_im_session_deadline(ngx_im_session_t *s, ngx_uint_t seconds)
{
    if (s->expires && s->phase == NGX_IM_OPEN && !s->conf->proto->pings) {
        seconds = ngx_min(seconds, ngx_im_session_left(s));
    }

    ngx_im_timer_set(&ngx_im_worker->wheel, &s->deadline,
                     ngx_im_worker->wheel.time + ngx_max(seconds, 1));
}


void
ngx_im_session_expires(ngx_im_session_t *s, int64_t when)
{
    ngx_uint_t  left;

    s->expires = when > 0 && when < UINT32_MAX ? (uint32_t) when : 0;

    /* a deadline of pings can't come at another time */

    if (s->conf->proto->pings) {
        ngx_im_token_schedule(s);
        return;
    }

    left = ngx_im_session_left(s);

    if (s->expires && ngx_im_worker->wheel.time + left < s->deadline.at) {
        ngx_im_session_deadline(s, left);
    }
}


/* Seconds until its identity ends. */
static ngx_uint_t
ngx_im_session_left(ngx_im_session_t *s)
{
    uint32_t  now;

    now = ngx_time();

    return s->expires > now ? s->expires - now : 0;
}


uint32_t
ngx_im_session_ttl(ngx_im_session_t *s)
{
    uint32_t  end;

    /* where a webhook renews it, the client has nothing to do */

    if (s->expires == 0 || s->conf->webhooks[IM_WEBHOOK_REFRESH].len) {
        return 0;
    }

    end = s->expires - (s->conf->proto->commands ? s->conf->grace : 0);

    return end > ngx_time() ? end - ngx_time() : 1;
}


/* What it means depends on the phase. */
void
ngx_im_session_due(ngx_im_timer_t *timer)
{
    u_char             bytes[IM_CONTROL_MAX];
    im_buf_t           b;
    uint32_t           silent;
    ngx_im_handle_t    h;
    ngx_im_session_t  *s;

    s = im_list_data(timer, ngx_im_session_t, deadline);
    silent = ngx_im_worker->wheel.time - s->seen;
    h = ngx_im_session_handle(s);

    switch (s->phase) {

    case NGX_IM_CONNECTING:
        ngx_im_session_close(s, IM_REASON_STALE, "no first frame in time");
        return;

    case NGX_IM_AUTHENTICATING:
        ngx_im_session_close(s, IM_REASON_BUSY,
                             "identity is not known in time");
        return;

    case NGX_IM_OPEN:
        break;

    default:
        ngx_im_session_close(s, IM_REASON_LOST, s->why);
        return;
    }

    if (s->expires && ngx_im_session_left(s) == 0) {
        ngx_im_session_close(s, IM_REASON_EXPIRED, "the token has expired");
        return;
    }

    if (s->conf->proto->pings) {
        ngx_im_session_ping(s);
        return;
    }

    if (silent >= s->conf->pong / 1000) {
        ngx_im_session_close(s, IM_REASON_NO_PONG, "no answer to ping");
        return;
    }

    if (silent >= s->conf->ping / 1000) {
        im_buf_fixed(&b, bytes, sizeof(bytes));

        s->transport->ping(&b);

        if (ngx_im_send_reply(s, im_buf_str(&b)) != NGX_OK) {
            return;
        }
    }

    if (ngx_im_session_find(ngx_im_worker, h) == s && s->phase == NGX_IM_OPEN)
    {
        silent = silent >= s->conf->ping / 1000
                     ? s->conf->pong / 1000 - silent
                     : s->conf->ping / 1000 - silent;

        ngx_im_session_deadline(s, ngx_min(silent, s->conf->ping / 1000));
    }
}


/*
 * Sends a ping as a message and expects a pong in time.  A session whose input
 * is held can't answer.
 */
static void
ngx_im_session_ping(ngx_im_session_t *s)
{
    im_reply_t     reply;
    ngx_uint_t     ping, wait;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (ext != NULL && ext->connecting) {
        ngx_im_session_close(s, IM_REASON_BUSY, "topics are not ready in time");
        return;
    }

    if (s->pinged && (ext == NULL || ext->held == NULL)) {
        ngx_im_session_close(s, IM_REASON_NO_PONG, "no answer to ping");
        return;
    }

    ping = ngx_max(s->conf->ping / 1000, 1);
    wait = ngx_min((s->conf->pong - s->conf->ping) / 1000, ping);

    if (s->pong_due) {
        s->pong_due = 0;
        ngx_im_session_deadline(s, ping - wait);
        return;
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = IM_REPLY_PING;
    s->pinged = 1;
    s->pong_due = wait < ping;

    if (ngx_im_command_reply(s, &reply) == NGX_OK
        && s->phase == NGX_IM_OPEN)
    {
        ngx_im_session_deadline(s, wait);
    }
}
