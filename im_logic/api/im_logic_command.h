/*
 * Copyright (C) The im authors
 *
 * Centrifugo's server API: one command, alone or in a batch.
 *
 * A method's handler reads c->params and ends, now or later, in a call of
 * im_logic_command_done() or _fail(), exactly once; after it the command may
 * be gone.
 */

#ifndef IM_LOGIC_COMMAND_H
#define IM_LOGIC_COMMAND_H


#include "im_logic_request.h"
#include "im_proto.h"
#include "im_rule.h"


/* Beside im_error_e. */
#define IM_API_CONFLICT     113
#define IM_API_UNCONFIRMED  503


typedef struct im_logic_command_s  im_logic_command_t;

typedef void (*im_logic_command_pt)(im_logic_command_t *c);


typedef struct {
    im_str_t             name;
    im_logic_command_pt  handler;
} im_logic_method_t;


struct im_logic_command_s {
    im_daemon_request_t      *r;         /* whose memory it uses */
    im_logic_t               *logic;
    const im_logic_method_t  *method;
    im_str_t                  params;    /* borrowed from the request */
    const char               *bad;       /* params are no JSON: why */
    im_buf_t                 *result;    /* JSON object; of an error too */
    im_uint_t                 error;     /* im_error_e; 0: none */
    im_uint_t                 place;     /* in the batch */
    uint32_t                  id;        /* of the answer; 0: none */
    im_logic_command_pt       done;      /* of im_logic_api_t */
    void                     *api;
    unsigned                  batch:1;
};


/* A channel's topic: "#" everybody, "#USER" an inbox, else a room. */
typedef struct {
    im_str_t          topic;
    const im_rule_t  *rule;              /* NULL: none, not for a room */
} im_logic_channel_t;


/* c->result is the answer. */
void im_logic_command_done(im_logic_command_t *c);
/* why may be NULL.  IM_ERROR, so that it can be returned. */
im_int_t im_logic_command_fail(im_logic_command_t *c, im_uint_t error,
    const char *why);
/* By a status of im_logic_publish_t and the like. */
void im_logic_command_fail_status(im_logic_command_t *c, im_uint_t status,
    const char *why);

/* The HTTP status of its error; 200: none. */
im_uint_t im_logic_command_status(const im_logic_command_t *c);

/* The error of such a status, and its object. */
im_uint_t im_logic_api_error(im_uint_t status);
void im_logic_api_add_error(im_buf_t *b, im_uint_t error, const char *why);

/* Decodes c->params or a part of it.  IM_ERROR: the command has failed. */
im_int_t im_logic_command_decode(im_logic_command_t *c, im_str_t json,
    const im_json_field_t *fields, void *dst);

/* The idempotency key of a command that has none: the request's and its place
   in the batch.  Empty: none. */
im_str_t im_logic_command_id(im_logic_command_t *c);

/* IM_ERROR: the command has failed. */
im_int_t im_logic_command_channel(im_logic_command_t *c, im_str_t channel,
    im_logic_channel_t *ch);

/* why is NULL: IM_OK.  Else the command has failed by it: IM_ERROR. */
im_int_t im_logic_command_check(im_logic_command_t *c, const char *why);

/* why is NULL: an empty result; else the error. */
void im_logic_command_end(im_logic_command_t *c, const char *why);

/* The same as a handler of im_logic_control(). */
void im_logic_command_control_handler(const im_link_reply_t *reply, void *data);


/* "since" of history, "recover_since" of subscribe. */
typedef struct {
    int64_t    offset;
    im_str_t   epoch;
} im_logic_api_since_t;

extern const im_json_field_t  im_logic_api_since_fields[];


#endif /* IM_LOGIC_COMMAND_H */
