/*
 * Copyright (C) The im authors
 *
 * JSON of requests, with errors that name the culprit.
 */

#ifndef IM_LOGIC_JSON_H
#define IM_LOGIC_JSON_H


#include "im_json.h"
#include "im_daemon_request.h"


/*
 * im_json_decode() with strings and lists in the request's memory.  IM_ERROR:
 * *why and im_logic_json_status() say what to answer.
 */
im_int_t im_logic_decode(im_daemon_request_t *r, im_str_t json,
    const im_json_field_t *fields, im_uint_t flags, void *dst,
    const char **why);

/* The same of a member of the body, whose members are "PATH.NAME" then. */
im_int_t im_logic_decode_member(im_daemon_request_t *r, const char *path,
    im_str_t json, const im_json_field_t *fields, void *dst, const char **why);

/* What is wrong with a list that has more elements than max. */
const char *im_logic_json_most(im_daemon_request_t *r, im_str_t list,
    im_uint_t max);

/* 413 where a list is too long, 503 without memory, or else 400. */
im_uint_t im_logic_json_status(const char *why);

/*
 * All members of an object, which was decoded, are in the table.  NULL, or what
 * is wrong, with the nearest one; `of` says whose members they are, path (or
 * NULL) in which member of it.
 */
const char *im_logic_json_known(im_daemon_request_t *r, im_str_t object,
    const im_json_field_t *fields, const char *of, const char *path);


#endif /* IM_LOGIC_JSON_H */
