/*
 * Copyright (C) The im authors
 *
 * Questions to logic and answers: what is taken is the same when written and
 * read again.
 */

#include <stdlib.h>

#include "im_ask.h"
#include "im_json.h"
#include "im_utf8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_ask(im_str_t json);
static void fuzz_identity(im_str_t json);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  json, inner;

    json = im_str_set(data, size);

    fuzz_ask(json);
    fuzz_identity(json);

    if (im_ask_answer_decode(json, &inner) == 0 && inner.len != 0) {
        fuzz_identity(inner);
    }

    return 0;
}


static void
fuzz_ask(im_str_t json)
{
    im_ask_t     ask;
    im_buf_t     arena, b, again;
    const char  *why;

    im_buf_init(&arena, json.len);
    im_buf_init(&b, 1 << 26);
    im_buf_init(&again, 1 << 26);

    if (im_ask_decode(json, &arena, &ask, &why) == IM_OK) {

        im_ask_encode(&b, &ask);

        im_buf_cleanup(&arena);
        im_buf_init(&arena, b.len);

        if (b.failed
            || im_ask_decode(im_buf_str(&b), &arena, &ask, &why) != IM_OK)
        {
            abort();
        }

        im_ask_encode(&again, &ask);

        if (!im_str_eq(im_buf_str(&b), im_buf_str(&again))) {
            abort();
        }
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&b);
    im_buf_cleanup(&again);
}


static void
fuzz_identity(im_str_t json)
{
    im_buf_t            arena, b;
    const char         *why;
    im_ask_identity_t   identity;

    im_buf_init(&arena, json.len);
    im_buf_init(&b, 1 << 26);

    if (im_ask_identity_decode(json, &arena, &identity, &why) == IM_OK) {

        if (!im_utf8_valid(identity.user) || !im_utf8_valid(identity.name)
            || (identity.info.len != 0 && !im_json_valid(identity.info)))
        {
            abort();
        }

        (void) im_ask_room_allowed(identity.rooms, identity.user);

        im_ask_identity_encode(&b, &identity);

        if (!im_json_valid(im_buf_str(&b))) {
            abort();
        }
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&b);
}
