/*
 * Copyright (C) The im authors
 *
 * The keys of /im/ and /api/: a file with one a line.  Without the file, nginx
 * alone decides which requests come.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "im_logic_api_key.h"


#define IM_API_KEY_FILE  8192
#define IM_API_KEY_MIN   8
#define IM_API_KEY_MAX   256


/*
 * The next line that isn't empty: a key, and what stands behind it.
 */
static int
im_logic_api_key_line(im_str_t file, size_t *at, im_str_t *key, im_str_t *note)
{
    size_t   len;
    u_char  *p, *end;

    while (*at < file.len) {
        p = file.data + *at;
        end = memchr(p, '\n', file.len - *at);

        if (end == NULL) {
            end = file.data + file.len;
        }

        *at = (size_t) (end - file.data) + 1;

        while (end > p
               && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        {
            end--;
        }

        for (len = 0; p + len < end; len++) {
            if (p[len] == ' ' || p[len] == '\t') {
                break;
            }
        }

        if (end > p) {
            *key = im_str_set(p, len);
            p += len;

            while (p < end && (*p == ' ' || *p == '\t')) {
                p++;
            }

            *note = im_str_set(p, (size_t) (end - p));

            return 1;
        }
    }

    return 0;
}


static const char *
im_logic_api_key_check(im_str_t key, im_str_t note)
{
    int     weak;
    size_t  i;

    for (i = 0; i < key.len; i++) {
        if (key.data[i] <= 0x20 || key.data[i] >= 0x7f) {
            return "a key is ASCII without spaces";
        }
    }

    weak = im_str_eq(note, im_str_z("weak"));

    if (key.len == 0 || (note.len != 0 && !weak)) {
        return "a line is a key, with \"weak\" behind one that is shorter "
               "than " im_text(IM_API_KEY_MIN) " characters";
    }

    if (key.len > IM_API_KEY_MAX) {
        return "a key has at most " im_text(IM_API_KEY_MAX) " characters";
    }

    if (key.len < IM_API_KEY_MIN && !weak) {
        return "a key has " im_text(IM_API_KEY_MIN) " to "
               im_text(IM_API_KEY_MAX) " characters; write \"weak\" behind "
               "a shorter one that you want all the same";
    }

    return NULL;
}


static im_int_t
im_logic_api_keys_check(im_str_t file, const char *path)
{
    size_t       at;
    im_str_t     key, note;
    im_uint_t    n;
    const char  *why;

    at = 0;
    n = 0;

    while (im_logic_api_key_line(file, &at, &key, &note)) {
        why = im_logic_api_key_check(key, note);

        if (why != NULL) {
            im_daemon_log(IM_LOG_ERROR, "--api-key-file=%s: %s", path, why);
            return IM_ERROR;
        }

        n++;
    }

    if (n == 0) {
        im_daemon_log(IM_LOG_ERROR, "--api-key-file=%s holds no key", path);
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_logic_api_keys_load(im_logic_t *logic)
{
    FILE        *file;
    u_char      *p;
    const char  *path;

    path = logic->conf.api_key_file;

    im_buf_init(&logic->api_keys, IM_API_KEY_FILE);

    if (path == NULL) {
        return IM_OK;
    }

    file = fopen(path, "r");
    if (file == NULL) {
        im_daemon_log(IM_LOG_ERROR, "--api-key-file=%s: %s", path,
                      strerror(errno));
        return IM_ERROR;
    }

    p = im_buf_reserve(&logic->api_keys, IM_API_KEY_FILE);

    if (p != NULL) {
        logic->api_keys.len = fread(p, 1, IM_API_KEY_FILE, file);
    }

    if (logic->api_keys.len == IM_API_KEY_FILE || ferror(file)) {
        im_daemon_log(IM_LOG_ERROR, "--api-key-file=%s can't be read or is "
                      "longer than 8 kB", path);
        (void) fclose(file);
        return IM_ERROR;
    }

    (void) fclose(file);

    return im_logic_api_keys_check(im_buf_str(&logic->api_keys), path);
}


static im_str_t
im_logic_api_key_sent(im_daemon_request_t *r)
{
    im_str_t  value, none = im_null_str, scheme = im_str("apikey ");

    if (r->api_key.len != 0) {
        return r->api_key;
    }

    value = r->authorization;

    if (value.len > scheme.len
        && strncasecmp((char *) value.data, (char *) scheme.data, scheme.len)
           == 0)
    {
        return im_str_set(value.data + scheme.len, value.len - scheme.len);
    }

    return im_logic_query(r, "api_key", IM_API_KEY_MAX, &value) == IM_OK
           ? value : none;
}


int
im_logic_api_allowed(im_daemon_request_t *r)
{
    int               found;
    size_t            at, i;
    im_str_t          key, note, sent;
    im_logic_t       *logic;
    volatile u_char   diff;

    logic = r->data;

    if (logic->conf.api_key_file == NULL) {
        return 1;
    }

    sent = im_logic_api_key_sent(r);
    at = 0;
    found = 0;

    /* compare all, so that the time doesn't show which one fits, nor where */

    while (im_logic_api_key_line(im_buf_str(&logic->api_keys), &at, &key,
                                 &note)) {
        diff = key.len != sent.len;

        for (i = 0; i < key.len && key.len == sent.len; i++) {
            diff |= key.data[i] ^ sent.data[i];
        }

        found |= diff == 0;
    }

    return found;
}
