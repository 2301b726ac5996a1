/*
 * Copyright (C) The im authors
 *
 * HTTP streaming as a transport: the body of an answer that does not end.
 *
 * A text ends with a line feed.  It contains none, or its protocol doesn't
 * care.  Binary messages bring their lengths, if their protocol needs them.
 */

#include "im_transport.h"


static void
im_transport_stream_frame(im_buf_t *b, size_t start, im_kind_e kind)
{
    if (kind == IM_KIND_TEXT) {
        im_buf_add_z(b, "\n");
    }
}


const im_transport_t  im_transport_stream = {
    .name = "http_stream",
    .kind = IM_TRANSPORT_STREAM,
    .codes = im_transport_codes,
    .frame = im_transport_stream_frame
};
