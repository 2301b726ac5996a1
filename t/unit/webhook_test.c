/*
 * Copyright (C) The im authors
 *
 * Questions to a backend and its answers.
 */

#include "test.h"
#include "copy.h"
#include "im_json.h"
#include "im_webhook.h"


#define COMMON  "{\"client\":\"id\",\"transport\":\"websocket\"," \
                "\"protocol\":\"json\",\"encoding\":\"json\""


static im_buf_t             arena;
static im_webhook_answer_t  answer;
static const char          *why;


static im_int_t
decode(const char *text)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, IM_WEBHOOK_ARENA);
    why = NULL;

    return im_webhook_decode(im_str_z(text), &arena, &answer, &why);
}


static void
done(void)
{
    im_webhook_cleanup(&answer);
    im_buf_cleanup(&arena);
}


static void
test_encode(void **state)
{
    size_t            i;
    im_buf_t          b;
    im_webhook_ask_t  ask;

    static const char *const  wanted[] = {
        COMMON ",\"user\":\"u\\\\\",\"name\":\"js\",\"version\":\"5\","
        "\"data\":{\"x\": 1}}",
        COMMON ",\"user\":\"u\\\\\",\"meta\":[1],\"channel\":\"c\\u000a\","
        "\"token\":\"t\",\"data\":{\"x\": 1}}",
        COMMON ",\"user\":\"u\\\\\",\"meta\":[1],\"channel\":\"c\\u000a\","
        "\"data\":{\"x\": 1}}",
        COMMON ",\"user\":\"u\\\\\",\"meta\":[1],\"method\":\"m\","
        "\"data\":{\"x\": 1}}",
        COMMON ",\"user\":\"u\\\\\",\"meta\":[1]}",
        COMMON ",\"user\":\"u\\\\\",\"meta\":[1],\"channel\":\"c\\u000a\"}"
    };
    static const char *const  bare[] = {
        COMMON "}",
        COMMON ",\"user\":\"\",\"channel\":\"\"}",
        COMMON ",\"user\":\"\",\"channel\":\"\"}",
        COMMON ",\"user\":\"\",\"method\":\"\"}",
        COMMON ",\"user\":\"\"}",
        COMMON ",\"user\":\"\",\"channel\":\"\"}"
    };

    (void) state;

    for (i = 0; i < IM_WEBHOOKS; i++) {
        memset(&ask, 0, sizeof(im_webhook_ask_t));
        ask.kind = i;
        ask.client = im_str_z("id");
        ask.transport = im_str_z("websocket");
        ask.protocol = im_str_z("json");

        im_buf_init(&b, 4096);
        im_webhook_encode(&b, &ask);
        test_str(im_buf_str(&b), bare[i]);
        im_buf_cleanup(&b);

        ask.user = im_str_z("u\\");
        ask.meta = im_str_z("[1]");
        ask.name = im_str_z("js");
        ask.version = im_str_z("5");
        ask.channel = im_str_z("c\n");
        ask.token = im_str_z("t");
        ask.method = im_str_z("m");
        ask.data = im_str_z("{\"x\": 1}");

        im_buf_init(&b, 4096);
        im_webhook_encode(&b, &ask);
        test_str(im_buf_str(&b), wanted[i]);
        assert_true(im_json_valid(im_buf_str(&b)));
        im_buf_cleanup(&b);

        im_buf_init(&b, 64);
        im_webhook_encode(&b, &ask);
        assert_true(b.failed);
        im_buf_cleanup(&b);
    }
}


#define BINARY                                                                \
    "binary\",\"user\":\"\",\"method\":\"\",\"b64data\":\""

/* Any bytes that are not JSON, or could not be told from what is around. */
static void
test_encode_bytes(void **state)
{
    size_t            i;
    im_buf_t          b;
    im_webhook_ask_t  ask;

    static const char *const  cases[][2] = {
        { "[1]", "json\",\"user\":\"\",\"method\":\"\",\"data\":[1]" },
        { "hi", BINARY "aGk=\"" },
        { "\xff", BINARY "/w==\"" },
        { "1 ", BINARY "MSA=\"" }
    };
    char  wanted[256];

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        memset(&ask, 0, sizeof(im_webhook_ask_t));
        ask.kind = IM_WEBHOOK_RPC;
        ask.client = im_str_z("id");
        ask.transport = im_str_z("websocket");
        ask.protocol = im_str_z("json");
        ask.data = im_str_z(cases[i][0]);

        ask.protocol = im_str_z("protobuf");
        sprintf(wanted, "{\"client\":\"id\",\"transport\":\"websocket\","
                "\"protocol\":\"protobuf\",\"encoding\":\"%s}", cases[i][1]);

        im_buf_init(&b, 4096);
        im_webhook_encode(&b, &ask);
        test_str(im_buf_str(&b), wanted);
        im_buf_cleanup(&b);
    }
}


static void
test_result(void **state)
{
    (void) state;

    assert_int_equal(decode("{\"result\":{\"user\":\"\\u0061\",\"sub\":\"s\","
                            "\"expire_at\":1700000000,\"info\":{\"n\":1},"
                            "\"b64data\":\"MQ==\",\"channels\":[\"c\"],"
                            "\"meta\":{},\"expired\":true,"
                            "\"skip_history\":true,\"tags\":{\"t\":\"1\"},"
                            "\"idempotency_key\":\"k\",\"other\":1}}"),
                     IM_OK);

    assert_int_equal(answer.type, IM_WEBHOOK_RESULT);
    test_str(answer.result.user, "a");
    test_str(answer.result.info, "{\"n\":1}");
    test_str(answer.result.data, "1");
    test_str(answer.result.meta, "{}");
    assert_int_equal(answer.result.expires, 1700000000);
    assert_int_equal(answer.result.nsubs, 1);
    test_str(answer.result.subs[0].channel, "c");
    test_str(answer.tags, "{\"t\":\"1\"}");
    test_str(answer.key, "k");
    assert_true(answer.expired);
    assert_true(answer.skip_history);
    im_webhook_cleanup(&answer);

    assert_int_equal(decode("{\"result\":{},\"error\":null}"), IM_OK);
    assert_int_equal(answer.type, IM_WEBHOOK_RESULT);
    assert_int_equal(answer.result.user.len, 0);
    assert_int_equal(answer.result.expires, 0);
    assert_int_equal(answer.result.data.len, 0);
    assert_false(answer.expired);
    assert_false(answer.skip_history);

    assert_int_equal(decode("{}"), IM_OK);
    assert_int_equal(answer.type, IM_WEBHOOK_NOTHING);
    assert_int_equal(decode("{\"result\":null,\"x\":1}"), IM_OK);
    assert_int_equal(answer.type, IM_WEBHOOK_NOTHING);

    done();
}


static void
test_codes(void **state)
{
    size_t  i;
    char    text[300];

    static const int  errors[] = { 100, 403, 1999 };
    static const int  disconnects[] = { 3000, 4000, 4501, 4999 };

    (void) state;

    for (i = 0; i < test_count(errors); i++) {
        sprintf(text, "{\"result\":{},\"error\":{\"code\":%d,"
                "\"message\":\"m\",\"temporary\":%s}}", errors[i],
                i ? "true" : "false");
        assert_int_equal(decode(text), IM_OK);
        assert_int_equal(answer.type, IM_WEBHOOK_ERROR);
        assert_int_equal(answer.code, errors[i]);
        assert_int_equal(answer.temporary, i > 0);
        test_str(answer.reason, "m");
    }

    for (i = 0; i < test_count(disconnects); i++) {
        sprintf(text, "{\"error\":{\"code\":1},\"disconnect\":{\"code\":%d,"
                "\"reason\":\"r\"}}", disconnects[i]);
        assert_int_equal(decode(text), IM_OK);
        assert_int_equal(answer.type, IM_WEBHOOK_DISCONNECT);
        assert_int_equal(answer.code, disconnects[i]);
        test_str(answer.reason, "r");
    }

    for (i = IM_WEBHOOK_MAX_REASON; i <= IM_WEBHOOK_MAX_REASON + 1; i++) {
        sprintf(text, "{\"disconnect\":{\"code\":4000,\"reason\":\"%0*d\"}}",
                (int) i, 0);
        assert_int_equal(decode(text),
                         i == IM_WEBHOOK_MAX_REASON ? IM_OK : IM_ERROR);
    }

    done();
}


static void
test_bad(void **state)
{
    size_t    i;
    im_str_t  huge;

    static const char *const  bad[] = {
        "", "[]", "null", "ok", "{\"result\":1}", "{\"result\":[]}",
        "{\"result\":{}} x", "{\"error\":{}}", "{\"error\":1}",
        "{\"error\":{\"code\":\"403\"}}", "{\"error\":{\"code\":99}}",
        "{\"error\":{\"code\":2000}}", "{\"error\":{\"code\":-403}}",
        "{\"error\":{\"code\":403,\"message\":1}}",
        "{\"error\":{\"code\":403,\"temporary\":1}}",
        "{\"disconnect\":{\"code\":2999}}", "{\"disconnect\":{\"code\":5000}}",
        "{\"disconnect\":{\"code\":1008}}", "{\"disconnect\":\"x\"}",
        "{\"disconnect\":{\"code\":4000,\"reason\":1}}",
        "{\"result\":{\"user\":1}}", "{\"result\":{\"expire_at\":\"x\"}}",
        "{\"result\":{\"tags\":[]}}",
        "{\"result\":{\"tags\":{\"a\":1}}}",
        "{\"result\":{\"tags\":{\"a\":\"b\",\"c\":null}}}",
        "{\"result\":{\"expired\":1}}",
        "{\"result\":{\"b64data\":\"!\"}}", "{\"result\":{\"channels\":1}}",
        "{\"result\":{\"channels\":[\"c\"],\"expired\":\"yes\"}}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        if (decode(bad[i]) != IM_ERROR) {
            fail_msg("%s is taken", bad[i]);
        }

        assert_non_null(why);
        assert_null(answer.result.subs);
    }

    huge.len = IM_WEBHOOK_MAX + 1;
    huge.data = malloc(huge.len);
    assert_non_null(huge.data);
    memset(huge.data, ' ', huge.len);
    huge.data[0] = '{';
    huge.data[1] = '}';

    im_buf_cleanup(&arena);
    im_buf_init(&arena, IM_WEBHOOK_ARENA);
    assert_int_equal(im_webhook_decode(huge, &arena, &answer, &why), IM_ERROR);
    test_str(im_str_z(why), "the answer is too long");
    assert_int_equal(arena.size, 0);
    huge.len--;
    assert_int_equal(im_webhook_decode(huge, &arena, &answer, &why), IM_OK);
    free(huge.data);

    done();
}


static void
test_cut(void **state)
{
    size_t    i;
    im_str_t  copy, text;

    (void) state;

    text = im_str_z("{\"result\":{\"user\":\"u\",\"channels\":[\"c\"],"
                    "\"b64data\":\"MQ==\"}}");

    for (i = 0; i < text.len; i++) {
        copy = copy_of(im_str_set(text.data, i));
        im_buf_init(&arena, IM_WEBHOOK_ARENA);
        why = NULL;
        assert_int_equal(im_webhook_decode(copy, &arena, &answer, &why),
                         IM_ERROR);
        im_buf_cleanup(&arena);
        free(copy.data);
    }
}


static void
test_no_memory(void **state)
{
    size_t         i;
    im_int_t       rc;
    unsigned long  n;

    static const char *const  texts[] = {
        "{\"result\":{\"user\":\"u\",\"channels\":[\"c\"],"
        "\"b64data\":\"MQ==\"}}",
        "{\"error\":{\"code\":403,\"message\":\"m\"}}"
    };

    (void) state;

    for (i = 0; i < test_count(texts); i++) {
        for (n = 1; ; n++) {
            im_buf_init(&arena, IM_WEBHOOK_ARENA);
            why = NULL;
            alloc_fail_at(n);
            rc = im_webhook_decode(im_str_z(texts[i]), &arena, &answer, &why);

            if (!alloc_failed()) {
                assert_int_equal(rc, IM_OK);
                break;
            }

            assert_int_equal(rc, IM_ERROR);
            assert_ptr_equal(why, im_json_no_memory);
            im_buf_cleanup(&arena);
        }

        alloc_fail_at(0);
        done();
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_encode),
    alloc_test(test_encode_bytes),
    alloc_test(test_result),
    alloc_test(test_codes),
    alloc_test(test_bad),
    alloc_test(test_cut),
    alloc_test(test_no_memory)
};

test_main(tests)
