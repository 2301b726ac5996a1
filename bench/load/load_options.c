/*
 * Copyright (C) The im authors
 *
 * The options of the load generator: a table, and checks that look at several
 * of them.
 */

#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "load_options.h"


#define LOAD_OTHER_FILES  64        /* besides sockets, of a process */


typedef enum {
    LOAD_OPTION_NUMBER = 0,
    LOAD_OPTION_SECONDS,            /* a fraction, kept in ms */
    LOAD_OPTION_TEXT,
    LOAD_OPTION_FLAG
} load_option_e;


typedef struct {
    const char     *name;
    load_option_e   type;
    size_t          at;
    unsigned        min;
    unsigned        max;
    const char     *help;
} load_option_t;


#define load_number(name, field, min, max, help)                              \
    { name, LOAD_OPTION_NUMBER, offsetof(load_options_t, field), min, max,    \
      help }
#define load_seconds(name, field, min, max, help)                             \
    { name, LOAD_OPTION_SECONDS, offsetof(load_options_t, field), min, max,   \
      help }
#define load_text(name, field, help)                                          \
    { name, LOAD_OPTION_TEXT, offsetof(load_options_t, field), 0, 0, help }
#define load_flag(name, field, help)                                          \
    { name, LOAD_OPTION_FLAG, offsetof(load_options_t, field), 0, 0, help }


static const load_option_t  load_table[] = {
    load_text("host", host, "address of the server (127.0.0.1)"),
    load_number("port", port, 1, 65535, "its port"),
    load_number("push-port", push_port, 1, 65535, "of publishes (--port)"),
    load_text("protocol", protocol,
              "floor, plain, sse, nchan, im, positions, goim, centrifuge "
              "or centrifugo"),
    load_text("path", path, "another path of clients; %r is the room"),
    load_number("clients", clients, 0, 10000000, "so many (1)"),
    load_number("processes", processes, 1, 256, "so many share them (1)"),
    load_number("rooms", rooms, 0, 10000000, "so many (1); 0: none is joined"),
    load_text("prefix", prefix, "of names of rooms, before a number (b)"),
    load_text("spread", spread_name,
              "clients over rooms: round or block (round)"),
    load_number("users", users, 1, 10000000, "signed in (as many as clients)"),
    load_text("jwt-secret", jwt_secret, "signs their tokens (HS256)"),
    load_text("token", token, "a token instead; %u is the user's number"),
    load_number("rate", rate, 0, 10000000,
                "connects a second (0: as fast as possible)"),
    load_number("parallel", parallel, 1, 20000,
                "handshakes under way in a process (512)"),
    load_number("stalled", stalled, 0, 10000000,
                "so many clients stop reading"),
    load_number("rcvbuf", rcvbuf, 1, 1 << 30, "their receive buffer, bytes"),
    load_number("churn", churn, 1, 100000,
                "clients a second that leave, or are cut, and come again"),
    load_text("api", api_name, "of publishes: floor, nchan, im or centrifugo"),
    load_text("api-key", api_key, "its key"),
    load_text("to", to_name, "room, user or all (room)"),
    load_number("outstanding", outstanding, 1, LOAD_MAX_OUTSTANDING,
                "messages that not all followers have (closed loop)"),
    load_number("push-rate", push_rate, 1, 1000000,
                "publishes a second (open loop)"),
    load_number("connections", connections, 1, 4096, "of the publisher"),
    load_number("size", size, LOAD_MIN_SIZE, 1 << 20,
                "bytes of a message (100)"),
    load_number("probe", probe, 1, 10000, "publishes a second to a probe"),
    load_number("bulk", bulk, 1, 100000,
                "one call to so many users, repeated"),
    load_seconds("seconds", measured_ms, 0, 86400,
                 "of the measured phase (10)"),
    load_seconds("warm", warm_ms, 0, 3600, "seconds before it (0)"),
    load_number("connect-timeout", connect_timeout, 1, 3600,
                "seconds until all have joined (60)"),
    load_number("drain", drain, 1, 600,
                "seconds that a message may be under way (5)"),
    load_number("spin", spin, 0, 1000000,
                "us that it polls before it sleeps (0)"),
    load_flag("ungreeted", ungreeted,
              "no messages before the others, which show that all follow"),
    load_flag("wait", wait, "for a line of standard input at each mark"),
    { NULL, LOAD_OPTION_FLAG, 0, 0, 0, NULL }
};


static int
load_options_fault(const char *format, ...)
{
    va_list  args;

    fputs("im_load: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);

    return -1;
}


static int
load_options_help(void)
{
    const load_option_t  *option;

    printf("im_load --port=N --protocol=NAME [--OPTION=VALUE ...]\n\n");

    for (option = load_table; option->name != NULL; option++) {
        printf("  --%-16s  %s\n", option->name, option->help);
    }

    printf("  --%-16s  %s\n", "help", "this list");

    return 1;
}


static int
load_options_number(const load_option_t *option, const char *value,
    unsigned *n)
{
    char    *end;
    double   parsed;

    parsed = option->type == LOAD_OPTION_SECONDS
             ? strtod(value, &end) : (double) strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '\0' || parsed < option->min
        || parsed > option->max)
    {
        return load_options_fault("--%s=%s: must be a number from %u to %u",
                                  option->name, value, option->min,
                                  option->max);
    }

    *n = (unsigned) (option->type == LOAD_OPTION_SECONDS
                     ? parsed * 1000 : parsed);

    return 0;
}


static int
load_options_set(load_options_t *o, const char *word)
{
    size_t                len;
    const char           *value;
    const load_option_t  *option;

    if (strncmp(word, "--", 2) != 0) {
        return load_options_fault("\"%s\" is no option; options are "
                                  "--NAME=VALUE, see --help", word);
    }

    word += 2;
    value = strchr(word, '=');
    len = value != NULL ? (size_t) (value - word) : strlen(word);

    for (option = load_table; option->name != NULL; option++) {
        if (strlen(option->name) == len
            && strncmp(option->name, word, len) == 0)
        {
            break;
        }
    }

    if (option->name == NULL) {
        return load_options_fault("no option --%.*s, see --help", (int) len,
                                  word);
    }

    if ((value != NULL) == (option->type == LOAD_OPTION_FLAG)) {
        return load_options_fault(value != NULL ? "--%s takes no value"
                                  : "--%s needs a value: --%s=VALUE",
                                  option->name, option->name);
    }

    if (option->type == LOAD_OPTION_NUMBER
        || option->type == LOAD_OPTION_SECONDS)
    {
        return load_options_number(option, value + 1,
                                   (unsigned *) ((char *) o + option->at));
    }

    if (option->type == LOAD_OPTION_TEXT) {
        *(const char **) ((char *) o + option->at) = value + 1;

    } else {
        *(unsigned *) ((char *) o + option->at) = 1;
    }

    return 0;
}


static int
load_options_address(const load_options_t *o, unsigned port,
    struct sockaddr_in *address)
{
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t) port);

    if (inet_pton(AF_INET, o->host, &address->sin_addr) != 1) {
        return load_options_fault("--host=%s: must be an IPv4 address",
                                  o->host);
    }

    return 0;
}


static int
load_options_names(load_options_t *o)
{
    static const char *const  targets[] = { "room", "user", "all" };

    if (o->protocol == NULL || o->port == 0) {
        return load_options_fault("--port and --protocol must be given, see "
                                  "--help");
    }

    o->proto = load_proto_find(o->protocol);
    if (o->proto == NULL) {
        return load_options_fault("--protocol=%s: must be floor, plain, sse, "
                                  "nchan, im, positions, goim, centrifuge or "
                                  "centrifugo", o->protocol);
    }

    o->api = load_api_find(o->api_name != NULL ? o->api_name : o->proto->api);
    if (o->api == NULL) {
        return load_options_fault("--api=%s: must be floor, nchan, im or "
                                  "centrifugo", o->api_name);
    }

    while (strcmp(o->to_name, targets[o->to]) != 0) {
        if (++o->to > LOAD_TO_ALL) {
            return load_options_fault("--to=%s: must be room, user or all",
                                      o->to_name);
        }
    }

    if (o->api->paths[o->to] == NULL) {
        return load_options_fault("--to=%s: --api=%s publishes to rooms only",
                                  o->to_name, o->api->name);
    }

    if (strcmp(o->spread_name, "block") == 0) {
        o->spread = LOAD_SPREAD_BLOCK;

    } else if (strcmp(o->spread_name, "round") != 0) {
        return load_options_fault("--spread=%s: must be round or block",
                                  o->spread_name);
    }

    if (strspn(o->prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
               "0123456789_-.") != strlen(o->prefix) || strlen(o->prefix) > 64)
    {
        return load_options_fault("--prefix=%s: must be at most 64 letters, "
                                  "digits, _, - and .", o->prefix);
    }

    return 0;
}


static int
load_options_publisher(load_options_t *o)
{
    if (o->outstanding != 0 && o->push_rate != 0) {
        return load_options_fault("--outstanding is a closed loop and "
                                  "--push-rate an open one: give one of them");
    }

    if (o->bulk != 0 && strcmp(o->api->name, "im") != 0) {
        return load_options_fault("--bulk needs --api=im");
    }

    if (o->to == LOAD_TO_USER && o->jwt_secret == NULL && o->token == NULL) {
        return load_options_fault("--to=user needs users: give --jwt-secret or "
                                  "--token");
    }

    o->topics = o->to == LOAD_TO_ROOM ? o->rooms
                : o->to == LOAD_TO_USER ? o->users : 1;

    if (o->outstanding == 0 && o->push_rate == 0) {
        o->connections = 0;

    } else if (o->topics == 0) {
        return load_options_fault("--rooms=0: there is no room to publish in; "
                                  "give --rooms=1 or more");

    } else if (o->connections == 0) {
        o->connections = o->push_rate != 0 ? 16
                         : o->outstanding < 64 ? o->outstanding : 64;
    }

    if (o->topics == 0) {
        o->topics = 1;
    }

    o->lanes = (o->connections + o->topics - 1) / o->topics;

    if (o->lanes == 0) {
        o->lanes = 1;
    }

    return 0;
}


/* A descriptor for each client of a process, raised as far as it may be. */
static int
load_options_files(const load_options_t *o)
{
    rlim_t         need, each;
    struct rlimit  limit;

    each = (o->clients + o->processes - 1) / o->processes;
    need = each + o->connections + o->processes + LOAD_OTHER_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
        return load_options_fault("getrlimit(RLIMIT_NOFILE) failed");
    }

    if (need > limit.rlim_max) {
        return load_options_fault("%lu clients in a process need %lu open "
                                  "files, and the hard limit is %lu: give "
                                  "--processes=%lu, or raise it (ulimit -Hn)",
                                  (unsigned long) each, (unsigned long) need,
                                  (unsigned long) limit.rlim_max,
                                  (unsigned long) (o->clients
                                  / (limit.rlim_max - (need - each)) + 1));
    }

    if (need > limit.rlim_cur) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }

    return 0;
}


int
load_options_parse(load_options_t *o, int argc, char **argv)
{
    int  i;

    static const load_options_t  defaults = {
        .host = "127.0.0.1", .clients = 1, .processes = 1, .rooms = 1,
        .prefix = "b", .spread_name = "round", .parallel = 512,
        .to_name = "room", .size = 100, .measured_ms = 10000,
        .connect_timeout = 60,
        .drain = 5
    };

    *o = defaults;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return load_options_help();
        }

        if (load_options_set(o, argv[i]) != 0) {
            return -1;
        }
    }

    if (o->users == 0) {
        o->users = o->clients != 0 ? o->clients : 1;
    }

    if (o->push_port == 0) {
        o->push_port = o->port;
    }

    if (o->stalled > o->clients) {
        return load_options_fault("--stalled=%u: there are %u clients only",
                                  o->stalled, o->clients);
    }

    if (o->churn != 0 && (o->processes != 1 || o->stalled != 0)) {
        return load_options_fault("--churn: --processes=%u and --stalled=%u "
                                  "must be 1 and 0", o->processes, o->stalled);
    }

    if (load_options_names(o) != 0 || load_options_publisher(o) != 0
        || load_options_address(o, o->port, &o->server) != 0
        || load_options_address(o, o->push_port, &o->push_server) != 0)
    {
        return -1;
    }

    return load_options_files(o);
}


unsigned
load_options_first(const load_options_t *o, unsigned process)
{
    return (unsigned) ((uint64_t) o->clients * process / o->processes);
}


unsigned
load_options_room(const load_options_t *o, unsigned client)
{
    if (o->rooms == 0) {
        return 0;
    }

    return o->spread == LOAD_SPREAD_ROUND ? client % o->rooms
           : (unsigned) ((uint64_t) client * o->rooms / o->clients);
}


unsigned
load_options_user(const load_options_t *o, unsigned client)
{
    return client % o->users;
}


unsigned
load_options_topic(const load_options_t *o, unsigned client)
{
    return o->to == LOAD_TO_ROOM ? load_options_room(o, client)
           : o->to == LOAD_TO_USER ? load_options_user(o, client) : 0;
}


int
load_options_stalled(const load_options_t *o, unsigned client)
{
    return (uint64_t) client * o->stalled / o->clients
           != ((uint64_t) client + 1) * o->stalled / o->clients;
}


static void
load_options_numbered(im_buf_t *b, const char *prefix, unsigned n, int probe)
{
    im_buf_add_z(b, prefix);

    if (probe) {
        im_buf_add_z(b, "probe");

    } else {
        im_buf_add_uint(b, n);
    }
}


void
load_options_name(const load_options_t *o, im_buf_t *b, unsigned topic)
{
    load_options_numbered(b, o->to == LOAD_TO_USER ? "u" : o->prefix, topic,
                          topic == o->topics);
}


void
load_options_room_name(const load_options_t *o, im_buf_t *b, unsigned room)
{
    load_options_numbered(b, o->prefix, room, room == o->rooms);
}
