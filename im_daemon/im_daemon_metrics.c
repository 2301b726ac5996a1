/*
 * Copyright (C) The im authors
 *
 * What both daemons tell of themselves.
 */

#include <sys/time.h>

#include "im_daemon_metrics.h"
#include "im_daemon_time.h"


void
im_daemon_metrics_init(im_daemon_metrics_t *m)
{
    struct timeval  tv;

    memset(m, 0, sizeof(im_daemon_metrics_t));

    (void) gettimeofday(&tv, NULL);

    m->started = (uint64_t) tv.tv_sec * 1000 + (uint64_t) tv.tv_usec / 1000;
}


void
im_daemon_metrics_ask(im_daemon_metrics_t *m)
{
    if (m->asked == 0) {
        m->asked = im_daemon_now_us();
    }
}


void
im_daemon_metrics_answer(im_daemon_metrics_t *m, const im_link_reply_t *reply)
{
    if (m->asked != 0 && reply != NULL) {
        im_metric_observe(&m->trips, &im_metric_us,
                          im_daemon_now_us() - m->asked);
    }

    m->asked = 0;
}


static void
im_daemon_metrics_redis(im_buf_t *b, const im_daemon_metrics_names_t *names,
    const im_link_t *link, int near)
{
    uint32_t               p;
    im_uint_t              i, away;
    im_link_server_info_t  info;

    for (p = 0, away = 0; p < im_link_partitions(link); p++) {
        away += !im_link_ready(link, p);
    }

    im_metric_one(b, &names->up, im_link_ready(link, IM_LINK_REGISTRY) != 0);
    im_metric_one(b, &names->away, away);

    if (!near) {
        return;
    }

    im_metric_head(b, &names->server);

    for (i = 0; i < im_link_servers(link); i++) {
        im_link_server_info(link, i, &info);
        im_metric_add(b, &names->server, &info.name,
                      info.state == IM_LINK_SERVER_READY);
    }
}


static void
im_daemon_metrics_watch(im_buf_t *b, const im_daemon_metrics_names_t *names,
    const im_link_watch_t *watch)
{
    const im_link_settings_t  *s;

    s = im_link_watch_settings(watch);

    im_metric_one(b, &names->used, s->used);
    im_metric_one(b, &names->max, s->max);
    im_metric_one(b, &names->warnings,
                  (uint64_t) __builtin_popcountl(
                      im_link_watch_warnings(watch)));
}


void
im_daemon_metrics_write(const im_daemon_metrics_t *m, im_buf_t *b,
    const im_daemon_metrics_names_t *names, const im_link_t *link,
    const im_link_watch_t *watch, int near)
{
    static const im_str_t  version = im_str(IM_VERSION);

    im_metric_head(b, &names->build);
    im_metric_add(b, &names->build, &version, 1);

    im_metric_one(b, &names->start, m->started);
    im_metric_one(b, &names->losses, m->losses);

    im_daemon_metrics_redis(b, names, link, near);
    im_daemon_metrics_watch(b, names, watch);

    im_metric_head(b, &names->trip);
    im_metric_histogram(b, &names->trip, NULL, &im_metric_us, m->trips.counts,
                        m->trips.sum);
}


void
im_daemon_metrics_servers(im_buf_t *b, const im_daemon_metrics_names_t *names,
    im_daemon_server_t *const *servers, const char *const *listeners,
    im_uint_t n)
{
    im_str_t   name;
    uint64_t   stats[IM_SERVER_STATS];
    im_uint_t  i, k;

    const im_metric_t  *families[IM_SERVER_STATS] = {
        &names->connections, &names->limit, &names->accepted, &names->gave_way
    };

    for (k = 0; k < IM_SERVER_STATS; k++) {
        im_metric_head(b, families[k]);

        for (i = 0; i < n; i++) {
            if (servers[i] == NULL) {
                continue;
            }

            im_daemon_server_stats(servers[i], stats);

            name = im_str_z(listeners[i]);
            im_metric_add(b, families[k], &name, stats[k]);
        }
    }
}
