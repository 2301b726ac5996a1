/*
 * Copyright (C) The im authors
 *
 * /goim/nodes/: where clients connect to, and the nginx instances there are.
 *
 * nginx has no weights and no regions here: a balancer, or DNS, spreads the
 * clients.  Where --goim-host-domain is given, the nodes with the fewest
 * connections come first, by their names in that domain.
 */

#include <stdlib.h>

#include "im_logic_goim.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"


#define IM_GOIM_NODES      5         /* in an answer, as goim does */
#define IM_GOIM_MISSES     2         /* heartbeats until a client is gone */


/* An nginx: the sum of its workers. */
typedef struct {
    im_str_t   name;
    uint64_t   sessions;
    uint64_t   addresses;
} im_logic_goim_node_t;


typedef struct {
    im_logic_goim_node_t  *nodes;
    im_uint_t              n;
} im_logic_goim_nodes_t;


/* Workers are sorted by their ids, which begin with the node's name. */
static im_int_t
im_logic_goim_nodes(im_daemon_request_t *r, im_logic_goim_nodes_t *list)
{
    im_uint_t                 i;
    im_logic_t               *logic;
    const char               *why;
    im_logic_goim_node_t     *node;
    const im_logic_worker_t  *worker;

    logic = r->data;
    why = im_logic_unknown(logic);

    list->n = 0;
    list->nodes = im_daemon_alloc(r, (logic->nodes->nworkers + 1)
                                     * sizeof(im_logic_goim_node_t));

    if (why != NULL || list->nodes == NULL) {
        im_logic_goim_refuse(r, 503, why != NULL ? why : "no memory");
        return IM_ERROR;
    }

    for (i = 0; i < logic->nodes->nworkers; i++) {
        worker = logic->nodes->workers[i];

        if (worker->record.node.len == 0) {
            continue;
        }

        node = list->n > 0 ? &list->nodes[list->n - 1] : NULL;

        if (node == NULL || !im_str_eq(node->name, worker->record.node)) {
            node = &list->nodes[list->n++];
            node->name = worker->record.node;
        }

        node->sessions += (uint64_t) worker->record.sessions;
        node->addresses += (uint64_t) worker->record.addresses;
    }

    return IM_OK;
}


static int
im_logic_goim_emptier(const void *one, const void *two)
{
    const im_logic_goim_node_t  *a = one;
    const im_logic_goim_node_t  *b = two;

    return (a->sessions > b->sessions) - (a->sessions < b->sessions);
}


static void
im_logic_goim_port(im_buf_t *b, const char *name, uint64_t port)
{
    if (port != 0) {
        im_logic_print(b, "\"%z\":%u,", name, port);
    }
}


void
im_logic_goim_weighted_handler(im_daemon_request_t *r)
{
    im_buf_t               *b, *host;
    im_uint_t               i, n;
    const im_logic_conf_t  *conf;
    im_logic_goim_nodes_t   list;

    conf = &((im_logic_t *) r->data)->conf;

    if (conf->goim_domain == NULL) {
        im_logic_goim_refuse(r, 404, "no --goim-domain: im_logic does not "
                             "know where clients connect to");
        return;
    }

    if (im_logic_goim_nodes(r, &list) != IM_OK) {
        return;
    }

    qsort(list.nodes, list.n, sizeof(im_logic_goim_node_t),
          im_logic_goim_emptier);

    n = conf->goim_host_domain != NULL ? im_min(list.n, IM_GOIM_NODES) : 0;

    b = im_daemon_buf(r, 8192);
    host = im_daemon_buf(r, 1024);

    im_logic_print(b, "{\"domain\":%J,", conf->goim_domain);
    im_logic_goim_port(b, "tcp_port", conf->goim_tcp_port);
    im_logic_goim_port(b, "ws_port", conf->goim_ws_port);
    im_logic_goim_port(b, "wss_port", conf->goim_wss_port);
    im_logic_print(b, "\"heartbeat\":%u,\"nodes\":[", conf->goim_heartbeat);

    for (i = 0; i < n; i++) {
        host->len = 0;
        im_buf_add_str(host, list.nodes[i].name);
        im_buf_add_z(host, conf->goim_host_domain);

        im_logic_print(b, "%z%j", i == 0 ? "" : ",", im_buf_str(host));
    }

    if (n == 0) {
        im_logic_print(b, "%J", conf->goim_domain);
    }

    im_logic_print(b, "],\"backoff\":{\"max_delay\":300,\"base_delay\":3,"
                   "\"factor\":1.8,\"jitter\":0.3},\"heartbeat_max\":%u}",
                   (uint64_t) IM_GOIM_MISSES);

    im_logic_goim_reply(r, b);
}


void
im_logic_goim_instances_handler(im_daemon_request_t *r)
{
    im_buf_t               *b;
    im_uint_t               i;
    im_logic_goim_nodes_t   list;

    if (im_logic_goim_nodes(r, &list) != IM_OK) {
        return;
    }

    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);

    im_buf_add_z(b, list.n == 0 ? "null" : "[");

    for (i = 0; i < list.n; i++) {
        im_logic_print(b, "%z{\"region\":\"\",\"zone\":\"\",\"env\":\"\","
                       "\"appid\":\"goim.comet\",\"hostname\":%j,"
                       "\"addrs\":[],\"version\":\"im " IM_VERSION
                       "\",\"latest_timestamp\":%u,\"metadata\":{"
                       "\"addrs\":\"\",\"conn_count\":\"%u\","
                       "\"ip_count\":\"%u\",\"offline\":\"false\","
                       "\"weight\":\"1\"}}",
                       i == 0 ? "" : ",", list.nodes[i].name,
                       im_logic_time() * 1000000, list.nodes[i].sessions,
                       list.nodes[i].addresses);
    }

    im_buf_add_z(b, list.n == 0 ? "" : "]");

    im_logic_goim_reply(r, b);
}
