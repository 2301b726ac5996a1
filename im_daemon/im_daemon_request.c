/*
 * Copyright (C) The im authors
 *
 * What all transports say alike.
 */

#include "im_daemon_request.h"


static const struct {
    im_uint_t    status;
    const char  *reason;
} im_daemon_statuses[] = {
    { 200, "OK" },
    { 204, "No Content" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 409, "Conflict" },
    { 413, "Payload Too Large" },
    { 416, "Range Not Satisfiable" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" },
    { 0, "Unknown" }
};


const char *
im_daemon_status(im_uint_t status)
{
    im_uint_t  i;

    for (i = 0; im_daemon_statuses[i].status != 0; i++) {
        if (im_daemon_statuses[i].status == status) {
            break;
        }
    }

    return im_daemon_statuses[i].reason;
}
