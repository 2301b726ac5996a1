/*
 * Copyright (C) The im authors
 *
 * Reads a topic's history.
 */

#ifndef IM_LOGIC_HISTORY_H
#define IM_LOGIC_HISTORY_H


#include "im_logic_request.h"


#define IM_HISTORY_MAX    300              /* messages of one answer */
#define IM_HISTORY_BYTES  (2 * 1024 * 1024)


/*
 * The handler is called once, perhaps before this returns.  A topic that Redis
 * doesn't know gets its epoch by this.  The topic lives as long as r.
 */
void im_logic_history_read(im_daemon_request_t *r,
    const im_link_range_t *range, im_link_page_pt handler, void *data);


#endif /* IM_LOGIC_HISTORY_H */
