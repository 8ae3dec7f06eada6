/* theme/parser_expr.c: words, values, filters and conditions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compile.h"
#include "filters.h"
#include "text.h"
#include "tree.h"
#include <stdlib.h>

/* --- words --- */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void take(struct scan *scan, enum word_kind kind, uint64_t len)
{
    scan->kind = kind;
    scan->word = (stoa_str){scan->at, len};
    scan->at += len;
}

static void take_string(struct scan *scan)
{
    const char *close = memchr(scan->at + 1, *scan->at, (size_t)(scan->end - scan->at - 1));

    if (!close) {
        compile_error(scan->c, scan->at, "this text is never closed");
        scan->kind = WORD_END;
        return;
    }
    scan->kind = WORD_STRING;
    scan->word = (stoa_str){scan->at + 1, (uint64_t)(close - scan->at - 1)};
    scan->at = close + 1;
}

static void take_number(struct scan *scan)
{
    const char *at = scan->at + (*scan->at == '-');
    bool real = false;
    char buf[40];

    while (at < scan->end && is_digit(*at))
        at++;
    if (at + 1 < scan->end && *at == '.' && is_digit(at[1])) {
        real = true;
        for (at++; at < scan->end && is_digit(*at);)
            at++;
    }
    take(scan, real ? WORD_REAL : WORD_INT, (uint64_t)(at - scan->at));
    if (scan->word.len >= sizeof(buf) ||
        (!real && stoa_str_int(scan->word, INT64_MIN, INT64_MAX, &scan->whole) != STOA_OK)) {
        compile_error(scan->c, scan->where, "this number is too large");
        return;
    }
    memcpy(buf, scan->word.ptr, scan->word.len);
    buf[scan->word.len] = 0;
    if (real)
        scan->real = strtod(buf, NULL);
}

static void take_name(struct scan *scan)
{
    uint64_t len = 0, left = (uint64_t)(scan->end - scan->at);

    while (len < left &&
           (is_name_start(scan->at[len]) || is_digit(scan->at[len]) || scan->at[len] == '-'))
        len++;
    if (len < left && scan->at[len] == '?')
        len++;
    take(scan, WORD_NAME, len);
    if (stoa_str_is(scan->word, "contains")) {
        scan->kind = WORD_COMPARE;
        scan->op = COMPARE_CONTAINS;
    }
}

static bool take_compare(struct scan *scan)
{
    static const struct {
        const char *text;
        enum compare_op op;
    } ops[] = {{"==", COMPARE_EQ}, {"!=", COMPARE_NE}, {"<>", COMPARE_NE}, {"<=", COMPARE_LE},
               {">=", COMPARE_GE}, {"<", COMPARE_LT},  {">", COMPARE_GT}};
    stoa_str left = {scan->at, (uint64_t)(scan->end - scan->at)};

    for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (stoa_str_starts(left, stoa_str_of(ops[i].text))) {
            take(scan, WORD_COMPARE, strlen(ops[i].text));
            scan->op = ops[i].op;
            return true;
        }
    }
    return false;
}

/* The character n places on, or NUL at the end. */
static char peek(const struct scan *scan, uint32_t n)
{
    return scan->end - scan->at > n ? scan->at[n] : 0;
}

static bool starts_number(const struct scan *scan)
{
    return is_digit(peek(scan, 0)) || (peek(scan, 0) == '-' && is_digit(peek(scan, 1)));
}

void scan_next(struct scan *scan)
{
    while (scan->at < scan->end && text_is_space(*scan->at))
        scan->at++;
    scan->where = scan->at;
    if (scan->c->failed || scan->at == scan->end) {
        take(scan, WORD_END, 0);
        return;
    }
    if (is_name_start(*scan->at))
        take_name(scan);
    else if (*scan->at == '"' || *scan->at == '\'')
        take_string(scan);
    else if (starts_number(scan))
        take_number(scan);
    else if (peek(scan, 0) == '.' && peek(scan, 1) == '.')
        take(scan, WORD_DOTDOT, 2);
    else if (!take_compare(scan))
        take(scan, WORD_MARK, 1);
}

void scan_init(struct scan *scan, struct compiler *c, stoa_str text)
{
    if (!text.ptr)
        text = (stoa_str){c->at, 0};
    *scan = (struct scan){.c = c, .at = text.ptr, .end = text.ptr + text.len};
    scan_next(scan);
}

bool scan_is_mark(const struct scan *scan, char mark)
{
    return scan->kind == WORD_MARK && scan->word.ptr[0] == mark;
}

bool scan_accept(struct scan *scan, char mark)
{
    if (!scan_is_mark(scan, mark))
        return false;
    scan_next(scan);
    return true;
}

bool scan_accept_name(struct scan *scan, const char *name)
{
    if (scan->kind != WORD_NAME || !stoa_str_is(scan->word, name))
        return false;
    scan_next(scan);
    return true;
}

static void unexpected(struct scan *scan, const char *wanted)
{
    if (scan->kind == WORD_END)
        compile_error(scan->c, scan->where, "%s is missing", wanted);
    else
        compile_error(scan->c, scan->where, "'%.*s' where %s is expected", (int)scan->word.len,
                      scan->word.ptr, wanted);
}

void scan_expect(struct scan *scan, char mark)
{
    char wanted[] = {'\'', mark, '\'', 0};
    if (!scan_accept(scan, mark))
        unexpected(scan, wanted);
}

stoa_str scan_expect_name(struct scan *scan, const char *what)
{
    stoa_str name = scan->word;
    if (scan->kind != WORD_NAME)
        unexpected(scan, what);
    scan_next(scan);
    return name;
}

void scan_expect_end(struct scan *scan)
{
    if (scan->kind == WORD_END)
        return;
    compile_error(scan->c, scan->where, "'%.*s' is too much here", (int)scan->word.len,
                  scan->word.ptr);
    if (scan_is_mark(scan, '|'))
        compile_hint(scan->c, "filters work in {{ }}, assign and echo: assign the value first");
    else if (scan_is_mark(scan, '('))
        compile_hint(scan->c, "conditions have no parentheses: nest two if");
    else if (scan_is_mark(scan, '='))
        compile_hint(scan->c, "to compare, write ==");
}

/* --- values --- */

struct expr *expr_new(struct scan *scan, enum expr_kind kind, const char *where)
{
    struct expr *expr = stoa_new(scan->c->arena, struct expr);

    expr->kind = (uint8_t)kind;
    expr->pos = compile_pos(scan->c, where);
    return expr;
}

static const struct expr *literal(struct scan *scan, struct value v)
{
    struct expr *expr = expr_new(scan, EXPR_LITERAL, scan->where);

    expr->as.literal = v;
    scan_next(scan);
    return expr;
}

/* The words that are values; false when the name is a variable. */
static bool word_value(stoa_str name, struct value *ret)
{
    static const struct {
        const char *name;
        struct value v;
    } words[] = {
        {"nil", {.kind = VALUE_NIL}},
        {"null", {.kind = VALUE_NIL}},
        {"true", {.kind = VALUE_BOOL, .as.yes = true}},
        {"false", {.kind = VALUE_BOOL}},
        {"empty", {.kind = VALUE_EMPTY}},
        {"blank", {.kind = VALUE_BLANK}},
    };
    for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (stoa_str_is(name, words[i].name)) {
            *ret = words[i].v;
            return true;
        }
    }
    return false;
}

static enum step_kind step_kind_of(stoa_str name)
{
    if (stoa_str_is(name, "size"))
        return STEP_SIZE;
    if (stoa_str_is(name, "first"))
        return STEP_FIRST;
    return stoa_str_is(name, "last") ? STEP_LAST : STEP_NAME;
}

static bool parse_step(struct scan *scan, struct path_step *step)
{
    if (scan_accept(scan, '.')) {
        step->name = scan_expect_name(scan, "a name");
        step->kind = step_kind_of(step->name);
        return true;
    }
    if (!scan_accept(scan, '['))
        return false;
    step->kind = STEP_INDEX;
    step->index = expr_value(scan);
    scan_expect(scan, ']');
    return true;
}

static const struct expr *parse_path(struct scan *scan)
{
    struct path_step steps[COMPILE_TERMS_MAX], *kept;
    struct expr *expr = expr_new(scan, EXPR_PATH, scan->where);
    uint32_t count = 0;

    expr->slot = compile_slot(scan->c, scan->word);
    scan_next(scan);
    while (!scan->c->failed && parse_step(scan, &steps[count])) {
        if (++count == COMPILE_TERMS_MAX)
            compile_error(scan->c, scan->where, "this path is too long");
    }
    kept = stoa_new_array(scan->c->arena, struct path_step, count + 1);
    memcpy(kept, steps, count * sizeof(*kept));
    expr->as.path.steps = kept;
    expr->as.path.count = count;
    return expr;
}

static const struct expr *parse_range(struct scan *scan)
{
    struct expr *expr = expr_new(scan, EXPR_RANGE, scan->where);

    scan_next(scan);
    expr->as.pair.left = expr_value(scan);
    if (scan->kind != WORD_DOTDOT)
        unexpected(scan, "'..'");
    scan_next(scan);
    expr->as.pair.right = expr_value(scan);
    scan_expect(scan, ')');
    return expr;
}

const struct expr *expr_value(struct scan *scan)
{
    const struct expr *expr;
    struct value v;

    if (++scan->depth > COMPILE_VALUE_NESTING_MAX)
        compile_error(scan->c, scan->where, "this nests too deep");
    if (scan->kind == WORD_STRING)
        expr = literal(scan, value_text(scan->word));
    else if (scan->kind == WORD_INT)
        expr = literal(scan, value_int(scan->whole));
    else if (scan->kind == WORD_REAL)
        expr = literal(scan, value_real(scan->real));
    else if (scan->kind == WORD_NAME)
        expr = word_value(scan->word, &v) ? literal(scan, v) : parse_path(scan);
    else if (scan_is_mark(scan, '('))
        expr = parse_range(scan);
    else {
        unexpected(scan, "a value");
        expr = literal(scan, value_nil());
    }
    scan->depth--;
    return expr;
}

/* --- arguments and filters --- */

bool expr_is_arg(const struct scan *scan)
{
    const char *at = scan->at;

    if (scan->kind != WORD_NAME)
        return false;
    while (at < scan->end && text_is_space(*at))
        at++;
    return at < scan->end && *at == ':';
}

struct arg *expr_args(struct scan *scan, uint32_t *count)
{
    struct arg args[FILTER_NAMED_MAX], *kept;
    uint32_t n = 0;

    while (expr_is_arg(scan) && !scan->c->failed) {
        if (n == FILTER_NAMED_MAX) {
            compile_error(scan->c, scan->where, "at most %d named arguments", FILTER_NAMED_MAX);
            break;
        }
        args[n].slot = -1;
        args[n].name = scan_expect_name(scan, "a name");
        scan_expect(scan, ':');
        args[n++].value = expr_value(scan);
        scan_accept(scan, ',');
    }
    kept = stoa_new_array(scan->c->arena, struct arg, n + 1);
    memcpy(kept, args, n * sizeof(*kept));
    *count = n;
    return kept;
}

static void filter_args(struct scan *scan, struct expr_filter *filter)
{
    do {
        if (expr_is_arg(scan)) {
            filter->named = expr_args(scan, &filter->named_count);
            return;
        }
        if (filter->arg_count == FILTER_ARGS_MAX) {
            compile_error(scan->c, scan->where, "too many arguments");
            return;
        }
        filter->args[filter->arg_count++] = expr_value(scan);
    } while (!scan->c->failed && scan_accept(scan, ','));
}

static void unknown_filter(struct scan *scan, stoa_str name)
{
    const char *names[FILTERS_MAX], *near;
    uint32_t count = filter_names(names);

    near = diag_did_you_mean(stoa_cstr(scan->c->arena, name), names, count);
    compile_error(scan->c, name.ptr, "unknown filter '%.*s'", (int)name.len, name.ptr);
    if (near)
        compile_hint(scan->c, "did you mean '%s'?", near);
}

/* raw is for markup that the host has made or cleaned; such members end in _html. What a visitor
 * sends never counts, whatever its name. A name by itself (head_html) means the data's member,
 * never a variable of the template. */
static bool may_be_raw(struct compiler *c, const struct expr *expr)
{
    static const char *const never[] = {"request", "form", "errors", "cart"};
    const struct path_step *last;

    if (expr->kind != EXPR_PATH)
        return false;
    if (expr->as.path.count == 0)
        return stoa_str_ends(c->slots[expr->slot], STOA_STR("_html"));
    for (uint32_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (stoa_str_is(c->slots[expr->slot], never[i]))
            return false;
    last = &expr->as.path.steps[expr->as.path.count - 1];
    return last->kind == STEP_NAME && stoa_str_ends(last->name, STOA_STR("_html"));
}

static void check_filter(struct scan *scan, const struct expr_filter *filter, stoa_str name)
{
    struct compiler *c = scan->c;
    const char *wanted = filter_check_args(filter->filter, filter->arg_count, filter->named_count);

    if (wanted) {
        compile_error(c, name.ptr, "'%.*s' takes %s", (int)name.len, name.ptr, wanted);
        return;
    }
    if (stoa_str_is(name, "raw") && !may_be_raw(c, filter->input)) {
        compile_error(c, name.ptr, "raw is only for html the host has made or cleaned");
        compile_hint(c, "such members end in _html, as product.description_html; all else is text");
        return;
    }
    if (stoa_str_is(name, "raw") && filter->input->as.path.count == 0)
        ((struct expr *)filter->input)->kind = EXPR_GLOBAL;
    if (c->theme && filter->input->kind == EXPR_LITERAL)
        tree_check_literal(c, filter, name);
}

static const struct expr *parse_filter(struct scan *scan, const struct expr *input)
{
    struct expr_filter *filter = stoa_new(scan->c->arena, struct expr_filter);
    const char *where = scan->where;
    stoa_str name = scan_expect_name(scan, "a filter's name");
    struct expr *expr = expr_new(scan, EXPR_FILTER, where);

    expr->as.filter = filter;
    filter->input = input;
    if (scan->c->failed)
        return expr;
    filter->filter = filter_find(name);
    if (!filter->filter) {
        unknown_filter(scan, name);
        return expr;
    }
    if (scan_accept(scan, ':'))
        filter_args(scan, filter);
    if (!scan->c->failed)
        check_filter(scan, filter, name);
    return expr;
}

const struct expr *expr_filtered(struct scan *scan)
{
    const struct expr *expr = expr_value(scan);

    for (uint32_t n = 0; !scan->c->failed && scan_accept(scan, '|'); n++) {
        if (n == COMPILE_FILTERS_MAX)
            compile_error(scan->c, scan->where, "more than %d filters in a row",
                          COMPILE_FILTERS_MAX);
        else
            expr = parse_filter(scan, expr);
    }
    return expr;
}

/* --- conditions --- */

static const struct expr *parse_compare(struct scan *scan)
{
    const char *where = scan->where;
    const struct expr *left = expr_value(scan);
    struct expr *expr;

    if (scan->kind != WORD_COMPARE)
        return left;
    expr = expr_new(scan, EXPR_COMPARE, where);
    expr->op = scan->op;
    scan_next(scan);
    expr->as.pair.left = left;
    expr->as.pair.right = expr_value(scan);
    return expr;
}

/* and and or have one rank and are read from the right, as in Liquid: a or b and c is a or (b and
 * c), a and b or c is a and (b or c). */
const struct expr *expr_condition(struct scan *scan)
{
    const struct expr *terms[COMPILE_TERMS_MAX];
    enum expr_kind joins[COMPILE_TERMS_MAX];
    const struct expr *right;
    uint32_t n = 0;

    for (;; n++) {
        terms[n] = parse_compare(scan);
        if (scan_accept_name(scan, "and"))
            joins[n] = EXPR_AND;
        else if (scan_accept_name(scan, "or"))
            joins[n] = EXPR_OR;
        else
            break;
        if (n + 1 == COMPILE_TERMS_MAX) {
            compile_error(scan->c, scan->where, "this condition is too long");
            break;
        }
    }
    for (right = terms[n]; n > 0; n--) {
        struct expr *both = expr_new(scan, joins[n - 1], scan->where);
        both->as.pair.left = terms[n - 1];
        both->as.pair.right = right;
        right = both;
    }
    return right;
}
