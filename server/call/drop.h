/* call/drop.h: a tag that is dropped here must be dropped where else copies may be: by who asked
 * for this request, along the way that the reply takes (so whoever gets it sees what it did), and
 * by all other nodes, a moment later. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_DROP_H
#define CALL_DROP_H

#include "call/codec.h"

enum {
    DROP_TAG_MAX = 200,      /* bytes of a tag, from plugins and from other nodes */
    DROP_TAGS_MAX = 256,     /* that one reply or message carries: 50 KiB */
    DROP_WAITING_MAX = 1024, /* that wait for one address and loop; more are lost, and counted */
};

/* Drops the copies on this node, and tells the others. tag: at most DROP_TAG_MAX. */
void drop_tag(struct stoa_req *req, stoa_str tag);
/* The tags that root's calls have dropped; and taking them over from another node's reply. Too many
 * or too long: in->broken. */
void drop_put(struct stoa_buf *out, struct stoa_req *root);
void drop_take(struct decoder *in, struct stoa_req *req);
/* Drops what another node's message names, here only. False: too many, or too long. */
STOA_NODISCARD bool drop_obey(struct decoder *in, struct stoa_req *req);

#endif
