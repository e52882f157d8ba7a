/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process whose devices are measured: one that runs already, or a vmediad of our own with null
 * cameras. Control path; one thread.
 */
#ifndef VMEDIA_BENCH_TARGET_H
#define VMEDIA_BENCH_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#define TARGET_MAX_DEVICES 1024
#define TARGET_MAX_TARGETS 8 /* at the same time */

struct target_options {
	const char *spawn;                       /* path of vmediad; NULL: none */
	const char *sockets[TARGET_MAX_DEVICES]; /* of devices that run; none: spawn, or nothing */
	unsigned int nb_sockets;
	unsigned int nb_devices; /* to spawn */
	const char *device;      /* to spawn, without its socket: "backend=null,role=capture" */
	const char *idle;        /* its idle policy; NULL: poll */
	int cpu;                 /* of its reactor */
	pid_t pid;               /* of the process that runs; 0: ask the first socket */
};

struct target {
	pid_t pid, child; /* child: ours, or 0 */
	int *fds;         /* connected, one per device; whoever takes one sets -1 */
	unsigned int nb;
	char folder[32];                      /* of the child's sockets and output; "": none */
	const struct target_options *options; /* as given to target_start() */
};

/* A device is asked for at all. */
bool target_is_wanted(const struct target_options *o);
/* Connects to the sockets, or starts vmediad and connects to its. A signal that ends this process
 * ends that vmediad as well and removes its folder, and lets a process that runs already go on.
 * *t stays where it is until target_end(). Says on stderr what went wrong.
 * 0 or negative errno; target_end() in both cases. */
int target_start(struct target *t, const struct target_options *o);
/* All threads of it have stopped (SIGSTOP) when this returns. Whatever ends this process lets them
 * go on. 0 or negative errno. */
int target_stop(const struct target *t);
void target_continue(const struct target *t);
void target_end(struct target *t);

/* Says on stderr that the front-end's handshake with device `index` failed, with the name of its
 * socket and with what may be wrong. Returns ret. */
int target_complain(const struct target *t, unsigned int index, int ret);

#endif
