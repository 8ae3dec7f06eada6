/* theme/value.h: what an expression of a template is worth. Passed by value; what it points to
 * lives in the data, the theme or the render's memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_VALUE_H
#define THEME_VALUE_H

#include "memory.h"
#include <stoa/json.h>

enum value_kind {
    VALUE_UNSET, /* a slot nobody has written: the global of that name counts */
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_REAL,
    VALUE_TEXT, /* escaped wherever it is written */
    VALUE_HTML, /* markup that was made from escaped parts or is the host's */
    VALUE_JSON, /* an array or an object of the data */
    VALUE_LIST, /* made while rendering */
    VALUE_MAP,  /* made while rendering: name, value, name, value, … */
    VALUE_RANGE,
    VALUE_LOOP, /* forloop */
    VALUE_EMPTY,
    VALUE_BLANK,
};

struct value_range {
    int64_t from, to; /* both included */
};

struct value_loop {
    const struct value_loop *parent;
    uint32_t index, count; /* index from 0 */
};

struct value {
    uint32_t kind;
    uint32_t len; /* bytes of text, elements of a list, pairs of a map */
    union {
        bool yes;
        int64_t whole;
        double real;
        const char *text;
        const struct stoa_json *json;
        const struct value *items;
        const struct value_range *range;
        const struct value_loop *loop;
    } as;
};
static_assert(sizeof(struct value) == 16, "values travel in two registers");

static inline struct value value_nil(void)
{
    return (struct value){.kind = VALUE_NIL};
}
static inline struct value value_bool(bool yes)
{
    return (struct value){.kind = VALUE_BOOL, .as.yes = yes};
}
static inline struct value value_int(int64_t whole)
{
    return (struct value){.kind = VALUE_INT, .as.whole = whole};
}
static inline struct value value_real(double real)
{
    return (struct value){.kind = VALUE_REAL, .as.real = real};
}
static inline struct value value_text(stoa_str s)
{
    return (struct value){.kind = VALUE_TEXT, .len = (uint32_t)s.len, .as.text = s.ptr};
}
static inline struct value value_html(stoa_str s)
{
    return (struct value){.kind = VALUE_HTML, .len = (uint32_t)s.len, .as.text = s.ptr};
}
static inline struct value value_list(const struct value *items, uint32_t count)
{
    return (struct value){.kind = VALUE_LIST, .len = count, .as.items = items};
}
static inline bool value_is_str(struct value v) /* text or html */
{
    return v.kind == VALUE_TEXT || v.kind == VALUE_HTML;
}
static inline stoa_str value_str(struct value v) /* of text or html */
{
    return (stoa_str){v.as.text, v.len};
}
static inline bool value_is_true(struct value v) /* nil and false are not; all else is */
{
    return v.kind != VALUE_NIL && (v.kind != VALUE_BOOL || v.as.yes);
}

/* Scalars become values; arrays and objects stay where they are. NULL is nil. */
struct value value_of_json(const struct stoa_json *json);
bool value_is_array(struct value v);  /* list, range, or an array of the data */
bool value_is_object(struct value v); /* map, or an object of the data */
bool value_is_money(struct value v);  /* an object with amount and currency */
/* Elements, members, or characters of a text; 0 for the rest. */
uint64_t value_size(struct value v);
/* Element of an array; nil outside. */
struct value value_at(struct value v, uint64_t index);
/* Member of an object; nil when there is none. */
struct value value_member(struct value v, stoa_str name);
bool value_equal(struct value a, struct value b);
/* False when the two have no order; else *ret is <0, 0 or >0. */
bool value_order(struct value a, struct value b, int *ret);
/* Whether a contains b: text in text, an element in an array, a name in an object. */
bool value_contains(struct value a, struct value b);
/* A number, or text that is one; nil counts as 0. False otherwise. */
bool value_number(struct value v, struct value *ret);
/* A number's text: room for 40 bytes at buf; returns the length. */
uint32_t value_number_text(struct value v, char *buf);
/* "an array", for messages. */
const char *value_kind_name(struct value v);

/* Walks an array (or the pairs of an object, each a list of name and value). */
struct value_walk {
    struct value over;
    const struct stoa_json *at;
    uint64_t index;
};
void value_walk_init(struct value_walk *walk, struct value over);
/* False at the end. Pairs are taken from memory; nil when it is used up. */
bool value_walk_next(struct value_walk *walk, struct memory *memory, struct value *ret);

#endif
