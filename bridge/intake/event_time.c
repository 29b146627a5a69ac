// SPDX-License-Identifier: Apache-2.0
//
// Reading and writing of event times. Pure functions; any thread.
#include "intake/event_time.h"

#define MINUTES_A_DAY (24 * 60)

/* Exactly `count` digits at *p; false when there are fewer. */
static bool read_digits(const char **p, const char *end, int count, int *value)
{
    if (end - *p < count)
        return false;
    *value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        *value = *value * 10 + (c - '0');
    }
    *p += count;
    return true;
}

static bool read_char(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    (*p)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool read_date(const char **p, const char *end, struct event_time *time)
{
    return read_digits(p, end, 4, &time->year) && read_char(p, end, '-') &&
           read_digits(p, end, 2, &time->month) && read_char(p, end, '-') &&
           read_digits(p, end, 2, &time->day) && time->month >= 1 && time->month <= 12 && time->day >= 1 &&
           time->day <= days_in_month(time->year, time->month);
}

static bool read_clock(const char **p, const char *end, struct event_time *time)
{
    if (!read_digits(p, end, 2, &time->hour) || !read_char(p, end, ':') ||
        !read_digits(p, end, 2, &time->minute) || !read_char(p, end, ':') ||
        !read_digits(p, end, 2, &time->second) || time->hour > 23 || time->minute > 59 || time->second > 60)
        return false;
    time->fraction = SLICE_ABSENT;
    if (read_char(p, end, '.')) {
        const char *begin = *p;
        while (*p < end && **p >= '0' && **p <= '9')
            (*p)++;
        if (*p == begin)
            return false;
        time->fraction = (struct slice){begin, (size_t)(*p - begin)};
    }
    return true;
}

/* The zone up to the end of the text: none, Z, +hh:mm, +h:mm or +hhmm. */
static bool read_zone(const char **p, const char *end, int *minutes, bool *standard)
{
    *minutes = 0;
    *standard = *p != end;
    if (*p == end)
        return true;
    if (read_char(p, end, 'Z') || read_char(p, end, 'z'))
        return *p == end;
    int sign = 1, hour, minute;
    if (read_char(p, end, '-'))
        sign = -1;
    else if (!read_char(p, end, '+'))
        return false;
    if (!read_digits(p, end, 2, &hour)) {
        *standard = false;
        if (!read_digits(p, end, 1, &hour) || !read_char(p, end, ':'))
            return false;
    } else if (!read_char(p, end, ':')) {
        *standard = false;
    }
    if (!read_digits(p, end, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return *p == end;
}

/* Moves the time by whole minutes, which never touches the seconds. False when that
 * leads out of the years 0 to 9999. */
static bool shift(struct event_time *time, int minutes)
{
    int total = time->hour * 60 + time->minute + minutes;
    if (total < 0) {
        total += MINUTES_A_DAY;
        if (--time->day == 0) {
            if (--time->month == 0) {
                time->month = 12;
                time->year--;
            }
            time->day = days_in_month(time->year, time->month);
        }
    } else if (total >= MINUTES_A_DAY) {
        total -= MINUTES_A_DAY;
        if (++time->day > days_in_month(time->year, time->month)) {
            time->day = 1;
            if (++time->month == 13) {
                time->month = 1;
                time->year++;
            }
        }
    }
    time->hour = total / 60;
    time->minute = total % 60;
    return time->year >= 0 && time->year <= 9999;
}

/* Days from 1970-01-01 in the Gregorian calendar; the year is counted from March, so that
 * the leap day is its last. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int y = month > 2 ? year : year - 1;
    int month_from_march = month > 2 ? month - 3 : month + 9;
    int era_years = y + 400; /* never negative, and a whole cycle does not change the pattern */
    int64_t days = (int64_t)era_years * 365 + era_years / 4 - era_years / 100 + era_years / 400 +
                   (153 * month_from_march + 2) / 5 + day - 1;
    return days - 146097 - 719468;
}

static int64_t milliseconds(const struct event_time *time)
{
    int64_t seconds = days_since_epoch(time->year, time->month, time->day) * 86400 + time->hour * 3600 +
                      time->minute * 60 + time->second;
    int fraction = 0;
    for (size_t i = 0; i < 3; i++) {
        bool digit = slice_present(time->fraction) && i < time->fraction.len;
        fraction = fraction * 10 + (digit ? time->fraction.ptr[i] - '0' : 0);
    }
    return seconds * 1000 + fraction;
}

enum event_time_form event_time_read(struct slice text, struct event_time *time)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    int minutes;
    bool standard_zone, standard = true;
    if (!read_date(&p, end, time))
        return EVENT_TIME_UNKNOWN;
    if (read_char(&p, end, ' '))
        standard = false;
    else if (!read_char(&p, end, 'T') && !read_char(&p, end, 't'))
        return EVENT_TIME_UNKNOWN;
    if (!read_clock(&p, end, time) || !read_zone(&p, end, &minutes, &standard_zone))
        return EVENT_TIME_UNKNOWN;
    bool writable = shift(time, -minutes);
    time->wall_ms = milliseconds(time);
    if (standard && standard_zone)
        return EVENT_TIME_RFC3339;
    return writable ? EVENT_TIME_OTHER : EVENT_TIME_UNKNOWN;
}

size_t event_time_size(const struct event_time *time)
{
    size_t size = sizeof "YYYY-MM-DDThh:mm:ssZ" - 1;
    return slice_present(time->fraction) ? size + 1 + time->fraction.len : size;
}

static char *write_digits(char *out, int value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

void event_time_write(const struct event_time *time, char *out)
{
    const struct {
        int value, count;
        char before;
    } parts[] = {{time->year, 4, 0},   {time->month, 2, '-'},  {time->day, 2, '-'},
                 {time->hour, 2, 'T'}, {time->minute, 2, ':'}, {time->second, 2, ':'}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].before != 0)
            *out++ = parts[i].before;
        out = write_digits(out, parts[i].value, parts[i].count);
    }
    if (slice_present(time->fraction)) {
        *out++ = '.';
        memcpy(out, time->fraction.ptr, time->fraction.len);
        out += time->fraction.len;
    }
    *out = 'Z';
}
