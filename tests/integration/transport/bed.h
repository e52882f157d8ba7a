/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the gateway stand on: it, one device, and a front-end. */
#ifndef VMEDIA_TESTS_BED_H
#define VMEDIA_TESTS_BED_H

#include "fake_device.h"
#include "frontend.h"

/* Everything a test needs around the gateway; one in each test's process. */
extern struct bed {
	struct fake_device dev;
	struct transport *transport;
	int arena_fd;
	char path[108];
	struct fe fe;
} bed;

/* EAL, gateway, one device with an arena, its socket, and a front-end that is connected. Asserts
 * on failure. */
void bed_set_up(void);
/* The same device, made anew with other protocol features to offer. Disconnects. */
void bed_offer(enum transport_compat compat, uint64_t offer);
/* Takes it all down and asserts that the listener's contract was kept. */
void bed_tear_down(void);

/* Both rings run, with all that the front-end said, and no message was bad. */
void bed_assert_runs(void);
unsigned int bed_count_fds(void);

#endif
