/* theme/lexer.c: cuts a template into text, {{ outputs }} and {% tags %}.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compile.h"
#include "text.h"

static const char *find_open(const char *at, const char *end)
{
    while (at < end) {
        at = memchr(at, '{', (size_t)(end - at));
        if (!at || at + 1 >= end)
            return end;
        if (at[1] == '{' || at[1] == '%')
            return at;
        at++;
    }
    return end;
}

static stoa_str trim_start(stoa_str s)
{
    while (s.len > 0 && text_is_space(s.ptr[0]))
        s = (stoa_str){s.ptr + 1, s.len - 1};
    return s;
}

static stoa_str trim_end(stoa_str s)
{
    while (s.len > 0 && text_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The text before the next opening, with white space cut where a tag beside it says so. */
static stoa_str take_text(struct compiler *c)
{
    const char *open = find_open(c->at, c->end);
    stoa_str text = {c->at, (uint64_t)(open - c->at)};

    if (c->trim)
        text = trim_start(text);
    if (open + 2 < c->end && open[2] == '-')
        text = trim_end(text);
    c->trim = false;
    c->at = open;
    return text;
}

/* The closing of a tag or output, which strings may hold without ending it. */
static const char *find_close(const char *at, const char *end, char mark, bool strings)
{
    char quote = 0;

    for (; at + 1 < end; at++) {
        if (quote)
            quote = *at == quote ? 0 : quote;
        else if (strings && (*at == '"' || *at == '\''))
            quote = *at;
        else if (at[0] == mark && at[1] == '}')
            return at;
    }
    return NULL;
}

static void take_tag(struct compiler *c, struct token *ret)
{
    const char *open = c->at, *close;
    bool output = open[1] == '{', comment;

    c->at += 2;
    if (c->at < c->end && *c->at == '-')
        c->at++;
    ret->body = trim_start((stoa_str){c->at, (uint64_t)(c->end - c->at)});
    comment = ret->body.len > 0 && ret->body.ptr[0] == '#';
    close = find_close(c->at, c->end, output ? '}' : '%', !comment);
    if (!close) {
        compile_error(c, open, "'%.2s' is never closed", open);
        compile_hint(c, "write '%s', and close each quote before it", output ? "}}" : "%}");
        ret->kind = TOKEN_END;
        return;
    }
    c->trim = close > c->at && close[-1] == '-';
    ret->kind = output ? TOKEN_OUTPUT : TOKEN_TAG;
    ret->body = stoa_str_trim((stoa_str){c->at, (uint64_t)(close - c->at - c->trim)});
    c->at = close + 2;
}

/* The next line of a liquid tag that holds anything. */
static bool take_line(struct compiler *c, struct token *ret)
{
    while (c->lines.len > 0) {
        ret->body = stoa_str_trim(stoa_str_cut(&c->lines, '\n'));
        ret->kind = TOKEN_TAG;
        if (ret->body.len > 0)
            return true;
    }
    return false;
}

void lexer_next(struct compiler *c, struct token *ret)
{
    *ret = (struct token){.kind = TOKEN_END};
    if (c->failed || take_line(c, ret))
        return;
    ret->body = take_text(c);
    if (ret->body.len > 0)
        ret->kind = TOKEN_TEXT;
    else if (c->at < c->end)
        take_tag(c, ret);
}

/* The word of the tag at open ("{%- word …"), and what follows the tag. */
static stoa_str tag_word(const char *open, const char *end, const char **after)
{
    const char *close = find_close(open + 2, end, '%', false);
    const char *at = open + 2, *from;

    *after = close ? close + 2 : end;
    if (at < end && *at == '-')
        at++;
    while (at < end && text_is_space(*at))
        at++;
    for (from = at; at < end && ((*at >= 'a' && *at <= 'z') || *at == '_');)
        at++;
    return (stoa_str){from, (uint64_t)(at - from)};
}

static stoa_str raw_taken(struct compiler *c, const char *open, const char *after)
{
    stoa_str text = {c->at, (uint64_t)(open - c->at)};

    if (c->trim)
        text = trim_start(text);
    if (open[2] == '-')
        text = trim_end(text);
    c->trim = after - 3 > open && after[-3] == '-';
    c->at = after;
    return text;
}

stoa_str lexer_raw(struct compiler *c, const struct tag *tag, const char *end, bool nested)
{
    const char *open, *after = c->at;
    uint32_t depth = 1;

    while ((open = find_open(after, c->end)) < c->end) {
        stoa_str word;
        if (open[1] != '%') {
            after = open + 1;
            continue;
        }
        word = tag_word(open, c->end, &after);
        if (nested && stoa_str_eq(word, tag->name))
            depth++;
        if (stoa_str_is(word, end) && --depth == 0)
            return raw_taken(c, open, after);
        after = open + 2;
    }
    compile_error(c, tag->name.ptr, "'%.*s' is never closed", (int)tag->name.len, tag->name.ptr);
    compile_hint(c, "write {%% %s %%} after it", end);
    return (stoa_str){c->at, 0};
}
