/*
 * Copyright (C) The im authors
 *
 * Workers that live.
 */

#include <stdlib.h>

#include "im_link_living.h"
#include "im_link_leases.h"
#include "im_hash.h"
#include "im_members.h"
#include "im_record.h"


void
im_link_living_init(im_link_living_t *living, im_link_t *link,
    void (*handler)(void *data), void *data)
{
    memset(living, 0, sizeof(im_link_living_t));

    living->link = link;
    living->handler = handler;
    living->data = data;
}


void
im_link_names_unref(im_link_names_t *names)
{
    if (names != NULL && --names->refs == 0) {
        im_free(names);
    }
}


void
im_link_living_cleanup(im_link_living_t *living)
{
    im_link_names_unref(living->names);
}


static int
im_link_names_compare(const void *one, const void *two)
{
    return im_worker_compare(*(const im_str_t *) one,
                             *(const im_str_t *) two);
}


int
im_link_names_have(const im_link_names_t *names, im_str_t name)
{
    return bsearch(&name, names->elts, names->n, sizeof(im_str_t),
                   im_link_names_compare)
           != NULL;
}


int
im_link_living_has(const im_link_living_t *living, im_str_t worker)
{
    return living->names != NULL && im_link_names_have(living->names, worker);
}


im_link_names_t *
im_link_names_create(const im_link_reply_t *reply, im_uint_t step,
    const im_link_living_t *among)
{
    size_t            bytes;
    u_char           *p;
    im_str_t          name;
    im_uint_t         i, n;
    im_link_names_t  *names;

    if (!im_link_reply_is_array(reply, 0)) {
        return NULL;
    }

    n = im_link_reply_len(reply);

    for (i = 0, bytes = 0; i < n; i += step) {
        bytes += im_link_reply_str_at(reply, i).len;
    }

    names = im_alloc(sizeof(im_link_names_t) + n * sizeof(im_str_t) + bytes);
    if (names == NULL) {
        return NULL;
    }

    names->refs = 1;
    names->n = 0;
    p = (u_char *) &names->elts[n];

    for (i = 0; i < n; i += step) {
        name = im_link_reply_str_at(reply, i);

        if (name.len > 0 && (among == NULL || im_link_living_has(among, name)))
        {
            im_copy(p, name.data, name.len);
            names->elts[names->n++] = im_str_set(p, name.len);
            p += name.len;
        }
    }

    qsort(names->elts, names->n, sizeof(im_str_t), im_link_names_compare);

    return names;
}


static uint64_t
im_link_living_hash(im_str_t worker)
{
    static const uint64_t  seed[2];

    return im_siphash(seed, worker.data, worker.len) | 1;
}


static im_link_stranger_t *
im_link_living_find(im_link_living_t *living, uint64_t hash)
{
    im_uint_t  i;

    for (i = 0; i < IM_LINK_STRANGERS; i++) {
        if (living->strangers[i].hash == hash) {
            return &living->strangers[i];
        }
    }

    return NULL;
}


/* Those that live are no strangers any more. */
static im_int_t
im_link_living_set(im_link_living_t *living, const im_link_reply_t *reply)
{
    im_uint_t            i;
    im_link_names_t     *names;
    im_link_stranger_t  *stranger;

    names = im_link_names_create(reply, 1, NULL);
    if (names == NULL) {
        return IM_ERROR;
    }

    im_link_names_unref(living->names);
    living->names = names;

    for (i = 0; i < names->n; i++) {
        stranger = im_link_living_find(living,
                                       im_link_living_hash(names->elts[i]));

        if (stranger != NULL) {
            stranger->hash = 0;
        }
    }

    return IM_OK;
}


void
im_link_living_given(im_link_living_t *living, const im_link_reply_t *reply)
{
    if (im_link_living_set(living, reply) == IM_OK) {
        living->given = 1;
    }
}


int
im_link_living_known(const im_link_living_t *living, uint64_t now,
    uint64_t age)
{
    return living->names != NULL
           && (living->given || now < living->at + age);
}


static void
im_link_living_handler(const im_link_reply_t *reply, void *data)
{
    im_link_living_t  *living = data;

    living->lists = living->asked;

    if (im_link_living_set(living, reply) == IM_OK) {
        living->at = living->out_at;
    }

    living->handler(living->data);
}


im_int_t
im_link_living_ask(im_link_living_t *living, uint64_t now)
{
    if (im_link_living_out(living)) {
        return IM_OK;
    }

    (void) im_link_leases_live(living->link, IM_LINK_WORKERS, im_str_z(""),
                               IM_WORKERS_MAX);

    if (im_link_send(living->link, im_link_living_handler, living) != IM_OK) {
        return IM_ERROR;
    }

    living->asked++;
    living->out_at = now;

    return IM_OK;
}


/* A list that is out may have been made before the worker had its lease. */
uint64_t
im_link_living_stranger(im_link_living_t *living, im_str_t worker,
    uint64_t lists)
{
    uint64_t             hash;
    im_link_stranger_t  *stranger;

    hash = im_link_living_hash(worker);
    stranger = im_link_living_find(living, hash);

    if (stranger == NULL) {
        stranger = &living->strangers[living->next++ % IM_LINK_STRANGERS];
        stranger->hash = hash;
        stranger->list = living->asked + 1;
    }

    return stranger->list <= lists ? 0 : stranger->list;
}
