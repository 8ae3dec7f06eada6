/* notification/notification.h: what the plugin's files share. SPDX-License-Identifier: Apache-2.0
 */
#ifndef NOTIFICATION_NOTIFICATION_H
#define NOTIFICATION_NOTIFICATION_H

#include "render.h"

#include <stoa/stoa.h>

/* ---- delivery.c: one row for each mail ---- */
struct delivery {
    stoa_str id, message_id, kind, aggregate, recipient;
};
/* What a mail for the order is known by; the same at every try. */
stoa_str delivery_message_id(struct stoa_req *req, stoa_str aggregate);
STOA_NODISCARD stoa_err delivery_is_sent(struct stoa_req *req, stoa_str message_id, bool *ret);
/* Notes the mail as sent: in tx, or by itself when tx is NULL. */
STOA_NODISCARD stoa_err delivery_sent(struct stoa_req *req, struct stoa_tx *tx,
                                      const struct delivery *delivery);
/* Notes a try that failed, with what another try needs: the event's data. tx as above. */
STOA_NODISCARD stoa_err delivery_failed(struct stoa_req *event, struct stoa_tx *tx,
                                        const struct delivery *delivery, stoa_err why);

/* ---- handlers ---- */
stoa_err mail_on_paid(struct stoa_req *event, void *self); /* mail.c */
/* Renders and hands over the mail for order; notes nothing. STOA_E_INVALID: it never can be. */
STOA_NODISCARD stoa_err mail_confirm(struct stoa_req *req, const struct delivery *delivery,
                                     const struct stoa_json *order);
stoa_err deliveries_list(struct stoa_req *req, void *self); /* delivery.c */
stoa_err deliveries_retry(struct stoa_req *req, void *self);
stoa_err deliveries_retry_due(struct stoa_req *req, void *self);
stoa_err deliveries_known(struct stoa_req *req, void *self);
stoa_err deliveries_audit(struct stoa_req *req, void *self);
stoa_err mailbox_show(struct stoa_req *req, void *self); /* mailbox.c */

#endif
