/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work of backends beside commands: slices on the reactor, jobs on the offload thread. Both may be
 * about buffers in the guest's memory, so from the moment a device is quiet until it is resumed
 * neither work() nor done() is called: that memory may be moved or gone meanwhile. What was held is
 * made up for at the resume, when buffers name the new places.
 */
#include "device/internal.h"

_Static_assert(sizeof(struct offload_job) <= sizeof(((struct vmedia_job *)NULL)->core),
	"struct vmedia_job has no room for the reactor's job");

static bool
work_run(struct work *work, uint64_t until_tsc)
{
	struct vmedia_device *device = container_of(work, struct vmedia_device, work);
	uint64_t begin_tsc;
	bool done;

	if (device->quiet) {
		device->work_held = true;
		return true;
	}
	begin_tsc = clock_tsc();
	done = device->backend->work(device, until_tsc);
	counter_add(&device->work_tsc, clock_tsc() - begin_tsc);
	return done;
}

void
vmedia_work_queue(struct vmedia_device *device)
{
	reactor_work_queue(device->reactor, &device->work);
}

void
vmedia_work_cancel(struct vmedia_device *device)
{
	device->work_held = false;
	device->work_moves = false;
	reactor_work_cancel(device->reactor, &device->work);
}

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
finish(struct vmedia_job *job)
{
	job->device->nb_offloaded--;
	job->done(job);
}

/* Linked by its message, which the reactor does not need any more. */
static void
hold(struct vmedia_device *device, struct offload_job *core)
{
	core->msg.next = NULL;
	*device->held_end = &core->msg;
	device->held_end = &core->msg.next;
}

static void
done(struct offload_job *core)
{
	struct vmedia_job *job = job_of(core);

	if (job->device->quiet) {
		hold(job->device, core);
		return;
	}
	finish(job);
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

void
offload_init(struct vmedia_device *device)
{
	device->work.run = work_run;
	device->held = NULL;
	device->held_end = &device->held;
}

void
offload_resume(struct vmedia_device *device)
{
	struct reactor_msg *msg = device->held, *next;

	device->quiet = false;
	device->held = NULL;
	device->held_end = &device->held;
	for (; msg != NULL; msg = next) {
		next = msg->next; /* done() may free the job */
		finish(job_of(container_of(msg, struct offload_job, msg)));
	}
	if (device->work_held) {
		device->work_held = false;
		vmedia_work_queue(device);
	}
}
