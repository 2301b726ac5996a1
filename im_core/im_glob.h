/*
 * Copyright (C) The im authors
 *
 * Patterns of names: '*' any characters, '?' one, "[a-z]" one of, "[!a-z]" none
 * of, '\' takes the next one as it is.
 */

#ifndef IM_GLOB_H
#define IM_GLOB_H


#include "im_types.h"


/* Both are UTF-8.  A "[" without its end is itself. */
int im_glob_match(im_str_t pattern, im_str_t name);


#endif /* IM_GLOB_H */
