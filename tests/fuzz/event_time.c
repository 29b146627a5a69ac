// SPDX-License-Identifier: Apache-2.0
//
// Times: what is read is the instant that the C library's calendar gives for the same parts,
// and what is written is read again as the same instant.
#include "intake/event_time.h"

#include <stdlib.h>
#include <time.h>

#include "fuzz.h"

static int64_t milliseconds(const struct event_time *time)
{
    struct tm parts = {.tm_year = time->year - 1900,
                       .tm_mon = time->month - 1,
                       .tm_mday = time->day,
                       .tm_hour = time->hour,
                       .tm_min = time->minute,
                       .tm_sec = time->second};
    int64_t ms = (int64_t)timegm(&parts) * 1000;
    /* A day that the calendar has to move is none. */
    fuzz_check(time->second == 60 || (parts.tm_mday == time->day && parts.tm_mon + 1 == time->month));
    int64_t weight = 100;
    for (size_t i = 0; slice_present(time->fraction) && i < time->fraction.len && weight > 0; i++) {
        ms += (time->fraction.ptr[i] - '0') * weight;
        weight /= 10;
    }
    return ms;
}

static void check_parts(const struct event_time *time)
{
    fuzz_check(time->month >= 1 && time->month <= 12 && time->day >= 1 && time->day <= 31);
    fuzz_check(time->hour >= 0 && time->hour <= 23 && time->minute >= 0 && time->minute <= 59);
    fuzz_check(time->second >= 0 && time->second <= 60);
    /* Only a zone can lead out of the years that can be written. */
    fuzz_check(time->year >= -1 && time->year <= 10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct event_time time, again;
    enum event_time_form form = event_time_read(text, &time);
    if (form == EVENT_TIME_UNKNOWN)
        return 0;
    check_parts(&time);
    fuzz_check(time.wall_ms == milliseconds(&time));
    fuzz_check(!slice_present(time.fraction) || fuzz_is_part(time.fraction, text));
    if (time.year < 0 || time.year > 9999) {
        fuzz_check(form == EVENT_TIME_RFC3339); /* which is kept as it was sent */
        return 0;
    }

    size_t length = event_time_size(&time);
    char *written = fuzz_alloc(length);
    event_time_write(&time, written);
    fuzz_check(event_time_read((struct slice){written, length}, &again) == EVENT_TIME_RFC3339);
    fuzz_check(again.wall_ms == time.wall_ms && again.second == time.second);
    fuzz_check(again.year == time.year && again.month == time.month && again.day == time.day);
    fuzz_check(again.hour == time.hour && again.minute == time.minute);
    fuzz_check(slice_equal(again.fraction, time.fraction));
    free(written);
    return 0;
}
