/*
 * Copyright (C) The im authors
 *
 * What a request says where clients say nothing else: the rooms of im_join, a
 * position, how many of the last messages, a token.  It goes to the protocol as
 * the first message, in this form:
 *
 *   u8 rooms, for each u8+name; u16+position, u16 last, u16+token
 */

#ifndef IM_REQUEST_H
#define IM_REQUEST_H


#include "im_types.h"
#include "im_buf.h"
#include "im_proto.h"


/* With the inbox and the broadcast, they are IM_RESUMES_MAX. */
#define IM_REQUEST_ROOMS  (IM_RESUMES_MAX - 2)


typedef struct {
    im_str_t   rooms[IM_REQUEST_ROOMS];   /* valid names */
    im_uint_t  nrooms;
    im_str_t   position;     /* "": none */
    uint16_t   last;         /* 0: none */
    im_str_t   token;        /* "": none */
} im_request_t;


/*
 * Adds the rooms of a comma-separated list; each may have %HH.  The names are
 * in arena, which must take list.len bytes, and no room is there twice.
 * IM_ERROR: *why is static text.
 */
im_int_t im_request_rooms(im_request_t *request, im_str_t list, im_uint_t max,
    im_buf_t *arena, const char **why);

/* The number of messages that "last" names.  IM_ERROR: it is none. */
im_int_t im_request_last(im_str_t text, uint16_t *last);

/* A field that is too long makes b fail. */
void im_request_encode(im_buf_t *b, const im_request_t *request);

/* The strings borrow.  IM_ERROR: malformed. */
im_int_t im_request_decode(im_str_t message, im_request_t *request);


/*
 * The command that opens a session: id, token and resumes in arena.  The
 * position is a list, with an element for each room, the inbox and the
 * broadcast: EPOCH:SEQ, or "-", "" or "0:0" for none.
 */
void im_request_connect(const im_request_t *request, uint32_t id,
    im_buf_t *arena, im_command_t *command);

/* Such a list, of n topics. */
void im_request_positions(im_buf_t *b, const im_subscribed_t *topics,
    im_uint_t n);


#endif /* IM_REQUEST_H */
