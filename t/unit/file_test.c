/*
 * Copyright (C) The im authors
 *
 * The text of a configuration file, by a table.
 */

#include "test.h"
#include "im_daemon_file.h"


#define B8   "b b b b b b b b "
#define B32  B8 B8 B8 B8
#define S8   "[b][b][b][b][b][b][b][b]"
#define S32  S8 S8 S8 S8


/* Words are shown as [word], directives as LINE[name][value]. */
static const struct {
    const char  *text;
    const char  *shown;
} table[] = {
    { "", "" }, { "\n\n \t\r\n", "" }, { "# a comment", "" },
    { "a b;", "1[a][b]" }, { "a b;\n", "1[a][b]" }, { "a;", "1[a]" },
    { "\n  a\t\tb  ;", "2[a][b]" }, { "a b; c d;", "1[a][b]1[c][d]" },
    { "a b;\nc d;\n\ne f;", "1[a][b]2[c][d]4[e][f]" },
    { "a\nb\n;\nc d;", "1[a][b]4[c][d]" }, { "a b;c d;", "1[a][b]1[c][d]" },
    { "a b c d;", "1[a][b][c][d]" }, { "a " B32 B32 ";", "1[a]" S32 S32 },
    { "a " B32 B32 "c d;", "1[a]" S32 S32 "+2" },
    { "a b; # mine\n", "1[a][b]" }, { "a b # mine\n;", "1[a][b]" },
    { "#x;\na b;", "2[a][b]" }, { "a b#c;", "1[a][b#c]" },
    { "a #b;\nc;", "1[a][c]" },
    { "a \"b c\";", "1[a][b c]" }, { "a 'b c';", "1[a][b c]" },
    { "a \"b;c#d{e}\";", "1[a][b;c#d{e}]" }, { "a \"it's\";", "1[a][it's]" },
    { "a '\"';", "1[a][\"]" }, { "a \"\";", "1[a][]" }, { "a '';", "1[a][]" },
    { "a \"b\" ;", "1[a][b]" }, { "a \"b\"\n;c d;", "1[a][b]2[c][d]" },
    { "a \"b\nc\"; d e;", "1[a][b\nc]2[d][e]" },
    { "a \"\\\"\\\\\\'\";", "1[a][\"\\']" }, { "a b\\;c;", "1[a][b\\;c]" },
    { "a b\\ c;", "1[a][b\\ c]" }, { "a \\t\\r\\n;", "1[a][\t\r\n]" },
    { "a \\x\\y;", "1[a][\\x\\y]" }, { "a b\"c;", "1[a][b\"c]" },
    { "a b'c';", "1[a][b'c']" }, { "a =b;", "1[a][=b]" },
    { "a b}c;", "1[a][b}c]" }, { "a\r\nb;\r\n", "1[a][b]" },
    { "\"a\" \"b\";", "1[a][b]" }, { "a \xc3\xa4;", "1[a][\xc3\xa4]" },

    { "a", "1!\";\" is missing" }, { "a b", "1!\";\" is missing" },
    { "a b;\nc d", "1[a][b]2!\";\" is missing" },
    { "a b;\n\nc d # e;", "1[a][b]3!\";\" is missing" },
    { ";", "1!no name" }, { "a b;;", "1[a][b]1!no name" },
    { "{", "1!no blocks" }, { "a {", "1!no blocks" }, { "}", "1!no blocks" },
    { "a{b c;}", "1!no blocks" }, { "a b;\n}", "1[a][b]2!no blocks" },
    { "a \"b", "1!not closed" }, { "a 'b;\nc d;\n", "1!not closed" },
    { "a \"b\"c;", "1!behind a quote" }, { "\na\n\"b\"c;", "3!behind a quote" },
    { "a \"b\\", "1!not closed" }, { "a b\\", "1!\";\" is missing" },
};


/* A text of exactly its size and one byte. */
static void
show(const char *text, size_t len, char *out, size_t size)
{
    char              *p, *end;
    u_char            *copy;
    im_int_t           rc;
    im_uint_t          i;
    const char        *why;
    im_daemon_file_t   f;

    copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, text, len);

    im_daemon_file_init(&f, copy, len);

    p = out;
    end = out + size;
    *p = '\0';

    while ((rc = im_daemon_file_next(&f, &why)) == IM_OK) {
        p += snprintf(p, (size_t) (end - p), "%u", (unsigned) f.line);

        for (i = 0; i < im_min(f.nwords, IM_DAEMON_FILE_WORDS); i++) {
            p += snprintf(p, (size_t) (end - p), "[%s]", f.words[i]);
        }

        if (i < f.nwords) {
            p += snprintf(p, (size_t) (end - p), "+%u",
                          (unsigned) (f.nwords - i));
        }
    }

    if (rc == IM_ERROR) {
        (void) snprintf(p, (size_t) (end - p), "%u!%s", (unsigned) f.line, why);
    }

    free(copy);
}


static void
test_table(void **state)
{
    char    out[512];
    char   *mark;
    size_t  i, n;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        show(table[i].text, strlen(table[i].text), out, sizeof(out));

        mark = strchr(table[i].shown, '!');
        n = mark != NULL ? (size_t) (mark - table[i].shown) + 1
                         : strlen(out) + 1;

        if (strncmp(out, table[i].shown, n) != 0
            || (mark != NULL && strstr(out + n, mark + 1) == NULL))
        {
            print_message("# \"%s\": %s\n", table[i].text, out);
            fail();
        }
    }
}


static void
test_zero(void **state)
{
    char  out[512];

    (void) state;

    show("a b;\nc\0d;", 10, out, sizeof(out));
    assert_non_null(strstr(out, "2!there is a zero byte"));

    show("a \"\0\";", 6, out, sizeof(out));
    assert_non_null(strstr(out, "1!there is a zero byte"));

    show("\0", 1, out, sizeof(out));
    assert_non_null(strstr(out, "1!there is a zero byte"));
}


/* No text, however cut, is read beyond its end. */
static void
test_cut(void **state)
{
    char    out[512];
    size_t  i, k;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        for (k = 0; k <= strlen(table[i].text); k++) {
            show(table[i].text, k, out, sizeof(out));
        }
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_table),
    alloc_test(test_zero),
    alloc_test(test_cut)
};

test_main(tests)
