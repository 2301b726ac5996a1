/*
 * Copyright (C) The im authors
 *
 * The plain protocol: any first message, any rooms and positions, any payload
 * with any tags.
 */

#include <stdlib.h>

#include "im_request.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_first(im_str_t s)
{
    im_str_t      rest;
    im_buf_t      arena, b;
    im_uint_t     i;
    im_command_t  c;

    rest = s;

    im_buf_init(&arena, 1 << 20);
    im_buf_init(&b, 1 << 20);

    im_proto_plain_meta.decode(&rest, 0, &arena, &c);

    if (rest.len > 0
        || (c.type != IM_COMMAND_CONNECT && c.type != IM_COMMAND_FAULT)
        || c.nresumes > IM_RESUMES_MAX)
    {
        abort();
    }

    for (i = 0; i < c.nresumes; i++) {
        im_buf_add_str(&b, c.resumes[i].topic);
        im_buf_add_str(&b, c.resumes[i].since.epoch);
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&b);
}


/* What is made of any rooms and position can be read again. */
static void
fuzz_request(im_str_t s)
{
    im_buf_t      names, b;
    const char   *why;
    im_request_t  request, other;

    memset(&request, 0, sizeof(im_request_t));

    im_buf_init(&names, s.len + 1);
    im_buf_init(&b, 1 << 20);

    if (im_request_rooms(&request, s, IM_REQUEST_ROOMS, &names, &why)
        == IM_OK)
    {
        request.position = im_str_set(s.data, im_min(s.len, 8192));
        request.token = request.position;

        im_request_encode(&b, &request);

        if (b.failed || im_request_decode(im_buf_str(&b), &other) != IM_OK
            || other.nrooms != request.nrooms)
        {
            abort();
        }

        fuzz_first(im_buf_str(&b));
    }

    im_buf_cleanup(&names);
    im_buf_cleanup(&b);
}


/* Each line of an event is a field that is known. */
static void
fuzz_lines(im_buf_t *b)
{
    size_t    i, start;
    im_str_t  line;

    for (i = 0, start = 0; i < b->len; i++) {
        if (b->data[i] != '\n' && b->data[i] != '\r') {
            continue;
        }

        line = im_str_set(b->data + start, i - start);
        start = i + 1;

        if (b->data[i] == '\r'
            || (line.len > 0 && !im_str_begins(line, im_str_z("data: "))
                && !im_str_begins(line, im_str_z("event: "))
                && !im_str_eq(line, im_str_z("id: e:7"))))
        {
            abort();
        }
    }

    if (b->failed || start != b->len) {
        abort();
    }
}


static void
fuzz_message(im_str_t s, uint8_t type)
{
    im_buf_t       b;
    im_message_t   m;
    im_envelope_t  e;

    memset(&m, 0, sizeof(im_message_t));
    memset(&e, 0, sizeof(im_envelope_t));

    e.type = type;
    e.data = s;
    e.tags = s;

    m.epoch = im_str_z("e");
    m.seq = 7;
    m.numbered = 1;
    m.envelope = &e;

    im_buf_init(&b, 1 << 24);

    im_proto_plain.forms[IM_FORM_POSITIONS]->message(&b, &im_transport_sse,
                                                     &m);
    fuzz_lines(&b);

    im_buf_reset(&b, b.size);
    im_proto_plain_meta.forms[IM_FORM_POSITIONS]->message(&b, &im_transport_ws,
                                                          &m);
    im_proto_plain.forms[IM_FORM_PLAIN]->message(&b, &im_transport_stream, &m);

    if (b.failed) {
        abort();
    }

    im_buf_cleanup(&b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  s;

    s = im_str_set(data, size);

    fuzz_first(s);
    fuzz_request(s);
    fuzz_message(s, IM_PUSH_TEXT);
    fuzz_message(s, IM_PUSH_BINARY);

    return 0;
}
