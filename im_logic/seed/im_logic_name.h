/*
 * Copyright (C) The im authors
 *
 * Names of accounts: which may be registered, and which look alike.
 */

#ifndef IM_LOGIC_NAME_H
#define IM_LOGIC_NAME_H


#include "im_types.h"
#include "im_buf.h"


#define IM_NAME_KEYS       2
#define IM_NAME_KEY_BYTES  4096


/*
 * Appends the name in normalization form C, which is how it is stored and
 * shown.  IM_ERROR: it isn't valid UTF-8, or too long.
 */
im_int_t im_logic_name_form(im_buf_t *b, im_str_t name);

/* Why the name, in form C, can't be registered; NULL: it can. */
const char *im_logic_name_fault(im_str_t name);

/*
 * Names look alike where one of their keys is the same: i is 0, as it looks;
 * or 1, with all letters small.  IM_ERROR: no memory, or too long.
 */
im_int_t im_logic_name_key(im_buf_t *b, im_str_t name, im_uint_t i);


#endif /* IM_LOGIC_NAME_H */
