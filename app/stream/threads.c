/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "threads.h"

static int
read_line(const char *path, char *line, size_t bytes)
{
	FILE *f = fopen(path, "r");
	int rc = f != NULL && fgets(line, (int)bytes, f) != NULL ? 0 : -ESRCH;

	if (f != NULL) {
		fclose(f);
	}
	line[rc == 0 ? strcspn(line, "\n") : 0] = '\0';
	return rc;
}

static int
read_thread(pid_t pid, const char *tid, struct thread_usage *t)
{
	char path[64], line[256];
	int rc;

	t->tid = (pid_t)atoi(tid);
	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/comm", (int)pid, tid);
	rc = read_line(path, t->name, sizeof(t->name));
	if (rc != 0) {
		return rc;
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/schedstat", (int)pid, tid);
	rc = read_line(path, line, sizeof(line));
	if (rc == 0 && sscanf(line, "%" SCNu64 " %" SCNu64, &t->cpu_ns, &t->delay_ns) != 2) {
		rc = -EIO;
	}
	return rc;
}

int
threads_read(pid_t pid, struct threads *threads)
{
	const struct dirent *entry;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (dir == NULL) {
		return -ESRCH;
	}
	threads->nb = 0;
	threads->at_ns = clock_monotonic_ns();
	while (threads->nb < THREADS_MAX && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
			read_thread(pid, entry->d_name, &threads->threads[threads->nb]) == 0) {
			threads->nb++;
		}
	}
	closedir(dir);
	return 0;
}

void
threads_subtract(struct threads *later, const struct threads *earlier)
{
	later->at_ns -= earlier->at_ns;
	for (unsigned int i = 0; i < later->nb; i++) {
		for (unsigned int j = 0; j < earlier->nb; j++) {
			if (later->threads[i].tid == earlier->threads[j].tid) {
				later->threads[i].cpu_ns -= earlier->threads[j].cpu_ns;
				later->threads[i].delay_ns -= earlier->threads[j].delay_ns;
			}
		}
	}
}

uint64_t
threads_steal_ns(void)
{
	uint64_t user, nice, system, idle, iowait, irq, softirq, steal = 0;
	char line[256];

	if (read_line("/proc/stat", line, sizeof(line)) != 0 ||
		sscanf(line,
			"cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			" %" SCNu64 " %" SCNu64,
			&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8) {
		return 0;
	}
	return steal * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}
