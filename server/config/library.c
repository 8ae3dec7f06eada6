/* config/library.c: the module stoa: what config.lua is written with.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/evaluate.h"
#include "config/sandbox.h"
#include "config/schema.h"

#include "base/diag.h"
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/money.h>

#define STOA_FILE_MAX (64 * 1024)

static char result_key; /* its address names the result in Lua's registry */

/* stoa.config { … }: the result of the file. */
static int stoa_config(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    lua_pushvalue(lua, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &result_key);
    return 1;
}

void sandbox_push_result(lua_State *lua)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &result_key);
}

/* stoa.sqlite { … } and its like: a copy of the table that says of what kind it is. */
static int stoa_resource(lua_State *lua)
{
    if (lua_isnoneornil(lua, 1)) {
        lua_settop(lua, 0);
        lua_newtable(lua);
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_newtable(lua);
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, 2);
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_setfield(lua, 2, "kind");
    return 1;
}

/* stoa.tls { ":8443", certificate = …, key = … }: a copy whose first entry is called address. */
static int stoa_tls(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    lua_newtable(lua);
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        lua_pushvalue(lua, -2);
        if (lua_isinteger(lua, -1) && lua_tointeger(lua, -1) == 1) {
            lua_pop(lua, 1);
            lua_pushliteral(lua, "address");
        }
        lua_insert(lua, -2);
        lua_rawset(lua, 2);
    }
    return 1;
}

/* stoa.env(name [, otherwise]): a variable of the environment, as a string. */
static int stoa_env(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1), *value = getenv(name);

    if (strncmp(name, "STOA_SECRET_", 12) == 0)
        return luaL_error(lua, "%s is a secret" SANDBOX_HINT "name it with stoa.secret", name);
    if (value) {
        lua_pushstring(lua, value);
        return 1;
    }
    if (lua_gettop(lua) >= 2) {
        lua_settop(lua, 2);
        return 1;
    }
    return luaL_error(lua,
                      "the environment has no %s" SANDBOX_HINT
                      "set it, or give a default: stoa.env(\"%s\", \"…\")",
                      name, name);
}

static bool is_secret_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* stoa.secret(name): a handle; the value never enters Lua. */
static int stoa_secret(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);

    if (!is_secret_name(name))
        return luaL_error(lua, "'%s' is no name for a secret" SANDBOX_HINT "use a-z, 0-9 and _",
                          name);
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, name);
    lua_setfield(lua, -2, "secret");
    return 1;
}

/* stoa.file(path): what is in a file, without the line's end behind it; relative to config.lua. */
static int stoa_file(lua_State *lua)
{
    struct sandbox *box = sandbox_of(lua);
    stoa_str path = stoa_str_of(luaL_checkstring(lua, 1)), text;
    const char *whole = path.ptr;
    stoa_err err;

    box->has_read = true;
    if (path.ptr[0] != '/')
        whole = stoa_concat(box->arena, stoa_str_of(box->folder), STOA_STR("/"), path).ptr;
    err = evaluate_read(box->arena, whole, STOA_FILE_MAX, &text);
    if (err == STOA_E_TOO_LARGE)
        return luaL_error(lua, "%s has more than %d bytes", path.ptr, STOA_FILE_MAX);
    if (err != STOA_OK)
        return luaL_error(
            lua, "%s cannot be read" SANDBOX_HINT "paths are relative to the configuration file",
            path.ptr);
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    lua_pushlstring(lua, text.len ? text.ptr : "", text.len);
    return 1;
}

/* stoa.money "4.50 EUR" */
static int stoa_money_of_text(lua_State *lua)
{
    const char *text = luaL_checkstring(lua, 1);
    stoa_money money;

    if (stoa_money_parse(stoa_str_of(text), &money) != STOA_OK)
        return luaL_error(
            lua, "'%s' is no amount of money" SANDBOX_HINT "write it like stoa.money \"4.50 EUR\"",
            text);
    lua_createtable(lua, 0, 2);
    lua_pushinteger(lua, money.minor);
    lua_setfield(lua, -2, "amount");
    lua_pushstring(lua, money.cur);
    lua_setfield(lua, -2, "currency");
    return 1;
}

static const luaL_Reg functions[] = {
    {"config", stoa_config},
    {"env", stoa_env},
    {"secret", stoa_secret},
    {"file", stoa_file},
    {"money", stoa_money_of_text},
    {"tls", stoa_tls},
    {NULL, NULL},
};

/* stoa.sqllite: names the closest there is. */
static int stoa_missing(lua_State *lua)
{
    const char *candidates[32], *name = luaL_checkstring(lua, 2), *close;
    uint32_t count = 0;

    for (const luaL_Reg *f = functions; f->name; f++)
        candidates[count++] = f->name;
    for (uint32_t i = 0; i < config_kind_count; i++)
        candidates[count++] = config_kinds[i].name;
    close = diag_did_you_mean(name, candidates, count);
    if (close)
        return luaL_error(lua, "there is no stoa.%s" SANDBOX_HINT "did you mean stoa.%s?", name,
                          close);
    return luaL_error(
        lua, "there is no stoa.%s" SANDBOX_HINT "docs/operator-guide.md lists what there is", name);
}

static int require(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);

    if (strcmp(name, "stoa") != 0)
        return luaL_error(
            lua, "there is no module '%s'" SANDBOX_HINT "only require \"stoa\" works here", name);
    lua_pushvalue(lua, lua_upvalueindex(1));
    return 1;
}

void sandbox_add_stoa(lua_State *lua)
{
    luaL_newlib(lua, functions);
    for (uint32_t i = 0; i < config_kind_count; i++) {
        lua_pushstring(lua, config_kinds[i].name);
        lua_pushcclosure(lua, stoa_resource, 1);
        lua_setfield(lua, -2, config_kinds[i].name);
    }
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, stoa_missing);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_pushcclosure(lua, require, 1);
    lua_setglobal(lua, "require");
}
