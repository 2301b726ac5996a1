/*
 * Copyright (C) The im authors
 *
 * The directive im_redis.
 */

#include <netdb.h>

#include "ngx_im_hooks.h"
#include "ngx_im_option.h"
#include "im_addr.h"
#include "im_key.h"


#define NGX_IM_REDIS_PORT      6379
#define NGX_IM_REDIS_PASSWORD  1024
#define NGX_IM_REDIS_DB        1000000

#define ngx_im_redis_option(n, kind, least, most, member, cure)               \
    ngx_im_option(n, kind, least, most, ngx_im_redis_conf_t, member, cure, 0)


static const ngx_im_option_t  ngx_im_redis_options[] = {
    ngx_im_redis_option("user=", STRING, 1, NGX_IM_MAX, user, "is empty"),
    ngx_im_redis_option("password=", STRING, 1, NGX_IM_MAX, password,
                        "is empty"),
    ngx_im_redis_option("password_file=", STRING, 1, NGX_IM_MAX, password_file,
                        "is empty: name a file with the password in it"),
    ngx_im_redis_option("prefix=", STRING, 0, NGX_IM_MAX, prefix, NULL),
    ngx_im_redis_option("db=", NUMBER, 0, NGX_IM_REDIS_DB, db,
                        "must be a number from 0 to 1000000"),
    ngx_im_redis_option("partitions=", NUMBER, 1, IM_PARTITIONS_MAX,
                        partitions, "must be from 1 to 1024"),
    ngx_im_redis_option("timeout=", MSEC, 1, NGX_IM_MAX, timeout,
                        "is not a time"),
    ngx_im_redis_option("refresh=", MSEC, 1000, 86400000, refresh,
                        "must be a time from 1s to 24h"),
    ngx_im_redis_option("tls=", REFUSED, 0, 0, name, "is not available: use a "
                        "unix socket, or a TLS proxy on this machine"),
    ngx_im_option_end
};


/*
 * Redis that is away does not keep nginx from its start, and so neither does a
 * name: workers look it up, without this.
 */
static void
ngx_im_redis_warn(ngx_conf_t *cf, ngx_im_redis_conf_t *rcf)
{
    int               rc;
    u_char            host[IM_ADDR_MAX_NAME + 2];
    struct addrinfo   hints, *res;

    if (rcf->addr.type != IM_ADDR_NAME) {
        return;
    }

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    *ngx_cpymem(host, rcf->addr.host.data, rcf->addr.host.len) = '\0';

    rc = getaddrinfo((char *) host, NULL, &hints, &res);

    if (rc == 0) {
        freeaddrinfo(res);
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "im_redis: the host of \"%V\" is "
                       "unknown now (%s); workers look it up again each time "
                       "that they connect", &rcf->name, gai_strerror(rc));
}


/* NULL, or what is wrong with the file. */
static const char *
ngx_im_redis_line(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *line)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_str_t  text;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return "no memory";
    }

    text.data = ngx_pnalloc(cf->pool, NGX_IM_REDIS_PASSWORD + 3);
    if (text.data == NULL) {
        return "no memory";
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return ngx_errno == NGX_ENOENT ? "is not there" : "can't be read";
    }

    n = ngx_read_fd(fd, text.data, NGX_IM_REDIS_PASSWORD + 3);

    (void) ngx_close_file(fd);

    if (n == -1) {
        return "can't be read";
    }

    text.len = n;

    if (text.len > 0 && text.data[text.len - 1] == LF) {
        text.len--;
    }

    if (text.len > 0 && text.data[text.len - 1] == CR) {
        text.len--;
    }

    if (text.len > NGX_IM_REDIS_PASSWORD) {
        return "is longer than 1k";
    }

    if (text.len == 0 || ngx_strlchr(text.data, text.data + text.len, LF)
        || ngx_strlchr(text.data, text.data + text.len, '\0'))
    {
        return "must have one line, the password";
    }

    *line = text;

    return NULL;
}


static char *
ngx_im_redis_password(ngx_conf_t *cf, ngx_im_redis_conf_t *rcf)
{
    ngx_str_t    path;
    const char  *why;

    if (rcf->password_file.len > 0) {

        if (rcf->password.len > 0) {
            return "has password= and password_file=: leave one out";
        }

        path = rcf->password_file;
        why = ngx_im_redis_line(cf, &path, &rcf->password);

        if (why != NULL) {
            return ngx_im_refuse(cf, "im_redis: \"password_file=%V\" %s",
                                 &rcf->password_file, why);
        }
    }

    return rcf->user.len > 0 && rcf->password.len == 0
           ? "has user= but no password: add password_file=" : NGX_CONF_OK;
}


char *
ngx_im_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    char                 *rv;
    ngx_str_t            *args;
    const char           *why;
    ngx_im_redis_conf_t  *rcf;

    rcf = &imcf->redis;

    if (rcf->name.len > 0) {
        return "is duplicate";
    }

    args = cf->args->elts;

    why = im_addr_parse(&rcf->addr, ngx_im_str(args[1]), IM_ADDR_CONNECT,
                        NGX_IM_REDIS_PORT);
    if (why != NULL) {
        return ngx_im_invalid(cf, cmd, &args[1], why);
    }

    rcf->name = args[1];
    rcf->timeout = 5000;
    rcf->refresh = 600000;
    ngx_str_set(&rcf->prefix, "im:");

    rv = ngx_im_options(cf, cmd, 2, ngx_im_redis_options, rcf,
                        "is unknown; there are user= password_file= password= "
                        "db= prefix= partitions= timeout= refresh=");

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!im_prefix_valid(ngx_im_str(rcf->prefix))) {
        return ngx_im_refuse(cf, "im_redis: \"prefix=%V\" must be 1 to 32 "
                             "printable bytes without \"{}\" and spaces",
                             &rcf->prefix);
    }

    rv = ngx_im_redis_password(cf, rcf);

    if (rv == NGX_CONF_OK) {
        ngx_im_redis_warn(cf, rcf);
    }

    return rv;
}
