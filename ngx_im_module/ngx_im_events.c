/*
 * Copyright (C) The im authors
 *
 * Events of follow/ and client/: which file handles which event.
 */

#include "ngx_im_hooks.h"
#include "ngx_im_command.h"
#include "ngx_im_control.h"
#include "ngx_im_emulation.h"
#include "ngx_im_handover_in.h"
#include "ngx_im_handover_out.h"
#include "ngx_im_identity.h"
#include "ngx_im_info.h"
#include "ngx_im_pace.h"
#include "ngx_im_presence.h"
#include "ngx_im_resume.h"
#include "ngx_im_revoke.h"
#include "ngx_im_flush.h"
#include "ngx_im_send.h"


static void
ngx_im_events_adopted(ngx_im_session_t *s)
{
    ngx_im_move_adopted(s);
    ngx_im_identity_adopted(s);
}


static const ngx_im_session_events_t  ngx_im_session_events = {
    ngx_im_command_message,
    ngx_im_command_begin,
    ngx_im_resume_joined,
    ngx_im_resume_left,
    ngx_im_resume_cut,
    ngx_im_revoked,
    ngx_im_drain_start,
    ngx_im_info_waits,
    ngx_im_handover_out_entry,
    ngx_im_events_adopted,
    ngx_im_presence_missed
};


/* A subscription that begins leaves the list; others stay in it. */
static void
ngx_im_events_live(void *ctx, im_topic_t *topic)
{
    uint32_t          index, next;
    im_log_t         *log;
    im_sub_t         *sub;
    ngx_im_worker_t  *w;

    w = ctx;

    for (log = topic->logs; log; log = log->next) {

        for (index = log->joining.first; index != IM_SLAB_NONE; index = next) {
            next = im_ring_next(&w->hub.logs.lists, &log->joining, index);
            sub = im_slab_object(&w->hub.logs.subs, index);

            ngx_im_resume_joined(ngx_im_sub_session(sub), sub);
        }
    }
}


/* A message of an earlier epoch has its place in the present one. */
static im_int_t
ngx_im_events_message(void *ctx, im_topic_t *topic, const im_entry_t *entry,
    int healed)
{
    im_message_t      m;
    im_envelope_t     envelope;
    ngx_im_worker_t  *w;

    w = ctx;

    if (entry->kind == IM_PUSH_CONTROL) {
        (void) ngx_im_control_entry(w, entry, &ngx_im_reach_here);
        return IM_OK;
    }

    if (im_envelope_decode(entry->envelope, &envelope) != IM_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: malformed message %uL of topic \"%*s\" is skipped",
                      entry->seq, (size_t) topic->name_len, topic->name);
        return IM_DECLINED;
    }

    m.topic = im_topic_name(topic);
    m.epoch = im_str_set(topic->epoch.data, topic->epoch.len);
    m.seq = entry->seq;
    m.envelope = &envelope;
    m.numbered = entry->seq > 0 && im_followed(topic)->numbered;
    m.healed = healed != 0;

    ngx_im_pace_topic(w, topic, im_followed(topic)->batch, envelope.speed);

    if (ngx_im_send_message(w, topic, &m) != NGX_OK) {
        return IM_ERROR;
    }

    w->counters->healed += healed;

    return IM_OK;
}


/* Of a topic without history, which messages they were isn't known. */
static void
ngx_im_events_hole(void *ctx, im_topic_t *topic, uint64_t seq)
{
    ngx_im_worker_t  *w;

    w = ctx;
    w->counters->holes++;

    if (im_followed(topic)->numbered) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "im: messages of topic \"%*s\" behind %uL up to %uL "
                      "are not in history", (size_t) topic->name_len,
                      topic->name, topic->seq, seq);
    }
}


static void
ngx_im_events_flush(void *ctx)
{
    ngx_im_flush(ctx);

    ngx_im_handover_in_look(ctx);
    ngx_im_handover_out_look(ctx);
}


static void
ngx_im_events_reported(void *ctx, im_topic_t *topic)
{
    ngx_im_info_reported(ctx, topic);

    ngx_im_handover_in_look(ctx);
    ngx_im_handover_out_look(ctx);
}


static void
ngx_im_events_taken(void *ctx, im_str_t from)
{
    ngx_im_handover_in_taken(ctx, from);
    ngx_im_handover_out_look(ctx);
}


/*
 * Sessions that have moved get to know of it, too.  What is about a topic comes
 * to their worker by itself.
 */
static void
ngx_im_events_control(ngx_im_worker_t *w, const im_entry_t *entry)
{
    if (ngx_im_control_entry(w, entry, &ngx_im_reach_here)) {
        ngx_im_handover_out_entry(w, entry);
    }
}


/* One that has closed follows its topics until it leaves them. */
static im_sub_t *
ngx_im_events_find(ngx_im_worker_t *w, ngx_im_handle_t session, im_str_t topic)
{
    ngx_im_session_t  *s;

    s = ngx_im_session_get(w, session);

    return s != NULL ? ngx_im_session_find_sub(s, topic) : NULL;
}


static void
ngx_im_events_describe(im_sub_t *sub, ngx_im_followed_t *f)
{
    u_char            *addr;
    ngx_im_session_t  *s;

    s = ngx_im_sub_session(sub);

    f->session = ngx_im_session_handle(s);
    ngx_im_session_id(s, f->id);
    f->hidden = (sub->flags & NGX_IM_SUB_HIDDEN) != 0;
    f->quiet = (sub->flags & NGX_IM_SUB_QUIET) != 0;

    ngx_im_session_member(s, sub, f->text, &f->member);

    if (sub->log->topic->name[0] == 'u') {
        addr = f->text + IM_UUID_LEN;

        f->member.ip = im_str_set(addr, ngx_im_session_addr(s, addr));
        f->member.protocol = im_str_z(s->class->proto->name);
        f->member.since = s->start;
    }

    if (!im_followed(sub->log->topic)->presence) {
        f->member.info.len = 0;
        f->member.room_info.len = 0;
    }
}


static void
ngx_im_events_ended(void *ctx, void *data)
{
    ngx_im_resume_ended(data);
    ngx_im_info_ended(ctx, data);
}


static const ngx_im_follow_events_t  ngx_im_events = {
    {
        ngx_im_events_live,
        ngx_im_events_message,
        ngx_im_resume_moved,
        ngx_im_events_hole,
        ngx_im_events_flush,
        ngx_im_resume_history,
        ngx_im_events_reported,
        ngx_im_info_members,
        ngx_im_events_ended,
        ngx_im_events_taken,
        ngx_im_presence_late,
        ngx_im_presence_joins
    },

    ngx_im_events_control,
    ngx_im_emulation_entry,
    ngx_im_resume_apart,
    ngx_im_info_dead,
    ngx_im_revoke_revision,
    ngx_im_handover_in_counted,
    ngx_im_events_find,
    ngx_im_events_describe
};


ngx_int_t
ngx_im_events_init(ngx_im_worker_t *w)
{
    w->events = &ngx_im_session_events;

    if (!w->conf->enabled) {
        return NGX_OK;
    }

    if (ngx_im_revoke_init(w) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_im_follow_init(w, &ngx_im_events);
}


void
ngx_im_events_exit(ngx_im_worker_t *w)
{
    if (w->sync == NULL) {
        return;
    }

    ngx_im_follow_exit(w);
    ngx_im_revoke_cleanup(w);
}
