/*
 * Copyright (C) The im authors
 *
 * Passwords.  New ones use yescrypt; a check accepts all methods of libcrypt.
 */

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

#include "im_logic_crypt.h"
#include "im_logic_secret.h"
#include "im_daemon_time.h"


#define IM_CRYPT_METHOD  "$y$"
#define IM_CRYPT_SALT    16


/* text has IM_PASSWORD_TEXT bytes. */
static im_int_t
im_logic_crypt_text(char *text, im_str_t password)
{
    if (password.len > IM_PASSWORD_MAX) {
        return IM_ERROR;
    }

    if (password.len < IM_PASSWORD_TEXT) {
        im_copy(text, password.data, password.len);
        text[password.len] = '\0';

        return IM_OK;
    }

    text[IM_SECRET_HASH] = '\0';

    return im_logic_secret_hash(password, (u_char *) text);
}


im_int_t
im_logic_crypt_password(im_logic_crypt_t *crypt, im_str_t password)
{
    return im_logic_crypt_text(crypt->password, password);
}


im_int_t
im_logic_crypt_next(im_logic_crypt_t *crypt, im_str_t password)
{
    return im_logic_crypt_text(crypt->next, password);
}


static im_int_t
im_logic_crypt_result(im_logic_crypt_t *crypt, const char *result)
{
    u_char  diff;
    size_t  i, len;

    if (result == NULL) {

        /* a stored hash that libcrypt doesn't know fits no password */
        return crypt->check && errno != ENOMEM ? IM_DECLINED : IM_ERROR;
    }

    len = strlen(result);

    if (!crypt->check) {
        if (len >= sizeof(crypt->hash)) {
            return IM_ERROR;
        }

        memcpy(crypt->hash, result, len + 1);

        return IM_OK;
    }

    if (len != strlen(crypt->hash)) {
        return IM_DECLINED;
    }

    diff = 0;

    for (i = 0; i < len; i++) {
        diff |= (u_char) (result[i] ^ crypt->hash[i]);
    }

    return diff == 0 ? IM_OK : IM_DECLINED;
}


static void
im_logic_crypt_work(im_logic_task_t *task)
{
    char               *result;
    im_logic_crypt_t   *crypt = (im_logic_crypt_t *) task;
    struct crypt_data  *data;

    data = calloc(1, sizeof(struct crypt_data));

    if (data != NULL) {
        errno = 0;
        result = crypt_rn(crypt->password, crypt->hash, data,
                          sizeof(struct crypt_data));

        crypt->rc = im_logic_crypt_result(crypt, result);

        /* only for the right password; a failure waits for the next login */

        result = crypt->rc == IM_OK && crypt->renewed[0] != '\0'
                 ? crypt_rn(crypt->next[0] != '\0' ? crypt->next
                                                   : crypt->password,
                            crypt->renewed, data, sizeof(struct crypt_data))
                 : NULL;

        if (result != NULL && strlen(result) < IM_PASSWORD_HASH) {
            memcpy(crypt->renewed, result, strlen(result) + 1);

        } else {
            crypt->renewed[0] = '\0';
        }

        explicit_bzero(data, sizeof(struct crypt_data));
        free(data);
    }

    im_logic_crypt_wipe(crypt);
}


/* dst has IM_PASSWORD_HASH bytes. */
static im_int_t
im_logic_crypt_setting(char *dst, im_uint_t cost)
{
    char  salt[IM_CRYPT_SALT];

    im_daemon_random(salt, sizeof(salt));

    return crypt_gensalt_rn(IM_CRYPT_METHOD, cost, salt, sizeof(salt), dst,
                            IM_PASSWORD_HASH)
           != NULL ? IM_OK : IM_ERROR;
}


im_int_t
im_logic_crypt_make(im_logic_crypt_t *crypt, im_uint_t cost)
{
    crypt->check = 0;
    crypt->rc = IM_ERROR;
    crypt->renewed[0] = '\0';
    crypt->task.work = im_logic_crypt_work;

    return im_logic_crypt_setting(crypt->hash, cost);
}


im_int_t
im_logic_crypt_check(im_logic_crypt_t *crypt, im_str_t hash, im_uint_t cost)
{
    size_t       len;
    const char  *salt;

    crypt->check = 1;
    crypt->rc = IM_ERROR;
    crypt->task.work = im_logic_crypt_work;

    if (im_logic_crypt_setting(crypt->renewed, cost) != IM_OK) {
        return IM_ERROR;
    }

    if (hash.len == 0 || hash.len >= IM_PASSWORD_HASH) {

        /* no hash equals a setting */
        memcpy(crypt->hash, crypt->renewed, IM_PASSWORD_HASH);

    } else {
        im_copy(crypt->hash, hash.data, hash.len);
        crypt->hash[hash.len] = '\0';
    }

    /* the same method and cost: "$y$j9T$", what stands before the salt */

    salt = strchr(crypt->renewed + sizeof(IM_CRYPT_METHOD) - 1, '$');
    len = salt != NULL ? (size_t) (salt - crypt->renewed) + 1
                       : IM_PASSWORD_HASH;

    if (crypt->next[0] == '\0'
        && strncmp(crypt->hash, crypt->renewed, len) == 0)
    {
        crypt->renewed[0] = '\0';
    }

    return IM_OK;
}


void
im_logic_crypt_wipe(void *data)
{
    im_logic_crypt_t  *crypt = data;

    explicit_bzero(crypt->password, sizeof(crypt->password));
    explicit_bzero(crypt->next, sizeof(crypt->next));
}
