/*
 * Copyright (C) The im authors
 *
 * JSON Web Tokens.
 */

#include <stdlib.h>

#include "im_jwt.h"
#include "im_base64.h"
#include "im_der.h"
#include "im_json.h"


#define IM_JWT_NUMBER     32         /* bytes of a time */
#define IM_JWT_TIME_MAX   9007199254740992.0


typedef struct {
    im_str_t           alg;
    im_str_t           kid;
    im_str_t           crit;
} im_jwt_header_t;


/* The decoded members; null counts as not given. */
typedef struct {
    im_str_t           user;
    im_str_t           id;
    im_str_t           issuer;
    im_str_t           channel;
    im_str_t           client;
    im_str_t           info;
    im_str_t           b64info;
    im_str_t           data;
    im_str_t           b64data;
    im_str_t           meta;
    im_str_t           override;
    im_str_t           subs;
    im_str_t           channels;
    im_str_t           exp;
    im_str_t           nbf;
    im_str_t           iat;
    im_str_t           expire_at;
} im_jwt_claims_t;


typedef struct {
    im_str_t           info;
    im_str_t           b64info;
    im_str_t           data;
    im_str_t           b64data;
    im_str_t           override;
} im_jwt_sub_claims_t;


const im_jwt_method_t  im_jwt_methods[IM_JWT_ALGS] = {
    { im_str("HS256"), IM_JWT_HMAC, 256, 32 },
    { im_str("HS384"), IM_JWT_HMAC, 384, 48 },
    { im_str("HS512"), IM_JWT_HMAC, 512, 64 },
    { im_str("RS256"), IM_JWT_RSA, 256, 0 },
    { im_str("RS384"), IM_JWT_RSA, 384, 0 },
    { im_str("RS512"), IM_JWT_RSA, 512, 0 },
    { im_str("ES256"), IM_JWT_ECDSA, 256, 64 },
    { im_str("ES384"), IM_JWT_ECDSA, 384, 96 },
    { im_str("ES512"), IM_JWT_ECDSA, 512, 132 },
    { im_str("PS256"), IM_JWT_PSS, 256, 0 },
    { im_str("PS384"), IM_JWT_PSS, 384, 0 },
    { im_str("PS512"), IM_JWT_PSS, 512, 0 },
    { im_str("EdDSA"), IM_JWT_EDWARDS, 0, 0 },
    { im_str("Ed25519"), IM_JWT_EDWARDS, 0, 64 },
    { im_str("Ed448"), IM_JWT_EDWARDS, 0, 114 }
};


static const im_json_field_t  im_jwt_header_fields[] = {
    im_json_row(im_jwt_header_t, STRING, alg),
    im_json_row(im_jwt_header_t, STRING, kid),
    im_json_row(im_jwt_header_t, RAW, crit),
    im_json_end
};


static const im_json_field_t  im_jwt_fields[] = {
    im_json_row_as(im_jwt_claims_t, STRING, "sub", user),
    im_json_row_as(im_jwt_claims_t, STRING, "jti", id),
    im_json_row_as(im_jwt_claims_t, STRING, "iss", issuer),
    im_json_row(im_jwt_claims_t, STRING, channel),
    im_json_row(im_jwt_claims_t, STRING, client),
    im_json_row(im_jwt_claims_t, RAW, info),
    im_json_row(im_jwt_claims_t, STRING, b64info),
    im_json_row(im_jwt_claims_t, RAW, data),
    im_json_row(im_jwt_claims_t, STRING, b64data),
    im_json_row(im_jwt_claims_t, RAW, meta),
    im_json_row(im_jwt_claims_t, RAW, override),
    im_json_row(im_jwt_claims_t, RAW, subs),
    im_json_row(im_jwt_claims_t, RAW, channels),
    im_json_row(im_jwt_claims_t, RAW, exp),
    im_json_row(im_jwt_claims_t, RAW, nbf),
    im_json_row(im_jwt_claims_t, RAW, iat),
    im_json_row(im_jwt_claims_t, RAW, expire_at),
    im_json_end
};


#define im_jwt_string(name, member)                                           \
    { { im_json_row_as(im_jwt_claims_t, STRING, name, member), im_json_end }, \
      "the token's " name " is not a string" }


/* Each claim alone: which one has the wrong type? */
static const struct {
    im_json_field_t  fields[2];
    const char      *why;
} im_jwt_strings[] = {
    im_jwt_string("sub", user),
    im_jwt_string("jti", id),
    im_jwt_string("iss", issuer),
    im_jwt_string("channel", channel),
    im_jwt_string("client", client),
    im_jwt_string("b64info", b64info),
    im_jwt_string("b64data", b64data)
};

#define IM_JWT_STRINGS  (sizeof(im_jwt_strings) / sizeof(im_jwt_strings[0]))


static const im_json_field_t  im_jwt_sub_fields[] = {
    im_json_row(im_jwt_sub_claims_t, RAW, info),
    im_json_row(im_jwt_sub_claims_t, STRING, b64info),
    im_json_row(im_jwt_sub_claims_t, RAW, data),
    im_json_row(im_jwt_sub_claims_t, STRING, b64data),
    im_json_row(im_jwt_sub_claims_t, RAW, override),
    im_json_end
};


static const im_json_field_t  im_jwt_channels_fields[] = {
    { im_str("channels"), IM_JSON_STRINGS, 0 },
    im_json_end
};


static const im_json_field_t  im_jwt_audiences_fields[] = {
    { im_str("aud"), IM_JSON_STRINGS, 0 },
    im_json_end
};


static const im_json_field_t  im_jwt_audience_fields[] = {
    { im_str("aud"), IM_JSON_STRING, 0 },
    im_json_end
};


im_jwt_alg_e
im_jwt_alg(im_str_t name)
{
    im_uint_t  alg;

    for (alg = 0; alg < IM_JWT_ALGS; alg++) {
        if (im_str_eq(im_jwt_methods[alg].name, name)) {
            break;
        }
    }

    return alg;
}


static im_int_t
im_jwt_decode(im_buf_t *arena, im_str_t text, im_str_t *bytes, const char **why)
{
    im_int_t  rc;

    rc = im_base64_decode(arena, text, IM_BASE64_URL, bytes);

    if (rc != IM_OK) {
        *why = rc == IM_DECLINED ? "a part of the token is not base64url"
                                 : im_json_no_memory;
        return IM_ERROR;
    }

    return IM_OK;
}


static im_int_t
im_jwt_header(im_str_t text, im_buf_t *arena, im_jwt_parts_t *parts,
    const char **why)
{
    im_jwt_header_t  header;

    memset(&header, 0, sizeof(im_jwt_header_t));

    if (im_json_decode(text, im_jwt_header_fields, 0, arena, &header, why)
        != IM_OK)
    {
        *why = *why == im_json_no_memory ? *why
                                         : "the token's header is not valid";
        return IM_ERROR;
    }

    /* this header changes the meaning of the token (RFC 7515, 4.1.11) */

    if (header.crit.data != NULL) {
        *why = "the token has a critical header";
        return IM_ERROR;
    }

    parts->alg = im_jwt_alg(header.alg);

    if (parts->alg == IM_JWT_ALGS) {
        *why = "the token's algorithm is not served";
        return IM_ERROR;
    }

    if (header.kid.len > IM_JWT_MAX_KID) {
        *why = "the token's kid is too long";
        return IM_ERROR;
    }

    parts->kid = header.kid;

    return IM_OK;
}


im_int_t
im_jwt_split(im_str_t token, im_buf_t *arena, im_jwt_parts_t *parts,
    const char **why)
{
    u_char    *first, *second, *end;
    im_str_t   header;

    memset(parts, 0, sizeof(im_jwt_parts_t));

    if (token.len > IM_JWT_MAX) {
        *why = "the token is too long";
        return IM_ERROR;
    }

    first = token.len ? im_str_chr(token, '.') : NULL;
    end = token.data + token.len;
    second = first ? memchr(first + 1, '.', end - (first + 1)) : NULL;

    if (second == NULL) {
        *why = "the token has not three parts";
        return IM_ERROR;
    }

    /* each byte gives at most four, whatever it encodes */

    if (im_buf_reserve(arena, 4 * token.len) == NULL) {
        *why = im_json_no_memory;
        return IM_ERROR;
    }

    arena->len -= 4 * token.len;

    parts->signing = im_str_set(token.data, second - token.data);

    if (im_jwt_decode(arena, im_str_set(token.data, first - token.data),
                      &header, why)
        != IM_OK
        || im_jwt_decode(arena, im_str_set(first + 1, second - (first + 1)),
                         &parts->claims, why)
           != IM_OK
        || im_jwt_decode(arena, im_str_set(second + 1, end - (second + 1)),
                         &parts->signature, why)
           != IM_OK)
    {
        return IM_ERROR;
    }

    return im_jwt_header(header, arena, parts, why);
}


static im_int_t
im_jwt_fail(im_jwt_t *jwt, const char *why)
{
    im_jwt_cleanup(jwt);
    jwt->why = why;

    return IM_ERROR;
}


static int
im_jwt_given(im_str_t json)
{
    return json.len != 0 && !im_str_eq(json, im_str_z("null"));
}


/* A number of seconds; it may have a fraction or an exponent. */
static im_int_t
im_jwt_time(im_jwt_t *jwt, im_str_t text, int64_t *time, const char *why)
{
    char    *end;
    char     number[IM_JWT_NUMBER];
    double   value;

    if (!im_jwt_given(text)) {
        return IM_OK;
    }

    /* no other JSON value starts like this */

    if (text.len < IM_JWT_NUMBER
        && (text.data[0] == '-' || (text.data[0] >= '0'
                                    && text.data[0] <= '9')))
    {
        im_copy(number, text.data, text.len);
        number[text.len] = '\0';

        value = strtod(number, &end);

        if (*end == '\0' && value > -IM_JWT_TIME_MAX
            && value < IM_JWT_TIME_MAX)
        {
            *time = (int64_t) value;
            return IM_OK;
        }
    }

    return im_jwt_fail(jwt, why);
}


static im_int_t
im_jwt_times(im_jwt_t *jwt, im_jwt_claims_t *claims)
{
    jwt->exp = INT64_MAX;
    jwt->nbf = INT64_MIN;
    jwt->iat = INT64_MIN;

    if (im_jwt_time(jwt, claims->exp, &jwt->exp,
                    "the token's exp is not a time in seconds")
        != IM_OK
        || im_jwt_time(jwt, claims->nbf, &jwt->nbf,
                       "the token's nbf is not a time in seconds")
           != IM_OK
        || im_jwt_time(jwt, claims->iat, &jwt->iat,
                       "the token's iat is not a time in seconds")
           != IM_OK)
    {
        return IM_ERROR;
    }

    jwt->expires = jwt->exp == INT64_MAX ? 0 : jwt->exp;

    return im_jwt_time(jwt, claims->expire_at, &jwt->expires,
                       "the token's expire_at is not a time in seconds");
}


/* Bytes are given in one of two ways; JSON wins. */
static im_int_t
im_jwt_bytes(im_jwt_t *jwt, im_buf_t *arena, im_str_t json, im_str_t base64,
    im_str_t *value)
{
    im_int_t  rc;

    if (im_jwt_given(json)) {
        *value = json;
        return IM_OK;
    }

    if (base64.len == 0) {
        return IM_OK;
    }

    rc = im_base64_decode(arena, base64, 0, value);

    if (rc != IM_OK) {
        return im_jwt_fail(jwt, rc == IM_ERROR ? im_json_no_memory
                                    : "the token has faults in its base64");
    }

    return IM_OK;
}


static im_int_t
im_jwt_object(im_jwt_t *jwt, im_str_t json, im_str_t *value, const char *why)
{
    if (!im_jwt_given(json)) {
        return IM_OK;
    }

    if (json.data[0] != '{') {
        return im_jwt_fail(jwt, why);
    }

    *value = json;

    return IM_OK;
}


/* Allocates for all at once: a token has few of them. */
static im_jwt_sub_t *
im_jwt_sub_add(im_jwt_t *jwt, im_str_t channel)
{
    im_jwt_sub_t  *sub;

    if (jwt->subs == NULL) {
        jwt->subs = im_calloc(IM_JWT_MAX_SUBS * sizeof(im_jwt_sub_t));

        if (jwt->subs == NULL) {
            (void) im_jwt_fail(jwt, im_json_no_memory);
            return NULL;
        }
    }

    if (jwt->nsubs == IM_JWT_MAX_SUBS) {
        (void) im_jwt_fail(jwt, "the token has too many channels");
        return NULL;
    }

    sub = &jwt->subs[jwt->nsubs++];
    sub->channel = channel;

    return sub;
}


static im_int_t
im_jwt_sub(im_jwt_t *jwt, im_buf_t *arena, im_str_t claims, im_jwt_sub_t *sub)
{
    const char           *why;
    im_jwt_sub_claims_t   c;

    memset(&c, 0, sizeof(im_jwt_sub_claims_t));

    if (im_json_decode(claims, im_jwt_sub_fields, 0, arena, &c, &why)
        != IM_OK)
    {
        return im_jwt_fail(jwt, why == im_json_no_memory
                                    ? why : "the token's subs are not valid");
    }

    if (im_jwt_bytes(jwt, arena, c.info, c.b64info, &sub->info) != IM_OK
        || im_jwt_bytes(jwt, arena, c.data, c.b64data, &sub->data) != IM_OK)
    {
        return IM_ERROR;
    }

    return im_jwt_object(jwt, c.override, &sub->override,
                         "an override of the token's subs is not an object");
}


static im_int_t
im_jwt_subs(im_jwt_t *jwt, im_buf_t *arena, im_str_t subs)
{
    size_t         at;
    im_int_t       rc;
    im_str_t       channel, claims;
    im_jwt_sub_t  *sub;

    if (im_jwt_object(jwt, subs, &subs, "the token's subs are not an object")
        != IM_OK)
    {
        return IM_ERROR;
    }

    at = 0;

    for ( ;; ) {
        rc = im_json_next_member(subs, &at, arena, &channel, &claims);

        if (rc == IM_DECLINED) {
            return IM_OK;
        }

        if (rc != IM_OK) {
            return im_jwt_fail(jwt, im_json_no_memory);
        }

        sub = im_jwt_sub_add(jwt, channel);

        if (sub == NULL || im_jwt_sub(jwt, arena, claims, sub) != IM_OK) {
            return IM_ERROR;
        }
    }
}


static im_int_t
im_jwt_channels(im_jwt_t *jwt, im_buf_t *arena)
{
    im_int_t            rc;
    im_uint_t           i;
    const char         *why;
    im_json_strings_t   channels;

    memset(&channels, 0, sizeof(im_json_strings_t));
    channels.max = IM_JWT_MAX_SUBS;

    if (im_json_decode(jwt->claims, im_jwt_channels_fields, 0, arena,
                       &channels, &why)
        != IM_OK)
    {
        return im_jwt_fail(jwt, why == im_json_no_memory
                                    ? why
                                    : "the token's channels are not valid");
    }

    rc = IM_OK;

    for (i = 0; i < channels.n && rc == IM_OK; i++) {
        rc = im_jwt_sub_add(jwt, channels.elts[i]) ? IM_OK : IM_ERROR;
    }

    im_json_strings_free(&channels);

    return rc;
}


/* Why claims can't be decoded. */
static const char *
im_jwt_culprit(im_str_t claims, im_buf_t *arena)
{
    size_t            len;
    im_uint_t         i;
    const char       *why;
    im_jwt_claims_t   all;

    len = arena->len;

    for (i = 0; i < IM_JWT_STRINGS; i++) {
        memset(&all, 0, sizeof(im_jwt_claims_t));

        if (im_json_decode(claims, im_jwt_strings[i].fields, 0, arena, &all,
                           &why)
            != IM_OK)
        {
            return why == im_json_no_memory ? why
                   : im_json_valid(claims) ? im_jwt_strings[i].why
                                           : "the token's claims are not JSON";
        }

        arena->len = len;
    }

    return "the token's claims are not valid";
}


im_int_t
im_jwt_claims(const im_jwt_parts_t *parts, im_buf_t *arena, im_jwt_t *jwt)
{
    const char       *why;
    im_jwt_claims_t   claims;

    memset(jwt, 0, sizeof(im_jwt_t));
    memset(&claims, 0, sizeof(im_jwt_claims_t));

    if (im_json_decode(parts->claims, im_jwt_fields, 0, arena, &claims, &why)
        != IM_OK)
    {
        if (why != im_json_no_memory && why != im_json_no_object) {
            why = im_jwt_culprit(parts->claims, arena);
        }

        return im_jwt_fail(jwt, why);
    }

    jwt->user = claims.user;
    jwt->id = claims.id;
    jwt->issuer = claims.issuer;
    jwt->channel = claims.channel;
    jwt->client = claims.client;
    jwt->claims = parts->claims;

    if (im_jwt_given(claims.meta)) {
        jwt->meta = claims.meta;
    }

    if (im_jwt_times(jwt, &claims) != IM_OK
        || im_jwt_bytes(jwt, arena, claims.info, claims.b64info, &jwt->info)
           != IM_OK
        || im_jwt_bytes(jwt, arena, claims.data, claims.b64data, &jwt->data)
           != IM_OK
        || im_jwt_object(jwt, claims.override, &jwt->override,
                         "the token's override is not an object")
           != IM_OK)
    {
        return IM_ERROR;
    }

    if (im_jwt_given(claims.subs)) {
        return im_jwt_subs(jwt, arena, claims.subs);
    }

    if (im_jwt_given(claims.channels)) {
        return im_jwt_channels(jwt, arena);
    }

    return IM_OK;
}


void
im_jwt_cleanup(im_jwt_t *jwt)
{
    im_free(jwt->subs);

    jwt->subs = NULL;
    jwt->nsubs = 0;
}


/* aud is a string or a list of them. */
static im_int_t
im_jwt_audience(im_jwt_t *jwt, im_str_t audience)
{
    im_buf_t            arena;
    im_str_t            one;
    im_uint_t           i;
    const char         *why;
    im_json_strings_t   all;

    memset(&one, 0, sizeof(im_str_t));
    memset(&all, 0, sizeof(im_json_strings_t));
    all.max = IM_JWT_MAX;

    im_buf_init(&arena, IM_JWT_ARENA);

    jwt->why = "the token is for another audience";
    why = NULL;

    if (im_json_decode(jwt->claims, im_jwt_audience_fields, IM_JSON_LAX,
                       &arena, &one, &why)
        == IM_OK
        && im_str_eq(one, audience))
    {
        jwt->why = NULL;
    }

    if (jwt->why != NULL && why == NULL
        && im_json_decode(jwt->claims, im_jwt_audiences_fields, IM_JSON_LAX,
                          &arena, &all, &why)
           == IM_OK)
    {
        for (i = 0; i < all.n; i++) {
            if (im_str_eq(all.elts[i], audience)) {
                jwt->why = NULL;
            }
        }
    }

    if (why == im_json_no_memory) {
        jwt->why = why;
    }

    im_json_strings_free(&all);
    im_buf_cleanup(&arena);

    return jwt->why == NULL ? IM_OK : IM_ERROR;
}


im_int_t
im_jwt_check(im_jwt_t *jwt, int64_t now, int64_t leeway, im_str_t audience,
    im_str_t issuer)
{
    jwt->leeway = leeway;

    if (issuer.len && !im_str_eq(jwt->issuer, issuer)) {
        jwt->why = "the token is from another issuer";
        return IM_ERROR;
    }

    if (audience.len && im_jwt_audience(jwt, audience) != IM_OK) {
        return IM_ERROR;
    }

    if (now - leeway >= jwt->exp
        || (jwt->expires != 0 && now - leeway >= jwt->expires))
    {
        jwt->why = "the token has expired";
        return IM_DECLINED;
    }

    if (now + leeway < jwt->nbf) {
        jwt->why = "the token is not valid yet";
        return IM_DECLINED;
    }

    return IM_OK;
}


size_t
im_jwt_der(im_str_t signature, u_char der[IM_JWT_MAX_DER])
{
    size_t    half;
    im_buf_t  b;
    im_str_t  r, s;

    half = signature.len / 2;
    r = im_str_set(signature.data, half);
    s = im_str_set(signature.data + half, half);

    im_buf_fixed(&b, der, IM_JWT_MAX_DER);

    im_der_add_head(&b, IM_DER_SEQUENCE,
                    im_der_size(im_der_number_len(r))
                    + im_der_size(im_der_number_len(s)));
    im_der_add_number(&b, r);
    im_der_add_number(&b, s);

    return b.len;
}
