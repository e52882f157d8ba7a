/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reactor: one thread pinned to one CPU that owns pollers and never blocks while there is work.
 *
 * One pass = all messages, then every poller's poll(), then work for at most the pass budget: the
 * head of the work list (a frame being rendered, in slices) runs until the budget is spent. So a
 * long job of one device delays the commands of the others by the budget at most (S-15). A pass
 * that takes longer than twice the budget is counted.
 *
 * Idle policy. POLL never sleeps. INTERRUPT sleeps as soon as a pass found nothing. ADAPTIVE spins
 * for spin_us first, and again for the last spin_us before a deadline. Before it sleeps the reactor
 * asks each poller to arm its notifications and to look again; it sleeps in epoll on the watched
 * fds and the message eventfd until the earliest deadline that pollers gave.
 *
 * On one CPU. POLL gives it up only when the scheduler takes it: everything works, but a command
 * can wait for a time slice of milliseconds. Use ADAPTIVE or INTERRUPT there.
 *
 * The thread is our own, not an EAL lcore: see docs/decisions/0001-reactor-threads.md. thread_init
 * lets the control room register it with EAL.
 */
#ifndef VMEDIA_REACTOR_REACTOR_H
#define VMEDIA_REACTOR_REACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* What a poller answers that waits for nothing but the other side. */
#define REACTOR_NO_DEADLINE UINT64_MAX

enum reactor_idle {
	REACTOR_POLL,     /* lowest latency: no system call ever; takes its CPU whole */
	REACTOR_ADAPTIVE, /* like POLL while there is traffic, asleep when there is none */
	REACTOR_INTERRUPT /* least CPU time: each command after a pause costs a wake-up */
};

/* Copied by create. The zero of spin_us and budget_us means the default. */
struct reactor_config {
	const char *name; /* thread name, at most 15 bytes; offload gets "-o" appended */
	int cpu; /* CPU to pin to, or -1: not pinned, off the CPUs of others where there are such */
	enum reactor_idle idle;
	bool umwait;        /* wait for a store instead of spinning; only if reactor_can_umwait() */
	uint32_t spin_us;   /* ADAPTIVE: how long to spin before sleeping; default 50 */
	uint32_t budget_us; /* work per pass; default 50 */
	void (*thread_init)(void *arg); /* on the reactor thread, before the first pass; or NULL */
	void *thread_init_arg;
};

/* Whether the CPU has UMWAIT (WAITPKG of x86-64). */
bool reactor_can_umwait(void);

struct reactor; /* opaque; one thread, one CPU, one epoll set */
struct poller;

/* What a poller can do. All calls on the reactor thread. */
struct poller_ops {
	/* Bounded, short. Returns the number of things done: 0 is idle. */
	unsigned int (*poll)(struct poller *poller, uint64_t now_tsc);
	/* About to sleep: ask the other side to kick. True: there is work all the same. May be
	 * NULL. */
	bool (*arm)(struct poller *poller);
	/* Awake again: kicks are not wanted any more. May be NULL. */
	void (*disarm)(struct poller *poller);
	/* TSC of the next thing due, or REACTOR_NO_DEADLINE. May be NULL. */
	uint64_t (*deadline)(struct poller *poller);
};

/* Memory is the caller's, zeroed but for ops; it stays in place while added. */
struct poller {
	const struct poller_ops *ops;
	TAILQ_ENTRY(poller) link; /* the reactor's, and what follows */
	uint32_t slot;
	bool added;
};

/* What a poller waits for. */
struct poller_rest {
	const uint16_t *word; /* written by others; NULL: nothing but due_tsc */
	uint16_t mask, value;
	bool until_equal; /* until *word & mask is value; else until it is not */
	uint64_t due_tsc; /* or until then */
};

/* Long work in slices; first come, first served. Memory is the caller's. */
struct work {
	/* Runs until done or until_tsc. True when done. It is off the list while it runs: it may
	 * queue itself anew, cancel itself or, when it returns true, free itself. */
	bool (*run)(struct work *work, uint64_t until_tsc);
	TAILQ_ENTRY(work) link;
	bool queued;
};

/* A message. The memory is the sender's and is free for reuse from the moment fn
 * is called. */
struct reactor_msg {
	void (*fn)(void *arg);
	void *arg;
	struct reactor_msg *next; /* the reactor's */
};

/* A job for the offload thread: run() there, then done() on the reactor. The memory is the
 * caller's and lives until done(), which may free it. Jobs of one reactor run one after the other,
 * in order. */
struct offload_job {
	void (*run)(struct offload_job *job);
	void (*done)(struct offload_job *job);
	struct reactor *reactor; /* the reactor's, and what follows */
	struct reactor_msg msg;
};

/* Control thread. create starts nothing. start returns when the thread runs pinned, or a negative
 * errno (-EINVAL: no such CPU); all signals but faults are blocked on that thread. stop lets queued
 * messages and offload jobs finish, then joins: no poller and no work is called any more, and what
 * is still added or queued stays so. It does the same for a reactor that reactor_pass drove.
 * destroy stops first; NULL is fine. */
int reactor_create(const struct reactor_config *config, struct reactor **reactor);
int reactor_start(struct reactor *reactor);
void reactor_stop(struct reactor *reactor);
void reactor_destroy(struct reactor *reactor);

/* For tests and loopback: one pass on the calling thread, which then is the owner; never sleeps.
 * Offload jobs still run on their thread. Returns things done. */
unsigned int reactor_pass(struct reactor *reactor);

/* Any thread. Lock-free, in order per sender; wakes a sleeping reactor. */
void reactor_send(struct reactor *reactor, struct reactor_msg *msg);
/* Any thread but the reactor's: sends and waits until fn was called. Not for the hot path. While
 * nobody owns the reactor (before start, after stop) fn is called at once by the caller. */
void reactor_call(struct reactor *reactor, void (*fn)(void *arg), void *arg);
/* Any thread: does the caller own the reactor? For checks of "reactor thread only". */
bool reactor_is_current(const struct reactor *reactor);

/* Reactor thread, at any time but in arm, disarm and deadline. A poller may delete itself or any
 * other; adding what is added and deleting what is not does nothing, the same for work. A job
 * given to reactor_offload cannot be taken back. */
void reactor_poller_add(struct reactor *reactor, struct poller *poller);
void reactor_poller_del(struct reactor *reactor, struct poller *poller);
/*
 * From poll(): there is nothing to do until then. A thousand idle pollers are looked at in little
 * more time than it takes to read their words. It holds until the next poll(), which comes all the
 * same after messages, after work, after a sleep, and at the latest 1 ms later: only what changes
 * without any of these has to be told.
 */
void reactor_poller_rest(
	struct reactor *reactor, const struct poller *poller, const struct poller_rest *rest);
void reactor_work_queue(struct reactor *reactor, struct work *work);
void reactor_work_cancel(struct reactor *reactor, struct work *work);
void reactor_offload(struct reactor *reactor, struct offload_job *job);

/* Any thread. The fd's becoming readable ends a sleep. With `drain` (eventfds, kicks) that happens
 * once per write to the fd, which is never read: it may be shared with a front-end that must not be
 * able to block us. Without, for as long as it is readable: a poller has to empty it. Unwatch
 * before closing it. Errors as epoll_ctl: -EEXIST when watched already. */
int reactor_watch(struct reactor *reactor, int fd, bool drain);
void reactor_unwatch(struct reactor *reactor, int fd);

/* Single writer; any thread may read (relaxed): each number is whole, together they are no
 * snapshot. Times are TSC ticks. busy_tsc + idle_tsc + sleep_tsc is the time since start, within a
 * pass. They are wall time: what another thread on the same CPU took counts as the reactor's. */
struct reactor_stats {
	uint64_t nb_passes;
	uint64_t nb_busy_passes; /* at least one thing was done */
	uint64_t busy_tsc;
	uint64_t idle_tsc; /* spinning without work */
	uint64_t sleep_tsc;
	uint64_t nb_sleeps;
	uint64_t nb_over_budget; /* passes longer than twice the budget */
	uint64_t longest_pass_tsc;
	uint64_t nb_messages;
};
void reactor_stats(const struct reactor *reactor, struct reactor_stats *stats);
/* The CPU of the configuration; -1: not pinned. */
int reactor_cpu(const struct reactor *reactor);
const char *reactor_name(const struct reactor *reactor);
/* Tells the reactors of one process apart, from 0. */
uint16_t reactor_index(const struct reactor *reactor);
/* Kernel thread id, for /proc/PID/task/TID and strace; 0 before start. */
int reactor_tid(const struct reactor *reactor);
/* Reactor thread: tells a tracer of the reactor; the caller goes on with its devices. */
void reactor_statedump(struct reactor *reactor);
/* budget_us in TSC ticks. */
uint64_t reactor_budget_tsc(const struct reactor *reactor);

#endif
