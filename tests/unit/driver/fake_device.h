/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device of the fewest possible lines behind driver_ring_layout(), written from virtio 1.4 and
 * not from lib/: it takes chains as they come and gives back any id and any length it is told to.
 */
#ifndef VMEDIA_TESTS_DRIVER_FAKE_DEVICE_H
#define VMEDIA_TESTS_DRIVER_FAKE_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver/driver.h"

#define FAKE_MAX_DESCS 64

struct fake_piece {
	uint8_t *mem;
	uint32_t len;
};

struct fake_chain {
	uint16_t id;       /* split: head. packed: buffer id */
	uint16_t nb_slots; /* ring descriptors it took */
	bool indirect;
	unsigned int nb_read, nb_write;
	struct fake_piece pieces[FAKE_MAX_DESCS]; /* readable ones first */
};

struct fake_ring {
	struct driver *drv;
	struct driver_ring_layout at;
	uint16_t avail, used; /* split: indices. packed: positions */
	bool avail_wrap, used_wrap;
};

void fake_ring_init(struct fake_ring *r, struct driver *drv, unsigned int queue);
/* Takes one chain; false: none there. Crashes the test if the driver made nonsense. */
bool fake_pop(struct fake_ring *r, struct fake_chain *c);
/* Gives back: the chain's own id, or any other. */
void fake_push(struct fake_ring *r, const struct fake_chain *c, uint32_t len);
void fake_push_id(struct fake_ring *r, uint32_t id, uint16_t nb_slots, uint32_t len);

/* Gathers the readable half, scatters over the writable one; return the bytes moved. */
uint32_t fake_read(const struct fake_chain *c, void *to, uint32_t max);
uint32_t fake_write(const struct fake_chain *c, const void *from, uint32_t len);

/* Serves one command in another thread while the driver waits for it. */
typedef uint32_t fake_answer_fn(const uint8_t *cmd, uint32_t cmd_len, uint8_t *resp, void *arg);
struct fake_server {
	struct fake_ring *ring;
	fake_answer_fn *answer; /* returns used.len; the response goes to resp */
	void *arg;
	unsigned int nb;
	bool stop; /* atomic: ends early */
	pthread_t thread;
};
void fake_serve(
	struct fake_server *s, struct fake_ring *r, fake_answer_fn *fn, void *arg, unsigned int nb);
void fake_serve_end(struct fake_server *s);

/* OPEN answered with `id` by a server of its own. */
struct driver_session *fake_open(struct fake_ring *r, uint32_t id);
int fake_open_status(struct fake_ring *r, uint32_t id);

/* One event on the eventq: `len` bytes, used.len as told. False: no buffer posted. */
bool fake_event(struct fake_ring *r, const void *event, uint32_t len, uint32_t used_len);

/*
 * driver_disconnect(), and in a sanitized build a look at memory that nobody holds any more. Inside
 * the test: a failed assertion in the tear-down of a suite counts as passed with Criterion 2.4.
 */
void fake_end(struct driver *drv);
void fake_check_leaks(void);

#endif
