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


#include "im_logic.h"
#include "im_json.h"
#include "im_proto.h"
#include "im_rule.h"


#define IM_API_CONFLICT  113           /* beside im_error_e */
#define IM_API_ARENA     256           /* bytes beside decoded strings */


typedef struct im_logic_api_s      im_logic_api_t;
typedef struct im_logic_command_s  im_logic_command_t;

typedef void (*im_logic_command_pt)(im_logic_command_t *c);


typedef struct {
    im_str_t             name;
    im_logic_command_pt  handler;
} im_logic_method_t;


struct im_logic_command_s {
    im_logic_api_t           *api;
    im_logic_t               *logic;
    const im_logic_method_t  *method;
    im_str_t                  params;    /* borrowed from the request */
    im_buf_t                  arena;     /* decoded strings */
    im_buf_t                  result;    /* JSON object; of an error too */
    im_uint_t                 error;     /* im_error_e; 0: none */
    const char               *bad;       /* params are no JSON: why */
    im_daemon_request_t      *r;
    im_uint_t                 place;     /* in the batch */
    im_logic_command_pt       done;      /* of im_logic_api_t */
    unsigned                  batch:1;
};


/* A channel's topic: "#" everybody, "#USER" an inbox, else a room. */
typedef struct {
    im_str_t          name;              /* room or user; "" everybody */
    im_buf_t          topic;
    uint16_t          p;
    const im_rule_t  *rule;              /* NULL: none, not for a room */
} im_logic_channel_t;


/* c->result is the answer. */
void im_logic_command_done(im_logic_command_t *c);
/* why may be NULL. */
void im_logic_command_fail(im_logic_command_t *c, im_uint_t error,
    const char *why);
/* By a status of im_logic_publish_t and the like. */
void im_logic_command_fail_status(im_logic_command_t *c, im_uint_t status,
    const char *why);

/* The HTTP status of its error; 200: none. */
im_uint_t im_logic_command_status(const im_logic_command_t *c);

/* The error of such a status, and its object. */
im_uint_t im_logic_api_error(im_uint_t status);
void im_logic_api_add_error(im_buf_t *b, im_uint_t error, const char *why);

/* Decodes the parameters into dst.  IM_ERROR: the command has failed. */
im_int_t im_logic_command_params(im_logic_command_t *c,
    const im_json_field_t *fields, void *dst);

/* The idempotency key of a command that has none: the request's and its place
   in the batch.  In c->arena; empty: none. */
im_str_t im_logic_command_id(im_logic_command_t *c);

/* ch->topic is to be cleaned up in either case.  IM_ERROR: has failed. */
im_int_t im_logic_command_channel(im_logic_command_t *c, im_str_t channel,
    im_logic_channel_t *ch);


/* "since" of history, "recover_since" of subscribe. */
typedef struct {
    int64_t    offset;
    im_str_t   epoch;
} im_logic_api_since_t;

extern const im_json_field_t  im_logic_api_since_fields[];


#endif /* IM_LOGIC_COMMAND_H */
