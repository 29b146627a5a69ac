// SPDX-License-Identifier: Apache-2.0
//
// See watch.h. Main thread.
#include "command/watch.h"

static bool times_equal(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* What changes when a file does. */
static bool looks_equal(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           times_equal(a->st_mtim, b->st_mtim) && times_equal(a->st_ctim, b->st_ctim);
}

/* Looks at all of them anew; whether one is different. */
static bool look_at_all(struct watch *watch)
{
    bool different = false;
    for (size_t i = 0; i < watch->files.count; i++) {
        struct stat found = config_file_look(watch->files.paths[i]);
        different |= !looks_equal(&found, &watch->files.seen[i]);
        watch->files.seen[i] = found;
    }
    return different;
}

void watch_set(struct watch *watch, struct config_files *files)
{
    watch_free(watch);
    watch->files = *files;
    *files = (struct config_files){.count = 0};
}

bool watch_look(struct watch *watch)
{
    bool different = look_at_all(watch), settled = watch->settling && !different;
    watch->settling = different;
    return settled;
}

void watch_free(struct watch *watch)
{
    config_files_free(&watch->files);
    *watch = (struct watch){.settling = false};
}
