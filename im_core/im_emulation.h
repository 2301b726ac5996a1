/*
 * Copyright (C) The im authors
 *
 * Emulation: what clients without a way back, on SSE and HTTP streaming, send
 * by requests of their own.  Such a request names the node, which is a worker,
 * and the session there, as the reply to connect has said.
 *
 * From worker to worker it travels as a batch of one entry (im_push.h) of the
 * kind IM_PUSH_INPUT: its topic is the session, its envelope the message, and
 * its seq a number that tells it from others that say the same.
 */

#ifndef IM_EMULATION_H
#define IM_EMULATION_H


#include "im_types.h"
#include "im_buf.h"
#include "im_push.h"


/* The text of a session: its id, which others may know, and a secret. */
#define IM_EMULATION_SESSION  64

/* Of a worker: what the secrets of its sessions are made of.  Random. */
typedef struct {
    uint64_t  keys[2][2];
} im_emulation_keys_t;


typedef struct {
    im_str_t  session;
    im_str_t  node;
    im_str_t  data;          /* a message of the session's protocol */
} im_emulation_t;


/* The type of a body in Protobuf; others are JSON. */
#define IM_EMULATION_BINARY  "application/octet-stream"

/*
 * Decodes the body of a request.  IM_ERROR: *why is static text, or
 * im_json_no_memory.
 */
im_int_t im_emulation_decode(im_str_t type, im_str_t body, im_buf_t *arena,
    im_emulation_t *e, const char **why);

void im_emulation_entry(im_entry_t *entry, const im_emulation_t *e,
    uint64_t number);

void im_emulation_session(const im_emulation_keys_t *keys, const u_char id[16],
    u_char text[IM_EMULATION_SESSION]);

/*
 * The id of a session.  IM_DECLINED: the text isn't one of this worker's.  How
 * long it takes doesn't tell where the secret differs.
 */
im_int_t im_emulation_session_decode(const im_emulation_keys_t *keys,
    im_str_t text, u_char id[16]);


#endif /* IM_EMULATION_H */
