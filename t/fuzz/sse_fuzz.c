/*
 * Copyright (C) The im authors
 *
 * Server-sent events: a reader as in the HTML standard gets each message back,
 * with line feeds for line ends, and nothing else.  And the argument that has
 * the first message: what is decoded is no longer than what came.
 */

#include <stdlib.h>

#include "im_query.h"
#include "im_transport.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sse_frame(im_buf_t *b, im_str_t message);
static void sse_read(im_str_t stream, im_buf_t *text);
static void sse_plain(im_str_t message, im_buf_t *text);
static void sse_query(im_str_t query);
static void sse_must(int condition);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    half;
    im_buf_t  b, got, wanted;
    im_str_t  first, second;

    im_buf_init(&b, SIZE_MAX);
    im_buf_init(&got, SIZE_MAX);
    im_buf_init(&wanted, SIZE_MAX);

    half = size > 0 ? data[0] % size : 0;
    first = im_str_set(data, half);
    second = im_str_set(data + half, size - half);

    sse_frame(&b, first);
    sse_frame(&b, second);
    sse_read(im_buf_str(&b), &got);

    sse_plain(first, &wanted);
    sse_plain(second, &wanted);

    sse_must(im_str_eq(im_buf_str(&got), im_buf_str(&wanted)));

    sse_query(im_str_set(data, size));

    im_buf_cleanup(&b);
    im_buf_cleanup(&got);
    im_buf_cleanup(&wanted);

    return 0;
}


static void
sse_frame(im_buf_t *b, im_str_t message)
{
    size_t  start;

    start = im_frame_start(b, &im_transport_sse);
    im_buf_add_str(b, message);
    im_frame_end(b, &im_transport_sse, start, IM_KIND_TEXT);

    sse_must(!b->failed);
}


/* Lines end in LF, CR or CRLF; events end with an empty line. */
static void
sse_read(im_str_t stream, im_buf_t *text)
{
    size_t    i, start, len;
    im_buf_t  event;

    im_buf_init(&event, SIZE_MAX);

    for (i = 0, start = 0; i < stream.len; i++) {

        if (stream.data[i] != '\n' && stream.data[i] != '\r') {
            continue;
        }

        len = i - start;

        if (len == 0) {
            sse_must(event.len > 0);
            im_buf_add(text, event.data, event.len - 1);
            im_buf_add_z(text, "|");
            im_buf_reset(&event, 0);

        } else {
            sse_must(len >= 6 && memcmp(stream.data + start, "data: ", 6) == 0);
            im_buf_add(&event, stream.data + start + 6, len - 6);
            im_buf_add_z(&event, "\n");
        }

        if (stream.data[i] == '\r' && i + 1 < stream.len
            && stream.data[i + 1] == '\n')
        {
            i++;
        }

        start = i + 1;
    }

    sse_must(event.len == 0 && start == stream.len);
    im_buf_cleanup(&event);
}


static void
sse_plain(im_str_t message, im_buf_t *text)
{
    size_t  i;

    for (i = 0; i < message.len; i++) {

        if (message.data[i] != '\r') {
            im_buf_add(text, message.data + i, 1);

        } else if (i + 1 == message.len || message.data[i + 1] != '\n') {
            im_buf_add_z(text, "\n");
        }
    }

    im_buf_add_z(text, "|");
}


static void
sse_query(im_str_t query)
{
    im_int_t  rc;
    im_buf_t  value;

    im_buf_init(&value, SIZE_MAX);

    rc = im_query_arg(query, im_str_z("a"), &value);

    sse_must(value.len <= query.len);
    sse_must(rc == IM_OK || value.len == 0);

    im_buf_cleanup(&value);
}


static void
sse_must(int condition)
{
    if (!condition) {
        abort();
    }
}
