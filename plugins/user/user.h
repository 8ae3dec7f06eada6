/* user.h: what the files of this plugin share. SPDX-License-Identifier: Apache-2.0 */
#ifndef USER_USER_H
#define USER_USER_H

#include <stoa/stoa.h>

enum {
    USER_NAME_MAX = 100,
    USER_PASSWORD_MIN = 10, /* bytes */
    USER_PASSWORD_MAX = 128,
    USER_SESSIONS_MAX = 50,         /* of one account; a login past it ends the oldest */
    USER_TRIES_MAX = 10,            /* at one account … */
    USER_TRIES_MS = 15 * 60 * 1000, /* … in this time */
};

/* One instance. */
struct user {
    int64_t session_ms;
    stoa_str owner_password; /* empty: the seed makes one */
};

stoa_err account_register(struct stoa_req *req, void *self);
stoa_err account_show(struct stoa_req *req, void *self);
stoa_err account_change(struct stoa_req *req, void *self);

stoa_err session_create(struct stoa_req *req, void *self);
stoa_err session_end(struct stoa_req *req, void *self);
stoa_err session_identify(struct stoa_req *req, void *self);
stoa_err session_sweep(struct stoa_req *req, void *self); /* the job */

stoa_err seed_owner(struct stoa_req *req, void *self);

/* Counts one more try at the account, before anything is compared: parallel tries must not slip
 * through. STOA_E_RATE with Retry-After past the limit. */
STOA_NODISCARD stoa_err try_count(struct stoa_req *req, stoa_str email);
/* Forgets the tries after one that was right. */
STOA_NODISCARD stoa_err try_forget(struct stoa_req *req, stoa_str email);

/* The gate asks anew who the account's sessions are; in a transaction, once that commits. */
void identity_drop(struct stoa_req *req, stoa_str user_id);

/* check.c: pure */

/* Trimmed, ASCII in lower case; empty when no account can have it: longer than STOA_EMAIL_MAX, not
 * UTF-8, without an @, with white space or control characters. A new account's has to be one for
 * mails besides (stoa_str_is_email()); there may be older ones that are not. */
stoa_str email_normalise(struct stoa_arena *arena, stoa_str email);
/* What is wrong with it, for its owner to read; NULL when it will do. */
const char *password_fault(stoa_str password);
const char *name_fault(stoa_str name);

/* Pushes {"field", "message"}. */
void fault_push(struct stoa_arena *arena, struct stoa_json *faults, const char *field,
                const char *message);

#endif
