/* config/scan.c: a lexer for Lua and a reader of table constructors: just enough to say where a
 * key stands. SPDX-License-Identifier: Apache-2.0 */
#include "config/scan.h"

#define SCAN_KEYS_MAX 4096
#define SCAN_DEPTH_MAX 16

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL };

struct token {
    enum token_kind kind;
    stoa_str text; /* of a string: what stands between the quotes */
    uint64_t offset;
    uint32_t line, column;
};

struct scan {
    struct stoa_arena *arena;
    stoa_str text;
    uint64_t at;         /* of the next token */
    uint64_t line_start; /* offset of the current line */
    uint32_t line;
    struct token token; /* the current one */
    uint32_t count;
    struct scan_place places[SCAN_KEYS_MAX];
};

static char peek(const struct scan *s, uint64_t ahead)
{
    return s->at + ahead < s->text.len ? s->text.ptr[s->at + ahead] : '\0';
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static void step(struct scan *s)
{
    if (s->text.ptr[s->at++] == '\n') {
        s->line++;
        s->line_start = s->at;
    }
}

/* At "[", "[=" …: the number of "=" in an opening long bracket, or -1. */
static int64_t long_bracket(const struct scan *s)
{
    int64_t level = 0;

    while (peek(s, 1 + (uint64_t)level) == '=')
        level++;
    return peek(s, 0) == '[' && peek(s, 1 + (uint64_t)level) == '[' ? level : -1;
}

/* Steps over "[==[ … ]==]" and returns what is inside. */
static stoa_str skip_long(struct scan *s, int64_t level)
{
    uint64_t from = s->at + (uint64_t)level + 2;
    int64_t seen = -1; /* "=" since the last "]", or -1 */

    while (s->at < s->text.len && s->at < from)
        step(s);
    while (s->at < s->text.len) {
        char c = peek(s, 0);

        step(s);
        if (c == ']' && seen == level)
            return stoa_str_sub(s->text, from, s->at - from - (uint64_t)level - 2);
        if (c == ']')
            seen = 0;
        else
            seen = c == '=' && seen >= 0 ? seen + 1 : -1;
    }
    return stoa_str_sub(s->text, from, s->text.len);
}

static void skip_space(struct scan *s)
{
    for (;;) {
        char c = peek(s, 0);

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            step(s);
            continue;
        }
        if (c != '-' || peek(s, 1) != '-')
            return;
        s->at += 2;
        if (long_bracket(s) >= 0)
            (void)skip_long(s, long_bracket(s));
        while (s->at < s->text.len && peek(s, 0) != '\n')
            step(s);
    }
}

static stoa_str skip_string(struct scan *s)
{
    char quote = peek(s, 0);
    uint64_t from = s->at + 1;

    step(s);
    while (s->at < s->text.len && peek(s, 0) != quote && peek(s, 0) != '\n') {
        if (peek(s, 0) == '\\' && s->at + 1 < s->text.len)
            step(s);
        step(s);
    }
    stoa_str inside = stoa_str_sub(s->text, from, s->at - from);
    if (s->at < s->text.len && peek(s, 0) == quote)
        step(s);
    return inside;
}

static void next(struct scan *s)
{
    struct token *t = &s->token;

    skip_space(s);
    *t =
        (struct token){TOKEN_END, {NULL, 0}, s->at, s->line, (uint32_t)(s->at - s->line_start) + 1};
    if (s->at >= s->text.len)
        return;

    char c = peek(s, 0);
    if (c == '"' || c == '\'') {
        t->kind = TOKEN_STRING;
        t->text = skip_string(s);
    } else if (c == '[' && long_bracket(s) >= 0) {
        t->kind = TOKEN_STRING;
        t->text = skip_long(s, long_bracket(s));
    } else if (is_name(c, true) || is_name(c, false)) {
        t->kind = is_name(c, true) ? TOKEN_NAME : TOKEN_NUMBER;
        while (s->at < s->text.len && is_name(peek(s, 0), false))
            step(s);
        t->text = stoa_str_sub(s->text, t->offset, s->at - t->offset);
    } else {
        t->kind = TOKEN_SYMBOL;
        step(s);
        t->text = stoa_str_sub(s->text, t->offset, 1);
    }
}

static bool is(const struct scan *s, enum token_kind kind, const char *text)
{
    return s->token.kind == kind && stoa_str_is(s->token.text, text);
}

static bool is_symbol(const struct scan *s, char c)
{
    return s->token.kind == TOKEN_SYMBOL && s->token.text.ptr[0] == c;
}

/* Goes back to token, which was the current one before. */
static void rewind_to(struct scan *s, const struct token *token)
{
    s->at = token->offset;
    s->line = token->line;
    s->line_start = token->offset + 1 - token->column;
    next(s);
}

static void remember(struct scan *s, stoa_str path, const struct token *token)
{
    if (s->count < SCAN_KEYS_MAX && path.ptr)
        s->places[s->count++] = (struct scan_place){path, token->line, token->column};
}

/* path.key; ptr NULL (no place) for keys that a path cannot name. */
static stoa_str path_of(struct scan *s, stoa_str path, stoa_str key)
{
    if (!path.ptr || key.len == 0 || stoa_str_find(key, '.', 0) >= 0)
        return (stoa_str){NULL, 0};
    if (path.len == 0)
        return key;
    return stoa_concat(s->arena, path, STOA_STR("."), key);
}

static void read_table(struct scan *s, stoa_str path, uint32_t depth);

/* +1 at a word that opens a block, -1 at one that closes it. */
static int32_t block_step(const struct scan *s)
{
    static const char *const opening[] = {"function", "if", "do", "repeat"};

    if (s->token.kind != TOKEN_NAME)
        return 0;
    for (uint32_t i = 0; i < sizeof(opening) / sizeof(*opening); i++)
        if (stoa_str_is(s->token.text, opening[i]))
            return 1;
    return stoa_str_is(s->token.text, "end") || stoa_str_is(s->token.text, "until") ? -1 : 0;
}

/* Reads an expression up to the "," ";" or "}" that ends it; the current token is then that. */
static void read_value(struct scan *s, stoa_str path, uint32_t depth)
{
    int32_t inside = 0; /* brackets and blocks */

    while (s->token.kind != TOKEN_END) {
        if (inside <= 0 && (is_symbol(s, ',') || is_symbol(s, ';') || is_symbol(s, '}')))
            return;
        if (is_symbol(s, '{')) {
            read_table(s, path, depth + 1);
            continue;
        }
        if (is_symbol(s, '(') || is_symbol(s, '['))
            inside++;
        else if (is_symbol(s, ')') || is_symbol(s, ']') || is_symbol(s, '}'))
            inside--;
        inside += block_step(s);
        next(s);
    }
}

/* At a field's start: reads `name =`, `["name"] =` or `[1] =` and returns the key; empty when the
 * field is positional (nothing is consumed then). */
static stoa_str read_key(struct scan *s)
{
    struct token first = s->token;
    bool bracket = is_symbol(s, '[');

    if (bracket)
        next(s);
    struct token key = s->token;
    bool named = bracket ? key.kind == TOKEN_STRING : key.kind == TOKEN_NAME;
    next(s);
    if (bracket && is_symbol(s, ']'))
        next(s);
    if (named && is_symbol(s, '=')) {
        next(s);
        if (!is_symbol(s, '='))
            return key.text;
    }
    rewind_to(s, &first);
    return (stoa_str){NULL, 0};
}

/* At "{": records what is inside; the current token is then what follows the matching "}". */
static void read_table(struct scan *s, stoa_str path, uint32_t depth)
{
    int64_t index = 0;

    if (depth > SCAN_DEPTH_MAX) {
        s->token.kind = TOKEN_END;
        s->at = s->text.len;
        return;
    }
    next(s);
    while (s->token.kind != TOKEN_END && !is_symbol(s, '}')) {
        struct token start = s->token;

        if (is_symbol(s, ',') || is_symbol(s, ';')) {
            next(s);
            continue;
        }
        stoa_str key = read_key(s);
        if (!key.ptr)
            key = stoa_str_from_int(s->arena, index++);
        stoa_str below = path_of(s, path, key);
        remember(s, below, &start);
        read_value(s, below, depth);
    }
    next(s);
}

/* Goes behind "stoa.config" or "stoa.config(", onto "{". */
static bool find_config(struct scan *s)
{
    for (next(s); s->token.kind != TOKEN_END; next(s)) {
        if (!is(s, TOKEN_NAME, "config"))
            continue;
        next(s);
        if (is_symbol(s, '('))
            next(s);
        if (is_symbol(s, '{'))
            return true;
    }
    return false;
}

struct scan *scan_text(struct stoa_arena *arena, stoa_str text)
{
    struct scan *s = stoa_new(arena, struct scan);

    s->arena = arena;
    s->text = text;
    s->line = 1;
    if (find_config(s))
        read_table(s, STOA_STR(""), 0);
    return s;
}

static stoa_str parent_of(stoa_str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '.')
        path.len--;
    if (path.len > 0)
        path.len--;
    return path;
}

const struct scan_place *scan_find(const struct scan *scan, stoa_str path)
{
    for (; path.len > 0; path = parent_of(path))
        for (uint32_t i = scan->count; i > 0; i--) /* the last of two equal keys is in force */
            if (stoa_str_eq(scan->places[i - 1].path, path))
                return &scan->places[i - 1];
    return NULL;
}

stoa_str scan_line(stoa_str text, uint32_t line)
{
    stoa_str found = {NULL, 0};

    for (uint32_t i = 0; i < line && text.len > 0; i++)
        found = stoa_str_cut(&text, '\n');
    return found;
}
