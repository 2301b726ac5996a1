/*
 * Copyright (C) The im authors
 *
 * Names of hosts for tests, to be preloaded: the file that IM_NAMES names is
 * read by each getaddrinfo() and has lines "NAME ADDRESS ...".  A name without
 * addresses is unknown, one with "?" can't be looked up now; "!" makes a lookup
 * last as long as the file says so.  Other names go to libc.
 */

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


typedef int (*getaddrinfo_pt)(const char *, const char *,
    const struct addrinfo *, struct addrinfo **);


static getaddrinfo_pt
real(void)
{
    return (getaddrinfo_pt) dlsym(RTLD_NEXT, "getaddrinfo");
}


/* The addresses of a name, in line; NULL: not there. */
static char *
find(const char *name, char *line, size_t size)
{
    FILE    *f;
    size_t   len;

    f = getenv("IM_NAMES") != NULL ? fopen(getenv("IM_NAMES"), "re") : NULL;
    if (f == NULL) {
        return NULL;
    }

    len = strlen(name);

    while (fgets(line, (int) size, f) != NULL) {
        if (strncmp(line, name, len) == 0 && strchr(" \n", line[len]) != NULL) {
            (void) fclose(f);
            return line + len;
        }
    }

    (void) fclose(f);

    return NULL;
}


int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **res)
{
    int                rc;
    char               line[1024], *p, *state;
    struct addrinfo  **tail;

    p = name != NULL ? find(name, line, sizeof(line)) : NULL;

    while (p != NULL && strchr(p, '!') != NULL) {
        (void) usleep(10000);
        p = find(name, line, sizeof(line));
    }

    if (p == NULL) {
        return real()(name, service, hints, res);
    }

    if (strchr(p, '?') != NULL) {
        return EAI_AGAIN;
    }

    *res = NULL;
    tail = res;

    for (p = strtok_r(p, " \n", &state); p != NULL;
         p = strtok_r(NULL, " \n", &state))
    {
        rc = real()(p, service, hints, tail);
        if (rc != 0) {
            return rc;
        }

        while (*tail != NULL) {
            tail = &(*tail)->ai_next;
        }
    }

    return *res != NULL ? 0 : EAI_NONAME;
}
