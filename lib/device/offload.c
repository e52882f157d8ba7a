/* SPDX-License-Identifier: BSD-3-Clause */
/* vmedia_offload: the reactor's job lives in the room that struct vmedia_job keeps for the core. */
#include "device/internal.h"

_Static_assert(sizeof(struct offload_job) <= sizeof(((struct vmedia_job *)NULL)->core),
	"struct vmedia_job has no room for the reactor's job");

static struct vmedia_job *
job_of(struct offload_job *job)
{
	return container_of((void *)job, struct vmedia_job, core);
}

static void
run(struct offload_job *core)
{
	struct vmedia_job *job = job_of(core);

	job->run(job);
}

static void
done(struct offload_job *core)
{
	struct vmedia_job *job = job_of(core);

	job->device->nb_offloaded--;
	job->done(job);
}

void
vmedia_offload(struct vmedia_device *device, struct vmedia_job *job)
{
	struct offload_job *core = (struct offload_job *)(void *)job->core;

	core->run = run;
	core->done = done;
	job->device = device;
	device->nb_offloaded++;
	reactor_offload(device->reactor, core);
}
