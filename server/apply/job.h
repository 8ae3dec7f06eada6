/* apply/job.h: one job, from what it asks for to its answer. SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_JOB_H
#define APPLY_JOB_H

#include "apply/internal.h"

/* On the apply thread. A change that fails at any step leaves the world in force as it was. Calls
 * job->done(), once, with the answer. */
void job_work(struct apply *apply, struct apply_job *job);

#endif
