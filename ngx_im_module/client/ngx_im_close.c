/*
 * Copyright (C) The im authors
 *
 * The end of sessions: the last frame, their topics, their memory.
 */

#include "ngx_im_access.h"
#include "ngx_im_adopted.h"
#include "ngx_im_client.h"
#include "ngx_im_flow.h"
#include "ngx_im_opening.h"
#include "ngx_im_output.h"
#include "ngx_im_reply.h"
#include "ngx_im_send.h"
#include "ngx_im_sub.h"
#include "im_json.h"


#define NGX_IM_CLOSE_USER  (2 + 6 * 255)

#define NGX_IM_LINGER  2             /* s: for the peer's close frame */


/*
 * A close frame, or a message of the protocol, or nothing.  Clients that say
 * nothing themselves look for the message on each transport.
 */
static void
ngx_im_close_encode(ngx_im_session_t *s, im_buf_t *b, im_str_t text)
{
    im_reply_t  reply;

    if (s->class->proto->reply != NULL && !s->close_received
        && (s->class->transport->close == NULL
            || s->class->proto->commands == IM_COMMANDS_CONNECT))
    {
        ngx_im_reply_init(&reply, IM_REPLY_DISCONNECT, 0);

        reply.code = s->close_code;
        reply.reason = text;

        s->class->proto->reply(b, s->class->transport, &reply);
    }

    if (s->class->transport->close != NULL) {
        s->class->transport->close(b, s->close_code, text);
    }
}


/* NGX_AGAIN: the frame is out, the peer answers it. */
static ngx_int_t
ngx_im_close_frame(ngx_im_session_t *s)
{
    im_buf_t      *b;
    im_str_t       text;
    ngx_im_ext_t  *ext;

    b = &ngx_im_worker->scratch;
    ext = s->ext;
    text = im_str_z(s->why);

    if (ext != NULL && ext->reason.len > 0) {
        text = ext->reason;
    }

    /* the answer to a close has its code and no text */

    if (s->close_received) {
        text.len = 0;
    }

    im_buf_reset(b, 65536);

    ngx_im_close_encode(s, b, text);

    return b->failed ? NGX_OK : ngx_im_send_close(s, im_buf_str(b));
}


static void
ngx_im_close_log(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    u_char       addr[NGX_SOCKADDR_STRLEN], id[IM_UUID_LEN];
    im_buf_t     user;
    im_str_t     name;
    u_char       text[NGX_IM_CLOSE_USER];
    ngx_uint_t   level;

    level = s->why == ngx_im_send_too_slow ? NGX_LOG_NOTICE : NGX_LOG_INFO;

    if (w->log->log_level < level) {
        return;
    }

    /* a string of JSON, so that no user looks like a guest or another field */

    im_buf_fixed(&user, text, NGX_IM_CLOSE_USER);
    name = ngx_im_session_user_id(s);

    if (name.len > 0) {
        im_json_add_string(&user, name);

    } else {
        im_buf_add_z(&user, "-");
    }

    ngx_im_session_uuid(s, id);

    ngx_log_error(level, w->log, 0,
                  "im: session ended: client: %*s, user: %*s, "
                  "protocol: %s, transport: %s, session: %*s, rooms: %ui, "
                  "seconds: %uD, in: %uL, out: %uL, reason: %s, code: %ui, "
                  "why: %s",
                  ngx_im_session_addr(s, addr), addr,
                  user.len, user.data,
                  s->class->proto->name, s->class->transport->name,
                  (size_t) IM_UUID_LEN, id, (ngx_uint_t) s->nrooms,
                  (uint32_t) ngx_time() - s->start, (uint64_t) s->bytes_in,
                  (uint64_t) s->bytes_out, im_reason_names[s->reason],
                  (ngx_uint_t) s->close_code, s->why);
}


/* taken: another worker has its place in the zone. */
static void
ngx_im_close_free(ngx_im_worker_t *w, ngx_im_session_t *s, ngx_uint_t taken)
{
    int         last;
    im_user_t  *user;

    user = ngx_im_session_user(s);

    if (user != NULL) {
        im_hub_user_remove(&w->hub, user, &s->known->link, &last);
        w->nusers -= last ? 1 : 0;
        w->counters->users = w->nusers;
    }

    if (!s->evicted) {
        ngx_im_host_release(w, ngx_im_host(w, s->host), NGX_IM_POOL_SESSIONS,
                            taken);
    }

    ngx_im_output(s)->close(s);

    ngx_im_send_forget(s);

    ngx_im_session_partial_free(s);
    ngx_im_opening_unref(w, s->opening);
    ngx_im_session_known_free(s);
    im_accepts_unref(&w->accepts, s->accept);
    ngx_im_session_ext_free(s);

    if (s->adopted) {
        ngx_im_adopted_remove(w, s->index);
    }

    w->nsessions--;
    w->counters->sessions = w->nsessions;

    s->phase = NGX_IM_FREE;

    im_slab_free(&w->sessions_slab, s->index);
}


void
ngx_im_close_gone(ngx_im_session_t *s, ngx_uint_t taken)
{
    im_list_remove(&s->place);

    ngx_im_close_free(ngx_im_worker, s, taken);
}


static void
ngx_im_close_session(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_int_t  rc;

    rc = s->phase == NGX_IM_ENDING ? ngx_im_close_frame(s) : NGX_OK;

    while (s->subs != NULL) {
        ngx_im_sub_leave(s, s->subs);
    }

    if (rc == NGX_AGAIN && !s->evicted) {

        ngx_im_session_phase(s, NGX_IM_CLOSING);

        /* of all its places, this one goes first */

        im_list_insert_head(&ngx_im_host(w, s->host)
                                ->ranks[NGX_IM_POOL_SESSIONS].list,
                            &s->place);

        ngx_im_session_deadline(s, NGX_IM_LINGER);
        ngx_im_session_continue(s);
        ngx_im_send_end(s);

        return;
    }

    ngx_im_session_phase(s, NGX_IM_CLOSED);
    im_list_remove(&s->blocked);

    ngx_im_close_log(w, s);
    ngx_im_access_end(s);
    ngx_im_flow_end(s);

    w->counters->closed++;
    w->counters->closes[s->reason]++;

    ngx_im_close_free(w, s, 0);
}


void
ngx_im_close_handler(ngx_event_t *ev)
{
    im_list_t        *q;
    ngx_im_worker_t  *w;

    w = ev->data;

    while (!im_list_empty(&w->closed)) {
        q = im_list_first(&w->closed);
        im_list_remove(q);

        ngx_im_close_session(w, im_list_data(q, ngx_im_session_t, place));
    }
}
