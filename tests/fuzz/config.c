// SPDX-License-Identifier: Apache-2.0
//
// Configurations: a text is loaded, or refused with errors that say where, in the order of the
// file, and that never tell a secret. What is loaded keeps to the limits of the table. The input
// is the configuration, up to a line `%%%` if there is one; what follows is the file `secret`.
// No file is touched (the linker's --wrap): the reader of the configuration, and for secrets
// open, read and close, come here.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>

#include "config/options.h"
#include "fuzz.h"
#include "intake/routes.h"

#define CONFIG_PATH "bridge.yaml"
#define SECRET_PATH "secret"
#define SEPARATOR "\n%%%\n"
#define READ_MAX 700 /* so that a file comes in pieces */

/* Values that must not stand in a message. */
#define SECRET_MARK "mZ7qu4"

/* ---- files ---- */

static struct slice config_text;
static struct slice secret;
static size_t secret_read;
static bool secret_open;

/* No process has so many. */
#define SECRET_FD 0x10000000

bool __wrap_config_file_read(const char *path, size_t limit, char **text, size_t *length,
                             char reason[CONFIG_REASON_MAX]);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
int __wrap_close(int fd);
ssize_t __real_read(int fd, void *buffer, size_t size);
int __real_close(int fd);

/* The real one takes memory for the largest file that is allowed; here it ends where the text does. */
bool __wrap_config_file_read(const char *path, size_t limit, char **text, size_t *length,
                             char reason[CONFIG_REASON_MAX])
{
    fuzz_check(strcmp(path, CONFIG_PATH) == 0 && config_text.len <= limit);
    (void)reason;
    *text = fuzz_alloc(config_text.len + 1);
    if (config_text.len > 0)
        memcpy(*text, config_text.ptr, config_text.len);
    (*text)[config_text.len] = '\0';
    *length = config_text.len;
    return true;
}

int __wrap_open64(const char *path, int flags, ...)
{
    fuzz_check((flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY && !secret_open);
    if (strcmp(path, SECRET_PATH) != 0) {
        errno = ENOENT;
        return -1;
    }
    secret_open = true;
    secret_read = 0;
    return SECRET_FD;
}

int __wrap_open(const char *path, int flags, ...)
{
    return __wrap_open64(path, flags);
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    if (fd != SECRET_FD)
        return __real_read(fd, buffer, size);
    fuzz_check(secret_open);
    size_t left = secret.len - secret_read;
    size_t n = size < left ? size : left;
    if (n > READ_MAX)
        n = READ_MAX;
    if (n > 0)
        memcpy(buffer, secret.ptr + secret_read, n);
    secret_read += n;
    return (ssize_t)n;
}

int __wrap_close(int fd)
{
    if (fd != SECRET_FD)
        return __real_close(fd);
    fuzz_check(secret_open);
    secret_open = false;
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    /* The names that the seeds use. */
    fuzz_check(setenv("A", "a", 1) == 0 && setenv("E", "", 1) == 0 && setenv("N", "8080", 1) == 0);
    fuzz_check(setenv("S", SECRET_MARK, 1) == 0 && setenv("T", " " SECRET_MARK "\n\x01", 1) == 0);
    return 0;
}

/* ---- what was loaded ---- */

static void check_address(const struct config_address *address)
{
    fuzz_check(address->text != NULL && address->host != NULL);
}

static void check_oauth(const struct config_oauth *oauth)
{
    bool jwt = oauth->issuer != NULL, opaque = oauth->introspection_url != NULL;
    fuzz_check((oauth->audience != NULL || !jwt) && (oauth->jwks_url == NULL || jwt));
    fuzz_check((oauth->client_id != NULL) == opaque && (oauth->client_secret != NULL) == opaque);
    fuzz_check(oauth->allowed_client_count == 0 || jwt || opaque);
}

static void check_auth(const struct config *config, const struct config_endpoint *endpoint)
{
    bool asked = false;
    const struct config_oauth *oauth = &endpoint->oauth;
    bool some = endpoint->token_count > 0 || oauth->issuer != NULL || oauth->introspection_url != NULL ||
                endpoint->signature || endpoint->client_name_count > 0;
    for (size_t i = 0; i < config->listener_count; i++)
        asked |= config->listeners[i].client_ca != NULL;
    /* What nobody has to show nobody is let in by. */
    fuzz_check(some != endpoint->auth_none);
    fuzz_check(!endpoint->signature ||
               (endpoint->recipient_count > 0 && endpoint->sender == SENDER_ADOBE_IO));
    fuzz_check(endpoint->client_name_count == 0 || asked);
    fuzz_check(endpoint->key_base != NULL && strstr(endpoint->key_base, "://") != NULL);
    check_oauth(oauth);
}

/* The configuration itself comes first, and nothing twice. */
static void check_files(const struct config_files *files, const struct config *config)
{
    fuzz_check(files->count >= 1 && strcmp(files->paths[0], CONFIG_PATH) == 0);
    for (size_t i = 1; i < files->count; i++)
        for (size_t k = 0; k < i; k++)
            fuzz_check(strcmp(files->paths[i], files->paths[k]) != 0);
    for (size_t i = 0; config != NULL && i < config->listener_count; i++) {
        const char *ca = config->listeners[i].client_ca;
        bool found = ca == NULL;
        for (size_t k = 0; k < files->count && !found; k++)
            found = strcmp(files->paths[k], ca) == 0;
        fuzz_check(found);
    }
}

static void check_config(const struct config *config)
{
    fuzz_check(config->listener_count >= 1 && config->endpoint_count >= 1);
    for (size_t i = 0; i < config->listener_count; i++) {
        check_address(&config->listeners[i].address);
        fuzz_check((config->listeners[i].certificate == NULL) == (config->listeners[i].key == NULL));
    }
    check_address(&config->admin_address);
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        fuzz_check(endpoint->path != NULL && endpoint->path[0] == '/');
        fuzz_check(endpoint->sender < SENDER_COUNT);
        fuzz_check(endpoint->deadline_ms >= 1000 && endpoint->deadline_ms <= 19000);
        fuzz_check(config->limits.body_time_ms + 1000 < endpoint->deadline_ms);
        check_auth(config, endpoint);
        for (size_t k = 0; k < endpoint->token_count; k++)
            fuzz_check(endpoint->tokens[k] != NULL && endpoint->tokens[k][0] != '\0');
    }
    for (size_t i = 0; i < config->kafka_count; i++)
        fuzz_check(config->kafka[i].name != NULL && config->kafka[i].value != NULL);
    for (size_t i = 0; i < config->instance_count; i++)
        fuzz_check(config->instances[i].munchkin_id != NULL && config->instances[i].name != NULL);
    for (size_t i = 0; i < config->topics.override_count; i++)
        fuzz_check(config->topics.overrides[i].topic != NULL);
    for (size_t i = 0; i < config->record.header_count; i++)
        fuzz_check(config->record.headers[i] != NULL);
    fuzz_check(config->topics.prefix != NULL && config->record.format <= RECORD_ORIGINAL);
    fuzz_check(config->limits.body > 0 && config->limits.in_flight / 8 >= config->limits.body);
    fuzz_check(config->limits.events > 0 && config->limits.connections > 0);
}

/* As main does: the routes' own errors come with the rest. Those of the default options are known, and dear.
 */
static void judge(const struct config *config, struct config_errors *errors)
{
    size_t before = errors->count;
    if (before > 0 || (config->topics.mark.line == 0 && config->instance_count == 0))
        return;
    struct routes *routes = routes_create(config, errors);
    fuzz_check((routes == NULL) == (errors->count > before));
    routes_free(routes);
}

/* ---- what was refused ---- */

static unsigned count_lines(struct slice text)
{
    unsigned lines = 2; /* the end of the text stands on a line of its own, to libyaml */
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n' || text.ptr[i] == '\r';
    /* libyaml also ends a line at three characters beyond ASCII, of two and three bytes. */
    return lines + (unsigned)text.len / 2;
}

static void check_errors(const struct config_errors *errors, struct slice text)
{
    const struct slice mark = SLICE_LITERAL(SECRET_MARK);
    bool told = fuzz_has_bytes(text, mark);
    for (size_t i = 0; i < errors->count; i++) {
        const struct config_error *error = &errors->items[i];
        fuzz_check(error->message != NULL && error->message[0] != '\0');
        fuzz_check(error->mark.line >= 1 && error->mark.column >= 1);
        fuzz_check(error->mark.line <= count_lines(text));
        fuzz_check(told || strstr(error->message, SECRET_MARK) == NULL);
        if (i > 0) {
            const struct config_mark before = errors->items[i - 1].mark;
            fuzz_check(before.line < error->mark.line ||
                       (before.line == error->mark.line && before.column <= error->mark.column));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config_text = (struct slice){(const char *)data, size};
    secret = SLICE_LITERAL(SECRET_MARK "\r\n");
    const char *end = memmem(data, size, SEPARATOR, strlen(SEPARATOR));
    if (end != NULL) {
        config_text.len = (size_t)(end - config_text.ptr);
        secret.ptr = end + strlen(SEPARATOR);
        secret.len = size - config_text.len - strlen(SEPARATOR);
    }
    struct config_errors errors = {0};
    struct config_files files = {0};
    struct config *config = config_load(CONFIG_PATH, true, judge, &errors, &files);
    fuzz_check((config == NULL) == (errors.count > 0) && !secret_open);
    if (config != NULL)
        check_config(config);
    check_errors(&errors, config_text);
    check_files(&files, config);
    config_files_free(&files);
    config_errors_free(&errors);
    config_free(config);
    return 0;
}
