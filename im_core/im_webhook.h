/*
 * Copyright (C) The im authors
 *
 * Questions about clients to the operator's backend, and its answers: JSON as
 * in Centrifugo's HTTP proxy.
 */

#ifndef IM_WEBHOOK_H
#define IM_WEBHOOK_H


#include "im_types.h"
#include "im_buf.h"
#include "im_jwt.h"


#define IM_WEBHOOK_MAX         (1024 * 1024)     /* bytes of an answer */
#define IM_WEBHOOK_ARENA       (5 * IM_WEBHOOK_MAX)
#define IM_WEBHOOK_MAX_REASON  123


typedef enum {
    IM_WEBHOOK_CONNECT = 0,      /* name, version, data */
    IM_WEBHOOK_SUBSCRIBE,        /* channel, token, data */
    IM_WEBHOOK_PUBLISH,          /* channel, data */
    IM_WEBHOOK_RPC,              /* method, data */
    IM_WEBHOOK_REFRESH,
    IM_WEBHOOK_SUB_REFRESH,      /* channel */
    IM_WEBHOOKS
} im_webhook_e;

extern const im_str_t  im_webhook_names[IM_WEBHOOKS];


/* meta is JSON, data any bytes; user and channel are written if empty, too. */
typedef struct {
    im_webhook_e  kind;
    im_str_t      client;     /* UUID of the session */
    im_str_t      transport;
    im_str_t      protocol;   /* encoding of the client's commands */
    im_str_t      user;
    im_str_t      meta;
    im_str_t      name;
    im_str_t      version;
    im_str_t      channel;
    im_str_t      token;
    im_str_t      method;
    im_str_t      data;
} im_webhook_ask_t;

void im_webhook_encode(im_buf_t *b, const im_webhook_ask_t *ask);


typedef enum {
    IM_WEBHOOK_NOTHING = 0,      /* none of the others */
    IM_WEBHOOK_RESULT,
    IM_WEBHOOK_ERROR,            /* code, reason, temporary */
    IM_WEBHOOK_DISCONNECT        /* code, reason */
} im_webhook_answer_e;


typedef struct {
    im_webhook_answer_e  type;
    uint32_t             code;
    im_str_t             reason;
    im_jwt_t             result;     /* user, info, data, meta, subs, expires,
                                        override as a token has them */
    im_str_t             tags;       /* JSON object, "" none */
    im_str_t             key;        /* of idempotency */
    unsigned             temporary:1;
    unsigned             expired:1;
    unsigned             skip_history:1;
} im_webhook_answer_t;

/*
 * IM_OK: strings are in the arena (limit IM_WEBHOOK_ARENA) or borrow from the
 * body; to be cleaned up.  IM_ERROR: *why is static text, im_json_no_memory if
 * the answer isn't at fault.
 */
im_int_t im_webhook_decode(im_str_t body, im_buf_t *arena,
    im_webhook_answer_t *answer, const char **why);
void im_webhook_cleanup(im_webhook_answer_t *answer);


#endif /* IM_WEBHOOK_H */
