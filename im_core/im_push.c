/*
 * Copyright (C) The im authors
 *
 * Envelopes and batches, byte for byte.
 */

#include "im_push.h"
#include "im_hash.h"


static int im_push_fits(im_buf_t *b, im_str_t s, size_t max);
static void im_push_add_short(im_buf_t *b, im_str_t s);
static im_str_t im_push_read_short(im_reader_t *r);


void
im_envelope_encode(im_buf_t *b, const im_envelope_t *e)
{
    if (!im_push_fits(b, e->id, IM_PUSH_MAX_ID)
        || !im_push_fits(b, e->user, UINT8_MAX)
        || !im_push_fits(b, e->name, UINT8_MAX)
        || !im_push_fits(b, e->session, UINT8_MAX)
        || !im_push_fits(b, e->info, UINT16_MAX)
        || !im_push_fits(b, e->tags, UINT16_MAX)
        || !im_push_fits(b, e->data, IM_PUSH_MAX_DATA))
    {
        return;
    }

    im_buf_add_u8(b, IM_PUSH_VERSION);
    im_buf_add_u8(b, e->kind);
    im_push_add_short(b, e->id);
    im_buf_add_u64(b, e->time);
    im_push_add_short(b, e->user);
    im_push_add_short(b, e->name);
    im_push_add_short(b, e->session);
    im_buf_add_u16(b, (uint16_t) e->info.len);
    im_buf_add_str(b, e->info);
    im_buf_add_u32(b, (uint32_t) e->operation);
    im_buf_add_u16(b, (uint16_t) e->tags.len);
    im_buf_add_str(b, e->tags);
    im_buf_add_u8(b, e->type);
    im_buf_add_u32(b, (uint32_t) e->data.len);
    im_buf_add_str(b, e->data);
}


im_int_t
im_envelope_decode(im_str_t s, im_envelope_t *e)
{
    uint32_t     len;
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
    len = im_reader_u32(&r);
    e->data = im_reader_bytes(&r, len);

    if (r.failed || r.p != r.end) {
        return IM_ERROR;
    }

    if (e->kind > IM_PUSH_CONTROL || e->type > IM_PUSH_BINARY
        || e->id.len > IM_PUSH_MAX_ID || e->data.len > IM_PUSH_MAX_DATA)
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
    uint64_t   seed[2];
    im_str_t   fields[7];
    im_uint_t  i;

    fixed[0] = e->kind;
    fixed[1] = e->type;
    fixed[2] = (u_char) ((uint32_t) e->operation >> 24);
    fixed[3] = (u_char) ((uint32_t) e->operation >> 16);
    fixed[4] = (u_char) ((uint32_t) e->operation >> 8);
    fixed[5] = (u_char) e->operation;

    fields[0] = im_str_set(fixed, sizeof(fixed));
    fields[1] = e->user;
    fields[2] = e->name;
    fields[3] = e->session;
    fields[4] = e->info;
    fields[5] = e->tags;
    fields[6] = e->data;

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

    if (!im_push_fits(b, e->topic, UINT8_MAX)
        || !im_push_fits(b, e->epoch, UINT8_MAX)
        || !im_push_fits(b, e->envelope, 2 * IM_PUSH_MAX_DATA))
    {
        return;
    }

    len = 1 + 1 + e->topic.len + 1 + e->epoch.len + 8 + e->envelope.len;

    im_buf_add_u32(b, (uint32_t) len);
    im_buf_add_u8(b, e->kind);
    im_push_add_short(b, e->topic);
    im_push_add_short(b, e->epoch);
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


im_int_t
im_position_decode(im_str_t s, im_str_t *epoch, uint64_t *seq)
{
    size_t    i;
    size_t    colon;
    uint64_t  n, digit;

    colon = s.len;
    while (colon > 0 && s.data[colon - 1] != ':') {
        colon--;
    }

    /* colon is behind the last one; an epoch and a digit are required */
    if (colon < 2 || colon == s.len
        || (s.data[colon] == '0' && s.len - colon > 1))
    {
        return IM_ERROR;
    }

    n = 0;

    for (i = colon; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return IM_ERROR;
        }

        digit = (uint64_t) (s.data[i] - '0');

        if (n > (UINT64_MAX - digit) / 10) {
            return IM_ERROR;
        }

        n = n * 10 + digit;
    }

    *epoch = im_str_set(s.data, colon - 1);
    *seq = n;

    return IM_OK;
}


/* A string that is too long for its field makes b fail. */
static int
im_push_fits(im_buf_t *b, im_str_t s, size_t max)
{
    if (s.len > max) {
        b->failed = 1;
        return 0;
    }

    return 1;
}


static void
im_push_add_short(im_buf_t *b, im_str_t s)
{
    im_buf_add_u8(b, (uint8_t) s.len);
    im_buf_add_str(b, s);
}


static im_str_t
im_push_read_short(im_reader_t *r)
{
    return im_reader_bytes(r, im_reader_u8(r));
}
