/* call/permit.h: may this identity use this route? Deny by default. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef CALL_PERMIT_H
#define CALL_PERMIT_H

#include "route/route.h"

/* STOA_OK, STOA_E_AUTH (nobody is logged in), STOA_E_FORBIDDEN, or STOA_E_NOT_FOUND for internal
 * routes, which a visitor must not even see. */
STOA_NODISCARD stoa_err permit_check(const struct stoa_req *req, const struct route *route);

#endif
