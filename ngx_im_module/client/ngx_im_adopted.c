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

    return im_hash_init(&w->adopted, ngx_im_adopted_id, seed) == IM_OK
           && im_hash_init(&w->adopted_places, ngx_im_adopted_index, seed)
              == IM_OK
           ? NGX_OK : NGX_ERROR;
}


ngx_im_from_t *
ngx_im_from_create(im_str_t id, ngx_pid_t pid, uint64_t fence)
{
    ngx_im_from_t  *from;

    from = im_alloc(sizeof(ngx_im_from_t) + id.len);
    if (from == NULL) {
        return NULL;
    }

    from->refs = 1;
    from->pid = pid;
    from->fence = fence;
    from->forwards = 1;
    from->id = im_str_set(from + 1, id.len);
    im_copy(from + 1, id.data, id.len);

    return from;
}


static void
ngx_im_from_unref(ngx_im_from_t *from)
{
    if (from != NULL && --from->refs == 0) {
        im_free(from);
    }
}


void
ngx_im_from_close(ngx_im_from_t *from)
{
    from->forwards = 0;
    ngx_im_from_unref(from);
}


ngx_int_t
ngx_im_adopted_add(ngx_im_worker_t *w, uint32_t index, const u_char id[16],
    ngx_im_earlier_t *earlier, ngx_im_from_t *from)
{
    ngx_im_adopted_t  *a;

    a = im_alloc(sizeof(ngx_im_adopted_t));
    if (a == NULL) {
        return NGX_ERROR;
    }

    a->earlier = earlier;
    a->from = earlier != NULL ? from : NULL;
    a->index = index;
    ngx_memcpy(a->id, id, 16);

    if (a->from != NULL) {
        a->from->refs++;
    }

    im_hash_add(&w->adopted, &a->by_id);
    im_hash_add(&w->adopted_places, &a->by_index);

    return NGX_OK;
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
