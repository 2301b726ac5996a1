/*
 * Copyright (C) The im authors
 *
 * Rules, sketches and the largest rooms, as lease records bring them.
 */

#include <stdlib.h>

#include "im_board.h"
#include "im_rule.h"
#include "im_sketch.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_rules(im_str_t s);
static void fuzz_sketch(im_str_t s);
static void fuzz_board(im_str_t s);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  s;

    s = im_str_set(data, size);

    fuzz_rules(s);
    fuzz_sketch(s);
    fuzz_board(s);

    return 0;
}


/* What is taken is the same when written, read, and merged with itself. */
static void
fuzz_rules(im_str_t s)
{
    im_buf_t    a, b;
    im_rules_t  rules, back;

    if (im_rules_decode(s, &rules) != IM_OK) {
        return;
    }

    (void) im_rules_topic(&rules, s);
    (void) im_rules_room(&rules, s);

    im_buf_init(&a, 1 << 24);
    im_buf_init(&b, 1 << 24);
    im_rules_encode(&a, &rules);

    if (a.failed || im_rules_decode(im_buf_str(&a), &back) != IM_OK
        || im_rules_merge(&back, &rules) != IM_OK)
    {
        abort();
    }

    im_rules_encode(&b, &back);

    if (!im_str_eq(im_buf_str(&a), im_buf_str(&b))) {
        abort();
    }

    im_rules_cleanup(&rules);
    im_rules_cleanup(&back);
    im_buf_cleanup(&a);
    im_buf_cleanup(&b);
}


static void
fuzz_sketch(im_str_t s)
{
    im_buf_t     b;
    im_sketch_t  sketch, merged;

    if (im_sketch_decode(s, &sketch) != IM_OK) {
        return;
    }

    im_buf_init(&b, 1 << 16);
    im_sketch_encode(&b, &sketch);

    if (!im_str_eq(im_buf_str(&b), s)) {
        abort();
    }

    im_sketch_init(&merged);

    if (im_sketch_add(&merged, s) != IM_OK
        || im_sketch_merge(&merged, &sketch) != IM_OK
        || im_sketch_count(&merged) == 0)
    {
        abort();
    }

    im_sketch_cleanup(&sketch);
    im_sketch_cleanup(&merged);
    im_buf_cleanup(&b);
}


/* Every line is in the text, and it comes to an end. */
static void
fuzz_board(im_str_t s)
{
    size_t    at, last;
    uint64_t  followers;
    im_str_t  name;

    at = 0;
    last = 0;

    while (im_board_decode(s, &at, &followers, &name) == IM_OK) {
        if (at <= last || at > s.len || name.len == 0 || name.data < s.data
            || name.data + name.len >= s.data + at)
        {
            abort();
        }

        last = at;
    }
}
