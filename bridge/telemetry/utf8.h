// SPDX-License-Identifier: Apache-2.0
//
// One code point of UTF-8 at a time, for texts of strangers that go into the log
// or a metric's label. Pure; any thread.
#ifndef BRIDGE_TELEMETRY_UTF8_H
#define BRIDGE_TELEMETRY_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* Length of the well-formed sequence at the start of `text`, with its code point
 * in *code_point; 0 when there is none (too short, overlong, surrogate, too large). */
static inline size_t utf8_decode(struct slice text, uint32_t *code_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (text.len == 0)
        return 0;
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    uint32_t value = bytes[0];
    size_t length = 1;
    if (value >= 0x80) {
        if (value < 0xC2 || value > 0xF4)
            return 0;
        length = value < 0xE0 ? 2 : value < 0xF0 ? 3 : 4;
        if (text.len < length)
            return 0;
        value &= 0x7Fu >> length;
        for (size_t i = 1; i < length; i++) {
            if ((bytes[i] & 0xC0) != 0x80)
                return 0;
            value = value << 6 | (bytes[i] & 0x3Fu);
        }
        if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
            return 0;
    }
    *code_point = value;
    return length;
}

#define UTF8_REPLACEMENT "\xEF\xBF\xBD"

#endif
