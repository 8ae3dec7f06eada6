/* json_build.c: trees of JSON: building them. SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "json_index.h"
#include <math.h>

struct stoa_json *json_node(struct stoa_arena *arena, uint8_t kind)
{
    struct stoa_json *json = arena_take(arena, sizeof(*json));

    *json = (struct stoa_json){.kind = kind};
    return json;
}

static struct stoa_json *container_node(struct stoa_arena *arena, stoa_json_kind kind)
{
    struct stoa_json *json = json_node(arena, (uint8_t)kind);
    json->arena = arena;
    return json;
}

struct stoa_json *stoa_json_object(struct stoa_arena *arena)
{
    return container_node(arena, STOA_JSON_OBJECT);
}

struct stoa_json *stoa_json_array(struct stoa_arena *arena)
{
    return container_node(arena, STOA_JSON_ARRAY);
}

struct stoa_json *stoa_json_new_null(struct stoa_arena *arena)
{
    return json_node(arena, STOA_JSON_NULL);
}

struct stoa_json *stoa_json_new_bool(struct stoa_arena *arena, bool v)
{
    struct stoa_json *json = json_node(arena, STOA_JSON_BOOL);
    json->i = v;
    return json;
}

struct stoa_json *stoa_json_new_int(struct stoa_arena *arena, int64_t v)
{
    struct stoa_json *json = json_node(arena, STOA_JSON_INT);
    json->i = v;
    return json;
}

struct stoa_json *stoa_json_new_real(struct stoa_arena *arena, double v)
{
    stoa_assert(isfinite(v)); /* JSON has no word for the others */
    struct stoa_json *json = json_node(arena, STOA_JSON_REAL);
    json->r = v;
    return json;
}

struct stoa_json *stoa_json_new_str(struct stoa_arena *arena, stoa_str v)
{
    struct stoa_json *json = json_node(arena, STOA_JSON_STRING);
    json->s = stoa_str_copy(arena, v);
    return json;
}

void json_append(struct stoa_json *container, struct stoa_json *value)
{
    value->is_placed = true;
    if (container->last)
        container->last->next = value;
    else
        container->first = value;
    container->last = value;
    container->count++;
    json_index_append(container, value);
}

static void append_member(struct stoa_json *object, stoa_str name, struct stoa_json *value)
{
    value->name = name;
    json_append(object, value);
}

bool json_add_member(struct stoa_json *object, stoa_str name, struct stoa_json *value)
{
    if (stoa_json_member(object, name))
        return false;
    append_member(object, name, value);
    return true;
}

/* Puts value where the member of that name stood, which is nowhere afterwards. */
static void replace(struct stoa_json *object, stoa_str name, struct stoa_json *value)
{
    struct stoa_json *old = object->first, *before = NULL;
    uint32_t position = 0;

    for (; !stoa_str_eq(old->name, name); before = old, old = old->next)
        position++;
    value->is_placed = true;
    value->name = old->name;
    value->next = old->next;
    if (before)
        before->next = value;
    else
        object->first = value;
    if (object->last == old)
        object->last = value;
    if (object->index)
        object->index->items[position] = value;
    old->is_placed = false;
    old->next = NULL;
}

struct stoa_json *stoa_json_set(struct stoa_json *object, const char *name, struct stoa_json *value)
{
    stoa_str given = stoa_str_of(name);

    stoa_assert(object && object->kind == STOA_JSON_OBJECT);
    stoa_assert(name && value && !value->is_placed && value != object);
    if (stoa_json_member(object, given))
        replace(object, given, value);
    else
        append_member(object, stoa_str_copy(object->arena, given), value);
    return value;
}

void json_set_shared(struct stoa_json *object, stoa_str name, stoa_str v)
{
    struct stoa_json *value = json_node(object->arena, STOA_JSON_STRING);

    stoa_assert(object->kind == STOA_JSON_OBJECT);
    value->s = v;
    if (stoa_json_member(object, name))
        replace(object, name, value);
    else
        append_member(object, name, value);
}

void stoa_json_set_str(struct stoa_json *object, const char *name, stoa_str v)
{
    stoa_json_set(object, name, stoa_json_new_str(object->arena, v));
}

struct stoa_json *stoa_json_new_money(struct stoa_arena *arena, stoa_money v)
{
    struct stoa_json *json = stoa_json_object(arena);

    append_member(json, STOA_STR("amount"), stoa_json_new_int(arena, v.minor));
    append_member(json, STOA_STR("currency"), stoa_json_new_str(arena, stoa_str_of(v.cur)));
    return json;
}

void stoa_json_set_int(struct stoa_json *object, const char *name, int64_t v)
{
    stoa_json_set(object, name, stoa_json_new_int(object->arena, v));
}

void stoa_json_set_bool(struct stoa_json *object, const char *name, bool v)
{
    stoa_json_set(object, name, stoa_json_new_bool(object->arena, v));
}

void stoa_json_set_money(struct stoa_json *object, const char *name, stoa_money v)
{
    stoa_json_set(object, name, stoa_json_new_money(object->arena, v));
}

struct stoa_json *stoa_json_push(struct stoa_json *array, struct stoa_json *value)
{
    stoa_assert(array && array->kind == STOA_JSON_ARRAY);
    stoa_assert(value && !value->is_placed && value != array);
    json_append(array, value);
    return value;
}

static struct stoa_json *copy(struct stoa_arena *arena, const struct stoa_json *json,
                              uint32_t depth)
{
    if (json->kind == STOA_JSON_STRING)
        return stoa_json_new_str(arena, json->s);
    stoa_json_kind kind = stoa_json_type(json);
    if (kind != STOA_JSON_ARRAY && kind != STOA_JSON_OBJECT) {
        struct stoa_json *same = json_node(arena, json->kind);
        same->i = json->i; /* a double's bits too: they share the place */
        return same;
    }
    stoa_assert(depth < JSON_BUILT_DEPTH_MAX);
    struct stoa_json *container = container_node(arena, kind);
    for (const struct stoa_json *e = stoa_json_first(json); e; e = e->next) {
        struct stoa_json *twin = copy(arena, e, depth + 1);
        if (kind == STOA_JSON_OBJECT)
            twin->name = stoa_str_copy(arena, e->name);
        json_append(container, twin);
    }
    return container;
}

struct stoa_json *stoa_json_copy(struct stoa_arena *arena, const struct stoa_json *json)
{
    return json ? copy(arena, json, 0) : stoa_json_new_null(arena);
}
