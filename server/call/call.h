/* call/call.h: one plugin asks another. In this process: a direct call on the same fiber, nothing
 * encoded. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_CALL_H
#define CALL_CALL_H

#include "plugin/request.h"

/* As stoa_call() and stoa_collect(), for the local port. */
STOA_NODISCARD stoa_err call_local(struct stoa_req *req, const struct stoa_call *call,
                                   struct stoa_answer *ret);
STOA_NODISCARD stoa_err call_collect(struct stoa_req *req, const char *point,
                                     const struct stoa_json *question,
                                     const struct stoa_json **ret);

#endif
