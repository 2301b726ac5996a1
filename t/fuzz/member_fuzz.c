/*
 * Copyright (C) The im authors
 *
 * Members of topics: what is taken is the same when written and read again.
 */

#include <stdlib.h>

#include "im_member.h"
#include "im_utf8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t     b, again, arena;
    im_member_t  m;

    im_buf_init(&arena, size);
    im_buf_init(&b, 1 << 26);
    im_buf_init(&again, 1 << 26);

    if (im_member_decode(im_str_set(data, size), &arena, &m) == IM_OK) {

        if (!im_utf8_valid(m.user) || !im_utf8_valid(m.name)
            || !im_utf8_valid(m.ip))
        {
            abort();
        }

        im_member_encode(&b, &m);

        im_buf_cleanup(&arena);
        im_buf_init(&arena, b.len);

        if (b.failed
            || im_member_decode(im_buf_str(&b), &arena, &m) != IM_OK)
        {
            abort();
        }

        im_member_encode(&again, &m);

        if (!im_str_eq(im_buf_str(&b), im_buf_str(&again))) {
            abort();
        }
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&b);
    im_buf_cleanup(&again);

    return 0;
}
