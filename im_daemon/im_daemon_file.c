/*
 * Copyright (C) The im authors
 *
 * The text of a configuration file.
 */

#include "im_daemon_file.h"


#define im_daemon_file_blank(c)                                               \
    ((c) == ' ' || (c) == '\t' || (c) == '\r' || (c) == '\n')


void
im_daemon_file_init(im_daemon_file_t *f, u_char *text, size_t len)
{
    memset(f, 0, sizeof(im_daemon_file_t));

    f->p = text;
    f->end = text + len;
    f->at = 1;
}


/* Up to the next word or sign. */
static void
im_daemon_file_skip(im_daemon_file_t *f)
{
    u_char  *eol;

    while (f->p < f->end) {

        if (*f->p == '#') {
            eol = memchr(f->p, '\n', (size_t) (f->end - f->p));
            f->p = eol != NULL ? eol : f->end;

        } else if (im_daemon_file_blank(*f->p)) {
            f->at += *f->p++ == '\n';

        } else {
            return;
        }
    }
}


/* What is behind a backslash; other signs than these keep it. */
static u_char *
im_daemon_file_escape(im_daemon_file_t *f, u_char *dst)
{
    u_char      *p;
    static const char  from[] = "\"'\\trn", to[] = "\"'\\\t\r\n";

    p = f->p + 1 < f->end && f->p[1] != '\0'
        ? (u_char *) strchr(from, f->p[1]) : NULL;

    if (p == NULL) {
        *dst++ = *f->p++;

        if (f->p < f->end) {
            f->at += *f->p == '\n';
            *dst++ = *f->p++;
        }

    } else {
        *dst++ = (u_char) to[(char *) p - from];
        f->p += 2;
    }

    return dst;
}


/*
 * A word is made where it stands, since it only gets shorter.  *end is where
 * its zero byte belongs, which is put there once the sign behind it is read.
 */
static const char *
im_daemon_file_word(im_daemon_file_t *f, u_char **end)
{
    u_char  *dst, quote;

    dst = f->p;
    quote = *f->p == '"' || *f->p == '\'' ? *f->p++ : '\0';

    if (f->nwords < IM_DAEMON_FILE_WORDS) {
        f->words[f->nwords] = (char *) dst;
    }

    f->nwords++;

    while (f->p < f->end) {

        if (*f->p == '\0') {
            f->line = f->at;
            return "there is a zero byte";
        }

        if (quote != '\0' ? *f->p == quote
            : im_daemon_file_blank(*f->p) || *f->p == ';' || *f->p == '{')
        {
            break;
        }

        if (*f->p == '\\') {
            dst = im_daemon_file_escape(f, dst);
            continue;
        }

        f->at += *f->p == '\n';
        *dst++ = *f->p++;
    }

    *end = dst;

    if (quote == '\0') {
        return NULL;
    }

    if (f->p == f->end) {
        return "a quote is not closed";
    }

    f->p++;

    if (f->p < f->end && !im_daemon_file_blank(*f->p) && *f->p != ';') {
        f->line = f->at;
        return "a blank or \";\" is missing behind a quote";
    }

    return NULL;
}


im_int_t
im_daemon_file_next(im_daemon_file_t *f, const char **why)
{
    u_char  *end;

    f->nwords = 0;
    im_daemon_file_skip(f);
    f->line = f->at;

    *why = NULL;

    while (*why == NULL) {

        if (f->p == f->end) {
            if (f->nwords == 0) {
                return IM_DECLINED;
            }

            *why = "\";\" is missing at the end of the file";

        } else if (*f->p == '{' || *f->p == '}') {
            f->line = f->at;
            *why = "there are no blocks here: use \"name value;\"";

        } else if (*f->p == ';') {
            f->p++;

            if (f->nwords > 0) {
                return IM_OK;
            }

            *why = "there is no name before \";\"";

        } else {
            end = f->p;
            *why = im_daemon_file_word(f, &end);

            if (*why == NULL && f->p < f->end) {

                if (*f->p == ';') {
                    f->p++;
                    *end = '\0';
                    return IM_OK;
                }

                if (*f->p == '{') {
                    continue;
                }

                im_daemon_file_skip(f);
            }

            *end = '\0';
        }
    }

    return IM_ERROR;
}
