/*
 * Copyright (C) The im authors
 *
 * Addresses as people write them.
 */

#include <arpa/inet.h>
#include <strings.h>

#include "im_addr.h"


#define im_addr_digit(c)   ((c) >= '0' && (c) <= '9')
#define im_addr_letter(c)  (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')


/* Digits only, no leading zero; 0: not a port. */
static im_uint_t
im_addr_port(im_str_t s)
{
    size_t     i;
    im_uint_t  port;

    if (s.len == 0 || s.len > 5 || s.data[0] == '0') {
        return 0;
    }

    port = 0;

    for (i = 0; i < s.len; i++) {
        if (!im_addr_digit(s.data[i])) {
            return 0;
        }

        port = port * 10 + (s.data[i] - '0');
    }

    return port <= 65535 ? port : 0;
}


static int
im_addr_ip(int family, im_str_t s, u_char *ip)
{
    char  text[IM_ADDR_MAX_IP + 1];

    if (s.len == 0 || s.len > IM_ADDR_MAX_IP) {
        return 0;
    }

    im_copy(text, s.data, s.len);
    text[s.len] = '\0';

    return strlen(text) == s.len && inet_pton(family, text, ip) == 1;
}


/*
 * Letters, digits, "-" and, as names of containers have it, "_"; a dot may
 * stand at the end (RFC 1123).
 */
static int
im_addr_name(im_str_t s)
{
    u_char  c, prev;
    size_t  i, label;

    if (s.len > 0 && s.data[s.len - 1] == '.') {
        s.len--;
    }

    if (s.len == 0 || s.len > IM_ADDR_MAX_NAME) {
        return 0;
    }

    label = 0;
    prev = '.';

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == '.') {
            if (prev == '.' || prev == '-') {
                return 0;
            }

            label = 0;

        } else if ((c == '-' && prev == '.')
                   || (c != '-' && c != '_' && !im_addr_digit(c)
                       && !im_addr_letter(c))
                   || ++label > 63)
        {
            return 0;
        }

        prev = c;
    }

    return prev != '.' && prev != '-';
}


/* The last label is a number, as of no name: resolvers take 1.2 and 0x7f. */
static int
im_addr_numeric(im_str_t s)
{
    size_t  i, from;

    if (s.len > 0 && s.data[s.len - 1] == '.') {
        s.len--;
    }

    for (from = s.len; from > 0 && s.data[from - 1] != '.'; from--) {
        /* void */
    }

    if (s.len - from > 1 && s.data[from] == '0'
        && (s.data[from + 1] | 0x20) == 'x')
    {
        return 1;
    }

    for (i = from; i < s.len; i++) {
        if (!im_addr_digit(s.data[i])) {
            return 0;
        }
    }

    return s.len > from;
}


static const char *
im_addr_path(im_addr_t *addr, im_str_t path)
{
    addr->type = IM_ADDR_UNIX;
    addr->host = path;

    if (path.len == 0) {
        return "has no path: use unix:/PATH";
    }

    if (path.data[0] == '@') {
        return "is abstract, and any local user may connect to such a socket: "
               "use unix:/PATH";
    }

    if (path.data[0] != '/') {
        return "has a path that depends on the current directory: begin it "
               "with \"/\"";
    }

    if (path.len > IM_ADDR_MAX_PATH) {
        return "has a path that is too long for a socket: use at most "
               im_text(IM_ADDR_MAX_PATH) " bytes";
    }

    if (path.data[path.len - 1] == '/'
        || im_str_chr(path, '\0') != NULL)
    {
        return "has a path that is not one of a file";
    }

    return NULL;
}


static const char *
im_addr_host(im_addr_t *addr, im_addr_use_e use)
{
    im_str_t  host;

    host = addr->host;

    if (host.len == 0) {
        return use == IM_ADDR_LISTEN ? "has no host: use 127.0.0.1:PORT, or "
                                       "*:PORT for all addresses"
                                     : "has no host: use HOST:PORT";
    }

    if (host.len == 1 && host.data[0] == '*') {
        addr->type = IM_ADDR_ANY;

        return use == IM_ADDR_LISTEN ? NULL : "is no host to connect to: use "
                                              "HOST:PORT";
    }

    if (im_addr_numeric(host)) {
        addr->type = IM_ADDR_IPV4;

        return im_addr_ip(AF_INET, host, addr->ip)
               ? NULL : "is no IPv4 address: use four numbers from 0 to 255";
    }

    addr->type = IM_ADDR_NAME;

    if (im_str_chr(host, '/') != NULL) {
        return "is no host: use HOST:PORT or unix:/PATH";
    }

    return im_addr_name(host)
           ? NULL : "is no host name: use letters, digits, \"-\", and \".\" "
                    "between labels of 1 to 63 bytes";
}


/* The text behind "[". */
static const char *
im_addr_brackets(im_addr_t *addr, im_str_t text, im_str_t *rest)
{
    u_char  *p;

    p = text.len > 0 ? im_str_chr(text, ']') : NULL;

    if (p == NULL) {
        return "has no \"]\": use [IPV6]:PORT";
    }

    addr->type = IM_ADDR_IPV6;
    addr->host = im_str_set(text.data, (size_t) (p - text.data));
    *rest = im_str_set(p + 1, text.len - addr->host.len - 1);

    if (addr->host.len > 0 && im_str_chr(addr->host, '%')) {
        return "has a zone: use an address without \"%\"";
    }

    return im_addr_ip(AF_INET6, addr->host, addr->ip)
           ? NULL : "has no IPv6 address between \"[\" and \"]\"";
}


static const char *
im_addr_colons(im_str_t text)
{
    u_char  ip[16];

    return im_addr_ip(AF_INET6, text, ip)
           ? "is IPv6 without brackets: use [::1]:PORT"
           : "has more than one \":\": use HOST:PORT or [IPV6]:PORT";
}


/* HOST and what follows it, from ":" on. */
static const char *
im_addr_split(im_addr_t *addr, im_str_t text, im_addr_use_e use, im_str_t *rest)
{
    u_char  *p, *end;

    end = text.data + text.len;

    if (text.data[0] == '[') {
        return im_addr_brackets(addr, im_str_set(text.data + 1, text.len - 1),
                                rest);
    }

    p = im_str_chr(text, ':');

    if (p == NULL) {
        p = end;

    } else if (end - p > 2 && p[1] == '/' && p[2] == '/') {
        return "is a URL: use HOST:PORT or unix:/PATH";

    } else if (end - p > 1 && memchr(p + 1, ':', (size_t) (end - p - 1))) {
        return im_addr_colons(text);
    }

    addr->host = im_str_set(text.data, (size_t) (p - text.data));
    *rest = im_str_set(p, (size_t) (end - p));

    if (p == end && im_addr_port(text) != 0) {
        return "is a port without a host: use 127.0.0.1:PORT";
    }

    return im_addr_host(addr, use);
}


const char *
im_addr_parse(im_addr_t *addr, im_str_t text, im_addr_use_e use, im_uint_t port)
{
    im_str_t     rest;
    const char  *why;

    memset(addr, 0, sizeof(im_addr_t));

    if (text.len == 0) {
        return "is empty: use HOST:PORT or unix:/PATH";
    }

    if (text.len >= 5 && strncasecmp((char *) text.data, "unix:", 5) == 0) {
        return im_addr_path(addr, im_str_set(text.data + 5, text.len - 5));
    }

    why = im_addr_split(addr, text, use, &rest);
    if (why != NULL) {
        return why;
    }

    if (rest.len > 0) {
        port = rest.data[0] == ':'
               ? im_addr_port(im_str_set(rest.data + 1, rest.len - 1)) : 0;

        if (port == 0) {
            return "has no valid port: use a number from 1 to 65535";
        }
    }

    if (port == 0) {
        return "has no port: use HOST:PORT";
    }

    addr->port = (uint16_t) port;

    return NULL;
}


int
im_addr_loopback(const im_addr_t *addr)
{
    size_t               len;
    const char          *end;
    static const u_char  one[16] = { [15] = 1 };
    static const u_char  mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

    switch (addr->type) {

    case IM_ADDR_UNIX:
        return 1;

    case IM_ADDR_IPV4:
        return addr->ip[0] == 127;

    case IM_ADDR_IPV6:
        return memcmp(addr->ip, one, sizeof(one)) == 0
               || memcmp(addr->ip, mapped, sizeof(mapped)) == 0;

    case IM_ADDR_NAME:
        len = addr->host.len;
        len -= addr->host.data[len - 1] == '.';
        end = (const char *) addr->host.data + len;

        return (len == 9 || (len > 9 && end[-10] == '.'))
               && strncasecmp(end - 9, "localhost", 9) == 0;

    default:
        return 0;
    }
}
