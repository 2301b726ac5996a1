/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while: Redis has them.
 */

#include "im_logic_revoked.h"


typedef struct {
    im_logic_revoked_pt   fn;
    void                 *data;
} im_logic_revoked_t;


static im_link_call_t *im_logic_revoked_command(im_logic_t *logic,
    const char *command);
static void im_logic_revoked_poll_handler(const im_link_reply_t *reply,
    void *data);
static void im_logic_revoked_handler(const im_link_reply_t *reply, void *data);


void
im_logic_revoked_poll(im_logic_t *logic)
{
    if (im_link_ready(logic->link)) {
        (void) im_logic_revoked_command(logic, "EXISTS");
        (void) im_link_send(logic->link, im_logic_revoked_poll_handler, logic);
    }
}


static im_link_call_t *
im_logic_revoked_command(im_logic_t *logic, const char *command)
{
    im_link_call_t  *call;

    call = im_link_command(logic->link, command);

    im_key_revoked(&call->bytes, logic->prefix);
    im_link_call_key(call);

    return call;
}


static void
im_logic_revoked_poll_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_t  *logic = data;

    if (im_logic_fault(reply, "reading who is kept out") == NULL) {
        logic->revoked = im_link_reply_int(reply, 0) != 0;
    }
}


void
im_logic_revoked(im_daemon_request_t *r, im_str_t user, im_logic_revoked_pt fn,
    void *data)
{
    im_logic_t          *logic;
    im_link_call_t      *call;
    im_logic_revoked_t  *question;

    logic = r->data;

    if (!logic->revoked || user.len == 0) {
        fn(data, 0);
        return;
    }

    question = im_daemon_alloc(r, sizeof(im_logic_revoked_t));
    if (question == NULL) {
        fn(data, -1);
        return;
    }

    question->fn = fn;
    question->data = data;

    call = im_logic_revoked_command(logic, "ZSCORE");
    im_link_call_str(call, user);

    if (im_link_send(logic->link, im_logic_revoked_handler, question)
        != IM_OK)
    {
        fn(data, -1);
    }
}


static void
im_logic_revoked_handler(const im_link_reply_t *reply, void *data)
{
    int                  revoked;
    im_logic_revoked_t  *question = data;

    revoked = -1;

    if (im_logic_fault(reply, "reading who is kept out") == NULL) {
        revoked = im_link_reply_int(reply, 0) > (int64_t) im_logic_time();
    }

    question->fn(question->data, revoked);
}
