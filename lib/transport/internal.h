/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the vhost-user transport: one struct vhost_user per device, owned by the gateway thread.
 * Other threads only post event bits (gateway_post), call (gateway_call) or read the counters.
 */
#ifndef VMEDIA_TRANSPORT_INTERNAL_H
#define VMEDIA_TRANSPORT_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/compiler.h"
#include "base/log.h"
#include "transport/gateway.h"
#include "transport/message.h"
#include "transport/transport.h"

LOG_TYPE_USE(transport);

/* One fd in the gateway's epoll set. */
struct watch {
	int fd; /* -1: none; owned by the watch */
	void (*ready)(struct watch *watch, uint32_t events);
};

/*
 * READ -> QUIESCE -> FORWARD -> SETTLE -> (WRITE) -> READ; what is not needed is left out. Outside
 * READ the front-end's socket is not read: that is the back-pressure.
 */
enum conn_state {
	CONN_IDLE,    /* no front-end; the listening socket is watched */
	CONN_READ,    /* waiting for (the rest of) a message */
	CONN_QUIESCE, /* message read; the device must be quiet before it is forwarded */
	CONN_FORWARD, /* waiting for the library's reply */
	CONN_SETTLE,  /* reply is there; the device must be quiet before memory or rings change */
	CONN_WRITE,   /* the front-end's socket did not take the whole reply */
	CONN_CLOSE,   /* front-end or library gone; waiting for the device to be quiet */
};

/* By its first message; told in the log, and decides what is offered (frontend.c). */
enum frontend_kind {
	FRONTEND_UNKNOWN,
	FRONTEND_QEMU,   /* QEMU or libkrun */
	FRONTEND_CROSVM, /* crosvm or Cloud Hypervisor */
	FRONTEND_ALIOTH
};

/* How the front-end wants shared memory: by what it acked (vmm.md 1.1). */
enum shmem_flavour {
	SHMEM_NONE,
	SHMEM_STANDARD,
	SHMEM_CROSVM
};

/* Reasons to refuse, as in transport.h. */
enum refusal {
#define X(name, help) REFUSED_##name,
	TRANSPORT_REFUSALS(X)
#undef X
	NB_REFUSALS
};

enum quiet_state {
	QUIET_NO,
	QUIET_ASKED,
	QUIET_YES
};

/* What the front-end told us of a queue. A ring runs iff ring_is_ready(). */
struct ring {
	bool num_seen;
	bool addr_seen;
	bool base_seen;
	bool kick_seen;
	bool enabled;
	bool running;
	bool refused;      /* ring_start failed; not tried again before the next message for it */
	bool was_stopped;  /* stop_base is valid */
	bool base_given;   /* by the front-end, since the last start */
	bool call_changed; /* since the last start */
	uint16_t size;
	uint16_t wanted_size; /* of the SET_VRING_NUM being handled */
	uint16_t base;        /* as given by the front-end or returned by the last stop */
	uint16_t stop_base;   /* as returned by the last stop on this connection */
	struct message_vring_addr addr;
	struct message_vring_addr wanted_addr; /* of the SET_VRING_ADDR being handled */
	int kickfd;                            /* owned; -1: none */
	int callfd;
};

enum window_state {
	WINDOW_IDLE,
	WINDOW_WANTED, /* asked for; held back by the gate or a missing channel */
	WINDOW_SENT,   /* waiting for the acknowledgement */
	WINDOW_FLUSHED /* no acknowledgement will come; waiting until the peer has read it */
};

/* The back-end channel: our requests to the front-end. */
struct channel {
	struct watch watch;
	struct message_reader reader;
	enum window_state window;
	uint64_t deadline_ns;
	uint64_t look_again_ns; /* while flushed */
	uint32_t nb_stale;      /* replies still to come that nobody waits for */
	bool mapped;            /* the front-end acknowledged the map since the last driver reset */
	bool gate;              /* open while both rings run and no stop message was read */
};

/* librte_vhost's half of one connection; see library.c. */
struct library {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int vid;
	bool registered;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool detached;     /* lock; the device holds no memory of the library */
	atomic_uint *lost; /* of transport_config */
	unsigned int lost_mark;
	int guards[MESSAGE_LIBRARY_REGIONS];
	uint32_t nb_guards;
};

struct vhost_user {
	struct transport base;
	const struct transport_listener *listener;
	void *device;
	char name[32];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" with a listen_fd */
	uint16_t max_queue_size;
	struct stat arena; /* st_ino and st_dev tell our own fd in a memory table */
	int arena_fd;      /* not owned; -1: no region */
	uint64_t arena_bytes;
	enum transport_compat compat;
	unsigned int id;

	/* gateway thread only */
	struct watch listen;
	struct watch outer;
	struct watch inner;
	struct message_reader reader; /* outer; holds the message being handled */
	struct message_reader inner_reader;
	struct library library;
	struct channel channel;
	enum conn_state state;
	enum quiet_state quiet;
	bool need_reply;
	uint32_t request;    /* as it came: a region becomes a table on the way to the library */
	int settle_status;   /* of the message being handled: 0, errno or DISPATCH_REPLY */
	bool memory_changed; /* to be told to the device at the next settle */
	bool memory_valid;   /* the library has a memory table */
	bool ever_started;   /* a ring ran on this connection */
	bool reset_wanted;   /* RESET_DEVICE came */
	bool negotiated;     /* SET_PROTOCOL_FEATURES came: rings wait for ENABLE */
	bool destroying;
	uint64_t features;
	enum frontend_kind kind;
	uint64_t protocol_features;
	uint8_t virtio_status;                  /* as the front-end says; nothing depends on it */
	size_t out_sent;                        /* bytes of the reply already written */
	struct message_mem_table table;         /* as forwarded last */
	int table_fds[MESSAGE_LIBRARY_REGIONS]; /* its files, with MEM_SLOTS only; else -1 */
	struct message_region left_out[MESSAGE_MAX_REGIONS]; /* of that table */
	uint32_t nb_left_out;
	struct guest_mem mem;
	struct ring rings[TRANSPORT_NB_QUEUES];
	uint64_t accept_again_ns; /* 0: not waiting */
	struct log_ratelimit message_log;
	struct log_ratelimit accept_log;
	struct log_ratelimit ring_log;
	TAILQ_ENTRY(vhost_user) link;

	/* any thread */
	atomic_uint events; /* enum gateway_event bits */
	struct vhost_user *post_next;
	sem_t destroyed;
	atomic_bool connected;
	atomic_bool started;
	_Atomic uint64_t status_features;
	_Atomic uint64_t status_protocol_features;
	_Atomic uint64_t nb_connections;
	uint64_t refused[NB_REFUSALS]; /* counters; the gateway thread writes */
};

enum gateway_event {
	EVENT_QUIET = 1,  /* the device is out of its reactor's passes */
	EVENT_WINDOW = 2, /* window_map was called */
	EVENT_GIVE_UP = 4 /* give_up was called */
};

/* gateway.c */
int gateway_watch(struct watch *watch, uint32_t events);
/* For watches added with EPOLLONESHOT. */
void gateway_rearm(struct watch *watch, uint32_t events);
/* Takes the fd out of the set and closes it. */
void gateway_unwatch(struct watch *watch);
/* An answer of a reactor is due, most likely within a pass: look for it before sleeping. */
void gateway_expect(void);
/* Any thread, lock-free. */
void gateway_post(struct vhost_user *vu, unsigned int event);
/* Any thread but the gateway's: runs fn(arg) on the gateway thread and waits for it. -ENOTCONN:
 * the gateway does not run. */
int gateway_call(int (*fn)(void *arg), void *arg);
void gateway_add(struct vhost_user *vu);
void gateway_remove(struct vhost_user *vu);
const char *gateway_directory(void);

/* vhost_user.c: the life of a device. */
void vhost_user_listen(struct vhost_user *vu);
/* The connection is gone; accept the next one, or finish the destruction. */
void vhost_user_disconnected(struct vhost_user *vu);
/* The next thing to do at a time, or UINT64_MAX; and doing what is due. */
uint64_t vhost_user_deadline(const struct vhost_user *vu);
void vhost_user_expire(struct vhost_user *vu, uint64_t now_ns);

/* conn.c: the state machine. */
void conn_open(struct vhost_user *vu, int fd);
void conn_close(struct vhost_user *vu, const char *why);
void conn_quiet(struct vhost_user *vu);

/* frontend.c: who is it, and what it is offered. */
void frontend_greet(struct vhost_user *vu);
const char *frontend_name(const struct vhost_user *vu);
uint64_t frontend_offer(const struct vhost_user *vu);
enum shmem_flavour frontend_shmem(const struct vhost_user *vu);

/* dispatch.c: what each request means. */
enum dispatch_result {
	DISPATCH_REPLY = 1,   /* the message has become its own reply */
	DISPATCH_FORWARD = 2, /* goes to the library */
	DISPATCH_RESET = 3    /* rings stop and the device is reset, here alone */
};
/* Looks at the request in vu->reader: one of the above, or the status of an acknowledgement
 * (0 or a negative errno). */
int dispatch_request(struct vhost_user *vu);
/* Whether the front-end stops rings, and not only changes something under them. */
bool dispatch_is_stop(const struct vhost_user *vu);
/* Rings (a mask) that must be stopped before the request is forwarded. */
unsigned int dispatch_stops(const struct vhost_user *vu);
/* Whether a ring that cannot start is this request's fault; others only made it try again. */
bool dispatch_wants_start(const struct vhost_user *vu);
/* The library took the request: note it. */
void dispatch_commit(struct vhost_user *vu);
/* The library refused it. */
void dispatch_refused(struct vhost_user *vu);

/* refusal.c */
/* Counts and tells that the message at hand is refused; returns err. */
int refuse(struct vhost_user *vu, enum refusal why, int err);
/* Something else than a message. */
void refusal_count(struct vhost_user *vu, enum refusal why);
/* Any thread. */
void refusals_read(const struct vhost_user *vu, struct transport_status *status);

/* memory.c */
/* Leaves out of the table in vu->reader what cannot or need not be mapped. 0; 1: nothing changes,
 * do not forward; or a negative errno. */
int memory_filter(struct vhost_user *vu);
/* Makes a whole table of the ADD_MEM_REG or REM_MEM_REG in vu->reader; result as memory_filter. */
int memory_add(struct vhost_user *vu);
int memory_remove(struct vhost_user *vu);
void memory_begin(struct vhost_user *vu);
void memory_end(struct vhost_user *vu);
/* After the library's yes: reads its mapping back into vu->mem. */
void memory_commit(struct vhost_user *vu);

/* rings.c: all while the device is quiet, except the predicates. */
bool ring_is_packed(const struct vhost_user *vu);
bool ring_is_ready(const struct vhost_user *vu, const struct ring *ring);
unsigned int rings_running(const struct vhost_user *vu);
/* Rings that are ready, do not run and were not refused. */
unsigned int rings_startable(const struct vhost_user *vu);
void rings_stop(struct vhost_user *vu, unsigned int mask);
/* Resets the device first when the driver is new. 0 or the error of the last ring refused. */
int rings_start(struct vhost_user *vu);
/* RESET_DEVICE: as at the start of a connection, but for what was negotiated. */
void rings_reset(struct vhost_user *vu);
void rings_init(struct vhost_user *vu);
void rings_fini(struct vhost_user *vu);

/* channel.c */
void channel_init(struct vhost_user *vu);
/* Takes the fd. */
void channel_set_fd(struct vhost_user *vu, int fd);
void channel_close(struct vhost_user *vu);
/* window_map was called. */
void channel_window(struct vhost_user *vu);
/* Rings or negotiation changed: send what was held back. */
void channel_gate(struct vhost_user *vu, bool open);
void channel_driver_reset(struct vhost_user *vu);
/* When to give up waiting for an answer, or UINT64_MAX; and giving up. */
uint64_t channel_deadline(const struct vhost_user *vu);
void channel_expire(struct vhost_user *vu);

/* library.c: the only file that calls librte_vhost. */
/* Once per process, around all others; control thread. */
int library_start(const char *directory);
void library_stop(void);
void library_init(struct library *lib);
void library_fini(struct library *lib);
/* Registers a client, lets it connect to us, and returns our end of the inner socket. */
int library_open(struct library *lib, unsigned int id);
/* Frees everything of the connection in the library, guest memory included. */
void library_close(struct library *lib);
/* Whether the device holds memory of the library; it keeps the memory while it does. */
void library_set_detached(struct library *lib, bool detached);
/* Before the library unmaps: the memory is not guarded any more, and not to be touched. */
void library_unguard(struct library *lib);
/*
 * Sends the message to the library's end of `fd`, as message_send. A ring that it knows no address
 * of must not lie in a region at 0 of the front-end: such a region is at 1 for the library.
 */
int library_send(int fd, struct message *msg);
int library_memory(struct library *lib, struct guest_mem *mem);
void library_set_base(struct library *lib, unsigned int queue, uint16_t base);

#endif
