// SPDX-License-Identifier: Apache-2.0
//
// From the text of a value to its C type, by the option's row in the table. The
// thread that loads the configuration runs it.
#include "config/options.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define INSTANCE_MARK "{instance}"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {{"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024},
                                         {"GB", 1000000000},  {"MB", 1000000},  {"kB", 1000}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool config_value_refuse(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, CONFIG_REASON_MAX, format, arguments);
    va_end(arguments);
    return false;
}

char *config_value_copy(struct slice text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        return NULL;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

/* The text in the largest unit that leaves no rest, of the first `count` units. */
static void format_units(uint64_t value, const struct unit *units, size_t count, const char *bare, char *out,
                         size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (value != 0 && value % units[i].factor == 0) {
            snprintf(out, size, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
            return;
        }
    }
    snprintf(out, size, "%" PRIu64 "%s", value, bare);
}

void config_value_duration(uint64_t ms, char *out, size_t size)
{
    format_units(ms, duration_units, COUNT(duration_units), "", out, size);
}

void config_value_size(uint64_t bytes, char *out, size_t size)
{
    format_units(bytes, size_units, 3, "", out, size);
}

bool config_value_digits(struct slice text, uint64_t *value, size_t *used)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(text.ptr[i] - '0'), &n))
            return false;
    }
    if (i == 0 || (i > 1 && text.ptr[0] == '0'))
        return false;
    *value = n;
    *used = i;
    return true;
}

static bool read_integer(struct slice text, int64_t *value)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (negative)
        text = (struct slice){text.ptr + 1, text.len - 1};
    uint64_t n;
    size_t used;
    if (!config_value_digits(text, &n, &used) || used != text.len || n > INT64_MAX)
        return false;
    *value = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

/* A number directly followed by a unit, or bare when bare_factor is not 0. */
static bool read_units(struct slice text, const struct unit *units, size_t count, uint64_t bare_factor,
                       int64_t *value)
{
    uint64_t n;
    size_t used;
    if (!config_value_digits(text, &n, &used))
        return false;
    struct slice name = {text.ptr + used, text.len - used};
    uint64_t factor = name.len == 0 ? bare_factor : 0;
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_of(units[i].name)))
            factor = units[i].factor;
    if (name.len == 0 && n == 0)
        factor = 1;
    if (factor == 0 || __builtin_mul_overflow(n, factor, &n) || n > INT64_MAX)
        return false;
    *value = (int64_t)n;
    return true;
}

static void format_number(const struct option *option, int64_t value, char *out, size_t size)
{
    if (option->type == OPTION_DURATION || option->type == OPTION_RETENTION)
        config_value_duration((uint64_t)value, out, size);
    else if (option->type == OPTION_SIZE)
        config_value_size((uint64_t)value, out, size);
    else
        snprintf(out, size, "%" PRId64, value);
}

void config_value_limits(const struct option *option, char *out, size_t size)
{
    char low[32], high[32];
    out[0] = '\0';
    switch (option->type) {
    case OPTION_INTEGER:
        if ((option->flags & OPTION_NOT_ZERO) != 0) {
            snprintf(out, size, "-1, or 1 to %" PRId64, option->max);
            return;
        }
        break;
    case OPTION_ID:
        snprintf(out, size, "%" PRId64 " or more", option->min);
        return;
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_RETENTION:
        break;
    default:
        return;
    }
    format_number(option, option->min, low, sizeof low);
    format_number(option, option->max, high, sizeof high);
    snprintf(out, size, "%s to %s", low, high);
}

static bool check_range(const struct option *option, int64_t value, char *reason)
{
    if (value >= option->min && value <= option->max &&
        !((option->flags & OPTION_NOT_ZERO) != 0 && value == 0))
        return true;
    char limits[80];
    config_value_limits(option, limits, sizeof limits);
    return config_value_refuse(reason, "must be %s", limits);
}

static bool read_number(const struct option *option, struct slice text, void *to, char *reason)
{
    int64_t value;
    switch (option->type) {
    case OPTION_SIZE:
        if (!read_units(text, size_units, COUNT(size_units), 1, &value))
            return config_value_refuse(reason,
                                       "must be a size such as 64KiB, 4MiB, 1GiB, 2MB or a number of bytes");
        break;
    case OPTION_DURATION:
        if (!read_units(text, duration_units, COUNT(duration_units), 0, &value))
            return config_value_refuse(
                reason, "must be a duration with its unit, such as 50ms, 17s, 5m, 24h, 30d or 0");
        break;
    case OPTION_RETENTION:
        if (slice_equal(text, SLICE_LITERAL("-1")) || slice_equal(text, SLICE_LITERAL("forever"))) {
            *(int64_t *)to = -1;
            return true;
        }
        if (!read_units(text, duration_units, COUNT(duration_units), 0, &value))
            return config_value_refuse(
                reason, "must be a duration with its unit, such as 24h or 30d, or -1 or forever");
        break;
    default:
        if (!read_integer(text, &value))
            return config_value_refuse(reason, "must be a whole number in decimal digits");
        break;
    }
    if (!check_range(option, value, reason))
        return false;
    if (option->type == OPTION_INTEGER)
        *(int *)to = (int)value;
    else if (option->type == OPTION_ID || option->type == OPTION_RETENTION)
        *(int64_t *)to = value;
    else if (option->type == OPTION_DURATION)
        *(uint64_t *)to = (uint64_t)value;
    else
        *(size_t *)to = (size_t)value;
    return true;
}

/* The words of YAML 1.1, in the three spellings it allows. */
static bool read_boolean(struct slice text, bool *value)
{
    static const struct {
        const char *spellings[3];
        bool value;
    } words[] = {{{"true", "True", "TRUE"}, true}, {{"yes", "Yes", "YES"}, true},
                 {{"on", "On", "ON"}, true},       {{"false", "False", "FALSE"}, false},
                 {{"no", "No", "NO"}, false},      {{"off", "Off", "OFF"}, false}};
    for (size_t i = 0; i < COUNT(words); i++) {
        for (size_t k = 0; k < COUNT(words[i].spellings); k++) {
            if (slice_equal(text, slice_of(words[i].spellings[k]))) {
                *value = words[i].value;
                return true;
            }
        }
    }
    return false;
}

/* The index of the text in the option's words, or -1 with the reason. */
static int find_word(const struct option *option, struct slice text, char *reason)
{
    for (int i = 0; option->words[i] != NULL; i++)
        if (slice_equal(text, slice_of(option->words[i])))
            return i;
    int n = snprintf(reason, CONFIG_REASON_MAX, "must be one of");
    for (size_t i = 0; option->words[i] != NULL; i++) {
        size_t used = (size_t)n;
        n += snprintf(reason + used, CONFIG_REASON_MAX - used, "%s %s", i == 0 ? "" : ",", option->words[i]);
        assert(n < CONFIG_REASON_MAX);
    }
    return -1;
}

bool config_value_has_only(struct slice text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\0' || strchr(allowed, text.ptr[i]) == NULL)
            return false;
    return true;
}

/* Characters that a header or a request line cannot carry, or not at its ends. */
static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return text.len == 0 || (text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ');
}

static bool is_url_path(struct slice text)
{
    if (text.len == 0 || text.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f || text.ptr[i] == '?' || text.ptr[i] == '#')
            return false;
    return true;
}

static bool check_topic_name(struct slice text, const char *besides, char *reason)
{
    if (!config_value_has_only(text, CONFIG_DIGITS CONFIG_LOWER CONFIG_UPPER "._-"))
        return config_value_refuse(reason, "must have only letters, digits, '.', '_' and '-'%s", besides);
    return true;
}

static bool check_prefix(struct slice text, char *reason)
{
    static const char besides[] = ", besides one " INSTANCE_MARK;
    const struct slice mark = SLICE_LITERAL(INSTANCE_MARK);
    size_t at = 0;
    while (at < text.len && !slice_starts_with((struct slice){text.ptr + at, text.len - at}, mark))
        at++;
    if (!check_topic_name((struct slice){text.ptr, at}, besides, reason))
        return false;
    if (at == text.len)
        return true;
    at += mark.len;
    return check_topic_name((struct slice){text.ptr + at, text.len - at}, besides, reason);
}

/* What a text of this type may contain; its length has been checked. */
static bool check_text(const struct option *option, struct slice text, char *reason)
{
    switch (option->type) {
    case OPTION_TOKEN:
    case OPTION_SECRET:
    case OPTION_NAME:
        if (!is_token(text))
            return config_value_refuse(
                reason, "must have no control character (a second line?) and no blank at its ends");
        return true;
    case OPTION_URL:
    case OPTION_ISSUER:
    case OPTION_BASE_URL:
        return config_url_check(option->type, text, reason);
    case OPTION_URL_PATH:
        if (!is_url_path(text))
            return config_value_refuse(reason,
                                       "must begin with / and have only ASCII characters, no ?, # or blank");
        return true;
    case OPTION_TOPIC:
        if (slice_equal(text, SLICE_LITERAL(".")) || slice_equal(text, SLICE_LITERAL("..")))
            return config_value_refuse(reason, "must not be . or ..");
        return check_topic_name(text, "", reason);
    case OPTION_PREFIX:
        return check_prefix(text, reason);
    case OPTION_INSTANCE:
        if (!config_value_has_only(text, CONFIG_DIGITS CONFIG_LOWER "-"))
            return config_value_refuse(reason, "must be a name of small letters, digits and '-'");
        return true;
    default:
        return true;
    }
}

static bool read_text(const struct option *option, struct slice text, char **to, char *reason)
{
    if (option->type == OPTION_HEADER) {
        const struct slice ce = SLICE_LITERAL("ce_");
        struct slice name = text;
        if (slice_starts_with(text, ce) && !slice_equal(text, SLICE_LITERAL("ce_x-request-id")))
            name = (struct slice){text.ptr + ce.len, text.len - ce.len};
        if (find_word(option, name, reason) < 0)
            return false;
        text = name;
    } else {
        if (text.len == 0 && option->min > 0)
            return config_value_refuse(reason, "must not be empty");
        if (text.len < (uint64_t)option->min)
            return config_value_refuse(reason, "must have at least %" PRId64 " characters", option->min);
        if (text.len > (uint64_t)option->max)
            return config_value_refuse(reason, "must have at most %" PRId64 " bytes", option->max);
        if (!check_text(option, text, reason))
            return false;
        if (option->type == OPTION_BASE_URL && text.ptr[text.len - 1] == '/')
            text.len--;
    }
    char *copy = config_value_copy(text);
    if (copy == NULL)
        return config_value_refuse(reason, "does not fit: out of memory");
    free(*to);
    *to = copy;
    return true;
}

bool config_value_read(const struct option *option, struct slice text, void *to,
                       char reason[CONFIG_REASON_MAX])
{
    /* All that is kept is terminated text, so a NUL would silently cut it. */
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        return config_value_refuse(reason, "must not contain a NUL character");
    bool flag;
    int word;
    switch (option->type) {
    case OPTION_BOOLEAN:
        if (!read_boolean(text, &flag))
            return config_value_refuse(reason, "must be true or false");
        *(bool *)to = flag;
        return true;
    case OPTION_OFF:
        if (!slice_equal(text, SLICE_LITERAL("off")) && !slice_equal(text, SLICE_LITERAL("false")))
            return config_value_refuse(reason, "must be false: this version does not have it");
        return true;
    case OPTION_WORD:
        word = find_word(option, text, reason);
        if (word < 0)
            return false;
        *(unsigned *)to = (unsigned)word;
        return true;
    case OPTION_AUTH:
        if (!slice_equal(text, SLICE_LITERAL("none")))
            return config_value_refuse(reason, "must be none or a mapping with tokens, oauth, signature or "
                                               "client_names");
        *(bool *)to = true;
        return true;
    case OPTION_INTEGER:
    case OPTION_COUNT:
    case OPTION_ID:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_RETENTION:
        return read_number(option, text, to, reason);
    case OPTION_ADDRESS:
        return config_address_read(text, to, reason);
    default:
        return read_text(option, text, to, reason);
    }
}
