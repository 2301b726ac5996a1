/*
 * Copyright (C) The im authors
 *
 * Rings of the objects of a slab, compared with arrays of indexes.
 */

#include "test.h"
#include "im_ring.h"


#define NOBJECTS  40
#define NLISTS    3


typedef struct {
    uint32_t        free;
    uint32_t        value;
    im_ring_link_t  link;
} object_t;


typedef struct {
    uint32_t  elts[NOBJECTS];
    unsigned  n;
} model_t;


static im_slab_t   slab;
static im_rings_t  rings = { &slab, offsetof(object_t, link) };
static im_ring_t   lists[NLISTS];
static model_t     models[NLISTS];


static void
check(unsigned l)
{
    unsigned         i;
    uint32_t         index;
    im_ring_link_t  *link;

    assert_int_equal(im_ring_empty(&lists[l]), models[l].n == 0);

    index = lists[l].first;

    for (i = 0; i < models[l].n; i++) {
        assert_int_equal(index, models[l].elts[i]);

        link = im_ring_link(&rings, index);
        assert_true(im_ring_linked(link));
        assert_int_equal(link->prev,
                         models[l].elts[(i + models[l].n - 1) % models[l].n]);

        index = im_ring_next(&rings, &lists[l], index);
    }

    assert_int_equal(index, IM_SLAB_NONE);
}


static void
splice(unsigned to, unsigned from)
{
    if (to == from) {
        return;
    }

    im_ring_splice(&rings, &lists[to], &lists[from]);

    memcpy(models[to].elts + models[to].n, models[from].elts,
           models[from].n * sizeof(uint32_t));

    models[to].n += models[from].n;
    models[from].n = 0;

    check(from);
    check(to);
}


static void
test_random(void **state)
{
    int        in[NOBJECTS];
    model_t   *model;
    unsigned   i, l, at;
    random_t   r;
    uint32_t   index;

    (void) state;

    random_init(&r, 33);
    im_slab_init(&slab, sizeof(object_t), 4);

    for (i = 0; i < NOBJECTS; i++) {
        assert_non_null(im_slab_alloc(&slab, &index));
        assert_int_equal(index, i);

        im_ring_link_init(im_ring_link(&rings, i));
        in[i] = -1;
    }

    for (l = 0; l < NLISTS; l++) {
        im_ring_init(&lists[l]);
        models[l].n = 0;
    }

    for (i = 0; i < 100000; i++) {

        if (random_below(&r, 50) == 0) {
            l = random_below(&r, NLISTS);
            at = random_below(&r, NLISTS);

            splice(l, at);

            for (index = 0; index < NOBJECTS; index++) {
                in[index] = in[index] == (int) at ? (int) l : in[index];
            }

            continue;
        }

        index = random_below(&r, NOBJECTS);

        if (in[index] < 0) {
            assert_false(im_ring_linked(im_ring_link(&rings, index)));

            l = random_below(&r, NLISTS);
            in[index] = (int) l;

            model = &models[l];

            if (random_below(&r, 4) == 0) {
                im_ring_insert_head(&rings, &lists[l], index);
                memmove(model->elts + 1, model->elts,
                        model->n++ * sizeof(uint32_t));
                model->elts[0] = index;

            } else {
                im_ring_insert(&rings, &lists[l], index);
                model->elts[model->n++] = index;
            }

        } else if (lists[in[index]].first == index
                   && random_below(&r, 2) == 0)
        {
            l = (unsigned) in[index];
            model = &models[l];

            im_ring_rotate(&lists[l], im_ring_link(&rings, index));
            memmove(model->elts, model->elts + 1,
                    (model->n - 1) * sizeof(uint32_t));
            model->elts[model->n - 1] = index;

        } else {
            l = (unsigned) in[index];
            in[index] = -1;

            im_ring_remove(&rings, &lists[l], index);

            model = &models[l];

            for (at = 0; model->elts[at] != index; at++) { /* void */ }

            model->n--;
            memmove(model->elts + at, model->elts + at + 1,
                    (model->n - at) * sizeof(uint32_t));
        }

        check(l);
    }

    im_slab_cleanup(&slab);
}


/* A head takes 4 bytes, a link 8. */
static void
test_size(void **state)
{
    (void) state;

    assert_int_equal(sizeof(im_ring_t), 4);
    assert_int_equal(sizeof(im_ring_link_t), 8);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_random),
    alloc_test(test_size)
};

test_main(tests)
