/* What a sandbox may send: frames, its description, a handler's end, and every question. Nothing
 * that is malformed does anything, and no question of a plugin without grants gets past them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "plugin/world.h"
#include "port/describe.h"
#include "port/message.h"
#include "port/port.h"
#include "port/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frames(stoa_str bytes)
{
    struct wire_frame frame;
    int64_t taken = 1;

    while (taken > 0) {
        taken = wire_parse(bytes, wire_max_of_host, &frame);
        stoa_assert(taken <= (int64_t)bytes.len);
        if (taken <= 0)
            return;
        stoa_assert(frame.body.len <= wire_max_of_host(frame.kind));
        bytes = stoa_str_sub(bytes, (uint64_t)taken, UINT64_MAX);
    }
}

static void description(struct stoa_arena *arena, stoa_str bytes)
{
    struct decoder in = {.arena = arena, .rest = bytes}, again = {.arena = arena};
    struct stoa_plugin_v1 desc, twice;
    struct stoa_buf out;
    bool has_cool;

    get_description(&in, &desc, &has_cool);
    if (in.broken)
        return;
    stoa_buf_init(&out, arena, 256);
    put_description(&out, &desc);
    again.rest = stoa_buf_str(&out);
    get_description(&again, &twice, &has_cool);
    stoa_assert(!again.broken && twice.routes.count == desc.routes.count);
}

static void question(struct stoa_arena *arena, stoa_str bytes, uint32_t kind)
{
    static struct generation nobody = {.name = "nobody", .is_confined = true};
    static struct world world;
    struct stoa_instance instance = {.generation = &nobody};
    struct stoa_req host = {.arena = arena,
                            .world = &world,
                            .instance = &instance,
                            .port = &port_local,
                            .plugin_name = "nobody",
                            .route_path = ""};
    struct stoa_buf answer;

    if (kind == MESSAGE_SLEEP)
        return; /* it would */
    stoa_buf_init(&answer, arena, 64);
    if (!message_serve(&host, kind, bytes, &answer))
        return;
    stoa_assert(answer.len >= 4);
    stoa_assert(kind == MESSAGE_LOG || kind == MESSAGE_FAULT || answer.ptr[0] != STOA_OK ||
                kind == MESSAGE_TX_END);
}

static void reply(struct stoa_arena *arena, stoa_str bytes)
{
    struct stoa_req host = {.arena = arena};
    stoa_err err;

    if (get_end(&host, bytes, &err))
        stoa_assert(err < STOA_E_COUNT && host.reply.body.len <= REQUEST_REPLY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str bytes = {(const char *)data + 1, size - 1};

    log_init(-1, LOG_JSON, STOA_ERROR);
    if (size > 0 && data[0] < MESSAGE_END)
        question(arena, bytes, data[0]);
    else if (size > 0 && data[0] % 3 == 0)
        frames(bytes);
    else if (size > 0 && data[0] % 3 == 1)
        description(arena, bytes);
    else if (size > 0)
        reply(arena, bytes);
    stoa_arena_destroy(arena);
    return 0;
}
