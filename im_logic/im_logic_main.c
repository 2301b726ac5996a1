/*
 * Copyright (C) The im authors
 *
 * im_logic: accepts pushes, answers questions about rooms, users and tokens.
 */

#include <signal.h>

#include <event2/event.h>

#include "im_logic.h"
#include "im_logic_api_key.h"
#include "im_logic_crypt.h"
#include "im_logic_accept.h"
#include "im_logic_durable.h"
#include "im_logic_looks.h"
#include "im_logic_metrics.h"
#include "im_logic_nodes.h"
#include "im_logic_origin.h"
#include "im_logic_pool.h"
#include "im_logic_routes.h"
#include "im_logic_tool.h"
#include "im_key.h"
#include "im_push.h"
#include "im_daemon_main.h"
#include "im_daemon_notify.h"
#include "im_daemon_time.h"


#define IM_LOGIC_DRAIN  15       /* s, at most */
#define IM_LOGIC_WAIT   2000     /* ms for Redis, until it says it is ready */
#define IM_LOGIC_LOOK   5        /* ms, from one look at Redis to the next */
#define IM_LOGIC_PART   4        /* of the time that Redis has for an answer */


typedef enum {
    IM_LOGIC_TERM = 0,
    IM_LOGIC_INT,
    IM_LOGIC_TICK,
    IM_LOGIC_BEGIN,
    IM_LOGIC_EVENTS
} im_logic_event_e;


typedef struct {
    im_logic_t     logic;
    struct event  *events[IM_LOGIC_EVENTS];
    unsigned       told:1;        /* that it is ready */
} im_logic_main_t;


#define im_logic_string(name, member, check, help)                            \
    im_daemon_string(name, im_logic_conf_t, member, check, help)
#define im_logic_number(name, member, value, min, max, help)                  \
    im_daemon_number(name, im_logic_conf_t, member, value, min, max, help)
#define im_logic_time(name, member, value, min, max, help)                    \
    im_daemon_time(name, im_logic_conf_t, member, value, min, max, help)


static const im_daemon_option_t  im_logic_options[] = {
    im_daemon_conf_options(im_logic_conf_t),
    im_logic_string("fcgi", fcgi, im_daemon_listen_address,
                    "ADDRESS  listens for FastCGI: unix:/PATH, HOST:PORT, "
                    "[IPV6]:PORT or *:PORT"),
    im_logic_string("http", http, im_daemon_listen_address,
                    "ADDRESS  listens for plain HTTP, on the same"),
    im_daemon_conf_listen(im_logic_conf_t),
    im_daemon_size("max-body", im_logic_conf_t, max_body, 1024 * 1024, 1024,
                   16 * 1024 * 1024, "SIZE  of a request"),
    im_logic_number("max-targets", max_targets, 1000, 1, 10000,
                    "N  of a push"),
    im_logic_number("max-requests", max_requests, 10000, 1, 1000000,
                    "N  requests under way"),
    im_logic_number("queue-cap", queue_cap, 100000, 1, 100000000,
                    "N  pushes that wait, of a partition"),
    im_logic_time("idem-ttl", idem_ttl, 300, 1, 86400,
                  "TIME  an id is remembered"),
    im_logic_string("durability", durability, im_logic_durable_check,
                    "memory|replica  when a push is accepted: Redis has it, or "
                    "its replicas too (memory)"),
    im_logic_number("replicas", replicas, 1, 1, 100,
                    "N  that must have it, at least; all that are online must"),
    im_logic_number("replica-timeout", replica_timeout, 1000, 10, 1500,
                    "N  ms that a push waits for them"),
    im_logic_time("token-life", token_life, 30 * 86400, 1, 10 * 365 * 86400,
                  "TIME  after a login"),
    im_logic_number("user-tokens", user_tokens, 20, 1, 1000,
                    "N  that live, of a user"),
    im_daemon_flag("foreign-tokens", im_logic_conf_t, foreign_tokens, 1,
                   "tokens that another program wrote are good"),
    im_logic_number("hash-threads", hash_threads, 1, 1, 64,
                    "N  that hash passwords"),
    im_logic_number("hash-queue", hash_queue, 256, 1, 10000,
                    "N  passwords that wait"),
    im_logic_number("hash-cost", hash_cost, 5, IM_CRYPT_COST_MIN,
                    IM_CRYPT_COST_MAX, "N  of yescrypt"),
    im_logic_number("login-limit", login_limit, 20, 0, 1000000,
                    "N  logins of a name from one network in a period, 0: "
                    "any"),
    im_logic_number("name-limit", name_limit, 1000, 0, 1000000,
                    "N  logins of a name from all of them, 0: any"),
    im_logic_number("address-limit", address_limit, 600, 0, 1000000,
                    "N  logins of an address in a period, 0: any"),
    im_logic_number("register-limit", register_limit, 20, 0, 1000000,
                    "N  accounts of an address in a period, 0: any"),
    im_logic_time("limit-period", limit_period, 600, 1, 86400,
                  "TIME  the period of these limits"),
    im_logic_string("api-key-file", api_key_file, NULL,
                    "FILE  keys of /im/ and /api/, a line each; without it "
                    "nginx decides who comes"),
    im_logic_time("idle-timeout", idle_timeout, 75, 1, 86400,
                  "TIME  between two requests of a connection"),
    im_logic_time("request-timeout", request_timeout, 30, 1, 86400,
                  "TIME  until a request is complete"),
    im_logic_string("real-ip-header", real_ip_header, im_logic_header_check,
                    "NAME  where a proxy before --http says who the client "
                    "is"),
    im_logic_string("allow-origin", allow_origin, im_logic_origin_check,
                    "ORIGIN,...  whose pages may use /im/ and /api/ (those "
                    "of the Host)"),
    im_logic_string("goim-domain", goim_domain, NULL,
                    "NAME  where goim's clients connect to, for "
                    "/goim/nodes/weighted"),
    im_logic_string("goim-host-domain", goim_host_domain, NULL,
                    "TEXT  behind the name of a node that makes it one that "
                    "they can connect to, such as .example.com (they connect "
                    "to --goim-domain alone)"),
    im_logic_number("goim-tcp-port", goim_tcp_port, 3101, 0, 65535,
                    "N  of im_listen protocol=goim, 0: none"),
    im_logic_number("goim-ws-port", goim_ws_port, 3102, 0, 65535,
                    "N  of WebSocket, 0: none"),
    im_logic_number("goim-wss-port", goim_wss_port, 3103, 0, 65535,
                    "N  of WebSocket over TLS, 0: none"),
    im_logic_time("goim-heartbeat", goim_heartbeat, 240, 1, 86400,
                  "TIME  between two heartbeats of a client"),
    im_logic_string("allow-host", allow_host, im_logic_host_check,
                    "HOST,...  by which /im/ and /api/ may be asked (any)"),
    im_daemon_option_end
};


static void
im_logic_main_connected(void *data, im_uint_t server)
{
    im_logic_t  *logic = data;

    im_link_watch_ready(logic->watch, server);
    im_logic_looks_start(logic);
}


static void
im_logic_main_up(void *data, im_uint_t partition, int anew)
{
    if (partition == IM_LINK_REGISTRY) {
        im_logic_nodes_up(data);
    }
}


static void
im_logic_main_down(void *data, im_uint_t partition)
{
    im_logic_t  *logic = data;

    if (partition == IM_LINK_REGISTRY) {
        logic->metrics.losses++;
        im_logic_nodes_down(logic);
    }
}


static void
im_logic_main_fatal(void *data, const char *why)
{
    im_logic_t  *logic = data;

    im_daemon_log(IM_LOG_ERROR, "this redis can't be used: %s", why);

    logic->failed = 1;
    (void) event_base_loopbreak(logic->base);
}


static const im_link_events_t  im_logic_link_events = {
    .server = im_logic_main_connected,
    .up = im_logic_main_up,
    .down = im_logic_main_down,
    .fatal = im_logic_main_fatal
};


/* Requests under way have a time to finish. */
static void
im_logic_main_signal(evutil_socket_t fd, short what, void *data)
{
    im_uint_t         i;
    im_logic_t       *logic;
    struct timeval    tv;
    im_logic_main_t  *m = data;

    (void) fd;
    (void) what;

    logic = &m->logic;

    if (logic->stopping) {
        (void) event_base_loopbreak(logic->base);
        return;
    }

    im_daemon_notify_stopping();
    im_daemon_log(IM_LOG_NOTICE, "stopping, %u requests under way",
                  (unsigned) logic->nrequests);

    logic->stopping = 1;

    for (i = 0; i < IM_LISTENERS; i++) {
        if (logic->servers[i] != NULL) {
            im_daemon_server_close(logic->servers[i]);
        }
    }

    tv.tv_sec = IM_LOGIC_DRAIN;
    tv.tv_usec = 0;
    (void) event_base_loopexit(logic->base, &tv);

    im_logic_stop(logic);
}


/* It would refuse pushes. */
static int
im_logic_main_deaf(const im_logic_t *logic)
{
    return im_logic_unknown(logic) != NULL
           || im_link_unserved(logic->link) > 0;
}


/*
 * It takes pushes.  An upgrade restarts the next im_logic then.  Without Redis
 * it is as ready as it can be.
 */
static void
im_logic_main_ready(im_logic_main_t *m)
{
    im_logic_t  *logic;

    logic = &m->logic;

    if (m->told
        || (im_logic_main_deaf(logic)
            && im_daemon_now() - logic->started < IM_LOGIC_WAIT))
    {
        return;
    }

    m->told = 1;
    im_daemon_notify_ready();
}


static void
im_logic_main_tick(evutil_socket_t fd, short what, void *data)
{
    im_logic_t       *logic;
    im_logic_main_t  *m = data;

    (void) fd;
    (void) what;

    logic = &m->logic;

    im_logic_main_ready(m);
    im_daemon_notify_alive();
    im_logic_nodes_poll(logic);
    im_logic_metrics_tick(logic);
    im_link_members_tick(logic->members, im_daemon_now());
    im_link_watch_tick(logic->watch, im_daemon_now());
    im_logic_durable_tick(logic, im_daemon_now());
}


/* Redis may answer soon: no attempt has failed. */
static int
im_logic_main_waits(const im_logic_t *logic)
{
    return im_logic_main_deaf(logic) && !im_link_failed(logic->link)
           && im_daemon_now() - logic->started
              < logic->conf.daemon.link.timeout / IM_LOGIC_PART;
}


/*
 * Another im_logic may be there that has Redis already, or requests wait for a
 * moment: an im_logic that begins refuses none for want of Redis.
 */
static void
im_logic_main_begin(evutil_socket_t fd, short what, void *data)
{
    im_uint_t         i;
    im_logic_main_t  *m = data;

    (void) fd;
    (void) what;

    if (im_logic_main_waits(&m->logic)) {
        return;
    }

    (void) event_del(m->events[IM_LOGIC_BEGIN]);

    for (i = 0; i < IM_LISTENERS; i++) {
        if (m->logic.servers[i] != NULL) {
            im_daemon_server_begin(m->logic.servers[i]);
        }
    }
}


static im_int_t
im_logic_main_events(im_logic_main_t *m)
{
    im_uint_t           i;
    struct timeval      times[] = { { 1, 0 }, { 0, IM_LOGIC_LOOK * 1000 } };
    struct event      **events = m->events;
    struct event_base  *base = m->logic.base;

    events[IM_LOGIC_TERM] = evsignal_new(base, SIGTERM, im_logic_main_signal,
                                         m);
    events[IM_LOGIC_INT] = evsignal_new(base, SIGINT, im_logic_main_signal, m);
    events[IM_LOGIC_TICK] = event_new(base, -1, EV_PERSIST, im_logic_main_tick,
                                      m);
    events[IM_LOGIC_BEGIN] = event_new(base, -1, EV_PERSIST,
                                       im_logic_main_begin, m);

    for (i = 0; i < IM_LOGIC_EVENTS; i++) {
        if (events[i] == NULL
            || event_add(events[i], i < IM_LOGIC_TICK
                                    ? NULL : &times[i - IM_LOGIC_TICK]) == -1)
        {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


static im_daemon_server_t *
im_logic_main_server(im_logic_t *logic, const char *address,
    const im_daemon_transport_t *transport)
{
    im_daemon_server_conf_t  conf;

    conf.transport = transport;
    conf.listen = &logic->conf.listen;
    conf.max_body = logic->conf.max_body;
    conf.idle_timeout = logic->conf.idle_timeout;
    conf.request_timeout = logic->conf.request_timeout;
    conf.real_ip = logic->conf.real_ip_header;
    conf.seed = logic->seed;
    conf.handler = im_logic_handler;
    conf.data = logic;

    return im_daemon_server_create(logic->base, address, &conf);
}


/* Keys are what stands between other machines and the HTTP listener. */
static im_int_t
im_logic_main_guard(const im_logic_conf_t *conf)
{
    if (conf->api_key_file != NULL) {
        return IM_OK;
    }

    im_daemon_log(IM_LOG_ERROR, "--http=%s: other machines may do everything "
                  "there: have keys (--api-key-file=), or listen on 127.0.0.1, "
                  "[::1] or unix:PATH", conf->http);

    return IM_ERROR;
}


static im_int_t
im_logic_main_listen(im_logic_t *logic)
{
    im_logic_conf_t      *conf;
    im_daemon_server_t  **fcgi, **http;

    conf = &logic->conf;
    fcgi = &logic->servers[IM_LISTENER_FCGI];
    http = &logic->servers[IM_LISTENER_HTTP];

    if (conf->fcgi != NULL) {
        *fcgi = im_logic_main_server(logic, conf->fcgi,
                                     &im_daemon_transport_fcgi);
        if (*fcgi == NULL) {
            return IM_ERROR;
        }

        if (im_daemon_server_remote(*fcgi)) {
            im_daemon_log(IM_LOG_WARN, "--fcgi=%s: other machines that reach "
                          "it may do what nginx may: let only nginx reach it",
                          conf->fcgi);
        }
    }

    if (conf->http != NULL) {
        *http = im_logic_main_server(logic, conf->http,
                                     &im_daemon_transport_http);
        if (*http == NULL) {
            return IM_ERROR;
        }

        /* a name whose addresses were not known before */

        if (im_daemon_server_remote(*http)) {
            im_daemon_server_warn(conf->http);
            return im_logic_main_guard(conf);
        }
    }

    return IM_OK;
}


static im_int_t
im_logic_main_check(void *data)
{
    im_addr_t         addr;
    im_logic_conf_t  *conf = data;

    if (im_daemon_conf_init(&conf->daemon) != IM_OK) {
        return IM_ERROR;
    }

    conf->durable = conf->durability != NULL
                    && strcmp(conf->durability, "replica") == 0;

    if (conf->fcgi == NULL && conf->http == NULL) {
        im_daemon_log(IM_LOG_ERROR, "nothing to listen on: give --fcgi or "
                      "--http");
        return IM_ERROR;
    }

    if (conf->http != NULL
        && im_addr_parse(&addr, im_str_z(conf->http), IM_ADDR_LISTEN, 0) == NULL
        && addr.type != IM_ADDR_NAME && !im_addr_loopback(&addr)
        && im_logic_main_guard(conf) != IM_OK)
    {
        return IM_ERROR;
    }

    return im_logic_api_keys_load(im_list_data(conf, im_logic_t, conf));
}


static im_int_t
im_logic_main_init(im_logic_main_t *m)
{
    im_logic_t       *logic;
    im_logic_conf_t  *conf;

    logic = &m->logic;
    conf = &logic->conf;

    im_daemon_random(logic->seed, sizeof(logic->seed));
    logic->started = im_daemon_now();
    im_daemon_metrics_init(&logic->metrics);
    im_logic_routes_init(logic);

    if (im_logic_nodes_init(logic) != IM_OK) {
        return IM_ERROR;
    }

    logic->base = event_base_new();
    if (logic->base == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no event base");
        return IM_ERROR;
    }

    logic->link = im_daemon_link_create(logic->base, &conf->daemon.link,
                                        &im_logic_link_events, logic);

    if (logic->link != NULL) {
        logic->members = im_link_members_create(logic->link);
        logic->history = im_link_history_create(logic->link);
        logic->watch = im_link_watch_create(logic->link,
                                            im_daemon_link_watched, NULL);
    }

    if (logic->members == NULL || logic->history == NULL
        || logic->watch == NULL
        || im_logic_durable_init(logic) != IM_OK
        || im_logic_accept_init(logic) != IM_OK
        || im_logic_main_events(m) != IM_OK)
    {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return IM_ERROR;
    }

    logic->pool = im_logic_pool_create(logic->base, conf->hash_threads,
                                       conf->hash_queue);
    if (logic->pool == NULL) {
        return IM_ERROR;
    }

    return im_logic_main_listen(logic);
}


static void
im_logic_main_cleanup(im_logic_main_t *m)
{
    im_uint_t    i;
    im_logic_t  *logic;

    logic = &m->logic;

    /* its tasks end first: they may call Redis, whose replies end requests */
    if (logic->pool != NULL) {
        im_logic_pool_destroy(logic->pool);
    }

    im_logic_accept_cleanup(logic);
    im_logic_durable_cleanup(logic);

    if (logic->link != NULL) {
        im_daemon_link_destroy(logic->link);
    }

    im_logic_looks_cleanup(logic);
    im_link_members_destroy(logic->members);
    im_link_history_destroy(logic->history);
    im_link_watch_destroy(logic->watch);

    for (i = 0; i < IM_LISTENERS; i++) {
        if (logic->servers[i] != NULL) {
            im_daemon_server_destroy(logic->servers[i]);
        }
    }

    for (i = 0; i < IM_LOGIC_EVENTS; i++) {
        if (m->events[i] != NULL) {
            event_free(m->events[i]);
        }
    }

    if (logic->base != NULL) {

        /* callbacks that are due hold buffers of connections that are gone */
        (void) event_base_loop(logic->base, EVLOOP_NONBLOCK);

        event_base_free(logic->base);
    }

    im_daemon_queues_cleanup(&logic->queues);
    im_logic_nodes_cleanup(logic);
    libevent_global_shutdown();
}


static im_int_t
im_logic_main_run(void *data)
{
    im_int_t          rc;
    im_logic_main_t  *m;

    m = im_list_data(data, im_logic_main_t, logic.conf);

    rc = im_logic_main_init(m);

    if (rc == IM_OK) {
        im_daemon_log(IM_LOG_NOTICE, "im_logic %s started", IM_VERSION);
        (void) event_base_dispatch(m->logic.base);
    }

    im_logic_main_cleanup(m);

    return rc == IM_OK && !m->logic.failed ? IM_OK : IM_ERROR;
}


int
main(int argc, char **argv)
{
    int                  status;
    im_logic_main_t      m;
    im_daemon_program_t  program = {
        "im_logic", "accepts pushes, answers questions (and makes tokens: "
        "im_logic token --help)",
        im_logic_options, NULL, im_logic_main_check, im_logic_main_run, 0
    };

    if (argc > 1 && strcmp(argv[1], "token") == 0) {
        return im_logic_token_main(argc - 1, argv + 1);
    }

    memset(&m, 0, sizeof(im_logic_main_t));
    program.conf = &m.logic.conf;

    status = im_daemon_main(&program, argc, argv);

    im_daemon_conf_cleanup(&m.logic.conf.daemon);
    im_buf_cleanup(&m.logic.api_keys);

    return status;
}
