/*
 * Copyright (C) The im authors
 *
 * Log lines in nginx's form: time, level, process, text.  The journal of
 * systemd has time and process itself, and gets the level in its form.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "im_types.h"
#include "im_daemon_log.h"


#define IM_LOG_LINE  1024


static const char  *im_daemon_levels[] = {
    "error", "warn", "notice", "info", "debug"
};

/* The same, as the journal numbers them. */
static const int  im_daemon_priorities[] = {
    LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG
};

static int  im_daemon_level = IM_LOG_NOTICE;
static int  im_daemon_journal;


/* JOURNAL_STREAM is of the program's start: stderr may be another file now. */
void
im_daemon_log_init(void)
{
    const char          *stream;
    struct stat          st;
    unsigned long long   dev, ino;

    stream = getenv("JOURNAL_STREAM");

    im_daemon_journal = stream != NULL
                        && sscanf(stream, "%llu:%llu", &dev, &ino) == 2
                        && fstat(STDERR_FILENO, &st) == 0
                        && st.st_dev == dev && st.st_ino == ino;
}


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


static int
im_daemon_log_head(char *line, size_t size, int level)
{
    size_t     len;
    time_t     now;
    struct tm  tm;

    if (im_daemon_journal) {
        return snprintf(line, size, "<%d>[%s] ", im_daemon_priorities[level],
                        im_daemon_levels[level]);
    }

    now = time(NULL);
    (void) localtime_r(&now, &tm);

    len = strftime(line, size, "%Y/%m/%d %H:%M:%S ", &tm);

    return (int) len
           + im_max(snprintf(line + len, size - len, "[%s] %d: ",
                             im_daemon_levels[level], (int) getpid()), 0);
}


void
im_daemon_log(int level, const char *fmt, ...)
{
    int      n;
    char     line[IM_LOG_LINE];
    size_t   len;
    va_list  args;

    if (level > im_daemon_level) {
        return;
    }

    len = (size_t) im_daemon_log_head(line, sizeof(line), level);

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
