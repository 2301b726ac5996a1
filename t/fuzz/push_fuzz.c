/*
 * Copyright (C) The im authors
 *
 * Envelopes, batches and positions from Redis.
 */

#include <stdlib.h>

#include "im_push.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_envelope(im_str_t s);
static void fuzz_batch(im_str_t s);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t  seq;
    im_str_t  s, epoch;

    s = im_str_set(data, size);

    fuzz_envelope(s);
    fuzz_batch(s);

    if (im_position_decode(s, &epoch, &seq) == IM_OK
        && (epoch.len == 0 || epoch.len >= size))
    {
        abort();
    }

    return 0;
}


/* What is taken is written again as it was. */
static void
fuzz_envelope(im_str_t s)
{
    u_char         hash[IM_PUSH_HASH];
    im_buf_t       b;
    im_envelope_t  e;

    if (im_envelope_decode(s, &e) != IM_OK) {
        return;
    }

    im_envelope_hash(&e, hash);

    im_buf_init(&b, s.len);
    im_envelope_encode(&b, &e);

    if (b.failed || !im_str_eq(im_buf_str(&b), s)) {
        abort();
    }

    im_buf_cleanup(&b);
}


static void
fuzz_batch(im_str_t s)
{
    im_buf_t      b;
    im_int_t      rc;
    im_entry_t    e;
    im_reader_t   r;

    im_buf_init(&b, s.len);
    im_reader_init(&r, s);

    while ((rc = im_entry_decode(&r, &e)) == IM_OK) {
        fuzz_envelope(e.envelope);
        im_entry_encode(&b, &e);
    }

    if (b.failed
        || (rc == IM_DECLINED && !im_str_eq(im_buf_str(&b), s)))
    {
        abort();
    }

    im_buf_cleanup(&b);
}
