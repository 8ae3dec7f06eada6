/* port/redact.h: a visitor's credentials are not for a sandboxed plugin that nobody vouches for:
 * whoever holds one can act as that visitor. It is told who asks, not how that was proved.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_REDACT_H
#define PORT_REDACT_H

#include "plugin/request.h"

struct redacted { /* what redact_end() puts back */
    struct request_header *headers;
    uint32_t count;
};
/* Until redact_end() req has neither Authorization nor the session's cookie. Nothing happens for a
 * plugin that is trusted or not confined. */
void redact_begin(struct stoa_req *req, struct redacted *ret);
void redact_end(struct stoa_req *req, const struct redacted *whole);
/* Takes a session's cookie out of what such a plugin has answered. */
void redact_reply(struct stoa_req *req);

#endif
