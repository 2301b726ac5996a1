/*
 * Copyright (C) The im authors
 *
 * The floor's rooms.
 */

#include <stdio.h>
#include <stdlib.h>

#include "floor_room.h"


#define FLOOR_MAX_FRAMES  (256 * 1024 * 1024)


static void *
floor_rooms_memory(void *p, size_t size)
{
    p = realloc(p, size);

    if (p == NULL) {
        fputs("im_floor: no memory\n", stderr);
        exit(1);
    }

    return p;
}


void
floor_rooms_init(floor_rooms_t *r, floor_sender_t *sender, unsigned coalesced)
{
    memset(r, 0, sizeof(floor_rooms_t));
    r->sender = sender;
    r->coalesced = coalesced;
    r->table = calloc(FLOOR_MAX_ROOMS * 2, sizeof(uint32_t));

    if (r->table == NULL) {
        fputs("im_floor: no memory\n", stderr);
        exit(1);
    }

    im_buf_init(&r->frame, FLOOR_MAX_FRAMES);
}


static uint32_t
floor_rooms_hash(im_str_t name)
{
    size_t    i;
    uint32_t  h;

    for (h = 2166136261U, i = 0; i < name.len; i++) {
        h = (h ^ name.data[i]) * 16777619U;
    }

    return h;
}


static uint32_t
floor_rooms_add(floor_rooms_t *r, im_str_t name)
{
    u_char        *copy;
    floor_room_t  *room;

    if (r->nrooms == FLOOR_MAX_ROOMS) {
        fprintf(stderr, "im_floor: more than %d rooms\n", FLOOR_MAX_ROOMS);
        exit(1);
    }

    /* grows by doubling, at each power of two */
    if ((r->nrooms & (r->nrooms - 1)) == 0) {
        r->rooms = floor_rooms_memory(r->rooms, (r->nrooms * 2 + 1)
                                                * sizeof(floor_room_t));
        r->touched = floor_rooms_memory(r->touched, (r->nrooms * 2 + 1)
                                                    * sizeof(uint32_t));
    }

    copy = floor_rooms_memory(NULL, name.len + 1);
    memcpy(copy, name.data, name.len);

    room = &r->rooms[r->nrooms];
    memset(room, 0, sizeof(floor_room_t));
    room->name.data = copy;
    room->name.len = name.len;
    im_buf_init(&room->frames, FLOOR_MAX_FRAMES);

    return r->nrooms++;
}


uint32_t
floor_rooms_find(floor_rooms_t *r, im_str_t name)
{
    uint32_t        i;
    const im_str_t  *there;

    for (i = floor_rooms_hash(name) & (FLOOR_MAX_ROOMS * 2 - 1);
         r->table[i] != 0;
         i = (i + 1) & (FLOOR_MAX_ROOMS * 2 - 1))
    {
        there = &r->rooms[r->table[i] - 1].name;

        if (there->len == name.len
            && memcmp(there->data, name.data, name.len) == 0)
        {
            return r->table[i] - 1;
        }
    }

    r->table[i] = floor_rooms_add(r, name) + 1;

    return r->table[i] - 1;
}


void
floor_rooms_join(floor_rooms_t *r, uint32_t number, int fd)
{
    floor_room_t  *room;

    room = &r->rooms[number];

    if (room->n == room->size) {
        room->size = room->size * 2 + 4;
        room->fds = floor_rooms_memory(room->fds,
                                       room->size * sizeof(uint32_t));
    }

    r->sender->conns[fd].room = number;
    r->sender->conns[fd].place = room->n;
    room->fds[room->n++] = (uint32_t) fd;
}


void
floor_rooms_leave(floor_rooms_t *r, int fd)
{
    uint32_t       last;
    floor_conn_t  *conn;
    floor_room_t  *room;

    conn = &r->sender->conns[fd];
    room = &r->rooms[conn->room];
    last = room->fds[--room->n];

    room->fds[conn->place] = last;
    r->sender->conns[last].place = conn->place;
}


static void
floor_rooms_frame(im_buf_t *b, im_str_t message)
{
    im_buf_add_u8(b, 0x81);

    if (message.len < 126) {
        im_buf_add_u8(b, message.len);

    } else if (message.len < 65536) {
        im_buf_add_u8(b, 126);
        im_buf_add_u16(b, message.len);

    } else {
        im_buf_add_u8(b, 127);
        im_buf_add_u64(b, message.len);
    }

    im_buf_add_str(b, message);
}


void
floor_rooms_publish(floor_rooms_t *r, uint32_t number, im_str_t message)
{
    floor_room_t  *room;

    room = &r->rooms[number];

    if (r->coalesced) {
        if (room->frames.len == 0) {
            r->touched[r->ntouched++] = number;
        }

        floor_rooms_frame(&room->frames, message);
        return;
    }

    im_buf_reset(&r->frame, FLOOR_MAX_FRAMES);
    floor_rooms_frame(&r->frame, message);
    floor_send_all(r->sender, room->fds, room->n, r->frame.data, r->frame.len);
}


void
floor_rooms_flush(floor_rooms_t *r)
{
    uint32_t       i;
    floor_room_t  *room;

    for (i = 0; i < r->ntouched; i++) {
        room = &r->rooms[r->touched[i]];
        floor_send_all(r->sender, room->fds, room->n, room->frames.data,
                       room->frames.len);
        im_buf_reset(&room->frames, 65536);
    }

    r->ntouched = 0;
}
