/*
 * Copyright (C) The im authors
 *
 * Patterns of names: '*' matches any characters, '?' one, "[a-z]" one of the
 * set, "[!a-z]" one outside the set; '\' quotes the next character.
 */

#ifndef IM_GLOB_H
#define IM_GLOB_H


#include "im_types.h"


/* Both are UTF-8.  A "[" without a "]" matches itself. */
int im_glob_match(im_str_t pattern, im_str_t name);


#endif /* IM_GLOB_H */
