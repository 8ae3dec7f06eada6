/* The token scan of config.lua, and the schema over any JSON that Lua could have made. Lua itself
 * is not ours to fuzz. SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct scan *scan, stoa_str text)
{
    const struct scan_place *place = scan_find(scan, STOA_STR("plugins.order.days"));

    if (place)
        stoa_assert(place->line > 0 && place->column > 0 &&
                    place->column <= scan_line(text, place->line).len + 1);
}

static void check(struct stoa_arena *arena, const struct scan *scan, stoa_str text)
{
    struct diag diag = {0};
    struct check check = {.arena = arena,
                          .file = "config.lua",
                          .text = text,
                          .scan = scan,
                          .diag = &diag,
                          .secrets = stoa_json_array(arena)};
    const struct stoa_json *given;

    if (stoa_json_parse(arena, text, NULL, &given) != STOA_OK)
        return;
    struct stoa_json *filled = check_fill(&check, given);
    if (check.problems == 0)
        check_relations(&check, filled);
    stoa_assert((check.problems == 0) == (diag.message[0] == '\0'));
}

/* The file is Lua up to the first zero byte and JSON behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str json = {(const char *)data, size}, lua = stoa_str_cut(&json, '\0');
    struct scan *scan = scan_text(arena, lua);

    look_up(scan, lua);
    check(arena, scan, json);
    stoa_arena_destroy(arena);
    return 0;
}
