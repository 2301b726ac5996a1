/*
 * Copyright (C) The im authors
 *
 * Sessions that stay at the worker that ends.
 */

#include "ngx_im_out_stay.h"


static ngx_int_t
ngx_im_out_stays_room(ngx_im_handover_out_t *out, uint32_t index)
{
    uint32_t   n, *stays;

    if (index < out->nstays) {
        return NGX_OK;
    }

    n = ngx_max(index + 1, out->nstays * 2);

    stays = im_realloc(out->stays, n * sizeof(uint32_t));
    if (stays == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(stays + out->nstays, (n - out->nstays) * sizeof(uint32_t));

    out->stays = stays;
    out->nstays = n;

    return NGX_OK;
}


ngx_uint_t
ngx_im_handover_stays(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_im_handover_out_t  *out;

    out = w->handover_out;

    return out != NULL && s->index < out->nstays
           && out->stays[s->index] == s->generation;
}


void
ngx_im_out_stay(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    ngx_im_stayed_e why)
{
    out->nstayed[why]++;
    out->worker->counters->stayed[why]++;

    if (ngx_im_out_stays_room(out, s->index) != NGX_OK) {
        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
        return;
    }

    out->stays[s->index] = s->generation;
    out->events->stays(out->worker, s);
}


void
ngx_im_out_stay_all(ngx_im_handover_out_t *out)
{
    uint32_t           index;
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    w = out->worker;
    index = 0;

    while ((s = ngx_im_session_next(w, &index)) != NULL) {
        if (s->phase < NGX_IM_MOVING && !ngx_im_handover_stays(w, s)) {
            ngx_im_out_stay(out, s, NGX_IM_STAYED_TIME);
        }
    }
}


void
ngx_im_out_log(ngx_im_handover_out_t *out)
{
    u_char      text[NGX_IM_STAYED * 32], *p, *last;
    ngx_uint_t  i, n;

    p = text;
    last = text + sizeof(text);

    for (i = 0, n = 0; i < NGX_IM_STAYED; i++) {
        if (out->nstayed[i] > 0) {
            p = ngx_slprintf(p, last, "%s%s: %ui", n > 0 ? ", " : " (",
                             ngx_im_stayed_names[i], out->nstayed[i]);
            n += out->nstayed[i];
        }
    }

    if (out->nmoved + out->nlost + n == 0) {
        return;
    }

    p = ngx_slprintf(p, last, "%s", n > 0 ? ")" : "");

    ngx_log_error(NGX_LOG_NOTICE, out->worker->log, 0,
                  "im: %ui sessions moved to worker process %P in %M ms, "
                  "%ui stay%*s",
                  out->nmoved, out->pid, out->moved - out->begin, n,
                  (size_t) (p - text), text);
}
