/* order/card.c: card numbers in what people send. SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <stoa/value.h>

enum { DIGITS_MAX = 19, PHONE_DIGITS_MAX = 15 };

/* The first two digits say who issued it and so how long it may be. */
static const struct issuer {
    int32_t from, to;
    uint32_t shortest, longest;
} issuers[] = {
    {22, 27, 16, 16}, {30, 30, 14, 16}, {34, 34, 15, 15}, {35, 35, 16, 19}, {36, 36, 14, 19},
    {37, 37, 15, 15}, {38, 39, 14, 19}, {40, 49, 16, 19}, {50, 59, 16, 19}, {60, 69, 16, 19},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
    return c == ' ' || c == '-' || c == '.';
}

/* ISO/IEC 7812-1 annex B: every second digit from the right counts twice. */
static bool has_check_digit(const char *digits, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t d = (uint32_t)(digits[count - 1 - i] - '0') << (i & 1);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

static bool is_card(const char *digits, uint32_t count)
{
    int32_t first = (digits[0] - '0') * 10 + (digits[1] - '0');

    for (uint64_t i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++)
        if (first >= issuers[i].from && first <= issuers[i].to && count >= issuers[i].shortest &&
            count <= issuers[i].longest)
            return has_check_digit(digits, count);
    return false;
}

/* Whether groups of digits from `at` on make up a card number; a number may end at each group. */
static bool begins_card(stoa_str text, uint64_t at)
{
    char digits[DIGITS_MAX];
    uint32_t count = 0;
    bool is_phone = at > 0 && text.ptr[at - 1] == '+';

    for (uint64_t i = at; i < text.len; i++) {
        if (is_separator(text.ptr[i]) && i + 1 < text.len && is_digit(text.ptr[i + 1]))
            continue;
        if (!is_digit(text.ptr[i]) || count == DIGITS_MAX)
            return false;
        digits[count++] = text.ptr[i];
        if (i + 1 < text.len && is_digit(text.ptr[i + 1]))
            continue; /* in the middle of a group */
        if (count >= 2 && is_card(digits, count) && !(is_phone && count <= PHONE_DIGITS_MAX))
            return true;
    }
    return false;
}

bool card_is_in_text(stoa_str text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (is_digit(text.ptr[i]) && (i == 0 || !is_digit(text.ptr[i - 1])) && begins_card(text, i))
            return true;
    return false;
}

static bool card_is_number(int64_t number)
{
    char digits[24];
    uint32_t at = sizeof(digits);

    for (uint64_t n = number < 0 ? 0 : (uint64_t)number; n > 0; n /= 10)
        digits[--at] = (char)('0' + n % 10);
    return card_is_in_text((stoa_str){digits + at, sizeof(digits) - at});
}

bool card_is_in_json(const struct stoa_json *json) /* at most 32 levels: stoa_json_parse */
{
    switch (stoa_json_type(json)) {
    case STOA_JSON_STRING:
        return card_is_in_text(stoa_json_str(json, ""));
    case STOA_JSON_INT:
        return card_is_number(stoa_json_int(json, "", 0));
    case STOA_JSON_REAL: /* 4111111111111111.0 */
        return stoa_json_real(json, "", 0) >= 1e13 && stoa_json_real(json, "", 0) < 1e18 &&
               card_is_number((int64_t)stoa_json_real(json, "", 0));
    case STOA_JSON_ARRAY:
    case STOA_JSON_OBJECT:
        for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e))
            if (card_is_in_text(stoa_json_name(e)) || card_is_in_json(e))
                return true;
        return false;
    default:
        return false;
    }
}
