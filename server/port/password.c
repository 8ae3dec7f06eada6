/* port/password.c: libsodium's Argon2id. SPDX-License-Identifier: Apache-2.0 */
#include "port/password.h"

#include "base/fault.h"
#include <sodium.h>

struct work {
    stoa_str password;
    const char *hash_cstr;
    char made[crypto_pwhash_STRBYTES];
    bool ok;
};

static void make(void *arg)
{
    struct work *w = arg;

    w->ok = crypto_pwhash_str_alg(w->made, w->password.ptr, w->password.len, PASSWORD_PASSES,
                                  PASSWORD_MEMORY, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static void verify(void *arg)
{
    struct work *w = arg;

    w->ok = crypto_pwhash_str_verify(w->hash_cstr, w->password.ptr, w->password.len) == 0;
}

stoa_err password_hash(struct pool *pool, stoa_str password, struct stoa_arena *arena,
                       stoa_str *ret)
{
    struct work w = {.password = password};

    if (password.len == 0 || password.len > PASSWORD_MAX)
        return STOA_E_INVALID;
    STOA_TRY(pool_run(pool, POOL_PASSWORD, make, &w));
    if (!w.ok)
        return STOA_E_BUSY; /* libsodium could not get its 19 MiB */
    *ret = stoa_str_copy(arena, stoa_str_of(w.made));
    return STOA_OK;
}

/* "m=19456,": the number, and on to the next. */
static bool read_cost(stoa_str *costs, const char *name, int64_t max)
{
    stoa_str value = stoa_str_cut(costs, ',');
    int64_t cost;

    return stoa_str_is(stoa_str_cut(&value, '='), name) &&
           stoa_str_int(value, 1, max, &cost) == STOA_OK;
}

/* The text, "$argon2id$v=19$m=19456,t=2,p=1$salt$hash", says how much memory and time its check
 * takes, and it may come from a sandbox. */
static bool is_affordable(stoa_str hash)
{
    stoa_str costs;

    for (int part = 0; part < 3; part++)
        stoa_str_cut(&hash, '$');
    costs = stoa_str_cut(&hash, '$');
    return read_cost(&costs, "m", PASSWORD_COSTS_MAX * (PASSWORD_MEMORY >> 10)) &&
           read_cost(&costs, "t", PASSWORD_COSTS_MAX * PASSWORD_PASSES) &&
           read_cost(&costs, "p", 1);
}

stoa_err password_verify(struct pool *pool, stoa_str password, stoa_str hash)
{
    char own[crypto_pwhash_STRBYTES] = "";
    struct work w = {.password = password, .hash_cstr = own};

    STOA_TRY(fault_point("password.verify"));
    if (password.len > PASSWORD_MAX)
        return STOA_E_AUTH;
    if (hash.len > 0 && hash.len < sizeof own)
        memcpy(own, hash.ptr, hash.len);
    if (own[0] && !is_affordable(hash))
        return STOA_E_AUTH;
    /* Nobody has this account: the same work is done, so that time does not tell. */
    STOA_TRY(pool_run(pool, POOL_PASSWORD, own[0] ? verify : make, &w));
    return own[0] && w.ok ? STOA_OK : STOA_E_AUTH;
}
