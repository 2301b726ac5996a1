/*
 * Copyright (C) The im authors
 *
 * What comes to the floor: handshakes, publishes, and messages from other
 * workers.
 */

#ifndef FLOOR_INPUT_H
#define FLOOR_INPUT_H


#include "floor_room.h"


#define FLOOR_MAX_WORKERS  64


typedef struct {
    floor_sender_t  *sender;
    floor_rooms_t   *rooms;
    int              peers[FLOOR_MAX_WORKERS];
    unsigned         npeers;
    u_char          *input;
} floor_input_t;


void floor_input_init(floor_input_t *in, floor_sender_t *sender,
    floor_rooms_t *rooms);

/* A connection can be read. */
void floor_input_read(floor_input_t *in, int fd);


#endif /* FLOOR_INPUT_H */
