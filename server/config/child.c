/* config/child.c: the child's side: `stoa __config`, which waits for a text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "config/config.h"
#include "config/evaluate.h"
#include "config/sandbox.h"
#include "config/scan.h"

#include <lauxlib.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define CHILD_LIMITS_MEMORY false /* its shadow alone is larger */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHILD_LIMITS_MEMORY false
#endif
#endif
#ifndef CHILD_LIMITS_MEMORY
#define CHILD_LIMITS_MEMORY true
#endif

static lua_State *running; /* for the signal handler; NULL outside of the file's own code */

/* Time is up inside of a C function. Nothing here allocates or locks, and the process ends. */
static void on_time_up(int signal_number)
{
    char text[256];
    int line =
        running ? sandbox_line(running) : 0; /* NOLINT(bugprone-signal-handler): only reads */
    int len = snprintf(/* NOLINT(bugprone-signal-handler): into text, in the C locale */
                       text, sizeof(text),
                       "{\"line\":%d,\"message\":\"ran for more than %d s of processor "
                       "time\",\"hint\":\"the file is to describe the shop: look for an endless "
                       "loop\"}",
                       line, EVALUATE_CPU_S);

    (void)signal_number;
    /* NOLINTNEXTLINE(bugprone-signal-handler): it only writes */
    _exit(file_write_all(STDOUT_FILENO, (stoa_str){text, (uint64_t)len}) ? EVALUATE_BAD_CONFIG : 1);
}

/* Address space that the program itself takes up, in bytes. */
static uint64_t address_space(struct stoa_arena *arena)
{
    stoa_str text, pages;
    int64_t count = 0;

    if (evaluate_read(arena, "/proc/self/statm", 4096, &text) != STOA_OK)
        return 0;
    pages = stoa_str_cut(&text, ' ');
    if (stoa_str_int(pages, 0, INT64_MAX / 65536, &count) != STOA_OK)
        return 0;
    return (uint64_t)count * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void set_limits(struct stoa_arena *arena)
{
    struct rlimit cpu = {EVALUATE_CPU_S, EVALUATE_CPU_S + 1}, none = {0, 0}, memory;

    signal(SIGXCPU, on_time_up);
    (void)setrlimit(RLIMIT_CPU, &cpu);
    (void)setrlimit(RLIMIT_CORE, &none);
    memory.rlim_cur = memory.rlim_max =
        address_space(arena) + (uint64_t)EVALUATE_PROCESS_MIB * 1024 * 1024;
    if (CHILD_LIMITS_MEMORY)
        (void)setrlimit(RLIMIT_AS, &memory);
}

/* Lua's messages begin with "c:12: ", as the chunk is called "c". */
static int64_t take_line(stoa_str *message)
{
    stoa_str rest = *message, number;
    int64_t line = 0;

    if (!stoa_str_starts(rest, STOA_STR("c:")))
        return 0;
    (void)stoa_str_cut(&rest, ':');
    number = stoa_str_cut(&rest, ':');
    if (!rest.ptr || stoa_str_int(number, 1, INT32_MAX, &line) != STOA_OK)
        return 0;
    *message = stoa_str_trim(rest);
    return line;
}

/* "… near '}'": the column of the last "}" in that line, which is where Lua gave up. */
static int64_t find_column(stoa_str text, int64_t line, stoa_str message)
{
    static const char near[] = " near '";
    const char *at = memmem(message.ptr, message.len, near, sizeof(near) - 1);
    stoa_str token, where = scan_line(text, (uint32_t)line);
    int64_t column = 0;

    if (!at || line <= 0)
        return 0;
    token = stoa_str_sub(message, (uint64_t)(at - message.ptr) + sizeof(near) - 1, message.len);
    if (token.len < 2)
        return 0;
    token.len--; /* the closing quote */
    for (uint64_t i = 0; i + token.len <= where.len; i++)
        if (memcmp(where.ptr + i, token.ptr, token.len) == 0)
            column = (int64_t)i + 1;
    return column;
}

static stoa_str printable(struct stoa_arena *arena, stoa_str text)
{
    char *copy = stoa_cstr(arena, text);

    if (stoa_str_is_utf8(text))
        return text;
    for (uint64_t i = 0; i < text.len; i++)
        if ((copy[i] & 0x80) != 0)
            copy[i] = '?';
    return (stoa_str){copy, text.len};
}

static int report(struct sandbox *box, stoa_str text, stoa_str message)
{
    struct stoa_json *problem = stoa_json_object(box->arena);
    struct stoa_buf out;
    stoa_str hint = message, what = stoa_str_cut(&hint, SANDBOX_HINT[0]);
    int64_t line = take_line(&what);

    if (box->refused_line && stoa_str_is(what, "not enough memory")) {
        line = box->refused_line;
        what = STOA_STR("needs more than 128 MiB of memory");
        hint = STOA_STR("the file is to describe the shop: look for a huge table or string");
    }
    static_assert(EVALUATE_LUA_MIB == 128, "the message says so");
    stoa_json_set_int(problem, "line", line);
    stoa_json_set_int(problem, "column", find_column(text, line, what));
    stoa_json_set_str(problem, "message", printable(box->arena, what));
    stoa_json_set_str(problem, "hint", printable(box->arena, hint));
    stoa_buf_init(&out, box->arena, 1024);
    stoa_json_format(problem, &out);
    return file_write_all(STDOUT_FILENO, stoa_buf_str(&out)) ? EVALUATE_BAD_CONFIG : 1;
}

/* Protected: runs the loaded file and pushes its result as JSON text. */
static int run_file(lua_State *lua)
{
    struct stoa_buf out;

    lua_call(lua, 0, 1);
    sandbox_push_result(lua);
    if (lua_isnil(lua, -1) || !lua_rawequal(lua, -1, -2))
        return luaL_error(lua, "the file does not return a configuration" SANDBOX_HINT
                               "end it with: return stoa.config { … }");
    stoa_buf_init(&out, sandbox_of(lua)->arena, 4096);
    stoa_json_format(sandbox_json(lua, -1), &out);
    if (out.len > EVALUATE_RESULT_MAX)
        return luaL_error(lua, "the configuration has more than 1 MiB");
    lua_pushlightuserdata(lua, out.ptr);
    lua_pushinteger(lua, (lua_Integer)out.len);
    return 2;
}

static stoa_str error_text(lua_State *lua)
{
    size_t len = 0;
    const char *text = lua_tolstring(lua, -1, &len);

    return text ? (stoa_str){text, len} : STOA_STR("failed with something that is no message");
}

static int evaluate(struct sandbox *box, stoa_str text)
{
    lua_State *lua = box->lua;
    int failed;

    lua_settop(lua, 0);
    lua_pushcfunction(lua, run_file);
    failed = luaL_loadbufferx(lua, text.len ? text.ptr : "", text.len, "=c", "t");
    running = lua;
    if (!failed)
        failed = lua_pcall(lua, 1, 2, 0);
    running = NULL;
    if (failed)
        return report(box, text, error_text(lua));
    if (!file_write_all(STDOUT_FILENO,
                        (stoa_str){lua_touserdata(lua, -2), (uint64_t)lua_tointeger(lua, -1)}))
        return 1;
    return box->has_read ? EVALUATE_READ_FILES : 0;
}

/* Standard input: the name of the file, NUL, its text. Nothing when the parent has ended. */
static bool await_text(struct sandbox *box, stoa_str *text)
{
    stoa_str origin;

    if (evaluate_read_fd(box->arena, STDIN_FILENO, PATH_MAX + EVALUATE_FILE_MAX, text) != STOA_OK ||
        text->len == 0 || !memchr(text->ptr, 0, text->len))
        return false;
    origin = stoa_str_cut(text, '\0');
    box->folder = dirname(stoa_cstr(box->arena, origin));
    return true;
}

/* All that needs no text is done before it comes: the child may have been started ahead. */
int config_child_main(void)
{
    struct sandbox box = {.arena = stoa_arena_create(),
                          .max = (uint64_t)EVALUATE_LUA_MIB * 1024 * 1024};
    stoa_str text;
    int code = 1;

    set_limits(box.arena);
    if (sandbox_open(&box) && await_text(&box, &text))
        code = evaluate(&box, text);
    sandbox_close(&box);
    stoa_arena_destroy(box.arena);
    return code;
}
