// SPDX-License-Identifier: Apache-2.0
//
// The list of files that a configuration was made from, for whoever watches them.
// The thread that loads the configuration runs it.
#include "config/options.h"

#include <stdlib.h>

bool config_files_add(struct config_files *files, struct slice path)
{
    if (files == NULL)
        return true;
    for (size_t i = 0; i < files->count; i++)
        if (slice_equal(slice_of(files->paths[i]), path))
            return true;
    /* The capacity is not kept: it doubles whenever the count is a power of two. */
    size_t count = files->count;
    if ((count & (count - 1)) == 0) {
        char **paths = reallocarray(files->paths, count == 0 ? 1 : count * 2, sizeof *paths);
        if (paths == NULL)
            return false;
        files->paths = paths;
    }
    char *copy = config_value_copy(path);
    if (copy == NULL)
        return false;
    files->paths[files->count++] = copy;
    return true;
}

void config_files_free(struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct config_files){NULL, 0};
}
