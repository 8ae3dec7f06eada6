/* base/slice.h: how long the scheduler lets others go on before a thread that was woken has its
 * turn. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

/* The calling thread, and those that it starts from now on, serve somebody who waits: they ask for
 * a slice of 0.1 ms, the shortest there is, and so come before whoever works on with a longer one
 * (an apply, say, which else has the processor for some milliseconds). Linux takes it from 6.12 on
 * (sched_attr(7), sched_runtime of SCHED_OTHER); before that it changes nothing. No right is
 * needed, and how much of the processor each has stays the same. */
void slice_serve(void);

/* The calling thread works for nobody who waits: the slice that everybody has. */
void slice_work(void);

/* The calling thread gives way to all: the longest slice, 0.1 s. Whoever is woken with a shorter
 * one interrupts it at once; with a short slice of its own it would go on to the end of that. */
void slice_give_way(void);

#endif
