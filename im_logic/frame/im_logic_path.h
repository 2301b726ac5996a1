/*
 * Copyright (C) The im authors
 *
 * From the path of a request to a resource and a name.
 *
 * A path is a list of segments, decoded once.  A slash that the client wrote
 * as %2F belongs to a name; slashes in a row count as one.
 */

#ifndef IM_LOGIC_PATH_H
#define IM_LOGIC_PATH_H


#include "im_types.h"


#define IM_PATH_SEGMENTS  32


typedef struct {
    im_str_t    segments[IM_PATH_SEGMENTS];
    im_uint_t   n;
    unsigned    guessed:1;     /* a slash of a name can't be told apart */
} im_logic_path_t;


/*
 * sent is the path as the client wrote it, empty: not known.  uri is what a
 * server in front made of it (decoded, slashes merged, perhaps rewritten);
 * empty: nothing.  Decoded segments are written to memory, which has room for
 * sent.len bytes; others borrow from uri.
 *
 *   IM_OK        the path is filled in
 *   IM_DECLINED  what the client wrote doesn't fit the uri
 *   IM_ERROR     malformed; *why says what
 *
 * Without IM_OK the path is the uri: right for a resource without a name.
 */
im_int_t im_logic_path_split(im_logic_path_t *path, im_str_t uri,
    im_str_t sent, u_char *memory, const char **why);

/*
 * The path is like "/im/rooms/" followed by any segment and "/history", where
 * the pattern has "*" for that segment.  *name is that segment, or empty.
 */
int im_logic_path_match(const im_logic_path_t *path, const char *pattern,
    im_str_t *name);


#endif /* IM_LOGIC_PATH_H */
