/*
 * Copyright (C) The im authors
 *
 * The looks of names of accounts that are older than the rule.
 */

#ifndef IM_LOGIC_LOOKS_H
#define IM_LOGIC_LOOKS_H


#include "im_logic.h"


/*
 * Takes the looks of all accounts, unless that was done before; called whenever
 * Redis is there.
 */
void im_logic_looks_start(im_logic_t *logic);
void im_logic_looks_cleanup(im_logic_t *logic);

/*
 * Ends names.lua's arguments: the name and its keys.  They are in b, which has
 * room for IM_NAME_KEYS * IM_NAME_KEY_BYTES.
 */
void im_logic_looks_keys(im_link_call_t *call, im_str_t name, im_buf_t *b);


#endif /* IM_LOGIC_LOOKS_H */
