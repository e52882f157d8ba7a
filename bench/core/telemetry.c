/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/telemetry.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"

#define ANSWER_BYTES 65536

static int
open_socket(pid_t pid)
{
	const char *base = getuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/dpdk/vmediad-%d/dpdk_telemetry.v2",
		base != NULL ? base : "/tmp", (int)pid);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

/* The number behind "name": in a JSON text. */
static int
find_number(const char *text, const char *name, uint64_t *number)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(text, key);
	return at != NULL && sscanf(at + strlen(key), " %" SCNu64, number) == 1 ? 0 : -EPROTO;
}

static int
parse(const char *text, struct telemetry_reactor *r)
{
	const struct {
		const char *name;
		uint64_t *number;
	} rows[] = {{"nb_passes", &r->nb_passes}, {"nb_busy_passes", &r->nb_busy_passes},
		{"busy_ns", &r->busy_ns}, {"idle_ns", &r->idle_ns}};
	int ret = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows) && ret == 0; i++) {
		ret = find_number(text, rows[i].name, rows[i].number);
	}
	return ret;
}

/* What it says of its reactors, JSON, and empty when it says nothing. 0 or negative errno. */
static int
ask(pid_t pid, char answer[ANSWER_BYTES])
{
	static const char command[] = "/vmedia/reactors";
	int fd = open_socket(pid);
	ssize_t n;

	if (fd < 0) {
		return fd;
	}
	n = recv(fd, answer, ANSWER_BYTES - 1, 0); /* who it is */
	if (n > 0 && send(fd, command, strlen(command), 0) > 0) {
		n = recv(fd, answer, ANSWER_BYTES - 1, 0);
	}
	close(fd);
	answer[n > 0 ? n : 0] = '\0';
	return 0;
}

int
telemetry_reactor_read(pid_t pid, struct telemetry_reactor *r)
{
	static char answer[ANSWER_BYTES];
	int ret = ask(pid, answer);

	return ret != 0 ? ret : parse(answer, r);
}

int
telemetry_sleeps(pid_t pid, int cpu, uint64_t *nb_sleeps)
{
	static char answer[ANSWER_BYTES];
	int ret = ask(pid, answer);
	char key[32];
	const char *at;

	if (ret != 0) {
		return ret;
	}
	snprintf(key, sizeof(key), "{\"cpu\":%d,", cpu);
	at = strstr(answer, key);
	return at != NULL ? find_number(at, "nb_sleeps", nb_sleeps) : -ENOENT;
}

void
telemetry_reactor_subtract(struct telemetry_reactor *later, const struct telemetry_reactor *earlier)
{
	later->nb_passes -= earlier->nb_passes;
	later->nb_busy_passes -= earlier->nb_busy_passes;
	later->busy_ns -= earlier->busy_ns;
	later->idle_ns -= earlier->idle_ns;
}
