/* gate/identity.h: credential → identity is the user plugin's business; the gate asks and remembers
 * the answer for 5 s. SPDX-License-Identifier: Apache-2.0 */
#ifndef GATE_IDENTITY_H
#define GATE_IDENTITY_H

#include "plugin/request.h"

enum { IDENTITY_CACHE_MS = 5000 };

/* Fills req->identity from the cookie "sid" or "Authorization: Bearer". Without a credential, and
 * with one that is not valid any more: guest (routes that need more answer 401). STOA_E_PLUGIN when
 * the user plugin cannot say: an unknown visitor is never taken for a known one. */
STOA_NODISCARD stoa_err identity_find(struct stoa_req *req);

#endif
