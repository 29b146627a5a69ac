// SPDX-License-Identifier: Apache-2.0
//
// See validation.h. URLs are taken on the loop threads and opened on the fetch thread.
#include "auth/validation.h"

#include <pthread.h>
#include <stdlib.h>

#include "auth/verdict.h"
#include "clock.h"
#include "telemetry/log.h"

#define KNOWN_URL "https://csm.adobe.io/csm/registrations/validate?"
#define URL_MAX 1024
#define ANSWER_MAX 65536

/* Adobe sends one for a registration that is made or edited. */
#define BURST 4
#define EVERY_MS 15000

struct validation {
    struct fetcher *fetcher;
    pthread_mutex_t lock; /* guards the budget */
    struct auth_budget budget;
};

/* One that is under way; frees itself. */
struct opened {
    struct fetch fetch; /* first */
    char url[URL_MAX + 1];
};

struct validation *validation_create(struct fetcher *fetcher)
{
    struct validation *validation = calloc(1, sizeof *validation);
    if (validation == NULL)
        return NULL;
    validation->fetcher = fetcher;
    validation->budget = (struct auth_budget){.burst = BURST, .every_ms = EVERY_MS};
    pthread_mutex_init(&validation->lock, NULL);
    return validation;
}

void validation_free(struct validation *validation)
{
    pthread_mutex_destroy(&validation->lock);
    free(validation);
}

bool validation_url_is_adobes(struct slice url)
{
    const struct slice known = SLICE_LITERAL(KNOWN_URL);
    if (!slice_starts_with(url, known) || url.len > URL_MAX)
        return false;
    for (size_t i = known.len; i < url.len; i++) {
        char c = url.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-._~=&%", c) != NULL);
        if (!plain)
            return false;
    }
    return true;
}

static void on_opened(struct fetch *fetch)
{
    if (fetch->status == 200)
        log_info("the registration is validated: Adobe's URL was opened");
    else if (fetch->status != 0)
        log_warning("Adobe's validation URL was opened, but not answered 200",
                    LOG_INT("status", fetch->status));
    else
        log_warning("Adobe's validation URL could not be opened", LOG_TEXT("error", fetch->error));
    free(fetch);
}

void validation_confirm(struct validation *validation, struct slice url)
{
    if (!validation_url_is_adobes(url))
        return;
    pthread_mutex_lock(&validation->lock);
    bool allowed = auth_budget_take(&validation->budget, clock_monotonic_ms());
    pthread_mutex_unlock(&validation->lock);
    struct opened *opened = allowed ? calloc(1, sizeof *opened) : NULL;
    if (opened == NULL)
        return; /* it is in the log, for somebody to open */
    memcpy(opened->url, url.ptr, url.len);
    opened->fetch =
        (struct fetch){.kind = "validation", .url = opened->url, .limit = ANSWER_MAX, .done = on_opened};
    fetcher_start(validation->fetcher, &opened->fetch);
}
