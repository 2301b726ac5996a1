/*
 * Copyright (C) The im authors
 *
 * im_handover: the directive, and the sockets by which workers find those that
 * come after them.
 *
 * The master makes a socket for each worker, under a temporary name, and
 * renames it to PATH.SLOT.  So the path leads to the newest workers, and never
 * to none.  Workers know the sockets of their own configuration by number and
 * time of the files: while the path leads to these, no worker comes after them.
 *
 * A new binary puts the sockets of the binary before it aside, as
 * PATH.SLOT.old.  These are for a return to the old binary.
 *
 * A master that was killed leaves its files behind.  The next one removes those
 * that no process has.
 */

#include "ngx_im_handover.h"
#include "ngx_im_nginx.h"
#include "im_near.h"

#include <grp.h>
#include <sys/fsuid.h>


#define NGX_IM_HANDOVER_EXT      ".im"
#define NGX_IM_HANDOVER_NEW      ".new"
#define NGX_IM_HANDOVER_OLD      ".old"
#define NGX_IM_HANDOVER_BACKLOG  64

/* as a slot, so that one that was left is removed with others */
#define NGX_IM_HANDOVER_TRIAL    ".9999" NGX_IM_HANDOVER_NEW

#define NGX_IM_HANDOVER_NAME     sizeof(((struct sockaddr_un *) 0)->sun_path)

/* of the path: a slot and an extension follow */
#define NGX_IM_HANDOVER_DIGITS   4
#define NGX_IM_HANDOVER_MAX      (NGX_IM_HANDOVER_NAME - sizeof(".1024.new"))

#define NGX_IM_HANDOVER_GROUPS   65536


/* The number of a file that is gone may be that of a later one. */
typedef struct {
    ngx_socket_t               fd;       /* -1: not of this process */
    dev_t                      dev;
    ino_t                      ino;
    struct timespec            made;
} ngx_im_handover_socket_t;


/* In the cycle's pool. */
struct ngx_im_handover_s {
    ngx_str_t                  path;
    ngx_uid_t                  user;     /* of the workers */
    ngx_uint_t                 upgraded; /* from another binary */
    ngx_int_t                  slot;     /* of this worker */
    ngx_uint_t                 n;
    ngx_im_handover_socket_t   sockets[1];
};


/* name: NGX_IM_HANDOVER_NAME bytes */
static void
ngx_im_handover_name(char *name, ngx_im_handover_t *h, ngx_uint_t slot,
    const char *ext)
{
    *ngx_snprintf((u_char *) name, NGX_IM_HANDOVER_NAME - 1, "%V.%ui%s",
                  &h->path, slot, ext) = '\0';
}


static ngx_uint_t
ngx_im_handover_same(const struct stat *st, const ngx_im_handover_socket_t *s)
{
    return st->st_ino == s->ino && st->st_dev == s->dev
           && st->st_mtim.tv_sec == s->made.tv_sec
           && st->st_mtim.tv_nsec == s->made.tv_nsec;
}


/* The file is that socket of ours. */
static ngx_uint_t
ngx_im_handover_is(const char *file, const ngx_im_handover_socket_t *s)
{
    struct stat  st;

    return lstat(file, &st) == 0 && ngx_im_handover_same(&st, s);
}


/* The length of the path's directory. */
static size_t
ngx_im_handover_dir(const ngx_str_t *path)
{
    size_t  len;

    for (len = path->len; len > 0; len--) {
        if (path->data[len - 1] == '/') {
            break;
        }
    }

    return len;
}


/* dir: NGX_IM_HANDOVER_NAME bytes */
static void
ngx_im_handover_folder(const ngx_str_t *path, u_char *dir)
{
    size_t  len;

    len = ngx_im_handover_dir(path);
    len = len > 1 ? len - 1 : len;

    *ngx_cpymem(dir, path->data, len) = '\0';
}


/*
 * The file is a socket as masters make them, and no process has it.  Where that
 * isn't certain, it is 0.  A connect by another type of socket reaches none, so
 * workers don't notice.
 */
static ngx_uint_t
ngx_im_handover_dead(const char *file, ngx_uid_t user)
{
    int                 fd, rc;
    ngx_err_t           err;
    struct stat         st;
    struct sockaddr_un  sa;

    if (lstat(file, &st) == -1 || !S_ISSOCK(st.st_mode)
        || (st.st_mode & 0777) != 0600
        || (st.st_uid != user && st.st_uid != geteuid()))
    {
        return 0;
    }

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return 0;
    }

    ngx_memzero(&sa, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;
    (void) ngx_cpystrn((u_char *) sa.sun_path, (u_char *) file,
                       NGX_IM_HANDOVER_NAME);

    rc = connect(fd, (struct sockaddr *) &sa, sizeof(struct sockaddr_un));
    err = ngx_errno;

    (void) ngx_close_socket(fd);

    return rc == -1 && err == NGX_ECONNREFUSED;
}


static int
ngx_im_handover_bind(int fd, const struct sockaddr_un *sa)
{
    int     rc;
    mode_t  mask;

    mask = umask(0177);
    rc = bind(fd, (const struct sockaddr *) sa, sizeof(struct sockaddr_un));
    (void) umask(mask);

    return rc;
}


/* 0, or why no socket can be made there.  It leaves none behind. */
static ngx_err_t
ngx_im_handover_try(const ngx_str_t *path)
{
    int                 fd;
    ngx_err_t           err;
    struct sockaddr_un  sa;

    fd = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return 0;
    }

    ngx_memzero(&sa, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;

    (void) ngx_snprintf((u_char *) sa.sun_path, NGX_IM_HANDOVER_NAME - 1,
                        "%V" NGX_IM_HANDOVER_TRIAL, path);

    err = ngx_im_handover_bind(fd, &sa) == -1 ? ngx_errno : 0;

    if (err == 0) {
        (void) unlink(sa.sun_path);
    }

    (void) ngx_close_socket(fd);

    /* a socket that was left has that name: one can be made */

    return err == NGX_EADDRINUSE ? 0 : err;
}


/* Users that don't own the folder can remove the sockets. */
static ngx_uint_t
ngx_im_handover_exposed(const u_char *dir)
{
    struct stat  st;

    return stat((const char *) dir, &st) == 0
           && (st.st_mode & (S_IWOTH|S_ISVTX)) == S_IWOTH;
}


/* Why no socket can be made there, written up to the result. */
static u_char *
ngx_im_handover_fault(ngx_str_t *path, u_char *text, u_char *last)
{
    u_char      *p, dir[NGX_IM_HANDOVER_NAME];
    ngx_err_t    err;

    if (path->len > NGX_IM_HANDOVER_MAX) {
        return ngx_slprintf(text, last, "is %uz bytes long, and %uz fit into "
                            "the name of a unix socket: name a shorter one, "
                            "such as /run/nginx.im", path->len,
                            NGX_IM_HANDOVER_MAX);
    }

    ngx_im_handover_folder(path, dir);

    if (ngx_im_handover_exposed(dir)) {
        return ngx_slprintf(text, last, "is in \"%s\", where any user can "
                            "replace it: take that right away, by \"chmod "
                            "o-w\", or name a path such as /run/nginx.im",
                            dir);
    }

    err = access((char *) dir, W_OK|X_OK) == -1 ? ngx_errno
          : ngx_test_config ? ngx_im_handover_try(path) : 0;

    if (err == 0) {
        return text;
    }

    p = ngx_slprintf(text, last, "can't be made in \"%s\"", dir);

    if (geteuid() != 0) {
        p = ngx_slprintf(p, last, " by user %ui", (ngx_uint_t) geteuid());
    }

    return ngx_slprintf(p, last, " (%d: %s): name a path in a directory that "
                        "nginx can write to, such as /run/nginx.im", err,
                        strerror(err));
}


/* 0, or why the workers can't enter that directory. */
static ngx_err_t
ngx_im_handover_enter(const u_char *dir, ngx_core_conf_t *ccf)
{
    int           n;
    gid_t        *groups;
    u_char        inside[NGX_IM_HANDOVER_NAME + 2];
    ngx_err_t     err;
    struct stat   st;

    n = getgroups(0, NULL);

    if (n < 0 || n > NGX_IM_HANDOVER_GROUPS) {
        return 0;
    }

    groups = ngx_alloc((n + 1) * sizeof(gid_t), ngx_cycle->log);

    if (groups == NULL || getgroups(n, groups) != n) {
        ngx_free(groups);
        return 0;
    }

    (void) ngx_sprintf(inside, "%s/.%Z", dir);

    (void) initgroups(ccf->username, ccf->group);
    (void) setfsgid(ccf->group);
    (void) setfsuid(ccf->user);

    err = stat((char *) inside, &st) == -1 ? ngx_errno : 0;

    (void) setfsuid(geteuid());
    (void) setfsgid(getegid());
    (void) setgroups(n, groups);

    ngx_free(groups);

    return err;
}


/* Why workers can't come to sockets there, written up to the result. */
static u_char *
ngx_im_handover_shut(ngx_str_t *path, ngx_core_conf_t *ccf, u_char *text,
    u_char *last)
{
    u_char      dir[NGX_IM_HANDOVER_NAME];
    ngx_err_t   err;

    if (geteuid() != 0 || ccf->user == 0 || ccf->username == NULL) {
        return text;
    }

    ngx_im_handover_folder(path, dir);

    err = ngx_im_handover_enter(dir, ccf);

    if (err == 0) {
        return text;
    }

    return ngx_slprintf(text, last, "is in \"%s\", which the workers' user "
                        "\"%s\" can't enter (%d: %s): let it in, by \"chmod "
                        "o+x\" of each folder on the way, or name a path such "
                        "as /run/nginx.im", dir, ccf->username, err,
                        strerror(err));
}


/* Why it is no path. */
static char *
ngx_im_handover_unknown(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg)
{
    im_near_t  near;

    im_near_init(&near, ngx_im_str(*arg));
    im_near_try(&near, im_str_z("on"));
    im_near_try(&near, im_str_z("off"));

    if (near.found.len > 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: \"%V\" is unknown: do "
                           "you mean \"%*s\"? A path begins with \"/\" or "
                           "\"./\"", &cmd->name, arg, near.found.len,
                           near.found.data);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: \"%V\" is unknown: it "
                           "must be on, off or a path, such as /run/nginx.im",
                           &cmd->name, arg);
    }

    return NGX_CONF_ERROR;
}


static char *
ngx_im_handover_path(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_im_main_conf_t *imcf, ngx_str_t *arg)
{
    u_char  *p, text[NGX_MAX_CONF_ERRSTR];

    if (arg->len == 0) {
        return "is empty: it must be on, off or a path";
    }

    /* "unix:/..." is the name of an address */

    if (ngx_strchr(arg->data, '/') == NULL
        || ngx_strncmp(arg->data, "unix:", 5) == 0)
    {
        return ngx_im_handover_unknown(cf, cmd, arg);
    }

    imcf->handover_path = *arg;

    if (ngx_conf_full_name(cf->cycle, &imcf->handover_path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    p = ngx_im_handover_fault(&imcf->handover_path, text, text + sizeof(text));

    if (p == text) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: \"%V\" %*s", &cmd->name,
                       &imcf->handover_path, (size_t) (p - text), text);

    return NGX_CONF_ERROR;
}


char *
ngx_im_handover(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    ngx_str_t  *args;

    if (imcf->handover_mode != NGX_IM_HANDOVER_UNSET) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (ngx_strcasecmp(args[1].data, (u_char *) "off") == 0) {
        imcf->handover_mode = NGX_IM_HANDOVER_OFF;
        return NGX_CONF_OK;
    }

    imcf->handover_mode = NGX_IM_HANDOVER_ON;

    if (ngx_strcasecmp(args[1].data, (u_char *) "on") == 0) {
        return NGX_CONF_OK;
    }

    return ngx_im_handover_path(cf, cmd, imcf, &args[1]);
}


/* "/run/nginx.pid" gives "/run/nginx.im" */
static ngx_int_t
ngx_im_handover_default(ngx_cycle_t *cycle, ngx_str_t *path)
{
    u_char           *p;
    ngx_str_t         pid;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    pid = ccf->pid;

    if (pid.len > 4 && ngx_strncmp(pid.data + pid.len - 4, ".pid", 4) == 0) {
        pid.len -= 4;
    }

    path->data = ngx_pnalloc(cycle->pool,
                             pid.len + sizeof(NGX_IM_HANDOVER_EXT));
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(path->data, "%V" NGX_IM_HANDOVER_EXT, &pid);
    *p = '\0';

    path->len = p - path->data;

    return NGX_OK;
}


/* Those of the binary before, which lives, take their place again. */
static ngx_int_t
ngx_im_handover_return(ngx_im_handover_t *h, const char *old, const char *name)
{
    if (!(ngx_quit || ngx_terminate)) {
        return NGX_DECLINED;
    }

    if (ngx_im_handover_dead(old, h->user)) {
        (void) unlink(old);
    }

    return rename(old, name) == 0 ? NGX_OK : NGX_DECLINED;
}


/*
 * A file of ours goes.  If this binary ends while the one before it lives, that
 * one's takes its place.
 */
static void
ngx_im_handover_remove(ngx_im_handover_t *h, ngx_uint_t slot)
{
    char    name[NGX_IM_HANDOVER_NAME], old[NGX_IM_HANDOVER_NAME];

    ngx_im_handover_name(name, h, slot, "");
    ngx_im_handover_name(old, h, slot, NGX_IM_HANDOVER_OLD);

    if (ngx_im_handover_is(old, &h->sockets[slot])) {
        (void) unlink(old);
    }

    if (!ngx_im_handover_is(name, &h->sockets[slot])) {
        return;
    }

    if (ngx_im_handover_return(h, old, name) != NGX_OK) {
        (void) unlink(name);
    }
}


/* The binary before had more workers. */
static void
ngx_im_handover_restore(ngx_im_handover_t *h)
{
    char         name[NGX_IM_HANDOVER_NAME], old[NGX_IM_HANDOVER_NAME];
    ngx_uint_t   slot;

    slot = h->n;

    do {
        ngx_im_handover_name(name, h, slot, "");
        ngx_im_handover_name(old, h, slot++, NGX_IM_HANDOVER_OLD);

    } while (ngx_im_handover_return(h, old, name) == NGX_OK);
}


/* The configuration goes.  The files are the master's. */
static void
ngx_im_handover_cleanup(void *data)
{
    ngx_im_handover_t  *h = data;

    ngx_uint_t  i;

    for (i = 0; i < h->n; i++) {
        if (h->sockets[i].fd == (ngx_socket_t) -1) {
            continue;
        }

        if (ngx_process == NGX_PROCESS_MASTER) {
            ngx_im_handover_remove(h, i);
        }

        (void) ngx_close_socket(h->sockets[i].fd);
        h->sockets[i].fd = (ngx_socket_t) -1;
    }

    if (ngx_process == NGX_PROCESS_MASTER) {
        ngx_im_handover_restore(h);
    }
}


/* NULL, or what has failed. */
static const char *
ngx_im_handover_give_file(int fd, ngx_uid_t user, struct stat *st)
{
    if (fstat(fd, st) == -1) {
        return "fstat()";
    }

    if (!S_ISSOCK(st->st_mode) || st->st_uid != geteuid() || st->st_nlink != 1)
    {
        ngx_set_errno(NGX_EEXIST);
        return "a check";
    }

    return geteuid() == 0
           && fchownat(fd, "", user, (gid_t) -1, AT_EMPTY_PATH) == -1
           ? "fchownat()" : NULL;
}


/*
 * The socket that was just made becomes the user's.  Where others can write to
 * the directory, its name may be that of another file by now: only a socket of
 * ours is given away.  NULL, or what has failed.
 */
static const char *
ngx_im_handover_give(const char *file, ngx_uid_t user, struct stat *st)
{
    int          fd;
    ngx_err_t    err;
    const char  *failed;

    fd = open(file, O_PATH|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        return "open()";
    }

    failed = ngx_im_handover_give_file(fd, user, st);

    err = ngx_errno;
    (void) close(fd);
    ngx_set_errno(err);

    return failed;
}


/* NULL: it is made, else what has failed.  The caller closes it. */
static const char *
ngx_im_handover_socket_make(ngx_im_handover_t *h, ngx_uint_t slot,
    ngx_uid_t user)
{
    int                        fd;
    const char                *failed;
    struct stat                st;
    struct sockaddr_un         sa;
    ngx_im_handover_socket_t  *s;

    s = &h->sockets[slot];

    ngx_memzero(&sa, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;

    ngx_im_handover_name(sa.sun_path, h, slot, NGX_IM_HANDOVER_NEW);

    fd = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    s->fd = fd;

    if (fd == -1) {
        return "socket()";
    }

    (void) unlink(sa.sun_path);

    if (ngx_im_handover_bind(fd, &sa) == -1) {
        return "bind()";
    }

    failed = ngx_im_handover_give(sa.sun_path, user, &st);

    if (failed != NULL) {
        return failed;
    }

    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->made = st.st_mtim;

    return listen(fd, NGX_IM_HANDOVER_BACKLOG) == -1 ? "listen()" : NULL;
}


static const char *
ngx_im_handover_make(ngx_im_handover_t *h, ngx_uint_t slot, ngx_uid_t user)
{
    char         name[NGX_IM_HANDOVER_NAME], made[NGX_IM_HANDOVER_NAME],
                 old[NGX_IM_HANDOVER_NAME];
    ngx_err_t    err;
    const char  *failed;

    ngx_im_handover_name(name, h, slot, "");
    ngx_im_handover_name(made, h, slot, NGX_IM_HANDOVER_NEW);
    ngx_im_handover_name(old, h, slot, NGX_IM_HANDOVER_OLD);

    failed = ngx_im_handover_socket_make(h, slot, user);

    if (failed == NULL) {
        if (h->upgraded) {
            (void) rename(name, old);
        }

        if (rename(made, name) == 0) {
            return NULL;
        }

        failed = "rename()";
    }

    err = ngx_errno;
    (void) unlink(made);
    ngx_set_errno(err);

    return failed;
}


/* Workers of the binary before that this one has not. */
static void
ngx_im_handover_aside(ngx_im_handover_t *h)
{
    char         name[NGX_IM_HANDOVER_NAME], old[NGX_IM_HANDOVER_NAME];
    ngx_uint_t   slot;

    slot = h->n;

    do {
        ngx_im_handover_name(name, h, slot, "");
        ngx_im_handover_name(old, h, slot++, NGX_IM_HANDOVER_OLD);

    } while (rename(name, old) == 0);
}


/* The name is one of a socket, but of this configuration's. */
static ngx_uint_t
ngx_im_handover_other_name(ngx_im_handover_t *h, u_char *name, size_t len)
{
    size_t       base, digits;
    ngx_int_t    slot;

    base = ngx_im_handover_dir(&h->path);
    digits = h->path.len - base;

    if (len <= digits + 1 || name[digits] != '.'
        || ngx_memcmp(name, h->path.data + base, digits) != 0)
    {
        return 0;
    }

    name += digits + 1;
    len -= digits + 1;

    for (digits = 0; digits < len && digits <= NGX_IM_HANDOVER_DIGITS; digits++)
    {
        if (name[digits] < '0' || name[digits] > '9') {
            break;
        }
    }

    slot = ngx_atoi(name, digits);

    return slot != NGX_ERROR && digits <= NGX_IM_HANDOVER_DIGITS
           && (ngx_strcmp(name + digits, NGX_IM_HANDOVER_OLD) == 0
               || ngx_strcmp(name + digits, NGX_IM_HANDOVER_NEW) == 0
               || (digits == len && (ngx_uint_t) slot >= h->n));
}


/* Files of masters that were killed. */
static void
ngx_im_handover_sweep(ngx_im_handover_t *h)
{
    char        file[NGX_IM_HANDOVER_NAME];
    u_char      dir[NGX_IM_HANDOVER_NAME];
    ngx_dir_t   d;
    ngx_str_t   path;

    path.len = ngx_im_handover_dir(&h->path);
    path.data = dir;
    *ngx_cpymem(dir, h->path.data, path.len) = '\0';

    if (ngx_open_dir(&path, &d) == NGX_ERROR) {
        return;
    }

    while (ngx_read_dir(&d) == NGX_OK) {

        if (!ngx_im_handover_other_name(h, ngx_de_name(&d), ngx_de_namelen(&d)))
        {
            continue;
        }

        *ngx_snprintf((u_char *) file, NGX_IM_HANDOVER_NAME - 1, "%V%s", &path,
                      ngx_de_name(&d)) = '\0';

        if (ngx_im_handover_dead(file, h->user)) {
            (void) unlink(file);
        }
    }

    (void) ngx_close_dir(&d);
}


static ngx_im_handover_t *
ngx_im_handover_create(ngx_cycle_t *cycle, ngx_str_t *path,
    ngx_core_conf_t *ccf)
{
    ngx_uint_t           i, n;
    ngx_im_handover_t   *h;
    ngx_pool_cleanup_t  *cln;

    n = ccf->worker_processes;

    h = ngx_pcalloc(cycle->pool, sizeof(ngx_im_handover_t)
                                 + n * sizeof(ngx_im_handover_socket_t));
    cln = ngx_pool_cleanup_add(cycle->pool, 0);

    if (h == NULL || cln == NULL) {
        return NULL;
    }

    h->path = *path;
    h->user = ccf->user;
    h->n = n;
    h->slot = -1;
    h->upgraded = ngx_is_init_cycle(cycle->old_cycle)
                  && ngx_im_nginx_upgraded();

    for (i = 0; i < n; i++) {
        h->sockets[i].fd = (ngx_socket_t) -1;
    }

    cln->handler = ngx_im_handover_cleanup;
    cln->data = h;

    return h;
}


static void
ngx_im_handover_open(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf,
    ngx_str_t *path, ngx_core_conf_t *ccf)
{
    ngx_uint_t          i;
    const char         *failed;
    ngx_im_handover_t  *h;

    h = ngx_im_handover_create(cycle, path, ccf);
    if (h == NULL) {
        return;
    }

    for (i = 0; i < h->n; i++) {
        failed = ngx_im_handover_make(h, i, ccf->user);

        if (failed != NULL) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                          "im_handover: %s of \"%V.%ui\" failed: sessions will "
                          "not move to this worker; let nginx make sockets "
                          "there, or name a path such as /run/nginx.im", failed,
                          path, i);
        }
    }

    if (h->upgraded) {
        ngx_im_handover_aside(h);
    }

    ngx_im_handover_sweep(h);

    imcf->handover = h;
}


ngx_int_t
ngx_im_handover_init(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf)
{
    u_char           *p, text[NGX_MAX_CONF_ERRSTR];
    ngx_str_t         path;
    ngx_uint_t        level;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (imcf->handover_mode == NGX_IM_HANDOVER_OFF || !ccf->master
        || imcf->comets.nelts + imcf->listens.nelts == 0)
    {
        return NGX_OK;
    }

    path = imcf->handover_path;

    if (path.len == 0 && ngx_im_handover_default(cycle, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_im_handover_fault(&path, text, text + sizeof(text));

    if (p == text) {
        p = ngx_im_handover_shut(&path, ccf, text, text + sizeof(text));
    }

    if (p > text) {
        level = imcf->handover_mode == NGX_IM_HANDOVER_ON ? NGX_LOG_EMERG
                                                          : NGX_LOG_NOTICE;

        ngx_log_error(level, cycle->log, 0,
                      "im_handover: \"%V\" %*s, or set \"im_handover off\"",
                      &path, (size_t) (p - text), text);

        /* an error would end the master, which serves with what it has */

        return ngx_test_config && level == NGX_LOG_EMERG ? NGX_ERROR : NGX_OK;
    }

    if (!ngx_test_config) {
        ngx_im_handover_open(cycle, imcf, &path, ccf);
    }

    return NGX_OK;
}


void
ngx_im_handover_keep(ngx_im_main_conf_t *imcf, ngx_int_t slot)
{
    ngx_uint_t          i;
    ngx_im_handover_t  *h;

    h = imcf->handover;

    if (h == NULL) {
        return;
    }

    h->slot = slot;

    for (i = 0; i < h->n; i++) {
        if ((ngx_int_t) i != slot && h->sockets[i].fd != (ngx_socket_t) -1) {
            (void) ngx_close_socket(h->sockets[i].fd);
            h->sockets[i].fd = (ngx_socket_t) -1;
        }
    }
}


ngx_socket_t
ngx_im_handover_socket(ngx_im_main_conf_t *imcf)
{
    ngx_socket_t        fd;
    ngx_im_handover_t  *h;

    h = imcf->handover;

    if (h == NULL || h->slot < 0 || h->slot >= (ngx_int_t) h->n) {
        return (ngx_socket_t) -1;
    }

    fd = h->sockets[h->slot].fd;
    h->sockets[h->slot].fd = (ngx_socket_t) -1;

    return fd;
}


/* The number of a file that is there and not ours, or 0. */
static ino_t
ngx_im_handover_other(ngx_im_handover_t *h, ngx_uint_t slot, const char *file)
{
    struct stat  st;

    if (lstat(file, &st) == -1
        || (slot < h->n && ngx_im_handover_same(&st, &h->sockets[slot])))
    {
        return 0;
    }

    return st.st_ino;
}


ngx_int_t
ngx_im_handover_next(ngx_im_main_conf_t *imcf, ngx_uint_t slot,
    struct sockaddr_un *sa, ino_t *ino)
{
    ngx_uint_t           i;
    ngx_im_handover_t   *h;

    static const char  *exts[] = { "", NGX_IM_HANDOVER_OLD };

    h = imcf->handover;

    if (h == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(sa, sizeof(struct sockaddr_un));
    sa->sun_family = AF_UNIX;

    for (i = 0; i < 2; i++) {
        ngx_im_handover_name(sa->sun_path, h, slot, exts[i]);

        *ino = ngx_im_handover_other(h, slot, sa->sun_path);

        if (*ino != 0) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


const char *
ngx_im_handover_none(ngx_im_main_conf_t *imcf)
{
    if (imcf->handover != NULL) {
        return ": no worker comes after it at the path of im_handover";
    }

    return imcf->handover_mode == NGX_IM_HANDOVER_OFF
           ? ": im_handover is off" : ": it has no sockets of im_handover";
}
