/* http/tls.h: certificates and keys as OpenSSL wants them: TLS 1.2 and 1.3, HTTP/1.1 only, tickets
 * that no other listener takes. SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "http/http.h"
#include <openssl/ssl.h>

struct tls_pair {
    const char *file;        /* the certificate's, as it was given */
    char names[200];         /* whom it speaks for: hosts and addresses with blanks between them */
    char sha256[65];         /* of the certificate, as browsers show it */
    int64_t from_s, until_s; /* valid; seconds since 1970 */
    const char *why; /* its files cannot be used: this is what they held before. NULL: it is not */
    bool is_exposed; /* any user of the machine can read or replace the key */
};

/* What one listener greets with. It never changes, and lives as long as somebody holds it. */
struct tls;
/* Reads the files of listen, which has at least one pair. STOA_E_CONFIG with *diag, whose file is
 * the place below the listener ("key.0"). Keys are in no message. kept: tls_kept() of one that was
 * loaded before, here or in another process; it serves when the files cannot be used. -1: none. */
STOA_NODISCARD stoa_err tls_load(const struct http_listen *listen, int kept, struct diag *diag,
                                 struct tls **ret);
/* What was read, as a descriptor of a memory file: tls's own. -1: there is none. tls may be NULL.
 */
int tls_kept(const struct tls *tls);
struct tls *tls_hold(struct tls *tls); /* tls; NULL is fine */
void tls_release(struct tls *tls);     /* NULL is fine */
/* The same certificates and keys, byte for byte, from the same files, and as well hidden; both may
 * be NULL. */
bool tls_is_same(const struct tls *one, const struct tls *other);
/* Lives as long as tls. It chooses the certificate by the name that the client asks for. */
SSL_CTX *tls_context(const struct tls *tls);
/* index below the number of pairs; NULL past the last. tls may be NULL. */
const struct tls_pair *tls_pair(const struct tls *tls, uint32_t index);
/* What is wrong with the pair at the time now_s, for an operator. False: nothing. */
enum { TLS_PROBLEM_MAX = 600, TLS_SOON_DAYS = 14 };
bool tls_problem(const struct tls_pair *pair, int64_t now_s, char ret[TLS_PROBLEM_MAX]);

/* Called by OpenSSL during each handshake; see connection.c. */
void tls_on_progress(const SSL *ssl, int where, int result);

#endif
