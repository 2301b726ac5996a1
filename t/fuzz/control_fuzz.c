/*
 * Copyright (C) The im authors
 *
 * Control entries: the first byte is the kind, the others are the data.  What
 * is taken is the same when written and read again.
 */

#include <stdlib.h>

#include "im_control.h"
#include "im_key.h"
#include "im_push.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_control(im_control_t *c);
static void fuzz_change(im_str_t json);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t        b;
    const char     *why;
    im_control_t    c;
    im_envelope_t   e;

    if (size == 0) {
        return 0;
    }

    memset(&e, 0, sizeof(im_envelope_t));
    e.kind = IM_PUSH_CONTROL;
    e.operation = data[0] & 0x0f;
    e.data = im_str_set(data + 1, size - 1);

    im_buf_init(&b, 1 << 26);
    im_envelope_encode(&b, &e);

    if (!b.failed
        && im_control_decode(im_str_z("r:x"), im_buf_str(&b), &c, &why)
           == IM_OK)
    {
        fuzz_control(&c);
        im_control_cleanup(&c);
    }

    im_buf_cleanup(&b);

    /* the bytes of an envelope, too */

    if (im_control_decode(im_str_z("b"), im_str_set(data, size), &c, &why)
        == IM_OK)
    {
        fuzz_control(&c);
        im_control_cleanup(&c);
    }

    return 0;
}


static void
fuzz_control(im_control_t *c)
{
    im_buf_t       b, again;
    im_uint_t      i;
    const char    *why;
    im_control_t   back;

    if (c->kind < IM_CONTROL_CHANGES || c->kind > IM_CONTROL_FORGET
        || (c->room.len != 0 && !im_name_valid(c->room)))
    {
        abort();
    }

    for (i = 0; i < c->changes.n; i++) {
        fuzz_change(c->changes.elts[i]);
    }

    im_buf_init(&b, 1 << 26);
    im_buf_init(&again, 1 << 26);

    im_control_encode(&b, c, 1);

    /* strings that escapes make longer may not fit any more */

    if (!b.failed) {

        if (im_control_decode(c->topic, im_buf_str(&b), &back, &why) != IM_OK)
        {
            abort();
        }

        im_control_encode(&again, &back, 1);

        if (!im_str_eq(im_buf_str(&b), im_buf_str(&again))) {
            abort();
        }

        im_control_cleanup(&back);
    }

    im_buf_cleanup(&b);
    im_buf_cleanup(&again);
}


static void
fuzz_change(im_str_t json)
{
    im_buf_t              arena;
    im_control_change_t   change;

    im_buf_init(&arena, 2 * json.len);

    (void) im_control_change_decode(json, &arena, &change);

    if (arena.failed) {
        abort();
    }

    im_buf_cleanup(&arena);
}
