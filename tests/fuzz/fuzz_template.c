/* Templates as hostile as can be: compiling and rendering them stays inside its limits and its
 * memory, and a value never leaves the quotes or tags it was written in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "theme/theme.h"
#include <stdlib.h>

/* No template writes these quotes by chance, and no value may bring them out unescaped. */
#define MARK "qz\"'\"'\"'"

static const char data_text[] =
    "{\"x\": \"<qz\\\"'\\\"'\\\"'>\", \"n\": 3, \"r\": 1.5, \"t\": \"2026-11-22T17:44:35Z\","
    "\"u\": \"javascript:alert(1)\", \"p\": {\"a\": [1, \"two\", {\"b\": null}], \"c_html\": "
    "\"<b>\"}, \"m\": {\"amount\": 1999, \"currency\": \"EUR\"}, \"l\": [{\"k\": 2, \"v\": "
    "\"x\"}, {\"k\": 1, \"v\": \"y\"}, {\"k\": 2, \"v\": \"z\"}]}";

static const struct theme_limits limits = {
    .fuel = 5000, .output_max = 65536, .memory_max = 1 << 20, .depth_max = 4, .loop_max = 50};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str source = {(const char *)bytes, len};
    const struct stoa_json *data;
    struct stoa_buf out;
    struct diag diag;

    if (stoa_json_parse(arena, stoa_str_of(data_text), NULL, &data) != STOA_OK)
        abort();
    stoa_buf_init(&out, arena, 1024);
    if (theme_render_text(source, data, &limits, &out, &diag) != STOA_OK) {
        if (out.len > 0 || diag.message[0] == 0)
            abort(); /* an error says why, and leaves nothing behind */
    } else if (out.len > limits.output_max || (memmem(out.ptr, out.len, MARK, sizeof(MARK) - 1) &&
                                               !memmem(bytes, len, "\"'\"", 3))) {
        abort();
    }
    stoa_arena_destroy(arena);
    return 0;
}
