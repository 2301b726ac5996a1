/*
 * Copyright (C) The im authors
 *
 * WebSocket frames.  A frame is read in two phases: the header is collected and
 * checked byte by byte; the payload is unmasked in place and given out in
 * pieces as it arrives.
 */

#include "im_ws.h"


#define IM_WS_FIN      0x80
#define IM_WS_RSV      0x70
#define IM_WS_OPCODE   0x0f
#define IM_WS_MASK     0x80
#define IM_WS_LEN      0x7f
#define IM_WS_CONTROL  0x08

#define IM_WS_LEN_16   126
#define IM_WS_LEN_64   127


typedef enum {
    IM_WS_FAULT_NONE = 0,
    IM_WS_FAULT_RSV,
    IM_WS_FAULT_OPCODE,
    IM_WS_FAULT_CONT,
    IM_WS_FAULT_FRAGMENT,
    IM_WS_FAULT_CONTROL_FRAGMENT,
    IM_WS_FAULT_CONTROL_LEN,
    IM_WS_FAULT_MASK,
    IM_WS_FAULT_LEN,
    IM_WS_FAULT_TOO_BIG,
    IM_WS_FAULT_UTF8
} im_ws_fault_e;


typedef struct {
    uint16_t     close_code;
    const char  *reason;
} im_ws_fault_t;


static const im_ws_fault_t  im_ws_faults[] = {
    [IM_WS_FAULT_RSV] =
        { IM_WS_CLOSE_PROTOCOL, "reserved bit set" },
    [IM_WS_FAULT_OPCODE] =
        { IM_WS_CLOSE_PROTOCOL, "unknown opcode" },
    [IM_WS_FAULT_CONT] =
        { IM_WS_CLOSE_PROTOCOL, "continuation without a message" },
    [IM_WS_FAULT_FRAGMENT] =
        { IM_WS_CLOSE_PROTOCOL, "message inside a message" },
    [IM_WS_FAULT_CONTROL_FRAGMENT] =
        { IM_WS_CLOSE_PROTOCOL, "fragmented control frame" },
    [IM_WS_FAULT_CONTROL_LEN] =
        { IM_WS_CLOSE_PROTOCOL, "control frame too long" },
    [IM_WS_FAULT_MASK] =
        { IM_WS_CLOSE_PROTOCOL, "frame without a mask" },
    [IM_WS_FAULT_LEN] =
        { IM_WS_CLOSE_PROTOCOL, "invalid length" },
    [IM_WS_FAULT_TOO_BIG] =
        { IM_WS_CLOSE_TOO_BIG, "message too big" },
    [IM_WS_FAULT_UTF8] =
        { IM_WS_CLOSE_INVALID, "text is not UTF-8" }
};


void
im_ws_init(im_ws_t *ws)
{
    memset(ws, 0, sizeof(im_ws_t));
}


static im_ws_fault_e
im_ws_check_opcode(const im_ws_t *ws)
{
    u_char  first, opcode, rsv;

    first = ws->header[0];
    opcode = first & IM_WS_OPCODE;
    rsv = first & IM_WS_RSV;

    if (rsv != 0
        && (rsv != IM_WS_RSV1 || !ws->deflate || opcode == IM_WS_CONT
            || (opcode & IM_WS_CONTROL)))
    {
        return IM_WS_FAULT_RSV;
    }

    if ((opcode & ~IM_WS_CONTROL) > IM_WS_BINARY) {
        return IM_WS_FAULT_OPCODE;
    }

    if (opcode & IM_WS_CONTROL) {
        return first & IM_WS_FIN ? IM_WS_FAULT_NONE
                                 : IM_WS_FAULT_CONTROL_FRAGMENT;
    }

    if (opcode == IM_WS_CONT) {
        return ws->message_opcode ? IM_WS_FAULT_NONE : IM_WS_FAULT_CONT;
    }

    return ws->message_opcode ? IM_WS_FAULT_FRAGMENT : IM_WS_FAULT_NONE;
}


static im_ws_fault_e
im_ws_check_len(const im_ws_t *ws)
{
    if (!(ws->header[1] & IM_WS_MASK)) {
        return IM_WS_FAULT_MASK;
    }

    if ((ws->header[0] & IM_WS_CONTROL)
        && (ws->header[1] & IM_WS_LEN) > IM_WS_MAX_CONTROL)
    {
        return IM_WS_FAULT_CONTROL_LEN;
    }

    return IM_WS_FAULT_NONE;
}


/* Checks the last byte of the header so far. */
static im_ws_fault_e
im_ws_check(const im_ws_t *ws)
{
    switch (ws->nheader) {

    case 1:
        return im_ws_check_opcode(ws);

    case 2:
        return im_ws_check_len(ws);

    default:
        return IM_WS_FAULT_NONE;
    }
}


/* The size of a masked header, by its second byte. */
static size_t
im_ws_header_size(u_char len)
{
    switch (len & IM_WS_LEN) {

    case IM_WS_LEN_16:
        return 2 + 2 + 4;

    case IM_WS_LEN_64:
        return 2 + 8 + 4;

    default:
        return 2 + 4;
    }
}


static uint64_t
im_ws_be(const u_char *p, size_t n)
{
    uint64_t  v;

    for (v = 0; n > 0; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


/* The header is complete. */
static im_ws_fault_e
im_ws_begin(im_ws_t *ws, uint64_t max)
{
    size_t    n;
    uint64_t  len;

    n = ws->nheader - 2 - 4;
    len = ws->header[1] & IM_WS_LEN;

    if (n > 0) {
        len = im_ws_be(ws->header + 2, n);

        /* The form must be the shortest, and the highest bit must be 0. */

        if (len < IM_WS_LEN_16 || (n == 8 && len <= 0xffff) || len >> 63) {
            return IM_WS_FAULT_LEN;
        }
    }

    ws->opcode = ws->header[0] & IM_WS_OPCODE;
    ws->fin = (ws->header[0] & IM_WS_FIN) != 0;
    ws->left = len;
    ws->mask_at = 0;
    ws->in_payload = 1;
    ws->frames++;

    if (ws->opcode & IM_WS_CONTROL) {
        return IM_WS_FAULT_NONE;
    }

    if (ws->opcode != IM_WS_CONT) {
        ws->message_opcode = ws->opcode;
        ws->packed = (ws->header[0] & IM_WS_RSV1) != 0;
        ws->utf8 = 0;
    }

    if (ws->packed) {
        max = im_ws_packed_max(max);
    }

    if (ws->message > max || len > max - ws->message) {
        return IM_WS_FAULT_TOO_BIG;
    }

    ws->message += len;

    return IM_WS_FAULT_NONE;
}


static im_int_t
im_ws_read_header(im_ws_t *ws, u_char **p, u_char *end, uint64_t max)
{
    while (*p < end) {
        ws->header[ws->nheader++] = *(*p)++;

        ws->failed = im_ws_check(ws);
        if (ws->failed) {
            return IM_ERROR;
        }

        if (ws->nheader >= 2
            && ws->nheader == im_ws_header_size(ws->header[1]))
        {
            ws->failed = im_ws_begin(ws, max);
            return ws->failed ? IM_ERROR : IM_OK;
        }
    }

    return IM_AGAIN;
}


static im_int_t
im_ws_finish(im_ws_t *ws, im_ws_event_t *ev)
{
    ws->in_payload = 0;
    ws->nheader = 0;

    if (!ws->fin) {
        return IM_DECLINED;
    }

    ev->type = IM_WS_EVENT_END;
    ev->opcode = ws->opcode;

    if (ws->opcode & IM_WS_CONTROL) {
        return IM_OK;
    }

    ev->opcode = ws->message_opcode;
    ev->packed = ws->packed;

    if (ev->opcode == IM_WS_TEXT && ws->utf8 != 0) {
        ws->failed = IM_WS_FAULT_UTF8;
        return IM_ERROR;
    }

    ws->message_opcode = 0;
    ws->message = 0;

    return IM_OK;
}


static void
im_ws_unmask(im_ws_t *ws, u_char *p, size_t len)
{
    size_t    i;
    u_char    mask[8] = { 0 };
    uint64_t  word, bytes;

    /* The mask ends the header; rotate it to where the last piece ended. */

    for (i = 0; i < sizeof(mask); i++) {
        mask[i] = ws->header[ws->nheader - 4 + ((ws->mask_at + i) & 3)];
    }

    ws->mask_at = (ws->mask_at + len) & 3;

    memcpy(&word, mask, sizeof(mask));

    for ( /* void */ ; len >= sizeof(mask); len -= sizeof(mask)) {
        memcpy(&bytes, p, sizeof(mask));
        bytes ^= word;
        memcpy(p, &bytes, sizeof(mask));
        p += sizeof(mask);
    }

    for (i = 0; i < len; i++) {
        p[i] ^= mask[i];
    }
}


/* IM_DECLINED: the frame is over without an event. */
static im_int_t
im_ws_read_payload(im_ws_t *ws, u_char **p, u_char *end, im_ws_event_t *ev)
{
    int     control;
    size_t  len;

    if (ws->left == 0) {
        return im_ws_finish(ws, ev);
    }

    len = im_min(ws->left, (uint64_t) (end - *p));

    if (len == 0) {
        return IM_AGAIN;
    }

    control = ws->opcode & IM_WS_CONTROL;

    ev->type = IM_WS_EVENT_DATA;
    ev->opcode = control ? ws->opcode : ws->message_opcode;
    ev->data = im_str_set(*p, len);

    im_ws_unmask(ws, *p, len);

    *p += len;
    ws->left -= len;

    if (ev->opcode == IM_WS_TEXT && !ws->packed
        && im_utf8_feed(&ws->utf8, ev->data.data, len) != IM_OK)
    {
        ws->failed = IM_WS_FAULT_UTF8;
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_ws_decode(im_ws_t *ws, u_char **p, u_char *end, uint64_t max,
    im_ws_event_t *ev)
{
    im_int_t  rc;

    memset(ev, 0, sizeof(im_ws_event_t));

    /* One iteration a frame; a fragment may end without an event. */

    do {
        rc = IM_OK;

        if (!ws->failed && !ws->in_payload) {
            rc = im_ws_read_header(ws, p, end, max);
        }

        if (rc == IM_OK && !ws->failed) {
            rc = im_ws_read_payload(ws, p, end, ev);
        }

        if (ws->failed) {
            ev->close_code = im_ws_faults[ws->failed].close_code;
            ev->reason = im_ws_faults[ws->failed].reason;

            return IM_ERROR;
        }

    } while (rc == IM_DECLINED);

    return rc;
}


int
im_ws_idle(const im_ws_t *ws)
{
    return ws->nheader == 0 && !ws->in_payload && ws->message_opcode == 0;
}


/* Payload of the frame under way. */
static uint64_t
im_ws_len(const im_ws_t *ws)
{
    size_t  n;

    n = im_ws_header_size(ws->header[1]) - 2 - 4;

    return n > 0 ? im_ws_be(ws->header + 2, n) : ws->header[1] & IM_WS_LEN;
}


uint64_t
im_ws_message(const im_ws_t *ws)
{
    return ws->message
           - (ws->in_payload && !(ws->opcode & IM_WS_CONTROL) ? ws->left : 0);
}


uint64_t
im_ws_control(const im_ws_t *ws)
{
    return ws->in_payload && (ws->opcode & IM_WS_CONTROL)
           ? im_ws_len(ws) - ws->left : 0;
}


/*
 * As it was before the frame under way, then the header of that frame, or the
 * part that came, and how much of its payload is left: im_ws_load() reads the
 * header again.
 */
void
im_ws_save(im_buf_t *b, const im_ws_t *ws)
{
    uint8_t   opcode;
    uint64_t  message;

    opcode = ws->message_opcode;
    message = ws->message;

    if (ws->in_payload && !(ws->opcode & IM_WS_CONTROL)) {
        message -= im_ws_len(ws);

        if (ws->opcode != IM_WS_CONT) {
            opcode = 0;
        }
    }

    im_buf_add_u8(b, opcode);
    im_buf_add_u8(b, opcode != 0 && ws->packed);
    im_buf_add_u64(b, message);
    im_buf_add_u8(b, ws->nheader);
    im_buf_add(b, ws->header, ws->nheader);
    im_buf_add_u8(b, ws->in_payload);
    im_buf_add_u64(b, ws->in_payload ? ws->left : 0);
    im_buf_add_u8(b, ws->utf8);
}


/* What stands before the frame under way. */
static im_int_t
im_ws_load_message(im_reader_t *r, im_ws_t *ws)
{
    uint8_t  packed;

    ws->message_opcode = im_reader_u8(r);
    packed = im_reader_u8(r);
    ws->message = im_reader_u64(r);

    if (ws->message_opcode > IM_WS_BINARY || packed > ws->deflate
        || (ws->message_opcode == 0 && (ws->message > 0 || packed)))
    {
        return IM_ERROR;
    }

    ws->packed = packed;

    return IM_OK;
}


im_int_t
im_ws_load(im_reader_t *r, im_ws_t *ws)
{
    u_char    *p;
    uint8_t    in_payload, utf8;
    uint64_t   left, len;
    im_int_t   rc;
    im_str_t   header;

    if (im_ws_load_message(r, ws) != IM_OK) {
        return IM_ERROR;
    }

    header = im_reader_bytes(r, im_reader_u8(r));
    in_payload = im_reader_u8(r);
    left = im_reader_u64(r);
    utf8 = im_reader_u8(r);

    if (r->failed || in_payload > 1) {
        return IM_ERROR;
    }

    p = header.data;
    rc = im_ws_read_header(ws, &p, p + header.len, UINT64_MAX);

    if (rc != (in_payload ? IM_OK : IM_AGAIN)
        || p != header.data + header.len)
    {
        return IM_ERROR;
    }

    len = ws->left;

    if (left > len) {
        return IM_ERROR;
    }

    ws->left = left;
    ws->mask_at = (len - left) & 3;
    ws->frames = 0;
    ws->utf8 = utf8;

    return utf8 == 0
           || (im_utf8_state(utf8) && ws->message_opcode == IM_WS_TEXT
               && !ws->packed && im_ws_message(ws) > 0)
           ? IM_OK : IM_ERROR;
}


/* A code that a peer may send: registered ones, and 3000..4999. */
static int
im_ws_code_valid(uint16_t code)
{
    return (code >= IM_WS_CLOSE_NORMAL && code <= IM_WS_CLOSE_UNSUPPORTED)
           || (code >= IM_WS_CLOSE_INVALID && code <= 1014)
           || (code >= 3000 && code <= 4999);
}


im_int_t
im_ws_close_decode(im_str_t payload, uint16_t *code, im_str_t *reason)
{
    im_str_t  text;

    *reason = im_str_set("", 0);

    if (payload.len == 0) {
        *code = IM_WS_CLOSE_NO_STATUS;
        return IM_OK;
    }

    *code = IM_WS_CLOSE_PROTOCOL;

    if (payload.len == 1 || payload.len > IM_WS_MAX_CONTROL) {
        return IM_ERROR;
    }

    if (!im_ws_code_valid(im_ws_be(payload.data, 2))) {
        return IM_ERROR;
    }

    text = im_str_set(payload.data + 2, payload.len - 2);

    if (!im_utf8_valid(text)) {
        *code = IM_WS_CLOSE_INVALID;
        return IM_ERROR;
    }

    *code = im_ws_be(payload.data, 2);
    *reason = text;

    return IM_OK;
}


size_t
im_ws_header(u_char *dst, uint8_t opcode, uint64_t len)
{
    size_t  i, n;

    dst[0] = IM_WS_FIN | opcode;

    if (len < IM_WS_LEN_16) {
        dst[1] = len;
        return 2;
    }

    n = len <= 0xffff ? 2 : 8;

    dst[1] = n == 2 ? IM_WS_LEN_16 : IM_WS_LEN_64;

    for (i = n; i > 0; i--) {
        dst[1 + i] = (u_char) len;
        len >>= 8;
    }

    return 2 + n;
}


size_t
im_ws_close(u_char *dst, uint16_t code, const char *reason)
{
    size_t  len;

    if (code == IM_WS_CLOSE_NO_STATUS || code == IM_WS_CLOSE_ABNORMAL) {
        return im_ws_header(dst, IM_WS_CLOSE, 0);
    }

    len = reason != NULL ? strlen(reason) : 0;

    if (len > IM_WS_MAX_CONTROL - 2) {
        len = IM_WS_MAX_CONTROL - 2;

        while (len > 0 && ((u_char) reason[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    (void) im_ws_header(dst, IM_WS_CLOSE, 2 + len);

    dst[2] = code >> 8;
    dst[3] = code & 0xff;

    im_copy(dst + 4, reason, len);

    return 4 + len;
}
