/* id.c: ids that sort by the time they were made. SPDX-License-Identifier: Apache-2.0 */
#include "id_format.h"
#include <stoa/id.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* no i, l, o, u */

void id_encode(const uint8_t bits[16], char ret[ID_BODY])
{
    unsigned __int128 rest = 0;

    for (uint32_t i = 0; i < 16; i++)
        rest = rest << 8 | bits[i];
    for (uint32_t i = ID_BODY; i-- > 0; rest >>= 5)
        ret[i] = alphabet[(uint32_t)rest & 31];
}

static bool is_prefix(stoa_str prefix)
{
    for (uint64_t i = 0; i < prefix.len; i++)
        if (prefix.ptr[i] < 'a' || prefix.ptr[i] > 'z')
            return false;
    return prefix.len >= 1 && prefix.len <= ID_PREFIX_MAX;
}

stoa_str id_format(struct stoa_arena *arena, const char *prefix, int64_t ms,
                   const uint8_t chance[10])
{
    stoa_str head = stoa_str_of(prefix);
    uint8_t bits[16];
    char body[ID_BODY];

    stoa_assert(is_prefix(head));
    for (uint32_t i = 0; i < 6; i++)
        bits[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
    memcpy(bits + 6, chance, 10);
    bits[6] = (uint8_t)((bits[6] & 0x0f) | 0x70); /* version 7 */
    bits[8] = (uint8_t)((bits[8] & 0x3f) | 0x80); /* RFC 9562's variant */
    id_encode(bits, body);
    return stoa_concat(arena, head, STOA_STR("_"), ((stoa_str){body, ID_BODY}));
}

bool stoa_id_is(stoa_str id, const char *prefix)
{
    stoa_str head = stoa_str_of(prefix);

    if (id.len != head.len + 1 + ID_BODY || !stoa_str_starts(id, head) || id.ptr[head.len] != '_')
        return false;
    for (uint64_t i = head.len + 1; i < id.len; i++)
        if (!memchr(alphabet, id.ptr[i], sizeof(alphabet) - 1))
            return false;
    return true;
}
