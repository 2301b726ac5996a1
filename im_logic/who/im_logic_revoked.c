/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while: Redis has them, and is asked each time.
 */

#include "im_logic_revoked.h"


void
im_logic_revoked(im_logic_t *logic, im_str_t user, im_link_reply_pt handler,
    void *data)
{
    im_link_call_t  *call;

    call = im_link_script(logic->link, &im_script_kept);

    im_key_revoked(&call->bytes, im_link_keys(logic->link));
    im_link_call_key(call);
    im_link_call_str(call, user);

    im_logic_send(logic, handler, data);
}


int
im_logic_revoked_read(const im_link_reply_t *reply)
{
    if (im_logic_fault(reply, "kept.lua") != NULL) {
        return -1;
    }

    return im_link_reply_int(reply, -1);
}
