/*
 * Copyright (C) The im authors
 *
 * Options of a daemon by table: their values, defaults and texts.
 *
 * A value comes from the command line or from a line of a file.  The command
 * line wins; in one place an option stands once.
 */

#ifndef IM_DAEMON_OPTION_H
#define IM_DAEMON_OPTION_H


#include "im_types.h"


typedef enum {
    IM_OPTION_STRING = 0,    /* char *, allocated, or NULL; not empty */
    IM_OPTION_SECRET,        /* the same; no message shows it */
    IM_OPTION_WORDS,         /* the same, of several words */
    IM_OPTION_NUMBER,        /* uint64_t, as all below */
    IM_OPTION_SIZE,          /* bytes; k and m after the digits multiply */
    IM_OPTION_TIME,          /* seconds; or with s, m, h or d */
    IM_OPTION_FLAG           /* on, off; on the command line --name is on */
} im_daemon_option_e;


/* NULL: the value is good; else what is wrong and the cure, to follow it. */
typedef const char *(*im_daemon_check_pt)(const char *value);

/*
 * The same of words: with blanks between, or each with a line feed in front.
 * *at is the one that is wrong, as it may be shown.
 */
typedef const char *(*im_daemon_words_pt)(const char *value, im_str_t *at);


typedef struct {
    const char          *name;
    im_daemon_option_e   type;
    size_t               offset;     /* of the member in conf */
    uint64_t             value;      /* of a number that isn't given */
    uint64_t             min;
    uint64_t             max;
    im_daemon_check_pt   check;      /* of a string, or NULL */
    im_daemon_words_pt   words;      /* of words */
    const char          *help;       /* "VALUE  what it is" */
} im_daemon_option_t;

/* Rows for a member of struct s. */
#define im_daemon_string(name, s, member, check, help)                        \
    { name, IM_OPTION_STRING, offsetof(s, member), 0, 0, 0, check, \
      NULL, help }
#define im_daemon_secret(name, s, member, help)                               \
    { name, IM_OPTION_SECRET, offsetof(s, member), 0, 0, 0, NULL,  \
      NULL, help }
#define im_daemon_words(name, s, member, check, help)                         \
    { name, IM_OPTION_WORDS, offsetof(s, member), 0, 0, 0, NULL, check, help }
#define im_daemon_number(name, s, member, value, min, max, help)              \
    { name, IM_OPTION_NUMBER, offsetof(s, member), value, min, max, NULL,     \
      NULL, help }
#define im_daemon_size(name, s, member, value, min, max, help)                \
    { name, IM_OPTION_SIZE, offsetof(s, member), value, min, max, NULL,       \
      NULL, help }
#define im_daemon_time(name, s, member, value, min, max, help)                \
    { name, IM_OPTION_TIME, offsetof(s, member), value, min, max, NULL,       \
      NULL, help }
#define im_daemon_flag(name, s, member, value, help)                          \
    { name, IM_OPTION_FLAG, offsetof(s, member), value, 0, 1, NULL,           \
      NULL, "on|off  " help }
#define im_daemon_option_end  { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }


/* Where a value stands. */
typedef struct {
    const char  *file;       /* NULL: the command line */
    im_uint_t    line;
} im_daemon_place_t;


/* The caller's; given has a zeroed byte for each row. */
typedef struct {
    const im_daemon_option_t  *rows;
    void                      *conf;
    u_char                    *given;
} im_daemon_options_t;


im_uint_t im_daemon_option_count(const im_daemon_option_t *rows);

/* NULL: unknown; the fault is logged, with the nearest name. */
const im_daemon_option_t *im_daemon_option_find(
    const im_daemon_options_t *options, const im_daemon_place_t *place,
    const char *name, size_t len);

/* value NULL: there is none.  IM_ERROR: logged. */
im_int_t im_daemon_option_set(const im_daemon_options_t *options,
    const im_daemon_place_t *place, const im_daemon_option_t *row,
    const char *value);

/* Logs what is wrong with an option; value NULL: none, or not to be shown. */
void im_daemon_option_fault(const im_daemon_place_t *place, const char *name,
    const char *value, const char *why);

/* Of all numbers. */
void im_daemon_option_defaults(const im_daemon_option_t *rows, void *conf);

/* Writes what an option is to stdout. */
void im_daemon_option_help(const im_daemon_option_t *row);

/* "  LEFT   text", with the text wrapped. */
void im_daemon_option_line(const char *left, const char *text);

void im_daemon_options_cleanup(const im_daemon_option_t *rows, void *conf);


#endif /* IM_DAEMON_OPTION_H */
