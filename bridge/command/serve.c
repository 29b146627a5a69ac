// SPDX-License-Identifier: Apache-2.0
//
// `serve`: starts the rooms in order, waits for signals, ends them in order. Main
// thread; every other thread has the signals blocked.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command/command.h"
#include "command/setup.h"
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
    sigaddset(set, SIGUSR1); /* from ourselves: the producer is broken */
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void on_broken(void *data)
{
    (void)data;
    kill(getpid(), SIGUSR1);
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

/* Returns the exit status that the signal asks for. */
static int wait_for_end(const sigset_t *set)
{
    for (;;) {
        int number = 0;
        if (sigwait(set, &number) != 0)
            continue;
        if (number == SIGHUP) {
            log_info("SIGHUP ignored: a new configuration needs a restart");
            continue;
        }
        log_info("ending", LOG_TEXT("signal", number == SIGTERM  ? "SIGTERM"
                                              : number == SIGINT ? "SIGINT"
                                                                 : "producer broken"));
        return number == SIGUSR1 ? 1 : 0;
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

static int serve(struct setup *setup, bool embedded, const sigset_t *signals)
{
    const struct config *config = setup->config;
    char errstr[512];
    int status = 1;
    struct kafka *kafka = NULL;
    bool kafka_stopped = false;
    struct metrics *metrics = metrics_create();
    struct metric_label version = {"version", BRIDGE_VERSION};
    gauge_set(metrics_gauge(metrics, "build_info", "1, with the version as label.", &version, 1), 1);
    struct intake *intake = intake_create(config, setup->routes);
    struct server *server =
        server_create(&(struct server_options){.config = config, .metrics = metrics}, errstr, sizeof errstr);
    if (intake == NULL || server == NULL) {
        log_error(intake == NULL ? "out of memory" : errstr);
        status = 2;
        goto out;
    }
    kafka = kafka_start(&(struct kafka_options){.config = config,
                                                .routes = setup->routes,
                                                .metrics = metrics,
                                                .embedded = embedded,
                                                .broken = on_broken},
                        errstr, sizeof errstr);
    if (kafka == NULL) {
        log_error("cannot start", LOG_TEXT("reason", errstr));
        goto out;
    }
    if (!server_run(server, intake, kafka, errstr, sizeof errstr)) {
        log_error(errstr);
        status = 2;
        goto out;
    }
    log_info("ready", LOG_TEXT("version", BRIDGE_VERSION), LOG_TEXT("kafka", kafka_bootstrap(kafka)));

    status = wait_for_end(signals);
    arm_second_signal();
    server_set_draining(server);
    if (status == 0)
        wait_ms(config->shutdown.delay_ms);
    uint64_t until_ms = clock_monotonic_ms() + config->shutdown.grace_ms;
    if (!server_drain(server, (int)config->shutdown.grace_ms)) {
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
    if (server != NULL)
        server_stop(server);
    if (kafka != NULL) /* after the admin pages, which ask for its health */
        kafka_free(kafka);
    if (intake != NULL)
        intake_free(intake);
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

    sigset_t signals;
    block_signals(&signals);
    struct config_errors errors = {0};
    struct setup setup;
    if (!setup_load(&setup, path, embedded, &errors)) {
        config_errors_print(&errors, path, stderr);
        config_errors_free(&errors);
        return 2;
    }
    config_errors_free(&errors);
    log_configure(setup.config->log.level, setup.config->log.format, 2);
    log_capture_stderr();
    int status = serve(&setup, embedded, &signals);
    setup_free(&setup);
    return status;
}
