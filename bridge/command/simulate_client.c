// SPDX-License-Identifier: Apache-2.0
//
// The requests of a simulation, through libcurl's event interface; main thread.
//
// A request is handed over when there is a place for it: on a connection that is ready, or on one that it may
// open. libcurl would let it wait, too, but at times until another request is answered, and the time that the
// sender allows for the answer would run meanwhile.
//
// Cleartext HTTP/2 needs care: libcurl 7.88 starts HTTP/2 anew on a connection that
// already speaks it whenever a request asks for prior knowledge, which breaks the
// connection. So prior knowledge is asked for only together with a fresh
// connection, and every other request just joins one. When libcurl then wants to
// open a connection for such a request after all (the old one had gone), it is not
// allowed to, and the request is sent again with a fresh one as soon as there may be another.
#include "command/simulate.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define ANSWER_MAX 511

enum slot_header {
    HEADER_CONTENT_TYPE,
    HEADER_USER_AGENT,
    HEADER_ACCEPT_ENCODING,
    HEADER_EXPECT,
    HEADER_AUTHORIZATION,
    HEADER_DELIVERY_ID,
    HEADER_EVENT_ID,
    HEADER_EVENT_CODE,
    HEADER_PROVIDER,
    HEADER_RETRY_COUNT,
    HEADER_SIGNATURE,
    HEADER_KEY_PATH = HEADER_SIGNATURE + PROOF_PAIRS,
    HEADER_COUNT = HEADER_KEY_PATH + PROOF_PAIRS
};

/* What a request has to do with its connection. */
enum slot_way {
    SLOT_JOINS,    /* takes one that is there; over HTTP/1.1, what libcurl sees fit */
    SLOT_OPENS,    /* is going to open one */
    SLOT_CONNECTS, /* has opened it, and it is not ready yet */
    SLOT_WAYS
};

/* One request under way at a time. */
struct slot {
    struct slot *next; /* in the list of free or of parked ones */
    struct client *client;
    CURL *easy;
    struct delivery delivery;
    bool busy;
    enum slot_way way;
    bool wanted_socket; /* for a new connection, and was not allowed to */
    char *body;
    /* Linked anew for each attempt; the texts are patched in place. */
    struct curl_slist headers[HEADER_COUNT];
    char delivery_id[64], event_id[64], event_code[256], provider[96], retry_count[48];
    struct proof_line *authorization;   /* held while the attempt is under way */
    struct proof_signature *signatures; /* NULL: nothing is signed */
    size_t answer_len;
    char answer[ANSWER_MAX + 1];
};

struct client {
    const struct simulate_options *options;
    const struct generator *generator;
    CURLM *multi;
    int epoll;
    bool http2, h2c;
    size_t streams;         /* at most on one connection */
    size_t sockets;         /* open */
    size_t ways[SLOT_WAYS]; /* requests by what they have to do with theirs */
    bool denied;            /* libcurl found no place where we saw one; until something has changed */
    struct slot *slots, *free_slots;
    struct slot *parked; /* requests that were denied one, and may not open a connection now */
    size_t in_flight;
    uint64_t due_us;
    uint64_t attempts; /* for the delivery ids */
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
    struct client *client = data;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(client->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what != CURL_POLL_OUT)
        event.events |= EPOLLIN;
    if (what != CURL_POLL_IN)
        event.events |= EPOLLOUT;
    if (known == NULL)
        curl_multi_assign(client->multi, fd, client); /* any pointer: the socket is known now */
    return epoll_ctl(client->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

static int on_timer(CURLM *multi, long timeout_ms, void *data)
{
    struct client *client = data;
    (void)multi;
    client->due_us = timeout_ms < 0 ? CLIENT_NEVER : clock_monotonic_us() + (uint64_t)timeout_ms * 1000;
    return 0;
}

static size_t on_answer(char *data, size_t size, size_t count, void *userdata)
{
    struct slot *slot = userdata;
    size_t total = size * count, room = ANSWER_MAX - slot->answer_len;
    size_t taken = total < room ? total : room;
    memcpy(slot->answer + slot->answer_len, data, taken);
    slot->answer_len += taken;
    return total;
}

static void slot_set_way(struct slot *slot, enum slot_way way)
{
    slot->client->ways[slot->way]--;
    slot->way = way;
    slot->client->ways[way]++;
}

static curl_socket_t on_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct slot *slot = data;
    (void)purpose;
    if (slot->client->http2 && slot->way == SLOT_JOINS) {
        slot->wanted_socket = true;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    slot->client->sockets++;
    slot_set_way(slot, SLOT_CONNECTS);
    return fd;
}

static int on_close(void *data, curl_socket_t fd)
{
    struct client *client = data;
    client->sockets--;
    return close(fd);
}

/* The connection is there, the request goes out. */
static int on_ready(void *data, char *peer, char *local, int peer_port, int local_port)
{
    struct slot *slot = data;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    slot_set_way(slot, SLOT_JOINS);
    slot->client->denied = false;
    return CURL_PREREQFUNC_OK;
}

static bool slot_init(struct client *client, struct slot *slot)
{
    const struct simulate_options *options = client->options;
    slot->client = client;
    if (client->generator != NULL) {
        slot->body = malloc(generator_body_max(client->generator, options->batch));
        if (slot->body == NULL)
            return false;
    }
    if (proof_signature_count(options->proof) > 0) {
        slot->signatures = calloc(PROOF_PAIRS, sizeof *slot->signatures);
        if (slot->signatures == NULL)
            return false;
    }
    CURL *easy = slot->easy = curl_easy_init();
    if (easy == NULL)
        return false;
    long version = options->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    long verify = options->insecure ? 0L : 1L;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, options->url) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->rule->timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2) == CURLE_OK;
    if (options->ca != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca) == CURLE_OK;
    const struct proof_options *proof = &options->proof_options;
    if (proof->cert != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_SSLCERT, proof->cert) == CURLE_OK;
    if (proof->cert_key != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_SSLKEY, proof->cert_key) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PRIVATE, slot) == CURLE_OK;
    return ok;
}

struct client *client_create(const struct simulate_options *options, const struct generator *generator,
                             int epoll)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->options = options;
    client->generator = generator;
    client->epoll = epoll;
    client->http2 = options->http2;
    client->h2c = options->http2 && !options->https;
    client->streams = (options->concurrency + options->connections - 1) / options->connections;
    client->due_us = CLIENT_NEVER;
    client->multi = curl_multi_init();
    client->slots = calloc(options->concurrency, sizeof *client->slots);
    if (client->multi == NULL || client->slots == NULL)
        goto fail;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)client->streams);
    for (size_t i = options->concurrency; i-- > 0;) {
        if (!slot_init(client, &client->slots[i]))
            goto fail;
        client->slots[i].next = client->free_slots;
        client->free_slots = &client->slots[i];
    }
    return client;
fail:
    client_free(client);
    return NULL;
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    for (size_t i = 0; client->slots != NULL && i < client->options->concurrency; i++) {
        struct slot *slot = &client->slots[i];
        if (slot->busy)
            curl_multi_remove_handle(client->multi, slot->easy);
        curl_easy_cleanup(slot->easy);
        proof_line_release(slot->authorization);
        free(slot->signatures);
        free(slot->body);
    }
    curl_multi_cleanup(client->multi);
    free(client->slots);
    free(client);
}

/* Whether a connection that is ready has a place left. */
static bool has_place(const struct client *client)
{
    size_t connecting = client->ways[SLOT_CONNECTS];
    size_t ready = client->sockets > connecting ? client->sockets - connecting : 0;
    return !client->denied && client->ways[SLOT_JOINS] < ready * client->streams;
}

static bool may_start(const struct client *client)
{
    const size_t *ways = client->ways;
    size_t limit = client->options->connections;
    if (!client->http2)
        return client->in_flight < limit;
    /* With nothing under way, what is open is of no use to libcurl, and will not change. */
    return has_place(client) || client->sockets + ways[SLOT_OPENS] < limit ||
           ways[SLOT_JOINS] + ways[SLOT_OPENS] + ways[SLOT_CONNECTS] == 0;
}

bool client_is_full(const struct client *client)
{
    return client->free_slots == NULL || client->parked != NULL || !may_start(client);
}

size_t client_in_flight(const struct client *client)
{
    return client->in_flight;
}

/* Puts one header at the end of the list. `line` must outlive the attempt; curl
 * only reads it, although curl_slist wants a char *. */
static void slot_header(struct slot *slot, struct curl_slist **tail, size_t which, const char *line)
{
    struct curl_slist *node = &slot->headers[which];
    node->data = (char *)(uintptr_t)line;
    node->next = NULL;
    if (*tail != NULL)
        (*tail)->next = node;
    *tail = node;
}

static void slot_set_headers(struct client *client, struct slot *slot, const struct body_facts *facts)
{
    const struct simulate_options *options = client->options;
    struct curl_slist *tail = NULL;
    bool adobe_io = options->rule->sender == SENDER_ADOBE_IO;

    slot_header(slot, &tail, HEADER_CONTENT_TYPE, "content-type: application/json; charset=utf-8");
    slot_header(slot, &tail, HEADER_USER_AGENT, adobe_io ? "user-agent: Adobe/1.0" : "user-agent: Marketo");
    slot_header(slot, &tail, HEADER_EXPECT, "expect:"); /* none: curl would ask before large bodies */
    slot->authorization = proof_hold_authorization(options->proof);
    if (slot->authorization != NULL)
        slot_header(slot, &tail, HEADER_AUTHORIZATION, slot->authorization->text);
    if (adobe_io) {
        char uuid[UUID_LENGTH];
        slot_header(slot, &tail, HEADER_ACCEPT_ENCODING, "accept-encoding: deflate,compress,identity");
        generator_uuid(~options->content.seed, client->attempts++, uuid);
        snprintf(slot->delivery_id, sizeof slot->delivery_id, "x-adobe-delivery-id: %.*s", UUID_LENGTH, uuid);
        slot_header(slot, &tail, HEADER_DELIVERY_ID, slot->delivery_id);
        snprintf(slot->event_id, sizeof slot->event_id, "x-adobe-event-id: %s", facts->event_id);
        slot_header(slot, &tail, HEADER_EVENT_ID, slot->event_id);
        if (facts->event_code != NULL) {
            snprintf(slot->event_code, sizeof slot->event_code, "x-adobe-event-code: %s", facts->event_code);
            slot_header(slot, &tail, HEADER_EVENT_CODE, slot->event_code);
            snprintf(slot->provider, sizeof slot->provider, "x-adobe-provider: %s", facts->provider);
            slot_header(slot, &tail, HEADER_PROVIDER, slot->provider);
        }
        if (slot->delivery.attempt > 0) {
            snprintf(slot->retry_count, sizeof slot->retry_count, "x-adobe-retry-count: %u",
                     slot->delivery.attempt);
            slot_header(slot, &tail, HEADER_RETRY_COUNT, slot->retry_count);
        }
        for (size_t i = 0; i < proof_signature_count(options->proof); i++) {
            slot_header(slot, &tail, HEADER_SIGNATURE + i, slot->signatures[i].signature);
            slot_header(slot, &tail, HEADER_KEY_PATH + i, slot->signatures[i].path);
        }
    }
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, &slot->headers[HEADER_CONTENT_TYPE]);
}

/* Hands the slot's request to libcurl. Opens another connection as soon as those that are ready have no place
 * left. */
static bool slot_start(struct client *client, struct slot *slot)
{
    bool opens = client->http2 && !has_place(client);
    slot->answer_len = 0;
    slot->wanted_socket = false;
    curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, opens ? 1L : 0L);
    if (client->h2c) {
        long version = opens ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2_0;
        curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, version);
    }
    slot->way = opens ? SLOT_OPENS : SLOT_JOINS;
    client->ways[slot->way]++;
    if (curl_multi_add_handle(client->multi, slot->easy) == CURLM_OK)
        return true;
    client->ways[slot->way]--;
    return false;
}

static void start_parked(struct client *client)
{
    while (client->parked != NULL && may_start(client)) {
        struct slot *slot = client->parked;
        slot->delivery.sent_us = clock_monotonic_us();
        if (!slot_start(client, slot))
            return;
        client->parked = slot->next;
    }
}

bool client_send(struct client *client, struct delivery delivery)
{
    const struct simulate_options *options = client->options;
    struct slot *slot = client->free_slots;
    struct body_facts facts = {.event_code = NULL};
    struct slice body;

    slot->delivery = delivery;
    if (client->generator != NULL) {
        size_t len = generator_write(client->generator, delivery.first, delivery.events, delivery.created_ms,
                                     options->batch == 1, slot->body, &facts);
        body = (struct slice){slot->body, len};
    } else {
        body = options->bodies[delivery.first];
        generator_uuid(options->content.seed, delivery.first, facts.event_id);
        facts.event_id[UUID_LENGTH] = '\0';
    }
    if (!proof_sign(options->proof, body, slot->signatures))
        return false;
    slot_set_headers(client, slot, &facts);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body.ptr);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    if (!slot_start(client, slot)) {
        proof_line_release(slot->authorization);
        slot->authorization = NULL;
        return false;
    }
    client->free_slots = slot->next;
    slot->busy = true;
    client->in_flight++;
    return true;
}

void client_take_event(struct client *client, int fd, uint32_t events)
{
    int what = 0, running;
    if ((events & EPOLLIN) != 0)
        what |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0)
        what |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(client->multi, fd, what, &running);
}

uint64_t client_due_us(const struct client *client)
{
    return client->due_us;
}

void client_run_timers(struct client *client)
{
    int running;
    if (client->due_us > clock_monotonic_us())
        return;
    client->due_us = CLIENT_NEVER;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

bool client_next_result(struct client *client, struct client_result *result)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct slot *slot = NULL;
        CURLcode code = message->data.result;
        long version = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        *result = (struct client_result){.delivery = slot->delivery, .no_answer = ""};
        if (code == CURLE_OK) {
            curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &result->status);
            curl_easy_getinfo(slot->easy, CURLINFO_HTTP_VERSION, &version);
        } else {
            result->no_answer = curl_easy_strerror(code);
        }
        curl_multi_remove_handle(client->multi, slot->easy);
        client->ways[slot->way]--;
        client->denied = code != CURLE_OK && slot->wanted_socket;
        if (client->denied) {
            slot->next = client->parked;
            client->parked = slot;
            continue;
        }
        proof_line_release(slot->authorization);
        slot->authorization = NULL;
        slot->answer[slot->answer_len] = '\0';
        result->answer = slot->answer;
        result->http2 = version == CURL_HTTP_VERSION_2_0;
        if (code == CURLE_OK && !result->http2)
            client->streams = 1; /* whatever was hoped for */
        slot->busy = false;
        slot->next = client->free_slots;
        client->free_slots = slot;
        client->in_flight--;
        return true;
    }
    start_parked(client);
    return false;
}
