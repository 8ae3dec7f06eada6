/* Splits statements into words, as PostgreSQL does (manual, section 4.1 "Lexical Structure").
 * SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/words.h"

#include <ctype.h>
#include <stdio.h>

struct reader {
    struct stoa_arena *arena;
    const char *at;
    struct words *words;
    stoa_str before; /* the word before this one; empty after anything else */
    uint32_t seen;   /* words so far */
    int options;
};

static void refuse(struct reader *r, const char *why, stoa_str word)
{
    if (!r->words->refused[0])
        snprintf(r->words->refused, sizeof(r->words->refused), "%s%s%.*s", why,
                 word.len ? ": " : "", (int)(word.len < 60 ? word.len : 60), word.ptr);
}

static bool is_one_of(stoa_str word, const char *const *list)
{
    for (; *list; list++)
        if (stoa_str_is(word, *list))
            return true;
    return false;
}

/* Functions that reach tables, files or sessions through a text argument, where no check sees them.
 */
static bool reaches_around(stoa_str word)
{
    static const char *const names[] = {
        "set_config",         "ts_stat",        "ts_rewrite", "nextval", "setval", "currval",
        "information_schema", "load_extension", NULL};

    return is_one_of(word, names) || stoa_str_starts(word, STOA_STR("pg_")) ||
           stoa_str_starts(word, STOA_STR("lo_")) || stoa_str_starts(word, STOA_STR("dblink")) ||
           stoa_str_ends(word, STOA_STR("_to_xml")) ||
           stoa_str_ends(word, STOA_STR("_to_xmlschema")) ||
           stoa_str_ends(word, STOA_STR("_to_xml_and_xmlschema"));
}

static void check_keyword(struct reader *r, stoa_str word)
{
    static const char *const verbs[] = {"select", "insert", "update", "delete",
                                        "with",   "values", NULL};
    static const char *const writes[] = {"insert", "update", "delete", "merge", NULL};

    if (r->seen == 0 && !is_one_of(word, verbs))
        refuse(r, "only SELECT, INSERT, UPDATE, DELETE, WITH and VALUES are run", word);
    if ((r->options & WORDS_READ_ONLY) && is_one_of(word, writes))
        refuse(r, "it is declared STOA_SQL_READ and writes", word);
    if (stoa_str_is(word, "into") && !stoa_str_is(r->before, "insert"))
        refuse(r, "SELECT INTO makes a table; migrations do that", STOA_STR(""));
}

static void keep_word(struct reader *r, stoa_str word)
{
    struct words *words = r->words;

    for (uint32_t i = 0; i < words->count; i++)
        if (stoa_str_eq(words->list[i], word))
            return;
    if (words->count == WORDS_MAX)
        refuse(r, "it has more than 400 different words", STOA_STR(""));
    else
        words->list[words->count++] = word;
}

static void take_word(struct reader *r, stoa_str word, bool quoted)
{
    if (!quoted)
        check_keyword(r, word);
    else if (r->seen == 0)
        refuse(r, "it begins with a quoted name", word);
    if (!(r->options & WORDS_HOST) && reaches_around(word))
        refuse(r, "it uses what plugins may not", word);
    keep_word(r, word);
    r->before = quoted ? STOA_STR("") : word;
    r->seen++;
}

/* Past a closing quote; a doubled one stands for itself, and with escapes a backslash hides one. */
static stoa_str skip_quoted(struct reader *r, char quote, bool escapes)
{
    const char *from = ++r->at;

    for (; *r->at; r->at++) {
        if (escapes && *r->at == '\\' && r->at[1])
            r->at++;
        else if (*r->at == quote && r->at[1] == quote)
            r->at++;
        else if (*r->at == quote)
            break;
    }
    stoa_str inside = {from, (uint64_t)(r->at - from)};
    if (*r->at)
        r->at++;
    else
        refuse(r, "a quote is not closed", STOA_STR(""));
    return inside;
}

static stoa_str undouble(struct reader *r, stoa_str inside)
{
    struct stoa_buf name;

    stoa_buf_init(&name, r->arena, inside.len + 1);
    for (uint64_t i = 0; i < inside.len; i++) {
        stoa_buf_char(&name, inside.ptr[i]);
        if (inside.ptr[i] == '"')
            i++;
    }
    return stoa_buf_str(&name);
}

/* Comments nest. */
static void skip_comment(struct reader *r)
{
    uint32_t depth = 0;

    do {
        if (r->at[0] == '/' && r->at[1] == '*') {
            depth++;
            r->at += 2;
        } else if (r->at[0] == '*' && r->at[1] == '/') {
            depth--;
            r->at += 2;
        } else {
            r->at++;
        }
    } while (depth && *r->at);
}

static bool word_begins(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (c & 0x80);
}

static bool word_goes_on(char c)
{
    return word_begins(c) || isdigit((unsigned char)c) || c == '$';
}

static void read_word(struct reader *r)
{
    const char *from = r->at;

    while (word_goes_on(*r->at))
        r->at++;
    char *word = stoa_cstr(r->arena, (stoa_str){from, (uint64_t)(r->at - from)});
    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (*r->at == '\'' && strcmp(word, "e") == 0)
        skip_quoted(r, '\'', true);
    else if (strcmp(word, "u") == 0 && *r->at == '&')
        refuse(r, "it spells names with U&", STOA_STR(""));
    else
        take_word(r, stoa_str_of(word), false);
}

/* $1 is a parameter; $tag$ … $tag$ a string. */
static void read_dollar(struct reader *r)
{
    const char *tag = r->at++;

    while (word_goes_on(*r->at) && *r->at != '$')
        r->at++;
    if (*r->at == '$')
        refuse(r, "it quotes a string with dollars", STOA_STR(""));
    else if (r->at == tag + 1)
        refuse(r, "a $ without a number", STOA_STR(""));
}

static void read_number(struct reader *r)
{
    while (isalnum((unsigned char)*r->at) || *r->at == '.' || *r->at == '_')
        r->at++;
}

static void read_next(struct reader *r)
{
    char c = *r->at;

    if (c == '-' && r->at[1] == '-')
        r->at += strcspn(r->at, "\r\n");
    else if (c == '/' && r->at[1] == '*')
        skip_comment(r);
    else if (isspace((unsigned char)c))
        r->at++;
    else if (word_begins(c))
        read_word(r);
    else if (c == '"')
        take_word(r, undouble(r, skip_quoted(r, '"', false)), true);
    else if (c == '\'')
        skip_quoted(r, '\'', false);
    else if (c == '$')
        read_dollar(r);
    else if (isdigit((unsigned char)c))
        read_number(r);
    else {
        if (c == ';' || c == '`' || c == '[')
            refuse(r, c == ';' ? "it is more than one statement" : "it quotes as one dialect does",
                   STOA_STR(""));
        r->before = STOA_STR("");
        r->at++;
    }
}

void words_read(struct stoa_arena *arena, const char *text, int options, struct words *ret)
{
    struct reader r = {.arena = arena, .at = text, .words = ret, .options = options};

    ret->count = 0;
    ret->refused[0] = 0;
    while (*r.at)
        read_next(&r);
    if (r.seen == 0)
        refuse(&r, "it is empty", STOA_STR(""));
}
