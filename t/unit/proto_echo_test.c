/*
 * Copyright (C) The im authors
 *
 * The echo protocol.
 */

#include "test.h"
#include "im_wire.h"
#include "im_ws.h"


static void
test_find(void **state)
{
    const im_proto_t  *proto;

    (void) state;

    proto = im_proto_find(im_str_z("echo"));
    assert_non_null(proto);
    assert_false(proto->topics);
    assert_false(proto->connects);

    proto = im_proto_find(im_str_z("im"));
    assert_non_null(proto);
    assert_true(proto->topics);
    assert_true(proto->connects);
}


static void
test_decode(void **state)
{
    size_t             i;
    im_buf_t           arena;
    im_str_t           rest;
    im_command_t       command;
    const im_proto_t  *proto;

    static const im_str_t  messages[] = {
        im_str(""), im_str("hello"), im_str("{\"auth\":null}"),
        im_str("\xff\x00\x01")
    };

    (void) state;

    proto = im_proto_find(im_str_z("echo"));
    im_buf_init(&arena, 1024);

    for (i = 0; i < 2 * test_count(messages); i++) {
        memset(&command, 0xa5, sizeof(im_command_t));
        rest = messages[i / 2];

        proto->decode(&rest, i & 1, &arena, &command);

        assert_int_equal(rest.len, 0);

        assert_int_equal(command.type, IM_COMMAND_ECHO);
        assert_int_equal(arena.len, 0);
    }

    im_buf_cleanup(&arena);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_find),
    alloc_test(test_decode)
};

test_main(tests)
