/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends: its state, and how long it may take.
 */

#include "ngx_im_out.h"


void
ngx_im_out_state(ngx_im_handover_out_t *out, ngx_im_out_state_e state)
{
    out->state = state;
    out->worker->opening = state <= NGX_IM_OUT_OWING;
}


void
ngx_im_out_look(ngx_im_handover_out_t *out, ngx_msec_t ms)
{
    if (out->event.timer_set) {
        ngx_del_timer(&out->event);
    }

    ngx_add_timer(&out->event, ms);
}


ngx_uint_t
ngx_im_out_late(ngx_im_handover_out_t *out)
{
    out->waited += ngx_min(ngx_current_msec - out->looked, NGX_IM_OUT_STEP);
    out->looked = ngx_current_msec;

    return out->waited >= NGX_IM_OUT_WAVE;
}


void
ngx_im_out_progress(ngx_im_handover_out_t *out)
{
    out->waited = 0;
    out->looked = ngx_current_msec;
}
