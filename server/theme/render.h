/* theme/render.h: one render: its limits, its memory, and where it stands.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_RENDER_H
#define THEME_RENDER_H

#include "ast.h"
#include "base/diag.h"
#include "theme.h"

enum {
    RENDER_NESTING_MAX =
        80, /* blocks inside blocks, over all templates: fibers have 64 KB of stack */
};

enum render_stop { RENDER_ON, RENDER_BREAK, RENDER_CONTINUE, RENDER_FAILED };

/* The variables of one template while it runs. */
struct render_frame {
    const struct template *tpl;
    struct value *slots;
    int64_t *counters;
};

struct page;

struct render {
    const struct theme *theme; /* NULL for a template on its own */
    const struct page *page;   /* what content_for_layout stands for */
    const struct stoa_json *data;
    const char *page_name, *locale;
    struct stoa_buf *out;
    uint64_t out_max; /* length that out may reach */
    uint64_t fuel;
    struct memory memory;
    struct render_frame *frame;
    uint32_t depth, depth_max; /* renders inside renders */
    uint32_t nesting;
    uint32_t loop_max;
    uint32_t broken;
    enum render_stop stop;
    stoa_err err; /* of the last failure */
    struct diag *diag;
};

void render_init(struct render *r, const struct theme_limits *limits, struct stoa_buf *out,
                 struct diag *diag);
void render_finish(struct render *r);
/* Runs a template in a scope of its own; slots are filled by the caller's frame. */
void render_template(struct render *r, const struct template *tpl, struct value section);
/* As above, but a failure takes its output back, is counted, and ends there. */
void render_section(struct render *r, const struct template *tpl, struct value section);

/* The first failure is told. err: STOA_E_TOO_LARGE for limits, STOA_E_INVALID for all else. */
void render_fail(struct render *r, stoa_err err, uint32_t pos, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* size bytes of the render's memory, or NULL after render_fail. */
void *render_take(struct render *r, uint64_t size, uint32_t pos);
bool render_pay(struct render *r, uint64_t steps, uint32_t pos);

/* --- eval.c --- */
struct value eval(struct render *r, const struct expr *expr);
/* A variable of the template that runs, or the data's member of that name. */
struct value eval_slot(struct render *r, uint16_t slot);

/* --- write.c --- */
void write_raw(struct render *r, stoa_str s, uint32_t pos);
/* mode: enum context_mode */
void write_value(struct render *r, struct value v, uint8_t mode, uint32_t pos);

#endif
