/*
 * Copyright (C) The im authors
 *
 * Tokens of users: JSON Web Tokens that are signed here, or a template.
 */

#ifndef LOAD_TOKEN_H
#define LOAD_TOKEN_H


#include "load_options.h"


/* Appends the token of a user; nothing where clients are guests. */
void load_token_add(const load_options_t *o, im_buf_t *b, unsigned user);


#endif /* LOAD_TOKEN_H */
