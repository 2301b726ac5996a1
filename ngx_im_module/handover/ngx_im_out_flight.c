/*
 * Copyright (C) The im authors
 *
 * Sessions in flight: they have gone, and the other worker has not answered.
 *
 * Entries for sessions are kept meanwhile.  A session that comes back gets
 * those that it missed.
 */

#include "ngx_im_out_flight.h"
#include "ngx_im_handover_apply.h"
#include "ngx_im_out_stay.h"
#include "ngx_im_pack.h"


#define NGX_IM_OUT_ENTRY    1000     /* ms: an entry is kept, at least */


/* The session comes back, and gets what came meanwhile. */
static void
ngx_im_out_undo(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    const ngx_im_out_flight_t *flight)
{
    ngx_im_copy_t   *copy;
    ngx_im_reach_t   reach;

    ngx_im_pack_undo(s);

    if (out->unkept > flight->entry) {
        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
        return;
    }

    reach = ngx_im_reach_here;
    reach.only = s;

    for (copy = ngx_im_entries_first(&out->entries);
         copy != NULL;
         copy = ngx_im_entries_next(&out->entries, copy))
    {
        if (copy->number > flight->entry) {
            (void) ngx_im_handover_apply(out->worker,
                                         im_str_set(copy->bytes, copy->len),
                                         &reach);
        }
    }
}


void
ngx_im_out_abandon(ngx_im_handover_out_t *out)
{
    uint32_t           unsent;
    ngx_uint_t         i;
    ngx_im_session_t  *s;

    unsent = ngx_im_channel_unsent(out->channel);

    for (i = 0; i < out->nflights; i++) {
        s = ngx_im_session_find(out->worker, out->flights[i].session);

        if (s == NULL || s->phase != NGX_IM_MOVING) {
            continue;
        }

        if (unsent != 0 && out->flights[i].number >= unsent) {
            ngx_im_out_undo(out, s, &out->flights[i]);
            continue;
        }

        ngx_im_pack_gone(s, 0, 1);
        out->nlost++;
    }

    out->nflights = 0;
}


/* NULL: it isn't in flight. */
static ngx_im_session_t *
ngx_im_out_landed(ngx_im_handover_out_t *out, uint32_t number,
    ngx_im_out_flight_t *flight)
{
    ngx_uint_t  i;

    for (i = 0; i < out->nflights; i++) {
        if (out->flights[i].number == number) {
            *flight = out->flights[i];
            out->flights[i] = out->flights[--out->nflights];

            return ngx_im_session_find(out->worker, flight->session);
        }
    }

    return NULL;
}


/* What came up for it in flight follows it. */
static void
ngx_im_out_moved(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    uint32_t number)
{
    im_buf_t            b;
    im_handover_late_t  late;

    while (ngx_im_pack_late(s, &late) == NGX_OK) {
        late.session = number;

        im_buf_init(&b, IM_HANDOVER_MAX);
        im_handover_late_encode(&b, &late);

        ngx_im_channel_send(out->channel, IM_HANDOVER_LATE, &b, NULL, 0, 0);
    }

    ngx_im_pack_gone(s, out->same, 0);

    out->nmoved++;
    out->tries = 0;
    out->moved = ngx_current_msec;
    ngx_im_out_progress(out);
    out->worker->counters->moved_out++;
}


void
ngx_im_out_verdict(ngx_im_handover_out_t *out, im_handover_verdict_t *v)
{
    ngx_im_session_t     *s;
    ngx_im_out_flight_t   flight;

    s = ngx_im_out_landed(out, v->session, &flight);

    if (s == NULL) {
        return;
    }

    if (v->verdict == IM_HANDOVER_MOVED) {
        ngx_im_out_moved(out, s, v->session);
        return;
    }

    ngx_im_out_undo(out, s, &flight);

    if (v->verdict == IM_HANDOVER_ELSEWHERE) {
        out->quits = 1;

    } else if (v->verdict != IM_HANDOVER_AGAIN) {
        ngx_im_out_stay(out, s, NGX_IM_STAYED_PLACE
                                + v->verdict - IM_HANDOVER_PLACE);
    }
}


/* Those that no session needs any more, whether it is in flight or will be. */
static void
ngx_im_out_expire(ngx_im_handover_out_t *out)
{
    uint64_t        least;
    ngx_uint_t      i;
    ngx_im_copy_t  *copy;

    least = out->nentries;

    for (i = 0; i < out->nflights; i++) {
        least = ngx_min(least, out->flights[i].entry);
    }

    while ((copy = ngx_im_entries_first(&out->entries)) != NULL
           && copy->number <= least
           && ngx_current_msec - copy->time >= NGX_IM_OUT_ENTRY)
    {
        ngx_im_entries_remove(&out->entries, copy);
    }
}


void
ngx_im_out_keep(ngx_im_handover_out_t *out, const im_buf_t *b)
{
    ngx_im_copy_t  *copy;

    ngx_im_out_expire(out);

    copy = b->failed ? NULL
                     : ngx_im_entries_add(&out->entries, im_buf_str(b));
    out->nentries++;

    if (copy == NULL) {
        out->unkept = out->nentries;
        return;
    }

    copy->number = out->nentries;
}


void
ngx_im_out_heard_send(ngx_im_handover_out_t *out)
{
    im_buf_t             b;
    ngx_uint_t           i;
    im_handover_heard_t  heard;

    im_buf_init(&b, IM_HANDOVER_MAX);

    for (i = 0; i < out->worker->hub.npartitions; i++) {
        heard.partition = (uint16_t) i;
        heard.time = ngx_im_follow_heard(out->worker, i);

        if (heard.time > 0) {
            im_handover_heard_encode(&b, &heard);
        }
    }

    if (b.len > 0) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_HEARD, &b, NULL, 0, 0);
    }

    im_buf_cleanup(&b);
}


void
ngx_im_out_entries_send(ngx_im_handover_out_t *out)
{
    im_buf_t        b;
    ngx_im_copy_t  *copy;

    im_buf_init(&b, IM_HANDOVER_MAX);

    for (copy = ngx_im_entries_first(&out->entries);
         copy != NULL;
         copy = ngx_im_entries_next(&out->entries, copy))
    {
        im_buf_add_str(&b, im_str_set(copy->bytes, copy->len));
    }

    if (b.len > 0) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_ENTRIES, &b, NULL, 0, 0);
    }

    im_buf_cleanup(&b);
}
