/*
 * Copyright (C) The im authors
 *
 * Envelopes and batches, byte for byte.
 */

#include "im_push.h"
#include "im_hash.h"
#include "im_json.h"
#include "im_utf8.h"


im_int_t
im_push_classify(im_str_t data, uint8_t *type)
{
    im_int_t  rc;

    rc = im_json_check(data);

    if (rc == IM_ERROR) {
        return IM_ERROR;
    }

    *type = rc == IM_OK ? IM_PUSH_JSON
            : im_utf8_valid(data) ? IM_PUSH_TEXT : IM_PUSH_BINARY;

    return IM_OK;
}


void
im_push_add_value(im_buf_t *b, uint8_t type, im_str_t data)
{
    switch (type) {

    case IM_PUSH_JSON:
        im_buf_add_str(b, data);
        break;

    case IM_PUSH_TEXT:
        im_json_add_string(b, data);
        break;

    default:
        im_json_add_base64(b, data);
    }
}


/* length: bytes of the string's length. */
static void
im_push_add(im_buf_t *b, im_str_t s, size_t length)
{
    im_buf_add_be(b, s.len, length);
    im_buf_add_str(b, s);
}


void
im_envelope_encode(im_buf_t *b, const im_envelope_t *e)
{
    if (e->id.len > IM_PUSH_MAX_ID || e->user.len > UINT8_MAX
        || e->name.len > UINT8_MAX || e->session.len > UINT8_MAX
        || e->info.len > UINT16_MAX || e->tags.len > UINT16_MAX
        || e->data.len > IM_PUSH_MAX_DATA)
    {
        b->failed = 1;
        return;
    }

    im_buf_add_u8(b, IM_PUSH_VERSION);
    im_buf_add_u8(b, e->kind);
    im_push_add(b, e->id, 1);
    im_buf_add_u64(b, e->time);
    im_push_add(b, e->user, 1);
    im_push_add(b, e->name, 1);
    im_push_add(b, e->session, 1);
    im_push_add(b, e->info, 2);
    im_buf_add_u32(b, (uint32_t) e->operation);
    im_push_add(b, e->tags, 2);
    im_buf_add_u8(b, e->type);
    im_push_add(b, e->data, 4);

    if (e->speed > 0) {
        im_buf_add_u32(b, e->speed);
    }
}


static im_str_t
im_push_read_short(im_reader_t *r)
{
    return im_reader_bytes(r, im_reader_u8(r));
}


im_int_t
im_envelope_decode(im_str_t s, im_envelope_t *e)
{
    im_reader_t  r;

    im_reader_init(&r, s);

    if (im_reader_u8(&r) != IM_PUSH_VERSION) {
        return IM_ERROR;
    }

    e->kind = im_reader_u8(&r);
    e->id = im_push_read_short(&r);
    e->time = im_reader_u64(&r);
    e->user = im_push_read_short(&r);
    e->name = im_push_read_short(&r);
    e->session = im_push_read_short(&r);
    e->info = im_reader_bytes(&r, im_reader_u16(&r));
    e->operation = (int32_t) im_reader_u32(&r);
    e->tags = im_reader_bytes(&r, im_reader_u16(&r));
    e->type = im_reader_u8(&r);
    e->data = im_reader_bytes(&r, im_reader_u32(&r));
    e->speed = r.p != r.end ? im_reader_u32(&r) : 0;

    if (r.failed || r.p != r.end || e->kind > IM_PUSH_CONTROL
        || e->type > IM_PUSH_BINARY || e->id.len > IM_PUSH_MAX_ID
        || e->data.len > IM_PUSH_MAX_DATA)
    {
        return IM_ERROR;
    }

    return IM_OK;
}


/*
 * The hash of the fields before and the field's number give the keys to hash a
 * field with, so that no byte can move from one field to the next.
 */
void
im_envelope_hash(const im_envelope_t *e, u_char hash[IM_PUSH_HASH])
{
    u_char     fixed[6];
    im_buf_t   b;
    uint64_t   seed[2];
    im_uint_t  i;
    im_str_t   fields[] = {
        im_str_set(fixed, sizeof(fixed)), e->user, e->name, e->session,
        e->info, e->tags, e->data
    };

    im_buf_fixed(&b, fixed, sizeof(fixed));
    im_buf_add_u8(&b, e->kind);
    im_buf_add_u8(&b, e->type);
    im_buf_add_u32(&b, (uint32_t) e->operation);

    seed[0] = 0x656e76656c6f7065ull;       /* all im_logic must agree */

    for (i = 0; i < 7; i++) {
        seed[1] = i;
        seed[0] = im_siphash(seed, fields[i].data, fields[i].len);
    }

    for (i = 0; i < IM_PUSH_HASH; i++) {
        hash[i] = (u_char) "0123456789abcdef"[(seed[0] >> (60 - 4 * i)) & 0xf];
    }
}


void
im_entry_encode(im_buf_t *b, const im_entry_t *e)
{
    size_t  len;

    if (e->topic.len > UINT8_MAX || e->epoch.len > UINT8_MAX
        || e->envelope.len > 2 * IM_PUSH_MAX_DATA)
    {
        b->failed = 1;
        return;
    }

    len = 1 + 1 + e->topic.len + 1 + e->epoch.len + 8 + e->envelope.len;

    im_buf_add_u32(b, len);
    im_buf_add_u8(b, e->kind);
    im_push_add(b, e->topic, 1);
    im_push_add(b, e->epoch, 1);
    im_buf_add_u64(b, e->seq);
    im_buf_add_str(b, e->envelope);
}


im_int_t
im_entry_decode(im_reader_t *r, im_entry_t *e)
{
    im_str_t     s;
    im_reader_t  in;

    if (r->failed) {
        return IM_ERROR;
    }

    if (r->p == r->end) {
        return IM_DECLINED;
    }

    s = im_reader_bytes(r, im_reader_u32(r));
    if (r->failed) {
        return IM_ERROR;
    }

    im_reader_init(&in, s);

    e->kind = im_reader_u8(&in);
    e->topic = im_push_read_short(&in);
    e->epoch = im_push_read_short(&in);
    e->seq = im_reader_u64(&in);
    e->envelope = im_reader_bytes(&in, (size_t) (in.end - in.p));

    if (in.failed || e->topic.len == 0) {
        r->failed = 1;
        return IM_ERROR;
    }

    return IM_OK;
}


uint64_t
im_entry_mark(const im_entry_t *e)
{
    uint64_t  mark;

    return e->epoch.len > 1 && e->epoch.data[0] == '-'
           && im_decimal_decode(im_str_set(e->epoch.data + 1,
                                           e->epoch.len - 1), &mark)
              == IM_OK
           ? mark : 0;
}


im_int_t
im_position_decode(im_str_t s, im_str_t *epoch, uint64_t *seq)
{
    size_t    colon;
    im_str_t  n;

    colon = s.len;
    while (colon > 0 && s.data[colon - 1] != ':') {
        colon--;
    }

    /* colon is behind the last one; an epoch and a digit are required */

    if (colon < 2) {
        return IM_ERROR;
    }

    n = im_str_set(s.data + colon, s.len - colon);

    if ((n.len > 1 && n.data[0] == '0')
        || im_decimal_decode(n, seq) != IM_OK)
    {
        return IM_ERROR;
    }

    *epoch = im_str_set(s.data, colon - 1);

    return IM_OK;
}
