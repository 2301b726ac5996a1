/*
 * Copyright (C) The im authors
 *
 * Which writes of a connection have reached the replicas, by WAIT.
 *
 * A server confirms writes when as many replicas have them as are demanded, or
 * as are online there, whichever is more: another replica that might be
 * promoted has them too.
 *
 * WAIT is about what its own connection has executed, and blocks it.  So one
 * WAIT at a time is under way, and it confirms each call whose reply came
 * before its own.
 */

#ifndef IM_LINK_CONFIRM_H
#define IM_LINK_CONFIRM_H


#include "im_link_conn.h"


#define IM_LINK_CONFIRM_WHY  80


typedef struct {
    im_link_conn_t  *conn;
    im_link_call_t  *own;        /* for calls of the link itself */
    im_list_t        list;       /* that wait: a WAIT is under way */
    uint64_t         least;      /* replicas that are demanded */
    uint64_t         timeout;    /* ms, of a WAIT */
    uint64_t         online;     /* replicas, when they were asked for last */
    uint64_t         wanted;     /* by the WAIT under way; 0: there is none */
    char             why[IM_LINK_CONFIRM_WHY];
} im_link_confirm_t;


void im_link_confirm_init(im_link_confirm_t *confirm, im_link_conn_t *conn,
    im_link_call_t *own, uint64_t least, uint64_t timeout);

/*
 * Within the handler of a call that wrote something: the handler is called
 * once, later.  IM_ERROR: it won't be.
 */
im_int_t im_link_confirm_add(im_link_confirm_t *confirm,
    im_link_confirm_pt handler, void *data);


#endif /* IM_LINK_CONFIRM_H */
