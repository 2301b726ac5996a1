/*
 * Copyright (C) The im authors
 *
 * Identifiers as text: numbers in base 36, UUIDs.
 */

#ifndef IM_ID_H
#define IM_ID_H


#include "im_types.h"
#include "im_buf.h"


#define IM_UUID_LEN  36


/* Lower-case digits and letters, no leading zero. */
void im_id_add_base36(im_buf_t *b, uint64_t n);

/* 16 random bytes as a UUID of version 4 (RFC 4122); no NUL at its end. */
void im_id_uuid(u_char text[IM_UUID_LEN], const u_char random[16]);

/* Decodes the text of a UUID.  IM_ERROR: it is not a UUID. */
im_int_t im_id_uuid_decode(im_str_t text, u_char id[16]);


#endif /* IM_ID_H */
