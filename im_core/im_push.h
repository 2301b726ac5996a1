/*
 * Copyright (C) The im authors
 *
 * What im_logic sends through Redis to the workers: the envelope of one message
 * (stored in history and queue) and the batch of a PUBLISH.  All
 * integers are big-endian.
 *
 *   envelope: u8 version 1, u8 kind, u8+id, u64 time ms, u8+user, u8+name,
 *             u8+session, u16+info, i32 operation, u16+tags, u8 data type,
 *             u32+data, and u32 speed where that isn't 0
 *   batch:    entries of u32 length of what follows, u8 kind, u8+topic,
 *             u8+epoch, u64 seq, envelope.  An empty batch is a heartbeat.
 *
 * An entry without a number has a mark instead, in the place of the epoch: "-"
 * and decimal digits.  The marks of a topic rise in the order of its entries.
 * So have control entries with joins and leaves.
 */

#ifndef IM_PUSH_H
#define IM_PUSH_H


#include "im_types.h"
#include "im_buf.h"


#define IM_PUSH_VERSION       1
#define IM_PUSH_HASH          16       /* hex digits */
#define IM_PUSH_MAX_DATA      (1024 * 1024)
#define IM_PUSH_MAX_ID        64
#define IM_PUSH_MAX_BATCH     (256 * 1024)   /* a bigger entry is sent alone */


typedef enum {
    IM_PUSH_MESSAGE = 0,
    IM_PUSH_CONTROL = 1,
    IM_PUSH_INPUT = 2        /* of an entry alone: im_emulation.h */
} im_push_kind_e;


typedef enum {
    IM_PUSH_JSON = 0,
    IM_PUSH_TEXT,
    IM_PUSH_BINARY
} im_push_data_e;


typedef struct {
    uint8_t   kind;
    uint8_t   type;          /* im_push_data_e */
    int32_t   operation;
    uint32_t  speed;         /* sessions a second and worker; 0: all at once */
    uint64_t  time;          /* ms since 1970 */
    im_str_t  id;            /* the caller's, or empty */
    im_str_t  user;          /* sender, or empty */
    im_str_t  name;
    im_str_t  session;
    im_str_t  info;          /* JSON of the sender for other clients */
    im_str_t  tags;          /* JSON: an object of strings */
    im_str_t  data;
} im_envelope_t;


/*
 * What the data of a message is: JSON if it is valid, else text if it is UTF-8,
 * else binary.  IM_ERROR: no memory.
 */
im_int_t im_push_classify(im_str_t data, uint8_t *type);

/*
 * Data as a JSON value: JSON as it is, text as a string, binary as a string in
 * base64.
 */
void im_push_add_value(im_buf_t *b, uint8_t type, im_str_t data);

/* A field that is too long makes b fail. */
void im_envelope_encode(im_buf_t *b, const im_envelope_t *e);

/* The strings borrow from s.  IM_ERROR: not an envelope of this version. */
im_int_t im_envelope_decode(im_str_t s, im_envelope_t *e);

/* 16 hex digits, of all but id and time: a repeated push has the same. */
void im_envelope_hash(const im_envelope_t *e, u_char hash[IM_PUSH_HASH]);


typedef struct {
    uint8_t   kind;
    im_str_t  topic;
    im_str_t  epoch;
    uint64_t  seq;           /* 0: of a message that is in no history */
    im_str_t  envelope;
} im_entry_t;


void im_entry_encode(im_buf_t *b, const im_entry_t *e);

/* Reads the next entry.  IM_DECLINED: no more; IM_ERROR: malformed. */
im_int_t im_entry_decode(im_reader_t *r, im_entry_t *e);

/* The mark of an entry without a number; 0: it has none. */
uint64_t im_entry_mark(const im_entry_t *e);

/* "epoch:seq" as in scripts and queue.  IM_ERROR: malformed. */
im_int_t im_position_decode(im_str_t s, im_str_t *epoch, uint64_t *seq);


#endif /* IM_PUSH_H */
