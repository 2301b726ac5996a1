/*
 * Copyright (C) The im authors
 *
 * The options of the floor: a table, and what several of them mean together.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "floor_input.h"
#include "floor_options.h"


typedef enum {
    FLOOR_OPTION_NUMBER = 0,
    FLOOR_OPTION_TEXT,
    FLOOR_OPTION_FLAG
} floor_option_e;


typedef struct {
    const char      *name;
    floor_option_e   type;
    unsigned         max;
    size_t           at;
    const char      *help;
} floor_option_t;


#define floor_option_fault(name, fault, help)                                 \
    { name, FLOOR_OPTION_NUMBER, 1000000000,                                  \
      offsetof(floor_options_t, every[fault]), help }


static const floor_option_t  floor_options_table[] = {
    { "port", FLOOR_OPTION_NUMBER, 65535, offsetof(floor_options_t, port),
      "where it listens" },
    { "address", FLOOR_OPTION_TEXT, 0, offsetof(floor_options_t, address),
      "and at which IPv4 address (127.0.0.1)" },
    { "workers", FLOOR_OPTION_NUMBER, FLOOR_MAX_WORKERS,
      offsetof(floor_options_t, workers), "processes that share the port (1)" },
    { "coalesced", FLOOR_OPTION_FLAG, 0, offsetof(floor_options_t, coalesced),
      "messages of one turn go in one send for each client" },
    { "uring", FLOOR_OPTION_FLAG, 0, offsetof(floor_options_t, uring),
      "io_uring submissions carry the sends of a fan-out" },
    floor_option_fault("drop", FLOOR_FAULT_DROP,
                       "for tests: each N-th delivery is not sent"),
    floor_option_fault("double", FLOOR_FAULT_DOUBLE, "or is sent twice"),
    floor_option_fault("swap", FLOOR_FAULT_SWAP,
                       "or is swapped with the client's next one"),
    { NULL, FLOOR_OPTION_FLAG, 0, 0, NULL }
};


void
floor_fault(const char *format, ...)
{
    va_list  args;

    fputs("im_floor: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}


static void
floor_options_help(void)
{
    const floor_option_t  *option;

    printf("im_floor --port=N [--OPTION=VALUE ...]\n\n");

    for (option = floor_options_table; option->name != NULL; option++) {
        printf("  --%-16s  %s\n", option->name, option->help);
    }

    printf("  --%-16s  %s\n", "help", "this list");

    exit(0);
}


static unsigned
floor_options_number(const floor_option_t *option, const char *value)
{
    char           *end;
    unsigned long   n;

    n = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '\0' || n == 0
        || n > option->max)
    {
        floor_fault("--%s=%s: must be a number from 1 to %u", option->name,
                    value, option->max);
    }

    return (unsigned) n;
}


static const floor_option_t *
floor_options_find(const char *word, size_t len)
{
    const floor_option_t  *option;

    for (option = floor_options_table; option->name != NULL; option++) {
        if (strlen(option->name) == len
            && strncmp(option->name, word, len) == 0)
        {
            return option;
        }
    }

    floor_fault("no option --%.*s, see --help", (int) len, word);
}


static void
floor_options_set(floor_options_t *o, const char *word)
{
    char                  *field;
    const char            *value;
    const floor_option_t  *option;

    if (strcmp(word, "--help") == 0) {
        floor_options_help();
    }

    if (strncmp(word, "--", 2) != 0) {
        floor_fault("\"%s\" is no option; options are --NAME=VALUE, see --help",
                    word);
    }

    word += 2;
    value = strchr(word, '=');
    option = floor_options_find(word, value != NULL ? (size_t) (value - word)
                                                    : strlen(word));
    field = (char *) o + option->at;

    if ((value != NULL) == (option->type == FLOOR_OPTION_FLAG)) {
        floor_fault(value != NULL ? "--%s takes no value"
                    : "--%s needs a value: --%s=VALUE", option->name,
                    option->name);
    }

    if (option->type == FLOOR_OPTION_TEXT) {
        *(const char **) field = value + 1;

    } else {
        *(unsigned *) field = value == NULL
                              ? 1 : floor_options_number(option, value + 1);
    }
}


void
floor_options_parse(floor_options_t *o, int argc, char **argv)
{
    int       i;
    unsigned  fault;

    memset(o, 0, sizeof(floor_options_t));
    o->address = "127.0.0.1";
    o->workers = 1;

    for (i = 1; i < argc; i++) {
        floor_options_set(o, argv[i]);
    }

    if (o->port == 0) {
        floor_fault("--port=N is missing, see --help");
    }

    for (fault = FLOOR_FAULT_DROP; fault <= FLOOR_FAULT_SWAP; fault++) {
        if (o->every[fault] != 0 && o->fault != FLOOR_FAULT_NONE) {
            floor_fault("--drop, --double and --swap are faults: give one");
        }

        if (o->every[fault] != 0) {
            o->fault = fault;
        }
    }

    if (o->fault != FLOOR_FAULT_NONE && (o->coalesced || o->uring)) {
        floor_fault("faults are of plain sends: leave --coalesced and --uring "
                    "out");
    }
}
