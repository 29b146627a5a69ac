// SPDX-License-Identifier: Apache-2.0
//
// The embedded Kafka, for trying the bridge out: librdkafka's mock cluster, one
// broker on loopback, all in memory, 5 MiB a partition. Made and ended by main.
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kafka/internal.h"
#include "telemetry/log.h"

/* The mock broker leaves Nagle's algorithm on, which costs 40 ms an answer. Its
 * accept() is reached here first, since the executable's symbols come before
 * those of libc; every socket that the process accepts is better off without it. */
__attribute__((visibility("default"))) int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    static int (*real)(int, struct sockaddr *, socklen_t *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "accept");
    int accepted = real(fd, address, length), one = 1;
    if (accepted >= 0)
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return accepted;
}

/* The mock broker's thread serves its queue of commands and then empties the pipe that
 * wakes it, so a command that comes in between waits for the next event, up to a second.
 * A connection is such an event. */
struct nudge {
    atomic_bool stop;
    uint16_t port;
};

static void *nudge_main(void *data)
{
    struct nudge *nudge = data;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(nudge->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while (!atomic_load(&nudge->stop)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0) {
            if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
                atomic_store(&nudge->stop, true); /* slower, but it works without */
            close(fd);
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return NULL;
}

static void create_topics(struct embedded *embedded, const struct routes *routes)
{
    pthread_t thread;
    const char *colon = strrchr(rd_kafka_mock_cluster_bootstraps(embedded->cluster), ':');
    struct nudge nudge = {.port = colon == NULL ? 0 : (uint16_t)strtoul(colon + 1, NULL, 10)};
    bool nudging = pthread_create(&thread, NULL, nudge_main, &nudge) == 0;
    for (size_t t = 0; t < routes->topic_count; t++)
        rd_kafka_mock_topic_create(embedded->cluster, routes->topics[t].name, routes->topics[t].partitions,
                                   1);
    atomic_store(&nudge.stop, true);
    if (nudging)
        pthread_join(thread, NULL);
}

struct embedded *embedded_start(const struct routes *routes, char *errstr, size_t errstr_size)
{
    struct embedded *embedded = calloc(1, sizeof *embedded);
    if (embedded == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "3", NULL, 0); /* it has no brokers of its own, and would say so */
    embedded->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, errstr_size);
    if (embedded->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        free(embedded);
        return NULL;
    }
    embedded->cluster = rd_kafka_mock_cluster_new(embedded->rk, 1);
    if (embedded->cluster == NULL) {
        snprintf(errstr, errstr_size, "the embedded Kafka did not start");
        embedded_stop(embedded);
        return NULL;
    }
    create_topics(embedded, routes);
    log_warning(
        "embedded Kafka: for trying out only; records live in memory, 5 MiB a partition, and end with "
        "this process",
        LOG_TEXT("bootstrap", rd_kafka_mock_cluster_bootstraps(embedded->cluster)));
    return embedded;
}

const char *embedded_bootstrap(const struct embedded *embedded)
{
    return rd_kafka_mock_cluster_bootstraps(embedded->cluster);
}

void embedded_stop(struct embedded *embedded)
{
    if (embedded == NULL)
        return;
    if (embedded->cluster != NULL)
        rd_kafka_mock_cluster_destroy(embedded->cluster);
    rd_kafka_destroy(embedded->rk);
    free(embedded);
}
