/*
 * Copyright (C) The im authors
 *
 * When identities and subscriptions end.
 *
 * The wheel of these ends goes by the clock.  A client has some seconds more to
 * bring a token.  Where a webhook renews, the worker asks it at the end itself.
 */

#include "ngx_im_expiry.h"


#define NGX_IM_TOKEN_LAST  4200000000LL   /* s; more may be added to it */


/* An end that is too far away never comes. */
static uint32_t
ngx_im_expiry_time(int64_t when)
{
    return when > 0 && when < NGX_IM_TOKEN_LAST ? (uint32_t) when : 0;
}


void
ngx_im_expiry_session(ngx_im_session_t *s, int64_t when)
{
    uint32_t    end;
    ngx_uint_t  webhook;

    end = ngx_im_expiry_time(when);

    if (end == 0 && s->known == NULL) {
        return;
    }

    webhook = s->class->conf->webhooks[IM_WEBHOOK_REFRESH].len > 0;

    if (ngx_im_session_known(s) == NULL
        || (webhook && ngx_im_session_about(s) == NULL))
    {
        ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
        return;
    }

    if (webhook) {
        s->known->about->refresh = end;
    }

    if (s->class->proto->commands && end != 0) {
        end += s->class->conf->grace;
    }

    ngx_im_expiry_set(s, end);
}


void
ngx_im_expiry_set(ngx_im_session_t *s, int64_t when)
{
    ngx_uint_t  left;

    s->known->expires = when > 0 && when < UINT32_MAX ? (uint32_t) when : 0;

    /* the deadline of a ping can not move */

    if (s->class->proto->pings) {
        ngx_im_expiry_schedule(s);
        return;
    }

    left = ngx_im_session_left(s);

    if (s->known->expires
        && ngx_im_worker->wheel.time + left < s->deadline.at)
    {
        ngx_im_session_deadline(s, left);
    }
}


void
ngx_im_expiry_sub(ngx_im_session_t *s, im_sub_t *sub, int64_t when)
{
    uint32_t  end;

    end = ngx_im_expiry_time(when);

    if (end && s->class->conf->webhooks[IM_WEBHOOK_SUB_REFRESH].len == 0) {
        end += s->class->conf->grace;
    }

    if (ngx_im_session_known(s) == NULL
        || ngx_im_session_set_sub_expires(sub, end) != NGX_OK)
    {
        ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
        return;
    }

    ngx_im_expiry_schedule(s);
}


/* The timer gets the next of its ends. */
void
ngx_im_expiry_schedule(ngx_im_session_t *s)
{
    uint32_t         end, next, refresh;
    im_sub_t        *sub;
    ngx_im_known_t  *known;

    known = s->known;

    if (known == NULL) {
        return;
    }

    next = known->expires;

    refresh = known->about != NULL ? known->about->refresh : 0;

    if (refresh && (next == 0 || refresh < next)) {
        next = refresh;
    }

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        end = ngx_im_sub_expires(sub);

        if (end && (next == 0 || end < next)) {
            next = end;
        }
    }

    im_list_remove(&known->expiry.link);

    if (next == 0) {
        return;
    }

    ngx_im_timer_set(&ngx_im_worker->expiry, &known->expiry,
                     ngx_max(next, (uint32_t) ngx_time() + 1));
}


uint32_t
ngx_im_expiry_ttl(ngx_im_session_t *s)
{
    uint32_t  end;

    end = ngx_im_session_expires(s);

    /* where a webhook renews it, the client has nothing to do */

    if (end == 0 || s->class->conf->webhooks[IM_WEBHOOK_REFRESH].len) {
        return 0;
    }

    end -= (s->class->proto->commands ? s->class->conf->grace : 0);

    return end > ngx_time() ? end - ngx_time() : 1;
}


uint32_t
ngx_im_expiry_sub_ttl(ngx_im_session_t *s, im_sub_t *sub)
{
    uint32_t  end;

    end = ngx_im_sub_expires(sub);

    /* where a webhook renews it, the client has nothing to do */

    if (end == 0
        || s->class->conf->webhooks[IM_WEBHOOK_SUB_REFRESH].len)
    {
        return 0;
    }

    end -= s->class->conf->grace;

    return end > ngx_time() ? end - ngx_time() : 1;
}
