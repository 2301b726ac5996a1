/*
 * Copyright (C) The im authors
 *
 * Control entries: what workers do on request besides delivering messages.  A
 * control entry travels as a push of its partition does, in an
 * envelope whose operation is the kind and whose data is a JSON object
 * (docs/redis.md).  It isn't stored, and arrives at most once; its seq is the
 * time when it was sent, ms by Redis' clock.  One with changes has a mark, as a
 * message without a number.
 */

#ifndef IM_CONTROL_H
#define IM_CONTROL_H


#include "im_types.h"
#include "im_buf.h"
#include "im_json.h"
#include "im_member.h"


#define IM_CONTROL_CHANGES_MAX  64
#define IM_CONTROL_EXCEPT_MAX   128


/* The first two and the last concern a topic, the others sessions. */
typedef enum {
    IM_CONTROL_CHANGES = 1,     /* changes: members of a room came or went;
                                   from: at that worker */
    IM_CONTROL_ROOM_INFO,       /* the followers of a room get room info */
    IM_CONTROL_DISCONNECT,      /* code, reason, except, login, seconds */
    IM_CONTROL_SUBSCRIBE,       /* room, epoch, seq, info, data, expire_at,
                                   override */
    IM_CONTROL_UNSUBSCRIBE,     /* room, code, reason */
    IM_CONTROL_REFRESH,         /* expired, expire_at, info */
    IM_CONTROL_FORGET           /* seq: the history of a topic up to it */
} im_control_e;


/* Numbers and expired are -1 where they are not given. */
typedef struct {
    im_control_e       kind;
    im_str_t           topic;       /* that it concerns; when decoded also
                                       the topic of room */
    im_str_t           user;        /* whose sessions it concerns, */
    im_str_t           session;     /* or only this one */
    im_json_strings_t  changes;     /* each by im_control_change_encode() */
    im_str_t           from;        /* a worker */
    im_json_strings_t  except;      /* sessions that stay */
    im_str_t           login;       /* only sessions that it has opened */
    im_str_t           room;
    im_str_t           epoch;       /* with seq: where the session goes on */
    im_str_t           reason;
    im_str_t           info;        /* JSON */
    im_str_t           data;        /* JSON */
    im_str_t           override;    /* as im_override_decode() takes it */
    int64_t            code;
    int64_t            seconds;     /* the user is kept out for so long */
    int64_t            seq;
    int64_t            expire_at;   /* s since 1970; 0: never */
    int                expired;
    im_buf_t           arena;       /* of what was decoded */
} im_control_t;


void im_control_init(im_control_t *c, im_control_e kind);
/* Only for what was decoded. */
void im_control_cleanup(im_control_t *c);

/* Appends the topic with whose partition's pushes the entry goes. */
void im_control_queue(im_buf_t *b, const im_control_t *c);

/* It goes to every live worker, not only to those that hold the topic. */
int im_control_everywhere(const im_control_t *c);

/*
 * A session may be closed with that code: 1000, or one that is left to
 * applications (RFC 6455, section 7.4.2).
 */
int im_control_code_valid(int64_t code);

/* Appends the envelope; now is ms since 1970. */
void im_control_encode(im_buf_t *b, const im_control_t *c, uint64_t now);

/*
 * The envelope of an entry of that topic, from which strings borrow.  IM_OK:
 * to be cleaned up; IM_DECLINED: of a kind that this version doesn't know;
 * IM_ERROR: malformed, *why is static text; the kind is 0 if no envelope is
 * there.
 */
im_int_t im_control_decode(im_str_t topic, im_str_t envelope, im_control_t *c,
    const char **why);


/* One of a session. */
typedef struct {
    int                joined;
    int                late;        /* clients of that worker don't know yet */
    im_member_t        member;
} im_control_change_t;


/* member: a JSON object of im_member_encode() */
void im_control_change_encode(im_buf_t *b, const im_control_change_t *change,
    im_str_t member);

/* The arena must take twice json.len bytes. */
im_int_t im_control_change_decode(im_str_t json, im_buf_t *arena,
    im_control_change_t *change);


#endif /* IM_CONTROL_H */
