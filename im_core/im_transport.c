/*
 * Copyright (C) The im authors
 *
 * What all transports share.
 */

#include "im_transport.h"


size_t
im_frame_start(im_buf_t *b, const im_transport_t *transport)
{
    size_t  start;

    start = b->len;
    (void) im_buf_reserve(b, transport->header);

    return start;
}


void
im_frame_end(im_buf_t *b, const im_transport_t *transport, size_t start,
    im_kind_e kind)
{
    if (!b->failed) {
        transport->frame(b, start, kind);
    }
}


void
im_input_cleanup(im_input_t *input)
{
    im_free(input->control);
    input->control = NULL;
}
