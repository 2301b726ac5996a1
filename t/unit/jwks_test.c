/*
 * Copyright (C) The im authors
 *
 * Key sets: what OpenSSL makes of a key is what comes out, and what can't be
 * used says why.
 */

#include "test.h"
#include "copy.h"
#include "im_der.h"
#include "im_json.h"
#include "im_jwks.h"


#define P256_X  "tSTJIUJwlWYUstUX8YWGcSznhzICR32GmbglchkQw2k"
#define P256_Y  "hPYttOgE2Cq2vyR8m0x7ks_zlFJCk8i_v39ln3zRmLM"
#define P384_X  "T_h8_hXzJQESHNcnAsIT-6jaXLH9RFCvoNkYoM3nKgWF4JGHxECUV2RsxEZ2" \
                "2S0G"
#define P384_Y  "njpzwuhv7jkfKIT7kkE9z-tFiIWtVHOZtkA9vl7Tpf6QKTJ02TXuBeJyfiQ7" \
                "Q1-8"
#define P521_X  "AZXEsIC7kyWQSw9CAZY62XqHusgnVUhHGFuB-PWnq4pjaR0TbfTR_fzYn-TQ" \
                "FiVtLIjUi85WA-sFDecsE71FEyO0"
#define P521_Y  "AFOYEqf3FbuYG_7KML7AN8m54Q9SEUqmxBILWFgFmOdeHEQA34xGBzxyoM-7" \
                "RPR3t6k9qV8YOLewAksMR6BFE8_E"
#define RSA_N   "uxb3n0Pc2nIwZS0aT6K1of1qojUjAqNGiIF6o5Mi5GFoUCRqEf-3Ix3-Hap9" \
                "aQFNLqk_nYG9y2uOoPuG9CoeFBDk-dUa2Hw8mvZpmrc2RQdXX1ju0kCejuFb" \
                "a929ZvZMBJbjV8ryDSBRnt5tNHQ5S7w232ViPbZpM3ZFGlPk2_YUB9VtO0OP" \
                "_akV1dkkUVR7ZS52jIc9QB77bSzwmvFiA0dDjRZ3EOmeH6YzxNq4k6z6jR4M" \
                "xqnUsFGGNkrrTvUKcedx90w2FIAiPr5Yb7UpgKR2OfXaV3qqYYFkC-Vt4H__" \
                "DXNhtG665CsAQLOp0q7YdxBKi20VWnGbWdAx7tMEsw"
#define ED_X    "kmfRp0Gk1CJnduHRK7ZYmxWCFas-DgrmoUbNYYr_SSw"
#define ED448_X "-KJcL8PKp8G7m5U1I1AzyOmAxNjXqiz-l5QKQs3mrAnpqyw-nbHuCfExHY8V" \
                "u_XUE2UdTsVA2GCA"
#define K32     "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

#define RSA     "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\""
#define P256    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"," \
                "\"y\":\"" P256_Y "\""
#define ED      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""
#define OCT     "{\"kty\":\"oct\",\"k\":\"" K32 "\""

#define RS_ALL  (im_jwk_alg(IM_JWT_RS256)|im_jwk_alg(IM_JWT_RS384) \
                 |im_jwk_alg(IM_JWT_RS512))


static im_buf_t     arena;
static im_jwk_t     keys[IM_JWKS_MAX];
static im_uint_t    n;
static const char  *why;


static im_int_t
decode(const char *text, im_uint_t weak)
{
    u_char    *data;
    im_int_t   rc;
    im_str_t   copy;

    im_buf_cleanup(&arena);
    im_buf_init(&arena, IM_JWKS_ARENA);
    why = NULL;
    data = NULL;

    copy = copy_of(im_str_z(text));

    if (im_buf_reserve(&arena, 1 << 18) != NULL) {
        data = arena.data;
        arena.len = 0;
    }

    rc = im_jwks_decode(copy, weak, &arena, keys, &n, &why);

    assert_true(copy.len > 20000 || arena.data == data);
    assert_int_equal(rc != IM_OK, why != NULL);
    free(copy.data);

    return rc;
}


static const im_jwk_t *
one(const char *key, im_uint_t weak)
{
    char  text[4096];

    sprintf(text, "{\"keys\":[%s]}", key);

    assert_int_equal(decode(text, weak), IM_OK);
    assert_int_equal(n, 1);

    return &keys[0];
}


static void
test_public(void **state)
{
    char             hex[1024];
    size_t           i, k;
    const im_jwk_t  *key;

    static const struct {
        const char  *text;
        uint32_t     algs;
        const char  *der;
    } cases[] = {
        { P256 "}", im_jwk_alg(IM_JWT_ES256),
          "3059301306072a8648ce3d020106082a8648ce3d03010703420004b524c9214270"
          "956614b2d517f18586712ce7873202477d8699b825721910c36984f62db4e804d8"
          "2ab6bf247c9b4c7b92cff394524293c8bfbf7f659f7cd198b3" },
        { "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P384_X "\",\"y\":\""
          P384_Y "\",\"alg\":\"ES384\"}", im_jwk_alg(IM_JWT_ES384),
          "3076301006072a8648ce3d020106052b81040022036200044ff87cfe15f3250112"
          "1cd72702c213fba8da5cb1fd4450afa0d918a0cde72a0585e09187c4409457646c"
          "c44676d92d069e3a73c2e86fee391f2884fb92413dcfeb458885ad547399b6403d"
          "be5ed3a5fe90293274d935ee05e2727e243b435fbc" },
        { "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" P521_X "\",\"y\":\""
          P521_Y "\"}", im_jwk_alg(IM_JWT_ES512),
          "30819b301006072a8648ce3d020106052b8104002303818600040195c4b080bb93"
          "25904b0f4201963ad97a87bac827554847185b81f8f5a7ab8a63691d136df4d1fd"
          "fcd89fe4d016256d2c88d48bce5603eb050de72c13bd451323b400539812a7f715"
          "bb981bfeca30bec037c9b9e10f52114aa6c4120b58580598e75e1c4400df8c4607"
          "3c72a0cfbb44f477b7a93da95f1838b7b0024b0c47a04513cfc4" },
        { RSA "}", RS_ALL,
          "30820122300d06092a864886f70d01010105000382010f003082010a0282010100"
          "bb16f79f43dcda7230652d1a4fa2b5a1fd6aa2352302a34688817aa39322e46168"
          "50246a11ffb7231dfe1daa7d69014d2ea93f9d81bdcb6b8ea0fb86f42a1e1410e4"
          "f9d51ad87c3c9af6699ab7364507575f58eed2409e8ee15b6bddbd66f64c0496e3"
          "57caf20d20519ede6d3474394bbc36df65623db6693376451a53e4dbf61407d56d"
          "3b438ffda915d5d92451547b652e768c873d401efb6d2cf09af1620347438d1677"
          "10e99e1fa633c4dab893acfa8d1e0cc6a9d4b05186364aeb4ef50a71e771f74c36"
          "1480223ebe586fb52980a47639f5da577aaa6181640be56de07fff0d7361b46eba"
          "e42b0040b3a9d2aed877104a8b6d155a719b59d031eed304b30203010001" },
        { ED "}", IM_JWK_ED25519,
          "302a300506032b65700321009267d1a741a4d4226776e1d12bb6589b158215ab3e"
          "0e0ae6a146cd618aff492c" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" ED448_X "\"}",
          IM_JWK_ED448,
          "3043300506032b6571033a00f8a25c2fc3caa7c1bb9b9535235033c8e980c4d8d7"
          "aa2cfe97940a42cde6ac09e9ab2c3e9db1ee09f1311d8f15bbf5d413651d4ec540"
          "d86080" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        key = one(cases[i].text, 0);

        assert_null(key->why);
        assert_int_equal(key->algs, cases[i].algs);
        assert_int_equal(key->secret.len, 0);
        assert_int_equal(key->kid.len, 0);

        for (k = 0; k < key->public.len; k++) {
            sprintf(hex + 2 * k, "%02x", key->public.data[k]);
        }

        assert_string_equal(hex, cases[i].der);
    }

    im_buf_cleanup(&arena);
}


static void
test_members(void **state)
{
    size_t           i;
    const im_jwk_t  *key;

    static const struct {
        const char  *text;
        uint32_t     algs;
    } cases[] = {
        { RSA ",\"alg\":\"RS384\"}", im_jwk_alg(IM_JWT_RS384) },
        { RSA ",\"alg\":\"PS256\"}", im_jwk_alg(IM_JWT_PS256) },
        { RSA ",\"alg\":null,\"use\":null,\"kid\":null,\"key_ops\":null,"
          "\"d\":null,\"x5c\":[\"MIIC\"],\"x5t\":1,\"other\":{}}", RS_ALL },
        { RSA ",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]}", RS_ALL },
        { RSA ",\"key_ops\":[]}", RS_ALL },
        { P256 ",\"alg\":\"ES256\"}", im_jwk_alg(IM_JWT_ES256) },
        { ED ",\"alg\":\"EdDSA\"}", IM_JWK_ED25519 },
        { ED ",\"alg\":\"Ed25519\"}", IM_JWK_ED25519 },
        { OCT "}", im_jwk_alg(IM_JWT_HS256) },
        { OCT ",\"alg\":\"HS256\"}", im_jwk_alg(IM_JWT_HS256) },
        { "{\"kty\":\"oct\",\"k\":\"" K32 K32 "\"}", 0 },
        { "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNk"
          "ZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg\"}",
          im_jwk_alg(IM_JWT_HS256)|im_jwk_alg(IM_JWT_HS384)
          |im_jwk_alg(IM_JWT_HS512) }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        key = one(cases[i].text, 0);

        if (cases[i].algs == 0) {
            test_str(im_str_z(key->why), "a part of it is not base64url");
            continue;
        }

        if (key->why != NULL || key->algs != cases[i].algs) {
            fail_msg("%s: %s", cases[i].text, key->why);
        }
    }

    key = one("{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"\\u00e4\"}", 1);
    assert_null(key->why);
    test_str(key->kid, "\xc3\xa4");
    test_str(key->secret, "secret");
    assert_int_equal(key->public.len, 0);
    assert_int_equal(key->algs, im_jwk_alg(IM_JWT_HS256)
                                |im_jwk_alg(IM_JWT_HS384)
                                |im_jwk_alg(IM_JWT_HS512));

    im_buf_cleanup(&arena);
}


static void
test_left_out(void **state)
{
    size_t           i;
    const im_jwk_t  *key;

    static const char *const  foreign[] = {
        RSA ",\"use\":\"enc\"}", RSA ",\"use\":\"SIG\"}",
        RSA ",\"key_ops\":[\"encrypt\"]}", "{\"use\":\"enc\"}",
        ED ",\"use\":\"\\u0065nc\",\"kty\":\"new\"}"
    };
    static const char *const  bad[] = {
        "1", "null", "[]", "\"x\"", "{}", "{\"kty\":1}", "{\"kty\":\"rsa\"}",
        "{\"kty\":\"RSA\"}", "{\"kty\":\"EC\"}", "{\"kty\":\"OKP\"}",
        "{\"kty\":\"oct\"}", "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\"}",
        RSA ",\"alg\":\"HS256\"}", RSA ",\"alg\":\"ES256\"}",
        RSA ",\"alg\":\"RSA-OAEP\"}", RSA ",\"alg\":\"none\"}",
        RSA ",\"alg\":1}", RSA ",\"kid\":7}", RSA ",\"kid\":[]}",
        RSA ",\"d\":\"AQAB\"}", RSA ",\"d\":1}", RSA ",\"key_ops\":\"verify\"}",
        RSA ",\"key_ops\":[1]}", RSA ",\"n\":\"\"}", RSA ",\"e\":\"\"}",
        RSA ",\"e\":\"AA\"}", RSA ",\"e\":\"AQ\"}", RSA ",\"e\":\"Ag\"}",
        RSA ",\"n\":\"AAAA\"}", RSA ",\"n\":\"" RSA_N "==\"}",
        RSA ",\"n\":\"a+b/\"}", RSA ",\"n\":\"Ag\"}", RSA ",\"n\":\" AQAB\"}",
        RSA ",\"e\":\"AQAAAAAAAAAAAAAB\"}",
        P256 ",\"alg\":\"ES384\"}", P256 ",\"alg\":\"RS256\"}",
        P256 ",\"crv\":\"P-384\"}", P256 ",\"crv\":\"secp256k1\"}",
        P256 ",\"crv\":\"p-256\"}", P256 ",\"x\":\"\"}",
        P256 ",\"x\":\"AQAB\"}", P256 ",\"y\":\"" P256_Y "A\"}",
        P256 ",\"d\":\"AQ\"}", P256 ",\"kty\":\"RSA\"}",
        ED ",\"crv\":\"X25519\"}", ED ",\"crv\":\"Ed448\"}",
        ED ",\"alg\":\"Ed448\"}", ED ",\"x\":\"AQAB\"}",
        OCT ",\"alg\":\"HS384\"}", OCT ",\"alg\":\"RS256\"}",
        OCT ",\"k\":\"c2VjcmV0\"}", OCT ",\"k\":\"\"}",
        OCT ",\"d\":\"AQ\"}", OCT ",\"kty\":\"RSA\"}"
    };

    (void) state;

    for (i = 0; i < test_count(foreign); i++) {
        key = one(foreign[i], 0);
        assert_true(key->foreign);
        assert_non_null(key->why);
    }

    for (i = 0; i < test_count(bad); i++) {
        key = one(bad[i], 0);

        if (key->why == NULL || key->foreign) {
            fail_msg("%s is taken", bad[i]);
        }

        assert_int_equal(key->secret.len + key->public.len, 0);
    }

    assert_non_null(one("{\"kty\":\"oct\",\"k\":\"\"}", 1)->why);

    im_buf_cleanup(&arena);
}


static void
test_sets(void **state)
{
    size_t  i;

    static const char *const  bad[] = {
        "", "{", "[]", "null", "1", "{\"keys\":{}}", "{\"keys\":null}",
        "{\"keys\":[}", "{\"keys\":[]} x", "{\"keys\":[{\"kty\":\"oct\"}]",
        "\xff", "{\"keys\":\"x\"}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        if (decode(bad[i], 0) != IM_ERROR) {
            fail_msg("%s is taken", bad[i]);
        }

        assert_int_equal(n, 0);
    }

    assert_int_equal(decode("{\"keys\":[]}", 0), IM_OK);
    assert_int_equal(n, 0);
    assert_int_equal(decode("{}", 0), IM_OK);
    assert_int_equal(n, 0);

    assert_int_equal(decode("{\"keys\":[" RSA ",\"kid\":\"a\"}, 1, " ED "},"
                            OCT ",\"kid\":\"b\"}],\"more\":[1]}", 0),
                     IM_OK);
    assert_int_equal(n, 4);
    test_str(keys[0].kid, "a");
    assert_int_equal(keys[0].public.len, 294);
    assert_non_null(keys[1].why);
    assert_int_equal(keys[2].public.len, 44);
    test_str(keys[3].secret, "0123456789abcdef0123456789abcdef");
    test_str(keys[3].kid, "b");

    im_buf_cleanup(&arena);
}


static void
test_limits(void **state)
{
    im_buf_t   text;
    im_uint_t  i, max;

    (void) state;

    for (max = IM_JWKS_MAX; max <= IM_JWKS_MAX + 1; max++) {
        im_buf_init(&text, 1 << 20);
        im_buf_add_z(&text, "{\"keys\":[" P256 "}");

        for (i = 1; i < max; i++) {
            im_buf_add_z(&text, "," P256 "}");
        }

        im_buf_add(&text, "]}", 3);

        assert_int_equal(decode((char *) text.data, 0),
                         max == IM_JWKS_MAX ? IM_OK : IM_ERROR);
        assert_int_equal(n, max == IM_JWKS_MAX ? IM_JWKS_MAX : 0);

        im_buf_cleanup(&text);
    }

    im_buf_init(&text, 2 << 20);
    im_buf_add_z(&text, "{\"keys\":[" ED "}]}");
    memset(im_buf_reserve(&text, IM_JWKS_MAX_TEXT + 2 - text.len), ' ',
           IM_JWKS_MAX_TEXT + 2 - text.len);

    for (i = 0; i < 2; i++) {
        im_buf_cleanup(&arena);
        im_buf_init(&arena, IM_JWKS_ARENA);

        assert_int_equal(im_jwks_decode(im_str_set(text.data,
                                                   IM_JWKS_MAX_TEXT + i),
                                        0, &arena, keys, &n, &why),
                         i == 0 ? IM_OK : IM_ERROR);
    }

    im_buf_cleanup(&text);

    /* as long as it can be, and what is left of a longer one */

    im_buf_init(&text, 1 << 16);
    im_buf_add_z(&text, "{\"kid\":\"");
    memset(im_buf_reserve(&text, 256), 'k', 256);
    im_buf_add_z(&text, "\",\"kty\":\"oct\",\"k\":\"" K32 "\"}");
    im_buf_add_u8(&text, 0);
    assert_non_null(one((char *) text.data, 0)->why);

    im_buf_cleanup(&text);
    im_buf_cleanup(&arena);
}


static void
test_no_memory(void **state)
{
    im_int_t       rc;
    im_str_t       text;
    unsigned long  i;

    (void) state;

    text = im_str_z("{\"keys\":[" RSA ",\"key_ops\":[\"verify\"]}," P256 "},"
                    OCT "}]}");

    for (i = 1; ; i++) {
        im_buf_init(&arena, IM_JWKS_ARENA);
        alloc_fail_at(i);

        rc = im_jwks_decode(text, 0, &arena, keys, &n, &why);

        im_buf_cleanup(&arena);

        if (!alloc_failed()) {
            assert_int_equal(rc, IM_OK);
            break;
        }

        assert_int_equal(rc, IM_ERROR);
        assert_ptr_equal(why, im_json_no_memory);
        assert_int_equal(alloc_live(), 0);
    }

    alloc_fail_at(0);
    assert_true(i > 5);
}


static void
test_der(void **state)
{
    size_t    i;
    im_buf_t  b;

    static const struct {
        size_t       len;
        const char  *head;
        size_t       size;
    } cases[] = {
        { 0, "\x30\x00", 2 },
        { 1, "\x30\x01", 2 },
        { 0x7f, "\x30\x7f", 2 },
        { 0x80, "\x30\x81\x80", 3 },
        { 0xff, "\x30\x81\xff", 3 },
        { 0x100, "\x30\x82\x01\x00", 4 },
        { 0xffff, "\x30\x82\xff\xff", 4 },
        { 0x10000, "\x30\x83\x01\x00\x00", 5 }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        im_buf_init(&b, 64);
        im_der_add_head(&b, IM_DER_SEQUENCE, cases[i].len);

        assert_int_equal(b.len, cases[i].size);
        assert_memory_equal(b.data, cases[i].head, b.len);
        assert_int_equal(im_der_size(cases[i].len), b.len + cases[i].len);
        im_buf_cleanup(&b);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_public),
    alloc_test(test_members),
    alloc_test(test_left_out),
    alloc_test(test_sets),
    alloc_test(test_limits),
    alloc_test(test_no_memory),
    alloc_test(test_der)
};

test_main(tests)
