/*
 * Copyright (C) The im authors
 *
 * Waits for events of sockets.  Clients, of which there are very many, are
 * numbers, and one function handles them all; anything else has a handler.
 */

#ifndef LOAD_LOOP_H
#define LOAD_LOOP_H


#include <stdint.h>
#include <sys/epoll.h>


#define LOAD_LOOP_EVENTS  512

#define LOAD_SECOND       1000000000ULL      /* ns */
#define LOAD_MILLISECOND  1000000ULL


typedef struct load_event_s  load_event_t;

struct load_event_s {
    void  (*handler)(load_event_t *ev, uint32_t events);
    void   *data;
};


typedef struct {
    int                  epoll;
    uint64_t             spin;       /* ns that it polls before it sleeps */
    void               (*client)(void *data, uint32_t client, uint32_t events);
    void                *data;
    struct epoll_event   events[LOAD_LOOP_EVENTS];
} load_loop_t;


/* spin: us that it polls before it sleeps.  -1: errno says why. */
int load_loop_init(load_loop_t *loop, unsigned spin);

int load_loop_add(load_loop_t *loop, int fd, uint32_t events, load_event_t *ev);
int load_loop_add_client(load_loop_t *loop, int fd, uint32_t events,
    uint32_t client);
int load_loop_change_client(load_loop_t *loop, int fd, uint32_t events,
    uint32_t client);
void load_loop_remove(load_loop_t *loop, int fd);

/* Waits until that time at most, and handles what has happened. */
void load_loop_turn(load_loop_t *loop, uint64_t until);

/* ns; all processes have the same clock. */
uint64_t load_now(void);


#endif /* LOAD_LOOP_H */
