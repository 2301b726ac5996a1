/*
 * Copyright (C) The im authors
 *
 * The configuration file of a daemon.
 */

#include <stdlib.h>

#include "im_daemon_file.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Words are in the text, and lines never go back. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char            *text;
    im_int_t           rc;
    im_uint_t          i, line;
    const char        *why;
    im_daemon_file_t   f;

    text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }

    if (size > 0) {
        memcpy(text, data, size);
    }

    line = 1;
    im_daemon_file_init(&f, text, size);

    while ((rc = im_daemon_file_next(&f, &why)) == IM_OK) {

        for (i = 0; i < im_min(f.nwords, IM_DAEMON_FILE_WORDS); i++) {
            if ((u_char *) f.words[i] < text
                || (u_char *) f.words[i] + strlen(f.words[i]) >= f.p)
            {
                abort();
            }
        }

        if (f.nwords == 0 || f.line < line) {
            abort();
        }

        line = f.line;
    }

    if ((rc == IM_ERROR) != (why != NULL)) {
        abort();
    }

    free(text);

    return 0;
}
