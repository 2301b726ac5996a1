/*
 * Copyright (C) The im authors
 *
 * Patterns, by a table and against a naive matcher.
 */

#include <stdlib.h>

#include "test.h"
#include "copy.h"
#include "random.h"
#include "im_glob.h"


static const struct {
    const char  *pattern;
    const char  *name;
    int          match;
} table[] = {
    { "", "", 1 }, { "", "a", 0 }, { "*", "", 1 }, { "*", "abc", 1 },
    { "**", "abc", 1 }, { "a", "a", 1 }, { "a", "b", 0 }, { "a", "", 0 },
    { "a*", "abc", 1 }, { "*c", "abc", 1 }, { "*b*", "abc", 1 },
    { "a*c", "abcbc", 1 }, { "a*d", "abc", 0 }, { "?", "a", 1 },
    { "?", "", 0 }, { "?", "ab", 0 }, { "?", "\xc3\xa4", 1 },
    { "??", "\xc3\xa4", 0 }, { "*?", "\xe2\x82\xac", 1 },
    { "\xc3\xa4*", "\xc3\xa4x", 1 }, { "chat:*", "chat:1", 1 },
    { "chat:*", "news:1", 0 }, { "[abc]", "b", 1 }, { "[abc]", "d", 0 },
    { "[!abc]", "b", 0 }, { "[!abc]", "d", 1 }, { "[a-c]x", "bx", 1 },
    { "[a-c]x", "dx", 0 }, { "[0-9a]", "a", 1 }, { "[]]", "]", 1 },
    { "[!]]", "a", 1 }, { "[!]]", "]", 0 }, { "[a-]", "-", 1 },
    { "[a", "[a", 1 }, { "[", "[", 1 }, { "[a", "a", 0 }, { "[!", "[!", 1 },
    { "\\*", "*", 1 }, { "\\*", "a", 0 }, { "\\[a]", "[a]", 1 },
    { "\\", "\\", 1 }, { "[\\]]", "]", 1 },
    { "[\xc3\xa0-\xc3\xbf]", "\xc3\xa4", 1 },
    { "[\xc3\xa0-\xc3\xbf]", "a", 0 }, { "a[b-d]*e", "acxe", 1 },
    { "*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0 }
};


static void
test_table(void **state)
{
    size_t    i;
    im_str_t  pattern, name;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        pattern = copy_of(im_str_z(table[i].pattern));
        name = copy_of(im_str_z(table[i].name));

        if (im_glob_match(pattern, name) != table[i].match) {
            print_message("# \"%s\" \"%s\"\n", table[i].pattern,
                          table[i].name);
            fail();
        }

        free(pattern.data);
        free(name.data);
    }
}


static int
naive(const char *p, const char *n)
{
    if (*p == '\0') {
        return *n == '\0';
    }

    if (*p == '*') {
        return naive(p + 1, n) || (*n != '\0' && naive(p, n + 1));
    }

    return *n != '\0' && (*p == '?' || *p == *n) && naive(p + 1, n + 1);
}


static void
test_naive(void **state)
{
    char      pattern[9], name[9];
    random_t  r;
    unsigned  i, k, n;

    (void) state;

    random_init(&r, 7);

    for (i = 0; i < 100000; i++) {
        n = random_below(&r, 8);

        for (k = 0; k < n; k++) {
            pattern[k] = "ab?*"[random_below(&r, 4)];
        }

        pattern[n] = '\0';
        n = random_below(&r, 8);

        for (k = 0; k < n; k++) {
            name[k] = "ab"[random_below(&r, 2)];
        }

        name[n] = '\0';

        if (im_glob_match(im_str_z(pattern), im_str_z(name))
            != naive(pattern, name))
        {
            print_message("# \"%s\" \"%s\"\n", pattern, name);
            fail();
        }
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_table),
    alloc_test(test_naive)
};

test_main(tests)
