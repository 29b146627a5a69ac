// SPDX-License-Identifier: Apache-2.0
//
// `marketo-bridge simulate`: its options; main thread.
#include "command/simulate.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/random.h>

#include "command/command.h"

#define FILE_MAX (64u << 20)
#define TOKEN_MAX 8192
#define MUNCHKIN_ID_MAX 64

static const char usage[] =
    "usage: marketo-bridge simulate --url URL --sender activity-push|adobe-io [option]...\n"
    "\n"
    "Plays Adobe: posts events of all types of the catalog as that sender does, waits and tries\n"
    "again as it does, and prints what came of it. Exit status 0 when every batch was delivered,\n"
    "1 when one was finally refused or left unfinished, 2 for bad usage. An interrupt ends it.\n"
    "\n"
    "  --url URL              endpoint of the bridge, http or https\n"
    "  --sender NAME          activity-push (20 s to answer; whatever fails is tried again 3 times,\n"
    "                         3 min apart, then the stream pauses and tries every 3 min) or adobe-io\n"
    "                         (10 s; 429, 5xx but 505, and no answer are tried again after 1, 2, 4, 8,\n"
    "                         15, 15 ... min for 24 h; everything else is final)\n"
    "how much (without a limit it goes on until it is interrupted)\n"
    "  --events N             events in all\n"
    "  --duration TIME        how long new batches are begun: 500ms, 5s, 2m, 1h\n"
    "  --batch N              events in a POST; activity-push 1 to 500 (100), adobe-io 1 to 20 (20; with 1\n"
    "                         the event comes as an object, not in an array)\n"
    "  --rate N               batches per second on a fixed schedule, however slow the answers; latency\n"
    "                         counts from the scheduled time. Without it the next one waits for an answer\n"
    "  --body FILE            post this file once, as it is, instead of made-up events; may be repeated\n"
    "how\n"
    "  --http 1.1|2           HTTP version (1.1); 2 is by prior knowledge for http, by ALPN for https\n"
    "  --connections N        at most so many connections (8)\n"
    "  --concurrency N        at most so many batches under way (HTTP/1.1: one for each connection,\n"
    "                         HTTP/2: 8 for each)\n"
    "  --token TOKEN          sent as Authorization: Bearer TOKEN\n"
    "  --token-file FILE      its first line is the token\n"
    "  --ca FILE              certificates to trust, PEM\n"
    "  --insecure             do not check the receiver's certificate\n"
    "  --time-scale X         multiplies the waits before retries; 0.01 makes a minute 0.6 s (1)\n"
    "  --no-retry             what would be tried again is left unfinished\n"
    "  --patience TIME        end when something is waiting and nothing was delivered for so long\n"
    "what\n"
    "  --munchkin-id ID       (123-ABC-456)\n"
    "  --types N              only the first N activity types of the catalog\n"
    "  --streams LIST         adobe-io: activity,audit,notification,observability (all, mostly activity)\n"
    "  --seed N               the same number gives the same ids and contents (random)\n"
    "  --json                 print the result as one JSON object\n";

enum option_id {
    OPTION_URL = 256,
    OPTION_SENDER,
    OPTION_EVENTS,
    OPTION_DURATION,
    OPTION_BATCH,
    OPTION_RATE,
    OPTION_BODY,
    OPTION_HTTP,
    OPTION_CONNECTIONS,
    OPTION_CONCURRENCY,
    OPTION_TOKEN,
    OPTION_TOKEN_FILE,
    OPTION_CA,
    OPTION_INSECURE,
    OPTION_TIME_SCALE,
    OPTION_NO_RETRY,
    OPTION_PATIENCE,
    OPTION_MUNCHKIN_ID,
    OPTION_TYPES,
    OPTION_STREAMS,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option option_table[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"sender", required_argument, NULL, OPTION_SENDER},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"body", required_argument, NULL, OPTION_BODY},
    {"http", required_argument, NULL, OPTION_HTTP},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"ca", required_argument, NULL, OPTION_CA},
    {"insecure", no_argument, NULL, OPTION_INSECURE},
    {"time-scale", required_argument, NULL, OPTION_TIME_SCALE},
    {"no-retry", no_argument, NULL, OPTION_NO_RETRY},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"munchkin-id", required_argument, NULL, OPTION_MUNCHKIN_ID},
    {"types", required_argument, NULL, OPTION_TYPES},
    {"streams", required_argument, NULL, OPTION_STREAMS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* What is built while the options are read. */
struct arguments {
    struct simulate_options options;
    char *authorization;
    bool seed_given, streams_given, help;
};

/* Says what is wrong; always false. */
__attribute__((format(printf, 1, 2))) static bool refuse(const char *format, ...)
{
    va_list args;
    fputs("marketo-bridge simulate: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

static bool read_count(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min || value > max)
        return refuse("--%s: a whole number from %" PRIu64 " to %" PRIu64 " is needed, not \"%s\"", name, min,
                      max, text);
    *out = value;
    return true;
}

static bool read_size(const char *name, const char *text, uint64_t max, size_t *out)
{
    uint64_t value = 0;
    if (!read_count(name, text, 1, max, &value))
        return false;
    *out = (size_t)value;
    return true;
}

static bool read_real(const char *name, const char *text, double max, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= max))
        return refuse("--%s: a number above 0, at most %g, is needed, not \"%s\"", name, max, text);
    *out = value;
    return true;
}

static bool read_duration(const char *name, const char *text, uint64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0 && value > 0 && value * units[i].ms >= 1 &&
            value * units[i].ms < 1e12) {
            *out_ms = (uint64_t)(value * units[i].ms);
            return true;
        }
    }
    return refuse("--%s: a time with its unit (500ms, 5s, 2m, 1h) is needed, not \"%s\"", name, text);
}

static bool read_url(const char *text, struct simulate_options *options)
{
    char *scheme = NULL;
    CURLU *parts = curl_url();
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK)
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    bool http = scheme != NULL && strcmp(scheme, "http") == 0;
    options->https = scheme != NULL && strcmp(scheme, "https") == 0;
    options->url = text;
    curl_free(scheme);
    curl_url_cleanup(parts);
    return http || options->https ? true : refuse("--url: an http or https URL is needed, not \"%s\"", text);
}

static bool read_streams(const char *text, struct generator_options *content)
{
    memset(content->streams, 0, sizeof content->streams);
    while (true) {
        struct slice name = {text, strcspn(text, ",")};
        size_t i = 0;
        while (i < STREAM_COUNT && !slice_equal(name, slice_of(stream_name((enum stream)i))))
            i++;
        if (i == STREAM_COUNT)
            return refuse("--streams: unknown stream \"%.*s\"", (int)name.len, name.ptr);
        content->streams[i] = true;
        text += name.len;
        if (*text == '\0')
            return true;
        text++;
    }
}

static bool read_munchkin_id(const char *text, struct generator_options *content)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strlen(text);
    if (len == 0 || len > MUNCHKIN_ID_MAX || strspn(text, allowed) != len)
        return refuse("--munchkin-id: up to %d letters, digits and hyphens are needed, not \"%s\"",
                      MUNCHKIN_ID_MAX, text);
    content->munchkin_id = text;
    return true;
}

/* The token itself is not repeated in messages. */
static bool take_token(const char *name, struct slice token, struct arguments *arguments)
{
    static const char head[] = "authorization: Bearer ";
    if (token.len == 0 || token.len > TOKEN_MAX)
        return refuse("--%s: a token of 1 to %d characters is needed", name, TOKEN_MAX);
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return refuse("--%s: the token holds a character that cannot stand in a header", name);
    }
    char *line = malloc(sizeof head + token.len);
    if (line == NULL)
        return refuse("out of memory");
    memcpy(line, head, sizeof head - 1);
    memcpy(line + sizeof head - 1, token.ptr, token.len);
    line[sizeof head - 1 + token.len] = '\0';
    free(arguments->authorization);
    arguments->authorization = line;
    arguments->options.authorization = line;
    return true;
}

/* The whole file, to be freed by the caller; ptr NULL when it cannot be read. */
static struct slice read_file(const char *name, const char *path)
{
    size_t len = 0, capacity = 0;
    char *text = NULL;
    const char *cause = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        refuse("--%s: %s: %s", name, path, strerror(errno));
        return SLICE_ABSENT;
    }
    while (cause == NULL && feof(file) == 0) {
        if (len == capacity) {
            capacity = capacity * 2 + 65536;
            char *grown = realloc(text, capacity);
            if (grown == NULL) {
                cause = "out of memory";
                break;
            }
            text = grown;
        }
        len += fread(text + len, 1, capacity - len, file);
        if (ferror(file) != 0)
            cause = strerror(errno);
        else if (len > FILE_MAX)
            cause = "larger than 64 MiB";
    }
    fclose(file);
    if (cause != NULL) {
        refuse("--%s: %s: %s", name, path, cause);
        free(text);
        return SLICE_ABSENT;
    }
    return (struct slice){text, len};
}

static bool read_token_file(const char *path, struct arguments *arguments)
{
    struct slice text = read_file("token-file", path);
    if (!slice_present(text))
        return false;
    struct slice line = {text.ptr, 0};
    while (line.len < text.len && line.ptr[line.len] != '\n' && line.ptr[line.len] != '\r')
        line.len++;
    bool ok = take_token("token-file", line, arguments);
    free((char *)(uintptr_t)text.ptr);
    return ok;
}

static bool add_body(const char *path, struct simulate_options *options)
{
    size_t count = options->file_count + 1;
    const char **files = reallocarray(options->files, count, sizeof *files);
    if (files != NULL)
        options->files = files;
    struct slice *bodies = reallocarray(options->bodies, count, sizeof *bodies);
    if (bodies != NULL)
        options->bodies = bodies;
    if (files == NULL || bodies == NULL)
        return refuse("out of memory");
    struct slice body = read_file("body", path);
    if (!slice_present(body))
        return false;
    files[count - 1] = path;
    bodies[count - 1] = body;
    options->file_count = count;
    return true;
}

static bool take_option(int id, const char *text, struct arguments *arguments)
{
    struct simulate_options *options = &arguments->options;
    switch ((enum option_id)id) {
    case OPTION_URL:
        return read_url(text, options);
    case OPTION_SENDER:
        options->rule = sender_rule_find(text);
        return options->rule != NULL ? true : refuse("--sender: activity-push or adobe-io, not \"%s\"", text);
    case OPTION_EVENTS:
        return read_count("events", text, 1, UINT64_C(1000000000000), &options->events);
    case OPTION_DURATION:
        return read_duration("duration", text, &options->duration_ms);
    case OPTION_BATCH:
        return read_size("batch", text, 500, &options->batch);
    case OPTION_RATE:
        return read_real("rate", text, 1e6, &options->rate);
    case OPTION_BODY:
        return add_body(text, options);
    case OPTION_HTTP:
        options->http2 = strcmp(text, "2") == 0;
        return options->http2 || strcmp(text, "1.1") == 0 ? true
                                                          : refuse("--http: 1.1 or 2, not \"%s\"", text);
    case OPTION_CONNECTIONS:
        return read_size("connections", text, 4096, &options->connections);
    case OPTION_CONCURRENCY:
        return read_size("concurrency", text, 16384, &options->concurrency);
    case OPTION_TOKEN:
        return take_token("token", slice_of(text), arguments);
    case OPTION_TOKEN_FILE:
        return read_token_file(text, arguments);
    case OPTION_CA:
        options->ca = text;
        return true;
    case OPTION_INSECURE:
        options->insecure = true;
        return true;
    case OPTION_TIME_SCALE:
        return read_real("time-scale", text, 1000, &options->time_scale);
    case OPTION_NO_RETRY:
        options->no_retry = true;
        return true;
    case OPTION_PATIENCE:
        return read_duration("patience", text, &options->patience_ms);
    case OPTION_MUNCHKIN_ID:
        return read_munchkin_id(text, &options->content);
    case OPTION_TYPES:
        return read_size("types", text, 10000, &options->content.types);
    case OPTION_STREAMS:
        arguments->streams_given = true;
        return read_streams(text, &options->content);
    case OPTION_SEED:
        arguments->seed_given = true;
        return read_count("seed", text, 0, UINT64_MAX, &options->content.seed);
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_HELP:
        arguments->help = true;
        return true;
    }
    return false;
}

/* What only the options together can tell. */
static bool complete_options(struct arguments *arguments)
{
    struct simulate_options *options = &arguments->options;
    if (options->url == NULL)
        return refuse("--url is missing");
    if (options->rule == NULL)
        return refuse("--sender is missing: activity-push or adobe-io");
    if (options->batch == 0)
        options->batch = options->rule->batch;
    if (options->batch > options->rule->batch_max)
        return refuse("--batch: %s sends at most %zu events in a POST, not %zu", options->rule->name,
                      options->rule->batch_max, options->batch);
    if (options->file_count > 0 && options->events > 0)
        return refuse("--events has no meaning with --body: each file is posted once");
    if (arguments->streams_given && options->rule->sender != SENDER_ADOBE_IO)
        return refuse("--streams: %s sends activities only", options->rule->name);
    if (options->concurrency == 0)
        options->concurrency = options->connections * (options->http2 ? 8 : 1);
    if (options->concurrency < options->connections)
        options->connections = options->concurrency;
    if (!arguments->seed_given &&
        getrandom(&options->content.seed, sizeof options->content.seed, 0) != sizeof options->content.seed)
        return refuse("no random seed: %s", strerror(errno));
    if (!arguments->seed_given)
        options->content.seed &= (UINT64_C(1) << 48) - 1; /* short to type, exact in any JSON reader */
    options->content.sender = options->rule->sender;
    return true;
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int id;
    optind = 0; /* main has looked at the arguments before */
    opterr = 0;
    while ((id = getopt_long(argc, argv, "+:", option_table, NULL)) != -1) {
        if (id == ':')
            return refuse("%s needs a value", argv[optind - 1]);
        if (id == '?')
            return refuse("unknown option, or a value it does not take: %s (see --help)", argv[optind - 1]);
        if (!take_option(id, optarg, arguments))
            return false;
    }
    if (arguments->help)
        return true;
    if (optind < argc)
        return refuse("unexpected argument: %s (see --help)", argv[optind]);
    return complete_options(arguments);
}

int command_simulate(int argc, char **argv)
{
    struct arguments arguments = {
        .options = {.connections = 8,
                    .time_scale = 1,
                    .content = {.munchkin_id = "123-ABC-456", .streams = {true, true, true, true}}},
    };
    int status = 2;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        refuse("libcurl cannot be started");
        return 1;
    }
    if (read_arguments(argc, argv, &arguments)) {
        if (arguments.help) {
            fputs(usage, stdout);
            status = 0;
        } else {
            status = simulate_run(&arguments.options);
        }
    }
    for (size_t i = 0; i < arguments.options.file_count; i++)
        free((char *)(uintptr_t)arguments.options.bodies[i].ptr);
    free(arguments.options.bodies);
    free(arguments.options.files);
    free(arguments.authorization);
    curl_global_cleanup();
    return status;
}
