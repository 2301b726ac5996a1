/*
 * Copyright (C) The im authors
 *
 * The rooms of a worker that have the most followers.  The list is updated as
 * followers join and leave, without a walk over all topics.
 *
 * Up to IM_BOARD_MAX rooms, all rooms are listed.  With more rooms, a room is
 * considered when it gets a follower: a large room without new followers may be
 * missing after a larger one has shrunk.
 */

#ifndef IM_BOARD_H
#define IM_BOARD_H


#include "im_buf.h"
#include "im_topic.h"


#define IM_BOARD_MAX  100


typedef struct {
    im_topic_t  *topics[IM_BOARD_MAX];   /* in no order */
    im_uint_t    n;
    uint32_t     least;                  /* no room here has fewer followers */
} im_board_t;


void im_board_init(im_board_t *board);

/* A room got a follower. */
void im_board_joined(im_board_t *board, im_topic_t *room);

/* A room is about to be destroyed. */
void im_board_remove(im_board_t *board, im_topic_t *room);

/* Called periodically: it counts followers that have left. */
void im_board_look(im_board_t *board);

/* Writes a line "FOLLOWERS NAME" for each room. */
void im_board_encode(im_buf_t *b, const im_board_t *board);

/* Reads the next line; *at starts at 0.  IM_DECLINED: no more, or invalid. */
im_int_t im_board_decode(im_str_t text, size_t *at, uint64_t *followers,
    im_str_t *name);


#endif /* IM_BOARD_H */
