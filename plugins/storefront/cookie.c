/* cookie.c: the cart's cookie, taken apart. Pure. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

enum { TOKEN_LEN = 26 };

static bool is_token(stoa_str s)
{
    if (s.len != TOKEN_LEN)
        return false;
    for (uint64_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return true;
}

bool basket_parse(stoa_str cookie, struct basket *ret)
{
    stoa_str token = cookie, id = stoa_str_cut(&token, '.');

    if (!stoa_id_is(id, "crt") || !is_token(token))
        return false;
    *ret = (struct basket){id, token};
    return true;
}
