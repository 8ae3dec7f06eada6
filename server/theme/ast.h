/* theme/ast.h: a compiled template. Made once by the parser, then read only, by all loops at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_AST_H
#define THEME_AST_H

#include "value.h"

enum expr_kind {
    EXPR_LITERAL,
    EXPR_PATH,
    EXPR_GLOBAL, /* the data's member, whatever variables there are */
    EXPR_RANGE,
    EXPR_COMPARE,
    EXPR_AND,
    EXPR_OR,
    EXPR_FILTER,
    EXPR_KINDS
};

enum compare_op {
    COMPARE_EQ,
    COMPARE_NE,
    COMPARE_LT,
    COMPARE_GT,
    COMPARE_LE,
    COMPARE_GE,
    COMPARE_CONTAINS,
};

enum step_kind { STEP_NAME, STEP_SIZE, STEP_FIRST, STEP_LAST, STEP_INDEX };

struct path_step {
    enum step_kind kind;
    stoa_str name;            /* also of size, first, last: an object may have such a member */
    const struct expr *index; /* of STEP_INDEX */
};

/* name: value, of filters and tags. slot: of a snippet's argument in the snippet, or -1. */
struct arg {
    stoa_str name;
    const struct expr *value;
    int32_t slot;
};

struct filter;
enum { FILTER_ARGS_MAX = 3, FILTER_NAMED_MAX = 8 };

struct expr_filter {
    const struct filter *filter;
    const struct expr *input;
    const struct expr *args[FILTER_ARGS_MAX];
    const struct arg *named;
    uint32_t arg_count, named_count;
};

struct expr {
    uint8_t kind;
    uint8_t op;    /* enum compare_op */
    uint16_t slot; /* of a path's first name */
    uint32_t pos;  /* byte of the source, for errors */
    union {
        struct value literal;
        struct {
            const struct path_step *steps;
            uint32_t count;
        } path;
        struct {
            const struct expr *left, *right;
        } pair;
        const struct expr_filter *filter;
    } as;
};

enum node_kind {
    NODE_TEXT,
    NODE_OUTPUT,
    NODE_IF,
    NODE_CASE,
    NODE_FOR,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_ASSIGN,
    NODE_CAPTURE,
    NODE_COUNT, /* increment, decrement */
    NODE_CYCLE,
    NODE_RENDER,
    NODE_SECTION,
    NODE_FORM,
    NODE_LAYOUT_CONTENT,
    NODE_LAYOUT_HEADER,
    NODE_KINDS
};

/* A branch is taken when a test holds (case: equals the subject); one without tests is the else. */
struct branch {
    const struct branch *next;
    const struct expr *const *tests;
    uint32_t test_count;
    bool negate; /* unless */
    const struct node *body;
};

struct node_for {
    const struct expr *over, *limit, *offset;
    const struct node *body, *otherwise;
    uint16_t slot, loop_slot;
    bool reversed;
};

struct node_render {
    const struct template *target;
    const struct expr *with; /* one value, or with each: an array */
    struct arg *args;
    uint32_t arg_count;
    bool each;
    stoa_str alias;
    int32_t alias_slot, loop_slot; /* in the target; -1 = not used there */
    struct node_render *next;      /* until linked */
};

struct node_form {
    const struct expr *action;
    const struct arg *args;
    uint32_t arg_count;
    const struct node *body;
};

struct node {
    uint8_t kind;
    uint8_t mode;  /* enum context_mode, of an output */
    int8_t step;   /* of NODE_COUNT */
    uint16_t slot; /* of a variable, or of a counter */
    uint32_t pos;
    const struct node *next;
    union {
        stoa_str text;
        const struct expr *expr;
        struct {
            const struct expr *subject; /* of case */
            const struct branch *first;
        } branches;
        struct {
            const struct expr *const *values;
            uint32_t count;
        } cycle;
        const struct node *body; /* of capture */
        const struct node_for *loop;
        const struct node_render *render;
        const struct node_form *form;
        const struct template *section;
    } as;
};

enum template_place { PLACE_LAYOUT, PLACE_PAGE, PLACE_SECTION, PLACE_SNIPPET };

struct template
{
    stoa_str name;    /* "product" */
    const char *file; /* "sections/product.liquid" */
    stoa_str source;
    enum template_place place;
    const struct node *body;
    const stoa_str *slots; /* the names it uses as variables */
    uint32_t slot_count, counter_count;
    const struct stoa_json *schema;   /* of a section, or NULL */
    const struct stoa_json *defaults; /* the section object without a page's settings */
};

/* The slot of name, or -1 when the template never uses it. */
int32_t template_slot(const struct template *tpl, stoa_str name);
/* Line and column (in characters, from 1) of a byte of the source, and that line. */
void template_place_of(const struct template *tpl, uint32_t pos, uint32_t *line, uint32_t *column,
                       stoa_str *text);

#endif
