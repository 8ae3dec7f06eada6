/* stoa/write.h: JSON written at once, without a tree (stoa/json.h): for an answer that is built in
 * order and only sent, at a third of the work. SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_WRITE_H
#define STOA_WRITE_H

#include "money.h"
#include "str.h"

enum { STOA_WRITE_DEPTH_MAX = 64 };

/* On the stack; its members are stoa_write_…()'s. */
struct stoa_writer {
    struct stoa_buf text;
    uint64_t arrays; /* a bit for each level that is open: it is an array */
    uint32_t depth;
    bool is_behind; /* another value: a comma comes first */
};

/* A member's name is part of the code, never of the data: a literal of letters, digits and '_'. */
struct stoa_name {
    const char *ptr; /* in quotes, with its colon; NULL: none */
    uint64_t len;
};
#define STOA_NAME(literal) ((struct stoa_name){"\"" literal "\":", sizeof(literal) + 2})
/* Of an array's element, and of what is not in anything. */
#define STOA_UNNAMED ((struct stoa_name){NULL, 0})

/* hint: bytes to be expected. The text is in the arena. */
STOA_API void stoa_write_begin(struct stoa_writer *w, struct stoa_arena *arena, uint64_t hint);
/* What is opened is ended, in order; asserted, as are members without a name, elements with one,
 * and a second value that is not in anything. */
STOA_API void stoa_write_object(struct stoa_writer *w, struct stoa_name name);
STOA_API void stoa_write_array(struct stoa_writer *w, struct stoa_name name);
STOA_API void stoa_write_end(struct stoa_writer *w);
/* Escaped as by stoa_json_format(). */
STOA_API void stoa_write_str(struct stoa_writer *w, struct stoa_name name, stoa_str v);
STOA_API void stoa_write_int(struct stoa_writer *w, struct stoa_name name, int64_t v);
STOA_API void stoa_write_bool(struct stoa_writer *w, struct stoa_name name, bool v);
/* {"amount": int, "currency": "EUR"} */
STOA_API void stoa_write_money(struct stoa_writer *w, struct stoa_name name, stoa_money v);
/* What text says; limits and errors as in stoa_json_parse(). An error writes nothing. */
STOA_NODISCARD STOA_API stoa_err stoa_write_parsed(struct stoa_writer *w, struct stoa_name name,
                                                   stoa_str text);
/* The text; everything has been ended, asserted. */
STOA_API stoa_str stoa_write_finish(struct stoa_writer *w);

#endif
