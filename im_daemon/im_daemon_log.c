/*
 * Copyright (C) The im authors
 *
 * Log lines in nginx's form: time, level, process, text.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "im_types.h"
#include "im_daemon_log.h"


#define IM_LOG_LINE  1024


static const char  *im_daemon_levels[] = {
    "error", "warn", "notice", "info", "debug"
};

static int  im_daemon_level = IM_LOG_NOTICE;


int
im_daemon_log_level(const char *name)
{
    int  i;

    for (i = IM_LOG_ERROR; i <= IM_LOG_DEBUG; i++) {
        if (strcmp(im_daemon_levels[i], name) == 0) {
            im_daemon_level = i;
            return 1;
        }
    }

    return 0;
}


void
im_daemon_log(int level, const char *fmt, ...)
{
    int        n;
    char       line[IM_LOG_LINE];
    size_t     len;
    time_t     now;
    va_list    args;
    struct tm  tm;

    if (level > im_daemon_level) {
        return;
    }

    now = time(NULL);
    (void) localtime_r(&now, &tm);

    len = strftime(line, sizeof(line), "%Y/%m/%d %H:%M:%S ", &tm);

    n = snprintf(line + len, sizeof(line) - len, "[%s] %d: ",
                 im_daemon_levels[level], (int) getpid());
    len += (size_t) im_max(n, 0);

    va_start(args, fmt);
    n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
    va_end(args);

    len = im_min(len + (size_t) im_max(n, 0), sizeof(line) - 2);

    line[len++] = '\n';

    /* a failure of the log can't be logged */
    if (write(STDERR_FILENO, line, len) < 0) {
        return;
    }
}
