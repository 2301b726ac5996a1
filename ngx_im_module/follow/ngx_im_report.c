/*
 * Copyright (C) The im authors
 *
 * What im_follow wants of Redis, as calls of scripts, and their replies.
 */

#include "ngx_im_sync.h"
#include "im_control.h"


#define NGX_IM_REPORT_TTL      "172800"
#define NGX_IM_REPORT_META     2592000
#define NGX_IM_REPORT_QUEUE    "10000"         /* then others aren't notified */
#define NGX_IM_REPORT_CHANGES  65536           /* bytes, of a notice */
#define NGX_IM_REPORT_CHECKS   512
#define NGX_IM_REPORT_PAUSE    5               /* ms */


/* A call that is out. */
typedef struct {
    ngx_uint_t    n;
    im_route_t   *routes[1];
} ngx_im_reports_t;


/* Members that are moved: SESSION and JSON of each. */
typedef struct {
    im_buf_t      bytes;
    ngx_uint_t    n;
    size_t        ends[IM_FOLLOW_CHANGES];
} ngx_im_moved_t;


static void
ngx_im_report_key(ngx_im_worker_t *w, im_link_call_t *call, uint16_t p,
    im_str_t name, im_key_topic_e kind)
{
    im_key_topic(&call->bytes, im_link_keys(w->link), p, name, kind);
    im_link_call_key(call);
}


/* The members of a worker. */
static void
ngx_im_report_key_members(ngx_im_worker_t *w, im_link_call_t *call, uint16_t p,
    im_str_t name, im_str_t worker)
{
    im_key_members(&call->bytes, im_link_keys(w->link), p, name, worker);
    im_link_call_key(call);
}


/* The mark that this worker has left. */
static void
ngx_im_report_key_left(ngx_im_worker_t *w, im_link_call_t *call, uint16_t p,
    im_str_t name)
{
    im_key_left(&call->bytes, im_link_keys(w->link), p, name,
                im_buf_str(&w->id));
    im_link_call_key(call);
}


static void
ngx_im_report_keys(ngx_im_worker_t *w, im_link_call_t *call,
    const im_report_t *report)
{
    uint16_t  p;
    im_str_t  name;

    p = report->partition;
    name = report->topic;

    ngx_im_report_key(w, call, p, name, IM_KEY_ROUTES);
    ngx_im_report_key_members(w, call, p, name, im_buf_str(&w->id));
    ngx_im_report_key(w, call, p, name, IM_KEY_META);
    ngx_im_report_key(w, call, p, name, IM_KEY_HISTORY);
    ngx_im_report_key_left(w, call, p, name);
}


/* Appends what others may know of a session; NGX_DECLINED: it has left. */
static ngx_int_t
ngx_im_report_joined(ngx_im_worker_t *w, im_buf_t *b,
    const im_report_t *report, const im_change_t *change)
{
    im_sub_t           *sub;
    ngx_im_followed_t   f;

    sub = w->sync->events->find(w, change->session, report->topic);

    if (sub == NULL) {
        return NGX_DECLINED;
    }

    w->sync->events->describe(sub, &f);
    im_member_encode(b, &f.member);

    return NGX_OK;
}


/* The leave of a session that has come and gone since the last report. */
static const im_change_t *
ngx_im_report_left(const im_report_t *report, const im_change_t *joined)
{
    const im_list_t    *q;
    const im_change_t  *change;

    for (q = im_list_next(&joined->link);
         q != im_list_sentinel(report->changes);
         q = im_list_next(q))
    {
        change = im_list_data(q, im_change_t, link);

        if (!change->joined && change->session == joined->session) {
            return change;
        }
    }

    return NULL;
}


/* Appends a change; its length. */
static size_t
ngx_im_report_change(ngx_im_worker_t *w, im_buf_t *b,
    const im_report_t *report, const im_change_t *change)
{
    u_char                id[IM_UUID_LEN];
    size_t                start;
    im_buf_t              member;
    const im_change_t    *known;
    im_control_change_t   out;

    if (change->quiet) {
        return 0;
    }

    start = b->len;
    known = change;

    im_buf_init(&member, NGX_IM_REPORT_CHANGES);

    if (change->len == 0
        && ngx_im_report_joined(w, &member, report, change) != NGX_OK)
    {
        known = ngx_im_report_left(report, change);
    }

    if (known != NULL) {
        im_buf_add(&member, known->member, known->len);
    }

    if (member.failed) {
        b->failed = 1;

    } else if (member.len > 0) {
        im_id_uuid(id, change->id);

        out.joined = change->joined;
        out.late = change->late;
        out.member.session = im_str_set(id, IM_UUID_LEN);

        im_control_change_encode(b, &out, im_buf_str(&member));
    }

    im_buf_cleanup(&member);

    return b->len - start;
}


/*
 * Fills changes, with their bytes one after the other, and gives their number.
 * Those that don't fit go with the next report, and so do quiet ones behind
 * them.
 */
static ngx_uint_t
ngx_im_report_changes(ngx_im_worker_t *w, im_buf_t *bytes,
    im_report_t *report, im_str_t *changes)
{
    size_t       len, start;
    u_char      *p;
    im_list_t   *q;
    ngx_uint_t   i, k, n;

    n = 0;
    q = im_list_first(report->changes);

    for (k = 0; k < report->most && q != im_list_sentinel(report->changes); k++)
    {
        if (n == IM_CONTROL_CHANGES_MAX) {
            report->most = k;
            break;
        }

        start = bytes->len;

        len = ngx_im_report_change(w, bytes, report,
                                   im_list_data(q, im_change_t, link));

        if (bytes->failed) {
            bytes->failed = 0;
            bytes->len = start;
            report->most = ngx_max(k, 1);
            break;
        }

        if (len > 0) {
            changes[n++].len = len;
        }

        q = im_list_next(q);
    }

    for (i = 0, p = bytes->data; i < n; p += changes[i++].len) {
        changes[i].data = p;
    }

    return n;
}


/* Appends a control entry. */
static void
ngx_im_report_notice(ngx_im_worker_t *w, im_buf_t *b, im_report_t *report)
{
    im_buf_t       bytes;
    im_str_t       changes[IM_CONTROL_CHANGES_MAX];
    ngx_time_t    *now;
    im_control_t   control;

    now = ngx_timeofday();

    im_control_init(&control, IM_CONTROL_CHANGES);
    im_buf_init(&bytes, NGX_IM_REPORT_CHANGES);

    if (report->each) {
        control.changes.elts = changes;
        control.changes.n = ngx_im_report_changes(w, &bytes, report, changes);
    }

    if (control.changes.n > 0) {
        control.from = im_buf_str(&w->id);
        im_buf_add_z(b, "+");
    }

    im_control_encode(b, &control, (uint64_t) now->sec * 1000 + now->msec);

    im_buf_cleanup(&bytes);
}


/* What has changed, or a new start with all of them; some in each call. */
static void
ngx_im_report_members(ngx_im_worker_t *w, im_link_call_t *call,
    im_report_t *report)
{
    u_char        id[IM_UUID_LEN];
    im_buf_t      member;
    im_list_t    *q;
    im_change_t  *change;

    if (report->all) {
        im_link_call_z(call, "=");
        im_link_call_z(call, "");
    }

    im_buf_init(&member, NGX_IM_REPORT_CHANGES);

    for (q = im_list_first(report->changes);
         q != im_list_sentinel(report->changes)
         && report->nsent < report->most
         && call->bytes.len < IM_LINK_CALL_MAX_BYTES / 4;
         q = im_list_next(q), report->nsent++)
    {
        change = im_list_data(q, im_change_t, link);

        im_buf_reset(&member, member.max);

        if (change->joined
            && ngx_im_report_joined(w, &member, report, change) != NGX_OK)
        {
            continue;
        }

        im_id_uuid(id, change->id);

        im_buf_add_z(&call->bytes, change->joined ? "+" : "-");
        im_buf_add(&call->bytes, id, IM_UUID_LEN);
        im_link_call_arg(call);
        im_link_call_str(call, im_str_set(member.data, member.len));
    }

    call->bytes.failed |= member.failed;
    im_buf_cleanup(&member);
}


/* Of "count:version" or "count:version:lent"; 0: it is something else. */
static uint64_t
ngx_im_report_version(im_str_t stored)
{
    size_t   n;
    u_char  *p, *end;

    end = stored.data + stored.len;
    p = im_str_chr(stored, ':');

    if (p == NULL) {
        return 0;
    }

    for (p++, n = 0; p + n < end && p[n] != ':'; n++) { /* void */ }

    return ngx_max(ngx_atoi(p, n), 0);
}


static uint64_t
ngx_im_report_mark(im_str_t s)
{
    uint64_t  mark;

    return im_decimal_decode(s, &mark) == IM_OK ? mark : 0;
}


/* Seven elements of each topic. */
static void
ngx_im_report_answer(im_route_t *route, const im_link_reply_t *reply,
    ngx_uint_t at)
{
    int64_t         applied;
    im_str_t        why;
    im_reported_t   r;

    applied = im_link_reply_int_at(reply, at, -1);

    if (applied < 0) {
        why = im_link_reply_str_at(reply, at + 1);

        ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                      "im: route script failed: \"%*s\"", why.len, why.data);

        im_follow_reported(route, NULL);
        return;
    }

    r.applied = applied != 0;
    r.epoch = im_link_reply_str_at(reply, at + 1);
    r.top = im_link_reply_int_at(reply, at + 2, 0);
    r.past = im_link_reply_str_at(reply, at + 3);
    r.notified = im_link_reply_int_at(reply, at + 5, 1) != 0;
    r.own = ngx_im_report_mark(im_link_reply_str_at(reply, at + 5));
    r.stored = ngx_im_report_version(im_link_reply_str_at(reply, at + 4));
    r.mark = ngx_im_report_mark(im_link_reply_str_at(reply, at + 6));

    im_follow_reported(route, &r);
}


static void
ngx_im_report_handler(const im_link_reply_t *reply, void *data)
{
    ngx_uint_t         i;
    ngx_im_reports_t  *reports;

    reports = data;

    if (!im_link_reply_is_array(reply, 7 * reports->n)) {
        ngx_im_link_complain(ngx_im_worker->log, reply, "route");
        reply = NULL;
    }

    for (i = 0; i < reports->n; i++) {
        if (reply == NULL) {
            im_follow_reported(reports->routes[i], NULL);

        } else {
            ngx_im_report_answer(reports->routes[i], reply, 7 * i);
        }
    }

    im_free(reports);
}


/* What route.lua gets of each topic; the first one is preceded by more. */
static void
ngx_im_report_count(im_link_call_t *call, const im_report_t *report)
{
    if (report->ask) {
        im_link_call_z(call, "");

    } else if (report->leave) {
        im_link_call_z(call, "-");

    } else {
        im_link_call_uint(call, report->count);
    }

    im_link_call_uint(call, report->version);
}


static void
ngx_im_report_life(im_link_call_t *call, const im_report_t *report, int renew)
{
    if (!renew && !report->ask) {
        im_buf_add_z(&call->bytes, "-");
    }

    im_buf_add_uint(&call->bytes,
                    report->rule != NULL ? im_rule_meta_ttl(report->rule)
                                         : NGX_IM_REPORT_META);
    im_link_call_arg(call);
}


static void
ngx_im_report_topic(ngx_im_worker_t *w, im_link_call_t *call,
    im_report_t *report)
{
    im_link_call_str(call, report->topic);

    if (report->notify) {
        ngx_im_report_notice(w, &call->bytes, report);
    }

    im_link_call_arg(call);
}


/*
 * The first topic's life is renewed in any case: a write that Redis never
 * refuses comes first, so that it refuses none of the others.
 */
static void
ngx_im_report_encode(ngx_im_worker_t *w, im_link_call_t *call,
    im_report_t *reports, ngx_uint_t n)
{
    ngx_uint_t    i;
    im_report_t  *report;

    for (i = 0; i < n; i++) {
        ngx_im_report_keys(w, call, &reports[i]);

        if (i == 0) {
            im_key_queue(&call->bytes, im_link_keys(w->link),
                         reports[0].partition);
            im_link_call_key(call);
        }
    }

    im_link_call_channels(call, im_link_keys(w->link), reports[0].partition);

    im_link_call_str(call, im_buf_str(&w->id));

    for (i = 0; i < n; i++) {
        report = &reports[i];

        if (i > 0) {
            im_link_call_z(call, ".");
        }

        ngx_im_report_count(call, report);

        if (i == 0) {
            im_link_call_z(call, NGX_IM_REPORT_TTL);
        }

        ngx_im_report_life(call, report, report->renew || i == 0);

        if (i == 0) {
            im_link_call_generation(call);
        }

        ngx_im_report_topic(w, call, report);

        if (i == 0) {
            im_link_call_z(call, NGX_IM_REPORT_QUEUE);
        }

        if (report->leave) {
            report->nsent = ngx_min(report->nchanges, report->most);

        } else {
            ngx_im_report_members(w, call, report);
        }
    }
}


static ngx_im_reports_t *
ngx_im_report_out(im_route_t **routes, ngx_uint_t n)
{
    ngx_im_reports_t  *out;

    out = im_alloc(sizeof(ngx_im_reports_t) + n * sizeof(im_route_t *));

    if (out != NULL) {
        out->n = n;
        ngx_memcpy(out->routes, routes, n * sizeof(im_route_t *));
    }

    return out;
}


static im_int_t
ngx_im_report_send(void *ctx, im_route_t **routes, im_report_t *reports,
    im_uint_t n)
{
    im_link_call_t    *call;
    ngx_im_worker_t   *w;
    ngx_im_reports_t  *out;

    w = ctx;

    out = ngx_im_report_out(routes, n);
    if (out == NULL) {
        return IM_ERROR;
    }

    call = im_link_script(w->link, &im_script_route);
    ngx_im_report_encode(w, call, reports, n);

    if (im_link_send(w->link, ngx_im_report_handler, out) != IM_OK) {
        im_free(out);
        return IM_ERROR;
    }

    return IM_OK;
}


/* hist.lua gives a status, and then what page.lua gives. */
static void
ngx_im_report_page(im_route_t *route, const im_link_reply_t *reply, int back)
{
    im_page_t               page;
    ngx_uint_t              i, first;
    const im_link_reply_t  *entries;

    first = back ? 0 : 1;
    entries = im_link_reply_at(reply, first + 3);

    if (!im_link_reply_is_array(entries, 0)) {
        ngx_im_link_complain(ngx_im_worker->log, reply, back ? "page" : "hist");
        im_follow_page(route, back, NULL);
        return;
    }

    page.status = back ? IM_PAGE_COMPLETE
                       : ngx_min(im_link_reply_int_at(reply, 0, IM_PAGE_HOLE),
                                 IM_PAGE_WAITS);
    page.epoch = im_link_reply_str_at(reply, first);
    page.top = im_link_reply_int_at(reply, first + 1, 0);
    page.past = im_link_reply_str_at(reply, first + 2);
    page.mark = ngx_im_report_mark(im_link_reply_str_at(reply, first + 4));
    page.n = ngx_min(im_link_reply_len(entries), IM_FOLLOW_ENTRIES);

    for (i = 0; i < page.n; i++) {
        page.entries[i].seq = im_link_reply_entry(im_link_reply_at(entries, i),
                                                  &page.entries[i].envelope);
        if (page.entries[i].seq == 0) {
            ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                          "im: malformed entry of a history");
        }
    }

    im_follow_page(route, back, &page);
}


static void
ngx_im_report_page_handler(const im_link_reply_t *reply, void *data)
{
    ngx_im_report_page(data, reply, 1);
}


static void
ngx_im_report_hist_handler(const im_link_reply_t *reply, void *data)
{
    ngx_im_report_page(data, reply, 0);
}


static im_int_t
ngx_im_report_read(void *ctx, im_route_t *route, im_topic_t *topic,
    const im_read_t *read)
{
    im_str_t          name;
    im_link_call_t   *call;
    const im_keys_t  *keys;
    ngx_im_worker_t  *w;

    w = ctx;
    name = im_topic_name(topic);
    keys = im_link_keys(w->link);

    call = im_link_script(w->link, read->back ? &im_script_page
                                              : &im_script_hist);

    im_key_topic(&call->bytes, keys, topic->partition, name, IM_KEY_META);
    im_link_call_key(call);

    im_key_topic(&call->bytes, keys, topic->partition, name, IM_KEY_HISTORY);
    im_link_call_key(call);

    if (!read->back && !im_followed(topic)->numbered) {
        im_key_queue(&call->bytes, keys, topic->partition);
        im_link_call_key(call);
    }

    im_link_call_str(call, read->back ? im_str_set("1", 1)
                                      : im_str_set(topic->epoch.data,
                                                   topic->epoch.len));
    im_link_call_uint(call, read->seq);
    im_link_call_uint(call, read->limit);

    if (read->back) {
        im_link_call_uint(call, read->bytes);
    }

    return im_link_send(w->link, read->back ? ngx_im_report_page_handler
                                            : ngx_im_report_hist_handler,
                        route);
}


/*
 * Gives what others may know of a subscription.  NGX_DECLINED: it counts as no
 * member.  Guests do where clients may ask for the presence; a key has none.
 */
static ngx_int_t
ngx_im_report_describe(ngx_im_worker_t *w, im_sub_t *sub, ngx_im_followed_t *f)
{
    im_topic_t  *topic;

    topic = sub->log->topic;

    if (topic->name[0] == 'k') {
        return NGX_DECLINED;
    }

    w->sync->events->describe(sub, f);

    return f->hidden || (f->member.user.len == 0
                         && !im_followed(topic)->presence)
           ? NGX_DECLINED : NGX_OK;
}


static im_int_t
ngx_im_report_member(void *ctx, im_sub_t *sub, int joined,
    im_change_t **change)
{
    im_buf_t            b;
    im_change_t        *c;
    ngx_uint_t          presence;
    ngx_im_worker_t    *w;
    ngx_im_followed_t   f;

    w = ctx;
    presence = im_followed(sub->log->topic)->presence;

    if (ngx_im_report_describe(w, sub, &f) != NGX_OK) {
        return IM_DECLINED;
    }

    im_buf_init(&b, NGX_IM_REPORT_CHANGES);

    if (presence && (!joined || sub->late)) {
        im_member_encode(&b, &f.member);
    }

    c = b.failed ? NULL : im_alloc(sizeof(im_change_t) + b.len);

    if (c != NULL) {
        c->session = f.session;
        c->joined = joined;
        c->quiet = f.quiet;
        c->len = b.len;
        ngx_memcpy(c->id, f.id, sizeof(c->id));

        if (b.len > 0) {
            im_copy(c->member, b.data, b.len);
        }
    }

    im_buf_cleanup(&b);

    *change = c;

    return c != NULL ? IM_OK : IM_ERROR;
}


/* Three elements for each topic that differs. */
static void
ngx_im_report_check_handler(const im_link_reply_t *reply, void *data)
{
    int64_t           what;
    ngx_uint_t        i;
    ngx_im_worker_t  *w;

    w = data;
    w->sync->nchecks--;

    if (reply != NULL && !im_link_reply_is_array(reply, 0)) {
        ngx_im_link_complain(w->log, reply, "check");
        return;
    }

    for (i = 0; i + 2 < im_link_reply_len(reply); i += 3) {
        what = im_link_reply_int_at(reply, i + 1, IM_CHECK_GONE);

        im_follow_checked(w->follow, im_link_reply_str_at(reply, i),
                          (im_check_e) ngx_min(what, IM_CHECK_AHEAD),
                          im_link_reply_int_at(reply, i + 2, 0));
    }
}


static void
ngx_im_report_check_keys(ngx_im_worker_t *w, im_link_call_t *call,
    const im_check_t *check)
{
    uint16_t          p;
    const im_keys_t  *keys;

    p = check->partition;
    keys = im_link_keys(w->link);

    im_key_topic(&call->bytes, keys, p, check->topic, IM_KEY_ROUTES);
    im_link_call_key(call);

    im_key_members(&call->bytes, keys, p, check->topic, im_buf_str(&w->id));
    im_link_call_key(call);

    im_key_topic(&call->bytes, keys, p, check->topic, IM_KEY_META);
    im_link_call_key(call);
}


static int ngx_libc_cdecl
ngx_im_report_check_order(const void *one, const void *two)
{
    const im_check_t *const  *a = one;
    const im_check_t *const  *b = two;

    return (int) (*a)->partition - (int) (*b)->partition;
}


static ngx_uint_t
ngx_im_report_check_some(ngx_im_worker_t *w, const im_check_t *const *checks,
    ngx_uint_t n)
{
    ngx_uint_t       i;
    im_link_call_t  *call;

    call = im_link_script(w->link, &im_script_check);

    for (i = 0; i < n; i++) {
        ngx_im_report_check_keys(w, call, checks[i]);
    }

    im_link_call_str(call, im_buf_str(&w->id));

    for (i = 0; i < n; i++) {
        im_link_call_str(call, checks[i]->epoch);
        im_link_call_uint(call, checks[i]->seq);
        im_link_call_z(call, checks[i]->members ? "1" : "");
    }

    if (im_link_send(w->link, ngx_im_report_check_handler, w) != IM_OK) {
        return 0;
    }

    w->sync->nchecks++;

    return 1;
}


/*
 * One call for the topics of a partition.  A slow server is asked once a
 * second, when it has answered the last ones.  If none can be asked, the topics
 * stay the next ones.
 */
static im_int_t
ngx_im_report_check(void *ctx, const im_check_t *checks, im_uint_t n)
{
    ngx_uint_t         i, j, out, slow, nslow, nsent;
    ngx_im_worker_t   *w;
    const im_check_t  *order[NGX_IM_REPORT_CHECKS];

    w = ctx;
    n = ngx_min(n, NGX_IM_REPORT_CHECKS);
    out = w->sync->nchecks;
    nslow = 0;
    nsent = 0;

    for (i = 0; i < n; i++) {
        order[i] = &checks[i];
    }

    ngx_qsort(order, n, sizeof(order[0]), ngx_im_report_check_order);

    for (i = 0; i < n; i = j) {
        j = i + 1;

        while (j < n && order[j]->partition == order[i]->partition) {
            j++;
        }

        slow = im_link_slow(w->link, order[i]->partition);
        nslow += slow;

        if (!slow || out == 0) {
            nsent += ngx_im_report_check_some(w, &order[i], j - i);
        }
    }

    return nsent == 0 ? IM_DECLINED : nslow > 0 ? IM_AGAIN : IM_OK;
}


/*
 * A report that comes alone goes at once.  Where there are many, those of some
 * ms go together: fewer calls, and fewer system calls of both sides.
 */
static void
ngx_im_report_wake(void *ctx)
{
    ngx_msec_t        since;
    ngx_im_sync_t    *sync;
    ngx_im_worker_t  *w;

    w = ctx;
    sync = w->sync;

    if (sync->pump.posted || sync->pump.timer_set) {
        return;
    }

    since = ngx_current_msec - sync->pumped;

    if (since >= NGX_IM_REPORT_PAUSE) {
        ngx_post_event(&sync->pump, &ngx_posted_events);

    } else {
        ngx_add_timer(&sync->pump, NGX_IM_REPORT_PAUSE - since);
    }
}


static void
ngx_im_report_take_keys(ngx_im_worker_t *w, im_link_call_t *call,
    const im_taking_t *taking, im_str_t from)
{
    uint16_t  p;
    im_str_t  name;

    p = taking->partition;
    name = taking->topic;

    ngx_im_report_key(w, call, p, name, IM_KEY_ROUTES);
    ngx_im_report_key_members(w, call, p, name, im_buf_str(&w->id));
    ngx_im_report_key_members(w, call, p, name, from);
    ngx_im_report_key_left(w, call, p, name);
}


/* Of the first subscriptions, as far as a call has room. */
static void
ngx_im_report_moved(ngx_im_worker_t *w, ngx_im_moved_t *moved,
    im_taking_t *taking)
{
    u_char              id[IM_UUID_LEN];
    im_sub_t           *sub;
    ngx_uint_t          i;
    ngx_im_followed_t   f;

    moved->n = 0;

    im_buf_init(&moved->bytes, IM_LINK_CALL_MAX_BYTES / 2);

    for (i = 0;
         i < taking->nsubs && moved->n < IM_FOLLOW_CHANGES
         && moved->bytes.len < IM_LINK_CALL_MAX_BYTES / 4;
         i++)
    {
        sub = im_slab_object(&w->hub.logs.subs, taking->subs[i]);

        if (ngx_im_report_describe(w, sub, &f) != NGX_OK) {
            continue;
        }

        im_id_uuid(id, f.id);
        im_buf_add(&moved->bytes, id, IM_UUID_LEN);
        im_member_encode(&moved->bytes, &f.member);

        moved->ends[moved->n++] = moved->bytes.len;
    }

    /* without memory for them, the call fails as well */

    if (moved->bytes.failed) {
        moved->n = 0;
    }

    taking->nsubs = i;
    taking->nmembers = moved->n;
}


static void
ngx_im_report_take_topic(ngx_im_worker_t *w, im_link_call_t *call,
    im_taking_t *taking)
{
    u_char          id[IM_UUID_LEN], *p, *end;
    im_list_t      *q;
    ngx_uint_t      i;
    ngx_im_moved_t  moved;

    ngx_im_report_moved(w, &moved, taking);

    im_link_call_uint(call, taking->count);
    im_link_call_uint(call, taking->version);
    im_link_call_uint(call, taking->moved);
    im_link_call_uint(call, moved.n + taking->nleft);

    for (i = 0, p = moved.bytes.data; i < moved.n; i++, p = end) {
        end = moved.bytes.data + moved.ends[i];

        im_link_call_str(call, im_str_set(p, IM_UUID_LEN));
        im_link_call_str(call, im_str_set(p + IM_UUID_LEN,
                                          end - p - IM_UUID_LEN));
    }

    for (i = 0, q = im_list_first(taking->left); i < taking->nleft; i++) {
        im_id_uuid(id, im_list_data(q, im_change_t, link)->id);
        q = im_list_next(q);

        im_link_call_str(call, im_str_set(id, IM_UUID_LEN));
        im_link_call_z(call, "");
    }

    call->bytes.failed |= moved.bytes.failed;
    im_buf_cleanup(&moved.bytes);
}


/* Two elements of each topic. */
static void
ngx_im_report_take_handler(const im_link_reply_t *reply, void *data)
{
    int64_t            applied;
    im_str_t           stored;
    ngx_uint_t         i;
    ngx_im_reports_t  *reports;

    reports = data;

    if (!im_link_reply_is_array(reply, 2 * reports->n)) {
        ngx_im_link_complain(ngx_im_worker->log, reply, "take");
        reply = NULL;
    }

    for (i = 0; i < reports->n; i++) {
        applied = reply != NULL ? im_link_reply_int_at(reply, 2 * i, -1) : -1;
        stored = reply != NULL ? im_link_reply_str_at(reply, 2 * i + 1)
                               : im_str_z("");

        if (applied < 0 && reply != NULL) {
            ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                          "im: take script failed: \"%*s\"",
                          stored.len, stored.data);
        }

        im_follow_taken(reports->routes[i],
                        applied < 0 ? IM_ERROR
                                    : applied > 0 ? IM_OK : IM_DECLINED,
                        ngx_im_report_version(stored));
    }

    im_free(reports);
}


static im_int_t
ngx_im_report_take(void *ctx, im_str_t from, im_route_t **routes,
    im_taking_t *takings, im_uint_t n)
{
    ngx_uint_t         i;
    im_link_call_t    *call;
    ngx_im_worker_t   *w;
    ngx_im_reports_t  *out;

    w = ctx;

    out = ngx_im_report_out(routes, n);
    if (out == NULL) {
        return IM_ERROR;
    }

    call = im_link_script(w->link, &im_script_take);

    for (i = 0; i < n; i++) {
        ngx_im_report_take_keys(w, call, &takings[i], from);
    }

    im_link_call_str(call, im_buf_str(&w->id));
    im_link_call_str(call, from);
    im_link_call_z(call, NGX_IM_REPORT_TTL);
    im_link_call_uint(call, takings[0].fence);

    for (i = 0; i < n; i++) {
        ngx_im_report_take_topic(w, call, &takings[i]);
    }

    if (im_link_send(w->link, ngx_im_report_take_handler, out) != IM_OK) {
        im_free(out);
        return IM_ERROR;
    }

    return IM_OK;
}


const im_follow_commands_t  ngx_im_report_commands = {
    ngx_im_report_send,
    ngx_im_report_read,
    ngx_im_report_check,
    ngx_im_report_member,
    ngx_im_report_wake,
    ngx_im_report_take
};
