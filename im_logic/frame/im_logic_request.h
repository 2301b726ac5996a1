/*
 * Copyright (C) The im authors
 *
 * What handlers do with a request: read its parts and answer it.
 *
 * A handler finds the process in r->data.  It answers once, now or later, by
 * one of the im_logic_reply functions; after that the request is gone.
 */

#ifndef IM_LOGIC_REQUEST_H
#define IM_LOGIC_REQUEST_H


#include "im_hash.h"
#include "im_daemon_request.h"
#include "im_logic.h"
#include "im_logic_json.h"


#define IM_LOGIC_MAX_REPLY  (4 * 1024 * 1024)


/* {"code":0,"msg":"success","data":DATA} */
void im_logic_reply_data(im_daemon_request_t *r, const im_buf_t *data);
/*
 * {"code":CODE,"msg":"..."}: a status of HTTP, or four digits of which the
 * first three are the status.
 */
void im_logic_reply_error(im_daemon_request_t *r, im_uint_t code,
    const char *msg);

#define im_logic_status(code)  ((code) > 999 ? (code) / 10 : (code))

void im_logic_reply(im_daemon_request_t *r, im_uint_t status,
    const im_buf_t *json);

/*
 * A message with a value, in the request's memory.  The pattern is that of
 * im_logic_print(); a long value is cut.
 */
const char *im_logic_text(im_daemon_request_t *r, const char *pattern,
    im_str_t value);

/*
 * The body is what it is declared to be: JSON, or text and bytes where those
 * are taken.
 * 0, or a status and *why.
 */
im_uint_t im_logic_body(im_daemon_request_t *r, int text, const char **why);

/*
 * The first argument of that name, decoded.  IM_DECLINED: there is none (it
 * reads as empty), IM_ERROR: it is longer than max, or no number up to max.
 */
im_int_t im_logic_query(im_daemon_request_t *r, const char *name, size_t max,
    im_str_t *value);
im_int_t im_logic_query_number(im_daemon_request_t *r, const char *name,
    uint64_t max, uint64_t *n);

/*
 * Each argument is in the list, which ends with NULL, or is the key that
 * api_key= has.  NULL, or what is wrong.  No list: any may be there.
 */
const char *im_logic_query_known(im_daemon_request_t *r,
    const char *const *known);

/* That is what is wrong, with the nearest one. */
const char *im_logic_query_strange(im_daemon_request_t *r, im_str_t name,
    const char *const *known);

/* im_hash_init(); the table is freed with the request. */
im_int_t im_logic_hash(im_daemon_request_t *r, im_hash_t *h,
    im_hash_name_pt name);

/* A valid name, or empty. */
int im_logic_name_or_none(im_str_t name);

/* add: im_topic_room() or im_topic_user().  data is NULL: no memory. */
im_str_t im_logic_topic(im_daemon_request_t *r,
    void (*add)(im_buf_t *b, im_str_t name), im_str_t name);


#endif /* IM_LOGIC_REQUEST_H */
