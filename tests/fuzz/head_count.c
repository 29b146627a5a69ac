// SPDX-License-Identifier: Apache-2.0
//
// HTTP/2 heads: head_count_feed against h2o's own decoder. Of whatever that takes for a head at least as many
// fields are counted as it has kept; and how the head is cut into frames makes no difference.
#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

#include "fuzz.h"
#include "server/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = data[0] == 0 ? 256 : data[0];
    struct slice head = {(const char *)data + 1, size - 1};
    struct head_count whole = {.state = HEAD_FIELD}, pieces = {.state = HEAD_FIELD};
    head_count_feed(&whole, head);
    for (size_t at = 0; at < head.len; at += piece)
        head_count_feed(&pieces,
                        (struct slice){head.ptr + at, head.len - at < piece ? head.len - at : piece});
    fuzz_check(whole.fields == pieces.fields && whole.state == pieces.state && whole.left == pieces.left);
    fuzz_check(whole.fields <= head.len);

    h2o_req_t req;
    memset(&req, 0, sizeof req);
    h2o_mem_init_pool(&req.pool);
    h2o_hpack_header_table_t table = {.hpack_capacity = 4096, .hpack_max_capacity = 4096};
    int pseudo = 0;
    size_t length;
    const char *error = NULL;
    int result = h2o_hpack_parse_headers(&req, &table, (const uint8_t *)head.ptr, head.len, &pseudo, &length,
                                         NULL, &error);
    size_t kept = req.headers.size + (req.input.method.base != NULL) + (req.input.path.base != NULL) +
                  (req.input.authority.base != NULL) + (req.input.scheme != NULL) + (length != SIZE_MAX);
    fuzz_check(whole.fields >= kept);
    fuzz_check(result != 0 || whole.state == HEAD_FIELD);
    h2o_hpack_dispose_header_table(&table);
    h2o_mem_clear_pool(&req.pool);
    return 0;
}
