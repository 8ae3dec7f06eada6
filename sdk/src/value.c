/* value.c: tagged values as JSON. SPDX-License-Identifier: Apache-2.0 */
#include <stoa/value.h>

static struct stoa_json *json_of(struct stoa_arena *arena, const stoa_value *value)
{
    switch (value->kind) {
    case STOA_V_BOOL:
        return stoa_json_new_bool(arena, value->i != 0);
    case STOA_V_INT:
        return stoa_json_new_int(arena, value->i);
    case STOA_V_STR:
        return stoa_json_new_str(arena, value->s);
    case STOA_V_MONEY:
        return stoa_json_new_money(arena, value->m);
    case STOA_V_JSON:
        return stoa_json_copy(arena, value->j); /* it may have a parent already */
    default:
        return stoa_json_new_null(arena);
    }
}

struct stoa_json *stoa_json_fields(struct stoa_arena *arena, struct stoa_fields fields)
{
    struct stoa_json *object = stoa_json_object(arena);

    for (uint32_t i = 0; i < fields.count; i++)
        stoa_json_set(object, fields.ptr[i].name, json_of(arena, &fields.ptr[i].value));
    return object;
}
