/*
 * Copyright (C) The im authors
 *
 * What the workers of a handover say: the first byte is the type of a message,
 * 0 of packets, each behind its length in two bytes.  What is read is the same
 * when written; a decoder whose state came with a record bears what follows.
 */

#include <stdlib.h>

#include "im_handover.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
must(int condition)
{
    if (!condition) {
        abort();
    }
}


/* The same bytes again. */
static void
written(const im_buf_t *b, const u_char *bytes, size_t len)
{
    must(!b->failed && b->len == len);
    must(len == 0 || memcmp(b->data, bytes, len) == 0);
}


static void
fuzz_hello(im_str_t body, im_buf_t *b)
{
    im_handover_hello_t  hello;

    if (im_handover_hello_decode(body, &hello) == IM_OK
        && hello.version == IM_HANDOVER_VERSION)
    {
        im_handover_hello_encode(b, &hello);
        written(b, body.data, body.len);
    }
}


static void
fuzz_late(im_str_t body, im_buf_t *b)
{
    im_handover_late_t  late;

    if (im_handover_late_decode(body, &late) == IM_OK) {
        im_handover_late_encode(b, &late);
        written(b, body.data, body.len);
    }
}


static void
fuzz_topics(im_str_t body, im_buf_t *b)
{
    im_reader_t          r;
    im_handover_topic_t  topic;

    im_reader_init(&r, body);

    while (im_handover_topic_decode(&r, &topic) == IM_OK) {
        im_handover_topic_encode(b, &topic);
        written(b, body.data, (size_t) (r.p - body.data));
    }
}


static void
fuzz_ready(im_str_t body, im_buf_t *b)
{
    im_reader_t          r;
    im_handover_ready_t  ready;

    im_reader_init(&r, body);

    while (im_handover_ready_decode(&r, &ready) == IM_OK) {
        im_handover_ready_encode(b, &ready);
        written(b, body.data, (size_t) (r.p - body.data));
    }
}


static void
fuzz_heard(im_str_t body, im_buf_t *b)
{
    im_reader_t          r;
    im_handover_heard_t  heard;

    im_reader_init(&r, body);

    while (im_handover_heard_decode(&r, &heard) == IM_OK) {
        im_handover_heard_encode(b, &heard);
        written(b, body.data, (size_t) (r.p - body.data));
    }
}


static void
fuzz_verdicts(im_str_t body, im_buf_t *b)
{
    im_reader_t            r;
    im_handover_verdict_t  v;

    im_reader_init(&r, body);

    while (im_handover_verdict_decode(&r, &v) == IM_OK) {
        im_handover_verdict_encode(b, &v);
        written(b, body.data, (size_t) (r.p - body.data));
    }
}


/* The session's decoder gets the body as if a client had sent it. */
static void
fuzz_decoder(im_handover_session_t *s, im_str_t body)
{
    u_char            *copy, *p;
    im_int_t           rc;
    im_input_t         input;
    im_input_event_t   ev;

    input = s->partial.decoder;
    must(im_input_keep(&input) == IM_OK);

    copy = malloc(body.len);
    must(copy != NULL);
    memcpy(copy, body.data, body.len);
    p = copy;

    do {
        rc = s->transport->decode(&input, &p, copy + body.len, 65536, &ev);
        must(p >= copy && p <= copy + body.len);
    } while (rc == IM_OK);

    must(rc == IM_ERROR || p == copy + body.len);

    im_input_cleanup(&input);
    free(copy);
}


static void
fuzz_sessions(im_str_t body, im_buf_t *b)
{
    im_int_t                rc;
    const char             *why;
    im_reader_t             r;
    const u_char           *at;
    im_handover_session_t   s;

    im_reader_init(&r, body);

    do {
        at = r.p;
        rc = im_handover_session_decode(&r, &s, &why);

        if (rc == IM_OK && s.proto != NULL && s.transport != NULL) {
            im_buf_reset(b, b->size);
            im_handover_session_encode(b, &s);
            written(b, at, (size_t) (r.p - at));
        }

        if (rc == IM_OK && (s.has & IM_HANDOVER_HAS_PARTIAL)
            && s.transport != NULL)
        {
            fuzz_decoder(&s, body);
        }

        must(rc != IM_ERROR || (why != NULL && s.memory == NULL));

        im_handover_session_cleanup(&s);

    } while (rc != IM_DECLINED && !r.failed);
}


static void
fuzz_packets(im_str_t body, im_buf_t *b)
{
    size_t                len;
    im_int_t              rc;
    im_str_t              packet, whole;
    const char           *why;
    im_reader_t           r;
    im_handover_type_e    type;
    im_handover_input_t   input;

    (void) b;

    memset(&input, 0, sizeof(im_handover_input_t));
    im_reader_init(&r, body);

    do {
        len = im_reader_u16(&r);
        packet = im_reader_bytes(&r, len);

        if (r.failed) {
            break;
        }

        rc = im_handover_input(&input, packet, &type, &whole, &why);

        must(rc != IM_ERROR || why != NULL);
        must(rc != IM_OK || whole.len <= IM_HANDOVER_MAX);

    } while (rc != IM_ERROR);

    im_handover_input_cleanup(&input);
}


static void (*const  fuzz[])(im_str_t body, im_buf_t *b) = {
    [0] = fuzz_packets,
    [IM_HANDOVER_HELLO] = fuzz_hello,
    [IM_HANDOVER_WELCOME] = fuzz_hello,
    [IM_HANDOVER_TOPICS] = fuzz_topics,
    [IM_HANDOVER_READY] = fuzz_ready,
    [IM_HANDOVER_SESSIONS] = fuzz_sessions,
    [IM_HANDOVER_VERDICTS] = fuzz_verdicts,
    [IM_HANDOVER_LATE] = fuzz_late,
    [IM_HANDOVER_HEARD] = fuzz_heard
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t  b;

    if (size < 2 || data[0] >= sizeof(fuzz) / sizeof(fuzz[0])
        || fuzz[data[0]] == NULL)
    {
        return 0;
    }

    im_buf_init(&b, IM_HANDOVER_MAX);
    fuzz[data[0]](im_str_set(data + 1, size - 1), &b);
    im_buf_cleanup(&b);

    return 0;
}
