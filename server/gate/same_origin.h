/* gate/same_origin.h: does a state-changing request come from the shop's own pages?
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GATE_SAME_ORIGIN_H
#define GATE_SAME_ORIGIN_H

#include "plugin/request.h"

/* STOA_E_FORBIDDEN for a POST, PUT, PATCH or DELETE that carries a cookie or a form and is not from
 * this origin: Sec-Fetch-Site: same-origin, or else an Origin whose host is the Host or shop.url's.
 * Null, foreign, or both missing: refused. */
STOA_NODISCARD stoa_err same_origin_check(const struct stoa_req *req);

#endif
