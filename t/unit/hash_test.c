/*
 * Copyright (C) The im authors
 *
 * The hash table: SipHash's published vectors, and random operations compared
 * with a flat array.
 */

#include "test.h"
#include "im_hash.h"


#define NITEMS  3000
#define NSTEPS  60000


typedef struct {
    im_hash_node_t  node;
    unsigned        len;
    unsigned        in;         /* the model: it is in the table */
    unsigned        seen;
    u_char          name[12];
} item_t;


static const uint64_t  seed[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static item_t  items[NITEMS];


static im_str_t
item_name(const im_hash_node_t *node)
{
    const item_t  *item;

    item = (const item_t *) node;

    return im_str_set(item->name, item->len);
}


static void
items_init(void)
{
    unsigned  i;

    memset(items, 0, sizeof(items));

    for (i = 0; i < NITEMS; i++) {
        items[i].len = snprintf((char *) items[i].name, 12, "name %u", i);
    }
}


static im_int_t
item_see(im_hash_node_t *node, void *data)
{
    unsigned  *n;

    n = data;
    (*n)++;

    ((item_t *) node)->seen++;

    return IM_OK;
}


static im_int_t
item_stop(im_hash_node_t *node, void *data)
{
    unsigned  *n;

    (void) node;

    n = data;

    return ++*n == 3 ? IM_DECLINED : IM_OK;
}


static void
check_each(im_hash_t *h)
{
    unsigned  i, n, expected;

    for (i = 0; i < NITEMS; i++) {
        items[i].seen = 0;
    }

    n = 0;
    expected = 0;

    assert_int_equal(im_hash_each(h, item_see, &n), IM_OK);

    for (i = 0; i < NITEMS; i++) {
        assert_int_equal(items[i].seen, items[i].in);
        expected += items[i].in;
    }

    assert_int_equal(n, expected);
    assert_int_equal(h->count, expected);
}


static void
toggle(im_hash_t *h, item_t *item)
{
    im_hash_node_t  *found;

    found = im_hash_find(h, item_name(&item->node));

    if (item->in) {
        assert_ptr_equal(found, &item->node);
        im_hash_remove(h, &item->node);

    } else {
        assert_null(found);
        im_hash_add(h, &item->node);
    }

    item->in = !item->in;
}


static void
test_siphash(void **state)
{
    unsigned  i;
    u_char    data[64];

    (void) state;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = i;
    }

    assert_true(im_siphash(seed, data, 0) == 0x726fdb47dd0e0e31);
    assert_true(im_siphash(seed, data, 1) == 0x74f839c593dc67fd);
    assert_true(im_siphash(seed, data, 7) == 0xab0200f58b01d137);
    assert_true(im_siphash(seed, data, 8) == 0x93f5f5799a932462);
    assert_true(im_siphash(seed, data, 15) == 0xa129ca6149be45e5);
    assert_true(im_siphash(seed, data, 63) == 0x958a324ceb064572);
    assert_true(im_siphash(seed, NULL, 0) == 0x726fdb47dd0e0e31);
}


static void
run_random(uint64_t number, int failing)
{
    unsigned   i, limit;
    random_t   r;
    im_hash_t  h;

    random_init(&r, number);
    items_init();

    assert_int_equal(im_hash_init(&h, item_name, seed), IM_OK);

    for (i = 0; i < NSTEPS; i++) {

        if (failing && i % 500 == 0) {
            alloc_fail_at(0);

            if (random_below(&r, 2)) {
                alloc_fail_all();
            }
        }

        /* In waves, so that it grows from small more than once. */

        limit = i % 20000 < 10000 ? NITEMS : 10 + i % 100;
        toggle(&h, &items[random_below(&r, limit)]);

        if (i % 1000 == 0) {
            check_each(&h);
        }
    }

    alloc_fail_at(0);
    check_each(&h);

    im_hash_cleanup(&h);
}


static void
test_random(void **state)
{
    (void) state;

    run_random(1, 0);
    run_random(2, 0);
}


static void
test_random_no_memory(void **state)
{
    (void) state;

    run_random(3, 1);
}


/* Every state of a growth in progress, seen by find, each and remove. */
static void
test_growing(void **state)
{
    unsigned   i, j;
    im_hash_t  h;

    (void) state;

    items_init();

    assert_int_equal(im_hash_init(&h, item_name, seed), IM_OK);

    for (i = 0; i < 300; i++) {
        toggle(&h, &items[i]);
        check_each(&h);
    }

    for (i = 0; i < 300; i++) {
        toggle(&h, &items[i]);

        for (j = 0; j < 300; j += 37) {
            assert_true((im_hash_find(&h, item_name(&items[j].node)) != NULL)
                        == (items[j].in != 0));
        }

        check_each(&h);
    }

    im_hash_cleanup(&h);
}


static void
test_each_stops(void **state)
{
    unsigned   i, n;
    im_hash_t  h;

    (void) state;

    items_init();

    assert_int_equal(im_hash_init(&h, item_name, seed), IM_OK);

    for (i = 0; i < 17; i++) {
        toggle(&h, &items[i]);
    }

    n = 0;
    assert_int_equal(im_hash_each(&h, item_stop, &n), IM_DECLINED);
    assert_int_equal(n, 3);

    im_hash_cleanup(&h);
}


static void
test_no_memory(void **state)
{
    unsigned   i;
    im_hash_t  h;

    (void) state;

    items_init();

    alloc_fail_at(1);
    assert_int_equal(im_hash_init(&h, item_name, seed), IM_ERROR);

    assert_int_equal(im_hash_init(&h, item_name, seed), IM_OK);

    alloc_fail_all();

    for (i = 0; i < 500; i++) {
        toggle(&h, &items[i]);
    }

    assert_true(alloc_failed());
    assert_int_equal(h.size, 16);
    check_each(&h);

    alloc_fail_at(0);

    for ( /* void */ ; i < 1500; i++) {
        toggle(&h, &items[i]);
    }

    assert_true(h.size >= 1024);
    check_each(&h);

    im_hash_cleanup(&h);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_siphash),
    alloc_test(test_random),
    alloc_test(test_random_no_memory),
    alloc_test(test_growing),
    alloc_test(test_each_stops),
    alloc_test(test_no_memory)
};

test_main(tests)
