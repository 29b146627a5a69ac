// SPDX-License-Identifier: Apache-2.0
//
// Looks at every HTTP/2 frame before h2o has it: h2o 2.2.5 takes any number of header fields, of frames that
// bring nothing, and of resets. It reads whatever the socket holds at once, megabytes of it, so the guard's
// tick alone would come too late. Runs on the loop thread.
//
// h2o keeps the function that takes the next frame in the connection, and sets it anew as heads begin and
// end; ours stands in its place and calls it.
#include "server/connection.h"

/* Fields of a head, with :method, :scheme, :authority and :path. */
#define FIELDS_MAX (HEADERS_MAX + 4)

/* Bytes of a head before they are decoded. */
#define HEAD_MAX (64 * 1024)

/* Frames that bring nothing: a PING now and then, the acknowledgement of settings, window updates for
 * answers. An honest client has some for each request. So many at once, so many more with each request and
 * tick. */
#define IDLE_MAX 2000
#define IDLE_PER_REQUEST 4
#define IDLE_PER_TICK 25

/* Requests that a client takes back, and those that h2o resets for a mistake of the peer's. */
#define RESETS_MAX 1000
#define RESETS_PER_TICK 5

/* DATA and CONTINUATION with less than this are counted, too: a body or a head byte by byte. The last frame
 * is not. */
#define SMALL 64

/* The same for DATA that comes after the end of its stream. */
#define SMALL_LATE 1024

/* What h2o takes at most; it refuses more. */
#define FRAME_MAX 16384

static unsigned less(unsigned count, unsigned by)
{
    return count > by ? count - by : 0;
}

/* HEADERS without its padding and priority; false when that is not well formed, which is h2o's to refuse. */
static bool head_in(const uint8_t *payload, size_t length, uint8_t flags, struct slice *head)
{
    size_t before = 0, after = 0;
    if ((flags & H2O_HTTP2_FRAME_FLAG_PADDED) != 0) {
        if (length == 0)
            return false;
        after = payload[0];
        before = 1;
    }
    if ((flags & H2O_HTTP2_FRAME_FLAG_PRIORITY) != 0)
        before += 5;
    if (before + after > length)
        return false;
    *head = (struct slice){(const char *)payload + before, length - before - after};
    return true;
}

/* False: too much. */
static bool take_head(struct frames *frames, struct slice bytes)
{
    frames->head_bytes += bytes.len;
    head_count_feed(&frames->head, bytes);
    return frames->head_bytes <= HEAD_MAX && frames->head.fields <= FIELDS_MAX;
}

static uint32_t stream_id_in(const uint8_t *src)
{
    return (uint32_t)(src[5] & 0x7f) << 24 | (uint32_t)src[6] << 16 | (uint32_t)src[7] << 8 | src[8];
}

/* The peer has been told that its stream is not taken. What it sent of a body does not use up the window of
 * those that are (RFC 9113 section 6.8). */
static bool is_not_taken(struct frames *frames, h2o_http2_conn_t *http2, const uint8_t *src, size_t length)
{
    if (!frames->last_is_told || stream_id_in(src) <= frames->last_stream_id)
        return false;
    if (src[3] == H2O_HTTP2_FRAME_TYPE_DATA && length > 0) {
        h2o_http2_encode_window_update_frame(&http2->_write.buf, 0, (int32_t)length);
        h2o_http2_conn_request_write(http2);
    }
    return true;
}

/* DATA for a stream that has ended: h2o says so each time, and that is all. Of a body that is too large,
 * thousands of frames can be on their way when h2o resets the stream. */
static bool comes_too_late(h2o_http2_conn_t *http2, const uint8_t *src)
{
    return src[3] == H2O_HTTP2_FRAME_TYPE_DATA && h2o_http2_conn_get_stream(http2, stream_id_in(src)) == NULL;
}

/* False: the connection has been cut. */
static bool take_frame(struct connection *connection, const uint8_t *src, size_t length, bool too_late)
{
    struct frames *frames = &connection->frames;
    const uint8_t type = src[3], flags = src[4];
    struct slice head = {(const char *)src + H2O_HTTP2_FRAME_HEADER_SIZE, length};
    bool good = true;
    switch (type) {
    case H2O_HTTP2_FRAME_TYPE_HEADERS:
        frames->head = (struct head_count){.state = HEAD_FIELD};
        frames->head_bytes = 0;
        frames->idle = less(frames->idle, IDLE_PER_REQUEST);
        good = !head_in(src + H2O_HTTP2_FRAME_HEADER_SIZE, length, flags, &head) || take_head(frames, head);
        break;
    case H2O_HTTP2_FRAME_TYPE_CONTINUATION:
        good = take_head(frames, head);
        frames->idle += length < SMALL && (flags & H2O_HTTP2_FRAME_FLAG_END_HEADERS) == 0;
        break;
    case H2O_HTTP2_FRAME_TYPE_DATA:
        if (too_late)
            frames->idle += length < SMALL_LATE;
        else
            frames->idle += length < SMALL && (flags & H2O_HTTP2_FRAME_FLAG_END_STREAM) == 0;
        guard_arrived(connection->loop, length);
        break;
    case H2O_HTTP2_FRAME_TYPE_RST_STREAM:
        frames->resets++;
        break;
    default:
        frames->idle++;
    }
    if (!good)
        guard_cut(connection, GUARD_HEADERS);
    else if (frames->idle > IDLE_MAX || frames->resets > RESETS_MAX)
        guard_cut(connection, GUARD_FRAMES);
    return !connection->cut;
}

/* Streams that h2o has reset for their peer's fault, on all connections of the loop. */
static uint64_t faults(const h2o_http2_conn_t *http2)
{
    const uint64_t *errors = http2->super.ctx->http2.events.protocol_level_errors;
    return errors[-H2O_HTTP2_ERROR_PROTOCOL] + errors[-H2O_HTTP2_ERROR_FLOW_CONTROL] +
           errors[-H2O_HTTP2_ERROR_STREAM_CLOSED];
}

static ssize_t on_frame(h2o_http2_conn_t *http2, const uint8_t *src, size_t size, const char **err_desc)
{
    struct connection *connection = guard_connection_of(http2->sock);
    struct frames *frames = &connection->frames;
    if (connection->cut) /* for this frame or an earlier one */
        return H2O_HTTP2_ERROR_PROTOCOL_CLOSE_IMMEDIATELY;
    bool too_late = false;
    if (size >= H2O_HTTP2_FRAME_HEADER_SIZE) {
        size_t length = (size_t)src[0] << 16 | (size_t)src[1] << 8 | src[2];
        /* The connection preface would be a frame that is too long. */
        if (length <= FRAME_MAX && size - H2O_HTTP2_FRAME_HEADER_SIZE >= length) {
            too_late = comes_too_late(http2, src);
            if (!take_frame(connection, src, length, too_late))
                return H2O_HTTP2_ERROR_PROTOCOL_CLOSE_IMMEDIATELY;
            /* Frames of unknown kinds are to be ignored (RFC 9113 section 4.1); h2o prints a line for each.
             */
            if (http2->_headers_unparsed == NULL &&
                (src[3] > H2O_HTTP2_FRAME_TYPE_CONTINUATION || is_not_taken(frames, http2, src, length)))
                return (ssize_t)(H2O_HTTP2_FRAME_HEADER_SIZE + length);
        }
    }
    uint64_t before = faults(http2);
    ssize_t result = frames->expect(http2, src, size, err_desc);
    frames->begun = frames->begun || result > 0;
    if (!too_late)
        frames->resets += (unsigned)(faults(http2) - before);
    if (http2->_read_expect != on_frame) {
        frames->expect = http2->_read_expect;
        http2->_read_expect = on_frame;
    }
    return result;
}

void frames_watch(struct connection *connection, h2o_http2_conn_t *http2)
{
    connection->frames.expect = http2->_read_expect;
    http2->_read_expect = on_frame;
}

void frames_tick(struct connection *connection)
{
    struct frames *frames = &connection->frames;
    frames->idle = less(frames->idle, IDLE_PER_TICK);
    frames->resets = less(frames->resets, RESETS_PER_TICK);
}
