/*
 * Copyright (C) The im authors
 *
 * Entries of a queue, their ids and bells.
 */

#include "test.h"
#include "copy.h"
#include "im_job_entry.h"


/* A bell of a string literal, which may have NUL bytes. */
#define bell(z, n, e)                                                         \
    (memset(e, 0, sizeof(im_job_entry_t)),                                    \
     im_job_bell_decode(im_str_set(z, sizeof(z) - 1), n, e))


static void
test_id(void **state)
{
    size_t       i;
    im_job_id_t  id;

    static const char  *bad[] = {
        "", "-", "1", "1-", "-1", "1-2-3", "1-2 ", " 1-2", "1 2", "a-1", "1-b",
        "+1-2", "18446744073709551616-0", "0-18446744073709551616"
    };

    (void) state;

    assert_int_equal(im_job_id_decode(im_str_z("1700000000123-4"), &id),
                     IM_OK);
    assert_true(id.ms == 1700000000123 && id.n == 4);

    assert_int_equal(im_job_id_decode(im_str_z("18446744073709551615-"
                                               "18446744073709551615"), &id),
                     IM_OK);
    assert_true(id.ms == UINT64_MAX && id.n == UINT64_MAX);

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_job_id_decode(im_str_z(bad[i]), &id), IM_ERROR);
    }
}


static void
test_compare(void **state)
{
    im_job_id_t  a = { 5, 1 }, b = { 5, 2 }, c = { 6, 0 };

    (void) state;

    assert_int_equal(im_job_id_compare(a, a), 0);
    assert_true(im_job_id_compare(a, b) < 0);
    assert_true(im_job_id_compare(b, a) > 0);
    assert_true(im_job_id_compare(b, c) < 0);
    assert_true(im_job_id_compare(c, b) > 0);
}


static void
test_bell(void **state)
{
    uint64_t        n;
    im_job_entry_t  e;

    (void) state;

    assert_int_equal(bell("\0\0\1\3" "\00417-2" "\5r:a b" "\4e:12"
                          "\0\0\0\3w 1" " data", &n, &e), IM_OK);

    assert_true(n == 259 && e.id.ms == 17 && e.id.n == 2);
    test_str(e.topic, "r:a b");
    test_str(e.position, "e:12");
    test_str(e.workers, "w 1");
    test_str(e.envelope, " data");

    assert_int_equal(bell("\0\0\0\0" "\00417-0" "\0" "\0" "\0\0\0\0", &n,
                          &e), IM_OK);
    assert_true(n == 0 && e.topic.len == 0 && e.envelope.len == 0);

    assert_int_equal(bell("\0\0\0\077" "\00417-2", &n, &e), IM_AGAIN);
    assert_true(n == 63 && e.id.ms == 17 && e.id.n == 2);

    assert_int_equal(bell("\0\0\0\0" "\00417+2", &n, &e), IM_ERROR);
    assert_int_equal(bell("\0\0\0\0" "\00417-2" "\0" "\0" "\377\377\377\377",
                          &n, &e), IM_ERROR);
}


/* Whatever is cut off, no string reaches beyond the end. */
static void
test_bell_cut(void **state)
{
    size_t          i;
    uint64_t        n;
    im_int_t        rc;
    im_str_t        s;
    im_job_entry_t  e;

    static const char  whole[] = "\0\0\0\0" "\00417-2" "\3r:1" "\4e:12"
                                 "\0\0\0\2w1" "data";
    (void) state;

    for (i = 0; i < sizeof(whole); i++) {
        s = copy_of(im_str_set(whole, i));
        rc = im_job_bell_decode(s, &n, &e);

        /* an end behind the id, or in the envelope, is an end */

        assert_int_equal(rc, i == 9 ? IM_AGAIN
                             : i >= sizeof(whole) - 5 ? IM_OK : IM_ERROR);
        free(s.data);
    }
}


static void
test_names(void **state)
{
    im_str_t  names;

    (void) state;

    names = im_str_z("  a bc   d ");

    test_str(im_job_name_next(&names), "a");
    test_str(im_job_name_next(&names), "bc");
    test_str(im_job_name_next(&names), "d");
    test_str(im_job_name_next(&names), "");
    test_str(im_job_name_next(&names), "");
}


static void
test_push(void **state)
{
    im_entry_t      push;
    im_job_entry_t  e;

    (void) state;

    memset(&e, 0, sizeof(im_job_entry_t));
    e.id.ms = 17;
    e.topic = im_str_z("r:a");
    e.position = im_str_z("e:12");
    e.envelope = im_str_z("data");

    assert_int_equal(im_job_entry_push(&e, &push), IM_OK);
    assert_int_equal(push.kind, IM_PUSH_MESSAGE);
    test_str(push.topic, "r:a");
    test_str(push.epoch, "e");
    assert_true(push.seq == 12);
    test_str(push.envelope, "data");

    e.position = im_str_z("e:1x");
    assert_int_equal(im_job_entry_push(&e, &push), IM_ERROR);

    e.position = im_str_z("");
    assert_int_equal(im_job_entry_push(&e, &push), IM_OK);
    assert_int_equal(push.kind, IM_PUSH_CONTROL);
    assert_true(push.epoch.len == 0 && push.seq == 17);

    e.position = im_str_z("-12");
    assert_int_equal(im_job_entry_push(&e, &push), IM_OK);
    assert_int_equal(push.kind, IM_PUSH_CONTROL);
    assert_true(im_entry_mark(&push) == 12 && push.seq == 17);

    e.position = im_str_z("-12:0");
    assert_int_equal(im_job_entry_push(&e, &push), IM_OK);
    assert_int_equal(push.kind, IM_PUSH_MESSAGE);
    assert_true(im_entry_mark(&push) == 12 && push.seq == 0);

    e.envelope = im_str_z("");
    assert_int_equal(im_job_entry_push(&e, &push), IM_ERROR);

    e.envelope = im_str_z("data");
    e.topic = im_str_z("");
    assert_int_equal(im_job_entry_push(&e, &push), IM_ERROR);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_id),
    alloc_test(test_compare),
    alloc_test(test_bell),
    alloc_test(test_bell_cut),
    alloc_test(test_names),
    alloc_test(test_push)
};

test_main(tests)
