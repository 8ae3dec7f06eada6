/* theme/compile.h: from a template's text to its tree. Used by theme_load only; what the parser's
 * files share among themselves stands here too.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_COMPILE_H
#define THEME_COMPILE_H

#include "ast.h"
#include "base/diag.h"
#include "context.h"

enum {
    COMPILE_SOURCE_MAX = 256 * 1024,
    COMPILE_NESTING_MAX = 64,
    COMPILE_SLOTS_MAX = 256,
    COMPILE_TERMS_MAX = 64,         /* of one condition, path, list, … */
    COMPILE_VALUE_NESTING_MAX = 16, /* a[b[c]] */
    COMPILE_FILTERS_MAX = 16,       /* in a row: each takes stack while rendering */
};

struct theme;

/* What the first word of a tag says, and the rest of it. */
struct tag {
    stoa_str name;
    stoa_str rest;
    uint32_t pos; /* of the name */
};

enum token_kind { TOKEN_TEXT, TOKEN_OUTPUT, TOKEN_TAG, TOKEN_END };

struct token {
    enum token_kind kind;
    stoa_str body; /* without delimiters and white space */
};

struct compiler {
    struct stoa_arena *arena;
    const struct theme *theme; /* NULL: no snippets, locales, assets */
    struct template *tpl;
    struct diag *diag;
    struct node_render **links; /* snippets whose arguments are matched once all are compiled */
    struct context context;
    const char *at, *end;  /* what is left of the source */
    stoa_str lines;        /* what is left of a liquid tag */
    bool trim;             /* the last tag ended with -%} or -}} */
    bool failed;           /* diag says why; everything returns as fast as it can */
    bool has_content;      /* content_for_layout was seen */
    uint32_t depth, loops; /* of blocks; of for blocks around */
    stoa_str slots[COMPILE_SLOTS_MAX];
    stoa_str counters[COMPILE_SLOTS_MAX];
    uint32_t slot_count, counter_count;
};

/* Compiles tpl->source into tpl. STOA_E_INVALID with *diag otherwise. */
STOA_NODISCARD stoa_err compile_template(struct compiler *compiler, struct template *tpl);
/* After all templates: finds the slots of snippets' arguments. */
void compile_link(struct node_render *links);

/* The first error counts. where: a byte of the source. */
void compile_error(struct compiler *c, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void compile_hint(struct compiler *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The slot of a variable; made when it is new. */
uint16_t compile_slot(struct compiler *c, stoa_str name);
uint16_t compile_counter(struct compiler *c, stoa_str key);
static inline uint32_t compile_pos(const struct compiler *c, const char *where)
{
    return (uint32_t)(where - c->tpl->source.ptr);
}

/* --- lexer.c --- */
void lexer_next(struct compiler *c, struct token *ret);
/* The text up to {% end %}, as it stands; nested: blocks of the same name inside count. */
stoa_str lexer_raw(struct compiler *c, const struct tag *tag, const char *end, bool nested);

/* --- parser.c --- */
struct node_list {
    const struct node *first;
    struct node *last;
};
struct node *parser_node(struct compiler *c, struct node_list *out, enum node_kind kind,
                         const char *where);
void parser_text(struct compiler *c, struct node_list *out, stoa_str text);
void parser_output(struct compiler *c, struct node_list *out, stoa_str body);
/* Nodes up to one of the tags in ends (space-separated), which *end then holds. opener: the block
 * for the message when the template ends before. */
const struct node *parser_body(struct compiler *c, const struct tag *opener, const char *ends,
                               struct tag *end);
/* The context must be between elements: for tags that write elements. */
bool parser_wants_elements(struct compiler *c, const struct tag *tag);
/* Where branches meet. *met: whether *into holds anything yet. */
void parser_join(struct compiler *c, struct context *into, bool *met, const struct tag *tag);

/* --- parser_tags.c, parser_blocks.c --- */
typedef void tag_fn(struct compiler *c, const struct tag *tag, struct node_list *out);
struct tag_kind {
    const char *name;
    tag_fn *parse;
};
extern const struct tag_kind tag_kinds[];
extern const uint32_t tag_kind_count;
tag_fn tag_if, tag_unless, tag_case, tag_for, tag_capture, tag_form;

/* --- parser_expr.c --- */
enum word_kind {
    WORD_END,
    WORD_NAME,
    WORD_STRING,
    WORD_INT,
    WORD_REAL,
    WORD_COMPARE,
    WORD_DOTDOT,
    WORD_MARK, /* one character: . , : | [ ] ( ) = */
};

/* The words inside a tag, one ahead. */
struct scan {
    struct compiler *c;
    const char *at, *end;
    enum word_kind kind;
    stoa_str word; /* a string without its quotes */
    const char *where;
    int64_t whole;
    double real;
    uint8_t op;
    uint8_t depth; /* of values inside values */
};
void scan_init(struct scan *scan, struct compiler *c, stoa_str text);
void scan_next(struct scan *scan);
bool scan_is_mark(const struct scan *scan, char mark);
/* Takes the word and returns true if it is the mark (the name); else leaves it. */
bool scan_accept(struct scan *scan, char mark);
bool scan_accept_name(struct scan *scan, const char *name);
void scan_expect(struct scan *scan, char mark);
stoa_str scan_expect_name(struct scan *scan, const char *what);
void scan_expect_end(struct scan *scan);

struct expr *expr_new(struct scan *scan, enum expr_kind kind, const char *where);
const struct expr *expr_value(struct scan *scan);     /* a literal, a path, a range */
const struct expr *expr_filtered(struct scan *scan);  /* a value and its filters */
const struct expr *expr_condition(struct scan *scan); /* comparisons, and, or */
/* name: value pairs, at most FILTER_NAMED_MAX, up to what is not one. */
struct arg *expr_args(struct scan *scan, uint32_t *count);
/* Whether NAME ':' comes next. */
bool expr_is_arg(const struct scan *scan);

#endif
