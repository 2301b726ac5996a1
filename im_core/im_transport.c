/*
 * Copyright (C) The im authors
 *
 * What all transports share.
 */

#include "im_transport.h"


const char *const  im_reason_names[IM_REASONS] = {
    [IM_REASON_LOST] = "lost",
    [IM_REASON_DRAIN] = "drain",
    [IM_REASON_BUSY] = "busy",
    [IM_REASON_INTERNAL] = "internal",
    [IM_REASON_SLOW] = "slow",
    [IM_REASON_BAD_REQUEST] = "bad_request",
    [IM_REASON_TOO_BIG] = "too_big",
    [IM_REASON_STALE] = "stale",
    [IM_REASON_TOKEN] = "token",
    [IM_REASON_EXPIRED] = "expired",
    [IM_REASON_SUB_EXPIRED] = "sub_expired",
    [IM_REASON_FORBIDDEN] = "forbidden",
    [IM_REASON_KICKED] = "kicked",
    [IM_REASON_LIMIT] = "limit",
    [IM_REASON_REPLACED] = "replaced",
    [IM_REASON_NO_PONG] = "no_pong",
    [IM_REASON_STATE] = "state",
    [IM_REASON_NOT_AVAILABLE] = "not_available",
    [IM_REASON_TOO_MANY] = "too_many",
    [IM_REASON_CLIENT] = "client",
    [IM_REASON_PROTOCOL] = "protocol",
    [IM_REASON_WEBHOOK] = "webhook"
};


const uint16_t  im_transport_codes[IM_REASON_MAX] = {
    [IM_REASON_DRAIN] = IM_WS_CLOSE_RESTART,
    [IM_REASON_BUSY] = IM_WS_CLOSE_TRY_LATER,
    [IM_REASON_INTERNAL] = IM_WS_CLOSE_INTERNAL,
    [IM_REASON_SLOW] = IM_WS_CLOSE_TRY_LATER,
    [IM_REASON_BAD_REQUEST] = IM_WS_CLOSE_POLICY,
    [IM_REASON_TOO_BIG] = IM_WS_CLOSE_TOO_BIG,
    [IM_REASON_STALE] = IM_WS_CLOSE_POLICY,
    [IM_REASON_TOKEN] = IM_WS_CLOSE_POLICY,
    [IM_REASON_EXPIRED] = IM_WS_CLOSE_POLICY,
    [IM_REASON_SUB_EXPIRED] = IM_WS_CLOSE_POLICY,
    [IM_REASON_FORBIDDEN] = IM_WS_CLOSE_POLICY,
    [IM_REASON_KICKED] = IM_WS_CLOSE_POLICY,
    [IM_REASON_LIMIT] = IM_WS_CLOSE_TRY_LATER,
    [IM_REASON_REPLACED] = IM_WS_CLOSE_POLICY,
    [IM_REASON_STATE] = IM_WS_CLOSE_RESTART,
    [IM_REASON_NOT_AVAILABLE] = IM_WS_CLOSE_POLICY,
    [IM_REASON_TOO_MANY] = IM_WS_CLOSE_TRY_LATER
};


void
im_frame_fields(im_buf_t *b, const im_transport_t *transport,
    const im_fields_t *fields)
{
    if (transport->fields != NULL) {
        transport->fields(b, fields);
    }
}


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


void
im_input_encode(im_buf_t *b, const im_transport_t *transport,
    const im_input_t *input)
{
    if (transport->save == NULL || input->failed) {
        b->failed = 1;
        return;
    }

    transport->save(b, input);
}


im_int_t
im_input_decode(im_str_t bytes, const im_transport_t *transport,
    im_input_t *input)
{
    im_reader_t  r;

    memset(input, 0, sizeof(im_input_t));

    if (transport->load == NULL) {
        return IM_ERROR;
    }

    im_reader_init(&r, bytes);

    return transport->load(&r, input) == IM_OK && !r.failed && r.p == r.end
           ? IM_OK : IM_ERROR;
}


im_int_t
im_input_keep(im_input_t *input)
{
    const u_char  *control;

    control = input->control;
    input->control = NULL;

    if (input->ncontrol == 0) {
        return IM_OK;
    }

    input->control = im_alloc(IM_WS_MAX_CONTROL);

    if (input->control == NULL) {
        input->ncontrol = 0;
        return IM_ERROR;
    }

    im_copy(input->control, control, input->ncontrol);

    return IM_OK;
}
