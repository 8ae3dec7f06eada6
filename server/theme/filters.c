/* theme/filters.c: the table, and what filters have in common.
 * SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include "text.h"
#include <stdarg.h>
#include <stdio.h>

struct filter {
    const char *name;
    filter_fn *fn;
    uint8_t least, most;
    bool named; /* takes name: value arguments */
};

#define X(name, least, most) {#name, filter_do_##name, least, most, false},
#define X_NAMED(name, least, most) {#name, filter_do_##name, least, most, true},
static const struct filter filters[] = {
    FILTERS_STRING(X) FILTERS_ARRAY(X) FILTERS_MATH(X) FILTERS_SHOP(X_NAMED)
    /* other names theme authors know */
    {"handle", filter_do_handleize, 0, 0, false},
    {"translate", filter_do_t, 0, 0, true},
};
#undef X
#undef X_NAMED
enum { FILTER_COUNT = sizeof(filters) / sizeof(filters[0]) };
static_assert((int)FILTER_COUNT <= (int)FILTERS_MAX, "room for every name");

const struct filter *filter_find(stoa_str name)
{
    for (uint32_t i = 0; i < FILTER_COUNT; i++)
        if (stoa_str_is(name, filters[i].name))
            return &filters[i];
    return NULL;
}

uint32_t filter_names(const char **names)
{
    for (uint32_t i = 0; i < FILTER_COUNT; i++)
        names[i] = filters[i].name;
    return FILTER_COUNT;
}

const char *filter_check_args(const struct filter *filter, uint32_t count, uint32_t named)
{
    static const char *const words[3][4] = {
        {"no argument", "at most one argument", "at most two arguments", "at most three"},
        {"", "one argument", "one or two arguments", "one to three arguments"},
        {"", "", "two arguments", "two or three arguments"},
    };
    if (count >= filter->least && count <= filter->most && (named == 0 || filter->named))
        return NULL;
    return named > 0 && !filter->named ? "no named arguments" : words[filter->least][filter->most];
}

bool filter_makes_json(const struct filter *filter)
{
    return filter->fn == filter_do_json;
}

struct value filter_run(const struct filter *filter, struct filter_call *call)
{
    return filter->fn(call);
}

struct value filter_fail(struct filter_call *call, const char *format, ...)
{
    char message[200];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    render_fail(call->render, STOA_E_INVALID, call->pos, "%s", message);
    return value_nil();
}

struct value filter_named(const struct filter_call *call, const char *name)
{
    for (uint32_t i = 0; i < call->expr->named_count; i++)
        if (stoa_str_is(call->expr->named[i].name, name))
            return call->named[i];
    return value_nil();
}

bool filter_pay(struct filter_call *call, uint64_t count)
{
    return render_pay(call->render, count, call->pos);
}

struct value *filter_new_items(struct filter_call *call, uint64_t count)
{
    return render_take(call->render, count * sizeof(struct value), call->pos);
}

char *filter_new_text(struct filter_call *call, uint64_t len)
{
    return render_take(call->render, len, call->pos);
}

/* --- text --- */

static const struct {
    stoa_str entity;
    char c;
} entities[] = {
    {{"&amp;", 5}, '&'},  {{"&lt;", 4}, '<'},   {{"&gt;", 4}, '>'},
    {{"&quot;", 6}, '"'}, {{"&#39;", 5}, '\''},
};

/* html that goes on as text: without the entities that escaping put there, for they will be put
 * there again. */
static bool text_of_html(struct filter_call *call, stoa_str s, stoa_str *ret)
{
    char *to = filter_new_text(call, s.len);
    uint64_t len = 0;

    if (!to || !filter_pay(call, s.len / 64))
        return false;
    for (uint64_t i = 0; i < s.len; len++) {
        stoa_str left = {s.ptr + i, s.len - i};
        uint64_t taken = 1;
        to[len] = s.ptr[i];
        for (uint32_t k = 0; s.ptr[i] == '&' && k < sizeof(entities) / sizeof(entities[0]); k++) {
            if (stoa_str_starts(left, entities[k].entity)) {
                to[len] = entities[k].c;
                taken = entities[k].entity.len;
                break;
            }
        }
        i += taken;
    }
    *ret = (stoa_str){to, len};
    return true;
}

static bool text_of_number(struct filter_call *call, struct value v, stoa_str *ret)
{
    char *to = filter_new_text(call, 40);
    if (!to)
        return false;
    *ret = (stoa_str){to, value_number_text(v, to)};
    return true;
}

bool filter_text(struct filter_call *call, struct value v, stoa_str *ret)
{
    *ret = (stoa_str){"", 0};
    switch (v.kind) {
    case VALUE_TEXT:
        *ret = value_str(v);
        return filter_pay(call, v.len / 64);
    case VALUE_HTML:
        return text_of_html(call, value_str(v), ret);
    case VALUE_INT:
    case VALUE_REAL:
        return text_of_number(call, v, ret);
    case VALUE_BOOL:
        *ret = v.as.yes ? STOA_STR("true") : STOA_STR("false");
        return true;
    case VALUE_UNSET:
    case VALUE_NIL:
    case VALUE_EMPTY:
    case VALUE_BLANK:
        return true;
    default:
        filter_fail(call, "text is wanted here, not %s", value_kind_name(v));
        return false;
    }
}

bool filter_int(struct filter_call *call, struct value v, int64_t otherwise, int64_t *ret)
{
    struct value number;

    *ret = otherwise;
    if (v.kind == VALUE_NIL)
        return true;
    if (!value_number(v, &number) || number.kind != VALUE_INT) {
        filter_fail(call, "a whole number is wanted here, not %s", value_kind_name(v));
        return false;
    }
    *ret = number.as.whole;
    return true;
}

bool filter_items(struct filter_call *call, const struct value **items, uint32_t *count)
{
    struct value_walk walk;
    struct value *to, input = call->input;
    uint64_t size = value_size(input), n = 0;

    *count = 0;
    *items = NULL;
    if (input.kind == VALUE_NIL)
        return true;
    if (!value_is_array(input))
        size = 1;
    if (size > UINT32_MAX || !filter_pay(call, size) || !(to = filter_new_items(call, size)))
        return false;
    *items = to;
    *count = (uint32_t)size;
    if (!value_is_array(input)) {
        to[0] = input;
        return true;
    }
    value_walk_init(&walk, input);
    while (n < size && value_walk_next(&walk, NULL, &to[n]))
        n++;
    return true;
}

/* --- text under construction --- */

static bool out_grow(struct filter_out *out, uint64_t more)
{
    uint64_t cap = (out->len + more) * 2 + 32;
    char *ptr;

    if (out->failed || out->len + more > UINT32_MAX)
        return false;
    if (out->len + more <= out->cap)
        return true;
    ptr = filter_new_text(out->call, cap);
    if (!ptr) {
        out->failed = true;
        return false;
    }
    if (out->len > 0)
        memcpy(ptr, out->ptr, out->len);
    out->ptr = ptr;
    out->cap = cap;
    return true;
}

void filter_put(struct filter_out *out, stoa_str s)
{
    if (s.len == 0 || !out_grow(out, s.len))
        return;
    memcpy(out->ptr + out->len, s.ptr, s.len);
    out->len += s.len;
}

void filter_put_char(struct filter_out *out, char c)
{
    filter_put(out, (stoa_str){&c, 1});
}

void filter_put_escaped(struct filter_out *out, stoa_str s)
{
    uint64_t from = 0;

    for (uint64_t i = 0; i < s.len; i++) {
        const char *entity = text_entity(s.ptr[i], false);
        if (!entity)
            continue;
        filter_put(out, (stoa_str){s.ptr + from, i - from});
        filter_put(out, stoa_str_of(entity));
        from = i + 1;
    }
    filter_put(out, (stoa_str){s.ptr + from, s.len - from});
}

struct value filter_out_text(const struct filter_out *out)
{
    return value_text((stoa_str){out->ptr ? out->ptr : "", out->len});
}

struct value filter_out_html(const struct filter_out *out)
{
    return value_html((stoa_str){out->ptr ? out->ptr : "", out->len});
}
