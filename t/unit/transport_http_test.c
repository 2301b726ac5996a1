/*
 * Copyright (C) The im authors
 *
 * Server-sent events and HTTP streaming: the frames of messages, whatever line
 * ends are in them.
 */

#include "test.h"
#include "im_transport.h"


#define MAX_TEXT  512


static im_buf_t  b;


static void
expect_frame(const im_transport_t *transport, im_kind_e kind,
    const char *message, size_t len, const char *wanted)
{
    size_t  start;

    im_buf_init(&b, MAX_TEXT);
    im_buf_add_z(&b, "-");

    start = im_frame_start(&b, transport);
    im_buf_add(&b, message, len);
    im_frame_end(&b, transport, start, kind);

    test_str(im_buf_str(&b), wanted);
    im_buf_cleanup(&b);
}


static void
expect(const char *message, const char *wanted)
{
    expect_frame(&im_transport_sse, IM_KIND_TEXT, message, strlen(message),
                 wanted);
}


static void
test_events(void **state)
{
    (void) state;

    expect("{}", "-data: {}\n\n");
    expect("", "-data: \n\n");
    expect(" x", "-data:  x\n\n");

    expect("a\nb", "-data: a\ndata: b\n\n");
    expect("a\rb", "-data: a\ndata: b\n\n");
    expect("a\r\nb", "-data: a\ndata: b\n\n");
    expect("a\n\rb", "-data: a\ndata: \ndata: b\n\n");
    expect("a\r\r\nb", "-data: a\ndata: \ndata: b\n\n");

    expect("\n", "-data: \ndata: \n\n");
    expect("\r\n", "-data: \ndata: \n\n");
    expect("\nab\r", "-data: \ndata: ab\ndata: \n\n");
    expect("a\n\n\nb", "-data: a\ndata: \ndata: \ndata: b\n\n");
}


static void
test_fields(void **state)
{
    im_fields_t  fields;

    (void) state;

    memset(&fields, 0, sizeof(im_fields_t));
    im_buf_init(&b, MAX_TEXT);

    im_frame_fields(&b, &im_transport_sse, &fields);
    assert_int_equal(b.len, 0);

    fields.id = im_str_z("e1:7");
    fields.event = im_str_z("reset");
    fields.retry = 2000;

    im_frame_fields(&b, &im_transport_sse, &fields);
    test_str(im_buf_str(&b), "id: e1:7\nevent: reset\nretry: 2000\n");

    /* what would break the event is left out */

    im_buf_reset(&b, MAX_TEXT);

    fields.id = im_str_z("a\nb");
    fields.event = im_str_z("a\rb");
    im_frame_fields(&b, &im_transport_sse, &fields);

    fields.id = im_str_set("a\0b", 3);
    fields.event = im_str_z("x");
    fields.retry = 0;
    im_frame_fields(&b, &im_transport_sse, &fields);

    test_str(im_buf_str(&b), "retry: 2000\nevent: x\n");

    im_buf_reset(&b, MAX_TEXT);
    im_frame_fields(&b, &im_transport_stream, &fields);
    im_frame_fields(&b, &im_transport_ws, &fields);
    assert_int_equal(b.len, 0);

    im_buf_cleanup(&b);
}


static void
test_stream(void **state)
{
    (void) state;

    expect_frame(&im_transport_stream, IM_KIND_TEXT, "{}", 2, "-{}\n");
    expect_frame(&im_transport_stream, IM_KIND_TEXT, "", 0, "-\n");
    expect_frame(&im_transport_stream, IM_KIND_BINARY, "\x01\x02", 2,
                 "-\x01\x02");
}


static void
test_rows(void **state)
{
    size_t       i;
    im_reason_e  reason;

    static const im_transport_t *const  rows[] = {
        &im_transport_sse, &im_transport_stream
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        assert_null(rows[i]->decode);
        assert_null(rows[i]->close);

        for (reason = IM_REASON_LOST; reason < IM_REASON_MAX; reason++) {
            assert_int_equal(rows[i]->codes[reason],
                             im_transport_ws.codes[reason]);
        }
    }

    im_buf_init(&b, MAX_TEXT);
    im_transport_sse.ping(&b);
    test_str(im_buf_str(&b), ":\n\n");
    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    size_t  size, start;

    (void) state;

    /* data: a LF data: b LF LF, cut at each point */

    for (size = 0; size <= 17; size++) {
        im_buf_init(&b, size);

        start = im_frame_start(&b, &im_transport_sse);
        im_buf_add_z(&b, "a\rb");
        im_frame_end(&b, &im_transport_sse, start, IM_KIND_TEXT);

        assert_int_equal(b.failed, size < 17);
        im_buf_cleanup(&b);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_events),
    alloc_test(test_fields),
    alloc_test(test_stream),
    alloc_test(test_rows),
    alloc_test(test_no_memory)
};

test_main(tests)
