/* Whatever parses, formats to a text that parses to an equal tree and formats to the same text.
 * Whatever does not parse, says where. What is recognised as plain is what the formatter writes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_plain.h"
#include <stoa/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool equal(const struct stoa_json *a, const struct stoa_json *b)
{
    double x = stoa_json_real(a, "", 0), y = stoa_json_real(b, "", 0);

    if (stoa_json_type(a) != stoa_json_type(b) || stoa_json_count(a) != stoa_json_count(b))
        return false;
    if (!stoa_str_eq(stoa_json_name(a), stoa_json_name(b)))
        return false;
    if (!stoa_str_eq(stoa_json_str(a, ""), stoa_json_str(b, "")) || memcmp(&x, &y, sizeof(x)) != 0)
        return false;
    if (stoa_json_int(a, "", 0) != stoa_json_int(b, "", 0) ||
        stoa_json_true(a, "") != stoa_json_true(b, ""))
        return false;
    a = stoa_json_first(a);
    b = stoa_json_first(b);
    for (; a && b; a = stoa_json_next(a), b = stoa_json_next(b))
        if (!equal(a, b))
            return false;
    return !a && !b;
}

static stoa_str format(struct stoa_arena *arena, const struct stoa_json *json)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    stoa_json_format(json, &out);
    return stoa_buf_str(&out);
}

/* Every way of reading finds the same elements. */
static void check_reading(const struct stoa_json *json)
{
    const struct stoa_json *e = stoa_json_first(json);

    for (uint32_t i = 0; i < stoa_json_count(json); i++, e = stoa_json_next(e)) {
        stoa_assert(stoa_json_at(json, i) == e);
        if (stoa_json_type(json) == STOA_JSON_OBJECT)
            stoa_assert(stoa_json_member(json, stoa_json_name(e)) == e);
        check_reading(e);
    }
    stoa_assert(!e);
}

static void check_round_trip(struct stoa_arena *arena, const struct stoa_json *json)
{
    const struct stoa_json *again = NULL;
    struct stoa_json_error error;
    stoa_str text = format(arena, json);

    stoa_assert(stoa_str_is_utf8(text));
    /* What was escaped is longer: only the limit of 1 MiB may come between. */
    if (stoa_json_parse(arena, text, &error, &again) != STOA_OK) {
        stoa_assert(text.len > 1 << 20);
        return;
    }
    stoa_assert(equal(json, again));
    stoa_assert(equal(json, stoa_json_copy(arena, json)));
    stoa_assert(stoa_str_eq(text, format(arena, again)));
}

/* Passed on unread, and read, it is what parsing makes of it. */
static void check_plain(struct stoa_arena *arena, stoa_str text, const struct stoa_json *json)
{
    struct stoa_json *object = stoa_json_object(arena);

    stoa_assert(stoa_str_eq(format(arena, json), text));
    stoa_assert(stoa_json_set_parsed(object, "a", text) == STOA_OK);
    stoa_assert(format(arena, object).len == text.len + 6);
    stoa_assert(equal(json, stoa_json_copy(arena, stoa_json_get(object, "a"))));
    check_reading(stoa_json_get(object, "a"));
    stoa_assert(format(arena, object).len == text.len + 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json_error error = {0};
    const struct stoa_json *json = NULL;
    stoa_str text = {(const char *)data, size};

    if (stoa_json_parse(arena, text, &error, &json) == STOA_OK) {
        check_reading(json);
        check_round_trip(arena, json);
        if (json_is_plain(text))
            check_plain(arena, text, json);
    } else {
        stoa_assert(!json_is_plain(text));
        stoa_assert(!json && error.line && error.column && error.reason[0]);
    }
    stoa_arena_destroy(arena);
    return 0;
}
