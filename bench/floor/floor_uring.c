/*
 * Copyright (C) The im authors
 *
 * The sends of a fan-out as submissions of io_uring.  Sockets don't block, so
 * all sends are over when the submission is, and only those that failed or took
 * a part have a completion.
 */

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "floor_uring.h"


#define FLOOR_URING_SIZE  1024


void *
floor_uring_create(const char **error)
{
    int                      rc;
    struct io_uring         *ring;
    struct io_uring_params   params;

    static char  text[128];

    memset(&params, 0, sizeof(params));
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

    ring = calloc(1, sizeof(struct io_uring));
    rc = ring == NULL ? -ENOMEM
         : io_uring_queue_init_params(FLOOR_URING_SIZE, ring, &params);

    if (rc != 0) {
        (void) snprintf(text, sizeof(text), "io_uring: %s; it needs Linux 6.1, "
                        "kernel.io_uring_disabled=0 and no seccomp against it",
                        strerror(-rc));
        *error = text;
        free(ring);
        return NULL;
    }

    return ring;
}


void
floor_uring_submit(void *uring, floor_uring_short_pt handler, void *data)
{
    struct io_uring      *ring;
    struct io_uring_cqe  *cqe;

    ring = uring;
    (void) io_uring_submit(ring);

    while (io_uring_peek_cqe(ring, &cqe) == 0) {
        handler(data, (int) cqe->user_data, cqe->res);
        io_uring_cqe_seen(ring, cqe);
    }
}


void
floor_uring_add(void *uring, int fd, const u_char *p, size_t len,
    floor_uring_short_pt handler, void *data)
{
    struct io_uring_sqe  *sqe;

    sqe = io_uring_get_sqe(uring);

    if (sqe == NULL) {
        floor_uring_submit(uring, handler, data);
        sqe = io_uring_get_sqe(uring);
    }

    if (sqe == NULL) {
        handler(data, fd, 0);       /* the ring takes nothing */
        return;
    }

    io_uring_prep_send(sqe, fd, p, len, MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
    sqe->user_data = (uint64_t) fd;
}
