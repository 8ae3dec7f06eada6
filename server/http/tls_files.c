/* http/tls_files.c: in the memory file each file has a head, its path and its bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/tls_files.h"

#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- From the disk ---- */

void tls_file_free(struct tls_file *file)
{
    if (file->bytes)
        OPENSSL_cleanse(file->bytes, file->len);
    free(file->bytes);
}

static bool read_all(int fd, struct tls_file *ret)
{
    struct stat info;
    ssize_t n = 0;

    if (fstat(fd, &info) != 0)
        return false;
    if (!S_ISREG(info.st_mode) || info.st_size > TLS_FILE_MAX) {
        errno = S_ISREG(info.st_mode) ? EFBIG : EINVAL;
        return false;
    }
    ret->is_exposed = info.st_mode & (S_IROTH | S_IWOTH);
    ret->bytes = malloc((size_t)info.st_size + 1);
    stoa_assert(ret->bytes);
    while (ret->len < (uint32_t)info.st_size &&
           (n = read(fd, ret->bytes + ret->len, (size_t)info.st_size - ret->len)) > 0)
        ret->len += (uint32_t)n;
    return n >= 0;
}

stoa_err tls_file_read(const char *path, struct diag *diag, struct tls_file *ret)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool is_read = fd >= 0 && read_all(fd, ret);

    if (!is_read) {
        diag_set(diag, "", 0, 0, "%s cannot be read: %s", path, strerror(errno));
        diag_hint(diag, "paths are relative to the configuration file; the shop's user must be "
                        "able to read it");
    }
    if (fd >= 0)
        close(fd);
    return is_read ? STOA_OK : STOA_E_CONFIG;
}

/* ---- Kept ---- */

struct head {
    uint32_t path_len, len, is_exposed;
};

int tls_keep_begin(void)
{
    return memfd_create("certificates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

void tls_keep_add(int fd, const char *path, const struct tls_file *file)
{
    const struct head head = {(uint32_t)strlen(path), file->len, file->is_exposed};

    if (fd >= 0 && file_write_all(fd, (stoa_str){(const char *)&head, sizeof head}) &&
        file_write_all(fd, (stoa_str){path, head.path_len}))
        (void)file_write_all(fd, (stoa_str){file->bytes, file->len});
}

void tls_keep_end(int fd)
{
    if (fd >= 0)
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

/* All of it: several processes share the descriptor's own place. */
static bool read_at(int fd, off_t at, void *ret, uint32_t len)
{
    return pread(fd, ret, len, at) == (ssize_t)len;
}

static bool take(int fd, off_t at, const struct head *head, struct tls_file *ret)
{
    *ret = (struct tls_file){.bytes = malloc(head->len + 1), .is_exposed = head->is_exposed};
    stoa_assert(ret->bytes);
    if (read_at(fd, at, ret->bytes, head->len)) {
        ret->len = head->len;
        return true;
    }
    tls_file_free(ret);
    return false;
}

bool tls_keep_find(int fd, const char *path, struct tls_file *ret)
{
    char name[PATH_MAX];
    struct head head;

    for (off_t at = 0; fd >= 0 && read_at(fd, at, &head, sizeof head);
         at += (off_t)sizeof head + head.path_len + head.len) {
        if (head.path_len >= sizeof name || head.len > TLS_FILE_MAX ||
            !read_at(fd, at + (off_t)sizeof head, name, head.path_len))
            return false;
        name[head.path_len] = '\0';
        if (strcmp(name, path) == 0)
            return take(fd, at + (off_t)sizeof head + head.path_len, &head, ret);
    }
    return false;
}
