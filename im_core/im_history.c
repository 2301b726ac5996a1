/*
 * Copyright (C) The im authors
 *
 * The order of a topic's messages, and its history.
 *
 * Messages that pub/sub has lost are read forwards, behind the topic's
 * position; meanwhile its entries are held, as bytes of a batch and bounded.
 * A hole that history can't fill is counted and passed over: then delivery
 * goes on with what there is.
 *
 * A window has the recent messages of a topic that clients resume.  It begins
 * at the topic's position with the first client that asks for more.  What is
 * missing before it is read backwards, once for all clients, until the oldest
 * position asked for is there, history has no more, or the window is as long
 * as a client may be behind.  That of a pinned topic has all since then, as far
 * as all windows together have room.  So has a list of its entries without a
 * number, which a mark puts in order.
 */

#include "im_route.h"


#define IM_HISTORY_BYTES   (1024 * 1024)   /* of a page, about */
#define IM_HISTORY_BLOCK   1024
#define IM_HISTORY_UNUSED  60000           /* ms: a window is freed then */
#define IM_HISTORY_LATE    10              /* ticks: a mark is lost then */


static void
im_history_hold(im_route_t *route, const im_entry_t *entry)
{
    size_t            len;
    im_route_work_t  *work;

    work = im_route_work(route);

    if (work == NULL) {
        route->overflow = 1;
        return;
    }

    len = work->held.len;

    im_entry_encode(&work->held, entry);

    if (work->held.failed) {
        work->held.failed = 0;
        work->held.len = len;
        route->overflow = 1;
    }
}


/* The entries that are held. */
static im_str_t
im_history_bytes(const im_route_t *route)
{
    return route->work != NULL ? im_buf_str(&route->work->held)
                               : im_str_z("");
}


static void
im_recent_destroy(im_route_t *route)
{
    im_recent_t  *recent;

    recent = im_route_recent(route);

    if (recent == NULL) {
        return;
    }

    route->work->recent = NULL;

    im_list_remove(&recent->link);
    im_window_cleanup(&recent->window);
    im_free(recent);
}


static void
im_kept_destroy(im_route_t *route, im_kept_t *kept)
{
    route->follow->bytes.bytes -= sizeof(im_kept_t) + kept->len;

    im_list_remove(&kept->link);
    im_free(kept);
}


/* From now on all is kept that comes. */
static void
im_kept_forget(im_route_t *route)
{
    im_list_t  *list;

    list = &route->work->kept;

    while (!im_list_empty(list)) {
        im_kept_destroy(route, im_list_data(im_list_first(list), im_kept_t,
                                            link));
    }

    route->work->kept_from = route->mark;
}


/*
 * The messages up to seq are lost.  Where the numbers go back, those without
 * one have no place between them any more.
 */
static im_int_t
im_history_skip(im_route_t *route, im_str_t epoch, uint64_t seq)
{
    im_follow_t  *follow;

    follow = route->follow;

    follow->events->hole(follow->ctx, route->topic, seq);

    if (follow->events->moved(follow->ctx, route->topic, epoch, seq, 0)
        != IM_OK)
    {
        return IM_ERROR;
    }

    im_recent_destroy(route);

    if (seq < route->topic->seq && im_route_pinned(route)) {
        im_kept_forget(route);
    }

    return IM_OK;
}


static im_str_t
im_history_epoch(const im_topic_t *topic)
{
    return im_str_set(topic->epoch.data, topic->epoch.len);
}


/*
 * History has nothing before this entry of its own, and a topic without
 * history never has: the gap is passed over.
 */
static int
im_history_passed(im_route_t *route, const im_entry_t *entry,
    im_history_from_e from)
{
    im_topic_t  *topic;

    topic = route->topic;

    if ((from != IM_FROM_HISTORY && route->upper.numbered)
        || im_history_skip(route, im_history_epoch(topic), entry->seq - 1)
           != IM_OK)
    {
        return 0;
    }

    topic->seq = entry->seq - 1;

    return 1;
}


/* Entries that it may have. */
static size_t
im_recent_max(const im_recent_t *recent)
{
    return im_route_pinned(recent->route) ? SIZE_MAX : recent->max;
}


/*
 * All windows together make room for so many bytes.  Those not used for longest
 * go first.  The one of this route stays, as do those that upper layers wait
 * for and those of pinned topics.
 */
static int
im_recent_room(im_route_t *but, size_t bytes)
{
    size_t        max;
    im_list_t    *q;
    im_route_t   *route;
    im_follow_t  *follow;

    follow = but->follow;
    max = follow->limits.windows_bytes;

    q = im_list_first(&follow->windows);

    while (follow->bytes.bytes + bytes > max
           && q != im_list_sentinel(&follow->windows))
    {
        route = im_list_data(q, im_recent_t, link)->route;
        q = im_list_next(q);

        if (route != but && route->load == IM_LOAD_NONE
            && !im_route_pinned(route))
        {
            im_recent_destroy(route);
            im_route_rest(route);
        }
    }

    return follow->bytes.bytes + bytes <= max;
}


static void
im_recent_bound(im_recent_t *recent)
{
    if (!im_recent_room(recent->route, 0)) {
        im_window_trim(&recent->window, recent->window.bytes / 2,
                       im_recent_max(recent));
        recent->floor = im_max(recent->floor, recent->window.from);
    }
}


/* The mark of the last one that is kept, or where they begin. */
static uint64_t
im_kept_last(im_route_t *route)
{
    im_list_t  *list;

    list = &route->work->kept;

    return im_list_empty(list)
           ? route->work->kept_from
           : im_list_data(im_list_last(list), im_kept_t, link)->mark;
}


/*
 * Marks rise in the list, so one that comes again isn't added.  Without memory,
 * or room in all windows, those before it are no good.
 */
static void
im_kept_add(im_route_t *route, const im_entry_t *entry, uint64_t mark)
{
    size_t      len;
    im_kept_t  *kept;

    if (mark <= im_kept_last(route)) {
        return;
    }

    len = entry->envelope.len;

    kept = im_recent_room(route, sizeof(im_kept_t) + len)
           ? im_alloc(sizeof(im_kept_t) + len) : NULL;

    if (kept == NULL) {
        im_kept_forget(route);
        return;
    }

    kept->seq = route->topic->seq;
    kept->mark = mark;
    kept->kind = entry->kind;
    kept->len = len;

    im_copy(kept->envelope, entry->envelope.data, len);

    im_list_insert_tail(&route->work->kept, &kept->link);

    route->follow->bytes.bytes += sizeof(im_kept_t) + len;
}


/*
 * An entry without a number is in no history: it goes to those that follow now,
 * once at most.  Sessions that come to a pinned topic have all up to where it
 * was pinned.
 */
static void
im_history_unnumbered(im_route_t *route, const im_entry_t *entry)
{
    uint64_t      mark;
    im_follow_t  *follow;

    follow = route->follow;
    mark = im_entry_mark(entry);

    if (mark > 0 && im_route_pinned(route) && mark <= route->work->pinned_at) {
        return;
    }

    (void) follow->events->message(follow->ctx, route->topic, entry, 0);

    route->mark = im_max(route->mark, mark);

    if (mark > 0 && im_route_pinned(route)) {
        im_kept_add(route, entry, mark);
    }

    im_late_end(route);
}


/* Up to the topic's position, and used now.  NULL: no memory. */
static im_recent_t *
im_recent_get(im_route_t *route)
{
    uint64_t          seq;
    im_follow_t      *follow;
    im_recent_t      *recent;
    im_route_work_t  *work;

    follow = route->follow;
    recent = im_route_recent(route);
    seq = route->topic->seq;

    if (recent == NULL) {
        work = im_route_work(route);
        if (work == NULL) {
            return NULL;
        }

        recent = im_calloc(sizeof(im_recent_t));
        if (recent == NULL) {
            im_route_rest(route);
            return NULL;
        }

        im_window_init(&recent->window, &follow->bytes, seq);
        im_list_init(&recent->link);

        recent->route = route;
        recent->max = route->rule != NULL ? route->rule->history : 0;
        work->recent = recent;
    }

    if (im_window_top(&recent->window) != seq) {
        im_window_reset(&recent->window, seq);
        recent->floor = recent->floor > seq ? 0 : recent->floor;
    }

    recent->used = follow->now;

    im_list_remove(&recent->link);
    im_list_insert_tail(&follow->windows, &recent->link);

    return recent;
}


static im_int_t
im_history_append(im_route_t *route, const im_entry_t *entry, int healed)
{
    im_int_t      rc;
    im_follow_t  *follow;
    im_recent_t  *recent;

    follow = route->follow;
    recent = im_route_recent(route);

    /* the first one of a pinned topic, or the first one behind a hole */

    if (recent == NULL && im_route_pinned(route)) {
        recent = im_recent_get(route);
    }

    rc = follow->events->message(follow->ctx, route->topic, entry, healed);

    if (rc == IM_ERROR) {
        return IM_ERROR;
    }

    route->topic->seq = entry->seq;

    if (rc == IM_OK && recent != NULL) {
        (void) im_window_append(&recent->window, entry->seq, entry->envelope);

        im_window_trim(&recent->window,
                       im_route_pinned(route) ? follow->limits.windows_bytes
                                              : follow->limits.recovery_bytes,
                       im_recent_max(recent));
        im_recent_bound(recent);
    }

    return IM_OK;
}


/*
 * A page didn't come, and entries wait for the next one.  Later entries wait
 * behind them: a topic without history would pass them over.
 */
static int
im_history_stuck(const im_route_t *route)
{
    return route->history == IM_HISTORY_AGAIN
           && im_history_bytes(route).len > 0;
}


/*
 * An entry that doesn't follow although the page was asked for behind it is
 * one that Redis has lost: its number is given to another message.
 */
void
im_history_put(im_route_t *route, const im_entry_t *entry,
    im_history_from_e from)
{
    size_t       blocks;
    im_offer_e   offer;
    im_topic_t  *topic;

    topic = route->topic;

    blocks = entry->envelope.len / IM_HISTORY_BLOCK + 1;
    route->largest = (uint16_t) im_max(route->largest,
                                       im_min(blocks, UINT16_MAX));

    if (topic->state != IM_TOPIC_LIVE || im_history_stuck(route)) {
        im_history_hold(route, entry);
        return;
    }

    if (entry->seq == 0) {
        im_history_unnumbered(route, entry);
        return;
    }

    offer = im_topic_offer(topic, entry->epoch, entry->seq);

    if (offer == IM_OFFER_DROP) {
        return;
    }

    if (from == IM_FROM_HELD
        && (offer == IM_OFFER_ASK
            || (offer == IM_OFFER_GAP && route->upper.numbered)))
    {
        return;
    }

    if (offer == IM_OFFER_GAP && im_history_passed(route, entry, from)) {
        offer = IM_OFFER_APPEND;
    }

    if (offer == IM_OFFER_APPEND
        && im_history_append(route, entry, from == IM_FROM_HISTORY) == IM_OK)
    {
        return;
    }

    im_history_hold(route, entry);
    im_history_heal(route);
}


/*
 * Puts the held entries again: the rest is held anew if one of them begins to
 * heal.  Or the position goes back: what is old now stays old, and is dropped.
 */
static void
im_history_replay(im_route_t *route, int put)
{
    size_t             asked;
    im_buf_t           held;
    im_entry_t         entry;
    im_reader_t        reader;
    im_history_from_e  from;

    if (route->work == NULL) {
        return;
    }

    held = route->work->held;
    asked = route->work->asked;

    im_buf_init(&route->work->held, held.max);
    route->work->asked = 0;

    im_reader_init(&reader, im_buf_str(&held));

    while (im_entry_decode(&reader, &entry) == IM_OK) {
        from = reader.p <= held.data + asked ? IM_FROM_HELD : IM_FROM_QUEUE;

        if (put) {
            im_history_put(route, &entry, from);

        } else if (im_topic_offer(route->topic, entry.epoch, entry.seq)
                   != IM_OFFER_DROP)
        {
            im_history_hold(route, &entry);
        }

        if (!put && from == IM_FROM_HELD) {
            route->work->asked = route->work->held.len;
        }
    }

    im_buf_cleanup(&held);
}


/* Entries wait for a page. */
static int
im_history_held(const im_route_t *route)
{
    return route->history >= IM_HISTORY_READING;
}


void
im_history_release(im_route_t *route)
{
    im_history_replay(route, 1);

    if (route->overflow && !im_history_held(route)) {
        route->overflow = 0;
        im_history_heal(route);
    }
}


/* The only setter: a topic that reads history holds its entries. */
static void
im_history_set(im_route_t *route, im_history_e history)
{
    route->history = (uint8_t) history;

    if (route->topic->state == IM_TOPIC_LIVE
        || route->topic->state == IM_TOPIC_HEALING)
    {
        route->topic->state = im_history_held(route) ? IM_TOPIC_HEALING
                                                     : IM_TOPIC_LIVE;
    }
}


void
im_history_later(im_route_t *route)
{
    im_history_set(route, IM_HISTORY_AGAIN);
    im_route_poll(route);
}


/* A topic without a position gets it with its first report. */
void
im_history_heal(im_route_t *route)
{
    size_t        blocks;
    im_read_t     read;
    im_topic_t   *topic;
    im_follow_t  *follow;

    topic = route->topic;
    follow = route->follow;

    if (im_history_held(route) || topic->state == IM_TOPIC_NEW
        || !im_route_up(route))
    {
        return;
    }

    read.back = 0;
    read.seq = topic->seq;
    read.bytes = 0;

    /* about one page, judged by the largest message seen */

    blocks = im_max(route->largest, 1);
    read.limit = im_min(im_max(IM_HISTORY_BYTES / IM_HISTORY_BLOCK / blocks, 1),
                        IM_FOLLOW_ENTRIES);

    if (follow->commands->read(follow->ctx, route, topic, &read) != IM_OK) {
        im_history_later(route);
        return;
    }

    if (route->work != NULL) {
        route->work->asked = route->work->held.len;
    }

    im_history_set(route, IM_HISTORY_READING);
}


/* A jump in history is where the window begins. */
static void
im_recent_back(im_route_t *route, const im_page_t *page)
{
    size_t        max;
    im_uint_t     i;
    im_recent_t  *recent;

    recent = im_route_recent(route);
    max = route->follow->limits.recovery_bytes;

    /* another epoch has begun, which isn't known here yet */

    if (!im_str_eq(page->epoch, im_history_epoch(route->topic))) {
        im_history_heal(route);
        return;
    }

    if (recent == NULL || recent->window.from != recent->before) {
        return;
    }

    if (page->n == 0) {
        recent->floor = recent->window.from;
    }

    for (i = 0; i < page->n && recent->window.bytes < max; i++) {

        if (page->entries[i].seq == 0
            || im_window_prepend(&recent->window, page->entries[i].seq,
                                 page->entries[i].envelope)
               != IM_OK)
        {
            recent->floor = recent->window.from;
            break;
        }
    }

    im_recent_bound(recent);
}


/*
 * An epoch may begin with lower marks than those of the last one: Redis has
 * lost these, and the clock that marks come from has been set back.  Then what
 * came before is of no use to sessions that move, and nothing is old.
 */
static void
im_history_remark(im_route_t *route, const im_page_t *page)
{
    im_route_work_t  *work;

    work = route->work;

    if (im_str_eq(page->epoch, im_history_epoch(route->topic))) {
        return;
    }

    if (work != NULL) {
        work->lacks = im_min(work->lacks, page->mark);
        work->later = im_min(work->later, page->mark);
        work->own = im_min(work->own, page->mark);
        work->late_own = im_min(work->late_own, page->mark);
    }

    if (page->mark >= route->mark) {
        return;
    }

    route->mark = page->mark;

    if (im_route_pinned(route)) {
        im_kept_forget(route);
        work->pinned_at = 0;
    }
}


/*
 * Held entries are still delivered: the hole ends before the first one that is
 * new to us.  When Redis itself has lost messages, numbers of the epoch it has
 * now count alone.
 */
static void
im_history_hole(im_route_t *route, const im_page_t *page)
{
    int           lost;
    uint64_t      next;
    im_topic_t   *topic;
    im_entry_t    entry;
    im_reader_t   reader;

    topic = route->topic;
    next = page->top;
    lost = topic->seq > next;

    if (lost) {
        im_history_replay(route, 0);
    }

    im_reader_init(&reader, im_history_bytes(route));

    while (im_entry_decode(&reader, &entry) == IM_OK) {

        if (lost ? !im_str_eq(entry.epoch, page->epoch)
                 : entry.seq <= topic->seq)
        {
            continue;
        }

        if (entry.seq > 0 && entry.seq <= next) {
            next = entry.seq - 1;
        }
    }

    /* what history lacks is held */

    if (next == topic->seq
        && im_str_eq(page->epoch, im_history_epoch(topic)))
    {
        im_history_release(route);
        return;
    }

    im_history_remark(route, page);

    /* followers have moved: without memory, earlier epochs are asked for */

    if (im_history_skip(route, page->epoch, next) != IM_OK
        || (im_topic_position(topic, page->epoch, next, page->past) != IM_OK
            && im_topic_position(topic, page->epoch, next, im_str_z(""))
               != IM_OK))
    {
        im_history_later(route);
        return;
    }

    im_history_release(route);
}


static void
im_history_entries(im_route_t *route, const im_page_t *page)
{
    im_uint_t   i;
    im_entry_t  entry;

    entry.kind = IM_PUSH_MESSAGE;
    entry.topic = im_topic_name(route->topic);
    entry.epoch = im_history_epoch(route->topic);

    for (i = 0; i < page->n && route->history == IM_HISTORY_WHOLE; i++) {

        if (page->entries[i].seq == 0) {
            continue;
        }

        entry.seq = page->entries[i].seq;
        entry.envelope = page->entries[i].envelope;

        im_history_put(route, &entry, IM_FROM_HISTORY);
    }
}


/* History comes faster than a socket takes it: no session shall fall out. */
static void
im_history_more(im_route_t *route)
{
    im_log_t     *log;
    im_follow_t  *follow;

    follow = route->follow;

    follow->events->flush(follow->ctx);

    if (im_route_ended(route)) {
        return;
    }

    for (log = route->topic->logs; log != NULL; log = log->next) {

        if (im_log_bytes(log) > follow->limits.log_bytes / 2) {
            im_history_set(route, IM_HISTORY_PAUSED);
            im_route_poll(route);
            return;
        }
    }

    im_history_heal(route);
}


/*
 * Messages without a history are lost only once the queue is empty: the page
 * before this one was read after that, too, since the last batch of the queue
 * may not have been read when Redis said so.
 */
static int
im_history_waits(im_route_t *route, const im_page_t *page)
{
    int  waited;

    if (page->status == IM_PAGE_WAITS) {
        route->waited = 1;
        return 1;
    }

    if (page->status != IM_PAGE_HOLE || route->upper.numbered
        || !im_str_eq(im_history_epoch(route->topic), page->epoch))
    {
        return 0;
    }

    waited = route->waited;
    route->waited = 0;

    return waited;
}


/*
 * The queue is the partition's: while it has messages, one topic asks each
 * second, for all that wait.  With a page that is whole twice as many may ask;
 * a hole says that the queue is empty, and all may.
 */
static void
im_history_asked(im_route_t *route, const im_page_t *page)
{
    im_follow_partition_t  *part;

    part = &route->follow->partitions[route->partition];

    if (page->status == IM_PAGE_WAITS) {
        part->most = 1;

    } else if (route->waited) {
        part->most = page->status == IM_PAGE_HOLE
                     ? UINT32_MAX : im_max(part->most * 2, part->most);
    }
}


static int
im_history_asks(im_route_t *route)
{
    im_follow_t            *follow;
    im_follow_partition_t  *part;

    follow = route->follow;
    part = &follow->partitions[route->partition];

    if (!route->waited) {
        return 1;
    }

    if (part->asked != follow->now) {
        part->asked = follow->now;
        part->left = part->most;
    }

    if (part->left == 0) {
        return 0;
    }

    part->left--;

    return 1;
}


/* The topic takes the page's epoch.  IM_ERROR: not now. */
static im_int_t
im_history_position(im_route_t *route, const im_page_t *page)
{
    im_topic_t   *topic;
    im_follow_t  *follow;

    topic = route->topic;
    follow = route->follow;

    if (!im_str_eq(im_history_epoch(topic), page->epoch)
        && follow->events->moved(follow->ctx, topic, page->epoch, topic->seq, 1)
           != IM_OK)
    {
        return IM_ERROR;
    }

    return im_topic_position(topic, page->epoch, topic->seq, page->past);
}


static void
im_history_forward(im_route_t *route, const im_page_t *page)
{
    uint64_t     before;
    im_topic_t  *topic;

    topic = route->topic;

    im_history_asked(route, page);

    /* a report begins an epoch where Redis knows nothing of the topic */

    if (page->epoch.len == 0) {
        im_route_again(route);
        im_history_later(route);
        return;
    }

    /* entries that came with the page may be those that it lacks */

    if (im_history_waits(route, page)) {
        im_history_later(route);
        im_history_release(route);
        return;
    }

    if (page->status == IM_PAGE_HOLE) {
        im_history_hole(route, page);
        return;
    }

    before = topic->seq;

    im_history_remark(route, page);

    if (im_history_position(route, page) != IM_OK) {
        im_history_later(route);
        return;
    }

    im_history_entries(route, page);

    if (route->history != IM_HISTORY_WHOLE) {
        return;
    }

    if (page->status == IM_PAGE_MORE && topic->seq > before) {
        im_history_more(route);
        return;
    }

    im_history_release(route);
}


void
im_follow_page(im_route_t *route, int back, const im_page_t *page)
{
    im_follow_t  *follow;

    follow = route->follow;

    if (back) {
        route->load = IM_LOAD_WANTED;

    } else {
        im_history_set(route, IM_HISTORY_WHOLE);
    }

    if (im_route_ended(route)) {
        route->load = back ? IM_LOAD_NONE : route->load;
        im_route_end(route);
        return;
    }

    if (page == NULL) {

        if (!back) {
            im_history_set(route, IM_HISTORY_AGAIN);
        }

        im_route_poll(route);
        return;
    }

    if (back) {
        im_recent_back(route, page);
        im_history_event(route, IM_HISTORY_LOADED);
        return;
    }

    im_history_forward(route, page);

    if (!im_route_ended(route)
        && (route->history == IM_HISTORY_WHOLE
            || page->status == IM_PAGE_WAITS))
    {
        im_history_event(route, IM_HISTORY_POSITION);
    }

    im_route_rest(route);

    follow->events->flush(follow->ctx);
}


void
im_history_event(im_route_t *route, im_follow_history_e why)
{
    if (route->load == IM_LOAD_WANTED) {
        route->load = IM_LOAD_NONE;
    }

    route->follow->events->history(route->follow->ctx, route->topic, why);
}


void
im_history_pinned(im_route_t *route)
{
    im_kept_forget(route);

    route->work->pinned_at = route->mark;
}


void
im_history_marked(im_route_t *route, uint64_t mark)
{
    if (mark <= route->mark) {
        return;
    }

    route->mark = mark;

    if (im_route_pinned(route)) {
        im_history_pinned(route);
    }
}


/*
 * An entry is on its way for less than a second, or waits in the queue for some
 * more.  Sessions don't move without it until then.  After that it is lost.
 */
static void
im_history_poll_marks(im_route_t *route)
{
    im_route_work_t  *work;

    work = route->work;

    if (work == NULL || work->lacks == 0) {
        return;
    }

    if (work->lacks > route->mark && ++work->late == IM_HISTORY_LATE) {
        route->mark = work->lacks;
        im_kept_forget(route);
        im_late_end(route);
    }

    if (work->lacks <= route->mark) {
        work->lacks = work->later > route->mark ? work->later : 0;
        work->later = 0;
        work->late = 0;
    }

    if (work->lacks != 0) {
        im_route_poll(route);

    } else {
        im_route_rest(route);
    }
}


void
im_history_lacks(im_route_t *route, uint64_t mark)
{
    im_route_work_t  *work;

    if (mark <= route->mark) {
        return;
    }

    work = im_route_work(route);

    if (work == NULL) {
        return;
    }

    if (work->lacks == 0) {
        work->lacks = mark;
        work->late = 0;

    } else {
        work->later = im_max(work->later, mark);
    }

    im_route_poll(route);
}


void
im_history_poll(im_route_t *route)
{
    im_route_work_t  *work;

    im_history_event(route, IM_HISTORY_POLLED);
    im_history_poll_marks(route);

    if (route->history == IM_HISTORY_PAUSED) {
        im_history_set(route, IM_HISTORY_WHOLE);
        im_history_heal(route);
        return;
    }

    if (route->history == IM_HISTORY_AGAIN) {

        if (im_history_asks(route)) {
            im_history_heal(route);

        } else {
            im_route_poll(route);
        }

        return;
    }

    work = route->work;

    if (work == NULL || work->expect == 0) {
        return;
    }

    if (work->expect > route->topic->seq && !route->waited) {
        route->waited = 1;
        im_route_poll(route);
        return;
    }

    if (work->expect > route->topic->seq) {
        im_history_heal(route);
    }

    work->expect = 0;
    im_route_rest(route);
}


void
im_history_end(im_route_t *route)
{
    if (route->history != IM_HISTORY_READING) {
        im_history_set(route, IM_HISTORY_WHOLE);
    }

    im_recent_destroy(route);

    if (route->work != NULL) {
        im_kept_forget(route);
        im_buf_cleanup(&route->work->held);
        route->work->expect = 0;
        route->work->lacks = 0;
        route->work->later = 0;
    }
}


im_int_t
im_follow_ask(im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (im_history_held(route)) {
        return IM_AGAIN;
    }

    im_history_heal(route);

    if (!im_history_held(route)) {
        im_route_poll(route);
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_follow_window(im_topic_t *topic, uint64_t seq)
{
    im_route_t   *route;
    im_recent_t  *recent;

    route = topic->data;
    recent = im_recent_get(route);

    if (recent == NULL) {
        return IM_DECLINED;
    }

    if (im_window_covers(&recent->window, seq)) {
        return IM_OK;
    }

    if (seq < recent->floor || !route->upper.numbered
        || recent->window.bytes >= route->follow->limits.recovery_bytes)
    {
        return IM_DECLINED;
    }

    return IM_AGAIN;
}


im_int_t
im_follow_kept(im_topic_t *topic, uint64_t *seq, uint64_t *mark)
{
    im_route_t   *route;
    im_recent_t  *recent;

    route = topic->data;

    if (topic->state == IM_TOPIC_NEW) {
        return IM_AGAIN;
    }

    recent = im_recent_get(route);
    *seq = recent != NULL ? recent->window.from : topic->seq;
    *mark = im_route_pinned(route) ? route->work->kept_from : route->mark;

    return IM_OK;
}


uint64_t
im_follow_mark(const im_topic_t *topic)
{
    const im_route_t  *route;

    route = topic->data;

    return route->mark;
}


const im_kept_t *
im_follow_next_kept(const im_topic_t *topic, const im_kept_t *kept)
{
    const im_list_t   *next;
    const im_route_t  *route;

    route = topic->data;
    next = im_list_next(&kept->link);

    return next != &route->work->kept ? im_list_data(next, im_kept_t, link)
                                      : NULL;
}


/* Most sessions have all but the last ones. */
const im_kept_t *
im_follow_first_kept(const im_topic_t *topic, uint64_t mark)
{
    const im_list_t   *q, *list;
    const im_kept_t   *kept, *first;
    const im_route_t  *route;

    route = topic->data;
    first = NULL;

    if (route->work == NULL) {
        return NULL;
    }

    list = &route->work->kept;

    for (q = im_list_last(list); q != list; q = q->prev) {
        kept = im_list_data(q, im_kept_t, link);

        if (kept->mark <= mark) {
            break;
        }

        first = kept;
    }

    return first;
}


im_int_t
im_follow_last(im_topic_t *topic, im_uint_t n, uint64_t *seq)
{
    im_route_t   *route;
    im_recent_t  *recent;

    *seq = topic->seq;

    route = topic->data;
    recent = im_recent_get(route);

    if (recent == NULL) {
        return IM_OK;
    }

    n = im_min(n, recent->max);

    *seq -= im_min(n, topic->seq);
    *seq = im_min(im_max(*seq, recent->floor), topic->seq);

    if (im_window_covers(&recent->window, *seq)) {
        return IM_OK;
    }

    if (recent->window.bytes >= route->follow->limits.recovery_bytes) {
        *seq = recent->window.from;
        return IM_OK;
    }

    return IM_AGAIN;
}


im_str_t
im_follow_envelope(im_topic_t *topic, uint64_t seq)
{
    return im_window_get(&im_route_recent(topic->data)->window, seq);
}


void
im_follow_load(im_topic_t *topic, uint64_t seq)
{
    size_t        left;
    im_read_t     read;
    im_route_t   *route;
    im_follow_t  *follow;
    im_recent_t  *recent;

    route = topic->data;
    follow = route->follow;
    recent = im_route_recent(route);

    if (route->load == IM_LOAD_READING) {
        return;
    }

    route->load = IM_LOAD_WANTED;

    if (im_history_held(route)) {
        return;
    }

    if (recent != NULL && seq < recent->window.from
        && im_route_up(route))
    {
        left = follow->limits.recovery_bytes;
        left -= im_min(left, recent->window.bytes);

        read.back = 1;
        read.seq = recent->window.from + 1;
        read.limit = im_min(recent->window.from - seq, IM_FOLLOW_ENTRIES);
        read.bytes = im_min(left, IM_HISTORY_BYTES);

        if (follow->commands->read(follow->ctx, route, topic, &read) == IM_OK)
        {
            route->load = IM_LOAD_READING;
            recent->before = recent->window.from;
            return;
        }
    }

    im_route_poll(route);
}


int
im_follow_loading(im_topic_t *topic)
{
    return ((im_route_t *) topic->data)->load == IM_LOAD_READING;
}


size_t
im_follow_window_bytes(im_topic_t *topic)
{
    im_recent_t  *recent;

    recent = im_route_recent(topic->data);

    return recent != NULL ? recent->window.bytes : 0;
}


/* What a call that is out reads is no good any more, either. */
void
im_follow_forget(im_topic_t *topic, uint64_t seq)
{
    uint64_t      top;
    im_recent_t  *recent;

    recent = im_route_recent(topic->data);

    if (recent == NULL) {
        return;
    }

    top = im_window_top(&recent->window);

    im_window_trim(&recent->window, SIZE_MAX, top > seq ? top - seq : 0);

    recent->floor = im_max(recent->floor, im_min(seq, top));
    recent->before = UINT64_MAX;
}


void
im_history_unpinned(im_route_t *route)
{
    im_kept_forget(route);

    if (!route->upper.numbered) {
        im_recent_destroy(route);
    }
}


void
im_history_tick(im_follow_t *follow, uint64_t now)
{
    im_route_t   *route;
    im_recent_t  *recent;

    while (!im_list_empty(&follow->windows)) {
        recent = im_list_data(im_list_first(&follow->windows), im_recent_t,
                              link);

        if (now - recent->used < IM_HISTORY_UNUSED) {
            return;
        }

        route = recent->route;

        if (im_route_pinned(route)) {
            (void) im_recent_get(route);
            continue;
        }

        im_recent_destroy(route);
        im_route_rest(route);
    }
}
