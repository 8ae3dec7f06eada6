/* gate/identity.h: credential → identity is the user plugin's business; the gate asks and remembers
 * the answer for 5 s, and for 1 s that a credential is not valid. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef GATE_IDENTITY_H
#define GATE_IDENTITY_H

#include "plugin/request.h"

enum {
    IDENTITY_CACHE_MS = 5000,
    IDENTITY_REFUSED_MS = 1000, /* 1,024 of them a loop; further ones take another's place */
    IDENTITY_PATIENCE_MS = 1000,
};

/* Fills req->identity from the cookie "sid" or "Authorization: Bearer". Without a credential, and
 * with one that is not valid any more: guest (routes that need more answer 401). STOA_E_PLUGIN when
 * the user plugin cannot say: an unknown visitor is never taken for a known one. */
STOA_NODISCARD stoa_err identity_find(struct stoa_req *req);
/* The same where a guest will do: waits IDENTITY_PATIENCE_MS at most. When all of it was waited in
 * vain twice, one after the other, and nobody got an answer in between, this loop does not ask
 * again for as long; what fails sooner, or is slow but answered, never keeps it from asking. When
 * the user plugin cannot say: a guest, with req->is_unidentified. */
void identity_guess(struct stoa_req *req);

#endif
