// SPDX-License-Identifier: Apache-2.0
//
// `serve`: starts the rooms in order, waits for signals and changed files, ends the rooms in
// order. Main thread; every other thread has the signals blocked.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command/command.h"
#include "command/memory.h"
#include "command/setup.h"
#include "command/watch.h"
#include "kafka/kafka.h"
#include "server/server.h"
#include "telemetry/log.h"
#include "version.h"

static int usage(FILE *out, int status)
{
    fprintf(out, "usage: marketo-bridge serve --config FILE [--embedded-kafka]\n\n"
                 "  --config FILE      the configuration\n"
                 "  --embedded-kafka   write to a Kafka inside this process instead of bootstrap.servers:\n"
                 "                     for trying out only, everything in memory\n");
    return status;
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void on_second_signal(int number)
{
    (void)number;
    _exit(1);
}

/* From now on a further SIGTERM or SIGINT ends the process at once. */
static void arm_second_signal(void)
{
    struct sigaction action = {.sa_handler = on_second_signal};
    sigset_t set;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* --- reload --- */

/* What runs, and by which configuration. */
struct running {
    const char *path;
    bool embedded;
    const struct config *start; /* what only a start can change goes by this */
    struct server *server;
    struct gauge *reload_success;
    struct watch watch;
    struct memory memory;
    uint64_t delay_ms, grace_ms; /* of the newest configuration */
};

static void log_restart_option(void *data, const char *option)
{
    (void)data;
    log_warning("a changed option needs a restart to take effect", LOG_TEXT("option", option));
}

#define ERRORS_LOGGED_MAX 20

static void log_refused(const struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count && i < ERRORS_LOGGED_MAX; i++)
        log_error("configuration refused", LOG_TEXT("error", errors->items[i].message),
                  LOG_INT("line", errors->items[i].mark.line),
                  LOG_INT("column", errors->items[i].mark.column));
}

static bool take_over(struct running *running, struct setup *wanted)
{
    struct config *config = wanted->config;
    const uint64_t delay_ms = config->shutdown.delay_ms, grace_ms = config->shutdown.grace_ms;
    const enum log_level level = config->log.level;
    const enum log_format format = config->log.format;
    char errstr[512];
    config_restart_options(running->start, config, log_restart_option, NULL);
    routes_free(wanted->routes); /* only the start's are used; these have shown that they can be made */
    if (!server_reload(running->server, config, errstr, sizeof errstr)) {
        log_error("configuration refused", LOG_TEXT("error", errstr));
        return false;
    }
    running->delay_ms = delay_ms;
    running->grace_ms = grace_ms;
    log_configure(level, format, STDERR_FILENO);
    log_info("configuration reloaded", LOG_TEXT("path", running->path));
    return true;
}

static void reload(struct running *running)
{
    struct config_errors errors = {0};
    struct config_files files = {0};
    struct setup wanted;
    bool good = setup_load(&wanted, running->path, running->embedded, &errors, &files);
    if (good)
        good = take_over(running, &wanted);
    else
        log_refused(&errors);
    gauge_set(running->reload_success, good ? 1 : 0);
    /* Files of a configuration that was refused are watched too: it may become good by one of them. */
    watch_set(&running->watch, &files);
    config_errors_free(&errors);
}

/* Serves until a signal says to end. */
static void wait_for_end(struct running *running, const sigset_t *set)
{
    const struct timespec half_a_second = {.tv_nsec = 500000000};
    bool second = true; /* a whole one has passed */
    for (;;) {
        int number = sigtimedwait(set, NULL, &half_a_second);
        bool quiet = number < 0 && errno == EAGAIN;
        memory_look(&running->memory, server_held(running->server), running->start->limits.in_flight,
                    clock_monotonic_ms());
        if (quiet)
            second = !second;
        if (number == SIGHUP || (quiet && second && watch_look(&running->watch))) {
            log_info("reading the configuration again",
                     LOG_TEXT("cause", number == SIGHUP ? "SIGHUP" : "a file has changed"));
            reload(running);
        } else if (number > 0) {
            log_info("ending", LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
            return;
        }
    }
}

static void wait_ms(uint64_t ms)
{
    uint64_t until = clock_monotonic_ms() + ms, now;
    while ((now = clock_monotonic_ms()) < until) {
        uint64_t left = until - now;
        nanosleep(
            &(struct timespec){.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000},
            NULL);
    }
}

static int serve(struct running *running, struct setup *setup, const sigset_t *signals)
{
    struct config *config = setup->config;
    char errstr[512];
    int status = 1;
    struct kafka *kafka = NULL;
    bool kafka_stopped = false;
    struct metrics *metrics = metrics_create();
    struct metric_label version = {"version", BRIDGE_VERSION};
    gauge_set(metrics_gauge(metrics, "build_info", "1, with the version as label.", &version, 1), 1);
    running->reload_success = metrics_gauge(metrics, "config_reload_success",
                                            "1 when the newest configuration is served.", NULL, 0);
    gauge_set(running->reload_success, 1);
    struct server *server = NULL;
    struct auth_service *auth = auth_service_create(metrics, errstr, sizeof errstr);
    if (auth != NULL)
        server = server_create(
            &(struct server_options){
                .config = config, .routes = setup->routes, .auth = auth, .metrics = metrics},
            errstr, sizeof errstr);
    if (server == NULL) {
        log_error(errstr);
        status = 2;
        goto out;
    }
    kafka = kafka_start(
        &(struct kafka_options){
            .config = config, .routes = setup->routes, .metrics = metrics, .embedded = running->embedded},
        errstr, sizeof errstr);
    if (kafka == NULL) {
        log_error("cannot start", LOG_TEXT("reason", errstr));
        goto out;
    }
    if (!server_run(server, kafka, errstr, sizeof errstr)) {
        log_error(errstr);
        status = 2;
        goto out;
    }
    log_info("ready", LOG_TEXT("version", BRIDGE_VERSION), LOG_TEXT("kafka", kafka_bootstrap(kafka)));

    running->server = server;
    wait_for_end(running, signals);
    status = 0;
    arm_second_signal();
    server_set_draining(server);
    wait_ms(running->delay_ms);
    uint64_t until_ms = clock_monotonic_ms() + running->grace_ms;
    if (!server_drain(server, (int)running->grace_ms)) {
        log_warning("not every batch was answered within shutdown.grace");
        status = 1;
    }
    uint64_t now_ms = clock_monotonic_ms();
    kafka_stop(kafka, now_ms < until_ms ? (int)(until_ms - now_ms) : 1000);
    kafka_stopped = true;
    log_info("ended", LOG_INT("status", status));

out:
    if (kafka != NULL && !kafka_stopped)
        kafka_stop(kafka, 0);
    if (auth != NULL)
        auth_service_stop(auth);
    if (server != NULL)
        server_stop(server);
    if (auth != NULL)
        auth_service_free(auth);
    if (kafka != NULL) /* after the admin pages, which ask for its health */
        kafka_free(kafka);
    metrics_free(metrics);
    return status;
}

int command_serve(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"embedded-kafka", no_argument, NULL, 'e'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool embedded = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'e':
            embedded = true;
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (path == NULL || optind != argc)
        return usage(stderr, 2);

    memory_set_up();
    sigset_t signals;
    block_signals(&signals);
    struct config_errors errors = {0};
    struct config_files files = {0};
    struct setup setup;
    if (!setup_load(&setup, path, embedded, &errors, &files)) {
        config_errors_print(&errors, path, stderr);
        config_errors_free(&errors);
        config_files_free(&files);
        return 2;
    }
    config_errors_free(&errors);
    log_configure(setup.config->log.level, setup.config->log.format, STDERR_FILENO);
    log_capture_stderr();
    struct running running = {.path = path,
                              .embedded = embedded,
                              .start = setup.config,
                              .delay_ms = setup.config->shutdown.delay_ms,
                              .grace_ms = setup.config->shutdown.grace_ms};
    watch_set(&running.watch, &files);
    int status = serve(&running, &setup, &signals);
    watch_free(&running.watch);
    setup_free(&setup);
    return status;
}
