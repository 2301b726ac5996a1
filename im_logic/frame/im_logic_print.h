/*
 * Copyright (C) The im authors
 *
 * JSON by a pattern.
 */

#ifndef IM_LOGIC_PRINT_H
#define IM_LOGIC_PRINT_H


#include "im_types.h"
#include "im_buf.h"


/*
 * Appends the pattern with
 *   %j  im_str_t, as a JSON string
 *   %J  const char *, as a JSON string
 *   %s  im_str_t, as it is
 *   %z  const char *, as it is
 *   %u  uint64_t or im_uint_t
 *   %d  int64_t
 */
void im_logic_print(im_buf_t *b, const char *pattern, ...);


#endif /* IM_LOGIC_PRINT_H */
