/*
 * Copyright (C) The im authors
 *
 * Options of a daemon, from the command line (--name=value) and from one file
 * (name value;), which --conf names.  The command line wins.
 */

#ifndef IM_DAEMON_OPTION_H
#define IM_DAEMON_OPTION_H


#include "im_types.h"


typedef enum {
    IM_OPTION_STRING = 0,    /* char *, allocated, or NULL */
    IM_OPTION_NUMBER         /* uint64_t; k and m after the digits multiply */
} im_daemon_option_e;


typedef struct {
    const char          *name;
    im_daemon_option_e   type;
    size_t               offset;     /* of the member in conf */
    uint64_t             value;      /* of a number that isn't given */
    uint64_t             min;
    uint64_t             max;
    const char          *help;       /* "VALUE  what it is" */
} im_daemon_option_t;

/* Rows for a member of struct s. */
#define im_daemon_string(name, s, member, help)                               \
    { name, IM_OPTION_STRING, offsetof(s, member), 0, 0, 0, help }
#define im_daemon_number(name, s, member, value, min, max, help)              \
    { name, IM_OPTION_NUMBER, offsetof(s, member), value, min, max, help }
#define im_daemon_option_end  { NULL, 0, 0, 0, 0, 0, NULL }

#define IM_DAEMON_VERSION  "0.1.0"


/*
 * Reads argv and the file into conf, which is zeroed.  IM_OK; IM_DONE: --help
 * or --version was answered; IM_ERROR: the fault is logged.
 */
#define IM_DONE  -4

im_int_t im_daemon_options(int argc, char **argv,
    const im_daemon_option_t *options, void *conf);

void im_daemon_options_cleanup(const im_daemon_option_t *options, void *conf);


#endif /* IM_DAEMON_OPTION_H */
