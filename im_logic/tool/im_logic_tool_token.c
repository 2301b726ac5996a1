/*
 * Copyright (C) The im authors
 *
 * "im_logic token": makes a JSON Web Token for im_auth jwt, or says what nginx
 * would say of one, and why.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "im_logic_tool.h"
#include "im_logic_sign.h"
#include "im_daemon_log.h"
#include "im_daemon_main.h"
#include "im_base64.h"
#include "im_json.h"


#define IM_TOKEN_LEEWAY  5               /* s, as im_jwt_key has */
#define IM_TOKEN_WHEN    128
#define IM_TOKEN_SHOWN   64              /* bytes of a name */


typedef struct {
    char      *key;
    char      *alg;
    char      *kid;
    char      *sub;
    char      *name;
    char      *rooms;
    char      *channel;
    char      *aud;
    char      *iss;
    char      *claims;
    char      *check;
    uint64_t   exp;
    uint64_t   leeway;
    uint64_t   weak;
} im_logic_token_t;


static const char *
im_logic_token_object(const char *value)
{
    im_str_t  s;

    s = im_str_z(value);

    return s.len > 2 && s.data[0] == '{' && s.data[s.len - 1] == '}'
           && im_json_valid(s)
           ? NULL : "must be a JSON object with members, such as "
                    "{\"meta\":{\"plan\":\"gold\"}}";
}


#define im_token_string(name, member, check, help)                            \
    im_daemon_string(name, im_logic_token_t, member, check, help)

static const im_daemon_option_t  im_logic_token_options[] = {
    im_token_string("key", key, NULL, "FILE  a secret, or a key in PEM: a "
                    "private one to make a token, a public one to check one"),
    im_token_string("alg", alg, NULL, "NAME  HS256 for a secret, RS256, ES256 "
                    "or EdDSA by the key in PEM, and others"),
    im_daemon_flag("weak", im_logic_token_t, weak, 0, "the secret may be "
                   "shorter than the hash"),
    im_token_string("kid", kid, NULL, "TEXT  names the key, as kid= of "
                    "im_jwt_key does"),
    im_token_string("sub", sub, NULL, "USER  without it the token is a "
                    "guest's"),
    im_token_string("name", name, NULL, "TEXT  that others see: info.name"),
    im_daemon_time("exp", im_logic_token_t, exp, 3600, 0, 100ull * 366 * 86400,
                   "TIME  until it expires, 0: never"),
    im_token_string("rooms", rooms, NULL, "ROOM,...  that the connection "
                    "follows from the start: channels"),
    im_token_string("channel", channel, NULL, "ROOM  makes a subscription "
                    "token for it"),
    im_token_string("aud", aud, NULL, "TEXT  the audience"),
    im_token_string("iss", iss, NULL, "TEXT  the issuer"),
    im_token_string("claims", claims, im_logic_token_object,
                    "JSON  an object with other claims"),
    im_token_string("check", check, NULL, "TOKEN  explains this one, or one "
                    "from standard input: -"),
    im_daemon_time("leeway", im_logic_token_t, leeway, IM_TOKEN_LEEWAY, 0, 3600,
                   "TIME  by which clocks may differ"),
    im_daemon_option_end
};


static im_str_t
im_logic_token_text(const char *z)
{
    return z != NULL ? im_str_z(z) : im_str_z("");
}


static void
im_logic_token_claim(im_buf_t *b, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }

    im_buf_add_z(b, b->len > 1 ? "," : "");
    im_json_add_string(b, im_str_z(name));
    im_buf_add_u8(b, ':');
    im_json_add_string(b, im_str_z(value));
}


static void
im_logic_token_rooms(im_buf_t *b, const char *rooms)
{
    size_t  len;

    if (rooms == NULL) {
        return;
    }

    im_buf_add_z(b, b->len > 1 ? ",\"channels\":[" : "\"channels\":[");

    for ( ;; ) {
        len = strcspn(rooms, ",");
        im_json_add_string(b, im_str_set((u_char *) rooms, len));

        if (rooms[len] == '\0') {
            break;
        }

        im_buf_add_u8(b, ',');
        rooms += len + 1;
    }

    im_buf_add_u8(b, ']');
}


static void
im_logic_token_claims(const im_logic_token_t *t, im_buf_t *b)
{
    int64_t  now;

    now = (int64_t) time(NULL);

    im_buf_add_u8(b, '{');
    im_logic_token_claim(b, "sub", t->sub);
    im_logic_token_claim(b, "aud", t->aud);
    im_logic_token_claim(b, "iss", t->iss);
    im_logic_token_claim(b, "channel", t->channel);
    im_logic_token_rooms(b, t->rooms);

    if (t->name != NULL) {
        im_buf_add_z(b, b->len > 1 ? ",\"info\":{\"name\":"
                                   : "\"info\":{\"name\":");
        im_json_add_string(b, im_str_z(t->name));
        im_buf_add_u8(b, '}');
    }

    if (t->claims != NULL) {
        im_buf_add_z(b, b->len > 1 ? "," : "");
        im_buf_add(b, t->claims + 1, strlen(t->claims) - 2);
    }

    im_buf_add_z(b, b->len > 1 ? ",\"iat\":" : "\"iat\":");
    im_buf_add_int(b, now);

    if (t->exp != 0) {
        im_buf_add_z(b, ",\"exp\":");
        im_buf_add_int(b, now + (int64_t) t->exp);
    }

    im_buf_add_u8(b, '}');
}


/* The token is checked as nginx does, so that none is made that it refuses. */
static const char *
im_logic_token_good(im_str_t token)
{
    im_buf_t         arena;
    im_jwt_t         jwt;
    const char      *why;
    im_jwt_parts_t   parts;

    im_buf_init(&arena, IM_JWT_ARENA);

    if (im_jwt_split(token, &arena, &parts, &why) == IM_OK) {
        why = im_jwt_claims(&parts, &arena, &jwt) == IM_OK ? NULL : jwt.why;
        im_jwt_cleanup(&jwt);
    }

    im_buf_cleanup(&arena);

    return why;
}


static const char *
im_logic_token_make(const im_logic_token_t *t, const im_logic_sign_key_t *key,
    im_buf_t *token, im_buf_t *text)
{
    const char  *why;

    im_buf_add_z(text, "{\"alg\":");
    im_json_add_string(text, im_jwt_methods[key->alg].name);
    im_buf_add_z(text, ",\"typ\":\"JWT\"");
    im_logic_token_claim(text, "kid", t->kid);
    im_buf_add_u8(text, '}');

    im_base64_encode(token, im_buf_str(text), IM_BASE64_URL);
    im_buf_add_u8(token, '.');

    im_buf_reset(text, text->size);
    im_logic_token_claims(t, text);
    im_base64_encode(token, im_buf_str(text), IM_BASE64_URL);

    im_buf_reset(text, text->size);
    why = im_logic_sign(key, im_buf_str(token), text);

    if (why == NULL) {
        im_buf_add_u8(token, '.');
        im_base64_encode(token, im_buf_str(text), IM_BASE64_URL);
        why = token->failed || text->failed ? "the token is too long"
              : im_logic_token_good(im_buf_str(token));
    }

    return why;
}


/* When a time is, and how far from now. */
static void
im_logic_token_when(char when[IM_TOKEN_WHEN], int64_t at)
{
    char        date[32];
    int64_t     away;
    struct tm   tm;
    time_t      t;

    t = (time_t) at;
    away = at - (int64_t) time(NULL);

    if (gmtime_r(&t, &tm) == NULL
        || strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm) == 0)
    {
        date[0] = '\0';
    }

    (void) snprintf(when, IM_TOKEN_WHEN, "%" PRId64 " (%s UTC, %s%" PRId64
                    " s%s)", at, date, away < 0 ? "" : "in ",
                    away < 0 ? -away : away, away < 0 ? " ago" : "");
}


static void
im_logic_token_show_time(const char *name, int64_t at)
{
    char  when[IM_TOKEN_WHEN];

    if (at == INT64_MAX || at == INT64_MIN || at == 0) {
        return;
    }

    im_logic_token_when(when, at);
    printf("%-10s %s\n", name, when);
}


static void
im_logic_token_show(const char *name, im_str_t value)
{
    if (value.data != NULL) {
        printf("%-10s %.*s\n", name, (int) value.len, (char *) value.data);
    }
}


static void
im_logic_token_show_claims(const im_jwt_t *jwt)
{
    im_uint_t  i;

    im_logic_token_show("claims", jwt->claims);
    printf("%-10s %s%.*s\n", "user",
           jwt->user.len != 0 ? "" : "a guest (no sub)", (int) jwt->user.len,
           (char *) jwt->user.data);
    im_logic_token_show("channel", jwt->channel);

    for (i = 0; i < jwt->nsubs; i++) {
        im_logic_token_show("room", jwt->subs[i].channel);
    }

    im_logic_token_show_time("issued", jwt->iat);
    im_logic_token_show_time("not before", jwt->nbf);
    im_logic_token_show_time("expires", jwt->exp);

    if (jwt->expires != jwt->exp) {
        im_logic_token_show_time("session to", jwt->expires);
    }
}


/* NULL: the key has signed it. */
static const char *
im_logic_token_signed(const im_logic_token_t *t, const im_logic_sign_key_t *key,
    const im_jwt_parts_t *parts)
{
    int  good;

    if (t->key == NULL) {
        printf("%-10s not checked: give --key=FILE\n", "signature");
        return NULL;
    }

    if (key->alg != parts->alg) {
        printf("%-10s the key is for %.*s, and the token is signed by %.*s\n",
               "signature", (int) im_jwt_methods[key->alg].name.len,
               (char *) im_jwt_methods[key->alg].name.data,
               (int) im_jwt_methods[parts->alg].name.len,
               (char *) im_jwt_methods[parts->alg].name.data);
        return "the token's algorithm is not its key's";
    }

    if (t->kid != NULL && !im_str_eq(im_str_z(t->kid), parts->kid)) {
        return "the token's key is unknown";
    }

    good = im_logic_sign_verify(key, parts->signing, parts->signature);
    printf("%-10s %s by the key in \"%s\"\n", "signature",
           good ? "made" : "not made", t->key);

    return good ? NULL : "the token's signature is wrong";
}


/* What nginx would say, after what is in the token. */
static const char *
im_logic_token_explain(const im_logic_token_t *t,
    const im_logic_sign_key_t *key, im_str_t token, im_buf_t *arena)
{
    im_jwt_t         jwt;
    const char      *why, *claims;
    im_jwt_parts_t   parts;

    if (im_jwt_split(token, arena, &parts, &why) != IM_OK) {
        return why;
    }

    im_logic_token_show("algorithm", im_jwt_methods[parts.alg].name);
    im_logic_token_show("kid", parts.kid);

    why = im_logic_token_signed(t, key, &parts);

    if (im_jwt_claims(&parts, arena, &jwt) != IM_OK) {
        im_logic_token_show("claims", parts.claims);
        return why != NULL ? why : jwt.why;
    }

    im_logic_token_show_claims(&jwt);

    claims = im_jwt_check(&jwt, (int64_t) time(NULL), (int64_t) t->leeway,
                          im_logic_token_text(t->aud),
                          im_logic_token_text(t->iss))
             == IM_OK ? NULL : jwt.why;

    im_jwt_cleanup(&jwt);

    return why != NULL ? why : claims;
}


static im_int_t
im_logic_token_check(const im_logic_token_t *t, const im_logic_sign_key_t *key)
{
    char         line[IM_JWT_MAX + 2];
    im_buf_t     arena;
    im_str_t     token;
    const char  *why;

    token = im_str_z(t->check);

    if (strcmp(t->check, "-") == 0) {
        if (fgets(line, sizeof(line), stdin) == NULL) {
            line[0] = '\0';
        }

        token = im_str_set((u_char *) line, strcspn(line, "\r\n"));
    }

    im_buf_init(&arena, IM_JWT_ARENA + 4 * IM_JWT_MAX);
    why = im_logic_token_explain(t, key, token, &arena);

    if (why != NULL) {
        printf("%-10s refused: %s\n", "nginx", why);

    } else {
        printf("%-10s %s\n", "nginx", t->key != NULL ? "takes it"
               : "takes it, if a key of im_jwt_key has signed it");
    }

    im_buf_cleanup(&arena);

    return why == NULL ? IM_OK : IM_ERROR;
}


/* The option that writes a claim, or NULL. */
static const char *
im_logic_token_writer(const im_logic_token_t *t, im_str_t claim)
{
    im_uint_t  i;

    const struct {
        const char  *claim;
        const char  *option;
        int          given;
    } writers[] = {
        { "sub", "--sub", t->sub != NULL },
        { "aud", "--aud", t->aud != NULL },
        { "iss", "--iss", t->iss != NULL },
        { "channel", "--channel", t->channel != NULL },
        { "channels", "--rooms", t->rooms != NULL },
        { "info", "--name", t->name != NULL },
        { "exp", "--exp (0 leaves it out)", t->exp != 0 },
        { "iat", "im_logic token, with the time of now", 1 }
    };

    for (i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
        if (writers[i].given && im_str_eq(claim, im_str_z(writers[i].claim))) {
            return writers[i].option;
        }
    }

    return NULL;
}


/* A claim that stands twice would be what each reader likes. */
static im_int_t
im_logic_token_once(const im_logic_token_t *t, im_buf_t *one, im_buf_t *two)
{
    int          twice;
    size_t       at, next;
    im_str_t     object, name, other, value;
    const char  *writer;

    at = 0;
    object = im_str_z(t->claims);

    for ( ;; ) {
        im_buf_reset(one, one->size);

        if (im_json_next_member(object, &at, one, &name, &value) != IM_OK) {
            return IM_OK;
        }

        writer = im_logic_token_writer(t, name);
        twice = 0;
        next = at;
        im_buf_reset(two, two->size);

        while (writer == NULL && !twice
               && im_json_next_member(object, &next, two, &other, &value)
                  == IM_OK)
        {
            twice = im_str_eq(name, other);
        }

        if (writer != NULL || twice) {
            im_daemon_log(IM_LOG_ERROR, "--claims has \"%.*s\"%s%s: give it "
                          "once", (int) im_min(name.len, IM_TOKEN_SHOWN),
                          (char *) name.data,
                          twice ? " twice" : ", which is written by ",
                          twice ? "" : writer);
            return IM_ERROR;
        }
    }
}


static im_int_t
im_logic_token_check_options(void *data)
{
    im_int_t           rc;
    im_buf_t           one, two;
    im_logic_token_t  *t = data;

    if (t->claims != NULL) {
        im_buf_init(&one, strlen(t->claims) + 1);
        im_buf_init(&two, strlen(t->claims) + 1);
        rc = im_logic_token_once(t, &one, &two);
        im_buf_cleanup(&one);
        im_buf_cleanup(&two);

        if (rc != IM_OK) {
            return rc;
        }
    }

    if (t->key == NULL && t->check == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no key: give --key=FILE with the secret "
                      "or the private key that signs the token");
        return IM_ERROR;
    }

    return IM_OK;
}


static im_int_t
im_logic_token_run(void *data)
{
    im_int_t              rc;
    im_buf_t              token, text;
    const char           *why;
    im_logic_token_t     *t = data;
    im_logic_sign_key_t   key;

    memset(&key, 0, sizeof(im_logic_sign_key_t));

    why = t->key == NULL ? NULL
          : im_logic_sign_read(&key, t->key, im_logic_token_text(t->alg),
                               t->weak != 0);

    if (why == NULL && t->check != NULL) {
        rc = im_logic_token_check(t, &key);
        im_logic_sign_free(&key);
        return rc;
    }

    im_buf_init(&token, IM_JWT_MAX);
    im_buf_init(&text, IM_JWT_MAX);

    if (why == NULL) {
        why = im_logic_token_make(t, &key, &token, &text);
    }

    if (why == NULL) {
        printf("%.*s\n", (int) token.len, (char *) token.data);

    } else {
        im_daemon_log(IM_LOG_ERROR, "--key=%s: %s", t->key, why);
    }

    im_buf_cleanup(&token);
    im_buf_cleanup(&text);
    im_logic_sign_free(&key);

    return why == NULL ? IM_OK : IM_ERROR;
}


int
im_logic_token_main(int argc, char **argv)
{
    im_logic_token_t     t;
    im_daemon_program_t  program = {
        .name = "im_logic token",
        .purpose = "makes a JSON Web Token for im_auth jwt, or explains one",
        .options = im_logic_token_options,
        .check = im_logic_token_check_options,
        .run = im_logic_token_run,
        .tool = 1
    };

    memset(&t, 0, sizeof(im_logic_token_t));
    program.conf = &t;

    return im_daemon_main(&program, argc, argv);
}
