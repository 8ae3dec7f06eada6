/* The toys' files, and configurations without a file. SPDX-License-Identifier: Apache-2.0 */
#ifndef TOYS_H
#define TOYS_H

#include "config/config_private.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* A configuration of plugins = { toy = settings }; settings is JSON. */
static inline struct config *toy_config(struct stoa_arena *arena, const char *settings)
{
    struct config *config = stoa_new(arena, struct config);
    const struct stoa_json *json = NULL;
    stoa_str text = stoa_concat(arena, STOA_STR("{\"plugins\":{\"toy\":"), stoa_str_of(settings),
                                STOA_STR("}}"));

    cr_assert_eq(stoa_json_parse(arena, text, NULL, &json), STOA_OK);
    *config = (struct config){.arena = arena,
                              .file = "config.lua",
                              .scan = scan_text(arena, (stoa_str){0}),
                              .json = json};
    return config;
}

static inline const char *toy_path(struct stoa_arena *arena, const char *name)
{
    return stoa_concat(arena, STOA_STR(TEST_TOYS "/"), stoa_str_of(name), STOA_STR(".so\0")).ptr;
}

static inline stoa_str toy_bytes(struct stoa_arena *arena, const char *name)
{
    FILE *file = fopen(toy_path(arena, name), "rbe");
    char *bytes;
    long len;

    cr_assert_not_null(file, "%s", name);
    fseek(file, 0, SEEK_END);
    len = ftell(file);
    rewind(file);
    bytes = stoa_arena_alloc(arena, (uint64_t)len);
    cr_assert_eq(fread(bytes, 1, (size_t)len, file), (size_t)len);
    fclose(file);
    return (stoa_str){bytes, (uint64_t)len};
}

#endif
