/*
 * Copyright (C) The im authors
 *
 * The options that all daemons have.
 */

#include "im_daemon_conf.h"
#include "im_daemon_log.h"


im_int_t
im_daemon_conf_init(im_daemon_conf_t *conf)
{
    if (conf->log != NULL && !im_daemon_log_level(conf->log)) {
        im_daemon_log(IM_LOG_ERROR, "--log=%s: there are error, warn, notice, "
                      "info and debug", conf->log);
        return IM_ERROR;
    }

    conf->link.name = im_str_z(conf->redis != NULL ? conf->redis
                                                   : IM_DAEMON_LINK_ADDRESS);
    conf->link.user = im_str_z(conf->user != NULL ? conf->user : "");
    conf->link.password = im_str_z(conf->password != NULL ? conf->password
                                                          : "");
    conf->link.timeout = IM_DAEMON_LINK_TIMEOUT;
    conf->link.prefix = im_str_z(conf->prefix != NULL ? conf->prefix : "im:");

    if (!im_prefix_valid(conf->link.prefix)) {
        im_daemon_log(IM_LOG_ERROR, "--prefix=%s: must be 1 to 32 printable "
                      "bytes without \"{}\" and spaces", conf->prefix);
        return IM_ERROR;
    }

    return IM_OK;
}
