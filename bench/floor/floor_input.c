/*
 * Copyright (C) The im authors
 *
 * What comes to the floor.  A peer's message is the lengths of the room's name
 * and of the message, four bytes each, and both.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor_input.h"


#define FLOOR_INPUT       (256 * 1024)
#define FLOOR_MAX_WAIT    (4 * 1024 * 1024)    /* of a request under way */
#define FLOOR_PEER_HEAD   8
#define FLOOR_GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define FLOOR_KEY_SIZE    24


void
floor_input_init(floor_input_t *in, floor_sender_t *sender,
    floor_rooms_t *rooms)
{
    memset(in, 0, sizeof(floor_input_t));
    in->sender = sender;
    in->rooms = rooms;
    in->input = malloc(FLOOR_INPUT + FLOOR_MAX_WAIT);

    if (in->input == NULL) {
        fputs("im_floor: no memory\n", stderr);
        exit(1);
    }
}


static void
floor_input_close(floor_input_t *in, int fd)
{
    floor_conn_t  *conn;

    conn = &in->sender->conns[fd];

    if (conn->kind == FLOOR_CONN_CLIENT) {
        floor_rooms_leave(in->rooms, fd);
    }

    free(conn->in);
    free(conn->out);
    free(conn->held);
    memset(conn, 0, sizeof(floor_conn_t));
    (void) close(fd);
}


static void
floor_input_answer(floor_input_t *in, int fd, const char *answer)
{
    floor_send(in->sender, fd, (const u_char *) answer, strlen(answer));
}


/* What stands behind a text in the head, up to one of these bytes. */
static im_str_t
floor_input_behind(im_str_t head, const char *text, const char *ends)
{
    u_char    *end;
    im_str_t   value;

    value.len = 0;
    end = head.data + head.len;
    value.data = memmem(head.data, head.len, text, strlen(text));

    if (value.data != NULL) {
        value.data += strlen(text);

        while (value.data + value.len < end
               && strchr(ends, value.data[value.len]) == NULL)
        {
            value.len++;
        }
    }

    return value;
}


static void
floor_input_handshake(floor_input_t *in, int fd, im_str_t room, im_str_t key)
{
    char    text[FLOOR_KEY_SIZE + sizeof(FLOOR_GUID)], answer[256];
    u_char  digest[SHA_DIGEST_LENGTH], accept[64];

    (void) snprintf(text, sizeof(text), "%.*s" FLOOR_GUID, FLOOR_KEY_SIZE,
                    key.data);
    (void) SHA1((u_char *) text, strlen(text), digest);
    (void) EVP_EncodeBlock(accept, digest, sizeof(digest));
    (void) snprintf(answer, sizeof(answer),
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                    (char *) accept);

    floor_input_answer(in, fd, answer);
    in->sender->conns[fd].kind = FLOOR_CONN_CLIENT;
    floor_rooms_join(in->rooms, floor_rooms_find(in->rooms, room), fd);
}


static void
floor_input_publish(floor_input_t *in, int fd, im_str_t name, im_str_t message)
{
    unsigned  i;
    im_buf_t  b;

    in->sender->stats->published++;

    if (in->npeers != 0) {
        im_buf_init(&b, FLOOR_MAX_WAIT);
        im_buf_add_u32(&b, name.len);
        im_buf_add_u32(&b, message.len);
        im_buf_add_str(&b, name);
        im_buf_add_str(&b, message);

        for (i = 0; i < in->npeers; i++) {
            floor_send(in->sender, in->peers[i], b.data, b.len);
        }

        im_buf_cleanup(&b);
    }

    floor_rooms_publish(in->rooms, floor_rooms_find(in->rooms, name), message);
    floor_input_answer(in, fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}


/* IM_OK: a request is done; IM_AGAIN: more is needed; IM_ERROR: it is none. */
static im_int_t
floor_input_request(floor_input_t *in, int fd, u_char **p, u_char *end)
{
    size_t    length;
    u_char   *behind;
    im_str_t  head, room, value, body;

    behind = memmem(*p, (size_t) (end - *p), "\r\n\r\n", 4);

    if (behind == NULL) {
        return IM_AGAIN;
    }

    head.data = *p;
    head.len = (size_t) (behind + 4 - *p);
    room = floor_input_behind(head, "room=", "& \r");
    value = floor_input_behind(head, "Sec-WebSocket-Key: ", "\r");

    if (value.len == FLOOR_KEY_SIZE) {
        floor_input_handshake(in, fd, room, value);
        *p = behind + 4;
        return IM_OK;
    }

    value = floor_input_behind(head, "Content-Length: ", "\r");

    if (value.len == 0 || memcmp(head.data, "POST ", 5) != 0) {
        floor_input_answer(in, fd, "HTTP/1.1 400 Bad Request\r\n"
                                   "Content-Length: 0\r\n\r\n");
        return IM_ERROR;
    }

    length = strtoul((char *) value.data, NULL, 10);

    if (length > FLOOR_MAX_WAIT / 2) {
        return IM_ERROR;
    }

    if ((size_t) (end - behind - 4) < length) {
        return IM_AGAIN;
    }

    body.data = behind + 4;
    body.len = length;
    floor_input_publish(in, fd, room, body);
    *p = body.data + length;

    return IM_OK;
}


static im_int_t
floor_input_peer(floor_input_t *in, u_char **p, u_char *end)
{
    im_str_t     name, message, head;
    im_reader_t  r;

    head.data = *p;
    head.len = (size_t) (end - *p);
    im_reader_init(&r, head);
    name.len = im_reader_u32(&r);
    message.len = im_reader_u32(&r);
    name.data = *p + FLOOR_PEER_HEAD;
    message.data = name.data + name.len;

    if (r.failed || (size_t) (end - name.data) < name.len + message.len) {
        return IM_AGAIN;
    }

    floor_rooms_publish(in->rooms, floor_rooms_find(in->rooms, name), message);
    *p = message.data + message.len;

    return IM_OK;
}


static void
floor_input_take(floor_input_t *in, int fd, u_char *end)
{
    u_char        *p;
    im_int_t       rc;
    floor_conn_t  *conn;

    conn = &in->sender->conns[fd];
    p = in->input;
    rc = IM_OK;

    /* what clients say doesn't matter */
    while (rc == IM_OK && p < end && conn->kind != FLOOR_CONN_CLIENT) {
        rc = conn->kind == FLOOR_CONN_PEER ? floor_input_peer(in, &p, end)
             : floor_input_request(in, fd, &p, end);
    }

    free(conn->in);
    conn->in = NULL;

    if (rc == IM_ERROR || end - p > FLOOR_MAX_WAIT) {
        floor_input_close(in, fd);

    } else if (p < end && conn->kind != FLOOR_CONN_CLIENT) {
        floor_bytes_add(&conn->in, p, (size_t) (end - p));
    }
}


void
floor_input_read(floor_input_t *in, int fd)
{
    size_t         kept;
    ssize_t        n;
    floor_conn_t  *conn;

    conn = &in->sender->conns[fd];
    kept = conn->in != NULL ? conn->in->len : 0;

    if (kept != 0) {
        memcpy(in->input, conn->in->data, kept);
    }

    n = recv(fd, in->input + kept, FLOOR_INPUT, MSG_DONTWAIT);

    if (n > 0) {
        if (conn->kind != FLOOR_CONN_CLIENT) {
            floor_input_take(in, fd, in->input + kept + n);
        }

    } else if (n == 0 || errno != EAGAIN) {
        floor_input_close(in, fd);
    }
}
