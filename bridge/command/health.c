// SPDX-License-Identifier: Apache-2.0
//
// `marketo-bridge health`: asks a running bridge's admin port; main thread.
//
// Without a path it asks /health/live. A container's health check restarts what
// fails it, and a bridge that drains (not ready) or waits for Kafka is not ill.
#include "command/command.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEALTH_URL "http://127.0.0.1:9464"
#define HEALTH_PATH "/health/live"
#define HEALTH_TIMEOUT_MS 5000L
#define HEALTH_ANSWER_MAX 200

static const char usage[] =
    "usage: marketo-bridge health [--url URL]\n"
    "\n"
    "Asks the admin port of a running bridge; exit status 0 when it is well, 1 when not.\n"
    "\n"
    "  --url URL   what to ask (" HEALTH_URL HEALTH_PATH ");\n"
    "              without a path, " HEALTH_PATH ". Other paths: /health/ready, /health/kafka\n";

/* The first line of the answer, in printable characters. */
struct answer {
    size_t len;
    bool complete;
    char text[HEALTH_ANSWER_MAX + 1];
};

static size_t answer_take(char *data, size_t size, size_t count, void *userdata)
{
    struct answer *answer = userdata;
    size_t total = size * count;
    for (size_t i = 0; i < total && !answer->complete; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '\n' || answer->len == HEALTH_ANSWER_MAX)
            answer->complete = true;
        else if (c >= ' ' && c != 0x7F)
            answer->text[answer->len++] = (char)c;
    }
    answer->text[answer->len] = '\0';
    return total;
}

/* The URL to ask, to be freed with curl_free; NULL when `text` is not one. */
static char *health_url(const char *text)
{
    char *path = NULL, *url = NULL;
    CURLU *parts = curl_url();
    if (parts == NULL || curl_url_set(parts, CURLUPART_URL, text, CURLU_GUESS_SCHEME) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_PATH, &path, 0) != CURLUE_OK)
        goto out;
    if (strcmp(path, "/") == 0 && curl_url_set(parts, CURLUPART_PATH, HEALTH_PATH, 0) != CURLUE_OK)
        goto out;
    if (curl_url_get(parts, CURLUPART_URL, &url, 0) != CURLUE_OK)
        url = NULL;
out:
    curl_free(path);
    curl_url_cleanup(parts);
    return url;
}

static int health_ask(const char *url)
{
    struct answer answer = {0};
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        fprintf(stderr, "marketo-bridge health: out of memory\n");
        return 1;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the environment's proxy is for the outside */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, HEALTH_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);

    if (code != CURLE_OK) {
        printf("%s: no answer: %s\n", url, error[0] != '\0' ? error : curl_easy_strerror(code));
        return 1;
    }
    printf("%s: %ld%s%s\n", url, status, answer.len > 0 ? " " : "", answer.text);
    return status == 200 ? 0 : 1;
}

int command_health(int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *text = HEALTH_URL;
    int option;

    optind = 0; /* main has looked at the arguments before */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        switch (option) {
        case 'u':
            text = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case ':':
            fprintf(stderr, "marketo-bridge health: %s needs a value\n", argv[optind - 1]);
            return 2;
        default:
            fprintf(stderr, "marketo-bridge health: unknown option %s\n%s", argv[optind - 1], usage);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "marketo-bridge health: unexpected argument %s\n%s", argv[optind], usage);
        return 2;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        fprintf(stderr, "marketo-bridge health: libcurl cannot be started\n");
        return 1;
    }
    int status = 2;
    char *url = health_url(text);
    if (url != NULL)
        status = health_ask(url);
    else
        fprintf(stderr, "marketo-bridge health: --url is not a URL: %s\n", text);
    curl_free(url);
    curl_global_cleanup();
    return status;
}
