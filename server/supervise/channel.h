/* supervise/channel.h: what supervisor and worker say to each other: messages over a socketpair,
 * each whole, a word and what belongs to it, some with a descriptor.
 * SPDX-License-Identifier: Apache-2.0
 *
 * worker → supervisor          supervisor → worker
 *   ready VERSION                drain     hand over: others accept from the same sockets
 *   revision N BOOT start|apply  finish    drain for good
 *   limits DRAIN_MS CRASHES      stop      now
 *   log FORMAT LEVEL FILE        without a FILE: standard error
 *   start LIMIT_MS               apply     the file
 *   failed WHY                   reopen    the log
 *   applied
 *   listen ADDRESS BOUND I COUNT           with a socket; "unlisten ADDRESS"
 *   certificates ADDRESS                   with what is to be kept of them; without: nothing is
 *   crash (see crash.h)          sole      no other worker is left: do what is done once
 *   alive                        ping      answer alive when the loops turn
 *                                ask QUESTION\nJSON   with a client's descriptor
 */
#ifndef SUPERVISE_CHANNEL_H
#define SUPERVISE_CHANNEL_H

#include <stdbool.h>
#include <stoa/str.h>

enum { CHANNEL_MESSAGE_MAX = 16384 };

/* Two ends, closed on exec. False with errno. */
bool channel_create(int ret[2]);
/* Does not wait: a reader that lets messages pile up loses them (false). passed: a descriptor,
 * which stays the caller's, or -1. */
bool channel_send(int fd, stoa_str message, int passed);
/* The same, but waits up to a second for a reader that lets messages pile up. */
bool channel_tell(int fd, stoa_str message, int passed);
/* One message of at most CHANNEL_MESSAGE_MAX bytes. Its length; 0: the other end is gone; -1: there
 * is none (now). wait: until there is one. *passed: a descriptor, the caller's now, or -1. */
int channel_receive(int fd, char *ret, bool wait, int *passed);

#endif
