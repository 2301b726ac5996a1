/*
 * Copyright (C) The im authors
 *
 * How many processes of this machine run or wait for a CPU.
 */

#include <fcntl.h>
#include <unistd.h>

#include "im_buf.h"
#include "im_link_crowd.h"


#define IM_LINK_CROWD_TEXT  128


/* "0.20 0.18 0.12 RUNNING/ALL LAST" */
im_uint_t
im_link_crowd_parse(im_str_t text)
{
    u_char     *p, *end;
    uint64_t    n;
    im_uint_t   i;

    p = text.data;
    end = p + text.len;

    for (i = 0; i < 3; i++) {
        p = im_str_chr(im_str_set(p, end - p), ' ');

        if (p == NULL) {
            return 0;
        }

        p++;
    }

    text = im_str_set(p, end - p);
    end = im_str_chr(text, '/');

    if (end == NULL
        || im_decimal_decode(im_str_set(p, end - p), &n) != IM_OK)
    {
        return 0;
    }

    return (im_uint_t) im_min(n, UINT32_MAX);
}


im_uint_t
im_link_crowd(void)
{
    int      fd;
    long     cpus;
    ssize_t  n;
    u_char   text[IM_LINK_CROWD_TEXT];

    fd = open("/proc/loadavg", O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text));
    (void) close(fd);

    cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return im_link_crowd_parse(im_str_set(text, im_max(n, 0)))
           / (im_uint_t) im_max(cpus, 1);
}
