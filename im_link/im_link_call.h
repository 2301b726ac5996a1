/*
 * Copyright (C) The im authors
 *
 * A Redis command under construction: its words, then its arguments.
 *
 *     call = im_link_script(link, &im_script_own);
 *
 *     im_key_owner(&call->bytes, prefix, p);
 *     im_link_call_key(call);
 *     im_link_call_str(call, id);
 *     im_link_call_uint(call, length);
 *
 *     rc = im_link_send(link, handler, data);
 *
 * Errors stick: an argument that finds no memory or is over the limit makes
 * im_link_send() fail, so a caller looks once.  All bytes are copied.
 */

#ifndef IM_LINK_CALL_H
#define IM_LINK_CALL_H


#include "im_types.h"
#include "im_buf.h"
#include "im_keys.h"
#include "im_script.h"


#define IM_LINK_CALL_MAX_BYTES  (4 * 1024 * 1024)
#define IM_LINK_CALL_MAX_ARGS   2048

#define IM_LINK_SLOTS           16384


typedef struct {
    im_buf_t            bytes;       /* of all arguments, without separators */
    im_buf_t            lens;        /* uint32_t of each argument */
    im_uint_t           nargs;       /* words of a plain command are some */
    im_uint_t           nkeys;
    im_uint_t           generation;  /* 1 + index of its argument; 0: none */
    size_t              start;       /* where the current argument begins */
    im_uint_t           slot;        /* of the first key; 0: there is none */
    const im_script_t  *script;      /* NULL: a plain command */
    uint64_t            number;      /* errors may send it to others; or 0 */
} im_link_call_t;


/* Where the bytes of an encoded call have something. */
typedef struct {
    size_t  tail;                    /* of a script: what follows its SHA-1 */
    size_t  generation;              /* 0: nowhere */
} im_link_place_t;


/* Allocates nothing. */
void im_link_call_init(im_link_call_t *call);
void im_link_call_cleanup(im_link_call_t *call);

/* Starts a plain command: one or more words, "PING" or "INFO server". */
void im_link_call_start(im_link_call_t *call, const char *words);

/* Starts a script: its keys come first.  NULL: a plain command. */
void im_link_call_start_script(im_link_call_t *call, const im_script_t *script);

/*
 * End the argument whose bytes were appended to call->bytes.  The first key
 * says which server gets the call, also of a plain command.
 */
void im_link_call_key(im_link_call_t *call);
void im_link_call_arg(im_link_call_t *call);

/* Append one whole argument. */
void im_link_call_str(im_link_call_t *call, im_str_t s);
void im_link_call_uint(im_link_call_t *call, uint64_t n);

#define im_link_call_z(call, z)  im_link_call_str(call, im_str_z(z))

/* The generation of the connection that carries the call; once at most. */
void im_link_call_generation(im_link_call_t *call);
/* The keys of queue.lua, behind the other keys of a script. */
void im_link_call_channels(im_link_call_t *call, const im_keys_t *keys,
    uint16_t p);

/*
 * Appends the call as Redis reads it, a script by its SHA-1.  An error of the
 * call sticks to out.
 */
void im_link_call_encode(const im_link_call_t *call, im_buf_t *out,
    im_str_t generation, im_link_place_t *place);

/* Appends the beginning of a script's call, up to the tail. */
void im_link_call_encode_sha(const im_script_t *script, im_uint_t nargs,
    im_buf_t *out);

/* Appends the same script by its text, with the tail of that call. */
void im_link_call_encode_text(const im_script_t *script, im_uint_t nargs,
    im_str_t tail, im_buf_t *out);

/*
 * The slot as Redis computes it: CRC16 of the key, or of what is between its
 * first "{" and the next "}".
 */
im_uint_t im_link_slot(im_str_t key);


#endif /* IM_LINK_CALL_H */
