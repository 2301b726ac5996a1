/*
 * Copyright (C) The im authors
 *
 * Rules of topics: matching, merging, and their JSON.
 *
 *   {"rooms":[{"pattern":"chat:*","history":100,"ttl":86400,
 *              "publish":"member","join":"user","presence":true}],
 *    "bare":[...],"inbox":{...},"broadcast":{...}}
 *
 * Programs of other versions pass over members that they don't know: these
 * only add to what the others say.
 */

#include "im_rule.h"
#include "im_key.h"
#include "im_json.h"


#define IM_RULE_DAY  86400


typedef struct {
    im_str_t           pattern;
    im_str_t           publish;
    im_str_t           join;
    int64_t            history;
    int64_t            ttl;
    im_str_t           history_for;
    im_str_t           presence_for;
    im_str_t           join_leave;
    im_str_t           recovery;
    int                presence;
    int                api;          /* 0: "none" is for /api/v1/ too */
    int                guests;       /* 1: "user" is for guests too */
    int                tokens;       /* 1: "user" joins by a token alone */
} im_rule_json_t;


typedef struct {
    im_json_strings_t  rooms;
    im_json_strings_t  bare;         /* for names without a namespace */
    im_str_t           inbox;
    im_str_t           broadcast;
} im_rules_json_t;


static const im_json_field_t  im_rules_fields[] = {
    im_json_row(im_rules_json_t, RAWS, rooms),
    im_json_row(im_rules_json_t, RAWS, bare),
    im_json_row(im_rules_json_t, OBJECT, inbox),
    im_json_row(im_rules_json_t, OBJECT, broadcast),
    im_json_end
};


static const im_json_field_t  im_rule_fields[] = {
    im_json_row(im_rule_json_t, STRING, pattern),
    im_json_row(im_rule_json_t, INT, history),
    im_json_row(im_rule_json_t, INT, ttl),
    im_json_row(im_rule_json_t, STRING, publish),
    im_json_row(im_rule_json_t, STRING, join),
    im_json_row(im_rule_json_t, BOOL, presence),
    im_json_row(im_rule_json_t, BOOL, api),
    im_json_row(im_rule_json_t, BOOL, guests),
    im_json_row(im_rule_json_t, BOOL, tokens),
    im_json_row(im_rule_json_t, STRING, history_for),
    im_json_row(im_rule_json_t, STRING, presence_for),
    im_json_row(im_rule_json_t, STRING, join_leave),
    im_json_row(im_rule_json_t, STRING, recovery),
    im_json_end
};


/*
 * By im_rule_who_e, the first one as "publish".  What an older program doesn't
 * know has the next stricter word, and a member of its own.
 */
static const im_str_t  im_rule_publishers[] = {
    im_str("none"),
    im_str("user"),
    im_str("user"),
    im_str("member"),
    im_str("none")
};


/* The first one is not said. */
static const im_str_t  im_rule_askers[] = {
    im_null_str,
    im_str("anyone"),
    im_str("user"),
    im_str("member"),
    im_str("none")
};


/* By im_rule_join_e, the last one with a member of its own. */
static const im_str_t  im_rule_join[] = {
    im_str("anyone"),
    im_str("user"),
    im_str("user")
};


/* By joins_all. */
static const im_str_t  im_rule_joins[] = {
    im_null_str,
    im_str("all")
};


/* By im_rule_recovery_e. */
static const im_str_t  im_rule_recovery[] = {
    im_null_str,
    im_str("cache"),
    im_str("latest")
};


void
im_rule_init(im_rule_t *rule)
{
    memset(rule, 0, sizeof(im_rule_t));

    rule->history_for = IM_RULE_MEMBER;
    rule->presence_for = IM_RULE_MEMBER;
}


void
im_rules_init(im_rules_t *rules)
{
    memset(rules, 0, sizeof(im_rules_t));

    im_rule_init(&rules->inbox);
    im_rule_init(&rules->broadcast);
}


void
im_rules_cleanup(im_rules_t *rules)
{
    im_uint_t  i;

    for (i = 0; i < rules->nrooms; i++) {
        im_free(rules->rooms[i].pattern.data);
    }

    im_free(rules->rooms);
    im_rules_init(rules);
}


static int
im_rule_valid(const im_rule_t *rule)
{
    u_char    *star;
    im_str_t   pattern;

    pattern = rule->pattern;

    if (!im_name_valid(pattern)) {
        return 0;
    }

    star = im_str_chr(pattern, '*');

    if (rule->bare && (star == NULL || im_str_chr(pattern, ':') != NULL)) {
        return 0;
    }

    return star == NULL || star == pattern.data + pattern.len - 1;
}


static im_rule_t *
im_rules_find(const im_rules_t *rules, const im_rule_t *rule)
{
    im_uint_t  i;

    for (i = 0; i < rules->nrooms; i++) {
        if (im_str_eq(rules->rooms[i].pattern, rule->pattern)
            && (rules->rooms[i].bare != 0) == (rule->bare != 0))
        {
            return &rules->rooms[i];
        }
    }

    return NULL;
}


im_int_t
im_rules_add(im_rules_t *rules, const im_rule_t *rule)
{
    u_char     *pattern;
    im_rule_t  *rooms, *room;

    if (!im_rule_valid(rule)
        || rule->history > IM_RULE_HISTORY_MAX
        || im_rules_find(rules, rule) != NULL)
    {
        return IM_DECLINED;
    }

    if (rules->nrooms == IM_RULES_MAX) {
        return IM_ERROR;
    }

    pattern = im_alloc(rule->pattern.len);
    if (pattern == NULL) {
        return IM_ERROR;
    }

    /* grow by one: there are few rules, and they stay */
    rooms = im_realloc(rules->rooms, (rules->nrooms + 1) * sizeof(im_rule_t));
    if (rooms == NULL) {
        im_free(pattern);
        return IM_ERROR;
    }

    im_copy(pattern, rule->pattern.data, rule->pattern.len);

    room = &rooms[rules->nrooms];
    *room = *rule;
    room->pattern.data = pattern;

    rules->rooms = rooms;
    rules->nrooms++;

    return IM_OK;
}


static int
im_rule_is_prefix(const im_rule_t *rule)
{
    return rule->pattern.data[rule->pattern.len - 1] == '*';
}


static int
im_rule_match(const im_rule_t *rule, im_str_t room)
{
    size_t  len;

    if (!im_rule_is_prefix(rule)) {
        return im_str_eq(rule->pattern, room);
    }

    if (rule->bare && im_str_chr(room, ':') != NULL) {
        return 0;
    }

    len = rule->pattern.len - 1;

    return room.len >= len
           && (len == 0 || memcmp(room.data, rule->pattern.data, len) == 0);
}


const im_rule_t *
im_rules_room(const im_rules_t *rules, im_str_t room)
{
    im_uint_t         i;
    const im_rule_t  *rule, *best;

    best = NULL;

    for (i = 0; i < rules->nrooms; i++) {
        rule = &rules->rooms[i];

        if (!im_rule_match(rule, room)) {
            continue;
        }

        if (!im_rule_is_prefix(rule)) {
            return rule;
        }

        if (best == NULL || rule->pattern.len > best->pattern.len
            || (rule->pattern.len == best->pattern.len && rule->bare))
        {
            best = rule;
        }
    }

    return best;
}


im_rule_who_e
im_rule_publish(const im_rule_t *rule, int api)
{
    if (rule->publish == IM_RULE_API) {
        return api ? IM_RULE_USER : IM_RULE_NONE;
    }

    return rule->publish;
}


const im_rule_t *
im_rules_topic(const im_rules_t *rules, im_str_t topic)
{
    if (topic.len == 1 && topic.data[0] == 'b') {
        return rules->has_broadcast ? &rules->broadcast : NULL;
    }

    if (topic.len < 3 || topic.data[1] != ':') {
        return NULL;
    }

    if (topic.data[0] == 'u') {
        return rules->has_inbox ? &rules->inbox : NULL;
    }

    if (topic.data[0] == 'r') {
        return im_rules_room(rules, im_str_set(topic.data + 2,
                                               topic.len - 2));
    }

    return NULL;
}


/* presence is a permission, too */
static void
im_rule_merge(im_rule_t *into, const im_rule_t *from)
{
    into->history = im_max(into->history, from->history);
    into->ttl = im_max(into->ttl, from->ttl);
    into->join = im_max(into->join, from->join);
    into->presence = into->presence && from->presence;
    into->joins_all = into->joins_all && from->joins_all;
    into->recovery = im_min(into->recovery, from->recovery);

    into->publish = im_max(into->publish, from->publish);
    into->history_for = im_max(into->history_for, from->history_for);
    into->presence_for = im_max(into->presence_for, from->presence_for);
}


im_int_t
im_rules_merge(im_rules_t *into, const im_rules_t *from)
{
    im_uint_t         i;
    im_rule_t        *room;
    const im_rule_t  *rule;

    for (i = 0; i < from->nrooms; i++) {
        rule = &from->rooms[i];
        room = im_rules_find(into, rule);

        if (room != NULL) {
            im_rule_merge(room, rule);

        } else if (im_rules_add(into, rule) != IM_OK) {
            return IM_ERROR;
        }
    }

    if (from->has_inbox && into->has_inbox) {
        im_rule_merge(&into->inbox, &from->inbox);

    } else if (from->has_inbox) {
        into->inbox = from->inbox;
        into->has_inbox = 1;
    }

    if (from->has_broadcast && into->has_broadcast) {
        im_rule_merge(&into->broadcast, &from->broadcast);

    } else if (from->has_broadcast) {
        into->broadcast = from->broadcast;
        into->has_broadcast = 1;
    }

    return IM_OK;
}


uint32_t
im_rule_meta_ttl(const im_rule_t *rule)
{
    im_uint_t  ttl;

    ttl = rule == NULL ? 0 : rule->ttl;
    ttl = im_max(30 * IM_RULE_DAY, ttl + IM_RULE_DAY);

    return (uint32_t) im_min(ttl, UINT32_MAX);
}


/* The default is left out. */
static im_str_t
im_rule_asker(im_uint_t who)
{
    return im_rule_askers[who == IM_RULE_MEMBER ? 0 : who];
}


static void
im_rule_encode(im_buf_t *b, const im_rule_t *rule)
{
    im_rule_json_t  json;

    json.pattern = rule->pattern;
    json.history = (int64_t) rule->history;
    json.ttl = (int64_t) rule->ttl;
    json.publish = im_rule_publishers[rule->publish];
    json.join = im_rule_join[rule->join];
    json.presence = rule->presence != 0;
    json.api = rule->publish == IM_RULE_NONE ? 0 : -1;
    json.guests = rule->publish == IM_RULE_ANYONE ? 1 : -1;
    json.tokens = rule->join == IM_RULE_JOIN_TOKEN ? 1 : -1;
    json.history_for = im_rule_asker(rule->history_for);
    json.presence_for = im_rule_asker(rule->presence_for);
    json.join_leave = im_rule_joins[rule->joins_all != 0];
    json.recovery = im_rule_recovery[rule->recovery];

    im_json_encode(b, im_rule_fields, &json);
}


static void
im_rules_encode_rooms(im_buf_t *b, const im_rules_t *rules, int bare)
{
    im_uint_t  i, n;

    for (i = 0, n = 0; i < rules->nrooms; i++) {
        if ((rules->rooms[i].bare != 0) != bare) {
            continue;
        }

        if (n++ > 0) {
            im_buf_add_z(b, ",");
        }

        im_rule_encode(b, &rules->rooms[i]);
    }
}


static int
im_rules_bare(const im_rules_t *rules)
{
    im_uint_t  i;

    for (i = 0; i < rules->nrooms; i++) {
        if (rules->rooms[i].bare) {
            return 1;
        }
    }

    return 0;
}


void
im_rules_encode(im_buf_t *b, const im_rules_t *rules)
{
    im_buf_add_z(b, "{\"rooms\":[");
    im_rules_encode_rooms(b, rules, 0);
    im_buf_add_z(b, "]");

    if (im_rules_bare(rules)) {
        im_buf_add_z(b, ",\"bare\":[");
        im_rules_encode_rooms(b, rules, 1);
        im_buf_add_z(b, "]");
    }

    if (rules->has_inbox) {
        im_buf_add_z(b, ",\"inbox\":");
        im_rule_encode(b, &rules->inbox);
    }

    if (rules->has_broadcast) {
        im_buf_add_z(b, ",\"broadcast\":");
        im_rule_encode(b, &rules->broadcast);
    }

    im_buf_add_z(b, "}");
}


static im_int_t
im_rule_word(const im_str_t *words, im_uint_t n, im_str_t word,
    im_uint_t *value)
{
    im_uint_t  i;

    for (i = 0; i < n; i++) {
        if (im_str_eq(words[i], word)) {
            *value = i;
            return IM_OK;
        }
    }

    return IM_ERROR;
}


/* The default is not said. */
static im_int_t
im_rule_decode_asker(im_str_t word, im_uint_t *who)
{
    if (word.data == NULL) {
        return IM_OK;
    }

    return im_rule_word(im_rule_askers, IM_RULE_NONE + 1, word, who) == IM_OK
           && *who != IM_RULE_API ? IM_OK : IM_ERROR;
}


static im_int_t
im_rule_decode_words(const im_rule_json_t *json, im_rule_t *rule)
{
    if (im_rule_word(im_rule_publishers, IM_RULE_NONE, json->publish,
                     &rule->publish)
        != IM_OK
        || im_rule_word(im_rule_join, 2, json->join, &rule->join) != IM_OK
        || im_rule_decode_asker(json->history_for, &rule->history_for) != IM_OK
        || im_rule_decode_asker(json->presence_for, &rule->presence_for)
           != IM_OK)
    {
        return IM_ERROR;
    }

    if (rule->publish == IM_RULE_ANYONE && json->guests != 1) {
        rule->publish = IM_RULE_USER;
    }

    if (rule->publish == IM_RULE_API && json->api == 0) {
        rule->publish = IM_RULE_NONE;
    }

    rule->joins_all = im_str_eq(json->join_leave, im_rule_joins[1]);

    if (rule->join == IM_RULE_JOIN_USER && json->tokens == 1) {
        rule->join = IM_RULE_JOIN_TOKEN;
    }

    if (json->recovery.data != NULL
        && im_rule_word(im_rule_recovery, IM_RULE_LATEST + 1, json->recovery,
                        &rule->recovery)
           != IM_OK)
    {
        rule->recovery = IM_RULE_STREAM;
    }

    return IM_OK;
}


/* The pattern is in the arena until the next call. */
static im_int_t
im_rule_decode(im_str_t text, im_buf_t *arena, im_rule_t *rule)
{
    const char      *why;
    im_rule_json_t   json;

    memset(&json, 0, sizeof(im_rule_json_t));
    json.publish = im_rule_publishers[IM_RULE_API];
    json.api = -1;
    json.join = im_rule_join[0];

    im_buf_reset(arena, arena->max);

    if (im_json_decode(text, im_rule_fields, 0, arena, &json, &why) != IM_OK) {
        return IM_ERROR;
    }

    if (json.history < 0 || json.history > IM_RULE_HISTORY_MAX
        || json.ttl < 0 || json.ttl > UINT32_MAX)
    {
        return IM_ERROR;
    }

    im_rule_init(rule);

    rule->pattern = json.pattern;
    rule->history = (im_uint_t) json.history;
    rule->ttl = (im_uint_t) json.ttl;
    rule->presence = (im_uint_t) json.presence;

    return im_rule_decode_words(&json, rule);
}


static im_int_t
im_rules_decode_rooms(const im_json_strings_t *rooms, im_buf_t *arena,
    im_rules_t *rules, int bare)
{
    im_rule_t  rule;
    im_uint_t  i;

    for (i = 0; i < rooms->n; i++) {
        if (im_rule_decode(rooms->elts[i], arena, &rule) != IM_OK) {
            return IM_ERROR;
        }

        rule.bare = (im_uint_t) bare;

        if (im_rules_add(rules, &rule) != IM_OK) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


static im_int_t
im_rules_decode_members(const im_rules_json_t *json, im_buf_t *arena,
    im_rules_t *rules)
{
    if (im_rules_decode_rooms(&json->rooms, arena, rules, 0) != IM_OK
        || im_rules_decode_rooms(&json->bare, arena, rules, 1) != IM_OK)
    {
        return IM_ERROR;
    }

    if (json->inbox.data != NULL) {
        if (im_rule_decode(json->inbox, arena, &rules->inbox) != IM_OK) {
            return IM_ERROR;
        }

        rules->inbox.pattern = im_str_set(NULL, 0);
        rules->has_inbox = 1;
    }

    if (json->broadcast.data != NULL) {
        if (im_rule_decode(json->broadcast, arena, &rules->broadcast)
            != IM_OK)
        {
            return IM_ERROR;
        }

        rules->broadcast.pattern = im_str_set(NULL, 0);
        rules->has_broadcast = 1;
    }

    return IM_OK;
}


im_int_t
im_rules_decode(im_str_t text, im_rules_t *rules)
{
    im_int_t         rc;
    im_buf_t         arena;
    const char      *why;
    im_rules_json_t  json;

    memset(&json, 0, sizeof(im_rules_json_t));
    json.rooms.max = IM_RULES_MAX;
    json.bare.max = IM_RULES_MAX;

    im_rules_init(rules);

    if (im_json_decode(text, im_rules_fields, 0, NULL, &json, &why) != IM_OK)
    {
        return IM_ERROR;
    }

    im_buf_init(&arena, text.len);

    rc = im_rules_decode_members(&json, &arena, rules);

    im_buf_cleanup(&arena);
    im_json_strings_free(&json.rooms);
    im_json_strings_free(&json.bare);

    if (rc != IM_OK) {
        im_rules_cleanup(rules);
    }

    return rc;
}
