/* Whatever the codec reads whole, it writes so that it reads the same again; and it takes no more
 * memory than its input accounts for. SPDX-License-Identifier: Apache-2.0 */
#include "call/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads from in and, when all was well, writes the same to out. */
typedef void (*turn)(struct decoder *in, struct stoa_buf *out);

static void turn_values(struct decoder *in, struct stoa_buf *out)
{
    struct stoa_values v = get_values(in);

    if (!in->broken)
        put_values(out, v);
}

static void turn_fields(struct decoder *in, struct stoa_buf *out)
{
    struct stoa_fields v = get_fields(in);

    if (!in->broken)
        put_fields(out, v);
}

static void turn_rows(struct decoder *in, struct stoa_buf *out)
{
    const struct stoa_rows *v = get_rows(in);

    if (!in->broken)
        put_rows(out, v);
}

static void turn_request(struct decoder *in, struct stoa_buf *out)
{
    struct stoa_req *v = get_request(in);

    if (!in->broken)
        put_request(out, v);
}

static void turn_reply(struct decoder *in, struct stoa_buf *out)
{
    struct request_reply v;

    get_reply(in, &v);
    if (!in->broken)
        put_reply(out, &v);
}

static bool run(turn turn, struct stoa_arena *arena, stoa_str bytes, stoa_str *ret)
{
    struct decoder in = {.arena = arena, .rest = bytes};
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 256);
    turn(&in, &out);
    *ret = stoa_buf_str(&out);
    return !in.broken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const turn turns[] = {turn_values, turn_fields, turn_rows, turn_request, turn_reply};
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str bytes = {(const char *)data + 1, size - 1}, once, twice;

    if (size > 0) {
        turn t = turns[data[0] % (sizeof(turns) / sizeof(*turns))];
        bool whole = run(t, arena, bytes, &once);
        stoa_assert(stoa_arena_used(arena) < 65536 + size * 256);
        if (whole)
            stoa_assert(run(t, arena, once, &twice) && stoa_str_eq(once, twice));
    }
    stoa_arena_destroy(arena);
    return 0;
}
