/*
 * Copyright (C) The im authors
 *
 * Offers of permessage-deflate: those of browsers and libraries, and what RFC
 * 7692 declines.
 */

#include "test.h"
#include "im_wire.h"
#include "im_offer.h"


#define ACCEPTED  "permessage-deflate; server_no_context_takeover; "          \
                  "client_no_context_takeover"


typedef struct {
    const char  *offers;
    unsigned     window;     /* 0: declined */
    int          asked;
} case_t;


static const case_t  cases[] = {

    /* Firefox and Safari; Chromium, node's ws and Python's websockets */
    { "permessage-deflate", 15, 0 },
    { "permessage-deflate; client_max_window_bits", 15, 0 },
    /* gorilla/websocket */
    { "permessage-deflate; server_no_context_takeover; "
      "client_no_context_takeover", 15, 0 },
    /* Autobahn */
    { "permessage-deflate; client_no_context_takeover; client_max_window_bits",
      15, 0 },
    { "permessage-deflate; server_no_context_takeover; "
      "server_max_window_bits=9; client_no_context_takeover; "
      "client_max_window_bits", 9, 1 },

    { "permessage-deflate;server_max_window_bits=15", 15, 1 },
    { "permessage-deflate;server_max_window_bits=\"12\"", 12, 1 },
    { "permessage-deflate;server_max_window_bits=\"1\\2\"", 12, 1 },
    { "permessage-deflate;client_max_window_bits=8", 15, 0 },
    { "x-webkit-deflate-frame, permessage-deflate", 15, 0 },
    { "permessage-bzip2; a=b, ,permessage-deflate", 15, 0 },

    /* the first acceptable one */
    { "permessage-deflate; server_max_window_bits=10, permessage-deflate",
      10, 1 },
    { "permessage-deflate; server_max_window_bits=8, permessage-deflate",
      15, 0 },
    { "permessage-deflate; foo, permessage-deflate; client_max_window_bits=16,"
      " permessage-deflate; server_max_window_bits=11", 11, 1 },

    /* none */
    { "", 0, 0 },
    { "x-webkit-deflate-frame", 0, 0 },
    { "Permessage-Deflate", 0, 0 },
    { "permessage-deflate2", 0, 0 },
    { "permessage-deflate; foo", 0, 0 },
    { "permessage-deflate; foo=1; client_max_window_bits", 0, 0 },
    { "permessage-deflate; server_max_window_bits", 0, 0 },
    { "permessage-deflate; server_max_window_bits=8", 0, 0 },
    { "permessage-deflate; server_max_window_bits=7", 0, 0 },
    { "permessage-deflate; server_max_window_bits=16", 0, 0 },
    { "permessage-deflate; server_max_window_bits=012", 0, 0 },
    { "permessage-deflate; server_max_window_bits=1a", 0, 0 },
    { "permessage-deflate; server_max_window_bits=1/", 0, 0 },
    { "permessage-deflate; server_max_window_bits=123456789012345678", 0, 0 },
    { "permessage-deflate; client_max_window_bits=7", 0, 0 },
    { "permessage-deflate; client_max_window_bits=\"123456789012345678\"",
      0, 0 },
    { "permessage-deflate; server_no_context_takeover=1", 0, 0 },
    { "permessage-deflate; client_no_context_takeover=\"x\"", 0, 0 },

    /* twice */
    { "permessage-deflate; server_no_context_takeover; "
      "server_no_context_takeover", 0, 0 },
    { "permessage-deflate; client_max_window_bits; "
      "client_max_window_bits=12", 0, 0 },
    { "permessage-deflate; server_max_window_bits=9; "
      "server_max_window_bits=9", 0, 0 },

    /* malformed: nothing behind the fault counts */
    { "permessage-deflate; client_max_window_bits=", 0, 0 },
    { "permessage-deflate;;", 0, 0 },
    { "permessage-deflate; a=\"b, permessage-deflate", 0, 0 },
    { "(, permessage-deflate", 0, 0 }
};


static void
test_offers(void **state)
{
    int           asked;
    size_t        i;
    unsigned      window;
    const case_t *c;

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        c = &cases[i];
        window = 0;
        asked = 0;

        if (im_offer_deflate(im_str_z(c->offers), 9, &window, &asked)
            != (c->window > 0)
            || window != c->window || asked != c->asked)
        {
            fail_msg("\"%s\": %u, %d", c->offers, window, asked);
        }
    }

    assert_true(im_offer_deflate(im_str_z("permessage-deflate; "
                                          "server_max_window_bits=8"), 8,
                                 &window, &asked));
    assert_int_equal(window, 8);
}


/* A client that asks for a window gets a row that keeps to it. */
static void
test_answers(void **state)
{
    size_t                  i;
    char                    offers[128];
    im_buf_t                b;
    const im_transport_t   *transport;

    static const struct {
        unsigned              window;
        const im_transport_t *transport;
        const char           *answer;
    } answers[] = {
        { 15, &im_transport_ws_deflate,
          ACCEPTED "; server_max_window_bits=12" },
        { 12, &im_transport_ws_deflate,
          ACCEPTED "; server_max_window_bits=12" },
        { 11, &im_transport_ws_deflate_small,
          ACCEPTED "; server_max_window_bits=9" },
        { 9, &im_transport_ws_deflate_small,
          ACCEPTED "; server_max_window_bits=9" },
        { 8, NULL, "" }
    };

    (void) state;

    im_buf_init(&b, IM_TRANSPORT_ANSWER_MAX);

    transport = im_transport_extended(im_str_z("permessage-deflate"), &b);
    assert_ptr_equal(transport, &im_transport_ws_deflate);
    test_str(im_buf_str(&b), ACCEPTED);

    for (i = 0; i < test_count(answers); i++) {
        snprintf(offers, sizeof(offers),
                 "permessage-deflate; server_max_window_bits=%u",
                 answers[i].window);

        im_buf_reset(&b, 0);
        transport = im_transport_extended(im_str_z(offers), &b);

        assert_ptr_equal(transport, answers[i].transport);
        test_str(im_buf_str(&b), answers[i].answer);
        assert_false(b.failed);
    }

    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_offers),
    alloc_test(test_answers)
};

test_main(tests)
