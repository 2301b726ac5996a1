/*
 * Copyright (C) The im authors
 *
 * What a body is declared to be: Content-Type and Content-Encoding (RFC 9110).
 */

#ifndef IM_LOGIC_TYPE_H
#define IM_LOGIC_TYPE_H


#include "im_types.h"


typedef enum {
    IM_TYPE_NONE = 0,      /* not declared */
    IM_TYPE_JSON,          /* application/json, application/NAME+json */
    IM_TYPE_TEXT,          /* text/NAME */
    IM_TYPE_BYTES,         /* application/octet-stream */
    IM_TYPE_OTHER,
    IM_TYPE_CHARSET        /* JSON or text, but not in UTF-8 */
} im_logic_type_e;


im_logic_type_e im_logic_type(im_str_t type);

/* Nothing, or "identity". */
int im_logic_type_plain(im_str_t encoding);

/* The body begins as UTF-16 and UTF-32 do. */
int im_logic_type_wide(im_str_t body);


#endif /* IM_LOGIC_TYPE_H */
