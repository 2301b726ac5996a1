/*
 * Copyright (C) The im authors
 *
 * Any bytes as the name of an account.  Its form is a fixed point, and what can
 * be registered has its keys, which are its form's too.
 */

#include <stdio.h>
#include <stdlib.h>

#include "im_logic_name.h"
#include "im_utf8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_check(int good)
{
    if (!good) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t   form, again, key, other;
    im_str_t   name;
    im_uint_t  i;

    name = im_str_set(data, size);

    im_buf_init(&form, IM_NAME_KEY_BYTES);
    im_buf_init(&again, IM_NAME_KEY_BYTES);
    im_buf_init(&key, IM_NAME_KEY_BYTES);
    im_buf_init(&other, IM_NAME_KEY_BYTES);

    if (im_logic_name_form(&form, name) != IM_OK) {
        fuzz_check(!im_utf8_valid(name) || size > 256);
        goto done;
    }

    fuzz_check(im_utf8_valid(im_buf_str(&form)));
    fuzz_check(im_logic_name_form(&again, im_buf_str(&form)) == IM_OK);
    fuzz_check(im_str_eq(im_buf_str(&form), im_buf_str(&again)));

    for (i = 0; i < IM_NAME_KEYS; i++) {
        im_buf_reset(&key, IM_NAME_KEY_BYTES);
        im_buf_reset(&other, IM_NAME_KEY_BYTES);

        if (im_logic_name_key(&key, name, i) != IM_OK) {
            fuzz_check(size > 80);
            continue;
        }

        fuzz_check(im_utf8_valid(im_buf_str(&key)));
        fuzz_check(im_logic_name_key(&other, im_buf_str(&form), i) == IM_OK);
        fuzz_check(im_str_eq(im_buf_str(&key), im_buf_str(&other)));

        if (im_logic_name_fault(im_buf_str(&form)) == NULL) {
            fuzz_check(key.len > 0);
        }
    }

done:

    im_buf_cleanup(&form);
    im_buf_cleanup(&again);
    im_buf_cleanup(&key);
    im_buf_cleanup(&other);

    return 0;
}
