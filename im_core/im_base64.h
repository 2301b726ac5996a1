/*
 * Copyright (C) The im authors
 *
 * Base64 (RFC 4648).  The decoder is strict: each sequence of bytes has one
 * text.
 */

#ifndef IM_BASE64_H
#define IM_BASE64_H


#include "im_types.h"
#include "im_buf.h"


#define IM_BASE64_URL  1         /* "-_" for "+/", and no padding */


/* Appends the text of bytes. */
void im_base64_encode(im_buf_t *b, im_str_t bytes, im_uint_t flags);

/*
 * Appends the decoded bytes to b; *bytes points to them until b moves.
 * IM_DECLINED: not base64 (b is unchanged); IM_ERROR: b has failed.
 */
im_int_t im_base64_decode(im_buf_t *b, im_str_t text, im_uint_t flags,
    im_str_t *bytes);


#endif /* IM_BASE64_H */
