/*
 * Copyright (C) The im authors
 *
 * Names of accounts.
 */

#include "test.h"
#include "im_logic_name.h"


static const char *
fault(const char *name)
{
    return im_logic_name_fault(im_str_z(name));
}


static void
test_good(void **state)
{
    size_t  i;

    static const char *const  names[] = {
        "ann", "Ann", "ann b c", "a-b_c.d", "<b>\"x\"&'\\</b>", "a{}:b*",
        "小明明", "Ελένη", "Мария", "محمد", "דוד",
        "अनिता", "홍길동", "さくら",
        "Zoë", "Jose\xcc\x81", "O'Neil", "小明 Ann", "😀😀😀",
        "❤️❤️❤️", "a\xef\xbf\xbd" "bc", "12345"
    };

    (void) state;

    for (i = 0; i < test_count(names); i++) {
        if (fault(names[i]) != NULL) {
            fail_msg("%s: %s", names[i], fault(names[i]));
        }
    }
}


static void
test_bad(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        const char  *why;
    } names[] = {
        { "", "spaces" },
        { " ann", "spaces" },
        { "ann ", "spaces" },
        { "an  n", "spaces" },
        { "   ", "spaces" },
        { "\xc2\xa0" "ann", "blanks" },              /* no-break space */
        { "ann\xe3\x80\x80", "blanks" },             /* ideographic space */
        { "an\xe2\x80\x83n", "blanks" },             /* em space */
        { "an\xe1\x9a\x80n", "blanks" },             /* ogham space */
        { "an\xe2\xa0\x80n", "blanks" },             /* empty braille */
        { "an\tn", "blanks" },
        { "an\x01n", "invisible" },
        { "an\xe2\x80\x8bn", "invisible" },          /* U+200B */
        { "an\xe2\x80\x8cn", "invisible" },          /* ZWNJ */
        { "an\xe2\x80\x8dn", "invisible" },          /* ZWJ */
        { "an\xe2\x80\x8en", "invisible" },          /* LRM */
        { "\xe2\x80\xae" "nna", "invisible" },       /* U+202E */
        { "an\xe2\x81\xa6n", "invisible" },          /* U+2066 */
        { "an\xe2\x81\xa0n", "invisible" },          /* word joiner */
        { "an\xef\xbb\xbfn", "invisible" },          /* U+FEFF */
        { "an\xc2\xadn", "invisible" },              /* soft hyphen */
        { "an\xd8\x9cn", "invisible" },              /* arabic letter mark */
        { "an\xcd\x8fn", "invisible" },              /* grapheme joiner */
        { "an\xe3\x85\xa4n", "invisible" },          /* hangul filler */
        { "an\xe1\x85\x9fn", "invisible" },          /* U+115F */
        { "an\xef\xbe\xa0n", "invisible" },          /* halfwidth filler */
        { "an\xf3\xa0\x81\x81n", "invisible" },      /* a tag */
        { "an\xe2\x80\xa8n", "blanks" },             /* U+2028 */
        { "an\xee\x80\x80n", "without a meaning" },  /* private use */
        { "an\xef\xb7\x90n", "without a meaning" },  /* no character */
        { "an\xcd\xb8n", "without a meaning" },      /* U+0378 */
        { "\xcc\x81" "ann", "begin with a mark" },
        { "an\xcc\x88\xcc\x88n", "hidden" },
        { "an\xffn", "UTF-8" },
        { "an\xed\xa0\x80n", "UTF-8" },
        { "an\xc0\x80n", "UTF-8" }
    };

    (void) state;

    for (i = 0; i < test_count(names); i++) {
        if (fault(names[i].name) == NULL
            || strstr(fault(names[i].name), names[i].why) == NULL)
        {
            fail_msg("%zu %s: %s", i, names[i].name, fault(names[i].name));
        }
    }
}


static int
alike(const char *a, const char *b)
{
    int        found;
    im_uint_t  i, j;
    im_buf_t   one, two;

    im_buf_init(&one, IM_NAME_KEY_BYTES);
    im_buf_init(&two, IM_NAME_KEY_BYTES);

    found = 0;

    for (i = 0; i < IM_NAME_KEYS; i++) {
        for (j = 0; j < IM_NAME_KEYS; j++) {
            im_buf_reset(&one, IM_NAME_KEY_BYTES);
            im_buf_reset(&two, IM_NAME_KEY_BYTES);

            assert_int_equal(im_logic_name_key(&one, im_str_z(a), i), IM_OK);
            assert_int_equal(im_logic_name_key(&two, im_str_z(b), j), IM_OK);

            found |= im_str_eq(im_buf_str(&one), im_buf_str(&two));
        }
    }

    im_buf_cleanup(&one);
    im_buf_cleanup(&two);

    return found;
}


static void
test_alike(void **state)
{
    size_t  i;

    static const char *const  same[][2] = {
        { "ann", "ann" }, { "ann", "Ann" }, { "ANN", "ann" },
        { "ann", "\xd0\xb0nn" },                     /* Cyrillic a */
        { "Ann", "\xd0\xb0nn" },
        { "ann", "\xef\xbd\x81nn" },                 /* fullwidth a */
        { "ann", "\xf0\x9d\x90\x9ann" },             /* bold a */
        { "ann", "a\xef\xb8\x8fnn" },                /* with a selector */
        { "coco", "\xd1\x81\xd0\xbe\xd1\x81\xd0\xbe" },
        { "Hope", "\xd0\x9d\xd0\xbe\xd1\x80\xd0\xb5" },
        { "paypal", "paypaI" }, { "paypal", "paypa1" }, { "Iris", "lris" },
        { "barn", "bam" }, { "root", "rOOt" },
        { "Straße", "strasse" },
        { "Istanbul", "\xc4\xb0stanbul" },           /* I with a dot */
        { "istanbul", "\xc4\xb0STANBUL" },
        { "\xd8\xb9\xd9\x84\xd9\x8a",               /* with a tatweel */
          "\xd8\xb9\xd9\x80\xd9\x84\xd9\x8a" },
        { "Zoë", "Zoe\xcc\x88" },
        { "\xce\x9c\xce\xb1\xcf\x81\xce\xaf\xce\xb1",
          "\xce\x9c\xce\x91\xce\xa1\xce\x8a\xce\x91" }
    };
    static const char *const  different[][2] = {
        { "ann", "anne" }, { "ann", "bob" }, { "ann", "an n" },
        { "Zoe", "Zoë" }, { "小明明", "小红红" },
        { "user2", "user3" },
        { "user10", "user20" }, { "Мария", "Марина" },
        { "12345", "12346" }
    };

    (void) state;

    for (i = 0; i < test_count(same); i++) {
        if (!alike(same[i][0], same[i][1])) {
            fail_msg("%s and %s differ", same[i][0], same[i][1]);
        }
    }

    for (i = 0; i < test_count(different); i++) {
        if (alike(different[i][0], different[i][1])) {
            fail_msg("%s and %s don't", different[i][0], different[i][1]);
        }
    }
}


/* Names with numbers behind them are many: no digit looks like another. */
static void
test_digits(void **state)
{
    char  a[2] = "0", b[2] = "0";

    (void) state;

    for (a[0] = '0'; a[0] <= '9'; a[0]++) {
        for (b[0] = '0'; b[0] <= '9'; b[0]++) {
            assert_int_equal(alike(a, b), a[0] == b[0]);
        }
    }
}


static void
test_form(void **state)
{
    char       text[4096];
    im_buf_t   b;

    (void) state;

    im_buf_init(&b, IM_NAME_KEY_BYTES);

    assert_int_equal(im_logic_name_form(&b, im_str_z("Zoe\xcc\x88")), IM_OK);
    test_str(im_buf_str(&b), "Zo\xc3\xab");

    im_buf_reset(&b, IM_NAME_KEY_BYTES);
    assert_int_equal(im_logic_name_form(&b, im_str_z("\xff")), IM_ERROR);

    memset(text, 'x', sizeof(text));
    assert_int_equal(im_logic_name_form(&b, im_str_set(text, sizeof(text))),
                     IM_ERROR);
    assert_int_equal(im_logic_name_key(&b, im_str_set(text, sizeof(text)), 0),
                     IM_ERROR);

    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_good),
    cmocka_unit_test(test_bad),
    cmocka_unit_test(test_alike),
    cmocka_unit_test(test_digits),
    cmocka_unit_test(test_form)
};

test_main(tests)
