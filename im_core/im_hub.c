/*
 * Copyright (C) The im authors
 *
 * The hub.
 */

#include "im_hub.h"
#include "im_key.h"


#define IM_USER_MAX  255


typedef struct {
    im_int_t  (*fn)(im_topic_t *topic, void *data);
    void       *data;
} im_hub_walk_t;


static im_str_t
im_hub_topic_name(const im_hash_node_t *node)
{
    return im_topic_name(im_list_data(node, im_topic_t, node));
}


static im_str_t
im_hub_user_name(const im_hash_node_t *node)
{
    im_user_t  *user;

    user = im_list_data(node, im_user_t, node);

    return im_str_set(user->id, user->id_len);
}


im_int_t
im_hub_init(im_hub_t *hub, const uint64_t seed[2], uint32_t npartitions,
    size_t chunk_size)
{
    if (im_hash_init(&hub->topics, im_hub_topic_name, seed) != IM_OK) {
        return IM_ERROR;
    }

    if (im_hash_init(&hub->users, im_hub_user_name, seed) != IM_OK) {
        goto failed;
    }

    im_logs_init(&hub->logs, chunk_size);
    memset(&hub->index, 0, sizeof(im_sub_index_t));
    im_board_init(&hub->board);
    hub->npartitions = npartitions;
    hub->nsubs = 0;

    return IM_OK;

failed:

    im_hash_cleanup(&hub->topics);

    return IM_ERROR;
}


static im_int_t
im_hub_free_topic(im_hash_node_t *node, void *data)
{
    im_hub_t  *hub;

    hub = data;

    im_topic_destroy(&hub->logs, im_list_data(node, im_topic_t, node));

    return IM_OK;
}


static im_int_t
im_hub_free_user(im_hash_node_t *node, void *data)
{
    im_free(im_list_data(node, im_user_t, node));

    return IM_OK;
}


void
im_hub_cleanup(im_hub_t *hub)
{
    (void) im_hash_each(&hub->topics, im_hub_free_topic, hub);
    im_hash_cleanup(&hub->topics);

    (void) im_hash_each(&hub->users, im_hub_free_user, NULL);
    im_hash_cleanup(&hub->users);

    im_sub_index_cleanup(&hub->index);
    im_logs_cleanup(&hub->logs);
}


/* 0 until the number of partitions is known */
static uint16_t
im_hub_partition(const im_hub_t *hub, im_str_t name)
{
    return hub->npartitions != 0 ? im_partition(name, hub->npartitions) : 0;
}


static im_int_t
im_hub_set_partition(im_topic_t *topic, void *data)
{
    topic->partition = im_hub_partition(data, im_topic_name(topic));

    return IM_OK;
}


void
im_hub_partitions(im_hub_t *hub, uint32_t npartitions)
{
    hub->npartitions = npartitions;

    (void) im_hub_each_topic(hub, im_hub_set_partition, hub);
}


im_topic_t *
im_hub_topic(im_hub_t *hub, im_str_t name)
{
    im_hash_node_t  *node;

    node = im_hash_find(&hub->topics, name);

    return node != NULL ? im_list_data(node, im_topic_t, node) : NULL;
}


static im_topic_t *
im_hub_topic_create(im_hub_t *hub, im_str_t name)
{
    im_topic_t  *topic;

    topic = im_topic_create(name, im_hub_partition(hub, name));

    if (topic != NULL) {
        im_hash_add(&hub->topics, &topic->node);
    }

    return topic;
}


/* *first: it is new. */
static im_topic_t *
im_hub_topic_get(im_hub_t *hub, im_str_t name, int *first)
{
    im_topic_t  *topic;

    topic = im_hub_topic(hub, name);

    if (topic != NULL) {
        *first = 0;
        return topic;
    }

    topic = im_hub_topic_create(hub, name);
    *first = topic != NULL;

    return topic;
}


im_topic_t *
im_hub_pin(im_hub_t *hub, im_str_t name, int *first)
{
    im_topic_t  *topic;

    topic = im_hub_topic_get(hub, name, first);

    if (topic != NULL) {
        topic->pinned = 1;
    }

    return topic;
}


void
im_hub_unpin(im_topic_t *topic, int *last)
{
    topic->pinned = 0;

    *last = topic->nsubs == 0;
}


im_topic_t *
im_hub_join(im_hub_t *hub, im_str_t name, im_wire_id_t wire,
    im_sub_t *sub, int *first)
{
    im_topic_t  *topic;

    topic = im_hub_topic_get(hub, name, first);

    if (topic == NULL) {
        return NULL;
    }

    if (im_topic_subscribe(&hub->logs, topic, wire, sub) == IM_OK) {
        hub->nsubs++;

        if (topic->name[0] == 'r') {
            im_board_joined(&hub->board, topic);
        }

        return topic;
    }

    if (*first) {
        im_hub_topic_destroy(hub, topic);
        *first = 0;
    }

    return NULL;
}


im_topic_t *
im_hub_leave(im_hub_t *hub, im_sub_t *sub, int *last)
{
    im_topic_t  *topic;

    topic = sub->log->topic;

    im_topic_unsubscribe(&hub->logs, sub);
    hub->nsubs--;

    *last = topic->nsubs == 0 && !topic->pinned;

    return topic;
}


void
im_hub_topic_end(im_hub_t *hub, im_topic_t *topic)
{
    im_board_remove(&hub->board, topic);
    im_hash_remove(&hub->topics, &topic->node);
    im_topic_end(&hub->logs, topic);
}


void
im_hub_topic_destroy(im_hub_t *hub, im_topic_t *topic)
{
    im_hub_topic_end(hub, topic);
    im_topic_destroy(&hub->logs, topic);
}


static im_int_t
im_hub_walk(im_hash_node_t *node, void *data)
{
    im_hub_walk_t  *walk;

    walk = data;

    return walk->fn(im_list_data(node, im_topic_t, node), walk->data);
}


im_int_t
im_hub_each_topic(im_hub_t *hub, im_int_t (*fn)(im_topic_t *topic, void *data),
    void *data)
{
    im_hub_walk_t  walk;

    walk.fn = fn;
    walk.data = data;

    return im_hash_each(&hub->topics, im_hub_walk, &walk);
}


im_user_t *
im_hub_user(im_hub_t *hub, im_str_t id)
{
    im_hash_node_t  *node;

    node = im_hash_find(&hub->users, id);

    return node != NULL ? im_list_data(node, im_user_t, node) : NULL;
}


static im_user_t *
im_hub_user_create(im_hub_t *hub, im_str_t id)
{
    im_user_t  *user;

    if (id.len == 0 || id.len > IM_USER_MAX) {
        return NULL;
    }

    user = im_calloc(offsetof(im_user_t, id) + id.len + 1);
    if (user == NULL) {
        return NULL;
    }

    im_list_init(&user->sessions);
    user->id_len = id.len;
    im_copy(user->id, id.data, id.len);

    im_hash_add(&hub->users, &user->node);

    return user;
}


im_user_t *
im_hub_user_add(im_hub_t *hub, im_str_t id, im_list_t *link, int *first)
{
    im_user_t  *user;

    *first = 0;

    user = im_hub_user(hub, id);

    if (user == NULL) {
        user = im_hub_user_create(hub, id);
        if (user == NULL) {
            return NULL;
        }

        *first = 1;
    }

    im_list_insert_tail(&user->sessions, link);
    user->nsessions++;

    return user;
}


void
im_hub_user_remove(im_hub_t *hub, im_user_t *user, im_list_t *link, int *last)
{
    im_list_remove(link);

    *last = (--user->nsessions == 0);

    if (*last) {
        im_hash_remove(&hub->users, &user->node);
        im_free(user);
    }
}
