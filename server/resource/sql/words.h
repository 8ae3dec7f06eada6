/* resource/sql/words.h: what can be said about a statement from its text alone, on any database.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_WORDS_H
#define RESOURCE_SQL_WORDS_H

#include <stoa/str.h>

enum { WORDS_MAX = 400 };

struct words {
    stoa_str list[WORDS_MAX]; /* distinct names: lower case unless quoted */
    uint32_t count;
    char refused[160]; /* why this is no statement for a plugin; empty when it is one */
};
/* WORDS_HOST: may call the database's own functions (pg_…), which a plugin may not. */
enum { WORDS_READ_ONLY = 1, WORDS_HOST = 2 };
/* Splits text. A statement is one SELECT, INSERT, UPDATE, DELETE, WITH or VALUES; a read-only one
 * holds no word that writes. Names live in the arena. */
void words_read(struct stoa_arena *arena, const char *text, int options, struct words *ret);

#endif
