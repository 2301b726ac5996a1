/*
 * Copyright (C) The im authors
 *
 * Connections that this worker keeps for itself.
 */

#include "ngx_im_reserve.h"


#define NGX_IM_RESERVE_PART   16     /* of worker_connections */
#define NGX_IM_RESERVE_LINKS  8      /* the same */
#define NGX_IM_RESERVE_FREE   4      /* of the reserve, for other requests */


ngx_uint_t
ngx_im_reserve_default(ngx_uint_t connections)
{
    ngx_uint_t  n;

    n = ngx_max(NGX_IM_RESERVE_MIN, connections / NGX_IM_RESERVE_PART);

    return ngx_min(n, connections / 2);
}


/* nginx closes reusable connections when others are wanted. */
ngx_uint_t
ngx_im_reserve_short(void)
{
    return ngx_cycle->free_connection_n + ngx_cycle->reusable_connections_n
           < ngx_im_reserve_default(ngx_cycle->connection_n)
             / NGX_IM_RESERVE_FREE;
}


void
ngx_im_reserve_give(ngx_im_worker_t *w)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    if (w->reserve.nheld == 0) {
        w->reserve.missing--;
        return;
    }

    c = w->reserve.held[--w->reserve.nheld];
    fd = c->fd;

    ngx_free_connection(c);

    (void) close(fd);
}


void
ngx_im_reserve_take(ngx_im_worker_t *w)
{
    w->reserve.missing++;

    ngx_im_reserve_fill(w, 0);
}


/* There is nothing to say if it fails: the next tick tries again. */
void
ngx_im_reserve_fill(ngx_im_worker_t *w, ngx_uint_t n)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    w->reserve.missing += ngx_min(n, ngx_max(2, ngx_cycle->connection_n
                                                / NGX_IM_RESERVE_LINKS));

    while (w->reserve.missing > 0 && w->reserve.nheld < NGX_IM_RESERVE_MAX
           && ngx_cycle->free_connection_n > 0)
    {
        fd = open("/dev/null", O_RDONLY|O_CLOEXEC);
        if (fd == -1) {
            return;
        }

        c = ngx_get_connection(fd, w->log);
        if (c == NULL) {
            (void) close(fd);
            return;
        }

        /* nginx doesn't complain of it when the worker ends */
        c->read->resolver = 1;

        w->reserve.held[w->reserve.nheld++] = c;
        w->reserve.missing--;
    }
}
