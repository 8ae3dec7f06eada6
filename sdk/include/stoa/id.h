/* stoa/id.h: ids that sort by the time they were made: a prefix and a UUIDv7 (RFC 9562 §5.7) in
 * Crockford base 32. "ord_" + 26 characters. SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_ID_H
#define STOA_ID_H

#include "str.h"
#include "time.h"

/* A new id with that prefix ("ord"; 1 to 8 lower-case letters, asserted), in the arena. */
STOA_API stoa_str stoa_id_new(struct stoa_req *req, const char *prefix);
/* Has the form prefix_ + 26 characters of the alphabet. Says nothing about existence. */
STOA_API bool stoa_id_is(stoa_str id, const char *prefix);
/* A secret of 128 random bits as 26 characters: cart and order tokens, session ids. */
STOA_API stoa_str stoa_token_new(struct stoa_req *req);
/* How a token is stored: SHA-256 as 64 hex digits, in the arena. */
STOA_API stoa_str stoa_token_hash(struct stoa_req *req, stoa_str token);

#endif
