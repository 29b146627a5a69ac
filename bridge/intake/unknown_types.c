// SPDX-License-Identifier: Apache-2.0
//
// Remembers which unknown types have been logged. Any thread; one mutex, which only
// events of unknown types take.
#include "intake/unknown_types.h"

#include "intake/text.h"
#include "telemetry/log.h"

bool unknown_types_init(struct unknown_types *types)
{
    types->count = 0;
    return pthread_mutex_init(&types->mutex, NULL) == 0;
}

void unknown_types_destroy(struct unknown_types *types)
{
    pthread_mutex_destroy(&types->mutex);
}

/* True when the name is new and was kept. */
static bool remember(struct unknown_types *types, const char *name)
{
    for (size_t i = 0; i < types->count; i++) {
        if (strcmp(types->names[i], name) == 0)
            return false;
    }
    if (types->count == UNKNOWN_TYPES_MAX)
        return false;
    memcpy(types->names[types->count++], name, strlen(name) + 1);
    return true;
}

void unknown_types_note(struct unknown_types *types, enum stream stream, struct slice name,
                        int64_t activity_id)
{
    char clean[UNKNOWN_TYPE_NAME_SIZE];
    text_clean(name, clean, sizeof clean);
    pthread_mutex_lock(&types->mutex);
    bool is_new = remember(types, clean);
    pthread_mutex_unlock(&types->mutex);
    if (is_new)
        log_warning("unknown event type, routed to other", LOG_TEXT("stream", stream_name(stream)),
                    LOG_TEXT("type", clean), LOG_INT("activity_type_id", activity_id));
}
