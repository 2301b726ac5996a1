/*
 * Copyright (C) The im authors
 *
 * Bodies of emulation: what is taken is the same in the entry that a worker
 * gets; and names of sessions.
 */

#include <stdlib.h>

#include "im_emulation.h"
#include "im_push.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_body(im_str_t type, im_str_t body);
static void fuzz_entry(const im_emulation_t *e);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char    id[16], text[IM_EMULATION_SESSION];
    im_str_t  body;

    static const im_emulation_keys_t  keys = { { { 1, 2 }, { 3, 4 } } };

    body = im_str_set(data, size);

    if (im_emulation_session_decode(&keys, body, id) == IM_OK) {
        im_emulation_session(&keys, id, text);

        if (!im_str_eq(im_str_set(text, sizeof(text)), body)) {
            abort();
        }
    }

    fuzz_body(im_str_set(NULL, 0), body);
    fuzz_body(im_str_z(IM_EMULATION_BINARY), body);

    return 0;
}


static void
fuzz_body(im_str_t type, im_str_t body)
{
    im_buf_t         arena;
    const char      *why;
    im_emulation_t   e;

    im_buf_init(&arena, body.len);
    why = NULL;

    if (im_emulation_decode(type, body, &arena, &e, &why) == IM_OK) {
        if (e.session.len == 0 || e.node.len == 0 || e.data.len > body.len) {
            abort();
        }

        fuzz_entry(&e);

    } else if (why == NULL) {
        abort();
    }

    im_buf_cleanup(&arena);
}


static void
fuzz_entry(const im_emulation_t *e)
{
    im_buf_t     b;
    im_entry_t   entry;
    im_reader_t  r;

    im_buf_init(&b, 64 + e->session.len + e->data.len);
    im_emulation_entry(&entry, e, e->data.len);
    im_entry_encode(&b, &entry);

    im_reader_init(&r, im_buf_str(&b));

    if (b.failed) {
        if (e->session.len <= UINT8_MAX) {
            abort();
        }

    } else if (im_entry_decode(&r, &entry) != IM_OK
               || entry.kind != IM_PUSH_INPUT
               || entry.seq != e->data.len
               || !im_str_eq(entry.topic, e->session)
               || !im_str_eq(entry.envelope, e->data)
               || im_entry_decode(&r, &entry) != IM_DECLINED)
    {
        abort();
    }

    im_buf_cleanup(&b);
}
