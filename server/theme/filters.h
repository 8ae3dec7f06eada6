/* theme/filters.h: the table of filters. To add one: write it in the file of its kind and add a
 * line to filters.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_FILTERS_H
#define THEME_FILTERS_H

#include "render.h"

enum { FILTERS_MAX = 96 };

/* One use of a filter. Values it makes live in the render's memory. On an error it calls
 * filter_fail() and returns what that returns. */
struct filter_call {
    struct render *render;
    struct value input;
    struct value args[FILTER_ARGS_MAX]; /* nil where none was given */
    uint32_t arg_count;
    const struct expr_filter *expr; /* for the names of named arguments */
    const struct value *named;
    uint32_t pos;
};

typedef struct value filter_fn(struct filter_call *call);

const struct filter *filter_find(stoa_str name);
/* Fills names (FILTERS_MAX entries); returns how many. */
uint32_t filter_names(const char **names);
/* NULL when a use may have so many arguments; else what it takes, in words. */
const char *filter_check_args(const struct filter *filter, uint32_t count, uint32_t named);
/* Its result is JSON text that may stand in a script. */
bool filter_makes_json(const struct filter *filter);
struct value filter_run(const struct filter *filter, struct filter_call *call);

/* --- for the filters' files --- */
struct value filter_fail(struct filter_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A named argument; nil when it was not given. */
struct value filter_named(const struct filter_call *call, const char *name);
/* Pays for count steps; false when the fuel is used up. */
bool filter_pay(struct filter_call *call, uint64_t count);
/* The value as text: html loses its entities, numbers become digits, nil is empty. False (with the
 * error told) for objects. */
bool filter_text(struct filter_call *call, struct value v, stoa_str *ret);
/* The elements of an array (nil has none; a single value is one). False when out of memory. */
bool filter_items(struct filter_call *call, const struct value **items, uint32_t *count);
/* Room for so many values or bytes; NULL with the error told. */
struct value *filter_new_items(struct filter_call *call, uint64_t count);
char *filter_new_text(struct filter_call *call, uint64_t len);
/* A whole number, also from text; otherwise when nil. False with the error told. */
bool filter_int(struct filter_call *call, struct value v, int64_t otherwise, int64_t *ret);

/* Text under construction, in the render's memory; past the limit it stays as it was. */
struct filter_out {
    struct filter_call *call;
    char *ptr;
    uint64_t len, cap;
    bool failed;
};
void filter_put(struct filter_out *out, stoa_str s);
void filter_put_char(struct filter_out *out, char c);
void filter_put_escaped(struct filter_out *out, stoa_str s);
struct value filter_out_text(const struct filter_out *out);
struct value filter_out_html(const struct filter_out *out);

/* Every filter: X(name, least arguments, most arguments). */
#define FILTERS_STRING(X)                                                                          \
    X(append, 1, 1)                                                                                \
    X(prepend, 1, 1)                                                                               \
    X(upcase, 0, 0)                                                                                \
    X(downcase, 0, 0)                                                                              \
    X(capitalize, 0, 0)                                                                            \
    X(strip, 0, 0)                                                                                 \
    X(lstrip, 0, 0)                                                                                \
    X(rstrip, 0, 0)                                                                                \
    X(strip_html, 0, 0)                                                                            \
    X(strip_newlines, 0, 0)                                                                        \
    X(newline_to_br, 0, 0)                                                                         \
    X(escape, 0, 0)                                                                                \
    X(escape_once, 0, 0)                                                                           \
    X(raw, 0, 0)                                                                                   \
    X(replace, 1, 2)                                                                               \
    X(replace_first, 1, 2)                                                                         \
    X(replace_last, 1, 2)                                                                          \
    X(remove, 1, 1)                                                                                \
    X(remove_first, 1, 1)                                                                          \
    X(remove_last, 1, 1)                                                                           \
    X(truncate, 0, 2)                                                                              \
    X(truncatewords, 0, 2)                                                                         \
    X(split, 1, 1)                                                                                 \
    X(slice, 1, 2)                                                                                 \
    X(handleize, 0, 0)                                                                             \
    X(url_encode, 0, 0)                                                                            \
    X(url_decode, 0, 0)
#define FILTERS_ARRAY(X)                                                                           \
    X(size, 0, 0)                                                                                  \
    X(first, 0, 0)                                                                                 \
    X(last, 0, 0)                                                                                  \
    X(join, 0, 1)                                                                                  \
    X(reverse, 0, 0)                                                                               \
    X(sort, 0, 1)                                                                                  \
    X(sort_natural, 0, 1)                                                                          \
    X(uniq, 0, 1)                                                                                  \
    X(compact, 0, 1)                                                                               \
    X(concat, 1, 1)                                                                                \
    X(map, 1, 1)                                                                                   \
    X(where, 1, 2)                                                                                 \
    X(reject, 1, 2)                                                                                \
    X(find, 1, 2)                                                                                  \
    X(group_by, 1, 1)                                                                              \
    X(sum, 0, 1)
#define FILTERS_MATH(X)                                                                            \
    X(plus, 1, 1)                                                                                  \
    X(minus, 1, 1)                                                                                 \
    X(times, 1, 1)                                                                                 \
    X(divided_by, 1, 1)                                                                            \
    X(modulo, 1, 1)                                                                                \
    X(abs, 0, 0)                                                                                   \
    X(ceil, 0, 0)                                                                                  \
    X(floor, 0, 0)                                                                                 \
    X(round, 0, 1)                                                                                 \
    X(at_least, 1, 1)                                                                              \
    X(at_most, 1, 1)
#define FILTERS_SHOP(X)                                                                            \
    X(default, 1, 1)                                                                               \
    X(json, 0, 0)                                                                                  \
    X(money, 0, 0)                                                                                 \
    X(money_without_currency, 0, 0)                                                                \
    X(date, 1, 1)                                                                                  \
    X(t, 0, 0)                                                                                     \
    X(asset_url, 0, 0)                                                                             \
    X(image_url, 0, 0)

#define X(name, least, most) filter_fn filter_do_##name;
FILTERS_STRING(X)
FILTERS_ARRAY(X)
FILTERS_MATH(X)
FILTERS_SHOP(X)
#undef X

#endif
