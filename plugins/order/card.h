/* order/card.h: notices what looks like a card number, so that none is ever kept (PCI DSS SAQ A).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ORDER_CARD_H
#define ORDER_CARD_H

#include <stoa/json.h>

/* 14 to 19 digits, with single spaces, dots or dashes between them, of an issuer's range and
 * length and with the right check digit. A telephone number ("+" and at most 15 digits) is none. */
bool card_is_in_text(stoa_str text);
/* In any name, string or number of the tree. NULL has none. */
bool card_is_in_json(const struct stoa_json *json);

#endif
