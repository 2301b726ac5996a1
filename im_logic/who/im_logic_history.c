/*
 * Copyright (C) The im authors
 *
 * A page of history; route.lua begins an epoch where there is no position.
 */

#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_push.h"


#define IM_HISTORY_TTL  86400       /* s, of routes that no worker has */


typedef struct {
    im_logic_t       *logic;
    im_link_page_pt   handler;
    void             *data;
    im_str_t          topic;
} im_logic_history_t;


/* The reply is {applied, epoch, top, past, ...}. */
static void
im_logic_history_begin_handler(const im_link_reply_t *reply, void *data)
{
    im_link_page_t       page;
    im_logic_history_t  *h = data;

    memset(&page, 0, sizeof(im_link_page_t));

    page.why = im_logic_fault(reply, "route.lua");

    if (page.why == NULL) {
        page.epoch = im_link_reply_str_at(reply, 1);
        page.top = (uint64_t) im_link_reply_int_at(reply, 2, 0);
        page.past = im_link_reply_str_at(reply, 3);
    }

    h->handler(&page, h->data);
}


/*
 * Where Redis knows nothing of the topic, the position in the answer must stay
 * good: it is written down, as a join does.  Members and the mark of a leave,
 * whose keys stand first and last, are not read.
 */
static void
im_logic_history_handler(const im_link_page_t *page, void *data)
{
    im_logic_t          *logic;
    im_link_call_t      *call;
    const im_rule_t     *rule;
    im_logic_history_t  *h = data;

    if (page->error.len > 0) {
        im_daemon_log(IM_LOG_ERROR, "page.lua failed: %.*s",
                      (int) page->error.len, (char *) page->error.data);
    }

    if (page->why != NULL || page->epoch.len > 0) {
        h->handler(page, h->data);
        return;
    }

    logic = h->logic;
    rule = im_rules_topic(&logic->nodes->rules, h->topic);

    call = im_link_script(logic->link, &im_script_route);

    im_logic_key(logic, call, h->topic, IM_KEY_ROUTES);
    im_logic_key(logic, call, h->topic, IM_KEY_ROUTES);
    im_logic_key(logic, call, h->topic, IM_KEY_META);
    im_logic_key(logic, call, h->topic, IM_KEY_HISTORY);
    im_logic_key(logic, call, h->topic, IM_KEY_ROUTES);
    im_link_call_z(call, "");
    im_link_call_z(call, "0");
    im_link_call_z(call, "0");
    im_link_call_uint(call, IM_HISTORY_TTL);
    im_link_call_uint(call, rule != NULL ? im_rule_meta_ttl(rule)
                                         : IM_HISTORY_TTL);
    im_link_call_generation(call);

    im_logic_send(logic, im_logic_history_begin_handler, h);
}


void
im_logic_history_read(im_daemon_request_t *r, const im_link_range_t *range,
    im_link_page_pt handler, void *data)
{
    im_link_page_t       page;
    im_logic_history_t  *h;

    h = im_daemon_alloc(r, sizeof(im_logic_history_t));

    if (h != NULL && range->topic.data != NULL) {
        h->logic = r->data;
        h->handler = handler;
        h->data = data;
        h->topic = range->topic;

        if (im_link_history_read(h->logic->history, range,
                                 im_logic_history_handler, h)
            == IM_OK)
        {
            return;
        }
    }

    memset(&page, 0, sizeof(im_link_page_t));

    page.why = "redis is away";
    handler(&page, data);
}


int
im_logic_history_continues(const im_link_page_t *page, im_str_t epoch,
    uint64_t seq)
{
    size_t     at, end;
    uint64_t   last;
    im_str_t   pair, name;
    u_char    *space;

    if (im_str_eq(epoch, page->epoch)) {
        return seq <= page->top;
    }

    for (at = 0; at < page->past.len; at = end + 1) {
        space = memchr(page->past.data + at, ' ', page->past.len - at);
        end = space != NULL ? (size_t) (space - page->past.data)
                            : page->past.len;

        pair = im_str_set(page->past.data + at, end - at);

        if (im_position_decode(pair, &name, &last) == IM_OK
            && im_str_eq(name, epoch))
        {
            return seq <= last;
        }
    }

    return 0;
}
