/* base/random.c: chance. SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"
#include <errno.h>
#include <stoa/api.h>
#include <string.h>
#include <sys/random.h>

enum { AHEAD = 256 }; /* bytes per call of the kernel; it never cuts so few short */

static __thread uint8_t ahead[AHEAD];
static __thread uint32_t ahead_left;
static __thread uint64_t state[4];

static void kernel_bytes(uint8_t *out, size_t len)
{
    while (len) {
        ssize_t got = getrandom(out, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        stoa_assert(got > 0);
        out += got;
        len -= (size_t)got;
    }
}

void random_bytes(void *ret, size_t len)
{
    if (len > AHEAD / 4) {
        kernel_bytes(ret, len);
        return;
    }
    if (len > ahead_left) {
        kernel_bytes(ahead, sizeof(ahead));
        ahead_left = AHEAD;
    }
    ahead_left -= (uint32_t)len;
    memcpy(ret, ahead + ahead_left, len);
    /* What was handed out as a secret must not be found here later. */
    explicit_bzero(ahead + ahead_left, len);
}

static uint64_t rotate(uint64_t v, uint32_t by)
{
    return v << by | v >> (64 - by);
}

/* xoshiro256** (Blackman and Vigna), one state a thread. */
uint64_t random_fast(void)
{
    uint64_t *s = state, result, third;

    while (!(s[0] | s[1] | s[2] | s[3]))
        kernel_bytes((uint8_t *)state, sizeof(state));
    do {
        result = rotate(s[1] * 5, 7) * 9;
        third = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= third;
        s[3] = rotate(s[3], 45);
    } while (!result);
    return result;
}
