/*
 * Copyright (C) The im authors
 *
 * Stands between workers that hand sessions over, and stops where a test wants
 * it: it takes the place of a worker's socket, and passes packets on, with the
 * descriptors that come with them.
 *
 *   between PATH REAL
 *
 * PATH is where workers that end connect to, REAL is the socket of the next
 * one.  Commands, one a line, by stdin:
 *
 *   hold TYPE [N]   the next packet of that type (a number), or the Nth, waits,
 *               and so do all packets after it, in both directions
 *   change HEX HEX [hold]   the next packet of sessions with these bytes has
 *               the others in their place, once; and waits, as above
 *   go          all that waits is passed on
 *   next TYPE   the same, and the next packet of that type that comes waits
 *   last TYPE   the same, and no packet behind it is read
 *   cut         all channels end; what waits is lost, and both workers live
 *   sync        says "synced" once there is no packet that it has not read
 *
 * It says, one a line:
 *
 *   held        that packet has come
 *   CHANNEL came TYPE BYTES           a packet is there
 *   CHANNEL TYPE BYTES DESCRIPTORS    a packet was passed on
 *   CHANNEL closed                    one end, and so the other one
 *
 * As in the kernel, the packets of an end that is closed still arrive, and
 * those for it are gone.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>


#define ENDS    64              /* two of each channel */
#define PACKET  65536
#define FDS     64
#define CHANGES 8
#define SESSIONS  5             /* type */


typedef struct packet_s  packet_t;

struct packet_s {
    packet_t       *next;
    size_t          len;
    int             nfds;
    int             fds[FDS];
    unsigned char   bytes[PACKET];
};


/* An end of a channel; its other end is the number xor 1. */
typedef struct {
    int             fd;         /* -1: closed */
    packet_t       *first;      /* for it */
    packet_t      **last;
} end_t;


typedef union {
    struct cmsghdr  align;
    char            space[CMSG_SPACE(FDS * sizeof(int))];
} control_t;


/* Bytes of a packet of sessions. */
typedef struct {
    unsigned char   from[64];
    unsigned char   to[64];
    size_t          len;        /* 0: it was made */
    int             holds;
} change_t;


static change_t  changes[CHANGES];
static int       nchanges;

static end_t  ends[ENDS];
static int    nends;
static int    hold;             /* type; 0: none */
static int    nth;
static int    held;
static int    syncs;
static int    last;             /* the held packet is the last one */


static void
fail(const char *what)
{
    perror(what);
    exit(1);
}


static void
packet_free(packet_t *p)
{
    int  i;

    for (i = 0; i < p->nfds; i++) {
        (void) close(p->fds[i]);
    }

    free(p);
}


/* As if both ends were connected: nothing can be sent to it any more. */
static void
end_close(end_t *e)
{
    end_t     *other;
    packet_t  *p;

    if (e->fd == -1) {
        return;
    }

    (void) close(e->fd);
    e->fd = -1;

    other = &ends[(e - ends) ^ 1];

    if (other->fd != -1) {
        (void) shutdown(other->fd, SHUT_RD);
    }

    while ((p = e->first) != NULL) {
        e->first = p->next;
        packet_free(p);
    }
}


static void
holds(void)
{
    held = 1;
    printf("held\n");
}


static void
change(packet_t *p)
{
    int             i;
    change_t       *c;
    unsigned char  *at;

    for (i = 0; i < nchanges; i++) {
        c = &changes[i];
        at = c->len > 0 ? memmem(p->bytes, p->len, c->from, c->len) : NULL;

        if (at == NULL) {
            continue;
        }

        memcpy(at, c->to, c->len);
        c->len = 0;

        if (c->holds && !held) {
            holds();
        }
    }
}


/* 0: it is closed. */
static int
end_read(int i)
{
    end_t           *to;
    ssize_t          n;
    packet_t        *p;
    control_t        control;
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    p = calloc(1, sizeof(packet_t));
    if (p == NULL) {
        fail("calloc");
    }

    memset(&msg, 0, sizeof(struct msghdr));

    iov.iov_base = p->bytes;
    iov.iov_len = PACKET;
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = &control;
    msg.msg_controllen = sizeof(control_t);

    n = recvmsg(ends[i].fd, &msg, MSG_CMSG_CLOEXEC);

    if (n <= 0) {
        free(p);
        return n == -1 && errno == EAGAIN;
    }

    p->len = (size_t) n;

    for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        p->nfds = (int) ((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(p->fds, CMSG_DATA(cmsg), (size_t) p->nfds * sizeof(int));
    }

    to = &ends[i ^ 1];

    if (to->fd == -1) {
        packet_free(p);
        return 1;
    }

    *to->last = p;
    to->last = &p->next;

    printf("%d came %d %zu\n", i / 2, p->bytes[0], p->len);

    if (hold != 0 && !held && p->bytes[0] == hold && --nth <= 0) {
        holds();
    }

    if (p->bytes[0] == SESSIONS) {
        change(p);
    }

    return 1;
}


/* 0: not now. */
static int
end_write(int i)
{
    end_t          *e;
    ssize_t         n;
    size_t          len;
    packet_t       *p;
    control_t       control;
    struct iovec    iov;
    struct msghdr   msg;

    e = &ends[i];
    p = e->first;

    memset(&msg, 0, sizeof(struct msghdr));

    iov.iov_base = p->bytes;
    iov.iov_len = p->len;
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;

    if (p->nfds > 0) {
        len = (size_t) p->nfds * sizeof(int);

        memset(&control, 0, sizeof(control_t));

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(len);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(len);

        memcpy(CMSG_DATA(&control.align), p->fds, len);
    }

    n = sendmsg(e->fd, &msg, MSG_NOSIGNAL|MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n == -1) {
        end_close(e);
        return 0;
    }

    printf("%d %d %zu %d\n", i / 2, p->bytes[0], p->len, p->nfds);

    e->first = p->next;

    if (e->first == NULL) {
        e->last = &e->first;
    }

    packet_free(p);

    return 1;
}


/* What has come up to the held packet goes on, and all if none is held. */
static void
pass(void)
{
    int     i;
    end_t  *e, *other;

    for (i = 0; i < nends; i++) {
        e = &ends[i];

        while (e->fd != -1 && e->first != NULL && !held && end_write(i)) {
            /* void */
        }
    }

    for (i = 0; i < nends; i++) {
        e = &ends[i];
        other = &ends[i ^ 1];

        if (e->fd != -1 && other->fd == -1 && e->first == NULL) {
            end_close(e);
            printf("%d closed\n", i / 2);
        }
    }
}


static void
taken(int listening, const char *real)
{
    int                 i, fds[2];
    struct sockaddr_un  sa;

    fds[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);
    fds[1] = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0);

    if (fds[0] == -1 || fds[1] == -1 || nends == ENDS) {
        fail("accept");
    }

    memset(&sa, 0, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", real);

    if (connect(fds[1], (struct sockaddr *) &sa, sizeof(sa)) == -1) {
        (void) close(fds[0]);
        (void) close(fds[1]);
        return;
    }

    for (i = 0; i < 2; i++) {
        ends[nends].fd = fds[i];
        ends[nends].first = NULL;
        ends[nends].last = &ends[nends].first;
        nends++;
    }
}


static int
place(const char *path)
{
    int                 fd;
    struct sockaddr_un  sa;

    memset(&sa, 0, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);

    fd = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0);

    if (fd == -1
        || bind(fd, (struct sockaddr *) &sa, sizeof(sa)) == -1
        || listen(fd, 64) == -1)
    {
        fail(path);
    }

    return fd;
}


static size_t
unhex(const char *text, unsigned char *bytes, size_t max)
{
    size_t        n;
    unsigned int  byte;

    for (n = 0; n < max && sscanf(text + 2 * n, "%2x", &byte) == 1; n++) {
        bytes[n] = (unsigned char) byte;
    }

    return n;
}


static void
changed(const char *line)
{
    char       from[129], to[129], word[8];
    change_t  *c;

    word[0] = '\0';

    if (nchanges == CHANGES
        || sscanf(line, "%128s %128s %7s", from, to, word) < 2)
    {
        fprintf(stderr, "change HEX HEX [hold]\n");
        exit(1);
    }

    c = &changes[nchanges++];
    c->len = unhex(from, c->from, sizeof(c->from));
    c->holds = word[0] != '\0';

    if (unhex(to, c->to, sizeof(c->to)) != c->len) {
        c->len = 0;
    }
}


/* 0: stdin is closed. */
static int
command(void)
{
    int   i;
    char  line[512];

    if (fgets(line, sizeof(line), stdin) == NULL) {
        return 0;
    }

    if (strncmp(line, "hold ", 5) == 0) {
        nth = 1;
        (void) sscanf(line + 5, "%d %d", &hold, &nth);

    } else if (strncmp(line, "next ", 5) == 0
               || strncmp(line, "last ", 5) == 0)
    {
        nth = 1;
        held = 0;
        last = line[0] == 'l';
        (void) sscanf(line + 5, "%d", &hold);

    } else if (strncmp(line, "sync", 4) == 0) {
        syncs = 1;

    } else if (strncmp(line, "change ", 7) == 0) {
        changed(line + 7);

    } else if (strncmp(line, "cut", 3) == 0) {
        hold = 0;
        held = 0;

        for (i = 0; i < nends; i++) {
            end_close(&ends[i]);
        }

    } else {
        hold = 0;
        held = 0;
    }

    return 1;
}


/* The ends that are open, behind two others. */
static int
gather(struct pollfd *polls, int *index)
{
    int  i, n;

    for (i = 0, n = 2; i < nends && !(held && last); i++) {
        if (ends[i].fd != -1) {
            polls[n].fd = ends[i].fd;
            polls[n].events = (short)
                ((ends[i ^ 1].fd != -1 ? POLLIN : 0)
                 | (ends[i].first != NULL && !held ? POLLOUT : 0));
            index[n++] = i;
        }
    }

    return n;
}


int
main(int argc, char **argv)
{
    int            i, n, rc, listening, index[ENDS + 2];
    struct pollfd  polls[ENDS + 2];

    if (argc != 3) {
        fprintf(stderr, "between PATH REAL\n");
        return 1;
    }

    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);

    listening = place(argv[1]);
    printf("here\n");

    for ( ;; ) {
        pass();

        polls[0].fd = STDIN_FILENO;
        polls[1].fd = listening;
        polls[0].events = POLLIN;
        polls[1].events = POLLIN;

        n = gather(polls, index);
        rc = poll(polls, (nfds_t) n, syncs ? 0 : -1);

        if (rc == -1 && errno != EINTR) {
            fail("poll");
        }

        if (rc == 0) {
            printf("synced\n");
            syncs = 0;
            continue;
        }

        for (i = 2; i < n; i++) {
            if ((polls[i].revents & (POLLIN|POLLHUP|POLLERR))
                && !(held && last)
                && ends[index[i]].fd != -1 && !end_read(index[i]))
            {
                end_close(&ends[index[i]]);
            }
        }

        if (polls[1].revents) {
            taken(listening, argv[2]);
        }

        /* ends that were closed before a command are seen before it */

        if (polls[0].revents) {
            if (poll(&polls[2], (nfds_t) (n - 2), 0) > 0) {
                continue;
            }

            if (!command()) {
                return 0;
            }
        }
    }
}
