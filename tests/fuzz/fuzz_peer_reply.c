/* The head of another node's reply: whatever is taken lies within the bytes, says no more than the
 * limits, and means the same when more bytes follow. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer_reply.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer_reply whole, head;
    enum peer_verdict verdict = peer_reply_parse((stoa_str){(const char *)data, size}, &whole);

    if (verdict != PEER_REPLY_OK)
        return 0;
    if (whole.head_size < 19 || whole.head_size > size || whole.head_size > PEER_HEAD_MAX ||
        whole.length > PEER_BODY_MAX || whole.status < 200 || whole.status > 599)
        abort();
    if (peer_reply_parse((stoa_str){(const char *)data, whole.head_size}, &head) != PEER_REPLY_OK ||
        head.length != whole.length || head.status != whole.status)
        abort();
    if (peer_reply_parse((stoa_str){(const char *)data, whole.head_size - 1}, &head) ==
        PEER_REPLY_OK)
        abort();
    return 0;
}
