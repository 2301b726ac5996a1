/*
 * Copyright (C) The im authors
 *
 * What a key of Redis is.
 */

#include "im_key_kind.h"


static const char *const  im_kind_names[IM_KINDS] = {
    "history", "numbers", "routes", "members", "marks of leaves",
    "idempotency values", "queues", "accounts and tokens", "limits",
    "leases and records", "keys of other programs"
};


static int
im_kind_starts(im_str_t s, const char *with)
{
    size_t  len;

    len = strlen(with);

    return s.len >= len && memcmp(s.data, with, len) == 0;
}


/* The length of what is before the last colon; 0: there is none. */
static size_t
im_kind_colon(im_str_t s)
{
    size_t  n;

    for (n = s.len; n > 0 && s.data[n - 1] != ':'; n--) { /* void */ }

    return n > 0 ? n - 1 : 0;
}


/*
 * TOPIC:m, or TOPIC:k:WORKER.  Names of workers have no colon, and a dot: so
 * they are longer than one character.
 */
static im_key_kind_e
im_kind_topic(im_str_t s, im_str_t *topic)
{
    size_t  n;
    u_char  what;

    n = im_kind_colon(s);

    if (n == 0) {
        return IM_KIND_FOREIGN;
    }

    *topic = im_str_set(s.data, n);
    what = s.data[s.len - 1];

    if (s.len - n == 2) {
        switch (what) {

        case IM_KEY_META:
            return IM_KIND_META;

        case IM_KEY_HISTORY:
            return IM_KIND_HISTORY;

        case IM_KEY_ROUTES:
            return IM_KIND_ROUTES;

        case IM_KEY_LOGINS:
            return IM_KIND_ACCOUNT;
        }

        return IM_KIND_FOREIGN;
    }

    if (n < 3 || s.data[n - 2] != ':') {
        return IM_KIND_FOREIGN;
    }

    what = s.data[n - 1];
    *topic = im_str_set(s.data, n - 2);

    return what == 'k' ? IM_KIND_MEMBERS
                       : what == 'x' ? IM_KIND_LEFT : IM_KIND_FOREIGN;
}


/* What is behind "PREFIX{p}:". */
static im_key_kind_e
im_kind_partition(im_str_t s, im_str_t *topic)
{
    size_t         i;
    im_key_kind_e  kind;

    static const struct {
        const char     *with;
        im_key_kind_e   kind;
    } kinds[] = {
        { "d:", IM_KIND_IDEM },
        { "a:", IM_KIND_ACCOUNT },
        { "t:", IM_KIND_ACCOUNT },
        { "l:", IM_KIND_LIMIT }
    };

    if (im_kind_starts(s, "r:") || im_kind_starts(s, "u:")
        || im_kind_starts(s, "k:") || im_kind_starts(s, "b:"))
    {
        kind = im_kind_topic(s, topic);

        if (kind == IM_KIND_FOREIGN) {
            topic->len = 0;
        }

        return kind;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (im_kind_starts(s, kinds[i].with)) {
            return kinds[i].kind;
        }
    }

    if (im_str_eq(s, im_str_z("q"))) {
        return IM_KIND_QUEUE;
    }

    return im_str_eq(s, im_str_z("own")) ? IM_KIND_PROCESS : IM_KIND_FOREIGN;
}


im_key_kind_e
im_key_kind(const im_keys_t *keys, im_str_t key, uint16_t *p, im_str_t *topic)
{
    size_t    i;
    im_str_t  s, tag, prefix;

    *p = 0;
    prefix = keys->prefix;
    *topic = im_str_set(key.data, 0);

    if (key.len <= prefix.len + 1
        || memcmp(key.data, prefix.data, prefix.len) != 0
        || key.data[prefix.len] != '{')
    {
        return im_kind_starts(key, "im_") ? IM_KIND_ACCOUNT : IM_KIND_FOREIGN;
    }

    s = im_str_set(key.data + prefix.len + 1, key.len - prefix.len - 1);

    for (i = 0; i < s.len && s.data[i] != '}'; i++) { /* void */ }

    if (i + 2 > s.len || s.data[i + 1] != ':') {
        return IM_KIND_FOREIGN;
    }

    tag = im_str_set(s.data, i);
    s = im_str_set(s.data + i + 2, s.len - i - 2);

    if (im_str_eq(tag, im_str_z("reg"))) {
        return im_str_eq(s, im_str_z("names")) ? IM_KIND_ACCOUNT
                                               : IM_KIND_PROCESS;
    }

    return im_keys_find(keys, tag, p) == IM_OK ? im_kind_partition(s, topic)
                                               : IM_KIND_FOREIGN;
}


const char *
im_key_kind_name(im_key_kind_e kind)
{
    return im_kind_names[kind];
}


static void
im_kind_glob(im_buf_t *b, im_str_t prefix, const char *behind)
{
    size_t  i;

    for (i = 0; i < prefix.len; i++) {
        if (strchr("*?[]\\^", prefix.data[i]) != NULL) {
            im_buf_add_z(b, "\\");
        }

        im_buf_add(b, &prefix.data[i], 1);
    }

    im_buf_add_z(b, behind);
}


void
im_key_glob_routes(im_buf_t *b, const im_keys_t *keys)
{
    im_kind_glob(b, keys->prefix, "{*}:*:w");
}


void
im_key_glob_accounts(im_buf_t *b, const im_keys_t *keys)
{
    im_kind_glob(b, keys->prefix, "{*}:a:*");
}
