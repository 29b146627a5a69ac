// SPDX-License-Identifier: Apache-2.0
//
// Start and end of the front door. Runs on main.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "server/internal.h"
#include "telemetry/log.h"

static double read_in_flight(void *data)
{
    const struct server *server = data;
    return (double)atomic_load(&server->budget.used);
}

static double read_open(void *data)
{
    const struct open_gauge *gauge = data;
    const struct server *server = gauge->server;
    size_t open = 0;
    for (size_t i = 0; i + 1 < server->loop_count; i++) /* not the admin loop's */
        open += atomic_load(&server->loops[i].open[gauge->protocol]);
    return (double)open;
}

static void register_metrics(struct server *server)
{
    static const char *const protocols[PROTOCOL_COUNT] = {"new", "http1", "http2"};
    metrics_gauge_callback(server->metrics, "in_flight_bytes",
                           "Bytes of batches in work, with their records, keys and headers.", NULL, 0,
                           read_in_flight, server);
    struct metric_label labels[] = {{"endpoint", "other"}, {"status", "404"}};
    server->other_requests = metrics_counter(server->metrics, "http_requests_total",
                                             "Requests answered, by endpoint and status.", labels, 2);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        struct metric_label label = {"protocol", protocols[i]};
        server->open_gauges[i] = (struct open_gauge){server, (enum protocol)i};
        metrics_gauge_callback(server->metrics, "connections",
                               "Open connections by protocol; new: nothing asked yet.", &label, 1, read_open,
                               &server->open_gauges[i]);
    }
}

static h2o_hostconf_t *add_host(struct server *server, const char *name,
                                int (*on_request)(h2o_handler_t *, h2o_req_t *))
{
    h2o_hostconf_t *host = h2o_config_register_host(&server->h2o, h2o_iovec_init(name, strlen(name)), 65535);
    h2o_pathconf_t *paths[] = {h2o_config_register_path(host, "/", 0), &host->fallback_path};
    for (size_t i = 0; i < 2; i++) {
        struct handler *handler = (struct handler *)h2o_create_handler(paths[i], sizeof *handler);
        handler->super.on_req = on_request;
        handler->server = server;
    }
    return host;
}

static void configure_h2o(struct server *server)
{
    const struct config *config = server->config;
    h2o_config_init(&server->h2o);
    server->h2o.server_name = h2o_iovec_init(H2O_STRLIT("marketo-bridge"));
    server->h2o.max_request_entity_size = config->limits.body + BODY_SLACK;
    /* The guard keeps these times; h2o's own are the wall clock's and come second. */
    server->h2o.http1.req_timeout = config->limits.idle_time_ms + config->limits.body_time_ms + 5000;
    server->h2o.http2.idle_timeout = config->limits.idle_time_ms + config->limits.body_time_ms + 5000;
    server->h2o.http1.upgrade_to_http2 = 0; /* accept.c chooses; Upgrade: h2c is gone from HTTP (RFC 9113) */
    server->data_hosts[0] = add_host(server, "data", endpoint_on_request);
    server->admin_hosts[0] = add_host(server, "admin", admin_on_request);
}

/* Every connection needs a descriptor, Kafka and the log need some. */
static void raise_descriptor_limit(size_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < connections + 256)
        log_warning("fewer file descriptors than limits.connections needs",
                    LOG_INT("allowed", limit.rlim_cur), LOG_INT("needed", connections + 256));
}

struct server *server_create(const struct server_options *options, char *errstr, size_t errstr_size)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    server->config = options->config;
    server->routes = options->routes;
    server->auth = options->auth;
    server->metrics = options->metrics;
    pthread_mutex_init(&server->site_lock, NULL);
    server->budget.limit = options->config->limits.in_flight;
    raise_descriptor_limit(options->config->limits.connections);
    guard_metrics_register(server);
    register_metrics(server);
    configure_h2o(server);
    struct site *site = site_create(server, options->config, false, errstr, errstr_size);
    if (site != NULL)
        site_publish(server, site);
    if (site == NULL || !listeners_open(server, errstr, errstr_size)) {
        server_stop(server);
        return NULL;
    }
    return server;
}

/* How long a reload waits for the loops, which look every TICK_MS. */
#define FOLLOW_MAX_MS 2000

bool server_reload(struct server *server, struct config *config, char *errstr, size_t errstr_size)
{
    struct site *site = site_create(server, config, true, errstr, errstr_size);
    if (site == NULL)
        return false;
    site_publish(server, site);
    uint64_t until_ms = clock_monotonic_ms() + FOLLOW_MAX_MS;
    for (size_t i = 0; i < server->loop_count; i++)
        while (atomic_load(&server->loops[i].generation) != atomic_load(&server->generation) &&
               clock_monotonic_ms() < until_ms)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return true;
}

bool server_run(struct server *server, struct kafka *kafka, char *errstr, size_t errstr_size)
{
    server->kafka = kafka;
    if (!listeners_listen(server, errstr, errstr_size))
        return false;
    size_t cores = (size_t)get_nprocs();
    server->loops = calloc(cores + 1, sizeof *server->loops);
    if (server->loops == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    server->loop_count = cores + 1;
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < server->loop_count; i++) {
        server->loops[i].index = i;
        server->loops[i].admin = i == cores;
        atomic_store(&server->loops[i].heartbeat_ms, now_ms);
    }
    pthread_barrier_init(&server->started, NULL, (unsigned)server->loop_count + 1);
    for (size_t i = 0; i < server->loop_count; i++)
        if (!loop_start(server, &server->loops[i])) {
            /* The loops that run wait at the barrier for ever; the process ends. */
            log_error("cannot start a thread");
            _exit(1);
        }
    pthread_barrier_wait(&server->started);
    atomic_store(&server->state, SERVER_RUNNING);
    return true;
}

/* What h2o and we keep for one that is open, its buffers apart. */
#define CONNECTION_BYTES ((size_t)4096)

size_t server_held(const struct server *server)
{
    size_t held = guard_buffered(server) + atomic_load(&server->budget.used) +
                  atomic_load(&server->connections) * CONNECTION_BYTES;
    size_t given_back = atomic_load(&server->given_back); /* newer than what is buffered */
    return held > given_back ? held - given_back : 0;
}

struct loop *loop_of(h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(struct loop, context, req->conn->ctx);
}

void server_set_draining(struct server *server)
{
    atomic_store(&server->state, SERVER_DRAINING);
}

bool server_drain(struct server *server, int timeout_ms)
{
    atomic_store(&server->state, SERVER_CLOSING);
    for (size_t i = 0; i < server->listener_count; i++)
        if (!server->listeners[i].admin) {
            close(server->listeners[i].fd);
            server->listeners[i].fd = -1;
        }
    uint64_t until_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    for (;;) {
        size_t waiting = 0;
        for (size_t i = 0; i + 1 < server->loop_count; i++)
            waiting += atomic_load(&server->loops[i].waiting);
        bool over = clock_monotonic_ms() >= until_ms;
        if (over || (waiting == 0 && atomic_load(&server->connections) == 0)) {
            atomic_store(&server->state, SERVER_CLOSED);
            return waiting == 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
    }
}

void server_stop(struct server *server)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        struct loop *loop = &server->loops[i];
        if (!loop->started)
            continue;
        atomic_store(&loop->stop, true);
        loop_wake(loop);
        pthread_join(loop->thread, NULL);
    }
    /* Not before: main may have passed it while a loop is still on its way out. */
    if (server->loop_count > 0)
        pthread_barrier_destroy(&server->started);
    for (size_t i = 0; i < server->loop_count; i++)
        free(server->loops[i].acceptors);
    h2o_config_dispose(&server->h2o);
    listeners_close(server);
    for (size_t i = 0; i < server->loop_count; i++)
        site_release(server->loops[i].site);
    site_release(server->site);
    pthread_mutex_destroy(&server->site_lock);
    free(server->loops);
    free(server);
}
