/*
 * Copyright (C) The im authors
 *
 * A pool of threads.
 *
 * The threads touch nothing but their task and the pool's two lists; all else
 * belongs to the loop.  They are niced: where processors are short, the loop
 * goes first.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "im_logic_pool.h"
#include "im_daemon_log.h"


#define IM_POOL_NICE    10
#define IM_POOL_SHARES  4


struct im_logic_pool_s {
    pthread_mutex_t   mutex;
    pthread_cond_t    cond;       /* there is a task, or it ends */
    im_list_t         tasks;
    im_list_t         finished;
    im_uint_t         ntasks;     /* that wait */
    im_uint_t         max;
    pthread_t        *threads;
    im_uint_t         nthreads;   /* that run */
    struct event     *event;
    int               fd;         /* eventfd: some have finished */
    unsigned          ending:1;
};


/* One by one: done may add another task. */
static void
im_logic_pool_finish(im_logic_pool_t *pool)
{
    im_list_t        *q;
    im_logic_task_t  *task;

    for ( ;; ) {
        (void) pthread_mutex_lock(&pool->mutex);

        if (im_list_empty(&pool->finished)) {
            (void) pthread_mutex_unlock(&pool->mutex);
            return;
        }

        q = im_list_first(&pool->finished);
        im_list_remove(q);

        (void) pthread_mutex_unlock(&pool->mutex);

        task = im_list_data(q, im_logic_task_t, link);
        task->done(task);
    }
}


static void
im_logic_pool_handler(evutil_socket_t fd, short what, void *data)
{
    eventfd_t  n;

    if (eventfd_read(fd, &n) == -1 && errno != EAGAIN) {
        im_daemon_log(IM_LOG_ERROR, "reading an eventfd failed");
    }

    im_logic_pool_finish(data);
}


static void *
im_logic_pool_thread(void *data)
{
    im_logic_pool_t  *pool = data;
    im_logic_task_t  *task;

    /* of this thread alone: Linux counts threads as processes here */
    (void) setpriority(PRIO_PROCESS, (id_t) gettid(), IM_POOL_NICE);

    (void) pthread_mutex_lock(&pool->mutex);

    for ( ;; ) {
        while (im_list_empty(&pool->tasks) && !pool->ending) {
            (void) pthread_cond_wait(&pool->cond, &pool->mutex);
        }

        if (pool->ending) {
            break;
        }

        task = im_list_data(im_list_first(&pool->tasks), im_logic_task_t, link);
        im_list_remove(&task->link);
        pool->ntasks--;

        (void) pthread_mutex_unlock(&pool->mutex);
        task->work(task);
        (void) pthread_mutex_lock(&pool->mutex);

        im_list_insert_tail(&pool->finished, &task->link);

        /* fails only when it is readable already */
        (void) eventfd_write(pool->fd, 1);
    }

    (void) pthread_mutex_unlock(&pool->mutex);

    return NULL;
}


/* Signals are for the loop. */
static im_int_t
im_logic_pool_start(im_logic_pool_t *pool, im_uint_t n)
{
    int        rc;
    sigset_t   all, old;
    im_uint_t  i;

    rc = 0;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    for (i = 0; i < n && rc == 0; i++) {
        rc = pthread_create(&pool->threads[i], NULL, im_logic_pool_thread,
                            pool);
        pool->nthreads += rc == 0;
    }

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc == 0 ? IM_OK : IM_ERROR;
}


im_logic_pool_t *
im_logic_pool_create(struct event_base *base, im_uint_t threads, im_uint_t max)
{
    im_logic_pool_t  *pool;

    pool = im_calloc(sizeof(im_logic_pool_t));
    if (pool == NULL) {
        return NULL;
    }

    pool->max = max;

    im_list_init(&pool->tasks);
    im_list_init(&pool->finished);
    (void) pthread_mutex_init(&pool->mutex, NULL);
    (void) pthread_cond_init(&pool->cond, NULL);

    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pool->threads = im_calloc(threads * sizeof(pthread_t));

    if (pool->fd != -1) {
        pool->event = event_new(base, pool->fd, EV_READ | EV_PERSIST,
                                im_logic_pool_handler, pool);
    }

    if (pool->event == NULL || pool->threads == NULL
        || event_add(pool->event, NULL) == -1
        || im_logic_pool_start(pool, threads) != IM_OK)
    {
        im_daemon_log(IM_LOG_ERROR, "can't start threads");
        im_logic_pool_destroy(pool);
        return NULL;
    }

    return pool;
}


void
im_logic_pool_destroy(im_logic_pool_t *pool)
{
    im_uint_t   i;
    im_list_t  *q;

    (void) pthread_mutex_lock(&pool->mutex);
    pool->ending = 1;
    (void) pthread_cond_broadcast(&pool->cond);
    (void) pthread_mutex_unlock(&pool->mutex);

    for (i = 0; i < pool->nthreads; i++) {
        (void) pthread_join(pool->threads[i], NULL);
    }

    for (q = im_list_first(&pool->tasks);
         q != im_list_sentinel(&pool->tasks);
         q = im_list_next(q))
    {
        im_list_data(q, im_logic_task_t, link)->dropped = 1;
    }

    im_list_splice(&pool->finished, &pool->tasks);
    im_logic_pool_finish(pool);

    if (pool->event != NULL) {
        event_free(pool->event);
    }

    if (pool->fd != -1) {
        (void) close(pool->fd);
    }

    (void) pthread_cond_destroy(&pool->cond);
    (void) pthread_mutex_destroy(&pool->mutex);

    im_free(pool->threads);
    im_free(pool);
}


/* One owner can't have all of the queue. */
static int
im_logic_pool_full(const im_logic_pool_t *pool, uint64_t owner)
{
    im_list_t  *q;
    im_uint_t   n;

    if (pool->ntasks >= pool->max || pool->ending) {
        return 1;
    }

    n = 0;

    im_list_each(q, &pool->tasks) {
        n += im_list_data(q, im_logic_task_t, link)->owner == owner;
    }

    return owner != 0 && n >= im_max(pool->max / IM_POOL_SHARES, 1);
}


im_int_t
im_logic_pool_add(im_logic_pool_t *pool, im_logic_task_t *task)
{
    im_int_t  rc;

    rc = IM_DECLINED;
    task->dropped = 0;

    (void) pthread_mutex_lock(&pool->mutex);

    if (!im_logic_pool_full(pool, task->owner)) {
        im_list_insert_tail(&pool->tasks, &task->link);
        pool->ntasks++;
        (void) pthread_cond_signal(&pool->cond);
        rc = IM_OK;
    }

    (void) pthread_mutex_unlock(&pool->mutex);

    return rc;
}
