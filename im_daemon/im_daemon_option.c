/*
 * Copyright (C) The im authors
 *
 * Options by table.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "im_daemon_option.h"
#include "im_daemon_log.h"


#define IM_OPTION_LINE  1024


static void
im_daemon_option_help(const char *program, const im_daemon_option_t *options)
{
    const im_daemon_option_t  *o;

    printf("usage: %s [--name=value ...]\n\n", program);
    printf("  --conf=FILE  lines \"name value;\"; the command line wins\n");

    for (o = options; o->name != NULL; o++) {
        printf("  --%s=%s\n", o->name, o->help);
    }

    printf("  --help\n  --version\n");
}


static im_int_t
im_daemon_option_number(const im_daemon_option_t *o, const char *value,
    uint64_t *n)
{
    int        shift;
    char      *end;
    uint64_t   v;

    errno = 0;
    v = strtoull(value, &end, 10);

    shift = (*end | 0x20) == 'k' ? 10 : (*end | 0x20) == 'm' ? 20 : 0;

    if (shift != 0 && v < UINT32_MAX) {
        v <<= shift;
        end++;
    }

    if (!isdigit((u_char) *value) || *end != '\0' || errno != 0
        || v < o->min || v > o->max)
    {
        im_daemon_log(IM_LOG_ERROR, "--%s=%s is not a number from %llu to "
                      "%llu", o->name, value, (unsigned long long) o->min,
                      (unsigned long long) o->max);
        return IM_ERROR;
    }

    *n = v;

    return IM_OK;
}


static im_int_t
im_daemon_option_set(const im_daemon_option_t *options, im_str_t name,
    const char *value, void *conf)
{
    char                      *copy, **s;
    void                      *dst;
    size_t                     size;
    const im_daemon_option_t  *o;

    for (o = options; o->name != NULL; o++) {
        if (im_str_eq(im_str_z(o->name), name)) {
            break;
        }
    }

    if (o->name == NULL) {
        im_daemon_log(IM_LOG_ERROR, "unknown option \"%.*s\", see --help",
                      (int) name.len, (char *) name.data);
        return IM_ERROR;
    }

    dst = (u_char *) conf + o->offset;

    if (o->type == IM_OPTION_NUMBER) {
        return im_daemon_option_number(o, value, dst);
    }

    size = strlen(value) + 1;

    copy = im_alloc(size);
    if (copy == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return IM_ERROR;
    }

    memcpy(copy, value, size);

    s = dst;
    im_free(*s);
    *s = copy;

    return IM_OK;
}


/* "name value;" or "name = value", '#' starts a comment. */
static im_int_t
im_daemon_option_line(char *line, const im_daemon_option_t *options, void *conf)
{
    char      *value;
    size_t     len;
    im_str_t   name;

    line += strspn(line, " \t\r\n");

    if (*line == '\0' || *line == '#') {
        return IM_OK;
    }

    name = im_str_set(line, strcspn(line, " \t\r\n=;"));
    value = line + name.len;
    value += strspn(value, " \t=");

    len = strcspn(value, "\r\n");

    while (len > 0 && (value[len - 1] == ';'
                       || isspace((u_char) value[len - 1])))
    {
        len--;
    }

    value[len] = '\0';

    return im_daemon_option_set(options, name, value, conf);
}


static im_int_t
im_daemon_option_file(const char *path, const im_daemon_option_t *options,
    void *conf)
{
    char      line[IM_OPTION_LINE];
    FILE     *f;
    im_int_t  rc;

    f = fopen(path, "r");
    if (f == NULL) {
        im_daemon_log(IM_LOG_ERROR, "can't read \"%s\": %s", path,
                      strerror(errno));
        return IM_ERROR;
    }

    rc = IM_OK;

    while (rc == IM_OK && fgets(line, sizeof(line), f) != NULL) {
        rc = im_daemon_option_line(line, options, conf);
    }

    (void) fclose(f);

    if (rc != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "\"%s\" is not usable", path);
    }

    return rc;
}


im_int_t
im_daemon_options(int argc, char **argv, const im_daemon_option_t *options,
    void *conf)
{
    int                        i;
    size_t                     len;
    const im_daemon_option_t  *o;

    for (o = options; o->name != NULL; o++) {
        if (o->type == IM_OPTION_NUMBER) {
            memcpy((u_char *) conf + o->offset, &o->value, sizeof(uint64_t));
        }
    }

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            im_daemon_option_help(argv[0], options);
            return IM_DONE;
        }

        if (strcmp(argv[i], "--version") == 0) {
            printf("im %s\n", IM_DAEMON_VERSION);
            return IM_DONE;
        }
    }

    for (i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--conf=", 7) == 0
            && im_daemon_option_file(argv[i] + 7, options, conf) != IM_OK)
        {
            return IM_ERROR;
        }
    }

    for (i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--conf=", 7) == 0) {
            continue;
        }

        len = strcspn(argv[i], "=");

        if (strncmp(argv[i], "--", 2) != 0 || argv[i][len] == '\0') {
            im_daemon_log(IM_LOG_ERROR, "\"%s\" is not --name=value, "
                          "see --help", argv[i]);
            return IM_ERROR;
        }

        if (im_daemon_option_set(options, im_str_set(argv[i] + 2, len - 2),
                                 argv[i] + len + 1, conf)
            != IM_OK)
        {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


void
im_daemon_options_cleanup(const im_daemon_option_t *options, void *conf)
{
    char                     **s;
    const im_daemon_option_t  *o;

    for (o = options; o->name != NULL; o++) {
        if (o->type == IM_OPTION_STRING) {
            s = (void *) ((u_char *) conf + o->offset);
            im_free(*s);
            *s = NULL;
        }
    }
}
