/*
 * Copyright (C) The im authors
 *
 * The log of a daemon: lines on stderr, which may be systemd's journal.
 */

#ifndef IM_DAEMON_LOG_H
#define IM_DAEMON_LOG_H


typedef enum {
    IM_LOG_ERROR = 0,
    IM_LOG_WARN,
    IM_LOG_NOTICE,
    IM_LOG_INFO,
    IM_LOG_DEBUG
} im_daemon_log_e;


/* Before the first line: whether stderr is the journal. */
void im_daemon_log_init(void);

/* "error" ... "debug": lines above this level are dropped.  0: unknown. */
int im_daemon_log_level(const char *name);

void im_daemon_log(int level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* IM_DAEMON_LOG_H */
