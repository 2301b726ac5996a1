/*
 * Copyright (C) The im authors
 *
 * Channels: the socket, the queue of messages, the other end's silence.
 *
 * The kernel takes a packet and its descriptors whole or not at all.  What it
 * doesn't take waits here.  A channel whose other end says nothing for 5 s,
 * where it has to answer, is lost.  It keeps a worker that ends alive until
 * then.
 */

#include "ngx_im_channel.h"


#define NGX_IM_CHANNEL_STEP     1000     /* ms */
#define NGX_IM_CHANNEL_SILENCE  5        /* steps */
#define NGX_IM_CHANNEL_IDLE     15       /* steps, without a question */
#define NGX_IM_CHANNEL_AGAIN    10       /* ms */
#define NGX_IM_CHANNEL_READS    8        /* packets of a turn */
#define NGX_IM_CHANNEL_SPARE    64       /* bytes that the kernel keeps */


/* A message that waits. */
typedef struct {
    im_list_t            link;           /* in channel->output */
    im_handover_type_e   type;
    im_buf_t             body;
    size_t               at;             /* sent so far */
    uint32_t             tag;
    ngx_uint_t           nfds;
    ngx_socket_t         fds[1];
} ngx_im_channel_message_t;


/* Room for the descriptors of a message. */
typedef union {
    struct cmsghdr  align;
    char            space[CMSG_SPACE(IM_HANDOVER_SESSIONS_MAX * sizeof(int))];
} ngx_im_channel_control_t;


/* The only setter of state. */
static void
ngx_im_channel_state(ngx_im_channel_t *ch, ngx_im_channel_state_e state)
{
    ch->state = state;
    ngx_post_event(&ch->end, &ngx_posted_events);
}


static void
ngx_im_channel_lost(ngx_im_channel_t *ch, const char *why)
{
    if (ch->state == NGX_IM_CHANNEL_OPEN) {
        ch->why = why;
        ngx_im_channel_state(ch, NGX_IM_CHANNEL_LOST);
    }
}


static void
ngx_im_channel_message_free(ngx_im_channel_message_t *m)
{
    im_list_remove(&m->link);
    im_buf_cleanup(&m->body);
    im_free(m);
}


/* Outside of all handlers of the channel. */
static void
ngx_im_channel_end_handler(ngx_event_t *ev)
{
    ngx_im_channel_t  *ch;

    ch = ev->data;

    if (ch->state == NGX_IM_CHANNEL_LOST) {
        ch->events->lost(ch, ch->why);
        return;
    }

    im_handover_input_cleanup(&ch->input);
    im_free(ch->in);
    im_free(ch);
}


/* However long this worker has stood still itself, it is one step. */
static void
ngx_im_channel_silence_handler(ngx_event_t *ev)
{
    ngx_im_channel_t  *ch;

    ch = ev->data;

    if (++ch->silent < (ch->idle ? NGX_IM_CHANNEL_IDLE
                                 : NGX_IM_CHANNEL_SILENCE))
    {
        ngx_add_timer(&ch->silence, NGX_IM_CHANNEL_STEP);
        return;
    }

    ngx_im_channel_lost(ch, ch->idle ? "it said nothing for 15 s"
                                     : "it said nothing for 5 s");
}


static void
ngx_im_channel_listen(ngx_im_channel_t *ch)
{
    ch->silent = 0;
    ngx_add_timer(&ch->silence, NGX_IM_CHANNEL_STEP);
}


void
ngx_im_channel_asks(ngx_im_channel_t *ch, ngx_uint_t asks)
{
    if (ch->state == NGX_IM_CHANNEL_OPEN) {
        ch->idle = !asks;
        ngx_im_channel_listen(ch);
    }
}


static void
ngx_im_channel_fds(struct msghdr *msg, ngx_im_channel_control_t *control,
    const ngx_im_channel_message_t *m)
{
    struct cmsghdr  *cmsg;

    ngx_memzero(control, sizeof(ngx_im_channel_control_t));

    msg->msg_control = control;
    msg->msg_controllen = CMSG_SPACE(m->nfds * sizeof(int));

    cmsg = &control->align;

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(m->nfds * sizeof(int));

    ngx_memcpy(CMSG_DATA(cmsg), m->fds, m->nfds * sizeof(int));
}


/* The next packet of a message.  NGX_AGAIN: not now. */
static ngx_int_t
ngx_im_channel_packet(ngx_im_channel_t *ch, ngx_im_channel_message_t *m)
{
    ssize_t                   n;
    struct iovec              iov[2];
    struct msghdr             msg;
    im_handover_packet_t      packet;
    ngx_im_channel_control_t  control;

    im_handover_packet(m->type, im_buf_str(&m->body), m->at, ch->most,
                       &packet);

    iov[0].iov_base = packet.header;
    iov[0].iov_len = IM_HANDOVER_HEADER;
    iov[1].iov_base = packet.piece.data;
    iov[1].iov_len = packet.piece.len;

    ngx_memzero(&msg, sizeof(struct msghdr));
    msg.msg_iov = iov;
    msg.msg_iovlen = 2;

    if (m->nfds > 0 && !packet.more) {
        ngx_im_channel_fds(&msg, &control, m);
    }

    do {
        n = sendmsg(ch->connection->fd, &msg, MSG_NOSIGNAL);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    if (n == -1) {
        return ngx_errno == NGX_EAGAIN || ngx_errno == ETOOMANYREFS
               || ngx_errno == ENOBUFS || ngx_errno == ENOMEM
               ? NGX_AGAIN : NGX_ERROR;
    }

    m->at += packet.piece.len;

    return packet.more ? NGX_OK : NGX_DONE;
}


/* What the other end has sent before it closed the channel still comes. */
static void
ngx_im_channel_failed(ngx_im_channel_t *ch, ngx_err_t err)
{
    if (err != NGX_EPIPE && err != NGX_ECONNRESET) {
        ngx_im_channel_lost(ch, strerror(err));
        return;
    }

    ch->closed = 1;
    ngx_post_event(ch->connection->read, &ngx_posted_events);
}


static void
ngx_im_channel_flush(ngx_im_channel_t *ch)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_im_channel_message_t  *m;

    c = ch->connection;

    while (ch->state == NGX_IM_CHANNEL_OPEN && !ch->closed
           && !im_list_empty(&ch->output))
    {

        m = im_list_data(im_list_first(&ch->output), ngx_im_channel_message_t,
                         link);

        rc = ngx_im_channel_packet(ch, m);

        if (rc == NGX_DONE) {
            ngx_im_channel_message_free(m);

        } else if (rc == NGX_ERROR) {
            ngx_im_channel_failed(ch, ngx_errno);

        } else if (rc == NGX_AGAIN) {
            if (ngx_errno != NGX_EAGAIN) {
                ngx_add_timer(&ch->again, NGX_IM_CHANNEL_AGAIN);
                return;
            }

            c->write->ready = 0;

            if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
                ngx_im_channel_lost(ch, "no event for the socket");
            }

            return;
        }
    }
}


static void
ngx_im_channel_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_im_channel_flush(c->data);
}


static void
ngx_im_channel_again_handler(ngx_event_t *ev)
{
    ngx_im_channel_flush(ev->data);
}


/* Descriptors that came with a packet; the number of them. */
static ngx_uint_t
ngx_im_channel_received(struct msghdr *msg, ngx_socket_t *fds)
{
    ngx_uint_t       n;
    struct cmsghdr  *cmsg;

    n = 0;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg))
    {
        if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
            n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            n = ngx_min(n, IM_HANDOVER_SESSIONS_MAX);

            ngx_memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
        }
    }

    return n;
}


static void
ngx_im_channel_input(ngx_im_channel_t *ch, im_str_t packet, ngx_socket_t *fds,
    ngx_uint_t nfds)
{
    im_int_t             rc;
    im_str_t             body;
    const char          *why;
    im_handover_type_e   type;

    rc = im_handover_input(&ch->input, packet, &type, &body, &why);

    if (rc == IM_OK) {
        ngx_im_channel_listen(ch);
        ch->events->message(ch, type, body, fds, nfds);

    } else if (rc == IM_ERROR) {
        ngx_im_channel_lost(ch, why);

    } else if (nfds > 0) {
        ngx_im_channel_lost(ch, "descriptors before the end of a message");
    }
}


/* The bytes of a packet, 0 at the end of the channel, or -1. */
static ssize_t
ngx_im_channel_recvmsg(ngx_im_channel_t *ch, struct msghdr *msg,
    struct iovec *iov, ngx_im_channel_control_t *control)
{
    ssize_t  n;

    iov->iov_base = ch->in;
    iov->iov_len = IM_HANDOVER_PACKET;

    ngx_memzero(msg, sizeof(struct msghdr));
    msg->msg_iov = iov;
    msg->msg_iovlen = 1;
    msg->msg_control = control;
    msg->msg_controllen = sizeof(ngx_im_channel_control_t);

    do {
        n = recvmsg(ch->connection->fd, msg, MSG_CMSG_CLOEXEC);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    return n;
}


/* NGX_AGAIN: there is no packet. */
static ngx_int_t
ngx_im_channel_recv(ngx_im_channel_t *ch)
{
    ssize_t                   n;
    ngx_uint_t                i, nfds;
    struct iovec              iov;
    ngx_socket_t              fds[IM_HANDOVER_SESSIONS_MAX];
    struct msghdr             msg;
    ngx_im_channel_control_t  control;

    n = ngx_im_channel_recvmsg(ch, &msg, &iov, &control);

    if (n == -1 && ngx_errno == NGX_EAGAIN) {
        return NGX_AGAIN;
    }

    /* the other end has left packets unread; its own come behind this */

    if (n == -1) {
        if (ngx_errno != NGX_ECONNRESET) {
            ngx_im_channel_lost(ch, strerror(ngx_errno));
        }

        return NGX_OK;
    }

    nfds = ngx_im_channel_received(&msg, fds);

    /* an empty packet may have descriptors */

    if (n == 0) {
        ngx_im_channel_lost(ch, "it closed the channel");

    } else if (msg.msg_flags & MSG_TRUNC) {
        ngx_im_channel_lost(ch, "a packet was too long");

    } else {
        ngx_im_channel_input(ch, im_str_set(ch->in, n), fds, nfds);
    }

    for (i = 0; i < nfds; i++) {
        if (fds[i] != (ngx_socket_t) -1) {
            (void) ngx_close_socket(fds[i]);
        }
    }

    return NGX_OK;
}


static void
ngx_im_channel_read_handler(ngx_event_t *rev)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;
    ngx_im_channel_t  *ch;

    c = rev->data;
    ch = c->data;

    for (i = 0; ch->state == NGX_IM_CHANNEL_OPEN; i++) {

        if (i == NGX_IM_CHANNEL_READS) {
            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

        if (ngx_im_channel_recv(ch) == NGX_AGAIN) {
            rev->ready = 0;

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_im_channel_lost(ch, "no event for the socket");
            }

            return;
        }
    }
}


ngx_int_t
ngx_im_channel_peer(ngx_socket_t fd, ngx_uint_t root, ngx_uid_t *uid)
{
    socklen_t     len;
    struct ucred  peer;

    len = sizeof(struct ucred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1) {
        *uid = (ngx_uid_t) -1;
        return NGX_DECLINED;
    }

    *uid = peer.uid;

    return peer.uid == geteuid() || (root && peer.uid == 0) ? NGX_OK
                                                            : NGX_DECLINED;
}


static size_t
ngx_im_channel_sndbuf(ngx_socket_t fd)
{
    int        size;
    socklen_t  len;

    len = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0
           && size > NGX_IM_CHANNEL_SPARE ? size - NGX_IM_CHANNEL_SPARE : 0;
}


/*
 * The most bytes of a packet.  The kernel takes none that is longer than the
 * socket's buffer, whose size net.core.wmem_default and wmem_max limit.
 */
static size_t
ngx_im_channel_most(ngx_socket_t fd)
{
    int     size;
    size_t  most;

    most = ngx_im_channel_sndbuf(fd);

    if (most < IM_HANDOVER_PACKET) {
        size = 2 * IM_HANDOVER_PACKET;
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));

        most = ngx_im_channel_sndbuf(fd);
    }

    return ngx_max(ngx_min(most, IM_HANDOVER_PACKET), IM_HANDOVER_LEAST);
}


static ngx_connection_t *
ngx_im_channel_connection(ngx_im_worker_t *w, ngx_socket_t fd)
{
    ngx_connection_t  *c;

    if (ngx_cycle->free_connection_n == 0) {
        return NULL;
    }

    c = ngx_get_connection(fd, w->log);
    if (c == NULL) {
        return NULL;
    }

    c->read->log = w->log;
    c->write->log = w->log;
    c->write->ready = 1;
    c->read->handler = ngx_im_channel_read_handler;
    c->write->handler = ngx_im_channel_write_handler;

    /* a timer says how long a worker that ends waits for it */

    c->read->resolver = 1;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_free_connection(c);
        return NULL;
    }

    return c;
}


static void
ngx_im_channel_event(ngx_im_channel_t *ch, ngx_event_t *ev,
    ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = ch;
    ev->log = ngx_im_worker->log;
}


ngx_im_channel_t *
ngx_im_channel_create(ngx_im_worker_t *w, ngx_socket_t fd,
    const ngx_im_channel_events_t *events, void *data)
{
    ngx_im_channel_t  *ch;

    ch = im_calloc(sizeof(ngx_im_channel_t));

    if (ch == NULL) {
        goto failed;
    }

    im_list_init(&ch->link);
    im_list_init(&ch->output);

    ch->events = events;
    ch->data = data;

    ngx_im_channel_event(ch, &ch->silence, ngx_im_channel_silence_handler);
    ngx_im_channel_event(ch, &ch->again, ngx_im_channel_again_handler);
    ngx_im_channel_event(ch, &ch->end, ngx_im_channel_end_handler);

    ch->in = im_alloc(IM_HANDOVER_PACKET);
    ch->connection = ch->in != NULL ? ngx_im_channel_connection(w, fd) : NULL;

    if (ch->connection == NULL) {
        goto failed;
    }

    ch->connection->data = ch;
    ch->most = ngx_im_channel_most(fd);

    ngx_im_channel_listen(ch);

    return ch;

failed:

    if (ch != NULL) {
        im_free(ch->in);
        im_free(ch);
    }

    (void) ngx_close_socket(fd);

    return NULL;
}


void
ngx_im_channel_close(ngx_im_channel_t *ch)
{
    ngx_im_channel_message_t  *m;

    if (ch->state == NGX_IM_CHANNEL_CLOSED) {
        return;
    }

    while (!im_list_empty(&ch->output)) {
        m = im_list_data(im_list_first(&ch->output), ngx_im_channel_message_t,
                         link);
        ngx_im_channel_message_free(m);
    }

    if (ch->silence.timer_set) {
        ngx_del_timer(&ch->silence);
    }

    if (ch->again.timer_set) {
        ngx_del_timer(&ch->again);
    }

    ngx_close_connection(ch->connection);

    im_list_remove(&ch->link);

    ngx_im_channel_state(ch, NGX_IM_CHANNEL_CLOSED);
}


/* Without memory for it, it and those behind it are never sent. */
static void
ngx_im_channel_unsaid(ngx_im_channel_t *ch, uint32_t tag)
{
    if (ch->unsaid == 0) {
        ch->unsaid = tag;
    }
}


void
ngx_im_channel_send(ngx_im_channel_t *ch, im_handover_type_e type,
    im_buf_t *body, const ngx_socket_t *fds, ngx_uint_t nfds, uint32_t tag)
{
    ngx_im_channel_message_t  *m;

    m = im_alloc(sizeof(ngx_im_channel_message_t)
                 + nfds * sizeof(ngx_socket_t));

    if (m == NULL || body->failed || ch->state == NGX_IM_CHANNEL_CLOSED) {
        im_buf_cleanup(body);
        im_free(m);
        ngx_im_channel_unsaid(ch, tag);
        ngx_im_channel_lost(ch, "no memory");
        return;
    }

    m->type = type;
    m->body = *body;
    m->at = 0;
    m->tag = tag;
    m->nfds = nfds;

    im_copy(m->fds, fds, nfds * sizeof(ngx_socket_t));
    im_buf_init(body, body->max);

    im_list_insert_tail(&ch->output, &m->link);

    ngx_im_channel_flush(ch);
}


uint32_t
ngx_im_channel_unsent(ngx_im_channel_t *ch)
{
    im_list_t                 *q;
    ngx_im_channel_message_t  *m;

    im_list_each(q, &ch->output) {
        m = im_list_data(q, ngx_im_channel_message_t, link);

        if (m->tag != 0) {
            return m->tag;
        }
    }

    return ch->unsaid;
}
