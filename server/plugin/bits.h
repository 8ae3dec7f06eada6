/* plugin/bits.h: a plugin's file, read once, judged, and kept as a sealed copy that nobody can
 * write: what is mapped here, tried in a child or run in a sandbox is this copy. Nothing of it has
 * run. SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_BITS_H
#define PLUGIN_BITS_H

#include "base/diag.h"
#include "base/file.h"
#include <limits.h>
#include <sys/types.h>

struct plugin_bits {
    const char *bytes; /* of the copy, until it is judged or closed; NULL: not read */
    size_t len;
    struct file_stamp file;                        /* what was read */
    char path[PATH_MAX];                           /* where it was read; for messages */
    char name[32], version[20], capabilities[256]; /* the manifest's */
    char sha256[65];
    bool is_pure; /* may be unmapped; see preflight.h */
    uid_t owner;  /* of the file that was read, as are group and mode */
    gid_t group;
    mode_t mode;
    bool has_served;     /* here, with the same configuration */
    bool is_shipped;     /* came with the binary; trust.h */
    bool is_placed;      /* is_shipped is known: the file and its place are as they were */
    bool is_ours;        /* did so now, or when the revision was kept that it belongs to */
    char signer[32];     /* the key whose signature is good; "": none */
    char signature[256]; /* what is beside the file; "": nothing */
    int fd;              /* sealed memfd, close-on-exec; -1: given away */
};

/* Copies path and hashes it: path, sha256, owner and mode. STOA_E_PLUGIN with *diag otherwise;
 * there is nothing to be closed then. */
STOA_NODISCARD stoa_err plugin_bits_read(const char *path, struct diag *diag,
                                         struct plugin_bits *ret);
/* As if path had been read, with sha256, when it still is what file was a stamp of; bytes and the
 * copy are not there then. False: it is not, or nobody can tell. */
bool plugin_bits_recall(const char *path, const struct file_stamp *file, const char *sha256,
                        struct plugin_bits *ret);
/* Checks what was read (preflight.h). expected_name: the name that config.lua has for it; NULL:
 * any. STOA_E_ABI or STOA_E_PLUGIN with *diag otherwise. */
STOA_NODISCARD stoa_err plugin_bits_judge(struct plugin_bits *bits, const char *expected_name,
                                          struct diag *diag);
/* Both. */
STOA_NODISCARD stoa_err plugin_bits_open(const char *path, const char *expected_name,
                                         struct diag *diag, struct plugin_bits *ret);
/* Closes the copy, unless generation_map() or the like took it. */
void plugin_bits_close(struct plugin_bits *bits);

#endif
