/* theme/filters_date.c: instants (RFC 3339 text, or milliseconds since 1970) in UTC, formatted as
 * strftime does. SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include "locale.h"
#include "tree.h"
#include <stdio.h>
#include <stoa/time.h>

struct civil {
    int64_t year;
    int32_t month, day, hour, minute, second, weekday, yearday; /* month and day from 1 */
};

/* Proleptic Gregorian, by the era of 400 years. */
static struct civil civil_of(stoa_ms t)
{
    int64_t seconds = t / 1000 - (t % 1000 < 0), days = seconds / 86400, rest = seconds % 86400;
    int64_t era, day_of_era, year_of_era, day_of_year, shifted;
    struct civil c;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    c.weekday = (int32_t)((days % 7 + 11) % 7);
    days += 719468; /* from 0000-03-01 */
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted = (5 * day_of_year + 2) / 153; /* months from March */
    c.day = (int32_t)(day_of_year - (153 * shifted + 2) / 5 + 1);
    c.month = (int32_t)(shifted < 10 ? shifted + 3 : shifted - 9);
    c.year = year_of_era + era * 400 + (c.month <= 2);
    c.hour = (int32_t)(rest / 3600);
    c.minute = (int32_t)(rest / 60 % 60);
    c.second = (int32_t)(rest % 60);
    c.yearday = (int32_t)(day_of_year >= 306
                              ? day_of_year - 305
                              : day_of_year + 60 +
                                    ((c.year % 4 == 0 && c.year % 100 != 0) || c.year % 400 == 0));
    return c;
}

/* Names come from the theme's locale ("date.months.3"), or else are English. */
static void put_name(struct filter_out *out, const char *list, int32_t index, uint64_t cut)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    const struct render *r = out->call->render;
    char key[40];
    int len = snprintf(key, sizeof(key), "date.%s%s.%d", cut ? "short_" : "", list, index);
    stoa_str name;

    if (r->theme &&
        locale_text(&r->theme->locales, r->locale, (stoa_str){key, (uint64_t)len}, &name)) {
        filter_put(out, name);
        return;
    }
    name = stoa_str_of(list[0] == 'm' ? months[index - 1] : days[index]);
    filter_put(out, cut ? stoa_str_sub(name, 0, cut) : name);
}

static void put_digits(struct filter_out *out, int64_t n, int width, char pad)
{
    char buf[32];

    if (pad == '-')
        width = 1;
    snprintf(buf, sizeof(buf), pad == '_' ? "%*lld" : "%0*lld", width, (long long)n);
    filter_put(out, stoa_str_of(buf));
}

static void put_all(struct filter_out *out, const struct civil *c, const char *format);

static bool put_number_part(struct filter_out *out, const struct civil *c, char part, char pad)
{
    const struct {
        char part, pad;
        int width;
        int64_t n;
    } parts[] = {
        {'Y', '0', 4, c->year},
        {'y', '0', 2, c->year % 100},
        {'m', '0', 2, c->month},
        {'d', '0', 2, c->day},
        {'e', '_', 2, c->day},
        {'H', '0', 2, c->hour},
        {'k', '_', 2, c->hour},
        {'I', '0', 2, (c->hour + 11) % 12 + 1},
        {'l', '_', 2, (c->hour + 11) % 12 + 1},
        {'M', '0', 2, c->minute},
        {'S', '0', 2, c->second},
        {'j', '0', 3, c->yearday},
        {'w', '0', 1, c->weekday},
        {'u', '0', 1, c->weekday ? c->weekday : 7},
    };
    for (uint32_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].part == part) {
            put_digits(out, parts[i].n, parts[i].width, pad ? pad : parts[i].pad);
            return true;
        }
    }
    return false;
}

static bool put_name_part(struct filter_out *out, const struct civil *c, char part)
{
    switch (part) {
    case 'B':
        put_name(out, "months", c->month, 0);
        return true;
    case 'b':
    case 'h':
        put_name(out, "months", c->month, 3);
        return true;
    case 'A':
        put_name(out, "days", c->weekday, 0);
        return true;
    case 'a':
        put_name(out, "days", c->weekday, 3);
        return true;
    case 'p':
        filter_put(out, c->hour < 12 ? STOA_STR("AM") : STOA_STR("PM"));
        return true;
    case 'P':
        filter_put(out, c->hour < 12 ? STOA_STR("am") : STOA_STR("pm"));
        return true;
    default:
        return false;
    }
}

static void put_part(struct filter_out *out, const struct civil *c, char part, char pad)
{
    static const struct {
        char part;
        const char *text;
    } short_for[] = {{'F', "%Y-%m-%d"}, {'T', "%H:%M:%S"}, {'R', "%H:%M"},
                     {'D', "%m/%d/%y"}, {'z', "+0000"},    {'Z', "UTC"}};

    for (uint32_t i = 0; i < sizeof(short_for) / sizeof(short_for[0]); i++) {
        if (short_for[i].part == part) {
            put_all(out, c, short_for[i].text);
            return;
        }
    }
    if (part == '%')
        filter_put_char(out, '%');
    else if (!put_number_part(out, c, part, pad) && !put_name_part(out, c, part))
        filter_fail(out->call, "date knows no '%%%c'", part);
}

static void put_all(struct filter_out *out, const struct civil *c, const char *format)
{
    for (; *format && !out->failed; format++) {
        char pad = 0;

        if (*format != '%' || !format[1]) {
            filter_put_char(out, *format);
            continue;
        }
        format++;
        if ((*format == '-' || *format == '_' || *format == '0') && format[1])
            pad = *format++;
        put_part(out, c, *format, pad);
    }
}

/* Four-digit years: what people write dates for. */
static const stoa_ms earliest = -62135596800000, latest = 253402300799999;

static bool instant_of(struct filter_call *call, stoa_ms *ret)
{
    struct value v = call->input;

    if (v.kind == VALUE_INT)
        *ret = v.as.whole;
    else if (!value_is_str(v) || stoa_time_parse(value_str(v), ret) != STOA_OK) {
        filter_fail(call, "date wants an instant as \"2026-11-22T17:44:35Z\", not %s",
                    value_is_str(v) ? "such text" : value_kind_name(v));
        return false;
    }
    if (*ret >= earliest && *ret <= latest)
        return true;
    filter_fail(call, "this date is out of range");
    return false;
}

struct value filter_do_date(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    struct civil c;
    stoa_str format;
    stoa_ms t = 0;
    char *text;

    if (call->input.kind == VALUE_NIL)
        return value_nil();
    if (!instant_of(call, &t) || !filter_text(call, call->args[0], &format) ||
        !(text = filter_new_text(call, format.len + 1)))
        return value_nil();
    memcpy(text, format.ptr, format.len);
    text[format.len] = 0;
    c = civil_of(t);
    put_all(&out, &c, text);
    return filter_out_text(&out);
}
