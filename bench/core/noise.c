/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/noise.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define NOISY_PART 0.05
#define NS_PER_MS  1e6

void
noise_begin(struct noise_begin *begin, const struct cpu_pair *cpus, pid_t pid)
{
	begin->cpus = *cpus;
	begin->pid = pid;
	usage_read(getpid(), &begin->own);
	begin->device.nb = 0;
	if (pid > 0) {
		usage_read(pid, &begin->device);
	}
	begin->steal_ns[0] = usage_steal_ns(cpus->driver);
	begin->steal_ns[1] = usage_steal_ns(cpus->device);
	begin->at_ns = clock_monotonic_ns();
}

static void
take(struct noise *noise, unsigned int index, const struct usage_thread *t)
{
	if (t != NULL) {
		noise->waited_ms[index] = (double)t->delay_ns / NS_PER_MS;
		noise->ran_ms[index] = (double)t->cpu_ns / NS_PER_MS;
	}
}

/* Waiting counts by what the thread wanted to run: it may have slept most of the time. */
static bool
is_noisy(const struct noise *noise)
{
	bool noisy = false;

	for (unsigned int i = 0; i < 2; i++) {
		double wanted_ms = noise->waited_ms[i] + noise->ran_ms[i];

		noisy |= noise->waited_ms[i] > wanted_ms * NOISY_PART ||
		         noise->steal_ms[i] > noise->run_ms * NOISY_PART;
	}
	return noisy;
}

void
noise_end(const struct noise_begin *begin, struct noise *noise)
{
	static struct noise_begin end;

	noise_begin(&end, &begin->cpus, begin->pid);
	usage_subtract(&end.own, &begin->own);
	usage_subtract(&end.device, &begin->device);
	*noise = (struct noise){.run_ms = (double)(end.at_ns - begin->at_ns) / NS_PER_MS};
	take(noise, 0, usage_find(&end.own, gettid()));
	take(noise, 1, usage_busiest(&end.device));
	for (unsigned int i = 0; i < 2; i++) {
		noise->steal_ms[i] = (double)(end.steal_ns[i] - begin->steal_ns[i]) / NS_PER_MS;
	}
	noise->noisy = is_noisy(noise);
}

void
noise_print(const struct noise *noise)
{
	printf("%s; waited for a CPU: measuring thread %.1f ms of %.1f",
		noise->noisy ? "noisy" : "quiet", noise->waited_ms[0],
		noise->waited_ms[0] + noise->ran_ms[0]);
	if (noise->waited_ms[1] + noise->ran_ms[1] > 0) {
		printf(", device %.1f ms of %.1f", noise->waited_ms[1],
			noise->waited_ms[1] + noise->ran_ms[1]);
	}
	printf("; stolen %.0f and %.0f ms; in %.0f ms\n", noise->steal_ms[0], noise->steal_ms[1],
		noise->run_ms);
}

#ifdef HAVE_JSONC
void
noise_json(struct json_object *o, const struct noise *noise)
{
	const struct {
		const char *name;
		double value;
	} rows[] = {{"run_ms", noise->run_ms}, {"driver_waited_ms", noise->waited_ms[0]},
		{"device_waited_ms", noise->waited_ms[1]}, {"steal_driver_ms", noise->steal_ms[0]},
		{"steal_device_ms", noise->steal_ms[1]}};

	json_object_object_add(o, "noisy", json_object_new_boolean(noise->noisy));
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		json_object_object_add(o, rows[i].name, json_object_new_double(rows[i].value));
	}
}
#endif
