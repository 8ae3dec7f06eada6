/* resource/mail/message.h: a mail as bytes (RFC 5322, MIME: RFC 2045 to 2047) and back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_MAIL_MESSAGE_H
#define RESOURCE_MAIL_MESSAGE_H

#include <stoa/effects.h>

enum {
    MAIL_SUBJECT_MAX = 400,
    MAIL_ID_MAX = 200,
    MAIL_TEXT_MAX = 1024 * 1024, /* text and html, each */
};

/* STOA_E_INVALID for an address or header that is none. */
STOA_NODISCARD stoa_err message_check(const struct stoa_mail *mail);
/* "Shop <shop@example.com>", or the address alone. */
STOA_NODISCARD stoa_err message_check_from(stoa_str from);
/* The mail as a file, in the arena. at: its Date, UTC ms. */
stoa_str message_format(struct stoa_arena *arena, const struct stoa_mail *mail, stoa_str from,
                        int64_t at);
/* {id,to,subject,text,html} of what message_format() made; NULL for anything else. */
struct stoa_json *message_parse(struct stoa_arena *arena, stoa_str file);

#endif
