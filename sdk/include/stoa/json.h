/* stoa/json.h: trees of JSON (RFC 8259) in an arena. Immutable once handed to anyone else.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_JSON_H
#define STOA_JSON_H

#include "money.h"
#include "str.h"

struct stoa_json; /* one node; every reader takes NULL for "not there" */

typedef enum stoa_json_kind {
    STOA_JSON_NONE, /* NULL was asked */
    STOA_JSON_NULL,
    STOA_JSON_BOOL,
    STOA_JSON_INT,  /* fits int64_t */
    STOA_JSON_REAL, /* any other number; never money */
    STOA_JSON_STRING,
    STOA_JSON_ARRAY,
    STOA_JSON_OBJECT,
} stoa_json_kind;

/* Where and why a text is not JSON. */
struct stoa_json_error {
    uint32_t line, column; /* from 1 */
    char reason[120];
};

/* Reads text whole: at most 32 levels deep, 20,000 nodes, 1 MiB, keys of 256 bytes, no duplicate
 * keys, UTF-8 only. STOA_E_BAD_REQUEST otherwise, with *error filled unless NULL. The tree copies
 * what it keeps. */
STOA_NODISCARD STOA_API stoa_err stoa_json_parse(struct stoa_arena *arena, stoa_str text,
                                                 struct stoa_json_error *error,
                                                 const struct stoa_json **ret);
/* Appends compact JSON. '<', '>', '&', U+2028 and U+2029 are escaped, so that it may stand in HTML.
 */
STOA_API void stoa_json_format(const struct stoa_json *json, struct stoa_buf *out);

/* Reading. path: "a.b.0.c" goes down objects by name and arrays by index; "" is the node itself. */
STOA_API stoa_json_kind stoa_json_type(const struct stoa_json *json);
STOA_API const struct stoa_json *stoa_json_get(const struct stoa_json *json, const char *path);
/* Member by exact name (dots have no meaning). */
STOA_API const struct stoa_json *stoa_json_member(const struct stoa_json *json, stoa_str name);
STOA_API stoa_str stoa_json_str(const struct stoa_json *json, const char *path); /* else empty */
STOA_API int64_t stoa_json_int(const struct stoa_json *json, const char *path, int64_t otherwise);
STOA_API double stoa_json_real(const struct stoa_json *json, const char *path, double otherwise);
STOA_API bool stoa_json_true(const struct stoa_json *json, const char *path); /* only for true */
/* {"amount": int, "currency": "EUR"}. STOA_E_INVALID otherwise; *ret untouched. */
STOA_NODISCARD STOA_API stoa_err stoa_json_money(const struct stoa_json *json, const char *path,
                                                 stoa_money *ret);
/* Members or elements; 0 for everything else. */
STOA_API uint32_t stoa_json_count(const struct stoa_json *json);
STOA_API const struct stoa_json *stoa_json_at(const struct stoa_json *json, uint32_t index);
STOA_API stoa_str stoa_json_name_at(const struct stoa_json *json, uint32_t index);
/* Walks an array or object in order, O(1) a step: for (e = stoa_json_first(j); e; e =
 * stoa_json_next(e)) */
STOA_API const struct stoa_json *stoa_json_first(const struct stoa_json *json);
STOA_API const struct stoa_json *stoa_json_next(const struct stoa_json *element);
STOA_API stoa_str stoa_json_name(const struct stoa_json *member);

/* Building. A node is put into one parent only; asserted. Strings are copied into the arena. */
STOA_API struct stoa_json *stoa_json_object(struct stoa_arena *arena);
STOA_API struct stoa_json *stoa_json_array(struct stoa_arena *arena);
STOA_API struct stoa_json *stoa_json_new_null(struct stoa_arena *arena);
STOA_API struct stoa_json *stoa_json_new_bool(struct stoa_arena *arena, bool v);
STOA_API struct stoa_json *stoa_json_new_int(struct stoa_arena *arena, int64_t v);
STOA_API struct stoa_json *stoa_json_new_real(struct stoa_arena *arena, double v);
STOA_API struct stoa_json *stoa_json_new_str(struct stoa_arena *arena, stoa_str v);
STOA_API struct stoa_json *stoa_json_new_money(struct stoa_arena *arena, stoa_money v);
/* A deep copy, for putting a part of one tree into another. */
STOA_API struct stoa_json *stoa_json_copy(struct stoa_arena *arena, const struct stoa_json *json);
/* Appends a member; name is copied. An existing name is replaced. Returns value. */
STOA_API struct stoa_json *stoa_json_set(struct stoa_json *object, const char *name,
                                         struct stoa_json *value);
STOA_API void stoa_json_set_str(struct stoa_json *object, const char *name, stoa_str v);
STOA_API void stoa_json_set_int(struct stoa_json *object, const char *name, int64_t v);
STOA_API void stoa_json_set_bool(struct stoa_json *object, const char *name, bool v);
STOA_API void stoa_json_set_money(struct stoa_json *object, const char *name, stoa_money v);
/* Sets what text says; limits and errors as in stoa_json_parse(). An error changes nothing. */
STOA_NODISCARD STOA_API stoa_err stoa_json_set_parsed(struct stoa_json *object, const char *name,
                                                      stoa_str text);
STOA_API struct stoa_json *stoa_json_push(struct stoa_json *array, struct stoa_json *value);

#endif
