/*
 * Copyright (C) The im authors
 *
 * The rooms of a worker that have the most followers, kept while they come and
 * go: no walk over all topics.
 *
 * While there are no more rooms than it has places, all of them are on it.
 * Beyond that a room gets a place when one more follows it, so a large one
 * that nobody joins may be missing once a larger one has shrunk.
 */

#ifndef IM_BOARD_H
#define IM_BOARD_H


#include "im_buf.h"
#include "im_topic.h"


#define IM_BOARD_MAX  100


typedef struct {
    im_topic_t  *topics[IM_BOARD_MAX];   /* in no order */
    im_uint_t    n;
    uint32_t     least;                  /* followers; at least so many */
} im_board_t;


void im_board_init(im_board_t *board);

/* The room has one follower more. */
void im_board_joined(im_board_t *board, im_topic_t *room);

/* The room goes. */
void im_board_remove(im_board_t *board, im_topic_t *room);

/* Now and then: followers that left are not counted until then. */
void im_board_look(im_board_t *board);

/* A line "FOLLOWERS NAME" for each. */
void im_board_encode(im_buf_t *b, const im_board_t *board);

/* The next line; *at is 0 for the first.  IM_DECLINED: no more, or no line. */
im_int_t im_board_decode(im_str_t text, size_t *at, uint64_t *followers,
    im_str_t *name);


#endif /* IM_BOARD_H */
