/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The preloaded library. It lives in a stranger's process: it needs nothing but libc, starts no
 * thread, keeps errno where a call succeeds, and passes on what is not about a device of ours.
 * Functions return as the libc functions they stand for, or a negative errno where they say so.
 */
#ifndef VMEDIA_V4L2_SHIM_SHIM_H
#define VMEDIA_V4L2_SHIM_SHIM_H

#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "v4l2-shim/protocol.h"

#define EXPORT __attribute__((visibility("default")))

/*
 * The libc's function, or that of the next preloaded library. next.c finds all of them when the
 * library is loaded; before that, in constructors of others, the first use does.
 */
#define NEXT(name)                                                                          \
	__extension__({                                                                     \
		static __typeof__(&name) next_;                                             \
		static struct next next_entry_                                              \
			__attribute__((section("next_functions"), used)) = {#name, &next_}; \
		if (next_ == NULL) {                                                        \
			next_find(&next_entry_);                                            \
		}                                                                           \
		next_;                                                                      \
	})
struct next {
	const char *name;
	void *function; /* where its address goes */
};
/* Takes the dynamic loader's lock. */
void next_find(const struct next *next);

/*
 * A mutex `lock` of this file. Another thread may hold it while one forks, and is not there in the
 * child: the child gets a new one.
 */
#define LOCK_RENEWED_BY_FORK()                                    \
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  \
	static void lock_renew(void)                              \
	{                                                         \
		pthread_mutex_init(&lock, NULL);                  \
	}                                                         \
	static __attribute__((constructor)) void lock_watch(void) \
	{                                                         \
		pthread_atfork(NULL, NULL, lock_renew);           \
	}                                                         \
	_Static_assert(true, "a semicolon follows")

static inline int
fail(int status)
{
	if (status >= 0) {
		return status;
	}
	errno = -status;
	return ~0;
}

/* handle.c: which fds are opens of ours. Lock-free. */
struct handle {
	uint32_t token;
	uint8_t device;
	int pri_fd;
};
/* True when fd is known to be ours. */
bool handle_get(int fd, struct handle *handle);
/* The same, asking the socket who it is: for calls that mean nothing but a device. */
bool handle_find(int fd, struct handle *handle);
void handle_set(int fd, const struct handle *handle);
/* fd is about to be closed or replaced. */
void handle_clear(int fd);
void handle_copy(int from, int to);
/* Every fd of a range is about to be closed. */
void handle_clear_range(unsigned int first, unsigned int last);
/* False: this process never had one. */
bool handle_any(void);

/* client.c: the connections to the brokers. */
struct connection {
	struct connection *next;
	int fd;
	uint8_t message[sizeof(struct shim_request) + SHIM_MAX_PAYLOAD];
};
/* NULL and errno. One per caller at a time. */
struct connection *connection_get(unsigned int device);
void connection_put(unsigned int device, struct connection *connection);
/*
 * Sends connection->message, whose first part is a shim_request, and receives the reply there.
 * fds: up to 2, close-on-exec; *nb_fds in and out. Negative errno: no reply came.
 */
int connection_call(struct connection *connection, int *fds, unsigned int *nb_fds);
/* One request without a payload; 0 or a negative errno, *request replaced by *reply. */
int client_call(unsigned int device, const struct shim_request *request, struct shim_reply *reply,
	int *fds, unsigned int nb_fds);
/* From now on the fd is ours: raised, and safe from a program that closes all numbers. */
int client_keep_fd(int fd);
void client_drop_fd(int fd);
bool client_is_internal(int fd);
/* The first internal one of a range; last + 1: none. */
uint64_t client_next_internal(uint64_t first, uint64_t last);
/* Out of the way of programs that count on low numbers. */
int client_raise_fd(int fd);

/* devices.c: what the environment says. */
#define DEVICE_INODE 0x564d0000u /* of number 0 */
bool device_exists(unsigned int device);
const char *device_address(unsigned int device);
/* --spin; 0: none. */
uint64_t device_spin_ns(void);
/* The device that an address "ADDRESS/token" belongs to, -1: none. */
int device_by_peer(const char *peer, uint32_t *token);
/* What it is called in /dev, without its number. */
const char *device_kind(unsigned int device);
/* /dev/videoN, or of another kind, of ours: N, else -1. */
int device_by_path(const char *path);
int device_by_path_at(int dirfd, const char *path);
int device_open(unsigned int device, int flags);
/* Where a path of /sys leads here: path itself, or buf. errno is kept. */
#define PATH_ROOM 4096
const char *path_redirect(int dirfd, const char *path, char *buf);
/* Takes the tree's folder off the front of a result. Returns the new length. */
size_t path_strip(char *path, size_t len);
void device_stat(unsigned int device, struct stat *st);

/* video.c */
int video_ioctl(int fd, const struct handle *handle, unsigned long request, void *arg);
/* One request as it stands, without emulation. Negative errno. */
int video_call(int fd, const struct handle *handle, unsigned long request, void *arg);
/* emulate.c: what the V4L2 core turns into other ioctls. Negative errno. */
int emulate_ioctl(int fd, const struct handle *handle, unsigned long request, void *arg);

/* The place of a USERPTR buffer, before its QBUF. Negative errno. */
int video_place(int fd, const struct handle *handle, unsigned long request,
	const struct v4l2_buffer *b, struct shim_places *places);

/* usercopy.c: 0 or -EFAULT. */
int user_read(void *to, const void *from, size_t bytes);
int user_write(void *to, const void *from, size_t bytes);
int user_is_mapped(const void *at, size_t bytes);

/* userptr.c: copies output data to where the device reaches them, and captured ones back. */
int userptr_before(
	int fd, const struct handle *handle, unsigned long request, struct v4l2_buffer *b);
int userptr_after(
	const struct handle *handle, struct v4l2_buffer *b, const struct shim_places *places);

/* maps.c */
void *map_create(
	const struct handle *handle, void *addr, size_t len, int prot, int flags, off_t offset);
/* False: not ours, *ret is untouched. */
bool map_destroy(void *addr, size_t len, int *ret);
/* Before mremap: 0, or -EFAULT: a buffer does not grow. */
int map_check_size(const void *addr, size_t len, size_t new_len);
/* After it. */
void map_moved(const void *addr, size_t len, void *new_addr, size_t new_len);

#endif
