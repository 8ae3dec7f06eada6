/* config/evaluate.h: config.lua in, canonical JSON out, by way of a child process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_EVALUATE_H
#define CONFIG_EVALUATE_H

#include "base/diag.h"
#include <stoa/str.h>

enum {
    EVALUATE_CPU_S = 2,
    EVALUATE_LUA_MIB = 128,     /* what Lua may hold */
    EVALUATE_PROCESS_MIB = 256, /* address space of the child beyond what it started with */
    EVALUATE_FILE_MAX = 256 * 1024,
    EVALUATE_RESULT_MAX = 1024 * 1024,
    EVALUATE_NODES_MAX = 10000,
    EVALUATE_DEPTH_MAX = 16,
    /* Exit codes of the child; 0: a result that only the text and the environment have made. */
    EVALUATE_BAD_CONFIG = 78, /* standard output holds a problem */
    EVALUATE_READ_FILES = 79, /* a result, of which other files are a part */
};

/* The program that has config_child_main() behind `__config`: itself, but for tests. */
extern const char *evaluate_program;
/* When the child is killed at the latest; tests on a busy machine give it more. */
extern int32_t evaluate_wall_ms;

/* Runs the child on text, as if it stood in the file origin. *ret lives in arena. STOA_E_CONFIG
 * with *diag (line, message, hint) otherwise. */
struct evaluate_source {
    stoa_str text;
    const char *origin;
};
struct evaluate_result {
    stoa_str json;
    bool is_pure; /* the same text gives the same again in this process */
};
STOA_NODISCARD stoa_err evaluate_text(struct stoa_arena *arena,
                                      const struct evaluate_source *source, struct diag *diag,
                                      struct evaluate_result *ret);
/* Starts a child that waits for the next text, unless there is one: most of the time that an
 * evaluation takes is the child's start. It ends with this process. After evaluate_end_spare() it
 * takes leave of the one that there was. May wait for a process; no loop's thread. */
void evaluate_prepare(void);
/* Lets it end; from now on none is prepared any more. Waits for nothing. Any thread. */
void evaluate_end_spare(void);
/* Reads a whole file of at most max bytes. STOA_E_NOT_FOUND, STOA_E_TOO_LARGE, STOA_E_FORBIDDEN …
 */
STOA_NODISCARD stoa_err evaluate_read(struct stoa_arena *arena, const char *path, uint64_t max,
                                      stoa_str *ret);
/* The same of what is open. */
STOA_NODISCARD stoa_err evaluate_read_fd(struct stoa_arena *arena, int fd, uint64_t max,
                                         stoa_str *ret);

#endif
