/*
 * Copyright (C) The im authors
 *
 * What clients offer of permessage-deflate.
 */

#include "im_offer.h"
#include "im_header.h"


#define IM_OFFER_WINDOW_MIN  8


/* Bits of what an offer has. */
typedef enum {
    IM_OFFER_SERVER_WINDOW = 1,
    IM_OFFER_CLIENT_WINDOW = 2,
    IM_OFFER_SERVER_RESET = 4,
    IM_OFFER_CLIENT_RESET = 8
} im_offer_param_e;


typedef struct {
    unsigned  params;        /* im_offer_param_e */
    unsigned  window;        /* of the server */
    int       bad;
} im_offer_t;


static const struct {
    const char        *name;
    im_offer_param_e   param;
} im_offer_params[] = {
    { "server_max_window_bits", IM_OFFER_SERVER_WINDOW },
    { "client_max_window_bits", IM_OFFER_CLIENT_WINDOW },
    { "server_no_context_takeover", IM_OFFER_SERVER_RESET },
    { "client_no_context_takeover", IM_OFFER_CLIENT_RESET },
    { NULL, 0 }
};


/* "8" to "15", without leading zeros; else 0. */
static unsigned
im_offer_bits(im_str_t value)
{
    unsigned  bits;

    if (value.len == 1) {
        bits = value.data[0] - '0';

    } else if (value.len == 2 && value.data[0] == '1') {
        bits = 10 + value.data[1] - '0';

    } else {
        return 0;
    }

    return bits >= IM_OFFER_WINDOW_MIN && bits <= IM_OFFER_WINDOW_MAX ? bits
                                                                      : 0;
}


/* Only the window of the client may be without a value. */
static int
im_offer_valid(im_offer_param_e param, im_str_t value, unsigned bits)
{
    switch (param) {

    case IM_OFFER_SERVER_WINDOW:
        return bits > 0;

    case IM_OFFER_CLIENT_WINDOW:
        return value.data == NULL || bits > 0;

    default:
        return value.data == NULL;
    }
}


static void
im_offer_add(im_offer_t *offer, const im_header_param_t *param)
{
    unsigned   i, bits, bit;

    for (i = 0; im_offer_params[i].name != NULL; i++) {
        if (im_str_eq(param->name, im_str_z(im_offer_params[i].name))) {
            break;
        }
    }

    bit = im_offer_params[i].param;
    bits = im_offer_bits(param->value);

    if (bit == 0 || (offer->params & bit)
        || !im_offer_valid(bit, param->value, bits))
    {
        offer->bad = 1;
        return;
    }

    offer->params |= bit;

    if (bit == IM_OFFER_SERVER_WINDOW) {
        offer->window = bits;
    }
}


int
im_offer_deflate(im_str_t value, unsigned least, unsigned *window, int *asked)
{
    im_int_t            rc;
    im_str_t            name;
    im_offer_t          offer;
    im_header_param_t   param;
    im_header_reader_t  r;

    im_header_reader(&r, value);

    while (im_header_extension(&r, &name) == IM_OK) {

        offer.params = 0;
        offer.window = IM_OFFER_WINDOW_MAX;
        offer.bad = !im_str_eq(name, im_str_z("permessage-deflate"));

        while ((rc = im_header_param(&r, &param)) == IM_OK) {
            im_offer_add(&offer, &param);
        }

        if (rc == IM_ERROR) {
            return 0;
        }

        if (!offer.bad && offer.window >= least) {
            *window = offer.window;
            *asked = (offer.params & IM_OFFER_SERVER_WINDOW) != 0;

            return 1;
        }
    }

    return 0;
}
