/*
 * Copyright (C) The im authors
 *
 * The text of a configuration file in nginx's grammar: "name value;", quotes,
 * escapes, comments.
 */

#ifndef IM_DAEMON_FILE_H
#define IM_DAEMON_FILE_H


#include "im_types.h"


#define IM_DAEMON_FILE_WORDS  65     /* of a directive that are kept */


/* The text is the caller's, and words are made in it. */
typedef struct {
    u_char     *p;
    u_char     *end;
    im_uint_t   at;                  /* the line of p */
    im_uint_t   line;                /* of the directive, or of the fault */
    im_uint_t   nwords;              /* more than are kept, if there are */
    char       *words[IM_DAEMON_FILE_WORDS];
} im_daemon_file_t;


void im_daemon_file_init(im_daemon_file_t *f, u_char *text, size_t len);

/*
 * The next directive.  IM_OK: words and line are set; IM_DECLINED: that was
 * all; IM_ERROR: *why and line are set.
 */
im_int_t im_daemon_file_next(im_daemon_file_t *f, const char **why);


#endif /* IM_DAEMON_FILE_H */
