// SPDX-License-Identifier: Apache-2.0
//
// Debian's libh2o-evloop-dev ships h2o/http2_internal.h, which the guard reads to see
// the streams' states and buffers, but not the khash.h it includes. The hash tables
// are h2o's own and only ever reached through pointers; these names let the header
// be read and nothing more.
#ifndef BRIDGE_SERVER_COMPAT_KHASH_H
#define BRIDGE_SERVER_COMPAT_KHASH_H

typedef unsigned khiter_t;

#define khash_t(name) struct kh_##name##_s
#define KHASH_MAP_INIT_INT64(name, value_type)                                                               \
    khash_t(name)                                                                                            \
    {                                                                                                        \
        value_type *values;                                                                                  \
    };
#define kh_get(name, table, key) ((void)(key), (khiter_t)0)
#define kh_end(table) ((void)(table), (khiter_t)0)
#define kh_val(table, at) ((table)->values[at])

#endif
