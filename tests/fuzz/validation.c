// SPDX-License-Identifier: Apache-2.0
//
// Bodies that may ask to open a URL: intake_validation_url finds one exactly where jansson
// finds an object with one member of that name, a text that fits.
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "intake/intake.h"

#define URL_MAX 64 /* short, so that longer ones are met */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    json_object_seed(1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = {(const char *)data, size};
    char *buffer = fuzz_alloc(URL_MAX);
    struct slice url = intake_validation_url(body, buffer, URL_MAX);
    fuzz_check(!slice_present(url) || (url.len > 0 && url.len <= URL_MAX));
    fuzz_check(!slice_present(url) || fuzz_is_part(url, body) ||
               fuzz_is_part(url, (struct slice){buffer, URL_MAX}));

    struct slice text = body;
    if (slice_starts_with(text, SLICE_LITERAL("\xef\xbb\xbf")))
        text = (struct slice){text.ptr + 3, text.len - 3};
    json_t *object = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    struct slice expected = SLICE_ABSENT;
    if (json_object_size(object) == 1) {
        json_t *value = json_object_get(object, "validationUrl");
        if (json_string_length(value) > 0 && json_string_length(value) <= URL_MAX)
            expected = (struct slice){json_string_value(value), json_string_length(value)};
    }
    fuzz_check(slice_present(url) == slice_present(expected) && slice_equal(url, expected));
    json_decref(object);
    free(buffer);
    return 0;
}
