// SPDX-License-Identifier: Apache-2.0
//
// The run of a simulation: one loop over the client's sockets, the schedule, the
// retries and the signals; main thread. Latency counts from when an attempt was meant to be sent:
// a receiver that is slow to take the next one does not hide its slowness.
#include "command/simulate_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

#define NEVER CLIENT_NEVER
#define PROGRESS_US UINT64_C(1000000)
/* So many may wait for a retry; then nothing new is begun, as if the sender's own queue were full. */
#define WAITING_MAX 1000000

struct run {
    const struct simulate_options *options;
    struct generator *generator; /* NULL: files are posted */
    struct client *client;
    struct verification *verification; /* NULL: not asked for */
    int epoll, timer, signals;

    struct retry_queue waiting;

    uint64_t start_us;
    uint64_t well_us; /* when a batch was last delivered, or nothing was left to deliver */
    bool ended;       /* no new batch is to come */
    bool stopping;    /* a signal: nothing is sent any more */
    bool abandoned;   /* a second signal: answers are not waited for */
    bool paused;      /* the stream is paused: nothing new until something succeeds */
    bool version_warned;
    uint64_t progress_due_us, progress_events;
    long *file_statuses;
    struct report report;
};

/* When the next new batch is meant to be sent; NEVER when there is none. */
static uint64_t run_next_new_us(const struct run *run, uint64_t now_us)
{
    const struct simulate_options *options = run->options;
    const struct report *report = &run->report;
    uint64_t due_us = now_us;

    if (options->file_count > 0 && report->batches == options->file_count)
        return NEVER;
    if (options->events > 0 && report->events >= options->events)
        return NEVER;
    if (options->rate > 0)
        due_us = run->start_us + (uint64_t)((double)report->batches * 1e6 / options->rate);
    if (options->duration_ms > 0 && due_us >= run->start_us + options->duration_ms * 1000)
        return NEVER;
    return due_us;
}

static struct delivery run_new_delivery(struct run *run, uint64_t due_us)
{
    const struct simulate_options *options = run->options;
    struct delivery delivery = {.created_ms = clock_wall_ms(), .due_us = due_us};
    if (run->generator == NULL) {
        delivery.first = run->report.batches;
    } else {
        uint64_t left = options->events > 0 ? options->events - run->report.events : UINT64_MAX;
        delivery.first = run->report.events;
        delivery.events = left < options->batch ? (size_t)left : options->batch;
    }
    run->report.batches++;
    run->report.events += delivery.events;
    return delivery;
}

/* False, after a line on standard error, when it cannot be sent. */
static bool run_send(struct run *run, struct delivery delivery)
{
    delivery.sent_us = clock_monotonic_us();
    if (run->verification != NULL && !verification_sent(run->verification, &delivery))
        return false;
    if (client_send(run->client, delivery))
        return true;
    fprintf(stderr, "marketo-bridge simulate: out of memory\n");
    return false;
}

/* Sends what is due, while there are slots. Returns when the next one is due. */
static uint64_t run_send_due(struct run *run)
{
    while (!client_is_full(run->client) && !run->stopping) {
        uint64_t now_us = clock_monotonic_us();
        uint64_t next_us = run_next_new_us(run, now_us);
        uint64_t retry_us = run->waiting.count > 0 ? run->waiting.items[0].due_us : NEVER;
        if (next_us == NEVER)
            run->ended = true;
        if (run->paused || run->waiting.count >= WAITING_MAX)
            next_us = NEVER;
        if (retry_us > now_us && next_us > now_us)
            return retry_us < next_us ? retry_us : next_us;

        struct delivery delivery;
        if (retry_us <= now_us) {
            run->report.retries++;
            delivery = retry_queue_pop(&run->waiting);
        } else {
            delivery = run_new_delivery(run, next_us);
        }
        if (!run_send(run, delivery)) {
            run->report.unfinished++;
            run->stopping = true;
        }
    }
    return NEVER;
}

static void run_fail(struct run *run, struct delivery delivery, bool retry)
{
    const struct sender_rule *rule = run->options->rule;
    uint64_t wait_ms = retry ? sender_rule_wait_ms(rule, delivery.attempt + 1) : 0;

    if (wait_ms == 0) {
        run->report.refused++;
        return;
    }
    if (run->options->no_retry || run->stopping) {
        run->report.unfinished++;
        return;
    }
    if (sender_rule_pauses(rule, delivery.attempt))
        run->paused = true;
    delivery.attempt++;
    delivery.due_us = clock_monotonic_us() + (uint64_t)((double)wait_ms * 1000 * run->options->time_scale);
    if (!retry_queue_push(&run->waiting, delivery))
        run->report.unfinished++;
}

static void run_take_result(struct run *run, const struct client_result *result)
{
    struct report *report = &run->report;
    const struct delivery *delivery = &result->delivery;
    uint64_t now_us = clock_monotonic_us();
    long status = result->status < REPORT_STATUS_MAX ? result->status : 0;

    if (status == 0)
        report_take_no_answer(report, result->no_answer);
    if (status > 0 && run->options->http2 && !result->http2 && !run->version_warned) {
        run->version_warned = true;
        fprintf(stderr, "marketo-bridge simulate: the receiver answers in HTTP/1.1, not HTTP/2\n");
    }
    report->statuses[status]++;
    report->elapsed_us = now_us - run->start_us;
    latency_add(&report->latency, now_us - delivery->due_us);
    if (run->file_statuses != NULL)
        run->file_statuses[delivery->first] = status;

    enum attempt_result judged = sender_rule_judge(run->options->rule, status);
    if (judged == ATTEMPT_RETRY && sender_rule_wait_ms(run->options->rule, delivery->attempt + 1) == 0)
        judged = ATTEMPT_REFUSED; /* the sender gives up */
    if (run->verification != NULL && !verification_answered(run->verification, result, judged))
        run->stopping = true;
    if (judged == ATTEMPT_DELIVERED) {
        report_take_answer(report, result->answer);
        report->delivered++;
        report->delivered_events += delivery->events;
        run->paused = false;
        run->well_us = now_us;
    } else {
        run_fail(run, *delivery, judged == ATTEMPT_RETRY);
    }
}

static void run_take_signal(struct run *run)
{
    struct signalfd_siginfo info;
    if (read(run->signals, &info, sizeof info) != sizeof info)
        return;
    run->abandoned = run->stopping;
    run->stopping = true;
}

static void run_show_progress(struct run *run, uint64_t now_us)
{
    const struct report *report = &run->report;
    if (now_us < run->progress_due_us)
        return;
    fprintf(stderr,
            "\r\x1b[K%" PRIu64 " s: %" PRIu64 " events delivered, %" PRIu64 "/s; %zu batches under way, %zu "
            "waiting for a retry, %" PRIu64 " refused%s",
            (now_us - run->start_us) / PROGRESS_US, report->delivered_events,
            report->delivered_events - run->progress_events, client_in_flight(run->client),
            run->waiting.count, report->refused, run->paused ? "; paused" : "");
    run->progress_events = report->delivered_events;
    run->progress_due_us += PROGRESS_US;
}

/* Waits for sockets, signals or until_us. */
static bool run_wait(struct run *run, uint64_t until_us)
{
    struct epoll_event events[64];
    int timeout = -1;
    uint64_t now_us = clock_monotonic_us();

    if (until_us <= now_us) {
        timeout = 0;
    } else {
        struct itimerspec timer = {0}; /* zero disarms */
        if (until_us != NEVER) {
            timer.it_value.tv_sec = (time_t)(until_us / 1000000);
            timer.it_value.tv_nsec = (long)(until_us % 1000000) * 1000;
        }
        timerfd_settime(run->timer, TFD_TIMER_ABSTIME, &timer, NULL);
    }
    int count = epoll_wait(run->epoll, events, sizeof events / sizeof events[0], timeout);
    if (count < 0 && errno != EINTR) {
        perror("marketo-bridge simulate: epoll_wait");
        return false;
    }
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        if (fd == run->timer)
            continue;
        if (fd == run->signals) {
            run_take_signal(run);
            continue;
        }
        client_take_event(run->client, fd, events[i].events);
    }
    client_run_timers(run->client);
    return true;
}

static bool run_is_over(const struct run *run)
{
    if (run->abandoned)
        return true;
    return client_in_flight(run->client) == 0 && (run->stopping || (run->ended && run->waiting.count == 0));
}

/* What should have been begun by now but was held back is unfinished as well. */
static void run_give_up(struct run *run, uint64_t now_us)
{
    const struct simulate_options *options = run->options;
    if (options->rate == 0 && options->events == 0 && options->file_count == 0)
        return; /* a closed loop without a number owes nothing */
    while (run_next_new_us(run, now_us) <= now_us) {
        run_new_delivery(run, now_us);
        run->report.unfinished++;
    }
}

static bool run_loop(struct run *run)
{
    bool progress = isatty(STDERR_FILENO) == 1, ok = true;
    run->start_us = run->well_us = clock_monotonic_us();
    run->progress_due_us = run->start_us + PROGRESS_US;
    for (;;) {
        uint64_t proof_us = proof_run(run->options->proof, clock_monotonic_us());
        uint64_t until_us = run_send_due(run);
        if (run_is_over(run))
            break;
        until_us = proof_us < until_us ? proof_us : until_us;
        uint64_t client_us = client_due_us(run->client);
        until_us = client_us < until_us ? client_us : until_us;
        if (run->options->patience_ms > 0) {
            uint64_t now_us = clock_monotonic_us();
            if (client_in_flight(run->client) == 0 && run->waiting.count == 0)
                run->well_us = now_us;
            uint64_t end_us = run->well_us + run->options->patience_ms * 1000;
            if (now_us >= end_us) {
                run_give_up(run, now_us);
                break;
            }
            until_us = end_us < until_us ? end_us : until_us;
        }
        if (progress) {
            run_show_progress(run, clock_monotonic_us());
            until_us = run->progress_due_us < until_us ? run->progress_due_us : until_us;
        }
        ok = run_wait(run, until_us);
        if (!ok)
            break;
        struct client_result result;
        while (client_next_result(run->client, &result))
            run_take_result(run, &result);
    }
    if (progress)
        fputs("\r\x1b[K", stderr);
    run->report.unfinished += client_in_flight(run->client) + run->waiting.count;
    return ok;
}

static bool watch(struct run *run, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool run_init(struct run *run)
{
    const struct simulate_options *options = run->options;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    run->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->epoll < 0 || !watch(run, run->timer) || !watch(run, run->signals))
        return false;

    if (options->file_count > 0) {
        run->file_statuses = calloc(options->file_count, sizeof *run->file_statuses);
        if (run->file_statuses == NULL)
            return false;
    } else {
        run->generator = generator_create(&options->content);
        if (run->generator == NULL)
            return false;
    }

    run->client = client_create(options, run->generator, run->epoll);
    return run->client != NULL;
}

static void run_free(struct run *run)
{
    client_free(run->client);
    retry_queue_free(&run->waiting);
    free(run->file_statuses);
    generator_free(run->generator);
    const int fds[] = {run->epoll, run->timer, run->signals};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(run);
}

int simulate_run(const struct simulate_options *options)
{
    int status = 1;
    char errstr[512];
    if (!proof_begin(options->proof, errstr, sizeof errstr)) {
        fprintf(stderr, "marketo-bridge simulate: %s\n", errstr);
        return 1;
    }
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        fprintf(stderr, "marketo-bridge simulate: out of memory\n");
        return 1;
    }
    run->options = options;
    run->epoll = run->timer = run->signals = -1;
    if (!run_init(run)) {
        fprintf(stderr, "marketo-bridge simulate: cannot be started: %s\n", strerror(errno));
        goto out;
    }
    if (options->verify.brokers != NULL &&
        (run->verification = verification_begin(options, run->generator)) == NULL)
        goto out;
    bool ok = run_loop(run);
    bool read = run->verification != NULL && verification_finish(run->verification);
    const struct report_context context = {
        .sender = options->rule->name,
        .url = options->url,
        .http = options->http2 ? "2" : "1.1",
        .seed = options->content.seed,
        .files = options->files,
        .file_statuses = run->file_statuses,
        .file_count = options->file_count,
        .tally = read ? verification_tally(run->verification) : NULL,
        .generator = run->generator,
    };
    report_print(&run->report, &context, options->json, stdout);
    if (ok && run->report.refused == 0 && run->report.unfinished == 0)
        status = 0;
    if (run->verification != NULL && (!read || !tally_holds(context.tally)))
        status = 1;
out:
    verification_free(run->verification);
    run_free(run);
    return status;
}
