/*
 * Copyright (C) The im authors
 *
 * Matching goes back to the last star only, so it takes at most as many steps
 * as the product of the lengths.
 */

#include "im_glob.h"


/* The character there; a byte that isn't UTF-8 is one. */
static im_str_t
im_glob_char(im_str_t s, size_t at)
{
    size_t  n;

    n = 1;

    if (s.data[at] >= 0xc0) {
        while (at + n < s.len && (s.data[at + n] & 0xc0) == 0x80 && n < 4) {
            n++;
        }
    }

    return im_str_set(s.data + at, n);
}


/*
 * 1: in the set, 0: not in the set, -1: not a set.  The bytes of UTF-8 have the
 * order of the code points.
 */
static int
im_glob_set(im_str_t pattern, size_t *p, im_str_t c)
{
    int       in, not;
    size_t    i, first;
    im_str_t  low, high;

    i = *p + 1;
    not = i < pattern.len && pattern.data[i] == '!';
    i += (size_t) not;
    first = i;
    in = 0;

    while (i < pattern.len && (pattern.data[i] != ']' || i == first)) {

        if (pattern.data[i] == '\\' && i + 1 < pattern.len) {
            i++;
        }

        low = im_glob_char(pattern, i);
        high = low;
        i += low.len;

        if (i + 1 < pattern.len && pattern.data[i] == '-'
            && pattern.data[i + 1] != ']')
        {
            high = im_glob_char(pattern, i + 1);
            i += 1 + high.len;
        }

        if (im_str_compare(low, c) <= 0 && im_str_compare(c, high) <= 0) {
            in = 1;
        }
    }

    if (i >= pattern.len) {
        return -1;
    }

    *p = i + 1;

    return in != not;
}


/* Matches one character; if it matches, both positions move on. */
static int
im_glob_one(im_str_t pattern, size_t *p, im_str_t name, size_t *n)
{
    size_t    at;
    im_str_t  c, want;

    at = *p;

    if (at == pattern.len) {
        return 0;
    }

    c = im_glob_char(name, *n);

    if (pattern.data[at] == '?') {
        *p = at + 1;
        *n += c.len;
        return 1;
    }

    if (pattern.data[at] == '[') {
        switch (im_glob_set(pattern, &at, c)) {

        case 1:
            *p = at;
            *n += c.len;
            return 1;

        case 0:
            return 0;

        default:
            break;
        }

    } else if (pattern.data[at] == '\\' && at + 1 < pattern.len) {
        at++;
    }

    want = im_glob_char(pattern, at);

    if (!im_str_eq(want, c)) {
        return 0;
    }

    *p = at + want.len;
    *n += c.len;

    return 1;
}


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

        back += im_glob_char(name, back).len;
        p = star;
        n = back;
    }
}
