/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/usage.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define STAT_PROCESSOR 36 /* fields behind the state, in /proc/PID/stat */

static int
read_line(const char *path, char *line, size_t bytes)
{
	FILE *f = fopen(path, "r");
	int ret = f != NULL && fgets(line, (int)bytes, f) != NULL ? 0 : -ESRCH;

	if (f != NULL) {
		fclose(f);
	}
	return ret;
}

/* The name stands in brackets and may hold anything: look for the last one. */
static void
parse_stat(struct usage_thread *t, const char *line)
{
	const char *open = strchr(line, '('), *close = strrchr(line, ')');
	const char *at = close;

	if (open == NULL || close == NULL) {
		return;
	}
	snprintf(t->name, sizeof(t->name), "%.*s", (int)(close - open - 1), open + 1);
	for (unsigned int i = 0; at != NULL && i < STAT_PROCESSOR + 1; i++) {
		at = strchr(at + 1, ' ');
	}
	t->cpu = at != NULL ? atoi(at + 1) : -1;
}

static int
read_thread(pid_t pid, const char *tid, struct usage_thread *t)
{
	char path[64], line[1024];
	int ret;

	memset(t, 0, sizeof(*t));
	t->tid = (pid_t)atoi(tid);
	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/stat", (int)pid, tid);
	ret = read_line(path, line, sizeof(line));
	if (ret != 0) {
		return ret;
	}
	parse_stat(t, line);
	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/schedstat", (int)pid, tid);
	ret = read_line(path, line, sizeof(line));
	if (ret == 0 && sscanf(line, "%" SCNu64 " %" SCNu64, &t->cpu_ns, &t->delay_ns) != 2) {
		ret = -EIO;
	}
	return ret;
}

int
usage_read(pid_t pid, struct usage *usage)
{
	const struct dirent *entry;
	char path[32];
	DIR *dir;

	usage->nb = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (dir == NULL) {
		return -ESRCH;
	}
	while (usage->nb < USAGE_MAX_THREADS && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
			read_thread(pid, entry->d_name, &usage->threads[usage->nb]) == 0) {
			usage->nb++;
		}
	}
	closedir(dir);
	return 0;
}

const struct usage_thread *
usage_find(const struct usage *usage, pid_t tid)
{
	for (unsigned int i = 0; i < usage->nb; i++) {
		if (usage->threads[i].tid == tid) {
			return &usage->threads[i];
		}
	}
	return NULL;
}

void
usage_subtract(struct usage *later, const struct usage *earlier)
{
	for (unsigned int i = 0; i < later->nb; i++) {
		struct usage_thread *t = &later->threads[i];
		const struct usage_thread *before = usage_find(earlier, t->tid);

		if (before != NULL) {
			t->cpu_ns -= before->cpu_ns;
			t->delay_ns -= before->delay_ns;
		}
	}
}

const struct usage_thread *
usage_busiest(const struct usage *usage)
{
	const struct usage_thread *busiest = NULL;

	for (unsigned int i = 0; i < usage->nb; i++) {
		if (busiest == NULL || usage->threads[i].cpu_ns > busiest->cpu_ns) {
			busiest = &usage->threads[i];
		}
	}
	return busiest;
}

uint64_t
usage_of_others(const struct usage *usage, pid_t tid, pid_t tid2)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < usage->nb; i++) {
		if (usage->threads[i].tid != tid && usage->threads[i].tid != tid2) {
			sum += usage->threads[i].cpu_ns;
		}
	}
	return sum;
}

uint64_t
usage_steal_ns(int cpu)
{
	FILE *f = fopen("/proc/stat", "r");
	char line[256];
	uint64_t steal = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		int found = -1;

		if (sscanf(line, "cpu%d %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &found, &steal) ==
				2 &&
			found == cpu) {
			break;
		}
		steal = 0;
	}
	if (f != NULL) {
		fclose(f);
	}
	return steal * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}
