/* port/chance.c: the clock, ids and secrets that plugins ask for. SPDX-License-Identifier:
 * Apache-2.0 */
#include "base/clock.h"
#include "base/random.h"
#include "id_format.h"
#include "plugin/request.h"
#include <sodium.h>
#include <stoa/stoa.h>

stoa_ms stoa_now(struct stoa_req *req)
{
    return clock_utc_ms();
}

/* Ids made by one thread sort in the order they were made, within a millisecond, too: the chance of
 * the next one is the last one's plus a small random step (RFC 9562 §6.2, method 2). */
stoa_str stoa_id_new(struct stoa_req *req, const char *prefix)
{
    static __thread int64_t last_ms;
    static __thread uint8_t chance[10];
    int64_t now = clock_utc_ms();
    uint32_t carry;

    if (now > last_ms) {
        last_ms = now;
        random_bytes(chance, sizeof chance);
        chance[2] &= 0x1f; /* room to count up below the variant bits */
        return id_format(req->arena, prefix, last_ms, chance);
    }
    random_bytes(&carry, sizeof carry);
    carry = (carry & 0xffffff) + 1;
    for (int i = sizeof chance - 1; i >= 0 && carry; i--) {
        carry += chance[i];
        chance[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return id_format(req->arena, prefix, last_ms, chance);
}

stoa_str stoa_token_new(struct stoa_req *req)
{
    uint8_t bits[16];
    char *text = stoa_arena_take(req->arena, ID_BODY + 1);

    random_bytes(bits, sizeof bits);
    id_encode(bits, text);
    text[ID_BODY] = '\0';
    return (stoa_str){text, ID_BODY};
}

stoa_str stoa_token_hash(struct stoa_req *req, stoa_str token)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char *hex = stoa_arena_take(req->arena, 65);

    crypto_hash_sha256(digest, (const unsigned char *)token.ptr, token.len);
    sodium_bin2hex(hex, 65, digest, sizeof digest);
    return (stoa_str){hex, 64};
}

bool stoa_secret_eq(stoa_str a, stoa_str b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void stoa_random(struct stoa_req *req, void *ret, uint64_t len)
{
    random_bytes(ret, len);
}
