/*
 * Copyright (C) The im authors
 *
 * Matching goes back to the last star only, so it takes at most as many steps
 * as the product of the lengths.
 */

#include "im_glob.h"


static int im_glob_one(im_str_t pattern, size_t *p, im_str_t name, size_t *n);
static int im_glob_set(im_str_t pattern, size_t *p, im_str_t name, size_t at,
    size_t len);
static size_t im_glob_char(im_str_t s, size_t at);
static int im_glob_cmp(im_str_t a, size_t at, size_t len, im_str_t b,
    size_t bt, size_t blen);


int
im_glob_match(im_str_t pattern, im_str_t name)
{
    int     starred;
    size_t  p, n, star, back;

    p = 0;
    n = 0;
    star = 0;
    back = 0;
    starred = 0;

    for ( ;; ) {

        if (p < pattern.len && pattern.data[p] == '*') {
            star = ++p;
            back = n;
            starred = 1;
            continue;
        }

        if (n == name.len) {
            return p == pattern.len;
        }

        if (im_glob_one(pattern, &p, name, &n)) {
            continue;
        }

        /* let the last star match one more character */

        if (!starred || back == name.len) {
            return 0;
        }

        back += im_glob_char(name, back);
        p = star;
        n = back;
    }
}


/* Matches one character; if it matches, both positions move on. */
static int
im_glob_one(im_str_t pattern, size_t *p, im_str_t name, size_t *n)
{
    size_t  at, len, plen;

    at = *p;

    if (at == pattern.len) {
        return 0;
    }

    len = im_glob_char(name, *n);

    if (pattern.data[at] == '?') {
        *p = at + 1;
        *n += len;
        return 1;
    }

    if (pattern.data[at] == '[') {
        switch (im_glob_set(pattern, &at, name, *n, len)) {

        case 1:
            *p = at;
            *n += len;
            return 1;

        case 0:
            return 0;

        default:
            break;
        }

    } else if (pattern.data[at] == '\\' && at + 1 < pattern.len) {
        at++;
    }

    plen = im_glob_char(pattern, at);

    if (im_glob_cmp(pattern, at, plen, name, *n, len) != 0) {
        return 0;
    }

    *p = at + plen;
    *n += len;

    return 1;
}


/* 1: in the set, 0: not in the set, -1: not a set. */
static int
im_glob_set(im_str_t pattern, size_t *p, im_str_t name, size_t at, size_t len)
{
    int     in, not;
    size_t  i, first, lo, hi, lolen, hilen;

    i = *p + 1;
    not = i < pattern.len && pattern.data[i] == '!';
    i += (size_t) not;
    first = i;
    in = 0;

    while (i < pattern.len && (pattern.data[i] != ']' || i == first)) {

        if (pattern.data[i] == '\\' && i + 1 < pattern.len) {
            i++;
        }

        lo = i;
        lolen = im_glob_char(pattern, lo);
        i += lolen;
        hi = lo;
        hilen = lolen;

        if (i + 1 < pattern.len && pattern.data[i] == '-'
            && pattern.data[i + 1] != ']')
        {
            hi = i + 1;
            hilen = im_glob_char(pattern, hi);
            i = hi + hilen;
        }

        if (im_glob_cmp(pattern, lo, lolen, name, at, len) <= 0
            && im_glob_cmp(name, at, len, pattern, hi, hilen) <= 0)
        {
            in = 1;
        }
    }

    if (i >= pattern.len) {
        return -1;
    }

    *p = i + 1;

    return in != not;
}


/* Length of the character there; a byte that isn't UTF-8 counts as one. */
static size_t
im_glob_char(im_str_t s, size_t at)
{
    size_t  n;

    n = 1;

    if (s.data[at] >= 0xc0) {
        while (at + n < s.len && (s.data[at + n] & 0xc0) == 0x80 && n < 4) {
            n++;
        }
    }

    return n;
}


/* The bytes of UTF-8 have the order of the code points. */
static int
im_glob_cmp(im_str_t a, size_t at, size_t len, im_str_t b, size_t bt,
    size_t blen)
{
    int  rc;

    rc = memcmp(a.data + at, b.data + bt, im_min(len, blen));

    if (rc != 0) {
        return rc;
    }

    return len < blen ? -1 : len > blen;
}
