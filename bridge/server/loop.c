// SPDX-License-Identifier: Apache-2.0
//
// One event loop on a thread of its own. h2o's context, sockets and buffers keep
// pointers to the thread that made them, so everything is made here, on the thread.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "server/internal.h"
#include "telemetry/log.h"

/* New connections taken at once, before others get their turn. */
#define ACCEPT_AT_ONCE 16

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct acceptor *acceptor = listener->data;
    if (err != NULL)
        return;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (socket == NULL)
            return;
        accept_socket(acceptor, socket);
    }
}

static void close_acceptors(struct loop *loop)
{
    for (size_t i = 0; i < loop->acceptor_count; i++) {
        h2o_socket_read_stop(loop->acceptors[i].socket);
        h2o_socket_close(loop->acceptors[i].socket);
    }
    loop->acceptor_count = 0;
}

/* SERVER_CLOSING has been set: no new connections; on the open ones, Connection: close with the next answer
 * of HTTP/1, and the tick sends a GOAWAY over HTTP/2. */
static void begin_closing(struct loop *loop, uint64_t now_ms)
{
    loop->closing_ms = now_ms;
    close_acceptors(loop);
    loop->context.shutdown_requested = 1;
}

bool loop_refuses(const struct loop *loop)
{
    if (atomic_load(&loop->server->state) == SERVER_CLOSED)
        return true;
    return loop->closing_ms != 0 && clock_monotonic_ms() - loop->closing_ms > CLOSING_TAKES_MS;
}

static void on_tick(h2o_socket_t *timer, const char *err)
{
    struct loop *loop = timer->data;
    (void)err;
    h2o_buffer_consume(&timer->input, timer->input->size);
    uint64_t now_ms = clock_monotonic_ms();
    atomic_store(&loop->heartbeat_ms, now_ms);
    site_follow(loop);
    request_tick(loop, now_ms);
    if (!loop->admin && loop->closing_ms == 0 && atomic_load(&loop->server->state) >= SERVER_CLOSING)
        begin_closing(loop, now_ms);
    goaway_tick(loop, now_ms);
    guard_tick(loop, now_ms);
}

static bool add_acceptor(struct loop *loop, size_t index)
{
    struct server *server = loop->server;
    const struct listener *listener = &server->listeners[index];
    int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct acceptor *acceptor = &loop->acceptors[loop->acceptor_count++];
    acceptor->loop = loop;
    acceptor->listener = index;
    acceptor->context.ctx = &loop->context;
    acceptor->context.hosts = listener->admin ? server->admin_hosts : server->data_hosts;
    acceptor->socket = h2o_evloop_socket_create(loop->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    acceptor->socket->data = acceptor;
    h2o_socket_read_start(acceptor->socket, on_accept);
    return true;
}

static bool add_timer(struct loop *loop)
{
    /* h2o's timers follow the wall clock; this one cannot be moved by a clock step. */
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec every = {.it_interval = {.tv_nsec = TICK_MS * 1000000L},
                               .it_value = {.tv_nsec = TICK_MS * 1000000L}};
    if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) != 0)
        return false;
    loop->timer = h2o_evloop_socket_create(loop->context.loop, fd, 0);
    loop->timer->data = loop;
    h2o_socket_read_start(loop->timer, on_tick);
    return true;
}

static void *loop_main(void *data)
{
    struct loop *loop = data;
    struct server *server = loop->server;
    char name[16];
    snprintf(name, sizeof name, loop->admin ? "admin" : "loop-%zu", loop->index);
    pthread_setname_np(pthread_self(), name);

    h2o_context_init(&loop->context, h2o_evloop_create(), &server->h2o);
    h2o_multithread_register_receiver(loop->context.queue, &loop->receiver, request_receive);
    bool good = add_timer(loop);
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].admin == loop->admin)
            good = good && add_acceptor(loop, i);
    if (!good) {
        log_error("a loop cannot start", LOG_INT("errno", errno));
        abort(); /* out of descriptors before the first request */
    }
    site_follow(loop);
    atomic_store(&loop->heartbeat_ms, clock_monotonic_ms());
    pthread_barrier_wait(&server->started);
    while (!atomic_load(&loop->stop)) {
        h2o_evloop_run(loop->context.loop, 1000);
        guard_keep_up(loop);
    }
    /* The context stays, in case a connection does not end below. The process ends now. */
    close_acceptors(loop);
    h2o_socket_read_stop(loop->timer);
    h2o_socket_close(loop->timer);
    /* Frees the closed sockets, and the connections that are open still: a scraper's, or a
     * sender's after shutdown.grace. */
    guard_cut_all(loop);
    for (int i = 0; i == 0 || (i < 20 && !h2o_linklist_is_empty(&loop->connections)); i++)
        h2o_evloop_run(loop->context.loop, 10);
    h2o_evloop_run(loop->context.loop, 0);
    return NULL;
}

void loop_wake(struct loop *loop)
{
    h2o_multithread_send_message(&loop->receiver, NULL);
}

bool loop_start(struct server *server, struct loop *loop)
{
    loop->server = server;
    loop->acceptors = calloc(server->listener_count, sizeof *loop->acceptors);
    if (loop->acceptors == NULL)
        return false;
    h2o_linklist_init_anchor(&loop->connections);
    h2o_linklist_init_anchor(&loop->requests);
    loop->started = pthread_create(&loop->thread, NULL, loop_main, loop) == 0;
    return loop->started;
}
