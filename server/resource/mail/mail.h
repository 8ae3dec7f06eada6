/* resource/mail/mail.h: handing over mail. The `files` driver writes one .eml (RFC 5322) a mail
 * into <data>/mail, named after its Message-ID, so that a repeat replaces itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_MAIL_H
#define RESOURCE_MAIL_H

#include "resource/pool/pool.h"
#include <stoa/effects.h>

struct mail;
/* from: "Stoa Demo <shop@example.com>". */
stoa_err mail_open_files(const char *folder, const char *from, struct pool *pool,
                         struct mail **ret);
void mail_close(struct mail *mail);
STOA_NODISCARD stoa_err mail_send(struct mail *mail, const struct stoa_mail *message);
/* Newest first, at most limit: [{id,to,subject,text,html,time}]. */
STOA_NODISCARD stoa_err mail_list(struct mail *mail, uint32_t limit, struct stoa_arena *arena,
                                  const struct stoa_json **ret);

#endif
