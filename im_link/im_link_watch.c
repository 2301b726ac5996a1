/*
 * Copyright (C) The im authors
 *
 * The settings of Redis, and what is wrong with them.
 */

#include "im_link_watch.h"


#define IM_LINK_WATCH_PERIOD  10000        /* ms */


struct im_link_watch_s {
    im_link_t           *link;
    im_link_watch_pt     handler;
    void                *data;
    im_link_settings_t   last;       /* as judged */
    im_link_settings_t   next;       /* being read */
    im_uint_t            warnings;
    im_uint_t            told;       /* on this connection */
    uint64_t             asked;      /* ms */
    unsigned             fresh:1;    /* this connection was not asked yet */
    unsigned             asking:1;
    unsigned             failed:1;
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
        watch->fresh = 1;
    }

    return watch;
}


void
im_link_watch_destroy(im_link_watch_t *watch)
{
    im_free(watch);
}


/* A warning is repeated where its values change, but for those of memory. */
static int
im_link_watch_news(const im_link_watch_t *watch, im_setting_e warning)
{
    char  one[IM_LINK_SETTINGS_TEXT], two[IM_LINK_SETTINGS_TEXT];

    if (!(watch->told & ((im_uint_t) 1 << warning))) {
        return 1;
    }

    if (warning == IM_SETTING_NEARLY || warning == IM_SETTING_FULL) {
        return 0;
    }

    im_link_settings_text(&watch->last, warning, one);
    im_link_settings_text(&watch->next, warning, two);

    return strcmp(one, two) != 0;
}


static void
im_link_watch_judge(im_link_watch_t *watch)
{
    int        bad;
    char       text[IM_LINK_SETTINGS_TEXT];
    im_uint_t  i, set;

    set = im_link_settings_judge(&watch->next);

    for (i = 0; i < IM_SETTINGS; i++) {

        if ((set & ((im_uint_t) 1 << i)) && im_link_watch_news(watch, i)) {
            im_link_settings_text(&watch->next, i, text);
            watch->handler(watch->data, text, i != IM_SETTING_HIDDEN);
        }
    }

    bad = (set & ~((im_uint_t) 1 << IM_SETTING_HIDDEN)) != 0;

    if (!bad && watch->warned) {
        watch->handler(watch->data, "redis' settings are as they should be "
                       "again", 0);
    }

    watch->last = watch->next;
    watch->warnings = set;
    watch->told = set;
    watch->warned = bad;
}


static void
im_link_watch_info_handler(const im_link_reply_t *reply, void *data)
{
    im_link_watch_t  *watch = data;

    if (reply == NULL) {
        watch->failed = 1;

    } else if (!im_link_reply_is_error(reply)) {
        im_link_settings_info(&watch->next, im_link_reply_str(reply));
    }
}


/* The last one of a round. */
static void
im_link_watch_config_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t         i;
    im_link_watch_t  *watch = data;

    watch->asking = 0;

    if (reply == NULL || watch->failed) {
        return;
    }

    if (im_link_reply_is_error(reply)) {
        watch->next.hidden = IM_SETTING_YES;
    }

    for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
        im_link_settings_config(&watch->next, im_link_reply_str_at(reply, i),
                                im_link_reply_str_at(reply, i + 1));
    }

    im_link_watch_judge(watch);
}


static void
im_link_watch_ask(im_link_watch_t *watch, const char *words,
    im_link_reply_pt handler)
{
    (void) im_link_command(watch->link, words);

    if (im_link_send(watch->link, handler, watch) != IM_OK) {
        handler(NULL, watch);
    }
}


void
im_link_watch_ready(im_link_watch_t *watch)
{
    watch->fresh = 1;
    watch->told = 0;
}


void
im_link_watch_tick(im_link_watch_t *watch, uint64_t now)
{
    if (watch->asking || !im_link_ready(watch->link, IM_LINK_REGISTRY)
        || (!watch->fresh && now - watch->asked < IM_LINK_WATCH_PERIOD))
    {
        return;
    }

    watch->fresh = 0;
    watch->asked = now;
    watch->asking = 1;
    watch->failed = 0;

    im_link_settings_init(&watch->next);

    im_link_watch_ask(watch, "INFO persistence", im_link_watch_info_handler);
    im_link_watch_ask(watch, "INFO memory", im_link_watch_info_handler);
    im_link_watch_ask(watch, "INFO replication", im_link_watch_info_handler);
    im_link_watch_ask(watch, "CONFIG GET " IM_LINK_SETTINGS_NAMES,
                      im_link_watch_config_handler);
}


const im_link_settings_t *
im_link_watch_settings(const im_link_watch_t *watch)
{
    return &watch->last;
}


im_uint_t
im_link_watch_warnings(const im_link_watch_t *watch)
{
    return watch->warnings;
}
