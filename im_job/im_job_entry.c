/*
 * Copyright (C) The im authors
 *
 * Entries and bells, byte for byte.
 */

#include "im_job_entry.h"


static im_int_t im_job_number(im_str_t *s, uint64_t *n);


im_int_t
im_job_id_decode(im_str_t s, im_job_id_t *id)
{
    if (im_job_number(&s, &id->ms) != IM_OK || s.len == 0
        || s.data[0] != '-')
    {
        return IM_ERROR;
    }

    s = im_str_set(s.data + 1, s.len - 1);

    return im_job_number(&s, &id->n) == IM_OK && s.len == 0 ? IM_OK : IM_ERROR;
}


/* Takes decimal digits off s, one at least. */
static im_int_t
im_job_number(im_str_t *s, uint64_t *n)
{
    size_t    i;
    uint64_t  digit;

    *n = 0;

    for (i = 0; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
        digit = (uint64_t) (s->data[i] - '0');

        if (*n > (UINT64_MAX - digit) / 10) {
            return IM_ERROR;
        }

        *n = *n * 10 + digit;
    }

    *s = im_str_set(s->data + i, s->len - i);

    return i > 0 ? IM_OK : IM_ERROR;
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

    if (e->position.len == 0) {
        push->kind = IM_PUSH_CONTROL;
        push->seq = e->id.ms;                /* when it was queued */
        return IM_OK;
    }

    push->kind = IM_PUSH_MESSAGE;

    return im_position_decode(e->position, &push->epoch, &push->seq);
}
