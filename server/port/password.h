/* port/password.h: Argon2id on the blocking pool, with a bound of its own so that a login storm
 * cannot starve the catalogue. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_PASSWORD_H
#define PORT_PASSWORD_H

#include "resource/pool/pool.h"
#include <stoa/str.h>

/* OWASP Password Storage Cheat Sheet: Argon2id with at least 19 MiB, t = 2, p = 1. */
enum {
    PASSWORD_MEMORY = 19 << 20,
    PASSWORD_PASSES = 2,
    PASSWORD_MAX = 256,
    PASSWORD_COSTS_MAX = 4, /* times our own: what checking a stored one may take */
};

STOA_NODISCARD stoa_err password_hash(struct pool *pool, stoa_str password,
                                      struct stoa_arena *arena, stoa_str *ret);
/* An empty hash takes as long and never matches. */
STOA_NODISCARD stoa_err password_verify(struct pool *pool, stoa_str password, stoa_str hash);

#endif
