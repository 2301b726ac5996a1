/*
 * Copyright (C) The im authors
 *
 * What clients say to be in a room, how servers are asked to publish, and the
 * messages.
 */

#include <stdio.h>
#include <stdlib.h>

#include "load_proto.h"


static int
load_proto_has(im_str_t payload, const char *text)
{
    return memmem(payload.data, payload.len, text, strlen(text)) != NULL;
}


static void
load_proto_im_first(im_buf_t *b, const load_who_t *who)
{
    im_buf_add_z(b, "{\"auth\":");

    if (who->token.len != 0) {
        im_buf_add_z(b, "\"");
        im_buf_add_str(b, who->token);
        im_buf_add_z(b, "\"");

    } else {
        im_buf_add_z(b, "null");
    }

    if (who->room.len != 0) {
        im_buf_add_z(b, ",\"room\":\"");
        im_buf_add_str(b, who->room);
        im_buf_add_z(b, "\"}");

    } else {
        im_buf_add_z(b, ",\"roomId\":-1}");
    }
}


/* Messages have positions, and the room's info has none. */
static void
load_proto_positions_first(im_buf_t *b, const load_who_t *who)
{
    load_proto_im_first(b, who);
    b->len--;
    im_buf_add_z(b, ",\"positions\":true}");
}


static im_int_t
load_proto_im_joined(im_str_t payload, int in_room)
{
    return load_proto_has(payload, "\"op\":4") ? IM_OK : IM_AGAIN;
}


static void
load_proto_centrifuge_first(im_buf_t *b, const load_who_t *who)
{
    im_buf_add_z(b, "{\"connect\":{");

    if (who->token.len != 0) {
        im_buf_add_z(b, "\"token\":\"");
        im_buf_add_str(b, who->token);
        im_buf_add_z(b, "\"");
    }

    im_buf_add_z(b, "},\"id\":1}");

    if (who->room.len != 0) {
        im_buf_add_z(b, "\n{\"subscribe\":{\"channel\":\"");
        im_buf_add_str(b, who->room);
        im_buf_add_z(b, "\"},\"id\":2}");
    }
}


static im_int_t
load_proto_centrifuge_joined(im_str_t payload, int in_room)
{
    if (load_proto_has(payload, "\"error\":")) {
        return IM_ERROR;
    }

    return load_proto_has(payload, in_room ? "\"id\":2" : "\"id\":1")
           ? IM_OK : IM_AGAIN;
}


static void
load_proto_goim_first(im_buf_t *b, const load_who_t *who)
{
    im_buf_add_z(b, "{\"mid\":0,\"accepts\":[]");

    if (who->room.len != 0) {
        im_buf_add_z(b, ",\"room_id\":\"");
        im_buf_add_str(b, who->room);
        im_buf_add_z(b, "\"");
    }

    im_buf_add_z(b, "}");
}


static const load_proto_t  load_protos[] = {
    { "floor", LOAD_WIRE_WEBSOCKET, "/sub?room=%r", "floor", NULL, NULL, 0, 0 },
    { "plain", LOAD_WIRE_WEBSOCKET, "/sub?room=%r", "im", NULL, NULL, 0, 0 },
    { "nchan", LOAD_WIRE_WEBSOCKET, "/sub?id=%r", "nchan", NULL, NULL, 0, 0 },
    { "sse", LOAD_WIRE_SSE, "/sub?room=%r", "im", NULL, NULL, 0, 0 },
    { "goim", LOAD_WIRE_GOIM, "", "im", load_proto_goim_first, NULL, 1, 0 },
    { "im", LOAD_WIRE_WEBSOCKET, "/ws", "im",
      load_proto_im_first, load_proto_im_joined, 0, 0 },
    { "positions", LOAD_WIRE_WEBSOCKET, "/ws", "im",
      load_proto_positions_first, load_proto_im_joined, 0, 0 },
    { "centrifuge", LOAD_WIRE_WEBSOCKET, "/connection/websocket", "im",
      load_proto_centrifuge_first, load_proto_centrifuge_joined, 1, 1 },
    { "centrifugo", LOAD_WIRE_WEBSOCKET, "/connection/websocket", "centrifugo",
      load_proto_centrifuge_first, load_proto_centrifuge_joined, 1, 1 },
    { NULL, LOAD_WIRE_WEBSOCKET, NULL, NULL, NULL, NULL, 0, 0 }
};

static const load_api_t  load_apis[] = {
    { "floor", { "/pub?room=%r", NULL, NULL }, "", "", NULL },
    { "nchan", { "/pub?id=%r", NULL, NULL }, "", "", NULL },
    { "im", { "/im/push?room=%r", "/im/push?user=%r", "/im/push?all=1" }, "",
      "", "X-API-Key" },
    { "centrifugo", { "/api/publish", NULL, NULL },
      "{\"channel\":\"%r\",\"data\":", "}", "X-API-Key" },
    { NULL, { NULL, NULL, NULL }, NULL, NULL, NULL }
};


const load_proto_t *
load_proto_find(const char *name)
{
    const load_proto_t  *proto;

    for (proto = load_protos; proto->name != NULL; proto++) {
        if (strcmp(proto->name, name) == 0) {
            return proto;
        }
    }

    return NULL;
}


const load_api_t *
load_api_find(const char *name)
{
    const load_api_t  *api;

    for (api = load_apis; api->name != NULL; api++) {
        if (strcmp(api->name, name) == 0) {
            return api;
        }
    }

    return NULL;
}


void
load_proto_fill(im_buf_t *b, const char *template, char c, im_str_t text)
{
    const char  *p;

    for (p = template; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == c) {
            im_buf_add_str(b, text);
            p++;

        } else {
            im_buf_add(b, p, 1);
        }
    }
}


void
load_proto_frame(im_buf_t *b, unsigned opcode, im_str_t payload)
{
    im_buf_add_u8(b, 0x80 | opcode);

    if (payload.len < 126) {
        im_buf_add_u8(b, 0x80 | payload.len);

    } else {
        im_buf_add_u8(b, 0x80 | 126);
        im_buf_add_u16(b, payload.len);
    }

    im_buf_add_u32(b, 0);
    im_buf_add_str(b, payload);
}


void
load_proto_packet(im_buf_t *b, unsigned operation, im_str_t body)
{
    im_buf_add_u32(b, LOAD_GOIM_HEAD + body.len);
    im_buf_add_u16(b, LOAD_GOIM_HEAD);
    im_buf_add_u16(b, 1);
    im_buf_add_u32(b, operation);
    im_buf_add_u32(b, 1);
    im_buf_add_str(b, body);
}


void
load_marker_encode(im_buf_t *b, const load_marker_t *m, size_t size)
{
    char     text[LOAD_MARKER_SIZE + 1];
    size_t   len;
    u_char  *p;

    (void) snprintf(text, sizeof(text), LOAD_MARKER "%08x%08x%04x%08x%016llx",
                    m->slot, m->topic, m->lane & 0xffff, m->seq,
                    (unsigned long long) m->sent);

    im_buf_add_z(b, "{\"t\":\"");
    im_buf_add(b, text, LOAD_MARKER_SIZE);

    len = LOAD_MARKER_SIZE + sizeof("{\"t\":\"\"}") - 1;
    p = im_buf_reserve(b, size - len);

    if (p != NULL) {
        memset(p, 'x', size - len);
    }

    im_buf_add_z(b, "\"}");
}


static uint64_t
load_marker_hex(const u_char *p, unsigned n)
{
    uint64_t  value;

    for (value = 0; n != 0; n--, p++) {
        value = value << 4 | (*p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10);
    }

    return value;
}


int
load_marker_decode(const u_char **p, const u_char *end, load_marker_t *m)
{
    const u_char  *at;

    at = memmem(*p, end - *p, LOAD_MARKER, sizeof(LOAD_MARKER) - 1);

    if (at == NULL || end - at < LOAD_MARKER_SIZE) {
        *p = end;
        return 0;
    }

    at += sizeof(LOAD_MARKER) - 1;
    m->slot = load_marker_hex(at, 8);
    m->topic = load_marker_hex(at + 8, 8);
    m->lane = load_marker_hex(at + 16, 4);
    m->seq = load_marker_hex(at + 20, 8);
    m->sent = load_marker_hex(at + 28, 16);
    *p = at + LOAD_MARKER_SIZE - (sizeof(LOAD_MARKER) - 1);

    return 1;
}
