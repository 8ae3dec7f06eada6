/* theme_render_tool THEME_FOLDER PAGE DATA.json [LOCALE [ROUNDS]]: writes the page to stdout; with
 * ROUNDS also how long one render takes. For those who write themes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "theme/theme.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void say(const struct diag *diag, struct stoa_arena *arena)
{
    struct stoa_buf buf;

    stoa_buf_init(&buf, arena, 512);
    diag_format(diag, &buf);
    fprintf(stderr, "%.*s\n", (int)buf.len, buf.ptr);
}

static stoa_str read_all(struct stoa_arena *arena, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    struct stoa_buf buf;
    size_t n;

    stoa_buf_init(&buf, arena, 65536);
    if (!file) {
        perror(path);
        exit(1);
    }
    while ((n = fread(stoa_buf_reserve(&buf, 65536), 1, 65536, file)) > 0)
        buf.len += n;
    if (file != stdin)
        fclose(file);
    return stoa_buf_str(&buf);
}

static void measure(const struct theme *theme, const struct theme_page *page, long rounds)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct timespec from, to;
    struct stoa_buf out;
    struct diag diag;
    uint32_t broken;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = 0; i < rounds; i++) {
        stoa_arena_reset(arena);
        stoa_buf_init(&out, arena, 65536);
        if (theme_render(theme, page, &out, &broken, &diag) != STOA_OK)
            break;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    fprintf(stderr, "%.1f us a render\n",
            ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) /
                (double)rounds);
    stoa_arena_destroy(arena);
}

static int render(const struct theme *theme, const struct theme_page *page,
                  struct stoa_arena *arena)
{
    struct stoa_buf out;
    struct diag diag;
    uint32_t broken;
    stoa_err err;

    stoa_buf_init(&out, arena, 65536);
    err = theme_render(theme, page, &out, &broken, &diag);
    fwrite(out.ptr, 1, out.len, stdout);
    if (diag.message[0])
        say(&diag, arena);
    if (err != STOA_OK || broken > 0)
        fprintf(stderr, "%s, %u sections left out\n", stoa_err_name(err), broken);
    return err != STOA_OK || broken > 0;
}

int main(int argc, char **argv)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct theme_page page = {.locale = argc > 4 ? argv[4] : "en"};
    struct stoa_json_error error;
    struct theme *theme = NULL;
    struct diag diag;
    int failed;

    if (argc < 4) {
        fprintf(stderr, "usage: theme_render_tool THEME_FOLDER PAGE DATA.json [LOCALE [ROUNDS]]\n");
        return 2;
    }
    page.page = argv[2];
    if (stoa_json_parse(arena, read_all(arena, argv[3]), &error, &page.data) != STOA_OK) {
        fprintf(stderr, "%s:%u:%u: %s\n", argv[3], error.line, error.column, error.reason);
        return 1;
    }
    if (theme_load(argv[1], NULL, &diag, &theme) != STOA_OK) {
        say(&diag, arena);
        return 1;
    }
    failed = render(theme, &page, arena);
    if (argc > 5)
        measure(theme, &page, atol(argv[5]));
    theme_destroy(theme);
    stoa_arena_destroy(arena);
    return failed;
}
