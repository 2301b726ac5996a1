/*
 * Copyright (C) The im authors
 *
 * From the path of a request to a resource and a name.
 */

#include "im_logic_path.h"
#include "im_logic_url.h"


/* The next piece between slashes; empty ones are skipped.  0: no more. */
static int
im_logic_path_piece(im_str_t s, size_t *at, im_str_t *piece)
{
    size_t  start;

    while (*at < s.len && s.data[*at] == '/') {
        (*at)++;
    }

    start = *at;

    while (*at < s.len && s.data[*at] != '/') {
        (*at)++;
    }

    *piece = im_str_set(s.data + start, *at - start);

    return piece->len != 0;
}


static im_int_t
im_logic_path_add(im_logic_path_t *path, im_str_t segment, const char **why)
{
    if (path->n == IM_PATH_SEGMENTS) {
        *why = "the path has too many segments";
        return IM_ERROR;
    }

    path->segments[path->n++] = segment;

    return IM_OK;
}


/* NULL, or why a decoded segment is none. */
static const char *
im_logic_path_check(im_str_t segment)
{
    size_t      at;
    im_str_t    piece;
    im_uint_t   n;

    /* no name has one; "." of a rewrite's pattern ends at a line's end */

    for (at = 0; at < segment.len; at++) {
        if (segment.data[at] < 0x20 || segment.data[at] == 0x7f) {
            return "the path has a control character";
        }
    }

    n = 0;
    at = 0;

    while (im_logic_path_piece(segment, &at, &piece)) {
        if (im_str_eq(piece, im_str_z(".")) || im_str_eq(piece, im_str_z("..")))
        {
            return "the path has a segment \".\" or \"..\"";
        }

        n++;
    }

    return n != 0 ? NULL : "a segment of the path is nothing but slashes";
}


/* The pieces of the uri, as a server has decoded it. */
static im_int_t
im_logic_path_uri(im_logic_path_t *path, im_str_t uri, const char **why)
{
    size_t    at;
    im_str_t  piece;

    at = 0;
    path->n = 0;

    while (im_logic_path_piece(uri, &at, &piece)) {
        *why = im_logic_path_check(piece);

        if (*why != NULL) {
            return IM_ERROR;
        }

        if (im_logic_path_add(path, piece, why) != IM_OK) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* The segments of a path as it was sent. */
static im_int_t
im_logic_path_sent(im_logic_path_t *path, im_str_t sent, u_char *memory,
    const char **why)
{
    size_t    at;
    im_buf_t  b;
    im_str_t  piece;

    at = 0;
    path->n = 0;

    if (im_str_chr(sent, '#') != NULL) {
        *why = "the path has a \"#\"";
        return IM_ERROR;
    }

    while (im_logic_path_piece(sent, &at, &piece)) {

        if (!im_logic_url_valid(piece)) {
            *why = "the path has a \"%\" without two hex digits";
            return IM_ERROR;
        }

        im_buf_fixed(&b, memory, piece.len);
        im_logic_url_decode(&b, piece, 0);
        memory += piece.len;

        *why = im_logic_path_check(im_buf_str(&b));

        if (*why != NULL) {
            return IM_ERROR;
        }

        if (im_logic_path_add(path, im_buf_str(&b), why) != IM_OK) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* What stands before a fault is no path: "/im/push/.." isn't "/im/push". */
static void
im_logic_path_whole(im_logic_path_t *path, im_int_t rc)
{
    if (rc != IM_OK) {
        path->n = 0;
    }
}


/* The first segment with a slash in it; path->n: none has one. */
static im_uint_t
im_logic_path_slash(const im_logic_path_t *path)
{
    im_uint_t  i;

    for (i = 0; i < path->n; i++) {
        if (im_str_chr(path->segments[i], '/')
            != NULL)
        {
            break;
        }
    }

    return i;
}


/*
 * Puts the segments of sent from `from` on in the place of the same pieces at
 * the end of path.  IM_DECLINED: they are not there.
 */
static im_int_t
im_logic_path_tail(im_logic_path_t *path, const im_logic_path_t *sent,
    im_uint_t from)
{
    size_t     at;
    im_str_t   piece;
    im_uint_t  i, n, start;

    n = 0;

    for (i = from; i < sent->n; i++) {
        at = 0;

        while (im_logic_path_piece(sent->segments[i], &at, &piece)) {
            n++;
        }
    }

    if (n > path->n) {
        return IM_DECLINED;
    }

    start = path->n - n;
    n = start;

    for (i = from; i < sent->n; i++) {
        at = 0;

        while (im_logic_path_piece(sent->segments[i], &at, &piece)) {
            if (!im_str_eq(piece, path->segments[n++])) {
                return IM_DECLINED;
            }
        }
    }

    path->n = start;

    for (i = from; i < sent->n; i++) {
        path->segments[path->n++] = sent->segments[i];
    }

    return IM_OK;
}


/*
 * The uri leads, since a server in front may rewrite what it likes.  Where the
 * client wrote a slash as %2F, the uri doesn't tell it from others: then its
 * end must be what the client wrote.
 */
im_int_t
im_logic_path_split(im_logic_path_t *path, im_str_t uri, im_str_t sent,
    u_char *memory, const char **why)
{
    im_int_t         rc;
    im_uint_t        slash;
    const char      *fault;
    im_logic_path_t  own;

    memset(path, 0, sizeof(im_logic_path_t));
    memset(&own, 0, sizeof(im_logic_path_t));

    if (sent.len == 0) {
        rc = im_logic_path_uri(path, uri, why);
        im_logic_path_whole(path, rc);
        path->guessed = 1;

        return rc == IM_OK && uri.len != 0 && uri.data[uri.len - 1] == '/'
               ? IM_DECLINED : rc;
    }

    rc = im_logic_path_sent(&own, sent, memory, why);

    if (uri.len == 0) {
        *path = own;
        im_logic_path_whole(path, rc);
        return rc;
    }

    if (im_logic_path_uri(path, uri, &fault) != IM_OK) {
        im_logic_path_whole(path, IM_ERROR);
        *why = fault;
        return IM_ERROR;
    }

    slash = im_logic_path_slash(&own);

    return rc != IM_OK || slash == own.n
           ? rc : im_logic_path_tail(path, &own, slash);
}


int
im_logic_path_match(const im_logic_path_t *path, const char *pattern,
    im_str_t *name)
{
    size_t     at;
    im_str_t   piece;
    im_uint_t  i;

    i = 0;
    at = 0;
    *name = im_str_set(NULL, 0);

    while (im_logic_path_piece(im_str_z(pattern), &at, &piece)) {

        if (i == path->n) {
            return 0;
        }

        if (im_str_eq(piece, im_str_z("*"))) {
            *name = path->segments[i];

        } else if (!im_str_eq(piece, path->segments[i])) {
            return 0;
        }

        i++;
    }

    /* what stands behind a name may be the rest of it */
    return i == path->n
           && !(path->guessed && name->len != 0
                && name->data != path->segments[i - 1].data);
}
