// SPDX-License-Identifier: Apache-2.0
//
// The suites of the unit tests, one per file. One list declares them and is what main.c
// runs: a suite that is not in it does not compile, since its function has no prototype.
#ifndef TESTS_UNIT_SUITES_H
#define TESTS_UNIT_SUITES_H

#include <check.h>

// clang-format off
#define SUITES(X)                                                                                           \
    X(arena)                                                                                                \
    X(auth)                                                                                                 \
    X(catalog)                                                                                              \
    X(certificate)                                                                                          \
    X(config)                                                                                               \
    X(config_auth)                                                                                          \
    X(config_errors)                                                                                        \
    X(config_reload)                                                                                        \
    X(dead_letter)                                                                                          \
    X(delivery)                                                                                             \
    X(epoch)                                                                                                \
    X(flow)                                                                                                 \
    X(event_time)                                                                                           \
    X(fetch)                                                                                                \
    X(generations)                                                                                          \
    X(guard)                                                                                                \
    X(head_count)                                                                                           \
    X(http1_head)                                                                                           \
    X(inflate)                                                                                              \
    X(introspection)                                                                                        \
    X(introspection_cache)                                                                                  \
    X(issuer)                                                                                               \
    X(json)                                                                                                 \
    X(jwks)                                                                                                 \
    X(jwt)                                                                                                  \
    X(key_store)                                                                                            \
    X(log)                                                                                                  \
    X(memory)                                                                                               \
    X(metrics)                                                                                              \
    X(published_names)                                                                                      \
    X(recipients)                                                                                           \
    X(record)                                                                                               \
    X(routes)                                                                                               \
    X(routes_errors)                                                                                        \
    X(samples)                                                                                              \
    X(shape)                                                                                                \
    X(signature)                                                                                            \
    X(simulate)                                                                                             \
    X(simulate_proof)                                                                                       \
    X(topics)                                                                                               \
    X(validation)                                                                                           \
    X(verify)                                                                                               \
    X(watch)
// clang-format on

#define SUITE_PROTOTYPE(name) Suite *suite_##name(void);
SUITES(SUITE_PROTOTYPE)

#endif
