/*
 * Copyright (C) The im authors
 *
 * Windows under random operations, compared with a list of all entries.
 */

#include "test.h"
#include "im_window.h"


#define MAX_SEQ  4000


/* Entries are made from their numbers, so that they need not be kept. */
typedef struct {
    uint64_t  from;
    uint64_t  top;
} model_t;


static size_t
entry_len(uint64_t seq)
{
    return seq * 7 % 50;
}


static im_str_t
entry(uint64_t seq)
{
    size_t         i;
    static u_char  bytes[64];

    for (i = 0; i < entry_len(seq); i++) {
        bytes[i] = (u_char) (seq + i);
    }

    return im_str_set(bytes, entry_len(seq));
}


static size_t
model_bytes(const model_t *m)
{
    size_t    bytes;
    uint64_t  seq;

    bytes = 0;

    for (seq = m->from + 1; seq <= m->top; seq++) {
        bytes += entry_len(seq) + IM_WINDOW_OVERHEAD;
    }

    return bytes;
}


static void
compare(const im_window_t *w, const im_windows_t *all, const model_t *m)
{
    uint64_t  seq;

    assert_int_equal(w->from, m->from);
    assert_int_equal(im_window_top(w), m->top);
    assert_int_equal(w->bytes, model_bytes(m));
    assert_int_equal(all->bytes, w->bytes);

    for (seq = m->from + 1; seq <= m->top; seq++) {
        assert_true(im_str_eq(im_window_get(w, seq), entry(seq)));
    }

    assert_int_equal(im_window_covers(w, m->from), 1);
    assert_int_equal(im_window_covers(w, m->top), 1);
    assert_int_equal(im_window_covers(w, m->top + 1), 0);
    assert_int_equal(m->from > 0 && im_window_covers(w, m->from - 1), 0);
}


static void
test_model(void **state)
{
    int            i;
    size_t         bytes;
    model_t        m;
    random_t       r;
    uint64_t       seq;
    im_window_t    w;
    im_windows_t   all = { 0 };

    (void) state;

    random_init(&r, 20261124);

    m.from = m.top = 1000;
    im_window_init(&w, &all, 1000);

    for (i = 0; i < 20000; i++) {

        switch (random_below(&r, 12)) {

        case 0:
            bytes = random_below(&r, 4000);
            im_window_trim(&w, bytes, 100000);

            while (m.from < m.top && model_bytes(&m) > bytes) {
                m.from++;
            }

            break;

        case 1:
            seq = random_below(&r, 80);
            im_window_trim(&w, 1000000, seq);

            while (m.top - m.from > seq) {
                m.from++;
            }

            break;

        case 2:
            if (random_below(&r, 10) == 0) {
                seq = 1 + random_below(&r, MAX_SEQ);
                assert_int_equal(im_window_append(&w, seq, entry(seq)), IM_OK);

                m.from = seq == m.top + 1 ? m.from : seq - 1;
                m.top = seq;
            }

            break;

        case 3:
            if (random_below(&r, 20) == 0) {
                im_window_reset(&w, 2000);
                m.from = m.top = 2000;
            }

            break;

        case 4:
        case 5:
        case 6:
        case 7:
            seq = m.from;

            assert_int_equal(im_window_prepend(&w, seq + 1, entry(seq + 1)),
                             IM_DECLINED);
            assert_int_equal(im_window_prepend(&w, seq, entry(seq)),
                             seq > 0 ? IM_OK : IM_DECLINED);

            m.from -= seq > 0;
            break;

        default:
            seq = m.top + 1;
            assert_int_equal(im_window_append(&w, seq, entry(seq)), IM_OK);
            m.top = seq;
            break;
        }

        compare(&w, &all, &m);
    }

    im_window_cleanup(&w);
    assert_int_equal(all.bytes, 0);
}


/* Without memory a message is missing, and so are all before it. */
static void
test_no_memory(void **state)
{
    int            i;
    im_window_t    w;
    im_windows_t   all = { 0 };

    (void) state;

    im_window_init(&w, &all, 100);

    alloc_fail_all();
    assert_int_equal(im_window_append(&w, 101, entry(101)), IM_ERROR);
    assert_int_equal(w.from, 101);
    assert_int_equal(im_window_top(&w), 101);
    assert_int_equal(im_window_prepend(&w, 101, entry(101)), IM_ERROR);
    assert_int_equal(w.from, 101);
    alloc_fail_at(0);

    for (i = 102; i < 118; i++) {
        assert_int_equal(im_window_append(&w, i, entry(i)), IM_OK);
    }

    /* the ring is full: first growing fails, then the copy */

    alloc_fail_at(1);
    assert_int_equal(im_window_prepend(&w, 101, entry(101)), IM_ERROR);
    alloc_fail_at(2);
    assert_int_equal(im_window_prepend(&w, 101, entry(101)), IM_ERROR);
    alloc_fail_at(0);
    assert_int_equal(w.from, 101);
    assert_int_equal(im_window_top(&w), 117);

    alloc_fail_all();
    assert_int_equal(im_window_append(&w, 118, entry(118)), IM_ERROR);
    alloc_fail_at(0);
    assert_int_equal(w.from, 118);
    assert_int_equal(im_window_top(&w), 118);
    assert_int_equal(all.bytes, 0);

    im_window_cleanup(&w);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_model),
    alloc_test(test_no_memory)
};


test_main(tests)
