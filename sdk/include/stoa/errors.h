/* stoa/errors.h: name, HTTP status, text a buyer may see. Append only: the numbers are ABI.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_ERRORS_H
#define STOA_ERRORS_H

#include "api.h"

#define STOA_ERRORS(X)                                                                             \
    X(NOT_FOUND, 404, "There is no such page")                                                     \
    X(BAD_REQUEST, 400, "We could not read this request")                                          \
    X(AUTH, 401, "Please log in")                                                                  \
    X(DECLINED, 402, "The payment was declined")                                                   \
    X(FORBIDDEN, 403, "You may not do this")                                                       \
    X(METHOD, 405, "This cannot be done here")                                                     \
    X(CONFLICT, 409, "This has changed in the meantime")                                           \
    X(SOLD_OUT, 409, "Sold out")                                                                   \
    X(PRICE_CHANGED, 409, "The price has changed")                                                 \
    X(IN_FLIGHT, 409, "The same request is still being worked on")                                 \
    X(EXISTS, 409, "This exists already")                                                          \
    X(TOO_LARGE, 413, "This is too large")                                                         \
    X(MEDIA_TYPE, 415, "We cannot read this kind of content")                                      \
    X(INVALID, 422, "Please check what you entered")                                               \
    X(CURRENCY, 422, "These prices are in different currencies")                                   \
    X(RANGE, 422, "That amount is not possible")                                                   \
    X(KEY_REUSED, 422, "This idempotency key belongs to another request")                          \
    X(RATE, 429, "Too many requests")                                                              \
    X(HEAD_TOO_LARGE, 431, "The request's header is too large")                                    \
    X(INTERNAL, 500, "Something went wrong")                                                       \
    X(TX, 500, "Something went wrong")                                                             \
    X(STALE, 500, "Something went wrong")                                                          \
    X(DEPTH, 500, "Something went wrong")                                                          \
    X(UPSTREAM, 502, "A partner of the shop does not answer")                                      \
    X(STORE, 503, "Please try again")                                                              \
    X(PLUGIN, 503, "This part of the shop is closed for a moment")                                 \
    X(BUSY, 503, "The shop is very busy; please try again")                                        \
    X(TIMEOUT, 503, "This took too long; please try again")                                        \
    X(CANCELLED, 503, "The request was given up")                                                  \
    X(CONFIG, 500, "The shop is not set up correctly")                                             \
    X(ABI, 500, "The shop is not set up correctly")

#define X(name, status, text) STOA_E_##name,
typedef enum stoa_err { STOA_OK, STOA_ERRORS(X) STOA_E_COUNT } stoa_err;
#undef X

/* For an error that changes nothing: say beside it why. */
#define STOA_IGNORE(call)                                                                          \
    do {                                                                                           \
        stoa_err stoa_ignored_err = (call);                                                        \
        (void)stoa_ignored_err;                                                                    \
    } while (0)

/* "NOT_FOUND", or "OK". Static; never NULL. */
STOA_API const char *stoa_err_name(stoa_err err);
/* The HTTP status that goes with err; 200 for STOA_OK. */
STOA_API int32_t stoa_err_status(stoa_err err);
/* What a buyer may read. Static; never NULL. */
STOA_API const char *stoa_err_text(stoa_err err);

#endif
