/* A configuration from text, in a fresh folder. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include "config/config.h"
#include "config/evaluate.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char folder[64], path[96];
    struct diag diag;
    struct config *config;
    struct stoa_arena *arena;
};

static inline void fixture_write(const struct fixture *f, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    FILE *file = fopen(path, "we");
    cr_assert(file && fwrite(text, 1, strlen(text), file) == strlen(text));
    cr_assert_eq(fclose(file), 0);
}

static inline struct fixture fixture_begin(void)
{
    struct fixture f = {.folder = "/tmp/stoa-config-XXXXXX", .arena = stoa_arena_create()};

    cr_assert(mkdtemp(f.folder));
    snprintf(f.path, sizeof(f.path), "%s/config.lua", f.folder);
    evaluate_program = getenv("STOA_TEST_CONFIG_CHILD");
    evaluate_wall_ms = 60000;
    cr_assert(evaluate_program, "run by meson test, which names the child program");
    return f;
}

static inline int fixture_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void fixture_end(struct fixture *f)
{
    config_destroy(f->config);
    stoa_arena_destroy(f->arena);
    nftw(f->folder, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline stoa_err fixture_load_as(struct fixture *f, const char *text,
                                       struct config_source source)
{
    fixture_write(f, "config.lua", text);
    config_destroy(f->config);
    f->config = NULL;
    source.path = f->path;
    return config_load(&source, &f->diag, &f->config);
}

static inline stoa_err fixture_load(struct fixture *f, const char *text)
{
    return fixture_load_as(f, text, (struct config_source){0});
}

/* "line:column: message; hint" */
static inline const char *fixture_said(struct fixture *f)
{
    struct stoa_buf out;

    stoa_buf_init(&out, f->arena, 256);
    stoa_buf_int(&out, f->diag.line);
    stoa_buf_char(&out, ':');
    stoa_buf_int(&out, f->diag.column);
    stoa_buf_put(&out, STOA_STR(": "));
    stoa_buf_put(&out, stoa_str_of(f->diag.message));
    stoa_buf_put(&out, STOA_STR("; "));
    stoa_buf_put(&out, stoa_str_of(f->diag.hint));
    stoa_buf_char(&out, '\0');
    return out.ptr;
}

#define BEGIN "local stoa = require \"stoa\"\nreturn stoa.config {\n" /* what follows is line 3 */
#define END "\n}\n"

#endif
