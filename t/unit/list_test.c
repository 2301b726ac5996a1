/*
 * Copyright (C) The im authors
 *
 * Lists, compared with arrays of the order that they should have.
 */

#include "test.h"
#include "im_list.h"


#define NITEMS  40


typedef struct {
    unsigned   value;
    im_list_t  link;
} item_t;


typedef struct {
    unsigned   n;
    item_t    *items[NITEMS];
    im_list_t  head;
} both_t;


static void
check(both_t *l)
{
    unsigned    i;
    im_list_t  *q;

    assert_int_equal(im_list_empty(&l->head), l->n == 0);

    i = 0;

    for (q = im_list_first(&l->head);
         q != im_list_sentinel(&l->head);
         q = im_list_next(q))
    {
        assert_true(i < l->n);
        assert_ptr_equal(im_list_data(q, item_t, link), l->items[i]);
        assert_ptr_equal(q->next->prev, q);
        i++;
    }

    assert_int_equal(i, l->n);

    if (i > 0) {
        assert_ptr_equal(im_list_last(&l->head), &l->items[i - 1]->link);
    }
}


static int
model_remove(both_t *l, item_t *item)
{
    unsigned  i;

    for (i = 0; i < l->n; i++) {
        if (l->items[i] == item) {
            memmove(&l->items[i], &l->items[i + 1],
                    (l->n - i - 1) * sizeof(item_t *));
            l->n--;
            return 1;
        }
    }

    return 0;
}


static void
insert(both_t *l, item_t *item, int head)
{
    if (head) {
        im_list_insert_head(&l->head, &item->link);
        memmove(&l->items[1], &l->items[0], l->n * sizeof(item_t *));
        l->items[0] = item;

    } else {
        im_list_insert_tail(&l->head, &item->link);
        l->items[l->n] = item;
    }

    l->n++;
}


static void
splice(both_t *to, both_t *from)
{
    im_list_splice(&to->head, &from->head);

    memcpy(&to->items[to->n], from->items, from->n * sizeof(item_t *));
    to->n += from->n;
    from->n = 0;
}


static void
test_random(void **state)
{
    item_t    items[NITEMS], *item;
    both_t    lists[2];
    random_t  r;
    unsigned  i, which;

    (void) state;

    random_init(&r, 31);
    memset(lists, 0, sizeof(lists));

    im_list_init(&lists[0].head);
    im_list_init(&lists[1].head);

    for (i = 0; i < NITEMS; i++) {
        im_list_init(&items[i].link);
    }

    for (i = 0; i < 50000; i++) {
        item = &items[random_below(&r, NITEMS)];
        which = random_below(&r, 2);

        if (random_below(&r, 20) == 0) {
            splice(&lists[which], &lists[!which]);
        }

        /* Removed whether it is in a list or not. */

        im_list_remove(&item->link);
        assert_true(im_list_empty(&item->link));
        im_list_remove(&item->link);

        if (!model_remove(&lists[0], item)) {
            (void) model_remove(&lists[1], item);
        }

        if (random_below(&r, 3) != 0) {
            insert(&lists[which], item, random_below(&r, 2));
        }

        check(&lists[0]);
        check(&lists[1]);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_random)
};

test_main(tests)
