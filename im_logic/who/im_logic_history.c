/*
 * Copyright (C) The im authors
 *
 * A page of history.  A topic that Redis knows nothing of has no epoch: to ask
 * writes nothing.
 */

#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_push.h"


typedef struct {
    im_link_page_pt   handler;
    void             *data;
} im_logic_history_t;


static void
im_logic_history_handler(const im_link_page_t *page, void *data)
{
    im_logic_history_t  *h = data;

    if (page->error.len > 0) {
        im_daemon_log(IM_LOG_ERROR, "page.lua failed: %.*s",
                      (int) page->error.len, (char *) page->error.data);
    }

    h->handler(page, h->data);
}


void
im_logic_history_read(im_daemon_request_t *r, const im_link_range_t *range,
    im_link_page_pt handler, void *data)
{
    im_logic_t          *logic;
    im_link_page_t       page;
    im_logic_history_t  *h;

    logic = r->data;
    h = im_daemon_alloc(r, sizeof(im_logic_history_t));

    if (h != NULL && range->topic.data != NULL) {
        h->handler = handler;
        h->data = data;

        if (im_link_history_read(logic->history, range,
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
