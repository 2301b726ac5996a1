/*
 * Copyright (C) The im authors
 *
 * What a command of centrifuge's says, as a line of text.
 */

#ifndef TELL_H
#define TELL_H


#include <stdarg.h>

#include "test.h"
#include "im_proto_centrifuge.h"


static const char *const  types[] = {
    "none", "connect", "echo", "fault", "error", "pong", "subscribe",
    "unsubscribe", "publish", "presence", "presence_stats", "history", "rpc",
    "send", "refresh", "sub_refresh"
};


static char  told[8192];


static void tell(const char *format, ...)
    __attribute__((format(printf, 1, 2)));


static void
tell(const char *format, ...)
{
    size_t   n;
    va_list  args;

    n = strlen(told);

    va_start(args, format);
    vsnprintf(told + n, sizeof(told) - n, format, args);
    va_end(args);
}


static void
tell_str(const char *name, im_str_t s)
{
    if (s.len > 0) {
        tell(" %s=%.*s", name, (int) s.len, (char *) s.data);
    }
}


static void
tell_position(const char *name, im_position_t at)
{
    tell(" %s=%.*s:%lu", name, (int) at.epoch.len, (char *) at.epoch.data,
         at.seq);
}


/* What a command says, as a line of text. */
static const char *
tell_command(const im_command_t *command)
{
    im_uint_t  i;

    told[0] = '\0';

    tell("%s", types[command->type]);

    if (command->type == IM_COMMAND_FAULT) {
        tell(" %d %s", im_centrifuge_codes[command->fault], command->why);
        return told;
    }

    tell(" %u", command->id);

    if (command->type == IM_COMMAND_ERROR) {
        tell(" %d", command->error);
        return told;
    }

    tell_str("token", command->token);
    tell_str("topic", command->topic);
    tell_str("data", command->data);
    tell_str("name", command->name);
    tell_str("version", command->version);
    tell_str("method", command->method);

    if (command->recover) {
        tell_position("since", command->since);
    }

    if (command->type == IM_COMMAND_HISTORY) {
        tell(" limit=%ld", command->limit);
    }

    tell("%s%s%s%s", command->join_leave ? " join_leave" : "",
         command->strict ? " strict" : "", command->reverse ? " reverse" : "",
         command->positions ? " positions" : "");

    for (i = 0; i < command->nresumes; i++) {
        tell_str("resume", command->resumes[i].topic);
        tell_position("at", command->resumes[i].since);
    }

    return told;
}


#endif /* TELL_H */
