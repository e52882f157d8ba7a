/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "core/cpu.h"
#include "core/target.h"

#define START_MS  20000 /* hugepages of many devices are zeroed first */
#define STOP_MS   5000
#define END_MS    30000 /* 18 GB of many devices are given back in 4.5 s */
#define SIGNAL_MS 2000

/* From target_start() to target_end(), for the handler. */
static struct target *volatile lives[TARGET_MAX_TARGETS];

/* Whatever ends us, those that were stopped go on. */
static void
release(void)
{
	for (unsigned int i = 0; i < TARGET_MAX_TARGETS; i++) {
		const struct target *t = lives[i];

		if (t != NULL && t->pid > 1) {
			kill(t->pid, SIGCONT);
		}
	}
}

/* FOLDER/socketINDEX. From a signal handler, so without printf. */
static const char *
socket_in(char path[64], const char *folder, unsigned int index)
{
	char *at = stpcpy(stpcpy(path, folder), "/socket");
	char digits[12];
	unsigned int n = 0;

	do {
		digits[n++] = (char)('0' + index % 10);
		index /= 10;
	} while (index > 0);
	while (n > 0) {
		*at++ = digits[--n];
	}
	*at = '\0';
	return path;
}

/* Of a process of ours that has ended. */
static void
remove_folder(struct target *t)
{
	char path[64];

	if (t->folder[0] == '\0') {
		return;
	}
	stpcpy(stpcpy(path, t->folder), "/log");
	unlink(path);
	for (unsigned int i = 0; i < t->nb; i++) {
		unlink(socket_in(path, t->folder, i));
	}
	rmdir(t->folder);
}

/* It is not waited for politely: SIGTERM, then SIGKILL. */
static void
end_now(struct target *t)
{
	if (t->child <= 0) {
		return;
	}
	kill(t->child, SIGTERM);
	for (int ms = 0; ms < SIGNAL_MS; ms += 10) {
		kill(t->child, SIGCONT);
		if (waitpid(t->child, NULL, WNOHANG) == t->child) {
			return;
		}
		poll(NULL, 0, 10);
	}
	kill(t->child, SIGKILL);
	waitpid(t->child, NULL, 0);
}

/* Only functions that a handler may call, down to the end. */
static void
on_signal(int number)
{
	for (unsigned int i = 0; i < TARGET_MAX_TARGETS; i++) {
		struct target *t = lives[i];

		if (t != NULL) {
			end_now(t);
			remove_folder(t);
		}
	}
	release();
	signal(number, SIG_DFL);
	raise(number);
}

static void
guard(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV};
	struct sigaction action = {.sa_handler = on_signal};
	static bool guarded;

	sigfillset(&action.sa_mask);
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		sigaction(numbers[i], &action, NULL);
	}
	if (!guarded) {
		atexit(release);
	}
	guarded = true;
}

static void
enter(struct target *t)
{
	unsigned int i = 0;

	while (i + 1 < TARGET_MAX_TARGETS && lives[i] != NULL) {
		i++;
	}
	lives[i] = t;
}

static void
leave(const struct target *t)
{
	for (unsigned int i = 0; i < TARGET_MAX_TARGETS; i++) {
		if (lives[i] == t) {
			lives[i] = NULL;
		}
	}
}

static void
sleep_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * (long)(NSEC_PER_SEC / 1000)}, NULL);
}

static int
connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static void
exec_child(const struct target_options *o, const char *folder)
{
	char log[64], cpus[16];
	const char **argv = calloc(2 * o->nb_devices + 8, sizeof(*argv));
	unsigned int n = 0;
	int fd;

	snprintf(log, sizeof(log), "%s/log", folder);
	snprintf(cpus, sizeof(cpus), "%d", o->cpu);
	memset((void *)(uintptr_t)lives, 0, sizeof(lives)); /* they are our parent's */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	cpu_unpin();
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	argv[n++] = o->spawn;
	argv[n++] = "--cpus";
	argv[n++] = cpus;
	argv[n++] = "--idle";
	argv[n++] = o->idle != NULL ? o->idle : "poll";
	for (unsigned int i = 0; i < o->nb_devices; i++) {
		char *device = malloc(256);

		snprintf(device, 256, "socket=%s/socket%u,%s", folder, i, o->device);
		argv[n++] = "--device";
		argv[n++] = device;
	}
	execv(o->spawn, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", o->spawn, strerror(errno));
	_exit(127);
}

static void
show_log(const struct target *t)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", t->folder);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		fprintf(stderr, "  %s", line);
	}
	if (f != NULL) {
		fclose(f);
	}
}

/* How it ended, and what it said before. */
static void
show_end(const struct target *t, int status)
{
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "by signal %d\n", WTERMSIG(status));
	} else {
		fprintf(stderr, "exit status %d\n", WEXITSTATUS(status));
	}
	show_log(t);
}

/* Sockets appear when the process is ready. */
static int
connect_child(struct target *t, const struct target_options *o, unsigned int index)
{
	char path[64];
	int status;

	socket_in(path, t->folder, index);
	for (int ms = 0; ms < START_MS; ms += 10) {
		t->fds[index] = connect_to(path);
		if (t->fds[index] >= 0) {
			return 0;
		}
		if (waitpid(t->child, &status, WNOHANG) == t->child) {
			t->child = t->pid = 0;
			fprintf(stderr, "%s ended at once: ", o->spawn);
			show_end(t, status);
			return -ECHILD;
		}
		sleep_ms(10);
	}
	fprintf(stderr, "%s: no socket after %d s:\n", o->spawn, START_MS / 1000);
	show_log(t);
	return -ETIMEDOUT;
}

static int
spawn(struct target *t, const struct target_options *o)
{
	int ret = 0;

	snprintf(t->folder, sizeof(t->folder), "/tmp/vmedia-bench.XXXXXX");
	if (mkdtemp(t->folder) == NULL) {
		t->folder[0] = '\0';
		return -errno;
	}
	t->child = fork();
	if (t->child == 0) {
		exec_child(o, t->folder);
	}
	t->pid = t->child;
	for (unsigned int i = 0; i < t->nb && ret == 0; i++) {
		ret = connect_child(t, o, i);
	}
	return ret;
}

static int
connect_running(struct target *t, const struct target_options *o)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	for (unsigned int i = 0; i < t->nb; i++) {
		t->fds[i] = connect_to(o->sockets[i]);
		if (t->fds[i] < 0) {
			fprintf(stderr, "%s: %s\n", o->sockets[i], strerror(-t->fds[i]));
			return t->fds[i];
		}
	}
	t->pid = o->pid;
	if (t->pid == 0 && getsockopt(t->fds[0], SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0) {
		t->pid = peer.pid;
	}
	if (t->pid > 1 && kill(t->pid, 0) == 0) {
		return 0;
	}
	fprintf(stderr, "process %d cannot be stopped between slices; is --pid right?\n",
		(int)t->pid);
	return -EPERM;
}

bool
target_is_wanted(const struct target_options *o)
{
	return o->spawn != NULL || o->nb_sockets > 0;
}

/* A driver takes some ten of them, and so does a device. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
target_start(struct target *t, const struct target_options *o)
{
	memset(t, 0, sizeof(*t));
	t->options = o;
	t->nb = o->spawn != NULL ? o->nb_devices : o->nb_sockets;
	t->fds = malloc(t->nb * sizeof(t->fds[0]));
	if (t->fds == NULL) {
		t->nb = 0;
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < t->nb; i++) {
		t->fds[i] = -1;
	}
	raise_file_limit();
	guard();
	enter(t);
	return o->spawn != NULL ? spawn(t, o) : connect_running(t, o);
}

/* 'T' in /proc/PID/task/TID/stat. */
static bool
thread_is_stopped(pid_t pid, const char *tid)
{
	char path[64], line[512] = "";
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/stat", (int)pid, tid);
	f = fopen(path, "r");
	if (f == NULL) {
		return true; /* it ended */
	}
	at = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
	fclose(f);
	return at != NULL && at[2] == 'T';
}

static bool
is_stopped(pid_t pid)
{
	const struct dirent *entry;
	bool stopped = true;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			stopped &= thread_is_stopped(pid, entry->d_name);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return dir != NULL && stopped;
}

int
target_stop(const struct target *t)
{
	if (kill(t->pid, SIGSTOP) != 0) {
		return -errno;
	}
	for (int ms = 0; ms < STOP_MS; ms++) {
		if (is_stopped(t->pid)) {
			return 0;
		}
		sleep_ms(1);
	}
	fprintf(stderr, "process %d does not stop\n", (int)t->pid);
	return -ETIMEDOUT;
}

void
target_continue(const struct target *t)
{
	kill(t->pid, SIGCONT);
}

static void
end_child(struct target *t)
{
	int status;

	kill(t->child, SIGCONT);
	kill(t->child, SIGTERM);
	for (int ms = 0; ms < END_MS; ms += 10) {
		if (waitpid(t->child, &status, WNOHANG) == t->child) {
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
				fprintf(stderr, "the device's process did not end well: ");
				show_end(t, status);
			}
			return;
		}
		sleep_ms(10);
	}
	fprintf(stderr, "process %d does not end on SIGTERM: killed\n", (int)t->child);
	kill(t->child, SIGKILL);
	waitpid(t->child, &status, 0);
}

void
target_end(struct target *t)
{
	if (t->pid > 1) {
		kill(t->pid, SIGCONT);
	}
	for (unsigned int i = 0; i < t->nb; i++) {
		if (t->fds[i] >= 0) {
			close(t->fds[i]);
		}
	}
	free(t->fds);
	if (t->child > 0) {
		end_child(t);
		t->child = t->pid = 0;
	}
	remove_folder(t);
	leave(t);
	*t = (struct target){.folder = ""};
}

/* What an errno of driver_connect() or driver_open() means of the other end. */
static const char *
hint(int ret)
{
	switch (-ret) {
	case ETIMEDOUT:
		return "it does not answer: it is no vmedia device, another front-end is connected "
		       "to it, or its process is stopped";
	case EPROTO:
		return "what answers is no vhost-user device";
	case ECONNRESET:
	case EPIPE:
		return "it hung up: it is no vhost-user device, or has refused this front-end";
	case EOPNOTSUPP:
		return "the device does not offer what was asked for: packed rings, or virtio 1.0";
	default:
		return NULL;
	}
}

int
target_complain(const struct target *t, unsigned int index, int ret)
{
	const char *why = hint(ret);
	char path[64];

	fprintf(stderr, "%s: %s%s%s\n",
		t->folder[0] != '\0' ? socket_in(path, t->folder, index)
				     : t->options->sockets[index],
		strerror(-ret), why != NULL ? ": " : "", why != NULL ? why : "");
	return ret;
}
