/* SPDX-License-Identifier: BSD-3-Clause */
/* Which devices there are, and what their paths lead to. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

#define MODE 0660

static struct {
	char addresses[SHIM_MAX_DEVICES][SHIM_ADDRESS_BYTES];
	const char *kinds[SHIM_MAX_DEVICES]; /* "video" */
	char tree[PATH_MAX];
	size_t tree_len;
	uint64_t spin_ns;
} known;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The kind of node that a name begins with, NULL: none. */
static const char *
kind_of(const char *name)
{
	for (uint32_t type = 0; type < SHIM_NB_KINDS; type++) {
		const char *kind = shim_kind(type);
		size_t len = strlen(kind);

		if (strncmp(name, kind, len) == 0 && name[len] >= '0' && name[len] <= '9') {
			return kind;
		}
	}
	return NULL;
}

/* "video0=ADDRESS,vbi1=ADDRESS" */
static void
read_environment(void)
{
	const char *env = getenv(SHIM_ENV_DEVICES), *tree = getenv(SHIM_ENV_TREE);
	const char *spin = getenv(SHIM_ENV_SPIN);

	if (spin != NULL) {
		known.spin_ns = MIN(strtoul(spin, NULL, 10), SHIM_MAX_SPIN_US) * 1000;
	}

	while (env != NULL && *env != '\0') {
		const char *kind = kind_of(env);
		char *end;
		unsigned long n = strtoul(env + (kind != NULL ? strlen(kind) : 0), &end, 10);
		size_t len = *end == '=' ? strcspn(++end, ",") : 0;

		if (kind != NULL && n < SHIM_MAX_DEVICES && len < SHIM_ADDRESS_BYTES) {
			known.kinds[n] = kind;
			memcpy(known.addresses[n], end, len);
		}
		env = end + len + (end[len] == ',');
	}
	if (tree != NULL && strlen(tree) < sizeof(known.tree)) {
		known.tree_len = strlen(tree);
		memcpy(known.tree, tree, known.tree_len);
	}
}

bool
device_exists(unsigned int device)
{
	pthread_once(&once, read_environment);
	return device < SHIM_MAX_DEVICES && known.addresses[device][0] != '\0';
}

uint64_t
device_spin_ns(void)
{
	pthread_once(&once, read_environment);
	return known.spin_ns;
}

const char *
device_address(unsigned int device)
{
	return device_exists(device) ? known.addresses[device] : "";
}

const char *
device_kind(unsigned int device)
{
	return device_exists(device) ? known.kinds[device] : "";
}

int
device_by_peer(const char *peer, uint32_t *token)
{
	const char *slash = strchr(peer, '/');

	for (unsigned int n = 0; slash != NULL && n < SHIM_MAX_DEVICES; n++) {
		size_t len = (size_t)(slash - peer);

		if (device_exists(n) && strncmp(peer, known.addresses[n], len) == 0 &&
			known.addresses[n][len] == '\0') {
			*token = (uint32_t)strtoul(slash + 1, NULL, 16);
			return (int)n;
		}
	}
	return ~0;
}

/* A decimal number that ends the string, or -1. */
static int
number(const char *text)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9' || (text[0] == '0' && text[1] != '\0')) {
		return ~0;
	}
	n = strtoul(text, &end, 10);
	return *end == '\0' && n < SHIM_MAX_DEVICES && device_exists((unsigned int)n) ? (int)n : ~0;
}

/* A name in /dev. */
static int
by_name(const char *name)
{
	const char *kind = kind_of(name);
	int n = kind != NULL ? number(name + strlen(kind)) : ~0;

	return n >= 0 && known.kinds[n] == kind ? n : ~0;
}

int
device_by_path(const char *path)
{
	if (path == NULL || strncmp(path, "/dev/", 5) != 0) {
		return ~0;
	}
	return strncmp(path + 5, "char/81:", 8) == 0 ? number(path + 13) : by_name(path + 5);
}

/* The folder that dirfd is, with room for a name behind it. False: it cannot be told. */
static bool
folder_of(int dirfd, char *buf, size_t size)
{
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	len = NEXT(readlink)(link, buf, size - 1);
	if (len <= 0 || (size_t)len >= size - 2) {
		return false;
	}
	buf[len] = '\0';
	return true;
}

int
device_by_path_at(int dirfd, const char *path)
{
	char folder[16];

	if (path == NULL || path[0] == '/' || dirfd == AT_FDCWD) {
		return device_by_path(path);
	}
	if (by_name(path) < 0 || !folder_of(dirfd, folder, sizeof(folder)) ||
		strcmp(folder, "/dev") != 0) {
		return ~0;
	}
	return by_name(path);
}

int
device_open(unsigned int device, int flags)
{
	struct shim_request request = {.op = SHIM_OPEN};
	struct handle handle = {.device = (uint8_t)device};
	struct shim_reply reply;
	int fds[2] = {-1, -1};
	int ret;

	if ((flags & O_DIRECTORY) != 0) {
		return fail(-ENOTDIR);
	}
	ret = client_call(device, &request, &reply, fds, 2);
	if (ret != 0) {
		return fail(ret);
	}
	/* The first fd came with the lowest number free. */
	if ((flags & O_CLOEXEC) == 0) {
		NEXT(fcntl)(fds[0], F_SETFD, 0);
	}
	if ((flags & O_NONBLOCK) != 0) {
		NEXT(fcntl)(fds[0], F_SETFL, O_NONBLOCK);
	}
	handle.token = reply.session;
	handle.pri_fd = client_raise_fd(fds[1]);
	handle_set(fds[0], &handle);
	return fds[0];
}

void
device_stat(unsigned int device, struct stat *st)
{
	NEXT(stat)("/dev/null", st); /* times, owner, the file system's number */
	st->st_mode = S_IFCHR | MODE;
	st->st_nlink = 1;
	st->st_rdev = makedev(SHIM_VIDEO_MAJOR, device);
	st->st_ino = DEVICE_INODE + device;
	st->st_size = 0;
	st->st_blocks = 0;
}

/* Only these words stand in paths that are ours: most paths are settled here. */
static bool
is_candidate(const char *path)
{
	return strstr(path, "video4linux") != NULL || strstr(path, "81:") != NULL ||
	       strstr(path, "vmedia.") != NULL;
}

static bool
is_ours(const char *path)
{
	static const char class[] = "/sys/class/video4linux";
	const char *rest = path + sizeof(class) - 1;

	if (strncmp(path, class, sizeof(class) - 1) == 0) {
		return *rest == '\0' || *rest == '/';
	}
	if (strncmp(path, "/sys/dev/char/81:", 17) == 0) {
		return device_exists((unsigned int)strtoul(path + 17, NULL, 10));
	}
	if (strncmp(path, "/run/udev/data/c81:", 19) == 0) {
		return device_exists((unsigned int)strtoul(path + 19, NULL, 10));
	}
	return strncmp(path, "/sys/devices/platform/vmedia.", 29) == 0;
}

const char *
path_redirect(int dirfd, const char *path, char *buf)
{
	char full[PATH_ROOM];
	size_t len, used = 0;
	int saved = errno;

	if (path == NULL || !is_candidate(path)) {
		return path;
	}
	pthread_once(&once, read_environment);
	len = strlen(path);
	if (path[0] != '/' && dirfd != AT_FDCWD && folder_of(dirfd, full, sizeof(full))) {
		used = strlen(full);
		full[used++] = '/';
	}
	errno = saved;
	if (known.tree_len == 0 || used + len >= sizeof(full)) {
		return path;
	}
	memcpy(full + used, path, len + 1);
	if (!is_ours(full) || known.tree_len + used + len >= PATH_ROOM) {
		return path;
	}
	memcpy(buf, known.tree, known.tree_len);
	memcpy(buf + known.tree_len, full, used + len + 1);
	return buf;
}

size_t
path_strip(char *path, size_t len)
{
	pthread_once(&once, read_environment);
	if (known.tree_len == 0 || len <= known.tree_len || path[known.tree_len] != '/' ||
		memcmp(path, known.tree, known.tree_len) != 0) {
		return len;
	}
	len -= known.tree_len;
	memmove(path, path + known.tree_len, len);
	return len;
}
