/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices over loopback for the fuzzer of command sequences, all on the calling thread: what one
 * execution does ends with a reset of the driver, so devices are made once. Keeps account of each
 * command and each buffer, and compares with the device.
 */
#ifndef VMEDIA_TESTS_FUZZ_SEQUENCE_H
#define VMEDIA_TESTS_FUZZ_SEQUENCE_H

#include "device/internal.h"
#include "fake/guest.h"
#include "fake/guest_virtq.h"
#include "transport/loopback.h"

#define SEQ_NB_DEVICES   6
#define SEQ_NB_SESSIONS  8
#define SEQ_QUEUE_SIZE   64
#define SEQ_REGION_BYTES (128 << 10)
/* Guest memory for pages of buffers alone: a guest that has its own rings overwritten gets what it
 * asked for, and no account of it can be kept. */
#define SEQ_PAGES_GPA   0x717273000000
#define SEQ_PAGES_BYTES (64 << 10)
#define SEQ_MAX_COMMAND 4096
#define SEQ_EVENT_BYTES 608

struct sequence {
	struct vmedia_device *device;
	struct transport *transport;
	struct fake_guest *guest;
	uint32_t sessions[SEQ_NB_SESSIONS]; /* ids the last OPENs got */
	unsigned int nb_opened;
	uint64_t windows[SEQ_NB_SESSIONS]; /* addresses the last MMAPs got */
	unsigned int nb_mapped;
	unsigned int nb_commands; /* not answered */
	unsigned int nb_events;   /* descriptors posted on the eventq */
	unsigned int nb_waits;    /* passes in which a transport waited for the device */
};

extern struct sequence seq;

/* A started driver: device below SEQ_NB_DEVICES; the rest is the guest's. */
void seq_begin(unsigned int device, bool packed, bool event_idx, enum fake_shape shape);
/* Everything comes back; a reset leaves nothing behind. */
void seq_end(void);

/* A command of n bytes with room for an answer. Left out when the ring is full, or when it could
 * name memory of rings and commands. */
void seq_send(const void *command, size_t n, uint32_t room);
void seq_post_event(uint32_t bytes);
/* One pass of the reactor; with `offload` jobs run and end; `later`: all deadlines are over. What
 * came back is accounted for. */
void seq_pass(bool offload, bool later);
/* The front-end answers the request for the window, if there is one. */
void seq_window(int status);
/* A new driver; a pause; another memory map: bit 0, without the second region; 1, without pages. */
void seq_reset(void);
void seq_pause(void);
void seq_memory(unsigned int without);
/* A buffer type of the device, by direction (0 capture, 1 output, if it has both). */
uint32_t seq_type(unsigned int direction);

#endif
