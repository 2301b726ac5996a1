/*
 * Copyright (C) The im authors
 *
 * A link to Redis that shows the calls as text and takes the replies as text.
 */

#ifndef LINK_FAKE_H
#define LINK_FAKE_H


#include <hiredis/hiredis.h>

#include "test.h"
#include "im_link.h"


#define MAX_OUT  16


/* One call that is out. */
typedef struct {
    char               text[4096];    /* arguments, with spaces between */
    im_link_reply_pt   handler;
    void              *data;
} out_t;


static im_link_call_t  call;
static out_t           out[MAX_OUT];
static size_t          nout;
static int             refuse;


im_link_call_t *
im_link_script(im_link_t *link, const im_script_t *script)
{
    (void) link;

    im_link_call_start_script(&call, script);

    return &call;
}


im_int_t
im_link_send(im_link_t *link, im_link_reply_pt handler, void *data)
{
    char       *p;
    out_t      *o;
    size_t      at;
    uint32_t   *lens;
    im_uint_t   i;

    (void) link;

    if (refuse || call.bytes.failed || nout == MAX_OUT) {
        return IM_ERROR;
    }

    o = &out[nout++];
    o->handler = handler;
    o->data = data;

    lens = (uint32_t *) call.lens.data;
    p = o->text + sprintf(o->text, "%s", call.script->name);

    for (i = 0, at = 0; i < call.nargs; i++) {
        p += sprintf(p, " %.*s", (int) lens[i],
                     (char *) call.bytes.data + at);
        at += lens[i];
    }

    return IM_OK;
}


uint32_t
im_link_partitions(const im_link_t *link)
{
    (void) link;

    return 1;
}


const im_keys_t *
im_link_keys(const im_link_t *link)
{
    static im_keys_t  keys;

    (void) link;

    keys.prefix = im_str_z("im:");
    keys.partitions = 1;

    return &keys;
}


static void
answer(const char *text)
{
    void         *reply;
    out_t         o;
    redisReader  *reader;

    assert_true(nout > 0);
    o = out[0];
    memmove(&out[0], &out[1], --nout * sizeof(out_t));

    reply = NULL;
    reader = redisReaderCreate();

    if (text != NULL) {
        assert_int_equal(redisReaderFeed(reader, text, strlen(text)),
                         REDIS_OK);
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        assert_non_null(reply);
    }

    o.handler(reply, o.data);

    if (reply != NULL) {
        freeReplyObject(reply);
    }

    redisReaderFree(reader);
}


static void
fake_start(void)
{
    nout = 0;
    refuse = 0;
    im_link_call_init(&call);
}


static void
fake_end(void)
{
    assert_int_equal(nout, 0);
    im_link_call_cleanup(&call);
}


#endif /* LINK_FAKE_H */
