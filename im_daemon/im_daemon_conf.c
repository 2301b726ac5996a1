/*
 * Copyright (C) The im authors
 *
 * The options that all daemons have.
 */

#include <errno.h>
#include <stdio.h>

#include "im_addr.h"
#include "im_daemon_conf.h"
#include "im_daemon_log.h"


#define IM_CONF_PASSWORD  1024


const char *
im_daemon_conf_redis(const char *value)
{
    im_addr_t  addr;

    return im_addr_parse(&addr, im_str_z(value), IM_ADDR_CONNECT,
                         IM_DAEMON_LINK_PORT);
}


const char *
im_daemon_conf_prefix(const char *value)
{
    return im_prefix_valid(im_str_z(value))
           ? NULL : "must be 1 to 32 printable bytes without \"{}\" and spaces";
}


const char *
im_daemon_conf_log(const char *value)
{
    return im_daemon_log_level(value)
           ? NULL : "must be error, warn, notice, info or debug";
}


/* The only line of a file.  NULL, or why not. */
static const char *
im_daemon_conf_line(const char *path, char **line)
{
    int      failed;
    char     text[IM_CONF_PASSWORD + 2];
    FILE    *f;
    size_t   len;

    f = fopen(path, "re");
    if (f == NULL) {
        return errno == ENOENT ? "is not there" : "can't be read";
    }

    len = fread(text, 1, sizeof(text), f);
    failed = ferror(f);
    (void) fclose(f);

    if (failed) {
        return "can't be read";
    }

    if (len == sizeof(text)) {
        return "is longer than 1k";
    }

    len -= len > 0 && text[len - 1] == '\n';
    len -= len > 0 && text[len - 1] == '\r';

    if (len == 0 || memchr(text, '\n', len) != NULL
        || memchr(text, '\0', len) != NULL)
    {
        return "must have one line, the password";
    }

    *line = im_calloc(len + 1);
    if (*line == NULL) {
        return "no memory";
    }

    memcpy(*line, text, len);

    return NULL;
}


static im_int_t
im_daemon_conf_password(im_daemon_conf_t *conf)
{
    const char               *why;
    static im_daemon_place_t  args = { NULL, 0 };

    if (conf->password != NULL && conf->password_file != NULL) {
        im_daemon_log(IM_LOG_ERROR, "there are redis-password and "
                      "redis-password-file: leave one out");
        return IM_ERROR;
    }

    if (conf->password_file != NULL) {
        why = im_daemon_conf_line(conf->password_file, &conf->password);

        if (why != NULL) {
            im_daemon_option_fault(&args, "redis-password-file",
                                   conf->password_file, why);
            return IM_ERROR;
        }
    }

    if (conf->user != NULL && conf->password == NULL) {
        im_daemon_log(IM_LOG_ERROR, "redis-user has no password: add "
                      "redis-password-file");
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_daemon_conf_init(im_daemon_conf_t *conf)
{
    im_link_seed_t  *seed;

    if (im_daemon_conf_password(conf) != IM_OK) {
        return IM_ERROR;
    }

    (void) im_daemon_log_level(conf->log != NULL ? conf->log : "notice");

    seed = &conf->link.seeds[0];
    seed->name = im_str_z(conf->redis != NULL ? conf->redis
                                              : IM_DAEMON_LINK_ADDRESS);
    (void) im_addr_parse(&seed->addr, seed->name, IM_ADDR_CONNECT,
                         IM_DAEMON_LINK_PORT);
    conf->link.nseeds = 1;
    conf->link.user = im_str_z(conf->user != NULL ? conf->user : "");
    conf->link.password = im_str_z(conf->password != NULL ? conf->password
                                                          : "");
    conf->link.timeout = IM_DAEMON_LINK_TIMEOUT;
    conf->link.prefix = im_str_z(conf->prefix != NULL ? conf->prefix : "im:");

    return IM_OK;
}
