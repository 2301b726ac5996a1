/*
 * Copyright (C) The im authors
 *
 * Tokens: their parts, their claims, and the times between which they hold.
 */

#include "test.h"
#include "copy.h"
#include "im_json.h"
#include "im_jwt.h"


#define HEADER  "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"


static im_buf_t        token, arena;
static im_jwt_t        jwt;
static im_jwt_parts_t  parts;
static const char     *why;


static void
add_base64(const char *text, size_t len)
{
    size_t    i;
    uint32_t  bits;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789-_";

    for (i = 0; i < len; i += 3) {
        bits = (uint32_t) (u_char) text[i] << 16;
        bits |= i + 1 < len ? (uint32_t) (u_char) text[i + 1] << 8 : 0;
        bits |= i + 2 < len ? (u_char) text[i + 2] : 0;

        im_buf_add_u8(&token, (uint8_t) digits[bits >> 18]);
        im_buf_add_u8(&token, (uint8_t) digits[bits >> 12 & 0x3f]);

        if (i + 1 < len) {
            im_buf_add_u8(&token, (uint8_t) digits[bits >> 6 & 0x3f]);
        }

        if (i + 2 < len) {
            im_buf_add_u8(&token, (uint8_t) digits[bits & 0x3f]);
        }
    }
}


static im_str_t
make(const char *header, const char *claims)
{
    im_buf_cleanup(&token);
    im_buf_init(&token, 1 << 16);

    add_base64(header, strlen(header));
    im_buf_add_z(&token, ".");
    add_base64(claims, strlen(claims));
    im_buf_add_z(&token, ".");
    add_base64("signature", 9);

    return im_buf_str(&token);
}


static im_int_t
split(im_str_t text)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, IM_JWT_ARENA);
    why = NULL;

    return im_jwt_split(text, &arena, &parts, &why);
}


/* Takes the token apart in a copy of its size; nothing may move the arena. */
static im_int_t
claims(const char *text)
{
    u_char    *data;
    im_int_t   rc;
    im_str_t   copy;

    copy = copy_of(make(HEADER, text));
    assert_int_equal(split(copy), IM_OK);

    data = arena.data;
    rc = im_jwt_claims(&parts, &arena, &jwt);

    assert_ptr_equal(arena.data, data);
    assert_int_equal(rc == IM_OK, jwt.why == NULL);
    free(copy.data);

    return rc;
}


static void
done(void)
{
    im_jwt_cleanup(&jwt);
    im_buf_cleanup(&token);
    im_buf_cleanup(&arena);
}


static void
test_algs(void **state)
{
    size_t  i;

    static const char *const  names[] = {
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256",
        "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519",
        "Ed448"
    };
    static const char *const  bad[] = {
        "", "none", "None", "NONE", "hs256", "HS256 ", "HS25", "PS255",
        "EDDSA", "Ed449", "ES256K"
    };

    (void) state;

    for (i = 0; i < test_count(names); i++) {
        assert_int_equal(im_jwt_alg(im_str_z(names[i])), i);
        assert_int_equal(im_jwt_methods[i].bits,
                         i < IM_JWT_EDDSA ? strtoul(names[i] + 2, NULL, 10)
                                          : 0);
    }

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_jwt_alg(im_str_z(bad[i])), IM_JWT_ALGS);
    }
}


static void
test_split(void **state)
{
    im_str_t  text;

    (void) state;

    text = make(HEADER, "{\"sub\":\"u\"}");
    assert_int_equal(split(text), IM_OK);

    assert_int_equal(parts.alg, IM_JWT_HS256);
    test_str(parts.kid, "k");
    test_str(parts.claims, "{\"sub\":\"u\"}");
    test_str(parts.signature, "signature");
    assert_ptr_equal(parts.signing.data, text.data);
    assert_int_equal(parts.signing.len, text.len - 1 - 12);

    assert_int_equal(split(make("{\"alg\":\"ES512\",\"kid\":null}", "{}")),
                     IM_OK);
    assert_int_equal(parts.alg, IM_JWT_ES512);
    assert_int_equal(parts.kid.len, 0);

    done();
}


static void
test_split_bad(void **state)
{
    size_t  i;

    static const char *const  texts[] = {
        "", ".", "..", "...", "a", "a.b", "e30.e30", "e30.e30.", "e30..e30",
        "e30.e30.e30.e30", "e30.e30.e30.", "e30=.e30.e30", "e30.e3.e30",
        "e30.e30.a", "e30.e30.a+b/", " e30.e30.e30", "e30.e30.e30\n"
    };
    static const char *const  headers[] = {
        "", "{", "[]", "{}", "null", "{\"alg\":null}", "{\"alg\":1}",
        "{\"alg\":\"none\"}", "{\"alg\":\"nOnE\"}", "{\"alg\":\"\"}",
        "{\"Alg\":\"HS256\"}", "{\"alg\":[\"HS256\"]}",
        "{\"alg\":\"HS256\",\"kid\":1}", "{\"alg\":\"HS256\",\"kid\":{}}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":null}", "{\"alg\":\"HS256\"} x",
        "{\"alg\":\"ES256K\"}", "\xff", "{\"alg\":\"HS256\\u0000\"}"
    };

    (void) state;

    for (i = 0; i < test_count(texts); i++) {
        assert_int_equal(split(im_str_z(texts[i])), IM_ERROR);
        assert_non_null(why);
    }

    for (i = 0; i < test_count(headers); i++) {
        assert_int_equal(split(make(headers[i], "{}")), IM_ERROR);
        assert_non_null(why);
    }

    done();
}


static void
test_split_lengths(void **state)
{
    size_t     len;
    im_buf_t   header;
    im_uint_t  i;

    (void) state;

    for (i = IM_JWT_MAX_KID; i <= IM_JWT_MAX_KID + 1; i++) {
        im_buf_init(&header, 1024);
        im_buf_add_z(&header, "{\"alg\":\"HS256\",\"kid\":\"");
        memset(im_buf_reserve(&header, i), 'k', i);
        im_buf_add(&header, "\"}", 3);

        assert_int_equal(split(make((char *) header.data, "{}")),
                         i == IM_JWT_MAX_KID ? IM_OK : IM_ERROR);
        im_buf_cleanup(&header);
    }

    (void) make(HEADER, "{ }");
    len = IM_JWT_MAX - token.len;
    memset(im_buf_reserve(&token, len), 'A', len);
    assert_int_equal(split(im_buf_str(&token)), IM_OK);

    im_buf_add_z(&token, "A");
    assert_int_equal(split(im_buf_str(&token)), IM_ERROR);
    test_str(im_str_z(why), "the token is too long");

    done();
}


static void
test_split_cut(void **state)
{
    size_t    i;
    im_str_t  copy, text;

    (void) state;

    text = copy_of(make(HEADER, "{\"sub\":\"u\",\"exp\":1}"));

    for (i = 0; i < text.len; i++) {
        copy = copy_of(im_str_set(text.data, i));

        if (split(copy) == IM_OK) {

            /* only the signature is shorter */

            assert_true(i > text.len - 13);
            test_str(parts.claims, "{\"sub\":\"u\",\"exp\":1}");
            assert_true(parts.signature.len < 9);
        }

        free(copy.data);
    }

    free(text.data);
    done();
}


static void
test_claims(void **state)
{
    (void) state;

    assert_int_equal(claims("{\"sub\":\"4\\u00e4\",\"exp\":1700000000,"
                            "\"nbf\":1600000000,\"iat\":1.5e9,\"jti\":\"j\","
                            "\"iss\":\"i\",\"aud\":\"a\","
                            "\"info\":{\"name\": \"N\"},\"meta\":[1],"
                            "\"data\": 0,\"override\":{},\"other\":[{}]}"),
                     IM_OK);

    test_str(jwt.user, "4\xc3\xa4");
    test_str(jwt.id, "j");
    test_str(jwt.issuer, "i");
    test_str(jwt.info, "{\"name\": \"N\"}");
    test_str(jwt.meta, "[1]");
    test_str(jwt.data, "0");
    test_str(jwt.override, "{}");
    assert_null(jwt.channel.data);
    assert_null(jwt.client.data);
    assert_int_equal(jwt.exp, 1700000000);
    assert_int_equal(jwt.nbf, 1600000000);
    assert_int_equal(jwt.iat, 1500000000);
    assert_int_equal(jwt.expires, 1700000000);
    assert_int_equal(jwt.nsubs, 0);
    assert_null(jwt.subs);

    assert_int_equal(claims("{}"), IM_OK);
    assert_int_equal(jwt.user.len, 0);
    assert_int_equal(jwt.info.len, 0);
    assert_true(jwt.exp == INT64_MAX);
    assert_true(jwt.nbf == INT64_MIN);
    assert_int_equal(jwt.expires, 0);

    assert_int_equal(claims("{\"channel\":\"c\",\"client\":\"\","
                            "\"b64info\":\"eyJhIjoxfQ==\",\"info\":null,"
                            "\"b64data\":\"MQ==\",\"exp\":null,\"subs\":null,"
                            "\"channels\":null,\"override\":null,\"meta\":null,"
                            "\"sub\":null}"),
                     IM_OK);
    test_str(jwt.channel, "c");
    assert_non_null(jwt.client.data);
    assert_int_equal(jwt.client.len, 0);
    test_str(jwt.info, "{\"a\":1}");
    test_str(jwt.data, "1");
    assert_int_equal(jwt.meta.len, 0);
    assert_int_equal(jwt.override.len, 0);

    assert_int_equal(claims("{\"info\":1,\"b64info\":\"?\"}"), IM_OK);
    test_str(jwt.info, "1");

    done();
}


static void
test_claims_bad(void **state)
{
    size_t  i;

    static const char *const  bad[] = {
        "", "{", "[]", "1", "null", "{\"sub\":1}", "{\"sub\":{}}",
        "{\"jti\":1}", "{\"iss\":[]}", "{\"exp\":\"1\"}", "{\"exp\":true}",
        "{\"exp\":{}}", "{\"exp\":1e300}", "{\"exp\":-1e16}", "{\"nbf\":[]}",
        "{\"iat\":\"x\"}", "{\"expire_at\":\"\"}",
        "{\"exp\":123456789012345678901234567890123}",
        "{\"channel\":1}", "{\"client\":{}}", "{\"b64info\":\"?\"}",
        "{\"b64info\":\"eA=\"}", "{\"b64info\":1}", "{\"b64data\":\"e30\"}",
        "{\"override\":1}", "{\"override\":[]}", "{\"subs\":[]}",
        "{\"subs\":1}", "{\"subs\":{\"c\":1}}", "{\"subs\":{\"c\":null}}",
        "{\"subs\":{\"a\":{},\"c\":{\"b64info\":\"?\"}}}",
        "{\"subs\":{\"c\":{\"b64data\":2}}}",
        "{\"subs\":{\"c\":{\"override\":2}}}", "{\"channels\":{}}",
        "{\"channels\":\"c\"}", "{\"channels\":[\"a\",1]}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        if (claims(bad[i]) != IM_ERROR) {
            fail_msg("%s is taken", bad[i]);
        }

        assert_non_null(jwt.why);
        assert_null(jwt.subs);
    }

    done();
}


static void
test_subs(void **state)
{
    (void) state;

    assert_int_equal(claims("{\"channels\":[\"x\",\"y\\u00e4\"]}"), IM_OK);
    assert_int_equal(jwt.nsubs, 2);
    test_str(jwt.subs[0].channel, "x");
    test_str(jwt.subs[1].channel, "y\xc3\xa4");
    assert_int_equal(jwt.subs[1].info.len, 0);
    im_jwt_cleanup(&jwt);

    assert_int_equal(claims("{\"channels\":[\"x\"],\"subs\":{\"a\":{},"
                            "\"b\\n\":{\"info\":{\"i\":1},\"data\":[2],"
                            "\"override\":{\"presence\":{\"value\":true}}},"
                            "\"c\":{\"b64info\":\"MQ==\",\"b64data\":\"Mg==\"}"
                            "}}"),
                     IM_OK);
    assert_int_equal(jwt.nsubs, 3);
    test_str(jwt.subs[0].channel, "a");
    assert_int_equal(jwt.subs[0].info.len, 0);
    test_str(jwt.subs[1].channel, "b\n");
    test_str(jwt.subs[1].info, "{\"i\":1}");
    test_str(jwt.subs[1].data, "[2]");
    test_str(jwt.subs[1].override, "{\"presence\":{\"value\":true}}");
    test_str(jwt.subs[2].info, "1");
    test_str(jwt.subs[2].data, "2");
    im_jwt_cleanup(&jwt);

    assert_int_equal(claims("{\"channels\":[],\"subs\":{}}"), IM_OK);
    assert_int_equal(jwt.nsubs, 0);

    done();
}


static void
test_subs_too_many(void **state)
{
    im_buf_t   channels, subs;
    im_int_t   wanted;
    im_uint_t  i, n;

    (void) state;

    for (n = IM_JWT_MAX_SUBS; n <= IM_JWT_MAX_SUBS + 1; n++) {
        im_buf_init(&channels, 8192);
        im_buf_init(&subs, 8192);
        im_buf_add_z(&channels, "{\"channels\":[\"0\"");
        im_buf_add_z(&subs, "{\"subs\":{\"0\":{}");

        for (i = 1; i < n; i++) {
            im_buf_add_z(&channels, ",\"");
            im_buf_add_uint(&channels, i);
            im_buf_add_z(&channels, "\"");
            im_buf_add_z(&subs, ",\"");
            im_buf_add_uint(&subs, i);
            im_buf_add_z(&subs, "\":{}");
        }

        im_buf_add(&channels, "]}", 3);
        im_buf_add(&subs, "}}", 3);

        wanted = n == IM_JWT_MAX_SUBS ? IM_OK : IM_ERROR;

        assert_int_equal(claims((char *) channels.data), wanted);
        im_jwt_cleanup(&jwt);
        assert_int_equal(claims((char *) subs.data), wanted);
        im_jwt_cleanup(&jwt);

        im_buf_cleanup(&channels);
        im_buf_cleanup(&subs);
    }

    done();
}


static im_int_t
check_leeway(const char *text, int64_t now, int64_t leeway,
    const char *audience, const char *issuer)
{
    im_int_t  rc;

    assert_int_equal(claims(text), IM_OK);

    rc = im_jwt_check(&jwt, now, leeway, im_str_z(audience), im_str_z(issuer));
    assert_int_equal(rc == IM_OK, jwt.why == NULL);

    return rc;
}


static im_int_t
check(const char *text, int64_t now, const char *audience, const char *issuer)
{
    return check_leeway(text, now, 0, audience, issuer);
}


static void
test_check(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        int64_t      now;
        const char  *audience;
        const char  *issuer;
        im_int_t     rc;
    } cases[] = {
        { "{}", 0, "", "", IM_OK },
        { "{\"exp\":100}", 99, "", "", IM_OK },
        { "{\"exp\":100.9}", 99, "", "", IM_OK },
        { "{\"exp\":100}", 100, "", "", IM_DECLINED },
        { "{\"exp\":0}", 100, "", "", IM_DECLINED },
        { "{\"exp\":-5}", 100, "", "", IM_DECLINED },
        { "{\"nbf\":100}", 99, "", "", IM_DECLINED },
        { "{\"nbf\":100}", 100, "", "", IM_OK },
        { "{\"nbf\":100,\"exp\":50}", 99, "", "", IM_DECLINED },
        { "{\"nbf\":100,\"iss\":\"b\"}", 99, "", "a", IM_ERROR },
        { "{\"iat\":4000000000}", 99, "", "", IM_OK },
        { "{\"exp\":100,\"expire_at\":50}", 60, "", "", IM_DECLINED },
        { "{\"exp\":100,\"expire_at\":200}", 60, "", "", IM_OK },
        { "{\"exp\":100,\"expire_at\":200}", 150, "", "", IM_DECLINED },
        { "{\"exp\":100,\"expire_at\":0}", 60, "", "", IM_OK },
        { "{\"exp\":100,\"iss\":\"b\"}", 200, "", "a", IM_ERROR },
        { "{\"iss\":\"a\"}", 1, "", "a", IM_OK },
        { "{\"iss\":\"A\"}", 1, "", "a", IM_ERROR },
        { "{}", 1, "", "a", IM_ERROR },
        { "{\"iss\":\"a\"}", 1, "", "", IM_OK },
        { "{\"aud\":\"a\"}", 1, "a", "", IM_OK },
        { "{\"aud\":\"\\u0061\"}", 1, "a", "", IM_OK },
        { "{\"aud\":\"b\"}", 1, "a", "", IM_ERROR },
        { "{\"aud\":[\"b\",\"a\"]}", 1, "a", "", IM_OK },
        { "{\"aud\":[\"b\",\"c\"]}", 1, "a", "", IM_ERROR },
        { "{\"aud\":[]}", 1, "a", "", IM_ERROR },
        { "{\"aud\":[\"a\",1]}", 1, "a", "", IM_ERROR },
        { "{\"aud\":{\"a\":1}}", 1, "a", "", IM_ERROR },
        { "{\"aud\":null}", 1, "a", "", IM_ERROR },
        { "{}", 1, "a", "", IM_ERROR },
        { "{\"aud\":1}", 1, "", "", IM_OK }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        if (check(cases[i].text, cases[i].now, cases[i].audience,
                  cases[i].issuer)
            != cases[i].rc)
        {
            fail_msg("%s at %d", cases[i].text, (int) cases[i].now);
        }
    }

    assert_int_equal(check("{\"exp\":100,\"expire_at\":0}", 60, "", ""),
                     IM_OK);
    assert_int_equal(jwt.expires, 0);
    assert_int_equal(check("{\"exp\":100,\"expire_at\":70}", 60, "", ""),
                     IM_OK);
    assert_int_equal(jwt.expires, 70);

    done();
}


/* Clocks differ; the seconds of leeway are the last ones, not the first. */
static void
test_check_leeway(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        int64_t      now;
        int64_t      leeway;
        im_int_t     rc;
    } cases[] = {
        { "{\"exp\":100}", 104, 5, IM_OK },
        { "{\"exp\":100}", 105, 5, IM_DECLINED },
        { "{\"exp\":100}", 100, 1, IM_OK },
        { "{\"exp\":100,\"expire_at\":90}", 94, 5, IM_OK },
        { "{\"exp\":100,\"expire_at\":90}", 95, 5, IM_DECLINED },
        { "{\"exp\":90,\"expire_at\":0}", 94, 5, IM_OK },
        { "{\"exp\":90,\"expire_at\":200}", 95, 5, IM_DECLINED },
        { "{\"nbf\":100}", 95, 5, IM_OK },
        { "{\"nbf\":100}", 94, 5, IM_DECLINED },
        { "{\"nbf\":100,\"exp\":90}", 94, 5, IM_DECLINED },
        { "{\"nbf\":100,\"exp\":99}", 100, 5, IM_OK },
        { "{\"exp\":-9000000000000000,\"nbf\":9000000000000000}", 1,
          86400, IM_DECLINED },
        { "{\"exp\":9000000000000000,\"nbf\":-9000000000000000}", 1,
          86400, IM_OK }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        if (check_leeway(cases[i].text, cases[i].now, cases[i].leeway, "", "")
            != cases[i].rc)
        {
            fail_msg("%s at %d", cases[i].text, (int) cases[i].now);
        }

        assert_int_equal(jwt.leeway, cases[i].leeway);
    }

    done();
}


/* Whatever fails is said to be memory's fault, and nothing is left behind. */
static void
test_no_memory(void **state)
{
    im_int_t       rc;
    im_str_t       text;
    unsigned long  i;

    (void) state;

    text = make(HEADER, "{\"sub\":\"u\",\"aud\":[\"b\",\"a\"],"
                        "\"b64info\":\"MQ==\",\"channels\":[\"a\",\"b\"]}");

    for (i = 1; ; i++) {
        im_buf_init(&arena, IM_JWT_ARENA);
        memset(&jwt, 0, sizeof(im_jwt_t));
        alloc_fail_at(i);

        rc = im_jwt_split(text, &arena, &parts, &jwt.why);

        if (rc == IM_OK) {
            rc = im_jwt_claims(&parts, &arena, &jwt);
        }

        if (rc == IM_OK) {
            rc = im_jwt_check(&jwt, 1, 0, im_str_z("a"), im_str_z(""));
        }

        if (alloc_failed()) {
            assert_int_equal(rc, IM_ERROR);
            assert_ptr_equal(jwt.why, im_json_no_memory);
        }

        im_jwt_cleanup(&jwt);
        im_buf_cleanup(&arena);

        if (!alloc_failed()) {
            assert_int_equal(rc, IM_OK);
            break;
        }
    }

    alloc_fail_at(0);
    assert_true(i > 5);

    done();
}


/* The longest token, of every piece that needs memory: the arena stays. */
static void
test_arena_stays(void **state)
{
    im_buf_t   text;
    im_uint_t  i;

    (void) state;

    im_buf_init(&text, IM_JWT_MAX);
    im_buf_add_z(&text, "{\"sub\":\"0123456789012345678901234567890123456789"
                        "\",\"channel\":\"0123456789012345678901234567890123"
                        "456789\",\"subs\":{\"0\":{}");

    for (i = 1; i < 100; i++) {
        im_buf_add_z(&text, ",\"0123456789");
        im_buf_add_uint(&text, i);
        im_buf_add_z(&text, "\":{\"b64info\":\"eyJhIjoxfQ==\","
                            "\"data\":\"\"}");
    }

    im_buf_add(&text, "}}", 3);
    assert_false(text.failed);

    assert_int_equal(claims((char *) text.data), IM_OK);
    assert_int_equal(jwt.nsubs, 100);

    for (i = 1; i < 100; i++) {
        test_str(jwt.subs[i].info, "{\"a\":1}");
        assert_memory_equal(jwt.subs[i].channel.data, "0123456789", 10);
    }

    im_buf_cleanup(&text);
    done();
}


static void
test_der(void **state)
{
    size_t    i;
    u_char    long_one[132];
    u_char    der[IM_JWT_MAX_DER];
    im_str_t  copy;

    static const struct {
        im_str_t  signature;
        im_str_t  der;
    } cases[] = {
        { im_str("\x01\x02"), im_str("\x30\x06\x02\x01\x01\x02\x01\x02") },
        { im_str("\x00\x00"), im_str("\x30\x06\x02\x01\x00\x02\x01\x00") },
        { im_str("\x80\x7f"),
          im_str("\x30\x07\x02\x02\x00\x80\x02\x01\x7f") },
        { im_str("\x00\x00\x80\x00\x00\x00"),
          im_str("\x30\x07\x02\x02\x00\x80\x02\x01\x00") },
        { im_str("\x00\x01\xff\xfe"),
          im_str("\x30\x08\x02\x01\x01\x02\x03\x00\xff\xfe") }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        copy = copy_of(cases[i].signature);
        assert_int_equal(im_jwt_der(copy, der), cases[i].der.len);
        assert_memory_equal(der, cases[i].der.data, cases[i].der.len);
        free(copy.data);
    }

    memset(long_one, 0xff, sizeof(long_one));
    assert_int_equal(im_jwt_der(im_str_set(long_one, 132), der), 141);
    assert_memory_equal(der, "\x30\x81\x8a\x02\x43\x00\xff", 7);
    assert_memory_equal(der + 72, "\x02\x43\x00\xff", 4);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_algs),
    alloc_test(test_split),
    alloc_test(test_split_bad),
    alloc_test(test_split_lengths),
    alloc_test(test_split_cut),
    alloc_test(test_claims),
    alloc_test(test_claims_bad),
    alloc_test(test_subs),
    alloc_test(test_subs_too_many),
    alloc_test(test_check),
    alloc_test(test_check_leeway),
    alloc_test(test_no_memory),
    alloc_test(test_arena_stays),
    alloc_test(test_der)
};

test_main(tests)
