/* theme/text.c: SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

uint64_t text_chars(stoa_str s)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return count;
}

uint64_t text_offset(stoa_str s, uint64_t index)
{
    uint64_t at = 0;
    while (index-- > 0 && at < s.len)
        text_next_char(s, &at);
    return at;
}

int64_t text_find(stoa_str s, stoa_str needle, uint64_t from)
{
    const char *hit;
    if (needle.len == 0 || from >= s.len)
        return -1;
    hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return hit ? hit - s.ptr : -1;
}

int64_t text_find_last(stoa_str s, stoa_str needle)
{
    int64_t last = -1;
    for (int64_t at = text_find(s, needle, 0); at >= 0;
         at = text_find(s, needle, (uint64_t)at + needle.len))
        last = at;
    return last;
}

static uint32_t sequence_len(unsigned char lead)
{
    if (lead < 0xC0)
        return 1;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

uint32_t text_next_char(stoa_str s, uint64_t *at)
{
    unsigned char lead = (unsigned char)s.ptr[*at];
    uint32_t len = sequence_len(lead), c = lead;

    if (len == 1 || *at + len > s.len) {
        (*at)++;
        return c;
    }
    c = lead & (0x7Fu >> len);
    for (uint32_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s.ptr[*at + i] & 0x3F);
    *at += len;
    return c;
}

uint32_t text_put_char(char *buf, uint32_t c)
{
    if (c < 0x80) {
        buf[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        buf[0] = (char)(0xC0 | c >> 6);
        buf[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        buf[0] = (char)(0xE0 | c >> 12);
        buf[1] = (char)(0x80 | (c >> 6 & 0x3F));
        buf[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    buf[0] = (char)(0xF0 | (c >> 18 & 7));
    buf[1] = (char)(0x80 | (c >> 12 & 0x3F));
    buf[2] = (char)(0x80 | (c >> 6 & 0x3F));
    buf[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Ranges of lower-case letters and how far above their upper-case letter they stand. */
static const struct {
    uint32_t from, to, distance;
} cases[] = {
    {'a', 'z', 32},     {0xE0, 0xF6, 32},   {0xF8, 0xFE, 32},   {0x3B1, 0x3C1, 32},
    {0x3C3, 0x3CB, 32}, {0x430, 0x44F, 32}, {0x450, 0x45F, 80},
};

/* Latin Extended-A pairs neighbours; in two stretches the upper-case letter is the odd one. */
static bool is_paired(uint32_t c, uint32_t *upper_parity)
{
    *upper_parity = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    return c >= 0x100 && c <= 0x17E && c != 0x130 && c != 0x131 && c != 0x138 && c != 0x149 &&
           c != 0x178;
}

uint32_t text_upper(uint32_t c)
{
    uint32_t parity;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (c >= cases[i].from && c <= cases[i].to)
            return c - cases[i].distance;
    return is_paired(c, &parity) && (c & 1) != parity ? c - 1 : c;
}

uint32_t text_lower(uint32_t c)
{
    uint32_t parity;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (c >= cases[i].from - cases[i].distance && c <= cases[i].to - cases[i].distance)
            return c + cases[i].distance;
    return is_paired(c, &parity) && (c & 1) == parity ? c + 1 : c;
}

const char *text_entity(char c, bool keep_amp)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '&':
        return keep_amp ? NULL : "&amp;";
    default:
        return NULL;
    }
}

bool text_scheme_is_safe(stoa_str scheme)
{
    static const char *const allowed[] = {"http", "https", "mailto", "tel"};
    for (uint32_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (stoa_str_eq_nocase(scheme, stoa_str_of(allowed[i])))
            return true;
    return false;
}

bool text_url_is_safe(stoa_str url, bool strict)
{
    char scheme[8];
    uint64_t len = 0;

    for (uint64_t i = 0; i < url.len; i++) {
        char c = url.ptr[i];
        if (c == ':')
            return len <= sizeof(scheme) && text_scheme_is_safe((stoa_str){scheme, len});
        if (c == '/' || c == '?' || c == '#')
            return true;
        if (strict && c == '&')
            return false;
        if ((unsigned char)c <= ' ' || c == 0x7F)
            continue;
        if (len < sizeof(scheme))
            scheme[len] = c;
        len++;
    }
    return true;
}
