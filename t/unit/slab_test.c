/*
 * Copyright (C) The im authors
 *
 * The slab, compared with an array of what each object should hold.
 */

#include "test.h"
#include "im_slab.h"


#define NOBJECTS  500


typedef struct {
    uint32_t  link;
    uint32_t  generation;
    uint64_t  value;
    uint32_t  more;
} object_t;


typedef struct {
    unsigned  used;
    unsigned  given;
    uint32_t  generation;
    uint64_t  value;
} model_t;


static void
test_random(void **state)
{
    void      *p;
    model_t    model[NOBJECTS];
    random_t   r;
    object_t  *object;
    uint32_t   index;
    unsigned   i, n, given;
    im_slab_t  slab;

    (void) state;

    random_init(&r, 21);
    memset(model, 0, sizeof(model));
    im_slab_init(&slab, sizeof(object_t), 7);

    assert_int_equal(slab.size % 8, 0);
    assert_true(slab.size >= sizeof(object_t));

    n = 0;
    given = 0;

    for (i = 0; i < 100000; i++) {
        index = random_below(&r, NOBJECTS);

        if (model[index].used) {
            object = im_slab_get(&slab, index);
            assert_int_equal(object->generation, model[index].generation);
            assert_true(object->value == model[index].value);

            object->generation++;
            model[index].generation++;
            model[index].used = 0;
            n--;

            im_slab_free(&slab, index);
            continue;
        }

        p = im_slab_get(&slab, index);
        assert_true((p != NULL) == (model[index].given != 0));

        if (p != NULL) {
            object = p;
            assert_int_equal(object->generation, model[index].generation);
        }

        if (n == NOBJECTS) {
            continue;
        }

        object = im_slab_alloc(&slab, &index);
        assert_non_null(object);
        assert_true(index < NOBJECTS);
        assert_false(model[index].used);
        assert_int_equal((uintptr_t) object % 8, 0);
        assert_ptr_equal(object, im_slab_get(&slab, index));
        assert_int_equal(object->generation, model[index].generation);
        assert_true(object->value == model[index].value);

        object->link = 0xffffffff;
        object->value = i;

        given += !model[index].given;
        model[index].value = i;
        model[index].used = 1;
        model[index].given = 1;
        n++;

        assert_int_equal(slab.used, n);
        assert_int_equal(slab.given, given);
    }

    im_slab_cleanup(&slab);
    assert_null(im_slab_get(&slab, 0));
}


static void
test_no_memory(void **state)
{
    uint32_t       index;
    unsigned long  n;
    im_slab_t      slab;

    (void) state;

    for (n = 1; n <= 2; n++) {
        im_slab_init(&slab, 1, 2);
        assert_int_equal(slab.size, 8);

        alloc_fail_at(n);
        assert_null(im_slab_alloc(&slab, &index));
        assert_int_equal(slab.used, 0);
        assert_null(im_slab_get(&slab, 0));

        assert_non_null(im_slab_alloc(&slab, &index));
        assert_int_equal(index, 0);

        alloc_fail_all();
        assert_non_null(im_slab_alloc(&slab, &index));
        assert_null(im_slab_alloc(&slab, &index));

        im_slab_free(&slab, 1);
        assert_non_null(im_slab_alloc(&slab, &index));
        assert_int_equal(index, 1);

        alloc_fail_at(0);
        assert_non_null(im_slab_alloc(&slab, &index));
        assert_int_equal(index, 2);

        im_slab_cleanup(&slab);
    }
}


/* The last index that isn't NONE is in the last block. */
static void
test_full(void **state)
{
    uint32_t   index;
    im_slab_t  slab;

    (void) state;

    im_slab_init(&slab, 8, 16);
    slab.given = IM_SLAB_NONE - 15;
    slab.nblocks = slab.given / 16;

    assert_null(im_slab_alloc(&slab, &index));
    assert_int_equal(alloc_count(), 0);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_random),
    alloc_test(test_no_memory),
    alloc_test(test_full)
};

test_main(tests)
