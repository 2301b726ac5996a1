/*
 * Copyright (C) The im authors
 *
 * UTF-8: the verdict is the same whole, byte by byte, and cut in two.  The
 * first byte says where to cut.
 */

#include <stdlib.h>

#include "im_utf8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static int
utf8_in_pieces(const uint8_t *p, size_t size, size_t first, size_t each)
{
    size_t     n;
    im_utf8_t  state;

    state = 0;

    for (n = first; size > 0; n = each) {
        n = im_min(n, size);

        if (im_utf8_feed(&state, p, n) != IM_OK) {
            return 0;
        }

        p += n;
        size -= n;
    }

    return state == 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int     valid;
    size_t  cut;

    if (size == 0) {
        return 0;
    }

    cut = data[0];
    data++;
    size--;

    valid = im_utf8_valid(im_str_set(data, size));

    if (utf8_in_pieces(data, size, 1, 1) != valid
        || utf8_in_pieces(data, size, cut, size) != valid)
    {
        abort();
    }

    return 0;
}
