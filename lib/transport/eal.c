/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL brought up with arguments of our own making; see eal.h. */
#include "transport/eal.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
/* After our own: DPDK keeps a container_of that is there. */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "transport/compat.h"

#define DEFAULT_MEMORY_MB 64
#define CPU_LIST_BYTES    2048
#define CPU_DIRECTORY     "/sys/devices/system/cpu"
#define MAX_ARGS          16
#define LINES_PER_SECOND  20

/* Sockets, eventfds and memory fds of one device, ours and the library's copies: of a front-end
 * whose memory is one file, as nearly all; and the most that one can make us hold, with eight
 * regions of its own, each kept twice. */
#define FDS_PER_DEVICE 18
#define FDS_PER_HUNGRY 40
#define FDS_OF_PROCESS 64
/* librte_vhost's tables have 1024 places; a few are for connections that are going away. */
#define LIBRARY_DEVICES 1016

LOG_TYPE_DEFINE(dpdk);

static enum log_level
level_of(int rte_level)
{
	switch (rte_level) {
	case RTE_LOG_WARNING:
		return LOG_LEVEL_WARNING;
	case RTE_LOG_NOTICE:
		return LOG_LEVEL_NOTICE;
	case RTE_LOG_INFO:
		return LOG_LEVEL_INFO;
	case RTE_LOG_DEBUG:
		return LOG_LEVEL_DEBUG;
	default:
		return LOG_LEVEL_ERR;
	}
}

/*
 * The library logs errors that a front-end makes, as often as it makes them. True: one of the lines
 * of this second. Serial: called under the lock of the stream.
 */
static bool
line_passes(void)
{
	static uint64_t second_ns;
	static unsigned int nb_lines;
	uint64_t now_ns = clock_monotonic_ns();

	if (now_ns - second_ns >= NSEC_PER_SEC) {
		if (nb_lines > LINES_PER_SECOND) {
			log_warning(
				&log_dpdk, "%u more lines kept back", nb_lines - LINES_PER_SECOND);
		}
		second_ns = now_ns;
		nb_lines = 0;
	}
	return nb_lines++ < LINES_PER_SECOND;
}

/* EAL flushes after every message, so whole lines arrive here. */
static ssize_t
log_line(void *cookie, const char *buf, size_t size)
{
	enum log_level level = level_of(rte_log_cur_msg_loglevel());
	size_t at = 0;

	while (at < size) {
		size_t len = strcspn(buf + at, "\n");

		len = MIN(len, size - at);
		if (len > 0 && line_passes()) {
			log_write(&log_dpdk, level, "%.*s", (int)len, buf + at);
		}
		at += len + 1;
	}
	return (ssize_t)size;
}

static void
divert_log(void)
{
	cookie_io_functions_t io = {.write = log_line};
	FILE *stream = fopencookie(NULL, "w", io);

	if (stream != NULL) {
		rte_openlog_stream(stream);
	}
}

static int
control_cpus(const struct transport_eal_config *config, cpu_set_t *set)
{
	cpu_set_t all;

	if (sched_getaffinity(0, sizeof(all), &all) != 0) {
		return -errno;
	}
	*set = all;
	for (unsigned int i = 0; i < config->nb_reactor_cpus; i++) {
		if (config->reactor_cpus[i] >= 0 && config->reactor_cpus[i] < CPU_SETSIZE) {
			CPU_CLR(config->reactor_cpus[i], set);
		}
	}
	if (CPU_COUNT(set) == 0) {
		*set = all;
	}
	/* EAL derives the place of its control threads from this. */
	return sched_setaffinity(0, sizeof(*set), set) == 0 ? 0 : -errno;
}

/* "0@(1,2,5)": one lcore, floating over the control CPUs. */
static int
lcores_argument(const cpu_set_t *set, char *out, size_t size)
{
	size_t len = (size_t)snprintf(out, size, "--lcores=0@(");
	const char *comma = "";

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, set) && len < size) {
			len += (size_t)snprintf(out + len, size - len, "%s%d", comma, cpu);
			comma = ",";
		}
	}
	if (len < size) {
		len += (size_t)snprintf(out + len, size - len, ")");
	}
	return len < size ? 0 : -E2BIG;
}

static int
run_init(const struct transport_eal_config *config, char *lcores)
{
	char program[32], prefix[64], memory[16];
	char *argv[MAX_ARGS];
	int argc = 0;

	snprintf(program, sizeof(program), "%s", config->program);
	snprintf(prefix, sizeof(prefix), "--file-prefix=%s-%d", program, (int)getpid());
	snprintf(memory, sizeof(memory), "%u",
		config->memory_mb != 0 ? config->memory_mb : DEFAULT_MEMORY_MB);
	argv[argc++] = program;
	argv[argc++] = lcores;
	argv[argc++] = (char[]){"--no-huge"};
	argv[argc++] = (char[]){"-m"};
	argv[argc++] = memory;
	argv[argc++] = (char[]){"--no-pci"};
#if COMPAT_NO_HUGE_IN_MEMORY
	argv[argc++] = (char[]){"--in-memory"};
#else
	argv[argc++] = (char[]){"--no-shconf"};
#endif
	argv[argc++] = prefix;
	argv[argc++] = (char[]){"--log-level=lib.eal:notice"};
	argv[argc++] = (char[]){"--log-level=lib.telemetry:error"};
	argv[argc++] = (char[]){"--log-level=lib.vhost.*:warning"};
	argv[argc] = NULL;
	if (rte_eal_init(argc, argv) < 0) {
		log_err(&log_dpdk, "EAL did not start: %s", rte_strerror(rte_errno));
		return rte_errno > 0 ? -rte_errno : -EIO;
	}
	return 0;
}

int
transport_eal_init(const struct transport_eal_config *config)
{
	char lcores[CPU_LIST_BYTES];
	cpu_set_t set;
	int err = control_cpus(config, &set);

	if (err == 0) {
		err = lcores_argument(&set, lcores, sizeof(lcores));
	}
	if (err != 0) {
		log_err(&log_dpdk, "no CPUs for control threads: %s", strerror(-err));
		return err;
	}
	if (access(CPU_DIRECTORY, F_OK) != 0) {
		log_err(&log_dpdk, "EAL finds CPUs in %s, which is not there: mount sysfs on /sys",
			CPU_DIRECTORY);
		return -ENOENT;
	}
	divert_log();
	return run_init(config, lcores);
}

/* EAL leaves its runtime directory behind, one per process id. */
static void
remove_runtime_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL) {
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	rmdir(path);
}

void
transport_eal_fini(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	remove_runtime_directory(path);
}

void
transport_eal_thread_register(void *unused)
{
	if (rte_thread_register() != 0) {
		log_notice(&log_dpdk, "thread stays unknown to EAL: %s", rte_strerror(rte_errno));
	}
}

unsigned int
transport_raise_limits(unsigned int nb_devices)
{
	rlim_t wanted = (rlim_t)nb_devices * FDS_PER_HUNGRY + FDS_OF_PROCESS;
	rlim_t needed = (rlim_t)nb_devices * FDS_PER_DEVICE + FDS_OF_PROCESS;
	struct rlimit limit;
	rlim_t fit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		return 0;
	}
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = MIN(wanted, limit.rlim_max);
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
			getrlimit(RLIMIT_NOFILE, &limit);
		}
	}
	fit = limit.rlim_cur > FDS_OF_PROCESS ? (limit.rlim_cur - FDS_OF_PROCESS) / FDS_PER_DEVICE
	                                      : 0;
	if (fit < nb_devices) {
		log_warning(&log_dpdk,
			"%llu open files allow %llu devices, %u are wanted: raise the hard limit "
			"(ulimit -Hn, LimitNOFILE=) to %llu",
			(unsigned long long)limit.rlim_cur, (unsigned long long)fit, nb_devices,
			(unsigned long long)needed);
	} else if (limit.rlim_cur < wanted) {
		log_notice(&log_dpdk,
			"%llu open files are enough for %u devices, unless front-ends have many "
			"memory regions: %llu would always be",
			(unsigned long long)limit.rlim_cur, nb_devices, (unsigned long long)wanted);
	}
	if (nb_devices > LIBRARY_DEVICES) {
		log_warning(&log_dpdk, "librte_vhost serves %d devices in one process",
			LIBRARY_DEVICES);
	}
	return (unsigned int)MIN(fit, (rlim_t)LIBRARY_DEVICES);
}
