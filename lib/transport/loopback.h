/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The second transport: driver and device in one process, no socket, no EAL. Unit tests, fuzzers
 * and ThreadSanitizer programs build a device on loopback_ops and play the front-end with the calls
 * below; the rings are plain memory of the caller.
 *
 * Every call that changes something does what the vhost-user transport does: quiesce, wait for
 * done, up-call, resume. They are made from one thread (the "front-end thread"), after create and
 * before destroy. That thread may be the reactor's own (reactor_pass in a test): then a progress
 * callback has to run the passes that let the device become quiet.
 */
#ifndef VMEDIA_TRANSPORT_LOOPBACK_H
#define VMEDIA_TRANSPORT_LOOPBACK_H

#include "transport/transport.h"

/* config->path, listen_fd and max_queue_size are ignored. destroy stops both rings, takes the
 * memory away and resets the device, as a disconnect does. */
extern const struct transport_ops loopback_ops;

/*
 * progress(arg) is called over and over while a call waits for the device to become quiet, for
 * example `reactor_pass(arg)`. NULL (the default): the device's reactor runs on its own thread, and
 * the wait yields the CPU. Set it right after create; destroy uses it as well.
 */
void loopback_set_progress(struct transport *transport, void (*progress)(void *arg), void *arg);

/* Gives the device its guest memory (copied), or none with NULL. Running rings go on: the ring
 * areas of their configs stay valid, as they are addresses of the caller. */
void loopback_set_memory(struct transport *transport, const struct guest_mem *mem);

/* Starts a ring; 0 or the device's negative errno. -EBUSY: it runs already. */
int loopback_ring_start(
	struct transport *transport, unsigned int queue, const struct virtq_config *config);

/* Stops a ring and returns its base (coding of virtq_config.avail_base): for good, as
 * GET_VRING_BASE does, or to change something under it. Safe when stopped. */
uint16_t loopback_ring_stop(
	struct transport *transport, unsigned int queue, enum transport_quiesce why);

/* A driver reset: stops both rings, then listener->reset. */
void loopback_reset(struct transport *transport);

/* Whether the device asked for its window (window_map) and was not answered yet. Any thread. */
bool loopback_window_wanted(const struct transport *transport);

/* Answers an open window_map with listener->window_ready(status); false: none is open. */
bool loopback_window_reply(struct transport *transport, int status);

/* How often the device asked so far. Any thread. */
unsigned int loopback_window_requests(const struct transport *transport);

/* How often the device gave its front-end up so far. Any thread. */
unsigned int loopback_given_up(const struct transport *transport);

#endif
