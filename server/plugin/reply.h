/* plugin/reply.h: parts of a reply that the host needs, too. SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_REPLY_H
#define PLUGIN_REPLY_H

#include "plugin/request.h"

/* The cookie's name on the wire for this request's scheme and port; in the request's arena. */
stoa_str request_cookie_name(struct stoa_req *req, const char *name);

#endif
