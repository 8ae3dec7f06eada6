/* call/sign.c: nothing of the body is read before its signature holds.
 *
 * Each connection has a random name and counts its calls, and HTTP keeps their order: so one number
 * a connection tells whether a call was seen, and no call has to be remembered by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/sign.h"

#include "base/clock.h"
#include "base/hex.h"
#include "number.h"
#include <pthread.h>
#include <stdlib.h>
/* EVP allocates, copies and wipes a context several times a MAC, which costs more than to hash what
 * is signed. What does none of that is marked as deprecated, but for callers of before 3.0. */
#define OPENSSL_API_COMPAT 10101
#include <openssl/crypto.h>
#include <openssl/sha.h>

enum {
    MAC = SHA256_DIGEST_LENGTH,
    SIGNED_MAX = SIGN_TEXT_MAX + 2 * MAC,
    REPLY_WORD = 9, /* "v1 reply " */
    KEY_KEPT = 128, /* bytes; a longer key is set up each time */
    NEIGHBOURS = 8, /* slots looked at for a connection */
    /* Who was not heard of for so long cannot be repeated: the time in its last call is too old. */
    FORGET_MS = 2 * SIGN_SKEW_MS + 1000,
};

/* ---- SHA-256 and HMAC (RFC 2104): to set a key up costs as much as to use it, so once a thread
 * ---- */

struct hmac {
    SHA256_CTX inner, outer;     /* after the key */
    unsigned char key[KEY_KEPT]; /* that they were set up with */
    size_t key_len;              /* 0: with none that is here */
};

static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;
static pthread_key_t hmac_key;

static void free_hmac(void *data)
{
    OPENSSL_cleanse(data, sizeof(struct hmac));
    free(data);
}

static void make_hmac_key(void)
{
    stoa_assert(pthread_key_create(&hmac_key, free_hmac) == 0);
}

static struct hmac *hmac_mine(void)
{
    struct hmac *h;

    pthread_once(&hmac_once, make_hmac_key);
    h = pthread_getspecific(hmac_key);
    if (h)
        return h;
    h = calloc(1, sizeof *h);
    stoa_assert(h && pthread_setspecific(hmac_key, h) == 0);
    return h;
}

static void sha256(stoa_str bytes, unsigned char ret[MAC])
{
    SHA256_CTX hash;

    stoa_assert(SHA256_Init(&hash) == 1 && SHA256_Update(&hash, bytes.ptr, bytes.len) == 1 &&
                SHA256_Final(ret, &hash) == 1);
}

/* A key as long as a block; a longer one is hashed before. */
static void begin_pad(SHA256_CTX *ret, stoa_str key, unsigned char with)
{
    unsigned char pad[SHA256_CBLOCK] = {0};

    if (key.len > sizeof pad)
        sha256(key, pad);
    else
        memcpy(pad, key.ptr, key.len);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= with;
    stoa_assert(SHA256_Init(ret) == 1 && SHA256_Update(ret, pad, sizeof pad) == 1);
    OPENSSL_cleanse(pad, sizeof pad);
}

/* The key of last time is set up already. To compare takes no care: both keys are this node's. */
static const struct hmac *set_up(stoa_str key)
{
    struct hmac *h = hmac_mine();

    if (h->key_len > 0 && key.len == h->key_len && memcmp(key.ptr, h->key, key.len) == 0)
        return h;
    h->key_len = key.len <= KEY_KEPT ? key.len : 0;
    memcpy(h->key, key.ptr, h->key_len);
    begin_pad(&h->inner, key, 0x36);
    begin_pad(&h->outer, key, 0x5c);
    return h;
}

static void make_mac(stoa_str key, const char *text, size_t len, unsigned char ret[MAC])
{
    const struct hmac *h = set_up(key);
    SHA256_CTX hash = h->inner;

    stoa_assert(SHA256_Update(&hash, text, len) == 1 && SHA256_Final(ret, &hash) == 1);
    hash = h->outer;
    stoa_assert(SHA256_Update(&hash, ret, MAC) == 1 && SHA256_Final(ret, &hash) == 1);
}

/* ---- The signature ---- */

static char *put_text(char *at, stoa_str text)
{
    memcpy(at, text.ptr, text.len);
    at[text.len] = ' ';
    return at + text.len + 1;
}

static char *put_number(char *at, uint64_t number)
{
    at += number_format_int(at, (int64_t)number);
    *at = ' ';
    return at + 1;
}

/* Returns its length. */
static size_t put_claim(const struct sign_claim *c, char ret[SIGN_TEXT_MAX])
{
    uint64_t connection = __builtin_bswap64(c->connection);
    char *at = put_text(ret, STOA_STR("v1")), id[16];

    static_assert(sizeof "v1" + 2 * NUMBER_INT_MAX + 2 + sizeof id + 1 + 2 * (SIGN_NODE_MAX + 1) +
                          2 * MAC <
                      SIGN_TEXT_MAX,
                  "it has room");
    stoa_assert(c->from.len <= SIGN_NODE_MAX && c->to.len <= SIGN_NODE_MAX);
    hex_encode(&connection, sizeof connection, id);
    at = put_number(at, (uint64_t)c->time_ms);
    at = put_text(at, (stoa_str){id, sizeof id});
    at = put_number(at, c->number);
    at = put_text(at, c->from);
    return (size_t)(put_text(at, c->to) - ret);
}

/* What is signed: the claim and the body's hash as one line. Returns its length. */
static size_t put_signed(stoa_str claim, stoa_str body, char ret[SIGNED_MAX])
{
    unsigned char digest[MAC];

    memcpy(ret, claim.ptr, claim.len);
    sha256(body, digest);
    hex_encode(digest, MAC, ret + claim.len);
    return claim.len + 2 * MAC;
}

void sign_make(const struct sign_keys *keys, const struct sign_claim *claim, stoa_str body,
               char ret[SIGN_TEXT_MAX])
{
    char line[SIGNED_MAX];
    unsigned char mac[MAC];
    size_t len = put_claim(claim, ret);

    make_mac(keys->own, line, put_signed((stoa_str){ret, len}, body, line), mac);
    hex_encode(mac, MAC, ret + len); /* the other side has the body */
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

/* *line: all before the MAC, which is what it was made of. */
static bool parse(stoa_str text, struct sign_claim *ret, stoa_str *line, unsigned char mac[MAC])
{
    const char *start = text.ptr;
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
    if (!hex_decode(text, mac, MAC))
        return false;
    *line = (stoa_str){start, (uint64_t)(text.ptr - start)};
    return true;
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
    stoa_str claim;
    size_t len;
    int64_t now = clock_utc_ms();

    if (text.len >= SIGN_TEXT_MAX || !parse(text, ret, &claim, mac))
        return SIGN_BROKEN;
    len = put_signed(claim, body, line);
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
