/*
 * Copyright (C) The im authors
 *
 * The handover: live sessions of a worker that ends go to a worker that comes
 * after it.
 *
 *   ngx_im_handover.c       im_handover and its sockets, which the master makes
 *   ngx_im_channel.c        packets between two workers
 *   ngx_im_handover_out.c   the worker that ends: from one channel to its end
 *     ngx_im_out_sessions.c   sessions go
 *     ngx_im_out_flight.c     sessions that have gone, without an answer
 *     ngx_im_out_topics.c     their topics
 *     ngx_im_out_stay.c       sessions that don't move
 *   ngx_im_handover_in.c    the one that takes its sessions: its channels
 *     ngx_im_in_sessions.c    sessions come
 *     ngx_im_in_parked.c      what came too early
 *     ngx_im_in_topics.c      their topics
 *   ngx_im_handover_apply.c an entry for sessions takes effect, in both
 */

#ifndef NGX_IM_HANDOVER_H
#define NGX_IM_HANDOVER_H


#include "ngx_im_worker.h"

#include <sys/un.h>


/* Sockets of a configuration, one for each of its workers. */
typedef struct ngx_im_handover_s  ngx_im_handover_t;


/* The directive. */
char *ngx_im_handover(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Makes the sockets of this configuration.  NGX_ERROR, for nginx -t only: they
 * can't be made, and an error says why.
 */
ngx_int_t ngx_im_handover_init(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf);

/*
 * Of all sockets that the master has given to this process, it keeps the one of
 * that slot, or none (-1).
 */
void ngx_im_handover_keep(ngx_im_main_conf_t *imcf, ngx_int_t slot);

/* The socket of this worker, which the caller closes; -1: there is none. */
ngx_socket_t ngx_im_handover_socket(ngx_im_main_conf_t *imcf);

/*
 * The address of that slot of the workers that come after those of this
 * configuration, and the number of the file.  NGX_DECLINED: there are none.
 */
ngx_int_t ngx_im_handover_next(ngx_im_main_conf_t *imcf, ngx_uint_t slot,
    struct sockaddr_un *sa, ino_t *ino);

/* Why there are none, for a log line. */
const char *ngx_im_handover_none(ngx_im_main_conf_t *imcf);


#endif /* NGX_IM_HANDOVER_H */
