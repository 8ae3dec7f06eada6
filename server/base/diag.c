/* base/diag.c: an error in a file: where, what, and how to mend it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORD_MAX = 64 }; /* longer words are no typing errors */

void diag_set(struct diag *diag, const char *file, uint32_t line, uint32_t column,
              const char *format, ...)
{
    va_list args;

    *diag = (struct diag){.line = line, .column = column};
    snprintf(diag->file, sizeof(diag->file), "%s", file ? file : "");
    va_start(args, format);
    vsnprintf(diag->message, sizeof(diag->message), format, args);
    va_end(args);
}

void diag_hint(struct diag *diag, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(diag->hint, sizeof(diag->hint), format, args);
    va_end(args);
}

static void put(struct stoa_buf *out, const char *text)
{
    stoa_buf_put(out, stoa_str_of(text));
}

/* The line and, below the column, a caret. Tabs stay tabs so that the caret stands right. */
static void put_source(const struct diag *diag, struct stoa_buf *out)
{
    uint64_t len = strlen(diag->source);

    put(out, "\n    ");
    put(out, diag->source);
    if (!diag->column || diag->column > len + 1)
        return;
    put(out, "\n    ");
    for (uint32_t i = 0; i + 1 < diag->column; i++) {
        unsigned char c = (unsigned char)diag->source[i];
        if ((c & 0xc0) != 0x80) /* one column a character, not a byte */
            stoa_buf_char(out, c == '\t' ? '\t' : ' ');
    }
    stoa_buf_char(out, '^');
}

void diag_format(const struct diag *diag, struct stoa_buf *out)
{
    put(out, diag->file);
    if (diag->line) {
        put(out, ":");
        stoa_buf_int(out, diag->line);
    }
    if (diag->line && diag->column) {
        put(out, ":");
        stoa_buf_int(out, diag->column);
    }
    put(out, diag->file[0] || diag->line ? ": " : "");
    put(out, diag->message);
    if (diag->hint[0]) {
        put(out, "; ");
        put(out, diag->hint);
    }
    if (diag->source[0])
        put_source(diag, out);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many insertions, deletions, replacements and swaps of neighbours make b of a. Keeps the last
 * three rows of the table. */
static uint32_t distance(stoa_str a, stoa_str b)
{
    uint32_t rows[3][WORD_MAX + 1];
    uint32_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (uint32_t j = 0; j <= b.len; j++)
        above[j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            uint32_t differs = a.ptr[i - 1] != b.ptr[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + differs);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        uint32_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.len];
}

/* In a short word two errors would find anything. */
static uint32_t tolerance(uint64_t len)
{
    if (len < 4)
        return 1;
    return len / 3 > 2 ? (uint32_t)(len / 3) : 2;
}

const char *diag_did_you_mean(const char *word, const char *const *candidates, uint32_t count)
{
    stoa_str given = stoa_str_of(word);
    uint32_t best = tolerance(given.len) + 1;
    const char *found = NULL;

    if (!given.len || given.len > WORD_MAX)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        stoa_str candidate = stoa_str_of(candidates[i]);
        if (!candidate.len || candidate.len > WORD_MAX)
            continue;
        uint32_t far = distance(given, candidate);
        if (far < best && far < candidate.len) {
            best = far;
            found = candidates[i];
        }
    }
    return found;
}
