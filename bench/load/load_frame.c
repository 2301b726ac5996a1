/*
 * Copyright (C) The im authors
 *
 * Reads what servers send.
 */

#include "load_frame.h"


/* Of the head of an answer; 0: it has none. */
static unsigned
load_frame_status(const u_char *head, size_t len)
{
    if (len <= 13 || memcmp(head, "HTTP/1.", 7) != 0) {
        return 0;
    }

    return (unsigned) (head[9] - '0') * 100 + (unsigned) (head[10] - '0') * 10
           + (unsigned) (head[11] - '0');
}


im_int_t
load_frame_handshake(load_wire_e wire, u_char **p, u_char *end,
    unsigned *status)
{
    u_char  *head, *behind;

    head = *p;
    behind = memmem(head, (size_t) (end - head), "\r\n\r\n", 4);

    if (behind == NULL) {
        return IM_AGAIN;
    }

    behind += 4;
    *status = load_frame_status(head, (size_t) (behind - head));

    if (wire == LOAD_WIRE_SSE) {
        *p = behind;
        return *status == 200 ? IM_OK : IM_ERROR;
    }

    if (*status != 101
        || memmem(head, (size_t) (behind - head), LOAD_ACCEPT,
                  sizeof(LOAD_ACCEPT) - 1) == NULL)
    {
        return IM_ERROR;
    }

    *p = behind;

    return IM_OK;
}


static im_int_t
load_frame_event(u_char **p, u_char *end, load_frame_t *frame)
{
    u_char  *behind;

    behind = memmem(*p, (size_t) (end - *p), "\n\n", 2);

    if (behind == NULL) {
        return end - *p > LOAD_FRAME_MAX ? IM_ERROR : IM_AGAIN;
    }

    frame->opcode = **p == ':' ? LOAD_FRAME_PONG : 1;
    frame->payload = im_str_set(*p, (size_t) (behind - *p));
    *p = behind + 2;

    return IM_OK;
}


static uint32_t
load_frame_u32(const u_char *p)
{
    return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}


static im_int_t
load_frame_packet(u_char **p, u_char *end, load_frame_t *frame)
{
    uint32_t  len;

    if (end - *p < LOAD_GOIM_HEAD) {
        return IM_AGAIN;
    }

    len = load_frame_u32(*p);

    if (len < LOAD_GOIM_HEAD || len > LOAD_FRAME_MAX) {
        return IM_ERROR;
    }

    if ((size_t) (end - *p) < len) {
        return IM_AGAIN;
    }

    frame->opcode = load_frame_u32(*p + 8);
    frame->payload = im_str_set(*p + LOAD_GOIM_HEAD, len - LOAD_GOIM_HEAD);
    *p += len;

    return IM_OK;
}


static im_int_t
load_frame_websocket(u_char **p, u_char *end, load_frame_t *frame)
{
    size_t     n, head, i;
    u_char    *at;
    uint64_t   len;

    at = *p;
    n = (size_t) (end - at);

    if (n < 2) {
        return IM_AGAIN;
    }

    len = at[1];
    head = len < 126 ? 2 : len == 126 ? 4 : 10;

    if (len > 127) {
        return IM_ERROR;            /* servers don't mask */
    }

    if (n < head) {
        return IM_AGAIN;
    }

    if (head > 2) {
        for (len = 0, i = 2; i < head; i++) {
            len = len << 8 | at[i];
        }
    }

    if (len > LOAD_FRAME_MAX) {
        return IM_ERROR;
    }

    if (n - head < len) {
        return IM_AGAIN;
    }

    frame->opcode = at[0] & 0xf;
    frame->payload.data = at + head;
    frame->payload.len = (size_t) len;
    *p = at + head + len;

    return IM_OK;
}


im_int_t
load_frame_decode(load_wire_e wire, u_char **p, u_char *end,
    load_frame_t *frame)
{
    switch (wire) {

    case LOAD_WIRE_SSE:
        return load_frame_event(p, end, frame);

    case LOAD_WIRE_GOIM:
        return load_frame_packet(p, end, frame);

    default:
        return load_frame_websocket(p, end, frame);
    }
}


unsigned
load_frame_code(im_str_t payload)
{
    return payload.len < 2 ? 1005
           : (unsigned) payload.data[0] << 8 | payload.data[1];
}
