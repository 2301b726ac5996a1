/*
 * Copyright (C) The im authors
 *
 * Runs every file of the folders given through a fuzz target, without a
 * fuzzer.  TAP; a crash is what fails.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define REPLAY_MAX_PATH  4096
#define REPLAY_MAX_FILE  (16 * 1024 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_folder(const char *folder, unsigned *n);
static int replay_visible(const struct dirent *entry);
static int replay_file(const char *path);


int
main(int argc, char **argv)
{
    int       i;
    unsigned  n, bad;

    n = 0;
    bad = argc < 2;

    for (i = 1; i < argc; i++) {
        bad |= replay_folder(argv[i], &n) != 0;
    }

    printf("1..%u\n", n);

    return bad || n == 0;
}


static int
replay_folder(const char *folder, unsigned *n)
{
    int              i, count, rc;
    char             path[REPLAY_MAX_PATH];
    struct dirent  **entries;

    count = scandir(folder, &entries, replay_visible, alphasort);
    if (count < 0) {
        perror(folder);
        return -1;
    }

    rc = 0;

    for (i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);

        if (replay_file(path) == 0) {
            printf("ok %u - %s\n", ++*n, path);

        } else {
            printf("not ok %u - %s\n", ++*n, path);
            rc = -1;
        }

        fflush(stdout);
        free(entries[i]);
    }

    free(entries);

    return rc;
}


static int
replay_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}


static int
replay_file(const char *path)
{
    int       rc;
    FILE     *file;
    long      size;
    uint8_t  *data;

    rc = -1;
    data = NULL;

    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }

    if (fseek(file, 0, SEEK_END) != 0) {
        goto done;
    }

    size = ftell(file);
    if (size < 0 || size > REPLAY_MAX_FILE || fseek(file, 0, SEEK_SET) != 0) {
        goto done;
    }

    /* Of the exact size, so that a sanitizer sees a read beyond it. */

    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != (size_t) size) {
        goto done;
    }

    (void) LLVMFuzzerTestOneInput(data, size);
    rc = 0;

done:

    free(data);
    fclose(file);

    return rc;
}
