/*
 * Copyright (C) The im authors
 *
 * JSON Web Key Sets.
 */

#include "im_jwks.h"
#include "im_base64.h"
#include "im_der.h"
#include "im_json.h"


#define IM_JWKS_MAX_SECRET    4096
#define IM_JWKS_MAX_MODULUS   (IM_JWKS_RSA_MOST / 8 + 1)
#define IM_JWKS_MAX_EXPONENT  8
#define IM_JWKS_MAX_OPS       16
#define IM_JWKS_DER           256        /* besides the key's own bytes */


typedef struct {
    im_str_t           kty;
    im_str_t           alg;
    im_str_t           use;
    im_str_t           kid;
    im_str_t           crv;
    im_str_t           n;
    im_str_t           e;
    im_str_t           x;
    im_str_t           y;
    im_str_t           k;
    im_str_t           d;                /* of a private key; any value */
    im_json_strings_t  ops;
} im_jwks_members_t;


/* A curve and how its public keys begin (RFC 5480, RFC 8410). */
typedef struct {
    im_str_t           name;
    im_str_t           algorithm;        /* an AlgorithmIdentifier */
    size_t             len;              /* of a coordinate */
    uint32_t           algs;
} im_jwks_curve_t;


/* Gives why it can't be used; NULL: it can. */
typedef const char *(*im_jwks_key_pt)(const im_jwks_members_t *members,
    im_uint_t weak, im_buf_t *arena, im_jwk_t *key);


typedef struct {
    im_str_t           kty;
    im_jwks_key_pt     key;
} im_jwks_type_t;


static const im_json_field_t  im_jwks_fields[] = {
    { im_str("keys"), IM_JSON_RAWS, 0 },
    im_json_end
};


static const im_json_field_t  im_jwks_key_fields[] = {
    im_json_row(im_jwks_members_t, STRING, kty),
    im_json_row(im_jwks_members_t, STRING, alg),
    im_json_row(im_jwks_members_t, STRING, use),
    im_json_row(im_jwks_members_t, STRING, kid),
    im_json_row(im_jwks_members_t, STRING, crv),
    im_json_row(im_jwks_members_t, STRING, n),
    im_json_row(im_jwks_members_t, STRING, e),
    im_json_row(im_jwks_members_t, STRING, x),
    im_json_row(im_jwks_members_t, STRING, y),
    im_json_row(im_jwks_members_t, STRING, k),
    im_json_row(im_jwks_members_t, RAW, d),
    im_json_row_as(im_jwks_members_t, STRINGS, "key_ops", ops),
    im_json_end
};


/* SEQUENCE { rsaEncryption, NULL } */
static const im_str_t  im_jwks_rsa_algorithm =
    im_str("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00");


static const im_jwks_curve_t  im_jwks_ec_curves[] = {
    { im_str("P-256"), im_str("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                              "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
      32, im_jwk_alg(IM_JWT_ES256) },
    { im_str("P-384"), im_str("\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                              "\x06\x05\x2b\x81\x04\x00\x22"),
      48, im_jwk_alg(IM_JWT_ES384) },
    { im_str("P-521"), im_str("\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                              "\x06\x05\x2b\x81\x04\x00\x23"),
      66, im_jwk_alg(IM_JWT_ES512) },
    { im_null_str, im_null_str, 0, 0 }
};


static const im_jwks_curve_t  im_jwks_okp_curves[] = {
    { im_str("Ed25519"), im_str("\x30\x05\x06\x03\x2b\x65\x70"), 32,
      IM_JWK_ED25519 },
    { im_str("Ed448"), im_str("\x30\x05\x06\x03\x2b\x65\x71"), 57,
      IM_JWK_ED448 },
    { im_null_str, im_null_str, 0, 0 }
};


/*
 * An alg narrows what the type of the key allows; one that it does not allow
 * leaves nothing.
 */
static const char *
im_jwks_algs(const im_jwks_members_t *members, uint32_t without,
    uint32_t allowed, im_jwk_t *key)
{
    im_jwt_alg_e  alg;

    key->algs = without;

    if (members->alg.len == 0) {
        return NULL;
    }

    alg = im_jwt_alg(members->alg);

    if (alg == IM_JWT_ALGS || !(allowed & im_jwk_alg(alg))) {
        return "its alg is not served, or not for such a key";
    }

    /* one algorithm has two names */
    if (im_jwt_methods[alg].family != IM_JWT_EDWARDS) {
        key->algs = im_jwk_alg(alg);
    }

    return NULL;
}


static const char *
im_jwks_number(im_buf_t *arena, im_str_t text, size_t max, im_str_t *number)
{
    if (im_base64_decode(arena, text, IM_BASE64_URL, number) != IM_OK) {
        return arena->failed ? im_json_no_memory
                             : "a part of it is not base64url";
    }

    while (number->len > 0 && number->data[0] == 0) {
        number->data++;
        number->len--;
    }

    return number->len == 0 ? "a number of it is missing"
           : number->len > max ? "a number of it is too long" : NULL;
}


/* A bit string, which follows, ends the SubjectPublicKeyInfo. */
static void
im_jwks_add_head(im_buf_t *arena, im_str_t algorithm, size_t len)
{
    im_der_add_head(arena, IM_DER_SEQUENCE,
                    algorithm.len + im_der_size(1 + len));
    im_buf_add_str(arena, algorithm);
    im_der_add_head(arena, IM_DER_BIT_STRING, 1 + len);
    im_buf_add_u8(arena, 0);             /* all bits of the last byte count */
}


static const char *
im_jwks_rsa(const im_jwks_members_t *members, im_uint_t weak, im_buf_t *arena,
    im_jwk_t *key)
{
    size_t       len, start;
    im_str_t     n, e;
    const char  *why;

    why = im_jwks_algs(members,
                       im_jwk_alg(IM_JWT_RS256)|im_jwk_alg(IM_JWT_RS384)
                       |im_jwk_alg(IM_JWT_RS512),
                       im_jwk_alg(IM_JWT_RS256)|im_jwk_alg(IM_JWT_RS384)
                       |im_jwk_alg(IM_JWT_RS512)|im_jwk_alg(IM_JWT_PS256)
                       |im_jwk_alg(IM_JWT_PS384)|im_jwk_alg(IM_JWT_PS512),
                       key);

    if (why == NULL) {
        why = im_jwks_number(arena, members->n, IM_JWKS_MAX_MODULUS, &n);
    }

    if (why == NULL) {
        why = im_jwks_number(arena, members->e, IM_JWKS_MAX_EXPONENT, &e);
    }

    if (why != NULL) {
        return why;
    }

    if (!(n.data[n.len - 1] & 1) || !(e.data[e.len - 1] & 1)
        || (e.len == 1 && e.data[0] == 1))
    {
        return "its modulus or exponent is even, or 1";
    }

    start = arena->len;
    len = im_der_size(im_der_number_len(n)) + im_der_size(im_der_number_len(e));

    im_jwks_add_head(arena, im_jwks_rsa_algorithm, im_der_size(len));
    im_der_add_head(arena, IM_DER_SEQUENCE, len);
    im_der_add_number(arena, n);
    im_der_add_number(arena, e);

    key->public = im_str_set(arena->data + start, arena->len - start);

    return NULL;
}


static const char *
im_jwks_coordinate(im_buf_t *arena, im_str_t text, size_t len, im_str_t *bytes)
{
    if (im_base64_decode(arena, text, IM_BASE64_URL, bytes) != IM_OK) {
        return arena->failed ? im_json_no_memory
                             : "a part of it is not base64url";
    }

    return bytes->len == len ? NULL : "its x or y has not its curve's length";
}


static const im_jwks_curve_t *
im_jwks_curve(const im_jwks_curve_t *curve, im_str_t name)
{
    while (curve->name.data != NULL && !im_str_eq(curve->name, name)) {
        curve++;
    }

    return curve->name.data != NULL ? curve : NULL;
}


static const char *
im_jwks_ec(const im_jwks_members_t *members, im_uint_t weak, im_buf_t *arena,
    im_jwk_t *key)
{
    size_t                  start;
    im_str_t                x, y;
    const char             *why;
    const im_jwks_curve_t  *curve;

    curve = im_jwks_curve(im_jwks_ec_curves, members->crv);
    if (curve == NULL) {
        return "its curve is not served";
    }

    why = im_jwks_algs(members, curve->algs, curve->algs, key);

    if (why == NULL) {
        why = im_jwks_coordinate(arena, members->x, curve->len, &x);
    }

    if (why == NULL) {
        why = im_jwks_coordinate(arena, members->y, curve->len, &y);
    }

    if (why != NULL) {
        return why;
    }

    start = arena->len;

    im_jwks_add_head(arena, curve->algorithm, 1 + 2 * curve->len);
    im_buf_add_u8(arena, 0x04);          /* both coordinates follow */
    im_buf_add_str(arena, x);
    im_buf_add_str(arena, y);

    key->public = im_str_set(arena->data + start, arena->len - start);

    return NULL;
}


static const char *
im_jwks_okp(const im_jwks_members_t *members, im_uint_t weak, im_buf_t *arena,
    im_jwk_t *key)
{
    size_t                  start;
    im_str_t                x;
    const char             *why;
    const im_jwks_curve_t  *curve;

    curve = im_jwks_curve(im_jwks_okp_curves, members->crv);
    if (curve == NULL) {
        return "its curve is not served";
    }

    why = im_jwks_algs(members, curve->algs, curve->algs, key);

    if (why == NULL) {
        why = im_jwks_coordinate(arena, members->x, curve->len, &x);
    }

    if (why != NULL) {
        return why;
    }

    start = arena->len;

    im_jwks_add_head(arena, curve->algorithm, curve->len);
    im_buf_add_str(arena, x);

    key->public = im_str_set(arena->data + start, arena->len - start);

    return NULL;
}


static const char *
im_jwks_oct(const im_jwks_members_t *members, im_uint_t weak, im_buf_t *arena,
    im_jwk_t *key)
{
    im_str_t      secret;
    uint32_t      all;
    const char   *why;
    im_jwt_alg_e  alg;

    all = im_jwk_alg(IM_JWT_HS256)|im_jwk_alg(IM_JWT_HS384)
          |im_jwk_alg(IM_JWT_HS512);

    why = im_jwks_algs(members, all, all, key);
    if (why != NULL) {
        return why;
    }

    if (im_base64_decode(arena, members->k, IM_BASE64_URL, &secret) != IM_OK) {
        return arena->failed ? im_json_no_memory
                             : "a part of it is not base64url";
    }

    if (secret.len > IM_JWKS_MAX_SECRET) {
        return "its secret is too long";
    }

    for (alg = IM_JWT_HS256; alg <= IM_JWT_HS512; alg++) {
        if (secret.len < (weak ? 1 : im_jwt_methods[alg].signature)) {
            key->algs &= ~im_jwk_alg(alg);
        }
    }

    if (key->algs == 0) {
        return "its secret is too short: it must be as long as the hash, 32, "
               "48 or 64 bytes; \"weak\" allows it";
    }

    key->secret = secret;

    return NULL;
}


static const im_jwks_type_t  im_jwks_types[] = {
    { im_str("RSA"), im_jwks_rsa },
    { im_str("EC"), im_jwks_ec },
    { im_str("OKP"), im_jwks_okp },
    { im_str("oct"), im_jwks_oct },
    { im_null_str, NULL }
};


/* Keys that are for encryption and the like are no fault of a set. */
static int
im_jwks_foreign(const im_jwks_members_t *members)
{
    im_uint_t  i;

    if (members->use.len > 0 && !im_str_eq(members->use, im_str_z("sig"))) {
        return 1;
    }

    for (i = 0; i < members->ops.n; i++) {
        if (im_str_eq(members->ops.elts[i], im_str_z("verify"))) {
            return 0;
        }
    }

    return members->ops.n > 0;
}


static const char *
im_jwks_take(const im_jwks_members_t *members, im_uint_t weak,
    im_buf_t *arena, im_jwk_t *key)
{
    const im_jwks_type_t  *type;

    if (im_jwks_foreign(members)) {
        key->foreign = 1;
        return "it is not for signatures";
    }

    if (members->kid.len > IM_JWT_MAX_KID) {
        return "its kid is too long";
    }

    if (members->d.data != NULL) {
        return "it is a private key: only its owner may have that";
    }

    key->kid = members->kid;

    for (type = im_jwks_types; type->key != NULL; type++) {
        if (im_str_eq(type->kty, members->kty)) {
            return type->key(members, weak, arena, key);
        }
    }

    return "its kty is not served";
}


/* IM_ERROR: no memory. */
static im_int_t
im_jwks_key(im_str_t text, im_uint_t weak, im_buf_t *arena, im_jwk_t *key)
{
    im_jwks_members_t  members;

    memset(key, 0, sizeof(im_jwk_t));
    memset(&members, 0, sizeof(im_jwks_members_t));
    members.ops.max = IM_JWKS_MAX_OPS;

    if (im_json_decode(text, im_jwks_key_fields, IM_JSON_NULLS, arena,
                       &members, &key->why)
        != IM_OK)
    {
        return key->why == im_json_no_memory ? IM_ERROR : IM_OK;
    }

    key->why = im_jwks_take(&members, weak, arena, key);

    im_json_strings_free(&members.ops);

    return key->why == im_json_no_memory ? IM_ERROR : IM_OK;
}


im_int_t
im_jwks_decode(im_str_t text, im_uint_t weak, im_buf_t *arena,
    im_jwk_t keys[IM_JWKS_MAX], im_uint_t *n, const char **why)
{
    size_t             size;
    im_int_t           rc;
    im_json_strings_t  list;

    *n = 0;

    if (text.len > IM_JWKS_MAX_TEXT) {
        *why = "is longer than 1 MB";
        return IM_ERROR;
    }

    memset(&list, 0, sizeof(im_json_strings_t));
    list.max = IM_JWKS_MAX;

    if (im_json_decode(text, im_jwks_fields, 0, NULL, &list, why) != IM_OK) {
        *why = *why == im_json_no_memory ? *why
               : "is not an object with \"keys\", a list of at most 64 keys";
        return IM_ERROR;
    }

    /* reserve all at once, so that nothing of the keys moves */

    size = 4 * text.len + IM_JWKS_MAX * IM_JWKS_DER;
    rc = im_buf_reserve(arena, size) != NULL ? IM_OK : IM_ERROR;

    if (rc == IM_OK) {
        arena->len -= size;
    }

    while (rc == IM_OK && *n < list.n) {
        rc = im_jwks_key(list.elts[*n], weak, arena, &keys[*n]);
        (*n)++;
    }

    im_json_strings_free(&list);

    if (rc != IM_OK) {
        *why = im_json_no_memory;
    }

    return rc;
}
