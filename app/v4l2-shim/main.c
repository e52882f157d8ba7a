/* SPDX-License-Identifier: BSD-3-Clause */
/* vmedia-v4l2: runs a program in which vhost-user sockets are /dev/videoN. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "v4l2-shim/broker.h"
#include "v4l2-shim/tree.h"

#define EXIT_USAGE     2
#define EXIT_NO_DEVICE 125 /* as env(1) and the like: the program was not run */
#define EXIT_CANNOT    126
#define EXIT_NOT_FOUND 127
#define SHIM_NAME      "libvmedia-v4l2.so"
#define NB_INHERITED   1024
#define TRIES          200 /* of 20 ms, while a broker ends or another one starts */

struct device {
	bool used;
	const char *socket;
	char address[SHIM_ADDRESS_BYTES];
	int fd; /* a connection to the broker, for the keeper */
};

static struct device devices[SHIM_MAX_DEVICES];
static char **program;
static uint32_t spin_us;

const char *argp_program_version = "vmedia-v4l2 " VMEDIA_VERSION;

static const struct argp_option options[] = {
	{"device", 'd', "N=SOCKET", 0,
		"/dev/videoN, or as its type is called (vbiN, radioN, swradioN, v4l-touchN), is the "
		"device behind this vhost-user socket; without N= the lowest number that is free"},
	{"spin", 's', "US", 0,
		"look for an answer so many microseconds, at most 1000, before sleeping for it"},
	{0},
};

static void
set_spin(struct argp_state *state, const char *arg)
{
	char *end;
	unsigned long us = strtoul(arg, &end, 10);

	if (arg[0] < '0' || arg[0] > '9' || *end != '\0' || us > SHIM_MAX_SPIN_US) {
		argp_error(state, "--spin: US is 0 to %lu", SHIM_MAX_SPIN_US);
	}
	spin_us = (uint32_t)us;
	if (setenv(SHIM_ENV_SPIN, arg, 1) != 0) {
		argp_failure(state, EXIT_CANNOT, errno, "--spin");
	}
}

static void
add_device(struct argp_state *state, const char *arg)
{
	unsigned int n = 0;
	char *end = NULL;

	if (arg[0] >= '0' && arg[0] <= '9') {
		n = (unsigned int)strtoul(arg, &end, 10);
	}
	if (end != NULL && *end == '=') {
		arg = end + 1;
	} else {
		for (n = 0; n < SHIM_MAX_DEVICES && devices[n].used; n++) {
		}
	}
	if (n >= SHIM_MAX_DEVICES) {
		argp_error(state, "--device: N is 0 to %u", SHIM_MAX_DEVICES - 1);
	} else if (devices[n].used) {
		argp_error(state, "--device: number %u is given twice", n);
	} else if (arg[0] == '\0') {
		argp_error(state, "--device: N=SOCKET is expected");
	}
	devices[n] = (struct device){.used = true, .socket = arg, .fd = -1};
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'd':
		add_device(state, arg);
		return 0;
	case 's':
		set_spin(state, arg);
		return 0;
	case ARGP_KEY_ARGS:
		program = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no program is given");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int
connect_broker(const char *address)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address));
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0) {
		return -errno;
	}
	memcpy(addr.sun_path + 1, address, strlen(address));
	ret = connect(fd, (struct sockaddr *)&addr, len) == 0 ? 0 : -errno;
	if (ret == 0 && (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
				peer.uid != geteuid())) {
		ret = -EPERM;
	}
	if (ret != 0) {
		close(fd);
	}
	return ret == 0 ? fd : ret;
}

/* -ECONNRESET: the broker was just ending. */
static int
say_hello(int fd, struct tree_node *node)
{
	struct {
		struct shim_request req;
		struct v4l2_capability cap;
	} hello = {.req = {.op = SHIM_HELLO, .arg_bytes = sizeof(node->cap)}};
	struct {
		struct shim_reply reply;
		struct v4l2_capability cap;
	} answer;

	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello) ||
		recv(fd, &answer, sizeof(answer), 0) != sizeof(answer)) {
		return -ECONNRESET;
	}
	node->cap = answer.cap;
	node->kind = shim_kind(answer.reply.session);
	return answer.reply.status;
}

/* Nothing of the program's may be kept open by those who outlive it. */
static void
detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++) {
		dup2(null, fd);
	}
	if (chdir("/") != 0) {
		_exit(1);
	}
}

static int
close_others(int keep)
{
	int ret = 0;

	if (keep > STDERR_FILENO + 1) {
		ret = close_range(STDERR_FILENO + 1, (unsigned int)keep - 1, 0);
	}
	return ret == 0 ? close_range((unsigned int)keep + 1, UINT_MAX, 0) : ret;
}

/* A grandchild, so that the program has no child it does not know. */
static int
start_broker(const struct device *device)
{
	int ready[2], ret = -EIO;
	char path[PATH_MAX];
	pid_t child;

	if (realpath(device->socket, path) == NULL || pipe2(ready, O_CLOEXEC) != 0) {
		return -errno;
	}
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			detach();
			close_others(ready[1]);
			_exit(broker_run(path, device->address, spin_us, ready[1]) == 0 ? 0 : 1);
		}
		_exit(0);
	}
	close(ready[1]);
	if (child < 0 || waitpid(child, NULL, 0) != child ||
		read(ready[0], &ret, sizeof(ret)) != sizeof(ret)) {
		ret = ret == 0 ? -EIO : ret;
	}
	close(ready[0]);
	return ret;
}

static int
find_broker(struct device *device, struct tree_node *node)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	int ret = -EAGAIN;

	for (int i = 0; i < TRIES; i++) {
		device->fd = connect_broker(device->address);
		ret = device->fd >= 0 ? say_hello(device->fd, node) : device->fd;
		if (ret == 0) {
			return 0;
		}
		if (device->fd >= 0) {
			close(device->fd);
		}
		if (ret == -ECONNREFUSED) {
			ret = start_broker(device);
			if (ret == 0) {
				continue;
			}
		}
		if (ret != -EADDRINUSE && ret != -ECONNRESET) {
			break;
		}
		nanosleep(&pause, NULL);
	}
	return ret;
}

static void
explain(const struct device *device, int error)
{
	const char *hint = "";

	if (error == -ENOENT || error == -ECONNREFUSED) {
		hint = "; does vmediad run, with this path as socket=?";
	} else if (error == -ENODEV || error == -ETIMEDOUT || error == -EPROTO) {
		hint = "; is a virtual machine or another program connected to it?";
	}
	fprintf(stderr, "vmedia-v4l2: %s: %s%s\n", device->socket, strerror(-error), hint);
}

/* Inode and user make the address, so every way to write the path leads to one broker. */
static int
connect_device(struct device *device, struct tree_node *node)
{
	struct stat st;

	if (stat(device->socket, &st) != 0) {
		return -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		return -ENOTSOCK;
	}
	snprintf(device->address, sizeof(device->address), "vmedia-v4l2-1.%u.%lx.%lx", geteuid(),
		(unsigned long)st.st_dev, (unsigned long)st.st_ino);
	return find_broker(device, node);
}

static int
connect_devices(const char *tree, char *env, size_t size)
{
	size_t used = 0;

	env[0] = '\0';
	for (unsigned int n = 0; n < SHIM_MAX_DEVICES; n++) {
		struct tree_node node = {.number = n};
		int ret;

		if (!devices[n].used) {
			continue;
		}
		ret = connect_device(&devices[n], &node);
		if (ret == 0) {
			ret = tree_add(tree, &node);
		}
		if (ret != 0) {
			explain(&devices[n], ret);
			return ret;
		}
		used += (size_t)snprintf(env + used, size - used, "%s%s%u=%s", used > 0 ? "," : "",
			node.kind, n, devices[n].address);
	}
	return 0;
}

/* The keeper needs its pidfd and the brokers, and would keep alive what the program inherited. */
static void
close_inherited(int self)
{
	for (int fd = STDERR_FILENO + 1; fd < NB_INHERITED; fd++) {
		bool keep = fd == self;

		for (unsigned int n = 0; n < SHIM_MAX_DEVICES; n++) {
			keep |= devices[n].used && devices[n].fd == fd;
		}
		if (!keep) {
			close(fd);
		}
	}
}

/* Holds the brokers and the tree until the program, which this process becomes, has ended. */
static int
start_keeper(const char *tree)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct pollfd ended = {.fd = self, .events = POLLIN};
	pid_t child;

	if (self < 0) {
		return -errno;
	}
	child = fork();
	if (child == 0) {
		if (fork() != 0) {
			_exit(0);
		}
		detach();
		close_inherited(self);
		while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
		}
		tree_remove(tree);
		_exit(0);
	}
	close(self);
	return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -errno;
}

/* Beside this program when it was not installed, else where it was installed. */
static void
find_shim(char *path, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", path, size - sizeof(SHIM_NAME) - 1);

	if (len > 0) {
		path[len] = '\0';
		memcpy(strrchr(path, '/') + 1, SHIM_NAME, sizeof(SHIM_NAME));
		if (access(path, R_OK) == 0) {
			return;
		}
	}
	snprintf(path, size, "%s/%s", VMEDIA_LIBDIR, SHIM_NAME);
}

static int
set_environment(const char *env, const char *tree)
{
	const char *others = getenv("LD_PRELOAD");
	char shim[PATH_MAX], preload[2 * PATH_MAX];

	find_shim(shim, sizeof(shim));
	if (access(shim, R_OK) != 0) {
		fprintf(stderr, "vmedia-v4l2: %s: %s\n", shim, strerror(errno));
		return -ENOENT;
	}
	snprintf(preload, sizeof(preload), "%s%s%s", shim, others != NULL ? ":" : "",
		others != NULL ? others : "");
	return setenv("LD_PRELOAD", preload, 1) == 0 && setenv(SHIM_ENV_DEVICES, env, 1) == 0 &&
	                       setenv(SHIM_ENV_TREE, tree, 1) == 0
	               ? 0
	               : -errno;
}

int
main(int argc, char **argv)
{
	const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARGUMENT...]",
		.doc = "Runs PROGRAM, in which vhost-user sockets of virtio-media devices are "
		       "/dev/videoN. No virtual machine is involved.\v"
		       "Exit status: the program's; 2 wrong usage, 125 a device cannot be used, 126 "
		       "the program cannot be run, 127 it is not found."};
	char env[SHIM_MAX_DEVICES * (SHIM_ADDRESS_BYTES + 16)], tree[PATH_MAX];
	int ret;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, NULL);
	ret = tree_create(tree, sizeof(tree));
	if (ret != 0) {
		fprintf(stderr, "vmedia-v4l2: %s: %s\n", tree, strerror(-ret));
		return EXIT_NO_DEVICE;
	}
	ret = connect_devices(tree, env, sizeof(env));
	if (ret == 0) {
		ret = set_environment(env, tree);
	}
	if (ret == 0) {
		ret = start_keeper(tree);
	}
	if (ret != 0) {
		tree_remove(tree);
		return EXIT_NO_DEVICE;
	}
	execvp(program[0], program);
	fprintf(stderr, "vmedia-v4l2: %s: %s\n", program[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT;
}
