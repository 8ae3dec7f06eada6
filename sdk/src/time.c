/* time.c: instants to and from RFC 3339. The clock itself is the host's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "time_format.h"

enum { MS_A_DAY = 86400000, DAYS_TO_MARCH_0 = 719468 };
#define TIME_LEAST INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define TIME_MOST INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

/* Days are counted in eras of 400 years that begin on 1 March of year 0, so that the leap day is
 * a year's last and months have a fixed length before it. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_MARCH_0;
}

struct date {
    int64_t year, month, day;
};

static struct date date_of(int64_t days)
{
    int64_t z = days + DAYS_TO_MARCH_0, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    struct date date = {.year = year_of_era + era * 400 + (month >= 10),
                        .month = month < 10 ? month + 3 : month - 9,
                        .day = day_of_year - (153 * month + 2) / 5 + 1};
    return date;
}

static void put_digits(char *out, int64_t v, uint32_t count)
{
    while (count--) {
        out[count] = (char)('0' + v % 10);
        v /= 10;
    }
}

/* Years outside 0000 to 9999 have no RFC 3339 form: cut to the first or last instant that has. */
void time_format_text(stoa_ms t, char ret[TIME_TEXT])
{
    t = t < TIME_LEAST ? TIME_LEAST : t > TIME_MOST ? TIME_MOST : t;
    int64_t in_day = (t % MS_A_DAY + MS_A_DAY) % MS_A_DAY;
    struct date date = date_of((t - in_day) / MS_A_DAY);

    memcpy(ret, "0000-00-00T00:00:00.000Z", TIME_TEXT);
    put_digits(ret, date.year, 4);
    put_digits(ret + 5, date.month, 2);
    put_digits(ret + 8, date.day, 2);
    put_digits(ret + 11, in_day / 3600000, 2);
    put_digits(ret + 14, in_day / 60000 % 60, 2);
    put_digits(ret + 17, in_day / 1000 % 60, 2);
    put_digits(ret + 20, in_day % 1000, 3);
}

stoa_str stoa_time_format(struct stoa_arena *arena, stoa_ms t)
{
    char text[TIME_TEXT];

    time_format_text(t, text);
    return stoa_str_copy(arena, (stoa_str){text, TIME_TEXT});
}

/* Cuts count digits off the start of *rest. False when they are not all there. */
static bool take_digits(stoa_str *rest, uint32_t count, int64_t *ret)
{
    int64_t v = 0;

    if (rest->len < count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        char c = rest->ptr[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *rest = stoa_str_sub(*rest, count, rest->len);
    *ret = v;
    return true;
}

static bool take_char(stoa_str *rest, char c)
{
    if (!rest->len || (rest->ptr[0] != c && rest->ptr[0] != (c | 0x20)))
        return false;
    *rest = stoa_str_sub(*rest, 1, rest->len);
    return true;
}

static bool is_leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool take_date(stoa_str *rest, stoa_ms *ret)
{
    static const int8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;

    if (!take_digits(rest, 4, &year) || !take_char(rest, '-') || !take_digits(rest, 2, &month) ||
        !take_char(rest, '-') || !take_digits(rest, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1)
        return false;
    if (day > month_days[month - 1] + (month == 2 && is_leap_year(year)))
        return false;
    *ret = days_of(year, month, day) * MS_A_DAY;
    return true;
}

/* ".123456": what is finer than a millisecond is cut off. Absent is 0. */
static bool take_fraction(stoa_str *rest, int64_t *ret)
{
    int64_t ms = 0, weight = 100, digit;

    *ret = 0;
    if (!take_char(rest, '.'))
        return true;
    if (!take_digits(rest, 1, &digit))
        return false;
    do {
        ms += digit * weight;
        weight /= 10;
    } while (take_digits(rest, 1, &digit));
    *ret = ms;
    return true;
}

/* is_leap: the second is 60, which exists only at the end of a UTC day. */
static bool take_time(stoa_str *rest, stoa_ms *ret, bool *is_leap)
{
    int64_t hour, minute, second, ms;

    if (!take_digits(rest, 2, &hour) || !take_char(rest, ':') || !take_digits(rest, 2, &minute) ||
        !take_char(rest, ':') || !take_digits(rest, 2, &second) || !take_fraction(rest, &ms))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *is_leap = second == 60;
    *ret = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

static bool take_offset(stoa_str *rest, stoa_ms *ret)
{
    int64_t hour, minute;
    bool is_west;

    *ret = 0;
    if (take_char(rest, 'Z'))
        return true;
    is_west = take_char(rest, '-');
    if (!is_west && !take_char(rest, '+'))
        return false;
    if (!take_digits(rest, 2, &hour) || !take_char(rest, ':') || !take_digits(rest, 2, &minute))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    *ret = (hour * 60 + minute) * (is_west ? -60000 : 60000);
    return true;
}

stoa_err stoa_time_parse(stoa_str text, stoa_ms *ret)
{
    stoa_ms date, in_day, offset;
    bool is_leap;

    if (!take_date(&text, &date) || !take_char(&text, 'T') ||
        !take_time(&text, &in_day, &is_leap) || !take_offset(&text, &offset) || text.len)
        return STOA_E_INVALID;
    stoa_ms t = date + in_day - offset;
    if (is_leap && (t % MS_A_DAY + MS_A_DAY) % MS_A_DAY >= 1000)
        return STOA_E_INVALID;
    *ret = t;
    return STOA_OK;
}
