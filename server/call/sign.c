/* call/sign.c: nothing of the body is read before its signature holds.
 *
 * Each connection has a random name and counts its calls, and HTTP keeps their order: so one number
 * a connection tells whether a call was seen, and no call has to be remembered by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/sign.h"

#include "base/clock.h"
#include "base/hex.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MAC = 32, /* bytes of a SHA-256 */
    SIGNED_MAX = SIGN_TEXT_MAX + 2 * MAC,
    REPLY_WORD = 9, /* "v1 reply " */
    KEY_KEPT = 128, /* bytes; a longer key is set up each time */
    NEIGHBOURS = 8, /* slots looked at for a connection */
    /* Who was not heard of for so long cannot be repeated: the time in its last call is too old. */
    FORGET_MS = 2 * SIGN_SKEW_MS + 1000,
};

/* ---- SHA-256 and HMAC: to look an algorithm up, or to set a key up, costs more than to use it, so
 * once a thread ---- */

struct tools {
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
    unsigned char key[KEY_KEPT]; /* that mac was set up with */
    size_t key_len;              /* 0: with none that is here */
};

static pthread_once_t tools_once = PTHREAD_ONCE_INIT;
static pthread_key_t tools_key;

static void free_tools(void *data)
{
    struct tools *t = data;

    EVP_MAC_CTX_free(t->mac);
    EVP_MD_CTX_free(t->digest);
    EVP_MD_free(t->sha256);
    OPENSSL_cleanse(t->key, sizeof t->key);
    free(t);
}

static void make_tools_key(void)
{
    stoa_assert(pthread_key_create(&tools_key, free_tools) == 0);
}

static struct tools *make_tools(void)
{
    OSSL_PARAM by_sha256[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    struct tools *t = calloc(1, sizeof *t);

    stoa_assert(t && hmac);
    t->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    t->digest = EVP_MD_CTX_new();
    t->mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    stoa_assert(t->sha256 && t->digest && t->mac && EVP_MAC_CTX_set_params(t->mac, by_sha256));
    stoa_assert(pthread_setspecific(tools_key, t) == 0);
    return t;
}

static struct tools *tools(void)
{
    struct tools *t;

    pthread_once(&tools_once, make_tools_key);
    t = pthread_getspecific(tools_key);
    return t ? t : make_tools();
}

static void sha256(stoa_str bytes, unsigned char ret[MAC])
{
    struct tools *t = tools();

    stoa_assert(EVP_DigestInit_ex2(t->digest, t->sha256, NULL) == 1 &&
                EVP_DigestUpdate(t->digest, bytes.ptr, bytes.len) == 1 &&
                EVP_DigestFinal_ex(t->digest, ret, NULL) == 1);
}

/* ---- The signature ---- */

/* claim and the body's hash as one line. Returns its length. */
static size_t put_signed(const struct sign_claim *c, stoa_str body, char ret[SIGNED_MAX])
{
    unsigned char digest[MAC];
    int len = snprintf(ret, SIGNED_MAX, "v1 %lld %016llx %llu %.*s %.*s ", (long long)c->time_ms,
                       (unsigned long long)c->connection, (unsigned long long)c->number,
                       (int)c->from.len, c->from.ptr, (int)c->to.len, c->to.ptr);

    stoa_assert(len > 0 && len + 2 * MAC < SIGNED_MAX);
    sha256(body, digest);
    hex_encode(digest, MAC, ret + len);
    return (size_t)len + 2 * MAC;
}

/* Begins a MAC with key; the one of last time is set up already. */
static bool begin_mac(struct tools *t, stoa_str key)
{
    if (t->key_len > 0 && key.len == t->key_len && CRYPTO_memcmp(key.ptr, t->key, key.len) == 0)
        return EVP_MAC_init(t->mac, NULL, 0, NULL) == 1;
    t->key_len = key.len <= KEY_KEPT ? key.len : 0;
    memcpy(t->key, key.ptr, t->key_len);
    return EVP_MAC_init(t->mac, (const unsigned char *)key.ptr, key.len, NULL) == 1;
}

static void make_mac(stoa_str key, const char *text, size_t len, unsigned char ret[MAC])
{
    struct tools *t = tools();
    size_t size;

    stoa_assert(begin_mac(t, key) &&
                EVP_MAC_update(t->mac, (const unsigned char *)text, len) == 1 &&
                EVP_MAC_final(t->mac, ret, &size, MAC) == 1 && size == MAC);
}

void sign_make(const struct sign_keys *keys, const struct sign_claim *claim, stoa_str body,
               char ret[SIGN_TEXT_MAX])
{
    char text[SIGNED_MAX];
    unsigned char mac[MAC];
    size_t len;

    stoa_assert(claim->from.len <= SIGN_NODE_MAX && claim->to.len <= SIGN_NODE_MAX);
    len = put_signed(claim, body, text);
    make_mac(keys->own, text, len, mac);
    len -= 2 * MAC; /* the other side has the body */
    memcpy(ret, text, len);
    hex_encode(mac, MAC, ret + len);
    ret[len + 2 * MAC] = '\0';
}

/* ---- What was seen ---- */

struct seen {
    uint64_t connection, number;
    int64_t at_ms; /* monotonic; 0: free */
};

static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static struct seen *seen;

/* The connection's slot, or one that can be given to it; NULL: all are taken by others that may
 * still be repeated. Only who has the key gets this far, so it cannot be filled from outside. */
static struct seen *find_seen(uint64_t connection, int64_t now_ms)
{
    struct seen *free_slot = NULL;

    if (!seen)
        seen = calloc(SIGN_SEEN, sizeof *seen);
    stoa_assert(seen);
    for (uint32_t i = 0; i < NEIGHBOURS; i++) {
        struct seen *s = &seen[(connection + i) % SIGN_SEEN];
        if (s->at_ms && s->connection == connection)
            return s;
        if (!free_slot && (!s->at_ms || now_ms - s->at_ms > FORGET_MS))
            free_slot = s;
    }
    if (free_slot)
        *free_slot = (struct seen){.connection = connection};
    return free_slot;
}

static bool is_new(const struct sign_claim *claim)
{
    int64_t now = clock_monotonic_ms();
    struct seen *s;
    bool fresh;

    pthread_mutex_lock(&seen_lock);
    s = find_seen(claim->connection, now);
    fresh = s && claim->number > s->number;
    if (fresh) {
        s->number = claim->number;
        s->at_ms = now;
    }
    pthread_mutex_unlock(&seen_lock);
    return fresh;
}

/* ---- Checking ---- */

static bool read_hex64(stoa_str text, uint64_t *ret)
{
    unsigned char bytes[8];

    if (!hex_decode(text, bytes, sizeof bytes))
        return false;
    *ret = 0;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        *ret = *ret << 8 | bytes[i];
    return true;
}

static bool is_node(stoa_str name)
{
    return name.len > 0 && name.len <= SIGN_NODE_MAX;
}

static bool parse(stoa_str text, struct sign_claim *ret, unsigned char mac[MAC])
{
    stoa_str version = stoa_str_cut(&text, ' '), time = stoa_str_cut(&text, ' ');
    stoa_str connection = stoa_str_cut(&text, ' '), number = stoa_str_cut(&text, ' ');
    int64_t n = 0;

    ret->from = stoa_str_cut(&text, ' ');
    ret->to = stoa_str_cut(&text, ' ');
    if (!stoa_str_is(version, "v1") || !is_node(ret->from) || !is_node(ret->to) ||
        stoa_str_int(time, 0, INT64_MAX, &ret->time_ms) != STOA_OK ||
        stoa_str_int(number, 1, INT64_MAX, &n) != STOA_OK ||
        !read_hex64(connection, &ret->connection))
        return false;
    ret->number = (uint64_t)n;
    return hex_decode(text, mac, MAC);
}

static bool is_by(stoa_str key, const char *text, size_t len, const unsigned char mac[MAC])
{
    unsigned char own[MAC];

    if (key.len < SIGN_KEY_MIN)
        return false;
    make_mac(key, text, len, own);
    return CRYPTO_memcmp(own, mac, MAC) == 0;
}

enum sign_verdict sign_check(const struct sign_keys *keys, stoa_str text, stoa_str body,
                             stoa_str here, struct sign_claim *ret)
{
    unsigned char mac[MAC];
    char line[SIGNED_MAX];
    size_t len;
    int64_t now = clock_utc_ms();

    if (text.len >= SIGN_TEXT_MAX || !parse(text, ret, mac))
        return SIGN_BROKEN;
    len = put_signed(ret, body, line);
    if (!is_by(keys->own, line, len, mac) && !is_by(keys->other, line, len, mac))
        return SIGN_FORGED;
    if (ret->time_ms < now - SIGN_SKEW_MS || ret->time_ms > now + SIGN_SKEW_MS)
        return SIGN_STALE;
    if (!stoa_str_eq(ret->to, here))
        return SIGN_OTHER_NODE;
    return is_new(ret) ? SIGN_OK : SIGN_REPLAYED;
}

/* ---- Replies ---- */

/* A line that cannot be one of a call's: those have a number behind their version. */
static size_t put_reply_line(stoa_str call, stoa_str body, char ret[SIGNED_MAX + REPLY_WORD])
{
    unsigned char digest[MAC];

    stoa_assert(call.len < SIGN_TEXT_MAX);
    memcpy(ret, "v1 reply ", REPLY_WORD);
    memcpy(ret + REPLY_WORD, call.ptr, call.len);
    sha256(body, digest);
    hex_encode(digest, MAC, ret + REPLY_WORD + call.len);
    return REPLY_WORD + call.len + 2 * MAC;
}

void sign_reply(const struct sign_keys *keys, stoa_str call, stoa_str body,
                char ret[SIGN_REPLY_MAX])
{
    char line[SIGNED_MAX + REPLY_WORD];
    unsigned char mac[MAC];

    make_mac(keys->own, line, put_reply_line(call, body, line), mac);
    hex_encode(mac, MAC, ret);
    ret[2 * MAC] = '\0';
}

bool sign_is_reply(const struct sign_keys *keys, stoa_str call, stoa_str body, stoa_str text)
{
    char line[SIGNED_MAX + REPLY_WORD];
    unsigned char mac[MAC];
    size_t len;

    if (!hex_decode(text, mac, MAC))
        return false;
    len = put_reply_line(call, body, line);
    return is_by(keys->own, line, len, mac) || is_by(keys->other, line, len, mac);
}

const char *sign_verdict_text(enum sign_verdict verdict)
{
    static const char *const texts[] = {"it is signed",
                                        "the signature cannot be read",
                                        "the signature is not of a key of this cluster",
                                        "it is too old, or the clocks differ",
                                        "it is for another node",
                                        "it came before"};

    return texts[verdict];
}
