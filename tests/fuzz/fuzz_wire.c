/* What a sandbox may send: frames, its description, a handler's end, and every question. Nothing
 * that is malformed does anything, and no question of a plugin without grants gets past them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "plugin/world.h"
#include "port/describe.h"
#include "port/message.h"
#include "port/port.h"
#include "port/wire.h"
#include "route/route.h"

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

static stoa_err serve_nothing(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

/* Of a plugin that is not there: what is found decides which grant a call needs. */
static struct route_table *few_routes(void)
{
    static const struct stoa_route all[] = {
        {.method = STOA_GET, .path = "/x", .handler = serve_nothing, .permit = STOA_ANYONE},
        {.method = STOA_POST, .path = "/x/{id}", .handler = serve_nothing, .permit = STOA_INTERNAL},
    };
    static struct route_table *table;
    struct diag diag;

    if (table)
        return table;
    table = route_table_create(stoa_arena_create());
    for (uint32_t i = 0; i < 2; i++)
        stoa_assert(route_add(table, &all[i], 0, "nobody", &diag) == STOA_OK);
    return table;
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
    world.routes = few_routes();
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
