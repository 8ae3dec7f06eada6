/* base/aside.h: work that only computes, done while others serve. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef BASE_ASIDE_H
#define BASE_ASIDE_H

/* Runs work(arg) in a thread that all others come before, and waits for its end: on a busy machine
 * it has what the loops leave. One thread for all such work, as priority is easily given up and not
 * had back: callers wait for each other, work runs nothing aside itself, and it starts no children,
 * which would have no priority either. When that thread cannot be made it runs here. */
void aside_run(void (*work)(void *arg), void *arg);
/* Makes the thread now, so that no work waits for that. */
void aside_prepare(void);

#endif
