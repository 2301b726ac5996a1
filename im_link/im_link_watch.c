/*
 * Copyright (C) The im authors
 *
 * The settings of each server, and what is wrong with them.
 */

#include <stdio.h>

#include "im_link_watch.h"
#include "im_buf.h"


#define IM_LINK_WATCH_PERIOD  10000        /* ms */
#define IM_LINK_WATCH_NAMES   4            /* of servers in one warning */


typedef struct {
    im_link_watch_t     *watch;
    im_link_settings_t   last;       /* as judged */
    im_link_settings_t   next;       /* being read */
    im_uint_t            warnings;
    im_uint_t            told;       /* on this connection */
    im_uint_t            news;       /* of the last round, for the log */
    unsigned             fresh:1;    /* this connection was not asked yet */
    unsigned             asking:1;
    unsigned             failed:1;
} im_link_watched_t;


struct im_link_watch_s {
    im_link_t           *link;
    im_link_watch_pt     handler;
    void                *data;
    im_link_watched_t  **servers;
    im_uint_t            n;
    im_uint_t            asking;     /* servers */
    uint64_t             demanded;   /* replicas, by pushes */
    uint64_t             asked;      /* ms */
    im_link_settings_t   none;       /* nothing is known */
    unsigned             warned:1;   /* by the last round */
};


im_link_watch_t *
im_link_watch_create(im_link_t *link, im_link_watch_pt handler, void *data)
{
    im_link_watch_t  *watch;

    watch = im_calloc(sizeof(im_link_watch_t));

    if (watch != NULL) {
        watch->link = link;
        watch->handler = handler;
        watch->data = data;
    }

    return watch;
}


void
im_link_watch_destroy(im_link_watch_t *watch)
{
    im_uint_t  i;

    if (watch == NULL) {
        return;
    }

    for (i = 0; i < watch->n; i++) {
        im_free(watch->servers[i]);
    }

    im_free(watch->servers);
    im_free(watch);
}


/* A cluster may get more servers.  NULL: no memory. */
static im_link_watched_t *
im_link_watch_server(im_link_watch_t *watch, im_uint_t server)
{
    im_link_watched_t  *w, **servers;

    while (watch->n <= server) {
        servers = im_realloc(watch->servers,
                             (watch->n + 1) * sizeof(im_link_watched_t *));
        if (servers == NULL) {
            return NULL;
        }

        watch->servers = servers;

        w = im_calloc(sizeof(im_link_watched_t));
        if (w == NULL) {
            return NULL;
        }

        w->watch = watch;
        w->fresh = 1;
        servers[watch->n++] = w;
    }

    return watch->servers[server];
}


/* Those that were read, and are still there. */
static im_uint_t
im_link_watch_n(const im_link_watch_t *watch)
{
    return im_min(watch->n, im_link_servers(watch->link));
}


/* A warning is repeated where its values change, but for those of memory. */
static int
im_link_watch_news(const im_link_watched_t *w, im_setting_e warning)
{
    char  one[IM_LINK_SETTINGS_TEXT], two[IM_LINK_SETTINGS_TEXT];

    if (!(w->told & ((im_uint_t) 1 << warning))) {
        return 1;
    }

    if (warning == IM_SETTING_NEARLY || warning == IM_SETTING_FULL) {
        return 0;
    }

    im_link_settings_text(&w->last, warning, one);
    im_link_settings_text(&w->next, warning, two);

    return strcmp(one, two) != 0;
}


/* The server has this warning, in these words. */
static int
im_link_watch_has(const im_link_watched_t *w, im_setting_e warning,
    const char *words)
{
    char  text[IM_LINK_SETTINGS_TEXT];

    if (!(w->warnings & ((im_uint_t) 1 << warning))) {
        return 0;
    }

    im_link_settings_text(&w->last, warning, text);

    return strcmp(text, words) == 0;
}


/*
 * Names the servers that have a warning, where more than one can have it:
 * "redis has" becomes "redis at "NAME", "NAME" has".
 */
static void
im_link_watch_names(const im_link_watch_t *watch, im_setting_e warning,
    const char *words, char *text)
{
    size_t                 len;
    im_uint_t              i, n;
    im_link_server_info_t  info;

    if (!im_link_settings_of_server(warning)
        || (watch->servers[0]->last.sentinels == 0
            && im_link_servers(watch->link) == 1))
    {
        (void) snprintf(text, IM_LINK_WATCH_TEXT, "%s", words);
        return;
    }

    len = snprintf(text, IM_LINK_WATCH_TEXT, "redis");

    for (i = 0, n = 0; i < im_link_watch_n(watch); i++) {

        if (!im_link_watch_has(watch->servers[i], warning, words)
            || n++ >= IM_LINK_WATCH_NAMES)
        {
            continue;
        }

        im_link_server_info(watch->link, i, &info);

        len += snprintf(text + len, IM_LINK_WATCH_TEXT - len, "%s \"%.*s\"",
                        n == 1 ? " at" : ",", (int) im_min(info.name.len, 64),
                        (char *) info.name.data);
    }

    if (n > IM_LINK_WATCH_NAMES) {
        len += snprintf(text + len, IM_LINK_WATCH_TEXT - len, " and %u more",
                        (unsigned) (n - IM_LINK_WATCH_NAMES));
    }

    (void) snprintf(text + len, IM_LINK_WATCH_TEXT - len, "%s",
                    words + sizeof("redis") - 1);
}


/*
 * The next warning: servers with the same words have one.  0: there is none;
 * news: a server of it has something for the log.
 */
static int
im_link_watch_next(const im_link_watch_t *watch, im_uint_t *at, char *text,
    int *news)
{
    char                      words[IM_LINK_SETTINGS_TEXT];
    im_uint_t                 i, j, n;
    im_setting_e              warning;
    const im_link_watched_t  *w;

    n = im_link_watch_n(watch);

    for ( /* void */ ; *at < n * IM_SETTINGS; (*at)++) {
        warning = *at / n;
        i = *at % n;
        w = watch->servers[i];

        if (!(w->warnings & ((im_uint_t) 1 << warning))) {
            continue;
        }

        im_link_settings_text(&w->last, warning, words);

        for (j = 0; j < i; j++) {
            if (im_link_watch_has(watch->servers[j], warning, words)) {
                break;
            }
        }

        if (j < i) {
            continue;
        }

        for (*news = 0; j < n; j++) {
            w = watch->servers[j];
            *news = *news || ((w->news & ((im_uint_t) 1 << warning))
                              && im_link_watch_has(w, warning, words));
        }

        im_link_watch_names(watch, warning, words, text);
        (*at)++;

        return 1;
    }

    return 0;
}


/* All servers have answered. */
static void
im_link_watch_log(im_link_watch_t *watch)
{
    int        bad, news;
    char       text[IM_LINK_WATCH_TEXT];
    im_uint_t  i, at, hidden;

    at = 0;
    hidden = (im_uint_t) 1 << IM_SETTING_HIDDEN;

    while (im_link_watch_next(watch, &at, text, &news)) {
        if (news) {
            watch->handler(watch->data, text,
                           (at - 1) / im_link_watch_n(watch)
                           != IM_SETTING_HIDDEN);
        }
    }

    for (i = 0; i < watch->n; i++) {
        watch->servers[i]->news = 0;
    }

    bad = (im_link_watch_warnings(watch) & ~hidden) != 0;

    if (!bad && watch->warned) {
        watch->handler(watch->data, "redis' settings are as they should be "
                       "again", 0);
    }

    watch->warned = bad;
}


static void
im_link_watch_judge(im_link_watched_t *w)
{
    im_uint_t                   i, set;
    const im_link_sentinels_t  *sentinels;

    sentinels = im_link_sentinels(w->watch->link);

    if (sentinels != NULL) {
        w->next.sentinels = sentinels->watching;
        w->next.quorum = sentinels->quorum;
        w->next.down_after = sentinels->down_after;
        w->next.master = sentinels->master;
    }

    set = im_link_settings_judge(&w->next);

    for (i = 0; i < IM_SETTINGS; i++) {

        if ((set & ((im_uint_t) 1 << i)) && im_link_watch_news(w, i)) {
            w->news |= (im_uint_t) 1 << i;
        }
    }

    w->last = w->next;
    w->warnings = set;
    w->told = set;
}


static void
im_link_watch_info_handler(const im_link_reply_t *reply, void *data)
{
    im_link_watched_t  *w = data;

    if (reply == NULL) {
        w->failed = 1;

    } else if (!im_link_reply_is_error(reply)) {
        im_link_settings_info(&w->next, im_link_reply_str(reply));
    }
}


/* The last one of a server's round. */
static void
im_link_watch_config_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t           i;
    im_link_watched_t  *w = data;

    w->asking = 0;
    w->watch->asking--;

    if (reply != NULL && !w->failed) {

        if (im_link_reply_is_error(reply)) {
            w->next.hidden = IM_SETTING_YES;
        }

        for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
            im_link_settings_config(&w->next, im_link_reply_str_at(reply, i),
                                    im_link_reply_str_at(reply, i + 1));
        }

        im_link_watch_judge(w);
    }

    if (w->watch->asking == 0) {
        im_link_watch_log(w->watch);
    }
}


static im_int_t
im_link_watch_send(im_link_watch_t *watch, im_uint_t server,
    const char *words, im_link_reply_pt handler)
{
    (void) im_link_command(watch->link, words);

    return im_link_send_to(watch->link, server, handler,
                           watch->servers[server]);
}


/* A server that takes no calls is asked later. */
static void
im_link_watch_ask(im_link_watch_t *watch, im_uint_t server)
{
    im_link_watched_t  *w;

    w = watch->servers[server];

    if (im_link_watch_send(watch, server, "INFO persistence",
                           im_link_watch_info_handler) != IM_OK)
    {
        return;
    }

    w->fresh = 0;
    w->asking = 1;
    w->failed = 0;
    watch->asking++;

    im_link_settings_init(&w->next);
    w->next.demanded = watch->demanded;

    if (im_link_watch_send(watch, server, "INFO memory",
                           im_link_watch_info_handler) != IM_OK
        || im_link_watch_send(watch, server, "INFO replication",
                              im_link_watch_info_handler) != IM_OK)
    {
        w->failed = 1;
    }

    if (im_link_watch_send(watch, server, "CONFIG GET " IM_LINK_SETTINGS_NAMES,
                           im_link_watch_config_handler) != IM_OK)
    {
        im_link_watch_config_handler(NULL, w);
    }
}


void
im_link_watch_ready(im_link_watch_t *watch, im_uint_t server)
{
    im_link_watched_t  *w;

    w = im_link_watch_server(watch, server);

    if (w != NULL) {
        w->fresh = 1;
        w->told = 0;
    }
}


void
im_link_watch_demand(im_link_watch_t *watch, uint64_t replicas)
{
    watch->demanded = replicas;
    watch->asked = 0;
}


void
im_link_watch_tick(im_link_watch_t *watch, uint64_t now)
{
    int                 due;
    im_uint_t           i;
    im_link_watched_t  *w;

    due = watch->asked == 0 || now - watch->asked >= IM_LINK_WATCH_PERIOD;

    if (due) {
        watch->asked = now;
    }

    for (i = 0; i < im_link_servers(watch->link); i++) {
        w = im_link_watch_server(watch, i);

        if (w != NULL && !w->asking && (w->fresh || due)) {
            im_link_watch_ask(watch, i);
        }
    }
}


im_uint_t
im_link_watch_fullest(const im_link_watch_t *watch)
{
    double                     full, most;
    uint64_t                   used;
    im_uint_t                  i, fullest;
    const im_link_settings_t  *s;

    most = -1;
    used = 0;
    fullest = 0;

    for (i = 0; i < im_link_watch_n(watch); i++) {
        s = &watch->servers[i]->last;
        full = s->max > 0 ? (double) s->used / s->max : 0;

        if (full > most || (full == most && s->used > used)) {
            most = full;
            used = s->used;
            fullest = i;
        }
    }

    return fullest;
}


const im_link_settings_t *
im_link_watch_settings(const im_link_watch_t *watch)
{
    return im_link_watch_n(watch) > 0
           ? &watch->servers[im_link_watch_fullest(watch)]->last
           : &watch->none;
}


im_uint_t
im_link_watch_warnings(const im_link_watch_t *watch)
{
    im_uint_t  i, set;

    for (i = 0, set = 0; i < im_link_watch_n(watch); i++) {
        set |= watch->servers[i]->warnings;
    }

    return set;
}


int
im_link_watch_text(const im_link_watch_t *watch, im_uint_t n, char *text)
{
    int        news;
    im_uint_t  at;

    at = 0;

    do {
        if (!im_link_watch_next(watch, &at, text, &news)) {
            return 0;
        }
    } while (n-- > 0);

    return 1;
}
