/*
 * Copyright (C) The im authors
 *
 * Sessions that another worker has opened.
 *
 * The id of a session of this worker follows from its place.  That of an
 * adopted one is kept, and found by hashes: by id, and by place.
 */

#include "ngx_im_adopted.h"
#include "ngx_im_follow.h"


static im_str_t
ngx_im_adopted_id(const im_hash_node_t *node)
{
    return im_str_set(im_list_data(node, ngx_im_adopted_t, by_id)->id, 16);
}


static im_str_t
ngx_im_adopted_index(const im_hash_node_t *node)
{
    return im_str_set(&im_list_data(node, ngx_im_adopted_t, by_index)->index,
                      sizeof(uint32_t));
}


ngx_int_t
ngx_im_adopted_init(ngx_im_worker_t *w)
{
    uint64_t  seed[2];

    ngx_im_random((u_char *) seed);

    im_list_init(&w->earlier);
    im_list_init(&w->froms);

    return im_hash_init(&w->adopted, ngx_im_adopted_id, seed) == IM_OK
           && im_hash_init(&w->adopted_places, ngx_im_adopted_index, seed)
              == IM_OK
           ? NGX_OK : NGX_ERROR;
}


ngx_im_adopted_t *
ngx_im_adopted_add(ngx_im_worker_t *w, uint32_t index, const u_char id[16],
    ngx_im_earlier_t *earlier, ngx_im_from_t *from)
{
    ngx_im_adopted_t  *a;

    a = im_alloc(sizeof(ngx_im_adopted_t));
    if (a == NULL) {
        return NULL;
    }

    a->earlier = earlier;
    a->from = from;
    a->number = 0;
    a->index = index;
    ngx_memcpy(a->id, id, 16);

    ngx_im_from_ref(from);

    im_hash_add(&w->adopted, &a->by_id);
    im_hash_add(&w->adopted_places, &a->by_index);

    return a;
}


void
ngx_im_adopted_remove(ngx_im_worker_t *w, uint32_t index)
{
    ngx_im_adopted_t  *a;

    a = ngx_im_adopted_at(w, index);

    if (a == NULL) {
        return;
    }

    im_hash_remove(&w->adopted, &a->by_id);
    im_hash_remove(&w->adopted_places, &a->by_index);

    ngx_im_earlier_unref(w, a->earlier);
    ngx_im_from_unref(a->from);
    im_free(a);
}


ngx_im_adopted_t *
ngx_im_adopted_find(ngx_im_worker_t *w, const u_char id[16])
{
    im_hash_node_t  *node;

    node = im_hash_find(&w->adopted, im_str_set(id, 16));

    return node != NULL ? im_list_data(node, ngx_im_adopted_t, by_id) : NULL;
}


ngx_im_adopted_t *
ngx_im_adopted_at(ngx_im_worker_t *w, uint32_t index)
{
    im_hash_node_t  *node;

    node = im_hash_find(&w->adopted_places,
                        im_str_set(&index, sizeof(uint32_t)));

    return node != NULL ? im_list_data(node, ngx_im_adopted_t, by_index) : NULL;
}


ngx_uint_t
ngx_im_adopted_awaits(const ngx_im_session_t *s)
{
    ngx_im_adopted_t  *a;

    a = s->adopted ? ngx_im_adopted_at(ngx_im_worker, s->index) : NULL;

    return a != NULL && a->from->forwards;
}


ngx_uint_t
ngx_im_adopted_reach(ngx_im_session_t *s, const ngx_im_reach_t *reach)
{
    ngx_im_adopted_t  *a;

    if (reach->only != NULL) {
        return s == reach->only;
    }

    a = s->adopted ? ngx_im_adopted_at(ngx_im_worker, s->index) : NULL;

    if (reach->from != NULL) {
        return a != NULL && a->from == reach->from && a->number <= reach->last;
    }

    return a == NULL || (!a->from->forwards && !a->from->had);
}


ngx_im_earlier_t *
ngx_im_earlier_get(ngx_im_worker_t *w, const u_char name[16],
    const im_emulation_keys_t *secrets)
{
    im_list_t         *q;
    ngx_im_earlier_t  *e;

    im_list_each(q, &w->earlier) {
        e = im_list_data(q, ngx_im_earlier_t, link);

        if (ngx_memcmp(e->name, name, 16) == 0) {
            e->refs++;
            return e;
        }
    }

    e = im_alloc(sizeof(ngx_im_earlier_t));
    if (e == NULL) {
        return NULL;
    }

    e->refs = 1;
    e->secrets = *secrets;
    ngx_memcpy(e->name, name, 16);

    if (ngx_im_follow_input(w, name, 1) != NGX_OK) {
        im_free(e);
        return NULL;
    }

    im_list_insert_tail(&w->earlier, &e->link);

    return e;
}


/* A worker that ends listens on: it forwards what comes. */
void
ngx_im_earlier_unref(ngx_im_worker_t *w, ngx_im_earlier_t *e)
{
    if (e == NULL || --e->refs > 0 || ngx_exiting) {
        return;
    }

    (void) ngx_im_follow_input(w, e->name, 0);

    im_list_remove(&e->link);
    im_free(e);
}
