/*
 * Copyright (C) The im authors
 *
 * What the program that started a daemon wants to hear of it: systemd's
 * protocol of NOTIFY_SOCKET.
 */

#ifndef IM_DAEMON_NOTIFY_H
#define IM_DAEMON_NOTIFY_H


/*
 * Reads NOTIFY_SOCKET and WATCHDOG_USEC.  Without the first one all of these
 * do nothing.
 */
void im_daemon_notify_init(void);

/* The daemon takes work, or has waited for Redis. */
void im_daemon_notify_ready(void);

/* It ends, and has a while to finish. */
void im_daemon_notify_stopping(void);

/* Its loop turns: to be called once a second, and silent until it is ready. */
void im_daemon_notify_alive(void);


#endif /* IM_DAEMON_NOTIFY_H */
