/*
 * Copyright (C) The im authors
 *
 * The floor's rooms: a name, and the clients that get its messages.
 */

#ifndef FLOOR_ROOM_H
#define FLOOR_ROOM_H


#include "floor_send.h"
#include "im_buf.h"


#define FLOOR_MAX_ROOMS  (1024 * 1024)      /* a power of two */


typedef struct {
    im_str_t   name;
    uint32_t  *fds;
    uint32_t   n;
    uint32_t   size;
    im_buf_t   frames;              /* of this turn, where they are coalesced */
} floor_room_t;


typedef struct {
    floor_sender_t  *sender;
    unsigned         coalesced;
    floor_room_t    *rooms;
    uint32_t         nrooms;
    uint32_t        *table;         /* number + 1 by hash, or 0 */
    uint32_t        *touched;       /* rooms that have frames */
    uint32_t         ntouched;
    im_buf_t         frame;
} floor_rooms_t;


void floor_rooms_init(floor_rooms_t *r, floor_sender_t *sender,
    unsigned coalesced);

/* The number of a room, which is made if there is none. */
uint32_t floor_rooms_find(floor_rooms_t *r, im_str_t name);

void floor_rooms_join(floor_rooms_t *r, uint32_t room, int fd);
void floor_rooms_leave(floor_rooms_t *r, int fd);

/* A message to all clients of a room; or it waits for the end of the turn. */
void floor_rooms_publish(floor_rooms_t *r, uint32_t room, im_str_t message);

/* The turn ends. */
void floor_rooms_flush(floor_rooms_t *r);


#endif /* FLOOR_ROOM_H */
