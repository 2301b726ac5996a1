/*
 * Copyright (C) The im authors
 *
 * The largest rooms.
 */

#include "im_board.h"


void
im_board_init(im_board_t *board)
{
    board->n = 0;
    board->least = 0;
}


/* Gives the index of the least room, and sets how many followers it has. */
static im_uint_t
im_board_least(im_board_t *board)
{
    im_uint_t  i, least;

    least = 0;

    for (i = 1; i < board->n; i++) {
        if (board->topics[i]->nsubs < board->topics[least]->nsubs) {
            least = i;
        }
    }

    board->least = board->n == 0 ? 0 : board->topics[least]->nsubs;

    return least;
}


void
im_board_joined(im_board_t *board, im_topic_t *room)
{
    im_uint_t  least;

    if (room->listed) {
        return;
    }

    if (board->n < IM_BOARD_MAX) {
        room->listed = 1;
        board->topics[board->n++] = room;
        return;
    }

    if (room->nsubs <= board->least) {
        return;
    }

    least = im_board_least(board);

    if (room->nsubs > board->least) {
        board->topics[least]->listed = 0;
        board->topics[least] = room;
        room->listed = 1;
    }
}


void
im_board_remove(im_board_t *board, im_topic_t *room)
{
    im_uint_t  i;

    if (!room->listed) {
        return;
    }

    for (i = 0; i < board->n; i++) {
        if (board->topics[i] == room) {
            board->topics[i] = board->topics[--board->n];
            break;
        }
    }

    room->listed = 0;
    board->least = 0;
}


void
im_board_look(im_board_t *board)
{
    (void) im_board_least(board);
}


void
im_board_encode(im_buf_t *b, const im_board_t *board)
{
    im_str_t     name;
    im_uint_t    i;
    im_topic_t  *room;

    for (i = 0; i < board->n; i++) {
        room = board->topics[i];

        if (room->nsubs == 0) {
            continue;
        }

        name = im_topic_name(room);

        im_buf_add_uint(b, room->nsubs);
        im_buf_add_z(b, " ");
        im_buf_add(b, name.data + 2, name.len - 2);
        im_buf_add_z(b, "\n");
    }
}


im_int_t
im_board_decode(im_str_t text, size_t *at, uint64_t *followers, im_str_t *name)
{
    u_char    *p, *end;
    im_str_t   rest;

    if (*at >= text.len) {
        return IM_DECLINED;
    }

    rest = im_str_set(text.data + *at, text.len - *at);
    end = im_str_chr(rest, '\n');

    if (end == NULL) {
        return IM_DECLINED;
    }

    *at = (size_t) (end - text.data) + 1;
    p = memchr(rest.data, ' ', (size_t) (end - rest.data));

    if (p == NULL || p + 1 == end
        || im_decimal_decode(im_str_set(rest.data, (size_t) (p - rest.data)),
                             followers)
           != IM_OK
        || *followers > UINT32_MAX)
    {
        return IM_DECLINED;
    }

    *name = im_str_set(p + 1, (size_t) (end - p) - 1);

    return IM_OK;
}
