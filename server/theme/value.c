/* theme/value.c: equality, order and access of template values.
 * SPDX-License-Identifier: Apache-2.0 */
#include "value.h"
#include "text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct value value_of_json(const struct stoa_json *json)
{
    switch (stoa_json_type(json)) {
    case STOA_JSON_BOOL:
        return value_bool(stoa_json_true(json, ""));
    case STOA_JSON_INT:
        return value_int(stoa_json_int(json, "", 0));
    case STOA_JSON_REAL:
        return value_real(stoa_json_real(json, "", 0));
    case STOA_JSON_STRING:
        return value_text(stoa_json_str(json, ""));
    case STOA_JSON_ARRAY:
    case STOA_JSON_OBJECT:
        return (struct value){.kind = VALUE_JSON, .as.json = json};
    default:
        return value_nil();
    }
}

static bool is_json(struct value v, stoa_json_kind kind)
{
    return v.kind == VALUE_JSON && stoa_json_type(v.as.json) == kind;
}

bool value_is_array(struct value v)
{
    return v.kind == VALUE_LIST || v.kind == VALUE_RANGE || is_json(v, STOA_JSON_ARRAY);
}

bool value_is_object(struct value v)
{
    return v.kind == VALUE_MAP || is_json(v, STOA_JSON_OBJECT);
}

bool value_is_money(struct value v)
{
    return is_json(v, STOA_JSON_OBJECT) &&
           stoa_json_type(stoa_json_member(v.as.json, STOA_STR("amount"))) == STOA_JSON_INT &&
           stoa_json_type(stoa_json_member(v.as.json, STOA_STR("currency"))) == STOA_JSON_STRING;
}

static uint64_t range_size(const struct value_range *range)
{
    uint64_t steps = (uint64_t)range->to - (uint64_t)range->from;

    if (range->to < range->from)
        return 0;
    return steps == UINT64_MAX ? steps : steps + 1;
}

uint64_t value_size(struct value v)
{
    switch (v.kind) {
    case VALUE_TEXT:
    case VALUE_HTML:
        return text_chars(value_str(v));
    case VALUE_JSON:
        return stoa_json_count(v.as.json);
    case VALUE_LIST:
    case VALUE_MAP:
        return v.len;
    case VALUE_RANGE:
        return range_size(v.as.range);
    default:
        return 0;
    }
}

struct value value_at(struct value v, uint64_t index)
{
    if (index >= value_size(v))
        return value_nil();
    if (v.kind == VALUE_LIST)
        return v.as.items[index];
    if (v.kind == VALUE_RANGE)
        return value_int((int64_t)((uint64_t)v.as.range->from + index));
    if (is_json(v, STOA_JSON_ARRAY))
        return value_of_json(stoa_json_at(v.as.json, (uint32_t)index));
    return value_nil();
}

struct value value_member(struct value v, stoa_str name)
{
    if (v.kind == VALUE_JSON)
        return value_of_json(stoa_json_member(v.as.json, name));
    if (v.kind != VALUE_MAP)
        return value_nil();
    for (uint32_t i = 0; i < v.len; i++)
        if (stoa_str_eq(value_str(v.as.items[2 * i]), name))
            return v.as.items[2 * i + 1];
    return value_nil();
}

static bool is_number(struct value v)
{
    return v.kind == VALUE_INT || v.kind == VALUE_REAL;
}

static double real_of(struct value v)
{
    return v.kind == VALUE_INT ? (double)v.as.whole : v.as.real;
}

static bool is_empty(struct value v)
{
    if (value_is_str(v))
        return v.len == 0;
    return (value_is_array(v) || value_is_object(v)) && value_size(v) == 0;
}

static bool is_blank(struct value v)
{
    if (value_is_str(v))
        return stoa_str_trim(value_str(v)).len == 0;
    return !value_is_true(v) || is_empty(v);
}

static bool money_equal(struct value a, struct value b)
{
    stoa_money left, right;
    return stoa_json_money(a.as.json, "", &left) == STOA_OK &&
           stoa_json_money(b.as.json, "", &right) == STOA_OK && stoa_money_eq(left, right);
}

static bool equal_special(struct value special, struct value v)
{
    return special.kind == VALUE_EMPTY ? is_empty(v) : is_blank(v);
}

static bool same_text(struct value a, struct value b)
{
    return a.as.text == b.as.text ? a.len == b.len : stoa_str_eq(value_str(a), value_str(b));
}

/* Of one kind, and neither text nor a number. */
static bool same_thing(struct value a, struct value b)
{
    if (a.kind == VALUE_BOOL)
        return a.as.yes == b.as.yes;
    if (value_is_money(a) && value_is_money(b))
        return money_equal(a, b);
    return a.kind == VALUE_NIL || (a.as.items == b.as.items && a.len == b.len);
}

bool value_equal(struct value a, struct value b)
{
    if (a.kind == VALUE_EMPTY || a.kind == VALUE_BLANK)
        return equal_special(a, b);
    if (b.kind == VALUE_EMPTY || b.kind == VALUE_BLANK)
        return equal_special(b, a);
    if (value_is_str(a) && value_is_str(b))
        return same_text(a, b);
    if (a.kind == VALUE_INT && b.kind == VALUE_INT)
        return a.as.whole == b.as.whole;
    if (is_number(a) && is_number(b))
        return real_of(a) == real_of(b);
    return a.kind == b.kind && same_thing(a, b);
}

static bool money_order(struct value a, struct value b, int *ret)
{
    stoa_money left, right;
    if (stoa_json_money(a.as.json, "", &left) != STOA_OK ||
        stoa_json_money(b.as.json, "", &right) != STOA_OK || strcmp(left.cur, right.cur) != 0)
        return false;
    *ret = (left.minor > right.minor) - (left.minor < right.minor);
    return true;
}

bool value_order(struct value a, struct value b, int *ret)
{
    if (a.kind == VALUE_INT && b.kind == VALUE_INT) {
        *ret = (a.as.whole > b.as.whole) - (a.as.whole < b.as.whole);
        return true;
    }
    if (is_number(a) && is_number(b)) {
        *ret = (real_of(a) > real_of(b)) - (real_of(a) < real_of(b));
        return !isnan(real_of(a)) && !isnan(real_of(b));
    }
    if (value_is_str(a) && value_is_str(b)) {
        uint32_t least = a.len < b.len ? a.len : b.len;
        *ret = least ? memcmp(a.as.text, b.as.text, least) : 0;
        if (*ret == 0)
            *ret = (a.len > b.len) - (a.len < b.len);
        return true;
    }
    return value_is_money(a) && value_is_money(b) && money_order(a, b, ret);
}

bool value_contains(struct value a, struct value b)
{
    struct value_walk walk;
    struct value element;

    if (value_is_str(a))
        return value_is_str(b) && (b.len == 0 || text_find(value_str(a), value_str(b), 0) >= 0);
    if (value_is_object(a))
        return value_is_str(b) && value_member(a, value_str(b)).kind != VALUE_NIL;
    if (!value_is_array(a))
        return false;
    value_walk_init(&walk, a);
    while (value_walk_next(&walk, NULL, &element))
        if (value_equal(element, b))
            return true;
    return false;
}

static bool number_of_text(stoa_str s, struct value *ret)
{
    char buf[40], *end;
    int64_t whole;

    s = stoa_str_trim(s);
    if (stoa_str_int(s, INT64_MIN, INT64_MAX, &whole) == STOA_OK) {
        *ret = value_int(whole);
        return true;
    }
    if (s.len == 0 || s.len >= sizeof(buf) || strspn(s.ptr, "+-.0123456789eE") < s.len)
        return false;
    memcpy(buf, s.ptr, s.len);
    buf[s.len] = 0;
    *ret = value_real(strtod(buf, &end));
    return *end == 0 && isfinite(ret->as.real);
}

bool value_number(struct value v, struct value *ret)
{
    *ret = v;
    if (is_number(v))
        return true;
    if (v.kind == VALUE_NIL) {
        *ret = value_int(0);
        return true;
    }
    return value_is_str(v) && number_of_text(value_str(v), ret);
}

uint32_t value_number_text(struct value v, char *buf)
{
    int len = 0;

    if (v.kind == VALUE_INT)
        return (uint32_t)snprintf(buf, 40, "%lld", (long long)v.as.whole);
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back */
        len = snprintf(buf, 40, "%.*g", digits, v.as.real);
        if (strtod(buf, NULL) == v.as.real)
            break;
    }
    if (!strpbrk(buf, ".en")) {
        memcpy(buf + len, ".0", 3);
        len += 2;
    }
    return (uint32_t)len;
}

const char *value_kind_name(struct value v)
{
    static const char *const names[] = {
        [VALUE_UNSET] = "nil",     [VALUE_NIL] = "nil",       [VALUE_BOOL] = "a boolean",
        [VALUE_INT] = "a number",  [VALUE_REAL] = "a number", [VALUE_TEXT] = "text",
        [VALUE_HTML] = "html",     [VALUE_LIST] = "an array", [VALUE_MAP] = "an object",
        [VALUE_RANGE] = "a range", [VALUE_LOOP] = "forloop",  [VALUE_EMPTY] = "empty",
        [VALUE_BLANK] = "blank",
    };
    if (v.kind == VALUE_JSON)
        return value_is_array(v) ? "an array" : value_is_money(v) ? "money" : "an object";
    return names[v.kind];
}

void value_walk_init(struct value_walk *walk, struct value over)
{
    *walk = (struct value_walk){.over = over};
    if (over.kind == VALUE_JSON)
        walk->at = stoa_json_first(over.as.json);
}

static struct value pair_of(struct memory *memory, struct value name, struct value v)
{
    struct value *pair = memory ? memory_take(memory, 2 * sizeof(*pair)) : NULL;
    if (!pair)
        return value_nil();
    pair[0] = name;
    pair[1] = v;
    return value_list(pair, 2);
}

bool value_walk_next(struct value_walk *walk, struct memory *memory, struct value *ret)
{
    const struct value *over = &walk->over;

    if (over->kind == VALUE_JSON) {
        if (!walk->at)
            return false;
        *ret = value_of_json(walk->at);
        if (stoa_json_type(over->as.json) == STOA_JSON_OBJECT)
            *ret = pair_of(memory, value_text(stoa_json_name(walk->at)), *ret);
        walk->at = stoa_json_next(walk->at);
        return true;
    }
    if (walk->index >= value_size(*over))
        return false;
    if (over->kind == VALUE_MAP)
        *ret =
            pair_of(memory, over->as.items[2 * walk->index], over->as.items[2 * walk->index + 1]);
    else
        *ret = value_at(*over, walk->index);
    walk->index++;
    return true;
}
