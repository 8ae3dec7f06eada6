/* port/grants.h: what a confined plugin may ask of the host. A list of words: "sql cache mail
 * render password call:product internal:product collect:cart.adjustments provide:cart.adjustments
 * events:order.*". call: routes that visitors can ask, too; internal: those that they cannot.
 * Memory, log lines, sleep and offloaded work need none. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_GRANTS_H
#define PORT_GRANTS_H

#include "plugin/request.h"

enum { GRANT_MAX = 160 };

/* One of the words is kind or kind:name; "*" at the end of a word stands for any rest. */
bool grants_cover(stoa_str words, const char *kind, stoa_str name);
/* Every word of wanted is covered by words; otherwise *missing is the first that is not. */
bool grants_cover_all(stoa_str words, stoa_str wanted, stoa_str *missing);
/* STOA_E_FORBIDDEN, with a log line that names the grant, when the plugin of this request is
 * confined and does not have it. name: empty for kinds without one. */
STOA_NODISCARD stoa_err grants_check(struct stoa_req *host, const char *kind, stoa_str name);

#endif
