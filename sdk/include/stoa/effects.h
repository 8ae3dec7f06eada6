/* stoa/effects.h: the rest of what a plugin can do: cache, mail, work, log, chance.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_EFFECTS_H
#define STOA_EFFECTS_H

#include "request.h"

/* ---- Cache: copies only. Losing it loses nothing. Keys are the plugin's own; 1 to 200 bytes.
 * Values up to 1 MiB, and a quarter of what a loop has. A dropped tag is gone at once in this
 * process. ---- */
/* STOA_E_NOT_FOUND when it is not there. The bytes live as long as the request. */
STOA_NODISCARD STOA_API stoa_err stoa_cache_get(struct stoa_req *req, stoa_str key, stoa_str *ret);
/* ttl_ms: 1 to 86,400,000. tags: separated by spaces, at most 16, shared by all plugins
 * ("product:prd_…"). */
STOA_API void stoa_cache_put(struct stoa_req *req, stoa_str key, stoa_str value, int64_t ttl_ms,
                             stoa_str tags);
/* Drops what carries the tag, on every loop; an open transaction does it when it commits. A
 * transaction drops at most 256 different tags: with more its commit fails with STOA_E_TX. What
 * many rows share deserves a tag of its own. */
STOA_API void stoa_cache_drop(struct stoa_req *req, stoa_str tag);

/* ---- Mail ---- */
struct stoa_mail {
    stoa_str to;         /* one address: stoa_str_is_email() */
    stoa_str subject;    /* no control characters */
    stoa_str text;       /* UTF-8 */
    stoa_str html;       /* may be empty */
    stoa_str message_id; /* "ord_…@shop": the same mail always has the same; a repeat is not sent
                            twice where that can be known */
};
/* STOA_E_INVALID for an address or header that is none; STOA_E_STORE when it could not be handed
 * over. */
STOA_NODISCARD STOA_API stoa_err stoa_mail_send(struct stoa_req *req, const struct stoa_mail *mail);
/* In development: the mails kept, newest first, at most limit: [{id,to,subject,text,html,time}].
 * STOA_E_NOT_FOUND otherwise. */
STOA_NODISCARD STOA_API stoa_err stoa_mail_list(struct stoa_req *req, uint32_t limit,
                                                const struct stoa_json **ret);

/* ---- Work and time ---- */
/* Runs work(arg) on a thread of the blocking pool and waits. It may touch arg only, and call
 * nothing of the SDK but the pure parts. STOA_E_BUSY when the pool's queue is full. */
STOA_NODISCARD STOA_API stoa_err stoa_offload(struct stoa_req *req, void (*work)(void *arg),
                                              void *arg);
STOA_NODISCARD STOA_API stoa_err stoa_sleep(struct stoa_req *req, int64_t ms);
/* Milliseconds left for this request. */
STOA_API int64_t stoa_time_left(const struct stoa_req *req);

/* ---- Secrets ---- */
/* Argon2id, on the pool: at least 19 MiB, t=2, p=1 (OWASP password storage cheat sheet). */
STOA_NODISCARD STOA_API stoa_err stoa_password_hash(struct stoa_req *req, stoa_str password,
                                                    stoa_str *ret);
/* STOA_E_AUTH when it does not match. An empty hash takes as long and never matches. */
STOA_NODISCARD STOA_API stoa_err stoa_password_verify(struct stoa_req *req, stoa_str password,
                                                      stoa_str hash);
/* Constant time for equal lengths. */
STOA_API bool stoa_secret_eq(stoa_str a, stoa_str b);
STOA_API void stoa_random(struct stoa_req *req, void *ret, uint64_t len);

/* ---- Log: one line, with the request's id and the plugin's name. ---- */
typedef enum stoa_level { STOA_DEBUG, STOA_INFO, STOA_WARN, STOA_ERROR } stoa_level;
STOA_API void stoa_log(struct stoa_req *req, stoa_level level, const char *message,
                       struct stoa_fields fields);

/* A named place where tests may kill the process or fail a call. Free when nothing is armed.
 * Returns STOA_OK, or what the armed fault says. */
STOA_API stoa_err stoa_fault(struct stoa_req *req, const char *place);

#endif
