/* config/tree.c: Lua's value as JSON: keys sorted, so that the same configuration gives the same
 * text. SPDX-License-Identifier: Apache-2.0 */
#include "config/evaluate.h"
#include "config/sandbox.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define STRING_MAX (64 * 1024)

struct walk {
    lua_State *lua;
    struct stoa_arena *arena;
    uint32_t nodes, depth;
    char path[256]; /* where we are, for messages */
};

static struct stoa_json *convert(struct walk *w);

static int fail(struct walk *w, const char *what)
{
    return luaL_error(
        w->lua, "%s %s" SANDBOX_HINT "only strings, numbers, booleans and tables can stand here",
        *w->path ? w->path : "the configuration", what);
}

/* Goes down to name, converts the value on the top of the stack, and comes back. */
static struct stoa_json *convert_below(struct walk *w, stoa_str name)
{
    size_t len = strlen(w->path);
    struct stoa_json *json;

    snprintf(w->path + len, sizeof(w->path) - len, "%s%.*s", len ? "." : "", (int)name.len,
             name.ptr);
    json = convert(w);
    w->path[len] = '\0';
    return json;
}

static int compare(const void *a, const void *b)
{
    const stoa_str *left = a, *right = b;
    int order = memcmp(left->ptr, right->ptr, left->len < right->len ? left->len : right->len);

    return order ? order : (left->len > right->len) - (left->len < right->len);
}

/* The table's keys, sorted; count counts them. Every key is a string. */
static stoa_str *sorted_keys(struct walk *w, uint32_t count)
{
    stoa_str *keys = stoa_new_array(w->arena, stoa_str, count + 1);
    uint32_t at = 0;

    lua_pushnil(w->lua);
    while (lua_next(w->lua, -2)) {
        size_t len;
        const char *text = lua_tolstring(w->lua, -2, &len);

        if (len == 0 || len > 255 || memchr(text, '\0', len) ||
            !stoa_str_is_utf8((stoa_str){text, len}))
            fail(w, "has a key that is empty, too long or not UTF-8");
        keys[at++] = stoa_str_copy(w->arena, (stoa_str){text, len});
        lua_pop(w->lua, 1);
    }
    qsort(keys, count, sizeof(*keys), compare);
    return keys;
}

static struct stoa_json *convert_object(struct walk *w, uint32_t count)
{
    stoa_str *keys = sorted_keys(w, count);
    struct stoa_json *object = stoa_json_object(w->arena);

    for (uint32_t i = 0; i < count; i++) {
        lua_pushlstring(w->lua, keys[i].ptr, keys[i].len);
        lua_rawget(w->lua, -2);
        stoa_json_set(object, keys[i].ptr, convert_below(w, keys[i]));
        lua_pop(w->lua, 1);
    }
    return object;
}

static struct stoa_json *convert_array(struct walk *w, uint32_t count)
{
    struct stoa_json *array = stoa_json_array(w->arena);

    for (uint32_t i = 1; i <= count; i++) {
        if (lua_rawgeti(w->lua, -1, i) == LUA_TNIL)
            fail(w, "is a list with holes");
        stoa_json_push(array, convert_below(w, stoa_str_from_int(w->arena, i - 1)));
        lua_pop(w->lua, 1);
    }
    return array;
}

static struct stoa_json *convert_table(struct walk *w)
{
    uint32_t names = 0, numbers = 0;

    if (++w->depth > EVALUATE_DEPTH_MAX)
        fail(w, "is nested too deep, or contains itself");
    lua_pushnil(w->lua);
    while (lua_next(w->lua, -2)) {
        if (lua_type(w->lua, -2) == LUA_TSTRING)
            names++;
        else if (lua_isinteger(w->lua, -2))
            numbers++;
        else
            fail(w, "has a key that is neither a string nor a whole number");
        lua_pop(w->lua, 1);
        if (names + numbers > EVALUATE_NODES_MAX)
            fail(w, "has too many entries");
    }
    if (names && numbers)
        fail(w, "has both names and list entries");
    struct stoa_json *json = numbers ? convert_array(w, numbers) : convert_object(w, names);
    w->depth--;
    return json;
}

static struct stoa_json *convert_number(struct walk *w)
{
    double real = lua_tonumber(w->lua, -1);

    if (lua_isinteger(w->lua, -1))
        return stoa_json_new_int(w->arena, lua_tointeger(w->lua, -1));
    if (!isfinite(real))
        fail(w, "is not a finite number");
    if (real == floor(real) && fabs(real) < 9007199254740992.0)
        return stoa_json_new_int(w->arena, (int64_t)real);
    return stoa_json_new_real(w->arena, real);
}

static struct stoa_json *convert_string(struct walk *w)
{
    stoa_str text;
    size_t len;

    text.ptr = lua_tolstring(w->lua, -1, &len);
    text.len = len;
    if (len > STRING_MAX)
        fail(w, "is a string of more than 64 KiB");
    if (!stoa_str_is_utf8(text))
        fail(w, "is a string that is not UTF-8");
    if (memchr(text.ptr, '\0', len))
        fail(w, "is a string with a zero byte in it");
    return stoa_json_new_str(w->arena, text);
}

static struct stoa_json *convert(struct walk *w)
{
    if (++w->nodes > EVALUATE_NODES_MAX)
        fail(w, "has too many entries");
    luaL_checkstack(w->lua, 8, "configuration");
    switch (lua_type(w->lua, -1)) {
    case LUA_TBOOLEAN:
        return stoa_json_new_bool(w->arena, lua_toboolean(w->lua, -1));
    case LUA_TNUMBER:
        return convert_number(w);
    case LUA_TSTRING:
        return convert_string(w);
    case LUA_TTABLE:
        return convert_table(w);
    default:
        fail(w, "is a function or the like");
        return NULL;
    }
}

struct stoa_json *sandbox_json(lua_State *lua, int index)
{
    struct walk w = {.lua = lua, .arena = sandbox_of(lua)->arena};

    lua_pushvalue(lua, index);
    struct stoa_json *json = convert(&w);
    lua_pop(lua, 1);
    return json;
}
