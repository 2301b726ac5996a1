/*
 * Copyright (C) The im authors
 *
 * Tokens as secrets: new ones, and what Redis has in their place.
 */

#ifndef IM_LOGIC_SECRET_H
#define IM_LOGIC_SECRET_H


#include "im_types.h"


#define IM_SECRET_TOKEN  32      /* hex digits: 128 random bits */
#define IM_SECRET_HASH   64      /* hex digits: SHA-256 */


/* token has IM_SECRET_TOKEN bytes. */
void im_logic_secret_token(u_char *token);

/* hash has IM_SECRET_HASH bytes.  IM_ERROR: no memory. */
im_int_t im_logic_secret_hash(im_str_t secret, u_char *hash);

/* n bytes as 2 n hex digits. */
void im_logic_secret_hex(u_char *hex, const u_char *bytes, size_t n);


#endif /* IM_LOGIC_SECRET_H */
