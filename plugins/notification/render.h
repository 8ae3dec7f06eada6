/* notification/render.h: what a mail says. Pure: data in, text and HTML out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef NOTIFICATION_RENDER_H
#define NOTIFICATION_RENDER_H

#include <stoa/json.h>

struct render_shop {
    stoa_str name, url; /* no slash at the end of url */
};
struct render_mail {
    stoa_str subject, text, html;
};

/* Escapes < > & " ' for HTML text and quoted attributes. */
void render_escape(struct stoa_buf *out, stoa_str text);
/* The confirmation of a paid order from order.paid's data. STOA_E_INVALID when a number, the total
 * or an amount is missing or wrong: such a mail is not to be sent. */
STOA_NODISCARD stoa_err render_confirmation(struct stoa_arena *arena,
                                            const struct render_shop *shop,
                                            const struct stoa_json *order, struct render_mail *ret);

#endif
