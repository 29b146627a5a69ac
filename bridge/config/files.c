// SPDX-License-Identifier: Apache-2.0
//
// The list of files that a configuration was made from, for whoever watches them.
// The thread that loads the configuration runs it.
#include "config/options.h"

#include <stdlib.h>

struct stat config_file_look(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 ? found : (struct stat){.st_ino = 0};
}

/* The capacity is not kept: it doubles whenever the count is a power of two. */
static bool make_room(struct config_files *files)
{
    size_t count = files->count, size = count == 0 ? 1 : count * 2;
    if ((count & (count - 1)) != 0)
        return true;
    char **paths = reallocarray(files->paths, size, sizeof *paths);
    if (paths == NULL)
        return false;
    files->paths = paths;
    struct stat *seen = reallocarray(files->seen, size, sizeof *seen);
    if (seen == NULL)
        return false;
    files->seen = seen;
    return true;
}

bool config_files_add(struct config_files *files, struct slice path)
{
    if (files == NULL)
        return true;
    for (size_t i = 0; i < files->count; i++)
        if (slice_equal(slice_of(files->paths[i]), path))
            return true;
    char *copy = make_room(files) ? config_value_copy(path) : NULL;
    if (copy == NULL)
        return false;
    files->seen[files->count] = config_file_look(copy);
    files->paths[files->count++] = copy;
    return true;
}

void config_files_free(struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    free(files->seen);
    *files = (struct config_files){.count = 0};
}
