// SPDX-License-Identifier: Apache-2.0
//
// Values from outside the file: ${NAME} from the environment, ${file:/path} from
// a file, $${ for a literal ${. The thread that loads the configuration runs it.
// What is read here may be secret: it never goes into a message, and every
// buffer that held it is overwritten.
#include "config/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_FILE_MAX ((size_t)64 * 1024)
#define VALUE_MAX ((size_t)1024 * 1024)
#define FILE_PATH_MAX 4095

void config_wipe(char *text, size_t length)
{
    if (text != NULL)
        explicit_bzero(text, length);
    free(text);
}

bool config_file_read(const char *path, size_t limit, char **text, size_t *length,
                      char reason[CONFIG_REASON_MAX])
{
    char *buffer = NULL;
    size_t used = 0;
    bool done = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(reason, CONFIG_REASON_MAX, "%s", strerrordesc_np(errno));
        goto out;
    }
    buffer = malloc(limit + 1);
    if (buffer == NULL) {
        snprintf(reason, CONFIG_REASON_MAX, "out of memory");
        goto out;
    }
    for (;;) {
        /* One byte more than allowed, so that too large is seen. */
        ssize_t n = read(fd, buffer + used, limit + 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            snprintf(reason, CONFIG_REASON_MAX, "%s", strerrordesc_np(errno));
            goto out;
        }
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > limit) {
            char size[32];
            config_value_size(limit, size, sizeof size);
            snprintf(reason, CONFIG_REASON_MAX, "larger than %s", size);
            goto out;
        }
    }
    buffer[used] = '\0';
    *text = buffer;
    *length = used;
    done = true;
out:
    if (fd >= 0)
        close(fd);
    if (!done)
        config_wipe(buffer, used);
    return done;
}

/* The text that is built up; never grown with realloc, which could leave a copy behind. */
struct output {
    char *text;
    size_t length, capacity;
};

enum append_result { APPENDED, APPEND_TOO_LONG, APPEND_NO_MEMORY };

static enum append_result output_append(struct output *output, const char *text, size_t length)
{
    if (length > VALUE_MAX - output->length)
        return APPEND_TOO_LONG;
    size_t needed = output->length + length + 1;
    if (needed > output->capacity) {
        size_t capacity = needed * 2;
        char *larger = malloc(capacity);
        if (larger == NULL)
            return APPEND_NO_MEMORY;
        if (output->text != NULL)
            memcpy(larger, output->text, output->length);
        config_wipe(output->text, output->length);
        output->text = larger;
        output->capacity = capacity;
    }
    if (length > 0)
        memcpy(output->text + output->length, text, length);
    output->length += length;
    output->text[output->length] = '\0';
    return APPENDED;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static bool is_variable_name(struct slice name)
{
    if (name.len == 0 || name.len > 255 || (name.ptr[0] >= '0' && name.ptr[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

/* A file's content may not be cut by a NUL, and ends without its last newline. */
static bool read_secret_file(struct slice path, char **text, size_t *length, char reason[CONFIG_REASON_MAX])
{
    char name[FILE_PATH_MAX + 1];
    if (path.len > FILE_PATH_MAX) {
        snprintf(reason, CONFIG_REASON_MAX, "path too long");
        return false;
    }
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    if (!config_file_read(name, SECRET_FILE_MAX, text, length, reason))
        return false;
    if (memchr(*text, '\0', *length) != NULL) {
        snprintf(reason, CONFIG_REASON_MAX, "it contains a NUL character");
        config_wipe(*text, *length);
        return false;
    }
    if (*length > 0 && (*text)[*length - 1] == '\n') {
        (*length)--;
        if (*length > 0 && (*text)[*length - 1] == '\r')
            (*length)--;
    }
    return true;
}

/* Appends what `${inside}` stands for. */
static bool append_replacement(struct output *output, struct slice inside, const char *option_path,
                               struct config_mark mark, struct config_errors *errors,
                               struct config_files *files, enum append_result *result)
{
    const struct slice file_word = SLICE_LITERAL("file:");
    if (slice_starts_with(inside, file_word) && inside.len > file_word.len) {
        struct slice path = {inside.ptr + file_word.len, inside.len - file_word.len};
        if (has_control(path)) {
            config_errors_add(errors, mark, "%s: the path in ${file:...} has a control character",
                              option_path);
            return false;
        }
        /* Also one that is not there: it may come. */
        if (!config_files_add(files, path)) {
            *result = APPEND_NO_MEMORY;
            return false;
        }
        char reason[CONFIG_REASON_MAX];
        char *text;
        size_t length;
        if (!read_secret_file(path, &text, &length, reason)) {
            config_errors_add(errors, mark, "%s: cannot read the file %.*s: %s", option_path, (int)path.len,
                              path.ptr, reason);
            return false;
        }
        *result = output_append(output, text, length);
        config_wipe(text, length);
        return true;
    }
    /* What is no name is not repeated in the message: it might be part of a secret. */
    if (!is_variable_name(inside)) {
        config_errors_add(
            errors, mark,
            "%s: between ${ and } there must be the name of an environment variable, or file: and "
            "a path; a literal ${ is written $${",
            option_path);
        return false;
    }
    char name[256];
    memcpy(name, inside.ptr, inside.len);
    name[inside.len] = '\0';
    const char *value = getenv(name);
    if (value == NULL) {
        config_errors_add(errors, mark, "%s: the environment variable %s is not set", option_path, name);
        return false;
    }
    *result = output_append(output, value, strlen(value));
    return true;
}

bool config_substitute(struct slice text, const char *option_path, struct config_mark mark,
                       struct config_errors *errors, struct config_files *files, char **out, size_t *length)
{
    struct output output = {NULL, 0, 0};
    bool complete = true;
    enum append_result result = output_append(&output, "", 0);
    size_t at = 0;
    while (at < text.len && result == APPENDED) {
        struct slice rest = {text.ptr + at, text.len - at};
        if (slice_starts_with(rest, SLICE_LITERAL("$${"))) {
            result = output_append(&output, "${", 2);
            at += 3;
        } else if (slice_starts_with(rest, SLICE_LITERAL("${"))) {
            const char *end = memchr(rest.ptr, '}', rest.len);
            if (end == NULL) {
                config_errors_add(errors, mark, "%s: ${ without }; a literal ${ is written $${", option_path);
                complete = false;
                break;
            }
            struct slice inside = {rest.ptr + 2, (size_t)(end - rest.ptr) - 2};
            if (!append_replacement(&output, inside, option_path, mark, errors, files, &result))
                complete = false;
            at += inside.len + 3;
        } else {
            const char *dollar = memchr(rest.ptr + 1, '$', rest.len - 1);
            size_t plain = dollar == NULL ? rest.len : (size_t)(dollar - rest.ptr);
            result = output_append(&output, rest.ptr, plain);
            at += plain;
        }
    }
    if (result == APPEND_TOO_LONG)
        config_errors_add(errors, mark, "%s: longer than 1MiB after replacing ${...}", option_path);
    else if (result == APPEND_NO_MEMORY)
        config_errors_add(errors, mark, "%s: out of memory", option_path);
    if (result != APPENDED || !complete) {
        config_wipe(output.text, output.length);
        return false;
    }
    *out = output.text;
    *length = output.length;
    return true;
}
