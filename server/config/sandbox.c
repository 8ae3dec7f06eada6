/* config/sandbox.c: which of Lua's libraries there are, and in which form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/sandbox.h"

#include "config/evaluate.h"
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Runs before the file: pairs() that walks in order, as Lua's own differs from run to run. */
static const char prelude[] =
    "local next, sort, type, tostring = next, table.sort, type, tostring\n"
    "local function before(a, b)\n"
    "  local ta, tb = type(a), type(b)\n"
    "  if ta ~= tb then return ta < tb end\n"
    "  if ta == 'boolean' then return not a and b end\n"
    "  return a < b\n"
    "end\n"
    "function pairs(t)\n"
    "  local keys, n, i = {}, 0, 0\n"
    "  for k in next, t do n = n + 1; keys[n] = k end\n"
    "  sort(keys, before)\n"
    "  return function()\n"
    "    i = i + 1\n"
    "    if keys[i] ~= nil then return keys[i], t[keys[i]] end\n"
    "  end\n"
    "end\n";

/* Everything that reads the world, makes code, differs from run to run, or cannot be interrupted.
 */
static const struct {
    const char *library, *name, *why;
} removed[] = {
    {"_G", "collectgarbage", NULL}, {"_G", "dofile", NULL},    {"_G", "load", NULL},
    {"_G", "loadfile", NULL},       {"_G", "next", NULL},      {"_G", "pcall", NULL},
    {"_G", "print", NULL},          {"_G", "warn", NULL},      {"_G", "xpcall", NULL},
    {"_G", "rawset", NULL},         {"math", "random", NULL},  {"math", "randomseed", NULL},
    {"string", "dump", NULL},       {"string", "find", NULL},  {"string", "gmatch", NULL},
    {"string", "gsub", NULL},       {"string", "match", NULL},
};
static const char *const absent[] = {"coroutine", "debug", "io", "os", "package"};

struct sandbox *sandbox_of(lua_State *lua)
{
    return *(struct sandbox **)lua_getextraspace(lua);
}

int sandbox_line(lua_State *lua)
{
    lua_Debug at;

    for (int level = 0; lua_getstack(lua, level, &at); level++)
        if (lua_getinfo(lua, "l", &at) && at.currentline > 0)
            return at.currentline;
    return 0;
}

static void *allocate(void *data, void *old, size_t old_size, size_t size)
{
    struct sandbox *box = data;
    uint64_t held = old ? old_size : 0; /* without old, old_size is the kind of object */
    void *block;

    if (size == 0) {
        free(old);
        box->used -= held;
        return NULL;
    }
    if (box->used - held + size > box->max) {
        if (box->lua && !box->refused_line)
            box->refused_line = sandbox_line(box->lua);
        return NULL;
    }
    block = realloc(old, size);
    if (block)
        box->used += size - held;
    return block;
}

/* Stops loops in Lua, where the line is known; loops in C are stopped by the processor limit. */
static void count_hook(lua_State *lua, lua_Debug *event)
{
    struct timespec used;

    (void)event;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    if (used.tv_sec * 1000 + used.tv_nsec / 1000000 < EVALUATE_CPU_S * 1000 - 200)
        return;
    luaL_where(lua, 0); /* luaL_error() would name the caller: a hook is no level of its own */
    lua_pushfstring(lua,
                    "ran for more than %d s of processor time" SANDBOX_HINT
                    "the file is to describe the shop: look for an endless loop",
                    EVALUATE_CPU_S);
    lua_concat(lua, 2);
    lua_error(lua);
}

static bool is_removed(const char *library, const char *name)
{
    for (size_t i = 0; i < sizeof(removed) / sizeof(*removed); i++)
        if (strcmp(removed[i].library, library) == 0 && strcmp(removed[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
        if (strcmp(library, "_G") == 0 && strcmp(absent[i], name) == 0)
            return true;
    return false;
}

/* __index of _G, string, math …: upvalue 1 is the library's name. */
static int missing(lua_State *lua)
{
    const char *library = lua_tostring(lua, lua_upvalueindex(1));
    const char *name = lua_tostring(lua, 2), *dot = ".";

    if (strcmp(library, "_G") == 0)
        library = dot = "";
    if (!name)
        return 0;
    if (is_removed(*library ? library : "_G", name))
        return luaL_error(lua,
                          "%s%s%s is not available here" SANDBOX_HINT
                          "the file is a pure function: only stoa.env, stoa.secret and stoa.file "
                          "read from outside",
                          library, dot, name);
    return luaL_error(lua,
                      "%s%s%s is not defined" SANDBOX_HINT "check the spelling, or define it above",
                      library, dot, name);
}

/* Addresses differ from run to run, so no text may contain one. */
static int plain_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (lua_type(lua, 1) > LUA_TSTRING && luaL_getmetafield(lua, 1, "__tostring") == LUA_TNIL)
        lua_pushstring(lua, luaL_typename(lua, 1));
    else
        luaL_tolstring(lua, 1, NULL);
    return 1;
}

static int plain_format(lua_State *lua)
{
    const char *format = luaL_checkstring(lua, 1);
    int count = lua_gettop(lua);

    for (int i = 2; i <= count; i++)
        if (lua_type(lua, i) > LUA_TSTRING || lua_islightuserdata(lua, i))
            return luaL_argerror(lua, i, "string, number or boolean expected");
    for (const char *at = strchr(format, '%'); at; at = strchr(at, '%')) {
        at += 1 + strspn(at + 1, "-+ #0123456789.");
        if (*at == 'p')
            return luaL_argerror(lua, 1, "%p is not available here");
        at += *at != '\0';
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, count, 1);
    return 1;
}

static void refuse_missing(lua_State *lua, const char *library)
{
    lua_getglobal(lua, library);
    lua_createtable(lua, 0, 2);
    lua_pushstring(lua, library);
    lua_pushcclosure(lua, missing, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}

static void remove_impure(lua_State *lua)
{
    for (size_t i = 0; i < sizeof(removed) / sizeof(*removed); i++) {
        lua_getglobal(lua, removed[i].library);
        lua_pushnil(lua);
        lua_setfield(lua, -2, removed[i].name);
        lua_pop(lua, 1);
    }
    lua_pushcfunction(lua, plain_tostring);
    lua_setglobal(lua, "tostring");
    lua_getglobal(lua, "string");
    lua_getfield(lua, -1, "format");
    lua_pushcclosure(lua, plain_format, 1);
    lua_setfield(lua, -2, "format");
    lua_pop(lua, 1);
}

static int open_libraries(lua_State *lua)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};

    for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
        lua_pop(lua, 1);
    }
    if (luaL_loadbufferx(lua, prelude, sizeof(prelude) - 1, "=stoa", "t") != LUA_OK)
        return lua_error(lua);
    lua_call(lua, 0, 0);
    remove_impure(lua);
    sandbox_add_stoa(lua);
    for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++)
        refuse_missing(lua, libraries[i].name);
    return 0;
}

bool sandbox_open(struct sandbox *box)
{
    lua_State *lua = lua_newstate(allocate, box);

    if (!lua)
        return false;
    *(struct sandbox **)lua_getextraspace(lua) = box;
    lua_pushcfunction(lua, open_libraries);
    if (lua_pcall(lua, 0, 0, 0) != LUA_OK) {
        lua_close(lua);
        return false;
    }
    box->lua = lua;
    lua_sethook(lua, count_hook, LUA_MASKCOUNT, 100000);
    return true;
}

void sandbox_close(struct sandbox *box)
{
    lua_State *lua = box->lua;

    box->lua = NULL;
    if (lua)
        lua_close(lua);
}
