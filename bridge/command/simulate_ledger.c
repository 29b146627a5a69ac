// SPDX-License-Identifier: Apache-2.0
//
// The ledger of a simulation on disk; main thread.
#include "command/simulate_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRIES_PER_READ 4096

static const char magic[8] = "mbledgr1";

_Static_assert(sizeof(struct ledger_head) == 32, "the layout of the file");
_Static_assert(sizeof(struct ledger_entry) == 32, "the layout of the file");

static bool write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t written = write(fd, at, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += written;
        len -= (size_t)written;
    }
    return true;
}

/* Reads until the buffer is full or the file ends; -1: errno says why not. */
static ssize_t read_some(int fd, void *out, size_t len)
{
    size_t total = 0;
    while (total < len) {
        ssize_t got = read(fd, (char *)out + total, len - total);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

static char *temporary_path(void)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/marketo-bridge-ledger-XXXXXX", folder != NULL ? folder : "/tmp") < 0)
        return NULL;
    return path;
}

bool ledger_create(struct ledger *ledger, const char *path, const struct ledger_head *head)
{
    struct ledger_head marked = *head;
    memcpy(marked.magic, magic, sizeof magic);
    *ledger = (struct ledger){.fd = -1, .temporary = path == NULL};
    ledger->path = path != NULL ? strdup(path) : temporary_path();
    if (ledger->path == NULL) {
        errno = ENOMEM;
        return false;
    }
    ledger->fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
                              : mkostemp(ledger->path, O_CLOEXEC);
    if (ledger->fd >= 0 && write_all(ledger->fd, &marked, sizeof marked))
        return true;
    int saved = errno;
    ledger_close(ledger, ledger->fd >= 0);
    errno = saved;
    return false;
}

bool ledger_open(struct ledger *ledger, const char *path, struct ledger_head *head)
{
    *ledger = (struct ledger){.fd = open(path, O_RDONLY | O_CLOEXEC), .path = strdup(path)};
    if (ledger->fd >= 0 && ledger->path != NULL) {
        ssize_t got = read_some(ledger->fd, head, sizeof *head);
        if (got == (ssize_t)sizeof *head && memcmp(head->magic, magic, sizeof magic) == 0)
            return true;
        if (got >= 0)
            errno = EINVAL;
    }
    int saved = errno;
    ledger_close(ledger, false);
    errno = saved;
    return false;
}

bool ledger_write(struct ledger *ledger, const struct ledger_entry *entry)
{
    return write_all(ledger->fd, entry, sizeof *entry);
}

bool ledger_replay(struct ledger *ledger, void (*take)(void *data, const struct ledger_entry *entry),
                   void *data)
{
    struct ledger_entry *entries = calloc(ENTRIES_PER_READ, sizeof *entries);
    ssize_t got = -1;
    if (entries != NULL && lseek(ledger->fd, sizeof(struct ledger_head), SEEK_SET) >= 0) {
        while ((got = read_some(ledger->fd, entries, ENTRIES_PER_READ * sizeof *entries)) > 0) {
            for (size_t i = 0; i < (size_t)got / sizeof *entries; i++)
                take(data, &entries[i]);
        }
    }
    int saved = errno;
    free(entries);
    errno = saved;
    return got == 0;
}

void ledger_close(struct ledger *ledger, bool remove)
{
    if (ledger->fd >= 0)
        close(ledger->fd);
    if (remove && ledger->path != NULL)
        unlink(ledger->path);
    free(ledger->path);
    *ledger = (struct ledger){.fd = -1};
}
