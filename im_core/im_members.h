/*
 * Copyright (C) The im authors
 *
 * The members of one topic, over all workers that live: what the workers
 * have written, put together and sorted.
 */

#ifndef IM_MEMBERS_H
#define IM_MEMBERS_H


#include "im_types.h"
#include "im_buf.h"
#include "im_member.h"


#define IM_MEMBERS_BYTES  (16 * 1024 * 1024)     /* of one topic */


/* Strings live as long as it does. */
typedef struct {
    im_member_t  *elts;      /* sorted by user, then by session; owned */
    im_uint_t     n;
    im_uint_t     size;      /* allocated elts */
    uint64_t      rest;      /* members that were only counted */
    uint64_t      count;     /* sessions, those that are no members too */
    im_uint_t     named;     /* elts with a user, once they are sorted, */
    im_uint_t     users;     /* and how many users these are */
    im_uint_t     nworkers;  /* that live and have some */
    size_t        bytes;     /* of all strings */
} im_members_t;


void im_members_init(im_members_t *ms);
void im_members_cleanup(im_members_t *ms);

/* A route of a worker that lives: "count:version". */
void im_members_add_route(im_members_t *ms, im_str_t value);

/*
 * Copies a member; what is no member is left out.  IM_DECLINED: there would be
 * too many bytes; IM_ERROR: no memory.
 */
im_int_t im_members_add(im_members_t *ms, im_str_t worker, im_str_t session,
    im_str_t json);

/*
 * All members are there: sorts and counts them.  A session that was read at two
 * workers, since it moved meanwhile, is the newer one's.
 */
void im_members_sort(im_members_t *ms);

/* Workers by their start, the older one first, then by their names. */
int im_worker_compare(im_str_t one, im_str_t two);

/* For arrays of members; by user, then by session.  For qsort(). */
int im_member_compare(const void *one, const void *two);

/*
 * Of sorted members the first one of each user, at most max of them (users
 * NULL: they are only counted).  Returns how many users there are; guests are
 * none.
 */
im_uint_t im_members_users(const im_member_t *elts, im_uint_t n,
    im_member_t *users, im_uint_t max);


#endif /* IM_MEMBERS_H */
