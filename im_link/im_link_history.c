/*
 * Copyright (C) The im authors
 *
 * Pages of history.
 */

#include "im_link_history.h"
#include "im_key.h"
#include "im_list.h"


/* One range; owned by the list it is in. */
typedef struct {
    im_list_t             link;
    im_list_t             waiters;
    im_link_history_t    *owner;
    im_link_range_t       range;      /* its topic is in this block */
    int                   out;
} im_link_read_t;


typedef struct {
    im_list_t             link;
    im_link_page_pt       handler;
    void                 *data;
} im_link_reader_t;


struct im_link_history_s {
    im_link_t            *link;
    im_list_t             reads;
};


static im_int_t im_link_read_send(im_link_read_t *read);


im_link_history_t *
im_link_history_create(im_link_t *link)
{
    im_link_history_t  *history;

    history = im_alloc(sizeof(im_link_history_t));

    if (history != NULL) {
        history->link = link;
        im_list_init(&history->reads);
    }

    return history;
}


void
im_link_history_destroy(im_link_history_t *history)
{
    im_free(history);
}


/* The one that is out, or that waits for its turn. */
static im_link_read_t *
im_link_read_find(const im_link_history_t *history,
    const im_link_range_t *range, int out)
{
    im_list_t              *q;
    im_link_read_t         *read;
    const im_link_range_t  *r;

    for (q = im_list_first(&history->reads);
         q != im_list_sentinel(&history->reads);
         q = im_list_next(q))
    {
        read = im_list_data(q, im_link_read_t, link);
        r = &read->range;

        if (read->out == out && r->since == range->since
            && r->limit == range->limit && r->bytes == range->bytes
            && r->reverse == range->reverse
            && im_str_eq(r->topic, range->topic))
        {
            return read;
        }
    }

    return NULL;
}


/* Envelopes stand behind the messages, in one block. */
static im_int_t
im_link_read_messages(const im_link_range_t *range,
    const im_link_reply_t *entries, im_link_page_t *page)
{
    im_str_t                d;
    im_uint_t               i, n;
    im_message_t           *m;
    im_envelope_t          *e;

    n = im_link_reply_len(entries);

    m = im_calloc(n * (sizeof(im_message_t) + sizeof(im_envelope_t)) + 1);
    if (m == NULL) {
        return IM_ERROR;
    }

    page->messages = m;
    page->n = n;
    e = (im_envelope_t *) (m + n);

    for (i = 0; i < n; i++, m++, e++) {
        m->topic = range->topic;
        m->epoch = page->epoch;
        m->seq = im_link_reply_entry(im_link_reply_at(entries, i), &d);
        m->envelope = e;
        m->numbered = 1;

        if (m->seq == 0 || im_envelope_decode(d, e) != IM_OK) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


static void
im_link_read_done(im_link_read_t *read, const im_link_page_t *page)
{
    im_link_reader_t  *reader;

    while (!im_list_empty(&read->waiters)) {
        reader = im_list_data(im_list_first(&read->waiters), im_link_reader_t,
                              link);
        im_list_remove(&reader->link);

        reader->handler(page, reader->data);
        im_free(reader);
    }

    im_free(read);
}


static void
im_link_read_handler(const im_link_reply_t *reply, void *data)
{
    im_link_page_t   page;
    im_link_read_t  *read = data, *next;

    static const im_link_page_t  away = { .why = "redis is away" };

    memset(&page, 0, sizeof(im_link_page_t));

    page.epoch = im_link_reply_str_at(reply, 0);
    page.top = (uint64_t) im_link_reply_int_at(reply, 1, 0);
    page.past = im_link_reply_str_at(reply, 2);

    if (reply == NULL || im_link_reply_is_error(reply)) {
        page.why = reply == NULL ? "redis is away" : "redis refused it";
        page.error = im_link_reply_str(reply);

    } else if (!im_link_reply_is_array(reply, 4)
               || im_link_read_messages(&read->range,
                                        im_link_reply_at(reply, 3), &page)
                  != IM_OK)
    {
        page.n = 0;
        page.why = "the history holds nonsense";
    }

    im_list_remove(&read->link);
    next = im_link_read_find(read->owner, &read->range, 0);

    if (next != NULL && im_link_read_send(next) != IM_OK) {
        im_list_remove(&next->link);
        im_link_read_done(next, &away);
    }

    im_link_read_done(read, &page);

    im_free(page.messages);
}


static im_int_t
im_link_read_send(im_link_read_t *read)
{
    uint16_t          p;
    im_link_t        *link;
    im_link_call_t   *call;
    const im_keys_t  *keys;
    im_link_range_t  *range;

    link = read->owner->link;
    range = &read->range;
    keys = im_link_keys(link);
    p = im_partition(range->topic, im_max(im_link_partitions(link), 1));

    call = im_link_script(link, &im_script_page);

    im_key_topic(&call->bytes, keys, p, range->topic, IM_KEY_META);
    im_link_call_key(call);
    im_key_topic(&call->bytes, keys, p, range->topic, IM_KEY_HISTORY);
    im_link_call_key(call);

    im_link_call_z(call, range->reverse ? "1" : "");

    if (range->since != 0) {
        im_buf_add_uint(&call->bytes, range->since);
    }

    im_link_call_arg(call);
    im_link_call_uint(call, range->limit);
    im_link_call_uint(call, range->bytes);

    read->out = 1;

    return im_link_send(link, im_link_read_handler, read);
}


im_int_t
im_link_history_read(im_link_history_t *history, const im_link_range_t *range,
    im_link_page_pt handler, void *data)
{
    im_link_read_t    *read;
    im_link_reader_t  *reader;

    reader = im_alloc(sizeof(im_link_reader_t));
    if (reader == NULL) {
        return IM_ERROR;
    }

    reader->handler = handler;
    reader->data = data;

    read = im_link_read_find(history, range, 0);

    if (read == NULL) {
        read = im_calloc(sizeof(im_link_read_t) + range->topic.len);
        if (read == NULL) {
            goto failed;
        }

        read->owner = history;
        read->range = *range;
        read->range.topic = im_str_set(read + 1, range->topic.len);
        im_copy(read->range.topic.data, range->topic.data, range->topic.len);

        im_list_init(&read->waiters);

        if (im_link_read_find(history, range, 1) == NULL
            && im_link_read_send(read) != IM_OK)
        {
            goto failed;
        }

        im_list_insert_tail(&history->reads, &read->link);
    }

    im_list_insert_tail(&read->waiters, &reader->link);

    return IM_OK;

failed:

    im_free(read);
    im_free(reader);

    return IM_ERROR;
}


int
im_link_page_continues(const im_link_page_t *page, im_str_t epoch,
    uint64_t seq)
{
    size_t     at, end;
    uint64_t   last;
    im_str_t   pair, name;
    u_char    *space;

    if (im_str_eq(epoch, page->epoch)) {
        return seq <= page->top;
    }

    for (at = 0; at < page->past.len; at = end + 1) {
        space = memchr(page->past.data + at, ' ', page->past.len - at);
        end = space != NULL ? (size_t) (space - page->past.data)
                            : page->past.len;

        pair = im_str_set(page->past.data + at, end - at);

        if (im_position_decode(pair, &name, &last) == IM_OK
            && im_str_eq(name, epoch))
        {
            return seq <= last;
        }
    }

    return 0;
}
