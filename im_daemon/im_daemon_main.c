/*
 * Copyright (C) The im authors
 *
 * The command line and the file of a daemon.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "im_daemon_main.h"
#include "im_daemon_file.h"
#include "im_daemon_log.h"
#include "im_daemon_notify.h"


#define IM_MAIN_FILE     (256 * 1024)
#define IM_MAIN_OPTION   256          /* what getopt gives for the first row */

#define IM_MAIN_BAD      2


/* What the command line asks for. */
typedef enum {
    IM_MAIN_RUN = 0,
    IM_MAIN_TEST,
    IM_MAIN_DONE           /* --help or --version was answered */
} im_daemon_act_e;


typedef struct {
    const im_daemon_program_t  *program;
    im_daemon_options_t         options;
    const char                 *file;
    im_daemon_act_e             act;
} im_daemon_main_t;


static const im_daemon_place_t  im_daemon_args = { NULL, 0 };

/* Those that are not of a table: the value that getopt gives is the letter. */
static const struct option  im_daemon_common[] = {
    { "conf", required_argument, NULL, 'c' },
    { "test", no_argument, NULL, 't' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' }
};

#define IM_MAIN_COMMON  (sizeof(im_daemon_common) / sizeof(struct option))


static void
im_daemon_main_help(const im_daemon_program_t *program)
{
    const im_daemon_option_t  *row;

    printf("usage: %s [options]\n%s\n\n", program->name, program->purpose);

    im_daemon_option_line("-c, --conf=FILE", "a file of lines \"name value;\", "
                          "with the names below; the command line wins");
    im_daemon_option_line("-t, --test", "says whether options and file are "
                          "right, and ends");
    im_daemon_option_line("-h, --help", "shows this, and ends");
    im_daemon_option_line("-V, --version", "shows the version, and ends");

    for (row = program->options; row->name != NULL; row++) {
        im_daemon_option_help(row);
    }
}


/* NULL, or why these words are not a name and a value. */
static const char *
im_daemon_main_form(const im_daemon_file_t *f)
{
    return strchr(f->words[0], '=') != NULL
           || (f->nwords > 1 && strcmp(f->words[1], "=") == 0)
           ? "must be written \"name value;\", without \"=\"" : NULL;
}


/* The words behind the name, as one value that the caller frees. */
static const char *
im_daemon_main_words(const im_daemon_file_t *f, char **value)
{
    char       *p;
    size_t      size;
    im_uint_t   i;

    if (f->nwords > IM_DAEMON_FILE_WORDS) {
        return "has too many words: is a \";\" missing behind it?";
    }

    for (i = 1, size = 1; i < f->nwords; i++) {
        size += strlen(f->words[i]) + 1;
    }

    p = im_alloc(size);
    if (p == NULL) {
        return "no memory";
    }

    *value = p;

    for (i = 1; i < f->nwords; i++) {
        *p++ = '\n';
        p = stpcpy(p, f->words[i]);
    }

    *p = '\0';

    return NULL;
}


/* A line of nginx.conf is good here too. */
static im_int_t
im_daemon_main_directive(im_daemon_main_t *m, const im_daemon_place_t *place,
    const im_daemon_file_t *f)
{
    char                      *words;
    im_int_t                   rc;
    const char                *why, *name, *value;
    const im_daemon_option_t  *row;

    why = im_daemon_main_form(f);

    if (why != NULL) {
        im_daemon_option_fault(place, f->words[0], NULL, why);
        return IM_ERROR;
    }

    name = strcmp(f->words[0], "im_redis") == 0 ? "redis" : f->words[0];
    row = im_daemon_option_find(&m->options, place, name, strlen(name));
    if (row == NULL) {
        return IM_ERROR;
    }

    words = NULL;
    value = f->nwords > 1 ? f->words[1] : NULL;

    if (row->type == IM_OPTION_WORDS) {
        why = im_daemon_main_words(f, &words);
        value = words;

    } else if (f->nwords > 2) {
        why = "has more than one value: is a \";\" missing behind it, or are "
              "quotes around it?";
    }

    if (why != NULL) {
        im_daemon_option_fault(place, row->name, NULL, why);
        return IM_ERROR;
    }

    rc = im_daemon_option_set(&m->options, place, row, value);

    im_free(words);

    return rc;
}


/* NULL: logged.  There is a byte behind the len bytes. */
static u_char *
im_daemon_main_read(const char *path, size_t *len)
{
    int          fd;
    u_char      *text;
    ssize_t      n;
    const char  *why;

    *len = 0;
    why = NULL;
    text = NULL;

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1 || (text = im_alloc(IM_MAIN_FILE + 1)) == NULL) {
        why = strerror(errno);
    }

    while (why == NULL && *len <= IM_MAIN_FILE) {
        n = read(fd, text + *len, IM_MAIN_FILE + 1 - *len);

        if (n == 0) {
            break;
        }

        if (n > 0) {
            *len += (size_t) n;

        } else if (errno != EINTR) {
            why = strerror(errno);
        }
    }

    if (fd != -1) {
        (void) close(fd);
    }

    if (why == NULL && *len > IM_MAIN_FILE) {
        why = "it is longer than 256k";
    }

    if (why == NULL) {
        return text;
    }

    im_daemon_log(IM_LOG_ERROR, "can't read \"%s\": %s", path, why);
    im_free(text);

    return NULL;
}


static int
im_daemon_main_secret(const im_daemon_main_t *m, im_uint_t i)
{
    const char                *value;
    const im_daemon_option_t  *row;

    row = &m->program->options[i];

    if (!m->options.given[i] || row->type > IM_OPTION_WORDS) {
        return 0;
    }

    value = *(char **) ((u_char *) m->options.conf + row->offset);

    return row->type == IM_OPTION_SECRET
           || (row->type == IM_OPTION_WORDS
               && strstr(value, "password=") != NULL);
}


/* A password in a file that everybody can read is none. */
static void
im_daemon_main_warn(const im_daemon_main_t *m)
{
    struct stat                st;
    im_uint_t                  i;
    const im_daemon_option_t  *rows;

    rows = m->program->options;

    if (stat(m->file, &st) == -1 || (st.st_mode & S_IROTH) == 0) {
        return;
    }

    for (i = 0; rows[i].name != NULL; i++) {
        if (im_daemon_main_secret(m, i)) {
            im_daemon_log(IM_LOG_WARN, "any local user can read \"%s\", which "
                          "has %s: chmod o-r", m->file,
                          rows[i].type == IM_OPTION_SECRET ? rows[i].name
                                                           : "a password");
        }
    }
}


static im_int_t
im_daemon_main_file(im_daemon_main_t *m)
{
    size_t              len;
    u_char             *text;
    im_int_t            rc;
    const char         *why;
    im_daemon_file_t    f;
    im_daemon_place_t   place;

    text = im_daemon_main_read(m->file, &len);
    if (text == NULL) {
        return IM_ERROR;
    }

    place.file = m->file;
    im_daemon_file_init(&f, text, len);

    do {
        rc = im_daemon_file_next(&f, &why);
        place.line = f.line;

        if (rc == IM_OK) {
            rc = im_daemon_main_directive(m, &place, &f);

        } else if (rc == IM_ERROR) {
            im_daemon_log(IM_LOG_ERROR, "%s:%u: %s", m->file,
                          (unsigned) f.line, why);
        }
    } while (rc == IM_OK);

    im_free(text);

    if (rc == IM_DECLINED) {
        im_daemon_main_warn(m);
    }

    return rc == IM_DECLINED ? IM_OK : IM_ERROR;
}


/* An option that getopt refuses, takes for another, or gives no value. */
static im_int_t
im_daemon_main_refuse(const im_daemon_main_t *m, const char *arg)
{
    size_t                     len, i;
    const char                *why;
    const im_daemon_option_t  *row;

    if (strncmp(arg, "--", 2) != 0) {
        im_daemon_log(IM_LOG_ERROR, "\"%s\" is unknown or has no value: use "
                      "--name=VALUE (--help lists all)", arg);
        return IM_ERROR;
    }

    arg += 2;
    len = strcspn(arg, "=");
    why = arg[len] == '=' ? "takes no value" : "has no value: use --name=VALUE";

    for (i = 0; i < IM_MAIN_COMMON; i++) {
        if (strlen(im_daemon_common[i].name) == len
            && strncmp(im_daemon_common[i].name, arg, len) == 0)
        {
            im_daemon_option_fault(&im_daemon_args, im_daemon_common[i].name,
                                   NULL, why);
            return IM_ERROR;
        }
    }

    row = im_daemon_option_find(&m->options, &im_daemon_args, arg, len);

    if (row != NULL) {
        im_daemon_option_fault(&im_daemon_args, row->name, NULL, why);
    }

    return IM_ERROR;
}


/* Those that are not of the table. */
static im_int_t
im_daemon_main_common(im_daemon_main_t *m, int c, const char *value)
{
    switch (c) {

    case 'c':
        if (m->file != NULL || value == NULL || value[0] == '\0') {
            im_daemon_option_fault(&im_daemon_args, "conf", NULL,
                                   m->file != NULL
                                   ? "is there twice: leave one out"
                                   : "has no value");
            return IM_ERROR;
        }

        m->file = value;
        break;

    case 't':
        m->act = IM_MAIN_TEST;
        break;

    case 'h':
        im_daemon_main_help(m->program);
        m->act = IM_MAIN_DONE;
        break;

    default:
        printf("%s %s\n", m->program->name, IM_VERSION);
        m->act = IM_MAIN_DONE;
    }

    return IM_OK;
}


/*
 * One option; arg is where it begins.  A value that begins with "-" is mostly
 * the next option: it needs "=".  "-" alone is a value.
 */
static im_int_t
im_daemon_main_option(im_daemon_main_t *m, int c, const char *arg,
    const char *name)
{
    const char                *value;
    const im_daemon_option_t  *row;

    value = optarg;

    if (c == '?' || c == ':'
        || (name != NULL && strcspn(arg + 2, "=") != strlen(name)))
    {
        return im_daemon_main_refuse(m, arg);
    }

    if (value != NULL && value == arg + strlen(arg) + 1
        && value[0] == '-' && value[1] != '\0')
    {
        return im_daemon_main_refuse(m, arg);
    }

    if (c < IM_MAIN_OPTION) {
        return im_daemon_main_common(m, c, value);
    }

    row = &m->program->options[c - IM_MAIN_OPTION];

    if (value == NULL && row->type == IM_OPTION_FLAG) {
        value = "on";
    }

    return im_daemon_option_set(&m->options, &im_daemon_args, row, value);
}


static im_int_t
im_daemon_main_args(im_daemon_main_t *m, int argc, char **argv,
    const struct option *longs)
{
    int  c, at, prev;

    opterr = 0;
    optind = 1;

    for ( ;; ) {
        at = -1;
        prev = optind;

        c = getopt_long(argc, argv, "+:c:thvV", longs, &at);

        if (c == -1) {
            break;
        }

        if (im_daemon_main_option(m, c, argv[prev],
                                  at == -1 ? NULL : longs[at].name)
            != IM_OK)
        {
            return IM_ERROR;
        }

        if (m->act == IM_MAIN_DONE) {
            return IM_OK;
        }
    }

    if (optind < argc) {
        im_daemon_log(IM_LOG_ERROR, "\"%s\" is no option: use --name=VALUE "
                      "(--help lists all)", argv[optind]);
        return IM_ERROR;
    }

    return IM_OK;
}


/* The command line is read first, so that a file is known; it wins. */
static im_int_t
im_daemon_main_read_all(im_daemon_main_t *m, int argc, char **argv)
{
    im_int_t                   rc;
    im_uint_t                  i, n;
    struct option             *longs;
    const im_daemon_option_t  *rows;

    rows = m->program->options;
    n = im_daemon_option_count(rows);

    m->options.rows = rows;
    m->options.conf = m->program->conf;
    m->options.given = im_calloc(n);

    longs = im_calloc((n + IM_MAIN_COMMON + 1) * sizeof(struct option));

    if (longs == NULL || m->options.given == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        im_free(longs);
        im_free(m->options.given);
        return IM_ERROR;
    }

    memcpy(longs, im_daemon_common, sizeof(im_daemon_common));

    for (i = 0; i < n; i++) {
        longs[IM_MAIN_COMMON + i].name = rows[i].name;
        longs[IM_MAIN_COMMON + i].val = IM_MAIN_OPTION + (int) i;
        longs[IM_MAIN_COMMON + i].has_arg = rows[i].type == IM_OPTION_FLAG
                                            ? optional_argument
                                            : required_argument;
    }

    im_daemon_option_defaults(rows, m->program->conf);

    rc = im_daemon_main_args(m, argc, argv, longs);

    if (rc == IM_OK && m->file != NULL && m->act != IM_MAIN_DONE) {
        rc = im_daemon_main_file(m);
    }

    im_free(longs);
    im_free(m->options.given);

    return rc;
}


/* Each connection needs a descriptor. */
static void
im_daemon_main_limits(void)
{
    struct rlimit  limit;

    (void) signal(SIGPIPE, SIG_IGN);

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}


/*
 * A daemon that is woken doesn't take the core from the program that woke it,
 * such as nginx's worker: that one goes on, and more work comes together.  A
 * policy that the administrator chose stays.
 */
static void
im_daemon_main_policy(void)
{
    struct sched_param  param;

    memset(&param, 0, sizeof(struct sched_param));

    if (sched_getscheduler(0) == SCHED_OTHER) {
        (void) sched_setscheduler(0, SCHED_BATCH, &param);
    }
}


int
im_daemon_main(const im_daemon_program_t *program, int argc, char **argv)
{
    int               status;
    im_daemon_main_t  m;

    memset(&m, 0, sizeof(im_daemon_main_t));
    m.program = program;

    status = 0;

    im_daemon_log_init();

    if (im_daemon_main_read_all(&m, argc, argv) != IM_OK
        || (m.act != IM_MAIN_DONE && program->check(program->conf) != IM_OK))
    {
        status = IM_MAIN_BAD;
    }

    if (m.act == IM_MAIN_TEST) {
        fprintf(stderr, "%s: %s%s%stest %s\n", program->name,
                m.file != NULL ? "configuration file " : "configuration ",
                m.file != NULL ? m.file : "", m.file != NULL ? " " : "",
                status == 0 ? "is successful" : "failed");

    } else if (m.act == IM_MAIN_RUN && status == 0 && program->tool) {
        status = program->run(program->conf) == IM_OK ? 0 : 1;

    } else if (m.act == IM_MAIN_RUN && status == 0) {
        im_daemon_main_limits();
        im_daemon_main_policy();
        im_daemon_notify_init();

        status = program->run(program->conf) == IM_OK ? 0 : 1;

        if (status == 0) {
            im_daemon_log(IM_LOG_NOTICE, "%s ended", program->name);
        }
    }

    im_daemon_options_cleanup(program->options, program->conf);

    return status;
}
