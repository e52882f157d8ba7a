/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As much of a kernel as the gateway's code calls, in memory: descriptors, sockets, files that can
 * be mapped, a clock. The linker puts it in the place of libc's functions (kernel_wraps in
 * meson.build); descriptors that are not its own go on to libc. So an execution makes no system
 * call, time passes when the input says so, each descriptor must be closed exactly once, and a
 * mapped file is a block of its own: ASan sees what goes beyond.
 */
#ifndef VMEDIA_TESTS_FUZZ_KERNEL_H
#define VMEDIA_TESTS_FUZZ_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_NB_FILES    4
#define KERNEL_FILE_BYTES  16384
#define KERNEL_STREAM_ROOM 8192
#define KERNEL_MAX_PASSED  64 /* descriptors waiting in a stream */

enum kernel_kind {
	KERNEL_CLOSED,
	KERNEL_FILE,
	KERNEL_READ_ONLY, /* a file that cannot be mapped for writing */
	KERNEL_EVENTFD,
	KERNEL_PIPE, /* has a file type, blocks */
	KERNEL_STREAM,
	KERNEL_NB_KINDS
};

/* One end of a socket: what comes in lies here, what is sent goes to `sent`. */
struct kernel_stream {
	uint8_t in[KERNEL_STREAM_ROOM];
	size_t head, tail;
	struct {
		size_t at; /* position in `in` of the byte they came with */
		int fd;
	} passed[KERNEL_MAX_PASSED];
	unsigned int nb_passed;
	bool hung_up; /* by the other side */
	size_t room;  /* bytes that can be sent before EAGAIN */
	/* What was sent, in one piece, with its descriptors. */
	void (*sent)(void *arg, const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds);
	void *arg;
};

/* All descriptors gone, clock at the start; the files keep their bytes. */
void kernel_reset(void);
unsigned int kernel_nb_open(void);
/* FILE and READ_ONLY: which file. */
int kernel_open(enum kernel_kind kind, unsigned int file);
int kernel_open_stream(struct kernel_stream *stream);
enum kernel_kind kernel_kind_of(int fd);
/* Of a FILE: its block of KERNEL_FILE_BYTES. */
char *kernel_file(int fd);
struct kernel_stream *kernel_stream_of(int fd);
void kernel_sleep(uint64_t ns);

/* The other side sends; false: no room. Takes the descriptors in any case. */
bool kernel_feed(struct kernel_stream *stream, const uint8_t *data, size_t n, const int *fds,
	unsigned int nb_fds);
bool kernel_is_readable(const struct kernel_stream *stream);

#endif
