/* email.c: what can stand in a To header as it is. SPDX-License-Identifier: Apache-2.0 */
#include <stoa/str.h>

enum { LOCAL_MAX = 64, LABEL_MAX = 63 }; /* RFC 5321, section 4.5.3.1 */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_atom(stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++)
        if (!is_alnum(s.ptr[i]) && (!s.ptr[i] || !strchr("!#$%&'*+-/=?^_`{|}~", s.ptr[i])))
            return false;
    return s.len > 0;
}

static bool is_label(stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++)
        if (!is_alnum(s.ptr[i]) && s.ptr[i] != '-')
            return false;
    return s.len > 0 && s.len <= LABEL_MAX && s.ptr[0] != '-' && s.ptr[s.len - 1] != '-';
}

/* Whether s is at least that many parts with a dot between each two. */
static bool is_dotted(stoa_str s, bool (*is_part)(stoa_str part), uint32_t least)
{
    uint32_t count = 0;

    while (s.ptr) {
        if (!is_part(stoa_str_cut(&s, '.')))
            return false;
        count++;
    }
    return count >= least;
}

bool stoa_str_is_email(stoa_str s)
{
    int64_t at = stoa_str_find(s, '@', 0);

    if (at < 1 || at > LOCAL_MAX || s.len > STOA_EMAIL_MAX)
        return false;
    return is_dotted(stoa_str_sub(s, 0, (uint64_t)at), is_atom, 1) &&
           is_dotted(stoa_str_sub(s, (uint64_t)at + 1, s.len), is_label, 2);
}
