/* What the tests of templates share. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_THEME_TEMPLATE_H
#define TESTS_THEME_TEMPLATE_H

#include "theme/theme.h"
#include <criterion/criterion.h>

struct rendered {
    stoa_err err;
    struct diag diag;
    char text[8192]; /* NUL-terminated, cut */
};

static inline const struct stoa_json *json_of(struct stoa_arena *arena, const char *text)
{
    const struct stoa_json *json = NULL;
    struct stoa_json_error error = {0};

    cr_assert(stoa_json_parse(arena, stoa_str_of(text), &error, &json) == STOA_OK, "%s: %s", text,
              error.reason);
    return json;
}

/* Renders source with data (JSON text). limits: NULL for the default. */
static inline void render_text(const char *source, const char *data,
                               const struct theme_limits *limits, struct rendered *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf out;
    uint64_t len;

    stoa_buf_init(&out, arena, 256);
    ret->err =
        theme_render_text(stoa_str_of(source), json_of(arena, data), limits, &out, &ret->diag);
    len = out.len < sizeof(ret->text) ? out.len : sizeof(ret->text) - 1;
    memcpy(ret->text, out.ptr ? out.ptr : "", len);
    ret->text[len] = 0;
    stoa_arena_destroy(arena);
}

static inline void expect_render(const char *source, const char *data, const char *wanted)
{
    struct rendered r;

    render_text(source, data, NULL, &r);
    cr_expect(r.err == STOA_OK, "%s: %s (%u:%u)", source, r.diag.message, r.diag.line,
              r.diag.column);
    cr_expect_str_eq(r.text, wanted, "%s\n gave   [%s]\n wanted [%s]", source, r.text, wanted);
}

/* The template is refused; the message and the hint contain these words. */
static inline void expect_error(const char *source, const char *data, const char *message,
                                const char *hint)
{
    struct rendered r;

    render_text(source, data, NULL, &r);
    cr_expect(r.err != STOA_OK, "%s is not refused: %s", source, r.text);
    cr_expect(strstr(r.diag.message, message), "%s says '%s', not '%s'", source, r.diag.message,
              message);
    cr_expect(!hint || strstr(r.diag.hint, hint), "%s hints '%s', not '%s'", source, r.diag.hint,
              hint);
    cr_expect_str_eq(r.text, "");
}

struct example {
    const char *source, *data, *wanted;
};

static inline void expect_all(const struct example *examples, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        expect_render(examples[i].source, examples[i].data ? examples[i].data : "{}",
                      examples[i].wanted);
}
#define EXPECT_ALL(...)                                                                            \
    do {                                                                                           \
        static const struct example examples_[] = {__VA_ARGS__};                                   \
        expect_all(examples_, sizeof(examples_) / sizeof(examples_[0]));                           \
    } while (0)

#endif
