/* port/inside.h: the sandbox's own side: `stoa __sandbox NAME`. SPDX-License-Identifier: Apache-2.0
 */
#ifndef PORT_INSIDE_H
#define PORT_INSIDE_H

#include "loop/loop.h"
#include "plugin/world.h"

int inside_main(int argc, char **argv);

/* ---- One of its loops (inside_lane.c) ---- */
struct inside_lane;
/* On the loop's own stack: takes fd over and serves what comes. in: the plugin's instance. */
struct inside_lane *inside_lane_create(int fd, struct stoa_instance *in, struct world *world,
                                       bool has_faults);

#endif
