/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/environment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "commit.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define TSC_STEP_READINGS 10000

static void add(struct environment *env, const char *name, const char *fmt, ...)
	__printf_like(3, 4);

static void
add(struct environment *env, const char *name, const char *fmt, ...)
{
	struct fact *f = &env->facts[env->nb];
	va_list args;

	if (env->nb == ENVIRONMENT_MAX_FACTS) {
		return;
	}
	env->nb++;
	f->name = name;
	va_start(args, fmt);
	vsnprintf(f->value, sizeof(f->value), fmt, args);
	va_end(args);
	f->value[strcspn(f->value, "\n")] = '\0';
}

/* The rest of the first line that begins with `key`, behind ':' and blanks. */
static bool
find_line(const char *path, const char *key, char *value, size_t bytes)
{
	FILE *f = fopen(path, "r");
	char *line = NULL, *at;
	size_t size = 0;
	bool found = false;

	while (f != NULL && !found && getline(&line, &size, f) >= 0) {
		if (strncmp(line, key, strlen(key)) == 0) {
			at = line + strlen(key);
			at += strspn(at, "\t :");
			snprintf(value, bytes, "%s", at);
			found = true;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	free(line);
	return found;
}

static void
add_line(struct environment *env, const char *name, const char *path, const char *key)
{
	char value[160];

	if (!find_line(path, key, value, sizeof(value))) {
		add(env, name, "unknown");
	} else {
		add(env, name, "%s", value[0] != '\n' && value[0] != '\0' ? value : "none");
	}
}

/* Some hypervisors round the TSC: the smallest step ever seen is the resolution of all figures. */
static double
tsc_step_ns(void)
{
	uint64_t step = UINT64_MAX, last = clock_tsc();

	for (unsigned int i = 0; i < TSC_STEP_READINGS; i++) {
		uint64_t now = clock_tsc();

		if (now != last) {
			step = MIN(step, now - last);
		}
		last = now;
	}
	return (double)step * (double)NSEC_PER_SEC / (double)clock_tsc_hz();
}

static void
add_flags(struct environment *env)
{
	char *line = malloc(8192);

	if (line != NULL && find_line("/proc/cpuinfo", "flags", line, 8192)) {
		add(env, "hypervisor", "%s", strstr(line, " hypervisor") != NULL ? "yes" : "no");
		add(env, "tsc", "%s%s", strstr(line, " constant_tsc") != NULL ? "constant " : "",
			strstr(line, " nonstop_tsc") != NULL ? "nonstop" : "");
	}
	free(line);
}

static void
add_hugepages(struct environment *env)
{
	char total[40] = "?", free_pages[40] = "?";

	find_line("/proc/meminfo", "HugePages_Total", total, sizeof(total));
	find_line("/proc/meminfo", "HugePages_Free", free_pages, sizeof(free_pages));
	total[strcspn(total, "\n")] = free_pages[strcspn(free_pages, "\n")] = '\0';
	add(env, "hugepages", "%s, %s free", total, free_pages);
}

void
environment_read(struct environment *env, const struct cpu_pair *cpus)
{
	struct utsname uts;

	memset(env, 0, sizeof(*env));
	add(env, "commit", "%s, %s", BENCH_COMMIT, BENCH_BUILD);
	add_line(env, "cpu", "/proc/cpuinfo", "model name");
	add(env, "cpus", "driver %d, device %d", cpus->driver, cpus->device);
	add_line(env, "cpus_isolated", "/sys/devices/system/cpu/isolated", "");
	add_line(env, "smt", "/sys/devices/system/cpu/smt/control", "");
	add_flags(env);
	add(env, "tsc_hz", "%" PRIu64, clock_tsc_hz());
	add(env, "tsc_step_ns", "%.1f", tsc_step_ns());
	if (uname(&uts) == 0) {
		add(env, "kernel", "%s %s %s", uts.sysname, uts.release, uts.machine);
	}
	add_line(env, "cpufreq_governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
		"");
	add_line(env, "transparent_hugepages", "/sys/kernel/mm/transparent_hugepage/enabled", "");
	add_hugepages(env);
	add_line(env, "load_average", "/proc/loadavg", "");
}

void
environment_print(const struct environment *env)
{
	for (unsigned int i = 0; i < env->nb; i++) {
		printf("# %-21s %s\n", env->facts[i].name, env->facts[i].value);
	}
}

#ifdef HAVE_JSONC
struct json_object *
environment_json(const struct environment *env)
{
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < env->nb; i++) {
		json_object_object_add(
			o, env->facts[i].name, json_object_new_string(env->facts[i].value));
	}
	return o;
}
#endif
