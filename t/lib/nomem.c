/*
 * Copyright (C) The im authors
 *
 * An allocator that fails, to be preloaded: while the file that IM_NOMEM names
 * has a number N that is not 0, each Nth allocation of the module fails in the
 * process whose number is the second one.  The third one counts the failures.
 * Other code gets its memory from libc.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);


static volatile uint32_t  *state;       /* N, process, failures */
static uint32_t            count;
static uintptr_t           from;        /* the module's code */
static uintptr_t           to;


static int
look(struct dl_phdr_info *info, size_t size, void *data)
{
    int  i;

    (void) size;
    (void) data;

    if (strstr(info->dlpi_name, "ngx_im_module.so") == NULL) {
        return 0;
    }

    for (i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD
            && (info->dlpi_phdr[i].p_flags & PF_X))
        {
            from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            to = from + info->dlpi_phdr[i].p_memsz;
        }
    }

    return 1;
}


__attribute__((constructor))
static void
open_state(void)
{
    int          fd;
    const char  *name;

    name = getenv("IM_NOMEM");
    fd = name != NULL ? open(name, O_RDWR|O_CLOEXEC) : -1;

    if (fd != -1) {
        state = mmap(NULL, 12, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
        (void) close(fd);

        if (state == MAP_FAILED) {
            state = NULL;
        }
    }
}


static int
fails(uintptr_t caller)
{
    uint32_t  n;

    n = state != NULL ? state[0] : 0;

    if (n == 0 || state[1] != (uint32_t) getpid()) {
        return 0;
    }

    if (to == 0) {
        (void) dl_iterate_phdr(look, NULL);
    }

    if (caller < from || caller >= to || ++count % n != 0) {
        return 0;
    }

    state[2]++;
    errno = ENOMEM;

    return 1;
}


void *
malloc(size_t size)
{
    return fails((uintptr_t) __builtin_return_address(0))
           ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fails((uintptr_t) __builtin_return_address(0))
           ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fails((uintptr_t) __builtin_return_address(0))
           ? NULL : __libc_realloc(p, size);
}
