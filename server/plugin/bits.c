/* plugin/bits.c: the bytes that were checked are the bytes that run: they go into a sealed memfd,
 * so that a deploy rewriting the file cannot change running code. SPDX-License-Identifier:
 * Apache-2.0
 */
#include "plugin/bits.h"

#include "base/file.h"
#include "plugin/preflight.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLUGIN_FILE_MAX = 64 << 20 };

static stoa_err read_fd(int fd, struct plugin_bits *bits, struct diag *diag)
{
    struct stat st;
    size_t got = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > PLUGIN_FILE_MAX) {
        diag_set(diag, bits->path, 0, 0, "it is no regular file of at most 64 MiB");
        return STOA_E_PLUGIN;
    }
    bits->owner = st.st_uid;
    bits->group = st.st_gid;
    bits->mode = st.st_mode;
    bits->len = (size_t)st.st_size;
    bits->bytes = malloc(bits->len + 1); /* aligned, as the ELF reader wants it */
    while (got < bits->len) {
        ssize_t n = read(fd, bits->bytes + got, bits->len - got);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    if (got == bits->len)
        return STOA_OK;
    diag_set(diag, bits->path, 0, 0, "it changed while it was read");
    diag_hint(diag, "try again; install plugins with mv, not cp, over the old file");
    return STOA_E_PLUGIN;
}

static stoa_err read_file(struct plugin_bits *bits, struct diag *diag)
{
    int fd = open(bits->path, O_RDONLY | O_CLOEXEC);
    stoa_err err;

    if (fd < 0) {
        diag_set(diag, bits->path, 0, 0, "cannot be opened: %s", strerror(errno));
        diag_hint(diag, "is the plugin installed? The folder is plugin_path in config.lua");
        return STOA_E_PLUGIN;
    }
    err = read_fd(fd, bits, diag);
    close(fd);
    return err;
}

/* By OpenSSL, which has the processor do it: every apply hashes every plugin. */
static void hash_hex(struct plugin_bits *bits)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)bits->bytes, bits->len, digest);
    sodium_bin2hex(bits->sha256, sizeof bits->sha256, digest, sizeof digest);
}

/* A new inode that nobody can write any more. -1 when the machine does not have it. */
static int sealed_copy(const struct plugin_bits *bits)
{
    int fd = memfd_create(bits->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (file_write_all(fd, (stoa_str){bits->bytes, bits->len}) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

static stoa_err check_name(const struct plugin_bits *bits, const char *expected, struct diag *diag)
{
    if (!expected || strcmp(bits->name, expected) == 0)
        return STOA_OK;
    diag_set(diag, bits->path, 0, 0, "its manifest says '%s', config.lua calls it '%s'", bits->name,
             expected);
    diag_hint(diag, "name the file and the key in config.lua after the manifest");
    return STOA_E_PLUGIN;
}

static void note(struct plugin_bits *bits, const struct preflight *checked)
{
    bits->is_pure = checked->is_pure;
    memcpy(bits->name, checked->manifest.name, sizeof bits->name);
    memcpy(bits->version, checked->manifest.version, sizeof bits->version);
    memcpy(bits->capabilities, checked->manifest.capabilities, sizeof bits->capabilities);
}

static void drop_bytes(struct plugin_bits *bits)
{
    free(bits->bytes);
    bits->bytes = NULL;
}

static stoa_err judge(struct plugin_bits *bits, const char *expected, struct diag *diag)
{
    struct preflight checked;

    STOA_TRY(preflight_check(bits->path, (stoa_str){bits->bytes, bits->len}, diag, &checked));
    note(bits, &checked);
    STOA_TRY(check_name(bits, expected, diag));
    bits->fd = sealed_copy(bits);
    if (bits->fd >= 0)
        return STOA_OK;
    diag_set(diag, bits->path, 0, 0, "no private copy could be made: %s", strerror(errno));
    return STOA_E_PLUGIN;
}

stoa_err plugin_bits_read(const char *path, struct diag *diag, struct plugin_bits *ret)
{
    stoa_err err;

    *ret = (struct plugin_bits){.fd = -1};
    snprintf(ret->path, sizeof ret->path, "%s", path);
    err = read_file(ret, diag);
    if (err == STOA_OK)
        hash_hex(ret);
    else
        drop_bytes(ret);
    return err;
}

stoa_err plugin_bits_judge(struct plugin_bits *bits, const char *expected_name, struct diag *diag)
{
    stoa_err err = judge(bits, expected_name, diag);

    drop_bytes(bits);
    return err;
}

stoa_err plugin_bits_open(const char *path, const char *expected_name, struct diag *diag,
                          struct plugin_bits *ret)
{
    STOA_TRY(plugin_bits_read(path, diag, ret));
    return plugin_bits_judge(ret, expected_name, diag);
}

void plugin_bits_close(struct plugin_bits *bits)
{
    drop_bytes(bits);
    if (bits->fd >= 0)
        close(bits->fd);
    bits->fd = -1;
}
