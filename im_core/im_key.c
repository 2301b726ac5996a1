/*
 * Copyright (C) The im authors
 *
 * Names in Redis and names from outside.
 */

#include <stdio.h>

#include "im_key.h"
#include "im_hash.h"
#include "im_id.h"
#include "im_utf8.h"


#define IM_NODE_MAX  200


/*
 * Keys of the idempotency hash.  They are fixed, since all programs must agree.
 * Backends are trusted, so the keys need not be secret.
 */
static const uint64_t  im_key_seed[2][2] = {
    { 0x696d2d6964656d31ull, 0x746f7069632d6964ull },
    { 0x696d2d6964656d32ull, 0x69642d746f706963ull }
};


int
im_text_valid(im_str_t text)
{
    size_t  i;

    if (!im_utf8_valid(text)) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return 0;
        }

        /* U+0080 - U+009F; the text is valid UTF-8: there is a next byte */
        if (text.data[i] == 0xc2 && text.data[i + 1] < 0xa0) {
            return 0;
        }
    }

    return 1;
}


int
im_name_valid(im_str_t name)
{
    return name.len != 0 && name.len <= IM_NAME_MAX && im_text_valid(name);
}


int
im_node_valid(im_str_t name)
{
    size_t  i;

    if (name.len > IM_NODE_MAX || !im_name_valid(name)) {
        return 0;
    }

    /* a valid name has no NUL, so strchr() can't match its own */
    for (i = 0; i < name.len; i++) {
        if (strchr(".:{} ", name.data[i]) != NULL) {
            return 0;
        }
    }

    return 1;
}


int
im_prefix_valid(im_str_t prefix)
{
    size_t  i;

    if (prefix.len == 0 || prefix.len > IM_PREFIX_MAX) {
        return 0;
    }

    for (i = 0; i < prefix.len; i++) {
        if (prefix.data[i] <= 0x20 || prefix.data[i] >= 0x7f
            || prefix.data[i] == '{' || prefix.data[i] == '}')
        {
            return 0;
        }
    }

    return 1;
}


void
im_key_add(im_buf_t *b, const char *what, im_str_t name)
{
    im_buf_add_z(b, what);
    im_buf_add_str(b, name);
}


void
im_topic_room(im_buf_t *b, im_str_t room)
{
    im_key_add(b, "r:", room);
}


void
im_topic_user(im_buf_t *b, im_str_t user)
{
    im_key_add(b, "u:", user);
}


void
im_topic_key(im_buf_t *b, im_str_t key)
{
    im_key_add(b, "k:", key);
}


void
im_key_in(im_buf_t *b, const im_keys_t *keys, uint16_t p, const char *what,
    im_str_t name)
{
    im_buf_add_str(b, keys->prefix);
    im_buf_add(b, "{", 1);
    im_keys_tag(b, keys, p);
    im_buf_add(b, "}:", 2);
    im_key_add(b, what, name);
}


void
im_key_reg(im_buf_t *b, const im_keys_t *keys, const char *what, im_str_t name)
{
    im_buf_add_str(b, keys->prefix);
    im_buf_add_z(b, "{reg}:");
    im_key_add(b, what, name);
}


void
im_worker_id(im_buf_t *b, im_str_t node, im_uint_t slot, uint64_t start)
{
    im_buf_add_str(b, node);
    im_buf_add(b, ".", 1);
    im_buf_add_uint(b, slot);
    im_buf_add(b, ".", 1);
    im_id_add_base36(b, start);
}


void
im_key_topic(im_buf_t *b, const im_keys_t *keys, uint16_t p, im_str_t topic,
    im_key_topic_e what)
{
    im_key_in(b, keys, p, "", topic);
    im_buf_add(b, ":", 1);
    im_buf_add_u8(b, (uint8_t) what);
}


void
im_key_topic_worker(im_buf_t *b, const im_keys_t *keys, uint16_t p,
    im_str_t topic, const char *what, im_str_t worker)
{
    im_key_in(b, keys, p, "", topic);
    im_key_add(b, what, worker);
}


/*
 * Topic and id may be long and come from outside, so they are hashed.  The
 * topic gives the keys to hash the id with: no byte can move from one to the
 * other.
 */
void
im_key_idem(im_buf_t *b, const im_keys_t *keys, uint16_t p, im_str_t topic,
    im_str_t id)
{
    char      hash[33];
    uint64_t  seed[2], swapped[2];

    seed[0] = im_siphash(im_key_seed[0], topic.data, topic.len);
    seed[1] = im_siphash(im_key_seed[1], topic.data, topic.len);

    swapped[0] = seed[1];
    swapped[1] = ~seed[0];

    (void) snprintf(hash, sizeof(hash), "%016llx%016llx",
                    (unsigned long long) im_siphash(seed, id.data, id.len),
                    (unsigned long long) im_siphash(swapped, id.data, id.len));

    im_key_in(b, keys, p, "d:", im_str_z(hash));
}


void
im_key_limit(im_buf_t *b, const im_keys_t *keys, uint16_t p, char kind,
    im_str_t subject)
{
    im_key_in(b, keys, p, "l:", im_str_set(&kind, 1));
    im_key_add(b, ":", subject);
}


void
im_key_nodes(im_buf_t *b, const im_keys_t *keys)
{
    im_key_reg(b, keys, "nodes", im_str_z(""));
}


void
im_key_jobs(im_buf_t *b, const im_keys_t *keys)
{
    im_key_reg(b, keys, "jobs", im_str_z(""));
}
