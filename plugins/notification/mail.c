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
static stoa_err note(struct stoa_req *event, const struct delivery *delivery, stoa_err sent)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(event, &tx));
    err = sent == STOA_OK ? delivery_sent(event, tx, delivery)
                          : delivery_failed(event, tx, delivery, sent);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

/* A mail that cannot be made is the host's: it tries the event again, and then keeps it as a dead
 * letter. One that was made but not taken is ours: a job sends it when the mail server is back. */
static stoa_err send(struct stoa_req *event, const struct delivery *delivery, stoa_err *ret)
{
    STOA_TRY(stoa_fault(event, "mail.send.before"));
    *ret = mail_confirm(event, delivery, stoa_req_json(event));
    if (*ret == STOA_E_INVALID) {
        STOA_TRY(delivery_failed(event, NULL, delivery, *ret));
        return *ret;
    }
    return stoa_fault(event, "mail.send.after");
}

stoa_err mail_on_paid(struct stoa_req *event, void *self)
{
    struct delivery delivery = {.kind = STOA_STR("order.paid"),
                                .aggregate = stoa_req_event(event)->aggregate,
                                .recipient = stoa_json_str(stoa_req_json(event), "email")};
    stoa_err sent = STOA_OK;
    bool is_sent;

    (void)self;
    delivery.id = stoa_id_new(event, "dlv");
    delivery.message_id = delivery_message_id(event, delivery.aggregate);
    STOA_TRY(delivery_is_sent(event, delivery.message_id, &is_sent));
    if (!is_sent)
        STOA_TRY(send(event, &delivery, &sent));
    STOA_TRY(note(event, &delivery, sent));
    return stoa_fault(event, "mail.noted");
}
