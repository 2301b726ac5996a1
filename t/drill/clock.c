/*
 * Copyright (C) The im authors
 *
 * Clocks that a test moves, to be preloaded: in the file that IM_CLOCK names,
 * as 64 bit numbers, are
 *
 *   AHEAD       seconds by which the wall clock is ahead.  The monotonic clock
 *               is not changed, as when a real wall clock is set.
 *   N           the pace in force, of those that follow
 *   REAL AT SLOWNESS   of each pace: at REAL ns of the monotonic clock it is AT
 *               ns here, and from then on time goes SLOWNESS times slower.  So
 *               it does for the wall clock.  0: as it is
 *
 * A number that is not there is 0.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


#define SECOND  1000000000
#define PACES   128


typedef struct {
    int64_t  real;
    int64_t  at;
    int64_t  slowness;
} pace_t;


typedef struct {
    volatile int64_t  ahead;
    volatile int64_t  n;
    pace_t            paces[PACES];
} state_t;


typedef int (*clock_gettime_pt)(clockid_t, struct timespec *);


static const state_t *
state(void)
{
    int                    fd;
    void                  *map;
    const char            *name;
    static const state_t   none;
    static const state_t  *known;

    if (known != NULL) {
        return known;
    }

    known = &none;
    name = getenv("IM_CLOCK");
    fd = name != NULL ? open(name, O_RDONLY|O_CLOEXEC) : -1;

    if (fd != -1) {
        map = mmap(NULL, sizeof(state_t), PROT_READ, MAP_SHARED, fd, 0);
        known = map != MAP_FAILED ? map : known;
        close(fd);
    }

    return known;
}


static int
real(clockid_t id, struct timespec *ts)
{
    static clock_gettime_pt  next;

    if (next == NULL) {
        next = (clock_gettime_pt) dlsym(RTLD_NEXT, "clock_gettime");
    }

    return next(id, ts);
}


/* By how many ns this time is behind the real one. */
static int64_t
behind(int64_t ns)
{
    int64_t         passed;
    const pace_t   *pace;
    const state_t  *s;

    s = state();
    pace = &s->paces[s->n % PACES];

    if (pace->slowness == 0) {
        return 0;
    }

    /* a coarse clock may not have come to it */

    passed = ns > pace->real ? ns - pace->real : 0;

    return ns - pace->at - passed / pace->slowness;
}


static int64_t
ns_of(const struct timespec *ts)
{
    return (int64_t) ts->tv_sec * SECOND + ts->tv_nsec;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t          ns;
    struct timespec  now;

    if (real(id, ts) == -1) {
        return -1;
    }

    ns = ns_of(ts);

    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        ns -= behind(ns);

    } else if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        (void) real(CLOCK_MONOTONIC, &now);
        ns += state()->ahead * SECOND - behind(ns_of(&now));

    } else {
        return 0;
    }

    ts->tv_sec = ns / SECOND;
    ts->tv_nsec = ns % SECOND;

    return 0;
}


int
gettimeofday(struct timeval *tv, void *tz)
{
    struct timespec  ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts) == -1) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (t != NULL) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
