/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the driver's ring and the device's, written apart, on one thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "driver/driver.h"
#include "micro/local.h"
#include "micro/micro.h"

static struct local local;
static struct driver_raw *raw;
static struct virtq vq;
static struct virtq_chain *chain;

static int
begin(bool packed)
{
	static const struct driver_raw_shape shape = {
		.pieces = {{0, 16}, {16, 88}, {128, 8}, {16, 88}}, .nb_read = 2, .nb_write = 2};
	struct virtq_config config;
	int ret = local_create(&local, packed);

	if (ret == 0) {
		ret = driver_raw_prepare(local.drv, &shape, &raw);
	}
	if (ret == 0) {
		ret = local_queue(&local, DRIVER_QUEUE_COMMAND, &config);
	}
	memset(&vq, 0, sizeof(vq));
	chain = calloc(1, sizeof(*chain));
	if (ret == 0) {
		ret = chain != NULL ? virtq_start(&vq, &config, &local.mem) : -ENOMEM;
	}
	return ret;
}

static int
begin_split(void)
{
	return begin(false);
}

static int
begin_packed(void)
{
	return begin(true);
}

/* Only the device's half counts. */
static uint64_t
run(uint64_t n)
{
	uint64_t ticks = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t len;
		uint64_t begin_tsc;

		driver_raw_submit(raw);
		begin_tsc = clock_tsc();
		virtq_pop_burst(&vq, &chain, 1);
		virtq_push(&vq, chain, 96);
		virtq_flush(&vq);
		ticks += clock_tsc() - begin_tsc;
		virtq_notify(&vq);
		driver_raw_poll(raw, &len, NULL);
	}
	return ticks;
}

static void
end(void)
{
	virtq_stop(&vq);
	if (raw != NULL) {
		driver_raw_release(raw);
	}
	raw = NULL;
	free(chain);
	local_destroy(&local);
}

const struct micro micro_ring[] = {
	{.name = "ring split",
		.what = "take a chain of 4, give it back",
		.nb = 100000,
		.begin = begin_split,
		.run = run,
		.end = end},
	{.name = "ring packed",
		.what = "take a chain of 4, give it back",
		.nb = 100000,
		.begin = begin_packed,
		.run = run,
		.end = end},
	{.name = NULL},
};
