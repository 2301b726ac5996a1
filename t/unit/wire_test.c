/*
 * Copyright (C) The im authors
 *
 * The tables of protocols, and the numbers of wires.
 */

#include "test.h"
#include "im_wire.h"


static void
test_protocols(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 256);
    im_proto_names(&b, 0, 0);
    test_str(im_buf_str(&b), "protocol=im, protocol=centrifuge, "
                             "protocol=centrifuge_uni, protocol=goim, "
                             "protocol=plain or "
                             "protocol=echo");
    im_buf_reset(&b, 0);
    im_proto_names(&b, 1, 0);
    test_str(im_buf_str(&b), "protocol=centrifuge, "
                             "protocol=centrifuge_uni or protocol=plain");
    im_buf_reset(&b, 0);
    im_proto_names(&b, 0, IM_TRANSPORT_TCP);
    test_str(im_buf_str(&b), "protocol=goim");
    im_buf_cleanup(&b);

    assert_ptr_equal(im_proto_find(im_str_z("im")), &im_proto_im);
    assert_ptr_equal(im_proto_find(im_str_z("centrifuge")),
                     &im_proto_centrifuge);
    assert_ptr_equal(im_proto_find(im_str_z("echo")), &im_proto_echo);

    assert_null(im_proto_find(im_str_z("")));
    assert_null(im_proto_find(im_str_z("ech")));
    assert_null(im_proto_find(im_str_z("echo2")));
    assert_null(im_proto_find(im_str_z("IM")));
}


/* The argument that the request of a test has. */
static int
has(void *data, const im_arg_t *arg)
{
    return strcmp(data, arg->name) == 0;
}


/* The client's first known subprotocol, or an argument, chooses a variant. */
static void
test_variants(void **state)
{
    static const im_arg_t  args[] = { { "format", "b" }, { NULL, NULL } };

    static const im_proto_t  b = {
        .name = "a", .subprotocol = "a-b", .args = args, .type = "x/b",
        .transports = IM_TRANSPORT_STREAM
    };

    static const im_proto_t *const  variants[] = { &b, NULL };

    static const im_proto_t  a = {
        .name = "a", .subprotocol = "a-a", .variants = variants
    };

    (void) state;

    assert_ptr_equal(im_proto_listed(&a, im_str_z("a-a")), &a);
    assert_ptr_equal(im_proto_listed(&a, im_str_z("x, A-B , a-a")), &b);
    assert_ptr_equal(im_proto_listed(&a, im_str_z("a-a,a-b")), &a);
    assert_null(im_proto_listed(&a, im_str_z("a-")));
    assert_null(im_proto_listed(&a, im_str_z("")));
    assert_null(im_proto_listed(&im_proto_echo, im_str_z("a-a")));

    assert_ptr_equal(im_proto_typed(&a, im_str_z("x/b"), IM_TRANSPORT_STREAM),
                     &b);
    assert_ptr_equal(im_proto_typed(&a, im_str_z("x/b"), IM_TRANSPORT_SSE),
                     &a);
    assert_ptr_equal(im_proto_typed(&a, im_str_z("x/b;"), IM_TRANSPORT_STREAM),
                     &a);
    assert_ptr_equal(im_proto_typed(&a, im_str_z(""), IM_TRANSPORT_STREAM),
                     &a);
    assert_ptr_equal(im_proto_asked(&a, has, "format"), &b);
    assert_null(im_proto_asked(&a, has, "other"));
    assert_null(im_proto_asked(&im_proto_echo, has, "format"));
}


/* Different forms have different numbers, and a number gives its form back. */
static void
test_wires(void **state)
{
    size_t        i, k, n;
    im_form_e     form;
    im_wire_t     wire;
    im_wire_id_t  id, ids[2 * IM_FORMS];

    static const im_proto_t *const  protos[] = {
        &im_proto_im, &im_proto_centrifuge
    };

    (void) state;

    n = 0;

    for (i = 0; i < test_count(protos); i++) {
        for (form = IM_FORM_PLAIN; form < IM_FORMS; form++) {

            id = im_wire_id(protos[i], form, &im_transport_ws);
            wire = im_wire(id);

            assert_ptr_equal(wire.form, protos[i]->forms[form]);
            assert_ptr_equal(wire.transport, &im_transport_ws);
            assert_non_null(wire.form->message);

            /* a filter of the caller's changes neither */

            assert_ptr_equal(im_wire(id | 0x70000).form, wire.form);
            assert_ptr_equal(im_wire(id | 0x70000).transport, wire.transport);

            for (k = 0; k < n; k++) {
                assert_int_equal(ids[k] == id,
                                 im_wire(ids[k]).form == wire.form);
            }

            ids[n++] = id;
        }
    }
}


/* What followers of each form can receive. */
static void
test_forms(void **state)
{
    const im_form_t  *const *forms;

    (void) state;

    forms = im_proto_im.forms;
    assert_non_null(forms[IM_FORM_PLAIN]->room_info);
    assert_null(forms[IM_FORM_PLAIN]->moved);
    assert_non_null(forms[IM_FORM_POSITIONS]->moved);
    assert_null(forms[IM_FORM_JOINS]->presence);

    forms = im_proto_centrifuge.forms;
    assert_null(forms[IM_FORM_PLAIN]->room_info);
    assert_null(forms[IM_FORM_PLAIN]->presence);
    assert_non_null(forms[IM_FORM_JOINS]->presence);
    assert_non_null(forms[IM_FORM_JOINS]->moved);
}


/* Rows of a protocol have one number, and all the transports of it. */
static void
test_numbers(void **state)
{
    im_uint_t  i, n;

    (void) state;

    for (i = 0, n = 0; i < IM_PROTOS; i++) {
        if (im_proto_name(i) != NULL) {
            n++;
            assert_int_equal(im_proto_number(im_proto_find(
                                 im_str_z(im_proto_name(i)))), i);
            assert_true(im_proto_kinds(i) != 0);

        } else {
            assert_int_equal(im_proto_kinds(i), 0);
        }
    }

    assert_true(n < IM_PROTOS);
    assert_int_equal(im_proto_number(&im_proto_centrifuge_pb),
                     im_proto_number(&im_proto_centrifuge));
    assert_int_equal(im_proto_kinds(im_proto_number(&im_proto_goim)),
                     IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_TCP);

    for (i = 0; i < IM_REASONS; i++) {
        assert_non_null(im_reason_names[i]);
    }
}


/* A protocol's own codes, or the transport's. */
static void
test_codes(void **state)
{
    im_reason_e  reason;

    (void) state;

    assert_int_equal(im_wire_code(&im_proto_im, &im_transport_ws,
                                  IM_REASON_DRAIN), 1012);
    assert_int_equal(im_wire_code(&im_proto_im, &im_transport_ws,
                                  IM_REASON_SLOW), 1013);
    assert_int_equal(im_wire_code(&im_proto_echo, &im_transport_ws,
                                  IM_REASON_KICKED), 1008);
    assert_int_equal(im_wire_code(&im_proto_im, &im_transport_ws,
                                  IM_REASON_NO_PONG), 0);
    assert_int_equal(im_wire_code(&im_proto_centrifuge, &im_transport_ws,
                                  IM_REASON_LOST), 0);

    for (reason = IM_REASON_LOST + 1; reason < IM_REASON_MAX; reason++) {
        assert_true(im_wire_code(&im_proto_centrifuge, &im_transport_ws,
                                 reason) > 1000);
        assert_true(reason == IM_REASON_NO_PONG
                    || im_transport_ws.codes[reason] > 1000);
    }
}


static void
test_transports(void **state)
{
    im_buf_t  b;

    (void) state;

    assert_ptr_equal(im_transport_find(im_str_z("websocket")),
                     &im_transport_ws);
    assert_ptr_equal(im_transport_find(im_str_z("sse")), &im_transport_sse);
    assert_ptr_equal(im_transport_find(im_str_z("http_stream")),
                     &im_transport_stream);
    assert_null(im_transport_find(im_str_z("")));
    assert_null(im_transport_find(im_str_z("SSE")));

    assert_ptr_equal(im_transport_of(IM_TRANSPORT_WEBSOCKET),
                     &im_transport_ws);
    assert_ptr_equal(im_transport_of(IM_TRANSPORT_STREAM),
                     &im_transport_stream);

    im_buf_init(&b, 256);
    im_transport_names(&b, IM_TRANSPORTS_HTTP);
    test_str(im_buf_str(&b), "websocket, sse or http_stream");
    im_buf_reset(&b, 0);
    im_transport_names(&b, IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM);
    test_str(im_buf_str(&b), "sse or http_stream");
    im_buf_reset(&b, 0);
    im_transport_names(&b, IM_TRANSPORT_STREAM);
    test_str(im_buf_str(&b), "http_stream");
    im_buf_cleanup(&b);
}


/* Each row is found by its own names alone. */
static void
test_rows(void **state)
{
    size_t  i;

    static const im_proto_t *const  protos[IM_PROTOS] = {
        &im_proto_im, &im_proto_centrifuge, &im_proto_centrifuge_pb,
        &im_proto_uni, &im_proto_goim, &im_proto_plain, &im_proto_plain_meta,
        &im_proto_echo
    };
    static const im_transport_t *const  transports[] = {
        &im_transport_ws, &im_transport_ws_deflate,
        &im_transport_ws_deflate_small, &im_transport_sse,
        &im_transport_stream, &im_transport_tcp
    };

    (void) state;

    for (i = 0; i < IM_PROTOS; i++) {
        assert_ptr_equal(im_proto_row(im_str_z(protos[i]->name),
                                      im_str_z(protos[i]->subprotocol != NULL
                                               ? protos[i]->subprotocol : "")),
                         protos[i]);
    }

    for (i = 0; i < test_count(transports); i++) {
        assert_ptr_equal(im_transport_row(im_str_z(transports[i]->name),
                                          transports[i]->window),
                         transports[i]);
    }

    assert_null(im_proto_row(im_str_z("im"), im_str_z("x")));
    assert_null(im_proto_row(im_str_z(""), im_str_z("")));
    assert_null(im_transport_row(im_str_z("websocket"), 15));
    assert_null(im_transport_row(im_str_z("tcp"), 12));
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_protocols),
    alloc_test(test_variants),
    alloc_test(test_wires),
    alloc_test(test_forms),
    alloc_test(test_numbers),
    alloc_test(test_codes),
    alloc_test(test_transports),
    alloc_test(test_rows)
};

test_main(tests)
