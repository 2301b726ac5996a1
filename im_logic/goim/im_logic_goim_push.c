/*
 * Copyright (C) The im authors
 *
 * /goim/push/: the body of the request is the message.
 *
 * A key is a connection, a mid is a user, and "all" is the broadcast.  The
 * answer comes when Redis has the message; keys and mids that are not connected
 * are no error.
 */

#include "im_logic_goim.h"
#include "im_logic_nodes.h"
#include "im_logic_publish.h"


static void
im_logic_goim_pushed(im_logic_publish_t *publish, void *data)
{
    im_uint_t             i;
    im_daemon_request_t  *r = data;

    for (i = 0; i < publish->ntargets; i++) {
        if (publish->targets[i].status != 200) {
            im_logic_goim_refuse(r, publish->targets[i].status,
                                 publish->targets[i].msg);
            return;
        }
    }

    im_logic_goim_reply(r, NULL);
}


/* NULL: refused. */
static im_logic_publish_t *
im_logic_goim_push(im_daemon_request_t *r, uint64_t operation)
{
    im_uint_t            max;
    im_logic_t          *logic;
    im_logic_publish_t  *publish;

    logic = r->data;
    max = 1 + (im_uint_t) r->query.len / 6;        /* of "&mids=" */

    publish = im_logic_publish_create(r, im_min(max, logic->conf.max_targets));

    if (publish == NULL
        || im_push_classify(r->body, &publish->message.type) != IM_OK)
    {
        im_logic_goim_refuse(r, 503, "no memory");
        return NULL;
    }

    publish->message.operation = (int32_t) operation;
    publish->message.data = r->body;

    return publish;
}


static void
im_logic_goim_start(im_logic_publish_t *publish)
{
    im_daemon_request_t  *r;

    r = publish->r;

    if (im_logic_publish_start(publish, r->id, im_logic_goim_pushed, r)
        != IM_OK)
    {
        im_logic_goim_refuse(r, publish->status, publish->msg);
    }
}


/* Each value of an argument is a target. */
static void
im_logic_goim_targets(im_daemon_request_t *r, const char *name,
    im_logic_target_t *(*add)(im_logic_publish_t *publish, im_str_t value))
{
    size_t               at;
    im_int_t             rc;
    im_str_t             value;
    uint64_t             operation;
    im_logic_publish_t  *publish;

    if (im_logic_goim_number(r, "operation", 0, &operation) != IM_OK) {
        return;
    }

    publish = im_logic_goim_push(r, operation);

    if (publish == NULL) {
        return;
    }

    at = 0;

    while ((rc = im_logic_goim_next(r, name, &at, &value)) == IM_OK) {
        if (add(publish, value) == NULL) {
            im_logic_goim_refuse(r, publish->status, publish->msg);
            return;
        }
    }

    if (rc == IM_ERROR) {
        im_logic_goim_refuse(r, 503, "no memory");

    } else if (publish->ntargets == 0) {
        im_logic_goim_refuse(r, 400, im_logic_text(r, "no %s=",
                                                   im_str_z(name)));

    } else {
        im_logic_goim_start(publish);
    }
}


/* 0 is nobody's. */
static im_logic_target_t *
im_logic_goim_mid(im_logic_publish_t *publish, im_str_t value)
{
    uint64_t  mid;

    if (im_decimal_decode(value, &mid) != IM_OK || mid == 0 || mid > INT64_MAX
        || value.data[0] == '0')
    {
        (void) im_logic_publish_refuse(publish, 400, "mids must be numbers "
                                       "from 1 on");
        return NULL;
    }

    return im_logic_publish_user(publish, value);
}


void
im_logic_goim_keys_handler(im_daemon_request_t *r)
{
    im_logic_goim_targets(r, "keys", im_logic_publish_key);
}


void
im_logic_goim_mids_handler(im_daemon_request_t *r)
{
    im_logic_goim_targets(r, "mids", im_logic_goim_mid);
}


void
im_logic_goim_room_handler(im_daemon_request_t *r)
{
    im_str_t             type, room;
    uint64_t             operation;
    im_logic_publish_t  *publish;

    if (im_logic_goim_number(r, "operation", 1, &operation) != IM_OK
        || im_logic_goim_arg(r, "type", &type) != IM_OK
        || im_logic_goim_arg(r, "room", &room) != IM_OK)
    {
        return;
    }

    publish = im_logic_goim_push(r, operation);

    if (publish == NULL) {
        return;
    }

    if (im_logic_publish_room(publish, im_logic_goim_name(r, type, room))
        == NULL)
    {
        im_logic_goim_refuse(r, publish->status, publish->msg);
        return;
    }

    im_logic_goim_start(publish);
}


/* speed is that of all workers together. */
void
im_logic_goim_all_handler(im_daemon_request_t *r)
{
    uint64_t             operation, speed;
    im_logic_t          *logic;
    im_logic_publish_t  *publish;

    logic = r->data;

    if (im_logic_goim_number(r, "operation", 1, &operation) != IM_OK
        || im_logic_goim_number(r, "speed", 0, &speed) != IM_OK)
    {
        return;
    }

    publish = im_logic_goim_push(r, operation);

    if (publish == NULL) {
        return;
    }

    if (speed > 0) {
        speed /= im_max(logic->nodes->nworkers, 1);
        publish->message.speed = (uint32_t) im_max(speed, 1);
    }

    if (im_logic_publish_all(publish) == NULL) {
        im_logic_goim_refuse(r, publish->status, publish->msg);
        return;
    }

    im_logic_goim_start(publish);
}
