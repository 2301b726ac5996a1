/*
 * Copyright (C) The im authors
 *
 * Punycode.  The letters of Latin-1, Greek and Cyrillic become lower case, as
 * in browsers; other scripts that have cases are to be written in lower case.
 */

#include "im_punycode.h"
#include "im_utf8.h"


#define IM_PUNYCODE_LABEL  63

/* RFC 3492, section 5 */
#define IM_PUNYCODE_BASE   36
#define IM_PUNYCODE_TMIN   1
#define IM_PUNYCODE_TMAX   26
#define IM_PUNYCODE_SKEW   38
#define IM_PUNYCODE_DAMP   700
#define IM_PUNYCODE_BIAS   72
#define IM_PUNYCODE_FIRST  0x80


static uint32_t
im_punycode_lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7)
        || (c >= 0x391 && c <= 0x3ab && c != 0x3a2)
        || (c >= 0x410 && c <= 0x42f))
    {
        return c + 32;
    }

    return c >= 0x400 && c <= 0x40f ? c + 80 : c;
}


/* Code points of valid UTF-8, in lower case. */
static size_t
im_punycode_points(im_str_t label, uint32_t *points)
{
    size_t         n;
    uint32_t       c;
    const u_char  *p, *end;

    p = label.data;
    end = p + label.len;

    for (n = 0; p < end; n++) {
        c = *p++;

        if (c >= 0xf0) {
            c &= 0x07;

        } else if (c >= 0xe0) {
            c &= 0x0f;

        } else if (c >= 0xc0) {
            c &= 0x1f;
        }

        while (p < end && (*p & 0xc0) == 0x80) {
            c = c << 6 | (*p++ & 0x3f);
        }

        points[n] = im_punycode_lower(c);
    }

    return n;
}


static uint32_t
im_punycode_adapt(uint32_t delta, uint32_t n, int first)
{
    uint32_t  k;

    delta = first ? delta / IM_PUNYCODE_DAMP : delta / 2;
    delta += delta / n;

    for (k = 0;
         delta > (IM_PUNYCODE_BASE - IM_PUNYCODE_TMIN) * IM_PUNYCODE_TMAX / 2;
         k += IM_PUNYCODE_BASE)
    {
        delta /= IM_PUNYCODE_BASE - IM_PUNYCODE_TMIN;
    }

    return k + (IM_PUNYCODE_BASE - IM_PUNYCODE_TMIN + 1) * delta
               / (delta + IM_PUNYCODE_SKEW);
}


static void
im_punycode_number(im_buf_t *b, uint32_t q, uint32_t bias)
{
    uint32_t  k, t;

    static const char  digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (k = IM_PUNYCODE_BASE; /* void */ ; k += IM_PUNYCODE_BASE) {
        t = k <= bias ? IM_PUNYCODE_TMIN
                      : im_min(k - bias, IM_PUNYCODE_TMAX);

        if (q < t) {
            im_buf_add(b, &digits[q], 1);
            return;
        }

        im_buf_add(b, &digits[t + (q - t) % (IM_PUNYCODE_BASE - t)], 1);
        q = (q - t) / (IM_PUNYCODE_BASE - t);
    }
}


/* At most 63 points below 0x110000: nothing overflows. */
static void
im_punycode_encode(im_buf_t *b, const uint32_t *points, size_t n)
{
    size_t    i, basic, done;
    u_char    c;
    uint32_t  m, next, delta, bias;

    im_buf_add_z(b, "xn--");

    for (i = 0, basic = 0; i < n; i++) {
        if (points[i] < IM_PUNYCODE_FIRST) {
            c = (u_char) points[i];
            im_buf_add(b, &c, 1);
            basic++;
        }
    }

    if (basic > 0) {
        im_buf_add_z(b, "-");
    }

    delta = 0;
    bias = IM_PUNYCODE_BIAS;
    next = IM_PUNYCODE_FIRST;

    for (done = basic; done < n; delta++, next++) {
        m = UINT32_MAX;

        for (i = 0; i < n; i++) {
            if (points[i] >= next && points[i] < m) {
                m = points[i];
            }
        }

        delta += (m - next) * (done + 1);
        next = m;

        for (i = 0; i < n; i++) {
            if (points[i] < next) {
                delta++;

            } else if (points[i] == next) {
                im_punycode_number(b, delta, bias);
                bias = im_punycode_adapt(delta, done + 1, done == basic);
                delta = 0;
                done++;
            }
        }
    }
}


im_int_t
im_punycode_label(im_buf_t *b, im_str_t label)
{
    size_t    i, n, from;
    u_char    c;
    uint32_t  points[IM_PUNYCODE_LABEL];

    /* four bytes of UTF-8 take at least one of Punycode */

    if (label.len > 4 * IM_PUNYCODE_LABEL || !im_utf8_valid(label)
        || im_utf8_count(label) > IM_PUNYCODE_LABEL)
    {
        return IM_ERROR;
    }

    n = im_punycode_points(label, points);
    from = b->len;

    for (i = 0; i < n && points[i] < IM_PUNYCODE_FIRST; i++) { /* void */ }

    if (i < n) {
        im_punycode_encode(b, points, n);

    } else {
        for (i = 0; i < n; i++) {
            c = (u_char) points[i];
            im_buf_add(b, &c, 1);
        }
    }

    return b->failed || b->len - from > IM_PUNYCODE_LABEL ? IM_ERROR : IM_OK;
}
