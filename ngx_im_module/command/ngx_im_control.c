/*
 * Copyright (C) The im authors
 *
 * Control entries: requests of logic, or of a worker, besides delivering
 * messages.  They are not numbered and arrive at most once.
 */

#include "ngx_im_control.h"
#include "ngx_im_adopted.h"
#include "ngx_im_follow.h"
#include "ngx_im_info.h"
#include "ngx_im_presence.h"
#include "ngx_im_expiry.h"
#include "ngx_im_reply.h"
#include "ngx_im_sub.h"
#include "ngx_im_revoke.h"
#include "im_id.h"
#include "im_json.h"
#include "im_key.h"


#define NGX_IM_CONTROL_SLACK   2        /* s */


typedef void (*ngx_im_control_topic_pt)(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control);

typedef void (*ngx_im_control_session_pt)(ngx_im_session_t *s,
    const im_control_t *control);

/* A kind has a handler for its topic, or for each of its sessions. */
typedef struct {
    ngx_im_control_topic_pt    topic;
    ngx_im_control_session_pt  session;
} ngx_im_control_t;


static void
ngx_im_control_members(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control)
{
    ngx_uint_t  own;

    own = im_str_eq(control->from, im_buf_str(&w->id));

    ngx_im_presence_changed(w, topic, control, own);

    if (!own) {
        ngx_im_info_refresh(topic, control->kind == IM_CONTROL_ROOM_INFO);
    }
}


static void
ngx_im_control_disconnect(ngx_im_session_t *s, const im_control_t *control)
{
    u_char      id[IM_UUID_LEN];
    ngx_uint_t  i, code;

    if (control->login.len > 0
        && !ngx_im_session_login(s, control->login))
    {
        return;
    }

    ngx_im_session_uuid(s, id);

    for (i = 0; i < control->except.n; i++) {
        if (im_str_eq(control->except.elts[i], im_str_set(id, IM_UUID_LEN))) {
            return;
        }
    }

    code = control->code;

    if (!im_control_code_valid(code)) {
        code = ngx_im_session_code(s, IM_REASON_KICKED);
    }

    ngx_im_session_close_code(s, IM_REASON_KICKED, code, control->reason,
                              "disconnected by the backend");
}


/*
 * Only clients of protocols with commands, and not those that follow it
 * already or that said all with their request.
 */
static void
ngx_im_control_subscribe(ngx_im_session_t *s, const im_control_t *control)
{
    im_sub_t       *sub;
    im_position_t   since;
    ngx_im_join_t  *join;

    if (s->phase != NGX_IM_OPEN || !s->class->proto->commands
        || s->class->proto->request
        || im_rules_room(&s->class->conf->main->rules, control->room) == NULL
        || ngx_im_session_find_sub(s, control->topic) != NULL
        || ngx_im_session_full(s) || ngx_im_session_ext(s) == NULL
        || s->ext->connecting)
    {
        return;
    }

    join = ngx_im_sub_create_join(NGX_IM_JOIN_PUSH, control->data);
    if (join == NULL) {
        return;
    }

    if (control->seq >= 0) {
        since.epoch = control->epoch;
        since.seq = control->seq;
        ngx_im_sub_since(join, &since);
    }

    sub = ngx_im_sub_join(s, control->topic, join,
                          NGX_IM_SUB_SERVER
                          | ngx_im_sub_override(control->override));

    if (sub == NULL) {
        return;
    }

    ngx_im_session_set_sub_info(sub, control->info);

    if (control->expire_at > 0) {
        ngx_im_expiry_sub(s, sub, control->expire_at);
    }
}


/* A client that waits for the answer to its subscribe gets an error. */
static void
ngx_im_control_unsubscribe(ngx_im_session_t *s, const im_control_t *control)
{
    uint32_t        id;
    im_sub_t       *sub;
    ngx_im_join_t  *join;

    sub = ngx_im_session_find_sub(s, control->topic);

    if (sub == NULL || s->phase != NGX_IM_OPEN) {
        return;
    }

    join = ngx_im_sub_joining(sub);

    if (join != NULL && join->kind == NGX_IM_JOIN_CONNECT) {
        ngx_im_session_close(s, IM_REASON_BUSY,
                             "a topic of connect was taken away");
        return;
    }

    if (join == NULL || join->id == 0) {
        (void) ngx_im_reply_unsubscribe(s, sub, ngx_max(control->code, 0),
                                        control->reason);
        return;
    }

    id = join->id;

    ngx_im_sub_leave(s, sub);

    if (ngx_im_reply_error(s, id, IM_ERROR_PERMISSION) == NGX_OK) {
        ngx_im_session_continue(s);
    }
}


static void
ngx_im_control_refresh(ngx_im_session_t *s, const im_control_t *control)
{
    im_reply_t       reply;
    ngx_im_about_t  *about;

    if (s->phase != NGX_IM_OPEN) {
        return;
    }

    if (control->expired > 0) {
        ngx_im_session_close(s, IM_REASON_EXPIRED, "expired by the backend");
        return;
    }

    ngx_im_expiry_session(s, ngx_max(control->expire_at, 0));

    if (control->info.len > 0 && s->class->proto->commands) {
        about = ngx_im_session_about(s);

        if (about != NULL) {
            (void) ngx_im_session_keep(&about->info, control->info);
        }
    }

    ngx_im_reply_init(&reply, IM_REPLY_PUSH_REFRESH, 0);
    reply.ttl = ngx_im_expiry_ttl(s);

    (void) ngx_im_reply_send(s, &reply);
}


static void
ngx_im_control_forget(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control)
{
    if (control->seq > 0) {
        im_follow_forget(topic, control->seq);
    }
}


static const ngx_im_control_t  ngx_im_controls[] = {
    [IM_CONTROL_CHANGES] = { ngx_im_control_members, NULL },
    [IM_CONTROL_ROOM_INFO] = { ngx_im_control_members, NULL },
    [IM_CONTROL_DISCONNECT] = { NULL, ngx_im_control_disconnect },
    [IM_CONTROL_SUBSCRIBE] = { NULL, ngx_im_control_subscribe },
    [IM_CONTROL_UNSUBSCRIBE] = { NULL, ngx_im_control_unsubscribe },
    [IM_CONTROL_REFRESH] = { NULL, ngx_im_control_refresh },
    [IM_CONTROL_FORGET] = { ngx_im_control_forget, NULL }
};


/* A session ends once, however often it is told to. */
static ngx_uint_t
ngx_im_control_reaches(ngx_im_session_t *s, const im_control_t *control,
    const ngx_im_reach_t *reach)
{
    return (reach == &ngx_im_reach_here
            && control->kind == IM_CONTROL_DISCONNECT)
           || ngx_im_adopted_reach(s, reach);
}


/*
 * The named session, if it is one of the named user, or all sessions of the
 * user that were there when the entry was queued: im_job may have been away.
 */
static void
ngx_im_control_sessions(ngx_im_worker_t *w, const im_control_t *control,
    const im_entry_t *entry, const ngx_im_reach_t *reach)
{
    u_char                      id[16];
    uint64_t                    now;
    im_list_t                  *q;
    ngx_int_t                   age;
    im_user_t                  *user;
    ngx_im_session_t           *s;
    ngx_im_control_session_pt   fn;

    fn = ngx_im_controls[control->kind].session;
    user = control->user.len ? im_hub_user(&w->hub, control->user) : NULL;

    /* first, since clients come back at once */

    if (control->kind == IM_CONTROL_DISCONNECT && control->seconds >= 0) {
        ngx_im_revoke_look(w, control->user);
    }

    if (control->session.len) {

        s = im_id_uuid_decode(control->session, id) == IM_OK
            ? ngx_im_session_by_id(w, id) : NULL;

        if (s != NULL
            && (control->user.len == 0
                || (user != NULL && ngx_im_session_user(s) == user))
            && ngx_im_control_reaches(s, control, reach))
        {
            fn(s, control);
        }

        return;
    }

    if (user == NULL) {
        return;
    }

    now = entry->seq > 0 ? ngx_im_follow_clock(w) : 0;
    age = now > entry->seq ? (ngx_int_t) ((now - entry->seq) / 1000) : 0;

    im_list_each(q, &user->sessions) {
        s = ngx_im_session_linked(q);

        if (ngx_time() - (time_t) s->start + NGX_IM_CONTROL_SLACK >= age
            && ngx_im_control_reaches(s, control, reach))
        {
            fn(s, control);
        }
    }
}


ngx_uint_t
ngx_im_control_entry(ngx_im_worker_t *w, const im_entry_t *entry,
    const ngx_im_reach_t *reach)
{
    im_int_t       rc;
    im_topic_t    *topic;
    const char    *why;
    ngx_uint_t     sessions;
    im_control_t   control;

    rc = im_control_decode(entry->topic, entry->envelope, &control, &why);

    if (rc == IM_ERROR) {
        if (control.kind == 0) {
            ngx_log_error(NGX_LOG_ERR, w->log, 0,
                          "im: malformed control entry of topic \"%*s\"",
                          entry->topic.len, entry->topic.data);
            return 0;
        }

        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: control entry %ui of topic \"%*s\" is not valid: "
                      "%s", (ngx_uint_t) control.kind, entry->topic.len,
                      entry->topic.data, why);
        return 0;
    }

    if (rc == IM_DECLINED) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, w->log, 0,
                       "im control of an unknown kind, topic of %uz bytes",
                       entry->topic.len);
        return 0;
    }

    sessions = ngx_im_controls[control.kind].topic == NULL;

    if (sessions) {
        ngx_im_from_note(w, reach, entry);
        ngx_im_control_sessions(w, &control, entry, reach);

    } else {
        topic = im_hub_topic(&w->hub, control.topic);

        if (topic != NULL) {
            ngx_im_controls[control.kind].topic(w, topic, &control);

        } else {
            im_follow_stale(w->follow, control.topic);
        }
    }

    im_control_cleanup(&control);

    return sessions;
}
