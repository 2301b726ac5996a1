/*
 * Copyright (C) The im authors
 *
 * Sessions: their places, phases and deadlines.
 *
 * A session lives in a slab, and handles name it across turns.  A closed
 * session keeps its topics and its memory until ngx_im_close_handler() runs, in
 * a posted event.  So no topic and no session ends while a caller walks over
 * them.
 */

#include "ngx_im_session.h"
#include "ngx_im_adopted.h"
#include "im_ask.h"


static ngx_event_t  ngx_im_session_no_event;

ngx_connection_t  ngx_im_session_lost = {
    .read = &ngx_im_session_no_event,
    .write = &ngx_im_session_no_event,
    .fd = (ngx_socket_t) -1,
    .error = 1
};


typedef struct {
    im_hash_node_t  node;            /* in worker->classes */
    ngx_im_class_t  class;
} ngx_im_class_node_t;


/* What follows from these is behind them. */
#define NGX_IM_CLASS_NAME  offsetof(ngx_im_class_t, number)


im_str_t
ngx_im_session_class_name(const im_hash_node_t *node)
{
    return im_str_set(&im_list_data(node, ngx_im_class_node_t, node)->class,
                      NGX_IM_CLASS_NAME);
}


/* There are as many as locations, forms of protocols and transports in use. */
const ngx_im_class_t *
ngx_im_session_class(ngx_im_worker_t *w, ngx_im_loc_conf_t *ilcf,
    const im_proto_t *proto, const im_transport_t *transport)
{
    im_hash_node_t       *node;
    ngx_im_class_t        own;
    ngx_im_class_node_t  *c;

    ngx_memzero(&own, sizeof(ngx_im_class_t));
    own.conf = ilcf;
    own.proto = proto;
    own.transport = transport;

    node = im_hash_find(&w->classes, im_str_set(&own, NGX_IM_CLASS_NAME));

    if (node != NULL) {
        return &im_list_data(node, ngx_im_class_node_t, node)->class;
    }

    c = im_calloc(sizeof(ngx_im_class_node_t));
    if (c == NULL) {
        return NULL;
    }

    c->class = own;
    c->class.number = im_proto_number(proto);
    c->class.kind = ngx_im_counters_kind(transport->kind);

    im_hash_add(&w->classes, &c->node);

    return &c->class;
}


/* NULL: no memory. */
static ngx_im_session_t *
ngx_im_session_alloc(ngx_im_worker_t *w, const ngx_im_class_t *class,
    const ngx_im_peer_t *peer, uint32_t host)
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
    s->host = host;
    s->connection = &ngx_im_session_lost;
    s->class = class;
    s->peer = *peer;
    s->start = ngx_time();
    s->seen = w->wheel.time;
    ngx_im_session_flow(s) = (uint32_t) ngx_current_msec;

    im_list_init(&s->deadline.link);
    im_list_init(&s->blocked);
    im_list_init(&s->place);

    w->nsessions++;
    w->counters->sessions = w->nsessions;

    return s;
}


ngx_im_session_t *
ngx_im_session_create(ngx_im_worker_t *w, ngx_connection_t *c,
    ngx_im_loc_conf_t *ilcf, const im_proto_t *proto,
    const im_transport_t *transport, ngx_im_peer_t *peer, uint32_t host)
{
    ngx_im_session_t      *s;
    const ngx_im_class_t  *class;

    class = ngx_im_session_class(w, ilcf, proto, transport);
    if (class == NULL) {
        return NULL;
    }

    s = ngx_im_session_alloc(w, class, peer, host);
    if (s == NULL) {
        return NULL;
    }

    s->connection = c;

    w->counters->accepted++;
    w->counters->opened[class->number][class->kind]++;

    if (proto->connects) {
        ngx_im_session_phase(s, NGX_IM_CONNECTING);
        ngx_im_session_deadline(s, ngx_im_session_patience(ilcf));

    } else {
        ngx_im_session_phase(s, NGX_IM_OPEN);
        ngx_im_session_deadline(s, ilcf->ping / 1000);
    }

    return s;
}


ngx_im_session_t *
ngx_im_session_adopt(ngx_im_worker_t *w, const ngx_im_class_t *class,
    const ngx_im_peer_t *peer, uint32_t host)
{
    ngx_im_session_t  *s;

    s = ngx_im_session_alloc(w, class, peer, host);

    if (s != NULL) {
        ngx_im_session_phase(s, NGX_IM_OPEN);
    }

    return s;
}


ngx_im_handle_t
ngx_im_session_handle(ngx_im_session_t *s)
{
    return (ngx_im_handle_t) s->generation << 32 | s->index;
}


/*
 * It follows from the handle, by keys that only the worker has.  The last bytes
 * are the index of the session, obfuscated by a hash of the other bytes: no
 * table is needed to find it.
 */
void
ngx_im_session_id(ngx_im_session_t *s, u_char id[16])
{
    uint32_t          index;
    uint64_t          n[2];
    ngx_im_handle_t   h;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (s->adopted) {
        ngx_memcpy(id, ngx_im_adopted_at(w, s->index)->id, 16);
        return;
    }

    h = ngx_im_session_handle(s);

    n[0] = im_siphash(w->ids[0], &h, sizeof(h));
    n[1] = im_siphash(w->ids[1], &h, sizeof(h));

    ngx_memcpy(id, n, 16);

    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;

    index = s->index ^ (uint32_t) im_siphash(w->hub.users.seed, id, 12);

    ngx_memcpy(id + 12, &index, 4);
}


void
ngx_im_session_uuid(ngx_im_session_t *s, u_char text[IM_UUID_LEN])
{
    u_char  id[16];

    ngx_im_session_id(s, id);
    im_id_uuid(text, id);
}


ngx_im_session_t *
ngx_im_session_get(ngx_im_worker_t *w, ngx_im_handle_t h)
{
    ngx_im_session_t  *s;

    s = im_slab_get(&w->sessions_slab, (uint32_t) h);

    return s != NULL && s->generation == h >> 32 && s->phase != NGX_IM_FREE
           ? s : NULL;
}


ngx_im_session_t *
ngx_im_session_find(ngx_im_worker_t *w, ngx_im_handle_t h)
{
    ngx_im_session_t  *s;

    s = ngx_im_session_get(w, h);

    return s != NULL && s->phase != NGX_IM_CLOSED ? s : NULL;
}


ngx_im_session_t *
ngx_im_session_next(ngx_im_worker_t *w, uint32_t *index)
{
    ngx_im_session_t  *s;

    for ( ;; ) {
        s = im_slab_get(&w->sessions_slab, *index);

        if (s == NULL) {
            return NULL;
        }

        (*index)++;

        if (s->phase != NGX_IM_FREE && s->phase != NGX_IM_CLOSED) {
            return s;
        }
    }
}


/* NULL: none of those that began here. */
static ngx_im_session_t *
ngx_im_session_own(ngx_im_worker_t *w, const u_char id[16])
{
    u_char             own[16];
    uint32_t           index;
    ngx_im_session_t  *s;

    ngx_memcpy(&index, id + 12, 4);
    index ^= (uint32_t) im_siphash(w->hub.users.seed, id, 12);

    s = im_slab_get(&w->sessions_slab, index);

    if (s == NULL || s->phase == NGX_IM_FREE || s->phase == NGX_IM_CLOSED) {
        return NULL;
    }

    ngx_im_session_id(s, own);

    return ngx_memcmp(own, id, 16) == 0 ? s : NULL;
}


ngx_im_session_t *
ngx_im_session_by_id(ngx_im_worker_t *w, const u_char id[16])
{
    ngx_im_session_t  *s;
    ngx_im_adopted_t  *a;

    s = ngx_im_session_own(w, id);

    if (s != NULL || w->adopted.count == 0) {
        return s;
    }

    a = ngx_im_adopted_find(w, id);

    if (a == NULL) {
        return NULL;
    }

    s = im_slab_object(&w->sessions_slab, a->index);

    return s->phase != NGX_IM_CLOSED ? s : NULL;
}


/* One in flight counts as what it was. */
static ngx_im_phase_e
ngx_im_session_counts(ngx_im_session_t *s, ngx_im_phase_e phase)
{
    return phase == NGX_IM_MOVING ? s->ext->moving->phase : phase;
}


static ngx_uint_t
ngx_im_session_pending(ngx_im_phase_e phase)
{
    return phase == NGX_IM_CONNECTING || phase == NGX_IM_AUTHENTICATING;
}


/* NULL: it is not counted. */
static uint64_t *
ngx_im_session_live(ngx_im_session_t *s, ngx_im_phase_e phase)
{
    static const ngx_im_live_e  states[] = {
        NGX_IM_LIVE,
        NGX_IM_LIVE_CONNECTING,
        NGX_IM_LIVE_AUTHENTICATING,
        NGX_IM_LIVE_OPEN,
        NGX_IM_LIVE,
        NGX_IM_LIVE_CLOSING,
        NGX_IM_LIVE_CLOSING,
        NGX_IM_LIVE
    };

    return states[phase] == NGX_IM_LIVE ? NULL
           : &ngx_im_worker->counters->live[s->class->number][s->class->kind]
                                           [states[phase]];
}


void
ngx_im_session_phase(ngx_im_session_t *s, ngx_im_phase_e phase)
{
    uint64_t         *live;
    ngx_uint_t        was, is, taken, moves;
    ngx_im_host_t    *host;
    ngx_im_phase_e    old, new;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    host = ngx_im_host(w, s->host);

    old = ngx_im_session_counts(s, s->phase);
    new = ngx_im_session_counts(s, phase);
    moves = s->phase == NGX_IM_MOVING || phase == NGX_IM_MOVING;
    taken = s->phase == NGX_IM_MOVING && s->ext->moving->taken;

    was = ngx_im_session_pending(old);
    is = ngx_im_session_pending(new);

    w->nunauthenticated += is - was;
    w->counters->unauthenticated = w->nunauthenticated;

    live = ngx_im_session_live(s, old);

    if (live != NULL) {
        (*live)--;
    }

    live = ngx_im_session_live(s, new);

    if (live != NULL) {
        (*live)++;
    }

    s->phase = phase;

    /* a closed session is in another list already */

    if (is != was || moves || phase == NGX_IM_OPEN) {
        im_list_remove(&s->place);

        if (phase < NGX_IM_MOVING) {
            im_list_insert_tail(&host->ranks[is ? NGX_IM_POOL_PENDING
                                                : NGX_IM_POOL_SESSIONS].list,
                                &s->place);
        }
    }

    if (was && !is) {
        ngx_im_host_release(w, host, NGX_IM_POOL_PENDING, taken);
    }
}


ngx_im_known_t *
ngx_im_session_known_as(ngx_im_session_t *s, im_str_t name, im_str_t login)
{
    u_char          *p;
    ngx_im_known_t  *known;

    if (s->known != NULL) {
        return s->known;
    }

    known = im_calloc(offsetof(ngx_im_known_t, name) + name.len + login.len);
    if (known == NULL) {
        return NULL;
    }

    im_list_init(&known->link);
    im_list_init(&known->expiry.link);

    known->session = s;
    known->login = login.len > 0;
    known->name_len = (uint8_t) name.len;

    p = im_copy(known->name, name.data, name.len);
    im_copy(p, login.data, login.len);

    s->known = known;

    return known;
}


ngx_im_known_t *
ngx_im_session_known(ngx_im_session_t *s)
{
    return ngx_im_session_known_as(s, im_str_set("", 0), im_str_set("", 0));
}


void
ngx_im_session_known_free(ngx_im_session_t *s)
{
    ngx_im_known_t  *known;

    known = s->known;

    if (known == NULL) {
        return;
    }

    im_list_remove(&known->expiry.link);

    if (known->about != NULL) {
        im_free(known->about->info);
        im_free(known->about->rooms);
        im_free(known->about->meta);
        im_free(known->about);
    }

    im_free(known);

    s->known = NULL;
}


ngx_im_about_t *
ngx_im_session_about(ngx_im_session_t *s)
{
    ngx_im_known_t  *known;

    known = ngx_im_session_known(s);

    if (known == NULL) {
        return NULL;
    }

    if (known->about == NULL) {
        known->about = im_calloc(sizeof(ngx_im_about_t));
    }

    return known->about;
}


ngx_int_t
ngx_im_session_keep(im_str_t **to, im_str_t s)
{
    im_free(*to);
    *to = NULL;

    if (s.len == 0) {
        return NGX_OK;
    }

    *to = im_alloc(sizeof(im_str_t) + s.len);
    if (*to == NULL) {
        return NGX_ERROR;
    }

    **to = im_str_set(*to + 1, s.len);
    im_copy(*to + 1, s.data, s.len);

    return NGX_OK;
}


void
ngx_im_session_spare(ngx_im_session_t *s)
{
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (s->ext != NULL && im_list_empty(&s->ext->spare)) {
        im_list_insert_tail(&w->spare, &s->ext->spare);
        ngx_post_event(&w->spare_event, &ngx_posted_events);
    }
}


/* A session that is not open yet, or ends, keeps its own. */
static ngx_uint_t
ngx_im_session_ext_needed(const ngx_im_ext_t *ext)
{
    return ext->session->phase != NGX_IM_OPEN
           || !im_list_empty(&ext->waiting)
           || ext->held != NULL || ext->kept != NULL || ext->resumes != NULL
           || ext->key.len > 0 || ext->data.len > 0 || ext->reason.len > 0
           || ext->nbad > 0 || ext->mark != NGX_IM_MARK_NONE
           || ext->connecting || ext->failed || ext->busy || ext->prepaid
           || ext->credit || ext->nasked > 0;
}


void
ngx_im_session_spare_handler(ngx_event_t *ev)
{
    ngx_im_ext_t     *ext;
    ngx_im_worker_t  *w;

    w = ev->data;

    while (!im_list_empty(&w->spare)) {
        ext = im_list_data(im_list_first(&w->spare), ngx_im_ext_t, spare);
        im_list_remove(&ext->spare);

        if (!ngx_im_session_ext_needed(ext)) {
            ngx_im_session_ext_free(ext->session);
        }
    }
}


ngx_im_ext_t *
ngx_im_session_ext(ngx_im_session_t *s)
{
    if (s->ext == NULL) {
        s->ext = im_calloc(sizeof(ngx_im_ext_t));

        if (s->ext != NULL) {
            im_list_init(&s->ext->waiting);
            im_list_init(&s->ext->spare);
            s->ext->session = s;
            ngx_im_session_spare(s);
        }
    }

    return s->ext;
}


void
ngx_im_session_ext_free(ngx_im_session_t *s)
{
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (ext == NULL) {
        return;
    }

    im_list_remove(&ext->waiting);
    im_list_remove(&ext->spare);

    im_free(ext->held);
    im_free(ext->moving);
    im_free(ext->why);
    im_free(ext->resumes);
    im_free(ext->key.data);
    im_free(ext->data.data);
    im_free(ext->reason.data);
    im_free(ext);

    s->ext = NULL;
}


void
ngx_im_session_partial_free(ngx_im_session_t *s)
{
    ngx_im_partial_t  *partial;

    partial = s->partial;

    if (partial == NULL) {
        return;
    }

    if (partial->message != NULL) {
        im_buf_cleanup(partial->message);
        im_free(partial->message);
    }

    im_input_cleanup(&partial->decoder);
    im_free(partial);

    s->partial = NULL;
}


void
ngx_im_session_resumed(ngx_im_session_t *s)
{
    if (s->class->proto->request) {
        return;
    }

    im_free(s->ext->resumes);

    s->ext->resumes = NULL;
    s->ext->nresumes = 0;
}


ngx_int_t
ngx_im_session_copy(im_str_t *to, im_str_t s)
{
    im_free(to->data);

    *to = im_str_set(NULL, 0);

    if (s.len == 0) {
        return NGX_OK;
    }

    to->data = im_alloc(s.len);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    im_copy(to->data, s.data, s.len);
    to->len = s.len;

    return NGX_OK;
}


void
ngx_im_session_busy(ngx_im_session_t *s, uint32_t id)
{
    s->ext->busy = 1;
    s->ext->busy_id = id;
}


void
ngx_im_session_asks(ngx_im_session_t *s)
{
    s->ext->nasked++;
}


void
ngx_im_session_answered(ngx_im_session_t *s)
{
    s->ext->nasked--;
    ngx_im_session_spare(s);
}


ngx_uint_t
ngx_im_session_waits(ngx_im_session_t *s)
{
    ngx_im_ext_t  *ext;

    ext = s->ext;

    return s->phase == NGX_IM_AUTHENTICATING
           || (ext != NULL && (ext->busy || ext->connecting
                                || !im_list_empty(&ext->waiting)));
}


void
ngx_im_session_stop(ngx_im_session_t *s, ngx_im_wait_e why)
{
    s->ext->wait = why;

    /* the end of the connection is reported once, and may have been */

    if (s->connection->read->pending_eof) {
        ngx_post_event(s->connection->read, &ngx_posted_events);
    }
}


ngx_uint_t
ngx_im_session_stopped(ngx_im_session_t *s)
{
    return s->phase < NGX_IM_ENDING && s->ext != NULL
           && !im_list_empty(&s->ext->waiting);
}


void
ngx_im_session_continue(ngx_im_session_t *s)
{
    ngx_event_t  *rev;

    rev = s->connection->read;

    ngx_im_session_spare(s);

    if (s->phase != NGX_IM_CLOSED
        && (rev->ready || (s->ext != NULL && s->ext->held != NULL)))
    {
        ngx_post_event(rev, &ngx_posted_events);
    }
}


void
ngx_im_session_wake(im_list_t *waiting, ngx_uint_t n)
{
    ngx_im_ext_t  *ext;

    while (n-- > 0 && !im_list_empty(waiting)) {
        ext = im_list_data(im_list_first(waiting), ngx_im_ext_t, waiting);
        im_list_remove(&ext->waiting);

        ngx_im_session_continue(ext->session);
    }
}


ngx_uint_t
ngx_im_session_code(ngx_im_session_t *s, im_reason_e reason)
{
    return im_wire_code(s->class->proto, s->class->transport, reason);
}


ngx_int_t
ngx_im_session_close(ngx_im_session_t *s, im_reason_e reason, const char *why)
{
    ngx_im_session_close_code(s, reason, ngx_im_session_code(s, reason),
                              im_str_set("", 0), why);

    return NGX_ERROR;
}


/* It happens when the session is back, or at the other worker. */
static void
ngx_im_session_close_later(ngx_im_session_t *s, im_reason_e reason,
    ngx_uint_t code, im_str_t text, const char *why)
{
    ngx_im_moving_t  *moving;

    moving = s->ext->moving;

    if (moving->why == NULL) {
        moving->why = why;
        moving->reason = reason;
        moving->code = code;

        text.len = ngx_min(text.len, IM_CONTROL_MAX);
        (void) ngx_im_session_copy(&s->ext->reason, text);
    }
}


void
ngx_im_session_close_code(ngx_im_session_t *s, im_reason_e reason,
    ngx_uint_t code, im_str_t text, const char *why)
{
    if (s->phase == NGX_IM_ENDING || s->phase == NGX_IM_CLOSED) {
        return;
    }

    if (s->phase == NGX_IM_MOVING) {
        ngx_im_session_close_later(s, reason, code, text, why);
        return;
    }

    if (s->why == NULL) {
        s->why = why;
        s->reason = reason;
        s->close_code = code;
    }

    if (text.len > 0 && ngx_im_session_ext(s) != NULL) {
        text.len = ngx_min(text.len, IM_CONTROL_MAX);
        (void) ngx_im_session_copy(&s->ext->reason, text);
    }

    if (code == 0 || s->phase == NGX_IM_CLOSING || s->connection->error) {
        ngx_im_session_phase(s, NGX_IM_CLOSED);
        im_list_remove(&s->blocked);

    } else {
        ngx_im_session_phase(s, NGX_IM_ENDING);
    }

    im_list_remove(&s->deadline.link);

    im_list_remove(&s->place);
    im_list_insert_tail(&ngx_im_worker->closed, &s->place);

    ngx_post_event(&ngx_im_worker->close_event, &ngx_posted_events);
}


void
ngx_im_session_evict(ngx_im_session_t *s)
{
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    ngx_im_session_close(s, IM_REASON_BUSY, "its place is for another address");

    s->evicted = 1;

    ngx_im_host_release(w, ngx_im_host(w, s->host), NGX_IM_POOL_SESSIONS, 0);
}


im_sub_t *
ngx_im_session_find_sub(ngx_im_session_t *s, im_str_t topic)
{
    im_topic_t  *t;

    t = im_hub_topic(&ngx_im_worker->hub, topic);

    return t != NULL ? ngx_im_session_sub(s, t) : NULL;
}


ngx_uint_t
ngx_im_session_full(ngx_im_session_t *s)
{
    ngx_im_main_conf_t  *imcf;

    imcf = ngx_im_worker->conf;

    /* the broadcast is one of them, and doesn't count */

    return s->nsubs >= imcf->topics_per_session + imcf->rules.has_broadcast;
}


void
ngx_im_session_member(ngx_im_session_t *s, im_sub_t *sub, u_char *id,
    im_member_t *m)
{
    ngx_im_known_t     *known;
    ngx_im_sub_more_t  *more;

    im_member_init(m);

    ngx_im_session_uuid(s, id);

    m->session = im_str_set(id, IM_UUID_LEN);

    known = s->known;

    if (known != NULL) {
        m->user = ngx_im_session_user_id(s);
        m->name = im_str_set(known->name, known->name_len);
        m->info = ngx_im_session_said(s, info);
    }

    if (sub != NULL) {
        more = sub->more;
        m->room_info = ngx_im_session_kept(more != NULL ? more->info : NULL);
    }
}


int
ngx_im_session_login(const ngx_im_session_t *s, im_str_t login)
{
    ngx_im_known_t  *known;

    known = s->known;

    return known != NULL && known->login && login.len == IM_ASK_LOGIN
           && ngx_memcmp(known->name + known->name_len, login.data,
                         IM_ASK_LOGIN) == 0;
}


/* NULL: no memory. */
static ngx_im_sub_more_t *
ngx_im_session_sub_more(im_sub_t *sub)
{
    if (sub->more == NULL) {
        sub->more = im_calloc(sizeof(ngx_im_sub_more_t));
    }

    return sub->more;
}


static void
ngx_im_session_sub_rest(im_sub_t *sub)
{
    ngx_im_sub_more_t  *more;

    more = sub->more;

    if (more != NULL && more->join == NULL && more->info == NULL
        && more->expires == 0)
    {
        im_free(more);
        sub->more = NULL;
    }
}


ngx_int_t
ngx_im_session_set_join(im_sub_t *sub, ngx_im_join_t *join)
{
    ngx_im_sub_more_t  *more;

    if (join == NULL && sub->more == NULL) {
        return NGX_OK;
    }

    more = ngx_im_session_sub_more(sub);
    if (more == NULL) {
        return NGX_ERROR;
    }

    more->join = join;
    ngx_im_session_sub_rest(sub);

    return NGX_OK;
}


void
ngx_im_session_set_sub_info(im_sub_t *sub, im_str_t info)
{
    ngx_im_sub_more_t  *more;

    if (info.len == 0 && sub->more == NULL) {
        return;
    }

    more = ngx_im_session_sub_more(sub);
    if (more == NULL) {
        return;
    }

    (void) ngx_im_session_keep(&more->info, info);

    ngx_im_session_sub_rest(sub);
}


ngx_int_t
ngx_im_session_set_sub_expires(im_sub_t *sub, uint32_t expires)
{
    ngx_im_sub_more_t  *more;

    if (expires == 0 && sub->more == NULL) {
        return NGX_OK;
    }

    more = ngx_im_session_sub_more(sub);
    if (more == NULL) {
        return NGX_ERROR;
    }

    more->expires = expires;
    ngx_im_session_sub_rest(sub);

    return NGX_OK;
}


void
ngx_im_session_sub_free(im_sub_t *sub)
{
    ngx_im_session_set_sub_info(sub, im_str_set("", 0));
    (void) ngx_im_session_set_sub_expires(sub, 0);
    (void) ngx_im_session_set_join(sub, NULL);

    im_sub_destroy(&ngx_im_worker->hub.logs, sub);
}


size_t
ngx_im_session_addr(ngx_im_session_t *s, u_char *buf)
{
    if (s->peer.family == AF_UNIX) {
        return ngx_sprintf(buf, "unix:") - buf;
    }

    return ngx_inet_ntop(s->peer.family, s->peer.addr, buf,
                         NGX_SOCKADDR_STRLEN);
}


/*
 * The wheel has a time of its own, which goes on with each tick.  So a client
 * doesn't seem silent after a jump of the clock, nor after a standstill of the
 * worker that left answers unread.
 */
void
ngx_im_session_deadline(ngx_im_session_t *s, ngx_uint_t seconds)
{
    if (ngx_im_session_expires(s) && s->phase == NGX_IM_OPEN
        && !s->class->proto->pings)
    {
        seconds = ngx_min(seconds, ngx_im_session_left(s));
    }

    ngx_im_timer_set(&ngx_im_worker->wheel, &s->deadline,
                     ngx_im_worker->wheel.time + ngx_max(seconds, 1));
}


ngx_uint_t
ngx_im_session_left(ngx_im_session_t *s)
{
    uint32_t  expires;

    expires = ngx_im_session_expires(s);

    return expires > ngx_time() ? expires - ngx_time() : 0;
}
