// SPDX-License-Identifier: Apache-2.0
//
// Files that the options of a simulation name: read whole, and looked at for changes; main thread.
#include "command/simulate.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PIECE 65536

struct slice file_read(const char *path, size_t max, char *errstr, size_t errstr_size)
{
    size_t len = 0, capacity = 0;
    char *text = NULL;
    const char *cause = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(errstr, errstr_size, "%s: %s", path, strerror(errno));
        return SLICE_ABSENT;
    }
    while (cause == NULL && feof(file) == 0) {
        if (len == capacity) {
            char *grown = realloc(text, capacity * 2 + PIECE + 1);
            if (grown == NULL) {
                cause = "out of memory";
                break;
            }
            text = grown;
            capacity = capacity * 2 + PIECE;
        }
        len += fread(text + len, 1, capacity - len, file);
        if (ferror(file) != 0)
            cause = strerror(errno);
    }
    fclose(file);
    if (cause == NULL && len <= max) {
        text[len] = '\0';
        return (struct slice){text, len};
    }
    if (cause == NULL)
        snprintf(errstr, errstr_size, "%s: larger than %zu KiB", path, max >> 10);
    else
        snprintf(errstr, errstr_size, "%s: %s", path, cause);
    file_free((struct slice){text, len});
    return SLICE_ABSENT;
}

/* It may have been a key or a secret. */
void file_free(struct slice text)
{
    char *own = (char *)(uintptr_t)text.ptr; /* made by file_read */
    if (own == NULL)
        return;
    OPENSSL_cleanse(own, text.len);
    free(own);
}

struct slice file_first_line(struct slice text)
{
    struct slice line = {text.ptr, 0};
    while (line.len < text.len && line.ptr[line.len] != '\n' && line.ptr[line.len] != '\r')
        line.len++;
    return line;
}

/* All zero when there is no such file. */
static void stamp_make(const char *path, int64_t stamp[static 4])
{
    struct stat status;
    memset(stamp, 0, 4 * sizeof *stamp);
    if (stat(path, &status) != 0)
        return;
    stamp[0] = (int64_t)status.st_ino;
    stamp[1] = (int64_t)status.st_size;
    stamp[2] = (int64_t)status.st_mtim.tv_sec;
    stamp[3] = (int64_t)status.st_mtim.tv_nsec;
}

void watched_file_note(struct watched_file *file)
{
    if (file->path != NULL)
        stamp_make(file->path, file->noted);
    memcpy(file->seen, file->noted, sizeof file->seen);
}

enum watched_state watched_file_look(struct watched_file *file)
{
    int64_t stamp[4];
    if (file->path == NULL)
        return WATCHED_SAME;
    stamp_make(file->path, stamp);
    bool still = memcmp(stamp, file->seen, sizeof stamp) == 0;
    memcpy(file->seen, stamp, sizeof stamp);
    if (!still)
        return WATCHED_MOVING;
    return memcmp(stamp, file->noted, sizeof stamp) == 0 ? WATCHED_SAME : WATCHED_CHANGED;
}
