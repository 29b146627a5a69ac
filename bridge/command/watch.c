// SPDX-License-Identifier: Apache-2.0
//
// See watch.h. Main thread.
#include "command/watch.h"

#include <stdlib.h>
#include <string.h>

/* What changes when a file does; all zero when there is none. */
struct watch_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

static bool times_equal(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool stamps_equal(const struct watch_stamp *a, const struct watch_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           times_equal(a->modified, b->modified) && times_equal(a->changed, b->changed);
}

static struct watch_stamp stamp_of(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return (struct watch_stamp){.inode = 0};
    return (struct watch_stamp){found.st_dev, found.st_ino, found.st_size, found.st_mtim, found.st_ctim};
}

/* Takes the stamps anew; whether one is different. */
static bool stamp_all(struct watch *watch)
{
    bool different = false;
    for (size_t i = 0; i < watch->files.count; i++) {
        struct watch_stamp stamp = stamp_of(watch->files.paths[i]);
        different |= !stamps_equal(&stamp, &watch->stamps[i]);
        watch->stamps[i] = stamp;
    }
    return different;
}

bool watch_set(struct watch *watch, struct config_files *files)
{
    watch_free(watch);
    watch->files = *files;
    *files = (struct config_files){NULL, 0};
    watch->stamps = calloc(watch->files.count + 1, sizeof *watch->stamps);
    if (watch->stamps == NULL) {
        watch_free(watch);
        return false;
    }
    stamp_all(watch);
    return true;
}

bool watch_look(struct watch *watch)
{
    bool different = stamp_all(watch), settled = watch->settling && !different;
    watch->settling = different;
    return settled;
}

void watch_free(struct watch *watch)
{
    config_files_free(&watch->files);
    free(watch->stamps);
    *watch = (struct watch){.stamps = NULL};
}
