/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while: Redis has them.
 */

#include "im_logic_revoked.h"


static void
im_logic_revoked_poll_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_t  *logic = data;

    if (im_logic_fault(reply, "reading revoked users") == NULL) {
        logic->revoked = im_link_reply_int(reply, 0) != 0;
    }
}


void
im_logic_revoked_poll(im_logic_t *logic)
{
    im_link_call_t  *call;

    call = im_link_command(logic->link, "EXISTS");

    im_key_revoked(&call->bytes, logic->prefix);
    im_link_call_key(call);

    im_logic_send(logic, im_logic_revoked_poll_handler, logic);
}


im_int_t
im_logic_revoked(im_logic_t *logic, im_str_t user, im_link_reply_pt handler,
    void *data)
{
    im_link_call_t  *call;

    if (!logic->revoked || user.len == 0) {
        return IM_DECLINED;
    }

    call = im_link_command(logic->link, "ZSCORE");

    im_key_revoked(&call->bytes, logic->prefix);
    im_link_call_key(call);
    im_link_call_str(call, user);

    im_logic_send(logic, handler, data);

    return IM_OK;
}


int
im_logic_revoked_read(const im_link_reply_t *reply)
{
    if (im_logic_fault(reply, "reading revoked users") != NULL) {
        return -1;
    }

    return im_link_reply_int(reply, 0) > (int64_t) im_logic_time();
}
