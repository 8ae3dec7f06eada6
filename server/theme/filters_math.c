/* theme/filters_math.c: whole and real numbers. Money never comes here: the host computes prices.
 * SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include <math.h>

static bool number_of(struct filter_call *call, struct value v, struct value *ret)
{
    if (value_is_money(v)) {
        filter_fail(call, "money is not for arithmetic in a theme: the shop computes prices");
        return false;
    }
    if (value_is_str(v) && !value_number(v, ret)) {
        *ret = value_int(0); /* as in Liquid: text that is no number counts as 0 */
        return true;
    }
    if (value_number(v, ret))
        return true;
    filter_fail(call, "a number is wanted here, not %s", value_kind_name(v));
    return false;
}

static double real_of(struct value v)
{
    return v.kind == VALUE_INT ? (double)v.as.whole : v.as.real;
}

static bool operands(struct filter_call *call, struct value *a, struct value *b)
{
    return number_of(call, call->input, a) && number_of(call, call->args[0], b);
}

static struct value too_large(struct filter_call *call)
{
    return filter_fail(call, "the result of this arithmetic is too large");
}

struct value filter_do_plus(struct filter_call *call)
{
    struct value a, b;
    int64_t sum;

    if (!operands(call, &a, &b))
        return value_nil();
    if (a.kind == VALUE_REAL || b.kind == VALUE_REAL)
        return value_real(real_of(a) + real_of(b));
    return __builtin_add_overflow(a.as.whole, b.as.whole, &sum) ? too_large(call) : value_int(sum);
}

struct value filter_do_minus(struct filter_call *call)
{
    struct value a, b;
    int64_t rest;

    if (!operands(call, &a, &b))
        return value_nil();
    if (a.kind == VALUE_REAL || b.kind == VALUE_REAL)
        return value_real(real_of(a) - real_of(b));
    return __builtin_sub_overflow(a.as.whole, b.as.whole, &rest) ? too_large(call)
                                                                 : value_int(rest);
}

struct value filter_do_times(struct filter_call *call)
{
    struct value a, b;
    int64_t product;

    if (!operands(call, &a, &b))
        return value_nil();
    if (a.kind == VALUE_REAL || b.kind == VALUE_REAL)
        return value_real(real_of(a) * real_of(b));
    return __builtin_mul_overflow(a.as.whole, b.as.whole, &product) ? too_large(call)
                                                                    : value_int(product);
}

static bool divisible(struct filter_call *call, struct value *a, struct value *b)
{
    if (!operands(call, a, b))
        return false;
    if (b->kind == VALUE_INT && b->as.whole == 0) {
        filter_fail(call, "division by zero");
        return false;
    }
    return true;
}

/* Whole numbers round down, also below zero. */
struct value filter_do_divided_by(struct filter_call *call)
{
    struct value a, b;
    int64_t quotient;

    if (!divisible(call, &a, &b))
        return value_nil();
    if (a.kind == VALUE_REAL || b.kind == VALUE_REAL)
        return value_real(real_of(a) / real_of(b));
    if (b.as.whole == -1)
        return a.as.whole == INT64_MIN ? too_large(call) : value_int(-a.as.whole);
    quotient = a.as.whole / b.as.whole;
    if (a.as.whole % b.as.whole != 0 && (a.as.whole < 0) != (b.as.whole < 0))
        quotient--;
    return value_int(quotient);
}

struct value filter_do_modulo(struct filter_call *call)
{
    struct value a, b;
    int64_t rest;

    if (!divisible(call, &a, &b))
        return value_nil();
    if (a.kind == VALUE_REAL || b.kind == VALUE_REAL)
        return value_real(real_of(a) - real_of(b) * floor(real_of(a) / real_of(b)));
    rest = b.as.whole == -1 ? 0 : a.as.whole % b.as.whole;
    if (rest != 0 && (rest < 0) != (b.as.whole < 0))
        rest += b.as.whole;
    return value_int(rest);
}

struct value filter_do_abs(struct filter_call *call)
{
    struct value a;

    if (!number_of(call, call->input, &a))
        return value_nil();
    if (a.kind == VALUE_REAL)
        return value_real(fabs(a.as.real));
    if (a.as.whole == INT64_MIN)
        return too_large(call);
    return value_int(a.as.whole < 0 ? -a.as.whole : a.as.whole);
}

static struct value whole_of(struct filter_call *call, double rounded)
{
    if (!(rounded > -9.2e18 && rounded < 9.2e18))
        return too_large(call);
    return value_int((int64_t)rounded);
}

static struct value rounded_by(struct filter_call *call, double (*how)(double))
{
    struct value a;

    if (!number_of(call, call->input, &a))
        return value_nil();
    return a.kind == VALUE_INT ? a : whole_of(call, how(a.as.real));
}

struct value filter_do_ceil(struct filter_call *call)
{
    return rounded_by(call, ceil);
}

struct value filter_do_floor(struct filter_call *call)
{
    return rounded_by(call, floor);
}

struct value filter_do_round(struct filter_call *call)
{
    struct value a;
    int64_t digits;
    double scale;

    if (!filter_int(call, call->args[0], 0, &digits))
        return value_nil();
    if (digits <= 0 || digits > 15)
        return rounded_by(call, round);
    if (!number_of(call, call->input, &a) || a.kind == VALUE_INT)
        return a;
    scale = pow(10, (double)digits);
    return value_real(round(a.as.real * scale) / scale);
}

static struct value bounded(struct filter_call *call, int wanted)
{
    struct value a, b;
    int order;

    if (!operands(call, &a, &b) || !value_order(a, b, &order))
        return value_nil();
    return order == 0 || (order > 0) == (wanted > 0) ? a : b;
}

struct value filter_do_at_least(struct filter_call *call)
{
    return bounded(call, 1);
}

struct value filter_do_at_most(struct filter_call *call)
{
    return bounded(call, -1);
}
