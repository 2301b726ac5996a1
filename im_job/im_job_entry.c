/*
 * Copyright (C) The im authors
 *
 * Entries and bells, byte for byte.
 */

#include "im_job_entry.h"


im_int_t
im_job_id_decode(im_str_t s, im_job_id_t *id)
{
    size_t  i;

    for (i = 0; i < s.len && s.data[i] != '-'; i++) { /* void */ }

    if (i == s.len
        || im_decimal_decode(im_str_set(s.data, i), &id->ms) != IM_OK)
    {
        return IM_ERROR;
    }

    return im_decimal_decode(im_str_set(s.data + i + 1, s.len - i - 1),
                             &id->n);
}


int
im_job_id_compare(im_job_id_t a, im_job_id_t b)
{
    if (a.ms != b.ms) {
        return a.ms < b.ms ? -1 : 1;
    }

    return (a.n > b.n) - (a.n < b.n);
}


im_int_t
im_job_bell_decode(im_str_t s, uint64_t *n, im_job_entry_t *e)
{
    im_reader_t  r;

    im_reader_init(&r, s);

    *n = im_reader_u32(&r);

    if (im_job_id_decode(im_reader_bytes(&r, im_reader_u8(&r)), &e->id)
        != IM_OK)
    {
        return IM_ERROR;
    }

    if (r.p == r.end) {
        return IM_AGAIN;
    }

    e->topic = im_reader_bytes(&r, im_reader_u8(&r));
    e->position = im_reader_bytes(&r, im_reader_u8(&r));
    e->workers = im_reader_bytes(&r, im_reader_u32(&r));
    e->envelope = im_reader_bytes(&r, (size_t) (r.end - r.p));

    return r.failed ? IM_ERROR : IM_OK;
}


im_str_t
im_job_name_next(im_str_t *names)
{
    size_t    i;
    im_str_t  name;

    while (names->len > 0 && names->data[0] == ' ') {
        *names = im_str_set(names->data + 1, names->len - 1);
    }

    for (i = 0; i < names->len && names->data[i] != ' '; i++) { /* void */ }

    name = im_str_set(names->data, i);
    *names = im_str_set(names->data + i, names->len - i);

    return name;
}


im_int_t
im_job_entry_push(const im_job_entry_t *e, im_entry_t *push)
{
    memset(push, 0, sizeof(im_entry_t));

    push->topic = e->topic;
    push->envelope = e->envelope;

    if (e->topic.len == 0 || e->topic.len > UINT8_MAX
        || e->envelope.len == 0)
    {
        return IM_ERROR;
    }

    push->epoch = e->position;

    if (e->position.len == 0 || im_entry_mark(push) > 0) {
        push->kind = IM_PUSH_CONTROL;
        push->seq = e->id.ms;                /* when it was queued */
        return IM_OK;
    }

    push->kind = IM_PUSH_MESSAGE;

    return im_position_decode(e->position, &push->epoch, &push->seq);
}
