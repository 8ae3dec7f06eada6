/* http/tls.c: one SSL_CTX a certificate. SPDX-License-Identifier: Apache-2.0 */
#include "http/tls.h"

#include "base/hex.h"
#include "base/random.h"
#include "http/tls_files.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SID_LEN = 16, DAY_S = 86400 };

struct tls {
    atomic_uint holders;
    uint32_t count;
    SSL_CTX *contexts[HTTP_CERTIFICATES_MAX]; /* [0] also has the tickets of all */
    struct tls_pair pairs[HTTP_CERTIFICATES_MAX];
    unsigned char digest[EVP_MAX_MD_SIZE]; /* of all files' bytes */
    unsigned char sid[SID_LEN];            /* a session of another listener has another */
    int kept;                              /* those bytes (tls_files.h); -1: they are not */
    char why[400];                         /* the files cannot be used; empty: they were */
};

/* ---- Files ---- */

/* A passphrase is asked for by nobody: a shop that starts at night has no one to type it. */
static int no_passphrase(char *buffer, int size, int is_writing, void *data)
{
    return -1;
}

static BIO *bio_of(const struct tls_file *file)
{
    BIO *bio = BIO_new_mem_buf(file->bytes, (int)file->len);

    stoa_assert(bio);
    return bio;
}

/* ---- What a certificate says ---- */

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm = {0};

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void add_name(struct tls_pair *pair, const char *text, int len)
{
    size_t at = strlen(pair->names);

    if (at + (size_t)len + 2 < sizeof pair->names)
        snprintf(pair->names + at, sizeof pair->names - at, "%s%.*s", at ? " " : "", len, text);
}

static void add_address(struct tls_pair *pair, const ASN1_OCTET_STRING *bytes)
{
    char text[INET6_ADDRSTRLEN];
    int family = bytes->length == 4 ? AF_INET : AF_INET6;

    if ((bytes->length == 4 || bytes->length == 16) &&
        inet_ntop(family, bytes->data, text, sizeof text))
        add_name(pair, text, (int)strlen(text));
}

/* Only what can stand in a host's name: the rest could make a log line lie. */
static bool is_plain(const ASN1_STRING *text)
{
    for (int i = 0; i < text->length; i++)
        if (text->data[i] <= ' ' || text->data[i] >= 0x7f)
            return false;
    return text->length > 0;
}

static void read_names(X509 *certificate, struct tls_pair *pair)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS && is_plain(name->d.dNSName))
            add_name(pair, (const char *)name->d.dNSName->data, name->d.dNSName->length);
        else if (name->type == GEN_IPADD)
            add_address(pair, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

static void read_facts(X509 *certificate, struct tls_pair *pair)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    pair->from_s = seconds_of(X509_get0_notBefore(certificate));
    pair->until_s = seconds_of(X509_get0_notAfter(certificate));
    read_names(certificate, pair);
    stoa_assert(X509_digest(certificate, EVP_sha256(), digest, &len) == 1 && len == 32);
    hex_encode(digest, len, pair->sha256);
}

static void format_day(int64_t seconds, char ret[16])
{
    time_t time = (time_t)seconds;
    struct tm tm;

    gmtime_r(&time, &tm);
    strftime(ret, 16, "%Y-%m-%d", &tm);
}

bool tls_problem(const struct tls_pair *pair, int64_t now_s, char ret[TLS_PROBLEM_MAX])
{
    char day[16];

    format_day(now_s < pair->from_s ? pair->from_s : pair->until_s, day);
    if (pair->why)
        snprintf(ret, TLS_PROBLEM_MAX, "what its files held before is served: %s", pair->why);
    else if (now_s < pair->from_s)
        snprintf(ret, TLS_PROBLEM_MAX, "it is not valid before %s: browsers refuse it", day);
    else if (now_s >= pair->until_s)
        snprintf(ret, TLS_PROBLEM_MAX, "it has expired on %s: browsers refuse it", day);
    else if (pair->until_s - now_s < (int64_t)TLS_SOON_DAYS * DAY_S)
        snprintf(ret, TLS_PROBLEM_MAX, "it expires on %s, in %lld days", day,
                 (long long)((pair->until_s - now_s) / DAY_S));
    else if (pair->is_exposed)
        snprintf(ret, TLS_PROBLEM_MAX, "every user of this machine can read its key: chmod 600");
    else
        return false;
    return true;
}

/* ---- Contexts ---- */

/* HTTP/2 stays off (see configure_h2o()): who speaks nothing else hears that at once.
 * cap: OpenSSL's callback */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned int len, void *data)
{
    static const unsigned char ours[] = "\x08http/1.1";

    return SSL_select_next_proto((unsigned char **)ret, ret_len, ours, sizeof ours - 1, offered,
                                 len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool speaks_for(SSL_CTX *context, const char *name)
{
    return X509_check_host(SSL_CTX_get0_certificate(context), name, strlen(name),
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static int choose_certificate(SSL *ssl, int *alert, void *data)
{
    const struct tls *tls = data;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    for (uint32_t i = 0; name && i < tls->count; i++)
        if (speaks_for(tls->contexts[i], name)) {
            SSL_set_SSL_CTX(ssl, tls->contexts[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK; /* the first one, as for a client that names nobody */
}

/* Ticket keys are OpenSSL's own: random ones of each context. Early data can be replayed: none. */
static SSL_CTX *create_context(struct tls *tls)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    stoa_assert(context);
    stoa_assert(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    stoa_assert(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    stoa_assert(SSL_CTX_set_session_id_context(context, tls->sid, SID_LEN) == 1);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_info_callback(context, tls_on_progress);
    SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(context, tls);
    return context;
}

/* OpenSSL's reason, without what it was doing where. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "unknown";
}

static stoa_err use_certificate(SSL_CTX *context, const struct tls_file *file,
                                struct tls_pair *pair, struct diag *diag)
{
    BIO *bio = bio_of(file);
    X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL), *next;
    bool is_used = certificate && SSL_CTX_use_certificate(context, certificate) == 1;
    bool is_whole = true;
    uint32_t count = 1;

    for (; is_used && (next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)); count++)
        is_used = SSL_CTX_add0_chain_cert(context, next) == 1;
    if (is_used) /* the last one was not read: is that the file's end? */
        is_whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    if (!certificate) {
        diag_set(diag, "", 0, 0, "%s holds no certificate", pair->file);
        diag_hint(diag, "it is to be PEM, and begins with -----BEGIN CERTIFICATE-----");
    } else if (!is_used) {
        diag_set(diag, "", 0, 0, "%s cannot be used: %s", pair->file, reason());
        diag_hint(diag, "get one with an RSA key of 2048 bits or more, or an EC key");
    } else if (!is_whole) {
        diag_set(diag, "", 0, 0, "%s: its certificate %u is broken", pair->file, count + 1);
        diag_hint(diag, "copy the whole file again, as it was issued");
    } else {
        read_facts(certificate, pair);
    }
    X509_free(certificate);
    return is_used && is_whole ? STOA_OK : STOA_E_CONFIG;
}

static stoa_err use_key(SSL_CTX *context, const struct tls_file *file, const char *path,
                        const char *certificate, struct diag *diag)
{
    BIO *bio = bio_of(file);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    bool is_its =
        key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;

    BIO_free(bio);
    if (!key) {
        diag_set(diag, "", 0, 0, "%s holds no private key that can be read", path);
        diag_hint(diag, "it is to be PEM, and without a passphrase");
    } else if (!is_its) {
        diag_set(diag, "", 0, 0, "%s is not the key of %s", path, certificate);
        diag_hint(diag, "name the two that were made together; while files are replaced, "
                        "wait for both");
    }
    EVP_PKEY_free(key);
    return is_its ? STOA_OK : STOA_E_CONFIG;
}

/* ---- Loading ---- */

/* What is being read, and where from. */
struct loading {
    struct tls *tls;
    EVP_MD_CTX *digest;
    int from; /* kept bytes; -1: the files */
    struct diag *diag;
};

static stoa_err read_one(const struct loading *l, const char *path, struct tls_file *ret)
{
    if (l->from < 0)
        STOA_TRY(tls_file_read(path, l->diag, ret));
    else if (!tls_keep_find(l->from, path, ret))
        return STOA_E_NOT_FOUND;
    tls_keep_add(l->tls->kept, path, ret);
    return STOA_OK;
}

static stoa_err load_pair(const struct loading *l, const struct http_listen *listen)
{
    struct tls *tls = l->tls;
    struct diag *diag = l->diag;
    uint32_t i = tls->count;
    struct tls_file certificate = {0}, key = {0};
    stoa_err err;
    const char *what = "certificate";

    tls->contexts[tls->count++] = create_context(tls);
    tls->pairs[i].file = strdup(listen->certificates[i]);
    err = read_one(l, listen->certificates[i], &certificate);
    if (err == STOA_OK)
        err = use_certificate(tls->contexts[i], &certificate, &tls->pairs[i], diag);
    if (err == STOA_OK) {
        what = "key";
        err = read_one(l, listen->keys[i], &key);
    }
    if (err == STOA_OK)
        err = use_key(tls->contexts[i], &key, listen->keys[i], listen->certificates[i], diag);
    if (err == STOA_OK) {
        tls->pairs[i].is_exposed = key.is_exposed;
        EVP_DigestUpdate(l->digest, certificate.bytes, certificate.len);
        EVP_DigestUpdate(l->digest, key.bytes, key.len);
    } else {
        snprintf(diag->file, sizeof diag->file, "%s.%u", what, i);
    }
    tls_file_free(&certificate);
    tls_file_free(&key);
    ERR_clear_error();
    return err;
}

static stoa_err load_all(const struct http_listen *listen, int from, struct diag *diag,
                         struct tls **ret)
{
    struct tls *tls = calloc(1, sizeof *tls);
    const struct loading loading = {tls, EVP_MD_CTX_new(), from, diag};
    stoa_err err = STOA_OK;

    stoa_assert(tls && loading.digest &&
                EVP_DigestInit_ex(loading.digest, EVP_sha256(), NULL) == 1);
    atomic_store(&tls->holders, 1);
    random_bytes(tls->sid, sizeof tls->sid);
    tls->kept = tls_keep_begin();
    for (uint32_t i = 0; err == STOA_OK && i < listen->certificate_count; i++)
        err = load_pair(&loading, listen);
    tls_keep_end(tls->kept);
    stoa_assert(EVP_DigestFinal_ex(loading.digest, tls->digest, NULL) == 1);
    EVP_MD_CTX_free(loading.digest);
    if (err != STOA_OK) {
        tls_release(tls);
        return err;
    }
    *ret = tls;
    return STOA_OK;
}

stoa_err tls_load(const struct http_listen *listen, int kept, struct diag *diag, struct tls **ret)
{
    struct diag ignored = {0};
    stoa_err err = load_all(listen, -1, diag, ret);

    if (err == STOA_OK || kept < 0 || load_all(listen, kept, &ignored, ret) != STOA_OK)
        return err;
    snprintf((*ret)->why, sizeof(*ret)->why, "%s", diag->message);
    for (uint32_t i = 0; i < (*ret)->count; i++)
        (*ret)->pairs[i].why = (*ret)->why;
    *diag = ignored;
    return STOA_OK;
}

int tls_kept(const struct tls *tls)
{
    return tls ? tls->kept : -1;
}

struct tls *tls_hold(struct tls *tls)
{
    if (tls)
        atomic_fetch_add_explicit(&tls->holders, 1, memory_order_relaxed);
    return tls;
}

void tls_release(struct tls *tls)
{
    if (!tls || atomic_fetch_sub(&tls->holders, 1) > 1)
        return;
    for (uint32_t i = 0; i < tls->count; i++) {
        SSL_CTX_free(tls->contexts[i]);
        free((char *)tls->pairs[i].file);
    }
    if (tls->kept >= 0)
        close(tls->kept);
    free(tls);
}

bool tls_is_same(const struct tls *one, const struct tls *other)
{
    if (!one || !other)
        return one == other;
    if (one->count != other->count || !one->why[0] != !other->why[0] ||
        memcmp(one->digest, other->digest, 32) != 0)
        return false;
    for (uint32_t i = 0; i < one->count; i++)
        if (strcmp(one->pairs[i].file, other->pairs[i].file) != 0 ||
            one->pairs[i].is_exposed != other->pairs[i].is_exposed)
            return false;
    return true;
}

SSL_CTX *tls_context(const struct tls *tls)
{
    return tls->contexts[0];
}

const struct tls_pair *tls_pair(const struct tls *tls, uint32_t index)
{
    return tls && index < tls->count ? &tls->pairs[index] : NULL;
}
