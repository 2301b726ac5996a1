/*
 * Copyright (C) The im authors
 *
 * JSON by a pattern.
 */

#include <stdarg.h>

#include "im_logic_print.h"
#include "im_json.h"


void
im_logic_print(im_buf_t *b, const char *pattern, ...)
{
    size_t       len;
    va_list      args;
    const char  *p;

    va_start(args, pattern);

    for (p = pattern; *p != '\0'; p++) {
        len = strcspn(p, "%");
        im_buf_add(b, p, len);
        p += len;

        if (*p == '\0') {
            break;
        }

        switch (*++p) {

        case 'j':
            im_json_add_string(b, va_arg(args, im_str_t));
            break;

        case 'J':
            im_json_add_string(b, im_str_z(va_arg(args, const char *)));
            break;

        case 's':
            im_buf_add_str(b, va_arg(args, im_str_t));
            break;

        case 'z':
            im_buf_add_z(b, va_arg(args, const char *));
            break;

        case 'u':
            im_buf_add_uint(b, va_arg(args, uint64_t));
            break;

        case 'd':
            im_buf_add_int(b, va_arg(args, int64_t));
            break;

        default:
            b->failed = 1;
            va_end(args);
            return;
        }
    }

    va_end(args);
}
