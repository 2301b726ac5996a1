/*
 * Copyright (C) The im authors
 *
 * Options by table.
 */

#include <stdio.h>

#include "im_daemon_option.h"
#include "im_near.h"
#include "im_daemon_log.h"


#define IM_OPTION_WIDTH   80
#define IM_OPTION_COLUMN  30      /* of the text of --help */
#define IM_OPTION_SHOWN   128     /* bytes of a value in a message */
#define IM_OPTION_NAME    32

#define IM_OPTION_FILE    1       /* bits of given */
#define IM_OPTION_ARGS    2


im_uint_t
im_daemon_option_count(const im_daemon_option_t *rows)
{
    im_uint_t  n;

    for (n = 0; rows[n].name != NULL; n++) {
        /* void */
    }

    return n;
}


void
im_daemon_option_fault(const im_daemon_place_t *place, const char *name,
    const char *value, const char *why)
{
    char         shown[IM_OPTION_SHOWN + 1], where[IM_OPTION_SHOWN];
    size_t       i;
    const char  *more;

    for (i = 0; value != NULL && value[i] != '\0' && i < IM_OPTION_SHOWN; i++) {
        shown[i] = (u_char) value[i] < 0x20 || value[i] == 0x7f ? '?'
                                                                : value[i];
    }

    shown[i] = '\0';
    more = value != NULL && value[i] != '\0' ? "..." : "";

    where[0] = '\0';

    if (place->file != NULL) {
        (void) snprintf(where, sizeof(where), "%s:%u: ", place->file,
                        (unsigned) place->line);
    }

    im_daemon_log(IM_LOG_ERROR, "%s%s%s%s%s%s%s %s", where,
                  place->file == NULL ? "--" : "", name,
                  value == NULL ? "" : place->file == NULL ? "=\"" : " \"",
                  shown, more, value == NULL ? "" : "\"", why);
}


const im_daemon_option_t *
im_daemon_option_find(const im_daemon_options_t *options,
    const im_daemon_place_t *place, const char *name, size_t len)
{
    char                       text[IM_OPTION_SHOWN], why[IM_OPTION_SHOWN];
    const char                *nearest;
    im_near_t                  near;
    const im_daemon_option_t  *row;

    im_near_init(&near, im_str_set((u_char *) name, len));

    for (row = options->rows; row->name != NULL; row++) {
        if (strncmp(row->name, name, len) == 0 && row->name[len] == '\0') {
            return row;
        }

        im_near_try(&near, im_str_z(row->name));
    }

    /* names of rows end in NUL */

    nearest = (const char *) near.found.data;

    (void) snprintf(text, sizeof(text), "%.*s", (int) len, name);
    (void) snprintf(why, sizeof(why), "is unknown%s%s%s (--help lists all)",
                    nearest == NULL ? "" : place->file == NULL
                    ? ": do you mean --" : ": do you mean ",
                    nearest == NULL ? "" : nearest,
                    nearest == NULL ? "" : "?");

    im_daemon_option_fault(place, text, NULL, why);

    return NULL;
}


/* What multiplies a number; 0: no such unit. */
static uint64_t
im_daemon_option_unit(const im_daemon_option_t *row, const char *unit)
{
    im_uint_t  i;
    static const struct {
        im_daemon_option_e   type;
        char                 unit;
        uint64_t             factor;
    } units[] = {
        { IM_OPTION_SIZE, 'k', 1024 }, { IM_OPTION_SIZE, 'K', 1024 },
        { IM_OPTION_SIZE, 'm', 1024 * 1024 },
        { IM_OPTION_SIZE, 'M', 1024 * 1024 },
        { IM_OPTION_TIME, 's', 1 }, { IM_OPTION_TIME, 'm', 60 },
        { IM_OPTION_TIME, 'h', 3600 }, { IM_OPTION_TIME, 'd', 86400 }
    };

    if (unit[0] == '\0') {
        return 1;
    }

    for (i = 0; unit[1] == '\0' && i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].type == row->type && units[i].unit == unit[0]) {
            return units[i].factor;
        }
    }

    return 0;
}


/* Digits and a unit, without a sign and blanks.  0: not one, or too much. */
static int
im_daemon_option_number(const im_daemon_option_t *row, const char *value,
    uint64_t *n)
{
    uint64_t     v, unit;
    const char  *p;

    if (row->type == IM_OPTION_FLAG) {
        *n = strcmp(value, "on") == 0 || strcmp(value, "1") == 0;

        return *n || strcmp(value, "off") == 0 || strcmp(value, "0") == 0;
    }

    v = 0;

    for (p = value; *p >= '0' && *p <= '9'; p++) {
        if (v > row->max) {
            return 0;
        }

        v = v * 10 + (uint64_t) (*p - '0');
    }

    unit = im_daemon_option_unit(row, p);

    if (p == value || unit == 0 || v > row->max / unit || v * unit < row->min) {
        return 0;
    }

    *n = v * unit;

    return 1;
}


/* As it is written in a configuration: 1m, 30d. */
static const char *
im_daemon_option_show(const im_daemon_option_t *row, uint64_t n, char *text,
    size_t size)
{
    char      c;
    uint64_t  unit;

    c = '\0';
    unit = 1;

    if (row->type == IM_OPTION_SIZE && n % 1024 == 0 && n > 0) {
        unit = n % (1024 * 1024) == 0 ? 1024 * 1024 : 1024;
        c = unit == 1024 ? 'k' : 'm';

    } else if (row->type == IM_OPTION_TIME) {
        unit = n % 86400 == 0 ? 86400 : n % 3600 == 0 ? 3600
               : n % 60 == 0 ? 60 : 1;
        unit = n == 0 ? 1 : unit;
        c = unit == 86400 ? 'd' : unit == 3600 ? 'h' : unit == 60 ? 'm' : 's';
    }

    (void) snprintf(text, size, "%llu%.1s", (unsigned long long) (n / unit),
                    &c);

    return text;
}


/* NULL, or why the text is no value of the option. */
static const char *
im_daemon_option_numeric(const im_daemon_option_t *row, const char *value,
    uint64_t *n, char *why, size_t size)
{
    char         least[IM_OPTION_NAME], most[IM_OPTION_NAME];
    static const char  *kinds[] = {
        [IM_OPTION_NUMBER] = "number", [IM_OPTION_SIZE] = "size",
        [IM_OPTION_TIME] = "time"
    };

    if (im_daemon_option_number(row, value, n)) {
        return NULL;
    }

    if (row->type == IM_OPTION_FLAG) {
        return "must be on or off";
    }

    (void) snprintf(why, size, "must be a %s from %s to %s", kinds[row->type],
                    im_daemon_option_show(row, row->min, least, sizeof(least)),
                    im_daemon_option_show(row, row->max, most, sizeof(most)));

    return why;
}


static im_int_t
im_daemon_option_copy(const char *value, char **dst)
{
    char    *copy;
    size_t   size;

    size = strlen(value) + 1;

    copy = im_alloc(size);
    if (copy == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return IM_ERROR;
    }

    memcpy(copy, value, size);

    im_free(*dst);
    *dst = copy;

    return IM_OK;
}


/* NULL, or why the text is no value of the option. */
static const char *
im_daemon_option_check(const im_daemon_option_t *row, const char *value,
    uint64_t *n, char *text, size_t size)
{
    if (row->type > IM_OPTION_WORDS) {
        return im_daemon_option_numeric(row, value, n, text, size);
    }

    return row->check != NULL ? row->check(value) : NULL;
}


im_int_t
im_daemon_option_set(const im_daemon_options_t *options,
    const im_daemon_place_t *place, const im_daemon_option_t *row,
    const char *value)
{
    int          bit;
    char         text[IM_OPTION_SHOWN], word[IM_OPTION_SHOWN + 2];
    void        *dst;
    u_char      *given;
    im_str_t     at = im_str("");
    uint64_t     n;
    const char  *why, *shown;

    dst = (u_char *) options->conf + row->offset;
    given = &options->given[row - options->rows];
    bit = place->file != NULL ? IM_OPTION_FILE : IM_OPTION_ARGS;
    shown = row->type == IM_OPTION_SECRET || row->type == IM_OPTION_WORDS
            ? "" : value;
    n = 0;

    if (*given & bit) {
        why = "is there twice: leave one out";

    } else if (value == NULL || value[0] == '\0') {
        why = "has no value";

    } else if (row->type == IM_OPTION_WORDS) {
        why = row->words(value, &at);
        (void) snprintf(word, sizeof(word), "%.*s", (int) at.len,
                        (char *) at.data);
        shown = word;

    } else {
        why = im_daemon_option_check(row, value, &n, text, sizeof(text));
    }

    if (why != NULL) {
        im_daemon_option_fault(place, row->name,
                               shown == NULL || shown[0] == '\0' ? NULL : shown,
                               why);
        return IM_ERROR;
    }

    *given |= bit;

    if (bit == IM_OPTION_FILE && (*given & IM_OPTION_ARGS)) {
        return IM_OK;
    }

    if (row->type <= IM_OPTION_WORDS) {
        return im_daemon_option_copy(value, dst);
    }

    memcpy(dst, &n, sizeof(uint64_t));

    return IM_OK;
}


void
im_daemon_option_defaults(const im_daemon_option_t *rows, void *conf)
{
    for ( /* void */ ; rows->name != NULL; rows++) {
        if (rows->type > IM_OPTION_WORDS) {
            memcpy((u_char *) conf + rows->offset, &rows->value,
                   sizeof(uint64_t));
        }
    }
}


void
im_daemon_option_line(const char *left, const char *text)
{
    int     at;
    size_t  n;

    at = printf("  %s", left);

    if (at + 2 > IM_OPTION_COLUMN) {
        printf("\n");
        at = 0;
    }

    printf("%*s", IM_OPTION_COLUMN - at, "");
    at = IM_OPTION_COLUMN;

    while (*text != '\0') {
        n = strcspn(text, " ");

        if (at > IM_OPTION_COLUMN && at + 1 + n > IM_OPTION_WIDTH) {
            printf("\n%*s", IM_OPTION_COLUMN, "");
            at = IM_OPTION_COLUMN;
        }

        at += printf("%s%.*s", at > IM_OPTION_COLUMN ? " " : "", (int) n, text);
        text += n;
        text += strspn(text, " ");
    }

    printf("\n");
}


void
im_daemon_option_help(const im_daemon_option_t *row)
{
    char         left[IM_OPTION_SHOWN], text[4 * IM_OPTION_SHOWN];
    char         value[IM_OPTION_NAME], min[IM_OPTION_NAME];
    char         max[IM_OPTION_NAME];
    const char  *p;

    p = strstr(row->help, "  ");
    p = p != NULL ? p : row->help + strlen(row->help);

    (void) snprintf(left, sizeof(left), row->type == IM_OPTION_FLAG
                    ? "--%s[=%.*s]" : "--%s=%.*s", row->name,
                    (int) (p - row->help), row->help);

    p += strspn(p, " ");

    if (row->type <= IM_OPTION_WORDS) {
        (void) snprintf(text, sizeof(text), "%s", p);

    } else if (row->type == IM_OPTION_FLAG) {
        (void) snprintf(text, sizeof(text), "%s (%s)", p,
                        row->value ? "on" : "off");

    } else {
        (void) snprintf(text, sizeof(text), "%s (%s%s%s to %s)", p,
                        row->value < row->min ? ""
                        : im_daemon_option_show(row, row->value, value,
                                                sizeof(value)),
                        row->value < row->min ? "" : "; ",
                        im_daemon_option_show(row, row->min, min, sizeof(min)),
                        im_daemon_option_show(row, row->max, max, sizeof(max)));
    }

    im_daemon_option_line(left, text);
}


void
im_daemon_options_cleanup(const im_daemon_option_t *rows, void *conf)
{
    char  **s;

    for ( /* void */ ; rows->name != NULL; rows++) {
        if (rows->type <= IM_OPTION_WORDS) {
            s = (void *) ((u_char *) conf + rows->offset);
            im_free(*s);
            *s = NULL;
        }
    }
}
