/*
 * Copyright (C) The im authors
 *
 * Pages of history: calls that go out, replies of each form, readers of the
 * same range.
 */

#include "test.h"
#include "link_fake.h"
#include "im_link_history.h"


static im_link_history_t  *history;
static size_t              ngot, nfailed;
static im_link_page_t      got;        /* only its numbers */
static char                ids[256];


static void
handler(const im_link_page_t *page, void *data)
{
    char       *p;
    im_uint_t   i;

    (void) data;

    if (page->why != NULL) {
        assert_int_equal(page->n, 0);
        nfailed++;
        return;
    }

    ngot++;
    got = *page;

    for (i = 0, p = ids, ids[0] = 0; i < page->n; i++) {
        p += sprintf(p, "%d=%.*s ", (int) page->messages[i].seq,
                     (int) page->messages[i].envelope->data.len,
                     (char *) page->messages[i].envelope->data.data);
    }
}


static im_int_t
ask(const char *topic, uint64_t since, int reverse)
{
    im_link_range_t  range;

    range.topic = im_str_z(topic);
    range.since = since;
    range.limit = 10;
    range.bytes = 999;
    range.reverse = reverse;

    return im_link_history_read(history, &range, handler, NULL);
}


static void
start(void)
{
    fake_start();
    ngot = 0;
    nfailed = 0;

    history = im_link_history_create(NULL);
    assert_non_null(history);
}


static void
end(void)
{
    im_link_history_destroy(history);
    fake_end();
}


/* A reply with these messages; bytes of an envelope may be 0. */
static void
answer_page(const char *epoch, int top, const char *const *list, size_t n)
{
    size_t         i;
    im_buf_t       b, e;
    redisReply    *reply;
    redisReader   *reader;
    im_envelope_t  envelope;
    out_t          o;

    im_buf_init(&b, 1 << 16);
    im_buf_add_z(&b, "*4\r\n$");
    im_buf_add_uint(&b, strlen(epoch));
    im_buf_add_z(&b, "\r\n");
    im_buf_add_z(&b, epoch);
    im_buf_add_z(&b, "\r\n:");
    im_buf_add_int(&b, top);
    im_buf_add_z(&b, "\r\n$3\r\no:1\r\n*");
    im_buf_add_uint(&b, n);
    im_buf_add_z(&b, "\r\n");

    for (i = 0; i < n; i++) {
        memset(&envelope, 0, sizeof(im_envelope_t));
        envelope.data = im_str_z(list[i]);
        im_buf_init(&e, 4096);
        im_envelope_encode(&e, &envelope);

        im_buf_add_z(&b, "*2\r\n$");
        im_buf_add_uint(&b, strlen(list[i]));
        im_buf_add_z(&b, "\r\n");
        im_buf_add_z(&b, list[i]);
        im_buf_add_z(&b, "\r\n*2\r\n$1\r\nd\r\n$");
        im_buf_add_uint(&b, e.len);
        im_buf_add_z(&b, "\r\n");
        im_buf_add_str(&b, im_buf_str(&e));
        im_buf_add_z(&b, "\r\n");
        im_buf_cleanup(&e);
    }

    reader = redisReaderCreate();
    assert_int_equal(redisReaderFeed(reader, (char *) b.data, b.len),
                     REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, (void **) &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    im_buf_cleanup(&b);

    assert_true(nout > 0);
    o = out[0];
    memmove(&out[0], &out[1], --nout * sizeof(out_t));
    o.handler(reply, o.data);
    freeReplyObject(reply);
}


static void
test_page(void **state)
{
    static const char *const  list[] = { "4-1", "5-1" };

    (void) state;

    start();

    assert_int_equal(ask("r:x", 3, 0), IM_OK);
    test_str(im_str_z(out[0].text),
             "page im:{0}:r:x:m im:{0}:r:x:h  3 10 999");
    answer_page("e", 7, list, 2);
    assert_int_equal(ngot, 1);
    test_str(im_str_z(ids), "4=4-1 5=5-1 ");
    assert_int_equal(got.top, 7);

    assert_int_equal(ask("r:x", 0, 1), IM_OK);
    test_str(im_str_z(out[0].text),
             "page im:{0}:r:x:m im:{0}:r:x:h 1  10 999");
    answer_page("", 0, NULL, 0);
    assert_int_equal(ngot, 2);
    assert_int_equal(got.epoch.len, 0);
    assert_int_equal(got.n, 0);

    end();
}


static void
test_shared(void **state)
{
    size_t  i;

    (void) state;

    start();

    /* the first one is out; all others of its range are one question */

    for (i = 0; i < 5; i++) {
        assert_int_equal(ask("r:x", 3, 0), IM_OK);
    }

    assert_int_equal(nout, 1);
    assert_int_equal(ask("r:x", 3, 1), IM_OK);
    assert_int_equal(ask("r:x", 4, 0), IM_OK);
    assert_int_equal(ask("r:y", 3, 0), IM_OK);
    assert_int_equal(nout, 4);

    answer_page("e", 7, NULL, 0);
    assert_int_equal(ngot, 1);
    assert_int_equal(nout, 4);

    for (i = 0; i < 3; i++) {
        answer_page("e", 7, NULL, 0);
    }

    assert_int_equal(ngot, 4);
    assert_int_equal(ask("r:x", 3, 0), IM_OK);
    assert_int_equal(nout, 1);
    answer_page("e", 8, NULL, 0);
    assert_int_equal(ngot, 8);
    answer_page("e", 9, NULL, 0);
    assert_int_equal(ngot, 9);

    /* Redis goes while others wait */

    assert_int_equal(ask("r:x", 3, 0), IM_OK);
    assert_int_equal(ask("r:x", 3, 0), IM_OK);
    refuse = 1;
    answer(NULL);
    assert_int_equal(nfailed, 2);
    assert_int_equal(ask("r:x", 3, 0), IM_ERROR);

    end();
}


static void
test_forms(void **state)
{
    size_t  i;

    static const char *const  ids_bad[] = {
        "", "-1", "x-1", "4", "0-1", "1234567890123456789-1"
    };
    static const char *const  forms[] = {
        "-ERR no\r\n", ":1\r\n", "*0\r\n",
        "*4\r\n$1\r\ne\r\n:1\r\n$0\r\n\r\n*1\r\n:1\r\n",
        "*4\r\n$1\r\ne\r\n:1\r\n$0\r\n\r\n*1\r\n*2\r\n$3\r\n4-1\r\n*2\r\n"
        "$1\r\nd\r\n$1\r\nx\r\n"
    };

    (void) state;

    start();

    for (i = 0; i < test_count(ids_bad); i++) {
        assert_int_equal(ask("r:x", 3, 0), IM_OK);
        answer_page("e", 7, &ids_bad[i], 1);
        assert_int_equal(nfailed, i + 1);
    }

    for (i = 0; i < test_count(forms); i++) {
        assert_int_equal(ask("r:x", 3, 0), IM_OK);
        answer(forms[i]);
    }

    assert_int_equal(ngot, 0);
    assert_int_equal(nfailed, test_count(ids_bad) + test_count(forms));

    end();
}


static void
test_no_memory(void **state)
{
    unsigned long  n;

    (void) state;

    for (n = 1; ; n++) {
        start();
        alloc_fail_at(n);

        if (ask("r:x", 3, 0) == IM_OK) {
            answer("*4\r\n$1\r\ne\r\n:1\r\n$0\r\n\r\n*0\r\n");
            assert_int_equal(ngot + nfailed, 1);
        }

        if (!alloc_failed()) {
            break;
        }

        alloc_fail_at(0);
        end();
    }

    alloc_fail_at(0);
    assert_int_equal(ngot, 1);
    end();
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_page),
    alloc_test(test_shared),
    alloc_test(test_forms),
    alloc_test(test_no_memory)
};

test_main(tests)
