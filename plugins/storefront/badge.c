/* badge.c: the cart badge. A kept page holds a comment where it goes, so the bytes for visitors
 * without a cart go out as they are. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

enum { BADGE_MAX = 99 };

stoa_str badge_html(struct stoa_arena *arena, int64_t count)
{
    if (count <= 0)
        return STOA_STR("");
    return stoa_concat(arena, STOA_STR("<span class=\"badge\">"),
                       stoa_str_from_int(arena, count > BADGE_MAX ? BADGE_MAX : count),
                       count > BADGE_MAX ? STOA_STR("+") : STOA_STR(""), STOA_STR("</span>"));
}

stoa_str badge_fill(struct stoa_arena *arena, stoa_str page, int64_t count)
{
    stoa_str slot = STOA_STR(BADGE_SLOT);
    const char *at = count > 0 ? memmem(page.ptr, page.len, slot.ptr, slot.len) : NULL;
    uint64_t before;

    if (!at)
        return page;
    before = (uint64_t)(at - page.ptr);
    return stoa_concat(arena, stoa_str_sub(page, 0, before), badge_html(arena, count),
                       stoa_str_sub(page, before + slot.len, page.len));
}
