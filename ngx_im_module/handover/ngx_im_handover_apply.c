/*
 * Copyright (C) The im authors
 *
 * An entry for sessions takes effect at those that move, or have moved.
 */

#include "ngx_im_handover_apply.h"
#include "ngx_im_control.h"
#include "ngx_im_emulation.h"


im_int_t
ngx_im_handover_apply(ngx_im_worker_t *w, im_str_t bytes,
    const ngx_im_reach_t *reach)
{
    im_int_t      rc;
    im_entry_t    entry;
    im_reader_t   r;

    im_reader_init(&r, bytes);

    rc = im_entry_decode(&r, &entry);

    if (rc == IM_OK && entry.kind == IM_PUSH_INPUT) {
        ngx_im_emulation_input(w, &entry, reach);

    } else if (rc == IM_OK && entry.kind == IM_PUSH_CONTROL) {
        (void) ngx_im_control_entry(w, &entry, reach);
    }

    return rc;
}
