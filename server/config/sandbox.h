/* config/sandbox.h: the Lua that config.lua sees: a pure function of the file, the environment
 * named in it and the files named in it. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SANDBOX_H
#define CONFIG_SANDBOX_H

#include <lua.h>
#include <stoa/json.h>

struct sandbox {
    struct stoa_arena *arena;
    lua_State *lua;
    const char *folder; /* of the file: stoa.file() is relative to it */
    uint64_t used, max; /* bytes that Lua holds and may hold */
    int refused_line;   /* where memory ran out; 0: it did not */
    bool has_read;      /* a file with stoa.file() */
};

/* Separates message and hint in an error that C raises: luaL_error(L, "…" SANDBOX_HINT "…"). */
#define SANDBOX_HINT "\x1f"

/* Opens the libraries and takes out what is not pure. False without memory. */
bool sandbox_open(struct sandbox *box);
void sandbox_close(struct sandbox *box);
/* Adds the module stoa and what require() needs. Called in protected mode. */
void sandbox_add_stoa(lua_State *lua);
/* The table given to stoa.config {…} is pushed, or nil. */
void sandbox_push_result(lua_State *lua);
/* The sandbox that lua belongs to. */
struct sandbox *sandbox_of(lua_State *lua);
/* Number of the line that Lua is at, or 0. */
int sandbox_line(lua_State *lua);

/* The value at index as JSON, keys sorted. Raises a Lua error for what JSON cannot hold. */
struct stoa_json *sandbox_json(lua_State *lua, int index);

#endif
