/* http/tls_files.h: certificates and keys as bytes: from their files, and from a sealed memory file
 * that keeps what they held when they could be used. That one is on no disk; whoever has its
 * descriptor can read the keys. SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_TLS_FILES_H
#define HTTP_TLS_FILES_H

#include "base/diag.h"

enum { TLS_FILE_MAX = 256 << 10 };

struct tls_file {
    char *bytes; /* wiped when it is freed */
    uint32_t len;
    bool is_exposed; /* any user of the machine can read or replace it */
};
/* Either way tls_file_free() afterwards. STOA_E_CONFIG with *diag. */
STOA_NODISCARD stoa_err tls_file_read(const char *path, struct diag *diag, struct tls_file *ret);
void tls_file_free(struct tls_file *file);

/* A memory file to add to: closed on exec, -1 when there can be none. */
int tls_keep_begin(void);
/* fd may be -1. A file that does not get in whole is not found later. */
void tls_keep_add(int fd, const char *path, const struct tls_file *file);
void tls_keep_end(int fd); /* from now on nobody can change it */
/* What path held. False: it is not kept there. Any bytes in fd are safe. */
bool tls_keep_find(int fd, const char *path, struct tls_file *ret);

#endif
