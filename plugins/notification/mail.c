/* notification/mail.c: order.paid becomes a mail.
 *
 * The mail is handed over before the transaction that says so. Killed in between, the event comes
 * again and the mail goes out again under the same Message-ID: at least once, never not at all; the
 * `files` driver replaces the first copy, and a mail program shows one. The other way round a crash
 * would lose the mail for good. SPDX-License-Identifier: Apache-2.0 */
#include "notification.h"

stoa_err mail_confirm(struct stoa_req *req, const struct delivery *delivery,
                      const struct stoa_json *order)
{
    struct render_shop shop = {stoa_shop_name(req), stoa_shop_url(req)};
    struct render_mail rendered;
    struct stoa_mail mail;

    STOA_TRY(render_confirmation(stoa_req_arena(req), &shop, order, &rendered));
    mail = (struct stoa_mail){.to = delivery->recipient,
                              .subject = rendered.subject,
                              .text = rendered.text,
                              .html = rendered.html,
                              .message_id = delivery->message_id};
    return stoa_mail_send(req, &mail);
}

/* The handler's one transaction: the host's inbox row and ours. */
static stoa_err note_sent(struct stoa_req *event, const struct delivery *delivery)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(event, &tx));
    err = delivery_sent(event, tx, delivery);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

stoa_err mail_on_paid(struct stoa_req *event, void *self)
{
    const struct stoa_json *order = stoa_req_json(event);
    struct delivery delivery = {.kind = STOA_STR("order.paid"),
                                .aggregate = stoa_req_event(event)->aggregate,
                                .recipient = stoa_json_str(order, "email")};
    bool is_sent;
    stoa_err err;

    (void)self;
    delivery.id = stoa_id_new(event, "dlv");
    delivery.message_id = delivery_message_id(event, delivery.aggregate);
    STOA_TRY(delivery_is_sent(event, delivery.message_id, &is_sent));
    if (!is_sent) {
        STOA_TRY(stoa_fault(event, "mail.send.before"));
        err = mail_confirm(event, &delivery, order);
        if (err != STOA_OK) {
            STOA_TRY(delivery_failed(event, &delivery, err, order));
            return err; /* the host tries again, five times in all */
        }
        STOA_TRY(stoa_fault(event, "mail.send.after"));
    }
    STOA_TRY(note_sent(event, &delivery));
    return stoa_fault(event, "mail.noted");
}
