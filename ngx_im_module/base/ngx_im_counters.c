/*
 * Copyright (C) The im authors
 *
 * Counters: their names in JSON, and sums.
 */

#include "ngx_im_counters.h"


#define ngx_im_counters_row(f)                                                \
    { ngx_string(#f), offsetof(ngx_im_counters_t, f) }


/* Members from there on, and behind the last one. */
#define NGX_IM_COUNTERS_NOW  offsetof(ngx_im_counters_t, draining)
#define NGX_IM_COUNTERS_EVER offsetof(ngx_im_counters_t, accepted)
#define NGX_IM_COUNTERS_END  sizeof(ngx_im_counters_t)


const char *const  ngx_im_stayed_names[NGX_IM_STAYED] = {
    "tls", "http2", "time", "place", "limit", "kept_out", "record"
};


const ngx_im_counter_t  ngx_im_counters[] = {
    ngx_im_counters_row(sessions),
    ngx_im_counters_row(unauthenticated),
    ngx_im_counters_row(users),
    ngx_im_counters_row(topics),
    ngx_im_counters_row(log_bytes),
    ngx_im_counters_row(accepted),
    ngx_im_counters_row(refused),
    ngx_im_counters_row(closed),
    ngx_im_counters_row(slow),
    ngx_im_counters_row(messages_in),
    ngx_im_counters_row(messages_out),
    ngx_im_counters_row(framed),
    ngx_im_counters_row(bytes_in),
    ngx_im_counters_row(bytes_out),
    ngx_im_counters_row(sends),
    ngx_im_counters_row(submits),
    ngx_im_counters_row(deflated),
    ngx_im_counters_row(deflate_saved),
    ngx_im_counters_row(inflated),
    ngx_im_counters_row(pushes),
    ngx_im_counters_row(healed),
    ngx_im_counters_row(holes),
    ngx_im_counters_row(recovered),
    ngx_im_counters_row(unrecovered),
    ngx_im_counters_row(window_bytes),
    ngx_im_counters_row(reads),
    ngx_im_counters_row(moved_in),
    ngx_im_counters_row(moved_out),
    { ngx_null_string, 0 }
};


void
ngx_im_counters_add(ngx_im_counters_t *sum, const ngx_im_counters_t *c,
    ngx_uint_t lives)
{
    size_t  at;

    at = lives ? NGX_IM_COUNTERS_NOW : NGX_IM_COUNTERS_EVER;

    for ( /* void */ ; at < NGX_IM_COUNTERS_END; at += sizeof(uint64_t)) {
        *(uint64_t *) ((u_char *) sum + at) += ngx_im_counter(c, at);
    }
}


void
ngx_im_counters_clear(ngx_im_counters_t *c)
{
    c->pid = 0;

    ngx_memzero((u_char *) c + NGX_IM_COUNTERS_NOW,
                NGX_IM_COUNTERS_END - NGX_IM_COUNTERS_NOW);
}
