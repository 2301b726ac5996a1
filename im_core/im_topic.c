/*
 * Copyright (C) The im authors
 *
 * Topics, their logs and the cursors into them.
 *
 * A chunk holds whole frames from its front and their ends from its back: so
 * the log can be cut at a frame without parsing frames.
 */

#include "im_topic.h"
#include "im_buf.h"


#define IM_TOPIC_MAX_PAST   4096                /* bytes */
#define IM_LOGS_SPARE       16                  /* chunks */
#define IM_LOGS_MIN_CHUNK   256
#define IM_LOG_MAX_FRAME    (1024 * 1024 * 1024)
#define IM_LOG_MAX          0x7fffffff          /* bytes that it keeps */
#define IM_LOGS_BLOCK       512                 /* subscriptions */

/* A cut is a frame of one byte that is never sent; real frames are longer. */
#define IM_LOG_CUT          1


struct im_chunk_s {
    im_chunk_t  *next;
    size_t       size;         /* allocated, a multiple of 4 */
    uint32_t     start;        /* offset in the log of data[0] */
    uint32_t     len;
    uint32_t     nframes;
    u_char       data[];
};


im_topic_t *
im_topic_create(im_str_t name, uint16_t partition)
{
    im_topic_t  *topic;

    if (name.len == 0 || name.len > IM_TOPIC_MAX) {
        return NULL;
    }

    topic = im_calloc(offsetof(im_topic_t, name) + name.len + 1);
    if (topic == NULL) {
        return NULL;
    }

    topic->partition = partition;
    topic->state = IM_TOPIC_NEW;
    topic->name_len = name.len;
    im_copy(topic->name, name.data, name.len);

    return topic;
}


static void
im_chunk_free(im_logs_t *logs, im_chunk_t *chunk)
{
    if (chunk->size == logs->chunk_size && logs->nspare < IM_LOGS_SPARE) {
        chunk->next = logs->spare;
        logs->spare = chunk;
        logs->nspare++;
        return;
    }

    logs->bytes -= chunk->size;
    im_free(chunk);
}


/* Frees the chunks that end at or before an offset. */
static void
im_log_free_before(im_log_t *log, uint32_t offset)
{
    im_open_t   *open;
    im_chunk_t  *chunk;

    open = log->open;

    if (open == NULL) {
        return;
    }

    while (open->first != NULL
           && (int32_t) (offset - (open->first->start + open->first->len)) >= 0)
    {
        chunk = open->first;
        open->first = chunk->next;
        open->bytes -= chunk->size;

        im_chunk_free(open->logs, chunk);
    }

    if (open->first != NULL) {
        open->tail = open->first->start;
        return;
    }

    open->last = NULL;
    open->tail = log->head;
    open->ncuts = 0;

    if (im_list_empty(&open->link)) {
        im_free(open);
        log->open = NULL;
    }
}


im_open_t *
im_log_open(im_logs_t *logs, im_log_t *log)
{
    im_open_t  *open;

    if (log->open != NULL) {
        return log->open;
    }

    open = im_calloc(sizeof(im_open_t));
    if (open == NULL) {
        return NULL;
    }

    im_list_init(&open->link);

    open->log = log;
    open->logs = logs;
    open->tail = log->head;

    log->open = open;

    return open;
}


void
im_log_flushed(im_log_t *log)
{
    im_open_t  *open;

    open = log->open;

    im_list_remove(&open->link);

    open->rate = 0;
    open->due = 0;
    open->nmessages = 0;

    if (open->first == NULL) {
        im_free(open);
        log->open = NULL;
    }
}


void
im_topic_end(im_logs_t *logs, im_topic_t *topic)
{
    im_log_t  *log, *next;

    for (log = topic->logs; log != NULL; log = next) {
        next = log->next;

        if (log->open != NULL) {
            im_list_remove(&log->open->link);
            im_log_free_before(log, log->head);
        }

        if (log != &topic->log) {
            im_free(log);
        }
    }

    im_free(topic->past);

    topic->logs = NULL;
    topic->past = NULL;
    topic->state = IM_TOPIC_ENDED;
}


void
im_topic_destroy(im_logs_t *logs, im_topic_t *topic)
{
    im_topic_end(logs, topic);
    im_free(topic);
}


/* Gives the topic's log of a wire; the first follower creates it. */
static im_log_t *
im_topic_log(im_topic_t *topic, im_wire_id_t wire)
{
    im_log_t  *log;

    for (log = topic->logs; log != NULL; log = log->next) {
        if (log->wire == wire) {
            return log;
        }
    }

    log = topic->logs == NULL ? &topic->log : im_calloc(sizeof(im_log_t));
    if (log == NULL) {
        return NULL;
    }

    im_ring_init(&log->live);
    im_ring_init(&log->blocked);
    im_ring_init(&log->joining);

    log->topic = topic;
    log->wire = wire;
    log->next = topic->logs;
    topic->logs = log;

    return log;
}


im_int_t
im_topic_subscribe(im_logs_t *logs, im_topic_t *topic, im_wire_id_t wire,
    im_sub_t *sub)
{
    im_log_t  *log;

    log = im_topic_log(topic, wire);
    if (log == NULL) {
        return IM_ERROR;
    }

    sub->log = log;
    sub->cursor = log->head;
    sub->state = IM_SUB_JOINING;

    im_ring_insert(&logs->lists, &log->joining, sub->index);

    log->nsubs++;
    topic->nsubs++;

    return IM_OK;
}


/* Finds the chunk of an offset; tail <= offset < head. */
static im_chunk_t *
im_log_chunk(const im_log_t *log, uint32_t offset)
{
    im_chunk_t  *chunk;

    chunk = log->open->last;

    if (offset - chunk->start < chunk->len) {
        return chunk;
    }

    chunk = log->open->first;

    while (offset - chunk->start >= chunk->len) {
        chunk = chunk->next;
    }

    return chunk;
}


/* The list of a log that has the subscriptions of a state. */
static im_ring_t *
im_log_list(im_log_t *log, im_sub_state_e state)
{
    switch (state) {

    case IM_SUB_JOINING:
        return &log->joining;

    case IM_SUB_BLOCKED:
        return &log->blocked;

    default:
        return &log->live;
    }
}


void
im_topic_unsubscribe(im_logs_t *logs, im_sub_t *sub)
{
    int             needed;
    im_log_t       *log;
    im_sub_state_e  state;

    log = sub->log;
    state = im_sub_state(sub);

    /* Only a cursor in the first chunk can be the last that needed it. */

    needed = state >= IM_SUB_PENDING
             && im_log_chunk(log, sub->cursor) == log->open->first;

    im_ring_remove(&logs->lists, im_log_list(log, state), sub->index);

    sub->log = NULL;
    sub->state = IM_SUB_NONE;

    log->nsubs--;
    log->topic->nsubs--;

    im_log_trim(logs, log, needed);
}


im_int_t
im_topic_prepare(im_topic_t *topic, im_wire_id_t wire)
{
    return im_topic_log(topic, wire) != NULL ? IM_OK : IM_ERROR;
}


void
im_topic_move(im_logs_t *logs, im_sub_t *sub, im_wire_id_t wire)
{
    int          joining;
    im_topic_t  *topic;

    joining = sub->state == IM_SUB_JOINING;
    topic = sub->log->topic;

    im_topic_unsubscribe(logs, sub);

    /* its log is there */

    (void) im_topic_subscribe(logs, topic, wire, sub);

    if (!joining) {
        im_sub_live(logs, sub);
    }
}


im_str_t
im_topic_name(const im_topic_t *topic)
{
    return im_str_set(topic->name, topic->name_len);
}


static int
im_epoch_eq(const im_epoch_t *epoch, im_str_t s)
{
    return im_str_eq(im_str_set(epoch->data, epoch->len), s);
}


/* Finds an epoch in "epoch:top epoch:top ..."; other forms match nothing. */
static int
im_topic_past(const im_topic_t *topic, im_str_t epoch, uint64_t *top)
{
    size_t       len;
    const char  *p, *colon;

    if (topic->past == NULL || epoch.len == 0) {
        return 0;
    }

    for (p = topic->past; *p != '\0'; p += len) {

        if (*p == ' ') {
            len = 1;
            continue;
        }

        len = strcspn(p, " ");
        colon = memchr(p, ':', len);

        if (colon != NULL
            && im_str_eq(im_str_set(p, colon - p), epoch)
            && im_decimal_decode(im_str_set(colon + 1, p + len - colon - 1),
                                 top)
               == IM_OK)
        {
            return 1;
        }
    }

    return 0;
}


im_offer_e
im_topic_offer(const im_topic_t *topic, im_str_t epoch, uint64_t seq)
{
    uint64_t  top;

    if (topic->state == IM_TOPIC_NEW) {
        return IM_OFFER_ASK;
    }

    if (!im_epoch_eq(&topic->epoch, epoch)) {

        if (!im_topic_past(topic, epoch, &top)) {
            return IM_OFFER_ASK;
        }

        if (seq > top) {
            return IM_OFFER_DROP;
        }
    }

    if (seq <= topic->seq) {
        return IM_OFFER_DROP;
    }

    return seq - topic->seq == 1 ? IM_OFFER_APPEND : IM_OFFER_GAP;
}


im_int_t
im_topic_position(im_topic_t *topic, im_str_t epoch, uint64_t seq,
    im_str_t past)
{
    char  *copy;

    if (epoch.len > IM_EPOCH_MAX || past.len > IM_TOPIC_MAX_PAST) {
        return IM_ERROR;
    }

    copy = NULL;

    if (past.len > 0) {
        copy = im_alloc(past.len + 1);
        if (copy == NULL) {
            return IM_ERROR;
        }

        im_copy(copy, past.data, past.len);
        copy[past.len] = '\0';
    }

    im_free(topic->past);
    topic->past = copy;

    topic->epoch.len = epoch.len;

    if (epoch.len > 0) {
        im_copy(topic->epoch.data, epoch.data, epoch.len);
    }

    topic->seq = seq;
    topic->state = IM_TOPIC_LIVE;

    return IM_OK;
}


int
im_topic_continues(const im_topic_t *topic, im_str_t epoch, uint64_t seq)
{
    uint64_t  top;

    if (topic->state == IM_TOPIC_NEW) {
        return 0;
    }

    if (im_epoch_eq(&topic->epoch, epoch)) {
        return seq <= topic->seq;
    }

    return im_topic_past(topic, epoch, &top) && seq <= top;
}


void
im_logs_init(im_logs_t *logs, size_t chunk_size)
{
    memset(logs, 0, sizeof(im_logs_t));

    logs->chunk_size = im_max(chunk_size, IM_LOGS_MIN_CHUNK) & ~(size_t) 3;

    im_slab_init(&logs->subs, sizeof(im_sub_t), IM_LOGS_BLOCK);

    logs->lists.slab = &logs->subs;
    logs->lists.offset = offsetof(im_sub_t, link);
}


void
im_logs_cleanup(im_logs_t *logs)
{
    im_chunk_t  *chunk;

    while (logs->spare != NULL) {
        chunk = logs->spare;
        logs->spare = chunk->next;

        logs->bytes -= chunk->size;
        im_free(chunk);
    }

    logs->nspare = 0;

    im_slab_cleanup(&logs->subs);
}


im_sub_t *
im_sub_create(im_logs_t *logs)
{
    im_sub_t  *sub;
    uint32_t   index;

    sub = im_slab_alloc(&logs->subs, &index);
    if (sub == NULL) {
        return NULL;
    }

    memset(sub, 0, sizeof(im_sub_t));

    im_ring_link_init(&sub->link);
    sub->index = index;

    return sub;
}


void
im_sub_destroy(im_logs_t *logs, im_sub_t *sub)
{
    im_slab_free(&logs->subs, sub->index);
}


/* The first subscription of these lists of a log, or NULL. */
static im_sub_t *
im_log_find(const im_logs_t *logs, const im_ring_t *const *lists, im_uint_t n)
{
    im_uint_t  i;

    for (i = 0; i < n; i++) {
        if (!im_ring_empty(lists[i])) {
            return im_slab_object(&logs->subs, lists[i]->first);
        }
    }

    return NULL;
}


im_sub_t *
im_topic_next_sub(const im_logs_t *logs, const im_topic_t *topic,
    const im_sub_t *sub)
{
    uint32_t          index;
    im_log_t         *log;
    im_sub_t         *next;
    im_uint_t         i;
    const im_ring_t  *list, *lists[3];

    log = sub != NULL ? sub->log : topic->logs;
    list = sub != NULL ? im_log_list(log, im_sub_state(sub)) : NULL;

    if (list != NULL) {
        index = im_ring_next(&logs->lists, list, sub->index);

        if (index != IM_SLAB_NONE) {
            return im_slab_object(&logs->subs, index);
        }
    }

    for ( /* void */ ; log != NULL; log = log->next) {
        lists[0] = &log->joining;
        lists[1] = &log->live;
        lists[2] = &log->blocked;

        /* behind the list that has ended */

        for (i = 0; list != NULL; i++) {
            list = lists[i] != list ? list : NULL;
        }

        next = im_log_find(logs, lists + i, 3 - i);

        if (next != NULL) {
            return next;
        }
    }

    return NULL;
}


im_sub_t *
im_topic_find_sub(const im_logs_t *logs, const im_topic_t *topic,
    im_sub_t *subs, uint32_t n)
{
    im_sub_t  *sub;

    if (subs != NULL && topic->nsubs < n) {
        sub = im_topic_next_sub(logs, topic, NULL);

        while (sub != NULL && sub->session != subs->session) {
            sub = im_topic_next_sub(logs, topic, sub);
        }

        return sub;
    }

    sub = subs;

    while (sub != NULL && sub->log->topic != topic) {
        sub = sub->next != IM_SLAB_NONE
              ? im_slab_object(&logs->subs, sub->next) : NULL;
    }

    return sub;
}


static int
im_log_live(const im_log_t *log)
{
    return !im_ring_empty(&log->live) || !im_ring_empty(&log->blocked);
}


/* Allocates an ordinary chunk, or a bigger one for a bigger frame. */
static im_chunk_t *
im_chunk_create(im_logs_t *logs, size_t len)
{
    size_t       size;
    im_chunk_t  *chunk;

    size = sizeof(im_chunk_t) + ((len + 3) & ~(size_t) 3) + sizeof(uint32_t);
    size = im_max(size, logs->chunk_size);

    if (size == logs->chunk_size && logs->spare != NULL) {
        chunk = logs->spare;
        logs->spare = chunk->next;
        logs->nspare--;

    } else {
        chunk = im_alloc(size);
        if (chunk == NULL) {
            return NULL;
        }

        logs->bytes += size;
    }

    chunk->next = NULL;
    chunk->start = 0;
    chunk->size = size;
    chunk->len = 0;
    chunk->nframes = 0;

    return chunk;
}


/* Gives the last chunk, with room for a frame of len bytes; NULL: no memory. */
static im_chunk_t *
im_log_room(im_logs_t *logs, im_log_t *log, size_t len)
{
    im_open_t   *open;
    im_chunk_t  *chunk;

    open = im_log_open(logs, log);

    if (open == NULL || len > IM_LOG_MAX_FRAME
        || log->head - open->tail > IM_LOG_MAX - len)
    {
        return NULL;
    }

    chunk = open->last;

    if (chunk != NULL
        && chunk->len + len + (chunk->nframes + 1) * sizeof(uint32_t)
           <= chunk->size - sizeof(im_chunk_t))
    {
        return chunk;
    }

    chunk = im_chunk_create(logs, len);
    if (chunk == NULL) {
        return NULL;
    }

    chunk->start = log->head;
    open->bytes += chunk->size;

    if (open->last != NULL) {
        open->last->next = chunk;

    } else {
        open->first = chunk;
    }

    open->last = chunk;

    return chunk;
}


/* The slot that holds the end of a frame of the chunk. */
static uint32_t *
im_chunk_end(im_chunk_t *chunk, uint32_t frame)
{
    return (uint32_t *) ((u_char *) chunk + chunk->size) - 1 - frame;
}


im_int_t
im_log_append(im_logs_t *logs, im_log_t *log, im_str_t frame, uint64_t seq)
{
    im_chunk_t  *chunk;

    if (im_log_live(log) && frame.len > 0) {

        chunk = im_log_room(logs, log, frame.len);
        if (chunk == NULL) {
            im_log_trim(logs, log, 0);
            return IM_ERROR;
        }

        im_copy(chunk->data + chunk->len, frame.data, frame.len);
        chunk->len += frame.len;
        *im_chunk_end(chunk, chunk->nframes++) = chunk->len;

        log->head += (uint32_t) frame.len;
    }

    if (seq > log->topic->seq) {
        log->topic->seq = seq;
    }

    return IM_OK;
}


im_int_t
im_log_cut(im_logs_t *logs, im_log_t *log)
{
    u_char  cut[IM_LOG_CUT] = { 0 };

    if (!im_log_live(log)) {
        return IM_OK;
    }

    if (im_log_append(logs, log, im_str_set(cut, IM_LOG_CUT), 0) != IM_OK) {
        return IM_ERROR;
    }

    log->open->ncuts++;

    return IM_OK;
}


/* Finds the frame of an offset; offset < len. */
static uint32_t
im_chunk_frame(im_chunk_t *chunk, uint32_t offset)
{
    uint32_t  low, high, middle;

    low = 0;
    high = chunk->nframes - 1;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (*im_chunk_end(chunk, middle) <= offset) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


static int
im_chunk_is_cut(im_chunk_t *chunk, uint32_t frame)
{
    uint32_t  start;

    start = frame == 0 ? 0 : *im_chunk_end(chunk, frame - 1);

    return *im_chunk_end(chunk, frame) - start == IM_LOG_CUT;
}


int
im_sub_cut(const im_sub_t *sub)
{
    uint32_t     offset, frame;
    im_chunk_t  *chunk;

    if (sub->log == NULL || sub->log->open == NULL
        || sub->log->open->ncuts == 0 || im_sub_state(sub) < IM_SUB_PENDING)
    {
        return 0;
    }

    chunk = im_log_chunk(sub->log, sub->cursor);
    offset = sub->cursor - chunk->start;
    frame = im_chunk_frame(chunk, offset);

    return im_chunk_is_cut(chunk, frame);
}


im_sub_t *
im_log_slowest(const im_logs_t *logs, const im_log_t *log)
{
    uint32_t          index;
    im_uint_t         i;
    im_sub_t         *sub, *slowest;
    const im_ring_t  *lists[2];

    slowest = NULL;
    lists[0] = &log->live;
    lists[1] = &log->blocked;

    for (i = 0; i < 2; i++) {
        for (index = lists[i]->first;
             index != IM_SLAB_NONE;
             index = im_ring_next(&logs->lists, lists[i], index))
        {
            sub = im_slab_object(&logs->subs, index);

            if (im_sub_behind(sub) == 0) {
                break;
            }

            if (slowest == NULL
                || im_sub_behind(sub) > im_sub_behind(slowest))
            {
                slowest = sub;
            }
        }
    }

    return slowest;
}


void
im_log_trim(im_logs_t *logs, im_log_t *log, int scan)
{
    im_sub_t  *slowest;

    if (im_log_pending(log) == NULL && im_ring_empty(&log->blocked)) {
        im_log_free_before(log, log->head);
        return;
    }

    slowest = scan ? im_log_slowest(logs, log) : NULL;

    if (slowest != NULL) {
        im_log_free_before(log, slowest->cursor);
    }
}


/* The last chunk is empty. */
static void
im_log_drop(im_open_t *open)
{
    im_chunk_t  *chunk, **link;

    chunk = open->last;
    open->last = NULL;

    for (link = &open->first; *link != chunk; link = &(*link)->next) {
        open->last = *link;
    }

    *link = NULL;
    open->bytes -= chunk->size;

    im_chunk_free(open->logs, chunk);
}


void
im_log_undo(im_log_t *log)
{
    uint32_t     len;
    im_open_t   *open;
    im_chunk_t  *chunk;

    open = log->open;
    chunk = open->last;
    chunk->nframes--;

    len = chunk->nframes > 0 ? *im_chunk_end(chunk, chunk->nframes - 1) : 0;

    log->head -= chunk->len - len;
    chunk->len = len;

    if (chunk->nframes == 0) {
        im_log_drop(open);
    }

    im_log_trim(open->logs, log, 0);
}


void
im_sub_live(im_logs_t *logs, im_sub_t *sub)
{
    if (sub->state != IM_SUB_JOINING) {
        return;
    }

    im_ring_remove(&logs->lists, &sub->log->joining, sub->index);
    im_ring_insert(&logs->lists, &sub->log->live, sub->index);

    sub->cursor = sub->log->head;
    sub->state = IM_SUB_IDLE;
}


/* Finds the last frame end within max bytes after offset, or offset. */
static uint32_t
im_chunk_cut(im_chunk_t *chunk, uint32_t offset, size_t max)
{
    uint32_t  frame, end;

    if (max >= chunk->len - offset) {
        return chunk->len;
    }

    frame = im_chunk_frame(chunk, offset + max);

    if (frame == 0) {
        return offset;
    }

    end = *im_chunk_end(chunk, frame - 1);

    return im_max(end, offset);
}


/* Finds the first cut in [offset, end); end: there is none. */
static uint32_t
im_chunk_before_cut(im_chunk_t *chunk, uint32_t offset, uint32_t end)
{
    uint32_t  frame, last;

    frame = im_chunk_frame(chunk, offset);

    for ( ;; ) {
        last = *im_chunk_end(chunk, frame);

        if (im_chunk_is_cut(chunk, frame)) {
            return last - IM_LOG_CUT;
        }

        if (last >= end) {
            return end;
        }

        frame++;
    }
}


im_uint_t
im_sub_read(const im_sub_t *sub, im_str_t *pieces, im_uint_t n, size_t max,
    size_t *total)
{
    uint32_t     offset, end, cut;
    im_uint_t    i;
    im_chunk_t  *chunk;

    *total = 0;

    if (im_sub_state(sub) < IM_SUB_PENDING) {
        return 0;
    }

    chunk = im_log_chunk(sub->log, sub->cursor);
    offset = sub->cursor - chunk->start;

    for (i = 0; i < n && chunk != NULL; i++) {

        end = im_chunk_cut(chunk, offset, max - *total);

        if (end == offset) {

            /* Not even one frame fits: at the start, give it all the same. */

            if (*total > 0) {
                break;
            }

            end = *im_chunk_end(chunk, im_chunk_frame(chunk, offset));
        }

        if (sub->log->open->ncuts > 0) {
            cut = im_chunk_before_cut(chunk, offset, end);

            if (cut < end) {
                pieces[i] = im_str_set(chunk->data + offset, cut - offset);
                *total += cut - offset;

                return cut > offset ? i + 1 : i;
            }
        }

        pieces[i] = im_str_set(chunk->data + offset, end - offset);
        *total += end - offset;

        if (end < chunk->len || *total >= max) {
            return i + 1;
        }

        chunk = chunk->next;
        offset = 0;
    }

    return i;
}


void
im_sub_advance(im_sub_t *sub, size_t n)
{
    im_log_t        *log;
    im_rings_t      *lists;
    im_sub_state_e   state;

    state = im_sub_state(sub);

    if (state < IM_SUB_PENDING) {
        return;
    }

    log = sub->log;
    sub->cursor += (uint32_t) n;

    if (sub->cursor != log->head) {
        return;
    }

    sub->state = IM_SUB_IDLE;

    if (log->live.first == sub->index) {
        im_ring_rotate(&log->live, &sub->link);
        return;
    }

    lists = &log->open->logs->lists;

    im_ring_remove(lists, im_log_list(log, state), sub->index);
    im_ring_insert(lists, &log->live, sub->index);
}


void
im_sub_block(im_sub_t *sub)
{
    im_log_t    *log;
    im_rings_t  *lists;

    if (im_sub_state(sub) != IM_SUB_PENDING) {
        return;
    }

    log = sub->log;
    lists = &log->open->logs->lists;

    im_ring_remove(lists, &log->live, sub->index);
    im_ring_insert(lists, &log->blocked, sub->index);

    sub->state = IM_SUB_BLOCKED;
}


void
im_sub_unblock(im_sub_t *sub)
{
    im_log_t    *log;
    im_rings_t  *lists;

    if (sub->state != IM_SUB_BLOCKED) {
        return;
    }

    log = sub->log;
    lists = &log->open->logs->lists;

    im_ring_remove(lists, &log->blocked, sub->index);
    im_ring_insert_head(lists, &log->live, sub->index);

    sub->state = IM_SUB_PENDING;
}


size_t
im_sub_unfinished(const im_sub_t *sub)
{
    uint32_t     offset, frame;
    im_chunk_t  *chunk;

    if (im_sub_state(sub) < IM_SUB_PENDING) {
        return 0;
    }

    chunk = im_log_chunk(sub->log, sub->cursor);
    offset = sub->cursor - chunk->start;
    frame = im_chunk_frame(chunk, offset);

    if (offset == (frame == 0 ? 0 : *im_chunk_end(chunk, frame - 1))) {
        return 0;
    }

    return *im_chunk_end(chunk, frame) - offset;
}
