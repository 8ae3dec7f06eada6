/* plugin/trust.c: what is verified is the hash of the sealed copy, so there is no second reading of
 * the file that could differ. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/trust.h"

#include "base/hex.h"
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGE_MAX = 96, SHIPPED_KEPT = 256, NAME_MAX_LEN = 31 };

#define SIGNATURE_WORD "stoa-signature-1"
#define SECRET_WORD "stoa-secret-key-1"
#define SIGN_HINT "sign it with `stoa plugin sign FILE --key NAME.key`"

/* ---- Lines ---- */

/* Not the hash alone: a signature made for anything else is none for a plugin. */
static size_t message_of(const char *sha256, char ret[MESSAGE_MAX])
{
    return (size_t)snprintf(ret, MESSAGE_MAX, "stoa plugin %s", sha256);
}

static bool is_name(stoa_str name)
{
    for (uint64_t i = 0; i < name.len; i++)
        if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
              (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '-'))
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

bool trust_parse_key(stoa_str text, stoa_str *name, unsigned char ret[32])
{
    stoa_str rest = text, before = stoa_str_cut(&rest, ':');

    if (name)
        *name = before;
    return is_name(before) && hex_decode(rest, ret, crypto_sign_PUBLICKEYBYTES);
}

/* "word name hex\n" of len bytes in hex. */
static bool parse_line(stoa_str line, const char *word, stoa_str *name, unsigned char *ret,
                       uint64_t len)
{
    stoa_str rest = stoa_str_trim(line);

    if (!stoa_str_is(stoa_str_cut(&rest, ' '), word))
        return false;
    *name = stoa_str_cut(&rest, ' ');
    return is_name(*name) && hex_decode(rest, ret, len);
}

bool trust_make_key(const char *name, char secret[TRUST_LINE_MAX], char open[TRUST_LINE_MAX])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
    unsigned char seed[crypto_sign_SEEDBYTES];
    char hex[2 * crypto_sign_SEEDBYTES + 1];

    if (!is_name(stoa_str_of(name)))
        return false;
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    sodium_bin2hex(hex, sizeof hex, seed, sizeof seed);
    snprintf(secret, TRUST_LINE_MAX, SECRET_WORD " %s %s\n", name, hex);
    sodium_bin2hex(hex, sizeof hex, public_key, sizeof public_key);
    snprintf(open, TRUST_LINE_MAX, "%s:%s", name, hex);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret_key, sizeof secret_key);
    return true;
}

bool trust_sign(stoa_str secret, const char *sha256, char ret[TRUST_LINE_MAX])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
    unsigned char seed[crypto_sign_SEEDBYTES], signature[crypto_sign_BYTES];
    char message[MESSAGE_MAX], hex[2 * crypto_sign_BYTES + 1];
    stoa_str name;

    if (!parse_line(secret, SECRET_WORD, &name, seed, sizeof seed))
        return false;
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    crypto_sign_detached(signature, NULL, (const unsigned char *)message,
                         message_of(sha256, message), secret_key);
    sodium_bin2hex(hex, sizeof hex, signature, sizeof signature);
    snprintf(ret, TRUST_LINE_MAX, SIGNATURE_WORD " %.*s %s\n", (int)name.len, name.ptr, hex);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret_key, sizeof secret_key);
    return true;
}

/* ---- Shipped with the binary ---- */

void trust_shipped_folder(char ret[PATH_MAX])
{
    char self[PATH_MAX - 16];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[len > 0 ? len : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    snprintf(ret, PATH_MAX, "%s/plugins", self);
}

/* Nobody could have written it but root and who could have written the binary. */
static bool is_guarded(const struct plugin_bits *bits)
{
    struct stat self;
    bool is_of_group;

    if (stat("/proc/self/exe", &self) != 0)
        return false;
    is_of_group = (self.st_mode & S_IWGRP) && bits->group == self.st_gid;
    return (bits->mode & S_IWOTH) == 0 && (!(bits->mode & S_IWGRP) || is_of_group) &&
           (bits->owner == self.st_uid || bits->owner == 0);
}

static bool is_in_shipped_folder(const struct plugin_bits *bits)
{
    char folder[PATH_MAX], shipped[PATH_MAX], file[PATH_MAX];
    size_t len;

    trust_shipped_folder(folder);
    if (!realpath(folder, shipped) || !realpath(bits->path, file))
        return false;
    len = strlen(shipped);
    return strncmp(file, shipped, len) == 0 && file[len] == '/';
}

/* So that going back to bits which this process was started with needs no signature. The loader's
 * thread only; the oldest is forgotten first. */
static bool is_shipped(const struct plugin_bits *bits)
{
    static char known[SHIPPED_KEPT][65];
    static uint32_t next;

    for (uint32_t i = 0; i < SHIPPED_KEPT; i++)
        if (strcmp(known[i], bits->sha256) == 0)
            return true;
    if (!is_guarded(bits) || !is_in_shipped_folder(bits))
        return false;
    memcpy(known[next++ % SHIPPED_KEPT], bits->sha256, sizeof known[0]);
    return true;
}

/* ---- Judging ---- */

static stoa_err refuse(const struct plugin_bits *bits, struct diag *diag, const char *why,
                       stoa_str name)
{
    diag_set(diag, bits->path, 0, 0, "%s%.*s", why, (int)name.len, name.ptr ? name.ptr : "");
    diag_hint(diag, SIGN_HINT);
    return STOA_E_PLUGIN;
}

/* False: there is no such file. */
static bool read_signature(const struct plugin_bits *bits, char ret[TRUST_LINE_MAX])
{
    char path[PATH_MAX + 8];
    ssize_t len;
    int fd;

    snprintf(path, sizeof path, "%s.sig", bits->path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    len = read(fd, ret, TRUST_LINE_MAX - 1);
    close(fd);
    ret[len > 0 ? len : 0] = '\0';
    return true;
}

static bool find_key(const struct stoa_json *trust, stoa_str name, unsigned char ret[32])
{
    const struct stoa_json *keys = stoa_json_get(trust, "keys");

    for (const struct stoa_json *e = stoa_json_first(keys); e; e = stoa_json_next(e)) {
        stoa_str one;
        if (trust_parse_key(stoa_json_str(e, ""), &one, ret) && stoa_str_eq(one, name))
            return true;
    }
    return false;
}

static stoa_err check_signature(const struct stoa_json *trust, struct plugin_bits *bits,
                                bool required, struct diag *diag)
{
    unsigned char signature[crypto_sign_BYTES], key[crypto_sign_PUBLICKEYBYTES];
    char message[MESSAGE_MAX];
    stoa_str name;

    if (!parse_line(stoa_str_of(bits->signature), SIGNATURE_WORD, &name, signature,
                    sizeof signature))
        return required ? refuse(bits, diag, "its signature cannot be read", (stoa_str){0})
                        : STOA_OK;
    if (!find_key(trust, name, key))
        return required ? refuse(bits, diag,
                                 "it is signed with a key that trust.keys does not have: ", name)
                        : STOA_OK;
    if (crypto_sign_verify_detached(signature, (const unsigned char *)message,
                                    message_of(bits->sha256, message), key) != 0)
        return refuse(bits, diag, "its signature is not one of these bits by the key called ",
                      name);
    snprintf(bits->signer, sizeof bits->signer, "%.*s", (int)name.len, name.ptr);
    return STOA_OK;
}

stoa_err trust_check(const struct stoa_json *trust, struct plugin_bits *bits, struct diag *diag)
{
    bool required;

    if (!bits->is_placed)
        bits->is_shipped = is_shipped(bits);
    required = stoa_json_true(trust, "require") && !bits->is_shipped;
    if (read_signature(bits, bits->signature))
        return check_signature(trust, bits, required, diag);
    return required
               ? refuse(bits, diag, "it is not signed, and trust.require is set", (stoa_str){0})
               : STOA_OK;
}
