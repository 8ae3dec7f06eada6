/* plugin/bits.c: the bytes that were checked are the bytes that run: they go into a sealed memfd,
 * so that a deploy rewriting the file cannot change running code.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/bits.h"

#include "plugin/preflight.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLUGIN_FILE_MAX = 64 << 20, PIECE = 64 << 10 };

static void note_file(struct plugin_bits *bits, const struct stat *st)
{
    bits->file = file_stamp(st);
    bits->owner = st->st_uid;
    bits->group = st->st_gid;
    bits->mode = st->st_mode;
    bits->len = (size_t)st->st_size;
}

static ssize_t read_piece(int fd, char *piece)
{
    ssize_t n;

    do
        n = read(fd, piece, PIECE);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Piece by piece, each still in the caches: into the copy, and into the hash. Bytes copied, or -1
 * with errno. */
static int64_t copy_pieces(int fd, const struct plugin_bits *bits, EVP_MD_CTX *hash)
{
    char piece[PIECE];
    int64_t copied = 0;
    ssize_t n;

    while (copied <= (int64_t)bits->len && (n = read_piece(fd, piece)) != 0) {
        if (n < 0 || !file_write_all(bits->fd, (stoa_str){piece, (uint64_t)n}))
            return -1;
        EVP_DigestUpdate(hash, piece, (size_t)n);
        copied += n;
    }
    return copied;
}

/* The hash is OpenSSL's, which has the processor compute it. */
static int64_t copy_and_hash(int fd, struct plugin_bits *bits)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int64_t copied;

    stoa_assert(hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL));
    copied = copy_pieces(fd, bits, hash);
    EVP_DigestFinal_ex(hash, digest, NULL);
    EVP_MD_CTX_free(hash);
    sodium_bin2hex(bits->sha256, sizeof bits->sha256, digest, sizeof digest);
    return copied;
}

static stoa_err fail_copy(const struct plugin_bits *bits, struct diag *diag)
{
    diag_set(diag, bits->path, 0, 0, "no private copy could be made: %s", strerror(errno));
    return STOA_E_PLUGIN;
}

/* A new inode that nobody can write any more, mapped for who judges it, which looks at a few
 * of its pages. */
static stoa_err seal_and_map(struct plugin_bits *bits, struct diag *diag)
{
    static const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    void *bytes;

    if (fcntl(bits->fd, F_ADD_SEALS, seals) != 0)
        return fail_copy(bits, diag);
    if (bits->len == 0) {
        bits->bytes = "";
        return STOA_OK;
    }
    /* Private, though nobody writes: before Linux 6.7 what is sealed cannot be mapped shared. */
    bytes = mmap(NULL, bits->len, PROT_READ, MAP_PRIVATE, bits->fd, 0);
    if (bytes == MAP_FAILED)
        return fail_copy(bits, diag);
    bits->bytes = bytes;
    return STOA_OK;
}

/* Called like the file, for who looks at the process. */
static int new_copy(const char *path)
{
    const char *slash = strrchr(path, '/');
    char name[100];

    snprintf(name, sizeof name, "%.99s", slash ? slash + 1 : path);
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static stoa_err copy_fd(int fd, struct plugin_bits *bits, struct diag *diag)
{
    struct stat st;
    int64_t copied;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > PLUGIN_FILE_MAX) {
        diag_set(diag, bits->path, 0, 0, "it is no regular file of at most 64 MiB");
        return STOA_E_PLUGIN;
    }
    note_file(bits, &st);
    bits->fd = new_copy(bits->path);
    if (bits->fd < 0)
        return fail_copy(bits, diag);
    copied = copy_and_hash(fd, bits);
    if (copied < 0)
        return fail_copy(bits, diag);
    if (copied == (int64_t)bits->len)
        return seal_and_map(bits, diag);
    diag_set(diag, bits->path, 0, 0, "it changed while it was read");
    diag_hint(diag, "try again; install plugins with mv, not cp, over the old file");
    return STOA_E_PLUGIN;
}

/* What is no file, such as a FIFO, must not be waited for. */
static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static stoa_err copy_file(struct plugin_bits *bits, struct diag *diag)
{
    int fd = open_file(bits->path);
    stoa_err err;

    if (fd < 0) {
        diag_set(diag, bits->path, 0, 0, "cannot be opened: %s", strerror(errno));
        diag_hint(diag, "is the plugin installed? The folder is plugin_path in config.lua");
        return STOA_E_PLUGIN;
    }
    err = copy_fd(fd, bits, diag);
    close(fd);
    return err;
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
    if (bits->bytes && bits->len > 0)
        munmap((void *)bits->bytes, bits->len);
    bits->bytes = NULL;
}

stoa_err plugin_bits_read(const char *path, struct diag *diag, struct plugin_bits *ret)
{
    stoa_err err;

    *ret = (struct plugin_bits){.fd = -1};
    snprintf(ret->path, sizeof ret->path, "%s", path);
    err = copy_file(ret, diag);
    if (err != STOA_OK)
        plugin_bits_close(ret);
    return err;
}

bool plugin_bits_recall(const char *path, const struct file_stamp *file, const char *sha256,
                        struct plugin_bits *ret)
{
    int fd = open_file(path); /* over NFS a path alone may tell of a minute ago */
    struct stat st;
    bool is_there = fd >= 0 && fstat(fd, &st) == 0;

    *ret = (struct plugin_bits){.fd = -1};
    if (fd >= 0)
        close(fd);
    if (!is_there)
        return false;
    note_file(ret, &st);
    snprintf(ret->path, sizeof ret->path, "%s", path);
    memcpy(ret->sha256, sha256, sizeof ret->sha256);
    return file_is_same(&ret->file, file);
}

stoa_err plugin_bits_judge(struct plugin_bits *bits, const char *expected_name, struct diag *diag)
{
    struct preflight checked;
    stoa_err err = preflight_check(bits->path, (stoa_str){bits->bytes, bits->len}, diag, &checked);

    drop_bytes(bits);
    if (err != STOA_OK)
        return err;
    note(bits, &checked);
    return check_name(bits, expected_name, diag);
}

stoa_err plugin_bits_open(const char *path, const char *expected_name, struct diag *diag,
                          struct plugin_bits *ret)
{
    stoa_err err = plugin_bits_read(path, diag, ret);

    if (err != STOA_OK)
        return err;
    err = plugin_bits_judge(ret, expected_name, diag);
    if (err != STOA_OK)
        plugin_bits_close(ret);
    return err;
}

void plugin_bits_close(struct plugin_bits *bits)
{
    drop_bytes(bits);
    if (bits->fd >= 0)
        close(bits->fd);
    bits->fd = -1;
}
