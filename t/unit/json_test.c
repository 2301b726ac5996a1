/*
 * Copyright (C) The im authors
 *
 * JSON: what is valid, decoding by a table, writing strings.
 */

#include "test.h"
#include "copy.h"
#include "im_json.h"
#include "im_utf8.h"


typedef struct {
    im_str_t           s;
    int64_t            n;
    int                on;
    im_str_t           raw;
    im_str_t           object;
    im_json_strings_t  strings;
    im_json_strings_t  raws;
} all_t;


static const im_json_field_t  fields[] = {
    { im_str("s"), IM_JSON_STRING, offsetof(all_t, s) },
    { im_str("n"), IM_JSON_INT, offsetof(all_t, n) },
    { im_str("on"), IM_JSON_BOOL, offsetof(all_t, on) },
    { im_str("raw"), IM_JSON_RAW, offsetof(all_t, raw) },
    { im_str("object"), IM_JSON_OBJECT, offsetof(all_t, object) },
    { im_str("strings"), IM_JSON_STRINGS, offsetof(all_t, strings) },
    { im_str("raws"), IM_JSON_RAWS, offsetof(all_t, raws) },
    im_json_end
};


static im_buf_t     arena;
static const char  *why;


static im_int_t
decode_text(im_str_t text, im_uint_t flags, all_t *all)
{
    memset(all, 0, sizeof(all_t));
    all->strings.max = 4;
    all->raws.max = 4;
    all->n = -7;

    im_buf_cleanup(&arena);
    im_buf_init(&arena, 1 << 20);
    why = NULL;

    return im_json_decode(text, fields, flags, &arena, all, &why);
}


static im_int_t
decode(const char *text, im_uint_t flags, all_t *all)
{
    return decode_text(im_str_z(text), flags, all);
}


static void
done(all_t *all)
{
    im_json_strings_free(&all->strings);
    im_json_strings_free(&all->raws);
    im_buf_cleanup(&arena);
}


static const char *const  valid[] = {
    "0", "-0", "12", "-1.5e+10", "1E400", "0.0", "true", "false", "null",
    "\"\"", "\"a\"", "[]", "{}", " [ ] ", "\t\r\n{ }\n", "[1,2,[3]]",
    "{\"a\":1,\"a\":2}", "{\"\":0}", "\"\\u0000\\/\\\"\\\\\\b\\f\\n\\r\\t\"",
    "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\x7f\"",
    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "[{\"a\":[{}]}]",
    "123456789012345678901234567890"
};

static const char *const  invalid[] = {
    "", " ", "nul", "nulll", "True", "'a'", "a", "01", "-", "-01", "+1", "1.",
    ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "\"", "\"a", "\"\\x\"",
    "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\t\"", "\"\x01\"", "[", "]",
    "[1,]", "[,1]", "[1 2]", "[1", "{", "}", "{\"a\"}", "{\"a\":}",
    "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{]",
    "[}", "1 2", "{} {}", "{} x", "{}\"", "{}\"abc", "{} tru", "[] 1", "[]-",
    "1 \"a", "// c\n1", "/* c */ 1", "1 // c", "\v1", "1\f", "[\v]",
    "\xef\xbb\xbf{}", "\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"",
    "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "{\"a\":1}\xff", "[1]\xc2\xa0"
};


static void
test_valid(void **state)
{
    size_t    i;
    im_str_t  s;

    (void) state;

    for (i = 0; i < test_count(valid); i++) {
        s = copy_of(im_str_z(valid[i]));

        if (!im_json_valid(s)) {
            print_message("# refused: %s\n", valid[i]);
            fail();
        }

        assert_int_equal(im_json_check(s), IM_OK);
        free(s.data);
    }

    for (i = 0; i < test_count(invalid); i++) {
        s = copy_of(im_str_z(invalid[i]));

        if (im_json_valid(s)) {
            print_message("# taken: %s\n", invalid[i]);
            fail();
        }

        assert_int_equal(im_json_check(s), IM_DECLINED);
        free(s.data);
    }

    assert_false(im_json_valid(im_str_set("1\0", 2)));
    assert_false(im_json_valid(im_str_set("\"\0\"", 3)));
}


static void
test_depth(void **state)
{
    all_t   all;
    char    text[256];
    size_t  i, depth;

    (void) state;

    for (depth = 1; depth <= IM_JSON_MAX_DEPTH + 1; depth++) {
        for (i = 0; i < depth; i++) {
            text[i] = '[';
            text[depth + i] = ']';
        }

        assert_int_equal(im_json_valid(im_str_set(text, 2 * depth)),
                         depth <= IM_JSON_MAX_DEPTH);
    }

    memcpy(text, "{\"raw\":", 7);

    for (i = 0; i < IM_JSON_MAX_DEPTH; i++) {
        text[7 + i] = '[';
    }

    assert_int_equal(decode_text(im_str_set(text, 7 + i), 0, &all), IM_ERROR);
    assert_string_equal(why, "nested deeper than 32 levels");
    done(&all);
}


static void
test_decode(void **state)
{
    all_t  all;

    (void) state;

    assert_int_equal(decode(" {\"s\" : \"a\\u00e4\\n\" ,\"n\":-12,\"on\":true,"
                            "\"raw\": [1, {\"s\":2}] , \"x\":{\"s\":[\"no\"]},"
                            "\"object\":\n{\"a\":\"}\"}\t,"
                            "\"strings\":[ \"a\" ,\"\",\"\\\"]\"],"
                            "\"raws\":[1 , \"a,]\\\"\",[2,[ ]], {\"b\":3} ]}\n",
                            0, &all),
                     IM_OK);

    test_str(all.s, "a\xc3\xa4\n");
    assert_true(all.n == -12);
    assert_int_equal(all.on, 1);
    test_str(all.raw, "[1, {\"s\":2}]");
    test_str(all.object, "{\"a\":\"}\"}");

    assert_int_equal(all.strings.n, 3);
    test_str(all.strings.elts[0], "a");
    test_str(all.strings.elts[1], "");
    test_str(all.strings.elts[2], "\"]");

    assert_int_equal(all.raws.n, 4);
    test_str(all.raws.elts[0], "1");
    test_str(all.raws.elts[1], "\"a,]\\\"\"");
    test_str(all.raws.elts[2], "[2,[ ]]");
    test_str(all.raws.elts[3], "{\"b\":3}");

    done(&all);
}


static void
test_raw(void **state)
{
    all_t   all;
    char    text[128];
    size_t  i;

    static const char *const  raw[] = {
        "1", "-1.50e3", "\"a\\ud800\"", "true", "false", "null", "[]", "{}",
        "[ ]", "\"\""
    };

    (void) state;

    for (i = 0; i < test_count(raw); i++) {
        sprintf(text, "{\"raw\"\t:\n%s }", raw[i]);
        assert_int_equal(decode(text, 0, &all), IM_OK);
        test_str(all.raw, raw[i]);
        done(&all);

        sprintf(text, "{\"raw\":%s}", raw[i]);
        assert_int_equal(decode(text, 0, &all), IM_OK);
        test_str(all.raw, raw[i]);
        done(&all);
    }
}


static void
test_numbers(void **state)
{
    all_t   all;
    char    text[64];
    size_t  i;

    static const struct {
        const char  *text;
        int64_t      n;
    } good[] = {
        { "0", 0 }, { "-0", 0 }, { "7", 7 }, { "-1", -1 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN }
    };
    static const char *const  bad[] = {
        "9223372036854775808", "-9223372036854775809", "1.0", "1e2", "true",
        "99999999999999999999999", "\"1\"", "null", "[1]", "{}"
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        sprintf(text, "{\"n\":%s}", good[i].text);
        assert_int_equal(decode(text, 0, &all), IM_OK);
        assert_true(all.n == good[i].n);
        done(&all);
    }

    for (i = 0; i < test_count(bad); i++) {
        sprintf(text, "{\"n\":%s,\"on\":true}", bad[i]);
        assert_int_equal(decode(text, 0, &all), IM_ERROR);
        assert_string_equal(why, "a member has the wrong type");

        assert_int_equal(decode(text, IM_JSON_LAX, &all), IM_OK);
        assert_true(all.n == -7);
        assert_int_equal(all.on, 1);
        done(&all);
    }
}


static void
test_types(void **state)
{
    all_t   all;
    size_t  i;

    static const char *const  bad[] = {
        "{\"s\":1}", "{\"s\":[]}", "{\"on\":1}", "{\"on\":null}",
        "{\"object\":[]}", "{\"object\":\"{}\"}", "{\"object\":null}",
        "{\"strings\":\"a\"}", "{\"strings\":[1]}", "{\"strings\":[null]}",
        "{\"strings\":[\"a\",[]]}", "{\"raws\":{}}", "{\"strings\":null}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(decode(bad[i], 0, &all), IM_ERROR);
        assert_string_equal(why, "a member has the wrong type");
        assert_null(all.strings.elts);
        assert_null(all.raws.elts);

        assert_int_equal(decode(bad[i], IM_JSON_LAX, &all), IM_OK);
        assert_int_equal(all.s.len + all.object.len, 0);
        assert_int_equal(all.strings.n + all.raws.n, 0);
        done(&all);
    }

    /* with null as not given */
    assert_int_equal(decode("{\"s\":\"a\",\"n\":null,\"on\":null,\"raw\":null,"
                            "\"object\":null,\"strings\":null,\"s\":null}",
                            IM_JSON_NULLS, &all),
                     IM_OK);
    test_str(all.s, "a");
    assert_true(all.n == -7);
    assert_int_equal(all.raw.len + all.object.len + all.strings.n, 0);
    assert_int_equal(decode("{\"n\":[null]}", IM_JSON_NULLS, &all), IM_ERROR);
    done(&all);

    /* null leaves a string, also one that was there */
    assert_int_equal(decode("{\"s\":\"a\",\"s\":null}", 0, &all), IM_OK);
    test_str(all.s, "a");
    done(&all);
}


static void
test_not_an_object(void **state)
{
    all_t   all;
    size_t  i;

    static const char *const  values[] = {
        "1", "12 ", "null", "\"a\"", "[]", "true", "[{\"s\":\"a\"}]"
    };

    (void) state;

    for (i = 0; i < test_count(values); i++) {
        assert_int_equal(decode(values[i], IM_JSON_LAX, &all), IM_ERROR);
        assert_string_equal(why, "not a JSON object");
        done(&all);
    }

    for (i = 0; i < test_count(invalid); i++) {
        assert_int_equal(decode(invalid[i], IM_JSON_LAX, &all), IM_ERROR);
        assert_non_null(why);
        done(&all);
    }
}


static void
test_case(void **state)
{
    all_t    all;
    int64_t  two[2];

    static const im_json_field_t  two_fields[] = {
        { im_str("Key"), IM_JSON_INT, 0 },
        { im_str("key"), IM_JSON_INT, 8 },
        im_json_end
    };

    (void) state;

    assert_int_equal(decode("{\"S\":\"a\",\"N\":1}", 0, &all), IM_OK);
    assert_int_equal(all.s.len, 0);
    assert_true(all.n == -7);
    done(&all);

    assert_int_equal(decode("{\"S\":\"a\",\"N\":1,\"oN\":true}",
                            IM_JSON_ANY_CASE, &all),
                     IM_OK);
    test_str(all.s, "a");
    assert_true(all.n == 1);
    assert_int_equal(all.on, 1);
    done(&all);

    memset(two, 0, sizeof(two));
    assert_int_equal(im_json_decode(im_str_z("{\"key\":2,\"Key\":1}"),
                                    two_fields, IM_JSON_ANY_CASE, NULL, two,
                                    &why),
                     IM_OK);
    assert_true(two[0] == 1 && two[1] == 2);
}


static void
test_repeated(void **state)
{
    all_t  all;

    (void) state;

    assert_int_equal(decode("{\"s\":\"first\",\"n\":1,\"strings\":[\"a\"],"
                            "\"s\":\"x\",\"n\":2,\"strings\":[\"b\",\"c\"],"
                            "\"raws\":[1,2],\"raws\":[]}", 0, &all),
                     IM_OK);

    test_str(all.s, "x");
    assert_true(all.n == 2);
    assert_int_equal(all.strings.n, 2);
    test_str(all.strings.elts[1], "c");
    assert_int_equal(all.raws.n, 0);

    done(&all);
}


static void
test_too_many(void **state)
{
    all_t  all;

    (void) state;

    assert_int_equal(decode("{\"strings\":[\"1\",\"2\",\"3\",\"4\"]}", 0,
                            &all),
                     IM_OK);
    assert_int_equal(all.strings.n, 4);
    done(&all);

    assert_int_equal(decode("{\"raws\":[1],"
                            "\"strings\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}",
                            IM_JSON_LAX, &all),
                     IM_ERROR);
    assert_string_equal(why, "too many elements");
    assert_null(all.strings.elts);
    assert_null(all.raws.elts);
    done(&all);
}


static void
test_escapes(void **state)
{
    all_t   all;
    char    text[128];
    size_t  i;

    static const struct {
        const char  *text;
        const char  *decoded;
    } cases[] = {
        { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
        { "\\u0041\\u00e4\\u20AC", "A\xc3\xa4\xe2\x82\xac" },
        { "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
        { "\\uDBFF\\uDFFF", "\xf4\x8f\xbf\xbf" },
        { "\\ud800", "\xef\xbf\xbd" },
        { "\\udc00", "\xef\xbf\xbd" },
        { "\\ud800\\ud800", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\\ud800\\u0041", "\xef\xbf\xbd" "A" },
        { "\\ud800\\n", "\xef\xbf\xbd\n" },
        { "\\ud800x", "\xef\xbf\xbdx" },
        { "\\uffff", "\xef\xbf\xbf" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        sprintf(text, "{\"s\":\"%s\"}", cases[i].text);
        assert_int_equal(decode(text, 0, &all), IM_OK);
        test_str(all.s, cases[i].decoded);
        done(&all);
    }

    assert_int_equal(decode("{\"s\":\"a\\u0000b\"}", 0, &all), IM_OK);
    assert_int_equal(all.s.len, 3);
    assert_memory_equal(all.s.data, "a\0b", 3);
    done(&all);
}


/* Every proper beginning is refused; so is every text with a byte too much. */
static void
test_cut(void **state)
{
    all_t     all;
    size_t    i;
    im_str_t  s, text;

    (void) state;

    text = im_str_z("{\"s\":\"a\\u00e4\\ud83d\\ude00\\n\",\"n\":-12,"
                    "\"on\":true,\"raw\":[1,null],\"object\":{\"a\":1.5e3},"
                    "\"strings\":[\"a\",\"b\"],\"raws\":[1,\"a\",{}]}");

    for (i = 0; i <= text.len; i++) {
        s = copy_of(im_str_set(text.data, i));

        assert_int_equal(decode_text(s, 0, &all),
                         i == text.len ? IM_OK : IM_ERROR);
        assert_int_equal(im_json_valid(s), i == text.len);

        done(&all);
        free(s.data);
    }

    assert_int_equal(decode("{\"s\":\"a\"}}", 0, &all), IM_ERROR);
    done(&all);
}


/* A member that is decoded in its turn fits behind the strings so far. */
static void
test_arena_stays(void **state)
{
    all_t     all, in;
    im_str_t  s;

    (void) state;

    assert_int_equal(decode("{\"s\":\"outer\",\"object\":{\"s\":\"inner\","
                            "\"strings\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
                            "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]}}",
                            0, &all),
                     IM_OK);

    s = all.s;
    memset(&in, 0, sizeof(all_t));
    in.strings.max = 4;

    assert_int_equal(im_json_decode(all.object, fields, 0, &arena, &in, &why),
                     IM_OK);
    test_str(in.s, "inner");
    test_str(s, "outer");
    assert_int_equal(in.strings.n, 2);

    im_json_strings_free(&in.strings);
    done(&all);
}


static void
test_arena_limit(void **state)
{
    all_t     all;
    im_buf_t  small;

    (void) state;

    memset(&all, 0, sizeof(all_t));
    im_buf_init(&small, 8);

    assert_int_equal(im_json_decode(im_str_z("{\"s\":\"abcdefgh\"}"), fields,
                                    0, &small, &all, &why),
                     IM_ERROR);
    assert_ptr_equal(why, im_json_no_memory);

    im_buf_cleanup(&small);
}


static void
test_no_memory(void **state)
{
    all_t     all;
    char     *text;
    size_t    n, i, len;
    im_int_t  rc;

    (void) state;

    /* escapes and depth make yajl's own buffers grow */
    text = malloc(20000);
    assert_non_null(text);
    len = (size_t) sprintf(text, "{\"strings\":[\"a\",\"b\"],\"raws\":[1],"
                           "\"raw\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"
                           ",\"s\":\"");

    for (i = 0; i < 3000; i++) {
        memcpy(text + len, "\\n", 2);
        len += 2;
    }

    memcpy(text + len, "\"}", 2);
    len += 2;

    for (n = 1; ; n++) {
        im_buf_cleanup(&arena);
        alloc_fail_at(n);
        rc = decode_text(im_str_set(text, len), 0, &all);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
        assert_ptr_equal(why, im_json_no_memory);
        assert_null(all.strings.elts);
        assert_null(all.raws.elts);
        done(&all);
        assert_int_equal(alloc_live(), 0);
    }

    assert_int_equal(rc, IM_OK);
    assert_int_equal(all.s.len, 3000);
    assert_true(n > 6);
    done(&all);

    for (n = 1; ; n++) {
        alloc_fail_at(n);
        rc = im_json_check(im_str_set(text, len));

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
    }

    assert_int_equal(rc, IM_OK);
    free(text);
}


static void
test_add_string(void **state)
{
    size_t    i;
    im_buf_t  b;

    static const struct {
        const char  *s;
        const char  *text;
    } cases[] = {
        { "", "\"\"" },
        { "plain", "\"plain\"" },
        { "\"\\/", "\"\\\"\\\\/\"" },
        { "a\nb\x1f", "\"a\\u000ab\\u001f\"" },
        { "\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
        { "a\xff" "b", "\"a\xef\xbf\xbd" "b\"" },
        { "\xc3", "\"\xef\xbf\xbd\"" },
        { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }
    };

    (void) state;

    im_buf_init(&b, 1024);

    for (i = 0; i < test_count(cases); i++) {
        im_buf_reset(&b, 1024);
        im_json_add_string(&b, im_str_z(cases[i].s));
        test_str(im_buf_str(&b), cases[i].text);
    }

    im_buf_reset(&b, 1024);
    im_json_add_string(&b, im_str_set(NULL, 0));
    test_str(im_buf_str(&b), "\"\"");

    im_buf_cleanup(&b);
}


/* Any bytes give valid JSON; valid text reads back as it was. */
static void
test_random_strings(void **state)
{
    all_t      all;
    u_char     bytes[64];
    size_t     i, j, len;
    im_buf_t   b;
    im_str_t   s;
    random_t   r;

    (void) state;

    random_init(&r, 1);
    im_buf_init(&b, 4096);

    for (i = 0; i < 20000; i++) {
        len = random_below(&r, sizeof(bytes));

        for (j = 0; j < len; j++) {
            bytes[j] = (u_char) random_below(&r, i % 2 ? 256 : 128);
        }

        s = copy_of(im_str_set(bytes, len));

        im_buf_reset(&b, 4096);
        im_buf_add_z(&b, "{\"s\":");
        im_json_add_string(&b, s);
        im_buf_add_z(&b, "}");

        assert_int_equal(decode_text(im_buf_str(&b), 0, &all), IM_OK);
        assert_true(im_utf8_valid(all.s));

        if (im_utf8_valid(s)) {
            assert_true(im_str_eq(all.s, s));
        }

        done(&all);
        free(s.data);
    }

    im_buf_cleanup(&b);
}


static void
random_value(random_t *r, im_buf_t *b, im_uint_t depth)
{
    size_t  i, n;

    static const char *const  scalars[] = {
        "null", "true", "false", "0", "-1.5e-3", "\"\"", "\"\\\"[{,}]\\\\\"",
        " 12 ", "\"\\ud83d\\ude00\\u0041\""
    };

    n = random_below(r, depth > 5 ? 1 : 3);

    if (n == 0) {
        im_buf_add_z(b, scalars[random_below(r, test_count(scalars))]);
        return;
    }

    im_buf_add_z(b, n == 1 ? "[" : "{ ");

    for (i = random_below(r, 4); i > 0; i--) {
        if (n == 2) {
            im_buf_add_z(b, "\"raw\" : ");
        }

        random_value(r, b, depth + 1);
        im_buf_add_z(b, i > 1 ? " ," : "");
    }

    im_buf_add_z(b, n == 1 ? "]" : "}");
}


/* Raw members and elements are the values put in, whatever they hold. */
static void
test_random_values(void **state)
{
    all_t      all;
    size_t     i, j, n, at[5];
    im_buf_t   b;
    im_str_t   s;
    random_t   r;

    (void) state;

    random_init(&r, 2);
    im_buf_init(&b, 1 << 20);

    for (i = 0; i < 3000; i++) {
        n = random_below(&r, 5);

        im_buf_reset(&b, 1 << 20);
        im_buf_add_z(&b, "{\"raws\":[");

        for (j = 0; j < n; j++) {
            at[j] = b.len;
            random_value(&r, &b, 2);
            im_buf_add_z(&b, j + 1 < n ? "," : "");
        }

        at[j] = b.len + 1;
        im_buf_add_z(&b, "],\"raw\":1}");

        assert_int_equal(decode_text(im_buf_str(&b), 0, &all), IM_OK);
        assert_int_equal(all.raws.n, n);
        test_str(all.raw, "1");

        for (j = 0; j < n; j++) {
            s = im_str_set(b.data + at[j], at[j + 1] - at[j] - 1);

            while (s.data[0] == ' ') {
                s.data++;
                s.len--;
            }

            while (s.data[s.len - 1] == ' ') {
                s.len--;
            }

            assert_true(im_str_eq(all.raws.elts[j], s));
            assert_true(im_json_valid(s));
        }

        done(&all);
    }

    im_buf_cleanup(&b);
}


static void
test_members(void **state)
{
    size_t    i, at;
    all_t     all;
    im_buf_t  names;
    im_str_t  name, value;

    static const char *const  pairs[][2] = {
        { "", "1" }, { "a\"b", "\"}\"" }, { "c", "{\"x\":[1,2]}" },
        { "\xc3\xa4", "[ {\"y\" : 1}, \"\\\"\" ]" }, { "c", "null" }
    };

    (void) state;

    assert_int_equal(decode("{\"object\" : {\"\":1 ,\"a\\\"b\" : \"}\", "
                            "\"c\":{\"x\":[1,2]}\n,\"\\u00e4\" :"
                            "[ {\"y\" : 1}, \"\\\"\" ],\"c\":null } }", 0,
                            &all),
                     IM_OK);

    im_buf_init(&names, 64);
    assert_non_null(im_buf_reserve(&names, 64));
    names.len = 0;
    at = 0;

    for (i = 0; i < test_count(pairs); i++) {
        assert_int_equal(im_json_next_member(all.object, &at, &names, &name,
                                             &value),
                         IM_OK);
        test_str(name, pairs[i][0]);
        test_str(value, pairs[i][1]);
    }

    assert_int_equal(im_json_next_member(all.object, &at, &names, &name,
                                         &value),
                     IM_DECLINED);
    done(&all);

    assert_int_equal(decode("{\"object\":{ }}", 0, &all), IM_OK);
    at = 0;
    assert_int_equal(im_json_next_member(all.object, &at, &names, &name,
                                         &value),
                     IM_DECLINED);
    done(&all);

    im_buf_cleanup(&names);
    im_buf_init(&names, 1);
    assert_int_equal(decode("{\"object\":{\"ab\":1}}", 0, &all), IM_OK);
    at = 0;
    assert_int_equal(im_json_next_member(all.object, &at, &names, &name,
                                         &value),
                     IM_ERROR);

    done(&all);
    im_buf_cleanup(&names);
}


static void
test_encode(void **state)
{
    all_t     all;
    im_buf_t  b;
    im_str_t  strings[] = { im_str("a\""), im_null_str };
    im_str_t  raws[] = { im_str("{}"), im_str("1") };

    (void) state;

    memset(&all, 0, sizeof(all_t));
    all.n = -1;
    all.on = -1;

    im_buf_init(&b, 4096);
    im_json_encode(&b, fields, &all);
    test_str(im_buf_str(&b), "{}");

    all.s = im_str_z("");
    all.n = 0;
    all.on = 1;
    all.raw = im_str_z("[ ]");
    all.object = im_str_z("{\"x\":1}");
    all.strings.elts = strings;
    all.strings.n = 2;
    all.raws.elts = raws;
    all.raws.n = 2;

    im_buf_reset(&b, 4096);
    im_json_encode(&b, fields, &all);
    test_str(im_buf_str(&b), "{\"s\":\"\",\"n\":0,\"on\":true,\"raw\":[ ],"
                             "\"object\":{\"x\":1},"
                             "\"strings\":[\"a\\\"\",\"\"],"
                             "\"raws\":[{},1]}");
    assert_true(im_json_valid(im_buf_str(&b)));
    im_buf_cleanup(&b);

    im_buf_init(&b, 64);
    im_json_encode(&b, fields, &all);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


/* About where a text goes wrong. */
static void
test_fault(void **state)
{
    (void) state;

    assert_int_equal(im_json_fault(im_str_z("{\"a\":1}")), 7);
    assert_int_equal(im_json_fault(im_str_z("{\"a\":1")), 6);
    assert_true(im_json_fault(im_str_z("{} x")) >= 2);
    assert_true(im_json_fault(im_str_z("{\"a\":nonsense}")) >= 5);
    assert_true(im_json_fault(im_str_z("{\"a\":nonsense}")) <= 7);
    assert_int_equal(im_json_fault(im_str_z("")), 0);
}


/* With levels free for what it is embedded in. */
static void
test_embeds(void **state)
{
    u_char     deep[2 * IM_JSON_MAX_DEPTH];
    im_uint_t  i;

    (void) state;

    assert_true(im_json_embeds(im_str_z("{\"a\": 1}")));
    assert_true(im_json_embeds(im_str_z("1")));
    assert_false(im_json_embeds(im_str_z("")));
    assert_false(im_json_embeds(im_str_z(" 1")));
    assert_false(im_json_embeds(im_str_z("1\n")));
    assert_false(im_json_embeds(im_str_z("x")));

    for (i = 0; i < IM_JSON_MAX_DEPTH; i++) {
        deep[i] = '[';
        deep[2 * IM_JSON_MAX_DEPTH - 1 - i] = ']';
    }

    assert_true(im_json_valid(im_str_set(deep, sizeof(deep))));
    assert_false(im_json_embeds(im_str_set(deep, sizeof(deep))));
    assert_true(im_json_embeds(im_str_set(deep + 4, sizeof(deep) - 8)));
}


static void
test_objects(void **state)
{
    size_t    i, at;
    im_str_t  text, object;

    static const char *const  bad[] = {
        "1", "{", "[]", "\"{}\"", "}", "{\"a\":\"}", "{\"a\":\"\\\"}", "{{}",
        ",{}", "{}x", "{} {"
    };

    (void) state;

    text = im_str_z(" {\"a\":{\"b\":\"}\\\"{\"}}{}\n{\"c\":[{}]}\r\n\t");
    at = 0;

    assert_int_equal(im_json_next_object(text, &at, &object), IM_OK);
    test_str(object, "{\"a\":{\"b\":\"}\\\"{\"}}");
    assert_int_equal(im_json_next_object(text, &at, &object), IM_OK);
    test_str(object, "{}");
    assert_int_equal(im_json_next_object(text, &at, &object), IM_OK);
    test_str(object, "{\"c\":[{}]}");
    assert_int_equal(im_json_next_object(text, &at, &object), IM_DECLINED);

    at = 0;
    assert_int_equal(im_json_next_object(im_str_z(""), &at, &object),
                     IM_DECLINED);

    for (i = 0; i < test_count(bad); i++) {
        text = copy_of(im_str_z(bad[i]));
        at = 0;

        while (im_json_next_object(text, &at, &object) == IM_OK) {
            assert_true(at <= text.len);
        }

        assert_int_equal(im_json_next_object(text, &at, &object), IM_ERROR);
        free(text.data);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_objects),
    alloc_test(test_embeds),
    cmocka_unit_test(test_fault),
    alloc_test(test_encode),
    alloc_test(test_valid),
    alloc_test(test_depth),
    alloc_test(test_decode),
    alloc_test(test_raw),
    alloc_test(test_numbers),
    alloc_test(test_types),
    alloc_test(test_not_an_object),
    alloc_test(test_case),
    alloc_test(test_repeated),
    alloc_test(test_too_many),
    alloc_test(test_escapes),
    alloc_test(test_cut),
    alloc_test(test_arena_stays),
    alloc_test(test_arena_limit),
    alloc_test(test_no_memory),
    alloc_test(test_add_string),
    alloc_test(test_random_strings),
    alloc_test(test_random_values),
    alloc_test(test_members)
};

test_main(tests)
