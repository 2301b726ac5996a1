/*
 * Copyright (C) The im authors
 *
 * Listening sockets.
 *
 * FastCGI has no authentication: whoever may connect to a unix socket may do
 * everything.  So such a socket never has a wider mode than it is to have, not
 * even for a moment.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "im_daemon_listen.h"
#include "im_daemon_log.h"


#define IM_LISTEN_BACKLOG  511
#define IM_LISTEN_MODE     0660
#define IM_LISTEN_FOLDER   0750
#define IM_LISTEN_NONE     ((gid_t) -1)     /* of chown(): as it is */


const char *
im_daemon_listen_address(const char *value)
{
    im_addr_t  addr;

    return im_addr_parse(&addr, im_str_z(value), IM_ADDR_LISTEN, 0);
}


/* 0: there is no such group. */
static int
im_daemon_listen_gid(const char *name, gid_t *gid)
{
    char           *end;
    unsigned long   n;
    struct group   *gr;

    gr = getgrnam(name);

    if (gr != NULL) {
        *gid = gr->gr_gid;
        return 1;
    }

    errno = 0;
    n = strtoul(name, &end, 10);

    if (name[0] < '0' || name[0] > '9' || *end != '\0' || errno != 0
        || n >= UINT32_MAX)
    {
        return 0;
    }

    *gid = (gid_t) n;

    return 1;
}


const char *
im_daemon_listen_group(const char *value)
{
    gid_t  gid;

    return im_daemon_listen_gid(value, &gid)
           ? NULL : "is no group here: use the one of nginx's workers";
}


const char *
im_daemon_listen_mode(const char *value)
{
    size_t  len;

    len = strlen(value);

    return len >= 3 && len <= 4 && strspn(value, "01234567") == len
           && (len == 3 || value[0] == '0') && value[len - 3] >= '6'
           ? NULL : "is no mode of a socket: use octal digits as in 0660, with "
                    "6 or 7 for the owner";
}


/*
 * Without --socket-group, root gives a socket to the group that packages of
 * nginx have for its workers.
 */
static gid_t
im_daemon_listen_owner(const im_daemon_listen_t *conf)
{
    gid_t               gid;
    im_uint_t           i;
    static const char  *names[] = { "nginx", "www-data" };

    if (conf->group != NULL) {
        return im_daemon_listen_gid(conf->group, &gid) ? gid : IM_LISTEN_NONE;
    }

    for (i = 0; geteuid() == 0 && i < 2; i++) {
        if (im_daemon_listen_gid(names[i], &gid)) {
            return gid;
        }
    }

    return IM_LISTEN_NONE;
}


static mode_t
im_daemon_listen_bits(const im_daemon_listen_t *conf)
{
    return conf->mode != NULL ? (mode_t) strtoul(conf->mode, NULL, 8)
                              : IM_LISTEN_MODE;
}


/* NULL, or why. */
static const char *
im_daemon_listen_start(int fd, const struct sockaddr *sa, socklen_t len,
    const im_daemon_listen_t *conf)
{
    int  on;

    on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || (conf->reuseport
            && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1)
        || (sa->sa_family == AF_INET6
            && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))
               == -1)
        || bind(fd, sa, len) == -1 || listen(fd, IM_LISTEN_BACKLOG) == -1)
    {
        return errno == EADDRINUSE
               ? "a program listens there: end it, or use another port "
                 "(--reuseport shares one)"
               : strerror(errno);
    }

    return NULL;
}


/*
 * What stands at the path of a socket.  A killed process leaves its socket
 * behind, and no process answers there.
 */
static const char *
im_daemon_listen_clear(const struct sockaddr_un *un)
{
    int          fd, rc;
    struct stat  st;

    if (lstat(un->sun_path, &st) == -1) {
        return errno == ENOENT ? NULL : strerror(errno);
    }

    if (!S_ISSOCK(st.st_mode)) {
        return "what is there is no socket: remove it, or use another path";
    }

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return strerror(errno);
    }

    rc = connect(fd, (const struct sockaddr *) un, sizeof(*un)) == -1 ? errno
                                                                      : 0;
    (void) close(fd);

    if (rc == EACCES || rc == EPERM) {
        return "another user's socket is there: remove it, or use another "
               "path";
    }

    if (rc == ENOENT) {
        return NULL;
    }

    if (rc != ECONNREFUSED) {
        return "a program listens there: end it, or use another path";
    }

    return unlink(un->sun_path) == 0 || errno == ENOENT ? NULL
                                                        : strerror(errno);
}


/* The folder of a path, made if it is missing, and locked; -1: *why is set. */
static int
im_daemon_listen_folder(const char *path, gid_t gid, const char **why)
{
    int    fd;
    char   folder[IM_ADDR_MAX_PATH + 1];
    mode_t mask;

    (void) snprintf(folder, sizeof(folder), "%s", path);
    strrchr(folder, '/')[folder == strrchr(folder, '/')] = '\0';

    mask = umask(0);

    if (mkdir(folder, IM_LISTEN_FOLDER) == 0) {
        im_daemon_log(IM_LOG_NOTICE, "made the folder \"%s\"", folder);

        if (gid != IM_LISTEN_NONE && lchown(folder, (uid_t) -1, gid) == -1) {
            im_daemon_log(IM_LOG_WARN, "chown() of \"%s\" failed: %s", folder,
                          strerror(errno));
        }
    }

    (void) umask(mask);

    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        *why = errno == ENOENT ? "its folder is missing, and so is the one "
                                 "above: make them"
                               : strerror(errno);

    } else if (flock(fd, LOCK_EX) == -1) {
        *why = strerror(errno);
        (void) close(fd);
        fd = -1;
    }

    return fd;
}


/* Until it listens, the socket is for its owner alone. */
static const char *
im_daemon_listen_bind(int fd, const struct sockaddr_un *un, gid_t gid,
    mode_t bits)
{
    int          rc;
    mode_t       mask;
    const char  *why;

    why = im_daemon_listen_clear(un);
    if (why != NULL) {
        return why;
    }

    mask = umask(0177);
    rc = bind(fd, (const struct sockaddr *) un, sizeof(*un));
    why = strerror(errno);
    (void) umask(mask);

    if (rc == -1) {
        return why;
    }

    if ((gid != IM_LISTEN_NONE && lchown(un->sun_path, (uid_t) -1, gid) == -1)
        || chmod(un->sun_path, bits) == -1
        || listen(fd, IM_LISTEN_BACKLOG) == -1)
    {
        why = errno == EPERM ? "its group can't be set: use a group of this "
                               "user for --socket-group"
                             : strerror(errno);
        (void) unlink(un->sun_path);
        return why;
    }

    return NULL;
}


static const char *
im_daemon_listen_unix(const im_addr_t *addr, const im_daemon_listen_t *conf,
    int *fd)
{
    int                 folder;
    gid_t               gid;
    mode_t              bits;
    struct stat         st;
    const char         *why;
    struct group       *gr;
    struct sockaddr_un  un;

    _Static_assert(IM_ADDR_MAX_PATH < sizeof(un.sun_path), "path too long");

    memset(&un, 0, sizeof(un));
    un.sun_family = AF_UNIX;
    im_copy(un.sun_path, addr->host.data, addr->host.len);

    gid = im_daemon_listen_owner(conf);
    bits = im_daemon_listen_bits(conf);

    folder = im_daemon_listen_folder(un.sun_path, gid, &why);
    if (folder == -1) {
        return why;
    }

    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    why = *fd == -1 ? strerror(errno)
                    : im_daemon_listen_bind(*fd, &un, gid, bits);
    (void) close(folder);

    if (why != NULL) {
        return why;
    }

    gr = stat(un.sun_path, &st) == 0 ? getgrgid(st.st_gid) : NULL;

    im_daemon_log(bits & 06 ? IM_LOG_WARN : IM_LOG_NOTICE,
                  "listens on \"unix:%s\", mode 0%o, group \"%s\"%s",
                  un.sun_path, (unsigned) bits,
                  gr != NULL ? gr->gr_name : "?",
                  bits & 06 ? ": any local user may do everything there"
                  : !(bits & 060) ? "; nginx's workers must run as this user"
                  : conf->group == NULL ? "; nginx's workers must be in it "
                                          "(--socket-group=)" : "");

    return NULL;
}


/* IPv6 may be absent where all addresses are meant. */
static const char *
im_daemon_listen_info(const struct addrinfo *ai, const im_daemon_listen_t *conf,
    int optional, int *fds, int *n)
{
    int          fd;
    const char  *why;

    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return optional && errno == EAFNOSUPPORT ? NULL : strerror(errno);
    }

    why = im_daemon_listen_start(fd, ai->ai_addr, ai->ai_addrlen, conf);

    if (why == NULL) {
        fds[(*n)++] = fd;
        return NULL;
    }

    optional = optional && errno == EADDRNOTAVAIL;
    (void) close(fd);

    return optional ? NULL : why;
}


static const char *
im_daemon_listen_inet(const im_addr_t *addr, const im_daemon_listen_t *conf,
    int *fds, int *n)
{
    int               rc;
    char              host[IM_ADDR_MAX_NAME + 2], port[sizeof("65535")];
    const char       *why;
    struct addrinfo   hints, *res, *ai;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;

    (void) snprintf(host, sizeof(host), "%.*s", (int) addr->host.len,
                    (char *) addr->host.data);
    (void) snprintf(port, sizeof(port), "%u", (unsigned) addr->port);

    rc = getaddrinfo(addr->type == IM_ADDR_ANY ? NULL : host, port, &hints,
                     &res);
    if (rc != 0) {
        return gai_strerror(rc);
    }

    why = NULL;

    for (ai = res; why == NULL && ai != NULL; ai = ai->ai_next) {
        why = *n == IM_DAEMON_LISTEN_MAX
              ? "the name has too many addresses"
              : im_daemon_listen_info(ai, conf, addr->type == IM_ADDR_ANY, fds,
                                      n);
    }

    freeaddrinfo(res);

    return why == NULL && *n == 0 ? "no address of this machine" : why;
}


int
im_daemon_listen(const char *text, const im_daemon_listen_t *conf, int *fds)
{
    int          n;
    im_addr_t    addr;
    const char  *why;

    n = 0;
    why = im_addr_parse(&addr, im_str_z(text), IM_ADDR_LISTEN, 0);

    if (why == NULL && addr.type == IM_ADDR_UNIX) {
        fds[0] = -1;
        why = im_daemon_listen_unix(&addr, conf, fds);
        n = fds[0] != -1;

    } else if (why == NULL) {
        why = im_daemon_listen_inet(&addr, conf, fds, &n);

        if (why == NULL) {
            im_daemon_log(IM_LOG_NOTICE, "listens on \"%s\"", text);
        }
    }

    if (why == NULL) {
        return n;
    }

    im_daemon_log(IM_LOG_ERROR, "can't listen on \"%s\": %s", text, why);

    while (n > 0) {
        (void) close(fds[--n]);
    }

    return -1;
}
