/* port/describe.h: a plugin's descriptor as bytes. Its handlers become numbers: in the host they
 * stand in the place of function pointers, which nobody but port_wire may enter.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_DESCRIBE_H
#define PORT_DESCRIBE_H

#include "call/codec.h"
#include <stoa/plugin.h>

enum { DESCRIBE_ROUTES_MAX = 512, DESCRIBE_LIST_MAX = 256 };

void put_description(struct stoa_buf *out, const struct stoa_plugin_v1 *desc);
/* Spans and strings live in in->arena. Handlers, warm, seed and audit hold numbers from 1; create,
 * cool and destroy are NULL. *has_cool: the plugin has a cool(). in->broken when it is malformed or
 * larger than a plugin's may be. */
void get_description(struct decoder *in, struct stoa_plugin_v1 *ret, bool *has_cool);
/* In the sandbox: the function behind a number; NULL when there is none. */
stoa_handler describe_handler(const struct stoa_plugin_v1 *desc, uint32_t number);
uint32_t describe_number(stoa_handler handler); /* in the host */

#endif
