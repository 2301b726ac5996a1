/*
 * Copyright (C) The im authors
 *
 * Rules of topics.
 */

#include "test.h"
#include "copy.h"
#include "im_buf.h"
#include "im_rule.h"
#include "im_json.h"


static im_rule_t
rule_of(const char *pattern)
{
    im_rule_t  rule;

    im_rule_init(&rule);
    rule.pattern = im_str_z(pattern);

    return rule;
}


static im_int_t
add(im_rules_t *rules, const char *pattern, uint32_t history)
{
    im_rule_t  rule;

    rule = rule_of(pattern);
    rule.history = history;

    return im_rules_add(rules, &rule);
}


static void
test_add(void **state)
{
    size_t      i;
    im_rule_t   rule;
    im_rules_t  rules;

    static const char *const  bad[] = {
        "", "**", "a*b", "*a", "a**", "a\n", "\xff", "chat:*", "x"
    };

    (void) state;

    im_rules_init(&rules);

    assert_int_equal(add(&rules, "chat:*", 1), IM_OK);
    assert_int_equal(add(&rules, "x", 1), IM_OK);

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(add(&rules, bad[i], 0), IM_DECLINED);
    }

    rule = rule_of("y");
    rule.history = IM_RULE_HISTORY_MAX + 1;
    assert_int_equal(im_rules_add(&rules, &rule), IM_DECLINED);
    rule.history--;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);

    assert_int_equal(rules.nrooms, 3);
    im_rules_cleanup(&rules);
}


static void
test_add_too_many(void **state)
{
    char        name[16];
    size_t      i;
    im_rules_t  rules;

    (void) state;

    im_rules_init(&rules);

    for (i = 0; i <= IM_RULES_MAX; i++) {
        sprintf(name, "r%zu", i);
        assert_int_equal(add(&rules, name, 0),
                         i < IM_RULES_MAX ? IM_OK : IM_ERROR);
    }

    assert_int_equal(rules.nrooms, IM_RULES_MAX);
    im_rules_cleanup(&rules);
}


static void
test_match(void **state)
{
    size_t            i;
    im_rules_t        rules;
    const im_rule_t  *rule;

    static const char *const  patterns[] = {
        "c*", "chat:*", "chat:1", "chat:1*", "x"
    };
    static const struct {
        const char  *room;
        const char  *pattern;
    } cases[] = {
        { "chat:1", "chat:1" }, { "chat:12", "chat:1*" },
        { "chat:2", "chat:*" }, { "chat:", "chat:*" }, { "chat", "c*" },
        { "c", "c*" }, { "x", "x" }, { "xx", NULL }, { "", NULL },
        { "b", NULL }
    };

    (void) state;

    im_rules_init(&rules);
    assert_null(im_rules_room(&rules, im_str_z("c")));

    for (i = 0; i < test_count(patterns); i++) {
        assert_int_equal(add(&rules, patterns[i], 0), IM_OK);
    }

    for (i = 0; i < test_count(cases); i++) {
        rule = im_rules_room(&rules, im_str_z(cases[i].room));

        if (cases[i].pattern == NULL) {
            assert_null(rule);
            continue;
        }

        assert_non_null(rule);
        test_str(rule->pattern, cases[i].pattern);
    }

    assert_int_equal(add(&rules, "*", 0), IM_OK);
    rule = im_rules_room(&rules, im_str_z("xx"));
    assert_non_null(rule);
    test_str(rule->pattern, "*");
    rule = im_rules_room(&rules, im_str_z("x"));
    test_str(rule->pattern, "x");

    im_rules_cleanup(&rules);
}


/* namespace=none: names without a ':' */
static void
test_bare(void **state)
{
    size_t            i;
    im_rule_t         rule;
    im_rules_t        rules;
    const im_rule_t  *found;

    static const struct {
        const char  *room;
        const char  *pattern;      /* of the rule, NULL: none */
        im_uint_t    bare;
    } cases[] = {
        { "x", "*", 1 }, { "$x", "*", 1 }, { "x:1", "*", 0 }, { ":", "*", 0 },
        { "news", "news*", 1 }, { "news:1", "*", 0 }, { "newt", "*", 1 },
        { "chat:1", "chat:*", 0 }, { "exact", "exact", 0 },
        { "\xc3\xa4", "*", 1 }
    };

    static const char *const  bad[] = { "a", "a:*", ":*", "", "a*b" };

    (void) state;

    im_rules_init(&rules);

    for (i = 0; i < test_count(bad); i++) {
        rule = rule_of(bad[i]);
        rule.bare = 1;
        assert_int_equal(im_rules_add(&rules, &rule), IM_DECLINED);
    }

    rule = rule_of("*");
    rule.bare = 1;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);
    assert_int_equal(im_rules_add(&rules, &rule), IM_DECLINED);
    assert_null(im_rules_room(&rules, im_str_z("x:1")));

    rule = rule_of("news*");
    rule.bare = 1;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);

    assert_int_equal(add(&rules, "*", 0), IM_OK);
    assert_int_equal(add(&rules, "*", 0), IM_DECLINED);
    assert_int_equal(add(&rules, "chat:*", 0), IM_OK);
    assert_int_equal(add(&rules, "exact", 0), IM_OK);

    for (i = 0; i < test_count(cases); i++) {
        found = im_rules_room(&rules, im_str_z(cases[i].room));
        assert_non_null(found);
        test_str(found->pattern, cases[i].pattern);
        assert_int_equal(found->bare, cases[i].bare);
    }

    im_rules_cleanup(&rules);
}


/* What older programs write and read. */
static void
test_versions(void **state)
{
    im_rules_t        rules;
    const im_rule_t  *rule;

    (void) state;

    assert_int_equal(im_rules_decode(im_str_z("{\"rooms\":[{\"pattern\":\"a\","
                                              "\"publish\":\"user\"},"
                                              "{\"pattern\":\"b\",\"new\":[1],"
                                              "\"join_leave\":\"few\"}],"
                                              "\"other\":{}}"),
                                     &rules),
                     IM_OK);

    rule = im_rules_room(&rules, im_str_z("a"));
    assert_int_equal(rule->publish, IM_RULE_USER);
    assert_int_equal(rule->history_for, IM_RULE_MEMBER);
    assert_int_equal(rule->presence_for, IM_RULE_MEMBER);

    rule = im_rules_room(&rules, im_str_z("b"));
    assert_int_equal(rule->publish, IM_RULE_API);
    assert_int_equal(rule->joins_all, 0);

    im_rules_cleanup(&rules);
}


static void
test_topic(void **state)
{
    im_rules_t  rules;

    (void) state;

    im_rules_init(&rules);
    assert_int_equal(add(&rules, "a*", 0), IM_OK);

    assert_null(im_rules_topic(&rules, im_str_z("b")));
    assert_null(im_rules_topic(&rules, im_str_z("u:a")));

    rules.has_inbox = 1;
    rules.has_broadcast = 1;

    assert_ptr_equal(im_rules_topic(&rules, im_str_z("b")), &rules.broadcast);
    assert_ptr_equal(im_rules_topic(&rules, im_str_z("u:a")), &rules.inbox);
    assert_ptr_equal(im_rules_topic(&rules, im_str_z("r:a")), rules.rooms);
    assert_null(im_rules_topic(&rules, im_str_z("r:b")));
    assert_null(im_rules_topic(&rules, im_str_z("r:")));
    assert_null(im_rules_topic(&rules, im_str_z("u:")));
    assert_null(im_rules_topic(&rules, im_str_z("")));
    assert_null(im_rules_topic(&rules, im_str_z("x:a")));
    assert_null(im_rules_topic(&rules, im_str_z("ba")));

    im_rules_cleanup(&rules);
}


static void
fill(im_rules_t *rules, random_t *r)
{
    char        name[32];
    size_t      i, n;
    im_rule_t   rule;

    im_rules_init(rules);
    n = random_below(r, 8);

    for (i = 0; i < n; i++) {
        sprintf(name, "\"\xc3\xa4\\%u%s", random_below(r, 10),
                random_below(r, 2) ? "*" : "");

        rule = rule_of(name);
        rule.history = random_below(r, IM_RULE_HISTORY_MAX + 1);
        rule.ttl = random_below(r, UINT32_MAX);
        rule.publish = random_below(r, IM_RULE_NONE + 1);
        rule.history_for = 1 + random_below(r, IM_RULE_NONE);
        rule.presence_for = 1 + random_below(r, IM_RULE_NONE);
        rule.join = random_below(r, IM_RULE_JOIN_TOKEN + 1);
        rule.presence = random_below(r, 2);
        rule.joins_all = random_below(r, 2);
        rule.bare = random_below(r, 2);
        rule.recovery = random_below(r, IM_RULE_LATEST + 1);

        assert_int_not_equal(im_rules_add(rules, &rule), IM_ERROR);
    }

    rules->has_inbox = random_below(r, 2);
    rules->has_broadcast = random_below(r, 2);
    rules->inbox.history = rules->has_inbox ? random_below(r, 1000) : 0;
    rules->broadcast.ttl = rules->has_broadcast ? random_below(r, 1000) : 0;
}


static void
assert_rule(const im_rule_t *a, const im_rule_t *b)
{
    assert_true(im_str_eq(a->pattern, b->pattern));
    assert_int_equal(a->history, b->history);
    assert_int_equal(a->ttl, b->ttl);
    assert_int_equal(a->publish, b->publish);
    assert_int_equal(a->history_for, b->history_for);
    assert_int_equal(a->presence_for, b->presence_for);
    assert_int_equal(a->joins_all, b->joins_all);
    assert_int_equal(a->bare, b->bare);
    assert_int_equal(a->recovery, b->recovery);
    assert_int_equal(a->join, b->join);
    assert_int_equal(a->presence, b->presence);
}


static const im_rule_t *
find(const im_rules_t *rules, const im_rule_t *rule)
{
    size_t  i;

    for (i = 0; i < rules->nrooms; i++) {
        if (im_str_eq(rules->rooms[i].pattern, rule->pattern)
            && rules->rooms[i].bare == rule->bare)
        {
            return &rules->rooms[i];
        }
    }

    fail();

    return NULL;
}


static void
test_json(void **state)
{
    size_t      i, j;
    im_buf_t    b;
    im_str_t    s;
    random_t    r;
    im_rules_t  rules, back;

    (void) state;

    random_init(&r, 1);
    im_buf_init(&b, 1 << 20);

    for (i = 0; i < 300; i++) {
        fill(&rules, &r);
        im_buf_reset(&b, 1 << 20);
        im_rules_encode(&b, &rules);
        assert_false(b.failed);
        assert_true(im_json_valid(im_buf_str(&b)));

        s = copy_of(im_buf_str(&b));
        assert_int_equal(im_rules_decode(s, &back), IM_OK);
        free(s.data);

        assert_int_equal(back.nrooms, rules.nrooms);
        assert_int_equal(back.has_inbox, rules.has_inbox);
        assert_int_equal(back.has_broadcast, rules.has_broadcast);
        assert_rule(&back.inbox, &rules.inbox);
        assert_rule(&back.broadcast, &rules.broadcast);

        for (j = 0; j < rules.nrooms; j++) {
            assert_rule(find(&back, &rules.rooms[j]), &rules.rooms[j]);
        }

        im_rules_cleanup(&back);
        im_rules_cleanup(&rules);
    }

    im_buf_cleanup(&b);
}


static void
test_json_form(void **state)
{
    im_buf_t    b;
    im_rule_t   rule;
    im_rules_t  rules;

    (void) state;

    im_rules_init(&rules);
    rule = rule_of("chat:*");
    rule.history = 100;
    rule.ttl = 86400;
    rule.publish = IM_RULE_MEMBER;
    rule.join = IM_RULE_JOIN_USER;
    rule.presence = 1;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);
    rules.has_broadcast = 1;

    im_buf_init(&b, 4096);
    im_rules_encode(&b, &rules);
    test_str(im_buf_str(&b),
             "{\"rooms\":[{\"pattern\":\"chat:*\",\"history\":100,"
             "\"ttl\":86400,\"publish\":\"member\",\"join\":\"user\","
             "\"presence\":true}],\"broadcast\":{\"history\":0,\"ttl\":0,"
             "\"publish\":\"none\",\"join\":\"anyone\",\"presence\":false}}");

    im_buf_cleanup(&b);
    im_rules_cleanup(&rules);

    im_rules_init(&rules);
    rule = rule_of("a");
    rule.publish = IM_RULE_NONE;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);

    im_buf_init(&b, 4096);
    im_rules_encode(&b, &rules);
    test_str(im_buf_str(&b),
             "{\"rooms\":[{\"pattern\":\"a\",\"history\":0,\"ttl\":0,"
             "\"publish\":\"none\",\"join\":\"anyone\",\"presence\":false,"
             "\"api\":false}]}");

    im_buf_cleanup(&b);
    im_rules_cleanup(&rules);

    im_rules_init(&rules);
    rule = rule_of("*");
    rule.bare = 1;
    rule.publish = IM_RULE_ANYONE;
    rule.history_for = IM_RULE_USER;
    rule.presence_for = IM_RULE_NONE;
    rule.presence = 1;
    rule.joins_all = 1;
    rule.recovery = IM_RULE_CACHE;
    rule.join = IM_RULE_JOIN_TOKEN;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);

    im_buf_init(&b, 4096);
    im_rules_encode(&b, &rules);
    test_str(im_buf_str(&b),
             "{\"rooms\":[],\"bare\":[{\"pattern\":\"*\",\"history\":0,"
             "\"ttl\":0,\"publish\":\"user\",\"join\":\"user\","
             "\"presence\":true,\"guests\":true,\"tokens\":true,"
             "\"history_for\":\"user\","
             "\"presence_for\":\"none\",\"join_leave\":\"all\","
             "\"recovery\":\"cache\"}]}");

    im_buf_cleanup(&b);
    im_rules_cleanup(&rules);

    assert_int_equal(im_rules_decode(im_str_z("{}"), &rules), IM_OK);
    assert_int_equal(rules.nrooms, 0);
    im_rules_cleanup(&rules);
}


static void
test_json_bad(void **state)
{
    size_t      i;
    im_rules_t  rules;

    static const char *const  bad[] = {
        "", "[]", "{", "{\"rooms\":{}}", "{\"rooms\":[1]}",
        "{\"rooms\":[{}]}", "{\"rooms\":[{\"pattern\":\"\"}]}",
        "{\"rooms\":[{\"pattern\":\"a*b\"}]}",
        "{\"rooms\":[{\"pattern\":\"a\"},{\"pattern\":\"a\"}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"history\":-1}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"history\":100001}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"ttl\":-1}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"ttl\":4294967296}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"publish\":\"all\"}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"join\":\"\"}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"presence\":1}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"history_for\":\"\"}]}",
        "{\"rooms\":[{\"pattern\":\"a\",\"presence_for\":\"all\"}]}",
        "{\"bare\":[{\"pattern\":\"a\"}]}",
        "{\"bare\":[{\"pattern\":\"a:*\"}]}",
        "{\"bare\":[{\"pattern\":\"*\"},{\"pattern\":\"*\"}]}",
        "{\"inbox\":[]}", "{\"inbox\":{\"history\":\"1\"}}",
        "{\"rooms\":[{\"pattern\":\"a\"}],\"broadcast\":{\"ttl\":-1}}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_rules_decode(im_str_z(bad[i]), &rules), IM_ERROR);
        assert_null(rules.rooms);
        assert_int_equal(rules.nrooms, 0);
    }
}


static void
test_json_cut(void **state)
{
    size_t      i;
    im_str_t    s, text;
    im_rules_t  rules;

    (void) state;

    text = im_str_z("{\"rooms\":[{\"pattern\":\"a\\u0062\",\"history\":1},"
                    "{\"pattern\":\"c\",\"join\":\"user\"}],"
                    "\"inbox\":{\"history\":3,\"presence\":true}}");

    for (i = 0; i <= text.len; i++) {
        s = copy_of(im_str_set(text.data, i));
        assert_int_equal(im_rules_decode(s, &rules),
                         i == text.len ? IM_OK : IM_ERROR);
        free(s.data);
    }

    assert_int_equal(rules.nrooms, 2);
    test_str(rules.rooms[0].pattern, "ab");
    assert_int_equal(rules.inbox.history, 3);
    im_rules_cleanup(&rules);
}


static void
test_merge(void **state)
{
    im_rule_t         rule;
    im_rules_t        a, b;
    const im_rule_t  *m;

    (void) state;

    im_rules_init(&a);
    im_rules_init(&b);

    rule = rule_of("both");
    rule.history = 10;
    rule.ttl = 5;
    rule.publish = IM_RULE_USER;
    rule.history_for = IM_RULE_ANYONE;
    rule.presence_for = IM_RULE_NONE;
    rule.joins_all = 1;
    rule.presence = 1;
    assert_int_equal(im_rules_add(&a, &rule), IM_OK);

    rule.history = 7;
    rule.ttl = 9;
    rule.publish = IM_RULE_MEMBER;
    rule.history_for = IM_RULE_USER;
    rule.presence_for = IM_RULE_MEMBER;
    rule.joins_all = 0;
    rule.join = IM_RULE_JOIN_USER;
    rule.presence = 0;
    assert_int_equal(im_rules_add(&b, &rule), IM_OK);

    rule = rule_of("only*");
    rule.presence = 1;
    rule.publish = IM_RULE_USER;
    assert_int_equal(im_rules_add(&b, &rule), IM_OK);

    b.has_inbox = 1;
    b.inbox.history = 3;
    b.inbox.presence = 1;

    assert_int_equal(im_rules_merge(&a, &b), IM_OK);
    assert_int_equal(a.nrooms, 2);

    m = im_rules_room(&a, im_str_z("both"));
    assert_int_equal(m->history, 10);
    assert_int_equal(m->ttl, 9);
    assert_int_equal(m->publish, IM_RULE_MEMBER);
    assert_int_equal(m->history_for, IM_RULE_USER);
    assert_int_equal(m->presence_for, IM_RULE_NONE);
    assert_int_equal(m->joins_all, 0);
    assert_int_equal(m->join, IM_RULE_JOIN_USER);
    assert_int_equal(m->presence, 0);

    m = im_rules_room(&a, im_str_z("only-b"));
    assert_int_equal(m->presence, 1);
    assert_int_equal(m->publish, IM_RULE_USER);

    assert_true(a.has_inbox);
    assert_false(a.has_broadcast);
    assert_int_equal(a.inbox.history, 3);
    assert_int_equal(a.inbox.presence, 1);

    im_rules_cleanup(&a);
    im_rules_cleanup(&b);
}


static void
test_publish(void **state)
{
    im_rule_t  rule;

    (void) state;

    rule = rule_of("a");
    assert_int_equal(im_rule_publish(&rule, 0), IM_RULE_NONE);
    assert_int_equal(im_rule_publish(&rule, 1), IM_RULE_USER);

    for (rule.publish = IM_RULE_ANYONE; rule.publish <= IM_RULE_NONE;
         rule.publish++)
    {
        assert_int_equal(im_rule_publish(&rule, 0), rule.publish);
        assert_int_equal(im_rule_publish(&rule, 1), rule.publish);
    }
}


/* Workers come in no order: the result must not depend on it. */
static void
test_merge_order(void **state)
{
    size_t      i, j;
    random_t    r;
    im_rules_t  a, b, ab, ba;

    (void) state;

    random_init(&r, 2);

    for (i = 0; i < 300; i++) {
        fill(&a, &r);
        fill(&b, &r);
        im_rules_init(&ab);
        im_rules_init(&ba);

        assert_int_equal(im_rules_merge(&ab, &a), IM_OK);
        assert_int_equal(im_rules_merge(&ab, &b), IM_OK);
        assert_int_equal(im_rules_merge(&ba, &b), IM_OK);
        assert_int_equal(im_rules_merge(&ba, &a), IM_OK);
        assert_int_equal(im_rules_merge(&ba, &ab), IM_OK);

        assert_int_equal(ab.nrooms, ba.nrooms);
        assert_rule(&ab.inbox, &ba.inbox);
        assert_rule(&ab.broadcast, &ba.broadcast);

        for (j = 0; j < ab.nrooms; j++) {
            assert_rule(&ab.rooms[j], find(&ba, &ab.rooms[j]));
        }

        im_rules_cleanup(&a);
        im_rules_cleanup(&b);
        im_rules_cleanup(&ab);
        im_rules_cleanup(&ba);
    }
}


static void
test_meta_ttl(void **state)
{
    im_rule_t  rule;

    (void) state;

    rule = rule_of("a");
    assert_int_equal(im_rule_meta_ttl(NULL), 30 * 86400);
    assert_int_equal(im_rule_meta_ttl(&rule), 30 * 86400);

    rule.ttl = 29 * 86400;
    assert_int_equal(im_rule_meta_ttl(&rule), 30 * 86400);
    rule.ttl = 30 * 86400;
    assert_int_equal(im_rule_meta_ttl(&rule), 31 * 86400);
    rule.ttl = UINT32_MAX;
    assert_true(im_rule_meta_ttl(&rule) == UINT32_MAX);
}


static void
test_no_memory(void **state)
{
    size_t      n;
    im_int_t    rc;
    im_rules_t  rules, from;

    (void) state;

    for (n = 1; ; n++) {
        alloc_fail_at(n);
        rc = im_rules_decode(im_str_z("{\"rooms\":[{\"pattern\":\"a\"},"
                                      "{\"pattern\":\"b\"}],"
                                      "\"bare\":[{\"pattern\":\"*\"}],"
                                      "\"inbox\":{\"history\":3}}"),
                             &from);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
        assert_int_equal(alloc_live(), 0);
    }

    assert_int_equal(rc, IM_OK);

    for (n = 1; ; n++) {
        im_rules_init(&rules);
        alloc_fail_at(n);
        rc = im_rules_merge(&rules, &from);
        assert_int_equal(rc, alloc_failed() ? IM_ERROR : IM_OK);
        im_rules_cleanup(&rules);

        if (!alloc_failed()) {
            break;
        }
    }

    assert_int_equal(n, 7);
    im_rules_cleanup(&from);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_add),
    alloc_test(test_add_too_many),
    alloc_test(test_match),
    alloc_test(test_bare),
    alloc_test(test_versions),
    alloc_test(test_topic),
    alloc_test(test_json),
    alloc_test(test_json_form),
    alloc_test(test_json_bad),
    alloc_test(test_json_cut),
    alloc_test(test_merge),
    alloc_test(test_publish),
    alloc_test(test_merge_order),
    alloc_test(test_meta_ttl),
    alloc_test(test_no_memory)
};

test_main(tests)
