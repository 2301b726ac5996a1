/*
 * Copyright (C) The im authors
 *
 * How a program sees Redis.
 */

#include <stdio.h>

#include "im_link_show.h"
#include "im_json.h"


#define IM_LINK_SHOW_TEXT  640         /* bytes of a reason */


static const char  *im_link_show_kinds[] = { "one", "sentinel", "cluster" };
static const char  *im_link_show_states[] = { "away", "doubted", "ready" };
static const char  *im_link_show_roles[] = { "unknown", "master", "replica" };


static void
im_link_show_string(im_buf_t *b, const char *member, im_str_t value)
{
    im_buf_add_z(b, member);
    im_json_add_string(b, value);
}


static void
im_link_show_number(im_buf_t *b, const char *member, uint64_t value)
{
    im_buf_add_z(b, member);
    im_buf_add_uint(b, value);
}


static void
im_link_show_server(im_buf_t *b, const im_link_server_info_t *info,
    uint64_t now, im_link_show_e what)
{
    im_buf_add_z(b, "{");

    if (what == IM_LINK_SHOW_ALL) {
        im_link_show_string(b, "\"name\":", info->name);
        im_buf_add_z(b, ",");
    }

    if (what == IM_LINK_SHOW_ALL && info->address.len > 0) {
        im_link_show_string(b, "\"address\":", info->address);
        im_buf_add_z(b, ",");
    }

    im_link_show_string(b, "\"state\":",
                        im_str_z(im_link_show_states[info->state]));
    im_link_show_number(b, ",\"seconds\":",
                        now > info->since ? (now - info->since) / 1000 : 0);
    im_link_show_string(b, ",\"role\":",
                        im_str_z(im_link_show_roles[info->role]));
    im_link_show_number(b, ",\"slots\":", info->slots);
    im_link_show_number(b, ",\"replicas\":", info->replicas);

    if (what == IM_LINK_SHOW_ALL) {
        im_link_show_string(b, ",\"generation\":", info->generation);
    }

    if (what == IM_LINK_SHOW_ALL && info->why[0] != '\0') {
        im_link_show_string(b, ",\"why\":", im_str_z(info->why));
    }

    im_buf_add_z(b, "}");
}


static void
im_link_show_sentinels(im_buf_t *b, const im_link_sentinels_t *s,
    im_link_show_e what)
{
    im_buf_add_z(b, ",\"sentinels\":{");

    if (what == IM_LINK_SHOW_ALL) {
        im_link_show_string(b, "\"master\":", s->master);
        im_buf_add_z(b, ",");
    }

    im_link_show_number(b, "\"configured\":", s->configured);
    im_link_show_number(b, ",\"answering\":", s->answering);
    im_link_show_number(b, ",\"watching\":", s->watching);
    im_link_show_number(b, ",\"quorum\":", s->quorum);
    im_link_show_number(b, ",\"epoch\":", s->epoch);
    im_link_show_number(b, ",\"replicas\":", s->replicas);
    im_buf_add_z(b, "}");
}


/* Those that take calls, or those that don't; n servers are shown already. */
static im_uint_t
im_link_show_servers(im_buf_t *b, const im_link_t *link, uint64_t now,
    im_link_show_e what, int ready, im_uint_t n)
{
    im_uint_t              i;
    im_link_server_info_t  info;

    for (i = 0; i < im_link_servers(link) && n < IM_LINK_SHOWN; i++) {
        im_link_server_info(link, i, &info);

        if ((info.state == IM_LINK_SERVER_READY) == ready) {
            im_buf_add_z(b, n++ > 0 ? "," : "");
            im_link_show_server(b, &info, now, what);
        }
    }

    return n;
}


void
im_link_show(im_buf_t *b, const im_link_t *link, const im_link_conf_t *conf,
    uint64_t now, im_link_show_e what)
{
    im_uint_t                   n;
    const im_link_sentinels_t  *sentinels;

    im_link_show_string(b, "{\"kind\":",
                        im_str_z(im_link_show_kinds[conf->kind]));
    im_buf_add_z(b, conf->tls != NULL ? ",\"tls\":true" : ",\"tls\":false");
    im_link_show_number(b, ",\"unserved\":", im_link_unserved(link));

    im_buf_add_z(b, ",\"servers\":[");
    n = im_link_show_servers(b, link, now, what, 0, 0);
    (void) im_link_show_servers(b, link, now, what, 1, n);
    im_buf_add_z(b, "]");

    sentinels = im_link_sentinels(link);

    if (sentinels != NULL) {
        im_link_show_sentinels(b, sentinels, what);
    }

    im_buf_add_z(b, "}");
}


static void
im_link_show_reason(im_buf_t *b, im_uint_t n, const im_link_server_info_t *info,
    im_link_show_e what)
{
    int   len;
    char  text[IM_LINK_SHOW_TEXT];

    len = snprintf(text, sizeof(text), "%u slot%s: Redis",
                   (unsigned) info->slots, info->slots == 1 ? "" : "s");

    if (what == IM_LINK_SHOW_ALL) {
        (void) snprintf(text + len, sizeof(text) - len, " at \"%.*s\" is "
                        "away: %s", (int) info->name.len,
                        (char *) info->name.data, info->why);

    } else {
        (void) snprintf(text + len, sizeof(text) - len, " is away");
    }

    im_buf_add_z(b, n > 0 ? "," : "");
    im_json_add_string(b, im_str_z(text));
}


void
im_link_show_reasons(im_buf_t *b, const im_link_t *link, im_link_show_e what)
{
    im_uint_t              i, n, slots;
    im_link_server_info_t  info;

    slots = im_link_unserved(link);

    im_buf_add_z(b, "[");

    for (i = 0, n = 0; i < im_link_servers(link); i++) {
        im_link_server_info(link, i, &info);

        if (info.state != IM_LINK_SERVER_AWAY || info.slots == 0) {
            continue;
        }

        slots -= im_min(slots, info.slots);

        if (n < IM_LINK_SHOW_REASONS) {
            im_link_show_reason(b, n++, &info, what);
        }
    }

    if (slots > 0) {
        im_buf_add_z(b, n > 0 ? ",\"" : "\"");
        im_buf_add_uint(b, slots);
        im_buf_add_z(b, slots == 1 ? " slot has no master\""
                                   : " slots have no master\"");
    }

    im_buf_add_z(b, "]");
}
